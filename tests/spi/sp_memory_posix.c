/* sp_memory_posix.c - mappings of memory that a program changes while sockets know it. */
#include "sp.h"

#include <sys/mman.h>

void *sp_map(void *where, size_t bytes)
{
    void *p = mmap(where, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | (where != NULL ? MAP_FIXED_NOREPLACE : 0), -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

void *sp_far_place(void)
{
    const size_t room = (size_t)16 << 30;
    char *p = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    assert_true(p != MAP_FAILED);
    munmap(p, room);
    return p + room / 2; /* it fills the gap from one end */
}

void sp_unmap(void *p, size_t bytes)
{
    munmap(p, bytes);
}

bool sp_map_over(void *p, size_t bytes)
{
    return mmap(p, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p;
}

bool sp_move_memory(void *from, void *to, size_t bytes)
{
    return mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to;
}

bool sp_discard(void *p, size_t bytes)
{
    return madvise(p, bytes, MADV_DONTNEED) == 0;
}
