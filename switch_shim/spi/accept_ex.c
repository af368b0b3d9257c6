/* accept_ex.c - AcceptEx. A request belongs to the listener: its handle completes it, its close ends it
 * (windows.md, trap 7); it holds a reference to the socket it accepts into.
 * Buffer:  received data, then the two addresses (accept_ex_room.c). */
#include <stdlib.h>
#include <string.h>

#include "spi/accept.h"
#include "spi/accept_ex_room.h"
#include "spi/extensions.h"
#include "spi/share.h"
#include "spi/spi_os.h"

struct accept_ex {
    struct sw_sock *into;
    char *out;
    DWORD receive_bytes, local_bytes, remote_bytes;
};

static void put_addresses(struct accept_ex *x)
{
    struct sw_carrier *c = pal_load_acquire(&x->into->data);
    WSD_SOCKADDR_STORAGE local;
    int bytes = sizeof(local);

    memset(&local, 0, sizeof(local));
    if (c != NULL && c->ops->local(c, &local, &bytes) == 0)
        sw_accept_ex_put(x->out + x->receive_bytes, x->local_bytes, &local, bytes);
    sw_accept_ex_put(x->out + x->receive_bytes + x->local_bytes, x->remote_bytes, &x->into->to,
                     x->into->to_bytes);
}

/* io and its part are given back; the application hears. */
static void finish(struct sw_io *io, int error, DWORD bytes)
{
    struct accept_ex *x;
    struct sw_sock *into;

    pal_mutex_lock(&io->sock->lock); /* cancel() looks */
    x = io->extra;
    io->extra = NULL;
    pal_mutex_unlock(&io->sock->lock);
    into = x->into;
    pal_mutex_lock(&into->lock);
    if (into->state == SW_ACCEPTING) /* nobody came: it may be used for something else */
        sw_sock_move_back_locked(into);
    pal_mutex_unlock(&into->lock);
    free(x);
    sw_io_deliver(io, error, bytes);
    sw_sock_release(into);
}

static void received(struct sw_io *io)
{
    finish(io, io->r.op.error, (DWORD)io->r.op.bytes);
}

/* The connection stands: receive the first data, or that was it (B076, B077). */
static void connected(struct sw_io *io)
{
    struct accept_ex *x = io->extra;
    struct sw_carrier *c = pal_load_acquire(&x->into->data);
    WSABUF buffer = {x->receive_bytes, x->out};
    int code;

    put_addresses(x);
    if (x->receive_bytes == 0 || c == NULL) {
        finish(io, c == NULL ? WSAECONNABORTED : 0, 0);
        return;
    }
    io->r.kind = SW_REQUEST_RECEIVE;
    (void)sw_io_buffers(io, &buffer, 1);
    code = sw_io_submit_step(io, c);
    if (code == 0)
        finish(io, io->r.op.error, (DWORD)io->r.op.bytes);
    else if (code != WSA_IO_PENDING)
        finish(io, code, 0);
}

static struct sw_io *take_first(struct sw_sock *listener)
{
    struct sw_io *io;

    pal_mutex_lock(&listener->lock);
    io = listener->accept_first;
    if (io != NULL)
        listener->accept_first = io->next;
    if (listener->accept_first == NULL)
        listener->accept_last = NULL;
    pal_mutex_unlock(&listener->lock);
    return io;
}

/* False: it has been called off meanwhile. */
static bool put_first(struct sw_sock *listener, struct sw_io *io)
{
    bool is_wanted;

    pal_mutex_lock(&listener->lock);
    is_wanted = !pal_load_relaxed(&io->is_cancelled);
    if (is_wanted) {
        io->next = listener->accept_first;
        listener->accept_first = io;
        if (io->next == NULL)
            listener->accept_last = io;
    }
    pal_mutex_unlock(&listener->lock);
    return is_wanted;
}

static bool take_out_locked(struct sw_sock *listener, struct sw_io *io)
{
    struct sw_io *before = NULL, *at = listener->accept_first;

    while (at != NULL && at != io) {
        before = at;
        at = at->next;
    }
    if (at == NULL)
        return false;
    if (before == NULL)
        listener->accept_first = io->next;
    else
        before->next = io->next;
    if (listener->accept_last == io)
        listener->accept_last = before;
    return true;
}

/* It waits for a connection, or for the first data of one that has come; in between it finds out by itself. */
static void cancel(struct sw_io *io)
{
    struct sw_sock *listener = io->sock, *into = NULL;
    struct sw_carrier *c;
    bool waits;

    pal_mutex_lock(&listener->lock);
    pal_store_relaxed(&io->is_cancelled, true);
    waits = take_out_locked(listener, io);
    if (!waits && io->extra != NULL) {
        into = ((struct accept_ex *)io->extra)->into;
        sw_sock_hold(into);
    }
    pal_mutex_unlock(&listener->lock);
    if (waits)
        finish(io, WSA_OPERATION_ABORTED, 0);
    if (into == NULL)
        return;
    if (sw_sock_enter(into)) {
        c = pal_load_acquire(&io->carrier);
        if (c != NULL && c == pal_load_acquire(&into->data))
            (void)c->ops->cancel(c, &io->r);
        sw_sock_leave(into);
    }
    sw_sock_release(into);
}

/* One connection for one request. False: no connection is there, or no request. */
static bool serve_one(struct sw_sock *listener)
{
    struct sw_io *io = take_first(listener);
    struct sw_sock *into;
    struct sw_leg *leg;
    int code;

    if (io == NULL)
        return false;
    into = ((struct accept_ex *)io->extra)->into;
    code = sw_accept_into(listener, into, &leg);
    if (code == WSAEWOULDBLOCK) {
        if (put_first(listener, io))
            return false;
        code = WSA_OPERATION_ABORTED;
    }
    if (code != 0) {
        finish(io, code, 0);
        return true;
    }
    if (!sw_sock_enter(into)) { /* closed meanwhile: so the connection is */
        pal_mutex_lock(&into->lock);
        sw_leg_retire_locked(into, leg, 0);
        pal_mutex_unlock(&into->lock);
        sw_sock_idle(into);
        finish(io, WSAECONNABORTED, 0);
        return true;
    }
    sw_sock_hold(into); /* the operation's own reference may go with it */
    if (sw_accept_attach(into, leg)) {
        sw_events_arm(into);
        connected(io);
    } else {
        finish(io, WSAECONNABORTED, 0);
    }
    sw_sock_leave(into);
    sw_sock_release(into);
    return true;
}

/* One thread at a time serves, so that requests are served in their order. */
static void serve(struct sw_sock *listener)
{
    bool again;

    pal_mutex_lock(&listener->lock);
    listener->pump_again = true;
    again = !listener->is_pumping;
    listener->is_pumping = true;
    pal_mutex_unlock(&listener->lock);
    while (again) {
        pal_mutex_lock(&listener->lock);
        listener->pump_again = false;
        pal_mutex_unlock(&listener->lock);
        while (serve_one(listener)) {
        }
        pal_mutex_lock(&listener->lock);
        again = listener->pump_again;
        listener->is_pumping = again;
        pal_mutex_unlock(&listener->lock);
    }
}

void sw_accept_event(struct sw_sock *listener)
{
    bool has_requests;

    pal_mutex_lock(&listener->lock);
    listener->accept_events++;
    has_requests = listener->accept_first != NULL || listener->is_pumping;
    pal_cond_broadcast(&listener->changed);
    sw_events_wake_locked(listener, FD_ACCEPT);
    pal_mutex_unlock(&listener->lock);
    if (!has_requests) {
        sw_events_happened(listener, FD_ACCEPT, 0);
        return;
    }
    if (!sw_sock_enter(listener))
        return;
    serve(listener);
    sw_events_arm(listener); /* what is left over is reported again */
    sw_sock_leave(listener);
}

/* The listener is closed: its requests end (B085), connections that were deferred too. Also a ConnectEx of this socket. */
void sw_accept_closed(struct sw_sock *s)
{
    struct sw_io *io;

    while ((io = take_first(s)) != NULL)
        finish(io, WSA_OPERATION_ABORTED, 0);
    for (;;) {
        struct sw_sock *deferred;

        pal_mutex_lock(&s->lock);
        deferred = s->deferred;
        if (deferred != NULL)
            s->deferred = deferred->deferred_next;
        pal_mutex_unlock(&s->lock);
        if (deferred == NULL)
            break;
        sw_sock_abandon(deferred);
    }
    pal_mutex_lock(&s->lock);
    io = s->connect_io;
    s->connect_io = NULL;
    pal_mutex_unlock(&s->lock);
    if (io != NULL) {
        io->r.op.error = WSA_OPERATION_ABORTED;
        io->over(io);
    }
}

/* --- AcceptEx --- */

static int reserve(struct sw_sock *into)
{
    int code = 0;

    pal_mutex_lock(&into->lock);
    if (into->type != WS_SOCK_STREAM || (into->state != SW_CREATED && into->state != SW_DISCONNECTED))
        code = WSAEINVAL; /* B071 */
    else if (!sw_sock_move_locked(into, SW_ACCEPTING))
        code = WSAEINVAL;
    pal_mutex_unlock(&into->lock);
    return code;
}

static int start(struct sw_sock *listener, SOCKET handle, struct sw_sock *into, struct accept_ex *x,
                 LPWSAOVERLAPPED ov)
{
    struct sw_io *io = sw_io_get(listener, handle, ov, NULL, NULL);
    int code;

    if (io == NULL)
        return WSAENOBUFS;
    code = reserve(into);
    if (code != 0) {
        sw_io_put(io);
        return code;
    }
    sw_sock_hold(into);
    x->into = into;
    io->extra = x;
    io->over = received;
    io->cancel = cancel;
    io->next = NULL;
    sw_io_start(io);
    pal_mutex_lock(&listener->lock);
    if (listener->accept_last == NULL)
        listener->accept_first = io;
    else
        listener->accept_last->next = io;
    listener->accept_last = io;
    pal_mutex_unlock(&listener->lock);
    serve(listener);
    sw_events_arm(listener);
    return WSA_IO_PENDING;
}

static int accept_ex(struct sw_sock *listener, SOCKET handle, struct sw_sock *into,
                     const struct accept_ex *want, LPWSAOVERLAPPED ov)
{
    enum sw_state state;
    struct accept_ex *x;
    int code;

    if (ov == NULL)
        return ERROR_INVALID_PARAMETER;
    if (want->out == NULL || want->remote_bytes == 0)
        return WSAEFAULT; /* B074 */
    pal_mutex_lock(&listener->lock);
    state = listener->state;
    pal_mutex_unlock(&listener->lock);
    if (state != SW_LISTENING || listener == into)
        return WSAEINVAL; /* B070 */
    x = malloc(sizeof(*x));
    if (x == NULL)
        return WSAENOBUFS;
    *x = *want;
    code = start(listener, handle, into, x, ov);
    if (code != WSA_IO_PENDING)
        free(x);
    return code;
}

BOOL WSPAPI sw_spi_accept_ex(SOCKET l, SOCKET s, PVOID out, DWORD receive_bytes, DWORD local_bytes,
                             DWORD remote_bytes, LPDWORD received_bytes, LPOVERLAPPED ov)
{
    const struct accept_ex want = {NULL, out, receive_bytes, local_bytes, remote_bytes};
    struct sw_sock *listener, *into;
    int code = 0;

    (void)received_bytes; /* written only by calls that end at once, and ours never do */
    listener = sw_sock_get(l, &code);
    if (listener == NULL) {
        sw_set_last_error(code);
        return FALSE;
    }
    into = sw_sock_get(s, &code);
    if (into != NULL) {
        code = accept_ex(listener, l, into, &want, (LPWSAOVERLAPPED)ov);
        sw_sock_leave(into);
    }
    sw_sock_leave(listener);
    sw_set_last_error(code);
    return FALSE;
}
