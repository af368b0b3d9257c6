/* mr_watch.h - tells registration caches of memory that goes away where the switch does not (8.9): one for the process, over pal/memwatch.h.
 * Layer:   provider/data.
 * Threads: wsd-watch reads what changed and takes it out of the caches, while the thread that changed it still waits in the kernel;
 *          wsd-unreg deregisters what was taken out. They are two because deregistering frees memory, which may itself have to wait for
 *          wsd-watch.
 * Rule:    nobody allocates, frees or unmaps under the watch's lock or a cache's: wsd-watch takes both. */
#ifndef WSD_MR_WATCH_H
#define WSD_MR_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct wsd_mr_cache;
struct wsd_mr_watch;

/* The watch; it is started when it is asked for first. NULL: there is none here (logged once). Control. */
struct wsd_mr_watch *wsd_mr_watch_use(void);
/* Ends it. No cache may have joined. */
void wsd_mr_watch_end(void);

/* From here on wsd_mr_cache_condemn() is called for what changes, and wsd_mr_cache_bury() after it. */
void wsd_mr_watch_join(struct wsd_mr_watch *w, struct wsd_mr_cache *c);
/* From here on neither is called, nor running. */
void wsd_mr_watch_leave(struct wsd_mr_watch *w, struct wsd_mr_cache *c);

/* Watch whole pages; false: they cannot be, keep nothing of them. Before they are registered. */
bool wsd_mr_watch_add(struct wsd_mr_watch *w, uint64_t start, uint64_t end);
/* Under the cache's lock: has the cache been told of everything that changed before now? If not, what it holds may be of memory that is
 * no more. One system call, which does not sleep. */
bool wsd_mr_watch_is_quiet(struct wsd_mr_watch *w);

#endif
