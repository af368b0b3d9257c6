/* loop_pages_posix.c - owns one question: could a device pin this memory? */
#include <sys/mman.h>

#include "loop.h"

#ifndef MADV_POPULATE_READ /* Linux 5.14; older C libraries do not name them */
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

bool loop_pages_usable(const void *addr, size_t bytes, bool for_write)
{
    uintptr_t page = pal_page_size(), start = (uintptr_t)addr & ~(page - 1);
    uintptr_t end = ((uintptr_t)addr + bytes + page - 1) & ~(page - 1);
    int probe = 0;
    /* Populating faults the pages in just as pinning would, and fails where pinning would. A kernel without
     * it refuses even our own stack: then everything but the first page passes. */
    if (madvise((void *)((uintptr_t)&probe & ~(page - 1)), page, MADV_POPULATE_READ) != 0)
        return start != 0;
    return madvise((void *)start, end - start, for_write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) == 0;
}
