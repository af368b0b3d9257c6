/* vb_fault.h - making verbs calls fail on purpose, for tests and tools.
 *
 * Layer:    verbs_backend; the hook "fault" (hook/). Works on every backend opened as "NAME+fault...".
 *
 * Threads:  any thread, any call. One plan and one set of counters per process, shared by all such backends.
 *
 * A plan is a list "OP:N:ACTION[,OP:N:ACTION]...", at most VB_FAULT_PLAN_MAX entries.
 *
 * OP is the name of an operation:
 *  - calls: open addr_list route dev_open pd_create mr_reg mw_alloc cq_create cq_arm qp_create post_send
 *    post_recv cm_create listen conn_create conn_bind_qp conn_connect conn_accept conn_reject
 *  - deliveries: cq_poll cm_poll (what is counted is completions and events that come up, not polls)
 *  - any: all calls above counted together
 *
 * Destroying never fails.
 *
 * N says which one, counted from 1 since the plan was set; 0 is every one.
 *
 * ACTION:
 *  - fail[=STATUS]: the call is not made and returns STATUS (default: a failure that its contract names).
 *  - late=MS: a call is made but returns MS milliseconds late, when what it started may be over. A delivery
 *    is withheld that long, with everything behind it in the same queue, and then makes the waitable ready.
 *  - flush: post_send, post_recv, conn_bind_qp, conn_connect, conn_accept: the call is made, and when it
 *    succeeded the queue pair is stopped before it returns.
 *
 * Several entries may hit one call: late adds up, fail and flush combine as fail (the first named status). */
#ifndef VB_FAULT_H
#define VB_FAULT_H

#include <stddef.h>
#include <stdint.h>

#include "vb/vb_status.h"

#define VB_FAULT_PLAN_MAX 16

/* Replace the plan and set all counters to zero. NULL or "" is the empty plan. why[] (may be NULL) gets one
 * sentence on failure, and then the plan before stays. VB_OK; VB_E_INVAL. */
vb_status_t vb_fault_set(const char *plan, char *why, size_t why_bytes);
void vb_fault_clear(void); /* the empty plan */

/* Since the plan was set: how often OP was called (or delivered), "any" for all calls together. 0 for an
 * unknown name. */
uint64_t vb_fault_calls(const char *op);
uint64_t vb_fault_fired(void);         /* calls and deliveries that an entry hit */
const char *vb_fault_fired_last(void); /* name of the operation hit last, NULL when none was */

#endif
