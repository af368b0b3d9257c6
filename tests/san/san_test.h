/* san_test.h - two ends of a SAN carrier in one process, driven as the upper face drives them.
 * Layer:   tests/san. */
#ifndef SAN_TEST_H
#define SAN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pal/atomic.h"
#include "pal/mutex.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "san/san.h"

#define WAIT_MS 20000u /* patience with anything that has to happen */

struct end {
    struct sw_carrier *carrier;
    struct pal_mutex lock;
    struct pal_cond changed;
    uint32_t events; /* reported so far */
    int connect_error, close_error, closed_error;
    unsigned completed, closed, strays;
};

/* An overlapped request. */
struct pending {
    struct sw_request request;
    WSABUF buffer;
    unsigned times; /* that it was reported; under the end's lock */
};

struct env {
    const char *provider_path, *address;
    const char *program;
    struct sw_provider *provider;
    struct sw_san_settings settings;
};
extern struct env env;
extern const struct sw_carrier_up end_up;

void end_init(struct end *e);
void end_fini(struct end *e);
void end_create(struct end *e);
/* Listening on a port of its own; *to: where to connect. */
void end_listen(struct end *e, int backlog, WSD_SOCKADDR_IN *to);
int end_connect(struct end *e, const WSD_SOCKADDR_IN *to); /* and wait: the result */
void end_accept(struct end *listener, struct end *out);
void end_pair(struct end *a, struct end *b);
void end_wait_events(struct end *e, uint32_t events); /* asks, and waits for one of them */
void end_wait_completed(struct end *e, unsigned count);
int end_submit(struct end *e, struct pending *p, enum sw_request_kind kind, void *bytes, size_t n);
void end_wait_pending(struct end *e, struct pending *p); /* reported exactly once so far */
void end_close(struct end *e, uint32_t linger_ms);       /* and wait for closed() */
void end_wait_closed(struct end *e);                     /* close() was called */

/* Blocking, with any number of buffers; 0 or a code. */
int end_run(struct end *e, struct sw_request *r, enum sw_request_kind kind, uint32_t flags, WSABUF *buffers,
            uint32_t count, uint64_t timeout_ms);
int end_send(struct end *e, const void *bytes, size_t n);
int end_receive(struct end *e, void *bytes, size_t room, size_t *n);
void end_receive_all(struct end *e, void *bytes, size_t n);
int end_now(struct end *e, enum sw_request_kind kind, uint32_t flags, void *bytes, size_t n, size_t *done);

/* A gate before WSPRegisterMemory (san_gate.c), built and removed while no connection uses the provider. */
void gate_build(void);
void gate_remove(void);
void gate_arm(
    bool must_fail);  /* who comes next has to wait, and is then refused or not; everybody else passes */
void gate_wait(void); /* until he is there */
void gate_open(void);

/* The byte at a position of a stream. */
static inline uint8_t pattern(uint64_t position, unsigned stream)
{
    return (uint8_t)((position * 2654435761u >> 11) + stream * 97u + position);
}

int san_setup(void **state);
int san_teardown(void **state);

extern const struct CMUnitTest basic_tests[], data_tests[], end_tests[], hot_tests[], move_tests[],
    quiet_tests[];
extern const size_t basic_test_count, data_test_count, end_test_count, hot_test_count, move_test_count,
    quiet_test_count;
/* The other process of a move: takes the record over, answers what comes, leaves. */
int move_main(void);

#endif
