/* test_peer.c - the peer is another process, and it is killed or stopped in the middle of things: what is pending comes back in
 * bounded time with the status that says so, and a peer that only slept has lost nothing when it goes on.
 * The peer is forked before anything is opened, and ends with the test program. Buffers of TCP are small, so that they are full
 * soon. WSD_SOFTIWARP_DEAD_MS is 1000 where a peer shall be given up, else as it is: a busy machine is no dead peer.
 * With --own-network: what needs the network that ../../support/own_network.sh makes. */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pal/memory.h"
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

struct keys { /* what the two tell each other over a pipe */
    uint64_t addr;
    uint32_t key;
};

static struct side me;
static struct {
    pid_t pid;
    int to, from;
} peer;

/* In the peer there is no cmocka to catch a failed assertion. */
static bool is_peer;
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            check_failed(#condition, __LINE__);                                                              \
    } while (0)

static void check_failed(const char *what, int line)
{
    if (!is_peer)
        fail_msg("line %d: %s", line, what);
    fprintf(stderr, "peer, line %d: %s\n", line, what);
    _exit(1);
}

/* ---- both sides ---- */

static uint8_t byte_at(uint64_t which, uint32_t at)
{
    return (uint8_t)(which * 131 + at * 7 + (at >> 8) * 13);
}

static void fill(uint8_t *p, uint64_t which, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        p[i] = byte_at(which, i);
}

static void check(const uint8_t *p, uint64_t which, uint32_t bytes)
{
    uint32_t i = 0;
    while (i < bytes && p[i] == byte_at(which, i))
        i++;
    CHECK(i == bytes);
}

static uint8_t *in_chunk(uint64_t which)
{
    return me.memory + which % DEPTH * CHUNK;
}

static uint8_t *out_chunk(uint64_t which)
{
    return me.memory + HALF + which % DEPTH * CHUNK;
}

static void open_side(void)
{
    char why[256];
    struct vb_addr here;
    struct vb_qp_caps caps = {.send_wr = DEPTH, .recv_wr = DEPTH, .send_sge = 1, .recv_sge = 1};
    const uint32_t access = VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE;
    memset(&me, 0, sizeof me);
    CHECK(vb_addr_parse("127.0.0.1", &here));
    CHECK(vb_open("softiwarp", &me.be, why, sizeof why) == VB_OK);
    CHECK(vb_dev_open(me.be, &here, &me.dev) == VB_OK && vb_pd_create(me.dev, &me.pd) == VB_OK);
    CHECK(vb_cm_create(me.be, &me.cm) == VB_OK);
    CHECK(vb_cq_create(me.dev, DEPTH, &me.send_cq) == VB_OK &&
          vb_cq_create(me.dev, DEPTH, &me.recv_cq) == VB_OK);
    CHECK(vb_qp_create(me.pd, me.send_cq, me.recv_cq, &caps, &me, &me.qp) == VB_OK);
    me.memory = pal_pages_alloc(MEMORY);
    CHECK(me.memory && vb_mr_reg(me.pd, me.memory, MEMORY, access, &me.mr) == VB_OK);
}

static void close_side(void)
{
    if (me.conn)
        vb_conn_destroy(me.conn);
    if (me.listener)
        vb_listener_destroy(me.listener);
    vb_qp_destroy(me.qp);
    vb_mr_dereg(me.mr);
    vb_cq_destroy(me.send_cq);
    vb_cq_destroy(me.recv_cq);
    vb_cm_destroy(me.cm);
    vb_pd_destroy(me.pd);
    vb_dev_close(me.dev);
    vb_close(me.be);
    pal_pages_free(me.memory, MEMORY);
    me.be = NULL;
}

static void post_receive(void)
{
    struct vb_sge sge = {(uintptr_t)in_chunk(me.receives), CHUNK, vb_mr_lkey(me.mr)};
    struct vb_recv_wr wr = {.id = me.receives++, .sge = &sge, .sge_count = 1};
    CHECK(vb_post_recv(me.qp, &wr, NULL) == VB_OK);
}

/* One request for chunk sends % DEPTH of either memory. False: the queue is full. */
static bool post_some(enum vb_wr_op op, uint32_t bytes)
{
    uint8_t *mine = op == VB_WR_READ ? in_chunk(me.sends) : out_chunk(me.sends);
    struct vb_sge sge = {(uintptr_t)mine, bytes, vb_mr_lkey(me.mr)};
    struct vb_send_wr wr = {
        .id = me.sends, .sge = &sge, .sge_count = 1, .op = (uint8_t)op, .flags = VB_WR_SIGNALED};
    if (me.sends - me.sends_over == DEPTH)
        return false;
    wr.u.rdma.rkey = me.peer_key; /* writes land in the peer's first half, reads fetch its second one */
    wr.u.rdma.remote_addr = me.peer_addr + (op == VB_WR_READ ? HALF : 0) + me.sends % DEPTH * CHUNK;
    if (op != VB_WR_READ)
        fill(mine, me.sends, bytes);
    CHECK(vb_post_send(me.qp, &wr, NULL) == VB_OK);
    me.sends++;
    return true;
}

static bool post(enum vb_wr_op op)
{
    return post_some(op, CHUNK);
}

/* Completions come in order, and nothing succeeds behind a failure. */
static void note(const struct vb_wc *wc, uint64_t *over, vb_status_t *first_failure)
{
    CHECK(wc->id == (*over)++);
    CHECK(wc->status == VB_OK ? *first_failure == VB_OK : true);
    if (*first_failure == VB_OK)
        *first_failure = wc->status;
    else
        CHECK(wc->status == VB_E_FLUSHED);
}

static bool turn(void)
{
    struct vb_wc wc[8];
    struct vb_cm_event ev;
    unsigned n = vb_cq_poll(me.send_cq, wc, 8), moved = n;
    for (unsigned i = 0; i < n; i++)
        note(&wc[i], &me.sends_over, &me.first_failure[0]);
    n = vb_cq_poll(me.recv_cq, wc, 8);
    moved += n;
    for (unsigned i = 0; i < n; i++) {
        note(&wc[i], &me.receives_over, &me.first_failure[1]);
        if (wc[i].status == VB_OK && me.arrived)
            me.arrived(wc[i].id, wc[i].bytes);
        if (wc[i].status == VB_OK && me.keeps_receives)
            post_receive();
    }
    while (vb_cm_poll(me.cm, &ev) == VB_OK) {
        me.is_established |= ev.kind == VB_CM_ESTABLISHED;
        me.is_disconnected |= ev.kind == VB_CM_DISCONNECTED;
        if (ev.kind == VB_CM_REQUEST)
            me.conn = ev.conn;
        else
            CHECK(ev.kind == VB_CM_ESTABLISHED || ev.kind == VB_CM_DISCONNECTED);
    }
    return moved > 0;
}

#define until(condition)                                                                                     \
    do {                                                                                                     \
        const uint64_t deadline_ = pal_now_ns() + DEADLINE_NS;                                               \
        while (!(condition)) {                                                                               \
            (void)turn();                                                                                    \
            CHECK(pal_now_ns() < deadline_);                                                                 \
        }                                                                                                    \
    } while (0)

static void until_quiet(void)
{
    for (uint64_t end = pal_now_ns() + QUIET_NS; pal_now_ns() < end;)
        if (turn())
            end = pal_now_ns() + QUIET_NS;
}

static void say(int fd, const void *bytes, size_t n)
{
    CHECK(write(fd, bytes, n) == (ssize_t)n);
}

static void hear(int fd, void *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        const ssize_t got = read(fd, (uint8_t *)bytes + at, n - at);
        CHECK(got > 0);
        at += (size_t)got;
    }
}

static void exchange_keys(int to, int from)
{
    struct keys k = {(uintptr_t)me.memory, vb_mr_rkey(me.mr)};
    say(to, &k, sizeof k);
    hear(from, &k, sizeof k);
    me.peer_addr = k.addr;
    me.peer_key = k.key;
}

static struct vb_conn_params params(void)
{
    return (struct vb_conn_params){.read_in = 4, .read_out = 4, .timeout_ms = 5000};
}

/* ---- the peer. An order is a letter and a number; see obey(). ---- */

struct order {
    char what;
    uint32_t count;
};

static void check_arrived(uint64_t which, uint32_t bytes)
{
    CHECK(bytes == CHUNK || bytes == SMALL);
    check(in_chunk(which), which, bytes);
}

static void obey(const struct order *o, int to)
{
    switch (o->what) {
    case 'n': /* nothing but serve the connection, for `count` ms; 0: for ever */
        for (const uint64_t end = pal_now_ns() + (uint64_t)o->count * 1000000;
             !o->count || pal_now_ns() < end;)
            (void)turn();
        break;
    case 's': /* send for ever */
    case 'w': /* write */
    case 'r': /* read */
        for (;;) {
            while (post(o->what == 's' ? VB_WR_SEND : o->what == 'w' ? VB_WR_WRITE : VB_WR_READ)) {
            }
            (void)turn();
        }
    case 'v': /* receive `count` messages and check every byte; 0: for ever */
        me.arrived = check_arrived;
        me.keeps_receives = true;
        while (me.receives - me.receives_over < DEPTH)
            post_receive();
        for (const uint64_t wanted = me.receives_over + o->count; !o->count || me.receives_over < wanted;)
            (void)turn();
        break;
    case 'f': /* send `count` messages */
        for (uint32_t i = 0; i < o->count; i++)
            until(post(VB_WR_SEND));
        until(me.sends_over == me.sends);
        break;
    case 'm': /* check what `count` writes have left in memory */
        for (uint64_t i = 0; i < o->count; i++)
            check(in_chunk(i), i, CHUNK);
        break;
    default: CHECK(false);
    }
    say(to, "k", 1);
}

static void peer_main(int to, int from)
{
    struct vb_addr at;
    struct order o;
    const struct vb_conn_params p = params();
    is_peer = true;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a stopped process would outlive a test that fails */
    open_side();
    CHECK(vb_addr_parse("127.0.0.1", &at));
    CHECK(vb_listen(me.cm, &at, 4, NULL, &me.listener) == VB_OK);
    vb_listener_addr(me.listener, &at);
    say(to, &at.port, sizeof at.port);
    until(me.conn);
    CHECK(vb_conn_bind_qp(me.conn, me.qp) == VB_OK);
    CHECK(vb_conn_accept(me.conn, &p) == VB_OK);
    until(me.is_established);
    exchange_keys(to, from);
    for (uint64_t i = 0; i < DEPTH; i++) /* what is read from here */
        fill(out_chunk(i), i, CHUNK);
    for (;;) {
        hear(from, &o, sizeof o);
        obey(&o, to);
    }
}

/* ---- this side ---- */

static void start_peer(void)
{
    int down[2], up[2];
    assert_int_equal(pipe(down), 0);
    assert_int_equal(pipe(up), 0);
    peer.pid = fork();
    assert_true(peer.pid >= 0);
    if (peer.pid == 0) {
        close(down[1]);
        close(up[0]);
        peer_main(up[1], down[0]);
    }
    close(down[0]);
    close(up[1]);
    peer.to = down[1];
    peer.from = up[0];
}

static void order(char what, uint32_t count)
{
    const struct order o = {what, count};
    say(peer.to, &o, sizeof o);
}

static void peer_is_done(void)
{
    struct pollfd said = {.fd = peer.from, .events = POLLIN};
    char ok;
    until(poll(&said, 1, 0) == 1);
    hear(peer.from, &ok, 1);
    assert_int_equal(ok, 'k');
}

static void stop_peer(void)
{
    int status;
    assert_int_equal(kill(peer.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(peer.pid, &status, WUNTRACED), peer.pid);
    assert_true(WIFSTOPPED(status));
}

static void wake_peer(void)
{
    assert_int_equal(kill(peer.pid, SIGCONT), 0);
}

static void kill_peer(void)
{
    int status;
    if (!peer.pid)
        return;
    (void)kill(peer.pid, SIGKILL);
    while (waitpid(peer.pid, &status, 0) < 0 && errno == EINTR) {
    }
    close(peer.to);
    close(peer.from);
    peer.pid = 0;
}

static int setup_with(const char *dead_ms)
{
    struct vb_addr here, to;
    const struct vb_conn_params p = params();
    setenv("WSD_SOFTIWARP_DEAD_MS", dead_ms, 1);
    start_peer();
    open_side();
    assert_true(vb_addr_parse("127.0.0.1", &here));
    to = here;
    hear(peer.from, &to.port, sizeof to.port);
    assert_int_equal(vb_conn_create(me.cm, &here, NULL, &me.conn), VB_OK);
    assert_int_equal(vb_conn_bind_qp(me.conn, me.qp), VB_OK);
    assert_int_equal(vb_conn_connect(me.conn, &to, &p), VB_OK);
    until(me.is_established);
    exchange_keys(peer.to, peer.from);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with("");
}

static int setup_hasty(void **state)
{
    (void)state;
    return setup_with("1000");
}

static int teardown(void **state)
{
    (void)state;
    kill_peer();
    if (me.be) {
        vb_qp_stop(me.qp);
        close_side();
    }
    return 0;
}

/* The end was noticed; then everything that was out is back. Receives come back when their owner stops. */
static void expect_end(vb_status_t of_sends)
{
    until(me.is_disconnected);
    vb_qp_stop(me.qp);
    until(me.sends_over == me.sends && me.receives_over == me.receives);
    if (me.first_failure[0] != of_sends && me.first_failure[0] != VB_OK)
        fail_msg("requests failed with %s, expected %s", vb_status_name(me.first_failure[0]),
                 vb_status_name(of_sends));
    assert_true(me.first_failure[1] == VB_OK || me.first_failure[1] == VB_E_FLUSHED);
}

/* ---- killed ---- */

static const struct {
    const char *what;
    char of_peer;
    enum vb_wr_op ours;
    bool has_ours, receives;
} kills[] = {
    {"it sends", 's', VB_WR_SEND, false, true},         {"we send, it takes", 'v', VB_WR_SEND, true, true},
    {"we send, it waits", 'n', VB_WR_SEND, true, true}, {"it writes", 'w', VB_WR_SEND, false, true},
    {"we write", 'n', VB_WR_WRITE, true, true},         {"it reads", 'r', VB_WR_SEND, false, true},
    {"we read", 'n', VB_WR_READ, true, true},           {"both send", 's', VB_WR_SEND, true, true},
    {"both write", 'w', VB_WR_WRITE, true, true},       {"both read", 'r', VB_WR_READ, true, true},
};

static void run_kill(size_t i, bool is_stopped_first)
{
    const uint64_t run_ns = 30000000;
    print_message("           %s%s\n", kills[i].what, is_stopped_first ? ", stopped first" : "");
    me.arrived = check_arrived; /* what comes is whole, to the end */
    me.keeps_receives = true;
    for (unsigned n = 0; n < DEPTH; n++)
        post_receive();
    order(kills[i].of_peer, 0);
    for (const uint64_t end = pal_now_ns() + run_ns; pal_now_ns() < end;) {
        while (kills[i].has_ours && post(kills[i].ours)) {
        }
        (void)turn();
    }
    if (is_stopped_first) {
        stop_peer();
        while (kills[i].has_ours && post(kills[i].ours)) {
        }
        until_quiet();
        while (kills[i].has_ours && post(kills[i].ours)) {
        }
        assert_true(!kills[i].has_ours || me.sends > me.sends_over); /* in the middle of it, for sure */
    }
    kill_peer();
    me.keeps_receives = false;
    expect_end(VB_E_FLUSHED);
}

static void a_killed_peer_fails_what_is_pending_whatever_that_is(void **state)
{
    for (size_t i = 0; i < 2 * sizeof kills / sizeof *kills; i++) {
        run_kill(i / 2, i % 2 != 0);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

/* ---- stopped for a while ---- */

static void sends_wait_for_a_stopped_peer_and_all_arrive(void **state)
{
    (void)state;
    order('v', 3 * DEPTH);
    stop_peer();
    while (post(VB_WR_SEND)) {
    }
    until_quiet();
    assert_true(me.sends_over < DEPTH); /* TCP's buffers are full */
    wake_peer();
    while (me.sends < (uint64_t)3 * DEPTH)
        until(post(VB_WR_SEND));
    until(me.sends_over == me.sends);
    peer_is_done();
    assert_false(me.is_disconnected);
}

static void writes_wait_for_a_stopped_peer_and_all_are_in_place(void **state)
{
    (void)state;
    stop_peer();
    while (post(VB_WR_WRITE)) {
    }
    until_quiet();
    assert_true(me.sends_over < DEPTH);
    order('v', 1); /* the message behind them says that they are there */
    order('m', DEPTH);
    wake_peer();
    until(post(VB_WR_SEND));
    until(me.sends_over == me.sends);
    assert_int_equal(me.first_failure[0], VB_OK);
    kill_peer(); /* its check of the message fails, which is another one's */
}

static void reads_wait_for_a_stopped_peer_and_fetch_all(void **state)
{
    (void)state;
    order('n', 0);
    stop_peer();
    while (post(VB_WR_READ)) {
    }
    until_quiet();
    assert_int_equal(me.sends_over, 0);
    wake_peer();
    until(me.sends_over == DEPTH);
    for (uint64_t i = 0; i < DEPTH; i++)
        check(in_chunk(i), i, CHUNK);
}

/* Ours sleeps as well: it takes nothing off the stream until it looks again. */
static void what_a_peer_sent_before_it_was_stopped_arrives(void **state)
{
    (void)state;
    order('f', DEPTH / 2);
    pal_sleep_ms(50);
    stop_peer();
    me.arrived = check_arrived;
    for (unsigned i = 0; i < DEPTH; i++)
        post_receive();
    until_quiet();
    assert_true(me.receives_over < DEPTH / 2);
    wake_peer();
    until(me.receives_over == DEPTH / 2);
}

/* ---- stopped for too long ---- */

static void sends_to_a_peer_that_takes_nothing_fail_in_the_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DEPTH; i++)
        post_receive();
    stop_peer();
    while (post(VB_WR_SEND)) {
    }
    expect_end(VB_E_RETRY);
    assert_int_equal(me.first_failure[0], VB_E_RETRY);
}

static void writes_and_reads_behind_them_fail_too(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DEPTH; i++)
        post_receive();
    stop_peer();
    while (post(me.sends < DEPTH / 2 ? VB_WR_WRITE : VB_WR_READ)) {
    }
    expect_end(VB_E_RETRY);
    assert_int_equal(me.first_failure[0], VB_E_RETRY);
}

/* The peer's TCP has acknowledged the request: nobody but us can know that it is not answered. */
static void a_read_that_is_not_answered_fails_in_the_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DEPTH; i++)
        post_receive();
    stop_peer();
    assert_true(post(VB_WR_READ));
    expect_end(VB_E_RETRY);
    assert_int_equal(me.first_failure[0], VB_E_RETRY);
}

/* TCP answers for it, and it owes us nothing. */
static void a_connection_where_nothing_is_due_outlives_any_stop(void **state)
{
    (void)state;
    order('v', 2);
    stop_peer();
    assert_true(post_some(VB_WR_SEND, SMALL));
    for (const uint64_t end = pal_now_ns() + 3000000000ull; pal_now_ns() < end;) {
        (void)turn();
        pal_sleep_ms(1);
    }
    assert_false(me.is_disconnected);
    wake_peer();
    until(post_some(VB_WR_SEND, SMALL));
    peer_is_done();
    until(me.sends_over == me.sends);
    assert_int_equal(me.first_failure[0], VB_OK);
}

/* ---- awake, but it posts no receive ---- */

static void a_receiver_that_never_posts_is_given_up_in_the_end(void **state)
{
    (void)state;
    order('n', 0);
    while (post(VB_WR_SEND)) {
    }
    expect_end(VB_E_RETRY);
    assert_int_equal(me.first_failure[0], VB_E_RETRY);
}

/* Its TCP cannot tell it while it takes nothing: its own time does. */
static void a_receiver_that_never_posts_hears_that_the_sender_has_closed(void **state)
{
    (void)state;
    order('f', DEPTH); /* this side is the receiver */
    until_quiet();
    kill_peer();
    until(me.is_disconnected);
    vb_qp_stop(me.qp);
}

static void a_message_that_waits_for_a_receive_is_not_given_up(void **state)
{
    (void)state;
    order('n', 3000);
    assert_true(post_some(VB_WR_SEND, SMALL));
    assert_true(post_some(VB_WR_SEND, SMALL));
    peer_is_done();
    order('v', 2);
    peer_is_done();
    until(me.sends_over == me.sends);
}

/* ---- the wire is cut, in a network of its own ---- */

static void set_wire(bool is_whole)
{
    struct ifreq r = {.ifr_name = "lo"};
    const int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(s >= 0 && ioctl(s, SIOCGIFFLAGS, &r) == 0);
    r.ifr_flags = (short)(is_whole ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
    assert_int_equal(ioctl(s, SIOCSIFFLAGS, &r), 0);
    close(s);
}

static int teardown_wire(void **state)
{
    set_wire(true);
    return teardown(state);
}

static void a_cut_wire_fails_what_is_pending(void **state)
{
    (void)state;
    order('n', 0);
    for (unsigned i = 0; i < DEPTH; i++)
        post_receive();
    set_wire(false);
    while (post(me.sends % 2 ? VB_WR_READ : VB_WR_WRITE)) {
    }
    expect_end(VB_E_RETRY);
    assert_int_equal(me.first_failure[0], VB_E_RETRY);
}

static void a_cut_wire_is_noticed_while_nothing_is_due(void **state)
{
    (void)state;
    order('n', 0);
    for (unsigned i = 0; i < DEPTH; i++)
        post_receive();
    set_wire(false);
    expect_end(VB_OK);
}

static void a_wire_that_is_mended_in_time_has_lost_nothing(void **state)
{
    (void)state;
    order('v', DEPTH);
    set_wire(false);
    while (post(VB_WR_SEND)) {
    }
    until_quiet();
    assert_true(me.sends_over < DEPTH);
    set_wire(true);
    peer_is_done();
    until(me.sends_over == me.sends);
    assert_int_equal(me.first_failure[0], VB_OK);
}

#define TEST(f)       cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_HASTY(f) cmocka_unit_test_setup_teardown(f, setup_hasty, teardown)
#define TEST_CUT(f)   cmocka_unit_test_setup_teardown(f, setup_hasty, teardown_wire)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_killed_peer_fails_what_is_pending_whatever_that_is),
        TEST(sends_wait_for_a_stopped_peer_and_all_arrive),
        TEST(writes_wait_for_a_stopped_peer_and_all_are_in_place),
        TEST(reads_wait_for_a_stopped_peer_and_fetch_all),
        TEST(what_a_peer_sent_before_it_was_stopped_arrives),
        TEST_HASTY(sends_to_a_peer_that_takes_nothing_fail_in_the_end),
        TEST_HASTY(writes_and_reads_behind_them_fail_too),
        TEST_HASTY(a_read_that_is_not_answered_fails_in_the_end),
        TEST_HASTY(a_connection_where_nothing_is_due_outlives_any_stop),
        TEST_HASTY(a_receiver_that_never_posts_is_given_up_in_the_end),
        TEST_HASTY(a_receiver_that_never_posts_hears_that_the_sender_has_closed),
        TEST_HASTY(a_message_that_waits_for_a_receive_is_not_given_up),
    };
    const struct CMUnitTest own_network[] = {
        TEST_CUT(a_cut_wire_fails_what_is_pending),
        TEST_CUT(a_cut_wire_is_noticed_while_nothing_is_due),
        cmocka_unit_test_setup_teardown(a_wire_that_is_mended_in_time_has_lost_nothing, setup, teardown_wire),
    };
    setenv("WSD_SOFTIWARP_SNDBUF", "65536", 1);
    setenv("WSD_SOFTIWARP_RCVBUF", "65536", 1);
    setenv("WSD_SOFTIWARP_LOOPBACK", "on", 1);
    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && strcmp(argv[1], "--own-network") == 0)
        return cmocka_run_group_tests_name("peer", own_network, NULL, NULL);
    return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
