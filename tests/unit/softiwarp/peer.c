/* peer.c - see peer.h. */
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pal/memory.h"

struct keys { /* what the two tell each other over a pipe */
    uint64_t addr;
    uint32_t key;
};

struct side me;
struct peer_process peer;

static bool is_peer;

void check_failed(const char *what, int line)
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

void check(const uint8_t *p, uint64_t which, uint32_t bytes)
{
    uint32_t i = 0;
    while (i < bytes && p[i] == byte_at(which, i))
        i++;
    CHECK(i == bytes);
}

uint8_t *in_chunk(uint64_t which)
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

void post_receive(void)
{
    struct vb_sge sge = {(uintptr_t)in_chunk(me.receives), CHUNK, vb_mr_lkey(me.mr)};
    struct vb_recv_wr wr = {.id = me.receives++, .sge = &sge, .sge_count = 1};
    CHECK(vb_post_recv(me.qp, &wr, NULL) == VB_OK);
}

bool post_some(enum vb_wr_op op, uint32_t bytes)
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

bool post(enum vb_wr_op op)
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

bool turn(void)
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
        CHECK(ev.kind == VB_CM_REQUEST || ev.kind == VB_CM_WITHDRAWN || ev.kind == VB_CM_ESTABLISHED ||
              ev.kind == VB_CM_DISCONNECTED);
        if (ev.kind == VB_CM_REQUEST)
            me.conn = ev.conn;
    }
    return moved > 0;
}

void until_quiet(void)
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

struct vb_conn_params params(void)
{
    return (struct vb_conn_params){.read_in = 4, .read_out = 4, .timeout_ms = 5000};
}

/* ---- the peer. An order is a letter and a number; see obey(). ---- */

struct order {
    char what;
    uint32_t count;
};

void check_arrived(uint64_t which, uint32_t bytes)
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

void order(char what, uint32_t count)
{
    const struct order o = {what, count};
    say(peer.to, &o, sizeof o);
}

void peer_is_done(void)
{
    struct pollfd said = {.fd = peer.from, .events = POLLIN};
    char ok;
    until(poll(&said, 1, 0) == 1);
    hear(peer.from, &ok, 1);
    assert_int_equal(ok, 'k');
}

void stop_peer(void)
{
    int status;
    assert_int_equal(kill(peer.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(peer.pid, &status, WUNTRACED), peer.pid);
    assert_true(WIFSTOPPED(status));
}

void wake_peer(void)
{
    assert_int_equal(kill(peer.pid, SIGCONT), 0);
}

void kill_peer(void)
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
    peer.at = to;
    assert_int_equal(vb_conn_create(me.cm, &here, NULL, &me.conn), VB_OK);
    assert_int_equal(vb_conn_bind_qp(me.conn, me.qp), VB_OK);
    assert_int_equal(vb_conn_connect(me.conn, &to, &p), VB_OK);
    until(me.is_established);
    exchange_keys(peer.to, peer.from);
    return 0;
}

int setup(void **state)
{
    (void)state;
    return setup_with("");
}

int setup_hasty(void **state)
{
    (void)state;
    return setup_with("1000");
}

int teardown(void **state)
{
    (void)state;
    kill_peer();
    if (me.be) {
        vb_qp_stop(me.qp);
        close_side();
    }
    return 0;
}
