/* rdma_rights.c - what a descriptor allows: its peer, its range, its direction, its time. Wrong uses must
 * not change memory.
 * Source: contract 6.1, 6.4, 6.5; checklist 21; 14.3; peers.md W2-W5. */
#include "ct.h"

/* A transfer that must not work: refused at once, or failed by the other side. The connection may be lost
 * over it. */
/* iWARP: a write is over once it was handed on; what follows finds the connection dead. */
static int what_follows(struct ct_end *e)
{
    int error = 0;
    for (int i = 0; ct.completes_early && error == 0 && i < 2000; i++) {
        WSAOVERLAPPED next = {0};
        error = ct_send(e, 0, 1, &next, SW_POLL);
        error = error == 0 ? ct_outcome(e->c, &next) : error;
        suite_relax();
    }
    return error;
}

static void must_not_work(struct ct_end *e, bool is_write, DWORD bytes, const struct sw_rdma_descriptor *d,
                          DWORD at)
{
    WSAOVERLAPPED ov = {0};
    int error = is_write ? ct_write(e, 0, bytes, d, at, &ov, SW_POLL)
                         : ct_read(e, 0, bytes, d, at, &ov, SW_POLL);

    if (error == 0)
        error = ct_outcome(e->c, &ov);
    if (is_write && error == 0)
        error = what_follows(e);
    ct_one_of(error, WSAEINVAL, WSAECONNABORTED, WSAECONNRESET, WSAENOTCONN, WSAEFAULT, WSAEACCES);
}

static bool is_all(const uint8_t *memory, size_t bytes, uint8_t value)
{
    for (size_t i = 0; i < bytes; i++)
        if (memory[i] != value)
            return false;
    return true;
}

/* W2: the peer's key must be dead when the call returns, cached registration or not. */
static void w02_after_deregistration_the_peer_cannot_write_any_more(void **state)
{
    struct fixture *f = *state;

    for (int round = 0; round < 2; round++) {
        struct ct_pair p;
        struct sw_rdma_descriptor d;
        WSAOVERLAPPED ov = {0};
        HANDLE local;
        ct_pair(f, &p, 4096);
        uint8_t *target = ct_memory(f, 4096);
        if (round == 1) /* a local registration of the same memory lives on: that must not help the peer */
            ct_ok(sw_register(p.b.c, target, 4096, MEM_READWRITE, &local));
        ct_expose(&p.b, target, 4096, MEM_READWRITE, &d);
        memset(p.a.tx, 0x11, 4096);
        ct_ok(ct_write(&p.a, 0, 4096, &d, 0, &ov, SW_POLL));
        ct_done(p.a.c, &ov, 0);
        ct_arrived(&p.a, &p.b);
        ct_ok(sw_deregister_rdma(p.b.c, &d));
        memset(target, 0x22, 4096);
        memset(p.a.tx, 0x33, 4096);
        must_not_work(&p.a, true, 4096, &d, 0);
        assert_true(is_all(target, 4096, 0x22));
    }
}

static void w02_after_deregistration_the_peer_cannot_read_any_more(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;

    if (f->ext->rdma_read == NULL)
        ct_skip("the provider has no WSPRdmaRead");
    ct_pair(f, &p, 4096);
    uint8_t *secret = ct_memory(f, 4096);
    memset(secret, 0x77, 4096);
    ct_expose(&p.b, secret, 4096, MEM_READ, &d);
    ct_ok(sw_deregister_rdma(p.b.c, &d));
    must_not_work(&p.a, false, 4096, &d, 0);
    assert_true(is_all(p.a.rx + 16, 4096 - 16, 0));
}

static void w03_a_read_only_descriptor_cannot_be_written(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    HANDLE writable;

    ct_pair(f, &p, 4096);
    uint8_t *memory = ct_memory(f, 65536);
    memset(memory, 0x22, 65536);
    /* the cache holds a larger, writable registration of the same memory */
    ct_ok(sw_register(p.b.c, memory, 65536, MEM_READWRITE, &writable));
    ct_expose(&p.b, memory + 4096, 4096, MEM_READ, &d);
    memset(p.a.tx, 0x33, 4096);
    must_not_work(&p.a, true, 4096, &d, 0);
    assert_true(is_all(memory, 65536, 0x22));
}

static void w03_a_write_only_descriptor_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;

    if (f->ext->rdma_read == NULL)
        ct_skip("the provider has no WSPRdmaRead");
    ct_pair(f, &p, 4096);
    uint8_t *memory = ct_memory(f, 4096);
    memset(memory, 0x77, 4096);
    ct_expose(&p.b, memory, 4096, MEM_WRITE, &d);
    must_not_work(&p.a, false, 4096, &d, 0);
    assert_true(is_all(p.a.rx + 16, 4096 - 16, 0));
}

/* The descriptor forged so that our own provider lets it pass: the adapter of the other side must refuse. */
static void w03_a_forged_descriptor_does_not_reach_beyond_the_registered_range(void **state)
{
    struct fixture *f = *state;

    for (DWORD byte = 0; byte < 24; byte++) {
        struct ct_pair p;
        struct sw_rdma_descriptor d;
        WSAOVERLAPPED ov = {0};
        HANDLE wide;
        ct_pair(f, &p, 4096);
        uint8_t *memory = ct_memory(f, 3 * 65536);
        memset(memory, 0x22, 3 * 65536);
        ct_ok(sw_register(p.b.c, memory, 3 * 65536, MEM_READWRITE, &wide));
        ct_expose(&p.b, memory + 65536, 4096, MEM_WRITE, &d);
        assert_true(d.length <= 32);
        if (byte >= d.length)
            break;
        memset(p.a.tx, 0x33, 4096);
        d.bytes[byte] ^= 0xFF;
        int error = ct_write(&p.a, 0, 4096, &d, 0, &ov, SW_POLL);
        if (error == 0)
            error = ct_outcome(p.a.c, &ov);
        (void)error; /* refused, failed, or harmless: what counts is the memory */
        assert_true(is_all(memory, 65536, 0x22));
        assert_true(is_all(memory + 65536 + 4096, 2 * 65536 - 4096, 0x22));
        ct_close(f, p.a.c);
        ct_close(f, p.b.c);
    }
}

static void w04_a_leaked_descriptor_is_worthless_to_another_peer(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p, thief;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED ov = {0};

    ct_pair(f, &p, 4096);
    ct_pair(f, &thief, 4096);
    uint8_t *memory = ct_memory(f, 4096);
    memset(memory, 0x22, 4096);
    ct_expose(&p.b, memory, 4096, MEM_READWRITE, &d);
    memset(thief.a.tx, 0x33, 4096);
    must_not_work(&thief.a, true, 4096, &d, 0);
    assert_true(is_all(memory, 4096, 0x22));
    memset(p.a.tx, 0x44, 4096); /* while its owner goes on using it */
    ct_ok(ct_write(&p.a, 0, 4096, &d, 0, &ov, SW_POLL));
    ct_done(p.a.c, &ov, 0);
    ct_arrived(&p.a, &p.b);
    assert_true(ct_until(is_all(memory, 4096, 0x44)));
}

static void checklist_21_only_the_connected_peer_may_use_a_descriptor(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p, thief;
    struct sw_rdma_descriptor d;

    if (f->ext->rdma_read == NULL)
        ct_skip("the provider has no WSPRdmaRead");
    ct_pair(f, &p, 4096);
    ct_pair(f, &thief, 4096);
    uint8_t *secret = ct_memory(f, 4096);
    memset(secret, 0x77, 4096);
    ct_expose(&p.b, secret, 4096, MEM_READ, &d);
    must_not_work(&thief.a, false, 4096, &d, 0);
    assert_true(is_all(thief.a.rx + 16, 4096 - 16, 0));
    must_not_work(&thief.b, false, 4096, &d, 0); /* nor the other side of another connection */
    ct_pair_works(&p);
}

/* Without windows every socket has a protection domain of its own; the rule must hold there as well. */
static void checklist_21_holds_on_a_device_without_windows(void **state)
{
    struct fixture *f = *state;
    struct loop_config config;
    struct ct_pair p, thief;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED ov = {0};

    ct_needs_loop();
    ct.loop->get_config(&config);
    config.cap_flags &= ~(uint32_t)VB_CAP_MW_TYPE2;
    ct.loop->set_config(&config);
    ct_reload(f, NULL);
    ct_pair(f, &p, 4096);
    ct_pair(f, &thief, 4096);
    uint8_t *memory = ct_memory(f, 8192);
    memset(memory, 0x22, 8192);
    ct_expose(&p.b, memory, 4096, MEM_WRITE, &d);
    memset(p.a.tx, 0x33, 4096);
    memset(thief.a.tx, 0x44, 4096);
    must_not_work(&thief.a, true, 4096, &d, 0);
    assert_true(is_all(memory, 8192, 0x22));
    ct_ok(ct_write(&p.a, 0, 4096, &d, 0, &ov, SW_POLL));
    ct_done(p.a.c, &ov, 0);
    ct_arrived(&p.a, &p.b);
    ct_ok(sw_deregister_rdma(p.b.c, &d));
    memset(memory, 0x22, 8192);
    must_not_work(&p.a, true, 4096, &d, 0);
    assert_true(is_all(memory, 8192, 0x22));
}

/* W5: the descriptor carries its length, so that an overrun is stopped before anything is sent. */
static void w05_offset_and_length_are_checked_before_anything_is_sent(void **state)
{
    static const struct {
        DWORD at, bytes;
    } beyond[] = {{0, 4097}, {1, 4096},       {4096, 1},       {4095, 2},
                  {5000, 1}, {0xFFFFFFFF, 1}, {0xFFFFFFFF, 2}, {0xFFFFF000, 4096}};
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED ov = {0};

    ct_pair(f, &p, 16384);
    uint8_t *memory = ct_memory(f, 16384);
    memset(memory, 0x22, 16384);
    ct_expose(&p.b, memory + 4096, 4096, MEM_READWRITE, &d);
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        ct_fails(WSAEINVAL, ct_write(&p.a, 0, beyond[i].bytes, &d, beyond[i].at, &ov, SW_POLL));
        if (f->ext->rdma_read != NULL)
            ct_fails(WSAEINVAL, ct_read(&p.a, 0, beyond[i].bytes, &d, beyond[i].at, &ov, SW_NOTIFY));
    }
    assert_true(is_all(memory, 16384, 0x22));
    ct_pair_works(&p); /* the connection is none the worse */
}

static void w05_a_descriptor_works_from_anywhere_and_tells_nothing_about_the_heap(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d[2];
    _Alignas(8) BYTE moved[SW_DESCRIPTOR_MAX + 8];
    DWORD bytes = 0;
    INT error = 0;

    ct_pair(f, &p, 4096);
    uint8_t *memory = ct_memory(f, 4096);
    ct_expose(&p.b, memory, 4096, MEM_WRITE, &d[0]);
    for (int shift = 0; shift < 8; shift++) { /* from a message at any alignment */
        WSAOVERLAPPED ov = {.hEvent = (HANDLE)1};
        WSABUFEX piece = {100, (CHAR *)p.a.tx, p.a.tx_handle};
        memcpy(moved + shift, d[0].bytes, d[0].length);
        assert_int_equal(p.a.c->ext->rdma_write(p.a.c->descriptor, &piece, 1, moved + shift, d[0].length, 0,
                                                &bytes, 0, &ov, NULL, NULL, &error),
                         SOCKET_ERROR);
        ct_fails(WSA_IO_PENDING, error);
        memset(moved, 0, sizeof moved); /* needed during the call only */
        ct_done(p.a.c, &ov, 0);
    }
    ct_arrived(&p.a, &p.b);                   /* a write under way would find the key dead */
    for (int shift = 1; shift < 8; shift++) { /* and deregistration finds it by content */
        ct_ok(sw_deregister_rdma(p.b.c, &d[0]));
        ct_expose(&p.b, memory, 4096, MEM_WRITE, &d[0]);
        memcpy(moved + shift, d[0].bytes, d[0].length);
        assert_int_equal(
            p.b.c->ext->deregister_rdma_memory(p.b.c->descriptor, moved + shift, d[0].length, &error), 0);
        ct_expose(&p.b, memory, 4096, MEM_WRITE, &d[0]);
    }
    /* no bytes of it may be a pointer into the provider: only the exposed address may look like one */
    for (DWORD i = 0; i + sizeof(uintptr_t) <= d[0].length; i++) {
        uintptr_t value = 0, swapped = 0;
        memcpy(&value, d[0].bytes + i, sizeof value);
        for (DWORD k = 0; k < sizeof value; k++)
            swapped = swapped << 8 | d[0].bytes[i + k];
        const uintptr_t near_descriptor = (uintptr_t)p.b.c->descriptor;
        assert_true(value != near_descriptor && swapped != near_descriptor);
    }
}

static void descriptors_that_are_none_are_WSAEINVAL(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d, bad;
    WSAOVERLAPPED ov = {0};

    ct_pair(f, &p, 4096);
    ct_expose(&p.b, p.b.rx, 4096, MEM_READWRITE, &d);
    for (DWORD n = 0; n < SW_DESCRIPTOR_MAX; n++) {
        if (n == d.length)
            continue;
        bad = d;
        bad.length = n;
        int error = ct_write(&p.a, 0, 16, &bad, 0, &ov, SW_POLL);
        ct_one_of(error, WSAEINVAL, WSAEFAULT);
        ct_one_of(sw_deregister_rdma(p.b.c, &bad), WSAEINVAL, WSAEFAULT);
    }
    memset(&bad, 0, sizeof bad);
    bad.length = d.length;
    ct_fails(WSAEINVAL, ct_write(&p.a, 0, 16, &bad, 0, &ov, SW_POLL));
    ct_fails(WSAEINVAL, sw_deregister_rdma(p.b.c, &bad));
    ct_fails(WSAEINVAL, sw_deregister_rdma(p.a.c, &d)); /* the other side's */
    ct_ok(sw_deregister_rdma(p.b.c, &d));
    ct_fails(WSAEINVAL, sw_deregister_rdma(p.b.c, &d));
    ct_pair_works(&p);
}

static void the_same_buffer_can_be_exposed_several_times_and_on_several_sockets(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p, q;
    struct sw_rdma_descriptor d[3];
    struct ct_pair *of[3] = {&p, &p, &q};

    ct_pair(f, &p, 4096);
    ct_pair(f, &q, 4096);
    uint8_t *memory = ct_memory(f, 4096);
    for (int i = 0; i < 3; i++)
        ct_expose(&of[i]->b, memory, 4096, MEM_WRITE, &d[i]);
    for (int gone = 0; gone < 3; gone++) {
        for (int i = gone; i < 3; i++) { /* each lives until its own deregistration */
            WSAOVERLAPPED ov = {0};
            memset(of[i]->a.tx, 0x40 + gone * 3 + i, 4096);
            ct_ok(ct_write(&of[i]->a, 0, 4096, &d[i], 0, &ov, SW_POLL));
            ct_done(of[i]->a.c, &ov, 0);
            ct_arrived(&of[i]->a, &of[i]->b);
        }
        ct_ok(sw_deregister_rdma(of[gone]->b.c, &d[gone]));
    }
}

/* 6.5: "RDMA in progress on it" can be known for transfers of our own only; the peer's access simply ends. */
static void deregistering_under_fire_ends_the_access_and_not_the_process(void **state)
{
    struct fixture *f = *state;

    for (int round = 0; round < 5; round++) {
        struct ct_pair p;
        struct sw_rdma_descriptor d;
        WSAOVERLAPPED ov[32];
        int submitted = 0;
        ct_pair(f, &p, 65536);
        uint8_t *memory = ct_memory(f, 65536);
        ct_expose(&p.b, memory, 65536, MEM_WRITE, &d);
        memset(ov, 0, sizeof ov);
        while (submitted < 32 && ct_write(&p.a, 0, 65536, &d, 0, &ov[submitted], SW_POLL) == 0)
            submitted++;
        ct_ok(sw_deregister_rdma(p.b.c, &d));
        memset(memory, 0x22, 65536); /* from here on it is ours alone */
        for (int i = 0; i < submitted; i++)
            (void)ct_outcome(p.a.c, &ov[i]);
        assert_true(is_all(memory, 65536, 0x22));
        ct_close(f, p.a.c);
        ct_close(f, p.b.c);
    }
}

static void closing_ends_every_access(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;

    ct_pair(f, &p, 4096);
    uint8_t *memory = ct_memory(f, 4096);
    ct_expose(&p.b, memory, 4096, MEM_WRITE, &d);
    memset(p.a.tx, 0x33, 4096);
    ct_close(f, p.b.c);
    memset(memory, 0x22, 4096);
    WSAOVERLAPPED ov = {0};
    int error = ct_write(&p.a, 0, 4096, &d, 0, &ov, SW_POLL);
    if (error == 0)
        error = ct_outcome(p.a.c, &ov);
    if (error == 0)
        error = what_follows(&p.a);
    ct_one_of(error, WSAECONNRESET, WSAECONNABORTED, WSAENOTCONN);
    assert_true(is_all(memory, 4096, 0x22));
}

static const struct CMUnitTest rdma_rights_tests[] = {
    ct_test(w02_after_deregistration_the_peer_cannot_write_any_more),
    ct_test(w02_after_deregistration_the_peer_cannot_read_any_more),
    ct_test(w03_a_read_only_descriptor_cannot_be_written),
    ct_test(w03_a_write_only_descriptor_cannot_be_read),
    ct_test(w03_a_forged_descriptor_does_not_reach_beyond_the_registered_range),
    ct_test(w04_a_leaked_descriptor_is_worthless_to_another_peer),
    ct_test(checklist_21_only_the_connected_peer_may_use_a_descriptor),
    ct_test(checklist_21_holds_on_a_device_without_windows),
    ct_test(w05_offset_and_length_are_checked_before_anything_is_sent),
    ct_test(w05_a_descriptor_works_from_anywhere_and_tells_nothing_about_the_heap),
    ct_test(descriptors_that_are_none_are_WSAEINVAL),
    ct_test(the_same_buffer_can_be_exposed_several_times_and_on_several_sockets),
    ct_test(deregistering_under_fire_ends_the_access_and_not_the_process),
    ct_test(closing_ends_every_access),
};
CT_GROUP(rdma_rights);
