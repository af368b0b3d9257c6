/* test_bench_control.c - the control channel with a peer that misbehaves: silence, floods, half messages,
 * nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench_control.h"
#include "bench_net.h"
#include "bench_session.h"
#include "pal/time.h"

struct fixture {
    struct bench_control ours;
    struct bench_error err;
    pal_socket peer;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    pal_socket pair[2];

    if (f == NULL || !bench_net_pair(pair)) {
        free(f);
        return -1;
    }
    bench_control_init(&f->ours, pair[0], 200, &f->err);
    f->peer = pair[1];
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    bench_control_close(&f->ours);
    if (f->peer != PAL_SOCKET_NONE)
        bench_net_close(f->peer);
    free(f);
    return 0;
}

static void peer_sends(struct fixture *f, const void *bytes, size_t count)
{
    assert_int_equal(bench_net_send(f->peer, bytes, count), (long long)count);
}

static void peer_sends_frame(struct fixture *f, uint16_t version, uint16_t type, uint32_t announced,
                             size_t sent)
{
    struct bench_header h = {version, type, announced};
    uint8_t frame[BENCH_HEADER_BYTES + BENCH_BODY_MAX] = {0};

    bench_header_encode(&h, frame);
    peer_sends(f, frame, BENCH_HEADER_BYTES + sent);
}

static bool receive(struct fixture *f)
{
    uint8_t body[BENCH_BODY_MAX];
    enum bench_message_type type;
    size_t bytes;

    return bench_control_receive(&f->ours, &type, body, &bytes);
}

static void a_message_arrives_whole(void **state)
{
    struct fixture *f = *state;
    struct bench_control other;
    struct bench_error err = {{0}};
    uint8_t body[BENCH_BODY_MAX];
    uint8_t sent[3] = {7, 8, 9};
    size_t bytes;

    bench_control_init(&other, f->peer, 200, &err);
    assert_true(bench_control_send(&other, BENCH_MSG_GO, sent, sizeof sent));
    assert_true(bench_control_expect(&f->ours, BENCH_MSG_GO, body, &bytes));
    assert_int_equal(bytes, 3);
    assert_memory_equal(body, sent, 3);
}

static void silence_ends_with_the_deadline(void **state)
{
    struct fixture *f = *state;
    uint64_t start = pal_now_ns();

    assert_false(receive(f));
    assert_true(pal_now_ns() - start < 5000000000u);
    assert_non_null(strstr(f->err.text, "silent"));
}

/* One byte now and then must not push the deadline forward for ever. */
static void half_a_message_ends_with_the_deadline(void **state)
{
    struct fixture *f = *state;

    peer_sends_frame(f, BENCH_WIRE_VERSION, BENCH_MSG_GO, 100, 50);
    assert_false(receive(f));
    assert_non_null(strstr(f->err.text, "silent"));
}

static void a_closed_channel_is_named(void **state)
{
    struct fixture *f = *state;

    bench_net_close(f->peer);
    f->peer = PAL_SOCKET_NONE;
    assert_false(receive(f));
    assert_non_null(strstr(f->err.text, "closed"));
}

static void nonsense_is_refused(void **state)
{
    struct fixture *f = *state;

    peer_sends(f, "GET / HTTP/1.0\r\n\r\n", 18);
    assert_false(receive(f));
    assert_non_null(strstr(f->err.text, "no wsdbench: it sent \"GET / HTTP/1.0\\x0d\\x0a\\x0d\\x0a\""));
}

/* The first byte that cannot be ours is enough: nobody waits for the rest of a header. */
static void a_stranger_is_named_by_what_it_has_sent_so_far(void **state)
{
    struct fixture *f = *state;
    uint8_t flood[300];

    f->ours.timeout_ms = 20000;
    peer_sends(f, "W\033", 2);
    assert_false(receive(f));
    assert_non_null(strstr(f->err.text, "it sent \"W\\x1b\"; check host and port"));
    memset(flood, 0xFF, sizeof flood);
    peer_sends(f, flood, sizeof flood);
    f->err.text[0] = '\0';
    assert_false(receive(f));
    assert_non_null(strstr(f->err.text, "\\xff\\xff"));
    assert_true(strlen(f->err.text) < 400);
}

static void only_who_has_never_spoken_our_language_is_doubted(void **state)
{
    struct fixture *f = *state;

    assert_false(receive(f));
    assert_non_null(strstr(f->err.text, "is it a wsdbench?"));
    peer_sends_frame(f, BENCH_WIRE_VERSION, BENCH_MSG_GO, 0, 0);
    assert_true(receive(f));
    f->err.text[0] = '\0';
    assert_false(receive(f));
    assert_non_null(strstr(f->err.text, "silent"));
    assert_null(strstr(f->err.text, "is it a wsdbench?"));
}

static void a_body_that_is_too_long_is_refused_before_it_is_read(void **state)
{
    struct fixture *f = *state;

    peer_sends_frame(f, BENCH_WIRE_VERSION, BENCH_MSG_GO, 0xFFFFFFFF, 0);
    assert_false(receive(f));
    assert_non_null(strstr(f->err.text, "malformed"));
}

static void another_message_than_expected_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t body[BENCH_BODY_MAX];
    size_t bytes;

    peer_sends_frame(f, BENCH_WIRE_VERSION, BENCH_MSG_DONE, 0, 0);
    assert_false(bench_control_expect(&f->ours, BENCH_MSG_GO, body, &bytes));
}

static void the_peers_error_becomes_ours(void **state)
{
    struct fixture *f = *state;
    struct bench_control other;
    struct bench_error err = {{0}};

    (void)bench_fail(&err, "the device\033 burns");
    bench_control_init(&other, f->peer, 200, &err);
    bench_control_send_error(&other);
    assert_false(receive(f));
    assert_non_null(strstr(f->err.text, "the device? burns"));
}

static void looking_does_not_consume(void **state)
{
    struct fixture *f = *state;
    uint8_t body[BENCH_BODY_MAX];
    size_t bytes;

    assert_true(bench_control_alive(&f->ours));
    peer_sends_frame(f, BENCH_WIRE_VERSION, BENCH_MSG_END, 0, 0);
    assert_true(bench_control_alive(&f->ours));
    assert_true(bench_control_expect(&f->ours, BENCH_MSG_END, body, &bytes));
    bench_net_close(f->peer);
    f->peer = PAL_SOCKET_NONE;
    assert_false(bench_control_alive(&f->ours));
}

static void looking_sees_the_peers_error(void **state)
{
    struct fixture *f = *state;

    peer_sends_frame(f, BENCH_WIRE_VERSION, BENCH_MSG_ERROR, 0, 0);
    assert_false(bench_control_alive(&f->ours));
}

static void a_peer_that_does_not_read_does_not_hang_us(void **state)
{
    struct fixture *f = *state;
    uint8_t body[BENCH_BODY_MAX] = {0};
    int sent = 0;

    while (bench_control_send(&f->ours, BENCH_MSG_GO, body, sizeof body) && sent < 10000)
        sent++;
    assert_true(sent < 10000);
    assert_true(f->err.text[0] != '\0');
}

static void a_server_refuses_a_hostile_client(void **state)
{
    struct fixture *f = *state;
    static const struct bench_options options;

    peer_sends_frame(f, BENCH_WIRE_VERSION, BENCH_MSG_HELLO, 40, 40); /* all zero: depth 0, no sizes */
    assert_false(bench_session_server(&options, &f->ours));
    assert_true(f->err.text[0] != '\0');
}

static void a_server_refuses_a_client_that_starts_in_the_middle(void **state)
{
    struct fixture *f = *state;
    static const struct bench_options options;

    peer_sends_frame(f, BENCH_WIRE_VERSION, BENCH_MSG_RUN, 8, 8);
    assert_false(bench_session_server(&options, &f->ours));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_arrives_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silence_ends_with_the_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(half_a_message_ends_with_the_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_channel_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stranger_is_named_by_what_it_has_sent_so_far, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_who_has_never_spoken_our_language_is_doubted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_body_that_is_too_long_is_refused_before_it_is_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_message_than_expected_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_peers_error_becomes_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(looking_does_not_consume, set_up, tear_down),
        cmocka_unit_test_setup_teardown(looking_sees_the_peers_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_peer_that_does_not_read_does_not_hang_us, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_refuses_a_hostile_client, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_refuses_a_client_that_starts_in_the_middle, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
