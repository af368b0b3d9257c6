/* bench_raw.h - private to bench_raw*.c: the verbs backend alone behind the endpoint table.
 * Layer:   bench, over vb/vb.h. Split: bench_raw.c carries data, bench_raw_conn.c makes and ends connections.
 * Shape:   like perftest: one CQ for each direction, work requests built once, one post per message, buffers
 *          registered once. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include "bench_ep.h"

enum { RAW_REQUESTS_MAX = 64, RAW_POLL_BATCH = 16 };

struct raw_tx {
    struct vb_send_wr wr;
    struct vb_sge sge;
    uint64_t seq; /* of the operation in this slot */
};

struct raw_rx {
    struct vb_recv_wr wr;
    struct vb_sge sge;
    uint32_t bytes;
    bool is_done;
};

struct raw_layer {
    struct bench_error *err;
    struct bench_control *control;
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_cm *cm;
    struct vb_listener *listener;
    struct vb_cq *bare_cq; /* of all connections that carry nothing */
    struct vb_addr local;  /* port 0 */
    struct vb_caps caps;
    struct bench_device device;                 /* which backend and why */
    struct vb_conn *requests[RAW_REQUESTS_MAX]; /* not answered yet, oldest first */
    unsigned request_count;
};

struct raw_ep {
    struct bench_ep ep;  /* first: the loops see only this */
    struct raw_ep *next; /* of the bare ones in serve_connects */
    struct raw_layer *layer;
    struct vb_conn *conn;
    struct vb_qp *qp;
    struct vb_cq *send_cq, *recv_cq; /* NULL on bare connections */
    struct vb_mr *rx_mr, *tx_mr, *window_mr;
    struct raw_tx *tx;
    struct raw_rx *rx;
    uint32_t rx_posted; /* receives now in the queue */
    uint32_t inline_bytes;
    uint64_t remote_addr;
    uint32_t remote_rkey;
    uint64_t tx_posted, tx_done; /* sequence numbers: below tx_done everything is over */
    /* reg */
    struct vb_mw *cycle_mw; /* reg: the window, and what it lies over; nothing is ever transferred there */
    struct vb_mr *cycle_mr;
    void *cycle_memory;
    uint32_t cycle_bytes;
    /* connection events */
    bool is_established, is_refused, is_disconnected;
    vb_status_t why;
};

extern const struct bench_ep_ops raw_ep_ops;

/* Memory, queues, work requests; the receives are posted by raw_post_all_receives() once the QP can take
 * them. */
bool raw_ep_create(struct raw_layer *l, const struct bench_ep_config *c, struct raw_ep **out);
bool raw_post_all_receives(struct raw_ep *r);
void raw_ep_destroy(struct raw_ep *r); /* without saying good-bye */

/* bench_raw_conn.c: disconnect, wait for the end (bounded), destroy. */
void raw_ep_close(struct bench_ep *ep);

#endif
