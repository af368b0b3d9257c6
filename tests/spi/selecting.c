/* selecting.c - WSPSelect. Contract 10.1, function 22; 10.3 "Select summary"; B174 to B184. */
#include "sp.h"

static int select_raw(WSD_FD_SET *r, WSD_FD_SET *w, WSD_FD_SET *x, LONG milliseconds, int *count)
{
    WSD_TIMEVAL timeout = {milliseconds / 1000, milliseconds % 1000 * 1000};
    INT error = 0;

    *count = sp.procs->lpWSPSelect(0, r, w, x, &timeout, &error);
    return *count == SOCKET_ERROR ? (error != 0 ? error : -1) : 0;
}

static WSD_FD_SET set_of(unsigned count, const SOCKET *sockets)
{
    WSD_FD_SET set;

    memset(&set, 0, sizeof(set));
    set.fd_count = count;
    for (unsigned i = 0; i < count; i++)
        set.fd_array[i] = sockets[i];
    return set;
}

static void nothing_to_ask(void **state)
{
    WSD_FD_SET empty = set_of(0, NULL);
    int count;

    (void)state;
    sp_fails(WSAEINVAL, select_raw(NULL, NULL, NULL, 0, &count));
    sp_fails(WSAEINVAL, select_raw(&empty, &empty, &empty, 0, &count));
}

static void no_sockets_among_them(void **state)
{
    SOCKET s[2] = {sp_stream(), 0x99};
    WSD_FD_SET set = set_of(2, s);
    int count;

    (void)state;
    sp_fails(WSAENOTSOCK, select_raw(&set, NULL, NULL, 0, &count));
    sp_ok(sp_close(s[0]));
    set = set_of(1, s);
    sp_fails(WSAENOTSOCK, select_raw(&set, NULL, NULL, 0, &count));
}

static void a_bad_time(void **state)
{
    SOCKET s = sp_stream();
    WSD_FD_SET set = set_of(1, &s);
    WSD_TIMEVAL timeout = {-1, 0};
    INT error = 0;

    (void)state;
    assert_int_equal(sp.procs->lpWSPSelect(0, &set, NULL, NULL, &timeout, &error), SOCKET_ERROR);
    sp_fails(WSAEINVAL, error);
    sp_ok(sp_close(s));
}

/* B176 */
static void an_unconnected_socket_is_in_no_set(void **state)
{
    SOCKET s = sp_stream();
    unsigned ready;
    uint64_t before = pal_now_ns();

    (void)state;
    sp_ok(sp_select(s, SP_READ | SP_WRITE | SP_EXCEPT, 0, &ready));
    assert_int_equal(ready, 0);
    sp_ok(sp_select(s, SP_READ | SP_WRITE | SP_EXCEPT, 60, &ready));
    assert_int_equal(ready, 0);
    assert_true(pal_now_ns() - before >= 50u * 1000000u); /* it did wait */
    sp_ok(sp_close(s));
}

/* B177 */
static void a_listener_is_readable_when_somebody_waits(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), s = sp_stream(), b;
    unsigned ready;

    (void)state;
    sp_ok(sp_select(l, SP_READ | SP_WRITE | SP_EXCEPT, 20, &ready));
    assert_int_equal(ready, 0);
    sp_ok(sp_connect(s, &at));
    sp_ok(sp_select(l, SP_READ | SP_WRITE | SP_EXCEPT, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_READ);
    sp_ok(sp_accept(l, &b));
    sp_ok(sp_select(l, SP_READ, 20, &ready));
    assert_int_equal(ready, 0);
    sp_ok(sp_close(b));
    sp_ok(sp_close(s));
    sp_ok(sp_close(l));
}

static void data_and_room(void **state)
{
    struct sp_pair pair;
    unsigned ready;
    char byte;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_select(pair.a, SP_READ | SP_WRITE | SP_EXCEPT, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_WRITE);
    sp_ok(sp_select(pair.a, SP_READ, 20, &ready));
    assert_int_equal(ready, 0);
    sp_send_all(pair.b, "x", 1);
    sp_ok(sp_select(pair.a, SP_READ, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_READ);
    sp_ok(sp_recv(pair.a, &byte, 1, 0, NULL));
    sp_ok(sp_select(pair.a, SP_READ, 20, &ready));
    assert_int_equal(ready, 0);
    sp_pair_close(&pair);
}

static void the_end_is_readable(void **state)
{
    struct sp_pair pair;
    unsigned ready;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_shutdown(pair.b, SD_SEND));
    sp_ok(sp_select(pair.a, SP_READ, SW_FOREVER, &ready));
    assert_int_equal(ready, SP_READ);
    sp_expect_end(pair.a);
    sp_ok(sp_select(pair.a, SP_READ, 0, &ready));
    assert_int_equal(ready, SP_READ); /* for ever */
    sp_pair_close(&pair);
}

/* B144 */
static void a_reset_is_readable_and_writable(void **state)
{
    struct sp_pair pair;
    unsigned ready = 0;

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_set_linger(pair.b, true, 0));
    sp_ok(sp_close(pair.b));
    pair.b = INVALID_SOCKET;
    sp_ok(sp_select(pair.a, SP_READ, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_READ);
    sp_ok(sp_select(pair.a, SP_READ | SP_WRITE | SP_EXCEPT, 0, &ready));
    assert_int_equal(ready, SP_READ | SP_WRITE);
    sp_pair_close(&pair);
}

/* B179, B180 */
static void twice_in_a_set_and_one_set_for_two(void **state)
{
    struct sp_pair pair;
    WSD_FD_SET set;
    int count;

    (void)state;
    sp_pair_open(&pair);
    set = set_of(2, (SOCKET[]){pair.a, pair.a});
    sp_ok(select_raw(NULL, &set, NULL, 1000, &count));
    assert_int_equal(count, 1);
    assert_int_equal(set.fd_count, 1);
    set = set_of(2, (SOCKET[]){pair.a, pair.listener});
    sp_ok(select_raw(&set, &set, NULL, 1000, &count));
    assert_int_equal(set.fd_count, 1);
    assert_true(set.fd_array[0] == pair.a);
    sp_pair_close(&pair);
}

static void many_sockets_at_once(void **state)
{
    enum { PAIRS = 30 };
    static struct sp_pair pairs[PAIRS];
    WSD_FD_SET set;
    int count;

    (void)state;
    memset(&set, 0, sizeof(set));
    for (unsigned i = 0; i < PAIRS; i++) {
        sp_pair_open(&pairs[i]);
        set.fd_array[2 * i] = pairs[i].a;
        set.fd_array[2 * i + 1] = pairs[i].b;
    }
    for (unsigned i = 0; i < PAIRS; i += 7) {
        WSD_FD_SET asked = set;

        asked.fd_count = 2 * PAIRS;
        sp_send_all(pairs[i].a, "x", 1);
        sp_ok(select_raw(&asked, NULL, NULL, (LONG)sp_env.wait_ms, &count));
        assert_int_equal(count, 1);
        assert_true(asked.fd_array[0] == pairs[i].b);
        char byte;
        sp_ok(sp_recv(pairs[i].b, &byte, 1, 0, NULL));
    }
    for (unsigned i = 0; i < PAIRS; i++)
        sp_pair_close(&pairs[i]);
}

struct selecting {
    SOCKET s;
    unsigned which, ready;
};

static int select_for_ever(void *context)
{
    struct selecting *w = context;

    return sp_select(w->s, w->which, SW_FOREVER, &w->ready);
}

static void another_thread_wakes_it(void **state)
{
    struct sp_pair pair;
    struct selecting w = {.which = SP_READ};
    struct sp_call call;

    (void)state;
    sp_pair_open(&pair);
    w.s = pair.a;
    sp_call_start(&call, select_for_ever, &w);
    sp_call_blocks(&call);
    sp_send_all(pair.b, "x", 1);
    sp_ok(sp_call_join(&call));
    assert_int_equal(w.ready, SP_READ);
    sp_pair_close(&pair);
}

/* B184 */
static void closing_ends_it(void **state)
{
    struct sp_pair pair;
    struct selecting w = {.which = SP_READ};
    struct sp_call call;
    int error;

    (void)state;
    sp_pair_open(&pair);
    w.s = pair.a;
    sp_call_start(&call, select_for_ever, &w);
    sp_call_blocks(&call);
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    error = sp_call_join(&call);
    sp_one_of(error, 0, WSAENOTSOCK);
    if (error == 0)
        assert_int_equal(w.ready, SP_READ);
    sp_pair_close(&pair);
}

/* Whatever it is in; that of the read set is reported, also beside others (B184). */
static void closing_ends_it_in_any_set(void **state)
{
    static const unsigned sets[] = {SP_READ, SP_WRITE, SP_EXCEPT, SP_READ | SP_EXCEPT, SP_WRITE | SP_EXCEPT};

    (void)state;
    for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        struct selecting w = {.s = sp_stream(),
                              .which = sets[i]}; /* of no set, as long as it is not connected (B176) */
        struct sp_call call;

        sp_call_start(&call, select_for_ever, &w);
        sp_call_blocks(&call);
        sp_ok(sp_close(w.s));
        sp_fails((sets[i] & SP_READ) != 0 ? 0 : WSAENOTSOCK, sp_call_join(&call));
        assert_int_equal(w.ready, sets[i] & SP_READ);
    }
}

int sp_selecting(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(nothing_to_ask),
        sp_test(no_sockets_among_them),
        sp_test(a_bad_time),
        sp_test(an_unconnected_socket_is_in_no_set),
        sp_test(a_listener_is_readable_when_somebody_waits),
        sp_test(data_and_room),
        sp_test(the_end_is_readable),
        sp_test(a_reset_is_readable_and_writable),
        sp_test(twice_in_a_set_and_one_set_for_two),
        sp_test(many_sockets_at_once),
        sp_test(another_thread_wakes_it),
        sp_test(closing_ends_it),
        sp_test(closing_ends_it_in_any_set),
    };

    return cmocka_run_group_tests_name("selecting", tests, NULL, NULL);
}
