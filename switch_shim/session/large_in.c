/* large_in.c - large transfers of the peer: the oldest is fetched step by step, each step into the memory of a receive
 * that waits or into free storage.
 * Source: PROTOCOL.md 7; contract 8.7. */
#include "session/internal.h"

#include <string.h>

struct sw_in *sw_in_oldest(struct sw_session *s)
{
    return s->rx.in_count == 0 ? NULL : &s->rx.in[s->rx.in_first];
}

static uint32_t rest(const struct sw_in *in)
{
    return in->amount - in->done;
}

const char *sw_in_announced(struct sw_session *s, const struct sw_wire_message *m)
{
    struct sw_in *in;

    if (s->rx.in_count == s->cfg.transfers)
        return "more transfers than announced";
    if (m->transfer != s->rx.transfer)
        return "a transfer out of turn";
    if ((m->type == SW_WIRE_LARGE_PULL) != s->cfg.has_rdma_read || s->cfg.max_rdma_bytes == 0)
        return "a transfer of a kind that was not offered";
    if (s->rx.has_mark && s->rx.mark >= m->position &&
        s->rx.mark < m->position + m->payload_bytes + m->amount)
        return "an urgent byte in a transfer";
    in = &s->rx.in[(s->rx.in_first + s->rx.in_count++) % SW_WIRE_TRANSFERS_MAX];
    in->id = s->rx.transfer++;
    in->offset = m->payload_bytes;
    in->amount = m->amount;
    in->done = 0;
    in->is_push = m->type == SW_WIRE_LARGE_PUSH;
    in->descriptor_bytes = m->descriptor_bytes;
    memcpy(in->descriptor, m->descriptor, m->descriptor_bytes);
    s->stats.transfers_received++;
    s->rx.announced += m->amount;
    sw_got_payload(s, m->payload, m->payload_bytes);
    return NULL;
}

/* --- steps --- */

static bool may_fetch(const struct sw_session *s)
{
    if (s->state == SW_ST_DRAINING) /* reads go on until everything of ours is sent */
        return !s->due.suspend;
    return s->state == SW_ST_OPEN || (s->state == SW_ST_CLOSING && !s->due.close && !s->close_sent);
}

/* Into the receive that waits, when its memory is worth a registration. */
static bool aim_at_receive(struct sw_session *s, uint32_t most)
{
    struct sw_op *op = s->rx.ops.first;
    uint8_t *memory = NULL;
    uint32_t bytes;

    if (op == NULL || s->rx.position != s->rx.consumed)
        return false;
    bytes = sw_op_piece(op, &memory);
    bytes = bytes < most ? bytes : most;
    if (bytes < s->cfg.direct_min_bytes)
        return false;
    s->rx.step.op = op;
    s->rx.step.range.memory = memory;
    s->rx.step.range.access = sw_in_oldest(s)->is_push ? SW_ACCESS_REMOTE_WRITE : SW_ACCESS_LOCAL_WRITE;
    s->rx.step.bytes = bytes;
    s->rx.step.state = SW_STEP_REGISTER;
    return true;
}

static bool aim_at_storage(struct sw_session *s, uint32_t most)
{
    uint64_t room = s->cfg.storage_bytes - (s->rx.position - s->rx.consumed);
    const bool push = sw_in_oldest(s)->is_push;
    uint64_t at;

    sw_storage_rewind(s);
    at = sw_storage_at(s, s->rx.position);
    if (room > s->cfg.storage_bytes - at)
        room = s->cfg.storage_bytes - at;
    if (room > most)
        room = most;
    if (room == 0)
        return false;
    s->rx.step.op = NULL;
    s->rx.step.range.memory = s->cfg.storage + at;
    s->rx.step.range.access = push ? SW_ACCESS_REMOTE_WRITE : SW_ACCESS_STORAGE;
    s->rx.step.bytes = (uint32_t)room;
    s->rx.step.state = push ? SW_STEP_REGISTER : SW_STEP_MOVE;
    s->rx.want_read = false;
    return true;
}

void sw_in_start(struct sw_session *s)
{
    struct sw_in *in = sw_in_oldest(s);
    uint32_t most;

    if (in == NULL || s->rx.step.state != SW_STEP_IDLE || !may_fetch(s))
        return;
    most = rest(in) < s->max_part_bytes ? rest(in) : s->max_part_bytes;
    if (!s->rx.step.refused && aim_at_receive(s, most))
        ;
    else if (s->rx.ops.first != NULL || s->rx.want_read || s->rx.discard)
        (void)aim_at_storage(s, most);
    s->rx.step.range.bytes = s->rx.step.bytes;
    s->rx.step.range.handle = NULL;
    s->rx.step.range.descriptor_bytes = 0;
}

/* The bytes are in their place. They count at once, also while the range is still registered: after its DONE a writer
 * goes on with the stream, and that may come before we have deregistered. */
static void count_moved(struct sw_session *s)
{
    struct sw_in *in = sw_in_oldest(s);
    struct sw_op *op = s->rx.step.op;
    const uint32_t bytes = s->rx.step.bytes;

    in->done += bytes;
    s->rx.step.refused = s->rx.step.refused && rest(in) != 0;
    s->rx.step.must_report = rest(in) == 0 && !in->is_push;
    if (rest(in) == 0 && in->is_push) { /* the writer knows */
        s->rx.in_first = (s->rx.in_first + 1) % SW_WIRE_TRANSFERS_MAX;
        s->rx.in_count--;
    }
    if (op == NULL) {
        sw_storage_filled(s, bytes);
        return;
    }
    sw_op_advance(op, bytes);
    op->bytes += bytes;
    s->rx.position += bytes;
    s->rx.consumed += bytes;
    s->stats.bytes_direct += bytes;
}

/* The memory is the application's again. */
static void step_over(struct sw_session *s)
{
    s->rx.step.state = s->rx.step.must_report ? SW_STEP_REPORT : SW_STEP_IDLE;
    s->rx.step.must_report = false;
    s->rx.step.op = NULL;
    sw_deliver(s);
    if (s->state == SW_ST_DEAD)
        sw_fail_receives(s, s->rx.shut ? 0 : s->cause != 0 ? s->cause : WSAECONNRESET);
}

static bool read_it(struct sw_session *s, struct sw_action *out)
{
    struct sw_in *in = sw_in_oldest(s);

    s->rx.step.state = SW_STEP_MOVING;
    out->kind = SW_DO_READ;
    out->range = &s->rx.step.range;
    out->memory = s->rx.step.range.memory;
    out->bytes = s->rx.step.bytes;
    out->remote = in->descriptor;
    out->remote_bytes = in->descriptor_bytes;
    out->remote_offset = in->offset + in->done;
    return true;
}

bool sw_in_next_action(struct sw_session *s, struct sw_action *out)
{
    struct sw_step *step = &s->rx.step;

    if (step->state == SW_STEP_RELEASE && (!step->is_shared || s->is_closed_below)) {
        out->kind = SW_DO_DEREGISTER;
        out->released = step->range; /* whoever carries it out may do so after the next event */
        out->range = &out->released;
        step_over(s);
        return !s->is_closed_below;
    }
    if (s->state == SW_ST_DEAD)
        return false;
    if (step->state == SW_STEP_REGISTER) {
        step->state = SW_STEP_REGISTERING;
        out->kind = SW_DO_REGISTER;
        out->range = &step->range;
        return true;
    }
    return step->state == SW_STEP_MOVE && !sw_in_oldest(s)->is_push && read_it(s, out);
}

bool sw_in_registered(struct sw_session *s, struct sw_range *range, int error)
{
    if (range != &s->rx.step.range)
        return false;
    if (s->rx.step.state != SW_STEP_REGISTERING)
        return true;
    if (s->state == SW_ST_DEAD) {
        s->rx.step.state = SW_STEP_RELEASE;
        if (error != 0)
            step_over(s);
    } else if (error == 0) {
        s->rx.step.state = SW_STEP_MOVE;
    } else if (s->rx.step.op != NULL) { /* then through storage */
        s->rx.step.refused = true;
        s->rx.step.op = NULL;
        s->rx.step.state = SW_STEP_IDLE;
    } else {
        sw_end(s, WSAENOBUFS, false); /* nowhere left to put it */
        s->rx.step.state = SW_STEP_IDLE;
    }
    return true;
}

/* A range that had to be registered goes first; then its operation may be over. */
static void step_ended(struct sw_session *s, bool moved)
{
    if (moved && s->state != SW_ST_DEAD)
        count_moved(s);
    if (s->rx.step.range.access != SW_ACCESS_STORAGE)
        s->rx.step.state = SW_STEP_RELEASE;
    else
        step_over(s);
}

bool sw_in_rdma_done(struct sw_session *s, struct sw_range *range, int error)
{
    if (range != &s->rx.step.range)
        return false;
    if (s->rx.step.state != SW_STEP_MOVING)
        return true;
    step_ended(s, error == 0);
    return true;
}

const char *sw_in_done(struct sw_session *s, const struct sw_wire_message *m)
{
    struct sw_in *in = sw_in_oldest(s);

    if (in == NULL || in->id != m->transfer || !in->is_push || s->rx.step.state != SW_STEP_MOVING)
        return "DONE for no SINK of ours";
    if (m->amount != s->rx.step.bytes)
        return "DONE with other bytes than there was room";
    step_ended(s, true);
    return NULL;
}

/* --- ends --- */

/* The DONE is sent: the whole transfer is over, or what is left of it is taken back by SUSPEND. */
void sw_in_report_sent(struct sw_session *s)
{
    if (s->rx.stopped_due) {
        struct sw_in *in = sw_in_oldest(s);

        s->rx.stopped_due = false;
        in->offset += in->done; /* the suspension may be called off still */
        in->amount -= in->done;
        in->done = 0;
        return;
    }
    s->rx.step.state = SW_STEP_IDLE;
    s->rx.in_first = (s->rx.in_first + 1) % SW_WIRE_TRANSFERS_MAX;
    s->rx.in_count--;
    sw_deliver(s);
}

/* SUSPENDED came: what was announced and not fetched will be announced again. */
void sw_in_forget(struct sw_session *s)
{
    s->rx.in_count = 0;
    s->rx.announced = s->rx.position;
    s->rx.step.refused = false;
}

/* The session is dead: what does not run is dropped. */
void sw_in_drop(struct sw_session *s)
{
    struct sw_step *step = &s->rx.step;

    switch (step->state) {
    case SW_STEP_REGISTER:
    case SW_STEP_REPORT: step->state = SW_STEP_IDLE; break;
    case SW_STEP_MOVE:
        step->state = step->range.access == SW_ACCESS_STORAGE ? SW_STEP_IDLE : SW_STEP_RELEASE;
        break;
    case SW_STEP_MOVING:
        if (s->rx.in_count != 0 && sw_in_oldest(s)->is_push)
            step->is_shared = true,
            step->state = SW_STEP_RELEASE; /* nobody will report the end of the peer's write */
        break;
    case SW_STEP_IDLE:
    case SW_STEP_REGISTERING:
    case SW_STEP_RELEASE: break;
    }
    if (step->state == SW_STEP_IDLE)
        step->op = NULL;
    s->rx.in_count = 0;
    s->rx.stopped_due = s->rx.step.must_report = false;
}
