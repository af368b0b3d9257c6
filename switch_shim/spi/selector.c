/* selector.c - see selector.h. */
#include "spi/selector.h"

#include "spi/share.h"

struct sw_selector {
    struct pal_mutex lock; /* guards is_awake */
    struct pal_cond woken;
    bool is_awake;
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

/* Somebody may be accepted? The legs are const while it listens and a call is counted. */
static bool has_arrival(const struct sw_sock *s)
{
    bool found = s->tcp != NULL && (s->tcp->carrier->ops->ready(s->tcp->carrier).events & FD_ACCEPT) != 0;

    for (const struct sw_leg *leg = s->san; !found && leg != NULL; leg = leg->next)
        found = (leg->carrier->ops->ready(leg->carrier).events & FD_ACCEPT) != 0;
    return found;
}

void sw_sock_look(struct sw_sock *s, struct sw_true *out)
{
    struct sw_ready ready = {0, 0, 0};
    struct sw_carrier *c;
    bool is_listening, has_deferred, is_away;

    pal_mutex_lock(&s->lock);
    is_listening = s->state == SW_LISTENING;
    has_deferred = s->deferred != NULL;
    out->has_failed = s->connect_error != 0 && s->state != SW_CONNECTING && s->state != SW_CONNECTED;
    pal_mutex_unlock(&s->lock);
    c = pal_load_acquire(&s->data);
    is_away = c == NULL && sw_share_look(s, &c);
    if (c != NULL) {
        ready = c->ops->ready(c);
    } else if (is_away) { /* whoever asks, waits for it (share.h) */
        ready.close_error = sw_share_lost(s);
        ready.events = ready.close_error != 0 ? FD_READ | FD_WRITE | FD_CLOSE : 0u;
        sw_share_want(s, true);
    }
    out->events = ready.events & (FD_READ | FD_WRITE | FD_OOB | FD_CLOSE);
    out->close_error = ready.close_error;
    if (is_listening && (has_deferred || has_arrival(s)))
        out->events |= FD_ACCEPT;
    else if (is_listening)
        sw_share_want(s, true);
}

int sw_places_look(struct sw_place *places, unsigned count, sw_place_look look, unsigned *ready)
{
    int first = 0;

    *ready = 0;
    for (unsigned i = 0; i < count; i++) {
        int code = look(&places[i]);

        first = first != 0 ? first : code;
        *ready += places[i].is_ready ? 1 : 0;
    }
    return *ready > 0 ? 0 : first;
}

static void enlist(struct sw_place *places, unsigned count, struct sw_selector *selector)
{
    for (unsigned i = 0; i < count; i++) {
        struct sw_sock *s = places[i].sock;

        places[i].node.selector = selector;
        places[i].node.events |= SW_EVENT_GONE;
        pal_mutex_lock(&s->lock);
        places[i].node.next = s->selectors;
        s->selectors = &places[i].node;
        pal_mutex_unlock(&s->lock);
    }
}

static void delist(struct sw_place *places, unsigned count)
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

static void ask_carriers(struct sw_place *places, unsigned count)
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
    while (!selector->is_awake && pal_cond_wait_alertably(&selector->woken, &selector->lock, until))
        ;
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

int sw_places_wait(struct sw_place *places, unsigned count, sw_place_look look, struct sw_blocker *b,
                   unsigned *ready)
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
        code = sw_places_look(places, count, look, ready);
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
