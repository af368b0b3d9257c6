/* engine.c - the thread of tcpip/: sleeps on the sockets that have something queued or wanted and nobody waiting, looks after
 * closes that linger, and tells when addresses change. */
#include <stdlib.h>

#include "pal/compiler.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "pal/wait.h"
#include "tcpip/tcp.h"

enum { DRIVEN_LOOK_MS = 2, LINGER_LOOK_MS = 10, GIVEN_LOOK_MS = 5000, BATCH = 32 };

static struct engine {
    struct pal_mutex lock; /* guards all that follows, and that a socket found ready is still alive */
    struct pal_poller *poller;
    struct pal_thread *thread;
    struct pal_if_watch *addresses;
    void (*address_fn)(void *);
    void *address_context;
    struct tcp *lingering, *driven;
    uint64_t driven_look_ns; /* the next look at those */
    bool stops;
} engine = {.lock = PAL_MUTEX_INIT};

static void serve_ready(void)
{
    struct pal_ready ready[BATCH];
    unsigned n;

    pal_mutex_lock(&engine.lock);
    n = pal_poller_poll(engine.poller, ready, BATCH);
    for (unsigned i = 0; i < n; i++)
        pal_add_relaxed(&((struct tcp *)ready[i].tag)->refs, 1u);
    pal_mutex_unlock(&engine.lock);
    for (unsigned i = 0; i < n; i++) {
        tcp_event(ready[i].tag);
        tcp_release(ready[i].tag);
    }
}

/* True: it is the first. */
static bool put_driven(struct tcp *t)
{
    bool is_first;

    pal_mutex_lock(&engine.lock);
    is_first = engine.driven == NULL;
    t->next_driven = engine.driven;
    engine.driven = t;
    pal_mutex_unlock(&engine.lock);
    return is_first;
}

/* Takes the whole list, looks, and puts back what is not over. */
static bool serve_lingering(void)
{
    struct tcp *list, *next;
    uint64_t now = pal_now_ns();
    bool any;

    pal_mutex_lock(&engine.lock);
    list = engine.lingering;
    engine.lingering = NULL;
    pal_mutex_unlock(&engine.lock);
    for (struct tcp *t = list; t != NULL; t = next) {
        next = t->next_lingering;
        if (tcp_linger_look(t, now))
            tcp_release(t);
        else
            tcp_engine_linger(t);
    }
    pal_mutex_lock(&engine.lock);
    any = engine.lingering != NULL;
    pal_mutex_unlock(&engine.lock);
    return any;
}

/* Not more often than its time, whatever else the thread wakes up for: between two looks a program must have had time to ask. */
static bool serve_driven(void)
{
    struct tcp *list, *next;
    uint64_t now = pal_now_ns();
    bool any;

    pal_mutex_lock(&engine.lock);
    list = now < engine.driven_look_ns ? NULL : engine.driven;
    if (list != NULL) {
        engine.driven = NULL;
        engine.driven_look_ns = now + DRIVEN_LOOK_MS * 1000000u;
    }
    pal_mutex_unlock(&engine.lock);
    for (struct tcp *t = list; t != NULL; t = next) {
        next = t->next_driven;
        if (tcp_driven_look(t))
            tcp_release(t);
        else
            put_driven(t);
    }
    pal_mutex_lock(&engine.lock);
    any = engine.driven != NULL;
    pal_mutex_unlock(&engine.lock);
    return any;
}

static void tell_addresses(void)
{
    void (*fn)(void *) = NULL;
    void *context = NULL;

    pal_mutex_lock(&engine.lock);
    if (engine.addresses != NULL && pal_if_watch_take(engine.addresses)) {
        fn = engine.address_fn;
        context = engine.address_context;
        engine.address_fn = NULL;
    }
    pal_mutex_unlock(&engine.lock);
    if (fn != NULL)
        fn(context);
}

static void engine_main(void *unused)
{
    bool any_lingers = false, any_driven = false;

    (void)unused;
    for (;;) {
        pal_waitable waits[3];
        bool stops;

        pal_mutex_lock(&engine.lock);
        waits[0] = pal_poller_waitable(engine.poller);
        waits[1] = engine.addresses != NULL ? pal_if_watch_waitable(engine.addresses) : PAL_WAITABLE_NONE;
        pal_mutex_unlock(&engine.lock);
        waits[2] = tcp_os_given_waitable();
        (void)pal_wait(waits, 3, any_driven ? DRIVEN_LOOK_MS : any_lingers ? LINGER_LOOK_MS : GIVEN_LOOK_MS);
        pal_poller_clear(engine.poller);
        pal_mutex_lock(&engine.lock);
        stops = engine.stops;
        pal_mutex_unlock(&engine.lock);
        if (stops)
            return;
        serve_ready();
        any_lingers = serve_lingering();
        any_driven = serve_driven();
        tell_addresses();
        tcp_os_given_serve();
    }
}

/* engine.lock held. */
static bool start_locked(void)
{
    if (engine.thread != NULL)
        return true;
    if (engine.poller == NULL)
        engine.poller = pal_poller_create(PAL_WAITABLE_NONE);
    if (engine.poller == NULL)
        return false;
    engine.stops = false;
    engine.thread = pal_thread_start(engine_main, NULL, "wsd-tcp");
    return engine.thread != NULL;
}

bool tcp_engine_start(void)
{
    bool is_good;

    pal_mutex_lock(&engine.lock);
    is_good = start_locked();
    if (is_good)
        pal_poller_signal(engine.poller); /* it sleeps on what there is now */
    pal_mutex_unlock(&engine.lock);
    return is_good;
}

bool tcp_engine_arm_locked(struct tcp *t, unsigned what)
{
    bool is_good = true;

    if (what == t->armed)
        return true;
    pal_mutex_lock(&engine.lock);
    if (what == 0)
        pal_poller_remove(engine.poller, t->s);
    else if (t->armed != 0)
        pal_poller_change(engine.poller, t->s, what, t);
    else
        is_good = start_locked() && pal_poller_add(engine.poller, t->s, what, t);
    pal_mutex_unlock(&engine.lock);
    if (is_good)
        t->armed = what;
    return is_good;
}

void tcp_engine_linger(struct tcp *t)
{
    bool is_first;

    pal_mutex_lock(&engine.lock);
    is_first = engine.lingering == NULL;
    t->next_lingering = engine.lingering;
    engine.lingering = t;
    if (is_first && start_locked())
        pal_poller_signal(engine.poller);
    pal_mutex_unlock(&engine.lock);
}

void tcp_engine_drive(struct tcp *t)
{
    if (put_driven(t))
        (void)tcp_engine_start(); /* it runs (driven.c): this wakes it up */
}

int sw_tcp_watch_addresses(void (*fn)(void *context), void *context)
{
    int result = 0;

    pal_mutex_lock(&engine.lock);
    if (engine.addresses == NULL) {
        engine.addresses = pal_if_watch_create();
        if (engine.addresses == NULL || !start_locked())
            result = WSAENOBUFS;
    } else {
        (void)pal_if_watch_take(engine.addresses); /* what changed before the question does not count */
    }
    if (result == 0) {
        engine.address_fn = fn;
        engine.address_context = context;
        pal_poller_signal(engine.poller); /* the thread sleeps on the watch from now on */
    }
    pal_mutex_unlock(&engine.lock);
    return result;
}

/* The thread has ended: nobody looks at them any more. */
static void drop_driven(void)
{
    struct tcp *t, *next;

    pal_mutex_lock(&engine.lock);
    t = engine.driven;
    engine.driven = NULL;
    pal_mutex_unlock(&engine.lock);
    for (; t != NULL; t = next) {
        next = t->next_driven;
        tcp_release(t);
    }
}

void sw_tcp_stop(void)
{
    struct pal_thread *thread;

    pal_mutex_lock(&engine.lock);
    thread = engine.thread;
    engine.stops = true;
    engine.address_fn = NULL;
    if (thread != NULL)
        pal_poller_signal(engine.poller);
    pal_mutex_unlock(&engine.lock);
    if (thread != NULL)
        pal_thread_join(thread);
    drop_driven();
    tcp_os_given_drop(true);
    tcp_alarms_drop();
    pal_mutex_lock(&engine.lock);
    engine.thread = NULL;
    pal_poller_destroy(engine.poller);
    engine.poller = NULL;
    pal_if_watch_destroy(engine.addresses);
    engine.addresses = NULL;
    pal_mutex_unlock(&engine.lock);
}
