/* sw_wait.h - one thread that waits for the first of several things: events, calls queued to it, packets.
 * Layer:   switch_shim, private.
 * How:     whoever may wake the thread keeps a node in a list of its own, and calls sw_waiter_wake() while it holds the lock of that
 *          list. The thread puts its nodes in, looks whether it has what it wants, sleeps, and takes them out again.
 * Locks:   the owner of a list -> sw_waiter.lock. */
#ifndef SW_WAIT_H
#define SW_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "pal/mutex.h"

struct sw_waiter {
    struct pal_mutex lock; /* guards is_awake */
    struct pal_cond woken;
    bool is_awake;
};

struct sw_wait_node {
    struct sw_wait_node *next;
    struct sw_waiter *waiter;
};

bool sw_waiter_init(struct sw_waiter *w); /* false: the system is out of resources */
void sw_waiter_fini(struct sw_waiter *w);
void sw_waiter_wake(struct sw_waiter *w);
/* True: woken since it last returned. False: the deadline (UINT64_MAX: none) has passed. */
bool sw_waiter_sleep(struct sw_waiter *w, uint64_t deadline_ns);

/* The three under the lock of the list. */
void sw_wait_enlist(struct sw_wait_node **list, struct sw_wait_node *node, struct sw_waiter *w);
void sw_wait_delist(struct sw_wait_node **list, struct sw_wait_node *node);
void sw_wait_wake_all(struct sw_wait_node *list);

#endif
