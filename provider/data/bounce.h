/* bounce.h - one registered buffer in place of a scatter list that is longer than the device takes (Q10).
 * Layer:   provider/data. The slow path: allocates and registers per operation. Retired buffers are freed
 *          by a thread that may call the backend (wsd_chan_dispose). */
#ifndef WSD_BOUNCE_H
#define WSD_BOUNCE_H

#include "data/chan.h"

struct wsd_bounce {
    struct wsd_bounce *next; /* in the channel's dispose list */
    struct vb_mr *mr;
    uint8_t *bytes;
    size_t room;
    struct vb_sge piece; /* all of it: what the work request names */
};

/* Control; no locks held. */
vb_status_t wsd_bounce_create(struct wsd_chan *c, size_t bytes, struct wsd_bounce **out);
void wsd_bounce_destroy(struct wsd_bounce *b);
void wsd_bounce_gather(struct wsd_bounce *b, const WSABUF *bufs, uint32_t count);
/* Copy out what arrived into the pieces the operation kept. */
void wsd_bounce_scatter(const struct wsd_bounce *b, const struct vb_sge *sge, uint32_t count, uint32_t bytes);
void wsd_bounce_retire_locked(struct wsd_chan *c, struct wsd_bounce *b); /* data path */

#endif
