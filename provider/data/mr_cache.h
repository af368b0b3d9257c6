/* mr_cache.h - counted registrations of one protection domain, cached between uses.
 * Layer:   provider/data.
 * Threads: any. The lock inside is never held across a registration, a deregistration, an allocation or a release of memory,
 *          because invalidation may run in a thread that is inside free() (contract 6.7), and because who frees watched
 *          memory waits for a thread that takes this lock (mr_watch.h).
 * Rules:   a hit may cover more memory and more *local* rights than asked, because these keys never leave
 *          the process; what a peer gets is a window or a registration of its own with exact bounds and
 *          rights (peers.md W3). Invalidation works by overlap, not equality (6.7, W6). Entries in use are
 *          marked and dropped at their last release. What is merely kept is bounded, least recently used goes first
 *          (W27); what is in use is not: thousands of connections have their pools. */
#ifndef WSD_MR_CACHE_H
#define WSD_MR_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pal/lock.h"
#include "vb/vb.h"

struct wsd_mr {
    struct wsd_mr *prev, *next; /* in one of the cache's lists, most recently used first */
    struct wsd_mr *beside;      /* in the chain of those that begin in pages like this one's */
    struct vb_mr *mr;
    uint64_t start, end; /* [start, end) */
    uint32_t access;
    uint32_t users;
    bool dead; /* never hit again; goes away with its last user */
};

#define WSD_MR_CHAINS 256u

struct wsd_mr_watch;

struct wsd_mr_cache {
    struct pal_lock lock; /* guards everything below */
    struct wsd_mr_list {
        struct wsd_mr *head, *tail;
    } busy, idle; /* with users, and without */
    struct wsd_mr *chains[WSD_MR_CHAINS];
    uint64_t page;                 /* its size */
    uint32_t entries, max_entries; /* idle ones */
    uint64_t bytes, max_bytes;     /* of them */
    uint64_t invalidations;        /* a registration that raced with one is not cached */
    bool keeps;                    /* false: deregister at the last release */
    struct wsd_mr *condemned;      /* found by nobody any more, not deregistered yet; linked through next */
    struct wsd_mr_watch *watch;    /* NULL: the switch tells, or need not */
    struct vb_pd *pd;
    struct wsd_mr_cache *watch_next, **watch_at; /* the watch's */
};

bool wsd_mr_cache_init(struct wsd_mr_cache *c, struct vb_pd *pd, uint32_t max_entries, uint64_t max_bytes);
/* Deregister everything. Nothing may be in use. */
void wsd_mr_cache_fini(struct wsd_mr_cache *c);
/* Start or stop keeping unused registrations. */
void wsd_mr_cache_keep(struct wsd_mr_cache *c, bool keep);
/* Keep registrations of memory that this watch takes, for the rest of the cache's life. Any number of times. Control. */
void wsd_mr_cache_watch(struct wsd_mr_cache *c, struct wsd_mr_watch *w);

/* A registration that covers [addr, addr+bytes) with at least these rights; wsd_mr_put() gives it back.
 * Errors: vb_mr_reg(). */
vb_status_t wsd_mr_get(struct wsd_mr_cache *c, void *addr, size_t bytes, uint32_t access,
                       struct wsd_mr **out);
/* The same, but a registration of exactly this range: what a peer may reach ends where it ends
 * (VB_CAP_WINDOW_BOUNDS). */
vb_status_t wsd_mr_get_exact(struct wsd_mr_cache *c, void *addr, size_t bytes, uint32_t access,
                             struct wsd_mr **out);
void wsd_mr_put(struct wsd_mr_cache *c, struct wsd_mr *m);

enum wsd_invalidate { WSD_INVALIDATE_NONE, WSD_INVALIDATE_DONE, WSD_INVALIDATE_IN_USE };
/* Drop every cached registration that overlaps. NONE: nothing overlapped; IN_USE: some cannot go yet, they
 * are marked. */
enum wsd_invalidate wsd_mr_cache_invalidate(struct wsd_mr_cache *c, void *addr, size_t bytes);
/* The watch's two steps of the same: nothing that overlaps is found any more; frees nothing. True: there is something to bury. */
bool wsd_mr_cache_condemn(struct wsd_mr_cache *c, uint64_t start, uint64_t end);
void wsd_mr_cache_bury(struct wsd_mr_cache *c);

#endif
