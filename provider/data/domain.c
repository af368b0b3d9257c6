/* domain.c - see domain.h. */
#include "data/domain.h"

#include <stdlib.h>
#include <string.h>

#include "pal/memory.h"

#define SLAB_BYTES        16384u
#define SLAB_BUFFERS      (SLAB_BYTES / WSD_PRIVATE_BYTES)
#define SPARE_WINDOWS_MAX 256u

struct wsd_private_slab {
    struct wsd_private_slab *next;
    struct vb_mr *mr;
    uint8_t *pages;
    struct wsd_private_buf bufs[SLAB_BUFFERS];
};

vb_status_t wsd_domain_create(struct vb_dev *dev, uint32_t cache_entries, uint64_t cache_bytes, bool keep,
                              struct wsd_domain **out)
{
    struct wsd_domain *d = calloc(1, sizeof *d);
    if (!d)
        return VB_E_NOMEM;
    vb_status_t st = VB_E_NOMEM;
    if (!pal_lock_init(&d->lock))
        goto err_alloc;
    st = vb_pd_create(dev, &d->pd);
    if (st != VB_OK)
        goto err_lock;
    if (!wsd_mr_cache_init(&d->cache, d->pd, cache_entries, cache_bytes)) {
        st = VB_E_NOMEM;
        goto err_pd;
    }
    wsd_mr_cache_keep(&d->cache, keep);
    *out = d;
    return VB_OK;
err_pd:
    vb_pd_destroy(d->pd);
err_lock:
    pal_lock_fini(&d->lock);
err_alloc:
    free(d);
    return st;
}

void wsd_domain_destroy(struct wsd_domain *d)
{
    for (uint32_t i = 0; i < d->spare_mw_count; i++)
        vb_mw_free(d->spare_mw[i]);
    free(d->spare_mw);
    while (d->slabs) {
        struct wsd_private_slab *s = d->slabs;
        d->slabs = s->next;
        vb_mr_dereg(s->mr);
        pal_pages_free(s->pages, SLAB_BYTES);
        free(s);
    }
    wsd_mr_cache_fini(&d->cache);
    vb_pd_destroy(d->pd);
    pal_lock_fini(&d->lock);
    free(d);
}

vb_status_t wsd_domain_take_window(struct wsd_domain *d, struct vb_mw **out)
{
    struct vb_mw *mw = NULL;
    pal_lock_take(&d->lock);
    if (d->spare_mw_count)
        mw = d->spare_mw[--d->spare_mw_count];
    pal_lock_give(&d->lock);
    if (!mw)
        return vb_mw_alloc(d->pd, out);
    *out = mw;
    return VB_OK;
}

/* More room for spare windows, unless another thread was faster. Allocated outside the lock. */
static bool grow_spare(struct wsd_domain *d, uint32_t seen)
{
    uint32_t room = seen ? 2 * seen : 16;
    struct vb_mw **more = malloc(room * sizeof(struct vb_mw *));
    struct vb_mw **old = more;
    if (!more)
        return false;
    pal_lock_take(&d->lock);
    if (d->spare_mw_room == seen) {
        if (seen)
            memcpy(more, d->spare_mw, d->spare_mw_count * sizeof(struct vb_mw *));
        old = d->spare_mw;
        d->spare_mw = more;
        d->spare_mw_room = room;
    }
    pal_lock_give(&d->lock);
    free(old);
    return true;
}

static bool keep_window(struct wsd_domain *d, struct vb_mw *mw)
{
    for (;;) {
        pal_lock_take(&d->lock);
        uint32_t room = d->spare_mw_room;
        bool fits = d->spare_mw_count < room;
        if (fits)
            d->spare_mw[d->spare_mw_count++] = mw;
        pal_lock_give(&d->lock);
        if (fits || room >= SPARE_WINDOWS_MAX || !grow_spare(d, room))
            return fits;
    }
}

void wsd_domain_give_window(struct wsd_domain *d, struct vb_mw *mw, bool clean)
{
    if (!clean || !keep_window(d, mw))
        vb_mw_free(mw);
}

static vb_status_t add_slab(struct wsd_domain *d)
{
    struct wsd_private_slab *s = calloc(1, sizeof *s);
    if (!s)
        return VB_E_NOMEM;
    s->pages = pal_pages_alloc(SLAB_BYTES);
    vb_status_t st = s->pages ? vb_mr_reg(d->pd, s->pages, SLAB_BYTES, VB_ACCESS_LOCAL_WRITE, &s->mr)
                              : VB_E_NOMEM;
    if (st != VB_OK) {
        if (s->pages)
            pal_pages_free(s->pages, SLAB_BYTES);
        free(s);
        return st;
    }
    pal_lock_take(&d->lock);
    s->next = d->slabs;
    d->slabs = s;
    for (uint32_t i = 0; i < SLAB_BUFFERS; i++) {
        struct wsd_private_buf *b = &s->bufs[i];
        b->slab = s;
        b->bytes = s->pages + i * WSD_PRIVATE_BYTES;
        b->lkey = vb_mr_lkey(s->mr);
        b->next = d->free_private;
        d->free_private = b;
    }
    pal_lock_give(&d->lock);
    return VB_OK;
}

vb_status_t wsd_domain_take_private(struct wsd_domain *d, struct wsd_private_buf **out)
{
    for (;;) {
        pal_lock_take(&d->lock);
        struct wsd_private_buf *b = d->free_private;
        if (b)
            d->free_private = b->next;
        pal_lock_give(&d->lock);
        if (b) {
            b->next = NULL;
            b->owner = NULL;
            b->arrived_bytes = 0;
            *out = b;
            return VB_OK;
        }
        vb_status_t st = add_slab(d);
        if (st != VB_OK)
            return st;
    }
}

void wsd_domain_give_private(struct wsd_domain *d, struct wsd_private_buf *b)
{
    pal_lock_take(&d->lock);
    b->next = d->free_private;
    d->free_private = b;
    pal_lock_give(&d->lock);
}
