/* si.h - private to the files of softiwarp: its objects, who owns what, which lock guards what.
 * Layer:   verbs_backend/softiwarp. Above it vb_core.c, below it pal/socket.h and the codecs. The wire: PROTOCOL.md.
 *
 * Locks, taken downwards only:
 *   backend.link_lock      which QP belongs to which connection; control path
 *   cm.lock                connections and listeners of a cm, their handshakes, their sockets while no QP has them
 *   backstop.lock          the cm's look at sockets that nobody polls
 *   cq.poll_lock           one thread at a time drives the QPs of a CQ; keeps those QPs alive
 *   qp.lock                everything of a QP, and the socket while it is attached
 *   leaves                 cq.lock (ring, active set), cm.signal_lock, stripes of the key table, backend.async_lock,
 *                          backend.addr_lock, backend.random_lock, backend.cq_list_lock
 * cq.poll_lock and backstop.lock are never held together. No lock is global to the data path.
 *
 * Progress: nothing happens by itself. vb_cq_poll(), vb_cq_ack(), the posts and vb_cm_poll() move bytes. A QP is known
 *           to three pollers: of its CQs, which wake who waits for an armed CQ, and of its cm (the backstop), which
 *           wakes the cm's thread when data arrived on a QP whose CQs nobody polls. */
#ifndef SOFTIWARP_SI_H
#define SOFTIWARP_SI_H

#include "ddp.h"
#include "mpa.h"
#include "pal/atomic.h"
#include "pal/lock.h"
#include "pal/memory.h"
#include "pal/mutex.h"
#include "pal/socket.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "ports.h"
#include "rdmap.h"
#include "settings.h"
#include "vb_ops.h"

enum {
    SI_MAX_WR = 16384,
    SI_MAX_SGE = 16,
    SI_MAX_CQE = 1 << 22,
    SI_MAX_INLINE = 1024,
    SI_MAX_READS = 32,
    SI_MAX_DATA = VB_PRIVATE_DATA_MAX,
    SI_STRIPES = 64,
    SI_BUCKETS = 256, /* per stripe */
    SI_ACTIVE = 8,    /* QPs of a CQ that are looked at on every poll */
    SI_RX_BYTES = 16384,
    SI_TX_FRAMES = 20,  /* FPDUs of one batch */
    SI_TX_INLINE = 256, /* inline payload up to this is laid between header and trailer: one piece for TCP */
    SI_TX_SCRATCH = SI_TX_FRAMES * (64 + SI_TX_INLINE),
    /* With markers each 508 bytes are a piece, so frames are shorter: one fits a call to TCP. */
    SI_PAYLOAD_MARKED = 8192,
    SI_MARKERS_MOST = (MPA_LENGTH_BYTES + DDP_HEADER_MAX + SI_PAYLOAD_MARKED + MPA_TRAILER_MAX) /
                          (MPA_MARKER_INTERVAL - MPA_MARKER_BYTES) +
                      1,              /* in one frame */
    SI_PIECES_PLAIN = SI_MAX_SGE + 2, /* of one frame: before, payload, behind */
    SI_PIECES_MARKED = SI_PIECES_PLAIN + 2 * SI_MARKERS_MOST
};
#define SI_MAX_MESSAGE (1u << 30)
#define SI_LOOKS       4u

/* ---- memory (mem.c) ---- */

struct si_key {
    struct si_key *next;
    uint32_t key;
    uint32_t access; /* of what is remote; a local key: of the registration */
    struct vb_pd *pd;
    uint64_t start, bytes;
    uint32_t qp_number; /* window: the only QP it works through; 0: any QP of the domain */
    bool is_local;
    struct vb_mw *mw;    /* window, or NULL */
    pal_atomic_u32 pins; /* accesses that are under way: removal waits for them */
};

struct si_stripe {
    struct pal_mutex lock;
    struct si_key *bucket[SI_BUCKETS];
};

struct vb_pd {
    struct vb_head head;
    struct vb_dev *dev;
};

struct vb_mr {
    struct vb_head head;
    struct vb_pd *pd;
    uint64_t addr, bytes;
    uint32_t access;
    struct si_key lkey, rkey;
};

struct vb_mw {
    struct vb_head head;
    struct vb_pd *pd;
    pal_atomic_u32 posted_key; /* what vb_mw_rkey() says: set when a bind is posted */
    pal_atomic_bool is_bound;
    pal_atomic_u32 queued; /* binds and invalidates that wait for their turn */
    struct si_key rkey;    /* in the table while bound */
};

/* ---- backend and device (device.c) ---- */

struct si_async {
    struct si_async *next;
    struct vb_async_event ev;
    const struct vb_qp *qp;
};

struct vb_dev {
    struct vb_head head;
    struct vb_backend *be;
};

struct vb_backend {
    struct vb_head head;
    struct si_settings set;
    struct vb_dev dev; /* the only one: all addresses of the host */
    struct pal_mutex link_lock;
    struct pal_mutex async_lock;
    struct si_async *async;
    struct pal_poller *async_wake;
    struct pal_if_watch *if_watch; /* NULL: the system cannot tell */
    struct pal_mutex addr_lock;
    struct pal_if_watch *addr_watch; /* tells whether addrs is still right; NULL: never */
    struct pal_if_addr *addrs;       /* of the host, NULL: not known */
    unsigned addr_count;
    struct si_stripe stripe[SI_STRIPES];
    struct pal_mutex random_lock;
    uint8_t random[1024];
    size_t random_left;
    struct pal_mutex cq_list_lock;
    struct vb_cq *cqs;
    struct vb_cm *cms; /* link_lock */
    pal_atomic_u32 next_qp_number;
};

/* ---- completion queues (cq.c) ---- */

struct si_cqe {
    struct vb_wc wc;
    struct vb_qp *qp; /* NULL once it is destroyed */
    uint64_t seq;     /* of the request in its queue */
    bool is_recv;
};

struct vb_cq {
    struct vb_head head;
    struct vb_backend *be;
    struct vb_cq *next_of_backend;
    struct pal_poller *poller;
    struct pal_mutex poll_lock; /* guards idle, acks, is_fresh and the set of QPs */
    uint32_t idle;              /* polls in a row that moved nothing */
    uint32_t acks;
    /* looked at by who was woken, or armed with all QPs known to the poller: the next poll need not look */
    bool is_fresh;
    struct pal_lock lock; /* leaf; the rest */
    struct si_cqe *ring;
    uint32_t depth, first;
    pal_atomic_u32 count; /* written under lock; read without to find an empty queue */
    bool is_armed, is_dead;
    bool is_acking; /* the thread that waits is in vb_cq_ack() and will see the notes */
    unsigned notes;
    /* Added to under lock, by anybody; taken from under lock and poll_lock: so who holds poll_lock reads without lock. */
    _Atomic(struct vb_qp *) active[SI_ACTIVE];
    pal_atomic_u32 active_count;
    pal_atomic_u32 in_poller; /* QPs */
    pal_atomic_u32 activity;  /* grows when somebody polls or waits; read by backstops */
};

/* ---- queue pairs (qp.c, tx.c, rx.c) ---- */

struct si_piece {
    uint8_t *base;
    uint32_t bytes;
};

enum si_slot_state { SI_SLOT_POSTED, SI_SLOT_STARTED, SI_SLOT_DONE };

/* What only requests of a send queue have. Apart, because a queue goes round through all its slots: every byte of one is resident
 * memory of every connection, and receive queues are the deeper ones. */
struct si_send_slot {
    uint8_t *inl; /* payload when inline */
    uint64_t remote_addr;
    uint32_t rkey; /* remote key; BIND, INVALIDATE: key of the window */
    uint32_t bind_access;
    struct vb_mw *mw;
    struct vb_mr *mr; /* BIND */
    uint64_t bind_addr, bind_bytes;
};

struct si_slot {
    uint64_t id;
    uint8_t op, flags, state; /* enum vb_wr_op; VB_WR_*; enum si_slot_state */
    bool is_bound_early;      /* BIND: was carried out when it was posted */
    uint8_t status;           /* of DONE; POSTED: VB_E_PROTECTION when a local key or its bounds are wrong */
    uint32_t piece_count, bytes;
    struct si_piece one;       /* most have no more, and memory for more is not touched then */
    struct si_piece *piece;    /* &one, or a place in the queue's pieces */
    struct si_send_slot *send; /* NULL in a receive queue */
};

/* Sequence numbers only grow: free <= done <= exec <= posted; request n has slot at[n % size]. The slot that came back last is taken
 * first: a queue that is deeper than what is under way stays within a few slots, which are all it touches of its memory. */
struct si_queue {
    struct si_slot *slots;
    struct si_piece *pieces;    /* `sge` for each slot; NULL: one is all there may be */
    struct si_send_slot *sends; /* NULL in a receive queue */
    uint8_t *inl;
    uint16_t *at, *spare; /* numbers of slots; size of each */
    uint32_t spare_count;
    uint32_t depth, size; /* size: depth, at least 1 */
    uint32_t sge;
    uint64_t posted, exec, done;
    uint64_t back;       /* of what is free: whose slots are spare again */
    pal_atomic_u64 free; /* what was polled; written under cq.lock */
};
_Static_assert(SI_MAX_WR <= UINT16_MAX, "the number of a slot fits");

static inline struct si_slot *si_slot(struct si_queue *q, uint64_t seq)
{
    return &q->slots[q->at[seq % q->size]];
}

/* Of the next request; there is room: posted - free < depth. */
static inline struct si_slot *si_new_slot(struct si_queue *q)
{
    for (const uint64_t end = pal_load_acquire(&q->free); q->back < end; q->back++)
        q->spare[q->spare_count++] = q->at[q->back % q->size];
    const uint16_t slot = q->spare[--q->spare_count];
    q->at[q->posted++ % q->size] = slot;
    return &q->slots[slot];
}

struct si_read { /* one of ours, not answered yet */
    uint64_t seq;
    uint32_t stag, got, msn;
    uint64_t to;
};

struct si_inread { /* one of the peer's, not answered yet */
    struct rdmap_read_request req;
};

enum si_msg { SI_MSG_NONE, SI_MSG_WR, SI_MSG_RESPONSE };

/* What is being sent: a batch of whole FPDUs, handed to TCP piece by piece; nothing is built before it is gone.
 * What a small message needs stands together, and so do the first elements of the arrays and the arrays: with many connections each
 * cache line of it is a miss. */
struct si_tx {
    unsigned iov_count, iov_at;
    size_t bytes, sent;
    unsigned mark_count, mark_at;
    unsigned frame_count, scratch_used;
    unsigned frame_pieces; /* SI_PIECES_*: the most that one frame takes of iov */
    bool is_marked;        /* the peer wants markers in what it receives */
    uint32_t stream;       /* bytes of FPDUs in front of this batch, modulo 2^32 */
    uint32_t crc;          /* of the frame that is being built, up to here */
    size_t frame_at;       /* and where in the batch its length field is */
    bool reads_memory;     /* payload of a read response is in the batch: pin before each send */
    uint32_t pin_stag;
    uint64_t pin_addr;
    uint32_t pin_bytes;
    /* message that is being cut into segments */
    enum si_msg msg;
    uint64_t seq;
    uint32_t offset;
    uint32_t piece, piece_at;
    bool was_response; /* the last message was one: the send queue is next */
    bool is_blocked;   /* TCP took no more */
    uint32_t send_msn, read_msn;
    uint8_t rtr; /* enum rdmap_opcode + 1 of the ready-to-receive message that must go first; 0 = none */
    struct pal_iov iov[PAL_IOV_MAX];
    struct {
        size_t end;   /* when so much of the batch is sent ... */
        uint64_t seq; /* ... this request is done */
    } mark[SI_TX_FRAMES];
    size_t frame_end[SI_TX_FRAMES];
    uint8_t scratch[SI_TX_SCRATCH];
};

enum si_rx_phase { SI_RX_HEADER, SI_RX_PAYLOAD, SI_RX_TRAILER };
enum si_rx_into { SI_INTO_CONTROL, SI_INTO_RECV, SI_INTO_READ, SI_INTO_MEMORY, SI_INTO_NOTHING };

struct si_rx {
    uint8_t *buf;
    uint32_t buf_bytes; /* SI_RX_BYTES or more */
    uint32_t along; /* of it, read along behind a large payload: its trailer, the next header, perhaps more */
    uint32_t start, end;
    enum si_rx_phase phase;
    enum si_rx_into into;
    uint32_t ulpdu, payload_left, crc;
    bool is_marked; /* the stream has markers, because we asked for them: the buffer gets it without */
    bool with_crc;  /* to be checked here; with markers mpa_unmark() does it */
    struct mpa_unmarker marks;
    struct ddp_header h;
    uint8_t raw[DDP_HEADER_MAX]; /* for Terminate */
    uint64_t to;                 /* next byte of tagged memory */
    uint32_t piece, piece_at;    /* next byte of a receive or of a read's sink */
    uint8_t control[64];
    uint32_t control_bytes;
    uint32_t send_msn, read_msn; /* expected next */
    uint32_t message_at;         /* bytes of the current send message that were taken */
    bool in_message;
    bool has_seen_frame;
    bool is_stalled;   /* a send waits for a receive */
    uint64_t received; /* bytes, ever: who looks now and then knows whether the peer has said anything */
};

enum si_qp_state { SI_QP_RESET, SI_QP_INIT, SI_QP_RTS, SI_QP_ERROR };
enum si_where { SI_AT_SEND_CQ, SI_AT_RECV_CQ, SI_AT_BACKSTOP, SI_WHERE_COUNT };

struct vb_qp {
    struct vb_head head;
    struct vb_backend *be;
    struct vb_pd *pd;
    struct vb_cq *send_cq, *recv_cq;
    struct vb_qp_caps caps;
    void *context;
    uint32_t number;
    struct pal_mutex lock; /* guards the rest */
    pal_atomic_u32 wanted; /* threads that wait for it in si_qp_lock() */
    enum si_qp_state state;
    struct vb_conn *conn; /* written under link_lock, cm.lock and lock */
    pal_socket sock;      /* PAL_SOCKET_NONE when not attached */
    struct vb_cm *cm;     /* while attached */
    /* What the pollers were told; 0: not in it. CQs get to know the socket when it is not looked at on every poll any
     * more, or when somebody is about to sleep: each poller that knows it costs 0.1 us per packet in the kernel. */
    unsigned interest[SI_WHERE_COUNT];
    bool is_settled[SI_WHERE_COUNT]; /* taken out for good: nothing more will come */
    pal_atomic_bool is_active[2];    /* in the active set of send_cq, recv_cq; written under cq.lock */
    uint32_t idle_polls[2];          /* poll_lock of send_cq, of recv_cq */
    bool with_crc, may_send;
    bool holds_receives; /* ended in order: receives are flushed by the stop */
    bool skips_send; /* the first FPDU may be a Send that only says "ready" (RFC 6581) and takes no receive */
    uint32_t seen_activity;  /* of its CQs, by the backstop */
    uint64_t rests_until_ns; /* 0: does not; see si_qp_rests() */
    uint32_t max_reads_out, max_reads_in;
    uint32_t payload_max; /* of one FPDU */
    uint32_t read_first, read_count, in_first, in_count;
    struct si_queue sq, rq;
    struct si_rx rx;
    struct si_tx tx;
    uint64_t looked_received; /* rx.received when the cm looked for the last time */
    uint32_t looked_sent;     /* bytes that had been sent then, modulo 2^32 */
    unsigned
        quiet_looks; /* how often in a row nothing came though a read is out, or went though bytes wait */
    struct si_read reads[SI_MAX_READS];
    struct si_inread inreads[SI_MAX_READS];
};

/* ---- why a connection did not come to be (why.c) ---- */

/* In order of what it tells: of several candidate ports the greatest is kept, and of equal ones the first. */
enum si_why_kind {
    SI_WHY_NOTHING,
    SI_WHY_REFUSED,     /* TCP did */
    SI_WHY_NOT_HERE,    /* a softiwarp listener for another service */
    SI_WHY_CLOSED,      /* before its request or reply was whole */
    SI_WHY_KEY,         /* no MPA */
    SI_WHY_LENGTH,      /* of private data */
    SI_WHY_REVISION,    /* neither 1 nor 2 */
    SI_WHY_FOREIGN,     /* MPA, but its private data do not map ports */
    SI_WHY_DATA,        /* more private data than a consumer may have */
    SI_WHY_NO_TCP,      /* from here on: what ends the attempt, whatever candidates are left */
    SI_WHY_SILENT,      /* no request or reply in time */
    SI_WHY_UNCONFIRMED, /* passive: no first FPDU in time */
    SI_WHY_REJECTED,
    SI_WHY_STATUS /* what `status` says */
};

struct si_why {
    uint8_t kind;     /* enum si_why_kind */
    uint8_t status;   /* vb_status_t */
    uint8_t revision; /* of the peer's frame, once the fixed part was there; likewise length */
    uint8_t said_bytes;
    uint16_t length;               /* of its private data */
    uint16_t tcp_port;             /* active: where */
    uint8_t said[MPA_FIXED_BYTES]; /* the first bytes of the peer, as they came */
};

/* ---- connections (cm.c, conn.c) ---- */

enum si_conn_state {
    SI_CONN_IDLE,
    SI_CONN_TCP,      /* active: TCP connects to a candidate port */
    SI_CONN_REPLY,    /* active: request sent, reply awaited */
    SI_CONN_HELLO,    /* passive: TCP accepted, request awaited; nobody above knows of it */
    SI_CONN_REQUEST,  /* passive: not answered yet */
    SI_CONN_ACCEPTED, /* passive: replied, ready-to-receive awaited */
    SI_CONN_UP,
    SI_CONN_CLOSING, /* our side is finished; the peer's end is awaited */
    SI_CONN_DOWN
};

enum si_signal {
    SI_SIG_FIRST = 1,    /* the first FPDU came */
    SI_SIG_DETACHED = 2, /* the QP gave the socket back */
    SI_SIG_PEER_LEFT = 4 /* peer has closed, though there is something left to read */
};

struct si_pending {
    uint8_t kind, status; /* enum vb_cm_event_kind, vb_status_t */
};

enum si_watch_kind { SI_WATCH_CONN, SI_WATCH_LISTENER };

struct vb_conn {
    struct vb_head head;
    struct vb_cm *cm;
    struct vb_conn *next;
    void *context;
    struct vb_listener *listener; /* of a request that was not delivered yet */
    struct vb_qp *qp;
    uint64_t deadline_ns;     /* 0 = none */
    enum si_watch_kind watch; /* its address is the poller's tag: a conn's or a listener's */
    enum si_conn_state state;
    struct vb_addr local, remote;
    pal_socket sock;
    unsigned interest; /* what the cm's poller was told */
    bool is_active, is_in_poller;
    bool is_ready;     /* in the queue of its cm */
    bool has_said_end; /* DISCONNECTED or FAILED was reported */
    /* handshake */
    bool is_mapped, with_crc, is_p2p, is_enhanced, sends_markers;
    uint8_t revision;
    uint8_t rtr; /* enum rdmap_opcode + 1 of the ready-to-receive message; 0 = none */
    uint8_t read_in, read_out;
    uint16_t out_bytes, in_bytes;
    uint32_t timeout_ms;
    unsigned candidate;
    size_t hello_at;
    uint8_t out_data[SI_MAX_DATA], in_data[SI_MAX_DATA];
    uint8_t hello[MPA_HELLO_MAX];
    struct si_why why;
    unsigned refused; /* candidates that TCP refused */
    /* events that vb_cm_poll() has not returned */
    unsigned pending_count;
    struct si_pending pending[4];
    struct vb_conn *ready_next;
    /* handed over by the QP; cm.signal_lock */
    struct vb_conn *signal_next;
    uint8_t *tail; /* rest of the FPDU that was cut, and the Terminate; malloc'd */
    size_t tail_bytes, tail_at;
    uint32_t signals;
    bool is_signalled, saw_eof, has_finished;
};

struct vb_listener {
    struct vb_head head;
    enum si_watch_kind watch;
    struct vb_cm *cm;
    struct vb_listener *next;
    void *context;
    struct vb_addr addr; /* what the consumer asked for */
    pal_socket sock, reserved;
    uint32_t backlog, hellos; /* requests that were not delivered; more are left in TCP */
    bool is_paused;
    uint32_t turned_away; /* clients nobody above heard of; cm.lock, like the next two */
    struct si_why last_why;
    struct vb_addr last_peer;
    uint64_t retry_ns; /* paused because the process had no file for one more; 0 = no */
};

struct si_backstop {
    struct pal_mutex lock;
    struct pal_poller *poller;
    bool is_ticking; /* looks at times instead of at once: the CQs are being polled */
    unsigned quiet_ticks;
    uint32_t seen_activity; /* of all CQs of the process */
    uint64_t tick_ns, next_ns;
};

struct vb_cm {
    struct vb_head head;
    struct vb_backend *be;
    struct vb_cm *next_of_backend;
    struct pal_mutex lock;
    struct pal_poller *poller; /* handshakes, listeners, closing; its waitable is the cm's */
    struct vb_conn *conns;
    struct vb_listener *listeners;
    struct vb_conn *ready, **ready_tail;
    uint64_t deadline_ns; /* what the poller was told */
    uint64_t look_ns;     /* when to look for reads that nobody answers; 0 = no connection is up */
    struct pal_mutex signal_lock;
    struct vb_conn *signalled;
    bool is_polling; /* written under cm.lock and signal_lock, read under either */
    struct si_backstop backstop;
};

/* ---- device.c */
void si_async_push(struct vb_backend *be, const struct vb_async_event *ev, const struct vb_qp *qp);
void si_async_drop_qp(struct vb_backend *be, const struct vb_qp *qp);
void si_async_drop_cq(struct vb_backend *be, const struct vb_cq *cq);
/* VB_OK: an address of this host, interface up; VB_E_ADDRNOTAVAIL: it is not; VB_E_NOMEM: cannot be told now. */
vb_status_t si_check_local(struct vb_backend *be, const struct vb_addr *a);
void si_random(struct vb_backend *be, void *out, size_t bytes);
struct pal_addr si_to_pal(const struct vb_addr *a);
struct vb_addr si_from_pal(const struct pal_addr *a);
vb_status_t si_status_net(enum pal_net n);

/* ---- mem.c */
bool si_keys_init(struct vb_backend *be);
void si_keys_fini(struct vb_backend *be);
bool si_local_ok(struct vb_qp *qp, uint32_t lkey, uint64_t addr, uint32_t bytes, bool for_write);
/* The key stays valid until si_key_unpin(). NULL: *error says why (TERM_DDP_*, TERM_RDMAP_RIGHTS). */
struct si_key *si_key_pin(struct vb_qp *qp, uint32_t stag, uint64_t addr, uint32_t bytes, uint32_t access,
                          uint16_t *error);
static inline void si_key_unpin(struct si_key *k)
{
    pal_sub_acq_rel(&k->pins, 1); /* release: what was done to the memory comes before the removal */
}
uint32_t si_new_key(struct vb_backend *be);
bool si_window_bind(struct vb_qp *qp, const struct si_slot *s);
bool si_window_invalidate(struct vb_qp *qp, struct vb_mw *mw, uint32_t key);
bool si_window_invalidate_stag(struct vb_qp *qp, uint32_t stag); /* by the peer: false = not one of this QP */

/* ---- cq.c */
void si_cq_push(struct vb_cq *cq, struct vb_qp *qp, bool is_recv, uint64_t seq, const struct vb_wc *wc);
void si_cq_forget(struct vb_qp *qp);   /* no locks: out of active sets and rings, for the destroy */
void si_cq_activate(struct vb_qp *qp); /* qp.lock: look at it on the next polls, if there is room */

/* For who must not wait until the backstop has nothing more to do. A thread that comes to wait after the backstop looked is seen at
 * its next look, one call to TCP or a few later. */
static inline void si_qp_lock(struct vb_qp *qp)
{
    if (pal_mutex_trylock(&qp->lock))
        return;
    pal_add_relaxed(&qp->wanted, 1);
    pal_mutex_lock(&qp->lock);
    pal_sub_acq_rel(&qp->wanted, 1);
}

/* ---- qp.c; all under qp.lock unless they say otherwise */
void si_qp_complete(struct vb_qp *qp); /* report what is done, in order */
void si_recv_done(struct vb_qp *qp, vb_status_t st, uint32_t bytes);
bool si_qp_progress(struct vb_qp *qp);    /* receive and send what can be; true: something moved */
bool si_qp_rests(const struct vb_qp *qp); /* not worth asking just now, for who polls */
/* The end of a QP: the request `seq` (SI_FIRST: the first that is not done, SI_NONE: no request) fails with `cause`,
 * the rest is flushed, the socket goes back to the connection. */
#define SI_FIRST UINT64_MAX
#define SI_NONE  (UINT64_MAX - 1)
struct si_end {
    vb_status_t cause;
    uint64_t seq;
    bool sends_terminate;
    uint16_t error;    /* of the Terminate */
    bool with_header;  /* attach the header of the segment in rx */
    bool is_event;     /* report VB_ASYNC_QP_FATAL: no completion may say so */
    bool drops_stream; /* what was begun cannot be finished: its memory is gone */
    bool saw_eof;      /* the peer has ended its side already */
    bool is_orderly;   /* it left: receives come back when the owner, told by the cm, stops the QP */
};
void si_qp_end(struct vb_qp *qp, const struct si_end *e);
void si_qp_left(struct vb_qp *qp, enum pal_net how); /* the stream has ended */
void si_qp_look(struct vb_qp *qp); /* SI_LOOKS times in WSD_SOFTIWARP_DEAD_MS: does the peer still answer? */
void si_qp_stop_locked(struct vb_qp *qp);
/* Tell a poller what the QP waits for; false: it cannot be told. */
bool si_qp_sync(struct vb_qp *qp, enum si_where at);
/* After a poller named the QP and it was driven: see to it that the poller does not name it in vain for ever. */
void si_qp_settle(struct vb_qp *qp, enum si_where at, unsigned ready);
vb_status_t si_qp_attach(struct vb_qp *qp,
                         struct vb_conn *conn); /* handshake done: the QP takes the socket */

/* ---- tx.c, rx.c */
bool si_tx_run(struct vb_qp *qp);
/* Terminate behind whatever FPDU was begun, in memory of its own; NULL with *bytes 0: nothing to send, or no memory. */
uint8_t *si_tx_tail(struct vb_qp *qp, const struct si_end *e, size_t *bytes);
bool si_rx_run(struct vb_qp *qp);

/* ---- cm.c */
void si_conn_signal(struct vb_conn *c, uint32_t signals); /* any lock above signal_lock */
void si_conn_take_signals(struct vb_conn *c);             /* cm.lock: of this one, now */
void si_conn_drop_signals(struct vb_conn *c);             /* cm.lock; it is going away */
void si_cm_drop_events(struct vb_conn *c);                /* cm.lock */
void si_backstops_look(struct vb_backend *be);            /* no locks; for who polls a CQ and finds nothing */
/* Hand the socket over: end of attachment. qp.lock. */
void si_conn_detached(struct vb_conn *c, uint8_t *tail, size_t tail_bytes, const struct si_end *e);
void si_cm_push(struct vb_conn *c, enum vb_cm_event_kind kind, vb_status_t st); /* cm.lock */
void si_cm_deadline(struct vb_cm *cm);   /* cm.lock: tell the poller the nearest deadline */
void si_cm_look_later(struct vb_cm *cm); /* cm.lock: a connection is up */

/* ---- conn.c; cm.lock */
struct vb_conn *si_conn_new(struct vb_cm *cm);
void si_conn_free(struct vb_conn *c);
void si_conn_event(struct vb_conn *c, unsigned ready); /* its socket is ready */
void si_conn_signals(struct vb_conn *c, uint32_t signals);
void si_conn_expired(struct vb_conn *c);
void si_conn_watch(struct vb_conn *c, unsigned what); /* 0 = not at all */
void si_conn_accepted(struct vb_listener *l, pal_socket s, const struct pal_addr *remote);

#define SI_HELLO_MS 10000u
/* A peer that connected says who it is; one that was accepted confirms. */
static inline uint32_t si_hello_ms(const struct vb_cm *cm)
{
    const uint32_t dead = cm->be->set.dead_peer_ms;
    return dead < SI_HELLO_MS ? dead : SI_HELLO_MS;
}
void si_conn_deadline(struct vb_conn *c, uint32_t ms); /* 0 = none */
void si_conn_drop_socket(struct vb_conn *c);
bool si_conn_reply(struct vb_conn *c, enum si_map_kind kind, const void *data, uint16_t bytes);
void si_conn_try(
    struct vb_conn *c); /* to the candidate c->candidate, or the next that does not refuse at once */
vb_status_t si_conn_give(struct vb_conn *c); /* the socket to the QP */
uint8_t si_depth(uint8_t wanted, uint16_t other);

/* ---- why.c; cm.lock */
void si_why_note(struct vb_conn *c, enum si_why_kind kind); /* with what the peer said so far: c->hello */
void si_why_status(struct vb_conn *c, vb_status_t st);
void si_why_turned_away(struct vb_conn *c); /* tell its listener, if there is anything to tell */

/* ---- Operations of the table, by file. */
vb_status_t si_pd_create(struct vb_dev *dev, struct vb_pd **out);
void si_pd_destroy(struct vb_pd *pd);
vb_status_t si_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out);
void si_mr_dereg(struct vb_mr *mr);
uint32_t si_mr_lkey(const struct vb_mr *mr);
uint32_t si_mr_rkey(const struct vb_mr *mr);
vb_status_t si_mw_alloc(struct vb_pd *pd, struct vb_mw **out);
void si_mw_free(struct vb_mw *mw);
uint32_t si_mw_rkey(const struct vb_mw *mw);
vb_status_t si_cq_create(struct vb_dev *dev, uint32_t depth, struct vb_cq **out);
void si_cq_destroy(struct vb_cq *cq);
unsigned si_cq_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max);
vb_status_t si_cq_arm(struct vb_cq *cq);
pal_waitable si_cq_waitable(struct vb_cq *cq);
unsigned si_cq_ack(struct vb_cq *cq);
vb_status_t si_qp_create(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                         struct vb_qp_caps *caps, void *context, struct vb_qp **out);
void si_qp_destroy(struct vb_qp *qp);
void si_qp_stop(struct vb_qp *qp);
uint32_t si_qp_number(const struct vb_qp *qp);
vb_status_t si_post_send(struct vb_qp *qp, const struct vb_send_wr *wr, const struct vb_send_wr **bad);
vb_status_t si_post_recv(struct vb_qp *qp, const struct vb_recv_wr *wr, const struct vb_recv_wr **bad);
vb_status_t si_cm_create(struct vb_backend *be, struct vb_cm **out);
void si_cm_destroy(struct vb_cm *cm);
pal_waitable si_cm_waitable(struct vb_cm *cm);
vb_status_t si_cm_poll(struct vb_cm *cm, struct vb_cm_event *ev);
vb_status_t si_listen(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog, void *context,
                      struct vb_listener **out);
void si_listener_addr(const struct vb_listener *l, struct vb_addr *out);
void si_listener_destroy(struct vb_listener *l);
vb_status_t si_conn_create(struct vb_cm *cm, const struct vb_addr *local, void *context,
                           struct vb_conn **out);
void si_conn_destroy(struct vb_conn *conn);
void si_conn_set_context(struct vb_conn *conn, void *context);
void si_conn_addrs(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote);
vb_status_t si_conn_bind_qp(struct vb_conn *conn, struct vb_qp *qp);
vb_status_t si_conn_connect(struct vb_conn *conn, const struct vb_addr *remote,
                            const struct vb_conn_params *p);
vb_status_t si_conn_accept(struct vb_conn *conn, const struct vb_conn_params *p);
vb_status_t si_conn_reject(struct vb_conn *conn, const void *data, uint16_t data_bytes);
void si_conn_disconnect(struct vb_conn *conn);
void si_conn_text(const struct vb_conn *conn, char *out, size_t bytes);
void si_listener_text(const struct vb_listener *l, char *out, size_t bytes);

#endif
