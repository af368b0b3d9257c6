/* loop_dev.c - owns the loop backend's state: the table, backends and the device, addresses, asynchronous
 * events, the fabric thread with its timers, and the controls of loop_backend.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

struct loop_state loop;

static pal_atomic_u32 violations;
static pal_atomic_bool aborts_on_violation; /* copy of the setting that can be read without the lock */

static const char *const address_texts[LOOP_ADDRS] = {"10.77.0.1", "10.77.0.2", "fd77::1", "fd77::2"};

void loop_violation(const char *what)
{
    pal_add_relaxed(&violations, 1);
    fprintf(stderr, "loop backend: contract violated: %s\n", what);
    fflush(stderr);
    if (pal_load_relaxed(&aborts_on_violation))
        abort();
}

void loop_guard_enter(struct loop_guard *g, const char *what)
{
    uint64_t none = 0;
    if (!pal_cas_acq_rel(&g->owner, &none, pal_thread_id()))
        loop_violation(what);
    g->canary++;
}

void loop_guard_leave(struct loop_guard *g)
{
    /* Relaxed: must not be what orders two users, that is their duty. */
    pal_store_relaxed(&g->owner, 0);
}

/* ---- timers ---- */

void loop_timer_set(struct loop_timer *t, uint64_t when_ns)
{
    if (t->when_ns == when_ns)
        return;
    struct loop_timer **at;
    if (t->when_ns) {
        for (at = &loop.timers; *at != t; at = &(*at)->next)
            ;
        *at = t->next;
    }
    t->when_ns = when_ns;
    if (!when_ns)
        return;
    for (at = &loop.timers; *at && (*at)->when_ns <= when_ns; at = &(*at)->next)
        ;
    t->next = *at;
    *at = t;
    if (loop.timers == t)
        pal_cond_signal(&loop.timers_changed);
}

static void fabric_main(void *arg)
{
    (void)arg;
    loop_lock();
    while (!loop.fabric_stops) {
        struct loop_timer *t = loop.timers;
        if (!t) {
            pal_cond_wait(&loop.timers_changed, &loop.lock);
        } else if (t->when_ns > pal_now_ns()) {
            (void)pal_cond_timedwait(&loop.timers_changed, &loop.lock, t->when_ns);
        } else {
            loop.timers = t->next;
            t->when_ns = 0;
            t->fn(t->arg);
        }
    }
    loop_unlock();
}

/* ---- backend ---- */

/* clang-format off */
static void config_default(struct loop_config *c)
{
    *c = (struct loop_config){
        .cap_flags = VB_CAP_MW_TYPE2 | VB_CAP_WINDOW_BOUNDS | VB_CAP_RECV_FLOW_CONTROL | VB_CAP_RDMA_READ,
        .max_qp_wr = 4096, .max_sge = 32, .max_cqe = 32767, .max_inline_bytes = 256,
        .max_msg_bytes = 1u << 30, .max_mr_bytes = 1ull << 40, .max_read_in = 16, .max_read_out = 16,
        .pads_private_data = true, .aborts_on_violation = true,
        .retry_ms = 100, .disconnect_ms = 50};
}
/* clang-format on */

static vb_status_t loop_open(struct vb_backend **out, char *why, size_t why_bytes)
{
    struct vb_backend *be = calloc(1, sizeof *be);
    if (!be)
        return VB_E_NOMEM;
    be->async_wakeup = pal_wakeup_create();
    if (!be->async_wakeup) {
        free(be);
        return VB_E_NOMEM;
    }
    vb_status_t st = VB_OK;
    pal_mutex_lock(&loop.open_lock);
    loop_lock();
    bool has_device = loop.has_device, is_first = !loop.backends;
    loop_unlock();
    if (!has_device) {
        snprintf(why, why_bytes, "loop: its device was taken away by the test");
        st = VB_E_NODEV;
    } else if (is_first) {
        loop.fabric_stops = false;
        loop.fabric = pal_thread_start(fabric_main, NULL, "loop-fabric");
        if (!loop.fabric)
            st = VB_E_NOMEM;
    }
    if (st == VB_OK) {
        loop_lock();
        be->next = loop.backends;
        loop.backends = be;
        loop.counts.backends++;
        loop_unlock();
        *out = be;
    }
    pal_mutex_unlock(&loop.open_lock);
    if (st != VB_OK) {
        pal_wakeup_destroy(be->async_wakeup);
        free(be);
    }
    return st;
}

static void loop_close(struct vb_backend *be)
{
    struct pal_thread *fabric = NULL;
    pal_mutex_lock(&loop.open_lock);
    loop_lock();
    if (be->dev || be->cms) {
        loop_violation("vb_close with open devices or connection managers");
        loop_unlock();
        pal_mutex_unlock(&loop.open_lock);
        return;
    }
    struct vb_backend **at = &loop.backends;
    while (*at != be)
        at = &(*at)->next;
    *at = be->next;
    loop.counts.backends--;
    loop_async_drop(be, NULL, NULL, NULL);
    if (!loop.backends) {
        fabric = loop.fabric;
        loop.fabric_stops = true;
        pal_cond_signal(&loop.timers_changed);
    }
    loop_unlock();
    if (fabric)
        pal_thread_join(fabric);
    pal_mutex_unlock(&loop.open_lock);
    pal_wakeup_destroy(be->async_wakeup);
    free(be);
}

bool loop_is_local(const struct vb_addr *a)
{
    for (int i = 0; i < LOOP_ADDRS; i++)
        if (loop.has_device && loop.addr_present[i] && vb_addr_same_ip(&loop.addrs[i], a))
            return true;
    return false;
}

static vb_status_t loop_addr_list(struct vb_backend *be, struct vb_addr *out, uint32_t *count)
{
    uint32_t room = *count, n = 0;
    (void)be;
    loop_lock();
    for (int i = 0; i < LOOP_ADDRS; i++) {
        if (!loop.has_device || !loop.addr_present[i])
            continue;
        if (n < room)
            out[n] = loop.addrs[i];
        n++;
    }
    loop_unlock();
    *count = n;
    return n > room ? VB_E_AGAIN : VB_OK;
}

static vb_status_t loop_route(struct vb_backend *be, const struct vb_addr *remote, struct vb_addr *out_local)
{
    static const uint8_t ip6_loopback[16] = {[15] = 1};
    size_t prefix_bytes = remote->family == VB_AF_IPV4 ? 3 : 8;
    vb_status_t st = VB_E_UNREACH;
    (void)be;
    if (remote->family == VB_AF_IPV4 ? remote->ip[0] == 127 : memcmp(remote->ip, ip6_loopback, 16) == 0)
        return VB_E_ADDRNOTAVAIL;
    loop_lock();
    for (int i = 0; i < LOOP_ADDRS; i++) {
        const struct vb_addr *a = &loop.addrs[i];
        if (!loop.has_device || !loop.addr_present[i] || a->family != remote->family)
            continue;
        /* To our own address the system goes from that address, to others of the subnet from the first. */
        bool is_same = vb_addr_same_ip(a, remote);
        if (is_same || (st != VB_OK && memcmp(a->ip, remote->ip, prefix_bytes) == 0)) {
            *out_local = *a;
            st = VB_OK;
        }
        if (is_same)
            break;
    }
    loop_unlock();
    return st;
}

void loop_async_push(struct vb_backend *be, const struct vb_async_event *ev, struct vb_qp *qp)
{
    struct loop_async *a = calloc(1, sizeof *a), **at = &be->async;
    if (!a)
        abort();
    a->ev = *ev;
    a->qp = qp;
    while (*at)
        at = &(*at)->next;
    *at = a;
    pal_wakeup_signal(be->async_wakeup);
}

/* Nothing may be reported that names a destroyed object. All NULL: everything goes. */
void loop_async_drop(struct vb_backend *be, const struct vb_dev *dev, const struct vb_cq *cq,
                     const struct vb_qp *qp)
{
    struct loop_async **at = &be->async;
    while (*at) {
        struct loop_async *a = *at;
        if ((dev && a->ev.dev == dev) || (cq && a->ev.cq == cq) || (qp && a->qp == qp) ||
            (!dev && !cq && !qp)) {
            *at = a->next;
            free(a);
        } else {
            at = &a->next;
        }
    }
    if (!be->async)
        pal_wakeup_clear(be->async_wakeup);
}

static vb_status_t loop_async_poll(struct vb_backend *be, struct vb_async_event *ev)
{
    loop_lock();
    struct loop_async *a = be->async;
    if (a) {
        be->async = a->next;
        *ev = a->ev;
    }
    if (!be->async)
        pal_wakeup_clear(be->async_wakeup);
    if (!a)
        be->owes_look = false; /* who asks for more has dealt with the one before */
    loop_unlock();
    if (!a)
        return VB_E_AGAIN;
    free(a);
    return VB_OK;
}

static pal_waitable loop_async_waitable(struct vb_backend *be)
{
    return pal_wakeup_waitable(be->async_wakeup);
}

/* ---- device ---- */

static vb_status_t loop_dev_open(struct vb_backend *be, const struct vb_addr *local, struct vb_dev **out)
{
    vb_status_t st = VB_OK;
    loop_lock();
    if (!loop_is_local(local)) {
        st = VB_E_ADDRNOTAVAIL;
    } else if (!be->dev && !(be->dev = calloc(1, sizeof *be->dev))) {
        st = VB_E_NOMEM;
    } else {
        be->dev->be = be;
        be->dev->opens++;
        loop.counts.devs++;
        *out = be->dev;
    }
    loop_unlock();
    return st;
}

static void loop_dev_close(struct vb_dev *dev)
{
    loop_lock();
    if (dev->opens == 1 && (dev->pds || dev->cqs)) {
        loop_violation("vb_dev_close with protection domains or completion queues on it");
    } else {
        loop.counts.devs--;
        if (--dev->opens == 0) {
            loop_async_drop(dev->be, dev, NULL, NULL);
            dev->be->dev = NULL;
            free(dev);
        }
    }
    loop_unlock();
}

/* clang-format off */
static void loop_dev_caps(const struct vb_dev *dev, struct vb_caps *out)
{
    (void)dev;
    loop_lock();
    const struct loop_config *c = &loop.config;
    *out = (struct vb_caps){
        .flags = c->cap_flags, .max_qp_wr = c->max_qp_wr, .max_sge = c->max_sge,
        .max_read_sge = c->max_sge, .max_cqe = c->max_cqe,
        .max_inline_bytes = c->max_inline_bytes, .max_msg_bytes = c->max_msg_bytes,
        .max_mr_bytes = c->max_mr_bytes,
        .max_read_in = c->max_read_in, .max_read_out = c->max_read_out,
        .max_request_data = LOOP_REQUEST_DATA, .max_reply_data = LOOP_REPLY_DATA,
        .max_reject_data = LOOP_REJECT_DATA, .mtu_bytes = 4096};
    snprintf(out->device, sizeof out->device, "loop0");
    snprintf(out->transport, sizeof out->transport, "%s", c->qp_error_ends_conn ? "iWARP" : "loop");
    loop_unlock();
}
/* clang-format on */

static bool loop_dev_owns(struct vb_dev *dev, const struct vb_addr *local)
{
    (void)dev;
    loop_lock();
    bool owns = loop_is_local(local);
    loop_unlock();
    return owns;
}

/* ---- controls ---- */

void loop_get_config(struct loop_config *out)
{
    loop_lock();
    *out = loop.config;
    loop_unlock();
}

void loop_set_config(const struct loop_config *c)
{
    loop_lock();
    loop.config = *c;
    pal_store_relaxed(&aborts_on_violation, c->aborts_on_violation);
    loop_unlock();
}

void loop_config_iwarp(struct loop_config *c)
{
    c->cap_flags = VB_CAP_RDMA_READ | VB_CAP_READ_SINK_REMOTE;
    c->pads_private_data = false;
    c->qp_error_ends_conn = true;
}

void loop_reset(void)
{
    struct loop_config c;
    config_default(&c);
    loop_set_config(&c);
    loop_lock();
    loop.has_device = true;
    for (int i = 0; i < LOOP_ADDRS; i++)
        loop.addr_present[i] = true;
    loop_unlock();
    pal_store_relaxed(&violations, 0);
}

static bool somebody_owes_look(void)
{
    bool owes = false;
    loop_lock();
    for (const struct vb_backend *be = loop.backends; be; be = be->next)
        owes |= be->owes_look;
    loop_unlock();
    return owes;
}

void loop_set_device_present(bool present)
{
    const uint64_t deadline = pal_now_ns() +
                              2000000000ull; /* a backend that nobody polls must not hang a test */
    while (present && somebody_owes_look() && pal_now_ns() < deadline)
        pal_thread_yield();
    loop_lock();
    if (loop.has_device && !present) {
        loop.has_device = false;
        for (struct vb_qp *qp = loop.qps; qp; qp = qp->next)
            loop_qp_error(qp);
        loop_conn_dev_gone();
        for (struct vb_backend *be = loop.backends; be; be = be->next)
            if (be->dev) {
                be->owes_look = true;
                loop_async_push(be, &(struct vb_async_event){.kind = VB_ASYNC_DEV_GONE, .dev = be->dev},
                                NULL);
            }
    } else {
        loop.has_device = present;
    }
    loop_unlock();
}

void loop_set_address_present(const char *ip, bool present)
{
    struct vb_addr a;
    if (!vb_addr_parse(ip, &a))
        abort();
    loop_lock();
    for (int i = 0; i < LOOP_ADDRS; i++) {
        if (!vb_addr_same_ip(&loop.addrs[i], &a) || loop.addr_present[i] == present)
            continue;
        loop.addr_present[i] = present;
        for (struct vb_backend *be = loop.backends; be; be = be->next)
            loop_async_push(be, &(struct vb_async_event){.kind = VB_ASYNC_ADDR_CHANGE}, NULL);
    }
    loop_unlock();
}

void loop_get_counts(struct loop_counts *out)
{
    loop_lock();
    *out = loop.counts;
    loop_unlock();
    out->violations = pal_load_relaxed(&violations);
}

bool loop_nothing_alive(void)
{
    struct loop_counts c;
    loop_get_counts(&c);
    if (!(c.backends | c.devs | c.pds | c.mrs | c.mws | c.cqs | c.qps | c.cms | c.conns | c.listeners))
        return true;
    fprintf(stderr,
            "loop backend: still alive: %u backends, %u devs, %u pds, %u mrs, %u mws, %u cqs, %u qps, %u "
            "cms, %u conns, "
            "%u listeners\n",
            c.backends, c.devs, c.pds, c.mrs, c.mws, c.cqs, c.qps, c.cms, c.conns, c.listeners);
    return false;
}

/* clang-format off */
static const struct vb_ops loop_ops = {
    .name = "loop",
    .open = loop_open, .close = loop_close, .addr_list = loop_addr_list, .route = loop_route,
    .async_poll = loop_async_poll, .async_waitable = loop_async_waitable,
    .dev_open = loop_dev_open, .dev_close = loop_dev_close,
    .dev_caps = loop_dev_caps, .dev_owns = loop_dev_owns,
    .pd_create = loop_pd_create, .pd_destroy = loop_pd_destroy, .mr_reg = loop_mr_reg,
    .mr_dereg = loop_mr_dereg, .mr_lkey = loop_mr_lkey, .mr_rkey = loop_mr_rkey,
    .mw_alloc = loop_mw_alloc, .mw_free = loop_mw_free, .mw_rkey = loop_mw_rkey,
    .cq_create = loop_cq_create, .cq_destroy = loop_cq_destroy, .cq_poll = loop_cq_poll,
    .cq_arm = loop_cq_arm, .cq_waitable = loop_cq_waitable, .cq_ack = loop_cq_ack,
    .qp_create = loop_qp_create, .qp_destroy = loop_qp_destroy, .qp_stop = loop_qp_stop,
    .qp_number = loop_qp_number, .post_send = loop_post_send, .post_recv = loop_post_recv,
    .cm_create = loop_cm_create, .cm_destroy = loop_cm_destroy, .cm_waitable = loop_cm_waitable,
    .cm_poll = loop_cm_poll, .listen = loop_listen, .listener_addr = loop_listener_addr,
    .listener_destroy = loop_listener_destroy, .conn_create = loop_conn_create,
    .conn_destroy = loop_conn_destroy, .conn_set_context = loop_conn_set_context,
    .conn_addrs = loop_conn_addrs, .conn_bind_qp = loop_conn_bind_qp, .conn_connect = loop_conn_connect,
    .conn_accept = loop_conn_accept, .conn_reject = loop_conn_reject,
    .conn_disconnect = loop_conn_disconnect};
/* clang-format on */

vb_status_t loop_backend_register(void)
{
    static bool is_done; /* called before threads start */
    if (is_done)
        return VB_OK;
    if (!pal_mutex_init(&loop.lock) || !pal_mutex_init(&loop.open_lock) ||
        !pal_cond_init(&loop.timers_changed) || !pal_random(&loop.random, sizeof loop.random))
        return VB_E_NOMEM;
    for (int i = 0; i < LOOP_ADDRS; i++)
        if (!vb_addr_parse(address_texts[i], &loop.addrs[i]))
            return VB_E_INVAL;
    loop.next_qp_number = 17;
    loop_reset();
    is_done = true;
    return vb_register_backend(&loop_ops);
}
