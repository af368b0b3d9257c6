/* sock_state.c - the table. 0 in it means "not legal", hence the +1 encoding. */
#include "sock/sock_state.h"

#define TO(state) (unsigned char)((state) + 1)

static const unsigned char next_state[WSD_ST_COUNT][WSD_EV_COUNT] = {
    [WSD_ST_CREATED] = {[WSD_EV_BIND] = TO(WSD_ST_BOUND),
                        [WSD_EV_CONNECT] = TO(WSD_ST_CONNECTING),
                        [WSD_EV_REQUEST] = TO(WSD_ST_QUEUED),
                        [WSD_EV_CLOSE] = TO(WSD_ST_CLOSED)},
    [WSD_ST_BOUND] = {[WSD_EV_LISTEN] = TO(WSD_ST_LISTENING),
                      [WSD_EV_CONNECT] = TO(WSD_ST_CONNECTING),
                      [WSD_EV_CLOSE] = TO(WSD_ST_CLOSED)},
    [WSD_ST_LISTENING] = {[WSD_EV_LISTEN] = TO(WSD_ST_LISTENING),
                          [WSD_EV_MOVE] = TO(WSD_ST_MOVED),
                          [WSD_EV_UNLISTEN] = TO(WSD_ST_BOUND),
                          [WSD_EV_CLOSE] = TO(WSD_ST_CLOSED)},
    [WSD_ST_CONNECTING] = {[WSD_EV_ESTABLISHED] = TO(WSD_ST_CONNECTED),
                           [WSD_EV_FAIL] = TO(WSD_ST_FAILED),
                           [WSD_EV_CLOSE] = TO(WSD_ST_CLOSED)},
    [WSD_ST_QUEUED] = {[WSD_EV_TAKE] = TO(WSD_ST_ACCEPTING),
                       [WSD_EV_FAIL] = TO(WSD_ST_FAILED),
                       [WSD_EV_CLOSE] = TO(WSD_ST_CLOSED)},
    [WSD_ST_ACCEPTING] = {[WSD_EV_ACCEPT] = TO(WSD_ST_CONNECTED),
                          [WSD_EV_DEFER] = TO(WSD_ST_QUEUED),
                          [WSD_EV_FAIL] = TO(WSD_ST_FAILED),
                          [WSD_EV_CLOSE] = TO(WSD_ST_CLOSED)},
    [WSD_ST_CONNECTED] = {[WSD_EV_BREAK] = TO(WSD_ST_BROKEN),
                          [WSD_EV_MOVE] = TO(WSD_ST_MOVED),
                          [WSD_EV_CLOSE] = TO(WSD_ST_CLOSED)},
    [WSD_ST_BROKEN] = {[WSD_EV_CLOSE] = TO(WSD_ST_CLOSED)},
    [WSD_ST_FAILED] = {[WSD_EV_CLOSE] = TO(WSD_ST_CLOSED)},
    [WSD_ST_MOVED] = {[WSD_EV_CLOSE] = TO(WSD_ST_CLOSED)},
    [WSD_ST_CLOSED] = {0},
};

enum wsd_sock_state wsd_sock_next_state(enum wsd_sock_state from, enum wsd_sock_event event)
{
    if ((unsigned)from >= WSD_ST_COUNT || (unsigned)event >= WSD_EV_COUNT || !next_state[from][event])
        return WSD_ST_COUNT;
    return (enum wsd_sock_state)(next_state[from][event] - 1);
}

const char *wsd_sock_state_name(enum wsd_sock_state s)
{
    static const char *const names[] = {"CREATED", "BOUND",     "LISTENING", "CONNECTING",
                                        "QUEUED",  "ACCEPTING", "CONNECTED", "BROKEN",
                                        "FAILED",  "MOVED",     "CLOSED"};
    return (unsigned)s < WSD_ST_COUNT ? names[s] : "NONE";
}

const char *wsd_sock_event_name(enum wsd_sock_event e)
{
    static const char *const names[] = {"BIND",    "LISTEN",   "CONNECT", "ESTABLISHED", "FAIL",
                                        "TAKE",    "DEFER",    "ACCEPT",  "BREAK",       "MOVE",
                                        "REQUEST", "UNLISTEN", "CLOSE"};
    return (unsigned)e < WSD_EV_COUNT ? names[e] : "NONE";
}
