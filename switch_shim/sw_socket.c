/* sw_socket.c - companions: SAN sockets made, bound, connected, moved and closed in the call order of the
 * switch.
 * Source: contract 8.3 and appendix A (order), 8.2 (fallback), 4.3, 4.4, 4.8, 4.13, 4.14. */
#include "sw_companion.h"

#include <stdlib.h>
#include <string.h>

/* --- pieces shared with listeners and the start-up --- */

int sw_raw_socket(struct sw_provider *p, WSAPROTOCOL_INFOW *info, SOCKET *descriptor, SOCKET *handle)
{
    const bool is_duplicate = info->dwProviderReserved != 0;
    INT error = 0;

    (void)sw_take_created_handle();
    *descriptor = p->procs.lpWSPSocket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, info, 0,
                                       WSA_FLAG_OVERLAPPED, &error);
    *handle = sw_take_created_handle();
    if (*descriptor == INVALID_SOCKET) {
        if (*handle != INVALID_SOCKET && sw_handle_is_open(*handle))
            sw_violation(p, "WSPSocket failed and left handle %#llx open", (unsigned long long)*handle);
        return sw_call_failed(p, "WSPSocket", error);
    }
    if (*handle == INVALID_SOCKET && !is_duplicate)
        sw_violation(p, "WSPSocket succeeded without WPUCreateSocketHandle");
    return 0;
}

int sw_raw_bind(struct sw_provider *p, SOCKET descriptor, WSD_SOCKADDR_IN *local, int *port_token)
{
    INT error = 0;

    if (local->sin_port == 0) {
        *port_token = sw_os_port_hold(local, &local->sin_port);
        if (*port_token < 0)
            return WSAEADDRINUSE;
        if (!p->config.hold_tcp_port) {
            sw_os_port_release(*port_token);
            *port_token = -1;
        }
    }
    if (p->procs.lpWSPBind(descriptor, (const WSD_SOCKADDR *)local, sizeof(*local), &error) != SOCKET_ERROR)
        return 0;
    if (error == WSAEADDRINUSE) /* TCP/IP owns the port by design, the provider has no say (contract 4.4) */
        sw_violation(p, "WSPBind failed with WSAEADDRINUSE");
    return sw_call_failed(p, "WSPBind", error);
}

int sw_raw_options(struct sw_provider *p, SOCKET descriptor, const struct sw_socket_params *params)
{
    for (unsigned i = 0; params != NULL && i < params->option_count; i++) {
        const struct sw_option *o = &params->options[i];
        INT error = 0;

        if (p->procs.lpWSPSetSockOpt(descriptor, o->level, o->name, (const char *)o->value, o->value_bytes,
                                     &error) == SOCKET_ERROR)
            return sw_call_failed(p, "WSPSetSockOpt", error);
    }
    return 0;
}

int sw_raw_close(struct sw_provider *p, SOCKET descriptor)
{
    INT error = 0;

    if (p->procs.lpWSPCloseSocket(descriptor, &error) != SOCKET_ERROR)
        return 0;
    if (error == WSAEWOULDBLOCK)
        sw_violation(p, "WSPCloseSocket failed with WSAEWOULDBLOCK");
    return sw_call_failed(p, "WSPCloseSocket", error);
}

void sw_base_link(struct sw_provider *p, struct sw_socket_base *base, bool is_listener)
{
    base->is_listener = is_listener;
    pal_mutex_lock(&p->lock);
    base->link.prev = p->sockets.prev;
    base->link.next = &p->sockets;
    base->link.prev->next = &base->link;
    p->sockets.prev = &base->link;
    pal_mutex_unlock(&p->lock);
}

void sw_base_unlink(struct sw_provider *p, struct sw_socket_base *base)
{
    pal_mutex_lock(&p->lock);
    base->link.prev->next = base->link.next;
    base->link.next->prev = base->link.prev;
    pal_mutex_unlock(&p->lock);
}

void sw_sockets_drop(struct sw_provider *p)
{
    struct sw_link *next;

    for (struct sw_link *link = p->sockets.next; link != &p->sockets; link = next) {
        struct sw_socket_base *base = (struct sw_socket_base *)link;

        next = link->next;
        if (base->is_listener)
            sw_listener_free(base);
        else
            sw_companion_free((struct companion *)base);
    }
}

/* --- companions --- */

struct sw_companion *sw_companion_new(struct sw_provider *p, SOCKET descriptor, SOCKET handle)
{
    struct companion *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->base.port_token = -1;
    c->pub.descriptor = descriptor;
    c->pub.handle = handle;
    c->pub.procs = &p->procs;
    c->pub.ext = &p->ext;
    c->pub.provider = p;
    c->pub.event = WSA_INVALID_EVENT;
    sw_base_link(p, &c->base, false);
    return &c->pub;
}

void sw_companion_free(struct companion *c)
{
    sw_base_unlink(c->pub.provider, &c->base);
    if (c->pub.event != WSA_INVALID_EVENT)
        sw_event_close(c->pub.event);
    sw_os_port_release(c->base.port_token);
    sw_hello_free(c);
    free(c);
}

int sw_socket(struct sw_provider *p, const struct sw_notify *notify, struct sw_companion **out)
{
    WSAPROTOCOL_INFOW info = p->info;
    struct sw_companion *c;
    SOCKET descriptor;
    SOCKET handle;
    int result = sw_raw_socket(p, &info, &descriptor, &handle);

    if (result != 0)
        return result;
    c = sw_companion_new(p, descriptor, handle);
    if (c == NULL) {
        sw_raw_close(p, descriptor);
        return WSA_NOT_ENOUGH_MEMORY;
    }
    if (notify != NULL) {
        result = sw_handle_set_notify(handle, notify);
        if (result != 0) {
            sw_close(c);
            return result;
        }
    }
    *out = c;
    return 0;
}

int sw_bind(struct sw_companion *c, const WSD_SOCKADDR_IN *local)
{
    c->local = *local;
    return sw_raw_bind(c->provider, c->descriptor, &c->local, &companion_of(c)->base.port_token);
}

int sw_close(struct sw_companion *c)
{
    int result = sw_raw_close(c->provider, c->descriptor);

    sw_companion_free(companion_of(c)); /* the event only now: the provider may signal it until here (Q34) */
    return result;
}

/* The address a companion is bound to when the application left the choice to us (Q32): the one in the
 * destination's subnet, else the first. */
static int choose_local(struct sw_provider *p, const WSD_SOCKADDR_IN *remote, WSD_SOCKADDR_IN *local)
{
    const struct sw_address *best = NULL;

    pal_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->address_count; i++) {
        const struct sw_address *a = &p->addresses[i];
        const bool is_near = ((a->address.sin_addr.s_addr ^ remote->sin_addr.s_addr) & a->mask) == 0;

        if (best == NULL || is_near)
            best = a;
        if (is_near)
            break;
    }
    if (best != NULL)
        local->sin_addr = best->address.sin_addr;
    pal_mutex_unlock(&p->lock);
    return best != NULL ? 0 : WSAEADDRNOTAVAIL;
}

/* Contract 8.2: these three mean that TCP/IP would fail too. */
static bool is_final(int error)
{
    return error == WSAECONNRESET || error == WSAECONNREFUSED || error == WSAEHOSTUNREACH;
}

int sw_connect_start(struct sw_provider *p, const WSD_SOCKADDR_IN *local, const WSD_SOCKADDR_IN *remote,
                     const struct sw_socket_params *params, struct sw_companion **out, bool *should_fall_back)
{
    WSD_SOCKADDR_IN from;
    struct sw_companion *c;
    struct companion *priv;
    INT error = 0;
    int result;

    if (should_fall_back != NULL)
        *should_fall_back = true; /* until WSPConnect itself has an opinion */
    memset(&from, 0, sizeof(from));
    if (local != NULL)
        from = *local;
    from.sin_family = WS_AF_INET;
    if (from.sin_addr.s_addr == 0) {
        result = choose_local(p, remote, &from);
        if (result != 0)
            return result;
    }
    result = sw_socket(p, params == NULL ? NULL : params->notify, &c);
    if (result != 0)
        return result;
    priv = companion_of(c);
    c->remote = *remote;
    result = sw_bind(c, &from);
    if (result == 0)
        result = sw_raw_options(p, c->descriptor, params);
    if (result != 0)
        goto err_close;

    c->event = sw_event_create(true, false);
    if (c->event == WSA_INVALID_EVENT) {
        result = WSA_NOT_ENOUGH_MEMORY;
        goto err_close;
    }
    if (c->procs->lpWSPEventSelect(c->descriptor, c->event, FD_CONNECT, &error) == SOCKET_ERROR) {
        result = sw_call_failed(p, "WSPEventSelect", error);
        goto err_close;
    }
    if (c->procs->lpWSPConnect(c->descriptor, (const WSD_SOCKADDR *)remote, sizeof(*remote), NULL, NULL, NULL,
                               NULL, &error) != SOCKET_ERROR) {
        priv->connect = CONNECT_DONE;
    } else if (error == WSAEWOULDBLOCK) {
        priv->connect = CONNECT_PENDING;
    } else {
        result = sw_call_failed(p, "WSPConnect", error);
        if (should_fall_back != NULL)
            *should_fall_back = !is_final(result);
        goto err_close;
    }
    *out = c;
    return 0;

err_close:
    sw_close(c);
    return result;
}

int sw_connect_finish(struct sw_companion *c, uint32_t timeout_ms, bool *should_fall_back)
{
    struct companion *priv = companion_of(c);
    uint64_t deadline = sw_deadline(timeout_ms);

    while (priv->connect == CONNECT_PENDING) {
        WSANETWORKEVENTS seen;
        INT error = 0;

        if (sw_event_wait(c->event, sw_remaining_ms(deadline)) != 0) {
            if (should_fall_back != NULL)
                *should_fall_back = true;
            return WSAEWOULDBLOCK;
        }
        memset(&seen, 0, sizeof(seen));
        if (c->procs->lpWSPEnumNetworkEvents(c->descriptor, c->event, &seen, &error) == SOCKET_ERROR) {
            priv->connect = CONNECT_FAILED;
            priv->connect_error = sw_call_failed(c->provider, "WSPEnumNetworkEvents", error);
        } else if ((seen.lNetworkEvents & ~FD_CONNECT) != 0) {
            sw_violation(c->provider, "WSPEnumNetworkEvents: events %#x on a connecting socket",
                         (unsigned)seen.lNetworkEvents);
        }
        if ((seen.lNetworkEvents & FD_CONNECT) != 0) {
            priv->connect_error = seen.iErrorCode[FD_CONNECT_BIT];
            priv->connect = priv->connect_error == 0 ? CONNECT_DONE : CONNECT_FAILED;
        }
    }
    if (should_fall_back != NULL)
        *should_fall_back = priv->connect == CONNECT_FAILED && !is_final(priv->connect_error);
    return priv->connect == CONNECT_FAILED ? priv->connect_error : 0;
}

int sw_connect(struct sw_provider *p, const WSD_SOCKADDR_IN *local, const WSD_SOCKADDR_IN *remote,
               uint32_t timeout_ms, const struct sw_socket_params *params, struct sw_companion **out,
               bool *should_fall_back)
{
    struct sw_companion *c = NULL;
    int result = sw_connect_start(p, local, remote, params, &c, should_fall_back);

    if (result != 0)
        return result;
    result = sw_connect_finish(c, timeout_ms, should_fall_back);
    if (result == 0) {
        *out = c;
        return 0;
    }
    sw_close(c); /* while it is still pending this is how a connect is cancelled (contract 8.2) */
    return result == WSAEWOULDBLOCK ? WSAETIMEDOUT : result;
}

/* --- moving between processes --- */

int sw_duplicate(struct sw_companion *c, DWORD process_id, WSAPROTOCOL_INFOW *info)
{
    INT error = 0;

    *info = c->provider->info;
    if (c->procs->lpWSPDuplicateSocket(c->descriptor, process_id, info, &error) == SOCKET_ERROR)
        return sw_call_failed(c->provider, "WSPDuplicateSocket", error);
    if (info->dwProviderReserved == 0)
        sw_violation(c->provider, "WSPDuplicateSocket: dwProviderReserved is 0, which names a fresh socket");
    return 0;
}

int sw_adopt(struct sw_provider *p, const WSAPROTOCOL_INFOW *info, const struct sw_notify *notify,
             struct sw_companion *again, struct sw_companion **out)
{
    WSAPROTOCOL_INFOW copy = *info;
    struct sw_companion *c;
    SOCKET descriptor;
    SOCKET handle;
    int result = sw_raw_socket(p, &copy, &descriptor, &handle);

    if (result != 0)
        return result;
    if (again != NULL && descriptor == again->descriptor) {
        if (handle != INVALID_SOCKET) /* contract 4.3: the old handle stays */
            sw_violation(p, "WSPSocket revived a descriptor and made handle %#llx all the same",
                         (unsigned long long)handle);
        *out = again;
        return 0;
    }
    if (handle == INVALID_SOCKET)
        sw_violation(p, "WSPSocket made a new descriptor for a duplicate without WPUCreateSocketHandle");
    c = sw_companion_new(p, descriptor, handle);
    if (c == NULL) {
        sw_raw_close(p, descriptor);
        return WSA_NOT_ENOUGH_MEMORY;
    }
    if (again != NULL) {
        c->local = again->local;
        c->remote = again->remote;
    }
    if (notify != NULL)
        (void)sw_handle_set_notify(handle, notify);
    *out = c;
    return 0;
}
