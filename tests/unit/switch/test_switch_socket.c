/* test_switch_socket.c - companions and listeners over the fake provider: call orders, fallback, data,
 * negotiation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "pal/thread.h"
#include "pal/time.h"

static struct fake_control *control;
static struct sw_provider *p;
static struct sw_listener *listener;

static int setup(void **state)
{
    WSD_SOCKADDR_IN local = address("10.0.0.1");

    (void)state;
    control = fake_open(FAKE_PROVIDER);
    p = load_fake(FAKE_PROVIDER);
    assert_int_equal(sw_listen(p, &local, 5, NULL, &listener), 0);
    control->trace[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(sw_listener_close(listener), 0);
    unload_clean(p);
    fake_close();
    return 0;
}

/* Both ends of a connection in one thread. */
static void make_pair(struct sw_companion **client, struct sw_companion **server,
                      const struct sw_notify *notify)
{
    const struct sw_socket_params params = {NULL, 0, notify};

    assert_int_equal(sw_connect_start(p, NULL, &listener->local, &params, client, NULL), 0);
    assert_int_equal(sw_accept(listener, NULL, 0, SOON_MS, notify, server), 0);
    assert_int_equal(sw_connect_finish(*client, SOON_MS, NULL), 0);
}

static void a_listener_is_made_in_the_order_of_the_contract(void **state)
{
    const int on = 1;
    const struct sw_option options[] = {{WS_SOL_SOCKET, WS_SO_KEEPALIVE, &on, sizeof(on)},
                                        {WS_IPPROTO_TCP, WS_TCP_NODELAY, &on, sizeof(on)}};
    const struct sw_socket_params params = {options, 2, NULL};
    WSD_SOCKADDR_IN local = address("10.0.0.1");
    struct sw_listener *l;

    (void)state;
    assert_int_equal(sw_listen(p, &local, 5, &params, &l), 0);
    assert_string_equal(control->trace, "Socket Bind SetSockOpt SetSockOpt Listen EventSelect");
    assert_int_not_equal(l->local.sin_port, 0);
    assert_true(sw_handle_is_open(l->handle));
    assert_int_equal(sw_listener_close(l), 0);

    control->listen_error = WSAENOBUFS;
    assert_int_equal(sw_listen(p, &local, 5, NULL, &l), WSAENOBUFS);
    control->listen_error = WSAEADDRINUSE;
    assert_int_equal(sw_listen(p, &local, 5, NULL, &l), WSAEADDRINUSE);
    expect_violations(p, 1, "WSPListen failed with WSAEADDRINUSE");
}

static void a_connection_is_made_in_the_order_of_the_contract(void **state)
{
    struct sw_companion *client;
    struct sw_companion *server;
    bool fall_back = true;

    (void)state;
    assert_int_equal(sw_connect_start(p, NULL, &listener->local, NULL, &client, &fall_back), 0);
    assert_string_equal(control->trace, "Socket Bind EventSelect Connect");
    assert_int_equal(sw_connect_finish(client, 0, NULL), WSAEWOULDBLOCK);
    control->trace[0] = '\0';
    assert_int_equal(sw_accept(listener, NULL, 0, SOON_MS, NULL, &server), 0);
    assert_string_equal(control->trace, "EnumNetworkEvents Accept");
    control->trace[0] = '\0';
    assert_int_equal(sw_connect_finish(client, SOON_MS, &fall_back), 0);
    assert_int_equal(sw_connect_finish(client, SOON_MS, &fall_back), 0);
    assert_string_equal(control->trace, "EnumNetworkEvents");
    assert_false(fall_back);
    assert_int_equal(server->remote.sin_port, client->local.sin_port);
    assert_int_equal(server->remote.sin_addr.s_addr, address("10.0.0.1").sin_addr.s_addr);
    assert_int_equal(server->local.sin_port, listener->local.sin_port);
    assert_true(client->handle != client->descriptor);
    assert_int_equal(sw_close(server), 0);
    assert_int_equal(sw_close(client), 0);
}

static void connect_error(int expected, bool expected_fall_back)
{
    struct sw_companion *c;
    bool fall_back = !expected_fall_back;
    const unsigned open = sw_open_handles(p);

    assert_int_equal(sw_connect(p, NULL, &listener->local, SOON_MS, NULL, &c, &fall_back), expected);
    assert_int_equal(fall_back, expected_fall_back);
    assert_int_equal(sw_open_handles(p), open); /* WSPCloseSocket on any failure */
}

static void the_error_decides_about_falling_back(void **state)
{
    (void)state;
    for (int in_event = 0; in_event < 2; in_event++) {
        int *error = in_event ? &control->connect_event_error : &control->connect_error;

        *error = WSAECONNRESET;
        connect_error(WSAECONNRESET, false);
        *error = WSAECONNREFUSED;
        connect_error(WSAECONNREFUSED, false);
        *error = WSAEHOSTUNREACH;
        connect_error(WSAEHOSTUNREACH, false);
        *error = WSAETIMEDOUT;
        connect_error(WSAETIMEDOUT, true);
        *error = WSAENOBUFS;
        connect_error(WSAENOBUFS, true);
        *error = 0;
    }
    control->bind_error = WSAECONNREFUSED; /* not an answer of WSPConnect */
    connect_error(WSAECONNREFUSED, true);
    control->bind_error = WSAEADDRINUSE;
    connect_error(WSAEADDRINUSE, true);
    expect_violations(p, 1, "WSPBind failed with WSAEADDRINUSE");
    control->bind_error = WSAEINPROGRESS;
    connect_error(WSAEINPROGRESS, true);
    expect_violations(p, 1, "no SAN provider may return");
}

static void an_option_that_is_refused_ends_the_companion(void **state)
{
    const int on = 1;
    const struct sw_option option = {WS_SOL_SOCKET, WS_SO_KEEPALIVE, &on, sizeof(on)};
    const struct sw_socket_params params = {&option, 1, NULL};
    struct sw_companion *c;
    bool fall_back = false;

    (void)state;
    control->option_error = WSAENOPROTOOPT;
    assert_int_equal(sw_connect(p, NULL, &listener->local, SOON_MS, &params, &c, &fall_back), WSAENOPROTOOPT);
    assert_true(fall_back);
    assert_string_equal(control->trace, "Socket Bind SetSockOpt CloseSocket");
}

static void a_connect_that_hangs_is_cancelled_by_closing(void **state)
{
    struct sw_companion *c;
    bool fall_back = false;

    (void)state;
    control->connect_never = 1;
    assert_int_equal(sw_connect(p, NULL, &listener->local, NEVER_MS, NULL, &c, &fall_back), WSAETIMEDOUT);
    assert_true(fall_back);
    assert_string_equal(control->trace, "Socket Bind EventSelect Connect CloseSocket");
}

/* --- accepting --- */

struct verdict {
    int answer;
    unsigned calls;
    WSD_SOCKADDR_IN caller;
};

static int CALLBACK decide(LPWSABUF caller_id, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos,
                           LPWSABUF callee_id, LPWSABUF callee_data, GROUP *g, DWORD_PTR context)
{
    struct verdict *v = (struct verdict *)context;

    (void)caller_data;
    (void)sqos;
    (void)gqos;
    (void)callee_id;
    (void)callee_data;
    (void)g;
    v->calls++;
    memcpy(&v->caller, caller_id->buf, sizeof(v->caller));
    return v->answer;
}

static void the_condition_function_decides(void **state)
{
    struct verdict v = {CF_DEFER, 0, {0}};
    struct sw_companion *client;
    struct sw_companion *server;
    bool fall_back = true;

    (void)state;
    assert_int_equal(sw_connect_start(p, NULL, &listener->local, NULL, &client, NULL), 0);
    assert_int_equal(sw_accept(listener, decide, (DWORD_PTR)&v, SOON_MS, NULL, &server), WSATRY_AGAIN);
    assert_int_equal(v.caller.sin_port, client->local.sin_port);
    v.answer = CF_REJECT; /* the deferred request comes again without a signal (Q21) */
    assert_int_equal(sw_accept(listener, decide, (DWORD_PTR)&v, SOON_MS, NULL, &server), WSAECONNREFUSED);
    assert_int_equal(v.calls, 2);
    assert_int_equal(sw_connect_finish(client, SOON_MS, &fall_back), WSAECONNREFUSED);
    assert_false(fall_back);
    assert_int_equal(sw_close(client), 0);
    assert_int_equal(sw_accept(listener, decide, (DWORD_PTR)&v, NEVER_MS, NULL, &server), WSAETIMEDOUT);
    assert_int_equal(v.calls, 2);
}

static void several_requests_are_accepted_one_by_one(void **state)
{
    struct sw_companion *clients[3];
    struct sw_companion *servers[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(sw_connect_start(p, NULL, &listener->local, NULL, &clients[i], NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sw_accept(listener, NULL, 0, SOON_MS, NULL, &servers[i]), 0);
        assert_int_equal(servers[i]->remote.sin_port, clients[i]->local.sin_port);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sw_connect_finish(clients[i], SOON_MS, NULL), 0);
        sw_close(clients[i]);
        sw_close(servers[i]);
    }
}

static void a_condition_function_that_is_not_asked_is_missed(void **state)
{
    struct sw_companion *client;
    struct sw_companion *server;

    (void)state;
    control->accept_breaks = 1;
    make_pair(&client, &server, NULL);
    expect_violations(p, 1, "without asking the condition function");
    sw_close(client);
    sw_close(server);
}

/* --- data --- */

static void transfer(struct sw_companion *from, struct sw_companion *to, enum sw_completion how)
{
    char out[] = "message";
    char in[64] = "";
    WSABUF send_buffers[2] = {{3, out}, {sizeof(out) - 3, out + 3}};
    WSABUF receive_buffer = {sizeof(in), in};
    WSAOVERLAPPED send_ov = {0};
    WSAOVERLAPPED receive_ov = {0};
    DWORD bytes = 0;
    int error = -1;

    assert_int_equal(sw_recv(to, &receive_buffer, 1, &receive_ov, how), 0);
    assert_int_equal(sw_wait(to, &receive_ov, 0, &bytes, &error), WSAETIMEDOUT);
    assert_int_equal(sw_send(from, send_buffers, 2, &send_ov, how), 0);
    assert_int_equal(sw_wait(to, &receive_ov, SOON_MS, &bytes, &error), 0);
    assert_int_equal(error, 0);
    assert_int_equal(bytes, sizeof(out));
    assert_string_equal(in, out);
    assert_int_equal(sw_wait_in_provider(from, &send_ov, &bytes), 0);
    assert_int_equal(bytes, sizeof(out));
}

static void messages_arrive_polled_and_notified(void **state)
{
    struct sw_companion *client;
    struct sw_companion *server;
    uint64_t upcalls;

    (void)state;
    make_pair(&client, &server, NULL);
    upcalls = sw_upcall_count(p, SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST);
    for (int i = 0; i < 100; i++)
        transfer(client, server, SW_POLL);
    assert_int_equal(sw_upcall_count(p, SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST), upcalls);
    for (int i = 0; i < 100; i++)
        transfer(server, client, SW_NOTIFY);
    assert_int_equal(sw_upcall_count(p, SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST), upcalls + 200);
    sw_close(client);
    sw_close(server);
}

static void notified_operations_arrive_in_a_queue(void **state)
{
    struct sw_iocp *q = sw_iocp_create();
    const struct sw_notify notify = {SW_NOTIFY_IOCP, NULL, NULL, q, 11};
    struct sw_companion *client;
    struct sw_companion *server;
    unsigned char in[64];
    WSABUF buffers[64];
    WSAOVERLAPPED ov[64];
    unsigned char out = 7;
    WSABUF out_buffer = {1, (CHAR *)&out};
    WSAOVERLAPPED out_ov = {0};
    struct sw_packet packet;
    int error;

    (void)state;
    memset(ov, 0, sizeof(ov));
    make_pair(&client, &server, &notify);
    for (int i = 0; i < 64; i++) {
        buffers[i] = (WSABUF){1, (CHAR *)&in[i]};
        assert_int_equal(sw_recv(server, &buffers[i], 1, &ov[i], SW_NOTIFY), 0);
        assert_int_equal(sw_recv(server, &buffers[i], 1, &ov[i], SW_NOTIFY), WSAEINVAL); /* in use */
    }
    for (int i = 0; i < 64; i++) {
        assert_int_equal(sw_send(client, &out_buffer, 1, &out_ov, SW_POLL), 0);
        assert_int_equal(sw_wait(client, &out_ov, SOON_MS, NULL, &error), 0);
        assert_int_equal(sw_iocp_get(q, &packet, SOON_MS), 0);
        assert_ptr_equal(packet.ov, &ov[i]);
        assert_int_equal(packet.key, 11);
        assert_int_equal(packet.handle, server->handle);
    }
    sw_close(client);
    sw_close(server);
    sw_iocp_destroy(q);
}

static void closing_aborts_and_resets_what_is_pending(void **state)
{
    struct sw_companion *client;
    struct sw_companion *server;
    char in[8];
    WSABUF buffer = {sizeof(in), in};
    WSAOVERLAPPED ours[2] = {{0}, {0}};
    WSAOVERLAPPED theirs = {0};
    int error = 0;

    (void)state;
    make_pair(&client, &server, NULL);
    assert_int_equal(sw_recv(client, &buffer, 1, &ours[0], SW_NOTIFY), 0);
    assert_int_equal(sw_recv(client, &buffer, 1, &ours[1], SW_POLL), 0);
    assert_int_equal(sw_recv(server, &buffer, 1, &theirs, SW_NOTIFY), 0);
    assert_int_equal(sw_close(client), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(sw_overlapped_result(&ours[i], NULL, &error));
        assert_int_equal(error, WSA_OPERATION_ABORTED);
    }
    assert_int_equal(sw_wait(server, &theirs, SOON_MS, NULL, &error), 0);
    assert_int_equal(error, WSAECONNRESET);
    assert_int_equal(sw_recv(server, &buffer, 1, &theirs, SW_NOTIFY), WSAECONNRESET);
    assert_int_equal(sw_close(server), 0);
}

static void misbehaviour_on_the_data_path_is_noticed(void **state)
{
    struct sw_companion *client;
    struct sw_companion *server;
    char byte = 1;
    WSABUF buffer = {1, &byte};
    WSAOVERLAPPED ov = {0};
    DWORD bytes;
    int error;

    (void)state;
    make_pair(&client, &server, NULL);

    control->refuse_data = WSAENOBUFS;
    assert_int_equal(sw_send(client, &buffer, 1, &ov, SW_NOTIFY), WSAENOBUFS);
    assert_int_equal(sw_send(client, &buffer, 1, &ov, SW_NOTIFY), WSAENOBUFS); /* and it is free again */
    control->refuse_data = 0;

    control->answer_zero = 1;
    assert_int_equal(sw_send(client, &buffer, 1, &ov, SW_NOTIFY), 0);
    assert_int_equal(sw_wait(client, &ov, SOON_MS, &bytes, &error), 0);
    expect_violations(p, 1, "instead of WSA_IO_PENDING");
    control->answer_zero = 0;

    control->complete_inside = 1;
    assert_int_equal(sw_send(client, &buffer, 1, &ov, SW_NOTIFY), 0);
    assert_int_equal(sw_wait(client, &ov, SOON_MS, &bytes, &error), 0);
    expect_violations(p, 1, "before its submission returned");
    control->complete_inside = 0;

    control->complete_polled = 1;
    assert_int_equal(sw_send(client, &buffer, 1, &ov, SW_POLL), 0);
    for (int i = 0; i < SOON_MS && sw_violations(p, NULL, 0) == 0; i++) /* another thread reports it */
        pal_sleep_ms(1);
    assert_int_equal(sw_wait(client, &ov, NEVER_MS, &bytes, &error), WSAETIMEDOUT);
    expect_violations(p, 1, "bit 0");
    control->complete_polled = 0;

    control->complete_twice = 1;
    ov = (WSAOVERLAPPED){0};
    assert_int_equal(sw_send(client, &buffer, 1, &ov, SW_NOTIFY), 0);
    for (int i = 0; i < SOON_MS && sw_violations(p, NULL, 0) == 0; i++)
        pal_sleep_ms(1);
    expect_violations(p, 1, "completed twice");
    control->complete_twice = 0;

    control->never_complete = 1;
    assert_int_equal(sw_send(client, &buffer, 1, &ov, SW_NOTIFY), 0);
    assert_int_equal(sw_wait(client, &ov, NEVER_MS, &bytes, &error), WSAETIMEDOUT);
    assert_int_equal(sw_close(client), 0);
    expect_violations(p, 1, "1 notified operations");
    control->never_complete = 0;
    sw_close(server);
}

/* --- memory and RDMA --- */

static void rdma_moves_bytes_both_ways(void **state)
{
    struct sw_companion *client;
    struct sw_companion *server;
    char far_memory[16] = "................";
    char near_memory[4] = "abcd";
    struct sw_rdma_descriptor descriptor;
    WSABUFEX piece = {sizeof(near_memory), near_memory, NULL};
    WSAOVERLAPPED ov = {0};
    DWORD bytes;
    int error;

    (void)state;
    make_pair(&client, &server, NULL);
    assert_int_equal(sw_register(client, near_memory, sizeof(near_memory), MEM_READWRITE, &piece.handle), 0);
    assert_int_equal(sw_register_rdma(server, far_memory, sizeof(far_memory), MEM_READWRITE, &descriptor), 0);
    assert_int_equal(descriptor.length, sizeof(void *));

    assert_int_equal(sw_rdma_write(client, &piece, 1, &descriptor, 8, &ov, SW_POLL), 0);
    assert_int_equal(sw_wait(client, &ov, SOON_MS, &bytes, &error), 0);
    assert_int_equal(bytes, 4);
    assert_memory_equal(far_memory, "........abcd....", 16);
    assert_int_equal(sw_rdma_read(client, &piece, 1, &descriptor, 6, &ov, SW_NOTIFY), 0);
    assert_int_equal(sw_wait(client, &ov, SOON_MS, &bytes, &error), 0);
    assert_memory_equal(near_memory, "..ab", 4);

    assert_int_equal(sw_deregister(client, piece.handle), 0);
    assert_int_equal(sw_deregister_rdma(server, &descriptor), 0);
    control->descriptor_bytes = SW_DESCRIPTOR_MAX + 1;
    assert_int_equal(sw_register_rdma(server, far_memory, 1, MEM_READ, &descriptor), WSAEMSGSIZE);
    sw_close(client);
    sw_close(server);
}

static void a_provider_without_rdma_read_says_so(void **state)
{
    struct sw_companion *client;
    struct sw_companion *server;
    struct sw_rdma_descriptor descriptor = {8, {0}};
    WSABUFEX piece = {0, NULL, NULL};
    WSAOVERLAPPED ov = {0};

    (void)state;
    sw_listener_close(listener);
    unload_clean(p);
    fake_close();
    setup(NULL); /* once more, with another provider */
    sw_listener_close(listener);
    unload_clean(p);
    control->no_rdma_read = 1;
    p = load_fake(FAKE_PROVIDER);
    {
        WSD_SOCKADDR_IN local = address("10.0.0.1");

        assert_int_equal(sw_listen(p, &local, 5, NULL, &listener), 0);
    }
    make_pair(&client, &server, NULL);
    assert_int_equal(sw_rdma_read(client, &piece, 1, &descriptor, 0, &ov, SW_POLL), WSAEOPNOTSUPP);
    sw_close(client);
    sw_close(server);
}

static void limits_are_zero_where_there_are_none(void **state)
{
    struct sw_companion *c;
    struct sw_limits limits;

    (void)state;
    assert_int_equal(sw_socket(p, NULL, &c), 0);
    assert_int_equal(sw_get_limits(c, &limits), 0);
    assert_int_equal(limits.max_msg_bytes, 4096);
    assert_int_equal(limits.max_rdma_bytes, 0);
    assert_int_equal(limits.rdma_threshold_bytes, 0);
    sw_close(c);
}

/* --- negotiation --- */

struct side {
    struct sw_companion *c;
    bool is_connector;
    struct sw_hello mine, peer;
    char in[4][32];
    WSAOVERLAPPED ov[4];
    int result;
};

static int post_four(struct sw_companion *c, void *context)
{
    struct side *s = context;

    for (int i = 0; i < 4; i++) {
        WSABUF buffer = {sizeof(s->in[i]), s->in[i]};
        int result = sw_recv(c, &buffer, 1, &s->ov[i], SW_POLL);

        if (result != 0)
            return result;
    }
    return 0;
}

static void negotiate(void *context)
{
    struct side *s = context;

    s->mine.receives_posted = 4;
    s->mine.receive_bytes = sizeof(s->in[0]);
    s->result = sw_negotiate(s->c, s->is_connector, &s->mine, post_four, s, SOON_MS, &s->peer);
}

static void negotiation_tells_both_sides_what_the_other_posted(void **state)
{
    static struct side connector, acceptor;
    struct pal_thread *other;
    WSABUF word = {5, (CHAR[]){"hello"}};
    WSAOVERLAPPED ov = {0};
    DWORD bytes;
    int error;

    (void)state;
    memset(&connector, 0, sizeof(connector));
    memset(&acceptor, 0, sizeof(acceptor));
    make_pair(&connector.c, &acceptor.c, NULL);
    connector.is_connector = true;
    memcpy(connector.mine.user, "to the acceptor", 15);
    connector.mine.user_bytes = 15;
    other = pal_thread_start(negotiate, &acceptor, "acceptor");
    negotiate(&connector);
    pal_thread_join(other);
    assert_int_equal(connector.result, 0);
    assert_int_equal(acceptor.result, 0);
    assert_int_equal(connector.peer.receives_posted, 4);
    assert_int_equal(connector.peer.receive_bytes, 32);
    assert_int_equal(connector.peer.max_msg_bytes, 4096);
    assert_true(connector.peer.has_rdma_read);
    assert_int_equal(connector.peer.user_bytes, 0);
    assert_int_equal(acceptor.peer.user_bytes, 15);
    assert_memory_equal(acceptor.peer.user, "to the acceptor", 15);

    assert_int_equal(sw_send(connector.c, &word, 1, &ov, SW_POLL),
                     0); /* the caller's first receive takes it */
    assert_int_equal(sw_wait(acceptor.c, &acceptor.ov[0], SOON_MS, &bytes, &error), 0);
    assert_int_equal(bytes, 5);
    assert_int_equal(sw_wait(connector.c, &ov, SOON_MS, &bytes, &error), 0);
    sw_close(connector.c);
    sw_close(acceptor.c);
}

static void negotiation_with_nobody_times_out(void **state)
{
    struct sw_companion *client;
    struct sw_companion *server;
    struct sw_hello mine = {0};
    struct sw_hello peer;

    (void)state;
    make_pair(&client, &server, NULL);
    assert_int_equal(sw_negotiate(client, true, &mine, NULL, NULL, NEVER_MS, &peer), WSAETIMEDOUT);
    mine.user_bytes = SW_HELLO_USER_MAX + 1;
    assert_int_equal(sw_negotiate(server, false, &mine, NULL, NULL, NEVER_MS, &peer), WSAEINVAL);
    sw_close(client); /* the receive of the hello is still pending: its memory lives as long as the socket */
    sw_close(server);
}

static void a_first_message_that_is_no_hello_is_refused(void **state)
{
    struct sw_companion *client;
    struct sw_companion *server;
    struct sw_hello mine = {0};
    struct sw_hello peer;
    WSABUF word = {5, (CHAR[]){"hello"}};
    WSAOVERLAPPED ov = {0};

    (void)state;
    make_pair(&client, &server, NULL);
    assert_int_equal(sw_send(client, &word, 1, &ov, SW_POLL), 0);
    assert_int_equal(sw_negotiate(server, false, &mine, NULL, NULL, SOON_MS, &peer), WSAEPROTONOSUPPORT);
    assert_int_equal(sw_wait(client, &ov, SOON_MS, NULL, NULL), 0);
    sw_close(client);
    sw_close(server);
}

static void cleaning_up_with_open_sockets_closes_their_handles(void **state)
{
    struct sw_companion *client;
    struct sw_companion *server;
    char in[8];
    WSABUF buffer = {sizeof(in), in};
    WSAOVERLAPPED ov = {0};
    WSD_SOCKADDR_IN local = address("10.0.0.1");

    (void)state;
    make_pair(&client, &server, NULL);
    assert_int_equal(sw_recv(client, &buffer, 1, &ov, SW_NOTIFY), 0);
    unload_clean(p); /* pending operations are cancelled without a word (C20) */
    p = load_fake(FAKE_PROVIDER);
    assert_int_equal(sw_listen(p, &local, 5, NULL, &listener), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_listener_is_made_in_the_order_of_the_contract),
        TEST(a_connection_is_made_in_the_order_of_the_contract),
        TEST(the_error_decides_about_falling_back),
        TEST(an_option_that_is_refused_ends_the_companion),
        TEST(a_connect_that_hangs_is_cancelled_by_closing),
        TEST(the_condition_function_decides),
        TEST(several_requests_are_accepted_one_by_one),
        TEST(a_condition_function_that_is_not_asked_is_missed),
        TEST(messages_arrive_polled_and_notified),
        TEST(notified_operations_arrive_in_a_queue),
        TEST(closing_aborts_and_resets_what_is_pending),
        TEST(misbehaviour_on_the_data_path_is_noticed),
        TEST(rdma_moves_bytes_both_ways),
        TEST(a_provider_without_rdma_read_says_so),
        TEST(limits_are_zero_where_there_are_none),
        TEST(negotiation_tells_both_sides_what_the_other_posted),
        TEST(negotiation_with_nobody_times_out),
        TEST(a_first_message_that_is_no_hello_is_refused),
        TEST(cleaning_up_with_open_sockets_closes_their_handles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
