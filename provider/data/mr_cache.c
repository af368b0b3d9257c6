/* mr_cache.c - see mr_cache.h. A most-recently-used list: the working set of a switch is its two pools and
 * a few application buffers, so hits are near the head, and the bound keeps the worst walk short. */
#include "data/mr_cache.h"

#include <stdlib.h>

#include "pal/memory.h"

bool wsd_mr_cache_init(struct wsd_mr_cache *c, struct vb_pd *pd, uint32_t max_entries, uint64_t max_bytes)
{
    *c = (struct wsd_mr_cache){.max_entries = max_entries, .max_bytes = max_bytes, .pd = pd};
    return pal_lock_init(&c->lock);
}

static void unlink_locked(struct wsd_mr_cache *c, struct wsd_mr *m)
{
    *(m->prev ? &m->prev->next : &c->head) = m->next;
    *(m->next ? &m->next->prev : &c->tail) = m->prev;
    m->prev = m->next = NULL;
    c->entries--;
    c->bytes -= m->end - m->start;
}

static void push_front_locked(struct wsd_mr_cache *c, struct wsd_mr *m)
{
    m->prev = NULL;
    m->next = c->head;
    *(c->head ? &c->head->prev : &c->tail) = m;
    c->head = m;
    c->entries++;
    c->bytes += m->end - m->start;
}

/* Deregister a list linked through next. Outside the lock. */
static void destroy_list(struct wsd_mr *m)
{
    while (m) {
        struct wsd_mr *next = m->next;
        vb_mr_dereg(m->mr);
        free(m);
        m = next;
    }
}

static bool is_over_locked(const struct wsd_mr_cache *c)
{
    return c->entries > c->max_entries || c->bytes > c->max_bytes || !c->keeps;
}

/* Take what must go: dead and unused entries, and the oldest unused ones beyond the bounds. */
static struct wsd_mr *collect_locked(struct wsd_mr_cache *c)
{
    struct wsd_mr *out = NULL;
    for (struct wsd_mr *m = c->tail, *prev; m; m = prev) {
        prev = m->prev;
        if (m->users || !(m->dead || is_over_locked(c)))
            continue;
        unlink_locked(c, m);
        m->next = out;
        out = m;
    }
    return out;
}

void wsd_mr_cache_fini(struct wsd_mr_cache *c)
{
    wsd_mr_cache_keep(c, false);
    pal_lock_fini(&c->lock);
}

void wsd_mr_cache_keep(struct wsd_mr_cache *c, bool keep)
{
    pal_lock_take(&c->lock);
    c->keeps = keep && c->max_entries;
    struct wsd_mr *gone = collect_locked(c);
    pal_lock_give(&c->lock);
    destroy_list(gone);
}

/* Give everything back that nobody uses. False: there was nothing. */
static bool drop_unused(struct wsd_mr_cache *c)
{
    pal_lock_take(&c->lock);
    bool keeps = c->keeps;
    c->keeps = false;
    struct wsd_mr *gone = collect_locked(c);
    c->keeps = keeps;
    pal_lock_give(&c->lock);
    bool any = gone != NULL;
    destroy_list(gone);
    return any;
}

static bool fits(const struct wsd_mr *m, uint64_t start, uint64_t end, bool exact)
{
    return exact ? m->start == start && m->end == end : m->start <= start && end <= m->end;
}

static struct wsd_mr *find_locked(struct wsd_mr_cache *c, uint64_t start, uint64_t end, uint32_t access,
                                  bool exact)
{
    for (struct wsd_mr *m = c->head; m; m = m->next)
        if (!m->dead && fits(m, start, end, exact) && (m->access & access) == access)
            return m;
    return NULL;
}

static vb_status_t get(struct wsd_mr_cache *c, void *addr, size_t bytes, uint32_t access, bool exact,
                       struct wsd_mr **out)
{
    uint64_t start = (uintptr_t)addr, end = start + bytes;
    if (bytes == 0 || end < start)
        return VB_E_INVAL;
    pal_lock_take(&c->lock);
    struct wsd_mr *m = find_locked(c, start, end, access, exact);
    if (m) {
        m->users++;
        if (m != c->head) {
            unlink_locked(c, m);
            push_front_locked(c, m);
        }
    }
    uint64_t generation = c->invalidations;
    bool keeps = c->keeps;
    pal_lock_give(&c->lock);
    if (m) {
        *out = m;
        return VB_OK;
    }

    m = calloc(1, sizeof *m);
    if (!m)
        return VB_E_NOMEM;
    /* whole pages: neighbours in the same pages hit too, and pages are what the device pins anyway */
    if (keeps && !exact) {
        uint64_t page = pal_page_size();
        uint64_t first = start & ~(page - 1), last = (end + page - 1) & ~(page - 1);
        if (last >= end) { /* false only when rounding up would wrap */
            start = first;
            end = last;
        }
    }
    vb_status_t st = vb_mr_reg(c->pd, (void *)(uintptr_t)start, (size_t)(end - start), access, &m->mr);
    if (st == VB_E_NOMEM && drop_unused(c)) /* what is merely kept must not cost what is needed */
        st = vb_mr_reg(c->pd, (void *)(uintptr_t)start, (size_t)(end - start), access, &m->mr);
    if (st != VB_OK) {
        free(m);
        return st;
    }
    m->start = start;
    m->end = end;
    m->access = access;
    m->users = 1;
    pal_lock_take(&c->lock);
    m->dead = !keeps || generation != c->invalidations;
    push_front_locked(c, m);
    struct wsd_mr *gone = is_over_locked(c) ? collect_locked(c) : NULL;
    pal_lock_give(&c->lock);
    destroy_list(gone);
    *out = m;
    return VB_OK;
}

vb_status_t wsd_mr_get(struct wsd_mr_cache *c, void *addr, size_t bytes, uint32_t access, struct wsd_mr **out)
{
    return get(c, addr, bytes, access, false, out);
}

vb_status_t wsd_mr_get_exact(struct wsd_mr_cache *c, void *addr, size_t bytes, uint32_t access,
                             struct wsd_mr **out)
{
    return get(c, addr, bytes, access, true, out);
}

void wsd_mr_put(struct wsd_mr_cache *c, struct wsd_mr *m)
{
    pal_lock_take(&c->lock);
    m->users--;
    struct wsd_mr *gone = NULL;
    if (m->users == 0 && (m->dead || is_over_locked(c)))
        gone = collect_locked(c);
    pal_lock_give(&c->lock);
    destroy_list(gone);
}

enum wsd_invalidate wsd_mr_cache_invalidate(struct wsd_mr_cache *c, void *addr, size_t bytes)
{
    uint64_t start = (uintptr_t)addr, end = start + bytes < start ? UINT64_MAX : start + bytes;
    enum wsd_invalidate result = WSD_INVALIDATE_NONE;
    pal_lock_take(&c->lock);
    c->invalidations++;
    for (struct wsd_mr *m = c->head; m; m = m->next) {
        if (m->start >= end || start >= m->end)
            continue;
        if (m->users) {
            m->dead = true;
            result = WSD_INVALIDATE_IN_USE;
        } else {
            m->dead = true;
            if (result == WSD_INVALIDATE_NONE)
                result = WSD_INVALIDATE_DONE;
        }
    }
    struct wsd_mr *gone = collect_locked(c);
    pal_lock_give(&c->lock);
    destroy_list(gone);
    return result;
}
