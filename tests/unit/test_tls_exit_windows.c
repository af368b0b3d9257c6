/* test_tls_exit_windows.c - a program that returns from main() while its threads go on: exit() runs the destructors before the system ends the
 * threads, and these need their thread-local variables until then (pal/windows/tls.c). The program runs itself ROUNDS times. */
#include <process.h>
#include <stdio.h>

#include "pal/atomic.h"
#include "pal/compiler.h"
#include "pal/thread.h"
#include "pal/time.h"

#define ROUNDS  30
#define THREADS 3u

static PAL_THREAD_LOCAL volatile unsigned looks;
static pal_atomic_u32 running;

static void look(void)
{
    looks++;
}

static void (*volatile look_again)(void) =
    look; /* so that the compiler does not find the variable once for all */

static void look_for_ever(void *unused)
{
    (void)unused;
    pal_add_relaxed(&running, 1u);
    for (;;)
        look_again();
}

static int leave_threads_behind(void)
{
    for (unsigned i = 0; i < THREADS; i++)
        if (pal_thread_start(look_for_ever, NULL, "look") == NULL)
            return 2;
    while (pal_load_relaxed(&running) != THREADS)
        pal_sleep_ms(1);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return leave_threads_behind();
    for (unsigned i = 0; i < ROUNDS; i++) {
        intptr_t code = -1;

        for (unsigned tries = 0; tries < 3 && code == -1; tries++) /* as in start_process.h */
            code = _spawnl(_P_WAIT, argv[0], argv[0], "child", NULL);
        if (code != 0) {
            printf("round %u: the program ended with %d\n", i, (int)code);
            return 1;
        }
    }
    printf("ok: %d programs left %u threads behind\n", ROUNDS, THREADS);
    return 0;
}
