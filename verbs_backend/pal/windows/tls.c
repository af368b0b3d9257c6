/* tls.c - where _Thread_local variables live. mingw-w64 has no thread-local storage of the system's kind: gcc calls
 * __emutls_get_address(), and the one of its library (win32 thread model) makes a semaphore when a module first uses it and never
 * closes it, so a provider that is loaded and unloaded leaves one handle each time, and the memory of each thread. This one takes its
 * place in what links wsd_pal: a slot with a callback, which gives back what a thread has when it ends, and what
 * all threads have when the module goes.
 * Source: the interface is gcc's (libgcc/emutls.c, which every gcc without thread-local storage calls); FlsAlloc and FlsFree pages. */
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "pal/atomic.h"

#define VARIABLES_MAX 32 /* of one module */

struct variable { /* made by the compiler */
    size_t bytes, align;
    _Atomic uintptr_t number; /* ours; 0: not used yet */
    const void *initial;      /* NULL: zeros */
};

struct block {
    void *values[VARIABLES_MAX + 1];
};

void *__emutls_get_address(struct variable *v);

static DWORD slot = FLS_OUT_OF_INDEXES;
static pal_atomic_u32 count;

static void CALLBACK free_block(void *p)
{
    struct block *b = p;
    for (unsigned i = 1; b && i <= VARIABLES_MAX; i++)
        free(b->values[i]);
    free(b);
}

/* Before and after everything else of the module. */
__attribute__((constructor(101))) static void make_slot(void)
{
    slot = FlsAlloc(free_block);
}

/* The destructors of a program run in exit(), while its other threads go on and need their variables; the system takes all back. Those of a DLL run
 * when nobody is inside any more, or no other thread is left (pages of ExitProcess, FreeLibrary). */
static bool is_in_the_program(void)
{
    HMODULE mine = NULL;
    return GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                                  GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                              (LPCWSTR)(void *)&slot, &mine) &&
           mine == GetModuleHandleW(NULL);
}

__attribute__((destructor(101))) static void free_slot(void)
{
    if (is_in_the_program())
        return;
    if (slot != FLS_OUT_OF_INDEXES)
        (void)FlsFree(slot);
    slot = FLS_OUT_OF_INDEXES;
}

static uintptr_t number_of(struct variable *v)
{
    uintptr_t number = pal_load_acquire(&v->number), none = 0;
    if (number)
        return number;
    number = pal_add_relaxed(&count, 1) +
             1; /* one is lost when two threads are first: there are more than enough */
    if (number > VARIABLES_MAX)
        abort();
    return pal_cas_acq_rel(&v->number, &none, number) ? number : none;
}

/* Without memory there is nothing to return: the process ends, as it does with the compiler's own. */
static void *value_in(struct block *b, uintptr_t number, const struct variable *v)
{
    if (v->align > 2 * sizeof(void *)) /* more than malloc() promises */
        abort();
    void *value = malloc(v->bytes);
    if (!value)
        abort();
    if (v->initial)
        memcpy(value, v->initial, v->bytes);
    else
        memset(value, 0, v->bytes);
    b->values[number] = value;
    return value;
}

void *__emutls_get_address(struct variable *v)
{
    const uintptr_t number = number_of(v);
    struct block *b = FlsGetValue(slot);
    if (!b) {
        b = calloc(1, sizeof *b);
        if (!b || !FlsSetValue(slot, b))
            abort();
    }
    return b->values[number] ? b->values[number] : value_in(b, number, v);
}
