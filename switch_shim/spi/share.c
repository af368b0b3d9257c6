/* share.c - the state of a shared connection beside its socket; threads and operations that wait for control. See share.h.
 * Idea: an operation that is under way when control leaves, and of which no byte has been done, is not over: it is put aside, and begins again when
 *       control is back. So is one that is started meanwhile. Sends keep their order, by the numbers that operations of shared sockets
 *       have; receives are given back as they were posted. New calls see `data` only when all of these have begun again.
 * A receive that waits does not keep others from control, though it came first (8.10 serves processes first come, first served, and lets
 * operations that are in progress finish): it has not begun, and who waits for an answer must not keep another process from asking the
 * question. Our choice. Sends do finish first. */
#include "spi/share.h"

#include <stdlib.h>
#include <string.h>

#include "pal/memory.h"

#define DATA_EVENTS ((uint32_t)(FD_READ | FD_WRITE | FD_OOB | FD_CLOSE))

/* --- the state --- */

static pal_atomic_u32 instances;

int sw_share_make(struct sw_sock *s, uint64_t identity, const WSD_SOCKADDR_STORAGE *local, int local_bytes)
{
    struct sw_share *fresh;
    int code;

    if (sw_share_of(s) != NULL)
        return 0;
    fresh = calloc(1, sizeof(*fresh));
    code = fresh == NULL ? WSAENOBUFS : sw_mail_start();
    if (code == 0 && identity == 0 && (!pal_random(&identity, sizeof(identity)) || identity == 0))
        code = WSAENOBUFS;
    if (code != 0) {
        free(fresh);
        return code;
    }
    fresh->identity = identity;
    fresh->instance = pal_add_relaxed(&instances, 1u) + 1u;
    fresh->local = *local;
    fresh->local_bytes = local_bytes;
    fresh->since_ns = pal_now_ns();
    pal_mutex_lock(&s->lock);
    if (sw_share_of(s) == NULL) {
        pal_store_release(&s->share, fresh);
        fresh = NULL;
        sw_share_index_add(s);
    }
    pal_mutex_unlock(&s->lock);
    free(fresh); /* another thread was faster */
    return 0;
}

void sw_share_free(struct sw_sock *s)
{
    if (sw_share_of(s) == NULL)
        return;
    sw_share_index_remove(s);
    free(sw_share_of(s));
    pal_store_relaxed(&s->share, NULL);
}

bool sw_share_is_away(struct sw_sock *s)
{
    bool yes;

    if (sw_share_of(s) == NULL)
        return false;
    pal_mutex_lock(&s->lock);
    yes = s->is_moved && s->state == SW_CONNECTED; /* a listener has its TCP/IP half everywhere */
    pal_mutex_unlock(&s->lock);
    return yes;
}

bool sw_share_look(struct sw_sock *s, struct sw_carrier **c)
{
    const bool is_shared = sw_share_of(s) != NULL;
    bool yes;

    *c = pal_load_acquire(&s->data);
    if (!is_shared)
        return false;
    pal_mutex_lock(&s->lock);
    *c = pal_load_acquire(&s->data);
    yes = s->is_moved && s->state == SW_CONNECTED;
    pal_mutex_unlock(&s->lock);
    return yes;
}

int sw_share_name(struct sw_sock *s, WSD_SOCKADDR_STORAGE *out, int *bytes)
{
    const struct sw_share *share = sw_share_of(s);

    memcpy(out, &share->local, (size_t)share->local_bytes);
    *bytes = share->local_bytes;
    return 0;
}

int sw_share_lost(struct sw_sock *s)
{
    struct sw_share *share = sw_share_of(s);
    int code;

    if (share == NULL)
        return 0;
    pal_mutex_lock(&s->lock);
    code = share->lost;
    pal_mutex_unlock(&s->lock);
    return code;
}

bool sw_share_has_interest_locked(const struct sw_sock *s)
{
    const struct sw_share *share = sw_share_of(s);

    if (s->state == SW_LISTENING)
        return share->is_used || sw_share_is_accepting_locked(s);
    return share->is_used || share->waiters > 0 || share->first != NULL || s->selectors != NULL ||
           (pal_load_relaxed(&((struct sw_sock *)(uintptr_t)s)->event_mask) & DATA_EVENTS) != 0;
}

static bool is_closing(struct sw_sock *s)
{
    return (pal_load_relaxed(&s->use) & SW_USE_CLOSING) != 0;
}

/* --- wanting and waiting --- */

static void ask_failed_locked(struct sw_sock *s, struct sw_share *share, int code)
{
    share->is_asking = share->is_used = false;
    share->failed_asks++;
    share->ask_error = code;
    pal_cond_broadcast(&s->changed);
}

void sw_share_want(struct sw_sock *s, bool is_used)
{
    struct sw_share *share = sw_share_of(s);
    bool starts = false;

    if (share == NULL)
        return;
    pal_mutex_lock(&s->lock);
    if (s->is_moved && share->lost == 0 && !share->is_leaving) {
        if (is_used && !share->is_used) {
            share->is_used = true;
            pal_cond_broadcast(&s->changed);
        }
        starts = !share->is_asking;
        share->is_asking = true;
    }
    pal_mutex_unlock(&s->lock);
    if (!starts)
        return;
    sw_sock_hold(s); /* the job's */
    if (sw_job_start(sw_share_ask, s))
        return;
    pal_mutex_lock(&s->lock);
    ask_failed_locked(s, share, WSAENOBUFS);
    pal_mutex_unlock(&s->lock);
    sw_share_end_stranded(s, WSAENOBUFS);
    sw_sock_release(s);
}

/* Why there is nothing to wait for any more; 0: wait on. */
static int over_locked(struct sw_sock *s, const struct sw_share *share, unsigned failed_before, bool *is_here)
{
    *is_here = !s->is_moved && !share->is_granting;
    if (*is_here)
        return 0;
    if (is_closing(s))
        return WSAEINTR;
    if (share->lost != 0)
        return share->lost;
    return share->failed_asks != failed_before ? share->ask_error : 0;
}

int sw_share_wait(struct sw_sock *s, uint32_t timeout_ms)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_blocker b;
    unsigned failed;
    bool is_here = false;
    int code;

    pal_mutex_lock(&s->lock);
    failed = share->failed_asks;
    share->waiters++; /* before it is wanted: control that is just leaving is asked for by who gave it away */
    pal_mutex_unlock(&s->lock);
    sw_share_want(s, true);
    sw_block_begin(&b, timeout_ms);
    pal_mutex_lock(&s->lock);
    while ((code = over_locked(s, share, failed, &is_here)) == 0 && !is_here) {
        code = sw_block_on_change_locked(s, &b);
        if (code != 0)
            break;
    }
    share->waiters--;
    pal_mutex_unlock(&s->lock);
    sw_block_end(&b);
    return code;
}

struct sw_carrier *sw_share_carrier(struct sw_sock *s, uint32_t timeout_ms, int *code)
{
    struct sw_carrier *c = pal_load_acquire(&s->data);

    *code = 0;
    while (c == NULL && *code == 0) {
        bool is_away = sw_share_look(s, &c);

        if (c == NULL)
            *code = is_away ? sw_share_wait(s, timeout_ms) : WSAENOTCONN;
    }
    return c;
}

/* --- operations --- */

static void insert_locked(struct sw_share *share, struct sw_io *io)
{
    struct sw_io **at = &share->first;

    while (*at != NULL && (*at)->order <= io->order)
        at = &(*at)->next;
    io->next = *at;
    *at = io;
}

static int strand(struct sw_io *io, struct sw_carrier **c)
{
    struct sw_sock *s = io->sock;
    struct sw_share *share = sw_share_of(s);
    int code = WSA_IO_PENDING;

    pal_mutex_lock(&s->lock);
    if (is_closing(s) || atomic_load(&io->is_cancelled)) {
        code = WSA_OPERATION_ABORTED;
    } else if (share == NULL || (!s->is_moved && !share->is_granting)) {
        *c = pal_load_acquire(&s->data);
        code = *c == NULL ? WSAENOTCONN : SW_E_MOVED;
    } else if (share->lost != 0) {
        code = share->lost;
    } else {
        pal_store_relaxed(&io->carrier, NULL);
        insert_locked(share, io);
    }
    pal_mutex_unlock(&s->lock);
    return code;
}

int sw_share_strand(struct sw_io *io, struct sw_carrier **c)
{
    struct sw_sock *s = io->sock; /* the operation may be over when it is in the list */
    int code;

    sw_sock_hold(s);
    code = strand(io, c);
    if (code == WSA_IO_PENDING)
        sw_share_want(s, true);
    sw_sock_release(s);
    return code;
}

static void end(struct sw_io *io, int code)
{
    io->r.op.bytes = 0;
    io->r.op.error = code;
    io->over(io);
}

/* One that waited, on a carrier. SW_E_MOVED: that has just been given away, and the operation is the caller's still. Else it is under way, or over. */
static int begin_again(struct sw_io *io, struct sw_carrier *c)
{
    int code = WSA_OPERATION_ABORTED;

    sw_io_pin(io); /* it may be over before submit() returns */
    pal_store_release(&io->carrier, c);
    io->r.op.bytes = 0;
    io->r.op.error = 0;
    if (!atomic_load(&io->is_cancelled))
        code = c->ops->submit(c, &io->r);
    if (code == WSA_IO_PENDING) {
        if (atomic_load(&io->is_cancelled))
            (void)c->ops->cancel(c, &io->r);
        sw_io_unpin(io);
        return 0;
    }
    sw_io_unpin(io);
    if (code == SW_E_MOVED)
        return code;
    if (code != 0)
        io->r.op.error = code;
    io->over(io);
    return 0;
}

void sw_share_stranded(struct sw_io *io)
{
    struct sw_carrier *c = NULL;
    int code;

    do
        code = sw_share_strand(io, &c);
    while (code == SW_E_MOVED && c != NULL && (code = begin_again(io, c)) == SW_E_MOVED);
    if (code != 0 && code != WSA_IO_PENDING)
        end(io, code);
}

static struct sw_io *take_first(struct sw_sock *s, struct sw_share *share)
{
    struct sw_io *io;

    pal_mutex_lock(&s->lock);
    io = share->first;
    if (io != NULL)
        share->first = io->next;
    pal_mutex_unlock(&s->lock);
    return io;
}

bool sw_share_cancel(struct sw_io *io)
{
    struct sw_sock *s = io->sock;
    struct sw_share *share = sw_share_of(s);
    struct sw_carrier *coming;
    struct sw_io **at;
    bool found;

    if (share == NULL)
        return false;
    pal_mutex_lock(&s->lock);
    at = &share->first;
    while (*at != NULL && *at != io)
        at = &(*at)->next;
    found = *at != NULL;
    if (found)
        *at = io->next;
    coming = pal_load_acquire(&share->coming);
    pal_mutex_unlock(&s->lock);
    if (found)
        end(io, WSA_OPERATION_ABORTED);
    else if (coming != NULL && pal_load_acquire(&io->carrier) == coming)
        return coming->ops->cancel(coming, &io->r);
    return found;
}

void sw_share_end_stranded(struct sw_sock *s, int code)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_io *io;

    while (share != NULL && (io = take_first(s, share)) != NULL)
        end(io, code);
}

void sw_share_closed(struct sw_sock *s)
{
    sw_share_end_stranded(s, WSA_OPERATION_ABORTED);
}

void sw_share_restart(struct sw_sock *s, struct sw_carrier *c)
{
    struct sw_share *share = sw_share_of(s);
    struct sw_io *io;

    pal_store_release(&share->coming, c);
    for (;;) {
        while ((io = take_first(s, share)) != NULL)
            (void)begin_again(io, c); /* control is given away only behind this */
        pal_mutex_lock(&s->lock);
        if (share->first == NULL)
            break;
        pal_mutex_unlock(&s->lock);
    }
    s->is_moved = share->is_granting = false;
    share->is_used = false;
    share->since_ns = pal_now_ns();
    sw_sock_set_data(s, c);
    pal_store_release(&share->coming, NULL);
    pal_cond_broadcast(&s->changed);
    pal_mutex_unlock(&s->lock);
}

/* --- its end --- */

void sw_share_lose(struct sw_sock *s, int code)
{
    struct sw_share *share = sw_share_of(s);

    pal_mutex_lock(&s->lock);
    if (s->is_moved && share->lost == 0)
        share->lost = code;
    code = share->lost;
    pal_cond_broadcast(&s->changed);
    pal_mutex_unlock(&s->lock);
    if (code == 0)
        return; /* it is here after all */
    sw_share_end_stranded(s, code);
    sw_events_happened(s, FD_CLOSE, code);
}
