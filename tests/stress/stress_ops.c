/* stress_ops.c - operations: submission in both modes, results by poll and by upcall, exactly once. */
#include "stress.h"

#include "watchdog.h"

#define POISON 0xA5

void op_list_init(struct op_list *l)
{
    l->head = NULL;
    l->tail = &l->head;
    l->count = 0;
}

void op_push(struct op_list *l, struct op *op)
{
    op->next = NULL;
    *l->tail = op;
    l->tail = &op->next;
    l->count++;
}

struct op *op_pop(struct op_list *l)
{
    struct op *op = l->head;

    if (op != NULL) {
        l->head = op->next;
        if (l->head == NULL)
            l->tail = &l->head;
        l->count--;
    }
    return op;
}

bool may_fail(const struct end *e)
{
    return pal_load_acquire(&e->is_closing) || pal_load_acquire(&e->peer->is_closing);
}

/* What a call may answer once a close has begun at either end (contract 4.10, 4.11, 6.6, Q14). */
bool refusal_is_allowed(const struct end *e, int error)
{
    bool is_ours = pal_load_acquire(&e->is_closing), is_theirs = pal_load_acquire(&e->peer->is_closing);

    switch (error) {
    case WSAENOTSOCK:
    case WSA_OPERATION_ABORTED: return is_ours;
    case WSAENOTCONN: return is_ours || is_theirs;
    case WSAECONNRESET:
    case WSAECONNABORTED: return is_theirs;
    default: return false;
    }
}

/* And what an operation that was started may end with (4.13, 7.6). */
static bool outcome_is_allowed(const struct end *e, DWORD error)
{
    switch (error) {
    case 0: return true;
    case WSA_OPERATION_ABORTED: return pal_load_acquire(&e->is_closing);
    case WSAECONNRESET:
    case WSAECONNABORTED: return pal_load_acquire(&e->peer->is_closing);
    default: return false;
    }
}

static void count_outcome(DWORD error)
{
    if (error == WSA_OPERATION_ABORTED)
        pal_add_relaxed(&st.stats.aborted, 1);
    else if (error == WSAECONNRESET)
        pal_add_relaxed(&st.stats.resets, 1);
    else if (error == WSAECONNABORTED)
        pal_add_relaxed(&st.stats.aborts_seen, 1);
}

/* ---- submission ---- */

/* Nobody may have touched an OVERLAPPED that was not with the provider (7.3). */
static void make_fresh(struct op *op)
{
    const uint8_t *at = (const uint8_t *)&op->ov;

    for (size_t i = 0; i < sizeof op->ov; i++)
        if (at[i] != POISON) {
            stress_fails(op->end, "OVERLAPPED of kind %d changed after its completion, at byte %zu", op->kind,
                         i);
            break;
        }
    memset(&op->ov, 0, sizeof op->ov);
}

static void make_free(struct op *op)
{
    memset(&op->ov, POISON, sizeof op->ov);
    pal_store_release(&op->state, OP_FREE);
}

static int call_tame(struct op *op, WSABUF *buffers, WSABUFEX *ex, unsigned count)
{
    const struct sw_companion *c = op->end->c;

    switch (op->kind) {
    case OP_SEND: return sw_send(c, buffers, count, &op->ov, op->how);
    case OP_RECV: return sw_recv(c, buffers, count, &op->ov, op->how);
    case OP_WRITE:
        return sw_rdma_write(c, ex, count, &op->txn->descriptor, op->txn->offset, &op->ov, op->how);
    default: return sw_rdma_read(c, ex, count, &op->txn->descriptor, op->txn->offset, &op->ov, op->how);
    }
}

/* As another thread of a switch might, with no regard for a close that is going on. */
static int call_wild(struct op *op, WSABUF *buffers, WSABUFEX *ex, unsigned count)
{
    const struct sw_companion *c = op->end->c;
    const struct txn *t = op->txn;
    DWORD done = 0, flags = 0;
    INT error = 0;
    int result;

    op->ov.hEvent = (HANDLE)(ULONG_PTR)(op->how == SW_POLL);
    switch (op->kind) {
    case OP_SEND:
        result = c->procs->lpWSPSend(c->descriptor, buffers, count, &done, 0, &op->ov, NULL, NULL, &error);
        break;
    case OP_RECV:
        result = c->procs->lpWSPRecv(c->descriptor, buffers, count, &done, &flags, &op->ov, NULL, NULL,
                                     &error);
        break;
    case OP_WRITE:
        result = c->ext->rdma_write(c->descriptor, ex, count, (LPVOID)(uintptr_t)t->descriptor.bytes,
                                    t->descriptor.length, t->offset, &done, 0, &op->ov, NULL, NULL, &error);
        break;
    default:
        result = c->ext->rdma_read(c->descriptor, ex, count, (LPVOID)(uintptr_t)t->descriptor.bytes,
                                   t->descriptor.length, t->offset, &done, 0, &op->ov, NULL, NULL, &error);
        break;
    }
    if (result != SOCKET_ERROR)
        stress_fails(op->end, "a data call answered %d instead of WSA_IO_PENDING", result);
    return error == WSA_IO_PENDING ? 0 : error;
}

int op_submit_locked(struct op *op, WSABUF *buffers, unsigned count)
{
    struct end *e = op->end;
    WSABUFEX ex[PIECES_MAX];
    int error;

    make_fresh(op);
    op->how = rng_percent(my_rng(), e->slot->notify_percent) ? SW_NOTIFY : SW_POLL;
    op->order = op->kind == OP_RECV ? ++e->recv_order : ++e->send_order;
    if (op->kind == OP_WRITE || op->kind == OP_READ)
        for (unsigned i = 0; i < count; i++)
            ex[i] = (WSABUFEX){.len = buffers[i].len, .buf = buffers[i].buf, .handle = e->local_handle};
    pal_add_relaxed(&e->outstanding, 1);
    pal_store_release(&op->state, OP_OUT);
    /* a polled one may be over before the call returns, but nobody asks before it is in the list */
    error = e->slot->is_wild ? call_wild(op, buffers, ex, count) : call_tame(op, buffers, ex, count);
    if (error == 0) {
        if (op->how == SW_POLL)
            op_push(op->kind == OP_RECV ? &e->polled_rq : &e->polled_sq, op);
        return 0;
    }
    pal_store_release(&e->is_broken, true);
    if (!refusal_is_allowed(e, error))
        stress_fails(e, "submission of kind %d refused with %s", op->kind, sw_error_name(error));
    make_free(op);
    pal_sub_acq_rel(&e->outstanding, 1);
    return error;
}

/* ---- completion ---- */

static void check_bytes(struct op *op, uint32_t bytes)
{
    struct end *e = op->end;
    long wrong;

    if (op->kind != OP_RECV && bytes != op->bytes)
        stress_fails(e, "operation of kind %d moved %u bytes, not %u", op->kind, bytes, op->bytes);
    switch (op->kind) {
    case OP_SEND:
        pal_add_relaxed(&e->out.sent_ok, 1);
        pal_add_relaxed(&st.stats.messages, 1);
        pal_add_relaxed(&st.stats.bytes, bytes);
        break;
    case OP_RECV: received(op, bytes); break;
    case OP_READ:
        wrong = pattern_check(op->memory, bytes, op->txn->key);
        if (wrong >= 0)
            stress_fails(e, "RDMA read of %u bytes is wrong at %ld", bytes, wrong);
        pal_add_relaxed(&st.stats.reads, 1);
        break;
    default: pal_add_relaxed(&st.stats.writes, 1); break;
    }
}

/* Exactly once for every operation that was started; afterwards op is not the caller's any more. */
static void op_done(struct op *op, DWORD error, uint32_t bytes, bool in_upcall)
{
    struct end *e = op->end;
    struct txn *t = op->txn;

    if (pal_load_acquire(&op->state) != OP_OUT) {
        stress_fails(e, "operation of kind %d completed twice", op->kind);
        return;
    }
    count_outcome(error);
    if (error == 0) {
        check_bytes(op, bytes);
    } else {
        pal_store_release(&e->is_broken, true);
        if (!outcome_is_allowed(e, error))
            stress_fails(e, "operation of kind %d, number %llu, ended with %s", op->kind,
                         (unsigned long long)op->number, sw_error_name((int)error));
    }
    make_free(op);
    if (op->kind == OP_RECV) {
        pal_mutex_lock(&e->recv_lock);
        op_push(&e->free_recvs, op);
        pal_mutex_unlock(&e->recv_lock);
    } else if (op->kind == OP_SEND) {
        pal_mutex_lock(&e->send_lock);
        op_push(&e->free_sends, op);
        pal_mutex_unlock(&e->send_lock);
    } else if (error == 0) {
        rdma_part_done(t, in_upcall); /* the transfer and op may be another one's from here on */
    }
    if (pal_add_relaxed(&e->slot->ops_done, 1) % 64 == 0)
        watchdog_pat();
    pal_sub_acq_rel(&e->outstanding, 1); /* release: the connection may be cleared away now */
}

/* Upcalls of one direction come in posting order (7.5), as far as they report success. */
static void check_order(struct end *e, const struct op *op)
{
    pal_atomic_u64 *last = op->kind == OP_RECV ? &e->last_recv_order : &e->last_send_order;
    uint64_t before = pal_swap_acq_rel(last, op->order);

    if (before >= op->order)
        stress_fails(e, "upcall for submission %llu came after that for %llu (kind %d)",
                     (unsigned long long)op->order, (unsigned long long)before, op->kind);
}

static void act_inside_upcall(struct end *e, bool was_recv)
{
    struct rng *r = my_rng();

    if (was_recv)
        post_receives(e, 1 + rng_below(r, 3));
    if (rng_percent(r, 60))
        send_messages(e, 1 + rng_below(r, 3));
    if (rng_percent(r, 15))
        send_messages(e->peer, 1);
    if (rng_percent(r, 10))
        ends_poll(rng_percent(r, 50) ? e : e->peer, 4);
    if (rng_percent(r, 5))
        rdma_start(e);
    pal_add_relaxed(&st.stats.nested, 1);
}

void op_upcall(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes)
{
    struct op *op = (struct op *)(void *)ov;
    struct end *e = context;
    struct slot *s = e->slot;
    bool was_recv = op->kind == OP_RECV;

    pal_add_relaxed(&st.stats.upcalls, 1);
    if (op->end != e || handle != e->handle || op->how != SW_NOTIFY)
        stress_fails(e, "an upcall for something else: handle %llx, ours %llx", (unsigned long long)handle,
                     (unsigned long long)e->handle);
    if (error == 0)
        check_order(e, op);
    op_done(op, error, bytes, true);
    if (!slot_enter(s)) /* perhaps the next connection already: it is as good */
        return;
    act_inside_upcall(e, was_recv);
    slot_maybe_close(s, true);
    slot_leave(s);
}

/* ---- polling ---- */

/* The question of the switch, once or repeated, with or without waiting. True: it is over. */
static bool ask(struct end *e, struct op *op, DWORD *bytes, DWORD *error)
{
    const struct sw_companion *c = e->c;
    bool waits = op->kind == OP_SEND && rng_percent(my_rng(), 5); /* its receive is posted: it must end */
    DWORD flags = 0;
    INT code = 0;
    int stored = 0;

    if (c->procs->lpWSPGetOverlappedResult(c->descriptor, &op->ov, bytes, waits, &flags, &code)) {
        *error = 0;
        return true;
    }
    *bytes = 0;
    if (code == WSA_IO_INCOMPLETE) {
        if (waits)
            stress_fails(e, "WSPGetOverlappedResult did not wait");
        return false;
    }
    *error = (DWORD)code;
    if (code == WSAENOTSOCK && pal_load_acquire(&e->is_closing)) {
        if (!sw_overlapped_result(&op->ov, bytes, &stored))
            return false; /* the close is still at it */
        *error = (DWORD)stored;
    }
    return true;
}

static struct op *newest_of(const struct op_list *l)
{
    return l->head == NULL ? NULL : (struct op *)(void *)((char *)l->tail - offsetof(struct op, next));
}

/* Results become visible in posting order: when the newest is there, the oldest must be. */
static void check_visible_order(struct end *e, const struct op_list *l, struct pal_mutex *lock)
{
    DWORD bytes;
    int error = -1;

    pal_mutex_lock(lock);
    struct op *oldest = l->head, *newest = newest_of(l);
    pal_mutex_unlock(lock);
    if (oldest == newest || !sw_overlapped_result(&newest->ov, &bytes, &error) || error != 0)
        return;
    if (!sw_overlapped_result(&oldest->ov, &bytes, &error))
        stress_fails(e, "a polled operation is over, one posted before it is not");
}

static unsigned poll_list(struct end *e, struct op_list *l, struct pal_mutex *lock, unsigned most)
{
    unsigned done = 0;
    DWORD bytes, error;

    if (rng_percent(my_rng(), 10))
        check_visible_order(e, l, lock);
    while (done < most) {
        pal_mutex_lock(lock);
        struct op *op = l->head; /* stays the head: only the holder of poll_lock takes it */
        pal_mutex_unlock(lock);
        if (op == NULL || !ask(e, op, &bytes, &error))
            break;
        pal_mutex_lock(lock);
        op_pop(l);
        pal_mutex_unlock(lock);
        op_done(op, error, bytes, false);
        done++;
    }
    return done;
}

unsigned ends_poll(struct end *e, unsigned most)
{
    unsigned done;

    if (!pal_mutex_trylock(&e->poll_lock))
        return 0;
    done = poll_list(e, &e->polled_sq, &e->send_lock, most);
    done += poll_list(e, &e->polled_rq, &e->recv_lock, most);
    pal_mutex_unlock(&e->poll_lock);
    return done;
}

static void collect_list(struct end *e, struct op_list *l)
{
    DWORD bytes;
    int error;

    for (struct op *op; (op = op_pop(l)) != NULL;) {
        if (!sw_overlapped_result(&op->ov, &bytes, &error)) {
            stress_fails(e, "polled operation of kind %d, number %llu, never ended", op->kind,
                         (unsigned long long)op->number);
            continue;
        }
        op_done(op, (DWORD)error, bytes, false);
    }
}

void end_collect(struct end *e)
{
    collect_list(e, &e->polled_sq);
    collect_list(e, &e->polled_rq);
    if (pal_load_acquire(&e->outstanding) != 0)
        stress_fails(e, "%u notified operations never ended", pal_load_acquire(&e->outstanding));
}
