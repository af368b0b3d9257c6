/* bench_stats.c - order statistics of latency samples. */
#include "bench_stats.h"

#include <stdlib.h>
#include <string.h>

static int compare_samples(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Newton's iteration: spares the math library for one figure. */
static double square_root(double v)
{
    double r = v > 1 ? v : 1;

    for (int i = 0; i < 200; i++) {
        double next = (r + v / r) / 2;

        if (next >= r)
            break;
        r = next;
    }
    return v > 0 ? r : 0;
}

/* per_mille of the samples are not above the answer. */
static double nearest_rank(const uint64_t *sorted, size_t count, unsigned per_mille)
{
    size_t rank = (size_t)(((uint64_t)count * per_mille + 999) / 1000);

    return (double)sorted[rank == 0 ? 0 : rank - 1];
}

void bench_stats_of(uint64_t *samples, size_t count, struct bench_stats *out)
{
    double sum = 0;
    double squares = 0;
    size_t middle = count / 2;

    memset(out, 0, sizeof *out);
    if (count == 0)
        return;
    qsort(samples, count, sizeof *samples, compare_samples);
    for (size_t i = 0; i < count; i++)
        sum += (double)samples[i];
    out->count = count;
    out->avg = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += ((double)samples[i] - out->avg) * ((double)samples[i] - out->avg);
    out->stdev = square_root(squares / (double)count);
    out->min = (double)samples[0];
    out->max = (double)samples[count - 1];
    out->typical = (double)samples[middle];
    if (count % 2 == 0)
        out->typical = (out->typical + (double)samples[middle - 1]) / 2;
    out->p99 = nearest_rank(samples, count, 990);
    out->p999 = nearest_rank(samples, count, 999);
}

void bench_stats_scale(struct bench_stats *s, double factor)
{
    s->min *= factor;
    s->typical *= factor;
    s->avg *= factor;
    s->p99 *= factor;
    s->p999 *= factor;
    s->max *= factor;
    s->stdev *= factor;
}

void bench_stats_differences(uint64_t *times, size_t count)
{
    for (size_t i = 0; i < count; i++)
        times[i] = times[i + 1] - times[i];
}
