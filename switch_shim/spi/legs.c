/* legs.c - the carriers of a socket: how they come, how the socket parts with one, and what they report. */
#include <stdlib.h>

#include "spi/share.h"

struct sw_leg *sw_leg_new(struct sw_sock *s, bool is_san)
{
    struct sw_leg *leg = calloc(1, sizeof(*leg));

    if (leg == NULL)
        return NULL;
    leg->sock = s;
    leg->is_san = is_san;
    leg->linger_ms = SW_SESSION_LINGER_FOREVER;
    sw_sock_hold(s);
    pal_mutex_lock(&s->lock);
    s->legs_left++;
    pal_mutex_unlock(&s->lock);
    return leg;
}

static void leg_gone(struct sw_leg *leg, int error)
{
    struct sw_sock *s = leg->sock;

    free(leg);
    pal_mutex_lock(&s->lock);
    s->legs_left--;
    if (error != 0)
        s->closed_error = error;
    pal_cond_broadcast(&s->changed);
    pal_mutex_unlock(&s->lock);
    sw_sock_release(s);
}

void sw_leg_move(struct sw_leg *leg, struct sw_sock *to)
{
    struct sw_sock *from = leg->sock;

    sw_sock_hold(to);
    pal_mutex_lock(&to->lock);
    to->legs_left++;
    pal_mutex_unlock(&to->lock);
    leg->sock = to;
    pal_mutex_lock(&from->lock);
    from->legs_left--;
    pal_mutex_unlock(&from->lock);
    sw_sock_release(from);
}

void sw_leg_free_unused(struct sw_leg *leg)
{
    leg_gone(leg, 0);
}

void sw_leg_retire_locked(struct sw_sock *s, struct sw_leg *leg, uint32_t linger_ms)
{
    PAL_ASSERT_HELD(&s->lock);
    leg->linger_ms = linger_ms;
    leg->is_retired = true;
    leg->next = s->retired;
    s->retired = leg;
    atomic_fetch_or_explicit(&s->use, SW_USE_RETIRE, memory_order_acq_rel);
}

/* --- what carriers report --- */

static void completed(void *owner, struct sw_request *r)
{
    struct sw_io *io = (struct sw_io *)r;

    (void)owner;
    if (r->op.error == SW_E_MOVED)
        sw_share_stranded(io);
    else
        io->over(io);
}

static void events(void *owner, uint32_t happened, int error)
{
    struct sw_leg *leg = owner;

    if ((happened & FD_CONNECT) != 0)
        sw_connect_event(leg, error);
    if ((happened & FD_ACCEPT) != 0 && leg->is_san)
        sw_share_arrived(leg->sock);
    if ((happened & FD_ACCEPT) != 0)
        sw_accept_event(leg->sock);
    happened &= ~(uint32_t)(FD_CONNECT | FD_ACCEPT);
    if (happened != 0)
        sw_events_of_leg(leg, happened, error);
}

static void closed(void *owner, int error)
{
    leg_gone(owner, error);
}

const struct sw_carrier_up sw_leg_up = {completed, events, closed};
