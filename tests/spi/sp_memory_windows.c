/* sp_memory_windows.c - see sp_memory_posix.c. Nothing there is mapped over or moved. */
#include "sp.h"

void *sp_map(void *where, size_t bytes)
{
    return VirtualAlloc(where, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void *sp_far_place(void)
{
    const size_t room = (size_t)256 << 20;
    char *p = VirtualAlloc(NULL, room, MEM_RESERVE, PAGE_NOACCESS);

    assert_non_null(p);
    VirtualFree(p, 0, MEM_RELEASE);
    return p + room / 2; /* it fills the gap from one end */
}

void sp_unmap(void *p, size_t bytes)
{
    (void)bytes;
    VirtualFree(p, 0, MEM_RELEASE);
}

bool sp_map_over(void *p, size_t bytes)
{
    (void)p;
    (void)bytes;
    return false;
}

bool sp_move_memory(void *from, void *to, size_t bytes)
{
    (void)from;
    (void)to;
    (void)bytes;
    return false;
}

bool sp_discard(void *p, size_t bytes)
{
    (void)p;
    (void)bytes;
    return false;
}
