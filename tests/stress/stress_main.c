/* stress_main.c - wsd_stress: many threads on many connections, every byte checked; the seed is printed.
 *
 *   wsd_stress {--loop | --device [ADDRESS]} --provider FILE [--seed N] [--threads N] [--sockets N]
 *              [--rounds N] [--seconds N] [--notify PERCENT] [--max-bytes N] [--messages N]
 *              [--wild PERCENT] [--die PERCENT]
 *
 *   --seed N        repeats the choices of a run, though not the timing of its threads (from the clock)
 *   --threads N     worker threads; the provider's own come on top (4)
 *   --sockets N     connections at a time (8)
 *   --rounds N      connections one after the other in each place (20)
 *   --seconds N     stop after that time, whatever is left of the rounds (30)
 *   --notify P      per cent of operations that end by upcall, else polled; 100: nothing is polled at all, so
 *                   a completion that the provider sleeps through shows as a hang (differs by connection)
 *   --max-bytes N   longest message (1 MiB)
 *   --messages N    most messages of one direction (unlimited: by profile)
 *   --wild P        per cent of connections that are closed beside running calls (30)
 *   --die P         per cent of connections that are closed in the middle (40)
 *
 * Exit: 0; 1 after a failure; 77 with a reason when there is no device; 2 for bad usage; a hang aborts with
 * stacks. */
#include "stress.h"

#include <inttypes.h>
#include <unistd.h>

#include "usage.h"
#include "watchdog.h"

#define FAILURES_SHOWN 20u
#define STALL_MS       60000u

struct stress st;

static pal_atomic_u64 rng_serial;

struct rng *my_rng(void)
{
    static PAL_THREAD_LOCAL struct rng rng;

    if (rng.state == 0)
        rng.state = pattern_mix(st.options.seed ^ pattern_mix(pal_add_relaxed(&rng_serial, 1) + 1)) | 1;
    return &rng;
}

void stress_fails(const struct end *e, const char *format, ...)
{
    char text[512];
    va_list arguments;

    if (pal_add_relaxed(&st.failures, 1) >= FAILURES_SHOWN)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "FAIL seed %" PRIu64 " connection %" PRIu64 " end %u (%s, %s): %s\n", st.options.seed,
            e->slot->connection, e->index, e->slot->is_wild ? "wild" : "tame",
            e->slot->profile != NULL ? e->slot->profile->name : "-", text);
}

WATCHDOG_LOOKS static void describe(void)
{
    fprintf(stderr, "seed %" PRIu64 "\n", st.options.seed);
    for (unsigned i = 0; st.slots != NULL && i < st.options.sockets; i++)
        slot_describe(&st.slots[i]);
}

static bool all_done(void)
{
    for (unsigned i = 0; i < st.options.sockets; i++)
        if (pal_load_acquire(&st.slots[i].phase) != PHASE_DONE)
            return false;
    return true;
}

static void work(void *arg)
{
    uint64_t end = *(const uint64_t *)arg, seen = 0;

    for (unsigned n = 0; !all_done(); n++) {
        slot_visit(&st.slots[rng_below(my_rng(), st.options.sockets)]);
        if (n % 64 != 0)
            continue;
        uint64_t now = pal_load_relaxed(&st.stats.messages) + pal_load_relaxed(&st.stats.connections) +
                       pal_load_relaxed(&st.stats.closes);
        if (now != seen)
            watchdog_pat();
        else
            pal_sleep_ms(1); /* nothing to do but wait for the provider */
        seen = now;
        if (pal_now_ns() > end || pal_load_relaxed(&st.failures) > FAILURES_SHOWN)
            pal_store_release(&st.is_stopping, true);
    }
}

static void print_stats(double seconds)
{
    const struct stats *s = &st.stats;
    const struct {
        const char *name;
        const pal_atomic_u64 *value;
    } rows[] = {
        {"connections", &s->connections},
        {"messages", &s->messages},
        {"message bytes", &s->bytes},
        {"RDMA writes", &s->writes},
        {"RDMA reads", &s->reads},
        {"registrations", &s->registrations},
        {"upcalls", &s->upcalls},
        {"upcalls that submitted", &s->nested},
        {"closes", &s->closes},
        {"closes inside upcalls", &s->closes_in_upcall},
        {"closes beside other calls", &s->closes_wild},
        {"cancelled connects", &s->cancelled},
        {"closes that siw turned into a reset", &s->lost_to_reset},
        {"rejected connects", &s->rejected},
        {"memory mapped afresh", &s->remapped},
        {"ended with WSA_OPERATION_ABORTED", &s->aborted},
        {"ended with WSAECONNRESET", &s->resets},
        {"ended with WSAECONNABORTED", &s->aborts_seen},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        printf("%12" PRIu64 " %s\n", pal_load_relaxed(rows[i].value), rows[i].name);
    printf("%12.1f seconds\n", seconds);
}

static int usage(void)
{
    fprintf(stderr,
            "usage: wsd_stress {--loop | --device [ADDRESS]} --provider FILE [--seed N] [--threads N] "
            "[--sockets N] [--rounds N]\n  [--seconds N] [--notify PERCENT] [--max-bytes N] [--messages N] "
            "[--wild PERCENT] [--die PERCENT]\n");
    return 2;
}

static bool number_option(int argc, char **argv, int *i, const char *name, unsigned *out)
{
    char *end;

    if (strcmp(argv[*i], name) != 0 || *i + 1 >= argc)
        return false;
    *out = (unsigned)strtoul(argv[++*i], &end, 0);
    return *end == '\0';
}

/* 0; 77; 2 */
static int parse(int argc, char **argv)
{
    struct options *o = &st.options;
    const char *provider = NULL, *address = NULL;
    bool is_loop = false, is_device = false;

    *o = (struct options){.seed = pal_wall_ms() * 0x9E3779B1u,
                          .threads = 4,
                          .sockets = 8,
                          .rounds = 20,
                          .seconds = 30,
                          .notify_percent = 101,
                          .max_bytes = 1u << 20,
                          .wild_percent = 30,
                          .die_percent = 40,
                          .budget_limit = UINT32_MAX};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--loop") == 0) {
            is_loop = true;
        } else if (strcmp(argv[i], "--device") == 0) {
            is_device = true;
            if (i + 1 < argc && argv[i + 1][0] != '-')
                address = argv[++i];
        } else if (strcmp(argv[i], "--provider") == 0 && i + 1 < argc) {
            provider = argv[++i];
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            o->seed = strtoull(argv[++i], NULL, 0);
        } else if (!number_option(argc, argv, &i, "--threads", &o->threads) &&
                   !number_option(argc, argv, &i, "--sockets", &o->sockets) &&
                   !number_option(argc, argv, &i, "--rounds", &o->rounds) &&
                   !number_option(argc, argv, &i, "--seconds", &o->seconds) &&
                   !number_option(argc, argv, &i, "--notify", &o->notify_percent) &&
                   !number_option(argc, argv, &i, "--max-bytes", &o->max_bytes) &&
                   !number_option(argc, argv, &i, "--messages", &o->budget_limit) &&
                   !number_option(argc, argv, &i, "--wild", &o->wild_percent) &&
                   !number_option(argc, argv, &i, "--die", &o->die_percent)) {
            return usage();
        }
    }
    if (is_loop == is_device || provider == NULL || o->threads == 0 || o->sockets == 0 ||
        o->max_bytes < FIRST_BYTES || o->max_bytes > 1u << 20 || o->budget_limit == 0)
        return usage();
    return ct_env_init(is_loop, provider, NULL, address);
}

static bool run_workers(void)
{
    struct pal_thread *threads[256];
    unsigned count = st.options.threads < 256 ? st.options.threads : 256, started = 0;
    uint64_t start = pal_now_ns(), end = start + (uint64_t)st.options.seconds * 1000000000u;

    for (; started < count; started++)
        if ((threads[started] = pal_thread_start(work, &end, "stress")) == NULL)
            break;
    if (started == 0)
        return false;
    for (unsigned i = 0; i < started; i++)
        pal_thread_join(threads[i]);
    print_stats((double)(pal_now_ns() - start) / 1e9);
    return true;
}

static int run(void)
{
    struct usage before;
    char text[8192];
    int error = usage_warm_libraries();
    unsigned violations;

    if (error != 0)
        return error;
    usage_take(ct.loop, &before);
    error = sw_load(ct.provider, NULL, &st.provider, text, sizeof text);
    if (error != 0) {
        fprintf(stderr, "%s: %s\n", error == WSASYSNOTREADY && !ct.is_loop ? "skipped" : "failed", text);
        return error == WSASYSNOTREADY && !ct.is_loop ? 77 : 1;
    }
    st.slots = calloc(st.options.sockets, sizeof *st.slots);
    for (unsigned i = 0; i < st.options.sockets; i++)
        if (st.slots == NULL || !slot_init(&st.slots[i], i)) {
            fprintf(stderr, "out of memory\n");
            return 2;
        }
    if (!run_workers())
        return 2;
    for (unsigned i = 0; i < st.options.sockets; i++)
        slot_fini(&st.slots[i]);
    free(st.slots);
    st.slots = NULL; /* the watchdog may still look */
    violations = sw_unload(st.provider, text, sizeof text);
    if (violations != 0) {
        fprintf(stderr, "FAIL %u contract violations seen by switch_shim:\n%s", violations, text);
        pal_add_relaxed(&st.failures, 1);
    }
    if (!usage_back_at(ct.loop, &before, ct.wait_ms)) {
        fprintf(stderr, "FAIL something is left\n");
        pal_add_relaxed(&st.failures, 1);
    }
    return pal_load_relaxed(&st.failures) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    int result = parse(argc, argv);

    if (result != 0)
        return result;
    setenv("WSD_CONNECT_TIMEOUT_MS", "20000", 0); /* so that a loaded machine is not a failure */
    if (sw_parse_address(ct.address, &st.here) != 0 || sw_parse_address(ct.other_address, &st.other) != 0) {
        fprintf(stderr, "not an IPv4 address: %s\n", ct.address);
        return 2;
    }
    printf("wsd_stress: seed %" PRIu64 ", %u threads, %u sockets, %u rounds, at most %u s\n", st.options.seed,
           st.options.threads, st.options.sockets, st.options.rounds, st.options.seconds);
    fflush(stdout);
    watchdog_start(STALL_MS, describe);
    result = run();
    watchdog_stop();
    printf("wsd_stress: %s\n", result == 0 ? "passed" : result == 77 ? "skipped" : "FAILED");
    return result;
}
