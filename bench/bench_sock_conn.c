/* bench_sock_conn.c - the socket layers: listen, connect, accept, and end connections, over TCP or Unix sockets.
 * Unix:  an abstract name made of the user and a number; the number travels as the port of 127.0.0.1. Both ends see
 *        to it that the other belongs to the same user, because anyone may take such a name. */
#include "bench_sock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pal/memory.h"
#include "pal/time.h"

struct bench_layer {
    struct sock_layer sock;
};

enum { NAME_TRIES = 64, BACKLOG = 128, OPEN_MAX_SERVED = 64, CLOSE_WAIT_MS = 2000, ACCEPT_LOOK_MS = 200 };

static bool fail_errno(struct sock_layer *l, const char *what, const struct vb_addr *on)
{
    char text[VB_ADDR_TEXT_BYTES];
    int code = bench_net_error();

    return bench_fail(l->err, "%s %s over %s failed: %s%s", what, vb_addr_text(on, text), l->name,
                      bench_net_error_text(code),
                      l->is_unix ? " (Unix sockets connect processes of one machine)" : "");
}

/* --- addresses ------------------------------------------------------------------------------------------ */

static socklen_t to_system(const struct sock_layer *l, const struct vb_addr *a, struct sockaddr_storage *out)
{
    return l->is_unix ? bench_net_unix_name(a->port, out) : bench_net_to_system(a, out);
}

/* The address from which the system reaches remote: it says so of a datagram socket, without sending anything. */
static bool route(const struct sock_layer *l, const struct vb_addr *remote, struct vb_addr *out)
{
    struct sockaddr_storage to;
    socklen_t bytes = to_system(l, remote, &to);
    pal_socket fd = bench_net_make(to.ss_family, SOCK_DGRAM);
    bool is_good = fd != PAL_SOCKET_NONE && connect(fd, (struct sockaddr *)&to, bytes) == 0 &&
                   bench_net_own_address(fd, out);

    if (fd != PAL_SOCKET_NONE)
        bench_net_close(fd);
    return is_good;
}

/* Server without --addr: where the client's control connection reached it; a forked one is on this machine. */
static bool choose_address(struct sock_layer *l, const struct bench_layer_config *c)
{
    static const struct vb_addr here = {.family = VB_AF_IPV4, .ip = {127, 0, 0, 1}};

    l->local = here;
    if (l->is_unix)
        return true;
    if (c->options->addr[0] != '\0') {
        if (!vb_addr_parse(c->options->addr, &l->local))
            return bench_fail(l->err, "--addr %s is no IP address", c->options->addr);
    } else if (c->remote != NULL) {
        if (!route(l, c->remote, &l->local))
            return fail_errno(l, "finding the way to", c->remote);
    } else if (!bench_net_own_address(c->control->fd, &l->local)) {
        l->local = here;
    }
    l->local.port = 0;
    return true;
}

/* --- opening -------------------------------------------------------------------------------------------- */

static void sock_close(struct bench_layer *layer)
{
    if (layer->sock.listener != PAL_SOCKET_NONE)
        bench_net_close(layer->sock.listener);
    free(layer);
}

static bool sock_open(const struct bench_layer_config *c, bool is_unix, struct bench_layer **out)
{
    struct bench_layer *layer = calloc(1, sizeof *layer);
    struct sock_layer *l;

    if (layer == NULL)
        return bench_fail(c->control->err, "out of memory");
    l = &layer->sock;
    l->control = c->control;
    l->err = c->control->err;
    l->is_unix = is_unix;
    l->name = bench_layer_name(is_unix ? BENCH_UNIX : BENCH_TCP);
    l->listener = PAL_SOCKET_NONE;
    if ((is_unix && !bench_net_unix_exists(l->err)) || !choose_address(l, c)) {
        sock_close(layer);
        return false;
    }
    memcpy(l->device.device, is_unix ? "unix" : "inet", 5);
    memcpy(l->device.transport, is_unix ? "stream" : "TCP", is_unix ? 7 : 4);
    (void)vb_addr_text(&l->local, l->device.address);
    if (!is_unix)
        bench_net_interface(&l->local, l->device.device, sizeof l->device.device, &l->device.mtu_bytes);
    *out = layer;
    return true;
}

static bool tcp_open(const struct bench_layer_config *c, struct bench_layer **out)
{
    return sock_open(c, false, out);
}

static bool unix_open(const struct bench_layer_config *c, struct bench_layer **out)
{
    return sock_open(c, true, out);
}

static void sock_describe(struct bench_layer *layer, struct bench_device *out)
{
    *out = layer->sock.device;
}

/* --- connections ---------------------------------------------------------------------------------------- */

static pal_socket make_socket(const struct sock_layer *l)
{
    int family = l->is_unix ? AF_UNIX : l->local.family == VB_AF_IPV6 ? AF_INET6 : AF_INET;

    return bench_net_make(family, SOCK_STREAM);
}

/* The peer of a Unix socket runs as the same user; of TCP nothing is promised (see --help). */
static bool check_peer(struct sock_layer *l, pal_socket fd)
{
    if (!l->is_unix || bench_net_unix_same_user(fd))
        return true;
    return bench_fail(l->err, "the process at the other end of the Unix socket belongs to another user");
}

static bool set_options(struct sock_layer *l, pal_socket fd)
{
    if (!l->is_unix && !bench_net_set(fd, IPPROTO_TCP, TCP_NODELAY, 1))
        return bench_fail(l->err, "setting options of a %s socket failed: %s", l->name,
                          bench_net_error_text(bench_net_error()));
    return check_peer(l, fd);
}

static bool sock_connect(struct bench_layer *layer, const struct bench_ep_config *c,
                         const struct vb_addr *remote, uint32_t timeout_ms, struct bench_ep **out)
{
    struct sock_layer *l = &layer->sock;
    struct sockaddr_storage to, from;
    socklen_t to_bytes = to_system(l, remote, &to);
    socklen_t from_bytes = to_system(l, &l->local, &from);
    pal_socket fd = make_socket(l);
    bool is_bound = fd != PAL_SOCKET_NONE &&
                    (l->is_unix || bench_net_bind_address(fd, (const struct sockaddr *)&from, from_bytes));

    if (!is_bound || !bench_net_connect(fd, (const struct sockaddr *)&to, to_bytes, timeout_ms)) {
        (void)fail_errno(l, "connecting to", remote);
        if (fd != PAL_SOCKET_NONE)
            bench_net_close(fd);
        return false;
    }
    if (!set_options(l, fd)) {
        bench_net_close(fd);
        return false;
    }
    return sock_ep_create(l, c, fd, out);
}

/* Abstract names that are taken are passed over. */
static bool bind_unix(pal_socket fd, struct vb_addr *out)
{
    for (unsigned i = 0; i < NAME_TRIES; i++) {
        struct sockaddr_storage a;
        socklen_t bytes;
        uint16_t number;

        if (!pal_random(&number, sizeof number))
            return false;
        out->port = number | 1u; /* not 0 */
        bytes = bench_net_unix_name(out->port, &a);
        if (bind(fd, (struct sockaddr *)&a, bytes) == 0)
            return true;
        if (bench_net_error() != BENCH_NET_E_INUSE)
            return false;
    }
    return false;
}

static bool sock_listen(struct bench_layer *layer, struct vb_addr *out)
{
    struct sock_layer *l = &layer->sock;
    struct sockaddr_storage a;
    socklen_t bytes = to_system(l, &l->local, &a);
    bool is_bound;

    *out = l->local;
    l->listener = make_socket(l);
    if (l->listener == PAL_SOCKET_NONE)
        return fail_errno(l, "listening on", &l->local);
    is_bound = l->is_unix ? bind_unix(l->listener, out)
                          : bind(l->listener, (struct sockaddr *)&a, bytes) == 0;
    if (!is_bound || listen(l->listener, BACKLOG) != 0 ||
        (!l->is_unix && !bench_net_own_address(l->listener, out)))
        return fail_errno(l, "listening on", &l->local);
    return true;
}

static bool sock_accept(struct bench_layer *layer, const struct bench_ep_config *c, uint32_t timeout_ms,
                        struct bench_ep **out)
{
    struct sock_layer *l = &layer->sock;
    uint64_t deadline = pal_now_ns() + (uint64_t)timeout_ms * 1000000;
    struct pollfd waiting = {.fd = l->listener, .events = POLLIN};
    pal_socket fd;

    while (bench_net_poll(&waiting, 1, ACCEPT_LOOK_MS) <= 0) {
        if (pal_now_ns() >= deadline)
            return bench_fail(l->err, "no %s connection arrived within %u s", l->name, timeout_ms / 1000);
        if (!bench_control_alive(l->control))
            return false;
    }
    fd = bench_net_accept(l->listener, NULL, NULL);
    if (fd == PAL_SOCKET_NONE)
        return fail_errno(l, "accepting on", &l->local);
    if (!set_options(l, fd)) {
        bench_net_close(fd);
        return false;
    }
    return sock_ep_create(l, c, fd, out);
}

/* Until the peer closed too, so that what `connect` times has an accept and both closes in it. Bounded, should the
 * peer hang. */
static void say_goodbye(struct sock_ep *s)
{
    uint64_t deadline = pal_now_ns() + CLOSE_WAIT_MS * 1000000ull;
    uint8_t rest;
    long long n;

    if (!bench_net_finish(s->fd))
        return;
    do
        n = bench_net_sleeper_recv(&s->sleeper, &rest, 1);
    while ((n > 0 || n == BENCH_NET_LATER) && pal_now_ns() < deadline);
}

void sock_ep_close(struct bench_ep *ep)
{
    struct sock_ep *s = (struct sock_ep *)(void *)ep;

    if (ep->config.rx_count == 0)
        say_goodbye(s);
    bench_net_sleeper_fini(&s->sleeper);
    bench_net_close(s->fd);
    free(s->tx);
    bench_ep_fini(ep);
    free(s);
}

/* --- the server of `connect` ---------------------------------------------------------------------------- */

/* Connections that say nothing are open until the peer closes them. */
static unsigned drop_ended(struct pollfd *open, unsigned count)
{
    for (unsigned i = 0; i < count;) {
        if (open[i].revents == 0) {
            i++;
            continue;
        }
        bench_net_close(open[i].fd);
        open[i] = open[--count];
    }
    return count;
}

static bool sock_serve_connects(struct bench_layer *layer, struct bench_control *control)
{
    struct sock_layer *l = &layer->sock;
    struct pollfd waits[2 + OPEN_MAX_SERVED] = {{.fd = l->listener, .events = POLLIN},
                                                {.fd = control->fd, .events = POLLIN}};
    unsigned open = 0;
    bool is_good = true;

    while (is_good) {
        bool is_full = open ==
                       OPEN_MAX_SERVED; /* the client makes one at a time: full means it forgot some */

        waits[0].revents = 0;
        if (bench_net_poll(waits + is_full, 2 + open - is_full, 1000) < 0)
            is_good = fail_errno(l, "waiting on", &l->local);
        if (!is_good || waits[1].revents != 0)
            break;
        open = drop_ended(waits + 2, open);
        if (waits[0].revents != 0) {
            pal_socket fd = bench_net_accept(l->listener, NULL, NULL);

            if (fd != PAL_SOCKET_NONE)
                waits[2 + open++] = (struct pollfd){.fd = fd, .events = POLLIN};
            else if (bench_net_error() != BENCH_NET_E_ABORTED)
                is_good = fail_errno(l, "accepting on", &l->local);
        }
    }
    for (unsigned i = 0; i < open; i++)
        bench_net_close(waits[2 + i].fd);
    return is_good;
}

const struct bench_layer_ops bench_tcp_layer = {
    "tcp", tcp_open, sock_close, sock_describe, sock_listen, sock_accept, sock_connect, sock_serve_connects,
};

const struct bench_layer_ops bench_unix_layer = {
    "unix", unix_open, sock_close, sock_describe, sock_listen, sock_accept, sock_connect, sock_serve_connects,
};
