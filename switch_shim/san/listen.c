/* listen.c - the passive side: the service thread takes connections from the provider, each negotiates by itself, and those
 * that are ready wait for accept(). A peer that says nothing is in nobody's way, apart from its place in the backlog until
 * its negotiation timer strikes.
 * When the backlog is full of those that are ready, who comes is refused (contract 10.3, Listen; 4.9, CF_REJECT). One that has not negotiated after a while does
 * not count any more, so that silent peers keep nobody out; should it come all the same and find no room, it is closed.
 * Source: contract 4.9, 8.4. */
#include "san/internal.h"

#include <string.h>

#include "sw_companion.h"

#define BACKLOG_MAX 200u /* what SOMAXCONN means: as the provider's WSD_BACKLOG_MAX */
#define SLOW_MS     200u /* our choice */
#define RETRY_MS    100u /* after the provider was out of resources; our choice */

int san_listen(struct sw_carrier *carrier, int backlog)
{
    struct san *c = san_of(carrier);
    WSAEVENT event = WSA_INVALID_EVENT;
    INT error = 0;
    int result = 0;

    san_enter(c);
    if (c->phase != SAN_LISTENING && (c->phase != SAN_IDLE || !c->is_bound))
        result = WSAEINVAL;
    if (result == 0 && c->phase == SAN_IDLE && c->companion->local.sin_family == 0) {
        result = sw_bind(c->companion, &c->local); /* the wildcard address: on all adapters */
        c->local = c->companion->local;
    }
    if (result == 0)
        result = san_service_start(&event);
    if (result == 0 && c->procs->lpWSPListen(c->descriptor, backlog, &error) == SOCKET_ERROR)
        result = sw_call_failed(c->provider, "WSPListen", error);
    if (result == 0 && c->phase == SAN_IDLE &&
        c->procs->lpWSPEventSelect(c->descriptor, event, FD_ACCEPT, &error) == SOCKET_ERROR)
        result = sw_call_failed(c->provider, "WSPEventSelect", error);
    if (result == 0) {
        c->backlog = backlog < 1 ? 1 : (unsigned)backlog > BACKLOG_MAX ? BACKLOG_MAX : (unsigned)backlog;
        c->phase = SAN_LISTENING;
        san_service_link(c, true);
    }
    san_leave(c);
    if (result == 0)
        san_service_wake();
    return result;
}

/* --- the children --- */

static void link_child(struct san *l, struct san *c)
{
    c->sibling.prev = l->children.prev;
    c->sibling.next = &l->children;
    l->children.prev->next = &c->sibling;
    l->children.prev = &c->sibling;
    c->is_sibling = true;
}

static void drop_ready(struct san *l, struct san *c)
{
    struct san *before = NULL;

    for (struct san *at = l->ready_first; at != NULL; before = at, at = at->ready_next)
        if (at == c) {
            if (before == NULL)
                l->ready_first = c->ready_next;
            else
                before->ready_next = c->ready_next;
            if (l->ready_last == c)
                l->ready_last = before;
            return;
        }
}

/* It takes no place in the backlog any more. */
static void unlink_child(struct san *l, struct san *c)
{
    if (!c->is_sibling)
        return;
    c->sibling.prev->next = c->sibling.next;
    c->sibling.next->prev = c->sibling.prev;
    c->is_sibling = false;
    if (!c->is_slow)
        l->child_count--;
    if (c->is_ready) {
        drop_ready(l, c);
        l->ready_count--;
    }
    c->is_ready = false;
}

/* Something has changed in the backlog: those who wait in the provider's queue may be decided. */
static void leave_changed(struct san *l)
{
    const bool is_due = l->has_requests && !l->is_closing;

    san_leave(l);
    if (is_due)
        san_service_wake();
}

/* The child does not name its listener any more. */
static void forget_parent(struct san *l)
{
    san_enter(l);
    l->parent_refs--;
    leave_changed(l);
}

static void give_up(struct san *c)
{
    san_enter(c);
    c->is_closing = true;
    if (c->phase == SAN_RUNNING)
        (void)sw_session_close(c->session, 0);
    pal_mutex_unlock(&c->lock);
}

void san_child_opened(struct san *c)
{
    struct san *l = c->parent;
    bool is_late = false;

    if (l == NULL)
        return;
    san_enter(l);
    if (c->is_sibling && c->is_slow) {
        is_late = l->child_count >= l->backlog;
        c->is_slow = is_late;
        l->child_count += !is_late;
    }
    if (c->is_sibling && !is_late) {
        c->is_ready = true;
        l->ready_count++;
        c->ready_next = NULL;
        if (l->ready_first == NULL)
            l->ready_first = c;
        else
            l->ready_last->ready_next = c;
        l->ready_last = c;
    }
    leave_changed(l); /* FD_ACCEPT */
    if (is_late)
        give_up(c);
}

void san_child_slow(struct san *l, struct san *c)
{
    san_enter(l);
    if (c->is_sibling && !c->is_ready && !c->is_slow) {
        c->is_slow = true;
        l->child_count--;
    }
    leave_changed(l);
}

void san_child_gone(struct san *c)
{
    struct san *l = c->parent;

    if (l == NULL)
        return;
    san_enter(l);
    unlink_child(l, c);
    pal_mutex_unlock(&l->lock);
    san_enter(c);
    c->parent = NULL;
    pal_mutex_unlock(&c->lock);
    forget_parent(l);
}

void san_drop_children(struct san *l)
{
    for (;;) {
        struct san *c = NULL;

        san_enter(l);
        if (l->children.next != &l->children) {
            c = (struct san *)(void *)((char *)l->children.next - offsetof(struct san, sibling));
            unlink_child(l, c);
            pal_add_acq_rel(&c->refs, 1u);
        }
        pal_mutex_unlock(&l->lock);
        if (c == NULL)
            return;
        give_up(c);
        san_release(c); /* which carries it out */
    }
}

/* --- from the provider --- */

struct question {
    bool is_welcome;
    WSD_SOCKADDR_IN callee;
};

static int CALLBACK ask(LPWSABUF caller_id, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos, LPWSABUF callee_id,
                        LPWSABUF callee_data, GROUP *g, DWORD_PTR context)
{
    struct question *q = (struct question *)context;

    (void)caller_id;
    (void)caller_data;
    (void)sqos;
    (void)gqos;
    (void)callee_data;
    (void)g;
    if (callee_id != NULL && callee_id->buf != NULL && callee_id->len >= sizeof(q->callee))
        memcpy(&q->callee, callee_id->buf, sizeof(q->callee));
    return q->is_welcome ? CF_ACCEPT : CF_REJECT;
}

/* The child's companion. 0 or the code of WSPAccept. */
static int take(struct san *l, struct san *c, struct question *q)
{
    WSD_SOCKADDR_IN peer;
    INT peer_bytes = sizeof(peer);
    INT error = 0;
    SOCKET descriptor, handle;

    memset(&peer, 0, sizeof(peer));
    (void)sw_take_created_handle();
    descriptor = l->procs->lpWSPAccept(l->descriptor, (WSD_SOCKADDR *)(void *)&peer, &peer_bytes, ask,
                                       (DWORD_PTR)q, &error);
    handle = sw_take_created_handle();
    if (descriptor == INVALID_SOCKET)
        return error == WSAEWOULDBLOCK ? error : sw_call_failed(l->provider, "WSPAccept", error);
    if (c == NULL) { /* it accepted against our will */
        (void)sw_raw_close(l->provider, descriptor);
        return WSAECONNREFUSED;
    }
    c->companion = sw_companion_new(l->provider, descriptor, handle);
    if (c->companion == NULL) {
        (void)sw_raw_close(l->provider, descriptor);
        return WSA_NOT_ENOUGH_MEMORY;
    }
    c->descriptor = descriptor;
    c->remote = c->companion->remote = peer;
    c->local = c->companion->local = q->callee.sin_family == WS_AF_INET ? q->callee : l->local;
    return sw_handle_set_notify(handle, &c->notify);
}

/* One that stands there, connected; nobody else knows it yet. */
static struct san *new_child(struct san *l)
{
    struct san *c = san_new(l->provider, &l->set);

    if (c == NULL)
        return NULL;
    c->limits = l->limits;
    if (san_prepare(c, false) != 0) {
        san_free(c);
        return NULL;
    }
    c->is_child = c->was_connected = c->is_bound = true;
    c->is_keepalive = l->is_keepalive;
    c->is_urgent_inline = l->is_urgent_inline;
    sw_session_urgent_inline(c->session, c->is_urgent_inline);
    return c;
}

static void raise_child(struct san *l, struct san *c)
{
    san_enter(l);
    c->parent = l;
    l->parent_refs++;
    if (l->is_closing) {
        l->child_count--;
        c->is_closing = true;
    } else {
        link_child(l, c);
    }
    pal_add_acq_rel(&c->refs, 1u);
    pal_mutex_unlock(&l->lock);
    san_enter(c);
    if (c->set.accept_delay_ms != 0) {
        c->phase = SAN_CONNECTING;
        san_service_arm(c, SAN_TIMER_START, c->set.accept_delay_ms);
    } else {
        c->phase = SAN_CONNECTED;
    }
    san_service_arm(c, SAN_TIMER_SLOW, SLOW_MS + c->set.accept_delay_ms);
    pal_mutex_unlock(&c->lock);
    san_release(c); /* which starts it */
}

/* False: nobody waits, or no more can be taken now. is_welcome: it has a place in the backlog already. */
static bool accept_one(struct san *l, bool is_welcome)
{
    struct san *c = is_welcome ? new_child(l) : NULL;
    struct question q = {.is_welcome = c != NULL};
    int result = take(l, c, &q);

    if (result == 0 &&
        c != NULL) { /* without a place for it there was CF_REJECT, and WSPAccept fails (4.9) */
        raise_child(l, c);
        return true;
    }
    if (c != NULL) {
        if (c->companion != NULL)
            (void)sw_close(c->companion);
        c->companion = NULL;
        san_free(c);
    }
    san_enter(l);
    if (is_welcome)
        l->child_count--;
    if (result == WSAEWOULDBLOCK)
        l->has_requests = false;
    else if (result == WSAEMFILE || result == WSAENOBUFS || result == WSA_NOT_ENOUGH_MEMORY)
        san_service_arm(l, SAN_TIMER_CONNECT, RETRY_MS);
    else
        result = 0; /* that one is gone: the next */
    san_leave(l);
    return result == 0;
}

static void look(struct san *l)
{
    WSANETWORKEVENTS seen;
    bool is_wanted, is_welcome;
    INT error = 0;

    memset(&seen, 0, sizeof(seen));
    if (l->procs->lpWSPEnumNetworkEvents(l->descriptor, NULL, &seen, &error) == SOCKET_ERROR)
        return; /* it is being closed */
    do {
        san_enter(l);
        if ((seen.lNetworkEvents & FD_ACCEPT) != 0)
            l->has_requests = true;
        seen.lNetworkEvents = 0;
        is_wanted = l->has_requests && !l->is_closing && !l->is_moved && l->phase == SAN_LISTENING;
        is_welcome = is_wanted && l->child_count < l->backlog;
        /* while only those who still negotiate are in the way it is not decided: they may be gone already */
        is_wanted = is_welcome || (is_wanted && l->ready_count >= l->backlog);
        if (is_welcome)
            l->child_count++;
        pal_mutex_unlock(&l->lock);
    } while (is_wanted && accept_one(l, is_welcome));
}

void san_look_accept(struct san *l)
{
    san_enter(l);
    l->is_looking = !l->is_moved; /* a socket that moves is asked nothing any more (8.10) */
    pal_mutex_unlock(&l->lock);
    if (!l->is_looking) /* written by this thread only */
        return;
    look(l);
    san_enter(l);
    l->is_looking = false;
    san_move_may_go_on(l);
    pal_mutex_unlock(&l->lock);
}

/* --- to the upper face --- */

static struct san *pop_ready(struct san *l)
{
    struct san *c;

    san_enter(l);
    c = l->ready_first;
    if (c != NULL) {
        unlink_child(l, c);
        pal_add_acq_rel(&c->refs, 1u);
    }
    pal_mutex_unlock(&l->lock);
    return c;
}

int san_accept(struct sw_carrier *listener, const struct sw_carrier_up *up, void *owner,
               struct sw_carrier **out, WSD_SOCKADDR_STORAGE *remote, int *remote_bytes)
{
    struct san *l = san_of(listener);
    struct san *c;

    if (l->backlog == 0)
        return WSAEINVAL;
    c = pop_ready(l);
    if (c == NULL)
        return WSAEWOULDBLOCK;
    memset(remote, 0, sizeof(*remote));
    memcpy(remote, &c->remote, sizeof(c->remote));
    *remote_bytes = sizeof(c->remote);
    san_enter(c);
    c->carrier.up = up;
    c->carrier.owner = owner;
    c->is_owned = true;
    c->parent = NULL;
    pal_mutex_unlock(&c->lock);
    *out = &c->carrier;
    san_release(c);
    forget_parent(l);
    return 0;
}
