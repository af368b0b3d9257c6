/* outgoing.c - which message goes next, and its bytes. Control messages have send buffers of their own, so that data that
 * waits for the peer's application never keeps credits and limits from being told; LARGE messages use those too,
 * because data may wait behind them.
 * Source: PROTOCOL.md 4, 5, 6. */
#include "session/internal.h"

#include <string.h>

static uint8_t *buffer_memory(struct sw_session *s, unsigned buffer)
{
    const unsigned data = s->cfg.data_buffers;

    if (buffer < data)
        return s->cfg.send_memory + (size_t)buffer * s->cfg.message_bytes;
    return s->cfg.send_memory + (size_t)data * s->cfg.message_bytes +
           (size_t)(buffer - data) * sw_session_control_bytes(s->cfg.message_bytes);
}

/* Of a message in a control buffer, behind the descriptor. */
static uint32_t control_payload_max(const struct sw_session *s, uint32_t descriptor_bytes)
{
    const uint32_t own = sw_session_control_bytes(s->cfg.message_bytes) - SW_WIRE_HEADER_BYTES;

    return (own < s->payload_max ? own : s->payload_max) - descriptor_bytes;
}

static int free_control_buffer(const struct sw_session *s)
{
    uint64_t control = s->tx.free_buffers >> s->cfg.data_buffers;

    return control == 0 ? -1 : (int)(s->cfg.data_buffers + sw_bits_lowest(control));
}

/* Fills in what all messages share; the payload is in its place or follows. */
static void post(struct sw_session *s, unsigned buffer, struct sw_wire_message *m, struct sw_action *out)
{
    uint8_t *at = buffer_memory(s, buffer);

    m->credits = sw_credits_send(&s->credits);
    m->sequence = s->tx.sequence++;
    m->limit = s->rx.told = sw_limit(s);
    out->bytes = (uint32_t)sw_wire_encode(m, at) + m->payload_bytes;
    out->kind = SW_DO_SEND;
    out->buffer = buffer;
    out->memory = at;
    s->tx.free_buffers &= ~(UINT64_C(1) << buffer);
    s->tx.in_flight++;
    s->stats.messages_sent++;
}

static bool send_control(struct sw_session *s, struct sw_wire_message *m, struct sw_action *out)
{
    int buffer = free_control_buffer(s);

    if (buffer < 0 || !sw_credits_for_control(&s->credits))
        return false;
    if (m->payload_bytes != 0)
        memcpy(buffer_memory(s, (unsigned)buffer) + SW_WIRE_HEADER_BYTES + m->descriptor_bytes, m->payload,
               m->payload_bytes);
    post(s, (unsigned)buffer, m, out);
    return true;
}

static bool send_hello(struct sw_session *s, struct sw_action *out)
{
    struct sw_wire_hello h = {.type = s->hello_type,
                              .version_low = SW_WIRE_VERSION,
                              .version_high = SW_WIRE_VERSION,
                              .flags = s->cfg.has_rdma_read ? SW_WIRE_HAS_READ : 0,
                              .receives = (uint16_t)s->cfg.receives,
                              .transfers = (uint16_t)s->cfg.transfers,
                              .message_bytes = s->cfg.message_bytes,
                              .storage_bytes = s->cfg.storage_bytes,
                              .max_rdma_bytes = s->cfg.max_rdma_bytes};
    unsigned buffer = s->cfg.data_buffers; /* nothing else was ever sent */

    sw_wire_hello_encode(&h, buffer_memory(s, buffer));
    out->kind = SW_DO_SEND;
    out->buffer = buffer;
    out->bytes = SW_WIRE_HELLO_BYTES;
    out->memory = buffer_memory(s, buffer);
    s->tx.free_buffers &= ~(UINT64_C(1) << buffer);
    s->tx.in_flight++;
    s->stats.messages_sent++;
    s->due.hello = false;
    s->is_hello_sent = true;
    if (h.type == SW_WIRE_REPLY)
        s->credits.have--;
    return true;
}

/* --- the stream --- */

static bool send_urgent(struct sw_session *s, struct sw_action *out)
{
    struct sw_wire_message m = {.type = SW_WIRE_URGENT,
                                .position = s->tx.urgent_position,
                                .payload_bytes = 1,
                                .payload = &s->tx.urgent_byte};

    if (!send_control(s, &m, out))
        return false;
    s->tx.urgent_due = false;
    return true;
}

static bool send_data(struct sw_session *s, unsigned buffer, uint32_t bytes, struct sw_action *out)
{
    struct sw_wire_message m = {
        .type = SW_WIRE_DATA, .position = s->tx.position, .payload_bytes = (uint16_t)bytes};

    post(s, buffer, &m, out);
    s->tx.data_in_flight |= UINT64_C(1) << buffer;
    s->tx.position += bytes;
    return true;
}

/* The oldest filled buffer: when it is full, or nobody can add to it, or no other is in flight (gathering). */
static bool send_filled(struct sw_session *s, struct sw_action *out)
{
    unsigned buffer = s->tx.queue[s->tx.queue_first];
    uint32_t bytes = s->tx.fill[buffer];
    bool is_last = s->tx.queue_count == 1;
    bool must_go = s->tx.shut_wanted || s->close_wanted || s->tx.ops.first != NULL ||
                   s->state == SW_ST_DRAINING;

    if (is_last && bytes < s->payload_max && s->tx.data_in_flight != 0 && !must_go)
        return false;
    if (s->tx.position + bytes > s->tx.limit)
        return false;
    s->tx.queue_first = (uint8_t)((s->tx.queue_first + 1u) % SW_SESSION_BUFFERS_MAX);
    s->tx.queue_count--;
    s->tx.queued_bytes -= bytes;
    return send_data(s, buffer, bytes, out);
}

/* What could not be registered, a message at a time. In a data buffer, unless data that waits behind has all of them. */
static bool send_copied(struct sw_session *s, struct sw_out *o, struct sw_action *out)
{
    const int of_data = sw_free_data_buffer(s), buffer = of_data >= 0 ? of_data : free_control_buffer(s);
    uint64_t room = s->tx.limit > s->tx.position ? s->tx.limit - s->tx.position : 0;
    uint32_t bytes = of_data >= 0 ? s->payload_max : control_payload_max(s, 0);

    if (bytes > o->range.bytes)
        bytes = o->range.bytes;
    if (buffer < 0 || room < bytes)
        return false;
    memcpy(buffer_memory(s, (unsigned)buffer) + SW_WIRE_HEADER_BYTES, o->range.memory, bytes);
    o->range.memory += bytes;
    o->range.bytes -= bytes;
    o->op->bytes += bytes;
    if (o->range.bytes == 0)
        sw_out_finish(s, o);
    return send_data(s, (unsigned)buffer, bytes, out);
}

static uint32_t first_part(struct sw_session *s, const struct sw_out *o, uint32_t descriptor_bytes)
{
    uint64_t room = s->tx.limit > s->tx.position ? s->tx.limit - s->tx.position : 0;
    uint32_t bytes = s->cfg.first_part_bytes;

    if (sw_out_any_announced(s))
        return 0;
    if (bytes > control_payload_max(s, descriptor_bytes))
        bytes = control_payload_max(s, descriptor_bytes);
    if (bytes > room)
        bytes = (uint32_t)room;
    return bytes < o->range.bytes ? bytes : o->range.bytes - 1;
}

static bool announce(struct sw_session *s, struct sw_out *o, struct sw_action *out)
{
    int buffer = free_control_buffer(s);
    struct sw_wire_message m = {.type = s->peer_has_read ? SW_WIRE_LARGE_PULL : SW_WIRE_LARGE_PUSH,
                                .position = s->tx.position,
                                .transfer = s->tx.transfer};

    if (buffer < 0)
        return false;
    if (s->peer_has_read) {
        m.descriptor = o->range.descriptor;
        m.descriptor_bytes = o->range.descriptor_bytes;
    }
    m.payload_bytes = (uint16_t)first_part(s, o, m.descriptor_bytes);
    m.amount = o->range.bytes - m.payload_bytes;
    memcpy(buffer_memory(s, (unsigned)buffer) + SW_WIRE_HEADER_BYTES + m.descriptor_bytes, o->range.memory,
           m.payload_bytes);
    o->state = SW_OUT_ANNOUNCED;
    o->id = s->tx.transfer++;
    o->first_part = m.payload_bytes;
    o->done = 0;
    s->stats.transfers_sent++;
    post(s, (unsigned)buffer, &m, out);
    s->tx.position += (uint64_t)m.payload_bytes + m.amount;
    return true;
}

/* Transfers stand before the filled buffers (send.c sees to that). */
static bool next_of_stream(struct sw_session *s, struct sw_action *out)
{
    if (s->tx.urgent_due)
        return send_urgent(s, out); /* and nothing of the stream before it */
    if (!sw_credits_for_data(&s->credits))
        return false;
    for (unsigned i = 0; i < s->tx.out_count; i++) {
        struct sw_out *o = sw_out_at(s, i);

        if (sw_out_is_announced(o) || o->state == SW_OUT_GONE || o->state == SW_OUT_RELEASE)
            continue;
        if (o->state == SW_OUT_COPY)
            return !sw_out_any_announced(s) && send_copied(s, o, out);
        return o->state == SW_OUT_READY && announce(s, o, out);
    }
    if (s->tx.queue_count != 0 && !sw_out_any_announced(s))
        return send_filled(s, out);
    return false;
}

/* --- duties of reader and writer --- */

static bool next_duty(struct sw_session *s, struct sw_action *out)
{
    struct sw_in *in = sw_in_oldest(s);
    struct sw_wire_message m = {.type = SW_WIRE_DONE};

    if (in != NULL && (s->rx.step.state == SW_STEP_REPORT || s->rx.stopped_due)) {
        m.flags = s->rx.stopped_due ? SW_WIRE_STOPPED : 0;
        m.transfer = in->id;
        m.amount = in->done;
        if (!send_control(s, &m, out))
            return false;
        sw_in_report_sent(s);
        return true;
    }
    if (in != NULL && in->is_push && s->rx.step.state == SW_STEP_MOVE) {
        m.type = SW_WIRE_SINK;
        m.transfer = in->id;
        m.amount = s->rx.step.bytes;
        m.descriptor = s->rx.step.range.descriptor;
        m.descriptor_bytes = s->rx.step.range.descriptor_bytes;
        if (!send_control(s, &m, out))
            return false;
        s->rx.step.state = SW_STEP_MOVING;
        return true;
    }
    for (unsigned i = 0; i < s->tx.out_count; i++) {
        struct sw_out *o = sw_out_at(s, i);

        if (o->state != SW_OUT_WROTE)
            continue;
        m.flags = SW_WIRE_WRITTEN;
        m.transfer = o->id;
        m.amount = o->room;
        if (!send_control(s, &m, out))
            return false;
        sw_out_done_sent(s, o);
        return true;
    }
    return false;
}

/* --- marks in the course of the session --- */

bool sw_all_sent(const struct sw_session *s)
{
    return s->tx.ops.first == NULL && s->tx.queue_count == 0 && s->tx.out_count == 0 && !s->tx.urgent_due;
}

static bool send_mark(struct sw_session *s, uint8_t type, bool *due, struct sw_action *out)
{
    struct sw_wire_message m = {.type = type};

    if (type == SW_WIRE_SHUT || type == SW_WIRE_CLOSE)
        m.position = s->tx.position;
    if (type == SW_WIRE_RESUME)
        m.amount = s->cfg.receives;
    if (!send_control(s, &m, out))
        return false;
    *due = false;
    return true;
}

static bool next_mark(struct sw_session *s, struct sw_action *out)
{
    if (s->due.suspended && s->state == SW_ST_HELD) {
        if (!send_mark(s, SW_WIRE_SUSPENDED, &s->due.suspended, out))
            return false;
        sw_move_state(s, SW_EV_SUSPENDED_OUT);
        sw_arm(s, SW_TIMER_SUSPEND, s->cfg.suspend_ms);
        return true;
    }
    if (s->due.close) {
        if (!send_mark(s, SW_WIRE_CLOSE, &s->due.close, out))
            return false;
        s->close_sent = s->tx.shut_sent = true;
        if (!s->timer_armed[SW_TIMER_LINGER] && s->timer_due[SW_TIMER_LINGER] == 0 && !s->close_got)
            sw_arm(s, SW_TIMER_LINGER, s->cfg.close_ms); /* its switch answers by itself */
        return true;
    }
    if (!sw_state_may_send_data(s->state))
        return false;
    if (s->tx.shut_wanted && !s->tx.shut_sent && !s->close_wanted && sw_all_sent(s)) {
        bool due = true;

        s->tx.shut_sent = send_mark(s, SW_WIRE_SHUT, &due, out);
        return s->tx.shut_sent;
    }
    if (s->due.suspend && s->state == SW_ST_DRAINING) {
        if (!send_mark(s, SW_WIRE_SUSPEND, &s->due.suspend, out))
            return false;
        sw_move_state(s, SW_EV_SUSPEND_OUT);
        sw_arm(s, SW_TIMER_SUSPEND, s->cfg.suspend_ms);
        return true;
    }
    return false;
}

static bool next_ping(struct sw_session *s, struct sw_action *out)
{
    struct sw_wire_message m = {.type = SW_WIRE_PING, .flags = s->due.answer ? SW_WIRE_ANSWER : 0};

    if (!sw_credits_for_data(&s->credits) || !send_control(s, &m, out))
        return false;
    if (m.flags != 0)
        s->due.answer = false;
    else
        s->due.ping = false;
    return true;
}

/* Debt or a limit that has moved, when nothing else went to tell it. */
static bool next_credit(struct sw_session *s, struct sw_action *out)
{
    struct sw_wire_message m = {.type = SW_WIRE_CREDIT};

    if (!sw_credits_due(&s->credits) && !sw_limit_due(s))
        return false;
    if (!send_control(s, &m, out))
        return false;
    s->stats.credit_messages++;
    return true;
}

bool sw_out_next_message(struct sw_session *s, struct sw_action *out)
{
    if (s->due.hello)
        return send_hello(s, out);
    if (s->state < SW_ST_OPEN || s->state == SW_ST_MOVING || s->state == SW_ST_MOVED ||
        s->state == SW_ST_SUSPENDED || (s->close_sent && s->close_got))
        return false;
    if (s->close_sent) /* the peer may lack one for its answer */
        return next_credit(s, out);
    if (s->due.resume)
        return send_mark(s, SW_WIRE_RESUME, &s->due.resume, out);
    if (s->state == SW_ST_SUSPEND_SENT)
        return next_credit(s, out);
    if (sw_state_may_send_data(s->state) && (next_duty(s, out) || next_of_stream(s, out)))
        return true;
    if (next_mark(s, out))
        return true;
    if (sw_state_may_send_data(s->state) && (s->due.ping || s->due.answer) && next_ping(s, out))
        return true;
    return next_credit(s, out);
}

bool sw_out_plain_due(const struct sw_session *s)
{
    return s->tx.queue_count != 0 || sw_credits_due(&s->credits) || sw_limit_due(s);
}

bool sw_out_next_plain(struct sw_session *s, struct sw_action *out)
{
    if (s->tx.queue_count != 0 && sw_credits_for_data(&s->credits) && send_filled(s, out))
        return true;
    return next_credit(s, out);
}
