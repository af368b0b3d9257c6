/* bench_sock_conn.c - the socket layers: listen, connect, accept, and end connections, over TCP or Unix sockets.
 * Unix:  an abstract name made of the user and a number; the number travels as the port of 127.0.0.1. Both ends see
 *        to it that the other belongs to the same user, because anyone may take such a name. */
#include "bench_sock.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "pal/memory.h"
#include "pal/time.h"

struct bench_layer {
    struct sock_layer sock;
};

enum { NAME_TRIES = 64, BACKLOG = 128, OPEN_MAX_SERVED = 64, CLOSE_WAIT_MS = 2000, ACCEPT_LOOK_MS = 200 };

static bool fail_errno(struct sock_layer *l, const char *what, const struct vb_addr *on)
{
    char text[VB_ADDR_TEXT_BYTES];
    int code = errno;

    return bench_fail(l->err, "%s %s over %s failed: %s%s", what, vb_addr_text(on, text), l->name,
                      strerror(code), l->is_unix ? " (Unix sockets connect processes of one machine)" : "");
}

/* --- addresses ------------------------------------------------------------------------------------------ */

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
    struct sockaddr_storage room;
};

static socklen_t unix_name(uint16_t number, union any_address *out)
{
    int n;

    memset(out, 0, sizeof *out);
    out->un.sun_family = AF_UNIX;
    n = snprintf(out->un.sun_path + 1, sizeof out->un.sun_path - 1, "openwsd-bench-%lu-%u",
                 (unsigned long)geteuid(), number);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static socklen_t to_system(const struct sock_layer *l, const struct vb_addr *a, union any_address *out)
{
    if (l->is_unix)
        return unix_name(a->port, out);
    memset(out, 0, sizeof *out);
    if (a->family == VB_AF_IPV6) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(a->port);
        out->v6.sin6_scope_id = a->scope;
        memcpy(&out->v6.sin6_addr, a->ip, sizeof out->v6.sin6_addr);
        return sizeof out->v6;
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(a->port);
    memcpy(&out->v4.sin_addr, a->ip, sizeof out->v4.sin_addr);
    return sizeof out->v4;
}

/* False: neither IPv4 nor IPv6. */
static bool from_system(const union any_address *a, struct vb_addr *out)
{
    memset(out, 0, sizeof *out);
    if (a->any.sa_family == AF_INET) {
        out->family = VB_AF_IPV4;
        out->port = ntohs(a->v4.sin_port);
        memcpy(out->ip, &a->v4.sin_addr, sizeof a->v4.sin_addr);
        return true;
    }
    if (a->any.sa_family != AF_INET6)
        return false;
    out->port = ntohs(a->v6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) {
        out->family = VB_AF_IPV4;
        memcpy(out->ip, (const uint8_t *)&a->v6.sin6_addr + 12, 4);
        return true;
    }
    out->family = VB_AF_IPV6;
    out->scope = a->v6.sin6_scope_id;
    memcpy(out->ip, &a->v6.sin6_addr, sizeof a->v6.sin6_addr);
    return true;
}

static bool own_address(int fd, struct vb_addr *out)
{
    union any_address mine;
    socklen_t bytes = sizeof mine;

    memset(&mine, 0, sizeof mine);
    return getsockname(fd, &mine.any, &bytes) == 0 && from_system(&mine, out);
}

/* The address from which the system reaches remote: it says so of a datagram socket, without sending anything. */
static bool route(const struct sock_layer *l, const struct vb_addr *remote, struct vb_addr *out)
{
    union any_address to;
    socklen_t bytes = to_system(l, remote, &to);
    int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_good = fd >= 0 && connect(fd, &to.any, bytes) == 0 && own_address(fd, out);

    if (fd >= 0)
        (void)close(fd);
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
    } else if (!own_address(c->control->fd, &l->local)) {
        l->local = here;
    }
    l->local.port = 0;
    return true;
}

/* Interface and MTU, for the report. */
static void look_at_interface(struct sock_layer *l)
{
    struct ifaddrs *all = NULL;
    struct vb_addr addr;
    struct ifreq query;
    int fd;

    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        union any_address a;

        if (i->ifa_addr == NULL || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
            continue;
        memset(&a, 0, sizeof a);
        memcpy(&a, i->ifa_addr, i->ifa_addr->sa_family == AF_INET ? sizeof a.v4 : sizeof a.v6);
        if (!from_system(&a, &addr) || !vb_addr_same_ip(&addr, &l->local))
            continue;
        (void)snprintf(l->device.device, sizeof l->device.device, "%s", i->ifa_name);
        memset(&query, 0, sizeof query);
        (void)snprintf(query.ifr_name, sizeof query.ifr_name, "%s", i->ifa_name);
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && ioctl(fd, SIOCGIFMTU, &query) == 0)
            l->device.mtu_bytes = (uint32_t)query.ifr_mtu;
        if (fd >= 0)
            (void)close(fd);
        break;
    }
    freeifaddrs(all);
}

/* --- opening -------------------------------------------------------------------------------------------- */

static void sock_close(struct bench_layer *layer)
{
    if (layer->sock.listener >= 0)
        (void)close(layer->sock.listener);
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
    l->listener = -1;
    if (!choose_address(l, c)) {
        sock_close(layer);
        return false;
    }
    memcpy(l->device.device, is_unix ? "unix" : "inet", 5);
    memcpy(l->device.transport, is_unix ? "stream" : "TCP", is_unix ? 7 : 4);
    (void)vb_addr_text(&l->local, l->device.address);
    if (!is_unix)
        look_at_interface(l);
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

static int make_socket(const struct sock_layer *l)
{
    int family = l->is_unix ? AF_UNIX : l->local.family == VB_AF_IPV6 ? AF_INET6 : AF_INET;

    return socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* The peer of a Unix socket runs as the same user; of TCP nothing is promised (see --help). */
static bool check_peer(struct sock_layer *l, int fd)
{
    struct ucred who = {0};
    socklen_t bytes = sizeof who;

    if (!l->is_unix)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) == 0 && who.uid == geteuid())
        return true;
    return bench_fail(l->err, "the process at the other end of the Unix socket belongs to another user");
}

/* A connected socket: no delay, and calls that sleep look up now and then. */
static bool set_options(struct sock_layer *l, int fd)
{
    struct timeval look = {.tv_usec = SOCK_LOOK_MS * 1000};
    int yes = 1;

    if ((!l->is_unix && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof look) != 0)
        return bench_fail(l->err, "setting options of a %s socket failed: %s", l->name, strerror(errno));
    return check_peer(l, fd);
}

static bool sock_connect(struct bench_layer *layer, const struct bench_ep_config *c,
                         const struct vb_addr *remote, uint32_t timeout_ms, struct bench_ep **out)
{
    struct sock_layer *l = &layer->sock;
    struct timeval patience = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    union any_address to, from;
    socklen_t to_bytes = to_system(l, remote, &to);
    socklen_t from_bytes = to_system(l, &l->local, &from);
    int yes = 1;
    int fd = make_socket(l);
    bool is_bound = fd >= 0 && (l->is_unix ||
                                (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes) == 0 &&
                                 bind(fd, &from.any, from_bytes) == 0));

    /* connect() gives up after the send time-out; sends never sleep */
    if (!is_bound || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
        connect(fd, &to.any, to_bytes) != 0) {
        (void)fail_errno(l, "connecting to", remote);
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    if (!set_options(l, fd)) {
        (void)close(fd);
        return false;
    }
    return sock_ep_create(l, c, fd, out);
}

/* Abstract names that are taken are passed over. */
static bool bind_unix(int fd, struct vb_addr *out)
{
    for (unsigned i = 0; i < NAME_TRIES; i++) {
        union any_address a;
        uint16_t number;

        if (!pal_random(&number, sizeof number))
            return false;
        out->port = number | 1u; /* not 0 */
        if (bind(fd, &a.any, unix_name(out->port, &a)) == 0)
            return true;
        if (errno != EADDRINUSE)
            return false;
    }
    return false;
}

static bool sock_listen(struct bench_layer *layer, struct vb_addr *out)
{
    struct sock_layer *l = &layer->sock;
    union any_address a;
    socklen_t bytes = to_system(l, &l->local, &a);
    bool is_bound;

    *out = l->local;
    l->listener = make_socket(l);
    if (l->listener < 0)
        return fail_errno(l, "listening on", &l->local);
    is_bound = l->is_unix ? bind_unix(l->listener, out) : bind(l->listener, &a.any, bytes) == 0;
    if (!is_bound || listen(l->listener, BACKLOG) != 0 || (!l->is_unix && !own_address(l->listener, out)))
        return fail_errno(l, "listening on", &l->local);
    return true;
}

static bool sock_accept(struct bench_layer *layer, const struct bench_ep_config *c, uint32_t timeout_ms,
                        struct bench_ep **out)
{
    struct sock_layer *l = &layer->sock;
    uint64_t deadline = pal_now_ns() + (uint64_t)timeout_ms * 1000000;
    struct pollfd waiting = {.fd = l->listener, .events = POLLIN};
    int fd;

    while (poll(&waiting, 1, ACCEPT_LOOK_MS) <= 0) {
        if (pal_now_ns() >= deadline)
            return bench_fail(l->err, "no %s connection arrived within %u s", l->name, timeout_ms / 1000);
        if (!bench_control_alive(l->control))
            return false;
    }
    fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return fail_errno(l, "accepting on", &l->local);
    if (!set_options(l, fd)) {
        (void)close(fd);
        return false;
    }
    return sock_ep_create(l, c, fd, out);
}

/* Until the peer closed too, so that what `connect` times has an accept and both closes in it. Bounded, should the
 * peer hang. */
static void say_goodbye(int fd)
{
    uint64_t deadline = pal_now_ns() + CLOSE_WAIT_MS * 1000000ull;
    uint8_t rest[64];
    ssize_t n;

    if (shutdown(fd, SHUT_WR) != 0)
        return;
    do
        n = recv(fd, rest, sizeof rest, 0);
    while ((n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) && pal_now_ns() < deadline);
}

void sock_ep_close(struct bench_ep *ep)
{
    struct sock_ep *s = (struct sock_ep *)(void *)ep;

    if (ep->config.rx_count == 0)
        say_goodbye(s->fd);
    (void)close(s->fd);
    free(s->tx);
    bench_ep_fini(ep);
    free(s);
}

/* --- the server of `connect` ---------------------------------------------------------------------------- */

/* Connections that say nothing are open until the peer closes them. */
static nfds_t drop_ended(struct pollfd *open, nfds_t count)
{
    for (nfds_t i = 0; i < count;) {
        if (open[i].revents == 0) {
            i++;
            continue;
        }
        (void)close(open[i].fd);
        open[i] = open[--count];
    }
    return count;
}

static bool sock_serve_connects(struct bench_layer *layer, struct bench_control *control)
{
    struct sock_layer *l = &layer->sock;
    struct pollfd waits[2 + OPEN_MAX_SERVED] = {{.fd = l->listener, .events = POLLIN},
                                                {.fd = control->fd, .events = POLLIN}};
    nfds_t open = 0;
    bool is_good = true;

    while (is_good) {
        bool is_full = open == OPEN_MAX_SERVED;

        waits[0].fd = is_full ? -1
                              : l->listener; /* the client makes one at a time: full means it forgot some */
        if (poll(waits, 2 + open, 1000) < 0 && errno != EINTR)
            is_good = fail_errno(l, "waiting on", &l->local);
        if (!is_good || waits[1].revents != 0)
            break;
        open = drop_ended(waits + 2, open);
        if (waits[0].revents != 0) {
            int fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);

            if (fd >= 0)
                waits[2 + open++] = (struct pollfd){.fd = fd, .events = POLLIN};
            else if (errno != ECONNABORTED && errno != EINTR && errno != EAGAIN)
                is_good = fail_errno(l, "accepting on", &l->local);
        }
    }
    for (nfds_t i = 0; i < open; i++)
        (void)close(waits[2 + i].fd);
    return is_good;
}

const struct bench_layer_ops bench_tcp_layer = {
    "tcp", tcp_open, sock_close, sock_describe, sock_listen, sock_accept, sock_connect, sock_serve_connects,
};

const struct bench_layer_ops bench_unix_layer = {
    "unix", unix_open, sock_close, sock_describe, sock_listen, sock_accept, sock_connect, sock_serve_connects,
};
