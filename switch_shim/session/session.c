/* session.c - a session as a whole: settings, operations, timers, and the one order in which actions are handed out.
 * That order keeps three promises: a receive is posted again before its credit is told (PROTOCOL.md 5); memory is
 * deregistered before the operation that owns it is over (7); everything idle is deregistered before the close (contract
 * 8.11). */
#include "session/internal.h"

#include <stdlib.h>
#include <string.h>

/* --- operations --- */

void sw_ops_init(struct sw_ops *list)
{
    list->first = NULL;
    list->last = &list->first;
}

void sw_ops_add(struct sw_ops *list, struct sw_op *op)
{
    op->next = NULL;
    *list->last = op;
    list->last = &op->next;
}

struct sw_op *sw_ops_take(struct sw_ops *list)
{
    struct sw_op *op = list->first;

    if (op != NULL && (list->first = op->next) == NULL)
        list->last = &list->first;
    return op;
}

bool sw_ops_remove(struct sw_ops *list, struct sw_op *op)
{
    for (struct sw_op **at = &list->first; *at != NULL; at = &(*at)->next)
        if (*at == op) {
            *at = op->next;
            if (op->next == NULL)
                list->last = at;
            return true;
        }
    return false;
}

void sw_complete(struct sw_session *s, struct sw_op *op, int error)
{
    op->error = error;
    sw_ops_add(&s->done, op);
}

void sw_op_start(struct sw_op *op)
{
    op->bytes = op->taken = op->total = 0;
    op->error = 0;
    op->buffer = op->offset = op->transfers = 0;
    op->next = NULL;
    for (uint32_t i = 0; i < op->buffer_count; i++)
        op->total += op->buffers[i].len;
}

uint32_t sw_op_piece(struct sw_op *op, uint8_t **memory)
{
    while (op->buffer < op->buffer_count && op->offset == op->buffers[op->buffer].len) {
        op->buffer++;
        op->offset = 0;
    }
    if (op->buffer == op->buffer_count)
        return 0;
    *memory = (uint8_t *)op->buffers[op->buffer].buf + op->offset;
    return (uint32_t)op->buffers[op->buffer].len - op->offset;
}

void sw_op_advance(struct sw_op *op, uint64_t bytes)
{
    op->offset += (uint32_t)bytes;
    op->taken += bytes;
}

/* --- state and timers --- */

void sw_move_state(struct sw_session *s, enum sw_event event)
{
    enum sw_state to = sw_next_state(s->state, event);

    if (to != SW_ST_COUNT) /* callers ask first where an event may be out of place */
        s->state = to;
}

void sw_arm(struct sw_session *s, enum sw_timer timer, uint32_t ms)
{
    if (ms == 0)
        return;
    s->timer_ms[timer] = ms;
    s->timer_due[timer] = 1;
}

void sw_disarm(struct sw_session *s, enum sw_timer timer)
{
    s->timer_due[timer] = s->timer_armed[timer] ? 2 : 0;
}

void sw_session_timer(struct sw_session *s, enum sw_timer timer)
{
    sw_stir(s);
    if (!s->timer_armed[timer] || s->timer_due[timer] != 0)
        return; /* it fired while it was being stopped or set anew */
    s->timer_armed[timer] = false;
    switch (timer) {
    case SW_TIMER_NEGOTIATE: sw_end(s, WSAETIMEDOUT, false); break;
    case SW_TIMER_SUSPEND: sw_end(s, WSAECONNRESET, false); break;
    case SW_TIMER_LINGER: sw_end(s, WSAETIMEDOUT, false); break;
    case SW_TIMER_KEEPALIVE:
    case SW_TIMER_COUNT:                                   /* not a timer */
        if (s->heard || !sw_state_may_send_data(s->state)) /* while a socket moves nobody speaks */
            s->probes = 0;
        else if (s->probes == s->cfg.keepalive_probes) {
            sw_end(s, WSAENETRESET, false);
            break;
        } else {
            s->probes++;
            s->due.ping = true;
        }
        s->heard = false;
        sw_arm(s, SW_TIMER_KEEPALIVE, s->probes != 0 ? s->cfg.keepalive_step_ms : s->cfg.keepalive_ms);
        break;
    }
    sw_work(s);
}

/* --- life --- */

static bool config_is_sound(const struct sw_session_config *c)
{
    return c->receives >= SW_WIRE_CREDITS_MIN && c->receives <= SW_WIRE_CREDITS_MAX && c->data_buffers >= 1 &&
           c->data_buffers <= SW_SESSION_BUFFERS_MAX && c->message_bytes >= SW_WIRE_MESSAGE_MIN &&
           c->message_bytes <= SW_WIRE_MESSAGE_MAX && c->storage_bytes >= 2 * c->message_bytes &&
           c->storage_bytes <= SW_WIRE_STORAGE_MAX && c->transfers >= 1 &&
           c->transfers <= SW_WIRE_TRANSFERS_MAX && c->threshold_bytes != 0 && c->direct_min_bytes != 0 &&
           c->receive_memory != NULL && c->send_memory != NULL && c->storage != NULL &&
           (c->keepalive_ms == 0 || c->keepalive_step_ms != 0);
}

struct sw_session *sw_session_create(const struct sw_session_config *config)
{
    struct sw_session *s;
    unsigned buffers = config->data_buffers + SW_SESSION_CONTROL_BUFFERS;

    if (!config_is_sound(config) || (s = calloc(1, sizeof(*s))) == NULL)
        return NULL;
    s->cfg = *config;
    s->state = SW_ST_NEW;
    sw_ops_init(&s->tx.ops);
    sw_ops_init(&s->rx.ops);
    sw_ops_init(&s->done);
    s->tx.free_buffers = buffers == 64 ? UINT64_MAX : (UINT64_C(1) << buffers) - 1;
    s->read_armed = s->oob_armed = true;
    return s;
}

void sw_session_destroy(struct sw_session *s)
{
    free(s);
}

static void post_all(struct sw_session *s)
{
    s->rx.to_post = s->cfg.receives == 64 ? UINT64_MAX : (UINT64_C(1) << s->cfg.receives) - 1;
}

void sw_session_start(struct sw_session *s)
{
    sw_stir(s);
    if (s->state != SW_ST_NEW)
        return;
    post_all(s);
    sw_move_state(s, s->cfg.is_connector ? SW_EV_CALL : SW_EV_ANSWER);
    if (s->cfg.is_connector) {
        s->due.hello = true;
        s->hello_type = SW_WIRE_NEGOTIATE;
    }
    sw_arm(s, SW_TIMER_NEGOTIATE, s->cfg.negotiate_ms);
}

int sw_session_cause(const struct sw_session *s, bool *graceful)
{
    if (graceful != NULL)
        *graceful = s->is_graceful;
    return s->cause;
}

void sw_session_stats(const struct sw_session *s, struct sw_session_stats *out)
{
    *out = s->stats;
}

/* --- what the provider reports --- */

void sw_session_sent(struct sw_session *s, unsigned buffer)
{
    const uint64_t bit = UINT64_C(1) << buffer;

    sw_stir(s);
    s->tx.free_buffers |= bit;
    s->tx.data_in_flight &= ~bit;
    if (s->tx.in_flight != 0)
        s->tx.in_flight--;
    sw_work(s);
}

void sw_session_sent_late(struct sw_session *s, unsigned buffer)
{
    sw_stir(s);
    s->tx.data_in_flight &= ~(UINT64_C(1) << buffer);
}

/* Not that there is no room, but that there is no connection any more: a receive will say so too, perhaps a moment later. */
static bool is_gone(int error)
{
    return error == WSAENOTCONN || error == WSAECONNRESET || error == WSAECONNABORTED || error == WSAENOTSOCK;
}

void sw_session_registered(struct sw_session *s, struct sw_range *range, int error)
{
    sw_stir(s);
    if (is_gone(error))
        sw_end(s, error == WSAECONNABORTED ? error : WSAECONNRESET, false);
    if (!sw_out_registered(s, range, error))
        (void)sw_in_registered(s, range, error); /* of neither: nothing of ours */
    sw_work(s);
}

void sw_session_rdma_done(struct sw_session *s, struct sw_range *range, int error)
{
    sw_stir(s);
    if (!sw_out_rdma_done(s, range, error))
        (void)sw_in_rdma_done(s, range, error);
    if (error != 0)
        sw_end(s, WSAECONNABORTED, false);
    sw_work(s);
}

void sw_session_broken(struct sw_session *s, int error)
{
    sw_stir(s);
    /* both have said CLOSE: that is how it ends */
    bool over = s->close_got && s->close_sent;

    sw_end(s, over ? 0 : error, over);
    sw_work(s);
}

void sw_work(struct sw_session *s)
{
    sw_out_sweep(s);
    if (s->state != SW_ST_DEAD) {
        sw_take_sends(s);
        sw_in_start(s);
        sw_check_end(s);
        sw_check_move(s);
    }
    if (s->tx.want_write && sw_session_is_writable(s)) {
        s->tx.want_write = false;
        s->events |= FD_WRITE;
    }
}

/* --- actions --- */

static bool next_post(struct sw_session *s, struct sw_action *out)
{
    if (s->rx.to_post == 0 || s->close_due || s->is_closed_below)
        return false;
    out->kind = SW_DO_POST_RECEIVE;
    out->buffer = sw_bits_lowest(s->rx.to_post);
    out->bytes = s->cfg.message_bytes;
    out->memory = s->cfg.receive_memory + (size_t)out->buffer * s->cfg.message_bytes;
    s->rx.to_post &= s->rx.to_post - 1;
    return true;
}

static bool next_timer(struct sw_session *s, struct sw_action *out)
{
    for (unsigned t = 0; t < SW_TIMER_COUNT; t++)
        if (s->timer_due[t] != 0) {
            out->kind = s->timer_due[t] == 1 ? SW_DO_ARM : SW_DO_DISARM;
            out->timer = (enum sw_timer)t;
            out->ms = s->timer_ms[t];
            s->timer_armed[t] = s->timer_due[t] == 1;
            s->timer_due[t] = 0;
            return true;
        }
    return false;
}

static bool next_event(struct sw_session *s, struct sw_action *out)
{
    if (s->events == 0)
        return false;
    out->kind = SW_DO_EVENT;
    out->events = s->events & ~(unsigned)FD_CLOSE;
    if (out->events == 0) {
        out->events = FD_CLOSE; /* alone: it has an error of its own */
        out->error = s->close_event_error;
    }
    s->events &= ~out->events;
    return true;
}

static bool next_notice(struct sw_session *s, struct sw_action *out)
{
    if (s->report != NULL && !s->is_reported) {
        s->is_reported = true;
        out->kind = SW_DO_REPORT;
        out->text = s->report;
        return true;
    }
    if (s->opened_due) {
        s->opened_due = false;
        out->kind = SW_DO_OPENED;
        return true;
    }
    if ((out->op = sw_ops_take(&s->done)) != NULL) {
        out->kind = SW_DO_COMPLETE;
        return true;
    }
    return next_event(s, out) || next_timer(s, out);
}

/* Nothing but messages of an open stream: no transfer, no end, no move, no mark of either stream. */
static bool is_plain(const struct sw_session *s)
{
    static const struct sw_due none;

    return s->state == SW_ST_OPEN && s->tx.out_count == 0 && s->rx.in_count == 0 &&
           s->rx.step.state == SW_STEP_IDLE && !s->rx.stopped_due && !s->tx.urgent_due &&
           !s->tx.shut_wanted && !s->close_wanted && !s->close_due && !s->is_closed_below &&
           s->report == NULL && !s->opened_due && !s->move_due && memcmp(&s->due, &none, sizeof(none)) == 0;
}

static bool has_timer_due(const struct sw_session *s)
{
    unsigned any = 0;

    for (unsigned t = 0; t < SW_TIMER_COUNT; t++)
        any |= s->timer_due[t];
    return any != 0;
}

/* What the long way below would answer for a session that is plain: three questions in the place of thirty, nine times for each message
 * and its answer. */
static bool next_plain(struct sw_session *s, struct sw_action *out)
{
    if (s->rx.to_post == 0 && !sw_out_plain_due(s) && s->done.first == NULL && s->events == 0 &&
        !has_timer_due(s))
        return false;
    memset(out, 0, offsetof(struct sw_action, released));
    if (next_post(s, out))
        return true;
    if (sw_out_next_plain(s, out)) {
        sw_work(s); /* a send may have its turn */
        return true;
    }
    return next_notice(s, out);
}

bool sw_next_action_in_full(struct sw_session *s, struct sw_action *out)
{
    memset(out, 0, offsetof(struct sw_action, released));
    if (next_post(s, out))
        return true;
    if (sw_out_next_action(s, out) || sw_in_next_action(s, out)) {
        sw_work(s); /* a place in the queue of transfers may be free, a step may follow */
        return true;
    }
    if (s->state != SW_ST_DEAD && sw_out_next_message(s, out)) {
        sw_work(s);
        return true;
    }
    if (s->close_due) {
        s->close_due = false;
        s->is_closed_below = true;
        out->kind = SW_DO_CLOSE;
        out->error = s->is_graceful ? 0 : s->cause;
        return true;
    }
    if (next_notice(s, out))
        return true;
    if (s->move_due) {
        s->move_due = false;
        sw_move_state(s, SW_EV_MOVE);
        out->kind = SW_DO_MOVE;
        return true;
    }
    return false;
}

bool sw_next_action(struct sw_session *s, struct sw_action *out)
{
    return is_plain(s) ? next_plain(s, out) : sw_next_action_in_full(s, out);
}

bool sw_session_take_done(struct sw_session *s, struct sw_op *op)
{
    if (s->done.first != op)
        return false;
    (void)sw_ops_take(&s->done);
    return true;
}

/* Who polls asks after every look, and mostly nothing was called in between. */
bool sw_session_next(struct sw_session *s, struct sw_action *out)
{
    if (s->is_settled)
        return false;
    s->is_settled = !sw_next_action(s, out);
    return !s->is_settled;
}
