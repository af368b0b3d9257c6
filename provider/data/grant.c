/* grant.c - see grant.h. */
#include "data/grant.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "data/device.h"
#include "data/xfer.h"

struct wsd_grant {
    struct wsd_grant *next;
    uint8_t descriptor[WSD_DESCRIPTOR_BYTES];
    struct wsd_mr *cached; /* with a window */
    struct vb_mw *mw;
    struct vb_mr *own; /* without */
};

static void put32(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 24);
    at[1] = (uint8_t)(v >> 16);
    at[2] = (uint8_t)(v >> 8);
    at[3] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void wsd_descriptor_encode(const struct wsd_descriptor *d, uint8_t out[WSD_DESCRIPTOR_BYTES])
{
    memset(out, 0, WSD_DESCRIPTOR_BYTES);
    out[0] = WSD_DESCRIPTOR_VERSION;
    out[1] = d->access;
    put32(out + 4, d->rkey);
    put32(out + 8, (uint32_t)(d->addr >> 32));
    put32(out + 12, (uint32_t)d->addr);
    put32(out + 16, d->bytes);
    put32(out + 20, d->nonce);
}

bool wsd_descriptor_decode(const void *in, uint32_t in_bytes, struct wsd_descriptor *out)
{
    const uint8_t *b = in;
    if (in_bytes != WSD_DESCRIPTOR_BYTES || b[0] != WSD_DESCRIPTOR_VERSION || b[2] || b[3])
        return false;
    out->access = b[1];
    out->rkey = get32(b + 4);
    out->addr = (uint64_t)get32(b + 8) << 32 | get32(b + 12);
    out->bytes = get32(b + 16);
    out->nonce = get32(b + 20);
    return out->access >= MEM_READ && out->access <= MEM_READWRITE && out->addr + out->bytes >= out->addr;
}

static uint32_t remote_access(uint32_t flags)
{
    return (flags & MEM_READ ? VB_ACCESS_REMOTE_READ : 0u) |
           (flags & MEM_WRITE ? VB_ACCESS_REMOTE_WRITE : 0u);
}

static vb_status_t grant_window(struct wsd_chan *c, struct wsd_grant *g, void *addr, uint32_t bytes,
                                uint32_t flags, uint32_t *key)
{
    uint32_t local = VB_ACCESS_WINDOW | (flags & MEM_WRITE ? VB_ACCESS_LOCAL_WRITE : 0u);
    /* Where the device checks the window's bounds, any registration that covers it will do; where it
     * checks only those of the registration below (rxe), that one must end where the window ends (W3, W5). */
    bool bounds = c->dev->caps.flags & VB_CAP_WINDOW_BOUNDS;
    vb_status_t st = bounds ? wsd_mr_get(&c->domain->cache, addr, bytes, local, &g->cached)
                            : wsd_mr_get_exact(&c->domain->cache, addr, bytes, local, &g->cached);
    if (st != VB_OK)
        return st;
    st = wsd_domain_take_window(c->domain, &g->mw);
    if (st != VB_OK)
        goto err_mr;
    st = wsd_xfer_bind(c, g->mw, g->cached->mr, (uintptr_t)addr, bytes, remote_access(flags), key);
    if (st == VB_OK)
        return VB_OK;
    wsd_domain_give_window(c->domain, g->mw, false);
err_mr:
    wsd_mr_put(&c->domain->cache, g->cached);
    return st;
}

static vb_status_t grant_own(struct wsd_chan *c, struct wsd_grant *g, void *addr, uint32_t bytes,
                             uint32_t flags, uint32_t *key)
{
    uint32_t access = remote_access(flags) | (flags & MEM_WRITE ? VB_ACCESS_LOCAL_WRITE : 0u);
    vb_status_t st = vb_mr_reg(c->domain->pd, addr, bytes, access, &g->own);
    if (st == VB_OK)
        *key = vb_mr_rkey(g->own);
    return st;
}

/* clean: the key works no more and the window may be used again. */
static void grant_destroy(struct wsd_chan *c, struct wsd_grant *g, bool clean)
{
    if (g->mw) {
        wsd_domain_give_window(c->domain, g->mw, clean);
        wsd_mr_put(&c->domain->cache, g->cached);
    } else {
        vb_mr_dereg(g->own);
    }
    free(g);
}

int wsd_grant_register(struct wsd_chan *c, void *addr, uint32_t bytes, uint32_t flags,
                       uint8_t out[WSD_DESCRIPTOR_BYTES])
{
    if (pal_load_acquire(&c->cause))
        return WSAENOTCONN;
    struct wsd_grant *g = malloc(sizeof *g); /* not calloc: glibc's is ten times slower at this size */
    if (!g)
        return WSAENOBUFS;
    *g = (struct wsd_grant){0};
    uint32_t key = 0;
    bool windows = c->dev->caps.flags & VB_CAP_MW_TYPE2;
    vb_status_t st = windows ? grant_window(c, g, addr, bytes, flags, &key)
                             : grant_own(c, g, addr, bytes, flags, &key);
    if (st != VB_OK) {
        free(g);
        return st == VB_E_RESET ? WSAENOTCONN : wsd_error_register(st);
    }
    wsd_descriptor_encode(&(struct wsd_descriptor){.access = (uint8_t)flags,
                                                   .rkey = key,
                                                   .addr = (uintptr_t)addr,
                                                   .bytes = bytes,
                                                   .nonce = c->local_nonce},
                          g->descriptor);
    memcpy(out, g->descriptor, WSD_DESCRIPTOR_BYTES);
    pal_lock_take(&c->sq.lock);
    g->next = c->grants;
    c->grants = g;
    pal_lock_give(&c->sq.lock);
    return 0;
}

static struct wsd_grant *take(struct wsd_chan *c, const void *descriptor, uint32_t bytes)
{
    struct wsd_grant *found = NULL;
    if (bytes != WSD_DESCRIPTOR_BYTES)
        return NULL;
    pal_lock_take(&c->sq.lock);
    for (struct wsd_grant **at = &c->grants; *at; at = &(*at)->next)
        /* by content: the bytes travelled (6.5) */
        if (memcmp((*at)->descriptor, descriptor, WSD_DESCRIPTOR_BYTES) == 0) {
            found = *at;
            *at = found->next;
            break;
        }
    pal_lock_give(&c->sq.lock);
    return found;
}

int wsd_grant_deregister(struct wsd_chan *c, const void *descriptor, uint32_t descriptor_bytes)
{
    struct wsd_grant *g = take(c, descriptor, descriptor_bytes);
    if (!g)
        return WSAEINVAL;
    if (!g->mw || wsd_xfer_invalidate(c, g->mw) == VB_OK) {
        grant_destroy(c, g, true);
        return 0;
    }
    /* The connection is dead. Stopping its QP is what revokes the key; the window is freed when the QP has
     * been drained, because requests that name it may not have come back yet. */
    if (c->qp)
        vb_qp_stop(c->qp);
    pal_lock_take(&c->sq.lock);
    g->next = c->dead_grants;
    c->dead_grants = g;
    pal_lock_give(&c->sq.lock);
    return 0;
}

void wsd_grant_release_all(struct wsd_chan *c)
{
    for (;;) {
        pal_lock_take(&c->sq.lock);
        struct wsd_grant **list = c->grants ? &c->grants : &c->dead_grants, *g = *list;
        if (g)
            *list = g->next;
        pal_lock_give(&c->sq.lock);
        if (!g)
            return;
        grant_destroy(c, g, false);
    }
}
