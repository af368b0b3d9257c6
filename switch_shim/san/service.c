/* service.c - the one thread of all SAN carriers: it waits for one event object, which the provider sets for FD_CONNECT and
 * FD_ACCEPT of any of them, and for the next timer. Contract 8.1 step 9 has a thread for each of the two; one serves both,
 * because nothing that it does waits for a peer.
 * The event is reset by the provider whenever it is asked (C13), so what others have to say is in `is_poked` as well. */
#include "san/internal.h"

#include <stdlib.h>

static struct {
    struct pal_mutex lock; /* guards the rest */
    struct pal_thread *thread;
    WSAEVENT event;
    bool is_stopping;
    struct san_link sockets; /* to be asked; empty: points to itself or NULL */
    struct san_link *cursor; /* the next one that the thread asks */
    struct san_timer **heap; /* from 1; the earliest first */
    uint32_t armed, room, reserved;
} service = {.lock = PAL_MUTEX_INIT};
static pal_atomic_bool is_poked;

/* --- the heap --- */

static void put(uint32_t at, struct san_timer *t)
{
    service.heap[at] = t;
    t->place = at;
}

static void sift_up(uint32_t at)
{
    struct san_timer *t = service.heap[at];

    for (; at > 1 && service.heap[at / 2]->due_ns > t->due_ns; at /= 2)
        put(at, service.heap[at / 2]);
    put(at, t);
}

static void sift_down(uint32_t at)
{
    struct san_timer *t = service.heap[at];

    while (2 * at <= service.armed) {
        uint32_t child = 2 * at;

        if (child < service.armed && service.heap[child + 1]->due_ns < service.heap[child]->due_ns)
            child++;
        if (service.heap[child]->due_ns >= t->due_ns)
            break;
        put(at, service.heap[child]);
        at = child;
    }
    put(at, t);
}

static void take_out(struct san_timer *t)
{
    uint32_t at = t->place;

    if (at == 0)
        return;
    t->place = 0;
    if (at == service.armed--)
        return;
    put(at, service.heap[service.armed + 1]);
    sift_up(at);
    sift_down(service.heap[at]->place);
}

/* With the last connection, which may go a moment after the service has. */
static void drop_heap_locked(void)
{
    if (service.reserved != 0 || !service.is_stopping)
        return;
    free(service.heap);
    service.heap = NULL;
    service.room = 0;
}

bool san_service_reserve(int timers)
{
    bool is_there = true;

    pal_mutex_lock(&service.lock);
    service.reserved += (uint32_t)timers;
    drop_heap_locked();
    if (timers > 0 && service.reserved + 1 > service.room) {
        uint32_t room = 2 * (service.reserved + 1);
        struct san_timer **heap = realloc(service.heap, room * sizeof(struct san_timer *));

        is_there = heap != NULL;
        if (is_there) {
            service.heap = heap;
            service.room = room;
        } else {
            service.reserved -= (uint32_t)timers;
        }
    }
    pal_mutex_unlock(&service.lock);
    return is_there;
}

void san_service_arm(struct san *c, unsigned timer, uint32_t ms)
{
    struct san_timer *t = &c->timers[timer];
    bool is_first;

    pal_mutex_lock(&service.lock);
    take_out(t);
    t->due_ns = pal_now_ns() + (uint64_t)ms * 1000000u;
    put(++service.armed, t);
    sift_up(service.armed);
    is_first = t->place == 1;
    pal_mutex_unlock(&service.lock);
    if (is_first)
        san_service_wake();
}

void san_service_disarm(struct san *c, unsigned timer)
{
    pal_mutex_lock(&service.lock);
    take_out(&c->timers[timer]);
    pal_mutex_unlock(&service.lock);
}

void san_service_forget(struct san *c)
{
    pal_mutex_lock(&service.lock);
    for (unsigned i = 0; i < SAN_TIMER_COUNT; i++)
        take_out(&c->timers[i]);
    pal_mutex_unlock(&service.lock);
}

/* --- sockets to be asked --- */

void san_service_link(struct san *c, bool on)
{
    pal_mutex_lock(&service.lock);
    if (on && !c->is_linked) {
        c->connecting.prev = service.sockets.prev;
        c->connecting.next = &service.sockets;
        service.sockets.prev->next = &c->connecting;
        service.sockets.prev = &c->connecting;
    } else if (!on && c->is_linked) {
        if (service.cursor == &c->connecting)
            service.cursor = c->connecting.next;
        c->connecting.prev->next = c->connecting.next;
        c->connecting.next->prev = c->connecting.prev;
    }
    c->is_linked = on;
    pal_mutex_unlock(&service.lock);
}

static struct san *san_of_link(struct san_link *link)
{
    return (struct san *)(void *)((char *)link - offsetof(struct san, connecting));
}

static void ask_sockets(void)
{
    pal_mutex_lock(&service.lock);
    service.cursor = service.sockets.next;
    while (service.cursor != &service.sockets) {
        struct san *c = san_of_link(service.cursor);

        service.cursor = service.cursor->next;
        pal_add_acq_rel(&c->refs, 1u);
        pal_mutex_unlock(&service.lock);
        if (c->backlog == 0)
            san_look_connect(c);
        else
            san_look_accept(c);
        san_release(c);
        pal_mutex_lock(&service.lock);
    }
    pal_mutex_unlock(&service.lock);
}

/* --- timers that are due --- */

static void fire(struct san *c, unsigned kind)
{
    struct san *l;

    san_enter(c);
    switch (kind) {
    case SAN_TIMER_CONNECT:
        if (c->phase == SAN_LISTENING)
            san_service_wake(); /* the provider had no room for a connection */
        if (c->phase == SAN_CONNECTING && !c->is_closing) {
            san_service_link(c, false);
            c->phase = SAN_FAILED;
            c->connect_error = WSAETIMEDOUT;
            c->connect_due = true;
        }
        break;
    case SAN_TIMER_START:
        if (c->phase == SAN_CONNECTING)
            c->phase = SAN_CONNECTED;
        break;
    case SAN_TIMER_SLOW:
        l = c->parent;
        if (l == NULL)
            break;
        pal_add_acq_rel(&l->refs, 1u); /* while the child names it, it is there */
        pal_mutex_unlock(&c->lock);
        san_child_slow(l, c);
        san_release(l);
        pal_mutex_lock(&c->lock);
        break;
    case SAN_TIMER_CANCEL:
        if (c->cancelled_count != 0 && c->phase == SAN_RUNNING)
            sw_session_broken(c->session, WSAECONNABORTED);
        break;
    default:
        if (c->phase == SAN_RUNNING)
            sw_session_timer(c->session, (enum sw_timer)kind);
        break;
    }
    san_leave(c);
}

/* The first that is due, taken out; NULL: none, and when to look again. */
static struct san *next_due(unsigned *kind, uint64_t *look_ns)
{
    struct san *c = NULL;

    pal_mutex_lock(&service.lock);
    *look_ns = service.armed == 0 ? UINT64_MAX : service.heap[1]->due_ns;
    if (service.armed != 0 && *look_ns <= pal_now_ns()) {
        struct san_timer *t = service.heap[1];

        take_out(t);
        *kind = t->kind;
        c = t->san;
        pal_add_acq_rel(&c->refs, 1u);
    }
    pal_mutex_unlock(&service.lock);
    return c;
}

static uint64_t fire_timers(void)
{
    uint64_t look_ns;
    unsigned kind;
    struct san *c;

    while ((c = next_due(&kind, &look_ns)) != NULL) {
        fire(c, kind);
        san_release(c);
    }
    return look_ns;
}

static bool is_stopping(void)
{
    bool stop;

    pal_mutex_lock(&service.lock);
    stop = service.is_stopping;
    pal_mutex_unlock(&service.lock);
    return stop;
}

static void run(void *argument)
{
    (void)argument;
    while (!is_stopping()) {
        uint64_t look_ns, timers_ns;

        ask_sockets();
        look_ns = san_hot_tick();
        timers_ns = fire_timers();
        if (timers_ns < look_ns)
            look_ns = timers_ns;
        timers_ns = san_left_tick(false);
        if (timers_ns < look_ns)
            look_ns = timers_ns;
        if (!pal_swap_acq_rel(&is_poked, false))
            (void)sw_event_wait(service.event, sw_remaining_ms(look_ns));
        (void)sw_event_reset(service.event);
    }
}

void san_service_wake(void)
{
    pal_swap_acq_rel(&is_poked, true);
    (void)sw_event_set(service.event);
}

static bool is_started(WSAEVENT *event)
{
    bool result;

    pal_mutex_lock(&service.lock);
    result = service.thread != NULL;
    *event = service.event;
    pal_mutex_unlock(&service.lock);
    return result;
}

static int start_locked(WSAEVENT event)
{
    if (service.sockets.next == NULL)
        service.sockets.next = service.sockets.prev = service.cursor = &service.sockets;
    service.event = event;
    service.is_stopping = false;
    service.thread = pal_thread_start(run, NULL, "wsd-san");
    return service.thread != NULL ? 0 : WSAENOBUFS;
}

/* The event is made without the lock: threads have handles from the same table, and who queues a call to one takes a carrier's lock
 * behind that of the handle; and behind a carrier's comes ours. */
int san_service_start(WSAEVENT *event)
{
    WSAEVENT made;
    bool is_in_use = false;
    int result = 0;

    if (is_started(event))
        return 0;
    made = sw_event_create(true, false);
    if (made == WSA_INVALID_EVENT)
        return WSAENOBUFS;
    pal_mutex_lock(&service.lock);
    if (service.thread == NULL) {
        result = start_locked(made);
        is_in_use = result == 0;
    }
    *event = service.event;
    pal_mutex_unlock(&service.lock);
    if (!is_in_use)
        (void)sw_event_close(made);
    return result;
}

void sw_san_stop(void)
{
    struct pal_thread *thread;

    pal_mutex_lock(&service.lock);
    thread = service.thread;
    service.thread = NULL;
    service.is_stopping = true;
    pal_mutex_unlock(&service.lock);
    if (thread != NULL) {
        san_service_wake();
        pal_thread_join(thread);
        (void)sw_event_close(service.event);
    }
    (void)san_left_tick(true);
    san_pool_drop();
    pal_mutex_lock(&service.lock);
    drop_heap_locked();
    pal_mutex_unlock(&service.lock);
}
