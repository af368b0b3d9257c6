/* rdmap.h - RDMAP: opcodes, the read request and the Terminate message.
 * Layer:  softiwarp codec. No I/O, no state.
 * Source: RFC 5040 4. Layouts and the table of errors: PROTOCOL.md 5 and 9. */
#ifndef SOFTIWARP_RDMAP_H
#define SOFTIWARP_RDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ddp.h"

enum rdmap_opcode {
    RDMAP_WRITE = 0,
    RDMAP_READ_REQUEST = 1,
    RDMAP_READ_RESPONSE = 2,
    RDMAP_SEND = 3,
    RDMAP_SEND_INVALIDATE = 4,
    RDMAP_SEND_SE = 5, /* solicited event */
    RDMAP_SEND_SE_INVALIDATE = 6,
    RDMAP_TERMINATE = 7
};

#define RDMAP_READ_REQUEST_BYTES 28u

struct rdmap_read_request {
    uint32_t sink_stag;
    uint64_t sink_to;
    uint32_t bytes;
    uint32_t source_stag;
    uint64_t source_to;
};

void rdmap_read_request_encode(const struct rdmap_read_request *r, uint8_t out[RDMAP_READ_REQUEST_BYTES]);
bool rdmap_read_request_decode(const uint8_t *in, size_t bytes,
                               struct rdmap_read_request *r); /* exact size */

/* ---- Terminate (RFC 5040 4.8) ---- */

enum term_layer { TERM_RDMAP = 0, TERM_DDP = 1, TERM_LLP = 2 };

/* layer, error type and code in one number: 0xLTCC. */
enum term_error {
    TERM_LOCAL_CATASTROPHIC = 0x0000,
    TERM_RDMAP_INVALID_STAG = 0x0100, /* remote protection error (RFC 5040 7.2) */
    TERM_RDMAP_BOUNDS = 0x0101,
    TERM_RDMAP_RIGHTS = 0x0102,
    TERM_RDMAP_STREAM = 0x0103, /* STag belongs to another stream */
    TERM_RDMAP_TO_WRAP = 0x0104,
    TERM_RDMAP_VERSION = 0x0205, /* remote operation error */
    TERM_RDMAP_OPCODE = 0x0206,
    TERM_RDMAP_STREAM_CATASTROPHIC = 0x0207,
    TERM_RDMAP_CANNOT_INVALIDATE = 0x0109,
    TERM_RDMAP_UNSPECIFIED = 0x02ff,
    TERM_DDP_CATASTROPHIC = 0x1000,
    TERM_DDP_INVALID_STAG = 0x1100, /* tagged buffer error (RFC 5041 8.2) */
    TERM_DDP_BOUNDS = 0x1101,
    TERM_DDP_STREAM = 0x1102,
    TERM_DDP_TO_WRAP = 0x1103,
    TERM_DDP_TAGGED_VERSION = 0x1104,
    TERM_DDP_QN = 0x1201, /* untagged buffer error */
    TERM_DDP_NO_BUFFER = 0x1202,
    TERM_DDP_MSN = 0x1203,
    TERM_DDP_MO = 0x1204,
    TERM_DDP_TOO_LONG = 0x1205,
    TERM_DDP_UNTAGGED_VERSION = 0x1206,
    TERM_MPA_CRC = 0x2002, /* RFC 5044 8, RFC 6581 */
    TERM_MPA_MARKER = 0x2003,
    TERM_MPA_FRAME = 0x2004,
    TERM_MPA_IRD = 0x2006,
    TERM_MPA_RTR = 0x2007
};

struct rdmap_terminate {
    uint16_t error;         /* enum term_error, or any other 0xLTCC as received */
    bool has_segment;       /* the header of the segment that was at fault is attached */
    uint16_t segment_bytes; /* DDP segment length of that segment */
    uint8_t header[DDP_HEADER_MAX];
    uint8_t header_bytes;  /* 0, DDP_TAGGED_BYTES or DDP_UNTAGGED_BYTES */
    bool has_read_request; /* and its read request */
    uint8_t read_request[RDMAP_READ_REQUEST_BYTES];
};

#define RDMAP_TERMINATE_MAX (4u + 2u + DDP_HEADER_MAX + RDMAP_READ_REQUEST_BYTES)

/* Payload of the Terminate message. */
unsigned rdmap_terminate_encode(const struct rdmap_terminate *t, uint8_t out[RDMAP_TERMINATE_MAX]);
bool rdmap_terminate_decode(const uint8_t *in, size_t bytes,
                            struct rdmap_terminate *t); /* false: cut short */
const char *rdmap_error_text(uint16_t error);           /* never NULL */

#endif
