/* pattern.h - random numbers that can be repeated, and bytes that can be recognised.
 * Layer:   tests; shared by stress/ and fault/. A generator belongs to one thread; the rest is pure. */
#ifndef STRESS_PATTERN_H
#define STRESS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rng {
    uint64_t state;
};

/* splitmix64: every state gives a good number, so any seed will do. */
static inline uint64_t pattern_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xBF58476D1CE4E5B9u;
    x ^= x >> 27;
    x *= 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static inline uint64_t rng_next(struct rng *r)
{
    r->state += 0x9E3779B97F4A7C15u;
    return pattern_mix(r->state);
}

/* 0 .. limit - 1; limit > 0 */
static inline uint32_t rng_below(struct rng *r, uint32_t limit)
{
    return (uint32_t)((rng_next(r) >> 32) * limit >> 32);
}

static inline bool rng_percent(struct rng *r, uint32_t percent)
{
    return rng_below(r, 100) < percent;
}

/* The bytes of one message or transfer: a function of `key`, which names connection, direction and number. */
static inline void pattern_fill(void *memory, size_t bytes, uint64_t key)
{
    uint8_t *at = memory;
    uint64_t word = pattern_mix(key + 1);

    for (; bytes >= 8; bytes -= 8, at += 8, word += 0x9E3779B97F4A7C15u)
        memcpy(at, &word, 8);
    memcpy(at, &word, bytes);
}

/* -1: as pattern_fill() made them; else the offset of the first word that is not. */
static inline long pattern_check(const void *memory, size_t bytes, uint64_t key)
{
    const uint8_t *at = memory;
    uint64_t word = pattern_mix(key + 1);

    for (; bytes >= 8; bytes -= 8, at += 8, word += 0x9E3779B97F4A7C15u)
        if (memcmp(at, &word, 8) != 0)
            return (long)(at - (const uint8_t *)memory);
    return memcmp(at, &word, bytes) == 0 ? -1 : (long)(at - (const uint8_t *)memory);
}

#endif
