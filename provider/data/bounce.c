/* bounce.c - see bounce.h. */
#include "data/bounce.h"

#include <stdlib.h>
#include <string.h>

#include "data/device.h"
#include "pal/memory.h"

vb_status_t wsd_bounce_create(struct wsd_chan *c, size_t bytes, struct wsd_bounce **out)
{
    struct wsd_bounce *b = calloc(1, sizeof *b);
    if (!b)
        return VB_E_NOMEM;
    b->room = bytes ? bytes : 1;
    b->bytes = pal_pages_alloc(b->room);
    uint32_t access = VB_ACCESS_LOCAL_WRITE |
                      (c->dev->caps.flags & VB_CAP_READ_SINK_REMOTE ? VB_ACCESS_REMOTE_WRITE : 0u);
    vb_status_t st = b->bytes ? vb_mr_reg(c->domain->pd, b->bytes, b->room, access, &b->mr) : VB_E_NOMEM;
    if (st != VB_OK) {
        if (b->bytes)
            pal_pages_free(b->bytes, b->room);
        free(b);
        return st;
    }
    b->piece = (struct vb_sge){
        .addr = (uintptr_t)b->bytes, .bytes = (uint32_t)bytes, .lkey = vb_mr_lkey(b->mr)};
    *out = b;
    return VB_OK;
}

void wsd_bounce_destroy(struct wsd_bounce *b)
{
    vb_mr_dereg(b->mr);
    pal_pages_free(b->bytes, b->room);
    free(b);
}

void wsd_bounce_gather(struct wsd_bounce *b, const WSABUF *bufs, uint32_t count)
{
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (bufs[i].len)
            memcpy(b->bytes + at, bufs[i].buf, bufs[i].len);
        at += bufs[i].len;
    }
}

void wsd_bounce_scatter(const struct wsd_bounce *b, const struct vb_sge *sge, uint32_t count, uint32_t bytes)
{
    size_t at = 0;
    for (uint32_t i = 0; i < count && at < bytes; i++) {
        size_t n = sge[i].bytes < bytes - at ? sge[i].bytes : bytes - at;
        memcpy((void *)(uintptr_t)sge[i].addr, b->bytes + at, n);
        at += n;
    }
}

void wsd_bounce_retire_locked(struct wsd_chan *c, struct wsd_bounce *b)
{
    pal_lock_take(&c->dispose_lock);
    b->next = c->dispose_list;
    c->dispose_list = b;
    pal_lock_give(&c->dispose_lock);
    c->up->dispose(c->owner);
}
