/* poll.h - what WSAPoll asks, which is more than select answers: the end of a stream beside its unread bytes.
 * Layer:   switch_shim/spi; for winsock/app. No function of the thirty has it.
 * Threads: any. */
#ifndef SW_SPI_POLL_H
#define SW_SPI_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include "wsd/ws2_types.h"

struct sw_polled {
    SOCKET handle;
    uint32_t
        wanted; /* FD_READ, FD_ACCEPT, FD_WRITE, FD_OOB: of these one is enough; an end and a failure always are */
    /* out; all zero: nothing */
    uint32_t events; /* FD_* that are true, wanted or not */
    int close_error; /* belongs to FD_CLOSE */
    bool has_failed; /* the last attempt to connect */
    bool is_none;    /* no socket, or closed meanwhile */
};

/**
 * Wait until there is something to tell of some of them.
 * @param timeout_ms  negative: for ever
 * @param ready       so many have something to tell; 0: the time is over
 * @return 0; WSANOTINITIALISED, WSAENOBUFS; WSAEINTR: the blocking hook or WSPCancelBlockingCall
 */
int sw_poll_sockets(struct sw_polled *all, unsigned count, int timeout_ms, unsigned *ready);

#endif
