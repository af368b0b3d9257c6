/* hook_trace.c - one line of text per operation that does something, to stderr or to the file named by the
 * argument (appended). How it is built: trace_line.c. A line looks like
 *
 *   vb t=123.000456 thr=2 op=mr_reg pd=1 addr=0x7f.. bytes=4096 access=LR mr=3 status=VB_OK us=12
 *
 * t: monotonic seconds when the operation ended; us: microseconds it took. Questions that change nothing
 * (keys, names, waitables, capabilities) and polls that found nothing leave no line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hook/trace_line.h"
#include "pal/file.h"
#include "pal/time.h"

static struct trace *trace_of(const void *object)
{
    return (struct trace *)vb_hook_find(vb_ops_of(object), &vb_hook_trace);
}

/* ---- backend and device ---- */

static vb_status_t trace_open(struct vb_backend **out, char *why, size_t why_bytes)
{
    struct trace *t = (struct trace *)vb_hook_find(vb_opening_ops(), &vb_hook_trace);
    struct line l;
    vb_line_begin(&l, t, "open");
    vb_line_add(&l, " backend=%s", t->table.ops.name);
    return vb_line_finish(&l, t->table.inner->open(out, why, why_bytes));
}

static void trace_close(struct vb_backend *be)
{
    struct trace *t = trace_of(be);
    struct line l;
    vb_line_begin(&l, t, "close");
    t->table.inner->close(be);
    vb_line_finish_void(&l);
}

static vb_status_t trace_addr_list(struct vb_backend *be, struct vb_addr *out, uint32_t *count)
{
    struct trace *t = trace_of(be);
    struct line l;
    uint32_t room = *count;
    vb_line_begin(&l, t, "addr_list");
    vb_status_t st = t->table.inner->addr_list(be, out, count);
    vb_line_add(&l, " room=%u count=%u", room, *count);
    if (st == VB_OK)
        for (uint32_t i = 0; i < *count; i++)
            vb_line_addr(&l, "ip", &out[i]);
    return vb_line_finish(&l, st);
}

static vb_status_t trace_route(struct vb_backend *be, const struct vb_addr *remote, struct vb_addr *out_local)
{
    struct trace *t = trace_of(be);
    struct line l;
    vb_line_begin(&l, t, "route");
    vb_line_addr(&l, "remote", remote);
    vb_status_t st = t->table.inner->route(be, remote, out_local);
    if (st == VB_OK)
        vb_line_addr(&l, "local", out_local);
    return vb_line_finish(&l, st);
}

static vb_status_t trace_async_poll(struct vb_backend *be, struct vb_async_event *ev)
{
    static const char *const kinds[] = {"ADDR_CHANGE", "DEV_GONE", "QP_FATAL", "CQ_ERROR"};
    struct trace *t = trace_of(be);
    struct line l;
    vb_line_begin(&l, t, "async_poll");
    vb_status_t st = t->table.inner->async_poll(be, ev);
    if (st == VB_E_AGAIN)
        return st;
    if (st == VB_OK) {
        vb_line_add(&l, " event=%s", (unsigned)ev->kind <= VB_ASYNC_CQ_ERROR ? kinds[ev->kind] : "?");
        if (ev->kind == VB_ASYNC_DEV_GONE)
            vb_line_object(&l, DEV, ev->dev);
        if (ev->kind == VB_ASYNC_QP_FATAL)
            vb_line_add(&l, " qp_context=%p", ev->qp_context);
        if (ev->kind == VB_ASYNC_CQ_ERROR)
            vb_line_object(&l, CQ, ev->cq);
    }
    return vb_line_finish(&l, st);
}

static pal_waitable trace_async_waitable(struct vb_backend *be)
{
    return trace_of(be)->table.inner->async_waitable(be);
}

static vb_status_t trace_dev_open(struct vb_backend *be, const struct vb_addr *local, struct vb_dev **out)
{
    struct trace *t = trace_of(be);
    struct line l;
    vb_line_begin(&l, t, "dev_open");
    vb_line_addr(&l, "local", local);
    vb_status_t st = t->table.inner->dev_open(be, local, out);
    if (st == VB_OK)
        vb_line_new(&l, DEV, *out);
    return vb_line_finish(&l, st);
}

static void trace_dev_close(struct vb_dev *dev)
{
    struct trace *t = trace_of(dev);
    struct line l;
    vb_line_begin(&l, t, "dev_close");
    vb_line_object(&l, DEV, dev); /* not the last time: it may be open more than once */
    t->table.inner->dev_close(dev);
    vb_line_finish_void(&l);
}

static void trace_dev_caps(const struct vb_dev *dev, struct vb_caps *out)
{
    trace_of(dev)->table.inner->dev_caps(dev, out);
}

static bool trace_dev_owns(struct vb_dev *dev, const struct vb_addr *local)
{
    return trace_of(dev)->table.inner->dev_owns(dev, local);
}

/* ---- memory ---- */

static vb_status_t trace_pd_create(struct vb_dev *dev, struct vb_pd **out)
{
    struct trace *t = trace_of(dev);
    struct line l;
    vb_line_begin(&l, t, "pd_create");
    vb_line_object(&l, DEV, dev);
    vb_status_t st = t->table.inner->pd_create(dev, out);
    if (st == VB_OK)
        vb_line_new(&l, PD, *out);
    return vb_line_finish(&l, st);
}

static void trace_pd_destroy(struct vb_pd *pd)
{
    struct trace *t = trace_of(pd);
    struct line l;
    vb_line_begin(&l, t, "pd_destroy");
    vb_line_last(&l, PD, pd);
    t->table.inner->pd_destroy(pd);
    vb_line_finish_void(&l);
}

static vb_status_t trace_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access,
                                struct vb_mr **out)
{
    struct trace *t = trace_of(pd);
    struct line l;
    vb_line_begin(&l, t, "mr_reg");
    vb_line_object(&l, PD, pd);
    vb_line_add(&l, " addr=%p bytes=%zu", addr, bytes);
    vb_line_access(&l, access);
    vb_status_t st = t->table.inner->mr_reg(pd, addr, bytes, access, out);
    if (st == VB_OK)
        vb_line_new(&l, MR, *out);
    return vb_line_finish(&l, st);
}

static void trace_mr_dereg(struct vb_mr *mr)
{
    struct trace *t = trace_of(mr);
    struct line l;
    vb_line_begin(&l, t, "mr_dereg");
    vb_line_last(&l, MR, mr);
    t->table.inner->mr_dereg(mr);
    vb_line_finish_void(&l);
}

static uint32_t trace_mr_lkey(const struct vb_mr *mr)
{
    return trace_of(mr)->table.inner->mr_lkey(mr);
}

static uint32_t trace_mr_rkey(const struct vb_mr *mr)
{
    return trace_of(mr)->table.inner->mr_rkey(mr);
}

static vb_status_t trace_mw_alloc(struct vb_pd *pd, struct vb_mw **out)
{
    struct trace *t = trace_of(pd);
    struct line l;
    vb_line_begin(&l, t, "mw_alloc");
    vb_line_object(&l, PD, pd);
    vb_status_t st = t->table.inner->mw_alloc(pd, out);
    if (st == VB_OK)
        vb_line_new(&l, MW, *out);
    return vb_line_finish(&l, st);
}

static void trace_mw_free(struct vb_mw *mw)
{
    struct trace *t = trace_of(mw);
    struct line l;
    vb_line_begin(&l, t, "mw_free");
    vb_line_last(&l, MW, mw);
    t->table.inner->mw_free(mw);
    vb_line_finish_void(&l);
}

static uint32_t trace_mw_rkey(const struct vb_mw *mw)
{
    return trace_of(mw)->table.inner->mw_rkey(mw);
}

/* ---- completion queues ---- */

static vb_status_t trace_cq_create(struct vb_dev *dev, uint32_t depth, struct vb_cq **out)
{
    struct trace *t = trace_of(dev);
    struct line l;
    vb_line_begin(&l, t, "cq_create");
    vb_line_object(&l, DEV, dev);
    vb_line_add(&l, " depth=%u", depth);
    vb_status_t st = t->table.inner->cq_create(dev, depth, out);
    if (st == VB_OK)
        vb_line_new(&l, CQ, *out);
    return vb_line_finish(&l, st);
}

static void trace_cq_destroy(struct vb_cq *cq)
{
    struct trace *t = trace_of(cq);
    struct line l;
    vb_line_begin(&l, t, "cq_destroy");
    vb_line_last(&l, CQ, cq);
    t->table.inner->cq_destroy(cq);
    vb_line_finish_void(&l);
}

static unsigned trace_cq_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max)
{
    struct trace *t = trace_of(cq);
    struct line l;
    vb_line_begin(&l, t, "cq_poll");
    unsigned n = t->table.inner->cq_poll(cq, wc, max);
    if (n == 0)
        return 0;
    vb_line_object(&l, CQ, cq);
    vb_line_add(&l, " n=%u", n);
    for (unsigned i = 0; i < n; i++)
        vb_line_wc(&l, &wc[i]);
    vb_line_finish_void(&l);
    return n;
}

static vb_status_t trace_cq_arm(struct vb_cq *cq)
{
    struct trace *t = trace_of(cq);
    struct line l;
    vb_line_begin(&l, t, "cq_arm");
    vb_line_object(&l, CQ, cq);
    return vb_line_finish(&l, t->table.inner->cq_arm(cq));
}

static pal_waitable trace_cq_waitable(struct vb_cq *cq)
{
    return trace_of(cq)->table.inner->cq_waitable(cq);
}

static unsigned trace_cq_ack(struct vb_cq *cq)
{
    struct trace *t = trace_of(cq);
    struct line l;
    vb_line_begin(&l, t, "cq_ack");
    unsigned n = t->table.inner->cq_ack(cq);
    if (n == 0)
        return 0;
    vb_line_object(&l, CQ, cq);
    vb_line_add(&l, " n=%u", n);
    vb_line_finish_void(&l);
    return n;
}

/* ---- queue pairs ---- */

static vb_status_t trace_qp_create(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                                   struct vb_qp_caps *caps, void *context, struct vb_qp **out)
{
    struct trace *t = trace_of(pd);
    struct line l;
    vb_line_begin(&l, t, "qp_create");
    vb_line_object(&l, PD, pd);
    vb_line_object(&l, CQ, send_cq);
    vb_line_object(&l, CQ, recv_cq);
    vb_status_t st = t->table.inner->qp_create(pd, send_cq, recv_cq, caps, context, out);
    if (st == VB_OK)
        vb_line_new(&l, QP, *out);
    vb_line_add(&l, " send_wr=%u recv_wr=%u send_sge=%u recv_sge=%u inline=%u context=%p", caps->send_wr,
                caps->recv_wr, caps->send_sge, caps->recv_sge, caps->inline_bytes, context);
    return vb_line_finish(&l, st);
}

static void trace_qp_destroy(struct vb_qp *qp)
{
    struct trace *t = trace_of(qp);
    struct line l;
    vb_line_begin(&l, t, "qp_destroy");
    vb_line_last(&l, QP, qp);
    t->table.inner->qp_destroy(qp);
    vb_line_finish_void(&l);
}

static void trace_qp_stop(struct vb_qp *qp)
{
    struct trace *t = trace_of(qp);
    struct line l;
    vb_line_begin(&l, t, "qp_stop");
    vb_line_object(&l, QP, qp);
    t->table.inner->qp_stop(qp);
    vb_line_finish_void(&l);
}

static uint32_t trace_qp_number(const struct vb_qp *qp)
{
    return trace_of(qp)->table.inner->qp_number(qp);
}

static vb_status_t trace_post_send(struct vb_qp *qp, const struct vb_send_wr *wr,
                                   const struct vb_send_wr **bad)
{
    struct trace *t = trace_of(qp);
    struct line l;
    vb_line_begin(&l, t, "post_send");
    vb_line_object(&l, QP, qp);
    /* Before the post: afterwards the completion may already have let the caller reuse the requests. */
    for (const struct vb_send_wr *at = wr; at; at = at->next)
        vb_line_send_wr(&l, at);
    vb_status_t st = t->table.inner->post_send(qp, wr, bad);
    if (st != VB_OK && *bad)
        vb_line_add(&l, " bad=0x%llx", (unsigned long long)(*bad)->id);
    return vb_line_finish(&l, st);
}

static vb_status_t trace_post_recv(struct vb_qp *qp, const struct vb_recv_wr *wr,
                                   const struct vb_recv_wr **bad)
{
    struct trace *t = trace_of(qp);
    struct line l;
    vb_line_begin(&l, t, "post_recv");
    vb_line_object(&l, QP, qp);
    for (const struct vb_recv_wr *at = wr; at; at = at->next)
        vb_line_add(&l, " [id=0x%llx bytes=%llu sge=%u]", (unsigned long long)at->id,
                    (unsigned long long)vb_line_sge_bytes(at->sge, at->sge_count), at->sge_count);
    vb_status_t st = t->table.inner->post_recv(qp, wr, bad);
    if (st != VB_OK && *bad)
        vb_line_add(&l, " bad=0x%llx", (unsigned long long)(*bad)->id);
    return vb_line_finish(&l, st);
}

/* ---- connections ---- */

static vb_status_t trace_cm_create(struct vb_backend *be, struct vb_cm **out)
{
    struct trace *t = trace_of(be);
    struct line l;
    vb_line_begin(&l, t, "cm_create");
    vb_status_t st = t->table.inner->cm_create(be, out);
    if (st == VB_OK)
        vb_line_new(&l, CM, *out);
    return vb_line_finish(&l, st);
}

static void trace_cm_destroy(struct vb_cm *cm)
{
    struct trace *t = trace_of(cm);
    struct line l;
    vb_line_begin(&l, t, "cm_destroy");
    vb_line_last(&l, CM, cm);
    t->table.inner->cm_destroy(cm);
    vb_line_finish_void(&l);
}

static pal_waitable trace_cm_waitable(struct vb_cm *cm)
{
    return trace_of(cm)->table.inner->cm_waitable(cm);
}

static void trace_conn_text(const struct vb_conn *conn, char *out, size_t bytes)
{
    trace_of(conn)->table.inner->conn_text(conn, out, bytes);
}

static void trace_listener_text(const struct vb_listener *l, char *out, size_t bytes)
{
    trace_of(l)->table.inner->listener_text(l, out, bytes);
}

static void add_text(struct line *l, const char *what, char *text, size_t bytes)
{
    if (vb_text_clean(text, bytes) > 0)
        vb_line_add(l, " %s=[%s]", what, text);
}

/* What the backend has to say about an attempt that failed. */
static void add_why(struct line *l, const struct vb_conn *conn)
{
    char text[VB_TEXT_BYTES] = "";
    l->trace->table.inner->conn_text(conn, text, sizeof text);
    add_text(l, "why", text, sizeof text);
}

static vb_status_t trace_cm_poll(struct vb_cm *cm, struct vb_cm_event *ev)
{
    static const char *const kinds[] = {"REQUEST",      "ESTABLISHED", "REJECTED", "FAILED",
                                        "DISCONNECTED", "WITHDRAWN",   "DEV_GONE"};
    struct trace *t = trace_of(cm);
    struct line l;
    vb_line_begin(&l, t, "cm_poll");
    vb_status_t st = t->table.inner->cm_poll(cm, ev);
    if (st == VB_E_AGAIN)
        return st;
    vb_line_object(&l, CM, cm);
    if (st == VB_OK) {
        vb_line_add(&l, " event=%s", (unsigned)ev->kind <= VB_CM_DEV_GONE ? kinds[ev->kind] : "?");
        if (ev->kind == VB_CM_REQUEST)
            vb_line_new(&l, CONN, ev->conn);
        else
            vb_line_object(&l, CONN, ev->conn);
        vb_line_add(&l, " cause=%s data_bytes=%u read_in=%u read_out=%u", vb_status_name(ev->status),
                    ev->data_bytes, ev->read_in, ev->read_out);
        if (ev->kind == VB_CM_REJECTED || ev->kind == VB_CM_FAILED)
            add_why(&l, ev->conn);
    }
    return vb_line_finish(&l, st);
}

static vb_status_t trace_listen(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog,
                                void *context, struct vb_listener **out)
{
    struct trace *t = trace_of(cm);
    struct line l;
    vb_line_begin(&l, t, "listen");
    vb_line_object(&l, CM, cm);
    vb_line_addr(&l, "local", local);
    vb_line_add(&l, " backlog=%u context=%p", backlog, context);
    vb_status_t st = t->table.inner->listen(cm, local, backlog, context, out);
    if (st == VB_OK)
        vb_line_new(&l, LISTENER, *out);
    return vb_line_finish(&l, st);
}

static void trace_listener_addr(const struct vb_listener *listener, struct vb_addr *out)
{
    trace_of(listener)->table.inner->listener_addr(listener, out);
}

static void trace_listener_destroy(struct vb_listener *listener)
{
    struct trace *t = trace_of(listener);
    struct line l;
    char text[VB_TEXT_BYTES] = "";
    vb_line_begin(&l, t, "listener_destroy");
    vb_line_last(&l, LISTENER, listener);
    t->table.inner->listener_text(listener, text, sizeof text);
    add_text(&l, "turned_away", text, sizeof text);
    t->table.inner->listener_destroy(listener);
    vb_line_finish_void(&l);
}

static vb_status_t trace_conn_create(struct vb_cm *cm, const struct vb_addr *local, void *context,
                                     struct vb_conn **out)
{
    struct trace *t = trace_of(cm);
    struct line l;
    vb_line_begin(&l, t, "conn_create");
    vb_line_object(&l, CM, cm);
    vb_line_addr(&l, "local", local);
    vb_line_add(&l, " context=%p", context);
    vb_status_t st = t->table.inner->conn_create(cm, local, context, out);
    if (st == VB_OK)
        vb_line_new(&l, CONN, *out);
    return vb_line_finish(&l, st);
}

static void trace_conn_destroy(struct vb_conn *conn)
{
    struct trace *t = trace_of(conn);
    struct line l;
    vb_line_begin(&l, t, "conn_destroy");
    vb_line_last(&l, CONN, conn);
    t->table.inner->conn_destroy(conn);
    vb_line_finish_void(&l);
}

static void trace_conn_set_context(struct vb_conn *conn, void *context)
{
    trace_of(conn)->table.inner->conn_set_context(conn, context);
}

static void trace_conn_addrs(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote)
{
    trace_of(conn)->table.inner->conn_addrs(conn, local, remote);
}

static vb_status_t trace_conn_bind_qp(struct vb_conn *conn, struct vb_qp *qp)
{
    struct trace *t = trace_of(conn);
    struct line l;
    vb_line_begin(&l, t, "conn_bind_qp");
    vb_line_object(&l, CONN, conn);
    vb_line_object(&l, QP, qp);
    return vb_line_finish(&l, t->table.inner->conn_bind_qp(conn, qp));
}

static void add_params(struct line *l, const struct vb_conn_params *p)
{
    vb_line_add(l, " data_bytes=%u read_in=%u read_out=%u timeout_ms=%u", p->data_bytes, p->read_in,
                p->read_out, p->timeout_ms);
}

static vb_status_t trace_conn_connect(struct vb_conn *conn, const struct vb_addr *remote,
                                      const struct vb_conn_params *p)
{
    struct trace *t = trace_of(conn);
    struct line l;
    vb_line_begin(&l, t, "conn_connect");
    vb_line_object(&l, CONN, conn);
    vb_line_addr(&l, "remote", remote);
    add_params(&l, p);
    return vb_line_finish(&l, t->table.inner->conn_connect(conn, remote, p));
}

static vb_status_t trace_conn_accept(struct vb_conn *conn, const struct vb_conn_params *p)
{
    struct trace *t = trace_of(conn);
    struct line l;
    vb_line_begin(&l, t, "conn_accept");
    vb_line_object(&l, CONN, conn);
    add_params(&l, p);
    return vb_line_finish(&l, t->table.inner->conn_accept(conn, p));
}

static vb_status_t trace_conn_reject(struct vb_conn *conn, const void *data, uint16_t data_bytes)
{
    struct trace *t = trace_of(conn);
    struct line l;
    vb_line_begin(&l, t, "conn_reject");
    vb_line_object(&l, CONN, conn);
    vb_line_add(&l, " data_bytes=%u", data_bytes);
    return vb_line_finish(&l, t->table.inner->conn_reject(conn, data, data_bytes));
}

static void trace_conn_disconnect(struct vb_conn *conn)
{
    struct trace *t = trace_of(conn);
    struct line l;
    vb_line_begin(&l, t, "conn_disconnect");
    vb_line_object(&l, CONN, conn);
    t->table.inner->conn_disconnect(conn);
    vb_line_finish_void(&l);
}

/* ---- the hook ---- */

/* clang-format off */
static const struct vb_ops trace_ops = {
    NULL, /* the backend's name, set in wrap */
    trace_open, trace_close, trace_addr_list, trace_route, trace_async_poll, trace_async_waitable,
    trace_dev_open, trace_dev_close, trace_dev_caps, trace_dev_owns, trace_pd_create, trace_pd_destroy,
    trace_mr_reg, trace_mr_dereg, trace_mr_lkey, trace_mr_rkey, trace_mw_alloc, trace_mw_free,
    trace_mw_rkey, trace_cq_create, trace_cq_destroy, trace_cq_poll, trace_cq_arm, trace_cq_waitable,
    trace_cq_ack, trace_qp_create, trace_qp_destroy, trace_qp_stop, trace_qp_number, trace_post_send,
    trace_post_recv, trace_cm_create, trace_cm_destroy, trace_cm_waitable, trace_cm_poll, trace_listen,
    trace_listener_addr, trace_listener_destroy, trace_conn_create, trace_conn_destroy,
    trace_conn_set_context, trace_conn_addrs, trace_conn_bind_qp, trace_conn_connect, trace_conn_accept,
    trace_conn_reject, trace_conn_disconnect, trace_conn_text, trace_listener_text
};
/* clang-format on */

static vb_status_t wrap(const struct vb_ops *inner, const char *arg, struct vb_hook_table **out, char *why,
                        size_t why_bytes)
{
    struct trace *t = calloc(1, sizeof *t);
    if (!t)
        return VB_E_NOMEM;
    if (!pal_mutex_init(&t->lock)) {
        free(t);
        return VB_E_NOMEM;
    }
    t->out = stderr;
    if (arg) {
        t->out = pal_append_open(arg);
        if (!t->out) {
            snprintf(why, why_bytes, "Hook trace cannot write to \"%s\": %s.", arg, strerror(errno));
            pal_mutex_fini(&t->lock);
            free(t);
            return VB_E_INVAL;
        }
        setvbuf(t->out, NULL, _IOLBF, BUFSIZ); /* a crash must not take the last lines with it */
    }
    t->table.ops = trace_ops;
    t->table.ops.name = inner->name;
    t->table.hook = &vb_hook_trace;
    t->table.inner = inner;
    *out = &t->table;
    return VB_OK;
}

static void unwrap(struct vb_hook_table *table)
{
    struct trace *t = (struct trace *)table;
    struct object_node *n;

    while ((n = object_map_pop(&t->names)) != NULL)
        free(n);
    if (t->out != stderr)
        fclose(t->out);
    pal_mutex_fini(&t->lock);
    free(t);
}

const struct vb_hook vb_hook_trace = {"trace", wrap, unwrap};
