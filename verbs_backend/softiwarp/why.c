/* why.c - why a connection did not come to be: noted while it happens, a sentence when somebody asks.
 * Noting copies at most 20 bytes of the peer and allocates nothing: who floods a listener with nonsense costs no more than
 * before. Whatever the peer said is quoted (vb_quote()), never printed as it came. */
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "ports.h"
#include "si.h"

#define QUOTED_BYTES (4 * MPA_FIXED_BYTES + 8)
#define PART_BYTES   160

/* ---- noting ---- */

void si_why_note(struct vb_conn *c, enum si_why_kind kind)
{
    struct si_why *w = &c->why;
    if (kind == SI_WHY_REFUSED)
        c->refused++;
    if ((unsigned)kind <= w->kind)
        return;
    *w = (struct si_why){.kind = (uint8_t)kind};
    if (c->is_active)
        w->tcp_port = c->is_mapped ? si_port_candidate(c->remote.port, c->candidate) : c->remote.port;
    w->said_bytes = (uint8_t)(c->hello_at < sizeof w->said ? c->hello_at : sizeof w->said);
    memcpy(w->said, c->hello, w->said_bytes);
    if (c->hello_at >= MPA_FIXED_BYTES) {
        w->revision = c->hello[17];
        w->length = get_be16(c->hello + 18);
    }
}

void si_why_status(struct vb_conn *c, vb_status_t st)
{
    if (c->why.kind == SI_WHY_UNCONFIRMED)
        return;
    si_why_note(c, SI_WHY_STATUS);
    c->why.status = (uint8_t)st;
}

void si_why_turned_away(struct vb_conn *c)
{
    struct vb_listener *l = c->listener;
    if (!l || c->why.kind == SI_WHY_NOTHING)
        return;
    if (l->turned_away < UINT32_MAX)
        l->turned_away++;
    l->last_why = c->why;
    l->last_peer = c->remote;
}

/* ---- telling ---- */

/* What the peer did; goes on from its name. due: "request" or "reply". */
static void predicate(const struct si_why *w, const char *due, char *out, size_t bytes)
{
    char said[QUOTED_BYTES];
    (void)vb_quote(w->said, w->said_bytes, said, sizeof said);
    switch ((enum si_why_kind)w->kind) {
    case SI_WHY_NOTHING: out[0] = 0; break;
    case SI_WHY_REFUSED:
        (void)snprintf(out, bytes, "refused the TCP connection: nobody listens there");
        break;
    case SI_WHY_NOT_HERE: (void)snprintf(out, bytes, "serves another port"); break;
    case SI_WHY_CLOSED:
        if (w->said_bytes)
            (void)snprintf(out, bytes, "sent %s and closed where an MPA %s belongs", said, due);
        else
            (void)snprintf(out, bytes, "closed the TCP connection without an MPA %s", due);
        break;
    case SI_WHY_KEY:
        (void)snprintf(out, bytes, "is no iWARP peer: it sent %s where an MPA %s belongs", said, due);
        break;
    case SI_WHY_LENGTH:
        (void)snprintf(out, bytes,
                       "sent an MPA %s with a private data length of %u (at most %u, enhanced at least %u)",
                       due, w->length, MPA_DATA_MAX, MPA_ENHANCED_BYTES);
        break;
    case SI_WHY_REVISION:
        (void)snprintf(out, bytes, "sent an MPA %s of revision %u; 1 and 2 are known", due, w->revision);
        break;
    case SI_WHY_FOREIGN:
        (void)snprintf(out, bytes,
                       "speaks MPA but maps no ports: for foreign peers set WSD_SOFTIWARP_PORTS=plain");
        break;
    case SI_WHY_DATA:
        (void)snprintf(out, bytes, "sent %u bytes of private data; consumers take %u", w->length,
                       SI_MAX_DATA);
        break;
    case SI_WHY_NO_TCP: (void)snprintf(out, bytes, "did not answer TCP in time"); break;
    case SI_WHY_SILENT:
        if (w->said_bytes)
            (void)snprintf(out, bytes, "sent no more than %s of its MPA %s in time", said, due);
        else
            (void)snprintf(out, bytes, "took the TCP connection but sent no MPA %s in time", due);
        break;
    case SI_WHY_UNCONFIRMED: (void)snprintf(out, bytes, "did not confirm the connection in time"); break;
    case SI_WHY_REJECTED: (void)snprintf(out, bytes, "rejected the connection in its MPA reply"); break;
    case SI_WHY_STATUS:
        (void)snprintf(out, bytes, "could not be connected: %s", vb_status_text((vb_status_t)w->status));
        break;
    }
}

/* While it goes on. */
static bool tell_where_it_stands(const struct vb_conn *c, const char *peer, char *out, size_t bytes)
{
    char said[QUOTED_BYTES];
    const size_t got = c->hello_at < MPA_FIXED_BYTES ? c->hello_at : MPA_FIXED_BYTES;
    if (c->state == SI_CONN_TCP) {
        (void)snprintf(out, bytes, "%s has not answered TCP so far", peer);
    } else if (c->state == SI_CONN_REPLY) {
        (void)vb_quote(c->hello, got, said, sizeof said);
        if (got)
            (void)snprintf(out, bytes, "%s has sent no more than %s of its MPA reply so far", peer, said);
        else
            (void)snprintf(out, bytes, "%s has taken the TCP connection but sent no MPA reply so far", peer);
    } else {
        return false;
    }
    return true;
}

/* No candidate was it. */
static void tell_candidates(const struct vb_conn *c, const char *peer, char *out, size_t bytes)
{
    char what[PART_BYTES];
    predicate(&c->why, "reply", what, sizeof what);
    if (c->refused >= SI_PORT_CANDIDATES)
        (void)snprintf(out, bytes, "nobody serves %s: all %u TCP ports it may be behind (%u first) refused",
                       peer, SI_PORT_CANDIDATES, si_port_candidate(c->remote.port, 0));
    else
        (void)snprintf(out, bytes,
                       "nobody serves %s: of %u TCP ports it may be behind %u refused, and port %u %s", peer,
                       SI_PORT_CANDIDATES, c->refused, c->why.tcp_port, what);
}

static void tell_conn(const struct vb_conn *c, char *out, size_t bytes)
{
    char peer[VB_ADDR_TEXT_BYTES], what[PART_BYTES];
    (void)vb_addr_text(&c->remote, peer);
    if (tell_where_it_stands(c, peer, out, bytes) || c->why.kind == SI_WHY_NOTHING)
        return;
    if (c->is_active && c->is_mapped && c->why.kind < SI_WHY_NO_TCP) {
        tell_candidates(c, peer, out, bytes);
        return;
    }
    predicate(&c->why, "reply", what, sizeof what);
    if (c->is_active && c->is_mapped)
        (void)snprintf(out, bytes, "%s (TCP port %u) %s", peer, c->why.tcp_port, what);
    else
        (void)snprintf(out, bytes, "%s %s", peer, what);
}

void si_conn_text(const struct vb_conn *c, char *out, size_t bytes)
{
    pal_mutex_lock(&c->cm->lock);
    tell_conn(c, out, bytes);
    pal_mutex_unlock(&c->cm->lock);
}

void si_listener_text(const struct vb_listener *l, char *out, size_t bytes)
{
    char peer[VB_ADDR_TEXT_BYTES], what[PART_BYTES];
    pal_mutex_lock(&l->cm->lock);
    const uint32_t count = l->turned_away;
    const struct si_why last = l->last_why;
    (void)vb_addr_text(&l->last_peer, peer);
    pal_mutex_unlock(&l->cm->lock);
    if (!count)
        return;
    predicate(&last, "request", what, sizeof what);
    if (count == 1)
        (void)snprintf(out, bytes, "a client was turned away: %s %s", peer, what);
    else
        (void)snprintf(out, bytes, "%u clients were turned away; the last, %s, %s", count, peer, what);
}
