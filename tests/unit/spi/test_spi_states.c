/* test_spi_states.c - every state of a stream socket with every event against a table written from contract 10.1 and
 * winsock-behaviours, then all sequences of three events from every state. Events are calls of the application and reports of carriers,
 * also those that come too late. */
#include "fake.h"

#include "spi/states.h"

/* --- the scene: the socket, and a listener beside it --- */

static SOCKET subject, beside;
static unsigned network; /* where it connects to: 200 has no SAN, 1 has when a provider is loaded */
static WSAOVERLAPPED accept_ov[8], connect_ov[8];
static unsigned accept_count, connect_count; /* that were started */

static void scene_open(void)
{
    accept_count = connect_count = 0;
    memset(&fake_script, 0, sizeof(fake_script));
    fake_script.now = WSAEWOULDBLOCK;
    fake_script.may_fall_back = true;
    beside = fake_socket(WS_SOCK_STREAM, true);
    assert_int_equal(fake_bind(beside, 9), 0);
    assert_int_equal(fake_listen(beside), 0);
    subject = fake_socket(WS_SOCK_STREAM, true);
}

static void all_are_over(const WSAOVERLAPPED *ov, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_not_equal(ov[i].Internal, WSS_OPERATION_IN_PROGRESS);
}

static void scene_close(void)
{
    assert_int_equal(fake_close(subject), 0);
    if (beside != INVALID_SOCKET)
        assert_int_equal(fake_close(beside), 0);
    all_are_over(accept_ov, accept_count);
    all_are_over(connect_ov, connect_count);
    assert_int_equal(fake_living(), 0);
    assert_int_equal(fake_open_handles(), 0);
    assert_int_equal(sw_sock_refused_moves(), 0);
    fake_log_clear();
}

static struct fake *tcp_of(SOCKET s)
{
    return (struct fake *)(void *)fake_object(s)->tcp->carrier;
}

static struct fake *san_of(SOCKET s)
{
    struct sw_leg *leg = fake_object(s)->san;

    return leg == NULL ? NULL : (struct fake *)(void *)leg->carrier;
}

/* Who connects, or has the connection. */
static struct fake *carrier_of(SOCKET s)
{
    return san_of(s) != NULL ? san_of(s) : tcp_of(s);
}

/* --- events --- */

static int connecting(int answer)
{
    fake_script.connect[0] = fake_script.connect[1] = answer;
    return fake_connect(subject, network);
}

static int e_bind(void)
{
    return fake_bind(subject, 0);
}

static int e_listen(void)
{
    return fake_listen(subject);
}

static int e_connect(void)
{
    return connecting(0);
}

static int e_connect_later(void)
{
    return connecting(WSA_IO_PENDING);
}

static int e_connect_refused(void)
{
    return connecting(WSAECONNREFUSED);
}

static int e_connect_no_way(void)
{
    return connecting(WSAENETUNREACH);
}

static int connecting_ex(int answer)
{
    int code;

    fake_script.connect[0] = fake_script.connect[1] = answer;
    code = fake_connect_ex(subject, network, &connect_ov[connect_count]);
    if (code == WSA_IO_PENDING)
        connect_count++;
    return code;
}

static int e_connect_ex(void)
{
    return connecting_ex(0);
}

static int e_connect_ex_later(void)
{
    return connecting_ex(WSA_IO_PENDING);
}

static int e_connect_ex_refused(void)
{
    return connecting_ex(WSAECONNREFUSED);
}

static int e_accept(void)
{
    SOCKET s;

    return fake_accept(subject, &s);
}

static int accepting_ex(SOCKET listener, SOCKET into)
{
    int code = fake_accept_ex(listener, into, &accept_ov[accept_count]);

    if (code == WSA_IO_PENDING)
        accept_count++;
    return code;
}

/* As the listener of an AcceptEx; into a socket that ends with the call. */
static int e_accept_ex_of(void)
{
    SOCKET into = fake_socket(WS_SOCK_STREAM, true);
    int code = accepting_ex(subject, into);

    assert_int_equal(fake_close(into), 0);
    return code;
}

static int e_accept_ex_into(void)
{
    return beside == INVALID_SOCKET ? WSAEINVAL : accepting_ex(beside, subject);
}

/* Somebody connects to the listener beside, and nobody has accepted him unless an AcceptEx waits. */
static int e_arrival(void)
{
    if (beside != INVALID_SOCKET)
        fake_arrive(tcp_of(beside));
    return 0;
}

static int e_arrival_over_san(void)
{
    if (beside != INVALID_SOCKET && san_of(beside) != NULL)
        fake_arrive(san_of(beside));
    return 0;
}

static int e_listener_closes(void)
{
    if (beside != INVALID_SOCKET)
        assert_int_equal(fake_close(beside), 0);
    beside = INVALID_SOCKET;
    return 0;
}

/* The next attempts get an answer that TCP/IP would get too. */
static int e_answers_are_final(void)
{
    fake_script.may_fall_back = false;
    return 0;
}

static int e_disconnect(void)
{
    return fake_disconnect_ex(subject);
}

static int e_shutdown(void)
{
    INT error = 0;

    return procs.lpWSPShutdown(subject, SD_SEND, &error) == SOCKET_ERROR ? error : 0;
}

static int e_report_connected(void)
{
    fake_report(carrier_of(subject), FD_CONNECT, 0);
    return 0;
}

static int e_report_refused(void)
{
    fake_report(carrier_of(subject), FD_CONNECT, WSAECONNREFUSED);
    return 0;
}

static int e_report_the_rest(void)
{
    fake_report(carrier_of(subject), FD_READ | FD_WRITE | FD_OOB | FD_ACCEPT, 0);
    fake_report(carrier_of(subject), FD_CLOSE, WSAECONNRESET);
    return 0;
}

static int e_select_events(void)
{
    return fake_select_events(subject, FD_ALL_EVENTS);
}

/* --- states --- */

static void become_created(void)
{
}

static void become_bound(void)
{
    assert_int_equal(e_bind(), 0);
}

static void become_connecting(void)
{
    assert_int_equal(e_connect_later(), WSAEWOULDBLOCK);
}

static void become_accepting(void)
{
    assert_int_equal(e_accept_ex_into(), WSA_IO_PENDING);
}

static void become_connected(void)
{
    assert_int_equal(e_connect(), WSAEWOULDBLOCK);
}

static void become_listening(void)
{
    become_bound();
    assert_int_equal(e_listen(), 0);
}

static void become_disconnected(void)
{
    become_connected();
    assert_int_equal(e_disconnect(), 0);
}

static const struct {
    enum sw_state state;
    void (*become)(void);
} states[] = {
    {SW_CREATED, become_created},           {SW_BOUND, become_bound},
    {SW_CONNECTING, become_connecting},     {SW_ACCEPTING, become_accepting},
    {SW_CONNECTED, become_connected},       {SW_LISTENING, become_listening},
    {SW_DISCONNECTED, become_disconnected},
};
#define STATES (sizeof(states) / sizeof(states[0]))

/* --- the table: for each event, code and next state from CREATED, BOUND, CONNECTING, ACCEPTING, CONNECTED, LISTENING,
 *     DISCONNECTED. SAME: it stays --- */

#define SAME SW_FREE
#define WB   WSAEWOULDBLOCK
#define IV   WSAEINVAL
#define PE   WSA_IO_PENDING
#define NC   WSAENOTCONN
#define IC   WSAEISCONN
#define AL   WSAEALREADY
#define NU   WSAENETUNREACH
#define CR   SW_CREATED
#define BO   SW_BOUND
#define CG   SW_CONNECTING
#define AG   SW_ACCEPTING
#define CD   SW_CONNECTED
#define LI   SW_LISTENING
#define DI   SW_DISCONNECTED
#define NONE                                                                                                 \
    {                                                                                                        \
        0, SAME                                                                                              \
    }
#define ALL(code)                                                                                            \
    {                                                                                                        \
        {code, SAME}, {code, SAME}, {code, SAME}, {code, SAME}, {code, SAME}, {code, SAME},                  \
        {                                                                                                    \
            code, SAME                                                                                       \
        }                                                                                                    \
    }

static const struct {
    const char *name;
    int (*happen)(void);
    struct {
        int code;
        enum sw_state to;
    } expected[STATES];
} table[] = {
    {"bind", e_bind, {{0, BO}, {IV, SAME}, {IV, SAME}, {IV, SAME}, {IV, SAME}, {IV, SAME}, {0, SAME}}},
    {"listen", e_listen, {{IV, SAME}, {0, LI}, {IV, SAME}, {IV, SAME}, {IC, SAME}, {0, SAME}, {IV, SAME}}},
    {"connect", e_connect, {{WB, CD}, {WB, CD}, {AL, SAME}, {IV, SAME}, {IC, SAME}, {IV, SAME}, {WB, CD}}},
    {"connect, later",
     e_connect_later,
     {{WB, CG}, {WB, CG}, {AL, SAME}, {IV, SAME}, {IC, SAME}, {IV, SAME}, {WB, CG}}},
    {"connect, refused",
     e_connect_refused,
     {{WB, SAME}, {WB, SAME}, {AL, SAME}, {IV, SAME}, {IC, SAME}, {IV, SAME}, {WB, SAME}}},
    {"connect, no way",
     e_connect_no_way,
     {{NU, SAME}, {NU, SAME}, {AL, SAME}, {IV, SAME}, {IC, SAME}, {IV, SAME}, {NU, SAME}}},
    {"ConnectEx",
     e_connect_ex,
     {{IV, SAME}, {PE, CD}, {IV, SAME}, {IV, SAME}, {IC, SAME}, {IV, SAME}, {PE, CD}}},
    {"ConnectEx, later",
     e_connect_ex_later,
     {{IV, SAME}, {PE, CG}, {IV, SAME}, {IV, SAME}, {IC, SAME}, {IV, SAME}, {PE, CG}}},
    {"ConnectEx, refused",
     e_connect_ex_refused,
     {{IV, SAME}, {PE, SAME}, {IV, SAME}, {IV, SAME}, {IC, SAME}, {IV, SAME}, {PE, SAME}}},
    {"accept",
     e_accept,
     {{IV, SAME}, {IV, SAME}, {IV, SAME}, {IV, SAME}, {IV, SAME}, {WB, SAME}, {IV, SAME}}},
    {"AcceptEx of it",
     e_accept_ex_of,
     {{IV, SAME}, {IV, SAME}, {IV, SAME}, {IV, SAME}, {IV, SAME}, {PE, SAME}, {IV, SAME}}},
    {"AcceptEx into it",
     e_accept_ex_into,
     {{PE, AG}, {IV, SAME}, {IV, SAME}, {IV, SAME}, {IV, SAME}, {IV, SAME}, {PE, AG}}},
    {"an arrival", e_arrival, {NONE, NONE, NONE, {0, CD}, NONE, NONE, NONE}},
    {"an arrival over SAN", e_arrival_over_san, {NONE, NONE, NONE, NONE, NONE, NONE, NONE}},
    {"answers are final", e_answers_are_final, {NONE, NONE, NONE, NONE, NONE, NONE, NONE}},
    {"the listener closes", e_listener_closes, {NONE, NONE, NONE, {0, CR}, NONE, NONE, NONE}},
    {"DisconnectEx",
     e_disconnect,
     {{NC, SAME}, {NC, SAME}, {NC, SAME}, {NC, SAME}, {0, DI}, {NC, SAME}, {NC, SAME}}},
    {"shutdown", e_shutdown, {{NC, SAME}, {NC, SAME}, {NC, SAME}, {NC, SAME}, NONE, {NC, SAME}, {NC, SAME}}},
    {"it is connected", e_report_connected, {NONE, NONE, {0, CD}, NONE, NONE, NONE, NONE}},
    {"it is refused", e_report_refused, {NONE, NONE, {0, CR}, NONE, NONE, NONE, NONE}},
    {"other reports", e_report_the_rest, {NONE, NONE, NONE, NONE, NONE, NONE, NONE}},
    {"event select", e_select_events, {NONE, NONE, NONE, NONE, NONE, NONE, NONE}},
};
#define EVENTS (sizeof(table) / sizeof(table[0]))

static void every_state_with_every_event(void **state)
{
    (void)state;
    network = 200;
    for (unsigned from = 0; from < STATES; from++)
        for (unsigned event = 0; event < EVENTS; event++) {
            enum sw_state to = table[event].expected[from].to;
            int code;

            scene_open();
            states[from].become();
            assert_int_equal(fake_state(subject), states[from].state);
            code = table[event].happen();
            if (to == SAME)
                to = states[from].state;
            if (code != table[event].expected[from].code || fake_state(subject) != to)
                fail_msg("state %d, %s: code %d, state %d; expected %d, %d", (int)states[from].state,
                         table[event].name, code, (int)fake_state(subject), table[event].expected[from].code,
                         (int)to);
            scene_close();
        }
}

/* --- sequences --- */

static const char *broken_rule(const struct sw_sock *s)
{
    bool has_data = pal_load_acquire(&((struct sw_sock *)(uintptr_t)s)->data) != NULL;

    if (s->state == SW_FREE || (unsigned)s->state >= (unsigned)SW_STATE_COUNT)
        return "it has no state";
    if ((s->state == SW_CONNECTED) != has_data)
        return "connected and who moves the data do not agree";
    if ((s->state == SW_BOUND || s->state == SW_LISTENING) && !s->is_bound)
        return "it counts as bound and is not";
    if (s->state == SW_CREATED && s->is_bound)
        return "it is bound and does not count as such";
    if (s->connect_io != NULL && s->state != SW_CONNECTING)
        return "a ConnectEx waits for nothing";
    if (s->tcp == NULL && (s->state != SW_CONNECTED || s->san == NULL))
        return "it has nothing below";
    return sw_sock_refused_moves() != 0 ? "a move was refused" : NULL;
}

static void all_sequences_of_three(void **state)
{
    (void)state;
    network = fake_provider_count > 0 ? 1 : 200;
    for (unsigned from = 0; from < STATES; from++)
        for (unsigned n = 0; n < EVENTS * EVENTS * EVENTS; n++) {
            const unsigned sequence[3] = {n % EVENTS, n / EVENTS % EVENTS, n / EVENTS / EVENTS};

            scene_open();
            states[from].become();
            for (unsigned i = 0; i < 3; i++) {
                const char *broken;

                (void)table[sequence[i]].happen();
                broken = broken_rule(fake_object(subject));
                if (broken != NULL)
                    fail_msg("state %d, then %s, %s, %s: after %u of them %s", (int)states[from].state,
                             table[sequence[0]].name, table[sequence[1]].name, table[sequence[2]].name, i + 1,
                             broken);
            }
            scene_close();
        }
}

/* --- datagrams: bind, connect, connect to nobody, in every order --- */

static int part(SOCKET s)
{
    WSD_SOCKADDR_IN name;
    INT error = 0;

    fake_address(&name, 200, 7000);
    name.sin_addr.s_addr = 0;
    return procs.lpWSPConnect(s, (WSD_SOCKADDR *)&name, sizeof(name), NULL, NULL, NULL, NULL, &error) ==
                   SOCKET_ERROR
               ? error
               : 0;
}

static void datagram_sockets_in_every_order(void **state)
{
    static const enum sw_state after[3] = {SW_BOUND, SW_CONNECTED, SW_BOUND};

    (void)state;
    for (unsigned n = 0; n < 4u * 4u * 4u * 4u; n++) {
        SOCKET s = fake_socket(WS_SOCK_DGRAM, true);
        enum sw_state expected = SW_CREATED;

        for (unsigned i = 0, left = n; i < 4; i++, left /= 4) {
            unsigned what = left % 4;
            bool was_bound = expected != SW_CREATED;

            if (what == 0)
                assert_int_equal(fake_bind(s, 0), was_bound ? WSAEINVAL : 0);
            else if (what == 1)
                assert_int_equal(fake_connect(s, 200), 0);
            else if (what == 2)
                assert_int_equal(part(s), 0);
            else
                assert_int_equal(fake_listen(s), WSAEOPNOTSUPP);
            if (what == 1 || what == 2 || (what == 0 && !was_bound))
                expected = after[what];
            assert_int_equal(fake_state(s), expected);
        }
        assert_int_equal(fake_close(s), 0);
        assert_int_equal(fake_open_handles(), 0);
    }
}

/* --- what the table itself says --- */

static void nothing_leaves_or_reaches_the_free_state(void **state)
{
    (void)state;
    for (int other = -1; other <= SW_STATE_COUNT; other++) {
        assert_false(sw_state_may_follow(SW_FREE, (enum sw_state)other));
        assert_false(sw_state_may_follow((enum sw_state)other, SW_FREE));
        assert_false(sw_state_may_follow(SW_STATE_COUNT, (enum sw_state)other));
        assert_false(sw_state_may_follow((enum sw_state)other, SW_STATE_COUNT));
    }
}

/* Whoever asks for a move that does not exist keeps his socket as it was, and his process. */
static void a_move_that_does_not_exist_is_refused(void **state)
{
    SOCKET h = fake_socket(WS_SOCK_STREAM, true);
    struct sw_sock *s = fake_object(h);
    bool was_moved;

    (void)state;
    pal_mutex_lock(&s->lock);
    was_moved = sw_sock_move_locked(s, SW_LISTENING);
    pal_mutex_unlock(&s->lock);
    assert_false(was_moved);
    assert_int_equal(sw_sock_refused_moves(), 1);
    assert_int_equal(fake_state(h), SW_CREATED);
    assert_int_equal(fake_bind(h, 0), 0);
    assert_int_equal(fake_close(h), 0);
}

/* Last: it leaves a refusal behind, which the others' ends would count. */
static int end_with_a_refusal(void **state)
{
    INT error = 0;

    (void)state;
    assert_int_equal(procs.lpWSPCleanup(&error), 0);
    return 0;
}

static int start(void **state)
{
    int result = fake_setup(state);

    fake_start();
    return result;
}

/* With a provider: companions that connect, fail late and are dropped, arrivals on both sides. */
static int start_with_a_provider(void **state)
{
    int result = fake_setup(state);

    fake_provider_count = 1;
    fake_start();
    return result;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_state_with_every_event, start, fake_teardown),
        cmocka_unit_test_setup_teardown(all_sequences_of_three, start, fake_teardown),
        {"all_sequences_of_three_with_a_provider", all_sequences_of_three, start_with_a_provider,
         fake_teardown, NULL},
        cmocka_unit_test_setup_teardown(datagram_sockets_in_every_order, start, fake_teardown),
        cmocka_unit_test(nothing_leaves_or_reaches_the_free_state),
        cmocka_unit_test_setup_teardown(a_move_that_does_not_exist_is_refused, start, end_with_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
