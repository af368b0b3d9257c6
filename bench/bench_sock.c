/* bench_sock.c - the data path of a socket endpoint: sending, receiving, sleeping until there is something. */
#include "bench_sock.h"

#include <stdlib.h>
#include <string.h>

static struct sock_ep *sock_of(struct bench_ep *ep)
{
    return (struct sock_ep *)(void *)ep;
}

static bool fail_errno(struct sock_ep *s, const char *what)
{
    return bench_fail(s->ep.err, "%s on the %s socket failed: %s", what, s->layer->name,
                      bench_net_error_text(bench_net_error()));
}

/* --- moving bytes --------------------------------------------------------------------------------------- */

/* Give the kernel what it takes of the posted messages. */
static bool push(struct sock_ep *s)
{
    while (s->tx_done < s->tx_posted) {
        uint32_t slot = (uint32_t)(s->tx_done % s->ep.config.tx_count);
        const uint8_t *from = bench_tx_piece(&s->ep, slot) + s->tx_part;
        long long n = bench_net_send(s->fd, from, s->tx[slot].bytes - s->tx_part);

        if (n < 0)
            return n == BENCH_NET_LATER || fail_errno(s, "a send");
        s->tx_part += (uint32_t)n;
        if (s->tx_part < s->tx[slot].bytes)
            continue;
        s->tx_part = 0;
        s->tx_done++;
    }
    return true;
}

/* Take what is there for the oldest receive. FINISHED: a whole message is in. sleeps: SOCK_LOOK_MS at
 * most. */
static enum bench_step pull(struct sock_ep *s, uint32_t slot, bool sleeps)
{
    uint32_t wanted = s->ep.rx_bytes - s->rx_part;
    uint8_t *to = bench_rx_piece(&s->ep, slot) + s->rx_part;
    long long n;

    if (s->rx_posted == 0)
        return BENCH_PENDING;
    n = sleeps ? bench_net_sleeper_recv(&s->sleeper, to, wanted) : bench_net_recv(s->fd, to, wanted);
    if (n == 0) {
        (void)bench_fail(s->ep.err, "the peer closed the %s connection", s->layer->name);
        return BENCH_FAILED;
    }
    if (n < 0) {
        if (n == BENCH_NET_LATER)
            return BENCH_PENDING;
        (void)fail_errno(s, "a receive");
        return BENCH_FAILED;
    }
    s->rx_part += (uint32_t)n;
    if ((uint32_t)n < wanted)
        return BENCH_PENDING;
    s->rx_part = 0;
    s->rx_posted--;
    return BENCH_FINISHED;
}

/* --- posting and asking --------------------------------------------------------------------------------- */

static bool sock_post_recv(struct bench_ep *ep, uint32_t slot)
{
    (void)slot; /* ring order is all there is to know */
    sock_of(ep)->rx_posted++;
    return true;
}

static bool sock_post_send(struct bench_ep *ep, uint32_t slot, uint32_t bytes)
{
    struct sock_ep *s = sock_of(ep);

    s->tx[slot] = (struct sock_tx){s->tx_posted++, bytes};
    return push(s);
}

static bool no_rdma(struct bench_ep *ep, uint32_t slot, uint32_t bytes, uint32_t remote_offset)
{
    (void)slot, (void)bytes, (void)remote_offset;
    return bench_fail(ep->err, "--layer %s has no RDMA", sock_of(ep)->layer->name);
}

/* Also moves what a full socket buffer left behind: in a ping-pong of large messages nobody else does. */
static enum bench_step sock_poll_rx(struct bench_ep *ep, uint32_t slot, uint32_t *bytes)
{
    struct sock_ep *s = sock_of(ep);

    if (s->tx_done < s->tx_posted && !push(s))
        return BENCH_FAILED;
    *bytes = ep->rx_bytes;
    return pull(s, slot, false);
}

static enum bench_step sock_poll_tx(struct bench_ep *ep, uint32_t slot)
{
    struct sock_ep *s = sock_of(ep);

    if (s->tx[slot].seq < s->tx_done)
        return BENCH_FINISHED;
    if (!push(s))
        return BENCH_FAILED;
    return s->tx[slot].seq < s->tx_done ? BENCH_FINISHED : BENCH_PENDING;
}

/* --- being told ----------------------------------------------------------------------------------------- */

static void deliver_sends(struct sock_ep *s)
{
    struct bench_ep *ep = &s->ep;

    while (ep->config.upcall_tx && ep->tx_ended < s->tx_done) {
        uint32_t slot = ep->tx_oldest;

        bench_tx_finished(ep);
        ep->done(ep->done_context, false, slot, 0);
    }
}

static void deliver_receive(struct sock_ep *s)
{
    struct bench_ep *ep = &s->ep;
    uint32_t slot = ep->rx_next;

    ep->rx_next = slot + 1 == ep->config.rx_count ? 0 : slot + 1;
    ep->done(ep->done_context, true, slot, ep->rx_bytes);
}

/* Wait for room to send and for something to receive. */
static enum bench_step wait_both_ways(struct sock_ep *s)
{
    struct pollfd waiting = {.fd = s->fd, .events = POLLIN | POLLOUT};

    if (bench_net_poll(&waiting, 1, SOCK_LOOK_MS) <= 0 || !(waiting.revents & ~POLLOUT))
        return BENCH_PENDING;
    return pull(s, s->ep.rx_next, false);
}

/* The thread sleeps in a receive as a blocking program does; only while something waits for room in the socket buffer
 * does it sleep in poll(). Sends begin in done() or before this, so none begins while a receive is under way that may
 * outlast its call (see bench_net.h). */
static bool sock_serve_upcalls(struct bench_ep *ep)
{
    struct sock_ep *s = sock_of(ep);

    for (;;) {
        enum bench_step step;

        if (!push(s))
            return false;
        deliver_sends(s);
        if (pal_load_acquire(&ep->is_finished) != 0)
            return true;
        step = s->tx_done < s->tx_posted ? wait_both_ways(s) : pull(s, ep->rx_next, true);
        if (step == BENCH_FAILED || (step == BENCH_PENDING && !bench_patience_check(ep)))
            return false;
        if (step == BENCH_FINISHED)
            deliver_receive(s);
    }
}

static bool sock_set_peer(struct bench_ep *ep, const struct bench_window *peer)
{
    ep->peer = *peer;
    return true;
}

static bool sock_reg_cycle(struct bench_ep *ep, enum bench_reg_kind kind, bool is_cold, void *memory,
                           uint32_t bytes, uint64_t *out_ns)
{
    (void)ep, (void)kind, (void)is_cold, (void)memory, (void)bytes;
    *out_ns = 0; /* nothing is registered */
    return true;
}

/* --- making --------------------------------------------------------------------------------------------- */

bool sock_ep_create(struct sock_layer *l, const struct bench_ep_config *c, pal_socket fd,
                    struct bench_ep **out)
{
    struct sock_ep *s = calloc(1, sizeof *s);
    struct sock_tx *tx = calloc(c->tx_count + 1u, sizeof *tx);

    if (s == NULL || tx == NULL)
        (void)bench_fail(l->err, "out of memory for a connection");
    else if (bench_ep_init(&s->ep, &sock_ep_ops, c, l->err)) {
        s->layer = l;
        s->tx = tx;
        s->fd = fd;
        bench_net_sleeper_init(&s->sleeper, fd, SOCK_LOOK_MS);
        s->rx_posted = c->rx_count;
        *out = &s->ep;
        return true;
    }
    free(tx);
    free(s);
    bench_net_close(fd);
    return false;
}

const struct bench_ep_ops sock_ep_ops = {
    sock_post_recv, sock_post_send,     no_rdma,       no_rdma,        sock_poll_rx,
    sock_poll_tx,   sock_serve_upcalls, sock_set_peer, sock_reg_cycle, sock_ep_close,
};
