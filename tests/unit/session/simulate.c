/* simulate.c - two sessions over a connection with random schedules: which message arrives, which report or RDMA request
 * comes next, what the applications do, when a socket moves, when the connection breaks. Each round checks that bytes
 * come out once and in order, that every operation ends exactly once, that nobody waits for ever: once nothing can
 * happen any more everything must have been done. Applications are event driven where they do not block, so a missing FD_READ or
 * FD_WRITE is a standstill too.
 *
 *   session_sim [--events N] [--seed N] [--round N] [--verbose]
 *
 * While an action is about to be carried out, other threads bring events (session.h, Threads): that is played too.
 *
 * Exit status 0: all rounds held. A failure names seed and round; --seed S --round R plays that one again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pair.h"
#include "session/internal.h" /* for what a failure shows */

#define OPS_MAX      3
#define BYTES_MAX    20000u
#define URGENT_BYTE  255u
#define ROUND_EVENTS 400000u

enum ending { END_FULL, END_EARLY_CLOSE, END_CUT, END_ABORT };

/* One application: what it has still to send, what it has received. */
struct app {
    struct pair_op sends[OPS_MAX], receives[OPS_MAX];
    uint8_t *send_memory[OPS_MAX], *receive_memory[OPS_MAX];
    unsigned send_first, send_count; /* in order of submission */
    unsigned receive_first, receive_count;
    uint64_t to_send, submitted, completed; /* bytes */
    uint64_t received;                      /* position of the peer's stream */
    bool *urgent;                           /* by position of its own stream */
    uint64_t urgent_sent, urgent_had;
    bool sends_now, receives_now, is_inline;
    bool lacks_memory;        /* registrations are refused now and then */
    bool may_read, may_write; /* event driven: an event said so */
    bool is_shut, is_at_end, is_closed, sends_failed, receives_failed;
    unsigned moves_left, cancels_left;
    uint32_t big;
};

static struct {
    struct pair p;
    struct app app[2];
    uint64_t random, seed;
    uint64_t events;
    unsigned round;
    enum ending ending;
    uint64_t end_at; /* events until the cut or the abort */
    unsigned bias[8];
    bool verbose, is_cut, is_reset;
    uint64_t bytes, moves, ops, cancels;
} sim;

static uint64_t draw(void)
{
    sim.random ^= sim.random << 13; /* xorshift64 */
    sim.random ^= sim.random >> 7;
    sim.random ^= sim.random << 17;
    return sim.random;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)((draw() >> 16) % n);
}

static void show(const struct sw_session *s, const struct pair_side *side)
{
    fprintf(stderr,
            "    %s: credits %u of %u owed %u peer %u, tx %" PRIu64 " limit %" PRIu64
            " queue %u out %u flight %u, rx %" PRIu64 " consumed %" PRIu64
            " in %u step %d, shut %d/%d/%d, close %d/%d/%d, on the way %u, posted %u\n",
            sw_state_name(s->state), s->credits.have, s->credits.have_max, s->credits.owed,
            s->credits.peer_has, s->tx.position, s->tx.limit, s->tx.queue_count, s->tx.out_count,
            s->tx.in_flight, s->rx.position, s->rx.consumed, s->rx.in_count, (int)s->rx.step.state,
            s->tx.shut_wanted, s->tx.shut_sent, s->rx.shut, s->close_wanted, s->close_sent, s->close_got,
            side->way_count, side->posted_count);
}

static void fail(const char *what)
{
    fprintf(stderr, "session_sim: %s\n  play it again: session_sim --seed %" PRIu64 " --round %u --verbose\n",
            what, sim.seed, sim.round);
    for (unsigned i = 0; i < 2; i++) {
        struct app *a = &sim.app[i];
        fprintf(stderr,
                "  side %u: submitted %" PRIu64 " of %" PRIu64 ", received %" PRIu64
                ", sends %u, receives %u, end %d, "
                "closed %d/%d error %d, report %s\n",
                i, a->submitted, a->to_send, a->received, a->send_count, a->receive_count, a->is_at_end,
                a->is_closed, sim.p.side[i].is_closed, sim.p.side[i].close_error,
                sim.p.side[i].report != NULL ? sim.p.side[i].report : "-");
        show(sim.p.side[i].s, &sim.p.side[i]);
    }
    exit(1);
}

static uint8_t byte_at(unsigned side, uint64_t position)
{
    uint64_t x = (position + 1) * 0x9E3779B97F4A7C15u + side * 77u;

    return (uint8_t)((x >> 32) % 255u);
}

/* --- sending --- */

static uint32_t some_size(const struct app *a)
{
    switch (below(8)) {
    case 0: return 1;
    case 1:
    case 2: return 1 + below(40);
    case 3: return 200 + below(40); /* around a message */
    case 4: return 511 + below(3);  /* around the threshold */
    case 5: return 513 + below(a->big);
    case 6: return 1 + below(2000);
    default: return 1 + below(a->big);
    }
}

static void fill(unsigned side, uint8_t *to, uint32_t bytes, bool is_urgent)
{
    struct app *a = &sim.app[side];

    for (uint32_t i = 0; i < bytes; i++)
        to[i] = byte_at(side, a->submitted + i);
    if (is_urgent) {
        to[bytes - 1] = URGENT_BYTE;
        a->urgent[a->submitted + bytes - 1] = true;
    }
}

static void set_buffers(struct pair_op *op, uint8_t *memory, uint32_t bytes)
{
    unsigned n = 1 + below(4);

    op->op.buffer_count = n;
    for (unsigned i = 0; i < n; i++) {
        uint32_t part = i + 1 == n ? bytes : below(bytes + 1);

        op->buffers[i].buf = (CHAR *)memory;
        op->buffers[i].len = part;
        memory += part;
        bytes -= part;
    }
}

/* True: something was submitted. */
static bool app_send(unsigned side)
{
    struct app *a = &sim.app[side];
    unsigned slot = (a->send_first + a->send_count) % OPS_MAX;
    struct pair_op *op = &a->sends[slot];
    uint32_t bytes = some_size(a);
    bool is_urgent = below(20) == 0;
    int error;

    if (a->lacks_memory)
        sim.p.side[side].registrations_left = (int)below(3);
    if (bytes > a->to_send - a->submitted)
        bytes = (uint32_t)(a->to_send - a->submitted);
    if (a->sends_now && !sw_session_is_writable(sim.p.side[side].s)) {
        a->may_write = false;
        sim.p.side[side].events &= ~(unsigned)FD_WRITE;
        sw_session_want_write(sim.p.side[side].s);
        pair_act(&sim.p, side);
        return true;
    }
    fill(side, a->send_memory[slot], bytes, is_urgent);
    set_buffers(op, a->send_memory[slot], bytes);
    a->submitted += bytes; /* before others send, who come in between */
    a->send_count++;
    error = pair_send(&sim.p, side, op, NULL, 0, is_urgent ? SW_OP_URGENT : 0);
    if (error != 0) {
        a->submitted -= bytes;
        a->send_count--;
        if (is_urgent)
            a->urgent[a->submitted + bytes - 1] = false;
        if (error == WSATRY_AGAIN)
            return false;
        a->sends_failed = true;
        return true;
    }
    a->urgent_sent += is_urgent;
    sim.ops++;
    return true;
}

static void reap_sends(unsigned side)
{
    struct app *a = &sim.app[side];

    while (a->send_count != 0 && a->sends[a->send_first].is_done) {
        struct pair_op *op = &a->sends[a->send_first];

        if (op->op.error == 0 && op->op.bytes != op->op.total)
            fail("a send that went well did not send all");
        if (op->op.error == WSA_OPERATION_ABORTED && op->is_cancelled) {
            if (op->op.bytes != 0)
                fail("a send that was taken back had sent something");
        } else if (op->op.error != 0)
            a->sends_failed = true;
        op->is_done = false;
        memset(a->send_memory[a->send_first], 0xEE, BYTES_MAX); /* it is the application's again */
        a->completed += op->op.bytes;
        a->send_first = (a->send_first + 1) % OPS_MAX;
        a->send_count--;
    }
}

/* --- receiving --- */

static void check_bytes(unsigned side, const uint8_t *data, uint64_t bytes)
{
    struct app *a = &sim.app[side];
    struct app *from = &sim.app[!side];

    for (uint64_t i = 0; i < bytes; i++) {
        while (from->urgent[a->received] && data[i] != URGENT_BYTE) {
            if (a->is_inline)
                fail("an urgent byte in line is missing");
            a->received++;
        }
        if (data[i] != (from->urgent[a->received] ? URGENT_BYTE : byte_at(!side, a->received)))
            fail("a byte is wrong, missing, or there twice");
        a->received++;
    }
    sim.bytes += bytes;
}

static void reap_receives(unsigned side)
{
    struct app *a = &sim.app[side];

    while (a->receive_count != 0 && a->receives[a->receive_first].is_done) {
        struct pair_op *op = &a->receives[a->receive_first];

        check_bytes(side, a->receive_memory[a->receive_first], op->op.bytes);
        if (op->op.error == WSA_OPERATION_ABORTED && op->is_cancelled)
            ; /* taken back */
        else if (op->op.error != 0)
            a->receives_failed = true;
        else if (op->op.bytes == 0)
            a->is_at_end = true;
        op->is_done = false;
        a->receive_first = (a->receive_first + 1) % OPS_MAX;
        a->receive_count--;
    }
}

static bool app_receive(unsigned side)
{
    struct app *a = &sim.app[side];
    unsigned slot = (a->receive_first + a->receive_count) % OPS_MAX;
    struct pair_op *op = &a->receives[slot];
    int error;

    set_buffers(op, a->receive_memory[slot], some_size(a));
    a->receive_count++; /* before others receive, who come in between */
    error = pair_receive(&sim.p, side, op, NULL, 0, below(8) == 0 ? SW_OP_WAIT_ALL : 0);
    if (error != 0)
        a->receive_count--;
    if (error == WSATRY_AGAIN)
        return false;
    if (error != 0)
        a->receives_failed = true;
    sim.ops++;
    return true;
}

static bool app_receive_now(unsigned side)
{
    struct app *a = &sim.app[side];
    WSABUF buffer = {some_size(a), (CHAR *)a->receive_memory[0]};
    uint8_t peeked[64];
    WSABUF look = {sizeof(peeked), (CHAR *)peeked};
    uint64_t bytes = 0;
    uint64_t seen = 0;
    int peek = below(4) == 0 ? sw_session_peek(sim.p.side[side].s, &look, 1, &seen) : -1;
    int error = sw_session_receive_now(sim.p.side[side].s, &buffer, 1, &bytes);

    if (error == WSATRY_AGAIN)
        return false;
    if (peek == 0 && error == 0 && memcmp(peeked, a->receive_memory[0], seen < bytes ? seen : bytes) != 0)
        fail("peeked other bytes than were received then");
    if (error == WSAEWOULDBLOCK)
        a->may_read = false;
    else if (error != 0)
        a->receives_failed = true;
    else if (bytes == 0)
        a->is_at_end = true;
    check_bytes(side, a->receive_memory[0], bytes);
    pair_act(&sim.p, side);
    return true;
}

static void look_at_events(unsigned side)
{
    struct app *a = &sim.app[side];
    struct pair_side *me = &sim.p.side[side];
    uint8_t byte;

    if (me->events & (FD_READ | FD_CLOSE))
        a->may_read = true;
    if (me->events & FD_WRITE)
        a->may_write = true;
    if ((me->events & FD_OOB) && below(2) == 0 && sw_session_receive_urgent(me->s, &byte) == 0) {
        if (byte != URGENT_BYTE)
            fail("the urgent byte is another one");
        a->urgent_had++;
    }
    me->events = 0;
}

/* --- what an application wants to do next; false: nothing --- */

static bool app_end(unsigned side)
{
    struct app *a = &sim.app[side];
    struct pair_side *me = &sim.p.side[side];

    bool all = a->submitted == a->to_send && (a->cancels_left == 0 || a->send_count == 0);

    if (!a->is_shut && all && sim.ending != END_EARLY_CLOSE) {
        a->is_shut = sw_session_shutdown(me->s, SD_SEND) == 0;
        pair_act(&sim.p, side);
        return a->is_shut;
    }
    bool early = sim.ending == END_EARLY_CLOSE && side == sim.round / 4 % 2 && all;
    bool over = (a->is_at_end && (a->is_shut || sim.ending == END_EARLY_CLOSE)) || a->receives_failed;
    if (a->is_closed || !(early || over))
        return false;
    sim.is_reset |= sw_session_readable(me->s) != 0 || me->s->rx.in_count != 0; /* as TCP's close is then */
    a->is_closed = sw_session_close(me->s, SW_SESSION_LINGER_FOREVER) == 0;
    pair_act(&sim.p, side);
    return a->is_closed;
}

static bool app_move(unsigned side)
{
    struct app *a = &sim.app[side];
    struct pair_side *me = &sim.p.side[side];

    if (me->must_move) {
        pair_move(&sim.p, side);
        sw_session_urgent_inline(me->s, a->is_inline);
        sim.moves++;
        a->may_read = a->may_write = true; /* a new owner looks for himself */
        return true;
    }
    if (a->moves_left == 0 || a->is_closed || below(20) != 0)
        return false;
    a->moves_left--;
    if (sw_session_suspend(me->s) != 0)
        return false;
    pair_act(&sim.p, side);
    if (below(4) == 0) {
        (void)sw_session_suspend_off(me->s);
        pair_act(&sim.p, side);
    }
    return true;
}

/* Take back the latest send (what it would have sent can be sent by another) or the latest receive. */
static bool app_cancel(unsigned side)
{
    struct app *a = &sim.app[side];
    const bool sending = below(2) == 0;
    unsigned count = sending ? a->send_count : a->receive_count;
    struct pair_op *op;

    if (a->cancels_left == 0 || count == 0 || below(10) != 0)
        return false;
    a->cancels_left--;
    op = sending ? &a->sends[(a->send_first + count - 1) % OPS_MAX]
                 : &a->receives[(a->receive_first + count - 1) % OPS_MAX];
    if (!op->is_pending || sim.p.side[side].is_closed || (sending && a->is_shut) || op->op.next != NULL)
        return false;
    op->is_cancelled = sw_session_cancel(sim.p.side[side].s, &op->op);
    sim.cancels += op->is_cancelled;
    if (op->is_cancelled && sending) {
        a->submitted -= op->op.total;
        for (uint64_t i = 0; i < op->op.total; i++)
            a->urgent[a->submitted + i] = false;
    }
    pair_act(&sim.p, side);
    return true;
}

static bool app_step(unsigned side, unsigned what)
{
    struct app *a = &sim.app[side];

    if (!sim.p.side[side].is_opened)
        return false;
    switch (what) {
    case 0:
        return !a->is_shut && !a->is_closed && !a->sends_failed && a->submitted < a->to_send &&
               a->send_count < OPS_MAX && (!a->sends_now || a->may_write) && app_send(side);
    case 1:
        if (a->is_at_end || a->is_closed || a->receives_failed)
            return false;
        if (a->receives_now)
            return a->may_read && app_receive_now(side);
        return a->receive_count < OPS_MAX && app_receive(side);
    case 2: return app_end(side);
    default: return app_cancel(side) || app_move(side);
    }
}

/* --- rounds --- */

static bool wire_step(unsigned side, unsigned what)
{
    switch (what) {
    case 0: return pair_arrive(&sim.p, side);
    case 1: return pair_report(&sim.p, side);
    default:
        return sim.p.side[side].rdma_count != 0 &&
               pair_rdma(&sim.p, side, below(sim.p.side[side].rdma_count));
    }
}

static void after(void)
{
    for (unsigned i = 0; i < 2; i++) {
        reap_sends(i);
        reap_receives(i);
        look_at_events(i);
        if (sim.p.side[i].report != NULL)
            fail("a well-behaved peer was called a breaker of rules");
    }
    sim.events++;
}

static void break_it(void)
{
    sim.is_cut = true;
    if (sim.ending == END_CUT) {
        pair_cut(&sim.p, WSAECONNRESET);
    } else {
        sim.app[0].is_closed = sw_session_close(sim.p.side[0].s, 0) == 0;
        pair_act(&sim.p, 0);
        if (!sim.app[0].is_closed) /* it is moving: then the connection goes */
            pair_cut(&sim.p, WSAECONNRESET);
    }
    after();
}

/* What other threads do while one is about to carry out an action: they tell the session and leave. */
static void between(unsigned side)
{
    static bool inside;

    if (inside || below(8) != 0)
        return;
    inside = true;
    if (sim.ending >= END_CUT && !sim.is_cut && sim.p.side[0].is_opened && below(100) == 0)
        break_it();
    switch (below(4)) {
    case 0: (void)app_step(side, 0); break;
    case 1: (void)app_step(side, 1); break;
    case 2: (void)pair_arrive(&sim.p, side); break;
    default: (void)pair_report(&sim.p, side); break;
    }
    inside = false;
}

/* One side has closed: the other learns of it once it has everything that was sent before. */
static bool closed_step(unsigned side)
{
    struct pair_side *me = &sim.p.side[side];
    struct pair_side *other = &sim.p.side[!side];

    if (!other->is_closed || me->is_closed || other->way_count != 0)
        return false;
    while (me->rdma_count != 0)
        (void)pair_rdma(&sim.p, side, 0);
    sw_session_broken(me->s, WSAECONNRESET);
    pair_act(&sim.p, side);
    return true;
}

/* Anything at all; tries everything from a random start, by weights first. */
static bool step(void)
{
    unsigned start = below(14);

    for (unsigned i = 0; i < 28; i++) {
        unsigned k = (start + i) % 14;
        unsigned side = k & 1;
        unsigned what = k >> 1;
        bool happened;

        if (i < 14 && sim.bias[what] != 0 && below(sim.bias[what]) != 0)
            continue; /* rare in this round; not refused once nothing else is left */
        happened = what < 3 ? wire_step(side, what) : app_step(side, what - 3);
        if (happened || closed_step(side)) {
            after();
            return true;
        }
    }
    return false;
}

/* Time passes only when nothing else can happen: keep-alive is answered before it counts as dead. */
static bool let_time_pass(unsigned times)
{
    bool any = false;

    for (unsigned i = 0; i < 2 && times < 6; i++)
        if (sim.p.side[i].is_armed[SW_TIMER_KEEPALIVE] && !sim.p.side[i].is_closed) {
            sim.p.side[i].is_armed[SW_TIMER_KEEPALIVE] = false;
            sw_session_timer(sim.p.side[i].s, SW_TIMER_KEEPALIVE);
            pair_act(&sim.p, i);
            any = true;
        }
    return any;
}

static void settings(struct sw_session_config *c)
{
    pair_settings(c);
    c->receives = 4 + below(10);
    c->data_buffers = 1 + below(6);
    c->message_bytes = 256 + below(200);
    c->storage_bytes = 2 * c->message_bytes + below(2000);
    c->transfers = 1 + below(4);
    c->direct_min_bytes = 1 + below(600);
    c->max_rdma_bytes = below(6) == 0 ? 0 : 300 + below(30000);
    c->first_part_bytes = below(300);
    c->has_rdma_read = below(2) != 0;
    if (below(3) == 0) {
        c->keepalive_ms = 1000;
        c->keepalive_step_ms = 100;
        c->keepalive_probes = 1 + below(3);
    }
}

static void start_round(void)
{
    struct sw_session_config c[2];

    memset(&sim.p, 0, sizeof(sim.p));
    memset(sim.app, 0, sizeof(sim.app));
    sim.p.failed = fail;
    sim.p.between = between;
    sim.ending = (enum ending)(sim.round % 4);
    sim.end_at = 20 + below(600);
    sim.is_cut = sim.is_reset = false;
    for (unsigned i = 0; i < 8; i++)
        sim.bias[i] = below(3) == 0 ? 2 + below(30) : 0;
    for (unsigned i = 0; i < 2; i++) {
        struct app *a = &sim.app[i];

        settings(&c[i]);
        for (unsigned k = 0; k < OPS_MAX; k++) {
            a->send_memory[k] = calloc(1, BYTES_MAX);
            a->receive_memory[k] = calloc(1, BYTES_MAX);
        }
        a->to_send = below(10) == 0 ? 0 : below(60000);
        a->urgent = calloc(a->to_send + 2, sizeof(*a->urgent));
        a->lacks_memory = c[i].has_rdma_read &&
                          below(5) == 0; /* else storage has to be registered, PROTOCOL.md 7 */
        a->sends_now = below(3) == 0;
        a->receives_now = below(3) == 0;
        a->is_inline = below(2) == 0;
        a->big = 100 + below(BYTES_MAX - 2000);
        a->may_write = true;
        a->moves_left = below(3) == 0 ? below(4) : 0;
        a->cancels_left = below(3) == 0 ? below(30) : 0;
    }
    pair_open(&sim.p, &c[0], &c[1]);
    for (unsigned i = 0; i < 2; i++)
        sw_session_urgent_inline(sim.p.side[i].s, sim.app[i].is_inline);
    sw_session_start(sim.p.side[1].s);
    sw_session_start(sim.p.side[0].s);
    pair_act(&sim.p, 1);
    pair_act(&sim.p, 0);
}

/* Everything that was promised for this kind of ending. */
static void check_round(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct app *a = &sim.app[i];
        struct app *from = &sim.app[!i];
        bool exact = sim.ending == END_FULL ||
                     (sim.ending == END_EARLY_CLOSE && i != sim.round / 4 % 2 && !sim.is_reset);

        while (a->received < from->to_send && from->urgent[a->received])
            a->received++;
        if (a->send_count != 0 || a->receive_count != 0)
            fail("an operation never ended");
        if (!sim.p.side[i].is_closed)
            fail("a side was never closed");
        if (sim.p.side[i].registered != 0)
            fail("memory stayed registered");
        if (exact && (a->received != from->to_send || !a->is_at_end))
            fail("not everything arrived");
        if (sim.ending == END_FULL &&
            (sim.p.side[i].close_error != 0 || a->sends_failed || a->receives_failed))
            fail("a graceful end was none");
    }
}

static void end_round(void)
{
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < OPS_MAX; k++) {
            free(sim.app[i].send_memory[k]);
            free(sim.app[i].receive_memory[k]);
        }
        free(sim.app[i].urgent);
    }
    pair_free(&sim.p);
}

static void play_round(void)
{
    uint64_t first = sim.events;
    unsigned quiet = 0;

    start_round();
    for (;;) {
        if (sim.events - first > ROUND_EVENTS)
            fail("a round without end");
        if (sim.ending >= END_CUT && !sim.is_cut && sim.events - first >= sim.end_at)
            break_it();
        if (step()) {
            quiet = 0;
            continue;
        }
        if (sim.ending >= END_CUT && !sim.is_cut) {
            break_it();
            continue;
        }
        if (!let_time_pass(quiet++))
            break;
        after();
    }
    check_round();
    if (sim.verbose)
        printf("round %u: %" PRIu64 " events\n", sim.round, sim.events - first);
    end_round();
}

int main(int argc, char **argv)
{
    uint64_t events = 1000000;
    unsigned only = 0;
    bool has_only = false;

    sim.seed = (uint64_t)time(NULL);
    for (int i = 1; i < argc; i++) {
        if (i + 1 < argc && strcmp(argv[i], "--events") == 0) {
            events = strtoull(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            sim.seed = strtoull(argv[++i], NULL, 10);
        } else if (i + 1 < argc && strcmp(argv[i], "--round") == 0) {
            only = (unsigned)strtoul(argv[++i], NULL, 10);
            has_only = true;
        } else if (strcmp(argv[i], "--verbose") == 0) {
            sim.verbose = true;
        } else {
            fprintf(stderr, "usage: session_sim [--events N] [--seed N] [--round N] [--verbose]\n");
            return 2;
        }
    }
    printf("session_sim: seed %" PRIu64 "\n", sim.seed);
    for (sim.round = only; sim.events < events; sim.round++) {
        sim.random = (sim.seed + 1) * 0x9E3779B97F4A7C15u ^ (sim.round + 1) * 0xD1342543DE82EF95u;
        play_round();
        if (has_only)
            break;
    }
    printf("%u rounds, %" PRIu64 " events, %" PRIu64 " bytes received, %" PRIu64 " moves, %" PRIu64
           " operations, %" PRIu64 " taken back\n",
           sim.round, sim.events, sim.bytes, sim.moves, sim.ops, sim.cancels);
    return 0;
}
