/* test_pal.c - the platform contract of pal/include/pal, function by function. What it says of the contract
 * holds on every platform; what is looked at from outside (other processes, who may read a record) is in
 * pal_outside_posix.c and pal_outside_windows.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pal/atomic.h"
#include "pal/dll.h"
#include "pal/event.h"
#include "pal/memory.h"
#include "pal/mutex.h"
#include "pal/process.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "pal/wait.h"
#include "pal_outside.h"

#define MS       1000000u
#define PATIENCE 20000u /* ms: a test that waits longer has failed */

/* ---- helpers ---- */

static void until(pal_atomic_u32 *value, uint32_t wanted)
{
    uint64_t deadline_ns = pal_now_ns() + (uint64_t)PATIENCE * MS;
    while (pal_load_acquire(value) != wanted) {
        assert_true(pal_now_ns() < deadline_ns);
        pal_sleep_ms(1);
    }
}

/* ---- time ---- */

static void the_monotonic_clock_moves_forward_and_is_never_zero(void **state)
{
    (void)state;
    uint64_t before = pal_now_ns();
    assert_true(before > 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = pal_now_ns();
        assert_true(now >= before);
        before = now;
    }
}

static void sleeping_takes_at_least_the_time_asked_for(void **state)
{
    (void)state;
    uint64_t before = pal_now_ns();
    pal_sleep_ms(12);
    assert_true(pal_now_ns() - before >= 12 * MS);
}

static void the_wall_clock_is_in_this_century(void **state)
{
    (void)state;
    assert_true(pal_wall_ms() > 1577836800000u); /* 2020-01-01 */
    assert_true(pal_wall_ms() < 4102444800000u); /* 2100-01-01 */
}

/* ---- memory ---- */

static void pages_are_zeroed_aligned_and_writable_to_the_end(void **state)
{
    (void)state;
    size_t page = pal_page_size();
    assert_true(page >= 4096 && (page & (page - 1)) == 0);
    size_t bytes = 3 * page + 1;
    uint8_t *pages = pal_pages_alloc(bytes);
    assert_non_null(pages);
    assert_int_equal((uintptr_t)pages % page, 0);
    for (size_t i = 0; i < 4 * page; i++)
        assert_int_equal(pages[i], 0);
    memset(pages, 0xa5, 4 * page);
    pal_pages_free(pages, bytes);
}

static void impossible_page_counts_are_refused(void **state)
{
    (void)state;
    assert_null(pal_pages_alloc(0));
    assert_null(pal_pages_alloc(SIZE_MAX));
    assert_null(pal_pages_alloc(SIZE_MAX / 2));
    pal_pages_free(NULL, 10);
}

static void random_bytes_differ_from_call_to_call(void **state)
{
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0};
    assert_true(pal_random(a, sizeof a));
    assert_true(pal_random(b, sizeof b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(pal_random(a, 0));
}

static void the_resident_set_grows_with_memory_that_is_touched(void **state)
{
    (void)state;
    size_t bytes = 32u << 20;
    size_t before = pal_resident_bytes();
    assert_true(before > 0);
    void *pages = pal_pages_alloc(bytes);
    assert_non_null(pages);
    memset(pages, 1, bytes);
    assert_true(pal_resident_bytes() >= before + bytes / 2);
    pal_pages_free(pages, bytes);
}

/* ---- threads ---- */

static void report_thread(void *arg)
{
    uint64_t *id = arg;
    *id = pal_thread_id();
    assert_int_equal(pal_thread_id(), *id);
}

static void a_thread_has_its_own_number(void **state)
{
    (void)state;
    uint64_t first = 0, second = 0;
    struct pal_thread *t = pal_thread_start(report_thread, &first, "a-name-that-is-too-long");
    assert_non_null(t);
    pal_thread_join(t);
    t = pal_thread_start(report_thread, &second, NULL);
    assert_non_null(t);
    pal_thread_join(t);
    assert_true(first != 0 && second != 0 && first != second);
    assert_true(first != pal_thread_id() && second != pal_thread_id());
    pal_thread_yield();
    assert_true(pal_processors() >= 1);
}

static void joining_nothing_is_harmless(void **state)
{
    (void)state;
    pal_thread_join(NULL);
}

/* ---- mutex and condition ---- */

#define WORKERS 4
#define ROUNDS  5000

struct counted {
    struct pal_mutex lock;
    struct pal_cond changed;
    unsigned value;
    pal_atomic_u32 failed_tries;
};

static void add_under_lock(void *arg)
{
    struct counted *c = arg;
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 3 == 0) {
            while (!pal_mutex_trylock(&c->lock)) {
                pal_add_relaxed(&c->failed_tries, 1);
                pal_cpu_relax();
            }
        } else {
            pal_mutex_lock(&c->lock);
        }
        c->value++;
        pal_mutex_unlock(&c->lock);
    }
}

static void a_mutex_keeps_threads_apart(void **state)
{
    (void)state;
    struct counted c = {.value = 0};
    struct pal_thread *threads[WORKERS];
    assert_true(pal_mutex_init(&c.lock));
    for (int i = 0; i < WORKERS; i++)
        assert_non_null(threads[i] = pal_thread_start(add_under_lock, &c, "adder"));
    for (int i = 0; i < WORKERS; i++)
        pal_thread_join(threads[i]);
    assert_int_equal(c.value, WORKERS * ROUNDS);
    pal_mutex_fini(&c.lock);
}

static struct pal_mutex static_lock = PAL_MUTEX_INIT;

static void try_lock(void *arg)
{
    bool *got = arg;
    *got = pal_mutex_trylock(&static_lock);
    if (*got)
        pal_mutex_unlock(&static_lock);
}

static void a_static_mutex_works_and_trylock_fails_while_it_is_held(void **state)
{
    (void)state;
    bool got = true;
    pal_mutex_lock(&static_lock);
    pal_thread_join(pal_thread_start(try_lock, &got, "try"));
    assert_false(got);
    pal_mutex_unlock(&static_lock);
    pal_thread_join(pal_thread_start(try_lock, &got, "try"));
    assert_true(got);
}

static void wait_for_turn(void *arg)
{
    struct counted *c = arg;
    pal_mutex_lock(&c->lock);
    while (c->value == 0)
        pal_cond_wait(&c->changed, &c->lock);
    c->value++;
    pal_cond_signal(&c->changed);
    pal_mutex_unlock(&c->lock);
}

static void a_condition_wakes_waiters_and_gives_the_lock_back(void **state)
{
    (void)state;
    struct counted c = {.value = 0};
    struct pal_thread *threads[WORKERS];
    assert_true(pal_mutex_init(&c.lock));
    assert_true(pal_cond_init(&c.changed));
    for (int i = 0; i < WORKERS; i++)
        assert_non_null(threads[i] = pal_thread_start(wait_for_turn, &c, "waiter"));
    pal_mutex_lock(&c.lock);
    c.value = 1;
    pal_cond_broadcast(&c.changed);
    while (c.value != WORKERS + 1)
        assert_true(pal_cond_timedwait(&c.changed, &c.lock, pal_now_ns() + (uint64_t)PATIENCE * MS));
    PAL_ASSERT_HELD(&c.lock);
    pal_mutex_unlock(&c.lock);
    for (int i = 0; i < WORKERS; i++)
        pal_thread_join(threads[i]);
    pal_cond_fini(&c.changed);
    pal_mutex_fini(&c.lock);
}

static void wait_for_turn_alertably(void *arg)
{
    struct counted *c = arg;
    pal_mutex_lock(&c->lock);
    while (c->value == 0)
        (void)pal_cond_wait_alertably(&c->changed, &c->lock, UINT64_MAX);
    PAL_ASSERT_HELD(&c->lock);
    c->value++;
    pal_cond_signal(&c->changed);
    pal_mutex_unlock(&c->lock);
}

/* Half of them wait in the one way, half in the other; and so does who waits for them. */
static void a_condition_wakes_alertable_waiters_too(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct counted c = {.value = 0};
        struct pal_thread *threads[WORKERS];
        assert_true(pal_mutex_init(&c.lock));
        assert_true(pal_cond_init(&c.changed));
        for (int i = 0; i < WORKERS; i++)
            assert_non_null(
                threads[i] = pal_thread_start(i % 2 ? wait_for_turn : wait_for_turn_alertably, &c, "waiter"));
        pal_mutex_lock(&c.lock);
        c.value = 1;
        pal_cond_broadcast(&c.changed);
        while (c.value != WORKERS + 1)
            assert_true(pal_cond_wait_alertably(&c.changed, &c.lock, pal_now_ns() + (uint64_t)PATIENCE * MS));
        pal_mutex_unlock(&c.lock);
        for (int i = 0; i < WORKERS; i++)
            pal_thread_join(threads[i]);
        pal_cond_fini(&c.changed);
        pal_mutex_fini(&c.lock);
    }
}

static void a_timed_wait_ends_at_its_deadline(void **state)
{
    (void)state;
    struct counted c = {.value = 0};
    assert_true(pal_mutex_init(&c.lock));
    assert_true(pal_cond_init(&c.changed));
    pal_mutex_lock(&c.lock);
    uint64_t deadline_ns = pal_now_ns() + 15 * MS;
    while (pal_cond_timedwait(&c.changed, &c.lock, deadline_ns))
        ;
    assert_true(pal_now_ns() >= deadline_ns);
    assert_false(pal_cond_timedwait(&c.changed, &c.lock, 1)); /* long over */
    deadline_ns = pal_now_ns() + 15 * MS;
    while (pal_cond_wait_alertably(&c.changed, &c.lock, deadline_ns))
        ;
    assert_true(pal_now_ns() >= deadline_ns);
    assert_false(pal_cond_wait_alertably(&c.changed, &c.lock, 1));
    pal_mutex_unlock(&c.lock);
    pal_cond_fini(&c.changed);
    pal_mutex_fini(&c.lock);
}

#ifdef PAL_LOCK_DEBUG

static void ask_for_owner(void *arg)
{
    bool *is_mine = arg;
    *is_mine = pal_mutex_is_mine(&static_lock);
    assert_int_equal(pal_locks_held(), 0);
}

static void debug_builds_count_held_locks_and_know_the_owner(void **state)
{
    (void)state;
    struct pal_mutex other;
    bool is_mine = true;
    assert_true(pal_mutex_init(&other));
    assert_int_equal(pal_locks_held(), 0);
    pal_mutex_lock(&static_lock);
    assert_true(pal_mutex_trylock(&other));
    assert_int_equal(pal_locks_held(), 2);
    assert_true(pal_mutex_is_mine(&static_lock));
    pal_thread_join(pal_thread_start(ask_for_owner, &is_mine, "asker"));
    assert_false(is_mine);
    pal_mutex_unlock(&other);
    assert_false(pal_mutex_is_mine(&other));
    assert_int_equal(pal_locks_held(), 1);
    pal_mutex_unlock(&static_lock);
    assert_int_equal(pal_locks_held(), 0);
    PAL_ASSERT_NO_LOCKS();
    pal_mutex_fini(&other);
}

#endif

/* ---- events ---- */

static pal_atomic_u32 inside_cond_wait; /* threads */

void __real_pal_cond_wait(struct pal_cond *c, struct pal_mutex *m);
void __wrap_pal_cond_wait(struct pal_cond *c, struct pal_mutex *m);

void __wrap_pal_cond_wait(struct pal_cond *c, struct pal_mutex *m)
{
    pal_add_acq_rel(&inside_cond_wait, 1);
    __real_pal_cond_wait(c, m);
    pal_sub_acq_rel(&inside_cond_wait, 1);
}

struct event_waiters {
    struct pal_event *event;
    uint32_t timeout_ms;
    pal_atomic_u32 released, timed_out;
};

static void wait_on_event(void *arg)
{
    struct event_waiters *w = arg;
    if (pal_event_wait(w->event, w->timeout_ms))
        pal_add_acq_rel(&w->released, 1);
    else
        pal_add_acq_rel(&w->timed_out, 1);
}

/* Threads that are inside the wait when this returns: one that waits for ever is in the event's list, and holds its lock, when it
 * calls pal_cond_wait(), so a set that comes later finds it there. */
static void start_waiters(struct event_waiters *w, struct pal_thread *threads[WORKERS])
{
    for (int i = 0; i < WORKERS; i++)
        assert_non_null(threads[i] = pal_thread_start(wait_on_event, w, "event"));
    until(&inside_cond_wait, WORKERS);
}

static void a_manual_event_stays_set_until_reset(void **state)
{
    (void)state;
    struct pal_event *e = pal_event_create(true, false);
    assert_non_null(e);
    assert_false(pal_event_wait(e, 0));
    pal_event_set(e);
    assert_true(pal_event_wait(e, 0));
    assert_true(pal_event_wait(e, PAL_WAIT_FOREVER));
    pal_event_reset(e);
    assert_false(pal_event_wait(e, 0));
    pal_event_destroy(e);
}

static void an_auto_event_is_consumed_by_one_wait_and_does_not_count_sets(void **state)
{
    (void)state;
    struct pal_event *e = pal_event_create(false, false);
    assert_non_null(e);
    pal_event_set(e);
    pal_event_set(e);
    assert_true(pal_event_wait(e, 5));
    assert_false(pal_event_wait(e, 0));
    pal_event_set(e);
    pal_event_reset(e);
    assert_false(pal_event_wait(e, 0));
    pal_event_destroy(e);
}

static void an_event_can_begin_set(void **state)
{
    (void)state;
    struct pal_event *manual = pal_event_create(true, true), *automatic = pal_event_create(false, true);
    assert_true(pal_event_wait(manual, 0) && pal_event_wait(manual, 0));
    assert_true(pal_event_wait(automatic, 0));
    assert_false(pal_event_wait(automatic, 0));
    pal_event_destroy(manual);
    pal_event_destroy(automatic);
    pal_event_destroy(NULL);
}

static void a_wait_that_is_not_answered_times_out(void **state)
{
    (void)state;
    struct pal_event *e = pal_event_create(false, false);
    uint64_t before = pal_now_ns();
    assert_false(pal_event_wait(e, 15));
    assert_true(pal_now_ns() - before >= 15 * MS);
    pal_event_set(e); /* the waiter that gave up must not be chosen */
    assert_true(pal_event_wait(e, 0));
    pal_event_destroy(e);
}

static void one_set_of_an_auto_event_releases_exactly_one_waiter(void **state)
{
    (void)state;
    struct event_waiters w = {.event = pal_event_create(false, false), .timeout_ms = PAL_WAIT_FOREVER};
    struct pal_thread *threads[WORKERS];
    start_waiters(&w, threads);
    for (uint32_t i = 1; i <= WORKERS; i++) {
        pal_event_set(w.event);
        until(&w.released, i);
        pal_sleep_ms(5);
        assert_int_equal(pal_load_acquire(&w.released), i);
    }
    for (int i = 0; i < WORKERS; i++)
        pal_thread_join(threads[i]);
    assert_false(pal_event_wait(w.event, 0));
    pal_event_destroy(w.event);
}

static void quick_sets_of_an_auto_event_release_as_many_present_waiters(void **state)
{
    (void)state;
    struct event_waiters w = {.event = pal_event_create(false, false), .timeout_ms = PAL_WAIT_FOREVER};
    struct pal_thread *threads[WORKERS];
    start_waiters(&w, threads);
    for (int i = 0; i < WORKERS; i++)
        pal_event_set(w.event);
    assert_false(pal_event_wait(w.event, 0)); /* nothing for a late-comer to steal */
    for (int i = 0; i < WORKERS; i++)
        pal_thread_join(threads[i]);
    assert_int_equal(pal_load_acquire(&w.released), WORKERS);
    pal_event_destroy(w.event);
}

static void a_set_of_a_manual_event_releases_all_waiters_even_if_reset_at_once(void **state)
{
    (void)state;
    struct event_waiters w = {.event = pal_event_create(true, false), .timeout_ms = PAL_WAIT_FOREVER};
    struct pal_thread *threads[WORKERS];
    start_waiters(&w, threads);
    pal_event_set(w.event);
    pal_event_reset(w.event);
    for (int i = 0; i < WORKERS; i++)
        pal_thread_join(threads[i]);
    assert_int_equal(pal_load_acquire(&w.released), WORKERS);
    assert_false(pal_event_wait(w.event, 0));
    pal_event_destroy(w.event);
}

static void no_set_is_lost_when_waits_time_out_at_the_same_time(void **state)
{
    (void)state;
    struct event_waiters w = {.event = pal_event_create(false, false), .timeout_ms = 1};
    for (int round = 0; round < 100; round++) {
        struct pal_thread *t = pal_thread_start(wait_on_event, &w, "racer");
        assert_non_null(t);
        pal_sleep_ms(1);
        pal_event_set(w.event);
        pal_thread_join(t);
        /* Either the waiter got the set, or it is still there. */
        bool is_left = pal_event_wait(w.event, 0);
        assert_int_equal(pal_load_acquire(&w.released) + (is_left ? 1 : 0), 1);
        pal_store_release(&w.released, 0);
    }
    pal_event_destroy(w.event);
}

/* ---- wakeups, alarms and waiting ---- */

static void a_wakeup_is_ready_from_signal_to_clear(void **state)
{
    (void)state;
    struct pal_wakeup *w = pal_wakeup_create();
    assert_non_null(w);
    pal_waitable waits[1] = {pal_wakeup_waitable(w)};
    assert_int_equal(pal_wait(waits, 1, 0), 0);
    pal_wakeup_signal(w);
    pal_wakeup_signal(w);
    assert_int_equal(pal_wait(waits, 1, -1), 1);
    assert_int_equal(pal_wait(waits, 1, 0), 1);
    pal_wakeup_clear(w);
    assert_int_equal(pal_wait(waits, 1, 0), 0);
    pal_wakeup_clear(w); /* nothing there */
    pal_wakeup_signal(w);
    assert_int_equal(pal_wait(waits, 1, 0), 1);
    pal_wakeup_destroy(w);
    pal_wakeup_destroy(NULL);
}

static void waiting_reports_which_are_ready_and_ignores_empty_entries(void **state)
{
    (void)state;
    struct pal_wakeup *w[PAL_WAIT_MAX];
    pal_waitable waits[PAL_WAIT_MAX];
    for (unsigned i = 0; i < PAL_WAIT_MAX; i++) {
        w[i] = pal_wakeup_create();
        assert_non_null(w[i]);
        waits[i] = pal_wakeup_waitable(w[i]);
    }
    waits[3] = PAL_WAITABLE_NONE;
    pal_wakeup_signal(w[0]);
    pal_wakeup_signal(w[3]);
    pal_wakeup_signal(w[7]);
    assert_int_equal(pal_wait(waits, PAL_WAIT_MAX, 1000), 1u << 0 | 1u << 7);
    assert_int_equal(pal_wait(waits + 1, 5, 0), 0);
    for (unsigned i = 0; i < PAL_WAIT_MAX; i++)
        pal_wakeup_destroy(w[i]);
}

static void waiting_ends_at_its_timeout(void **state)
{
    (void)state;
    pal_waitable none[1] = {PAL_WAITABLE_NONE};
    uint64_t before = pal_now_ns();
    assert_int_equal(pal_wait(none, 1, 15), 0);
    assert_true(pal_now_ns() - before >= 14 * MS);
}

struct mailbox {
    struct pal_wakeup *wakeup;
    pal_atomic_u32 posted, signals_left;
};

static void post_and_signal(void *arg)
{
    struct mailbox *m = arg;
    for (int i = 0; i < 20000; i++) {
        pal_add_acq_rel(&m->posted, 1);
        pal_wakeup_signal(m->wakeup);
    }
}

/* Every wait has a signal behind it as long as posts are missing; a lost one would run into the timeout. */
static void no_signal_is_lost_between_clear_and_look(void **state)
{
    (void)state;
    struct mailbox m = {.wakeup = pal_wakeup_create()};
    pal_waitable waits[1] = {pal_wakeup_waitable(m.wakeup)};
    struct pal_thread *threads[2];
    uint32_t seen = 0;
    for (int i = 0; i < 2; i++)
        assert_non_null(threads[i] = pal_thread_start(post_and_signal, &m, "poster"));
    while (seen < 40000) {
        assert_int_equal(pal_wait(waits, 1, (int)PATIENCE), 1);
        pal_wakeup_clear(m.wakeup);
        seen = pal_load_acquire(&m.posted);
    }
    for (int i = 0; i < 2; i++)
        pal_thread_join(threads[i]);
    pal_wakeup_destroy(m.wakeup);
}

static void an_alarm_is_ready_when_its_deadline_passed(void **state)
{
    (void)state;
    struct pal_alarm *a = pal_alarm_create(PAL_WAITABLE_NONE);
    assert_non_null(a);
    pal_waitable waits[1] = {pal_alarm_waitable(a)};
    uint64_t deadline_ns = pal_now_ns() + 20 * MS;
    assert_int_equal(pal_wait(waits, 1, 0), 0);
    pal_alarm_set(a, deadline_ns);
    assert_true(pal_wait(waits, 1, 0) == 0 || pal_now_ns() >= deadline_ns);
    assert_int_equal(pal_wait(waits, 1, (int)PATIENCE), 1);
    assert_true(pal_now_ns() >= deadline_ns);
    assert_int_equal(pal_wait(waits, 1, 0), 1);
    pal_alarm_set(a, 0);
    assert_int_equal(pal_wait(waits, 1, 0), 0);
    pal_alarm_set(a, 1); /* long over */
    assert_int_equal(pal_wait(waits, 1, (int)PATIENCE), 1);
    pal_alarm_set(a, pal_now_ns() + (uint64_t)PATIENCE * MS);
    assert_int_equal(pal_wait(waits, 1, 0), 0);
    pal_alarm_destroy(a);
    pal_alarm_destroy(NULL);
}

static void an_alarm_is_ready_while_what_lies_beside_it_is(void **state)
{
    (void)state;
    struct pal_wakeup *w = pal_wakeup_create();
    struct pal_alarm *a = pal_alarm_create(pal_wakeup_waitable(w));
    assert_non_null(a);
    pal_waitable waits[1] = {pal_alarm_waitable(a)};
    assert_int_equal(pal_wait(waits, 1, 0), 0);
    pal_wakeup_signal(w);
    assert_int_equal(pal_wait(waits, 1, (int)PATIENCE), 1);
    assert_int_equal(pal_wait(waits, 1, 0), 1);
    pal_wakeup_clear(w);
    assert_int_equal(pal_wait(waits, 1, 0), 0);
    pal_alarm_destroy(a);
    pal_wakeup_destroy(w);
}

/* ---- processes and records ---- */

const char *fresh_name(char out[49])
{
    static unsigned serial;
    snprintf(out, 49, "unit-%u-%u", pal_process_id(), serial++);
    return out;
}

static void a_record_can_be_put_once_peeked_often_and_taken_once(void **state)
{
    (void)state;
    char name[49], data[] = "forty-two", got[sizeof data] = {0};
    fresh_name(name);
    assert_int_equal(pal_record_peek(name, got, sizeof got), PAL_RECORD_NOT_FOUND);
    assert_int_equal(pal_record_put(name, data, sizeof data), PAL_RECORD_OK);
    assert_int_equal(pal_record_put(name, "something", sizeof data), PAL_RECORD_EXISTS);
    assert_int_equal(pal_record_peek(name, got, sizeof got), PAL_RECORD_OK);
    assert_string_equal(got, data);
    memset(got, 0, sizeof got);
    assert_int_equal(pal_record_take(name, got, sizeof got), PAL_RECORD_OK);
    assert_string_equal(got, data);
    assert_int_equal(pal_record_take(name, got, sizeof got), PAL_RECORD_NOT_FOUND);
    assert_int_equal(pal_record_put(name, data, sizeof data), PAL_RECORD_OK);
    assert_true(pal_record_drop(name));
    assert_false(pal_record_drop(name));
}

static void a_record_of_another_size_is_left_where_it_is(void **state)
{
    (void)state;
    char name[49], got[8];
    fresh_name(name);
    assert_int_equal(pal_record_put(name, "12345678", 8), PAL_RECORD_OK);
    assert_int_equal(pal_record_take(name, got, 7), PAL_RECORD_FAILED);
    assert_int_equal(pal_record_peek(name, got, 4), PAL_RECORD_FAILED);
    assert_int_equal(pal_record_take(name, got, 8), PAL_RECORD_OK);
    assert_memory_equal(got, "12345678", 8);
}

static void record_names_and_sizes_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {NULL,  "",    "Upper",
                                      "a/b", "..",  "a.b",
                                      "a_b", "a b", "x23456789012345678901234567890123456789012345678x"};
    char byte = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(pal_record_put(bad[i], &byte, 1), PAL_RECORD_FAILED);
        assert_int_equal(pal_record_take(bad[i], &byte, 1), PAL_RECORD_FAILED);
        assert_int_equal(pal_record_peek(bad[i], &byte, 1), PAL_RECORD_FAILED);
        assert_false(pal_record_drop(bad[i]));
    }
    assert_int_equal(pal_record_put("unit-empty", &byte, 0), PAL_RECORD_FAILED);
    assert_int_equal(pal_record_put("unit-null", NULL, 1), PAL_RECORD_FAILED);
    char longest[49];
    memset(longest, 'z', 48);
    longest[48] = 0;
    assert_int_equal(pal_record_put(longest, &byte, 1), PAL_RECORD_OK);
    assert_true(pal_record_drop(longest));
}

/* ---- shared libraries ---- */

static void a_library_gives_its_symbols_and_says_why_it_cannot_be_opened(void **state)
{
    (void)state;
    char why[256] = "";
    struct pal_dll *dll = pal_dll_open(pal_library_with_cos, why, sizeof why);
    assert_non_null(dll);
    assert_string_equal(why, "");
    pal_dll_fn found = pal_dll_symbol(dll, "cos");
    assert_true(found != NULL);
    double (*cosine)(double);
    memcpy(&cosine, &found, sizeof cosine);
    assert_true(cosine(0.0) == 1.0);
    assert_true(pal_dll_symbol(dll, "no_such_symbol_here") == NULL);
    pal_dll_close(dll);
    pal_dll_close(NULL);

    assert_null(pal_dll_open("libno-such-library.so", why, sizeof why));
    assert_non_null(strstr(why, "libno-such-library.so"));
    assert_null(pal_dll_open("libno-such-library.so", why, 10));
    assert_int_equal(strlen(why), 9);
    assert_null(pal_dll_open("libno-such-library.so", NULL, 0));
    assert_null(pal_dll_open(NULL, why, sizeof why));
    assert_true(why[0] != 0);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return pal_outside_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_monotonic_clock_moves_forward_and_is_never_zero),
        cmocka_unit_test(sleeping_takes_at_least_the_time_asked_for),
        cmocka_unit_test(the_wall_clock_is_in_this_century),
        cmocka_unit_test(pages_are_zeroed_aligned_and_writable_to_the_end),
        cmocka_unit_test(impossible_page_counts_are_refused),
        cmocka_unit_test(random_bytes_differ_from_call_to_call),
        cmocka_unit_test(the_resident_set_grows_with_memory_that_is_touched),
        cmocka_unit_test(a_thread_has_its_own_number),
        cmocka_unit_test(joining_nothing_is_harmless),
        cmocka_unit_test(a_mutex_keeps_threads_apart),
        cmocka_unit_test(a_static_mutex_works_and_trylock_fails_while_it_is_held),
        cmocka_unit_test(a_condition_wakes_waiters_and_gives_the_lock_back),
        cmocka_unit_test(a_condition_wakes_alertable_waiters_too),
        cmocka_unit_test(a_timed_wait_ends_at_its_deadline),
#ifdef PAL_LOCK_DEBUG
        cmocka_unit_test(debug_builds_count_held_locks_and_know_the_owner),
#endif
        cmocka_unit_test(a_manual_event_stays_set_until_reset),
        cmocka_unit_test(an_auto_event_is_consumed_by_one_wait_and_does_not_count_sets),
        cmocka_unit_test(an_event_can_begin_set),
        cmocka_unit_test(a_wait_that_is_not_answered_times_out),
        cmocka_unit_test(one_set_of_an_auto_event_releases_exactly_one_waiter),
        cmocka_unit_test(quick_sets_of_an_auto_event_release_as_many_present_waiters),
        cmocka_unit_test(a_set_of_a_manual_event_releases_all_waiters_even_if_reset_at_once),
        cmocka_unit_test(no_set_is_lost_when_waits_time_out_at_the_same_time),
        cmocka_unit_test(a_wakeup_is_ready_from_signal_to_clear),
        cmocka_unit_test(waiting_reports_which_are_ready_and_ignores_empty_entries),
        cmocka_unit_test(waiting_ends_at_its_timeout),
        cmocka_unit_test(no_signal_is_lost_between_clear_and_look),
        cmocka_unit_test(an_alarm_is_ready_when_its_deadline_passed),
        cmocka_unit_test(an_alarm_is_ready_while_what_lies_beside_it_is),
        cmocka_unit_test(a_record_can_be_put_once_peeked_often_and_taken_once),
        cmocka_unit_test(a_record_of_another_size_is_left_where_it_is),
        cmocka_unit_test(record_names_and_sizes_are_checked),
        cmocka_unit_test(a_library_gives_its_symbols_and_says_why_it_cannot_be_opened),
    };
    const int bad = cmocka_run_group_tests_name("pal", tests, NULL, NULL);
    return bad + pal_outside_run();
}
