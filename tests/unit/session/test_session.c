/* test_session.c - the rules of PROTOCOL.md and of winsock-behaviours.md (B...) one by one, on two sessions whose messages
 * move only when the test says so: opening, small and large sends, receives. */
#include "rules.h"

/* --- opening --- */

static void receives_are_posted_before_the_first_word(void **state)
{
    struct sw_session_config c[2];

    (void)state;
    prepare(c);
    pair_open(&p, &c[0], &c[1]);
    sw_session_start(p.side[1].s);
    pair_act(&p, 1);
    assert_int_equal(p.side[1].posted_count, 8);
    assert_int_equal(p.side[1].sends, 0);
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 1, 0), WSAENOTCONN); /* B048 */
    sw_session_start(p.side[0].s);
    struct sw_action a;
    for (unsigned i = 0; i < 8; i++) {
        assert_true(sw_session_next(p.side[0].s, &a));
        assert_int_equal(a.kind, SW_DO_POST_RECEIVE);
        p.side[0].posted[p.side[0].posted_count++] = (uint8_t)a.buffer;
    }
    pair_act(&p, 0);
    assert_int_equal(p.side[0].sends, 1);
    assert_true(p.side[0].way[0].bytes <= 256); /* contract 8.5 */
    assert_false(p.side[0].is_opened);
    pair_settle(&p);
    assert_true(p.side[0].is_opened && p.side[1].is_opened);
    assert_true(p.side[0].events == FD_WRITE && p.side[1].events == FD_WRITE);
}

static void without_an_answer_the_connector_gives_up(void **state)
{
    struct sw_session_config c[2];

    (void)state;
    prepare(c);
    c[0].negotiate_ms = 500;
    pair_open(&p, &c[0], &c[1]);
    sw_session_start(p.side[0].s);
    pair_act(&p, 0);
    assert_true(p.side[0].is_armed[SW_TIMER_NEGOTIATE]);
    assert_int_equal(p.side[0].armed_ms[SW_TIMER_NEGOTIATE], 500);
    sw_session_timer(p.side[0].s, SW_TIMER_NEGOTIATE);
    pair_act(&p, 0);
    assert_int_equal(p.side[0].close_error, WSAETIMEDOUT);
}

static void an_acceptor_refuses_other_versions_and_both_end(void **state)
{
    uint8_t hello[SW_WIRE_HELLO_BYTES] = {'W', 'S', 'D', 'S', 1, 2, 9};
    struct sw_session_config c[2];

    (void)state;
    prepare(c);
    pair_open(&p, &c[0], &c[1]);
    sw_session_start(p.side[1].s);
    sw_session_start(p.side[0].s);
    act();
    free(p.side[0].way[0].data); /* as if the connector were of a later version */
    p.side[0].way_count = 0;
    pair_forge(&p, 0, hello, sizeof(hello));
    assert_true(pair_arrive(&p, 1));
    assert_int_equal(p.side[1].way[0].data[4], SW_WIRE_REFUSE);
    assert_false(p.side[1].is_closed); /* REFUSE goes first */
    pair_settle(&p);
    assert_string_equal(p.side[1].report, "no version of the session protocol in common");
    assert_int_equal(p.side[0].close_error, WSAECONNABORTED);
    assert_int_equal(p.side[1].close_error, WSAECONNABORTED);
    assert_false(p.side[0].is_opened || p.side[1].is_opened);
}

/* --- small sends --- */

static void a_lone_send_goes_at_once(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 10, 0), 0);
    assert_true(ops[0].is_done && ops[0].op.bytes == 10);
    assert_int_equal(data_messages(0), 1);
}

static void little_sends_share_messages_while_one_is_in_flight(void **state)
{
    (void)state;
    open_pair();
    for (unsigned i = 0; i < 51; i++) {
        assert_int_equal(pair_send(&p, 0, &ops[i], out + i * 10, 10, 0), 0);
        assert_true(ops[i].is_done);
    }
    assert_int_equal(data_messages(0), 1 + 500 / PAYLOAD); /* the lone one, and full ones */
    pair_settle(&p);
    assert_int_equal(data_messages(0), 2 + 500 / PAYLOAD);
    assert_int_equal(receive_now(1, BIG, 0), 510);
    assert_memory_equal(in, out, 510);
}

static void a_send_waits_when_all_buffers_are_full(void **state)
{
    (void)state;
    open_pair();
    while (sw_session_is_writable(p.side[0].s)) { /* the peer's application does not read */
        assert_int_equal(pair_send(&p, 0, &ops[0], out, 100, 0), 0);
        assert_true(ops[0].is_done || !sw_session_is_writable(p.side[0].s));
        pair_settle(&p);
        if (!ops[0].is_done)
            break;
    }
    if (ops[0].is_done)
        assert_int_equal(sw_session_send_room(p.side[0].s), 0);
    p.side[0].events = 0;
    sw_session_want_write(p.side[0].s);
    act();
    assert_int_equal(p.side[0].events, 0);
    while (sw_session_readable(p.side[1].s) != 0) {
        (void)receive_now(1, 300, 0);
        pair_settle(&p);
    }
    assert_true((p.side[0].events & FD_WRITE) != 0); /* B167 */
    p.side[0].events = 0;
    pair_settle(&p);
    assert_int_equal(p.side[0].events, 0); /* once */
    assert_true(ops[0].is_done);
}

static void a_writer_stops_at_the_limit_and_goes_on_behind_it(void **state)
{
    uint64_t got = 0;

    (void)state;
    open_pair();
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(pair_send(&p, 0, &ops[i], out + i * 150, 150, 0), 0);
    pair_settle(&p);
    assert_true(sw_session_readable(p.side[1].s) <= 1024);
    assert_true(sw_session_readable(p.side[1].s) > 1024 - PAYLOAD);
    while (got < 3000) {
        WSABUF b = {7, (CHAR *)in + got};
        uint64_t n = 0;
        assert_int_equal(sw_session_receive_now(p.side[1].s, &b, 1, &n), 0);
        got += n;
        pair_settle(&p);
    }
    assert_memory_equal(in, out, 3000);
}

static void one_way_traffic_needs_few_credit_messages(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(pair_receive(&p, 1, &ops[1], in, BIG, SW_OP_WAIT_ALL), 0);
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(pair_send(&p, 0, &ops[0], out + i * 200, 200, 0), 0);
        pair_settle(&p);
        assert_true(ops[0].is_done);
    }
    assert_int_equal(data_messages(0), 50);
    assert_in_range(stats(1).credit_messages, 50 * 200 / 1024, 2 * (50 * 200 / 512)); /* limit and debt */
    assert_int_equal(stats(0).credit_messages, 0);
    assert_memory_equal(in, out, 10000);
}

/* --- large transfers --- */

static void large(bool pull)
{
    struct sw_session_config c[2];

    prepare(c);
    c[1].has_rdma_read = pull;
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
    assert_int_equal(pair_send(&p, 0, &ops[0], out, BIG, 0), 0);
    pair_settle(&p);
    assert_false(ops[0].is_done);
    assert_int_equal(p.side[0].registered, 1);
    assert_int_equal(stats(1).bytes_stored, 64); /* the first part; the rest waits for a receive */
    assert_int_equal(pair_receive(&p, 1, &ops[1], in, BIG, 0), 0);
    pair_settle(&p);
    assert_true(ops[0].is_done && ops[0].op.bytes == BIG && ops[0].op.error == 0);
    assert_true(ops[1].is_done && ops[1].op.bytes == BIG);
    assert_memory_equal(in, out, BIG);
    assert_int_equal(stats(1).bytes_direct, BIG - 64); /* no copy */
    assert_int_equal(p.side[0].registered + p.side[1].registered, 0);
    assert_int_equal(p.side[0].sent_types[pull ? SW_WIRE_LARGE_PULL : SW_WIRE_LARGE_PUSH], 1);
    assert_int_equal(p.side[1].sent_types[SW_WIRE_SINK], pull ? 0 : 1);
}

static void a_large_send_is_pulled_into_the_receive(void **state)
{
    (void)state;
    large(true);
}

static void a_large_send_is_pushed_where_the_peer_cannot_read(void **state)
{
    (void)state;
    large(false);
}

static void transfers_are_cut_to_the_largest_request_of_both(void **state)
{
    struct sw_session_config c[2];

    (void)state;
    prepare(c);
    c[1].max_rdma_bytes = 3000;
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
    assert_int_equal(pair_receive(&p, 1, &ops[1], in, BIG, SW_OP_WAIT_ALL), 0);
    assert_int_equal(pair_send(&p, 0, &ops[0], out, BIG, 0), 0);
    pair_settle(&p);
    assert_true(ops[0].is_done && ops[1].is_done);
    assert_memory_equal(in, out, BIG);
    assert_int_equal(stats(0).transfers_sent, (BIG + 2999) / 3000);
}

static void small_and_large_keep_their_order(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 5, 0),
                     0); /* KB 927620: a large send right after a small one */
    assert_int_equal(pair_send(&p, 0, &ops[1], out + 5, 5000, 0), 0);
    assert_int_equal(pair_send(&p, 0, &ops[2], out + 5005, 10, 0), 0);
    ops[3].buffers[0].buf = (CHAR *)out + 5015; /* and several buffers in a send */
    ops[3].buffers[0].len = 100;
    ops[3].buffers[1].buf = (CHAR *)out + 5115;
    ops[3].buffers[1].len = 2000;
    ops[3].buffers[2].buf = (CHAR *)out + 7115;
    ops[3].buffers[2].len = 50;
    ops[3].op.buffer_count = 3;
    assert_int_equal(pair_send(&p, 0, &ops[3], NULL, 0, 0), 0);
    assert_int_equal(pair_receive(&p, 1, &ops[4], in, 7165, SW_OP_WAIT_ALL), 0);
    pair_settle(&p);
    assert_true(ops[3].is_done && ops[4].is_done);
    assert_memory_equal(in, out, 7165);
}

static void a_large_send_that_cannot_be_registered_goes_in_messages(void **state)
{
    (void)state;
    open_pair();
    p.side[0].registrations_left = 0;
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 5000, 0), 0);
    assert_int_equal(pair_send(&p, 0, &ops[1], out + 5000, 20, 0), 0);
    assert_int_equal(pair_receive(&p, 1, &ops[2], in, 5020, SW_OP_WAIT_ALL), 0);
    pair_settle(&p);
    assert_true(ops[0].is_done && ops[0].op.error == 0 && ops[0].op.bytes == 5000);
    assert_true(ops[1].is_done && ops[1].op.error == 0);
    assert_true(ops[2].is_done && ops[2].op.bytes == 5020);
    assert_memory_equal(in, out, 5020);
    assert_int_equal(stats(0).transfers_sent, 0);
}

static void what_is_left_of_a_send_goes_in_messages_when_memory_runs_out(void **state)
{
    struct sw_session_config c[2];

    (void)state;
    prepare(c);
    c[0].max_rdma_bytes = 3000;
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
    assert_int_equal(pair_receive(&p, 1, &ops[1], in, 8000, SW_OP_WAIT_ALL), 0);
    p.side[0].registrations_left = 1;
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 8000, 0), 0);
    pair_settle(&p);
    assert_true(ops[0].is_done && ops[0].op.error == 0 && ops[0].op.bytes == 8000);
    assert_memory_equal(in, out, 8000);
    assert_true(data_messages(0) >= 5000 / PAYLOAD);
}

static void a_receive_that_cannot_be_registered_is_served_through_storage(void **state)
{
    (void)state;
    open_pair();
    p.side[1].registrations_left = 0;
    assert_int_equal(pair_receive(&p, 1, &ops[1], in, 5000, SW_OP_WAIT_ALL), 0);
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 5000, 0), 0);
    pair_settle(&p);
    assert_true(ops[0].is_done && ops[1].is_done);
    assert_memory_equal(in, out, 5000);
    assert_int_equal(stats(1).bytes_direct, 0);
}

static void an_rdma_request_that_fails_breaks_the_connection(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 5000, 0), 0);
    assert_int_equal(pair_receive(&p, 1, &ops[1], in, 5000, 0), 0);
    while (p.side[1].rdma_count == 0)
        assert_true(pair_arrive(&p, 1));
    p.side[1].rdma[0].offset = 5000; /* outside */
    pair_rdma(&p, 1, 0);
    assert_int_equal(p.side[1].close_error, WSAECONNABORTED);
    assert_true(ops[1].is_done); /* with the first part */
    assert_int_equal(ops[1].op.bytes, 64);
}

static void a_reader_that_does_not_block_gets_a_transfer_piece_by_piece(void **state)
{
    uint64_t got = 0;

    (void)state;
    open_pair();
    assert_int_equal(pair_send(&p, 0, &ops[0], out, BIG, 0), 0);
    pair_settle(&p);
    while (got < BIG) {
        WSABUF b = {BIG - (ULONG)got, (CHAR *)in + got};
        uint64_t n = 0;
        assert_true((p.side[1].events & FD_READ) != 0); /* else it would wait for ever */
        p.side[1].events = 0;
        int error = sw_session_receive_now(p.side[1].s, &b, 1, &n);
        assert_true(error == 0 || error == WSAEWOULDBLOCK);
        got += n;
        pair_settle(&p);
    }
    assert_memory_equal(in, out, BIG);
    assert_true(ops[0].is_done);
}

static void who_selects_for_reading_gets_a_transfer_fetched(void **state)
{
    struct sw_session_config c[2];

    (void)state;
    prepare(c);
    c[0].first_part_bytes = 0;
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 5000, 0), 0);
    pair_settle(&p);
    assert_int_equal(sw_session_readable(p.side[1].s), 0);
    sw_session_want_read(p.side[1].s);
    act();
    pair_settle(&p);
    assert_int_equal(sw_session_readable(p.side[1].s), 1024);
    assert_int_equal(receive_now(1, BIG, 0), 1024);
    assert_memory_equal(in, out, 1024);
}

static void storage_that_cannot_be_registered_for_a_push_ends_the_connection(void **state)
{
    struct sw_session_config c[2];

    (void)state;
    prepare(c);
    c[1].has_rdma_read = false;
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
    p.side[1].registrations_left = 0;
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 5000, 0), 0);
    assert_int_equal(pair_receive(&p, 1, &ops[1], in, 5000, SW_OP_WAIT_ALL), 0);
    pair_settle(&p);
    assert_int_equal(p.side[1].close_error, WSAENOBUFS);
    assert_true(ops[1].is_done && ops[1].op.bytes == 64);
}

/* --- receives --- */

static void one_short_send_completes_the_oldest_receive_only(void **state)
{
    (void)state;
    open_pair();
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pair_receive(&p, 1, &ops[i], in + i * 100, 100, 0), 0);
    assert_int_equal(pair_send(&p, 0, &ops[10], out, 4, 0), 0);
    pair_settle(&p);
    assert_true(ops[0].is_done && ops[0].op.bytes == 4 && !ops[1].is_done); /* B113 */
    assert_int_equal(p.side[1].events & FD_READ, 0);                        /* B162 */
    assert_int_equal(sw_session_shutdown(p.side[0].s, SD_SEND), 0);
    pair_settle(&p);
    assert_true(ops[1].is_done && ops[1].op.bytes == 0 && ops[1].op.error == 0); /* B114, B139 */
    assert_true(ops[2].is_done);
}

static void a_receive_of_nothing_waits_for_something(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(pair_receive(&p, 1, &ops[0], in, 0, 0), 0);
    assert_false(ops[0].is_done);
    assert_int_equal(pair_send(&p, 0, &ops[1], out, 4, 0), 0);
    pair_settle(&p);
    assert_true(ops[0].is_done && ops[0].op.bytes == 0); /* B100: and it consumes nothing */
    assert_int_equal(receive_now(1, 100, 0), 4);
}

static void fd_read_comes_again_when_a_receive_leaves_something(void **state)
{
    (void)state;
    open_pair();
    p.side[1].events = 0;
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 10, 0), 0);
    pair_settle(&p);
    assert_int_equal(p.side[1].events, FD_READ); /* B156 */
    p.side[1].events = 0;
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 10, 0), 0);
    pair_settle(&p);
    assert_int_equal(p.side[1].events, 0);
    assert_int_equal(receive_now(1, 15, 0), 15);
    assert_int_equal(p.side[1].events, FD_READ); /* B157 */
    p.side[1].events = 0;
    assert_int_equal(receive_now(1, 15, 0), 5);
    assert_int_equal(receive_now(1, 15, WSAEWOULDBLOCK), 0);
    assert_int_equal(p.side[1].events, 0);
}

static void peeking_leaves_everything_where_it_is(void **state)
{
    WSABUF b = {6, (CHAR *)in};
    uint64_t n = 0;

    (void)state;
    open_pair();
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 10, 0), 0);
    pair_settle(&p);
    assert_int_equal(sw_session_peek(p.side[1].s, &b, 1, &n), 0);
    assert_int_equal(n, 6);
    assert_memory_equal(in, out, 6); /* B094 */
    assert_int_equal(receive_now(1, 100, 0), 10);
    assert_memory_equal(in, out, 10);
}

static void what_waits_untouched_can_be_taken_back(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(pair_receive(&p, 1, &ops[0], in, 100, 0), 0);
    assert_true(sw_session_cancel(p.side[1].s, &ops[0].op));
    act();
    assert_true(ops[0].is_done && ops[0].op.error == WSA_OPERATION_ABORTED);
    assert_int_equal(pair_send(&p, 0, &ops[1], out, 5000, 0), 0);
    assert_false(sw_session_cancel(p.side[0].s, &ops[1].op)); /* announced: the peer may be reading */
}

#define TEST(name) cmocka_unit_test_teardown(name, end_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(receives_are_posted_before_the_first_word),
        TEST(without_an_answer_the_connector_gives_up),
        TEST(an_acceptor_refuses_other_versions_and_both_end),
        TEST(a_lone_send_goes_at_once),
        TEST(little_sends_share_messages_while_one_is_in_flight),
        TEST(a_send_waits_when_all_buffers_are_full),
        TEST(a_writer_stops_at_the_limit_and_goes_on_behind_it),
        TEST(one_way_traffic_needs_few_credit_messages),
        TEST(a_large_send_is_pulled_into_the_receive),
        TEST(a_large_send_is_pushed_where_the_peer_cannot_read),
        TEST(transfers_are_cut_to_the_largest_request_of_both),
        TEST(small_and_large_keep_their_order),
        TEST(a_large_send_that_cannot_be_registered_goes_in_messages),
        TEST(what_is_left_of_a_send_goes_in_messages_when_memory_runs_out),
        TEST(a_receive_that_cannot_be_registered_is_served_through_storage),
        TEST(an_rdma_request_that_fails_breaks_the_connection),
        TEST(a_reader_that_does_not_block_gets_a_transfer_piece_by_piece),
        TEST(who_selects_for_reading_gets_a_transfer_fetched),
        TEST(storage_that_cannot_be_registered_for_a_push_ends_the_connection),
        TEST(one_short_send_completes_the_oldest_receive_only),
        TEST(a_receive_of_nothing_waits_for_something),
        TEST(fd_read_comes_again_when_a_receive_leaves_something),
        TEST(peeking_leaves_everything_where_it_is),
        TEST(what_waits_untouched_can_be_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
