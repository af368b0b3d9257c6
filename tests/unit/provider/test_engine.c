/* test_engine.c - deadlines of the connection thread: kept, whatever it was doing when they were set, and without waking it when
 * it will be awake in time. The thread is real, over the loop backend; what it does at a deadline is recorded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "loop_backend.h"
#include "pal/time.h"
#include "pal/wait.h"
#include "sock/conn.h"
#include "sock/engine.h"
#include "sock/instance.h"

enum { SOCKETS = 8, LATE_MS = 500 /* a busy machine */, PATIENCE_MS = 20000 };
#define MS 1000000ull

static pal_atomic_u32 signals, timeouts;
static pal_atomic_u64 timed_out_ns;

void __real_pal_wakeup_signal(struct pal_wakeup *w);
void __wrap_pal_wakeup_signal(struct pal_wakeup *w);
void __wrap_wsd_conn_timeout(struct wsd_sock *s);

void __wrap_pal_wakeup_signal(struct pal_wakeup *w)
{
    pal_add_relaxed(&signals, 1);
    __real_pal_wakeup_signal(w);
}

void __wrap_wsd_conn_timeout(struct wsd_sock *s)
{
    wsd_engine_forget_timer(s);
    pal_store_relaxed(&timed_out_ns, pal_now_ns());
    pal_add_acq_rel(&timeouts, 1);
}

static struct wsd_sock *sock[SOCKETS];

static int setup(void **state)
{
    char why[256];
    (void)state;
    pal_store_relaxed(&timeouts, 0);
    if (loop_backend_register() != VB_OK ||
        vb_open("loop", &wsd_provider.backend, why, sizeof why) != VB_OK || wsd_engine_start() != VB_OK)
        return -1;
    for (unsigned i = 0; i < SOCKETS; i++)
        if (!(sock[i] = wsd_sock_create(WSD_REF_DESCRIPTOR)))
            return -1;
    pal_sleep_ms(20); /* it sleeps, and there is no timer */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wsd_engine_stop();
    for (unsigned i = 0; i < SOCKETS; i++)
        wsd_sock_release(sock[i], WSD_REF_DESCRIPTOR);
    vb_close(wsd_provider.backend);
    return 0;
}

static uint64_t watch(struct wsd_sock *s, uint32_t ms)
{
    const uint64_t at = pal_now_ns() + ms * MS;
    pal_mutex_lock(&s->lock);
    s->deadline_ns = at;
    pal_mutex_unlock(&s->lock);
    wsd_engine_watch(s, at);
    return at;
}

static void expect_timeouts(uint32_t count, uint64_t at)
{
    const uint64_t give_up = pal_now_ns() + PATIENCE_MS * MS;
    while (pal_load_acquire(&timeouts) < count && pal_now_ns() < give_up)
        pal_sleep_ms(1);
    assert_int_equal(pal_load_acquire(&timeouts), count);
    assert_true(pal_load_relaxed(&timed_out_ns) >= at);
    assert_true(pal_load_relaxed(&timed_out_ns) < at + LATE_MS * MS);
}

static void a_deadline_is_kept_by_a_thread_that_sleeps_for_ever(void **state)
{
    (void)state;
    expect_timeouts(1, watch(sock[0], 50));
}

static void an_earlier_deadline_is_kept_by_a_thread_that_sleeps_for_a_later_one(void **state)
{
    uint64_t later;
    (void)state;
    later = watch(sock[0], 700);
    pal_sleep_ms(50);
    expect_timeouts(1, watch(sock[1], 50));
    expect_timeouts(2, later);
}

/* The thread naps at most a second while there are timers, so it need not be told of these. */
static void a_deadline_behind_the_next_nap_wakes_nobody_and_is_kept(void **state)
{
    uint64_t at = 0;
    (void)state;
    (void)watch(sock[0], 900);
    pal_sleep_ms(50);
    pal_store_relaxed(&signals, 0);
    for (unsigned i = 1; i < SOCKETS; i++)
        at = watch(sock[i], 1500);
    assert_int_equal(pal_load_relaxed(&signals), 0);
    expect_timeouts(SOCKETS, at);
}

/* Who makes one connection after the other; each is up before the thread looks. */
static void deadlines_that_are_met_wake_the_thread_once(void **state)
{
    (void)state;
    pal_store_relaxed(&signals, 0);
    for (unsigned i = 0; i < 20; i++) {
        wsd_engine_watch(sock[i % SOCKETS], pal_now_ns() + 5000 * MS);
        pal_sleep_ms(10); /* it gets to sleep in between */
    }
    assert_int_equal(pal_load_relaxed(&signals), 1);
    assert_int_equal(pal_load_acquire(&timeouts), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_deadline_is_kept_by_a_thread_that_sleeps_for_ever),
        TEST(an_earlier_deadline_is_kept_by_a_thread_that_sleeps_for_a_later_one),
        TEST(a_deadline_behind_the_next_nap_wakes_nobody_and_is_kept),
        TEST(deadlines_that_are_met_wake_the_thread_once),
    };

    return cmocka_run_group_tests_name("provider: the connection thread's deadlines", tests, NULL, NULL);
}
