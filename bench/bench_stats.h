/* bench_stats.h - what a set of samples says.
 * Layer: bench; pure arithmetic, no I/O. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

struct bench_stats {
    uint64_t count;
    double min, typical, avg, p99, p999, max, stdev; /* in the unit of the samples */
};

/* Sorts the samples. All zero when there are none. typical: the median, the mean of the middle two when their
 * number is even. p99, p999: nearest rank, the smallest sample that at least that share of the samples do not
 * exceed. */
void bench_stats_of(uint64_t *samples, size_t count, struct bench_stats *out);

/* Multiply every figure but the count. */
void bench_stats_scale(struct bench_stats *s, double factor);

/* Turn count + 1 points in time into count durations, in place. */
void bench_stats_differences(uint64_t *times, size_t count);

#endif
