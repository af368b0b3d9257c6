/* region.c - see region.h. */
#include "data/region.h"

#include <stdlib.h>

#include "base/error.h"
#include "data/device.h"

static void lock_both(struct wsd_chan *c)
{
    pal_lock_take(&c->sq.lock);
    pal_lock_take(&c->rq.lock);
}

static void unlock_both(struct wsd_chan *c)
{
    pal_lock_give(&c->rq.lock);
    pal_lock_give(&c->sq.lock);
}

/* What the device must be allowed to do. The NIC may always read registered memory (Q7). Memory that
 * receives an RDMA read needs remote write on iWARP (RFC 5040 5.2; contract 6.2): the key of such a region
 * never leaves the process. */
static uint32_t local_access(const struct wsd_chan *c, uint32_t flags)
{
    uint32_t caps = c->dev->caps.flags;
    /* so that grants can share the registration */
    uint32_t access = caps & VB_CAP_MW_TYPE2 ? VB_ACCESS_WINDOW : 0;
    if (flags & MEM_WRITE)
        access |= VB_ACCESS_LOCAL_WRITE | (caps & VB_CAP_READ_SINK_REMOTE ? VB_ACCESS_REMOTE_WRITE : 0);
    return access;
}

static bool add_locked(struct wsd_chan *c, struct wsd_region *r)
{
    if (c->region_count == c->region_room) {
        uint32_t room = c->region_room ? 2 * c->region_room : 8;
        struct wsd_region **more = realloc(c->regions, room * sizeof(struct wsd_region *));
        if (!more)
            return false;
        c->regions = more;
        c->region_room = room;
    }
    c->regions[c->region_count++] = r;
    return true;
}

int wsd_region_register(struct wsd_chan *c, void *addr, uint32_t bytes, uint32_t flags,
                        struct wsd_region **out)
{
    struct wsd_region *r = calloc(1, sizeof *r);
    if (!r)
        return WSAENOBUFS;
    uint32_t access = local_access(c, flags);
    vb_status_t st = wsd_mr_get(&c->domain->cache, addr, bytes, access, &r->mr);
    /* pages that may only be read can be sent, but carry no window: the kernel asks for write then */
    if (st == VB_E_FAULT && flags == MEM_READ)
        st = wsd_mr_get(&c->domain->cache, addr, bytes, access & ~(uint32_t)VB_ACCESS_WINDOW, &r->mr);
    if (st != VB_OK) {
        free(r);
        return wsd_error_register(st);
    }
    r->start = (uintptr_t)addr;
    r->end = r->start + bytes;
    r->access = flags;
    r->lkey = vb_mr_lkey(r->mr->mr);
    lock_both(c);
    bool alive = !pal_load_acquire(&c->cause);
    bool added = alive && add_locked(c, r);
    unlock_both(c);
    if (!added) {
        wsd_mr_put(&c->domain->cache, r->mr);
        free(r);
        return alive ? WSAENOBUFS : WSAENOTCONN;
    }
    *out = r;
    return 0;
}

static int index_of_locked(const struct wsd_chan *c, const void *handle)
{
    for (uint32_t i = 0; i < c->region_count; i++)
        if (c->regions[i] == handle)
            return (int)i;
    return -1;
}

bool wsd_region_is_ours_locked(const struct wsd_chan *c, const void *handle)
{
    return index_of_locked(c, handle) >= 0;
}

static void set_hit(struct wsd_chan *c, struct wsd_queue *q, struct wsd_region *r)
{
    if (q == &c->sq)
        c->send_piece.lkey = r ? r->lkey : 0;
    q->last_hit = r;
    q->hit_start = r ? r->start : 0;
    q->hit_end = r ? r->end : 0;
}

static void remove_locked(struct wsd_chan *c, uint32_t i)
{
    struct wsd_region *r = c->regions[i];
    c->regions[i] = c->regions[--c->region_count];
    if (c->sq.last_hit == r)
        set_hit(c, &c->sq, NULL);
    if (c->rq.last_hit == r)
        set_hit(c, &c->rq, NULL);
}

int wsd_region_deregister(struct wsd_chan *c, void *handle)
{
    lock_both(c);
    int i = index_of_locked(c, handle);
    struct wsd_region *r = i < 0 ? NULL : c->regions[i];
    bool free_now = r && !r->uses[0] && !r->uses[1];
    if (free_now)
        remove_locked(c, (uint32_t)i);
    unlock_both(c);
    if (!free_now)
        return WSAEINVAL; /* unknown, or in use by a transfer (6.3) */
    wsd_mr_put(&c->domain->cache, r->mr);
    free(r);
    return 0;
}

void wsd_region_release_all(struct wsd_chan *c)
{
    for (;;) {
        lock_both(c);
        struct wsd_region *r = c->region_count ? c->regions[0] : NULL;
        if (r)
            remove_locked(c, 0);
        unlock_both(c);
        if (!r)
            return;
        wsd_mr_put(&c->domain->cache, r->mr);
        free(r);
    }
}

static bool covers(const struct wsd_region *r, uint64_t addr, uint32_t flag)
{
    /* Reading by the device needs no right of its own (Q7); writing does. */
    return r->start <= addr && addr < r->end && (flag != MEM_WRITE || (r->access & MEM_WRITE));
}

struct wsd_region *wsd_region_find_locked(struct wsd_chan *c, struct wsd_queue *q, uint64_t addr,
                                          uint32_t flag)
{
    if (q->last_hit && covers(q->last_hit, addr, flag))
        return q->last_hit;
    for (uint32_t i = 0; i < c->region_count; i++)
        if (covers(c->regions[i], addr, flag)) {
            set_hit(c, q, c->regions[i]);
            return c->regions[i];
        }
    return NULL;
}
