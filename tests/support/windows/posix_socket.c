/* posix_socket.c - see include/sys/socket.h. */
#include <sys/socket.h>

#undef socket
#undef connect
#undef bind
#undef accept
#undef getsockopt

extern const int posix_sockets_are_warm;
const int posix_sockets_are_warm = 1;

/* The first call of Winsock makes Wine keep a handle for the thread, which must not be taken for something a test left. */
__attribute__((constructor)) static void warm_up(void)
{
    WSADATA data;
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return;
    const SOCKET s = WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, NULL, 0, WSA_FLAG_NO_HANDLE_INHERIT);
    (void)connect(s, (const struct sockaddr *)&at, sizeof at); /* sends nothing */
    closesocket(s);
}

/* Sets errno as POSIX would; returns what the call returned. */
static int outcome(int rc)
{
    if (rc >= 0)
        return rc;
    switch (WSAGetLastError()) {
    case WSAEWOULDBLOCK:
        errno = EINPROGRESS;
        break; /* of connect(), the only call here that may be under way */
    case WSAEADDRINUSE: errno = EADDRINUSE; break;
    case WSAECONNREFUSED: errno = ECONNREFUSED; break;
    default: errno = EIO;
    }
    return -1;
}

int posix_socket(int family, int type, int protocol)
{
    WSADATA data;
    u_long on = 1;
    (void)WSAStartup(MAKEWORD(2, 2), &data);
    const SOCKET s = WSASocketW(family, type & 0xff, protocol, NULL, 0,
                                WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s != INVALID_SOCKET && (type & SOCK_NONBLOCK))
        ioctlsocket(s, (long)FIONBIO, &on);
    return outcome(s == INVALID_SOCKET ? -1 : (int)s);
}

int posix_connect(int s, const struct sockaddr *to, socklen_t bytes)
{
    return outcome(connect((SOCKET)s, to, bytes));
}

int posix_bind(int s, const struct sockaddr *at, socklen_t bytes)
{
    return outcome(bind((SOCKET)s, at, bytes));
}

/* What POSIX accepts blocks, whatever the listener does. */
int posix_accept(int s, struct sockaddr *from, socklen_t *bytes)
{
    u_long off = 0;
    const SOCKET got = accept((SOCKET)s, from, bytes);
    if (got != INVALID_SOCKET)
        ioctlsocket(got, (long)FIONBIO, &off);
    return outcome(got == INVALID_SOCKET ? -1 : (int)got);
}

int posix_getsockopt(int s, int level, int name, void *value, socklen_t *bytes)
{
    return outcome(getsockopt((SOCKET)s, level, name, value, bytes));
}

ssize_t posix_socket_write(int s, const void *bytes, size_t count)
{
    return outcome(send((SOCKET)s, bytes, (int)count, 0));
}

int posix_socket_close(int s)
{
    return outcome(closesocket((SOCKET)s));
}

int posix_socket_poll(struct pollfd *fds, unsigned long count, int timeout_ms)
{
    for (unsigned long i = 0; i < count; i++) /* negative means "none" to POSIX, and is sign-extended here */
        fds[i].revents = 0;
    return outcome(WSAPoll(fds, count, timeout_ms));
}
