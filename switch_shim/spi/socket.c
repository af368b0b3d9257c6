/* socket.c - WSPSocket, WSPCloseSocket, WSPShutdown and its two sisters. */
#include "spi/spi.h"

#include "spi/duplicate.h"
#include "spi/share.h"
#include "tcpip/tcpip.h"

#define KNOWN_FLAGS 0xFFu
/* Roots and leaves are for multicast (10.1, 17). */
#define MULTIPOINT_FLAGS                                                                                     \
    (WSA_FLAG_MULTIPOINT_C_ROOT | WSA_FLAG_MULTIPOINT_C_LEAF | WSA_FLAG_MULTIPOINT_D_ROOT |                  \
     WSA_FLAG_MULTIPOINT_D_LEAF)

int sw_tcp_leg_make(struct sw_sock *s, struct sw_leg **out)
{
    struct sw_leg *leg = sw_leg_new(s, false);
    int code;

    if (leg == NULL)
        return WSAENOBUFS;
    code = sw_tcp_create(s->af, s->type, s->protocol, &sw_leg_up, leg, &leg->carrier);
    if (code != 0) {
        sw_leg_free_unused(leg);
        return code;
    }
    *out = leg;
    return 0;
}

static SOCKET fail(LPINT error, int code)
{
    *error = code;
    return INVALID_SOCKET;
}

SOCKET WSPAPI sw_spi_socket(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags,
                            LPINT error)
{
    WSAPROTOCOL_INFOW own;
    struct sw_sock *s;
    SOCKET handle;
    int code;

    (void)g; /* groups are for quality of service, which we do not have */
    if (!sw_spi_is_started())
        return fail(error, WSANOTINITIALISED);
    if (info != NULL && info->dwProviderReserved != 0)
        return sw_duplicate_take(info, flags, error);
    code = (flags & ~(DWORD)KNOWN_FLAGS) != 0 ? WSAEINVAL : sw_catalog_choose(&af, &type, &protocol, info);
    if (code == 0 && type == WS_SOCK_STREAM && (flags & MULTIPOINT_FLAGS) != 0)
        code = WSAEINVAL;
    if (code != 0)
        return fail(error, code);
    sw_catalog_fill(&own, af, type, protocol, info);
    s = sw_sock_new(af, type, protocol, &own, (flags & WSA_FLAG_OVERLAPPED) != 0 ? SW_MODE_OVERLAPPED : 0u);
    if (s == NULL)
        return fail(error, WSAENOBUFS);
    code = sw_tcp_leg_make(s, &s->tcp);
    if (code == 0)
        code = sw_sock_publish(s);
    if (code != 0) {
        sw_sock_abandon(s);
        return fail(error, code);
    }
    handle = (SOCKET)pal_load_relaxed(&s->handle);
    sw_sock_leave(s);
    *error = 0;
    return handle;
}

/* --- closing (contract 10.3, "Close and linger") --- */

static int wait_until_closed(struct sw_sock *s)
{
    int code;

    pal_mutex_lock(&s->lock);
    while (s->legs_left > 0)
        pal_cond_wait(&s->changed, &s->lock);
    code = s->closed_error;
    pal_mutex_unlock(&s->lock);
    return code;
}

uint32_t sw_sock_linger_ms(struct sw_sock *s)
{
    WSD_LINGER linger;

    pal_mutex_lock(&s->lock);
    linger = s->linger;
    pal_mutex_unlock(&s->lock);
    return linger.l_onoff == 0 ? SW_SESSION_LINGER_FOREVER : (uint32_t)linger.l_linger * 1000u;
}

int WSPAPI sw_spi_close_socket(SOCKET h, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    uint32_t linger_ms;
    bool waits;

    if (s == NULL)
        return SOCKET_ERROR;
    *error = sw_names_close(s, h);
    if (*error != SW_NAMES_LAST) { /* the connection ends with the last handle (B213) */
        sw_sock_leave(s);
        return *error == 0 ? 0 : SOCKET_ERROR;
    }
    linger_ms = sw_sock_linger_ms(s);
    waits = linger_ms != 0 && linger_ms != SW_SESSION_LINGER_FOREVER && pal_load_acquire(&s->data) != NULL &&
            !sw_share_goes_on(s);
    if (waits && (pal_load_relaxed(&s->mode) & SW_MODE_NONBLOCKING) != 0) {
        sw_names_stay(s);
        sw_sock_leave(s);
        return SW_RESULT(error, WSAEWOULDBLOCK); /* and the handle stays valid */
    }
    sw_share_leave(s); /* another process may have the connection still */
    if (!sw_sock_begin_close(s, linger_ms)) {
        sw_sock_leave(s);
        return SW_RESULT(error, WSAENOTSOCK);
    }
    sw_sock_hold(s);
    sw_sock_leave(s);
    if (waits)
        (void)wait_until_closed(
            s); /* when the time was not enough, the carrier has ended it abortively; the handle is gone */
    sw_sock_release(s);
    *error = 0;
    return 0;
}

/* --- half closing --- */

/* SW_E_MOVED: control of the connection is about to leave. */
static int shut_once(struct sw_sock *s, int how)
{
    int code = 0;
    struct sw_carrier *c = sw_share_carrier(s, 0, &code);
    uint32_t bits = (how != SD_RECEIVE ? SW_MODE_SHUT_SEND : 0u) | (how != SD_SEND ? SW_MODE_SHUT_RECV : 0u);

    if (c == NULL)
        return code;
    if ((pal_load_relaxed(&s->mode) & bits) == bits)
        return 0; /* again (B134) */
    code = c->ops->shutdown(c, how);
    if (code == 0)
        atomic_fetch_or_explicit(&s->mode, bits, memory_order_relaxed);
    return code == WSATRY_AGAIN && pal_load_acquire(&s->share) != NULL ? SW_E_MOVED : code;
}

int sw_shutdown_both_ways(struct sw_sock *s, int how)
{
    int code = shut_once(s, how);

    while (code == SW_E_MOVED) {
        code = sw_share_wait(s, 0); /* until it has gone, and come back */
        if (code == 0)
            code = shut_once(s, how);
    }
    return code;
}

static int shut_down(SOCKET h, int how, bool has_data, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    int code;

    if (s == NULL)
        return SOCKET_ERROR;
    if (how != SD_RECEIVE && how != SD_SEND && how != SD_BOTH)
        code = WSAEINVAL;
    else if (has_data)
        code = WSAENOPROTOOPT; /* TCP carries no disconnect data (10.1, 20 and 24) */
    else
        code = sw_shutdown_both_ways(s, how);
    sw_sock_leave(s);
    *error = code;
    return code == 0 ? 0 : SOCKET_ERROR;
}

int WSPAPI sw_spi_shutdown(SOCKET h, int how, LPINT error)
{
    return shut_down(h, how, false, error);
}

int WSPAPI sw_spi_send_disconnect(SOCKET h, LPWSABUF data, LPINT error)
{
    return shut_down(h, SD_SEND, data != NULL && data->len > 0, error);
}

int WSPAPI sw_spi_recv_disconnect(SOCKET h, LPWSABUF data, LPINT error)
{
    return shut_down(h, SD_RECEIVE, data != NULL && data->len > 0, error);
}
