/* sw_companion.h - the private part of a companion.
 * Layer:   switch_shim, private: sw_socket.c, sw_listen.c, sw_negotiate.c. */
#ifndef SW_COMPANION_H
#define SW_COMPANION_H

#include "sw_internal.h"

enum connect_state {
    CONNECT_NONE, /* accepted, adopted or not yet connecting */
    CONNECT_PENDING,
    CONNECT_DONE,
    CONNECT_FAILED
};

struct companion {
    struct sw_socket_base base; /* first: sw_sockets_drop() finds the companion through it */
    struct sw_companion pub;
    enum connect_state connect;
    int connect_error;
    void *hello_page; /* memory of a negotiation that failed; the provider may hold it until WSPCloseSocket */
    size_t hello_page_bytes;
};

static inline struct companion *companion_of(const struct sw_companion *c)
{
    return (struct companion *)(void *)((char *)(uintptr_t)c - offsetof(struct companion, pub));
}

int sw_raw_close(struct sw_provider *p, SOCKET descriptor);
void sw_companion_free(struct companion *c);
void sw_listener_free(struct sw_socket_base *base);
void sw_hello_free(struct companion *c);

#endif
