/* wsp_connect.c - WSPConnect, WSPListen, WSPAccept. Source: contract 4.5, 4.8, 4.9. */
#include "base/error.h"
#include "sock/address.h"
#include "sock/conn.h"
#include "sock/engine.h"
#include "sock/instance.h"
#include "sock/listen.h"
#include "spi/wsp.h"

static int check_state(const struct wsd_sock *s)
{
    switch (wsd_sock_state(s)) {
    case WSD_ST_CREATED:
    case WSD_ST_BOUND: return 0;
    case WSD_ST_CONNECTING: return WSAEALREADY;
    case WSD_ST_CONNECTED: return WSAEISCONN;
    default: return WSAEINVAL;
    }
}

/* The local end: what was bound, or for the wildcard the address that routes to the peer (W15). */
static int choose_local(struct wsd_sock *s, const struct vb_addr *remote, struct vb_addr *local)
{
    pal_mutex_lock(&s->lock);
    *local = s->local;
    pal_mutex_unlock(&s->lock);
    if (local->family != VB_AF_NONE && !vb_addr_is_any(local))
        return 0;
    uint16_t port = local->port;
    vb_status_t st = vb_route(wsd_provider.backend, remote, local);
    local->port = port;
    return st == VB_OK ? 0 : st == VB_E_ADDRNOTAVAIL ? WSAEADDRNOTAVAIL : wsd_error_connect(st);
}

static int connect_socket(struct wsd_sock *s, const WSD_SOCKADDR *name, int namelen)
{
    struct vb_addr remote, local;
    int error = check_state(s);
    if (error)
        return error;
    error = wsd_address_from_edge(name, namelen, s->family, &remote);
    if (error)
        return name && namelen >= (int)sizeof(USHORT) && name->sa_family != WS_AF_INET &&
                       name->sa_family != WS_AF_INET6
                   ? WSAEAFNOSUPPORT
                   : error;
    if (vb_addr_is_any(&remote) || remote.port == 0)
        return WSAEADDRNOTAVAIL;
    error = choose_local(s, &remote, &local);
    if (error)
        return error;
    uint64_t key;
    if (!wsd_conn_new_key(&key))
        return WSAENOBUFS;
    pal_mutex_lock(&s->lock);
    bool moved = wsd_sock_move_locked(s, WSD_EV_CONNECT);
    if (moved) {
        s->local = local;
        s->remote = remote;
        s->key = key;
    }
    pal_mutex_unlock(&s->lock);
    if (!moved)
        return check_state(s);
    struct wsd_wire w = {.kind = WSD_WIRE_CONNECT,
                         .family = local.family,
                         .source = local,
                         .destination = remote,
                         .key = key,
                         .resume_port = wsd_engine_resume_port(local.family),
                         .flags = wsd_provider_has_read() ? WSD_WIRE_HAS_READ : 0};
    error = wsd_conn_start(s, &remote, &w);
    if (error)
        wsd_sock_move(s, WSD_EV_FAIL);
    return error ? error : WSAEWOULDBLOCK;
}

int WSPAPI WSPConnect(SOCKET s, const WSD_SOCKADDR *name, int namelen, LPWSABUF lpCallerData,
                      LPWSABUF lpCalleeData, LPQOS lpSQOS, LPQOS lpGQOS, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    int error;
    if (lpSQOS || lpGQOS)
        error = WSAEOPNOTSUPP;
    else if (lpCallerData && lpCallerData->len)
        error = WSAEPROTONOSUPPORT; /* the private data is full with our own (Q22) */
    else {
        if (lpCalleeData)
            lpCalleeData->len = 0;
        error = connect_socket(sock, name, namelen);
    }
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, error);
}

int WSPAPI WSPListen(SOCKET s, int backlog, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    int error = wsd_listen_start(sock, backlog);
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, error);
}

SOCKET WSPAPI WSPAccept(SOCKET s, WSD_SOCKADDR *addr, LPINT addrlen, LPCONDITIONPROC lpfnCondition,
                        DWORD_PTR dwCallbackData, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_no_socket(lpErrno, WSAENOTSOCK);
    int error = 0;
    struct wsd_accept_args args = {addr, addrlen, lpfnCondition, dwCallbackData};
    struct wsd_sock *accepted = wsd_listen_accept(sock, &args, &error);
    wsd_sock_release(sock, WSD_REF_CALL);
    if (!accepted)
        return wsp_no_socket(lpErrno, error);
    wsp_result(lpErrno, 0);
    return wsd_sock_descriptor(accepted);
}
