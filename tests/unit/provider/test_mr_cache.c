/* test_mr_cache.c - the registration cache over the loop backend: what hits, what is dropped when memory goes
 * away, what is kept (8.9, 6.7; peers.md W3, W6, W27). "fault" counts the registrations that were really
 * made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/mr_cache.h"
#include "loop_backend.h"
#include "pal/atomic.h"
#include "pal/memory.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "vb/vb_fault.h"

enum { PAGES = 16, ENTRIES = 8, NO_RIGHTS = 0, PATIENCE = 20000 /* ms */ };

struct fixture {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct wsd_mr_cache cache;
    uint8_t *mem;
    size_t page;
};

static struct fixture f;

static int open_device(void **state)
{
    (void)state;
    char why[256];
    struct vb_addr local;
    if (loop_backend_register() != VB_OK || vb_open("loop+fault", &f.be, why, sizeof why) != VB_OK)
        return -1;
    f.page = pal_page_size();
    f.mem = pal_pages_alloc(PAGES * f.page);
    return f.mem && vb_addr_parse("10.77.0.1", &local) && vb_dev_open(f.be, &local, &f.dev) == VB_OK &&
                   vb_pd_create(f.dev, &f.pd) == VB_OK
               ? 0
               : -1;
}

static int close_device(void **state)
{
    (void)state;
    vb_pd_destroy(f.pd);
    vb_dev_close(f.dev);
    vb_close(f.be);
    pal_pages_free(f.mem, PAGES * f.page);
    return loop_nothing_alive() ? 0 : -1;
}

static uint32_t live_registrations(void)
{
    struct loop_counts c;
    loop_get_counts(&c);
    return c.mrs;
}

/* Registrations made since the last call of counting_from_here(). */
static uint64_t registrations_made(void)
{
    return vb_fault_calls("mr_reg");
}

static void counting_from_here(void)
{
    vb_fault_clear();
}

static void init_cache(uint32_t entries, uint64_t bytes, bool keep)
{
    assert_true(wsd_mr_cache_init(&f.cache, f.pd, entries, bytes));
    wsd_mr_cache_keep(&f.cache, keep);
    counting_from_here();
}

static void replace_cache(uint32_t entries, uint64_t bytes, bool keep)
{
    wsd_mr_cache_fini(&f.cache);
    assert_int_equal(live_registrations(), 0);
    init_cache(entries, bytes, keep);
}

static int setup(void **state)
{
    (void)state;
    init_cache(ENTRIES, UINT64_MAX, true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wsd_mr_cache_fini(&f.cache);
    vb_fault_clear();
    return live_registrations() == 0 ? 0 : -1;
}

static void *at_page(unsigned page)
{
    return f.mem + page * f.page;
}

static struct wsd_mr *get_bytes(void *addr, size_t bytes, uint32_t access)
{
    struct wsd_mr *m = NULL;
    assert_int_equal(wsd_mr_get(&f.cache, addr, bytes, access, &m), VB_OK);
    assert_true(m->start <= (uintptr_t)addr && (uintptr_t)addr + bytes <= m->end);
    assert_int_equal(m->access & access, access);
    return m;
}

static struct wsd_mr *get(unsigned first, unsigned pages)
{
    return get_bytes(at_page(first), pages * f.page, VB_ACCESS_LOCAL_WRITE);
}

static void put(struct wsd_mr *m)
{
    wsd_mr_put(&f.cache, m);
}

/* Into the cache, in use by nobody. */
static void keep_pages(unsigned first, unsigned pages)
{
    put(get(first, pages));
}

static enum wsd_invalidate invalidate(unsigned first, unsigned pages)
{
    return wsd_mr_cache_invalidate(&f.cache, at_page(first), pages * f.page);
}

static bool hits(unsigned first, unsigned pages)
{
    uint64_t before = registrations_made();
    put(get(first, pages));
    return registrations_made() == before;
}

/* ---- hits and misses ---- */

static void any_part_of_a_cached_range_hits(void **state)
{
    (void)state;
    struct wsd_mr *whole = get(4, 4);
    put(whole);
    for (unsigned first = 4; first < 8; first++)
        for (unsigned pages = 1; first + pages <= 8; pages++) {
            struct wsd_mr *part = get(first, pages);
            assert_ptr_equal(part, whole);
            put(part);
        }
    struct wsd_mr *odd = get_bytes(f.mem + 5 * f.page + 3, f.page + 7, VB_ACCESS_LOCAL_WRITE);
    assert_ptr_equal(odd, whole);
    put(odd);
    assert_int_equal(registrations_made(), 1);
}

static void neighbours_within_the_same_pages_hit_because_whole_pages_are_registered(void **state)
{
    (void)state;
    struct wsd_mr *m = get_bytes(f.mem + 100, 50, VB_ACCESS_LOCAL_WRITE);
    assert_int_equal(m->start, (uintptr_t)f.mem);
    assert_int_equal(m->end - m->start, f.page);
    put(m);
    assert_true(hits(0, 1));
    m = get_bytes(f.mem + 2 * f.page - 1, 2, VB_ACCESS_LOCAL_WRITE); /* two bytes on two pages */
    assert_int_equal(m->end - m->start, 2 * f.page);
    put(m);
}

static void a_range_that_is_not_wholly_inside_misses_on_either_side(void **state)
{
    (void)state;
    keep_pages(4, 4);
    assert_false(hits(3, 2));
    assert_false(hits(7, 2));
    assert_false(hits(0, 1));
    assert_false(hits(10, 1));
    assert_false(hits(2, 8)); /* larger on both sides */
    assert_true(hits(2, 8));
    assert_true(hits(3, 3));
}

static void fewer_rights_hit_and_more_rights_miss(void **state)
{
    (void)state;
    struct wsd_mr *all = get_bytes(f.mem, f.page, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_WINDOW);
    put(all);
    static const uint32_t less[] = {NO_RIGHTS, VB_ACCESS_LOCAL_WRITE, VB_ACCESS_WINDOW};
    for (size_t i = 0; i < 3; i++) {
        struct wsd_mr *m = get_bytes(f.mem, f.page, less[i]);
        assert_ptr_equal(m, all);
        put(m);
    }
    struct wsd_mr *read_only = get_bytes(at_page(2), f.page, NO_RIGHTS);
    put(read_only);
    struct wsd_mr *writable = get_bytes(at_page(2), f.page, VB_ACCESS_LOCAL_WRITE);
    assert_ptr_not_equal(writable, read_only);
    struct wsd_mr *window = get_bytes(at_page(2), f.page, VB_ACCESS_WINDOW); /* neither has this one */
    assert_true(window != read_only && window != writable);
    put(writable);
    put(window);
    assert_int_equal(registrations_made(), 4);
}

/* Where the device checks a window against its registration only, that one must end where the window ends. */
static void an_exact_registration_is_never_larger_than_asked_and_hits_only_itself(void **state)
{
    (void)state;
    struct wsd_mr *m = NULL, *again = NULL, *part = NULL;
    keep_pages(0, 4);
    assert_int_equal(wsd_mr_get_exact(&f.cache, f.mem + 100, 5000, VB_ACCESS_LOCAL_WRITE, &m), VB_OK);
    assert_true(m->start == (uintptr_t)f.mem + 100 && m->end == m->start + 5000);
    assert_int_equal(wsd_mr_get_exact(&f.cache, f.mem + 100, 5000, NO_RIGHTS, &again), VB_OK);
    assert_ptr_equal(again, m);
    assert_int_equal(wsd_mr_get_exact(&f.cache, f.mem + 100, 4999, VB_ACCESS_LOCAL_WRITE, &part), VB_OK);
    assert_true(part != m && part->end - part->start == 4999);
    put(m);
    put(again);
    put(part);
    assert_int_equal(registrations_made(), 3);
    assert_int_equal(wsd_mr_get_exact(&f.cache, f.mem + 100, 5000, VB_ACCESS_LOCAL_WRITE, &m), VB_OK);
    put(m);
    assert_int_equal(registrations_made(), 3);               /* kept like any other */
    assert_int_equal(invalidate(1, 1), WSD_INVALIDATE_DONE); /* and gone like any other */
    assert_int_equal(live_registrations(), 0);
}

static void several_users_share_one_registration(void **state)
{
    (void)state;
    struct wsd_mr *a = get(0, 2), *b = get(1, 1), *c = get(0, 1);
    assert_true(a == b && b == c);
    assert_int_equal(a->users, 3);
    put(a);
    put(b);
    put(c);
    assert_int_equal(live_registrations(), 1);
}

static void empty_and_wrapping_ranges_are_refused_without_asking_the_device(void **state)
{
    (void)state;
    struct wsd_mr *m = NULL;
    assert_int_equal(wsd_mr_get(&f.cache, f.mem, 0, 0, &m), VB_E_INVAL);
    assert_int_equal(wsd_mr_get(&f.cache, f.mem, SIZE_MAX, 0, &m), VB_E_INVAL);
    assert_null(m);
    assert_int_equal(registrations_made(), 0);
}

static void a_registration_that_fails_is_reported_and_leaves_nothing_behind(void **state)
{
    (void)state;
    struct wsd_mr *m = NULL;
    assert_int_equal(vb_fault_set("mr_reg:0:fail=VB_E_NOMEM", NULL, 0), VB_OK);
    assert_int_equal(wsd_mr_get(&f.cache, f.mem, f.page, 0, &m), VB_E_NOMEM);
    vb_fault_clear();
    void *unmapped = (void *)(uintptr_t)64; /* the first page always is */
    assert_int_equal(wsd_mr_get(&f.cache, unmapped, 64, 0, &m), VB_E_FAULT);
    assert_null(m);
    assert_int_equal(f.cache.entries, 0);
    assert_false(hits(0, 1));
}

/* ---- memory goes away ---- */

static void an_invalidation_drops_what_it_overlaps_on_either_side_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        unsigned first, pages;
        bool is_hit;
    } cases[] = {                                                             /* against [4, 8) */
                 {0, 4, false}, {8, 4, false}, {0, 1, false}, {15, 1, false}, /* touching or far */
                 {3, 2, true},  {0, 5, true},                                 /* over the left border */
                 {7, 2, true},  {7, 9, true},                                 /* over the right one */
                 {4, 4, true},  {5, 2, true},  {4, 1, true},  {7, 1, true},   /* equal and inside */
                 {0, 16, true}, {3, 6, true}};                                /* around */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        keep_pages(4, 4);
        enum wsd_invalidate result = invalidate(cases[i].first, cases[i].pages);
        if (result != (cases[i].is_hit ? WSD_INVALIDATE_DONE : WSD_INVALIDATE_NONE) ||
            live_registrations() != (cases[i].is_hit ? 0u : 1u))
            fail_msg("pages [%u, +%u): result %d", cases[i].first, cases[i].pages, (int)result);
    }
}

static void one_byte_of_overlap_is_enough_and_the_byte_beside_is_not(void **state)
{
    (void)state;
    uint8_t *start = at_page(4), *end = at_page(8);
    keep_pages(4, 4);
    assert_int_equal(wsd_mr_cache_invalidate(&f.cache, start - 1, 1), WSD_INVALIDATE_NONE);
    assert_int_equal(wsd_mr_cache_invalidate(&f.cache, end, 1), WSD_INVALIDATE_NONE);
    assert_int_equal(wsd_mr_cache_invalidate(&f.cache, start, 1), WSD_INVALIDATE_DONE);
    keep_pages(4, 4);
    assert_int_equal(wsd_mr_cache_invalidate(&f.cache, end - 1, 1), WSD_INVALIDATE_DONE);
    assert_int_equal(wsd_mr_cache_invalidate(&f.cache, end - 1, 1), WSD_INVALIDATE_NONE);
}

static void one_invalidation_drops_every_registration_it_meets(void **state)
{
    (void)state;
    keep_pages(0, 2);
    keep_pages(3, 1);
    keep_pages(5, 4);
    keep_pages(10, 1);
    assert_int_equal(invalidate(1, 5), WSD_INVALIDATE_DONE); /* [1, 6): one wholly, two in part */
    assert_int_equal(live_registrations(), 1);
    assert_true(hits(10, 1));
    assert_false(hits(0, 1));
}

static void a_range_up_to_the_end_of_the_address_space_does_not_wrap(void **state)
{
    (void)state;
    keep_pages(0, 1);
    keep_pages(8, 1);
    assert_int_equal(wsd_mr_cache_invalidate(&f.cache, at_page(4), SIZE_MAX), WSD_INVALIDATE_DONE);
    assert_true(hits(0, 1));
    assert_false(hits(8, 1));
}

static void a_registration_in_use_lives_until_its_last_user_and_is_not_hit_meanwhile(void **state)
{
    (void)state;
    struct wsd_mr *a = get(4, 4), *b = get(5, 1);
    assert_ptr_equal(a, b);
    assert_int_equal(invalidate(7, 2), WSD_INVALIDATE_IN_USE);
    assert_int_equal(live_registrations(), 1); /* still valid for its users */
    struct wsd_mr *fresh = get(4, 4);
    assert_ptr_not_equal(fresh, a);
    assert_int_equal(live_registrations(), 2);
    put(a);
    assert_int_equal(live_registrations(), 2);
    put(b);
    assert_int_equal(live_registrations(), 1); /* gone with the last one, although the cache keeps */
    put(fresh);
    assert_true(hits(4, 4));
}

static void what_is_in_use_does_not_protect_what_is_not(void **state)
{
    (void)state;
    struct wsd_mr *busy = get(0, 2);
    keep_pages(4, 2);
    keep_pages(8, 2);
    assert_int_equal(invalidate(0, 16), WSD_INVALIDATE_IN_USE);
    assert_int_equal(live_registrations(), 1);
    assert_int_equal(invalidate(8, 2), WSD_INVALIDATE_NONE);
    put(busy);
    assert_int_equal(live_registrations(), 0);
    assert_int_equal(invalidate(0, 16), WSD_INVALIDATE_NONE);
}

/* ---- bounds ---- */

static void the_least_recently_used_goes_first_when_there_are_too_many(void **state)
{
    (void)state;
    replace_cache(3, UINT64_MAX, true);
    keep_pages(0, 1);
    keep_pages(2, 1);
    keep_pages(4, 1);
    assert_true(hits(0, 1)); /* now page 2 is the oldest */
    keep_pages(6, 1);
    assert_int_equal(f.cache.entries, 3);
    assert_int_equal(live_registrations(), 3);
    assert_true(hits(0, 1));
    assert_true(hits(4, 1));
    assert_true(hits(6, 1));
    assert_false(hits(2, 1));
}

static void the_least_recently_used_go_first_when_they_are_too_large_together(void **state)
{
    (void)state;
    replace_cache(100, 6 * f.page, true);
    keep_pages(0, 2);
    keep_pages(2, 2);
    keep_pages(4, 2);
    assert_int_equal(f.cache.bytes, 6 * f.page);
    assert_true(hits(0, 2));
    keep_pages(8, 3); /* needs two others to go: pages 2 and 4 */
    assert_int_equal(f.cache.bytes, 5 * f.page);
    assert_int_equal(live_registrations(), 2);
    assert_true(hits(0, 2));
    assert_true(hits(8, 3));
}

static void what_is_in_use_is_not_bounded_and_what_is_kept_of_it_afterwards_is(void **state)
{
    (void)state;
    struct wsd_mr *busy[6];
    replace_cache(2, UINT64_MAX, true);
    for (unsigned i = 0; i < 6; i++)
        busy[i] = get(2 * i, 1);
    assert_int_equal(live_registrations(), 6);
    for (unsigned i = 0; i < 6; i++) {
        put(busy[i]);
        assert_int_equal(f.cache.entries, i < 2 ? i + 1 : 2);
    }
    assert_int_equal(live_registrations(), 2);
}

static void one_registration_larger_than_the_whole_bound_works_and_is_not_kept(void **state)
{
    (void)state;
    replace_cache(100, 2 * f.page, true);
    struct wsd_mr *large = get(0, 8);
    assert_int_equal(live_registrations(), 1);
    put(large);
    assert_int_equal(live_registrations(), 0);
    assert_int_equal(f.cache.bytes, 0);
}

/* The pools of many connections are in use all the time: they must not cost the application's buffers their place. */
static void what_is_kept_stays_however_much_is_in_use(void **state)
{
    (void)state;
    struct wsd_mr *busy[4];
    replace_cache(2, UINT64_MAX, true);
    keep_pages(0, 1);
    for (unsigned i = 0; i < 4; i++)
        busy[i] = get(2 + 2 * i, 1);
    assert_int_equal(f.cache.entries, 1);
    assert_true(hits(0, 1));
    for (unsigned i = 0; i < 4; i++)
        put(busy[i]);
    assert_int_equal(live_registrations(), 2);
}

static void kept_registrations_make_room_when_the_device_has_none(void **state)
{
    (void)state;
    struct wsd_mr *busy = get(8, 1);
    keep_pages(0, 1);
    keep_pages(2, 1);
    assert_int_equal(vb_fault_set("mr_reg:1:fail=VB_E_NOMEM", NULL, 0), VB_OK);
    struct wsd_mr *m = get(4, 1);
    assert_int_equal(live_registrations(), 2); /* the two in use */
    put(m);
    put(busy);
    assert_int_equal(live_registrations(), 2); /* and keeping goes on */
    replace_cache(ENTRIES, UINT64_MAX, true);
    assert_int_equal(vb_fault_set("mr_reg:0:fail=VB_E_NOMEM", NULL, 0), VB_OK);
    assert_int_equal(wsd_mr_get(&f.cache, f.mem, f.page, 0, &m), VB_E_NOMEM);
    assert_int_equal(registrations_made(), 1); /* nothing to give back: no second try */
}

/* ---- keeping, or not ---- */

static void without_a_promise_of_the_switch_nothing_outlives_its_user_and_nobody_shares(void **state)
{
    (void)state;
    replace_cache(ENTRIES, UINT64_MAX, false);
    struct wsd_mr *a = get_bytes(f.mem + 10, 20, VB_ACCESS_LOCAL_WRITE);
    assert_int_equal(a->start, (uintptr_t)f.mem + 10); /* exact: nobody else could use the rest of the page */
    assert_int_equal(a->end - a->start, 20);
    struct wsd_mr *b = get_bytes(f.mem + 10, 20, VB_ACCESS_LOCAL_WRITE);
    assert_ptr_not_equal(a, b);
    put(a);
    assert_int_equal(live_registrations(), 1);
    put(b);
    assert_int_equal(live_registrations(), 0);
}

static void a_cache_of_no_entries_keeps_nothing_whatever_is_asked(void **state)
{
    (void)state;
    replace_cache(0, UINT64_MAX, true);
    keep_pages(0, 1);
    assert_int_equal(live_registrations(), 0);
    assert_false(hits(0, 1));
}

static void switching_off_drops_what_is_unused_at_once_and_the_rest_when_it_is_released(void **state)
{
    (void)state;
    keep_pages(0, 1);
    struct wsd_mr *busy = get(4, 1);
    assert_int_equal(live_registrations(), 2);
    wsd_mr_cache_keep(&f.cache, false);
    assert_int_equal(live_registrations(), 1);
    put(busy);
    assert_int_equal(live_registrations(), 0);
    wsd_mr_cache_keep(&f.cache, true);
    keep_pages(0, 1);
    assert_true(hits(0, 1));
}

static void what_was_registered_before_keeping_began_is_not_kept(void **state)
{
    (void)state;
    replace_cache(ENTRIES, UINT64_MAX, false);
    struct wsd_mr *early = get(0, 1);
    wsd_mr_cache_keep(&f.cache, true); /* only from here on does the switch tell about freed memory */
    struct wsd_mr *late = get(0, 1);
    assert_ptr_not_equal(early, late);
    put(early);
    put(late);
    assert_int_equal(live_registrations(), 1);
}

/* ---- races ---- */

static struct {
    struct wsd_mr *m;
    vb_status_t st;
} slow;

static void slow_get(void *arg)
{
    (void)arg;
    slow.st = wsd_mr_get(&f.cache, at_page(4), 2 * f.page, VB_ACCESS_LOCAL_WRITE, &slow.m);
}

static void wait_for_registration(void)
{
    uint64_t deadline = pal_now_ns() + PATIENCE * 1000000ull;
    while (registrations_made() == 0 && pal_now_ns() < deadline)
        pal_thread_yield();
    assert_int_equal(registrations_made(), 1);
}

/* The memory may be another one behind the same address by the time the registration returns. Nor may the
 * invalidation wait for it: it runs inside free() (6.7). */
static void a_registration_under_way_during_an_invalidation_is_usable_once_and_never_cached(void **state)
{
    (void)state;
    assert_int_equal(vb_fault_set("mr_reg:1:late=2000", NULL, 0), VB_OK);
    struct pal_thread *t = pal_thread_start(slow_get, NULL, "slow");
    assert_non_null(t);
    wait_for_registration();
    assert_int_equal(invalidate(4, 2), WSD_INVALIDATE_NONE); /* it is in no list yet */
    pal_thread_join(t);
    assert_int_equal(slow.st, VB_OK);
    struct wsd_mr *other = get(4, 2);
    assert_ptr_not_equal(other, slow.m);
    put(slow.m);
    assert_int_equal(live_registrations(), 1);
    put(other);
    assert_true(hits(4, 2));
}

static void a_registration_under_way_while_keeping_is_switched_off_goes_at_its_release(void **state)
{
    (void)state;
    assert_int_equal(vb_fault_set("mr_reg:1:late=200", NULL, 0), VB_OK);
    struct pal_thread *t = pal_thread_start(slow_get, NULL, "slow");
    assert_non_null(t);
    wait_for_registration();
    wsd_mr_cache_keep(&f.cache, false);
    pal_thread_join(t);
    assert_int_equal(slow.st, VB_OK);
    put(slow.m);
    assert_int_equal(live_registrations(), 0);
}

enum { WORKERS = 4, CALLS = 1500 };

static pal_atomic_u32 storm_errors;

static void storm(void *arg)
{
    uint64_t x = (uintptr_t)arg * 0x9E3779B97F4A7C15u;
    struct wsd_mr *mine[3] = {NULL};
    for (int i = 0; i < CALLS; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        unsigned first = (unsigned)(x & 15), pages = 1 + (unsigned)(x >> 8 & 3),
                 slot = (unsigned)(x >> 16) % 3;
        if (first + pages > PAGES)
            pages = PAGES - first;
        if ((x >> 24 & 7) == 0) {
            (void)invalidate(first, pages);
        } else if ((x >> 24 & 0xFFF) == 1) {
            wsd_mr_cache_keep(&f.cache, x >> 40 & 1);
        } else if (mine[slot]) {
            wsd_mr_put(&f.cache, mine[slot]);
            mine[slot] = NULL;
        } else {
            uint32_t access = x >> 32 & 1 ? VB_ACCESS_LOCAL_WRITE : NO_RIGHTS;
            uintptr_t from = (uintptr_t)at_page(first);
            if (wsd_mr_get(&f.cache, at_page(first), pages * f.page, access, &mine[slot]) != VB_OK ||
                mine[slot]->start > from || mine[slot]->end < from + pages * f.page ||
                (mine[slot]->access & access) != access || vb_mr_lkey(mine[slot]->mr) == 0)
                pal_add_relaxed(&storm_errors, 1);
        }
    }
    for (int i = 0; i < 3; i++)
        if (mine[i])
            wsd_mr_put(&f.cache, mine[i]);
}

static void many_threads_that_use_invalidate_and_switch_leave_nothing_over(void **state)
{
    (void)state;
    struct pal_thread *threads[WORKERS];
    replace_cache(4, 10 * f.page, true);
    for (int i = 0; i < WORKERS; i++)
        assert_non_null(threads[i] = pal_thread_start(storm, (void *)(uintptr_t)(i + 1), "storm"));
    for (int i = 0; i < WORKERS; i++)
        pal_thread_join(threads[i]);
    assert_int_equal(pal_load_relaxed(&storm_errors), 0);
    assert_in_range(f.cache.entries, 0, 4);
    assert_in_range(f.cache.bytes, 0, 10 * f.page);
    assert_int_equal(live_registrations(), f.cache.entries);
    (void)invalidate(0, PAGES);
    assert_int_equal(f.cache.entries, 0);
    assert_int_equal(f.cache.bytes, 0);
}

/* Far more than anybody would look through, idle and in use: what begins where it began is found all the same. */
static void a_buffer_is_found_by_its_beginning_among_thousands(void **state)
{
    enum { MANY = 3000 };
    uint8_t *mem = pal_pages_alloc(MANY * f.page);
    struct wsd_mr **all = calloc(MANY, sizeof *all);

    (void)state;
    assert_non_null(mem);
    assert_non_null(all);
    replace_cache(MANY, UINT64_MAX, true);
    for (unsigned i = 0; i < MANY; i++)
        all[i] = get_bytes(mem + i * f.page, f.page, VB_ACCESS_LOCAL_WRITE);
    assert_int_equal(registrations_made(), MANY);
    for (unsigned i = 0; i < MANY; i++) { /* in use */
        struct wsd_mr *again = get_bytes(mem + i * f.page + 8, 16, VB_ACCESS_LOCAL_WRITE);
        assert_ptr_equal(again, all[i]);
        wsd_mr_put(&f.cache, again);
    }
    for (unsigned i = 0; i < MANY; i++)
        wsd_mr_put(&f.cache, all[i]);
    for (unsigned i = 0; i < MANY; i++) { /* idle, the least recently used first */
        assert_ptr_equal(get_bytes(mem + i * f.page, f.page, VB_ACCESS_LOCAL_WRITE), all[i]);
        wsd_mr_put(&f.cache, all[i]);
    }
    assert_int_equal(registrations_made(), MANY);
    (void)wsd_mr_cache_invalidate(&f.cache, mem, MANY * f.page);
    assert_int_equal(f.cache.entries, 0);
    for (unsigned i = 0; i < WSD_MR_CHAINS; i++)
        assert_null(f.cache.chains[i]);
    free(all);
    pal_pages_free(mem, MANY * f.page);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(any_part_of_a_cached_range_hits),
        TEST(neighbours_within_the_same_pages_hit_because_whole_pages_are_registered),
        TEST(a_range_that_is_not_wholly_inside_misses_on_either_side),
        TEST(fewer_rights_hit_and_more_rights_miss),
        TEST(an_exact_registration_is_never_larger_than_asked_and_hits_only_itself),
        TEST(several_users_share_one_registration),
        TEST(a_buffer_is_found_by_its_beginning_among_thousands),
        TEST(empty_and_wrapping_ranges_are_refused_without_asking_the_device),
        TEST(a_registration_that_fails_is_reported_and_leaves_nothing_behind),
        TEST(an_invalidation_drops_what_it_overlaps_on_either_side_and_nothing_else),
        TEST(one_byte_of_overlap_is_enough_and_the_byte_beside_is_not),
        TEST(one_invalidation_drops_every_registration_it_meets),
        TEST(a_range_up_to_the_end_of_the_address_space_does_not_wrap),
        TEST(a_registration_in_use_lives_until_its_last_user_and_is_not_hit_meanwhile),
        TEST(what_is_in_use_does_not_protect_what_is_not),
        TEST(the_least_recently_used_goes_first_when_there_are_too_many),
        TEST(the_least_recently_used_go_first_when_they_are_too_large_together),
        TEST(what_is_in_use_is_not_bounded_and_what_is_kept_of_it_afterwards_is),
        TEST(what_is_kept_stays_however_much_is_in_use),
        TEST(kept_registrations_make_room_when_the_device_has_none),
        TEST(one_registration_larger_than_the_whole_bound_works_and_is_not_kept),
        TEST(without_a_promise_of_the_switch_nothing_outlives_its_user_and_nobody_shares),
        TEST(a_cache_of_no_entries_keeps_nothing_whatever_is_asked),
        TEST(switching_off_drops_what_is_unused_at_once_and_the_rest_when_it_is_released),
        TEST(what_was_registered_before_keeping_began_is_not_kept),
        TEST(a_registration_under_way_during_an_invalidation_is_usable_once_and_never_cached),
        TEST(a_registration_under_way_while_keeping_is_switched_off_goes_at_its_release),
        TEST(many_threads_that_use_invalidate_and_switch_leave_nothing_over),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
