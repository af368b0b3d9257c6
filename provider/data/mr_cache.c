/* mr_cache.c - see mr_cache.h. Mostly a buffer is used again from its beginning, so those that begin in one page are found by that,
 * however many there are: a thousand connections have two thousand. What lies within a larger registration is looked for at the
 * heads of the lists, where the most recently used ones are; a registration too many costs less than a walk over all. */
#include "data/mr_cache.h"

#include <stdlib.h>

#include "data/mr_watch.h"
#include "pal/memory.h"

bool wsd_mr_cache_init(struct wsd_mr_cache *c, struct vb_pd *pd, uint32_t max_entries, uint64_t max_bytes)
{
    *c = (struct wsd_mr_cache){
        .page = pal_page_size(), .max_entries = max_entries, .max_bytes = max_bytes, .pd = pd};
    return pal_lock_init(&c->lock);
}

enum { IDLE_LOOKS = 256, BUSY_LOOKS = 32 };

/* --- lists and chains --- */

static struct wsd_mr_list *list_of(struct wsd_mr_cache *c, const struct wsd_mr *m)
{
    return m->users ? &c->busy : &c->idle;
}

/* users says in which list it is: it changes between the two. */
static void unlink_locked(struct wsd_mr_cache *c, struct wsd_mr *m)
{
    struct wsd_mr_list *l = list_of(c, m);
    *(m->prev ? &m->prev->next : &l->head) = m->next;
    *(m->next ? &m->next->prev : &l->tail) = m->prev;
    m->prev = m->next = NULL;
    if (!m->users) {
        c->entries--;
        c->bytes -= m->end - m->start;
    }
}

static void push_front_locked(struct wsd_mr_cache *c, struct wsd_mr *m)
{
    struct wsd_mr_list *l = list_of(c, m);
    m->prev = NULL;
    m->next = l->head;
    *(l->head ? &l->head->prev : &l->tail) = m;
    l->head = m;
    if (!m->users) {
        c->entries++;
        c->bytes += m->end - m->start;
    }
}

/* Addresses of buffers that were allocated together differ in the low bits of their page numbers, or by a power of two. */
static struct wsd_mr **chain_of(struct wsd_mr_cache *c, uint64_t start)
{
    uint64_t page = start / c->page;
    return &c->chains[(page ^ page >> 8 ^ page >> 16) % WSD_MR_CHAINS];
}

static void chain_locked(struct wsd_mr_cache *c, struct wsd_mr *m)
{
    struct wsd_mr **chain = chain_of(c, m->start);
    m->beside = *chain;
    *chain = m;
}

static void unchain_locked(struct wsd_mr_cache *c, struct wsd_mr *m)
{
    struct wsd_mr **at = chain_of(c, m->start);
    while (*at != m)
        at = &(*at)->beside;
    *at = m->beside;
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

static struct wsd_mr *take_condemned_locked(struct wsd_mr_cache *c)
{
    struct wsd_mr *out = c->condemned;
    c->condemned = NULL;
    return out;
}

/* Take the oldest idle ones that are beyond the bounds, and those that are to go anyway. */
static struct wsd_mr *collect_locked(struct wsd_mr_cache *c)
{
    struct wsd_mr *out = take_condemned_locked(c);
    while (c->idle.tail && is_over_locked(c)) {
        struct wsd_mr *m = c->idle.tail;
        unlink_locked(c, m);
        unchain_locked(c, m);
        m->next = out;
        out = m;
    }
    return out;
}

void wsd_mr_cache_fini(struct wsd_mr_cache *c)
{
    if (c->watch)
        wsd_mr_watch_leave(c->watch, c);
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

void wsd_mr_cache_watch(struct wsd_mr_cache *c, struct wsd_mr_watch *w)
{
    wsd_mr_watch_join(w, c); /* first: from the first that is kept the cache is told */
    pal_lock_take(&c->lock);
    c->watch = w;
    c->keeps = c->max_entries != 0;
    pal_lock_give(&c->lock);
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

static bool serves(const struct wsd_mr *m, uint64_t start, uint64_t end, uint32_t access, bool exact)
{
    return !m->dead && fits(m, start, end, exact) && (m->access & access) == access;
}

static struct wsd_mr *find_in(struct wsd_mr *m, uint32_t looks, uint64_t start, uint64_t end, uint32_t access,
                              bool exact)
{
    for (; m && looks; m = m->next, looks--)
        if (serves(m, start, end, access, exact))
            return m;
    return NULL;
}

static struct wsd_mr *find_locked(struct wsd_mr_cache *c, uint64_t start, uint64_t end, uint32_t access,
                                  bool exact)
{
    for (struct wsd_mr *m = *chain_of(c, start); m; m = m->beside)
        if (serves(m, start, end, access, exact))
            return m;
    struct wsd_mr *m = find_in(c->idle.head, IDLE_LOOKS, start, end, access, exact);
    return m ? m : find_in(c->busy.head, BUSY_LOOKS, start, end, access, exact);
}

static bool is_up_to_date_locked(const struct wsd_mr_cache *c)
{
    return !c->watch || wsd_mr_watch_is_quiet(c->watch);
}

/* How a lookup ended that found nothing. */
struct miss {
    uint64_t generation;
    struct wsd_mr_watch *watch;
    bool keeps;
};

static struct wsd_mr *look_up(struct wsd_mr_cache *c, uint64_t start, uint64_t end, uint32_t access,
                              bool exact, struct miss *miss)
{
    pal_lock_take(&c->lock);
    struct wsd_mr *m = find_locked(c, start, end, access, exact);
    *miss = (struct miss){c->invalidations, c->watch, c->keeps};
    if (m && !is_up_to_date_locked(c)) {
        m = NULL; /* perhaps of memory that is no more: this once one that is not kept */
        miss->keeps = false;
    }
    if (m) {
        unlink_locked(c, m);
        m->users++;
        push_front_locked(c, m);
    }
    pal_lock_give(&c->lock);
    return m;
}

static void insert(struct wsd_mr_cache *c, struct wsd_mr *m, const struct miss *miss)
{
    pal_lock_take(&c->lock);
    /* what changed since, or is about to, may be what has been registered */
    m->dead = !miss->keeps || miss->generation != c->invalidations || !is_up_to_date_locked(c);
    push_front_locked(c, m);
    chain_locked(c, m);
    pal_lock_give(&c->lock);
}

static vb_status_t register_it(struct wsd_mr_cache *c, struct wsd_mr *m)
{
    void *addr = (void *)(uintptr_t)m->start;
    vb_status_t st = vb_mr_reg(c->pd, addr, (size_t)(m->end - m->start), m->access, &m->mr);
    if (st == VB_E_NOMEM && drop_unused(c)) /* what is merely kept must not cost what is needed */
        st = vb_mr_reg(c->pd, addr, (size_t)(m->end - m->start), m->access, &m->mr);
    return st;
}

static vb_status_t get(struct wsd_mr_cache *c, void *addr, size_t bytes, uint32_t access, bool exact,
                       struct wsd_mr **out)
{
    uint64_t start = (uintptr_t)addr, end = start + bytes;
    struct miss miss;
    if (bytes == 0 || end < start)
        return VB_E_INVAL;
    *out = look_up(c, start, end, access, exact, &miss);
    if (*out)
        return VB_OK;
    struct wsd_mr *m = calloc(1, sizeof *m);
    if (!m)
        return VB_E_NOMEM;
    *m = (struct wsd_mr){.start = start, .end = end, .access = access, .users = 1};
    /* whole pages: neighbours in the same pages hit too, and pages are what the device pins anyway */
    uint64_t first = start & ~(c->page - 1), last = (end + c->page - 1) & ~(c->page - 1);
    bool wraps = last < end;
    if (miss.keeps && miss.watch && (wraps || !wsd_mr_watch_add(miss.watch, first, last)))
        miss.keeps = false;
    if (miss.keeps && !exact && !wraps) {
        m->start = first;
        m->end = last;
    }
    vb_status_t st = register_it(c, m);
    if (st != VB_OK) {
        free(m);
        return st;
    }
    insert(c, m, &miss);
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
    struct wsd_mr *gone = NULL;
    if (m->users > 1) {
        m->users--;
    } else {
        unlink_locked(c, m);
        m->users = 0;
        if (m->dead) {
            unchain_locked(c, m);
            gone = m; /* unlink left it without neighbours */
        } else {
            push_front_locked(c, m);
            gone = collect_locked(c);
        }
    }
    pal_lock_give(&c->lock);
    destroy_list(gone);
}

static bool overlaps(const struct wsd_mr *m, uint64_t start, uint64_t end)
{
    return m->start < end && start < m->end;
}

static enum wsd_invalidate condemn_locked(struct wsd_mr_cache *c, uint64_t start, uint64_t end)
{
    enum wsd_invalidate result = WSD_INVALIDATE_NONE;
    c->invalidations++;
    for (struct wsd_mr *m = c->idle.head, *next; m; m = next) {
        next = m->next;
        if (!overlaps(m, start, end))
            continue;
        unlink_locked(c, m);
        unchain_locked(c, m);
        m->next = c->condemned;
        c->condemned = m;
        result = WSD_INVALIDATE_DONE;
    }
    for (struct wsd_mr *m = c->busy.head; m; m = m->next)
        if (overlaps(m, start, end)) {
            m->dead = true;
            result = WSD_INVALIDATE_IN_USE;
        }
    return result;
}

enum wsd_invalidate wsd_mr_cache_invalidate(struct wsd_mr_cache *c, void *addr, size_t bytes)
{
    uint64_t start = (uintptr_t)addr, end = start + bytes < start ? UINT64_MAX : start + bytes;
    pal_lock_take(&c->lock);
    enum wsd_invalidate result = condemn_locked(c, start, end);
    struct wsd_mr *gone = take_condemned_locked(c);
    pal_lock_give(&c->lock);
    destroy_list(gone);
    return result;
}

bool wsd_mr_cache_condemn(struct wsd_mr_cache *c, uint64_t start, uint64_t end)
{
    pal_lock_take(&c->lock);
    condemn_locked(c, start, end);
    bool any = c->condemned != NULL;
    pal_lock_give(&c->lock);
    return any;
}

void wsd_mr_cache_bury(struct wsd_mr_cache *c)
{
    pal_lock_take(&c->lock);
    struct wsd_mr *gone = take_condemned_locked(c);
    pal_lock_give(&c->lock);
    destroy_list(gone);
}
