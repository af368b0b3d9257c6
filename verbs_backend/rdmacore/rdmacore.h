/* rdmacore.h - what the files of the rdmacore backend share.
 * Layer:   verbs_backend/rdmacore: libibverbs and librdmacm; nothing outside this folder includes it.
 * Files:   device.c open, devices, asynchronous events; address.c addresses and routes; cm.c connections;
 *          dial.c connecting where the kernel waits for TCP; cq.c completion queues; qp.c queue pairs,
 *          posting, bring-up; mr.c domains, memory, windows; status.c errno, completion and reject codes ->
 *          vb_status_t (no other file knows those codes); why.c what is told of a failed attempt.
 * Locks:   be->lock -> link->lock -> cq->shadow_lock, dial->lock; conn->lock is taken alone. All are held for
 *          list walks, a state change or one short system call, never across a wait for the network. The data
 *          path of everything but siw takes none of ours.
 * fork():  unsupported (contract Q36). ibv_fork_init() is deliberately not called: it makes every
 *          registration an madvise(MADV_DONTFORK) over the caller's pages, which costs on each registration
 *          and takes the pages away from children that never touch verbs. */
#ifndef RDMACORE_H
#define RDMACORE_H

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>
#include <sys/socket.h>

#include "pal/atomic.h"
#include "pal/mutex.h"
#include "pal/wait.h"
#include "vb_ops.h"

/* Work requests converted per ibv_post_send() call; one call is one doorbell (one system call on rxe). */
#define RC_POST_BATCH 16
/* On siw a request may become two, so its queues are so much longer than what is granted. */
#define RC_SIW_PER_REQUEST 2u
/* Completions taken per ibv_poll_cq() call. */
#define RC_POLL_BATCH 32

/* Private data. IB: the fields of the CM's messages, less 36 bytes of IP addresses in the request (IBTA
 * volume 1, 12.6 and annex A11). iWARP: librdmacm counts in one byte, and MPA version 2 puts 4 bytes before
 * ours; siw adds them up in one byte and sends a broken frame when that overflows. */
enum {
    RC_IB_REQUEST_DATA = 92 - 36,
    RC_IB_REPLY_DATA = 196,
    RC_IB_REJECT_DATA = 148,
    RC_IWARP_DATA = 255 - 4
};

struct vb_backend {
    struct vb_head head;
    struct pal_mutex lock; /* guards: devs; of each refs, is_gone, is_removed; burials; of a QP is_buried */
    struct vb_dev *devs;
    struct rc_burial *burials;
    struct rdma_event_channel *probe; /* of the short-lived ids of rc_addr_probe(); never read */
    int epoll_fd; /* async_waitable: the two below and the asynchronous fds of all open devices */
    int netlink_fd;
    int removal_fd; /* eventfd: some device has is_removed set */
};

struct vb_dev { /* one port of one device; its verbs context is ours alone, librdmacm has another */
    struct vb_head head;
    struct vb_backend *be;
    struct vb_dev *next;
    uint32_t refs;
    bool is_removed; /* the CM said so, async_poll has not reported it yet */
    bool is_gone;    /* reported */
    bool is_iwarp;   /* const after open, like everything below */
    bool is_ib_link; /* InfiniBand link layer: has a subnet manager, no Ethernet */
    bool is_rxe;     /* Soft-RoCE of the kernel */
    bool is_siw;     /* see struct rc_shadow */
    uint8_t port;    /* 1-based */
    struct ibv_context *ctx;
    struct ibv_cq *siw_filler; /* see device.c */
    uint32_t max_read_sge;
    struct vb_caps caps;
    pal_atomic_u32 next_vector; /* relaxed: spreads CQs over interrupt vectors, nothing depends on it */
};

struct vb_pd {
    struct vb_head head;
    struct vb_dev *dev;
    struct ibv_pd *ib;
    pal_atomic_u32 refs; /* one for its owner, one for each QP */
};

struct vb_mr {
    struct vb_head head;
    struct ibv_mr *ib;
};

struct vb_mw {
    struct vb_head head;
    struct ibv_mw *ib; /* ib->rkey is the present key; written by the thread that posts */
};

/* siw, the kernel's soft iWARP, breaks these promises of vb.h (Linux 6.1 and rdma-core 44, seen by test):
 *   - requests posted after the QP died, by whatever side, never complete, and stopping again does not flush
 *     them;
 *   - a send or write that follows an RDMA read completes before the read does;
 *   - post returns success though only a part of a chain went in, or failure though all of it did;
 *   - QP numbers are reused at once, so that a late completion looks like one of the next QP;
 *   - a short read across a page boundary brings wrong bytes (qp.c, siw_cut_read);
 *   - while a request waits behind reads, reads of the peer are not answered (VB_CAP_FENCE_STALLS).
 * On siw alone, therefore, each queue of a QP has a shadow: a ring with one entry per posted request. The
 * verbs work request carries a ticket (generation of the shadow, sequence number) instead of the caller's id;
 * completions are put back into posting order, unknown tickets are dropped, and a stop completes what the
 * device will never complete. */
struct rc_shadow_entry {
    uint64_t id;      /* the caller's */
    bool is_signaled; /* the caller wants to know */
    bool is_awaited;  /* the device will tell: signaled, or a read, which must hold up what follows */
    bool is_done;     /* status and bytes hold the completion */
    uint8_t op;       /* enum vb_wc_op */
    vb_status_t status;
    uint32_t bytes;
};

struct rc_shadow {
    struct rc_shadow *next; /* in the CQ's list; this and all below is guarded by cq->shadow_lock */
    struct vb_cq *cq;
    struct rc_shadow_entry *ring; /* mask + 1 entries */
    uint32_t mask;
    uint32_t size;       /* requests the queue may hold */
    uint32_t head, tail; /* free-running; outstanding are head .. tail-1 */
    uint32_t done_count; /* entries in the ring that are done and wait for an earlier one */
    uint32_t generation;
    bool is_posting; /* a post is between push and confirm: its entries are not settled meanwhile */
    bool is_stopped; /* the device will complete nothing more that is not in its CQ already */
};

struct vb_cq {
    struct vb_head head;
    struct vb_dev *dev;
    struct ibv_comp_channel *channel; /* one per CQ */
    struct ibv_cq *ib;
    uint32_t unacked_count; /* notifications taken and not yet given back; used by the waiter only */

    /* siw only, guarded by shadow_lock */
    struct pal_mutex shadow_lock;
    struct rc_shadow *shadows;
    struct vb_wc *ready; /* ring of completions in order, waiting to be polled */
    uint32_t ready_mask, ready_head, ready_tail;
    uint32_t last_generation;
    bool is_armed;
    bool is_overrun; /* more completions than the depth that was asked for: some were lost */
    int event_fd;    /* announces completions that no device event announces; -1 when not siw */
    int epoll_fd;    /* channel fd and event_fd */
};

enum rc_qp_phase { RC_QP_RESET, RC_QP_INIT, RC_QP_RTS };

struct vb_qp {
    struct vb_head head;
    struct vb_dev *dev;
    struct vb_pd *pd; /* with a reference */
    struct ibv_qp *ib;
    pal_atomic_u32 phase;   /* enum rc_qp_phase; only ever grows. Software QPs take posts they cannot serve */
    struct vb_qp_caps caps; /* granted */
    void *context;
    bool is_buried;                 /* destroyed, but for the kernel: nobody wants to hear of it any more */
    _Atomic(struct rc_link *) link; /* set once by bind; release: publishes the link to async_poll */
    struct rc_shadow *send_shadow, *recv_shadow; /* siw only, else NULL */
};

/* What ties a QP to its connection. Either side may be destroyed first, by different threads, while
 * async_poll looks at both. */
struct rc_link {
    struct pal_mutex lock; /* guards qp and conn: whoever is set is alive while the lock is held */
    struct vb_qp *qp;
    struct vb_conn *conn;
    pal_atomic_u32 refs; /* one for the QP, one for the connection */
};

struct vb_cm {
    struct vb_head head;
    struct vb_backend *be;
    struct rdma_event_channel *channel;
    struct pal_alarm *bell; /* beside the channel: a dial failed */
    pal_atomic_bool is_rung;
    struct vb_conn *dialing; /* connections with a dial; the thread that polls has it to itself */
};

struct rc_id_owner { /* what rdma_cm_id.context points to: head of vb_listener and vb_conn */
    struct vb_head head;
    bool is_listener;
};

struct vb_listener {
    struct rc_id_owner owner;
    struct rdma_cm_id *id;
    void *context;
    struct vb_addr addr;
    int tcp_port; /* a TCP socket that keeps a port of our choice from applications; -1: none */
};

enum rc_conn_state {
    RC_CONN_NEW,
    RC_CONN_CONNECTING, /* active: from connect to its outcome */
    RC_CONN_REQUEST,    /* passive: not answered */
    RC_CONN_ACCEPTED,   /* passive: answered, peer has not confirmed */
    RC_CONN_CONNECTED,
    RC_CONN_ENDED /* the last event has been reported */
};

struct rc_why {       /* why.c */
    const char *what; /* event or call; static. NULL: nothing to tell */
    int code;         /* errno value of any sign, or the reason of a rejection; 0 = none */
    bool is_reject;
};

struct vb_conn {
    struct rc_id_owner owner;
    struct vb_cm *cm;
    struct rdma_cm_id *id;
    void *context;
    struct rc_link *link; /* NULL until bind */
    struct rc_dial *dial; /* siw: from the route to the outcome; written under the link's lock */
    bool is_unanswered;   /* siw: given up, and the kernel may be waiting for the peer's answer (bury.c) */
    struct vb_conn *next_dialing;
    struct pal_mutex lock; /* guards: state, is_disconnecting */
    enum rc_conn_state state;
    bool is_disconnecting; /* asked for; carried out as soon as the connection stands */
    bool is_active;
    bool is_iwarp;
    bool is_siw;
    int tcp_port; /* active, iWARP: a TCP socket that keeps the port until the device has it; -1: none */
    uint64_t accepted_ns;      /* siw: see delay_first_send() */
    uint8_t read_in, read_out; /* wanted, then agreed */
    uint32_t timeout_ms;
    uint16_t data_bytes;
    uint8_t data[VB_PRIVATE_DATA_MAX]; /* of the request, kept until the route is known */
    struct vb_addr local, remote;
    struct rc_why why; /* the polling thread's */
};

/* ---- status.c */
vb_status_t rc_status_errno(int err); /* of a call: errno value, or what verbs returned (any sign) */
vb_status_t rc_status_call(int rv);   /* verbs convention: errno, -errno, or -1 with errno set */
vb_status_t rc_status_wc(enum ibv_wc_status s);
/* REJECTED event -> kind and status. status is the event's: an IB reason (> 0) or -errno (iWARP). */
enum vb_cm_event_kind rc_status_reject(int status, vb_status_t *out);
const char *rc_status_meaning(int code,
                              bool is_reject); /* a few words for a person; good until the next call */

/* ---- address.c */
socklen_t rc_addr_to_sockaddr(const struct vb_addr *a, struct sockaddr_storage *ss); /* 0: no such family */
void rc_addr_from_sockaddr(const struct sockaddr *sa, struct vb_addr *out);
/* The CM of InfiniBand and RoCE loses the scope of link-local addresses: give it back to a local address of
 * ours, and to the remote one on the same link. */
void rc_addr_restore_scope(struct vb_addr *local, struct vb_addr *remote);
/* Tie an id to a local address and so to a device (id->verbs, id->port_num) whose port is up.
 * VB_E_ADDRNOTAVAIL: not ours, loopback, or an interface without RDMA; VB_E_ADDRINUSE. */
vb_status_t rc_addr_bind(struct rdma_cm_id *id, const struct vb_addr *local);
/* Find a port of this address that no TCP socket has, and keep it from them: writes addr->port and the socket that
 * holds it. VB_E_ADDRNOTAVAIL, VB_E_NOMEM. */
vb_status_t rc_port_reserve(struct vb_addr *addr, int *out);
void rc_port_release(int reserved); /* -1: nothing */
/* Which device owns this local address? VB_OK: *out is bound to it, port 0; the caller destroys it. */
vb_status_t rc_addr_probe(struct vb_backend *be, const struct vb_addr *local, struct rdma_cm_id **out);
vb_status_t rc_addr_list(struct vb_backend *be, struct vb_addr *out, uint32_t *count);
vb_status_t rc_route(struct vb_backend *be, const struct vb_addr *remote, struct vb_addr *out_local);

/* ---- device.c */
/* Is it the kernel's soft iWARP? false for a device that nobody has opened. */
bool rc_is_siw(struct vb_backend *be, const struct ibv_device *device);
/* The CM reports that a device goes away: rc_async_poll() will tell. Software devices send no asynchronous
 * event for it, and their removal waits until everybody has closed them. */
void rc_device_removed(struct vb_backend *be, const struct ibv_device *device);

/* ---- mr.c */
vb_status_t rc_pd_create(struct vb_dev *dev, struct vb_pd **out);
void rc_pd_destroy(struct vb_pd *pd);
void rc_pd_release(struct vb_pd *pd); /* one of its references */
vb_status_t rc_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out);
void rc_mr_dereg(struct vb_mr *mr);
uint32_t rc_mr_lkey(const struct vb_mr *mr);
uint32_t rc_mr_rkey(const struct vb_mr *mr);
vb_status_t rc_mw_alloc(struct vb_pd *pd, struct vb_mw **out);
void rc_mw_free(struct vb_mw *mw);
uint32_t rc_mw_rkey(const struct vb_mw *mw);

/* ---- cq.c */
vb_status_t rc_cq_create(struct vb_dev *dev, uint32_t depth, struct vb_cq **out);
void rc_cq_destroy(struct vb_cq *cq);
unsigned rc_cq_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max);
vb_status_t rc_cq_arm(struct vb_cq *cq);
pal_waitable rc_cq_waitable(struct vb_cq *cq);
unsigned rc_cq_ack(struct vb_cq *cq);

/* Shadows (siw). A post pushes entries, posts with the tickets as ids, and confirms how many went in. */
struct rc_shadow *rc_shadow_create(struct vb_cq *cq, uint32_t size); /* NULL: out of memory */
void rc_shadow_destroy(struct rc_shadow *s);
/* Returns how many of count there is room for. Unless it returns 0, confirm must follow.
 * *is_stopped: there is room for none because the queue is dead. */
uint32_t rc_shadow_push(struct rc_shadow *s, const struct rc_shadow_entry *entries, uint32_t count,
                        uint64_t *ticket, bool *is_stopped);
static inline uint64_t rc_shadow_ticket(uint64_t first, uint32_t i)
{
    return (first & ~(uint64_t)UINT32_MAX) | (uint32_t)((uint32_t)first + i);
}
void rc_shadow_confirm(struct rc_shadow *s, uint32_t pushed, uint32_t posted);
void rc_shadow_stop(
    struct rc_shadow *s); /* after the QP went to its error state: flush what the device will not */

/* ---- qp.c */
vb_status_t rc_qp_create(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                         struct vb_qp_caps *caps, void *context, struct vb_qp **out);
void rc_qp_destroy(struct vb_qp *qp);
void rc_qp_stop(struct vb_qp *qp);
uint32_t rc_qp_number(const struct vb_qp *qp);
vb_status_t rc_post_send(struct vb_qp *qp, const struct vb_send_wr *wr, const struct vb_send_wr **bad);
vb_status_t rc_post_recv(struct vb_qp *qp, const struct vb_recv_wr *wr, const struct vb_recv_wr **bad);

struct rc_link *rc_link_create(struct vb_qp *qp, struct vb_conn *conn); /* NULL: out of memory */
void rc_link_release(struct rc_link *link);
void rc_link_stop(struct rc_link *link); /* stop the QP if it is still there; link may be NULL */
/* Bring-up, called under the link's lock by cm.c: INIT takes receives; up goes on to the state that sends. */
vb_status_t rc_qp_init(struct vb_qp *qp, struct rdma_cm_id *id);
vb_status_t rc_qp_up(struct vb_qp *qp, struct rdma_cm_id *id, uint8_t read_in, uint8_t read_out);

/* ---- dial.c */
/* Connect id on a new thread; the private data of param stays the caller's until the end. */
vb_status_t rc_dial_start(struct vb_cm *cm, struct rdma_cm_id *id, const struct rdma_conn_param *param,
                          struct rc_dial **out);
bool rc_dial_failed(struct rc_dial *d, int *err); /* true: no event of the kernel's will follow */
/* The kernel is done with id and QP when it returns; any thread. give_up: do not wait for TCP. */
void rc_dial_wait(struct rc_dial *d, bool give_up);
void rc_dial_free(struct rc_dial *d); /* after the wait */
/* After the wait: the kernel may have a connection, or be waiting for one. False: rdma_connect() has failed. */
bool rc_dial_may_stand(const struct rc_dial *d);

/* ---- bury.c */
/* Have end(arg) called by another thread: it may wait in the kernel. Here and now, when there is none to be had. */
void rc_bury(struct vb_backend *be, void (*end)(void *), void *arg);
void rc_bury_wait(struct vb_backend *be); /* until all of them are over */

/* ---- why.c */
void rc_why_event(struct vb_conn *conn, enum rdma_cm_event_type type, int status);
void rc_why_call(struct vb_conn *conn, const char *call, int err); /* call: static */
void rc_conn_text(const struct vb_conn *conn, char *out, size_t bytes);

/* ---- cm.c */
bool rc_conn_is_connecting(const struct vb_conn *conn);
void rc_cm_ring(struct vb_cm *cm); /* let rc_cm_poll() look at the dials; any thread */
vb_status_t rc_cm_create(struct vb_backend *be, struct vb_cm **out);
void rc_cm_destroy(struct vb_cm *cm);
pal_waitable rc_cm_waitable(struct vb_cm *cm);
vb_status_t rc_cm_poll(struct vb_cm *cm, struct vb_cm_event *ev);
vb_status_t rc_listen(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog, void *context,
                      struct vb_listener **out);
void rc_listener_addr(const struct vb_listener *l, struct vb_addr *out);
void rc_listener_destroy(struct vb_listener *l);
vb_status_t rc_conn_create(struct vb_cm *cm, const struct vb_addr *local, void *context,
                           struct vb_conn **out);
void rc_conn_destroy(struct vb_conn *conn);
void rc_conn_set_context(struct vb_conn *conn, void *context);
void rc_conn_addrs(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote);
vb_status_t rc_conn_bind_qp(struct vb_conn *conn, struct vb_qp *qp);
vb_status_t rc_conn_connect(struct vb_conn *conn, const struct vb_addr *remote,
                            const struct vb_conn_params *p);
vb_status_t rc_conn_accept(struct vb_conn *conn, const struct vb_conn_params *p);
vb_status_t rc_conn_reject(struct vb_conn *conn, const void *data, uint16_t data_bytes);
void rc_conn_disconnect(struct vb_conn *conn);
/* The QP received data before the peer's confirmation: tell the CM. Under the link's lock. */
void rc_conn_comm_est(struct vb_conn *conn);

#endif
