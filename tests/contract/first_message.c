/* first_message.c - the race between the connector's first message and the acceptor's first receive.
 * Source: contract 8.5; checklist 9; 14.3; peers.md W8. One private receive of 256 bytes for each accepted socket. */
#include "ct.h"

enum { FIRST_MAX = 256 };

static uint64_t waits_for_receives(void)
{
    struct loop_counts counts;

    ct.loop->get_counts(&counts);
    return counts.recv_waits;
}

/* Connected, registered, nothing sent yet. */
static void open_quietly(struct fixture *f, struct ct_pair *p, DWORD bytes)
{
    struct sw_companion *a, *b;

    ct_connect(f, &a, &b);
    ct_end_init(f, &p->a, a, bytes);
    ct_end_init(f, &p->b, b, bytes);
}

static void checklist_09_a_message_before_the_first_receive_is_kept(void **state)
{
    static const DWORD sizes[] = {16, 0, 1, 255, FIRST_MAX};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct ct_pair p;
        WSAOVERLAPPED in = {0}, out = {0};
        open_quietly(f, &p, 4096);
        ct_fill(p.a.tx, sizes[i], (uint32_t)i);
        ct_ok(ct_send(&p.a, 0, sizes[i], &out, SW_POLL));
        ct_done(p.a.c, &out, 0); /* it is over there before anybody asks for it */
        ct_ok(ct_recv(&p.b, 0, 4096, &in, i % 2 == 0 ? SW_POLL : SW_NOTIFY));
        assert_int_equal(ct_done(p.b.c, &in, 0), sizes[i]);
        assert_int_equal(ct_wrong_byte(p.b.rx, sizes[i], (uint32_t)i), -1);
        ct_pair_works(&p);
        ct_close(f, p.a.c);
        ct_close(f, p.b.c);
    }
}

/* Kept by the provider, not by the wire: the sender's adapter never had to wait. */
static void w08_the_first_message_finds_a_private_receive(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0}, out = {0};

    ct_needs_loop();
    uint64_t before = waits_for_receives();
    open_quietly(f, &p, 4096);
    ct_ok(ct_send(&p.a, 0, 200, &out, SW_POLL));
    ct_done(p.a.c, &out, 0);
    assert_int_equal(waits_for_receives(), before);
    ct_ok(ct_recv(&p.b, 0, 4096, &in, SW_POLL));
    assert_int_equal(ct_done(p.b.c, &in, 0), 200);
}

/* iWARP: a message that finds no receive kills the connection there. */
static void w08_an_adapter_without_flow_control_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct loop_config config;

    ct_needs_loop();
    ct.loop->get_config(&config);
    ct.loop->config_iwarp(&config);
    ct.loop->set_config(&config);
    ct_reload(f, NULL);
    for (int i = 0; i < 20; i++) {
        struct ct_pair p;
        WSAOVERLAPPED in = {0}, out = {0};
        open_quietly(f, &p, 4096);
        ct_ok(ct_send(&p.a, 0, FIRST_MAX, &out, SW_NOTIFY));
        ct_done(p.a.c, &out, 0);
        ct_ok(ct_recv(&p.b, 0, 4096, &in, SW_POLL));
        assert_int_equal(ct_done(p.b.c, &in, 0), FIRST_MAX);
        ct_pair_works(&p);
        ct_close(f, p.a.c);
        ct_close(f, p.b.c);
    }
}

/* 8.5 (2): the first receive belongs to the private buffer even when nothing has come yet. */
static void checklist_09_receives_posted_before_the_first_message_fill_in_order(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[5] = {{0}}, out[5] = {{0}};

    open_quietly(f, &p, 8192);
    for (DWORD i = 0; i < 5; i++)
        ct_ok(ct_recv(&p.b, 1000 * i, 1000, &in[i], i % 2 == 0 ? SW_NOTIFY : SW_POLL));
    for (DWORD i = 0; i < 5; i++) {
        ct_fill(p.a.tx + 300 * i, 200 + i, i);
        ct_ok(ct_send(&p.a, 300 * i, 200 + i, &out[i], SW_POLL));
    }
    for (DWORD i = 0; i < 5; i++) {
        assert_int_equal(ct_done(p.b.c, &in[i], 0), 200 + i);
        assert_int_equal(ct_wrong_byte(p.b.rx + 1000 * i, 200 + i, i), -1);
        ct_done(p.a.c, &out[i], 0);
    }
}

static void the_first_message_may_be_scattered(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0}, out = {0};
    WSABUF pieces[40];

    open_quietly(f, &p, 4096);
    ct_fill(p.a.tx, FIRST_MAX, 44);
    ct_ok(ct_send(&p.a, 0, FIRST_MAX, &out, SW_POLL));
    ct_done(p.a.c, &out, 0);
    for (int i = 0; i < 40; i++)
        pieces[i] = (WSABUF){7, (CHAR *)p.b.rx + 7 * i};
    ct_ok(sw_recv(p.b.c, pieces, 40, &in, SW_POLL));
    assert_int_equal(ct_done(p.b.c, &in, 0), FIRST_MAX);
    assert_int_equal(ct_wrong_byte(p.b.rx, FIRST_MAX, 44), -1);
}

static void late(struct fixture *f, uint32_t delay_ms)
{
    struct ct_pair p;
    WSAOVERLAPPED in = {0}, out = {0};

    open_quietly(f, &p, 4096);
    ct_fill(p.a.tx, 100, 5);
    ct_ok(ct_send(&p.a, 0, 100, &out, SW_NOTIFY));
    ct_fails(WSAETIMEDOUT, sw_event_wait(ct_event(f, true), delay_ms)); /* the switch is busy elsewhere */
    ct_ok(ct_recv(&p.b, 0, 4096, &in, SW_NOTIFY));
    assert_int_equal(ct_done(p.b.c, &in, 0), 100);
    assert_int_equal(ct_wrong_byte(p.b.rx, 100, 5), -1);
    ct_done(p.a.c, &out, 0);
    ct_pair_works(&p);
}

static void an_acceptor_three_seconds_late_is_waited_for_with_private_receives(void **state)
{
    late(*state, ct.is_loop ? 300 : 3000);
}

/* Its completion lies in the queue while nobody looks, and arming a queue says nothing about what is in it. */
static void a_first_message_that_nobody_has_looked_for_ends_a_notified_receive(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0}, out = {0};

    open_quietly(f, &p, 4096);
    ct_fill(p.a.tx, 100, 5);
    ct_ok(ct_send(&p.a, 0, 100, &out, SW_POLL)); /* not asked for until the receive is over */
    ct_fails(WSAETIMEDOUT, sw_event_wait(ct_event(f, true), 1000));
    ct_ok(ct_recv(&p.b, 0, 4096, &in, SW_NOTIFY));
    assert_int_equal(ct_done(p.b.c, &in, 0), 100);
    assert_int_equal(ct_wrong_byte(p.b.rx, 100, 5), -1);
    ct_done(p.a.c, &out, 0);
}

/* RNR retries alone carry it on adapters that have them. */
static void an_acceptor_three_seconds_late_is_waited_for_by_the_wire_alone(void **state)
{
    struct fixture *f = *state;

    ct_needs_flow_control();
    ct_reload(f, "WSD_PRIVATE_RECEIVES", "0", NULL);
    late(f, ct.is_loop ? 300 : 3000);
}

static void more_private_receives_change_nothing_that_is_seen(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[6] = {{0}}, out[6] = {{0}};

    ct_reload(f, "WSD_PRIVATE_RECEIVES", "4", NULL);
    open_quietly(f, &p, 8192);
    for (DWORD i = 0; i < 2; i++) { /* two arrive early, the others find receives */
        ct_fill(p.a.tx + 300 * i, 100 + i, i);
        ct_ok(ct_send(&p.a, 300 * i, 100 + i, &out[i], SW_POLL));
        ct_done(p.a.c, &out[i], 0);
    }
    for (DWORD i = 0; i < 6; i++)
        ct_ok(ct_recv(&p.b, 1000 * i, 1000, &in[i], i % 2 == 0 ? SW_NOTIFY : SW_POLL));
    for (DWORD i = 2; i < 6; i++) {
        ct_fill(p.a.tx + 300 * i, 100 + i, i);
        ct_ok(ct_send(&p.a, 300 * i, 100 + i, &out[i], SW_POLL));
        ct_done(p.a.c, &out[i], 0);
    }
    for (DWORD i = 0; i < 6; i++) {
        assert_int_equal(ct_done(p.b.c, &in[i], 0), 100 + i);
        assert_int_equal(ct_wrong_byte(p.b.rx + 1000 * i, 100 + i, i), -1);
    }
}

static void the_first_message_survives_the_end_of_the_connection(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in[2] = {{0}}, out = {0};

    open_quietly(f, &p, 4096);
    ct_fill(p.a.tx, 50, 6);
    ct_ok(ct_send(&p.a, 0, 50, &out, SW_POLL));
    ct_done(p.a.c, &out, 0);
    ct_close(f, p.a.c);
    ct_ok(ct_recv(&p.b, 0, 4096, &in[0], SW_POLL));
    assert_int_equal(ct_done(p.b.c, &in[0], 0), 50);
    assert_int_equal(ct_wrong_byte(p.b.rx, 50, 6), -1);
    ct_sees_reset(&p.b);
}

static void a_first_receive_that_is_too_small_ends_with_WSAEMSGSIZE(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAOVERLAPPED in = {0}, out = {0};

    open_quietly(f, &p, 4096);
    memset(p.b.rx, 0x5A, 4096);
    ct_ok(ct_send(&p.a, 0, 100, &out, SW_POLL));
    ct_ok(ct_recv(&p.b, 0, 99, &in, SW_POLL));
    ct_done(p.b.c, &in, WSAEMSGSIZE);
    assert_int_equal(p.b.rx[99], 0x5A);
    (void)ct_outcome(p.a.c, &out); /* it may have been delivered into the private buffer already */
    ct_sees_reset(&p.a);
}

/* A switch that breaks the 256-byte rule harms its own connection, nobody else. */
static void a_first_message_beyond_256_bytes_harms_only_its_own_connection(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p, other;
    WSAOVERLAPPED in = {0}, out = {0};

    ct_pair(f, &other, 4096);
    open_quietly(f, &p, 4096);
    ct_fill(p.a.tx, 1000, 3);
    ct_ok(ct_recv(&p.b, 0, 4096, &in, SW_POLL));
    ct_ok(ct_send(&p.a, 0, 1000, &out, SW_POLL));
    int error = ct_outcome(p.b.c, &in);
    ct_one_of(error, 0, WSAEMSGSIZE, WSAECONNABORTED, WSAECONNRESET);
    if (error == 0)
        assert_int_equal(ct_wrong_byte(p.b.rx, 1000, 3), -1);
    (void)ct_outcome(p.a.c, &out);
    ct_pair_works(&other);
}

static void an_accepted_socket_closed_before_its_first_receive_leaks_nothing(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 20; i++) {
        struct ct_pair p;
        WSAOVERLAPPED out = {0};
        open_quietly(f, &p, 4096);
        if (i % 2 == 0) {
            ct_ok(ct_send(&p.a, 0, 100, &out, SW_POLL));
            ct_done(p.a.c, &out, 0);
        }
        ct_close(f, p.b.c);
        ct_close(f, p.a.c);
    }
}

struct negotiator {
    struct sw_companion *c;
    bool is_connector;
    struct sw_hello mine, peer;
    int result;
};

static void negotiate(struct ct_thread *t)
{
    struct negotiator *n = t->arg;

    n->result = sw_negotiate(n->c, n->is_connector, &n->mine, NULL, NULL, ct.wait_ms, &n->peer);
}

/* The whole exchange of 8.3 and 8.4 as the shim does it, with a hello of full length. */
static void the_negotiation_of_the_switch_works(void **state)
{
    struct fixture *f = *state;
    static struct negotiator n[2];
    struct ct_thread *t[2];

    memset(n, 0, sizeof n);
    ct_connect(f, &n[0].c, &n[1].c);
    for (int i = 0; i < 2; i++) {
        n[i].is_connector = i == 0;
        n[i].mine.receive_bytes = 4096;
        n[i].mine.user_bytes = SW_HELLO_USER_MAX;
        ct_fill(n[i].mine.user, SW_HELLO_USER_MAX, (uint32_t)i);
    }
    for (int i = 0; i < 2; i++)
        t[i] = ct_start(f, negotiate, &n[i]);
    for (int i = 0; i < 2; i++) {
        ct_join(t[i]);
        ct_ok(n[i].result);
        assert_int_equal(n[i].peer.user_bytes, SW_HELLO_USER_MAX);
        assert_int_equal(ct_wrong_byte(n[i].peer.user, SW_HELLO_USER_MAX, (uint32_t)(1 - i)), -1);
        assert_int_equal(n[i].peer.has_rdma_read, n[1 - i].c->ext->rdma_read != NULL);
    }
}

static const struct CMUnitTest first_message_tests[] = {
    ct_test(checklist_09_a_message_before_the_first_receive_is_kept),
    ct_test(w08_the_first_message_finds_a_private_receive),
    ct_test(w08_an_adapter_without_flow_control_loses_nothing),
    ct_test(checklist_09_receives_posted_before_the_first_message_fill_in_order),
    ct_test(the_first_message_may_be_scattered),
    ct_test(an_acceptor_three_seconds_late_is_waited_for_with_private_receives),
    ct_test(a_first_message_that_nobody_has_looked_for_ends_a_notified_receive),
    ct_test(an_acceptor_three_seconds_late_is_waited_for_by_the_wire_alone),
    ct_test(more_private_receives_change_nothing_that_is_seen),
    ct_test(the_first_message_survives_the_end_of_the_connection),
    ct_test(a_first_receive_that_is_too_small_ends_with_WSAEMSGSIZE),
    ct_test(a_first_message_beyond_256_bytes_harms_only_its_own_connection),
    ct_test(an_accepted_socket_closed_before_its_first_receive_leaks_nothing),
    ct_test(the_negotiation_of_the_switch_works),
};
CT_GROUP(first_message);
