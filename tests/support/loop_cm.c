/* loop_cm.c - owns the loop backend's connection manager: event queues, listeners, the handshake and the ends
 * of connections. */
#include <stdlib.h>
#include <string.h>

#include "loop.h"

#define LOOP_FIRST_PORT 61000u

enum { LOOP_TIMER_REQUEST, LOOP_TIMER_FAIL, LOOP_TIMER_DISCONNECTED };

/* ---- event queues ---- */

static struct vb_cm_event *push_event(struct vb_conn *c, enum vb_cm_event_kind kind, vb_status_t status)
{
    struct loop_cm_event *e = calloc(1, sizeof *e), **at = &c->cm->events;
    if (!e)
        abort();
    e->ev.kind = kind;
    e->ev.status = status;
    e->ev.conn = c;
    while (*at)
        at = &(*at)->next;
    *at = e;
    pal_wakeup_signal(c->cm->wakeup);
    return &e->ev;
}

static void set_data(struct vb_cm_event *ev, const void *data, uint16_t bytes, uint16_t padded)
{
    if (bytes)
        memcpy(ev->data, data, bytes);
    ev->data_bytes = loop.config.pads_private_data ? padded : bytes;
}

static void drop_events(struct vb_conn *c, int kind) /* -1: all */
{
    struct loop_cm_event **at = &c->cm->events;
    while (*at) {
        struct loop_cm_event *e = *at;
        if (e->ev.conn == c && (kind < 0 || (int)e->ev.kind == kind)) {
            *at = e->next;
            free(e);
        } else {
            at = &e->next;
        }
    }
    if (!c->cm->events)
        pal_wakeup_clear(c->cm->wakeup);
}

vb_status_t loop_cm_create(struct vb_backend *be, struct vb_cm **out)
{
    struct vb_cm *cm = calloc(1, sizeof *cm);
    if (!cm)
        return VB_E_NOMEM;
    cm->be = be;
    cm->wakeup = pal_wakeup_create();
    if (!cm->wakeup) {
        free(cm);
        return VB_E_NOMEM;
    }
    loop_lock();
    be->cms++;
    loop.counts.cms++;
    loop_unlock();
    *out = cm;
    return VB_OK;
}

void loop_cm_destroy(struct vb_cm *cm)
{
    loop_lock();
    bool is_used = cm->conns || cm->listeners;
    if (is_used) {
        loop_violation("vb_cm_destroy with connections or listeners");
    } else {
        cm->be->cms--;
        loop.counts.cms--;
    }
    loop_unlock();
    if (is_used)
        return;
    pal_wakeup_destroy(cm->wakeup);
    free(cm);
}

pal_waitable loop_cm_waitable(struct vb_cm *cm)
{
    return pal_wakeup_waitable(cm->wakeup);
}

/* Only the poller destroys, or nobody polls any more. Someone else who destroys is remembered, and convicted
 * if the poller comes back; a poller that is in the middle of a poll convicts at once. */
static void check_destroyer(struct vb_cm *cm, const char *what)
{
    uint64_t me = pal_thread_id();
    if (!cm->poller || cm->poller == me)
        return;
    if (pal_load_relaxed(&cm->polling.owner))
        loop_violation(what);
    cm->intruder = me;
}

/* ---- connections: life ---- */

static void conn_timer(void *arg);

static struct vb_conn *conn_new(struct vb_cm *cm, const struct vb_addr *local, void *context)
{
    struct vb_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->cm = cm;
    c->context = context;
    c->local = *local;
    c->timer.fn = conn_timer;
    c->timer.arg = c;
    c->next = loop.conns;
    loop.conns = c;
    cm->conns++;
    loop.counts.conns++;
    return c;
}

static void conn_free(struct vb_conn *c)
{
    struct vb_conn **at = &loop.conns;
    loop_timer_set(&c->timer, 0);
    drop_events(c, -1);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->cm->conns--;
    loop.counts.conns--;
    free(c);
}

static uint64_t after_ms(uint32_t ms)
{
    return pal_now_ns() + ms * 1000000ull;
}

static void set_timer(struct vb_conn *c, int does, vb_status_t status, uint32_t ms)
{
    c->timer_does = does;
    c->timer_status = status;
    loop_timer_set(&c->timer, after_ms(ms));
}

static void conn_fail(struct vb_conn *c, vb_status_t status)
{
    c->state = LOOP_CONN_DOWN;
    loop_timer_set(&c->timer, 0);
    (void)push_event(c, VB_CM_FAILED, status);
}

/* The other end ended the connection, or the request: tell c. */
static void peer_left(struct vb_conn *c)
{
    switch (c->state) {
    case LOOP_CONN_UP:
        c->state = LOOP_CONN_DOWN;
        (void)push_event(c, VB_CM_DISCONNECTED, VB_OK);
        break;
    case LOOP_CONN_REPLIED: /* its ESTABLISHED comes first */
        if (!c->has_peer_left)
            (void)push_event(c, VB_CM_DISCONNECTED, VB_OK);
        c->has_peer_left = true;
        break;
    case LOOP_CONN_REQUEST:
        c->state = LOOP_CONN_DOWN;
        (void)push_event(c, VB_CM_WITHDRAWN, VB_E_RESET);
        break;
    case LOOP_CONN_ACCEPTED: conn_fail(c, VB_E_RESET); break;
    case LOOP_CONN_CONNECTING:
        c->state = LOOP_CONN_DOWN;
        set_data(push_event(c, VB_CM_REJECTED, VB_E_REJECTED), NULL, 0, LOOP_REJECT_DATA);
        break;
    case LOOP_CONN_IDLE:
    case LOOP_CONN_DOWN: break;
    }
}

/* Free c; its end of the wire goes silent for the peer. */
static void conn_remove(struct vb_conn *c)
{
    struct vb_conn *p = c->peer;
    if (p) {
        if (!c->is_cut && c->state != LOOP_CONN_DOWN)
            peer_left(p);
        p->peer = NULL;
    }
    if (c->qp)
        c->qp->conn = NULL;
    conn_free(c);
    if (p && p->qp)
        loop_qp_run(p->qp);
}

/* Loop lock held. Beyond the ports that Linux gives to TCP sockets, which tests use for listeners. */
static uint16_t take_port(void)
{
    if (loop.next_port < LOOP_FIRST_PORT)
        loop.next_port = LOOP_FIRST_PORT;
    return loop.next_port++;
}

vb_status_t loop_conn_create(struct vb_cm *cm, const struct vb_addr *local, void *context,
                             struct vb_conn **out)
{
    vb_status_t st = VB_OK;
    loop_lock();
    if (!loop_is_local(local)) {
        st = loop.has_device ? VB_E_ADDRNOTAVAIL : VB_E_NODEV;
    } else {
        struct vb_conn *c = conn_new(cm, local, context);
        st = c ? VB_OK : VB_E_NOMEM;
        if (c) {
            c->local.port = take_port();
            *out = c;
        }
    }
    loop_unlock();
    return st;
}

void loop_conn_destroy(struct vb_conn *conn)
{
    loop_lock();
    check_destroyer(conn->cm, "vb_conn_destroy while another thread polls the connection manager");
    conn_remove(conn);
    loop_unlock();
}

void loop_conn_set_context(struct vb_conn *conn, void *context)
{
    loop_lock();
    conn->context = context;
    loop_unlock();
}

void loop_conn_addrs(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote)
{
    loop_lock();
    if (local)
        *local = conn->local;
    if (remote)
        *remote = conn->remote;
    loop_unlock();
}

vb_status_t loop_conn_bind_qp(struct vb_conn *conn, struct vb_qp *qp)
{
    vb_status_t st = VB_E_STATE;
    loop_lock();
    if (!conn->qp && !qp->conn && qp->state == LOOP_QP_RESET &&
        (conn->state == LOOP_CONN_IDLE || conn->state == LOOP_CONN_REQUEST)) {
        conn->qp = qp;
        qp->conn = conn;
        qp->state = LOOP_QP_INIT;
        st = VB_OK;
    }
    loop_unlock();
    return st;
}

/* ---- listeners ---- */

static struct vb_listener *find_listener(const struct vb_addr *to)
{
    for (struct vb_listener *l = loop.listeners; l; l = l->next)
        if (l->addr.port == to->port && l->addr.family == to->family &&
            (vb_addr_is_any(&l->addr) || vb_addr_same_ip(&l->addr, to)))
            return l;
    return NULL;
}

static bool is_taken(const struct vb_addr *a)
{
    for (struct vb_listener *l = loop.listeners; l; l = l->next)
        if (l->addr.port == a->port && l->addr.family == a->family &&
            (vb_addr_is_any(&l->addr) || vb_addr_is_any(a) || vb_addr_same_ip(&l->addr, a)))
            return true;
    return false;
}

vb_status_t loop_listen(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog, void *context,
                        struct vb_listener **out)
{
    vb_status_t st = VB_OK;
    struct vb_listener *l = calloc(1, sizeof *l);
    (void)backlog;
    if (!l)
        return VB_E_NOMEM;
    l->cm = cm;
    l->addr = *local;
    l->context = context;
    loop_lock();
    if (!loop.has_device) {
        st = VB_E_NODEV;
    } else if (!vb_addr_is_any(local) && !loop_is_local(local)) {
        st = VB_E_ADDRNOTAVAIL;
    } else if (local->port) {
        st = is_taken(local) ? VB_E_ADDRINUSE : VB_OK;
    } else {
        do {
            l->addr.port = take_port();
        } while (is_taken(&l->addr));
    }
    if (st == VB_OK) {
        l->next = loop.listeners;
        loop.listeners = l;
        cm->listeners++;
        loop.counts.listeners++;
    }
    loop_unlock();
    if (st != VB_OK)
        free(l);
    else
        *out = l;
    return st;
}

void loop_listener_addr(const struct vb_listener *l, struct vb_addr *out)
{
    *out = l->addr; /* const after loop_listen() */
}

void loop_listener_destroy(struct vb_listener *l)
{
    struct vb_listener **at = &loop.listeners;
    loop_lock();
    check_destroyer(l->cm, "vb_listener_destroy while another thread polls the connection manager");
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    for (struct vb_conn *c = loop.conns, *next; c; c = next) {
        next = c->next;
        if (c->listener == l)
            conn_remove(c);
    }
    l->cm->listeners--;
    loop.counts.listeners--;
    loop_unlock();
    free(l);
}

/* ---- handshake ---- */

static uint8_t smaller(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

static void deliver_request(struct vb_conn *c)
{
    struct vb_listener *l = loop_is_local(&c->remote) ? find_listener(&c->remote) : NULL;
    if (!l) {
        c->state = LOOP_CONN_DOWN;
        set_data(push_event(c, VB_CM_REJECTED, VB_E_NOSERVICE), NULL, 0, LOOP_REJECT_DATA);
        return;
    }
    struct vb_conn *p = conn_new(l->cm, &c->remote, NULL);
    if (!p) {
        conn_fail(c, VB_E_NOMEM);
        return;
    }
    p->remote = c->local;
    p->state = LOOP_CONN_REQUEST;
    p->listener = l;
    p->peer = c;
    c->peer = p;
    /* One side's reads out are the other side's reads in. */
    p->read_in = smaller(c->read_out, loop.config.max_read_in);
    p->read_out = smaller(c->read_in, loop.config.max_read_out);
    set_data(push_event(p, VB_CM_REQUEST, VB_OK), c->data, c->data_bytes, LOOP_REQUEST_DATA);
}

static void conn_timer(void *arg)
{
    struct vb_conn *c = arg;
    switch (c->timer_does) {
    case LOOP_TIMER_REQUEST: deliver_request(c); break;
    case LOOP_TIMER_FAIL: conn_fail(c, c->timer_status); break;
    default: (void)push_event(c, VB_CM_DISCONNECTED, VB_OK); break;
    }
}

vb_status_t loop_conn_connect(struct vb_conn *conn, const struct vb_addr *remote,
                              const struct vb_conn_params *p)
{
    vb_status_t st = VB_OK;
    loop_lock();
    if (conn->state != LOOP_CONN_IDLE || !conn->qp || conn->qp->state != LOOP_QP_INIT) {
        st = VB_E_STATE;
    } else if (p->data_bytes > LOOP_REQUEST_DATA || !remote->port || vb_addr_is_any(remote) ||
               remote->family != conn->local.family) {
        st = VB_E_INVAL;
    } else {
        conn->state = LOOP_CONN_CONNECTING;
        conn->remote = *remote;
        conn->read_in = smaller(p->read_in, loop.config.max_read_in);
        conn->read_out = smaller(p->read_out, loop.config.max_read_out);
        conn->data_bytes = p->data_bytes;
        if (p->data_bytes)
            memcpy(conn->data, p->data, p->data_bytes);
        if (!loop.has_device)
            conn_fail(conn, VB_E_NODEV);
        else if (!loop_is_local(remote)) /* nobody answers the address resolution */
            set_timer(conn, LOOP_TIMER_FAIL, VB_E_UNREACH, p->timeout_ms);
        else if (loop.config.black_hole)
            set_timer(conn, LOOP_TIMER_FAIL, VB_E_TIMEOUT, p->timeout_ms);
        else if (loop.config.connect_delay_ms)
            set_timer(conn, LOOP_TIMER_REQUEST, VB_OK, loop.config.connect_delay_ms);
        else
            deliver_request(conn);
    }
    loop_unlock();
    return st;
}

vb_status_t loop_conn_accept(struct vb_conn *conn, const struct vb_conn_params *p)
{
    vb_status_t st = VB_OK;
    loop_lock();
    if (conn->state != LOOP_CONN_REQUEST || !conn->qp || conn->qp->state != LOOP_QP_INIT) {
        st = VB_E_STATE; /* also: withdrawn meanwhile */
    } else if (p->data_bytes > LOOP_REPLY_DATA) {
        st = VB_E_INVAL;
    } else {
        struct vb_conn *c = conn->peer;
        conn->state = LOOP_CONN_ACCEPTED;
        conn->read_in = smaller(conn->read_in, p->read_in);
        conn->read_out = smaller(conn->read_out, p->read_out);
        conn->qp->max_reads = conn->read_out;
        conn->qp->state = LOOP_QP_RTS;
        if (conn->is_cut) {
            set_timer(conn, LOOP_TIMER_FAIL, VB_E_TIMEOUT, loop.config.retry_ms);
        } else {
            c->state = LOOP_CONN_REPLIED;
            c->read_in = smaller(c->read_in, conn->read_out);
            c->read_out = smaller(c->read_out, conn->read_in);
            set_data(push_event(c, VB_CM_ESTABLISHED, VB_OK), p->data, p->data_bytes, LOOP_REPLY_DATA);
        }
    }
    loop_unlock();
    return st;
}

vb_status_t loop_conn_reject(struct vb_conn *conn, const void *data, uint16_t data_bytes)
{
    vb_status_t st = VB_OK;
    loop_lock();
    if (conn->state != LOOP_CONN_REQUEST) {
        st = VB_E_STATE;
    } else if (data_bytes > LOOP_REJECT_DATA) {
        st = VB_E_INVAL;
    } else {
        conn->state = LOOP_CONN_DOWN;
        if (!conn->is_cut) {
            conn->peer->state = LOOP_CONN_DOWN;
            set_data(push_event(conn->peer, VB_CM_REJECTED, VB_E_REJECTED), data, data_bytes,
                     LOOP_REJECT_DATA);
        }
    }
    loop_unlock();
    return st;
}

/* The active side polls the reply: its QP becomes ready, and the passive side hears of it. False: the event
 * became FAILED. */
static bool confirm(struct vb_conn *c)
{
    struct vb_conn *p = c->peer;
    if (!c->qp || c->qp->state != LOOP_QP_INIT) { /* stopped or destroyed by its owner meanwhile */
        c->state = LOOP_CONN_DOWN;
        drop_events(c, VB_CM_DISCONNECTED);
        if (p && !c->is_cut)
            peer_left(p);
        return false;
    }
    c->qp->state = LOOP_QP_RTS;
    c->qp->max_reads = c->read_out;
    c->state = c->has_peer_left ? LOOP_CONN_DOWN : LOOP_CONN_UP;
    if (p && p->state == LOOP_CONN_ACCEPTED && !c->is_cut) {
        p->state = LOOP_CONN_UP;
        (void)push_event(p, VB_CM_ESTABLISHED, VB_OK);
    }
    if (p && p->qp)
        loop_qp_run(p->qp);
    return true;
}

vb_status_t loop_cm_poll(struct vb_cm *cm, struct vb_cm_event *ev)
{
    loop_guard_enter(&cm->polling, "two threads poll one connection manager at the same time");
    loop_lock();
    uint64_t me = pal_thread_id();
    if (cm->intruder && cm->intruder != me && cm->poller == me)
        loop_violation("a connection or listener was destroyed by another thread than the one that polls");
    cm->poller = me;
    cm->intruder = 0;
    struct loop_cm_event *e = cm->events;
    if (e) {
        struct vb_conn *c = e->ev.conn;
        cm->events = e->next;
        if (e->ev.kind == VB_CM_REQUEST) {
            e->ev.context = c->listener->context;
            c->listener = NULL;
        } else {
            if (e->ev.kind == VB_CM_ESTABLISHED && c->state == LOOP_CONN_REPLIED && !confirm(c)) {
                e->ev.kind = VB_CM_FAILED;
                e->ev.status = VB_E_STATE;
            }
            e->ev.context = c->context;
        }
        if (e->ev.kind == VB_CM_REQUEST || e->ev.kind == VB_CM_ESTABLISHED) {
            e->ev.read_in = c->read_in;
            e->ev.read_out = c->read_out;
        }
        *ev = e->ev;
    }
    if (!cm->events)
        pal_wakeup_clear(cm->wakeup);
    loop_unlock();
    loop_guard_leave(&cm->polling);
    free(e);
    return e ? VB_OK : VB_E_AGAIN;
}

/* ---- ends ---- */

void loop_conn_disconnect(struct vb_conn *conn)
{
    loop_lock();
    enum loop_conn_state was = conn->state;
    if (was == LOOP_CONN_UP || was == LOOP_CONN_ACCEPTED) {
        conn->state = LOOP_CONN_DOWN;
        if (conn->peer && !conn->is_cut)
            peer_left(conn->peer);
    }
    if (conn->qp)
        loop_qp_error(conn->qp);
    if (was == LOOP_CONN_UP || was == LOOP_CONN_ACCEPTED) {
        if (conn->is_cut)
            set_timer(conn, LOOP_TIMER_DISCONNECTED, VB_OK, loop.config.disconnect_ms);
        else
            (void)push_event(conn, VB_CM_DISCONNECTED, VB_OK);
    }
    loop_unlock();
}

void loop_conn_link_down(struct vb_conn *c)
{
    struct vb_conn *p = c->peer;
    bool was_up = c->state == LOOP_CONN_UP || c->state == LOOP_CONN_ACCEPTED;
    if (!was_up)
        return;
    loop_timer_set(&c->timer, 0);
    c->state = LOOP_CONN_DOWN;
    (void)push_event(c, VB_CM_DISCONNECTED, VB_OK);
    if (p && !c->is_cut)
        peer_left(p);
    if (c->qp)
        loop_qp_error(c->qp);
    if (p && p->qp && !c->is_cut && p->state == LOOP_CONN_DOWN)
        loop_qp_error(p->qp);
}

void loop_conn_dev_gone(void)
{
    for (struct vb_conn *c = loop.conns; c; c = c->next) {
        if (c->state == LOOP_CONN_DOWN)
            continue;
        if (c->state == LOOP_CONN_REPLIED) { /* the one outcome of its connect is DEV_GONE */
            drop_events(c, VB_CM_ESTABLISHED);
            drop_events(c, VB_CM_DISCONNECTED);
        }
        c->state = LOOP_CONN_DOWN;
        loop_timer_set(&c->timer, 0);
        (void)push_event(c, VB_CM_DEV_GONE, VB_E_NODEV);
    }
}

unsigned loop_cut(uint16_t port, enum loop_cut_how how)
{
    unsigned n = 0;
    loop_lock();
    for (struct vb_conn *c = loop.conns; c; c = c->next) {
        struct vb_conn *p = c->peer;
        if (c->is_cut || !p || c->state == LOOP_CONN_DOWN ||
            (port && c->local.port != port && c->remote.port != port))
            continue;
        n++;
        if (how == LOOP_CUT_NOTIFY && (c->state == LOOP_CONN_UP || p->state == LOOP_CONN_UP)) {
            peer_left(c);
            peer_left(p);
        }
        c->is_cut = p->is_cut = true;
        struct vb_conn *ends[2] = {c, p};
        for (int i = 0; i < 2; i++) {
            if (ends[i]->state == LOOP_CONN_CONNECTING || ends[i]->state == LOOP_CONN_ACCEPTED)
                set_timer(ends[i], LOOP_TIMER_FAIL, VB_E_TIMEOUT, loop.config.retry_ms);
            if (ends[i]->qp)
                loop_qp_run(ends[i]->qp);
        }
    }
    loop_unlock();
    return n;
}
