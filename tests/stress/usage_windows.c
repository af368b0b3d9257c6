/* usage_windows.c - what usage.c needs to know of this process, on Windows. */
#include "usage_os.h"

#include <malloc.h>

size_t usage_heap_bytes(void)
{
    _HEAPINFO at = {0};
    size_t bytes = 0;
    while (_heapwalk(&at) == _HEAPOK)
        if (at._useflag == _USEDENTRY)
            bytes += at._size;
    return bytes;
}

/* Nobody can count the sections of memory by name; a record that is left is a handle that is left. */
unsigned usage_records(void)
{
    return 0;
}

bool usage_is_resident_known(void)
{
    return true;
}
