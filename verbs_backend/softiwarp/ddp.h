/* ddp.h - DDP segment headers, with the RDMAP control byte that lies inside them.
 * Layer:  softiwarp codec. No I/O, no state.
 * Source: RFC 5041 4 (headers), RFC 5040 4.1 (the control byte). Layouts: PROTOCOL.md 4. */
#ifndef SOFTIWARP_DDP_H
#define SOFTIWARP_DDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DDP_TAGGED_BYTES   14u
#define DDP_UNTAGGED_BYTES 18u
#define DDP_HEADER_MAX     DDP_UNTAGGED_BYTES
#define DDP_VERSION        1u
#define RDMAP_VERSION      1u

enum ddp_queue { DDP_QN_SEND = 0, DDP_QN_READ_REQUEST = 1, DDP_QN_TERMINATE = 2 }; /* RFC 5040 4.2 */

struct ddp_header {
    bool is_tagged, is_last;
    uint8_t ddp_version, rdmap_version;
    uint8_t opcode;       /* enum rdmap_opcode, 0..15 as received */
    uint32_t stag;        /* tagged: buffer; untagged: STag to invalidate (RFC 5040 4.3), else 0 */
    uint64_t to;          /* tagged */
    uint32_t qn, msn, mo; /* untagged */
};

/* Bytes of the header that begins with this byte. */
static inline unsigned ddp_header_bytes(uint8_t first_byte)
{
    return first_byte & 0x80 ? DDP_TAGGED_BYTES : DDP_UNTAGGED_BYTES;
}

unsigned ddp_header_encode(const struct ddp_header *h,
                           uint8_t out[DDP_HEADER_MAX]); /* sets both versions to ours */
/* False: fewer bytes than this header takes. Versions and opcode are for the caller to judge. */
bool ddp_header_decode(const uint8_t *in, size_t bytes, struct ddp_header *h);

#endif
