/* hot.c - few connections at a time whose application comes to look, by blocking calls or again and again: their requests are
 * polled for, so that a message costs no other thread and no system call of the notification's.
 *
 * A connection becomes hot by a visit; from then on what is posted is polled for. It cools down when a wait was longer than the
 * spin time, when the application uses events or overlapped calls, or when nobody came between two ticks. What is posted then
 * is notified again; what is still out as polled has to be used up, or nobody would notice the next message while the
 * application sleeps. So the peer's switch is asked for answers (PING), one for each such receive, and the tick of the
 * service thread looks until they are there.
 *
 * Source: contract 7.2, 4.12 (WSPGetOverlappedResult is what drives a provider, and the cheaper way); the rest is our choice. */
#include "san/internal.h"

#define HOT_MAX  16u   /* whose threads spin in a blocking call: no more than there are processors */
#define KEPT_MAX 1024u /* with those whose application goes round and asks */
#define TICK_MAX 64u   /* looked after at once */
#define TICK_NS  2000000u
#define TICK_MOST_NS                                                                                         \
    8000000u          /* while all are looked after by who asks: the tick takes a processor from them */
#define MISSED_MAX 4u /* ticks without a visit, then it cools down */
#define CALM_MIN   16u
#define CALM_MAX   4096u

static struct {
    struct pal_mutex lock; /* guards the rest; a leaf */
    unsigned count, limit; /* limit 0: not known yet */
    struct san *kept[KEPT_MAX];
    unsigned next;             /* where the tick goes on */
    uint64_t tick_ns, next_ns; /* the next tick */
} hot = {.lock = PAL_MUTEX_INIT};

static bool keep(struct san *c, bool is_asked)
{
    bool is_kept, is_first;

    pal_mutex_lock(&hot.lock);
    if (hot.limit == 0) {
        hot.limit = pal_processors();
        hot.limit = hot.limit < 2 ? 2 : hot.limit > HOT_MAX ? HOT_MAX : hot.limit;
    }
    is_first = hot.count == 0;
    is_kept = hot.count < (is_asked ? KEPT_MAX : hot.limit);
    if (is_kept)
        hot.kept[hot.count++] = c;
    if (is_kept && is_first) {
        hot.tick_ns = TICK_NS;
        hot.next_ns = pal_now_ns() + TICK_NS;
    }
    pal_mutex_unlock(&hot.lock);
    if (is_kept && is_first)
        san_service_wake();
    return is_kept;
}

static void drop(struct san *c)
{
    pal_mutex_lock(&hot.lock);
    for (unsigned i = 0; i < hot.count; i++)
        if (hot.kept[i] == c)
            hot.kept[i] = hot.kept[--hot.count];
    pal_mutex_unlock(&hot.lock);
    c->is_kept = false;
}

bool san_hot_visit(struct san *c, unsigned patience)
{
    if (c->is_hot) {
        san_hot_note(c);
        return true;
    }
    if (c->set.spin_us == 0 || !c->is_opened || c->companion == NULL || c->is_moved || c->giving != NULL)
        return c->is_cooling;
    if (c->calm != 0) {
        c->calm--;
        return c->is_cooling;
    }
    if (patience != 0 && c->looks < patience) {
        c->looks++;
        return c->is_cooling;
    }
    if (!c->is_kept) {
        c->is_kept = keep(c, patience != 0);
        if (!c->is_kept) {
            c->calm = CALM_MIN; /* all places are taken: do not ask each time */
            return false;
        }
    }
    c->is_hot = true;
    san_hot_note(c);
    c->is_cooling = false;
    return true;
}

/* All that is out is notified: nobody has to look any more. */
static void check_cold(struct san *c)
{
    if (!c->is_cooling || c->polled_receives != 0 || c->polled_others != 0)
        return;
    c->is_cooling = false;
    drop(c);
}

void san_hot_cool(struct san *c, unsigned calm)
{
    c->looks = 0;
    if (calm < CALM_MIN)
        calm = CALM_MIN;
    c->next_calm = calm > CALM_MAX / 2 ? CALM_MAX : 2 * calm;
    if (c->calm < calm)
        c->calm = calm;
    if (!c->is_hot)
        return;
    c->is_hot = c->is_driven = false;
    c->missed = 0;
    c->is_cooling = true;
    if (c->polled_receives != 0)
        sw_session_ping(c->session);
    check_cold(c);
    san_act(c);
}

void san_hot_leave(struct san *c)
{
    c->is_hot = c->is_cooling = c->is_driven = false;
    if (c->is_kept)
        drop(c);
}

/* The oldest receive is asked for: that looks at everything of the connection. */
static void drive(struct san *c)
{
    struct san_slot *s;
    DWORD bytes = 0, flags = 0;
    INT error = 0;

    if (c->rx_count == 0 || c->companion == NULL)
        return;
    s = &c->rx[c->rx_order[c->rx_first]];
    (void)c->procs->lpWSPGetOverlappedResult(c->descriptor, &s->ov, &bytes, FALSE, &flags, &error);
}

bool san_look(struct san *c)
{
    if (c->polled_receives == 0 && c->polled_others == 0)
        return false;
    drive(c);
    if (!san_take_polled(c))
        return false;
    if (c->is_cooling && c->polled_receives != 0)
        sw_session_ping(c->session);
    return true;
}

bool san_poll(struct san *c)
{
    if (!san_look(c))
        return false;
    san_act(c);
    check_cold(c);
    return true;
}

/* --- the tick --- */

static void look_after(struct san *c)
{
    if (!pal_mutex_trylock(&c->lock)) { /* somebody is there, perhaps for long; the next tick asks again */
        san_release(c);
        return;
    }
    if (pal_swap_acq_rel(&c->is_visited, false))
        c->missed = 0; /* while we came to the lock */
    else if (c->is_hot && ++c->missed == MISSED_MAX)
        san_hot_cool(c, CALM_MIN);
    /* who is away for a moment, or without a processor, must not hold up the peer */
    if (c->is_cooling || c->missed != 0) {
        while (san_poll(c))
            ;
        check_cold(c);
    }
    pal_mutex_unlock(&c->lock);
    san_release(c);
}

uint64_t san_hot_tick(void)
{
    struct san *now[TICK_MAX];
    unsigned count = 0;
    uint64_t next_ns;

    pal_mutex_lock(&hot.lock);
    if (hot.count != 0 && pal_now_ns() >= hot.next_ns) {
        for (unsigned i = 0; i < hot.count && i < TICK_MAX; i++) {
            struct san *c = hot.kept[hot.next++ % hot.count];

            if (pal_swap_acq_rel(&c->is_visited, false))
                continue; /* it is in good hands: not even its lock is asked for, which who looks has all the time */
            pal_add_acq_rel(&c->refs, 1u);
            now[count++] = c;
        }
        hot.tick_ns = count != 0 ? TICK_NS : hot.tick_ns >= TICK_MOST_NS / 2 ? TICK_MOST_NS : 2 * hot.tick_ns;
        hot.next_ns = pal_now_ns() + hot.tick_ns;
    }
    pal_mutex_unlock(&hot.lock);
    for (unsigned i = 0; i < count; i++)
        look_after(now[i]);
    pal_mutex_lock(&hot.lock);
    next_ns = hot.count == 0 ? UINT64_MAX : hot.next_ns;
    pal_mutex_unlock(&hot.lock);
    return next_ns;
}
