/* san_quiet.c - answers whose sending nobody waits for: their ends are seen by the way, and nothing that has to wait for them is forgotten. */
#include "san_test.h"

#define ROUNDS 300u

static void send_overlapped(struct end *e, const char *text, size_t n)
{
    struct pending p;

    assert_int_equal(end_submit(e, &p, SW_REQUEST_SEND, (void *)(uintptr_t)text, n), 0);
    end_wait_pending(e, &p);
    assert_int_equal(p.request.op.error, 0);
    assert_int_equal(p.request.op.bytes, n);
}

static void receive_overlapped(struct end *e, struct pending *p, char *into, const char *text, size_t n)
{
    end_wait_pending(e, p);
    assert_int_equal(p->request.op.error, 0);
    assert_int_equal(p->request.op.bytes, n);
    assert_memory_equal(into, text, n);
}

/* Question and answer by overlapped calls that nobody asks for: never hot. */
static void talk(struct end *a, struct end *b, unsigned rounds)
{
    char question[64], answer[64], at_a[64], at_b[64];
    struct pending to_a, to_b;

    for (unsigned i = 0; i < rounds; i++) {
        memset(question, (int)i, sizeof(question));
        memset(answer, (int)~i, sizeof(answer));
        assert_int_equal(end_submit(a, &to_a, SW_REQUEST_RECEIVE, at_a, sizeof(at_a)), 0);
        assert_int_equal(end_submit(b, &to_b, SW_REQUEST_RECEIVE, at_b, sizeof(at_b)), 0);
        send_overlapped(a, question, sizeof(question));
        receive_overlapped(b, &to_b, at_b, question, sizeof(question));
        send_overlapped(b, answer, sizeof(answer));
        receive_overlapped(a, &to_a, at_a, answer, sizeof(answer));
    }
}

static uint64_t quiet_sends(struct end *e)
{
    struct sw_san_stats stats;

    sw_san_stats(e->carrier, &stats);
    return stats.quiet_sends;
}

static void close_both(struct end *a, struct end *b)
{
    end_close(a, SW_SESSION_LINGER_FOREVER);
    end_close(b, SW_SESSION_LINGER_FOREVER);
    assert_int_equal(a->closed_error, 0);
    assert_int_equal(b->closed_error, 0);
}

static void answers_are_quiet(void **state)
{
    struct end a, b;

    (void)state;
    end_pair(&a, &b);
    talk(&a, &b, ROUNDS);
    /* all but the first question, which answers nothing, unless one had not gone when the next came */
    assert_in_range(quiet_sends(&a), ROUNDS / 2, ROUNDS - 1);
    assert_in_range(quiet_sends(&b), ROUNDS / 2, ROUNDS);
    close_both(&a, &b);
}

static void a_stream_is_not(void **state)
{
    enum { COUNT = 500 };
    struct pending *p = calloc(COUNT, sizeof(*p));
    uint8_t from[64 * COUNT], to[64 * COUNT];
    struct end a, b;

    (void)state;
    assert_non_null(p);
    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = pattern(i, 5);
    end_pair(&a, &b);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(end_submit(&a, &p[i], SW_REQUEST_SEND, from + 64 * i, 64), 0);
    end_receive_all(&b, to, sizeof(to));
    for (unsigned i = 0; i < COUNT; i++)
        end_wait_pending(&a, &p[i]);
    assert_memory_equal(from, to, sizeof(from));
    assert_int_equal(quiet_sends(&a), 0);
    close_both(&a, &b);
    free(p);
}

/* What is sent behind a quiet send needs its buffer, in one way or the other. */
static void buffers_come_back(void **state)
{
    enum { LARGE = 40000 };
    uint8_t *from = malloc(LARGE), *to = malloc(LARGE);
    struct end a, b;
    size_t done;

    (void)state;
    assert_true(from != NULL && to != NULL);
    for (size_t i = 0; i < LARGE; i++)
        from[i] = pattern(i, 6);
    end_pair(&a, &b);
    for (unsigned round = 0; round < 20; round++) {
        talk(&a, &b, 2);
        assert_true(quiet_sends(&b) > 0);
        assert_int_equal(end_now(&b, SW_REQUEST_SEND, 0, from, LARGE, &done), 0);
        assert_int_equal(done, LARGE); /* all or nothing: windows.md, trap 1 */
        end_receive_all(&a, to, LARGE);
        assert_memory_equal(from, to, LARGE);
        talk(&a, &b, 2);
        for (unsigned i = 0; i < 40; i++)
            assert_int_equal(end_send(&b, from + 1000 * i, 1000), 0);
        end_receive_all(&a, to, LARGE);
        assert_memory_equal(from, to, LARGE);
    }
    close_both(&a, &b);
    free(from);
    free(to);
}

/* The last thing said is quiet, and then comes the end, of this kind or that. */
static void an_end_right_behind_it(void **state)
{
    struct end a, b;
    char text[8];
    size_t n;

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        end_pair(&a, &b);
        talk(&a, &b, 3);
        send_overlapped(&a, "well", 4);
        end_receive_all(&b, text, 4);
        send_overlapped(&b, "bye", 3);
        if (round % 2 == 0)
            assert_int_equal(b.carrier->ops->shutdown(b.carrier, SD_SEND), 0);
        else
            end_close(&b, SW_SESSION_LINGER_FOREVER);
        end_receive_all(&a, text, 3);
        assert_memory_equal(text, "bye", 3);
        assert_int_equal(end_receive(&a, text, sizeof(text), &n), 0);
        assert_int_equal(n, 0);
        end_close(&a, SW_SESSION_LINGER_FOREVER);
        if (round % 2 == 0)
            end_close(&b, SW_SESSION_LINGER_FOREVER);
        assert_int_equal(a.closed_error, 0);
        assert_int_equal(b.closed_error, 0);
    }
}

static void a_peer_that_resets(void **state)
{
    struct pending waits;
    struct end a, b;
    char text[8];

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        end_pair(&a, &b);
        talk(&a, &b, 3);
        assert_int_equal(end_submit(&a, &waits, SW_REQUEST_RECEIVE, text, sizeof(text)), 0);
        send_overlapped(&a, "hello", 5);
        end_close(&b, 0);
        end_wait_pending(&a, &waits);
        assert_int_not_equal(waits.request.op.error, 0);
        end_close(&a, SW_SESSION_LINGER_FOREVER);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, san_setup, san_teardown)
const struct CMUnitTest quiet_tests[] = {
    T(answers_are_quiet),      T(a_stream_is_not),    T(buffers_come_back),
    T(an_end_right_behind_it), T(a_peer_that_resets),
};
const size_t quiet_test_count = sizeof(quiet_tests) / sizeof(quiet_tests[0]);
