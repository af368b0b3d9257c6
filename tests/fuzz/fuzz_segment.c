/* fuzz_segment.c - DDP segments and what RDMAP puts into them. Whatever decodes encodes to the same bytes again, but
 * for reserved bits, and nothing is read beyond the input; markers come out of any stream, cut anywhere. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "softiwarp/ddp.h"
#include "softiwarp/mpa.h"
#include "softiwarp/rdmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_payload(const uint8_t *data, size_t bytes)
{
    struct rdmap_read_request r;
    struct rdmap_terminate t;
    uint8_t again[RDMAP_TERMINATE_MAX];
    if (rdmap_read_request_decode(data, bytes, &r)) {
        rdmap_read_request_encode(&r, again);
        if (memcmp(again, data, bytes) != 0)
            abort();
    }
    if (rdmap_terminate_decode(data, bytes, &t)) {
        const unsigned n = rdmap_terminate_encode(&t, again);
        if (n > bytes || memcmp(again, data, 2) != 0 || !rdmap_error_text(t.error))
            abort();
    }
}

static void check_unmark(const uint8_t *data, size_t bytes)
{
    static uint8_t whole[4096], piece[4096];
    uint64_t offset = 0, offset_too = 0;
    if (bytes < 2 || bytes - 2 > sizeof whole)
        return;
    const size_t cut = 1 + data[0] % 64;
    memcpy(whole, data + 2, bytes - 2);
    const size_t kept = mpa_unmark(whole, bytes - 2, &offset);
    size_t at = 0;
    for (size_t i = 0; i < bytes - 2; i += cut) {
        const size_t run = bytes - 2 - i < cut ? bytes - 2 - i : cut;
        memcpy(piece, data + 2 + i, run);
        const size_t n = mpa_unmark(piece, run, &offset_too);
        if (at + n > kept || memcmp(whole + at, piece, n) != 0)
            abort();
        at += n;
    }
    if (at != kept || offset != bytes - 2 || offset_too != offset)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct ddp_header h;
    uint8_t again[DDP_HEADER_MAX];
    check_unmark(data, bytes);
    if (!ddp_header_decode(data, bytes, &h))
        return 0;
    const unsigned n = ddp_header_encode(&h, again);
    if (n > bytes || n != ddp_header_bytes(data[0]) || memcmp(again + 2, data + 2, n - 2) != 0 ||
        (again[1] ^ data[1]) & 0x0f || (again[0] ^ data[0]) & 0xc0)
        abort();
    check_payload(data + n, bytes - n);
    return 0;
}
