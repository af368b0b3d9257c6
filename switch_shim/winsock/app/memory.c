/* memory.c - the heap of the process: the C library's, with the length before each piece, as HeapSize() and HEAP_ZERO_MEMORY of HeapReAlloc() need
 * it. Linux only. Source: the pages of the functions. */
#include "app/app.h"

#include <stdlib.h>

union head {
    SIZE_T bytes;
    max_align_t align; /* the memory behind it is for anything */
};

HANDLE WINAPI GetProcessHeap(void)
{
    static const char heap; /* its address is the heap's name */

    return (HANDLE)(uintptr_t)&heap;
}

static bool is_heap(HANDLE heap)
{
    if (heap == GetProcessHeap())
        return true;
    SetLastError(ERROR_INVALID_HANDLE);
    return false;
}

/* HeapAlloc() is the one that sets no last error (its page). */
LPVOID WINAPI HeapAlloc(HANDLE heap, DWORD flags, SIZE_T bytes)
{
    union head *h = NULL;

    if (heap == GetProcessHeap() && bytes <= SIZE_MAX - sizeof(*h))
        h = (flags & HEAP_ZERO_MEMORY) != 0 ? calloc(1, sizeof(*h) + bytes) : malloc(sizeof(*h) + bytes);
    if (h == NULL)
        return NULL;
    h->bytes = bytes;
    return h + 1;
}

LPVOID WINAPI HeapReAlloc(HANDLE heap, DWORD flags, LPVOID memory, SIZE_T bytes)
{
    union head *h = NULL;
    SIZE_T before;

    if (memory == NULL || heap != GetProcessHeap())
        return NULL;
    before = HeapSize(heap, 0, memory);
    if (bytes <= SIZE_MAX - sizeof(*h))
        h = realloc((union head *)memory - 1, sizeof(*h) + bytes);
    if (h == NULL)
        return NULL;
    h->bytes = bytes;
    if ((flags & HEAP_ZERO_MEMORY) != 0 && bytes > before)
        memset((char *)(h + 1) + before, 0, bytes - before);
    return h + 1;
}

BOOL WINAPI HeapFree(HANDLE heap, DWORD flags, LPVOID memory)
{
    (void)flags;
    if (!is_heap(heap))
        return FALSE;
    if (memory != NULL)
        free((union head *)memory - 1);
    return TRUE;
}

SIZE_T WINAPI HeapSize(HANDLE heap, DWORD flags, LPCVOID memory)
{
    (void)flags;
    return is_heap(heap) && memory != NULL ? ((const union head *)memory - 1)->bytes : (SIZE_T)-1;
}

/* --- the older kinds --- */

HLOCAL WINAPI LocalAlloc(UINT flags, SIZE_T bytes)
{
    HLOCAL memory = NULL;

    if ((flags & LMEM_MOVEABLE) != 0) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    memory = HeapAlloc(GetProcessHeap(), (flags & LMEM_ZEROINIT) != 0 ? HEAP_ZERO_MEMORY : 0, bytes);
    if (memory == NULL)
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return memory;
}

HLOCAL WINAPI LocalFree(HLOCAL memory)
{
    (void)HeapFree(GetProcessHeap(), 0, memory);
    return NULL;
}

HGLOBAL WINAPI GlobalAlloc(UINT flags, SIZE_T bytes)
{
    return LocalAlloc(flags, bytes);
}

HGLOBAL WINAPI GlobalFree(HGLOBAL memory)
{
    return LocalFree(memory);
}
