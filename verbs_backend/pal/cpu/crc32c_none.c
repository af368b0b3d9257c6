/* crc32c_none.c - a processor without an instruction for it, or one that nobody has written for yet. */
#include "pal/crc32c.h"

const char *const pal_crc32c_cpu_name = "none";

int pal_crc32c_cpu_has(void)
{
    return 0;
}

uint32_t pal_crc32c_cpu_u8(uint32_t state, uint8_t value)
{
    (void)value;
    return state; /* never called: cpu_has() says no */
}

uint32_t pal_crc32c_cpu_words(uint32_t state, const unsigned char *data, size_t words)
{
    (void)data;
    (void)words;
    return state;
}

void pal_crc32c_cpu_3way(uint32_t state[3], const unsigned char *data, size_t words)
{
    (void)state;
    (void)data;
    (void)words;
}
