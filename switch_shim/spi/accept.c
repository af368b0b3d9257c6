/* accept.c - WSPAccept, and what AcceptEx shares with it (accept.h). What arrives is merged: whoever accepts is given first what came from another
 * process (share.h), then TCP/IP's arrivals, then the providers'. */
#include "spi/accept.h"

#include <string.h>

#include "spi/share.h"

/* --- taking a connection --- */

/* From one listening carrier into a leg of `s`. */
static int accept_from(struct sw_leg *listener, struct sw_sock *s, struct sw_leg **out)
{
    WSD_SOCKADDR_STORAGE remote;
    int bytes = sizeof(remote);
    struct sw_leg *leg = sw_leg_new(s, listener->is_san);
    int code;

    if (leg == NULL)
        return WSAENOBUFS;
    memset(&remote, 0, sizeof(remote));
    code = listener->carrier->ops->accept(listener->carrier, &sw_leg_up, leg, &leg->carrier, &remote, &bytes);
    if (code != 0) {
        sw_leg_free_unused(leg);
        return code;
    }
    pal_mutex_lock(&s->lock);
    memcpy(&s->to, &remote, sizeof(s->to));
    s->to_bytes = bytes;
    pal_mutex_unlock(&s->lock);
    *out = leg;
    return 0;
}

/* One that came from another process, and is in a socket already. */
static int accept_deferred(struct sw_sock *listener, struct sw_sock *s, struct sw_leg **out)
{
    struct sw_sock *from = sw_accept_take_deferred(listener);

    if (from == NULL)
        return WSAEWOULDBLOCK;
    pal_mutex_lock(&from->lock);
    *out = from->san;
    from->san = NULL;
    sw_sock_set_data(from, NULL);
    pal_mutex_unlock(&from->lock);
    memcpy(&s->to, &from->to, sizeof(s->to));
    s->to_bytes = from->to_bytes;
    sw_leg_move(*out, s);
    sw_sock_abandon(from);
    return 0;
}

int sw_accept_into(struct sw_sock *listener, struct sw_sock *s, struct sw_leg **out)
{
    struct sw_leg *tcp, *san;
    int code;

    sw_share_want(listener, true); /* the SAN half, when it is with another process */
    code = accept_deferred(listener, s, out);
    if (code == 0)
        return 0;
    pal_mutex_lock(&listener->lock);
    tcp = listener->tcp;
    san = listener->san;
    pal_mutex_unlock(&listener->lock);
    code = tcp != NULL ? accept_from(tcp, s, out) : WSAEWOULDBLOCK;
    for (; code == WSAEWOULDBLOCK && san != NULL; san = san->next)
        code = accept_from(san, s, out);
    return code;
}

int sw_accept_into_san(struct sw_sock *listener, struct sw_sock *s, struct sw_leg **out)
{
    int code = WSAEWOULDBLOCK;
    struct sw_leg *san;

    pal_mutex_lock(&listener->lock);
    san = listener->san;
    pal_mutex_unlock(&listener->lock);
    for (; code == WSAEWOULDBLOCK && san != NULL; san = san->next)
        code = accept_from(san, s, out);
    return code;
}

bool sw_accept_attach(struct sw_sock *s, struct sw_leg *leg)
{
    pal_mutex_lock(&s->lock);
    if (!sw_sock_move_locked(s, SW_CONNECTED)) {
        sw_leg_retire_locked(s, leg, 0);
        pal_mutex_unlock(&s->lock);
        return false;
    }
    if (leg->is_san) {
        s->san = leg;
    } else {
        if (s->tcp != NULL)
            sw_leg_retire_locked(s, s->tcp, 0); /* AcceptEx: the one it was created with */
        s->tcp = leg;
    }
    s->is_bound = s->is_peer_set = true;
    s->connected_ns = pal_now_ns();
    atomic_fetch_and_explicit(&s->mode, ~(SW_MODE_SHUT_SEND | SW_MODE_SHUT_RECV), memory_order_relaxed);
    sw_events_forget_locked(s);
    sw_sock_set_data(s, leg->carrier);
    pal_mutex_unlock(&s->lock);
    return true;
}

static struct sw_sock *take_deferred(struct sw_sock *listener)
{
    struct sw_sock *s;

    pal_mutex_lock(&listener->lock);
    s = listener->deferred;
    if (s != NULL)
        listener->deferred = s->deferred_next;
    pal_mutex_unlock(&listener->lock);
    return s;
}

/* It is decided before the others (page of WSAAccept, CF_DEFER). */
static void put_deferred(struct sw_sock *listener, struct sw_sock *s)
{
    pal_mutex_lock(&listener->lock);
    s->deferred_next = listener->deferred;
    listener->deferred = s;
    pal_mutex_unlock(&listener->lock);
}

void sw_accept_defer(struct sw_sock *listener, struct sw_sock *s)
{
    struct sw_sock **at = &listener->deferred;

    pal_mutex_lock(&listener->lock);
    while (*at != NULL)
        at = &(*at)->deferred_next;
    s->deferred_next = NULL;
    *at = s;
    pal_mutex_unlock(&listener->lock);
}

struct sw_sock *sw_accept_take_deferred(struct sw_sock *listener)
{
    struct sw_sock **at = &listener->deferred, *s;

    pal_mutex_lock(&listener->lock);
    while (*at != NULL && (*at)->san == NULL)
        at = &(*at)->deferred_next;
    s = *at;
    if (s != NULL)
        *at = s->deferred_next;
    pal_mutex_unlock(&listener->lock);
    return s;
}

/* A new socket with a connection, without a handle, one call counted in it. WSAEWOULDBLOCK: nobody is there. */
static int take(struct sw_sock *listener, struct sw_sock **out)
{
    struct sw_sock *s = take_deferred(listener);
    struct sw_leg *leg;
    int code;

    if (s != NULL) {
        *out = s;
        return 0;
    }
    s = sw_sock_new(listener->af, listener->type, listener->protocol, &listener->info,
                    pal_load_relaxed(&listener->mode) & (SW_MODE_OVERLAPPED | SW_MODE_NONBLOCKING));
    if (s == NULL)
        return WSAENOBUFS;
    code = sw_accept_into(listener, s, &leg);
    if (code == 0 && !sw_accept_attach(s, leg))
        code = WSAECONNABORTED;
    if (code != 0) {
        sw_sock_abandon(s);
        return code;
    }
    sw_options_inherit(listener, s);
    *out = s;
    return 0;
}

static uint32_t accepts_seen(struct sw_sock *s)
{
    uint32_t seen;

    pal_mutex_lock(&s->lock);
    seen = s->accept_events;
    pal_mutex_unlock(&s->lock);
    return seen;
}

/* Called and left with a call counted, or *is_gone. */
static int take_or_wait(struct sw_sock *listener, struct sw_sock **out, bool *is_gone)
{
    bool is_blocking = (pal_load_relaxed(&listener->mode) & SW_MODE_NONBLOCKING) == 0;
    struct sw_blocker b;
    uint32_t seen;
    int code = take(listener, out);

    if (code != WSAEWOULDBLOCK || !is_blocking)
        return code;
    sw_block_begin(&b, 0);
    for (;;) {
        pal_mutex_lock(&listener->lock);
        listener->accept_waiters++;
        pal_mutex_unlock(&listener->lock);
        seen = accepts_seen(listener);
        sw_events_arm(
            listener); /* reports at once when somebody is there, so nothing is missed between these lines */
        code = take(listener, out);
        sw_sock_park(listener);
        pal_mutex_lock(&listener->lock);
        if (code == WSAEWOULDBLOCK) {
            code = 0;
            while (code == 0 && listener->accept_events == seen &&
                   (pal_load_relaxed(&listener->use) & SW_USE_CLOSING) == 0)
                code = sw_block_on_change_locked(listener, &b);
            code = code == 0 ? WSAEWOULDBLOCK : code;
        }
        listener->accept_waiters--;
        pal_mutex_unlock(&listener->lock);
        *is_gone = !sw_sock_enter(listener);
        sw_sock_release(listener);
        if (*is_gone && code == WSAEWOULDBLOCK)
            code = WSAEINTR; /* closed in another thread (B039) */
        if (code != WSAEWOULDBLOCK)
            break;
    }
    sw_block_end(&b);
    return code;
}

/* --- the condition function (contract 10.3) --- */

static int ask(struct sw_sock *s, LPCONDITIONPROC condition, DWORD_PTR data)
{
    WSD_SOCKADDR_STORAGE local;
    int local_bytes = sizeof(local);
    WSD_SOCKADDR_STORAGE remote = s->to;
    struct sw_carrier *c = pal_load_acquire(&s->data);
    WSABUF caller = {(ULONG)s->to_bytes, (CHAR *)&remote};
    WSABUF callee = {0, (CHAR *)&local};
    WSABUF nothing = {0, NULL};
    WSABUF room = {0, NULL}; /* of callee data: not supported */
    GROUP group = 0;
    int answer;

    memset(&local, 0, sizeof(local));
    if (c->ops->local(c, &local, &local_bytes) == 0)
        callee.len = (ULONG)local_bytes;
    answer = condition(&caller, &nothing, NULL, NULL, &callee, &room, &group, data);
    switch (answer) {
    case CF_ACCEPT: return 0;
    case CF_REJECT: return WSAECONNREFUSED;
    case CF_DEFER: return WSATRY_AGAIN;
    default: return WSAEINVAL;
    }
}

static void give_remote(const struct sw_sock *s, WSD_SOCKADDR *addr, LPINT addrlen)
{
    if (addr == NULL || addrlen == NULL)
        return; /* B036 */
    memcpy(addr, &s->to, (size_t)(*addrlen < s->to_bytes ? *addrlen : s->to_bytes));
    *addrlen = s->to_bytes; /* B037 */
}

/* The condition function runs without a call counted in the listener: it may close it. */
static int decide(struct sw_sock *listener, struct sw_sock *s, LPCONDITIONPROC condition, DWORD_PTR data,
                  bool *is_gone)
{
    int code;

    if (condition == NULL)
        return 0;
    sw_sock_park(listener);
    code = ask(s, condition, data);
    *is_gone = !sw_sock_enter(listener);
    sw_sock_release(listener);
    return *is_gone && code == WSATRY_AGAIN ? WSAECONNREFUSED : code;
}

static SOCKET accept_one(struct sw_sock *listener, WSD_SOCKADDR *addr, LPINT addrlen,
                         LPCONDITIONPROC condition, DWORD_PTR data, bool *is_gone, int *code)
{
    SOCKET handle = INVALID_SOCKET;
    struct sw_sock *s;

    *code = take_or_wait(listener, &s, is_gone);
    if (*code != 0)
        return INVALID_SOCKET;
    give_remote(s, addr, addrlen);
    if (!*is_gone)
        *code = decide(listener, s, condition, data, is_gone);
    if (*code == WSATRY_AGAIN) {
        put_deferred(listener, s);
        return INVALID_SOCKET;
    }
    if (*code == 0)
        *code = sw_sock_publish(s);
    if (*code != 0) {
        sw_sock_abandon(s);
        return INVALID_SOCKET;
    }
    handle = (SOCKET)pal_load_relaxed(&s->handle);
    if (!*is_gone)
        sw_events_inherit(listener, s);
    sw_sock_leave(s);
    return handle;
}

SOCKET WSPAPI sw_spi_accept(SOCKET h, WSD_SOCKADDR *addr, LPINT addrlen, LPCONDITIONPROC condition,
                            DWORD_PTR data, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    SOCKET handle = INVALID_SOCKET;
    bool is_gone = false;
    enum sw_state state;
    int code = 0;

    if (s == NULL)
        return INVALID_SOCKET;
    pal_mutex_lock(&s->lock);
    state = s->state;
    pal_mutex_unlock(&s->lock);
    if (s->type != WS_SOCK_STREAM)
        code = WSAEOPNOTSUPP;
    else if (state != SW_LISTENING)
        code = WSAEINVAL;
    else if (addr != NULL && addrlen != NULL &&
             *addrlen < (INT)(s->af == WS_AF_INET ? sizeof(WSD_SOCKADDR_IN) : sizeof(WSD_SOCKADDR_IN6)))
        code = WSAEFAULT;
    if (code == 0)
        handle = accept_one(s, addr, addrlen, condition, data, &is_gone, &code);
    if (!is_gone) {
        if (code != WSATRY_AGAIN)
            sw_events_enable(s, FD_ACCEPT);
        sw_sock_leave(s);
    }
    *error = code;
    return handle;
}
