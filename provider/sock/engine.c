/* engine.c - see engine.h. */
#include "sock/engine.h"

#include "base/log.h"
#include "sock/instance.h"
#include "data/device.h"
#include "pal/time.h"
#include "sock/conn.h"
#include "sock/listen.h"

#define NAP_MS 1000 /* the longest sleep while there are timers, and once more when the last has gone */

static struct {
    struct pal_mutex lock; /* guards work list, busy, done fields, wakes_ns; data path may take it: short */
    struct pal_cond done;  /* a run finished, or a connection attempt ended */
    struct wsd_sock *head, **tail;
    struct pal_wakeup *wake;
    struct pal_thread *thread;
    pal_atomic_u64 thread_id;
    pal_atomic_bool stop;
    uint64_t
        wakes_ns; /* when the thread wakes by itself; 0: it is awake, and looks at the list before it sleeps */
    struct wsd_sock *timers; /* connection thread only; the next likewise */
    uint64_t last_timer_ns;  /* when there was one */
    struct vb_listener *resume[2];
    uint16_t resume_port[2];
} engine;

static struct wsd_sock resume_owner; /* only its address is used: context of the resume listeners */

bool wsd_engine_is_me(void)
{
    return pal_load_relaxed(&engine.thread_id) == pal_thread_id();
}

uint16_t wsd_engine_resume_port(uint8_t family)
{
    return engine.resume_port[family == VB_AF_IPV6];
}

/* ---- work ---------------------------------------------------------------------------------------------- */

/* due_ns: it has time until then. */
static void post(struct wsd_sock *s, uint32_t work, uint64_t due_ns)
{
    pal_mutex_lock(&engine.lock);
    s->work |= work;
    if (!s->in_work_list) {
        s->in_work_list = true;
        wsd_sock_hold(s, WSD_REF_CONN);
        s->work_next = NULL;
        *engine.tail = s;
        engine.tail = &s->work_next;
    }
    const bool must_wake = due_ns < engine.wakes_ns;
    pal_mutex_unlock(&engine.lock);
    if (must_wake)
        pal_wakeup_signal(engine.wake);
}

void wsd_engine_post(struct wsd_sock *s, uint32_t work)
{
    post(s, work, 0);
}

void wsd_engine_watch(struct wsd_sock *s, uint64_t deadline_ns)
{
    post(s, WSD_WORK_WATCH, deadline_ns);
}

static void do_work(struct wsd_sock *s, uint32_t work)
{
    if (work & WSD_WORK_DISPOSE && s->chan && !s->released)
        wsd_chan_dispose(s->chan);
    if (work & WSD_WORK_UNLISTEN)
        wsd_listen_stop(s);
    if (work & WSD_WORK_FAILED)
        wsd_conn_break(s, 0);
    if (work & WSD_WORK_WATCH)
        engine.last_timer_ns = pal_now_ns();
    if (work & WSD_WORK_WATCH && !s->has_deadline && !s->released) {
        s->has_deadline = true;
        s->timer_next = engine.timers;
        engine.timers = s;
    }
    if (work & WSD_WORK_TEARDOWN)
        wsd_conn_teardown(s);
}

void wsd_engine_run(struct wsd_sock *s, uint32_t work)
{
    if (wsd_engine_is_me()) {
        do_work(s, work);
        return;
    }
    wsd_engine_post(s, work);
    pal_mutex_lock(&engine.lock);
    while ((s->work | s->work_running) & work)
        pal_cond_wait(&engine.done, &engine.lock);
    pal_mutex_unlock(&engine.lock);
}

static bool work_once(void)
{
    pal_mutex_lock(&engine.lock);
    struct wsd_sock *s = engine.head;
    uint32_t work = 0;
    if (s) {
        engine.head = s->work_next;
        if (!engine.head)
            engine.tail = &engine.head;
        s->in_work_list = false;
        s->work_running = work = s->work;
        s->work = 0;
    }
    pal_mutex_unlock(&engine.lock);
    if (!s)
        return false;
    do_work(s, work);
    pal_mutex_lock(&engine.lock);
    s->work_running = 0;
    pal_cond_broadcast(&engine.done);
    pal_mutex_unlock(&engine.lock);
    wsd_sock_release(s, WSD_REF_CONN);
    return true;
}

/* ---- attempts that a thread waits for ------------------------------------------------------------------ */

void wsd_engine_attempt_done(struct wsd_sock *s, int error)
{
    pal_mutex_lock(&engine.lock);
    s->connect_error = error;
    s->attempt_done = true;
    pal_cond_broadcast(&engine.done);
    pal_mutex_unlock(&engine.lock);
}

int wsd_engine_wait_connect(struct wsd_sock *s)
{
    pal_mutex_lock(&engine.lock);
    while (!s->attempt_done) /* bounded: the attempt has a deadline of its own */
        pal_cond_wait(&engine.done, &engine.lock);
    int error = s->connect_error;
    pal_mutex_unlock(&engine.lock);
    return error;
}

/* ---- timers -------------------------------------------------------------------------------------------- */

void wsd_engine_forget_timer(struct wsd_sock *s)
{
    for (struct wsd_sock **at = &engine.timers; *at; at = &(*at)->timer_next)
        if (*at == s) {
            *at = s->timer_next;
            break;
        }
    s->has_deadline = false;
}

static int run_timers(void)
{
    uint64_t now = pal_now_ns(), nearest = UINT64_MAX;
    struct wsd_sock *due = NULL;
    for (struct wsd_sock *s = engine.timers; s; s = s->timer_next) {
        pal_mutex_lock(&s->lock);
        uint64_t at = s->deadline_ns;
        pal_mutex_unlock(&s->lock);
        if (at && at <= now)
            due = s;
        else if (at && at < nearest)
            nearest = at;
    }
    if (due) {
        wsd_sock_hold(due, WSD_REF_CONN);
        pal_mutex_lock(&due->lock);
        due->deadline_ns = 0;
        pal_mutex_unlock(&due->lock);
        wsd_conn_timeout(due);
        wsd_sock_release(due, WSD_REF_CONN);
        return 0; /* look again at once */
    }
    if (nearest == UINT64_MAX) /* who connects again and again need not wake us for the next timer */
        return now - engine.last_timer_ns < NAP_MS * 1000000ull ? NAP_MS : -1;
    engine.last_timer_ns = now;
    uint64_t ms = (nearest - now) / 1000000 + 1;
    return ms > NAP_MS ? NAP_MS : (int)ms;
}

/* Returns how long to wait: not at all when there is work. */
static int fall_asleep(int timeout_ms)
{
    pal_mutex_lock(&engine.lock);
    if (engine.head)
        timeout_ms = 0;
    else if (timeout_ms)
        engine.wakes_ns = timeout_ms < 0 ? UINT64_MAX : pal_now_ns() + (uint64_t)timeout_ms * 1000000;
    pal_mutex_unlock(&engine.lock);
    return timeout_ms;
}

static void wake_up(void)
{
    pal_mutex_lock(&engine.lock);
    engine.wakes_ns = 0;
    pal_mutex_unlock(&engine.lock);
}

/* ---- events -------------------------------------------------------------------------------------------- */

static void poll_connections(void)
{
    struct vb_cm_event ev;
    for (int budget = 64; budget > 0 && vb_cm_poll(wsd_provider.cm, &ev) == VB_OK; budget--) {
        struct wsd_sock *s = ev.context;
        if (ev.kind == VB_CM_REQUEST) {
            wsd_conn_request(s == &resume_owner ? NULL : s, &ev);
            continue;
        }
        if (!s || s == &resume_owner)
            continue; /* a request that was answered by a rejection */
        wsd_sock_hold(s, WSD_REF_CONN);
        wsd_conn_event(s, &ev);
        wsd_sock_release(s, WSD_REF_CONN);
    }
}

static void break_if_on_device(struct wsd_sock *s, void *arg)
{
    uint32_t none = 0;
    if (!s->chan || s->chan->dev->dev != arg)
        return;
    pal_cas_acq_rel(&s->chan->cause, &none, WSAENETDOWN);
    wsd_engine_post(s, WSD_WORK_FAILED);
}

static void break_if_on_cq(struct wsd_sock *s, void *arg)
{
    if (s->chan && s->chan->shard->cq == arg) {
        pal_store_relaxed(&s->chan->shard->dead, true); /* takes no more sockets */
        wsd_engine_post(s, WSD_WORK_FAILED);
    }
}

static void poll_devices(void)
{
    struct vb_async_event ev;
    for (int budget = 64; budget > 0 && vb_async_poll(wsd_provider.backend, &ev) == VB_OK; budget--)
        switch (ev.kind) {
        case VB_ASYNC_QP_FATAL:
            if (ev.qp_context)
                wsd_engine_post(ev.qp_context, WSD_WORK_FAILED);
            break;
        case VB_ASYNC_DEV_GONE:
            wsd_provider_device_gone(ev.dev);
            wsd_sock_for_each(break_if_on_device, ev.dev);
            break;
        case VB_ASYNC_CQ_ERROR: /* it lost completions: every QP on it is dead */
            WSD_LOG_ERROR("event=cq-error");
            wsd_sock_for_each(break_if_on_cq, ev.cq);
            break;
        /* SIO_ADDRESS_LIST_QUERY asks afresh */
        case VB_ASYNC_ADDR_CHANGE: WSD_LOG_INFO("event=address-change"); break;
        }
}

static void engine_main(void *arg)
{
    (void)arg;
    pal_store_relaxed(&engine.thread_id, pal_thread_id());
    const pal_waitable waits[3] = {vb_cm_waitable(wsd_provider.cm), vb_async_waitable(wsd_provider.backend),
                                   pal_wakeup_waitable(engine.wake)};
    while (!pal_load_acquire(&engine.stop)) {
        uint32_t ready = pal_wait(waits, 3, fall_asleep(run_timers()));
        wake_up();
        if (ready & 4)
            pal_wakeup_clear(engine.wake);
        while (work_once())
            ;
        if (ready & 1)
            poll_connections();
        if (ready & 2)
            poll_devices();
    }
}

/* ---- life ---------------------------------------------------------------------------------------------- */

static void open_resume_listener(int which, uint8_t family)
{
    struct vb_addr any = {.family = family};
    vb_status_t st = vb_listen(wsd_provider.cm, &any, 16, &resume_owner, &engine.resume[which]);
    engine.resume_port[which] = 0;
    if (st == VB_OK) {
        struct vb_addr bound;
        vb_listener_addr(engine.resume[which], &bound);
        engine.resume_port[which] = bound.port;
    } else {
        engine.resume[which] = NULL;
        WSD_LOG_INFO("event=no-resume-listener family=%u cause=%s effect=peers-cannot-move-sockets-to-us",
                     family, vb_status_name(st));
    }
}

vb_status_t wsd_engine_start(void)
{
    engine.head = NULL;
    engine.tail = &engine.head;
    engine.timers = NULL;
    engine.wakes_ns = engine.last_timer_ns = 0;
    pal_store_relaxed(&engine.stop, false);
    vb_status_t st = VB_E_NOMEM;
    if (!pal_mutex_init(&engine.lock))
        return VB_E_NOMEM;
    if (!pal_cond_init(&engine.done))
        goto err_lock;
    engine.wake = pal_wakeup_create();
    if (!engine.wake)
        goto err_cond;
    st = vb_cm_create(wsd_provider.backend, &wsd_provider.cm);
    if (st != VB_OK)
        goto err_wake;
    open_resume_listener(0, VB_AF_IPV4);
    open_resume_listener(1, VB_AF_IPV6);
    engine.thread = pal_thread_start(engine_main, NULL, "wsd-conn");
    if (engine.thread)
        return VB_OK;
    st = VB_E_NOMEM;
    for (int i = 0; i < 2; i++)
        if (engine.resume[i])
            vb_listener_destroy(engine.resume[i]);
    vb_cm_destroy(wsd_provider.cm);
err_wake:
    pal_wakeup_destroy(engine.wake);
err_cond:
    pal_cond_fini(&engine.done);
err_lock:
    pal_mutex_fini(&engine.lock);
    return st;
}

void wsd_engine_stop(void)
{
    pal_store_release(&engine.stop, true);
    pal_wakeup_signal(engine.wake);
    pal_thread_join(engine.thread);
    pal_store_relaxed(&engine.thread_id, 0);
    while (work_once())
        ;
    for (int i = 0; i < 2; i++)
        if (engine.resume[i])
            vb_listener_destroy(engine.resume[i]);
    vb_cm_destroy(wsd_provider.cm);
    pal_wakeup_destroy(engine.wake);
    pal_cond_fini(&engine.done);
    pal_mutex_fini(&engine.lock);
}
