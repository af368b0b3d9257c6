/* test_hostile.c - a live softiwarp connection whose peer is this test, writing raw bytes: what breaks the rules ends the
 * connection with the right Terminate, memory outside what was granted stays as it was, and the next peer is served.
 * The victim listens with plain ports; the attacker speaks MPA revision 1 with the codecs, then whatever it likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pal/crc32c.h"
#include "pal/socket.h"
#include "pal/time.h"
#include "softiwarp/bytes.h"
#include "softiwarp/ddp.h"
#include "softiwarp/mpa.h"
#include "softiwarp/rdmap.h"
#include "vb/vb.h"

enum { ARENA = 65536, OPEN_AT = 16384, OPEN_BYTES = 16384, RECV_AT = 49152, RECV_BYTES = 256, RECVS = 4 };
#define DEADLINE_NS  10000000000ull
#define assert_ok(e) assert_int_equal((e), VB_OK)

static struct {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd, *other_pd;
    struct vb_cm *cm;
    struct vb_listener *listener;
    struct vb_addr at;
    uint8_t *arena;
    struct vb_mr *open, *read_only, *write_only, *foreign, *local;
} v;

struct attack {
    pal_socket s;
    struct vb_cq *cq;
    struct vb_qp *qp;
    struct vb_conn *conn;
    bool is_disconnected, saw_eof;
    struct vb_wc wc[16];
    unsigned wcs;
    uint8_t in[4096];
    size_t in_bytes;
};

/* ---- the victim ---- */

static int group_setup(void **state)
{
    char why[256];
    (void)state;
    setenv("WSD_SOFTIWARP_PORTS", "plain", 1);
    setenv("WSD_SOFTIWARP_CRC", "on", 1);
    if (vb_open("softiwarp", &v.be, why, sizeof why) != VB_OK || !vb_addr_parse("127.0.0.1", &v.at))
        return -1;
    v.arena = malloc(ARENA);
    const uint32_t both = VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ | VB_ACCESS_REMOTE_WRITE;
    uint8_t *granted = v.arena + OPEN_AT;
    if (!v.arena || vb_dev_open(v.be, &v.at, &v.dev) != VB_OK || vb_pd_create(v.dev, &v.pd) != VB_OK ||
        vb_pd_create(v.dev, &v.other_pd) != VB_OK || vb_cm_create(v.be, &v.cm) != VB_OK ||
        vb_listen(v.cm, &v.at, 8, &v, &v.listener) != VB_OK ||
        vb_mr_reg(v.pd, granted, OPEN_BYTES, both, &v.open) != VB_OK ||
        vb_mr_reg(v.pd, granted, OPEN_BYTES, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_READ, &v.read_only) !=
            VB_OK ||
        vb_mr_reg(v.pd, granted, OPEN_BYTES, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_WRITE, &v.write_only) !=
            VB_OK ||
        vb_mr_reg(v.other_pd, granted, OPEN_BYTES, both, &v.foreign) != VB_OK ||
        vb_mr_reg(v.pd, v.arena, ARENA, VB_ACCESS_LOCAL_WRITE, &v.local) != VB_OK)
        return -1;
    vb_listener_addr(v.listener, &v.at);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    struct vb_mr *const mrs[] = {v.open, v.read_only, v.write_only, v.foreign, v.local};
    for (size_t i = 0; i < sizeof mrs / sizeof *mrs; i++)
        vb_mr_dereg(mrs[i]);
    vb_listener_destroy(v.listener);
    vb_cm_destroy(v.cm);
    vb_pd_destroy(v.other_pd);
    vb_pd_destroy(v.pd);
    vb_dev_close(v.dev);
    vb_close(v.be);
    free(v.arena);
    return 0;
}

/* One turn of the victim. Returns true with *ev when there was an event. */
static bool turn(struct attack *a, struct vb_cm_event *ev)
{
    if (a->cq)
        a->wcs += vb_cq_poll(a->cq, a->wc + a->wcs, (unsigned)(sizeof a->wc / sizeof *a->wc) - a->wcs);
    if (vb_cm_poll(v.cm, ev) != VB_OK)
        return false;
    if (ev->kind == VB_CM_DISCONNECTED && ev->conn == a->conn)
        a->is_disconnected = true;
    return true;
}

static void give_qp(struct attack *a)
{
    struct vb_qp_caps caps = {.send_wr = 8, .recv_wr = RECVS, .send_sge = 1, .recv_sge = 1};
    assert_ok(vb_cq_create(v.dev, 32, &a->cq));
    assert_ok(vb_qp_create(v.pd, a->cq, a->cq, &caps, a, &a->qp));
    assert_ok(vb_conn_bind_qp(a->conn, a->qp));
    for (unsigned i = 0; i < RECVS; i++) {
        struct vb_sge sge = {(uintptr_t)v.arena + RECV_AT + i * RECV_BYTES, RECV_BYTES, vb_mr_lkey(v.local)};
        struct vb_recv_wr wr = {.id = i, .sge = &sge, .sge_count = 1};
        assert_ok(vb_post_recv(a->qp, &wr, NULL));
    }
}

/* ---- the attacker ---- */

static void tcp_connect(struct attack *a)
{
    const struct pal_socket_tuning plain = {0};
    struct pal_addr from = {.family = 4, .ip = {127, 0, 0, 1}}, to = from;
    const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
    enum pal_net st;
    memset(a, 0, sizeof *a);
    memset(v.arena, 0x5A, ARENA);
    to.port = v.at.port;
    assert_int_equal(pal_socket_connect(&from, &to, &plain, &a->s), PAL_NET_OK);
    while ((st = pal_socket_outcome(a->s)) == PAL_NET_AGAIN && pal_now_ns() < deadline) {
        struct vb_cm_event ev;
        (void)turn(a, &ev); /* the backlog may be full */
    }
    assert_int_equal(st, PAL_NET_OK);
}

static void put(struct attack *a, const void *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        struct pal_iov iov = {(uint8_t *)bytes + at, n - at};
        size_t done;
        struct vb_cm_event ev;
        const enum pal_net st = pal_socket_send(a->s, &iov, 1, &done);
        if (st == PAL_NET_RESET)
            return; /* it has had enough */
        assert_true(st == PAL_NET_OK || st == PAL_NET_AGAIN);
        at += done;
        if (st == PAL_NET_AGAIN)
            (void)turn(a, &ev);
    }
}

/* Let the victim run until `wanted` bytes came, it ended the connection, or `ms` passed. */
static void hear(struct attack *a, size_t wanted, uint32_t ms)
{
    const uint64_t deadline = pal_now_ns() + (uint64_t)ms * 1000000;
    while (!a->saw_eof && a->in_bytes < wanted && pal_now_ns() < deadline) {
        struct vb_cm_event ev;
        size_t got;
        (void)turn(a, &ev);
        struct pal_iov iov = {a->in + a->in_bytes, sizeof a->in - a->in_bytes};
        const enum pal_net st = pal_socket_recv(a->s, &iov, 1, &got);
        if (st == PAL_NET_OK)
            a->in_bytes += got;
        else if (st != PAL_NET_AGAIN)
            a->saw_eof = true;
    }
}

/* Let it run until so many of its operations are over, for ten seconds at most. */
static void hear_until_completed(struct attack *a, unsigned operations)
{
    const uint64_t deadline = pal_now_ns() + 10000000000ull;
    while (!a->saw_eof && a->wcs < operations && pal_now_ns() < deadline)
        hear(a, SIZE_MAX, 20);
}

static void hear_all(struct attack *a)
{
    hear(a, SIZE_MAX, 10000);
    assert_true(a->saw_eof);
}

/* Revision 1, CRC on; the victim accepts. */
static void connect_as_peer(struct attack *a)
{
    struct mpa_hello h = {.revision = 1, .wants_crc = true}, reply;
    uint8_t frame[MPA_HELLO_MAX];
    const uint8_t *data;
    size_t bytes;
    struct vb_cm_event ev;
    const struct vb_conn_params params = {.read_in = 4, .read_out = 4, .timeout_ms = 1000};
    tcp_connect(a);
    put(a, frame, mpa_hello_encode(&h, NULL, frame));
    const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
    while (!turn(a, &ev) || ev.kind != VB_CM_REQUEST)
        assert_true(pal_now_ns() < deadline);
    a->conn = ev.conn;
    give_qp(a);
    assert_ok(vb_conn_accept(a->conn, &params));
    while (!turn(a, &ev) || ev.kind != VB_CM_ESTABLISHED)
        assert_true(pal_now_ns() < deadline);
    hear(a, MPA_FIXED_BYTES, 10000);
    assert_int_equal(mpa_hello_decode(a->in, a->in_bytes, true, &reply, &data, &bytes), MPA_OK);
    assert_true(reply.wants_crc && !reply.is_reject && reply.revision == 1);
    assert_int_equal(bytes, a->in_bytes);
    a->in_bytes = 0;
}

static void close_attack(struct attack *a)
{
    struct vb_cm_event ev;
    if (a->s != PAL_SOCKET_NONE)
        pal_socket_close(a->s);
    if (a->qp) {
        vb_qp_stop(a->qp);
        while (turn(a, &ev)) {
        }
        vb_qp_destroy(a->qp);
    }
    if (a->conn)
        vb_conn_destroy(a->conn);
    if (a->cq)
        vb_cq_destroy(a->cq);
    struct vb_async_event async;
    while (vb_async_poll(v.be, &async) == VB_OK) {
    }
}

static size_t frame(uint8_t *out, const struct ddp_header *h, const void *payload, uint32_t n)
{
    const unsigned header = ddp_header_encode(h, out + 2);
    const uint32_t ulpdu = header + n;
    put_be16(out, (uint16_t)ulpdu);
    if (n)
        memcpy(out + 2 + header, payload, n);
    return 2 + ulpdu +
           mpa_trailer_encode(mpa_pad(ulpdu), true, pal_crc32c(0, out, 2 + ulpdu), out + 2 + ulpdu);
}

static void put_frame(struct attack *a, const struct ddp_header *h, const void *payload, uint32_t n)
{
    static uint8_t out[MPA_ULPDU_MAX + 16];
    put(a, out, frame(out, h, payload, n));
}

static void put_write(struct attack *a, uint32_t stag, uint64_t to, uint32_t n)
{
    static uint8_t payload[65000];
    memset(payload, 0xEE, sizeof payload);
    put_frame(a, &(struct ddp_header){.is_tagged = true, .is_last = true, .stag = stag, .to = to}, payload,
              n);
}

static void put_read(struct attack *a, uint32_t msn, uint32_t stag, uint64_t from, uint32_t n)
{
    const struct rdmap_read_request r = {
        .sink_stag = 7, .sink_to = 9, .bytes = n, .source_stag = stag, .source_to = from};
    uint8_t payload[RDMAP_READ_REQUEST_BYTES];
    rdmap_read_request_encode(&r, payload);
    put_frame(a, &(struct ddp_header){.is_last = true, .opcode = RDMAP_READ_REQUEST, .qn = 1, .msn = msn},
              payload, sizeof payload);
}

static struct ddp_header send_header(uint32_t msn, uint32_t mo)
{
    return (struct ddp_header){.is_last = true, .opcode = RDMAP_SEND, .msn = msn, .mo = mo};
}

/* ---- what must hold afterwards ---- */

static void expect_untouched(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (v.arena[i] != 0x5A)
            fail_msg("byte %zu of the arena was changed", i);
}

/* The last frame that came is a Terminate with this error; every frame has a good CRC. */
static void expect_terminate(struct attack *a, uint16_t error)
{
    struct rdmap_terminate t = {0};
    bool found = false;
    hear_all(a);
    for (size_t at = 0; at < a->in_bytes;) {
        struct ddp_header h;
        assert_true(a->in_bytes - at >= 2);
        const uint32_t ulpdu = get_be16(a->in + at);
        assert_true(at + mpa_fpdu_bytes(ulpdu) <= a->in_bytes);
        assert_true(mpa_trailer_check(mpa_pad(ulpdu), true, pal_crc32c(0, a->in + at, 2 + ulpdu),
                                      a->in + at + 2 + ulpdu));
        assert_true(ddp_header_decode(a->in + at + 2, ulpdu, &h));
        assert_false(found); /* nothing behind it */
        if (!h.is_tagged && h.opcode == RDMAP_TERMINATE) {
            found = true;
            assert_int_equal(h.qn, 2);
            assert_int_equal(h.msn, 1);
            assert_true(rdmap_terminate_decode(a->in + at + 20, ulpdu - 18, &t));
        }
        at += mpa_fpdu_bytes(ulpdu);
    }
    if (!found || t.error != error)
        fail_msg("Terminate %s: 0x%04x (%s), expected 0x%04x", found ? "came" : "did not come", t.error,
                 rdmap_error_text(t.error), error);
    /* our end of TCP goes, and the victim hears that it is over */
    pal_socket_close(a->s);
    a->s = PAL_SOCKET_NONE;
    const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
    while (!a->is_disconnected) {
        struct vb_cm_event ev;
        (void)turn(a, &ev);
        assert_true(pal_now_ns() < deadline);
    }
    expect_untouched(0, OPEN_AT);
    expect_untouched(OPEN_AT + OPEN_BYTES, RECV_AT);
    close_attack(a);
}

static void a_peer_that_keeps_the_rules_is_served_however_its_bytes_are_cut(void **state)
{
    (void)state;
    for (unsigned cut = 1; cut < 200; cut = cut * 3 + 1) {
        struct attack a;
        uint8_t out[1024], text[100];
        struct ddp_header h = send_header(1, 0);
        connect_as_peer(&a);
        memset(text, 'x', sizeof text);
        size_t n = 0;
        h.is_last = false; /* one message of two segments, then an empty one, then a write and a read */
        n += frame(out + n, &h, text, 33);
        h = send_header(1, 33);
        n += frame(out + n, &h, text, 34);
        h = send_header(2, 0);
        n += frame(out + n, &h, NULL, 0);
        h = (struct ddp_header){.is_tagged = true,
                                .is_last = true,
                                .stag = vb_mr_rkey(v.open),
                                .to = (uintptr_t)v.arena + OPEN_AT + OPEN_BYTES - 100};
        n += frame(out + n, &h, text, 100);
        for (size_t at = 0; at < n; at += cut) {
            put(&a, out + at, n - at < cut ? n - at : cut);
            hear(&a, SIZE_MAX, cut < 10 ? 1 : 0);
        }
        put_read(&a, 1, vb_mr_rkey(v.open), (uintptr_t)v.arena + OPEN_AT + OPEN_BYTES - 100, 100);
        hear(&a, mpa_fpdu_bytes(114), 10000);
        assert_int_equal(a.in_bytes, mpa_fpdu_bytes(114));
        assert_memory_equal(a.in + 16, text, 100);
        struct vb_cm_event ev;
        for (const uint64_t until = pal_now_ns() + DEADLINE_NS; a.wcs < 2 && pal_now_ns() < until;)
            (void)turn(&a, &ev);
        assert_int_equal(a.wcs, 2);
        assert_true(a.wc[0].status == VB_OK && a.wc[0].bytes == 67 && a.wc[0].id == 0);
        assert_true(a.wc[1].status == VB_OK && a.wc[1].bytes == 0 && a.wc[1].id == 1);
        assert_memory_equal(v.arena + RECV_AT, text, 67);
        expect_untouched(0, OPEN_AT + OPEN_BYTES - 100);
        expect_untouched(OPEN_AT + OPEN_BYTES, RECV_AT);
        expect_untouched(RECV_AT + 67, ARENA);
        close_attack(&a);
    }
}

static void writes_that_were_not_granted_change_nothing(void **state)
{
    (void)state;
    const uint64_t base = (uintptr_t)v.arena + OPEN_AT;
    const uint32_t key = vb_mr_rkey(v.open);
    const struct {
        uint32_t stag;
        uint64_t to;
        uint32_t bytes;
        uint16_t error;
    } cases[] = {
        {key ^ 1, base, 64, TERM_DDP_INVALID_STAG},
        {0, base, 64, TERM_DDP_INVALID_STAG},
        {vb_mr_lkey(v.local), base, 64, TERM_DDP_INVALID_STAG}, /* local keys are for this end */
        {vb_mr_lkey(v.open), base, 64, TERM_DDP_INVALID_STAG},
        {key, base - 1, 1, TERM_DDP_BOUNDS},
        {key, base - 1, 64, TERM_DDP_BOUNDS},
        {key, base + OPEN_BYTES, 1, TERM_DDP_BOUNDS},
        {key, base + OPEN_BYTES - 1, 2, TERM_DDP_BOUNDS},
        {key, base, OPEN_BYTES + 1, TERM_DDP_BOUNDS},
        {key, base + 1, 65000, TERM_DDP_BOUNDS},
        {key, 0, 64, TERM_DDP_BOUNDS},
        {key, UINT64_MAX - 10, 64, TERM_DDP_TO_WRAP},
        {vb_mr_rkey(v.read_only), base, 64, TERM_RDMAP_RIGHTS},
        {vb_mr_rkey(v.foreign), base, 64, TERM_DDP_STREAM},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct attack a;
        connect_as_peer(&a);
        put_write(&a, cases[i].stag, cases[i].to, cases[i].bytes);
        expect_terminate(&a, cases[i].error);
        expect_untouched(0, ARENA);
    }
}

static void a_key_that_was_taken_back_is_dead_for_what_is_under_way_too(void **state)
{
    (void)state;
    struct attack a;
    struct vb_mr *mr;
    static uint8_t out[70000], payload[16384];
    connect_as_peer(&a);
    assert_ok(
        vb_mr_reg(v.pd, v.arena + OPEN_AT, OPEN_BYTES, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_REMOTE_WRITE, &mr));
    const struct ddp_header h = {
        .is_tagged = true, .is_last = true, .stag = vb_mr_rkey(mr), .to = (uintptr_t)v.arena + OPEN_AT};
    const size_t n = frame(out, &h, payload, sizeof payload);
    put(&a, out, n / 2); /* half of the segment is in place */
    hear(&a, SIZE_MAX, 50);
    vb_mr_dereg(mr);
    memset(v.arena, 0x5A, ARENA);
    put(&a, out + n / 2, n - n / 2);
    expect_terminate(&a, TERM_DDP_INVALID_STAG);
    expect_untouched(0, ARENA);
}

static void reads_that_were_not_granted_fetch_nothing(void **state)
{
    (void)state;
    const uint64_t base = (uintptr_t)v.arena + OPEN_AT;
    const uint32_t key = vb_mr_rkey(v.open);
    const struct {
        uint32_t stag;
        uint64_t from;
        uint32_t bytes;
        uint16_t error;
    } cases[] = {
        {key ^ 0x100, base, 64, TERM_RDMAP_INVALID_STAG},
        {vb_mr_lkey(v.local), base, 64, TERM_RDMAP_INVALID_STAG},
        {key, base - 1, 64, TERM_RDMAP_BOUNDS},
        {key, base, OPEN_BYTES + 1, TERM_RDMAP_BOUNDS},
        {key, base + OPEN_BYTES, UINT32_MAX, TERM_RDMAP_BOUNDS},
        {key, UINT64_MAX - 1, 64, TERM_RDMAP_TO_WRAP},
        {vb_mr_rkey(v.write_only), base, 64, TERM_RDMAP_RIGHTS},
        {vb_mr_rkey(v.foreign), base, 64, TERM_RDMAP_STREAM},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct attack a;
        connect_as_peer(&a);
        put_read(&a, 1, cases[i].stag, cases[i].from, cases[i].bytes);
        expect_terminate(&a, cases[i].error);
    }
}

static void more_reads_than_agreed_end_the_connection(void **state)
{
    (void)state;
    struct attack a;
    uint8_t out[4096], payload[RDMAP_READ_REQUEST_BYTES];
    size_t n = 0;
    connect_as_peer(&a); /* agreed on four */
    for (uint32_t msn = 1; msn <= 5; msn++) {
        const struct rdmap_read_request r = {
            .bytes = 8, .source_stag = vb_mr_rkey(v.open), .source_to = (uintptr_t)v.arena + OPEN_AT};
        const struct ddp_header h = {.is_last = true, .opcode = RDMAP_READ_REQUEST, .qn = 1, .msn = msn};
        rdmap_read_request_encode(&r, payload);
        n += frame(out + n, &h, payload, sizeof payload);
    }
    put(&a, out, n); /* in one go: none is answered before the fifth is seen */
    expect_terminate(&a, TERM_DDP_NO_BUFFER);
}

static void headers_that_break_the_rules_are_named(void **state)
{
    (void)state;
    static const struct {
        struct ddp_header h;
        uint32_t bytes;
        uint16_t error;
    } cases[] = {
        {{.is_last = true, .opcode = RDMAP_SEND, .qn = 3, .msn = 1}, 4, TERM_DDP_QN},
        {{.is_last = true, .opcode = RDMAP_SEND, .qn = UINT32_MAX, .msn = 1}, 4, TERM_DDP_QN},
        {{.is_last = true, .opcode = RDMAP_SEND, .qn = 1, .msn = 1}, 4, TERM_DDP_QN},
        {{.is_last = true, .opcode = RDMAP_READ_REQUEST, .qn = 0, .msn = 1}, 28, TERM_DDP_QN},
        {{.is_last = true, .opcode = RDMAP_TERMINATE, .qn = 0, .msn = 1}, 4, TERM_DDP_QN},
        {{.is_last = true, .opcode = RDMAP_SEND, .msn = 2}, 4, TERM_DDP_MSN},
        {{.is_last = true, .opcode = RDMAP_SEND, .msn = 0}, 4, TERM_DDP_MSN},
        {{.is_last = true, .opcode = RDMAP_SEND, .msn = 1, .mo = 4}, 4, TERM_DDP_MO},
        {{.is_last = true, .opcode = RDMAP_SEND, .msn = 1, .mo = UINT32_MAX}, 4, TERM_DDP_MO},
        {{.is_last = true, .opcode = RDMAP_READ_REQUEST, .qn = 1, .msn = 9}, 28, TERM_DDP_MSN},
        {{.is_last = true, .opcode = RDMAP_READ_REQUEST, .qn = 1, .msn = 1, .mo = 1}, 28, TERM_DDP_MO},
        {{.is_last = true, .opcode = RDMAP_READ_REQUEST, .qn = 1, .msn = 1}, 27, TERM_RDMAP_UNSPECIFIED},
        {{.opcode = RDMAP_READ_REQUEST, .qn = 1, .msn = 1}, 28, TERM_RDMAP_UNSPECIFIED},
        {{.is_last = true, .opcode = RDMAP_READ_REQUEST, .qn = 1, .msn = 1}, 60000, TERM_DDP_TOO_LONG},
        {{.is_last = true, .opcode = 8, .msn = 1}, 4, TERM_RDMAP_OPCODE},
        {{.is_last = true, .opcode = 15, .msn = 1}, 4, TERM_RDMAP_OPCODE},
        {{.is_last = true, .opcode = RDMAP_WRITE, .msn = 1}, 4, TERM_RDMAP_OPCODE},
        {{.is_last = true, .opcode = RDMAP_READ_RESPONSE, .msn = 1}, 4, TERM_RDMAP_OPCODE},
        {{.is_last = true, .is_tagged = true, .opcode = RDMAP_SEND}, 4, TERM_RDMAP_OPCODE},
        {{.is_last = true, .is_tagged = true, .opcode = RDMAP_READ_REQUEST}, 28, TERM_RDMAP_OPCODE},
        {{.is_last = true, .is_tagged = true, .opcode = RDMAP_READ_RESPONSE, .stag = 7},
         4,
         TERM_DDP_INVALID_STAG},
        {{.is_last = true, .is_tagged = true, .opcode = RDMAP_READ_RESPONSE}, 0, TERM_DDP_INVALID_STAG},
    };
    static uint8_t payload[60000];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct attack a;
        connect_as_peer(&a);
        put_frame(&a, &cases[i].h, payload, cases[i].bytes);
        expect_terminate(&a, cases[i].error);
        expect_untouched(0, ARENA);
    }
}

/* Frames that the codec does not make: bytes of a good one are changed, and the CRC made to fit again. */
static void versions_lengths_and_checksums_that_are_wrong_end_the_connection(void **state)
{
    (void)state;
    const struct {
        unsigned at;
        uint8_t value;
        bool fix_crc;
        bool is_tagged;
        uint16_t error;
    } cases[] = {
        {2, 0x40, true, false, TERM_DDP_UNTAGGED_VERSION},
        {2, 0x43, true, false, TERM_DDP_UNTAGGED_VERSION},
        {2, 0xc0, true, true, TERM_DDP_TAGGED_VERSION},
        {3, 0x03, true, false, TERM_RDMAP_VERSION},
        {3, 0x83, true, false, TERM_RDMAP_VERSION},
        {3, 0x00, true, true, TERM_RDMAP_VERSION},
        {20, 0x77, false, false, TERM_MPA_CRC},
        {47, 0x77, false, false, TERM_MPA_CRC},
        {1, 3, true, false, TERM_MPA_MARKER},
        {1, 17, true, false, TERM_MPA_MARKER},
        {1, 13, true, true, TERM_MPA_MARKER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct attack a;
        uint8_t out[128], payload[24] = {0};
        struct ddp_header h = send_header(1, 0);
        connect_as_peer(&a);
        if (cases[i].is_tagged)
            h = (struct ddp_header){.is_tagged = true,
                                    .is_last = true,
                                    .stag = vb_mr_rkey(v.open),
                                    .to = (uintptr_t)v.arena + OPEN_AT};
        const size_t n = frame(out, &h, payload, sizeof payload);
        const uint32_t ulpdu = get_be16(out);
        out[cases[i].at] = cases[i].value;
        if (cases[i].fix_crc)
            (void)mpa_trailer_encode(mpa_pad(ulpdu), true, pal_crc32c(0, out, 2 + ulpdu), out + 2 + ulpdu);
        put(&a, out, n);
        expect_terminate(&a, cases[i].error);
    }
}

static void a_message_that_does_not_fit_fails_its_receive(void **state)
{
    (void)state;
    for (unsigned in_two = 0; in_two < 2; in_two++) {
        struct attack a;
        uint8_t payload[300];
        struct ddp_header h = send_header(1, 0);
        memset(payload, 0xEE, sizeof payload);
        connect_as_peer(&a);
        if (in_two) {
            h.is_last = false;
            put_frame(&a, &h, payload, 200);
            h = send_header(1, 200);
            put_frame(&a, &h, payload, 57);
        } else {
            put_frame(&a, &h, payload, RECV_BYTES + 1);
        }
        hear_all(&a);
        for (unsigned i = 0; i < RECVS; i++) {
            assert_int_equal(a.wc[i].id, i);
            assert_int_equal(a.wc[i].status, i ? VB_E_FLUSHED : VB_E_LENGTH);
        }
        assert_int_equal(a.wcs, RECVS);
        expect_untouched(RECV_AT + RECV_BYTES, ARENA);
        expect_terminate(&a, TERM_DDP_TOO_LONG);
    }
}

static void only_windows_of_the_connection_can_be_invalidated_by_the_peer(void **state)
{
    (void)state;
    struct attack a;
    struct vb_mw *mw;
    struct ddp_header h = send_header(1, 0);
    connect_as_peer(&a);
    h.opcode = RDMAP_SEND_INVALIDATE;
    h.stag = vb_mr_rkey(v.open);
    put_frame(&a, &h, NULL, 0);
    hear_all(&a);
    assert_int_equal(a.wc[0].status, VB_E_PROTECTION);
    expect_terminate(&a, TERM_RDMAP_CANNOT_INVALIDATE);

    struct vb_mr *below;
    connect_as_peer(&a);
    assert_ok(vb_mr_reg(v.pd, v.arena + OPEN_AT, 64, VB_ACCESS_LOCAL_WRITE | VB_ACCESS_WINDOW, &below));
    assert_ok(vb_mw_alloc(v.pd, &mw));
    struct vb_send_wr wr = {.id = 40, .op = VB_WR_BIND, .flags = VB_WR_SIGNALED};
    wr.u.bind.mw = mw;
    wr.u.bind.mr = below;
    wr.u.bind.addr = (uintptr_t)v.arena + OPEN_AT;
    wr.u.bind.bytes = 64;
    wr.u.bind.access = VB_ACCESS_REMOTE_WRITE;
    h = send_header(1, 0); /* the accepting side may start once we have spoken */
    put_frame(&a, &h, NULL, 0);
    hear_until_completed(&a, 1);
    assert_ok(vb_post_send(a.qp, &wr, NULL));
    const uint32_t key = vb_mw_rkey(mw);
    put_write(&a, key, (uintptr_t)v.arena + OPEN_AT, 64);
    h = send_header(2, 0);
    h.opcode = RDMAP_SEND_SE_INVALIDATE;
    h.stag = key;
    put_frame(&a, &h, NULL, 0);
    hear_until_completed(&a, 3);
    assert_int_equal(a.wcs, 3); /* two receives and the bind */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(a.wc[i].status, VB_OK);
    assert_int_equal(v.arena[OPEN_AT + 63], 0xEE);
    memset(v.arena, 0x5A, ARENA);
    put_write(&a, key, (uintptr_t)v.arena + OPEN_AT, 64);
    expect_terminate(&a, TERM_DDP_INVALID_STAG);
    expect_untouched(0, ARENA);
    vb_mw_free(mw);
    vb_mr_dereg(below);
}

static void half_a_frame_and_then_nothing_completes_nothing(void **state)
{
    (void)state;
    uint8_t out[256], payload[100];
    const struct ddp_header h = send_header(1, 0);
    memset(payload, 1, sizeof payload);
    const size_t n = frame(out, &h, payload, sizeof payload);
    for (size_t cut = 1; cut < n; cut += 9) {
        struct attack a;
        connect_as_peer(&a);
        put(&a, out, cut);
        hear(&a, SIZE_MAX, 2);
        pal_socket_finish(a.s);
        hear_all(&a);
        const uint64_t deadline = pal_now_ns() + DEADLINE_NS;
        while (!a.is_disconnected) {
            struct vb_cm_event ev;
            (void)turn(&a, &ev);
            assert_true(pal_now_ns() < deadline);
        }
        for (unsigned i = 0; i < a.wcs; i++)
            assert_int_equal(a.wc[i].status, VB_E_FLUSHED);
        close_attack(&a);
    }
}

static void a_terminate_of_any_content_just_ends_the_connection(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 200; n += n < 8 ? 1 : 23) {
        struct attack a;
        uint8_t payload[256];
        memset(payload, 0xff, sizeof payload);
        connect_as_peer(&a);
        put_frame(&a, &(struct ddp_header){.is_last = true, .opcode = RDMAP_TERMINATE, .qn = 2, .msn = 1},
                  payload, n);
        hear_all(&a);
        assert_int_equal(a.in_bytes, 0); /* a Terminate is not answered by one */
        struct vb_async_event ev;
        assert_ok(vb_async_poll(v.be, &ev));
        assert_int_equal(ev.kind, VB_ASYNC_QP_FATAL);
        assert_ptr_equal(ev.qp_context, &a);
        close_attack(&a);
    }
}

/* ---- before the connection stands ---- */

static void openings_that_are_none_get_no_answer_and_nobody_hears_of_them(void **state)
{
    (void)state;
    struct mpa_hello h = {.revision = 1};
    uint8_t good[MPA_HELLO_MAX + 8];
    static const uint8_t data[MPA_DATA_MAX];
    struct {
        uint8_t bytes[MPA_HELLO_MAX + 8];
        size_t n;
    } cases[5];
    memset(cases, 0, sizeof cases);
    cases[0].n = 18;
    memcpy(cases[0].bytes, "GET / HTTP/1.1\r\n\r\n", 18);
    (void)mpa_hello_encode(&h, NULL, good);
    for (unsigned i = 1; i < 5; i++) {
        memcpy(cases[i].bytes, good, MPA_FIXED_BYTES);
        cases[i].n = MPA_FIXED_BYTES;
    }
    put_be16(cases[1].bytes + 18, 513); /* too much private data */
    put_be16(cases[2].bytes + 18, 0xffff);
    cases[3].bytes[17] = 3;  /* no such revision */
    cases[4].bytes[9] = 'p'; /* a reply where a request is due */
    for (unsigned i = 0; i < 5; i++) {
        struct attack a;
        tcp_connect(&a);
        put(&a, cases[i].bytes, cases[i].n);
        hear_all(&a);
        assert_int_equal(a.in_bytes, 0);
        close_attack(&a);
    }
    /* legal on the wire, but more than a consumer of ours can be given */
    struct attack a;
    struct mpa_hello reply;
    const uint8_t *reply_data;
    size_t bytes;
    h = (struct mpa_hello){.revision = 1, .data_bytes = 257};
    tcp_connect(&a);
    put(&a, good, mpa_hello_encode(&h, data, good));
    hear_all(&a);
    assert_int_equal(mpa_hello_decode(a.in, a.in_bytes, true, &reply, &reply_data, &bytes), MPA_OK);
    assert_true(reply.is_reject && !reply.data_bytes);
    close_attack(&a);
}

static void silent_peers_do_not_keep_others_out(void **state)
{
    (void)state;
    enum { SILENT = 40 };
    struct attack silent[SILENT], a;
    for (unsigned i = 0; i < SILENT; i++) {
        tcp_connect(&silent[i]);
        put(&silent[i], "MPA ID Req Frame", i % 17); /* some begin */
    }
    connect_as_peer(&a);
    const struct ddp_header h = send_header(1, 0);
    put_frame(&a, &h, "hello", 5);
    for (uint64_t deadline = pal_now_ns() + DEADLINE_NS; a.wcs == 0;) {
        struct vb_cm_event ev;
        (void)turn(&a, &ev);
        assert_true(pal_now_ns() < deadline);
    }
    assert_memory_equal(v.arena + RECV_AT, "hello", 5);
    close_attack(&a);
    for (unsigned i = 0; i < SILENT; i++)
        close_attack(&silent[i]);
}

static void noise_of_any_kind_leaves_the_rest_of_memory_alone(void **state)
{
    (void)state;
    const char *text = getenv("WSD_TEST_SEED");
    uint32_t x = text ? (uint32_t)strtoul(text, NULL, 10) : (uint32_t)pal_now_ns();
    print_message("           WSD_TEST_SEED=%u\n", x);
    for (unsigned round = 0; round < 300; round++) {
        struct attack a;
        uint8_t out[512], payload[64];
        connect_as_peer(&a);
        const unsigned frames = 1 + round % 4;
        for (unsigned i = 0; i < frames; i++) {
            x = x * 1664525u + 1013904223u;
            struct ddp_header h = {.is_tagged = x >> 31,
                                   .is_last = x >> 30 & 1,
                                   .opcode = x >> 26 & 7,
                                   .stag = x & 1 ? vb_mr_rkey(v.open) : x,
                                   .to = (uintptr_t)v.arena + OPEN_AT + (x >> 8) % (2 * OPEN_BYTES) -
                                         OPEN_BYTES / 2,
                                   .qn = x >> 5 & 3,
                                   .msn = 1 + (x >> 7 & 1),
                                   .mo = x >> 9 & 1};
            memset(payload, 0xEE, sizeof payload);
            size_t n = frame(out, &h, payload, (x >> 12) % sizeof payload);
            if (round % 3 == 0) { /* and broken */
                out[(x >> 16) % n] ^= (uint8_t)(1u << (x >> 3 & 7));
                n -= x >> 20 & 1;
            }
            put(&a, out, n);
        }
        hear(&a, SIZE_MAX, 1);
        expect_untouched(0, OPEN_AT);
        expect_untouched(OPEN_AT + OPEN_BYTES, RECV_AT);
        expect_untouched(RECV_AT + RECVS * RECV_BYTES, ARENA);
        close_attack(&a);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_keeps_the_rules_is_served_however_its_bytes_are_cut),
        cmocka_unit_test(writes_that_were_not_granted_change_nothing),
        cmocka_unit_test(a_key_that_was_taken_back_is_dead_for_what_is_under_way_too),
        cmocka_unit_test(reads_that_were_not_granted_fetch_nothing),
        cmocka_unit_test(more_reads_than_agreed_end_the_connection),
        cmocka_unit_test(headers_that_break_the_rules_are_named),
        cmocka_unit_test(versions_lengths_and_checksums_that_are_wrong_end_the_connection),
        cmocka_unit_test(a_message_that_does_not_fit_fails_its_receive),
        cmocka_unit_test(only_windows_of_the_connection_can_be_invalidated_by_the_peer),
        cmocka_unit_test(half_a_frame_and_then_nothing_completes_nothing),
        cmocka_unit_test(a_terminate_of_any_content_just_ends_the_connection),
        cmocka_unit_test(openings_that_are_none_get_no_answer_and_nobody_hears_of_them),
        cmocka_unit_test(silent_peers_do_not_keep_others_out),
        cmocka_unit_test(noise_of_any_kind_leaves_the_rest_of_memory_alone),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
