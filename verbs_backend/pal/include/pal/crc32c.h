/* pal/crc32c.h - the Castagnoli CRC that iWARP, iSCSI and SCTP use.
 * Layer:  platform: the fastest way differs by processor and is chosen when the program runs.
 * Source: RFC 3720 12.1 and B.4 (definition and vectors), RFC 5044 4.4. */
#ifndef PAL_CRC32C_H
#define PAL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Start with 0; feed the result back to go on with the next piece. The final value is complete (inverted). */
uint32_t pal_crc32c(uint32_t crc, const void *data, size_t bytes);
const char *pal_crc32c_name(void); /* "sse4.2", "armv8" or "tables" */
/* Always the portable form, for tests. */
uint32_t pal_crc32c_tables(uint32_t crc, const void *data, size_t bytes);

/* One file per processor (cpu/) answers these; the register is kept inverted as in the instruction. */
int pal_crc32c_cpu_has(void);
uint32_t pal_crc32c_cpu_u8(uint32_t state, uint8_t value);
uint32_t pal_crc32c_cpu_words(uint32_t state, const unsigned char *data, size_t words); /* of 8 bytes */
/* Three runs of `words` words that lie behind each other, at once: state[0..2]. */
void pal_crc32c_cpu_3way(uint32_t state[3], const unsigned char *data, size_t words);
extern const char *const pal_crc32c_cpu_name;

#endif
