/* control.c - a connection of which several processes have handles: all of them use it, in turns and at once. Over TCP/IP the system shares
 * the socket; over a SAN one process controls it at a time, and control goes to who uses it. An application cannot tell one from the other.
 * Sources: contract 8.10 ("exactly one process controls the underlying socket; control moves on demand"); 10.1, function 8; page of WSADuplicateSocket
 * ("the descriptors that reference a shared socket can be used independently for I/O"; options are the socket's). */
#include "sp.h"

#include <unistd.h>

enum { SEED_USERS = 5, SEED_PEER = 6 };

static const uint32_t sizes[] = {1, 100, 3000, 70000, 5, 300000, 17, 9000};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

/* --- in turns --- */

enum { TURNS = 24 };

struct writing {
    SOCKET s;
    uint64_t bytes;
};

static int write_all(void *context)
{
    const struct writing *w = context;
    static char piece[40000];
    int error = 0;

    for (uint64_t at = 0; at < w->bytes && error == 0;) {
        size_t n = w->bytes - at < sizeof(piece) ? (size_t)(w->bytes - at) : sizeof(piece);

        sp_fill(piece, n, SEED_PEER, at);
        error = sp_send(w->s, piece, (DWORD)n, 0, NULL);
        at += n;
    }
    return error;
}

/* Both streams at once: each process goes on where the other one stopped. */
static void each_in_turn(void **state)
{
    struct sp_shared x;
    struct sp_reader reader = {.seed = SEED_USERS, .piece_bytes = 30000};
    struct writing writing;
    struct sp_call writer;
    static char data[300000];
    uint64_t at = 0;

    (void)state;
    sp_shared_open(&x);
    for (unsigned i = 0; i < TURNS; i++)
        reader.want += sizes[i / 2 % SIZES];
    reader.s = x.pair.b;
    writing = (struct writing){x.pair.b, reader.want};
    sp_reader_start(&reader);
    sp_call_start(&writer, write_all, &writing);
    for (unsigned i = 0; i < TURNS; i++) {
        const uint32_t n = sizes[i / 2 % SIZES];

        if (i % 2 == 0) {
            sp_fill(data, n, SEED_USERS, at);
            sp_send_all(x.pair.a, data, n);
            sp_ok(sp_traffic_take(x.pair.a, SEED_PEER, at, n));
        } else {
            second_process_tell(&x.p, "write %d %llu %u", SEED_USERS, (unsigned long long)at, (unsigned)n);
            second_process_tell(&x.p, "rest %d %llu %u", SEED_PEER, (unsigned long long)at, (unsigned)n);
        }
        at += n;
    }
    sp_ok(sp_call_join(&writer));
    sp_reader_join(&reader);
    sp_carried(x.pair.a);
    sp_shared_close(&x);
}

/* Small messages, as fast as it goes. */
static void a_word_each(void **state)
{
    struct sp_shared x;
    char text[8];

    (void)state;
    sp_shared_open(&x);
    for (unsigned i = 0; i < 30; i++) {
        sp_use_here(&x);
        sp_use_there(&x);
        sp_send_all(x.pair.b, "herther", 7);
        sp_recv_all(x.pair.a, text, 4);
        assert_memory_equal(text, "hert", 4);
        assert_string_equal(second_process_tell(&x.p, "recvtext 3"), "her");
    }
    sp_shared_close(&x);
}

/* --- at once --- */

/* Sends of both under way: each one's bytes arrive in his order. */
static void loads_of_both(void **state)
{
    enum { ROUNDS = 4 };
    const uint64_t bytes = sp_traffic_bytes();
    struct sp_shared x;
    struct sp_mixed reader;
    struct sp_traffic here[ROUNDS];

    (void)state;
    sp_shared_open(&x);
    sp_mixed_read(&reader, x.pair.b);
    for (unsigned i = 0; i < ROUNDS; i++) {
        sp_ok(sp_mixed_start(&here[i], x.pair.a, 1, i * bytes));
        second_process_tell(&x.p, "mixedload 2 %llu", (unsigned long long)i * bytes);
        if (i % 2 == 1)
            sp_ok(sp_traffic_finish(&here[i - 1]));
        second_process_tell(&x.p, "mixedloaded");
        if (i % 2 == 1)
            sp_ok(sp_traffic_finish(&here[i]));
    }
    sp_ok(sp_close(x.pair.a));
    second_process_tell(&x.p, "close");
    x.pair.a = INVALID_SOCKET;
    sp_mixed_join(&reader);
    assert_int_equal(pal_load_relaxed(&reader.got[1]), ROUNDS * bytes);
    assert_int_equal(pal_load_relaxed(&reader.got[2]), ROUNDS * bytes);
    sp_pair_close(&x.pair);
    second_process_end(&x.p);
}

static int send_many(void *context)
{
    uint64_t at = 0;
    int error = 0;

    for (unsigned i = 0; i < 200 && error == 0; i++) {
        error = sp_mixed_send(*(SOCKET *)context, 1, at, 100);
        at += 100;
    }
    return error;
}

/* A thread here and the other process, both without a pause. */
static void neither_waits_for_the_other(void **state)
{
    struct sp_shared x;
    struct sp_mixed reader;
    struct sp_call call;

    (void)state;
    sp_shared_open(&x);
    sp_mixed_read(&reader, x.pair.b);
    sp_call_start(&call, send_many, &x.pair.a);
    for (unsigned i = 0; i < 20; i++)
        second_process_tell(&x.p, "mixed 2 %u 1000", i * 1000);
    sp_ok(sp_call_join(&call));
    sp_ok(sp_close(x.pair.a));
    second_process_tell(&x.p, "close");
    x.pair.a = INVALID_SOCKET;
    sp_mixed_join(&reader);
    assert_int_equal(pal_load_relaxed(&reader.got[1]), 200 * 100);
    assert_int_equal(pal_load_relaxed(&reader.got[2]), 20 * 1000);
    sp_pair_close(&x.pair);
    second_process_end(&x.p);
}

/* Each end has two processes: suspensions cross. */
static void both_ends_are_shared(void **state)
{
    struct sp_pair pair;
    struct second_process one, two;
    struct sp_traffic a;
    const uint64_t bytes = sp_traffic_bytes();
    char text[8];

    (void)state;
    sp_process_start(&one, sp_env.is_san ? "on" : "off");
    sp_process_start(&two, sp_env.is_san ? "on" : "off");
    sp_pair_open(&pair);
    sp_lend(pair.a, &one);
    sp_lend(pair.b, &two);
    for (unsigned i = 0; i < 10; i++) {
        sp_send_all(pair.a, "12", 2);
        second_process_order(&one, "sendtext 34");
        second_process_order(&two, "sendtext abcd");
        second_process_answer(&one);
        second_process_answer(&two);
        sp_recv_all(pair.b, text, 1);
        assert_string_equal(second_process_tell(&two, "recvtext 3"), "234");
        sp_recv_all(pair.a, text + 1, 2);
        assert_string_equal(second_process_tell(&one, "recvtext 2"), "cd");
        assert_memory_equal(text, "1ab", 3);
    }
    sp_ok(sp_traffic_start(&a, pair.a, SEED_USERS,
                           0)); /* more than fits: it has gone when the other process reads */
    second_process_tell(&two, "take %d 0", SEED_USERS);
    second_process_tell(&one, "load %d 0", SEED_PEER);
    sp_ok(sp_traffic_finish(&a));
    sp_ok(sp_traffic_take(pair.b, SEED_PEER, 0, bytes));
    second_process_tell(&one, "loaded");
    sp_ok(sp_close(pair.a));
    second_process_tell(&two, "close");
    second_process_tell(&one, "close");
    sp_expect_end(pair.b);
    pair.a = INVALID_SOCKET;
    sp_pair_close(&pair);
    second_process_end(&one);
    second_process_end(&two);
}

/* --- three processes --- */

static void all_three(struct second_process *b, struct second_process *c, struct sp_pair *pair)
{
    char text[3];

    for (unsigned i = 0; i < 4; i++) {
        sp_send_all(pair->a, "A", 1);
        second_process_tell(i % 2 == 0 ? b : c, "sendtext B");
        second_process_tell(i % 2 == 0 ? c : b, "sendtext C");
        sp_recv_all(pair->b, text, 3);
        assert_memory_equal(text, "ABC", 3);
        sp_send_all(pair->b, "123", 3);
        assert_string_equal(second_process_tell(c, "recvtext 1"), "1");
        assert_string_equal(second_process_tell(b, "recvtext 1"), "2");
        sp_recv_all(pair->a, text, 1);
        assert_int_equal(text[0], '3');
    }
}

static void one_for_each_of_three(void **state)
{
    struct sp_pair pair;
    struct second_process b, c;

    (void)state;
    sp_process_start(&b, sp_env.is_san ? "on" : "off");
    sp_process_start(&c, sp_env.is_san ? "on" : "off");
    sp_pair_open(&pair);
    sp_lend(pair.a, &b);
    sp_lend(pair.a, &c);
    all_three(&b, &c, &pair);
    second_process_end(&b);
    second_process_end(&c);
    sp_pair_close(&pair);
}

/* Who has a handle gives another, wherever control is. */
static void passed_on_by_who_has_no_control(void **state)
{
    struct sp_pair pair;
    struct second_process b, c;
    char text[SP_INFO_TEXT];

    (void)state;
    sp_process_start(&b, sp_env.is_san ? "on" : "off");
    sp_process_start(&c, sp_env.is_san ? "on" : "off");
    sp_pair_open(&pair);
    sp_lend(pair.a, &b);
    sp_echo(pair.a, pair.b, 1); /* used here only */
    snprintf(text, sizeof(text), "%s", second_process_tell(&b, "give %u", (unsigned)c.pid));
    sp_echo(pair.a, pair.b, 2); /* before it is taken */
    second_process_tell(&c, "adopt %s", text);
    all_three(&b, &c, &pair);
    second_process_tell(&b, "close");
    sp_echo(pair.b, pair.a, 3);
    second_process_tell(&c, "send 4 1000");
    sp_ok(sp_traffic_take(pair.b, 4, 0, 1000));
    second_process_tell(&c, "close");
    sp_pair_close(&pair);
    second_process_end(&b);
    second_process_end(&c);
}

/* --- several handles for one process --- */

static void two_for_one_process(void **state)
{
    struct sp_shared x;
    char text[SP_INFO_TEXT];

    (void)state;
    sp_shared_open(&x); /* the first */
    sp_use_there(&x);
    sp_ok(sp_give(x.pair.a, x.p.pid, text));
    second_process_tell(&x.p, "slot 1");
    second_process_tell(&x.p, "adopt %s", text);
    sp_use_there(&x); /* by the second */
    sp_use_here(&x);
    second_process_tell(&x.p, "slot 0");
    sp_use_there(&x);
    second_process_tell(&x.p, "close");
    second_process_tell(&x.p, "slot 1");
    sp_use_there(&x);
    sp_use_here(&x);
    sp_shared_close(&x);
}

/* The first is closed when nobody has taken the second yet. */
static void one_closed_before_the_other_is_taken(void **state)
{
    struct sp_shared x;
    char text[SP_INFO_TEXT];

    (void)state;
    for (unsigned use = 0; use < 3; use++) {
        sp_shared_open(&x);
        sp_ok(sp_give(x.pair.a, x.p.pid, text));
        if (use == 1)
            sp_use_there(&x);
        second_process_tell(&x.p, "close");
        if (use == 2)
            sp_use_here(&x);
        second_process_tell(&x.p, "adopt %s", text);
        sp_use_there(&x);
        sp_use_here(&x);
        sp_shared_close(&x);
    }
}

/* For a while there is no handle at all, only one that will be taken. */
static void only_what_nobody_has_taken_is_left(void **state)
{
    struct sp_shared x;
    char text[SP_INFO_TEXT];

    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        sp_shared_open(&x);
        sp_send_all(x.pair.b, "kept", 4);
        sp_ok(sp_give(x.pair.a, x.p.pid, text));
        if (order == 0)
            second_process_tell(&x.p, "close");
        sp_ok(sp_close(x.pair.a));
        x.pair.a = INVALID_SOCKET;
        if (order == 1)
            second_process_tell(&x.p, "close");
        second_process_tell(&x.p, "adopt %s", text);
        assert_string_equal(second_process_tell(&x.p, "recvtext 4"), "kept");
        sp_use_there(&x);
        sp_shared_close(&x);
    }
}

/* The way back, beside the handle that is here. */
static void another_one_from_there(void **state)
{
    struct sp_shared x;
    SOCKET second;

    (void)state;
    sp_shared_open(&x);
    sp_ok(sp_take(second_process_tell(&x.p, "give %u", (unsigned)getpid()), &second));
    assert_true(second != x.pair.a);
    sp_echo(second, x.pair.b, 1);
    sp_use_there(&x);
    sp_ok(sp_close(x.pair.a));
    x.pair.a = second;
    sp_use_here(&x);
    sp_shared_close(&x);
}

/* Handles of one connection, whoever takes them (page of WSADuplicateSocket: "the descriptors that reference a shared socket can be used
 * independently"). */
static void taken_by_threads_at_once(void **state)
{
    enum { ROUNDS = 20, HANDLES = 3 };
    char texts[HANDLES][SP_INFO_TEXT], text[8] = "";
    struct second_process p;
    struct sp_pair pair;

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    for (unsigned round = 0; round < ROUNDS; round++) {
        sp_pair_open(&pair);
        for (unsigned i = 0; i < HANDLES; i++)
            sp_ok(sp_give(pair.a, p.pid, texts[i]));
        second_process_tell(&p, "slot 0");
        second_process_tell(&p, "adoptall %s %s %s", texts[0], texts[1], texts[2]);
        for (unsigned i = 0; i < HANDLES; i++) {
            second_process_tell(&p, "slot %u", i);
            second_process_tell(&p, "sendtext t%u", i);
            sp_recv_all(pair.b, text, 2);
            assert_int_equal(text[1], (char)('0' + i));
        }
        sp_ok(sp_close(pair.a));
        pair.a = INVALID_SOCKET;
        for (unsigned i = 0; i < HANDLES; i++) {
            second_process_tell(&p, "slot %u", i);
            second_process_tell(&p, "sendtext t");
            sp_recv_all(pair.b, text, 1);
            second_process_tell(&p, "close");
        }
        sp_expect_end(pair.b);
        sp_pair_close(&pair);
    }
    second_process_end(&p);
}

static void one_is_closed_as_the_next_is_taken(void **state)
{
    enum { ROUNDS = 40 };
    char first[SP_INFO_TEXT], second[SP_INFO_TEXT], text[1];
    struct second_process p;
    struct sp_pair pair;

    (void)state;
    sp_process_start(&p, sp_env.is_san ? "on" : "off");
    for (unsigned round = 0; round < ROUNDS; round++) {
        sp_pair_open(&pair);
        sp_ok(sp_give(pair.a, p.pid, first));
        sp_ok(sp_give(pair.a, p.pid, second));
        second_process_tell(&p, "adopt %s", first);
        if (round % 2 == 0) { /* control is there, or it is here */
            second_process_tell(&p, "sendtext t");
            sp_recv_all(pair.b, text, 1);
        }
        second_process_tell(&p, "closeadopt %s", second);
        second_process_tell(&p, "sendtext t");
        sp_recv_all(pair.b, text, 1);
        sp_ok(sp_close(pair.a));
        pair.a = INVALID_SOCKET;
        second_process_tell(&p, "close");
        sp_expect_end(pair.b);
        sp_pair_close(&pair);
    }
    second_process_end(&p);
}

/* --- what is the socket's --- */

static void names_everywhere(void **state)
{
    struct sp_shared x;
    WSD_SOCKADDR_IN local, peer;
    char a[32], b[32], expected[70];

    (void)state;
    sp_shared_open(&x);
    for (unsigned i = 0; i < 2; i++) { /* control is here, and there */
        sp_ok(sp_local(x.pair.a, &local));
        sp_ok(sp_peer(x.pair.a, &peer));
        snprintf(expected, sizeof(expected), "%s %s", sw_format_address(&local, a, sizeof(a)),
                 sw_format_address(&peer, b, sizeof(b)));
        assert_memory_equal(&peer, &x.pair.at, sizeof(peer));
        assert_string_equal(second_process_tell(&x.p, "names"), expected);
        sp_carried(x.pair.a);
        assert_string_equal(second_process_tell(&x.p, "carried"), sp_env.lane);
        sp_use_there(&x);
    }
    sp_shared_close(&x);
}

static void how_much_there_is_to_read(void **state)
{
    struct sp_shared x;
    ULONG bytes = 0;

    (void)state;
    sp_shared_open(&x);
    sp_use_there(&x);
    sp_send_all(x.pair.b, "12345", 5);
    do
        sp_ok(sp_ioctl(x.pair.a, WS_FIONREAD, NULL, 0, &bytes, sizeof(bytes), NULL));
    while (bytes == 0);
    assert_int_equal(bytes, 5);
    assert_string_equal(second_process_tell(&x.p, "readable"), "5");
    assert_string_equal(second_process_tell(&x.p, "recvtext 2"), "12");
    sp_ok(sp_ioctl(x.pair.a, WS_FIONREAD, NULL, 0, &bytes, sizeof(bytes), NULL));
    assert_int_equal(bytes, 3);
    assert_string_equal(second_process_tell(&x.p, "recvtext 3"), "345");
    sp_shared_close(&x);
}

/* Set through one descriptor, read through the other; also by who has no control. */
static void options_are_the_sockets(void **state)
{
    static const int which[][2] = {{WS_SOL_SOCKET, WS_SO_KEEPALIVE}, {WS_IPPROTO_TCP, WS_TCP_NODELAY}};
    struct sp_shared x;
    int value = 0;

    (void)state;
    sp_shared_open(&x);
    for (unsigned i = 0; i < 2; i++) {
        const int level = which[i][0], name = which[i][1];

        sp_use_there(&x);
        sp_ok(sp_set_int(x.pair.a, level, name, 1));
        assert_int_not_equal(atoi(second_process_tell(&x.p, "getint %d %d", level, name)), 0);
        sp_use_here(&x);
        second_process_tell(&x.p, "setint %d %d 0", level, name);
        sp_ok(sp_get_int(x.pair.a, level, name, &value));
        assert_int_equal(value, 0);
        sp_use_there(&x);
        sp_ok(sp_get_int(x.pair.a, level, name, &value));
        assert_int_equal(value, 0);
    }
    sp_shared_close(&x);
}

/* Half closing is a change of the connection's state: it holds for all, and who has no control may ask for it. */
static void sending_is_shut_down_for_all(void **state)
{
    struct sp_shared x;
    char text[4];

    (void)state;
    sp_skip_on_wine_tcp("tells of a shutdown in another process as of a reset");
    for (unsigned there = 0; there < 2; there++) {
        sp_shared_open(&x);
        if (there != 0) {
            sp_use_here(&x);
            second_process_tell(&x.p, "shutdown %d", SD_SEND);
        } else {
            sp_use_there(&x);
            sp_ok(sp_shutdown(x.pair.a, SD_SEND));
        }
        sp_expect_end(x.pair.b);
        sp_fails(WSAESHUTDOWN, sp_send(x.pair.a, "x", 1, 0, NULL));
        assert_int_equal(atoi(second_process_tell(&x.p, "code sendtext x")), WSAESHUTDOWN);
        sp_send_all(x.pair.b, "still", 5);
        assert_string_equal(second_process_tell(&x.p, "recvtext 2"), "st");
        sp_recv_all(x.pair.a, text, 3);
        assert_memory_equal(text, "ill", 3);
        sp_ok(sp_shutdown(x.pair.b, SD_SEND));
        sp_expect_end(x.pair.a);
        second_process_tell(&x.p, "end");
        sp_expect_end(x.pair.a); /* it stays at its end */
        sp_shared_close(&x);
    }
}

/* --- calls that find control about to leave --- */

enum { FILE_BYTES = 8000000, WORDS = 20 };

struct reading {
    SOCKET s;
    size_t want;
};

static int read_all(void *context)
{
    struct reading *r = context;
    char room[20000];
    int error = 0;

    while (error == 0 && r->want > 0) {
        DWORD got = 0;

        error = sp_recv(r->s, room, sizeof(room), 0, &got);
        if (error == 0 && got == 0)
            error = WSAEDISCON; /* too early */
        r->want -= got;
    }
    return error;
}

struct file_sending {
    SOCKET s;
    HANDLE file;
};

static int send_file(void *context)
{
    struct file_sending *f = context;

    return sp_transmit_file(f->s, f->file, 0, NULL, NULL, 0);
}

static void a_file_that_a_call_sends(void **state)
{
    struct sp_shared x;
    struct file_sending sending = {.file = sp_file_create(FILE_BYTES, 3)};
    struct reading reading = {.want = FILE_BYTES + WORDS};
    struct sp_call sender, reader;

    (void)state;
    sp_shared_open(&x);
    sending.s = x.pair.a;
    reading.s = x.pair.b;
    sp_call_start(&reader, read_all, &reading);
    sp_call_start(&sender, send_file, &sending);
    for (unsigned i = 0; i < WORDS; i++)
        second_process_tell(&x.p, "sendtext t");
    sp_ok(sp_call_join(&sender));
    sp_ok(sp_call_join(&reader));
    sp_shared_close(&x);
    sp_file_close(sending.file);
}

static int shut_sending(void *context)
{
    return sp_shutdown(*(SOCKET *)context, SD_SEND);
}

/* Control cannot leave before what was sent has gone; a call of the process that has it waits, as it would when control has left. */
static void sending_is_shut_down_when_control_leaves(void **state)
{
    static char data[3000000];
    struct sp_shared x;
    struct reading reading = {.want = sizeof(data)};
    WSABUF buffer = {sizeof(data), data};
    WSAOVERLAPPED ov = {.hEvent = NULL};
    struct sp_call shutting;
    DWORD bytes = 0;
    int theirs;

    (void)state;
    if (!sp_env.is_san)
        sp_skip("TCP/IP shares the socket: control does not move");
    sp_shared_open(&x);
    sp_fails(WSA_IO_PENDING, sp_send_overlapped(x.pair.a, &buffer, 1, &ov));
    second_process_order(&x.p, "code sendtext t");
    pal_sleep_ms(200); /* most likely it has asked; if not, the next call is first */
    sp_call_start(&shutting, shut_sending, &x.pair.a);
    reading.s = x.pair.b;
    sp_ok(read_all(&reading));
    sp_ok(sp_finish(x.pair.a, &ov, &bytes));
    theirs = atoi(second_process_answer(&x.p));
    sp_ok(sp_call_join(&shutting));
    sp_one_of(theirs, 0, WSAESHUTDOWN);
    if (theirs == 0)
        sp_recv_all(x.pair.b, data, 1);
    sp_shared_close(&x);
}

/* However often control leaves meanwhile. */
static void a_time_out_is_for_all_of_a_call(void **state)
{
    struct sp_shared x;
    struct sp_receiving receiving;
    struct sp_call call;

    (void)state;
    sp_shared_open(&x);
    sp_ok(sp_set_int(x.pair.a, WS_SOL_SOCKET, WS_SO_RCVTIMEO, 1000));
    receiving = (struct sp_receiving){.s = x.pair.a};
    sp_call_start(&call, sp_receive_now, &receiving);
    for (unsigned i = 0; i < 60 && pal_load_acquire(&call.is_over) == 0; i++) {
        sp_use_there(&x);
        pal_sleep_ms(250); /* it is back here */
    }
    assert_int_not_equal(pal_load_acquire(&call.is_over), 0);
    sp_fails(WSAETIMEDOUT, sp_call_join(&call));
    sp_shared_close(&x);
}

int sp_control(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(each_in_turn),
        sp_test(a_word_each),
        sp_test(loads_of_both),
        sp_test(neither_waits_for_the_other),
        sp_test(both_ends_are_shared),
        sp_test(one_for_each_of_three),
        sp_test(passed_on_by_who_has_no_control),
        sp_test(two_for_one_process),
        sp_test(one_closed_before_the_other_is_taken),
        sp_test(only_what_nobody_has_taken_is_left),
        sp_test(another_one_from_there),
        sp_test(taken_by_threads_at_once),
        sp_test(one_is_closed_as_the_next_is_taken),
        sp_test(names_everywhere),
        sp_test(how_much_there_is_to_read),
        sp_test(options_are_the_sockets),
        sp_test(sending_is_shut_down_for_all),
        sp_test(a_file_that_a_call_sends),
        sp_test(sending_is_shut_down_when_control_leaves),
        sp_test(a_time_out_is_for_all_of_a_call),
    };

    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
