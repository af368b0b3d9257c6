/* send.c - sends of the application: small ones are copied and gathered in send buffers, large pieces become transfers.
 * In the queue of the stream transfers always stand before filled buffers: a large piece is taken only when no
 * filled buffer waits, which makes those go at once.
 * Source: PROTOCOL.md 6, 7; contract 8.7; windows.md trap 1. */
#include "session/internal.h"

#include <string.h>

/* Room in the last filled buffer, else in a new one; NULL: none. */
static uint8_t *gather_room(struct sw_session *s, uint32_t *room, unsigned *buffer)
{
    if (s->tx.queue_count != 0) {
        *buffer = s->tx.queue[(s->tx.queue_first + s->tx.queue_count - 1u) % SW_SESSION_BUFFERS_MAX];
        *room = s->payload_max - s->tx.fill[*buffer];
    } else {
        *room = 0;
    }
    if (*room == 0) {
        int fresh = sw_free_data_buffer(s);

        if (fresh < 0)
            return NULL;
        *buffer = (unsigned)fresh;
        *room = s->payload_max;
        s->tx.fill[fresh] = 0;
        s->tx.free_buffers &= ~(UINT64_C(1) << fresh);
        s->tx.queue[(s->tx.queue_first + s->tx.queue_count++) % SW_SESSION_BUFFERS_MAX] = (uint8_t)fresh;
    }
    return s->cfg.send_memory + (size_t)*buffer * s->cfg.message_bytes + SW_WIRE_HEADER_BYTES +
           s->tx.fill[*buffer];
}

/* Where the next byte that is taken will stand in the stream. */
static uint64_t queued_position(struct sw_session *s)
{
    uint64_t position = s->tx.position + s->tx.queued_bytes;

    for (unsigned i = 0; i < s->tx.out_count; i++) {
        struct sw_out *o = sw_out_at(s, i);

        if (o->state == SW_OUT_READY || o->state == SW_OUT_COPY || o->state == SW_OUT_NEW ||
            o->state == SW_OUT_REGISTERING || (o->state == SW_OUT_RELEASE && o->after != SW_OUT_GONE))
            position += o->range.bytes; /* not announced, or taken back */
    }
    return position;
}

static bool gather(struct sw_session *s, struct sw_op *op, uint8_t *from, uint32_t bytes)
{
    uint32_t room;
    unsigned buffer;
    uint8_t *to = gather_room(s, &room, &buffer);

    if (to == NULL)
        return false;
    if (room > bytes)
        room = bytes;
    memcpy(to, from, room);
    s->tx.fill[buffer] = (uint16_t)(s->tx.fill[buffer] + room);
    s->tx.queued_bytes += room;
    s->stats.bytes_gathered += room;
    sw_op_advance(op, room);
    op->bytes += room;
    if ((op->flags & SW_OP_URGENT) != 0 && op->taken == op->total)
        sw_urgent_queued(s, queued_position(s) - 1, to[room - 1]);
    return true;
}

static bool take_large(struct sw_session *s, struct sw_op *op, uint8_t *from, uint32_t bytes)
{
    if (s->tx.queue_count != 0 || s->tx.out_count == s->peer_transfers)
        return false;
    if (bytes > s->max_part_bytes)
        bytes = s->max_part_bytes;
    sw_out_add(s, op, from, bytes);
    sw_op_advance(op, bytes);
    return true;
}

void sw_take_sends(struct sw_session *s)
{
    struct sw_op *op;

    if (s->payload_max == 0)
        return; /* not open yet */
    while ((op = s->tx.ops.first) != NULL) {
        uint8_t *from = NULL;
        uint32_t bytes = sw_op_piece(op, &from);
        bool is_large = bytes > s->cfg.threshold_bytes && s->max_part_bytes != 0 &&
                        !(op->flags & SW_OP_URGENT);

        if (bytes != 0 && !(is_large ? take_large(s, op, from, bytes) : gather(s, op, from, bytes)))
            return;
        if (op->taken < op->total)
            continue;
        (void)sw_ops_take(&s->tx.ops);
        if (op->transfers == 0)
            sw_complete(s, op, 0);
    }
}

void sw_fail_sends(struct sw_session *s, int error)
{
    struct sw_op *op;

    while ((op = sw_ops_take(&s->tx.ops)) != NULL) {
        op->error = error;
        if (op->transfers == 0)
            sw_complete(s, op, error);
        else
            op->taken = op->total; /* its last transfer completes it */
    }
    for (; s->tx.queue_count != 0; s->tx.queue_count--) {
        s->tx.free_buffers |= UINT64_C(1) << s->tx.queue[s->tx.queue_first];
        s->tx.queue_first = (uint8_t)((s->tx.queue_first + 1u) % SW_SESSION_BUFFERS_MAX);
    }
    s->tx.queued_bytes = 0;
    s->tx.urgent_due = false;
}

static int may_send(const struct sw_session *s)
{
    switch (s->state) {
    case SW_ST_NEW:
    case SW_ST_CALLING:
    case SW_ST_ANSWERING:
    case SW_ST_REFUSING: return WSAENOTCONN;
    case SW_ST_DRAINING:
    case SW_ST_SUSPEND_SENT:
    case SW_ST_MOVING:
    case SW_ST_MOVED: return WSATRY_AGAIN;
    case SW_ST_CLOSING: return WSAESHUTDOWN;
    case SW_ST_ENDING: return WSAECONNRESET;
    case SW_ST_DEAD: return s->cause != 0 ? s->cause : WSAECONNRESET;
    default: return s->tx.shut_wanted || s->close_wanted ? WSAESHUTDOWN : 0;
    }
}

int sw_session_send(struct sw_session *s, struct sw_op *op)
{
    int error = may_send(s);

    sw_stir(s);
    if (error != 0)
        return error;
    sw_op_start(op);
    sw_ops_add(&s->tx.ops, op);
    sw_work(s);
    return 0;
}

int sw_session_send_now(struct sw_session *s, const WSABUF *buffers, uint32_t buffer_count, uint32_t flags,
                        uint64_t *bytes)
{
    struct sw_op op = {.buffers = buffers, .buffer_count = buffer_count, .flags = flags};
    int error = may_send(s);
    uint8_t *from = NULL;
    uint32_t piece;

    sw_stir(s);
    *bytes = 0;
    if (error != 0)
        return error;
    sw_op_start(&op);
    if (s->tx.ops.first == NULL)
        while ((piece = sw_op_piece(&op, &from)) != 0 && gather(s, &op, from, piece))
            ;
    *bytes = op.bytes;
    sw_work(s);
    return op.bytes != 0 || op.total == 0 ? 0 : WSAEWOULDBLOCK;
}

size_t sw_session_send_room(const struct sw_session *s)
{
    size_t room = 0;

    if (may_send(s) != 0 || s->tx.ops.first != NULL)
        return 0;
    if (s->tx.queue_count != 0)
        room = s->payload_max -
               s->tx.fill[s->tx.queue[(s->tx.queue_first + s->tx.queue_count - 1u) % SW_SESSION_BUFFERS_MAX]];
    return room + (size_t)sw_bits_count(sw_free_data_buffers(s)) * s->payload_max;
}

bool sw_session_is_writable(const struct sw_session *s)
{
    return sw_session_send_room(s) != 0 || s->state == SW_ST_DEAD || s->state == SW_ST_ENDING ||
           s->tx.shut_wanted; /* a send would answer at once (B187) */
}

void sw_session_want_write(struct sw_session *s)
{
    sw_stir(s);
    s->tx.want_write = true;
    sw_work(s);
}

bool sw_session_cancel(struct sw_session *s, struct sw_op *op)
{
    const bool is_untouched = op->taken == 0 && op->bytes == 0 && op->transfers == 0;

    sw_stir(s);
    if (op->transfers != 0 || s->rx.step.op == op)
        return false;
    if (!sw_ops_remove(&s->rx.ops, op) && (!is_untouched || !sw_ops_remove(&s->tx.ops, op)))
        return false;
    sw_complete(s, op, op->bytes == 0 ? WSA_OPERATION_ABORTED : 0); /* a receive: what it has, it has */
    sw_work(s);
    return true;
}
