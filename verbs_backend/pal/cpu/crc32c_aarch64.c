/* crc32c_aarch64.c - the CRC extension of ARMv8 (optional in v8.0, always there since v8.1). */
#include "pal/crc32c.h"

#include <arm_acle.h>
#include <string.h>
#include <sys/auxv.h>

#define HWCAP_CRC32_BIT (1ul << 7) /* asm/hwcap.h */

const char *const pal_crc32c_cpu_name = "armv8";

int pal_crc32c_cpu_has(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_CRC32_BIT) != 0;
}

uint32_t pal_crc32c_cpu_u8(uint32_t state, uint8_t value)
{
    return __crc32cb(state, value);
}

static uint64_t word_at(const unsigned char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

uint32_t pal_crc32c_cpu_words(uint32_t state, const unsigned char *data, size_t words)
{
    for (size_t i = 0; i < words; i++)
        state = __crc32cd(state, word_at(data + 8 * i));
    return state;
}

void pal_crc32c_cpu_3way(uint32_t state[3], const unsigned char *data, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        state[0] = __crc32cd(state[0], word_at(data + 8 * i));
        state[1] = __crc32cd(state[1], word_at(data + 8 * (words + i)));
        state[2] = __crc32cd(state[2], word_at(data + 8 * (2 * words + i)));
    }
}
