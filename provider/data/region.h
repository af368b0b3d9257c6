/* region.h - local registrations of a channel (WSPRegisterMemory) and how an address finds one.
 * Layer:   provider/data.
 * Rules:   handle valid only on the socket it was made for (6.2, C8); busy regions cannot be deregistered
 *          (6.3); WSPSend and WSPRecv pass bare addresses, so each piece is looked up (4.10); pieces may
 *          cross registrations and are split there (Q11). */
#ifndef WSD_REGION_H
#define WSD_REGION_H

#include "data/chan.h"

/* Winsock code or 0. flags: MEM_READ, MEM_WRITE, MEM_READWRITE. Control. */
int wsd_region_register(struct wsd_chan *c, void *addr, uint32_t bytes, uint32_t flags,
                        struct wsd_region **out);
/* WSAEINVAL: not a region of this channel, or in use. Control. */
int wsd_region_deregister(struct wsd_chan *c, void *handle);
void wsd_region_release_all(struct wsd_chan *c); /* channel drained; control */

/* Region that covers addr with the wanted right (MEM_READ or MEM_WRITE), NULL when none does. A queue lock
 * is held. */
struct wsd_region *wsd_region_find_locked(struct wsd_chan *c, struct wsd_queue *q, uint64_t addr,
                                          uint32_t flag);
bool wsd_region_is_ours_locked(const struct wsd_chan *c, const void *handle);

#endif
