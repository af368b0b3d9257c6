/* urgent.c - urgent data: MSG_OOB, SO_OOBINLINE, SIOCATMARK, FD_OOB. Contract 8.8, 10.3; B200 to B202, B216. */
#include "sp.h"

static bool at_mark(SOCKET s)
{
    ULONG answer = 9;

    sp_ok(sp_ioctl(s, WS_SIOCATMARK, NULL, 0, &answer, sizeof(answer), NULL));
    assert_in_range(answer, 0, 1);
    return answer == 1;
}

static void the_byte_comes_apart(void **state)
{
    struct sp_pair pair;
    char byte = 0, data[10];
    unsigned ready;

    (void)state;
    sp_pair_open(&pair);
    sp_fails(WSAEINVAL, sp_recv(pair.b, &byte, 1, WS_MSG_OOB, NULL)); /* none there */
    sp_send_all(pair.a, "abc", 3);
    sp_ok(sp_send(pair.a, "!", 1, WS_MSG_OOB, NULL));
    sp_send_all(pair.a, "def", 3);
    sp_ok(sp_select(pair.b, SP_EXCEPT, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_EXCEPT);
    sp_ok(sp_recv(pair.b, &byte, 1, WS_MSG_OOB, NULL));
    assert_int_equal(byte, '!');
    sp_ok(sp_select(pair.b, SP_EXCEPT, 20, &ready));
    assert_int_equal(ready, 0);
    sp_recv_all(pair.b, data, 6);
    assert_memory_equal(data, "abcdef", 6);
    sp_pair_close(&pair);
}

static void the_mark_in_the_stream(void **state)
{
    struct sp_pair pair;
    char byte = 0, data[10];
    unsigned ready;

    (void)state;
    sp_skip_on_wine_tcp("sees the mark while bytes lie before it");
    sp_pair_open(&pair);
    assert_true(at_mark(pair.b)); /* nothing urgent ahead (B202) */
    sp_send_all(pair.a, "abc", 3);
    sp_ok(sp_send(pair.a, "!", 1, WS_MSG_OOB, NULL));
    sp_ok(sp_select(pair.b, SP_EXCEPT, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_EXCEPT);
    assert_false(at_mark(pair.b));
    sp_recv_all(pair.b, data, 3);
    assert_memory_equal(data, "abc", 3);
    sp_ok(sp_recv(pair.b, &byte, 1, WS_MSG_OOB, NULL));
    assert_int_equal(byte, '!');
    assert_true(at_mark(pair.b));
    sp_pair_close(&pair);
}

static void inline_it_is_a_byte_like_others(void **state)
{
    struct sp_pair pair;
    char byte, data[10];
    unsigned ready;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_set_int(pair.b, WS_SOL_SOCKET, WS_SO_OOBINLINE, 1));
    sp_send_all(pair.a, "abc", 3);
    sp_ok(sp_send(pair.a, "!", 1, WS_MSG_OOB, NULL));
    sp_send_all(pair.a, "def", 3);
    sp_recv_all(pair.b, data, 7);
    assert_memory_equal(data, "abc!def", 7);
    sp_fails(WSAEINVAL, sp_recv(pair.b, &byte, 1, WS_MSG_OOB, NULL));
    sp_ok(sp_select(pair.b, SP_READ | SP_EXCEPT, 20, &ready));
    assert_int_equal(ready, 0);
    sp_pair_close(&pair);
}

static void events_of_urgent_data(void **state)
{
    struct sp_pair pair;
    WSAEVENT event = sw_event_create(true, false);
    char byte = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_event_select(pair.b, event, FD_OOB));
    sp_expect_no_event(pair.b, event);
    for (unsigned i = 0; i < 3; i++) {
        sp_ok(sp_send(pair.a, "1", 1, WS_MSG_OOB, NULL));
        sp_expect_events(pair.b, event, FD_OOB, NULL);
        sp_expect_no_event(pair.b, event);
        sp_ok(sp_recv(pair.b, &byte, 1, WS_MSG_OOB, NULL));
        assert_int_equal(byte, '1');
    }
    sp_pair_close(&pair);
    sp_ok(sw_event_close(event));
}

/* Of several bytes in an urgent send the last one is urgent (RFC 1122, 4.2.2.4; as on Windows). */
static void the_last_byte_is_the_urgent_one(void **state)
{
    struct sp_pair pair;
    char byte = 0, data[10];
    unsigned ready;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_send(pair.a, "xyz", 3, WS_MSG_OOB, NULL));
    sp_ok(sp_select(pair.b, SP_EXCEPT, sp_env.wait_ms, &ready));
    sp_ok(sp_recv(pair.b, &byte, 1, WS_MSG_OOB, NULL));
    assert_int_equal(byte, 'z');
    sp_recv_all(pair.b, data, 2);
    assert_memory_equal(data, "xy", 2);
    sp_pair_close(&pair);
}

static void urgent_data_passes_a_full_stream(void **state)
{
    struct sp_pair pair;
    uint64_t total;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_nonblocking(pair.a, true));
    total = sp_fill_up(pair.a);
    sp_one_of(sp_send(pair.a, "!", 1, WS_MSG_OOB, NULL), 0,
              WSAEWOULDBLOCK); /* either; but nothing may get lost */
    sp_drain(pair.b, total);
    sp_ok(sp_nonblocking(pair.a, false));
    sp_echo(pair.a, pair.b, 1);
    sp_pair_close(&pair);
}

int sp_urgent(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(the_byte_comes_apart),
        sp_test(the_mark_in_the_stream),
        sp_test(inline_it_is_a_byte_like_others),
        sp_test(events_of_urgent_data),
        sp_test(the_last_byte_is_the_urgent_one),
        sp_test(urgent_data_passes_a_full_stream),
    };

    return cmocka_run_group_tests_name("urgent", tests, NULL, NULL);
}
