/* bench_pattern.c - fills and checks the verification pattern. */
#include "bench_pattern.h"

/* The part that depends on the place mixes all its bits, so that pieces swapped or shifted by any amount
 * show. */
static uint8_t pattern_byte(size_t place, uint64_t seq)
{
    uint32_t h = (uint32_t)place * 2654435761u;

    return (uint8_t)((h >> 24) + seq);
}

void bench_pattern_fill(uint8_t *bytes, size_t count, uint64_t seq)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = pattern_byte(i, seq);
}

/* May look at memory that a device (or a thread that plays one) is still writing: a race by design. */
PAL_RACE_BY_DESIGN bool bench_pattern_check(const uint8_t *bytes, size_t count, uint64_t seq,
                                            const char *what, struct bench_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != pattern_byte(i, seq))
            return bench_fail(err, "verification failed: %s %llu, byte %zu of %zu is 0x%02x, must be 0x%02x",
                              what, (unsigned long long)seq, i, count, bytes[i], pattern_byte(i, seq));
    }
    return true;
}
