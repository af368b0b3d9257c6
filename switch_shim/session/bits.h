/* bits.h - sets of up to 64 buffers as bits of a word. Plain C; gcc and clang make an instruction of each. */
#ifndef SW_SESSION_BITS_H
#define SW_SESSION_BITS_H

#include <stdint.h>

/* Number of the lowest bit that is set; bits must not be 0. The product with a de Bruijn sequence has a different number in its
 * six highest bits for each power of two. */
static inline unsigned sw_bits_lowest(uint64_t bits)
{
    static const uint8_t at[64] = {0,  1,  48, 2,  57, 49, 28, 3,  61, 58, 50, 42, 38, 29, 17, 4,
                                   62, 55, 59, 36, 53, 51, 43, 22, 45, 39, 33, 30, 24, 18, 12, 5,
                                   63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21, 44, 32, 23, 11,
                                   46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,  13, 8,  7,  6};
    return at[((bits & (UINT64_C(0) - bits)) * UINT64_C(0x03f79d71b4cb0a89)) >> 58];
}

static inline unsigned sw_bits_count(uint64_t bits)
{
    bits -= (bits >> 1) & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) + ((bits >> 2) & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)((bits * UINT64_C(0x0101010101010101)) >> 56);
}

#endif
