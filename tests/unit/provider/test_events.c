/* test_events.c - event objects of a socket: what is recorded, and in which order the switch's object is set
 * and reset. The upcall table is a script: it keeps the state of every object, can hold a thread inside an
 * upcall, and can call back from there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/upcall.h"
#include "pal/event.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "sock/sock.h"

enum { PATIENCE = 20000 /* ms */, OTHER_ERROR = 4711 };

/* ---- the script ---- */

/* An event object of the switch. */
struct object {
    pal_atomic_bool is_set;
    pal_atomic_u32 sets, resets;
    /* What happens inside the next upcall that sets or resets it; taken by that upcall. */
    void (*_Atomic on_set)(struct object *o);
    void (*_Atomic on_reset)(struct object *o);
};

static pal_atomic_u32 upcalls_with_a_lock_held, upcalls_to_nowhere, upcalls_inside;

static void enter_upcall(const struct object *o)
{
#ifdef PAL_LOCK_DEBUG
    if (pal_locks_held() != 0)
        pal_add_relaxed(&upcalls_with_a_lock_held, 1);
#endif
    if (!o)
        pal_add_relaxed(&upcalls_to_nowhere, 1);
    pal_add_relaxed(&upcalls_inside, 1);
}

static BOOL WSPAPI set_event(WSAEVENT event, LPINT error)
{
    struct object *o = event;
    (void)error;
    enter_upcall(o);
    atomic_store(&o->is_set, true);
    pal_add_relaxed(&o->sets, 1);
    void (*script)(struct object *) = atomic_exchange(&o->on_set, NULL);
    if (script)
        script(o);
    pal_sub_acq_rel(&upcalls_inside, 1);
    return TRUE;
}

static BOOL WSPAPI reset_event(WSAEVENT event, LPINT error)
{
    struct object *o = event;
    (void)error;
    enter_upcall(o);
    atomic_store(&o->is_set, false);
    pal_add_relaxed(&o->resets, 1);
    void (*script)(struct object *) = atomic_exchange(&o->on_reset, NULL);
    if (script)
        script(o);
    pal_sub_acq_rel(&upcalls_inside, 1);
    return TRUE;
}

static int install_script(void **state)
{
    (void)state;
    WSPUPCALLTABLEEX table;
    memset(&table, 0, sizeof table);
    table.lpWPUSetEvent = set_event;
    table.lpWPUResetEvent = reset_event;
    wsd_upcall_set_table(&table, 1001);
    return 0;
}

/* ---- a socket with two objects ---- */

struct fixture {
    struct wsd_sock *s;
    struct object a, b;
};

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    f.s = wsd_sock_create(WSD_REF_DESCRIPTOR);
    return f.s ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    wsd_event_forget(f.s);
    wsd_sock_release(f.s, WSD_REF_DESCRIPTOR);
    return pal_load_relaxed(&upcalls_with_a_lock_held) || pal_load_relaxed(&upcalls_to_nowhere) ? -1 : 0;
}

static WSAEVENT handle(struct object *o)
{
    return (WSAEVENT)o;
}

/* As sock/listen.c does it: the queue changes under the lock, then the event code looks at it. */
static void set_queue(struct wsd_sock *s, uint32_t count)
{
    pal_mutex_lock(&s->lock);
    s->queue_count = count;
    pal_mutex_unlock(&s->lock);
}

static void request_arrives(struct wsd_sock *s)
{
    set_queue(s, s->queue_count + 1);
    wsd_event_record_accept(s);
}

static void switch_accepts(struct wsd_sock *s)
{
    set_queue(s, s->queue_count - 1);
    wsd_event_rearm_accept(s);
}

static LONG enumerate(struct wsd_sock *s, struct object *o, WSANETWORKEVENTS *out)
{
    WSANETWORKEVENTS ignored;
    out = out ? out : &ignored;
    for (int i = 0; i < FD_MAX_EVENTS; i++)
        out->iErrorCode[i] = OTHER_ERROR;
    wsd_event_enum(s, handle(o), out);
    return out->lNetworkEvents;
}

#define assert_object(o, is, set_count, reset_count)                                                         \
    do {                                                                                                     \
        assert_int_equal(pal_load_relaxed(&(o).is_set), (is));                                               \
        assert_int_equal(pal_load_relaxed(&(o).sets), (set_count));                                          \
        assert_int_equal(pal_load_relaxed(&(o).resets), (reset_count));                                      \
    } while (0)

/* ---- FD_ACCEPT: level triggered, re-enabled by WSPAccept ---- */

static void requests_are_recorded_and_signalled_once_until_the_switch_accepts(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT);
    assert_object(f.a, false, 0, 0);
    request_arrives(f.s);
    request_arrives(f.s);
    request_arrives(f.s);
    assert_object(f.a, true, 1, 0);
    WSANETWORKEVENTS got;
    assert_int_equal(enumerate(f.s, &f.a, &got), FD_ACCEPT);
    assert_int_equal(got.iErrorCode[FD_ACCEPT_BIT], 0);
    assert_object(f.a, false, 1, 1);
    request_arrives(f.s); /* not yet re-enabled */
    assert_int_equal(enumerate(f.s, &f.a, NULL), 0);
    assert_object(f.a, false, 1, 2);
}

static void accepting_signals_again_while_requests_are_left_and_not_after_the_last(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT);
    request_arrives(f.s);
    request_arrives(f.s);
    request_arrives(f.s);
    for (int left = 2; left >= 0; left--) {
        assert_int_equal(enumerate(f.s, &f.a, NULL), FD_ACCEPT);
        assert_false(pal_load_relaxed(&f.a.is_set));
        switch_accepts(f.s);
        assert_int_equal(pal_load_relaxed(&f.a.is_set), left > 0);
    }
    assert_int_equal(enumerate(f.s, &f.a, NULL), 0);
}

/* Both WSPEnumNetworkEvents and WSPAccept reset; a switch may leave out the first (C13). */
static void accepting_without_enumerating_leaves_the_object_as_the_queue_is(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT);
    request_arrives(f.s);
    request_arrives(f.s);
    switch_accepts(f.s);
    assert_true(pal_load_relaxed(&f.a.is_set));
    assert_int_equal(f.s->events.recorded, FD_ACCEPT);
    switch_accepts(f.s);
    assert_false(pal_load_relaxed(&f.a.is_set));
    assert_int_equal(f.s->events.recorded, 0);
}

static void an_accept_that_found_nothing_enables_the_next_signal(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT);
    request_arrives(f.s);
    assert_int_equal(enumerate(f.s, &f.a, NULL), FD_ACCEPT);
    set_queue(f.s, 0); /* withdrawn by the peer */
    wsd_event_rearm_accept(f.s);
    assert_false(pal_load_relaxed(&f.a.is_set));
    request_arrives(f.s);
    assert_true(pal_load_relaxed(&f.a.is_set));
    assert_int_equal(enumerate(f.s, &f.a, NULL), FD_ACCEPT);
}

static void requests_that_came_before_the_object_are_signalled_at_once(void **state)
{
    (void)state;
    request_arrives(f.s);
    request_arrives(f.s);
    assert_int_equal(f.s->events.recorded, 0);
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT);
    assert_object(f.a, true, 1, 0);
    assert_int_equal(enumerate(f.s, &f.a, NULL), FD_ACCEPT);
}

/* CF_DEFER (Q21). A request that arrives meanwhile must wait for the next WSPAccept too. */
static void after_a_deferred_accept_nothing_is_signalled_until_the_next_accept(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT);
    request_arrives(f.s);
    wsd_event_hold_accept(f.s); /* without having enumerated */
    assert_false(pal_load_relaxed(&f.a.is_set));
    assert_int_equal(f.s->events.recorded, 0);
    request_arrives(f.s);
    assert_false(pal_load_relaxed(&f.a.is_set));
    switch_accepts(f.s);
    assert_true(pal_load_relaxed(&f.a.is_set));
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT | FD_CONNECT);
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
    wsd_event_hold_accept(f.s); /* the other event keeps its signal */
    assert_true(pal_load_relaxed(&f.a.is_set));
    assert_int_equal(enumerate(f.s, &f.a, NULL), FD_CONNECT);
}

/* ---- FD_CONNECT: once ---- */

static void the_outcome_of_connecting_is_told_once_with_its_error_and_nothing_else_is_written(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    wsd_event_record(f.s, FD_CONNECT_BIT, WSAETIMEDOUT);
    assert_object(f.a, true, 1, 0);
    WSANETWORKEVENTS got;
    assert_int_equal(enumerate(f.s, &f.a, &got), FD_CONNECT);
    for (int bit = 0; bit < FD_MAX_EVENTS; bit++)
        assert_int_equal(got.iErrorCode[bit], bit == FD_CONNECT_BIT ? WSAETIMEDOUT : OTHER_ERROR);
    assert_int_equal(enumerate(f.s, &f.a, &got), 0);
    assert_int_equal(got.iErrorCode[FD_CONNECT_BIT], OTHER_ERROR);
    wsd_event_rearm_accept(f.s); /* nothing brings it back */
    wsd_event_record_accept(f.s);
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    assert_int_equal(enumerate(f.s, &f.a, NULL), 0);
    assert_int_equal(pal_load_relaxed(&f.a.sets), 1);
}

/* As the connection thread notes it. */
static void connecting_ends(int error)
{
    pal_mutex_lock(&f.s->lock);
    f.s->connect_over = true;
    f.s->connect_result = error;
    pal_mutex_unlock(&f.s->lock);
    wsd_event_record(f.s, FD_CONNECT_BIT, error);
}

static void a_connect_that_is_over_is_signalled_at_registration_until_it_has_been_fetched(void **state)
{
    (void)state;
    connecting_ends(WSAENETDOWN);
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT); /* somebody who asks for something else */
    assert_object(f.a, false, 0, 0);
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    assert_object(f.a, true, 1, 0);
    wsd_event_select(f.s, handle(&f.b), FD_CONNECT); /* nobody fetched it */
    assert_object(f.b, true, 1, 0);
    WSANETWORKEVENTS got;
    assert_int_equal(enumerate(f.s, &f.b, &got), FD_CONNECT);
    assert_int_equal(got.iErrorCode[FD_CONNECT_BIT], WSAENETDOWN);
    wsd_event_select(f.s, handle(&f.b), FD_CONNECT);
    assert_object(f.b, false, 1, 1);
}

static void an_event_that_was_not_asked_for_is_neither_recorded_nor_signalled(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT);
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
    assert_object(f.a, false, 0, 0);
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    request_arrives(f.s);
    assert_object(f.a, false, 0, 0);
    assert_int_equal(enumerate(f.s, &f.a, NULL), 0);
}

static void both_events_on_one_object_do_not_take_each_others_signal_away(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT | FD_CONNECT);
    request_arrives(f.s);
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
    switch_accepts(f.s); /* the last request; but the outcome of connecting is unread */
    assert_true(pal_load_relaxed(&f.a.is_set));
    WSANETWORKEVENTS got;
    assert_int_equal(enumerate(f.s, &f.a, &got), FD_CONNECT);
    assert_int_equal(got.iErrorCode[FD_CONNECT_BIT], 0);
    assert_false(pal_load_relaxed(&f.a.is_set));
}

/* ---- registration ---- */

static void a_new_registration_replaces_the_old_one_and_clears_the_record(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    wsd_event_record(f.s, FD_CONNECT_BIT, WSAENETDOWN);
    wsd_event_select(f.s, handle(&f.b), FD_CONNECT);
    assert_int_equal(f.s->events.recorded, 0);
    assert_object(f.a, true, 1, 0); /* the old object is the switch's business now */
    assert_object(f.b, false, 0, 0);
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
    assert_object(f.a, true, 1, 0);
    assert_object(f.b, true, 1, 0);
}

static void after_cancelling_or_forgetting_nothing_is_signalled_any_more(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT | FD_CONNECT);
    wsd_event_select(f.s, handle(&f.a), 0); /* 0 cancels, whatever the handle */
    request_arrives(f.s);
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
    wsd_event_rearm_accept(f.s);
    assert_object(f.a, false, 0, 0);
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    wsd_event_forget(f.s); /* closing: the switch may close the object now (Q34) */
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
    assert_object(f.a, false, 0, 0);
}

static void enumerating_resets_the_object_it_is_given_and_only_that(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
    WSANETWORKEVENTS got;
    wsd_event_enum(f.s, NULL, &got);
    assert_int_equal(got.lNetworkEvents, FD_CONNECT);
    assert_object(f.a, true, 1, 0);
    atomic_store(&f.b.is_set, true);
    assert_int_equal(enumerate(f.s, &f.b, NULL), 0);
    assert_object(f.a, true, 1, 0);
    assert_object(f.b, false, 0, 1);
}

static void sockets_that_share_an_object_keep_records_of_their_own(void **state)
{
    (void)state;
    struct wsd_sock *other = wsd_sock_create(WSD_REF_DESCRIPTOR);
    assert_non_null(other);
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT);
    wsd_event_select(other, handle(&f.a), FD_CONNECT);
    request_arrives(f.s);
    wsd_event_record(other, FD_CONNECT_BIT, WSAENETDOWN);
    assert_object(f.a, true, 2, 0);
    /* Win32 rule for shared objects: reset with the first, then ask all. */
    WSANETWORKEVENTS got;
    assert_int_equal(enumerate(f.s, &f.a, NULL), FD_ACCEPT);
    assert_false(pal_load_relaxed(&f.a.is_set));
    wsd_event_enum(other, NULL, &got);
    assert_int_equal(got.lNetworkEvents, FD_CONNECT);
    assert_int_equal(got.iErrorCode[FD_CONNECT_BIT], WSAENETDOWN);
    /* Either may set it again; closing one does not silence the other. */
    wsd_event_forget(other);
    request_arrives(f.s);
    switch_accepts(f.s);
    assert_true(pal_load_relaxed(&f.a.is_set));
    wsd_sock_release(other, WSD_REF_DESCRIPTOR);
}

static void accepting_resets_a_shared_object_but_wakes_its_other_users_again(void **state)
{
    (void)state;
    struct wsd_sock *other = wsd_sock_create(WSD_REF_DESCRIPTOR);
    assert_non_null(other);
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT);
    wsd_event_select(other, handle(&f.a), FD_CONNECT);
    request_arrives(f.s);
    wsd_event_record(other, FD_CONNECT_BIT, 0);
    switch_accepts(f.s); /* the last request here, but the other socket has something to tell */
    assert_int_equal(pal_load_relaxed(&f.a.resets), 1);
    assert_true(pal_load_relaxed(&f.a.is_set));
    assert_int_equal(enumerate(other, &f.a, NULL), FD_CONNECT);
    request_arrives(f.s);
    switch_accepts(f.s);
    assert_false(pal_load_relaxed(&f.a.is_set));
    wsd_event_forget(other);
    wsd_sock_release(other, WSD_REF_DESCRIPTOR);
}

/* ---- order of setting and resetting, with a thread held inside an upcall ---- */

static struct {
    struct pal_event *inside, *go_on, *done;
    struct pal_thread *thread;
    void (*job)(void);
} held;

static void stay_inside(struct object *o)
{
    (void)o;
    pal_event_set(held.inside);
    (void)pal_event_wait(held.go_on, PATIENCE);
}

static void held_main(void *arg)
{
    (void)arg;
    held.job();
    pal_event_set(held.done);
}

/* Start `job` on a thread of its own; it will stop inside the next upcall whose script is stay_inside. */
static void start_held(void (*job)(void))
{
    held.inside = pal_event_create(true, false);
    held.go_on = pal_event_create(true, false);
    held.done = pal_event_create(true, false);
    assert_true(held.inside && held.go_on && held.done);
    held.job = job;
    held.thread = pal_thread_start(held_main, NULL, "held");
    assert_non_null(held.thread);
}

/* A hang cannot be reported by a failing assertion: whoever hangs still uses the fixture. */
static void expect_soon(struct pal_event *e, const char *what)
{
    if (pal_event_wait(e, PATIENCE))
        return;
    fprintf(stderr, "[  FAILED  ] %s did not happen within %d ms\n", what, PATIENCE);
    _exit(1);
}

static void end_held(void)
{
    pal_event_set(held.go_on);
    expect_soon(held.done, "the end of the job");
    pal_thread_join(held.thread);
    pal_event_destroy(held.inside);
    pal_event_destroy(held.go_on);
    pal_event_destroy(held.done);
}

static void job_connect_outcome(void)
{
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
}

static void enumerate_main(void *arg)
{
    (void)arg;
    (void)enumerate(f.s, &f.a, NULL);
}

static void job_enumerate(void)
{
    (void)enumerate(f.s, &f.a, NULL);
}

/* Contract 4.7: copying the record and resetting are one step. The thread that sets must not undo it
 * afterwards, and the reset must not come after the return: it could take away the signal of another socket
 * on the same object. */
static void enumerating_while_the_object_is_being_set_returns_when_it_is_reset(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    atomic_store(&f.a.on_set, stay_inside);
    start_held(job_connect_outcome);
    expect_soon(held.inside, "setting the object");
    struct pal_thread *enumerator = pal_thread_start(enumerate_main, NULL, "enum");
    assert_non_null(enumerator);
    pal_sleep_ms(20);
    assert_int_equal(pal_load_relaxed(&f.a.resets), 0);
    end_held();
    pal_thread_join(enumerator);
    assert_object(f.a, false, 1, 1);
    assert_int_equal(f.s->events.recorded, 0);
}

static void an_event_that_comes_while_the_object_is_being_reset_wins(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT | FD_CONNECT);
    request_arrives(f.s);
    atomic_store(&f.a.on_reset, stay_inside);
    start_held(job_enumerate);
    expect_soon(held.inside, "resetting the object");
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
    end_held();
    assert_object(f.a, true, 2, 1);
    assert_int_equal(enumerate(f.s, &f.a, NULL), FD_CONNECT);
}

static void several_events_during_one_upcall_are_signalled_together_and_the_last_error_counts(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT | FD_CONNECT);
    atomic_store(&f.a.on_set, stay_inside);
    start_held(job_connect_outcome);
    expect_soon(held.inside, "setting the object");
    for (int i = 0; i < 3; i++)
        wsd_event_record(f.s, FD_CONNECT_BIT, i);
    request_arrives(f.s);
    end_held();
    assert_object(f.a, true, 2, 0);
    WSANETWORKEVENTS got;
    assert_int_equal(enumerate(f.s, &f.a, &got), FD_ACCEPT | FD_CONNECT);
    assert_int_equal(got.iErrorCode[FD_CONNECT_BIT], 2);
}

static struct {
    struct pal_event *begun;
    pal_atomic_bool is_over;
} forgetting;

static void forget_main(void *arg)
{
    (void)arg;
    pal_event_set(forgetting.begun);
    wsd_event_forget(f.s);
    atomic_store(&forgetting.is_over, true);
}

static void forgetting_waits_for_an_upcall_under_way_because_the_object_may_be_closed_then(void **state)
{
    (void)state;
    forgetting.begun = pal_event_create(true, false);
    atomic_store(&forgetting.is_over, false);
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    atomic_store(&f.a.on_set, stay_inside);
    start_held(job_connect_outcome);
    expect_soon(held.inside, "setting the object");
    struct pal_thread *forgetter = pal_thread_start(forget_main, NULL, "forget");
    assert_non_null(forgetter);
    expect_soon(forgetting.begun, "starting a thread");
    pal_sleep_ms(20);
    assert_false(atomic_load(&forgetting.is_over)); /* can only fail when it is wrong */
    end_held();
    pal_thread_join(forgetter);
    assert_true(atomic_load(&forgetting.is_over));
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
    assert_object(f.a, true, 1, 0);
    pal_event_destroy(forgetting.begun);
}

/* ---- calling back from inside an upcall ---- */

static void enumerate_inside(struct object *o)
{
    assert_int_equal(enumerate(f.s, o, NULL), FD_CONNECT);
}

static void record_inside(struct object *o)
{
    (void)o;
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
}

static void accept_inside(struct object *o)
{
    (void)o;
    switch_accepts(f.s);
}

static void enumerating_inside_the_setting_upcall_yields_the_event_and_a_reset_object(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    atomic_store(&f.a.on_set, enumerate_inside);
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
    assert_object(f.a, false, 1, 1);
    assert_int_equal(f.s->events.recorded, 0);
}

static void accepting_inside_the_setting_upcall_leaves_the_object_as_the_queue_is(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT);
    set_queue(f.s, 2);
    atomic_store(&f.a.on_set, accept_inside);
    wsd_event_record_accept(f.s);
    assert_true(pal_load_relaxed(&f.a.is_set)); /* one is left */
    assert_int_equal(f.s->events.recorded, FD_ACCEPT);
    set_queue(f.s, 1);
    wsd_event_select(f.s, NULL, 0);
    wsd_event_select(f.s, handle(&f.b), FD_ACCEPT);
    assert_int_equal(enumerate(f.s, &f.b, NULL), FD_ACCEPT);
    set_queue(f.s, 1);
    atomic_store(&f.b.on_set, accept_inside);
    wsd_event_rearm_accept(f.s);
    assert_false(pal_load_relaxed(&f.b.is_set)); /* that was the last */
}

static void an_event_that_is_caused_inside_the_resetting_upcall_is_not_lost(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
    atomic_store(&f.a.on_reset, record_inside);
    assert_int_equal(enumerate(f.s, &f.a, NULL), FD_CONNECT);
    assert_object(f.a, true, 2, 1);
    assert_int_equal(f.s->events.recorded, FD_CONNECT);
}

static void select_inside(struct object *o)
{
    (void)o;
    wsd_event_select(f.s, handle(&f.b), FD_CONNECT);
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
}

static void forget_inside(struct object *o)
{
    (void)o;
    wsd_event_forget(f.s);
}

/* On a thread of its own: who waits for himself waits for ever. */
static void registering_another_object_inside_the_upcall_does_not_hang_and_takes_effect(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    atomic_store(&f.a.on_set, select_inside);
    start_held(job_connect_outcome);
    end_held();
    assert_object(f.a, true, 1, 0);
    assert_object(f.b, true, 1, 0);
    assert_int_equal(f.s->events.recorded, FD_CONNECT);
}

static void closing_inside_the_upcall_does_not_hang_and_ends_signalling(void **state)
{
    (void)state;
    wsd_event_select(f.s, handle(&f.a), FD_CONNECT);
    atomic_store(&f.a.on_set, forget_inside);
    start_held(job_connect_outcome);
    end_held();
    wsd_event_record(f.s, FD_CONNECT_BIT, 0);
    assert_object(f.a, true, 1, 0);
    assert_false(f.s->events.busy);
}

/* ---- several threads ---- */

enum { CALLS = 3000 };

static void storm_peer(void *arg)
{
    (void)arg;
    for (int i = 0; i < CALLS; i++) {
        pal_mutex_lock(&f.s->lock);
        f.s->queue_count++;
        pal_mutex_unlock(&f.s->lock);
        wsd_event_record_accept(f.s);
    }
}

static void storm_connect(void *arg)
{
    (void)arg;
    for (int i = 0; i < CALLS; i++)
        wsd_event_record(f.s, FD_CONNECT_BIT, i);
}

static void storm_enumerate(void *arg)
{
    (void)arg;
    for (int i = 0; i < CALLS; i++)
        (void)enumerate(f.s, &f.a, NULL);
}

static void storm_accept(void *arg)
{
    (void)arg;
    for (int i = 0; i < CALLS; i++) {
        pal_mutex_lock(&f.s->lock);
        if (f.s->queue_count)
            f.s->queue_count--;
        pal_mutex_unlock(&f.s->lock);
        wsd_event_rearm_accept(f.s);
    }
}

/* Whatever the order was: when all is quiet the object is set exactly when something is recorded. */
static void when_all_is_quiet_the_object_is_set_exactly_when_something_is_recorded(void **state)
{
    (void)state;
    static void (*const jobs[])(void *) = {storm_peer, storm_connect, storm_enumerate, storm_accept};
    struct pal_thread *threads[4];
    wsd_event_select(f.s, handle(&f.a), FD_ACCEPT | FD_CONNECT);
    for (int i = 0; i < 4; i++)
        assert_non_null(threads[i] = pal_thread_start(jobs[i], NULL, "storm"));
    for (int i = 0; i < 4; i++)
        pal_thread_join(threads[i]);
    assert_int_equal(pal_load_relaxed(&upcalls_inside), 0);
    assert_int_equal(pal_load_relaxed(&f.a.is_set), f.s->events.recorded != 0);
    (void)enumerate(f.s, &f.a, NULL);
    assert_false(pal_load_relaxed(&f.a.is_set));
    wsd_event_rearm_accept(f.s);
    assert_int_equal(pal_load_relaxed(&f.a.is_set), f.s->queue_count != 0);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(requests_are_recorded_and_signalled_once_until_the_switch_accepts),
        TEST(accepting_signals_again_while_requests_are_left_and_not_after_the_last),
        TEST(accepting_without_enumerating_leaves_the_object_as_the_queue_is),
        TEST(an_accept_that_found_nothing_enables_the_next_signal),
        TEST(requests_that_came_before_the_object_are_signalled_at_once),
        TEST(after_a_deferred_accept_nothing_is_signalled_until_the_next_accept),
        TEST(a_connect_that_is_over_is_signalled_at_registration_until_it_has_been_fetched),
        TEST(accepting_resets_a_shared_object_but_wakes_its_other_users_again),
        TEST(the_outcome_of_connecting_is_told_once_with_its_error_and_nothing_else_is_written),
        TEST(an_event_that_was_not_asked_for_is_neither_recorded_nor_signalled),
        TEST(both_events_on_one_object_do_not_take_each_others_signal_away),
        TEST(a_new_registration_replaces_the_old_one_and_clears_the_record),
        TEST(after_cancelling_or_forgetting_nothing_is_signalled_any_more),
        TEST(enumerating_resets_the_object_it_is_given_and_only_that),
        TEST(sockets_that_share_an_object_keep_records_of_their_own),
        TEST(enumerating_while_the_object_is_being_set_returns_when_it_is_reset),
        TEST(an_event_that_comes_while_the_object_is_being_reset_wins),
        TEST(several_events_during_one_upcall_are_signalled_together_and_the_last_error_counts),
        TEST(forgetting_waits_for_an_upcall_under_way_because_the_object_may_be_closed_then),
        TEST(enumerating_inside_the_setting_upcall_yields_the_event_and_a_reset_object),
        TEST(accepting_inside_the_setting_upcall_leaves_the_object_as_the_queue_is),
        TEST(an_event_that_is_caused_inside_the_resetting_upcall_is_not_lost),
        TEST(registering_another_object_inside_the_upcall_does_not_hang_and_takes_effect),
        TEST(closing_inside_the_upcall_does_not_hang_and_ends_signalling),
        TEST(when_all_is_quiet_the_object_is_set_exactly_when_something_is_recorded),
    };
    return cmocka_run_group_tests(tests, install_script, NULL);
}
