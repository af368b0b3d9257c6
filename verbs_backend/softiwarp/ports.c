/* ports.c - see ports.h. */
#include "ports.h"

#include <string.h>

#include "bytes.h"

static const uint8_t magic[4] = {'W', 'S', 'D', 'i'};
enum { MAP_VERSION = 1 };

uint16_t si_port_candidate(uint16_t port, unsigned i)
{
    /* Multiplying by an odd constant spreads neighbours; 4536 = 2^3 * 3^4 * 7, so a step that none of 2, 3 and 7
     * divides visits every port before the first comes again. */
    const uint32_t hash = (uint32_t)port * 2654435761u >> 16;
    return (uint16_t)(SI_PORT_FIRST + (hash + i * 1009u) % SI_PORT_COUNT);
}

void si_map_encode(const struct si_map *m, uint8_t out[SI_MAP_BYTES])
{
    memset(out, 0, SI_MAP_BYTES);
    memcpy(out, magic, sizeof magic);
    out[4] = MAP_VERSION;
    out[5] = m->kind;
    put_be16(out + 6, m->service);
    put_be16(out + 8, m->source);
}

bool si_map_decode(const uint8_t *in, size_t bytes, struct si_map *m)
{
    memset(m, 0, sizeof *m);
    if (bytes < SI_MAP_BYTES || memcmp(in, magic, sizeof magic) != 0 || in[4] != MAP_VERSION)
        return false;
    m->kind = in[5];
    m->service = get_be16(in + 6);
    m->source = get_be16(in + 8);
    return m->kind >= SI_MAP_CONNECT && m->kind <= SI_MAP_NOT_HERE;
}
