/* overlapped.c - operations that complete later: their records, and how the application learns (contract 7.3, 10.1, 10.3).
 *   routine given: it is called in the thread that asked, through WPUQueueApc, never while another routine of the same socket runs
 *                  there; hEvent is the application's own then
 *   else:          WPUCompleteOverlappedRequest, which sets the event and whatever else belongs to it
 * Results: Offset flags, OffsetHigh code, InternalHigh bytes, then Internal (contract 7.3).
 * Memory:  each socket keeps its records for the next operation, so that in the long run none is allocated. */
#include "spi/share.h"

#include <stdlib.h>
#include <string.h>

/* --- records --- */

static struct sw_io *pool_take(struct sw_sock *s)
{
    struct sw_io *io;

    pal_lock_take(&s->pool_lock);
    io = s->pool;
    if (io != NULL)
        s->pool = io->next;
    pal_lock_give(&s->pool_lock);
    if (io != NULL)
        return io;
    io = calloc(1, sizeof(*io));
    if (io == NULL)
        return NULL;
    pal_lock_take(&s->pool_lock);
    io->next_record = s->records;
    s->records = io;
    pal_lock_give(&s->pool_lock);
    return io;
}

static void pool_put(struct sw_io *io)
{
    struct sw_sock *s = io->sock;

    pal_store_relaxed(&io->live, NULL);
    pal_lock_take(&s->pool_lock);
    if (io->pins > 0) {
        io->is_done_with = true;
    } else {
        io->next = s->pool;
        s->pool = io;
    }
    pal_lock_give(&s->pool_lock);
}

void sw_io_pin(struct sw_io *io)
{
    pal_lock_take(&io->sock->pool_lock);
    io->pins++;
    pal_lock_give(&io->sock->pool_lock);
}

void sw_io_unpin(struct sw_io *io)
{
    struct sw_sock *s = io->sock;

    pal_lock_take(&s->pool_lock);
    if (--io->pins == 0 && io->is_done_with) {
        io->is_done_with = false;
        io->next = s->pool;
        s->pool = io;
    }
    pal_lock_give(&s->pool_lock);
}

struct sw_io *sw_io_get(struct sw_sock *s, SOCKET handle, LPWSAOVERLAPPED ov,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, const WSATHREADID *thread)
{
    struct sw_io *io = pool_take(s);

    if (io == NULL)
        return NULL;
    io->sock = s;
    io->name = sw_names_keep(s, handle);
    if (io->name == NULL) {
        pool_put(io);
        return NULL;
    }
    memset(&io->r, 0, sizeof(io->r));
    io->ov = ov;
    io->routine = routine;
    if (routine != NULL && thread != NULL)
        io->thread = *thread;
    io->extra = NULL;
    io->flags = 0;
    io->cancel = NULL;
    io->issuer = sw_this_issuer();
    io->order = sw_share_order(s);
    pal_store_relaxed(&io->carrier, NULL);
    pal_store_relaxed(&io->is_cancelled, false);
    sw_sock_hold(s);
    return io;
}

static void pool_give(struct sw_io *io)
{
    struct sw_sock *s = io->sock;

    pool_put(io);
    sw_sock_release(s);
}

void sw_io_put(struct sw_io *io)
{
    sw_names_let(io->sock, io->name);
    pool_give(io);
}

void sw_io_free_pool(struct sw_sock *s)
{
    while (s->records != NULL) {
        struct sw_io *io = s->records;

        s->records = io->next_record;
        free(io->heap);
        free(io);
    }
}

int sw_io_buffers(struct sw_io *io, const WSABUF *buffers, DWORD count)
{
    WSABUF *copy = io->buffers;

    if (count > SW_INLINE_BUFFERS) {
        if (io->heap_count < count) {
            copy = realloc(io->heap, count * sizeof(*copy));
            if (copy == NULL)
                return WSAENOBUFS;
            io->heap = copy;
            io->heap_count = count;
        }
        copy = io->heap;
    }
    if (count != 0) /* none may be named by NULL */
        memcpy(copy, buffers, count * sizeof(*copy));
    io->r.op.buffers = copy;
    io->r.op.buffer_count = count;
    return 0;
}

/* --- who waits in WSPGetOverlappedResult --- */

#define SHARDS 16u
static struct shard {
    pal_atomic_u32 waiters;
    struct pal_mutex lock;
    struct pal_cond done;
} shards[SHARDS];

bool sw_io_init(void)
{
    static bool is_done; /* start-up is serialised */

    for (unsigned i = 0; i < SHARDS && !is_done; i++)
        if (!pal_mutex_init(&shards[i].lock) || !pal_cond_init(&shards[i].done))
            return false;
    is_done = true;
    return true;
}

static struct shard *shard_of(const WSAOVERLAPPED *ov)
{
    return &shards[((uintptr_t)ov >> 5) % SHARDS];
}

static void wake_waiters(const WSAOVERLAPPED *ov)
{
    struct shard *h = shard_of(ov);

    atomic_thread_fence(
        memory_order_seq_cst); /* Internal is stored before `waiters` is read; the waiter does the reverse */
    if (pal_load_relaxed(&h->waiters) == 0)
        return;
    pal_mutex_lock(&h->lock);
    pal_cond_broadcast(&h->done);
    pal_mutex_unlock(&h->lock);
}

static bool is_in_progress(LPWSAOVERLAPPED ov)
{
    return pal_word_load_acquire(&ov->Internal) == WSS_OPERATION_IN_PROGRESS;
}

static void wait_for(LPWSAOVERLAPPED ov)
{
    struct shard *h = shard_of(ov);

    pal_mutex_lock(&h->lock);
    pal_add_relaxed(&h->waiters, 1u);
    atomic_thread_fence(memory_order_seq_cst);
    while (is_in_progress(ov))
        pal_cond_wait(&h->done, &h->lock);
    pal_sub_acq_rel(&h->waiters, 1u);
    pal_mutex_unlock(&h->lock);
}

/* Who asks drives it, as the provider's own function does (contract 4.12): no thread has to wake up for his sake. */
static void drive(struct sw_sock *s)
{
    struct sw_carrier *c = pal_load_acquire(&s->data);

    if (c != NULL && c->ops->drive != NULL)
        c->ops->drive(c);
}

BOOL WSPAPI sw_spi_get_overlapped_result(SOCKET h, LPWSAOVERLAPPED ov, LPDWORD bytes, BOOL wait,
                                         LPDWORD flags, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    int code = 0;

    if (s == NULL)
        return FALSE;
    if (ov == NULL || bytes == NULL || flags == NULL) {
        code = ov == NULL ? WSAEINVAL : WSAEFAULT;
    } else if (is_in_progress(ov)) {
        if (!wait) {
            drive(s);
            code = is_in_progress(ov) ? WSA_IO_INCOMPLETE : 0;
        } else {
            sw_sock_hold(s);
            sw_sock_leave(s);
            wait_for(ov);
            sw_sock_release(s);
            s = NULL;
        }
    }
    if (code == 0) {
        bool failed = pal_word_load_acquire(&ov->Internal) != 0;

        *bytes = (DWORD)pal_word_load_relaxed(&ov->InternalHigh);
        *flags = ov->Offset;
        if (failed) /* Internal may hold a status of another kind (winsock behaviour B116) */
            code = ov->OffsetHigh != 0 ? (int)ov->OffsetHigh : (int)ov->Internal;
    }
    if (s != NULL)
        sw_sock_leave(s);
    *error = code;
    return code == 0;
}

/* --- completion routines --- */

/* Which sockets' routines are running in this thread, innermost first. */
struct frame {
    struct sw_sock *sock;
    struct frame *outer;
    struct sw_io *first, *last; /* wait until the routine has returned */
};
static PAL_THREAD_LOCAL struct frame *frames;

/* Queued to a thread or running there: the way back is through this library. */
static pal_atomic_u32 routines_out;

bool sw_io_routines_are_out(void)
{
    return pal_load_acquire(&routines_out) != 0;
}

static void run_routine(struct sw_io *io)
{
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine = io->routine;
    LPWSAOVERLAPPED ov = io->ov;
    DWORD error = (DWORD)io->r.op.error;
    DWORD bytes = (DWORD)io->r.op.bytes;
    DWORD flags = io->flags;

    (void)pal_sub_acq_rel(&io->sock->routines, 1u);
    pool_give(io); /* first: the routine most likely starts the next operation */
    routine(error, bytes, ov, flags);
}

static void call_routines(struct sw_io *io)
{
    struct frame frame = {io->sock, frames, NULL, NULL};

    for (struct frame *f = frames; f != NULL; f = f->outer) {
        if (f->sock != io->sock)
            continue;
        io->next = NULL;
        if (f->first == NULL)
            f->first = io;
        else
            f->last->next = io;
        f->last = io;
        return;
    }
    frames = &frame;
    sw_sock_hold(frame.sock);
    run_routine(io);
    while (frame.first != NULL) {
        io = frame.first;
        frame.first = io->next;
        run_routine(io);
    }
    frames = frame.outer;
    sw_sock_release(frame.sock);
}

static void CALLBACK trampoline(DWORD_PTR context)
{
    call_routines((struct sw_io *)context);
    (void)pal_sub_acq_rel(&routines_out, 1u);
}

/* --- completion --- */

void sw_io_start(struct sw_io *io)
{
    pal_word_store_relaxed(&io->ov->Internal, (ULONG_PTR)WSS_OPERATION_IN_PROGRESS);
    pal_store_release(&io->live, io->ov); /* publishes the record to who calls it off */
}

static void store_result(LPWSAOVERLAPPED ov, int error, DWORD bytes)
{
    pal_word_store_relaxed(&ov->InternalHigh, (ULONG_PTR)bytes);
    pal_word_store_release(&ov->Internal, (ULONG_PTR)error); /* publishes the result */
}

/* WSPCleanup ends operations without telling; but a thread that is in WSPGetOverlappedResult has to come back. */
static void tell(SOCKET handle, LPWSAOVERLAPPED ov, int error, DWORD bytes)
{
    if (!sw_up_complete(handle, ov, (DWORD)error, bytes))
        store_result(ov, error, bytes);
    wake_waiters(ov);
}

void sw_io_deliver(struct sw_io *io, int error, DWORD bytes)
{
    struct sw_sock *s = io->sock;
    struct sw_name *name = io->name;
    LPWSAOVERLAPPED ov = io->ov;

    pal_store_relaxed(&io->live, NULL); /* before the application hears, and may use `ov` again */
    ov->Offset = io->flags;
    ov->OffsetHigh = (DWORD)error;
    if (io->routine == NULL) {
        tell(name->handle, ov, error, bytes);
        sw_io_put(io);
        return;
    }
    io->r.op.error = error;
    io->r.op.bytes = bytes;
    store_result(ov, error, bytes);
    wake_waiters(ov);
    sw_sock_hold(s); /* the record may be gone with the routine */
    pal_add_acq_rel(&s->routines, 1u);
    pal_add_acq_rel(&routines_out, 1u);
    if (!sw_up_queue_apc(&io->thread, trampoline, (DWORD_PTR)io)) {
        (void)pal_sub_acq_rel(&routines_out, 1u);
        (void)pal_sub_acq_rel(&s->routines, 1u);
        pool_give(io); /* the thread has ended */
    }
    sw_names_let(s, name);
    sw_sock_release(s);
}

void sw_io_complete_now(struct sw_sock *s, SOCKET handle, LPWSAOVERLAPPED ov,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, const WSATHREADID *thread, int error,
                        DWORD bytes, DWORD flags)
{
    struct sw_io *io = sw_io_get(s, handle, ov, routine, thread);

    pal_word_store_relaxed(&ov->Internal, (ULONG_PTR)WSS_OPERATION_IN_PROGRESS);
    if (io == NULL) { /* nothing to queue a routine with */
        ov->Offset = flags;
        ov->OffsetHigh = (DWORD)error;
        tell(handle, ov, error, bytes);
        return;
    }
    io->flags = flags;
    sw_io_deliver(io, error, bytes);
}
