/* bench_idle.h - connections that do nothing, to see what they cost: time (lat --idle) and memory (--rss).
 * Layer: bench. Both ends make them one by one in the same order, after the connection that is measured. */
#ifndef BENCH_IDLE_H
#define BENCH_IDLE_H

#include "bench_report.h"

struct bench_idle_set {
    struct bench_ep **eps;
    uint32_t count;
};

/* Client: connect test->idle of them; with --rss the memory of both ends goes to the report. */
bool bench_idle_connect(struct bench_idle_set *s, const struct bench_layer_ops *ops, struct bench_layer *l,
                        const struct bench_test *t, const struct vb_addr *remote, struct bench_control *c,
                        struct bench_report *r);
/* Server: accept them and tell the client what they took. */
bool bench_idle_accept(struct bench_idle_set *s, const struct bench_layer_ops *ops, struct bench_layer *l,
                       const struct bench_test *t, struct bench_control *c);
void bench_idle_close(struct bench_idle_set *s);

#endif
