/* vb.h - the only verbs header that provider/, bench/ and tests see.
 * Layer:    verbs_backend. One table of operations per backend stands behind it (vb_ops.h has every
 *           operation's contract).
 * Threads:  any thread, any call, unless a comment says otherwise. Calls that name the same object as its
 *           destroy must have returned before the destroy begins.
 * Lifetime: destroy in reverse order of creation: mw, mr, qp, cq, pd, dev; conn and listener before cm; all
 *           before close. Whoever posts a work request keeps its memory, MRs and windows alive until the
 *           completion.
 * Blocking: data-path calls (post, poll, arm, ack, key) never block, allocate, log or call back. Calls marked
 *           "control" may enter the kernel and take milliseconds; callers hold no lock across them.
 * Source:   our narrowing of libibverbs, librdmacm and the NetworkDirect SPI; rules are those of their manual
 *           pages. */
#ifndef VB_H
#define VB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pal/wait.h"
#include "vb/vb_status.h"

struct vb_backend; /* one opened backend */
struct vb_dev;     /* one opened device (port); counted by the backend: two opens may give the same object */
struct vb_pd;      /* protection domain: keys of one never work in another */
struct vb_cq;
struct vb_qp;
struct vb_mr;
struct vb_mw;   /* type-2 window: key bound to one QP, exact bounds and rights, dead once invalidated */
struct vb_cm;   /* source of connection events; polled by one thread */
struct vb_conn; /* one connection or one queued request */
struct vb_listener;

/* ---- addresses ---- */

enum vb_family { VB_AF_NONE = 0, VB_AF_IPV4 = 4, VB_AF_IPV6 = 6 };

struct vb_addr {
    uint8_t family; /* enum vb_family */
    uint8_t ip[16]; /* network order; IPv4 uses the first four, the rest is zero */
    uint16_t port;  /* host order; 0 = none */
    uint32_t scope; /* IPv6 link-local interface index, else 0 */
};

bool vb_addr_is_any(const struct vb_addr *a);                           /* 0.0.0.0 or :: */
bool vb_addr_same_ip(const struct vb_addr *a, const struct vb_addr *b); /* family, ip and scope; not port */
#define VB_ADDR_TEXT_BYTES 72
/* "10.0.0.1:7000", "[fe80::1%3]:7000"; without the port when it is 0. Returns out. */
const char *vb_addr_text(const struct vb_addr *a, char out[VB_ADDR_TEXT_BYTES]);
bool vb_addr_parse(const char *text, struct vb_addr *out); /* "IP", "IP:PORT" or "[IP6]:PORT"; no names */

/* ---- backend and device ---- */

/* Names of the compiled-in backends, NULL-terminated, best first ("rdmacore"). */
const char *const *vb_backend_names(void);

/* Open a backend. spec is "NAME[+HOOK[=ARG]]...", for example "rdmacore", "rdmacore+trace",
 * "rdmacore+fault=post_send:3:fail+trace": see hook/ for the hooks and their arguments. why[] receives one
 * plain sentence on failure: which backend was looked for, why it was not usable and what to do. Control.
 * VB_OK; VB_E_INVAL: unknown name or hook; VB_E_NODEV: backend present, no device; VB_E_NOMEM;
 * VB_E_DENIED. */
vb_status_t vb_open(const char *spec, struct vb_backend **out, char *why, size_t why_bytes);
void vb_close(struct vb_backend *be);
const char *vb_name(const struct vb_backend *be); /* name of the backend below the hooks */

/* Make a backend known to vb_open() under ops->name (used by tests; compiled-in ones are known already).
 * VB_E_NOMEM when the small table is full. */
struct vb_ops;
vb_status_t vb_register_backend(const struct vb_ops *ops);

/* Local IP addresses that this backend can serve now: ports that are up and have RDMA; loopback left out,
 * both families. *count: in: room, out: number there are. VB_OK; VB_E_AGAIN: more than fit, *count says how
 * many. Control. */
vb_status_t vb_addr_list(struct vb_backend *be, struct vb_addr *out, uint32_t *count);

/* Local address that the system would use to reach `remote`, if it is one of vb_addr_list(), port 0.
 * VB_OK; VB_E_UNREACH; VB_E_ADDRNOTAVAIL: reached through an interface without RDMA. Control. */
vb_status_t vb_route(struct vb_backend *be, const struct vb_addr *remote, struct vb_addr *out_local);

enum vb_async_kind {
    VB_ASYNC_ADDR_CHANGE, /* vb_addr_list() may answer differently now */
    VB_ASYNC_DEV_GONE,    /* device unusable: every QP on it is dead or dying */
    VB_ASYNC_QP_FATAL,    /* that QP has failed; its requests will be flushed */
    VB_ASYNC_CQ_ERROR     /* that CQ lost completions: every QP on it is dead */
};
struct vb_async_event {
    enum vb_async_kind kind;
    struct vb_dev *dev; /* valid for DEV_GONE */
    void *qp_context;   /* valid for QP_FATAL */
    struct vb_cq *cq;   /* valid for CQ_ERROR */
};
/* VB_OK: *ev filled; VB_E_AGAIN: none now. One thread polls; it must be the thread that also destroys QPs, or
 * the destroyer must know that no event of that QP is being handled. The waitable covers all devices. */
vb_status_t vb_async_poll(struct vb_backend *be, struct vb_async_event *ev);
pal_waitable vb_async_waitable(struct vb_backend *be);

/* Open the device that owns a local address. Control. VB_E_ADDRNOTAVAIL when none does. Balanced by
 * vb_dev_close(). */
vb_status_t vb_dev_open(struct vb_backend *be, const struct vb_addr *local, struct vb_dev **out);
void vb_dev_close(struct vb_dev *dev);

enum vb_cap_flags {
    VB_CAP_MW_TYPE2 = 1u << 0, /* windows work: bind, invalidate, exact bounds, tied to the QP */
    /* a message that finds no receive waits (RNR retry or equivalent) instead of killing the connection */
    VB_CAP_RECV_FLOW_CONTROL = 1u << 1,
    /* memory that receives an RDMA read needs VB_ACCESS_REMOTE_WRITE (iWARP, RFC 5040) */
    VB_CAP_READ_SINK_REMOTE = 1u << 2,
    VB_CAP_RDMA_READ = 1u << 3,
    /* a window's own bounds are enforced. Without it (rxe up to this writing) an access through a window is
     * checked against the bounds of the MR below, so that MR must not be larger than the window. */
    VB_CAP_WINDOW_BOUNDS = 1u << 4,
    /* A request that waits behind reads of its own QP (fenced, or a read beyond the depth) keeps this side from answering
     * the peer's reads as well: two sides that wait at once wait for ever. Whoever posts must hold such requests back
     * in software until the reads are done. */
    VB_CAP_FENCE_STALLS = 1u << 5,
    /* vb_cq_ack() is cheap, and to whoever was woken it is the first look at what came. Without it (kernel devices: a system
     * call for each notification) it belongs behind the work. Only a matter of speed. */
    VB_CAP_ACK_FIRST = 1u << 6,
    /* A registration is of addresses, not of the pages behind them: memory that is mapped anew there is the memory that it means. */
    VB_CAP_MR_FOLLOWS = 1u << 7
};

struct vb_caps {
    char device[64];       /* "rxe0" */
    char transport[16];    /* "RoCEv2", "InfiniBand", "iWARP" */
    uint32_t flags;        /* VB_CAP_* */
    uint32_t max_qp_wr;    /* requests a queue of one QP can hold */
    uint32_t max_sge;      /* pieces of one work request */
    uint32_t max_read_sge; /* pieces of one RDMA read; 1 on iWARP devices */
    uint32_t max_cqe;
    uint32_t max_inline_bytes; /* a hint: what a QP really grants is in vb_qp_caps */
    uint32_t max_msg_bytes;    /* one send or one RDMA transfer */
    uint64_t max_mr_bytes;
    uint32_t max_read_in;      /* RDMA reads that may be outstanding towards one QP */
    uint32_t max_read_out;     /* and from one QP */
    uint16_t max_request_data; /* private data bytes in a request, a reply and a reject */
    uint16_t max_reply_data;
    uint16_t max_reject_data;
    uint32_t mtu_bytes; /* path MTU of the port, 0 = unknown */
};
void vb_dev_caps(const struct vb_dev *dev, struct vb_caps *out);

/* Does the device own this local address? Used to tell which open device a request arrived on. */
bool vb_dev_owns(struct vb_dev *dev, const struct vb_addr *local);

/* ---- memory ---- */

vb_status_t vb_pd_create(struct vb_dev *dev, struct vb_pd **out); /* control */
void vb_pd_destroy(struct vb_pd *pd);                             /* control; nothing may be left in it */

enum vb_access {
    VB_ACCESS_LOCAL_WRITE = 1u << 0, /* local read is always there */
    VB_ACCESS_REMOTE_READ = 1u << 1,
    VB_ACCESS_REMOTE_WRITE =
        1u << 2,               /* registration: needs LOCAL_WRITE too. bind: the MR needs LOCAL_WRITE */
    VB_ACCESS_WINDOW = 1u << 3 /* registration only: windows may be bound to this MR */
};

/* Register memory. Pins pages, enters the kernel: control, never on the per-transfer path.
 * @param bytes 1 .. max_mr_bytes
 * VB_OK; VB_E_INVAL: zero bytes, wrapping range or bad access; VB_E_FAULT: range not mapped, or not writable
 * though write was asked; VB_E_NOMEM: pinned-memory limit or device table full. Source: ibv_reg_mr(3). */
vb_status_t vb_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out);
void vb_mr_dereg(struct vb_mr *mr); /* control; no window may be bound to it, no request may name it */
uint32_t vb_mr_lkey(const struct vb_mr *mr);
uint32_t vb_mr_rkey(const struct vb_mr *mr);

/* Windows: alloc and free are control; bind and invalidate are posted (VB_WR_BIND, VB_WR_INVALIDATE).
 * The key is valid from the moment vb_post_send() accepted the bind (read it then), may be used by anything
 * the peer learns later through this QP, and is dead when the invalidate has completed. A window may then be
 * bound again, to any QP of the PD. */
vb_status_t vb_mw_alloc(struct vb_pd *pd, struct vb_mw **out);
void vb_mw_free(struct vb_mw *mw);
uint32_t vb_mw_rkey(const struct vb_mw *mw);

/* ---- completion queues ---- */

/* depth: completions it must be able to hold; callers reserve one for every request they may have posted.
 * Control. */
vb_status_t vb_cq_create(struct vb_dev *dev, uint32_t depth, struct vb_cq **out);
void vb_cq_destroy(struct vb_cq *cq); /* control */

enum vb_wc_op { VB_WC_SEND, VB_WC_RECV, VB_WC_WRITE, VB_WC_READ, VB_WC_BIND, VB_WC_INVALIDATE };
struct vb_wc {
    uint64_t id; /* of the work request */
    vb_status_t status;
    uint32_t bytes; /* receives that succeeded: message length; otherwise undefined */
    uint8_t op;     /* enum vb_wc_op; valid only when status is VB_OK */
};

/* Take up to max completions. Returns how many (0 = none), in completion order; per queue of a QP that is
 * posting order. Every signaled request and every receive gives exactly one completion, also if the QP dies.
 * An unsignaled one gives at most one, and only if it failed or was flushed. Never blocks. Two threads must
 * not poll one CQ at the same time. */
unsigned vb_cq_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max);

/* Ask for one notification on the waitable when the next completion arrives. Completions that are there
 * already need not notify: poll again after arming, before waiting. Arming an armed CQ is harmless. Any
 * thread. VB_OK or VB_E_FATAL. */
vb_status_t vb_cq_arm(struct vb_cq *cq);
pal_waitable vb_cq_waitable(struct vb_cq *cq);
/* Take back notifications so that the waitable is no longer ready. By the thread that waits. Returns how many
 * there were. */
unsigned vb_cq_ack(struct vb_cq *cq);

/* ---- queue pairs and work requests ---- */

struct vb_qp_caps {
    uint32_t send_wr, recv_wr;   /* queue depths */
    uint32_t send_sge, recv_sge; /* pieces of one request */
    uint32_t inline_bytes;       /* largest inline payload */
};

/* Create a reliable connected QP. caps: in: wanted, out: granted (at least what was asked, but inline_bytes
 * may be less, down to 0).
 * context: returned with asynchronous events. Control. VB_E_INVAL when beyond vb_caps; VB_E_NOMEM. */
vb_status_t vb_qp_create(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                         struct vb_qp_caps *caps, void *context, struct vb_qp **out);
/* Control; may wait for hardware. Completions not yet polled may still be polled afterwards (ids stay
 * readable, the QP is gone), so callers first vb_qp_stop() and poll until every signaled request has come
 * back. */
void vb_qp_destroy(struct vb_qp *qp);
/* Move the QP to its error state: everything outstanding comes back as VB_E_FLUSHED (what already finished
 * keeps its own status). Idempotent and effective again for requests posted since the last stop. Control (one
 * system call). */
void vb_qp_stop(struct vb_qp *qp);
uint32_t vb_qp_number(const struct vb_qp *qp);

struct vb_sge {
    uint64_t addr; /* of this process */
    uint32_t bytes;
    uint32_t lkey; /* ignored when the request is inline */
};

enum vb_wr_op { VB_WR_SEND, VB_WR_WRITE, VB_WR_READ, VB_WR_BIND, VB_WR_INVALIDATE };
enum vb_wr_flags {
    VB_WR_SIGNALED = 1u << 0,
    VB_WR_FENCE = 1u << 1,  /* start only after all earlier reads and invalidates of this QP are done */
    VB_WR_INLINE = 1u << 2, /* payload is copied during the post; SEND and WRITE only */
    VB_WR_SOLICITED = 1u << 3
};

struct vb_send_wr {
    struct vb_send_wr *next;
    uint64_t id;
    const struct vb_sge *sge; /* SEND, WRITE: source; READ: target */
    uint32_t sge_count;       /* 0 = zero-length message */
    uint8_t op;               /* enum vb_wr_op */
    uint8_t flags;            /* VB_WR_* */
    union {
        struct {
            uint64_t remote_addr;
            uint32_t rkey;
        } rdma; /* WRITE, READ */
        struct {
            struct vb_mw *mw;
            struct vb_mr *mr;     /* registered with VB_ACCESS_WINDOW, must outlive the binding */
            uint64_t addr, bytes; /* inside the MR; bytes >= 1 */
            uint32_t access;      /* VB_ACCESS_REMOTE_* */
        } bind;
        struct vb_mw *invalidate;
    } u;
};

struct vb_recv_wr {
    struct vb_recv_wr *next;
    uint64_t id;
    const struct vb_sge *sge;
    uint32_t sge_count;
};

/* Post a chain in order. VB_OK: all posted. Otherwise *bad (may be NULL to ignore) is the first that was not;
 * those before it were. Never blocks; two threads must not post to the same queue of one QP at the same time.
 * On real devices one call costs one doorbell, on Soft-RoCE one system call: chain what is ready.
 * VB_E_AGAIN: queue full; VB_E_STATE: QP not able to take it; VB_E_INVAL: bad request; VB_E_NOMEM. */
vb_status_t vb_post_send(struct vb_qp *qp, const struct vb_send_wr *wr, const struct vb_send_wr **bad);
vb_status_t vb_post_recv(struct vb_qp *qp, const struct vb_recv_wr *wr, const struct vb_recv_wr **bad);

/* ---- connections ---- */

/* One event source. All its events come from vb_cm_poll() and nothing else calls back. The thread that polls
 * a cm is also the only one that may destroy its connections and listeners (or nobody polls any more): that
 * is what makes "no event after destroy" true. */
vb_status_t vb_cm_create(struct vb_backend *be, struct vb_cm **out); /* control */
void vb_cm_destroy(struct vb_cm *cm);
pal_waitable vb_cm_waitable(struct vb_cm *cm);

enum vb_cm_event_kind {
    VB_CM_REQUEST,      /* conn: new, belongs to the caller; accept or reject, then (later) destroy it */
    VB_CM_ESTABLISHED,  /* active: peer accepted, its private data is here; passive: peer confirmed */
    VB_CM_REJECTED,     /* status VB_E_REJECTED or VB_E_NOSERVICE, private data if the peer sent some */
    VB_CM_FAILED,       /* connecting failed: status VB_E_UNREACH, VB_E_TIMEOUT, VB_E_NODEV, VB_E_NOMEM ... */
    VB_CM_DISCONNECTED, /* peer left, or our disconnect is done; may overtake completions: drain the CQ */
    VB_CM_WITHDRAWN,    /* a request that was not answered yet is void */
    VB_CM_DEV_GONE
};
#define VB_PRIVATE_DATA_MAX 256
struct vb_cm_event {
    enum vb_cm_event_kind kind;
    vb_status_t status;
    struct vb_conn *conn; /* the connection concerned */
    void *context;        /* REQUEST: the listener's; otherwise the connection's (vb_conn_set_context) */
    uint8_t data[VB_PRIVATE_DATA_MAX]; /* private data from the peer: hostile until decoded */
    uint16_t data_bytes; /* may exceed what the peer sent (padding with zeros is legal on the wire) */
    /* REQUEST, ESTABLISHED: read depths this side may use: in = towards us, out = from us */
    uint8_t read_in, read_out;
};
/* VB_OK: *ev filled; VB_E_AGAIN: none now; VB_E_FATAL: the source is broken. */
vb_status_t vb_cm_poll(struct vb_cm *cm, struct vb_cm_event *ev);

/* Listen on an address (any = all devices) and port. 0 = the system chooses, one that no application can come to own
 * in TCP, and so want for the SAN (4.4), while the listener lives. Control.
 * VB_E_ADDRINUSE, VB_E_ADDRNOTAVAIL, VB_E_NOMEM, VB_E_NODEV. */
vb_status_t vb_listen(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog, void *context,
                      struct vb_listener **out);
void vb_listener_addr(const struct vb_listener *l, struct vb_addr *out);
void vb_listener_destroy(struct vb_listener *l); /* requests already delivered by vb_cm_poll() stay valid */

/* The active half: bound to a local address of a device. The port is a wish: the backend may use another, and many
 * connections may share one (4.4). Control. */
vb_status_t vb_conn_create(struct vb_cm *cm, const struct vb_addr *local, void *context,
                           struct vb_conn **out);
/* Polling thread only; detaches from the QP, which is destroyed separately before. */
void vb_conn_destroy(struct vb_conn *conn);
/* Before the polling thread may see another event of it (for requests: while handling VB_CM_REQUEST). */
void vb_conn_set_context(struct vb_conn *conn, void *context);
void vb_conn_addrs(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote);

/* Tie a fresh QP to the connection and make it able to take receives (posted ones are kept for the
 * connection). Once per connection, before connect or accept. VB_E_RESET: the peer has withdrawn its request.
 * Control. */
vb_status_t vb_conn_bind_qp(struct vb_conn *conn, struct vb_qp *qp);

struct vb_conn_params {
    const void *data; /* private data, at most vb_caps.max_*_data bytes */
    uint16_t data_bytes;
    uint8_t read_in, read_out; /* wanted; the backend lowers them to what both ends and the device allow */
    uint32_t timeout_ms;       /* connect: for each of address and route resolution */
};
/* Start connecting; the outcome is exactly one ESTABLISHED, REJECTED, FAILED or DEV_GONE event, unless the
 * connection is destroyed first. Does not wait for the network. Control. */
vb_status_t vb_conn_connect(struct vb_conn *conn, const struct vb_addr *remote,
                            const struct vb_conn_params *p);
/* Accept a request. On VB_OK sends may be posted at once; ESTABLISHED, FAILED or DISCONNECTED follows. On
 * failure the caller rejects or destroys the connection. Control. */
vb_status_t vb_conn_accept(struct vb_conn *conn, const struct vb_conn_params *p);
vb_status_t vb_conn_reject(struct vb_conn *conn, const void *data, uint16_t data_bytes); /* control */
/* Begin an orderly end: what was sent and completed still arrives; a DISCONNECTED event follows (bounded by
 * the backend). The QP is stopped by this. Idempotent. Control. */
void vb_conn_disconnect(struct vb_conn *conn);

/* ---- why: sentences for a person ---- */

/* For tools and logs, off the data path; programs go by the status alone. What comes out is one sentence without its full
 * stop, printable ASCII, terminated, cut to `bytes`. Whatever a peer sent stands in it between quotes, bounded, and
 * escaped as vb_quote() does. Returns the length; 0: there is nothing to tell, or the backend cannot. Control. */
#define VB_TEXT_BYTES 320 /* enough for every sentence */

/* How the attempt to connect ended, or where it stands while it goes on: what refused it, what the peer sent instead of
 * what was due. Empty before connecting and once the connection stands. Polling thread. */
size_t vb_conn_text(const struct vb_conn *conn, char *out, size_t bytes);
/* How many have come to this listener and were turned away without a VB_CM_REQUEST, and what the last one sent. Empty
 * when there was none. Any thread. */
size_t vb_listener_text(const struct vb_listener *l, char *out, size_t bytes);
/* Why listening at, or opening a device by, this local address failed with `st`, and what to do. */
size_t vb_local_text(struct vb_backend *be, const struct vb_addr *local, vb_status_t st, char *out,
                     size_t bytes);
/* Bytes of a peer, between quotes: printable ones as they are, but for \" and \\; others as \xNN. Behind the closing quote
 * "..." when not all of them fit. */
size_t vb_quote(const void *data, size_t data_bytes, char *out, size_t bytes);

#endif
