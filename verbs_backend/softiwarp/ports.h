/* ports.h - how the SAN service of port P is found without taking P from the application's own TCP listener.
 * Layer: softiwarp codec; no I/O. The rule: PROTOCOL.md 7. Our choice: the RFCs leave it to port mappers. */
#ifndef SOFTIWARP_PORTS_H
#define SOFTIWARP_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SI_PORT_CANDIDATES 8u
#define SI_PORT_FIRST      61000u /* beyond what Linux hands out to clients (32768..60999) */
#define SI_PORT_COUNT      4536u  /* ..65535 */

/* TCP port number `i` (0..SI_PORT_CANDIDATES-1) under which the service of `port` may be found; all different. */
uint16_t si_port_candidate(uint16_t port, unsigned i);

/* ---- what stands in front of the consumer's private data in mapped mode ---- */

#define SI_MAP_BYTES 12u

enum si_map_kind { SI_MAP_CONNECT = 1, SI_MAP_ACCEPT = 2, SI_MAP_REJECT = 3, SI_MAP_NOT_HERE = 4 };

struct si_map {
    uint8_t kind;     /* enum si_map_kind */
    uint16_t service; /* CONNECT: port that is wanted */
    uint16_t source;  /* CONNECT: port that the connecting consumer has; 0 = that of TCP */
};

void si_map_encode(const struct si_map *m, uint8_t out[SI_MAP_BYTES]);
/* False: too short, not this format, or another version: the peer does not map ports. */
bool si_map_decode(const uint8_t *in, size_t bytes, struct si_map *m);

#endif
