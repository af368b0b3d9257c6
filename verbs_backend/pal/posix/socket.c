/* socket.c - TCP over BSD sockets. errno stops here. */
#include "pal/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sockaddr.h"

_Static_assert(sizeof(struct pal_iov) == sizeof(struct iovec) &&
                   offsetof(struct pal_iov, base) == offsetof(struct iovec, iov_base) &&
                   offsetof(struct pal_iov, bytes) == offsetof(struct iovec, iov_len),
               "struct pal_iov is handed to the kernel as it is");

enum pal_net pal_net_errno(int err)
{
    switch (err) {
    case 0: return PAL_NET_OK;
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
    case EINPROGRESS:
    case EALREADY:
    case EINTR: return PAL_NET_AGAIN;
    case ECONNREFUSED: return PAL_NET_REFUSED;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN: return PAL_NET_RESET;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN: return PAL_NET_UNREACH;
    case ETIMEDOUT: return PAL_NET_TIMEOUT;
    case EADDRINUSE: return PAL_NET_INUSE;
    case EADDRNOTAVAIL: return PAL_NET_NOTAVAIL;
    case EFAULT: return PAL_NET_FAULT;
    case ENOMEM:
    case ENOBUFS:
    case EMFILE:
    case ENFILE: return PAL_NET_NOMEM;
    case EACCES:
    case EPERM: return PAL_NET_DENIED;
    default: return PAL_NET_FAILED;
    }
}

socklen_t pal_to_sockaddr(const struct pal_addr *a, struct sockaddr_storage *ss)
{
    memset(ss, 0, sizeof *ss);
    if (a->family == 4) {
        struct sockaddr_in *sin = (struct sockaddr_in *)ss;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(a->port);
        memcpy(&sin->sin_addr, a->ip, 4);
        return sizeof *sin;
    }
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;
    sin6->sin6_family = AF_INET6;
    sin6->sin6_port = htons(a->port);
    memcpy(&sin6->sin6_addr, a->ip, 16);
    sin6->sin6_scope_id = a->scope;
    return sizeof *sin6;
}

bool pal_from_sockaddr(const struct sockaddr *sa, struct pal_addr *out)
{
    memset(out, 0, sizeof *out);
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in sin;
        memcpy(&sin, sa, sizeof sin);
        out->family = 4;
        out->port = ntohs(sin.sin_port);
        memcpy(out->ip, &sin.sin_addr, 4);
        return true;
    }
    if (sa->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 sin6;
    memcpy(&sin6, sa, sizeof sin6);
    out->family = 6;
    out->port = ntohs(sin6.sin6_port);
    memcpy(out->ip, &sin6.sin6_addr, 16);
    if (IN6_IS_ADDR_LINKLOCAL(&sin6.sin6_addr))
        out->scope = sin6.sin6_scope_id;
    return true;
}

static void set_number(int fd, int level, int name, uint32_t value)
{
    int v = value > INT32_MAX ? INT32_MAX : (int)value;
    (void)setsockopt(fd, level, name, &v, sizeof v); /* tuning only: the connection works without */
}

static void tune(int fd, const struct pal_socket_tuning *t)
{
    set_number(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (t->send_buffer_bytes)
        set_number(fd, SOL_SOCKET, SO_SNDBUF, t->send_buffer_bytes);
    if (t->recv_buffer_bytes)
        set_number(fd, SOL_SOCKET, SO_RCVBUF, t->recv_buffer_bytes);
    if (t->dead_peer_ms) {
        uint32_t seconds = t->dead_peer_ms / 4000 ? t->dead_peer_ms / 4000 : 1;
        set_number(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, t->dead_peer_ms); /* while something is outstanding */
        set_number(fd, SOL_SOCKET, SO_KEEPALIVE, 1);                    /* while nothing is */
        set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
        set_number(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
        set_number(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    }
}

static enum pal_net make(const struct pal_addr *a, struct sockaddr_storage *ss, socklen_t *bytes, int *fd)
{
    *bytes = pal_to_sockaddr(a, ss);
    *fd = socket(ss->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return pal_net_errno(errno);
    if (ss->ss_family == AF_INET6)
        set_number(*fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    return PAL_NET_OK;
}

enum pal_net pal_socket_connect(const struct pal_addr *from, const struct pal_addr *to,
                                const struct pal_socket_tuning *tuning, pal_socket *out)
{
    struct sockaddr_storage ss;
    socklen_t bytes;
    int fd;
    enum pal_net st = make(from, &ss, &bytes, &fd);
    if (st != PAL_NET_OK)
        return st;
    tune(fd, tuning);
    /* The port is chosen at connect, where only the pair of addresses must be new. */
    if (from->port == 0)
        set_number(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (bind(fd, (struct sockaddr *)&ss, bytes) == 0) {
        bytes = pal_to_sockaddr(to, &ss);
        if (connect(fd, (struct sockaddr *)&ss, bytes) == 0 || errno == EINPROGRESS) {
            *out = fd;
            return PAL_NET_OK;
        }
        if (errno == EINVAL) /* what Linux says when the route is a "blackhole" (ip-route(8)) */
            errno = EHOSTUNREACH;
    }
    st = pal_net_errno(errno);
    close(fd);
    return st == PAL_NET_AGAIN ? PAL_NET_NOMEM : st; /* EAGAIN of connect: no free port */
}

enum pal_net pal_socket_outcome(pal_socket s)
{
    int err = 0;
    socklen_t room = sizeof err;
    if (getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &room) != 0)
        return pal_net_errno(errno);
    if (err)
        return pal_net_errno(err);
    struct sockaddr_storage peer;
    room = sizeof peer;
    if (getpeername(s, (struct sockaddr *)&peer, &room) == 0)
        return PAL_NET_OK;
    return errno == ENOTCONN ? PAL_NET_AGAIN : pal_net_errno(errno);
}

static enum pal_net bound(const struct pal_addr *at, bool may_reuse, int *fd)
{
    struct sockaddr_storage ss;
    socklen_t bytes;
    enum pal_net st = make(at, &ss, &bytes, fd);
    if (st != PAL_NET_OK)
        return st;
    if (may_reuse) /* connections that are still closing do not keep a listener away */
        set_number(*fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(*fd, (struct sockaddr *)&ss, bytes) == 0)
        return PAL_NET_OK;
    st = pal_net_errno(errno);
    close(*fd);
    return st;
}

/* What is set on a listener its connections inherit: Linux clones the socket (checked by the unit tests). */
enum pal_net pal_socket_listen(const struct pal_addr *at, uint32_t backlog,
                               const struct pal_socket_tuning *tuning, pal_socket *out)
{
    int fd;
    enum pal_net st = bound(at, true, &fd);
    if (st != PAL_NET_OK)
        return st;
    tune(fd, tuning);
    if (listen(fd, backlog > 4096 ? 4096 : (int)backlog) == 0) {
        *out = fd;
        return PAL_NET_OK;
    }
    st = pal_net_errno(errno);
    close(fd);
    return st;
}

enum pal_net pal_socket_reserve(struct pal_addr *at, pal_socket *out)
{
    int fd;
    struct pal_addr got;
    enum pal_net st = bound(at, false, &fd);
    if (st != PAL_NET_OK)
        return st;
    if (!pal_socket_addrs(fd, &got, NULL)) {
        close(fd);
        return PAL_NET_FAILED;
    }
    at->port = got.port;
    *out = fd;
    return PAL_NET_OK;
}

enum pal_net pal_socket_accept(pal_socket listener, const struct pal_socket_tuning *tuning,
                               struct pal_addr *remote, pal_socket *out)
{
    struct sockaddr_storage peer;
    socklen_t room;
    int fd;
    (void)tuning; /* inherited */
    do {
        room = sizeof peer;
        peer.ss_family = AF_UNSPEC;
        fd = accept4(listener, (struct sockaddr *)&peer, &room, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0)
        return pal_net_errno(errno);
    if (remote && !pal_from_sockaddr((struct sockaddr *)&peer, remote)) {
        close(fd);
        return PAL_NET_FAILED;
    }
    *out = fd;
    return PAL_NET_OK;
}

enum pal_net pal_socket_send(pal_socket s, const struct pal_iov *iov, unsigned count, size_t *done)
{
    ssize_t n;
    do {
        if (count == 1) {
            n = send(s, iov->base, iov->bytes, MSG_NOSIGNAL);
        } else {
            struct msghdr m = {.msg_iov = (struct iovec *)iov, .msg_iovlen = count};
            n = sendmsg(s, &m, MSG_NOSIGNAL);
        }
    } while (n < 0 && errno == EINTR);
    *done = n > 0 ? (size_t)n : 0;
    return n >= 0 ? PAL_NET_OK : pal_net_errno(errno);
}

enum pal_net pal_socket_recv(pal_socket s, const struct pal_iov *iov, unsigned count, size_t *done)
{
    ssize_t n;
    do
        n = count == 1 ? recv(s, iov->base, iov->bytes, 0) : readv(s, (const struct iovec *)iov, (int)count);
    while (n < 0 && errno == EINTR);
    *done = n > 0 ? (size_t)n : 0;
    if (n == 0)
        return PAL_NET_EOF;
    return n > 0 ? PAL_NET_OK : pal_net_errno(errno);
}

void pal_socket_finish(pal_socket s)
{
    (void)shutdown(s, SHUT_WR); /* ENOTCONN: it has ended already */
}

void pal_socket_close(pal_socket s)
{
    if (s != PAL_SOCKET_NONE)
        (void)close(s);
}

bool pal_socket_addrs(pal_socket s, struct pal_addr *local, struct pal_addr *remote)
{
    struct sockaddr_storage ss = {0};
    socklen_t room = sizeof ss;
    if (local && (getsockname(s, (struct sockaddr *)&ss, &room) != 0 ||
                  !pal_from_sockaddr((struct sockaddr *)&ss, local)))
        return false;
    room = sizeof ss;
    return !remote || (getpeername(s, (struct sockaddr *)&ss, &room) == 0 &&
                       pal_from_sockaddr((struct sockaddr *)&ss, remote));
}

/* Linux lets a receive buffer grow with what is read, from 128 KiB on (tcp_rmem), of which a peer may fill half: as much as one
 * segment of the loopback interface, so that sender and receiver take turns. SO_RCVBUF would end the growing and be cut to
 * rmem_max; a low-water mark makes room for itself (tcp_set_rcvlowat() in tcp.c: twice as much) and ends nothing. It goes
 * back at once to what it was: socket(7), 1 byte. */
void pal_socket_recv_ahead(pal_socket s, uint32_t bytes)
{
    set_number(s, SOL_SOCKET, SO_RCVLOWAT, bytes);
    set_number(s, SOL_SOCKET, SO_RCVLOWAT, 1);
}

/* A call takes 0.3 us here, which is no time to copy a segment in. */
uint32_t pal_socket_read_along(void)
{
    return 64;
}

uint32_t pal_socket_segment_bytes(pal_socket s)
{
    int mss = 0;
    socklen_t room = sizeof mss;
    if (getsockopt(s, IPPROTO_TCP, TCP_MAXSEG, &mss, &room) != 0 || mss < 0)
        return 0;
    return (uint32_t)mss;
}

bool pal_socket_gives_up_full_peers(void)
{
    return true; /* TCP_USER_TIMEOUT: tcp(7) */
}
