/* test_session.c - the rules of PROTOCOL.md and of winsock-behaviours.md (B...) one by one, on two sessions whose messages
 * move only when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pair.h"

#define BIG     20000u
#define PAYLOAD 216u /* of a message of 256 bytes */

static struct pair p;
static struct pair_op ops[64];
static uint8_t out[BIG], in[BIG];

static void failed(const char *what)
{
    fail_msg("%s", what);
}

static void prepare(struct sw_session_config c[2])
{
    memset(&p, 0, sizeof(p));
    memset(ops, 0, sizeof(ops));
    memset(in, 0, sizeof(in));
    p.failed = failed;
    for (unsigned i = 0; i < BIG; i++)
        out[i] = (uint8_t)(i * 7 + i / 251);
    pair_settings(&c[0]);
    pair_settings(&c[1]);
}

static void open_pair(void)
{
    struct sw_session_config c[2];

    prepare(c);
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
}

static int end_pair(void **state)
{
    (void)state;
    pair_free(&p);
    return 0;
}

static void act(void)
{
    pair_act(&p, 0);
    pair_act(&p, 1);
}

static uint64_t receive_now(unsigned side, uint32_t bytes, int expected)
{
    WSABUF b = {bytes, (CHAR *)in};
    uint64_t got = 0;

    assert_int_equal(sw_session_receive_now(p.side[side].s, &b, 1, &got), expected);
    pair_act(&p, side);
    return got;
}

static struct sw_session_stats stats(unsigned side)
{
    struct sw_session_stats s;

    sw_session_stats(p.side[side].s, &s);
    return s;
}

static unsigned data_messages(unsigned side)
{
    return p.side[side].sent_types[SW_WIRE_DATA];
}

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
    pair_act(&p, 1);
    pair_forge(&p, 0, hello, sizeof(hello));
    assert_true(pair_arrive(&p, 1));
    assert_int_equal(p.side[1].sent_types[SW_WIRE_REFUSE], 0); /* type is at 4 in a hello */
    assert_int_equal(p.side[1].way[0].data[4], SW_WIRE_REFUSE);
    sw_session_start(p.side[0].s);
    pair_act(&p, 0);
    pair_settle(&p);
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

static void a_large_send_that_cannot_be_registered_ends_with_nobufs(void **state)
{
    (void)state;
    open_pair();
    p.side[0].registrations_left = 0;
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 5000, 0), 0);
    assert_int_equal(pair_send(&p, 0, &ops[1], out, 20, 0), 0);
    pair_settle(&p);
    assert_true(ops[0].is_done && ops[0].op.error == WSAENOBUFS && ops[0].op.bytes == 0);
    assert_true(ops[1].is_done && ops[1].op.error == 0);
    assert_int_equal(receive_now(1, BIG, 0), 20);
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

/* --- urgent data --- */

static void urgent_data_overtakes_what_waits_for_the_reader(void **state)
{
    uint8_t byte = 0;
    uint64_t got = 0;

    (void)state;
    open_pair();
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(pair_send(&p, 0, &ops[i], out + i * 200, 200, 0), 0);
    pair_settle(&p); /* the storage is full by now, the rest waits at the writer */
    p.side[1].events = 0;
    assert_int_equal(sw_session_receive_urgent(p.side[1].s, &byte), WSAEINVAL);
    assert_int_equal(pair_send(&p, 0, &ops[9], "ab!", 3, SW_OP_URGENT), 0);
    pair_settle(&p);
    assert_true(ops[9].is_done && sw_session_readable(p.side[1].s) < 1600);
    assert_int_equal(p.side[1].events, FD_OOB);
    assert_int_equal(sw_session_receive_urgent(p.side[1].s, &byte), 0);
    assert_int_equal(byte, '!');
    assert_int_equal(sw_session_receive_urgent(p.side[1].s, &byte), WSAEWOULDBLOCK);
    assert_int_equal(pair_send(&p, 0, &ops[10], "xyz", 3, 0), 0);
    while (!sw_session_at_mark(p.side[1].s)) {
        got += receive_now(1, 150, 0);
        pair_settle(&p);
    }
    assert_int_equal(got, 1602); /* "ab" is the last of it: a read ends at the mark */
    assert_int_equal(receive_now(1, 150, 0), 3);
    assert_memory_equal(in, "xyz", 3); /* and the urgent byte is not in it */
}

static void urgent_data_in_line_is_part_of_the_stream(void **state)
{
    uint8_t byte;

    (void)state;
    open_pair();
    sw_session_urgent_inline(p.side[1].s, true);
    p.side[1].events = 0;
    assert_int_equal(pair_send(&p, 0, &ops[0], "ab!", 3, SW_OP_URGENT), 0);
    assert_int_equal(pair_send(&p, 0, &ops[1], "cd", 2, 0), 0);
    pair_settle(&p);
    assert_int_equal(p.side[1].events, FD_READ);
    assert_int_equal(sw_session_receive_urgent(p.side[1].s, &byte), WSAEINVAL); /* B216 */
    assert_int_equal(receive_now(1, 100, 0), 2);
    assert_true(sw_session_at_mark(p.side[1].s));
    assert_int_equal(receive_now(1, 100, 0), 3);
    assert_memory_equal(in, "!cd", 3);
}

/* --- ends --- */

static void half_close_ends_one_direction(void **state)
{
    (void)state;
    open_pair();
    p.side[1].events = 0;
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 3000, 0), 0);
    assert_int_equal(sw_session_shutdown(p.side[0].s, 77), WSAEINVAL); /* B133 */
    assert_int_equal(sw_session_shutdown(p.side[0].s, SD_SEND), 0);
    assert_int_equal(sw_session_shutdown(p.side[0].s, SD_SEND), 0); /* B134 */
    assert_int_equal(pair_send(&p, 0, &ops[1], out, 1, 0), WSAESHUTDOWN);
    pair_settle(&p);
    assert_int_equal(p.side[0].sent_types[SW_WIRE_SHUT], 0); /* the transfer is not done */
    assert_int_equal(pair_receive(&p, 1, &ops[2], in, 3000, SW_OP_WAIT_ALL), 0);
    pair_settle(&p);
    assert_memory_equal(in, out, 3000);
    assert_int_equal(p.side[0].sent_types[SW_WIRE_SHUT], 1);
    assert_true((p.side[1].events & FD_CLOSE) != 0 && p.side[1].close_event_error == 0); /* B168 */
    assert_int_equal(receive_now(1, 10, 0), 0);                                          /* end of stream */
    assert_int_equal(pair_send(&p, 1, &ops[3], out, 700, 0), 0); /* B137: the other direction lives */
    assert_int_equal(pair_receive(&p, 0, &ops[4], in, 700, SW_OP_WAIT_ALL), 0);
    pair_settle(&p);
    assert_true(ops[3].is_done && ops[4].is_done);
    p.side[1].events = 0;
    assert_int_equal(sw_session_close(p.side[0].s, SW_SESSION_LINGER_FOREVER), 0);
    pair_settle(&p);
    assert_int_equal(p.side[1].events & FD_CLOSE, 0); /* B168: nothing more */
}

static void a_graceful_close_delivers_and_ends_both(void **state)
{
    bool graceful = false;

    (void)state;
    open_pair();
    assert_int_equal(pair_send(&p, 1, &ops[5], out, 5000, 0), 0); /* nobody will read that */
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pair_send(&p, 0, &ops[i], out + i * 200, 200, 0), 0);
    assert_int_equal(pair_receive(&p, 0, &ops[6], in, 10, 0), 0);
    pair_act(&p, 0);
    assert_int_equal(sw_session_close(p.side[0].s, SW_SESSION_LINGER_FOREVER), 0);
    pair_act(&p, 0);
    assert_true(ops[6].is_done && ops[6].op.error == WSA_OPERATION_ABORTED);
    pair_settle(&p);
    assert_true(p.side[0].is_closed && p.side[1].is_closed);
    assert_int_equal(p.side[0].close_error + p.side[1].close_error, 0);
    assert_int_equal(sw_session_cause(p.side[1].s, &graceful), 0);
    assert_true(graceful);
    assert_true(ops[5].is_done);
    assert_int_equal(receive_now(1, BIG, 0), 800); /* what came before stays readable */
    assert_memory_equal(in, out, 800);
    assert_int_equal(receive_now(1, BIG, 0), 0);
    assert_int_equal(pair_send(&p, 1, &ops[7], out, 1, 0), WSAECONNRESET);
}

static void closes_that_cross_are_each_others_answer(void **state)
{
    (void)state;
    open_pair();
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(sw_session_close(p.side[i].s, SW_SESSION_LINGER_FOREVER), 0);
    act();
    pair_settle(&p);
    assert_true(p.side[0].is_closed && p.side[1].is_closed);
    assert_int_equal(p.side[0].close_error + p.side[1].close_error, 0);
    assert_int_equal(p.side[0].sent_types[SW_WIRE_CLOSE] + p.side[1].sent_types[SW_WIRE_CLOSE], 2);
}

static void who_closed_still_tells_credits_for_the_answer(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 10, 0), 0);
    assert_true(pair_arrive(&p, 1) && pair_report(&p, 0));
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 10, 0), 0); /* arrives later */
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(pair_send(&p, 1, &ops[1], out, 10, 0), 0);
        while (pair_report(&p, 1))
            ;
    }
    assert_int_equal(data_messages(1), 7); /* of 8, the last one goes for SHUT */
    assert_true(pair_arrive(&p, 1));       /* something to tell: so the last credit may be spent */
    assert_int_equal(sw_session_shutdown(p.side[1].s, SD_SEND), 0);
    act();
    assert_int_equal(p.side[1].sent_types[SW_WIRE_SHUT], 1);
    assert_int_equal(sw_session_close(p.side[0].s, SW_SESSION_LINGER_FOREVER), 0);
    act();
    pair_settle(&p);
    assert_true(p.side[0].is_closed && p.side[1].is_closed);
    assert_int_equal(p.side[0].close_error + p.side[1].close_error, 0);
}

static void an_abortive_close_says_nothing_and_the_peer_is_reset(void **state)
{
    unsigned sends;

    (void)state;
    open_pair();
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 100, 0), 0);
    pair_settle(&p);
    assert_int_equal(pair_send(&p, 0, &ops[1], out, 5000, 0), 0);
    sends = p.side[0].sends;
    p.side[1].events = 0;
    assert_int_equal(sw_session_close(p.side[0].s, 0), 0);
    act();
    assert_true(p.side[0].is_closed && p.side[0].sends == sends);
    assert_true(ops[1].is_done && ops[1].op.error == WSA_OPERATION_ABORTED);
    sw_session_broken(p.side[1].s, WSAECONNRESET);
    act();
    assert_true((p.side[1].events & FD_CLOSE) != 0);
    assert_int_equal(p.side[1].close_event_error, WSAECONNABORTED); /* windows.md trap 5 */
    assert_int_equal(receive_now(1, BIG, 0), 100); /* contract 14.3: last data, then the reset */
    (void)receive_now(1, BIG, WSAECONNRESET);
    assert_int_equal(pair_receive(&p, 1, &ops[2], in, 10, 0), WSAECONNRESET);
}

static void lingering_ends_in_an_abort_when_its_time_is_up(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 5000, 0), 0);
    assert_int_equal(sw_session_close(p.side[0].s, 250), 0);
    pair_settle(&p); /* the peer's application does not read */
    assert_false(p.side[0].is_closed);
    assert_true(p.side[0].is_armed[SW_TIMER_LINGER] && p.side[0].armed_ms[SW_TIMER_LINGER] == 250);
    sw_session_timer(p.side[0].s, SW_TIMER_LINGER);
    act();
    assert_true(p.side[0].is_closed);
    assert_int_equal(p.side[0].close_error, WSAETIMEDOUT);
    assert_true(ops[0].is_done && ops[0].op.error != 0);
}

static void a_peer_that_does_not_answer_close_is_given_up(void **state)
{
    struct sw_session_config c[2];

    (void)state;
    prepare(c);
    c[0].close_ms = 400;
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
    assert_int_equal(sw_session_close(p.side[0].s, SW_SESSION_LINGER_FOREVER), 0);
    pair_act(&p, 0);
    assert_true(p.side[0].is_armed[SW_TIMER_LINGER] && p.side[0].armed_ms[SW_TIMER_LINGER] == 400);
    assert_false(p.side[0].is_closed);
    sw_session_timer(p.side[0].s, SW_TIMER_LINGER);
    act();
    assert_true(p.side[0].is_closed && p.side[0].close_error == WSAETIMEDOUT);
}

static void after_shutdown_of_receiving_what_comes_is_thrown_away(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(pair_receive(&p, 1, &ops[0], in, 3, 0), 0);
    assert_int_equal(sw_session_shutdown(p.side[1].s, SD_RECEIVE), 0);
    assert_int_equal(pair_receive(&p, 1, &ops[1], in, 3, 0), WSAESHUTDOWN); /* B136 */
    assert_int_equal(pair_send(&p, 0, &ops[2], out, 4000, 0), 0);
    pair_settle(&p);
    assert_true(ops[0].is_done && ops[0].op.bytes == 3); /* windows.md trap 6 */
    assert_true(ops[2].is_done);                         /* and the peer is not kept waiting */
}

static void a_silent_peer_is_found_by_keep_alive(void **state)
{
    struct sw_session_config c[2];

    (void)state;
    prepare(c);
    c[0].keepalive_ms = 7000;
    c[0].keepalive_step_ms = 1000;
    c[0].keepalive_probes = 2;
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
    for (unsigned i = 0; i < 5; i++) { /* a peer that answers */
        sw_session_timer(p.side[0].s, SW_TIMER_KEEPALIVE);
        pair_settle(&p);
    }
    assert_true(p.side[0].sent_types[SW_WIRE_PING] >= 2);
    assert_int_equal(p.side[1].sent_types[SW_WIRE_PING], p.side[0].sent_types[SW_WIRE_PING]);
    assert_int_equal(pair_receive(&p, 0, &ops[0], in, 10, 0), 0);
    for (unsigned i = 0; i < 4 && !p.side[0].is_closed; i++) { /* nothing arrives any more */
        assert_true(p.side[0].is_armed[SW_TIMER_KEEPALIVE]);
        sw_session_timer(p.side[0].s, SW_TIMER_KEEPALIVE);
        pair_act(&p, 0);
    }
    assert_int_equal(p.side[0].close_error, WSAENETRESET);
    assert_true(ops[0].is_done && ops[0].op.error == WSAENETRESET);
}

/* --- moving --- */

static void a_socket_moves_with_what_was_not_fetched(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(pair_send(&p, 1, &ops[0], out, 300, 0), 0);
    assert_int_equal(pair_send(&p, 0, &ops[1], out, 3000, 0), 0); /* in progress: finishes first */
    pair_settle(&p);
    assert_int_equal(sw_session_suspend(p.side[0].s), 0);
    assert_int_equal(pair_send(&p, 0, &ops[2], out, 1, 0), WSATRY_AGAIN);
    pair_settle(&p);
    assert_false(p.side[0].must_move);
    assert_int_equal(pair_receive(&p, 1, &ops[3], in, 3000, SW_OP_WAIT_ALL), 0);
    pair_settle(&p);
    assert_true(p.side[0].must_move && ops[1].is_done && ops[3].is_done);
    assert_int_equal(pair_send(&p, 1, &ops[4], out + 300, 200, 0), 0); /* the peer's application goes on */
    pair_settle(&p);
    pair_move(&p, 0);
    pair_settle(&p);
    assert_int_equal(receive_now(0, BIG, 0), 500);
    assert_memory_equal(in, out, 500);
    assert_int_equal(pair_send(&p, 0, &ops[5], out, 1000, 0), 0);
    assert_int_equal(pair_receive(&p, 1, &ops[6], in, 1000, SW_OP_WAIT_ALL), 0);
    pair_settle(&p);
    assert_true(ops[5].is_done && ops[6].is_done);
}

static void moved(bool pull)
{
    struct sw_session_config c[2];

    prepare(c);
    c[0].has_rdma_read = pull;
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
    assert_int_equal(pair_send(&p, 1, &ops[0], out, BIG, 0), 0);
    assert_int_equal(pair_receive(&p, 0, &ops[1], in, 5000, 0), 0);
    pair_settle(&p);
    assert_true(ops[1].is_done && !ops[0].is_done);
    assert_int_equal(sw_session_suspend(p.side[0].s), 0);
    pair_settle(&p);
    assert_true(p.side[0].must_move);
    assert_int_equal(p.side[0].registered + p.side[1].registered, 0); /* "only receives are pending", 8.10 */
    pair_move(&p, 0);
    assert_int_equal(pair_receive(&p, 0, &ops[2], in + 5000, BIG - 5000, SW_OP_WAIT_ALL), 0);
    pair_settle(&p);
    assert_true(ops[0].is_done && ops[2].is_done);
    assert_memory_equal(in, out, BIG);
    assert_int_equal(stats(1).transfers_sent, 2); /* announced again */
}

static void an_unfinished_transfer_is_taken_back_and_announced_again(void **state)
{
    (void)state;
    moved(true);
    pair_free(&p);
    moved(false);
}

static void when_both_move_the_connector_goes_first(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(sw_session_suspend(p.side[0].s), 0);
    assert_int_equal(sw_session_suspend(p.side[1].s), 0);
    act();
    pair_settle(&p);
    assert_true(p.side[0].must_move && !p.side[1].must_move);
    pair_move(&p, 0);
    pair_settle(&p);
    assert_true(p.side[1].must_move);
    pair_move(&p, 1);
    pair_settle(&p);
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 100, 0), 0);
    assert_int_equal(pair_send(&p, 1, &ops[1], out, 100, 0), 0);
    pair_settle(&p);
    assert_int_equal(receive_now(0, BIG, 0) + receive_now(1, BIG, 0), 200);
}

static void a_suspension_can_be_called_off_until_it_is_sent(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(pair_send(&p, 0, &ops[0], out, 3000, 0), 0);
    assert_int_equal(sw_session_suspend(p.side[0].s), 0);
    act();
    assert_true(sw_session_suspend_off(p.side[0].s));
    assert_int_equal(pair_receive(&p, 1, &ops[1], in, 3000, SW_OP_WAIT_ALL), 0);
    pair_settle(&p);
    assert_true(ops[0].is_done);
    assert_int_equal(sw_session_suspend(p.side[0].s), 0);
    act();
    assert_false(sw_session_suspend_off(p.side[0].s));
}

static void who_never_resumes_is_given_up(void **state)
{
    struct sw_session_config c[2];

    (void)state;
    prepare(c);
    c[1].suspend_ms = 900;
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
    assert_int_equal(pair_receive(&p, 1, &ops[0], in, 10, 0), 0);
    assert_int_equal(sw_session_suspend(p.side[0].s), 0);
    pair_settle(&p);
    assert_true(p.side[1].is_armed[SW_TIMER_SUSPEND] && p.side[1].armed_ms[SW_TIMER_SUSPEND] == 900);
    sw_session_timer(p.side[1].s, SW_TIMER_SUSPEND);
    act();
    assert_true(ops[0].is_done && ops[0].op.error == WSAECONNRESET);
    assert_true(p.side[1].is_closed);
}

static void who_does_not_answer_suspend_is_given_up(void **state)
{
    struct sw_session_config c[2];

    (void)state;
    prepare(c);
    c[0].suspend_ms = 900;
    pair_open(&p, &c[0], &c[1]);
    pair_start(&p);
    assert_int_equal(sw_session_suspend(p.side[0].s), 0);
    pair_act(&p, 0);
    assert_true(p.side[0].is_armed[SW_TIMER_SUSPEND]);
    sw_session_timer(p.side[0].s, SW_TIMER_SUSPEND);
    act();
    assert_true(p.side[0].is_closed && p.side[0].close_error == WSAECONNRESET);
    assert_false(p.side[0].must_move);
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
        TEST(a_large_send_that_cannot_be_registered_ends_with_nobufs),
        TEST(what_is_left_of_a_send_goes_in_messages_when_memory_runs_out),
        TEST(a_receive_that_cannot_be_registered_is_served_through_storage),
        TEST(an_rdma_request_that_fails_breaks_the_connection),
        TEST(a_reader_that_does_not_block_gets_a_transfer_piece_by_piece),
        TEST(one_short_send_completes_the_oldest_receive_only),
        TEST(a_receive_of_nothing_waits_for_something),
        TEST(fd_read_comes_again_when_a_receive_leaves_something),
        TEST(peeking_leaves_everything_where_it_is),
        TEST(what_waits_untouched_can_be_taken_back),
        TEST(urgent_data_overtakes_what_waits_for_the_reader),
        TEST(urgent_data_in_line_is_part_of_the_stream),
        TEST(half_close_ends_one_direction),
        TEST(a_graceful_close_delivers_and_ends_both),
        TEST(closes_that_cross_are_each_others_answer),
        TEST(who_closed_still_tells_credits_for_the_answer),
        TEST(an_abortive_close_says_nothing_and_the_peer_is_reset),
        TEST(lingering_ends_in_an_abort_when_its_time_is_up),
        TEST(a_peer_that_does_not_answer_close_is_given_up),
        TEST(after_shutdown_of_receiving_what_comes_is_thrown_away),
        TEST(a_silent_peer_is_found_by_keep_alive),
        TEST(a_socket_moves_with_what_was_not_fetched),
        TEST(an_unfinished_transfer_is_taken_back_and_announced_again),
        TEST(when_both_move_the_connector_goes_first),
        TEST(a_suspension_can_be_called_off_until_it_is_sent),
        TEST(who_never_resumes_is_given_up),
        TEST(who_does_not_answer_suspend_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
