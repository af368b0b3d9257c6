/* crc32c_x86_64.c - the crc32 instruction of SSE4.2. This file alone is compiled for it; nobody comes here before
 * pal_crc32c_cpu_has() said yes. */
#include "pal/crc32c.h"

#include <cpuid.h>
#include <nmmintrin.h>
#include <string.h>

const char *const pal_crc32c_cpu_name = "sse4.2";

int pal_crc32c_cpu_has(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2) != 0;
}

uint32_t pal_crc32c_cpu_u8(uint32_t state, uint8_t value)
{
    return _mm_crc32_u8(state, value);
}

static uint64_t word_at(const unsigned char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

uint32_t pal_crc32c_cpu_words(uint32_t state, const unsigned char *data, size_t words)
{
    uint64_t s = state;
    for (size_t i = 0; i < words; i++)
        s = _mm_crc32_u64(s, word_at(data + 8 * i));
    return (uint32_t)s;
}

void pal_crc32c_cpu_3way(uint32_t state[3], const unsigned char *data, size_t words)
{
    uint64_t a = state[0], b = state[1], c = state[2];
    for (size_t i = 0; i < words; i++) {
        a = _mm_crc32_u64(a, word_at(data + 8 * i));
        b = _mm_crc32_u64(b, word_at(data + 8 * (words + i)));
        c = _mm_crc32_u64(c, word_at(data + 8 * (2 * words + i)));
    }
    state[0] = (uint32_t)a;
    state[1] = (uint32_t)b;
    state[2] = (uint32_t)c;
}
