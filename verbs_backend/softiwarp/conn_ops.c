/* conn_ops.c - the operations of the table on connections; what happens on the wire is in conn.c. */
#include <string.h>

#include "si.h"

vb_status_t si_conn_create(struct vb_cm *cm, const struct vb_addr *local, void *context, struct vb_conn **out)
{
    const vb_status_t st = si_check_local(cm->be, local);
    if (st != VB_OK)
        return st;
    pal_mutex_lock(&cm->lock);
    struct vb_conn *c = si_conn_new(cm);
    if (c) {
        c->is_active = true;
        c->context = context;
        c->local = *local;
        *out = c;
    }
    pal_mutex_unlock(&cm->lock);
    return c ? VB_OK : VB_E_NOMEM;
}

static void stop_qp(struct vb_conn *c)
{
    if (!c->qp)
        return;
    pal_mutex_lock(&c->qp->lock);
    si_qp_stop_locked(c->qp);
    pal_mutex_unlock(&c->qp->lock);
    si_conn_take_signals(c);
}

void si_conn_destroy(struct vb_conn *c)
{
    struct vb_cm *cm = c->cm;
    struct vb_backend *be = cm->be;
    pal_mutex_lock(&be->link_lock);
    pal_mutex_lock(&cm->lock);
    stop_qp(c);
    if (c->qp) {
        pal_mutex_lock(&c->qp->lock);
        c->qp->conn = NULL;
        pal_mutex_unlock(&c->qp->lock);
        c->qp = NULL;
    }
    si_conn_take_signals(c); /* of a QP that was destroyed before */
    if (c->state == SI_CONN_REQUEST) {
        (void)si_conn_reply(c, SI_MAP_REJECT, NULL, 0);
        pal_socket_finish(c->sock);
    }
    si_conn_free(c);
    si_cm_deadline(cm);
    pal_mutex_unlock(&cm->lock);
    pal_mutex_unlock(&be->link_lock);
}

void si_conn_set_context(struct vb_conn *conn, void *context)
{
    pal_mutex_lock(&conn->cm->lock);
    conn->context = context;
    pal_mutex_unlock(&conn->cm->lock);
}

void si_conn_addrs(const struct vb_conn *conn, struct vb_addr *local, struct vb_addr *remote)
{
    pal_mutex_lock(&conn->cm->lock);
    *local = conn->local;
    *remote = conn->remote;
    pal_mutex_unlock(&conn->cm->lock);
}

vb_status_t si_conn_bind_qp(struct vb_conn *c, struct vb_qp *qp)
{
    struct vb_backend *be = c->cm->be;
    vb_status_t st = VB_E_STATE;
    if (qp->be != be)
        return VB_E_INVAL;
    pal_mutex_lock(&be->link_lock);
    pal_mutex_lock(&c->cm->lock);
    pal_mutex_lock(&qp->lock);
    if (!c->qp && !qp->conn && qp->state == SI_QP_RESET) {
        if (c->state == SI_CONN_IDLE || c->state == SI_CONN_REQUEST) {
            c->qp = qp;
            qp->conn = c;
            qp->state = SI_QP_INIT;
            st = VB_OK;
        } else if (!c->is_active && c->state == SI_CONN_DOWN) {
            st = VB_E_RESET;
        }
    }
    pal_mutex_unlock(&qp->lock);
    pal_mutex_unlock(&c->cm->lock);
    pal_mutex_unlock(&be->link_lock);
    return st;
}

static bool has_fresh_qp(struct vb_conn *c)
{
    if (!c->qp)
        return false;
    pal_mutex_lock(&c->qp->lock);
    const bool is = c->qp->state == SI_QP_INIT;
    pal_mutex_unlock(&c->qp->lock);
    return is;
}

vb_status_t si_conn_connect(struct vb_conn *c, const struct vb_addr *remote, const struct vb_conn_params *p)
{
    const struct si_settings *set = &c->cm->be->set;
    vb_status_t st = VB_OK;
    pal_mutex_lock(&c->cm->lock);
    if (!c->is_active || c->state != SI_CONN_IDLE || !has_fresh_qp(c)) {
        st = VB_E_STATE;
    } else if (p->data_bytes > SI_MAX_DATA || remote->family != c->local.family) {
        st = VB_E_INVAL;
    } else {
        c->remote = *remote;
        c->is_mapped = !set->has_plain_ports;
        c->with_crc = set->wants_crc;
        c->revision = set->revision;
        c->read_in = si_depth(p->read_in, SI_MAX_READS);
        c->read_out = si_depth(p->read_out, SI_MAX_READS);
        if (p->data_bytes)
            memcpy(c->out_data, p->data, p->data_bytes);
        c->out_bytes = p->data_bytes;
        /* for the address, and for the route: TCP finds both in one go */
        c->timeout_ms = p->timeout_ms ? (p->timeout_ms > UINT32_MAX / 2 ? UINT32_MAX : 2 * p->timeout_ms) : 1;
        si_conn_try(c);
    }
    pal_mutex_unlock(&c->cm->lock);
    return st;
}

vb_status_t si_conn_accept(struct vb_conn *c, const struct vb_conn_params *p)
{
    vb_status_t st = VB_OK;
    pal_mutex_lock(&c->cm->lock);
    if (!c->is_active && c->state == SI_CONN_DOWN) {
        st = VB_E_RESET;
    } else if (c->state != SI_CONN_REQUEST || !has_fresh_qp(c)) {
        st = VB_E_STATE;
    } else if (p->data_bytes > SI_MAX_DATA) {
        st = VB_E_INVAL;
    } else {
        c->read_in = si_depth(p->read_in, c->read_in);
        c->read_out = si_depth(p->read_out, c->read_out);
        if (c->rtr == RDMAP_READ_REQUEST + 1 && !c->read_in)
            c->read_in = 1; /* the peer offered nothing else, and it is a read */
        st = si_conn_reply(c, SI_MAP_ACCEPT, p->data, p->data_bytes) ? VB_OK : VB_E_RESET;
        if (st == VB_OK) {
            c->state = c->is_p2p ? SI_CONN_ACCEPTED : SI_CONN_UP;
            st = si_conn_give(c);
        }
        if (st != VB_OK) {
            si_conn_drop_socket(c);
            c->state = SI_CONN_DOWN;
        } else if (c->state == SI_CONN_ACCEPTED) {
            si_conn_watch(c, PAL_READABLE);
            si_conn_deadline(c, si_hello_ms(c->cm));
        } else { /* revision 1 has no confirmation */
            si_conn_watch(c, 0);
            si_cm_push(c, VB_CM_ESTABLISHED, VB_OK);
        }
    }
    pal_mutex_unlock(&c->cm->lock);
    return st;
}

vb_status_t si_conn_reject(struct vb_conn *c, const void *data, uint16_t data_bytes)
{
    vb_status_t st = VB_OK;
    pal_mutex_lock(&c->cm->lock);
    if (!c->is_active && c->state == SI_CONN_DOWN) {
        st = VB_E_RESET;
    } else if (c->state != SI_CONN_REQUEST) {
        st = VB_E_STATE;
    } else if (data_bytes > SI_MAX_DATA) {
        st = VB_E_INVAL;
    } else {
        (void)si_conn_reply(c, SI_MAP_REJECT, data,
                            data_bytes); /* fails when the peer has gone: it needs no answer */
        pal_socket_finish(c->sock);
        si_conn_watch(c, 0);
        c->state = SI_CONN_DOWN;
    }
    pal_mutex_unlock(&c->cm->lock);
    return st;
}

void si_conn_disconnect(struct vb_conn *c)
{
    pal_mutex_lock(&c->cm->lock);
    stop_qp(c);
    pal_mutex_unlock(&c->cm->lock);
}
