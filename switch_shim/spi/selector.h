/* selector.h - a thread that waits until one of several sockets is ready: WSPSelect, and WSAPoll over it.
 * Layer:   switch_shim/spi, private.
 * How:     no polling: each socket keeps a list of who waits for it, and wakes them from the upcalls of its carriers. */
#ifndef SW_SPI_SELECTOR_H
#define SW_SPI_SELECTOR_H

#include "spi/spi.h"

#define SW_INLINE_PLACES 64u /* so many need no memory from the heap */

/* What is true of a socket now. */
struct sw_true {
    uint32_t events; /* FD_READ, FD_WRITE, FD_OOB, FD_ACCEPT, FD_CLOSE */
    int close_error; /* belongs to FD_CLOSE */
    bool has_failed; /* its last attempt to connect */
};
void sw_sock_look(struct sw_sock *s, struct sw_true *out); /* a call is counted inside */

/* One socket and what is asked of it. */
struct sw_place {
    struct sw_sock *sock; /* a reference is held */
    SOCKET handle;
    unsigned which; /* the asker's, these two */
    void *context;
    bool is_ready;
    struct sw_select_node node; /* events: which of them may end the wait; filled in by the asker */
};

/* Is it ready? 0, or the code that ends the wait when no place is. No lock held, no call counted. */
typedef int (*sw_place_look)(struct sw_place *at);

int sw_places_look(struct sw_place *places, unsigned count, sw_place_look look, unsigned *ready);
/* Until some are; 0 also when the time is over. WSAEINTR, WSAENOBUFS, what look() says. */
int sw_places_wait(struct sw_place *places, unsigned count, sw_place_look look, struct sw_blocker *b,
                   unsigned *ready);

#endif
