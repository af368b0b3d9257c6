/* states.c - the tables. 0 means "not legal", hence the +1 encoding. */
#include "session/states.h"

#include "session/wire.h"

#define TO(state) (unsigned char)((state) + 1)

static const unsigned char next_state[SW_ST_COUNT][SW_EV_COUNT] = {
    [SW_ST_NEW] = {[SW_EV_CALL] = TO(SW_ST_CALLING),
                   [SW_EV_ANSWER] = TO(SW_ST_ANSWERING),
                   [SW_EV_IMPORT] = TO(SW_ST_OPEN),
                   [SW_EV_END] = TO(SW_ST_DEAD)},
    [SW_ST_CALLING] = {[SW_EV_HELLO] = TO(SW_ST_OPEN), [SW_EV_END] = TO(SW_ST_DEAD)},
    [SW_ST_ANSWERING] = {[SW_EV_HELLO] = TO(SW_ST_OPEN),
                         [SW_EV_OTHER_VERSION] = TO(SW_ST_REFUSING),
                         [SW_EV_END] = TO(SW_ST_DEAD)},
    [SW_ST_REFUSING] = {[SW_EV_END] = TO(SW_ST_DEAD)},
    [SW_ST_OPEN] = {[SW_EV_SUSPEND] = TO(SW_ST_DRAINING),
                    [SW_EV_SUSPEND_IN] = TO(SW_ST_HELD),
                    [SW_EV_CLOSE] = TO(SW_ST_CLOSING),
                    [SW_EV_CLOSE_IN] = TO(SW_ST_ENDING),
                    [SW_EV_END] = TO(SW_ST_DEAD)},
    [SW_ST_DRAINING] = {[SW_EV_SUSPEND_OFF] = TO(SW_ST_OPEN),
                        [SW_EV_SUSPEND_OUT] = TO(SW_ST_SUSPEND_SENT),
                        [SW_EV_SUSPEND_IN] = TO(SW_ST_HELD),
                        [SW_EV_CLOSE] = TO(SW_ST_CLOSING),
                        [SW_EV_CLOSE_IN] = TO(SW_ST_ENDING),
                        [SW_EV_END] = TO(SW_ST_DEAD)},
    /* SUSPEND_IN: the acceptor's gives way; the connector does not ask this table */
    [SW_ST_SUSPEND_SENT] = {[SW_EV_SUSPENDED_IN] = TO(SW_ST_MOVING),
                            [SW_EV_SUSPEND_IN] = TO(SW_ST_HELD),
                            [SW_EV_CLOSE_IN] = TO(SW_ST_ENDING),
                            [SW_EV_END] = TO(SW_ST_DEAD)},
    [SW_ST_MOVING] = {[SW_EV_MOVE] = TO(SW_ST_MOVED), [SW_EV_END] = TO(SW_ST_DEAD)},
    [SW_ST_MOVED] = {[SW_EV_END] = TO(SW_ST_DEAD)},
    [SW_ST_HELD] = {[SW_EV_SUSPENDED_OUT] = TO(SW_ST_SUSPENDED), [SW_EV_END] = TO(SW_ST_DEAD)},
    [SW_ST_SUSPENDED] = {[SW_EV_RESUME_IN] = TO(SW_ST_OPEN), [SW_EV_END] = TO(SW_ST_DEAD)},
    [SW_ST_CLOSING] = {[SW_EV_CLOSE_IN] = TO(SW_ST_CLOSING),
                       [SW_EV_SUSPEND_IN] = TO(SW_ST_HELD),
                       [SW_EV_END] = TO(SW_ST_DEAD)},
    [SW_ST_ENDING] = {[SW_EV_CLOSE] = TO(SW_ST_ENDING), [SW_EV_END] = TO(SW_ST_DEAD)},
    [SW_ST_DEAD] = {0},
};

#define M(type) (1u << SW_WIRE_##type)
#define STREAM  (M(DATA) | M(LARGE_PULL) | M(LARGE_PUSH) | M(URGENT) | M(SHUT) | M(CLOSE))
#define NORMAL  (STREAM | M(SINK) | M(DONE) | M(CREDIT) | M(PING))

static const unsigned allowed[SW_ST_COUNT] = {
    [SW_ST_OPEN] = NORMAL | M(SUSPEND),
    [SW_ST_DRAINING] = NORMAL | M(SUSPEND),
    [SW_ST_SUSPEND_SENT] = NORMAL | M(SUSPEND) | M(SUSPENDED), /* what was on its way */
    [SW_ST_HELD] = M(CREDIT),
    [SW_ST_SUSPENDED] = M(CREDIT) | M(RESUME),
    [SW_ST_CLOSING] = NORMAL | M(SUSPEND),
    [SW_ST_ENDING] = M(CREDIT), /* behind its CLOSE nothing else */
};

enum sw_state sw_next_state(enum sw_state from, enum sw_event event)
{
    if ((unsigned)from >= SW_ST_COUNT || (unsigned)event >= SW_EV_COUNT || next_state[from][event] == 0)
        return SW_ST_COUNT;
    return (enum sw_state)(next_state[from][event] - 1);
}

bool sw_state_may_send_data(enum sw_state s)
{
    return s == SW_ST_OPEN || s == SW_ST_DRAINING || s == SW_ST_CLOSING;
}

bool sw_state_may_get(enum sw_state s, unsigned type)
{
    return (unsigned)s < SW_ST_COUNT && type < SW_WIRE_TYPE_COUNT && (allowed[s] & 1u << type) != 0;
}

const char *sw_state_name(enum sw_state s)
{
    static const char *const names[] = {"NEW",       "CALLING",      "ANSWERING", "REFUSING", "OPEN",
                                        "DRAINING",  "SUSPEND_SENT", "MOVING",    "MOVED",    "HELD",
                                        "SUSPENDED", "CLOSING",      "ENDING",    "DEAD"};
    return (unsigned)s < SW_ST_COUNT ? names[s] : "NONE";
}
