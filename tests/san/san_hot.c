/* san_hot.c - connections whose application comes to look are polled for, and are notified again when it does not come. */
#include "san_test.h"

#define ROUNDS 3000u

static unsigned rounds = ROUNDS; /* of a ping-pong; set while nobody plays */

static void echo(void *argument)
{
    struct end *e = argument;
    char text[64];

    for (unsigned i = 0; i < rounds; i++) {
        end_receive_all(e, text, sizeof(text));
        assert_int_equal(end_send(e, text, sizeof(text)), 0);
    }
}

static void ping_pong(struct end *a, struct end *b)
{
    struct pal_thread *thread = pal_thread_start(echo, b, "echo");
    char text[64], back[64];

    assert_non_null(thread);
    for (unsigned i = 0; i < rounds; i++) {
        memset(text, (int)i, sizeof(text));
        assert_int_equal(end_send(a, text, sizeof(text)), 0);
        end_receive_all(a, back, sizeof(back));
        assert_memory_equal(text, back, sizeof(text));
    }
    pal_thread_join(thread);
}

static void blocking_calls_are_polled_for(void **state)
{
    struct sw_san_stats stats;
    struct end a, b;

    (void)state;
    env.settings.spin_us = 2000; /* sanitizers are slow */
    end_pair(&a, &b);
    ping_pong(&a, &b);
    sw_san_stats(a.carrier, &stats);
    assert_true(stats.polled_receives > 0);
    assert_int_equal(stats.polled_receives + stats.notified_receives, stats.session.messages_received);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

static void without_a_spin_time_nothing_is(void **state)
{
    struct sw_san_stats stats;
    struct end a, b;

    (void)state;
    env.settings.spin_us = 0;
    end_pair(&a, &b);
    ping_pong(&a, &b);
    sw_san_stats(a.carrier, &stats);
    assert_int_equal(stats.polled_receives, 0);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

static void what_was_hot_is_notified_of_what_comes_later(void **state)
{
    struct pending p;
    struct end a, b;
    char text[8];

    (void)state;
    env.settings.spin_us = 2000;
    end_pair(&a, &b);
    for (unsigned round = 0; round < 5; round++) {
        ping_pong(&a, &b);
        if (round % 2 == 0)
            pal_sleep_ms(1 + 3 * round); /* ticks pass, or not */
        assert_int_equal(end_submit(&a, &p, SW_REQUEST_RECEIVE, text, 4), 0);
        assert_int_equal(end_send(&b, "late", 4), 0);
        end_wait_pending(&a, &p);
        assert_memory_equal(text, "late", 4);
        assert_int_equal(end_send(&a, "back", 4), 0);
        end_wait_events(&b, FD_READ);
        end_receive_all(&b, text, 4);
    }
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_wait_events(&b, FD_CLOSE); /* its end as well */
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

static void a_poller_is_polled_for(void **state)
{
    struct sw_san_stats stats;
    struct pal_thread *thread;
    struct end a, b;
    char text[64];

    (void)state;
    end_pair(&a, &b);
    thread = pal_thread_start(echo, &b, "echo");
    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t got = 0, part;

        assert_int_equal(end_send(&a, text, sizeof(text)), 0);
        while (got < sizeof(text)) {
            int result = end_now(&a, SW_REQUEST_RECEIVE, 0, text + got, sizeof(text) - got, &part);

            assert_true(result == 0 || result == WSAEWOULDBLOCK);
            got += part;
            if (result != 0)
                pal_thread_yield();
        }
    }
    pal_thread_join(thread);
    sw_san_stats(a.carrier, &stats);
    assert_true(stats.polled_receives > 0);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

static bool is_reported(struct end *e, struct pending *p)
{
    bool is;

    pal_mutex_lock(&e->lock);
    is = p->times != 0;
    pal_mutex_unlock(&e->lock);
    return is;
}

/* One operation after the other; the program asks for each a few times, or for none. Polled receives, in the end. */
static uint64_t operations(bool is_asked_for)
{
    struct sw_san_stats stats;
    struct pending p;
    struct end a, b;
    char text[4];

    end_pair(&a, &b);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(end_submit(&a, &p, SW_REQUEST_RECEIVE, text, 4), 0);
        if (is_asked_for)
            a.carrier->ops->drive(a.carrier); /* in vain */
        assert_int_equal(end_send(&b, "here", 4), 0);
        for (unsigned n = 0; is_asked_for && n < WAIT_MS && !is_reported(&a, &p); n++) {
            pal_sleep_ms(1);
            a.carrier->ops->drive(a.carrier);
        }
        end_wait_pending(&a, &p);
        assert_memory_equal(text, "here", 4);
    }
    sw_san_stats(a.carrier, &stats);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
    return stats.polled_receives;
}

/* As one does that goes round many sockets. */
static void who_asks_a_little_for_each_operation_is_a_poller(void **state)
{
    (void)state;
    assert_true(operations(true) > 0);
}

static void who_never_asks_is_told(void **state)
{
    (void)state;
    assert_int_equal(operations(false), 0);
}

static void wait_for_abort(void *argument)
{
    struct end *e = argument;
    char text[8];
    size_t n;

    assert_int_equal(end_receive(e, text, sizeof(text), &n), WSAECONNRESET);
}

/* The one who waits is asleep, or looks: the end comes to him. */
static void the_end_comes_to_hot_connections(void **state)
{
    struct pal_thread *thread;
    struct end a, b;

    (void)state;
    rounds = 200; /* enough to be hot */
    for (unsigned i = 0; i < 10; i++) {
        env.settings.spin_us = i % 2 == 0 ? 50 : 20000;
        end_pair(&a, &b);
        ping_pong(&a, &b);
        thread = pal_thread_start(wait_for_abort, &b, "wait");
        pal_sleep_ms(i % 5);
        end_close(&a, 0);
        pal_thread_join(thread);
        end_close(&b, 0);
    }
    rounds = ROUNDS;
}

static void pair_and_ping(void *argument)
{
    struct end *e = argument;

    ping_pong(&e[0], &e[1]);
}

static void more_than_may_be_hot_work_all_the_same(void **state)
{
    enum { PAIRS = 10 };
    struct pal_thread *threads[PAIRS];
    struct end(*ends)[2] = calloc(PAIRS, sizeof(*ends));

    (void)state;
    /* Hot for most of them. Under Wine one of so many pairs takes milliseconds, and ROUNDS would be a minute. */
    rounds = 600;
    for (unsigned i = 0; i < PAIRS; i++)
        end_pair(&ends[i][0], &ends[i][1]);
    for (unsigned i = 0; i < PAIRS; i++)
        threads[i] = pal_thread_start(pair_and_ping, ends[i], "pair");
    for (unsigned i = 0; i < PAIRS; i++)
        pal_thread_join(threads[i]);
    for (unsigned i = 0; i < PAIRS; i++) {
        end_close(&ends[i][0], SW_SESSION_LINGER_FOREVER);
        end_close(&ends[i][1], SW_SESSION_LINGER_FOREVER);
    }
    rounds = ROUNDS;
    free(ends);
}

#define T(name) cmocka_unit_test_setup_teardown(name, san_setup, san_teardown)
const struct CMUnitTest hot_tests[] = {
    T(blocking_calls_are_polled_for),
    T(without_a_spin_time_nothing_is),
    T(what_was_hot_is_notified_of_what_comes_later),
    T(a_poller_is_polled_for),
    T(who_asks_a_little_for_each_operation_is_a_poller),
    T(who_never_asks_is_told),
    T(the_end_comes_to_hot_connections),
    T(more_than_may_be_hot_work_all_the_same),
};
const size_t hot_test_count = sizeof(hot_tests) / sizeof(hot_tests[0]);
