/* chan.h - the data half of a connected socket: a queue pair, its two queues of operations, its memory.
 * Layer:   provider/data. Below: verbs backend. Above: sock/, through the callbacks of wsd_chan_up.
 * Life:    created before connecting or accepting; opened when connected; broken once (first cause wins);
 *          closed by the socket; released (queue pair and memory given back) by the connection thread;
 *          freed with the socket's last reference.
 * Threads: submissions from any thread; one lock per direction. Lock order: shard poll_lock -> queue lock
 *          -> shard ready_lock; the two queue locks are taken sq first.
 * Data path: no allocation (beyond growth of the record pool), no log, no system call of our own. */
#ifndef WSD_CHAN_H
#define WSD_CHAN_H

#include "data/domain.h"
#include "data/op.h"
#include "data/shard.h"

struct wsd_device;

struct wsd_chan_up {
    /* The connection is dead although nobody closed it: a request failed. Called with locks held; must
     * only take note. */
    void (*failed)(void *owner);
    /* No operation is left and none can come: called once, without locks, after wsd_chan_close(). */
    void (*idle)(void *owner);
    /* A buffer must be deregistered and freed by a thread that may do so. Called with locks held; must
     * only take note. */
    void (*dispose)(void *owner);
};

struct wsd_op_list {
    struct wsd_op *head, **tail;
};

struct wsd_queue {
    struct pal_lock lock; /* guards the rest, for sq also grants and internal requests */
    /* The descriptor that may use the short ways (wsd_xfer_send_straight and its like), INVALID_SOCKET when nothing may be
     * posted without a closer look. Like the lock it outlives the channel: whoever comes late finds another one's or none. */
    SOCKET open_for;
    bool stopped;           /* takes no more work requests */
    bool closed;            /* no operation can come any more */
    uint32_t depth, used;   /* work requests: room, posted and not given back */
    uint32_t quick_room;    /* used less than this: a short way needs to look at no other limit */
    uint32_t reads;         /* sq: RDMA reads posted and not finished: later requests are fenced (7.5) */
    uint32_t read_requests; /* sq: work requests of those */
    uint32_t live;          /* operations begun and not told to the switch yet, internal ones not counted */
    uint32_t untold;        /* those of them that are completed */
    struct wsd_op_list posted, waiting;
    struct wsd_op_list kept; /* rq, parked: flushed receives that the next QP gets first */
    struct wsd_op *free;
    struct wsd_op_ext *free_ext;
    struct wsd_op_chunk *chunks;
    /* The region that was used last, and where it lies; end 0: none. rq: one that may be written. */
    struct wsd_region *last_hit;
    uint64_t hit_start, hit_end;
    struct { /* for the log when the channel ends */
        uint64_t done, failed, bytes, queued;
    } count;
};

/* A local registration made with WSPRegisterMemory, or an own one. */
struct wsd_region {
    struct wsd_mr *mr;
    uint64_t start, end;
    uint32_t access; /* MEM_* */
    uint32_t lkey;
    uint32_t uses[2]; /* by operations; index: wsd_op.side; guarded by that queue's lock */
};

/* Remote access granted with WSPRegisterRdmaMemory. */
struct wsd_grant;

/* Memory of channels is used again but not freed while the library is loaded: a data call finds the channel of its socket
 * without a reference, and the lock and `open_for` of the queue tell it whether that is still the one it wants. */
struct wsd_chan {
    struct wsd_queue sq, rq;
    struct pal_lock dispose_lock;
    _Atomic(struct wsd_shard *) shard;
    struct wsd_chan *next_free; /* guarded by the lock of chan_pool.c */

    /* --- from here on everything is blank in a new channel --- */
    struct wsd_device *dev;
    struct wsd_domain *domain;
    struct vb_qp *qp;
    struct vb_qp_caps caps;
    uint32_t cq_reserved;
    const struct wsd_chan_up *up;
    void *owner;
    SOCKET handle;          /* the switch's, for completion upcalls */
    pal_atomic_bool silent; /* final clean-up: complete without upcalls (C20) */

    /* What the short ways post; a backend copies it. Guarded by the lock of its queue. */
    struct vb_send_wr send_wr;
    struct vb_sge send_piece;
    struct vb_recv_wr recv_wr;

    _Atomic(uint32_t) cause; /* first cause of death (Winsock code), 0 while alive */
    _Atomic(uint32_t) left;  /* closed: operations not told yet; whoever tells the last one reports idle */
    bool parked;             /* guarded by both queue locks: peer is moving, keep flushed receives (8.10) */
    /* guarded by both queue locks: closed or moved: not even an arrived message is given out */
    bool shut;
    bool started; /* guarded by both queue locks: this QP is connected, sends may be posted */

    struct wsd_op idle_op;

    /* Regions: an array of pointers, changed under both queue locks, read under either. */
    struct wsd_region **regions;
    uint32_t region_count, region_room;
    struct wsd_grant *grants;         /* guarded by sq.lock */
    struct wsd_grant *dead_grants;    /* deregistered, but their windows wait until the QP is drained */
    uint32_t max_message;             /* bytes of one send; const */
    uint32_t read_depth;              /* guarded by sq.lock */
    uint32_t local_nonce, peer_nonce; /* name the connection in RDMA buffer descriptors */

    /* First messages (8.5). Guarded by rq.lock. */
    /* After a change: wsd_chan_privates_changed(). */
    uint32_t private_unpaired;       /* private receives that no WSPRecv has been paired with */
    uint32_t private_posted;         /* private receives the device still holds */
    struct wsd_op_list private_wait; /* paired, message not there yet */
    struct wsd_private_buf *arrived, **arrived_tail; /* messages nobody has asked for yet */

    uint32_t callers; /* guarded by dispose_lock: calls that use domain or grants now */
    bool released;    /* likewise */
    struct wsd_bounce *dispose_list;
};

/* ---- life ---- */

/* Shard, domain, queue pair. The queue pair is not connected yet. private_count: receives to post
 * (accepting side). Control. */
vb_status_t wsd_chan_create(struct wsd_device *dev, const struct wsd_chan_up *up, void *owner,
                            struct wsd_chan **out);
/* Post private receives. The QP can take receives (vb_conn_bind_qp() done). */
vb_status_t wsd_chan_post_private(struct wsd_chan *c, uint32_t count);
/* Receives have no short way while private ones are in front of them. rq.lock. */
void wsd_chan_privates_changed(struct wsd_chan *c);
/* The connection is up: operations may be submitted, by the short ways for this descriptor. read_depth: work requests for RDMA reads that may be out. */
void wsd_chan_open(struct wsd_chan *c, SOCKET handle, SOCKET descriptor, uint32_t local_nonce,
                   uint32_t peer_nonce, uint32_t read_depth);
/* Record why the connection died (first caller wins; returns true to it), refuse new requests, fail what
 * waits in software. The caller then stops the QP, which brings the posted ones back. */
bool wsd_chan_break(struct wsd_chan *c, int cause);
/* The socket is closed or moved: before wsd_chan_break(). */
void wsd_chan_shut(struct wsd_chan *c);
/* Around control calls that use the domain. False: it is given back already. */
bool wsd_chan_enter(struct wsd_chan *c);
void wsd_chan_leave(struct wsd_chan *c);
/* All posted requests back? */
bool wsd_chan_drained(struct wsd_chan *c);
/* Harvest until drained or the deadline (pal_now_ns scale) passed. */
bool wsd_chan_drain(struct wsd_chan *c, uint64_t deadline_ns);
/* What an operation of this channel completes with: 0 or a Winsock code. A moved socket's receives succeed
 * with 0 bytes (4.14). */
#define WSD_CAUSE_MOVED 0x7FFFFFFF
int wsd_chan_error(struct wsd_chan *c, vb_status_t st);
/* Last resort after the QP was destroyed: complete what never came back. */
void wsd_chan_force_out(struct wsd_chan *c);
/* No operation can come any more: idle() follows when the last one has been told, perhaps within this call. */
void wsd_chan_close(struct wsd_chan *c);
/* Is any operation begun and not told yet? */
bool wsd_chan_is_live(struct wsd_chan *c);
/* Destroy the QP and give back grants, regions, private buffers, CQ room. Stopped and drained. Control. */
void wsd_chan_release(struct wsd_chan *c);
void wsd_chan_free(struct wsd_chan *c); /* memory only, for the next channel */

/* ---- chan_pool.c ---- */
struct wsd_chan *wsd_chan_take(void); /* blank, closed for short ways; NULL: out of memory */
void wsd_chan_give(struct wsd_chan *c);

void wsd_chan_dispose(struct wsd_chan *c); /* free retired bounce buffers; control */

/* ---- moving (8.10) ---- */
void wsd_chan_park(struct wsd_chan *c);          /* peer announced a move: flushed receives are kept */
vb_status_t wsd_chan_new_qp(struct wsd_chan *c); /* drained: destroy the old QP, create the next */
/* new QP can take receives: post the kept ones in order */
void wsd_chan_unpark(struct wsd_chan *c);

/* ---- operations: called by xfer.c, recv.c, shard.c ---- */
void wsd_chan_complete(const struct vb_wc *wc, unsigned count); /* under poll_lock of its shard */
/* the upcall; no locks */
void wsd_chan_deliver(struct wsd_op *op);

void wsd_op_free_locked(struct wsd_queue *q, struct wsd_op *op);
struct wsd_op *wsd_op_first_locked(struct wsd_chan *c,
                                   struct wsd_queue *q); /* no record is free: make some */
/* A record without pieces, NULL when out of memory. Free ones are as the short ways want them. Queue lock held. */
static inline struct wsd_op *wsd_op_alloc_locked(struct wsd_chan *c, struct wsd_queue *q)
{
    struct wsd_op *op = q->free;
    if (!op)
        return wsd_op_first_locked(c, q);
    q->free = op->next;
    op->is_plain = false;
    op->sge_count = 0;
    return op;
}
/* Room for `pieces`; false when out of memory. */
bool wsd_op_room_locked(struct wsd_queue *q, struct wsd_op *op, uint32_t pieces);
static inline struct vb_sge *wsd_op_sge(struct wsd_op *op)
{
    return op->ext ? op->ext->sge : op->sge;
}
static inline struct wsd_region **wsd_op_regions(struct wsd_op *op)
{
    return op->ext ? op->ext->regions : op->region;
}

static inline void wsd_op_list_init(struct wsd_op_list *l)
{
    l->head = NULL;
    l->tail = &l->head;
}
static inline void wsd_op_list_push(struct wsd_op_list *l, struct wsd_op *op)
{
    op->next = NULL;
    *l->tail = op;
    l->tail = &op->next;
}
static inline struct wsd_op *wsd_op_list_pop(struct wsd_op_list *l)
{
    struct wsd_op *op =
        l->head; /* NOLINT(clang-analyzer-core.NullDereference): lists are members, never NULL */
    if (op) {
        l->head = op->next;
        if (!l->head)
            l->tail = &l->head;
    }
    return op;
}

/* Split: everything from `first` on moves to the end of `to`. */
void wsd_op_list_cut(struct wsd_op_list *from, struct wsd_op *first, struct wsd_op_list *to);
/* A chain of requests was taken only up to `bad`: the operations from there on were never started and
 * fail. op_of_bad: the operation whose request was refused; one with earlier requests taken counts as
 * started. Queue lock held. */
void wsd_op_unstarted_locked(struct wsd_chan *c, struct wsd_queue *q, struct wsd_op *op_of_bad);

/* Prepare ov and account the operation; from here exactly one completion follows. Queue lock held. */
static inline void wsd_op_begin(struct wsd_queue *q, struct wsd_op *op, WSAOVERLAPPED *ov)
{
    op->ov = ov;
    /* sampled here only (7.2): ov is the switch's again at completion */
    op->notify = !((uintptr_t)ov->hEvent & 1);
    op->is_plain = !op->notify && op->sge_count == 1 && !op->ext && !op->bounce && op->slots == 1 &&
                   op->kind != WSD_OP_READ;
    ov->Offset = 0;
    ov->OffsetHigh = 0;
    /* before it can complete */
    pal_word_store_release(&ov->Internal, (ULONG_PTR)WSS_OPERATION_IN_PROGRESS);
    q->live++;
}
/* Does this piece, which has bytes, lie in the region that was used last? */
static inline bool wsd_queue_hits(const struct wsd_queue *q, uint64_t addr, uint32_t bytes)
{
    return addr >= q->hit_start && addr < q->hit_end && addr + bytes <= q->hit_end;
}
/* Operations not completed. */
static inline uint32_t wsd_queue_ops(const struct wsd_queue *q)
{
    return q->live - q->untold;
}
/* Take back wsd_op_begin() because nothing was started. */
void wsd_op_undo(struct wsd_queue *q, struct wsd_op *op);
/* Finish an operation that is on no list: visible at once (polled) or via the ready list. Queue lock held.
 * Returns true when the shard has something to deliver. */
bool wsd_op_finish_locked(struct wsd_chan *c, struct wsd_queue *q, struct wsd_op *op, uint32_t error,
                          uint32_t bytes);
/* A request of a short way was refused: as if it had never been. Returns the Winsock code. */
int wsd_op_refused_locked(struct wsd_queue *q, struct wsd_op *op, vb_status_t st);
/* Behind the end of an operation of a short way: the last one of a closed channel, transfers of nothing that were behind it. */
void wsd_straight_rest_locked(struct wsd_chan *c, struct wsd_queue *q);
/* Where the result goes when nobody is to be told: byte count first, status last, since a poller may be
 * reading (7.3). */
static inline void wsd_store_result(WSAOVERLAPPED *ov, uint32_t error, uint32_t bytes)
{
    ov->OffsetHigh = error;
    ov->Offset = 0;
    ov->InternalHigh = bytes;
    /* publishes the count and the error */
    pal_word_store_release(&ov->Internal, (ULONG_PTR)error);
}
/* Copy an arrived first message into the receive paired with it, and finish that. rq.lock held. */
bool wsd_chan_copy_private_locked(struct wsd_chan *c, struct wsd_op *op, const struct wsd_private_buf *b);

/* Post what waits in software while there is room. */
void wsd_xfer_refill_send_locked(struct wsd_chan *c);
void wsd_xfer_refill_recv_locked(struct wsd_chan *c);
void wsd_queue_refill_locked(struct wsd_queue *q);
/* Give the lock back; before that, what waits gets the room that has become free. */
static inline void wsd_queue_refill_and_give(struct wsd_queue *q)
{
    if (q->waiting.head)
        wsd_queue_refill_locked(q);
    pal_lock_give(&q->lock);
}

static inline void wsd_queue_read_over(struct wsd_queue *q, const struct wsd_op *op)
{
    q->reads--;
    q->read_requests -= op->slots;
}

static inline bool wsd_op_is_recv(const struct wsd_op *op)
{
    return op->kind == WSD_OP_RECV;
}

/* Work request ids: pointer plus a tag in the low bits. Unsignaled member requests come back only
 * when they failed or were flushed. */
enum wsd_id_tag { WSD_ID_OP = 0, WSD_ID_MEMBER = 1, WSD_ID_PRIVATE = 2, WSD_ID_MASK = 3 };
_Static_assert(_Alignof(struct wsd_op) > WSD_ID_MASK && _Alignof(struct wsd_private_buf) > WSD_ID_MASK,
               "an address leaves those bits clear, also on 32 bits");

/* Send queue slots kept back for binds and invalidates, so that a full queue of sends cannot starve them. */
#define WSD_INTERNAL_SLOTS 3u

#endif
