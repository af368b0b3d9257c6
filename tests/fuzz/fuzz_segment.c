/* fuzz_segment.c - DDP segments and what RDMAP puts into them. Whatever decodes encodes to the same bytes again, but
 * for reserved bits, and nothing is read beyond the input. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "softiwarp/ddp.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct ddp_header h;
    uint8_t again[DDP_HEADER_MAX];
    if (!ddp_header_decode(data, bytes, &h))
        return 0;
    const unsigned n = ddp_header_encode(&h, again);
    if (n > bytes || n != ddp_header_bytes(data[0]) || memcmp(again + 2, data + 2, n - 2) != 0 ||
        (again[1] ^ data[1]) & 0x0f || (again[0] ^ data[0]) & 0xc0)
        abort();
    check_payload(data + n, bytes - n);
    return 0;
}
