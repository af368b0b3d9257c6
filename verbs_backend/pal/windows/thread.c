/* thread.c - threads of the C runtime; owns their numbering. */
#include "pal/thread.h"

#include <process.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "pal/atomic.h"

struct pal_thread {
    HANDLE handle;
    void (*fn)(void *arg);
    void *arg;
    WCHAR name[16];
};

/* A counter rather than the system's number: never reused, and short in a trace. */
static pal_atomic_u64 last_id;
static PAL_THREAD_LOCAL uint64_t my_id;

typedef HRESULT(WINAPI *set_description_fn)(HANDLE, PCWSTR);

/* Since Windows 10 1607; a name is for debuggers and nothing depends on it. */
static void name_me(const WCHAR *name)
{
    FARPROC symbol = GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "SetThreadDescription");
    set_description_fn set = NULL;
    memcpy(&set, &symbol, sizeof set);
    if (set)
        (void)set(GetCurrentThread(), name);
}

static unsigned __stdcall run(void *p)
{
    struct pal_thread *t = p;
    if (t->name[0])
        name_me(t->name);
    t->fn(t->arg);
    return 0;
}

struct pal_thread *pal_thread_start(void (*fn)(void *arg), void *arg, const char *name)
{
    struct pal_thread *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->fn = fn;
    t->arg = arg;
    for (size_t i = 0; name && name[i] && i + 1 < sizeof t->name / sizeof *t->name; i++)
        t->name[i] = (unsigned char)name[i];
    t->handle = (HANDLE)_beginthreadex(NULL, 0, run, t, 0,
                                       NULL); /* and not CreateThread: the C runtime wants to know */
    if (!t->handle) {
        free(t);
        return NULL;
    }
    return t;
}

void pal_thread_join(struct pal_thread *t)
{
    if (!t)
        return;
    WaitForSingleObject(t->handle, INFINITE);
    CloseHandle(t->handle);
    free(t);
}

uint64_t pal_thread_id(void)
{
    if (my_id == 0)
        my_id = pal_add_relaxed(&last_id, 1) + 1;
    return my_id;
}

void pal_thread_yield(void)
{
    SwitchToThread();
}

unsigned pal_processors(void)
{
    SYSTEM_INFO info;

    GetSystemInfo(&info);
    return info.dwNumberOfProcessors < 1 ? 1 : info.dwNumberOfProcessors;
}
