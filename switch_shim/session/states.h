/* states.h - the states of a session and the one table of legal transitions.
 * Source: PROTOCOL.md sections 2, 9, 10. */
#ifndef SW_SESSION_STATES_H
#define SW_SESSION_STATES_H

#include <stdbool.h>

enum sw_state {
    SW_ST_NEW,
    SW_ST_CALLING,   /* connector: NEGOTIATE goes out, REPLY is awaited */
    SW_ST_ANSWERING, /* acceptor: NEGOTIATE is awaited */
    SW_ST_REFUSING,  /* acceptor: REFUSE goes out */
    SW_ST_OPEN,
    SW_ST_DRAINING,     /* about to move: no new sends, SUSPEND goes out when all is sent */
    SW_ST_SUSPEND_SENT, /* SUSPENDED is awaited */
    SW_ST_MOVING,       /* it came; SW_DO_MOVE when everything is reported */
    SW_ST_MOVED,
    SW_ST_HELD,      /* the peer is about to move: SUSPENDED goes out */
    SW_ST_SUSPENDED, /* RESUME is awaited */
    SW_ST_CLOSING,   /* our application closed; CLOSE of the peer is awaited */
    SW_ST_ENDING,    /* the peer closed; our CLOSE goes out */
    SW_ST_DEAD,
    SW_ST_COUNT
};

enum sw_event {
    SW_EV_CALL,
    SW_EV_ANSWER,
    SW_EV_HELLO,
    SW_EV_OTHER_VERSION,
    SW_EV_IMPORT,
    SW_EV_SUSPEND, /* the application's socket is wanted elsewhere */
    SW_EV_SUSPEND_OFF,
    SW_EV_SUSPEND_OUT, /* SUSPEND is sent */
    SW_EV_SUSPEND_IN,  /* SUSPEND came */
    SW_EV_SUSPENDED_OUT,
    SW_EV_SUSPENDED_IN,
    SW_EV_MOVE,
    SW_EV_RESUME_IN,
    SW_EV_CLOSE,    /* the application closes */
    SW_EV_CLOSE_IN, /* CLOSE came */
    SW_EV_END,      /* broken, breach, abortive, or gracefully over */
    SW_EV_COUNT
};

/* SW_ST_COUNT: not legal. */
enum sw_state sw_next_state(enum sw_state from, enum sw_event event);
/* What a state allows. */
bool sw_state_may_send_data(enum sw_state s);
/* Whether a message of this type may come in this state. */
bool sw_state_may_get(enum sw_state s, unsigned type);
const char *sw_state_name(enum sw_state s);

#endif
