/* events.c - WSPEventSelect and WSPEnumNetworkEvents.
 * Source: contract 4.6, 4.7, 4.9 (6), C1, C13, Q34; checklist 8; peers.md W25. */
#include "ct.h"

static int event_select(SOCKET s, const WSPPROC_TABLE *procs, WSAEVENT e, LONG mask)
{
    INT error = 0;

    return procs->lpWSPEventSelect(s, e, mask, &error) == SOCKET_ERROR ? error : 0;
}

/* The bits of the record; errors[] must be untouched where no bit is set. */
static LONG take_events(SOCKET s, const WSPPROC_TABLE *procs, WSAEVENT e)
{
    WSANETWORKEVENTS events;
    INT error = 0;

    memset(&events, 0x5A, sizeof events);
    if (procs->lpWSPEnumNetworkEvents(s, e, &events, &error) == SOCKET_ERROR)
        ct_fail("WSPEnumNetworkEvents: %s", sw_error_name(error));
    for (int i = 0; i < FD_MAX_EVENTS; i++)
        if ((events.lNetworkEvents & (1 << i)) == 0)
            assert_int_equal(events.iErrorCode[i], 0x5A5A5A5A);
        else
            ct_ok(events.iErrorCode[i]);
    return events.lNetworkEvents;
}

static void accept_and_close(struct sw_listener *l)
{
    INT error = 0;
    SOCKET s = l->procs->lpWSPAccept(l->descriptor, NULL, NULL, ct_accept_all, 0, &error);

    if (s == INVALID_SOCKET)
        ct_fail("WSPAccept: %s", sw_error_name(error));
    assert_int_equal(l->procs->lpWSPCloseSocket(s, &error), 0);
}

/* C13: enumeration resets, accepting resets, and neither may lose the signal of the requests that are
 * still queued. */
static void checklist_08_a_queue_that_is_not_empty_keeps_signalling(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 16);

    for (int i = 0; i < 6; i++)
        ct_start_connect(f, l);
    for (int i = 0; i < 6; i++) {
        ct_ok(sw_event_wait(l->event, ct.wait_ms));
        assert_int_equal(take_events(l->descriptor, l->procs, l->event), FD_ACCEPT);
        ct_fails(WSAETIMEDOUT, sw_event_wait(l->event, 0)); /* only WSPAccept enables it again */
        accept_and_close(l);
    }
    assert_int_equal(take_events(l->descriptor, l->procs, l->event), 0);
    ct_fails(WSAETIMEDOUT, sw_event_wait(l->event, 0));
}

static void an_accept_without_enumeration_keeps_the_signal_right_too(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 16);

    for (int i = 0; i < 3; i++)
        ct_start_connect(f, l);
    for (int i = 0; i < 3; i++) {
        ct_ok(sw_event_wait(l->event, ct.wait_ms));
        accept_and_close(l);
    }
    ct_fails(WSAETIMEDOUT, sw_event_wait(l->event, 0));
    assert_int_equal(take_events(l->descriptor, l->procs, l->event), 0);
    ct_start_connect(f, l);
    ct_ok(sw_event_wait(l->event, ct.wait_ms));
    accept_and_close(l);
}

static void requests_that_came_before_the_registration_signal_at_once(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 16);
    WSAEVENT late = ct_event(f, true);

    ct_ok(event_select(l->descriptor, l->procs, NULL, 0)); /* as if nobody had asked yet */
    ct_start_connect(f, l);
    ct_start_connect(f, l);
    struct sw_companion *third = ct_start_connect(f, l);
    ct_fails(WSAEWOULDBLOCK, sw_connect_finish(third, 100, NULL));
    ct_ok(event_select(l->descriptor, l->procs, late, FD_ACCEPT));
    for (int i = 0; i < 3; i++) {
        ct_ok(sw_event_wait(late, ct.wait_ms));
        assert_int_equal(take_events(l->descriptor, l->procs, late), FD_ACCEPT);
        accept_and_close(l);
    }
    ct_fails(WSAETIMEDOUT, sw_event_wait(l->event, 0)); /* the cancelled one stayed quiet */
}

static void a_connect_that_is_over_signals_at_registration(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 16);
    struct sw_companion *c = ct_bound(f), *b;
    WSAEVENT e = ct_event(f, true);
    INT error = 0;

    c->procs->lpWSPConnect(c->descriptor, (const WSD_SOCKADDR *)&l->local, sizeof l->local, NULL, NULL, NULL,
                           NULL, &error);
    ct_fails(WSAEWOULDBLOCK, error);
    ct_ok(ct_accept(f, l, ct.wait_ms, &b));
    ct_ok(event_select(c->descriptor, c->procs, e, FD_CONNECT));
    ct_ok(sw_event_wait(e, ct.wait_ms));
    assert_int_equal(take_events(c->descriptor, c->procs, e), FD_CONNECT);
}

static void connecting_signals_once(void **state)
{
    struct fixture *f = *state;
    struct sw_companion *a, *b;

    ct_connect(f, &a, &b); /* has taken the event */
    ct_fails(WSAETIMEDOUT, sw_event_wait(a->event, 50));
    assert_int_equal(take_events(a->descriptor, a->procs, a->event), 0);
}

/* C1: the pages disagree on whether they come one by one or together. */
static void any_subset_of_accept_and_connect_may_be_asked_for(void **state)
{
    ct_needs_one_instance(
        "its sockets share an event, which one instance must not reset when the other has set it");
    struct fixture *f = *state;
    struct sw_companion *c = ct_bound(f);
    struct sw_listener *l = ct_listen(f, 5);
    WSAEVENT e = ct_event(f, true);
    INT error = 0;

    ct_ok(event_select(c->descriptor, c->procs, e, FD_ACCEPT | FD_CONNECT));
    ct_ok(event_select(l->descriptor, l->procs, e, FD_ACCEPT | FD_CONNECT)); /* one event, two sockets */
    c->procs->lpWSPConnect(c->descriptor, (const WSD_SOCKADDR *)&l->local, sizeof l->local, NULL, NULL, NULL,
                           NULL, &error);
    ct_fails(WSAEWOULDBLOCK, error);
    ct_ok(sw_event_wait(e, ct.wait_ms));
    assert_int_equal(take_events(l->descriptor, l->procs, e), FD_ACCEPT);
    assert_int_equal(take_events(c->descriptor, c->procs, e), 0);
    accept_and_close(l);
    ct_ok(sw_event_wait(e, ct.wait_ms));
    assert_int_equal(take_events(c->descriptor, c->procs, e), FD_CONNECT);
}

static void a_new_registration_replaces_the_old_one(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 16);
    WSAEVENT other = ct_event(f, false); /* automatic reset works as well */

    ct_ok(event_select(l->descriptor, l->procs, other, FD_ACCEPT));
    ct_start_connect(f, l);
    ct_ok(sw_event_wait(other, ct.wait_ms));
    ct_fails(WSAETIMEDOUT, sw_event_wait(l->event, 0));
    /* registering again clears the record, and sees at once that the queue is not empty */
    ct_ok(event_select(l->descriptor, l->procs, l->event, FD_ACCEPT));
    ct_ok(sw_event_wait(l->event, ct.wait_ms));
    assert_int_equal(take_events(l->descriptor, l->procs, l->event), FD_ACCEPT);
    accept_and_close(l);
}

static void an_empty_mask_cancels_and_ignores_the_event(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 16);
    SOCKET s = INVALID_SOCKET;
    INT error = 0;

    ct_ok(event_select(l->descriptor, l->procs, (WSAEVENT)(uintptr_t)0x123458, 0));
    struct sw_companion *c = ct_start_connect(f, l);
    ct_fails(WSAEWOULDBLOCK, sw_connect_finish(c, 100, NULL));
    ct_fails(WSAETIMEDOUT, sw_event_wait(l->event, 0));
    assert_int_equal(take_events(l->descriptor, l->procs, NULL) & ~FD_ACCEPT, 0);
    /* it is there all the same; nothing says since when, so it is asked for until it is */
    assert_true(ct_until((s = l->procs->lpWSPAccept(l->descriptor, NULL, NULL, ct_accept_all, 0, &error)) !=
                             INVALID_SOCKET ||
                         error != WSAEWOULDBLOCK));
    if (s == INVALID_SOCKET)
        ct_fail("WSPAccept: %s", sw_error_name(error));
    ct_fails(WSAETIMEDOUT, sw_event_wait(l->event, 0));
    assert_int_equal(l->procs->lpWSPCloseSocket(s, &error), 0);
    ct_finish_connect(c);
}

static void enumeration_without_an_event_resets_none(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 16);

    ct_start_connect(f, l);
    ct_ok(sw_event_wait(l->event, ct.wait_ms));
    assert_int_equal(take_events(l->descriptor, l->procs, NULL), FD_ACCEPT);
    ct_ok(sw_event_wait(l->event, 0));
    assert_int_equal(take_events(l->descriptor, l->procs, l->event), 0);
    ct_fails(WSAETIMEDOUT, sw_event_wait(l->event, 0));
    accept_and_close(l);
}

static void a_failing_enumeration_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct sw_listener *l = ct_listen(f, 16);
    INT error = 0;

    ct_start_connect(f, l);
    ct_ok(sw_event_wait(l->event, ct.wait_ms));
    assert_int_equal(l->procs->lpWSPEnumNetworkEvents(l->descriptor, l->event, NULL, &error), SOCKET_ERROR);
    ct_one_of(error, WSAEFAULT, WSAEINVAL);
    ct_ok(sw_event_wait(l->event, 0));
    assert_int_equal(take_events(l->descriptor, l->procs, l->event), FD_ACCEPT);
    accept_and_close(l);
}

/* Q34: the switch closes the event right after the socket; the shim reports a signal that comes later. */
static void nothing_is_signalled_after_closing(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < ct.rounds / 10 + 2; i++) {
        WSAEVENT e = sw_event_create(true, false);
        struct sw_listener *l = ct_listen(f, 16);
        ct_ok(event_select(l->descriptor, l->procs, e, FD_ACCEPT));
        ct_start_connect(f, l);
        ct_close_listener(f, l);
        ct_ok(sw_event_close(e));
        ct_close(f, f->companions[0]);
    }
}

struct toggle {
    struct sw_listener *l;
    WSAEVENT a, b;
};

static void toggle(struct ct_thread *t)
{
    struct toggle *x = t->arg;

    for (unsigned i = 0; !pal_load_acquire(&t->f->stop) && i < 20000; i++) {
        int error = event_select(x->l->descriptor, x->l->procs, i % 2 == 0 ? x->a : x->b,
                                 i % 3 == 0 ? FD_ACCEPT : FD_ACCEPT | FD_CONNECT);
        if (error != 0)
            ct_thread_fails(t, "WSPEventSelect: %s", sw_error_name(error));
    }
}

/* Mask and handle change together: whatever is registered last must hear of what is queued. */
static void w25_changing_the_registration_during_requests_loses_none(void **state)
{
    struct fixture *f = *state;
    struct toggle x = {ct_listen(f, 64), ct_event(f, true), ct_event(f, true)};
    WSAEVENT last = ct_event(f, true);
    struct ct_thread *t = ct_start(f, toggle, &x);
    struct sw_companion *c[20];

    for (int i = 0; i < 20; i++)
        c[i] = ct_start_connect(f, x.l);
    pal_store_release(&f->stop, true);
    ct_join(t);
    ct_ok(event_select(x.l->descriptor, x.l->procs, last, FD_ACCEPT));
    for (int i = 0; i < 20; i++) {
        ct_ok(sw_event_wait(last, ct.wait_ms));
        assert_int_equal(take_events(x.l->descriptor, x.l->procs, last), FD_ACCEPT);
        accept_and_close(x.l);
    }
    for (int i = 0; i < 20; i++)
        ct_finish_connect(c[i]);
}

static void events_that_cannot_happen_here_are_not_reported(void **state)
{
    struct fixture *f = *state;
    struct ct_pair p;
    WSAEVENT e = ct_event(f, true);

    ct_pair(f, &p, 4096);
    int error = event_select(p.a.c->descriptor, p.a.c->procs, e, FD_ALL_EVENTS);
    ct_one_of(error, 0, WSAEINVAL);
    ct_pair_works(&p);
    ct_close(f, p.b.c);
    ct_sees_reset(&p.a);
    if (error == 0)
        assert_int_equal(take_events(p.a.c->descriptor, p.a.c->procs, e) & ~FD_CONNECT, 0);
}

static const struct CMUnitTest events_tests[] = {
    ct_test(checklist_08_a_queue_that_is_not_empty_keeps_signalling),
    ct_test(an_accept_without_enumeration_keeps_the_signal_right_too),
    ct_test(requests_that_came_before_the_registration_signal_at_once),
    ct_test(a_connect_that_is_over_signals_at_registration),
    ct_test(connecting_signals_once),
    ct_test(any_subset_of_accept_and_connect_may_be_asked_for),
    ct_test(a_new_registration_replaces_the_old_one),
    ct_test(an_empty_mask_cancels_and_ignores_the_event),
    ct_test(enumeration_without_an_event_resets_none),
    ct_test(a_failing_enumeration_changes_nothing),
    ct_test(nothing_is_signalled_after_closing),
    ct_test(w25_changing_the_registration_during_requests_loses_none),
    ct_test(events_that_cannot_happen_here_are_not_reported),
};
CT_GROUP(events);
