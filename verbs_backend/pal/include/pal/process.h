/* pal/process.h - processes and small named records shared between them.
 * Layer:   platform. Used for moving sockets between processes (wsd-contract.md 8.10): only 32 bits travel
 *          through the switch, everything else travels in one of these records. */
#ifndef PAL_PROCESS_H
#define PAL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pal_record_status {
    PAL_RECORD_OK,
    PAL_RECORD_EXISTS,    /* put: the name is taken */
    PAL_RECORD_NOT_FOUND, /* take: no such record, or another process was faster */
    PAL_RECORD_FAILED     /* out of memory, no permission, record of another size */
};

uint32_t pal_process_id(void);
bool pal_process_exists(uint32_t pid);

/* put: publish `bytes` under `name` ([a-z0-9-], at most 48 characters), readable by the same user only; the
 * whole record appears at once. Windows: it goes with the process that put it. take: fetch it and remove it; of several takers exactly one gets
 * PAL_RECORD_OK.
 * peek: fetch without removing. drop: remove, true when it was there. */
enum pal_record_status pal_record_put(const char *name, const void *data, size_t bytes);
enum pal_record_status pal_record_take(const char *name, void *data, size_t bytes);
enum pal_record_status pal_record_peek(const char *name, void *data, size_t bytes);
bool pal_record_drop(const char *name);

/* Remove this user's records whose process has ended, however it ended, and that are at least so old; returns how many. Looks at some
 * thousands at most. What a process of another PID namespace has put stays. Windows: nothing to do. Any process, any time. */
unsigned pal_record_sweep(uint32_t least_age_s);

#endif
