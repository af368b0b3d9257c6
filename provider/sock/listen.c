/* listen.c - see listen.h. */
#include "sock/listen.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "sock/instance.h"
#include "data/device.h"
#include "sock/address.h"
#include "sock/conn.h"
#include "sock/engine.h"

/* SOMAXCONN and whatever we cannot hold mean "your own reasonable maximum"; clamp silently (4.5). */
static uint32_t clamp_backlog(int backlog)
{
    uint32_t most = wsd_provider.config.backlog_max;
    return backlog < 1 ? 1 : (uint32_t)backlog > most ? most : (uint32_t)backlog;
}

static struct wsd_sock *pop_tail_locked(struct wsd_sock *s)
{
    struct wsd_sock *last = NULL;
    for (struct wsd_sock **at = &s->queue_head; *at; at = &(*at)->queue_next)
        if (!(*at)->queue_next) {
            last = *at;
            *at = NULL;
            s->queue_tail = at;
            s->queue_count--;
            break;
        }
    return last;
}

/* Whoever takes a request out of the queue owns it and ends it. False: somebody else has it. */
static bool unqueue_locked(struct wsd_sock *parent, struct wsd_sock *child)
{
    for (struct wsd_sock **at = &parent->queue_head; *at; at = &(*at)->queue_next)
        if (*at == child) {
            *at = child->queue_next;
            if (!*at)
                parent->queue_tail = at;
            parent->queue_count--;
            return true;
        }
    return false;
}

/* A moved listener's peers may still get through by TCP/IP; a closed one has nothing to offer them (Q33). */
static int gone_reason(const struct wsd_sock *listener)
{
    return wsd_sock_state(listener) == WSD_ST_MOVED ? WSD_REJECT_RESOURCES : WSD_REJECT_REFUSED;
}

/* End a request that no descriptor was made for. The child is in no queue; reason 0: the peer is gone. */
static void drop_request(struct wsd_sock *child, int reason)
{
    if (reason)
        wsd_conn_reject(child->conn, (enum wsd_reject_reason)reason);
    wsd_sock_move(child, WSD_EV_CLOSE);
    child->established = false; /* nothing was promised to the peer: no grace for a disconnect exchange */
    if (child->chan) {
        wsd_chan_shut(child->chan);
        wsd_chan_break(child->chan, WSA_OPERATION_ABORTED);
    }
    wsd_engine_post(child, WSD_WORK_TEARDOWN);
    if (child->chan)
        wsd_chan_close(child->chan); /* idle() closes the handle, if there was one */
    wsd_sock_release(child, WSD_REF_QUEUE);
}

static void tell_why(const struct wsd_sock *s, vb_status_t st)
{
    char why[VB_TEXT_BYTES];
    if (!WSD_LOG_WANTS(WSD_LOG_LEVEL_WARN))
        return;
    (void)vb_local_text(wsd_provider.backend, &s->local, st, why, sizeof why);
    WSD_LOG_WARN("sock=%u event=listen-failed port=%u cause=%s why=[%s]", s->id, s->local.port,
                 vb_status_name(st), why);
}

/* Who came to the listener and was no peer; no event told of them. */
static void tell_turned_away(const struct wsd_sock *s, const struct vb_listener *listener)
{
    char text[VB_TEXT_BYTES];
    if (WSD_LOG_WANTS(WSD_LOG_LEVEL_NOTICE) && vb_listener_text(listener, text, sizeof text) > 0)
        WSD_LOG_NOTICE("sock=%u event=turned-away text=[%s]", s->id, text);
}

int wsd_listen_start(struct wsd_sock *s, int backlog)
{
    uint32_t wanted = clamp_backlog(backlog);
    struct wsd_sock *surplus = NULL;
    pal_mutex_lock(&s->lock);
    enum wsd_sock_state state = wsd_sock_state(s);
    /* again: only the backlog changes; what does not fit any more is refused */
    if (state == WSD_ST_LISTENING) {
        s->backlog = wanted;
        while (s->queue_count > wanted) {
            struct wsd_sock *child = pop_tail_locked(s);
            child->queue_next = surplus;
            surplus = child;
        }
    }
    pal_mutex_unlock(&s->lock);
    while (surplus) {
        struct wsd_sock *next = surplus->queue_next;
        drop_request(surplus, WSD_REJECT_BACKLOG);
        surplus = next;
    }
    if (state == WSD_ST_LISTENING)
        return 0;
    if (state != WSD_ST_BOUND)
        return state == WSD_ST_CONNECTED || state == WSD_ST_CONNECTING || state == WSD_ST_BROKEN ? WSAEISCONN
                                                                                                 : WSAEINVAL;
    if (s->local.port == 0)
        return WSAEINVAL; /* the switch binds a real port first (4.4) */

    /* Requests may arrive before this call returns, so the state changes first. */
    pal_mutex_lock(&s->lock);
    s->backlog = wanted;
    bool moved = wsd_sock_move_locked(s, WSD_EV_LISTEN);
    pal_mutex_unlock(&s->lock);
    if (!moved)
        return WSAEINVAL;
    wsd_sock_hold(s, WSD_REF_CONN); /* the listener names the socket; dropped by wsd_listen_stop() */
    struct vb_listener *listener = NULL;
    vb_status_t st = vb_listen(wsd_provider.cm, &s->local, wanted, s, &listener);
    pal_mutex_lock(&s->lock);
    s->listener = st == VB_OK ? listener : NULL;
    bool closed = wsd_sock_state(s) != WSD_ST_LISTENING; /* or moved */
    if (st != VB_OK)
        wsd_sock_move_locked(s, WSD_EV_UNLISTEN);
    pal_mutex_unlock(&s->lock);
    if (st == VB_OK && closed)
        wsd_engine_post(s, WSD_WORK_UNLISTEN); /* closed while we were at it */
    if (st != VB_OK) {
        wsd_sock_release(s, WSD_REF_CONN);
        tell_why(s, st);
        return wsd_error_listen(st);
    }
    return 0;
}

void wsd_listen_request(struct wsd_sock *listener, struct vb_conn *conn, const struct wsd_wire *w,
                        const struct vb_addr *local, const struct vb_addr *remote, uint8_t read_depth)
{
    struct wsd_sock *child = wsd_sock_create(WSD_REF_QUEUE);
    int reason = child ? 0 : WSD_REJECT_RESOURCES;
    bool queued = false;
    if (child) {
        child->conn = conn;
        child->family = local->family;
        child->local = *local;
        child->remote = *remote;
        child->peer_key = w->key;
        child->peer_resume_port = w->resume_port;
        child->peer_flags = w->flags;
        child->peer_read_depth = read_depth;
        child->parent = listener;
        vb_conn_set_context(conn, child);
        wsd_sock_hold(child, WSD_REF_CONN);
        wsd_sock_move(child, WSD_EV_REQUEST);
        pal_mutex_lock(&listener->lock);
        if (wsd_sock_state(listener) != WSD_ST_LISTENING)
            reason = gone_reason(listener);
        else if (listener->queue_count >= listener->backlog)
            reason = WSD_REJECT_BACKLOG; /* at once, and without a signal (4.5) */
        else {
            *listener->queue_tail = child;
            listener->queue_tail = &child->queue_next;
            listener->queue_count++;
            queued = true;
        }
        pal_mutex_unlock(&listener->lock);
    }
    if (queued) {
        wsd_event_record_accept(listener);
    } else if (child) {
        drop_request(child, reason);
    } else {
        wsd_conn_reject(conn, WSD_REJECT_RESOURCES);
        vb_conn_destroy(conn);
    }
}

void wsd_listen_withdrawn(struct wsd_sock *child)
{
    struct wsd_sock *parent = child->parent;
    child->disconnected = true;
    wsd_sock_move(child, WSD_EV_FAIL); /* ACCEPTING: WSPAccept sees it after the condition function */
    pal_mutex_lock(&parent->lock);
    bool ours = unqueue_locked(parent, child);
    pal_mutex_unlock(&parent->lock);
    if (ours)
        drop_request(child, 0);
}

void wsd_listen_stop(struct wsd_sock *s)
{
    pal_mutex_lock(&s->lock);
    struct vb_listener *listener = s->listener;
    s->listener = NULL;
    pal_mutex_unlock(&s->lock);
    if (!listener)
        return;
    tell_turned_away(s, listener);
    vb_listener_destroy(listener);
    int reason = gone_reason(s);
    for (;;) {
        pal_mutex_lock(&s->lock);
        struct wsd_sock *child = s->queue_head;
        if (child)
            unqueue_locked(s, child);
        pal_mutex_unlock(&s->lock);
        if (!child)
            break;
        drop_request(child, reason);
    }
    wsd_sock_release(s, WSD_REF_CONN);
}

/* ---- accept -------------------------------------------------------------------------------------------- */

static int pop_request(struct wsd_sock *s, const struct wsd_accept_args *a, struct wsd_sock **out)
{
    int error = 0;
    pal_mutex_lock(&s->lock);
    struct wsd_sock *child = s->queue_head;
    if (wsd_sock_state(s) != WSD_ST_LISTENING)
        error = WSAEINVAL;
    else if (a->addr && (!a->addrlen || *a->addrlen < wsd_address_to_edge(&s->local, NULL)))
        error = WSAEFAULT;
    else if (!child)
        error = WSAEWOULDBLOCK;
    else
        unqueue_locked(s, child);
    pal_mutex_unlock(&s->lock);
    *out = error ? NULL : child;
    return error;
}

static int take_request(struct wsd_sock *s, const struct wsd_accept_args *a, struct wsd_sock **out)
{
    for (;;) {
        int error = pop_request(s, a, out);
        if (error || wsd_sock_move(*out, WSD_EV_TAKE))
            return error;
        drop_request(*out, 0); /* withdrawn at this very moment: the next one, if any */
    }
}

/* In this thread, before any sign reaches the peer (4.9). */
static int ask_condition(struct wsd_sock *child, const struct wsd_accept_args *a)
{
    WSD_SOCKADDR_STORAGE caller_addr, callee_addr;
    WSABUF caller = {.buf = (CHAR *)&caller_addr}, callee = {.buf = (CHAR *)&callee_addr}, callee_data = {0};
    GROUP group = 0;
    if (!a->condition)
        return CF_ACCEPT;
    memset(&caller_addr, 0, sizeof caller_addr);
    memset(&callee_addr, 0, sizeof callee_addr);
    caller.len = (ULONG)wsd_address_to_edge(&child->remote, &caller_addr);
    callee.len = (ULONG)wsd_address_to_edge(&child->local, &callee_addr);
    PAL_ASSERT_NO_LOCKS();
    return a->condition(&caller, NULL, NULL, NULL, &callee, &callee_data, &group, a->callback_data);
}

/* CF_DEFER: first in the queue again, no new signal until the next WSPAccept (Q21). False: the peer or the
 * listener is gone. */
static bool put_back(struct wsd_sock *s, struct wsd_sock *child)
{
    if (!wsd_sock_move(child, WSD_EV_DEFER))
        return false;
    pal_mutex_lock(&s->lock);
    bool listening = wsd_sock_state(s) == WSD_ST_LISTENING;
    if (listening) {
        child->queue_next = s->queue_head;
        s->queue_head = child;
        if (!child->queue_next)
            s->queue_tail = &child->queue_next;
        s->queue_count++;
    }
    pal_mutex_unlock(&s->lock);
    if (!listening)
        wsd_sock_move(child, WSD_EV_TAKE); /* ours again, to be refused */
    return listening;
}

/* Everything the connection needs, then the handle, then the word to the peer. */
static int accept_request(struct wsd_sock *child)
{
    if (!wsd_conn_new_key(&child->key))
        return WSAENOBUFS;
    vb_status_t st = wsd_sock_make_chan(child, wsd_provider.config.private_receives);
    if (st != VB_OK) /* the peer may give up at any moment */
        return st == VB_E_STATE || st == VB_E_RESET ? WSAECONNRESET : wsd_error_setup(st);
    int error = wsd_sock_open_handle(child);
    if (error)
        return error;
    uint8_t data[WSD_WIRE_MAX_BYTES];
    struct vb_conn_params p = {.data = data, .data_bytes = wsd_conn_accept_data(child, data)};
    wsd_conn_read_depths(child, &p);
    wsd_chan_open(child->chan, child->handle, wsd_sock_descriptor(child), (uint32_t)child->key,
                  (uint32_t)child->peer_key, wsd_conn_reads(&p, child->peer_read_depth));
    pal_mutex_lock(&child->lock);
    child->established = true;
    bool moved = wsd_sock_move_locked(child, WSD_EV_ACCEPT); /* before the peer may disconnect again */
    pal_mutex_unlock(&child->lock);
    if (!moved)
        return WSAECONNRESET;
    st = vb_conn_accept(child->conn, &p);
    if (st == VB_OK)
        return 0;
    return st == VB_E_STATE || st == VB_E_RESET ? WSAECONNRESET : WSAENOBUFS;
}

struct wsd_sock *wsd_listen_accept(struct wsd_sock *s, const struct wsd_accept_args *a, int *error)
{
    struct wsd_sock *child;
    *error = take_request(s, a, &child);
    if (*error) {
        if (*error == WSAEWOULDBLOCK)
            wsd_event_rearm_accept(s); /* even a failing call re-enables (10.3) */
        return NULL;
    }
    if (a->addr)
        *a->addrlen = wsd_address_to_edge(&child->remote, a->addr);
    else if (a->addrlen)
        *a->addrlen = 0;
    int answer = ask_condition(child, a);
    if (answer == CF_DEFER && put_back(s, child)) {
        wsd_event_hold_accept(s);
        *error = WSATRY_AGAIN;
        return NULL;
    }
    int reason = 0;
    if (wsd_sock_state(child) != WSD_ST_ACCEPTING) {
        *error = WSAECONNRESET; /* withdrawn while the condition function thought */
    } else if (answer == CF_ACCEPT && wsd_sock_state(s) == WSD_ST_LISTENING) {
        wsd_conn_use(child);
        *error = accept_request(child);
        wsd_conn_unuse(child);
        reason = *error && *error != WSAECONNRESET ? WSD_REJECT_RESOURCES : 0;
    } else {
        *error = answer == CF_ACCEPT || answer == CF_REJECT || answer == CF_DEFER ? WSAECONNREFUSED
                                                                                  : WSAEINVAL;
        reason = WSD_REJECT_REFUSED;
    }
    if (*error)
        drop_request(child, reason);
    wsd_event_rearm_accept(s);
    if (*error)
        return NULL;
    wsd_sock_give_descriptor(child);
    wsd_sock_release(child, WSD_REF_QUEUE);
    return child;
}
