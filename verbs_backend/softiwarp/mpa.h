/* mpa.h - MPA: the frames that open a connection, and the frame around each DDP segment (FPDU).
 * Layer:  softiwarp codec: bytes in, struct out, and back. No I/O, no state, no allocation.
 * Source: RFC 5044 (MPA), RFC 6581 (revision 2: read depths and who speaks first). Layouts: PROTOCOL.md 2 and 3. */
#ifndef SOFTIWARP_MPA_H
#define SOFTIWARP_MPA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- request and reply ---- */

#define MPA_FIXED_BYTES    20u  /* key, flags, revision, private data length */
#define MPA_ENHANCED_BYTES 4u   /* RFC 6581 4.1: first bytes of the private data when S is set */
#define MPA_DATA_MAX       512u /* RFC 5044 7.1.1: private data, the enhanced header included */
#define MPA_HELLO_MAX      (MPA_FIXED_BYTES + MPA_DATA_MAX)
#define MPA_DEPTH_MAX      0x3fffu /* IRD and ORD are 14 bits; this value means "not negotiated" */

struct mpa_hello {
    bool is_reply;
    bool wants_markers; /* M: the other side must put markers into what it sends */
    bool wants_crc;     /* C: either side's wish turns CRCs on for both directions */
    bool is_reject;     /* R: replies only */
    bool is_enhanced;   /* S: the next six members are there (revision 2) */
    uint8_t revision;
    uint16_t ird, ord;
    bool is_peer_to_peer;               /* A: the connecting side confirms the reply by an FPDU (RTR) */
    bool rtr_send, rtr_write, rtr_read; /* B, C, D: of which kind: offered in a request, chosen in a reply */
    uint16_t data_bytes;                /* private data behind the enhanced header */
};

enum mpa_verdict {
    MPA_OK,
    MPA_MORE,       /* the frame goes on: call again with more bytes */
    MPA_NOT_MPA,    /* the key is wrong: the peer does not speak MPA, or is a reply where a request was due */
    MPA_BAD_LENGTH, /* more private data than allowed, or less than the flags promise */
    MPA_BAD_REVISION /* neither 1 nor 2; h->revision says which */
};

/* Bytes of the frame, data included. out has room for MPA_HELLO_MAX; h->data_bytes fits (the caller checks). */
size_t mpa_hello_encode(const struct mpa_hello *h, const void *data, uint8_t *out);
/* *frame_bytes: what the whole frame takes, known once MPA_FIXED_BYTES are there (0 before). On MPA_OK *data points
 * into `in`. A frame is never longer than MPA_HELLO_MAX. */
enum mpa_verdict mpa_hello_decode(const uint8_t *in, size_t bytes, bool want_reply, struct mpa_hello *h,
                                  const uint8_t **data, size_t *frame_bytes);

/* ---- FPDU: length, DDP segment (ULPDU), padding, CRC (RFC 5044 4) ---- */

#define MPA_LENGTH_BYTES 2u
#define MPA_CRC_BYTES    4u
#define MPA_ULPDU_MAX    65535u
#define MPA_TRAILER_MAX  (3u + MPA_CRC_BYTES)

static inline unsigned mpa_pad(uint32_t ulpdu_bytes) /* zeros up to a multiple of four, length included */
{
    return (0u - (ulpdu_bytes + MPA_LENGTH_BYTES)) & 3u;
}

static inline uint32_t mpa_fpdu_bytes(uint32_t ulpdu_bytes)
{
    return MPA_LENGTH_BYTES + ulpdu_bytes + mpa_pad(ulpdu_bytes) + MPA_CRC_BYTES;
}

/* `pad` bytes of padding and the CRC; returns how many bytes. crc: of the frame before them; ignored when CRCs are off:
 * the field is there and zero (RFC 5044 4.4). */
unsigned mpa_trailer_encode(unsigned pad, bool with_crc, uint32_t crc, uint8_t out[MPA_TRAILER_MAX]);
/* Is the trailer what it must be? The padding may hold anything (RFC 5044 4.1), the CRC covers it. */
bool mpa_trailer_check(unsigned pad, bool with_crc, uint32_t crc, const uint8_t *trailer);

/* ---- markers: 4 bytes at every multiple of 512 of the stream that follows the opening (RFC 5044 4.3) ---- */

#define MPA_MARKER_BYTES    4u
#define MPA_MARKER_INTERVAL 512u

/* How many bytes of FPDUs may follow at this offset of the stream before a marker is due; 0: one is due now. */
static inline uint32_t mpa_until_marker(uint64_t stream_offset)
{
    return (uint32_t)(0u - stream_offset) & (MPA_MARKER_INTERVAL - 1);
}

/* back: bytes from the length field of the FPDU that the marker lies in to the marker, other markers included; 0 when
 * the FPDU begins right behind it: such a marker belongs to that FPDU and its CRC. */
void mpa_marker_encode(uint16_t back, uint8_t out[MPA_MARKER_BYTES]);

enum mpa_fault {
    MPA_NO_FAULT,
    MPA_FAULT_CRC,
    MPA_FAULT_MARKER /* it points elsewhere: marker and length fields disagree on where FPDUs start (RFC 5044 8) */
};

/* Where in a stream with markers the next byte lies, and what came of the FPDU under way. Private to mpa.c but for
 * `fault`. */
struct mpa_unmarker {
    enum mpa_fault fault;
    bool with_crc;
    uint8_t part;      /* of the FPDU: what comes next */
    uint32_t left;     /* bytes of that part, markers not counted */
    uint32_t offset;   /* in the stream, modulo 2^32 */
    uint32_t frame_at; /* of the length field */
    uint32_t crc;
    uint8_t word[4]; /* the marker, length or CRC that is coming in: all of them lie at multiples of four */
};

void mpa_unmark_start(struct mpa_unmarker *u, bool with_crc);
/* Take the markers out of the next bytes of the stream, in place, and check them and the CRCs, which cover them. The
 * stream may be cut anywhere. Returns how many bytes are left, all of them in front of the first fault; nothing is left
 * of what comes after it. */
size_t mpa_unmark(struct mpa_unmarker *u, uint8_t *bytes, size_t count);

#endif
