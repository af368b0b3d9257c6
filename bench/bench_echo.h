/* bench_echo.h - an echo server over a completion port and its clients: many connections, one message under way in each.
 * Layer:   bench, over the winsock layers; posix/echo.c. It is Winsock as an application writes it: AcceptEx, overlapped
 *          receives and sends, one thread and one port at each end.
 * Threads: one at each end. */
#ifndef BENCH_ECHO_H
#define BENCH_ECHO_H

#include "bench_ep.h"
#include "bench_run.h"

struct bench_echo;

/* Client: test->connections of them, and one message there and back over each. False: the sentence is in control->err. What was made so far is in *out either way. */
bool bench_echo_connect(struct bench_layer *l, const struct bench_test *t, const struct vb_addr *remote,
                        struct bench_control *c, struct bench_echo **out);
/* Server: the counterpart, on the layer's listener. */
bool bench_echo_accept(struct bench_layer *l, const struct bench_test *t, struct bench_control *c,
                       struct bench_echo **out);

/* How many there are, and the resident memory of this process before the first of them and now. */
struct bench_idle bench_echo_memory(const struct bench_echo *e);
/* May a run have messages of this size? The peer asks. */
bool bench_echo_takes(const struct bench_echo *e, uint32_t size);

/* Client: a->count messages there and back, spread over the connections as they come back; elapsed_ns. */
bool bench_echo_client(struct bench_run_args *a);
/* Server: says go, then answers until the client has another word for it. */
bool bench_echo_server(struct bench_run_args *a);

void bench_echo_close(struct bench_echo *e); /* NULL is allowed */

#endif
