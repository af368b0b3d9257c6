/* mr_watch.c - see mr_watch.h. Between the change of a mapping and the reading of its event the platform answers that something is changing;
 * between the reading and the last cache's being told, `telling` does. A lookup asks both, in this order, under its cache's lock, so
 * there is no moment at which a stale registration is taken for a good one. */
#include "data/mr_watch.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/log.h"
#include "data/mr_cache.h"
#include "pal/atomic.h"
#include "pal/memwatch.h"
#include "pal/mutex.h"
#include "pal/thread.h"
#include "pal/wait.h"

struct wsd_mr_watch {
    struct pal_memwatch *memory;
    struct pal_wakeup *wake;
    struct pal_thread *watcher, *undertaker;
    pal_atomic_u32 telling;
    pal_atomic_bool stop;
    struct pal_mutex lock; /* guards everything below */
    struct pal_cond changed;
    struct wsd_mr_cache *caches;
    const struct wsd_mr_cache *burying; /* the undertaker is at this one, without the lock */
    bool has_dead;
};

static struct pal_mutex use_lock = PAL_MUTEX_INIT; /* guards the two; held while the watch is made */
static struct wsd_mr_watch *the_watch;
static bool is_missing; /* tried in vain; once is enough */

/* --- wsd-watch --- */

static void tell_all(struct wsd_mr_watch *w, const struct pal_memwatch_range *gone, unsigned n)
{
    bool any = false;
    pal_mutex_lock(&w->lock);
    for (struct wsd_mr_cache *c = w->caches; c; c = c->watch_next)
        for (unsigned i = 0; i < n; i++)
            any |= wsd_mr_cache_condemn(c, gone[i].start, gone[i].end);
    if (any) {
        w->has_dead = true;
        pal_cond_broadcast(&w->changed);
    }
    pal_mutex_unlock(&w->lock);
}

static void watch(void *arg)
{
    enum { AT_ONCE = 32 };
    struct wsd_mr_watch *w = arg;
    const pal_waitable waits[2] = {pal_memwatch_waitable(w->memory), pal_wakeup_waitable(w->wake)};
    struct pal_memwatch_range gone[AT_ONCE];
    while (!pal_load_acquire(&w->stop)) {
        if (!(pal_wait(waits, 2, -1) & 1))
            continue;
        /* seq_cst, like the load of who asks: it is set before the reading lets the thread that unmaps go on */
        atomic_store(&w->telling, 1);
        unsigned n = pal_memwatch_read(w->memory, gone, AT_ONCE);
        if (n)
            tell_all(w, gone, n);
        atomic_store(&w->telling, 0);
    }
    pal_memwatch_stop(w->memory);
}

/* --- wsd-unreg --- */

static void bury_all_locked(struct wsd_mr_watch *w)
{
    for (struct wsd_mr_cache *c = w->caches; c; c = c->watch_next) {
        w->burying = c; /* it cannot leave, so it is still in the list afterwards */
        pal_mutex_unlock(&w->lock);
        wsd_mr_cache_bury(c);
        pal_mutex_lock(&w->lock);
        w->burying = NULL;
        pal_cond_broadcast(&w->changed);
    }
}

static void undertake(void *arg)
{
    struct wsd_mr_watch *w = arg;
    pal_mutex_lock(&w->lock);
    while (!pal_load_acquire(&w->stop)) {
        if (w->has_dead) {
            w->has_dead = false;
            bury_all_locked(w);
        } else {
            pal_cond_wait(&w->changed, &w->lock);
        }
    }
    pal_mutex_unlock(&w->lock);
}

/* --- caches --- */

void wsd_mr_watch_join(struct wsd_mr_watch *w, struct wsd_mr_cache *c)
{
    pal_mutex_lock(&w->lock);
    if (!c->watch_at) {
        c->watch_next = w->caches;
        if (w->caches)
            w->caches->watch_at = &c->watch_next;
        w->caches = c;
        c->watch_at = &w->caches;
    }
    pal_mutex_unlock(&w->lock);
}

void wsd_mr_watch_leave(struct wsd_mr_watch *w, struct wsd_mr_cache *c)
{
    pal_mutex_lock(&w->lock);
    while (w->burying == c)
        pal_cond_wait(&w->changed, &w->lock);
    *c->watch_at = c->watch_next;
    if (c->watch_next)
        c->watch_next->watch_at = c->watch_at;
    c->watch_at = NULL;
    pal_mutex_unlock(&w->lock);
}

bool wsd_mr_watch_add(struct wsd_mr_watch *w, uint64_t start, uint64_t end)
{
    return pal_memwatch_add(w->memory, start, end);
}

bool wsd_mr_watch_is_quiet(struct wsd_mr_watch *w)
{
    return pal_memwatch_is_quiet(w->memory) && atomic_load(&w->telling) == 0;
}

/* --- life --- */

static void stop(struct wsd_mr_watch *w)
{
    pal_mutex_lock(&w->lock);
    pal_store_release(&w->stop, true);
    pal_cond_broadcast(&w->changed);
    pal_mutex_unlock(&w->lock);
    pal_wakeup_signal(w->wake);
    /* nobody reads from here on, but nobody waits either: the watcher's last act */
    if (w->watcher)
        pal_thread_join(w->watcher);
    if (w->undertaker)
        pal_thread_join(w->undertaker);
}

static struct wsd_mr_watch *start(void)
{
    const char *why = "out of memory";
    struct wsd_mr_watch *w = calloc(1, sizeof *w);
    if (!w)
        goto err;
    if (!pal_mutex_init(&w->lock))
        goto err_free;
    if (!pal_cond_init(&w->changed))
        goto err_lock;
    w->wake = pal_wakeup_create();
    if (!w->wake)
        goto err_cond;
    w->memory = pal_memwatch_create(&why);
    if (!w->memory)
        goto err_wake;
    why = "no thread";
    w->undertaker = pal_thread_start(undertake, w, "wsd-unreg");
    if (w->undertaker)
        w->watcher = pal_thread_start(watch, w, "wsd-watch");
    if (w->watcher)
        return w;
    stop(w);
    pal_memwatch_destroy(w->memory);
err_wake:
    pal_wakeup_destroy(w->wake);
err_cond:
    pal_cond_fini(&w->changed);
err_lock:
    pal_mutex_fini(&w->lock);
err_free:
    free(w);
err:
    WSD_LOG_NOTICE("event=no-memory-watch why=\"%s\" effect=registrations-are-not-kept", why);
    return NULL;
}

struct wsd_mr_watch *wsd_mr_watch_use(void)
{
    pal_mutex_lock(&use_lock);
    if (!the_watch && !is_missing) {
        the_watch = start();
        is_missing = !the_watch;
    }
    struct wsd_mr_watch *w = the_watch;
    pal_mutex_unlock(&use_lock);
    return w;
}

void wsd_mr_watch_end(void)
{
    pal_mutex_lock(&use_lock);
    struct wsd_mr_watch *w = the_watch;
    the_watch = NULL;
    is_missing = false;
    pal_mutex_unlock(&use_lock);
    if (!w)
        return;
    stop(w);
    pal_memwatch_destroy(w->memory);
    pal_wakeup_destroy(w->wake);
    pal_cond_fini(&w->changed);
    pal_mutex_fini(&w->lock);
    free(w);
}
