/* test_markers.c - MPA markers on a live connection (PROTOCOL.md 3.1). softiwarp is one end, in either role; the other is
 * marker_peer.c, which was written from the RFCs alone: it asks for markers and checks every one and every CRC that
 * comes, or makes them itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "marker_peer.h"
#include "pal/time.h"
#include "vb/vb.h"

enum { SLOTS = 8, SLOT = 131072, ARENA = SLOTS * SLOT, PIECES = 4, GAP = 3 };
enum { OP_WRITE = 0, OP_READ = 1, OP_ANSWER = 2, OP_SEND = 3, OP_TERMINATE = 7 }; /* RFC 5040 4.1 */
enum { M = 0x80, C = 0x40, S = 0x10 }; /* RFC 5044 7.1.1, RFC 6581 4 */
enum { RTR_SEND = 0x40000000, RTR_WRITE = 0x8000, RTR_READ = 0x4000, P2P = (int)0x80000000 }; /* B, C, D, A */
#define DEADLINE_NS  20000000000ull
#define assert_ok(e) assert_int_equal((e), VB_OK)

struct side {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_cm *cm;
    struct vb_cq *cq;
    struct vb_qp *qp;
    struct vb_conn *conn;
    struct vb_listener *listener;
    struct vb_mr *mr;
    struct vb_addr at;
    uint8_t *mem;
    bool is_established, is_over;
    unsigned sent, received, failed; /* completions */
    uint32_t got_bytes[SLOTS];       /* of the last receives, by slot */
    struct marker_peer peer;
    struct peer_frame frame;
    uint32_t msn; /* of the peer's next send */
};

static struct side *side;

/* ---- our end ---- */

/* Linux takes a whole batch or nothing when its frames are short, so what it may do as well is done here: our end sends
 * at most so many bytes in one call (0: no limit). */
static size_t most_per_send;
enum pal_net __real_pal_socket_send(pal_socket s, const struct pal_iov *iov, unsigned count, size_t *done);
enum pal_net __wrap_pal_socket_send(pal_socket s, const struct pal_iov *iov, unsigned count, size_t *done);

enum pal_net __wrap_pal_socket_send(pal_socket s, const struct pal_iov *iov, unsigned count, size_t *done)
{
    struct pal_iov some[PAL_IOV_MAX];
    size_t left = most_per_send;
    unsigned n = 0;
    if (!left || s == side->peer.s)
        return __real_pal_socket_send(s, iov, count, done);
    for (; n < count && left > 0; n++) {
        some[n] = iov[n];
        if (some[n].bytes > left)
            some[n].bytes = left;
        left -= some[n].bytes;
    }
    return __real_pal_socket_send(s, some, n, done);
}

static void set(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static void open_side(bool with_crc, bool wants_markers, const char *buffers)
{
    char why[256];
    side = calloc(1, sizeof *side);
    assert_non_null(side);
    most_per_send = 0;
    struct side *s = side;
    s->peer.s = PAL_SOCKET_NONE;
    set("WSD_SOFTIWARP_PORTS", "plain");
    set("WSD_SOFTIWARP_CRC", with_crc ? "on" : "off");
    set("WSD_SOFTIWARP_MARKERS", wants_markers ? "on" : NULL);
    set("WSD_SOFTIWARP_SNDBUF", buffers);
    set("WSD_SOFTIWARP_RCVBUF", buffers);
    assert_ok(vb_open("softiwarp", &s->be, why, sizeof why));
    assert_true(vb_addr_parse("127.0.0.1", &s->at));
    s->mem = malloc(ARENA);
    assert_non_null(s->mem);
    assert_ok(vb_dev_open(s->be, &s->at, &s->dev));
    assert_ok(vb_pd_create(s->dev, &s->pd));
    assert_ok(vb_cm_create(s->be, &s->cm));
    assert_ok(vb_cq_create(s->dev, 64, &s->cq));
    assert_ok(vb_mr_reg(s->pd, s->mem, ARENA,
                        VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE, &s->mr));
    struct vb_qp_caps caps = {
        .send_wr = 16, .recv_wr = SLOTS, .send_sge = PIECES, .recv_sge = PIECES, .inline_bytes = 256};
    assert_ok(vb_qp_create(s->pd, s->cq, s->cq, &caps, s, &s->qp));
    s->peer.with_crc = with_crc;
    s->peer.wants_markers = true;
    s->peer.makes_markers = wants_markers;
    s->msn = 1;
}

static void step(void)
{
    struct side *s = side;
    struct vb_wc wc[8];
    struct vb_cm_event ev;
    const unsigned n = vb_cq_poll(s->cq, wc, 8);
    for (unsigned i = 0; i < n; i++) {
        if (wc[i].status != VB_OK)
            s->failed++;
        else if (wc[i].op == VB_WC_RECV)
            s->got_bytes[s->received++ % SLOTS] = wc[i].bytes;
        else
            s->sent++;
    }
    if (vb_cm_poll(s->cm, &ev) != VB_OK)
        return;
    if (ev.kind == VB_CM_REQUEST)
        s->conn = ev.conn;
    s->is_established |= ev.kind == VB_CM_ESTABLISHED;
    s->is_over |= ev.kind == VB_CM_DISCONNECTED || ev.kind == VB_CM_FAILED || ev.kind == VB_CM_REJECTED;
}

#define WAIT(condition)                                                                                      \
    for (const uint64_t until_ = pal_now_ns() + DEADLINE_NS; !(condition);) {                                \
        step();                                                                                              \
        assert_true(pal_now_ns() < until_);                                                                  \
    }

static void close_side(void)
{
    struct side *s = side;
    struct vb_async_event async;
    peer_free(&s->peer);
    vb_qp_stop(s->qp);
    for (unsigned i = 0; i < 8; i++)
        step();
    vb_qp_destroy(s->qp);
    if (s->conn)
        vb_conn_destroy(s->conn);
    if (s->listener)
        vb_listener_destroy(s->listener);
    while (vb_async_poll(s->be, &async) == VB_OK) {
    }
    vb_mr_dereg(s->mr);
    vb_cq_destroy(s->cq);
    vb_cm_destroy(s->cm);
    vb_pd_destroy(s->pd);
    vb_dev_close(s->dev);
    vb_close(s->be);
    free(s->mem);
    free(s);
    side = NULL;
}

/* ---- opening ---- */

static void peer_put(const void *bytes, size_t n)
{
    for (size_t at = 0, done; at < n; at += done) {
        const struct pal_iov iov = {(uint8_t *)bytes + at, n - at};
        const enum pal_net st = pal_socket_send(side->peer.s, &iov, 1, &done);
        assert_true(st == PAL_NET_OK || st == PAL_NET_AGAIN);
        if (st == PAL_NET_AGAIN) {
            done = 0;
            step();
        }
    }
}

/* The opening frame of our end, whole; the stream begins anew behind it. Returns its flags. */
static uint8_t hear_opening(const char *key)
{
    struct marker_peer *p = &side->peer;
    size_t wanted = 20;
    while (p->in_bytes < wanted) {
        WAIT(peer_hear(p, wanted - p->in_bytes));
        if (p->in_bytes == 20)
            wanted = 20u + (unsigned)(p->in[18] << 8 | p->in[19]);
    }
    assert_memory_equal(p->in, key, 16);
    const uint8_t flags = p->in[16];
    p->in_bytes = 0;
    return flags;
}

static const struct vb_conn_params params = {.read_in = 4, .read_out = 4, .timeout_ms = 1000};

/* Our end accepts: revision 1, the peer asks by `flags`. The peer speaks first: a message of nothing. */
static void accept_from_peer(uint8_t flags)
{
    struct side *s = side;
    const struct pal_socket_tuning plain = {0};
    struct pal_addr from = {.family = 4, .ip = {127, 0, 0, 1}}, to = from;
    uint8_t request[20] = "MPA ID Req Frame", first[128];
    assert_ok(vb_listen(s->cm, &s->at, 4, s, &s->listener));
    vb_listener_addr(s->listener, &s->at);
    to.port = s->at.port;
    assert_int_equal(pal_socket_connect(&from, &to, &plain, &s->peer.s), PAL_NET_OK);
    WAIT(pal_socket_outcome(s->peer.s) == PAL_NET_OK);
    request[16] = flags;
    request[17] = 1;
    peer_put(request, sizeof request);
    WAIT(s->conn);
    assert_ok(vb_conn_bind_qp(s->conn, s->qp));
    const struct vb_sge sge = {(uintptr_t)s->mem, SLOT, vb_mr_lkey(s->mr)};
    assert_ok(vb_post_recv(s->qp, &(struct vb_recv_wr){.sge = &sge, .sge_count = 1}, NULL));
    assert_ok(vb_conn_accept(s->conn, &params));
    const uint8_t reply = hear_opening("MPA ID Rep Frame");
    assert_int_equal(reply & M, s->peer.makes_markers ? M : 0); /* each end for what it receives */
    WAIT(s->is_established);
    s->frame = (struct peer_frame){.opcode = OP_SEND, .is_last = true, .msn = s->msn++};
    peer_put(first, peer_build(&s->peer, &s->frame, first));
    WAIT(s->received == 1);
}

/* Our end connects: revision 2; the peer asks in its reply, and for a first frame of the kind `rtr`, or for none: 0. Then
 * our end must not have offered one (RFC 6581 4.1: the bits A, B, C, D). */
static void connect_to_peer(uint8_t flags, unsigned rtr)
{
    struct side *s = side;
    const struct pal_socket_tuning plain = {0};
    struct pal_addr at = {.family = 4, .ip = {127, 0, 0, 1}};
    struct vb_addr remote = s->at;
    const uint32_t depths = (rtr ? (unsigned)P2P : 0) | rtr | 4u << 16 | 4u;
    uint8_t reply[24] = "MPA ID Rep Frame";
    pal_socket listener;
    assert_int_equal(pal_socket_listen(&at, 1, &plain, &listener), PAL_NET_OK);
    assert_true(pal_socket_addrs(listener, &at, NULL));
    remote.port = at.port;
    assert_ok(vb_conn_create(s->cm, &s->at, s, &s->conn));
    assert_ok(vb_conn_bind_qp(s->conn, s->qp));
    assert_ok(vb_conn_connect(s->conn, &remote, &params));
    WAIT(pal_socket_accept(listener, &plain, NULL, &s->peer.s) == PAL_NET_OK);
    pal_socket_close(listener);
    const uint8_t request = hear_opening("MPA ID Req Frame");
    assert_int_equal(request & M, s->peer.makes_markers ? M : 0);
    assert_int_equal(s->peer.in[20] >> 6, rtr ? 3 : 0);
    assert_int_equal(s->peer.in[22] >> 6, rtr ? 3 : 0);
    reply[16] = flags | S;
    reply[17] = 2;
    reply[19] = 4;
    for (unsigned i = 0; i < 4; i++)
        reply[20 + i] = (uint8_t)(depths >> (24 - 8 * i));
    peer_put(reply, sizeof reply);
    WAIT(s->is_established);
}

/* ---- what our end sends ---- */

static uint8_t pattern(uint32_t seq, uint32_t i)
{
    return (uint8_t)(seq * 31 + i + (i >> 8));
}

/* Message `seq` in its slot, in pieces that lie apart. */
static unsigned lay_out(uint32_t seq, uint32_t bytes, struct vb_sge sge[PIECES])
{
    uint8_t *at = side->mem + (size_t)(seq % SLOTS) * SLOT;
    const unsigned pieces = bytes < PIECES ? 1 : 1 + seq % PIECES;
    uint32_t done = 0;
    for (unsigned k = 0; k < pieces; k++) {
        const uint32_t part = k + 1 == pieces ? bytes - done : (bytes - done) / (2 + seq % 3);
        for (uint32_t i = 0; i < part; i++)
            at[i] = pattern(seq, done + i);
        sge[k] = (struct vb_sge){(uintptr_t)at, part, vb_mr_lkey(side->mr)};
        at += part + GAP;
        done += part;
    }
    return pieces;
}

static void post(uint8_t op, uint32_t seq, uint32_t bytes)
{
    struct vb_sge sge[PIECES];
    struct vb_send_wr wr = {.id = seq, .op = op, .flags = VB_WR_SIGNALED, .sge = sge};
    wr.sge_count = lay_out(seq, bytes, sge);
    if (bytes <= 256 && seq % 2)
        wr.flags |= VB_WR_INLINE;
    wr.u.rdma.remote_addr = 0x100000000ull * seq;
    wr.u.rdma.rkey = seq;
    assert_ok(vb_post_send(side->qp, &wr, NULL));
}

/* The next frame that our end sends; TCP is emptied by odd amounts. */
static struct peer_frame *next_frame(void)
{
    static size_t odd;
    WAIT(peer_read(&side->peer, &side->frame) || (peer_hear(&side->peer, 1 + (odd += 977) % 5000), false));
    return &side->frame;
}

static void expect_message(unsigned opcode, uint32_t seq, uint32_t msn, uint32_t bytes)
{
    uint32_t done = 0;
    do {
        const struct peer_frame *f = next_frame();
        assert_int_equal(f->opcode, opcode);
        assert_int_equal(f->is_tagged, opcode == OP_WRITE || opcode == OP_ANSWER);
        if (f->is_tagged) {
            assert_int_equal(f->stag, seq);
            assert_int_equal(f->to, 0x100000000ull * seq + done);
        } else {
            assert_int_equal(f->qn, 0);
            assert_int_equal(f->msn, msn);
            assert_int_equal(f->mo, done);
        }
        for (uint32_t i = 0; i < f->bytes; i++)
            if (f->payload[i] != pattern(seq, done + i))
                fail_msg("byte %u of message %u of %u bytes is wrong", done + i, seq, bytes);
        done += f->bytes;
        assert_true(f->is_last == (done == bytes) && done <= bytes);
    } while (done < bytes);
}

/* Everything around the distance of markers and around the longest frames, several messages at a time; then the stream
 * must have had a marker at each multiple of 512. */
static uint32_t next_length(uint32_t n)
{
    static const uint32_t jumps[][2] = {{1100, 8100}, {8260, 16370}, {16400, 65530}, {65540, 100000}};
    for (unsigned i = 0; i < sizeof jumps / sizeof *jumps; i++)
        if (n == jumps[i][0])
            return jumps[i][1];
    return n + 1;
}

static void exchange_all_lengths(uint32_t first_msn)
{
    static uint32_t lengths[SLOTS];
    uint32_t seq = 0, msn = first_msn, n = 0;
    while (n <= 100000) {
        unsigned count = 0;
        for (; count < SLOTS && n <= 100000; count++, n = next_length(n)) {
            lengths[count] = n;
            post(count % 3 == 2 ? VB_WR_WRITE : VB_WR_SEND, seq + count, n);
        }
        for (unsigned i = 0; i < count; i++)
            if (i % 3 == 2)
                expect_message(OP_WRITE, seq + i, 0, lengths[i]);
            else
                expect_message(OP_SEND, seq + i, msn++, lengths[i]);
        seq += count;
        WAIT(side->sent == seq);
    }
    assert_int_equal(side->failed, 0);
    assert_int_equal(side->peer.at, side->peer.in_bytes);
    assert_int_equal(side->peer.markers, (side->peer.at + 511) / 512);
}

static void the_accepting_end_makes_markers_for_a_peer_that_asks(void **state)
{
    (void)state;
    open_side(true, false, NULL);
    accept_from_peer(M | C);
    exchange_all_lengths(1);
    close_side();
}

static void the_connecting_end_makes_markers_for_a_peer_that_asks_in_its_reply(void **state)
{
    (void)state;
    static const struct {
        unsigned rtr, opcode;
    } kinds[] = {{RTR_SEND, OP_SEND}, {RTR_WRITE, OP_WRITE}, {RTR_READ, OP_READ}};
    for (unsigned i = 0; i < 3; i++) {
        open_side(true, false, NULL);
        connect_to_peer(M | C, kinds[i].rtr);
        const struct peer_frame *first = next_frame(); /* "ready to receive": right behind the first marker */
        assert_int_equal(first->opcode, kinds[i].opcode);
        assert_int_equal(first->bytes, kinds[i].opcode == OP_READ ? 28 : 0);
        exchange_all_lengths(kinds[i].opcode == OP_SEND ? 2 : 1);
        close_side();
    }
}

static void without_ready_to_receive_the_first_frame_is_the_consumers(void **state)
{
    (void)state;
    set("WSD_SOFTIWARP_RTR", "off");
    open_side(true, false, NULL);
    set("WSD_SOFTIWARP_RTR", NULL);
    connect_to_peer(M | C, 0);
    exchange_all_lengths(1);
    close_side();
}

static void a_peer_that_does_not_ask_gets_none(void **state)
{
    (void)state;
    open_side(true, false, NULL);
    side->peer.wants_markers = false;
    accept_from_peer(C);
    post(VB_WR_SEND, 0, 3000);
    expect_message(OP_SEND, 0, 1, 3000);
    close_side();
}

static void markers_go_without_crc_too_and_however_little_tcp_takes(void **state)
{
    (void)state;
    open_side(false, false, "1");
    accept_from_peer(M);
    most_per_send = 1021;
    exchange_all_lengths(1);
    close_side();
}

static void reads_are_asked_for_and_answered_with_markers(void **state)
{
    (void)state;
    uint8_t out[256];
    open_side(true, false, NULL);
    accept_from_peer(M | C);
    struct vb_sge sge[PIECES];
    uint32_t seq = 0;
    for (uint32_t n = 0; n <= 20000; n += n < 1200 ? 7 : 2347, seq++) {
        (void)lay_out(seq * PIECES, n, sge); /* one piece */
        const uint64_t fields[] = {seq, 0x100000000ull * seq, n, vb_mr_rkey(side->mr), n ? sge[0].addr : 0};
        static const unsigned widths[] = {4, 8, 4, 4, 8};
        struct peer_frame *f = &side->frame;
        *f = (struct peer_frame){.opcode = OP_READ, .is_last = true, .qn = 1, .msn = seq + 1};
        for (unsigned i = 0; i < 5; i++)
            for (unsigned k = widths[i]; k-- > 0;)
                f->payload[f->bytes++] = (uint8_t)(fields[i] >> 8 * k);
        peer_put(out, peer_build(&side->peer, f, out));
        uint32_t done = 0;
        do {
            f = next_frame();
            assert_true(f->is_tagged && f->opcode == OP_ANSWER && f->stag == seq);
            assert_true(f->to == 0x100000000ull * seq + done);
            for (uint32_t i = 0; i < f->bytes; i++)
                assert_int_equal(f->payload[i], pattern(seq * PIECES, done + i));
            done += f->bytes;
        } while (!f->is_last);
        assert_int_equal(done, n);
    }
    const struct vb_sge into = {(uintptr_t)side->mem, 100, vb_mr_lkey(side->mr)};
    struct vb_send_wr wr = {.op = VB_WR_READ, .flags = VB_WR_SIGNALED, .sge = &into, .sge_count = 1};
    for (unsigned i = 0; i < 12;
         i++) { /* their frames are 52 bytes: every place in the distance of markers */
        assert_ok(vb_post_send(side->qp, &wr, NULL));
        const struct peer_frame *f = next_frame();
        assert_true(!f->is_tagged && f->opcode == OP_READ && f->qn == 1 && f->msn == i + 1 && f->bytes == 28);
        struct peer_frame *answer = &side->frame;
        const uint32_t stag = (uint32_t)f->payload[0] << 24 | f->payload[1] << 16 | f->payload[2] << 8 |
                              f->payload[3];
        uint64_t to = 0;
        for (unsigned k = 4; k < 12; k++)
            to = to << 8 | f->payload[k];
        *answer = (struct peer_frame){
            .is_tagged = true, .is_last = true, .opcode = OP_ANSWER, .stag = stag, .to = to, .bytes = 100};
        memset(answer->payload, (int)i + 1, 100);
        peer_put(out, peer_build(&side->peer, answer, out));
        WAIT(side->sent == i + 1);
        assert_int_equal(side->mem[99], i + 1);
    }
    close_side();
}

/* ---- the end ---- */

static void send_broken_frame(void)
{
    uint8_t out[256];
    side->frame = (struct peer_frame){
        .is_tagged = true, .is_last = true, .opcode = OP_WRITE}; /* of nothing */
    const size_t n = peer_build(&side->peer, &side->frame, out);
    out[n - 1] ^= 1; /* the CRC */
    peer_put(out, n);
}

static void hear_to_the_end(void)
{
    WAIT((peer_hear(&side->peer, 65536), side->peer.saw_end));
}

static void expect_terminate(unsigned layer_and_type, unsigned code)
{
    const struct peer_frame *f = &side->frame;
    assert_true(peer_read(&side->peer, &side->frame));
    assert_true(!f->is_tagged && f->is_last && f->opcode == OP_TERMINATE && f->qn == 2 && f->msn == 1 &&
                !f->mo);
    assert_int_equal(f->payload[0], layer_and_type);
    assert_int_equal(f->payload[1], code);
    assert_int_equal(side->peer.at, side->peer.in_bytes); /* nothing behind it */
}

static void a_terminate_has_its_marker_wherever_it_falls(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 512; n += 4) {
        open_side(true, false, NULL);
        accept_from_peer(M | C);
        post(VB_WR_SEND, 0, n);
        expect_message(OP_SEND, 0, 1, n);
        send_broken_frame();
        hear_to_the_end();
        expect_terminate(0x20, 0x02);
        close_side();
    }
}

static void a_frame_that_was_begun_is_finished_and_the_terminate_follows(void **state)
{
    (void)state;
    for (size_t some = 1; some < 3000;
         some += 23) { /* the frame is cut, and the Terminate begins, anywhere */
        open_side(true, false, NULL);
        accept_from_peer(M | C);
        most_per_send = some;
        post(VB_WR_SEND, 0, 2000 + some % 500);
        post(VB_WR_SEND, 1, 9000);
        send_broken_frame();
        WAIT(side->failed > 0);
        hear_to_the_end();
        while (side->frame.opcode != OP_TERMINATE) {
            assert_true(peer_read(&side->peer, &side->frame));
            assert_true(side->frame.opcode == OP_SEND || side->frame.opcode == OP_TERMINATE);
        }
        assert_int_equal(side->frame.payload[0] << 8 | side->frame.payload[1], 0x2002);
        assert_int_equal(side->peer.at, side->peer.in_bytes);
        assert_int_equal(side->peer.markers, (side->peer.at + 511) / 512);
        close_side();
    }
}

/* ---- what our end receives, when it asks ---- */

static void post_receive(uint32_t seq)
{
    uint8_t *at = side->mem + (size_t)(seq % SLOTS) * SLOT;
    struct vb_sge sge[PIECES];
    memset(at, 0, SLOT);
    for (unsigned i = 0; i < PIECES; i++) /* small ones first: a segment is spread over several */
        sge[i] = (struct vb_sge){(uintptr_t)at, i < 3 ? 100 + i : SLOT - 310, vb_mr_lkey(side->mr)},
        at += sge[i].bytes;
    assert_ok(vb_post_recv(side->qp, &(struct vb_recv_wr){.sge = sge, .sge_count = PIECES}, NULL));
}

static void put_in_pieces(const uint8_t *bytes, size_t n, size_t cut)
{
    for (size_t at = 0; at < n; at += cut) {
        peer_put(bytes + at, n - at < cut ? n - at : cut);
        step();
    }
}

static void build_send(uint32_t seq, uint32_t bytes)
{
    side->frame = (struct peer_frame){.opcode = OP_SEND, .is_last = true, .msn = side->msn++, .bytes = bytes};
    for (uint32_t i = 0; i < bytes; i++)
        side->frame.payload[i] = pattern(seq, i);
}

static void receive_all_lengths(void)
{
    static uint8_t out[70000];
    uint32_t seq = side->received;
    for (uint32_t n = 0; n <= 64000; n = n < 1100 ? n + 1 : n * 2 - 1, seq++) {
        post_receive(seq);
        build_send(seq, n);
        const size_t bytes = peer_build(&side->peer, &side->frame, out);
        put_in_pieces(out, bytes, n % 50 == 0 ? 1 + n / 50 % 5 : 1 + (n * 37) % 3000);
        WAIT(side->received == seq + 1);
        assert_int_equal(side->got_bytes[seq % SLOTS], n);
        const uint8_t *at = side->mem + (size_t)(seq % SLOTS) * SLOT;
        for (uint32_t i = 0; i < n; i++)
            if (at[i] != pattern(seq, i))
                fail_msg("byte %u of a message of %u is wrong", i, n);
        assert_int_equal(at[n], 0);
    }
    /* tagged: straight into memory */
    side->frame = (struct peer_frame){.is_tagged = true,
                                      .is_last = true,
                                      .stag = vb_mr_rkey(side->mr),
                                      .to = (uintptr_t)side->mem + 11,
                                      .bytes = 50000};
    for (uint32_t i = 0; i < 50000; i++)
        side->frame.payload[i] = pattern(77, i);
    put_in_pieces(out, peer_build(&side->peer, &side->frame, out), 4999);
    WAIT(side->mem[11 + 49999] == pattern(77, 49999));
    for (uint32_t i = 0; i < 50000; i++)
        assert_int_equal(side->mem[11 + i], pattern(77, i));
    assert_int_equal(side->failed, 0);
}

static void markers_that_were_asked_for_are_understood_in_both_roles(void **state)
{
    (void)state;
    open_side(true, true, NULL);
    accept_from_peer(M | C); /* asks too: both directions */
    receive_all_lengths();
    exchange_all_lengths(1);
    close_side();
    open_side(true, true, NULL);
    connect_to_peer(M | C, RTR_WRITE);
    (void)next_frame();
    receive_all_lengths();
    exchange_all_lengths(1);
    close_side();
    open_side(false, true, NULL); /* no CRC; only what comes has markers */
    side->peer.wants_markers = false;
    accept_from_peer(0);
    receive_all_lengths();
    close_side();
}

/* What comes before the fault counts, also when it has to wait for a receive; what has it does not. */
static void frames_with_wrong_markers_or_none_end_the_connection(void **state)
{
    (void)state;
    static const struct {
        unsigned at; /* byte to change, from the marker at 512 on, or: from the end */
        bool is_from_end;
        unsigned code;
    } cases[] = {{3, false, 3}, {2, false, 3}, {0, false, 2}, {1, false, 2}, {4, false, 2}, {1, true, 2}};
    static uint8_t out[4096];
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_side(true, true, NULL);
        accept_from_peer(M | C);
        assert_int_equal(side->peer.out_offset, 28); /* marker, length, header, CRC */
        build_send(1, 100);
        size_t n = peer_build(&side->peer, &side->frame, out);
        build_send(2, 1000);
        n += peer_build(&side->peer, &side->frame, out + n);
        out[cases[i].is_from_end ? n - cases[i].at : 512 - 28 + cases[i].at] ^= 0x40;
        peer_put(out, n);
        for (unsigned k = 0; k < 20; k++)
            step();
        assert_int_equal(side->failed, 0); /* the first message waits for a receive, and all behind it does */
        post_receive(1);
        post_receive(2);
        WAIT(side->received == 2 && side->failed == 1);
        assert_int_equal(side->got_bytes[1], 100);
        hear_to_the_end();
        expect_terminate(0x20, cases[i].code);
        close_side();
    }
    open_side(true, true, NULL); /* a peer that goes on without, though it was asked */
    side->peer.makes_markers = true;
    accept_from_peer(M | C);
    side->peer.makes_markers = false;
    post_receive(1);
    build_send(1, 1000);
    peer_put(out, peer_build(&side->peer, &side->frame, out));
    WAIT(side->failed > 0);
    hear_to_the_end();
    expect_terminate(0x20, 3);
    assert_int_equal(side->received, 1);
    close_side();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_accepting_end_makes_markers_for_a_peer_that_asks),
        cmocka_unit_test(the_connecting_end_makes_markers_for_a_peer_that_asks_in_its_reply),
        cmocka_unit_test(without_ready_to_receive_the_first_frame_is_the_consumers),
        cmocka_unit_test(a_peer_that_does_not_ask_gets_none),
        cmocka_unit_test(markers_go_without_crc_too_and_however_little_tcp_takes),
        cmocka_unit_test(reads_are_asked_for_and_answered_with_markers),
        cmocka_unit_test(a_terminate_has_its_marker_wherever_it_falls),
        cmocka_unit_test(a_frame_that_was_begun_is_finished_and_the_terminate_follows),
        cmocka_unit_test(markers_that_were_asked_for_are_understood_in_both_roles),
        cmocka_unit_test(frames_with_wrong_markers_or_none_end_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
