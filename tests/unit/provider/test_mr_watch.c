/* test_mr_watch.c - the registration cache with a watch on the memory (8.9 where the switch does not tell): what is kept, what is dropped, and
 * that nobody ever gets a registration of memory that is no more. A device pins pages; here each registration remembers instead what stood
 * in its first page when it was made, so one that is stale shows. Skipped where the system has no watch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "data/mr_cache.h"
#include "data/mr_watch.h"
#include "loop_backend.h"
#include "pal/atomic.h"
#include "pal/memory.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "vb/vb_fault.h"

enum { PAGES = 16, ENTRIES = 64, PATIENCE_MS = 20000, MADE_MAX = 4096 };

static struct {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct wsd_mr_cache cache;
    struct wsd_mr_watch *watch;
    size_t page;
    bool has_no_stamps; /* the memory is not ours to the edges of its pages */
} f;

/* --- what was in the first page when it was registered --- */

static struct pal_lock made_lock;
static struct made {
    struct vb_mr *mr;
    uint64_t stamp;
} made[MADE_MAX];

static struct made *find_made_locked(const struct vb_mr *mr)
{
    for (size_t i = 0; i < MADE_MAX; i++)
        if (made[i].mr == mr)
            return &made[i];
    return NULL;
}

vb_status_t __real_vb_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out);
void __real_vb_mr_dereg(struct vb_mr *mr);
vb_status_t __wrap_vb_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out);
void __wrap_vb_mr_dereg(struct vb_mr *mr);

vb_status_t __wrap_vb_mr_reg(struct vb_pd *pd, void *addr, size_t bytes, uint32_t access, struct vb_mr **out)
{
    uint64_t stamp = f.has_no_stamps ? 0 : *(volatile uint64_t *)addr;
    vb_status_t st = __real_vb_mr_reg(pd, addr, bytes, access, out);
    if (st == VB_OK) {
        pal_lock_take(&made_lock);
        struct made *m = find_made_locked(NULL);
        if (m)
            *m = (struct made){*out, stamp};
        pal_lock_give(&made_lock);
    }
    return st;
}

void __wrap_vb_mr_dereg(struct vb_mr *mr)
{
    pal_lock_take(&made_lock);
    struct made *m = find_made_locked(mr);
    if (m)
        m->mr = NULL;
    pal_lock_give(&made_lock);
    __real_vb_mr_dereg(mr);
}

static uint64_t stamp_of(const struct wsd_mr *m)
{
    pal_lock_take(&made_lock);
    const struct made *found = find_made_locked(m->mr);
    uint64_t stamp = found ? found->stamp : 0;
    pal_lock_give(&made_lock);
    return stamp;
}

static uint32_t live_registrations(void)
{
    struct loop_counts c;
    loop_get_counts(&c);
    return c.mrs;
}

/* --- set-up --- */

static int open_device(void **state)
{
    (void)state;
    char why[256];
    struct vb_addr local;
    if (!pal_lock_init(&made_lock) || loop_backend_register() != VB_OK ||
        vb_open("loop+fault", &f.be, why, sizeof why) != VB_OK)
        return -1;
    return vb_addr_parse("10.77.0.1", &local) && vb_dev_open(f.be, &local, &f.dev) == VB_OK &&
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
    pal_lock_fini(&made_lock);
    return loop_nothing_alive() ? 0 : -1;
}

static int setup(void **state)
{
    (void)state;
    f.watch = wsd_mr_watch_use();
    if (!f.watch || !wsd_mr_cache_init(&f.cache, f.pd, ENTRIES, UINT64_MAX))
        return -1;
    wsd_mr_cache_watch(&f.cache, f.watch);
    vb_fault_clear();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wsd_mr_cache_fini(&f.cache);
    wsd_mr_watch_end();
    vb_fault_clear();
    return live_registrations() == 0 ? 0 : -1;
}

static uint8_t *map(void *where, size_t pages, uint64_t stamp)
{
    void *p = mmap(where, pages * f.page, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED : 0), -1, 0);
    assert_true(p != MAP_FAILED);
    for (size_t i = 0; i < pages; i++)
        memcpy((uint8_t *)p + i * f.page, &stamp, sizeof stamp);
    return p;
}

static struct wsd_mr *get(uint8_t *at, size_t pages)
{
    struct wsd_mr *m;
    assert_int_equal(wsd_mr_get(&f.cache, at, pages * f.page, VB_ACCESS_LOCAL_WRITE, &m), VB_OK);
    return m;
}

static void use(uint8_t *at, size_t pages, uint64_t stamp)
{
    struct wsd_mr *m = get(at, pages);
    assert_int_equal(stamp_of(m), stamp);
    wsd_mr_put(&f.cache, m);
}

static void expect_registrations(uint32_t wanted)
{
    uint64_t deadline = pal_now_ns() + PATIENCE_MS * 1000000ull;
    while (live_registrations() != wanted) {
        assert_true(pal_now_ns() < deadline);
        pal_sleep_ms(1);
    }
}

/* --- one thread --- */

static void watched_memory_is_registered_once(void **state)
{
    uint8_t *p = map(NULL, PAGES, 1);
    (void)state;
    for (int i = 0; i < 10; i++)
        use(p, PAGES, 1);
    assert_int_equal(vb_fault_calls("mr_reg"), 1);
    munmap(p, PAGES * f.page);
}

static void what_is_unmapped_is_deregistered_without_being_asked(void **state)
{
    uint8_t *p = map(NULL, PAGES, 1);
    (void)state;
    use(p, PAGES, 1);
    assert_int_equal(live_registrations(), 1);
    munmap(p + 3 * f.page, f.page);
    expect_registrations(0);
    munmap(p, PAGES * f.page);
}

static void other_memory_at_the_same_place_is_registered_anew(void **state)
{
    uint8_t *p = map(NULL, PAGES, 1);
    (void)state;
    for (uint64_t round = 1; round < 50; round++) {
        use(p, PAGES, round);
        use(p, PAGES, round);
        if (round % 2)
            munmap(p, PAGES * f.page);
        p = map(p, PAGES, round + 1);
    }
    munmap(p, PAGES * f.page);
}

static void memory_that_moves_is_registered_anew_at_both_places(void **state)
{
    uint8_t *p = map(NULL, PAGES, 1), *q = map(NULL, PAGES, 2);
    (void)state;
    use(p, PAGES, 1);
    use(q, PAGES, 2);
    assert_ptr_equal(mremap(p, PAGES * f.page, PAGES * f.page, MREMAP_MAYMOVE | MREMAP_FIXED, q), q);
    p = map(NULL, PAGES, 3);
    use(q, PAGES, 1);
    use(p, PAGES, 3);
    munmap(p, PAGES * f.page);
    munmap(q, PAGES * f.page);
}

static void discarded_memory_is_registered_anew(void **state)
{
    uint8_t *p = map(NULL, PAGES, 1);
    (void)state;
    use(p, PAGES, 1);
    assert_int_equal(madvise(p, PAGES * f.page, MADV_DONTNEED), 0);
    use(p, PAGES, 0);
    munmap(p, PAGES * f.page);
}

/* In use it stays registered, as what is under way may still need it; afterwards it goes. */
static void what_is_unmapped_in_use_goes_with_its_last_user(void **state)
{
    uint8_t *p = map(NULL, PAGES, 1);
    struct wsd_mr *m = get(p, PAGES);
    (void)state;
    munmap(p, PAGES * f.page);
    p = map(p, PAGES, 2);
    struct wsd_mr *other = get(p, PAGES);
    assert_ptr_not_equal(other, m);
    assert_int_equal(stamp_of(m), 1);
    assert_int_equal(stamp_of(other), 2);
    wsd_mr_put(&f.cache, m);
    expect_registrations(1);
    wsd_mr_put(&f.cache, other);
    munmap(p, PAGES * f.page);
    expect_registrations(0);
}

static void what_cannot_be_watched_is_not_kept(void **state)
{
    uint8_t *p = mmap(NULL, f.page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(p != MAP_FAILED);
    for (int i = 0; i < 3; i++) {
        use(p, 1, 0);
        assert_int_equal(live_registrations(), 0);
    }
    assert_int_equal(vb_fault_calls("mr_reg"), 3);
    munmap(p, f.page);
}

static void without_a_cache_there_is_nothing_to_watch(void **state)
{
    struct wsd_mr_cache none;
    uint8_t *p = map(NULL, 1, 1);
    struct wsd_mr *m;
    (void)state;
    assert_true(wsd_mr_cache_init(&none, f.pd, 0, UINT64_MAX));
    wsd_mr_cache_watch(&none, f.watch);
    assert_int_equal(wsd_mr_get(&none, p, f.page, VB_ACCESS_LOCAL_WRITE, &m), VB_OK);
    wsd_mr_put(&none, m);
    assert_int_equal(live_registrations(), 0);
    wsd_mr_cache_fini(&none);
    munmap(p, f.page);
}

static void every_cache_is_told(void **state)
{
    enum { CACHES = 5 };
    struct wsd_mr_cache more[CACHES];
    uint8_t *p = map(NULL, PAGES, 1);
    struct wsd_mr *m;
    (void)state;
    for (int i = 0; i < CACHES; i++) {
        assert_true(wsd_mr_cache_init(&more[i], f.pd, ENTRIES, UINT64_MAX));
        wsd_mr_cache_watch(&more[i], f.watch);
        wsd_mr_cache_watch(&more[i], f.watch); /* as for each connection */
        assert_int_equal(wsd_mr_get(&more[i], p, f.page, VB_ACCESS_LOCAL_WRITE, &m), VB_OK);
        wsd_mr_put(&more[i], m);
    }
    wsd_mr_cache_fini(&more[2]); /* from the middle */
    assert_int_equal(live_registrations(), CACHES - 1);
    munmap(p, PAGES * f.page);
    expect_registrations(0);
    for (int i = 0; i < CACHES; i++)
        if (i != 2)
            wsd_mr_cache_fini(&more[i]);
}

/* A wakeful allocator: what the cache itself frees may be watched, too. It must not wait for itself. */
static void the_heap_itself_may_be_watched(void **state)
{
    (void)state;
    f.has_no_stamps = true;
    for (int round = 0; round < 20; round++) {
        enum { BLOCKS = 40 };
        const size_t bytes = 100000;
        uint8_t *block[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) {
            assert_non_null(block[i] = calloc(1, bytes));
            struct wsd_mr *m;
            assert_int_equal(wsd_mr_get(&f.cache, block[i], bytes, VB_ACCESS_LOCAL_WRITE, &m), VB_OK);
            wsd_mr_put(&f.cache, m);
        }
        for (int i = BLOCKS; i-- > 0;)
            free(block[i]); /* the heap shrinks */
    }
    f.has_no_stamps = false;
}

/* --- threads --- */

enum { THREADS = 4, SLOTS = 2 };

static struct {
    uint8_t *slots[SLOTS];
    pal_atomic_u64 stamp;
    pal_atomic_u32 owned, failures;
    uint64_t until_ns;
} race;

/* Whoever finds an address free takes it: also in the moment between the unmapping and the return from it. */
static void map_use_unmap(void *arg)
{
    uint64_t random = (uintptr_t)arg + 1;
    while (pal_now_ns() < race.until_ns) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint8_t *at = race.slots[(random >> 33) % SLOTS];
        uint64_t stamp = pal_add_relaxed(&race.stamp, 1);
        if (mmap(at, f.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                 0) != at) {
            pal_thread_yield();
            continue;
        }
        memcpy(at, &stamp, sizeof stamp);
        for (unsigned i = 0; i < 1 + (random >> 40) % 3; i++) {
            struct wsd_mr *m;
            if (wsd_mr_get(&f.cache, at, f.page, VB_ACCESS_LOCAL_WRITE, &m) != VB_OK || stamp_of(m) != stamp)
                pal_add_relaxed(&race.failures, 1);
            wsd_mr_put(&f.cache, m);
        }
        pal_add_relaxed(&race.owned, 1);
        munmap(at, f.page);
    }
}

static void threads_that_reuse_addresses_never_get_what_is_stale(void **state)
{
    struct pal_thread *t[THREADS];
    /* in the middle of so much room, which is filled from one end, the system puts nobody else */
    const size_t room = (size_t)16 << 30;
    uint8_t *place = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    (void)state;
    assert_true(place != MAP_FAILED);
    munmap(place, room);
    for (size_t i = 0; i < SLOTS; i++)
        race.slots[i] = place + room / 2 + 2 * i * f.page;
    pal_store_relaxed(&race.stamp, 1);
    race.until_ns = pal_now_ns() + 2000000000u;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_non_null(t[i] = pal_thread_start(map_use_unmap, (void *)i, "reuses"));
    for (int i = 0; i < THREADS; i++)
        pal_thread_join(t[i]);
    print_message("addresses taken %u times, registered %u times\n", (unsigned)race.owned,
                  (unsigned)vb_fault_calls("mr_reg"));
    assert_true(race.owned > 0);
    assert_int_equal(race.failures, 0);
    expect_registrations(0);
}

int main(void)
{
#define watch_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        watch_test(watched_memory_is_registered_once),
        watch_test(what_is_unmapped_is_deregistered_without_being_asked),
        watch_test(other_memory_at_the_same_place_is_registered_anew),
        watch_test(memory_that_moves_is_registered_anew_at_both_places),
        watch_test(discarded_memory_is_registered_anew),
        watch_test(what_is_unmapped_in_use_goes_with_its_last_user),
        watch_test(what_cannot_be_watched_is_not_kept),
        watch_test(without_a_cache_there_is_nothing_to_watch),
        watch_test(every_cache_is_told),
        watch_test(the_heap_itself_may_be_watched),
        watch_test(threads_that_reuse_addresses_never_get_what_is_stale),
    };
    f.page = pal_page_size();
    if (!wsd_mr_watch_use()) {
        printf("no watch here (WSD_LOG=notice says why)\n");
        return 77;
    }
    wsd_mr_watch_end();
    return cmocka_run_group_tests_name("mr_watch", tests, open_device, close_device);
}
