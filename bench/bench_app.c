/* bench_app.c - the data path of an application's socket: WSPSend and WSPRecv, without blocking, overlapped, blocking. */
#include "bench_app.h"

#include <stdlib.h>

#include "sw/switch.h"

static struct app_ep *app_of(struct bench_ep *ep)
{
    return (struct app_ep *)(void *)ep;
}

bool app_fail_code(struct app_layer *l, const char *what, int code)
{
    return bench_fail(l->err, "%s on the socket of --layer %s failed: %s (%d)", what, l->name,
                      sw_error_name(code), code);
}

static bool is_small(uint32_t bytes)
{
    return bytes <= APP_SMALL_BYTES;
}

/* --- calls ---------------------------------------------------------------------------------------------- */

/* 0 and *done, or the code. ov NULL: as the socket is, blocking or not. */
static int call_send(struct app_ep *s, const uint8_t *from, uint32_t bytes, WSAOVERLAPPED *ov, DWORD *done)
{
    WSABUF buffer = {bytes, (CHAR *)(uintptr_t)from};
    INT code = 0;

    return s->layer->procs->lpWSPSend(s->s, &buffer, 1, done, 0, ov, NULL, NULL, &code) == SOCKET_ERROR ? code
                                                                                                        : 0;
}

static int call_recv(struct app_ep *s, uint8_t *to, uint32_t bytes, DWORD flags, WSAOVERLAPPED *ov,
                     DWORD *done)
{
    WSABUF buffer = {bytes, (CHAR *)to};
    INT code = 0;

    return s->layer->procs->lpWSPRecv(s->s, &buffer, 1, done, &flags, ov, NULL, NULL, &code) == SOCKET_ERROR
               ? code
               : 0;
}

static enum bench_step fail_step(struct app_ep *s, const char *what, int code)
{
    (void)app_fail_code(s->layer, what, code);
    return BENCH_FAILED;
}

static enum bench_step peer_closed(struct app_ep *s)
{
    (void)bench_fail(s->ep.err, "the peer closed the connection of --layer %s", s->layer->name);
    return BENCH_FAILED;
}

/* An overlapped call: over, under way, or failed. */
static enum bench_step begun(struct app_ep *s, struct app_op *op, const char *what, int code)
{
    op->is_pending = code == WSA_IO_PENDING;
    if (code == 0 || op->is_pending)
        return BENCH_FINISHED;
    return fail_step(s, what, code);
}

static enum bench_step ask(struct app_ep *s, struct app_op *op, const char *what, DWORD *bytes)
{
    DWORD flags = 0;
    INT code = 0;

    if (!op->is_pending) {
        *bytes = op->bytes;
        return BENCH_FINISHED;
    }
    if (s->layer->procs->lpWSPGetOverlappedResult(s->s, &op->ov, bytes, FALSE, &flags, &code)) {
        op->is_pending = false;
        return BENCH_FINISHED;
    }
    return code == WSA_IO_INCOMPLETE ? BENCH_PENDING : fail_step(s, what, code);
}

/* --- small messages ------------------------------------------------------------------------------------- */

/* Give the switch what it takes of the posted messages. */
static bool push(struct app_ep *s)
{
    while (s->tx_done < s->tx_posted) {
        uint32_t slot = (uint32_t)(s->tx_done % s->ep.config.tx_count);
        DWORD done = 0;
        int code = call_send(s, bench_tx_piece(&s->ep, slot) + s->tx_part, s->tx[slot].bytes - s->tx_part,
                             NULL, &done);

        if (code != 0)
            return code == WSAEWOULDBLOCK || app_fail_code(s->layer, "a send", code);
        s->tx_part += done;
        if (s->tx_part < s->tx[slot].bytes)
            continue;
        s->tx_part = 0;
        s->tx_done++;
    }
    return true;
}

/* Take what is there for the oldest receive. FINISHED: a whole message is in. */
static enum bench_step pull(struct app_ep *s, uint32_t slot)
{
    uint32_t wanted = s->ep.rx_bytes - s->rx_part;
    DWORD done = 0;
    int code;

    if (s->rx_posted == 0)
        return BENCH_PENDING;
    code = call_recv(s, bench_rx_piece(&s->ep, slot) + s->rx_part, wanted, 0, NULL, &done);
    if (code == WSAEWOULDBLOCK || code == WSAETIMEDOUT)
        return BENCH_PENDING;
    if (code != 0)
        return fail_step(s, "a receive", code);
    if (done == 0)
        return peer_closed(s);
    s->rx_part += done;
    if (done < wanted)
        return BENCH_PENDING;
    s->rx_part = 0;
    s->rx_posted--;
    return BENCH_FINISHED;
}

/* --- large messages ------------------------------------------------------------------------------------- */

/* Begin what the loop allows, but no more than messages that are sure to come: a stream does not tell where one ends. */
static bool begin_receives(struct app_ep *s)
{
    struct bench_ep *ep = &s->ep;

    while (s->rx_begun < s->rx_posted && s->rx_begun < APP_AHEAD && (s->rx_begun == 0 || ep->rx_due > 0)) {
        uint32_t slot = (ep->rx_next + s->rx_begun) % ep->config.rx_count;
        struct app_op *op = &s->rx[slot];
        DWORD done = 0;
        int code = call_recv(s, bench_rx_piece(ep, slot), ep->rx_bytes, WS_MSG_WAITALL, &op->ov, &done);

        op->bytes = done;
        if (begun(s, op, "an overlapped receive", code) == BENCH_FAILED)
            return false;
        s->rx_begun++;
        ep->rx_due -= ep->rx_due > 0;
    }
    return true;
}

static enum bench_step pull_large(struct app_ep *s, uint32_t slot)
{
    DWORD done = 0;
    enum bench_step step;

    if (!begin_receives(s))
        return BENCH_FAILED;
    if (s->rx_begun == 0)
        return BENCH_PENDING;
    step = ask(s, &s->rx[slot], "an overlapped receive", &done);
    if (step != BENCH_FINISHED)
        return step;
    s->rx_begun--;
    s->rx_posted--;
    if (done == 0)
        return peer_closed(s);
    if (done == s->ep.rx_bytes)
        return BENCH_FINISHED;
    (void)bench_fail(s->ep.err, "a receive for %u bytes with MSG_WAITALL ended with %u", s->ep.rx_bytes,
                     (unsigned)done);
    return BENCH_FAILED;
}

/* --- posting and asking --------------------------------------------------------------------------------- */

static bool app_post_recv(struct bench_ep *ep, uint32_t slot)
{
    (void)slot; /* ring order is all there is to know */
    app_of(ep)->rx_posted++;
    return true;
}

static bool send_blocking(struct app_ep *s, uint32_t slot, uint32_t bytes)
{
    uint32_t at = 0;

    while (at < bytes) {
        DWORD done = 0;
        int code = call_send(s, bench_tx_piece(&s->ep, slot) + at, bytes - at, NULL, &done);

        if (code != 0)
            return app_fail_code(s->layer, "a send", code);
        at += done;
    }
    s->tx_done = ++s->tx_posted;
    return true;
}

static bool app_post_send(struct bench_ep *ep, uint32_t slot, uint32_t bytes)
{
    struct app_ep *s = app_of(ep);
    struct app_op *op = &s->tx[slot];
    DWORD done = 0;

    op->bytes = bytes;
    if (s->blocks)
        return send_blocking(s, slot, bytes);
    if (is_small(bytes)) {
        op->ov.Offset = (DWORD)s->tx_posted++; /* the OVERLAPPED is not in use: remembers which one it is */
        op->is_pending = false;
        return push(s);
    }
    return begun(s, op, "an overlapped send",
                 call_send(s, bench_tx_piece(ep, slot), bytes, &op->ov, &done)) == BENCH_FINISHED;
}

static bool no_rdma(struct bench_ep *ep, uint32_t slot, uint32_t bytes, uint32_t remote_offset)
{
    (void)slot, (void)bytes, (void)remote_offset;
    return bench_fail(ep->err, "--layer %s has no RDMA", app_of(ep)->layer->name);
}

static enum bench_step app_poll_rx(struct bench_ep *ep, uint32_t slot, uint32_t *bytes)
{
    struct app_ep *s = app_of(ep);

    *bytes = ep->rx_bytes;
    if (s->tx_done < s->tx_posted && !push(s))
        return BENCH_FAILED;
    return is_small(ep->rx_bytes) ? pull(s, slot) : pull_large(s, slot);
}

static enum bench_step app_poll_tx(struct bench_ep *ep, uint32_t slot)
{
    struct app_ep *s = app_of(ep);
    struct app_op *op = &s->tx[slot];
    DWORD done = 0;
    enum bench_step step;

    if (!is_small(op->bytes)) {
        step = ask(s, op, "an overlapped send", &done);
        if (step == BENCH_FINISHED && done != op->bytes)
            return bench_fail(ep->err, "an overlapped send of %u bytes ended with %u", op->bytes,
                              (unsigned)done)
                       ? BENCH_FINISHED
                       : BENCH_FAILED;
        return step;
    }
    if ((int32_t)((uint32_t)s->tx_done - op->ov.Offset) > 0)
        return BENCH_FINISHED;
    if (!push(s))
        return BENCH_FAILED;
    return (int32_t)((uint32_t)s->tx_done - op->ov.Offset) > 0 ? BENCH_FINISHED : BENCH_PENDING;
}

/* --- being told ----------------------------------------------------------------------------------------- */

static void deliver_sends(struct app_ep *s)
{
    struct bench_ep *ep = &s->ep;

    while (ep->tx_ended < ep->tx_begun && ep->config.upcall_tx && pal_load_acquire(&ep->is_finished) == 0) {
        uint32_t slot = ep->tx_oldest;

        bench_tx_finished(ep);
        ep->done(ep->done_context, false, slot, 0);
    }
}

/* The thread sleeps in a blocking receive, as a program does that has nothing else to do. */
static bool app_serve_upcalls(struct bench_ep *ep)
{
    struct app_ep *s = app_of(ep);

    for (;;) {
        enum bench_step step;

        deliver_sends(s);
        if (pal_load_acquire(&ep->is_finished) != 0)
            return true;
        step = pull(s, ep->rx_next);
        if (step == BENCH_FAILED || (step == BENCH_PENDING && !bench_patience_check(ep)))
            return false;
        if (step == BENCH_FINISHED) {
            uint32_t slot = ep->rx_next;

            ep->rx_next = slot + 1 == ep->config.rx_count ? 0 : slot + 1;
            ep->done(ep->done_context, true, slot, ep->rx_bytes);
        }
    }
}

static bool app_set_peer(struct bench_ep *ep, const struct bench_window *peer)
{
    ep->peer = *peer;
    return true;
}

static bool app_reg_cycle(struct bench_ep *ep, enum bench_reg_kind kind, bool is_cold, void *memory,
                          uint32_t bytes, uint64_t *out_ns)
{
    (void)ep, (void)kind, (void)is_cold, (void)memory, (void)bytes;
    *out_ns = 0; /* applications register nothing */
    return true;
}

/* --- making --------------------------------------------------------------------------------------------- */

/* Asleep in a receive, but not for ever: the loop looks after its peer now and then. */
static int set_mode(struct app_ep *s)
{
    const WSPPROC_TABLE *procs = s->layer->procs;
    ULONG nonblocking = 1;
    INT look = APP_LOOK_MS, code = 0;
    DWORD returned = 0;

    if (s->blocks) {
        if (procs->lpWSPSetSockOpt(s->s, WS_SOL_SOCKET, WS_SO_RCVTIMEO, (const char *)&look, sizeof look,
                                   &code) == SOCKET_ERROR)
            return code;
        return 0;
    }
    if (procs->lpWSPIoctl(s->s, WS_FIONBIO, &nonblocking, sizeof nonblocking, NULL, 0, &returned, NULL, NULL,
                          NULL, &code) == SOCKET_ERROR)
        return code;
    return 0;
}

bool app_ep_create(struct app_layer *l, const struct bench_ep_config *c, SOCKET socket, struct bench_ep **out)
{
    struct app_ep *s = calloc(1, sizeof *s);
    struct app_op *tx = calloc(c->tx_count + 1u, sizeof *tx);
    struct app_op *rx = calloc(c->rx_count + 1u, sizeof *rx);
    INT code = 0;

    if (s == NULL || tx == NULL || rx == NULL) {
        (void)bench_fail(l->err, "out of memory for a connection");
    } else if (bench_ep_init(&s->ep, &app_ep_ops, c, l->err)) {
        s->layer = l;
        s->tx = tx;
        s->rx = rx;
        s->s = socket;
        s->blocks = c->upcall_rx || c->upcall_tx;
        s->rx_posted = c->rx_count;
        code = set_mode(s);
        if (code == 0) {
            *out = &s->ep;
            return true;
        }
        (void)app_fail_code(l, "setting up", code);
        bench_ep_fini(&s->ep);
    }
    free(rx);
    free(tx);
    free(s);
    (void)l->procs->lpWSPCloseSocket(socket, &code);
    return false;
}

const struct bench_ep_ops app_ep_ops = {
    app_post_recv, app_post_send,     no_rdma,      no_rdma,       app_poll_rx,
    app_poll_tx,   app_serve_upcalls, app_set_peer, app_reg_cycle, app_ep_close,
};
