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

enum {
    SOCKETS = 8,
    NAP_MS = 1000 /* as in engine.c */,
    LATE_MS = 500 /* a busy machine */,
    ROUNDS = 3,
    PATIENCE_MS = 20000
};
#define MS 1000000ull

static struct wsd_sock *sock[SOCKETS];
static pal_atomic_u32 signals, naps, timeouts;
static pal_atomic_u64 timed_out_ns[SOCKETS]; /* 0: not yet */

uint32_t __real_pal_wait(const pal_waitable *waits, unsigned n, int timeout_ms);
uint32_t __wrap_pal_wait(const pal_waitable *waits, unsigned n, int timeout_ms);
void __real_pal_wakeup_signal(struct pal_wakeup *w);
void __wrap_pal_wakeup_signal(struct pal_wakeup *w);
void __wrap_wsd_conn_timeout(struct wsd_sock *s);

/* Before the connection thread sleeps it has written down when it wakes by itself; it has not when it only looks. */
uint32_t __wrap_pal_wait(const pal_waitable *waits, unsigned n, int timeout_ms)
{
    if (timeout_ms != 0 && wsd_engine_is_me())
        pal_add_acq_rel(&naps, 1);
    return __real_pal_wait(waits, n, timeout_ms);
}

void __wrap_pal_wakeup_signal(struct pal_wakeup *w)
{
    pal_add_relaxed(&signals, 1);
    __real_pal_wakeup_signal(w);
}

void __wrap_wsd_conn_timeout(struct wsd_sock *s)
{
    const uint64_t now_ns = pal_now_ns();
    wsd_engine_forget_timer(s);
    pal_add_acq_rel(&timeouts, 1); /* who sees the time sees it counted */
    for (unsigned i = 0; i < SOCKETS; i++)
        if (sock[i] == s)
            pal_store_release(&timed_out_ns[i], now_ns);
}

/* The thread has done what it was told since there were `before` naps, and sleeps once more. */
static bool naps_again(uint32_t before)
{
    const uint64_t give_up = pal_now_ns() + PATIENCE_MS * MS;
    while (pal_load_acquire(&naps) == before && pal_now_ns() < give_up)
        pal_sleep_ms(1);
    return pal_load_acquire(&naps) != before;
}

static int setup(void **state)
{
    char why[256];
    (void)state;
    pal_store_relaxed(&naps, 0);
    pal_store_relaxed(&timeouts, 0);
    for (unsigned i = 0; i < SOCKETS; i++)
        pal_store_relaxed(&timed_out_ns[i], 0);
    if (loop_backend_register() != VB_OK ||
        vb_open("loop", &wsd_provider.backend, why, sizeof why) != VB_OK || wsd_engine_start() != VB_OK)
        return -1;
    for (unsigned i = 0; i < SOCKETS; i++)
        if (!(sock[i] = wsd_sock_create(WSD_REF_DESCRIPTOR)))
            return -1;
    return naps_again(0) ? 0 : -1; /* it sleeps, and there is no timer */
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

/* Not before its time. True: and soon after. */
static bool times_out(unsigned i, uint64_t at)
{
    const uint64_t give_up = pal_now_ns() + PATIENCE_MS * MS;
    uint64_t when_ns;
    while (!(when_ns = pal_load_acquire(&timed_out_ns[i])) && pal_now_ns() < give_up)
        pal_sleep_ms(1);
    assert_true(when_ns >= at);
    return when_ns < at + LATE_MS * MS;
}

/* A busy machine may hold any thread up, so a round that it spoilt is done afresh, with a new connection thread. What the
 * provider does wrong it does wrong in every round. */
static void once_undisturbed(bool (*one_round)(void))
{
    for (unsigned i = 1; !one_round(); i++) {
        assert_true(i < ROUNDS);
        (void)teardown(NULL);
        assert_int_equal(setup(NULL), 0);
    }
}

static bool wake_from_sleep_for_ever(void)
{
    const bool is_soon = times_out(0, watch(sock[0], 50));
    assert_int_equal(pal_load_acquire(&timeouts), 1);
    return is_soon;
}

static void a_deadline_is_kept_by_a_thread_that_sleeps_for_ever(void **state)
{
    (void)state;
    once_undisturbed(wake_from_sleep_for_ever);
}

static bool wake_from_sleep_for_a_later_one(void)
{
    const uint32_t before = pal_load_acquire(&naps);
    const uint64_t later = watch(sock[0], 700);
    assert_true(naps_again(before));
    const bool is_soon = times_out(1, watch(sock[1], 50));
    const bool is_later_soon = times_out(0, later);
    assert_int_equal(pal_load_acquire(&timeouts), 2);
    return is_soon && is_later_soon;
}

static void an_earlier_deadline_is_kept_by_a_thread_that_sleeps_for_a_later_one(void **state)
{
    (void)state;
    once_undisturbed(wake_from_sleep_for_a_later_one);
}

static bool let_it_nap(void)
{
    const uint32_t before = pal_load_acquire(&naps);
    uint64_t at[SOCKETS];
    bool is_soon = true;
    at[0] = watch(sock[0], 900);
    assert_true(naps_again(before));
    pal_store_relaxed(&signals, 0);
    for (unsigned i = 1; i < SOCKETS; i++)
        at[i] = watch(sock[i], 1500);
    if (pal_load_relaxed(&signals) != 0 && pal_now_ns() >= at[0])
        return false; /* that nap was over before we were done */
    assert_int_equal(pal_load_relaxed(&signals), 0);
    for (unsigned i = 0; i < SOCKETS; i++)
        is_soon = times_out(i, at[i]) && is_soon;
    assert_int_equal(pal_load_acquire(&timeouts), SOCKETS);
    return is_soon;
}

/* The thread naps at most a second while there are timers, so it need not be told of these. */
static void a_deadline_behind_the_next_nap_wakes_nobody_and_is_kept(void **state)
{
    (void)state;
    once_undisturbed(let_it_nap);
}

static bool meet_deadlines(void)
{
    const uint32_t before = pal_load_acquire(&naps);
    const uint64_t start_ns = pal_now_ns();
    pal_store_relaxed(&signals, 0);
    for (unsigned i = 0; i < 20; i++) {
        wsd_engine_watch(sock[i % SOCKETS], pal_now_ns() + 5000 * MS);
        if (i == 0) /* until then it may still count as one that sleeps for ever */
            assert_true(naps_again(before));
        pal_sleep_ms(10); /* it gets to sleep in between */
    }
    if (pal_load_relaxed(&signals) != 1 && pal_now_ns() - start_ns >= NAP_MS * MS)
        return false; /* a nap without a new deadline, and it sleeps for ever again */
    assert_int_equal(pal_load_relaxed(&signals), 1);
    assert_int_equal(pal_load_acquire(&timeouts), 0);
    return true;
}

/* Who makes one connection after the other; each is up before the thread looks. */
static void deadlines_that_are_met_wake_the_thread_once(void **state)
{
    (void)state;
    once_undisturbed(meet_deadlines);
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
