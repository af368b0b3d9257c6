/* bench_backend.c - chooses the verbs backend and keeps the reason for the report. */
#include "bench_backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool open_named(const char *spec, const char *who, struct bench_device *device,
                       struct vb_backend **out, char *why, size_t why_bytes)
{
    (void)snprintf(device->backend, sizeof device->backend, "%s", spec);
    (void)snprintf(device->backend_why, sizeof device->backend_why, "%s says so", who);
    return vb_open(spec, out, why, why_bytes) == VB_OK;
}

bool bench_backend_open(const struct bench_options *o, struct bench_device *device, struct vb_backend **out,
                        char *why, size_t why_bytes)
{
    const char *set = getenv("WSD_BACKEND");
    const char *const *names = vb_backend_names();

    if (o->backend[0] != '\0' && strcmp(o->backend, "auto") != 0)
        return open_named(o->backend, "--backend", device, out, why, why_bytes);
    if (o->backend[0] == '\0' && set != NULL && set[0] != '\0' && strcmp(set, "auto") != 0)
        return open_named(set, "WSD_BACKEND", device, out, why, why_bytes);
    (void)snprintf(device->backend_why, sizeof device->backend_why,
                   "first choice, and it has something to serve");
    (void)snprintf(why, why_bytes, "this wsdbench was built without a verbs backend");
    for (unsigned i = 0; names[i] != NULL; i++) {
        (void)snprintf(device->backend, sizeof device->backend, "%s", names[i]);
        if (vb_open(names[i], out, why, why_bytes) == VB_OK)
            return true;
        if (i == 0) /* of the best one: what the reader may want to change */
            (void)snprintf(device->backend_why, sizeof device->backend_why,
                           "the best that has something to serve; passed over: %s", why);
    }
    return false;
}
