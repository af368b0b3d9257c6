/* rdmap.c - see rdmap.h. */
#include "rdmap.h"

#include <string.h>

#include "bytes.h"

void rdmap_read_request_encode(const struct rdmap_read_request *r, uint8_t out[RDMAP_READ_REQUEST_BYTES])
{
    put_be32(out, r->sink_stag);
    put_be64(out + 4, r->sink_to);
    put_be32(out + 12, r->bytes);
    put_be32(out + 16, r->source_stag);
    put_be64(out + 20, r->source_to);
}

bool rdmap_read_request_decode(const uint8_t *in, size_t bytes, struct rdmap_read_request *r)
{
    memset(r, 0, sizeof *r);
    if (bytes != RDMAP_READ_REQUEST_BYTES)
        return false;
    r->sink_stag = get_be32(in);
    r->sink_to = get_be64(in + 4);
    r->bytes = get_be32(in + 12);
    r->source_stag = get_be32(in + 16);
    r->source_to = get_be64(in + 20);
    return true;
}

enum {
    HDRCT_M = 0x80,
    HDRCT_D = 0x40,
    HDRCT_R = 0x20
}; /* segment length, DDP header, RDMAP header are there */

unsigned rdmap_terminate_encode(const struct rdmap_terminate *t, uint8_t out[RDMAP_TERMINATE_MAX])
{
    uint8_t *p = out + 4;
    put_be16(out, t->error);
    out[2] = out[3] = 0;
    if (t->has_segment && t->header_bytes) {
        out[2] |= HDRCT_M | HDRCT_D;
        put_be16(p, t->segment_bytes);
        memcpy(p + 2, t->header, t->header_bytes);
        p += 2 + t->header_bytes;
        if (t->has_read_request) {
            out[2] |= HDRCT_R;
            memcpy(p, t->read_request, RDMAP_READ_REQUEST_BYTES);
            p += RDMAP_READ_REQUEST_BYTES;
        }
    }
    return (unsigned)(p - out);
}

bool rdmap_terminate_decode(const uint8_t *in, size_t bytes, struct rdmap_terminate *t)
{
    memset(t, 0, sizeof *t);
    if (bytes < 4)
        return false;
    t->error = get_be16(in);
    const uint8_t what = in[2];
    size_t at = 4;
    if (what & HDRCT_M) {
        if (bytes - at < 2)
            return false;
        t->has_segment = true;
        t->segment_bytes = get_be16(in + at);
        at += 2;
    }
    if (what & HDRCT_D) {
        if (bytes - at < 1 || bytes - at < ddp_header_bytes(in[at]))
            return false;
        t->header_bytes = (uint8_t)ddp_header_bytes(in[at]);
        memcpy(t->header, in + at, t->header_bytes);
        at += t->header_bytes;
    }
    if (what & HDRCT_R) {
        if (bytes - at < RDMAP_READ_REQUEST_BYTES)
            return false;
        t->has_read_request = true;
        memcpy(t->read_request, in + at, RDMAP_READ_REQUEST_BYTES);
    }
    return true;
}

const char *rdmap_error_text(uint16_t error)
{
    switch (error) {
    case TERM_LOCAL_CATASTROPHIC: return "local catastrophic error";
    case TERM_RDMAP_INVALID_STAG:
    case TERM_DDP_INVALID_STAG: return "invalid STag";
    case TERM_RDMAP_BOUNDS:
    case TERM_DDP_BOUNDS: return "base or bounds violation";
    case TERM_RDMAP_RIGHTS: return "access rights violation";
    case TERM_RDMAP_STREAM:
    case TERM_DDP_STREAM: return "STag of another stream";
    case TERM_RDMAP_TO_WRAP:
    case TERM_DDP_TO_WRAP: return "tagged offset wraps";
    case TERM_RDMAP_VERSION: return "invalid RDMAP version";
    case TERM_RDMAP_OPCODE: return "unexpected RDMAP opcode";
    case TERM_RDMAP_STREAM_CATASTROPHIC: return "catastrophic error of the stream";
    case TERM_RDMAP_CANNOT_INVALIDATE: return "STag cannot be invalidated";
    case TERM_DDP_CATASTROPHIC: return "local catastrophic error of DDP";
    case TERM_DDP_TAGGED_VERSION:
    case TERM_DDP_UNTAGGED_VERSION: return "invalid DDP version";
    case TERM_DDP_QN: return "invalid queue number";
    case TERM_DDP_NO_BUFFER: return "no buffer for the message";
    case TERM_DDP_MSN: return "message sequence number out of range";
    case TERM_DDP_MO: return "invalid message offset";
    case TERM_DDP_TOO_LONG: return "message longer than its buffer";
    case TERM_MPA_CRC: return "CRC error";
    case TERM_MPA_MARKER: return "marker and length do not match";
    case TERM_MPA_FRAME: return "invalid request or reply frame";
    case TERM_MPA_IRD: return "insufficient read depth";
    case TERM_MPA_RTR: return "no matching ready-to-receive message";
    default: return "unknown error";
    }
}
