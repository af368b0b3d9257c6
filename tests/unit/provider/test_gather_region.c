/* test_gather_region.c - local registrations of a channel, and how the switch's buffer lists become lists of
 * registered pieces (4.10, 6.2, 6.3, 6.6, Q7, Q11). Most of it needs a channel without a peer; the last part
 * moves real messages between two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/chan.h"
#include "data/device.h"
#include "data/gather.h"
#include "data/region.h"
#include "data/xfer.h"
#include "loop_backend.h"
#include "pal/memory.h"
#include "pal/time.h"

enum { ROOM = 64 * 1024, PATIENCE = 20000 /* ms */, PORT = 7000 };

struct fixture {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct wsd_device *device;
    struct wsd_config config;
    struct wsd_chan *c;
    uint8_t *mem;
    struct wsd_op *op; /* the operation that a test gathers into */
    unsigned idle, failed, disposals;
};

static struct fixture f;

/* ---- a channel without a peer ---- */

static void on_failed(void *owner)
{
    ((struct fixture *)owner)->failed++;
}

static void on_idle(void *owner)
{
    ((struct fixture *)owner)->idle++;
}

static void on_dispose(void *owner)
{
    ((struct fixture *)owner)->disposals++;
}

static const struct wsd_chan_up up = {on_failed, on_idle, on_dispose};

static int open_device(void **state)
{
    (void)state;
    char why[256];
    struct vb_addr local;
    if (loop_backend_register() != VB_OK || vb_open("loop", &f.be, why, sizeof why) != VB_OK)
        return -1;
    wsd_config_load(&f.config);
    f.config.mr_watch = 0; /* what is given back is counted at once */
    f.mem = pal_pages_alloc(ROOM);
    if (!f.mem || !vb_addr_parse("10.77.0.1", &local) || vb_dev_open(f.be, &local, &f.dev) != VB_OK)
        return -1;
    return wsd_device_create(f.dev, &f.config, false, &f.device) == VB_OK ? 0 : -1;
}

static int close_device(void **state)
{
    (void)state;
    wsd_device_destroy(f.device);
    vb_close(f.be);
    pal_pages_free(f.mem, ROOM);
    return loop_nothing_alive() ? 0 : -1;
}

static uint32_t live_registrations(void)
{
    struct loop_counts c;
    loop_get_counts(&c);
    return c.mrs;
}

static struct wsd_chan *new_chan(void)
{
    struct wsd_chan *c = NULL;
    assert_int_equal(wsd_chan_create(f.device, &up, &f, &c), VB_OK);
    return c;
}

/* The order of the socket layer: break, close, drain, release, free. */
static void end_chan(struct wsd_chan *c)
{
    (void)wsd_chan_break(c, WSA_OPERATION_ABORTED);
    vb_qp_stop(c->qp);
    assert_true(wsd_chan_drain(c, pal_now_ns() + PATIENCE * 1000000ull));
    wsd_chan_close(c);
    wsd_chan_release(c);
    wsd_chan_free(c);
}

static int setup(void **state)
{
    (void)state;
    f.idle = f.failed = f.disposals = 0;
    f.c = new_chan();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    end_chan(f.c);
    return f.idle == 1 && live_registrations() == 0 ? 0 : -1;
}

static struct wsd_region *reg(struct wsd_chan *c, size_t at, uint32_t bytes, uint32_t flags)
{
    struct wsd_region *r = NULL;
    assert_int_equal(wsd_region_register(c, f.mem + at, bytes, flags, &r), 0);
    return r;
}

static struct wsd_region *find(size_t at, uint32_t right)
{
    struct wsd_queue *q = right == MEM_WRITE ? &f.c->rq : &f.c->sq;
    pal_lock_take(&q->lock);
    struct wsd_region *r = wsd_region_find_locked(f.c, q, (uintptr_t)f.mem + at, right);
    pal_lock_give(&q->lock);
    return r;
}

static WSABUF buf(size_t at, uint32_t bytes)
{
    return (WSABUF){.len = bytes, .buf = (CHAR *)f.mem + at};
}

static WSABUFEX bufex(size_t at, uint32_t bytes, HANDLE handle)
{
    return (WSABUFEX){.len = bytes, .buf = (CHAR *)f.mem + at, .handle = handle};
}

static struct wsd_queue *queue_of(enum wsd_op_kind kind)
{
    return kind == WSD_OP_RECV ? &f.c->rq : &f.c->sq;
}

static void begin(enum wsd_op_kind kind)
{
    struct wsd_queue *q = queue_of(kind);
    pal_lock_take(&q->lock);
    f.op = wsd_op_alloc_locked(f.c, q);
    assert_non_null(f.op);
    f.op->kind = (uint8_t)kind;
    pal_lock_give(&q->lock);
}

static int gather(enum wsd_op_kind kind, const WSABUF *bufs, uint32_t count)
{
    struct wsd_queue *q = queue_of(kind);
    begin(kind);
    pal_lock_take(&q->lock);
    int error = wsd_gather_locked(f.c, q, f.op, bufs, count, kind == WSD_OP_RECV ? MEM_WRITE : MEM_READ);
    pal_lock_give(&q->lock);
    return error;
}

static int gather_ex(enum wsd_op_kind kind, const WSABUFEX *bufs, uint32_t count)
{
    begin(kind);
    pal_lock_take(&f.c->sq.lock);
    int error = wsd_gather_ex_locked(f.c, f.op, bufs, count, kind == WSD_OP_READ ? MEM_WRITE : MEM_READ);
    pal_lock_give(&f.c->sq.lock);
    return error;
}

/* As a submission does that goes no further. */
static void undo(void)
{
    struct wsd_queue *q = queue_of((enum wsd_op_kind)f.op->kind);
    pal_lock_take(&q->lock);
    wsd_gather_undo_locked(f.op);
    assert_int_equal(f.op->sge_count, 0);
    wsd_op_free_locked(q, f.op);
    pal_lock_give(&q->lock);
}

static void assert_piece(unsigned i, size_t at, uint32_t bytes, const struct wsd_region *r)
{
    const struct vb_sge *sge = &wsd_op_sge(f.op)[i];
    assert_int_equal(sge->addr, (uintptr_t)f.mem + at);
    assert_int_equal(sge->bytes, bytes);
    assert_int_equal(sge->lkey, r->lkey);
    assert_ptr_equal(wsd_op_regions(f.op)[i], r);
}

/* ---- finding ---- */

static void an_address_is_found_from_the_first_byte_of_a_registration_to_its_last(void **state)
{
    (void)state;
    struct wsd_region *r = reg(f.c, 100, 50, MEM_READWRITE);
    for (unsigned right = MEM_READ; right <= MEM_WRITE; right++) {
        assert_null(find(99, right));
        assert_ptr_equal(find(100, right), r);
        assert_ptr_equal(find(149, right), r);
        assert_null(find(150, right)); /* also right after a hit */
    }
    assert_int_equal(wsd_region_deregister(f.c, r), 0);
}

static void memory_that_the_device_may_only_read_is_no_place_to_receive_into(void **state)
{
    (void)state;
    struct wsd_region *r = reg(f.c, 0, 100, MEM_READ), *w = reg(f.c, 200, 100, MEM_WRITE);
    assert_ptr_equal(find(0, MEM_READ), r);
    assert_null(find(0, MEM_WRITE));
    assert_ptr_equal(find(200, MEM_WRITE), w);
    assert_ptr_equal(find(200, MEM_READ), w); /* reading by the device is always allowed (Q7) */
    WSABUF into = buf(0, 10);
    assert_int_equal(gather(WSD_OP_RECV, &into, 1), WSAEFAULT);
    undo();
}

static void a_read_only_registration_does_not_hide_a_writable_one_of_the_same_memory(void **state)
{
    (void)state;
    struct wsd_region *r = reg(f.c, 0, 100, MEM_READ), *w = reg(f.c, 50, 100, MEM_WRITE);
    assert_ptr_equal(find(60, MEM_WRITE), w);
    assert_ptr_equal(find(10, MEM_READ), r);
    assert_null(find(10, MEM_WRITE));
    assert_ptr_equal(find(60, MEM_WRITE), w);
}

static void a_deregistered_region_is_not_found_although_it_was_the_last_hit(void **state)
{
    (void)state;
    struct wsd_region *r = reg(f.c, 0, 100, MEM_READWRITE);
    assert_ptr_equal(find(5, MEM_READ), r);
    assert_ptr_equal(find(5, MEM_WRITE), r);
    assert_int_equal(wsd_region_deregister(f.c, r), 0);
    assert_null(find(5, MEM_READ));
    assert_null(find(5, MEM_WRITE));
}

static void many_registrations_are_all_found_in_any_order_of_giving_back(void **state)
{
    (void)state;
    enum { MANY = 100, BYTES = 64 };
    struct wsd_region *r[MANY];
    for (unsigned i = 0; i < MANY; i++)
        r[i] = reg(f.c, i * BYTES, BYTES, MEM_READWRITE);
    for (unsigned gone = 0; gone < MANY; gone++) {
        unsigned which = gone * 37 % MANY; /* every one once, in no order */
        assert_int_equal(wsd_region_deregister(f.c, r[which]), 0);
        r[which] = NULL;
        for (unsigned i = 0; i < MANY; i += 7)
            assert_ptr_equal(find(i * BYTES + 1, MEM_READ), r[i]);
    }
    assert_int_equal(live_registrations(), 0);
}

/* ---- lists of bare addresses: WSPSend and WSPRecv ---- */

static void a_piece_that_crosses_registrations_is_split_where_they_meet(void **state)
{
    (void)state;
    struct wsd_region *a = reg(f.c, 0, 100, MEM_READWRITE), *b = reg(f.c, 100, 7, MEM_READWRITE),
                      *c = reg(f.c, 107, 500, MEM_READWRITE);
    WSABUF piece = buf(90, 40);
    for (int kind = WSD_OP_SEND; kind <= WSD_OP_RECV; kind += WSD_OP_RECV - WSD_OP_SEND) {
        assert_int_equal(gather((enum wsd_op_kind)kind, &piece, 1), 0);
        assert_int_equal(f.op->sge_count, 3);
        assert_piece(0, 90, 10, a);
        assert_piece(1, 100, 7, b);
        assert_piece(2, 107, 23, c);
        undo();
    }
    piece = buf(0, 100); /* up to the border needs no split */
    assert_int_equal(gather(WSD_OP_SEND, &piece, 1), 0);
    assert_int_equal(f.op->sge_count, 1);
    undo();
}

static void a_piece_that_leaves_registered_memory_is_refused_and_holds_nothing(void **state)
{
    (void)state;
    struct wsd_region *a = reg(f.c, 100, 100, MEM_READWRITE), *b = reg(f.c, 201, 99, MEM_READWRITE);
    const WSABUF bad[] = {buf(99, 2), buf(199, 2), buf(150, 100), buf(290, 11), buf(400, 1)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const WSABUF list[] = {buf(100, 10), bad[i]}; /* a good piece before it */
        assert_int_equal(gather(WSD_OP_SEND, list, 2), WSAEFAULT);
        undo();
        assert_true(a->uses[0] == 0 && b->uses[0] == 0);
    }
    WSABUF around_the_world = {.len = UINT32_MAX, .buf = (CHAR *)(UINTPTR_MAX - 100)};
    assert_int_equal(gather(WSD_OP_SEND, &around_the_world, 1), WSAEFAULT);
    undo();
    WSABUF nowhere = {.len = 1, .buf = NULL};
    assert_int_equal(gather(WSD_OP_SEND, &nowhere, 1), WSAEFAULT);
    undo();
}

static void empty_pieces_and_empty_lists_give_a_message_of_nothing_wherever_they_point(void **state)
{
    (void)state;
    const WSABUF list[] = {buf(0, 0), {.len = 0, .buf = NULL}, {.len = 0, .buf = (CHAR *)UINTPTR_MAX}};
    assert_int_equal(gather(WSD_OP_SEND, list, 3), 0);
    assert_int_equal(f.op->sge_count, 0);
    undo();
    assert_int_equal(gather(WSD_OP_RECV, NULL, 0), 0);
    assert_int_equal(f.op->sge_count, 0);
    undo();
}

static void long_lists_keep_their_order(void **state)
{
    (void)state;
    enum { PIECES = 200 };
    struct wsd_region *r = reg(f.c, 0, ROOM, MEM_READWRITE);
    WSABUF list[PIECES];
    for (int again = 0; again < 2; again++) { /* the second time from what the first one left for reuse */
        for (unsigned i = 0; i < PIECES; i++)
            list[i] = buf((PIECES - i) * 100, i % 90 + 1);
        assert_int_equal(gather(WSD_OP_SEND, list, PIECES), 0);
        assert_int_equal(f.op->sge_count, PIECES);
        for (unsigned i = 0; i < PIECES; i++)
            assert_piece(i, (PIECES - i) * 100, i % 90 + 1, r);
        assert_int_equal(r->uses[0], PIECES);
        undo();
        assert_int_equal(r->uses[0], 0);
    }
}

/* ---- lists with handles: WSPRdmaRead and WSPRdmaWrite ---- */

static void a_piece_must_lie_inside_the_registration_that_it_names(void **state)
{
    (void)state;
    struct wsd_region *a = reg(f.c, 100, 100, MEM_READWRITE), *b = reg(f.c, 200, 100, MEM_READWRITE);
    const WSABUFEX good[] = {bufex(100, 100, a), bufex(299, 1, b), bufex(150, 1, a)};
    assert_int_equal(gather_ex(WSD_OP_WRITE, good, 3), 0);
    assert_int_equal(f.op->sge_count, 3);
    assert_piece(0, 100, 100, a);
    assert_piece(1, 299, 1, b);
    assert_piece(2, 150, 1, a);
    assert_int_equal(a->uses[0], 2);
    undo();
    const WSABUFEX bad[] = {bufex(99, 2, a),   bufex(199, 2, a),
                            bufex(200, 1, a),  bufex(199, 1, b),
                            bufex(0, ROOM, a), {.len = 200, .buf = (CHAR *)(UINTPTR_MAX - 100), .handle = a}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const WSABUFEX list[] = {bufex(100, 1, a), bad[i]};
        assert_int_equal(gather_ex(WSD_OP_WRITE, list, 2), WSAEINVAL);
        undo();
        assert_true(a->uses[0] == 0 && b->uses[0] == 0);
    }
}

static void handles_that_are_not_of_this_socket_are_refused_without_being_looked_into(void **state)
{
    (void)state;
    struct wsd_chan *other = new_chan();
    struct wsd_region *mine = reg(f.c, 0, 100, MEM_READWRITE), *theirs = reg(other, 0, 100, MEM_READWRITE);
    const HANDLE bad[] = {theirs, NULL, INVALID_HANDLE_VALUE, (HANDLE)8, f.mem, (HANDLE)((char *)mine + 8)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        WSABUFEX piece = bufex(0, 10, bad[i]);
        assert_int_equal(gather_ex(WSD_OP_WRITE, &piece, 1), WSAEINVAL);
        undo();
        assert_int_equal(wsd_region_deregister(f.c, bad[i]), WSAEINVAL);
    }
    WSABUFEX nothing = bufex(0, 0, (HANDLE)8); /* an empty piece names nothing */
    assert_int_equal(gather_ex(WSD_OP_WRITE, &nothing, 1), 0);
    undo();
    assert_int_equal(wsd_region_deregister(f.c, mine), 0);
    assert_int_equal(wsd_region_deregister(f.c, mine), WSAEINVAL); /* twice */
    end_chan(other);
    f.idle--;
}

static void the_target_of_an_rdma_read_must_be_writable(void **state)
{
    (void)state;
    struct wsd_region *r = reg(f.c, 0, 100, MEM_READ), *w = reg(f.c, 100, 100, MEM_WRITE);
    WSABUFEX piece = bufex(0, 10, r);
    assert_int_equal(gather_ex(WSD_OP_READ, &piece, 1), WSAEFAULT);
    undo();
    assert_int_equal(gather_ex(WSD_OP_WRITE, &piece, 1), 0);
    undo();
    piece = bufex(100, 10, w);
    assert_int_equal(gather_ex(WSD_OP_READ, &piece, 1), 0);
    undo();
}

/* ---- giving back ---- */

static void memory_in_use_by_an_operation_cannot_be_deregistered(void **state)
{
    (void)state;
    static const enum wsd_op_kind kinds[] = {WSD_OP_SEND, WSD_OP_RECV};
    struct wsd_region *r = reg(f.c, 0, 100, MEM_READWRITE);
    for (size_t k = 0; k < 2; k++) {
        const WSABUF list[] = {buf(0, 10), buf(50, 10)};
        assert_int_equal(gather(kinds[k], list, 2), 0);
        assert_int_equal(wsd_region_deregister(f.c, r), WSAEINVAL);
        assert_ptr_equal(find(0, MEM_READ), r); /* and stays usable */
        undo();
    }
    WSABUFEX piece = bufex(0, 10, r);
    assert_int_equal(gather_ex(WSD_OP_READ, &piece, 1), 0);
    assert_int_equal(wsd_region_deregister(f.c, r), WSAEINVAL);
    undo();
    assert_int_equal(wsd_region_deregister(f.c, r), 0);
}

static void the_same_memory_may_be_registered_again_and_each_handle_counts_alone(void **state)
{
    (void)state;
    struct wsd_region *a = reg(f.c, 0, 100, MEM_READWRITE), *b = reg(f.c, 0, 100, MEM_READWRITE);
    assert_ptr_not_equal(a, b);
    WSABUFEX piece = bufex(0, 10, a);
    assert_int_equal(gather_ex(WSD_OP_WRITE, &piece, 1), 0);
    assert_int_equal(wsd_region_deregister(f.c, b), 0);
    assert_int_equal(wsd_region_deregister(f.c, a), WSAEINVAL);
    undo();
    assert_int_equal(wsd_region_deregister(f.c, a), 0);
}

static void a_dead_connection_takes_no_registrations_and_gives_the_old_ones_back(void **state)
{
    (void)state;
    struct wsd_region *early = reg(f.c, 0, 100, MEM_READWRITE), *none = NULL;
    (void)wsd_chan_break(f.c, WSAECONNRESET);
    assert_int_equal(wsd_region_register(f.c, f.mem + 200, 100, MEM_READ, &none), WSAENOTCONN);
    assert_null(none);
    assert_int_equal(live_registrations(), 1);
    assert_int_equal(wsd_region_deregister(f.c, early), 0);
    assert_int_equal(live_registrations(), 0);
}

static void what_the_switch_forgets_to_deregister_goes_with_the_channel(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        (void)reg(f.c, i * 100, 100, MEM_READWRITE);
    assert_int_equal(live_registrations(), 20); /* the teardown looks for what is left */
}

/* ---- two connected channels ---- */

struct pair {
    struct vb_cm *cm;
    struct vb_listener *listener;
    struct vb_conn *active, *passive;
    struct wsd_chan *from, *to;
};

static struct vb_cm_event await(struct vb_cm *cm, enum vb_cm_event_kind kind)
{
    struct vb_cm_event ev = {.kind = VB_CM_REQUEST};
    vb_status_t st;
    uint64_t deadline = pal_now_ns() + PATIENCE * 1000000ull;
    do {
        pal_waitable w = vb_cm_waitable(cm);
        st = vb_cm_poll(cm, &ev);
        if (st == VB_E_AGAIN)
            (void)pal_wait(&w, 1, 50);
    } while ((st == VB_E_AGAIN || ev.kind != kind) && pal_now_ns() < deadline);
    assert_int_equal(st, VB_OK);
    assert_int_equal(ev.kind, kind);
    return ev;
}

static void connect_pair(struct pair *p)
{
    struct vb_addr local, remote;
    struct vb_conn_params params = {.timeout_ms = PATIENCE};
    assert_true(vb_addr_parse("10.77.0.1", &local) && vb_addr_parse("10.77.0.2:7000", &remote));
    p->from = new_chan();
    p->to = new_chan();
    assert_int_equal(vb_cm_create(f.be, &p->cm), VB_OK);
    assert_int_equal(vb_listen(p->cm, &remote, 1, NULL, &p->listener), VB_OK);
    assert_int_equal(vb_conn_create(p->cm, &local, NULL, &p->active), VB_OK);
    assert_int_equal(vb_conn_bind_qp(p->active, p->from->qp), VB_OK);
    assert_int_equal(vb_conn_connect(p->active, &remote, &params), VB_OK);
    p->passive = await(p->cm, VB_CM_REQUEST).conn;
    assert_int_equal(vb_conn_bind_qp(p->passive, p->to->qp), VB_OK);
    assert_int_equal(vb_conn_accept(p->passive, &params), VB_OK);
    (void)await(p->cm, VB_CM_ESTABLISHED);
    wsd_chan_open(p->from, 1, 1, 1, 2, 8);
    wsd_chan_open(p->to, 1, 2, 2, 1, 8);
}

static void disconnect_pair(struct pair *p)
{
    vb_conn_disconnect(p->active);
    vb_conn_disconnect(p->passive);
    end_chan(p->from);
    end_chan(p->to);
    vb_conn_destroy(p->active);
    vb_conn_destroy(p->passive);
    vb_listener_destroy(p->listener);
    vb_cm_destroy(p->cm);
    f.idle -= 2;
}

static bool is_over(const WSAOVERLAPPED *ov)
{
    return __atomic_load_n(&ov->Internal, __ATOMIC_ACQUIRE) != WSS_OPERATION_IN_PROGRESS;
}

/* Polled operations: nobody is told, the result appears. */
static void finish(struct wsd_chan *c, const WSAOVERLAPPED *ov, uint32_t bytes)
{
    uint64_t deadline = pal_now_ns() + PATIENCE * 1000000ull;
    while (!is_over(ov) && pal_now_ns() < deadline)
        if (!wsd_shard_harvest(c->shard, true))
            pal_thread_yield();
    assert_true(is_over(ov));
    assert_int_equal(ov->OffsetHigh, 0);
    assert_int_equal(ov->InternalHigh, bytes);
}

static WSAOVERLAPPED polled(void)
{
    return (WSAOVERLAPPED){.hEvent = (HANDLE)1};
}

static void fill(size_t at, uint32_t bytes, unsigned seed)
{
    for (uint32_t i = 0; i < bytes; i++)
        f.mem[at + i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

static void a_message_crosses_borders_of_registrations_at_both_ends_and_arrives_whole(void **state)
{
    (void)state;
    enum { BYTES = 5000, HERE = 0, THERE = 20000 };
    static const uint32_t borders[] = {1, 999, 2048, 4999};
    struct pair p;
    connect_pair(&p);
    fill(HERE, BYTES, 3);
    for (unsigned i = 0; i <= 4; i++) { /* five registrations here, two there, with other borders */
        uint32_t from = i ? borders[i - 1] : 0, to = i < 4 ? borders[i] : BYTES;
        (void)reg(p.from, HERE + from, to - from, MEM_READ);
    }
    (void)reg(p.to, THERE, 1234, MEM_WRITE);
    (void)reg(p.to, THERE + 1234, BYTES - 1234, MEM_WRITE);
    WSAOVERLAPPED in = polled(), out = polled();
    WSABUF into = buf(THERE, BYTES), from = buf(HERE, BYTES);
    assert_int_equal(wsd_xfer_recv(p.to, &into, 1, &in), 0);
    assert_int_equal(wsd_xfer_send(p.from, &from, 1, &out), 0);
    finish(p.from, &out, BYTES);
    finish(p.to, &in, BYTES);
    assert_memory_equal(f.mem + HERE, f.mem + THERE, BYTES);
    disconnect_pair(&p);
}

static void a_posted_receive_holds_its_memory_until_the_message_has_come(void **state)
{
    (void)state;
    struct pair p;
    connect_pair(&p);
    struct wsd_region *target = reg(p.to, 0, 1000, MEM_WRITE), *source = reg(p.from, 2000, 1000, MEM_READ);
    WSAOVERLAPPED in = polled(), out = polled();
    WSABUF into = buf(0, 1000), from = buf(2000, 10);
    assert_int_equal(wsd_xfer_recv(p.to, &into, 1, &in), 0);
    assert_int_equal(wsd_region_deregister(p.to, target), WSAEINVAL);
    assert_int_equal(wsd_xfer_send(p.from, &from, 1, &out), 0);
    finish(p.to, &in, 10);
    assert_int_equal(wsd_region_deregister(p.to, target), 0); /* as soon as the result is visible (4.13) */
    finish(p.from, &out, 10);
    assert_int_equal(wsd_region_deregister(p.from, source), 0);
    disconnect_pair(&p);
}

static void lists_longer_than_the_device_takes_arrive_in_order(void **state)
{
    (void)state;
    enum { PIECES = 40, EACH = 33, HERE = 0, THERE = 30000 };
    struct pair p;
    WSABUF from[PIECES], into[PIECES];
    connect_pair(&p);
    assert_true(PIECES > p.from->caps.send_sge && PIECES > p.to->caps.recv_sge); /* or this proves nothing */
    (void)reg(p.from, HERE, 20000, MEM_READ);
    (void)reg(p.to, THERE, 20000, MEM_WRITE);
    fill(HERE, 20000, 11);
    memset(f.mem + THERE, 0xEE, 20000);
    for (unsigned i = 0; i < PIECES; i++) { /* backwards here, forwards with gaps there */
        from[i] = buf(HERE + (PIECES - 1 - i) * 50, EACH);
        into[i] = buf(THERE + i * 60, EACH);
    }
    WSAOVERLAPPED in = polled(), out = polled();
    assert_int_equal(wsd_xfer_recv(p.to, into, PIECES, &in), 0);
    assert_int_equal(wsd_xfer_send(p.from, from, PIECES, &out), 0);
    finish(p.from, &out, PIECES * EACH);
    finish(p.to, &in, PIECES * EACH);
    for (unsigned i = 0; i < PIECES; i++) {
        assert_memory_equal(into[i].buf, from[i].buf, EACH);
        assert_int_equal(f.mem[THERE + i * 60 + EACH], 0xEE); /* and nothing beside the pieces */
    }
    assert_true(f.disposals >= 2); /* both ends bounced, and say that the buffers may go */
    disconnect_pair(&p);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_address_is_found_from_the_first_byte_of_a_registration_to_its_last),
        TEST(memory_that_the_device_may_only_read_is_no_place_to_receive_into),
        TEST(a_read_only_registration_does_not_hide_a_writable_one_of_the_same_memory),
        TEST(a_deregistered_region_is_not_found_although_it_was_the_last_hit),
        TEST(many_registrations_are_all_found_in_any_order_of_giving_back),
        TEST(a_piece_that_crosses_registrations_is_split_where_they_meet),
        TEST(a_piece_that_leaves_registered_memory_is_refused_and_holds_nothing),
        TEST(empty_pieces_and_empty_lists_give_a_message_of_nothing_wherever_they_point),
        TEST(long_lists_keep_their_order),
        TEST(a_piece_must_lie_inside_the_registration_that_it_names),
        TEST(handles_that_are_not_of_this_socket_are_refused_without_being_looked_into),
        TEST(the_target_of_an_rdma_read_must_be_writable),
        TEST(memory_in_use_by_an_operation_cannot_be_deregistered),
        TEST(the_same_memory_may_be_registered_again_and_each_handle_counts_alone),
        TEST(a_dead_connection_takes_no_registrations_and_gives_the_old_ones_back),
        TEST(what_the_switch_forgets_to_deregister_goes_with_the_channel),
        TEST(a_message_crosses_borders_of_registrations_at_both_ends_and_arrives_whole),
        TEST(a_posted_receive_holds_its_memory_until_the_message_has_come),
        TEST(lists_longer_than_the_device_takes_arrive_in_order),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
