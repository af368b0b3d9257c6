/* loop.h - private to loop_*.c: the objects of the loop backend and what its files call of each other.
 * Locking: `loop.lock` guards every field of every object unless a comment says otherwise. Functions declared
 *          here expect it held; operations of the table take it themselves; the fabric thread runs timers
 *          under it. */
#ifndef LOOP_H
#define LOOP_H

#include "loop_backend.h"
#include "pal/atomic.h"
#include "pal/memory.h"
#include "pal/mutex.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "pal/wait.h"
#include "vb_ops.h"

enum {
    LOOP_REQUEST_DATA = 56,
    LOOP_REPLY_DATA = 196,
    LOOP_REJECT_DATA = 148,
    LOOP_ADDRS = 4,
    LOOP_KEY_BUCKETS = 4096
};

/* Runs fn(arg) on the fabric thread, lock held, at when_ns. Embedded; armed at most once. */
struct loop_timer {
    struct loop_timer *next;
    uint64_t when_ns; /* 0 = not armed */
    void (*fn)(void *arg);
    void *arg;
};
void loop_timer_set(struct loop_timer *t, uint64_t when_ns); /* earlier or later; 0 = cancel */

/* Catches two threads inside one queue at once: `owner` by its value, `canary` by being a plain write that
 * TSan watches. */
struct loop_guard {
    pal_atomic_u64 owner;
    unsigned canary;
};
void loop_guard_enter(struct loop_guard *g, const char *what); /* before the lock */
void loop_guard_leave(struct loop_guard *g);

struct loop_key {
    struct loop_key *next;
    uint32_t key;
    struct vb_mr *mr; /* one of the two */
    struct vb_mw *mw;
};

struct loop_async {
    struct loop_async *next;
    struct vb_async_event ev;
    struct vb_qp *qp;
};

struct vb_backend {
    struct vb_head head;
    struct vb_backend *next;
    struct vb_dev *dev; /* NULL when not open */
    struct loop_async *async;
    struct pal_wakeup *async_wakeup;
    bool owes_look; /* has not been polled empty since the device went */
    unsigned cms;
};

struct vb_dev {
    struct vb_head head;
    struct vb_backend *be;
    unsigned opens, pds, cqs;
};

struct vb_pd {
    struct vb_head head;
    struct vb_dev *dev;
    unsigned qps, mrs, mws;
};

struct vb_mr {
    struct vb_head head;
    struct vb_pd *pd;
    uint64_t addr, bytes;
    uint32_t access;
    struct loop_key lkey, rkey;
    unsigned in_use;  /* posted requests that name it and whose completion was not polled */
    unsigned windows; /* bound to it */
};

struct vb_mw {
    struct vb_head head;
    struct vb_pd *pd;
    uint32_t posted_key;  /* what vb_mw_rkey() says: set when a bind is posted */
    struct loop_key rkey; /* in the table while bound */
    bool is_bound;
    struct vb_mr *mr;
    uint32_t qp_number;
    uint64_t addr, bytes;
    uint32_t access;
    unsigned in_use;
};

struct loop_cqe {
    struct vb_wc wc;
    struct vb_qp *qp; /* NULL once it is destroyed */
    uint64_t seq;     /* of the request in its queue */
    bool is_recv;
};

struct vb_cq {
    struct vb_head head;
    struct vb_dev *dev;
    struct loop_cqe *ring;
    uint32_t depth, first, count;
    unsigned qps;
    bool is_armed, is_dead;
    unsigned notes;
    struct pal_wakeup *wakeup;
    struct loop_guard polling; /* not under the lock */
};

struct loop_sge {
    uint64_t addr;
    uint32_t bytes;
    struct vb_mr *mr; /* held; NULL: no such key here (or zero bytes, or inline) */
};

enum loop_slot_state { LOOP_SLOT_POSTED, LOOP_SLOT_ISSUED, LOOP_SLOT_DONE };

struct loop_slot {
    uint64_t id;
    uint8_t op, flags, state; /* enum vb_wr_op; VB_WR_*; enum loop_slot_state */
    uint32_t sge_count;
    uint64_t bytes;
    struct loop_sge *sge;
    uint8_t *inl;      /* payload when inline */
    uint64_t ready_ns; /* POSTED: may start then. ISSUED: the answer arrives then */
    uint64_t remote_addr;
    uint32_t rkey;    /* remote key; BIND, INVALIDATE: key of the window */
    struct vb_mw *mw; /* held */
    struct vb_mr *mr; /* BIND; held */
    uint64_t bind_addr, bind_bytes;
    uint32_t bind_access;
};

/* One queue. Sequence numbers only grow: free <= done <= exec <= posted; slot n lives at slots[n % depth]. */
struct loop_queue {
    struct loop_slot *slots;
    struct loop_sge *sges;
    uint8_t *inl;
    uint32_t depth;
    uint64_t posted;           /* accepted */
    uint64_t exec;             /* next to start (send queue) */
    uint64_t done;             /* next to complete */
    uint64_t free;             /* next to be given back by a poll */
    struct loop_guard posting; /* not under the lock */
};

enum loop_qp_state { LOOP_QP_RESET, LOOP_QP_INIT, LOOP_QP_RTS, LOOP_QP_ERROR };

struct vb_qp {
    struct vb_head head;
    struct vb_qp *next; /* loop.qps */
    struct vb_pd *pd;
    struct vb_cq *send_cq, *recv_cq;
    struct vb_qp_caps caps;
    void *context;
    uint32_t number; /* const; never given twice */
    enum loop_qp_state state;
    struct vb_conn *conn;
    struct loop_queue sq, rq;
    unsigned reads_out; /* issued, not answered */
    uint8_t max_reads;  /* negotiated */
    bool is_running;
    bool is_waiting;          /* first send found no receive (statistics) */
    uint64_t silent_until_ns; /* peer does not answer: give up then; 0 = it does */
    struct loop_timer timer;
};

enum loop_conn_state {
    LOOP_CONN_IDLE,
    LOOP_CONN_CONNECTING, /* active: request sent */
    LOOP_CONN_REPLIED,    /* active: reply in the queue of its cm, not polled */
    LOOP_CONN_REQUEST,    /* passive: not answered */
    LOOP_CONN_ACCEPTED,   /* passive: replied, active has not polled that */
    LOOP_CONN_UP,
    LOOP_CONN_DOWN /* refused, failed, withdrawn or disconnected */
};

struct vb_conn {
    struct vb_head head;
    struct vb_conn *next; /* loop.conns */
    struct vb_cm *cm;
    void *context;
    struct vb_addr local, remote;
    enum loop_conn_state state;
    struct vb_conn *peer;
    struct vb_qp *qp;
    struct vb_listener *listener; /* request that was not polled yet */
    bool is_cut;
    bool has_peer_left; /* DISCONNECTED queued behind our ESTABLISHED */
    uint8_t read_in, read_out;
    uint8_t data[VB_PRIVATE_DATA_MAX]; /* of the connect request while it travels */
    uint16_t data_bytes;
    struct loop_timer timer;
    int timer_does; /* LOOP_TIMER_*, loop_cm.c */
    vb_status_t timer_status;
};

struct vb_listener {
    struct vb_head head;
    struct vb_listener *next; /* loop.listeners */
    struct vb_cm *cm;
    struct vb_addr addr;
    void *context;
};

struct loop_cm_event {
    struct loop_cm_event *next;
    struct vb_cm_event ev;
};

struct vb_cm {
    struct vb_head head;
    struct vb_backend *be;
    struct loop_cm_event *events;
    struct pal_wakeup *wakeup;
    unsigned conns, listeners;
    uint64_t poller, intruder; /* last polling thread; another one that destroyed something meanwhile */
    struct loop_guard polling; /* not under the lock */
};

struct loop_state {
    struct pal_mutex lock;
    struct pal_mutex open_lock; /* open and close: start and end of the fabric thread; taken before lock */
    struct pal_cond timers_changed;
    struct pal_thread *fabric;
    bool fabric_stops;
    struct loop_timer *timers;
    struct loop_config config;
    bool has_device;
    struct vb_addr addrs[LOOP_ADDRS];
    bool addr_present[LOOP_ADDRS];
    struct vb_backend *backends;
    struct vb_qp *qps;
    struct vb_conn *conns;
    struct vb_listener *listeners;
    struct loop_key *lkeys[LOOP_KEY_BUCKETS], *rkeys[LOOP_KEY_BUCKETS];
    uint64_t random;
    uint32_t next_qp_number;
    uint16_t next_port;
    struct loop_counts counts;
};
extern struct loop_state loop;

static inline void loop_lock(void)
{
    pal_mutex_lock(&loop.lock);
}
static inline void loop_unlock(void)
{
    pal_mutex_unlock(&loop.lock);
}

/* Report misuse: prints and aborts; with aborts_on_violation off it returns, and the caller refuses the call.
 * Any lock state: it touches no guarded field. */
void loop_violation(const char *what);
bool loop_is_local(const struct vb_addr *a); /* one of ours, present, device there */
void loop_async_push(struct vb_backend *be, const struct vb_async_event *ev, struct vb_qp *qp);
void loop_async_drop(struct vb_backend *be, const struct vb_dev *dev, const struct vb_cq *cq,
                     const struct vb_qp *qp);

/* loop_mem.c */
uint32_t loop_new_key(void);
void loop_key_add(struct loop_key **table, struct loop_key *k);
void loop_key_remove(struct loop_key **table, struct loop_key *k);
struct loop_key *loop_key_find(struct loop_key **table, uint32_t key);
void loop_window_unbind(struct vb_mw *mw);
/* loop_pages_*.c: could a device pin these bytes (and write them)? Called without the lock. */
bool loop_pages_usable(const void *addr, size_t bytes, bool for_write);

/* loop_cq.c */
void loop_cq_push(struct vb_cq *cq, struct vb_qp *qp, bool is_recv, uint64_t seq, const struct vb_wc *wc);
void loop_cq_forget_qp(struct vb_cq *cq, const struct vb_qp *qp);

/* loop_qp.c */
/* A completion was polled: slots up to seq are free. */
void loop_queue_retire(struct loop_queue *q, uint64_t seq);
/* Carry out what can be; call when anything that blocks it may have changed. */
void loop_qp_run(struct vb_qp *qp);
void loop_qp_error(struct vb_qp *qp); /* to the error state, flush */
struct vb_qp *loop_qp_peer(struct vb_qp *qp);

/* loop_cm.c */
void loop_conn_link_down(struct vb_conn *c); /* end a connection from below: DISCONNECTED at both ends */
void loop_conn_dev_gone(void);

/* Operations of the table, by file. */
vb_status_t loop_pd_create(struct vb_dev *dev, struct vb_pd **out);
void loop_pd_destroy(struct vb_pd *pd);
vb_status_t loop_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out);
void loop_mr_dereg(struct vb_mr *mr);
uint32_t loop_mr_lkey(const struct vb_mr *mr);
uint32_t loop_mr_rkey(const struct vb_mr *mr);
vb_status_t loop_mw_alloc(struct vb_pd *pd, struct vb_mw **out);
void loop_mw_free(struct vb_mw *mw);
uint32_t loop_mw_rkey(const struct vb_mw *mw);

vb_status_t loop_cq_create(struct vb_dev *dev, uint32_t depth, struct vb_cq **out);
void loop_cq_destroy(struct vb_cq *cq);
unsigned loop_cq_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max);
vb_status_t loop_cq_arm(struct vb_cq *cq);
pal_waitable loop_cq_waitable(struct vb_cq *cq);
unsigned loop_cq_ack(struct vb_cq *cq);
vb_status_t loop_qp_create(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                           struct vb_qp_caps *caps, void *context, struct vb_qp **out);
void loop_qp_destroy(struct vb_qp *qp);
void loop_qp_stop(struct vb_qp *qp);
uint32_t loop_qp_number(const struct vb_qp *qp);
vb_status_t loop_post_send(struct vb_qp *qp, const struct vb_send_wr *wr, const struct vb_send_wr **bad);
vb_status_t loop_post_recv(struct vb_qp *qp, const struct vb_recv_wr *wr, const struct vb_recv_wr **bad);

vb_status_t loop_cm_create(struct vb_backend *be, struct vb_cm **out);
void loop_cm_destroy(struct vb_cm *cm);
pal_waitable loop_cm_waitable(struct vb_cm *cm);
vb_status_t loop_cm_poll(struct vb_cm *cm, struct vb_cm_event *ev);
vb_status_t loop_listen(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog, void *context,
                        struct vb_listener **out);
void loop_listener_addr(const struct vb_listener *l, struct vb_addr *out);
void loop_listener_destroy(struct vb_listener *l);
vb_status_t loop_conn_create(struct vb_cm *cm, const struct vb_addr *local, void *context,
                             struct vb_conn **out);
void loop_conn_destroy(struct vb_conn *conn);
void loop_conn_set_context(struct vb_conn *conn, void *context);
void loop_conn_addrs(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote);
vb_status_t loop_conn_bind_qp(struct vb_conn *conn, struct vb_qp *qp);
vb_status_t loop_conn_connect(struct vb_conn *conn, const struct vb_addr *remote,
                              const struct vb_conn_params *p);
vb_status_t loop_conn_accept(struct vb_conn *conn, const struct vb_conn_params *p);
vb_status_t loop_conn_reject(struct vb_conn *conn, const void *data, uint16_t data_bytes);
void loop_conn_disconnect(struct vb_conn *conn);

#endif
