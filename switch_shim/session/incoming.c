/* incoming.c - messages that came: checked against everything this side knows before anything of them is used.
 * Source: PROTOCOL.md 2, 4, 11. */
#include "session/internal.h"

void sw_breach(struct sw_session *s, const char *rule)
{
    if (s->state == SW_ST_DEAD)
        return;
    s->stats.violations++;
    s->report = rule;
    sw_end(s, WSAECONNABORTED, false);
}

/* --- the first messages --- */

static void open_session(struct sw_session *s, const struct sw_wire_hello *h)
{
    uint32_t smaller = s->cfg.message_bytes < h->message_bytes ? s->cfg.message_bytes : h->message_bytes;

    sw_credits_open(&s->credits, (uint16_t)s->cfg.receives, h->receives);
    s->peer_transfers = h->transfers;
    s->peer_message_bytes = h->message_bytes;
    s->peer_storage_bytes = h->storage_bytes;
    s->peer_max_rdma_bytes = h->max_rdma_bytes;
    s->peer_has_read = (h->flags & SW_WIRE_HAS_READ) != 0;
    s->payload_max = smaller - SW_WIRE_HEADER_BYTES;
    s->max_part_bytes = s->cfg.max_rdma_bytes < h->max_rdma_bytes ? s->cfg.max_rdma_bytes : h->max_rdma_bytes;
    s->tx.limit = h->storage_bytes;
    s->rx.told = s->cfg.storage_bytes;
    sw_move_state(s, SW_EV_HELLO);
    sw_disarm(s, SW_TIMER_NEGOTIATE);
    s->opened_due = true;
    s->events |= FD_WRITE;
    sw_keepalive_start(s);
}

static void got_hello(struct sw_session *s, const uint8_t *in, uint32_t bytes)
{
    const bool calling = s->state == SW_ST_CALLING;
    struct sw_wire_hello h;

    if (!sw_wire_hello_decode(in, bytes, &h)) {
        sw_breach(s, "the first message is not of this protocol");
        return;
    }
    if (calling && !s->is_hello_sent) {
        sw_breach(s, "an answer before the question");
        return;
    }
    if (h.type != SW_WIRE_NEGOTIATE && !calling) {
        sw_breach(s, "the first message is no NEGOTIATE");
        return;
    }
    if (h.version_low > SW_WIRE_VERSION || h.version_high < SW_WIRE_VERSION || h.type == SW_WIRE_REFUSE) {
        if (calling) {
            sw_breach(s, "no version of the session protocol in common");
            return;
        }
        s->report = "no version of the session protocol in common";
        s->stats.violations++;
        sw_move_state(s, SW_EV_OTHER_VERSION);
        s->due.hello = true;
        s->hello_type = SW_WIRE_REFUSE;
        return;
    }
    if (calling && (h.type != SW_WIRE_REPLY || h.version_low != h.version_high)) {
        sw_breach(s, "the answer to NEGOTIATE is no REPLY");
        return;
    }
    open_session(s, &h);
    if (calling) { /* REPLY took one of our receives */
        s->credits.peer_has--;
        s->credits.owed++;
    } else {
        s->due.hello = true;
        s->hello_type = SW_WIRE_REPLY;
    }
}

/* --- all others --- */

static const char *check_stream(struct sw_session *s, const struct sw_wire_message *m)
{
    if (m->limit < s->tx.limit)
        return "a limit that goes back";
    if (m->limit - s->peer_storage_bytes > s->tx.position && m->limit > s->peer_storage_bytes)
        return "a limit beyond what was sent";
    switch (m->type) {
    case SW_WIRE_DATA:
    case SW_WIRE_LARGE_PULL:
    case SW_WIRE_LARGE_PUSH:
    case SW_WIRE_URGENT:
    case SW_WIRE_SHUT:
        if (s->rx.shut)
            return "more of the stream behind its end";
        break;
    default: break;
    }
    if (m->type == SW_WIRE_URGENT)
        return NULL;
    if ((m->type == SW_WIRE_DATA || m->type == SW_WIRE_LARGE_PULL || m->type == SW_WIRE_LARGE_PUSH ||
         m->type == SW_WIRE_SHUT) &&
        m->position != s->rx.announced)
        return "a position that does not follow";
    if (m->type == SW_WIRE_SHUT && s->rx.in_count != 0)
        return "SHUT before a transfer is done";
    if (m->payload_bytes != 0 && s->rx.in_count != 0)
        return "payload behind an unfinished transfer";
    if (m->payload_bytes != 0 && m->position + m->payload_bytes > s->rx.told)
        return "payload beyond the limit";
    return NULL;
}

static const char *check(struct sw_session *s, const uint8_t *in, uint32_t bytes, struct sw_wire_message *m)
{
    const char *rule = sw_wire_decode(in, bytes, m);

    if (rule != NULL)
        return rule;
    if (m->sequence != s->rx.sequence)
        return "a message out of sequence";
    if (!sw_state_may_get(s->state, m->type))
        return "a message that has no place here";
    if (s->credits.peer_has == 0)
        return "a message without a credit";
    if (!sw_credits_receive(&s->credits, m->credits))
        return "credits from nowhere";
    return check_stream(s, m);
}

static void got_shut(struct sw_session *s)
{
    s->rx.shut = true;
    s->close_event_error = 0;
    if (!s->close_event_raised)
        s->events |= FD_CLOSE;
    s->close_event_raised = true;
    sw_deliver(s);
}

static const char *act_on(struct sw_session *s, const struct sw_wire_message *m)
{
    switch (m->type) {
    case SW_WIRE_DATA: sw_got_payload(s, m->payload, m->payload_bytes); return NULL;
    case SW_WIRE_LARGE_PULL:
    case SW_WIRE_LARGE_PUSH: return sw_in_announced(s, m);
    case SW_WIRE_SINK: return sw_out_sink(s, m);
    case SW_WIRE_DONE: return (m->flags & SW_WIRE_WRITTEN) != 0 ? sw_in_done(s, m) : sw_out_done(s, m);
    case SW_WIRE_URGENT: return sw_urgent_in(s, m);
    case SW_WIRE_SHUT: got_shut(s); return NULL;
    case SW_WIRE_CLOSE:
        if (m->position > s->rx.announced)
            return "CLOSE beyond the stream";
        if (!s->close_sent && (s->rx.in_count != 0 || m->position != s->rx.announced))
            return "CLOSE before all is sent"; /* an answer may leave things undone, this is none */
        sw_close_came(s);
        return NULL;
    case SW_WIRE_SUSPEND: sw_suspend_came(s); return NULL;
    case SW_WIRE_SUSPENDED:
        sw_move_state(s, SW_EV_SUSPENDED_IN);
        sw_disarm(s, SW_TIMER_SUSPEND);
        sw_in_forget(s);
        return NULL;
    case SW_WIRE_RESUME: sw_resumed(s, m->amount); return NULL;
    case SW_WIRE_PING:
        if (m->flags == 0)
            s->due.answer = true;
        return NULL;
    default: return NULL; /* CREDIT */
    }
}

void sw_session_message(struct sw_session *s, unsigned buffer, uint32_t bytes)
{
    const uint8_t *in = s->cfg.receive_memory + (size_t)buffer * s->cfg.message_bytes;
    struct sw_wire_message m;
    const char *rule;

    sw_stir(s);
    if (s->state == SW_ST_DEAD || s->state == SW_ST_NEW || s->state == SW_ST_MOVED)
        return; /* what was on its way; receives that a move ended with 0 bytes */
    s->heard = true;
    s->stats.messages_received++;
    s->rx.to_post |= UINT64_C(1) << buffer;
    if (bytes > s->cfg.message_bytes) {
        sw_breach(s, "longer than a receive");
    } else if (s->state == SW_ST_CALLING || s->state == SW_ST_ANSWERING) {
        got_hello(s, in, bytes);
    } else {
        rule = check(s, in, bytes, &m);
        if (rule == NULL) {
            s->rx.sequence++;
            s->tx.limit = m.limit;
            rule = act_on(s, &m);
        }
        if (rule != NULL)
            sw_breach(s, rule);
    }
    sw_work(s);
}
