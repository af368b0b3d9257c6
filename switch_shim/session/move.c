/* move.c - a socket goes to another process: suspend, hand over, resume; both as the one who moves and as the peer.
 * Source: PROTOCOL.md 10; contract 8.10. */
#include "session/internal.h"

#include <string.h>

#define STATE_VERSION 2u

enum state_flags {
    HAS_SHUT_SENT = 1,
    HAS_SHUT_WANTED = 2,
    HAS_SHUT_COME = 4,
    HAS_MARK = 8,
    HAS_MARK_UNREAD = 16,
    HAS_URGENT_EVER = 32,
    HAS_INLINE = 64,
    HAS_DISCARD = 128,
    HAS_CLOSE_EVENT = 256
};

int sw_session_suspend(struct sw_session *s)
{
    sw_stir(s);
    switch (s->state) {
    case SW_ST_OPEN:
        if (s->close_wanted)
            return WSAEINVAL;
        sw_move_state(s, SW_EV_SUSPEND);
        sw_work(s);
        return 0;
    case SW_ST_HELD:
    case SW_ST_SUSPENDED: s->suspend_again = true; return 0; /* the peer's turn first */
    case SW_ST_NEW:
    case SW_ST_CALLING:
    case SW_ST_ANSWERING: return WSAENOTCONN;
    default: return WSAEINVAL;
    }
}

bool sw_session_is_over(const struct sw_session *s)
{
    return s->state == SW_ST_DEAD;
}

bool sw_session_is_ending(const struct sw_session *s)
{
    return s->state == SW_ST_ENDING || s->state == SW_ST_DEAD;
}

bool sw_session_suspend_off(struct sw_session *s)
{
    sw_stir(s);
    s->suspend_again = false;
    if (s->state != SW_ST_DRAINING)
        return s->state == SW_ST_OPEN || s->state == SW_ST_HELD || s->state == SW_ST_SUSPENDED;
    s->due.suspend = s->rx.stopped_due = false;
    sw_move_state(s, SW_EV_SUSPEND_OFF);
    sw_work(s);
    return true;
}

/* After every event: whether the next thing of a move is due. */
void sw_check_move(struct sw_session *s)
{
    if (s->state == SW_ST_OPEN && s->suspend_again && !s->due.resume) {
        s->suspend_again = false;
        sw_move_state(s, SW_EV_SUSPEND);
    }
    if (s->state == SW_ST_DRAINING && !s->due.suspend && sw_all_sent(s) &&
        !(s->tx.shut_wanted && !s->tx.shut_sent) && s->rx.step.state == SW_STEP_IDLE) {
        struct sw_in *in = sw_in_oldest(s);

        s->due.suspend = true; /* from here on nothing is fetched */
        s->rx.stopped_due = in != NULL && in->done != 0 && !in->is_push;
    }
    if (s->state == SW_ST_HELD && sw_out_is_quiet(s))
        s->due.suspended = true;
    if (s->state == SW_ST_MOVING && s->tx.in_flight == 0)
        s->move_due = true;
}

/* SUSPEND came. Our own gives way when we are the acceptor; the connector's holds. */
void sw_suspend_came(struct sw_session *s)
{
    if (s->close_sent)
        return; /* they cross: ours is answered with CLOSE */
    if (s->state == SW_ST_SUSPEND_SENT && s->cfg.is_connector)
        return;
    if (s->rx.in_count != 0 || sw_out_sink_open(s)) {
        sw_breach(s, "SUSPEND before transfers and SINKs are done");
        return;
    }
    if (s->state == SW_ST_DRAINING || s->state == SW_ST_SUSPEND_SENT)
        s->suspend_again = true;
    s->due.suspend = s->rx.stopped_due = s->due.close = false;
    s->due.ping = s->due.answer = false;
    sw_disarm(s, SW_TIMER_SUSPEND);
    sw_move_state(s, SW_EV_SUSPEND_IN);
    sw_out_take_back(s);
}

void sw_resumed(struct sw_session *s, uint32_t receives)
{
    sw_disarm(s, SW_TIMER_SUSPEND);
    s->credits.have = s->credits.have_max = (uint16_t)receives;
    sw_move_state(s, SW_EV_RESUME_IN);
}

struct sw_op *sw_session_take_receives(struct sw_session *s)
{
    struct sw_op *first = s->rx.ops.first;

    sw_stir(s);
    if (s->state != SW_ST_MOVED)
        return NULL;
    sw_ops_init(&s->rx.ops);
    return first;
}

static uint32_t flags_of(const struct sw_session *s)
{
    return (s->tx.shut_sent ? HAS_SHUT_SENT : 0u) | (s->tx.shut_wanted ? HAS_SHUT_WANTED : 0u) |
           (s->rx.shut ? HAS_SHUT_COME : 0u) | (s->rx.has_mark ? HAS_MARK : 0u) |
           (s->rx.mark_unread ? HAS_MARK_UNREAD : 0u) | (s->rx.urgent_ever ? HAS_URGENT_EVER : 0u) |
           (s->rx.urgent_inline ? HAS_INLINE : 0u) | (s->rx.discard ? HAS_DISCARD : 0u) |
           (s->close_event_raised ? HAS_CLOSE_EVENT : 0u);
}

size_t sw_session_export(struct sw_session *s, struct sw_session_state *out, uint8_t *storage)
{
    const size_t bytes = (size_t)(s->rx.position - s->rx.consumed);
    const size_t at = (size_t)sw_storage_at(s, s->rx.consumed);
    const size_t first = s->cfg.storage_bytes - at < bytes ? s->cfg.storage_bytes - at : bytes;

    sw_stir(s);
    memset(out, 0, sizeof(*out));
    if (s->state != SW_ST_MOVED && s->state != SW_ST_DEAD)
        return 0;
    out->size = sizeof(*out);
    out->version = STATE_VERSION;
    out->peer_receives = s->credits.have_max;
    out->peer_transfers = s->peer_transfers;
    out->peer_message_bytes = s->peer_message_bytes;
    out->peer_storage_bytes = s->peer_storage_bytes;
    out->peer_max_rdma_bytes = s->peer_max_rdma_bytes;
    out->peer_has_read = s->peer_has_read;
    out->is_connector = s->cfg.is_connector;
    out->message_bytes = s->cfg.message_bytes;
    out->storage_bytes = s->cfg.storage_bytes;
    out->credits = s->credits.have;
    out->tx_sequence = s->tx.sequence;
    out->rx_sequence = s->rx.sequence;
    out->tx_transfer = s->tx.transfer;
    out->rx_transfer = s->rx.transfer;
    out->tx_position = s->tx.position;
    out->tx_limit = s->tx.limit;
    out->rx_position = s->rx.position;
    out->rx_consumed = s->rx.consumed;
    out->rx_told = s->rx.told;
    out->rx_urgent = s->rx.mark;
    out->urgent_byte = s->rx.urgent_byte;
    out->flags = flags_of(s);
    out->is_over = s->state == SW_ST_DEAD;
    out->is_graceful = s->is_graceful;
    out->cause = s->cause;
    memcpy(storage, s->cfg.storage + at, first);
    memcpy(storage + first, s->cfg.storage, bytes - first);
    return bytes;
}

static bool state_is_sound(const struct sw_session *s, const struct sw_session_state *in, size_t bytes)
{
    return in->size == sizeof(*in) && in->version == STATE_VERSION &&
           in->message_bytes == s->cfg.message_bytes && in->storage_bytes == s->cfg.storage_bytes &&
           in->peer_receives >= SW_WIRE_CREDITS_MIN && in->peer_receives <= SW_WIRE_CREDITS_MAX &&
           in->credits <= in->peer_receives && in->peer_transfers >= 1 &&
           in->peer_transfers <= SW_WIRE_TRANSFERS_MAX && in->peer_message_bytes >= SW_WIRE_MESSAGE_MIN &&
           in->peer_message_bytes <= SW_WIRE_MESSAGE_MAX && in->rx_position - in->rx_consumed == bytes &&
           bytes <= in->storage_bytes;
}

static void restore_peer(struct sw_session *s, const struct sw_session_state *in)
{
    uint32_t smaller = in->message_bytes < in->peer_message_bytes ? in->message_bytes
                                                                  : in->peer_message_bytes;

    s->peer_transfers = in->peer_transfers;
    s->peer_message_bytes = in->peer_message_bytes;
    s->peer_storage_bytes = in->peer_storage_bytes;
    s->peer_max_rdma_bytes = in->peer_max_rdma_bytes;
    s->peer_has_read = in->peer_has_read != 0;
    s->cfg.is_connector = in->is_connector != 0;
    s->payload_max = smaller - SW_WIRE_HEADER_BYTES;
    s->max_part_bytes = s->cfg.max_rdma_bytes < in->peer_max_rdma_bytes ? s->cfg.max_rdma_bytes
                                                                        : in->peer_max_rdma_bytes;
    sw_credits_open(&s->credits, (uint16_t)s->cfg.receives, (uint16_t)in->peer_receives);
    s->credits.have = (uint16_t)in->credits;
}

static void restore_streams(struct sw_session *s, const struct sw_session_state *in, const uint8_t *storage,
                            size_t bytes)
{
    const size_t at = (size_t)(in->rx_consumed % in->storage_bytes); /* the origin of a new session is 0 */
    const size_t first = in->storage_bytes - at < bytes ? in->storage_bytes - at : bytes;

    s->tx.sequence = in->tx_sequence;
    s->rx.sequence = in->rx_sequence;
    s->tx.transfer = in->tx_transfer;
    s->rx.transfer = in->rx_transfer;
    s->tx.position = in->tx_position;
    s->tx.limit = in->tx_limit;
    s->rx.position = s->rx.announced = in->rx_position;
    s->rx.consumed = in->rx_consumed;
    s->rx.told = in->rx_told;
    s->rx.mark = in->rx_urgent;
    s->rx.urgent_byte = (uint8_t)in->urgent_byte;
    s->tx.shut_sent = (in->flags & HAS_SHUT_SENT) != 0;
    s->tx.shut_wanted = (in->flags & HAS_SHUT_WANTED) != 0;
    s->rx.shut = (in->flags & HAS_SHUT_COME) != 0;
    s->rx.has_mark = (in->flags & HAS_MARK) != 0;
    s->rx.mark_unread = (in->flags & HAS_MARK_UNREAD) != 0;
    s->rx.urgent_ever = (in->flags & HAS_URGENT_EVER) != 0;
    s->rx.urgent_inline = (in->flags & HAS_INLINE) != 0;
    s->rx.discard = (in->flags & HAS_DISCARD) != 0;
    s->close_event_raised = (in->flags & HAS_CLOSE_EVENT) != 0;
    memcpy(s->cfg.storage + at, storage, first);
    memcpy(s->cfg.storage, storage + first, bytes - first);
}

int sw_session_import(struct sw_session *s, const struct sw_session_state *state, const uint8_t *storage,
                      size_t storage_bytes)
{
    sw_stir(s);
    if (s->state != SW_ST_NEW || !state_is_sound(s, state, storage_bytes))
        return WSAEINVAL;
    restore_peer(s, state);
    restore_streams(s, state, storage, storage_bytes);
    if (state->is_over != 0) { /* what is left of it: bytes, and how it ended */
        sw_move_state(s, SW_EV_END);
        s->cause = state->cause;
        s->is_graceful = state->is_graceful != 0;
        sw_raise_read(s);
        return 0;
    }
    s->rx.to_post = s->cfg.receives == 64 ? UINT64_MAX : (UINT64_C(1) << s->cfg.receives) - 1;
    sw_move_state(s, SW_EV_IMPORT);
    s->due.resume = true;
    s->events |= FD_WRITE;
    sw_raise_read(s);
    sw_keepalive_start(s);
    sw_work(s);
    return 0;
}
