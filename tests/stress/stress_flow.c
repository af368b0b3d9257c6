/* stress_flow.c - messages: receives posted ahead, sends within what was posted, every byte checked.
 * The receive with number n takes the message with number n, whatever thread posted, sent or polled it. */
#include "stress.h"

#define FILL 0xEE
/* receives up to this size are filled, so that bytes behind the message can be checked */
#define FILL_LIMIT 4096u

unsigned cut(struct rng *r, uint8_t *memory, uint32_t bytes, WSABUF out[PIECES_MAX])
{
    unsigned count = rng_percent(r, 70)   ? 1
                     : rng_percent(r, 85) ? 1 + rng_below(r, 4)
                                          : 1 + rng_below(r, PIECES_MAX);

    for (unsigned i = 0; i < count; i++) {
        uint32_t piece = i + 1 == count ? bytes : rng_below(r, bytes + 1);
        out[i] = (WSABUF){.len = piece, .buf = (CHAR *)memory};
        memory += piece;
        bytes -= piece;
    }
    return count;
}

static uint64_t key_of(const struct flow *f, uint64_t number)
{
    return f->key + number * 1000003u;
}

/* ---- receiving ---- */

static uint32_t choose_room(const struct end *e, uint64_t number)
{
    uint32_t most = e->slot->profile->room < st.options.max_bytes ? e->slot->profile->room
                                                                  : st.options.max_bytes;
    uint32_t room = e->slot->profile->rooms_differ ? rng_below(my_rng(), most + 1) : most;

    return number == 0 && room < FIRST_BYTES ? FIRST_BYTES : room;
}

unsigned post_receives(struct end *e, unsigned most)
{
    struct flow *in = &e->peer->out;
    WSABUF pieces[PIECES_MAX];
    unsigned done = 0;

    pal_mutex_lock(&e->recv_lock);
    for (; done < most && !pal_load_acquire(&e->is_broken); done++) {
        struct op *op = op_pop(&e->free_recvs);
        uint64_t number = e->recv_order;
        if (op == NULL)
            break;
        op->number = number;
        op->bytes = choose_room(e, number);
        memset(op->memory, FILL, op->bytes <= FILL_LIMIT ? op->bytes : 0);
        memset(op->memory + op->bytes, FILL, GUARD_BYTES);
        if (op_submit_locked(op, pieces, cut(my_rng(), op->memory, op->bytes, pieces)) != 0) {
            op_push(&e->free_recvs, op);
            break;
        }
        /* all but the first of an acceptor, which was lent before */
        if (number >= pal_load_relaxed(&in->posted)) {
            pal_store_relaxed(&in->room[number % RING], op->bytes);
            pal_store_release(&in->posted, number + 1);
        }
    }
    pal_mutex_unlock(&e->recv_lock);
    return done;
}

static void check_behind(struct end *e, const struct op *op, uint32_t bytes)
{
    uint32_t from = op->bytes <= FILL_LIMIT ? bytes : op->bytes;

    for (uint32_t i = from; i < op->bytes + GUARD_BYTES; i++)
        if (op->memory[i] != FILL) {
            stress_fails(e, "message %llu of %u bytes: byte %u of a receive of %u was written",
                         (unsigned long long)op->number, bytes, i, op->bytes);
            return;
        }
}

/* For the report: which message is it that came instead? */
static long long recognise(const struct flow *f, const uint8_t *memory, uint32_t bytes)
{
    uint64_t sent = pal_load_acquire(&f->sent);

    for (uint64_t n = sent; n-- > 0 && sent - n <= RING;)
        if (pal_load_relaxed(&f->bytes[n % RING]) == bytes && pattern_check(memory, bytes, key_of(f, n)) < 0)
            return (long long)n;
    return -1;
}

void received(struct op *op, uint32_t bytes)
{
    struct end *e = op->end;
    struct flow *in = &e->peer->out;
    uint32_t expected = pal_load_acquire(&in->bytes[op->number % RING]);
    struct txn *behind = pal_swap_acq_rel(&in->check[op->number % RING], NULL);
    long wrong;

    if (bytes != expected) {
        stress_fails(e, "receive %llu (%s) has %u bytes, message %u; it looks like message %lld of %llu",
                     (unsigned long long)op->number, op->how == SW_POLL ? "polled" : "notified", bytes,
                     expected, recognise(in, op->memory, bytes),
                     (unsigned long long)pal_load_acquire(&in->sent));
        return;
    }
    wrong = pattern_check(op->memory, bytes, key_of(in, op->number));
    if (wrong >= 0)
        stress_fails(e, "message %llu of %u bytes is wrong at %ld", (unsigned long long)op->number, bytes,
                     wrong);
    check_behind(e, op, bytes);
    pal_add_relaxed(&in->received_ok, 1);
    if (behind == NULL)
        return;
    wrong = pattern_check(behind->remote + behind->offset, behind->bytes, behind->key);
    if (wrong >= 0) /* 7.5: the data of a write is there before the message behind it */
        stress_fails(e, "RDMA write of %u bytes is wrong at %ld when the message behind it arrives",
                     behind->bytes, wrong);
    rdma_part_done(behind, true);
}

/* ---- sending ---- */

static uint32_t choose_bytes(uint32_t room)
{
    struct rng *r = my_rng();

    if (rng_percent(r, 20))
        return room;
    if (rng_percent(r, 10))
        return 0;
    if (room > 65536 && rng_percent(r, 70)) /* the long ones cost the others their turn */
        room = 65536;
    return rng_percent(r, 50) ? rng_below(r, (room < 600 ? room : 600) + 1) : rng_below(r, room + 1);
}

static bool send_one_locked(struct end *e)
{
    struct flow *f = &e->out;
    uint64_t number = pal_load_relaxed(&f->sent);
    WSABUF pieces[PIECES_MAX];
    struct op *op;

    if (number >= f->budget || number >= pal_load_acquire(&f->posted) || pal_load_acquire(&e->is_broken) ||
        (op = op_pop(&e->free_sends)) == NULL)
        return false;
    op->number = number;
    op->bytes = choose_bytes(pal_load_relaxed(&f->room[number % RING]));
    pattern_fill(op->memory, op->bytes, key_of(f, number));
    struct txn *t = e->unchecked;
    if (t != NULL)
        e->unchecked = t->next;
    pal_store_release(&f->check[number % RING], t);
    pal_store_release(&f->bytes[number % RING], op->bytes);
    unsigned count = op->bytes == 0 && rng_percent(my_rng(), 50)
                         ? 0
                         : cut(my_rng(), op->memory, op->bytes, pieces);
    if (op_submit_locked(op, pieces, count) != 0) {
        op_push(&e->free_sends, op);
        return false;
    }
    pal_store_release(&f->sent, number + 1);
    return true;
}

unsigned send_messages(struct end *e, unsigned most)
{
    unsigned done = 0;

    pal_mutex_lock(&e->send_lock);
    while (done < most && send_one_locked(e))
        done++;
    pal_mutex_unlock(&e->send_lock);
    return done;
}
