/* test_peer.c - the peer is another process, and it is killed or stopped in the middle of things: what is pending comes back in
 * bounded time with the status that says so, and a peer that only slept has lost nothing when it goes on.
 * Buffers of TCP are small, so that they are full soon. WSD_SOFTIWARP_DEAD_MS is 1000 where a peer shall be given up, else as it is:
 * a busy machine is no dead peer.
 * With --own-network: what needs the network that ../../support/own_network.sh makes. */
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

/* The end was noticed; then everything that was out is back. Receives come back when their owner stops. */
static void expect_end(vb_status_t of_sends)
{
    until(me.is_disconnected);
    vb_qp_stop(me.qp);
    until(me.sends_over == me.sends && me.receives_over == me.receives);
    if (me.first_failure[0] != of_sends && me.first_failure[0] != VB_OK)
        fail_msg("requests failed with %s, expected %s", vb_status_name(me.first_failure[0]),
                 vb_status_name(of_sends));
    assert_true(me.first_failure[1] == VB_OK || me.first_failure[1] == VB_E_FLUSHED);
}

/* ---- killed ---- */

static const struct {
    const char *what;
    char of_peer;
    enum vb_wr_op ours;
    bool has_ours, receives;
} kills[] = {
    {"it sends", 's', VB_WR_SEND, false, true},         {"we send, it takes", 'v', VB_WR_SEND, true, true},
    {"we send, it waits", 'n', VB_WR_SEND, true, true}, {"it writes", 'w', VB_WR_SEND, false, true},
    {"we write", 'n', VB_WR_WRITE, true, true},         {"it reads", 'r', VB_WR_SEND, false, true},
    {"we read", 'n', VB_WR_READ, true, true},           {"both send", 's', VB_WR_SEND, true, true},
    {"both write", 'w', VB_WR_WRITE, true, true},       {"both read", 'r', VB_WR_READ, true, true},
};

static void run_kill(size_t i, bool is_stopped_first)
{
    const uint64_t run_ns = 30000000;
    print_message("           %s%s\n", kills[i].what, is_stopped_first ? ", stopped first" : "");
    me.arrived = check_arrived; /* what comes is whole, to the end */
    me.keeps_receives = true;
    for (unsigned n = 0; n < DEPTH; n++)
        post_receive();
    order(kills[i].of_peer, 0);
    for (const uint64_t end = pal_now_ns() + run_ns; pal_now_ns() < end;) {
        while (kills[i].has_ours && post(kills[i].ours)) {
        }
        (void)turn();
    }
    if (is_stopped_first) {
        stop_peer();
        while (kills[i].has_ours && post(kills[i].ours)) {
        }
        until_quiet();
        while (kills[i].has_ours && post(kills[i].ours)) {
        }
        assert_true(!kills[i].has_ours || me.sends > me.sends_over); /* in the middle of it, for sure */
    }
    kill_peer();
    me.keeps_receives = false;
    expect_end(VB_E_FLUSHED);
}

static void a_killed_peer_fails_what_is_pending_whatever_that_is(void **state)
{
    for (size_t i = 0; i < 2 * sizeof kills / sizeof *kills; i++) {
        run_kill(i / 2, i % 2 != 0);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

/* ---- stopped for a while ---- */

static void sends_wait_for_a_stopped_peer_and_all_arrive(void **state)
{
    (void)state;
    order('v', 3 * DEPTH);
    stop_peer();
    while (post(VB_WR_SEND)) {
    }
    until_quiet();
    assert_true(me.sends_over < DEPTH); /* TCP's buffers are full */
    wake_peer();
    while (me.sends < (uint64_t)3 * DEPTH)
        until(post(VB_WR_SEND));
    until(me.sends_over == me.sends);
    peer_is_done();
    assert_false(me.is_disconnected);
}

static void writes_wait_for_a_stopped_peer_and_all_are_in_place(void **state)
{
    (void)state;
    stop_peer();
    while (post(VB_WR_WRITE)) {
    }
    until_quiet();
    assert_true(me.sends_over < DEPTH);
    order('v', 1); /* the message behind them says that they are there */
    order('m', DEPTH);
    wake_peer();
    until(post(VB_WR_SEND));
    until(me.sends_over == me.sends);
    assert_int_equal(me.first_failure[0], VB_OK);
    kill_peer(); /* its check of the message fails, which is another one's */
}

static void reads_wait_for_a_stopped_peer_and_fetch_all(void **state)
{
    (void)state;
    order('n', 0);
    stop_peer();
    while (post(VB_WR_READ)) {
    }
    until_quiet();
    assert_int_equal(me.sends_over, 0);
    wake_peer();
    until(me.sends_over == DEPTH);
    for (uint64_t i = 0; i < DEPTH; i++)
        check(in_chunk(i), i, CHUNK);
}

/* Ours sleeps as well: it takes nothing off the stream until it looks again. */
static void what_a_peer_sent_before_it_was_stopped_arrives(void **state)
{
    (void)state;
    order('f', DEPTH / 2);
    pal_sleep_ms(50);
    stop_peer();
    me.arrived = check_arrived;
    for (unsigned i = 0; i < DEPTH; i++)
        post_receive();
    until_quiet();
    assert_true(me.receives_over < DEPTH / 2);
    wake_peer();
    until(me.receives_over == DEPTH / 2);
}

/* ---- stopped for too long ---- */

static void sends_to_a_peer_that_takes_nothing_fail_in_the_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DEPTH; i++)
        post_receive();
    stop_peer();
    while (post(VB_WR_SEND)) {
    }
    expect_end(VB_E_RETRY);
    assert_int_equal(me.first_failure[0], VB_E_RETRY);
}

static void writes_and_reads_behind_them_fail_too(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DEPTH; i++)
        post_receive();
    stop_peer();
    while (post(me.sends < DEPTH / 2 ? VB_WR_WRITE : VB_WR_READ)) {
    }
    expect_end(VB_E_RETRY);
    assert_int_equal(me.first_failure[0], VB_E_RETRY);
}

/* The peer's TCP has acknowledged the request: nobody but us can know that it is not answered. */
static void a_read_that_is_not_answered_fails_in_the_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DEPTH; i++)
        post_receive();
    stop_peer();
    assert_true(post(VB_WR_READ));
    expect_end(VB_E_RETRY);
    assert_int_equal(me.first_failure[0], VB_E_RETRY);
}

/* TCP answers for it, and it owes us nothing. */
static void a_connection_where_nothing_is_due_outlives_any_stop(void **state)
{
    (void)state;
    order('v', 2);
    stop_peer();
    assert_true(post_some(VB_WR_SEND, SMALL));
    for (const uint64_t end = pal_now_ns() + 3000000000ull; pal_now_ns() < end;) {
        (void)turn();
        pal_sleep_ms(1);
    }
    assert_false(me.is_disconnected);
    wake_peer();
    until(post_some(VB_WR_SEND, SMALL));
    peer_is_done();
    until(me.sends_over == me.sends);
    assert_int_equal(me.first_failure[0], VB_OK);
}

/* ---- awake, but it posts no receive ---- */

static void a_receiver_that_never_posts_is_given_up_in_the_end(void **state)
{
    (void)state;
    order('n', 0);
    while (post(VB_WR_SEND)) {
    }
    expect_end(VB_E_RETRY);
    assert_int_equal(me.first_failure[0], VB_E_RETRY);
}

/* Its TCP cannot tell it while it takes nothing: its own time does. */
static void a_receiver_that_never_posts_hears_that_the_sender_has_closed(void **state)
{
    (void)state;
    order('f', DEPTH); /* this side is the receiver */
    until_quiet();
    kill_peer();
    until(me.is_disconnected);
    vb_qp_stop(me.qp);
}

static void a_message_that_waits_for_a_receive_is_not_given_up(void **state)
{
    (void)state;
    order('n', 3000);
    assert_true(post_some(VB_WR_SEND, SMALL));
    assert_true(post_some(VB_WR_SEND, SMALL));
    peer_is_done();
    order('v', 2);
    peer_is_done();
    until(me.sends_over == me.sends);
}

/* ---- both listen on one port ---- */

/* One more connection to the port that both have. True: the listener of this process was asked, which must be so when it is all
 * that there is. */
static bool comes_to_me(bool has_port_alone)
{
    struct vb_conn *const first = me.conn, *again;
    struct vb_qp_caps caps = {.send_wr = 1, .recv_wr = 1, .send_sge = 1, .recv_sge = 1};
    struct vb_addr here = peer.at;
    struct vb_qp *qp;
    const struct vb_conn_params p = params();
    here.port = 0;
    assert_int_equal(vb_conn_create(me.cm, &here, NULL, &again), VB_OK);
    assert_int_equal(vb_qp_create(me.pd, me.send_cq, me.recv_cq, &caps, NULL, &qp), VB_OK);
    assert_int_equal(vb_conn_bind_qp(again, qp), VB_OK);
    assert_int_equal(vb_conn_connect(again, &peer.at, &p), VB_OK);
    if (has_port_alone)
        until(me.conn != first);
    until_quiet();
    const bool is_mine = me.conn != first;
    if (is_mine)
        vb_conn_destroy(me.conn);
    me.conn = first;
    vb_qp_destroy(qp);
    vb_conn_destroy(again);
    until_quiet();
    return is_mine;
}

/* TCP decides who owns a port (contract 4.4, 4.5). When it lets two have it, the one that listened first is asked, as Winsock does
 * with SO_REUSEADDR, and the other one when that is gone. */
static void of_two_that_serve_one_port_the_first_is_asked_and_then_the_other(void **state)
{
    (void)state;
    order('n', 0);
    assert_int_equal(vb_listen(me.cm, &peer.at, 4, NULL, &me.listener), VB_OK);
    assert_false(comes_to_me(false));
    kill_peer();
    until(me.is_disconnected);
    assert_true(comes_to_me(true));
}

/* Where the service sits on the port itself, TCP says that it is taken: SO_REUSEADDR does not share it with one that listens, and
 * connections that are still closing do not keep it (tcp(7), socket(7)). */
static void a_plain_port_is_in_use_while_another_process_listens(void **state)
{
    struct vb_addr any = peer.at;
    (void)state;
    memset(any.ip, 0, sizeof any.ip);
    assert_int_equal(vb_listen(me.cm, &peer.at, 4, NULL, &me.listener), VB_E_ADDRINUSE);
    assert_int_equal(vb_listen(me.cm, &any, 4, NULL, &me.listener), VB_E_ADDRINUSE);
    kill_peer();
    until(me.is_disconnected);
    assert_int_equal(vb_listen(me.cm, &peer.at, 4, NULL, &me.listener), VB_OK);
}

static int setup_plain(void **state)
{
    setenv("WSD_SOFTIWARP_PORTS", "plain", 1);
    return setup(state);
}

static int teardown_plain(void **state)
{
    unsetenv("WSD_SOFTIWARP_PORTS");
    return teardown(state);
}

/* ---- the wire is cut, in a network of its own ---- */

static void set_wire(bool is_whole)
{
    struct ifreq r = {.ifr_name = "lo"};
    const int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(s >= 0 && ioctl(s, SIOCGIFFLAGS, &r) == 0);
    r.ifr_flags = (short)(is_whole ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
    assert_int_equal(ioctl(s, SIOCSIFFLAGS, &r), 0);
    close(s);
}

static int teardown_wire(void **state)
{
    set_wire(true);
    return teardown(state);
}

static void a_cut_wire_fails_what_is_pending(void **state)
{
    (void)state;
    order('n', 0);
    for (unsigned i = 0; i < DEPTH; i++)
        post_receive();
    set_wire(false);
    while (post(me.sends % 2 ? VB_WR_READ : VB_WR_WRITE)) {
    }
    expect_end(VB_E_RETRY);
    assert_int_equal(me.first_failure[0], VB_E_RETRY);
}

static void a_cut_wire_is_noticed_while_nothing_is_due(void **state)
{
    (void)state;
    order('n', 0);
    for (unsigned i = 0; i < DEPTH; i++)
        post_receive();
    set_wire(false);
    expect_end(VB_OK);
}

static void a_wire_that_is_mended_in_time_has_lost_nothing(void **state)
{
    (void)state;
    order('v', DEPTH);
    set_wire(false);
    while (post(VB_WR_SEND)) {
    }
    until_quiet();
    assert_true(me.sends_over < DEPTH);
    set_wire(true);
    peer_is_done();
    until(me.sends_over == me.sends);
    assert_int_equal(me.first_failure[0], VB_OK);
}

#define TEST(f)       cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_HASTY(f) cmocka_unit_test_setup_teardown(f, setup_hasty, teardown)
#define TEST_CUT(f)   cmocka_unit_test_setup_teardown(f, setup_hasty, teardown_wire)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_killed_peer_fails_what_is_pending_whatever_that_is),
        TEST(sends_wait_for_a_stopped_peer_and_all_arrive),
        TEST(writes_wait_for_a_stopped_peer_and_all_are_in_place),
        TEST(reads_wait_for_a_stopped_peer_and_fetch_all),
        TEST(what_a_peer_sent_before_it_was_stopped_arrives),
        TEST_HASTY(sends_to_a_peer_that_takes_nothing_fail_in_the_end),
        TEST_HASTY(writes_and_reads_behind_them_fail_too),
        TEST_HASTY(a_read_that_is_not_answered_fails_in_the_end),
        TEST_HASTY(a_connection_where_nothing_is_due_outlives_any_stop),
        TEST_HASTY(a_receiver_that_never_posts_is_given_up_in_the_end),
        TEST_HASTY(a_receiver_that_never_posts_hears_that_the_sender_has_closed),
        TEST_HASTY(a_message_that_waits_for_a_receive_is_not_given_up),
        TEST(of_two_that_serve_one_port_the_first_is_asked_and_then_the_other),
        cmocka_unit_test_setup_teardown(a_plain_port_is_in_use_while_another_process_listens, setup_plain,
                                        teardown_plain),
    };
    const struct CMUnitTest own_network[] = {
        TEST_CUT(a_cut_wire_fails_what_is_pending),
        TEST_CUT(a_cut_wire_is_noticed_while_nothing_is_due),
        cmocka_unit_test_setup_teardown(a_wire_that_is_mended_in_time_has_lost_nothing, setup, teardown_wire),
    };
    setenv("WSD_SOFTIWARP_SNDBUF", "65536", 1);
    setenv("WSD_SOFTIWARP_RCVBUF", "65536", 1);
    setenv("WSD_SOFTIWARP_LOOPBACK", "on", 1);
    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && strcmp(argv[1], "--own-network") == 0)
        return cmocka_run_group_tests_name("peer", own_network, NULL, NULL);
    return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
