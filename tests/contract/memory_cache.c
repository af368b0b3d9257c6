/* memory_cache.c - cached registrations: the callback, overlap, use, bounds, and no cache for a switch
 * that cannot call back.
 * Source: contract 6.7, 8.9, C18, C19; peers.md W3, W6, W7, W27. */
#include <sys/mman.h>
#include <unistd.h>

#include "ct_mini.h"
#include "pal/memwatch.h"
#include "pal/time.h"

static uint32_t registrations(void)
{
    struct loop_counts counts;

    ct.loop->get_counts(&counts);
    return counts.mrs;
}

static int call_back(struct fixture *f, void *address, SIZE_T bytes)
{
    INT error = 0;

    return f->ext->cache_callback(address, bytes, &error) == SOCKET_ERROR ? error : 0;
}

static void register_once(struct sw_companion *c, void *memory, DWORD bytes)
{
    HANDLE h;

    ct_ok(sw_register(c, memory, bytes, MEM_READWRITE, &h));
    ct_ok(sw_deregister(c, h));
}

static void a_cached_registration_is_used_again(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    uint8_t *memory = ct_memory(f, 65536);

    ct_needs_loop();
    ct_reload_with_faults(f);
    ct_pair(f, &p, 4096);
    ct_fault(NULL);
    for (int i = 0; i < 50; i++)
        register_once(p.a.c, memory, 65536);
    assert_true(ct.loop->fault_calls("mr_reg") <= 1);
}

static void the_callback_drops_what_overlaps_and_says_what_it_found(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    uint8_t *memory = ct_memory(f, 65536), *never = ct_memory(f, 4096);

    if (f->ext->cache_callback == NULL)
        ct_skip("the provider keeps no cache");
    ct_pair(f, &p, 4096);
    register_once(p.a.c, memory, 65536);
    ct_fails(WSAEINVAL, call_back(f, never, 4096)); /* never cached */
    ct_ok(call_back(f, memory, 65536));
    ct_fails(WSAEINVAL, call_back(f, memory, 65536)); /* gone by now */
    register_once(p.a.c, memory, 65536);
    ct_ok(call_back(f, memory, 65536));
}

/* W6: a part of the buffer is given back to the system; the registration must not survive in the cache. */
static void w06_a_partly_freed_buffer_leaves_the_cache(void **state)
{
    static const struct {
        size_t from, pages;
    } parts[] = {{0, 1}, {3, 1}, {1, 2}, {0, 4}};
    struct fixture *f = *state;
    struct ct_pair p;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (f->ext->cache_callback == NULL)
        ct_skip("the provider keeps no cache");
    ct_pair(f, &p, (DWORD)(4 * page));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        uint8_t *memory = ct_memory(f, 4 * page);
        uint8_t *part = memory + parts[i].from * page;
        WSAOVERLAPPED in = {0}, out = {0};
        HANDLE h;
        memset(memory, 'o', 4 * page);
        register_once(p.a.c, memory, (DWORD)(4 * page));
        uint32_t before = ct.is_loop ? registrations() : 0;
        ct_ok(call_back(f, part, parts[i].pages * page));
        if (ct.is_loop)
            assert_int_equal(registrations(), before - 1);
        assert_true(mmap(part, parts[i].pages * page, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
        memset(memory, 'n', 4 * page); /* other pages at the same place: the adapter must read these */
        ct_ok(sw_register(p.a.c, memory, (DWORD)(4 * page), MEM_READ, &h));
        WSABUF piece = {(ULONG)(4 * page), (CHAR *)memory};
        ct_ok(ct_recv(&p.b, 0, (DWORD)(4 * page), &in, SW_POLL));
        ct_ok(sw_send(p.a.c, &piece, 1, &out, SW_POLL));
        ct_done(p.a.c, &out, 0);
        ct_done(p.b.c, &in, 0);
        assert_memory_equal(p.b.rx, memory, 4 * page);
        ct_ok(sw_deregister(p.a.c, h));
    }
}

/* W7: what is in use stays usable by its handle, and goes with its last user. */
static void w07_a_registration_invalidated_while_in_use_still_works_by_handle(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    uint8_t *memory = ct_memory(f, 8192);
    WSAOVERLAPPED ov = {0};
    HANDLE h;

    if (f->ext->cache_callback == NULL)
        ct_skip("the provider keeps no cache");
    ct_pair(f, &p, 8192);
    ct_expose(&p.b, p.b.rx, 8192, MEM_WRITE, &d);
    ct_ok(sw_register(p.a.c, memory, 8192, MEM_READ, &h));
    uint32_t before = ct.is_loop ? registrations() : 0;
    ct_fails(WSAEFAULT, call_back(f, memory, 8192)); /* cannot be dropped now */
    ct_fill(memory, 8192, 4);
    WSABUFEX piece = {8192, (CHAR *)memory, h};
    ct_ok(sw_rdma_write(p.a.c, &piece, 1, &d, 0, &ov, SW_POLL));
    ct_done(p.a.c, &ov, 0);
    ct_arrived(&p.a, &p.b);
    assert_int_equal(ct_wrong_byte(p.b.rx, 8192, 4), -1);
    ct_ok(sw_deregister(p.a.c, h));
    if (ct.is_loop)
        assert_int_equal(registrations(), before - 1); /* not kept */
}

struct invalidator {
    struct fixture *f;
    uint8_t *memory;
    struct ct_end *end;
    const struct sw_rdma_descriptor *d;
};

static void invalidate_for_ever(struct ct_thread *t)
{
    struct invalidator *x = t->arg;

    for (unsigned i = 0; !pal_load_acquire(&t->f->stop); i++) {
        int error = call_back(x->f, x->memory + 4096 * (i % 4), 4096);
        if (error != 0 && error != WSAEFAULT && error != WSAEINVAL)
            ct_thread_fails(t, "callback: %s", sw_error_name(error));
    }
}

static void w07_invalidation_may_race_with_registering_and_using(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    struct invalidator x = {f, ct_memory(f, 16384), NULL, &d};

    if (f->ext->cache_callback == NULL)
        ct_skip("the provider keeps no cache");
    ct_pair(f, &p, 16384);
    ct_expose(&p.b, p.b.rx, 16384, MEM_WRITE, &d);
    struct ct_thread *t = ct_start(f, invalidate_for_ever, &x);
    for (unsigned i = 0; i < ct.rounds * 5; i++) {
        WSAOVERLAPPED write = {0}, in = {0}, out = {0};
        HANDLE h;
        ct_ok(sw_register(p.a.c, x.memory, 16384, MEM_READWRITE, &h));
        WSABUFEX piece = {4096, (CHAR *)x.memory + 4096 * (i % 4), h};
        WSABUF message = {64, (CHAR *)x.memory + 4096 * (i % 4)};
        ct_ok(sw_rdma_write(p.a.c, &piece, 1, &d, 0, &write, SW_POLL));
        ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
        ct_ok(sw_send(p.a.c, &message, 1, &out, SW_POLL));
        ct_done(p.a.c, &write, 0);
        ct_done(p.a.c, &out, 0);
        ct_done(p.b.c, &in, 0);
        ct_ok(sw_deregister(p.a.c, h));
    }
    pal_store_release(&f->stop, true);
    ct_join(t);
}

static void w27_the_cache_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    enum { BUFFERS = 400 };

    ct_needs_loop();
    ct_reload(f, "WSD_MR_CACHE", "16", NULL);
    ct_pair(f, &p, 4096);
    uint8_t *memory = ct_memory(f, BUFFERS * 8192);
    uint32_t before = registrations();
    for (int i = 0; i < BUFFERS; i++)
        register_once(p.a.c, memory + 8192 * i, 4096);
    if (registrations() > before + 16)
        ct_fail("%u registrations are kept, 16 allowed", (unsigned)(registrations() - before));
}

static void w27_the_cache_is_bounded_in_bytes_too(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_needs_loop();
    ct_reload(f, "WSD_MR_CACHE_BYTES", "1048576", NULL);
    ct_pair(f, &p, 4096);
    uint8_t *memory = ct_memory(f, 32 * 262144);
    uint32_t before = registrations();
    for (int i = 0; i < 32; i++)
        register_once(p.a.c, memory + 262144 * i, 262144 - 4096);
    assert_true(registrations() <= before + 4);
}

/* The default bound holds through a long run: no growth however many buffers pass by. */
static void w27_ten_thousand_buffers_leave_no_more_than_the_bound(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_needs_loop();
    ct_pair(f, &p, 4096);
    uint8_t *memory = ct_memory(f, 6000 * 4096);
    uint32_t before = registrations();
    for (int i = 0; i < 10000; i++)
        register_once(p.a.c, memory + 4096 * (i % 6000), 2048);
    assert_true(registrations() <= before + 4096);
}

/* A switch that has not fetched the callback: the memory functions of a socket of its own. */
struct without_callback {
    struct mini m;
    struct mini_pair p;
    LPFN_WSPREGISTERMEMORY reg;
    LPFN_WSPDEREGISTERMEMORY dereg;
};

static void connect_without_callback(struct fixture *f, struct without_callback *w)
{
    int code;

    mini_open(&w->m);
    ct_ok(mini_start(&w->m));
    mini_connect(f, &w->m, &w->p);
    w->reg = mini_extension(&w->m.procs, w->p.connector, (GUID)WSAID_REGISTERMEMORY, &code);
    ct_ok(code);
    LPFN_WSPREGISTERMEMORY other = mini_extension(&w->m.procs, w->p.connector, (GUID)WSAID_DEREGISTERMEMORY,
                                                  &code);
    memcpy(&w->dereg, &other, sizeof w->dereg);
    ct_ok(code);
}

static void register_without_callback(struct without_callback *w, void *memory, DWORD bytes)
{
    INT error = 0;
    HANDLE h = w->reg(w->p.connector, memory, bytes, MEM_READWRITE, &error);

    assert_non_null(h);
    assert_int_equal(w->dereg(w->p.connector, h, &error), 0);
}

/* 8.9: it would never tell us that memory went away. */
static void without_callback_and_watch_nothing_is_kept(void **state)
{
    struct fixture *f = *state;
    struct without_callback w;
    uint8_t *memory = ct_memory(f, 65536);

    ct_needs_loop();
    ct_setenv(f, "WSD_MR_WATCH", "0");
    connect_without_callback(f, &w);
    uint32_t before = registrations();
    for (int i = 0; i < 5; i++) {
        register_without_callback(&w, memory, 65536);
        assert_int_equal(registrations(), before);
    }
    ct_ok(mini_cleanup(&w.m));
    mini_close(&w.m);
}

/* Then the provider finds out itself, where the system tells. */
static void without_callback_what_is_watched_is_kept_until_it_is_unmapped(void **state)
{
    struct fixture *f = *state;
    struct without_callback w;
    struct pal_memwatch *here;
    const char *why;

    ct_needs_loop();
    here = pal_memwatch_create(&why);
    if (here == NULL)
        ct_skip("this system does not tell of unmapping");
    pal_memwatch_destroy(here);
    connect_without_callback(f, &w);
    uint32_t before = registrations();
    for (int i = 0; i < 20; i++) {
        uint8_t *memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        uint64_t deadline = pal_now_ns() + 20000000000u;
        assert_true(memory != MAP_FAILED);
        /* not at once, perhaps: the unmapping before may not be quite over */
        do {
            register_without_callback(&w, memory, 65536);
            assert_true(pal_now_ns() < deadline);
        } while (registrations() == before);
        assert_int_equal(munmap(memory, 65536), 0);
        while (registrations() != before)
            assert_true(pal_now_ns() < deadline);
    }
    ct_ok(mini_cleanup(&w.m));
    mini_close(&w.m);
}

static void a_cache_of_size_zero_keeps_nothing(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    uint8_t *memory = ct_memory(f, 65536);

    ct_needs_loop();
    ct_reload(f, "WSD_MR_CACHE", "0", NULL);
    ct_pair(f, &p, 4096);
    uint32_t before = registrations();
    register_once(p.a.c, memory, 65536);
    assert_int_equal(registrations(), before);
}

static void odd_ranges_do_not_upset_the_callback(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    uint8_t *memory = ct_memory(f, 4096);

    if (f->ext->cache_callback == NULL)
        ct_skip("the provider keeps no cache");
    ct_pair(f, &p, 4096);
    register_once(p.a.c, memory, 4096);
    ct_one_of(call_back(f, NULL, 0), WSAEINVAL, WSAEFAULT);
    ct_one_of(call_back(f, memory, 0), WSAEINVAL, WSAEFAULT, 0);
    ct_one_of(call_back(f, (void *)UINTPTR_MAX, SIZE_MAX), WSAEINVAL, WSAEFAULT);
    ct_one_of(call_back(f, memory, SIZE_MAX), WSAEINVAL, WSAEFAULT, 0); /* wraps */
    INT error = 0;
    (void)f->ext->cache_callback(NULL, SIZE_MAX, &error); /* everything */
    ct_pair_works(&p);
}

static const struct CMUnitTest memory_cache_tests[] = {
    ct_test(a_cached_registration_is_used_again),
    ct_test(the_callback_drops_what_overlaps_and_says_what_it_found),
    ct_test(w06_a_partly_freed_buffer_leaves_the_cache),
    ct_test(w07_a_registration_invalidated_while_in_use_still_works_by_handle),
    ct_test(w07_invalidation_may_race_with_registering_and_using),
    ct_test(w27_the_cache_is_bounded),
    ct_test(w27_the_cache_is_bounded_in_bytes_too),
    ct_test(w27_ten_thousand_buffers_leave_no_more_than_the_bound),
    ct_test_bare(without_callback_and_watch_nothing_is_kept),
    ct_test_bare(without_callback_what_is_watched_is_kept_until_it_is_unmapped),
    ct_test(a_cache_of_size_zero_keeps_nothing),
    ct_test(odd_ranges_do_not_upset_the_callback),
};
CT_GROUP(memory_cache);
