/* address.h - sockaddrs of the edge <-> addresses of the backend.
 * Layer:   provider/sock. */
#ifndef WSD_ADDRESS_H
#define WSD_ADDRESS_H

#include "vb/vb.h"
#include "wsd/ws2_types.h"

/* 0, WSAEFAULT: NULL, too short, or not of this family (4.4). */
int wsd_address_from_edge(const WSD_SOCKADDR *name, int namelen, uint8_t family, struct vb_addr *out);
/* Returns the bytes an address of this family takes; writes them when out is not NULL. */
int wsd_address_to_edge(const struct vb_addr *a, void *out);

#endif
