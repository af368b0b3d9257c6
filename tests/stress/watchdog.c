/* watchdog.c - see watchdog.h. */
#include "watchdog.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pal/atomic.h"
#include "pal/thread.h"
#include "pal/time.h"

#define STACKS_SECONDS 60u
#define TICK_MS        100u

static pal_atomic_u64 pats;
static pal_atomic_bool is_over;
static uint32_t ticks_allowed;
static void (*describe_state)(void);
static struct pal_thread *thread;

static void show_stacks(void)
{
    char pid[16];

    snprintf(pid, sizeof pid, "%d", (int)getpid());
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    pid_t child = fork();
    if (child == 0) {
        dup2(2, 1);
        alarm(STACKS_SECONDS);
        execlp("gdb", "gdb", "-batch", "-nx", "-p", pid, "-ex", "thread apply all backtrace 16",
               (char *)NULL);
        _exit(0); /* not installed: then there are no stacks */
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

void watchdog_bite(const char *why)
{
    static pal_atomic_bool has_bitten;

    if (pal_swap_acq_rel(&has_bitten, true)) /* another thread is at it, and will end the process */
        for (;;)
            pal_sleep_ms(1000);
    fflush(stdout);
    fprintf(stderr, "\nHANG: %s\n", why);
    if (describe_state != NULL)
        describe_state();
    fflush(stderr);
    show_stacks();
    abort();
}

/* In ticks of its own and not by the clock: a machine that was stopped for a minute is no hang. */
static void watch(void *arg)
{
    uint64_t seen = 0;
    uint32_t ticks = 0;

    (void)arg;
    while (!pal_load_acquire(&is_over)) {
        pal_sleep_ms(TICK_MS);
        uint64_t now = pal_load_relaxed(&pats);
        ticks = now != seen ? 0 : ticks + 1;
        seen = now;
        if (ticks > ticks_allowed && !pal_load_acquire(&is_over))
            watchdog_bite("the watchdog struck: nothing went on for too long");
    }
}

void watchdog_pat(void)
{
    pal_add_relaxed(&pats, 1);
}

void watchdog_start(uint32_t stall_ms, void (*describe)(void))
{
    ticks_allowed = stall_ms / TICK_MS;
    describe_state = describe;
    watchdog_pat();
    thread = pal_thread_start(watch, NULL, "watchdog");
    if (thread == NULL) {
        fprintf(stderr, "no thread for the watchdog\n");
        exit(2);
    }
}

void watchdog_stop(void)
{
    pal_store_release(&is_over, true);
    if (thread != NULL)
        pal_thread_join(thread);
    thread = NULL;
}
