/* conf.h - what the parts of vb_conformance share: the opened backend, a connected pair of QPs, posting and
 * waiting.
 * Layer:   tests; above vb.h only, so the same program runs against every backend.
 * Rule:    everything is posted and polled through the functions here. They count, and conf_pair_close()
 *          fails the test when a signaled request or a receive did not come back exactly once: every test
 *          checks that on the way. */
#ifndef CONF_H
#define CONF_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pal/memory.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "pal/wait.h"
#include "vb/vb.h"

/* Nothing here takes a second on an idle machine; emulated machines are neither idle nor fast. */
#define CONF_DEADLINE_MS 30000
/* Long enough for "nothing happens" to mean something. */
#define CONF_QUIET_MS 100
#define CONF_ANY_ID   UINT64_MAX

struct conf {
    const char *spec;
    struct vb_addr addr; /* both ends of every test; port 0 */
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_caps caps;
    struct vb_cm *cm;
    bool is_iwarp; /* a request completes when it is on its way; violations end the connection instead */
    bool is_kernel_iwarp; /* and the kernel's connection manager for it, with its ways */
    bool serves_loopback; /* addresses of the loopback interface work like others */
};
extern struct conf g;

enum conf_queue { CONF_SEND, CONF_RECV };

struct conf_end {
    struct vb_pd *pd;
    bool owns_pd;
    struct vb_cq *cq[2]; /* by enum conf_queue */
    struct vb_qp *qp;
    struct vb_qp_caps caps; /* granted */
    struct vb_conn *conn;
    uint8_t *mem;
    size_t mem_bytes;
    struct vb_mr *mr;
    unsigned out[2];     /* completions that must still come, by queue */
    unsigned unsignaled; /* that may still come */
    struct vb_cm_event established;
};

struct conf_pair {
    struct conf_end a, b; /* a connects, b accepts */
    struct vb_listener *listener;
    struct vb_addr at;        /* of the listener */
    struct vb_addr listen_on; /* options of conf_pair_open(): zeroed for the usual */
    struct vb_qp_caps want;
    struct vb_pd *share_pd_b; /* b uses this domain */
    size_t mem_bytes;
    uint8_t read_in_a, read_out_a, read_in_b, read_out_b;
    const void *data_a, *data_b; /* private data */
    uint16_t data_a_bytes, data_b_bytes;
    struct vb_cm_event request;
};

/* ---- pairs. The struct holds options before, state after. close also works on what is half open. */
void conf_pair_open(struct conf_pair *p);
void conf_pair_close(struct conf_pair *p);
void conf_end_open(struct conf_end *e, const struct vb_qp_caps *want, size_t mem_bytes,
                   struct vb_pd *share_pd);
void conf_end_close(struct conf_end *e);
void conf_listen(struct conf_pair *p);
struct vb_conn_params conf_params(uint8_t read_in, uint8_t read_out, const void *data, uint16_t bytes);

int conf_setup_pair(void **state); /* cmocka: *state = a connected struct conf_pair */
int conf_setup_none(void **state); /* *state = a zeroed struct conf_pair, closed by the teardown */
int conf_teardown(void **state);

/* ---- connection events. Other connections' events are kept for later calls. */
bool conf_next(const struct vb_conn *conn, struct vb_cm_event *ev,
               uint32_t timeout_ms); /* conn NULL: a REQUEST */
void conf_await(const struct vb_conn *conn, enum vb_cm_event_kind kind, struct vb_cm_event *ev);
void conf_no_event(const struct vb_conn *conn);

/* ---- requests */
struct vb_sge conf_sge(const struct conf_end *e, size_t offset, uint32_t bytes);
vb_status_t conf_post(struct conf_end *e, struct vb_send_wr *wr, const struct vb_send_wr **bad);
vb_status_t conf_post_recv(struct conf_end *e, struct vb_recv_wr *wr, const struct vb_recv_wr **bad);
vb_status_t conf_send(struct conf_end *e, uint64_t id, size_t offset, uint32_t bytes, uint8_t flags);
vb_status_t conf_recv(struct conf_end *e, uint64_t id, size_t offset, uint32_t bytes);
vb_status_t conf_rdma(struct conf_end *e, enum vb_wr_op op, uint64_t id, size_t offset, uint32_t bytes,
                      uint64_t remote, uint32_t rkey, uint8_t flags);
vb_status_t conf_bind(struct conf_end *e, uint64_t id, struct vb_mw *mw, size_t offset, uint64_t bytes,
                      uint32_t access, uint8_t flags);
vb_status_t conf_invalidate(struct conf_end *e, uint64_t id, struct vb_mw *mw, uint8_t flags);

/* ---- completions */
unsigned conf_poll(struct conf_end *e, enum conf_queue q, struct vb_wc *wc, unsigned max);
bool conf_wait(struct conf_end *e, enum conf_queue q, struct vb_wc *wc, uint32_t timeout_ms);
struct vb_wc conf_expect(struct conf_end *e, enum conf_queue q, uint64_t id, vb_status_t status);
void conf_quiet(struct conf_end *e, enum conf_queue q); /* nothing comes for a while */
void conf_drain(struct conf_end *e);                    /* stop and take everything back */

/* ---- data */
void conf_fill(uint8_t *p, size_t bytes, uint32_t seed);
void conf_check(const uint8_t *p, size_t bytes, uint32_t seed);
void conf_skip(const char *why); /* print and skip() */
#define assert_ok(expr) assert_int_equal((expr), VB_OK)

/* ---- groups: the tests of one file each */
struct conf_group {
    const struct CMUnitTest *tests;
    size_t count;
};
extern const struct conf_group conf_group_basic, conf_group_data, conf_group_rdma, conf_group_window,
    conf_group_conn, conf_group_held;

#define CONF_TEST(f)      cmocka_unit_test_setup_teardown(f, conf_setup_pair, conf_teardown)
#define CONF_TEST_BARE(f) cmocka_unit_test_setup_teardown(f, conf_setup_none, conf_teardown)

#endif
