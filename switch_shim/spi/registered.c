/* registered.c - from what is registered to the files to load. */
#include "spi/registered.h"

#include <string.h>

#include "spi/spi.h"

static bool is_known(const GUID *known, unsigned count, const GUID *id)
{
    for (unsigned i = 0; i < count; i++)
        if (memcmp(&known[i], id, sizeof(*id)) == 0)
            return true;
    return false;
}

unsigned sw_registered_paths(const struct sw_registered_source *from, char (*out)[SW_REGISTERED_PATH_BYTES],
                             unsigned max)
{
    GUID taken[SW_PROVIDERS_MAX];
    struct sw_registered_value v;
    unsigned count = 0;

    for (unsigned i = 0; count < max && count < SW_PROVIDERS_MAX && from->value(from->self, i, &v); i++) {
        if (v.type != SW_REGISTERED_BINARY || v.bytes != sizeof(GUID) || is_known(taken, count, &v.id))
            continue;
        if (!from->path_of(from->self, &v.id, out[count], SW_REGISTERED_PATH_BYTES))
            continue;
        taken[count++] = v.id;
    }
    return count;
}
