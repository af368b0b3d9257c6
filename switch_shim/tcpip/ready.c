/* ready.c - what a socket is ready for, what the engine has to watch, and telling.
 * FD_CLOSE is true as soon as the peer's end is seen, unread bytes or not (B170), and the socket stays writable until an error
 * (B187). Bytes that are there, an end or an error are reported by the system again and again: so nothing that is true already
 * is ever watched, and nothing that cannot become true any more. */
#include "tcpip/tcp.h"

/* A stream that can be read: bytes, the end, or an error? */
static void look_at_stream_locked(struct tcp *t, struct sw_ready *out)
{
    uint8_t byte;
    struct pal_iov iov = {&byte, 1};
    size_t done = 0;
    int code = tcp_os_recv(t->s, &iov, 1, WS_MSG_PEEK, NULL, NULL, &done);

    if (code == 0 && done > 0) {
        out->events |= FD_READ;
        return;
    }
    if (code == 0)
        (void)tcp_ended_locked(t);
    else
        tcp_note_broken(t, code);
}

static void ready_stream_locked(struct tcp *t, unsigned what, struct sw_ready *out)
{
    t->is_peer_done |= (what & PAL_HANGUP) != 0;
    t->is_dead |= (what & TCP_DEAD) != 0;
    if ((what & (PAL_READABLE | TCP_DEAD)) != 0)
        look_at_stream_locked(t, out);
    if (t->is_peer_done)
        out->events |= FD_CLOSE;
    /* windows.md, trap 5: after a reset the event says WSAECONNABORTED */
    out->close_error = t->error == WSAECONNRESET ? WSAECONNABORTED : t->error;
    if ((what & PAL_URGENT) != 0 && !t->is_oob_inline)
        out->events |= FD_OOB;
}

static struct sw_ready ready_locked(struct tcp *t)
{
    struct sw_ready out = {0, t->connect_error, 0};
    unsigned what;

    if (t->is_connecting || (tcp_is_stream(t) && !t->is_connected && !t->is_listening))
        return out;
    what = tcp_os_look(t->s);
    if (t->is_listening) {
        out.events = (what & PAL_READABLE) != 0 ? FD_ACCEPT : 0;
        return out;
    }
    if (tcp_is_stream(t))
        ready_stream_locked(t, what, &out);
    else if ((what & PAL_READABLE) != 0 || t->has_reset)
        out.events |= FD_READ;
    if (t->recv.head != NULL) /* the bytes are that one's (B162) */
        out.events &= ~(uint32_t)FD_READ;
    if (((what & PAL_WRITABLE) != 0 || t->error != 0) && t->rest == NULL && t->send.head == NULL)
        out.events |= FD_WRITE;
    return out;
}

static unsigned for_events_locked(const struct tcp *t)
{
    unsigned what = 0;

    if ((t->wanted & (FD_READ | FD_ACCEPT)) != 0 && !t->is_peer_done)
        what |= PAL_READABLE;
    if ((t->wanted & FD_CLOSE) != 0 && tcp_is_stream(t) && t->is_connected && !t->is_peer_done)
        what |= PAL_HANGUP;
    if ((t->wanted & FD_WRITE) != 0)
        what |= PAL_WRITABLE;
    if ((t->wanted & FD_OOB) != 0 && !t->is_oob_inline)
        what |= PAL_URGENT;
    return what;
}

/* What the engine has to watch for: what is queued and neither a waiter sleeps for nor a program asks for, and what is wanted. */
static unsigned engine_share_locked(const struct tcp *t)
{
    unsigned what = 0;

    if (t->is_connecting)
        return PAL_WRITABLE;
    if (tcp_is_stream(t) && !t->is_connected && !t->is_listening)
        return 0; /* the system reports such a one as hung up */
    if (!t->is_driven && (t->rest != NULL || t->send.head != NULL))
        what |= PAL_WRITABLE;
    if (!t->is_driven && t->recv.head != NULL)
        what |= PAL_READABLE;
    for (const struct tcp_waiter *w = t->waiters; w != NULL; w = w->next)
        what &= ~w->what;
    return t->is_dead ? what : what | for_events_locked(t);
}

/* Takes from `wanted` what has become true, and arms the engine anew. */
static uint32_t update_locked(struct tcp *t, int *error)
{
    struct sw_ready ready = {0, 0, 0};
    uint32_t hit = 0;

    if (t->is_final)
        return 0;
    if (t->wanted != 0) {
        ready = ready_locked(t);
        hit = ready.events & t->wanted;
        t->wanted &= ~hit;
    }
    if (!tcp_engine_arm_locked(t, engine_share_locked(t)) && t->error == 0)
        t->error = WSAENOBUFS;
    *error = ready.close_error;
    return hit;
}

void tcp_leave(struct tcp *t, struct tcp_queue *told)
{
    int error = 0;
    uint32_t hit = update_locked(t, &error);

    if (hit == 0 && (told == NULL || told->head == NULL)) {
        pal_mutex_unlock(&t->lock);
        return;
    }
    pal_add_relaxed(&t->refs, 1u); /* what is called up may close it */
    pal_mutex_unlock(&t->lock);
    while (told != NULL && told->head != NULL)
        t->pub.up->completed(t->pub.owner, tcp_queue_pop(told));
    if (hit != 0)
        t->pub.up->events(t->pub.owner, hit, error);
    tcp_release(t);
}

struct sw_ready tcp_ready(struct sw_carrier *c)
{
    struct tcp *t = tcp_of(c);
    struct sw_ready out;

    pal_mutex_lock(&t->lock);
    out = ready_locked(t);
    pal_mutex_unlock(&t->lock);
    return out;
}

void tcp_want(struct sw_carrier *c, uint32_t events)
{
    struct tcp *t = tcp_of(c);

    pal_mutex_lock(&t->lock);
    if (!t->is_closing)
        t->wanted |= events & (FD_READ | FD_WRITE | FD_OOB | FD_ACCEPT | FD_CLOSE);
    tcp_leave(t, NULL);
}

/* --- what the engine finds ------------------------------------------------------------------------------ */

static bool end_connecting_locked(struct tcp *t)
{
    t->connect_error = tcp_os_take_error(t->s);
    if (t->connect_error == 0 && (tcp_os_look(t->s) & PAL_WRITABLE) == 0)
        return false; /* a false alarm */
    t->is_connecting = false;
    if (t->connect_error == 0)
        tcp_connected_locked(t);
    return true;
}

/* A reference is held, so that close() may come meanwhile. */
void tcp_event(struct tcp *t)
{
    struct tcp_queue told;
    bool has_connected = false;
    int connect_error;

    tcp_queue_init(&told);
    pal_mutex_lock(&t->lock);
    if (t->armed == 0) { /* removed while we came */
        pal_mutex_unlock(&t->lock);
        return;
    }
    if (t->is_connecting) {
        has_connected = end_connecting_locked(t);
    } else {
        t->drives = 0;
        if (tcp_is_stream(t) && !t->is_listening)
            t->is_dead |= (tcp_os_look(t->s) & TCP_DEAD) != 0;
        tcp_serve_locked(t, &told);
        if (t->is_closing)
            tcp_finalize_locked(t);
    }
    connect_error = t->connect_error;
    tcp_leave(t, &told);
    if (has_connected)
        t->pub.up->events(t->pub.owner, FD_CONNECT, connect_error);
}
