/* rdma.c - WSPRegisterRdmaMemory, WSPRdmaWrite, WSPRdmaRead: the descriptor's protocol, data, order, sizes.
 * Source: contract 6.4-6.6, 7.5, Q8-Q13; checklist 15, 20; peers.md W24. */
#include "ct.h"

static void checklist_20_a_short_descriptor_block_is_told_the_size(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    BYTE block[SW_DESCRIPTOR_MAX];
    DWORD needed = 0, length;
    INT error = 0;

    ct_pair(f, &p, 4096);
    assert_int_equal(
        p.a.c->ext->register_rdma_memory(p.a.c->descriptor, p.a.rx, 4096, MEM_READ, NULL, &needed, &error),
        SOCKET_ERROR);
    ct_fails(WSAEFAULT, error);
    assert_true(needed > 0 && needed <= 32); /* Q9 */
    for (DWORD room = 0; room < needed; room++) {
        memset(block, 0x5A, sizeof block);
        length = room;
        assert_int_equal(p.a.c->ext->register_rdma_memory(p.a.c->descriptor, p.a.rx, 4096, MEM_READ, block,
                                                          &length, &error),
                         SOCKET_ERROR);
        ct_fails(WSAEFAULT, error);
        assert_int_equal(length, needed);
        for (size_t i = 0; i < sizeof block; i++)
            assert_int_equal(block[i], 0x5A);
    }
    for (DWORD room = needed; room <= sizeof block; room += 8) {
        length = room;
        assert_int_equal(p.a.c->ext->register_rdma_memory(p.a.c->descriptor, p.a.rx, 4096, MEM_READ, block,
                                                          &length, &error),
                         0);
        ct_ok(error); /* C25: always stored */
        assert_int_equal(length, needed);
        assert_int_equal(p.a.c->ext->deregister_rdma_memory(p.a.c->descriptor, block, length, &error), 0);
    }
}

static void checklist_20_a_bad_range_leaves_the_length_alone(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    BYTE block[SW_DESCRIPTOR_MAX];
    DWORD length = sizeof block;
    INT error = 0;

    ct_pair(f, &p, 4096);
    assert_int_equal(p.a.c->ext->register_rdma_memory(p.a.c->descriptor, (void *)(uintptr_t)4096, 4096,
                                                      MEM_READWRITE, block, &length, &error),
                     SOCKET_ERROR);
    ct_fails(WSAEFAULT, error);
    assert_int_equal(length, sizeof block); /* that is how the two meanings are told apart */
    assert_int_equal(
        p.a.c->ext->register_rdma_memory(p.a.c->descriptor, p.a.rx, 4096, MEM_READ, block, NULL, &error),
        SOCKET_ERROR);
    ct_fails(WSAEFAULT, error);
}

static void a_write_arrives_where_it_was_aimed_and_nowhere_else(void **state)
{
    static const DWORD offsets[] = {0, 1, 100, 4095, 4096, 30000}, sizes[] = {1, 2, 64, 255, 4096, 10001};
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;

    ct_pair(f, &p, 65536);
    ct_expose(&p.b, p.b.rx + 1000, 50000, MEM_WRITE, &d);
    for (size_t o = 0; o < 6; o++)
        for (size_t s = 0; s < 6; s++) {
            WSAOVERLAPPED ov = {0};
            DWORD at = 1000 + offsets[o];
            memset(p.b.rx, 0x5A, 65536);
            ct_fill(p.a.tx, sizes[s], (uint32_t)(o * 10 + s));
            ct_ok(ct_write(&p.a, 0, sizes[s], &d, offsets[o], &ov, s % 2 == 0 ? SW_POLL : SW_NOTIFY));
            assert_int_equal(ct_done(p.a.c, &ov, 0), sizes[s]);
            ct_arrived(&p.a, &p.b);
            assert_true(ct_until(p.b.rx[at + sizes[s] - 1] == p.a.tx[sizes[s] - 1] &&
                                 ct_wrong_byte(p.b.rx + at, sizes[s], (uint32_t)(o * 10 + s)) < 0));
            for (DWORD i = 0; i < 65536; i++)
                if (i < at || i >= at + sizes[s])
                    assert_int_equal(p.b.rx[i], 0x5A);
        }
}

static void a_read_fetches_what_it_was_aimed_at(void **state)
{
    static const DWORD offsets[] = {0, 1, 100, 4095, 4096, 30000}, sizes[] = {1, 2, 64, 255, 4096, 10001};
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;

    if (f->ext->rdma_read == NULL)
        ct_skip("the provider has no WSPRdmaRead");
    ct_pair(f, &p, 65536);
    ct_fill(p.b.tx, 65536, 6);
    ct_expose(&p.b, p.b.tx + 1000, 50000, MEM_READ, &d);
    for (size_t o = 0; o < 6; o++)
        for (size_t s = 0; s < 6; s++) {
            WSAOVERLAPPED ov = {0};
            memset(p.a.rx, 0x5A, 65536);
            ct_ok(ct_read(&p.a, 500, sizes[s], &d, offsets[o], &ov, s % 2 == 0 ? SW_POLL : SW_NOTIFY));
            assert_int_equal(ct_done(p.a.c, &ov, 0), sizes[s]);
            assert_memory_equal(p.a.rx + 500, p.b.tx + 1000 + offsets[o], sizes[s]);
            assert_int_equal(p.a.rx[499], 0x5A);
            assert_int_equal(p.a.rx[500 + sizes[s]], 0x5A);
        }
    assert_int_equal(ct_wrong_byte(p.b.tx, 65536, 6), -1);
}

static void transfers_of_many_pieces_complete_once(void **state)
{
    static const unsigned counts[] = {0, 1, 2, 5, 16, 17, 33, 40, 64};
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;

    ct_pair(f, &p, 65536);
    ct_expose(&p.b, p.b.rx, 65536, MEM_READWRITE, &d);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        WSABUFEX out[64], in[64];
        WSAOVERLAPPED write = {0}, read = {0};
        unsigned n = counts[i];
        for (unsigned k = 0; k < n; k++) {
            out[k] = (WSABUFEX){700, (CHAR *)p.a.tx + 1000 * k, p.a.tx_handle};
            in[k] = (WSABUFEX){700, (CHAR *)p.a.rx + 1000 * k, p.a.rx_handle};
        }
        ct_fill(p.a.tx, 65536, (uint32_t)i);
        memset(p.a.rx, 0, 65536);
        ct_ok(sw_rdma_write(p.a.c, out, n, &d, 64, &write, SW_NOTIFY));
        assert_int_equal(ct_done(p.a.c, &write, 0), 700 * n);
        if (f->ext->rdma_read == NULL)
            continue;
        ct_ok(sw_rdma_read(p.a.c, in, n, &d, 64, &read, SW_NOTIFY));
        assert_int_equal(ct_done(p.a.c, &read, 0), 700 * n);
        for (unsigned k = 0; k < n; k++)
            assert_memory_equal(p.a.rx + 1000 * k, p.a.tx + 1000 * k, 700);
    }
}

/* Q12 */
static void transfers_of_nothing_complete_in_order(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED ov[4] = {{0}};

    ct_pair(f, &p, 4096);
    ct_expose(&p.b, p.b.rx, 4096, MEM_READWRITE, &d);
    ct_ok(ct_write(&p.a, 0, 0, &d, 0, &ov[0], SW_POLL));
    ct_ok(ct_write(&p.a, 0, 0, &d, 4096, &ov[1], SW_NOTIFY)); /* at the very end */
    ct_ok(sw_rdma_write(p.a.c, NULL, 0, &d, 17, &ov[2], SW_NOTIFY));
    if (f->ext->rdma_read != NULL)
        ct_ok(ct_read(&p.a, 0, 0, &d, 0, &ov[3], SW_NOTIFY));
    for (int i = 0; i < (f->ext->rdma_read != NULL ? 4 : 3); i++)
        assert_int_equal(ct_done(p.a.c, &ov[i], 0), 0);
    ct_pair_works(&p);
}

static void a_large_transfer_arrives_whole(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    const DWORD bytes = ct.is_loop ? 16u << 20 : 4u << 20;
    WSAOVERLAPPED write = {0}, read = {0};

    ct_pair(f, &p, bytes);
    ct_expose(&p.b, p.b.rx, bytes, MEM_READWRITE, &d);
    ct_fill(p.a.tx, bytes, 21);
    ct_ok(ct_write(&p.a, 0, bytes, &d, 0, &write, SW_NOTIFY));
    assert_int_equal(ct_done(p.a.c, &write, 0), bytes);
    ct_arrived(&p.a, &p.b);
    if (f->ext->rdma_read != NULL) {
        ct_ok(ct_read(&p.a, 0, bytes, &d, 0, &read, SW_POLL));
        assert_int_equal(ct_done(p.a.c, &read, 0), bytes);
        assert_int_equal(ct_wrong_byte(p.a.rx, bytes, 21), -1);
    }
    assert_int_equal(ct_wrong_byte(p.b.rx, bytes, 21), -1);
}

/* Longer than one work request can carry: several, reported once (6.6). */
static void a_transfer_beyond_the_devices_limit_is_split_or_refused_whole(void **state)
{
    struct fixture *f = *state;
    struct loop_config config;
    struct ct_pair p;
    struct sw_limits limits;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED ov = {0};

    ct_needs_loop();
    ct.loop->get_config(&config);
    config.max_msg_bytes = 65536;
    ct.loop->set_config(&config);
    ct_reload(f, NULL);
    ct_pair(f, &p, 1u << 20);
    ct_ok(sw_get_limits(p.a.c, &limits));
    assert_true(limits.max_msg_bytes <= 65536);
    ct_expose(&p.b, p.b.rx, 1u << 20, MEM_WRITE, &d);
    DWORD bytes = limits.max_rdma_bytes < 1u << 20 ? limits.max_rdma_bytes : 1u << 20;
    ct_fill(p.a.tx, bytes, 2);
    ct_ok(ct_write(&p.a, 0, bytes, &d, 0, &ov, SW_POLL));
    assert_int_equal(ct_done(p.a.c, &ov, 0), bytes);
    ct_arrived(&p.a, &p.b);
    assert_int_equal(ct_wrong_byte(p.b.rx, bytes, 2), -1);
    if (limits.max_rdma_bytes < 1u << 20)
        ct_fails(WSAEMSGSIZE, ct_write(&p.a, 0, bytes + 1, &d, 0, &ov, SW_POLL));
    ct_pair_works(&p);
}

static void a_write_is_visible_when_the_message_behind_it_arrives(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;

    ct_pair(f, &p, 65536);
    uint8_t *target = ct_memory(f, 65536);
    ct_expose(&p.b, target, 65536, MEM_WRITE, &d);
    for (unsigned i = 0; i < ct.rounds; i++) {
        WSAOVERLAPPED write = {0}, in = {0}, out = {0};
        ct_fill(p.a.tx, 60000, i);
        ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
        ct_ok(ct_write(&p.a, 0, 60000, &d, 0, &write, SW_POLL));
        ct_ok(ct_send(&p.a, 60000, 8, &out, SW_POLL));
        ct_done(p.b.c, &in, 0);
        assert_int_equal(ct_wrong_byte(target, 60000, i), -1);
        ct_done(p.a.c, &write, 0);
        ct_done(p.a.c, &out, 0);
    }
}

static void slow_reads(bool on)
{
    struct loop_config config;

    if (!ct.is_loop)
        return;
    ct.loop->get_config(&config);
    config.read_us = on ? 30000 : 0;
    ct.loop->set_config(&config);
}

/* The message says "I have read it": the peer may change the memory at once. */
static void checklist_15_a_message_does_not_overtake_the_read_before_it(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;

    if (f->ext->rdma_read == NULL)
        ct_skip("the provider has no WSPRdmaRead");
    ct_pair(f, &p, 65536);
    uint8_t *source = ct_memory(f, 65536);
    ct_expose(&p.b, source, 65536, MEM_READ, &d);
    slow_reads(true);
    for (unsigned i = 0; i < 10; i++) {
        WSAOVERLAPPED read = {0}, in = {0}, out = {0};
        ct_fill(source, 65536, i);
        ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
        ct_ok(ct_read(&p.a, 0, 65536, &d, 0, &read, SW_POLL));
        ct_ok(ct_send(&p.a, 0, 8, &out, i % 2 == 0 ? SW_POLL : SW_NOTIFY));
        ct_done_asking(p.b.c, &in, 0, p.a.c, &read);
        memset(source, 0xFF, 65536);
        ct_done(p.a.c, &read, 0);
        ct_done(p.a.c, &out, 0);
        assert_int_equal(ct_wrong_byte(p.a.rx, 65536, i), -1);
    }
    slow_reads(false);
}

/* The fence belongs on whatever is next: a write as well as a send. */
static void w24_a_write_does_not_overtake_the_read_before_it(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;

    if (f->ext->rdma_read == NULL)
        ct_skip("the provider has no WSPRdmaRead");
    ct_pair(f, &p, 65536);
    uint8_t *both = ct_memory(f, 65536);
    ct_expose(&p.b, both, 65536, MEM_READWRITE, &d);
    slow_reads(true);
    for (unsigned i = 0; i < 10; i++) {
        WSAOVERLAPPED read = {0}, write = {0};
        ct_fill(both, 65536, i);
        memset(p.a.tx, 0xEE, 65536);
        ct_ok(ct_read(&p.a, 0, 65536, &d, 0, &read, SW_POLL));
        ct_ok(ct_write(&p.a, 0, 65536, &d, 0, &write, SW_POLL));
        ct_done(p.a.c, &read, 0);
        ct_done(p.a.c, &write, 0);
        assert_int_equal(ct_wrong_byte(p.a.rx, 65536, i), -1);
        ct_arrived(&p.a, &p.b); /* before the next round fills the memory that it writes to */
    }
    slow_reads(false);
}

/* A refused call in between must not use the fence up. */
static void w24_a_send_that_fails_does_not_use_up_the_fence(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;

    if (f->ext->rdma_read == NULL)
        ct_skip("the provider has no WSPRdmaRead");
    ct_pair(f, &p, 65536);
    uint8_t *source = ct_memory(f, 65536), stranger[64];
    ct_expose(&p.b, source, 65536, MEM_READ, &d);
    slow_reads(true);
    for (unsigned i = 0; i < 5; i++) {
        WSAOVERLAPPED read = {0}, in = {0}, out = {0}, refused = {0};
        WSABUF unregistered = {sizeof stranger, (CHAR *)stranger};
        ct_fill(source, 65536, i);
        ct_ok(ct_recv(&p.b, 0, 64, &in, SW_POLL));
        ct_ok(ct_read(&p.a, 0, 65536, &d, 0, &read, SW_POLL));
        ct_fails(WSAEFAULT, sw_send(p.a.c, &unregistered, 1, &refused, SW_POLL));
        ct_ok(ct_send(&p.a, 0, 8, &out, SW_POLL));
        ct_done_asking(p.b.c, &in, 0, p.a.c, &read);
        memset(source, 0xFF, 65536);
        ct_done(p.a.c, &read, 0);
        ct_done(p.a.c, &out, 0);
        assert_int_equal(ct_wrong_byte(p.a.rx, 65536, i), -1);
    }
    slow_reads(false);
}

static void every_operation_behind_a_read_waits_not_only_the_first(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED read = {0}, in[3] = {{0}}, out[3] = {{0}};

    if (f->ext->rdma_read == NULL)
        ct_skip("the provider has no WSPRdmaRead");
    ct_pair(f, &p, 65536);
    uint8_t *source = ct_memory(f, 65536);
    ct_expose(&p.b, source, 65536, MEM_READ, &d);
    slow_reads(true);
    ct_fill(source, 65536, 77);
    for (DWORD i = 0; i < 3; i++)
        ct_ok(ct_recv(&p.b, 64 * i, 64, &in[i], SW_POLL));
    ct_ok(ct_read(&p.a, 0, 65536, &d, 0, &read, SW_POLL));
    for (DWORD i = 0; i < 3; i++)
        ct_ok(ct_send(&p.a, 64 * i, 64, &out[i], SW_POLL));
    for (int i = 0; i < 3; i++) {
        ct_done_asking(p.b.c, &in[i], 0, p.a.c, &read);
        memset(source, 0xFF, 65536);
    }
    ct_done(p.a.c, &read, 0);
    for (int i = 0; i < 3; i++)
        ct_done(p.a.c, &out[i], 0);
    assert_int_equal(ct_wrong_byte(p.a.rx, 65536, 77), -1);
    slow_reads(false);
}

/* More than a queue pair may have under way, and more than the device negotiated. */
static void hundreds_of_transfers_may_be_outstanding(void **state)
{
    enum { N = 600 };
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    static WSAOVERLAPPED ov[N];

    memset(ov, 0, sizeof ov);
    ct_pair(f, &p, N * 64);
    ct_expose(&p.b, p.b.rx, N * 64, MEM_READWRITE, &d);
    ct_fill(p.a.tx, N * 64, 12);
    for (DWORD i = 0; i < N; i++)
        ct_ok(ct_write(&p.a, 64 * i, 64, &d, 64 * i, &ov[i], i % 5 == 0 ? SW_NOTIFY : SW_POLL));
    for (DWORD i = 0; i < N; i++)
        ct_done(p.a.c, &ov[i], 0);
    ct_arrived(&p.a, &p.b);
    if (f->ext->rdma_read != NULL) {
        memset(ov, 0, sizeof ov);
        for (DWORD i = 0; i < N; i++)
            ct_ok(ct_read(&p.a, 64 * i, 64, &d, 64 * i, &ov[i], i % 5 == 0 ? SW_NOTIFY : SW_POLL));
        for (DWORD i = 0; i < N; i++)
            ct_done(p.a.c, &ov[i], 0);
        assert_int_equal(ct_wrong_byte(p.a.rx, N * 64, 12), -1);
    }
    assert_int_equal(ct_wrong_byte(p.b.rx, N * 64, 12), -1);
}

static void the_passive_side_may_write_and_read_as_well(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_rdma_descriptor d;
    WSAOVERLAPPED write = {0}, read = {0};

    ct_pair(f, &p, 8192);
    ct_expose(&p.a, p.a.rx, 8192, MEM_READWRITE, &d);
    ct_fill(p.b.tx, 8192, 31);
    ct_ok(ct_write(&p.b, 0, 8192, &d, 0, &write, SW_POLL));
    ct_done(p.b.c, &write, 0);
    if (p.b.c->ext->rdma_read != NULL) {
        ct_ok(ct_read(&p.b, 0, 8192, &d, 0, &read, SW_POLL));
        ct_done(p.b.c, &read, 0);
        assert_int_equal(ct_wrong_byte(p.b.rx, 8192, 31), -1);
    }
}

static const struct CMUnitTest rdma_tests[] = {
    ct_test(checklist_20_a_short_descriptor_block_is_told_the_size),
    ct_test(checklist_20_a_bad_range_leaves_the_length_alone),
    ct_test(a_write_arrives_where_it_was_aimed_and_nowhere_else),
    ct_test(a_read_fetches_what_it_was_aimed_at),
    ct_test(transfers_of_many_pieces_complete_once),
    ct_test(transfers_of_nothing_complete_in_order),
    ct_test(a_large_transfer_arrives_whole),
    ct_test(a_transfer_beyond_the_devices_limit_is_split_or_refused_whole),
    ct_test(a_write_is_visible_when_the_message_behind_it_arrives),
    ct_test(checklist_15_a_message_does_not_overtake_the_read_before_it),
    ct_test(w24_a_write_does_not_overtake_the_read_before_it),
    ct_test(w24_a_send_that_fails_does_not_use_up_the_fence),
    ct_test(every_operation_behind_a_read_waits_not_only_the_first),
    ct_test(hundreds_of_transfers_may_be_outstanding),
    ct_test(the_passive_side_may_write_and_read_as_well),
};
CT_GROUP(rdma);
