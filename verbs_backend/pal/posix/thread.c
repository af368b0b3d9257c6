/* thread.c - pthreads; owns the numbering of threads. */
#include "pal/thread.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pal/atomic.h"

struct pal_thread {
    pthread_t handle;
    void (*fn)(void *arg);
    void *arg;
    char name[16];
};

/* A counter rather than the kernel's number: never reused, still right after fork, and short in a trace. */
static pal_atomic_u64 last_id;
static PAL_THREAD_LOCAL uint64_t my_id;

static void *run(void *p)
{
    struct pal_thread *t = p;
    if (t->name[0])
        pthread_setname_np(pthread_self(), t->name);
    t->fn(t->arg);
    return NULL;
}

struct pal_thread *pal_thread_start(void (*fn)(void *arg), void *arg, const char *name)
{
    struct pal_thread *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->fn = fn;
    t->arg = arg;
    if (name)
        strncpy(t->name, name, sizeof t->name - 1);

    /* The new thread inherits the mask. Signals that report a fault of the thread itself stay open: blocked,
     * they would end the process without the report of a debugger or sanitizer. */
    sigset_t blocked, before;
    sigfillset(&blocked);
    static const int own_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    for (size_t i = 0; i < sizeof own_faults / sizeof own_faults[0]; i++)
        sigdelset(&blocked, own_faults[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int rc = pthread_create(&t->handle, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        free(t);
        return NULL;
    }
    return t;
}

void pal_thread_join(struct pal_thread *t)
{
    if (!t)
        return;
    pthread_join(t->handle, NULL);
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
    sched_yield();
}

unsigned pal_processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : (unsigned)n;
}
