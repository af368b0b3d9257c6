/* wsp_options.c - WSPGetSockOpt, WSPSetSockOpt, WSPGetQOSByName. Source: contract 3.8, 4.15, 4.17.
 * Everything an application may have set on its TCP socket is accepted, stored and answered: failing such
 * a call would silently take the socket off the SAN. Only numbers that are no socket options are refused. */
#include <string.h>

#include "sock/instance.h"
#include "spi/wsp.h"

struct known_option {
    int level, name;
    uint8_t bytes;  /* of the value; shorter ones are WSAEFAULT */
    uint32_t value; /* until it is set */
};

static const struct known_option known[] = {
    {WS_SOL_SOCKET, WS_SO_DEBUG, 4, 0},
    {WS_SOL_SOCKET, WS_SO_ACCEPTCONN, 4, 0},
    {WS_SOL_SOCKET, WS_SO_REUSEADDR, 4, 0},
    {WS_SOL_SOCKET, WS_SO_KEEPALIVE, 4, 0},
    {WS_SOL_SOCKET, WS_SO_DONTROUTE, 4, 0},
    {WS_SOL_SOCKET, WS_SO_BROADCAST, 4, 0},
    {WS_SOL_SOCKET, WS_SO_USELOOPBACK, 4, 0},
    {WS_SOL_SOCKET, WS_SO_LINGER, 4, 0}, /* two shorts; graceful close is the switch's (4.13) */
    {WS_SOL_SOCKET, WS_SO_OOBINLINE, 4, 0},
    {WS_SOL_SOCKET, WS_SO_DONTLINGER, 4, 1},
    {WS_SOL_SOCKET, WS_SO_EXCLUSIVEADDRUSE, 4, 0},
    {WS_SOL_SOCKET, WS_SO_SNDBUF, 4, 65536},
    {WS_SOL_SOCKET, WS_SO_RCVBUF, 4, 65536},
    {WS_SOL_SOCKET, WS_SO_SNDLOWAT, 4, 1},
    {WS_SOL_SOCKET, WS_SO_RCVLOWAT, 4, 1},
    {WS_SOL_SOCKET, WS_SO_SNDTIMEO, 4, 0},
    {WS_SOL_SOCKET, WS_SO_RCVTIMEO, 4, 0},
    {WS_SOL_SOCKET, WS_SO_ERROR, 4, 0},
    {WS_SOL_SOCKET, WS_SO_TYPE, 4, WS_SOCK_STREAM},
    {WS_SOL_SOCKET, WS_PVD_CONFIG, 4, 0},
    {WS_SOL_SOCKET, WS_SO_CONDITIONAL_ACCEPT, 4, 0},
    {WS_SOL_SOCKET, WS_SO_PAUSE_ACCEPT, 4, 0},
    {WS_SOL_SOCKET, WS_SO_COMPARTMENT_ID, 4, 0},
    {WS_SOL_SOCKET, WS_SO_RANDOMIZE_PORT, 4, 0},
    {WS_SOL_SOCKET, WS_SO_PORT_SCALABILITY, 4, 0},
    {WS_SOL_SOCKET, WS_SO_REUSE_UNICASTPORT, 4, 0},
    {WS_SOL_SOCKET, WS_SO_OPENTYPE, 4, 0},
    {WS_SOL_SOCKET, WS_SO_UPDATE_ACCEPT_CONTEXT, 0, 0},
    {WS_SOL_SOCKET, WS_SO_UPDATE_CONNECT_CONTEXT, 0, 0},
    {WS_IPPROTO_TCP, WS_TCP_NODELAY, 4, 1}, /* nothing is ever delayed here */
};

static const struct known_option *find_known(int level, int name)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].level == level && known[i].name == name)
            return &known[i];
    return NULL;
}

static struct wsd_option *find_stored_locked(struct wsd_sock *s, int level, int name)
{
    for (uint32_t i = 0; i < s->option_count; i++)
        if (s->options[i].level == level && s->options[i].name == name)
            return &s->options[i];
    return NULL;
}

/* The three limits: constant per provider, answered in every state (Q4, Q5), never settable. */
static bool limit_of(int name, uint32_t *value)
{
    switch (name) {
    case WS_SO_MAX_MSG_SIZE: *value = wsd_provider_max_message(); return true;
    case WS_SO_MAX_RDMA_SIZE: *value = wsd_provider_max_rdma(); return true;
    case WS_SO_RDMA_THRESHOLD_SIZE: *value = wsd_provider.config.rdma_threshold_bytes; return true;
    default: return false;
    }
}

static int check_level(int level)
{
    return level == WS_SOL_SOCKET || level == WS_IPPROTO_TCP ? 0 : WSAEINVAL;
}

static int get_option(struct wsd_sock *s, int level, int name, char *value, INT *length)
{
    uint32_t number = 0;
    uint8_t bytes = 4;
    uint8_t stored[8];
    if (check_level(level))
        return WSAEINVAL;
    bool limit = level == WS_SOL_SOCKET && limit_of(name, &number);
    const struct known_option *k = limit ? NULL : find_known(level, name);
    if (!limit && (!k || !k->bytes))
        return WSAENOPROTOOPT; /* SO_GROUP_*: no QoS here; anything else: no such option */
    if (!value || !length || *length < 4)
        return WSAEFAULT;
    if (!limit) {
        number = k->value;
        if (level == WS_SOL_SOCKET && name == WS_SO_ACCEPTCONN)
            number = wsd_sock_state(s) == WSD_ST_LISTENING;
        pal_mutex_lock(&s->lock);
        const struct wsd_option *o = find_stored_locked(s, level, name);
        if (o) {
            memcpy(stored, o->value, sizeof stored);
            memcpy(&number, stored, sizeof number);
        }
        pal_mutex_unlock(&s->lock);
    }
    memcpy(value, &number, bytes);
    *length = bytes;
    return 0;
}

static int set_option(struct wsd_sock *s, int level, int name, const char *value, int length)
{
    uint32_t limit;
    if (check_level(level))
        return WSAEINVAL;
    const struct known_option *k = find_known(level, name);
    bool read_only = level == WS_SOL_SOCKET && (limit_of(name, &limit) || name == WS_SO_ACCEPTCONN ||
                                                name == WS_SO_ERROR || name == WS_SO_TYPE);
    if (!k || read_only)
        return WSAENOPROTOOPT;
    if (k->bytes && (!value || length < k->bytes))
        return WSAEFAULT;
    if (!k->bytes)
        return 0;
    int error = 0;
    pal_mutex_lock(&s->lock);
    struct wsd_option *o = find_stored_locked(s, level, name);
    if (!o && s->option_count < WSD_OPTION_ROOM)
        o = &s->options[s->option_count++];
    if (o) {
        o->level = level;
        o->name = name;
        o->bytes = k->bytes;
        memcpy(o->value, value, k->bytes);
    } else {
        error = WSAENETDOWN; /* cannot happen: there is room for every known option */
    }
    pal_mutex_unlock(&s->lock);
    return error;
}

_Static_assert(sizeof known / sizeof known[0] <= WSD_OPTION_ROOM, "room for every option that can be stored");

int WSPAPI WSPGetSockOpt(SOCKET s, int level, int optname, char *optval, LPINT optlen, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    int error = get_option(sock, level, optname, optval, optlen);
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, error);
}

int WSPAPI WSPSetSockOpt(SOCKET s, int level, int optname, const char *optval, int optlen, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    int error = set_option(sock, level, optname, optval, optlen);
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, error);
}

BOOL WSPAPI WSPGetQOSByName(SOCKET s, LPWSABUF lpQOSName, LPQOS lpQOS, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    (void)lpQOSName, (void)lpQOS;
    if (sock)
        wsd_sock_release(sock, WSD_REF_CALL);
    wsp_result(lpErrno, sock ? WSAEOPNOTSUPP : WSAENOTSOCK);
    return FALSE;
}
