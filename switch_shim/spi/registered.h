/* registered.h - which SAN providers this system has been told of, as the switch of Windows learns it: a registry key holds identifiers,
 *              the catalog of Winsock the file of each.
 * Layer:   switch_shim/spi, private. registered.c decides; registered_windows.c reads; elsewhere there is no such place.
 * Threads: one, at start-up.
 * Source:  contract 2.1, 2.2, 8.1. */
#ifndef SW_SPI_REGISTERED_H
#define SW_SPI_REGISTERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wsd/ws2_types.h"

#define SW_REGISTERED_PATH_BYTES 1024 /* UTF-8, with the terminator */
#define SW_REGISTERED_BINARY     3u   /* REG_BINARY */

struct sw_registered_value {
    uint32_t type, bytes; /* of the value; `id` holds the first 16 of them */
    GUID id;
};

/* The system, as a table: tests play it. */
struct sw_registered_source {
    void *self;
    /* The value of that number, from 0. False: there are no more. */
    bool (*value)(void *self, unsigned index, struct sw_registered_value *out);
    /* The file that the catalog has for an identifier, variables of the environment replaced. False: no such provider. */
    bool (*path_of)(void *self, const GUID *id, char *out, size_t bytes);
};

/**
 * The files of the registered providers, in the order of the values. Values of another form, identifiers that the catalog does not know
 * and second ones for the same identifier are passed over: only a value and an entry together make a SAN provider.
 * @return how many were written to out[], at most `max`
 */
unsigned sw_registered_paths(const struct sw_registered_source *from, char (*out)[SW_REGISTERED_PATH_BYTES],
                             unsigned max);

/* The same of this system; 0 where nothing is registered, or nothing can be. */
unsigned sw_registered_here(char (*out)[SW_REGISTERED_PATH_BYTES], unsigned max);

#endif
