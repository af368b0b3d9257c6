/* memory.c - page memory and randomness. */
#include "pal/memory.h"

#include <stdint.h>
#include <windows.h>

#include <bcrypt.h>
#include <psapi.h>

size_t pal_page_size(void)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwPageSize;
}

void *pal_pages_alloc(size_t bytes)
{
    if (bytes == 0 || bytes > SIZE_MAX - (pal_page_size() - 1))
        return NULL;
    return VirtualAlloc(NULL, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void pal_pages_free(void *pages, size_t bytes)
{
    (void)bytes; /* the system knows */
    if (pages)
        VirtualFree(pages, 0, MEM_RELEASE);
}

static bool is_usable(const MEMORY_BASIC_INFORMATION *m, bool for_write)
{
    const DWORD writable = PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY;
    const DWORD readable = writable | PAGE_READONLY | PAGE_EXECUTE_READ;
    return m->State == MEM_COMMIT && !(m->Protect & PAGE_GUARD) &&
           (m->Protect & (for_write ? writable : readable)) != 0;
}

/* Committed memory has its place already; the pages themselves come in when they are touched. */
bool pal_pages_usable(const void *addr, size_t bytes, bool for_write)
{
    uintptr_t at = (uintptr_t)addr;
    const uintptr_t end = at + bytes;
    if (at == 0 || bytes == 0 || end < at)
        return false;
    while (at < end) {
        MEMORY_BASIC_INFORMATION m;
        if (VirtualQuery((const void *)at, &m, sizeof m) != sizeof m || !is_usable(&m, for_write))
            return false;
        at = (uintptr_t)m.BaseAddress + m.RegionSize; /* of pages that are alike */
    }
    return true;
}

bool pal_random(void *out, size_t bytes)
{
    uint8_t *at = out;
    while (bytes > 0) {
        const ULONG n = bytes > 0x10000000 ? 0x10000000 : (ULONG)bytes;
        if (BCryptGenRandom(NULL, at, n, BCRYPT_USE_SYSTEM_PREFERRED_RNG) != 0)
            return false;
        at += n;
        bytes -= n;
    }
    return true;
}

size_t pal_resident_bytes(void)
{
    PROCESS_MEMORY_COUNTERS counters;
    if (!GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters))
        return 0;
    return counters.WorkingSetSize;
}
