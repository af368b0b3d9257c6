/* test_session_states.c - every state with every event against a second table, written from PROTOCOL.md as lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "session/states.h"
#include "session/wire.h"

static const struct {
    enum sw_state from;
    enum sw_event event;
    enum sw_state to;
} legal[] = {
    {SW_ST_NEW, SW_EV_CALL, SW_ST_CALLING},
    {SW_ST_NEW, SW_EV_ANSWER, SW_ST_ANSWERING},
    {SW_ST_NEW, SW_EV_IMPORT, SW_ST_OPEN},
    {SW_ST_CALLING, SW_EV_HELLO, SW_ST_OPEN},
    {SW_ST_ANSWERING, SW_EV_HELLO, SW_ST_OPEN},
    {SW_ST_ANSWERING, SW_EV_OTHER_VERSION, SW_ST_REFUSING},
    {SW_ST_OPEN, SW_EV_SUSPEND, SW_ST_DRAINING},
    {SW_ST_OPEN, SW_EV_SUSPEND_IN, SW_ST_HELD},
    {SW_ST_OPEN, SW_EV_CLOSE, SW_ST_CLOSING},
    {SW_ST_OPEN, SW_EV_CLOSE_IN, SW_ST_ENDING},
    {SW_ST_DRAINING, SW_EV_SUSPEND_OFF, SW_ST_OPEN},
    {SW_ST_DRAINING, SW_EV_SUSPEND_OUT, SW_ST_SUSPEND_SENT},
    {SW_ST_DRAINING, SW_EV_SUSPEND_IN, SW_ST_HELD},
    {SW_ST_DRAINING, SW_EV_CLOSE, SW_ST_CLOSING},
    {SW_ST_DRAINING, SW_EV_CLOSE_IN, SW_ST_ENDING},
    {SW_ST_SUSPEND_SENT, SW_EV_SUSPENDED_IN, SW_ST_MOVING},
    {SW_ST_SUSPEND_SENT, SW_EV_SUSPEND_IN, SW_ST_HELD},
    {SW_ST_SUSPEND_SENT, SW_EV_CLOSE_IN, SW_ST_ENDING},
    {SW_ST_MOVING, SW_EV_MOVE, SW_ST_MOVED},
    {SW_ST_HELD, SW_EV_SUSPENDED_OUT, SW_ST_SUSPENDED},
    {SW_ST_SUSPENDED, SW_EV_RESUME_IN, SW_ST_OPEN},
    {SW_ST_CLOSING, SW_EV_CLOSE_IN, SW_ST_CLOSING},
    {SW_ST_CLOSING, SW_EV_SUSPEND_IN, SW_ST_HELD},
    {SW_ST_ENDING, SW_EV_CLOSE, SW_ST_ENDING},
};

static enum sw_state expected(enum sw_state from, enum sw_event event)
{
    if (event == SW_EV_END && from != SW_ST_DEAD)
        return SW_ST_DEAD; /* whatever it was doing */
    for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++)
        if (legal[i].from == from && legal[i].event == event)
            return legal[i].to;
    return SW_ST_COUNT;
}

static void every_state_with_every_event(void **state)
{
    (void)state;
    for (unsigned from = 0; from <= SW_ST_COUNT; from++)
        for (unsigned event = 0; event <= SW_EV_COUNT; event++) {
            enum sw_state to = from < SW_ST_COUNT && event < SW_EV_COUNT
                                   ? expected((enum sw_state)from, (enum sw_event)event)
                                   : SW_ST_COUNT;
            if (sw_next_state((enum sw_state)from, (enum sw_event)event) != to)
                fail_msg("%s with event %u", sw_state_name((enum sw_state)from), event);
        }
}

/* Only these may be said to somebody who suspends, is suspended, or has been told CLOSE. */
static void what_may_come_in_each_state(void **state)
{
    (void)state;
    for (unsigned type = 0; type <= SW_WIRE_TYPE_COUNT; type++) {
        bool is_message = type >= SW_WIRE_DATA && type < SW_WIRE_TYPE_COUNT;
        bool normal = is_message && type != SW_WIRE_SUSPENDED && type != SW_WIRE_RESUME;

        assert_int_equal(sw_state_may_get(SW_ST_OPEN, type), normal);
        assert_int_equal(sw_state_may_get(SW_ST_DRAINING, type), normal);
        assert_int_equal(sw_state_may_get(SW_ST_CLOSING, type), normal);
        assert_int_equal(sw_state_may_get(SW_ST_SUSPEND_SENT, type), is_message && type != SW_WIRE_RESUME);
        assert_int_equal(sw_state_may_get(SW_ST_HELD, type), type == SW_WIRE_CREDIT);
        assert_int_equal(sw_state_may_get(SW_ST_ENDING, type), type == SW_WIRE_CREDIT);
        assert_int_equal(sw_state_may_get(SW_ST_SUSPENDED, type),
                         type == SW_WIRE_CREDIT || type == SW_WIRE_RESUME);
        assert_false(sw_state_may_get(SW_ST_MOVING, type));
        assert_false(sw_state_may_get(SW_ST_MOVED, type));
        assert_false(sw_state_may_get(SW_ST_DEAD, type));
    }
}

static void states_have_names(void **state)
{
    (void)state;
    for (unsigned a = 0; a < SW_ST_COUNT; a++)
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(sw_state_name((enum sw_state)a), sw_state_name((enum sw_state)b));
    assert_string_equal(sw_state_name(SW_ST_COUNT), "NONE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_with_every_event),
        cmocka_unit_test(what_may_come_in_each_state),
        cmocka_unit_test(states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
