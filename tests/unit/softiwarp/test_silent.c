/* test_silent.c - peers that take part in TCP and say nothing, or half of what is due: every attempt ends in bounded time
 * with the status that says so, whoever gives one up need not wait, and nobody else is kept waiting.
 * Ports are plain, so that raw TCP sockets of the test can stand where a peer is expected. WSD_SOFTIWARP_DEAD_MS is 3000.
 * With --own-network: what needs the network that ../../support/own_network.sh makes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/resource.h>

#include "alone.h"
#include "pal/time.h"
#include "softiwarp/mpa.h"

#define FULL_NS                                                                                              \
    300000000u /* loopback answers in microseconds: who waits so long stands before a full queue */

/* A port whose queue of connections is full: who connects now gets no answer from TCP itself. */
static uint16_t black_hole(void)
{
    uint16_t port;
    (void)raw_listen(1, &port);
    while (is_connected_within(raw_connect(port), FULL_NS)) {
    }
    return port;
}

/* ---- connecting to nobody ---- */

static void a_port_that_does_not_answer_is_given_up_in_time(void **state)
{
    struct end e;
    struct vb_cm_event ev;
    (void)state;
    start_connect(&e, black_hole(), 200);
    expect(&ev, &e, VB_CM_FAILED, VB_E_TIMEOUT);
    expect_silence();
    drop(&e);
}

static void a_peer_that_accepts_tcp_and_says_nothing_is_given_up(void **state)
{
    struct end e;
    struct vb_cm_event ev;
    uint16_t port;
    (void)state;
    (void)raw_listen(8, &port);
    start_connect(&e, port, 200);
    expect(&ev, &e, VB_CM_FAILED, VB_E_TIMEOUT);
    expect_silence();
    drop(&e);
}

static void a_peer_that_stops_in_the_middle_of_its_reply_is_given_up(void **state)
{
    const struct mpa_hello h = {.is_reply = true, .revision = 2, .data_bytes = 16};
    static const uint8_t data[16];
    uint8_t frame[MPA_HELLO_MAX];
    struct vb_cm_event ev;
    (void)state;
    const size_t all = mpa_hello_encode(&h, data, frame);
    const size_t cuts[] = {1, MPA_FIXED_BYTES - 1, MPA_FIXED_BYTES, all - 1};
    struct end e[sizeof cuts / sizeof *cuts];
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        uint16_t port;
        const pal_socket l = raw_listen(8, &port);
        start_connect(&e[i], port, 200);
        raw_send(raw_accept(l), frame, cuts[i]);
    }
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        expect(&ev, NULL, VB_CM_FAILED, VB_E_TIMEOUT);
    expect_silence();
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        drop(&e[i]);
}

/* Both ways, at each stage; a call that waited for the peer would wait for ever. */
static void whoever_gives_an_attempt_up_need_not_wait(void **state)
{
    uint16_t port, hole = black_hole();
    (void)state;
    (void)raw_listen(8, &port);
    for (unsigned i = 0; i < 4; i++) {
        struct end e;
        const bool reaches_tcp = i % 2 != 0;
        start_connect(&e, reaches_tcp ? port : hole, 60000);
        expect_silence();
        if (i < 2) {
            drop(&e);
        } else {
            vb_conn_disconnect(e.conn);
            drop(&e);
        }
        expect_silence();
    }
}

/* ---- being connected to by nobody ---- */

static size_t request(uint8_t frame[MPA_HELLO_MAX])
{
    const struct mpa_hello h = {.revision = 2,
                                .is_enhanced = true,
                                .is_peer_to_peer = true,
                                .rtr_write = true,
                                .ird = 1,
                                .ord = 1,
                                .data_bytes = 16};
    static const uint8_t data[16];
    return mpa_hello_encode(&h, data, frame);
}

static void is_served(const struct vb_listener *l)
{
    struct vb_addr at;
    struct vb_cm_event ev;
    struct end a, b = {0};
    const struct vb_conn_params p = params(5000);
    vb_listener_addr(l, &at);
    start_connect(&a, at.port, 5000);
    expect(&ev, NULL, VB_CM_REQUEST, VB_OK);
    b.conn = ev.conn;
    give_qp(&b);
    assert_ok(vb_conn_accept(b.conn, &p));
    expect(&ev, NULL, VB_CM_ESTABLISHED, VB_OK);
    expect(&ev, NULL, VB_CM_ESTABLISHED, VB_OK);
    drop(&a);
    drop(&b);
}

static struct vb_listener *listen_here(uint16_t *port)
{
    struct vb_listener *l;
    struct vb_addr at;
    assert_ok(vb_listen(me.cm, &me.here, 64, NULL, &l));
    vb_listener_addr(l, &at);
    *port = at.port;
    return l;
}

/* Each of them stays where it stopped; the listener serves others meanwhile, and drops them in the end. */
static void half_a_request_holds_up_nobody_and_is_dropped(void **state)
{
    uint8_t frame[MPA_HELLO_MAX];
    pal_socket half[40];
    uint16_t port;
    struct vb_cm_event ev;
    (void)state;
    const size_t all = request(frame);
    struct vb_listener *l = listen_here(&port);
    for (size_t i = 0; i < 40; i++) {
        half[i] = raw_connect(port);
        assert_true(is_connected_within(half[i], DEADLINE_NS));
        raw_send(half[i], frame, 1 + i % (all - 1));
    }
    is_served(l);
    for (size_t i = 0; i < 40; i++) {
        const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
        uint8_t byte;
        const struct pal_iov iov = {&byte, 1};
        size_t got;
        enum pal_net st;
        while ((st = pal_socket_recv(half[i], &iov, 1, &got)) == PAL_NET_AGAIN) {
            assert_false(next_event(&ev, 1000000)); /* nobody hears of them */
            assert_true(pal_now_ns() < deadline);
        }
        assert_true(st == PAL_NET_EOF || st == PAL_NET_RESET);
    }
    is_served(l);
    vb_listener_destroy(l);
}

/* RFC 6581 5: what was accepted stands only when the peer's first FPDU is there. */
static void a_peer_that_never_confirms_is_given_up(void **state)
{
    uint8_t frame[MPA_HELLO_MAX];
    struct end e = {0};
    struct vb_cm_event ev;
    uint16_t port;
    const struct vb_conn_params p = params(200);
    (void)state;
    struct vb_listener *l = listen_here(&port);
    const pal_socket s = raw_connect(port);
    assert_true(is_connected_within(s, DEADLINE_NS));
    raw_send(s, frame, request(frame));
    expect(&ev, NULL, VB_CM_REQUEST, VB_OK);
    e.conn = ev.conn;
    give_qp(&e);
    assert_ok(vb_conn_accept(e.conn, &p));
    expect(&ev, &e, VB_CM_FAILED, VB_E_TIMEOUT);
    is_served(l);
    drop(&e);
    vb_listener_destroy(l);
}

/* ---- no file for one more ---- */

/* The connection waits in TCP, whose listener stays ready: that must not keep the thread of the cm running. */
static void a_listener_without_files_waits_and_serves_when_there_are_some(void **state)
{
    struct rlimit before, none;
    struct vb_cm_event ev;
    uint8_t frame[MPA_HELLO_MAX];
    unsigned turns = 0;
    uint16_t port;
    (void)state;
    struct vb_listener *l = listen_here(&port);
    const pal_socket s = raw_connect(port);
    assert_true(is_connected_within(s, DEADLINE_NS));
    raw_send(s, frame, request(frame));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3; /* all that are there are open already */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const pal_waitable w = vb_cm_waitable(me.cm);
    for (const uint64_t end = pal_now_ns() + 1000000000; pal_now_ns() < end; turns++) {
        assert_true(vb_cm_poll(me.cm, &ev) == VB_E_AGAIN);
        (void)pal_wait(&w, 1, 100);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    print_message("           %u turns in a second\n", turns);
    assert_true(turns < 200); /* it looks ten times a second; unbounded, there would be a hundred thousand */
    expect(&ev, NULL, VB_CM_REQUEST, VB_OK);
    assert_ok(vb_conn_reject(ev.conn, NULL, 0));
    vb_conn_destroy(ev.conn);
    is_served(l);
    vb_listener_destroy(l);
}

/* ---- in a network of its own ---- */

static void addresses_that_cannot_be_reached_are_given_up_in_time(void **state)
{
    static const struct {
        const char *to;
        vb_status_t one, other;
    } rows[] = {
        {"10.77.9.2:4711", VB_E_TIMEOUT, VB_E_TIMEOUT}, /* what is sent there is lost */
        {"10.77.9.3:4711", VB_E_TIMEOUT, VB_E_UNREACH}, /* nobody answers ARP, where there is such a thing */
        {"10.77.10.1:4711", VB_E_UNREACH, VB_E_UNREACH}, {"10.77.11.1:4711", VB_E_UNREACH, VB_E_DENIED},
        {"192.0.2.1:4711", VB_E_UNREACH, VB_E_UNREACH},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct end e;
        struct vb_addr to;
        struct vb_cm_event ev;
        assert_true(vb_addr_parse(rows[i].to, &to));
        start_connect_to(&e, &to, 300);
        assert_true(next_event(&ev, DEADLINE_NS));
        print_message("           %s: %s\n", rows[i].to, vb_status_name(ev.status));
        assert_ptr_equal(ev.conn, e.conn);
        assert_int_equal(ev.kind, VB_CM_FAILED);
        assert_true(ev.status == rows[i].one || ev.status == rows[i].other);
        expect_silence();
        drop(&e);
    }
}

static void an_attempt_that_gets_no_answer_can_be_given_up_at_once(void **state)
{
    struct end e;
    struct vb_addr to;
    (void)state;
    assert_true(vb_addr_parse("10.77.9.2:4711", &to));
    start_connect_to(&e, &to, 60000);
    expect_silence();
    drop(&e);
    expect_silence();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_port_that_does_not_answer_is_given_up_in_time),
        TEST(a_peer_that_accepts_tcp_and_says_nothing_is_given_up),
        TEST(a_peer_that_stops_in_the_middle_of_its_reply_is_given_up),
        TEST(whoever_gives_an_attempt_up_need_not_wait),
        TEST(half_a_request_holds_up_nobody_and_is_dropped),
        TEST(a_peer_that_never_confirms_is_given_up),
        TEST(a_listener_without_files_waits_and_serves_when_there_are_some),
    };
    const struct CMUnitTest own_network[] = {
        TEST(addresses_that_cannot_be_reached_are_given_up_in_time),
        TEST(an_attempt_that_gets_no_answer_can_be_given_up_at_once),
    };
    setenv("WSD_SOFTIWARP_PORTS", "plain", 1);
    setenv("WSD_SOFTIWARP_DEAD_MS", "3000", 1);
    if (argc == 2 && strcmp(argv[1], "--own-network") == 0) {
        alone_address = "10.77.9.1";
        return cmocka_run_group_tests_name("silent", own_network, NULL, NULL);
    }
    return cmocka_run_group_tests_name("silent", tests, NULL, NULL);
}
