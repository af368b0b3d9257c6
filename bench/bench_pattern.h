/* bench_pattern.h - bytes that depend on a sequence number and on their place, for --verify.
 * Layer: bench. Neighbouring sequence numbers differ in every byte, so old data never passes for new. */
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench_error.h"

void bench_pattern_fill(uint8_t *bytes, size_t count, uint64_t seq);
/* False and a sentence (which byte of which message, wanted, found) at the first difference. */
bool bench_pattern_check(const uint8_t *bytes, size_t count, uint64_t seq, const char *what,
                         struct bench_error *err);

#endif
