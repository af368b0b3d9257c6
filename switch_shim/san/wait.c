/* wait.c - a thread that waits for its request: asleep until the actor wakes it, the time is over, or somebody interrupts.
 * Source: carrier.h. */
#include "san/internal.h"

#define LOOKS_PER_CLOCK 8u
#define LOOKS_ALONE     16u /* before others get the processor between looks; measured */
#define LOOKS_PER_YIELD 4u
#define BYTES_PER_NS    2u         /* that are worth looking for; measured */
#define PATIENT_BYTES   (4u << 20) /* at most; our choice */
#define COOL_NS         200000u    /* patience with the peer's answers to our PINGs; our choice */

void san_wake(struct san *c, struct sw_request *r)
{
    for (struct san_waiter *w = c->waiters; w != NULL; w = w->next)
        if (w->request == r)
            pal_cond_signal(&w->changed);
}

void san_wake_all(struct san *c)
{
    for (struct san_waiter *w = c->waiters; w != NULL; w = w->next)
        pal_cond_signal(&w->changed);
}

static void poke(struct sw_interrupt *i)
{
    struct san_waiter *w = i->sleeper;

    pal_mutex_lock(&w->san->lock);
    pal_cond_signal(&w->changed);
    pal_mutex_unlock(&w->san->lock);
}

static void set_poke(struct sw_interrupt *i, struct san_waiter *w)
{
    if (i == NULL)
        return;
    while (pal_swap_acq_rel(&i->lock_word, 1u) != 0)
        pal_thread_yield(); /* sw_interrupt_raise() holds it for a few instructions and the poke */
    i->poke = w == NULL ? NULL : poke;
    i->sleeper = w;
    pal_store_release(&i->lock_word, 0u); /* publishes both */
}

/* A thread that blocks in a send of a socket that another one has closed: its call is over, whoever reads or not. (Sends that nobody
 * waits for were accepted, and travel.) */
static bool is_left_behind(const struct san *c, const struct sw_request *r)
{
    return c->is_closing && r->kind == SW_REQUEST_SEND && r->state == SAN_PENDING;
}

static int sleep_for(struct san *c, struct san_waiter *w, uint64_t deadline_ns,
                     struct sw_interrupt *interrupt)
{
    bool in_time = true;

    c->stats.sleeps++;
    while (w->request->state != SAN_DONE) {
        if (interrupt != NULL &&
            pal_load_acquire(&interrupt->raised) != 0) /* acquire: what the raiser did before */
            return WSAEINTR;
        if (!in_time)
            return WSAETIMEDOUT;
        if ((c->is_hot && san_is_looked_at(c)) || is_left_behind(c, w->request))
            return WSAEWOULDBLOCK;
        in_time = pal_cond_wait_alertably(&w->changed, &c->lock, deadline_ns);
    }
    return 0;
}

/* One look without the lock at what else may end the wait. */
static bool is_enough(uint64_t now, uint64_t deadline_ns, struct sw_interrupt *interrupt)
{
    return now >= deadline_ns || (interrupt != NULL && pal_load_acquire(&interrupt->raised) != 0);
}

/* What is large takes longer, and meanwhile it is the looking that moves it on where the transport is software. */
static uint64_t patience_of(const struct san *c, const struct sw_request *r)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < r->op.buffer_count; i++)
        bytes += r->op.buffers[i].len;
    if (bytes > PATIENT_BYTES)
        bytes = PATIENT_BYTES;
    return (uint64_t)c->set.spin_us * 1000u + bytes / BYTES_PER_NS;
}

/* While the next message comes only to who looks: look instead of sleeping, for a while, and then until it is otherwise.
 * Locked. */
static void spin(struct san *c, struct sw_request *r, uint64_t deadline_ns, struct sw_interrupt *interrupt)
{
    uint64_t end = 0;

    (void)san_hot_visit(c, 0);
    for (unsigned looks = 0; r->state != SAN_DONE && san_is_looked_at(c); looks++) {
        san_hot_note(c);
        if (san_poll(c))
            continue;
        pal_mutex_unlock(&c->lock);
        if (looks >= LOOKS_ALONE && looks % LOOKS_PER_YIELD == 0)
            pal_thread_yield(); /* whoever has to run so that something comes may have no processor of his own */
        else
            pal_cpu_relax();
        if (looks % LOOKS_PER_CLOCK == 0) {
            uint64_t now = pal_now_ns();

            if (end == 0)
                end = now + patience_of(c, r);
            pal_mutex_lock(&c->lock);
            if (is_enough(now, deadline_ns, interrupt) || (now >= end && !c->is_hot))
                return; /* the tick looks after it */
            if (now >= end) {
                san_hot_cool(c, c->next_calm);
                end = now + COOL_NS;
            }
            continue;
        }
        pal_mutex_lock(&c->lock);
    }
    if (r->state == SAN_DONE && c->is_hot)
        c->next_calm = 0; /* it was worth it */
}

static void unlink_waiter(struct san *c, struct san_waiter *w)
{
    struct san_waiter **at = &c->waiters;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

static int wait_asleep(struct san *c, struct sw_request *r, uint64_t deadline_ns,
                       struct sw_interrupt *interrupt)
{
    struct san_waiter w = {.request = r, .san = c};
    int result;

    if (!pal_cond_init(&w.changed))
        return WSAENOBUFS;
    set_poke(interrupt, &w);
    san_enter(c);
    w.next = c->waiters;
    c->waiters = &w;
    result = sleep_for(c, &w, deadline_ns, interrupt);
    unlink_waiter(c, &w);
    pal_mutex_unlock(&c->lock);
    set_poke(interrupt, NULL); /* without the connection's lock: the poke takes it */
    pal_cond_fini(&w.changed);
    return result;
}

int san_wait(struct sw_carrier *carrier, struct sw_request *r, uint64_t deadline_ns,
             struct sw_interrupt *interrupt)
{
    struct san *c = san_of(carrier);

    san_enter(c);
    spin(c, r, deadline_ns, interrupt);
    while (r->state != SAN_DONE) {
        int result;

        if (is_left_behind(c, r)) {
            (void)san_call_off(c, r);
            san_leave(c); /* which acts */
            san_enter(c);
            continue;
        }
        pal_mutex_unlock(&c->lock);
        result = wait_asleep(c, r, deadline_ns, interrupt);
        if (result != 0 && result != WSAEWOULDBLOCK)
            return result;
        san_enter(c);
        if (result == WSAEWOULDBLOCK)
            spin(c, r, deadline_ns, interrupt);
    }
    r->state = SAN_NOT_HERE;
    c->request_count--;
    san_leave(c); /* closed() may have waited for this */
    return 0;
}
