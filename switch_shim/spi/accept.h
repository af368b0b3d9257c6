/* accept.h - what WSPAccept and AcceptEx share.
 * Layer:   switch_shim/spi, private. */
#ifndef SW_SPI_ACCEPT_H
#define SW_SPI_ACCEPT_H

#include "spi/spi.h"

/* The next connection of a listener as a leg of `s`, not yet attached; s->to is the peer. WSAEWOULDBLOCK: nobody is there. */
int sw_accept_into(struct sw_sock *listener, struct sw_sock *s, struct sw_leg **out);
/* The connection stands: `leg` carries the data of `s`. False: it is no state for that, and the leg is retired. */
bool sw_accept_attach(struct sw_sock *s, struct sw_leg *leg);

/* The same, of the SAN half alone. */
int sw_accept_into_san(struct sw_sock *listener, struct sw_sock *s, struct sw_leg **out);
/* Connections that were taken and not accepted, oldest first; a call is counted in each. */
struct sw_sock *sw_accept_take_deferred(struct sw_sock *listener); /* of the SAN half; NULL: none */
void sw_accept_defer(struct sw_sock *listener, struct sw_sock *s);
/* SAN listeners beside TCP/IP's, in legs that are not yet the socket's. */
struct sw_leg *sw_listen_on_providers(struct sw_sock *s);

#endif
