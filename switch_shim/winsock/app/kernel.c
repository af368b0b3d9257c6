/* kernel.c - the rest of windows.h: last error, time, processes, threads and the calls queued to them, closing handles. */
#include "app/app.h"
#include "process.h"

#include <stdlib.h>

#include "pal/atomic.h"
#include "pal/mutex.h"
#include "pal/process.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "sw_internal.h"

#define THIS_THREAD ((HANDLE)(intptr_t)-2) /* what GetCurrentThread() gives on Windows */

DWORD WINAPI GetLastError(void)
{
    return (DWORD)sw_last_error();
}

void WINAPI SetLastError(DWORD code)
{
    sw_set_last_error((int)code);
}

ULONGLONG WINAPI GetTickCount64(void)
{
    return pal_now_ns() / 1000000u;
}

DWORD WINAPI GetTickCount(void)
{
    return (DWORD)GetTickCount64();
}

BOOL WINAPI QueryPerformanceCounter(LARGE_INTEGER *now)
{
    now->QuadPart = (LONGLONG)pal_now_ns();
    return TRUE;
}

BOOL WINAPI QueryPerformanceFrequency(LARGE_INTEGER *frequency)
{
    frequency->QuadPart = 1000000000;
    return TRUE;
}

HANDLE WINAPI GetCurrentProcess(void)
{
    return (HANDLE)(intptr_t)-1;
}

void WINAPI ExitProcess(UINT code)
{
    exit((int)code);
}

DWORD WINAPI GetCurrentProcessId(void)
{
    return pal_process_id();
}

DWORD WINAPI GetCurrentThreadId(void)
{
    return (DWORD)pal_thread_id();
}

BOOL WINAPI CloseHandle(HANDLE object)
{
    if (object == THIS_THREAD || sw_event_close(object) == 0 || ws2_close_port(object) ||
        (ws2_os_is_file(object) && ws2_os_close_file(object)))
        return TRUE;
    SetLastError(ERROR_INVALID_HANDLE);
    return FALSE;
}

/* --- threads --- */

struct start {
    LPTHREAD_START_ROUTINE fn;
    LPVOID parameter;
    HANDLE over;       /* an event; what CreateThread() gave out */
    HANDLE is_running; /* tells the maker the id */
    DWORD id;
    bool is_closed_at_end; /* nobody else closes `over` */
};

/* A thread that runs, for who queues calls to it. On its stack. */
struct running {
    struct running *next;
    HANDLE over;
    WSATHREADID *id; /* NULL: no memory for it, so no call can be queued */
};
static struct pal_mutex running_lock = PAL_MUTEX_INIT; /* guards the list, and that an id in it is open */
static struct running *running;

static void enlist(struct running *r)
{
    pal_mutex_lock(&running_lock);
    r->next = running;
    running = r;
    pal_mutex_unlock(&running_lock);
}

static void delist(struct running *r)
{
    struct running **at = &running;

    pal_mutex_lock(&running_lock);
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    pal_mutex_unlock(&running_lock);
}

static void run(void *context)
{
    struct start *shared = context;
    struct start mine = *shared;
    struct running me = {NULL, mine.over, ws2_this_thread()};

    enlist(&me);
    shared->id = GetCurrentThreadId();
    (void)sw_event_set(mine.is_running); /* `shared` is gone */
    (void)mine.fn(mine.parameter);
    delist(&me);
    ws2_os_forget_thread();        /* before others hear: the last of them may end the process */
    (void)sw_event_set(mine.over); /* or it was closed: nobody waits */
    if (mine.is_closed_at_end)
        (void)sw_event_close(mine.over);
}

static HANDLE start_thread(struct start s, SIZE_T stack_bytes, DWORD flags, DWORD *id)
{
    if (s.fn == NULL || flags != 0) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    s.over = sw_event_create(true, false);
    s.is_running = sw_event_create(true, false);
    if (s.over == WSA_INVALID_EVENT || s.is_running == WSA_INVALID_EVENT ||
        !ws2_os_start_thread(run, &s, stack_bytes)) {
        (void)sw_event_close(s.over);
        (void)sw_event_close(s.is_running);
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    (void)sw_event_wait(s.is_running, SW_FOREVER);
    (void)sw_event_close(s.is_running);
    if (id != NULL)
        *id = s.id;
    return s.over;
}

HANDLE WINAPI CreateThread(LPSECURITY_ATTRIBUTES security, SIZE_T stack_bytes, LPTHREAD_START_ROUTINE start,
                           LPVOID parameter, DWORD flags, LPDWORD id)
{
    struct start s = {.fn = start, .parameter = parameter};

    (void)security;
    return start_thread(s, stack_bytes, flags, id);
}

uintptr_t __cdecl _beginthreadex(void *security, unsigned stack_bytes, unsigned(__stdcall *start)(void *),
                                 void *parameter, unsigned flags, unsigned *id)
{
    return (uintptr_t)CreateThread(security, stack_bytes, start, parameter, flags, id);
}

/* A start routine without a result, for one with. */
struct plain {
    void(__cdecl *start)(void *);
    void *parameter;
};

static DWORD WINAPI run_plain(LPVOID context)
{
    struct plain p = *(struct plain *)context;

    free(context);
    p.start(p.parameter);
    return 0;
}

uintptr_t __cdecl _beginthread(void(__cdecl *start)(void *), unsigned stack_bytes, void *parameter)
{
    struct plain *p = start != NULL ? malloc(sizeof(*p)) : NULL;
    struct start s = {.fn = run_plain, .parameter = p, .is_closed_at_end = true};
    HANDLE thread = NULL;

    if (p != NULL) {
        *p = (struct plain){start, parameter};
        thread = start_thread(s, stack_bytes, 0, NULL);
    }
    if (thread != NULL)
        return (uintptr_t)thread;
    if (p == NULL)
        SetLastError(start == NULL ? ERROR_INVALID_PARAMETER : ERROR_NOT_ENOUGH_MEMORY);
    free(p);
    return (uintptr_t)-1;
}

/* The objects are not declared atomic by who owns them; C11 gives both the same form on our platforms (pal/atomic.h asks for it). */
#define ATOMIC(at) ((volatile _Atomic(LONG) *)(at))
_Static_assert(sizeof(_Atomic(LONG)) == sizeof(LONG), "one form");

LONG WINAPI InterlockedIncrement(LONG volatile *at)
{
    return atomic_fetch_add(ATOMIC(at), 1) + 1;
}

LONG WINAPI InterlockedDecrement(LONG volatile *at)
{
    return atomic_fetch_sub(ATOMIC(at), 1) - 1;
}

LONG WINAPI InterlockedExchange(LONG volatile *at, LONG value)
{
    return atomic_exchange(ATOMIC(at), value);
}

LONG WINAPI InterlockedExchangeAdd(LONG volatile *at, LONG value)
{
    return atomic_fetch_add(ATOMIC(at), value);
}

LONG WINAPI InterlockedCompareExchange(LONG volatile *at, LONG value, LONG expected)
{
    (void)atomic_compare_exchange_strong(ATOMIC(at), &expected, value);
    return expected; /* what was there, either way */
}

#define ATOMIC64(at) ((volatile _Atomic(LONG64) *)(at))
_Static_assert(sizeof(_Atomic(LONG64)) == sizeof(LONG64), "one form");

LONG64 WINAPI InterlockedExchangeAdd64(LONG64 volatile *at, LONG64 value)
{
    return atomic_fetch_add(ATOMIC64(at), value);
}

LONG64 WINAPI InterlockedIncrement64(LONG64 volatile *at)
{
    return InterlockedExchangeAdd64(at, 1) + 1;
}

LONG64 WINAPI InterlockedDecrement64(LONG64 volatile *at)
{
    return InterlockedExchangeAdd64(at, -1) - 1;
}

/* --- calls queued to threads --- */

WSATHREADID *ws2_this_thread(void)
{
    WSATHREADID *id = ws2_os_kept_thread();

    if (id != NULL)
        return id;
    id = malloc(sizeof(*id));
    if (id == NULL || sw_thread_open(id) != 0) {
        free(id);
        return NULL;
    }
    if (ws2_os_keep_thread(id))
        return id;
    (void)sw_thread_close(id);
    free(id);
    return NULL;
}

HANDLE WINAPI GetCurrentThread(void)
{
    return THIS_THREAD;
}

/* Of a thread of CreateThread(). 0 or the Win32 code. */
static DWORD queue_to(HANDLE thread, PAPCFUNC fn, ULONG_PTR data)
{
    struct sw_event_object *object = sw_event_hold(thread);
    DWORD code = ERROR_GEN_FAILURE;

    if (object == NULL)
        return ERROR_INVALID_HANDLE;
    sw_event_drop(object);
    pal_mutex_lock(&running_lock);
    for (struct running *r = running; r != NULL; r = r->next)
        if (r->over == thread)
            code = r->id == NULL || sw_thread_queue(r->id, fn, data) != 0 ? ERROR_NOT_ENOUGH_MEMORY : 0;
    pal_mutex_unlock(&running_lock);
    return code;
}

DWORD WINAPI QueueUserAPC(PAPCFUNC fn, HANDLE thread, ULONG_PTR data)
{
    const WSATHREADID *id;
    DWORD code;

    if (thread != THIS_THREAD) {
        code = queue_to(thread, fn, data);
    } else {
        id = ws2_this_thread();
        code = id == NULL || sw_thread_queue(id, fn, data) != 0 ? ERROR_NOT_ENOUGH_MEMORY : 0;
    }
    if (code != 0)
        SetLastError(code);
    return code == 0;
}
