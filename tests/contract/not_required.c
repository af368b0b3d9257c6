/* not_required.c - the thirteen functions that the switch serves itself, and WSPGetQOSByName.
 * Source: contract 4.17, 5: each is there and answers WSAEOPNOTSUPP in its own return type. */
#include "ct.h"

static void on_every_kind_of_socket(struct fixture *f, void (*fn)(const WSPPROC_TABLE *procs, SOCKET s))
{
    struct ct_pair p;

    ct_pair(f, &p, 4096);
    fn(f->procs, ct_socket(f)->descriptor);
    fn(f->listener->procs, f->listener->descriptor);
    fn(f->procs, p.a.c->descriptor);
    ct_pair_works(&p);
}

static void address_to_string(const WSPPROC_TABLE *procs, SOCKET s)
{
    WSD_SOCKADDR_IN a = {.sin_family = WS_AF_INET};
    WCHAR text[64] = {0};
    DWORD length = 64;
    INT error = 0;

    (void)s;
    assert_int_equal(procs->lpWSPAddressToString((WSD_SOCKADDR *)&a, sizeof a, NULL, text, &length, &error),
                     SOCKET_ERROR);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPAddressToString_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, address_to_string);
}

static void string_to_address(const WSPPROC_TABLE *procs, SOCKET s)
{
    WCHAR text[] = {'1', '.', '2', '.', '3', '.', '4', 0};
    WSD_SOCKADDR_IN a;
    INT length = sizeof a, error = 0;

    (void)s;
    assert_int_equal(procs->lpWSPStringToAddress(text, WS_AF_INET, NULL, (WSD_SOCKADDR *)&a, &length, &error),
                     SOCKET_ERROR);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPStringToAddress_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, string_to_address);
}

static void async_select(const WSPPROC_TABLE *procs, SOCKET s)
{
    INT error = 0;

    assert_int_equal(procs->lpWSPAsyncSelect(s, NULL, 0x400, FD_ACCEPT, &error), SOCKET_ERROR);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPAsyncSelect_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, async_select);
}

static void cancel(const WSPPROC_TABLE *procs, SOCKET s)
{
    INT error = 0;

    (void)s;
    assert_int_equal(procs->lpWSPCancelBlockingCall(&error), SOCKET_ERROR);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPCancelBlockingCall_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, cancel);
}

static void peer_name(const WSPPROC_TABLE *procs, SOCKET s)
{
    WSD_SOCKADDR_IN a;
    INT length = sizeof a, error = 0;

    assert_int_equal(procs->lpWSPGetPeerName(s, (WSD_SOCKADDR *)&a, &length, &error), SOCKET_ERROR);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPGetPeerName_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, peer_name);
}

static void sock_name(const WSPPROC_TABLE *procs, SOCKET s)
{
    WSD_SOCKADDR_IN a;
    INT length = sizeof a, error = 0;

    assert_int_equal(procs->lpWSPGetSockName(s, (WSD_SOCKADDR *)&a, &length, &error), SOCKET_ERROR);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPGetSockName_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, sock_name);
}

static void join_leaf(const WSPPROC_TABLE *procs, SOCKET s)
{
    WSD_SOCKADDR_IN a = {.sin_family = WS_AF_INET};
    INT error = 0;

    assert_true(procs->lpWSPJoinLeaf(s, (WSD_SOCKADDR *)&a, sizeof a, NULL, NULL, NULL, NULL, 1, &error) ==
                INVALID_SOCKET);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPJoinLeaf_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, join_leaf);
}

static void recv_disconnect(const WSPPROC_TABLE *procs, SOCKET s)
{
    INT error = 0;

    assert_int_equal(procs->lpWSPRecvDisconnect(s, NULL, &error), SOCKET_ERROR);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPRecvDisconnect_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, recv_disconnect);
}

static void send_disconnect(const WSPPROC_TABLE *procs, SOCKET s)
{
    INT error = 0;

    assert_int_equal(procs->lpWSPSendDisconnect(s, NULL, &error), SOCKET_ERROR);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPSendDisconnect_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, send_disconnect);
}

static void shut_down(const WSPPROC_TABLE *procs, SOCKET s)
{
    INT error = 0;

    assert_int_equal(procs->lpWSPShutdown(s, SD_BOTH, &error), SOCKET_ERROR);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPShutdown_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, shut_down);
}

static void recv_from(const WSPPROC_TABLE *procs, SOCKET s)
{
    WSABUF piece = {0, NULL};
    DWORD bytes = 0, flags = 0;
    WSD_SOCKADDR_IN a;
    INT length = sizeof a, error = 0;

    assert_int_equal(procs->lpWSPRecvFrom(s, &piece, 1, &bytes, &flags, (WSD_SOCKADDR *)&a, &length, NULL,
                                          NULL, NULL, &error),
                     SOCKET_ERROR);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPRecvFrom_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, recv_from);
}

static void send_to(const WSPPROC_TABLE *procs, SOCKET s)
{
    WSABUF piece = {0, NULL};
    DWORD bytes = 0;
    WSD_SOCKADDR_IN a = {.sin_family = WS_AF_INET};
    INT error = 0;

    assert_int_equal(
        procs->lpWSPSendTo(s, &piece, 1, &bytes, 0, (WSD_SOCKADDR *)&a, sizeof a, NULL, NULL, NULL, &error),
        SOCKET_ERROR);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPSendTo_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, send_to);
}

static void select_sockets(const WSPPROC_TABLE *procs, SOCKET s)
{
    WSD_FD_SET set = {1, {s}};
    WSD_TIMEVAL now = {0, 0}; /* the time is not const in every header */
    INT error = 0;

    assert_int_equal(procs->lpWSPSelect(0, &set, NULL, NULL, &now, &error), SOCKET_ERROR);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPSelect_is_not_served(void **state)
{
    on_every_kind_of_socket(*state, select_sockets);
}

static void qos_by_name(const WSPPROC_TABLE *procs, SOCKET s)
{
    char text[] = "G711";
    WSABUF name = {sizeof text, text};
    QOS qos;
    INT error = 0;

    assert_int_equal(procs->lpWSPGetQOSByName(s, &name, &qos, &error), FALSE);
    ct_fails(WSAEOPNOTSUPP, error);
}

static void WSPGetQOSByName_may_just_fail(void **state)
{
    on_every_kind_of_socket(*state, qos_by_name);
}

static const struct CMUnitTest not_required_tests[] = {
    ct_test(WSPAddressToString_is_not_served), ct_test(WSPStringToAddress_is_not_served),
    ct_test(WSPAsyncSelect_is_not_served),     ct_test(WSPCancelBlockingCall_is_not_served),
    ct_test(WSPGetPeerName_is_not_served),     ct_test(WSPGetSockName_is_not_served),
    ct_test(WSPJoinLeaf_is_not_served),        ct_test(WSPRecvDisconnect_is_not_served),
    ct_test(WSPSendDisconnect_is_not_served),  ct_test(WSPShutdown_is_not_served),
    ct_test(WSPRecvFrom_is_not_served),        ct_test(WSPSendTo_is_not_served),
    ct_test(WSPSelect_is_not_served),          ct_test(WSPGetQOSByName_may_just_fail),
};
CT_GROUP(not_required);
