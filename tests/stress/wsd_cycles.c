/* wsd_cycles.c - connect, negotiate, talk, close, many thousand times; afterwards the process holds no more
 * than before.
 *
 *   wsd_cycles {--loop | --device [ADDRESS]} --provider FILE [--rounds N] [--pairs N] [--warm-up N]
 *              [--seconds N] [--duplicate N]
 *
 *   --rounds N      cycles after the warm-up, all pairs together (1000)
 *   --warm-up N     cycles before it (a tenth, at least 100)
 *   --seconds N     stop earlier after that time (0: never); the warm-up gets a quarter of it on top
 *   --pairs N       connector and acceptor threads side by side (2)
 *   --duplicate N   every Nth cycle of a pair moves the socket with WSPDuplicateSocket to this same process
 *                   (25; 0: never)
 *
 * A cycle: connect and accept; register memory; grant a page to the peer; negotiate; the acceptor writes into
 * the page and sends a message; the connector checks both and answers; deregister; close, in turns from
 * either side or both at once, always with receives pending.
 * Compared: file descriptors, threads, records of moved sockets, objects of the loop backend, bytes on the
 * heap, resident set.
 * Exit: 0; 1; 77 with a reason when there is no device; 2 for bad usage; a hang aborts with stacks. */
#include "ct.h"

#include <inttypes.h>

#include "pal/memory.h"
#include "pal/mutex.h"
#include "pattern.h"
#include "usage.h"
#include "watchdog.h"

#define MESSAGE_BYTES  700u
#define PAGE_BYTES     4096u
#define RECEIVES       4u
#define PORTION        20u
#define PAIRS_MAX      64u
#define STALL_MS       60000u
#define SETTLE_MS      5000u       /* tear-down in the background takes a second at most */
#define HEAP_SLACK     (96u << 10) /* at most; what the allocator keeps in its caches counts as in use */
#define RESIDENT_SLACK (4u << 20)

enum ending { CONNECTOR_FIRST, ACCEPTOR_FIRST, BOTH_AT_ONCE, ENDING_COUNT };

struct side {
    struct sw_companion *c;
    uint8_t *memory; /* a page to receive into, one to send from, one for RDMA */
    HANDLE rx, tx;
    WSAOVERLAPPED recv[RECEIVES], send, write;
    enum sw_completion how;
    unsigned next_recv;
};

struct pair {
    struct sw_listener *listener;
    struct side connector, acceptor;
    struct pal_thread *threads[2];
    uint64_t first, rounds; /* of this run */
};

static struct {
    struct sw_provider *provider;
    WSD_SOCKADDR_IN here, other;
    unsigned pairs, duplicate;
    struct pair pair[PAIRS_MAX];
    pal_atomic_u64 done, duplicated;
    pal_atomic_bool has_failed;
} cy;

static uint64_t key_of(const struct pair *p, uint64_t round)
{
    return (uint64_t)(p - cy.pair) << 48 | round << 2;
}

static bool fails(const struct pair *p, uint64_t round, const char *what, int error)
{
    if (!pal_swap_acq_rel(&cy.has_failed, true))
        fprintf(stderr, "FAIL pair %d, cycle %" PRIu64 ": %s: %d (%s)\n", (int)(p - cy.pair), round, what,
                error, error == 0 ? "0" : sw_error_name(error));
    return false;
}

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        int try_error_ = (call);                                                                             \
        if (try_error_ != 0)                                                                                 \
            return fails(p, round, #call, try_error_);                                                       \
    } while (0)

/* ---- pieces of both sides ---- */

static int finished(struct side *s, WSAOVERLAPPED *ov, DWORD *bytes)
{
    int error = 0, result = sw_wait(s->c, ov, ct.wait_ms, bytes, &error);

    return result != 0 ? result : error;
}

static int post_receive(struct side *s, unsigned i)
{
    WSABUF into = {.len = PAGE_BYTES / RECEIVES, .buf = (CHAR *)s->memory + i * (PAGE_BYTES / RECEIVES)};

    s->recv[i].hEvent = NULL;
    return sw_recv(s->c, &into, 1, &s->recv[i], s->how);
}

static int post_receives(struct sw_companion *c, void *context)
{
    struct side *s = context;
    int error = 0;

    (void)c;
    s->next_recv = 0;
    for (unsigned i = 0; i < RECEIVES && error == 0; i++)
        error = post_receive(s, i);
    return error;
}

static int register_side(struct side *s)
{
    int error = sw_register(s->c, s->memory, PAGE_BYTES, MEM_WRITE, &s->rx);

    return error != 0 ? error : sw_register(s->c, s->memory + PAGE_BYTES, 2 * PAGE_BYTES, MEM_READ, &s->tx);
}

static int say(struct side *s, uint64_t key)
{
    WSABUF from = {.len = MESSAGE_BYTES, .buf = (CHAR *)s->memory + PAGE_BYTES};
    int error;

    pattern_fill(from.buf, MESSAGE_BYTES, key);
    s->send.hEvent = NULL;
    error = sw_send(s->c, &from, 1, &s->send, s->how);
    return error != 0 ? error : finished(s, &s->send, NULL);
}

/* The last message, to a peer that may close as soon as it has it. On a device its acknowledgement may be lost then: rxe
 * drops one that was not sent yet when the queue pair stops, siw reports a reset that it meets while sending as an error
 * of its own. So the sender may hear of a dead connection (7.6); that the message came whole is seen at the other end. */
static int say_last(struct side *s, uint64_t key)
{
    int error = say(s, key);

    return (error == WSAECONNRESET || error == WSAECONNABORTED) && !ct.is_loop ? 0 : error;
}

/* The next message; WSAEMSGSIZE stands for "not what was sent". */
static int hear(struct side *s, uint64_t key)
{
    unsigned i = s->next_recv++;
    DWORD bytes = 0;
    int error = finished(s, &s->recv[i], &bytes);

    if (error != 0)
        return error;
    return bytes == MESSAGE_BYTES && pattern_check(s->memory + i * (PAGE_BYTES / RECEIVES), bytes, key) < 0
               ? 0
               : WSAEMSGSIZE;
}

/* What ended the connection ends the receives too (7.6). siw calls every send that TCP could not take a local error
 * (siw_qp_tx.c, siw_qp_sq_process: LOC_QP_OP_ERR): where say_last() meets the peer's close, that is what ended it. */
static bool is_end(int error)
{
    return error == WSAECONNRESET || (error == WSAECONNABORTED && ct_env_is_siw());
}

/* The peer has closed or will: every pending receive ends with that (4.13). */
static bool hears_the_end(struct pair *p, struct side *s, uint64_t round)
{
    for (unsigned i = s->next_recv; i < RECEIVES; i++) {
        int error = finished(s, &s->recv[i], NULL);
        if (!is_end(error))
            return fails(p, round, "a pending receive when the peer has closed", error);
    }
    return true;
}

static bool ends(struct pair *p, struct side *s, uint64_t round, bool is_first)
{
    if ((round % ENDING_COUNT) != BOTH_AT_ONCE && !is_first) {
        if (!hears_the_end(p, s, round))
            return false;
        TRY(sw_deregister(s->c, s->rx));
        TRY(sw_deregister(s->c, s->tx));
    }
    TRY(sw_close(s->c));
    s->c = NULL;
    /* another thread may be in the middle of the last upcalls (provider/README.md, Threads) */
    uint64_t deadline = pal_now_ns() + (uint64_t)ct.wait_ms * 1000000u;
    for (unsigned i = s->next_recv; i < RECEIVES; i++) {
        int error = 0;
        bool is_over;
        while (!(is_over = sw_overlapped_result(&s->recv[i], NULL, &error)) && pal_now_ns() < deadline)
            pal_thread_yield();
        if (!is_over || (error != WSA_OPERATION_ABORTED && !is_end(error)))
            return fails(p, round, "a receive that was pending at the close", error);
    }
    return true;
}

/* ---- the connector ---- */

/* To this same process, which may hold the old descriptor beside the new one. The receives are those of
 * the moved socket: they succeed with 0 bytes (4.14), and the new one gets fresh ones. */
static bool duplicate(struct pair *p, struct side *s, uint64_t round)
{
    WSAPROTOCOL_INFOW info;
    struct sw_companion *again;
    DWORD bytes = 1;

    TRY(sw_duplicate(s->c, pal_process_id(), &info));
    for (unsigned i = s->next_recv; i < RECEIVES; i++) {
        TRY(finished(s, &s->recv[i], &bytes));
        if (bytes != 0)
            return fails(p, round, "bytes in a receive of a socket that moved", (int)bytes);
    }
    TRY(sw_adopt(cy.provider, &info, NULL, s->c, &again));
    if (again != s->c)
        TRY(sw_close(s->c));
    s->c = again;
    TRY(register_side(s));
    TRY(post_receives(s->c, s));
    pal_add_relaxed(&cy.duplicated, 1);
    return true;
}

static bool moves(uint64_t round)
{
    return cy.duplicate != 0 && round % cy.duplicate == cy.duplicate - 1;
}

static bool connector_cycle(struct pair *p, uint64_t round)
{
    struct side *s = &p->connector;
    uint8_t *page = s->memory + 2 * PAGE_BYTES;
    struct sw_hello mine = {.receives_posted = RECEIVES, .receive_bytes = PAGE_BYTES / RECEIVES}, theirs;
    struct sw_rdma_descriptor d;
    uint64_t key = key_of(p, round);

    s->how = round & 1 ? SW_POLL : SW_NOTIFY;
    TRY(sw_connect(cy.provider, &cy.other, &p->listener->local, ct.wait_ms, NULL, &s->c, NULL));
    TRY(register_side(s));
    memset(page, 0, PAGE_BYTES);
    TRY(sw_register_rdma(s->c, page, PAGE_BYTES, MEM_WRITE, &d));
    mine.user_bytes = (uint16_t)d.length;
    memcpy(mine.user, d.bytes, d.length);
    TRY(sw_negotiate(s->c, true, &mine, post_receives, s, ct.wait_ms, &theirs));
    TRY(hear(s, key + 1));
    if (pattern_check(page, PAGE_BYTES, key + 2) >= 0)
        return fails(p, round, "the data of the RDMA write behind the message", 0);
    TRY(sw_deregister_rdma(s->c, &d));
    if (moves(round)) {
        TRY(say(s, key + 3));
        TRY(hear(s, key + 1)); /* the word that nothing is under way any more (8.10) */
        if (!duplicate(p, s, round))
            return false;
    }
    TRY(say_last(s, key + 3));
    return ends(p, s, round, round % ENDING_COUNT == CONNECTOR_FIRST);
}

/* ---- the acceptor ---- */

static int write_page(struct side *s, const struct sw_hello *theirs, uint64_t key)
{
    struct sw_rdma_descriptor d = {.length = theirs->user_bytes};
    WSABUFEX from = {.len = PAGE_BYTES, .buf = (CHAR *)s->memory + 2 * PAGE_BYTES, .handle = s->tx};
    int error;

    if (d.length > sizeof d.bytes)
        return WSAEMSGSIZE;
    memcpy(d.bytes, theirs->user, d.length);
    pattern_fill(from.buf, PAGE_BYTES, key);
    s->write.hEvent = NULL;
    error = sw_rdma_write(s->c, &from, 1, &d, 0, &s->write, s->how);
    return error != 0 ? error : finished(s, &s->write, NULL);
}

static bool acceptor_cycle(struct pair *p, uint64_t round)
{
    struct side *s = &p->acceptor;
    struct sw_hello mine = {.receives_posted = RECEIVES, .receive_bytes = PAGE_BYTES / RECEIVES}, theirs;
    uint64_t key = key_of(p, round);

    s->how = round & 2 ? SW_POLL : SW_NOTIFY;
    TRY(sw_accept(p->listener, NULL, 0, ct.wait_ms, NULL, &s->c));
    TRY(register_side(s));
    TRY(sw_negotiate(s->c, false, &mine, post_receives, s, ct.wait_ms, &theirs));
    TRY(write_page(s, &theirs, key + 2));
    TRY(say(s, key + 1));
    TRY(hear(s, key + 3));
    if (moves(round)) {
        TRY(say(s, key + 1));
        TRY(hear(s, key + 3)); /* through the connection that came back under the same socket */
    }
    return ends(p, s, round, round % ENDING_COUNT == ACCEPTOR_FIRST);
}

/* ---- running ---- */

static void connect_all(void *arg)
{
    struct pair *p = arg;

    for (uint64_t round = p->first; round < p->first + p->rounds && !pal_load_acquire(&cy.has_failed);
         round++) {
        if (!connector_cycle(p, round))
            break;
        pal_add_relaxed(&cy.done, 1);
        watchdog_pat();
    }
}

static void accept_all(void *arg)
{
    struct pair *p = arg;

    for (uint64_t round = p->first; round < p->first + p->rounds && !pal_load_acquire(&cy.has_failed);
         round++)
        if (!acceptor_cycle(p, round))
            break;
}

static bool run(uint64_t rounds)
{
    for (unsigned i = 0; i < cy.pairs; i++) {
        struct pair *p = &cy.pair[i];
        p->first += p->rounds;
        p->rounds = rounds / cy.pairs + (i < rounds % cy.pairs);
        p->threads[0] = pal_thread_start(accept_all, p, "acceptor");
        p->threads[1] = pal_thread_start(connect_all, p, "connector");
        if (p->threads[0] == NULL || p->threads[1] == NULL) {
            fprintf(stderr, "no threads\n");
            exit(2);
        }
    }
    for (unsigned i = 0; i < cy.pairs; i++) {
        pal_thread_join(cy.pair[i].threads[0]);
        pal_thread_join(cy.pair[i].threads[1]);
    }
    return !pal_load_acquire(&cy.has_failed);
}

static bool same(const struct usage *a, const struct usage *b)
{
    return a->fds == b->fds && a->threads == b->threads && a->records == b->records &&
           a->loop_objects == b->loop_objects && a->heap_bytes == b->heap_bytes;
}

/* When nothing has changed for a fifth of a second, the background work is done. */
static void settle(struct usage *out)
{
    struct usage now;
    unsigned quiet = 0;

    usage_take(ct.loop, out);
    for (unsigned i = 0; i < SETTLE_MS / 20 && quiet < 10; i++) {
        pal_sleep_ms(20);
        usage_take(ct.loop, &now);
        quiet = same(&now, out) ? quiet + 1 : 0;
        *out = now;
        watchdog_pat();
    }
}

static bool compare(const char *what, size_t before, size_t after, size_t slack)
{
    if (after <= before + slack)
        return true;
    fprintf(stderr, "FAIL %s grew from %zu to %zu\n", what, before, after);
    return false;
}

static bool compare_all(const struct usage *a, const struct usage *b, uint64_t rounds)
{
    size_t slack = (32u << 10) + 8 * rounds < HEAP_SLACK ? (32u << 10) + 8 * rounds : HEAP_SLACK;
    bool is_fine = usage_back_at(ct.loop, a, SETTLE_MS);
    struct usage now;

    if (!is_fine)
        fprintf(stderr, "FAIL the cycles left something behind\n");
    settle(&now); /* a tear-down that rested when b was taken is over now */
    is_fine &= compare("bytes on the heap", a->heap_bytes, now.heap_bytes, slack);
    is_fine &= compare("resident set", a->resident_bytes, b->resident_bytes, RESIDENT_SLACK);
    return is_fine;
}

static bool open_pairs(void)
{
    for (unsigned i = 0; i < cy.pairs; i++) {
        struct pair *p = &cy.pair[i];
        int error = sw_listen(cy.provider, &cy.here, 5, NULL, &p->listener);
        p->connector.memory = pal_pages_alloc(3 * PAGE_BYTES);
        p->acceptor.memory = pal_pages_alloc(3 * PAGE_BYTES);
        if (error != 0 || p->connector.memory == NULL || p->acceptor.memory == NULL) {
            fprintf(stderr, "FAIL listening: %s\n", sw_error_name(error));
            return false;
        }
    }
    return true;
}

static void close_pairs(void)
{
    for (unsigned i = 0; i < cy.pairs; i++) {
        struct pair *p = &cy.pair[i];
        struct side *sides[2] = {&p->connector, &p->acceptor};
        if (p->listener != NULL)
            sw_listener_close(p->listener);
        for (unsigned k = 0; k < 2; k++) {
            if (sides[k]->c != NULL)
                sw_close(sides[k]->c);
            if (sides[k]->memory == NULL)
                continue;
            (void)sw_memory_going(sides[k]->memory, 3 * PAGE_BYTES);
            pal_pages_free(sides[k]->memory, 3 * PAGE_BYTES);
        }
    }
}

/* In portions, so that the time can be looked at in between. */
static bool run_for(uint64_t rounds, unsigned long seconds, uint64_t *done)
{
    uint64_t end = pal_now_ns() + seconds * 1000000000u;

    for (*done = 0; *done < rounds && (seconds == 0 || pal_now_ns() < end);) {
        uint64_t left = rounds - *done, portion = seconds != 0 && left > PORTION ? PORTION : left;
        if (!run(portion))
            return false;
        *done += portion;
    }
    return true;
}

static bool cycles(uint64_t warm_up, uint64_t rounds, unsigned long seconds)
{
    struct usage before, after;
    uint64_t start, done;

    if (!run_for(warm_up, seconds / 4, &done))
        return false;
    settle(&before);
    usage_print("warmed up", &before);
    start = pal_now_ns();
    if (!run_for(rounds, seconds, &done))
        return false;
    double took = (double)(pal_now_ns() - start) / 1e9;
    settle(&after);
    usage_print("afterwards", &after);
    printf("%" PRIu64 " cycles in %.1f s, %.0f a second; %" PRIu64 " sockets moved\n", done, took,
           (double)done / took, pal_load_relaxed(&cy.duplicated));
    return compare_all(&before, &after, done);
}

static int load_and_run(uint64_t warm_up, uint64_t rounds, unsigned long seconds)
{
    struct usage at_start;
    char text[8192];
    bool is_fine;
    unsigned violations;
    int error = usage_warm_libraries();

    if (error != 0)
        return error;
    usage_take(ct.loop, &at_start);
    error = sw_load(ct.provider, NULL, &cy.provider, text, sizeof text);
    if (error != 0) {
        fprintf(stderr, "%s: %s\n", error == WSASYSNOTREADY && !ct.is_loop ? "skipped" : "failed", text);
        return error == WSASYSNOTREADY && !ct.is_loop ? 77 : 1;
    }
    is_fine = open_pairs() && cycles(warm_up, rounds, seconds);
    close_pairs();
    violations = sw_unload(cy.provider, text, sizeof text);
    if (violations != 0) {
        fprintf(stderr, "FAIL %u contract violations seen by switch_shim:\n%s", violations, text);
        is_fine = false;
    }
    if (!usage_back_at(ct.loop, &at_start, ct.wait_ms)) {
        fprintf(stderr, "FAIL something is left after unloading\n");
        is_fine = false;
    }
    return is_fine ? 0 : 1;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: wsd_cycles {--loop | --device [ADDRESS]} --provider FILE [--rounds N] [--pairs N] "
            "[--warm-up N] [--seconds N] [--duplicate N]\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *provider = NULL, *address = NULL;
    bool is_loop = false, is_device = false;
    unsigned long rounds = 1000, warm_up = 0, seconds = 0;

    cy.pairs = 2;
    cy.duplicate = 25;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--loop") == 0) {
            is_loop = true;
        } else if (strcmp(argv[i], "--device") == 0) {
            is_device = true;
            if (i + 1 < argc && argv[i + 1][0] != '-')
                address = argv[++i];
        } else if (strcmp(argv[i], "--provider") == 0 && i + 1 < argc) {
            provider = argv[++i];
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            rounds = strtoul(argv[++i], NULL, 0);
        } else if (strcmp(argv[i], "--warm-up") == 0 && i + 1 < argc) {
            warm_up = strtoul(argv[++i], NULL, 0);
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            seconds = strtoul(argv[++i], NULL, 0);
        } else if (strcmp(argv[i], "--pairs") == 0 && i + 1 < argc) {
            cy.pairs = (unsigned)strtoul(argv[++i], NULL, 0);
        } else if (strcmp(argv[i], "--duplicate") == 0 && i + 1 < argc) {
            cy.duplicate = (unsigned)strtoul(argv[++i], NULL, 0);
        } else {
            return usage();
        }
    }
    if (is_loop == is_device || provider == NULL || rounds == 0 || cy.pairs == 0 || cy.pairs > PAIRS_MAX)
        return usage();
    if (warm_up == 0)
        warm_up = rounds / 10 > 100 ? rounds / 10 : 100;
    int result = ct_env_init(is_loop, provider, NULL, address);
    if (result != 0)
        return result;
    setenv("WSD_CONNECT_TIMEOUT_MS", "20000", 0); /* so that a loaded machine is not a failure */
    if (sw_parse_address(ct.address, &cy.here) != 0 || sw_parse_address(ct.other_address, &cy.other) != 0)
        return usage();
    watchdog_start(STALL_MS, NULL);
    result = load_and_run(warm_up, rounds, seconds);
    watchdog_stop();
    printf("wsd_cycles: %s\n", result == 0 ? "passed" : result == 77 ? "skipped" : "FAILED");
    return result;
}
