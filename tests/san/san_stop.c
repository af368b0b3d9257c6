/* san_stop.c - how connections begin and end otherwise: half close, close with unsent data, abort, cancel, time-outs, a full
 * backlog, peers that are silent or hostile. */
#include "san_test.h"

#define NEVER_MS (100 * WAIT_MS) /* the end must not have to wait for a time-out of the protocol's */

static void a_half_closed_stream_still_comes_back(void **state)
{
    struct end a, b;
    char text[16];
    size_t n;

    (void)state;
    end_pair(&a, &b);
    assert_int_equal(end_send(&a, "last", 4), 0);
    assert_int_equal(a.carrier->ops->shutdown(a.carrier, SD_SEND), 0);
    assert_int_equal(end_send(&a, "more", 4), WSAESHUTDOWN);
    end_wait_events(&b, FD_CLOSE);
    end_receive_all(&b, text, 4);
    assert_int_equal(end_receive(&b, text, sizeof(text), &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(end_send(&b, "answer", 6), 0);
    end_receive_all(&a, text, 6);
    assert_memory_equal(text, "answer", 6);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
}

struct closing {
    struct end *e;
    uint32_t linger_ms;
};

static void close_it(void *argument)
{
    struct closing *c = argument;

    end_close(c->e, c->linger_ms);
}

static void a_graceful_close_sends_what_is_left(void **state)
{
    const size_t n = 1u << 20;
    uint8_t *from = malloc(n), *to = malloc(n);
    struct closing c;
    struct pal_thread *thread;
    struct pending p[3];
    struct end a, b;
    size_t more;

    (void)state;
    for (size_t i = 0; i < n; i++)
        from[i] = pattern(i, 9);
    end_pair(&a, &b);
    assert_int_equal(end_submit(&a, &p[0], SW_REQUEST_SEND, from, 100), 0);
    assert_int_equal(end_submit(&a, &p[1], SW_REQUEST_SEND, from + 100, n - 10100), 0);
    assert_int_equal(end_submit(&a, &p[2], SW_REQUEST_SEND, from + n - 10000, 10000), 0);
    c = (struct closing){&a, SW_SESSION_LINGER_FOREVER};
    thread = pal_thread_start(close_it, &c, "close");
    end_receive_all(&b, to, n);
    assert_memory_equal(from, to, n);
    assert_int_equal(end_receive(&b, to, n, &more), 0);
    assert_int_equal(more, 0);
    pal_thread_join(thread);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(p[i].times, 1);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
    free(from);
    free(to);
}

static void an_abort_is_a_reset_for_the_peer(void **state)
{
    struct pending mine, theirs;
    struct end a, b;
    char x[4], y[4];
    size_t n;

    (void)state;
    end_pair(&a, &b);
    assert_int_equal(end_submit(&a, &mine, SW_REQUEST_RECEIVE, x, sizeof(x)), 0);
    assert_int_equal(end_submit(&b, &theirs, SW_REQUEST_RECEIVE, y, sizeof(y)), 0);
    end_close(&a, 0);
    assert_int_equal(mine.times, 1);
    assert_int_equal(mine.request.op.error, WSA_OPERATION_ABORTED);
    end_wait_pending(&b, &theirs);
    assert_int_equal(theirs.request.op.error, WSAECONNRESET);
    assert_int_equal(end_receive(&b, y, sizeof(y), &n), WSAECONNRESET);
    assert_int_equal(end_send(&b, "x", 1), WSAECONNRESET);
    end_wait_events(&b, FD_CLOSE);
    end_close(&b, 0);
}

static void linger_is_over_when_the_peer_does_not_read(void **state)
{
    const size_t n = 4u << 20;
    uint8_t *from = calloc(1, n);
    struct pending p;
    struct end a, b;
    uint64_t deadline = pal_now_ns() + WAIT_MS * UINT64_C(1000000);
    bool in_time = true;

    (void)state;
    end_pair(&a, &b);
    assert_int_equal(end_submit(&a, &p, SW_REQUEST_SEND, from, n), 0);
    a.carrier->ops->close(a.carrier, 50);
    pal_mutex_lock(&a.lock);
    while (a.closed == 0 && in_time)
        in_time = pal_cond_timedwait(&a.changed, &a.lock, deadline);
    pal_mutex_unlock(&a.lock);
    assert_true(in_time);
    assert_int_equal(a.closed_error, WSAETIMEDOUT);
    assert_int_equal(p.times, 1);
    assert_int_not_equal(p.request.op.error, 0);
    end_fini(&a);
    end_close(&b, 0);
    free(from);
}

static void a_receive_is_taken_back(void **state)
{
    struct end a, b;
    struct sw_request r;
    struct pending p;
    char text[16];
    WSABUF buffer = {sizeof(text), text};

    (void)state;
    end_pair(&a, &b);
    assert_int_equal(end_run(&b, &r, SW_REQUEST_RECEIVE, 0, &buffer, 1, 30), WSAETIMEDOUT);
    assert_true(b.carrier->ops->cancel(b.carrier, &r));
    assert_int_equal(b.carrier->ops->wait(b.carrier, &r, UINT64_MAX, NULL), 0);
    assert_int_equal(r.op.error, WSA_OPERATION_ABORTED);
    assert_int_equal(end_submit(&b, &p, SW_REQUEST_RECEIVE, text, sizeof(text)), 0);
    assert_true(b.carrier->ops->cancel(b.carrier, &p.request));
    end_wait_pending(&b, &p);
    assert_int_equal(p.request.op.error, WSA_OPERATION_ABORTED);
    assert_int_equal(end_send(&a, "kept", 4), 0); /* nothing is lost */
    end_receive_all(&b, text, 4);
    assert_memory_equal(text, "kept", 4);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

/* The peer does not fetch it, and its memory is the peer's to read: only the end of the connection gives it back. */
static void a_large_send_that_is_cancelled_ends_after_a_while(void **state)
{
    const size_t n = 4u << 20;
    struct pending p;
    struct end a, b;
    uint8_t *from = calloc(1, n);

    (void)state;
    end_pair(&a, &b);
    assert_int_equal(end_submit(&a, &p, SW_REQUEST_SEND, from, n), 0);
    assert_int_equal(end_send(&b, "x", 1), 0); /* not broken yet */
    (void)a.carrier->ops->cancel(a.carrier, &p.request);
    end_wait_pending(&a, &p);
    assert_int_equal(p.request.op.error, WSA_OPERATION_ABORTED);
    assert_int_equal(end_send(&a, "x", 1), WSAECONNABORTED); /* only closing is left (contract 8.8) */
    end_close(&a, 0);
    end_close(&b, 0);
    free(from);
}

static void interrupt_soon(void *argument)
{
    struct sw_interrupt *i = argument;

    pal_sleep_ms(30);
    pal_store_release(&i->raised, 1u);
    while (pal_swap_acq_rel(&i->lock_word, 1u) != 0)
        pal_thread_yield();
    if (i->poke != NULL)
        i->poke(i);
    pal_store_release(&i->lock_word, 0u);
}

static void a_wait_is_interrupted_and_a_close_ends_it(void **state)
{
    struct sw_interrupt interrupt = {0};
    struct pal_thread *thread;
    struct sw_request r = {.kind = SW_REQUEST_RECEIVE, .is_waited = true};
    struct end a, b;
    char text[16];
    WSABUF buffer = {sizeof(text), text};

    (void)state;
    end_pair(&a, &b);
    r.op.buffers = &buffer;
    r.op.buffer_count = 1;
    assert_int_equal(a.carrier->ops->submit(a.carrier, &r), WSA_IO_PENDING);
    thread = pal_thread_start(interrupt_soon, &interrupt, "interrupt");
    assert_int_equal(a.carrier->ops->wait(a.carrier, &r, UINT64_MAX, &interrupt), WSAEINTR);
    pal_thread_join(thread);
    a.carrier->ops->close(a.carrier, 0);
    pal_mutex_lock(&a.lock);
    assert_int_equal(a.closed, 0); /* it was not fetched yet */
    pal_mutex_unlock(&a.lock);
    assert_int_equal(a.carrier->ops->wait(a.carrier, &r, UINT64_MAX, NULL), 0);
    assert_int_equal(r.op.error, WSA_OPERATION_ABORTED);
    end_wait_closed(&a); /* another thread may be the one that reports it */
    end_close(&b, 0);
}

static void start_connect(struct end *e, const WSD_SOCKADDR_IN *to)
{
    end_create(e);
    assert_int_equal(
        e->carrier->ops->connect(e->carrier, (const WSD_SOCKADDR *)(const void *)to, sizeof(*to)),
        WSA_IO_PENDING);
}

static void no_more_are_taken_than_the_backlog(void **state)
{
    struct end listener, client[6], server;
    WSD_SOCKADDR_IN to;
    unsigned connected = 0, refused = 0;
    uint64_t deadline;

    (void)state;
    end_listen(&listener, 2, &to);
    for (unsigned i = 0; i < 6; i++)
        start_connect(&client[i], &to);
    deadline = pal_now_ns() + WAIT_MS * UINT64_C(1000000);
    for (unsigned i = 0; i < 6; i++) {
        pal_mutex_lock(&client[i].lock);
        while ((client[i].events & FD_CONNECT) == 0)
            assert_true(pal_cond_timedwait(&client[i].changed, &client[i].lock, deadline));
        connected += client[i].connect_error == 0;
        refused += client[i].connect_error == WSAECONNREFUSED;
        pal_mutex_unlock(&client[i].lock);
    }
    assert_int_equal(connected, 2);
    assert_int_equal(refused, 4);
    for (unsigned i = 0; i < 2; i++) { /* and there is room again */
        end_accept(&listener, &server);
        end_close(&server, 0);
    }
    for (unsigned i = 0; i < 6; i++)
        end_close(&client[i], 0);
    assert_int_equal(end_connect(&client[0], &to), 0);
    end_close(&client[0], 0);
    end_close(&listener, 0);
}

static struct sw_companion *raw_connect(const WSD_SOCKADDR_IN *to)
{
    struct sw_companion *c = NULL;

    assert_int_equal(sw_connect(env.provider, NULL, to, WAIT_MS, NULL, &c, NULL), 0);
    return c;
}

static void connect_when_there_is_room(const WSD_SOCKADDR_IN *to)
{
    const uint64_t deadline = pal_now_ns() + WAIT_MS * UINT64_C(1000000);
    struct end e;

    while (end_connect(&e, to) != 0) {
        end_close(&e, 0);
        assert_true(pal_now_ns() < deadline);
        pal_sleep_ms(10);
    }
    end_close(&e, 0);
}

static void a_silent_peer_is_in_nobodys_way(void **state)
{
    struct sw_companion *silent[3];
    struct end listener, a, b;
    WSD_SOCKADDR_IN to;

    (void)state;
    env.settings.negotiate_ms = 2000; /* it holds for the two that do speak as well, however slow they are */
    end_listen(&listener, 4, &to);
    for (unsigned i = 0; i < 3; i++)
        silent[i] = raw_connect(&to);
    assert_int_equal(end_connect(&a, &to), 0);
    end_accept(&listener, &b);
    assert_int_equal(end_send(&a, "x", 1), 0);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
    for (unsigned i = 0; i < 4; i++) /* their places get free again */
        connect_when_there_is_room(&to);
    for (unsigned i = 0; i < 3; i++)
        (void)sw_close(silent[i]);
    end_close(&listener, 0);
}

/* A listener that accepts and says nothing. */
static void a_connect_to_a_silent_listener_times_out(void **state)
{
    struct sw_listener *l;
    struct sw_companion *c;
    WSD_SOCKADDR_IN to;
    struct end a;

    (void)state;
    env.settings.negotiate_ms = 200;
    assert_int_equal(sw_parse_address(env.address, &to), 0);
    assert_int_equal(sw_listen(env.provider, &to, 4, NULL, &l), 0);
    to = l->local;
    start_connect(&a, &to);
    assert_int_equal(sw_accept(l, NULL, 0, WAIT_MS, NULL, &c), 0);
    pal_mutex_lock(&a.lock);
    while ((a.events & FD_CONNECT) == 0)
        pal_cond_wait(&a.changed, &a.lock);
    pal_mutex_unlock(&a.lock);
    assert_int_equal(a.connect_error, WSAETIMEDOUT);
    assert_false(sw_san_may_fall_back(a.carrier)); /* the connection stood */
    end_close(&a, 0);
    (void)sw_close(c);
    (void)sw_listener_close(l);
}

/* The first messages as the protocol has them, then `bytes` that it does not. */
static void say(struct sw_companion *c, const void *bytes, size_t n)
{
    uint8_t memory[256];
    WSABUF buffer = {(ULONG)n, (CHAR *)memory};
    WSAOVERLAPPED ov;
    HANDLE handle;
    DWORD done;
    int error;

    memset(&ov, 0, sizeof(ov));
    memcpy(memory, bytes, n);
    assert_int_equal(sw_register(c, memory, sizeof(memory), MEM_READ, &handle), 0);
    assert_int_equal(sw_send(c, &buffer, 1, &ov, SW_POLL), 0);
    assert_int_equal(sw_wait(c, &ov, WAIT_MS, &done, &error), 0);
    assert_int_equal(sw_deregister(c, handle), 0);
}

static void hostile_first_words_end_that_connection_only(void **state)
{
    static const uint8_t nonsense[28] = "GET / HTTP/1.0\r\n\r\n";
    uint64_t before = sw_san_violations();
    struct end listener, a, b;
    struct sw_companion *c;
    WSD_SOCKADDR_IN to;
    uint64_t deadline = pal_now_ns() + WAIT_MS * UINT64_C(1000000);

    (void)state;
    end_listen(&listener, 4, &to);
    c = raw_connect(&to);
    say(c, nonsense, sizeof(nonsense));
    while (sw_san_violations() == before && pal_now_ns() < deadline)
        pal_sleep_ms(1);
    assert_int_equal(sw_san_violations(), before + 1);
    assert_int_equal(end_connect(&a, &to), 0);
    end_accept(&listener, &b);
    end_close(&a, 0);
    end_close(&b, 0);
    (void)sw_close(c);
    end_close(&listener, 0);
}

static void a_hostile_message_ends_the_connection_with_a_code(void **state)
{
    struct sw_wire_hello hello = {.type = SW_WIRE_NEGOTIATE,
                                  .version_low = 1,
                                  .version_high = 1,
                                  .receives = 4,
                                  .transfers = 1,
                                  .message_bytes = 256,
                                  .storage_bytes = 512};
    static uint8_t receives[4][256];
    WSAOVERLAPPED ov[4];
    HANDLE handle;
    uint8_t bytes[SW_WIRE_HELLO_BYTES];
    uint8_t nonsense[40];
    struct sw_companion *c;
    struct end listener, b;
    WSD_SOCKADDR_IN to;
    DWORD done;
    int error;
    char text[8];
    size_t n;

    (void)state;
    end_listen(&listener, 4, &to);
    c = raw_connect(&to);
    assert_int_equal(sw_register(c, receives, sizeof(receives), MEM_WRITE, &handle), 0);
    memset(ov, 0, sizeof(ov));
    for (unsigned i = 0; i < 4; i++) {
        WSABUF buffer = {sizeof(receives[i]), (CHAR *)receives[i]};

        assert_int_equal(sw_recv(c, &buffer, 1, &ov[i], SW_POLL), 0);
    }
    sw_wire_hello_encode(&hello, bytes);
    say(c, bytes, sizeof(bytes));
    assert_int_equal(sw_wait(c, &ov[0], WAIT_MS, &done, &error), 0);
    assert_int_equal(error, 0);
    end_accept(&listener, &b);
    memset(nonsense, 0xFF, sizeof(nonsense));
    say(c, nonsense, sizeof(nonsense));
    assert_int_equal(end_receive(&b, text, sizeof(text), &n), WSAECONNABORTED);
    assert_int_equal(end_send(&b, "x", 1), WSAECONNABORTED);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
    (void)sw_close(c);
    end_close(&listener, 0);
}

static void a_listener_takes_its_queue_with_it(void **state)
{
    struct end listener, a;
    WSD_SOCKADDR_IN to;
    char text[4];
    size_t n;

    (void)state;
    end_listen(&listener, 4, &to);
    assert_int_equal(end_connect(&a, &to), 0);
    end_close(&listener, 0);
    assert_int_equal(end_receive(&a, text, sizeof(text), &n), WSAECONNRESET);
    end_close(&a, 0);
}

/* Each is left alone a little longer than the one before, so that the close finds another step of the connect. */
static void a_connect_is_called_off(void **state)
{
    struct end listener, a;
    WSD_SOCKADDR_IN to;

    (void)state;
    end_listen(&listener, 4, &to);
    for (unsigned i = 0; i < 200; i++) {
        start_connect(&a, &to);
        for (unsigned yields = 0; yields < i; yields++)
            pal_thread_yield();
        end_close(&a, 0);
    }
    end_close(&listener, 0);
}

static void set_inline(void *argument)
{
    struct end *e = argument;
    const int on = 1;

    assert_int_equal(e->carrier->ops->set_option(e->carrier, WS_SOL_SOCKET, WS_SO_OOBINLINE,
                                                 (const char *)(const void *)&on, sizeof(on)),
                     0);
}

/* Whether the session is made before or after it, the option is the session's. */
static void an_option_is_set_while_it_connects(void **state)
{
    struct end listener, a, b;
    struct pal_thread *thread;
    char mark = '!', byte;
    WSABUF buffer = {1, &mark};
    struct sw_request r;
    WSD_SOCKADDR_IN to;

    (void)state;
    end_listen(&listener, 4, &to);
    for (unsigned i = 0; i < 20; i++) {
        end_create(&a);
        thread = pal_thread_start(set_inline, &a, "option");
        assert_int_equal(
            a.carrier->ops->connect(a.carrier, (const WSD_SOCKADDR *)(const void *)&to, sizeof(to)),
            WSA_IO_PENDING);
        pal_thread_join(thread);
        end_accept(&listener, &b);
        assert_int_equal(end_run(&b, &r, SW_REQUEST_SEND, WS_MSG_OOB, &buffer, 1, WAIT_MS), 0);
        end_wait_events(&a, FD_READ); /* and not FD_OOB */
        end_receive_all(&a, &byte, 1);
        assert_int_equal(byte, mark);
        end_close(&a, 0);
        end_close(&b, 0);
    }
    end_close(&listener, 0);
}

static void a_connect_is_called_off_while_memory_is_registered(void **state)
{
    struct sw_listener *l;
    struct sw_companion *c;
    struct end a;
    WSD_SOCKADDR_IN to;

    (void)state;
    env.settings.negotiate_ms = NEVER_MS;
    assert_int_equal(sw_parse_address(env.address, &to), 0);
    assert_int_equal(sw_listen(env.provider, &to, 4, NULL, &l), 0);
    gate_build();
    for (unsigned i = 0; i < 4; i++) {
        gate_arm((i & 1) != 0);
        start_connect(&a, &l->local);
        assert_int_equal(sw_accept(l, NULL, 0, WAIT_MS, NULL, &c), 0);
        gate_wait();
        a.carrier->ops->close(a.carrier, (i & 2) != 0 ? SW_SESSION_LINGER_FOREVER : 0);
        gate_open();
        end_wait_closed(&a);
        assert_int_equal(a.events, 0);
        (void)sw_close(c);
    }
    (void)sw_listener_close(l);
    gate_remove();
}

static void a_listener_closes_while_memory_of_a_child_is_registered(void **state)
{
    char text[256];
    WSABUF buffer = {sizeof(text), text};
    struct sw_companion *c;
    struct end listener;
    WSD_SOCKADDR_IN to;
    WSAOVERLAPPED ov;
    HANDLE handle;
    DWORD done;
    int error = 0;

    (void)state;
    env.settings.negotiate_ms = NEVER_MS;
    gate_build();
    for (unsigned i = 0; i < 2; i++) {
        end_listen(&listener, 4, &to);
        gate_arm(i == 1);
        c = raw_connect(&to);
        gate_wait();
        assert_int_equal(sw_register(c, text, sizeof(text), MEM_WRITE, &handle), 0);
        memset(&ov, 0, sizeof(ov));
        assert_int_equal(sw_recv(c, &buffer, 1, &ov, SW_POLL), 0);
        end_close(&listener, 0);
        gate_open();
        assert_int_equal(sw_wait(c, &ov, WAIT_MS, &done, &error), 0);
        assert_int_equal(error, WSAECONNRESET);
        (void)sw_close(c);
    }
    gate_remove();
}

static void a_dead_peer_is_noticed_by_keep_alive(void **state)
{
    struct end a, b;
    ULONG values[3] = {1, 60, 30};
    DWORD returned;

    (void)state;
    end_pair(&a, &b);
    assert_int_equal(
        a.carrier->ops->ioctl(a.carrier, SIO_KEEPALIVE_VALS, values, sizeof(values), NULL, 0, &returned), 0);
    pal_sleep_ms(600); /* one that lives answers */
    assert_int_equal(end_send(&a, "x", 1), 0);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

static void the_first_receive_may_be_late(void **state)
{
    struct end a, b;
    char text[4];

    (void)state;
    env.settings.accept_delay_ms = 50;
    end_pair(&a, &b);
    assert_int_equal(end_send(&a, "late", 4), 0);
    end_receive_all(&b, text, 4);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

#define T(name) cmocka_unit_test_setup_teardown(name, san_setup, san_teardown)
const struct CMUnitTest end_tests[] = {
    T(a_half_closed_stream_still_comes_back),
    T(a_graceful_close_sends_what_is_left),
    T(an_abort_is_a_reset_for_the_peer),
    T(linger_is_over_when_the_peer_does_not_read),
    T(a_receive_is_taken_back),
    T(a_large_send_that_is_cancelled_ends_after_a_while),
    T(a_wait_is_interrupted_and_a_close_ends_it),
    T(no_more_are_taken_than_the_backlog),
    T(a_silent_peer_is_in_nobodys_way),
    T(a_connect_to_a_silent_listener_times_out),
    T(hostile_first_words_end_that_connection_only),
    T(a_hostile_message_ends_the_connection_with_a_code),
    T(a_listener_takes_its_queue_with_it),
    T(an_option_is_set_while_it_connects),
    T(a_connect_is_called_off),
    T(a_connect_is_called_off_while_memory_is_registered),
    T(a_listener_closes_while_memory_of_a_child_is_registered),
    T(a_dead_peer_is_noticed_by_keep_alive),
    T(the_first_receive_may_be_late),
};
const size_t end_test_count = sizeof(end_tests) / sizeof(end_tests[0]);
