/* soak_main.c - loads the switch with many sockets for a while and checks every byte; see --help. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "pal/time.h"
#include "soak.h"
#include "watchdog.h"

pal_atomic_bool soak_stop;
static struct soak_worker workers[SOAK_WORKERS_MAX];
static struct soak_options options = {.seconds = 10, .sockets = 16, .threads = 2, .largest = 256 * 1024};

static const char *const end_names[SOAK_ENDS] = {"by shutdown", "by close", "aborted"};

static void usage(void)
{
    puts(
        "usage: wsd_soak [--seconds S] [--sockets N] [--threads T] [--largest BYTES] [--seed S] [--carrier san|tcp]\n"
        "               \n"
        "N connections at once, driven by T threads, both ends in this process, on the switch's first address: random\n"
        "sizes up to BYTES (262144), overlapped operations that are asked for or told, blocking calls, three ways to\n"
        "close. Every byte is checked. --carrier: fail unless connections are carried so. WSD_SWITCH, WSD_PROVIDER\n"
        "and WSD_BACKEND choose what is tested. Exit status: 0 all was right, 1 something was not, 2 usage.");
}

bool soak_fail(struct soak_worker *w, const char *format, ...)
{
    va_list args;

    if (!pal_load_relaxed(&w->has_failed)) {
        va_start(args, format);
        (void)vsnprintf(w->why, sizeof w->why, format, args);
        va_end(args);
        pal_store_release(&w->has_failed, true);
    }
    pal_store_release(&soak_stop, true);
    return false;
}

WATCHDOG_LOOKS static void describe(void)
{
    for (uint32_t i = 0; i < options.threads; i++)
        for (uint32_t k = 0; k < workers[i].count; k++) {
            struct soak_conn *c = &workers[i].conns[k];

            if (c->state == SOAK_UNUSED)
                continue;
            fprintf(stderr, "worker %u connection %u, ends %s%s:\n", i, k, end_names[c->end],
                    c->is_aborted ? " (done)" : "");
            for (unsigned y = 0; y < 4; y++)
                fprintf(stderr, "  way %u mode %d: %llu of %llu, %u under way, error %d%s%s\n", y,
                        (int)c->way[y].mode, (unsigned long long)c->way[y].at,
                        (unsigned long long)c->way[y].total, c->way[y].count, c->way[y].error,
                        c->way[y].has_end ? ", end seen" : "",
                        pal_load_relaxed(&c->way[y].is_over) ? ", over" : "");
        }
}

/* --- a worker ------------------------------------------------------------------------------------------- */

static bool find_address(struct soak_worker *w)
{
    union {
        SOCKET_ADDRESS_LIST list;
        uint8_t room[2048];
    } answer;
    DWORD bytes = 0;
    INT code = 0;

    if (w->procs->lpWSPIoctl(w->listener, SIO_ADDRESS_LIST_QUERY, NULL, 0, &answer, sizeof answer, &bytes,
                             NULL, NULL, NULL, &code) == SOCKET_ERROR)
        return soak_fail(w, "SIO_ADDRESS_LIST_QUERY failed: %s", sw_error_name(code));
    if (answer.list.iAddressCount < 1)
        return soak_fail(w, "this host has no address but loopback");
    memcpy(&w->address, answer.list.Address[0].lpSockaddr, sizeof w->address);
    w->address.sin_port = 0;
    return true;
}

static bool open_listener(struct soak_worker *w)
{
    INT code = 0, bytes = sizeof w->address;

    w->listener = w->procs->lpWSPSocket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, NULL, 0,
                                        WSA_FLAG_OVERLAPPED, &code);
    if (w->listener == INVALID_SOCKET)
        return soak_fail(w, "WSPSocket failed: %s", sw_error_name(code));
    if (!find_address(w))
        return false;
    if (w->procs->lpWSPBind(w->listener, (const WSD_SOCKADDR *)&w->address, sizeof w->address, &code) ==
            SOCKET_ERROR ||
        w->procs->lpWSPListen(w->listener, 128, &code) == SOCKET_ERROR ||
        w->procs->lpWSPGetSockName(w->listener, (WSD_SOCKADDR *)&w->address, &bytes, &code) == SOCKET_ERROR)
        return soak_fail(w, "listening failed: %s", sw_error_name(code));
    return true;
}

static bool take_packets(struct soak_worker *w, uint32_t wait_ms)
{
    struct sw_packet packet;
    bool any = false;

    while (sw_iocp_get(w->queue, &packet, any ? 0 : wait_ms) == 0) {
        struct soak_op *op = (struct soak_op *)(void *)packet.ov;

        any = true;
        if (op->way->mode == SOAK_TOLD) /* those that ask have packets too, and look elsewhere */
            soak_way_packet(op, packet.error, packet.bytes);
    }
    return any;
}

static bool step_all(struct soak_worker *w, uint32_t *open)
{
    *open = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        struct soak_conn *c = &w->conns[i];

        if (c->state == SOAK_UNUSED && !pal_load_acquire(&soak_stop) && !soak_conn_open(c))
            return false;
        if (c->state != SOAK_UNUSED && !soak_conn_step(c))
            return false;
        *open += c->state != SOAK_UNUSED;
    }
    return true;
}

static void worker_main(void *context)
{
    struct soak_worker *w = context;
    uint32_t open = 0;
    uint64_t moves = 0;

    if (!open_listener(w))
        return;
    do {
        const bool is_quiet = w->moves == moves;

        moves = w->moves;
        if (!step_all(w, &open))
            return;
        (void)take_packets(w, is_quiet ? 1 : 0);
    } while (open > 0 || !pal_load_acquire(&soak_stop));
}

/* --- all of it ------------------------------------------------------------------------------------------ */

static bool start_worker(struct soak_worker *w, uint32_t index, const WSPPROC_TABLE *procs)
{
    w->options = &options;
    w->procs = procs;
    w->index = index;
    w->random.state = options.seed + index;
    w->listener = INVALID_SOCKET;
    w->count = options.sockets / options.threads + (index < options.sockets % options.threads);
    w->conns = calloc(w->count + 1u, sizeof *w->conns);
    w->queue = sw_iocp_create();
    if (w->conns == NULL || w->queue == NULL)
        return soak_fail(w, "out of memory");
    for (uint32_t i = 0; i < w->count; i++)
        w->conns[i].worker = w;
    w->thread = pal_thread_start(worker_main, w, "soak-worker");
    return w->thread != NULL || soak_fail(w, "out of threads");
}

static void report(const char *head, double seconds)
{
    uint64_t connections = 0, bytes = 0, ended[SOAK_ENDS] = {0};

    for (uint32_t i = 0; i < options.threads; i++) {
        connections += pal_load_relaxed(&workers[i].connections);
        bytes += pal_load_relaxed(&workers[i].bytes);
        for (unsigned e = 0; e < SOAK_ENDS; e++)
            ended[e] += pal_load_relaxed(&workers[i].ended[e]);
    }
    printf("%s%.0f s: %llu connections, %.1f MB checked; ended %llu %s, %llu %s, %llu %s\n", head, seconds,
           (unsigned long long)connections, (double)bytes / 1e6, (unsigned long long)ended[0], end_names[0],
           (unsigned long long)ended[1], end_names[1], (unsigned long long)ended[2], end_names[2]);
    (void)fflush(stdout);
}

static bool number(const char *text, uint64_t low, uint64_t high, uint64_t *out)
{
    char *end;

    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0' && *out >= low && *out <= high;
}

static bool parse(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        uint64_t v = 0;
        bool is_good = true;

        if (strcmp(name, "--help") == 0) {
            usage();
            exit(0);
        }
        i++;
        if (strcmp(name, "--seconds") == 0)
            is_good = number(value, 1, 1000000, &v), options.seconds = (uint32_t)v;
        else if (strcmp(name, "--sockets") == 0)
            is_good = number(value, 1, 10000, &v), options.sockets = (uint32_t)v;
        else if (strcmp(name, "--threads") == 0)
            is_good = number(value, 1, SOAK_WORKERS_MAX, &v), options.threads = (uint32_t)v;
        else if (strcmp(name, "--largest") == 0)
            is_good = number(value, 1, 16 << 20, &v), options.largest = (uint32_t)v;
        else if (strcmp(name, "--seed") == 0)
            is_good = number(value, 0, UINT64_MAX, &options.seed);
        else if (strcmp(name, "--carrier") == 0)
            options.wants_san = strcmp(value, "san") == 0, options.wants_tcp = strcmp(value, "tcp") == 0,
            is_good = options.wants_san || options.wants_tcp;
        else
            is_good = false;
        if (!is_good) {
            fprintf(stderr, "wsd_soak: %s %s: see --help\n", name, value);
            return false;
        }
    }
    return options.threads <= options.sockets ||
           (fprintf(stderr, "wsd_soak: more threads than sockets\n"), false);
}

static void wait_and_report(void)
{
    uint64_t start = pal_now_ns();
    uint32_t told = 0;

    for (;;) {
        double seconds = (double)(pal_now_ns() - start) / 1e9;

        pal_sleep_ms(100);
        if (pal_load_acquire(&soak_stop) || seconds >= options.seconds)
            break;
        if (seconds >= told + 60) {
            told += 60;
            report("", seconds);
        }
    }
    pal_store_release(&soak_stop, true);
}

int main(int argc, char **argv)
{
    struct ws2_provider *p;
    char text[4096] = "";
    uint64_t start = pal_now_ns();
    bool is_good = true;
    int code;

    options.seed = start;
    if (!parse(argc, argv))
        return 2;
    code = ws2_start(WSPStartup, sw_set_complete_upcall, &p, text, sizeof text);
    if (code != 0) {
        fprintf(stderr, "wsd_soak: cannot start the switch: %s (%s)\n", text, sw_error_name(code));
        return 1;
    }
    printf("seed %llu, %u connections at once, %u threads, pieces up to %u bytes\n",
           (unsigned long long)options.seed, options.sockets, options.threads, options.largest);
    (void)fflush(stdout);
    watchdog_start(60000, describe);
    for (uint32_t i = 0; i < options.threads && is_good; i++)
        is_good = start_worker(&workers[i], i, ws2_procs(p));
    wait_and_report();
    for (uint32_t i = 0; i < options.threads; i++) {
        if (workers[i].thread != NULL)
            pal_thread_join(workers[i].thread);
        if (pal_load_acquire(&workers[i].has_failed))
            fprintf(stderr, "wsd_soak: FAILED in worker %u: %s (seed %llu)\n", i, workers[i].why,
                    (unsigned long long)options.seed);
        is_good = is_good && !pal_load_acquire(&workers[i].has_failed);
    }
    watchdog_stop();
    report(is_good ? "" : "until then, ", (double)(pal_now_ns() - start) / 1e9);
    if (!is_good)
        return 1; /* sockets are open and memory is in use: no orderly end */
    for (uint32_t i = 0; i < options.threads; i++) {
        INT error = 0;

        (void)ws2_procs(p)->lpWSPCloseSocket(workers[i].listener, &error);
        for (uint32_t k = 0; k < workers[i].count; k++)
            free(workers[i].conns[k].memory);
        free(workers[i].conns);
    }
    if (ws2_unload(p, text, sizeof text) != 0) {
        fprintf(stderr, "wsd_soak: FAILED: the switch broke its contract with Ws2_32:\n%s\n", text);
        return 1;
    }
    for (uint32_t i = 0; i < options.threads; i++)
        sw_iocp_destroy(workers[i].queue);
    return 0;
}
