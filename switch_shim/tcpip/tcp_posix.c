/* tcp_posix.c - sockets of the kernel. errno stops here.
 * Source: socket(7), tcp(7), ip(7), ipv6(7), udp(7); what Windows does instead: contract 10.3, windows.md. */
#include "tcpip/tcp_os.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcpip/tcp_posix.h"

#define SIO_GET_INTERFACE_LIST 0x4004747Fu

/* --- errors --------------------------------------------------------------------------------------------- */

int tcp_posix_error(int error)
{
    static const struct {
        int error, code;
    } table[] = {
        {EAGAIN, WSAEWOULDBLOCK},
        {EINPROGRESS, WSAEWOULDBLOCK},
        {EINTR, WSAEWOULDBLOCK}, /* look again */
        {EALREADY, WSAEALREADY},
        {EACCES, WSAEACCES},
        {EPERM, WSAEACCES},
        {EFAULT, WSAEFAULT},
        {EINVAL, WSAEINVAL},
        {EMFILE, WSAEMFILE},
        {ENFILE, WSAEMFILE},
        {ENOTSOCK, WSAENOTSOCK},
        {EBADF, WSAENOTSOCK},
        {EDESTADDRREQ, WSAENOTCONN}, /* of WSPSend on a datagram socket without a peer */
        {EMSGSIZE, WSAEMSGSIZE},
        {EPROTOTYPE, WSAEPROTOTYPE},
        {ENOPROTOOPT, WSAENOPROTOOPT},
        {EPROTONOSUPPORT, WSAEPROTONOSUPPORT},
        {ESOCKTNOSUPPORT, WSAESOCKTNOSUPPORT},
        {EOPNOTSUPP, WSAEOPNOTSUPP},
        {EAFNOSUPPORT, WSAEAFNOSUPPORT},
        {EADDRINUSE, WSAEADDRINUSE},
        {EADDRNOTAVAIL, WSAEADDRNOTAVAIL},
        {ENETDOWN, WSAENETDOWN},
        {ENETUNREACH, WSAENETUNREACH},
        {EHOSTUNREACH, WSAEHOSTUNREACH},
        {EHOSTDOWN, WSAEHOSTUNREACH},
        {ENETRESET, WSAENETRESET},
        {ECONNABORTED, WSAECONNABORTED},
        {ECONNRESET, WSAECONNRESET},
        {EPIPE, WSAESHUTDOWN},
        {ENOBUFS, WSAENOBUFS},
        {ENOMEM, WSAENOBUFS},
        {EISCONN, WSAEISCONN},
        {ENOTCONN, WSAENOTCONN},
        {ETIMEDOUT, WSAETIMEDOUT},
        {ECONNREFUSED, WSAECONNREFUSED},
    };

    if (error == 0)
        return 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].error == error)
            return table[i].code;
    return WSAEINVAL;
}

static int code_of(int result)
{
    return result < 0 ? tcp_posix_error(errno) : 0;
}

/* --- addresses: the same layout but for the number of IPv6's family --------------------------------------- */

static int to_system(const WSD_SOCKADDR *in, int bytes, struct sockaddr_storage *out, socklen_t *out_bytes)
{
    unsigned short family;

    if (in == NULL || bytes < (int)sizeof(struct sockaddr_in))
        return WSAEFAULT;
    memcpy(&family, in, sizeof family);
    memset(out, 0, sizeof *out);
    if (family == WS_AF_INET) {
        memcpy(out, in, sizeof(struct sockaddr_in));
        out->ss_family = AF_INET;
        *out_bytes = sizeof(struct sockaddr_in);
        return 0;
    }
    if (family != WS_AF_INET6)
        return WSAEAFNOSUPPORT;
    if (bytes < (int)sizeof(struct sockaddr_in6))
        return WSAEFAULT;
    memcpy(out, in, sizeof(struct sockaddr_in6));
    out->ss_family = AF_INET6;
    *out_bytes = sizeof(struct sockaddr_in6);
    return 0;
}

static void from_system(const struct sockaddr_storage *in, WSD_SOCKADDR_STORAGE *out, int *bytes)
{
    unsigned short family = in->ss_family == AF_INET6 ? WS_AF_INET6 : WS_AF_INET;

    memset(out, 0, sizeof *out);
    *bytes = in->ss_family == AF_INET6 ? (int)sizeof(struct sockaddr_in6) : (int)sizeof(struct sockaddr_in);
    memcpy(out, in, (size_t)*bytes);
    memcpy(out, &family, sizeof family);
}

/* --- sockets -------------------------------------------------------------------------------------------- */

static void set_number(int s, int level, int name, int value)
{
    (void)setsockopt(s, level, name, &value, sizeof value);
}

int tcp_os_make(int af, int type, int protocol, pal_socket *out)
{
    int family = af == WS_AF_INET6 ? AF_INET6 : AF_INET;
    int kind = type == WS_SOCK_STREAM ? SOCK_STREAM : type == WS_SOCK_DGRAM ? SOCK_DGRAM : SOCK_RAW;
    int s = socket(family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

    if (s < 0)
        return code_of(s);
    if (family == AF_INET6) /* Windows: off unless asked for */
        set_number(s, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (kind ==
        SOCK_DGRAM) { /* Windows tells of unreachable ports, also without a peer (SIO_UDP_CONNRESET) */
        set_number(s, family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
                   family == AF_INET6 ? IPV6_RECVERR : IP_RECVERR, 1);
    }
    *out = s;
    return 0;
}

static int number_of(int s, int name)
{
    int value = 0;
    socklen_t n = sizeof value;

    return getsockopt(s, SOL_SOCKET, name, &value, &n) == 0 ? value : -1;
}

/* A port whose connections have ended, or that has some still while nobody listens any more, can be bound again on Windows, but not
 * while another socket is bound to it (B024). SO_REUSEADDR of both says that on Linux, once it is on for everything that was
 * bound and then connected or listened (accepted ones inherit it), and off for what is only bound, unless the application wants
 * to share (B030; two cannot listen, then). Source: socket(7), ip(7). */
static void others_may_bind(int s, bool yes)
{
    set_number(s, SOL_SOCKET, SO_REUSEADDR, yes);
}

int tcp_os_bind(pal_socket s, const WSD_SOCKADDR *name, int bytes)
{
    struct sockaddr_storage ss;
    socklen_t n;
    int code = to_system(name, bytes, &ss, &n);

    if (code == 0)
        code = code_of(bind(s, (struct sockaddr *)&ss, n));
    if (code != WSAEADDRINUSE || number_of(s, SO_TYPE) != SOCK_STREAM || number_of(s, SO_REUSEADDR) != 0)
        return code;
    others_may_bind(s, true);
    code = code_of(bind(s, (struct sockaddr *)&ss, n));
    others_may_bind(s, false);
    return code;
}

static bool is_wildcard(const struct sockaddr_storage *ss)
{
    static const struct in6_addr none;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    memcpy(&v4, ss, sizeof v4);
    memcpy(&v6, ss, sizeof v6);
    return ss->ss_family == AF_INET ? v4.sin_addr.s_addr == 0
                                    : memcmp(&v6.sin6_addr, &none, sizeof none) == 0;
}

/* To the address of nobody: a stream has none to go to, a datagram socket has no peer any more (connect() page; Linux takes it for this
 * host, and AF_UNSPEC for the other). */
static int connect_to_nobody(int s)
{
    struct sockaddr_storage none = {.ss_family = AF_UNSPEC};

    if (number_of(s, SO_TYPE) == SOCK_STREAM)
        return WSAEADDRNOTAVAIL;
    return code_of(connect(s, (struct sockaddr *)&none, sizeof none));
}

int tcp_os_connect(pal_socket s, const WSD_SOCKADDR *name, int bytes)
{
    struct sockaddr_storage ss;
    socklen_t n;
    int result, code = to_system(name, bytes, &ss, &n);

    if (code != 0)
        return code;
    if (is_wildcard(&ss))
        return connect_to_nobody(s);
    if (number_of(s, SO_TYPE) == SOCK_STREAM)
        others_may_bind(s, true);
    do { /* ECONNABORTED: an attempt before had failed, and that is said once (connect(2) on Linux, after SO_ERROR was read) */
        result = connect(s, (struct sockaddr *)&ss, n);
    } while (result < 0 && errno == ECONNABORTED);
    return code_of(result);
}

static bool is_without_port(int s, const struct sockaddr_storage *ss)
{
    struct sockaddr_in v4; /* the port is at the same place for both families */

    memcpy(&v4, ss, sizeof v4);
    return v4.sin_port == 0 && number_of(s, SO_TYPE) != SOCK_RAW;
}

int tcp_os_listen(pal_socket s, int backlog)
{
    WSD_SOCKADDR_STORAGE name;
    int bytes, code = tcp_os_name(s, false, &name, &bytes); /* Linux would choose a port (B031) */

    if (code != 0)
        return code;
    others_may_bind(s, true); /* before: listen() looks who else has the port */
    code = code_of(listen(s, backlog < 1 ? 1 : backlog));
    if (code != 0)
        others_may_bind(s, false);
    return code;
}

int tcp_os_accept(pal_socket s, pal_socket *out, WSD_SOCKADDR_STORAGE *remote, int *bytes)
{
    struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof ss;
    int made;

    do { /* errors of the connection itself: the next one then (accept(2)) */
        made = accept4(s, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (made < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == ENETDOWN ||
                          errno == EHOSTUNREACH || errno == ENETUNREACH));
    if (made < 0)
        return code_of(made);
    from_system(&ss, remote, bytes);
    *out = made;
    return 0;
}

int tcp_os_name(pal_socket s, bool is_peer, WSD_SOCKADDR_STORAGE *out, int *bytes)
{
    struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof ss;
    int result = is_peer ? getpeername(s, (struct sockaddr *)&ss, &n)
                         : getsockname(s, (struct sockaddr *)&ss, &n);

    if (result < 0)
        return code_of(result);
    if (!is_peer && is_without_port(s, &ss))
        return WSAEINVAL;
    from_system(&ss, out, bytes);
    return 0;
}

int tcp_os_shutdown(pal_socket s, int how)
{
    return code_of(shutdown(s, how == SD_RECEIVE ? SHUT_RD : how == SD_SEND ? SHUT_WR : SHUT_RDWR));
}

void tcp_os_close(pal_socket s, bool is_abortive)
{
    struct linger hard = {1, 0};

    if (is_abortive)
        (void)setsockopt(s, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(s);
}

int tcp_os_take_error(pal_socket s)
{
    int error = 0;
    socklen_t n = sizeof error;

    if (getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
        return code_of(-1);
    return tcp_posix_error(error);
}

/* --- data ----------------------------------------------------------------------------------------------- */

/* What IP_RECVERR queued must be fetched, else the socket is in error for ever. */
static void drain_errors(int s)
{
    char control[256], byte;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

    while (recvmsg(s, &m, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
        m.msg_controllen = sizeof control;
}

/* EPIPE: the peer's reset, after which the connection is closed; or shutdown() by another process that has the socket, too (by this one, nothing
 * is sent any more), and it is half open (tcp(7)). */
static int pipe_error(int s)
{
    struct tcp_info info = {.tcpi_state = TCP_CLOSE};
    socklen_t bytes = sizeof(info);

    (void)getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &bytes);
    return info.tcpi_state == TCP_CLOSE ? WSAECONNRESET : WSAESHUTDOWN;
}

/* ECONNREFUSED: a port that is refused is a reset to datagrams (recvfrom() page); no stream that is connected says so. */
static int data_error(int s, int error)
{
    switch (error) {
    case EAGAIN: return WSAEWOULDBLOCK;
    case EPIPE: return pipe_error(s);
    case ECONNREFUSED: drain_errors(s); return WSAECONNRESET;
    case EHOSTUNREACH:
    case ENETUNREACH: drain_errors(s); break;
    default: break;
    }
    return tcp_posix_error(error);
}

static int flags_of(uint32_t flags)
{
    return MSG_DONTWAIT | ((flags & WS_MSG_PEEK) != 0 ? MSG_PEEK : 0) |
           ((flags & WS_MSG_OOB) != 0 ? MSG_OOB : 0) | ((flags & WS_MSG_DONTROUTE) != 0 ? MSG_DONTROUTE : 0);
}

int tcp_os_send(pal_socket s, const struct pal_iov *iov, unsigned count, uint32_t flags,
                const WSD_SOCKADDR *to, int to_bytes, size_t *done)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count};
    struct sockaddr_storage ss;
    socklen_t n;
    ssize_t sent;

    if (to != NULL) {
        int code = to_system(to, to_bytes, &ss, &n);

        if (code != 0)
            return code;
        m.msg_name = &ss;
        m.msg_namelen = n;
    }
    do { /* one piece by the shorter way */
        sent = to == NULL && count == 1 ? send(s, iov->base, iov->bytes, MSG_NOSIGNAL | flags_of(flags))
                                        : sendmsg(s, &m, MSG_NOSIGNAL | flags_of(flags));
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return data_error(s, errno);
    *done = (size_t)sent;
    return 0;
}

int tcp_os_recv(pal_socket s, const struct pal_iov *iov, unsigned count, uint32_t flags,
                WSD_SOCKADDR_STORAGE *from, int *from_bytes, size_t *done)
{
    struct sockaddr_storage ss;
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count};
    ssize_t got;

    if (from != NULL) {
        m.msg_name = &ss;
        m.msg_namelen = sizeof ss;
        ss.ss_family = AF_INET;
    }
    do {
        got = from == NULL && count == 1 ? recv(s, iov->base, iov->bytes, flags_of(flags))
                                         : recvmsg(s, &m, flags_of(flags));
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return data_error(s, errno);
    *done = (size_t)got;
    if (from != NULL)
        from_system(&ss, from, from_bytes);
    return from != NULL && (m.msg_flags & MSG_TRUNC) != 0 ? WSAEMSGSIZE : 0;
}

int tcp_os_why_ended(pal_socket s)
{
    (void)s; /* the receive has said it (tcp(7)) */
    return 0;
}

unsigned tcp_os_look(pal_socket s)
{
    struct pollfd p = {.fd = s, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};

    if (poll(&p, 1, 0) <= 0)
        return 0;
    return (p.revents & (POLLIN | POLLHUP | POLLERR) ? PAL_READABLE : 0u) |
           (p.revents & (POLLOUT | POLLERR) ? PAL_WRITABLE : 0u) | (p.revents & POLLPRI ? PAL_URGENT : 0u) |
           (p.revents & (POLLRDHUP | POLLHUP | POLLERR) ? PAL_HANGUP : 0u) |
           (p.revents & (POLLHUP | POLLERR) ? TCP_DEAD : 0u);
}

uint64_t tcp_os_readable(pal_socket s)
{
    int n = 0;

    return ioctl(s, FIONREAD, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

/* Windows asks the other way round: TRUE when no urgent byte waits (ioctlsocket() page, SIOCATMARK). */
bool tcp_os_at_mark(pal_socket s, bool is_inline)
{
    struct pollfd p = {.fd = s, .events = POLLPRI};
    int at = 0;

    (void)is_inline;
    if (poll(&p, 1, 0) <= 0 || (p.revents & POLLPRI) == 0)
        return true;
    return ioctl(s, SIOCATMARK, &at) == 0 && at != 0;
}

uint64_t tcp_os_unsent(pal_socket s)
{
    int n = 0;

    return ioctl(s, TIOCOUTQ, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

int tcp_os_ioctl(pal_socket s, DWORD code, void *in, DWORD in_bytes, void *out, DWORD out_bytes,
                 DWORD *returned)
{
    (void)s, (void)in, (void)in_bytes;
    return code == SIO_GET_INTERFACE_LIST ? tcp_posix_interfaces(out, out_bytes, returned) : WSAEOPNOTSUPP;
}

int tcp_os_keepalive(pal_socket s, bool on, uint32_t idle_ms, uint32_t step_ms)
{
    set_number(s, SOL_SOCKET, SO_KEEPALIVE, on);
    if (!on)
        return 0;
    set_number(s, IPPROTO_TCP, TCP_KEEPIDLE, idle_ms < 1000 ? 1 : (int)(idle_ms / 1000));
    set_number(s, IPPROTO_TCP, TCP_KEEPINTVL, step_ms < 1000 ? 1 : (int)(step_ms / 1000));
    return 0;
}

/* --- sleeping ------------------------------------------------------------------------------------------- */

struct tcp_os_alarm *tcp_os_alarm_make(void)
{
    struct tcp_os_alarm *a = malloc(sizeof *a);

    if (a == NULL)
        return NULL;
    a->os.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (a->os.fd >= 0)
        return a;
    free(a);
    return NULL;
}

void tcp_os_alarm_free(struct tcp_os_alarm *a)
{
    close(a->os.fd);
    free(a);
}

void tcp_os_ring(struct tcp_os_alarm *a)
{
    uint64_t one = 1;

    while (write(a->os.fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void tcp_os_wait(pal_socket s, unsigned what, struct tcp_os_alarm *a, int timeout_ms)
{
    struct pollfd p[2] = {{.fd = a->os.fd, .events = POLLIN}, {.fd = s}};
    uint64_t count;

    p[1].events = (short)((what & PAL_READABLE ? POLLIN : 0) | (what & PAL_WRITABLE ? POLLOUT : 0));
    /* nothing queued: only the alarm, because a broken socket would not let us sleep */
    if (poll(p, what != 0 ? 2 : 1, timeout_ms) > 0 && p[0].revents != 0)
        while (read(a->os.fd, &count, sizeof count) < 0 && errno == EINTR) {
        }
}
