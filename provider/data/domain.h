/* domain.h - a protection domain with what lives in it: the registration cache, spare windows, private
 * receive buffers.
 * Layer:   provider/data.
 * Rule:    where the device has type-2 windows, all sockets of a device share one domain, because a
 *          window's key works on its own QP only. Where it has none, a key works on every QP of its
 *          domain, so every socket gets a domain of its own: only the connected peer may reach registered
 *          memory (contract 6.1, 6.4; peers.md W4). */
#ifndef WSD_DOMAIN_H
#define WSD_DOMAIN_H

#include "data/mr_cache.h"

#define WSD_PRIVATE_BYTES 256u /* contract 8.5: the first message is at most this long */

struct wsd_private_slab;
struct wsd_private_buf {
    struct wsd_private_buf *next; /* in the free list, or in a connection's list of arrived messages */
    struct wsd_private_slab *slab;
    void *owner; /* connection it is posted for */
    uint8_t *bytes;
    uint32_t lkey;
    uint32_t arrived_bytes;
};

struct wsd_domain {
    uint32_t users;       /* guarded by the device lock; domains of single sockets only */
    uint64_t number;      /* guarded by the device lock: order of creation, where an invalidation stands */
    struct pal_lock lock; /* guards spare windows and private buffers; never held across a backend call */
    struct vb_pd *pd;
    struct wsd_mr_cache cache;
    struct vb_mw **spare_mw;
    uint32_t spare_mw_count, spare_mw_room;
    struct wsd_private_slab *slabs;
    struct wsd_private_buf *free_private;
};

vb_status_t wsd_domain_create(struct vb_dev *dev, uint32_t cache_entries, uint64_t cache_bytes, bool keep,
                              struct wsd_domain **out);
void wsd_domain_destroy(struct wsd_domain *d);

/* A window that is bound to nothing. */
vb_status_t wsd_domain_take_window(struct wsd_domain *d, struct vb_mw **out);
/* clean: it has been invalidated and may be used again; otherwise it is freed. */
void wsd_domain_give_window(struct wsd_domain *d, struct vb_mw *mw, bool clean);

vb_status_t wsd_domain_take_private(struct wsd_domain *d, struct wsd_private_buf **out);
void wsd_domain_give_private(struct wsd_domain *d, struct wsd_private_buf *b); /* any thread, data path too */

#endif
