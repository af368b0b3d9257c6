/* sw_alert.h - a call that blocks, and lets the calls queued to its thread run meanwhile (completion routines, QueueUserAPC), as a Winsock
 * call does that has to wait (page of WSARecv, "performs an alertable wait"; B096, B097).
 * Layer:   switch_shim, private; used by spi/ and winsock/, done by sw_thread.c.
 * Threads: begin and end in the thread that blocks; raise() in whichever queues a call.
 * How:     between begin and end raise() is called for each call that is queued, at once if there are some already. It wakes the sleeper, who runs
 *          them by sw_thread_run_calls() with no lock held, and sleeps again. A queued call may block itself: alerts nest.
 * Locks:   a bucket of threads -> what raise() takes. Nobody may queue a call, begin or end under that.
 * Windows: as a base provider of Windows' own Ws2_32 nothing is queued here: calls queued to a thread are the system's. They run in the
 *          sleep itself, which is alertable (pal_cond_wait_alertably(), pal_wait_alertably()), and end it. */
#ifndef SW_ALERT_H
#define SW_ALERT_H

struct sw_thread_object;

struct sw_alert {
    void (*raise)(struct sw_alert *self);
    /* sw_thread.c's */
    struct sw_alert *outer;
    struct sw_thread_object
        *thread; /* a reference; NULL: nobody has opened this thread's id, so nothing can be queued */
};

/* No lock may be held, in both. */
void sw_alert_begin(struct sw_alert *a);
void sw_alert_end(struct sw_alert *a);
unsigned sw_thread_run_calls(void); /* what is queued to this thread; how many ran. No lock may be held */

#endif
