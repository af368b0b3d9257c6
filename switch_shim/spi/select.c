/* select.c - WSPSelect (contract 10.1, 22; 10.3). Only sockets of this provider; no polling: each socket keeps a list of who waits
 * for it, and wakes them from the upcalls of its carriers. Up to 64 places no memory is allocated. */
#include "spi/spi.h"

#include <stdlib.h>
#include <string.h>

#define INLINE_PLACES 64u

#define READ_EVENTS   (FD_READ | FD_ACCEPT | FD_CLOSE)
#define WRITE_EVENTS  (FD_WRITE | FD_CONNECT)
#define EXCEPT_EVENTS (FD_OOB | FD_CONNECT)

struct sw_selector {
    struct pal_mutex lock; /* guards is_awake */
    struct pal_cond woken;
    bool is_awake;
};

/* One entry of one of the three sets. */
struct place {
    struct sw_sock *sock; /* a reference is held */
    SOCKET handle;
    unsigned set;
    bool is_ready;
    struct sw_select_node node;
};

void sw_events_wake_locked(struct sw_sock *s, uint32_t events)
{
    for (struct sw_select_node *node = s->selectors; node != NULL; node = node->next) {
        if ((node->events & events) == 0)
            continue;
        pal_mutex_lock(&node->selector->lock);
        node->selector->is_awake = true;
        pal_cond_signal(&node->selector->woken);
        pal_mutex_unlock(&node->selector->lock);
    }
}

static uint32_t events_of(unsigned set)
{
    return set == 0 ? READ_EVENTS : set == 1 ? WRITE_EVENTS : EXCEPT_EVENTS;
}

/* Ready for the set now? WSAENOTSOCK: closed meanwhile. */
static int look(struct place *at)
{
    struct sw_sock *s = at->sock;
    struct sw_ready ready = {0, 0, 0};
    struct sw_carrier *c;
    bool is_listening, has_failed, has_deferred;

    at->is_ready = false;
    if (!sw_sock_enter(s)) {
        at->is_ready = at->set == 0; /* B184 */
        return at->set == 2 ? WSAENOTSOCK : 0;
    }
    pal_mutex_lock(&s->lock);
    is_listening = s->state == SW_LISTENING;
    has_deferred = s->deferred != NULL;
    has_failed = s->connect_error != 0 && s->state != SW_CONNECTING && s->state != SW_CONNECTED;
    pal_mutex_unlock(&s->lock);
    c = pal_load_acquire(&s->data);
    if (c != NULL)
        ready = c->ops->ready(c);
    if (is_listening && at->set == 0) {
        struct sw_leg *leg =
            s->tcp; /* const while it listens and a call is counted, like the list of the others */

        at->is_ready = has_deferred ||
                       (leg != NULL && (leg->carrier->ops->ready(leg->carrier).events & FD_ACCEPT) != 0);
        for (leg = s->san; !at->is_ready && leg != NULL; leg = leg->next)
            at->is_ready = (leg->carrier->ops->ready(leg->carrier).events & FD_ACCEPT) != 0;
    } else if (at->set == 0) {
        at->is_ready = (ready.events & (FD_READ | FD_CLOSE)) != 0;
    } else if (at->set == 1) {
        at->is_ready = (ready.events & FD_WRITE) != 0;
    } else {
        at->is_ready = has_failed || (ready.events & FD_OOB) != 0;
    }
    sw_sock_leave(s);
    return 0;
}

/* --- the sets --- */

static int collect(WSD_FD_SET *const sets[3], struct place *places, unsigned *count)
{
    *count = 0;
    for (unsigned set = 0; set < 3; set++) {
        for (unsigned i = 0; sets[set] != NULL && i < sets[set]->fd_count; i++) {
            struct place *at = &places[*count];
            int error = 0;
            struct sw_sock *s = sw_sock_get(sets[set]->fd_array[i], &error);

            if (s == NULL)
                return error;
            sw_sock_hold(s);
            sw_sock_leave(s);
            memset(at, 0, sizeof(*at));
            at->sock = s;
            at->handle = sets[set]->fd_array[i];
            at->set = set;
            (*count)++;
        }
    }
    return 0;
}

static int look_at_all(struct place *places, unsigned count, unsigned *ready)
{
    *ready = 0;
    for (unsigned i = 0; i < count; i++) {
        int code = look(&places[i]);

        if (code != 0)
            return code;
        *ready += places[i].is_ready ? 1 : 0;
    }
    return 0;
}

/* The sets become what is ready, each socket once (B179). The same set may have been given twice (B180). */
static int answer(WSD_FD_SET *const sets[3], const struct place *places, unsigned count)
{
    int total = 0;

    for (unsigned set = 0; set < 3; set++)
        if (sets[set] != NULL)
            sets[set]->fd_count = 0;
    for (unsigned i = 0; i < count; i++) {
        WSD_FD_SET *out = sets[places[i].set];

        if (!places[i].is_ready || sw_up_is_in_set(places[i].handle, out))
            continue;
        out->fd_array[out->fd_count++] = places[i].handle;
        total++;
    }
    return total;
}

/* --- waiting --- */

static void enlist(struct place *places, unsigned count, struct sw_selector *selector)
{
    for (unsigned i = 0; i < count; i++) {
        struct sw_sock *s = places[i].sock;

        places[i].node.selector = selector;
        places[i].node.events = events_of(places[i].set) | SW_EVENT_GONE;
        pal_mutex_lock(&s->lock);
        places[i].node.next = s->selectors;
        s->selectors = &places[i].node;
        pal_mutex_unlock(&s->lock);
    }
}

static void delist(struct place *places, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct sw_sock *s = places[i].sock;
        struct sw_select_node **at = &s->selectors;

        pal_mutex_lock(&s->lock);
        while (*at != &places[i].node)
            at = &(*at)->next;
        *at = places[i].node.next;
        pal_mutex_unlock(&s->lock);
    }
}

static void ask_carriers(struct place *places, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (sw_sock_enter(places[i].sock)) {
            sw_events_arm(places[i].sock);
            sw_sock_leave(places[i].sock);
        }
    }
}

/* True: woken. False: the slice is over. */
static bool sleep(struct sw_selector *selector, uint64_t until)
{
    bool woken;

    pal_mutex_lock(&selector->lock);
    while (!selector->is_awake) {
        if (until == UINT64_MAX)
            pal_cond_wait(&selector->woken, &selector->lock);
        else if (!pal_cond_timedwait(&selector->woken, &selector->lock, until))
            break;
    }
    woken = selector->is_awake;
    selector->is_awake = false;
    pal_mutex_unlock(&selector->lock);
    return woken;
}

static void poke(struct sw_interrupt *i)
{
    struct sw_selector *selector = i->sleeper;

    pal_mutex_lock(&selector->lock);
    selector->is_awake = true;
    pal_cond_signal(&selector->woken);
    pal_mutex_unlock(&selector->lock);
}

static int wait_for_any(struct place *places, unsigned count, struct sw_blocker *b, unsigned *ready)
{
    struct sw_selector selector;
    int code;

    selector.is_awake = false;
    if (!pal_mutex_init(&selector.lock))
        return WSAENOBUFS;
    if (!pal_cond_init(&selector.woken)) {
        pal_mutex_fini(&selector.lock);
        return WSAENOBUFS;
    }
    enlist(places, count, &selector);
    sw_block_set_poke(b, poke, &selector);
    for (;;) {
        (void)sw_block_run_calls(b);
        code = b->is_cancelled ? WSAEINTR : 0;
        if (code != 0)
            break;
        ask_carriers(places, count);
        code = look_at_all(places, count, ready);
        if (code != 0 || *ready > 0)
            break;
        if (!sleep(&selector, sw_block_slice(b))) {
            code = sw_block_after_slice(b);
            if (code != 0)
                break;
        }
    }
    sw_block_set_poke(b, NULL, NULL);
    delist(places, count);
    pal_cond_fini(&selector.woken);
    pal_mutex_fini(&selector.lock);
    return code == WSAETIMEDOUT ? 0 : code;
}

static int run(WSD_FD_SET *const sets[3], struct place *places, WSD_SELECT_TIMEOUT timeout, LPINT error)
{
    unsigned count, ready = 0;
    struct sw_blocker b;
    int total = 0;
    int code = collect(sets, places, &count);

    if (code == 0)
        code = look_at_all(places, count, &ready);
    if (code == 0 && ready == 0 && (timeout == NULL || timeout->tv_sec != 0 || timeout->tv_usec != 0)) {
        sw_block_begin(&b, 0);
        if (timeout != NULL)
            b.deadline_ns = pal_now_ns() + (uint64_t)timeout->tv_sec * 1000000000u +
                            (uint64_t)timeout->tv_usec * 1000u;
        code = wait_for_any(places, count, &b, &ready);
        sw_block_end(&b);
    }
    if (code == 0)
        total = answer(sets, places, count);
    for (unsigned i = 0; i < count; i++)
        sw_sock_release(places[i].sock);
    *error = code;
    return code == 0 ? total : SOCKET_ERROR;
}

int WSPAPI sw_spi_select(int nfds, WSD_FD_SET *read, WSD_FD_SET *write, WSD_FD_SET *except,
                         WSD_SELECT_TIMEOUT timeout, LPINT error)
{
    WSD_FD_SET *const sets[3] = {read, write, except};
    struct place few[INLINE_PLACES];
    struct place *places = few;
    unsigned wanted = 0;
    int total;

    (void)nfds; /* ignored by definition */
    if (!sw_spi_is_started())
        return SW_RESULT(error, WSANOTINITIALISED);
    for (unsigned set = 0; set < 3; set++)
        wanted += sets[set] == NULL ? 0 : sets[set]->fd_count;
    if (wanted == 0 || (timeout != NULL && (timeout->tv_sec < 0 || timeout->tv_usec < 0)))
        return SW_RESULT(error, WSAEINVAL); /* B174 */
    if (wanted > INLINE_PLACES)
        places = malloc(wanted * sizeof(*places));
    if (places == NULL)
        return SW_RESULT(error, WSAENOBUFS);
    total = run(sets, places, timeout, error);
    if (places != few)
        free(places);
    return total;
}
