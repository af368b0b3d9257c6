/* sock.c - life of a socket: state changes, switch handle, channel, close. */
#include "sock/sock.h"

#include "base/error.h"
#include "base/log.h"
#include "sock/instance.h"
#include "base/upcall.h"
#include "data/device.h"
#include "pal/process.h"
#include "pal/time.h"
#include "sock/conn.h"
#include "sock/engine.h"
#include "sock/handover.h"

/* an orderly disconnect flushes by itself within this time, or is helped (iWARP) */
#define SOFT_DRAIN_MS 100u
/* a stopped QP that takes longer is broken; the connection thread forces the rest out */
#define HARD_DRAIN_MS 2000u
#define IDLE_WAIT_MS  50u /* for another thread that is just making this socket's last upcall */

bool wsd_sock_move_locked(struct wsd_sock *s, enum wsd_sock_event event)
{
    PAL_ASSERT_HELD(&s->lock);
    enum wsd_sock_state from = wsd_sock_state(s), to = wsd_sock_next_state(from, event);
    if (to == WSD_ST_COUNT)
        return false;
    atomic_store_explicit(&s->state, (uint32_t)to, memory_order_release);
    if (to == WSD_ST_CLOSED)
        pal_store_relaxed(&s->current, 0);
    WSD_LOG_DEBUG("sock=%u event=state by=%s from=%s to=%s", s->id, wsd_sock_event_name(event),
                  wsd_sock_state_name(from), wsd_sock_state_name(to));
    return true;
}

bool wsd_sock_move(struct wsd_sock *s, enum wsd_sock_event event)
{
    pal_mutex_lock(&s->lock);
    bool moved = wsd_sock_move_locked(s, event);
    pal_mutex_unlock(&s->lock);
    return moved;
}

void wsd_sock_give_descriptor(struct wsd_sock *s)
{
    wsd_sock_hold(s, WSD_REF_DESCRIPTOR);
    pal_mutex_lock(&s->lock);
    s->has_descriptor = true;
    if (wsd_sock_state(s) != WSD_ST_CLOSED)
        pal_store_relaxed(&s->current, wsd_sock_descriptor(s));
    pal_mutex_unlock(&s->lock);
}

int wsd_sock_open_handle(struct wsd_sock *s)
{
    int error = 0;
    s->handle = wsd_upcall_create_handle((DWORD_PTR)wsd_sock_descriptor(s), &error);
    if (s->handle == INVALID_SOCKET)
        return error;
    wsd_sock_hold(s, WSD_REF_HANDLE);
    return 0;
}

/* ---- channel ------------------------------------------------------------------------------------------- */

static void on_chan_failed(void *owner)
{
    wsd_engine_post(owner, WSD_WORK_FAILED);
}

static void on_chan_dispose(void *owner)
{
    wsd_engine_post(owner, WSD_WORK_DISPOSE);
}

/* No operation is left: the last upcall for this socket (4.13 step 3). */
static void close_handle(struct wsd_sock *s)
{
    if (s->handle == INVALID_SOCKET)
        return;
    wsd_upcall_close_handle(s->handle);
    wsd_sock_release(s, WSD_REF_HANDLE);
}

static void on_chan_idle(void *owner)
{
    close_handle(owner);
}

const struct wsd_chan_up wsd_sock_chan_up = {on_chan_failed, on_chan_idle, on_chan_dispose};

vb_status_t wsd_sock_make_chan(struct wsd_sock *s, uint32_t private_receives)
{
    struct wsd_device *dev;
    struct wsd_chan *chan;
    vb_status_t st = wsd_provider_device(&s->local, &dev);
    if (st == VB_OK)
        st = wsd_chan_create(dev, &wsd_sock_chan_up, s, &chan);
    if (st != VB_OK)
        return st;
    pal_mutex_lock(&s->lock);
    s->chan = chan; /* from here tear-down knows it */
    pal_mutex_unlock(&s->lock);
    st = vb_conn_bind_qp(s->conn, chan->qp);
    if (st == VB_OK)
        st = wsd_chan_post_private(chan, private_receives);
    return st;
}

/* ---- close --------------------------------------------------------------------------------------------- */

/* Bring back every posted request before completing it: memory is released first, then the operation
 * completes (4.13 step 2). */
static void end_transfers(struct wsd_sock *s, bool connected, bool silent)
{
    struct wsd_chan *c = s->chan;
    if (silent)
        pal_store_relaxed(&c->silent, true);
    wsd_chan_shut(c);
    wsd_chan_break(c, WSA_OPERATION_ABORTED);
    if (connected)
        vb_conn_disconnect(s->conn);
    bool drained = connected && wsd_chan_drain(c, pal_now_ns() + SOFT_DRAIN_MS * 1000000ull);
    if (!drained && !wsd_chan_drained(c)) {
        vb_qp_stop(c->qp);
        wsd_chan_drain(c, pal_now_ns() + HARD_DRAIN_MS * 1000000ull);
    }
    wsd_shard_deliver(c->shard, c);
}

bool wsd_sock_close(struct wsd_sock *s, bool silent)
{
    wsd_conn_use(s); /* before the state changes: from then on events and timers want to tear down */
    pal_mutex_lock(&s->lock);
    enum wsd_sock_state was = wsd_sock_state(s);
    struct wsd_chan *c = s->chan;
    bool moved = wsd_sock_move_locked(s, WSD_EV_CLOSE);
    uint32_t token = s->move_token;
    s->move_token = 0;
    pal_mutex_unlock(&s->lock);
    if (!moved) {
        wsd_conn_unuse(s);
        return false;
    }
    wsd_event_forget(s);
    if (was == WSD_ST_LISTENING)
        wsd_engine_run(s, WSD_WORK_UNLISTEN);
    if (was == WSD_ST_MOVED && token)
        wsd_handover_give_up(s, token);
    if (c && was != WSD_ST_MOVED)
        end_transfers(s, was == WSD_ST_CONNECTED || was == WSD_ST_BROKEN, silent);
    struct wsd_shard *shard = c ? c->shard : NULL;
    wsd_conn_unuse(s); /* asks for the tear-down */
    if (!c) {
        close_handle(s);
        return true;
    }
    if (!silent && !wsd_shard_inside_upcall()) {
        /* Another thread may be in the middle of this socket's last upcall; give it a moment so that the
         * handle is closed when we return. Never from inside an upcall, where that thread may be waiting
         * for us. */
        uint64_t deadline = pal_now_ns() + IDLE_WAIT_MS * 1000000ull;
        while (wsd_chan_is_live(c) && pal_now_ns() < deadline) {
            wsd_shard_deliver(shard, c);
            pal_thread_yield();
        }
    }
    wsd_chan_close(c); /* closes the handle, or leaves that to the last operation */
    return true;
}
