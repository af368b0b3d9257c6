/* bench_lat.c - latency: ping-pong with messages or writes, and single reads. The loops mirror ib_send_lat,
 * ib_write_lat and
 * ib_read_lat: take the message, post the receive again, answer. */
#include <string.h>

#include "bench_pattern.h"
#include "bench_run.h"
#include "pal/time.h"

enum { LAT_SLOTS = 16 };

uint32_t bench_piece_bytes(const struct bench_test *t)
{
    uint32_t largest = 64;

    for (unsigned i = 0; i < t->size_count; i++) {
        if (t->sizes[i] > largest)
            largest = t->sizes[i];
    }
    return (largest + 63u) & ~63u;
}

/* Without --verify slots may share memory, as all messages of perftest do (--same-memory: just so); with it
 * each needs its own. */
uint32_t bench_pieces(const struct bench_test *t, uint32_t slots)
{
    uint32_t fit = (16u << 20) / bench_piece_bytes(t);

    if (t->same_memory)
        return 1;
    if (t->verify || fit >= slots)
        return slots;
    return fit == 0 ? 1 : fit;
}

void bench_lat_config(const struct bench_test *t, struct bench_ep_config *out)
{
    memset(out, 0, sizeof *out);
    out->rx_count = LAT_SLOTS;
    out->tx_count = t->cq_mod * 2 > LAT_SLOTS ? t->cq_mod * 2 : LAT_SLOTS;
    out->piece_bytes = bench_piece_bytes(t);
    out->rx_pieces = bench_pieces(t, out->rx_count);
    out->tx_pieces = bench_pieces(t, out->tx_count);
    out->window_pieces = t->op == BENCH_SEND ? 0 : 1;
    out->inline_bytes = t->inline_bytes;
    out->cq_mod = t->cq_mod;
    out->upcall_rx = t->notify == BENCH_UPCALL && t->op == BENCH_SEND;
    out->upcall_tx = t->notify == BENCH_UPCALL && t->op == BENCH_READ;
    out->wake = (enum bench_wake)t->wake;
}

static bool check_length(struct bench_run_args *a, uint32_t bytes)
{
    return bytes == a->size ||
           bench_fail(a->ep->err, "a message of %u bytes arrived where %u were sent", bytes, a->size);
}

static bool check_message(struct bench_run_args *a, uint32_t slot, uint64_t seq)
{
    a->checked_bytes += a->size;
    return bench_pattern_check(bench_rx_piece(a->ep, slot), a->size, seq, "message", a->ep->err);
}

/* --- messages, polling ---------------------------------------------------------------------------------- */

/* The receive is posted again behind the answer (bench_post_rx() of *slot): there are more of them ahead, and nobody
 * waits for this one. */
static bool take_message(struct bench_run_args *a, uint64_t seq, uint32_t *slot)
{
    uint32_t bytes;

    if (!bench_wait_rx(a->ep, slot, &bytes) || !check_length(a, bytes))
        return false;
    return !a->test->verify || check_message(a, *slot, seq);
}

static bool put_message(struct bench_run_args *a, uint64_t seq)
{
    struct bench_ep *ep = a->ep;

    if (!bench_claim_tx(ep))
        return false;
    if (a->test->verify)
        bench_pattern_fill(bench_tx_piece(ep, ep->tx_next), a->size, seq);
    return bench_send(ep, a->size);
}

static bool send_client(struct bench_run_args *a)
{
    uint32_t slot = 0;

    for (uint32_t i = 0; i < a->count; i++) {
        a->times[i] = pal_now_ns();
        if (!put_message(a, i) || (i > 0 && !bench_post_rx(a->ep, slot)) || !take_message(a, i, &slot))
            return false;
        pal_store_relaxed(&a->ep->progress, i + 1u);
    }
    a->times[a->count] = pal_now_ns();
    return a->count == 0 || bench_post_rx(a->ep, slot);
}

static bool send_server(struct bench_run_args *a)
{
    if (!a->go(a->go_context))
        return false;
    uint32_t slot;

    for (uint32_t i = 0; i < a->count; i++) {
        if (!take_message(a, i, &slot) || !put_message(a, i) || !bench_post_rx(a->ep, slot))
            return false;
        pal_store_relaxed(&a->ep->progress, i + 1u);
    }
    return true;
}

/* --- messages and reads, upcalls ------------------------------------------------------------------------ */

struct upcall_run {
    struct bench_run_args *args;
    uint32_t step; /* messages taken, reads done */
    bool is_client;
    bool is_read;
};

static void end_upcalls(struct upcall_run *u)
{
    if (u->is_client)
        u->args->times[u->args->count] = pal_now_ns();
    bench_finish_upcalls(u->args->ep);
}

static bool upcall_begin(struct upcall_run *u)
{
    struct bench_run_args *a = u->args;

    if (u->is_client)
        a->times[u->step] = pal_now_ns();
    if (!u->is_read)
        return put_message(a, u->step);
    if (a->test->verify)
        memset(bench_tx_piece(a->ep, a->ep->tx_next), 0, a->size);
    return bench_read(a->ep, a->size, 0);
}

static bool upcall_message(struct upcall_run *u, uint32_t slot, uint32_t bytes)
{
    struct bench_run_args *a = u->args;
    uint32_t step = u->step;

    if (!check_length(a, bytes) || (a->test->verify && !check_message(a, slot, step)))
        return false;
    if (!u->is_client && !upcall_begin(u)) /* the answer, with the step of the question */
        return false;
    u->step = step + 1;
    pal_store_relaxed(&a->ep->progress, step + 1u);
    if (u->is_client && u->step < a->count && !upcall_begin(u))
        return false;
    if (!bench_post_rx(a->ep, slot)) /* behind the answer, as take_message() says */
        return false;
    if (u->step == a->count)
        end_upcalls(u);
    return true;
}

static bool check_read(struct bench_run_args *a, uint32_t slot)
{
    if (!a->test->verify)
        return true;
    a->checked_bytes += a->size;
    return bench_pattern_check(bench_tx_piece(a->ep, slot), a->size, 0, "read of pattern", a->ep->err);
}

static bool upcall_read(struct upcall_run *u, uint32_t slot)
{
    struct bench_run_args *a = u->args;

    if (!check_read(a, slot))
        return false;
    u->step++;
    pal_store_relaxed(&a->ep->progress, u->step);
    if (u->step < a->count)
        return upcall_begin(u);
    end_upcalls(u);
    return true;
}

static void lat_done(void *context, bool is_rx, uint32_t slot, uint32_t bytes)
{
    struct upcall_run *u = context;

    if (!(is_rx ? upcall_message(u, slot, bytes) : upcall_read(u, slot)))
        bench_finish_upcalls(u->args->ep);
}

static bool upcall_start_client(void *context)
{
    return upcall_begin(context);
}

static bool upcall_start_server(void *context)
{
    struct upcall_run *u = context;

    return u->args->go(u->args->go_context);
}

static bool run_upcalls(struct bench_run_args *a, bool is_client)
{
    struct upcall_run u = {a, 0, is_client, a->test->op == BENCH_READ};

    return bench_run_upcalls(a->ep, lat_done, &u, is_client ? upcall_start_client : upcall_start_server);
}

/* --- writes, both ends watching memory ------------------------------------------------------------------ */

/* Lets transports without hardware make progress. No message is expected, so none is lost. */
static bool make_progress(struct bench_ep *ep)
{
    uint32_t bytes;

    return ep->ops->poll_rx(ep, ep->rx_next, &bytes) != BENCH_FAILED;
}

/* Reading memory that a device writes is a race by design. */
PAL_RACE_BY_DESIGN static bool watch_last_byte(struct bench_run_args *a, uint8_t seq)
{
    struct bench_ep *ep = a->ep;
    const volatile uint8_t *last = ep->window + a->size - 1;

    while (*last != seq) {
        if (!bench_patient(ep) || ((ep->spins & 255u) == 0 && !make_progress(ep)))
            return false;
    }
    return true;
}

/* The last byte may be there before the others (software devices copy with memcpy): give them a second. */
static bool check_write(struct bench_run_args *a, uint8_t seq)
{
    uint64_t deadline = pal_now_ns() + 1000000000u;
    struct bench_error early;

    a->checked_bytes += a->size;
    do {
        early.text[0] = '\0';
        if (!make_progress(a->ep))
            return false;
        if (bench_pattern_check(a->ep->window, a->size - 1u, seq, "write", &early))
            return true;
    } while (pal_now_ns() < deadline);
    return bench_fail(a->ep->err, "%s", early.text);
}

static bool wait_for_write(struct bench_run_args *a, uint8_t seq)
{
    return watch_last_byte(a, seq) && (!a->test->verify || check_write(a, seq));
}

static bool put_write(struct bench_run_args *a, uint8_t seq)
{
    struct bench_ep *ep = a->ep;
    uint8_t *piece;

    if (!bench_claim_tx(ep))
        return false;
    piece = bench_tx_piece(ep, ep->tx_next);
    if (a->test->verify)
        bench_pattern_fill(piece, a->size - 1u, seq);
    piece[a->size - 1] = seq;
    return bench_write(ep, a->size, 0);
}

static bool write_client(struct bench_run_args *a)
{
    for (uint32_t i = 0; i < a->count; i++) {
        uint8_t seq = ++a->ep->write_seq;

        a->times[i] = pal_now_ns();
        if (!put_write(a, seq) || !wait_for_write(a, seq))
            return false;
        pal_store_relaxed(&a->ep->progress, i + 1u);
    }
    a->times[a->count] = pal_now_ns();
    return true;
}

/* Until the run starts the byte that is watched must not look like the first write of it. */
static void hide_old_writes(struct bench_run_args *a)
{
    a->ep->window[a->size - 1] = a->ep->write_seq;
}

static bool write_server(struct bench_run_args *a)
{
    hide_old_writes(a);
    if (!a->go(a->go_context))
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        uint8_t seq = ++a->ep->write_seq;

        if (!wait_for_write(a, seq) || !put_write(a, seq))
            return false;
        pal_store_relaxed(&a->ep->progress, i + 1u);
    }
    return true;
}

/* --- reads ---------------------------------------------------------------------------------------------- */

static bool read_client(struct bench_run_args *a)
{
    struct bench_ep *ep = a->ep;

    for (uint32_t i = 0; i < a->count; i++) {
        uint32_t slot = ep->tx_next;

        if (a->test->verify)
            memset(bench_tx_piece(ep, slot), 0, a->size);
        a->times[i] = pal_now_ns();
        if (!bench_read(ep, a->size, 0) || !bench_wait_tx(ep))
            return false;
        pal_store_relaxed(&ep->progress, i + 1u);
        if (!check_read(a, slot))
            return false;
    }
    a->times[a->count] = pal_now_ns();
    return true;
}

static bool read_server(struct bench_run_args *a)
{
    bench_pattern_fill(a->ep->window, a->size, 0);
    return a->go(a->go_context);
}

/* --- entry points --------------------------------------------------------------------------------------- */

static void prepare(struct bench_run_args *a)
{
    a->ep->rx_bytes = a->size;
    a->ep->tx_goal = a->ep->tx_begun + a->count;
}

bool bench_lat_client(struct bench_run_args *a)
{
    bool is_good;

    prepare(a);
    if (a->test->op == BENCH_WRITE)
        hide_old_writes(a);
    if (a->test->steps)
        is_good = bench_steps_client(a);
    else if (a->test->notify == BENCH_UPCALL)
        is_good = run_upcalls(a, true);
    else if (a->test->op == BENCH_SEND)
        is_good = send_client(a);
    else if (a->test->op == BENCH_WRITE)
        is_good = write_client(a);
    else
        is_good = read_client(a);
    return is_good && bench_drain(a->ep);
}

bool bench_lat_server(struct bench_run_args *a)
{
    bool is_good;

    prepare(a);
    if (a->test->steps)
        is_good = bench_steps_server(a);
    else if (a->test->op == BENCH_READ)
        is_good = read_server(a);
    else if (a->test->op == BENCH_WRITE)
        is_good = write_server(a);
    else if (a->test->notify == BENCH_UPCALL)
        is_good = run_upcalls(a, false);
    else
        is_good = send_server(a);
    return is_good && bench_drain(a->ep);
}
