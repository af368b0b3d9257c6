/* socket.c - TCP over Winsock. WSA codes stop here. */
#include "sockaddr.h"

#include <mstcpip.h>
#include <string.h>

#include "base_provider.h"

/* Options that not every header has. Source: MSDN, IPPROTO_TCP socket options. */
#ifndef TCP_MAXRT /* seconds */
#define TCP_MAXRT 5
#endif
#ifndef TCP_MAXRTMS /* Windows 10 */
#define TCP_MAXRTMS 14
#endif
#ifndef TCP_KEEPCNT /* Windows 10; before, there are always ten */
#define TCP_KEEPCNT 16
#endif

/* Once per load of this library and never given back: who unloads us may be inside Winsock, and the count that WSAStartup
 * keeps is the process's and ends with it. */
static BOOL CALLBACK start_once(INIT_ONCE *once, void *parameter, void **context)
{
    WSADATA data;
    (void)once;
    (void)parameter;
    (void)context;
    return WSAStartup(MAKEWORD(2, 2), &data) == 0;
}

bool pal_winsock_start(void)
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    return InitOnceExecuteOnce(&once, start_once, NULL, NULL) != 0;
}

enum pal_net pal_net_wsa(int err)
{
    switch (err) {
    case 0: return PAL_NET_OK;
    case WSAEWOULDBLOCK:
    case WSAEINPROGRESS:
    case WSAEALREADY:
    case WSAEINTR: return PAL_NET_AGAIN;
    case WSAECONNREFUSED: return PAL_NET_REFUSED;
    case WSAECONNRESET:
    case WSAECONNABORTED:
    case WSAENETRESET:
    case WSAESHUTDOWN:
    case WSAENOTCONN: return PAL_NET_RESET;
    case WSAEHOSTUNREACH:
    case WSAENETUNREACH:
    case WSAEHOSTDOWN:
    case WSAENETDOWN: return PAL_NET_UNREACH;
    case WSAETIMEDOUT: return PAL_NET_TIMEOUT;
    case WSAEADDRINUSE: return PAL_NET_INUSE;
    case WSAEADDRNOTAVAIL: return PAL_NET_NOTAVAIL;
    case WSAEFAULT: return PAL_NET_FAULT;
    case WSAENOBUFS:
    case WSAEMFILE:
    case WSA_NOT_ENOUGH_MEMORY: return PAL_NET_NOMEM;
    case WSAEACCES: return PAL_NET_DENIED;
    default: return PAL_NET_FAILED;
    }
}

static enum pal_net last_error(void)
{
    return pal_net_wsa(WSAGetLastError());
}

int pal_to_sockaddr(const struct pal_addr *a, struct sockaddr_storage *ss)
{
    memset(ss, 0, sizeof *ss);
    if (a->family == 4) {
        struct sockaddr_in *sin = (struct sockaddr_in *)ss;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(a->port);
        memcpy(&sin->sin_addr, a->ip, 4);
        return (int)sizeof *sin;
    }
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;
    sin6->sin6_family = AF_INET6;
    sin6->sin6_port = htons(a->port);
    memcpy(&sin6->sin6_addr, a->ip, 16);
    sin6->sin6_scope_id = a->scope;
    return (int)sizeof *sin6;
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
    if (out->ip[0] == 0xfe && (out->ip[1] & 0xc0) == 0x80) /* link-local: RFC 4291 2.5.6 */
        out->scope = sin6.sin6_scope_id;
    return true;
}

static void set_number(SOCKET s, int level, int name, uint32_t value)
{
    DWORD v = value;
    (void)setsockopt(s, level, name, (const char *)&v,
                     sizeof v); /* tuning only: the connection works without */
}

static void tune(SOCKET s, const struct pal_socket_tuning *t)
{
    set_number(s, IPPROTO_TCP, TCP_NODELAY, 1);
    if (t->send_buffer_bytes)
        set_number(s, SOL_SOCKET, SO_SNDBUF, t->send_buffer_bytes);
    if (t->recv_buffer_bytes)
        set_number(s, SOL_SOCKET, SO_RCVBUF, t->recv_buffer_bytes);
    if (t->dead_peer_ms) {
        const ULONG step = t->dead_peer_ms / 4 ? t->dead_peer_ms / 4 : 1;
        struct tcp_keepalive alive = {.onoff = 1, .keepalivetime = step, .keepaliveinterval = step};
        DWORD got = 0;
        /* While something is outstanding that was not acknowledged; Wine has neither. The finer one comes last. A peer that
         * acknowledges and takes nothing is another matter: pal_socket_gives_up_full_peers(). */
        set_number(s, IPPROTO_TCP, TCP_MAXRT, (t->dead_peer_ms + 999) / 1000);
        set_number(s, IPPROTO_TCP, TCP_MAXRTMS, t->dead_peer_ms);
        /* While nothing is. */
        (void)WSAIoctl(s, SIO_KEEPALIVE_VALS, &alive, sizeof alive, NULL, 0, &got, NULL, NULL);
        set_number(s, IPPROTO_TCP, TCP_KEEPCNT, 3);
    }
}

static enum pal_net make(const struct pal_addr *a, struct sockaddr_storage *ss, int *bytes, SOCKET *s)
{
    u_long on = 1;
    *bytes = pal_to_sockaddr(a, ss);
    const enum pal_net made = pal_base_socket(ss->ss_family, IPPROTO_TCP, s);
    if (made != PAL_NET_OK)
        return made;
    if (ioctlsocket(*s, (long)FIONBIO, &on) != 0) {
        const enum pal_net st = last_error();
        closesocket(*s);
        return st;
    }
    if (ss->ss_family == AF_INET6)
        set_number(*s, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    return PAL_NET_OK;
}

enum pal_net pal_socket_connect(const struct pal_addr *from, const struct pal_addr *to,
                                const struct pal_socket_tuning *tuning, pal_socket *out)
{
    struct sockaddr_storage ss;
    int bytes;
    SOCKET s;
    enum pal_net st = make(from, &ss, &bytes, &s);
    if (st != PAL_NET_OK)
        return st;
    tune(s, tuning);
    if (bind(s, (struct sockaddr *)&ss, bytes) == 0) {
        bytes = pal_to_sockaddr(to, &ss);
        if (connect(s, (struct sockaddr *)&ss, bytes) == 0 || WSAGetLastError() == WSAEWOULDBLOCK) {
            *out = s;
            return PAL_NET_OK;
        }
    }
    st = last_error();
    closesocket(s);
    return st;
}

enum pal_net pal_socket_outcome(pal_socket s)
{
    int err = 0, room = sizeof err;
    if (getsockopt(s, SOL_SOCKET, SO_ERROR, (char *)&err, &room) != 0)
        return last_error();
    if (err)
        return pal_net_wsa(err);
    struct sockaddr_storage peer;
    room = sizeof peer;
    if (getpeername(s, (struct sockaddr *)&peer, &room) == 0)
        return PAL_NET_OK;
    return WSAGetLastError() == WSAENOTCONN ? PAL_NET_AGAIN : last_error();
}

/* A listener keeps the default: exclusive use would also keep it away while connections of the listener before live on,
 * and without it only a socket that insists (SO_REUSEADDR) could share. A reserved port is nobody else's.
 * Source: Microsoft, "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE". */
static enum pal_net bound(const struct pal_addr *at, bool is_exclusive, SOCKET *s)
{
    struct sockaddr_storage ss;
    int bytes;
    enum pal_net st = make(at, &ss, &bytes, s);
    if (st != PAL_NET_OK)
        return st;
    if (is_exclusive)
        set_number(*s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
    if (bind(*s, (struct sockaddr *)&ss, bytes) == 0)
        return PAL_NET_OK;
    st = last_error();
    closesocket(*s);
    /* what a port says that another socket holds exclusively */
    return st == PAL_NET_DENIED && at->port ? PAL_NET_INUSE : st;
}

enum pal_net pal_socket_listen(const struct pal_addr *at, uint32_t backlog,
                               const struct pal_socket_tuning *tuning, pal_socket *out)
{
    SOCKET s;
    (void)tuning; /* of connections: set on each, for not all of it is documented to be inherited */
    enum pal_net st = bound(at, false, &s);
    if (st != PAL_NET_OK)
        return st;
    if (listen(s, backlog > 4096 ? 4096 : (int)backlog) == 0) {
        *out = s;
        return PAL_NET_OK;
    }
    st = last_error();
    closesocket(s);
    return st;
}

enum pal_net pal_socket_reserve(struct pal_addr *at, pal_socket *out)
{
    SOCKET s;
    struct pal_addr got;
    enum pal_net st = bound(at, true, &s);
    if (st != PAL_NET_OK)
        return st;
    if (!pal_socket_addrs(s, &got, NULL)) {
        closesocket(s);
        return PAL_NET_FAILED;
    }
    at->port = got.port;
    *out = s;
    return PAL_NET_OK;
}

enum pal_net pal_socket_accept(pal_socket listener, const struct pal_socket_tuning *tuning,
                               struct pal_addr *remote, pal_socket *out)
{
    SOCKADDR_STORAGE peer;
    SOCKET s;
    u_long on = 1;
    int room;
    do {
        room = sizeof peer;
        s = accept(listener, (struct sockaddr *)&peer, &room);
    } while (s == INVALID_SOCKET &&
             (WSAGetLastError() == WSAECONNRESET || WSAGetLastError() == WSAECONNABORTED));
    if (s == INVALID_SOCKET)
        return last_error();
    if (remote && !pal_from_sockaddr((struct sockaddr *)&peer, remote)) {
        closesocket(s);
        return PAL_NET_FAILED;
    }
    (void)SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0); /* a leak to children at worst */
    if (ioctlsocket(s, (long)FIONBIO, &on) != 0) {
        const enum pal_net st = last_error();
        closesocket(s);
        return st;
    }
    tune(s, tuning);
    *out = s;
    return PAL_NET_OK;
}

/* A WSABUF is a pal_iov the other way round and counts to 4 GiB. */
static DWORD to_wsabufs(const struct pal_iov *iov, unsigned count, WSABUF out[PAL_IOV_MAX])
{
    DWORD n = 0;
    for (unsigned i = 0; i < count && i < PAL_IOV_MAX; i++) {
        const bool is_whole = iov[i].bytes <= INT32_MAX;
        out[n].len = is_whole ? (ULONG)iov[i].bytes : (ULONG)INT32_MAX;
        out[n++].buf = iov[i].base;
        if (!is_whole) /* what follows must not overtake the rest */
            break;
    }
    return n;
}

enum pal_net pal_socket_send(pal_socket s, const struct pal_iov *iov, unsigned count, size_t *done)
{
    WSABUF bufs[PAL_IOV_MAX];
    DWORD n = to_wsabufs(iov, count, bufs), sent = 0;
    const int rc = WSASend(s, bufs, n, &sent, 0, NULL, NULL);
    *done = rc == 0 ? sent : 0;
    return rc == 0 ? PAL_NET_OK : last_error();
}

enum pal_net pal_socket_recv(pal_socket s, const struct pal_iov *iov, unsigned count, size_t *done)
{
    WSABUF bufs[PAL_IOV_MAX];
    DWORD n = to_wsabufs(iov, count, bufs), got = 0, flags = 0;
    const int rc = WSARecv(s, bufs, n, &got, &flags, NULL, NULL);
    *done = rc == 0 ? got : 0;
    if (rc != 0)
        return last_error();
    return got ? PAL_NET_OK : PAL_NET_EOF;
}

void pal_socket_finish(pal_socket s)
{
    (void)shutdown(s, SD_SEND); /* WSAENOTCONN: it has ended already */
}

void pal_socket_close(pal_socket s)
{
    if (s != PAL_SOCKET_NONE)
        (void)closesocket(s);
}

bool pal_socket_addrs(pal_socket s, struct pal_addr *local, struct pal_addr *remote)
{
    struct sockaddr_storage ss = {0};
    int room = sizeof ss;
    if (local && (getsockname(s, (struct sockaddr *)&ss, &room) != 0 ||
                  !pal_from_sockaddr((struct sockaddr *)&ss, local)))
        return false;
    room = sizeof ss;
    return !remote || (getpeername(s, (struct sockaddr *)&ss, &room) == 0 &&
                       pal_from_sockaddr((struct sockaddr *)&ss, remote));
}

void pal_socket_recv_ahead(pal_socket s, uint32_t bytes)
{
    (void)s, (void)bytes; /* the window grows by itself, and SO_RCVBUF would stop it */
}

/* Windows: a call is one to the kernel, as elsewhere. Wine (its ntdll.dll says so): a receive on an accepted socket is three
 * messages to the server that all programs share (which descriptor, may I, what came of it), with the descriptor passed each
 * time; 64 KiB are copied in less. Measured: README.md, "Measured". */
uint32_t pal_socket_read_along(void)
{
    const HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    return ntdll && GetProcAddress(ntdll, "wine_get_version") ? 524288 : 64;
}

uint32_t pal_socket_segment_bytes(pal_socket s)
{
    (void)s; /* TCP_MAXSEG is not among the options of Windows 7; later it is, but Wine lacks it */
    return 0;
}

bool pal_socket_gives_up_full_peers(void)
{
    return false; /* TCP_MAXRT counts what is not acknowledged */
}
