/* driven.c - sockets whose program asks for its overlapped results again and again. What is queued there is served by who asks, and
 * the engine's set does not have it: else both would move each piece of a large transfer, and every other piece would wait until
 * the engine's thread has a processor, which the program that asks may just be using up. A program that stops asking is noticed by
 * the engine's tick. Source: contract 4.12 for what asking does; how, is our choice. */
#include "tcpip/tcp.h"

#define DRIVES_BEFORE                                                                                        \
    16u /* in a row, without the engine having had anything to do for the socket; our choice */

static bool is_something_queued(const struct tcp *t)
{
    return t->rest != NULL || t->send.head != NULL || t->recv.head != NULL;
}

static bool becomes_driven_locked(struct tcp *t)
{
    if (t->is_driven || ++t->drives < DRIVES_BEFORE || !tcp_engine_start())
        return false; /* without a thread nobody would notice that it stopped asking */
    t->is_driven = true;
    pal_add_relaxed(&t->refs, 1u); /* the list's */
    return true;
}

void tcp_drive(struct sw_carrier *c)
{
    struct tcp *t = tcp_of(c);
    struct tcp_queue told;
    bool is_new;

    tcp_queue_init(&told);
    pal_mutex_lock(&t->lock);
    t->is_visited = true;
    if (t->is_closing || !is_something_queued(t)) {
        pal_mutex_unlock(&t->lock);
        return;
    }
    tcp_serve_locked(t, &told);
    is_new = becomes_driven_locked(t);
    if (is_new || told.head != NULL || t->wanted != 0)
        tcp_leave(t, &told);
    else
        pal_mutex_unlock(&t->lock);
    if (is_new)
        tcp_engine_drive(t);
}

bool tcp_driven_look(struct tcp *t)
{
    bool is_over;

    pal_mutex_lock(&t->lock);
    is_over = !t->is_visited || t->is_closing;
    t->is_visited = false;
    if (is_over) {
        t->is_driven = false;
        t->drives = 0;
        tcp_leave(t, NULL); /* the engine takes over */
    } else {
        pal_mutex_unlock(&t->lock);
    }
    return is_over;
}
