/* test_memwatch.c - pal/memwatch.h: what is told of, when, and what cannot be watched. One thread changes mappings, the test reads. Skipped
 * where the system has no watch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pal/atomic.h"
#include "pal/memory.h"
#include "pal/memwatch.h"
#include "pal/thread.h"
#include "pal/time.h"

enum { PATIENCE_MS = 20000, PAGES = 8 };

static struct pal_memwatch *watch;
static size_t page;

static void *map_at(void *where, size_t pages, int extra)
{
    void *p = mmap(where, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | extra, -1, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

static bool add(const void *start, size_t pages)
{
    return pal_memwatch_add(watch, (uintptr_t)start, (uintptr_t)start + pages * page);
}

static uint8_t *watched(size_t pages)
{
    uint8_t *p = map_at(NULL, pages, 0);
    memset(p, 'a', pages * page);
    assert_true(add(p, pages));
    assert_true(pal_memwatch_is_quiet(watch));
    return p;
}

static int setup(void **state)
{
    const char *why;
    (void)state;
    watch = pal_memwatch_create(&why);
    return watch ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    pal_memwatch_destroy(watch);
    return 0;
}

/* --- somebody changes a mapping --- */

struct change {
    enum { UNMAP, REPLACE, MOVE, DISCARD, SHRINK } how;
    uint8_t *at, *to;
    size_t pages;
    pal_atomic_bool is_over;
};

static void change(void *arg)
{
    struct change *c = arg;
    size_t bytes = c->pages * page;
    switch (c->how) {
    case UNMAP: munmap(c->at, bytes); break;
    case REPLACE: c->to = map_at(c->at, c->pages, MAP_FIXED); break;
    case MOVE: c->to = mremap(c->at, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, c->to); break;
    case DISCARD: madvise(c->at, bytes, MADV_DONTNEED); break;
    case SHRINK: c->to = mremap(c->at, bytes, bytes - page, 0); break;
    }
    pal_store_release(&c->is_over, true);
}

static bool covers(const struct pal_memwatch_range *r, unsigned n, const uint8_t *start, size_t pages)
{
    for (unsigned i = 0; i < n; i++)
        if (r[i].start <= (uintptr_t)start && (uintptr_t)start + pages * page <= r[i].end)
            return true;
    return false;
}

/* Made by a thread, which must wait until we have read; returns what was read. */
static unsigned make(struct change *c, struct pal_memwatch_range *out, unsigned n)
{
    pal_waitable events = pal_memwatch_waitable(watch);
    struct pal_thread *t = pal_thread_start(change, c, "changes");
    assert_non_null(t);
    assert_int_equal(pal_wait(&events, 1, PATIENCE_MS), 1);
    assert_false(pal_memwatch_is_quiet(watch));
    pal_sleep_ms(5);
    assert_false(pal_load_acquire(&c->is_over)); /* it waits for us */
    unsigned got = pal_memwatch_read(watch, out, n);
    /* a move is first that, then an unmapping */
    for (uint64_t end = pal_now_ns() + PATIENCE_MS * 1000000ull;
         !pal_load_acquire(&c->is_over) && pal_now_ns() < end;) {
        assert_true(got + 2 <= n);
        got += pal_memwatch_read(watch, out + got, n - got);
    }
    assert_true(c->is_over);
    pal_thread_join(t);
    assert_true(pal_memwatch_is_quiet(watch));
    return got;
}

static void who_unmaps_waits_until_it_was_read(void **state)
{
    struct pal_memwatch_range gone[8];
    struct change c = {.how = UNMAP, .at = watched(PAGES), .pages = PAGES};
    (void)state;
    assert_true(covers(gone, make(&c, gone, 8), c.at, PAGES));
}

static void a_part_that_is_unmapped_is_told_of(void **state)
{
    struct pal_memwatch_range gone[8];
    uint8_t *memory = watched(PAGES);
    struct change c = {.how = UNMAP, .at = memory + 3 * page, .pages = 1};
    (void)state;
    unsigned n = make(&c, gone, 8);
    assert_true(covers(gone, n, memory + 3 * page, 1));
    assert_false(covers(gone, n, memory, 1));
    struct change rest = {.how = UNMAP, .at = memory, .pages = PAGES};
    assert_true(covers(gone, make(&rest, gone, 8), memory, 1));
}

static void memory_that_is_mapped_over_is_told_of(void **state)
{
    struct pal_memwatch_range gone[8];
    struct change c = {.how = REPLACE, .at = watched(PAGES), .pages = PAGES};
    (void)state;
    assert_true(covers(gone, make(&c, gone, 8), c.at, PAGES));
    assert_ptr_equal(c.to, c.at);
    munmap(c.at, PAGES * page); /* what is there now is not watched: nobody waits */
    assert_true(pal_memwatch_is_quiet(watch));
}

static void memory_that_moves_is_told_of_at_both_places(void **state)
{
    struct pal_memwatch_range gone[8];
    uint8_t *place = map_at(NULL, PAGES, 0);
    struct change c = {.how = MOVE, .at = watched(PAGES), .to = place, .pages = PAGES};
    (void)state;
    unsigned n = make(&c, gone, 8);
    assert_ptr_equal(c.to, place);
    assert_true(covers(gone, n, c.at, PAGES));
    assert_true(covers(gone, n, place, PAGES));
    struct change end = {.how = UNMAP, .at = place, .pages = PAGES}; /* it is still watched */
    assert_true(covers(gone, make(&end, gone, 8), place, PAGES));
}

static void what_is_cut_off_is_told_of(void **state)
{
    struct pal_memwatch_range gone[8];
    struct change c = {.how = SHRINK, .at = watched(PAGES), .pages = PAGES};
    (void)state;
    assert_true(covers(gone, make(&c, gone, 8), c.at + (PAGES - 1) * page, 1));
    assert_ptr_equal(c.to, c.at);
    struct change end = {.how = UNMAP, .at = c.at, .pages = PAGES - 1};
    assert_true(covers(gone, make(&end, gone, 8), c.at, PAGES - 1));
}

static void pages_that_are_discarded_are_told_of_before(void **state)
{
    struct pal_memwatch_range gone[8];
    struct change c = {.how = DISCARD, .at = watched(PAGES), .pages = PAGES};
    (void)state;
    assert_true(covers(gone, make(&c, gone, 8), c.at, PAGES));
    assert_int_equal(c.at[0], 0);
    c.at[0] = 1; /* no fault is caught: this returns */
    struct change end = {.how = UNMAP, .at = c.at, .pages = PAGES};
    assert_true(covers(gone, make(&end, gone, 8), c.at, PAGES));
}

static void many_who_wait_are_all_told_of(void **state)
{
    enum { THREADS = 24 };
    struct change c[THREADS];
    struct pal_thread *t[THREADS];
    pal_waitable events = pal_memwatch_waitable(watch);
    unsigned seen = 0;
    (void)state;
    for (int i = 0; i < THREADS; i++) /* a page between them, so that each is a mapping */
        c[i] = (struct change){.how = UNMAP, .at = map_at(NULL, 2, 0), .pages = 1};
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(mprotect(c[i].at + page, page, PROT_NONE), 0);
        assert_true(add(c[i].at, 1));
    }
    for (int i = 0; i < THREADS; i++)
        assert_non_null(t[i] = pal_thread_start(change, &c[i], "changes"));
    while (seen < THREADS) {
        struct pal_memwatch_range gone[6];
        assert_int_equal(pal_wait(&events, 1, PATIENCE_MS), 1);
        unsigned n = pal_memwatch_read(watch, gone, 6);
        assert_true(n <= 6);
        seen += n;
    }
    for (int i = 0; i < THREADS; i++)
        pal_thread_join(t[i]);
    assert_int_equal(seen, THREADS);
    assert_true(pal_memwatch_is_quiet(watch));
    for (int i = 0; i < THREADS; i++)
        munmap(c[i].at + page, page);
}

/* --- what cannot be watched --- */

static void shared_memory_and_files_are_not_watched(void **state)
{
    int file = memfd_create("memwatch", MFD_CLOEXEC);
    (void)state;
    assert_true(file >= 0 && ftruncate(file, (off_t)(PAGES * page)) == 0);
    const int kinds[][2] = {{MAP_SHARED | MAP_ANONYMOUS, -1}, {MAP_SHARED, file}, {MAP_PRIVATE, file}};
    for (size_t i = 0; i < 3; i++) {
        uint8_t *p = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, kinds[i][0], kinds[i][1], 0);
        assert_true(p != MAP_FAILED);
        assert_false(add(p, PAGES)); /* never touched */
        memset(p, 'a', PAGES * page);
        assert_false(add(p, PAGES));
        /* between private memory it is found too */
        uint8_t *all = map_at(NULL, 4, 0);
        assert_true(mmap(all + page, page, PROT_READ | PROT_WRITE, kinds[i][0] | MAP_FIXED, kinds[i][1], 0) !=
                    MAP_FAILED);
        assert_false(add(all, 4));
        pal_memwatch_stop(watch); /* some of it may be watched all the same: unmapping would wait */
        pal_memwatch_destroy(watch);
        munmap(all, 4 * page);
        munmap(p, PAGES * page);
        assert_int_equal(setup(state), 0);
    }
    close(file);
    uintptr_t code = (uintptr_t)&setup & ~((uintptr_t)page - 1);
    assert_false(pal_memwatch_add(watch, code, code + page));
}

static void huge_pages_are_not_watched(void **state)
{
    size_t bytes = (size_t)2 << 20;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    (void)state;
    if (p == MAP_FAILED) {
        printf("[   WHY    ] no huge pages are set aside (vm.nr_hugepages)\n");
        skip();
    }
    assert_false(pal_memwatch_add(watch, (uintptr_t)p, (uintptr_t)p + bytes));
    pal_memwatch_stop(watch);
    munmap(p, bytes);
}

static void what_is_not_mapped_is_not_watched(void **state)
{
    uint8_t *p = map_at(NULL, 3, 0);
    (void)state;
    assert_int_equal(munmap(p + page, page), 0);
    assert_false(add(p + page, 1));
    assert_false(add(p, 3));
    pal_memwatch_stop(watch);
    munmap(p, 3 * page);
}

/* Parts that were watched and touched one after the other stay several mappings; together they are watched all the same. */
static void memory_of_several_mappings_is_watched(void **state)
{
    struct pal_memwatch_range gone[16];
    uint8_t *p = map_at(NULL, PAGES, 0);
    (void)state;
    for (size_t i = 0; i < PAGES; i += 2) {
        assert_true(add(p + i * page, 1));
        p[i * page] = 'a';
    }
    memset(p, 'b', PAGES * page);
    assert_true(add(p, PAGES));
    struct change c = {.how = UNMAP, .at = p, .pages = PAGES};
    assert_true(covers(gone, make(&c, gone, 16), p, PAGES));
}

static void a_process_with_very_many_mappings_gets_no_more(void **state)
{
    enum { MANY = 31000 };
    uint8_t *all = mmap(NULL, 2 * MANY * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t *p = map_at(NULL, 1, 0);
    bool refused = false;
    (void)state;
    assert_true(all != MAP_FAILED);
    for (size_t i = 0; i < MANY; i += 2)
        assert_int_equal(mprotect(all + i * page, page, PROT_READ), 0);
    assert_true(add(p, 1));
    for (size_t i = 0; i < MANY; i += 2)
        assert_int_equal(mprotect(all + (MANY + i) * page, page, PROT_READ), 0);
    for (int i = 0; i < 1100 && !refused; i++)
        refused = !add(p, 1);
    assert_true(refused);
    munmap(all, 2 * MANY * page);
    for (int i = 0; i < 1100 && refused; i++)
        refused = !add(p, 1);
    assert_false(refused);
    pal_memwatch_stop(watch);
    munmap(p, page);
}

/* --- its end; children --- */

static void ending_it_lets_those_go_on_who_wait(void **state)
{
    struct change c = {.how = UNMAP, .at = watched(PAGES), .pages = PAGES};
    pal_waitable events = pal_memwatch_waitable(watch);
    struct pal_thread *t = pal_thread_start(change, &c, "changes");
    (void)state;
    assert_non_null(t);
    assert_int_equal(pal_wait(&events, 1, PATIENCE_MS), 1);
    pal_memwatch_stop(watch);
    pal_thread_join(t);
    uint8_t *p = map_at(NULL, 1, 0);
    munmap(p, page);
}

/* A child that lives on does not keep the watch of its parent, and may unmap its copy. */
static void a_child_is_not_watched_and_holds_nothing(void **state)
{
    uint8_t *p = watched(PAGES);
    int alive[2], status;
    (void)state;
    assert_int_equal(pipe(alive), 0);
    pid_t child = fork();
    if (child == 0) {
        char c;
        alarm(60);
        close(alive[1]);
        munmap(p, page);
        _exit(read(alive[0], &c, 1) == 0 ? 7 : 8); /* until the parent is done */
    }
    assert_true(child > 0);
    close(alive[0]);
    pal_memwatch_stop(watch);
    munmap(p, PAGES * page); /* would wait for ever if the child's descriptor kept the watch alive */
    close(alive[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void there_is_one_at_a_time(void **state)
{
    const char *why = NULL;
    (void)state;
    assert_null(pal_memwatch_create(&why));
    assert_non_null(why);
}

int main(void)
{
    const char *why;
#define watch_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        watch_test(who_unmaps_waits_until_it_was_read),
        watch_test(a_part_that_is_unmapped_is_told_of),
        watch_test(memory_that_is_mapped_over_is_told_of),
        watch_test(memory_that_moves_is_told_of_at_both_places),
        watch_test(what_is_cut_off_is_told_of),
        watch_test(pages_that_are_discarded_are_told_of_before),
        watch_test(many_who_wait_are_all_told_of),
        watch_test(shared_memory_and_files_are_not_watched),
        watch_test(huge_pages_are_not_watched),
        watch_test(what_is_not_mapped_is_not_watched),
        watch_test(memory_of_several_mappings_is_watched),
        watch_test(a_process_with_very_many_mappings_gets_no_more),
        watch_test(ending_it_lets_those_go_on_who_wait),
        watch_test(a_child_is_not_watched_and_holds_nothing),
        watch_test(there_is_one_at_a_time),
    };
    page = pal_page_size();
    watch = pal_memwatch_create(&why);
    if (!watch) {
        printf("no watch here: %s\n", why);
        return 77;
    }
    pal_memwatch_destroy(watch);
    return cmocka_run_group_tests_name("memwatch", tests, NULL, NULL);
}
