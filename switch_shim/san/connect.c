/* connect.c - the active side in the order of contract 8.3, and what both sides do once their companions are connected:
 * register the memory, start the session, which posts the receives and negotiates.
 * Until WSPConnect has succeeded TCP/IP may still be tried; afterwards never (8.2). */
#include "san/internal.h"

#include <string.h>

bool sw_san_may_fall_back(const struct sw_carrier *carrier)
{
    const struct san *c = (const struct san *)(const void *)carrier;
    const int error = c->connect_error;

    return error != 0 && !c->was_connected && error != WSAECONNRESET && error != WSAECONNREFUSED &&
           error != WSAEHOSTUNREACH;
}

/* The provider's own address in the destination's subnet, when the application left the choice to us (Q32). */
static int bind_somewhere(struct san *c, const WSD_SOCKADDR_IN *to)
{
    WSD_SOCKADDR_IN local;
    struct sw_address first;

    memset(&local, 0, sizeof(local));
    if (sw_provider_for(to, NULL, &local) != c->provider) {
        if (sw_addresses(c->provider, &first, 1) == 0)
            return WSAEADDRNOTAVAIL;
        local = first.address;
    }
    local.sin_family = WS_AF_INET;
    if (c->is_bound) /* to the wildcard address: the port is the application's */
        local.sin_port = c->local.sin_port;
    return sw_bind(c->companion, &local);
}

static int go(struct san *c, const WSD_SOCKADDR_IN *to)
{
    struct sw_companion *companion = c->companion;
    WSAEVENT event;
    INT error = 0;
    int result = 0;

    if (!c->is_bound || c->local.sin_addr.s_addr == 0)
        result = bind_somewhere(c, to);
    if (result == 0)
        result = san_service_start(&event);
    if (result != 0)
        return result;
    if (c->procs->lpWSPEventSelect(c->descriptor, event, FD_CONNECT, &error) == SOCKET_ERROR)
        return sw_call_failed(c->provider, "WSPEventSelect", error);
    if (c->procs->lpWSPConnect(c->descriptor, (const WSD_SOCKADDR *)(const void *)to, sizeof(*to), NULL, NULL,
                               NULL, NULL, &error) != SOCKET_ERROR) {
        companion->remote = *to;
        return 0;
    }
    companion->remote = *to;
    return error == WSAEWOULDBLOCK ? WSA_IO_PENDING : sw_call_failed(c->provider, "WSPConnect", error);
}

static int begin(struct san *c, const WSD_SOCKADDR *name, int bytes)
{
    if (bytes < (int)sizeof(WSD_SOCKADDR_IN))
        return WSAEFAULT;
    if (name->sa_family != WS_AF_INET)
        return WSAEAFNOSUPPORT;
    if (c->phase == SAN_CONNECTING || c->phase == SAN_CONNECTED)
        return WSAEALREADY;
    if (c->phase == SAN_LISTENING || c->phase == SAN_FAILED)
        return WSAEINVAL;
    return c->phase == SAN_RUNNING ? WSAEISCONN : 0;
}

int san_connect(struct sw_carrier *carrier, const WSD_SOCKADDR *name, int bytes)
{
    struct san *c = san_of(carrier);
    WSD_SOCKADDR_IN to;
    int result;

    san_enter(c);
    result = begin(c, name, bytes);
    if (result != 0) {
        san_leave(c);
        return result;
    }
    memcpy(&to, name, sizeof(to));
    c->remote = to;
    c->phase = SAN_CONNECTING;
    c->is_acting = true; /* nobody closes the companion meanwhile */
    /* locked: an option that another thread sets now is told to the session, or goes into its settings */
    result = san_prepare(c, true);
    if (result == 0) {
        pal_mutex_unlock(&c->lock);
        result = go(c, &to);
        pal_mutex_lock(&c->lock);
    }
    c->is_acting = false;
    c->local = c->companion->local;
    if (result == 0) {
        c->phase = SAN_CONNECTED;
        c->was_connected = true;
    } else if (result == WSA_IO_PENDING) {
        san_service_arm(c, SAN_TIMER_CONNECT, c->set.connect_ms);
        san_service_link(c, true);
    } else {
        c->connect_error = result;
        c->is_acting = true;
        san_break(c);
        c->is_acting = false;
    }
    san_leave(c);
    san_service_wake(); /* FD_CONNECT may have come before it was in the list */
    return result == 0 ? WSA_IO_PENDING : result;
}

static void connected(struct san *c, int error)
{
    if (c->phase != SAN_CONNECTING || c->is_closing)
        return;
    san_service_disarm(c, SAN_TIMER_CONNECT);
    san_service_link(c, false);
    if (error == 0) {
        c->phase = SAN_CONNECTED;
        c->was_connected = true;
        return;
    }
    c->connect_error = error;
    c->connect_due = true;
    c->phase = SAN_FAILED; /* the upper face closes */
}

void san_look_connect(struct san *c)
{
    WSANETWORKEVENTS seen;
    INT error = 0;

    memset(&seen, 0, sizeof(seen));
    if (c->procs->lpWSPEnumNetworkEvents(c->descriptor, NULL, &seen, &error) == SOCKET_ERROR)
        seen.iErrorCode[FD_CONNECT_BIT] = sw_call_failed(c->provider, "WSPEnumNetworkEvents", error);
    else if ((seen.lNetworkEvents & FD_CONNECT) == 0)
        return;
    san_enter(c);
    connected(c, seen.iErrorCode[FD_CONNECT_BIT]);
    san_leave(c);
}

/* --- connected --- */

bool san_register_pool(struct san *c)
{
    const size_t receives = (size_t)c->set.receives * c->set.message_bytes;
    const size_t sends = sw_session_send_bytes(c->set.send_buffers, c->set.message_bytes);

    return sw_register(c->companion, c->pool, (DWORD)receives, MEM_WRITE, &c->receive_handle) == 0 &&
           sw_register(c->companion, c->pool + receives, (DWORD)sends, MEM_READ, &c->send_handle) == 0;
}

void san_start(struct san *c)
{
    bool is_registered;

    pal_mutex_unlock(&c->lock);
    is_registered = san_register_pool(c);
    pal_mutex_lock(&c->lock);
    if (c->is_closing)
        return; /* by another thread meanwhile: a session that begins now would hear of it from nobody. end() breaks it off */
    if (is_registered) {
        c->phase = SAN_RUNNING;
        sw_session_start(c->session);
        return;
    }
    c->connect_error = WSAENOBUFS;
    if (c->is_owned)
        c->connect_due = true;
    else
        c->is_closing = true;
    san_break(c);
}
