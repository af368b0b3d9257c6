/* fuzz_descriptor.c - an RDMA buffer descriptor as it comes out of a peer's message. Whatever decodes must
 * name a range that does not wrap and rights that exist, and must encode to the same bytes again. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "data/grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct wsd_descriptor d;
    uint8_t again[WSD_DESCRIPTOR_BYTES];
    if (bytes > UINT32_MAX || !wsd_descriptor_decode(data, (uint32_t)bytes, &d))
        return 0;
    wsd_descriptor_encode(&d, again);
    if (bytes != sizeof again || memcmp(again, data, sizeof again) != 0)
        abort();
    if (d.access < MEM_READ || d.access > MEM_READWRITE || d.addr + d.bytes < d.addr)
        abort();
    return 0;
}
