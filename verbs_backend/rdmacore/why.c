/* why.c - why a connection did not come to be, as librdmacm told it: the name of its last event, or of the call that
 * failed, and the code that came with it. Layer: verbs_backend/rdmacore. By the thread that polls the cm. */
#include <stdio.h>

#include "rdmacore.h"

void rc_why_event(struct vb_conn *conn, enum rdma_cm_event_type type, int status)
{
    conn->why = (struct rc_why){rdma_event_str(type), status, type == RDMA_CM_EVENT_REJECTED};
}

void rc_why_call(struct vb_conn *conn, const char *call, int err)
{
    conn->why = (struct rc_why){call, err, false};
}

void rc_conn_text(const struct vb_conn *conn, char *out, size_t bytes)
{
    const struct rc_why *w = &conn->why;
    char peer[VB_ADDR_TEXT_BYTES];
    if (!w->what)
        return;
    (void)vb_addr_text(&conn->remote, peer);
    if (rc_conn_is_connecting(conn))
        (void)snprintf(out, bytes, "%s has not answered so far; the last event was %s", peer, w->what);
    else if (w->code)
        (void)snprintf(out, bytes, "%s: %s, status %d (%s)", peer, w->what, w->code,
                       rc_status_meaning(w->code, w->is_reject));
    else
        (void)snprintf(out, bytes, "%s: %s", peer, w->what);
}
