/* device.c - opening the backend, its one device, addresses, capabilities, asynchronous events; the operations table.
 * Choice: one device for all addresses of the host, since nothing of it depends on an interface. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "si.h"

/* ---- addresses ---- */

struct pal_addr si_to_pal(const struct vb_addr *a)
{
    struct pal_addr out = {.family = a->family, .port = a->port, .scope = a->scope};
    memcpy(out.ip, a->ip, sizeof out.ip);
    return out;
}

struct vb_addr si_from_pal(const struct pal_addr *a)
{
    struct vb_addr out;
    memset(&out, 0, sizeof out);
    out.family = a->family;
    out.port = a->port;
    out.scope = a->scope;
    memcpy(out.ip, a->ip, sizeof out.ip);
    return out;
}

vb_status_t si_status_net(enum pal_net n)
{
    switch (n) {
    case PAL_NET_OK: return VB_OK;
    case PAL_NET_AGAIN: return VB_E_AGAIN;
    case PAL_NET_EOF:
    case PAL_NET_RESET: return VB_E_RESET;
    case PAL_NET_REFUSED: return VB_E_NOSERVICE;
    case PAL_NET_UNREACH: return VB_E_UNREACH;
    case PAL_NET_TIMEOUT: return VB_E_TIMEOUT;
    case PAL_NET_INUSE: return VB_E_ADDRINUSE;
    case PAL_NET_NOTAVAIL: return VB_E_ADDRNOTAVAIL;
    case PAL_NET_FAULT: return VB_E_FAULT;
    case PAL_NET_NOMEM: return VB_E_NOMEM;
    case PAL_NET_DENIED: return VB_E_DENIED;
    case PAL_NET_FAILED: break;
    }
    return VB_E_FATAL;
}

#define IF_ADDRS_FIRST 64u

/* All addresses of the host, malloc'd; NULL when out of memory. */
static struct pal_if_addr *host_addrs(unsigned *count)
{
    for (unsigned room = IF_ADDRS_FIRST;;) {
        struct pal_if_addr *list = calloc(room, sizeof *list);
        int n = list ? pal_if_addrs(list, room) : -1;
        if (n >= 0 && (unsigned)n <= room) {
            *count = (unsigned)n;
            return list;
        }
        free(list);
        if (n < 0)
            return NULL;
        room = (unsigned)n + 8; /* some may appear meanwhile */
    }
}

/* addr_lock held. Keeps the list until the system reports a change: each connection asks three times, and a list costs a
 * dozen system calls where the question whether something changed costs one. The report of a change is queued before the
 * call that makes it returns (Linux: rtmsg_ifa(), rtmsg_ifinfo()), so nobody who made one gets an answer from before. */
static bool refresh_addrs(struct vb_backend *be)
{
    if (be->addr_watch && !pal_if_watch_take(be->addr_watch) && be->addrs)
        return true;
    free(be->addrs);
    be->addrs = host_addrs(&be->addr_count); /* what changes from now on is reported next time */
    return be->addrs != NULL;
}

vb_status_t si_check_local(struct vb_backend *be, const struct vb_addr *a)
{
    vb_status_t st = VB_E_NOMEM; /* of memory or of files: that says nothing about the address */
    if (vb_addr_is_any(a))
        return VB_E_ADDRNOTAVAIL;
    pal_mutex_lock(&be->addr_lock);
    if (refresh_addrs(be)) {
        st = VB_E_ADDRNOTAVAIL;
        for (unsigned i = 0; i < be->addr_count && st != VB_OK; i++) {
            struct vb_addr one = si_from_pal(&be->addrs[i].addr);
            if (vb_addr_same_ip(&one, a))
                st = VB_OK;
        }
    }
    pal_mutex_unlock(&be->addr_lock);
    return st;
}

static bool contains(const struct vb_addr *list, uint32_t count, const struct vb_addr *a)
{
    for (uint32_t i = 0; i < count; i++)
        if (vb_addr_same_ip(&list[i], a))
            return true;
    return false;
}

static uint32_t take_addrs(const struct pal_if_addr *all, unsigned count, bool loopback, struct vb_addr *out,
                           uint32_t room, uint32_t found)
{
    for (unsigned i = 0; i < count; i++) {
        struct vb_addr a = si_from_pal(&all[i].addr);
        if (all[i].is_loopback != loopback || vb_addr_is_any(&a) ||
            contains(out, found < room ? found : room, &a))
            continue;
        if (found < room)
            out[found] = a;
        found++;
    }
    return found;
}

static vb_status_t si_addr_list(struct vb_backend *be, struct vb_addr *out, uint32_t *count)
{
    unsigned all_count = 0;
    const uint32_t room = *count;
    struct pal_if_addr *all = host_addrs(&all_count);
    if (!all)
        return VB_E_NOMEM;
    uint32_t found = take_addrs(all, all_count, false, out, room, 0);
    if (found == 0 || be->set.loopback == SI_LOOPBACK_ON)
        found = take_addrs(all, all_count, true, out, room, found);
    free(all);
    *count = found;
    return found > room ? VB_E_AGAIN : VB_OK;
}

static vb_status_t check_listed(struct vb_backend *be, const struct vb_addr *a)
{
    struct vb_addr list[IF_ADDRS_FIRST];
    uint32_t count = IF_ADDRS_FIRST;
    vb_status_t st = si_addr_list(be, list, &count);
    if (st == VB_E_AGAIN)
        count = IF_ADDRS_FIRST;
    else if (st != VB_OK)
        return st;
    return contains(list, count, a) ? VB_OK : VB_E_ADDRNOTAVAIL;
}

static vb_status_t si_route(struct vb_backend *be, const struct vb_addr *remote, struct vb_addr *out_local)
{
    struct pal_addr to = si_to_pal(remote), from;
    enum pal_net n = pal_route_lookup(&to, &from);
    if (n != PAL_NET_OK)
        return n == PAL_NET_NOMEM ? VB_E_NOMEM : VB_E_UNREACH;
    struct vb_addr local = si_from_pal(&from);
    const vb_status_t st = check_listed(be, &local);
    if (st == VB_OK)
        *out_local = local;
    return st;
}

/* ---- open and close ---- */

static void si_close(struct vb_backend *be)
{
    while (be->async) {
        struct si_async *a = be->async;
        be->async = a->next;
        free(a);
    }
    pal_poller_destroy(be->async_wake);
    pal_if_watch_destroy(be->if_watch);
    pal_if_watch_destroy(be->addr_watch);
    free(be->addrs);
    pal_mutex_fini(&be->addr_lock);
    si_keys_fini(be);
    pal_mutex_fini(&be->cq_list_lock);
    pal_mutex_fini(&be->random_lock);
    pal_mutex_fini(&be->async_lock);
    pal_mutex_fini(&be->link_lock);
    free(be);
}

static vb_status_t si_open(struct vb_backend **out, char *why, size_t why_bytes)
{
    struct si_settings set;
    if (!si_settings_read(&set, why, why_bytes))
        return VB_E_INVAL;
    struct vb_backend *be = calloc(1, sizeof *be);
    if (!be)
        return VB_E_NOMEM;
    be->set = set;
    be->dev.be = be;
    be->next_qp_number = 1;
    if (!pal_mutex_init(&be->link_lock) || !pal_mutex_init(&be->async_lock) ||
        !pal_mutex_init(&be->random_lock) || !pal_mutex_init(&be->cq_list_lock) ||
        !pal_mutex_init(&be->addr_lock) || !si_keys_init(be)) {
        free(be); /* locks hold nothing on the systems where init can fail */
        return VB_E_NOMEM;
    }
    be->if_watch = pal_if_watch_create();
    be->addr_watch = pal_if_watch_create();
    be->async_wake = pal_poller_create(be->if_watch ? pal_if_watch_waitable(be->if_watch)
                                                    : PAL_WAITABLE_NONE);
    vb_status_t st = be->async_wake ? VB_OK : VB_E_NOMEM;
    uint32_t none = 0;
    if (st == VB_OK && !pal_random(be->random, sizeof be->random)) {
        (void)snprintf(why, why_bytes,
                       "softiwarp: the system gives no random numbers, so no key would be safe.");
        st = VB_E_NODEV;
    }
    be->random_left = sizeof be->random;
    if (st == VB_OK && si_addr_list(be, NULL, &none) == VB_OK) { /* room for none was enough */
        (void)snprintf(why, why_bytes,
                       "softiwarp: no interface of this host is up with an IP address, not even "
                       "loopback; bring one up (ip link set lo up).");
        st = VB_E_NODEV;
    }
    if (st != VB_OK) {
        si_close(be);
        return st;
    }
    *out = be;
    return VB_OK;
}

/* Random bytes without a system call each. Each byte is given out once. */
void si_random(struct vb_backend *be, void *out, size_t bytes)
{
    pal_mutex_lock(&be->random_lock);
    if (be->random_left < bytes) {
        while (
            !pal_random(be->random, sizeof be->random)) /* worked at open: the system is starting or ending */
            pal_thread_yield();
        be->random_left = sizeof be->random;
    }
    be->random_left -= bytes;
    memcpy(out, be->random + be->random_left, bytes);
    memset(be->random + be->random_left, 0, bytes);
    pal_mutex_unlock(&be->random_lock);
}

/* ---- device ---- */

static vb_status_t si_dev_open(struct vb_backend *be, const struct vb_addr *local, struct vb_dev **out)
{
    const vb_status_t st = si_check_local(be, local);
    if (st == VB_OK)
        *out = &be->dev; /* lives as long as the backend: nothing to count */
    return st;
}

static void si_dev_close(struct vb_dev *dev)
{
    (void)dev;
}

static void si_dev_caps(const struct vb_dev *dev, struct vb_caps *out)
{
    (void)dev;
    (void)snprintf(out->device, sizeof out->device, "softiwarp0");
    (void)snprintf(out->transport, sizeof out->transport, "iWARP");
    /* Sinks of reads are known by a one-time STag of our own, so they need no remote right (PROTOCOL.md 6). */
    out->flags = VB_CAP_MW_TYPE2 | VB_CAP_RECV_FLOW_CONTROL | VB_CAP_RDMA_READ | VB_CAP_WINDOW_BOUNDS |
                 VB_CAP_ACK_FIRST | VB_CAP_MR_FOLLOWS;
    out->max_qp_wr = SI_MAX_WR;
    out->max_sge = SI_MAX_SGE;
    out->max_read_sge = SI_MAX_SGE;
    out->max_cqe = SI_MAX_CQE;
    out->max_inline_bytes = SI_MAX_INLINE;
    out->max_msg_bytes = SI_MAX_MESSAGE;
    out->max_mr_bytes = (uint64_t)1 << 46;
    out->max_read_in = SI_MAX_READS;
    out->max_read_out = SI_MAX_READS;
    out->max_request_data = out->max_reply_data = out->max_reject_data = SI_MAX_DATA;
}

static bool si_dev_owns(struct vb_dev *dev, const struct vb_addr *local)
{
    return si_check_local(dev->be, local) == VB_OK;
}

/* ---- asynchronous events ---- */

void si_async_push(struct vb_backend *be, const struct vb_async_event *ev, const struct vb_qp *qp)
{
    struct si_async *a = calloc(1, sizeof *a); /* error path */
    if (!a)
        return; /* the end of the connection is reported by the cm all the same */
    a->ev = *ev;
    a->qp = qp;
    pal_mutex_lock(&be->async_lock);
    struct si_async **at = &be->async;
    while (*at)
        at = &(*at)->next;
    *at = a;
    pal_mutex_unlock(&be->async_lock);
    pal_poller_signal(be->async_wake);
}

static void drop(struct vb_backend *be, const struct vb_qp *qp, const struct vb_cq *cq)
{
    pal_mutex_lock(&be->async_lock);
    for (struct si_async **at = &be->async; *at;) {
        struct si_async *a = *at;
        if ((qp && a->qp == qp) || (cq && a->ev.cq == cq)) {
            *at = a->next;
            free(a);
        } else {
            at = &a->next;
        }
    }
    pal_mutex_unlock(&be->async_lock);
}

void si_async_drop_qp(struct vb_backend *be, const struct vb_qp *qp)
{
    drop(be, qp, NULL);
}

void si_async_drop_cq(struct vb_backend *be, const struct vb_cq *cq)
{
    drop(be, NULL, cq);
}

static vb_status_t si_async_poll(struct vb_backend *be, struct vb_async_event *ev)
{
    memset(ev, 0, sizeof *ev);
    pal_poller_clear(be->async_wake);
    pal_mutex_lock(&be->async_lock);
    struct si_async *a = be->async;
    if (a)
        be->async = a->next;
    const bool more = be->async != NULL;
    pal_mutex_unlock(&be->async_lock);
    if (more)
        pal_poller_signal(be->async_wake);
    if (a) {
        *ev = a->ev;
        free(a);
        return VB_OK;
    }
    if (be->if_watch && pal_if_watch_take(be->if_watch)) {
        ev->kind = VB_ASYNC_ADDR_CHANGE;
        return VB_OK;
    }
    return VB_E_AGAIN;
}

static pal_waitable si_async_waitable(struct vb_backend *be)
{
    return pal_poller_waitable(be->async_wake);
}

const struct vb_ops vb_softiwarp_ops = {
    .name = "softiwarp",
    .open = si_open,
    .close = si_close,
    .addr_list = si_addr_list,
    .route = si_route,
    .async_poll = si_async_poll,
    .async_waitable = si_async_waitable,
    .dev_open = si_dev_open,
    .dev_close = si_dev_close,
    .dev_caps = si_dev_caps,
    .dev_owns = si_dev_owns,
    .pd_create = si_pd_create,
    .pd_destroy = si_pd_destroy,
    .mr_reg = si_mr_reg,
    .mr_dereg = si_mr_dereg,
    .mr_lkey = si_mr_lkey,
    .mr_rkey = si_mr_rkey,
    .mw_alloc = si_mw_alloc,
    .mw_free = si_mw_free,
    .mw_rkey = si_mw_rkey,
    .cq_create = si_cq_create,
    .cq_destroy = si_cq_destroy,
    .cq_poll = si_cq_poll,
    .cq_arm = si_cq_arm,
    .cq_waitable = si_cq_waitable,
    .cq_ack = si_cq_ack,
    .qp_create = si_qp_create,
    .qp_destroy = si_qp_destroy,
    .qp_stop = si_qp_stop,
    .qp_number = si_qp_number,
    .post_send = si_post_send,
    .post_recv = si_post_recv,
    .cm_create = si_cm_create,
    .cm_destroy = si_cm_destroy,
    .cm_waitable = si_cm_waitable,
    .cm_poll = si_cm_poll,
    .listen = si_listen,
    .listener_addr = si_listener_addr,
    .listener_destroy = si_listener_destroy,
    .conn_create = si_conn_create,
    .conn_destroy = si_conn_destroy,
    .conn_set_context = si_conn_set_context,
    .conn_addrs = si_conn_addrs,
    .conn_bind_qp = si_conn_bind_qp,
    .conn_connect = si_conn_connect,
    .conn_accept = si_conn_accept,
    .conn_reject = si_conn_reject,
    .conn_disconnect = si_conn_disconnect,
    .conn_text = si_conn_text,
    .listener_text = si_listener_text,
};
