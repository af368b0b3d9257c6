/* device.c - see device.h. */
#include "data/device.h"

#include <stdlib.h>

#include "base/log.h"
#include "data/mr_watch.h"
#include "pal/thread.h"

vb_status_t wsd_device_create(struct vb_dev *dev, const struct wsd_config *config, bool keep,
                              struct wsd_device **out)
{
    struct wsd_device *d = calloc(1, sizeof *d);
    if (!d)
        return VB_E_NOMEM;
    d->dev = dev;
    d->config = config;
    vb_dev_caps(dev, &d->caps);
    keep = keep || (d->caps.flags & VB_CAP_MR_FOLLOWS); /* nothing to be told of (8.9) */
    pal_store_relaxed(&d->keep_registrations, keep);
    vb_status_t st = VB_E_NOMEM;
    if (!pal_mutex_init(&d->lock))
        goto err_alloc;
    if (!pal_mutex_init(&d->grow))
        goto err_lock;
    if (d->caps.flags & VB_CAP_MW_TYPE2) {
        st = wsd_domain_create(dev, config->mr_cache_entries, config->mr_cache_bytes, keep, &d->shared);
        if (st != VB_OK)
            goto err_grow;
    }
    WSD_LOG_INFO("device=%s transport=%s event=opened windows=%d read=%d mtu=%u", d->caps.device,
                 d->caps.transport, !!(d->caps.flags & VB_CAP_MW_TYPE2), !!(d->caps.flags & VB_CAP_RDMA_READ),
                 d->caps.mtu_bytes);
    *out = d;
    return VB_OK;
err_grow:
    pal_mutex_fini(&d->grow);
err_lock:
    pal_mutex_fini(&d->lock);
err_alloc:
    free(d);
    return st;
}

void wsd_device_destroy(struct wsd_device *d)
{
    while (d->shards) {
        struct wsd_shard *s = d->shards;
        d->shards = s->next;
        wsd_shard_destroy(s);
    }
    if (d->shared)
        wsd_domain_destroy(d->shared);
    free(d->own);
    vb_dev_close(d->dev);
    pal_mutex_fini(&d->grow);
    pal_mutex_fini(&d->lock);
    free(d);
}

static struct wsd_shard *reserve(struct wsd_device *d, uint32_t completions)
{
    pal_mutex_lock(&d->lock);
    struct wsd_shard *s = d->shards;
    while (s && (pal_load_relaxed(&s->dead) || s->capacity - s->reserved < completions))
        s = s->next;
    if (s)
        s->reserved += completions;
    pal_mutex_unlock(&d->lock);
    return s;
}

/* Shards are of one depth until they are one fewer than processors, so that their threads can run at once; from there on each is twice
 * as deep as the one before. More threads than processors only take turns, each with fewer completions to harvest at a
 * time: with 1,000 sockets on two processors three shards in place of six make 7 % more messages. `grow` held: the list stays as it is. */
static uint32_t next_depth(struct wsd_device *d, uint32_t completions)
{
    const unsigned processors = pal_processors();
    uint64_t depth = d->config->cq_depth;
    unsigned n = 2; /* with the new one, one more than there will be */
    for (const struct wsd_shard *s = d->shards; s; s = s->next)
        n++;
    for (; n > processors && depth < d->caps.max_cqe; n--)
        depth *= 2;
    if (depth > d->caps.max_cqe)
        depth = d->caps.max_cqe;
    return depth < completions ? completions : (uint32_t)depth;
}

vb_status_t wsd_device_take_shard(struct wsd_device *d, uint32_t completions, struct wsd_shard **out)
{
    *out = reserve(d, completions);
    if (*out)
        return VB_OK;
    pal_mutex_lock(&d->grow);
    vb_status_t st = VB_OK;
    *out = reserve(d, completions); /* another thread may have grown meanwhile */
    if (!*out) {
        struct wsd_shard *s;
        st = wsd_shard_create(d->dev, &d->caps, next_depth(d, completions), &s);
        if (st == VB_OK) {
            s->reserved = completions;
            pal_mutex_lock(&d->lock);
            s->next = d->shards;
            d->shards = s;
            pal_mutex_unlock(&d->lock);
            *out = s;
        }
    }
    pal_mutex_unlock(&d->grow);
    return st;
}

void wsd_device_give_shard(struct wsd_device *d, struct wsd_shard *s, uint32_t completions)
{
    pal_mutex_lock(&d->lock);
    s->reserved -= completions;
    pal_mutex_unlock(&d->lock);
}

/* Nobody promised to tell when memory goes, and registrations mean pages, not addresses: look after it ourselves. Now, because a switch that
 * promises does so before its first connection. */
static void watch_if_nobody_tells(struct wsd_device *d, struct wsd_domain *domain)
{
    struct wsd_mr_watch *w = NULL;
    if (!pal_load_relaxed(&d->keep_registrations) && d->config->mr_watch && d->config->mr_cache_entries)
        w = wsd_mr_watch_use();
    if (w)
        wsd_mr_cache_watch(&domain->cache, w);
}

vb_status_t wsd_device_take_domain(struct wsd_device *d, struct wsd_domain **out)
{
    if (d->shared) {
        watch_if_nobody_tells(d, d->shared);
        *out = d->shared;
        return VB_OK;
    }
    struct wsd_domain *domain;
    vb_status_t st = wsd_domain_create(d->dev, d->config->mr_cache_entries, d->config->mr_cache_bytes,
                                       pal_load_relaxed(&d->keep_registrations), &domain);
    if (st != VB_OK)
        return st;
    watch_if_nobody_tells(d, domain);
    pal_mutex_lock(&d->lock);
    bool ok = d->own_count < d->own_room;
    if (!ok) {
        uint32_t room = d->own_room ? 2 * d->own_room : 16;
        struct wsd_domain **more = realloc(d->own, room * sizeof(struct wsd_domain *));
        if (more) {
            d->own = more;
            d->own_room = room;
            ok = true;
        }
    }
    if (ok) {
        domain->users = 1;
        domain->number = ++d->domains_made;
        d->own[d->own_count++] = domain;
    }
    pal_mutex_unlock(&d->lock);
    if (!ok) {
        wsd_domain_destroy(domain);
        return VB_E_NOMEM;
    }
    *out = domain;
    return VB_OK;
}

void wsd_device_give_domain(struct wsd_device *d, struct wsd_domain *domain)
{
    if (domain == d->shared)
        return;
    pal_mutex_lock(&d->lock);
    bool last = --domain->users == 0;
    for (uint32_t i = 0; last && i < d->own_count; i++)
        if (d->own[i] == domain) {
            d->own[i] = d->own[--d->own_count];
            break;
        }
    pal_mutex_unlock(&d->lock);
    if (last)
        wsd_domain_destroy(domain);
}

void wsd_device_keep_registrations(struct wsd_device *d)
{
    if (pal_load_relaxed(&d->keep_registrations))
        return;
    pal_store_relaxed(&d->keep_registrations, true);
    if (d->shared)
        wsd_mr_cache_keep(&d->shared->cache, true);
    /* Domains of single sockets made before this moment stay without a cache: they die with their sockets. */
}

enum wsd_invalidate wsd_device_invalidate(struct wsd_device *d, void *addr, size_t bytes)
{
    enum wsd_invalidate worst = d->shared ? wsd_mr_cache_invalidate(&d->shared->cache, addr, bytes)
                                          : WSD_INVALIDATE_NONE;
    uint64_t last = 0;
    for (;;) { /* visit every domain once, holding a use of it instead of the lock */
        struct wsd_domain *next = NULL;
        pal_mutex_lock(&d->lock);
        for (uint32_t i = 0; i < d->own_count; i++)
            if (d->own[i]->number > last && (!next || d->own[i]->number < next->number))
                next = d->own[i];
        if (next) {
            last = next->number;
            next->users++;
        }
        pal_mutex_unlock(&d->lock);
        if (!next)
            return worst;
        enum wsd_invalidate one = wsd_mr_cache_invalidate(&next->cache, addr, bytes);
        worst = one > worst ? one : worst;
        wsd_device_give_domain(d, next);
    }
}

uint32_t wsd_device_max_message(const struct wsd_device *d)
{
    uint32_t limit = d->config->max_message_bytes;
    return d->caps.max_msg_bytes && d->caps.max_msg_bytes < limit ? d->caps.max_msg_bytes : limit;
}

uint32_t wsd_device_max_rdma(const struct wsd_device *d)
{
    /* Q6 */
    return d->caps.max_msg_bytes && d->caps.max_msg_bytes < 0x7FFFFFFF ? d->caps.max_msg_bytes : 0x7FFFFFFF;
}
