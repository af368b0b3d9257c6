/* bench_bw.c - throughput in one direction with a window of outstanding operations.
 * Messages: the receiver returns credits (a 4-byte message for each half of its receives), because a SAN
 *           socket may never be sent more messages than its peer has receives posted (contract 4.10). Writes
 *           and reads need nothing from the peer.
 * Verify:   messages are checked one by one; writes and reads go in laps of one window, each answered by the
 *           peer. */
#include <stdlib.h>
#include <string.h>

#include "bench_pattern.h"
#include "bench_run.h"
#include "pal/mutex.h"
#include "pal/time.h"

enum { CREDIT_SLOTS = 8, CREDIT_BYTES = 4 };

/* Slots for credits too, but memory only for as many as are outstanding: more would be more to register, and to miss in the caches,
 * than --help says. Whole rounds, so that those outstanding at once have pieces of their own. */
static uint32_t client_slots(uint32_t depth)
{
    return depth * ((CREDIT_SLOTS + depth - 1) / depth);
}

void bench_bw_config(const struct bench_test *t, bool is_client, struct bench_ep_config *out)
{
    bool is_send = t->op == BENCH_SEND;

    memset(out, 0, sizeof *out);
    out->rx_count = is_send && !is_client ? 2 * t->depth : CREDIT_SLOTS;
    out->tx_count = is_client ? client_slots(t->depth) : CREDIT_SLOTS;
    out->piece_bytes = bench_piece_bytes(t);
    out->rx_pieces = bench_pieces(t, out->rx_count);
    out->tx_pieces = bench_pieces(t, is_client ? t->depth : out->tx_count);
    out->window_pieces = is_send || is_client ? 0 : bench_pieces(t, t->depth);
    out->inline_bytes = t->inline_bytes;
    out->cq_mod = 1;
    out->upcall_rx = t->notify == BENCH_UPCALL && is_send;
    out->upcall_tx = t->notify == BENCH_UPCALL && is_client;
    out->wake = (enum bench_wake)t->wake;
}

/* One end of a run. */
struct bw_run {
    struct bench_run_args *args;
    struct bench_ep *ep;   /* args->ep, or one of args->more */
    uint32_t count;        /* messages of this connection */
    struct pal_mutex lock; /* upcalls of the two rings may come from two threads; not used when polling */
    uint32_t sent, done;
    uint32_t credited; /* messages that the receiver has made room for again */
    uint32_t window;   /* its receives */
    uint32_t every;    /* it returns credits after so many */
    uint32_t peer_pieces;
};

static bool run_init(struct bw_run *b, struct bench_run_args *a, struct bench_ep *ep, bool is_client)
{
    const struct bench_window *peer = &ep->peer;
    uint32_t receives = is_client ? peer->receives : ep->config.rx_count;

    memset(b, 0, sizeof *b);
    b->args = a;
    b->ep = ep;
    b->count = (a->count + a->more_count) / (a->more_count + 1);
    ep->rx_bytes = is_client ? CREDIT_BYTES : a->size;
    ep->rx_due = a->test->op == BENCH_SEND && !is_client ? b->count : 0;
    b->window = receives;
    b->every = receives / 2;
    b->peer_pieces = 1;
    if (b->every == 0)
        return bench_fail(a->ep->err, "the peer posted too few receives (%u)", receives);
    if (a->test->op == BENCH_SEND || !is_client)
        return true;
    if (peer->window_bytes == 0 || peer->piece_bytes < a->size)
        return bench_fail(a->ep->err, "the peer's window takes %u bytes at most, not %u", peer->piece_bytes,
                          a->size);
    b->peer_pieces = peer->window_bytes / peer->piece_bytes;
    return true;
}

/* --- the sender's half ---------------------------------------------------------------------------------- */

static inline bool may_start(const struct bw_run *b)
{
    const struct bench_run_args *a = b->args;

    return b->sent < b->count && b->sent - b->done < a->test->depth &&
           (a->test->op != BENCH_SEND || b->sent - b->credited < b->window);
}

static bool start_one(struct bw_run *b)
{
    struct bench_run_args *a = b->args;
    struct bench_ep *ep = b->ep;
    uint32_t offset = 0;
    bool is_started;

    if (a->test->op == BENCH_SEND) {
        if (a->test->verify)
            bench_pattern_fill(bench_tx_piece(ep, ep->tx_next), a->size, b->sent);
        is_started = bench_send(ep, a->size);
    } else {
        offset = b->sent % b->peer_pieces * ep->peer.piece_bytes;
        is_started = a->test->op == BENCH_WRITE ? bench_write(ep, a->size, offset)
                                                : bench_read(ep, a->size, offset);
    }
    b->sent++;
    return is_started;
}

static inline bool is_out_of_credit(const struct bw_run *b)
{
    return b->args->test->op == BENCH_SEND && b->sent - b->credited >= b->window;
}

static enum bench_step take_credit(struct bw_run *b)
{
    uint32_t slot;
    uint32_t bytes;
    enum bench_step step = bench_take_rx(b->ep, &slot, &bytes);

    if (step != BENCH_FINISHED)
        return step;
    if (bytes != CREDIT_BYTES) {
        (void)bench_fail(b->ep->err, "a credit of %u bytes arrived, must be %d", bytes, CREDIT_BYTES);
        return BENCH_FAILED;
    }
    b->credited += b->every;
    return bench_post_rx(b->ep, slot) ? BENCH_FINISHED : BENCH_FAILED;
}

static bool send_polled(struct bw_run *b)
{
    while (b->done < b->count) {
        enum bench_step step;

        if (may_start(b)) {
            if (!start_one(b))
                return false;
            continue;
        }
        step = b->sent == b->done ? BENCH_PENDING : bench_take_tx(b->ep);
        if (step == BENCH_FINISHED)
            pal_store_relaxed(&b->ep->progress, ++b->done);
        else if (step == BENCH_FAILED || !bench_patient(b->ep))
            return false;
        if (is_out_of_credit(b) && take_credit(b) == BENCH_FAILED)
            return false;
    }
    return true;
}

/* The last credits arrive behind the last completion; the rings must be aligned for the next run. */
static bool take_last_credits(struct bw_run *b)
{
    while (b->credited < b->count / b->every * b->every) {
        enum bench_step step = take_credit(b);

        if (step == BENCH_FAILED || (step == BENCH_PENDING && !bench_patient(b->ep)))
            return false;
    }
    return true;
}

/* --- the sender's half with upcalls --------------------------------------------------------------------- */

static bool start_all(struct bw_run *b)
{
    while (may_start(b)) {
        if (!start_one(b))
            return false;
    }
    return true;
}

static bool sender_step(struct bw_run *b, bool is_rx, uint32_t slot)
{
    struct bench_run_args *a = b->args;

    if (is_rx) {
        b->credited += b->every;
        if (!bench_post_rx(b->ep, slot))
            return false;
    } else {
        pal_store_relaxed(&b->ep->progress, ++b->done);
        if (b->done == b->count)
            a->elapsed_ns = pal_now_ns() - a->times[0];
    }
    if (!start_all(b))
        return false;
    if (b->done == b->count && (a->test->op != BENCH_SEND || b->credited >= b->count / b->every * b->every))
        bench_finish_upcalls(b->ep);
    return true;
}

static void sender_done(void *context, bool is_rx, uint32_t slot, uint32_t bytes)
{
    struct bw_run *b = context;

    (void)bytes;
    pal_mutex_lock(&b->lock);
    if (!sender_step(b, is_rx, slot))
        bench_finish_upcalls(b->ep);
    pal_mutex_unlock(&b->lock);
}

static bool sender_start(void *context)
{
    struct bw_run *b = context;
    bool is_good;

    pal_mutex_lock(&b->lock);
    is_good = start_all(b);
    pal_mutex_unlock(&b->lock);
    return is_good;
}

/* --- the receiver's half -------------------------------------------------------------------------------- */

static bool receive_one(struct bw_run *b, uint32_t slot, uint32_t bytes)
{
    struct bench_run_args *a = b->args;
    struct bench_ep *ep = b->ep;

    if (bytes != a->size)
        return bench_fail(ep->err, "a message of %u bytes arrived where %u were sent", bytes, a->size);
    if (a->test->verify) {
        a->checked_bytes += bytes;
        if (!bench_pattern_check(bench_rx_piece(ep, slot), bytes, b->done, "message", ep->err))
            return false;
    }
    if (!bench_post_rx(ep, slot))
        return false;
    pal_store_relaxed(&ep->progress, ++b->done);
    return b->done % b->every != 0 || (bench_claim_tx(ep) && bench_send(ep, CREDIT_BYTES));
}

static bool receive_polled(struct bw_run *b)
{
    struct bench_run_args *a = b->args;

    if (!a->go(a->go_context))
        return false;
    while (b->done < b->count) {
        uint32_t slot;
        uint32_t bytes;

        if (!bench_wait_rx(b->ep, &slot, &bytes) || !receive_one(b, slot, bytes))
            return false;
    }
    return true;
}

static void receiver_done(void *context, bool is_rx, uint32_t slot, uint32_t bytes)
{
    struct bw_run *b = context;

    (void)is_rx; /* credits are sent without upcalls */
    if (!receive_one(b, slot, bytes) || b->done == b->count)
        bench_finish_upcalls(b->ep);
}

static bool receiver_start(void *context)
{
    struct bw_run *b = context;

    return b->args->go(b->args->go_context);
}

/* --- many connections at once ----------------------------------------------------------------------------- */

/* What can be done on one of them without waiting. */
static bool send_some(struct bw_run *b, bool *has_moved)
{
    for (;;) {
        enum bench_step step;

        if (may_start(b)) {
            *has_moved = true;
            if (!start_one(b))
                return false;
            continue;
        }
        if (is_out_of_credit(b) && (step = take_credit(b)) != BENCH_PENDING) {
            if (step == BENCH_FAILED)
                return false;
            continue;
        }
        step = b->sent == b->done ? BENCH_PENDING : bench_take_tx(b->ep);
        if (step != BENCH_FINISHED)
            return step == BENCH_PENDING;
        b->done++;
        *has_moved = true;
    }
}

static bool receive_some(struct bw_run *b, bool *has_moved)
{
    while (b->done < b->count) {
        uint32_t slot;
        uint32_t bytes;
        enum bench_step step = bench_take_rx(b->ep, &slot, &bytes);

        if (step != BENCH_FINISHED)
            return step == BENCH_PENDING;
        *has_moved = true;
        if (!receive_one(b, slot, bytes))
            return false;
    }
    return true;
}

static bool drive_many(struct bw_run *all, uint32_t count, bool (*some)(struct bw_run *, bool *))
{
    uint32_t busy;

    do {
        bool has_moved = false;
        uint64_t done = 0;

        busy = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (all[i].done < all[i].count && !some(&all[i], &has_moved))
                return false;
            busy += all[i].done < all[i].count;
            done += all[i].done;
        }
        pal_store_relaxed(&all[0].ep->progress, done);
        if (!has_moved && !bench_patient(all[0].ep))
            return false;
    } while (busy > 0);
    return true;
}

static bool end_many(struct bw_run *all, uint32_t count, bool is_client)
{
    for (uint32_t i = 0; i < count; i++) {
        if (is_client && !take_last_credits(&all[i]))
            return false;
        if (!bench_drain(all[i].ep))
            return false;
    }
    return true;
}

static bool many(struct bench_run_args *a, bool is_client)
{
    uint32_t count = a->more_count + 1;
    struct bw_run *all = calloc(count, sizeof *all);
    bool is_good = true;

    if (all == NULL)
        return bench_fail(a->ep->err, "out of memory for %u connections", count);
    for (uint32_t i = 0; is_good && i < count; i++) {
        struct bench_ep *ep = i == 0 ? a->ep : a->more[i - 1];

        is_good = run_init(&all[i], a, ep, is_client);
        bench_patience_start(ep, a->control, a->test->timeout_s);
        ep->shares_cpu = true;
    }
    if (is_good && !is_client)
        is_good = a->go(a->go_context);
    if (is_good && is_client)
        a->times[0] = pal_now_ns();
    is_good = is_good && drive_many(all, count, is_client ? send_some : receive_some);
    if (is_good && is_client)
        a->elapsed_ns = pal_now_ns() - a->times[0];
    is_good = is_good && end_many(all, count, is_client);
    free(all);
    return is_good;
}

/* --- writes and reads, verified: laps ------------------------------------------------------------------- */

static uint32_t lap_length(const struct bw_run *b, uint32_t from, uint32_t pieces)
{
    uint32_t left = b->count - from;

    return left < pieces ? left : pieces;
}

static bool send_lap_message(struct bench_ep *ep)
{
    return bench_claim_tx(ep) && bench_send(ep, CREDIT_BYTES);
}

static bool wait_lap_message(struct bench_ep *ep)
{
    uint32_t slot;
    uint32_t bytes;

    return bench_wait_rx(ep, &slot, &bytes) && bench_post_rx(ep, slot);
}

/* A message behind the writes arrives after them; nothing weaker tells the peer that they are there. */
static bool lap_client(struct bw_run *b, uint32_t from, uint32_t length)
{
    struct bench_run_args *a = b->args;
    struct bench_ep *ep = b->ep;
    uint32_t first = ep->tx_next;

    for (uint32_t i = 0; i < length; i++) {
        uint8_t *piece = bench_tx_piece(ep, ep->tx_next);

        if (a->test->op == BENCH_WRITE)
            bench_pattern_fill(piece, a->size, from + i);
        else
            memset(piece, 0, a->size);
        if (!start_one(b))
            return false;
    }
    if (!bench_drain(ep))
        return false;
    for (uint32_t i = 0; i < length && a->test->op == BENCH_READ; i++) {
        a->checked_bytes += a->size;
        if (!bench_pattern_check(bench_tx_piece(ep, (first + i) % ep->config.tx_count), a->size, from + i,
                                 "read", ep->err))
            return false;
    }
    pal_store_relaxed(&ep->progress, from + length);
    return send_lap_message(ep) && bench_drain(ep) && wait_lap_message(ep);
}

static bool laps_client(struct bw_run *b)
{
    uint32_t pieces = b->peer_pieces < b->args->test->depth ? b->peer_pieces : b->args->test->depth;

    for (uint32_t from = 0; from < b->count; from += pieces) {
        b->sent = from; /* pieces divides every lap's start: offsets begin at 0 again */
        if (pieces != b->peer_pieces)
            return bench_fail(b->ep->err, "the peer's window has %u pieces, verification needs %u",
                              b->peer_pieces, pieces);
        if (!lap_client(b, from, lap_length(b, from, pieces)))
            return false;
    }
    return true;
}

static void fill_window(struct bw_run *b, uint32_t from, uint32_t pieces)
{
    struct bench_run_args *a = b->args;

    for (uint32_t i = 0; i < pieces; i++)
        bench_pattern_fill(b->ep->window + (size_t)i * b->ep->config.piece_bytes, a->size, from + i);
}

static bool check_window(struct bw_run *b, uint32_t from, uint32_t length)
{
    struct bench_run_args *a = b->args;

    for (uint32_t i = 0; i < length; i++) {
        a->checked_bytes += a->size;
        if (!bench_pattern_check(b->ep->window + (size_t)i * b->ep->config.piece_bytes, a->size, from + i,
                                 "write", a->ep->err))
            return false;
    }
    return true;
}

static bool laps_server(struct bw_run *b)
{
    struct bench_run_args *a = b->args;
    uint32_t pieces = b->ep->config.window_pieces;
    bool is_read = a->test->op == BENCH_READ;

    if (is_read)
        fill_window(b, 0, pieces);
    if (!a->go(a->go_context))
        return false;
    for (uint32_t from = 0; from < b->count; from += pieces) {
        if (!wait_lap_message(b->ep))
            return false;
        if (is_read)
            fill_window(b, from + pieces, pieces);
        else if (!check_window(b, from, lap_length(b, from, pieces)))
            return false;
        pal_store_relaxed(&b->ep->progress, from + pieces);
        if (!send_lap_message(b->ep))
            return false;
    }
    return true;
}

/* --- entry points --------------------------------------------------------------------------------------- */

static bool client_by_upcalls(struct bw_run *b)
{
    bool is_good;

    if (!pal_mutex_init(&b->lock))
        return bench_fail(b->ep->err, "out of resources for a lock");
    is_good = bench_run_upcalls(b->ep, sender_done, b, sender_start);
    /* Whoever ended the run may still be about to leave the lock. */
    pal_mutex_lock(&b->lock);
    pal_mutex_unlock(&b->lock);
    pal_mutex_fini(&b->lock);
    return is_good;
}

bool bench_bw_client(struct bench_run_args *a)
{
    struct bw_run b;
    bool is_good;

    if (a->more_count > 0)
        return many(a, true);
    if (!run_init(&b, a, a->ep, true))
        return false;
    a->times[0] = pal_now_ns();
    if (a->test->op != BENCH_SEND && a->test->verify)
        is_good = laps_client(&b);
    else if (a->test->notify == BENCH_UPCALL)
        return client_by_upcalls(&b);
    else
        is_good = send_polled(&b);
    a->elapsed_ns = pal_now_ns() - a->times[0];
    return is_good && (a->test->op != BENCH_SEND || take_last_credits(&b)) && bench_drain(a->ep);
}

bool bench_bw_server(struct bench_run_args *a)
{
    struct bw_run b;
    bool is_good;

    if (a->more_count > 0)
        return many(a, false);
    if (!run_init(&b, a, a->ep, false))
        return false;
    if (a->test->op != BENCH_SEND)
        is_good = a->test->verify ? laps_server(&b) : a->go(a->go_context);
    else if (a->test->notify == BENCH_UPCALL)
        is_good = bench_run_upcalls(a->ep, receiver_done, &b, receiver_start);
    else
        is_good = receive_polled(&b);
    return is_good && bench_drain(a->ep);
}
