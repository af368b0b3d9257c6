/* duplicate_listener.h - the SAN half of a listener that goes to another process: WSPDuplicateSocket and its other half.
 * Layer:   switch_shim/spi, private. */
#ifndef SW_SPI_DUPLICATE_LISTENER_H
#define SW_SPI_DUPLICATE_LISTENER_H

#include "spi/spi.h"

/* A call is counted inside a socket that listens. Returns how many bytes of `text` are written; what cannot go stays out. */
size_t sw_listener_give(struct sw_sock *s, DWORD process, char *text, size_t room);
/* As legs that are not yet the socket's. What cannot be taken is left out: TCP/IP listens all the same. */
struct sw_leg *sw_listener_take(struct sw_sock *s, const char *text, size_t bytes);
/* They take the place of what is left of those that went; lock held. */
void sw_listener_replace_locked(struct sw_sock *s, struct sw_leg *list);
/* Of those that went: connections may still become ready to be accepted. */
void sw_listener_want_moved(struct sw_sock *s);

#endif
