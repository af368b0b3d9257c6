/* usage_os.h - private to usage.c: what each system counts in its own way. */
#ifndef USAGE_OS_H
#define USAGE_OS_H

#include <stdbool.h>
#include <stddef.h>

size_t usage_heap_bytes(void);
unsigned usage_records(void);       /* of moved sockets, of this user; 0 where they cannot be counted */
bool usage_is_resident_known(void); /* false: a sanitizer keeps what was freed */

#endif
