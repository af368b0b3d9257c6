/* states.c - the table. */
#include "spi/states.h"

#define S(state) (1u << SW_##state)

static const unsigned from_which[SW_STATE_COUNT] = {
    [SW_CREATED] = S(CONNECTING) | S(ACCEPTING), /* it failed */
    [SW_BOUND] = S(CREATED)                      /* bind */
                 | S(CONNECTING) | S(ACCEPTING)  /* it failed */
                 | S(BOUND) | S(CONNECTED),      /* datagrams: the peer is taken away */
    [SW_CONNECTING] = S(CREATED) | S(BOUND) | S(DISCONNECTED),
    [SW_ACCEPTING] = S(CREATED) | S(DISCONNECTED),
    [SW_CONNECTED] = S(CONNECTING) | S(ACCEPTING)       /* streams */
                     | S(CREATED)                       /* born by WSPAccept or by duplication */
                     | S(BOUND) | S(CONNECTED),         /* datagrams: another peer */
    [SW_LISTENING] = S(BOUND),                          /* a second listen() is no move */
    [SW_DISCONNECTED] = S(CONNECTED)                    /* DisconnectEx */
                        | S(CONNECTING) | S(ACCEPTING), /* used again, and that failed */
};

bool sw_state_may_follow(enum sw_state from, enum sw_state to)
{
    if ((unsigned)from >= (unsigned)SW_STATE_COUNT || (unsigned)to >= (unsigned)SW_STATE_COUNT)
        return false;
    return (from_which[to] & 1u << from) != 0;
}
