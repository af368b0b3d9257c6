/* shard.h - one completion queue, shared by some sockets, and the thread that sleeps on it.
 * Layer:   provider/data.
 *
 * Harvesting (poll the CQ, store results) and delivering (make upcalls) are separate:
 *   - harvest runs under poll_lock, which is short and never held across an upcall, so a poller is never
 *     stuck behind somebody's slow completion routine. Results of polled operations become visible right
 *     there.
 *   - operations that want a notification go to the ready list in completion order; whoever holds the
 *     deliver token makes the upcalls, one at a time, so order per socket and direction is kept (contract
 *     7.5, peers.md W13). A nested or concurrent deliver only leaves a mark for the holder and returns: no
 *     deadlock from inside an upcall.
 *
 * Sleeping: the thread arms the CQ only while some operation wants a notification (on Soft-RoCE arming is
 *           a system call). Whoever submits such an operation while the thread sleeps unarmed arms the CQ
 *           itself, before posting, so no completion can be missed. The thread arms, polls again, then
 *           waits (W28).
 *
 * Memory: used again by later shards but not freed while the library is loaded, so that a poller needs no reference.
 *
 * Lock order: poll_lock -> queue lock of a channel -> ready_lock. */
#ifndef WSD_SHARD_H
#define WSD_SHARD_H

#include "pal/atomic.h"
#include "pal/lock.h"
#include "pal/mutex.h"
#include "pal/thread.h"
#include "vb/vb.h"

struct wsd_chan;
struct wsd_op;

struct wsd_shard {
    struct wsd_shard *next; /* in its device's list, guarded by the device lock */
    struct vb_cq *cq; /* guarded by poll_lock where a poller without a reference comes; NULL after destroy */
    uint32_t capacity, reserved; /* completions; guarded by the device lock */
    struct pal_lock poll_lock;

    struct pal_mutex ready_lock;
    struct wsd_op *ready_head, **ready_tail;
    _Atomic(uint32_t) ready_count; /* hint outside ready_lock */
    _Atomic(uint32_t) token;       /* enum deliver_token in shard.c */
    pal_atomic_u64 deliverer;      /* thread id of the token's holder, 0 when nobody */

    /* operations submitted with notification, or fWait callers, not finished yet */
    _Atomic(uint32_t) notify_pending;
    /* enum sleeper_state in shard.c, plus the round of the sleeper in the upper bits */
    _Atomic(uint32_t) sleeper;
    uint32_t round;  /* sleeper only */
    bool arm_failed; /* sleeper only */
    bool acks_first; /* const: VB_CAP_ACK_FIRST */
    bool must_ack;   /* sleeper only: a notification was seen and not consumed yet */
    pal_atomic_bool stop;
    pal_atomic_bool dead; /* the CQ has failed */

    struct pal_mutex wait_lock; /* fWait callers */
    struct pal_cond wait_cond;
    _Atomic(uint32_t) waiters;

    struct pal_wakeup *wake;
    struct pal_thread *thread;
};

vb_status_t wsd_shard_create(struct vb_dev *dev, const struct vb_caps *caps, uint32_t depth,
                             struct wsd_shard **out);
void wsd_shard_destroy(struct wsd_shard *s); /* joins the thread; nothing may be outstanding */

/* Take completions. must: wait for another harvester instead of leaving it to him. Returns how many were
 * taken. */
unsigned wsd_shard_harvest(struct wsd_shard *s, bool must);
#define WSD_HARVEST_BATCH 32u
/* Make the upcalls that are due, unless somebody is at it. only: those of one channel (a thread that
 * closes a socket runs no strangers' upcalls); NULL: all (the sleeper). Call without locks. */
void wsd_shard_deliver(struct wsd_shard *s, const struct wsd_chan *only);
static inline bool wsd_shard_has_ready(struct wsd_shard *s)
{
    return atomic_load_explicit(&s->ready_count, memory_order_acquire) != 0;
}
/* Is the calling thread inside an upcall made by wsd_shard_deliver()? */
bool wsd_shard_inside_upcall(void);

/* Append to the ready list. */
void wsd_shard_push_ready(struct wsd_shard *s, struct wsd_op *op);
/* Somebody must deliver soon, but not this thread: wake the sleeper. */
void wsd_shard_kick(struct wsd_shard *s);

/* Before posting an operation whose completion must be noticed without anybody polling, and after it has
 * been noticed. */
void wsd_shard_expect(struct wsd_shard *s);
static inline void wsd_shard_expected_one(struct wsd_shard *s)
{
    atomic_fetch_sub_explicit(&s->notify_pending, 1, memory_order_acq_rel);
}

/* Sleep until some completion was harvested by anybody, or max_ms passed. The caller has called
 * wsd_shard_expect(). */
void wsd_shard_wait(struct wsd_shard *s, bool (*done)(void *), void *arg, uint32_t max_ms);
void wsd_shard_wake_waiters(struct wsd_shard *s);

#endif
