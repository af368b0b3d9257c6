/* bench_many.h - further connections for bw --connections, equal to the first.
 * Layer: bench. Both ends make them one by one in the same order, after the first. */
#ifndef BENCH_MANY_H
#define BENCH_MANY_H

#include "bench_idle.h"

/* test->connections - 1 of them, with the configuration and (client) the peer's window of `first`: messages need nothing of
 * it but how many receives there are, which is the same for all. */
bool bench_many_connect(struct bench_idle_set *s, const struct bench_layer_ops *ops, struct bench_layer *l,
                        const struct bench_test *t, const struct bench_ep *first,
                        const struct vb_addr *remote, struct bench_control *c);
bool bench_many_accept(struct bench_idle_set *s, const struct bench_layer_ops *ops, struct bench_layer *l,
                       const struct bench_test *t, const struct bench_ep *first, struct bench_control *c);

#endif
