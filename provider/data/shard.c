/* shard.c - see shard.h. */
#include "data/shard.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/upcall.h"
#include "data/chan.h"
#include "pal/time.h"

#define ARM_RETRY_MS 2 /* a CQ that could not be armed wakes nobody: look again soon */

enum deliver_token { TOKEN_FREE, TOKEN_HELD, TOKEN_HELD_AGAIN };
enum sleeper_state {
    SLEEPER_RUNNING, /* will look at notify_pending before it sleeps */
    SLEEPER_UNARMED, /* sleeps; completions do not wake it */
    SLEEPER_ARMED,   /* sleeps or is about to; the next completion wakes it */
    SLEEPER_STATE = 3,
    SLEEPER_ROUND = 4 /* counts sleeps: an arm of an earlier sleep must not pass for one of this */
};

static PAL_THREAD_LOCAL unsigned upcall_depth;

bool wsd_shard_inside_upcall(void)
{
    return upcall_depth != 0;
}

/* ---- harvest ------------------------------------------------------------------------------------------- */

void wsd_shard_wake_waiters(struct wsd_shard *s)
{
    pal_mutex_lock(&s->wait_lock);
    pal_cond_broadcast(&s->wait_cond);
    pal_mutex_unlock(&s->wait_lock);
}

unsigned wsd_shard_harvest(struct wsd_shard *s, bool must)
{
    if (must)
        pal_lock_take(&s->poll_lock);
    else if (!pal_lock_try(&s->poll_lock))
        return 0; /* somebody is taking them right now */
    struct vb_wc wc[WSD_HARVEST_BATCH];
    unsigned n = vb_cq_poll(s->cq, wc, WSD_HARVEST_BATCH);
    if (n)
        wsd_chan_complete(wc, n);
    pal_lock_give(&s->poll_lock);
    if (n && atomic_load_explicit(&s->waiters, memory_order_acquire))
        wsd_shard_wake_waiters(s);
    return n;
}

/* ---- deliver ------------------------------------------------------------------------------------------- */

void wsd_shard_push_ready(struct wsd_shard *s, struct wsd_op *op)
{
    op->next = NULL;
    pal_mutex_lock(&s->ready_lock);
    *s->ready_tail = op;
    s->ready_tail = &op->next;
    atomic_fetch_add_explicit(&s->ready_count, 1, memory_order_release);
    pal_mutex_unlock(&s->ready_lock);
}

static struct wsd_op *pop_ready(struct wsd_shard *s, const struct wsd_chan *only)
{
    pal_mutex_lock(&s->ready_lock);
    struct wsd_op **at = &s->ready_head;
    while (*at && only && (*at)->chan != only)
        at = &(*at)->next;
    struct wsd_op *op = *at;
    if (op) {
        *at = op->next;
        if (!*at)
            s->ready_tail = at;
        atomic_fetch_sub_explicit(&s->ready_count, 1, memory_order_release);
    }
    pal_mutex_unlock(&s->ready_lock);
    return op;
}

void wsd_shard_deliver(struct wsd_shard *s, const struct wsd_chan *only)
{
    for (;;) {
        uint32_t seen = TOKEN_FREE;
        if (!pal_cas_acq_rel(&s->token, &seen, TOKEN_HELD)) {
            /* Leave a mark; if the holder let go meanwhile, try again ourselves. */
            if (seen == TOKEN_HELD_AGAIN || pal_cas_acq_rel(&s->token, &seen, TOKEN_HELD_AGAIN) ||
                seen == TOKEN_HELD_AGAIN)
                return;
            continue;
        }
        pal_store_relaxed(&s->deliverer, pal_thread_id());
        upcall_depth++;
        for (struct wsd_op *op; (op = pop_ready(s, only));)
            wsd_chan_deliver(op);
        upcall_depth--;
        pal_store_relaxed(&s->deliverer, 0);
        if (atomic_load_explicit(&s->waiters, memory_order_acquire))
            wsd_shard_wake_waiters(s);
        seen = TOKEN_HELD;
        bool marked = !pal_cas_acq_rel(&s->token, &seen, TOKEN_FREE);
        if (marked)
            pal_store_release(&s->token, TOKEN_FREE);
        if (only) { /* what others want delivered is the sleeper's */
            if (marked || wsd_shard_has_ready(s))
                wsd_shard_kick(s);
            return;
        }
        if (!marked && !wsd_shard_has_ready(s))
            return; /* else: pushed between our last pop and the release; its pusher may not call deliver */
    }
}

/* ---- sleeper ------------------------------------------------------------------------------------------- */

void wsd_shard_kick(struct wsd_shard *s)
{
    pal_wakeup_signal(s->wake);
}

void wsd_shard_expect(struct wsd_shard *s)
{
    /* Sequentially consistent on both sides (see may_sleep): either the sleeper sees our count, or we see
     * it sleeping unarmed. */
    atomic_fetch_add(&s->notify_pending, 1);
    uint32_t seen = atomic_load(&s->sleeper);
    if ((seen & SLEEPER_STATE) != SLEEPER_UNARMED)
        return;
    if (vb_cq_arm(s->cq) != VB_OK)
        wsd_shard_kick(s);
    /* Only now: who sees ARMED posts without arming. */
    atomic_compare_exchange_strong(&s->sleeper, &seen, (seen & ~(uint32_t)SLEEPER_STATE) | SLEEPER_ARMED);
}

/* Decide how to sleep. False: there was a completion, and there may be more: do not sleep. */
static bool may_sleep(struct wsd_shard *s)
{
    s->round += SLEEPER_ROUND;
    if (s->must_ack) { /* before the next one can come, but behind the work: consuming it is a system call or two */
        vb_cq_ack(s->cq);
        s->must_ack = false;
    }
    if (atomic_load(&s->notify_pending)) {
        atomic_store(&s->sleeper, s->round | SLEEPER_ARMED);
        s->arm_failed = vb_cq_arm(s->cq) != VB_OK;
        if (s->arm_failed)
            WSD_LOG_WARN("event=cq-arm-failed effect=polling-until-it-works");
    } else {
        s->arm_failed = false;
        atomic_store(&s->sleeper, s->round | SLEEPER_UNARMED);
        if (atomic_load(&s->notify_pending))
            return false;
    }
    return wsd_shard_harvest(s, true) == 0;
}

static void sleeper_main(void *arg)
{
    struct wsd_shard *s = arg;
    const pal_waitable waits[2] = {vb_cq_waitable(s->cq), pal_wakeup_waitable(s->wake)};
    while (!pal_load_acquire(&s->stop)) {
        if (wsd_shard_harvest(s, true) || !may_sleep(s)) {
            wsd_shard_deliver(s, NULL);
            continue;
        }
        /* or leaves a mark for who is at it; either way what is ready now is taken care of */
        wsd_shard_deliver(s, NULL);
        uint32_t ready = pal_wait(waits, 2, s->arm_failed ? ARM_RETRY_MS : -1);
        atomic_store(&s->sleeper, s->round | SLEEPER_RUNNING);
        if ((ready & 1) && s->acks_first)
            vb_cq_ack(s->cq);
        else
            s->must_ack |= ready & 1;
        if (ready & 2)
            pal_wakeup_clear(s->wake);
    }
}

void wsd_shard_wait(struct wsd_shard *s, bool (*done)(void *), void *arg, uint32_t max_ms)
{
    uint64_t deadline = pal_now_ns() + (uint64_t)max_ms * 1000000;
    atomic_fetch_add_explicit(&s->waiters, 1, memory_order_acq_rel);
    pal_mutex_lock(&s->wait_lock);
    while (!done(arg) && pal_cond_timedwait(&s->wait_cond, &s->wait_lock, deadline))
        ;
    pal_mutex_unlock(&s->wait_lock);
    atomic_fetch_sub_explicit(&s->waiters, 1, memory_order_acq_rel);
}

/* ---- life ---------------------------------------------------------------------------------------------- */

static struct pal_mutex pool_lock = PAL_MUTEX_INIT; /* guards free_shards; taken alone */
static struct wsd_shard *free_shards;

static struct wsd_shard *make(void)
{
    struct wsd_shard *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    if (!pal_lock_init(&s->poll_lock))
        goto err_alloc;
    if (!pal_mutex_init(&s->ready_lock))
        goto err_poll_lock;
    if (!pal_mutex_init(&s->wait_lock))
        goto err_ready_lock;
    if (pal_cond_init(&s->wait_cond))
        return s;
    pal_mutex_fini(&s->wait_lock);
err_ready_lock:
    pal_mutex_fini(&s->ready_lock);
err_poll_lock:
    pal_lock_fini(&s->poll_lock);
err_alloc:
    free(s);
    return NULL;
}

static struct wsd_shard *take(void)
{
    pal_mutex_lock(&pool_lock);
    struct wsd_shard *s = free_shards;
    if (s)
        free_shards = s->next;
    pal_mutex_unlock(&pool_lock);
    return s ? s : make();
}

static void give(struct wsd_shard *s)
{
    pal_mutex_lock(&pool_lock);
    s->next = free_shards;
    free_shards = s;
    pal_mutex_unlock(&pool_lock);
}

/* The library is being unloaded: nobody polls any more. */
PAL_AT_UNLOAD(free_pool)
{
    if (wsd_is_in_use())
        return;
    while (free_shards) {
        struct wsd_shard *s = free_shards;
        free_shards = s->next;
        pal_cond_fini(&s->wait_cond);
        pal_mutex_fini(&s->wait_lock);
        pal_mutex_fini(&s->ready_lock);
        pal_lock_fini(&s->poll_lock);
        free(s);
    }
}

static void set_cq(struct wsd_shard *s, struct vb_cq *cq)
{
    pal_lock_take(&s->poll_lock);
    s->cq = cq;
    pal_lock_give(&s->poll_lock);
}

vb_status_t wsd_shard_create(struct vb_dev *dev, const struct vb_caps *caps, uint32_t depth,
                             struct wsd_shard **out)
{
    struct wsd_shard *s = take();
    struct vb_cq *cq;
    if (!s)
        return VB_E_NOMEM;
    s->next = NULL;
    s->capacity = depth;
    s->acks_first = (caps->flags & VB_CAP_ACK_FIRST) != 0;
    s->reserved = 0;
    s->ready_head = NULL;
    s->ready_tail = &s->ready_head;
    pal_store_relaxed(&s->ready_count, 0);
    pal_store_relaxed(&s->token, TOKEN_FREE);
    pal_store_relaxed(&s->deliverer, 0);
    pal_store_relaxed(&s->notify_pending, 0);
    pal_store_relaxed(&s->sleeper, SLEEPER_RUNNING);
    s->round = 0;
    s->arm_failed = s->must_ack = false;
    pal_store_relaxed(&s->stop, false);
    pal_store_relaxed(&s->dead, false);
    vb_status_t st = VB_E_NOMEM;
    s->wake = pal_wakeup_create();
    if (!s->wake)
        goto err_memory;
    st = vb_cq_create(dev, depth, &cq);
    if (st != VB_OK)
        goto err_wake;
    set_cq(s, cq);
    st = VB_E_NOMEM;
    s->thread = pal_thread_start(sleeper_main, s, "wsd-cq");
    if (!s->thread)
        goto err_cq;
    *out = s;
    return VB_OK;
err_cq:
    set_cq(s, NULL);
    vb_cq_destroy(cq);
err_wake:
    pal_wakeup_destroy(s->wake);
err_memory:
    give(s);
    return st;
}

void wsd_shard_destroy(struct wsd_shard *s)
{
    struct vb_cq *cq = s->cq;
    pal_store_release(&s->stop, true);
    wsd_shard_kick(s);
    pal_thread_join(s->thread);
    set_cq(s, NULL);
    vb_cq_destroy(cq);
    pal_wakeup_destroy(s->wake);
    give(s);
}
