/* bench_san.c - the data path of a SAN endpoint: WSPSend, WSPRecv, WSPRdmaWrite, WSPRdmaRead and their
 * completion. */
#include "bench_san.h"

#include <stdlib.h>
#include <string.h>

#include "pal/time.h"

static struct san_ep *san_of(struct bench_ep *ep)
{
    return (struct san_ep *)(void *)ep;
}

static bool fail_code(struct san_ep *s, const char *what, int code)
{
    return bench_fail(s->ep.err, "%s on the SAN socket failed: %s (%d)", what, sw_error_name(code), code);
}

static inline enum sw_completion how_tx(const struct san_ep *s)
{
    return s->ep.config.upcall_tx ? SW_NOTIFY : SW_POLL;
}

/* --- posting -------------------------------------------------------------------------------------------- */

static bool san_post_recv(struct bench_ep *ep, uint32_t slot)
{
    struct san_ep *s = san_of(ep);
    struct san_rx *rx = &s->rx[slot];
    int code = sw_recv(s->companion, &rx->buffer, 1, &rx->ov, ep->config.upcall_rx ? SW_NOTIFY : SW_POLL);

    return code == 0 || fail_code(s, "WSPRecv", code);
}

static bool san_post_send(struct bench_ep *ep, uint32_t slot, uint32_t bytes)
{
    struct san_ep *s = san_of(ep);
    struct san_tx *tx = &s->tx[slot];
    int code;

    tx->buffer.len = bytes;
    code = sw_send(s->companion, &tx->buffer, 1, &tx->ov, how_tx(s));
    return code == 0 || fail_code(s, "WSPSend", code);
}

static bool san_post_write(struct bench_ep *ep, uint32_t slot, uint32_t bytes, uint32_t remote_offset)
{
    struct san_ep *s = san_of(ep);
    struct san_tx *tx = &s->tx[slot];
    int code;

    tx->buffer_ex.len = bytes;
    code = sw_rdma_write(s->companion, &tx->buffer_ex, 1, &s->remote, remote_offset, &tx->ov, how_tx(s));
    return code == 0 || fail_code(s, "WSPRdmaWrite", code);
}

static bool san_post_read(struct bench_ep *ep, uint32_t slot, uint32_t bytes, uint32_t remote_offset)
{
    struct san_ep *s = san_of(ep);
    struct san_tx *tx = &s->tx[slot];
    int code;

    tx->buffer_ex.len = bytes;
    code = sw_rdma_read(s->companion, &tx->buffer_ex, 1, &s->remote, remote_offset, &tx->ov, how_tx(s));
    return code == 0 || fail_code(s, "WSPRdmaRead", code);
}

/* --- asking --------------------------------------------------------------------------------------------- */

static enum bench_step san_poll_rx(struct bench_ep *ep, uint32_t slot, uint32_t *bytes)
{
    struct san_ep *s = san_of(ep);
    DWORD got;
    int code;

    if (!sw_poll(s->companion, &s->rx[slot].ov, &got, &code))
        return BENCH_PENDING;
    *bytes = got;
    if (code == 0)
        return BENCH_FINISHED;
    (void)fail_code(s, "a receive", code);
    return BENCH_FAILED;
}

static enum bench_step san_poll_tx(struct bench_ep *ep, uint32_t slot)
{
    struct san_ep *s = san_of(ep);
    DWORD got;
    int code;

    if (!sw_poll(s->companion, &s->tx[slot].ov, &got, &code))
        return BENCH_PENDING;
    if (code == 0)
        return BENCH_FINISHED;
    (void)fail_code(s, "an operation", code);
    return BENCH_FAILED;
}

/* --- being told ----------------------------------------------------------------------------------------- */

static bool take_rx(struct san_ep *s, uint32_t slot)
{
    struct bench_ep *ep = &s->ep;

    if (slot != ep->rx_next)
        return bench_fail(ep->err, "receives completed out of order: slot %u where %u was next", slot,
                          ep->rx_next);
    ep->rx_next = slot + 1 == ep->config.rx_count ? 0 : slot + 1;
    return true;
}

static bool take_tx(struct san_ep *s, uint32_t slot)
{
    struct bench_ep *ep = &s->ep;

    if (slot != ep->tx_oldest)
        return bench_fail(ep->err, "operations completed out of order: slot %u where %u was next", slot,
                          ep->tx_oldest);
    bench_tx_finished(ep);
    return true;
}

/* Which slot it was follows from where its OVERLAPPED lies. */
static void dispatch(struct san_ep *s, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    const struct san_rx *rx = (const struct san_rx *)(void *)ov;
    const struct san_tx *tx = (const struct san_tx *)(void *)ov;
    bool is_rx = rx >= s->rx && rx < s->rx + s->ep.config.rx_count;
    uint32_t slot = (uint32_t)(is_rx ? rx - s->rx : tx - s->tx);

    if (pal_load_relaxed(&s->is_closing))
        return;
    if (error != 0 && pal_load_acquire(&s->ep.is_finished) != 0)
        return; /* no run: the peer left first. ep->err belongs to the other thread; a further run finds out itself */
    if (error != 0 || !(is_rx ? take_rx(s, slot) : take_tx(s, slot))) {
        (void)fail_code(s, is_rx ? "a receive" : "an operation", (int)error);
        bench_finish_upcalls(&s->ep);
        return;
    }
    (void)pal_load_acquire(
        &s->ep.is_finished); /* acquire: done and its context as bench_run_upcalls() left them */
    s->ep.done(s->ep.done_context, is_rx, slot, bytes);
}

static void on_completion(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    (void)handle;
    dispatch(context, ov, error, bytes);
}

void san_ep_notify(struct san_ep *s, struct sw_notify *out)
{
    memset(out, 0, sizeof *out);
    out->kind = s->port != NULL ? SW_NOTIFY_IOCP : SW_NOTIFY_CALLBACK;
    out->fn = on_completion;
    out->context = s;
    out->iocp = s->port;
}

static bool san_serve_upcalls(struct bench_ep *ep)
{
    struct san_ep *s = san_of(ep);
    struct sw_packet packet;

    while (pal_load_acquire(&ep->is_finished) == 0) { /* acquire: what the last done() wrote */
        bool is_quiet;

        if (s->port != NULL) {
            is_quiet = sw_iocp_get(s->port, &packet, 100) != 0;
            if (!is_quiet)
                dispatch(s, packet.ov, packet.error, packet.bytes);
        } else {
            is_quiet = !pal_event_wait(ep->finished, 100);
        }
        if (is_quiet && !bench_patience_check(ep))
            return false;
    }
    return true;
}

/* --- keys and registering ------------------------------------------------------------------------------- */

static bool san_set_peer(struct bench_ep *ep, const struct bench_window *peer)
{
    struct san_ep *s = san_of(ep);

    ep->peer = *peer;
    s->remote.length = peer->desc.bytes;
    memcpy(s->remote.bytes, peer->desc.data, peer->desc.bytes);
    return true;
}

static int cycle_local(struct san_ep *s, void *memory, uint32_t bytes)
{
    HANDLE registration;
    int code = sw_register(s->companion, memory, bytes, MEM_READWRITE, &registration);

    return code != 0 ? code : sw_deregister(s->companion, registration);
}

static int cycle_rdma(struct san_ep *s, void *memory, uint32_t bytes)
{
    struct sw_rdma_descriptor d;
    int code = sw_register_rdma(s->companion, memory, bytes, MEM_WRITE, &d);

    return code != 0 ? code : sw_deregister_rdma(s->companion, &d);
}

static bool san_reg_cycle(struct bench_ep *ep, enum bench_reg_kind kind, bool is_cold, void *memory,
                          uint32_t bytes, uint64_t *out_ns)
{
    struct san_ep *s = san_of(ep);
    INT code = 0;
    uint64_t start;

    *out_ns = 0;
    if (kind == BENCH_REG_WINDOW || (is_cold && s->companion->ext->cache_callback == NULL))
        return true;
    if (is_cold && s->companion->ext->cache_callback(memory, bytes, &code) != 0 && code != WSAEINVAL)
        return fail_code(s, "WSPMemoryRegistrationCacheCallback", code);
    start = pal_now_ns();
    code = kind == BENCH_REG_LOCAL ? cycle_local(s, memory, bytes) : cycle_rdma(s, memory, bytes);
    *out_ns = pal_now_ns() - start;
    return code == 0 ||
           fail_code(s, kind == BENCH_REG_LOCAL ? "WSP(De)RegisterMemory" : "WSP(De)RegisterRdmaMemory",
                     code);
}

/* --- making and unmaking -------------------------------------------------------------------------------- */

bool san_ep_create(struct san_layer *l, const struct bench_ep_config *c, struct san_ep **out)
{
    struct san_ep *s = calloc(1, sizeof *s);

    if (s == NULL)
        return bench_fail(l->err, "out of memory for a connection");
    if (!bench_ep_init(&s->ep, &san_ep_ops, c, l->err)) {
        free(s);
        return false;
    }
    s->layer = l;
    if (c->tx_count != 0)
        s->tx = calloc(c->tx_count, sizeof *s->tx);
    if (c->rx_count != 0)
        s->rx = calloc(c->rx_count, sizeof *s->rx);
    if (c->wake == BENCH_WAKE_PORT && (c->upcall_rx || c->upcall_tx))
        s->port = sw_iocp_create();
    if ((c->tx_count != 0 && s->tx == NULL) || (c->rx_count != 0 && s->rx == NULL) ||
        (c->wake == BENCH_WAKE_PORT && (c->upcall_rx || c->upcall_tx) && !s->port)) {
        (void)bench_fail(l->err, "out of memory for %u operations", c->tx_count + c->rx_count);
        san_ep_close(&s->ep);
        return false;
    }
    *out = s;
    return true;
}

static bool register_memory(struct san_ep *s)
{
    const struct bench_ep_config *c = &s->ep.config;
    DWORD piece = c->piece_bytes;
    int code = 0;

    if (c->rx_pieces != 0)
        code = sw_register(s->companion, s->ep.rx_memory, c->rx_pieces * piece, MEM_WRITE,
                           &s->rx_registration);
    if (code == 0 && c->tx_pieces != 0) /* also where reads arrive */
        code = sw_register(s->companion, s->ep.tx_memory, c->tx_pieces * piece, MEM_READWRITE,
                           &s->tx_registration);
    if (code == 0 && c->window_pieces != 0) {
        code = sw_register_rdma(s->companion, s->ep.window, c->window_pieces * piece, MEM_READWRITE,
                                &s->window);
        if (code == 0) {
            s->has_window = true;
            s->ep.mine.desc.bytes = (uint8_t)s->window.length;
            memcpy(s->ep.mine.desc.data, s->window.bytes, s->window.length);
        }
    }
    return code == 0 || fail_code(s, "registering the message buffers", code);
}

static void build_requests(struct san_ep *s)
{
    const struct bench_ep_config *c = &s->ep.config;

    for (uint32_t i = 0; i < c->tx_count; i++) {
        s->tx[i].buffer.buf = (CHAR *)bench_tx_piece(&s->ep, i);
        s->tx[i].buffer_ex.buf = s->tx[i].buffer.buf;
        s->tx[i].buffer_ex.handle = s->tx_registration;
    }
    for (uint32_t i = 0; i < c->rx_count; i++) {
        s->rx[i].buffer.buf = (CHAR *)bench_rx_piece(&s->ep, i);
        s->rx[i].buffer.len = c->piece_bytes;
    }
}

static int post_receives(struct sw_companion *c, void *context)
{
    struct san_ep *s = context;

    for (uint32_t i = 0; i < s->ep.config.rx_count; i++) {
        struct san_rx *rx = &s->rx[i];
        int code = sw_recv(c, &rx->buffer, 1, &rx->ov, s->ep.config.upcall_rx ? SW_NOTIFY : SW_POLL);

        if (code != 0)
            return code;
    }
    return 0;
}

bool san_ep_start(struct san_ep *s, bool is_connector, uint32_t timeout_ms)
{
    const struct bench_ep_config *c = &s->ep.config;
    struct sw_hello mine = {.receives_posted = c->rx_count, .receive_bytes = c->piece_bytes};
    struct sw_hello theirs;
    int code;

    s->companion->context = s;
    if (!register_memory(s))
        return false;
    build_requests(s);
    if (!c->says_hello && c->rx_count == 0)
        return true;
    code = sw_negotiate(s->companion, is_connector, &mine, post_receives, s, timeout_ms, &theirs);
    return code == 0 || fail_code(s, "the exchange of the first messages", code);
}

void san_ep_close(struct bench_ep *ep)
{
    struct san_ep *s = san_of(ep);

    pal_store_relaxed(&s->is_closing, true);
    if (s->companion != NULL) {
        if (s->has_window)
            (void)sw_deregister_rdma(s->companion, &s->window);
        if (s->tx_registration != NULL)
            (void)sw_deregister(s->companion, s->tx_registration);
        SOCKET handle = s->companion->handle;
        (void)sw_close(
            s->companion); /* the posted receives end; the memory behind them was theirs until now */
        /* An upcall may still be under way in another thread; closing the handle is the last one (4.13). */
        for (uint64_t give_up = pal_now_ns() + 5000000000u;
             sw_handle_is_open(handle) && pal_now_ns() < give_up;)
            pal_thread_yield();
    }
    if (s->port != NULL)
        sw_iocp_destroy(s->port);
    free(s->tx);
    free(s->rx);
    bench_ep_fini(ep);
    free(s);
}

const struct bench_ep_ops san_ep_ops = {
    san_post_recv, san_post_send,     san_post_write, san_post_read, san_poll_rx,
    san_poll_tx,   san_serve_upcalls, san_set_peer,   san_reg_cycle, san_ep_close,
};
