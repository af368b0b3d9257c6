/* sock_state.h - the states of a SAN socket and the one table of legal transitions.
 * Layer:   provider/sock. Source: contract 8.12; QUEUED and ACCEPTING are ours (a request before WSPAccept
 *          answered it). */
#ifndef WSD_SOCK_STATE_H
#define WSD_SOCK_STATE_H

enum wsd_sock_state {
    WSD_ST_CREATED,    /* WSPSocket */
    WSD_ST_BOUND,      /* WSPBind */
    WSD_ST_LISTENING,  /* WSPListen */
    WSD_ST_CONNECTING, /* WSPConnect answered WSAEWOULDBLOCK; also a duplicate that resumes */
    WSD_ST_QUEUED,     /* a peer's request in a listener's queue; no descriptor yet */
    WSD_ST_ACCEPTING,  /* WSPAccept works on it */
    WSD_ST_CONNECTED,
    WSD_ST_BROKEN, /* connection died; data calls fail */
    WSD_ST_FAILED, /* WSPConnect failed, or a queued request was withdrawn */
    WSD_ST_MOVED,  /* WSPDuplicateSocket gave it away */
    WSD_ST_CLOSED, /* WSPCloseSocket */
    WSD_ST_COUNT
};

enum wsd_sock_event {
    WSD_EV_BIND,
    WSD_EV_LISTEN,
    WSD_EV_CONNECT,     /* connecting starts */
    WSD_EV_ESTABLISHED, /* connecting succeeded */
    WSD_EV_FAIL,        /* connecting failed; request withdrawn */
    WSD_EV_TAKE,        /* WSPAccept takes a queued request */
    WSD_EV_DEFER,       /* CF_DEFER puts it back */
    WSD_EV_ACCEPT,      /* accepted */
    WSD_EV_BREAK,       /* connection died */
    WSD_EV_MOVE,
    WSD_EV_REQUEST,  /* a fresh object becomes a queued request */
    WSD_EV_UNLISTEN, /* the backend could not listen after all */
    WSD_EV_CLOSE,
    WSD_EV_COUNT
};

/* The state after the event, or WSD_ST_COUNT when the event is not legal there. */
enum wsd_sock_state wsd_sock_next_state(enum wsd_sock_state from, enum wsd_sock_event event);
const char *wsd_sock_state_name(enum wsd_sock_state s);
const char *wsd_sock_event_name(enum wsd_sock_event e);

#endif
