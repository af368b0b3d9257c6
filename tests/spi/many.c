/* many.c - a thousand receives at once, queues that are full or filled before anybody looks, sides that are slow, and the last WSPCleanup in
 * the middle of everything. Checklist 14.3 of the contract. */
#include "sp.h"

#define RECEIVES 1000u
#define EACH     16u

static WSAOVERLAPPED ov[RECEIVES];
static char room[RECEIVES][EACH];

static void post_all(SOCKET s)
{
    memset(ov, 0, sizeof(ov));
    for (unsigned i = 0; i < RECEIVES; i++) {
        WSABUF buffer = {EACH, room[i]};

        sp_fails(WSA_IO_PENDING, sp_recv_overlapped(s, &buffer, 1, 0, &ov[i]));
    }
}

/* Bytes for half of them come, in order; some may get less than they have room for (it is a stream). Returns the first that gets none. */
static unsigned half_of_them(SOCKET from, SOCKET to)
{
    static char bytes[RECEIVES / 2 * EACH];
    uint64_t at = 0;
    unsigned i = 0;

    post_all(to);
    sp_fill(bytes, sizeof(bytes), 4, 0);
    for (unsigned n = 0; n < RECEIVES / 2; n++)
        sp_send_all(from, bytes + n * EACH, EACH);
    for (; at < sizeof(bytes) && i < RECEIVES; i++) {
        DWORD got = 0;

        sp_ok(sp_finish(to, &ov[i], &got)); /* by asking, without waiting for an event */
        assert_true(got > 0 && got <= EACH);
        sp_expect_pattern(room[i], got, 4, at);
        at += got;
    }
    assert_true(at == sizeof(bytes) && i < RECEIVES);
    return i;
}

static void a_thousand_receives_end_with_the_stream(void **state)
{
    struct sp_pair pair;
    unsigned first;

    (void)state;
    sp_pair_open(&pair);
    first = half_of_them(pair.a, pair.b);
    sp_ok(sp_close(pair.a));
    pair.a = INVALID_SOCKET;
    for (unsigned i = first; i < RECEIVES; i++) {
        DWORD got = 99;

        sp_ok(sp_finish(pair.b, &ov[i], &got));
        assert_int_equal(got, 0);
    }
    sp_pair_close(&pair);
}

static bool are_over(unsigned first)
{
    for (unsigned i = first; i < RECEIVES; i++)
        if (pal_word_load_acquire(&ov[i].Internal) == WSS_OPERATION_IN_PROGRESS)
            return false;
    return true;
}

static void a_thousand_receives_end_with_the_socket(void **state)
{
    struct sp_pair pair;
    unsigned first;

    (void)state;
    sp_pair_open(&pair);
    first = half_of_them(pair.a, pair.b);
    sp_ok(sp_close(pair.b)); /* the handle is gone: only what the completion wrote tells */
    pair.b = INVALID_SOCKET;
    sp_until(are_over(first));
    for (unsigned i = first; i < RECEIVES; i++)
        sp_fails(WSA_OPERATION_ABORTED, (int)ov[i].OffsetHigh);
    sp_pair_close(&pair);
}

static void a_thousand_receives_end_with_a_reset(void **state)
{
    struct sp_pair pair;
    unsigned first;

    (void)state;
    sp_pair_open(&pair);
    first = half_of_them(pair.b, pair.a);
    sp_ok(sp_set_linger(pair.b, true, 0));
    sp_ok(sp_close(pair.b));
    pair.b = INVALID_SOCKET;
    for (unsigned i = first; i < RECEIVES; i++)
        sp_fails(WSAECONNRESET, sp_finish(pair.a, &ov[i], NULL));
    sp_pair_close(&pair);
}

/* --- slow sides --- */

/* The passive side posts its first receives late (8.5): the active side's first bytes wait. */
static void an_accept_side_that_is_slow(void **state)
{
    struct sp_pair pair;

    (void)state;
    sp_unload();
    setenv("WSD_SAN_ACCEPT_DELAY_MS", "1000", 1);
    sp_load();
    unsetenv("WSD_SAN_ACCEPT_DELAY_MS");
    for (unsigned i = 0; i < 2; i++) {
        pair.listener = sp_listener(5, &pair.at);
        pair.a = sp_stream();
        sp_ok(sp_connect(pair.a, &pair.at));
        sp_send_all(pair.a, "early", 5);
        if (i == 1)
            sp_ok(sp_shutdown(pair.a, SD_SEND));
        sp_ok(sp_accept(pair.listener, &pair.b));
        sp_recv_all(pair.b, room[0], 5);
        assert_memory_equal(room[0], "early", 5);
        if (i == 1)
            sp_expect_end(pair.b);
        else
            sp_echo(pair.a, pair.b, 1);
        sp_pair_close(&pair);
    }
}

/* The sender writes, because the receiver says that he cannot read (14.2, 8). */
static void large_sends_to_who_cannot_read(void **state)
{
    static char data[300000];
    struct sp_pair pair;

    (void)state;
    sp_unload();
    setenv("WSD_SAN_FORCE_PUSH", "1", 1);
    sp_load();
    unsetenv("WSD_SAN_FORCE_PUSH");
    sp_pair_open(&pair);
    for (unsigned i = 0; i < 4; i++) {
        SOCKET from = i % 2 == 0 ? pair.a : pair.b, to = i % 2 == 0 ? pair.b : pair.a;
        struct sp_reader reader = {
            .s = to, .seed = i, .piece_bytes = i < 2 ? 70000 : 5000, .want = sizeof(data)};

        sp_fill(data, sizeof(data), i, 0);
        sp_reader_start(&reader);
        sp_send_all(from, data, sizeof(data));
        sp_reader_join(&reader);
    }
    sp_pair_close(&pair);
}

struct condition {
    struct sp_pair *other;
    bool worked;
    uint32_t sleep_ms;
};

static int CALLBACK slow_condition(LPWSABUF caller, LPWSABUF data, LPQOS s, LPQOS g, LPWSABUF callee,
                                   LPWSABUF out, GROUP *group, DWORD_PTR context)
{
    struct condition *c =
        (struct condition *)context; /* NOLINT(performance-no-int-to-ptr): it came as a number */
    char byte = 0;
    DWORD got = 0;

    (void)caller;
    (void)data;
    (void)s;
    (void)g;
    (void)callee;
    (void)out;
    (void)group;
    pal_sleep_ms(c->sleep_ms);
    c->worked = sp_send(c->other->a, "c", 1, 0, NULL) == 0 && sp_recv(c->other->b, &byte, 1, 0, &got) == 0 &&
                got == 1 && byte == 'c';
    return CF_ACCEPT;
}

static void a_condition_that_takes_its_time_and_uses_other_sockets(void **state)
{
    struct sp_pair other;
    struct condition c = {&other, false, 500};
    WSD_SOCKADDR_IN at, from;
    SOCKET l, client, accepted;

    (void)state;
    sp_pair_open(&other);
    l = sp_listener(5, &at);
    client = sp_stream();
    sp_ok(sp_connect(client, &at));
    sp_ok(sp_accept_if(l, slow_condition, (DWORD_PTR)&c, &from, &accepted));
    assert_true(c.worked);
    sp_echo(client, accepted, 1);
    sp_ok(sp_close(client));
    sp_ok(sp_close(accepted));
    sp_ok(sp_close(l));
    sp_pair_close(&other);
}

/* --- queues --- */

/* FD_ACCEPT, then accept: as often as somebody is there, and no more often (10.3 "Event recording"). */
static void accept_by_events(SOCKET l, WSAEVENT event, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        SOCKET accepted;

        sp_expect_events(l, event, FD_ACCEPT, NULL);
        sp_ok(sp_accept(l, &accepted));
        sp_ok(sp_event_select(accepted, event, 0)); /* what it inherited */
        sp_ok(sp_close(accepted));
    }
    sp_expect_no_event(l, event);
}

static void requests_that_were_there_before_the_selection(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l = sp_listener(5, &at), clients[2];
    WSAEVENT event = sw_event_create(true, false);

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        clients[i] = sp_stream();
        sp_ok(sp_connect(clients[i], &at));
    }
    sp_ok(sp_event_select(l, event, FD_ACCEPT));
    accept_by_events(l, event, 2);
    for (unsigned i = 0; i < 2; i++)
        sp_ok(sp_close(clients[i]));
    sp_ok(sp_close(l));
    sp_ok(sw_event_close(event));
}

static void a_backlog_of_one_and_three_clients(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET l, clients[3];
    WSAEVENT event = sw_event_create(true, false);
    unsigned connected = 0;

    (void)state;
    if (!sp_env.is_san) {
        sp_ok(sw_event_close(event));
        sp_skip("the system's TCP lets a client wait");
    }
    l = sp_listener(1, &at);
    sp_ok(sp_event_select(l, event, FD_ACCEPT));
    for (unsigned i = 0; i < 3; i++) {
        int error;

        clients[i] = sp_stream();
        error = sp_connect(clients[i], &at);
        sp_one_of(error, 0, WSAECONNREFUSED);
        connected += error == 0 ? 1 : 0;
    }
    assert_true(connected >= 1 && connected < 3);
    accept_by_events(l, event, connected);
    for (unsigned i = 0; i < 3; i++)
        sp_ok(sp_close(clients[i]));
    clients[0] = sp_stream(); /* there is room again */
    sp_ok(sp_connect(clients[0], &at));
    accept_by_events(l, event, 1);
    sp_ok(sp_close(clients[0]));
    sp_ok(sp_close(l));
    sp_ok(sw_event_close(event));
}

/* --- the end of everything --- */

/* Receives, sends that nobody takes, AcceptEx, a connection that nobody accepted, selections: none is told (10.1, 5), and the next start
 * finds nothing of them. */
static void the_last_cleanup_in_the_middle(void **state)
{
    static char large[32 << 20]; /* more than the system holds for a peer that does not read */
    struct sp_pair pair, selected;
    WSAOVERLAPPED out = {.Internal = 0}, accepting = {.Internal = 0};
    WSABUF buffer = {sizeof(large), large};
    WSAEVENT event = sw_event_create(true, false);
    char accept_room[2 * SP_ACCEPT_ROOM];
    uint64_t told;

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        memset(&out, 0, sizeof(out));
        memset(&accepting, 0, sizeof(accepting));
        sp_pair_open(&pair);
        sp_pair_open(&selected);
        post_all(pair.a);
        sp_fails(WSA_IO_PENDING, sp_send_overlapped(pair.a, &buffer, 1, &out));
        sp_ok(sp_event_select(selected.a, event, FD_ALL_EVENTS));
        sp_fails(WSA_IO_PENDING, sp_accept_ex(pair.listener, sp_stream(), accept_room, 0, &accepting));
        sp_ok(sp_connect(sp_stream(), &selected.at));
        told = ws2_upcall_count(SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST);
        sp_unload();
        assert_int_equal(ws2_upcall_count(SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST), told);
        sp_load();
    }
    sp_pair_open(&pair);
    sp_echo(pair.a, pair.b, 1);
    sp_pair_close(&pair);
    sp_ok(sw_event_close(event));
}

int sp_many(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(a_thousand_receives_end_with_the_stream),
        sp_test(a_thousand_receives_end_with_the_socket),
        sp_test(a_thousand_receives_end_with_a_reset),
        sp_test(an_accept_side_that_is_slow),
        sp_test(large_sends_to_who_cannot_read),
        sp_test(a_condition_that_takes_its_time_and_uses_other_sockets),
        sp_test(requests_that_were_there_before_the_selection),
        sp_test(a_backlog_of_one_and_three_clients),
        sp_test(the_last_cleanup_in_the_middle),
    };

    return cmocka_run_group_tests_name("many", tests, NULL, NULL);
}
