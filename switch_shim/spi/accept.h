/* accept.h - what WSPAccept and AcceptEx share.
 * Layer:   switch_shim/spi, private. */
#ifndef SW_SPI_ACCEPT_H
#define SW_SPI_ACCEPT_H

#include "spi/spi.h"

/* The next connection of a listener as a leg of `s`, not yet attached; s->to is the peer. WSAEWOULDBLOCK: nobody is there. */
int sw_accept_into(struct sw_sock *listener, struct sw_sock *s, struct sw_leg **out);
/* The connection stands: `leg` carries the data of `s`. False: it is no state for that, and the leg is retired. */
bool sw_accept_attach(struct sw_sock *s, struct sw_leg *leg);

#endif
