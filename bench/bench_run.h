/* bench_run.h - one run of a measuring loop: so many operations of one size over an endpoint, at one end.
 * Layer:   bench, between bench_session.c (which agrees with the peer) and the loops.
 * Order:   both ends call prepare (what must hold before the peer may start), the server says GO, both call
 *          loop. */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "bench_ep.h"

struct bench_run_args {
    const struct bench_test *test;
    struct bench_ep *ep;
    struct bench_ep *const *more; /* bw --connections: all but the first */
    uint32_t more_count;
    struct bench_echo *echo;   /* echo only */
    struct bench_layer *layer; /* connect only */
    const struct bench_layer_ops *layer_ops;
    const struct vb_addr *remote; /* connect, client */
    struct bench_control *control;
    uint32_t size, count;
    uint64_t *times;           /* client: room for count + 1 */
    bool (*go)(void *context); /* server: tells the client to start; the loop calls it when it is ready */
    void *go_context;
    /* results */
    uint64_t elapsed_ns;    /* client: first post to last completion */
    uint64_t checked_bytes; /* with --verify, this end */
};

/* What an endpoint must have for the test. */
void bench_lat_config(const struct bench_test *t, struct bench_ep_config *out);
void bench_bw_config(const struct bench_test *t, bool is_client, struct bench_ep_config *out);

/* Client and server halves. The client's leave count durations (ns) in times[] (lat) or elapsed_ns (bw). */
bool bench_lat_client(struct bench_run_args *a);
bool bench_lat_server(struct bench_run_args *a);
bool bench_steps_client(struct bench_run_args *a); /* lat --steps */
bool bench_steps_server(struct bench_run_args *a);
bool bench_bw_client(struct bench_run_args *a);
bool bench_bw_server(struct bench_run_args *a);

/* connect, client: times[0..count) setting up, times[count..2*count) closing; room for 2 * count. */
bool bench_connect_client(struct bench_run_args *a);

/* reg, client: times[0..count) of one kind. *is_supported false: the layer has no such thing. */
bool bench_reg_client(struct bench_run_args *a, enum bench_reg_kind kind, bool is_cold, bool *is_supported);

/* Size of a piece of memory for the largest message of the test, and how many pieces are worth having. */
uint32_t bench_piece_bytes(const struct bench_test *t);
uint32_t bench_pieces(const struct bench_test *t, uint32_t slots);

#endif
