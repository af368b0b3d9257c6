/* time.c - clocks. */
#include "pal/time.h"

#include <windows.h>

uint64_t pal_now_ns(void)
{
    LARGE_INTEGER now, per_second; /* the second is a constant in shared memory, not a call of the kernel */
    QueryPerformanceFrequency(&per_second);
    QueryPerformanceCounter(&now);
    const uint64_t ticks = (uint64_t)now.QuadPart, hz = (uint64_t)per_second.QuadPart;
    /* In two parts: ticks * 10^9 would overflow. One more than the clock says, so that it is never 0. */
    return ticks / hz * 1000000000u + ticks % hz * 1000000000u / hz + 1;
}

uint64_t pal_wall_ms(void)
{
    FILETIME t;
    GetSystemTimeAsFileTime(&t);
    const uint64_t units = ((uint64_t)t.dwHighDateTime << 32) | t.dwLowDateTime; /* 100 ns since 1601 */
    return units / 10000u - 11644473600000u;
}

void pal_sleep_ms(uint32_t ms)
{
    while (ms >= INFINITE / 2) { /* INFINITE is no time */
        Sleep(INFINITE / 2);
        ms -= INFINITE / 2;
    }
    Sleep(ms);
}
