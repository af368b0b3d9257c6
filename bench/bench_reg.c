/* bench_reg.c - registering and deregistering memory, cached and not. */
#include "bench_run.h"
#include "pal/memory.h"
#include "pal/time.h"

#include <string.h>

bool bench_reg_client(struct bench_run_args *a, enum bench_reg_kind kind, bool is_cold, bool *is_supported)
{
    struct bench_ep *ep = a->ep;
    uint8_t *memory = pal_pages_alloc(a->size);
    bool is_good = true;
    uint64_t start = pal_now_ns();

    *is_supported = true;
    if (memory == NULL)
        return bench_fail(ep->err, "out of memory for %u bytes to register", a->size);
    memset(memory, 0x5a, a->size);
    for (uint32_t i = 0; is_good && *is_supported && i < a->count; i++) {
        is_good = ep->ops->reg_cycle(ep, kind, is_cold, memory, a->size, &a->times[i]);
        *is_supported = !is_good || a->times[i] != 0;
        pal_store_relaxed(&ep->progress, i + 1u);
    }
    a->elapsed_ns = pal_now_ns() - start;
    if (is_good && *is_supported)
        is_good = bench_drain(ep);
    bench_pages_free(memory, a->size);
    return is_good;
}
