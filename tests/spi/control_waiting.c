/* control_waiting.c - who waits on a connection that other processes use at the same time: blocked calls, overlapped operations, select() and
 * events. Waiting keeps nobody else from using it, and over a SAN whoever waits is told also when control is elsewhere.
 * Sources: contract 8.10 ("control moves on demand"); page of WSADuplicateSocket ("can be used independently for I/O"); what the group of each
 * function has for a socket that is not shared holds here. */
#include "sp.h"

#include <signal.h>

/* --- blocked calls --- */

static void the_answer_to_the_others_question(void **state)
{
    struct sp_shared x;
    char text[8];

    (void)state;
    sp_shared_open(&x);
    for (unsigned i = 0; i < 5; i++) {
        struct sp_receiving receiving = {.s = x.pair.a};
        struct sp_call call;

        sp_call_start(&call, sp_receive_now, &receiving);
        second_process_tell(&x.p, "sendtext question");
        sp_recv_all(x.pair.b, text, 8);
        assert_memory_equal(text, "question", 8);
        sp_send_all(x.pair.b, "answer", 6);
        sp_ok(sp_call_join(&call));
        assert_int_equal(receiving.got, 6);
        assert_memory_equal(receiving.data, "answer", 6);
    }
    sp_shared_close(&x);
}

static void the_other_gets_the_answer(void **state)
{
    struct sp_shared x;
    char text[8];

    (void)state;
    sp_shared_open(&x);
    for (unsigned i = 0; i < 5; i++) {
        second_process_order(&x.p, "recvtext 6");
        sp_send_all(x.pair.a, "question", 8);
        sp_recv_all(x.pair.b, text, 8);
        sp_send_all(x.pair.a, "more", 4); /* while it waits */
        sp_recv_all(x.pair.b, text, 4);
        sp_send_all(x.pair.b, "answer", 6);
        assert_string_equal(second_process_answer(&x.p), "answer");
    }
    sp_shared_close(&x);
}

/* Both wait: each byte goes to one of them. */
static void both_wait_for_the_same(void **state)
{
    struct sp_shared x;

    (void)state;
    sp_shared_open(&x);
    for (unsigned i = 0; i < 4; i++) {
        struct sp_receiving receiving = {.s = x.pair.a};
        struct sp_call call;

        sp_call_start(&call, sp_receive_now, &receiving);
        second_process_order(&x.p, "recvtext 1");
        sp_send_all(x.pair.b, "1", 1);
        sp_send_all(x.pair.b, "2", 1);
        sp_until(pal_load_acquire(&call.is_over) != 0);
        sp_ok(sp_call_join(&call));
        if (receiving.got == 2) /* all of it */
            sp_send_all(x.pair.b, "3", 1);
        assert_int_equal(strlen(second_process_answer(&x.p)), 1);
    }
    sp_shared_close(&x);
}

static void wait_ms(unsigned ms)
{
    const uint64_t end = pal_now_ns() + ms * UINT64_C(1000000);

    while (pal_now_ns() < end)
        suite_relax();
}

/* --- receives that are pending while the other one uses it --- */

enum { RECEIVES = 4 };

struct pending {
    char rooms[RECEIVES][10];
    WSAOVERLAPPED ov[RECEIVES];
};

static void post_one(SOCKET s, struct pending *p, unsigned i)
{
    WSABUF buffer = {sizeof(p->rooms[i]), p->rooms[i]};

    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(s, &buffer, 1, 0, &p->ov[i]));
}

static void post_all(SOCKET s, struct pending *p)
{
    memset(p, 0, sizeof(*p));
    for (unsigned i = 0; i < RECEIVES; i++)
        post_one(s, p, i);
}

static void none_is_over(SOCKET s, struct pending *p)
{
    DWORD bytes;

    for (unsigned i = 0; i < RECEIVES; i++)
        sp_fails(WSA_IO_INCOMPLETE, sp_result(s, &p->ov[i], false, &bytes));
}

static void feed(struct sp_shared *x, unsigned i)
{
    char text[11];

    snprintf(text, sizeof(text), "for no. %02u", i);
    sp_send_all(x->pair.b, text, 10);
}

static void fed(const struct pending *p, unsigned i)
{
    char text[11];

    snprintf(text, sizeof(text), "for no. %02u", i);
    assert_memory_equal(p->rooms[i], text, 10);
}

/* They are not aborted, and get what comes later, in the order in which they were posted. */
static void receives_stay_pending(void **state)
{
    struct sp_shared x;
    struct pending p;
    DWORD bytes = 0;

    (void)state;
    sp_shared_open(&x);
    post_all(x.pair.a, &p);
    for (unsigned i = 0; i < 3; i++) {
        sp_use_there(&x);
        none_is_over(x.pair.a, &p);
        sp_use_here(&x);
    }
    none_is_over(x.pair.a, &p);
    sp_use_there(&x);
    for (unsigned i = 0; i < RECEIVES; i++) {
        feed(&x, i);
        sp_ok(sp_finish(x.pair.a, &p.ov[i], &bytes));
        assert_int_equal(bytes, 10);
        fed(&p, i);
        if (i % 2 == 0)
            sp_use_there(&x);
    }
    sp_shared_close(&x);
}

/* Posted when control is elsewhere already: the same, also together with some that were there before. */
static void receives_posted_without_control(void **state)
{
    struct sp_shared x;
    struct pending p;
    DWORD bytes = 0;

    (void)state;
    sp_shared_open(&x);
    memset(&p, 0, sizeof(p));
    for (unsigned i = 0; i < RECEIVES; i++) {
        sp_use_there(&x);
        post_one(x.pair.a, &p, i);
    }
    for (unsigned i = 0; i < RECEIVES; i++)
        feed(&x, i);
    for (unsigned i = 0; i < RECEIVES; i++) {
        sp_ok(sp_finish(x.pair.a, &p.ov[i], &bytes));
        assert_int_equal(bytes, 10);
        fed(&p, i);
    }
    sp_shared_close(&x);
}

static void told_by_an_event(void **state)
{
    struct sp_shared x;
    struct pending p;
    WSAEVENT e = sw_event_create(true, false);
    DWORD bytes = 0;

    (void)state;
    sp_shared_open(&x);
    memset(&p, 0, sizeof(p));
    p.ov[0].hEvent = (HANDLE)e;
    post_one(x.pair.a, &p, 0);
    sp_use_there(&x);
    sp_fails(WSAETIMEDOUT, sw_event_wait(e, 20));
    feed(&x, 0);
    sp_ok(sw_event_wait(e, sp_env.wait_ms));
    sp_ok(sp_result(x.pair.a, &p.ov[0], false, &bytes));
    assert_int_equal(bytes, 10);
    fed(&p, 0);
    sp_shared_close(&x);
    sp_ok(sw_event_close(e));
}

static void told_by_a_queue(void **state)
{
    struct sp_shared x;
    struct pending p;
    struct sw_iocp *queue = sw_iocp_create();
    struct sw_packet packet;

    (void)state;
    sp_shared_open(&x);
    sp_ok(ws2_bind_queue(x.pair.a, queue, 7));
    post_all(x.pair.a, &p);
    sp_use_there(&x);
    sp_fails(WSAETIMEDOUT, sw_iocp_get(queue, &packet, 20));
    for (unsigned i = 0; i < RECEIVES; i++) {
        feed(&x, i);
        sp_ok(sw_iocp_get(queue, &packet, sp_env.wait_ms));
        assert_true(packet.key == 7 && packet.ov == &p.ov[i] && packet.bytes == 10 && packet.error == 0);
        fed(&p, i);
    }
    sp_shared_close(&x);
    sw_iocp_destroy(queue);
}

static struct {
    unsigned calls;
    DWORD bytes, error;
} told;

static void CALLBACK on_over(DWORD error, DWORD bytes, LPWSAOVERLAPPED ov, DWORD flags)
{
    (void)ov;
    (void)flags;
    told.calls++;
    told.error = error;
    told.bytes = bytes;
}

static void told_by_a_routine(void **state)
{
    struct sp_shared x;
    struct pending p;
    WSABUF in = {10, p.rooms[0]}, out = {4, (char *)(uintptr_t) "here"};
    char text[4];

    (void)state;
    sp_shared_open(&x);
    memset(&p, 0, sizeof(p));
    memset(&told, 0, sizeof(told));
    sp_fails(WSA_IO_PENDING, sp_recv_routine(x.pair.a, &in, &p.ov[0], on_over));
    sp_use_there(&x);
    (void)sw_alertable_wait(20);
    assert_int_equal(told.calls, 0);
    feed(&x, 0);
    while (told.calls == 0)
        (void)sw_alertable_wait(100);
    assert_true(told.calls == 1 && told.error == 0 && told.bytes == 10);
    fed(&p, 0);
    sp_use_there(&x);
    sp_started(sp_send_routine(x.pair.a, &out, &p.ov[1], on_over)); /* control is there */
    while (told.calls == 1)
        (void)sw_alertable_wait(100);
    assert_true(told.calls == 2 && told.error == 0 && told.bytes == 4);
    sp_recv_all(x.pair.b, text, 4);
    assert_memory_equal(text, "here", 4);
    sp_shared_close(&x);
}

/* --- sends that are started while it is elsewhere --- */

static void sends_keep_their_order(void **state)
{
    enum { SENDS = 60, BYTES = 700 };
    static char data[SENDS * BYTES];
    static WSAOVERLAPPED ov[SENDS];
    struct sp_shared x;
    struct sp_mixed reader;
    unsigned there = 0;
    DWORD bytes = 0;

    (void)state;
    sp_shared_open(&x);
    sp_use_there(&x);
    sp_mixed_read(&reader, x.pair.b);
    memset(ov, 0, sizeof(ov));
    sp_mixed_fill(data, sizeof(data), 1, 0);
    for (unsigned i = 0; i < SENDS; i++) {
        WSABUF buffer = {BYTES, data + i * BYTES};

        sp_started(sp_send_overlapped(x.pair.a, &buffer, 1, &ov[i]));
        if (i % 10 == 9)
            second_process_tell(&x.p, "mixed 2 %u 50", there++ * 50);
    }
    for (unsigned i = 0; i < SENDS; i++) {
        sp_ok(sp_finish(x.pair.a, &ov[i], &bytes));
        assert_int_equal(bytes, BYTES);
    }
    sp_ok(sp_close(x.pair.a));
    second_process_tell(&x.p, "close");
    x.pair.a = INVALID_SOCKET;
    sp_mixed_join(&reader);
    assert_int_equal(pal_load_relaxed(&reader.got[1]), sizeof(data));
    assert_int_equal(pal_load_relaxed(&reader.got[2]), there * 50);
    sp_pair_close(&x.pair);
    second_process_end(&x.p);
}

/* --- what waits for control is called off. The one in control is stopped meanwhile, so that it does not come. --- */

static void open_and_stop(struct sp_shared *x)
{
    sp_shared_open(x);
    sp_use_there(x);
    assert_int_equal(kill((pid_t)x->p.pid, SIGSTOP), 0);
}

static void go_on(struct sp_shared *x)
{
    assert_int_equal(kill((pid_t)x->p.pid, SIGCONT), 0);
}

static void cancelled(void **state)
{
    struct sp_shared x;
    struct pending p;
    DWORD bytes = 0;

    (void)state;
    open_and_stop(&x);
    post_all(x.pair.a, &p);
    sp_ok(sp.cancel_io(x.pair.a, &p.ov[1], false)); /* one of them */
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(x.pair.a, &p.ov[1], &bytes));
    sp_fails(WSA_IO_INCOMPLETE, sp_result(x.pair.a, &p.ov[0], false, &bytes));
    sp_ok(sp.cancel_io(x.pair.a, &p.ov[0], false));
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(x.pair.a, &p.ov[0], &bytes));
    go_on(&x);
    feed(&x, 2); /* they take no bytes */
    sp_ok(sp_finish(x.pair.a, &p.ov[2], &bytes));
    fed(&p, 2);
    sp_ok(sp.cancel_io(x.pair.a, NULL, false)); /* all that is left */
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(x.pair.a, &p.ov[3], &bytes));
    sp_use_there(&x);
    sp_echo(x.pair.b, x.pair.a, 1);
    sp_shared_close(&x);
}

static void a_send_is_cancelled(void **state)
{
    struct sp_shared x;
    WSABUF buffer = {6, (char *)(uintptr_t) "nobody"};
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD bytes = 0;

    (void)state;
    if (!sp_env.is_san)
        sp_skip("TCP/IP takes it at once");
    open_and_stop(&x);
    sp_fails(WSA_IO_PENDING, sp_send_overlapped(x.pair.a, &buffer, 1, &ov));
    sp_ok(sp.cancel_io(x.pair.a, &ov, false));
    sp_fails(WSA_OPERATION_ABORTED, sp_finish(x.pair.a, &ov, &bytes));
    go_on(&x);
    sp_use_here(&x); /* and nothing of it arrives */
    sp_shared_close(&x);
}

static void the_handle_is_closed(void **state)
{
    struct sp_shared x;
    struct pending p;
    struct sp_receiving receiving = {.got = 0};
    struct sp_call call;
    struct sw_iocp *queue = sw_iocp_create();
    struct sw_packet packet;

    (void)state;
    open_and_stop(&x);
    sp_ok(ws2_bind_queue(x.pair.a, queue, 7));
    post_all(x.pair.a, &p);
    receiving.s = x.pair.a;
    sp_call_start(&call, sp_receive_now, &receiving);
    wait_ms(20);
    sp_ok(sp_close(x.pair.a));
    x.pair.a = INVALID_SOCKET;
    sp_one_of(sp_call_join(&call), WSAEINTR, WSAENOTSOCK); /* the latter: before it began */
    for (unsigned i = 0; i < RECEIVES; i++) {
        sp_ok(sw_iocp_get(queue, &packet, sp_env.wait_ms));
        assert_true(packet.ov == &p.ov[i] && packet.error == WSA_OPERATION_ABORTED);
    }
    go_on(&x);
    sp_send_all(x.pair.b, "kept", 4);
    assert_string_equal(second_process_tell(&x.p, "recvtext 4"), "kept");
    sp_use_there(&x);
    sp_shared_close(&x);
    sw_iocp_destroy(queue);
}

static void the_time_is_over(void **state)
{
    struct sp_shared x;
    char text[4];
    DWORD got = 0;

    (void)state;
    sp_shared_open(&x);
    sp_ok(sp_set_int(x.pair.a, WS_SOL_SOCKET, WS_SO_RCVTIMEO, 100));
    sp_ok(sp_set_int(x.pair.a, WS_SOL_SOCKET, WS_SO_SNDTIMEO, 100));
    sp_use_there(&x);
    assert_int_equal(kill((pid_t)x.p.pid, SIGSTOP), 0);
    sp_fails(WSAETIMEDOUT, sp_recv(x.pair.a, text, 4, 0, &got));
    if (sp_env.is_san)
        sp_fails(WSAETIMEDOUT, sp_send(x.pair.a, "nothing", 7, 0, NULL));
    go_on(&x);
    sp_ok(sp_set_int(x.pair.a, WS_SOL_SOCKET, WS_SO_RCVTIMEO, 0));
    sp_ok(sp_set_int(x.pair.a, WS_SOL_SOCKET, WS_SO_SNDTIMEO, 0));
    sp_use_here(&x);
    sp_send_all(x.pair.b, "kept", 4);
    sp_recv_all(x.pair.a, text, 4);
    assert_memory_equal(text, "kept", 4);
    /* Until control comes it knows what was in force when control left it: 100 ms, which a busy machine takes longer than to pass it on. */
    second_process_tell(&x.p, "setint %d %d 0", WS_SOL_SOCKET, WS_SO_SNDTIMEO);
    sp_use_there(&x);
    sp_shared_close(&x);
}

static struct {
    unsigned calls;
} hook;

static BOOL CALLBACK cancelling_hook(DWORD_PTR context)
{
    (void)context;
    return ++hook.calls < 3;
}

static void the_blocking_hook_ends_it(void **state)
{
    struct sp_shared x;
    char byte;
    DWORD got = 0;

    (void)state;
    open_and_stop(&x);
    hook.calls = 0;
    ws2_set_blocking_hook(cancelling_hook, 0);
    sp_fails(WSAEINTR, sp_recv(x.pair.a, &byte, 1, 0, &got));
    assert_int_equal(hook.calls, 3);
    ws2_set_blocking_hook(NULL, 0);
    go_on(&x);
    sp_use_there(&x);
    sp_use_here(&x);
    sp_shared_close(&x);
}

/* --- without blocking --- */

/* 0 at last, and until then nothing but WSAEWOULDBLOCK. */
static int at_last(SOCKET s, bool is_send, char *data, DWORD bytes, DWORD *done)
{
    const uint64_t end = sp_deadline();
    int code;

    do {
        code = is_send ? sp_send(s, data, bytes, 0, done) : sp_recv(s, data, bytes, 0, done);
        suite_relax();
    } while (code == WSAEWOULDBLOCK && pal_now_ns() < end);
    return code;
}

static void not_yet_and_then_it_works(void **state)
{
    struct sp_shared x;
    char text[4] = "here";
    DWORD done = 0;

    (void)state;
    sp_shared_open(&x);
    sp_ok(sp_nonblocking(x.pair.a, true));
    x.is_nonblocking = true;
    for (unsigned i = 0; i < 5; i++) {
        sp_use_there(&x);
        sp_fails(WSAEWOULDBLOCK, sp_recv(x.pair.a, text, 4, 0, &done)); /* there is nothing */
        sp_use_there(&x);
        sp_fill(text, 4, 9, i);
        sp_ok(at_last(x.pair.a, true, text, 4, &done));
        assert_int_equal(done, 4);
        memset(text, 0, 4);
        sp_recv_all(x.pair.b, text, 4);
        sp_expect_pattern(text, 4, 9, i);
        sp_use_there(&x);
        sp_send_all(x.pair.b, "back", 4);
        sp_ok(at_last(x.pair.a, false, text, 4, &done));
        assert_int_equal(done, 4);
        assert_memory_equal(text, "back", 4);
    }
    sp_shared_close(&x);
}

struct selecting {
    SOCKET s;
    unsigned which, ready;
};

static int select_now(void *context)
{
    struct selecting *w = context;

    return sp_select(w->s, w->which, sp_env.wait_ms, &w->ready);
}

/* Whoever waits for bytes is told, wherever control was when they came. */
static void a_select_is_told(void **state)
{
    struct sp_shared x;
    struct selecting w = {.which = SP_READ};
    struct sp_call call;
    char text[4];
    unsigned ready = 99;

    (void)state;
    sp_shared_open(&x);
    w.s = x.pair.a;
    for (unsigned i = 0; i < 4; i++) {
        sp_use_there(&x);
        sp_ok(sp_select(x.pair.a, SP_READ, 0, &ready));
        assert_int_equal(ready, 0);
        sp_call_start(&call, select_now, &w);
        sp_use_there(&x);
        sp_use_there(&x);
        assert_int_equal(pal_load_acquire(&call.is_over), 0);
        sp_send_all(x.pair.b, "data", 4);
        sp_ok(sp_call_join(&call));
        assert_int_equal(w.ready, SP_READ);
        if (i % 2 == 0) {
            sp_recv_all(x.pair.a, text, 4);
            assert_memory_equal(text, "data", 4);
        } else {
            assert_string_equal(second_process_tell(&x.p, "recvtext 4"), "data");
        }
    }
    sp_shared_close(&x);
}

static void both_select(void **state)
{
    struct sp_shared x;
    struct selecting w = {.which = SP_READ};
    struct sp_call call;
    char byte;

    (void)state;
    sp_shared_open(&x);
    w.s = x.pair.a;
    for (unsigned i = 0; i < 3; i++) {
        sp_call_start(&call, select_now, &w);
        second_process_order(&x.p, "select %d %u", SP_READ, (unsigned)sp_env.wait_ms);
        wait_ms(i * 30);
        sp_send_all(x.pair.b, "x", 1); /* nobody fetches it before both know */
        sp_ok(sp_call_join(&call));
        assert_int_equal(w.ready, SP_READ);
        assert_int_equal(atoi(second_process_answer(&x.p)), SP_READ);
        sp_recv_all(x.pair.a, &byte, 1);
    }
    sp_shared_close(&x);
}

static void a_select_for_writing(void **state)
{
    struct sp_shared x;
    unsigned ready = 0;
    DWORD done = 0;
    char byte = 0;

    (void)state;
    sp_shared_open(&x);
    sp_ok(sp_nonblocking(x.pair.a, true));
    x.is_nonblocking = true;
    for (unsigned i = 0; i < 3; i++) {
        sp_use_there(&x);
        sp_ok(sp_select(x.pair.a, SP_WRITE, sp_env.wait_ms, &ready));
        assert_int_equal(ready, SP_WRITE);
        sp_ok(at_last(x.pair.a, true, &byte, 1, &done));
        sp_recv_all(x.pair.b, &byte, 1);
    }
    sp_shared_close(&x);
}

static void wait_for(SOCKET s, WSAEVENT e, LONG wanted)
{
    WSANETWORKEVENTS seen;
    LONG came = 0;

    while ((came & wanted) == 0)
        came = sp_next_events(s, e, &seen);
}

static void an_event_is_recorded(void **state)
{
    struct sp_shared x;
    WSAEVENT e = sw_event_create(true, false);
    char text[4];
    DWORD got = 0;

    (void)state;
    sp_shared_open(&x);
    sp_use_there(&x);
    sp_ok(sp_event_select(x.pair.a, e, FD_READ | FD_CLOSE)); /* without control */
    x.is_nonblocking = true;
    for (unsigned i = 0; i < 4; i++) {
        sp_use_there(&x);
        sp_send_all(x.pair.b, "data", 4);
        wait_for(x.pair.a, e, FD_READ);
        sp_ok(at_last(x.pair.a, false, text, 4, &got));
        assert_int_equal(got, 4);
        assert_memory_equal(text, "data", 4);
    }
    sp_use_there(&x);
    sp_ok(sp_shutdown(x.pair.b, SD_SEND));
    wait_for(x.pair.a, e, FD_CLOSE);
    sp_ok(at_last(x.pair.a, false, text, 4, &got));
    assert_int_equal(got, 0);
    sp_shared_close(&x);
    sp_ok(sw_event_close(e));
}

/* After WSAEWOULDBLOCK FD_WRITE comes (10.3), whatever it was that was in the way. */
static void it_may_be_written(void **state)
{
    struct sp_shared x;
    WSAEVENT e = sw_event_create(true, false);
    DWORD done = 0;
    char byte = 0;

    (void)state;
    sp_shared_open(&x);
    sp_ok(sp_event_select(x.pair.a, e, FD_WRITE));
    x.is_nonblocking = true;
    wait_for(x.pair.a, e, FD_WRITE); /* it may, from the beginning */
    for (unsigned i = 0; i < 4; i++) {
        int code;

        sp_use_there(&x);
        while ((code = sp_send(x.pair.a, "x", 1, 0, &done)) == WSAEWOULDBLOCK)
            wait_for(x.pair.a, e, FD_WRITE);
        sp_ok(code);
        sp_recv_all(x.pair.b, &byte, 1);
    }
    sp_shared_close(&x);
    sp_ok(sw_event_close(e));
}

/* --- kinds of bytes --- */

static void peeking_takes_nothing(void **state)
{
    struct sp_shared x;
    char text[4];
    DWORD got = 0;

    (void)state;
    sp_shared_open(&x);
    sp_use_there(&x);
    sp_send_all(x.pair.b, "peek", 4);
    sp_ok(sp_recv(x.pair.a, text, 4, WS_MSG_PEEK, &got));
    assert_memory_equal(text, "peek", got);
    sp_use_there(&x);
    sp_ok(sp_recv(x.pair.a, text, 4, WS_MSG_PEEK, &got));
    assert_memory_equal(text, "peek", got);
    assert_string_equal(second_process_tell(&x.p, "recvtext 4"), "peek");
    sp_shared_close(&x);
}

/* Urgent data is found by who looks for it. */
static void urgent_data(void **state)
{
    struct sp_shared x;
    unsigned ready = 0;
    char byte = 0, text[6];
    DWORD got = 0;

    (void)state;
    sp_shared_open(&x);
    sp_use_there(&x);
    sp_send_all(x.pair.b, "abc", 3);
    sp_ok(sp_send(x.pair.b, "!", 1, WS_MSG_OOB, NULL));
    sp_send_all(x.pair.b, "def", 3);
    sp_ok(sp_select(x.pair.a, SP_EXCEPT, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_EXCEPT);
    sp_use_there(&x);
    sp_ok(sp_recv(x.pair.a, &byte, 1, WS_MSG_OOB, &got));
    assert_int_equal(byte, '!');
    assert_string_equal(second_process_tell(&x.p, "recvtext 3"), "abc");
    sp_recv_all(x.pair.a, text, 3);
    assert_memory_equal(text, "def", 3);
    sp_shared_close(&x);
}

/* A receive that wants all of its bytes and has some, when the other process sends. */
static void a_receive_that_has_a_part(void **state)
{
    struct sp_shared x;
    char room[10];
    WSABUF buffer = {sizeof(room), room};
    WSAOVERLAPPED ov = {.hEvent = NULL};
    DWORD bytes = 0;

    (void)state;
    sp_shared_open(&x);
    sp_fails(WSA_IO_PENDING, sp_recv_overlapped(x.pair.a, &buffer, 1, WS_MSG_WAITALL, &ov));
    sp_send_all(x.pair.b, "1234", 4);
    sp_use_there(&x);
    sp_send_all(x.pair.b, "567890", 6);
    sp_ok(sp_finish(x.pair.a, &ov, &bytes));
    if (bytes !=
        sizeof(
            room)) { /* what it had when control left, it has; the rest is for the next one (as moving.c) */
        assert_int_equal(bytes, 4);
        sp_recv_all(x.pair.a, room + 4, 6);
    }
    assert_memory_equal(room, "1234567890", 10);
    sp_shared_close(&x);
}

static void a_file_is_sent(void **state)
{
    struct sp_shared x;
    HANDLE file = sp_file_create(50000, 9);
    struct sp_reader reader = {.seed = 9, .piece_bytes = 10000, .want = 50000};
    WSAOVERLAPPED ov = {.hEvent = NULL};

    (void)state;
    sp_shared_open(&x);
    sp_use_there(&x);
    reader.s = x.pair.b;
    sp_reader_start(&reader);
    sp_started(sp_transmit_file(x.pair.a, file, 0, &ov, NULL, 0));
    sp_ok(sp_finish(x.pair.a, &ov, NULL));
    sp_reader_join(&reader);
    sp_use_there(&x);
    sp_shared_close(&x);
    sp_file_close(file);
}

int sp_control_waiting(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(the_answer_to_the_others_question),
        sp_test(the_other_gets_the_answer),
        sp_test(both_wait_for_the_same),
        sp_test(receives_stay_pending),
        sp_test(receives_posted_without_control),
        sp_test(told_by_an_event),
        sp_test(told_by_a_queue),
        sp_test(told_by_a_routine),
        sp_test(sends_keep_their_order),
        sp_test(cancelled),
        sp_test(a_send_is_cancelled),
        sp_test(the_handle_is_closed),
        sp_test(the_time_is_over),
        sp_test(the_blocking_hook_ends_it),
        sp_test(not_yet_and_then_it_works),
        sp_test(a_select_is_told),
        sp_test(both_select),
        sp_test(a_select_for_writing),
        sp_test(an_event_is_recorded),
        sp_test(it_may_be_written),
        sp_test(peeking_takes_nothing),
        sp_test(urgent_data),
        sp_test(a_receive_that_has_a_part),
        sp_test(a_file_is_sent),
    };

    return cmocka_run_group_tests_name("control_waiting", tests, NULL, NULL);
}
