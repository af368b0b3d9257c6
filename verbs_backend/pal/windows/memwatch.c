/* memwatch.c - none on Windows: there the switch tells (contract 8.9), with a driver of its own. */
#include "pal/memwatch.h"

#include <stdlib.h>

struct pal_memwatch *pal_memwatch_create(const char **why)
{
    *why = "not on this system";
    return NULL;
}

/* Nobody has one: */

void pal_memwatch_stop(struct pal_memwatch *w)
{
    (void)w;
    abort();
}

void pal_memwatch_destroy(struct pal_memwatch *w)
{
    if (w)
        abort();
}

bool pal_memwatch_add(struct pal_memwatch *w, uint64_t start, uint64_t end)
{
    (void)w;
    (void)start;
    (void)end;
    abort();
}

bool pal_memwatch_is_quiet(struct pal_memwatch *w)
{
    (void)w;
    abort();
}

pal_waitable pal_memwatch_waitable(const struct pal_memwatch *w)
{
    (void)w;
    abort();
}

unsigned pal_memwatch_read(struct pal_memwatch *w, struct pal_memwatch_range *out, unsigned n)
{
    (void)w;
    (void)out;
    (void)n;
    abort();
}
