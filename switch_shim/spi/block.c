/* block.c - threads that block: time-outs, the blocking hook, WSPCancelBlockingCall (contract 10.1, 4; 10.2, 8).
 * Without a hook a thread sleeps in the carrier or on the socket's condition; calls queued to it run meanwhile (B097). With one it wakes every few milliseconds to call it; the
 * hook saying FALSE, or WSPCancelBlockingCall from inside it, ends the call with WSAEINTR. */
#include "pal/thread.h"
#include "spi/spi.h"

#include <string.h>

#define HOOK_NS 5000000u /* between two calls of the hook: our choice */

static PAL_THREAD_LOCAL struct sw_blocker *innermost;

/* A call was queued to the thread that blocks in it. */
static void alert(struct sw_alert *a)
{
    sw_interrupt_raise(&((struct sw_blocker *)(void *)a)->interrupt);
}

void sw_block_begin(struct sw_blocker *b, uint32_t timeout_ms)
{
    memset(b, 0, sizeof(*b));
    b->alert.raise = alert;
    b->deadline_ns = timeout_ms == 0 ? UINT64_MAX : pal_now_ns() + (uint64_t)timeout_ms * 1000000u;
    b->hook = sw_up_blocking_hook(&b->hook_context);
    b->outer = innermost;
    innermost = b;
    sw_alert_begin(&b->alert);
}

void sw_block_end(struct sw_blocker *b)
{
    sw_alert_end(&b->alert);
    sw_block_set_poke(b, NULL, NULL);
    innermost = b->outer;
}

void sw_block_set_poke(struct sw_blocker *b, void (*poke)(struct sw_interrupt *), void *sleeper)
{
    struct sw_interrupt *i = &b->interrupt;

    while (pal_swap_acq_rel(&i->lock_word, 1u) != 0)
        pal_thread_yield(); /* sw_interrupt_raise() holds it for the poke */
    i->poke = poke;
    i->sleeper = sleeper;
    pal_store_release(&i->lock_word, 0u); /* publishes both */
}

bool sw_block_run_calls(struct sw_blocker *b)
{
    if (b->is_cancelled || pal_swap_acq_rel(&b->interrupt.raised, 0u) == 0)
        return false;
    (void)sw_thread_run_calls();
    return true;
}

int WSPAPI sw_spi_cancel_blocking_call(LPINT error)
{
    if (!sw_spi_is_started())
        return SW_RESULT(error, WSANOTINITIALISED);
    if (innermost == NULL)
        return SW_RESULT(error, WSAEINVAL); /* this thread blocks nowhere */
    innermost->is_cancelled = true;
    sw_interrupt_raise(&innermost->interrupt);
    return 0;
}

uint64_t sw_block_slice(const struct sw_blocker *b)
{
    uint64_t until;

    if (b->hook == NULL)
        return b->deadline_ns;
    until = pal_now_ns() + HOOK_NS;
    return until < b->deadline_ns ? until : b->deadline_ns;
}

/* The slice is over: 0: go on. No lock held. */
int sw_block_after_slice(struct sw_blocker *b)
{
    if (b->hook != NULL && !b->is_cancelled && !b->hook(b->hook_context))
        b->is_cancelled = true;
    if (b->is_cancelled)
        return WSAEINTR;
    return b->deadline_ns != UINT64_MAX && pal_now_ns() >= b->deadline_ns ? WSAETIMEDOUT : 0;
}

static void poke_socket(struct sw_interrupt *i)
{
    struct sw_sock *s = i->sleeper;

    pal_mutex_lock(&s->lock);
    pal_cond_broadcast(&s->changed);
    pal_mutex_unlock(&s->lock);
}

int sw_block_on_change_locked(struct sw_sock *s, struct sw_blocker *b)
{
    uint64_t until = sw_block_slice(b);
    int stop;

    if (b->is_cancelled)
        return WSAEINTR;
    if (b->interrupt.sleeper != s) { /* the poke takes the socket's lock, so it is set without */
        pal_mutex_unlock(&s->lock);
        sw_block_set_poke(b, poke_socket, s);
        pal_mutex_lock(&s->lock);
        return 0;
    }
    if (pal_load_acquire(&b->interrupt.raised) != 0) {
        pal_mutex_unlock(&s->lock);
        (void)sw_block_run_calls(b);
        pal_mutex_lock(&s->lock);
        return 0;
    }
    if (pal_cond_wait_alertably(&s->changed, &s->lock, until))
        return 0;
    pal_mutex_unlock(&s->lock);
    stop = sw_block_after_slice(b);
    pal_mutex_lock(&s->lock);
    return stop;
}

int sw_block_on_request(struct sw_sock *s, struct sw_carrier *c, struct sw_request *r, uint32_t timeout_ms,
                        bool *is_gone)
{
    struct sw_interrupt patient = {0};
    struct sw_blocker b;
    int stop = 0;

    sw_block_begin(&b, timeout_ms);
    sw_sock_park(s);
    while (c->ops->wait(c, r, stop != 0 ? UINT64_MAX : sw_block_slice(&b),
                        stop != 0 ? &patient : &b.interrupt) != 0) {
        if (stop != 0 || sw_block_run_calls(&b))
            continue;
        stop = sw_block_after_slice(&b);
        if (stop != 0 && sw_sock_enter(s)) { /* closing cancels by itself */
            (void)c->ops->cancel(c, r);
            sw_sock_leave(s);
        }
    }
    sw_block_end(&b);
    *is_gone = !sw_sock_enter(s);
    sw_sock_release(s);
    /* called off, and the connection had to end for it: the caller is told why, not how (SO_SNDTIMEO) */
    if (stop != 0 && r->op.error != 0 && r->op.error != WSA_OPERATION_ABORTED)
        return stop;
    if (r->op.error != WSA_OPERATION_ABORTED)
        return r->op.error;
    if (r->op.bytes > 0)
        return 0;                       /* part of it was done before it was called off */
    return stop != 0 ? stop : WSAEINTR; /* closed in another thread: Winsock names it like a cancelled call */
}
