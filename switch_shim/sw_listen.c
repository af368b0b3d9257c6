/* sw_listen.c - the passive side: listeners and accepted companions.
 * Source: contract 8.4 and appendix A (order), 4.5, 4.6, 4.7, 4.9; Q21 for CF_DEFER. */
#include "sw_companion.h"

#include <stdlib.h>
#include <string.h>

struct listener {
    struct sw_socket_base base; /* first: sw_sockets_drop() finds the listener through it */
    struct sw_listener pub;
    pal_atomic_bool
        has_deferred; /* a request that CF_DEFER left in the queue: it is not signalled again (Q21) */
};

static struct listener *listener_of(struct sw_listener *l)
{
    return (struct listener *)(void *)((char *)l - offsetof(struct listener, pub));
}

void sw_listener_free(struct sw_socket_base *base)
{
    struct listener *l = (struct listener *)base;

    sw_base_unlink(l->pub.provider, base);
    if (l->pub.event != WSA_INVALID_EVENT)
        sw_event_close(l->pub.event);
    sw_os_port_release(base->port_token);
    free(l);
}

int sw_listen(struct sw_provider *p, const WSD_SOCKADDR_IN *local, int backlog,
              const struct sw_socket_params *params, struct sw_listener **out)
{
    WSAPROTOCOL_INFOW info = p->info;
    struct listener *l = calloc(1, sizeof(*l));
    INT error = 0;
    int result;

    if (l == NULL)
        return WSA_NOT_ENOUGH_MEMORY;
    l->base.port_token = -1;
    l->pub.procs = &p->procs;
    l->pub.provider = p;
    l->pub.local = *local;
    l->pub.event = sw_event_create(true, false);
    if (l->pub.event == WSA_INVALID_EVENT) {
        free(l);
        return WSA_NOT_ENOUGH_MEMORY;
    }
    sw_base_link(p, &l->base, true);

    result = sw_raw_socket(p, &info, &l->pub.descriptor, &l->pub.handle);
    if (result != 0)
        goto err_free;
    if (params != NULL && params->notify != NULL)
        (void)sw_handle_set_notify(l->pub.handle, params->notify);
    result = sw_raw_bind(p, l->pub.descriptor, &l->pub.local, &l->base.port_token);
    if (result == 0)
        result = sw_raw_options(p, l->pub.descriptor, params);
    if (result != 0)
        goto err_close;
    if (p->procs.lpWSPListen(l->pub.descriptor, backlog, &error) == SOCKET_ERROR) {
        if (error == WSAEADDRINUSE || error == WSAEOPNOTSUPP)
            sw_violation(p, "WSPListen failed with %s",
                         sw_error_name(error)); /* contract 4.5: not supported */
        result = sw_call_failed(p, "WSPListen", error);
        goto err_close;
    }
    if (p->procs.lpWSPEventSelect(l->pub.descriptor, l->pub.event, FD_ACCEPT, &error) == SOCKET_ERROR) {
        result = sw_call_failed(p, "WSPEventSelect", error);
        goto err_close;
    }
    *out = &l->pub;
    return 0;

err_close:
    sw_raw_close(p, l->pub.descriptor);
err_free:
    sw_listener_free(&l->base);
    return result;
}

int sw_listener_close(struct sw_listener *l)
{
    int result = sw_raw_close(l->provider, l->descriptor);

    sw_listener_free(&listener_of(l)->base);
    return result;
}

/* --- the condition function, with a check in front --- */

struct question {
    struct sw_provider *p;
    LPCONDITIONPROC fn;
    DWORD_PTR data;
    uint64_t thread_id;
    unsigned asked;
    int answer;
    WSD_SOCKADDR_IN callee; /* our address, as the provider sees it; family 0 when not given */
};

static bool is_address(const WSABUF *id)
{
    return id != NULL && id->buf != NULL && id->len >= sizeof(WSD_SOCKADDR_IN) &&
           ((const WSD_SOCKADDR *)(const void *)id->buf)->sa_family == WS_AF_INET;
}

static int CALLBACK ask(LPWSABUF caller_id, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos, LPWSABUF callee_id,
                        LPWSABUF callee_data, GROUP *g, DWORD_PTR context)
{
    struct question *q = (struct question *)context;

    if (pal_thread_id() != q->thread_id)
        sw_violation(q->p, "condition function called in another thread than WSPAccept");
    if (q->asked++ > 0)
        sw_violation(q->p, "condition function called twice in one WSPAccept");
    if (!is_address(caller_id))
        sw_violation(q->p, "condition function: the caller id holds no IPv4 address");
    if (!is_address(callee_id))
        sw_violation(q->p, "condition function: the callee id holds no IPv4 address");
    else
        memcpy(&q->callee, callee_id->buf, sizeof(q->callee));
    if (sqos != NULL || gqos != NULL)
        sw_violation(q->p, "condition function: quality of service offered");
    if (g == NULL)
        sw_violation(q->p, "condition function: no place for the group");
    if (sw_peek_created_handle() != INVALID_SOCKET)
        sw_violation(q->p, "WPUCreateSocketHandle before the condition function has answered");
    q->answer = q->fn == NULL ? CF_ACCEPT
                              : q->fn(caller_id, caller_data, sqos, gqos, callee_id, callee_data, g, q->data);
    (void)sw_take_created_handle(); /* the function may itself have made sockets */
    return q->answer;
}

/* One WSPAccept. */
static int accept_once(struct sw_listener *l, struct question *q, const struct sw_notify *notify,
                       struct sw_companion **out)
{
    struct sw_provider *p = l->provider;
    WSD_SOCKADDR_IN peer;
    INT peer_bytes = sizeof(peer);
    INT error = 0;
    SOCKET descriptor;
    SOCKET handle;
    struct sw_companion *c;

    memset(&peer, 0, sizeof(peer));
    (void)sw_take_created_handle();
    descriptor = l->procs->lpWSPAccept(l->descriptor, (WSD_SOCKADDR *)&peer, &peer_bytes, ask, (DWORD_PTR)q,
                                       &error);
    handle = sw_take_created_handle();
    if (descriptor == INVALID_SOCKET) {
        if (handle != INVALID_SOCKET && sw_handle_is_open(handle))
            sw_violation(p, "WSPAccept failed and left handle %#llx open", (unsigned long long)handle);
        if (q->asked > 0 && q->answer == CF_REJECT && error != WSAECONNREFUSED)
            sw_violation(p, "WSPAccept failed with %s after CF_REJECT", sw_error_name(error));
        if (q->asked > 0 && q->answer == CF_DEFER && error != WSATRY_AGAIN)
            sw_violation(p, "WSPAccept failed with %s after CF_DEFER", sw_error_name(error));
        return sw_call_failed(p, "WSPAccept", error);
    }
    if (q->asked == 0)
        sw_violation(p, "WSPAccept succeeded without asking the condition function");
    else if (q->answer != CF_ACCEPT)
        sw_violation(p, "WSPAccept succeeded though the condition function answered %d", q->answer);
    if (handle == INVALID_SOCKET)
        sw_violation(p, "WSPAccept succeeded without WPUCreateSocketHandle");
    if (peer.sin_family != WS_AF_INET || peer_bytes < (INT)sizeof(peer))
        sw_violation(p, "WSPAccept did not store the peer's address");

    c = sw_companion_new(p, descriptor, handle);
    if (c == NULL) {
        sw_raw_close(p, descriptor);
        return WSA_NOT_ENOUGH_MEMORY;
    }
    c->remote = peer;
    c->local = q->callee.sin_family == WS_AF_INET ? q->callee : l->local;
    if (notify != NULL)
        (void)sw_handle_set_notify(handle, notify);
    *out = c;
    return 0;
}

int sw_accept(struct sw_listener *l, LPCONDITIONPROC condition, DWORD_PTR condition_data, uint32_t timeout_ms,
              const struct sw_notify *notify, struct sw_companion **out)
{
    pal_atomic_bool *has_deferred = &listener_of(l)->has_deferred;
    uint64_t deadline = sw_deadline(timeout_ms);

    for (;;) {
        struct question q = {l->provider, condition, condition_data, pal_thread_id(), 0, CF_ACCEPT, {0}};
        int result;

        if (!pal_swap_acq_rel(has_deferred, false)) {
            WSANETWORKEVENTS seen;
            INT error = 0;

            if (sw_event_wait(l->event, sw_remaining_ms(deadline)) != 0)
                return WSAETIMEDOUT;
            memset(&seen, 0, sizeof(seen));
            if (l->procs->lpWSPEnumNetworkEvents(l->descriptor, l->event, &seen, &error) == SOCKET_ERROR)
                return sw_call_failed(l->provider, "WSPEnumNetworkEvents", error);
            if ((seen.lNetworkEvents & ~FD_ACCEPT) != 0)
                sw_violation(l->provider, "WSPEnumNetworkEvents: events %#x on a listening socket",
                             (unsigned)seen.lNetworkEvents);
            if ((seen.lNetworkEvents & FD_ACCEPT) == 0)
                continue; /* another thread was faster */
            if (seen.iErrorCode[FD_ACCEPT_BIT] != 0)
                return seen.iErrorCode[FD_ACCEPT_BIT];
        }
        result = accept_once(l, &q, notify, out);
        if (result == WSATRY_AGAIN)
            pal_swap_acq_rel(has_deferred, true);
        if (result != WSAEWOULDBLOCK) /* the request was withdrawn meanwhile: keep waiting */
            return result;
    }
}
