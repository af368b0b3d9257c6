/* vb_core.c - the calls of vb.h: argument checks that cost nothing, dispatch through the head of the object,
 * and what a backend answers that lacks an operation. Owns the rule "every object a backend returns carries
 * the table of the object it came from". Work requests are not looked into here: only the backend can post
 * the good part of a chain and point at the bad one. */
#include <string.h>

#include "vb_ops.h"

#define MR_ACCESS_ALL                                                                                        \
    (VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE | VB_ACCESS_WINDOW)

static bool is_ip(const struct vb_addr *a)
{
    return a && (a->family == VB_AF_IPV4 || a->family == VB_AF_IPV6);
}

static bool is_place(const struct vb_addr *a)
{
    return is_ip(a) && !vb_addr_is_any(a);
}

/* Keep of st and what the backend wrote: success without an object would be a crash far from its cause. */
static vb_status_t adopt(vb_status_t st, void *object, const struct vb_ops *ops)
{
    if (st != VB_OK)
        return st;
    if (!object)
        return VB_E_FATAL;
    vb_head_set(object, ops);
    return VB_OK;
}

/* ---- backend and device ---- */

const char *vb_name(const struct vb_backend *be)
{
    return be ? vb_ops_of(be)->name : "";
}

vb_status_t vb_addr_list(struct vb_backend *be, struct vb_addr *out, uint32_t *count)
{
    if (!be || !count || (!out && *count > 0))
        return VB_E_INVAL;
    return vb_ops_of(be)->addr_list(be, out, count);
}

vb_status_t vb_route(struct vb_backend *be, const struct vb_addr *remote, struct vb_addr *out_local)
{
    if (!be || !is_place(remote) || !out_local)
        return VB_E_INVAL;
    return vb_ops_of(be)->route(be, remote, out_local);
}

vb_status_t vb_async_poll(struct vb_backend *be, struct vb_async_event *ev)
{
    if (!be || !ev)
        return VB_E_INVAL;
    return vb_ops_of(be)->async_poll(be, ev);
}

pal_waitable vb_async_waitable(struct vb_backend *be)
{
    return be ? vb_ops_of(be)->async_waitable(be) : PAL_WAITABLE_NONE;
}

vb_status_t vb_dev_open(struct vb_backend *be, const struct vb_addr *local, struct vb_dev **out)
{
    struct vb_dev *dev = NULL;
    if (!be || !is_ip(local) || !out)
        return VB_E_INVAL;
    const struct vb_ops *ops = vb_ops_of(be);
    vb_status_t st = ops->dev_open(be, local, &dev);
    st = adopt(st, dev, ops);
    if (st == VB_OK)
        *out = dev;
    return st;
}

void vb_dev_close(struct vb_dev *dev)
{
    if (dev)
        vb_ops_of(dev)->dev_close(dev);
}

void vb_dev_caps(const struct vb_dev *dev, struct vb_caps *out)
{
    if (!out)
        return;
    memset(out, 0, sizeof *out);
    if (dev)
        vb_ops_of(dev)->dev_caps(dev, out);
}

bool vb_dev_owns(struct vb_dev *dev, const struct vb_addr *local)
{
    return dev && is_place(local) && vb_ops_of(dev)->dev_owns(dev, local);
}

/* ---- memory ---- */

vb_status_t vb_pd_create(struct vb_dev *dev, struct vb_pd **out)
{
    struct vb_pd *pd = NULL;
    if (!dev || !out)
        return VB_E_INVAL;
    const struct vb_ops *ops = vb_ops_of(dev);
    vb_status_t st = ops->pd_create(dev, &pd);
    st = adopt(st, pd, ops);
    if (st == VB_OK)
        *out = pd;
    return st;
}

void vb_pd_destroy(struct vb_pd *pd)
{
    if (pd)
        vb_ops_of(pd)->pd_destroy(pd);
}

vb_status_t vb_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out)
{
    struct vb_mr *mr = NULL;
    if (!pd || !out || bytes == 0 || bytes - 1 > UINTPTR_MAX - (uintptr_t)addr ||
        (access & ~MR_ACCESS_ALL) != 0)
        return VB_E_INVAL;
    if ((access & VB_ACCESS_REMOTE_WRITE) && !(access & VB_ACCESS_LOCAL_WRITE))
        return VB_E_INVAL;
    if (!addr)
        return VB_E_FAULT;
    const struct vb_ops *ops = vb_ops_of(pd);
    vb_status_t st = ops->mr_reg(pd, addr, bytes, access, &mr);
    st = adopt(st, mr, ops);
    if (st == VB_OK)
        *out = mr;
    return st;
}

void vb_mr_dereg(struct vb_mr *mr)
{
    if (mr)
        vb_ops_of(mr)->mr_dereg(mr);
}

uint32_t vb_mr_lkey(const struct vb_mr *mr)
{
    return vb_ops_of(mr)->mr_lkey(mr);
}

uint32_t vb_mr_rkey(const struct vb_mr *mr)
{
    return vb_ops_of(mr)->mr_rkey(mr);
}

vb_status_t vb_mw_alloc(struct vb_pd *pd, struct vb_mw **out)
{
    struct vb_mw *mw = NULL;
    if (!pd || !out)
        return VB_E_INVAL;
    const struct vb_ops *ops = vb_ops_of(pd);
    vb_status_t st = ops->mw_alloc(pd, &mw);
    st = adopt(st, mw, ops);
    if (st == VB_OK)
        *out = mw;
    return st;
}

void vb_mw_free(struct vb_mw *mw)
{
    if (mw)
        vb_ops_of(mw)->mw_free(mw);
}

uint32_t vb_mw_rkey(const struct vb_mw *mw)
{
    return vb_ops_of(mw)->mw_rkey(mw);
}

/* ---- completion queues ---- */

vb_status_t vb_cq_create(struct vb_dev *dev, uint32_t depth, struct vb_cq **out)
{
    struct vb_cq *cq = NULL;
    if (!dev || depth == 0 || !out)
        return VB_E_INVAL;
    const struct vb_ops *ops = vb_ops_of(dev);
    vb_status_t st = ops->cq_create(dev, depth, &cq);
    st = adopt(st, cq, ops);
    if (st == VB_OK)
        *out = cq;
    return st;
}

void vb_cq_destroy(struct vb_cq *cq)
{
    if (cq)
        vb_ops_of(cq)->cq_destroy(cq);
}

unsigned vb_cq_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max)
{
    if (!cq || !wc || max == 0)
        return 0;
    return vb_ops_of(cq)->cq_poll(cq, wc, max);
}

vb_status_t vb_cq_arm(struct vb_cq *cq)
{
    return cq ? vb_ops_of(cq)->cq_arm(cq) : VB_E_INVAL;
}

pal_waitable vb_cq_waitable(struct vb_cq *cq)
{
    return cq ? vb_ops_of(cq)->cq_waitable(cq) : PAL_WAITABLE_NONE;
}

unsigned vb_cq_ack(struct vb_cq *cq)
{
    return cq ? vb_ops_of(cq)->cq_ack(cq) : 0;
}

/* ---- queue pairs ---- */

vb_status_t vb_qp_create(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                         struct vb_qp_caps *caps, void *context, struct vb_qp **out)
{
    struct vb_qp *qp = NULL;
    if (!pd || !send_cq || !recv_cq || !caps || !out || (caps->send_wr == 0 && caps->recv_wr == 0))
        return VB_E_INVAL;
    const struct vb_ops *ops = vb_ops_of(pd);
    if (vb_ops_of(send_cq) != ops || vb_ops_of(recv_cq) != ops) /* objects of two backends */
        return VB_E_INVAL;
    vb_status_t st = ops->qp_create(pd, send_cq, recv_cq, caps, context, &qp);
    st = adopt(st, qp, ops);
    if (st == VB_OK)
        *out = qp;
    return st;
}

void vb_qp_destroy(struct vb_qp *qp)
{
    if (qp)
        vb_ops_of(qp)->qp_destroy(qp);
}

void vb_qp_stop(struct vb_qp *qp)
{
    if (qp)
        vb_ops_of(qp)->qp_stop(qp);
}

uint32_t vb_qp_number(const struct vb_qp *qp)
{
    return qp ? vb_ops_of(qp)->qp_number(qp) : 0;
}

vb_status_t vb_post_send(struct vb_qp *qp, const struct vb_send_wr *wr, const struct vb_send_wr **bad)
{
    const struct vb_send_wr *ignored;
    if (!bad)
        bad = &ignored; /* backends and hooks may always write it */
    *bad = wr;
    if (!qp || !wr)
        return VB_E_INVAL;
    return vb_ops_of(qp)->post_send(qp, wr, bad);
}

vb_status_t vb_post_recv(struct vb_qp *qp, const struct vb_recv_wr *wr, const struct vb_recv_wr **bad)
{
    const struct vb_recv_wr *ignored;
    if (!bad)
        bad = &ignored;
    *bad = wr;
    if (!qp || !wr)
        return VB_E_INVAL;
    return vb_ops_of(qp)->post_recv(qp, wr, bad);
}

/* ---- connections ---- */

vb_status_t vb_cm_create(struct vb_backend *be, struct vb_cm **out)
{
    struct vb_cm *cm = NULL;
    if (!be || !out)
        return VB_E_INVAL;
    const struct vb_ops *ops = vb_ops_of(be);
    vb_status_t st = ops->cm_create(be, &cm);
    st = adopt(st, cm, ops);
    if (st == VB_OK)
        *out = cm;
    return st;
}

void vb_cm_destroy(struct vb_cm *cm)
{
    if (cm)
        vb_ops_of(cm)->cm_destroy(cm);
}

pal_waitable vb_cm_waitable(struct vb_cm *cm)
{
    return cm ? vb_ops_of(cm)->cm_waitable(cm) : PAL_WAITABLE_NONE;
}

vb_status_t vb_cm_poll(struct vb_cm *cm, struct vb_cm_event *ev)
{
    if (!cm || !ev)
        return VB_E_INVAL;
    const struct vb_ops *ops = vb_ops_of(cm);
    vb_status_t st = ops->cm_poll(cm, ev);
    if (st == VB_OK && ev->kind == VB_CM_REQUEST)
        st = adopt(st, ev->conn, ops);
    return st;
}

vb_status_t vb_listen(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog, void *context,
                      struct vb_listener **out)
{
    struct vb_listener *l = NULL;
    if (!cm || !is_ip(local) || !out)
        return VB_E_INVAL;
    const struct vb_ops *ops = vb_ops_of(cm);
    vb_status_t st = ops->listen(cm, local, backlog, context, &l);
    st = adopt(st, l, ops);
    if (st == VB_OK)
        *out = l;
    return st;
}

void vb_listener_addr(const struct vb_listener *l, struct vb_addr *out)
{
    if (!out)
        return;
    memset(out, 0, sizeof *out);
    if (l)
        vb_ops_of(l)->listener_addr(l, out);
}

void vb_listener_destroy(struct vb_listener *l)
{
    if (l)
        vb_ops_of(l)->listener_destroy(l);
}

vb_status_t vb_conn_create(struct vb_cm *cm, const struct vb_addr *local, void *context, struct vb_conn **out)
{
    struct vb_conn *conn = NULL;
    if (!cm || !is_place(local) || !out)
        return VB_E_INVAL;
    const struct vb_ops *ops = vb_ops_of(cm);
    vb_status_t st = ops->conn_create(cm, local, context, &conn);
    st = adopt(st, conn, ops);
    if (st == VB_OK)
        *out = conn;
    return st;
}

void vb_conn_destroy(struct vb_conn *conn)
{
    if (conn)
        vb_ops_of(conn)->conn_destroy(conn);
}

void vb_conn_set_context(struct vb_conn *conn, void *context)
{
    if (conn)
        vb_ops_of(conn)->conn_set_context(conn, context);
}

void vb_conn_addrs(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote)
{
    struct vb_addr ignored;
    if (!local)
        local = &ignored;
    if (!remote)
        remote = &ignored;
    memset(local, 0, sizeof *local);
    memset(remote, 0, sizeof *remote);
    if (conn)
        vb_ops_of(conn)->conn_addrs(conn, local, remote);
}

vb_status_t vb_conn_bind_qp(struct vb_conn *conn, struct vb_qp *qp)
{
    if (!conn || !qp || vb_ops_of(conn) != vb_ops_of(qp))
        return VB_E_INVAL;
    return vb_ops_of(conn)->conn_bind_qp(conn, qp);
}

static bool is_private_data(const void *data, uint16_t data_bytes)
{
    return data_bytes <= VB_PRIVATE_DATA_MAX && (data || data_bytes == 0);
}

vb_status_t vb_conn_connect(struct vb_conn *conn, const struct vb_addr *remote,
                            const struct vb_conn_params *p)
{
    if (!conn || !is_place(remote) || remote->port == 0 || !p || !is_private_data(p->data, p->data_bytes))
        return VB_E_INVAL;
    return vb_ops_of(conn)->conn_connect(conn, remote, p);
}

vb_status_t vb_conn_accept(struct vb_conn *conn, const struct vb_conn_params *p)
{
    if (!conn || !p || !is_private_data(p->data, p->data_bytes))
        return VB_E_INVAL;
    return vb_ops_of(conn)->conn_accept(conn, p);
}

vb_status_t vb_conn_reject(struct vb_conn *conn, const void *data, uint16_t data_bytes)
{
    if (!conn || !is_private_data(data, data_bytes))
        return VB_E_INVAL;
    return vb_ops_of(conn)->conn_reject(conn, data, data_bytes);
}

void vb_conn_disconnect(struct vb_conn *conn)
{
    if (conn)
        vb_ops_of(conn)->conn_disconnect(conn);
}

/* ---- why ---- */

size_t vb_conn_text(const struct vb_conn *conn, char *out, size_t bytes)
{
    if (!out || bytes == 0)
        return 0;
    out[0] = 0;
    if (conn)
        vb_ops_of(conn)->conn_text(conn, out, bytes);
    return vb_text_clean(out, bytes);
}

size_t vb_listener_text(const struct vb_listener *l, char *out, size_t bytes)
{
    if (!out || bytes == 0)
        return 0;
    out[0] = 0;
    if (l)
        vb_ops_of(l)->listener_text(l, out, bytes);
    return vb_text_clean(out, bytes);
}

/* ---- what a backend answers that lacks an operation ---- */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* they have parameters only to fit the table */

static vb_status_t no_addr_list(struct vb_backend *be, struct vb_addr *out, uint32_t *count)
{
    return VB_E_NOTSUP;
}

static vb_status_t no_route(struct vb_backend *be, const struct vb_addr *remote, struct vb_addr *out_local)
{
    return VB_E_NOTSUP;
}

static vb_status_t no_async_poll(struct vb_backend *be, struct vb_async_event *ev)
{
    return VB_E_AGAIN;
}

static pal_waitable no_async_waitable(struct vb_backend *be)
{
    return PAL_WAITABLE_NONE;
}

static vb_status_t no_dev_open(struct vb_backend *be, const struct vb_addr *local, struct vb_dev **out)
{
    return VB_E_NOTSUP;
}

static void no_dev_close(struct vb_dev *dev)
{
}

static void no_dev_caps(const struct vb_dev *dev, struct vb_caps *out)
{
}

static bool no_dev_owns(struct vb_dev *dev, const struct vb_addr *local)
{
    return false;
}

static vb_status_t no_pd_create(struct vb_dev *dev, struct vb_pd **out)
{
    return VB_E_NOTSUP;
}

static void no_pd_destroy(struct vb_pd *pd)
{
}

static vb_status_t no_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out)
{
    return VB_E_NOTSUP;
}

static void no_mr_dereg(struct vb_mr *mr)
{
}

static uint32_t no_mr_lkey(const struct vb_mr *mr)
{
    return 0;
}

static uint32_t no_mr_rkey(const struct vb_mr *mr)
{
    return 0;
}

static vb_status_t no_mw_alloc(struct vb_pd *pd, struct vb_mw **out)
{
    return VB_E_NOTSUP;
}

static void no_mw_free(struct vb_mw *mw)
{
}

static uint32_t no_mw_rkey(const struct vb_mw *mw)
{
    return 0;
}

static vb_status_t no_cq_create(struct vb_dev *dev, uint32_t depth, struct vb_cq **out)
{
    return VB_E_NOTSUP;
}

static void no_cq_destroy(struct vb_cq *cq)
{
}

static unsigned no_cq_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max)
{
    return 0;
}

static vb_status_t no_cq_arm(struct vb_cq *cq)
{
    return VB_E_NOTSUP;
}

static pal_waitable no_cq_waitable(struct vb_cq *cq)
{
    return PAL_WAITABLE_NONE;
}

static unsigned no_cq_ack(struct vb_cq *cq)
{
    return 0;
}

static vb_status_t no_qp_create(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                                struct vb_qp_caps *caps, void *context, struct vb_qp **out)
{
    return VB_E_NOTSUP;
}

static void no_qp_destroy(struct vb_qp *qp)
{
}

static void no_qp_stop(struct vb_qp *qp)
{
}

static uint32_t no_qp_number(const struct vb_qp *qp)
{
    return 0;
}

static vb_status_t no_post_send(struct vb_qp *qp, const struct vb_send_wr *wr, const struct vb_send_wr **bad)
{
    return VB_E_NOTSUP;
}

static vb_status_t no_post_recv(struct vb_qp *qp, const struct vb_recv_wr *wr, const struct vb_recv_wr **bad)
{
    return VB_E_NOTSUP;
}

static vb_status_t no_cm_create(struct vb_backend *be, struct vb_cm **out)
{
    return VB_E_NOTSUP;
}

static void no_cm_destroy(struct vb_cm *cm)
{
}

static pal_waitable no_cm_waitable(struct vb_cm *cm)
{
    return PAL_WAITABLE_NONE;
}

static vb_status_t no_cm_poll(struct vb_cm *cm, struct vb_cm_event *ev)
{
    return VB_E_AGAIN;
}

static vb_status_t no_listen(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog, void *context,
                             struct vb_listener **out)
{
    return VB_E_NOTSUP;
}

static void no_listener_addr(const struct vb_listener *l, struct vb_addr *out)
{
}

static void no_listener_destroy(struct vb_listener *l)
{
}

static vb_status_t no_conn_create(struct vb_cm *cm, const struct vb_addr *local, void *context,
                                  struct vb_conn **out)
{
    return VB_E_NOTSUP;
}

static void no_conn_destroy(struct vb_conn *conn)
{
}

static void no_conn_set_context(struct vb_conn *conn, void *context)
{
}

static void no_conn_addrs(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote)
{
}

static vb_status_t no_conn_bind_qp(struct vb_conn *conn, struct vb_qp *qp)
{
    return VB_E_NOTSUP;
}

static vb_status_t no_conn_connect(struct vb_conn *conn, const struct vb_addr *remote,
                                   const struct vb_conn_params *p)
{
    return VB_E_NOTSUP;
}

static vb_status_t no_conn_accept(struct vb_conn *conn, const struct vb_conn_params *p)
{
    return VB_E_NOTSUP;
}

static vb_status_t no_conn_reject(struct vb_conn *conn, const void *data, uint16_t data_bytes)
{
    return VB_E_NOTSUP;
}

static void no_conn_disconnect(struct vb_conn *conn)
{
}

static void no_conn_text(const struct vb_conn *conn, char *out, size_t bytes)
{
}

static void no_listener_text(const struct vb_listener *l, char *out, size_t bytes)
{
}

#pragma GCC diagnostic pop

/* Positional on purpose: with -Wmissing-field-initializers a new operation breaks this table until it has a
 * default. open and close have none: registration insists on them. */
/* clang-format off */
const struct vb_ops vb_unsupported_ops = {
    "unsupported",
    NULL, NULL, no_addr_list, no_route, no_async_poll, no_async_waitable, no_dev_open, no_dev_close,
    no_dev_caps, no_dev_owns, no_pd_create, no_pd_destroy, no_mr_reg, no_mr_dereg, no_mr_lkey, no_mr_rkey,
    no_mw_alloc, no_mw_free, no_mw_rkey, no_cq_create, no_cq_destroy, no_cq_poll, no_cq_arm, no_cq_waitable,
    no_cq_ack, no_qp_create, no_qp_destroy, no_qp_stop, no_qp_number, no_post_send, no_post_recv,
    no_cm_create, no_cm_destroy, no_cm_waitable, no_cm_poll, no_listen, no_listener_addr,
    no_listener_destroy, no_conn_create, no_conn_destroy, no_conn_set_context, no_conn_addrs,
    no_conn_bind_qp, no_conn_connect, no_conn_accept, no_conn_reject, no_conn_disconnect,
    no_conn_text, no_listener_text
};
/* clang-format on */
