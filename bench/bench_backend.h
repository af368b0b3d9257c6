/* bench_backend.h - which verbs backend is measured, and why that one.
 * Layer: bench, over vb/vb.h. */
#ifndef BENCH_BACKEND_H
#define BENCH_BACKEND_H

#include "bench_ep.h"

/* Open the backend that --backend names, else WSD_BACKEND, else the best that has something to serve. The provider
 * chooses by the same rule, in sock/instance.c; its choice cannot be asked for, so this must stay as that is.
 * device->backend and ->backend_why are filled in. False: the reason is in why. */
bool bench_backend_open(const struct bench_options *o, struct bench_device *device, struct vb_backend **out,
                        char *why, size_t why_bytes);

#endif
