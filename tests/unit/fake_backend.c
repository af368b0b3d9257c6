/* fake_backend.c - see fake_backend.h. */
#include "fake_backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pal/wait.h"

#define QUEUE 256

struct vb_backend {
    struct vb_head head;
};
struct vb_dev {
    struct vb_head head;
};
struct vb_pd {
    struct vb_head head;
};
struct vb_mr {
    struct vb_head head;
};
struct vb_mw {
    struct vb_head head;
};
struct vb_cq {
    struct vb_head head;
    struct pal_wakeup *wakeup;
    bool is_armed;
    unsigned count, signals;
    struct vb_wc queue[QUEUE];
};
struct vb_qp {
    struct vb_head head;
};
struct vb_listener {
    struct vb_head head;
};
struct vb_conn {
    struct vb_head head;
};
struct vb_cm {
    struct vb_head head;
    struct pal_wakeup *wakeup;
    unsigned count;
    struct vb_cm_event queue[QUEUE];
};

struct fake_record fake;

void fake_reset(void)
{
    memset(&fake, 0, sizeof fake);
}

static void note(const char *op, const void *object)
{
    fake.last_op = op;
    fake.last_object = object;
    fake.calls++;
}

static vb_status_t result(void)
{
    vb_status_t st = fake.next_status;
    fake.next_status = VB_OK;
    return st;
}

/* An object of the asked size, or NULL with *st saying why. */
static void *make(size_t bytes, vb_status_t *st)
{
    *st = result();
    void *object = *st == VB_OK ? calloc(1, bytes) : NULL;
    if (object)
        fake.objects_alive++;
    return object;
}

static void unmake(void *object)
{
    fake.objects_alive--;
    free(object);
}

#define MAKE(op, from, out)                                                                                  \
    do {                                                                                                     \
        vb_status_t st_;                                                                                     \
        note(op, from);                                                                                      \
        void *made_ = make(sizeof **(out), &st_);                                                            \
        if (st_ == VB_OK)                                                                                    \
            *(out) = made_;                                                                                  \
        return st_;                                                                                          \
    } while (0)

static vb_status_t fake_open(struct vb_backend **out, char *why, size_t why_bytes)
{
    (void)why;
    (void)why_bytes;
    MAKE("open", NULL, out);
}

static void fake_close(struct vb_backend *be)
{
    note("close", be);
    unmake(be);
}

static vb_status_t fake_addr_list(struct vb_backend *be, struct vb_addr *out, uint32_t *count)
{
    note("addr_list", be);
    if (*count < 1) {
        *count = 1;
        return VB_E_AGAIN;
    }
    vb_addr_parse("192.0.2.1", out);
    *count = 1;
    return result();
}

static vb_status_t fake_route(struct vb_backend *be, const struct vb_addr *remote, struct vb_addr *out_local)
{
    note("route", be);
    *out_local = *remote;
    return result();
}

static vb_status_t fake_async_poll(struct vb_backend *be, struct vb_async_event *ev)
{
    note("async_poll", be);
    memset(ev, 0, sizeof *ev);
    return fake.next_status == VB_OK ? VB_E_AGAIN : result();
}

static pal_waitable fake_async_waitable(struct vb_backend *be)
{
    note("async_waitable", be);
    return PAL_WAITABLE_NONE;
}

static vb_status_t fake_dev_open(struct vb_backend *be, const struct vb_addr *local, struct vb_dev **out)
{
    (void)local;
    MAKE("dev_open", be, out);
}

static void fake_dev_close(struct vb_dev *dev)
{
    note("dev_close", dev);
    unmake(dev);
}

static void fake_dev_caps(const struct vb_dev *dev, struct vb_caps *out)
{
    note("dev_caps", dev);
    out->max_sge = 4;
}

static bool fake_dev_owns(struct vb_dev *dev, const struct vb_addr *local)
{
    (void)local;
    note("dev_owns", dev);
    return true;
}

static vb_status_t fake_pd_create(struct vb_dev *dev, struct vb_pd **out)
{
    MAKE("pd_create", dev, out);
}

static void fake_pd_destroy(struct vb_pd *pd)
{
    note("pd_destroy", pd);
    unmake(pd);
}

static vb_status_t fake_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access,
                               struct vb_mr **out)
{
    (void)addr;
    (void)bytes;
    (void)access;
    MAKE("mr_reg", pd, out);
}

static void fake_mr_dereg(struct vb_mr *mr)
{
    note("mr_dereg", mr);
    unmake(mr);
}

static uint32_t fake_mr_lkey(const struct vb_mr *mr)
{
    note("mr_lkey", mr);
    return 11;
}

static uint32_t fake_mr_rkey(const struct vb_mr *mr)
{
    note("mr_rkey", mr);
    return 12;
}

static vb_status_t fake_mw_alloc(struct vb_pd *pd, struct vb_mw **out)
{
    MAKE("mw_alloc", pd, out);
}

static void fake_mw_free(struct vb_mw *mw)
{
    note("mw_free", mw);
    unmake(mw);
}

static uint32_t fake_mw_rkey(const struct vb_mw *mw)
{
    note("mw_rkey", mw);
    return 13;
}

static vb_status_t fake_cq_create(struct vb_dev *dev, uint32_t depth, struct vb_cq **out)
{
    vb_status_t st;
    (void)depth;
    note("cq_create", dev);
    struct vb_cq *cq = make(sizeof *cq, &st);
    if (st != VB_OK)
        return st;
    cq->wakeup = pal_wakeup_create();
    *out = cq;
    return VB_OK;
}

static void fake_cq_destroy(struct vb_cq *cq)
{
    note("cq_destroy", cq);
    pal_wakeup_destroy(cq->wakeup);
    unmake(cq);
}

static unsigned fake_cq_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max)
{
    note("cq_poll", cq);
    unsigned n = cq->count < max ? cq->count : max;
    memcpy(wc, cq->queue, n * sizeof wc[0]);
    memmove(cq->queue, cq->queue + n, (cq->count - n) * sizeof wc[0]);
    cq->count -= n;
    return n;
}

static vb_status_t fake_cq_arm(struct vb_cq *cq)
{
    note("cq_arm", cq);
    cq->is_armed = true;
    return result();
}

static pal_waitable fake_cq_waitable(struct vb_cq *cq)
{
    note("cq_waitable", cq);
    return pal_wakeup_waitable(cq->wakeup);
}

static unsigned fake_cq_ack(struct vb_cq *cq)
{
    unsigned n = cq->signals;
    note("cq_ack", cq);
    cq->signals = 0;
    pal_wakeup_clear(cq->wakeup);
    return n;
}

void fake_complete(struct vb_cq *cq, uint64_t id)
{
    cq->queue[cq->count++] = (struct vb_wc){.id = id, .status = VB_OK, .op = VB_WC_SEND};
    if (cq->is_armed) {
        cq->is_armed = false;
        cq->signals++;
        pal_wakeup_signal(cq->wakeup);
    }
}

static vb_status_t fake_qp_create(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                                  struct vb_qp_caps *caps, void *context, struct vb_qp **out)
{
    (void)send_cq;
    (void)recv_cq;
    (void)context;
    caps->inline_bytes = 0;
    MAKE("qp_create", pd, out);
}

static void fake_qp_destroy(struct vb_qp *qp)
{
    note("qp_destroy", qp);
    unmake(qp);
}

static void fake_qp_stop(struct vb_qp *qp)
{
    note("qp_stop", qp);
    fake.qp_stops++;
}

static uint32_t fake_qp_number(const struct vb_qp *qp)
{
    note("qp_number", qp);
    return 14;
}

static vb_status_t fake_post_send(struct vb_qp *qp, const struct vb_send_wr *wr,
                                  const struct vb_send_wr **bad)
{
    note("post_send", qp);
    *bad = wr;
    return result();
}

static vb_status_t fake_post_recv(struct vb_qp *qp, const struct vb_recv_wr *wr,
                                  const struct vb_recv_wr **bad)
{
    note("post_recv", qp);
    *bad = wr;
    return result();
}

static vb_status_t fake_cm_create(struct vb_backend *be, struct vb_cm **out)
{
    vb_status_t st;
    note("cm_create", be);
    struct vb_cm *cm = make(sizeof *cm, &st);
    if (st != VB_OK)
        return st;
    cm->wakeup = pal_wakeup_create();
    *out = cm;
    return VB_OK;
}

static void fake_cm_destroy(struct vb_cm *cm)
{
    note("cm_destroy", cm);
    pal_wakeup_destroy(cm->wakeup);
    unmake(cm);
}

static pal_waitable fake_cm_waitable(struct vb_cm *cm)
{
    note("cm_waitable", cm);
    return pal_wakeup_waitable(cm->wakeup);
}

static vb_status_t fake_cm_poll(struct vb_cm *cm, struct vb_cm_event *ev)
{
    note("cm_poll", cm);
    if (cm->count == 0) {
        pal_wakeup_clear(cm->wakeup);
        return fake.next_status == VB_OK ? VB_E_AGAIN : result();
    }
    *ev = cm->queue[0];
    memmove(cm->queue, cm->queue + 1, --cm->count * sizeof *ev);
    return VB_OK;
}

struct vb_conn *fake_event(struct vb_cm *cm, enum vb_cm_event_kind kind, struct vb_conn *conn, void *context)
{
    if (kind == VB_CM_REQUEST) {
        conn = calloc(1, sizeof *conn);
        fake.objects_alive++;
    }
    struct vb_cm_event *ev = &cm->queue[cm->count++];
    memset(ev, 0, sizeof *ev);
    ev->kind = kind;
    ev->conn = conn;
    ev->context = context;
    pal_wakeup_signal(cm->wakeup);
    return conn;
}

static vb_status_t fake_listen(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog, void *context,
                               struct vb_listener **out)
{
    (void)local;
    (void)backlog;
    (void)context;
    MAKE("listen", cm, out);
}

static void fake_listener_addr(const struct vb_listener *l, struct vb_addr *out)
{
    note("listener_addr", l);
    vb_addr_parse("192.0.2.1:7000", out);
}

static void fake_listener_destroy(struct vb_listener *l)
{
    note("listener_destroy", l);
    unmake(l);
}

static vb_status_t fake_conn_create(struct vb_cm *cm, const struct vb_addr *local, void *context,
                                    struct vb_conn **out)
{
    (void)local;
    (void)context;
    MAKE("conn_create", cm, out);
}

static void fake_conn_destroy(struct vb_conn *conn)
{
    note("conn_destroy", conn);
    unmake(conn);
}

static void fake_conn_set_context(struct vb_conn *conn, void *context)
{
    note("conn_set_context", conn);
    fake.conn_context = context;
}

static void fake_conn_addrs(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote)
{
    note("conn_addrs", conn);
    vb_addr_parse("192.0.2.1:1000", local);
    vb_addr_parse("192.0.2.2:2000", remote);
}

static vb_status_t fake_conn_bind_qp(struct vb_conn *conn, struct vb_qp *qp)
{
    (void)qp;
    note("conn_bind_qp", conn);
    return result();
}

static vb_status_t fake_conn_connect(struct vb_conn *conn, const struct vb_addr *remote,
                                     const struct vb_conn_params *p)
{
    (void)remote;
    (void)p;
    note("conn_connect", conn);
    return result();
}

static vb_status_t fake_conn_accept(struct vb_conn *conn, const struct vb_conn_params *p)
{
    (void)p;
    note("conn_accept", conn);
    return result();
}

static vb_status_t fake_conn_reject(struct vb_conn *conn, const void *data, uint16_t data_bytes)
{
    (void)data;
    (void)data_bytes;
    note("conn_reject", conn);
    fake.rejects++;
    return result();
}

static void fake_conn_disconnect(struct vb_conn *conn)
{
    note("conn_disconnect", conn);
}

static void fake_conn_text(const struct vb_conn *conn, char *out, size_t bytes)
{
    note("conn_text", conn);
    (void)snprintf(out, bytes, "%s", fake.text);
}

static void fake_listener_text(const struct vb_listener *l, char *out, size_t bytes)
{
    note("listener_text", l);
    (void)snprintf(out, bytes, "%s", fake.text);
}

const struct vb_ops fake_ops = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .addr_list = fake_addr_list,
    .route = fake_route,
    .async_poll = fake_async_poll,
    .async_waitable = fake_async_waitable,
    .dev_open = fake_dev_open,
    .dev_close = fake_dev_close,
    .dev_caps = fake_dev_caps,
    .dev_owns = fake_dev_owns,
    .pd_create = fake_pd_create,
    .pd_destroy = fake_pd_destroy,
    .mr_reg = fake_mr_reg,
    .mr_dereg = fake_mr_dereg,
    .mr_lkey = fake_mr_lkey,
    .mr_rkey = fake_mr_rkey,
    .mw_alloc = fake_mw_alloc,
    .mw_free = fake_mw_free,
    .mw_rkey = fake_mw_rkey,
    .cq_create = fake_cq_create,
    .cq_destroy = fake_cq_destroy,
    .cq_poll = fake_cq_poll,
    .cq_arm = fake_cq_arm,
    .cq_waitable = fake_cq_waitable,
    .cq_ack = fake_cq_ack,
    .qp_create = fake_qp_create,
    .qp_destroy = fake_qp_destroy,
    .qp_stop = fake_qp_stop,
    .qp_number = fake_qp_number,
    .post_send = fake_post_send,
    .post_recv = fake_post_recv,
    .cm_create = fake_cm_create,
    .cm_destroy = fake_cm_destroy,
    .cm_waitable = fake_cm_waitable,
    .cm_poll = fake_cm_poll,
    .listen = fake_listen,
    .listener_addr = fake_listener_addr,
    .listener_destroy = fake_listener_destroy,
    .conn_create = fake_conn_create,
    .conn_destroy = fake_conn_destroy,
    .conn_set_context = fake_conn_set_context,
    .conn_addrs = fake_conn_addrs,
    .conn_bind_qp = fake_conn_bind_qp,
    .conn_connect = fake_conn_connect,
    .conn_accept = fake_conn_accept,
    .conn_reject = fake_conn_reject,
    .conn_disconnect = fake_conn_disconnect,
    .conn_text = fake_conn_text,
    .listener_text = fake_listener_text,
};

const struct vb_ops fake_bare_ops = {.name = "bare", .open = fake_open, .close = fake_close};
