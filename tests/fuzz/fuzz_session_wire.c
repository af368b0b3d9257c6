/* fuzz_session_wire.c - messages of the session protocol, as a hostile switch may send them. Whatever decodes must be
 * what PROTOCOL.md allows, lie within the bytes that came, and encode to the same bytes again: one spelling each. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "session/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_hello(const uint8_t *data, size_t bytes)
{
    struct sw_wire_hello h;
    uint8_t again[SW_WIRE_HELLO_BYTES];

    if (!sw_wire_hello_decode(data, bytes, &h))
        return;
    if (h.version_low > SW_WIRE_VERSION || h.version_high < SW_WIRE_VERSION) {
        if (h.receives != 0 || h.message_bytes != 0)
            abort();
        return;
    }
    sw_wire_hello_encode(&h, again);
    if (bytes != sizeof(again) || memcmp(again, data, bytes) != 0)
        abort();
    if (h.type != SW_WIRE_REFUSE &&
        (h.receives < SW_WIRE_CREDITS_MIN || h.receives > SW_WIRE_CREDITS_MAX || h.transfers == 0 ||
         h.transfers > SW_WIRE_TRANSFERS_MAX || h.storage_bytes < h.message_bytes))
        abort();
}

static void check_message(const uint8_t *data, size_t bytes)
{
    struct sw_wire_message m;
    uint8_t again[SW_WIRE_HEADER_BYTES + SW_WIRE_DESCRIPTOR_MAX];

    if (sw_wire_decode(data, bytes, &m) != NULL)
        return;
    if (m.descriptor_bytes > SW_WIRE_DESCRIPTOR_MAX || m.payload + m.payload_bytes != data + bytes ||
        m.descriptor < data || m.descriptor + m.descriptor_bytes != m.payload)
        abort();
    size_t n = sw_wire_encode(&m, again);
    if (n + m.payload_bytes != bytes || memcmp(again, data, n) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    check_hello(data, bytes);
    check_message(data, bytes);
    return 0;
}
