/* mpa.c - see mpa.h. */
#include "mpa.h"

#include <string.h>

#include "bytes.h"
#include "pal/crc32c.h"

static const uint8_t key_request[16] = {'M', 'P', 'A', ' ', 'I', 'D', ' ', 'R',
                                        'e', 'q', ' ', 'F', 'r', 'a', 'm', 'e'};
static const uint8_t key_reply[16] = {'M', 'P', 'A', ' ', 'I', 'D', ' ', 'R',
                                      'e', 'p', ' ', 'F', 'r', 'a', 'm', 'e'};

enum {
    FLAG_M = 0x80,
    FLAG_C = 0x40,
    FLAG_R = 0x20,
    FLAG_S = 0x10
};                                            /* the rest is reserved: sent as 0, ignored */
enum { BIT_HIGH = 0x8000, BIT_LOW = 0x4000 }; /* A, B beside IRD; C, D beside ORD */

size_t mpa_hello_encode(const struct mpa_hello *h, const void *data, uint8_t *out)
{
    const uint16_t pd = (uint16_t)(h->data_bytes + (h->is_enhanced ? MPA_ENHANCED_BYTES : 0));
    uint8_t *p = out;
    memcpy(p, h->is_reply ? key_reply : key_request, 16);
    p[16] = (uint8_t)((h->wants_markers ? FLAG_M : 0) | (h->wants_crc ? FLAG_C : 0) |
                      (h->is_reply && h->is_reject ? FLAG_R : 0) | (h->is_enhanced ? FLAG_S : 0));
    p[17] = h->revision;
    put_be16(p + 18, pd);
    p += MPA_FIXED_BYTES;
    if (h->is_enhanced) {
        put_be16(p, (uint16_t)((h->ird & MPA_DEPTH_MAX) | (h->is_peer_to_peer ? BIT_HIGH : 0) |
                               (h->rtr_send ? BIT_LOW : 0)));
        put_be16(p + 2, (uint16_t)((h->ord & MPA_DEPTH_MAX) | (h->rtr_write ? BIT_HIGH : 0) |
                                   (h->rtr_read ? BIT_LOW : 0)));
        p += MPA_ENHANCED_BYTES;
    }
    if (h->data_bytes)
        memcpy(p, data, h->data_bytes);
    return (size_t)(p - out) + h->data_bytes;
}

enum mpa_verdict mpa_hello_decode(const uint8_t *in, size_t bytes, bool want_reply, struct mpa_hello *h,
                                  const uint8_t **data, size_t *frame_bytes)
{
    const uint8_t *key = want_reply ? key_reply : key_request;
    memset(h, 0, sizeof *h);
    *data = NULL;
    *frame_bytes = 0;
    if (memcmp(in, key, bytes < 16 ? bytes : 16) != 0) /* said as early as it is known */
        return MPA_NOT_MPA;
    if (bytes < MPA_FIXED_BYTES)
        return MPA_MORE;
    const uint8_t flags = in[16];
    const uint16_t pd = get_be16(in + 18);
    h->is_reply = want_reply;
    h->wants_markers = (flags & FLAG_M) != 0;
    h->wants_crc = (flags & FLAG_C) != 0;
    h->is_reject = want_reply && (flags & FLAG_R) != 0;
    h->revision = in[17];
    h->is_enhanced = h->revision >= 2 && (flags & FLAG_S) != 0; /* revision 1: the bit is reserved */
    if (pd > MPA_DATA_MAX || (h->is_enhanced && pd < MPA_ENHANCED_BYTES))
        return MPA_BAD_LENGTH;
    *frame_bytes = MPA_FIXED_BYTES + pd;
    if (h->revision != 1 && h->revision != 2)
        return MPA_BAD_REVISION;
    if (bytes < *frame_bytes)
        return MPA_MORE;
    const uint8_t *p = in + MPA_FIXED_BYTES;
    h->data_bytes = pd;
    if (h->is_enhanced) {
        const uint16_t a = get_be16(p), b = get_be16(p + 2);
        h->ird = a & MPA_DEPTH_MAX;
        h->ord = b & MPA_DEPTH_MAX;
        h->is_peer_to_peer = (a & BIT_HIGH) != 0;
        h->rtr_send = (a & BIT_LOW) != 0;
        h->rtr_write = (b & BIT_HIGH) != 0;
        h->rtr_read = (b & BIT_LOW) != 0;
        p += MPA_ENHANCED_BYTES;
        h->data_bytes = (uint16_t)(pd - MPA_ENHANCED_BYTES);
    }
    *data = p;
    return MPA_OK;
}

/* The CRC travels with its low byte first, as in iSCSI (RFC 3720 B.4 shows the bytes). */
static void put_crc(uint8_t *p, uint32_t crc)
{
    for (unsigned i = 0; i < MPA_CRC_BYTES; i++)
        p[i] = (uint8_t)(crc >> (8 * i));
}

unsigned mpa_trailer_encode(unsigned pad, bool with_crc, uint32_t crc, uint8_t out[MPA_TRAILER_MAX])
{
    memset(out, 0, pad + MPA_CRC_BYTES);
    if (with_crc)
        put_crc(out + pad, pad ? pal_crc32c(crc, out, pad) : crc);
    return pad + MPA_CRC_BYTES;
}

bool mpa_trailer_check(unsigned pad, bool with_crc, uint32_t crc, const uint8_t *trailer)
{
    uint8_t wanted[MPA_CRC_BYTES];
    if (!with_crc)
        return true;
    put_crc(wanted, pad ? pal_crc32c(crc, trailer, pad) : crc);
    return memcmp(wanted, trailer + pad, sizeof wanted) == 0;
}

/* ---- markers ---- */

void mpa_marker_encode(uint16_t back, uint8_t out[MPA_MARKER_BYTES])
{
    put_be16(out, 0);
    put_be16(out + 2, back);
}

enum { PART_LENGTH, PART_BODY, PART_CRC }; /* body: segment and padding */

static void begin_part(struct mpa_unmarker *u, uint8_t part, uint32_t bytes)
{
    u->part = part;
    u->left = bytes;
}

static bool is_between_frames(const struct mpa_unmarker *u)
{
    return u->part == PART_LENGTH && u->left == MPA_LENGTH_BYTES;
}

void mpa_unmark_start(struct mpa_unmarker *u, bool with_crc)
{
    *u = (struct mpa_unmarker){.with_crc = with_crc};
    begin_part(u, PART_LENGTH, MPA_LENGTH_BYTES);
}

/* Frames are multiples of four, and so are markers and their distance: none of these is ever cut by another. */
static void take_word(struct mpa_unmarker *u, const uint8_t *bytes, uint32_t count)
{
    memcpy(u->word + (u->offset & 3), bytes, count);
}

static void take_marker(struct mpa_unmarker *u, const uint8_t *bytes, uint32_t count)
{
    const uint32_t begin = u->offset & ~3u;
    take_word(u, bytes, count);
    if (u->with_crc)
        u->crc = pal_crc32c(u->crc, bytes, count);
    if (u->offset + count - begin < MPA_MARKER_BYTES)
        return;
    /* The reserved half is ignored, and so are the low two bits (RFC 5044 4.2, 4.3). */
    if ((get_be16(u->word + 2) & ~3u) != (is_between_frames(u) ? 0 : begin - u->frame_at))
        u->fault = MPA_FAULT_MARKER;
}

static void end_part(struct mpa_unmarker *u)
{
    uint8_t wanted[MPA_CRC_BYTES];
    switch (u->part) {
    case PART_LENGTH: {
        const uint32_t ulpdu = get_be16(u->word);
        begin_part(u, PART_BODY, ulpdu + mpa_pad(ulpdu)); /* never nothing: an empty segment is padded */
        break;
    }
    case PART_BODY: begin_part(u, PART_CRC, MPA_CRC_BYTES); break;
    default:
        put_crc(wanted, u->crc);
        if (u->with_crc && memcmp(wanted, u->word, sizeof wanted) != 0)
            u->fault = MPA_FAULT_CRC;
        u->crc = 0;
        begin_part(u, PART_LENGTH, MPA_LENGTH_BYTES);
    }
}

static void take_frame(struct mpa_unmarker *u, const uint8_t *bytes, uint32_t count)
{
    if (is_between_frames(u))
        u->frame_at = u->offset;
    if (u->part != PART_BODY)
        take_word(u, bytes, count);
    if (u->with_crc && u->part != PART_CRC)
        u->crc = pal_crc32c(u->crc, bytes, count);
    u->left -= count;
    if (!u->left)
        end_part(u);
}

size_t mpa_unmark(struct mpa_unmarker *u, uint8_t *bytes, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count && u->fault == MPA_NO_FAULT;) {
        const uint32_t at = u->offset & (MPA_MARKER_INTERVAL - 1);
        const bool in_marker = at < MPA_MARKER_BYTES;
        uint32_t run = in_marker ? MPA_MARKER_BYTES - at : MPA_MARKER_INTERVAL - at;
        if (!in_marker && run > u->left)
            run = u->left;
        if (run > count - i)
            run = (uint32_t)(count - i);
        if (in_marker)
            take_marker(u, bytes + i, run);
        else
            take_frame(u, bytes + i, run);
        if (!in_marker && u->fault == MPA_NO_FAULT) {
            memmove(bytes + kept, bytes + i, run);
            kept += run;
        }
        u->offset += run;
        i += run;
    }
    return kept;
}
