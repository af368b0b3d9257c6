/* accept_ex.c - AcceptEx: B068 to B088. */
#include "wt.h"

#define EACH ((DWORD)sizeof(SOCKADDR_IN) + 16) /* room for an address, as the page asks */

static struct accepting {
    SOCKADDR_IN name;
    SOCKET listener, into;
    HANDLE port;
    WSAOVERLAPPED ov;
    DWORD received;
    char buffer[64 + 2 * (sizeof(SOCKADDR_IN) + 16)];
} a;

static BOOL begin(SOCKET listener, SOCKET into, DWORD receive_bytes, DWORD remote_bytes)
{
    memset(&a.ov, 0, sizeof(a.ov));
    memset(a.buffer, 0, sizeof(a.buffer));
    return AcceptEx(listener, into, a.buffer, receive_bytes, EACH, remote_bytes, &a.received, &a.ov);
}

static void prepare(void)
{
    a.listener = wt_listener(&a.name);
    a.into = wt_socket();
    a.port = wt_port();
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)a.listener, a.port, 100, 0), a.port);
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)a.into, a.port, 200, 0), a.port);
}

static void start(DWORD receive_bytes)
{
    FALSE_OF(begin(a.listener, a.into, receive_bytes, EACH), ERROR_IO_PENDING);
}

static SOCKET client_of(void)
{
    SOCKET client = wt_socket();

    OK(wt_connect(client, &a.name));
    return client;
}

static void b068_acceptex_wants_two_sockets(void **state)
{
    (void)state;
    prepare();
    FALSE_OF(begin(INVALID_SOCKET, a.into, 0, EACH), WSAENOTSOCK);
    FALSE_OF(begin(a.listener, INVALID_SOCKET, 0, EACH), WSAENOTSOCK);
}

static void b070_acceptex_wants_a_listener(void **state)
{
    SOCKADDR_IN name;

    (void)state;
    FALSE_OF(begin(wt_bound(&name), wt_socket(), 0, EACH), WSAEINVAL);
}

static void b071_acceptex_wants_a_fresh_socket(void **state)
{
    struct wt_pair pair = wt_pair();
    SOCKADDR_IN name;

    (void)state;
    prepare();
    FALSE_OF(begin(a.listener, wt_bound(&name), 0, EACH), WSAEINVAL);
    FALSE_OF(begin(a.listener, pair.client, 0, EACH), WSAEINVAL);
}

static void b073_a_socket_that_is_accepted_into_does_not_connect(void **state)
{
    static WSAOVERLAPPED other;

    (void)state;
    prepare();
    start(0);
    REFUSED(wt_connect(a.into, &a.name), WSAEINVAL);
    memset(&other, 0, sizeof(other));
    FALSE_OF(wt_connect_ex(a.into)(a.into, (const struct sockaddr *)&a.name, sizeof(a.name), NULL, 0, NULL,
                                   &other),
             WSAEINVAL);
    wt_close(a.listener);
    (void)wt_packet(a.port, 100, &a.ov, NULL);
}

static void b074_room_for_the_remote_address(void **state)
{
    (void)state;
    prepare();
    FALSE_OF(begin(a.listener, a.into, 0, 0), WSAEFAULT);
    FALSE_OF(begin(a.listener, a.into, 0, EACH - 1), ERROR_IO_PENDING);
    wt_close(a.listener);
    (void)wt_packet(a.port, 100, &a.ov, NULL);
}

static void b076_without_data_the_connection_is_enough(void **state)
{
    DWORD bytes;

    (void)state;
    prepare();
    start(0);
    (void)client_of();
    assert_int_equal(wt_packet(a.port, 100, &a.ov, &bytes), 0);
    assert_int_equal(bytes, 0);
}

static void b077_with_data_the_first_bytes_end_it(void **state)
{
    DWORD bytes;
    SOCKET client;

    (void)state;
    prepare();
    start(64);
    client = client_of();
    wt_no_packet(a.port);
    wt_send(client, "first");
    assert_int_equal(wt_packet(a.port, 100, &a.ov, &bytes), 0);
    assert_int_equal(bytes, 5);
    assert_memory_equal(a.buffer, "first", 5);
}

static void b079_the_addresses_in_the_buffer(void **state)
{
    SOCKADDR_IN own;
    SOCKADDR_IN *local, *remote;
    int bytes = sizeof(own), local_bytes = 0, remote_bytes = 0;
    SOCKET client;

    (void)state;
    prepare();
    start(0);
    client = client_of();
    assert_int_equal(wt_packet(a.port, 100, &a.ov, NULL), 0);
    OK(getsockname(client, (struct sockaddr *)&own, &bytes));
    GetAcceptExSockaddrs(a.buffer, 0, EACH, EACH, (struct sockaddr **)&local, &local_bytes,
                         (struct sockaddr **)&remote, &remote_bytes);
    assert_int_equal(local_bytes, sizeof(SOCKADDR_IN));
    assert_int_equal(local->sin_port, a.name.sin_port);
    assert_int_equal(local->sin_addr.s_addr, a.name.sin_addr.s_addr);
    assert_int_equal(remote_bytes, sizeof(SOCKADDR_IN));
    assert_int_equal(remote->sin_port, own.sin_port);
    assert_int_equal(remote->sin_addr.s_addr, own.sin_addr.s_addr);
}

static void b080_update_accept_context(void **state)
{
    SOCKADDR_IN name;
    int bytes = sizeof(name);

    (void)state;
    prepare();
    start(0);
    (void)client_of();
    assert_int_equal(wt_packet(a.port, 100, &a.ov, NULL), 0);
    OK(setsockopt(a.into, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&a.listener,
                  sizeof(a.listener)));
    wt_check_carried(a.into);
    OK(getsockname(a.into, (struct sockaddr *)&name, &bytes));
    assert_int_equal(bytes, sizeof(SOCKADDR_IN));
    assert_int_equal(name.sin_port, a.name.sin_port);
}

static void b082_cancelling_on_the_socket_accepted_into(void **state)
{
    (void)state;
    prepare();
    start(0);
    TRUE_OF(CancelIo((HANDLE)a.into));
    wt_no_packet(a.port);
    TRUE_OF(CancelIo((HANDLE)a.listener));
    assert_int_equal(wt_packet(a.port, 100, &a.ov, NULL), ERROR_OPERATION_ABORTED);
}

static void b084_the_packet_has_the_listeners_key(void **state)
{
    (void)state;
    prepare();
    start(0);
    (void)client_of();
    assert_int_equal(wt_packet(a.port, 100, &a.ov, NULL), 0);
    wt_no_packet(a.port);
}

static void b085_closing_the_listener_gives_one_packet(void **state)
{
    DWORD bytes = 0xDEAD;

    (void)state;
    prepare();
    start(0);
    wt_close(a.listener);
    assert_int_equal(wt_packet(a.port, 100, &a.ov, &bytes), ERROR_OPERATION_ABORTED);
    assert_int_equal(bytes, 0);
    assert_int_equal((LONG)a.ov.Internal, (LONG)0xC0000120u); /* STATUS_CANCELLED */
    wt_no_packet(a.port);

    a.listener = wt_listener(&a.name); /* and the other way round: first the operation, then the port */
    a.into = wt_socket();
    start(0);
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)a.listener, a.port, 300, 0), a.port);
    wt_close(a.listener);
    bytes = 0xDEAD;
    assert_int_equal(wt_packet(a.port, 300, &a.ov, &bytes), ERROR_OPERATION_ABORTED);
    assert_int_equal(bytes, 0);
    assert_int_equal((LONG)a.ov.Internal, (LONG)0xC0000120u);
    wt_no_packet(a.port);
}

static void b088_data_came_before_the_socket_was_closed(void **state)
{
    DWORD bytes;
    SOCKET client;

    (void)state;
    prepare();
    start(64);
    client = client_of();
    wt_send(client, "data");
    while (!HasOverlappedIoCompleted(&a.ov))
        Sleep(1);
    wt_close(a.into);
    assert_int_equal(wt_packet(a.port, 100, &a.ov, &bytes), 0);
    assert_int_equal(bytes, 4);
}

/* Not asked of Windows, which reads what it is given: no memory has no addresses, and what is no buffer of AcceptEx none that is longer than its room. */
static void p022_addresses_of_what_is_no_buffer(void **state)
{
    struct sockaddr *local = NULL, *remote = NULL;
    int local_bytes = 1, remote_bytes = 1;

    (void)state;
    GetAcceptExSockaddrs(NULL, 10, EACH, EACH, &local, &local_bytes, &remote, &remote_bytes);
    assert_null(local);
    assert_null(remote);
    assert_int_equal(local_bytes, 0);
    assert_int_equal(remote_bytes, 0);
    memset(a.buffer, 0x11, sizeof(a.buffer));
    GetAcceptExSockaddrs(a.buffer, 10, EACH, EACH, &local, &local_bytes, &remote, &remote_bytes);
    assert_int_equal(local_bytes, 0);
    assert_int_equal(remote_bytes, 0);
}

static const struct wt_line lines[] = {
    WT(b068_acceptex_wants_two_sockets),
    WT_EXCEPT(b070_acceptex_wants_a_listener, WT_WINE, "Wine starts it"),
    WT_EXCEPT(b071_acceptex_wants_a_fresh_socket, WT_WINE, "Wine starts it"),
    WT(b073_a_socket_that_is_accepted_into_does_not_connect),
    WT(b074_room_for_the_remote_address),
    WT(b076_without_data_the_connection_is_enough),
    WT(b077_with_data_the_first_bytes_end_it),
    WT(b079_the_addresses_in_the_buffer),
    WT(b080_update_accept_context),
    WT(b082_cancelling_on_the_socket_accepted_into),
    WT(b084_the_packet_has_the_listeners_key),
    WT(b085_closing_the_listener_gives_one_packet),
    WT(b088_data_came_before_the_socket_was_closed),
    WT_EXCEPT(p022_addresses_of_what_is_no_buffer, WT_WINE, "Wine reads what it is given"),
};
WT_GROUP(accept_ex, lines);
