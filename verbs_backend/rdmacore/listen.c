/* listen.c - listeners: what address and port they have, and their end. Their requests come out of rc_cm_poll() (cm.c).
 * Layer:   verbs_backend/rdmacore.
 * Threads: any; the thread that polls the cm destroys. */
#include <errno.h>
#include <stdlib.h>

#include "rdmacore.h"

/* Any address: all devices, also those that come later. */
static vb_status_t bind_any(struct rdma_cm_id *id, const struct vb_addr *local)
{
    struct sockaddr_storage ss;

    if (rc_addr_to_sockaddr(local, &ss) == 0)
        return VB_E_INVAL;
    return rdma_bind_addr(id, (struct sockaddr *)&ss) == 0 ? VB_OK : rc_status_errno(errno);
}

static vb_status_t bind_listener(struct vb_listener *l, const struct vb_addr *local)
{
    return vb_addr_is_any(local) ? bind_any(l->id, local) : rc_addr_bind(l->id, local);
}

/* A listener that may have any port takes one that is free in TCP too, and keeps it there: an application owns the
 * port of its listener in TCP (contract 4.4), so none of them can ever want this one for the SAN. */
static vb_status_t bind_chosen_port(struct vb_listener *l, const struct vb_addr *local)
{
    vb_status_t st = VB_E_ADDRINUSE;
    for (int tries = 0; tries < 16 && st == VB_E_ADDRINUSE; tries++) {
        struct vb_addr with_port = *local;
        rc_port_release(l->tcp_port);
        st = rc_port_reserve(&with_port, &l->tcp_port);
        if (st == VB_OK)
            st = bind_listener(l, &with_port);
    }
    return st;
}

vb_status_t rc_listen(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog, void *context,
                      struct vb_listener **out)
{
    struct vb_listener *l = calloc(1, sizeof *l);
    if (!l)
        return VB_E_NOMEM;
    l->owner.is_listener = true;
    l->context = context;

    int only = 1; /* [::]:port and 0.0.0.0:port are two addresses */
    vb_status_t st;
    l->tcp_port = -1;
    if (rdma_create_id(cm->channel, &l->id, l, RDMA_PS_TCP) != 0) {
        st = rc_status_errno(errno);
        goto err;
    }
    if (local->family == VB_AF_IPV6)
        (void)rdma_set_option(l->id, RDMA_OPTION_ID, RDMA_OPTION_ID_AFONLY, &only, sizeof only);
    st = local->port ? bind_listener(l, local) : bind_chosen_port(l, local);
    if (st == VB_OK && rdma_listen(l->id, backlog > 0 ? (int)backlog : 1) != 0)
        st = rc_status_errno(errno);
    if (st != VB_OK)
        goto err_id;
    rc_addr_from_sockaddr(rdma_get_local_addr(l->id), &l->addr);
    l->addr.scope = local->scope;
    *out = l;
    return VB_OK;
err_id:
    (void)rdma_destroy_id(l->id);
    rc_port_release(l->tcp_port);
err:
    free(l);
    return st;
}

void rc_listener_addr(const struct vb_listener *l, struct vb_addr *out)
{
    *out = l->addr;
}

void rc_listener_destroy(struct vb_listener *l)
{
    (void)rdma_destroy_id(l->id); /* also rejects the requests that rc_cm_poll() has not delivered */
    rc_port_release(l->tcp_port);
    free(l);
}
