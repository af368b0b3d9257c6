/* event.c - event objects of WSPEventSelect: records, level-triggered FD_ACCEPT, one-shot FD_CONNECT. The
 * record changes under the socket lock. Setting and resetting the event object are calls out of the
 * provider, so they are made without the lock, by one thread at a time; a wish that comes meanwhile
 * replaces an older one, so the object always ends in the state of the last change (contract 4.6, 4.7,
 * C13). */
#include <string.h>

#include "base/upcall.h"
#include "pal/thread.h"
#include "sock/sock.h"

/* Another thread is inside an upcall for this socket: wait until it has come out, so that what we do to the
 * object is done when we return, and the old object is not touched any more. An upcall of our own thread that
 * called back here cannot be waited for; its carry_out() goes on with what we leave. */
static void wait_signaller_locked(struct wsd_sock *s)
{
    struct wsd_events *e = &s->events;
    while (e->busy && e->signaller != pal_thread_id()) {
        pal_mutex_unlock(&s->lock);
        pal_thread_yield();
        pal_mutex_lock(&s->lock);
    }
}

/* Lock held on entry, not on return. */
static void carry_out(struct wsd_sock *s)
{
    struct wsd_events *e = &s->events;
    if (!e->busy) {
        e->busy = true;
        e->signaller = pal_thread_id();
        while (e->wish != WSD_SIGNAL_NONE && e->object) {
            bool set = e->wish == WSD_SIGNAL_SET;
            WSAEVENT object = e->object;
            e->wish = WSD_SIGNAL_NONE;
            pal_mutex_unlock(&s->lock);
            if (set)
                wsd_upcall_set_event(object);
            else
                wsd_upcall_reset_event(object);
            pal_mutex_lock(&s->lock);
        }
        e->wish = WSD_SIGNAL_NONE;
        e->busy = false;
    }
    pal_mutex_unlock(&s->lock);
}

static void record_locked(struct wsd_sock *s, int bit, int error)
{
    struct wsd_events *e = &s->events;
    LONG flag = (LONG)(1u << bit);
    if (!(e->mask & flag))
        return;
    e->recorded |= flag;
    e->error[bit] = error;
    e->wish = WSD_SIGNAL_SET;
}

/* FD_ACCEPT holds as long as a request is queued; it is recorded once, then again only after WSPAccept. */
static void check_accept_locked(struct wsd_sock *s)
{
    if (s->queue_count && s->events.accept_armed && (s->events.mask & FD_ACCEPT)) {
        s->events.accept_armed = false;
        record_locked(s, FD_ACCEPT_BIT, 0);
    }
}

/* What already holds is recorded and signalled at once; FD_CONNECT fires once per connect (4.6). */
void wsd_event_select(struct wsd_sock *s, WSAEVENT object, LONG mask)
{
    pal_mutex_lock(&s->lock);
    struct wsd_events *e = &s->events;
    wait_signaller_locked(s);
    e->object = mask ? object : NULL;
    e->mask = mask;
    e->recorded = 0;
    e->wish = WSD_SIGNAL_NONE;
    e->accept_armed = true;
    check_accept_locked(s);
    if (s->connect_over && !s->connect_told)
        record_locked(s, FD_CONNECT_BIT, s->connect_result);
    carry_out(s);
}

void wsd_event_enum(struct wsd_sock *s, WSAEVENT object, WSANETWORKEVENTS *out)
{
    pal_mutex_lock(&s->lock);
    struct wsd_events *e = &s->events;
    /* A reset that came after our return could take away the signal of a socket that shares the object. */
    if (object)
        wait_signaller_locked(s);
    out->lNetworkEvents = e->recorded;
    for (int bit = 0; bit < FD_MAX_EVENTS; bit++)
        if (e->recorded & (LONG)(1u << bit))
            out->iErrorCode[bit] = e->error[bit];
    if (e->recorded & FD_CONNECT)
        s->connect_told = true; /* once per connect: nothing re-enables it (4.6) */
    e->recorded = 0;
    if (object && object == e->object) {
        e->wish = WSD_SIGNAL_RESET;
        carry_out(s);
        return;
    }
    pal_mutex_unlock(&s->lock);
    if (object)
        wsd_upcall_reset_event(object); /* an object that this socket never signals */
}

void wsd_event_record(struct wsd_sock *s, int bit, int error)
{
    pal_mutex_lock(&s->lock);
    record_locked(s, bit, error);
    carry_out(s);
}

void wsd_event_record_accept(struct wsd_sock *s)
{
    pal_mutex_lock(&s->lock);
    check_accept_locked(s);
    carry_out(s);
}

/* CF_DEFER: no signal until the next WSPAccept (Q21), not even the late one of a request that this accept
 * has met already. */
void wsd_event_hold_accept(struct wsd_sock *s)
{
    pal_mutex_lock(&s->lock);
    struct wsd_events *e = &s->events;
    wait_signaller_locked(s);
    e->recorded &= ~FD_ACCEPT;
    e->accept_armed = false;
    if ((e->mask & FD_ACCEPT) && !e->recorded)
        e->wish = WSD_SIGNAL_RESET;
    carry_out(s);
}

struct shared_event {
    const struct wsd_sock *except;
    WSAEVENT object;
};

static void signal_again(struct wsd_sock *s, void *arg)
{
    const struct shared_event *shared = arg;
    pal_mutex_lock(&s->lock);
    if (s != shared->except && s->events.object == shared->object && s->events.recorded)
        s->events.wish = WSD_SIGNAL_SET;
    carry_out(s);
}

/* Reset first, then look at the queue (C13). The object may be shared by several sockets (4.6): those with
 * something recorded set it again, because the reset was ours and not asked for by anybody who would look
 * at them. */
void wsd_event_rearm_accept(struct wsd_sock *s)
{
    pal_mutex_lock(&s->lock);
    struct wsd_events *e = &s->events;
    wait_signaller_locked(s);
    e->recorded &= ~FD_ACCEPT;
    e->accept_armed = true;
    bool reset = (e->mask & FD_ACCEPT) && !e->recorded;
    struct shared_event shared = {s, e->object};
    if (e->mask & FD_ACCEPT)
        e->wish = reset ? WSD_SIGNAL_RESET : WSD_SIGNAL_SET;
    check_accept_locked(s);
    carry_out(s);
    if (reset && shared.object)
        wsd_sock_for_each(signal_again, &shared);
}

void wsd_event_forget(struct wsd_sock *s)
{
    wsd_event_select(s, NULL, 0);
}
