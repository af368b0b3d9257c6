/* usage.c - see usage.h; /proc, or what tests/support/windows makes of it. */
#include "usage.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "ct.h"
#include "pal/memory.h"
#include "pal/time.h"
#include "prov_loop.h"
#include "usage_os.h"

static unsigned count_entries(const char *directory)
{
    DIR *d = opendir(directory);
    unsigned count = 0;

    if (d == NULL)
        return 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

static unsigned objects_of(const struct loop_counts *c)
{
    return c->backends + c->devs + c->pds + c->mrs + c->mws + c->cqs + c->qps + c->cms + c->conns +
           c->listeners;
}

int usage_warm_libraries(void)
{
    struct sw_provider *provider;
    char text[8192];
    int error = sw_load(ct.provider, NULL, &provider, text, sizeof text);
    bool is_skipped = error == WSASYSNOTREADY && !ct.is_loop;

    if (error == 0 && sw_unload(provider, text, sizeof text) == 0)
        return 0;
    fprintf(stderr, "%s: %s\n", is_skipped ? "skipped" : "FAIL loading and unloading once", text);
    return is_skipped ? 77 : 1;
}

void usage_take(const struct prov_loop_api *loop, struct usage *out)
{
    memset(out, 0, sizeof *out);
    if (loop != NULL) {
        struct loop_counts c;
        loop->get_counts(&c);
        out->loop_objects = objects_of(&c);
        out->loop_violations = c.violations;
    }
    out->records = usage_records();
    out->fds = count_entries("/proc/self/fd") - 1; /* without the one that reads the directory */
    out->threads = count_entries("/proc/self/task");
    out->heap_bytes = usage_heap_bytes();
    out->resident_bytes = usage_is_resident_known() ? pal_resident_bytes() : 0;
}

void usage_print(const char *when, const struct usage *u)
{
    printf("%-14s resident %zu KiB, heap %zu bytes, %u fds, %u threads, %u records, %u loop objects\n", when,
           u->resident_bytes / 1024, u->heap_bytes, u->fds, u->threads, u->records, u->loop_objects);
    fflush(stdout);
}

bool usage_back_at(const struct prov_loop_api *loop, const struct usage *before, uint32_t wait_ms)
{
    uint64_t deadline = pal_now_ns() + (uint64_t)wait_ms * 1000000u;
    struct usage now;

    for (;;) {
        usage_take(loop, &now);
        /* records: other programs of this user make some too, but none of them for long */
        if (now.fds <= before->fds && now.threads <= before->threads && now.records <= before->records &&
            now.loop_objects <= before->loop_objects)
            return true;
        if (pal_now_ns() >= deadline)
            break;
        pal_sleep_ms(1);
    }
    fprintf(stderr, "left over: ");
    usage_print("before", before);
    usage_print("now", &now);
    if (loop != NULL && now.loop_objects > before->loop_objects)
        (void)loop->nothing_alive();
    return false;
}
