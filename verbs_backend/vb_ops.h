/* vb_ops.h - what a backend implements.
 *
 * Layer:    inside verbs_backend: vb_core.c, the backends and the hooks.
 *
 * Shape:    every object of every backend starts with struct vb_head, so dispatch is one indirect call.
 *           vb_core.c checks arguments and sets the head of every object a backend returns, to the table of
 *           the object it came from (the connection of a VB_CM_REQUEST: of the cm). A hook (hook/) wraps a
 *           backend by giving it another table; no handle is ever wrapped.
 *
 * Contract: of each operation: the comment of the vb_ function of the same name in vb/vb.h; here only what
 *           differs for implementers. */
#ifndef VB_OPS_H
#define VB_OPS_H

#include "pal/atomic.h"
#include "vb/vb.h"

/* First member of struct vb_backend, vb_dev, vb_pd, vb_cq, vb_qp, vb_mr, vb_mw, vb_cm, vb_conn and
 * vb_listener of every backend. Backends leave it alone. Atomic because two opens may give the same device,
 * so two threads may store the same value. */
struct vb_head {
    /* Written through vb_head_set(), by vb_core.c and by a hook that keeps an object back. */
    _Atomic(const struct vb_ops *) ops;
};

static inline const struct vb_ops *vb_ops_of(const void *object)
{
    /* relaxed: who hands a handle to another thread orders that; the table itself never changes */
    return pal_load_relaxed(&((struct vb_head *)object)->ops);
}

static inline void vb_head_set(void *object, const struct vb_ops *ops)
{
    pal_store_relaxed(&((struct vb_head *)object)->ops, ops);
}

/* A table may leave operations NULL: vb_register_backend() copies it and fills them with vb_unsupported_ops,
 * except name, open and close, which it must have. Out-parameters are written on VB_OK only. */
struct vb_ops {
    const char *name;
    /* Must fail with VB_E_NODEV and a reason in why[] when there is nothing to serve. */
    vb_status_t (*open)(struct vb_backend **out, char *why, size_t why_bytes);
    void (*close)(struct vb_backend *be);
    vb_status_t (*addr_list)(struct vb_backend *be, struct vb_addr *out, uint32_t *count);
    vb_status_t (*route)(struct vb_backend *be, const struct vb_addr *remote, struct vb_addr *out_local);
    vb_status_t (*async_poll)(struct vb_backend *be, struct vb_async_event *ev);
    pal_waitable (*async_waitable)(struct vb_backend *be);

    vb_status_t (*dev_open)(struct vb_backend *be, const struct vb_addr *local, struct vb_dev **out);
    void (*dev_close)(struct vb_dev *dev);
    void (*dev_caps)(const struct vb_dev *dev, struct vb_caps *out);
    bool (*dev_owns)(struct vb_dev *dev, const struct vb_addr *local);

    vb_status_t (*pd_create)(struct vb_dev *dev, struct vb_pd **out);
    void (*pd_destroy)(struct vb_pd *pd);
    vb_status_t (*mr_reg)(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out);
    void (*mr_dereg)(struct vb_mr *mr);
    uint32_t (*mr_lkey)(const struct vb_mr *mr);
    uint32_t (*mr_rkey)(const struct vb_mr *mr);
    vb_status_t (*mw_alloc)(struct vb_pd *pd, struct vb_mw **out);
    void (*mw_free)(struct vb_mw *mw);
    uint32_t (*mw_rkey)(const struct vb_mw *mw);

    vb_status_t (*cq_create)(struct vb_dev *dev, uint32_t depth, struct vb_cq **out);
    void (*cq_destroy)(struct vb_cq *cq);
    unsigned (*cq_poll)(struct vb_cq *cq, struct vb_wc *wc, unsigned max);
    vb_status_t (*cq_arm)(struct vb_cq *cq);
    pal_waitable (*cq_waitable)(struct vb_cq *cq);
    unsigned (*cq_ack)(struct vb_cq *cq);

    vb_status_t (*qp_create)(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                             struct vb_qp_caps *caps, void *context, struct vb_qp **out);
    void (*qp_destroy)(struct vb_qp *qp);
    void (*qp_stop)(struct vb_qp *qp);
    uint32_t (*qp_number)(const struct vb_qp *qp);
    vb_status_t (*post_send)(struct vb_qp *qp, const struct vb_send_wr *wr, const struct vb_send_wr **bad);
    vb_status_t (*post_recv)(struct vb_qp *qp, const struct vb_recv_wr *wr, const struct vb_recv_wr **bad);

    vb_status_t (*cm_create)(struct vb_backend *be, struct vb_cm **out);
    void (*cm_destroy)(struct vb_cm *cm);
    pal_waitable (*cm_waitable)(struct vb_cm *cm);
    vb_status_t (*cm_poll)(struct vb_cm *cm, struct vb_cm_event *ev);
    vb_status_t (*listen)(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog, void *context,
                          struct vb_listener **out);
    void (*listener_addr)(const struct vb_listener *l, struct vb_addr *out);
    void (*listener_destroy)(struct vb_listener *l);
    vb_status_t (*conn_create)(struct vb_cm *cm, const struct vb_addr *local, void *context,
                               struct vb_conn **out);
    void (*conn_destroy)(struct vb_conn *conn);
    void (*conn_set_context)(struct vb_conn *conn, void *context);
    void (*conn_addrs)(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote);
    vb_status_t (*conn_bind_qp)(struct vb_conn *conn, struct vb_qp *qp);
    vb_status_t (*conn_connect)(struct vb_conn *conn, const struct vb_addr *remote,
                                const struct vb_conn_params *p);
    vb_status_t (*conn_accept)(struct vb_conn *conn, const struct vb_conn_params *p);
    vb_status_t (*conn_reject)(struct vb_conn *conn, const void *data, uint16_t data_bytes);
    void (*conn_disconnect)(struct vb_conn *conn);
    /* bytes > 0; out is an empty string before, and made printable behind. What is told was noted when it happened,
     * without allocation; it becomes a sentence here. */
    void (*conn_text)(const struct vb_conn *conn, char *out, size_t bytes);
    void (*listener_text)(const struct vb_listener *l, char *out, size_t bytes);
};

/* Make a text that may hold anything printable: bytes > 0, `text` ends within them or is cut. Returns its length. */
size_t vb_text_clean(char *text, size_t bytes); /* vb_text.c */

/* Defaults for what a backend lacks (vb_core.c): VB_E_NOTSUP, nothing there, nothing to wait on. */
extern const struct vb_ops vb_unsupported_ops;

/* A hook: one table per open, put around the table of the backend or of the hook before it. Every operation
 * of it must go on to `inner`. The head of each object names the outermost table, so a hook finds its own
 * table by walking inwards. */
struct vb_hook_table {
    struct vb_ops ops; /* ops.name stays the backend's name */
    const struct vb_hook *hook;
    const struct vb_ops *inner;
};

struct vb_hook {
    const char *name;
    /* arg is the text after '=' or NULL. VB_E_INVAL with a reason in why[] for a bad argument. Each hook at
     * most once per open. */
    vb_status_t (*wrap)(const struct vb_ops *inner, const char *arg, struct vb_hook_table **out, char *why,
                        size_t why_bytes);
    /* After close of the backend, or when open failed: give the table back. */
    void (*unwrap)(struct vb_hook_table *table);
};

static inline struct vb_hook_table *vb_hook_find(const struct vb_ops *outermost, const struct vb_hook *hook)
{
    struct vb_hook_table *t = (struct vb_hook_table *)outermost;
    while (t->hook != hook)
        t = (struct vb_hook_table *)t->inner;
    return t;
}

/* Outermost table of the vb_open() that this thread is in: the open operation has no object yet to find its
 * table by. */
const struct vb_ops *vb_opening_ops(void);

extern const struct vb_hook vb_hook_trace; /* hook/hook_trace.c */
extern const struct vb_hook vb_hook_fault; /* hook/hook_fault.c */

extern const struct vb_ops vb_rdmacore_ops;  /* rdmacore/ */
extern const struct vb_ops vb_softiwarp_ops; /* softiwarp/ */

#endif
