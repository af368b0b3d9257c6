/* crc32c.c - tables, the choice of the processor's instruction, and running three of those streams at once.
 * The instruction has a latency of three cycles and a throughput of one: three independent streams keep it busy. Their
 * results are joined by moving a CRC over a block of zeros, which is linear in its 32 bits: four tables of 256. */
#include "pal/crc32c.h"

#include <string.h>

#include "pal/atomic.h"
#include "pal/mutex.h"

#define POLYNOMIAL  0x82F63B78u /* Castagnoli, bits reversed */
#define LONG_WORDS  256u        /* of 8 bytes, per stream */
#define SHORT_WORDS 32u

static uint32_t slice[8][256];      /* slice[k][b]: byte b followed by k zero bytes */
static uint32_t shift_long[4][256]; /* a CRC moved over 8 * LONG_WORDS zero bytes, by byte of the CRC */
static uint32_t shift_short[4][256];
static bool has_cpu;
static pal_atomic_bool is_ready;
static struct pal_mutex init_lock = PAL_MUTEX_INIT;

static uint32_t over_zeros(uint32_t state, size_t bytes)
{
    while (bytes-- > 0)
        state = slice[0][state & 0xff] ^ (state >> 8);
    return state;
}

static void make_shift(uint32_t table[4][256], size_t bytes)
{
    uint32_t of_bit[32];
    for (unsigned bit = 0; bit < 32; bit++)
        of_bit[bit] = over_zeros(1u << bit, bytes);
    for (unsigned k = 0; k < 4; k++)
        for (unsigned b = 0; b < 256; b++) {
            uint32_t x = 0;
            for (unsigned bit = 0; bit < 8; bit++)
                if (b & (1u << bit))
                    x ^= of_bit[8 * k + bit];
            table[k][b] = x;
        }
}

static void init(void)
{
    pal_mutex_lock(&init_lock);
    if (!pal_load_relaxed(&is_ready)) {
        for (unsigned b = 0; b < 256; b++) {
            uint32_t x = b;
            for (unsigned bit = 0; bit < 8; bit++)
                x = x & 1 ? (x >> 1) ^ POLYNOMIAL : x >> 1;
            slice[0][b] = x;
        }
        for (unsigned k = 1; k < 8; k++)
            for (unsigned b = 0; b < 256; b++)
                slice[k][b] = slice[0][slice[k - 1][b] & 0xff] ^ (slice[k - 1][b] >> 8);
        make_shift(shift_long, 8 * LONG_WORDS);
        make_shift(shift_short, 8 * SHORT_WORDS);
        has_cpu = pal_crc32c_cpu_has() != 0;
        pal_store_release(&is_ready, true); /* publishes the tables */
    }
    pal_mutex_unlock(&init_lock);
}

static void ready(void)
{
    if (!pal_load_acquire(&is_ready))
        init();
}

static uint32_t shifted(uint32_t table[4][256], uint32_t state)
{
    return table[0][state & 0xff] ^ table[1][(state >> 8) & 0xff] ^ table[2][(state >> 16) & 0xff] ^
           table[3][state >> 24];
}

static uint32_t load_le32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t pal_crc32c_tables(uint32_t crc, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    uint32_t state = ~crc;
    ready();
    for (; bytes >= 8; bytes -= 8, p += 8) {
        uint32_t low = state ^ load_le32(p), high = load_le32(p + 4);
        state = slice[7][low & 0xff] ^ slice[6][(low >> 8) & 0xff] ^ slice[5][(low >> 16) & 0xff] ^
                slice[4][low >> 24] ^ slice[3][high & 0xff] ^ slice[2][(high >> 8) & 0xff] ^
                slice[1][(high >> 16) & 0xff] ^ slice[0][high >> 24];
    }
    for (; bytes > 0; bytes--, p++)
        state = slice[0][(state ^ *p) & 0xff] ^ (state >> 8);
    return ~state;
}

static uint32_t three_streams(uint32_t state, const unsigned char **p, size_t *bytes, size_t words,
                              uint32_t table[4][256])
{
    while (*bytes >= 3 * 8 * words) {
        uint32_t s[3] = {state, 0, 0};
        pal_crc32c_cpu_3way(s, *p, words);
        state = shifted(table, shifted(table, s[0]) ^ s[1]) ^ s[2];
        *p += 3 * 8 * words;
        *bytes -= 3 * 8 * words;
    }
    return state;
}

uint32_t pal_crc32c(uint32_t crc, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    ready();
    if (!has_cpu)
        return pal_crc32c_tables(crc, data, bytes);
    uint32_t state = ~crc;
    state = three_streams(state, &p, &bytes, LONG_WORDS, shift_long);
    state = three_streams(state, &p, &bytes, SHORT_WORDS, shift_short);
    state = pal_crc32c_cpu_words(state, p, bytes / 8);
    p += bytes & ~(size_t)7;
    for (bytes &= 7; bytes > 0; bytes--, p++)
        state = pal_crc32c_cpu_u8(state, *p);
    return ~state;
}

const char *pal_crc32c_name(void)
{
    ready();
    return has_cpu ? pal_crc32c_cpu_name : "tables";
}
