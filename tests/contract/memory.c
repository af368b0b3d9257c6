/* memory.c - WSPRegisterMemory and WSPDeregisterMemory: arguments, counting, use, and registering while
 * data flows.
 * Source: contract 6.1-6.3, Q7; checklist 22, 25; peers.md W26. */
#include <sys/mman.h>
#include <unistd.h>

#include "ct.h"

static void every_direction_can_be_registered(void **state)
{
    static const DWORD flags[] = {MEM_READ, MEM_WRITE, MEM_READWRITE};
    struct fixture *f = *state;
    struct ct_pair p;
    uint8_t *memory = ct_memory(f, 8192);

    ct_pair(f, &p, 4096);
    for (int i = 0; i < 3; i++) {
        HANDLE h;
        ct_ok(sw_register(p.a.c, memory, 8192, flags[i], &h));
        ct_ok(sw_deregister(p.a.c, h));
    }
}

static void bad_flags_are_WSAEINVAL(void **state)
{
    static const DWORD flags[] = {0, 4, 8, 5, 0x80000000, 0xFFFFFFFF};
    struct fixture *f = *state;
    struct ct_pair p;
    uint8_t *memory = ct_memory(f, 4096);

    ct_pair(f, &p, 4096);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        HANDLE h = (HANDLE)1;
        struct sw_rdma_descriptor d;
        ct_fails(WSAEINVAL, sw_register(p.a.c, memory, 4096, flags[i], &h));
        assert_null(h);
        ct_fails(WSAEINVAL, sw_register_rdma(p.a.c, memory, 4096, flags[i], &d));
    }
}

static void ranges_that_are_not_wholly_there_are_WSAEFAULT(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *memory = ct_memory(f, 4 * page);
    HANDLE h;

    ct_pair(f, &p, 4096);
    ct_fails(WSAEFAULT, sw_register(p.a.c, NULL, 4096, MEM_READ, &h));
    ct_one_of(sw_register(p.a.c, memory, 0, MEM_READ, &h), WSAEFAULT, WSAEINVAL, WSAENOBUFS);
    ct_fails(WSAEFAULT, sw_register(p.a.c, (void *)(UINTPTR_MAX - 100), 4096, MEM_READ, &h));
    ct_fails(WSAEFAULT, sw_register(p.a.c, (void *)(uintptr_t)4096, 4096, MEM_READWRITE, &h));
    assert_int_equal(munmap(memory + 2 * page, page), 0); /* a hole */
    ct_fails(WSAEFAULT, sw_register(p.a.c, memory, (DWORD)(4 * page), MEM_READWRITE, &h));
    ct_ok(sw_register(p.a.c, memory, (DWORD)(2 * page), MEM_READWRITE, &h));
    ct_ok(sw_deregister(p.a.c, h));
    assert_true(mmap(memory + 2 * page, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                     -1, 0) != MAP_FAILED);
}

static void read_only_pages_can_be_a_source_and_no_target(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *memory = ct_memory(f, page);
    WSAOVERLAPPED in = {0}, out = {0};
    HANDLE h;

    ct_pair(f, &p, 4096);
    ct_fill(memory, 100, 8);
    assert_int_equal(mprotect(memory, page, PROT_READ), 0);
    ct_fails(WSAEFAULT, sw_register(p.a.c, memory, 4096, MEM_WRITE, &h));
    ct_ok(sw_register(p.a.c, memory, 4096, MEM_READ, &h));
    WSABUF piece = {100, (CHAR *)memory};
    ct_ok(ct_recv(&p.b, 0, 4096, &in, SW_POLL));
    ct_ok(sw_send(p.a.c, &piece, 1, &out, SW_POLL));
    ct_done(p.a.c, &out, 0);
    assert_int_equal(ct_done(p.b.c, &in, 0), 100);
    assert_int_equal(ct_wrong_byte(p.b.rx, 100, 8), -1);
    ct_ok(sw_deregister(p.a.c, h));
    assert_int_equal(mprotect(memory, page, PROT_READ | PROT_WRITE), 0);
}

/* Registrations are counted: the memory stays usable until the last one goes. */
static void checklist_25_registrations_of_the_same_memory_are_counted(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    uint8_t *memory = ct_memory(f, 4096);
    HANDLE h[3];
    WSABUF piece = {64, (CHAR *)memory};

    ct_pair(f, &p, 4096);
    for (int i = 0; i < 3; i++)
        ct_ok(sw_register(p.a.c, memory, 4096, MEM_READ, &h[i]));
    for (int i = 0; i < 3; i++) {
        WSAOVERLAPPED in = {0}, out = {0};
        ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
        ct_ok(sw_send(p.a.c, &piece, 1, &out, SW_POLL));
        ct_done(p.a.c, &out, 0);
        ct_done(p.b.c, &in, 0);
        ct_ok(sw_deregister(p.a.c, h[i]));
    }
    WSAOVERLAPPED ov = {0};
    ct_fails(WSAEFAULT, sw_send(p.a.c, &piece, 1, &ov, SW_POLL));
    ct_fails(WSAEINVAL, sw_deregister(p.a.c, h[2]));
}

static void handles_belong_to_their_socket(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p, q;
    uint8_t *memory = ct_memory(f, 4096);
    HANDLE ha, hq;

    ct_pair(f, &p, 4096);
    ct_pair(f, &q, 4096);
    ct_ok(sw_register(p.a.c, memory, 4096, MEM_READ, &ha));
    /* q holds no reference, even if the value means something */
    ct_fails(WSAEINVAL, sw_deregister(q.a.c, ha));
    ct_ok(sw_register(q.a.c, memory, 4096, MEM_READ, &hq));
    ct_ok(sw_deregister(q.a.c, hq));
    ct_ok(sw_deregister(p.a.c, ha));
}

static void unknown_handles_are_WSAEINVAL(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    int local = 0;

    ct_pair(f, &p, 4096);
    const HANDLE wild[] = {NULL,
                           INVALID_HANDLE_VALUE,
                           (HANDLE)1,
                           &local,
                           (HANDLE)(uintptr_t)p.a.c->descriptor,
                           p.a.tx,
                           (HANDLE)(uintptr_t)0xDEADBEEFCAFE,
                           (char *)p.a.tx_handle + 1};
    for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++)
        ct_fails(WSAEINVAL, sw_deregister(p.a.c, wild[i]));
    ct_ok(sw_deregister(p.a.c, p.a.tx_handle));
    ct_fails(WSAEINVAL, sw_deregister(p.a.c, p.a.tx_handle));
}

static void checklist_22_memory_in_use_cannot_be_deregistered(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0}, out = {0};

    ct_pair(f, &p, 4096);
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
    for (int i = 0; i < 3; i++)
        ct_fails(WSAEINVAL, sw_deregister(p.b.c, p.b.rx_handle));
    ct_ok(ct_send(&p.a, 0, 64, &out, SW_POLL));
    ct_done(p.b.c, &in, 0); /* and it is still whole */
    ct_done(p.a.c, &out, 0);
    ct_ok(sw_deregister(p.b.c, p.b.rx_handle));
    ct_ok(sw_deregister(p.a.c, p.a.tx_handle));
}

static void checklist_22_a_send_and_a_transfer_keep_their_memory_too(void **state)
{
    struct fixture *f = *state;
    struct loop_config config;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED in = {0}, out = {0}, write = {0}, read = {0};

    ct_needs_loop();
    ct.loop->get_config(&config);
    config.delivery_us = 300000;
    ct_pair(f, &p, 4096);
    ct_expose(&p.b, p.b.rx, 4096, MEM_READWRITE, &d);
    ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
    ct.loop->set_config(&config); /* from here on requests take a while */
    ct_ok(ct_send(&p.a, 0, 64, &out, SW_POLL));
    ct_ok(ct_write(&p.a, 100, 64, &d, 1000, &write, SW_POLL));
    ct_ok(ct_read(&p.a, 100, 64, &d, 2000, &read, SW_POLL));
    ct_fails(WSAEINVAL, sw_deregister(p.a.c, p.a.tx_handle));
    ct_fails(WSAEINVAL, sw_deregister(p.a.c, p.a.rx_handle));
    ct_done(p.a.c, &out, 0);
    ct_done(p.a.c, &write, 0);
    ct_done(p.a.c, &read, 0);
    ct_done(p.b.c, &in, 0);
    ct_ok(sw_deregister(p.a.c, p.a.tx_handle));
    ct_ok(sw_deregister(p.a.c, p.a.rx_handle));
    ct_ok(sw_deregister_rdma(p.b.c, &d));
}

static void closing_frees_what_the_switch_did_not(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 10; i++) {
        struct ct_pair p;
        struct sw_rdma_descriptor d;
        ct_pair(f, &p, 8192); /* the teardown looks for leaks */
        ct_expose(&p.a, p.a.rx, 8192, MEM_READ, &d);
        ct_close(f, p.a.c);
        ct_close(f, p.b.c);
    }
}

struct registrar {
    struct sw_companion *c;
    uint8_t *memory;
    pal_atomic_bool is_in, is_out;
};

static void register_slowly(struct ct_thread *t)
{
    struct registrar *r = t->arg;
    HANDLE h;

    pal_store_release(&r->is_in, true);
    int error = sw_register(r->c, r->memory, 65536, MEM_READWRITE, &h);
    pal_store_release(&r->is_out, true);
    if (error != 0)
        ct_thread_fails(t, "WSPRegisterMemory: %s", sw_error_name(error));
}

/* Pinning takes its time in the kernel; nobody's data may wait for it, not even on the same socket. */
static void w26_data_flows_while_a_registration_is_slow(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p, q;
    static struct registrar r;

    ct_needs_loop();
    ct_reload_with_faults(f);
    ct_pair(f, &p, 4096);
    ct_pair(f, &q, 4096);
    memset(&r, 0, sizeof r);
    r.c = p.a.c;
    r.memory = ct_memory(f, 65536);
    ct_fault("mr_reg:1:late=1500");
    struct ct_thread *t = ct_start(f, register_slowly, &r);
    assert_true(ct_until(ct.loop->fault_calls("mr_reg") == 1));
    /* one round is enough, however slow the machine: data that waits for the registration gets none */
    unsigned rounds = 0;
    for (int i = 0; i < 20 && !pal_load_acquire(&r.is_out); i++) {
        ct_pair_works(&q);
        ct_pair_works(&p);
        rounds += !pal_load_acquire(&r.is_out);
    }
    assert_true(rounds > 0);
    ct_join(t);
}

static void register_and_deregister(struct ct_thread *t)
{
    struct registrar *r = t->arg;

    for (unsigned i = 0; i < ct.rounds * 5 && !pal_load_acquire(&t->f->stop); i++) {
        HANDLE h[4];
        int error = 0;
        for (unsigned n = 0; n < 4 && error == 0; n++)
            error = sw_register(r->c, r->memory + 4096 * n, 4096 * (4 - n), MEM_READWRITE, &h[n]);
        for (unsigned n = 0; n < 4 && error == 0; n++)
            error = sw_deregister(r->c, h[n]);
        if (error != 0) {
            ct_thread_fails(t, "round %u: %s", i, sw_error_name(error));
            return;
        }
    }
}

static void several_threads_register_on_one_socket_while_it_works(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    static struct registrar r[3];
    struct ct_thread *t[3];

    ct_pair(f, &p, 4096);
    for (int i = 0; i < 3; i++) {
        r[i].c = p.a.c;
        r[i].memory = i < 2 ? ct_memory(f, 16384) : r[0].memory; /* two share theirs */
        t[i] = ct_start(f, register_and_deregister, &r[i]);
    }
    for (unsigned i = 0; i < ct.rounds; i++)
        ct_pair_works(&p);
    for (int i = 0; i < 3; i++)
        ct_join(t[i]);
}

static const struct CMUnitTest memory_tests[] = {
    ct_test(every_direction_can_be_registered),
    ct_test(bad_flags_are_WSAEINVAL),
    ct_test(ranges_that_are_not_wholly_there_are_WSAEFAULT),
    ct_test(read_only_pages_can_be_a_source_and_no_target),
    ct_test(checklist_25_registrations_of_the_same_memory_are_counted),
    ct_test(handles_belong_to_their_socket),
    ct_test(unknown_handles_are_WSAEINVAL),
    ct_test(checklist_22_memory_in_use_cannot_be_deregistered),
    ct_test(checklist_22_a_send_and_a_transfer_keep_their_memory_too),
    ct_test(closing_frees_what_the_switch_did_not),
    ct_test(w26_data_flows_while_a_registration_is_slow),
    ct_test(several_threads_register_on_one_socket_while_it_works),
};
CT_GROUP(memory);
