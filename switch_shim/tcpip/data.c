/* data.c - requests: tried at once, queued, served in order, taken back; and the end of sending, which comes after them. */
#include "tcpip/tcp.h"

enum { EMPTY_LOOKS_MOST = 3, LOOK_AGAIN = 16 };

/* It is over: its waiter wakes up, or it goes to `told`, which tcp_leave() delivers without the lock. */
void tcp_finish_locked(struct tcp *t, struct sw_request *r, int error, struct tcp_queue *told)
{
    r->op.error = error;
    r->state = TCP_OVER;
    if (!r->is_waited) {
        tcp_queue_push(told, r);
        return;
    }
    for (struct tcp_waiter *w = t->waiters; w != NULL; w = w->next)
        if (w->request == r)
            tcp_os_ring(w->alarm);
}

/* --- serving -------------------------------------------------------------------------------------------- */

static void serve_queue_locked(struct tcp *t, struct tcp_queue *q, struct tcp_queue *told)
{
    while (q->head != NULL) {
        int code = tcp_run_locked(t, q->head);

        if (code == WSAEWOULDBLOCK)
            return;
        tcp_finish_locked(t, tcp_queue_pop(q), code, told);
    }
}

static bool has_sent_all(const struct tcp *t)
{
    return t->rest == NULL && t->send.head == NULL;
}

static int end_sending_locked(struct tcp *t)
{
    if (!t->is_end_due || !has_sent_all(t))
        return 0;
    t->is_end_due = false;
    return tcp_os_shutdown(t->s, SD_SEND);
}

void tcp_serve_locked(struct tcp *t, struct tcp_queue *told)
{
    if (tcp_push_rest_locked(t))
        serve_queue_locked(t, &t->send, told);
    (void)end_sending_locked(t); /* shutdown() has answered long ago */
    serve_queue_locked(t, &t->recv, told);
}

/* windows.md, trap 6: SD_RECEIVE leaves a pending receive alive; the system would end it, so it is not told.
 * Source: shutdown() page: what was sent before goes first; again is no error (B134). */
int tcp_shutdown(struct sw_carrier *c, int how)
{
    struct tcp *t = tcp_of(c);
    int code = 0;

    pal_mutex_lock(&t->lock);
    if (tcp_is_stream(t) && !t->is_connected) {
        code = WSAENOTCONN;
    } else if (how != SD_RECEIVE && !t->is_send_shut) {
        t->is_end_due = tcp_is_stream(t);
        code = end_sending_locked(t);
        t->is_send_shut = code == 0;
    }
    t->is_recv_shut |= code == 0 && how != SD_SEND;
    pal_mutex_unlock(&t->lock);
    return code;
}

/* --- submitting ----------------------------------------------------------------------------------------- */

static int refuse_locked(const struct tcp *t, const struct sw_request *r)
{
    if (t->is_closing)
        return WSA_OPERATION_ABORTED;
    if (tcp_is_stream(t) && !t->is_connected)
        return WSAENOTCONN;
    if (r->kind == SW_REQUEST_SEND && r->address == NULL && !t->is_connected && !t->is_shared)
        return WSAENOTCONN; /* a datagram to nobody */
    if (r->kind == SW_REQUEST_SEND ? t->is_send_shut : t->is_recv_shut)
        return WSAESHUTDOWN;                          /* B136 */
    return r->kind == SW_REQUEST_SEND ? t->error : 0; /* what arrived before can still be received */
}

/* A receive somebody waits for: when the last looks were in vain, sleep at once. */
static bool may_look_locked(struct tcp *t, const struct sw_request *r)
{
    if (!r->is_waited || r->kind != SW_REQUEST_RECEIVE || t->empty_looks < EMPTY_LOOKS_MOST)
        return true;
    return ++t->empty_looks % LOOK_AGAIN == 0;
}

static void note_look_locked(struct tcp *t, const struct sw_request *r, int code)
{
    if (!r->is_waited || r->kind != SW_REQUEST_RECEIVE)
        return;
    if (code == WSAEWOULDBLOCK)
        t->empty_looks += t->empty_looks < EMPTY_LOOKS_MOST;
    else
        t->empty_looks = 0;
}

static struct tcp_queue *queue_of(struct tcp *t, const struct sw_request *r)
{
    return r->kind == SW_REQUEST_SEND ? &t->send : &t->recv;
}

static int try_locked(struct tcp *t, struct sw_request *r)
{
    const bool is_urgent_receive = r->kind == SW_REQUEST_RECEIVE && (r->flags & WS_MSG_OOB) != 0;
    int code;

    if (r->kind == SW_REQUEST_SEND && !tcp_push_rest_locked(t))
        return WSAEWOULDBLOCK;
    if (!is_urgent_receive && queue_of(t, r)->head != NULL)
        return WSAEWOULDBLOCK;
    code = tcp_run_locked(t, r);
    if (code == WSAEWOULDBLOCK && is_urgent_receive)
        return WSAEINVAL; /* no urgent byte: recv with MSG_OOB never waits for one */
    return code;
}

int tcp_submit(struct sw_carrier *c, struct sw_request *r)
{
    struct tcp *t = tcp_of(c);
    int code;

    pal_mutex_lock(&t->lock);
    tcp_measure(
        r); /* under the lock: who calls off an operation of several requests may ask for this one before it is here */
    code = refuse_locked(t, r);
    if (code == 0)
        code = may_look_locked(t, r) ? try_locked(t, r) : WSAEWOULDBLOCK;
    note_look_locked(t, r, code);
    if (code == WSAEWOULDBLOCK) {
        r->state = TCP_QUEUED;
        tcp_queue_push(queue_of(t, r), r);
        t->unfetched += r->is_waited;
        code = WSA_IO_PENDING;
    }
    if (t->wanted != 0 || (code == WSA_IO_PENDING && !r->is_waited))
        tcp_leave(t, NULL);
    else
        pal_mutex_unlock(&t->lock); /* who waits looks after it himself */
    return code;
}

int tcp_now(struct sw_carrier *c, struct sw_request *r)
{
    struct tcp *t = tcp_of(c);
    int code;

    tcp_measure(r);
    pal_mutex_lock(&t->lock);
    code = refuse_locked(t, r);
    if (code == 0)
        code = try_locked(t, r);
    if (code == WSAEWOULDBLOCK && r->op.taken > 0) { /* a stream took some, either way */
        r->op.bytes = r->kind == SW_REQUEST_SEND && tcp_keep_rest_locked(t, r) ? r->op.total : r->op.taken;
        code = 0;
    }
    if (t->wanted != 0 || t->rest != NULL)
        tcp_leave(t, NULL);
    else
        pal_mutex_unlock(&t->lock);
    return code;
}

/* A MSG_WAITALL that has some is over with what it has. A send of which some has gone ends with that count, and the stream is
 * where nobody can tell: who takes back a send closes (send() page, SO_SNDTIMEO). */
bool tcp_cancel(struct sw_carrier *c, struct sw_request *r)
{
    struct tcp *t = tcp_of(c);
    struct tcp_queue told;
    bool is_taken = false;

    tcp_queue_init(&told);
    pal_mutex_lock(&t->lock);
    if (r->state == TCP_QUEUED && tcp_queue_take_out(queue_of(t, r), r)) {
        is_taken = r->kind == SW_REQUEST_SEND || r->op.taken == 0;
        r->op.bytes = r->op.taken;
        tcp_finish_locked(t, r, is_taken ? WSA_OPERATION_ABORTED : 0, &told);
    }
    tcp_leave(t, &told);
    return is_taken;
}
