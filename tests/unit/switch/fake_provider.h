/* fake_provider.h - how a test steers fake_provider.so.
 * The test opens the library itself too, so that the same copy stays loaded (and the control block keeps its
 * values) across sw_load() and sw_unload(). Fields are set while no other thread is inside the provider. */
#ifndef FAKE_PROVIDER_H
#define FAKE_PROVIDER_H

#include "wsd/ws2_types.h"

#define FAKE_TRACE_BYTES 4096

struct fake_control {
    /* start-up */
    int startup_error;
    WORD version;          /* answered; 0: 2.2 */
    int empty_slot;        /* of the procedure table, counted from 1; 0: none */
    int refused_extension; /* 1..7 in the order of contract 3.6; 0: none */
    int refusal;           /* with this code */
    int address_error;     /* of SIO_ADDRESS_LIST_QUERY */
    int address_growth;    /* the list grows that often between the question for its size and the answer */
    int address_stray;     /* the pointer of the first address leads out of the buffer */

    /* sockets */
    int bind_error, option_error, listen_error;
    int connect_error;       /* of WSPConnect itself */
    int connect_event_error; /* reported with FD_CONNECT */
    int connect_never;       /* stays pending until closed */
    int accept_breaks;       /* WSPAccept does not ask the condition function */
    int forget_handle;       /* sockets are closed without WPUCloseSocketHandle */
    int no_rdma_read;

    /* data */
    int answer_zero;    /* data calls return 0 */
    int refuse_data;    /* data calls fail with this code */
    int never_complete; /* notified operations stay open for ever */
    int complete_twice;
    int complete_polled;    /* upcall in spite of bit 0 */
    int complete_inside;    /* notified operations complete before the call returns */
    DWORD descriptor_bytes; /* of an RDMA descriptor; 0: what it needs */

    /* what happened: names of the calls down, "Socket Bind ..." */
    unsigned startups, cleanups;
    char trace[FAKE_TRACE_BYTES];
};

typedef struct fake_control *(*fake_control_fn)(void); /* exported as fake_control */

#endif
