/* accepting.c - WSPListen and WSPAccept: condition function, backlog, what an accepted socket inherits. Contract 10.1, functions 0, 18;
 * 10.3 "Condition function arguments", "Listen"; B031 to B042. */
#include "sp.h"

static void wrong_states(void **state)
{
    SOCKET s = sp_stream(), b;
    int value = 9;

    (void)state;
    sp_fails(WSAEINVAL, sp_listen(s, 5));
    sp_fails(WSAEINVAL, sp_listen(s, -1));
    sp_ok(sp_bind(s, &sp_env.here));
    sp_fails(WSAEINVAL, sp_accept(s, &b));
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_ACCEPTCONN, &value));
    assert_int_equal(value, 0);
    sp_ok(sp_listen(s, 5));
    sp_ok(sp_listen(s, 100000)); /* again: another backlog, as large as it gets */
    sp_ok(sp_get_int(s, WS_SOL_SOCKET, WS_SO_ACCEPTCONN, &value));
    assert_int_equal(value, 1);
    sp_fails(WSAENOPROTOOPT, sp_set_int(s, WS_SOL_SOCKET, WS_SO_ACCEPTCONN, 1));
    sp_fails(WSAENOTCONN, sp_shutdown(s, SD_RECEIVE));
    sp_fails(WSAENOTCONN, sp_shutdown(s, SD_SEND));
    sp_ok(sp_nonblocking(s, true));
    sp_fails(WSAEWOULDBLOCK, sp_accept(s, &b));
    sp_ok(sp_close(s));
}

static int accept_raw(SOCKET l, void *from, INT *bytes, SOCKET *out)
{
    INT error = 0;

    *out = sp.procs->lpWSPAccept(l, from, bytes, NULL, 0, &error);
    return *out == INVALID_SOCKET ? error : 0;
}

static void room_for_the_name(void **state)
{
    WSD_SOCKADDR_IN at, own;
    SOCKET l = sp_listener(5, &at), s[3], b[3];
    WSD_SOCKADDR_STORAGE from;
    INT bytes = sizeof(from);

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        s[i] = sp_stream();
        sp_ok(sp_connect(s[i], &at));
    }
    sp_ok(accept_raw(l, &from, &bytes, &b[0]));
    assert_int_equal(bytes, sizeof(WSD_SOCKADDR_IN));
    sp_ok(sp_local(s[0], &own));
    assert_memory_equal(&from, &own, sizeof(own)); /* the first to come is the first to go */
    memset(&from, 0x33, sizeof(from));
    sp_ok(accept_raw(l, &from, NULL, &b[1])); /* B036 */
    assert_int_equal(from.ss_family, 0x3333);
    bytes = sizeof(WSD_SOCKADDR_IN) - 1;
    sp_fails(WSAEFAULT, accept_raw(l, &from, &bytes, &b[2]));
    sp_ok(sp_accept(l, &b[2])); /* still there */
    for (unsigned i = 0; i < 3; i++) {
        sp_echo(s[i], b[i], i);
        sp_ok(sp_close(s[i]));
        sp_ok(sp_close(b[i]));
    }
    sp_ok(sp_close(l));
}

/* --- condition functions --- */

static struct {
    int answer;
    unsigned calls;
    uint64_t thread;
    DWORD_PTR context;
    WSD_SOCKADDR_IN caller, callee;
    bool has_names;
} asked;

static int CALLBACK condition(LPWSABUF caller, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos, LPWSABUF callee,
                              LPWSABUF callee_data, GROUP *group, DWORD_PTR context)
{
    (void)caller_data;
    (void)sqos;
    (void)gqos;
    (void)callee_data;
    (void)group;
    asked.calls++;
    asked.thread = pal_thread_id();
    asked.context = context;
    asked.has_names = caller != NULL && callee != NULL && caller->len >= sizeof(asked.caller) &&
                      callee->len >= sizeof(asked.callee);
    if (asked.has_names) {
        memcpy(&asked.caller, caller->buf, sizeof(asked.caller));
        memcpy(&asked.callee, callee->buf, sizeof(asked.callee));
    }
    return asked.answer;
}

static void condition_accepts(void **state)
{
    WSD_SOCKADDR_IN at, own, from;
    SOCKET l = sp_listener(5, &at), s = sp_stream(), b;

    (void)state;
    memset(&asked, 0, sizeof(asked));
    asked.answer = CF_ACCEPT;
    sp_ok(sp_connect(s, &at));
    sp_ok(sp_accept_if(l, condition, 4711, &from, &b));
    assert_int_equal(asked.calls, 1);
    assert_int_equal(asked.context, 4711);
    assert_int_equal(asked.thread, pal_thread_id());
    assert_true(asked.has_names);
    sp_ok(sp_local(s, &own));
    assert_memory_equal(&asked.caller, &own, sizeof(own));
    assert_memory_equal(&from, &own, sizeof(own));
    assert_memory_equal(&asked.callee, &at, sizeof(at));
    sp_echo(s, b, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

static void condition_rejects(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), s = sp_stream(), again = sp_stream(), b;
    char byte;

    (void)state;
    asked.answer = CF_REJECT;
    sp_ok(sp_connect(s, &at));
    sp_fails(WSAECONNREFUSED, sp_accept_if(l, condition, 0, NULL, &b));
    sp_one_of(sp_recv(s, &byte, 1, 0, NULL), WSAECONNRESET, WSAECONNABORTED);
    asked.answer = CF_ACCEPT;
    sp_ok(sp_connect(again, &at));
    sp_ok(sp_accept_if(l, condition, 0, NULL, &b));
    sp_echo(again, b, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(again));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

static void condition_defers(void **state)
{
    WSD_SOCKADDR_IN at, first, second, from;
    SOCKET l = sp_listener(5, &at), s = sp_stream(), later = sp_stream(), b;

    (void)state;
    asked.answer = CF_DEFER;
    sp_ok(sp_connect(s, &at));
    sp_ok(sp_connect(later, &at));
    sp_ok(sp_local(s, &first));
    sp_ok(sp_local(later, &second));
    for (unsigned i = 0; i < 3; i++) {
        sp_fails(WSATRY_AGAIN, sp_accept_if(l, condition, 0, NULL, &b));
        assert_memory_equal(&asked.caller, &first, sizeof(first)); /* it stays the first */
    }
    asked.answer = CF_ACCEPT;
    sp_ok(sp_accept_if(l, condition, 0, &from, &b));
    assert_memory_equal(&from, &first, sizeof(first));
    sp_echo(s, b, 1);
    sp_ok(sp_close(b));
    sp_ok(sp_accept_if(l, NULL, 0, &from, &b));
    assert_memory_equal(&from, &second, sizeof(second));
    sp_ok(sp_close(b));
    sp_ok(sp_close(s));
    sp_ok(sp_close(later));
    sp_ok(sp_close(l));
}

static void condition_talks_nonsense(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), s = sp_stream(), b;

    (void)state;
    asked.answer = 77;
    sp_ok(sp_connect(s, &at));
    sp_fails(WSAEINVAL, sp_accept_if(l, condition, 0, NULL, &b));
    sp_ok(sp_close(s));
    sp_ok(sp_close(l));
}

/* --- waiting, closing, backlog --- */

struct waiting {
    SOCKET listener, accepted;
};

static int accept_now(void *context)
{
    struct waiting *w = context;

    return sp_accept(w->listener, &w->accepted);
}

static void blocking_accept_waits(void **state)
{
    WSD_SOCKADDR_IN at;
    struct waiting w = {sp_listener(5, &at), INVALID_SOCKET};
    struct sp_call call;
    SOCKET s = sp_stream();

    (void)state;
    sp_call_start(&call, accept_now, &w);
    sp_call_blocks(&call);
    sp_ok(sp_connect(s, &at));
    sp_ok(sp_call_join(&call));
    sp_echo(s, w.accepted, 1);
    sp_ok(sp_close(s));
    sp_ok(sp_close(w.accepted));
    sp_ok(sp_close(w.listener));
}

/* B039 */
static void closing_ends_a_blocked_accept(void **state)
{
    WSD_SOCKADDR_IN at;
    struct waiting w = {sp_listener(5, &at), INVALID_SOCKET};
    struct sp_call call;

    (void)state;
    sp_call_start(&call, accept_now, &w);
    sp_call_blocks(&call);
    sp_ok(sp_close(w.listener));
    sp_one_of(sp_call_join(&call), WSAEINTR, WSAENOTSOCK, WSA_OPERATION_ABORTED);
    assert_true(w.accepted == INVALID_SOCKET);
}

static void closing_a_listener_resets_who_waits(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), s = sp_stream(), later = sp_stream();
    char byte;

    (void)state;
    sp_ok(sp_connect(s, &at));
    sp_ok(sp_close(l));
    sp_one_of(sp_recv(s, &byte, 1, 0, NULL), WSAECONNRESET, WSAECONNABORTED);
    sp_fails(WSAECONNREFUSED, sp_connect(later, &at));
    sp_ok(sp_close(s));
    sp_ok(sp_close(later));
}

static void who_hangs_up_before_accept_leaves_its_bytes(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), s = sp_stream(), b;
    char data[5];

    (void)state;
    sp_ok(sp_connect(s, &at));
    sp_send_all(s, "bytes", 5);
    sp_ok(sp_close(s));
    sp_ok(sp_accept(l, &b));
    sp_recv_all(b, data, 5);
    assert_memory_equal(data, "bytes", 5);
    sp_expect_end(b);
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

/* 10.3 "Listen": a full queue gives the client WSAECONNREFUSED. Linux' own TCP lets it wait instead. */
static void a_full_queue_refuses(void **state)
{
    enum { CLIENTS = 12, BACKLOG = 2 };
    WSD_SOCKADDR_IN at;
    SOCKET l, s[CLIENTS], b;
    unsigned connected = 0;
    bool is_refused = false;

    (void)state;
    if (!sp_env.is_san)
        sp_skip("the system's TCP lets a client wait");
    l = sp_listener(BACKLOG, &at);
    for (unsigned i = 0; i < CLIENTS; i++) {
        int error;

        s[i] = sp_stream();
        error = sp_connect(s[i], &at);
        sp_one_of(error, 0, WSAECONNREFUSED);
        if (error == 0)
            connected++;
        else
            is_refused = true;
    }
    assert_true(is_refused);
    assert_true(connected >= BACKLOG);
    for (unsigned i = 0; i < connected; i++) {
        sp_ok(sp_accept(l, &b));
        sp_carried(b);
        sp_ok(sp_close(b));
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        sp_ok(sp_close(s[i]));
    sp_ok(sp_close(l));
}

/* --- B040 --- */

static void an_accepted_socket_inherits(void **state)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {WS_SOL_SOCKET, WS_SO_KEEPALIVE, 1},   {WS_SOL_SOCKET, WS_SO_OOBINLINE, 1},
        {WS_SOL_SOCKET, WS_SO_SNDBUF, 98304},  {WS_SOL_SOCKET, WS_SO_RCVBUF, 81920},
        {WS_SOL_SOCKET, WS_SO_SNDTIMEO, 4321}, {WS_SOL_SOCKET, WS_SO_RCVTIMEO, 5432},
        {WS_IPPROTO_TCP, WS_TCP_NODELAY, 1},   {WS_SOL_SOCKET, WS_SO_REUSEADDR, 1},
    };
    SOCKET l = sp_stream(), s = sp_stream(), b;
    WSD_SOCKADDR_IN at;
    WSD_LINGER linger = {.l_onoff = 0};
    int bytes = sizeof(linger);

    (void)state;
    for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        sp_ok(sp_set_int(l, options[i].level, options[i].name, options[i].value));
    sp_ok(sp_set_linger(l, true, 7));
    sp_ok(sp_bind(l, &sp_env.here));
    sp_ok(sp_listen(l, 1));
    sp_ok(sp_local(l, &at));
    sp_ok(sp_connect(s, &at));
    sp_ok(sp_accept(l, &b));
    for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        int value = -1;

        sp_ok(sp_get_int(b, options[i].level, options[i].name, &value));
        if (value != options[i].value)
            sp_fail("option %#x: %d was not inherited, it is %d", (unsigned)options[i].name, options[i].value,
                    value);
    }
    sp_ok(sp_get(b, WS_SOL_SOCKET, WS_SO_LINGER, &linger, &bytes));
    assert_int_equal(linger.l_onoff, 1);
    assert_int_equal(linger.l_linger, 7);
    sp_ok(sp_close(s));
    sp_ok(sp_close(b));
    sp_ok(sp_close(l));
}

int sp_accepting(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(wrong_states),
        sp_test(room_for_the_name),
        sp_test(condition_accepts),
        sp_test(condition_rejects),
        sp_test(condition_defers),
        sp_test(condition_talks_nonsense),
        sp_test(blocking_accept_waits),
        sp_test(closing_ends_a_blocked_accept),
        sp_test(closing_a_listener_resets_who_waits),
        sp_test(who_hangs_up_before_accept_leaves_its_bytes),
        sp_test(a_full_queue_refuses),
        sp_test(an_accepted_socket_inherits),
    };

    return cmocka_run_group_tests_name("accepting", tests, NULL, NULL);
}
