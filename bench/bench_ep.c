/* bench_ep.c - what all endpoints share: memory, patience, draining, the frame around upcalls. */
#include "bench_ep.h"

#include <string.h>

#include "pal/memory.h"
#include "pal/time.h"
#include "sw/switch.h"

const struct bench_layer_ops *bench_layer_of(unsigned kind)
{
    static const struct bench_layer_ops *const layers[BENCH_LAYERS] = {
        &bench_raw_layer, &bench_san_layer,    &bench_tcp_layer,     &bench_unix_layer,
        &bench_app_layer, &bench_apptcp_layer, &bench_winsock_layer, &bench_winsocktcp_layer};

    return layers[kind];
}

static size_t memory_bytes(uint32_t pieces, uint32_t piece_bytes)
{
    return (size_t)pieces * piece_bytes;
}

/* Pages that exist already when the clock runs. */
static uint8_t *touched_pages(size_t bytes)
{
    uint8_t *memory = bytes == 0 ? NULL : pal_pages_alloc(bytes);

    if (memory != NULL)
        memset(memory, 0x5a, bytes);
    return memory;
}

bool bench_ep_init(struct bench_ep *ep, const struct bench_ep_ops *ops, const struct bench_ep_config *c,
                   struct bench_error *err)
{
    size_t rx = memory_bytes(c->rx_pieces, c->piece_bytes);
    size_t tx = memory_bytes(c->tx_pieces, c->piece_bytes);
    size_t window = memory_bytes(c->window_pieces, c->piece_bytes);

    memset(ep, 0, sizeof *ep);
    ep->ops = ops;
    ep->config = *c;
    ep->err = err;
    ep->mine.receives = c->rx_count;
    ep->mine.window_bytes = (uint32_t)window;
    ep->mine.piece_bytes = c->piece_bytes;
    ep->rx_memory = touched_pages(rx);
    ep->tx_memory = touched_pages(tx);
    ep->window = touched_pages(window);
    if (c->upcall_rx || c->upcall_tx)
        ep->finished = pal_event_create(true, false);
    if ((rx != 0 && ep->rx_memory == NULL) || (tx != 0 && ep->tx_memory == NULL) ||
        (window != 0 && ep->window == NULL) || ((c->upcall_rx || c->upcall_tx) && ep->finished == NULL)) {
        bench_ep_fini(ep);
        return bench_fail(err,
                          "out of memory for %zu bytes of message buffers: lower --depth or the largest size",
                          rx + tx + window);
    }
    return true;
}

void bench_pages_free(void *pages, size_t bytes)
{
    if (pages == NULL)
        return;
    (void)sw_memory_going(pages, bytes);
    pal_pages_free(pages, bytes);
}

void bench_ep_fini(struct bench_ep *ep)
{
    const struct bench_ep_config *c = &ep->config;

    bench_pages_free(ep->rx_memory, memory_bytes(c->rx_pieces, c->piece_bytes));
    bench_pages_free(ep->tx_memory, memory_bytes(c->tx_pieces, c->piece_bytes));
    bench_pages_free(ep->window, memory_bytes(c->window_pieces, c->piece_bytes));
    if (ep->finished != NULL)
        pal_event_destroy(ep->finished);
    ep->rx_memory = ep->tx_memory = ep->window = NULL;
    ep->finished = NULL;
}

/* --- waiting -------------------------------------------------------------------------------------------- */

void bench_patience_start(struct bench_ep *ep, struct bench_control *control, uint32_t timeout_s)
{
    uint64_t now = pal_now_ns();

    ep->control = control;
    ep->timeout_ns = (uint64_t)timeout_s * 1000000000u;
    ep->give_up_ns = now + ep->timeout_ns;
    ep->look_ns = now + 250000000u;
    ep->seen_progress = 0;
    ep->spins = 0;
    pal_store_relaxed(&ep->progress, 0);
}

bool bench_patience_check(struct bench_ep *ep)
{
    uint64_t now = pal_now_ns();
    uint64_t progress = pal_load_relaxed(&ep->progress);

    if (progress != ep->seen_progress) {
        ep->seen_progress = progress;
        ep->give_up_ns = now + ep->timeout_ns;
    }
    if (now >= ep->give_up_ns)
        return bench_fail(
            ep->err,
            "nothing completed for %u s, after %llu messages of this run: the peer or the device hangs",
            (unsigned)(ep->timeout_ns / 1000000000u), (unsigned long long)progress);
    if (ep->control == NULL || now < ep->look_ns)
        return true;
    ep->look_ns = now + 250000000u;
    return bench_control_alive(ep->control);
}

bool bench_drain(struct bench_ep *ep)
{
    while (ep->tx_ended != ep->tx_begun) {
        if (!bench_wait_tx(ep))
            return false;
    }
    return true;
}

void bench_finish_upcalls(struct bench_ep *ep)
{
    pal_store_release(&ep->is_finished, 1); /* release: what done() wrote is seen by whoever sees the end */
    pal_event_set(ep->finished);
}

bool bench_run_upcalls(struct bench_ep *ep, bench_done_fn done, void *context, bool (*start)(void *context))
{
    ep->done = done;
    ep->done_context = context;
    pal_event_reset(ep->finished);
    pal_store_release(&ep->is_finished,
                      0); /* release: publishes done and its context to the layer's thread */
    if (start != NULL && !start(context))
        return false;
    return ep->ops->serve_upcalls(ep) && ep->err->text[0] == '\0';
}
