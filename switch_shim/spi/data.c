/* data.c - WSPSend, WSPRecv, WSPSendTo, WSPRecvFrom: check, look up, act (contract 10.1).
 * Three ways through a carrier: now() for sockets that do not block, submit() with wait() for those that do, submit() with a record of
 * its own for overlapped operations. */
#include "spi/share.h"

#include <string.h>

#define SEND_FLAGS    (WS_MSG_OOB | WS_MSG_DONTROUTE | WS_MSG_PARTIAL)
#define RECEIVE_FLAGS (WS_MSG_OOB | WS_MSG_PEEK | WS_MSG_WAITALL | WS_MSG_PARTIAL)
#define BUFFERS_MAX   65535u /* WSABUFs in a call; our choice */

/* The arguments of a call, whichever of the four it is. */
struct transfer {
    SOCKET handle;
    enum sw_request_kind kind;
    LPWSABUF buffers;
    DWORD count;
    LPDWORD bytes;
    DWORD flags;
    LPDWORD flags_out;
    WSD_SOCKADDR *address;
    INT *address_bytes;
    LPWSAOVERLAPPED ov;
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine;
    LPWSATHREADID thread;
};

static void fill(struct sw_request *r, const struct transfer *t)
{
    r->op.buffers = t->buffers;
    r->op.buffer_count = t->count;
    r->kind = t->kind;
    r->flags = t->flags;
    r->address = t->address;
    r->address_bytes = t->address_bytes;
}

/* Only the kernel would notice, and the SAN's bytes do not all pass there. */
static bool lacks_memory(const WSABUF *buffers, DWORD count)
{
    for (DWORD i = 0; i < count; i++)
        if (buffers[i].buf == NULL && buffers[i].len != 0)
            return true;
    return false;
}

static int check(const struct transfer *t, uint32_t mode)
{
    bool is_send = t->kind == SW_REQUEST_SEND;
    DWORD known = is_send ? SEND_FLAGS : RECEIVE_FLAGS;

    if ((t->buffers == NULL && t->count > 0) || (t->bytes == NULL && t->ov == NULL))
        return WSAEFAULT;
    if (t->count > BUFFERS_MAX || (t->count == 0 && !is_send)) /* B099 */
        return WSAEINVAL;
    if (lacks_memory(t->buffers, t->count))
        return WSAEFAULT;
    if ((t->flags & ~known) != 0 || ((t->flags & WS_MSG_OOB) != 0 && (mode & SW_MODE_STREAM) == 0))
        return WSAEOPNOTSUPP;
    if ((t->flags & WS_MSG_WAITALL) != 0 && (t->flags & (WS_MSG_OOB | WS_MSG_PEEK)) != 0)
        return WSAEOPNOTSUPP;
    if (t->routine != NULL && t->ov != NULL && t->thread == NULL)
        return WSAEFAULT;
    return 0;
}

static bool is_overlapped(const struct transfer *t, uint32_t mode)
{
    return t->ov != NULL && (mode & SW_MODE_OVERLAPPED) != 0;
}

/* A call that may begin several times, because control of a shared connection leaves it: SO_RCVTIMEO and SO_SNDTIMEO are for all of it. */
struct attempts {
    bool is_gone;
    uint64_t until_ns; /* 0: not waited yet */
};

/* What is left of it; 0: there is no limit. */
static uint32_t patience_ms(struct sw_sock *s, enum sw_request_kind kind, struct attempts *a)
{
    const uint32_t ms = pal_load_relaxed(kind == SW_REQUEST_SEND ? &s->send_ms : &s->receive_ms);
    uint64_t now_ns;

    if (ms == 0 || pal_load_acquire(&s->share) == NULL)
        return ms;
    now_ns = pal_now_ns();
    if (a->until_ns == 0)
        a->until_ns = now_ns + ms * UINT64_C(1000000);
    return a->until_ns > now_ns ? (uint32_t)((a->until_ns - now_ns + 999999u) / 1000000u) : 1u;
}

/* The connection is with another process (8.10): who blocks waits for it, an overlapped operation does (*c stays NULL), a call that does not
 * block finds it there another time. */
static int away(struct sw_sock *s, const struct transfer *t, uint32_t mode, struct attempts *a,
                struct sw_carrier **c)
{
    int code = sw_share_lost(s);

    if (code != 0 || is_overlapped(t, mode))
        return code;
    if ((mode & SW_MODE_NONBLOCKING) != 0 && t->ov == NULL) {
        sw_share_want(s, true);
        return WSAEWOULDBLOCK;
    }
    *c = sw_share_carrier(s, patience_ms(s, t->kind, a), &code);
    return code;
}

/* No carrier for data: why; or a connection that is elsewhere; or a datagram socket that is bound now, because it sends. */
static int not_connected(struct sw_sock *s, const struct transfer *t, uint32_t mode, struct attempts *a,
                         struct sw_carrier **c)
{
    int code;

    if ((mode & SW_MODE_STREAM) != 0 && sw_share_look(s, c))
        return away(s, t, mode, a, c);
    if ((mode & SW_MODE_STREAM) != 0)
        return *c != NULL ? 0 : WSAENOTCONN; /* it has just come */
    if (t->kind == SW_REQUEST_RECEIVE)
        return WSAEINVAL; /* not bound */
    if (t->address == NULL)
        return WSAENOTCONN;
    code = sw_names_bind_any(s, t->address);
    *c = pal_load_acquire(&s->data);
    return code;
}

static void over(struct sw_io *io)
{
    io->flags = io->r.result_flags;
    sw_io_deliver(io, io->r.op.error, (DWORD)io->r.op.bytes);
}

/* Where to: the caller's memory is his again when the call returns. */
static void keep_address(struct sw_io *io, const struct transfer *t)
{
    if (t->kind != SW_REQUEST_SEND || t->address == NULL)
        return;
    io->to_bytes = *t->address_bytes;
    memcpy(&io->to, t->address, (size_t)io->to_bytes);
    io->r.address = (WSD_SOCKADDR *)&io->to;
    io->r.address_bytes = &io->to_bytes;
}

/* To the carrier, or to those that wait for one. */
static int submit(struct sw_io *io, struct sw_carrier *c)
{
    int code = c == NULL ? SW_E_MOVED : c->ops->submit(c, &io->r);

    while (code == SW_E_MOVED && (code = sw_share_strand(io, &c)) == SW_E_MOVED) {
        pal_store_release(&io->carrier, c);
        code = c->ops->submit(c, &io->r);
    }
    return code;
}

static int overlapped(struct sw_sock *s, struct sw_carrier *c, const struct transfer *t)
{
    struct sw_io *io = sw_io_get(s, t->handle, t->ov, t->routine, t->thread);
    int code;

    if (io == NULL)
        return WSAENOBUFS;
    fill(&io->r, t);
    code = sw_io_buffers(io, t->buffers, t->count);
    if (code == 0) {
        io->over = over;
        pal_store_relaxed(&io->carrier, c);
        keep_address(io, t);
        sw_io_start(io);
        code = submit(io, c);
        if (code == WSA_IO_PENDING)
            return WSA_IO_PENDING;
        if (code == 0)
            code = io->r.op.error;
        if (code != 0) { /* an operation that is refused leaves nothing pending */
            t->ov->OffsetHigh = (DWORD)code;
            pal_word_store_release(&t->ov->Internal, (ULONG_PTR)code);
        }
    }
    if (code != 0) {
        sw_io_put(io);
        return code;
    }
    io->flags = io->r.result_flags;
    if (t->bytes != NULL)
        *t->bytes = (DWORD)io->r.op.bytes;
    if (t->flags_out != NULL)
        *t->flags_out = io->r.result_flags;
    sw_io_deliver(io, 0, (DWORD)io->r.op.bytes);
    return 0;
}

static int blocking(struct sw_sock *s, struct sw_carrier *c, struct sw_request *r, struct attempts *a)
{
    int code;

    r->is_waited = true;
    code = c->ops->submit(c, r);
    if (code == WSA_IO_PENDING)
        return sw_block_on_request(s, c, r, patience_ms(s, r->kind, a), &a->is_gone);
    return code == 0 ? r->op.error : code;
}

static int at_once(struct sw_sock *s, struct sw_carrier *c, const struct transfer *t, uint32_t mode,
                   struct attempts *a)
{
    struct sw_request r;
    int code;

    memset(&r, 0, sizeof(r));
    fill(&r, t);
    if ((mode & SW_MODE_NONBLOCKING) != 0 && t->ov == NULL) {
        code = c->ops->now(c, &r);
        if (code == 0)
            code = r.op.error;
    } else {
        code = blocking(s, c, &r, a);
    }
    if (code == SW_E_MOVED && (mode & SW_MODE_NONBLOCKING) != 0 && t->ov == NULL) {
        sw_share_want(s, true);
        return WSAEWOULDBLOCK;
    }
    if (code != 0 && code != WSAEMSGSIZE)
        return code;
    if (t->bytes != NULL)
        *t->bytes = (DWORD)r.op.bytes;
    if (t->flags_out != NULL)
        *t->flags_out = r.result_flags;
    if (t->ov != NULL &&
        !a->is_gone) /* a socket without WSA_FLAG_OVERLAPPED: over before the call returns (B119) */
        sw_io_complete_now(s, t->handle, t->ov, t->routine, t->thread, code, (DWORD)r.op.bytes,
                           r.result_flags);
    return code;
}

static int transfer(struct sw_sock *s, const struct transfer *t, struct attempts *a)
{
    const uint32_t mode = pal_load_relaxed(&s->mode);
    struct sw_carrier *c = pal_load_acquire(&s->data);
    int code = check(t, mode);

    if (code == 0 && c == NULL)
        code = not_connected(s, t, mode, a, &c);
    if (code != 0)
        return code;
    if ((pal_load_relaxed(&s->mode) & (t->kind == SW_REQUEST_SEND ? SW_MODE_SHUT_SEND : SW_MODE_SHUT_RECV)) !=
        0)
        return WSAESHUTDOWN;
    if (is_overlapped(t, mode))
        return overlapped(s, c, t);
    code = at_once(s, c, t, mode, a);
    if (code == SW_E_MOVED && a->is_gone)
        return WSAEINTR;
    if (code == SW_E_MOVED) {
        int wait_code = sw_share_wait(s, patience_ms(s, t->kind, a)); /* until it has gone, and come back */

        return wait_code != 0 ? wait_code : SW_E_MOVED;
    }
    return code;
}

static int run(const struct transfer *t, LPINT error)
{
    struct sw_sock *s = sw_sock_get(t->handle, error);
    struct attempts a = {false, 0};
    int code;

    if (s == NULL)
        return SOCKET_ERROR;
    do
        code = transfer(s, t, &a);
    while (code == SW_E_MOVED);
    if (!a.is_gone) {
        if (t->kind == SW_REQUEST_RECEIVE)
            sw_events_enable(s, FD_READ | FD_OOB);
        else if (code == WSAEWOULDBLOCK)
            sw_events_enable(s, FD_WRITE);
        sw_sock_leave(s);
    }
    *error = code;
    return code == 0 ? 0 : SOCKET_ERROR;
}

int WSPAPI sw_spi_send(SOCKET h, LPWSABUF buffers, DWORD count, LPDWORD bytes, DWORD flags,
                       LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread,
                       LPINT error)
{
    const struct transfer t = {h,  SW_REQUEST_SEND, buffers, count, bytes, flags, NULL, NULL, NULL,
                               ov, routine,         thread};

    return run(&t, error);
}

int WSPAPI sw_spi_recv(SOCKET h, LPWSABUF buffers, DWORD count, LPDWORD bytes, LPDWORD flags,
                       LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread,
                       LPINT error)
{
    struct transfer t = {h,     SW_REQUEST_RECEIVE, buffers, count, bytes, 0, flags, NULL, NULL, ov, routine,
                         thread};

    if (flags == NULL)
        t.buffers = NULL; /* found as WSAEFAULT behind the check of the handle */
    else
        t.flags = *flags;
    return run(&t, error);
}

/* A socket of this kind, for the two functions whose addresses only datagrams have. 0: stream. */
static int is_datagram(SOCKET h, int *af, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    int yes;

    if (s == NULL)
        return SOCKET_ERROR;
    yes = (pal_load_relaxed(&s->mode) & SW_MODE_STREAM) == 0;
    *af = s->af;
    sw_sock_leave(s);
    return yes;
}

int WSPAPI sw_spi_recv_from(SOCKET h, LPWSABUF buffers, DWORD count, LPDWORD bytes, LPDWORD flags,
                            WSD_SOCKADDR *from, LPINT from_bytes, LPWSAOVERLAPPED ov,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
    struct transfer t = {h,    SW_REQUEST_RECEIVE, buffers, count,   bytes, 0, flags,
                         from, from_bytes,         ov,      routine, thread};
    int af = 0;
    int datagram = is_datagram(h, &af, error);

    if (datagram == SOCKET_ERROR)
        return SOCKET_ERROR;
    if (flags == NULL || (from != NULL && from_bytes == NULL))
        return SW_RESULT(error, WSAEFAULT);
    t.flags = *flags;
    if (!datagram || from == NULL) { /* a stream knows its peer (10.1, 21) */
        t.address = NULL;
        t.address_bytes = NULL;
    } else if (*from_bytes < (INT)(af == WS_AF_INET ? sizeof(WSD_SOCKADDR_IN) : sizeof(WSD_SOCKADDR_IN6))) {
        return SW_RESULT(error, WSAEFAULT);
    }
    return run(&t, error);
}

int WSPAPI sw_spi_send_to(SOCKET h, LPWSABUF buffers, DWORD count, LPDWORD bytes, DWORD flags,
                          const WSD_SOCKADDR *to, int to_bytes, LPWSAOVERLAPPED ov,
                          LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
    WSD_SOCKADDR_STORAGE copy;
    struct transfer t = {h,  SW_REQUEST_SEND, buffers, count, bytes, flags, NULL, NULL, NULL,
                         ov, routine,         thread};
    int af = 0;
    int datagram = is_datagram(h, &af, error);

    if (datagram == SOCKET_ERROR)
        return SOCKET_ERROR;
    if (!datagram || to == NULL) /* on streams the address is ignored (10.1, 25) */
        return run(&t, error);
    if (to_bytes < (int)(af == WS_AF_INET ? sizeof(WSD_SOCKADDR_IN) : sizeof(WSD_SOCKADDR_IN6)))
        return SW_RESULT(error, WSAEFAULT);
    if (to->sa_family != af)
        return SW_RESULT(error, WSAEAFNOSUPPORT);
    to_bytes = to_bytes < (int)sizeof(copy) ? to_bytes : (int)sizeof(copy);
    memcpy(&copy, to, (size_t)to_bytes);
    t.address = (WSD_SOCKADDR *)&copy;
    t.address_bytes = &to_bytes;
    return run(&t, error);
}
