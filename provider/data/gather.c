/* gather.c - see gather.h. */
#include "data/gather.h"

#include <string.h>

#include "data/region.h"

static bool add(struct wsd_queue *q, struct wsd_op *op, struct wsd_region *r, uint64_t addr, uint32_t bytes)
{
    if (!wsd_op_room_locked(q, op, op->sge_count + 1u))
        return false;
    wsd_op_sge(op)[op->sge_count] = (struct vb_sge){.addr = addr, .bytes = bytes, .lkey = r->lkey};
    wsd_op_regions(op)[op->sge_count] = r;
    op->sge_count++;
    r->uses[op->side]++;
    return true;
}

void wsd_gather_undo_locked(struct wsd_op *op)
{
    for (uint32_t i = 0; i < op->sge_count; i++) {
        struct wsd_region *r = wsd_op_regions(op)[i];
        if (r)
            r->uses[op->side]--;
        wsd_op_regions(op)[i] = NULL;
    }
    op->sge_count = 0;
}

int wsd_gather_many_locked(struct wsd_chan *c, struct wsd_queue *q, struct wsd_op *op, const WSABUF *bufs,
                           uint32_t count, uint32_t flag)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t addr = (uintptr_t)bufs[i].buf;
        uint32_t left = bufs[i].len;
        while (left) {
            struct wsd_region *r = wsd_region_find_locked(c, q, addr, flag);
            if (!r)
                return WSAEFAULT;
            uint32_t n = r->end - addr < left ? (uint32_t)(r->end - addr) : left;
            if (op->sge_count == UINT16_MAX || !add(q, op, r, addr, n))
                return WSAENOBUFS;
            addr += n;
            left -= n;
        }
    }
    return 0;
}

int wsd_gather_ex_locked(struct wsd_chan *c, struct wsd_op *op, const WSABUFEX *bufs, uint32_t count,
                         uint32_t flag)
{
    for (uint32_t i = 0; i < count; i++) {
        struct wsd_region *r = bufs[i].handle;
        uint64_t addr = (uintptr_t)bufs[i].buf, end = addr + bufs[i].len;
        if (!bufs[i].len)
            continue;
        if (!wsd_region_is_ours_locked(c, r) || addr < r->start || end > r->end || end < addr)
            return WSAEINVAL;
        if (flag == MEM_WRITE && !(r->access & MEM_WRITE))
            return WSAEFAULT;
        if (!add(&c->sq, op, r, addr, bufs[i].len))
            return WSAENOBUFS;
    }
    return 0;
}

void wsd_gather_copy(uint8_t *to, struct wsd_op *op)
{
    for (uint32_t i = 0; i < op->sge_count; i++) {
        memcpy(to, (void *)(uintptr_t)wsd_op_sge(op)[i].addr, wsd_op_sge(op)[i].bytes);
        to += wsd_op_sge(op)[i].bytes;
    }
}
