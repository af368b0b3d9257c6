/* cancel.c - operations called off by who started them: what CancelIoEx and CancelIo do on Windows. None of the thirty functions has it;
 * there the I/O manager serves them, for sockets that are its own (IFS handles), and a provider without such handles is never asked.
 * Idea:   a socket keeps the records of all its operations (overlapped.c). Whoever calls off looks for those that are live, pins each so that
 *         it is not used for another operation meanwhile, and asks without a lock whoever has it. An operation completes once, by
 *         who ended it: taken back, over already, or later by itself, that is for its carrier to say (carrier.h, cancel()).
 * Steps:  an operation of several requests (AcceptEx, ConnectEx, TransmitFile) may be between two of them: `is_cancelled` is set first,
 *         and looked at behind every submit().
 * Source: pages of CancelIo and CancelIoEx. */
#include "pal/compiler.h"
#include "spi/share.h"

#define NOT_FOUND 1168 /* ERROR_NOT_FOUND, winerror.h */

uint64_t sw_this_issuer(void)
{
    static _Atomic(uint64_t) last;
    static PAL_THREAD_LOCAL uint64_t mine;

    if (mine == 0)
        mine = atomic_fetch_add_explicit(&last, 1u, memory_order_relaxed) + 1u;
    return mine;
}

int sw_io_submit_step(struct sw_io *io, struct sw_carrier *c)
{
    int code;

    if (atomic_load(&io->is_cancelled))
        return WSA_OPERATION_ABORTED;
    sw_io_pin(io); /* it may be over before submit() returns */
    io->r.op.error = 0;
    pal_store_release(&io->carrier, c);
    code = c == NULL ? SW_E_MOVED : c->ops->submit(c, &io->r);
    while (code == SW_E_MOVED && (code = sw_share_strand(io, &c)) == SW_E_MOVED) {
        pal_store_release(&io->carrier, c);
        code = c->ops->submit(c, &io->r);
    }
    /* one that waits for control is its taker's, who looks, too (share.c) */
    if (code == WSA_IO_PENDING && atomic_load(&io->is_cancelled) && c != NULL &&
        pal_load_acquire(&io->carrier) == c)
        (void)c->ops->cancel(c, &io->r);
    sw_io_unpin(io);
    return code;
}

/* A carrier that is not the socket's any more is being closed, and ends its requests by itself. */
void sw_io_cancel_request(struct sw_io *io)
{
    struct sw_carrier *c;

    atomic_store(&io->is_cancelled, true);
    c = pal_load_acquire(&io->carrier);
    if (c != NULL && c == pal_load_acquire(&io->sock->data))
        (void)c->ops->cancel(c, &io->r);
    else
        (void)sw_share_cancel(io);
}

/* The next record from `io` on that is meant, pinned; NULL: there is none. */
static struct sw_io *pin_next(struct sw_sock *s, struct sw_io *io, LPWSAOVERLAPPED ov, uint64_t issuer)
{
    pal_lock_take(&s->pool_lock);
    for (; io != NULL; io = io->next_record) {
        LPWSAOVERLAPPED live = pal_load_acquire(&io->live); /* acquire: what sw_io_start() published */

        if (live == NULL || (ov != NULL && live != ov) || (issuer != 0 && io->issuer != issuer))
            continue;
        io->pins++;
        break;
    }
    pal_lock_give(&s->pool_lock);
    return io;
}

static struct sw_io *first_record(struct sw_sock *s)
{
    struct sw_io *io;

    pal_lock_take(&s->pool_lock);
    io = s->records;
    pal_lock_give(&s->pool_lock);
    return io;
}

int sw_cancel_io(SOCKET handle, LPWSAOVERLAPPED ov, bool is_own_only)
{
    int code = 0;
    struct sw_sock *s = sw_sock_get(handle, &code);
    struct sw_io *io;

    if (s == NULL)
        return code;
    code = NOT_FOUND;
    io = first_record(s);
    while ((io = pin_next(s, io, ov, is_own_only ? sw_this_issuer() : 0)) != NULL) {
        struct sw_io *next = io->next_record;

        if (io->cancel != NULL)
            io->cancel(io);
        else
            sw_io_cancel_request(io);
        sw_io_unpin(io);
        code = 0;
        io = next;
    }
    sw_sock_leave(s);
    return code;
}
