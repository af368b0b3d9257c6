/* test_sock_state.c - the transition table of sockets: every state with every event, against a table written
 * from contract 8.12 and the walkthroughs of section 4, not from sock_state.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pal/atomic.h"
#include "pal/thread.h"
#include "sock/sock.h"

/* clang-format off */
enum {
    BOUND = WSD_ST_BOUND, LISTN = WSD_ST_LISTENING, CONNG = WSD_ST_CONNECTING, QUEUE = WSD_ST_QUEUED,
    ACCPT = WSD_ST_ACCEPTING, CONND = WSD_ST_CONNECTED, BROKN = WSD_ST_BROKEN, FAILD = WSD_ST_FAILED,
    MOVED = WSD_ST_MOVED, CLOSD = WSD_ST_CLOSED, no___ = WSD_ST_COUNT
};

_Static_assert(WSD_ST_COUNT == 11 && WSD_EV_COUNT == 13, "a new state or event must be decided here too");

static const unsigned char expected[WSD_ST_COUNT][WSD_EV_COUNT] = {
/*               BIND   LISTEN CONNCT ESTABL FAIL   TAKE   DEFER  ACCEPT BREAK  MOVE   REQUST UNLIST CLOSE */
/* CREATED    */ {BOUND, no___, CONNG, no___, no___, no___, no___, no___, no___, no___, QUEUE, no___, CLOSD},
/* BOUND      */ {no___, LISTN, CONNG, no___, no___, no___, no___, no___, no___, no___, no___, no___, CLOSD},
/* LISTENING  */ {no___, LISTN, no___, no___, no___, no___, no___, no___, no___, MOVED, no___, BOUND, CLOSD},
/* CONNECTING */ {no___, no___, no___, CONND, FAILD, no___, no___, no___, no___, no___, no___, no___, CLOSD},
/* QUEUED     */ {no___, no___, no___, no___, FAILD, ACCPT, no___, no___, no___, no___, no___, no___, CLOSD},
/* ACCEPTING  */ {no___, no___, no___, no___, FAILD, no___, QUEUE, CONND, no___, no___, no___, no___, CLOSD},
/* CONNECTED  */ {no___, no___, no___, no___, no___, no___, no___, no___, BROKN, MOVED, no___, no___, CLOSD},
/* BROKEN     */ {no___, no___, no___, no___, no___, no___, no___, no___, no___, no___, no___, no___, CLOSD},
/* FAILED     */ {no___, no___, no___, no___, no___, no___, no___, no___, no___, no___, no___, no___, CLOSD},
/* MOVED      */ {no___, no___, no___, no___, no___, no___, no___, no___, no___, no___, no___, no___, CLOSD},
/* CLOSED     */ {no___, no___, no___, no___, no___, no___, no___, no___, no___, no___, no___, no___, no___},
};
/* clang-format on */

#define EACH_PAIR(st, ev)                                                                                    \
    for (unsigned st = 0; st < WSD_ST_COUNT; st++)                                                           \
        for (unsigned ev = 0; ev < WSD_EV_COUNT; ev++)

static void complain(unsigned st, unsigned ev, unsigned got)
{
    fail_msg("%s + %s: expected %s, got %s", wsd_sock_state_name((enum wsd_sock_state)st),
             wsd_sock_event_name((enum wsd_sock_event)ev),
             wsd_sock_state_name((enum wsd_sock_state)expected[st][ev]),
             wsd_sock_state_name((enum wsd_sock_state)got));
}

static void every_event_in_every_state_leads_where_the_contract_says(void **state)
{
    (void)state;
    EACH_PAIR(st, ev)
    {
        enum wsd_sock_state got = wsd_sock_next_state((enum wsd_sock_state)st, (enum wsd_sock_event)ev);
        if ((unsigned)got != expected[st][ev])
            complain(st, ev, (unsigned)got);
    }
}

static void a_socket_takes_legal_events_and_ignores_the_others(void **state)
{
    (void)state;
    struct wsd_sock *s = wsd_sock_create(WSD_REF_DESCRIPTOR);
    assert_non_null(s);
    assert_int_equal(wsd_sock_state(s), WSD_ST_CREATED);
    EACH_PAIR(st, ev)
    {
        atomic_store(&s->state, (uint32_t)st);
        bool is_legal = expected[st][ev] != no___;
        unsigned after = is_legal ? expected[st][ev] : st;
        if (wsd_sock_move(s, (enum wsd_sock_event)ev) != is_legal || (unsigned)wsd_sock_state(s) != after)
            complain(st, ev, (unsigned)wsd_sock_state(s));
    }
    wsd_sock_release(s, WSD_REF_DESCRIPTOR);
}

static void values_beyond_the_enums_are_never_legal(void **state)
{
    (void)state;
    static const unsigned beyond[] = {WSD_ST_COUNT, WSD_EV_COUNT, 255, 0x7FFFFFFFu, 0xFFFFFFFFu};
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        for (unsigned ev = 0; ev < WSD_EV_COUNT; ev++)
            assert_int_equal(wsd_sock_next_state((enum wsd_sock_state)beyond[i], (enum wsd_sock_event)ev),
                             WSD_ST_COUNT);
        for (unsigned st = 0; beyond[i] >= WSD_EV_COUNT && st < WSD_ST_COUNT; st++)
            assert_int_equal(wsd_sock_next_state((enum wsd_sock_state)st, (enum wsd_sock_event)beyond[i]),
                             WSD_ST_COUNT);
    }
}

/* WSPCloseSocket must succeed whatever became of the connection, and once (4.13). */
static void everything_but_a_closed_socket_can_be_closed_and_closing_is_the_end(void **state)
{
    (void)state;
    for (unsigned st = 0; st < WSD_ST_COUNT; st++)
        assert_int_equal(wsd_sock_next_state((enum wsd_sock_state)st, WSD_EV_CLOSE),
                         st == WSD_ST_CLOSED ? WSD_ST_COUNT : WSD_ST_CLOSED);
    for (unsigned ev = 0; ev < WSD_EV_COUNT; ev++)
        assert_int_equal(wsd_sock_next_state(WSD_ST_CLOSED, (enum wsd_sock_event)ev), WSD_ST_COUNT);
}

static void every_state_is_reached_from_a_fresh_socket_and_none_leads_back_to_it(void **state)
{
    (void)state;
    bool is_reached[WSD_ST_COUNT + 1] = {[WSD_ST_CREATED] = true};
    for (unsigned round = 0; round < WSD_ST_COUNT; round++)
        EACH_PAIR(st, ev)
        {
            enum wsd_sock_state to = wsd_sock_next_state((enum wsd_sock_state)st, (enum wsd_sock_event)ev);
            assert_int_not_equal(to, WSD_ST_CREATED);
            if (is_reached[st])
                is_reached[to] = true;
        }
    for (unsigned st = 0; st < WSD_ST_COUNT; st++)
        assert_true(is_reached[st]);
}

/* A connection that is over stays over: a data call must never find its socket connected again. */
static void a_broken_failed_or_moved_socket_can_only_be_closed(void **state)
{
    (void)state;
    static const enum wsd_sock_state over[] = {WSD_ST_BROKEN, WSD_ST_FAILED, WSD_ST_MOVED};
    for (size_t i = 0; i < 3; i++)
        for (unsigned ev = 0; ev < WSD_EV_COUNT; ev++)
            assert_int_equal(wsd_sock_next_state(over[i], (enum wsd_sock_event)ev),
                             ev == WSD_EV_CLOSE ? WSD_ST_CLOSED : WSD_ST_COUNT);
}

static void every_state_and_event_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned a = 0; a < WSD_ST_COUNT; a++) {
        assert_string_not_equal(wsd_sock_state_name((enum wsd_sock_state)a), "NONE");
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(wsd_sock_state_name((enum wsd_sock_state)a),
                                    wsd_sock_state_name((enum wsd_sock_state)b));
    }
    for (unsigned a = 0; a < WSD_EV_COUNT; a++) {
        assert_string_not_equal(wsd_sock_event_name((enum wsd_sock_event)a), "NONE");
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(wsd_sock_event_name((enum wsd_sock_event)a),
                                    wsd_sock_event_name((enum wsd_sock_event)b));
    }
    assert_string_equal(wsd_sock_state_name(WSD_ST_COUNT), "NONE");
    assert_string_equal(wsd_sock_event_name(WSD_EV_COUNT), "NONE");
}

/* ---- several threads ---- */

enum { RACERS = 4, ROUNDS = 2000 };

static struct {
    struct wsd_sock *sock;
    pal_atomic_u32 winners, ready;
    _Atomic(int) round;
} race;

static void racer(void *arg)
{
    (void)arg;
    for (int round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&race.round) != round)
            pal_thread_yield();
        if (wsd_sock_move(race.sock, WSD_EV_CLOSE))
            pal_add_relaxed(&race.winners, 1);
        atomic_fetch_add(&race.ready, 1);
    }
}

static void of_several_threads_that_close_a_socket_exactly_one_succeeds(void **state)
{
    (void)state;
    struct pal_thread *threads[RACERS];
    race.sock = wsd_sock_create(WSD_REF_DESCRIPTOR);
    assert_non_null(race.sock);
    for (int i = 0; i < RACERS; i++)
        assert_non_null(threads[i] = pal_thread_start(racer, NULL, "racer"));
    for (int round = 1; round <= ROUNDS; round++) {
        atomic_store(&race.sock->state, WSD_ST_CONNECTED);
        atomic_store(&race.ready, 0);
        atomic_store(&race.round, round);
        while (atomic_load(&race.ready) != RACERS)
            pal_thread_yield();
        assert_int_equal(wsd_sock_state(race.sock), WSD_ST_CLOSED);
        assert_int_equal(pal_load_relaxed(&race.winners), round);
    }
    for (int i = 0; i < RACERS; i++)
        pal_thread_join(threads[i]);
    wsd_sock_release(race.sock, WSD_REF_DESCRIPTOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_in_every_state_leads_where_the_contract_says),
        cmocka_unit_test(a_socket_takes_legal_events_and_ignores_the_others),
        cmocka_unit_test(values_beyond_the_enums_are_never_legal),
        cmocka_unit_test(everything_but_a_closed_socket_can_be_closed_and_closing_is_the_end),
        cmocka_unit_test(every_state_is_reached_from_a_fresh_socket_and_none_leads_back_to_it),
        cmocka_unit_test(a_broken_failed_or_moved_socket_can_only_be_closed),
        cmocka_unit_test(every_state_and_event_has_a_name_of_its_own),
        cmocka_unit_test(of_several_threads_that_close_a_socket_exactly_one_succeeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
