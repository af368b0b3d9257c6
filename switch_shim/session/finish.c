/* finish.c - half close, graceful and abortive close, keep-alive, and the one way into DEAD.
 * Source: PROTOCOL.md 9, 11; contract 8.8, 8.11, 10.3. */
#include "session/internal.h"

void sw_keepalive_start(struct sw_session *s)
{
    s->heard = true;
    s->probes = 0;
    sw_arm(s, SW_TIMER_KEEPALIVE, s->cfg.keepalive_ms);
}

void sw_session_keepalive(struct sw_session *s, uint32_t idle_ms, uint32_t step_ms, uint32_t probes)
{
    sw_stir(s);
    s->cfg.keepalive_ms = idle_ms;
    s->cfg.keepalive_step_ms = step_ms;
    s->cfg.keepalive_probes = probes;
    if (s->state < SW_ST_OPEN || s->state == SW_ST_DEAD || s->state == SW_ST_MOVED)
        return; /* it begins when the session opens */
    if (idle_ms == 0)
        sw_disarm(s, SW_TIMER_KEEPALIVE);
    else
        sw_keepalive_start(s);
}

void sw_session_ping(struct sw_session *s)
{
    sw_stir(s);
    if (sw_state_may_send_data(s->state) && !s->close_wanted && !s->close_got)
        s->due.ping = true;
}

/* The first cause counts. What runs on the application's memory ends first, everything else now. */
void sw_end(struct sw_session *s, int cause, bool graceful)
{
    int error = cause != 0 ? cause : WSAECONNRESET;

    if (s->state == SW_ST_DEAD || s->state == SW_ST_MOVED)
        return;
    sw_move_state(s, SW_EV_END);
    s->cause = cause;
    s->is_graceful = graceful;
    s->close_due = true;
    for (unsigned t = 0; t < SW_TIMER_COUNT; t++)
        sw_disarm(s, (enum sw_timer)t);
    sw_fail_sends(s, error);
    sw_out_drop(s, error);
    sw_in_drop(s);
    sw_deliver(s);
    sw_fail_receives(s, s->rx.shut ? 0 : error);
    s->move_due = s->opened_due = false;
    if (!s->close_event_raised && !s->close_wanted && !graceful) {
        s->close_event_raised = true;
        s->close_event_error = cause == WSAECONNRESET ? WSAECONNABORTED : cause; /* windows.md trap 5 */
        s->events |= FD_CLOSE;
    }
}

static bool reader_is_idle(const struct sw_session *s)
{
    return s->rx.step.state == SW_STEP_IDLE && !s->rx.stopped_due;
}

/* Whether the next mark of the end is due; after every event. */
void sw_check_end(struct sw_session *s)
{
    if (s->state == SW_ST_OPEN && s->close_wanted) /* it waited for RESUME */
        sw_move_state(s, SW_EV_CLOSE);
    if (s->state == SW_ST_REFUSING && s->is_hello_sent && s->tx.in_flight == 0)
        sw_end(s, WSAECONNABORTED, false);
    if (s->close_sent) {
        if (s->close_got && s->tx.in_flight == 0)
            sw_end(s, 0, true);
        return;
    }
    if (s->state == SW_ST_CLOSING && sw_all_sent(s)) {
        /* what is being fetched ends first: the peer's memory must not be in use when it takes it back */
        if (reader_is_idle(s))
            s->due.close = true;
    } else if (s->state == SW_ST_ENDING && sw_out_is_idle(s) && reader_is_idle(s)) {
        s->due.close = true;
    }
}

/* The peer's application has closed: nobody will read what we send. */
void sw_close_came(struct sw_session *s)
{
    const bool answer = s->close_sent;

    s->close_got = true;
    sw_move_state(s, SW_EV_CLOSE_IN);
    s->due.suspend = s->due.ping = s->due.answer = false;
    sw_in_drop(s); /* there are some only when this answers our own CLOSE */
    s->rx.announced = s->rx.position;
    s->rx.shut = true;
    if (!s->close_event_raised && !s->close_wanted) {
        s->close_event_raised = true;
        s->close_event_error = 0;
        s->events |= FD_CLOSE;
    }
    if (!answer) {
        sw_fail_sends(s, WSAECONNRESET);
        sw_out_drop(s, WSAECONNRESET);
    }
    sw_deliver(s);
}

int sw_session_shutdown(struct sw_session *s, int how)
{
    sw_stir(s);
    if (how != SD_SEND && how != SD_RECEIVE && how != SD_BOTH)
        return WSAEINVAL; /* B133 */
    if (s->state < SW_ST_OPEN)
        return WSAENOTCONN;
    if (s->state >= SW_ST_DRAINING && s->state <= SW_ST_MOVED)
        return WSATRY_AGAIN;
    if (how != SD_RECEIVE)
        s->tx.shut_wanted = true; /* twice is no mistake, B134 */
    if (how != SD_SEND) {
        s->rx.discard = true;
        sw_deliver(s);
    }
    sw_work(s);
    return 0;
}

/* Bytes, or a transfer, that the application has not fetched and now never will. The end of the stream is no byte. */
static bool has_unread(const struct sw_session *s)
{
    return s->state >= SW_ST_OPEN && (sw_session_readable(s) != 0 || s->rx.in_count != 0);
}

int sw_session_close(struct sw_session *s, uint32_t linger_ms)
{
    sw_stir(s);
    if (s->state >= SW_ST_SUSPEND_SENT && s->state <= SW_ST_MOVED)
        return WSATRY_AGAIN;
    if (has_unread(s)) /* as TCP: who sent them is not to believe that they were read */
        linger_ms = 0;
    s->close_wanted = true;
    s->rx.discard = true;
    if (s->state < SW_ST_OPEN || linger_ms == 0) {
        sw_end(s, WSA_OPERATION_ABORTED, false);
    } else if (s->state != SW_ST_DEAD) {
        sw_fail_receives(s, WSA_OPERATION_ABORTED);
        sw_deliver(s);
        s->due.suspend = false;
        if (s->state == SW_ST_OPEN || s->state == SW_ST_DRAINING)
            sw_move_state(s, SW_EV_CLOSE);
        if (linger_ms != SW_SESSION_LINGER_FOREVER)
            sw_arm(s, SW_TIMER_LINGER, linger_ms);
    }
    sw_work(s);
    return 0;
}
