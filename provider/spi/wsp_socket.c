/* wsp_socket.c - WSPSocket, WSPBind, WSPCloseSocket. Source: contract 4.3, 4.4, 4.13. */
#include "sock/address.h"
#include "sock/handover.h"
#include "sock/instance.h"
#include "spi/wsp.h"

static int check_kind(int af, int type, int protocol, GROUP g, DWORD flags, uint8_t *family)
{
    *family = af == WS_AF_INET6 ? VB_AF_IPV6 : VB_AF_IPV4;
    /* IPv6 beyond the SAN pages (Q24): served when a caller asks for it */
    if (af != WS_AF_INET && af != WS_AF_INET6)
        return WSAEAFNOSUPPORT;
    if (type != WS_SOCK_STREAM)
        return type == WS_SOCK_DGRAM || type == WS_SOCK_RAW ? WSAESOCKTNOSUPPORT : WSAEPROTOTYPE;
    if (protocol != WS_IPPROTO_TCP)
        return protocol == WS_IPPROTO_UDP ? WSAEPROTOTYPE : WSAEPROTONOSUPPORT;
    if (g != 0)
        return WSAEINVAL;
    /* "Contains" the overlapped flag, always (4.3); multipoint flags have no meaning for a stream. */
    return flags & WSA_FLAG_OVERLAPPED && !(flags & ~(DWORD)WSA_FLAG_OVERLAPPED) ? 0 : WSAEINVAL;
}

SOCKET WSPAPI WSPSocket(int af, int type, int protocol, LPWSAPROTOCOL_INFOW lpProtocolInfo, GROUP g,
                        DWORD dwFlags, LPINT lpErrno)
{
    uint8_t family;
    if (!pal_load_acquire(&wsd_provider.running))
        return wsp_no_socket(lpErrno, WSAENETDOWN);
    int error = check_kind(af, type, protocol, g, dwFlags, &family);
    if (error)
        return wsp_no_socket(lpErrno, error);
    struct wsd_sock *s = wsd_sock_create(WSD_REF_CALL);
    if (!s)
        return wsp_no_socket(lpErrno, WSAENOBUFS);
    s->family = family;
    /* non-zero: a duplicate (4.3 [R]) */
    DWORD token = lpProtocolInfo ? lpProtocolInfo->dwProviderReserved : 0;
    error = token ? wsd_handover_import(s, token) : wsd_sock_open_handle(s);
    if (error)
        wsd_sock_close(s, true);
    else
        wsd_sock_give_descriptor(s);
    SOCKET d = error ? wsp_no_socket(lpErrno, error) : wsd_sock_descriptor(s);
    wsd_sock_release(s, WSD_REF_CALL);
    if (!error)
        wsp_result(lpErrno, 0);
    return d;
}

/* An address of one of our devices, or the wildcard (listening on all of them, C9). The port is TCP/IP's
 * business: never chosen here and never found busy (4.4). */
static int check_local(const struct vb_addr *a)
{
    struct wsd_device *dev;
    if (vb_addr_is_any(a))
        return 0;
    vb_status_t st = wsd_provider_device(a, &dev);
    return st == VB_OK ? 0 : st == VB_E_NOMEM ? WSAENOBUFS : WSAEADDRNOTAVAIL;
}

static int bind_socket(struct wsd_sock *s, const WSD_SOCKADDR *name, int namelen)
{
    struct vb_addr local;
    int error = wsd_address_from_edge(name, namelen, s->family, &local);
    if (error)
        return error;
    if (wsd_sock_state(s) != WSD_ST_CREATED)
        return WSAEINVAL;
    error = check_local(&local);
    if (error)
        return error;
    pal_mutex_lock(&s->lock);
    bool moved = wsd_sock_move_locked(s, WSD_EV_BIND);
    if (moved)
        s->local = local;
    pal_mutex_unlock(&s->lock);
    return moved ? 0 : WSAEINVAL;
}

int WSPAPI WSPBind(SOCKET s, const WSD_SOCKADDR *name, int namelen, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    int error = bind_socket(sock, name, namelen);
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, error);
}

int WSPAPI WSPCloseSocket(SOCKET s, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    bool closed = wsd_sock_close(sock, false);
    if (closed)
        wsd_sock_release(sock, WSD_REF_DESCRIPTOR);
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, closed ? 0 : WSAENOTSOCK);
}
