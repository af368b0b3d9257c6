/* hook_fault.c - calls that fail, answer late or kill their queue pair, as the plan says (grammar:
 * vb/vb_fault.h). Owns what is withheld: completions per CQ, events per cm. A withheld thing keeps its place
 * in the order and comes with an alarm on the waitable, so that a sleeping consumer finds it in time. */
#include <stdio.h>
#include <stdlib.h>

#include "hook/fault_plan.h"
#include "hook/object_map.h"
#include "pal/mutex.h"
#include "pal/time.h"
#include "vb/vb_fault.h"
#include "vb_ops.h"

#define HELD_MAX 64 /* completions withheld per CQ; when full, the others wait below */

/* An alarm beside the waitable of the object. Made when somebody asks for the waitable: pure pollers need
 * none. */
struct late_bell {
    struct pal_alarm *alarm;
    bool is_broken;  /* the consumer sleeps on a waitable that we cannot ring: nothing may be late */
    uint64_t set_ns; /* 0 = not set */
};

struct fault_cq {
    struct object_node node;
    struct late_bell bell;
    unsigned first, count; /* ring of what is withheld, in order */
    struct {
        struct vb_wc wc;
        uint64_t due_ns;
    } held[HELD_MAX];
};

struct held_event {
    struct held_event *next;
    uint64_t due_ns;
    struct vb_cm_event ev;
};

struct fault_cm {
    struct object_node node;
    struct late_bell bell;
    struct held_event *first; /* in order; seldom more than a few */
};

struct fault_listener {
    struct object_node node;
    struct vb_cm *cm;
    void *context; /* by which its withheld requests are known */
};

struct fault_conn {
    struct object_node node;
    struct vb_qp *qp; /* bound, and not destroyed yet; otherwise NULL */
};

struct fault {
    struct vb_hook_table table;
    struct pal_mutex lock; /* guards what follows and the structs above; not held while calling inwards */
    struct object_map cqs, cms, listeners, conns;
};

static struct fault *fault_of(const void *object)
{
    return (struct fault *)vb_hook_find(vb_ops_of(object), &vb_hook_fault);
}

static void ring_at_locked(struct late_bell *bell, uint64_t due_ns)
{
    if (!bell->alarm || bell->set_ns == due_ns)
        return;
    pal_alarm_set(bell->alarm, due_ns);
    bell->set_ns = due_ns;
}

static pal_waitable bell_waitable_locked(struct late_bell *bell, pal_waitable inner)
{
    if (!bell->alarm && !bell->is_broken) {
        bell->alarm = pal_alarm_create(inner);
        bell->is_broken = !bell->alarm;
    }
    return bell->alarm ? pal_alarm_waitable(bell->alarm) : inner;
}

/* ---- backend and device ---- */

static vb_status_t fault_open(struct vb_backend **out, char *why, size_t why_bytes)
{
    struct fault *f = (struct fault *)vb_hook_find(vb_opening_ops(), &vb_hook_fault);
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_open);
    if (v.is_failing)
        snprintf(why, why_bytes, "Opening \"%s\" fails because a fault was planned.", f->table.ops.name);
    vb_status_t st = v.is_failing ? v.status : f->table.inner->open(out, why, why_bytes);
    vb_fault_be_late(&v);
    return st;
}

static void fault_close(struct vb_backend *be)
{
    fault_of(be)->table.inner->close(be);
}

static vb_status_t fault_addr_list(struct vb_backend *be, struct vb_addr *out, uint32_t *count)
{
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_addr_list);
    vb_status_t st = v.is_failing ? v.status : fault_of(be)->table.inner->addr_list(be, out, count);
    vb_fault_be_late(&v);
    return st;
}

static vb_status_t fault_route(struct vb_backend *be, const struct vb_addr *remote, struct vb_addr *out_local)
{
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_route);
    vb_status_t st = v.is_failing ? v.status : fault_of(be)->table.inner->route(be, remote, out_local);
    vb_fault_be_late(&v);
    return st;
}

static vb_status_t fault_async_poll(struct vb_backend *be, struct vb_async_event *ev)
{
    return fault_of(be)->table.inner->async_poll(be, ev);
}

static pal_waitable fault_async_waitable(struct vb_backend *be)
{
    return fault_of(be)->table.inner->async_waitable(be);
}

static vb_status_t fault_dev_open(struct vb_backend *be, const struct vb_addr *local, struct vb_dev **out)
{
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_dev_open);
    vb_status_t st = v.is_failing ? v.status : fault_of(be)->table.inner->dev_open(be, local, out);
    vb_fault_be_late(&v);
    return st;
}

static void fault_dev_close(struct vb_dev *dev)
{
    fault_of(dev)->table.inner->dev_close(dev);
}

static void fault_dev_caps(const struct vb_dev *dev, struct vb_caps *out)
{
    fault_of(dev)->table.inner->dev_caps(dev, out);
}

static bool fault_dev_owns(struct vb_dev *dev, const struct vb_addr *local)
{
    return fault_of(dev)->table.inner->dev_owns(dev, local);
}

/* ---- memory ---- */

static vb_status_t fault_pd_create(struct vb_dev *dev, struct vb_pd **out)
{
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_pd_create);
    vb_status_t st = v.is_failing ? v.status : fault_of(dev)->table.inner->pd_create(dev, out);
    vb_fault_be_late(&v);
    return st;
}

static void fault_pd_destroy(struct vb_pd *pd)
{
    fault_of(pd)->table.inner->pd_destroy(pd);
}

static vb_status_t fault_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access,
                                struct vb_mr **out)
{
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_mr_reg);
    vb_status_t st = v.is_failing ? v.status
                                  : fault_of(pd)->table.inner->mr_reg(pd, addr, bytes, access, out);
    vb_fault_be_late(&v);
    return st;
}

static void fault_mr_dereg(struct vb_mr *mr)
{
    fault_of(mr)->table.inner->mr_dereg(mr);
}

static uint32_t fault_mr_lkey(const struct vb_mr *mr)
{
    return fault_of(mr)->table.inner->mr_lkey(mr);
}

static uint32_t fault_mr_rkey(const struct vb_mr *mr)
{
    return fault_of(mr)->table.inner->mr_rkey(mr);
}

static vb_status_t fault_mw_alloc(struct vb_pd *pd, struct vb_mw **out)
{
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_mw_alloc);
    vb_status_t st = v.is_failing ? v.status : fault_of(pd)->table.inner->mw_alloc(pd, out);
    vb_fault_be_late(&v);
    return st;
}

static void fault_mw_free(struct vb_mw *mw)
{
    fault_of(mw)->table.inner->mw_free(mw);
}

static uint32_t fault_mw_rkey(const struct vb_mw *mw)
{
    return fault_of(mw)->table.inner->mw_rkey(mw);
}

/* ---- completion queues ---- */

static vb_status_t fault_cq_create(struct vb_dev *dev, uint32_t depth, struct vb_cq **out)
{
    struct fault *f = fault_of(dev);
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_cq_create);
    struct fault_cq *c = calloc(1, sizeof *c);

    vb_status_t st = v.is_failing ? v.status : !c ? VB_E_NOMEM : f->table.inner->cq_create(dev, depth, out);
    if (st == VB_OK) {
        pal_mutex_lock(&f->lock);
        object_map_add(&f->cqs, &c->node, *out);
        pal_mutex_unlock(&f->lock);
    } else {
        free(c);
    }
    vb_fault_be_late(&v);
    return st;
}

static void fault_cq_destroy(struct vb_cq *cq)
{
    struct fault *f = fault_of(cq);
    pal_mutex_lock(&f->lock);
    struct fault_cq *c = (struct fault_cq *)object_map_remove(&f->cqs, cq);
    pal_mutex_unlock(&f->lock);
    pal_alarm_destroy(c->bell.alarm);
    free(c);
    f->table.inner->cq_destroy(cq);
}

static unsigned take_due_locked(struct fault_cq *c, struct vb_wc *wc, unsigned max)
{
    unsigned n = 0;
    uint64_t now_ns = c->count > 0 ? pal_now_ns() : 0;
    while (n < max && c->count > 0 && c->held[c->first].due_ns <= now_ns) {
        wc[n++] = c->held[c->first].wc;
        c->first = (c->first + 1) % HELD_MAX;
        c->count--;
    }
    return n;
}

static void hold_back_locked(struct fault_cq *c, const struct vb_wc *wc, uint32_t late_ms)
{
    uint64_t due_ns = pal_now_ns() + (uint64_t)late_ms * 1000000u;
    if (c->count > 0) { /* never before the one in front */
        uint64_t last_ns = c->held[(c->first + c->count - 1) % HELD_MAX].due_ns;
        due_ns = due_ns > last_ns ? due_ns : last_ns;
    }
    unsigned at = (c->first + c->count++) % HELD_MAX;
    c->held[at].wc = *wc;
    c->held[at].due_ns = due_ns;
}

static unsigned fault_cq_poll(struct vb_cq *cq, struct vb_wc *wc, unsigned max)
{
    struct fault *f = fault_of(cq);
    pal_mutex_lock(&f->lock);
    struct fault_cq *c = (struct fault_cq *)object_map_find(&f->cqs, cq);
    unsigned n = take_due_locked(c, wc, max);
    unsigned room = HELD_MAX - c->count;
    pal_mutex_unlock(&f->lock);

    /* What comes up now goes behind what is still withheld, so it needs room there. */
    unsigned want = max - n < room ? max - n : room;
    unsigned got = want > 0 ? f->table.inner->cq_poll(cq, wc + n, want) : 0;
    const struct vb_wc *fresh = wc + n;

    pal_mutex_lock(&f->lock);
    for (unsigned i = 0; i < got; i++) {
        struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_cq_poll);
        if (c->count > 0 || (v.late_ms > 0 && !c->bell.is_broken))
            hold_back_locked(c, &fresh[i], v.late_ms);
        else
            wc[n++] = fresh[i]; /* in place: nothing before it was withheld */
    }
    ring_at_locked(&c->bell, c->count > 0 ? c->held[c->first].due_ns : 0);
    pal_mutex_unlock(&f->lock);
    return n;
}

static vb_status_t fault_cq_arm(struct vb_cq *cq)
{
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_cq_arm);
    vb_status_t st = v.is_failing ? v.status : fault_of(cq)->table.inner->cq_arm(cq);
    vb_fault_be_late(&v);
    return st;
}

static pal_waitable fault_cq_waitable(struct vb_cq *cq)
{
    struct fault *f = fault_of(cq);
    pal_waitable inner = f->table.inner->cq_waitable(cq);
    pal_mutex_lock(&f->lock);
    struct fault_cq *c = (struct fault_cq *)object_map_find(&f->cqs, cq);
    pal_waitable waitable = bell_waitable_locked(&c->bell, inner);
    if (c->count > 0)
        ring_at_locked(&c->bell, c->held[c->first].due_ns);
    pal_mutex_unlock(&f->lock);
    return waitable;
}

static unsigned fault_cq_ack(struct vb_cq *cq)
{
    struct fault *f = fault_of(cq);
    unsigned n = f->table.inner->cq_ack(cq);
    pal_mutex_lock(&f->lock);
    struct fault_cq *c = (struct fault_cq *)object_map_find(&f->cqs, cq);
    if (c->bell.set_ns != 0 && c->bell.set_ns <= pal_now_ns()) {
        ring_at_locked(&c->bell, 0); /* it rang; the consumer polls now and finds what is due */
        n++;
    }
    pal_mutex_unlock(&f->lock);
    return n;
}

/* ---- queue pairs ---- */

static vb_status_t fault_qp_create(struct vb_pd *pd, struct vb_cq *send_cq, struct vb_cq *recv_cq,
                                   struct vb_qp_caps *caps, void *context, struct vb_qp **out)
{
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_qp_create);
    vb_status_t st = v.is_failing
                         ? v.status
                         : fault_of(pd)->table.inner->qp_create(pd, send_cq, recv_cq, caps, context, out);
    vb_fault_be_late(&v);
    return st;
}

static void fault_qp_destroy(struct vb_qp *qp)
{
    struct fault *f = fault_of(qp);
    pal_mutex_lock(&f->lock);
    for (size_t i = 0; i < OBJECT_MAP_BUCKETS; i++) {
        for (struct object_node *at = f->conns.buckets[i]; at; at = at->next) {
            struct fault_conn *c = (struct fault_conn *)at;
            if (c->qp == qp)
                c->qp = NULL;
        }
    }
    pal_mutex_unlock(&f->lock);
    f->table.inner->qp_destroy(qp);
}

static void fault_qp_stop(struct vb_qp *qp)
{
    fault_of(qp)->table.inner->qp_stop(qp);
}

static uint32_t fault_qp_number(const struct vb_qp *qp)
{
    return fault_of(qp)->table.inner->qp_number(qp);
}

static vb_status_t fault_post_send(struct vb_qp *qp, const struct vb_send_wr *wr,
                                   const struct vb_send_wr **bad)
{
    struct fault *f = fault_of(qp);
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_post_send);
    if (v.is_failing)
        *bad = wr;
    vb_status_t st = v.is_failing ? v.status : f->table.inner->post_send(qp, wr, bad);
    if (st == VB_OK && v.is_flushing)
        f->table.inner->qp_stop(qp);
    vb_fault_be_late(&v);
    return st;
}

static vb_status_t fault_post_recv(struct vb_qp *qp, const struct vb_recv_wr *wr,
                                   const struct vb_recv_wr **bad)
{
    struct fault *f = fault_of(qp);
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_post_recv);
    if (v.is_failing)
        *bad = wr;
    vb_status_t st = v.is_failing ? v.status : f->table.inner->post_recv(qp, wr, bad);
    if (st == VB_OK && v.is_flushing)
        f->table.inner->qp_stop(qp);
    vb_fault_be_late(&v);
    return st;
}

/* ---- connections ---- */

static vb_status_t fault_cm_create(struct vb_backend *be, struct vb_cm **out)
{
    struct fault *f = fault_of(be);
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_cm_create);
    struct fault_cm *c = calloc(1, sizeof *c);

    vb_status_t st = v.is_failing ? v.status : !c ? VB_E_NOMEM : f->table.inner->cm_create(be, out);
    if (st == VB_OK) {
        pal_mutex_lock(&f->lock);
        object_map_add(&f->cms, &c->node, *out);
        pal_mutex_unlock(&f->lock);
    } else {
        free(c);
    }
    vb_fault_be_late(&v);
    return st;
}

typedef bool (*event_test)(const struct vb_cm_event *ev, const void *what);

/* The withheld events that `is_meant` picks; they are the caller's now. */
static struct held_event *unlink_events_locked(struct fault_cm *c, event_test is_meant, const void *what)
{
    struct held_event *unlinked = NULL;
    for (struct held_event **at = &c->first; *at;) {
        struct held_event *h = *at;
        if (!is_meant(&h->ev, what)) {
            at = &h->next;
            continue;
        }
        *at = h->next;
        h->next = unlinked;
        unlinked = h;
    }
    ring_at_locked(&c->bell, c->first ? c->first->due_ns : 0);
    return unlinked;
}

static bool is_any(const struct vb_cm_event *ev, const void *what)
{
    (void)ev;
    (void)what;
    return true;
}

static bool is_of_conn(const struct vb_cm_event *ev, const void *conn)
{
    return ev->conn == conn;
}

static bool is_request_for(const struct vb_cm_event *ev, const void *context)
{
    return ev->kind == VB_CM_REQUEST && ev->context == context;
}

static void free_events(struct held_event *list)
{
    while (list) {
        struct held_event *next = list->next;
        free(list);
        list = next;
    }
}

/* A withheld request belongs to nobody above yet: when it will never be delivered, refuse it here. */
static void refuse_requests(struct fault *f, struct vb_cm *cm, struct held_event *list)
{
    while (list) {
        struct held_event *next = list->next;
        if (list->ev.kind == VB_CM_REQUEST) {
            struct vb_conn *conn = list->ev.conn;
            pal_mutex_lock(&f->lock);
            struct fault_cm *c = (struct fault_cm *)object_map_find(&f->cms, cm);
            struct held_event *others = c ? unlink_events_locked(c, is_of_conn, conn) : NULL;
            pal_mutex_unlock(&f->lock);
            free_events(others);
            (void)f->table.inner->conn_reject(conn, NULL, 0);
            f->table.inner->conn_destroy(conn);
        }
        free(list);
        list = next;
    }
}

static void fault_cm_destroy(struct vb_cm *cm)
{
    struct fault *f = fault_of(cm);
    pal_mutex_lock(&f->lock);
    struct fault_cm *c = (struct fault_cm *)object_map_remove(&f->cms, cm);
    struct held_event *all = unlink_events_locked(c, is_any, NULL);
    pal_mutex_unlock(&f->lock);
    refuse_requests(f, cm, all);
    pal_alarm_destroy(c->bell.alarm);
    free(c);
    f->table.inner->cm_destroy(cm);
}

static pal_waitable fault_cm_waitable(struct vb_cm *cm)
{
    struct fault *f = fault_of(cm);
    pal_waitable inner = f->table.inner->cm_waitable(cm);
    pal_mutex_lock(&f->lock);
    struct fault_cm *c = (struct fault_cm *)object_map_find(&f->cms, cm);
    pal_waitable waitable = bell_waitable_locked(&c->bell, inner);
    if (c->first)
        ring_at_locked(&c->bell, c->first->due_ns);
    pal_mutex_unlock(&f->lock);
    return waitable;
}

/* Put an event behind those that are withheld. */
static void hold_event_locked(struct fault_cm *c, struct held_event *h, uint32_t late_ms)
{
    struct held_event **at = &c->first;
    h->due_ns = pal_now_ns() + (uint64_t)late_ms * 1000000u;
    for (; *at; at = &(*at)->next)
        if ((*at)->due_ns > h->due_ns)
            h->due_ns = (*at)->due_ns;
    h->next = NULL;
    *at = h;
}

static vb_status_t fault_cm_poll(struct vb_cm *cm, struct vb_cm_event *ev)
{
    struct fault *f = fault_of(cm);
    vb_status_t st = VB_OK;

    pal_mutex_lock(&f->lock);
    struct fault_cm *c = (struct fault_cm *)object_map_find(&f->cms, cm);
    pal_mutex_unlock(&f->lock);
    /* Take everything that is there: left below, it would keep the waitable ready while the front one is
     * withheld. */
    while (st == VB_OK) {
        st = f->table.inner->cm_poll(cm, ev);
        if (st != VB_OK)
            break;
        struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_cm_poll);
        pal_mutex_lock(&f->lock);
        bool is_held = c->first != NULL || (v.late_ms > 0 && !c->bell.is_broken);
        struct held_event *h = is_held ? malloc(sizeof *h) : NULL;
        if (h) {
            if (ev->kind == VB_CM_REQUEST)
                vb_head_set(ev->conn, vb_ops_of(cm)); /* we may have to refuse it ourselves */
            h->ev = *ev;
            hold_event_locked(c, h, v.late_ms);
        }
        pal_mutex_unlock(&f->lock);
        if (!h)
            return VB_OK; /* the usual case; without memory an event rather comes too early than never */
    }
    pal_mutex_lock(&f->lock);
    struct held_event *due = c->first;
    if (due && due->due_ns <= pal_now_ns())
        c->first = due->next;
    else
        due = NULL;
    ring_at_locked(&c->bell, c->first ? c->first->due_ns : 0);
    pal_mutex_unlock(&f->lock);
    if (due) {
        *ev = due->ev;
        free(due);
        return VB_OK;
    }
    return st;
}

static vb_status_t fault_listen(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog,
                                void *context, struct vb_listener **out)
{
    struct fault *f = fault_of(cm);
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_listen);
    struct fault_listener *l = calloc(1, sizeof *l);

    vb_status_t st = v.is_failing ? v.status
                     : !l         ? VB_E_NOMEM
                                  : f->table.inner->listen(cm, local, backlog, context, out);
    if (st == VB_OK) {
        l->cm = cm;
        l->context = context;
        pal_mutex_lock(&f->lock);
        object_map_add(&f->listeners, &l->node, *out);
        pal_mutex_unlock(&f->lock);
    } else {
        free(l);
    }
    vb_fault_be_late(&v);
    return st;
}

static void fault_listener_addr(const struct vb_listener *l, struct vb_addr *out)
{
    fault_of(l)->table.inner->listener_addr(l, out);
}

static void fault_listener_destroy(struct vb_listener *listener)
{
    struct fault *f = fault_of(listener);
    pal_mutex_lock(&f->lock);
    struct fault_listener *l = (struct fault_listener *)object_map_remove(&f->listeners, listener);
    struct fault_cm *c = (struct fault_cm *)object_map_find(&f->cms, l->cm);
    struct held_event *requests = unlink_events_locked(c, is_request_for, l->context);
    pal_mutex_unlock(&f->lock);
    refuse_requests(f, l->cm, requests);
    free(l);
    f->table.inner->listener_destroy(listener);
}

static vb_status_t fault_conn_create(struct vb_cm *cm, const struct vb_addr *local, void *context,
                                     struct vb_conn **out)
{
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_conn_create);
    vb_status_t st = v.is_failing ? v.status
                                  : fault_of(cm)->table.inner->conn_create(cm, local, context, out);
    vb_fault_be_late(&v);
    return st;
}

/* By the polling thread, so no event of this connection is on its way up meanwhile. */
static void fault_conn_destroy(struct vb_conn *conn)
{
    struct fault *f = fault_of(conn);
    struct held_event *events = NULL;

    pal_mutex_lock(&f->lock);
    struct object_node *bound = object_map_remove(&f->conns, conn);
    for (size_t i = 0; i < OBJECT_MAP_BUCKETS && !events; i++) {
        for (struct object_node *at = f->cms.buckets[i]; at && !events; at = at->next)
            events = unlink_events_locked((struct fault_cm *)at, is_of_conn, conn);
    }
    pal_mutex_unlock(&f->lock);
    free(bound);
    free_events(events);
    f->table.inner->conn_destroy(conn);
}

static void fault_conn_set_context(struct vb_conn *conn, void *context)
{
    struct fault *f = fault_of(conn);
    f->table.inner->conn_set_context(conn, context);
    /* A withheld event carries the context of when it came up. */
    pal_mutex_lock(&f->lock);
    for (size_t i = 0; i < OBJECT_MAP_BUCKETS; i++)
        for (struct object_node *at = f->cms.buckets[i]; at; at = at->next)
            for (struct held_event *h = ((struct fault_cm *)at)->first; h; h = h->next)
                if (h->ev.conn == conn && h->ev.kind != VB_CM_REQUEST)
                    h->ev.context = context;
    pal_mutex_unlock(&f->lock);
}

static void fault_conn_addrs(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote)
{
    fault_of(conn)->table.inner->conn_addrs(conn, local, remote);
}

static vb_status_t fault_conn_bind_qp(struct vb_conn *conn, struct vb_qp *qp)
{
    struct fault *f = fault_of(conn);
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_conn_bind_qp);
    struct fault_conn *c = calloc(1, sizeof *c);

    vb_status_t st = v.is_failing ? v.status : !c ? VB_E_NOMEM : f->table.inner->conn_bind_qp(conn, qp);
    if (st == VB_OK) {
        c->qp = qp;
        pal_mutex_lock(&f->lock);
        object_map_add(&f->conns, &c->node, conn);
        pal_mutex_unlock(&f->lock);
        if (v.is_flushing)
            f->table.inner->qp_stop(qp);
    } else {
        free(c);
    }
    vb_fault_be_late(&v);
    return st;
}

static void stop_bound_qp(struct fault *f, struct vb_conn *conn)
{
    pal_mutex_lock(&f->lock);
    struct fault_conn *c = (struct fault_conn *)object_map_find(&f->conns, conn);
    struct vb_qp *qp = c ? c->qp : NULL;
    pal_mutex_unlock(&f->lock);
    if (qp)
        f->table.inner->qp_stop(qp);
}

static vb_status_t fault_conn_connect(struct vb_conn *conn, const struct vb_addr *remote,
                                      const struct vb_conn_params *p)
{
    struct fault *f = fault_of(conn);
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_conn_connect);
    vb_status_t st = v.is_failing ? v.status : f->table.inner->conn_connect(conn, remote, p);
    if (st == VB_OK && v.is_flushing)
        stop_bound_qp(f, conn);
    vb_fault_be_late(&v);
    return st;
}

static vb_status_t fault_conn_accept(struct vb_conn *conn, const struct vb_conn_params *p)
{
    struct fault *f = fault_of(conn);
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_conn_accept);
    vb_status_t st = v.is_failing ? v.status : f->table.inner->conn_accept(conn, p);
    if (st == VB_OK && v.is_flushing)
        stop_bound_qp(f, conn);
    vb_fault_be_late(&v);
    return st;
}

static vb_status_t fault_conn_reject(struct vb_conn *conn, const void *data, uint16_t data_bytes)
{
    struct vb_fault_verdict v = vb_fault_judge(VB_FAULT_OP_conn_reject);
    vb_status_t st = v.is_failing ? v.status
                                  : fault_of(conn)->table.inner->conn_reject(conn, data, data_bytes);
    vb_fault_be_late(&v);
    return st;
}

static void fault_conn_disconnect(struct vb_conn *conn)
{
    fault_of(conn)->table.inner->conn_disconnect(conn);
}

/* Answers about what was, so no plan makes them fail. */
static void fault_conn_text(const struct vb_conn *conn, char *out, size_t bytes)
{
    fault_of(conn)->table.inner->conn_text(conn, out, bytes);
}

static void fault_listener_text(const struct vb_listener *l, char *out, size_t bytes)
{
    fault_of(l)->table.inner->listener_text(l, out, bytes);
}

/* ---- the hook ---- */

/* clang-format off */
static const struct vb_ops fault_ops = {
    NULL, /* the backend's name, set in wrap */
    fault_open, fault_close, fault_addr_list, fault_route, fault_async_poll, fault_async_waitable,
    fault_dev_open, fault_dev_close, fault_dev_caps, fault_dev_owns, fault_pd_create, fault_pd_destroy,
    fault_mr_reg, fault_mr_dereg, fault_mr_lkey, fault_mr_rkey, fault_mw_alloc, fault_mw_free,
    fault_mw_rkey, fault_cq_create, fault_cq_destroy, fault_cq_poll, fault_cq_arm, fault_cq_waitable,
    fault_cq_ack, fault_qp_create, fault_qp_destroy, fault_qp_stop, fault_qp_number, fault_post_send,
    fault_post_recv, fault_cm_create, fault_cm_destroy, fault_cm_waitable, fault_cm_poll, fault_listen,
    fault_listener_addr, fault_listener_destroy, fault_conn_create, fault_conn_destroy,
    fault_conn_set_context, fault_conn_addrs, fault_conn_bind_qp, fault_conn_connect, fault_conn_accept,
    fault_conn_reject, fault_conn_disconnect, fault_conn_text, fault_listener_text
};
/* clang-format on */

static vb_status_t wrap(const struct vb_ops *inner, const char *arg, struct vb_hook_table **out, char *why,
                        size_t why_bytes)
{
    /* Without an argument the plan stays: tests set it through vb_fault.h, before or after opening. */
    if (arg && vb_fault_set(arg, why, why_bytes) != VB_OK)
        return VB_E_INVAL;
    struct fault *f = calloc(1, sizeof *f);
    if (!f)
        return VB_E_NOMEM;
    if (!pal_mutex_init(&f->lock)) {
        free(f);
        return VB_E_NOMEM;
    }
    f->table.ops = fault_ops;
    f->table.ops.name = inner->name;
    f->table.hook = &vb_hook_fault;
    f->table.inner = inner;
    *out = &f->table;
    return VB_OK;
}

/* Every object is gone by now, and with it what we kept about it. */
static void unwrap(struct vb_hook_table *table)
{
    struct fault *f = (struct fault *)table;
    pal_mutex_fini(&f->lock);
    free(f);
}

const struct vb_hook vb_hook_fault = {"fault", wrap, unwrap};
