/* fuzz_markers.c - a stream of FPDUs with MPA markers, as a hostile peer may send it: what comes out of it is the same
 * however it is cut, and never more than what went in. And streams that are right, of frames whose lengths the input
 * chooses: they come out whole, and a changed bit is found by the CRC or does not matter. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "pal/crc32c.h"
#include "softiwarp/mpa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { STREAM_MAX = 16384, FRAME_MAX = 3000 };

struct result {
    uint8_t bytes[STREAM_MAX];
    size_t count;
    enum mpa_fault fault;
};

static void unmark(const uint8_t *in, size_t bytes, size_t cut, bool with_crc, struct result *out)
{
    struct mpa_unmarker u;
    mpa_unmark_start(&u, with_crc);
    out->count = 0;
    for (size_t at = 0; at < bytes; at += cut) {
        const size_t run = bytes - at < cut ? bytes - at : cut;
        memcpy(out->bytes + out->count, in + at, run); /* what is left is never more */
        const size_t left = mpa_unmark(&u, out->bytes + out->count, run);
        if (left > run)
            abort();
        out->count += left;
    }
    out->fault = u.fault;
}

static void check_cuts(const uint8_t *in, size_t bytes, size_t cut, bool with_crc)
{
    static struct result whole, pieces;
    const size_t markers = (bytes + 511) / 512,
                 cut_off = bytes % 512 && bytes % 512 < 4 ? 4 - bytes % 512 : 0;
    unmark(in, bytes, STREAM_MAX, with_crc, &whole);
    unmark(in, bytes, cut, with_crc, &pieces);
    if (whole.fault != pieces.fault || (!whole.fault && whole.count != bytes - (4 * markers - cut_off)))
        abort();
    /* the last bytes before a bad CRC may have gone when they came alone; they complete no frame */
    if (pieces.count < whole.count || pieces.count > whole.count + 3 ||
        memcmp(whole.bytes, pieces.bytes, whole.count) != 0)
        abort();
    if (!whole.fault && pieces.count != whole.count)
        abort();
}

/* ---- streams that are right, laid out a byte at a time ---- */

struct layout {
    uint8_t bytes[STREAM_MAX], plain[STREAM_MAX];
    size_t count, plain_count, start, crc_from;
    bool is_begun;
};

static void mark_if_due(struct layout *l)
{
    if (l->count % 512 != 0)
        return;
    const size_t back = l->is_begun ? l->count - l->start : 0;
    const uint8_t m[4] = {0, 0, (uint8_t)(back >> 8), (uint8_t)back};
    memcpy(l->bytes + l->count, m, 4);
    l->count += 4;
}

static void lay(struct layout *l, uint8_t byte)
{
    mark_if_due(l);
    if (!l->is_begun)
        l->start = l->count;
    l->is_begun = true;
    l->bytes[l->count++] = l->plain[l->plain_count++] = byte;
}

static void lay_frame(struct layout *l, uint32_t ulpdu)
{
    l->is_begun = false;
    l->crc_from = l->count;
    lay(l, (uint8_t)(ulpdu >> 8));
    lay(l, (uint8_t)ulpdu);
    for (uint32_t i = 0; i < ulpdu + mpa_pad(ulpdu); i++)
        lay(l, (uint8_t)(i * 7));
    mark_if_due(l);
    const uint32_t crc = pal_crc32c(0, l->bytes + l->crc_from, l->count - l->crc_from);
    for (unsigned i = 0; i < 4; i++)
        lay(l, (uint8_t)(crc >> 8 * i));
}

static void check_built(const uint8_t *data, size_t bytes, size_t cut)
{
    static struct layout l;
    static struct result out;
    l.count = l.plain_count = 0;
    for (size_t i = 4; i + 1 < bytes && l.count < STREAM_MAX - FRAME_MAX - 64; i += 2)
        lay_frame(&l, (uint32_t)(data[i] << 8 | data[i + 1]) % FRAME_MAX);
    if (!l.count)
        return;
    unmark(l.bytes, l.count, cut, true, &out);
    if (out.fault || out.count != l.plain_count || memcmp(out.bytes, l.plain, out.count) != 0)
        abort();
    l.bytes[(size_t)(data[2] << 8 | data[3]) % l.count] ^= (uint8_t)(1u << data[1] % 8);
    unmark(l.bytes, l.count, cut, true, &out);
    if (!out.fault && out.count == l.plain_count && memcmp(out.bytes, l.plain, out.count) == 0)
        abort(); /* the bit was in a marker, and its frame came through */
    check_cuts(l.bytes, l.count, cut, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 4 || bytes > STREAM_MAX)
        return 0;
    const size_t cut = 1 + data[0] % 64;
    check_cuts(data + 1, bytes - 1, cut, false);
    check_cuts(data + 1, bytes - 1, cut, true);
    check_built(data, bytes, cut);
    return 0;
}
