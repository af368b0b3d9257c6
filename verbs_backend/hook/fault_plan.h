/* hook/fault_plan.h - what the plan of vb/vb_fault.h has for one call.
 * Layer:   inside hook/. Any thread. */
#ifndef HOOK_FAULT_PLAN_H
#define HOOK_FAULT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "vb/vb_status.h"

enum vb_fault_traits {
    VB_FAULT_CALL = 1,    /* may fail, counts as "any" */
    VB_FAULT_QP = 2,      /* may flush */
    VB_FAULT_DELIVERY = 4 /* may only be late */
};

/* name, traits, status of a plain "fail": one that the operation's contract in vb.h names */
#define VB_FAULT_OPS(X)                                                                                      \
    X(open, VB_FAULT_CALL, VB_E_NODEV)                                                                       \
    X(addr_list, VB_FAULT_CALL, VB_E_NOMEM)                                                                  \
    X(route, VB_FAULT_CALL, VB_E_UNREACH)                                                                    \
    X(dev_open, VB_FAULT_CALL, VB_E_NOMEM)                                                                   \
    X(pd_create, VB_FAULT_CALL, VB_E_NOMEM)                                                                  \
    X(mr_reg, VB_FAULT_CALL, VB_E_NOMEM)                                                                     \
    X(mw_alloc, VB_FAULT_CALL, VB_E_NOMEM)                                                                   \
    X(cq_create, VB_FAULT_CALL, VB_E_NOMEM)                                                                  \
    X(cq_arm, VB_FAULT_CALL, VB_E_FATAL)                                                                     \
    X(qp_create, VB_FAULT_CALL, VB_E_NOMEM)                                                                  \
    X(post_send, VB_FAULT_CALL | VB_FAULT_QP, VB_E_NOMEM)                                                    \
    X(post_recv, VB_FAULT_CALL | VB_FAULT_QP, VB_E_NOMEM)                                                    \
    X(cm_create, VB_FAULT_CALL, VB_E_NOMEM)                                                                  \
    X(listen, VB_FAULT_CALL, VB_E_NOMEM)                                                                     \
    X(conn_create, VB_FAULT_CALL, VB_E_NOMEM)                                                                \
    X(conn_bind_qp, VB_FAULT_CALL | VB_FAULT_QP, VB_E_NOMEM)                                                 \
    X(conn_connect, VB_FAULT_CALL | VB_FAULT_QP, VB_E_NOMEM)                                                 \
    X(conn_accept, VB_FAULT_CALL | VB_FAULT_QP, VB_E_NOMEM)                                                  \
    X(conn_reject, VB_FAULT_CALL, VB_E_NOMEM)                                                                \
    X(cq_poll, VB_FAULT_DELIVERY, VB_OK)                                                                     \
    X(cm_poll, VB_FAULT_DELIVERY, VB_OK)

#define VB_FAULT_OP_ENUM(name, traits, status) VB_FAULT_OP_##name,
enum vb_fault_op { VB_FAULT_OPS(VB_FAULT_OP_ENUM) VB_FAULT_OP_COUNT };
#undef VB_FAULT_OP_ENUM

/* What is to happen to one call or delivery. */
struct vb_fault_verdict {
    bool is_failing;  /* do not make the call, return status */
    bool is_flushing; /* stop the queue pair after success */
    vb_status_t status;
    uint32_t late_ms; /* calls: vb_fault_be_late() before returning; deliveries: withhold that long */
};

/* Count a call or delivery and look up what the plan has for it. Never blocks for long; no lock order. */
struct vb_fault_verdict vb_fault_judge(enum vb_fault_op op);
void vb_fault_be_late(const struct vb_fault_verdict *v);

#endif
