/* bench_progress.c - shows how far a long run is, from a thread that wakes once a second. */
#include <stdio.h>
#include <stdlib.h>

#include "bench_host.h"
#include "bench_report.h"
#include "pal/thread.h"
#include "pal/time.h"

struct bench_progress {
    pal_atomic_u64 *count;
    uint64_t total;
    uint32_t size;
    struct pal_event *stop;
    struct pal_thread *thread;
};

static void show(void *context)
{
    struct bench_progress *p = context;
    uint64_t start = pal_now_ns();
    bool is_shown = false;

    while (!pal_event_wait(p->stop, 1000)) {
        uint64_t now = pal_load_relaxed(p->count);
        double seconds = (double)(pal_now_ns() - start) / 1e9;

        fprintf(stderr, "\r%10u bytes: %llu of %llu (%.0f %%), %.0f s  ", p->size, (unsigned long long)now,
                (unsigned long long)p->total, p->total == 0 ? 0 : 100.0 * (double)now / (double)p->total,
                seconds);
        (void)fflush(stderr);
        is_shown = true;
    }
    if (is_shown)
        fprintf(stderr, "\r%70s\r", "");
}

struct bench_progress *bench_progress_start(pal_atomic_u64 *count, uint64_t total, uint32_t size,
                                            bool is_quiet)
{
    struct bench_progress *p;

    if (is_quiet || !bench_host_stderr_is_terminal())
        return NULL;
    p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->count = count;
    p->total = total;
    p->size = size;
    p->stop = pal_event_create(true, false);
    p->thread = p->stop == NULL ? NULL : pal_thread_start(show, p, "bench-progress");
    if (p->thread != NULL)
        return p;
    if (p->stop != NULL)
        pal_event_destroy(p->stop);
    free(p);
    return NULL;
}

void bench_progress_stop(struct bench_progress *p)
{
    if (p == NULL)
        return;
    pal_event_set(p->stop);
    pal_thread_join(p->thread);
    pal_event_destroy(p->stop);
    free(p);
}
