/* hostile_iwarp.c - an application's socket over softiwarp whose peer speaks iWARP and breaks its rules: the peer gets the
 * Terminate that names what it did, the application the Winsock error of a connection that is over, and no byte outside
 * of what was granted changes. Frame by frame the same is done below the provider in unit/softiwarp/test_hostile.c.
 * Runs with WSD_SOFTIWARP_PORTS=plain, so that the attacker needs no port map. The attacker is this test's thread, the
 * provider makes its progress in threads of its own.
 * Source: contract 7.6, Q37, 6.1; RFC 5040 4.8, 5041 8, 5044 8; softiwarp/PROTOCOL.md 9. */
#include "ct.h"

#include "pal/crc32c.h"
#include "pal/socket.h"
#include "softiwarp/bytes.h"
#include "softiwarp/ddp.h"
#include "softiwarp/mpa.h"
#include "softiwarp/rdmap.h"

enum { ARENA = 49152, OPEN_AT = 16384, OPEN_BYTES = 16384, RECV_BYTES = 256, RECVS = 3 };
enum { CLEAN = 0x5A, WRITTEN = 0xEE };

/* What the provider says when it connects, taken off the wire once for each test: who may say it is anybody. */
struct request {
    uint8_t data[MPA_DATA_MAX];
    uint16_t bytes;
};

struct attack {
    struct fixture *f;
    struct sw_listener *listener;
    struct request request;
    pal_socket s;
    struct ct_end victim; /* accepted; receives posted into rx */
    WSAOVERLAPPED in[RECVS];
    uint8_t *arena; /* the middle of it is granted */
    uint32_t key;
    uint64_t at;
    uint8_t answer[4096];
    size_t answer_bytes;
};

static uint64_t deadline(void)
{
    return pal_now_ns() + (uint64_t)ct.wait_ms * 1000000u;
}

static struct pal_addr address_of(const WSD_SOCKADDR_IN *name)
{
    struct pal_addr a = {.family = 4, .port = get_be16((const uint8_t *)&name->sin_port)};

    memcpy(a.ip, &name->sin_addr, 4);
    return a;
}

/* ---- TCP ---- */

static void put(pal_socket s, const void *bytes, size_t count)
{
    const uint64_t end = deadline();

    for (size_t at = 0; at < count;) {
        struct pal_iov iov = {(uint8_t *)bytes + at, count - at};
        size_t done = 0;
        enum pal_net st = pal_socket_send(s, &iov, 1, &done);
        if (st == PAL_NET_RESET)
            return; /* the victim has had enough */
        assert_true((st == PAL_NET_OK || st == PAL_NET_AGAIN) && pal_now_ns() < end);
        at += done;
    }
}

/* Up to `most` bytes, or until the peer ends the stream. False: that it did. */
static bool hear(pal_socket s, uint8_t *into, size_t most, size_t *have)
{
    const uint64_t end = deadline();

    while (*have < most) {
        struct pal_iov iov = {into + *have, most - *have};
        size_t done = 0;
        enum pal_net st = pal_socket_recv(s, &iov, 1, &done);
        if (st != PAL_NET_OK && st != PAL_NET_AGAIN)
            return false;
        *have += done;
        if (pal_now_ns() > end)
            ct_fail("the stream neither ends nor goes on after %zu bytes", *have);
    }
    return true;
}

/* A whole request or reply, and its private data. */
static void hear_hello(pal_socket s, bool is_reply, struct mpa_hello *hello, struct request *private_data)
{
    uint8_t frame[MPA_HELLO_MAX];
    const uint8_t *data = NULL;
    size_t have = 0, whole = MPA_FIXED_BYTES;
    enum mpa_verdict verdict;

    do {
        assert_true(hear(s, frame, whole, &have));
        verdict = mpa_hello_decode(frame, have, is_reply, hello, &data, &whole);
    } while (verdict == MPA_MORE);
    assert_int_equal(verdict, MPA_OK);
    private_data->bytes = hello->data_bytes;
    memcpy(private_data->data, data, hello->data_bytes);
}

static pal_socket accept_tcp(pal_socket listener)
{
    const struct pal_socket_tuning plain = {0};
    pal_socket s = PAL_SOCKET_NONE;

    if (!ct_until(pal_socket_accept(listener, &plain, NULL, &s) == PAL_NET_OK))
        ct_fail("the provider did not connect");
    return s;
}

static pal_socket connect_tcp(const WSD_SOCKADDR_IN *from, const WSD_SOCKADDR_IN *to)
{
    const struct pal_socket_tuning plain = {0};
    const struct pal_addr local = address_of(from), remote = address_of(to);
    pal_socket s = PAL_SOCKET_NONE;
    enum pal_net st = PAL_NET_AGAIN;

    assert_int_equal(pal_socket_connect(&local, &remote, &plain, &s), PAL_NET_OK);
    (void)ct_until((st = pal_socket_outcome(s)) != PAL_NET_AGAIN);
    assert_int_equal(st, PAL_NET_OK);
    return s;
}

/* ---- the connection ---- */

/* Be a server for one connect of the provider; afterwards the provider listens at that very place. */
static void capture_request(struct attack *a)
{
    WSD_SOCKADDR_IN at = ct_at(a->f->here, ct_port());
    const struct pal_addr place = address_of(&at);
    pal_socket listener, s;
    struct mpa_hello hello;
    struct sw_companion *c;

    assert_int_equal(pal_socket_listen(&place, 4, &(const struct pal_socket_tuning){0}, &listener),
                     PAL_NET_OK);
    ct_ok(sw_connect_start(a->f->provider, &a->f->other, &at, NULL, &c, NULL));
    ct_adopt_companion(a->f, c);
    s = accept_tcp(listener);
    hear_hello(s, false, &hello, &a->request);
    pal_socket_close(listener);
    pal_socket_close(s);
    assert_int_not_equal(sw_connect_finish(c, ct.wait_ms, NULL), 0);
    ct_close(a->f, c);
    ct_ok(sw_listen(a->f->provider, &at, 8, NULL, &a->listener));
    a->f->listeners[a->f->listener_count++] = a->listener;
}

/* Revision 1: nothing to confirm. The victim takes the connection and posts receives. */
static void connect_as_peer(struct attack *a)
{
    const struct mpa_hello hello = {.revision = 1, .wants_crc = true, .data_bytes = a->request.bytes};
    struct mpa_hello reply;
    struct request accepted;
    struct sw_companion *c;
    uint8_t frame[MPA_HELLO_MAX];

    a->answer_bytes = 0;
    a->s = connect_tcp(&a->f->other, &a->listener->local);
    put(a->s, frame, mpa_hello_encode(&hello, a->request.data, frame));
    ct_ok(ct_accept(a->f, a->listener, ct.wait_ms, &c));
    hear_hello(a->s, true, &reply, &accepted);
    assert_true(reply.wants_crc && !reply.is_reject);
    ct_end_init(a->f, &a->victim, c, RECVS * RECV_BYTES);
    memset(a->in, 0, sizeof a->in);
    for (DWORD i = 0; i < RECVS; i++)
        ct_ok(ct_recv(&a->victim, i * RECV_BYTES, RECV_BYTES, &a->in[i], i % 2 == 0 ? SW_POLL : SW_NOTIFY));
}

/* Only the middle of the arena, only to this connection; where it lies is in the descriptor (provider/data/grant.h). */
static void grant(struct attack *a, DWORD rights)
{
    struct sw_rdma_descriptor d;

    memset(a->arena, CLEAN, ARENA);
    ct_expose(&a->victim, a->arena + OPEN_AT, OPEN_BYTES, rights, &d);
    assert_true(d.length >= 20);
    a->key = get_be32(d.bytes + 4);
    a->at = get_be64(d.bytes + 8);
}

static size_t frame(uint8_t *out, const struct ddp_header *h, const void *payload, uint32_t count)
{
    const uint32_t ulpdu = ddp_header_encode(h, out + 2) + count;

    put_be16(out, (uint16_t)ulpdu);
    if (count > 0)
        memcpy(out + 2 + ulpdu - count, payload, count);
    return 2 + ulpdu +
           mpa_trailer_encode(mpa_pad(ulpdu), true, pal_crc32c(0, out, 2 + ulpdu), out + 2 + ulpdu);
}

static void put_frame(struct attack *a, const struct ddp_header *h, uint32_t count)
{
    static uint8_t payload[2 * OPEN_BYTES], out[2 * OPEN_BYTES + 64];

    memset(payload, WRITTEN, sizeof payload);
    put(a->s, out, frame(out, h, payload, count));
}

static struct ddp_header send_header(uint32_t msn)
{
    return (struct ddp_header){.is_last = true, .opcode = RDMAP_SEND, .msn = msn};
}

static void put_write(struct attack *a, uint32_t key, uint64_t to, uint32_t count)
{
    put_frame(a, &(struct ddp_header){.is_tagged = true, .is_last = true, .stag = key, .to = to}, count);
}

static void put_read(struct attack *a, uint32_t key, uint64_t from, uint32_t count)
{
    const struct rdmap_read_request r = {
        .sink_stag = 7, .sink_to = 9, .bytes = count, .source_stag = key, .source_to = from};
    uint8_t payload[RDMAP_READ_REQUEST_BYTES], out[128];

    rdmap_read_request_encode(&r, payload);
    put(a->s, out,
        frame(out, &(struct ddp_header){.is_last = true, .opcode = RDMAP_READ_REQUEST, .qn = 1, .msn = 1},
              payload, sizeof payload));
}

/* ---- what must hold afterwards ---- */

static void expect_clean(const struct attack *a, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (a->arena[i] != CLEAN)
            ct_fail("byte %zu of the arena was changed", i);
}

/* The stream ends, and its last frame is the Terminate. */
static void expect_terminate(struct attack *a, uint16_t error)
{
    struct rdmap_terminate t = {0};
    size_t at = 0;
    bool found = false;

    if (hear(a->s, a->answer, sizeof a->answer, &a->answer_bytes))
        ct_fail("more than %zu bytes of answer", sizeof a->answer);
    while (at < a->answer_bytes) {
        const uint32_t ulpdu = get_be16(a->answer + at);
        struct ddp_header h;
        assert_true(at + mpa_fpdu_bytes(ulpdu) <= a->answer_bytes && !found);
        assert_true(ddp_header_decode(a->answer + at + 2, ulpdu, &h));
        found = !h.is_tagged && h.opcode == RDMAP_TERMINATE;
        if (found)
            assert_true(rdmap_terminate_decode(a->answer + at + 2 + DDP_UNTAGGED_BYTES,
                                               ulpdu - DDP_UNTAGGED_BYTES, &t));
        at += mpa_fpdu_bytes(ulpdu);
    }
    if (!found || t.error != error)
        ct_fail("Terminate %s: 0x%04x (%s), expected 0x%04x", found ? "came" : "did not come", t.error,
                rdmap_error_text(t.error), error);
}

/* Every receive from number `from` on is over with what a broken connection gives (7.6), and so is whatever comes later. */
static void expect_over(struct attack *a, unsigned from)
{
    WSAOVERLAPPED late = {0};

    for (unsigned i = from; i < RECVS; i++)
        ct_one_of(ct_outcome(a->victim.c, &a->in[i]), WSAECONNABORTED, WSAECONNRESET);
    int error = ct_send(&a->victim, 0, 16, &late, SW_POLL);
    if (error == 0)
        error = ct_outcome(a->victim.c, &late);
    ct_one_of(error, WSAECONNABORTED, WSAECONNRESET, WSAENOTCONN);
}

static void end_attack(struct attack *a)
{
    pal_socket_close(a->s);
    ct_close(a->f, a->victim.c);
}

static void begin(struct fixture *f, struct attack *a)
{
    ct_needs_one_instance("its peer is this test, over TCP");
    memset(a, 0, sizeof *a);
    a->f = f;
    a->arena = ct_memory(f, ARENA);
    capture_request(a);
}

/* After all of that somebody else is served as ever. */
static void end(struct attack *a)
{
    struct ct_pair p;

    a->f->listener = a->listener;
    ct_pair(a->f, &p, 4096);
    ct_pair_works(&p);
}

/* ---- tests ---- */

/* The attacker's own code, so that what fails below fails for what it does. */
static void a_peer_that_keeps_the_rules_is_served(void **state)
{
    struct attack a;
    uint8_t text[64];

    begin(*state, &a);
    connect_as_peer(&a);
    grant(&a, MEM_READWRITE);
    put_write(&a, a.key, a.at, OPEN_BYTES);
    put_read(&a, a.key, a.at, sizeof text);
    put_frame(&a, &(struct ddp_header){.is_last = true, .opcode = RDMAP_SEND, .msn = 1}, 100);
    assert_int_equal(ct_done(a.victim.c, &a.in[0], 0), 100);
    assert_int_equal(a.victim.rx[99], WRITTEN);
    assert_int_equal(a.arena[OPEN_AT], WRITTEN);
    assert_int_equal(a.arena[OPEN_AT + OPEN_BYTES - 1], WRITTEN);
    expect_clean(&a, 0, OPEN_AT);
    expect_clean(&a, OPEN_AT + OPEN_BYTES, ARENA);
    const size_t answer = mpa_fpdu_bytes(DDP_TAGGED_BYTES + sizeof text);
    assert_true(hear(a.s, a.answer, answer, &a.answer_bytes));
    memset(text, WRITTEN, sizeof text);
    assert_memory_equal(a.answer + 2 + DDP_TAGGED_BYTES, text, sizeof text);
    end_attack(&a);
    end(&a);
}

static void writes_that_were_not_granted_end_the_connection(void **state)
{
    struct attack a;

    begin(*state, &a);
    const struct {
        DWORD rights;
        uint32_t key_xor;
        int64_t at;
        uint32_t bytes;
        uint16_t error;
    } bad[] = {
        {MEM_READWRITE, 0x00010000, 0, 64, TERM_DDP_INVALID_STAG},
        {MEM_READWRITE, 0, -1, 64, TERM_DDP_BOUNDS},
        {MEM_READWRITE, 0, OPEN_BYTES - 63, 64, TERM_DDP_BOUNDS},
        {MEM_READWRITE, 0, 0, OPEN_BYTES + 1, TERM_DDP_BOUNDS},
        {MEM_READWRITE, 0, INT64_MIN, 64, TERM_DDP_BOUNDS},
        {MEM_READ, 0, 0, 64, TERM_RDMAP_RIGHTS},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        connect_as_peer(&a);
        grant(&a, bad[i].rights);
        put_write(&a, a.key ^ bad[i].key_xor, a.at + (uint64_t)bad[i].at, bad[i].bytes);
        expect_terminate(&a, bad[i].error);
        expect_over(&a, 0);
        expect_clean(&a, 0, ARENA);
        end_attack(&a);
    }
    end(&a);
}

static void reads_that_were_not_granted_fetch_nothing(void **state)
{
    struct attack a;

    begin(*state, &a);
    const struct {
        DWORD rights;
        uint32_t key_xor;
        int64_t at;
        uint32_t bytes;
        uint16_t error;
    } bad[] = {
        {MEM_READWRITE, 0x00010000, 0, 64, TERM_RDMAP_INVALID_STAG},
        {MEM_READWRITE, 0, -1, 64, TERM_RDMAP_BOUNDS},
        {MEM_READWRITE, 0, OPEN_BYTES - 63, 64, TERM_RDMAP_BOUNDS},
        {MEM_WRITE, 0, 0, 64, TERM_RDMAP_RIGHTS},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        connect_as_peer(&a);
        grant(&a, bad[i].rights);
        put_read(&a, a.key ^ bad[i].key_xor, a.at + (uint64_t)bad[i].at, bad[i].bytes);
        expect_terminate(&a, bad[i].error); /* the first and last frame that comes */
        expect_over(&a, 0);
        end_attack(&a);
    }
    end(&a);
}

/* A key is dead when WSPDeregisterRdmaMemory is back (6.5), and another connection's key is none. */
static void keys_that_were_taken_back_or_belong_to_others_are_dead(void **state)
{
    struct attack a, b;
    struct sw_rdma_descriptor d;

    begin(*state, &a);
    connect_as_peer(&a);
    memset(a.arena, CLEAN, ARENA);
    ct_expose(&a.victim, a.arena, ARENA, MEM_READWRITE, &d);
    ct_ok(sw_deregister_rdma(a.victim.c, &d));
    put_write(&a, get_be32(d.bytes + 4), get_be64(d.bytes + 8), 64);
    expect_terminate(&a, TERM_DDP_INVALID_STAG);
    expect_over(&a, 0);
    expect_clean(&a, 0, ARENA);
    end_attack(&a);

    b = a;
    connect_as_peer(&a);
    connect_as_peer(&b);
    grant(&a, MEM_READWRITE);
    put_write(&b, a.key, a.at, 64);
    expect_terminate(&b, TERM_DDP_STREAM);
    expect_over(&b, 0);
    expect_clean(&a, 0, ARENA);
    put_frame(&a, &(struct ddp_header){.is_last = true, .opcode = RDMAP_SEND, .msn = 1}, 5);
    assert_int_equal(ct_done(a.victim.c, &a.in[0], 0), 5); /* whose key it was is not harmed */
    end_attack(&a);
    end_attack(&b);
    end(&a);
}

/* The receive that a message does not fit is WSAEMSGSIZE, the rest is over (Q37). */
static void a_message_that_does_not_fit_is_told_from_the_others(void **state)
{
    struct attack a;
    struct ddp_header h = send_header(1);

    begin(*state, &a);
    connect_as_peer(&a);
    put_frame(&a, &h, RECV_BYTES);
    assert_int_equal(ct_done(a.victim.c, &a.in[0], 0), RECV_BYTES);
    h = send_header(2);
    put_frame(&a, &h, RECV_BYTES + 1);
    expect_terminate(&a, TERM_DDP_TOO_LONG);
    (void)ct_done(a.victim.c, &a.in[1], WSAEMSGSIZE);
    expect_over(&a, 2);
    end_attack(&a);
    end(&a);
}

static void frames_that_are_wrong_end_the_connection(void **state)
{
    static const struct {
        const char *what;
        size_t at; /* byte of a frame with a message of ten bytes */
        uint8_t bits;
        bool with_good_crc;
        uint16_t error;
    } bad[] = {
        {"a checksum", 30, 0x01, false, TERM_MPA_CRC},
        {"a byte of the message", 22, 0x80, false, TERM_MPA_CRC},
        {"DDP's version", 2, 0x03, true, TERM_DDP_UNTAGGED_VERSION},
        {"RDMAP's version", 3, 0xC0, true, TERM_RDMAP_VERSION},
        {"the opcode", 3, 0x0C, true, TERM_RDMAP_OPCODE},
        {"the queue", 11, 0x08, true, TERM_DDP_QN},
        {"the number of the message", 15, 0x06, true, TERM_DDP_MSN},
        {"the offset", 19, 0x10, true, TERM_DDP_MO},
    };
    struct attack a;

    begin(*state, &a);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t out[64];
        const struct ddp_header h = send_header(1);
        const size_t whole = frame(out, &h, "0123456789", 10), before = whole - MPA_CRC_BYTES;
        connect_as_peer(&a);
        grant(&a, MEM_READWRITE);
        out[bad[i].at] ^= bad[i].bits;
        if (bad[i].with_good_crc)
            (void)mpa_trailer_encode(0, true, pal_crc32c(0, out, before), out + before);
        printf("[   WHAT   ] %s is wrong\n", bad[i].what);
        put(a.s, out, whole);
        expect_terminate(&a, bad[i].error);
        expect_over(&a, 0);
        expect_clean(&a, 0, ARENA);
        end_attack(&a);
    }
    end(&a);
}

/* A length that no header fits in. */
static void a_frame_shorter_than_a_header_ends_the_connection(void **state)
{
    static const uint8_t shorter[] = {0, 2, 0x41, 0x43, 0, 0, 0, 0};
    struct attack a;

    begin(*state, &a);
    connect_as_peer(&a);
    put(a.s, shorter, sizeof shorter);
    expect_terminate(&a, TERM_MPA_MARKER); /* RFC 5044 8: framing is lost */
    expect_over(&a, 0);
    end_attack(&a);
    end(&a);
}

static void half_a_frame_and_the_end_is_a_reset(void **state)
{
    struct attack a;
    uint8_t out[64];
    const struct ddp_header h = send_header(1);

    begin(*state, &a);
    const size_t whole = frame(out, &h, "0123456789", 10);
    for (size_t part = 1; part < whole; part += 9) {
        connect_as_peer(&a);
        put(a.s, out, part);
        pal_socket_finish(a.s);
        expect_over(&a, 0);
        end_attack(&a);
    }
    end(&a);
}

/* A server that is no iWARP peer, whatever it says: TCP may still reach it, so the switch falls back (4.8). */
static void a_server_that_is_no_peer_lets_the_switch_fall_back(void **state)
{
    static const char *const said[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
                                       "MPA ID Rep Framf\x40\x01\0\0", ""};
    struct fixture *f = *state;

    ct_needs_one_instance("its peer is this test, over TCP");
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        WSD_SOCKADDR_IN at = ct_at(f->here, ct_port());
        const struct pal_addr place = address_of(&at);
        pal_socket listener, s;
        struct sw_companion *c;
        bool falls_back = false;
        assert_int_equal(pal_socket_listen(&place, 4, &(const struct pal_socket_tuning){0}, &listener),
                         PAL_NET_OK);
        ct_ok(sw_connect_start(f->provider, &f->other, &at, NULL, &c, NULL));
        ct_adopt_companion(f, c);
        s = accept_tcp(listener);
        put(s, said[i], i == 2 ? MPA_FIXED_BYTES : strlen(said[i]));
        pal_socket_finish(s);
        ct_fails(WSAETIMEDOUT, sw_connect_finish(c, ct.wait_ms, &falls_back));
        assert_true(falls_back);
        pal_socket_close(s);
        pal_socket_close(listener);
        ct_close(f, c);
    }
}

static const struct CMUnitTest hostile_iwarp_tests[] = {
    ct_test(a_peer_that_keeps_the_rules_is_served),
    ct_test(writes_that_were_not_granted_end_the_connection),
    ct_test(reads_that_were_not_granted_fetch_nothing),
    ct_test(keys_that_were_taken_back_or_belong_to_others_are_dead),
    ct_test(a_message_that_does_not_fit_is_told_from_the_others),
    ct_test(frames_that_are_wrong_end_the_connection),
    ct_test(a_frame_shorter_than_a_header_ends_the_connection),
    ct_test(half_a_frame_and_the_end_is_a_reset),
    ct_test(a_server_that_is_no_peer_lets_the_switch_fall_back),
};
CT_GROUP(hostile_iwarp);
