/* alone.h - one side of softiwarp, and raw TCP sockets of the test where its peer should be: what stands there need not know
 * iWARP at all. Layer: tests; above vb.h. One thread. Ports are to be plain: WSD_SOFTIWARP_PORTS. */
#ifndef TEST_ALONE_H
#define TEST_ALONE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pal/socket.h"
#include "vb/vb.h"

#define DEADLINE_NS  20000000000ull /* against hangs: twenty times what any of this should take */
#define assert_ok(e) assert_int_equal((e), VB_OK)

struct alone {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_cm *cm;
    struct vb_cq *cq;
    struct vb_addr here; /* port 0 */
    pal_socket raw[64];  /* closed by the teardown */
    unsigned raws;
};
extern struct alone me;
extern const char *alone_address; /* where setup() puts it */

struct end {
    struct vb_conn *conn;
    struct vb_qp *qp;
};

int setup(void **state);
int teardown(void **state);

/* ---- our side ---- */

void give_qp(struct end *e);
struct vb_conn_params params(uint32_t timeout_ms);
void start_connect_to(struct end *e, const struct vb_addr *to, uint32_t timeout_ms);
void start_connect(struct end *e, uint16_t port, uint32_t timeout_ms);
void drop(struct end *e);
bool next_event(struct vb_cm_event *ev, uint64_t wait_ns); /* of anybody; false: none in time */
void expect(struct vb_cm_event *ev, const struct end *e, enum vb_cm_event_kind kind, vb_status_t st);
void expect_silence(void);

/* ---- sockets that are no peer; closed by teardown() ---- */

pal_socket raw_listen(uint32_t backlog, uint16_t *port);
pal_socket raw_connect(uint16_t port);
bool is_connected_within(pal_socket s, uint64_t wait_ns);
pal_socket raw_accept(pal_socket listener);
void raw_send(pal_socket s, const void *bytes, size_t n);

#endif
