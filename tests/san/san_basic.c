/* san_basic.c - connect, accept, a few bytes there and back, large ones, close. */
#include "san_test.h"

static void bytes_go_both_ways(void **state)
{
    struct end a, b;
    char text[64];
    size_t n;

    (void)state;
    end_pair(&a, &b);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(end_send(&a, "ping", 4), 0);
        assert_int_equal(end_receive(&b, text, sizeof(text), &n), 0);
        assert_int_equal(n, 4);
        assert_memory_equal(text, "ping", 4);
        assert_int_equal(end_send(&b, "pong!", 5), 0);
        assert_int_equal(end_receive(&a, text, sizeof(text), &n), 0);
        assert_int_equal(n, 5);
    }
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    assert_int_equal(end_receive(&b, text, sizeof(text), &n), 0);
    assert_int_equal(n, 0);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

static void nobody_listens(void **state)
{
    struct end listener, a;
    WSD_SOCKADDR_IN to;

    (void)state;
    end_listen(&listener, 5, &to);
    end_close(&listener, 0);
    assert_int_not_equal(end_connect(&a, &to), 0);
    assert_true(sw_san_may_fall_back(a.carrier));
    end_close(&a, 0);
}

struct transfer {
    struct end *e;
    const uint8_t *bytes;
    size_t n;
};

static void send_it(void *argument)
{
    struct transfer *t = argument;

    assert_int_equal(end_send(t->e, t->bytes, t->n), 0);
}

static void a_large_send_lands_in_the_receivers_memory(void **state)
{
    const size_t n = 3u << 20;
    uint8_t *from = malloc(n), *to = malloc(n);
    struct sw_san_stats stats;
    struct end a, b;

    (void)state;
    for (size_t i = 0; i < n; i++)
        from[i] = pattern(i, 1);
    end_pair(&a, &b);
    for (int i = 0; i < 4; i++) {
        struct transfer t = {&a, from, n};
        struct pal_thread *thread = pal_thread_start(send_it, &t, "send");

        assert_non_null(thread);
        memset(to, 0, n);
        end_receive_all(&b, to, n);
        pal_thread_join(thread);
        assert_memory_equal(from, to, n);
    }
    sw_san_stats(b.carrier, &stats);
    assert_true(stats.session.bytes_direct > 0);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
    free(from);
    free(to);
}

const struct CMUnitTest basic_tests[] = {
    cmocka_unit_test_setup_teardown(bytes_go_both_ways, san_setup, san_teardown),
    cmocka_unit_test_setup_teardown(nobody_listens, san_setup, san_teardown),
    cmocka_unit_test_setup_teardown(a_large_send_lands_in_the_receivers_memory, san_setup, san_teardown),
};
const size_t basic_test_count = sizeof(basic_tests) / sizeof(basic_tests[0]);
