/* wait.c - threads that block: they sleep on the socket itself and serve what is queued, so that a receive costs no other thread. */
#include "pal/time.h"
#include "tcpip/tcp.h"

static void ring_sleeper(struct sw_interrupt *i)
{
    tcp_os_ring(i->sleeper);
}

static void set_interrupt(struct sw_interrupt *i, struct tcp_os_alarm *alarm)
{
    if (i == NULL)
        return;
    while (pal_swap_acq_rel(&i->lock_word, 1u) != 0)
        pal_cpu_relax();
    i->sleeper = alarm;
    i->poke = alarm != NULL ? ring_sleeper : NULL;
    pal_store_release(&i->lock_word, 0u);
}

static int remaining_ms(uint64_t deadline_ns)
{
    uint64_t now;

    if (deadline_ns == UINT64_MAX)
        return -1;
    now = pal_now_ns();
    if (now >= deadline_ns)
        return 0;
    return deadline_ns - now > 3600000000000u ? 3600000 : (int)((deadline_ns - now + 999999u) / 1000000u);
}

static void add_waiter_locked(struct tcp *t, struct tcp_waiter *w)
{
    w->next = t->waiters;
    t->waiters = w;
}

static void drop_waiter_locked(struct tcp *t, struct tcp_waiter *w)
{
    struct tcp_waiter **at = &t->waiters;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

static unsigned what_is_queued(const struct tcp *t)
{
    return (t->rest != NULL || t->send.head != NULL ? PAL_WRITABLE : 0u) |
           (t->recv.head != NULL ? PAL_READABLE : 0u);
}

/* Sleeps and serves; the lock is dropped meanwhile and held again at the end. */
static void sleep_once_locked(struct tcp *t, struct tcp_waiter *w, int timeout_ms)
{
    struct tcp_queue told;

    tcp_queue_init(&told);
    w->what = what_is_queued(t);
    pal_mutex_unlock(&t->lock);
    tcp_os_wait(t->s, w->what, w->alarm, timeout_ms);
    pal_mutex_lock(&t->lock);
    tcp_serve_locked(t, &told);
    if (told.head != NULL || t->wanted != 0) {
        tcp_leave(t, &told);
        pal_mutex_lock(&t->lock);
    }
}

static int sleep_until_over_locked(struct tcp *t, struct tcp_waiter *w, uint64_t deadline_ns,
                                   struct sw_interrupt *interrupt)
{
    while (w->request->state != TCP_OVER) {
        int ms = remaining_ms(deadline_ns);

        if (ms == 0)
            return WSAETIMEDOUT;
        if (interrupt != NULL && pal_load_acquire(&interrupt->raised) != 0)
            return WSAEINTR;
        sleep_once_locked(t, w, ms);
    }
    return 0;
}

/* --- alarms that nobody has ----------------------------------------------------------------------------- */

static struct pal_mutex alarm_lock = PAL_MUTEX_INIT; /* alone */
static struct tcp_os_alarm *alarms;

static struct tcp_os_alarm *take_alarm(void)
{
    struct tcp_os_alarm *a;

    pal_mutex_lock(&alarm_lock);
    a = alarms;
    if (a != NULL)
        alarms = a->next;
    pal_mutex_unlock(&alarm_lock);
    return a != NULL ? a : tcp_os_alarm_make();
}

/* It may have rung since: the next waiter looks once in vain. */
static void give_alarm(struct tcp_os_alarm *a)
{
    pal_mutex_lock(&alarm_lock);
    a->next = alarms;
    alarms = a;
    pal_mutex_unlock(&alarm_lock);
}

void tcp_alarms_drop(void)
{
    struct tcp_os_alarm *a;

    pal_mutex_lock(&alarm_lock);
    while ((a = alarms) != NULL) {
        alarms = a->next;
        tcp_os_alarm_free(a);
    }
    pal_mutex_unlock(&alarm_lock);
}

int tcp_wait(struct sw_carrier *c, struct sw_request *r, uint64_t deadline_ns, struct sw_interrupt *interrupt)
{
    struct tcp *t = tcp_of(c);
    struct tcp_waiter w = {.request = r, .alarm = take_alarm()};
    int result;

    if (w.alarm == NULL)
        return WSAETIMEDOUT; /* the caller takes it back */
    set_interrupt(interrupt, w.alarm);
    pal_mutex_lock(&t->lock);
    pal_add_relaxed(&t->refs, 1u);
    add_waiter_locked(t, &w);
    result = sleep_until_over_locked(t, &w, deadline_ns, interrupt);
    drop_waiter_locked(t, &w);
    if (result == 0) {
        r->state = TCP_IDLE;
        t->unfetched--;
        if (t->is_closing)
            tcp_finalize_locked(t);
    }
    if (what_is_queued(t) != 0 || t->armed != 0)
        tcp_leave(t, NULL); /* the engine takes over */
    else
        pal_mutex_unlock(&t->lock);
    set_interrupt(interrupt, NULL);
    give_alarm(w.alarm);
    tcp_release(t);
    return result;
}
