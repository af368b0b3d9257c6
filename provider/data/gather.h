/* gather.h - from the switch's buffer lists to scatter/gather lists of registered memory.
 * Layer:   provider/data. The queue lock is held.
 * Result:  0 or a Winsock code. On success every piece counts as a use of its region until
 *          wsd_op_finish_locked(). */
#ifndef WSD_GATHER_H
#define WSD_GATHER_H

#include "data/chan.h"

/* WSABUFs: each piece is looked up by address and split where registrations meet (Q11). WSAEFAULT:
 *          unregistered memory, or flag MEM_WRITE on a region without that right. op->kind is set. */
int wsd_gather_locked(struct wsd_chan *c, struct wsd_queue *q, struct wsd_op *op, const WSABUF *bufs,
                      uint32_t count, uint32_t flag);
/* WSABUFEXes: each piece names its registration. WSAEINVAL: not a handle of this socket, or the piece is
 *             not inside it; WSAEFAULT: right. */
int wsd_gather_ex_locked(struct wsd_chan *c, struct wsd_op *op, const WSABUFEX *bufs, uint32_t count,
                         uint32_t flag);
void wsd_gather_undo_locked(struct wsd_op *op);
/* Copy the operation's pieces to one place. */
void wsd_gather_copy(uint8_t *to, struct wsd_op *op);

#endif
