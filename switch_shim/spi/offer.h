/* offer.h - a second handle of a socket in the same process: WSPDuplicateSocket offers it, WSPSocket takes it.
 * Layer:   switch_shim/spi, private.
 * Threads: any; no lock may be held. */
#ifndef SW_SPI_OFFER_H
#define SW_SPI_OFFER_H

#include "spi/spi.h"

/* A call is counted inside. id: never 0. 0 or the code. */
int sw_offer_make(struct sw_sock *s, uint32_t *id);
/* False: there is none of this number (any more). Else *code is 0 and *out the handle, or why there is none. */
bool sw_offer_take(uint32_t id, SOCKET *out, int *code);
void sw_offers_drop(void); /* WSPCleanup */

#endif
