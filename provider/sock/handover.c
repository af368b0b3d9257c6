/* handover.c - see handover.h. */
#include "sock/handover.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "sock/instance.h"
#include "data/device.h"
#include "pal/memory.h"
#include "pal/process.h"
#include "pal/time.h"
#include "sock/conn.h"
#include "sock/engine.h"
#include "sock/listen.h"

#define RECORD_MAGIC   0x57534448u
#define RECORD_VERSION 1u
#define STASH_MAX      8u /* = most private receives a socket can have */
#define DRAIN_MS       2000u

struct record {
    uint32_t magic, version;
    uint32_t source_pid, target_pid;
    uint64_t expires_wall_ms;
    uint8_t is_listener, family, peer_flags;
    uint16_t peer_resume_port;
    int32_t backlog;
    struct vb_addr local, remote;
    uint64_t key, peer_key;
    uint32_t option_count;
    struct wsd_option options[WSD_OPTION_ROOM];
    uint32_t stash_count; /* messages that arrived and nobody asked for yet */
    uint32_t stash_bytes[STASH_MAX];
    uint8_t stash[STASH_MAX][WSD_PRIVATE_BYTES];
};

static const char *record_name(uint32_t token, char out[32])
{
    snprintf(out, 32, "socket-%08x", token);
    return out;
}

static bool drop_record(uint32_t token)
{
    char name[32];
    return pal_record_drop(record_name(token, name));
}

/* Random and unique on this machine (Q25). */
static int publish(const struct record *r, uint32_t *token)
{
    char name[32];
    for (int tries = 0; tries < 16; tries++) {
        if (!pal_random(token, sizeof *token) || *token == 0)
            continue;
        switch (pal_record_put(record_name(*token, name), r, sizeof *r)) {
        case PAL_RECORD_OK: return 0;
        case PAL_RECORD_EXISTS: continue;
        default: return WSAENOBUFS;
        }
    }
    return WSAENOBUFS;
}

static void describe(struct wsd_sock *s, uint32_t pid, struct record *r)
{
    memset(r, 0, sizeof *r);
    r->magic = RECORD_MAGIC;
    r->version = RECORD_VERSION;
    r->source_pid = pal_process_id();
    r->target_pid = pid;
    r->expires_wall_ms = pal_wall_ms() + wsd_provider.config.duplicate_expiry_ms;
    r->is_listener = wsd_sock_state(s) == WSD_ST_LISTENING;
    r->family = s->family;
    r->peer_flags = s->peer_flags;
    r->peer_resume_port = s->peer_resume_port;
    r->backlog = (int32_t)s->backlog;
    r->local = s->local;
    r->remote = s->remote;
    r->key = s->key;
    r->peer_key = s->peer_key;
    r->option_count = s->option_count;
    memcpy(r->options, s->options, sizeof r->options);
}

static void stash_arrived(struct wsd_chan *c, struct record *r)
{
    pal_lock_take(&c->rq.lock);
    for (struct wsd_private_buf *b = c->arrived; b && r->stash_count < STASH_MAX; b = b->next) {
        uint32_t bytes = b->arrived_bytes < WSD_PRIVATE_BYTES ? b->arrived_bytes : WSD_PRIVATE_BYTES;
        memcpy(r->stash[r->stash_count], b->bytes, bytes);
        r->stash_bytes[r->stash_count++] = bytes;
    }
    pal_lock_give(&c->rq.lock);
}

static struct wsd_wire wire_for(const struct record *r, enum wsd_wire_kind kind)
{
    return (struct wsd_wire){.kind = (uint8_t)kind,
                             .family = r->local.family,
                             .key = r->key,
                             .peer_key = r->peer_key,
                             .resume_port = wsd_engine_resume_port(r->local.family)};
}

/* A socket that exists only to carry one message to the peer's resume port. */
static struct wsd_sock *start_notice(const struct record *r, enum wsd_wire_kind kind, enum wsd_role role,
                                     int *error)
{
    struct wsd_sock *n = wsd_sock_create(WSD_REF_DESCRIPTOR);
    *error = WSAENOBUFS;
    if (!n)
        return NULL;
    n->family = r->family;
    n->local = r->local;
    n->remote = r->remote;
    n->role = (uint8_t)role;
    struct vb_addr to = r->remote;
    to.port = r->peer_resume_port;
    struct wsd_wire w = wire_for(r, kind);
    wsd_sock_move(n, WSD_EV_CONNECT);
    *error = wsd_conn_start(n, &to, &w);
    return n;
}

static void end_notice(struct wsd_sock *n)
{
    if (wsd_sock_close(n, true)) /* false: the connection thread was faster (FAREWELL) */
        wsd_sock_release(n, WSD_REF_DESCRIPTOR);
}

/* Tell the peer's provider that the connection will end and come back. Waits for its answer. */
static int announce(const struct record *r)
{
    int error;
    struct wsd_sock *n = start_notice(r, WSD_WIRE_MOVE, WSD_ROLE_NOTICE, &error);
    if (!n)
        return error;
    if (!error)
        error = wsd_engine_wait_connect(n);
    end_notice(n);
    return error;
}

void wsd_handover_give_up(struct wsd_sock *s, uint32_t token)
{
    struct record r;
    if (!drop_record(token) || s->key == 0)
        return; /* somebody has it, or it was a listener: nobody waits */
    pal_mutex_lock(&s->lock);
    describe(s, 0, &r);
    pal_mutex_unlock(&s->lock);
    int error;
    struct wsd_sock *n = start_notice(&r, WSD_WIRE_ABANDON, WSD_ROLE_FAREWELL, &error);
    if (n && error)
        end_notice(n); /* the peer finds out when its patience ends */
}

static int export_listener(struct wsd_sock *s, uint32_t pid, uint32_t *token)
{
    struct record r;
    pal_mutex_lock(&s->lock);
    describe(s, pid, &r);
    pal_mutex_unlock(&s->lock);
    int error = publish(&r, token);
    if (error)
        return error;
    pal_mutex_lock(&s->lock);
    bool moved = wsd_sock_move_locked(s, WSD_EV_MOVE);
    s->move_token = moved ? *token : 0;
    pal_mutex_unlock(&s->lock);
    if (!moved) {
        drop_record(*token);
        return WSAEINVAL;
    }
    wsd_event_forget(s);
    wsd_engine_run(s, WSD_WORK_UNLISTEN); /* the port must be free before the target listens on it */
    return 0;
}

static bool sends_pending(struct wsd_chan *c)
{
    pal_lock_take(&c->sq.lock);
    bool pending = wsd_queue_ops(&c->sq) != 0;
    pal_lock_give(&c->sq.lock);
    return pending;
}

/* A failed request tells the channel, and the switch, before the connection thread has made the state BROKEN: that
 * this socket is not connected any more (4.14: WSAEINVAL) must not depend on who is faster. */
static bool is_dead(struct wsd_chan *c)
{
    return pal_load_acquire(&c->cause) != 0;
}

static int export_connection(struct wsd_sock *s, uint32_t pid, uint32_t *token)
{
    struct record r;
    struct wsd_chan *c = s->chan;
    if (sends_pending(c))
        return WSAEINVAL; /* the switch waits for sends and RDMA first (8.10) */
    if (is_dead(c))
        return WSAEINVAL;
    if (!s->peer_resume_port)
        return WSAENOBUFS;
    pal_mutex_lock(&s->lock);
    describe(s, pid, &r);
    pal_mutex_unlock(&s->lock);
    int error = announce(&r);
    if (error && is_dead(c))
        return WSAEINVAL; /* the peer left while it was asked: it could not say so */
    if (error) {
        WSD_LOG_WARN("sock=%u event=move-refused error=%d", s->id, error);
        return error == WSAENOBUFS ? WSAENOBUFS : WSAENETDOWN;
    }
    wsd_conn_use(s); /* until the unread message is saved: a moved socket that nobody uses is torn down */
    if (!wsd_sock_move(s, WSD_EV_MOVE)) {
        wsd_conn_unuse(s);
        return WSAENETDOWN; /* died meanwhile */
    }
    wsd_chan_shut(c);
    wsd_chan_break(c, WSD_CAUSE_MOVED);
    vb_conn_disconnect(s->conn);
    vb_qp_stop(c->qp);
    wsd_chan_drain(c, pal_now_ns() + DRAIN_MS * 1000000ull);
    wsd_shard_deliver(c->shard, c);
    stash_arrived(c, &r);
    error = publish(&r, token);
    pal_mutex_lock(&s->lock);
    s->move_token = error ? 0 : *token;
    pal_mutex_unlock(&s->lock);
    wsd_conn_unuse(s); /* asks for the tear-down */
    return error;
}

int wsd_handover_export(struct wsd_sock *s, uint32_t pid, uint32_t *token)
{
    switch (wsd_sock_state(s)) {
    case WSD_ST_LISTENING: return export_listener(s, pid, token);
    case WSD_ST_CONNECTED: return s->peer_moving ? WSAEINVAL : export_connection(s, pid, token);
    default: return WSAEINVAL;
    }
}

/* ---- taking over --------------------------------------------------------------------------------------- */

static int fetch(uint32_t token, struct record *r)
{
    char name[32];
    record_name(token, name);
    if (pal_record_peek(name, r, sizeof *r) != PAL_RECORD_OK || r->magic != RECORD_MAGIC ||
        r->version != RECORD_VERSION)
        return WSAEINVAL;
    if (r->target_pid != pal_process_id())
        return WSAEINVAL; /* usable by the named process only (4.14) */
    if (pal_record_take(name, r, sizeof *r) != PAL_RECORD_OK)
        return WSAEINVAL;
    if (r->expires_wall_ms <= pal_wall_ms() || r->option_count > WSD_OPTION_ROOM ||
        r->stash_count > STASH_MAX)
        return WSAEINVAL;
    return 0;
}

static int unstash(struct wsd_chan *c, const struct record *r)
{
    for (uint32_t i = 0; i < r->stash_count; i++) {
        struct wsd_private_buf *b;
        if (r->stash_bytes[i] > WSD_PRIVATE_BYTES || wsd_domain_take_private(c->domain, &b) != VB_OK)
            return WSAENOBUFS;
        memcpy(b->bytes, r->stash[i], r->stash_bytes[i]);
        b->arrived_bytes = r->stash_bytes[i];
        pal_lock_take(&c->rq.lock);
        *c->arrived_tail = b;
        c->arrived_tail = &b->next;
        c->private_unpaired++;
        wsd_chan_privates_changed(c);
        pal_lock_give(&c->rq.lock);
    }
    return 0;
}

static int import_connection(struct wsd_sock *s, const struct record *r)
{
    struct vb_addr to = r->remote;
    to.port = r->peer_resume_port;
    struct wsd_wire w = wire_for(r, WSD_WIRE_RESUME);
    s->role = WSD_ROLE_RESUME;
    wsd_sock_move(s, WSD_EV_CONNECT);
    int error = wsd_conn_start(s, &to, &w);
    if (!error)
        error = wsd_engine_wait_connect(s);
    if (error) {
        WSD_LOG_WARN("sock=%u event=take-over-failed error=%d", s->id, error);
        return error == WSAENOBUFS ? WSAENOBUFS : WSAENETDOWN;
    }
    return unstash(s->chan, r);
}

int wsd_handover_import(struct wsd_sock *s, uint32_t token)
{
    struct record r;
    int error = fetch(token, &r);
    if (error)
        return error;
    pal_mutex_lock(&s->lock);
    s->family = r.family;
    s->local = r.local;
    s->remote = r.remote;
    s->key = r.key;
    s->peer_key = r.peer_key;
    s->option_count = r.option_count;
    memcpy(s->options, r.options, sizeof s->options);
    pal_mutex_unlock(&s->lock);
    error = wsd_sock_open_handle(s);
    if (error)
        return error;
    if (!r.is_listener)
        return import_connection(s, &r);
    wsd_sock_move(s, WSD_EV_BIND);
    error = wsd_listen_start(s, r.backlog);
    return error;
}
