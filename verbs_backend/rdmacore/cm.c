/* cm.c - connecting, accepting, disconnecting: one librdmacm event channel per vb_cm.
 * Layer:   verbs_backend/rdmacore.
 * Threads: rc_cm_poll() by one thread, which also destroys; the other calls by any.
 * Events:  copied out and acknowledged at once, so destroying an id never waits for us.
 * QPs:     never made by librdmacm, which would bring them up with its own constants; it is told their
 *          numbers. Our side of the handshake is INIT at bind; RTR and RTS before accept (passive) or when
 *          the reply is here (active).
 * iWARP:   the device itself brings the QP up and establishes. siw connects TCP inside rdma_connect(), and
 *          refusal is its result: dial.c. Once TCP stands, destroying a connection that waits for the peer's
 *          answer, or its QP, waits for that answer or for siw's time-out (10 s): bury.c.
 * Limits:  the kernel drops events of a request until it is accepted (ucma.c: no uid yet), so a withdrawn
 *          request shows as a failing accept; VB_CM_WITHDRAWN is reported only should that change. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "pal/time.h"
#include "rdmacore.h"

vb_status_t rc_cm_create(struct vb_backend *be, struct vb_cm **out)
{
    struct vb_cm *cm = calloc(1, sizeof *cm);
    if (!cm)
        return VB_E_NOMEM;
    cm->be = be;
    cm->channel = rdma_create_event_channel();
    if (cm->channel) {
        int flags = fcntl(cm->channel->fd, F_GETFL);
        if (flags >= 0 && fcntl(cm->channel->fd, F_SETFL, flags | O_NONBLOCK) == 0)
            cm->bell = pal_alarm_create(cm->channel->fd);
        if (cm->bell) {
            *out = cm;
            return VB_OK;
        }
    }
    vb_status_t st = rc_status_errno(errno);
    if (cm->channel)
        rdma_destroy_event_channel(cm->channel);
    free(cm);
    return st;
}

void rc_cm_destroy(struct vb_cm *cm)
{
    rc_bury_wait(cm->be); /* ids of its channel may be among them */
    pal_alarm_destroy(cm->bell);
    rdma_destroy_event_channel(cm->channel);
    free(cm);
}

pal_waitable rc_cm_waitable(struct vb_cm *cm)
{
    return pal_alarm_waitable(cm->bell);
}

void rc_cm_ring(struct vb_cm *cm)
{
    pal_store_release(&cm->is_rung, true);
    pal_alarm_set(cm->bell, pal_now_ns());
}

/* ---- connections: create, bind, destroy ---- */

static struct vb_conn *alloc_conn(struct vb_cm *cm, void *context)
{
    struct vb_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    if (!pal_mutex_init(&conn->lock)) {
        free(conn);
        return NULL;
    }
    conn->cm = cm;
    conn->context = context;
    conn->tcp_port = -1;
    return conn;
}

static void free_conn(struct vb_conn *conn)
{
    rc_port_release(conn->tcp_port);
    pal_mutex_fini(&conn->lock);
    free(conn);
}

static enum rc_conn_state get_state(struct vb_conn *conn)
{
    pal_mutex_lock(&conn->lock);
    const enum rc_conn_state state = conn->state;
    pal_mutex_unlock(&conn->lock);
    return state;
}

static void set_state(struct vb_conn *conn, enum rc_conn_state state)
{
    pal_mutex_lock(&conn->lock);
    conn->state = state;
    pal_mutex_unlock(&conn->lock);
}

bool rc_conn_is_connecting(const struct vb_conn *conn)
{
    return get_state((struct vb_conn *)conn) == RC_CONN_CONNECTING; /* for its lock */
}

static bool is_iwarp(const struct rdma_cm_id *id)
{
    return id->verbs && id->verbs->device->transport_type == IBV_TRANSPORT_IWARP;
}

/* A bound id knows its device; to bind it to another port takes another id. */
static vb_status_t fresh_id(struct vb_cm *cm, struct vb_conn *conn)
{
    if (conn->id)
        (void)rdma_destroy_id(conn->id);
    conn->id = NULL;
    return rdma_create_id(cm->channel, &conn->id, conn, RDMA_PS_TCP) == 0 ? VB_OK : rc_status_errno(errno);
}

/* iWARP's connection is one of the kernel's TCP, whose ports rdma_cm does not ask for: it draws one from a space of its
 * own, and when a socket has that one already, rdma_connect() answers EADDRINUSE. So the port comes from TCP, and is
 * kept there until the device has it (what the port mapper iwpmd does for those devices that ask it). */
static vb_status_t bind_tcp_port(struct vb_cm *cm, struct vb_conn *conn, const struct vb_addr *local)
{
    vb_status_t st = VB_E_ADDRINUSE;
    for (int tries = 0; tries < 16 && st == VB_E_ADDRINUSE; tries++) {
        struct vb_addr with_port = *local;
        with_port.port = 0;
        rc_port_release(conn->tcp_port);
        st = rc_port_reserve(&with_port, &conn->tcp_port);
        if (st == VB_OK)
            st = fresh_id(cm, conn);
        if (st == VB_OK)
            st = rc_addr_bind(conn->id, &with_port);
    }
    return st;
}

/* Bind an active id to the port of the application's own TCP socket, shared with its other connections: one that the
 * kernel chose could be the port on which another application wants to listen a moment later. When it is taken, any
 * port will do; so it is for iWARP, where the application's socket has that port already. */
static vb_status_t bind_active(struct vb_cm *cm, struct vb_conn *conn, const struct vb_addr *local)
{
    struct vb_addr any_port = *local;
    int shared = 1;
    any_port.port = 0;
    const bool is_shared = local->port != 0 &&
                           rdma_set_option(conn->id, RDMA_OPTION_ID, RDMA_OPTION_ID_REUSEADDR, &shared,
                                           sizeof shared) == 0 &&
                           rc_addr_bind(conn->id, local) == VB_OK;
    const vb_status_t st = is_shared ? VB_OK : rc_addr_bind(conn->id, &any_port);
    return st == VB_OK && is_iwarp(conn->id) ? bind_tcp_port(cm, conn, local) : st;
}

vb_status_t rc_conn_create(struct vb_cm *cm, const struct vb_addr *local, void *context, struct vb_conn **out)
{
    struct vb_conn *conn = alloc_conn(cm, context);
    if (!conn)
        return VB_E_NOMEM;

    vb_status_t st;
    if (rdma_create_id(cm->channel, &conn->id, conn, RDMA_PS_TCP) != 0) {
        st = rc_status_errno(errno);
        goto err;
    }
    st = bind_active(cm, conn, local);
    if (st != VB_OK)
        goto err_id;
    conn->is_active = true;
    conn->is_iwarp = is_iwarp(conn->id);
    rc_addr_from_sockaddr(rdma_get_local_addr(conn->id), &conn->local);
    conn->local.scope = local->scope;
    *out = conn;
    return VB_OK;
err_id:
    if (conn->id)
        (void)rdma_destroy_id(conn->id);
err:
    free_conn(conn);
    return st;
}

/* The kernel has answered, or nobody wants to know any more. */
static void end_dial(struct vb_conn *conn, bool is_answered)
{
    if (!conn->dial)
        return;
    struct vb_conn **at = &conn->cm->dialing;
    while (*at != conn)
        at = &(*at)->next_dialing;
    *at = conn->next_dialing;
    pal_mutex_lock(&conn->link->lock);
    struct rc_dial *dial = conn->dial;
    conn->dial = NULL;
    rc_dial_wait(dial, !is_answered); /* under the lock: who destroys the QP must not run ahead of it */
    conn->is_unanswered = !is_answered && rc_dial_may_stand(dial);
    pal_mutex_unlock(&conn->link->lock);
    rc_dial_free(dial);
    rc_port_release(conn->tcp_port); /* the device has it, or nobody needs it any more */
    conn->tcp_port = -1;
}

static void end_id(void *id)
{
    (void)rdma_destroy_id(id);
}

void rc_conn_destroy(struct vb_conn *conn)
{
    struct rc_link *link = conn->link;
    const enum rc_conn_state state = get_state(conn);

    end_dial(conn, false);
    if (link) {
        pal_mutex_lock(&link->lock);
        link->conn = NULL;
        if (link->qp && state != RC_CONN_NEW && state != RC_CONN_ENDED)
            rc_qp_stop(link->qp); /* the kernel ends the connection with the id; the QP would stay up alone */
        pal_mutex_unlock(&link->lock);
        rc_link_release(link);
    }
    if (conn->is_unanswered) {
        conn->id->context = NULL; /* its answer is nobody's */
        rc_bury(conn->cm->be, end_id, conn->id);
    } else {
        end_id(conn->id);
    }
    free_conn(conn);
}

void rc_conn_set_context(struct vb_conn *conn, void *context)
{
    conn->context = context;
}

void rc_conn_addrs(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote)
{
    *local = conn->local;
    *remote = conn->remote;
}

vb_status_t rc_conn_bind_qp(struct vb_conn *conn, struct vb_qp *qp)
{
    if (conn->link || pal_load_acquire(&qp->link))
        return VB_E_STATE;
    if (!conn->id->verbs || conn->id->verbs->device != qp->dev->ctx->device ||
        conn->id->port_num != qp->dev->port)
        return VB_E_INVAL;
    vb_status_t st = rc_qp_init(qp, conn->id);
    if (st != VB_OK) /* the CM has no attributes any more for a request that was withdrawn */
        return st == VB_E_INVAL && !conn->is_active ? VB_E_RESET : st;
    struct rc_link *link = rc_link_create(qp, conn);
    if (!link)
        return VB_E_NOMEM;
    conn->link = link;
    pal_store_release(&qp->link, link);
    return VB_OK;
}

void rc_conn_comm_est(struct vb_conn *conn)
{
    (void)rdma_notify(conn->id, IBV_EVENT_COMM_EST); /* fails when the confirmation has come meanwhile */
}

/* Bring the QP of the connection up if it is still there. */
static vb_status_t qp_up(struct vb_conn *conn)
{
    vb_status_t st = VB_E_STATE;
    pal_mutex_lock(&conn->link->lock);
    if (conn->link->qp)
        st = rc_qp_up(conn->link->qp, conn->id, conn->read_in, conn->read_out);
    pal_mutex_unlock(&conn->link->lock);
    if (st != VB_OK)
        rc_why_call(conn, "the queue pair could not be brought up", 0);
    return st;
}

static bool qp_number(struct vb_conn *conn, uint32_t *out)
{
    bool found = false;
    if (!conn->link)
        return false;
    pal_mutex_lock(&conn->link->lock);
    if (conn->link->qp) {
        *out = rc_qp_number(conn->link->qp);
        found = true;
    }
    pal_mutex_unlock(&conn->link->lock);
    return found;
}

static uint8_t min_u8(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

/* Lower the wanted read depths to what the device of the QP can do. */
static void clip_to_device(struct vb_conn *conn)
{
    pal_mutex_lock(&conn->link->lock);
    if (conn->link->qp) {
        conn->is_siw = conn->link->qp->dev->is_siw;
        const struct vb_caps *caps = &conn->link->qp->dev->caps;
        conn->read_in = min_u8(conn->read_in, (uint8_t)caps->max_read_in);
        conn->read_out = min_u8(conn->read_out, (uint8_t)caps->max_read_out);
    }
    pal_mutex_unlock(&conn->link->lock);
}

/* ---- connect, accept, reject, disconnect ---- */

vb_status_t rc_conn_connect(struct vb_conn *conn, const struct vb_addr *remote,
                            const struct vb_conn_params *p)
{
    struct sockaddr_storage ss;

    if (!conn->is_active || get_state(conn) != RC_CONN_NEW || !conn->link)
        return VB_E_STATE;
    if (p->data_bytes > sizeof conn->data || rc_addr_to_sockaddr(remote, &ss) == 0 ||
        remote->family != conn->local.family)
        return VB_E_INVAL;
    if (p->data_bytes > (conn->is_iwarp ? RC_IWARP_DATA : RC_IB_REQUEST_DATA))
        return VB_E_INVAL;
    if (p->data_bytes > 0)
        memcpy(conn->data, p->data, p->data_bytes);
    conn->data_bytes = p->data_bytes;
    conn->read_in = p->read_in;
    conn->read_out = p->read_out;
    clip_to_device(conn);
    conn->timeout_ms = p->timeout_ms ? p->timeout_ms : 1;
    conn->remote = *remote;
    set_state(conn, RC_CONN_CONNECTING);
    if (rdma_resolve_addr(conn->id, NULL, (struct sockaddr *)&ss, (int)conn->timeout_ms) != 0) {
        vb_status_t st = rc_status_errno(errno);
        rc_why_call(conn, "rdma_resolve_addr", errno);
        set_state(conn, RC_CONN_NEW);
        return st == VB_E_NODEV || st == VB_E_ADDRNOTAVAIL ? VB_E_UNREACH : st;
    }
    return VB_OK;
}

/* siw ends a connection when the accepting side's first message reaches the other side together with the
 * reply to its request (it finds more bytes than it expects; siw_cm.c, siw_recv_mpa_rr). MPA leaves the first
 * message to the connecting side (RFC 5044, 7.1.3), vb.h does not: so the reply gets a head start before
 * anybody here learns that sending is possible. On a busy machine that is no guarantee. */
#define SIW_HEAD_START_MS 10

static void delay_first_send(const struct vb_conn *conn)
{
    if (!conn->is_siw)
        return;
    const uint64_t passed_ms = (pal_now_ns() - conn->accepted_ns) / 1000000;
    if (passed_ms < SIW_HEAD_START_MS)
        pal_sleep_ms((uint32_t)(SIW_HEAD_START_MS - passed_ms));
}

vb_status_t rc_conn_accept(struct vb_conn *conn, const struct vb_conn_params *p)
{
    uint32_t qp_num;

    if (conn->is_active || get_state(conn) != RC_CONN_REQUEST || !qp_number(conn, &qp_num))
        return VB_E_STATE;
    if (p->data_bytes > (conn->is_iwarp ? RC_IWARP_DATA : RC_IB_REPLY_DATA))
        return VB_E_INVAL;
    conn->read_in = min_u8(conn->read_in, p->read_in);
    conn->read_out = min_u8(conn->read_out, p->read_out);
    clip_to_device(conn);

    vb_status_t st = qp_up(conn);
    if (st != VB_OK)
        return st == VB_E_INVAL ? VB_E_RESET
                                : st; /* the request was withdrawn: the CM has no attributes any more */
    struct rdma_conn_param param = {
        .private_data = p->data_bytes ? p->data : NULL,
        .private_data_len = (uint8_t)p->data_bytes,
        .responder_resources = conn->read_in,
        .initiator_depth = conn->read_out,
        .flow_control = 1,
        .rnr_retry_count = 7, /* what the peer's sends do when we have no receive: wait */
        .qp_num = qp_num,
    };
    conn->accepted_ns = pal_now_ns();
    set_state(conn, RC_CONN_ACCEPTED); /* before the call: the confirmation may be polled before it returns */
    if (rdma_accept(conn->id, &param) == 0) {
        delay_first_send(conn);
        return VB_OK;
    }
    st = rc_status_errno(errno);
    pal_mutex_lock(&conn->lock);
    if (conn->state == RC_CONN_ACCEPTED)
        conn->state = RC_CONN_REQUEST;
    pal_mutex_unlock(&conn->lock);
    return st == VB_E_INVAL || st == VB_E_STATE ? VB_E_RESET : st; /* withdrawn meanwhile */
}

vb_status_t rc_conn_reject(struct vb_conn *conn, const void *data, uint16_t data_bytes)
{
    if (conn->is_active || get_state(conn) != RC_CONN_REQUEST)
        return VB_E_STATE;
    if (data_bytes > (conn->is_iwarp ? RC_IWARP_DATA : RC_IB_REJECT_DATA))
        return VB_E_INVAL;
    set_state(conn, RC_CONN_ENDED);
    if (rdma_reject(conn->id, data_bytes ? data : NULL, (uint8_t)data_bytes) == 0)
        return VB_OK;
    vb_status_t st = rc_status_errno(errno);
    return st == VB_E_INVAL ? VB_E_RESET : st;
}

/* IB: the QP first, so that nothing is sent behind the disconnect request. iWARP: the kernel closes TCP
 *     behind what was sent, and stops
 * the QP; stopping it first would reset the connection and lose data that is still on the way. */
static void carry_out_disconnect(struct vb_conn *conn)
{
    if (!conn->is_iwarp)
        rc_link_stop(conn->link);
    (void)rdma_disconnect(
        conn->id); /* fails when the peer was faster: its DISCONNECTED is on the way or was reported */
}

void rc_conn_disconnect(struct vb_conn *conn)
{
    pal_mutex_lock(&conn->lock);
    const enum rc_conn_state state = conn->state;
    const bool is_first = !conn->is_disconnecting;
    conn->is_disconnecting = true;
    pal_mutex_unlock(&conn->lock);

    if (!is_first || state == RC_CONN_NEW || state == RC_CONN_REQUEST || state == RC_CONN_ENDED)
        return;
    if (state == RC_CONN_CONNECTED)
        carry_out_disconnect(conn);
    else
        rc_link_stop(conn->link); /* the CM cannot end what does not stand yet: rc_cm_poll() does it then */
}

/* ---- events ---- */

struct cm_event { /* what we need of an rdma_cm_event, which is acknowledged before we look */
    enum rdma_cm_event_type type;
    int status;
    struct rdma_cm_id *id;
    const struct rc_id_owner *owner; /* NULL: gone, and its id is being buried: not to be touched */
    const struct ibv_device *device; /* NULL: not tied to one */
    void *listener;
    uint8_t read_in, read_out;
};

static bool take(struct vb_cm *cm, struct cm_event *e, struct vb_cm_event *ev, int *err)
{
    struct rdma_cm_event *rdma;

    if (rdma_get_cm_event(cm->channel, &rdma) != 0) {
        *err = errno;
        return false;
    }
    e->type = rdma->event;
    e->status = rdma->status;
    e->id = rdma->id;
    e->owner = rdma->id->context;
    e->device = rdma->id->verbs ? rdma->id->verbs->device : NULL;
    e->listener = rdma->listen_id ? rdma->listen_id->context : NULL;
    e->read_in = rdma->param.conn.responder_resources;
    e->read_out = rdma->param.conn.initiator_depth;
    memset(ev, 0, sizeof *ev);
    if (rdma->param.conn.private_data && rdma->param.conn.private_data_len > 0) {
        ev->data_bytes = rdma->param.conn.private_data_len; /* one byte: fits */
        memcpy(ev->data, rdma->param.conn.private_data, ev->data_bytes);
    }
    (void)rdma_ack_cm_event(rdma);
    return true;
}

/* Turn an event into the last one of its connection. */
static bool report_end(struct vb_conn *conn, struct vb_cm_event *ev, enum vb_cm_event_kind kind,
                       vb_status_t st)
{
    end_dial(conn, false);
    set_state(conn, RC_CONN_ENDED);
    ev->kind = kind;
    ev->status = st;
    rc_link_stop(conn->link);
    return true;
}

/* siw: a read may take two places in the device (RC_SIW_PER_REQUEST). */
static void report_depths(const struct vb_conn *conn, struct vb_cm_event *ev)
{
    ev->read_in = conn->read_in;
    ev->read_out = conn->is_siw && conn->read_out > 1 ? conn->read_out / RC_SIW_PER_REQUEST : conn->read_out;
}

static bool report_established(struct vb_conn *conn, struct vb_cm_event *ev)
{
    conn->why = (struct rc_why){0};
    ev->kind = VB_CM_ESTABLISHED;
    report_depths(conn, ev);
    pal_mutex_lock(&conn->lock);
    conn->state = RC_CONN_CONNECTED;
    const bool is_disconnecting = conn->is_disconnecting;
    pal_mutex_unlock(&conn->lock);
    if (is_disconnecting) /* asked for while it was not possible */
        carry_out_disconnect(conn);
    return true;
}

static bool on_request(struct vb_cm *cm, const struct cm_event *e, struct vb_cm_event *ev)
{
    const struct vb_listener *l = e->listener;
    struct vb_conn *conn = l ? alloc_conn(cm, NULL) : NULL;
    if (!conn) {
        (void)rdma_destroy_id(e->id); /* rejects it */
        return false;
    }
    conn->id = e->id;
    conn->state = RC_CONN_REQUEST;
    conn->is_iwarp = is_iwarp(e->id);
    conn->is_siw = conn->is_iwarp && rc_is_siw(cm->be, e->id->verbs->device);
    conn->read_in = e->read_in;
    conn->read_out = e->read_out;
    rc_addr_from_sockaddr(rdma_get_local_addr(e->id), &conn->local);
    rc_addr_from_sockaddr(rdma_get_peer_addr(e->id), &conn->remote);
    if (conn->local.scope == 0)
        conn->local.scope = l->addr.scope;
    rc_addr_restore_scope(&conn->local, &conn->remote);
    e->id->context = conn;
    ev->kind = VB_CM_REQUEST;
    ev->conn = conn;
    ev->context = l->context;
    report_depths(conn, ev);
    return true;
}

static vb_status_t dial(struct vb_conn *conn, const struct rdma_conn_param *param)
{
    vb_status_t st = VB_E_STATE; /* the QP went meanwhile */
    pal_mutex_lock(&conn->link->lock);
    if (conn->link->qp)
        st = rc_dial_start(conn->cm, conn->id, param, &conn->dial);
    pal_mutex_unlock(&conn->link->lock);
    if (st == VB_OK) {
        conn->next_dialing = conn->cm->dialing;
        conn->cm->dialing = conn;
    }
    return st;
}

static vb_status_t connect_now(struct vb_conn *conn)
{
    uint32_t qp_num;
    if (!qp_number(conn, &qp_num))
        return VB_E_STATE;
    struct rdma_conn_param param = {
        .private_data = conn->data_bytes ? conn->data : NULL,
        .private_data_len = (uint8_t)conn->data_bytes,
        .responder_resources = conn->read_in,
        .initiator_depth = conn->read_out,
        .flow_control = 1,
        .retry_count = 7,
        .rnr_retry_count = 7,
        .qp_num = qp_num,
    };
    if (conn->is_siw)
        return dial(conn, &param);
    if (rdma_connect(conn->id, &param) == 0)
        return VB_OK;
    rc_why_call(conn, "rdma_connect", errno);
    return rc_status_errno(conn->why.code);
}

static bool report_connect_error(struct vb_conn *conn, struct vb_cm_event *ev, vb_status_t st)
{
    return report_end(conn, ev, st == VB_E_NOSERVICE ? VB_CM_REJECTED : VB_CM_FAILED, st);
}

/* A dial whose rdma_connect() failed: the kernel sends no event for it. */
static bool dial_that_failed(struct vb_cm *cm, struct vb_cm_event *ev)
{
    int err;

    if (!pal_load_acquire(&cm->is_rung))
        return false;
    /* Both before looking: whoever rings in between has a result that is seen below, later ones ring again. */
    (void)pal_swap_acq_rel(&cm->is_rung, false);
    pal_alarm_set(cm->bell, 0);
    for (struct vb_conn *conn = cm->dialing; conn; conn = conn->next_dialing) {
        if (!rc_dial_failed(conn->dial, &err))
            continue;
        rc_why_call(conn, "rdma_connect", err);
        rc_cm_ring(cm); /* there may be others */
        memset(ev, 0, sizeof *ev);
        ev->conn = conn;
        ev->context = conn->context;
        return report_connect_error(conn, ev, rc_status_errno(err));
    }
    return false;
}

/* true: *ev is to be reported. */
static bool on_connecting(struct vb_conn *conn, const struct cm_event *e, struct vb_cm_event *ev)
{
    vb_status_t st;

    switch (e->type) {
    case RDMA_CM_EVENT_ADDR_RESOLVED:
        if (rdma_resolve_route(conn->id, (int)conn->timeout_ms) == 0)
            return false;
        rc_why_call(conn, "rdma_resolve_route", errno);
        return report_end(conn, ev, VB_CM_FAILED, rc_status_errno(conn->why.code));
    case RDMA_CM_EVENT_ROUTE_RESOLVED:
        st = connect_now(conn);
        return st != VB_OK && report_connect_error(conn, ev, st);
    case RDMA_CM_EVENT_CONNECT_RESPONSE:
        conn->read_in = min_u8(conn->read_in, e->read_in);
        conn->read_out = min_u8(conn->read_out, e->read_out);
        st = qp_up(conn);
        if (st == VB_OK && rdma_establish(conn->id) != 0) {
            rc_why_call(conn, "rdma_establish", errno);
            st = rc_status_errno(conn->why.code);
        }
        return st == VB_OK ? report_established(conn, ev) : report_end(conn, ev, VB_CM_FAILED, st);
    case RDMA_CM_EVENT_ESTABLISHED: { /* iWARP; devices disagree on which of the two depths is which */
        const uint8_t agreed = min_u8(e->read_in, e->read_out);
        conn->read_in = min_u8(conn->read_in, agreed);
        conn->read_out = min_u8(conn->read_out, agreed);
        st = qp_up(conn);
        return st == VB_OK ? report_established(conn, ev) : report_end(conn, ev, VB_CM_FAILED, st);
    }
    case RDMA_CM_EVENT_REJECTED: {
        enum vb_cm_event_kind kind = rc_status_reject(e->status, &st);
        if (st != VB_E_REJECTED)
            ev->data_bytes = 0; /* IB: always the whole field, here of a message that no consumer wrote */
        return report_end(conn, ev, kind, st);
    }
    case RDMA_CM_EVENT_ADDR_ERROR: /* no answer to neighbour discovery comes as ETIMEDOUT */
    case RDMA_CM_EVENT_ROUTE_ERROR:
        st = rc_status_errno(e->status);
        return report_end(conn, ev, VB_CM_FAILED, st == VB_E_NOMEM || st == VB_E_NODEV ? st : VB_E_UNREACH);
    case RDMA_CM_EVENT_UNREACHABLE:
        st = rc_status_errno(e->status);
        return report_end(conn, ev, VB_CM_FAILED, st == VB_E_TIMEOUT ? st : VB_E_UNREACH);
    case RDMA_CM_EVENT_CONNECT_ERROR:
    case RDMA_CM_EVENT_DISCONNECTED:
        st = e->status ? rc_status_errno(e->status) : VB_E_RESET;
        return report_end(conn, ev, VB_CM_FAILED,
                          st == VB_E_INVAL ? VB_E_RESET : st); /* siw: EINVAL for bad replies */
    default: return false;
    }
}

static bool on_accepted(struct vb_conn *conn, const struct cm_event *e, struct vb_cm_event *ev)
{
    switch (e->type) {
    case RDMA_CM_EVENT_ESTABLISHED:
        ev->data_bytes = 0; /* the confirmation carries nothing of the peer */
        delay_first_send(conn);
        return report_established(conn, ev);
    case RDMA_CM_EVENT_UNREACHABLE: return report_end(conn, ev, VB_CM_FAILED, VB_E_TIMEOUT);
    case RDMA_CM_EVENT_REJECTED:
    case RDMA_CM_EVENT_CONNECT_ERROR: return report_end(conn, ev, VB_CM_FAILED, VB_E_RESET);
    case RDMA_CM_EVENT_DISCONNECTED:
        if (!conn->is_iwarp)
            (void)rdma_disconnect(conn->id);
        return report_end(conn, ev, VB_CM_DISCONNECTED, VB_OK);
    default: return false;
    }
}

static bool on_connected(struct vb_conn *conn, const struct cm_event *e, struct vb_cm_event *ev)
{
    switch (e->type) {
    case RDMA_CM_EVENT_DISCONNECTED:
    case RDMA_CM_EVENT_CONNECT_ERROR:
    case RDMA_CM_EVENT_REJECTED:
    case RDMA_CM_EVENT_UNREACHABLE:
        report_end(conn, ev, VB_CM_DISCONNECTED, VB_OK);
        if (!conn->is_iwarp) /* answer the peer's request now: its own event waits for it */
            (void)rdma_disconnect(conn->id);
        return true;
    default: return false;
    }
}

/* The kernel does not wait for the peer of this attempt any more. */
static bool is_answer(enum rdma_cm_event_type type)
{
    return type == RDMA_CM_EVENT_CONNECT_RESPONSE || type == RDMA_CM_EVENT_CONNECT_ERROR ||
           type == RDMA_CM_EVENT_UNREACHABLE || type == RDMA_CM_EVENT_REJECTED ||
           type == RDMA_CM_EVENT_ESTABLISHED || type == RDMA_CM_EVENT_DISCONNECTED;
}

static bool on_event(struct vb_cm *cm, const struct cm_event *e, struct vb_cm_event *ev)
{
    if (e->type == RDMA_CM_EVENT_CONNECT_REQUEST)
        return on_request(cm, e, ev);

    if (e->type == RDMA_CM_EVENT_DEVICE_REMOVAL && e->device)
        rc_device_removed(cm->be, e->device);
    if (!e->owner || e->owner->is_listener)
        return false;
    struct vb_conn *conn = (struct vb_conn *)(void *)(uintptr_t)e->owner;
    ev->conn = conn;
    ev->context = conn->context;
    if (is_answer(e->type)) {
        end_dial(conn, true);
        conn->is_unanswered = false;
    }
    const enum rc_conn_state state = get_state(conn);
    if (state == RC_CONN_ENDED)
        return false;
    if (e->type == RDMA_CM_EVENT_DEVICE_REMOVAL)
        return report_end(conn, ev, VB_CM_DEV_GONE, VB_E_NODEV);
    if (e->type != RDMA_CM_EVENT_CONNECT_RESPONSE && e->type != RDMA_CM_EVENT_ESTABLISHED &&
        e->type != RDMA_CM_EVENT_REJECTED)
        ev->data_bytes = 0;
    if (state == RC_CONN_CONNECTING || state == RC_CONN_ACCEPTED)
        rc_why_event(conn, e->type, e->status);
    switch (state) {
    case RC_CONN_CONNECTING: return on_connecting(conn, e, ev);
    case RC_CONN_REQUEST:
        return (e->type == RDMA_CM_EVENT_REJECTED || e->type == RDMA_CM_EVENT_CONNECT_ERROR ||
                e->type == RDMA_CM_EVENT_UNREACHABLE || e->type == RDMA_CM_EVENT_DISCONNECTED) &&
               report_end(conn, ev, VB_CM_WITHDRAWN, VB_E_RESET);
    case RC_CONN_ACCEPTED: return on_accepted(conn, e, ev);
    case RC_CONN_CONNECTED: return on_connected(conn, e, ev);
    default: /* NEW: nothing can have happened. ENDED: TIMEWAIT_EXIT and the like */ return false;
    }
}

vb_status_t rc_cm_poll(struct vb_cm *cm, struct vb_cm_event *ev)
{
    struct cm_event e;
    int err = 0;

    if (dial_that_failed(cm, ev))
        return VB_OK;
    while (take(cm, &e, ev, &err))
        if (on_event(cm, &e, ev))
            return VB_OK;
    if (err == EINTR || err == ENOMEM)
        return VB_E_AGAIN; /* still there: the channel stays readable */
    return err == EAGAIN ? VB_E_AGAIN : VB_E_FATAL;
}
