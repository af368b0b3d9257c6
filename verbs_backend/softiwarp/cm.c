/* cm.c - the source of connection events: its queue, its timers, listeners, and the backstop.
 * The backstop: RDMA is carried out by the target's software here, but the target may well not poll (its application
 * computes, or waits for something else). So the sockets of all connections lie in a second poller beside the cm's own,
 * and the thread of the cm moves what nobody else does. It must not run after every message of an application that
 * polls: once it finds that the CQs concerned are being polled it only looks from time to time, until they are not. */
#include <stdlib.h>
#include <string.h>

#include "ports.h"
#include "si.h"

/* Ticks begin short after the first wake-up in vain. They take at most one part in TICK_SHARE of the time, so where a look is dear they come
 * more rarely, but at least every TICK_RAREST_NS: so long the first thing waits that comes when nobody polls any more. */
#define TICK_FIRST_NS   1000000u
#define TICK_MOST_NS    8000000u
#define TICK_SHARE      1024u
#define TICK_RAREST_NS  64000000u
#define STAY_MOST_NS    8000000u
#define ACCEPT_RETRY_NS 100000000u
#define STAY_BYTES      65536u
#define STAY_VAIN       8u

/* ---- event queue ---- */

void si_cm_push(struct vb_conn *c, enum vb_cm_event_kind kind, vb_status_t st)
{
    struct vb_cm *cm = c->cm;
    if (kind == VB_CM_DISCONNECTED || kind == VB_CM_FAILED) { /* there is one end */
        if (c->has_said_end)
            return;
        c->has_said_end = true;
    }
    if (c->pending_count == sizeof c->pending / sizeof *c->pending)
        return; /* cannot be: no life has more events than that */
    c->pending[c->pending_count++] = (struct si_pending){.kind = (uint8_t)kind, .status = (uint8_t)st};
    if (!c->is_ready) {
        c->is_ready = true;
        c->ready_next = NULL;
        *cm->ready_tail = c;
        cm->ready_tail = &c->ready_next;
    }
    if (!cm->is_polling) /* else: the end of si_cm_poll() sees what is left */
        pal_poller_signal(cm->poller);
}

void si_cm_drop_events(struct vb_conn *c)
{
    struct vb_cm *cm = c->cm;
    c->pending_count = 0;
    if (!c->is_ready)
        return;
    struct vb_conn **at = &cm->ready;
    while (*at != c)
        at = &(*at)->ready_next;
    *at = c->ready_next;
    if (!*at)
        cm->ready_tail = at;
    c->is_ready = false;
}

static bool pop_event(struct vb_cm *cm, struct vb_cm_event *ev)
{
    struct vb_conn *c = cm->ready;
    if (!c)
        return false;
    const struct si_pending p = c->pending[0];
    memmove(c->pending, c->pending + 1, --c->pending_count * sizeof *c->pending);
    if (!c->pending_count) {
        cm->ready = c->ready_next;
        if (!cm->ready)
            cm->ready_tail = &cm->ready;
        c->is_ready = false;
    }
    memset(ev, 0, sizeof *ev);
    ev->kind = (enum vb_cm_event_kind)p.kind;
    ev->status = (vb_status_t)p.status;
    ev->conn = c;
    ev->context = c->context;
    if (ev->kind == VB_CM_REQUEST) {
        ev->context = c->listener->context;
        c->listener->hellos--;
        c->listener = NULL;
    }
    if (ev->kind == VB_CM_REQUEST || ev->kind == VB_CM_ESTABLISHED) {
        ev->read_in = c->read_in;
        ev->read_out = c->read_out;
    }
    if (ev->kind == VB_CM_REQUEST || ev->kind == VB_CM_REJECTED ||
        (ev->kind == VB_CM_ESTABLISHED && c->is_active)) {
        memcpy(ev->data, c->in_data, c->in_bytes);
        ev->data_bytes = c->in_bytes;
    }
    return true;
}

/* ---- signals: what QPs tell, from under their own lock ---- */

/* True: the cm must be woken. */
static bool signal_locked(struct vb_conn *c, uint32_t signals)
{
    c->signals |= signals;
    if (!c->is_signalled) {
        c->is_signalled = true;
        c->signal_next = c->cm->signalled;
        c->cm->signalled = c;
    }
    return !c->cm->is_polling;
}

void si_conn_signal(struct vb_conn *c, uint32_t signals)
{
    pal_mutex_lock(&c->cm->signal_lock);
    const bool must_wake = signal_locked(c, signals);
    pal_mutex_unlock(&c->cm->signal_lock);
    if (must_wake)
        pal_poller_signal(c->cm->poller);
}

void si_conn_detached(struct vb_conn *c, uint8_t *tail, size_t tail_bytes, const struct si_end *e)
{
    /* Mostly it can be said at once, and the peer need not wait until somebody polls the cm. */
    size_t done = 0;
    const struct pal_iov iov = {tail, tail_bytes};
    if (tail_bytes && pal_socket_send(c->sock, &iov, 1, &done) != PAL_NET_OK)
        done = 0;
    const bool has_finished = done == tail_bytes;
    if (has_finished)
        pal_socket_finish(c->sock);
    pal_mutex_lock(&c->cm->signal_lock);
    c->tail = tail;
    c->tail_bytes = tail_bytes;
    c->tail_at = done;
    c->has_finished = has_finished;
    c->saw_eof = e->saw_eof;
    const bool must_wake = signal_locked(c, SI_SIG_DETACHED);
    pal_mutex_unlock(&c->cm->signal_lock);
    if (must_wake)
        pal_poller_signal(c->cm->poller);
}

void si_conn_take_signals(struct vb_conn *c)
{
    pal_mutex_lock(&c->cm->signal_lock);
    const uint32_t signals = c->signals;
    c->signals = 0;
    pal_mutex_unlock(&c->cm->signal_lock);
    if (signals)
        si_conn_signals(c, signals);
}

void si_conn_drop_signals(struct vb_conn *c)
{
    pal_mutex_lock(&c->cm->signal_lock);
    if (c->is_signalled) {
        struct vb_conn **at = &c->cm->signalled;
        while (*at != c)
            at = &(*at)->signal_next;
        *at = c->signal_next;
        c->is_signalled = false;
    }
    pal_mutex_unlock(&c->cm->signal_lock);
}

static void take_signals(struct vb_cm *cm)
{
    for (;;) {
        pal_mutex_lock(&cm->signal_lock);
        struct vb_conn *c = cm->signalled;
        uint32_t signals = 0;
        if (c) {
            cm->signalled = c->signal_next;
            c->is_signalled = false;
            signals = c->signals;
            c->signals = 0;
        }
        pal_mutex_unlock(&cm->signal_lock);
        if (!c)
            return;
        si_conn_signals(c, signals);
    }
}

/* ---- timers ---- */

static uint64_t nearest_deadline(const struct vb_cm *cm)
{
    uint64_t nearest = 0;
    for (const struct vb_conn *c = cm->conns; c; c = c->next)
        if (c->deadline_ns && (!nearest || c->deadline_ns < nearest))
            nearest = c->deadline_ns;
    for (const struct vb_listener *l = cm->listeners; l; l = l->next)
        if (l->retry_ns && (!nearest || l->retry_ns < nearest))
            nearest = l->retry_ns;
    return cm->look_ns && (!nearest || cm->look_ns < nearest) ? cm->look_ns : nearest;
}

/* A timer that runs off too early does no harm: run_timers() sets it anew. Most deadlines are met long before. */
void si_cm_deadline(struct vb_cm *cm)
{
    const uint64_t nearest = nearest_deadline(cm);
    if (!nearest || (cm->deadline_ns && cm->deadline_ns <= nearest))
        return;
    cm->deadline_ns = nearest;
    (void)pal_poller_deadline(cm->poller, nearest);
}

void si_cm_look_later(struct vb_cm *cm)
{
    if (cm->look_ns)
        return;
    cm->look_ns = pal_now_ns() + (uint64_t)cm->be->set.dead_peer_ms * 1000000 / SI_LOOKS;
    si_cm_deadline(cm);
}

static void look_for_dead_peers(struct vb_cm *cm)
{
    bool is_any_up = false;
    for (struct vb_conn *c = cm->conns; c; c = c->next)
        if (c->state == SI_CONN_UP && c->qp) {
            is_any_up = true;
            pal_mutex_lock(&c->qp->lock);
            si_qp_look(c->qp);
            pal_mutex_unlock(&c->qp->lock);
        }
    cm->look_ns = 0;
    if (is_any_up)
        si_cm_look_later(cm);
}

static void run_timers(struct vb_cm *cm)
{
    if (!cm->deadline_ns || pal_now_ns() < cm->deadline_ns)
        return;
    const uint64_t now = pal_now_ns();
    for (struct vb_conn *c = cm->conns, *next; c; c = next) {
        next = c->next;
        if (c->deadline_ns && c->deadline_ns <= now) {
            c->deadline_ns = 0;
            si_conn_expired(c);
        }
    }
    for (struct vb_listener *l = cm->listeners; l; l = l->next)
        if (l->retry_ns <= now)
            l->retry_ns = 0; /* resume_listeners() does the rest */
    if (cm->look_ns && cm->look_ns <= now)
        look_for_dead_peers(cm);
    cm->deadline_ns = nearest_deadline(cm);
    (void)pal_poller_deadline(cm->poller, cm->deadline_ns); /* in any case: its timer has run off */
}

/* ---- backstop ---- */

/* Has anybody polled or waited on the QP's queues since the last time we looked? */
static bool is_attended(struct vb_qp *qp)
{
    const uint32_t now = pal_load_relaxed(&qp->send_cq->activity) + pal_load_relaxed(&qp->recv_cq->activity);
    const bool is = now != qp->seen_activity;
    qp->seen_activity = now;
    return is;
}

/* Or on any queue of this process? A thread that sleeps on an armed queue mostly takes what came before we look, and the QP
 * that woke us is not among those that have something. */
static bool are_cqs_attended(struct vb_cm *cm)
{
    uint32_t now = 0;
    pal_mutex_lock(&cm->be->cq_list_lock);
    for (const struct vb_cq *cq = cm->be->cqs; cq; cq = cq->next_of_backend)
        now += pal_load_relaxed(&cq->activity);
    pal_mutex_unlock(&cm->be->cq_list_lock);
    const bool are = now != cm->backstop.seen_activity;
    cm->backstop.seen_activity = now;
    return are;
}

/* backstop.lock and qp.lock held. Nobody else attends to it and much came at once, so more is on its way. Asking a few times more
 * costs less than going to sleep and being woken, whatever a call costs, since that is calls too; and while we sleep TCP's queue
 * grows, and what has lain there has left the caches. It ends when somebody wants the lock (si_qp_lock()), and after the common
 * tick at the latest: so long others wait for this thread anyway. Our choice. */
static void stay(struct vb_qp *qp, uint64_t received_before)
{
    if (qp->rx.received - received_before < STAY_BYTES)
        return;
    const uint64_t until_ns = pal_now_ns() + STAY_MOST_NS;
    for (unsigned vain = 0; vain < STAY_VAIN && !pal_load_relaxed(&qp->wanted) && pal_now_ns() < until_ns;)
        vain = si_qp_progress(qp) ? 0 : vain + 1;
}

/* backstop.lock held. Returns how many QPs of those that had something nobody attends to; *attended: the others. may_stay: by the
 * thread of the cm, and not by one that polls for its own sake. */
static unsigned drive_ready(struct si_backstop *b, bool may_stay, unsigned *attended)
{
    struct pal_ready ready[16];
    unsigned alone = 0;
    const unsigned n = pal_poller_poll(b->poller, ready, 16);
    *attended = 0;
    for (unsigned i = 0; i < n; i++) {
        struct vb_qp *qp = ready[i].tag;
        pal_mutex_lock(&qp->lock);
        const uint64_t received = qp->rx.received;
        (void)si_qp_progress(qp);
        const bool is_alone = !is_attended(qp);
        if (may_stay && is_alone && n == 1)
            stay(qp, received);
        si_qp_settle(qp, SI_AT_BACKSTOP, ready[i].what);
        alone += is_alone;
        *attended += !is_alone;
        pal_mutex_unlock(&qp->lock);
    }
    return alone;
}

static void tick_later(struct si_backstop *b)
{
    b->next_ns = pal_now_ns() + b->tick_ns;
    if (!pal_poller_deadline(b->poller, b->next_ns)) { /* no timers: wake up for everything instead */
        b->is_ticking = false;
        pal_poller_watch(b->poller, true);
    }
}

static void start_ticking(struct si_backstop *b)
{
    b->is_ticking = true;
    b->quiet_ticks = 0;
    b->tick_ns = TICK_FIRST_NS;
    pal_poller_watch(b->poller, false);
    tick_later(b);
}

/* How long from one tick to the next while somebody polls. Under Wine a look at the sockets is five calls of another process, all
 * while who polls wants the processor: at 8 ms that was a tenth of a ping-pong. Our choice. */
static uint64_t longest_tick(uint64_t cost_ns)
{
    const uint64_t most_ns = cost_ns * TICK_SHARE;
    if (most_ns < TICK_MOST_NS)
        return TICK_MOST_NS;
    return most_ns > TICK_RAREST_NS ? TICK_RAREST_NS : most_ns;
}

/* By the thread of the cm, which has been looking since began_ns. */
static void backstop_run(struct vb_cm *cm, uint64_t began_ns)
{
    struct si_backstop *b = &cm->backstop;
    unsigned attended;
    pal_mutex_lock(&b->lock);
    if (b->is_ticking && pal_now_ns() < b->next_ns) {
        pal_mutex_unlock(&b->lock);
        return;
    }
    const unsigned alone = drive_ready(b, true, &attended);
    const bool is_attended_to = are_cqs_attended(cm) || attended;
    if (b->is_ticking) {
        if (alone ||
            !is_attended_to) { /* they need us; or all is quiet, and the next that comes may need us */
            b->quiet_ticks++;
        } else {
            b->quiet_ticks = 0;
        }
        if (alone || b->quiet_ticks > 2) {
            b->is_ticking = false;
            (void)pal_poller_deadline(b->poller, 0);
            pal_poller_watch(b->poller, true);
        } else {
            const uint64_t most_ns = longest_tick(pal_now_ns() - began_ns);
            b->tick_ns = b->tick_ns * 2 > most_ns ? most_ns : b->tick_ns * 2;
            tick_later(b);
        }
    } else if (is_attended_to && !alone) {
        start_ticking(b);
    }
    pal_mutex_unlock(&b->lock);
}

void si_backstops_look(struct vb_backend *be)
{
    unsigned attended;
    if (!pal_mutex_trylock(&be->link_lock))
        return;
    for (struct vb_cm *cm = be->cms; cm; cm = cm->next_of_backend)
        if (pal_mutex_trylock(&cm->backstop.lock)) {
            (void)drive_ready(&cm->backstop, false, &attended);
            if (!cm->backstop.is_ticking) /* somebody polls: what he does not find himself, he finds here */
                start_ticking(&cm->backstop);
            pal_mutex_unlock(&cm->backstop.lock);
        }
    pal_mutex_unlock(&be->link_lock);
}

/* ---- cm ---- */

vb_status_t si_cm_create(struct vb_backend *be, struct vb_cm **out)
{
    struct vb_cm *cm = calloc(1, sizeof *cm);
    if (!cm)
        return VB_E_NOMEM;
    cm->be = be;
    cm->ready_tail = &cm->ready;
    cm->backstop.poller = pal_poller_create(PAL_WAITABLE_NONE);
    if (!cm->backstop.poller)
        goto err;
    cm->poller = pal_poller_create(pal_poller_waitable(cm->backstop.poller));
    if (!cm->poller)
        goto err_backstop;
    if (!pal_mutex_init(&cm->lock))
        goto err_poller;
    if (!pal_mutex_init(&cm->signal_lock))
        goto err_lock;
    if (!pal_mutex_init(&cm->backstop.lock))
        goto err_signal_lock;
    pal_mutex_lock(&be->link_lock);
    cm->next_of_backend = be->cms;
    be->cms = cm;
    pal_mutex_unlock(&be->link_lock);
    *out = cm;
    return VB_OK;
err_signal_lock:
    pal_mutex_fini(&cm->signal_lock);
err_lock:
    pal_mutex_fini(&cm->lock);
err_poller:
    pal_poller_destroy(cm->poller);
err_backstop:
    pal_poller_destroy(cm->backstop.poller);
err:
    free(cm);
    return VB_E_NOMEM;
}

void si_cm_destroy(struct vb_cm *cm)
{
    pal_mutex_lock(&cm->be->link_lock);
    struct vb_cm **at = &cm->be->cms;
    while (*at != cm)
        at = &(*at)->next_of_backend;
    *at = cm->next_of_backend;
    pal_mutex_unlock(&cm->be->link_lock);
    pal_poller_destroy(cm->poller);
    pal_poller_destroy(cm->backstop.poller);
    pal_mutex_fini(&cm->backstop.lock);
    pal_mutex_fini(&cm->signal_lock);
    pal_mutex_fini(&cm->lock);
    free(cm);
}

pal_waitable si_cm_waitable(struct vb_cm *cm)
{
    return pal_poller_waitable(cm->poller);
}

/* ---- listeners ---- */

static bool overlaps(const struct vb_addr *a, const struct vb_addr *b)
{
    return a->family == b->family && a->port == b->port &&
           (vb_addr_is_any(a) || vb_addr_is_any(b) || vb_addr_same_ip(a, b));
}

/* Another process may listen for the same service too, behind another candidate: who owns a port is TCP's business (contract
 * 4.4, 4.5). When TCP lets both have it, the first candidate is asked. Within the process it is a mistake that we can name. */
static bool is_taken(struct vb_backend *be, const struct vb_addr *at)
{
    bool taken = false;
    for (struct vb_cm *cm = be->cms; cm && !taken; cm = cm->next_of_backend) {
        pal_mutex_lock(&cm->lock);
        for (const struct vb_listener *l = cm->listeners; l && !taken; l = l->next)
            taken = overlaps(&l->addr, at);
        pal_mutex_unlock(&cm->lock);
    }
    return taken;
}

static enum pal_net open_listener(struct vb_listener *l, const struct si_settings *set, uint32_t backlog)
{
    const struct pal_socket_tuning tuning = si_socket_tuning(set);
    struct pal_addr at = si_to_pal(&l->addr);
    enum pal_net st = PAL_NET_OK;
    if (set->has_plain_ports) {
        st = pal_socket_listen(&at, backlog, &tuning, &l->sock);
        if (st == PAL_NET_OK && !l->addr.port) {
            struct pal_addr got;
            st = pal_socket_addrs(l->sock, &got, NULL) ? PAL_NET_OK : PAL_NET_FAILED;
            l->addr.port = got.port;
        }
        return st;
    }
    if (!l->addr.port) { /* one that nobody owns in TCP, and that nobody can own while we are here (vb.h) */
        st = pal_socket_reserve(&at, &l->reserved);
        if (st != PAL_NET_OK)
            return st;
        l->addr.port = at.port;
    }
    for (unsigned i = 0; i < SI_PORT_CANDIDATES; i++) {
        at.port = si_port_candidate(l->addr.port, i);
        st = pal_socket_listen(&at, backlog, &tuning, &l->sock);
        if (st != PAL_NET_INUSE)
            break;
    }
    return st;
}

static void free_listener(struct vb_listener *l)
{
    pal_socket_close(l->sock);
    pal_socket_close(l->reserved);
    free(l);
}

vb_status_t si_listen(struct vb_cm *cm, const struct vb_addr *local, uint32_t backlog, void *context,
                      struct vb_listener **out)
{
    struct vb_backend *be = cm->be;
    vb_status_t st = vb_addr_is_any(local) ? VB_OK : si_check_local(be, local);
    if (st != VB_OK)
        return st;
    struct vb_listener *l = calloc(1, sizeof *l);
    if (!l)
        return VB_E_NOMEM;
    l->watch = SI_WATCH_LISTENER;
    l->cm = cm;
    l->context = context;
    l->addr = *local;
    l->sock = l->reserved = PAL_SOCKET_NONE;
    l->backlog = backlog > 0 ? backlog : 1;
    st = VB_E_ADDRINUSE;
    pal_mutex_lock(&be->link_lock); /* two that want the same service must not both find it free */
    if (!local->port || !is_taken(be, local))
        st = si_status_net(open_listener(l, &be->set, l->backlog));
    if (st == VB_OK) {
        pal_mutex_lock(&cm->lock);
        if (pal_poller_add(cm->poller, l->sock, PAL_READABLE, &l->watch)) {
            l->next = cm->listeners;
            cm->listeners = l;
        } else {
            st = VB_E_NOMEM;
        }
        pal_mutex_unlock(&cm->lock);
    }
    pal_mutex_unlock(&be->link_lock);
    if (st != VB_OK) {
        free_listener(l);
        return st;
    }
    *out = l;
    return VB_OK;
}

void si_listener_addr(const struct vb_listener *l, struct vb_addr *out)
{
    *out = l->addr; /* const after si_listen() */
}

void si_listener_destroy(struct vb_listener *l)
{
    struct vb_cm *cm = l->cm;
    pal_mutex_lock(&cm->be->link_lock);
    pal_mutex_lock(&cm->lock);
    struct vb_listener **at = &cm->listeners;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    if (!l->is_paused)
        pal_poller_remove(cm->poller, l->sock);
    for (struct vb_conn *c = cm->conns, *next; c; c = next) { /* requests that nobody has seen */
        next = c->next;
        if (c->listener == l)
            si_conn_free(c);
    }
    si_cm_deadline(cm);
    pal_mutex_unlock(&cm->lock);
    pal_mutex_unlock(&cm->be->link_lock);
    free_listener(l);
}

/* A peer that connects and says nothing holds a place until its time is up; beyond this the rest waits in TCP. */
static uint32_t hello_limit(const struct vb_listener *l)
{
    return l->backlog + 64;
}

static void accept_more(struct vb_listener *l)
{
    struct vb_cm *cm = l->cm;
    const struct pal_socket_tuning tuning = si_socket_tuning(&cm->be->set);
    enum pal_net st = PAL_NET_OK;
    struct pal_addr remote;
    pal_socket s;
    while (l->hellos < hello_limit(l) &&
           (st = pal_socket_accept(l->sock, &tuning, &remote, &s)) == PAL_NET_OK)
        si_conn_accepted(l, s, &remote);
    const bool has_no_file = st == PAL_NET_NOMEM;
    if ((has_no_file || l->hellos >= hello_limit(l)) && !l->is_paused) {
        l->is_paused = true;
        pal_poller_remove(cm->poller, l->sock);
    }
    if (has_no_file) { /* who waits stays in TCP's queue, which stays ready: looking at once would go on for ever */
        l->retry_ns = pal_now_ns() + ACCEPT_RETRY_NS;
        si_cm_deadline(cm);
    }
}

static void resume_listeners(struct vb_cm *cm)
{
    for (struct vb_listener *l = cm->listeners; l; l = l->next)
        if (l->is_paused && !l->retry_ns && l->hellos < hello_limit(l) &&
            pal_poller_add(cm->poller, l->sock, PAL_READABLE, &l->watch))
            l->is_paused = false;
}

/* ---- poll ---- */

static void look(struct vb_cm *cm)
{
    struct pal_ready ready[16];
    const unsigned n = pal_poller_poll(cm->poller, ready, 16);
    for (unsigned i = 0; i < n; i++) {
        enum si_watch_kind *kind = ready[i].tag;
        if (*kind == SI_WATCH_LISTENER)
            accept_more((struct vb_listener *)((char *)kind - offsetof(struct vb_listener, watch)));
        else /* only frees itself, so the others of this round stay */
            si_conn_event((struct vb_conn *)((char *)kind - offsetof(struct vb_conn, watch)), ready[i].what);
    }
    run_timers(cm);
    resume_listeners(cm);
}

/* cm.lock. What comes up from now on needs no signal: the poll finds it, or end_poll() does. */
static void begin_poll(struct vb_cm *cm)
{
    pal_mutex_lock(&cm->signal_lock);
    cm->is_polling = true;
    pal_mutex_unlock(&cm->signal_lock);
    pal_poller_clear(cm->poller);
}

static void end_poll(struct vb_cm *cm)
{
    pal_mutex_lock(&cm->signal_lock);
    cm->is_polling = false;
    const bool is_left = cm->ready || cm->signalled;
    pal_mutex_unlock(&cm->signal_lock);
    if (is_left)
        pal_poller_signal(cm->poller);
}

vb_status_t si_cm_poll(struct vb_cm *cm, struct vb_cm_event *ev)
{
    const uint64_t began_ns = pal_now_ns();
    pal_mutex_lock(&cm->lock);
    begin_poll(cm);
    take_signals(cm);
    bool has = pop_event(cm, ev);
    if (!has) {
        look(cm);
        pal_mutex_unlock(&cm->lock);
        backstop_run(cm, began_ns);
        pal_mutex_lock(&cm->lock);
        take_signals(cm);
        has = pop_event(cm, ev);
    }
    end_poll(cm);
    pal_mutex_unlock(&cm->lock);
    return has ? VB_OK : VB_E_AGAIN;
}
