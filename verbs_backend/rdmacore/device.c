/* device.c - opening the backend and its devices, capabilities, asynchronous events; the operations table.
 * Layer:   verbs_backend/rdmacore.
 * Choice:  every vb_dev opens the device itself instead of using librdmacm's context: that one is shared with
 *          everybody in the process, and its asynchronous events with it. The CM only needs QP numbers, so it
 *          does not mind.
 * Threads: any; asynchronous events are taken by one thread at a time (rc_async_poll). */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rdmacore.h"

static const char how_to_get_one[] =
    "load the adapter's driver, or make a software device (modprobe rdma_rxe; "
    "rdma link add rxe0 type rxe netdev IFACE), or run inside scripts/vm/guest.sh";

/* One sentence for the caller of vb_open(), who may not want it. */
#define SAY_WHY(...) (void)snprintf(why, why ? why_bytes : 0, __VA_ARGS__)

/* Writes "rxe0, siw0" and returns how many devices there are, -1 when the kernel has no RDMA at all. */
static int device_names(char *out, size_t bytes)
{
    int count = 0;
    size_t used = 0;
    struct ibv_device **list = ibv_get_device_list(&count);

    out[0] = '\0';
    if (!list)
        return -1;
    for (int i = 0; i < count && used < bytes; i++)
        used += (size_t)snprintf(out + used, bytes - used, "%s%s", i ? ", " : "",
                                 ibv_get_device_name(list[i]));
    ibv_free_device_list(list);
    return count;
}

static bool set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static int open_netlink(void)
{
    struct sockaddr_nl me = {.nl_family = AF_NETLINK,
                             .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&me, sizeof me) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static bool watch(struct vb_backend *be, int fd, void *what)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = what};
    return fd >= 0 && epoll_ctl(be->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static void rc_close(struct vb_backend *be)
{
    rc_bury_wait(be);
    if (be->removal_fd >= 0)
        (void)close(be->removal_fd);
    if (be->netlink_fd >= 0)
        (void)close(be->netlink_fd);
    if (be->epoll_fd >= 0)
        (void)close(be->epoll_fd);
    if (be->probe)
        rdma_destroy_event_channel(be->probe);
    pal_mutex_fini(&be->lock);
    free(be);
}

static vb_status_t rc_open(struct vb_backend **out, char *why, size_t why_bytes)
{
    char names[256];
    const int count = device_names(names, sizeof names);
    if (count <= 0) {
        SAY_WHY("rdmacore: no RDMA device (%s); %s",
                count < 0 ? "the kernel offers no verbs interface" : "/sys/class/infiniband is empty",
                how_to_get_one);
        return VB_E_NODEV;
    }

    struct vb_backend *be = calloc(1, sizeof *be);
    if (!be || !pal_mutex_init(&be->lock)) {
        free(be);
        SAY_WHY("rdmacore: out of memory");
        return VB_E_NOMEM;
    }
    be->epoll_fd = be->netlink_fd = be->removal_fd = -1;

    vb_status_t st;
    be->probe = rdma_create_event_channel();
    if (!be->probe) {
        st = rc_status_errno(errno);
        SAY_WHY(
            "rdmacore: found %s, but cannot open the connection manager (/dev/infiniband/rdma_cm: %s); %s",
            names, strerror(errno), st == VB_E_DENIED ? "give this user access to it" : "modprobe rdma_ucm");
        goto err;
    }
    be->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    be->netlink_fd = open_netlink();
    be->removal_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (be->epoll_fd < 0 || !watch(be, be->netlink_fd, &be->netlink_fd) ||
        !watch(be, be->removal_fd, &be->removal_fd)) {
        st = rc_status_errno(errno);
        SAY_WHY("rdmacore: cannot watch for address changes: %s", strerror(errno));
        goto err;
    }

    uint32_t addr_count = 0;
    st = rc_addr_list(be, NULL, &addr_count);
    if (st == VB_OK) { /* room for none was enough: there is none */
        st = VB_E_NODEV;
        SAY_WHY("rdmacore: found %s, but no IP address on an interface that is up belongs to it; "
                "give its interface an address (loopback does not count)",
                names);
        goto err;
    }
    if (st != VB_E_AGAIN) {
        SAY_WHY("rdmacore: cannot list the addresses of %s: %s", names, vb_status_text(st));
        goto err;
    }
    *out = be;
    return VB_OK;
err:
    rc_close(be);
    return st;
}

/* ---- devices ---- */

/* siw's library takes the mapping offset 0x90000 for "no mapping" (SIW_INVAL_UOBJ_KEY), though the kernel
 * hands it out like any other: the object that gets it, at some 24 connections, cannot be created, and
 * neither can any after it. A queue that covers the offset (32768 entries of 32 bytes, from offset 0) and is
 * never used keeps it out of the way. */
#define SIW_FILLER_ENTRIES 32768

/* What a QP grants inline differs by device and is told by no query: try. Also finds out whether windows
 * really work. */
static void probe_qp_features(struct vb_dev *dev, bool claims_windows)
{
    static const uint32_t sizes[] = {1024, 512, 256, 220, 128, 96, 80, 64, 32};
    struct ibv_pd *pd = ibv_alloc_pd(dev->ctx);
    struct ibv_cq *cq = ibv_create_cq(dev->ctx, 4, NULL, NULL, 0);

    for (size_t i = 0; pd && cq && i < sizeof sizes / sizeof *sizes; i++) {
        struct ibv_qp_init_attr attr = {
            .send_cq = cq,
            .recv_cq = cq,
            .qp_type = IBV_QPT_RC,
            .cap = {.max_send_wr = 2,
                    .max_recv_wr = 2,
                    .max_send_sge = 1,
                    .max_recv_sge = 1,
                    .max_inline_data = sizes[i]},
        };
        struct ibv_qp *qp = ibv_create_qp(pd, &attr);
        if (qp) {
            dev->caps.max_inline_bytes = attr.cap.max_inline_data;
            (void)ibv_destroy_qp(qp);
            break;
        }
    }
    if (pd && claims_windows) {
        struct ibv_mw *mw = ibv_alloc_mw(pd, IBV_MW_TYPE_2);
        if (mw) {
            dev->caps.flags |= VB_CAP_MW_TYPE2 | (dev->is_rxe ? 0u : (unsigned)VB_CAP_WINDOW_BOUNDS);
            (void)ibv_dealloc_mw(mw);
        }
    }
    if (cq)
        (void)ibv_destroy_cq(cq);
    if (pd)
        (void)ibv_dealloc_pd(pd);
}

static bool has_roce_v2(struct vb_dev *dev)
{
    struct ibv_gid_entry gids[32];
    ssize_t count = ibv_query_gid_table(dev->ctx, gids, sizeof gids / sizeof *gids, 0);

    for (ssize_t i = 0; i < count; i++)
        if (gids[i].port_num == dev->port && gids[i].gid_type == IBV_GID_TYPE_ROCE_V2)
            return true;
    return count < 0; /* table does not fit or cannot be read: version 2 is what is in use */
}

static uint8_t depth(int device_max)
{
    return (uint8_t)
        device_max; /* cut the way librdmacm cuts it, which refuses larger values in connect and accept */
}

#define RXE_VENDOR_ID 0xffffff /* drivers/infiniband/sw/rxe/rxe_param.h */
#define SIW_VENDOR_ID 0x626d74 /* "bmt": drivers/infiniband/sw/siw/siw.h */

static vb_status_t query(struct vb_dev *dev)
{
    struct ibv_device_attr attr;
    struct ibv_port_attr port;
    struct vb_caps *c = &dev->caps;
    const bool is_iwarp = dev->ctx->device->transport_type == IBV_TRANSPORT_IWARP;

    int rv = ibv_query_device(dev->ctx, &attr);
    if (rv == 0)
        rv = ibv_query_port(dev->ctx, dev->port, &port);
    if (rv != 0)
        return rc_status_call(rv);

    dev->is_iwarp = is_iwarp;
    dev->is_ib_link = !is_iwarp && port.link_layer != IBV_LINK_LAYER_ETHERNET;
    dev->is_rxe = !is_iwarp && attr.vendor_id == RXE_VENDOR_ID;
    dev->is_siw = is_iwarp && attr.vendor_id == SIW_VENDOR_ID;
    dev->max_read_sge = attr.max_sge_rd > 0 ? (uint32_t)attr.max_sge_rd : (uint32_t)attr.max_sge;
    if (is_iwarp) /* one sink per read request message (RFC 5040, 5.4) */
        dev->max_read_sge = 1;

    (void)snprintf(c->device, sizeof c->device, "%s", ibv_get_device_name(dev->ctx->device));
    (void)snprintf(c->transport, sizeof c->transport, "%s",
                   is_iwarp           ? "iWARP"
                   : dev->is_ib_link  ? "InfiniBand"
                   : has_roce_v2(dev) ? "RoCEv2"
                                      : "RoCEv1");
    c->max_qp_wr = (uint32_t)attr.max_qp_wr;
    c->max_sge = (uint32_t)attr.max_sge;
    c->max_read_sge = dev->max_read_sge;
    c->max_cqe = (uint32_t)attr.max_cqe;
    c->max_msg_bytes = port.max_msg_sz < (1u << 30) ? port.max_msg_sz : 1u << 30; /* siw claims 4 GiB - 1 */
    c->max_mr_bytes = attr.max_mr_size;
    c->max_read_in = depth(attr.max_qp_rd_atom);
    c->max_read_out = depth(attr.max_qp_init_rd_atom);
    c->mtu_bytes = port.active_mtu >= IBV_MTU_256 && port.active_mtu <= IBV_MTU_4096 ? 128u << port.active_mtu
                                                                                     : 0;
    if (c->max_read_in > 0 && c->max_read_out > 0)
        c->flags |= VB_CAP_RDMA_READ;
    if (is_iwarp) {
        c->flags |= VB_CAP_READ_SINK_REMOTE;
        c->max_request_data = c->max_reply_data = c->max_reject_data = RC_IWARP_DATA;
    } else {
        c->flags |= VB_CAP_RECV_FLOW_CONTROL;
        c->max_request_data = RC_IB_REQUEST_DATA;
        c->max_reply_data = RC_IB_REPLY_DATA;
        c->max_reject_data = RC_IB_REJECT_DATA;
    }
    if (dev->is_siw) {
        c->flags |= VB_CAP_FENCE_STALLS; /* siw_activate_tx(): one place for both, taken by what waits */
        c->max_qp_wr /= RC_SIW_PER_REQUEST;
        c->max_cqe /= RC_SIW_PER_REQUEST;
    }
    if (dev->is_siw)
        dev->siw_filler = ibv_create_cq(dev->ctx, SIW_FILLER_ENTRIES, NULL, NULL, 0);
    probe_qp_features(
        dev, (attr.device_cap_flags & (IBV_DEVICE_MEM_WINDOW_TYPE_2A | IBV_DEVICE_MEM_WINDOW_TYPE_2B)) != 0);
    return VB_OK;
}

static struct vb_dev *find_locked(struct vb_backend *be, const struct ibv_device *device, uint8_t port)
{
    PAL_ASSERT_HELD(&be->lock);
    for (struct vb_dev *d = be->devs; d; d = d->next)
        if (!d->is_removed && !d->is_gone && d->ctx->device == device && d->port == port)
            return d;
    return NULL;
}

bool rc_is_siw(struct vb_backend *be, const struct ibv_device *device)
{
    bool is_siw = false;
    pal_mutex_lock(&be->lock);
    for (const struct vb_dev *d = be->devs; d; d = d->next)
        is_siw |= d->ctx->device == device && d->is_siw;
    pal_mutex_unlock(&be->lock);
    return is_siw;
}

static void free_dev(struct vb_dev *dev)
{
    if (dev->siw_filler)
        (void)ibv_destroy_cq(dev->siw_filler);
    (void)ibv_close_device(dev->ctx);
    free(dev);
}

static vb_status_t create_dev(struct vb_backend *be, struct rdma_cm_id *id, struct vb_dev **out)
{
    struct vb_dev *dev = calloc(1, sizeof *dev);
    if (!dev)
        return VB_E_NOMEM;
    dev->be = be;
    dev->refs = 1;
    dev->port = id->port_num;
    errno = 0;
    dev->ctx = ibv_open_device(id->verbs->device);
    if (!dev->ctx) {
        vb_status_t st = errno ? rc_status_errno(errno) : VB_E_NODEV;
        free(dev);
        return st;
    }
    vb_status_t st = set_nonblocking(dev->ctx->async_fd) ? query(dev) : VB_E_FATAL;
    if (st != VB_OK) {
        free_dev(dev);
        return st;
    }
    *out = dev;
    return VB_OK;
}

/* The device of a bound id if it is open already, with a reference. */
static struct vb_dev *hold_open_dev(struct vb_backend *be, const struct rdma_cm_id *id)
{
    pal_mutex_lock(&be->lock);
    struct vb_dev *dev = find_locked(be, id->verbs->device, id->port_num);
    if (dev)
        dev->refs++;
    pal_mutex_unlock(&be->lock);
    return dev;
}

/* Add a device that has just been opened; false leaves it with the caller: it cannot be watched (*st), or
 * somebody was faster. */
static bool publish_dev(struct vb_backend *be, struct vb_dev *dev, vb_status_t *st)
{
    bool is_in = false;

    pal_mutex_lock(&be->lock);
    if (!find_locked(be, dev->ctx->device, dev->port)) {
        is_in = watch(be, dev->ctx->async_fd, dev);
        if (is_in) {
            dev->next = be->devs;
            be->devs = dev;
        } else {
            *st = rc_status_errno(errno);
        }
    }
    pal_mutex_unlock(&be->lock);
    return is_in;
}

static vb_status_t rc_dev_open(struct vb_backend *be, const struct vb_addr *local, struct vb_dev **out)
{
    struct rdma_cm_id *id = NULL; /* holds the device while we look at it */
    vb_status_t st = rc_addr_probe(be, local, &id);
    if (st != VB_OK)
        return st;

    struct vb_dev *dev = hold_open_dev(be, id);
    while (!dev && st == VB_OK) { /* opening takes milliseconds: not under the lock */
        st = create_dev(be, id, &dev);
        if (st == VB_OK && !publish_dev(be, dev, &st)) {
            free_dev(dev);
            dev = hold_open_dev(be, id);
        }
    }
    (void)rdma_destroy_id(id);
    if (st == VB_OK)
        *out = dev;
    return st;
}

static void rc_dev_close(struct vb_dev *dev)
{
    struct vb_backend *be = dev->be;

    pal_mutex_lock(&be->lock);
    bool is_last = --dev->refs == 0;
    if (is_last) {
        struct vb_dev **p = &be->devs;
        while (*p != dev)
            p = &(*p)->next;
        *p = dev->next;
        (void)epoll_ctl(be->epoll_fd, EPOLL_CTL_DEL, dev->ctx->async_fd, NULL); /* is out already when gone */
    }
    pal_mutex_unlock(&be->lock);
    if (is_last) {
        rc_bury_wait(be);
        free_dev(dev);
    }
}

static void rc_dev_caps(const struct vb_dev *dev, struct vb_caps *out)
{
    *out = dev->caps;
}

static bool rc_dev_owns(struct vb_dev *dev, const struct vb_addr *local)
{
    struct rdma_cm_id *id = NULL;
    if (rc_addr_probe(dev->be, local, &id) != VB_OK)
        return false;
    bool owns = id->verbs->device == dev->ctx->device && id->port_num == dev->port;
    (void)rdma_destroy_id(id);
    return owns;
}

/* ---- asynchronous events ---- */

/* true: at least one message said that links or addresses changed. Several changes count once. */
static bool drain_netlink(int fd)
{
    union {
        struct nlmsghdr head;
        char bytes[8192];
    } buf;
    bool changed = false;

    for (;;) {
        ssize_t got = recv(fd, &buf, sizeof buf, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == ENOBUFS) { /* messages were lost: assume the interesting kind */
            changed = true;
            continue;
        }
        if (got <= 0)
            return changed;
        unsigned left = (unsigned)got;
        for (struct nlmsghdr *m = &buf.head; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left))
            changed |= m->nlmsg_type == RTM_NEWADDR || m->nlmsg_type == RTM_DELADDR ||
                       m->nlmsg_type == RTM_NEWLINK || m->nlmsg_type == RTM_DELLINK;
    }
}

static bool gone_locked(struct vb_dev *dev, struct vb_async_event *ev)
{
    if (dev->is_gone)
        return false;
    dev->is_gone = true;
    ev->kind = VB_ASYNC_DEV_GONE;
    ev->dev = dev;
    return true;
}

enum took { TOOK_NOTHING, TOOK_SILENT, TOOK_EVENT };

/* Events of QPs and CQs hold up the destroy of the object until they are acknowledged, so element and context
 * are valid here, and the acknowledgement comes last. */
static enum took take_device_event_locked(struct vb_dev *dev, struct vb_async_event *ev)
{
    struct ibv_async_event ib;
    bool report = false;

    if (ibv_get_async_event(dev->ctx, &ib) != 0) {
        if (errno == EAGAIN || errno == EINTR)
            return TOOK_NOTHING;
        (void)epoll_ctl(dev->be->epoll_fd, EPOLL_CTL_DEL, dev->ctx->async_fd,
                        NULL); /* EIO for ever after a removal */
        return gone_locked(dev, ev) ? TOOK_EVENT : TOOK_SILENT;
    }
    switch (ib.event_type) {
    case IBV_EVENT_COMM_EST: {
        struct vb_qp *qp = ib.element.qp->qp_context;
        struct rc_link *link = pal_load_acquire(&qp->link);
        if (link) {
            pal_mutex_lock(&link->lock);
            if (link->conn)
                rc_conn_comm_est(link->conn);
            pal_mutex_unlock(&link->lock);
        }
        break;
    }
    case IBV_EVENT_QP_FATAL:
    case IBV_EVENT_QP_REQ_ERR:
    case IBV_EVENT_QP_ACCESS_ERR:
        ev->kind = VB_ASYNC_QP_FATAL;
        ev->qp_context = ((struct vb_qp *)ib.element.qp->qp_context)->context;
        report = !((struct vb_qp *)ib.element.qp->qp_context)->is_buried;
        break;
    case IBV_EVENT_CQ_ERR:
        ev->kind = VB_ASYNC_CQ_ERROR;
        ev->cq = ib.element.cq->cq_context;
        report = true;
        break;
    case IBV_EVENT_DEVICE_FATAL: report = gone_locked(dev, ev); break;
    case IBV_EVENT_PORT_ACTIVE:
    case IBV_EVENT_PORT_ERR:
    case IBV_EVENT_GID_CHANGE:
    case IBV_EVENT_LID_CHANGE:
    case IBV_EVENT_PKEY_CHANGE:
        ev->kind = VB_ASYNC_ADDR_CHANGE;
        report = true;
        break;
    default: /* SQ_DRAINED, LAST_WQE_REACHED, PATH_MIG, SRQ and subnet manager events: nothing to do */ break;
    }
    ibv_ack_async_event(&ib);
    return report ? TOOK_EVENT : TOOK_SILENT;
}

void rc_device_removed(struct vb_backend *be, const struct ibv_device *device)
{
    const uint64_t one = 1;
    bool found = false;

    pal_mutex_lock(&be->lock);
    for (struct vb_dev *d = be->devs; d; d = d->next)
        if (d->ctx->device == device && !d->is_gone)
            found = d->is_removed = true;
    pal_mutex_unlock(&be->lock);
    if (found && write(be->removal_fd, &one, sizeof one) < 0) { /* EAGAIN: is signalled already */
    }
}

/* One removed device that was not reported; false resets the signal. */
static bool take_removal(struct vb_backend *be, struct vb_async_event *ev)
{
    uint64_t count;
    bool found = false;

    pal_mutex_lock(&be->lock);
    for (struct vb_dev *d = be->devs; d && !found; d = d->next)
        found = d->is_removed && gone_locked(d, ev);
    if (!found && read(be->removal_fd, &count, sizeof count) < 0) { /* EAGAIN: was reset already */
    }
    pal_mutex_unlock(&be->lock);
    return found;
}

static vb_status_t rc_async_poll(struct vb_backend *be, struct vb_async_event *ev)
{
    bool progress = true;

    memset(ev, 0, sizeof *ev);
    while (progress) {
        struct epoll_event ready[8];
        int count = epoll_wait(be->epoll_fd, ready, 8, 0);
        progress = false;
        for (int i = 0; i < count; i++) {
            if (ready[i].data.ptr == &be->netlink_fd) {
                if (drain_netlink(be->netlink_fd)) {
                    ev->kind = VB_ASYNC_ADDR_CHANGE;
                    return VB_OK;
                }
                continue;
            }
            if (ready[i].data.ptr == &be->removal_fd) {
                if (take_removal(be, ev))
                    return VB_OK;
                continue;
            }
            enum took took = TOOK_NOTHING;
            pal_mutex_lock(&be->lock);
            for (struct vb_dev *d = be->devs; d;
                 d = d->next) /* it may have been closed since epoll named it */
                if (d == ready[i].data.ptr)
                    took = take_device_event_locked(d, ev);
            pal_mutex_unlock(&be->lock);
            if (took == TOOK_EVENT)
                return VB_OK;
            progress |= took == TOOK_SILENT;
        }
    }
    return VB_E_AGAIN;
}

static pal_waitable rc_async_waitable(struct vb_backend *be)
{
    return be->epoll_fd;
}

const struct vb_ops vb_rdmacore_ops = {
    .name = "rdmacore",
    .open = rc_open,
    .close = rc_close,
    .addr_list = rc_addr_list,
    .route = rc_route,
    .async_poll = rc_async_poll,
    .async_waitable = rc_async_waitable,
    .dev_open = rc_dev_open,
    .dev_close = rc_dev_close,
    .dev_caps = rc_dev_caps,
    .dev_owns = rc_dev_owns,
    .pd_create = rc_pd_create,
    .pd_destroy = rc_pd_destroy,
    .mr_reg = rc_mr_reg,
    .mr_dereg = rc_mr_dereg,
    .mr_lkey = rc_mr_lkey,
    .mr_rkey = rc_mr_rkey,
    .mw_alloc = rc_mw_alloc,
    .mw_free = rc_mw_free,
    .mw_rkey = rc_mw_rkey,
    .cq_create = rc_cq_create,
    .cq_destroy = rc_cq_destroy,
    .cq_poll = rc_cq_poll,
    .cq_arm = rc_cq_arm,
    .cq_waitable = rc_cq_waitable,
    .cq_ack = rc_cq_ack,
    .qp_create = rc_qp_create,
    .qp_destroy = rc_qp_destroy,
    .qp_stop = rc_qp_stop,
    .qp_number = rc_qp_number,
    .post_send = rc_post_send,
    .post_recv = rc_post_recv,
    .cm_create = rc_cm_create,
    .cm_destroy = rc_cm_destroy,
    .cm_waitable = rc_cm_waitable,
    .cm_poll = rc_cm_poll,
    .listen = rc_listen,
    .listener_addr = rc_listener_addr,
    .listener_destroy = rc_listener_destroy,
    .conn_create = rc_conn_create,
    .conn_destroy = rc_conn_destroy,
    .conn_set_context = rc_conn_set_context,
    .conn_addrs = rc_conn_addrs,
    .conn_bind_qp = rc_conn_bind_qp,
    .conn_connect = rc_conn_connect,
    .conn_accept = rc_conn_accept,
    .conn_reject = rc_conn_reject,
    .conn_disconnect = rc_conn_disconnect,
    .conn_text = rc_conn_text,
};
