/* bad_handles.c - every function that takes a socket, with what is none: WSAENOTSOCK, and before any other check (B004, B005, B007). */
#include "sp.h"

static SOCKET bad;

#define CALL(name, ...)                                                                                      \
    static int call_##name(void)                                                                             \
    {                                                                                                        \
        INT error = 0;                                                                                       \
        return sp.procs->lpWSP##name(bad, __VA_ARGS__) == SOCKET_ERROR ? error : 0;                          \
    }
static DWORD bytes, flags;
static char room[100];
static WSABUF buffer = {sizeof(room), room};
static WSAOVERLAPPED overlapped;
static WSANETWORKEVENTS network_events;
static ULONG one = 1;

CALL(Bind, NULL, 0, &error)
CALL(Listen, 5, &error)
CALL(Connect, NULL, 0, NULL, NULL, NULL, NULL, &error)
CALL(CloseSocket, &error)
CALL(DuplicateSocket, 0, NULL, &error)
CALL(EnumNetworkEvents, NULL, &network_events, &error)
CALL(EventSelect, NULL, FD_READ, &error)
CALL(AsyncSelect, NULL, 1, FD_READ, &error)
CALL(GetPeerName, NULL, NULL, &error)
CALL(GetSockName, NULL, NULL, &error)
CALL(GetSockOpt, WS_SOL_SOCKET, WS_SO_TYPE, NULL, NULL, &error)
CALL(SetSockOpt, WS_SOL_SOCKET, WS_SO_KEEPALIVE, NULL, 0, &error)
CALL(Ioctl, WS_FIONBIO, &one, sizeof(one), NULL, 0, &bytes, NULL, NULL, NULL, &error)
CALL(Recv, NULL, 1, &bytes, &flags, NULL, NULL, NULL, &error)
CALL(RecvFrom, &buffer, 1, &bytes, &flags, NULL, NULL, NULL, NULL, NULL, &error)
CALL(RecvDisconnect, NULL, &error)
CALL(Send, NULL, 1, &bytes, 0, NULL, NULL, NULL, &error)
CALL(SendTo, &buffer, 1, &bytes, 0, NULL, 0, NULL, NULL, NULL, &error)
CALL(SendDisconnect, NULL, &error)
CALL(Shutdown, 77, &error)

static int call_Accept(void)
{
    INT error = 0;

    return sp.procs->lpWSPAccept(bad, NULL, NULL, NULL, 0, &error) == INVALID_SOCKET ? error : 0;
}

static int call_JoinLeaf(void)
{
    INT error = 0;

    return sp.procs->lpWSPJoinLeaf(bad, (const WSD_SOCKADDR *)&sp_env.here, sizeof(sp_env.here), NULL, NULL,
                                   NULL, NULL, 0, &error) == INVALID_SOCKET
               ? error
               : 0;
}

static int call_GetOverlappedResult(void)
{
    INT error = 0;

    return sp.procs->lpWSPGetOverlappedResult(bad, &overlapped, &bytes, FALSE, &flags, &error) ? 0 : error;
}

static int call_GetQOSByName(void)
{
    INT error = 0;

    return sp.procs->lpWSPGetQOSByName(bad, &buffer, NULL, &error) ? 0 : error;
}

static int call_Select(void)
{
    unsigned ready;

    return sp_select(bad, SP_READ, 0, &ready);
}

static const struct {
    const char *name;
    int (*fn)(void);
} calls[] = {
#define ENTRY(name)                                                                                          \
    {                                                                                                        \
#name, call_##name                                                                                   \
    }
    ENTRY(Bind),
    ENTRY(Listen),
    ENTRY(Connect),
    ENTRY(CloseSocket),
    ENTRY(Accept),
    ENTRY(EnumNetworkEvents),
    ENTRY(EventSelect),
    ENTRY(AsyncSelect),
    ENTRY(GetPeerName),
    ENTRY(GetSockName),
    ENTRY(GetSockOpt),
    ENTRY(SetSockOpt),
    ENTRY(Ioctl),
    ENTRY(Recv),
    ENTRY(RecvFrom),
    ENTRY(RecvDisconnect),
    ENTRY(Send),
    ENTRY(SendTo),
    ENTRY(Shutdown),
    ENTRY(SendDisconnect),
    ENTRY(Select),
    ENTRY(GetOverlappedResult),
    ENTRY(JoinLeaf),
    ENTRY(GetQOSByName),
    ENTRY(DuplicateSocket),
};

static void try_all(SOCKET s, const char *what)
{
    bad = s;
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        int error = calls[i].fn();

        if (error != WSAENOTSOCK)
            sp_fail("WSP%s with %s gave %d (%s)", calls[i].name, what, error, sw_error_name(error));
    }
}

static void handles_that_never_were(void **state)
{
    (void)state;
    try_all(0, "0");
    try_all(INVALID_SOCKET, "INVALID_SOCKET");
    try_all(0x1234, "a number");
}

static void closed_handles(void **state)
{
    struct sp_pair pair;
    SOCKET fresh = sp_stream();

    (void)state;
    sp_pair_open(&pair);
    sp_ok(sp_close(fresh));
    sp_pair_close(&pair);
    try_all(fresh, "a closed fresh socket");
    try_all(pair.a, "a closed connected socket");
    try_all(pair.b, "a closed accepted socket");
    try_all(pair.listener, "a closed listener");
}

/* B010, B125: nothing is written. */
static void a_failing_receive_leaves_the_buffer_alone(void **state)
{
    char data[20];
    DWORD got = 1234;

    (void)state;
    memset(data, 0x5a, sizeof(data));
    sp_fails(WSAENOTSOCK, sp_recv(0, data, sizeof(data), 0, &got));
    assert_int_equal(got, 1234);
    for (unsigned i = 0; i < sizeof(data); i++)
        assert_int_equal(data[i], 0x5a);
}

int sp_bad_handles(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(handles_that_never_were),
        sp_test(closed_handles),
        sp_test(a_failing_receive_leaves_the_buffer_alone),
    };

    return cmocka_run_group_tests_name("bad_handles", tests, NULL, NULL);
}
