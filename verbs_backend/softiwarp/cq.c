/* cq.c - completion queues: the ring, who is looked at when polling, arming and sleeping.
 * A poll that finds the ring empty drives the QPs that were busy lately ("active"), each with one receive that mostly
 * says "nothing", as a program spinning on its sockets would. Every sixteenth it asks the poller whether any other QP
 * of the queue has something, and every sixty-fourth whether QPs of this process that nobody polls have.
 * A message to a thread that sleeps takes three calls to the system at its end, as few as there can be with a wait that others
 * may end too: the wait, the receive, the send of the answer; what may be left out beyond that is. */
#include <stdlib.h>
#include "si.h"

#define LOOK_EVERY     16u
#define BACKSTOP_EVERY 64u
#define IDLE_POLLS     512u /* of a QP beside other active ones */

vb_status_t si_cq_create(struct vb_dev *dev, uint32_t depth, struct vb_cq **out)
{
    if (depth > SI_MAX_CQE)
        return VB_E_INVAL;
    struct vb_cq *cq = calloc(1, sizeof *cq);
    if (!cq)
        return VB_E_NOMEM;
    cq->be = dev->be;
    cq->depth = depth;
    cq->ring = calloc(depth, sizeof *cq->ring);
    if (!cq->ring || !pal_mutex_init(&cq->poll_lock))
        goto err;
    if (!pal_lock_init(&cq->lock))
        goto err_poll_lock;
    cq->poller = pal_poller_create(PAL_WAITABLE_NONE);
    if (!cq->poller)
        goto err_lock;
    pal_poller_watch(cq->poller, false); /* until it is armed */
    pal_mutex_lock(&cq->be->cq_list_lock);
    cq->next_of_backend = cq->be->cqs;
    cq->be->cqs = cq;
    pal_mutex_unlock(&cq->be->cq_list_lock);
    *out = cq;
    return VB_OK;
err_lock:
    pal_lock_fini(&cq->lock);
err_poll_lock:
    pal_mutex_fini(&cq->poll_lock);
err:
    free(cq->ring);
    free(cq);
    return VB_E_NOMEM;
}

void si_cq_destroy(struct vb_cq *cq)
{
    pal_mutex_lock(&cq->be->cq_list_lock);
    struct vb_cq **at = &cq->be->cqs;
    while (*at != cq)
        at = &(*at)->next_of_backend;
    *at = cq->next_of_backend;
    pal_mutex_unlock(&cq->be->cq_list_lock);
    si_async_drop_cq(cq->be, cq);
    pal_poller_destroy(cq->poller);
    pal_lock_fini(&cq->lock);
    pal_mutex_fini(&cq->poll_lock);
    free(cq->ring);
    free(cq);
}

/* ---- the ring ---- */

void si_cq_push(struct vb_cq *cq, struct vb_qp *qp, bool is_recv, uint64_t seq, const struct vb_wc *wc)
{
    bool overflowed = false, notify = false;
    pal_lock_take(&cq->lock);
    const uint32_t count = pal_load_relaxed(&cq->count);
    if (count == cq->depth) { /* the caller did not reserve: vb_cq_create() */
        overflowed = !cq->is_dead;
        cq->is_dead = true;
    } else if (!cq->is_dead) {
        uint32_t at = cq->first + count;
        if (at >= cq->depth)
            at -= cq->depth;
        cq->ring[at] = (struct si_cqe){.wc = *wc, .qp = qp, .seq = seq, .is_recv = is_recv};
        pal_store_release(&cq->count, count + 1);
        cq->notes += cq->is_armed;
        notify = cq->is_armed && !cq->is_acking;
        cq->is_armed = false;
    }
    pal_lock_give(&cq->lock);
    if (notify)
        pal_poller_signal(cq->poller);
    if (overflowed)
        si_async_push(cq->be, &(struct vb_async_event){.kind = VB_ASYNC_CQ_ERROR, .cq = cq}, NULL);
}

static unsigned take(struct vb_cq *cq, struct vb_wc *wc, unsigned max)
{
    unsigned n = 0;
    if (!pal_load_acquire(&cq->count))
        return 0;
    pal_lock_take(&cq->lock);
    uint32_t count = pal_load_relaxed(&cq->count);
    for (; n < max && count > 0; n++, count--) {
        const struct si_cqe *e = &cq->ring[cq->first];
        if (++cq->first == cq->depth)
            cq->first = 0;
        if (e->qp) /* release: the slot may be filled again by who posts */
            pal_store_release(e->is_recv ? &e->qp->rq.free : &e->qp->sq.free, e->seq + 1);
        wc[n] = e->wc;
    }
    if (count == 0) /* so that a ring far larger than what is in it stays within its beginning */
        cq->first = 0;
    pal_store_release(&cq->count, count);
    pal_lock_give(&cq->lock);
    return n;
}

/* ---- which QPs are looked at ---- */

static enum si_where where(const struct vb_qp *qp, const struct vb_cq *cq)
{
    return qp->send_cq == cq ? SI_AT_SEND_CQ : SI_AT_RECV_CQ;
}

/* False: there is no room. */
static bool activate_in(struct vb_cq *cq, struct vb_qp *qp)
{
    const enum si_where which = where(qp, cq);
    if (pal_load_relaxed(&qp->is_active[which]))
        return true;
    if (pal_load_relaxed(&cq->active_count) == SI_ACTIVE)
        return false;
    pal_lock_take(&cq->lock);
    const uint32_t count = pal_load_relaxed(&cq->active_count);
    const bool has_room = count < SI_ACTIVE;
    if (has_room && !pal_load_relaxed(&qp->is_active[which])) {
        pal_store_relaxed(&cq->active[count], qp);
        pal_store_release(&cq->active_count, count + 1); /* publishes the entry */
        pal_store_relaxed(&qp->is_active[which], true);
    }
    pal_lock_give(&cq->lock);
    return has_room;
}

static void deactivate(struct vb_cq *cq, struct vb_qp *qp)
{
    pal_lock_take(&cq->lock);
    const uint32_t count = pal_load_relaxed(&cq->active_count);
    for (unsigned i = 0; i < count; i++)
        if (pal_load_relaxed(&cq->active[i]) == qp) {
            pal_store_relaxed(&cq->active[i], pal_load_relaxed(&cq->active[count - 1]));
            pal_store_release(&cq->active_count, count - 1);
            pal_store_relaxed(&qp->is_active[where(qp, cq)], false);
            break;
        }
    pal_lock_give(&cq->lock);
}

/* Where there is no room the poller finds it; where that fails too, the backstop does. */
void si_cq_activate(struct vb_qp *qp)
{
    if (!activate_in(qp->send_cq, qp))
        (void)si_qp_sync(qp, SI_AT_SEND_CQ);
    if (qp->recv_cq != qp->send_cq && !activate_in(qp->recv_cq, qp))
        (void)si_qp_sync(qp, SI_AT_RECV_CQ);
}

static void forget_in(struct vb_cq *cq, struct vb_qp *qp)
{
    pal_mutex_lock(&cq->poll_lock); /* nobody drives it any more after this */
    deactivate(cq, qp);
    pal_lock_take(&cq->lock);
    for (uint32_t i = 0, at = cq->first; i < pal_load_relaxed(&cq->count); i++) {
        if (cq->ring[at].qp == qp)
            cq->ring[at].qp = NULL;
        if (++at == cq->depth)
            at = 0;
    }
    pal_lock_give(&cq->lock);
    pal_mutex_unlock(&cq->poll_lock);
}

void si_cq_forget(struct vb_qp *qp)
{
    forget_in(qp->send_cq, qp);
    if (qp->recv_cq != qp->send_cq)
        forget_in(qp->recv_cq, qp);
}

/* ---- progress; poll_lock held ---- */

/* In this order: of several QPs the greatest counts. RESTS: it was not asked. */
enum found { FOUND_RESTS, FOUND_NOTHING, FOUND_SOME };

static enum found drive(struct vb_qp *qp)
{
    if (!pal_mutex_trylock(&qp->lock)) /* somebody posts to it, or drives it, right now */
        return FOUND_SOME;
    const enum found found = si_qp_rests(qp) ? FOUND_RESTS : si_qp_progress(qp) ? FOUND_SOME : FOUND_NOTHING;
    pal_mutex_unlock(&qp->lock);
    return found;
}

static unsigned copy_active(struct vb_cq *cq, struct vb_qp *out[SI_ACTIVE])
{
    const unsigned n = pal_load_acquire(&cq->active_count);
    for (unsigned i = 0; i < n; i++)
        out[i] = pal_load_relaxed(&cq->active[i]);
    return n;
}

static bool sync_one(struct vb_cq *cq, struct vb_qp *qp)
{
    si_qp_lock(qp);
    const bool is_known = si_qp_sync(qp, where(qp, cq));
    pal_mutex_unlock(&qp->lock);
    return is_known;
}

/* Make room for one that has just become busy. */
static void retire_most_idle(struct vb_cq *cq)
{
    struct vb_qp *active[SI_ACTIVE], *most = NULL;
    const unsigned n = copy_active(cq, active);
    for (unsigned i = 0; n == SI_ACTIVE && i < n; i++)
        if (!most || active[i]->idle_polls[where(active[i], cq)] > most->idle_polls[where(most, cq)])
            most = active[i];
    if (most && sync_one(cq, most))
        deactivate(cq, most);
}

/* With many connections nothing that a QP needs is in a near cache, and what one waits for, the next one waits for again. Asked for
 * ahead, the misses of several overlap: 7 % more messages over 1,000 connections. First what every message needs of the QP, then
 * where the next message goes, and where an answer would be posted. */
static void fetch_qp(const struct vb_qp *qp)
{
    pal_prefetch(&qp->lock, offsetof(struct vb_qp, tx.iov[1]) - offsetof(struct vb_qp, lock));
}

/* Read without the QP's lock: at worst in vain. */
PAL_RACE_BY_DESIGN static void fetch_slots(struct vb_qp *qp)
{
    const struct si_queue *rq = &qp->rq, *sq = &qp->sq;
    const size_t next = sq->at[(sq->posted + sq->size - 1) % sq->size]; /* it mostly has come back */
    pal_prefetch(&rq->slots[rq->at[rq->done % rq->size]], sizeof(struct si_slot));
    pal_prefetch((const void *)((uintptr_t)qp->rx.buf + qp->rx.end), 2 * PAL_CACHE_LINE);
    pal_prefetch(&sq->slots[next], sizeof(struct si_slot));
    pal_prefetch(&sq->sends[next], sizeof(struct si_send_slot));
    pal_prefetch((const void *)((uintptr_t)sq->inl + next * qp->caps.inline_bytes), 2 * PAL_CACHE_LINE);
    pal_prefetch(qp->tx.mark, sizeof qp->tx.mark[0]);
    pal_prefetch(qp->tx.frame_end, sizeof qp->tx.frame_end[0]);
    pal_prefetch(qp->tx.scratch, PAL_CACHE_LINE);
}

/* `at` is about to be looked at. */
static void fetch_ahead(const struct pal_ready *ready, unsigned n, unsigned at)
{
    for (unsigned i = 0; at == 0 && i < n; i++)
        fetch_qp(ready[i].tag);
    if (at + 1 < n)
        fetch_slots(ready[at + 1].tag);
}

/* may_replace: a busy QP may take the place of the most idle active one. Not for who sleeps between any two messages: of
 * many connections each would take the place of another, and nobody would ever look at it there. */
#define LOOK_BATCH 32u
static bool look(struct vb_cq *cq, bool may_replace)
{
    struct pal_ready ready[LOOK_BATCH];
    bool moved = false;
    if (!pal_load_relaxed(&cq->in_poller)) /* as long as nobody sleeps and all QPs are active */
        return false;
    const unsigned n = pal_poller_poll(cq->poller, ready, LOOK_BATCH);
    for (unsigned i = 0; i < n; i++) {
        struct vb_qp *qp = ready[i].tag;
        if (n > 1)
            fetch_ahead(ready, n, i);
        si_qp_lock(qp);
        const bool did = si_qp_progress(qp);
        si_qp_settle(qp, where(qp, cq), ready[i].what);
        pal_mutex_unlock(&qp->lock);
        moved |= did;
        if (did && !activate_in(cq, qp) && may_replace) {
            retire_most_idle(cq);
            (void)activate_in(cq, qp);
        }
        qp->idle_polls[where(qp, cq)] = 0;
    }
    return moved;
}

static enum found drive_all(struct vb_cq *cq, struct vb_qp *active[SI_ACTIVE], unsigned n)
{
    enum found most = n ? FOUND_RESTS : FOUND_NOTHING;
    for (unsigned i = 0; i < n; i++) {
        const enum found found = drive(active[i]);
        if (found == FOUND_SOME) {
            active[i]->idle_polls[where(active[i], cq)] = 0;
        } else if (found == FOUND_NOTHING && ++active[i]->idle_polls[where(active[i], cq)] > IDLE_POLLS &&
                   n > 1) {
            if (sync_one(cq, active[i]))
                deactivate(cq, active[i]);
        }
        if (found > most)
            most = found;
    }
    return most;
}

/* A poll that asked nobody is not counted: what is due after so many polls in vain is due after so many calls to TCP. */
static enum found progress(struct vb_cq *cq)
{
    struct vb_qp *active[SI_ACTIVE];
    const unsigned n = copy_active(cq, active);
    const enum found found = drive_all(cq, active, n);
    if (found == FOUND_RESTS)
        return found;
    cq->idle = found == FOUND_SOME ? 0 : cq->idle + 1;
    if (((found == FOUND_NOTHING && n == 0) || cq->idle % LOOK_EVERY == LOOK_EVERY - 1) && look(cq, true))
        return FOUND_SOME;
    return found;
}

/* Tells backstops that somebody takes care. Two at a time may count as one: that it changed is what counts. */
static void bump_activity(struct vb_cq *cq)
{
    pal_store_relaxed(&cq->activity, pal_load_relaxed(&cq->activity) + 1);
}

unsigned si_cq_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max)
{
    bump_activity(cq); /* also when there is always something: a backstop that helps then is in the way */
    unsigned n = take(cq, wc, max);
    if (n || !pal_mutex_trylock(&cq->poll_lock))
        return n;       /* or: another thread is at it, for the sake of a QP that nobody polls */
    if (cq->is_fresh) { /* what came to a socket since has made the waitable ready, or will once it is armed */
        cq->is_fresh = false;
        pal_mutex_unlock(&cq->poll_lock);
        return take(cq, wc, max);
    }
    const bool is_idle = progress(cq) == FOUND_NOTHING && cq->idle % BACKSTOP_EVERY == BACKSTOP_EVERY - 1;
    pal_mutex_unlock(&cq->poll_lock);
    if (is_idle)
        si_backstops_look(cq->be);
    return take(cq, wc, max);
}

/* ---- waiting ---- */

vb_status_t si_cq_arm(struct vb_cq *cq)
{
    struct vb_qp *active[SI_ACTIVE];
    pal_mutex_lock(&cq->poll_lock);
    const unsigned n = copy_active(cq, active);
    bool are_known = true;
    for (unsigned i = 0; i < n; i++)
        are_known &= sync_one(cq, active[i]);
    cq->is_fresh = are_known;
    pal_lock_take(&cq->lock);
    const bool is_dead = cq->is_dead;
    cq->is_armed = !is_dead;
    pal_lock_give(&cq->lock);
    pal_poller_watch(cq->poller, !is_dead); /* a system call: within poll_lock, not the spin lock */
    pal_mutex_unlock(&cq->poll_lock);
    return is_dead || !are_known ? VB_E_FATAL : VB_OK;
}

pal_waitable si_cq_waitable(struct vb_cq *cq)
{
    return pal_poller_waitable(cq->poller);
}

/* The waitable may say that a socket has something; whether that is a completion is known after looking. One QP is asked
 * itself; mostly it was that one, and nobody else needs to be asked. */
static void look_awake(struct vb_cq *cq)
{
    struct vb_qp *active[SI_ACTIVE];
    const unsigned n = copy_active(cq, active);
    const bool is_due = ++cq->acks % LOOK_EVERY == 0; /* the others, whatever the one has */
    if (n != 1 || drive_all(cq, active, n) != FOUND_SOME || is_due)
        (void)look(cq, false);
}

unsigned si_cq_ack(struct vb_cq *cq)
{
    pal_mutex_lock(&cq->poll_lock);
    pal_lock_take(&cq->lock);
    cq->is_acking = true; /* who asked is here: from now on notes are counted, not signalled */
    pal_lock_give(&cq->lock);
    pal_poller_clear(cq->poller);
    bump_activity(cq);
    look_awake(cq);
    cq->is_fresh = true;
    pal_lock_take(&cq->lock);
    const unsigned n = cq->notes;
    cq->notes = 0;
    cq->is_acking = false;
    const bool has_not_asked = !n && !cq->is_armed;
    pal_lock_give(&cq->lock);
    if (has_not_asked) /* somebody else polls; arming switches it on again */
        pal_poller_watch(cq->poller, false);
    pal_mutex_unlock(&cq->poll_lock);
    return n;
}
