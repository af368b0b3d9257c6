/* connect.c - WSPConnect and what ConnectEx shares with it: which carrier, fallback, the end of the attempt (contract 8.2, 8.3).
 *   TCP/IP owns the port: a socket that is not bound is bound first, to the provider's address, so that the companion has a real port
 *   (Q32). The companion is tried when the provider's subnet contains the destination; what fails before the SAN connection stands
 *   falls back, apart from the answers that TCP/IP would give too. WSD_SWITCH=forced: no fallback. */
#include "spi/spi.h"

#include <string.h>

static int least_bytes(int af)
{
    return (int)(af == WS_AF_INET ? sizeof(WSD_SOCKADDR_IN) : sizeof(WSD_SOCKADDR_IN6));
}

/* --- the end of an attempt --- */

void sw_connect_established(struct sw_sock *s, struct sw_leg *leg)
{
    struct sw_io *io;

    pal_mutex_lock(&s->lock);
    if (s->state != SW_CONNECTING || /* the attempt has ended in another thread */
        !sw_sock_move_locked(s, SW_CONNECTED)) {
        pal_mutex_unlock(&s->lock);
        return;
    }
    s->is_bound = s->is_peer_set = s->is_connect_over = true;
    s->error = s->connect_error = 0;
    s->connected_ns = pal_now_ns();
    io = s->connect_io;
    s->connect_io = NULL;
    atomic_fetch_and_explicit(&s->mode, ~(SW_MODE_SHUT_SEND | SW_MODE_SHUT_RECV), memory_order_relaxed);
    sw_sock_set_data(s, leg->carrier);
    pal_mutex_unlock(&s->lock);
    sw_events_happened(s, FD_CONNECT, 0);
    sw_events_arm(s);
    if (io != NULL)
        io->over(io);
}

static void failed(struct sw_sock *s, int error)
{
    struct sw_io *io;

    pal_mutex_lock(&s->lock);
    if (s->state != SW_CONNECTING) {
        pal_mutex_unlock(&s->lock);
        return;
    }
    sw_sock_move_back_locked(s);
    s->is_connect_over = true;
    s->connect_error = error;
    /* a failed blocking connect leaves SO_ERROR 0 (B053, B056) */
    s->error = (pal_load_relaxed(&s->mode) & SW_MODE_NONBLOCKING) != 0 ? error : 0;
    io = s->connect_io;
    s->connect_io = NULL;
    pal_mutex_unlock(&s->lock);
    sw_events_happened(s, FD_CONNECT, error);
    if (io != NULL) {
        io->r.op.error = error;
        io->over(io);
    }
}

/* --- TCP/IP --- */

static int try_tcp(struct sw_sock *s)
{
    struct sw_leg *leg;
    int code;

    pal_mutex_lock(&s->lock);
    leg = s->state == SW_CONNECTING ? s->tcp : NULL;
    pal_mutex_unlock(&s->lock);
    if (leg == NULL)
        return WSA_OPERATION_ABORTED; /* called off (sw_cancel_io()) */
    code = leg->carrier->ops->connect(leg->carrier, (const WSD_SOCKADDR *)&s->to, s->to_bytes);
    if (code == 0)
        sw_connect_established(s, leg);
    else if (code != WSA_IO_PENDING)
        failed(s, code);
    return code;
}

/* --- the companion --- */

/* False: the attempt was called off, and the companion with it. */
static bool drop_companion(struct sw_sock *s, struct sw_leg *leg)
{
    bool is_ours;

    pal_mutex_lock(&s->lock);
    is_ours = s->san == leg;
    if (is_ours) {
        s->san = NULL;
        sw_leg_retire_locked(s, leg, 0);
    }
    pal_mutex_unlock(&s->lock);
    return is_ours;
}

static int companion_failed(struct sw_sock *s, struct sw_leg *leg, bool may_fall_back, int code)
{
    if (!drop_companion(s, leg))
        return WSA_OPERATION_ABORTED;
    if (may_fall_back && sw_providers_mode() != SW_SWITCH_FORCED)
        return try_tcp(s);
    failed(s, code);
    return code;
}

/* The companion gets the name that TCP/IP's socket has. */
static int bind_companion(struct sw_sock *s, struct sw_carrier *san, const WSD_SOCKADDR_IN *provider_address)
{
    WSD_SOCKADDR_STORAGE name;
    int bytes = sizeof(name);
    struct sw_carrier *tcp;
    int code;

    pal_mutex_lock(&s->lock);
    tcp = s->tcp->carrier;
    pal_mutex_unlock(&s->lock);
    code = tcp->ops->local(tcp, &name, &bytes);
    if (code != 0)
        return code;
    if (((WSD_SOCKADDR_IN *)&name)->sin_addr.s_addr == 0)
        ((WSD_SOCKADDR_IN *)&name)->sin_addr = provider_address->sin_addr;
    code = san->ops->bind(san, (const WSD_SOCKADDR *)&name, bytes);
    return code != 0 ? code : sw_options_replay(s, san);
}

/* False: the attempt was called off meanwhile. */
static bool take_companion(struct sw_sock *s, struct sw_leg *leg)
{
    bool is_wanted;

    pal_mutex_lock(&s->lock);
    is_wanted = s->state == SW_CONNECTING;
    if (is_wanted)
        s->san = leg;
    else
        sw_leg_retire_locked(s, leg, 0);
    pal_mutex_unlock(&s->lock);
    return is_wanted;
}

static int try_san(struct sw_sock *s, struct sw_provider *p, const WSD_SOCKADDR_IN *provider_address)
{
    struct sw_leg *leg = sw_leg_new(s, true);
    int code;

    if (leg == NULL)
        return try_tcp(s);
    code = sw_san_create(p, sw_providers_settings(), &sw_leg_up, leg, &leg->carrier);
    if (code != 0) {
        sw_leg_free_unused(leg);
        if (sw_providers_mode() != SW_SWITCH_FORCED)
            return try_tcp(s);
        failed(s, code);
        return code;
    }
    if (!take_companion(s, leg))
        return WSA_OPERATION_ABORTED;
    code = bind_companion(s, leg->carrier, provider_address);
    if (code != 0)
        return companion_failed(s, leg, true, code);
    code = leg->carrier->ops->connect(leg->carrier, (const WSD_SOCKADDR *)&s->to, s->to_bytes);
    if (code == 0)
        sw_connect_established(s, leg);
    else if (code != WSA_IO_PENDING)
        return companion_failed(s, leg, sw_san_may_fall_back(leg->carrier), code);
    return code;
}

/* --- choosing --- */

/* Binds to the provider's address when nobody did. NULL: TCP/IP (8.2, Q31). */
static struct sw_provider *choose(struct sw_sock *s, WSD_SOCKADDR_IN *provider_address)
{
    const WSD_SOCKADDR_IN *to = (const WSD_SOCKADDR_IN *)&s->to;
    WSD_SOCKADDR_STORAGE name;
    int bytes = sizeof(name);
    struct sw_provider *p;
    struct sw_carrier *tcp;
    bool is_bound;

    if (s->af != WS_AF_INET || sw_providers_mode() == SW_SWITCH_OFF)
        return NULL;
    memset(&name, 0, sizeof(name));
    pal_mutex_lock(&s->lock);
    tcp = s->tcp->carrier;
    is_bound = s->is_bound;
    pal_mutex_unlock(&s->lock);
    if (is_bound && tcp->ops->local(tcp, &name, &bytes) != 0)
        return NULL;
    p = sw_providers_for(to, is_bound ? (const WSD_SOCKADDR_IN *)&name : NULL, provider_address);
    if (p == NULL || is_bound)
        return p;
    provider_address->sin_port = 0;
    if (tcp->ops->bind(tcp, (const WSD_SOCKADDR *)provider_address, sizeof(*provider_address)) != 0)
        return NULL;
    pal_mutex_lock(&s->lock);
    s->is_bound = true;
    pal_mutex_unlock(&s->lock);
    return p;
}

static int begin_locked(struct sw_sock *s, const WSD_SOCKADDR *name, int bytes, struct sw_io *io)
{
    switch (s->state) {
    case SW_CONNECTED: return WSAEISCONN;                                                     /* B051 */
    case SW_CONNECTING: return io != NULL || s->connect_io != NULL ? WSAEINVAL : WSAEALREADY; /* B047 */
    case SW_LISTENING:
    case SW_ACCEPTING: return WSAEINVAL; /* B073 */
    case SW_CREATED:
    case SW_BOUND:
    case SW_DISCONNECTED: break;
    case SW_FREE: return WSAENOTSOCK;
    }
    if (s->tcp == NULL || !sw_sock_move_locked(s, SW_CONNECTING))
        return WSAEINVAL;
    memset(&s->to, 0, sizeof(s->to));
    s->to_bytes = bytes < (int)sizeof(s->to) ? bytes : (int)sizeof(s->to);
    if (s->to_bytes > least_bytes(s->af))
        s->to_bytes = least_bytes(s->af);
    memcpy(&s->to, name, (size_t)s->to_bytes);
    s->is_connect_over = false;
    s->connect_error = 0;
    s->connect_io = io;
    sw_events_forget_locked(s);
    return 0;
}

int sw_connect_begin(struct sw_sock *s, const WSD_SOCKADDR *name, int bytes, struct sw_io *io)
{
    WSD_SOCKADDR_IN provider_address;
    struct sw_provider *p;
    int code;

    pal_mutex_lock(&s->lock);
    code = begin_locked(s, name, bytes, io);
    pal_mutex_unlock(&s->lock);
    if (code != 0)
        return code;
    p = choose(s, &provider_address);
    code = p != NULL ? try_san(s, p, &provider_address) : try_tcp(s);
    return io != NULL ? WSA_IO_PENDING : code; /* ConnectEx hears by completion in every case (B064) */
}

/* FD_CONNECT of a carrier, in any thread. */
void sw_connect_event(struct sw_leg *leg, int error)
{
    struct sw_sock *s = leg->sock;
    bool is_current;

    if (!sw_sock_enter(s))
        return; /* being closed: sw_accept_closed() tells a waiting ConnectEx */
    pal_mutex_lock(&s->lock);
    is_current = s->state == SW_CONNECTING && (s->san == leg || (s->tcp == leg && s->san == NULL));
    pal_mutex_unlock(&s->lock);
    if (is_current && error == 0)
        sw_connect_established(s, leg);
    else if (is_current && leg->is_san)
        (void)companion_failed(s, leg, sw_san_may_fall_back(leg->carrier), error);
    else if (is_current)
        failed(s, error);
    sw_sock_leave(s);
}

/* --- WSPConnect --- */

static bool is_wildcard(const WSD_SOCKADDR *name)
{
    static const WSD_SOCKADDR_IN6 zero;

    if (name->sa_family == WS_AF_INET)
        return ((const WSD_SOCKADDR_IN *)name)->sin_addr.s_addr == 0;
    return memcmp(&((const WSD_SOCKADDR_IN6 *)name)->sin6_addr, &zero.sin6_addr, sizeof(zero.sin6_addr)) == 0;
}

/* No port (at the same place in both families), or the wildcard address: nobody is there. */
static bool is_nowhere(const WSD_SOCKADDR *name)
{
    return ((const WSD_SOCKADDR_IN *)name)->sin_port == 0 || is_wildcard(name);
}

static int check_name(const struct sw_sock *s, const WSD_SOCKADDR *name, int bytes)
{
    if (name == NULL || bytes < (int)sizeof(name->sa_family))
        return WSAEFAULT;
    if (s->type != WS_SOCK_STREAM && name->sa_family == WS_AF_UNSPEC)
        return 0; /* a datagram socket loses its peer */
    if (name->sa_family != s->af)
        return WSAEAFNOSUPPORT;
    if (bytes < least_bytes(s->af))
        return WSAEFAULT;
    return s->type == WS_SOCK_STREAM && is_nowhere(name) ? WSAEADDRNOTAVAIL : 0;
}

/* To the wildcard address, or to one of no family: the socket has no peer any more (connect() page). */
static int connect_datagrams(struct sw_sock *s, const WSD_SOCKADDR *name, int bytes)
{
    struct sw_carrier *c = s->tcp->carrier; /* const while a call is counted */
    bool is_parting = name->sa_family == WS_AF_UNSPEC || is_wildcard(name);
    WSD_SOCKADDR_STORAGE to;
    int to_bytes = least_bytes(s->af);
    int code;

    memset(&to, 0, sizeof(to));
    to.ss_family = (USHORT)s->af;
    if (!is_parting)
        memcpy(&to, name, (size_t)(bytes < to_bytes ? bytes : to_bytes));
    code = c->ops->connect(c, (const WSD_SOCKADDR *)&to, to_bytes);
    if (code != 0)
        return code;
    pal_mutex_lock(&s->lock);
    if (!sw_sock_move_locked(s, is_parting ? SW_BOUND : SW_CONNECTED))
        code = WSAEINVAL;
    s->is_bound = true;
    s->is_peer_set = !is_parting;
    s->to = to;
    s->to_bytes = to_bytes;
    pal_mutex_unlock(&s->lock);
    if (code != 0)
        return code;
    sw_sock_set_data(s, c);
    sw_events_arm(s);
    return 0;
}

/* True: the answer of a peer or of the network, which a non-blocking call may not give on the spot (B045). */
static bool is_answer(int code)
{
    return code == 0 || code == WSAECONNREFUSED || code == WSAETIMEDOUT || code == WSAECONNRESET;
}

/* Wait for the end of the attempt. Called and left with a call counted, or *is_gone. */
static int wait_for_connect(struct sw_sock *s, bool *is_gone)
{
    struct sw_blocker b;
    int code = 0;

    sw_block_begin(&b, 0);
    sw_sock_park(s);
    pal_mutex_lock(&s->lock);
    while (code == 0 && !s->is_connect_over && (pal_load_relaxed(&s->use) & SW_USE_CLOSING) == 0)
        code = sw_block_on_change_locked(s, &b);
    if (code == 0)
        code = s->is_connect_over ? s->connect_error : WSAEINTR;
    pal_mutex_unlock(&s->lock);
    sw_block_end(&b);
    *is_gone = !sw_sock_enter(s);
    sw_sock_release(s);
    return code;
}

int WSPAPI sw_spi_connect(SOCKET h, const WSD_SOCKADDR *name, int bytes, LPWSABUF caller, LPWSABUF callee,
                          LPQOS sqos, LPQOS gqos, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    bool is_blocking, is_gone = false;
    int code;

    (void)sqos; /* no quality of service: what is asked is not refused (10.3: "SQOS NULL = no QoS offered") */
    (void)gqos;
    if (s == NULL)
        return SOCKET_ERROR;
    is_blocking = (pal_load_relaxed(&s->mode) & SW_MODE_NONBLOCKING) == 0;
    code = check_name(s, name, bytes);
    if (code == 0 && caller != NULL && caller->len > 0)
        code = WSAEOPNOTSUPP; /* TCP carries no connect data */
    if (code == 0 && s->type != WS_SOCK_STREAM) {
        code = connect_datagrams(s, name, bytes);
    } else if (code == 0) {
        code = sw_connect_begin(s, name, bytes, NULL);
        if (code == WSA_IO_PENDING)
            code = is_blocking ? wait_for_connect(s, &is_gone) : WSAEWOULDBLOCK;
        else if (!is_blocking && is_answer(code))
            code = WSAEWOULDBLOCK; /* FD_CONNECT tells */
    }
    if (code == 0 && callee != NULL)
        callee->len = 0;
    if (!is_gone)
        sw_sock_leave(s);
    *error = code;
    return code == 0 ? 0 : SOCKET_ERROR;
}
