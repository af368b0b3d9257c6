/* loop_pages_windows.c - owns one question: could a device pin this memory? */
#include <windows.h>

#include "loop.h"

bool loop_pages_usable(const void *addr, size_t bytes, bool for_write)
{
    const char *at = addr, *end = at + bytes;
    while (at < end) {
        MEMORY_BASIC_INFORMATION m;
        if (!VirtualQuery(at, &m, sizeof m) || m.State != MEM_COMMIT ||
            (m.Protect & (PAGE_NOACCESS | PAGE_GUARD)))
            return false;
        if (for_write && !(m.Protect & (PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE |
                                        PAGE_EXECUTE_WRITECOPY)))
            return false;
        at = (const char *)m.BaseAddress + m.RegionSize;
    }
    return true;
}
