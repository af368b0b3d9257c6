/* stress_rdma.c - RDMA transfers, each with a grant of its own that is registered before and deregistered
 * behind it. A write is followed by a message; when that is received, the data must be there (7.5). The
 * descriptor goes to the initiator by shared memory, since both ends live in this process. */
#include "stress.h"

static void give_back(struct txn *t)
{
    pal_store_release(&t->is_busy, false);
}

/* The part of the chunk that is granted, and the part of it that is moved. */
static DWORD choose_extent(struct txn *t, uint32_t chunk_bytes)
{
    struct rng *r = my_rng();
    uint32_t most = rng_percent(r, 70) && chunk_bytes > 4096 ? 4096 : chunk_bytes;

    t->bytes = rng_percent(r, 8) ? 0 : 1 + rng_below(r, most);
    t->offset = rng_below(r, chunk_bytes - t->bytes + 1);
    uint32_t end = t->offset + t->bytes;
    uint32_t granted = rng_percent(r, 50) ? end : end + rng_below(r, chunk_bytes - end + 1);
    return granted > 0 ? granted : 1;
}

static bool grant(struct txn *t)
{
    struct slot *s = t->initiator->slot;
    DWORD bytes = choose_extent(t, s->chunk_bytes);
    DWORD needed = t->is_write ? MEM_WRITE : MEM_READ;
    DWORD flags = rng_percent(my_rng(), 30) ? MEM_READWRITE : needed;
    int error;

    t->key = rng_next(my_rng());
    if (t->is_write) {
        memset(t->remote + t->offset, 0, t->bytes);
        pattern_fill(t->local, t->bytes, t->key);
    } else {
        pattern_fill(t->remote + t->offset, t->bytes, t->key);
        memset(t->local, 0, t->bytes);
    }
    error = sw_register_rdma(t->target->c, t->remote, bytes, flags, &t->descriptor);
    pal_add_relaxed(&st.stats.registrations, 1);
    if (error == 0)
        return true;
    if (!refusal_is_allowed(t->target, error))
        stress_fails(t->target, "WSPRegisterRdmaMemory of %u bytes failed with %s", (unsigned)bytes,
                     sw_error_name(error));
    return false;
}

static void submit(struct end *e, struct txn *t)
{
    WSABUF pieces[PIECES_MAX];
    /* a read may be over, and t in use again, when the submission returns */
    const bool is_write = t->is_write;
    unsigned count;

    t->op.kind = is_write ? OP_WRITE : OP_READ;
    t->op.bytes = t->bytes;
    t->op.memory = t->local;
    pal_store_release(&t->left, is_write ? 2u : 1u);
    count = cut(my_rng(), t->local, t->bytes, pieces);
    pal_mutex_lock(&e->send_lock);
    /* else the connection is on its way out */
    if (op_submit_locked(&t->op, pieces, count) == 0 && is_write) {
        t->next = e->unchecked;
        e->unchecked = t;
    }
    pal_mutex_unlock(&e->send_lock);
}

void rdma_start(struct end *e)
{
    for (unsigned i = 0; i < TXNS; i++) {
        struct txn *t = &e->txns[i];
        bool is_free = false;
        if (!atomic_compare_exchange_strong(&t->is_busy, &is_free, true))
            continue;
        t->is_write = e->c->ext->rdma_read == NULL || rng_percent(my_rng(), 50);
        bool has_message_left = pal_load_acquire(&e->out.sent) < e->out.budget;
        if (pal_load_acquire(&e->is_broken) || (t->is_write && !has_message_left) || !grant(t))
            give_back(t);
        else
            submit(e, t);
        return;
    }
}

static void revoke(struct txn *t)
{
    int error = sw_deregister_rdma(t->target->c, &t->descriptor);

    if (error != 0 && !(may_fail(t->target) && error == WSAEINVAL) && !refusal_is_allowed(t->target, error))
        stress_fails(t->target, "WSPDeregisterRdmaMemory failed with %s", sw_error_name(error));
    give_back(t);
}

void rdma_part_done(struct txn *t, bool in_upcall)
{
    struct slot *s = t->initiator->slot;

    /* not entered: the connection ends, and the grant with it */
    if (pal_sub_acq_rel(&t->left, 1) != 1 || !slot_enter(s))
        return;
    if (in_upcall && rng_percent(my_rng(), 50)) {
        pal_mutex_lock(&s->deferred_lock);
        t->next = s->deferred;
        s->deferred = t;
        pal_mutex_unlock(&s->deferred_lock);
    } else {
        revoke(t);
    }
    slot_leave(s);
}

void rdma_deferred(struct slot *s)
{
    for (;;) {
        pal_mutex_lock(&s->deferred_lock);
        struct txn *t = s->deferred;
        if (t != NULL)
            s->deferred = t->next;
        pal_mutex_unlock(&s->deferred_lock);
        if (t == NULL)
            return;
        revoke(t);
    }
}
