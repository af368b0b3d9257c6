/* fake_backend.h - a backend with no network behind it, for tests of dispatch and hooks.
 * Objects are plain allocations; completions and connection events come when the test says so. One thread. */
#ifndef FAKE_BACKEND_H
#define FAKE_BACKEND_H

#include "vb_ops.h"

struct fake_record {
    const char *last_op; /* name of the operation called last */
    const void *last_object;
    unsigned calls;    /* of any operation */
    int objects_alive; /* of every kind, the backend itself included */
    unsigned qp_stops, rejects;
    vb_status_t next_status; /* what the next fallible operation returns; then VB_OK again */
    void *conn_context;      /* last one set */
    char text[512];          /* what connections and listeners tell */
};
extern struct fake_record fake;

extern const struct vb_ops fake_ops;      /* "fake": every operation */
extern const struct vb_ops fake_bare_ops; /* "bare": open and close only */

void fake_reset(void);
/* A completion of `cq` (poll finds it; its waitable gets ready if it was armed). */
void fake_complete(struct vb_cq *cq, uint64_t id);
/* An event on `cm`. For VB_CM_REQUEST a connection is made, otherwise conn is used. */
struct vb_conn *fake_event(struct vb_cm *cm, enum vb_cm_event_kind kind, struct vb_conn *conn, void *context);

#endif
