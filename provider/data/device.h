/* device.h - one RDMA device in use, its CQ shards and its shared protection domain.
 * Layer:   provider/data. */
#ifndef WSD_DEVICE_H
#define WSD_DEVICE_H

#include "base/config.h"
#include "data/domain.h"
#include "data/shard.h"

struct wsd_device {
    struct wsd_device *next; /* in the provider's list, guarded by its lock */
    struct vb_dev *dev;
    struct vb_caps caps;
    const struct wsd_config *config;
    pal_atomic_bool keep_registrations; /* the switch promised to tell about freed memory (8.9) */
    pal_atomic_bool gone;
    struct pal_mutex lock; /* guards shards and domains; never held across a backend call */
    struct pal_mutex grow; /* one thread at a time creates a shard */
    struct wsd_shard *shards;
    struct wsd_domain *shared; /* NULL where the device has no windows */
    struct wsd_domain **own;   /* domains of single sockets: array for cache invalidation */
    uint32_t own_count, own_room;
    uint64_t domains_made;
};

vb_status_t wsd_device_create(struct vb_dev *dev, const struct wsd_config *config, bool keep,
                              struct wsd_device **out);
void wsd_device_destroy(struct wsd_device *d); /* no channel may be left; closes dev */

/* A shard with room for this many more completions. Control. */
vb_status_t wsd_device_take_shard(struct wsd_device *d, uint32_t completions, struct wsd_shard **out);
void wsd_device_give_shard(struct wsd_device *d, struct wsd_shard *s, uint32_t completions);

/* The domain a new socket lives in. Control. */
vb_status_t wsd_device_take_domain(struct wsd_device *d, struct wsd_domain **out);
void wsd_device_give_domain(struct wsd_device *d, struct wsd_domain *domain);

void wsd_device_keep_registrations(struct wsd_device *d);
enum wsd_invalidate wsd_device_invalidate(struct wsd_device *d, void *addr, size_t bytes);

uint32_t wsd_device_max_message(const struct wsd_device *d);
uint32_t wsd_device_max_rdma(const struct wsd_device *d);

#endif
