/* pair.c - see pair.h. */
#include "pair.h"

#include <stdlib.h>
#include <string.h>

#include "session/internal.h" /* for the short cut of sw_session_next() */

static _Noreturn void give_up(const struct pair *p, const char *what)
{
    p->failed(what);
    abort(); /* it does not return */
}

void pair_settings(struct sw_session_config *c)
{
    memset(c, 0, sizeof(*c));
    c->receives = 8;
    c->data_buffers = 4;
    c->message_bytes = 256;
    c->storage_bytes = 1024;
    c->transfers = 4;
    c->threshold_bytes = 512;
    c->direct_min_bytes = 256;
    c->max_rdma_bytes = 1 << 20;
    c->first_part_bytes = 64;
    c->has_rdma_read = true;
}

static void *memory_of(struct pair *p, size_t bytes)
{
    void *at = calloc(1, bytes);

    if (at == NULL)
        give_up(p, "out of memory");
    return at;
}

static void make_side(struct pair *p, unsigned side)
{
    struct pair_side *me = &p->side[side];
    struct sw_session_config *c = &me->cfg;

    c->receive_memory = memory_of(p, (size_t)c->receives * c->message_bytes);
    c->send_memory = memory_of(p, sw_session_send_bytes(c->data_buffers, c->message_bytes));
    c->storage = memory_of(p, c->storage_bytes);
    me->s = sw_session_create(c);
    if (me->s == NULL)
        give_up(p, "a session was not created");
}

void pair_open(struct pair *p, const struct sw_session_config *a, const struct sw_session_config *b)
{
    p->side[0].cfg = *a;
    p->side[0].cfg.is_connector = true;
    p->side[1].cfg = *b;
    p->side[1].cfg.is_connector = false;
    p->side[0].registrations_left = p->side[1].registrations_left = -1;
    p->side[0].registration_error = p->side[1].registration_error = 0;
    make_side(p, 0);
    make_side(p, 1);
}

static void free_side(struct pair_side *me)
{
    sw_session_destroy(me->s);
    free(me->cfg.receive_memory);
    free(me->cfg.send_memory);
    free(me->cfg.storage);
}

void pair_free(struct pair *p)
{
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned m = 0; m < p->side[i].way_count; m++)
            free(p->side[i].way[m].data);
        free_side(&p->side[i]);
    }
}

/* --- memory --- */

static void describe(const struct pair_side *me, unsigned which, uint8_t *out)
{
    memcpy(out, &which, sizeof(which));
    memcpy(out + 4, &me->registrations[which].generation, 4);
}

static struct pair_registration *find(struct pair_side *me, const uint8_t *descriptor, uint16_t bytes)
{
    unsigned which;

    if (bytes != 8)
        return NULL;
    memcpy(&which, descriptor, sizeof(which));
    if (which >= PAIR_REGISTRATIONS || !me->registrations[which].used ||
        memcmp(&me->registrations[which].generation, descriptor + 4, 4) != 0)
        return NULL;
    return &me->registrations[which];
}

static void do_register(struct pair *p, struct pair_side *me, struct sw_range *range)
{
    unsigned i = 0;

    if (me->registrations_left == 0) {
        sw_session_registered(me->s, range,
                              me->registration_error != 0 ? me->registration_error : WSAENOBUFS);
        return;
    }
    while (i < PAIR_REGISTRATIONS && me->registrations[i].used)
        i++;
    if (i == PAIR_REGISTRATIONS || range->bytes == 0)
        give_up(p, "too many registrations, or of nothing");
    me->registrations[i].used = true;
    me->registrations[i].generation = ++me->registrations_made;
    me->registrations[i].memory = range->memory;
    me->registrations[i].bytes = range->bytes;
    me->registrations[i].access = range->access;
    me->registered++;
    range->handle = &me->registrations[i];
    describe(me, i, range->descriptor);
    range->descriptor_bytes = 8;
    if (me->registrations_left > 0)
        me->registrations_left--;
    if (p->between != NULL)
        p->between((unsigned)(me - p->side)); /* the lock is not held while the kernel registers */
    sw_session_registered(me->s, range, 0);
}

static void do_deregister(struct pair *p, unsigned side, struct sw_range *range)
{
    struct pair_side *me = &p->side[side];
    struct pair_side *other = &p->side[!side];
    struct pair_registration *r = range->handle;

    if (r == NULL || !r->used)
        give_up(p, "deregistered what is not registered");
    for (unsigned i = 0; i < me->rdma_count; i++)
        if (me->rdma[i].range->handle == r)
            give_up(p, "deregistered while our own request uses it");
    for (unsigned i = 0; i < other->rdma_count; i++)
        if (!p->is_cut && find(me, other->rdma[i].remote, other->rdma[i].remote_bytes) == r)
            give_up(p, "deregistered while the peer's request uses it");
    r->used = false;
    me->registered--;
}

/* --- actions --- */

static void do_send(struct pair *p, struct pair_side *me, const struct sw_action *a)
{
    struct pair_message *m;

    if (me->way_count == PAIR_MESSAGES || me->unreported_count == PAIR_MESSAGES)
        give_up(p, "more messages than credits can be");
    me->sends++;
    if (a->bytes >= SW_WIRE_HEADER_BYTES && a->memory[0] < SW_WIRE_TYPE_COUNT &&
        me->sent_types[a->memory[0]] < 255)
        me->sent_types[a->memory[0]]++;
    me->unreported[me->unreported_count++] = (uint8_t)a->buffer;
    if (p->is_cut)
        return;
    m = &me->way[me->way_count++];
    m->bytes = a->bytes;
    m->data = memory_of(p, a->bytes);
    memcpy(m->data, a->memory, a->bytes);
}

static void do_rdma(struct pair *p, struct pair_side *me, const struct sw_action *a)
{
    struct pair_rdma *r = &me->rdma[me->rdma_count++];

    if (me->rdma_count > PAIR_RDMA)
        give_up(p, "too many RDMA requests");
    r->range = a->range;
    r->memory = a->memory;
    r->bytes = a->bytes;
    r->is_write = a->kind == SW_DO_WRITE;
    r->remote_bytes = a->remote_bytes;
    r->offset = a->remote_offset;
    memcpy(r->remote, a->remote, a->remote_bytes);
}

static void do_complete(struct pair *p, struct pair_side *me, struct sw_op *op)
{
    struct pair_op *o = op->context;

    if (!o->is_pending || o->is_done)
        give_up(p, "an operation completed twice, or without being asked for");
    o->is_pending = false;
    o->is_done = true;
    me->completed++;
}

static void do_close(struct pair *p, unsigned side, const struct sw_action *a)
{
    struct pair_side *me = &p->side[side];

    if (me->is_closed)
        give_up(p, "closed twice");
    me->is_closed = true;
    me->close_error = a->error;
    while (me->rdma_count != 0) { /* contract 4.13: they end before WSPCloseSocket returns */
        struct sw_range *range = me->rdma[--me->rdma_count].range;
        sw_session_rdma_done(me->s, range, WSA_OPERATION_ABORTED);
    }
    memset(me->registrations, 0, sizeof(me->registrations));
    me->registered = 0;
    me->unreported_count = 0;
}

static void act_on(struct pair *p, unsigned side, const struct sw_action *a)
{
    struct pair_side *me = &p->side[side];

    if (me->is_closed && a->kind <= SW_DO_WRITE)
        give_up(p, "a call below after the close");
    switch (a->kind) {
    case SW_DO_POST_RECEIVE: me->posted[me->posted_count++] = (uint8_t)a->buffer; break;
    case SW_DO_SEND: do_send(p, me, a); break;
    case SW_DO_REGISTER: do_register(p, me, a->range); break;
    case SW_DO_DEREGISTER: do_deregister(p, side, a->range); break;
    case SW_DO_READ:
    case SW_DO_WRITE: do_rdma(p, me, a); break;
    case SW_DO_COMPLETE: do_complete(p, me, a->op); break;
    case SW_DO_OPENED: me->is_opened = true; break;
    case SW_DO_EVENT:
        me->events |= a->events;
        if (a->events & FD_CLOSE)
            me->close_event_error = a->error;
        break;
    case SW_DO_ARM:
        me->is_armed[a->timer] = true;
        me->armed_ms[a->timer] = a->ms;
        break;
    case SW_DO_DISARM: me->is_armed[a->timer] = false; break;
    case SW_DO_REPORT:
        me->report = a->text;
        me->reports++;
        break;
    case SW_DO_MOVE: me->must_move = true; break;
    case SW_DO_CLOSE: do_close(p, side, a); break;
    }
}

/* sw_session_next() has short cuts for when nothing was called, and for a session that is plain: by the long way there must be nothing
 * either. */
static void check_short_cut(struct pair *p, unsigned side)
{
    struct sw_action a;

    if (p->side[side].s->is_settled && sw_next_action_in_full(p->side[side].s, &a))
        give_up(p, "something is due, and the session would not say so");
}

void pair_act(struct pair *p, unsigned side)
{
    struct sw_action a;
    unsigned actions = 0;

    if (p->side[side].is_acting)
        return;
    p->side[side].is_acting = true;
    check_short_cut(p, side);
    while (sw_session_next(p->side[side].s, &a)) {
        if (p->between != NULL)
            p->between(side);
        act_on(p, side, &a);
        if (++actions > 100000)
            give_up(p, "actions without end");
    }
    check_short_cut(p, side);
    p->side[side].is_acting = false;
}

/* --- what happens --- */

bool pair_arrive(struct pair *p, unsigned to)
{
    struct pair_side *me = &p->side[to];
    struct pair_side *from = &p->side[!to];
    struct pair_message m;
    unsigned buffer;

    if (from->way_count == 0)
        return false;
    m = from->way[0];
    memmove(from->way, from->way + 1, --from->way_count * sizeof(m));
    if (me->is_closed) {
        free(m.data);
        return true;
    }
    if (me->posted_count == 0)
        give_up(p, "a message met no receive");
    buffer = me->posted[0];
    memmove(me->posted, me->posted + 1, --me->posted_count);
    if (m.bytes > me->cfg.message_bytes)
        give_up(p, "a message larger than its receive");
    memcpy(me->cfg.receive_memory + (size_t)buffer * me->cfg.message_bytes, m.data, m.bytes);
    free(m.data);
    sw_session_message(me->s, buffer, m.bytes);
    pair_act(p, to);
    return true;
}

bool pair_report(struct pair *p, unsigned side)
{
    struct pair_side *me = &p->side[side];
    unsigned buffer;

    if (me->unreported_count == 0)
        return false;
    buffer = me->unreported[0];
    memmove(me->unreported, me->unreported + 1, --me->unreported_count);
    sw_session_sent(me->s, buffer);
    pair_act(p, side);
    return true;
}

static bool is_local_ok(const struct pair_side *me, const struct pair_rdma *r)
{
    const struct pair_registration *g = r->range->handle;

    if (r->range->access == SW_ACCESS_STORAGE)
        return r->memory >= me->cfg.storage &&
               r->memory + r->bytes <= me->cfg.storage + me->cfg.storage_bytes;
    return g != NULL && g->used && r->memory >= g->memory && r->memory + r->bytes <= g->memory + g->bytes &&
           g->access == (r->is_write ? SW_ACCESS_LOCAL_READ : SW_ACCESS_LOCAL_WRITE);
}

bool pair_rdma(struct pair *p, unsigned side, unsigned which)
{
    struct pair_side *me = &p->side[side];
    struct pair_registration *g;
    struct pair_rdma r;
    int error = 0;

    if (which >= me->rdma_count)
        return false;
    r = me->rdma[which];
    me->rdma[which] = me->rdma[--me->rdma_count];
    if (!is_local_ok(me, &r))
        give_up(p, "RDMA on memory that is not registered for it");
    g = find(&p->side[!side], r.remote, r.remote_bytes);
    if (p->is_cut || p->side[!side].is_closed || g == NULL || (uint64_t)r.offset + r.bytes > g->bytes ||
        g->access != (r.is_write ? SW_ACCESS_REMOTE_WRITE : SW_ACCESS_REMOTE_READ))
        error = WSAECONNABORTED;
    else if (r.is_write)
        memcpy(g->memory + r.offset, r.memory, r.bytes);
    else
        memcpy(r.memory, g->memory + r.offset, r.bytes);
    sw_session_rdma_done(me->s, r.range, error);
    pair_act(p, side);
    return true;
}

void pair_settle(struct pair *p)
{
    bool more = true;

    pair_act(p, 0);
    pair_act(p, 1);
    while (more) {
        more = false;
        for (unsigned i = 0; i < 2; i++)
            more = pair_arrive(p, i) || pair_report(p, i) || pair_rdma(p, i, 0) || more;
    }
}

void pair_start(struct pair *p)
{
    sw_session_start(p->side[1].s);
    sw_session_start(p->side[0].s);
    pair_settle(p);
}

void pair_cut(struct pair *p, int error)
{
    p->is_cut = true;
    for (unsigned i = 0; i < 2; i++) {
        struct pair_side *me = &p->side[i];

        for (unsigned m = 0; m < me->way_count; m++)
            free(me->way[m].data);
        me->way_count = 0;
        while (pair_rdma(p, i, 0))
            ;
        sw_session_broken(me->s, error);
        pair_act(p, i);
    }
}

void pair_move(struct pair *p, unsigned side)
{
    struct pair_side *me = &p->side[side];
    struct pair_side old = *me;
    struct sw_session_state state;
    uint8_t *storage = memory_of(p, me->cfg.storage_bytes);
    struct sw_op *op;
    struct sw_op *next;
    size_t bytes;

    if (me->registered != 0 || me->unreported_count != 0 || me->rdma_count != 0)
        give_up(p, "moving with more than receives pending");
    op = sw_session_take_receives(me->s);
    bytes = sw_session_export(me->s, &state, storage);
    make_side(p, side);
    me->posted_count = 0;
    me->must_move = false;
    memset(me->is_armed, 0, sizeof(me->is_armed));
    if (sw_session_import(me->s, &state, storage, bytes) != 0)
        give_up(p, "a session did not take over another one's state");
    free(storage);
    free_side(&old);
    for (; op != NULL; op = next) {
        next = op->next;
        if (op->bytes != 0) {
            op->error = 0;
            do_complete(p, me, op);
        } else if (sw_session_receive(me->s, op) != 0) {
            give_up(p, "a receive could not go on after the move");
        }
    }
    pair_act(p, side);
}

/* --- applications --- */

static int submit(struct pair *p, unsigned side, struct pair_op *op, bool is_send, uint32_t flags)
{
    int error;

    if (op->is_pending)
        give_up(p, "the test uses an operation twice");
    op->op.buffers = op->buffers;
    op->op.flags = flags;
    op->op.context = op;
    op->is_pending = true;
    op->is_done = op->is_cancelled = false;
    error = is_send ? sw_session_send(p->side[side].s, &op->op)
                    : sw_session_receive(p->side[side].s, &op->op);
    if (error != 0)
        op->is_pending = false;
    else
        pair_act(p, side);
    return error;
}

int pair_send(struct pair *p, unsigned side, struct pair_op *op, const void *data, uint32_t bytes,
              uint32_t flags)
{
    if (data != NULL) { /* else buffers are set up already */
        op->buffers[0].buf = (CHAR *)data;
        op->buffers[0].len = bytes;
        op->op.buffer_count = 1;
    }
    return submit(p, side, op, true, flags);
}

int pair_receive(struct pair *p, unsigned side, struct pair_op *op, void *data, uint32_t bytes,
                 uint32_t flags)
{
    if (data != NULL) {
        op->buffers[0].buf = data;
        op->buffers[0].len = bytes;
        op->op.buffer_count = 1;
    }
    return submit(p, side, op, false, flags);
}

void pair_forge(struct pair *p, unsigned from, const void *data, uint32_t bytes)
{
    struct pair_message *m = &p->side[from].way[p->side[from].way_count++];

    m->bytes = bytes;
    m->data = memory_of(p, bytes);
    memcpy(m->data, data, bytes);
}
