/* large_out.c - large transfers of ours: register, announce, let the peer read or write into its sink, deregister.
 * They are finished strictly in order, so everything but the oldest waits for the peer (PROTOCOL.md 7). */
#include "session/internal.h"

#include <string.h>

struct sw_out *sw_out_at(struct sw_session *s, unsigned i)
{
    return &s->tx.out[(s->tx.out_first + i) % SW_WIRE_TRANSFERS_MAX];
}

bool sw_out_is_announced(const struct sw_out *o)
{
    return o->state >= SW_OUT_ANNOUNCED && o->state <= SW_OUT_WROTE;
}

bool sw_out_any_announced(struct sw_session *s)
{
    for (unsigned i = 0; i < s->tx.out_count; i++)
        if (sw_out_is_announced(sw_out_at(s, i)))
            return true;
    return false;
}

void sw_out_add(struct sw_session *s, struct sw_op *op, uint8_t *memory, uint32_t bytes)
{
    struct sw_out *o = sw_out_at(s, s->tx.out_count++);

    memset(o, 0, sizeof(*o));
    o->op = op;
    o->range.memory = memory;
    o->range.bytes = bytes;
    op->transfers++;
}

/* Its memory is not needed any more; what it moved is counted. */
static void leave_op(struct sw_session *s, struct sw_out *o)
{
    struct sw_op *op = o->op;

    if (op == NULL)
        return;
    o->op = NULL;
    op->transfers--;
    if (op->transfers == 0 && op->taken == op->total)
        sw_complete(s, op, op->error);
}

void sw_out_finish(struct sw_session *s, struct sw_out *o)
{
    o->state = SW_OUT_GONE;
    leave_op(s, o);
}

void sw_out_sweep(struct sw_session *s)
{
    while (s->tx.out_count != 0 && sw_out_at(s, 0)->state == SW_OUT_GONE) {
        s->tx.out_first = (s->tx.out_first + 1) % SW_WIRE_TRANSFERS_MAX;
        s->tx.out_count--;
    }
}

/* A transfer that the peer has done with. */
static void release(struct sw_out *o, enum sw_out_state after)
{
    o->state = SW_OUT_RELEASE;
    o->after = after;
}

static bool register_it(struct sw_session *s, struct sw_out *o, struct sw_action *out)
{
    o->state = SW_OUT_REGISTERING;
    o->range.access = s->peer_has_read ? SW_ACCESS_REMOTE_READ : SW_ACCESS_LOCAL_READ;
    o->range.handle = NULL;
    o->range.descriptor_bytes = 0;
    out->kind = SW_DO_REGISTER;
    out->range = &o->range;
    return true;
}

static bool deregister_it(struct sw_session *s, struct sw_out *o, struct sw_action *out)
{
    out->kind = SW_DO_DEREGISTER;
    out->released = o->range; /* whoever carries it out may do so after the next event */
    out->range = &out->released;
    o->state = o->after;
    if (o->after == SW_OUT_GONE)
        leave_op(s, o);         /* its completion stands behind this action */
    return !s->is_closed_below; /* the close did it */
}

static bool write_it(struct sw_out *o, struct sw_action *out)
{
    o->state = SW_OUT_WRITING;
    out->kind = SW_DO_WRITE;
    out->range = &o->range;
    out->memory = o->range.memory + o->first_part + o->done;
    out->bytes = o->room;
    out->remote = o->sink;
    out->remote_bytes = o->sink_bytes;
    return true;
}

bool sw_out_next_action(struct sw_session *s, struct sw_action *out)
{
    for (unsigned i = 0; i < s->tx.out_count; i++) {
        struct sw_out *o = sw_out_at(s, i);

        if (o->state == SW_OUT_RELEASE && (!o->is_shared || s->is_closed_below) && deregister_it(s, o, out))
            return true;
        if (s->state == SW_ST_DEAD)
            continue;
        if (o->state == SW_OUT_WRITE)
            return write_it(o, out);
        if (o->state == SW_OUT_NEW && sw_state_may_send_data(s->state))
            return register_it(s, o, out);
    }
    return false;
}

static struct sw_out *owner(struct sw_session *s, const struct sw_range *range)
{
    for (unsigned i = 0; i < s->tx.out_count; i++)
        if (&sw_out_at(s, i)->range == range)
            return sw_out_at(s, i);
    return NULL;
}

bool sw_out_registered(struct sw_session *s, struct sw_range *range, int error)
{
    struct sw_out *o = owner(s, range);

    if (o == NULL)
        return false;
    if (o->state != SW_OUT_REGISTERING)
        return true;
    if (s->state == SW_ST_DEAD || s->state == SW_ST_ENDING) { /* it is not wanted any more */
        if (error == 0)
            release(o, SW_OUT_GONE);
        else
            sw_out_finish(s, o);
    } else if (error != 0) {
        o->state = SW_OUT_COPY; /* then in messages, which need no memory of their own */
    } else {
        o->state = SW_OUT_READY;
        if (s->state == SW_ST_HELD)
            release(o, SW_OUT_NEW);
    }
    return true;
}

bool sw_out_rdma_done(struct sw_session *s, struct sw_range *range, int error)
{
    struct sw_out *o = owner(s, range);

    if (o == NULL)
        return false;
    if (o->state != SW_OUT_WRITING)
        return true;
    if (error != 0 && o->op->error == 0)
        o->op->error = WSAECONNABORTED;
    if (error != 0 || s->state == SW_ST_DEAD || s->state == SW_ST_ENDING)
        release(o, SW_OUT_GONE);
    else
        o->state = SW_OUT_WROTE;
    return true;
}

/* --- what the peer says --- */

static struct sw_out *oldest_announced(struct sw_session *s)
{
    for (unsigned i = 0; i < s->tx.out_count; i++)
        if (sw_out_at(s, i)->state != SW_OUT_GONE && sw_out_at(s, i)->state != SW_OUT_RELEASE)
            return sw_out_is_announced(sw_out_at(s, i)) ? sw_out_at(s, i) : NULL;
    return NULL;
}

static uint32_t rest(const struct sw_out *o)
{
    return o->range.bytes - o->first_part - o->done;
}

const char *sw_out_sink(struct sw_session *s, const struct sw_wire_message *m)
{
    struct sw_out *o = oldest_announced(s);

    if (o == NULL || o->id != m->transfer || s->peer_has_read)
        return "SINK for no transfer of ours";
    if (o->state != SW_OUT_ANNOUNCED)
        return "SINK while another is open";
    if (m->amount > rest(o) || m->amount > s->max_part_bytes)
        return "SINK with more room than there is to send";
    memcpy(o->sink, m->descriptor, m->descriptor_bytes);
    o->sink_bytes = m->descriptor_bytes;
    o->room = m->amount;
    o->state = SW_OUT_WRITE;
    return NULL;
}

static void all_done(struct sw_out *o)
{
    o->op->bytes += (uint64_t)o->first_part + o->done;
    release(o, SW_OUT_GONE);
}

const char *sw_out_done(struct sw_session *s, const struct sw_wire_message *m)
{
    struct sw_out *o = oldest_announced(s);

    if (o == NULL || o->id != m->transfer || !s->peer_has_read)
        return "DONE for no transfer of ours";
    if ((m->flags & SW_WIRE_STOPPED) != 0 ? m->amount >= rest(o) : m->amount != rest(o))
        return "DONE with other bytes than there were";
    o->done += m->amount;
    if (rest(o) == 0)
        all_done(o);
    return NULL;
}

void sw_out_done_sent(struct sw_session *s, struct sw_out *o)
{
    (void)s;
    o->done += o->room;
    o->room = 0;
    if (rest(o) == 0)
        all_done(o);
    else
        o->state = SW_OUT_ANNOUNCED;
}

/* The peer is about to move: what it has not fetched was never announced (PROTOCOL.md 10). */
void sw_out_take_back(struct sw_session *s)
{
    for (unsigned i = 0; i < s->tx.out_count; i++) {
        struct sw_out *o = sw_out_at(s, i);
        uint32_t moved;

        if (sw_out_is_announced(o)) {
            s->tx.position -= rest(o);
            moved = o->first_part + o->done;
            o->op->bytes += moved;
            o->first_part = o->done = 0;
            release(o, SW_OUT_NEW);
            o->range.bytes -= moved; /* the deregistration goes by handle or descriptor */
            o->range.memory += moved;
        } else if (o->state == SW_OUT_READY) {
            release(o, SW_OUT_NEW); /* "only receives are pending", 8.10 */
        }
    }
}

/* Nothing of ours will be sent any more. What runs ends first. */
void sw_out_drop(struct sw_session *s, int error)
{
    for (unsigned i = 0; i < s->tx.out_count; i++) {
        struct sw_out *o = sw_out_at(s, i);

        if (o->op != NULL && !(o->state == SW_OUT_RELEASE && o->after == SW_OUT_GONE))
            o->op->error = error;
        switch (o->state) {
        case SW_OUT_NEW:
        case SW_OUT_COPY: sw_out_finish(s, o); break;
        case SW_OUT_READY:
        case SW_OUT_ANNOUNCED:
        case SW_OUT_WRITE:
        case SW_OUT_WROTE:
            if (sw_out_is_announced(o)) {
                o->is_shared = s->state == SW_ST_DEAD && s->peer_has_read;
                s->tx.position -= rest(o);
                o->op->bytes += (uint64_t)o->first_part + o->done;
            }
            release(o, SW_OUT_GONE);
            break;
        case SW_OUT_RELEASE: o->after = SW_OUT_GONE; break;
        case SW_OUT_REGISTERING:
        case SW_OUT_WRITING:
        case SW_OUT_GONE: break;
        }
    }
    sw_out_sweep(s);
}

bool sw_out_sink_open(struct sw_session *s)
{
    for (unsigned i = 0; i < s->tx.out_count; i++)
        if (sw_out_at(s, i)->state >= SW_OUT_WRITE && sw_out_at(s, i)->state <= SW_OUT_WROTE)
            return true;
    return false;
}

bool sw_out_is_quiet(struct sw_session *s)
{
    for (unsigned i = 0; i < s->tx.out_count; i++) {
        enum sw_out_state state = sw_out_at(s, i)->state;

        if (state != SW_OUT_NEW && state != SW_OUT_COPY && state != SW_OUT_GONE)
            return false;
    }
    return true;
}

bool sw_out_is_idle(const struct sw_session *s)
{
    return s->tx.out_count == 0;
}
