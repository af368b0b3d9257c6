/* ddp.c - see ddp.h. */
#include "ddp.h"

#include <string.h>

#include "bytes.h"

enum { BIT_TAGGED = 0x80, BIT_LAST = 0x40 };

unsigned ddp_header_encode(const struct ddp_header *h, uint8_t out[DDP_HEADER_MAX])
{
    out[0] = (uint8_t)((h->is_tagged ? BIT_TAGGED : 0) | (h->is_last ? BIT_LAST : 0) | DDP_VERSION);
    out[1] = (uint8_t)(RDMAP_VERSION << 6 | (h->opcode & 0x0f));
    put_be32(out + 2, h->stag);
    if (h->is_tagged) {
        put_be64(out + 6, h->to);
        return DDP_TAGGED_BYTES;
    }
    put_be32(out + 6, h->qn);
    put_be32(out + 10, h->msn);
    put_be32(out + 14, h->mo);
    return DDP_UNTAGGED_BYTES;
}

bool ddp_header_decode(const uint8_t *in, size_t bytes, struct ddp_header *h)
{
    memset(h, 0, sizeof *h);
    if (bytes == 0 || bytes < ddp_header_bytes(in[0]))
        return false;
    h->is_tagged = (in[0] & BIT_TAGGED) != 0;
    h->is_last = (in[0] & BIT_LAST) != 0;
    h->ddp_version = in[0] & 3;
    h->rdmap_version = in[1] >> 6;
    h->opcode = in[1] & 0x0f;
    h->stag = get_be32(in + 2);
    if (h->is_tagged) {
        h->to = get_be64(in + 6);
    } else {
        h->qn = get_be32(in + 6);
        h->msn = get_be32(in + 10);
        h->mo = get_be32(in + 14);
    }
    return true;
}
