/* request.c - one request and the system: what a send or receive does when it is its turn.
 * Lock held throughout: the system's calls here never block. */
#include <stdlib.h>
#include <string.h>

#include "tcpip/tcp.h"

void tcp_measure(struct sw_request *r)
{
    r->op.total = r->op.taken = r->op.bytes = 0;
    for (uint32_t i = 0; i < r->op.buffer_count; i++)
        r->op.total += r->op.buffers[i].len;
    r->op.error = 0;
    r->result_flags = 0;
    r->state = TCP_IDLE;
}

/* What is left of a request as pieces; at most PAL_IOV_MAX at once. *is_all: no more than these. */
static unsigned pieces_of(const struct sw_request *r, struct pal_iov *iov, bool *is_all)
{
    uint64_t skip = r->op.taken;
    unsigned n = 0;

    *is_all = true;
    for (uint32_t i = 0; i < r->op.buffer_count; i++) {
        uint64_t bytes = r->op.buffers[i].len;

        if (skip >= bytes) {
            skip -= bytes;
            continue;
        }
        if (n == PAL_IOV_MAX) {
            *is_all = false;
            break;
        }
        iov[n].base = r->op.buffers[i].buf + skip;
        iov[n++].bytes = (size_t)(bytes - skip);
        skip = 0;
    }
    return n;
}

/* A bad pointer or a missing urgent byte breaks nothing; these do. */
void tcp_note_broken(struct tcp *t, int code)
{
    switch (code) {
    case WSAECONNRESET:
    case WSAECONNABORTED:
    case WSAENETRESET:
    case WSAETIMEDOUT:
    case WSAENETDOWN:
    case WSAENETUNREACH:
    case WSAEHOSTUNREACH:
        if (tcp_is_stream(t) && t->error == 0) {
            t->error = code;
            t->is_peer_done = true;
        }
        break;
    default: break;
    }
}

/* The end, the system says; it forgets a reset once it has told of it. */
int tcp_ended_locked(struct tcp *t)
{
    if (!t->is_send_shut && t->error == 0)
        tcp_note_broken(t, tcp_os_why_ended(t->s));
    t->is_peer_done = true;
    return t->error;
}

/* --- streams -------------------------------------------------------------------------------------------- */

static int send_stream(struct tcp *t, struct sw_request *r)
{
    while (r->op.taken < r->op.total) {
        struct pal_iov iov[PAL_IOV_MAX];
        bool is_all;
        unsigned n = pieces_of(r, iov, &is_all);
        size_t done = 0;
        int code = t->error != 0 ? t->error : tcp_os_send(t->s, iov, n, r->flags, NULL, 0, &done);

        if (code != 0) {
            if (code != WSAEWOULDBLOCK)
                tcp_note_broken(t, code);
            return code;
        }
        r->op.taken += done;
    }
    r->op.bytes = r->op.taken;
    return 0;
}

static int receive_stream(struct tcp *t, struct sw_request *r)
{
    const bool is_plain = (r->flags & (WS_MSG_PEEK | WS_MSG_OOB)) == 0;
    const bool takes_all = is_plain && (r->flags & WS_MSG_WAITALL) != 0;
    int code = 0;

    if (r->op.total == 0) /* completes when there is something, and takes nothing (B100) */
        return (tcp_os_look(t->s) & (PAL_READABLE | TCP_DEAD)) != 0 ? 0 : WSAEWOULDBLOCK;
    do {
        struct pal_iov iov[PAL_IOV_MAX];
        bool is_all;
        unsigned n = pieces_of(r, iov, &is_all);
        size_t done = 0;

        code = tcp_os_recv(t->s, iov, n, r->flags, NULL, NULL, &done);
        if (code == 0 && done == 0) {
            code = tcp_ended_locked(t);
            break;
        }
        r->op.taken += code == 0 ? done : 0;
    } while (code == 0 && takes_all && r->op.taken < r->op.total);
    if (code == WSAEWOULDBLOCK && (r->op.taken == 0 || takes_all))
        return t->error != 0 ? t->error : code;
    if (code != 0 && code != WSAEWOULDBLOCK) {
        tcp_note_broken(t, code);
        if (r->op.taken == 0)
            return code;
    }
    r->op.bytes = r->op.taken;
    return 0;
}

/* --- datagrams ------------------------------------------------------------------------------------------ */

/* Windows tells of an unreachable port when something is received, Linux whoever comes next: a send puts that by and goes on. */
static int send_datagram(struct tcp *t, struct sw_request *r)
{
    struct pal_iov iov[PAL_IOV_MAX];
    bool is_all;
    unsigned n = pieces_of(r, iov, &is_all);
    const int to_bytes = r->address_bytes != NULL ? *r->address_bytes : 0;
    size_t done = 0;
    int code = is_all ? tcp_os_send(t->s, iov, n, r->flags, r->address, to_bytes, &done) : WSAENOBUFS;

    if (code == WSAECONNRESET || code == WSAEHOSTUNREACH || code == WSAENETUNREACH) {
        t->has_reset |= code == WSAECONNRESET;
        code = tcp_os_send(t->s, iov, n, r->flags, r->address, to_bytes, &done);
    }
    r->op.bytes = done;
    return code;
}

/* The next datagram, past news of earlier ones that Winsock's receive does not tell (only WSAECONNRESET, and that if asked to). */
static int next_datagram(struct tcp *t, const struct pal_iov *iov, unsigned n, const struct sw_request *r,
                         WSD_SOCKADDR_STORAGE *from, int *from_bytes, size_t *done)
{
    int code;

    if (t->has_reset) {
        t->has_reset = false;
        if (!t->is_reset_hidden)
            return WSAECONNRESET;
    }
    do {
        code = tcp_os_recv(t->s, iov, n, r->flags, from, from_bytes, done);
    } while (code == WSAEHOSTUNREACH || code == WSAENETUNREACH ||
             (code == WSAECONNRESET && t->is_reset_hidden));
    return code;
}

static int receive_datagram(struct tcp *t, struct sw_request *r)
{
    struct pal_iov iov[PAL_IOV_MAX];
    WSD_SOCKADDR_STORAGE from;
    int from_bytes = 0, code;
    bool is_all;
    unsigned n = pieces_of(r, iov, &is_all);
    size_t done = 0;

    if (!is_all)
        return WSAENOBUFS; /* a datagram is one call of the system, which takes no more pieces: our choice */
    code = next_datagram(t, iov, n, r, &from, &from_bytes, &done);
    if (code != 0 && code != WSAEMSGSIZE)
        return code;
    r->op.bytes = done;
    r->result_flags = code == WSAEMSGSIZE ? WS_MSG_PARTIAL : 0;
    if (r->address != NULL && r->address_bytes != NULL) {
        if (*r->address_bytes < from_bytes)
            return WSAEFAULT;
        memcpy(r->address, &from, (size_t)from_bytes);
        *r->address_bytes = from_bytes;
    }
    return code;
}

int tcp_run_locked(struct tcp *t, struct sw_request *r)
{
    if (r->kind == SW_REQUEST_SEND)
        return tcp_is_stream(t) ? send_stream(t, r) : send_datagram(t, r);
    return tcp_is_stream(t) ? receive_stream(t, r) : receive_datagram(t, r);
}

/* --- the rest of a send that was taken whole ------------------------------------------------------------ */

bool tcp_push_rest_locked(struct tcp *t)
{
    while (t->rest != NULL) {
        struct pal_iov iov = {t->rest + t->rest_at, t->rest_bytes - t->rest_at};
        size_t done = 0;
        int code = tcp_os_send(t->s, &iov, 1, 0, NULL, 0, &done);

        if (code == WSAEWOULDBLOCK)
            return false;
        t->rest_at += done;
        if (code != 0)
            tcp_note_broken(t, code);
        if (code != 0 || t->rest_at == t->rest_bytes) {
            free(t->rest);
            t->rest = NULL;
        }
    }
    return true;
}

/* windows.md, trap 1: up to SO_SNDBUF is taken whole if any of it is. The system cannot be asked beforehand: the room that it reports counts
 * its own overhead too. So memory is needed here once a socket's buffer has filled up, not while it flows. */
bool tcp_keep_rest_locked(struct tcp *t, const struct sw_request *r)
{
    uint64_t left = r->op.total - r->op.taken, skip = r->op.taken;
    uint64_t most = t->send_buffer > 0 ? (uint64_t)t->send_buffer : 65536u;
    size_t at = 0;

    if (r->op.total > most)
        return false;
    t->rest = malloc((size_t)left);
    if (t->rest == NULL)
        return false;
    for (uint32_t i = 0; i < r->op.buffer_count; i++) {
        uint64_t bytes = r->op.buffers[i].len;

        if (skip >= bytes) {
            skip -= bytes;
            continue;
        }
        memcpy(t->rest + at, r->op.buffers[i].buf + skip, (size_t)(bytes - skip));
        at += (size_t)(bytes - skip);
        skip = 0;
    }
    t->rest_bytes = (size_t)left;
    t->rest_at = 0;
    return true;
}
