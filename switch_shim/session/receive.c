/* receive.c - bytes that came, to the application: straight into a receive that waits, else into storage, a ring in which
 * the byte of position p stands at p modulo its size.
 * Source: PROTOCOL.md 6, 8; contract 8.6, 10.3; winsock-behaviours.md B100, B113, B114, B156 to B162. */
#include "session/internal.h"

#include <string.h>

static uint64_t stored(const struct sw_session *s)
{
    return s->rx.position - s->rx.consumed;
}

uint64_t sw_limit(const struct sw_session *s)
{
    return s->rx.consumed + s->cfg.storage_bytes;
}

bool sw_limit_due(const struct sw_session *s)
{
    return s->rx.in_count == 0 && !s->rx.shut && sw_limit(s) - s->rx.told >= s->cfg.storage_bytes / 2;
}

/* Without a look at the mark: bytes, end of stream, or a transfer that only needs fetching. */
bool sw_is_readable(const struct sw_session *s)
{
    return stored(s) != 0 || s->rx.shut || s->rx.in_count != 0;
}

uint64_t sw_storage_at(const struct sw_session *s, uint64_t position)
{
    return (position - s->rx.origin) % s->cfg.storage_bytes;
}

/* What is empty is filled from its beginning: so little messages, of which one is there at a time, do not go round through all of the
 * storage, and most of it is never touched. Not while something is on its way to a place in it. */
void sw_storage_rewind(struct sw_session *s)
{
    if (stored(s) == 0 && s->rx.step.state == SW_STEP_IDLE)
        s->rx.origin = s->rx.position;
}

/* Out of storage from `position`; two pieces where the ring wraps. */
static void copy_out(const struct sw_session *s, uint64_t position, uint8_t *to, uint64_t bytes)
{
    uint64_t at = sw_storage_at(s, position);
    uint64_t first = s->cfg.storage_bytes - at < bytes ? s->cfg.storage_bytes - at : bytes;

    memcpy(to, s->cfg.storage + at, first);
    memcpy(to + first, s->cfg.storage, bytes - first);
}

static void copy_in(struct sw_session *s, const uint8_t *from, uint64_t bytes)
{
    uint64_t at, first;

    sw_storage_rewind(s);
    at = sw_storage_at(s, s->rx.position);
    first = s->cfg.storage_bytes - at < bytes ? s->cfg.storage_bytes - at : bytes;
    memcpy(s->cfg.storage + at, from, first);
    memcpy(s->cfg.storage, from + first, bytes - first);
    s->rx.position += bytes;
    s->stats.bytes_stored += bytes;
}

/* Move what is stored, up to the mark, into `op`. */
static void fill_from_storage(struct sw_session *s, struct sw_op *op)
{
    uint8_t *to = NULL;
    uint32_t room;
    uint64_t n;

    while ((room = sw_op_piece(op, &to)) != 0 && (n = sw_before_mark(s, s->rx.consumed, stored(s))) != 0) {
        n = n < room ? n : room;
        copy_out(s, s->rx.consumed, to, n);
        s->rx.consumed += n;
        op->bytes += n;
        sw_op_advance(op, n);
    }
}

static bool is_at_mark(const struct sw_session *s)
{
    return s->rx.has_mark && s->rx.consumed == s->rx.mark;
}

/* Whether a receive that has its share may wait for more: a transfer that is there only needs fetching. */
static bool is_over(struct sw_session *s, const struct sw_op *op)
{
    if (op->taken == op->total)
        return op->total != 0 || sw_is_readable(s); /* of length 0: when there is something, B100 */
    if (s->rx.shut && stored(s) == 0 && s->rx.in_count == 0)
        return true;
    if (op->bytes == 0)
        return false;
    if (is_at_mark(s))
        return true; /* a read ends at the mark */
    if ((op->flags & SW_OP_WAIT_ALL) != 0)
        return false;
    if (s->rx.in_count <= (s->rx.step.state == SW_STEP_REPORT ? 1u : 0u))
        return true;
    uint8_t *to = NULL;
    struct sw_op look = *op;
    return sw_op_piece(&look, &to) < s->cfg.direct_min_bytes; /* else the rest comes by itself */
}

/* What is stored, to receives that wait. */
void sw_deliver(struct sw_session *s)
{
    struct sw_op *op;

    while ((op = s->rx.ops.first) != NULL && s->rx.step.op != op) {
        if (op->bytes == 0 && op->total != 0 && stored(s) != 0)
            sw_pass_mark(s);
        fill_from_storage(s, op);
        if (!is_over(s, op))
            break;
        (void)sw_ops_take(&s->rx.ops);
        sw_complete(s, op, 0);
    }
    if (s->rx.discard && s->rx.ops.first == NULL) {
        s->rx.consumed = s->rx.position;
        if (s->rx.has_mark && s->rx.mark < s->rx.position)
            s->rx.has_mark = s->rx.mark_unread = false;
    }
    sw_raise_read(s);
}

void sw_raise_read(struct sw_session *s)
{
    if (s->read_armed && !s->rx.discard && s->rx.ops.first == NULL &&
        (stored(s) != 0 || s->rx.in_count != 0)) {
        s->read_armed = false;
        s->events |= FD_READ;
    }
}

/* Payload of a message: without storage when it can go straight to a receive. */
void sw_got_payload(struct sw_session *s, const uint8_t *payload, uint32_t bytes)
{
    struct sw_op *op = s->rx.ops.first;
    uint32_t done = 0;
    uint8_t *to = NULL;
    uint32_t room;

    if (op != NULL && s->rx.step.op != op && stored(s) == 0 &&
        sw_before_mark(s, s->rx.position, bytes) == bytes && !is_at_mark(s))
        while (done < bytes && (room = sw_op_piece(op, &to)) != 0) {
            room = room < bytes - done ? room : bytes - done;
            memcpy(to, payload + done, room);
            done += room;
            s->rx.position += room;
            s->rx.consumed += room;
            op->bytes += room;
            sw_op_advance(op, room);
        }
    copy_in(s, payload + done, bytes - done);
    s->rx.announced += bytes;
    sw_deliver(s);
}

/* A transfer put `bytes` behind what is stored. */
void sw_storage_filled(struct sw_session *s, uint32_t bytes)
{
    s->rx.position += bytes;
    s->stats.bytes_stored += bytes;
    sw_deliver(s);
}

void sw_fail_receives(struct sw_session *s, int error)
{
    struct sw_op *op;

    while ((op = s->rx.ops.first) != NULL && s->rx.step.op != op) {
        (void)sw_ops_take(&s->rx.ops);
        sw_complete(s, op, op->bytes != 0 ? 0 : error); /* what it has, it has */
    }
}

/* --- calls of the application --- */

static int may_receive(const struct sw_session *s)
{
    if (s->state < SW_ST_OPEN && s->state != SW_ST_NEW)
        return WSAENOTCONN;
    if (s->state == SW_ST_NEW)
        return WSAENOTCONN;
    if (s->state == SW_ST_SUSPEND_SENT || s->state == SW_ST_MOVING || s->state == SW_ST_MOVED)
        return WSATRY_AGAIN;
    if (s->close_wanted || s->rx.discard)
        return WSAESHUTDOWN; /* B136 */
    if (s->state == SW_ST_DEAD && stored(s) == 0 && !s->rx.shut)
        return s->cause != 0 ? s->cause : WSAECONNRESET;
    return 0;
}

int sw_session_receive(struct sw_session *s, struct sw_op *op)
{
    int error = may_receive(s);

    sw_stir(s);
    if (error != 0)
        return error;
    sw_op_start(op);
    s->read_armed = true; /* B156, B157: a receive re-enables FD_READ, whatever comes of it */
    sw_ops_add(&s->rx.ops, op);
    sw_deliver(s);
    if (s->state == SW_ST_DEAD)
        sw_fail_receives(s, s->rx.shut ? 0 : s->cause != 0 ? s->cause : WSAECONNRESET);
    sw_work(s);
    return 0;
}

static void gather_op(struct sw_op *op, const WSABUF *buffers, uint32_t buffer_count)
{
    memset(op, 0, sizeof(*op));
    op->buffers = buffers;
    op->buffer_count = buffer_count;
    sw_op_start(op);
}

int sw_session_receive_now(struct sw_session *s, const WSABUF *buffers, uint32_t buffer_count,
                           uint64_t *bytes)
{
    struct sw_op op;
    int error = may_receive(s);

    sw_stir(s);
    *bytes = 0;
    if (error != 0)
        return error;
    if (s->rx.ops.first != NULL)
        return WSAEWOULDBLOCK; /* in the order in which they were asked for */
    gather_op(&op, buffers, buffer_count);
    s->read_armed = true;
    if (stored(s) != 0)
        sw_pass_mark(s);
    fill_from_storage(s, &op);
    *bytes = op.bytes;
    if (stored(s) == 0)
        s->rx.want_read = s->rx.in_count != 0;
    error = op.bytes == 0 && op.total != 0 && !(s->rx.shut && s->rx.in_count == 0 && stored(s) == 0)
                ? WSAEWOULDBLOCK
                : 0;
    if (error == 0 && stored(s) != 0)
        sw_raise_read(s); /* some is left, B157 */
    sw_work(s);
    return error;
}

bool sw_session_receive_vain(struct sw_session *s)
{
    if (s->rx.ops.first != NULL || sw_is_readable(s) || may_receive(s) != 0)
        return false;
    s->read_armed = true;
    s->rx.want_read = false; /* there is no transfer */
    return true;
}

int sw_session_peek(struct sw_session *s, const WSABUF *buffers, uint32_t buffer_count, uint64_t *bytes)
{
    const uint64_t consumed = s->rx.consumed;
    const bool had_mark = s->rx.has_mark;
    const bool was_unread = s->rx.mark_unread;
    struct sw_op op;
    int error = may_receive(s);

    sw_stir(s);
    *bytes = 0;
    if (error != 0)
        return error;
    gather_op(&op, buffers, buffer_count);
    if (stored(s) != 0)
        sw_pass_mark(s);
    fill_from_storage(s, &op);
    *bytes = op.bytes;
    s->rx.consumed = consumed;
    s->rx.has_mark = had_mark;
    s->rx.mark_unread = was_unread;
    if (op.bytes != 0 || (s->rx.shut && s->rx.in_count == 0))
        return 0;
    s->rx.want_read = s->rx.in_count != 0;
    s->read_armed = true;
    sw_work(s);
    return WSAEWOULDBLOCK;
}

uint64_t sw_session_readable(const struct sw_session *s)
{
    return stored(s);
}

uint64_t sw_session_came(const struct sw_session *s)
{
    return s->rx.announced;
}

void sw_session_want_read(struct sw_session *s)
{
    sw_stir(s);
    if (stored(s) == 0)
        s->rx.want_read = s->rx.in_count != 0;
    sw_work(s);
}
