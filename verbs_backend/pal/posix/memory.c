/* memory.c - page memory and randomness. */
#include "pal/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

size_t pal_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Whole pages for `bytes`; 0 when there is no such number. */
static size_t whole_pages(size_t bytes)
{
    size_t page = pal_page_size();
    if (bytes == 0 || bytes > SIZE_MAX - (page - 1))
        return 0;
    return (bytes + page - 1) & ~(page - 1);
}

void *pal_pages_alloc(size_t bytes)
{
    size_t rounded = whole_pages(bytes);
    if (rounded == 0)
        return NULL;
    void *pages = mmap(NULL, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void pal_pages_free(void *pages, size_t bytes)
{
    if (pages)
        munmap(pages, whole_pages(bytes));
}

#ifndef MADV_POPULATE_READ /* Linux 5.14; older C libraries do not name them */
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

bool pal_pages_usable(const void *addr, size_t bytes, bool for_write)
{
    uintptr_t page = pal_page_size(), start = (uintptr_t)addr & ~(page - 1);
    uintptr_t end = ((uintptr_t)addr + bytes + page - 1) & ~(page - 1);
    int probe = 0;
    if (start == 0 || bytes == 0 || end < start)
        return false;
    /* A kernel without it refuses even our own stack. */
    if (madvise((void *)((uintptr_t)&probe & ~(page - 1)), page, MADV_POPULATE_READ) != 0)
        return true;
    return madvise((void *)start, end - start, for_write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) == 0;
}

bool pal_random(void *out, size_t bytes)
{
    uint8_t *at = out;
    while (bytes > 0) {
        ssize_t got = getrandom(at, bytes, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        at += got;
        bytes -= (size_t)got;
    }
    return true;
}

size_t pal_resident_bytes(void)
{
    char text[128];
    unsigned long total, resident;

    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return 0;
    text[got] = 0;
    if (sscanf(text, "%lu %lu", &total, &resident) != 2)
        return 0;
    return (size_t)resident * pal_page_size();
}
