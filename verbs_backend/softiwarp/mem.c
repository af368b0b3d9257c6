/* mem.c - protection domains, registrations, windows, and the table of their keys.
 * Nothing is pinned: memory belongs to this process, and the one who copies is this process. So a key only says who may
 * touch which bytes. An access holds ("pins") its key while it copies; taking a key away waits for that, so that once
 * deregistration or invalidation is done no byte is touched any more. */
#include <stdlib.h>
#include <string.h>

#include "si.h"

bool si_keys_init(struct vb_backend *be)
{
    for (unsigned i = 0; i < SI_STRIPES; i++)
        if (!pal_mutex_init(&be->stripe[i].lock))
            return false;
    return true;
}

void si_keys_fini(struct vb_backend *be)
{
    for (unsigned i = 0; i < SI_STRIPES; i++)
        pal_mutex_fini(&be->stripe[i].lock);
}

/* Keys are random: their bits choose stripe and bucket. */
static struct si_stripe *stripe_of(struct vb_backend *be, uint32_t key)
{
    return &be->stripe[key % SI_STRIPES];
}

static struct si_key **bucket_of(struct si_stripe *s, uint32_t key)
{
    return &s->bucket[key / SI_STRIPES % SI_BUCKETS];
}

static struct si_key *find_locked(struct si_stripe *s, uint32_t key)
{
    struct si_key *k = *bucket_of(s, key);
    while (k && k->key != key)
        k = k->next;
    return k;
}

uint32_t si_new_key(struct vb_backend *be)
{
    for (;;) {
        uint32_t key;
        si_random(be, &key, sizeof key);
        if (!key) /* 0 is what zero-length messages carry */
            continue;
        struct si_stripe *s = stripe_of(be, key);
        pal_mutex_lock(&s->lock);
        const bool is_taken = find_locked(s, key) != NULL;
        pal_mutex_unlock(&s->lock);
        if (!is_taken)
            return key;
    }
}

/* False: the key is in the table already (two windows drew the same number and were bound later). */
static bool add(struct vb_backend *be, struct si_key *k)
{
    struct si_stripe *s = stripe_of(be, k->key);
    pal_mutex_lock(&s->lock);
    const bool is_free = !find_locked(s, k->key);
    if (is_free) {
        struct si_key **bucket = bucket_of(s, k->key);
        k->next = *bucket;
        *bucket = k;
    }
    pal_mutex_unlock(&s->lock);
    return is_free;
}

static void add_new(struct vb_backend *be, struct si_key *k)
{
    do
        k->key = si_new_key(be);
    while (!add(be, k));
}

static void take_out(struct vb_backend *be, struct si_key *k)
{
    struct si_stripe *s = stripe_of(be, k->key);
    pal_mutex_lock(&s->lock);
    struct si_key **at = bucket_of(s, k->key);
    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
    pal_mutex_unlock(&s->lock);
    while (pal_load_acquire(&k->pins)) /* for the length of one copy */
        pal_thread_yield();
}

bool si_local_ok(struct vb_qp *qp, uint32_t lkey, uint64_t addr, uint32_t bytes, bool for_write)
{
    struct si_stripe *s = stripe_of(qp->be, lkey);
    pal_mutex_lock(&s->lock);
    const struct si_key *k = find_locked(s, lkey);
    const bool ok = k && k->is_local && k->pd == qp->pd &&
                    (!for_write || (k->access & VB_ACCESS_LOCAL_WRITE)) && addr >= k->start &&
                    addr - k->start <= k->bytes && bytes <= k->bytes - (addr - k->start);
    pal_mutex_unlock(&s->lock);
    return ok;
}

/* RFC 5040 5.2, 7.2 and RFC 5041 7: which error for which fault. */
static uint16_t fault_of(const struct si_key *k, const struct vb_qp *qp, uint64_t addr, uint32_t bytes,
                         uint32_t access)
{
    if (!k || k->is_local)
        return TERM_DDP_INVALID_STAG;
    if (k->pd != qp->pd || (k->qp_number && k->qp_number != qp->number))
        return TERM_DDP_STREAM;
    if ((k->access & access) != access)
        return TERM_RDMAP_RIGHTS;
    if (addr + bytes < addr)
        return TERM_DDP_TO_WRAP;
    if (addr < k->start || addr - k->start > k->bytes || bytes > k->bytes - (addr - k->start))
        return TERM_DDP_BOUNDS;
    return 0;
}

struct si_key *si_key_pin(struct vb_qp *qp, uint32_t stag, uint64_t addr, uint32_t bytes, uint32_t access,
                          uint16_t *error)
{
    struct si_stripe *s = stripe_of(qp->be, stag);
    pal_mutex_lock(&s->lock);
    struct si_key *k = find_locked(s, stag);
    *error = fault_of(k, qp, addr, bytes, access);
    if (*error)
        k = NULL;
    else
        pal_add_relaxed(&k->pins, 1); /* the lock orders it before take_out() */
    pal_mutex_unlock(&s->lock);
    return k;
}

/* ---- protection domains and registrations ---- */

vb_status_t si_pd_create(struct vb_dev *dev, struct vb_pd **out)
{
    struct vb_pd *pd = calloc(1, sizeof *pd);
    if (!pd)
        return VB_E_NOMEM;
    pd->dev = dev;
    *out = pd;
    return VB_OK;
}

void si_pd_destroy(struct vb_pd *pd)
{
    free(pd);
}

vb_status_t si_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out)
{
    if (!pal_pages_usable(addr, bytes, (access & VB_ACCESS_LOCAL_WRITE) != 0))
        return VB_E_FAULT;
    struct vb_mr *mr = calloc(1, sizeof *mr);
    if (!mr)
        return VB_E_NOMEM;
    mr->pd = pd;
    mr->addr = (uintptr_t)addr;
    mr->bytes = bytes;
    mr->access = access;
    mr->lkey = (struct si_key){
        .access = access, .pd = pd, .start = mr->addr, .bytes = bytes, .is_local = true};
    mr->rkey = (struct si_key){.access = access, .pd = pd, .start = mr->addr, .bytes = bytes};
    add_new(pd->dev->be, &mr->lkey);
    add_new(pd->dev->be, &mr->rkey);
    *out = mr;
    return VB_OK;
}

void si_mr_dereg(struct vb_mr *mr)
{
    take_out(mr->pd->dev->be, &mr->rkey);
    take_out(mr->pd->dev->be, &mr->lkey);
    free(mr);
}

uint32_t si_mr_lkey(const struct vb_mr *mr)
{
    return mr->lkey.key;
}

uint32_t si_mr_rkey(const struct vb_mr *mr)
{
    return mr->rkey.key;
}

/* ---- windows ---- */

vb_status_t si_mw_alloc(struct vb_pd *pd, struct vb_mw **out)
{
    struct vb_mw *mw = calloc(1, sizeof *mw);
    if (!mw)
        return VB_E_NOMEM;
    mw->pd = pd;
    mw->posted_key = si_new_key(pd->dev->be);
    *out = mw;
    return VB_OK;
}

static void unbind(struct vb_mw *mw)
{
    take_out(mw->pd->dev->be, &mw->rkey);
    pal_store_release(&mw->is_bound, false);
}

void si_mw_free(struct vb_mw *mw)
{
    if (pal_load_acquire(&mw->is_bound))
        unbind(mw);
    free(mw);
}

uint32_t si_mw_rkey(const struct vb_mw *mw)
{
    return pal_load_relaxed(&((struct vb_mw *)mw)->posted_key);
}

bool si_window_bind(struct vb_qp *qp, const struct si_slot *s)
{
    struct vb_mw *mw = s->send->mw;
    const struct vb_mr *mr = s->send->mr;
    if (pal_load_acquire(&mw->is_bound) || mw->pd != qp->pd || mr->pd != qp->pd ||
        !(mr->access & VB_ACCESS_WINDOW) ||
        ((s->send->bind_access & VB_ACCESS_REMOTE_WRITE) && !(mr->access & VB_ACCESS_LOCAL_WRITE)) ||
        s->send->bind_addr < mr->addr || s->send->bind_addr - mr->addr > mr->bytes ||
        s->send->bind_bytes > mr->bytes - (s->send->bind_addr - mr->addr))
        return false;
    mw->rkey = (struct si_key){.key = s->send->rkey,
                               .access = s->send->bind_access,
                               .pd = qp->pd,
                               .start = s->send->bind_addr,
                               .bytes = s->send->bind_bytes,
                               .qp_number = qp->number,
                               .mw = mw};
    if (!add(qp->be, &mw->rkey))
        return false;
    pal_store_release(&mw->is_bound, true);
    return true;
}

bool si_window_invalidate(struct vb_qp *qp, struct vb_mw *mw, uint32_t key)
{
    if (!pal_load_acquire(&mw->is_bound) || mw->rkey.qp_number != qp->number || mw->rkey.key != key)
        return false;
    unbind(mw);
    return true;
}

bool si_window_invalidate_stag(struct vb_qp *qp, uint32_t stag)
{
    struct si_stripe *s = stripe_of(qp->be, stag);
    pal_mutex_lock(&s->lock);
    const struct si_key *k = find_locked(s, stag);
    struct vb_mw *mw = k && k->qp_number == qp->number ? k->mw : NULL;
    pal_mutex_unlock(&s->lock);
    if (!mw) /* registrations, and windows of others, are not the peer's to end */
        return false;
    unbind(mw); /* bound to this QP, whose lock we hold: nobody else unbinds it */
    return true;
}
