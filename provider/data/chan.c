/* chan.c - life of a channel: create, open, break, drain, close, release, move. What operations do is in
 * xfer.c, recv.c, complete.c. */
#include "data/chan.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"
#include "data/bounce.h"
#include "data/device.h"
#include "data/grant.h"
#include "data/region.h"
#include "pal/time.h"

/* The first records of a queue are few, because most sockets are idle ones; later ones come by twice as many. */
#define OP_CHUNK_FIRST 2u
#define OP_CHUNK_MOST  64u

struct wsd_op_chunk {
    struct wsd_op_chunk *next;
    uint32_t count;
    struct wsd_op ops[];
};

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* ---- operation records --------------------------------------------------------------------------------- */

/* What an operation finds in its record: here, so that nobody waits for it; as the short ways leave it. */
static void blank(struct wsd_op *op)
{
    op->first_error = VB_OK;
    op->is_plain = true;
    op->internal_done = false;
    op->notify = false;
    op->sge_count = 1;
    op->slots = 1;
    op->bounce = NULL;
}

static bool add_chunk_locked(struct wsd_chan *c, struct wsd_queue *q)
{
    uint32_t count = q->chunks ? least(2 * q->chunks->count, OP_CHUNK_MOST) : OP_CHUNK_FIRST;
    struct wsd_op_chunk *chunk = calloc(1, sizeof *chunk + count * sizeof chunk->ops[0]);
    if (!chunk)
        return false;
    chunk->next = q->chunks;
    chunk->count = count;
    q->chunks = chunk;
    for (uint32_t i = count; i-- > 0;) {
        chunk->ops[i].chan = c;
        chunk->ops[i].queue = q;
        chunk->ops[i].side = q == &c->rq;
        blank(&chunk->ops[i]);
        chunk->ops[i].next = q->free;
        q->free = &chunk->ops[i];
    }
    return true;
}

struct wsd_op *wsd_op_first_locked(struct wsd_chan *c, struct wsd_queue *q)
{
    if (!add_chunk_locked(c, q)) /* grows to the working set once, then never again */
        return NULL;
    return wsd_op_alloc_locked(c, q);
}

void wsd_op_free_locked(struct wsd_queue *q, struct wsd_op *op)
{
    if (op->ext) {
        op->ext->next = q->free_ext;
        q->free_ext = op->ext;
        op->ext = NULL;
    }
    blank(op);
    op->next = q->free;
    q->free = op;
}

static struct wsd_op_ext *ext_create(uint32_t room)
{
    struct wsd_op_ext *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->room = room;
    x->sge = calloc(room, sizeof *x->sge);
    x->regions = calloc(room, sizeof(struct wsd_region *));
    if (x->sge && x->regions)
        return x;
    free(x->sge);
    free(x->regions);
    free(x);
    return NULL;
}

static void ext_destroy(struct wsd_op_ext *x)
{
    free(x->sge);
    free(x->regions);
    free(x);
}

bool wsd_op_room_locked(struct wsd_queue *q, struct wsd_op *op, uint32_t pieces)
{
    if (pieces <= (op->ext ? op->ext->room : WSD_OP_INLINE_SGE))
        return true;
    uint32_t room = 16;
    while (room < pieces)
        room *= 2;
    struct wsd_op_ext *x = q->free_ext;
    if (x && x->room >= room)
        q->free_ext = x->next;
    else
        x = ext_create(room);
    if (!x)
        return false;
    for (uint32_t i = 0; i < op->sge_count; i++) {
        x->sge[i] = wsd_op_sge(op)[i];
        x->regions[i] = wsd_op_regions(op)[i];
    }
    if (op->ext)
        ext_destroy(op->ext);
    op->ext = x;
    return true;
}

void wsd_op_list_cut(struct wsd_op_list *from, struct wsd_op *first, struct wsd_op_list *to)
{
    struct wsd_op_list kept;
    wsd_op_list_init(&kept);
    bool cut = false;
    for (struct wsd_op *op; (op = wsd_op_list_pop(from));) {
        cut |= op == first;
        wsd_op_list_push(cut ? to : &kept, op);
    }
    for (struct wsd_op *op; (op = wsd_op_list_pop(&kept));)
        wsd_op_list_push(from, op);
}

void wsd_op_unstarted_locked(struct wsd_chan *c, struct wsd_queue *q, struct wsd_op *op_of_bad)
{
    struct wsd_op_list lost;
    wsd_op_list_init(&lost);
    wsd_op_list_cut(&q->posted, op_of_bad, &lost);
    for (struct wsd_op *op; (op = wsd_op_list_pop(&lost));) {
        q->used -= op->slots;
        if (op->kind == WSD_OP_READ)
            wsd_queue_read_over(q, op);
        if (wsd_op_finish_locked(c, q, op, (uint32_t)wsd_chan_error(c, VB_E_FLUSHED), 0))
            wsd_shard_kick(c->shard);
    }
}

/* ---- create, free -------------------------------------------------------------------------------------- */

static void queue_init(struct wsd_queue *q)
{
    wsd_op_list_init(&q->posted);
    wsd_op_list_init(&q->waiting);
    wsd_op_list_init(&q->kept);
}

static void queue_fini(struct wsd_queue *q)
{
    while (q->free_ext) {
        struct wsd_op_ext *x = q->free_ext;
        q->free_ext = x->next;
        ext_destroy(x);
    }
    while (q->chunks) {
        struct wsd_op_chunk *chunk = q->chunks;
        q->chunks = chunk->next;
        free(chunk);
    }
}

/* Where a message that finds no receive kills the connection (iWARP), receives must not wait in software behind a
 * full queue: the switch announces every receive that it has posted. */
#define RECV_DEPTH_NO_FLOW_CONTROL 1023u

static uint32_t recv_depth(const struct wsd_device *dev)
{
    uint32_t depth = dev->config->recv_depth;
    if (!(dev->caps.flags & VB_CAP_RECV_FLOW_CONTROL) && depth < RECV_DEPTH_NO_FLOW_CONTROL)
        depth = RECV_DEPTH_NO_FLOW_CONTROL;
    return least(depth, dev->caps.max_qp_wr);
}

static vb_status_t make_qp(struct wsd_chan *c)
{
    const struct wsd_config *config = c->dev->config;
    const struct vb_caps *caps = &c->dev->caps;
    c->caps = (struct vb_qp_caps){
        .send_wr = least(config->send_depth, caps->max_qp_wr),
        .recv_wr = recv_depth(c->dev),
        .send_sge = least(config->send_sge, caps->max_sge),
        .recv_sge = least(config->recv_sge, caps->max_sge),
        .inline_bytes = config->inline_bytes,
    };
    struct vb_qp_caps wanted = c->caps;
    vb_status_t st = vb_qp_create(c->domain->pd, c->shard->cq, c->shard->cq, &c->caps, c->owner, &c->qp);
    if (st != VB_OK)
        return st;
    /* A device may grant more than asked, but CQ room was reserved for what was asked. */
    c->sq.depth = wanted.send_wr;
    c->rq.depth = wanted.recv_wr;
    c->sq.quick_room = least(c->sq.depth - WSD_INTERNAL_SLOTS, config->queue_cap);
    wsd_chan_privates_changed(c);
    return VB_OK;
}

void wsd_chan_privates_changed(struct wsd_chan *c)
{
    bool are_over = !c->private_unpaired && !c->private_posted;
    c->rq.quick_room = are_over ? least(c->rq.depth, c->dev->config->queue_cap) : 0;
}

vb_status_t wsd_chan_create(struct wsd_device *dev, const struct wsd_chan_up *up, void *owner,
                            struct wsd_chan **out)
{
    struct wsd_chan *c = wsd_chan_take();
    struct wsd_shard *shard;
    if (!c)
        return VB_E_NOMEM;
    queue_init(&c->sq);
    queue_init(&c->rq);
    c->dev = dev;
    c->up = up;
    c->owner = owner;
    c->handle = INVALID_SOCKET;
    c->max_message = wsd_device_max_message(dev);
    c->idle_op.kind = WSD_OP_IDLE;
    c->idle_op.chan = c;
    c->arrived_tail = &c->arrived;
    c->send_wr = (struct vb_send_wr){.sge = &c->send_piece, .sge_count = 1, .op = VB_WR_SEND};
    c->recv_wr = (struct vb_recv_wr){.sge_count = 1};
    wsd_op_list_init(&c->private_wait);
    vb_status_t st = wsd_device_take_domain(dev, &c->domain);
    if (st != VB_OK)
        goto err_chan;
    c->cq_reserved = dev->config->send_depth + recv_depth(dev);
    st = wsd_device_take_shard(dev, c->cq_reserved, &shard);
    if (st != VB_OK)
        goto err_domain;
    c->shard = shard;
    st = make_qp(c);
    if (st != VB_OK)
        goto err_shard;
    *out = c;
    return VB_OK;
err_shard:
    wsd_device_give_shard(dev, c->shard, c->cq_reserved);
err_domain:
    wsd_device_give_domain(dev, c->domain);
err_chan:
    wsd_chan_free(c);
    return st;
}

void wsd_chan_free(struct wsd_chan *c)
{
    queue_fini(&c->rq);
    queue_fini(&c->sq);
    free(c->regions);
    wsd_chan_give(c);
}

/* ---- open, break, close -------------------------------------------------------------------------------- */

static void lock_both(struct wsd_chan *c)
{
    pal_lock_take(&c->sq.lock);
    pal_lock_take(&c->rq.lock);
}

static void unlock_both(struct wsd_chan *c)
{
    pal_lock_give(&c->rq.lock);
    pal_lock_give(&c->sq.lock);
}

static void no_short_way_locked(struct wsd_chan *c)
{
    c->sq.open_for = c->rq.open_for = INVALID_SOCKET;
}

void wsd_chan_open(struct wsd_chan *c, SOCKET handle, SOCKET descriptor, uint32_t local_nonce,
                   uint32_t peer_nonce, uint32_t read_depth)
{
    lock_both(c);
    if (!c->sq.stopped && !c->rq.stopped && !c->shut && !c->parked)
        c->sq.open_for = c->rq.open_for = descriptor;
    if (c->handle !=
        handle) /* a connection that comes back has it, and upcalls for what came before may read it */
        c->handle = handle;
    c->read_depth = read_depth ? read_depth : 1;
    c->local_nonce = local_nonce;
    c->peer_nonce = peer_nonce;
    c->started = true;
    wsd_xfer_refill_send_locked(c);
    unlock_both(c);
}

static bool fail_list_locked(struct wsd_chan *c, struct wsd_queue *q, struct wsd_op_list *l, uint32_t error)
{
    bool ready = false;
    for (struct wsd_op *op; (op = wsd_op_list_pop(l));) {
        op->first_error = VB_E_FLUSHED; /* an invalidate that was not carried out leaves its window unclean */
        ready |= wsd_op_finish_locked(c, q, op, error, 0);
    }
    return ready;
}

void wsd_chan_shut(struct wsd_chan *c)
{
    lock_both(c);
    c->shut = true;
    no_short_way_locked(c);
    unlock_both(c);
}

bool wsd_chan_enter(struct wsd_chan *c)
{
    pal_lock_take(&c->dispose_lock);
    bool ok = !c->released;
    c->callers += ok;
    pal_lock_give(&c->dispose_lock);
    return ok;
}

void wsd_chan_leave(struct wsd_chan *c)
{
    pal_lock_take(&c->dispose_lock);
    c->callers--;
    pal_lock_give(&c->dispose_lock);
}

/* No call uses the domain any more; for_good: and none will. A call under way may still add a region or a grant:
 * whoever gives those back waits first. */
static void wait_callers(struct wsd_chan *c, bool for_good)
{
    for (;;) {
        pal_lock_take(&c->dispose_lock);
        c->released |= for_good;
        bool busy = c->callers != 0;
        pal_lock_give(&c->dispose_lock);
        if (!busy)
            return;
        pal_thread_yield();
    }
}

bool wsd_chan_break(struct wsd_chan *c, int cause)
{
    uint32_t none = 0;
    bool first = pal_cas_acq_rel(&c->cause, &none, (uint32_t)cause);
    uint32_t error = (uint32_t)wsd_chan_error(c, VB_E_FLUSHED);
    lock_both(c);
    c->sq.stopped = c->rq.stopped = true;
    no_short_way_locked(c);
    c->parked = false;
    bool ready = fail_list_locked(c, &c->rq, &c->rq.kept, error);
    ready |= fail_list_locked(c, &c->rq, &c->rq.waiting, error);
    ready |= fail_list_locked(c, &c->sq, &c->sq.waiting, error);
    unlock_both(c);
    if (ready)
        wsd_shard_kick(c->shard);
    return first;
}

bool wsd_chan_drained(struct wsd_chan *c)
{
    lock_both(c);
    bool drained = !c->sq.posted.head && !c->rq.posted.head && c->private_posted == 0;
    unlock_both(c);
    return drained;
}

bool wsd_chan_drain(struct wsd_chan *c, uint64_t deadline_ns)
{
    unsigned empty = 0;
    while (!wsd_chan_drained(c)) {
        unsigned n = wsd_shard_harvest(c->shard, true); /* may be other sockets' for ever */
        if (pal_now_ns() >= deadline_ns)
            return wsd_chan_drained(c);
        if (n)
            empty = 0;
        else if (++empty < 64)
            pal_thread_yield();
        else
            pal_sleep_ms(1); /* flushing is the device's work now; a millisecond here delays nobody's data */
    }
    return true;
}

static uint32_t length(const struct wsd_op_list *l)
{
    uint32_t n = 0;
    for (const struct wsd_op *op = l->head; op; op = op->next)
        n++;
    return n;
}

void wsd_chan_force_out(struct wsd_chan *c)
{
    uint32_t error = (uint32_t)wsd_chan_error(c, VB_E_FLUSHED);
    lock_both(c);
    uint32_t sends = length(&c->sq.posted), receives = length(&c->rq.posted), private = c->private_posted;
    bool ready = fail_list_locked(c, &c->sq, &c->sq.posted, error);
    ready |= fail_list_locked(c, &c->rq, &c->private_wait, error);
    ready |= fail_list_locked(c, &c->rq, &c->rq.posted, error);
    c->private_posted = 0; /* their buffers stay with the slab: the device may still name them */
    wsd_chan_privates_changed(c);
    unlock_both(c);
    if (ready)
        wsd_shard_kick(c->shard);
    if (sends || receives || private)
        WSD_LOG_ERROR(
            "event=forced-out device=%s sends=%u receives=%u private=%u reason=queue-pair-did-not-flush",
            c->dev->caps.device, sends, receives, private);
}

void wsd_chan_close(struct wsd_chan *c)
{
    lock_both(c);
    uint32_t left = c->sq.live + c->rq.live;
    c->sq.closed = c->rq.closed = true;
    pal_store_relaxed(&c->left, left); /* under the locks of all who count it down */
    unlock_both(c);
    if (left == 0)
        c->up->idle(c->owner);
}

bool wsd_chan_is_live(struct wsd_chan *c)
{
    lock_both(c);
    bool live = c->sq.live || c->rq.live;
    unlock_both(c);
    return live;
}

/* ---- release ------------------------------------------------------------------------------------------- */

void wsd_chan_dispose(struct wsd_chan *c)
{
    pal_lock_take(&c->dispose_lock);
    struct wsd_bounce *list = c->dispose_list;
    c->dispose_list = NULL;
    pal_lock_give(&c->dispose_lock);
    while (list) {
        struct wsd_bounce *next = list->next;
        wsd_bounce_destroy(list);
        list = next;
    }
}

/* Flushed member requests may still lie in the CQ. */
static void harvest_rest(struct wsd_chan *c)
{
    for (uint32_t seen = 0, n; seen < c->shard->capacity && (n = wsd_shard_harvest(c->shard, true));
         seen += n)
        ; /* at most a full CQ: others keep adding to it */
}

static void destroy_qp(struct wsd_chan *c)
{
    if (!c->qp)
        return;
    vb_qp_destroy(c->qp);
    c->qp = NULL;
    harvest_rest(c);
}

void wsd_chan_release(struct wsd_chan *c)
{
    harvest_rest(c);
    wait_callers(c, true);
    /* Windows before the QP that they are bound to: rxe keeps a reference to the QP in each bound window,
     * and destroying that QP first waits 50 s for them (seen). The QP is stopped, so they grant nothing. */
    wsd_grant_release_all(c);
    destroy_qp(c);
    wsd_chan_force_out(c);
    /* Whoever was completing an operation of ours holds poll_lock until it has let go of the channel. */
    pal_lock_take(&c->shard->poll_lock);
    pal_lock_give(&c->shard->poll_lock);
    while (c->arrived) {
        struct wsd_private_buf *b = c->arrived;
        c->arrived = b->next;
        wsd_domain_give_private(c->domain, b);
    }
    WSD_LOG_INFO("event=channel-ended sent=%" PRIu64 " sent-bytes=%" PRIu64 " received=%" PRIu64
                 " received-bytes=%" PRIu64 " failed=%" PRIu64 " queued=%" PRIu64,
                 c->sq.count.done, c->sq.count.bytes, c->rq.count.done, c->rq.count.bytes,
                 c->sq.count.failed + c->rq.count.failed, c->sq.count.queued + c->rq.count.queued);
    wsd_chan_dispose(c);
    wsd_region_release_all(c);
    wsd_device_give_domain(c->dev, c->domain);
    wsd_device_give_shard(c->dev, c->shard, c->cq_reserved);
}

/* ---- moving -------------------------------------------------------------------------------------------- */

void wsd_chan_park(struct wsd_chan *c)
{
    lock_both(c);
    if (!pal_load_acquire(&c->cause)) {
        c->parked = true;
        c->started = false;
        no_short_way_locked(c);
    }
    unlock_both(c);
}

vb_status_t wsd_chan_new_qp(struct wsd_chan *c)
{
    harvest_rest(c);
    wait_callers(c, false); /* parked: a call that comes now grants nothing */
    /* bound to the old QP; the switches have released RDMA memory before a move (8.10) */
    wsd_grant_release_all(c);
    destroy_qp(c);
    lock_both(c);
    c->sq.used = c->sq.reads = c->sq.read_requests = 0;
    c->rq.used = 0;
    unlock_both(c);
    return make_qp(c);
}

void wsd_chan_unpark(struct wsd_chan *c)
{
    lock_both(c);
    c->parked = false;
    for (struct wsd_op *op; (op = wsd_op_list_pop(&c->rq.waiting));)
        wsd_op_list_push(&c->rq.kept, op);
    struct wsd_op_list all = c->rq.kept;
    wsd_op_list_init(&c->rq.kept);
    for (struct wsd_op *op; (op = wsd_op_list_pop(&all));)
        wsd_op_list_push(&c->rq.waiting, op);
    wsd_xfer_refill_recv_locked(c);
    unlock_both(c);
}
