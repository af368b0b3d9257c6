/* loop_mem.c - owns the loop backend's protection domains, registrations and windows, and the tables of their
 * keys. */
#include <stdio.h>
#include <stdlib.h>

#include "loop.h"

/* Keys look random (splitmix64), are never 0 and belong to nothing else that is alive. */
uint32_t loop_new_key(void)
{
    uint32_t key;
    do {
        uint64_t z = (loop.random += 0x9e3779b97f4a7c15ull);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        key = (uint32_t)(z >> 32);
    } while (!key || loop_key_find(loop.lkeys, key) || loop_key_find(loop.rkeys, key));
    return key;
}

void loop_key_add(struct loop_key **table, struct loop_key *k)
{
    struct loop_key **bucket = &table[k->key % LOOP_KEY_BUCKETS];
    k->next = *bucket;
    *bucket = k;
}

void loop_key_remove(struct loop_key **table, struct loop_key *k)
{
    struct loop_key **at = &table[k->key % LOOP_KEY_BUCKETS];
    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
}

struct loop_key *loop_key_find(struct loop_key **table, uint32_t key)
{
    struct loop_key *k = table[key % LOOP_KEY_BUCKETS];
    while (k && k->key != key)
        k = k->next;
    return k;
}

vb_status_t loop_pd_create(struct vb_dev *dev, struct vb_pd **out)
{
    struct vb_pd *pd = calloc(1, sizeof *pd);
    if (!pd)
        return VB_E_NOMEM;
    pd->dev = dev;
    loop_lock();
    bool has_device = loop.has_device;
    if (has_device) {
        dev->pds++;
        loop.counts.pds++;
    }
    loop_unlock();
    if (!has_device) {
        free(pd);
        return VB_E_NODEV;
    }
    *out = pd;
    return VB_OK;
}

void loop_pd_destroy(struct vb_pd *pd)
{
    loop_lock();
    bool is_used = pd->qps || pd->mrs || pd->mws;
    if (is_used) {
        char text[128];
        snprintf(text, sizeof text,
                 "vb_pd_destroy with %u queue pairs, %u registrations and %u windows in it", pd->qps, pd->mrs,
                 pd->mws);
        loop_violation(text);
    } else {
        pd->dev->pds--;
        loop.counts.pds--;
    }
    loop_unlock();
    if (!is_used)
        free(pd);
}

vb_status_t loop_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out)
{
    const uint32_t known = VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE |
                           VB_ACCESS_WINDOW;
    uint64_t a = (uint64_t)(uintptr_t)addr;
    struct loop_config c;

    loop_get_config(&c);
    if (!bytes || bytes > c.max_mr_bytes || a + bytes < a || (access & ~known) ||
        ((access & VB_ACCESS_REMOTE_WRITE) && !(access & VB_ACCESS_LOCAL_WRITE)) ||
        ((access & VB_ACCESS_WINDOW) && !(c.cap_flags & VB_CAP_MW_TYPE2)))
        return VB_E_INVAL;
    if (!loop_pages_usable(addr, bytes, (access & VB_ACCESS_LOCAL_WRITE) != 0))
        return VB_E_FAULT;
    struct vb_mr *mr = calloc(1, sizeof *mr);
    if (!mr)
        return VB_E_NOMEM;
    mr->pd = pd;
    mr->addr = a;
    mr->bytes = bytes;
    mr->access = access;
    mr->lkey.mr = mr->rkey.mr = mr;
    loop_lock();
    if (!loop.has_device) {
        loop_unlock();
        free(mr);
        return VB_E_NODEV;
    }
    mr->lkey.key = loop_new_key();
    loop_key_add(loop.lkeys, &mr->lkey);
    mr->rkey.key = loop_new_key();
    loop_key_add(loop.rkeys, &mr->rkey);
    pd->mrs++;
    loop.counts.mrs++;
    loop_unlock();
    *out = mr;
    return VB_OK;
}

void loop_mr_dereg(struct vb_mr *mr)
{
    loop_lock();
    bool is_used = mr->in_use || mr->windows;
    if (is_used) {
        loop_violation(mr->in_use ? "vb_mr_dereg while a posted request names the registration"
                                  : "vb_mr_dereg while a window is bound to the registration");
    } else {
        loop_key_remove(loop.lkeys, &mr->lkey);
        loop_key_remove(loop.rkeys, &mr->rkey);
        mr->pd->mrs--;
        loop.counts.mrs--;
    }
    loop_unlock();
    if (!is_used)
        free(mr);
}

/* Keys of a registration never change: no lock. */
uint32_t loop_mr_lkey(const struct vb_mr *mr)
{
    return mr->lkey.key;
}

uint32_t loop_mr_rkey(const struct vb_mr *mr)
{
    return mr->rkey.key;
}

vb_status_t loop_mw_alloc(struct vb_pd *pd, struct vb_mw **out)
{
    vb_status_t st = VB_OK;
    struct vb_mw *mw = calloc(1, sizeof *mw);
    if (!mw)
        return VB_E_NOMEM;
    mw->pd = pd;
    mw->rkey.mw = mw;
    loop_lock();
    if (!loop.has_device) {
        st = VB_E_NODEV;
    } else if (!(loop.config.cap_flags & VB_CAP_MW_TYPE2)) {
        st = VB_E_NOTSUP;
    } else {
        mw->posted_key = loop_new_key();
        pd->mws++;
        loop.counts.mws++;
    }
    loop_unlock();
    if (st != VB_OK)
        free(mw);
    else
        *out = mw;
    return st;
}

void loop_window_unbind(struct vb_mw *mw)
{
    if (!mw->is_bound)
        return;
    loop_key_remove(loop.rkeys, &mw->rkey);
    mw->is_bound = false;
    mw->mr->windows--;
    mw->mr = NULL;
}

void loop_mw_free(struct vb_mw *mw)
{
    loop_lock();
    bool is_used = mw->in_use;
    if (is_used) {
        loop_violation("vb_mw_free while a posted bind or invalidate names the window");
    } else {
        loop_window_unbind(mw);
        mw->pd->mws--;
        loop.counts.mws--;
    }
    loop_unlock();
    if (!is_used)
        free(mw);
}

uint32_t loop_mw_rkey(const struct vb_mw *mw)
{
    loop_lock();
    uint32_t key = mw->posted_key;
    loop_unlock();
    return key;
}
