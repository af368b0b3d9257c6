/* ends.c - the other process is killed, or stops, in each state of a connection: what waits ends in bounded time with the end of the stream
 * or an error, and the next connection works. Checklist 14.3 of the contract; 10.3 "Keep-alive". (Closing in each state is storm.c's and
 * closing.c's.) */
#include "sp.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

struct scene {
    struct second_process p;
    WSD_SOCKADDR_IN at; /* the process listens there */
    SOCKET s;           /* ours */
    WSAOVERLAPPED in[4], out;
    unsigned in_count;
    bool has_out;
    char room[4][64];
    struct sp_call call;
    struct sp_receiving blocked;
    bool has_call;
};

static char large[8 << 20];

static void needs_a_process_to_kill(void)
{
    if (POSIX_KILL_KEEPS_SOCKETS)
        sp_skip("Wine keeps the sockets of processes that were killed");
}

static void process_listens(struct scene *x)
{
    sp_process_start(&x->p, sp_env.is_san ? "on" : "off");
    sp_ok(sw_parse_address(second_process_tell(&x->p, "listen"), &x->at));
}

static void kill_process(struct scene *x)
{
    int status = 0;

    assert_int_equal(kill((pid_t)x->p.pid, SIGKILL), 0);
    second_process_reap(&x->p, &status);
}

static void open_connection(struct scene *x)
{
    x->s = sp_stream();
    sp_ok(sp_connect(x->s, &x->at));
    sp_carried(x->s);
}

static void receive_overlapped(struct scene *x, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        WSABUF buffer = {sizeof(x->room[i]), x->room[i]};

        sp_fails(WSA_IO_PENDING, sp_recv_overlapped(x->s, &buffer, 1, 0, &x->in[i]));
    }
    x->in_count = count;
}

static void send_much(struct scene *x)
{
    WSABUF buffer = {sizeof(large), large};

    x->has_out = true;
    sp_fails(WSA_IO_PENDING, sp_send_overlapped(x->s, &buffer, 1, &x->out)); /* nobody reads */
}

/* --- the states --- */

static void not_accepted_yet(struct scene *x)
{
    open_connection(x);
    receive_overlapped(x, 1);
}

static void idle(struct scene *x)
{
    open_connection(x);
    second_process_tell(&x->p, "accept");
}

static void a_thread_receives(struct scene *x)
{
    idle(x);
    x->blocked.s = x->s;
    x->has_call = true;
    sp_call_start(&x->call, sp_receive_now, &x->blocked);
}

static void receives_are_pending(struct scene *x)
{
    idle(x);
    receive_overlapped(x, 4);
}

static void a_send_is_pending(struct scene *x)
{
    idle(x);
    send_much(x);
    receive_overlapped(x, 2);
}

static void a_large_send_is_half_read(struct scene *x)
{
    idle(x);
    send_much(x);
    second_process_order(&x->p, "recv 0 %u", (unsigned)sizeof(large) / 2);
    pal_sleep_ms(20); /* somewhere in it */
}

static void it_sends_much(struct scene *x)
{
    DWORD got = 0;

    idle(x);
    second_process_order(&x->p, "send 1 %u", (unsigned)sizeof(large));
    sp_ok(sp_recv(x->s, x->room[0], sizeof(x->room[0]), 0, &got));
}

static void we_have_half_closed(struct scene *x)
{
    idle(x);
    sp_ok(sp_shutdown(x->s, SD_SEND));
    receive_overlapped(x, 1);
}

static void it_has_half_closed(struct scene *x)
{
    idle(x);
    second_process_tell(&x->p, "shutdown %u", SD_SEND);
    sp_expect_end(x->s);
    send_much(x);
}

static void its_bytes_are_unread(struct scene *x)
{
    idle(x);
    second_process_tell(&x->p, "send 1 1000");
}

static const struct {
    const char *name;
    void (*prepare)(struct scene *x);
} states[] = {
    {"not accepted yet", not_accepted_yet},     {"idle", idle},
    {"a thread receives", a_thread_receives},   {"receives are pending", receives_are_pending},
    {"a send is pending", a_send_is_pending},   {"a large send is half read", a_large_send_is_half_read},
    {"it sends much", it_sends_much},           {"we have half closed", we_have_half_closed},
    {"it has half closed", it_has_half_closed}, {"its bytes are unread", its_bytes_are_unread},
};

/* --- what has to follow --- */

static void is_an_end(const char *name, const char *what, int error)
{
    if (error != 0 && error != WSAECONNRESET && error != WSAECONNABORTED)
        sp_fail("%s: %s ended with %s", name, what, sw_error_name(error));
}

static void all_ends(struct scene *x, const char *name)
{
    int error = 0;
    DWORD got = 1;

    for (unsigned i = 0; i < x->in_count; i++)
        is_an_end(name, "a receive", sp_finish(x->s, &x->in[i], NULL));
    if (x->has_call)
        is_an_end(name, "a blocking receive", sp_call_join(&x->call));
    if (x->has_out)
        is_an_end(name, "a send", sp_finish(x->s, &x->out, NULL));
    sp_ok(sp_set_int(x->s, WS_SOL_SOCKET, WS_SO_RCVTIMEO, (int)sp_env.wait_ms));
    while (error == 0 && got > 0) /* what it sent still comes; then the end */
        error = sp_recv(x->s, large, sizeof(large), 0, &got);
    is_an_end(name, "receiving", error);
    error = 0;
    for (unsigned i = 0; i < 2000 && error == 0;
         i++) { /* a system's TCP learns it from the answer to a send */
        error = sp_send(x->s, "x", 1, 0, NULL);
        pal_sleep_ms(error == 0 ? 1 : 0);
    }
    if (error != WSAESHUTDOWN)
        is_an_end(name, "sending", error == 0 ? -1 : error);
    sp_ok(sp_close(x->s));
}

static void killed_in_each_state(void **state)
{
    static struct scene x;

    (void)state;
    needs_a_process_to_kill();
    for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        memset(&x, 0, sizeof(x));
        process_listens(&x);
        states[i].prepare(&x);
        kill_process(&x);
        all_ends(&x, states[i].name);
    }
}

/* Killed while it is asked: no answer comes, or that of a system without it. */
static void killed_while_we_connect(void **state)
{
    static struct scene x;
    unsigned ready = 0;
    int error = 0, status = 0;

    (void)state;
    needs_a_process_to_kill();
    memset(&x, 0, sizeof(x));
    process_listens(&x);
    assert_int_equal(kill((pid_t)x.p.pid, SIGSTOP), 0);
    assert_int_equal(waitpid((pid_t)x.p.pid, &status, WUNTRACED), (pid_t)x.p.pid);
    x.s = sp_stream();
    sp_ok(sp_nonblocking(x.s, true));
    sp_fails(WSAEWOULDBLOCK, sp_connect(x.s, &x.at));
    pal_sleep_ms(20);
    kill_process(&x);
    sp_ok(sp_select(x.s, SP_WRITE | SP_EXCEPT, sp_env.wait_ms, &ready));
    assert_int_not_equal(ready, 0);
    if ((ready & SP_WRITE) == 0) {
        sp_ok(sp_get_int(x.s, WS_SOL_SOCKET, WS_SO_ERROR, &error));
        sp_one_of(error, WSAECONNREFUSED, WSAECONNRESET, WSAECONNABORTED, WSAETIMEDOUT);
    }
    sp_ok(sp_close(x.s));
}

static void killed_after_it_connected_to_us(void **state)
{
    static struct scene x;
    WSD_SOCKADDR_IN at;
    SOCKET listener, first, second;
    char text[32];

    (void)state;
    needs_a_process_to_kill();
    memset(&x, 0, sizeof(x));
    listener = sp_listener(5, &at);
    sw_format_address(&at, text, sizeof(text));
    sp_process_start(&x.p, sp_env.is_san ? "on" : "off");
    second_process_tell(&x.p, "connect %s", text);
    sp_ok(sp_accept(listener, &first));
    x.s = first;
    receive_overlapped(&x, 2);
    second_process_tell(&x.p, "connect %s", text); /* one that is in the queue when it dies */
    kill_process(&x);
    all_ends(&x, "it had connected");
    sp_ok(sp_nonblocking(listener, true));
    if (sp_accept(listener, &second) == 0) { /* TCP/IP keeps it in the queue, with its end */
        memset(&x, 0, sizeof(x));
        x.s = second;
        sp_ok(sp_nonblocking(second,
                             false)); /* it has that of its listener, and the end may still be on its way */
        all_ends(&x, "it was in the queue");
    }
    x.s = sp_stream(); /* the listener lives */
    sp_ok(sp_nonblocking(listener, false));
    sp_ok(sp_connect(x.s, &at));
    sp_ok(sp_accept(listener, &first));
    sp_echo(x.s, first, 1);
    sp_ok(sp_close(x.s));
    sp_ok(sp_close(first));
    sp_ok(sp_close(listener));
}

/* A peer that does not answer any more: calls in progress WSAENETRESET, later ones WSAENOTCONN (10.3). The kernel of a stopped process
 * answers for it on TCP/IP. */
static void a_silent_peer_and_keep_alive(void **state)
{
    static struct scene x;
    const ULONG often[3] = {1, 300, 100};
    int status = 0;

    (void)state;
    needs_a_process_to_kill();
    if (!sp_env.is_san)
        sp_skip("the system's TCP answers for a process that has stopped");
    memset(&x, 0, sizeof(x));
    process_listens(&x);
    idle(&x);
    sp_ok(sp_ioctl(x.s, SIO_KEEPALIVE_VALS, often, sizeof(often), NULL, 0, NULL));
    receive_overlapped(&x, 2);
    x.blocked.s = x.s;
    sp_call_start(&x.call, sp_receive_now, &x.blocked);
    assert_int_equal(kill((pid_t)x.p.pid, SIGSTOP), 0);
    assert_int_equal(waitpid((pid_t)x.p.pid, &status, WUNTRACED), (pid_t)x.p.pid);
    for (unsigned i = 0; i < 2; i++)
        sp_fails(WSAENETRESET, sp_finish(x.s, &x.in[i], NULL));
    sp_fails(WSAENETRESET, sp_call_join(&x.call));
    sp_one_of(sp_send(x.s, "x", 1, 0, NULL), WSAENOTCONN, WSAENETRESET);
    sp_ok(sp_close(x.s));
    kill_process(&x);
}

int sp_ends(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(killed_in_each_state),
        sp_test(killed_while_we_connect),
        sp_test(killed_after_it_connected_to_us),
        sp_test(a_silent_peer_and_keep_alive),
    };

    return cmocka_run_group_tests_name("ends", tests, NULL, NULL);
}
