/* states.h - the states of a socket and the one table of legal moves.
 * Layer:  switch_shim/spi, private. No lock, no memory: the socket's lock guards the state itself.
 * Source: our reading of contract 10.1 and 10.3; README.md of this folder. */
#ifndef SW_SPI_STATES_H
#define SW_SPI_STATES_H

#include <stdbool.h>

enum sw_state {
    SW_FREE,       /* object unused */
    SW_CREATED,    /* neither bound nor connected */
    SW_BOUND,      /* has a local address */
    SW_CONNECTING, /* a stream whose WSPConnect or ConnectEx is under way */
    SW_ACCEPTING,  /* given to AcceptEx */
    SW_CONNECTED,  /* stream: data flows; datagram: has a default peer */
    SW_LISTENING,
    SW_DISCONNECTED /* by DisconnectEx: may connect or be accepted into again */
};
#define SW_STATE_COUNT (SW_DISCONNECTED + 1) /* no enumerator: a switch need not name it */

/* Birth and death are no moves: SW_FREE is never left or reached by one. */
bool sw_state_may_follow(enum sw_state from, enum sw_state to);

#endif
