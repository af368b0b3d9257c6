/* conn.c - see conn.h. Everything but wsd_conn_start() and the helpers at the end runs in the connection
 * thread. */
#include "sock/conn.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "sock/instance.h"
#include "data/device.h"
#include "pal/memory.h"
#include "pal/time.h"
#include "sock/engine.h"
#include "sock/listen.h"

#define DRAIN_MS 2000u /* a stopped QP flushes in microseconds; a device that takes longer is broken */
/* before a disconnect is reported; other sockets share the CQ, so this must end */
#define HARVEST_ROUNDS 4096

static uint64_t in_ms(uint32_t ms)
{
    return pal_now_ns() + (uint64_t)ms * 1000000;
}

static void set_deadline(struct wsd_sock *s, uint64_t at)
{
    pal_mutex_lock(&s->lock);
    s->deadline_ns = at;
    pal_mutex_unlock(&s->lock);
    wsd_engine_watch(s, at);
}

/* ---- starting ------------------------------------------------------------------------------------------ */

bool wsd_conn_new_key(uint64_t *key)
{
    do {
        if (!pal_random(key, sizeof *key))
            return false;
    } while (*key == 0 || (uint32_t)*key == 0);
    return true;
}

void wsd_conn_read_depths(const struct wsd_sock *s, struct vb_conn_params *p)
{
    const struct vb_caps *caps = &s->chan->dev->caps;
    p->read_in = (uint8_t)(caps->max_read_in < 16 ? caps->max_read_in : 16);
    p->read_out = (uint8_t)(caps->max_read_out < 16 ? caps->max_read_out : 16);
}

/* How many reads may be out: what we want, and what the peer offered in its request. */
uint32_t wsd_conn_reads(const struct vb_conn_params *ours, uint8_t offered)
{
    return ours->read_out < offered ? ours->read_out : offered;
}

static int start_in_use(struct wsd_sock *s, const struct vb_addr *to, const struct wsd_wire *w)
{
    struct vb_conn *conn;
    struct vb_addr local = s->local;
    if (s->role != WSD_ROLE_SWITCH)
        local.port =
            0; /* the peer looks at keys and host; the port may be a listener's, which is to find it free elsewhere (8.10) */
    vb_status_t st = vb_conn_create(wsd_provider.cm, &local, s, &conn);
    if (st != VB_OK)
        return wsd_error_connect(st);
    wsd_sock_hold(s, WSD_REF_CONN); /* until wsd_conn_finish() */
    pal_mutex_lock(&s->lock);
    s->conn = conn;
    pal_mutex_unlock(&s->lock);
    st = wsd_sock_make_chan(s, 0);
    if (st != VB_OK)
        return st == VB_E_ADDRNOTAVAIL ? WSAEADDRNOTAVAIL : wsd_error_setup(st);
    uint8_t data[WSD_WIRE_MAX_BYTES];
    struct vb_conn_params p = {.data = data,
                               .data_bytes = wsd_wire_encode(w, data),
                               .timeout_ms = wsd_provider.config.connect_timeout_ms};
    wsd_conn_read_depths(s, &p);
    set_deadline(s, in_ms(wsd_provider.config.connect_timeout_ms));
    st = vb_conn_connect(s->conn, to, &p);
    return wsd_error_connect(st);
}

int wsd_conn_start(struct wsd_sock *s, const struct vb_addr *to, const struct wsd_wire *w)
{
    wsd_conn_use(s); /* the socket may be closed meanwhile: nothing is torn down under us */
    int error = start_in_use(s, to, w);
    wsd_conn_unuse(s);
    return error;
}

/* The code says what the switch is to do next, not what happened. */
static void tell_why(const struct wsd_sock *s, int error)
{
    char why[VB_TEXT_BYTES] = "";
    if (!WSD_LOG_WANTS(WSD_LOG_LEVEL_NOTICE))
        return;
    (void)vb_conn_text(s->conn, why, sizeof why);
    WSD_LOG_NOTICE("sock=%u event=connect-failed error=%d why=[%s]", s->id, error, why);
}

void wsd_conn_outcome(struct wsd_sock *s, int error)
{
    wsd_engine_forget_timer(s);
    if (error && !wsd_sock_move(s, WSD_EV_FAIL))
        return; /* closed meanwhile, or it had an outcome already */
    if (error)
        tell_why(s, error);
    switch ((enum wsd_role)s->role) {
    case WSD_ROLE_SWITCH:
        pal_mutex_lock(&s->lock);
        s->connect_over = true; /* for a registration that comes later (4.6) */
        s->connect_result = error;
        pal_mutex_unlock(&s->lock);
        wsd_event_record(s, FD_CONNECT_BIT, error);
        break;
    case WSD_ROLE_RESUME:
    case WSD_ROLE_NOTICE: wsd_engine_attempt_done(s, error); break;
    case WSD_ROLE_FAREWELL:
        if (wsd_sock_close(s, true))
            wsd_sock_release(s, WSD_REF_DESCRIPTOR);
        break;
    }
}

/* ---- events of connections that exist ------------------------------------------------------------------ */

static void on_established(struct wsd_sock *s, const struct vb_cm_event *ev)
{
    struct wsd_wire w;
    if (wsd_sock_state(s) != WSD_ST_CONNECTING) /* accepting side: we knew already */
        return;
    if (!wsd_wire_decode(ev->data, ev->data_bytes, &w) || w.kind != WSD_WIRE_ACCEPT) {
        WSD_LOG_WARN("sock=%u event=bad-accept-data bytes=%u", s->id, ev->data_bytes);
        s->established = true;
        wsd_conn_outcome(s, WSAETIMEDOUT); /* proves nothing about TCP: fall back (4.8) */
        return;
    }
    /* only a rejection answers those */
    bool strange = s->role == WSD_ROLE_NOTICE || s->role == WSD_ROLE_FAREWELL ||
                   (s->role == WSD_ROLE_RESUME && w.key != s->peer_key); /* not the end we know */
    if (strange) {
        s->established = true;
        wsd_conn_outcome(s, WSAETIMEDOUT);
        return;
    }
    pal_mutex_lock(&s->lock);
    s->peer_key = w.key;
    s->peer_resume_port = w.resume_port;
    s->peer_flags = w.flags;
    s->established = true;
    s->deadline_ns = 0;
    pal_mutex_unlock(&s->lock);
    wsd_chan_open(s->chan, s->handle, wsd_sock_descriptor(s), (uint32_t)s->key, (uint32_t)s->peer_key,
                  ev->read_out);
    if (wsd_sock_move(s, WSD_EV_ESTABLISHED))
        wsd_conn_outcome(s, 0);
}

/* The three codes that forbid a fall-back to TCP/IP are only given on the word of a peer provider (4.8,
 * W9). */
static int reject_error(const struct wsd_sock *s, const struct vb_cm_event *ev)
{
    struct wsd_wire w;
    if (!wsd_wire_decode(ev->data, ev->data_bytes, &w) || w.kind != WSD_WIRE_REJECT)
        return wsd_error_connect(ev->status);
    if (w.reason == WSD_REJECT_NOTED)
        return s->role == WSD_ROLE_NOTICE || s->role == WSD_ROLE_FAREWELL ? 0 : WSAETIMEDOUT;
    return w.reason == WSD_REJECT_REFUSED || w.reason == WSD_REJECT_BACKLOG ? WSAECONNREFUSED : WSAETIMEDOUT;
}

/* The peer is moving and has hung up: keep the receives until it is back (8.10). */
static void wait_for_peer(struct wsd_sock *s)
{
    vb_conn_disconnect(s->conn);
    vb_qp_stop(s->chan->qp);
    wsd_chan_drain(s->chan, in_ms(DRAIN_MS));
    set_deadline(s, in_ms(wsd_provider.config.duplicate_expiry_ms));
}

static void come_back(struct wsd_sock *s, struct vb_conn *conn, uint16_t resume_port, uint8_t read_depth);
static void refuse_returning(struct wsd_sock *s);

static void old_one_ended(struct wsd_sock *s)
{
    struct vb_conn *conn = s->returning;
    wait_for_peer(s);
    s->returning = NULL;
    if (conn)
        come_back(s, conn, s->returning_port, s->returning_read_depth);
}

static void on_disconnected(struct wsd_sock *s)
{
    s->disconnected = true;
    switch (wsd_sock_state(s)) {
    case WSD_ST_CONNECTED:
        if (s->peer_moving)
            old_one_ended(s);
        else
            wsd_conn_break(s, WSAECONNRESET);
        break;
    case WSD_ST_CONNECTING: wsd_conn_outcome(s, WSAETIMEDOUT); break;
    case WSD_ST_QUEUED:
    case WSD_ST_ACCEPTING: wsd_listen_withdrawn(s); break;
    case WSD_ST_CLOSED:
    case WSD_ST_MOVED:
        if (s->deadline_ns) /* tear-down was only waiting for this */
            wsd_conn_finish(s);
        break;
    default: break;
    }
}

static void on_failed(struct wsd_sock *s, vb_status_t st)
{
    s->disconnected = true;
    switch (wsd_sock_state(s)) {
    case WSD_ST_CONNECTING: wsd_conn_outcome(s, wsd_error_connect(st)); break;
    case WSD_ST_CONNECTED: wsd_conn_break(s, WSAECONNABORTED); break; /* accepted, never confirmed (Q20) */
    default: on_disconnected(s); break;
    }
}

void wsd_conn_event(struct wsd_sock *s, const struct vb_cm_event *ev)
{
    WSD_LOG_DEBUG("sock=%u state=%s event=cm kind=%d status=%s", s->id,
                  wsd_sock_state_name(wsd_sock_state(s)), (int)ev->kind, vb_status_name(ev->status));
    switch (ev->kind) {
    case VB_CM_ESTABLISHED: on_established(s, ev); break;
    case VB_CM_REJECTED:
        s->disconnected = true;
        if (wsd_sock_state(s) == WSD_ST_CONNECTING)
            wsd_conn_outcome(s, reject_error(s, ev));
        else
            on_failed(s, ev->status);
        break;
    case VB_CM_FAILED: on_failed(s, ev->status); break;
    case VB_CM_DISCONNECTED:
    case VB_CM_WITHDRAWN: on_disconnected(s); break;
    case VB_CM_DEV_GONE:
        if (wsd_sock_state(s) == WSD_ST_CONNECTED) {
            s->disconnected = true;
            wsd_conn_break(s, WSAENETDOWN);
        } else {
            on_failed(s, VB_E_NODEV);
        }
        break;
    case VB_CM_REQUEST: break; /* handled by wsd_conn_request() */
    }
}

void wsd_conn_break(struct wsd_sock *s, int cause)
{
    struct wsd_chan *c = s->chan;
    if (!c || s->released || wsd_sock_state(s) != WSD_ST_CONNECTED)
        return;
    /* What arrived before the end is delivered first; the event may have overtaken completions (14.1, 16). */
    for (int i = 0; i < HARVEST_ROUNDS && wsd_shard_harvest(c->shard, true); i++)
        ;
    int known = (int)pal_load_acquire(&c->cause);
    if (!wsd_sock_move(s, WSD_EV_BREAK))
        return;
    wsd_chan_break(c, cause ? cause : known ? known : WSAECONNRESET);
    refuse_returning(s);
    WSD_LOG_INFO("sock=%u event=broken cause=%u", s->id, pal_load_acquire(&c->cause));
    vb_conn_disconnect(s->conn);
    vb_qp_stop(c->qp);
    if (!wsd_chan_drain(c, in_ms(DRAIN_MS)))
        WSD_LOG_ERROR("sock=%u event=flush-incomplete", s->id); /* closing the socket forces the rest out */
    if (wsd_shard_has_ready(c->shard))                          /* our harvests may have made entries ready */
        wsd_shard_kick(c->shard);
}

void wsd_conn_timeout(struct wsd_sock *s)
{
    switch (wsd_sock_state(s)) {
    case WSD_ST_CONNECTING: wsd_conn_outcome(s, WSAETIMEDOUT); break; /* TCP/IP gets its turn (Q28) */
    case WSD_ST_CONNECTED:
        if (s->returning)
            old_one_ended(s); /* its end does not come */
        else if (s->peer_moving)
            wsd_conn_break(s, WSAECONNRESET); /* nobody took the socket over (Q26) */
        break;
    case WSD_ST_CLOSED:
    case WSD_ST_MOVED: wsd_conn_finish(s); break;
    default: break;
    }
}

/* ---- the end ------------------------------------------------------------------------------------------- */

void wsd_conn_finish(struct wsd_sock *s)
{
    pal_mutex_lock(&s->lock);
    bool go = !s->released && s->conn && !s->conn_users; /* the last user asks again */
    if (go)
        s->released = true;
    pal_mutex_unlock(&s->lock);
    if (!go)
        return;
    wsd_engine_forget_timer(s);
    refuse_returning(s);
    if (s->chan) {
        if (s->chan->qp) {
            vb_qp_stop(s->chan->qp);
            wsd_chan_drain(s->chan, in_ms(DRAIN_MS));
        }
        wsd_chan_release(s->chan);
        if (wsd_shard_has_ready(s->chan->shard)) /* our harvests may have made the last entry ready */
            wsd_shard_kick(s->chan->shard);
    }
    pal_mutex_lock(&s->lock);
    struct vb_conn *conn = s->conn;
    s->conn = NULL;
    pal_mutex_unlock(&s->lock);
    vb_conn_destroy(conn);
    wsd_sock_release(s, WSD_REF_CONN);
}

/* A short, bounded chance for the disconnect exchange, in the background (Q18). */
void wsd_conn_teardown(struct wsd_sock *s)
{
    if (!s->conn || s->released)
        return;
    if (!s->established || s->disconnected || !wsd_provider.config.close_grace_ms) {
        wsd_conn_finish(s);
        return;
    }
    /* again if it was done: a connection may have come up while its socket was being closed */
    vb_conn_disconnect(s->conn);
    pal_mutex_lock(&s->lock);
    s->deadline_ns = in_ms(wsd_provider.config.close_grace_ms);
    pal_mutex_unlock(&s->lock);
    wsd_engine_run(s, WSD_WORK_WATCH);
}

/* ---- requests of peers --------------------------------------------------------------------------------- */

void wsd_conn_reject(struct vb_conn *conn, enum wsd_reject_reason reason)
{
    uint8_t data[WSD_WIRE_MAX_BYTES];
    struct wsd_wire w = {.kind = WSD_WIRE_REJECT, .reason = (uint8_t)reason};
    uint16_t bytes = wsd_wire_encode(&w, data);
    vb_conn_reject(conn, data, bytes);
}

static void refuse(struct vb_conn *conn, enum wsd_reject_reason reason)
{
    wsd_conn_reject(conn, reason);
    vb_conn_destroy(conn);
}

static void refuse_returning(struct wsd_sock *s)
{
    if (s->returning)
        refuse(s->returning, WSD_REJECT_UNKNOWN);
    s->returning = NULL;
}

struct search {
    const struct wsd_wire *w;
    const struct vb_addr *remote;
    struct wsd_sock *found;
};

static void match_keys(struct wsd_sock *s, void *arg)
{
    struct search *x = arg;
    pal_mutex_lock(&s->lock);
    bool match = wsd_sock_state(s) == WSD_ST_CONNECTED && s->key == x->w->peer_key &&
                 s->peer_key == x->w->key && vb_addr_same_ip(&s->remote, x->remote);
    pal_mutex_unlock(&s->lock);
    if (match && !x->found) {
        wsd_sock_hold(s, WSD_REF_CONN);
        x->found = s;
    }
}

/* Both keys and the host must be those of a connection that is up. */
static struct wsd_sock *find_connection(const struct wsd_wire *w, const struct vb_addr *remote)
{
    struct search x = {w, remote, NULL};
    wsd_sock_for_each(match_keys, &x);
    return x.found;
}

static void on_move(struct wsd_sock *s, struct vb_conn *conn)
{
    wsd_chan_park(s->chan);
    s->peer_moving = true;
    set_deadline(s, in_ms(wsd_provider.config.duplicate_expiry_ms));
    WSD_LOG_INFO("sock=%u event=peer-moves", s->id);
    refuse(conn, WSD_REJECT_NOTED);
}

/* Have conn and the QP for ourselves. False: the socket was closed or broke meanwhile. */
static bool take_conn(struct wsd_sock *s)
{
    for (;;) {
        pal_mutex_lock(&s->lock);
        bool busy = s->conn_users != 0, ok = wsd_sock_state(s) == WSD_ST_CONNECTED;
        if (!busy && ok)
            s->conn_changing = true;
        pal_mutex_unlock(&s->lock);
        if (!busy || !ok)
            return ok;
        pal_thread_yield();
    }
}

static void give_conn(struct wsd_sock *s)
{
    pal_mutex_lock(&s->lock);
    s->conn_changing = false;
    pal_mutex_unlock(&s->lock);
}

/* Splice the new connection under the socket; its pending receives go to the new QP in their order (Q27). */
static void come_back(struct wsd_sock *s, struct vb_conn *conn, uint16_t resume_port, uint8_t read_depth)
{
    uint32_t reads = 0;
    struct wsd_chan *c = s->chan;
    if (!take_conn(s)) {
        refuse(conn, WSD_REJECT_UNKNOWN);
        return;
    }
    struct vb_conn *old = s->conn;
    /* What a stuck QP did not give back must not be mixed up with the next one's requests. */
    vb_status_t st = wsd_chan_drained(c) ? wsd_chan_new_qp(c) : VB_E_FATAL;
    vb_conn_destroy(old);
    vb_conn_set_context(conn, s);
    pal_mutex_lock(&s->lock);
    s->conn = conn;
    s->peer_resume_port = resume_port;
    s->disconnected = false;
    s->peer_moving = false;
    s->deadline_ns = 0;
    pal_mutex_unlock(&s->lock);
    if (st == VB_OK)
        st = vb_conn_bind_qp(conn, c->qp);
    if (st == VB_OK) {
        uint8_t data[WSD_WIRE_MAX_BYTES];
        struct vb_conn_params p = {.data = data, .data_bytes = wsd_conn_accept_data(s, data)};
        wsd_conn_read_depths(s, &p);
        reads = wsd_conn_reads(&p, read_depth);
        wsd_chan_unpark(c);
        st = vb_conn_accept(conn, &p);
    }
    if (st == VB_OK) {
        wsd_chan_open(c, s->handle, wsd_sock_descriptor(s), (uint32_t)s->key, (uint32_t)s->peer_key, reads);
        give_conn(s);
        WSD_LOG_INFO("sock=%u event=peer-moved", s->id);
        return;
    }
    WSD_LOG_WARN("sock=%u event=resume-failed cause=%s", s->id, vb_status_name(st));
    wsd_conn_reject(conn, WSD_REJECT_RESOURCES);
    s->disconnected = true;
    wsd_sock_move(s, WSD_EV_BREAK);
    wsd_chan_break(c, WSAECONNRESET);
    if (c->qp) { /* the kept receives may be in the new queue already */
        vb_qp_stop(c->qp);
        wsd_chan_drain(c, in_ms(DRAIN_MS));
    }
    wsd_shard_kick(c->shard);
    give_conn(s);
}

/* The old connection ended before, at the other end; its last message may be on its way here all the same, and comes before its end (14.1, 16). */
static void on_resume(struct wsd_sock *s, struct vb_conn *conn, const struct wsd_wire *w, uint8_t read_depth)
{
    if (!s->peer_moving || s->returning) {
        refuse(conn, WSD_REJECT_UNKNOWN);
        return;
    }
    if (s->disconnected) {
        come_back(s, conn, w->resume_port, read_depth);
        return;
    }
    s->returning = conn;
    s->returning_port = w->resume_port;
    s->returning_read_depth = read_depth;
    set_deadline(s, in_ms(DRAIN_MS));
}

/* The mover gave up before anybody took the socket (Q26). */
static void on_abandon(struct wsd_sock *s, struct vb_conn *conn)
{
    bool waiting = s->peer_moving;
    refuse(conn, waiting ? WSD_REJECT_NOTED : WSD_REJECT_UNKNOWN);
    if (waiting)
        wsd_conn_break(s, WSAECONNRESET);
}

static void resume_request(struct vb_conn *conn, const struct wsd_wire *w, const struct vb_addr *remote,
                           uint8_t read_depth)
{
    bool known = w->kind == WSD_WIRE_MOVE || w->kind == WSD_WIRE_RESUME || w->kind == WSD_WIRE_ABANDON;
    struct wsd_sock *s = known ? find_connection(w, remote) : NULL;
    if (!s) {
        refuse(conn, known ? WSD_REJECT_UNKNOWN : WSD_REJECT_MALFORMED);
        return;
    }
    if (w->kind == WSD_WIRE_MOVE)
        on_move(s, conn);
    else if (w->kind == WSD_WIRE_RESUME)
        on_resume(s, conn, w, read_depth);
    else
        on_abandon(s, conn);
    wsd_sock_release(s, WSD_REF_CONN);
}

void wsd_conn_request(struct wsd_sock *listener, const struct vb_cm_event *ev)
{
    struct wsd_wire w;
    struct vb_addr local, remote;
    vb_conn_addrs(ev->conn, &local, &remote);
    vb_conn_set_context(ev->conn, NULL);
    if (!wsd_wire_decode(ev->data, ev->data_bytes, &w)) {
        char text[VB_ADDR_TEXT_BYTES];
        WSD_LOG_WARN("event=request-refused reason=malformed peer=%s bytes=%u", vb_addr_text(&remote, text),
                     ev->data_bytes);
        refuse(ev->conn, WSD_REJECT_MALFORMED);
    } else if (!listener) {
        resume_request(ev->conn, &w, &remote, ev->read_out);
    } else if (w.kind != WSD_WIRE_CONNECT || w.family != local.family ||
               memcmp(w.source.ip, remote.ip, 16) != 0 || memcmp(w.destination.ip, local.ip, 16) != 0 ||
               w.destination.port != listener->local.port) {
        /* Names and ports must be those of the connection itself: nobody speaks for another host (section
         * 9). */
        refuse(ev->conn, WSD_REJECT_MALFORMED);
    } else {
        remote.port = w.source.port;
        local.port = w.destination.port;
        wsd_listen_request(listener, ev->conn, &w, &local, &remote, ev->read_out);
    }
}

/* ---- helpers ------------------------------------------------------------------------------------------- */

uint16_t wsd_conn_accept_data(struct wsd_sock *s, uint8_t out[WSD_WIRE_MAX_BYTES])
{
    struct wsd_wire w = {.kind = WSD_WIRE_ACCEPT,
                         .key = s->key,
                         .resume_port = wsd_engine_resume_port(s->local.family),
                         .flags = wsd_provider_has_read() ? WSD_WIRE_HAS_READ : 0};
    return wsd_wire_encode(&w, out);
}

void wsd_conn_use(struct wsd_sock *s)
{
    pal_mutex_lock(&s->lock);
    while (s->conn_changing) {
        pal_mutex_unlock(&s->lock);
        pal_thread_yield();
        pal_mutex_lock(&s->lock);
    }
    s->conn_users++;
    pal_mutex_unlock(&s->lock);
}

void wsd_conn_unuse(struct wsd_sock *s)
{
    pal_mutex_lock(&s->lock);
    enum wsd_sock_state state = wsd_sock_state(s);
    bool ended = --s->conn_users == 0 && s->conn && (state == WSD_ST_CLOSED || state == WSD_ST_MOVED);
    pal_mutex_unlock(&s->lock);
    if (ended) /* tear-down waited for us, or was never asked for because there was nothing yet */
        wsd_engine_post(s, WSD_WORK_TEARDOWN);
}
