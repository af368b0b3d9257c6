/* xfer.h - submitting sends, receives and RDMA transfers on a channel.
 * Layer:   provider/data.
 * Result:  0 = started, exactly one completion follows; otherwise a Winsock code, nothing was started and
 *          no completion follows. All of them complete later, never within the call as far as the caller
 *          can see (7.4, Q15). */
#ifndef WSD_XFER_H
#define WSD_XFER_H

#include "data/chan.h"

/* pieces of one call; more is a WSAEINVAL, our choice (the switch was seen to use at most 4) */
#define WSD_PIECES_MAX 1024u

int wsd_xfer_send(struct wsd_chan *c, const WSABUF *bufs, uint32_t count, WSAOVERLAPPED *ov);
int wsd_xfer_recv(struct wsd_chan *c, const WSABUF *bufs, uint32_t count, WSAOVERLAPPED *ov);

struct wsd_descriptor; /* data/grant.h */
int wsd_xfer_rdma(struct wsd_chan *c, enum wsd_op_kind kind, const WSABUFEX *bufs, uint32_t count,
                  const struct wsd_descriptor *target, uint32_t offset, WSAOVERLAPPED *ov,
                  uint32_t max_bytes);

/* Internal requests of the send queue (sq.lock not held). */
vb_status_t wsd_xfer_bind(struct wsd_chan *c, struct vb_mw *mw, struct vb_mr *mr, uint64_t addr,
                          uint64_t bytes, uint32_t access, uint32_t *key);
/* Invalidate and wait until the key is dead. VB_E_RESET: the connection died first (no access any more,
 * but the window is not clean). */
vb_status_t wsd_xfer_invalidate(struct wsd_chan *c, struct vb_mw *mw);

#endif
