/* names.c - WSPBind, WSPGetSockName, WSPGetPeerName. */
#include "spi/spi.h"

#include <string.h>

#include "spi/share.h"

static int least_bytes(int af)
{
    return (int)(af == WS_AF_INET ? sizeof(WSD_SOCKADDR_IN) : sizeof(WSD_SOCKADDR_IN6));
}

static int bind_to(struct sw_sock *s, const WSD_SOCKADDR *name, int bytes)
{
    struct sw_carrier *c = NULL;
    int code;

    pal_mutex_lock(&s->lock);
    if (!s->is_bound && s->tcp != NULL && s->state != SW_CONNECTING && s->state != SW_ACCEPTING)
        c = s->tcp->carrier;
    pal_mutex_unlock(&s->lock);
    if (c == NULL)
        return WSAEINVAL; /* bound already, or about to get its name from elsewhere */
    code = c->ops->bind(c, name, bytes);
    if (code != 0)
        return code;
    pal_mutex_lock(&s->lock);
    s->is_bound = true;
    if (s->state == SW_CREATED && !sw_sock_move_locked(s, SW_BOUND))
        code = WSAEINVAL;
    pal_mutex_unlock(&s->lock);
    if (code == 0 && s->type != WS_SOCK_STREAM) {
        sw_sock_set_data(s, c);
        sw_events_arm(s);
    }
    return code;
}

/* The wildcard address of the family of `beside`, port 0: what sending without binding does. */
int sw_names_bind_any(struct sw_sock *s, const WSD_SOCKADDR *beside)
{
    WSD_SOCKADDR_STORAGE any;
    int code;

    memset(&any, 0, sizeof(any));
    any.ss_family = beside->sa_family;
    code = bind_to(s, (const WSD_SOCKADDR *)&any, least_bytes(beside->sa_family));
    return code == WSAEINVAL && pal_load_acquire(&s->data) != NULL ? 0 : code; /* another thread was faster */
}

int WSPAPI sw_spi_bind(SOCKET h, const WSD_SOCKADDR *name, int bytes, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    int code;

    if (s == NULL)
        return SOCKET_ERROR;
    if (name == NULL || bytes < (int)sizeof(name->sa_family))
        code = WSAEFAULT; /* B019 */
    else if (name->sa_family != s->af)
        code = WSAEAFNOSUPPORT;
    else if (bytes < least_bytes(s->af))
        code = WSAEFAULT; /* B020 */
    else
        code = bind_to(s, name, bytes);
    sw_sock_leave(s);
    *error = code;
    return code == 0 ? 0 : SOCKET_ERROR;
}

static int give_name(const WSD_SOCKADDR_STORAGE *from, int from_bytes, WSD_SOCKADDR *name, LPINT bytes)
{
    if (name == NULL || bytes == NULL || *bytes < from_bytes)
        return WSAEFAULT; /* and the length stays (B027, B217) */
    memcpy(name, from, (size_t)from_bytes);
    *bytes = from_bytes;
    return 0;
}

/* The carrier that knows the names: the one with the connection, else TCP/IP's. */
static struct sw_carrier *named(struct sw_sock *s)
{
    struct sw_carrier *c = pal_load_acquire(&s->data);

    if (c == NULL) {
        pal_mutex_lock(&s->lock);
        c = s->tcp != NULL ? s->tcp->carrier : NULL;
        pal_mutex_unlock(&s->lock);
    }
    return c;
}

int WSPAPI sw_spi_get_sock_name(SOCKET h, WSD_SOCKADDR *name, LPINT bytes, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    WSD_SOCKADDR_STORAGE local;
    int local_bytes = sizeof(local);
    struct sw_carrier *c;
    int code;

    if (s == NULL)
        return SOCKET_ERROR;
    c = named(s);
    memset(&local, 0, sizeof(local));
    pal_mutex_lock(&s->lock);
    code = s->is_bound && c != NULL ? 0 : WSAEINVAL;
    pal_mutex_unlock(&s->lock);
    if (code == 0)
        code = c->ops->local(c, &local, &local_bytes);
    else if (pal_load_acquire(&s->share) != NULL) /* wherever it is */
        code = sw_share_name(s, &local, &local_bytes);
    if (code == 0)
        code = give_name(&local, local_bytes, name, bytes);
    sw_sock_leave(s);
    *error = code;
    return code == 0 ? 0 : SOCKET_ERROR;
}

int WSPAPI sw_spi_get_peer_name(SOCKET h, WSD_SOCKADDR *name, LPINT bytes, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    WSD_SOCKADDR_STORAGE peer;
    int peer_bytes = sizeof(peer);
    struct sw_carrier *c;
    int code = WSAENOTCONN;

    if (s == NULL)
        return SOCKET_ERROR;
    memset(&peer, 0, sizeof(peer));
    if (sw_share_look(s, &c) || c != NULL) {
        pal_mutex_lock(&s->lock);
        if (s->is_peer_set) { /* streams: kept, because it outlives the connection (B140) */
            memcpy(&peer, &s->to, sizeof(peer));
            peer_bytes = s->to_bytes;
            code = 0;
        }
        pal_mutex_unlock(&s->lock);
    }
    if (code == 0)
        code = give_name(&peer, peer_bytes, name, bytes);
    sw_sock_leave(s);
    *error = code;
    return code == 0 ? 0 : SOCKET_ERROR;
}
