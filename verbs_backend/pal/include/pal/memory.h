/* pal/memory.h - page memory and randomness.
 * Layer:   platform. Ordinary allocations use malloc/calloc/free directly. */
#ifndef PAL_MEMORY_H
#define PAL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

size_t pal_page_size(void); /* bytes; a power of two */
/* Zeroed, page-aligned, rounded up to whole pages; NULL when out of memory. Free with the same byte count. */
void *pal_pages_alloc(size_t bytes);
void pal_pages_free(void *pages, size_t bytes);
/* Is all of it mapped, and writable if asked? Brings the pages in, as pinning would. A system that cannot tell says
 * yes. Nothing is pinned: the owner keeps the memory. */
bool pal_pages_usable(const void *addr, size_t bytes, bool for_write);
/* Bytes from the system's cryptographic generator; false when it cannot deliver (callers must then fail). */
bool pal_random(void *out, size_t bytes);
/* Resident set of this process in bytes; 0 when unknown. */
size_t pal_resident_bytes(void);

#endif
