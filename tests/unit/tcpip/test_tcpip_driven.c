/* test_tcpip_driven.c - a program that asks for its results again and again moves its own bytes; when it stops, or closes, others do. */
#include <stdlib.h>

#include "fixture.h"

#include "pal/time.h"

#define V4       WS_AF_INET
#define QUESTION 100u       /* so many make a socket driven, however that is counted */
#define PIECE    (1u << 20) /* more than the system takes at once */
#define PIECES   16u

static void ask(struct end *e, unsigned times)
{
    while (times-- > 0)
        e->c->ops->drive(e->c);
}

static void ask_until_over(struct end *e, struct op *o)
{
    const uint64_t deadline_ns = test_deadline();

    while (!op_is_over(o) && pal_now_ns() < deadline_ns)
        ask(e, 1);
    assert_true(op_is_over(o));
}

static char byte_at(size_t i)
{
    return (char)(i * 31u + (i >> 9));
}

static void check(const char *data, size_t from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (data[i] != byte_at(from + i))
            fail_msg("byte %zu is another", from + i);
}

static char *block_of_bytes(void)
{
    char *data = malloc(PIECE * PIECES);

    assert_non_null(data);
    for (size_t i = 0; i < PIECE * PIECES; i++)
        data[i] = byte_at(i);
    return data;
}

/* More than the system takes while nobody reads: the last ones wait. Answers how many do; they are the last ones. */
static unsigned submit_all(struct end *e, struct op *sends, char *data)
{
    unsigned waiting = 0;

    for (unsigned i = 0; i < PIECES; i++) {
        int code;

        op_init(&sends[i], e, SW_REQUEST_SEND, data + i * PIECE, PIECE, 0);
        code = op_submit(&sends[i]);
        assert_true(code == WSA_IO_PENDING || (code == 0 && waiting == 0));
        waiting += code == WSA_IO_PENDING;
    }
    assert_in_range(waiting, 1, PIECES);
    return waiting;
}

static void receive_all(struct end *e)
{
    char *data = malloc(PIECE * PIECES);

    assert_non_null(data);
    end_receive(e, data, PIECE * PIECES);
    check(data, 0, PIECE * PIECES);
    free(data);
}

/* It waits, and is asked for so often that the socket is driven. */
static void ask_for_a_receive(struct end *e, struct op *o, char *room, size_t bytes)
{
    op_init(o, e, SW_REQUEST_RECEIVE, room, bytes, 0);
    assert_int_equal(op_submit(o), WSA_IO_PENDING);
    ask(e, QUESTION);
}

static void who_asks_gets_what_came(void **state)
{
    struct end a, b;
    struct op o;
    char got[8];

    (void)state;
    pair_open(&a, &b, V4);
    for (unsigned round = 0; round < 50; round++) {
        ask_for_a_receive(&b, &o, got, sizeof got);
        assert_false(op_is_over(&o));
        end_send(&a, "abc", 3);
        ask_until_over(&b, &o);
        assert_int_equal(o.r.op.bytes, 3);
    }
    pair_close(&a, &b);
}

static void who_stops_asking_is_told(void **state)
{
    struct end a, b;
    struct op o;
    char got[8];

    (void)state;
    pair_open(&a, &b, V4);
    ask_for_a_receive(&b, &o, got, sizeof got);
    end_send(&a, "abc", 3);
    op_await(&o);
    assert_int_equal(o.r.op.bytes, 3);
    ask(&b, QUESTION); /* nothing is queued */
    pair_close(&a, &b);
}

static void large_sends_go_out_while_both_ends_ask(void **state)
{
    struct end a, b;
    struct op sends[PIECES], o;
    char *data = block_of_bytes(), *got = malloc(PIECE);
    size_t received = 0;
    unsigned waiting;

    (void)state;
    assert_non_null(got);
    pair_open(&a, &b, V4);
    waiting = submit_all(&a, sends, data);
    while (received < PIECE * PIECES) {
        op_init(&o, &b, SW_REQUEST_RECEIVE, got, PIECE, 0);
        if (op_submit(&o) == WSA_IO_PENDING)
            for (uint64_t until = test_deadline(); !op_is_over(&o) && pal_now_ns() < until;) {
                ask(&a, 1);
                ask(&b, 1);
            }
        assert_int_equal(o.r.op.error, 0);
        assert_in_range(o.r.op.bytes, 1, PIECE);
        check(got, received, (size_t)o.r.op.bytes);
        received += (size_t)o.r.op.bytes;
    }
    for (unsigned i = PIECES - waiting; i < PIECES; i++) {
        op_await(&sends[i]);
        assert_int_equal(sends[i].r.op.bytes, PIECE);
    }
    free(got);
    free(data);
    pair_close(&a, &b);
}

static void what_a_driven_socket_sent_arrives_after_its_close(void **state)
{
    struct end a, b;
    struct op sends[PIECES];
    char *data = block_of_bytes();

    (void)state;
    pair_open(&a, &b, V4);
    (void)submit_all(&a, sends, data);
    ask(&a, QUESTION);
    a.c->ops->close(a.c, SW_SESSION_LINGER_FOREVER);
    receive_all(&b);
    end_await_closed(&a);
    assert_int_equal(end_close(&b, SW_SESSION_LINGER_FOREVER), 0);
    free(data);
}

/* Nor does the list that the engine looks through keep a socket once the engine has ended. */
static void a_closed_one_is_gone_when_the_engine_is(void **state)
{
    struct end a, b;
    struct op o;
    char got[8];

    (void)state;
    pair_open(&a, &b, V4);
    ask_for_a_receive(&b, &o, got, sizeof got);
    b.c->ops->close(b.c, SW_SESSION_LINGER_FOREVER);
    op_await(&o);
    assert_int_equal(o.r.op.error, WSA_OPERATION_ABORTED);
    sw_tcp_stop();
    end_await_closed(&b);
    assert_int_equal(end_close(&a, SW_SESSION_LINGER_FOREVER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_gets_what_came),
        cmocka_unit_test(who_stops_asking_is_told),
        cmocka_unit_test(large_sends_go_out_while_both_ends_ask),
        cmocka_unit_test(what_a_driven_socket_sent_arrives_after_its_close),
        cmocka_unit_test(a_closed_one_is_gone_when_the_engine_is),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    sw_tcp_stop();
    return failed;
}
