/* sp_sockets.c - sockets in usual states, bytes that can be told apart, helpers in other threads. */
#include "sp.h"

SOCKET sp_stream(void)
{
    SOCKET s;

    sp_ok(sp_socket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, WSA_FLAG_OVERLAPPED, &s));
    return s;
}

SOCKET sp_listener(int backlog, WSD_SOCKADDR_IN *at)
{
    SOCKET s = sp_stream();

    sp_ok(sp_bind(s, &sp_env.here));
    sp_ok(sp_listen(s, backlog));
    sp_ok(sp_local(s, at));
    assert_int_not_equal(at->sin_port, 0);
    return s;
}

void sp_carried_name(SOCKET s, const char *name)
{
    char found[32] = "";

    sp_ok(sp.carried_by(s, found, sizeof(found)));
    if (strcmp(found, name) != 0)
        sp_fail("the connection is carried by %s, expected %s", found, name);
}

void sp_carried(SOCKET s)
{
    sp_carried_name(s, sp_env.lane);
}

void sp_pair_open(struct sp_pair *pair)
{
    pair->listener = sp_listener(5, &pair->at);
    pair->a = sp_stream();
    sp_ok(sp_connect(pair->a, &pair->at));
    sp_ok(sp_accept(pair->listener, &pair->b));
    sp_carried(pair->a);
    sp_carried(pair->b);
}

void sp_pair_close(struct sp_pair *pair)
{
    SOCKET all[] = {pair->a, pair->b, pair->listener};

    for (unsigned i = 0; i < 3; i++)
        if (all[i] != INVALID_SOCKET)
            sp_ok(sp_close(all[i]));
}

/* --- bytes --- */

static uint8_t byte_at(uint32_t seed, uint64_t i)
{
    return (uint8_t)(seed * 37u + i + (i >> 8) * 3u + (i >> 16) * 7u);
}

void sp_fill(void *data, size_t bytes, uint32_t seed, uint64_t at)
{
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)data)[i] = byte_at(seed, at + i);
}

static size_t first_difference(const void *data, size_t bytes, uint32_t seed, uint64_t at)
{
    size_t i = 0;

    while (i < bytes && ((const uint8_t *)data)[i] == byte_at(seed, at + i))
        i++;
    return i;
}

void sp_expect_pattern(const void *data, size_t bytes, uint32_t seed, uint64_t at)
{
    size_t i = first_difference(data, bytes, seed, at);

    if (i < bytes)
        sp_fail("byte %llu of stream %u is wrong", (unsigned long long)(at + i), (unsigned)seed);
}

void sp_send_all(SOCKET s, const void *data, size_t bytes)
{
    DWORD sent = 0;

    sp_ok(sp_send(s, data, (DWORD)bytes, 0, &sent));
    assert_int_equal(sent, bytes); /* a blocking send sends all */
}

void sp_recv_all(SOCKET s, void *data, size_t bytes)
{
    size_t have = 0;

    while (have < bytes) {
        DWORD got = 0;

        sp_ok(sp_recv(s, (char *)data + have, (DWORD)(bytes - have), 0, &got));
        if (got == 0)
            sp_fail("the stream ended after %u of %u bytes", (unsigned)have, (unsigned)bytes);
        have += got;
    }
}

void sp_expect_end(SOCKET s)
{
    char byte;
    DWORD got = 99;

    sp_ok(sp_recv(s, &byte, 1, 0, &got));
    assert_int_equal(got, 0);
}

void sp_echo(SOCKET from, SOCKET to, uint32_t seed)
{
    char out[300], in[300];

    sp_fill(out, sizeof(out), seed, 0);
    sp_send_all(from, out, sizeof(out));
    sp_recv_all(to, in, sizeof(in));
    sp_expect_pattern(in, sizeof(in), seed, 0);
}

/* --- other threads --- */

static void read_all(void *context)
{
    struct sp_reader *r = context;
    char *piece = malloc(r->piece_bytes);

    while (r->got < r->want && piece != NULL) {
        uint64_t room = r->want - r->got;
        DWORD got = 0;

        r->error = sp_recv(r->s, piece, room < r->piece_bytes ? (DWORD)room : r->piece_bytes, 0, &got);
        if (r->error != 0 || got == 0) {
            r->ended = r->error == 0;
            break;
        }
        r->differs = r->differs || first_difference(piece, got, r->seed, r->got) < got;
        r->got += got;
    }
    free(piece);
}

void sp_reader_start(struct sp_reader *r)
{
    r->got = 0;
    r->error = 0;
    r->differs = r->ended = false;
    r->thread = pal_thread_start(read_all, r, "reader");
    assert_non_null(r->thread);
}

void sp_reader_join(struct sp_reader *r)
{
    pal_thread_join(r->thread);
    sp_ok(r->error);
    assert_false(r->differs);
    assert_int_equal(r->got, r->want);
}

static void run_call(void *context)
{
    struct sp_call *c = context;

    pal_store_release(&c->has_begun, 1u);
    c->error = c->fn(c->context);
    pal_store_release(&c->is_over, 1u);
}

void sp_call_start(struct sp_call *c, int (*fn)(void *context), void *context)
{
    c->fn = fn;
    c->context = context;
    pal_store_relaxed(&c->has_begun, 0u);
    pal_store_relaxed(&c->is_over, 0u);
    c->asked = ws2_upcall_count(SW_UPCALL_QUERY_BLOCKING_CALLBACK);
    c->thread = pal_thread_start(run_call, c, "call");
    assert_non_null(c->thread);
}

void sp_call_blocks(struct sp_call *c)
{
    sp_until(ws2_upcall_count(SW_UPCALL_QUERY_BLOCKING_CALLBACK) > c->asked);
    pal_sleep_ms(30);
    assert_false(pal_load_acquire(&c->is_over));
}

void sp_call_most_likely_blocks(struct sp_call *c)
{
    sp_until(pal_load_acquire(&c->has_begun) != 0);
    pal_sleep_ms(200);
    assert_false(pal_load_acquire(&c->is_over));
}

int sp_call_join(struct sp_call *c)
{
    pal_thread_join(c->thread);
    return c->error;
}

int sp_receive_now(void *receiving)
{
    struct sp_receiving *r = receiving;

    return sp_recv(r->s, r->data, sizeof(r->data), 0, &r->got);
}

static char zeros[60000];

uint64_t sp_fill_up(SOCKET s)
{
    uint64_t total = 0;
    int error = 0;

    while (error == 0) {
        DWORD sent = 0;

        error = sp_send(s, zeros, sizeof(zeros), 0, &sent);
        total += sent;
    }
    sp_fails(WSAEWOULDBLOCK, error);
    return total;
}

void sp_drain(SOCKET s, uint64_t bytes)
{
    while (bytes > 0) {
        DWORD got = 0;

        sp_ok(sp_recv(s, zeros, bytes < sizeof(zeros) ? (DWORD)bytes : sizeof(zeros), 0, &got));
        assert_true(got > 0);
        bytes -= got;
    }
}
