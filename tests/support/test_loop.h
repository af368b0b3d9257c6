/* test_loop.h - what the parts of the loop backend's self-test share: two sides, connected or about to be.
 * Layer:   tests/support. */
#ifndef TEST_LOOP_H
#define TEST_LOOP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loop_backend.h"
#include "pal/thread.h"
#include "pal/time.h"

enum { DEPTH = 8, CQ_DEPTH = 64, MEM = 4096, WAIT_MS = 5000 };

struct side {
    struct vb_cm *cm;
    struct vb_cq *scq, *rcq;
    struct vb_qp *qp;
    struct vb_conn *conn;
    struct vb_mr *mr;
    uint8_t mem[MEM];
};

struct fixture {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_listener *listener;
    struct side a, b; /* a connects to b */
};

struct vb_addr addr(const char *text);
struct vb_cm_event expect_event(struct vb_cm *cm, enum vb_cm_event_kind kind, vb_status_t status);
void expect_no_event(struct vb_cm *cm);
void expect_wc(struct vb_cq *cq, uint64_t id, vb_status_t status);
void expect_no_wc(struct vb_cq *cq);
void side_qp(struct fixture *f, struct side *s, uint32_t depth);
void start_connect(struct fixture *f);
void take_request(struct fixture *f);
void accept_request(struct fixture *f);
void see_established(struct fixture *f);
void connect_both(struct fixture *f);
int setup(void **state);
int setup_connected(void **state);
int setup_iwarp(void **state);
int teardown(void **state);
struct vb_sge sge_of(const struct side *s, size_t at, uint32_t bytes);
vb_status_t post_recv(struct side *s, uint64_t id, size_t at, uint32_t bytes);
vb_status_t post_send(struct side *s, uint64_t id, size_t at, uint32_t bytes, uint8_t flags);
vb_status_t post_rdma(struct side *s, uint8_t op, uint64_t id, size_t at, uint32_t bytes, const void *remote,
                      uint32_t rkey, uint8_t flags);
vb_status_t post_bind(struct side *s, struct vb_mw *mw, size_t at, uint64_t bytes, uint32_t access);
vb_status_t post_invalidate(struct side *s, struct vb_mw *mw);
void change_config(void (*change)(struct loop_config *));

#define CONNECTED(t)   cmocka_unit_test_setup_teardown(t, setup_connected, teardown)
#define UNCONNECTED(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
#define IWARP(t)       cmocka_unit_test_setup_teardown(t, setup_iwarp, teardown)

extern const struct CMUnitTest loop_data_tests[], loop_conn_tests[], loop_thread_tests[];
extern const size_t loop_data_test_count, loop_conn_test_count, loop_thread_test_count;

#endif
