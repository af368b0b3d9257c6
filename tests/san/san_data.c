/* san_data.c - bytes arrive once and in order, however they are sent and received. */
#include "san_test.h"

#define STREAM_BYTES (6u << 20)
#define PIECE_MAX    200000u
#define AT_ONCE      4u

struct random {
    uint64_t state;
};

static uint32_t next(struct random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return (uint32_t)(r->state >> 16);
}

/* Mostly small, some large. */
static size_t size_of(struct random *r, size_t max)
{
    static const uint32_t limits[] = {16, 200, 3000, 5000, 20000, PIECE_MAX};
    size_t n = 1 + next(r) % limits[next(r) % 6];

    return n < max ? n : max;
}

struct stream {
    struct end *e;
    uint64_t total;
    unsigned number;
    struct random random;
};

static void fill(struct stream *s, uint64_t at, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = pattern(at + i, s->number);
}

static void check(struct stream *s, uint64_t at, const uint8_t *got, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (got[i] != pattern(at + i, s->number)) {
            const unsigned long long where = at + i;
            print_error("stream %u: byte %llu is %u\n", s->number, where, got[i]);
            fail();
        }
}

static void cut(struct random *random, uint8_t *memory, size_t n, WSABUF *pieces, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t part = i + 1 == count ? n : next(random) % (n + 1);

        pieces[i].buf = (CHAR *)memory;
        pieces[i].len = (ULONG)part;
        memory += part;
        n -= part;
    }
}

static size_t send_overlapped(struct stream *s, uint64_t at, uint8_t *memory, size_t n)
{
    struct pending p[AT_ONCE];
    size_t each = n / AT_ONCE;

    fill(s, at, memory, n);
    if (each == 0)
        return 0;
    for (unsigned i = 0; i < AT_ONCE; i++)
        assert_int_equal(end_submit(s->e, &p[i], SW_REQUEST_SEND, memory + i * each, each), 0);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        end_wait_pending(s->e, &p[i]);
        assert_int_equal(p[i].request.op.error, 0);
        assert_int_equal(p[i].request.op.bytes, each);
    }
    return each * AT_ONCE;
}

static size_t send_now(struct stream *s, uint64_t at, uint8_t *memory, size_t n)
{
    size_t done;
    int result;

    fill(s, at, memory, n);
    result = end_now(s->e, SW_REQUEST_SEND, 0, memory, n, &done);
    memset(memory, 0xEE, n); /* what was taken was copied */
    if (result == 0) {
        assert_int_equal(done, n); /* all or nothing */
        return done;
    }
    assert_int_equal(result, WSAEWOULDBLOCK);
    end_wait_events(s->e, FD_WRITE);
    return 0;
}

static void write_stream(void *argument)
{
    struct stream *s = argument;
    uint8_t *memory = malloc(PIECE_MAX);
    struct sw_request r;
    WSABUF pieces[5];

    for (uint64_t at = 0; at < s->total;) {
        size_t n = size_of(&s->random, (size_t)(s->total - at < PIECE_MAX ? s->total - at : PIECE_MAX));

        switch (next(&s->random) % 4) {
        case 0:
            fill(s, at, memory, n);
            assert_int_equal(end_send(s->e, memory, n), 0);
            at += n;
            break;
        case 1:
            fill(s, at, memory, n);
            cut(&s->random, memory, n, pieces, 5);
            assert_int_equal(end_run(s->e, &r, SW_REQUEST_SEND, 0, pieces, 5, WAIT_MS), 0);
            at += n;
            break;
        case 2: at += send_now(s, at, memory, n); break;
        default: at += send_overlapped(s, at, memory, n); break;
        }
    }
    free(memory);
}

static size_t receive_now(struct stream *s, uint8_t *memory, size_t n)
{
    size_t done;
    int result;

    if (next(&s->random) % 2 == 0) { /* a look first */
        size_t seen;

        result = end_now(s->e, SW_REQUEST_RECEIVE, WS_MSG_PEEK, memory, n, &seen);
        assert_true(result == 0 || result == WSAEWOULDBLOCK);
    }
    result = end_now(s->e, SW_REQUEST_RECEIVE, 0, memory, n, &done);
    if (result == 0)
        return done;
    assert_int_equal(result, WSAEWOULDBLOCK);
    end_wait_events(s->e, FD_READ);
    assert_true((s->e->carrier->ops->ready(s->e->carrier).events & FD_READ) != 0);
    assert_true(s->e->carrier->ops->readable(s->e->carrier) > 0);
    return 0;
}

/* Each takes what has come, so they are checked one after the other. */
static size_t receive_overlapped(struct stream *s, uint64_t at, uint8_t *memory, size_t n)
{
    struct pending p[AT_ONCE];
    size_t each = n / AT_ONCE;
    size_t got = 0;

    if (each == 0 || s->total - at < AT_ONCE * each)
        return 0; /* the last ones might get nothing */
    for (unsigned i = 0; i < AT_ONCE; i++)
        assert_int_equal(end_submit(s->e, &p[i], SW_REQUEST_RECEIVE, memory + i * each, each), 0);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        end_wait_pending(s->e, &p[i]);
        assert_int_equal(p[i].request.op.error, 0);
        assert_true(p[i].request.op.bytes > 0 && p[i].request.op.bytes <= each);
        check(s, at + got, memory + i * each, (size_t)p[i].request.op.bytes);
        got += (size_t)p[i].request.op.bytes;
    }
    return got;
}

static void read_stream(void *argument)
{
    struct stream *s = argument;
    uint8_t *memory = malloc(PIECE_MAX);
    struct sw_request r;
    WSABUF pieces[5];

    for (uint64_t at = 0; at < s->total;) {
        size_t n = size_of(&s->random, (size_t)(s->total - at < PIECE_MAX ? s->total - at : PIECE_MAX));
        size_t got = 0;

        switch (next(&s->random) % 5) {
        case 0: assert_int_equal(end_receive(s->e, memory, n, &got), 0); break;
        case 1:
            cut(&s->random, memory, n, pieces, 5);
            assert_int_equal(end_run(s->e, &r, SW_REQUEST_RECEIVE, 0, pieces, 5, WAIT_MS), 0);
            got = (size_t)r.op.bytes;
            break;
        case 2:
            pieces[0] = (WSABUF){(ULONG)n, (CHAR *)memory};
            assert_int_equal(end_run(s->e, &r, SW_REQUEST_RECEIVE, WS_MSG_WAITALL, pieces, 1, WAIT_MS), 0);
            got = (size_t)r.op.bytes;
            assert_int_equal(got, n);
            break;
        case 3: got = receive_now(s, memory, n); break;
        default: at += receive_overlapped(s, at, memory, n); continue;
        }
        check(s, at, memory, got);
        at += got;
    }
    free(memory);
}

static void exchange(uint64_t seed, uint64_t total)
{
    struct end a, b;
    struct stream s[4];
    struct pal_thread *threads[4];

    end_pair(&a, &b);
    for (unsigned i = 0; i < 4; i++) /* a writes 0, b reads it; b writes 1, a reads it */
        s[i] = (struct stream){i == 0 || i == 3 ? &a : &b, total, i / 2, {seed * 7919u + i + 1}};
    threads[0] = pal_thread_start(write_stream, &s[0], "write a");
    threads[1] = pal_thread_start(read_stream, &s[1], "read b");
    threads[2] = pal_thread_start(write_stream, &s[2], "write b");
    threads[3] = pal_thread_start(read_stream, &s[3], "read a");
    for (unsigned i = 0; i < 4; i++)
        pal_thread_join(threads[i]);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

static void two_streams_arrive_in_order(void **state)
{
    uint64_t seed = pal_now_ns();

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    exchange(seed, STREAM_BYTES);
}

static void also_when_the_peer_cannot_read(void **state)
{
    uint64_t seed = pal_now_ns();

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    env.settings.force_push = true;
    exchange(seed, STREAM_BYTES / 2);
}

static void also_with_few_and_small_buffers(void **state)
{
    uint64_t seed = pal_now_ns();

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    env.settings.receives = 4;
    env.settings.send_buffers = 1;
    env.settings.message_bytes = 256;
    env.settings.storage_bytes = 512;
    env.settings.threshold_bytes = 1000;
    env.settings.transfers = 1;
    exchange(seed, STREAM_BYTES / 16);
}

static void a_peek_leaves_the_bytes(void **state)
{
    struct end a, b;
    struct pending none;
    WSABUF buffer;
    struct sw_request r;
    char text[16];
    size_t n;

    (void)state;
    end_pair(&a, &b);
    memset(&none, 0, sizeof(none));
    assert_int_equal(end_send(&a, "hello", 5), 0);
    buffer = (WSABUF){3, text}; /* waits until there is something to see */
    assert_int_equal(end_run(&b, &r, SW_REQUEST_RECEIVE, WS_MSG_PEEK, &buffer, 1, WAIT_MS), 0);
    assert_int_equal(r.op.bytes, 3);
    assert_int_equal(end_receive(&b, text, sizeof(text), &n), 0);
    assert_int_equal(n, 5);
    assert_memory_equal(text, "hello", 5);
    /* and ends when nothing comes */
    assert_int_equal(end_run(&b, &r, SW_REQUEST_RECEIVE, WS_MSG_PEEK, &buffer, 1, 30), WSAETIMEDOUT);
    assert_true(b.carrier->ops->cancel(b.carrier, &r));
    assert_int_equal(b.carrier->ops->wait(b.carrier, &r, UINT64_MAX, NULL), 0);
    assert_int_equal(r.op.error, WSA_OPERATION_ABORTED);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

static void an_urgent_byte_runs_ahead(void **state)
{
    struct end a, b;
    struct sw_request r;
    WSABUF buffer = {4, (CHAR *)"abc!"};
    char text[16];
    size_t n;

    (void)state;
    end_pair(&a, &b);
    assert_int_equal(end_now(&b, SW_REQUEST_RECEIVE, WS_MSG_OOB, text, 1, &n), WSAEINVAL);
    assert_int_equal(end_run(&a, &r, SW_REQUEST_SEND, WS_MSG_OOB, &buffer, 1, WAIT_MS), 0);
    assert_int_equal(end_send(&a, "def", 3), 0);
    end_wait_events(&b, FD_OOB);
    assert_int_equal(end_now(&b, SW_REQUEST_RECEIVE, WS_MSG_OOB, text, 1, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(text[0], '!');
    assert_int_equal(b.carrier->ops->ready(b.carrier).events & FD_OOB, 0);
    assert_int_equal(end_receive(&b, text, sizeof(text), &n), 0);
    assert_int_equal(n, 3); /* not past the mark */
    assert_memory_equal(text, "abc", 3);
    end_receive_all(&b, text, 3);
    assert_memory_equal(text, "def", 3);
    assert_true(b.carrier->ops->at_mark(b.carrier));
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

static void an_urgent_byte_stays_in_line_when_asked(void **state)
{
    struct end a, b;
    struct sw_request r;
    WSABUF buffer = {4, (CHAR *)"abc!"};
    int on = 1;
    char text[16];
    size_t n;

    (void)state;
    end_pair(&a, &b);
    assert_int_equal(
        b.carrier->ops->set_option(b.carrier, WS_SOL_SOCKET, WS_SO_OOBINLINE, (char *)&on, sizeof(on)), 0);
    assert_int_equal(end_run(&a, &r, SW_REQUEST_SEND, WS_MSG_OOB, &buffer, 1, WAIT_MS), 0);
    end_receive_all(&b, text, 4);
    assert_memory_equal(text, "abc!", 4);
    assert_int_equal(end_now(&b, SW_REQUEST_RECEIVE, WS_MSG_OOB, text, 1, &n), WSAEINVAL);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

/* Small sends beside large ones, many in flight. */
static void many_small_sends_share_messages(void **state)
{
    enum { COUNT = 4000 };
    struct pending *p = calloc(COUNT, sizeof(*p));
    uint8_t *from = malloc(64 * COUNT), *to = malloc(64 * COUNT);
    struct sw_san_stats stats;
    struct end a, b;

    (void)state;
    for (size_t i = 0; i < 64 * COUNT; i++)
        from[i] = pattern(i, 3);
    end_pair(&a, &b);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(end_submit(&a, &p[i], SW_REQUEST_SEND, from + 64 * i, 64), 0);
    end_receive_all(&b, to, 64 * COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        end_wait_pending(&a, &p[i]);
    assert_memory_equal(from, to, 64 * COUNT);
    sw_san_stats(a.carrier, &stats);
    assert_true(stats.session.messages_sent < COUNT);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
    free(p);
    free(from);
    free(to);
}

const struct CMUnitTest data_tests[] = {
    cmocka_unit_test_setup_teardown(two_streams_arrive_in_order, san_setup, san_teardown),
    cmocka_unit_test_setup_teardown(also_when_the_peer_cannot_read, san_setup, san_teardown),
    cmocka_unit_test_setup_teardown(also_with_few_and_small_buffers, san_setup, san_teardown),
    cmocka_unit_test_setup_teardown(a_peek_leaves_the_bytes, san_setup, san_teardown),
    cmocka_unit_test_setup_teardown(an_urgent_byte_runs_ahead, san_setup, san_teardown),
    cmocka_unit_test_setup_teardown(an_urgent_byte_stays_in_line_when_asked, san_setup, san_teardown),
    cmocka_unit_test_setup_teardown(many_small_sends_share_messages, san_setup, san_teardown),
};
const size_t data_test_count = sizeof(data_tests) / sizeof(data_tests[0]);
