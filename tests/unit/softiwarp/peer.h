/* peer.h - two sides of softiwarp in two processes: this one, which runs the tests, and a peer that is forked for each test, does what
 * it is ordered, and can be stopped and killed. Both use the same code for their side, `me`.
 * Layer:   tests; above vb.h. One thread in each process, and the peer is forked before anything is opened. */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "pal/time.h"
#include "vb/vb.h"

enum {
    DEPTH = 32,      /* of each queue */
    CHUNK = 1 << 18, /* bytes of one request: more than one FPDU, and than TCP's buffers here */
    SMALL = 1000,    /* fits them */
    HALF = DEPTH * CHUNK,
    MEMORY = 2 * HALF /* first half for what comes, second half for what goes */
};
#define DEADLINE_NS 20000000000ull /* against hangs: ten times what any of this should take */
#define QUIET_NS    200000000u

struct side {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_cm *cm;
    struct vb_cq *send_cq, *recv_cq;
    struct vb_qp *qp;
    struct vb_conn *conn;
    struct vb_listener *listener;
    uint8_t *memory;
    struct vb_mr *mr;
    uint64_t peer_addr;
    uint32_t peer_key;
    uint64_t sends, sends_over, receives, receives_over; /* since the beginning */
    vb_status_t first_failure[2];                        /* of sends, of receives; VB_OK: none */
    bool keeps_receives, is_established, is_disconnected;
    void (*arrived)(uint64_t which, uint32_t bytes); /* in order */
};

extern struct side me;

struct peer_process {
    pid_t pid;
    int to, from;
    struct vb_addr at; /* where it listens */
};
extern struct peer_process peer;

/* In the peer there is no cmocka to catch a failed assertion. */
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            check_failed(#condition, __LINE__);                                                              \
    } while (0)

void check_failed(const char *what, int line);

/* ---- this side ---- */

#define until(condition)                                                                                     \
    do {                                                                                                     \
        const uint64_t deadline_ = pal_now_ns() + DEADLINE_NS;                                               \
        while (!(condition)) {                                                                               \
            (void)turn();                                                                                    \
            CHECK(pal_now_ns() < deadline_);                                                                 \
        }                                                                                                    \
    } while (0)

bool turn(void);        /* polls once; false: nothing completed */
void until_quiet(void); /* polls until nothing has completed for a while */
void post_receive(void);
/* One request for chunk sends % DEPTH of either memory. False: the queue is full. */
bool post_some(enum vb_wr_op op, uint32_t bytes);
bool post(enum vb_wr_op op); /* of CHUNK bytes */
uint8_t *in_chunk(uint64_t which);
void check(const uint8_t *p, uint64_t which, uint32_t bytes); /* holds what `which` was filled with */
void check_arrived(uint64_t which, uint32_t bytes);           /* for me.arrived */
struct vb_conn_params params(void);

/* ---- the peer ---- */

int setup(void **state);       /* a peer, connected */
int setup_hasty(void **state); /* with WSD_SOFTIWARP_DEAD_MS=1000 */
int teardown(void **state);
void order(char what, uint32_t count); /* see obey() in peer.c; one after the other */
void peer_is_done(void);               /* waits until it has done the next */
void stop_peer(void);
void wake_peer(void);
void kill_peer(void);

#endif
