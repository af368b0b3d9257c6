/* fixture.h - carriers of tcpip/ with what they said, for the tests beside it.
 * Every wait has a deadline of TEST_MS; what is asserted is what happened, never how long it took. */
#ifndef TCPIP_FIXTURE_H
#define TCPIP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pal/mutex.h"
#include "tcpip/tcpip.h"

#define TEST_MS 20000u

/* One carrier and what came up from it. */
struct end {
    struct sw_carrier *c;
    struct pal_mutex lock; /* guards what follows */
    struct pal_cond told;
    uint32_t events; /* all that were reported and not taken by end_events() */
    unsigned event_calls;
    int event_error, closed_error;
    unsigned completions; /* of this end's operations, ever */
    bool is_closed;
};

struct op {
    struct sw_request r; /* first */
    struct end *end;
    WSABUF buffer;
    unsigned times; /* completed() of it; end->lock */
};

/* Wine's TCP falls short of Windows' in places: it tells datagram sockets nothing of ports that nobody has, and sees an end only behind the
 * last byte (B170). */
enum test_system { TEST_LINUX, TEST_WINDOWS, TEST_WINE };
enum test_system test_system(void);
uint64_t test_deadline(void);
/* A socket; family: WS_AF_INET or WS_AF_INET6. */
void end_open(struct end *e, int family, int type);
void end_bind_any(struct end *e, int family); /* loopback, port 0 */
void end_listen(struct end *e, int family);
void end_connect(struct end *e, struct end *to); /* until FD_CONNECT came */
void end_accept(struct end *listener, struct end *e);
void end_take_over(struct end *e, struct sw_carrier *c); /* a carrier made with up/owner of e */
extern const struct sw_carrier_up end_up;
void end_init(struct end *e);
/* Close, and wait for closed(); answers its error. linger_ms as in carrier.h. */
int end_close(struct end *e, uint32_t linger_ms);
void end_await_closed(struct end *e);
/* Wait until all of these FD_* were reported, and take them. */
void end_await_events(struct end *e, uint32_t events);
uint32_t end_take_events(struct end *e);
uint32_t end_ready(struct end *e);
void end_await_ready(struct end *e,
                     uint32_t events); /* until ready() has them all, looking again and again */

/* A connection: a has connected, b was accepted. */
void pair_open(struct end *a, struct end *b, int family);
void pair_close(struct end *a, struct end *b);

void op_init(struct op *o, struct end *e, enum sw_request_kind kind, void *memory, size_t bytes,
             uint32_t flags);
int op_submit(struct op *o);
int op_now(struct op *o);
void op_await(struct op *o); /* completed(), exactly once */
bool op_is_over(struct op *o);
/* submit() and wait() as a blocking call makes them: the code of the call; o->r.op.bytes. */
int op_block(struct op *o);

void end_send(struct end *e, const void *data, size_t bytes);               /* all of it, blocking */
void end_receive(struct end *e, void *data, size_t bytes);                  /* all of it, blocking */
int end_receive_some(struct end *e, void *data, size_t bytes, size_t *got); /* one blocking receive */
size_t end_fill(struct end *e,
                size_t piece); /* non-blocking sends of so much until WSAEWOULDBLOCK; bytes taken */
size_t end_drain(struct end *e, size_t bytes); /* receive so many and check what end_fill() sent */

#endif
