/* vb_api.h - the functions of vb/vb.h as a table.
 * Layer:   tests. The loop backend lives inside the process image of the provider under test, so a raw
 *          connection to that provider must be made through the copy of verbs_backend that the provider's
 *          module contains; on a device any copy will do. */
#ifndef VB_API_H
#define VB_API_H

#include "vb/vb.h"

#define VB_API_LIST(X)                                                                                       \
    X(open)                                                                                                  \
    X(close)                                                                                                 \
    X(addr_list)                                                                                             \
    X(dev_open)                                                                                              \
    X(dev_close)                                                                                             \
    X(dev_caps)                                                                                              \
    X(pd_create)                                                                                             \
    X(pd_destroy)                                                                                            \
    X(mr_reg)                                                                                                \
    X(mr_dereg)                                                                                              \
    X(mr_lkey)                                                                                               \
    X(mr_rkey)                                                                                               \
    X(cq_create)                                                                                             \
    X(cq_destroy)                                                                                            \
    X(cq_poll)                                                                                               \
    X(qp_create)                                                                                             \
    X(qp_destroy)                                                                                            \
    X(qp_stop)                                                                                               \
    X(post_send)                                                                                             \
    X(post_recv)                                                                                             \
    X(cm_create)                                                                                             \
    X(cm_destroy)                                                                                            \
    X(cm_waitable)                                                                                           \
    X(cm_poll)                                                                                               \
    X(listen)                                                                                                \
    X(listener_addr)                                                                                         \
    X(listener_destroy)                                                                                      \
    X(conn_create)                                                                                           \
    X(conn_destroy)                                                                                          \
    X(conn_bind_qp)                                                                                          \
    X(conn_connect)                                                                                          \
    X(conn_accept)                                                                                           \
    X(conn_reject)                                                                                           \
    X(conn_disconnect)

struct vb_api {
#define VB_API_FIELD(name) __typeof__(vb_##name) *name;
    VB_API_LIST(VB_API_FIELD)
#undef VB_API_FIELD
};

extern const struct vb_api vb_api_linked; /* the copy linked into this program or module */

#endif
