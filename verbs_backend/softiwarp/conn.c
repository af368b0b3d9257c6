/* conn.c - connections: TCP to one of the candidate ports, the MPA request and reply, the orderly end.
 * While a QP has the socket, only the QP touches it. Before and after, the thread that holds cm.lock does. */
#include <stdlib.h>
#include <string.h>

#include "ports.h"
#include "si.h"

/* What a peer that was accepted may send ahead, unless WSD_SOFTIWARP_RCVBUF says: 16 FPDUs of the largest size, so that a stream does
 * not wait for the window. One whose messages nobody takes can fill twice that, so nobody has it before. Our choice. */
#define RECV_AHEAD 1048576u

#define LINGER_MS 1000u /* our side has ended: how long the peer may take to end its own */

/* ---- life ---- */

struct vb_conn *si_conn_new(struct vb_cm *cm)
{
    struct vb_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->watch = SI_WATCH_CONN;
    c->cm = cm;
    c->sock = PAL_SOCKET_NONE;
    c->next = cm->conns;
    cm->conns = c;
    return c;
}

void si_conn_watch(struct vb_conn *c, unsigned what)
{
    if (what && !c->is_in_poller)
        c->is_in_poller = pal_poller_add(c->cm->poller, c->sock, what, &c->watch);
    else if (what && what != c->interest)
        pal_poller_change(c->cm->poller, c->sock, what, &c->watch);
    else if (!what && c->is_in_poller) {
        pal_poller_remove(c->cm->poller, c->sock);
        c->is_in_poller = false;
    }
    c->interest = what;
}

void si_conn_drop_socket(struct vb_conn *c)
{
    si_conn_watch(c, 0);
    pal_socket_close(c->sock);
    c->sock = PAL_SOCKET_NONE;
}

void si_conn_deadline(struct vb_conn *c, uint32_t ms)
{
    c->deadline_ns = ms ? pal_now_ns() + (uint64_t)ms * 1000000 : 0;
    si_cm_deadline(c->cm);
}

void si_conn_free(struct vb_conn *c)
{
    struct vb_conn **at = &c->cm->conns;
    si_conn_drop_signals(c);
    si_cm_drop_events(c);
    si_conn_drop_socket(c);
    if (c->listener)
        c->listener->hellos--;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free(c->tail);
    free(c);
}

/* ---- frames ---- */

static bool send_hello(struct vb_conn *c, struct mpa_hello *h, enum si_map_kind kind, const void *data,
                       uint16_t bytes)
{
    uint8_t both[SI_MAP_BYTES + SI_MAX_DATA];
    size_t n = 0, sent;
    if (c->is_mapped) {
        const struct si_map m = {.kind = (uint8_t)kind,
                                 .service = kind == SI_MAP_CONNECT ? c->remote.port : 0,
                                 .source = kind == SI_MAP_CONNECT ? c->local.port : 0};
        si_map_encode(&m, both);
        n = SI_MAP_BYTES;
    }
    if (bytes)
        memcpy(both + n, data, bytes);
    h->data_bytes = (uint16_t)(n + bytes);
    h->revision = c->revision;
    h->wants_crc = c->with_crc;
    h->wants_markers = c->cm->be->set.wants_markers;
    const struct pal_iov iov = {c->hello, mpa_hello_encode(h, both, c->hello)};
    /* The first bytes of a connection always fit TCP's buffer; if not, it is broken. */
    return pal_socket_send(c->sock, &iov, 1, &sent) == PAL_NET_OK && sent == iov.bytes;
}

bool si_conn_reply(struct vb_conn *c, enum si_map_kind kind, const void *data, uint16_t bytes)
{
    struct mpa_hello h = {
        .is_reply = true, .is_reject = kind != SI_MAP_ACCEPT, .is_enhanced = c->is_enhanced};
    if (c->is_enhanced) {
        h.ird = c->read_in;
        h.ord = c->read_out;
        h.is_peer_to_peer = c->is_p2p;
        h.rtr_send = c->rtr == RDMAP_SEND + 1;
        h.rtr_write = c->rtr == RDMAP_WRITE + 1;
        h.rtr_read = c->rtr == RDMAP_READ_REQUEST + 1;
    }
    return send_hello(c, &h, kind, data, bytes);
}

static bool send_request(struct vb_conn *c)
{
    struct mpa_hello h = {0};
    if (c->revision >= 2) {
        h.is_enhanced = true;
        h.is_peer_to_peer = h.rtr_write = h.rtr_send = !c->cm->be->set.asks_no_rtr;
        h.rtr_read = h.is_peer_to_peer && c->read_out > 0;
        h.ird = c->read_in;
        h.ord = c->read_out;
    }
    return send_hello(c, &h, SI_MAP_CONNECT, c->out_data, c->out_bytes);
}

enum got { GOT_ALL, GOT_MORE, GOT_NOTHING };

static enum got nothing(struct vb_conn *c, enum si_why_kind why)
{
    si_why_note(c, why);
    return GOT_NOTHING;
}

/* Read on, never beyond the frame: what follows belongs to the QP. GOT_ALL: *h and *data are valid. GOT_NOTHING: it has
 * ended, or is no such frame; that is noted. */
static enum got read_hello(struct vb_conn *c, bool want_reply, struct mpa_hello *h, const uint8_t **data)
{
    for (;;) {
        size_t frame, got;
        switch (mpa_hello_decode(c->hello, c->hello_at, want_reply, h, data, &frame)) {
        case MPA_OK: return GOT_ALL;
        case MPA_MORE: break;
        case MPA_NOT_MPA: return nothing(c, SI_WHY_KEY);
        case MPA_BAD_LENGTH: return nothing(c, SI_WHY_LENGTH);
        case MPA_BAD_REVISION: return nothing(c, SI_WHY_REVISION);
        }
        const size_t wanted = frame ? frame : MPA_FIXED_BYTES;
        const struct pal_iov iov = {c->hello + c->hello_at, wanted - c->hello_at};
        switch (pal_socket_recv(c->sock, &iov, 1, &got)) {
        case PAL_NET_OK: c->hello_at += got; break;
        case PAL_NET_AGAIN: return GOT_MORE;
        default: return nothing(c, SI_WHY_CLOSED);
        }
    }
}

/* ---- active ---- */

static void connect_failed(struct vb_conn *c, enum vb_cm_event_kind kind, vb_status_t st)
{
    si_conn_drop_socket(c);
    c->state = SI_CONN_DOWN;
    c->deadline_ns = 0;
    si_cm_push(c, kind, st);
}

static void tcp_failed(struct vb_conn *c, vb_status_t st)
{
    if (st == VB_E_TIMEOUT)
        si_why_note(c, SI_WHY_NO_TCP);
    else
        si_why_status(c, st);
    connect_failed(c, VB_CM_FAILED, st);
}

static bool tcp_outcome(struct vb_conn *c);

/* To the candidate c->candidate, or the next that does not refuse at once. */
void si_conn_try(struct vb_conn *c)
{
    const struct pal_socket_tuning tuning = si_socket_tuning(&c->cm->be->set);
    struct pal_addr from = si_to_pal(&c->local), to = si_to_pal(&c->remote);
    const unsigned count = c->is_mapped ? SI_PORT_CANDIDATES : 1;
    from.port = 0;
    si_conn_drop_socket(c);
    c->state = SI_CONN_TCP;
    c->hello_at = 0;
    for (; c->candidate < count; c->candidate++) {
        if (c->is_mapped)
            to.port = si_port_candidate(c->remote.port, c->candidate);
        const enum pal_net st = pal_socket_connect(&from, &to, &tuning, &c->sock);
        if (st == PAL_NET_OK) { /* within a host TCP is done already, and nobody need be woken to find out */
            if (!tcp_outcome(c)) {
                si_conn_watch(c, PAL_WRITABLE);
                si_conn_deadline(c, c->timeout_ms);
            }
            return;
        }
        if (st != PAL_NET_REFUSED) {
            tcp_failed(c, st == PAL_NET_NOTAVAIL ? VB_E_UNREACH : si_status_net(st));
            return;
        }
        si_why_note(c, SI_WHY_REFUSED);
    }
    connect_failed(c, VB_CM_REJECTED, VB_E_NOSERVICE);
}

static void not_here(struct vb_conn *c, enum si_why_kind why)
{
    si_why_note(c, why);
    c->candidate++;
    si_conn_try(c);
}

/* False: TCP is still at it. */
static bool tcp_outcome(struct vb_conn *c)
{
    const enum pal_net st = pal_socket_outcome(c->sock);
    struct pal_addr local, remote;
    if (st == PAL_NET_AGAIN)
        return false;
    if (st == PAL_NET_REFUSED || st == PAL_NET_RESET) {
        not_here(c, st == PAL_NET_REFUSED ? SI_WHY_REFUSED : SI_WHY_CLOSED);
        return true;
    }
    if (st != PAL_NET_OK || !pal_socket_addrs(c->sock, &local, &remote)) {
        tcp_failed(c, st == PAL_NET_OK ? VB_E_FATAL : si_status_net(st));
        return true;
    }
    if (local.port == remote.port && memcmp(local.ip, remote.ip, sizeof local.ip) == 0) {
        /* TCP met itself: the port it was given happens to be the one that nobody listens on */
        not_here(c, SI_WHY_REFUSED);
        return true;
    }
    if (!c->local.port || !c->is_mapped)
        c->local.port = local.port; /* a foreign peer knows only that one */
    if (!send_request(c)) {
        not_here(c, SI_WHY_CLOSED);
        return true;
    }
    c->state = SI_CONN_REPLY;
    si_conn_watch(c, PAL_READABLE);
    si_conn_deadline(c, c->cm->be->set.dead_peer_ms); /* the accepting consumer may take its time */
    return true;
}

uint8_t si_depth(uint8_t wanted, uint16_t other)
{
    return other < wanted ? (uint8_t)other : wanted;
}

vb_status_t si_conn_give(struct vb_conn *c)
{
    vb_status_t st = VB_E_STATE; /* its owner stopped or destroyed it meanwhile */
    if (!c->qp)
        return st;
    if (!c->cm->be->set.recv_buffer_bytes)
        pal_socket_recv_ahead(c->sock, RECV_AHEAD);
    pal_mutex_lock(&c->qp->lock);
    st = si_qp_attach(c->qp, c);
    pal_mutex_unlock(&c->qp->lock);
    if (st == VB_OK)
        si_cm_look_later(c->cm);
    return st;
}

static void accepted_by_peer(struct vb_conn *c, const struct mpa_hello *h)
{
    c->with_crc = c->with_crc || h->wants_crc;
    c->sends_markers = h->wants_markers;
    if (h->is_enhanced) {
        c->read_out = si_depth(c->read_out, h->ird);
        c->read_in = si_depth(c->read_in, h->ord);
        if (h->is_peer_to_peer)
            c->rtr = h->rtr_write                     ? RDMAP_WRITE + 1
                     : h->rtr_read && c->read_out > 0 ? RDMAP_READ_REQUEST + 1
                     : h->rtr_send                    ? RDMAP_SEND + 1
                                                      : 0;
        c->is_p2p = c->rtr != 0;
    }
    si_conn_watch(c, 0);
    c->deadline_ns = 0;
    c->state = SI_CONN_UP;
    const vb_status_t st = si_conn_give(c);
    if (st == VB_OK) {
        c->why = (struct si_why){0}; /* other candidates do not matter any more */
        si_cm_push(c, VB_CM_ESTABLISHED, VB_OK);
    } else {
        si_why_status(c, st);
        connect_failed(c, VB_CM_FAILED, st);
    }
}

static void read_reply(struct vb_conn *c)
{
    struct mpa_hello h;
    struct si_map m = {0};
    const uint8_t *data;
    const enum got got = read_hello(c, true, &h, &data);
    if (got == GOT_MORE)
        return;
    if (got ==
        GOT_NOTHING) { /* something else has that port, or had it: the service is elsewhere or nowhere */
        not_here(c, SI_WHY_NOTHING);
        return;
    }
    uint16_t bytes = h.data_bytes;
    if (c->is_mapped) {
        const bool is_map = si_map_decode(data, bytes, &m);
        if (!is_map || m.kind == SI_MAP_CONNECT || m.kind == SI_MAP_NOT_HERE ||
            (m.kind == SI_MAP_REJECT) != h.is_reject) {
            not_here(c, is_map && m.kind == SI_MAP_NOT_HERE ? SI_WHY_NOT_HERE : SI_WHY_FOREIGN);
            return;
        }
        data += SI_MAP_BYTES;
        bytes = (uint16_t)(bytes - SI_MAP_BYTES);
    } else if (h.is_reject && h.revision < c->revision) { /* RFC 6581 7: an older peer; ask again as it can */
        c->revision = h.revision;
        si_conn_try(c);
        return;
    }
    c->in_bytes = bytes < SI_MAX_DATA ? bytes : SI_MAX_DATA; /* more than any consumer of ours sends: cut */
    memcpy(c->in_data, data, c->in_bytes);
    if (h.is_reject) {
        si_why_note(c, SI_WHY_REJECTED);
        connect_failed(c, VB_CM_REJECTED, VB_E_REJECTED);
    } else {
        accepted_by_peer(c, &h);
    }
}

/* ---- passive ---- */

static void read_request(struct vb_conn *c);

void si_conn_accepted(struct vb_listener *l, pal_socket s, const struct pal_addr *remote)
{
    struct vb_conn *c = si_conn_new(l->cm);
    struct pal_addr local;
    if (!c) {
        pal_socket_close(s);
        return;
    }
    c->sock = s;
    c->listener = l;
    l->hellos++;
    c->state = SI_CONN_HELLO;
    c->is_mapped = !l->cm->be->set.has_plain_ports;
    if (!pal_socket_addrs(s, &local, NULL)) { /* it has gone already */
        si_conn_free(c);
        return;
    }
    c->local = si_from_pal(&local);
    c->remote = si_from_pal(remote);
    read_request(c); /* mostly it is there, and neither a poller nor a timer need know of the wait for it */
}

/* Refuse somebody of whom nobody above knows. */
static void turn_away(struct vb_conn *c, enum si_map_kind kind)
{
    si_why_turned_away(c);
    (void)si_conn_reply(c, kind, NULL, 0);
    pal_socket_finish(c->sock);
    si_conn_free(c);
}

static void read_request(struct vb_conn *c)
{
    struct mpa_hello h;
    struct si_map m = {0};
    const uint8_t *data;
    const enum got got = read_hello(c, false, &h, &data);
    if (got == GOT_MORE) {
        if (!c->deadline_ns)
            si_conn_deadline(c, si_hello_ms(c->cm));
        si_conn_watch(c, PAL_READABLE);
        return;
    }
    if (got == GOT_NOTHING) { /* RFC 5044 7.1.1: close, say nothing */
        si_why_turned_away(c);
        si_conn_free(c);
        return;
    }
    uint16_t bytes = h.data_bytes;
    const bool was_mapped = c->is_mapped;
    c->revision = h.revision;
    c->is_enhanced = h.is_enhanced;
    c->with_crc = h.wants_crc || c->cm->be->set.wants_crc;
    c->sends_markers = h.wants_markers;
    c->read_in = si_depth(SI_MAX_READS, h.is_enhanced ? h.ord : SI_MAX_READS);
    c->read_out = si_depth(SI_MAX_READS, h.is_enhanced ? h.ird : SI_MAX_READS);
    if (c->is_mapped) {
        c->is_mapped = si_map_decode(data, bytes, &m) && m.kind == SI_MAP_CONNECT;
        if (c->is_mapped) {
            data += SI_MAP_BYTES;
            bytes = (uint16_t)(bytes - SI_MAP_BYTES);
        }
    }
    if (was_mapped && !c->is_mapped)
        si_why_note(c, SI_WHY_FOREIGN);
    if (was_mapped && (!c->is_mapped || m.service != c->listener->addr.port)) {
        turn_away(c, SI_MAP_NOT_HERE);
        return;
    }
    if (bytes > SI_MAX_DATA) {
        si_why_note(c, SI_WHY_DATA);
        turn_away(c, SI_MAP_REJECT);
        return;
    }
    c->local.port = c->listener->addr.port;
    if (m.source)
        c->remote.port = m.source;
    if (h.is_peer_to_peer)
        c->rtr = h.rtr_write                    ? RDMAP_WRITE + 1
                 : h.rtr_read && c->read_in > 0 ? RDMAP_READ_REQUEST + 1
                 : h.rtr_send                   ? RDMAP_SEND + 1
                                                : 0;
    c->is_p2p = c->rtr != 0;
    memcpy(c->in_data, data, bytes);
    c->in_bytes = bytes;
    c->state = SI_CONN_REQUEST;
    c->deadline_ns = 0;
    si_conn_watch(c, PAL_HANGUP);
    si_cm_push(c, VB_CM_REQUEST, VB_OK);
}

static void withdrawn(struct vb_conn *c)
{
    if (c->listener) { /* nobody has heard of it */
        si_conn_free(c);
        return;
    }
    si_conn_drop_socket(c);
    c->state = SI_CONN_DOWN;
    si_cm_push(c, VB_CM_WITHDRAWN, VB_E_RESET);
}

/* ---- the end ---- */

static void closed(struct vb_conn *c)
{
    si_conn_drop_socket(c);
    c->state = SI_CONN_DOWN;
    c->deadline_ns = 0;
    si_cm_push(c, VB_CM_DISCONNECTED, VB_OK);
}

/* Send what is left, end our side, and read to the end of the peer's: a socket that is closed with input unread resets
 * the connection, and with it may go what the peer has not read yet. */
static void closing_step(struct vb_conn *c)
{
    static const size_t CHUNK = 4096;
    uint8_t waste[4096];
    size_t n;
    while (c->tail_at < c->tail_bytes) {
        const struct pal_iov iov = {c->tail + c->tail_at, c->tail_bytes - c->tail_at};
        const enum pal_net st = pal_socket_send(c->sock, &iov, 1, &n);
        if (st == PAL_NET_AGAIN)
            break;
        c->tail_at = st == PAL_NET_OK ? c->tail_at + n : c->tail_bytes;
    }
    const bool has_more = c->tail_at < c->tail_bytes;
    if (!has_more && !c->has_finished) {
        c->has_finished = true;
        pal_socket_finish(c->sock);
    }
    for (unsigned i = 0; i < 64; i++) {
        const struct pal_iov iov = {waste, CHUNK};
        const enum pal_net st = pal_socket_recv(c->sock, &iov, 1, &n);
        if (st == PAL_NET_AGAIN)
            break;
        if (st != PAL_NET_OK) {
            closed(c);
            return;
        }
    }
    si_conn_watch(c, PAL_READABLE | (has_more ? PAL_WRITABLE : 0u));
}

static void begin_close(struct vb_conn *c)
{
    if (c->state == SI_CONN_ACCEPTED) {
        si_why_status(c, VB_E_RESET);            /* unless its time was up: that is noted already */
        si_cm_push(c, VB_CM_FAILED, VB_E_RESET); /* it never stood */
    } else if (c->state != SI_CONN_UP)
        return;
    si_conn_watch(c, 0);
    if (c->saw_eof) {
        closed(c);
        return;
    }
    c->state = SI_CONN_CLOSING;
    si_conn_deadline(c, LINGER_MS);
    closing_step(c);
}

/* ---- what the cm calls ---- */

void si_conn_signals(struct vb_conn *c, uint32_t signals)
{
    if ((signals & SI_SIG_FIRST) && c->state == SI_CONN_ACCEPTED) {
        si_conn_watch(c, 0);
        c->state = SI_CONN_UP;
        c->deadline_ns = 0;
        si_cm_push(c, VB_CM_ESTABLISHED, VB_OK);
    }
    if ((signals & SI_SIG_PEER_LEFT) && c->state == SI_CONN_UP)
        si_cm_push(c, VB_CM_DISCONNECTED, VB_OK);
    if (signals & SI_SIG_DETACHED)
        begin_close(c);
}

void si_conn_event(struct vb_conn *c, unsigned ready)
{
    switch (c->state) {
    case SI_CONN_TCP: (void)tcp_outcome(c); break;
    case SI_CONN_REPLY: read_reply(c); break;
    case SI_CONN_HELLO: read_request(c); break;
    case SI_CONN_REQUEST:
        if (ready & PAL_HANGUP)
            withdrawn(c);
        break;
    case SI_CONN_ACCEPTED:
        if (c->qp) { /* it will signal */
            pal_mutex_lock(&c->qp->lock);
            (void)si_qp_progress(c->qp);
            pal_mutex_unlock(&c->qp->lock);
        } else {
            si_conn_watch(c, 0);
        }
        break;
    case SI_CONN_CLOSING: closing_step(c); break;
    case SI_CONN_IDLE:
    case SI_CONN_UP:
    case SI_CONN_DOWN: si_conn_watch(c, 0); break;
    }
}

void si_conn_expired(struct vb_conn *c)
{
    switch (c->state) {
    case SI_CONN_TCP: tcp_failed(c, VB_E_TIMEOUT); break;
    case SI_CONN_REPLY:
        si_why_note(c, SI_WHY_SILENT);
        connect_failed(c, VB_CM_FAILED, VB_E_TIMEOUT);
        break;
    case SI_CONN_HELLO:
        si_why_note(c, SI_WHY_SILENT);
        si_why_turned_away(c);
        si_conn_free(c);
        break;
    case SI_CONN_ACCEPTED: /* the peer got our reply and says nothing */
        si_why_note(c, SI_WHY_UNCONFIRMED);
        si_cm_push(c, VB_CM_FAILED, VB_E_TIMEOUT);
        if (c->qp) {
            pal_mutex_lock(&c->qp->lock);
            si_qp_stop_locked(c->qp);
            pal_mutex_unlock(&c->qp->lock);
        }
        si_conn_take_signals(c);
        break;
    case SI_CONN_CLOSING: closed(c); break;
    case SI_CONN_IDLE:
    case SI_CONN_REQUEST:
    case SI_CONN_UP:
    case SI_CONN_DOWN: break;
    }
}
