/* fuzz_mpa.c - the frame that opens a connection, as a hostile peer may send it, and the mapping inside its private
 * data. Whatever decodes keeps within its bounds and encodes to the same bytes again, but for reserved bits. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "softiwarp/mpa.h"
#include "softiwarp/ports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_map(const uint8_t *data, size_t bytes)
{
    struct si_map m;
    uint8_t again[SI_MAP_BYTES];
    if (!si_map_decode(data, bytes, &m))
        return;
    si_map_encode(&m, again);
    if (memcmp(again, data, 10) != 0 || m.kind < SI_MAP_CONNECT || m.kind > SI_MAP_NOT_HERE)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t again[MPA_HELLO_MAX];
    for (int want_reply = 0; want_reply < 2; want_reply++) {
        struct mpa_hello h;
        const uint8_t *private_data;
        size_t frame;
        const enum mpa_verdict v = mpa_hello_decode(data, bytes, want_reply != 0, &h, &private_data, &frame);
        if (frame > MPA_HELLO_MAX || (v == MPA_MORE && bytes >= MPA_HELLO_MAX))
            abort();
        if (v != MPA_OK)
            continue;
        if (frame > bytes || private_data < data || private_data + h.data_bytes != data + frame)
            abort();
        if (mpa_hello_encode(&h, private_data, again) != frame || memcmp(again, data, 16) != 0 ||
            memcmp(again + 17, data + 17, frame - 17) != 0 || (again[16] & ~data[16]) != 0)
            abort();
        check_map(private_data, h.data_bytes);
    }
    return 0;
}
