/* crc32c_i686.c - the crc32 instruction of SSE4.2 in 32-bit programs, where it takes four bytes at a time. This file alone is
 * compiled for it; nobody comes here before pal_crc32c_cpu_has() said yes. */
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

static uint32_t over_word(uint32_t state, const unsigned char *p)
{
    uint32_t half[2];
    memcpy(half, p, sizeof half);
    return _mm_crc32_u32(_mm_crc32_u32(state, half[0]), half[1]);
}

uint32_t pal_crc32c_cpu_words(uint32_t state, const unsigned char *data, size_t words)
{
    for (size_t i = 0; i < words; i++)
        state = over_word(state, data + 8 * i);
    return state;
}

void pal_crc32c_cpu_3way(uint32_t state[3], const unsigned char *data, size_t words)
{
    uint32_t a = state[0], b = state[1], c = state[2];
    for (size_t i = 0; i < words; i++) {
        a = over_word(a, data + 8 * i);
        b = over_word(b, data + 8 * (words + i));
        c = over_word(c, data + 8 * (2 * words + i));
    }
    state[0] = a;
    state[1] = b;
    state[2] = c;
}
