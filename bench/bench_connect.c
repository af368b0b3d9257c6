/* bench_connect.c - setting up and closing connections, one after the other. */
#include "bench_run.h"
#include "pal/time.h"

bool bench_connect_client(struct bench_run_args *a)
{
    static const struct bench_ep_config bare;
    uint64_t start = pal_now_ns();

    for (uint32_t i = 0; i < a->count; i++) {
        struct bench_ep *ep = NULL;
        uint64_t begun = pal_now_ns();
        uint64_t up;

        if (!a->layer_ops->connect(a->layer, &bare, a->remote, a->test->timeout_s * 1000, &ep))
            return false;
        up = pal_now_ns();
        ep->ops->close(ep);
        a->times[i] = up - begun;
        a->times[a->count + i] = pal_now_ns() - up;
        pal_store_relaxed(&a->ep->progress, i + 1u);
    }
    a->elapsed_ns = pal_now_ns() - start;
    return true;
}
