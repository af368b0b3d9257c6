/* close.c - the end of a socket. What was accepted still travels unless it is abortive; the kernel does that in the background once it has
 * everything, the engine before. Source: contract 10.3, close and linger; closesocket() page. */
#include <stdlib.h>

#include "pal/time.h"
#include "tcpip/tcp.h"

void tcp_release(struct tcp *t)
{
    const struct sw_carrier_up *up;
    void *owner;
    int result;

    if (pal_sub_acq_rel(&t->refs, 1u) != 1)
        return;
    up = t->pub.up;
    owner = t->pub.owner;
    result = t->close_result;
    tcp_os_close(t->s, t->is_abortive);
    free(t->rest);
    pal_mutex_fini(&t->lock);
    free(t);
    up->closed(owner, result);
}

void tcp_finalize_locked(struct tcp *t)
{
    if (t->is_final || t->is_lingering || t->unfetched != 0 ||
        (!t->is_abortive && (t->rest != NULL || t->send.head != NULL)))
        return;
    t->is_final = true;
    (void)tcp_engine_arm_locked(t, 0);
    (void)pal_sub_acq_rel(&t->refs, 1u); /* never the last: the caller has one of its own */
}

static void abort_queue_locked(struct tcp *t, struct tcp_queue *q, struct tcp_queue *told)
{
    while (q->head != NULL) {
        struct sw_request *r = tcp_queue_pop(q);

        r->op.bytes = r->op.taken;
        tcp_finish_locked(t, r, WSA_OPERATION_ABORTED, told);
    }
}

/* A thread that waits for its send must not wait for a peer that may never read; what lies behind it cannot be sent without it. */
static void abort_waited_sends_locked(struct tcp *t, struct tcp_queue *told)
{
    struct tcp_queue all = t->send;
    bool aborts = false;

    if (all.head == NULL)
        return;
    tcp_queue_init(&t->send);
    while (all.head != NULL) {
        struct sw_request *r = tcp_queue_pop(&all);

        aborts |= r->is_waited;
        if (!aborts) {
            tcp_queue_push(&t->send, r);
            continue;
        }
        r->op.bytes = r->op.taken;
        tcp_finish_locked(t, r, WSA_OPERATION_ABORTED, told);
    }
}

static void begin_linger_locked(struct tcp *t, uint32_t linger_ms)
{
    t->is_lingering = true;
    t->linger_until_ns = pal_now_ns() + (uint64_t)linger_ms * 1000000u;
    if (t->rest == NULL && t->send.head == NULL)
        (void)tcp_os_shutdown(t->s, SD_SEND);
    else
        t->is_end_due = true;
    pal_add_relaxed(&t->refs, 1u); /* the list's */
}

void tcp_close(struct sw_carrier *c, uint32_t linger_ms)
{
    struct tcp *t = tcp_of(c);
    const bool is_all = linger_ms == SW_CLOSE_ALL;
    struct tcp_queue told;
    bool lingers;

    if (is_all)
        linger_ms = 0;
    tcp_queue_init(&told);
    pal_mutex_lock(&t->lock);
    pal_add_relaxed(&t->refs, 1u); /* ours, to the end of this function */
    t->is_closing = true;
    t->is_connecting = false;
    t->is_driven = false; /* what is left of its sends is the engine's; the tick takes it off the list */
    t->wanted = 0;
    t->is_abortive = linger_ms == 0 && tcp_is_stream(t) && !(is_all && t->is_shared);
    abort_queue_locked(t, &t->recv, &told);
    if (linger_ms == 0)
        abort_queue_locked(t, &t->send, &told);
    else
        abort_waited_sends_locked(t, &told);
    lingers = tcp_is_stream(t) && t->is_connected && !t->is_shared && linger_ms != 0 &&
              linger_ms != SW_SESSION_LINGER_FOREVER;
    if (lingers)
        begin_linger_locked(t, linger_ms);
    tcp_finalize_locked(t);
    tcp_leave(t, &told);
    if (lingers)
        tcp_engine_linger(t);
    tcp_release(t);
}

/* Has the peer acknowledged everything? A connection that broke has nothing to wait for either. */
static bool is_linger_over_locked(struct tcp *t)
{
    if (t->rest != NULL || t->send.head != NULL)
        return false;
    if (t->error == 0)
        tcp_note_broken(t, tcp_os_take_error(t->s));
    return t->error != 0 || tcp_os_unsent(t->s) == 0;
}

bool tcp_linger_look(struct tcp *t, uint64_t now_ns)
{
    struct tcp_queue told;
    bool is_over;

    tcp_queue_init(&told);
    pal_mutex_lock(&t->lock);
    is_over = is_linger_over_locked(t);
    if (!is_over && now_ns >= t->linger_until_ns) {
        is_over = true;
        t->is_abortive = true;
        t->close_result = WSAETIMEDOUT;
        abort_queue_locked(t, &t->send, &told);
    }
    if (is_over) {
        t->is_lingering = false;
        tcp_finalize_locked(t);
    }
    tcp_leave(t, &told);
    return is_over;
}
