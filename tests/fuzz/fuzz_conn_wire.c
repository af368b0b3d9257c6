/* fuzz_conn_wire.c - private data of a connection request or answer, as a hostile peer may send it. Whatever
 * decodes must be what the format allows, and must encode to the same bytes again: one message, one spelling. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sock/conn_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct wsd_wire w;
    uint8_t again[WSD_WIRE_MAX_BYTES];
    if (bytes > VB_PRIVATE_DATA_MAX || !wsd_wire_decode(data, (uint32_t)bytes, &w))
        return 0;
    uint16_t size = wsd_wire_encode(&w, again);
    if (size > bytes || memcmp(again, data, size) != 0)
        abort();
    bool has_family = w.family == VB_AF_IPV4 || w.family == VB_AF_IPV6;
    bool has_reason = w.reason >= WSD_REJECT_REFUSED && w.reason <= WSD_REJECT_NOTED;
    if (w.kind == WSD_WIRE_REJECT ? !has_reason : !w.key || (w.kind != WSD_WIRE_ACCEPT && !has_family))
        abort();
    return 0;
}
