/* send_recv.c - WSPSend and WSPRecv: messages, sizes, pieces, order, registrations, limits.
 * Source: contract 4.10, 4.11, 9, C5, Q10-Q13, Q37; checklist 13, 14, 16; 14.3. */
#include "ct.h"

enum { MANY = 1000 };

static void checklist_14_one_send_is_one_receive(void **state)
{
    static const DWORD sizes[] = {5, 1, 100, 0, 7, 4096, 0, 0, 33};
    enum { N = sizeof sizes / sizeof sizes[0] };
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[N] = {{0}}, out[N] = {{0}};

    ct_pair(f, &p, 64 * 1024);
    for (int i = 0; i < N; i++)
        ct_ok(ct_recv(&p.b, 4096 * (DWORD)i, 4096, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
    for (int i = 0; i < N; i++) {
        ct_fill(p.a.tx + 4096 * i, sizes[i], (uint32_t)i);
        ct_ok(ct_send(&p.a, 4096 * (DWORD)i, sizes[i], &out[i], i % 3 == 0 ? SW_POLL : SW_NOTIFY));
    }
    for (int i = 0; i < N; i++) {
        ct_done(p.a.c, &out[i], 0);
        assert_int_equal(ct_done(p.b.c, &in[i], 0), sizes[i]);
        assert_int_equal(ct_wrong_byte(p.b.rx + 4096 * i, sizes[i], (uint32_t)i), -1);
    }
}

static void checklist_14_zero_bytes_are_a_message_and_not_the_end(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    for (int i = 0; i < 3; i++) {
        ct_transfer(&p.a, &p.b, 0, SW_POLL);
        ct_transfer(&p.b, &p.a, 0, SW_NOTIFY);
    }
    ct_pair_works(&p);
}

static void a_send_of_no_pieces_is_an_empty_message(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[3] = {{0}}, out[3] = {{0}};
    WSABUF empty[3] = {{0, NULL}, {0, NULL}, {0, NULL}};

    ct_pair(f, &p, 4096);
    ct_ok(ct_recv(&p.b, 0, 64, &in[0], SW_POLL));
    ct_ok(sw_send(p.a.c, NULL, 0, &out[0], SW_POLL));
    ct_ok(ct_recv(&p.b, 0, 64, &in[1], SW_POLL));
    ct_ok(sw_send(p.a.c, empty, 3, &out[1], SW_POLL));
    ct_ok(sw_recv(p.b.c, NULL, 0, &in[2], SW_POLL)); /* room for nothing: takes an empty message */
    ct_ok(sw_send(p.a.c, empty, 1, &out[2], SW_POLL));
    for (int i = 0; i < 3; i++) {
        ct_done(p.a.c, &out[i], 0);
        assert_int_equal(ct_done(p.b.c, &in[i], 0), 0);
    }
    ct_pair_works(&p);
}

static void every_size_around_every_limit_arrives(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_limits limits;

    ct_pair(f, &p, 128 * 1024);
    ct_ok(sw_get_limits(p.a.c, &limits));
    const DWORD t = limits.rdma_threshold_bytes;
    const DWORD sizes[] = {0,   1,   2,    31,   32,   63,    64, 65,    255,   256,   257,   511,
                           512, 513, 4095, 4096, 4097, t - 1, t,  t + 1, 65535, 65536, 65537, 128 * 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        ct_transfer(i % 2 == 0 ? &p.a : &p.b, i % 2 == 0 ? &p.b : &p.a, sizes[i],
                    i % 3 == 0 ? SW_NOTIFY : SW_POLL);
}

static void the_largest_message_arrives_and_one_byte_more_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    struct sw_limits limits;
    WSAOVERLAPPED ov = {0};

    ct_reload(f, "WSD_MAX_MESSAGE", "1048576", NULL);
    ct_pair(f, &p, (1u << 20) + 4096);
    ct_ok(sw_get_limits(p.a.c, &limits));
    assert_true(limits.max_msg_bytes <= 1u << 20);
    ct_transfer(&p.a, &p.b, limits.max_msg_bytes, SW_POLL);
    ct_fails(WSAEMSGSIZE, ct_send(&p.a, 0, limits.max_msg_bytes + 1, &ov, SW_POLL));
    ct_fails(WSAEMSGSIZE, ct_send(&p.a, 0, limits.max_msg_bytes + 1, &ov, SW_NOTIFY));
    ct_pair_works(&p);
}

static void scatter(struct ct_pair *p, unsigned send_pieces, unsigned recv_pieces, DWORD bytes)
{
    WSABUF out_pieces[64], in_pieces[64];
    WSAOVERLAPPED in = {0}, out = {0};
    DWORD at = 0;

    ct_fill(p->a.tx, bytes, send_pieces * 100 + recv_pieces);
    memset(p->b.rx, 0, bytes);
    for (unsigned i = 0; i < send_pieces; i++) {
        DWORD n = i + 1 == send_pieces ? bytes - at : bytes / send_pieces - (i % 3 == 0 ? 1 : 0);
        out_pieces[i] = (WSABUF){n, (CHAR *)p->a.tx + at};
        at += n;
    }
    at = 0;
    for (unsigned i = 0; i < recv_pieces; i++) {
        DWORD n = i + 1 == recv_pieces ? p->b.bytes - at : bytes / recv_pieces;
        in_pieces[i] = (WSABUF){n, (CHAR *)p->b.rx + at};
        at += n;
    }
    ct_ok(sw_recv(p->b.c, in_pieces, recv_pieces, &in, SW_POLL));
    ct_ok(sw_send(p->a.c, out_pieces, send_pieces, &out, SW_POLL));
    ct_done(p->a.c, &out, 0);
    assert_int_equal(ct_done(p->b.c, &in, 0), bytes);
    assert_int_equal(ct_wrong_byte(p->b.rx, bytes, send_pieces * 100 + recv_pieces), -1);
}

static void any_number_of_pieces_makes_one_message(void **state)
{
    static const unsigned counts[] = {1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 40, 64};
    struct fixture *f = *state;
    struct ct_pair p;

    ct_pair(f, &p, 64 * 1024);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        scatter(&p, counts[i], 1, 5000);
        scatter(&p, 1, counts[i], 5000);
        scatter(&p, counts[i], 64, 64 * 1024 - 100);
        scatter(&p, 40, counts[i], 200);
    }
    ct_pair_works(&p);
}

static void empty_pieces_between_full_ones_are_skipped(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0}, out = {0};

    ct_pair(f, &p, 4096);
    WSABUF from[] = {
        {0, NULL}, {10, (CHAR *)p.a.tx}, {0, (CHAR *)p.a.tx}, {20, (CHAR *)p.a.tx + 10}, {0, NULL}};
    WSABUF to[] = {{0, NULL}, {7, (CHAR *)p.b.rx}, {0, NULL}, {100, (CHAR *)p.b.rx + 7}};
    ct_fill(p.a.tx, 30, 5);
    ct_ok(sw_recv(p.b.c, to, 4, &in, SW_POLL));
    ct_ok(sw_send(p.a.c, from, 5, &out, SW_POLL));
    ct_done(p.a.c, &out, 0);
    assert_int_equal(ct_done(p.b.c, &in, 0), 30);
    assert_int_equal(ct_wrong_byte(p.b.rx, 30, 5), -1);
}

static void checklist_13_pieces_are_found_inside_and_across_registrations(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    HANDLE first, second;
    WSAOVERLAPPED in = {0}, out = {0};

    ct_pair(f, &p, 16384);
    uint8_t *whole = ct_memory(f, 16384);
    ct_ok(sw_register(p.a.c, whole, 8192, MEM_READ, &first));
    ct_ok(sw_register(p.a.c, whole + 8192, 8192, MEM_READ, &second));
    ct_fill(whole, 16384, 9);
    WSABUF inside = {100, (CHAR *)whole + 3000}, across = {4000, (CHAR *)whole + 6000};
    ct_ok(ct_recv(&p.b, 0, 16384, &in, SW_POLL));
    ct_ok(sw_send(p.a.c, &inside, 1, &out, SW_POLL));
    ct_done(p.a.c, &out, 0);
    assert_int_equal(ct_done(p.b.c, &in, 0), 100);
    assert_memory_equal(p.b.rx, whole + 3000, 100);
    ct_ok(ct_recv(&p.b, 0, 16384, &in, SW_POLL));
    ct_ok(sw_send(p.a.c, &across, 1, &out, SW_POLL)); /* Q11: split at the border */
    ct_done(p.a.c, &out, 0);
    assert_int_equal(ct_done(p.b.c, &in, 0), 4000);
    assert_memory_equal(p.b.rx, whole + 6000, 4000);
}

static void checklist_13_memory_without_registration_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED ov = {0};
    uint8_t *stranger = ct_memory(f, 8192);
    HANDLE other_sockets, half;
    struct sw_companion *a2, *b2;

    ct_pair(f, &p, 4096);
    ct_connect(f, &a2, &b2);
    WSABUF piece = {64, (CHAR *)stranger}, mixed[2] = {{64, (CHAR *)p.a.tx}, {64, (CHAR *)stranger}};
    ct_fails(WSAEFAULT, sw_send(p.a.c, &piece, 1, &ov, SW_POLL));
    ct_fails(WSAEFAULT, sw_recv(p.a.c, &piece, 1, &ov, SW_POLL));
    ct_fails(WSAEFAULT, sw_send(p.a.c, mixed, 2, &ov, SW_NOTIFY));
    /* a registration of another socket does not count (6.2) */
    ct_ok(sw_register(a2, stranger, 4096, MEM_READWRITE, &other_sockets));
    ct_fails(WSAEFAULT, sw_send(p.a.c, &piece, 1, &ov, SW_POLL));
    /* nor does one that ends too early or starts too late */
    ct_ok(sw_register(p.a.c, stranger + 4000, 1000, MEM_READWRITE, &half));
    WSABUF tail = {64, (CHAR *)stranger + 4960}, head = {64, (CHAR *)stranger + 3980};
    ct_fails(WSAEFAULT, sw_send(p.a.c, &tail, 1, &ov, SW_POLL));
    ct_fails(WSAEFAULT, sw_send(p.a.c, &head, 1, &ov, SW_POLL));
    /* nor one that is gone */
    ct_ok(sw_deregister(p.a.c, half));
    WSABUF was = {64, (CHAR *)stranger + 4100};
    ct_fails(WSAEFAULT, sw_send(p.a.c, &was, 1, &ov, SW_POLL));
    ct_pair_works(&p);
}

static void read_only_memory_cannot_be_received_into(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED ov = {0};
    uint8_t *memory = ct_memory(f, 4096);
    HANDLE h;

    ct_pair(f, &p, 4096);
    ct_ok(sw_register(p.a.c, memory, 4096, MEM_READ, &h));
    WSABUF piece = {64, (CHAR *)memory};
    ct_one_of(sw_recv(p.a.c, &piece, 1, &ov, SW_POLL), WSAEFAULT, WSAEINVAL, WSAEACCES);
    ct_pair_works(&p);
}

/* C5: the array is the caller's again when the call returns. */
static void the_array_of_pieces_is_captured(void **state)
{
    struct fixture *f = *state;
    struct loop_config config;
    struct ct_pair p;
    WSAOVERLAPPED in = {0}, out = {0};
    WSABUF to[20], from[20];

    ct_pair(f, &p, 4096);
    if (ct.is_loop) { /* the adapter looks at the request later */
        ct.loop->get_config(&config);
        config.delivery_us = 20000;
        ct.loop->set_config(&config);
    }
    ct_fill(p.a.tx, 2000, 3);
    for (int i = 0; i < 20; i++) {
        to[i] = (WSABUF){200, (CHAR *)p.b.rx + 200 * i};
        from[i] = (WSABUF){100, (CHAR *)p.a.tx + 100 * i};
    }
    ct_ok(sw_recv(p.b.c, to, 20, &in, SW_POLL));
    memset(to, 0xFF, sizeof to);
    ct_ok(sw_send(p.a.c, from, 20, &out, SW_POLL));
    memset(from, 0xFF, sizeof from);
    ct_done(p.a.c, &out, 0);
    assert_int_equal(ct_done(p.b.c, &in, 0), 2000);
    assert_int_equal(ct_wrong_byte(p.b.rx, 2000, 3), -1);
}

static void a_thousand_messages_keep_their_order(void **state)
{
    struct fixture *f = *state;
    static WSAOVERLAPPED in[MANY], out[MANY];
    struct ct_pair p;

    memset(in, 0, sizeof in);
    memset(out, 0, sizeof out);
    ct_pair(f, &p, MANY * 16);
    for (unsigned i = 0; i < MANY; i++)
        ct_ok(ct_recv(&p.b, 16 * i, 16, &in[i], SW_POLL));
    for (unsigned i = 0; i < MANY; i++) {
        memcpy(p.a.tx + 16 * i, &i, sizeof i);
        ct_ok(ct_send(&p.a, 16 * i, 4 + i % 12, &out[i], i % 7 == 0 ? SW_NOTIFY : SW_POLL));
    }
    for (unsigned i = 0; i < MANY; i++) {
        ct_done(p.a.c, &out[i], 0);
        assert_int_equal(ct_done(p.b.c, &in[i], 0), 4 + i % 12);
        assert_memory_equal(p.b.rx + 16 * i, &i, sizeof i);
    }
}

/* Q13: far beyond the queue pair, then a clear answer; what was taken is carried out. */
static void operations_queue_up_to_a_cap_and_then_answer_WSAENOBUFS(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    enum { CAP = 500 };
    static WSAOVERLAPPED in[CAP + 100], out[CAP + 100];
    unsigned received = 0, sent = 0;
    int error;

    memset(in, 0, sizeof in);
    memset(out, 0, sizeof out);
    ct_reload(f, "WSD_QUEUE_CAP", "500", NULL);
    ct_pair(f, &p, 4096);
    while ((error = ct_recv(&p.b, 0, 64, &in[received], SW_POLL)) == 0 && received < CAP + 99)
        received++;
    ct_fails(WSAENOBUFS, error);
    assert_true(received >= CAP / 2); /* one may be kept for the provider itself, not most of them */
    ct_fails(WSAENOBUFS, ct_recv(&p.b, 0, 64, &in[received], SW_NOTIFY));
    for (; sent < received; sent++) {
        error = ct_send(&p.a, 0, 64, &out[sent], SW_POLL);
        if (error == WSAENOBUFS && sent > 0) { /* the cap holds for sends as well: let some finish */
            ct_done(p.a.c, &out[sent - 1], 0);
            error = ct_send(&p.a, 0, 64, &out[sent], SW_POLL);
        }
        ct_ok(error);
    }
    for (unsigned i = 0; i < received; i++) {
        ct_done(p.a.c, &out[i], 0);
        assert_int_equal(ct_done(p.b.c, &in[i], 0), 64);
    }
    ct_pair_works(&p);
}

static void four_thousand_operations_may_be_outstanding(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    enum { N = 4000 };
    static WSAOVERLAPPED in[N], out[N];

    memset(in, 0, sizeof in);
    memset(out, 0, sizeof out);
    ct_pair(f, &p, 65536);
    for (unsigned i = 0; i < N; i++)
        ct_ok(ct_recv(&p.b, (i * 16) % 65536, 16, &in[i], SW_POLL));
    for (unsigned i = 0; i < N; i++)
        ct_ok(ct_send(&p.a, (i * 16) % 65536, 16, &out[i], SW_POLL));
    for (unsigned i = 0; i < N; i++) {
        ct_done(p.a.c, &out[i], 0);
        assert_int_equal(ct_done(p.b.c, &in[i], 0), 16);
    }
}

static void checklist_16_data_before_a_close_arrives_before_the_reset(void **state)
{
    struct fixture *f = *state;

    for (unsigned round = 0; round < ct.rounds / 10 + 3; round++) {
        struct ct_pair p;
        WSAOVERLAPPED in[12] = {{0}}, out[10] = {{0}};
        ct_pair(f, &p, 65536);
        for (unsigned i = 0; i < 12; i++)
            ct_ok(ct_recv(&p.b, 4096 * i, 4096, &in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
        for (unsigned i = 0; i < 10; i++) {
            ct_fill(p.a.tx + 4096 * i, 1000, i);
            ct_ok(ct_send(&p.a, 4096 * i, 1000, &out[i], SW_POLL));
        }
        for (unsigned i = 0; i < 10; i++)
            ct_done(p.a.c, &out[i], 0);
        ct_close(f, p.a.c); /* at once; the last data is on its way or there */
        for (unsigned i = 0; i < 10; i++) {
            assert_int_equal(ct_done(p.b.c, &in[i], 0), 1000);
            assert_int_equal(ct_wrong_byte(p.b.rx + 4096 * i, 1000, i), -1);
        }
        for (unsigned i = 10; i < 12; i++)
            ct_done(p.b.c, &in[i], WSAECONNRESET);
        ct_close(f, p.b.c);
    }
}

/* Q37 */
static void a_message_that_does_not_fit_breaks_the_connection(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[2] = {{0}}, out = {0};

    ct_pair(f, &p, 4096);
    ct_ok(ct_recv(&p.b, 0, 100, &in[0], SW_POLL));
    ct_ok(ct_recv(&p.b, 200, 100, &in[1], SW_NOTIFY));
    ct_ok(ct_send(&p.a, 0, 101, &out, SW_POLL));
    ct_done(p.b.c, &in[0], WSAEMSGSIZE);
    ct_one_of(ct_outcome(p.b.c, &in[1]), WSAECONNABORTED, WSAECONNRESET);
    ct_one_of(ct_outcome(p.a.c, &out), WSAECONNABORTED, WSAECONNRESET, 0); /* iWARP: handed over is enough */
    assert_true(p.b.rx[100] == 0 && p.b.rx[150] == 0);                     /* nothing beyond the buffer */
    int error = 0; /* the sender hears of it in the end */
    for (const uint64_t deadline = pal_now_ns() + (uint64_t)ct.wait_ms * 1000000u;
         error == 0 && pal_now_ns() < deadline;) {
        WSAOVERLAPPED later = {0};
        error = ct_send(&p.a, 0, 10, &later, SW_POLL);
        if (error == 0)
            error = ct_outcome(p.a.c, &later);
    }
    ct_one_of(error, WSAECONNABORTED, WSAECONNRESET, WSAENOTCONN);
}

static const struct CMUnitTest send_recv_tests[] = {
    ct_test(checklist_14_one_send_is_one_receive),
    ct_test(checklist_14_zero_bytes_are_a_message_and_not_the_end),
    ct_test(a_send_of_no_pieces_is_an_empty_message),
    ct_test(every_size_around_every_limit_arrives),
    ct_test(the_largest_message_arrives_and_one_byte_more_is_refused),
    ct_test(any_number_of_pieces_makes_one_message),
    ct_test(empty_pieces_between_full_ones_are_skipped),
    ct_test(checklist_13_pieces_are_found_inside_and_across_registrations),
    ct_test(checklist_13_memory_without_registration_is_refused),
    ct_test(read_only_memory_cannot_be_received_into),
    ct_test(the_array_of_pieces_is_captured),
    ct_test(a_thousand_messages_keep_their_order),
    ct_test(operations_queue_up_to_a_cap_and_then_answer_WSAENOBUFS),
    ct_test(four_thousand_operations_may_be_outstanding),
    ct_test(checklist_16_data_before_a_close_arrives_before_the_reset),
    ct_test(a_message_that_does_not_fit_breaks_the_connection),
};
CT_GROUP(send_recv);
