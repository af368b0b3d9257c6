/* section.c - critical sections. LockCount is -1 when nobody is inside; each that comes adds one. Who finds somebody inside waits for
 * LockSemaphore, an event that wakes one: who leaves sets it when another has come meanwhile. No more than one wake is under way at a time, since
 * the next leaves only after it has taken the one that let it in.
 * Linux only. Source: the pages of the functions. */
#include "app/app.h"

#include <stdlib.h>

#include "pal/atomic.h"
#include "sw_internal.h"

#define LOCK_COUNT(section) ((volatile _Atomic(LONG) *)&(section)->LockCount)
#define OWNER(section)      ((volatile _Atomic(HANDLE) *)&(section)->OwningThread)
_Static_assert(sizeof(_Atomic(HANDLE)) == sizeof(HANDLE), "one form");

static HANDLE me(void)
{
    return (HANDLE)(uintptr_t)GetCurrentThreadId();
}

/* Only this thread writes its own id there, so another's value, however old, is another's. */
static bool is_mine(LPCRITICAL_SECTION section)
{
    return atomic_load_explicit(OWNER(section), memory_order_relaxed) == me();
}

static void own(LPCRITICAL_SECTION section, HANDLE who)
{
    atomic_store_explicit(OWNER(section), who, memory_order_relaxed);
    section->RecursionCount = who != NULL;
}

BOOL WINAPI InitializeCriticalSectionAndSpinCount(LPCRITICAL_SECTION section, DWORD spins)
{
    memset(section, 0, sizeof(*section));
    section->LockCount = -1;
    section->SpinCount = spins;
    section->LockSemaphore = CreateEventA(NULL, FALSE, FALSE, NULL);
    return section->LockSemaphore != NULL;
}

void WINAPI InitializeCriticalSection(LPCRITICAL_SECTION section)
{
    if (!InitializeCriticalSectionAndSpinCount(section, 0))
        abort(); /* it cannot fail, and raises an exception when there is no memory (its page) */
}

void WINAPI EnterCriticalSection(LPCRITICAL_SECTION section)
{
    if (is_mine(section)) {
        (void)atomic_fetch_add(LOCK_COUNT(section), 1);
        section->RecursionCount++;
        return;
    }
    if (atomic_fetch_add(LOCK_COUNT(section), 1) != -1)
        (void)sw_event_wait(section->LockSemaphore, SW_FOREVER);
    own(section, me());
}

BOOL WINAPI TryEnterCriticalSection(LPCRITICAL_SECTION section)
{
    LONG nobody = -1;

    if (is_mine(section)) {
        EnterCriticalSection(section);
        return TRUE;
    }
    if (!atomic_compare_exchange_strong(LOCK_COUNT(section), &nobody, 0))
        return FALSE;
    own(section, me());
    return TRUE;
}

void WINAPI LeaveCriticalSection(LPCRITICAL_SECTION section)
{
    bool is_last = section->RecursionCount == 1;

    if (is_last)
        own(section, NULL);
    else
        section->RecursionCount--;
    if (atomic_fetch_sub(LOCK_COUNT(section), 1) > 0 && is_last)
        (void)sw_event_set(section->LockSemaphore);
}

void WINAPI DeleteCriticalSection(LPCRITICAL_SECTION section)
{
    (void)sw_event_close(section->LockSemaphore);
    memset(section, 0, sizeof(*section));
    section->LockCount = -1;
}
