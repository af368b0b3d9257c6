/* tcp_windows.c - private sockets of the system's own Winsock provider.
 * Why not the provider's WSPStartup: under Wine it cannot be loaded (windows.md), and on Windows a socket that is made by way of
 *          the catalog entry of the base provider does not come back to a switch that is installed over it.
 * Codes are Winsock's already; what is left is to ask for them. */
#include "wsd/ws2_types.h"

#include <mstcpip.h>
#include <stdlib.h>
#include <string.h>

#include "pal/compiler.h"
#include "pal/process.h"
#include "pal/wait.h"
#include "pal_os/base_os.h"
#include "tcpip/tcp_os.h"

/* A stop of a call by a signal does not happen here, so there is nothing to look at again. */
static int code_of(int result)
{
    return result == SOCKET_ERROR ? WSAGetLastError() : 0;
}

/* --- sockets -------------------------------------------------------------------------------------------- */

static int protocol_of(int type, int protocol)
{
    if (protocol != 0)
        return protocol;
    return type == SOCK_STREAM ? IPPROTO_TCP : type == SOCK_DGRAM ? IPPROTO_UDP : 0;
}

/* TCP and UDP by the entry of the system's own provider, or not at all: what the system chooses might be the switch, which would ask for a
 * socket again. Raw sockets as the system chooses: the switch has no entry for them in the catalog. */
static SOCKET make(int af, int type, int protocol)
{
    const DWORD flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;
    const WSAPROTOCOL_INFOW *found = pal_base_entry(af, type, protocol_of(type, protocol));
    WSAPROTOCOL_INFOW entry;

    if (found == NULL && type == SOCK_RAW)
        return WSASocketW(af, type, protocol, NULL, 0, flags);
    if (found == NULL) {
        WSASetLastError(WSAEAFNOSUPPORT); /* as where the protocol is not installed */
        return INVALID_SOCKET;
    }
    entry = *found;
    return WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &entry, 0, flags);
}

static int never_blocks(SOCKET s)
{
    u_long on = 1;

    return code_of(ioctlsocket(s, FIONBIO, &on));
}

int tcp_os_make(int af, int type, int protocol, pal_socket *out)
{
    SOCKET s = make(af, type, protocol);
    int code;

    if (s == INVALID_SOCKET)
        return WSAGetLastError();
    code = never_blocks(s);
    if (code != 0) {
        closesocket(s);
        return code;
    }
    *out = (pal_socket)s;
    return 0;
}

int tcp_os_bind(pal_socket s, const WSD_SOCKADDR *name, int bytes)
{
    return code_of(bind((SOCKET)s, name, bytes));
}

int tcp_os_connect(pal_socket s, const WSD_SOCKADDR *name, int bytes)
{
    int code = code_of(connect((SOCKET)s, name, bytes));

    /* Wine: an attempt before had failed, and that is said once more */
    return code == WSAECONNABORTED ? code_of(connect((SOCKET)s, name, bytes)) : code;
}

int tcp_os_listen(pal_socket s, int backlog)
{
    return code_of(listen((SOCKET)s, backlog));
}

int tcp_os_accept(pal_socket s, pal_socket *out, WSD_SOCKADDR_STORAGE *remote, int *bytes)
{
    SOCKET made;
    int code;

    do { /* a connection that has ended in the queue: the next one then (accept() page) */
        *bytes = (int)sizeof *remote;
        made = accept((SOCKET)s, (struct sockaddr *)remote, bytes);
        code = made == INVALID_SOCKET ? WSAGetLastError() : 0;
    } while (code == WSAECONNRESET || code == WSAECONNABORTED);
    if (code != 0)
        return code;
    (void)SetHandleInformation((HANDLE)made, HANDLE_FLAG_INHERIT, 0); /* a leak to children at worst */
    code = never_blocks(made);
    if (code != 0) {
        closesocket(made);
        return code;
    }
    *out = (pal_socket)made;
    return 0;
}

int tcp_os_name(pal_socket s, bool is_peer, WSD_SOCKADDR_STORAGE *out, int *bytes)
{
    *bytes = (int)sizeof *out;
    return code_of(is_peer ? getpeername((SOCKET)s, (struct sockaddr *)out, bytes)
                           : getsockname((SOCKET)s, (struct sockaddr *)out, bytes));
}

int tcp_os_shutdown(pal_socket s, int how)
{
    return code_of(shutdown((SOCKET)s, how));
}

void tcp_os_close(pal_socket s, bool is_abortive)
{
    struct linger hard = {1, 0};

    if (is_abortive)
        (void)setsockopt((SOCKET)s, SOL_SOCKET, SO_LINGER, (const char *)&hard, sizeof hard);
    closesocket((SOCKET)s);
}

int tcp_os_take_error(pal_socket s)
{
    int error = 0, bytes = sizeof error;
    int code = code_of(getsockopt((SOCKET)s, SOL_SOCKET, SO_ERROR, (char *)&error, &bytes));

    return code != 0 ? code : error;
}

/* --- data ----------------------------------------------------------------------------------------------- */

/* At least one: Winsock refuses an empty array. */
static DWORD buffers_of(const struct pal_iov *iov, unsigned count, WSABUF *out)
{
    out[0].buf = NULL;
    out[0].len = 0;
    for (unsigned i = 0; i < count; i++) {
        out[i].buf = iov[i].base;
        out[i].len = (ULONG)iov[i].bytes;
    }
    return count == 0 ? 1 : count;
}

int tcp_os_send(pal_socket s, const struct pal_iov *iov, unsigned count, uint32_t flags,
                const WSD_SOCKADDR *to, int to_bytes, size_t *done)
{
    WSABUF buffers[PAL_IOV_MAX];
    DWORD n = buffers_of(iov, count, buffers), sent = 0;
    DWORD what = flags & (MSG_OOB | MSG_DONTROUTE);
    int code = code_of(to == NULL ? WSASend((SOCKET)s, buffers, n, &sent, what, NULL, NULL)
                                  : WSASendTo((SOCKET)s, buffers, n, &sent, what, to, to_bytes, NULL, NULL));

    *done = sent;
    return code == WSAESHUTDOWN ? WSAECONNRESET
                                : code; /* after shutdown() nothing comes here; Wine, after a reset */
}

int tcp_os_recv(pal_socket s, const struct pal_iov *iov, unsigned count, uint32_t flags,
                WSD_SOCKADDR_STORAGE *from, int *from_bytes, size_t *done)
{
    WSABUF buffers[PAL_IOV_MAX];
    DWORD n = buffers_of(iov, count, buffers), got = 0, what = flags & (MSG_PEEK | MSG_OOB);
    int code;

    if (from == NULL) {
        code = code_of(WSARecv((SOCKET)s, buffers, n, &got, &what, NULL, NULL));
    } else {
        *from_bytes = (int)sizeof *from;
        code = code_of(
            WSARecvFrom((SOCKET)s, buffers, n, &got, &what, (struct sockaddr *)from, from_bytes, NULL, NULL));
        if (code == WSAEMSGSIZE)
            for (unsigned i = 0; i < count; i++) /* all of the buffers is full, whatever was counted */
                got = i == 0 ? buffers[0].len : got + buffers[i].len;
    }
    *done = got;
    return code;
}

/* Wine forgets a reset once its own look at the socket has fetched the error. But then nothing can be sent any more, not even nothing. */
int tcp_os_why_ended(pal_socket s)
{
    WSABUF nothing = {0, NULL};
    DWORD sent = 0;

    return WSASend((SOCKET)s, &nothing, 1, &sent, 0, NULL, NULL) == SOCKET_ERROR &&
                   WSAGetLastError() != WSAEWOULDBLOCK
               ? WSAECONNRESET
               : 0;
}

/* WSAPoll tells a failed connect() late or never before Windows 10 2004; the engine hears of that from its poller. */
unsigned tcp_os_look(pal_socket s)
{
    WSAPOLLFD p = {.fd = (SOCKET)s, .events = POLLRDNORM | POLLRDBAND | POLLWRNORM};
    const int ended = POLLHUP | POLLERR;

    if (WSAPoll(&p, 1, 0) <= 0)
        return 0;
    return (p.revents & (POLLRDNORM | ended) ? PAL_READABLE : 0u) |
           (p.revents & (POLLWRNORM | POLLERR) ? PAL_WRITABLE : 0u) |
           (p.revents & POLLRDBAND ? PAL_URGENT : 0u) | (p.revents & ended ? PAL_HANGUP : 0u) |
           (p.revents & POLLERR ? TCP_DEAD : 0u);
}

uint64_t tcp_os_readable(pal_socket s)
{
    u_long n = 0;

    return ioctlsocket((SOCKET)s, FIONREAD, &n) == 0 ? n : 0;
}

/* The system answers for urgent bytes in the stream only (ioctlsocket() page, SIOCATMARK). */
bool tcp_os_at_mark(pal_socket s, bool is_inline)
{
    u_long at = 1;

    if (!is_inline)
        return (tcp_os_look(s) & PAL_URGENT) == 0;
    return ioctlsocket((SOCKET)s, SIOCATMARK, &at) != 0 || at != 0;
}

uint64_t tcp_os_unsent(pal_socket s)
{
    (void)s;
    return 0; /* Windows does not tell: such a close goes on in the background, as one without a time does */
}

/* mstcpip.h of newer systems; mingw's has not all. */
#define IN_VENDOR(number)     _WSAIOW(IOC_VENDOR, number)
#define IN_OUT_VENDOR(number) _WSAIORW(IOC_VENDOR, number)

/* What asks the host or sets up TCP/IP, and ends at once. Left out on purpose: functions of this very socket (SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER,
 * registered I/O) and its handle, since the program's socket is another one; IPsec's, which would promise it for connections that a SAN carries. */
static bool is_for_the_system(DWORD code)
{
    static const DWORD codes[] = {
        SIO_GET_INTERFACE_LIST,
        SIO_GET_INTERFACE_LIST_EX,
        SIO_SET_MULTICAST_FILTER,
        SIO_GET_MULTICAST_FILTER,
        SIO_ENABLE_CIRCULAR_QUEUEING,
        SIO_FIND_ROUTE,
        SIO_GET_BROADCAST_ADDRESS,
        SIO_MULTIPOINT_LOOPBACK,
        SIO_MULTICAST_SCOPE,
        SIO_ADDRESS_LIST_SORT,
        IN_VENDOR(6),      /* SIO_UCAST_IF */
        IN_VENDOR(8),      /* SIO_INDEX_BIND */
        IN_VENDOR(9),      /* SIO_INDEX_MCASTIF */
        IN_VENDOR(10),     /* SIO_INDEX_ADD_MCAST */
        IN_VENDOR(11),     /* SIO_INDEX_DEL_MCAST */
        IN_VENDOR(16),     /* SIO_LOOPBACK_FAST_PATH */
        IN_VENDOR(17),     /* SIO_TCP_INITIAL_RTO */
        IN_VENDOR(19),     /* SIO_APPLY_TRANSPORT_SETTING */
        IN_VENDOR(23),     /* SIO_TCP_SET_ACK_FREQUENCY */
        IN_OUT_VENDOR(39), /* SIO_TCP_INFO */
        IN_VENDOR(300),    /* SIO_SET_COMPATIBILITY_MODE */
    };

    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i] == code)
            return true;
    return false;
}

int tcp_os_ioctl(pal_socket s, DWORD code, void *in, DWORD in_bytes, void *out, DWORD out_bytes,
                 DWORD *returned)
{
    if (!is_for_the_system(code))
        return WSAEOPNOTSUPP;
    return code_of(WSAIoctl((SOCKET)s, code, in, in_bytes, out, out_bytes, returned, NULL, NULL));
}

int tcp_os_keepalive(pal_socket s, bool on, uint32_t idle_ms, uint32_t step_ms)
{
    struct tcp_keepalive v = {on, idle_ms, step_ms};
    DWORD returned = 0;

    return code_of(WSAIoctl((SOCKET)s, SIO_KEEPALIVE_VALS, &v, sizeof v, NULL, 0, &returned, NULL, NULL));
}

/* --- options: the same names; what the carrier does itself is not handed down ------------------------------- */

static bool is_ours(int level, int name)
{
    return level == SOL_SOCKET &&
           (name == SO_LINGER || name == SO_DONTLINGER || name == SO_SNDTIMEO || name == SO_RCVTIMEO);
}

int tcp_os_set_option(pal_socket s, int type, int level, int name, const char *value, int bytes)
{
    (void)type;
    if (is_ours(level, name))
        return 0;
    return code_of(setsockopt((SOCKET)s, level, name, value, bytes));
}

int tcp_os_get_option(pal_socket s, int level, int name, char *value, int *bytes)
{
    if (is_ours(level, name))
        return WSAENOPROTOOPT;
    return code_of(getsockopt((SOCKET)s, level, name, value, bytes));
}

/* --- sleeping ------------------------------------------------------------------------------------------- */

struct tcp_os_alarm *tcp_os_alarm_make(void)
{
    struct tcp_os_alarm *a = malloc(sizeof *a);

    if (a == NULL)
        return NULL;
    a->os.poller = pal_poller_create(PAL_WAITABLE_NONE);
    if (a->os.poller != NULL)
        return a;
    free(a);
    return NULL;
}

void tcp_os_alarm_free(struct tcp_os_alarm *a)
{
    pal_poller_destroy(a->os.poller);
    free(a);
}

void tcp_os_ring(struct tcp_os_alarm *a)
{
    pal_poller_signal(a->os.poller);
}

void tcp_os_wait(pal_socket s, unsigned what, struct tcp_os_alarm *a, int timeout_ms)
{
    const pal_waitable waits[1] = {pal_poller_waitable(a->os.poller)};
    const bool is_in = what != 0 && pal_poller_add(a->os.poller, s, what, a);

    if (what == 0 || is_in)
        (void)pal_wait_alertably(waits, 1, timeout_ms);
    else
        Sleep(1); /* out of memory: look again soon */
    if (is_in)
        pal_poller_remove(a->os.poller, s);
    pal_poller_clear(a->os.poller);
}

/* --- sharing -------------------------------------------------------------------------------------------- */

int tcp_os_give(pal_socket s, uint32_t process_id, void *text, size_t *text_bytes)
{
    WSAPROTOCOL_INFOW info;

    if (*text_bytes < sizeof info)
        return WSAEFAULT;
    if (WSADuplicateSocketW((SOCKET)s, process_id, &info) == SOCKET_ERROR)
        return WSAGetLastError();
    memcpy(text, &info, sizeof info);
    *text_bytes = sizeof info;
    return 0;
}

int tcp_os_adopt(const void *text, size_t text_bytes, pal_socket *out, int *af, int *type, int *protocol)
{
    WSAPROTOCOL_INFOW info;
    SOCKET s;
    int code;

    if (text_bytes != sizeof info)
        return WSAEINVAL;
    (void)pal_base_entry(AF_INET, SOCK_STREAM, IPPROTO_TCP); /* Winsock has to be started, perhaps */
    memcpy(&info, text, sizeof info);
    s = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                   WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s == INVALID_SOCKET)
        return WSAGetLastError();
    code = never_blocks(s);
    if (code != 0) {
        closesocket(s);
        return code;
    }
    *out = (pal_socket)s;
    *af = info.iAddressFamily;
    *type = info.iSocketType;
    *protocol = info.iProtocol;
    return 0;
}

/* The system keeps the socket for the process that was named. */
pal_waitable tcp_os_given_waitable(void)
{
    return PAL_WAITABLE_NONE;
}

void tcp_os_given_serve(void)
{
}

void tcp_os_given_drop(bool all)
{
    (void)all;
}
