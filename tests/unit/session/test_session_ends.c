/* test_session_ends.c - the rules, continued: urgent data, half close, close, keep-alive, moving. */
#include "rules.h"

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

/* A send that the peer has not fetched is not one that went well; nor are later ones. */
static void close_unread(uint32_t bytes, bool is_stored)
{
    open_pair();
    assert_int_equal(pair_send(&p, 1, &ops[0], out, bytes, 0), 0);
    assert_int_equal(pair_send(&p, 0, &ops[1], out, 100, 0), 0);
    pair_settle(&p);
    assert_int_equal(ops[0].is_done, is_stored);
    assert_int_equal(sw_session_close(p.side[0].s, SW_SESSION_LINGER_FOREVER), 0);
    pair_act(&p, 0);
    assert_true(p.side[0].is_closed);
    assert_int_equal(p.side[0].sent_types[SW_WIRE_CLOSE], 0);
    sw_session_broken(p.side[1].s, WSAECONNRESET);
    pair_act(&p, 1);
    assert_true(ops[0].is_done);
    assert_int_equal(ops[0].op.error, is_stored ? 0 : WSAECONNRESET);
    assert_int_equal(receive_now(1, BIG, 0), 100); /* what came before stays readable */
    assert_int_equal(pair_send(&p, 1, &ops[2], out, 1, 0), WSAECONNRESET);
}

static void a_close_with_bytes_unread_is_a_reset(void **state)
{
    (void)state;
    close_unread(10, true);
}

static void a_close_with_a_transfer_unread_is_a_reset(void **state)
{
    (void)state;
    close_unread(5000, false);
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

static void close_arrives_meanwhile(unsigned side)
{
    if (side == 0)
        (void)pair_arrive(&p, 0);
}

/* A send is about to be registered when the peer's CLOSE arrives; the registration is then refused, or not. */
static void a_close_that_comes_during_a_registration_ends_that_send(void **state)
{
    (void)state;
    for (int left = 0; left < 2; left++) {
        open_pair();
        assert_int_equal(sw_session_close(p.side[1].s, SW_SESSION_LINGER_FOREVER), 0);
        pair_act(&p, 1);
        p.side[0].registrations_left = left;
        p.between = close_arrives_meanwhile;
        assert_int_equal(pair_send(&p, 0, &ops[0], out, 5000, 0), 0);
        p.between = NULL;
        pair_settle(&p);
        assert_true(ops[0].is_done && ops[0].op.error == WSAECONNRESET);
        assert_true(p.side[0].is_closed && p.side[1].is_closed);
        assert_int_equal(p.side[0].registered, 0);
        if (left == 0)
            pair_free(&p);
    }
}

/* The provider knows before us: what it refuses then says that the connection is gone, not that memory is short. */
static void a_registration_refused_because_the_connection_is_gone_ends_it(void **state)
{
    static const struct {
        int refusal, end;
    } cases[] = {{WSAENOTCONN, WSAECONNRESET},
                 {WSAECONNRESET, WSAECONNRESET},
                 {WSAECONNABORTED, WSAECONNABORTED},
                 {WSAENOTSOCK, WSAECONNRESET}};

    for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned who = i % 2; /* 0: the sender registers what he has; 1: the receiver, where it goes */
        int end = cases[i / 2].end;

        open_pair();
        p.side[who].registrations_left = 0;
        p.side[who].registration_error = cases[i / 2].refusal;
        assert_int_equal(pair_receive(&p, 1, &ops[0], in, 5000, SW_OP_WAIT_ALL), 0);
        assert_int_equal(pair_receive(&p, who, &ops[1], in, 10, 0), 0);
        assert_int_equal(pair_send(&p, who, &ops[3], out, 20, 0), 0);
        assert_int_equal(pair_send(&p, 0, &ops[2], out, 5000, 0), 0);
        pair_settle(&p);
        assert_true(p.side[who].is_closed && p.side[who].close_error == end);
        assert_true(ops[1].is_done && ops[1].op.error == end);
        if (who == 0)
            assert_true(ops[2].is_done && ops[2].op.error == end);
        assert_int_equal(p.side[who].registered, 0);
        assert_int_equal(pair_send(&p, who, &ops[4], out, 20, 0), end);
        pair_cut(&p, WSAECONNRESET); /* and the other side hears of it */
        pair_settle(&p);
        assert_true(ops[0].is_done && ops[2].is_done && ops[3].is_done);
        end_pair(state);
    }
    open_pair(); /* for the teardown */
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
        TEST(urgent_data_overtakes_what_waits_for_the_reader),
        TEST(urgent_data_in_line_is_part_of_the_stream),
        TEST(half_close_ends_one_direction),
        TEST(a_graceful_close_delivers_and_ends_both),
        TEST(a_close_with_bytes_unread_is_a_reset),
        TEST(a_close_with_a_transfer_unread_is_a_reset),
        TEST(closes_that_cross_are_each_others_answer),
        TEST(a_close_that_comes_during_a_registration_ends_that_send),
        TEST(a_registration_refused_because_the_connection_is_gone_ends_it),
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
