/* connect_ex.c - ConnectEx: B059 to B067. */
#include "wt.h"

static BOOL begin(SOCKET s, const SOCKADDR_IN *to, const char *data, WSAOVERLAPPED *ov)
{
    return wt_connect_ex(s)(s, (const struct sockaddr *)to, sizeof(*to), (PVOID)(uintptr_t)data,
                            data != NULL ? (DWORD)strlen(data) : 0, NULL, ov);
}

static void b059_connectex_wants_an_overlapped(void **state)
{
    SOCKADDR_IN name, own;

    (void)state;
    (void)wt_listener(&name);
    FALSE_OF(begin(wt_bound(&own), &name, NULL, NULL), ERROR_INVALID_PARAMETER);
}

static void b060_connectex_wants_a_socket(void **state)
{
    LPFN_CONNECTEX connect_ex = wt_connect_ex(wt_socket());
    WSAOVERLAPPED ov;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    FALSE_OF(connect_ex(INVALID_SOCKET, (const struct sockaddr *)&wt_env.here, sizeof(wt_env.here), NULL, 0,
                        NULL, &ov),
             WSAENOTSOCK);
}

static void b062_data_goes_along(void **state)
{
    SOCKADDR_IN name, own;
    SOCKET listener = wt_listener(&name), client = wt_bound(&own);
    WSAOVERLAPPED ov;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    FALSE_OF(begin(client, &name, "seven b", &ov), ERROR_IO_PENDING);
    assert_int_equal(wt_finish(client, &ov), 7);
    OK(setsockopt(client, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0));
    wt_send(client, " first of all");
    wt_receive(wt_accept_one(listener), "seven b first of all");
}

static void b064_nobody_listens(void **state)
{
    SOCKADDR_IN nobody = wt_nobody(), own;
    SOCKET client = wt_bound(&own);
    WSAOVERLAPPED ov;
    DWORD bytes;

    (void)state;
    memset(&ov, 0, sizeof(ov));
    FALSE_OF(begin(client, &nobody, NULL, &ov), ERROR_IO_PENDING);
    FALSE_OF(GetOverlappedResult((HANDLE)client, &ov, &bytes, TRUE), ERROR_CONNECTION_REFUSED);
}

static void b065_each_connectex_gives_one_packet(void **state)
{
    SOCKADDR_IN name, nobody = wt_nobody(), own;
    SOCKET listener = wt_listener(&name), client = wt_bound(&own), plain = wt_socket();
    HANDLE port = wt_port();
    WSAOVERLAPPED ov;
    DWORD bytes;

    (void)state;
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)client, port, 11, 0), port);
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)plain, port, 12, 0), port);
    memset(&ov, 0, sizeof(ov));
    FALSE_OF(begin(client, &name, "abc", &ov), ERROR_IO_PENDING);
    assert_int_equal(wt_packet(port, 11, &ov, &bytes), 0);
    assert_int_equal(bytes, 3);
    OK(wt_connect(plain, &name));
    wt_no_packet(port);
    (void)wt_accept_one(listener);

    plain = wt_socket();
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)plain, port, 14, 0), port);
    wt_nonblocking(plain, true);
    REFUSED(wt_connect(plain, &name), WSAEWOULDBLOCK);
    (void)wt_accept_one(listener);
    (void)wt_accept_one(listener);
    wt_no_packet(port);

    client = wt_bound(&own);
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)client, port, 13, 0), port);
    memset(&ov, 0, sizeof(ov));
    FALSE_OF(begin(client, &nobody, NULL, &ov), ERROR_IO_PENDING);
    assert_int_equal(wt_packet(port, 13, &ov, &bytes), ERROR_CONNECTION_REFUSED);
    assert_int_equal(bytes, 0);
    wt_no_packet(port);
}

static void b067_the_low_bit_keeps_the_packet_back(void **state)
{
    SOCKADDR_IN name, own;
    SOCKET client = wt_bound(&own);
    HANDLE port = wt_port();
    WSAEVENT event = wt_event();
    WSAOVERLAPPED ov;

    (void)state;
    (void)wt_listener(&name);
    assert_ptr_equal(CreateIoCompletionPort((HANDLE)client, port, 1, 0), port);
    memset(&ov, 0, sizeof(ov));
    ov.hEvent = (HANDLE)((uintptr_t)event | 1);
    FALSE_OF(begin(client, &name, NULL, &ov), ERROR_IO_PENDING);
    assert_int_equal(WaitForSingleObject(event, wt_env.wait_ms), WAIT_OBJECT_0);
    wt_no_packet(port);

    OK(setsockopt(client, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0));
    ResetEvent(event);
    memset(&ov, 0, sizeof(ov));
    ov.hEvent = (HANDLE)((uintptr_t)event | 1);
    FALSE_OF(wt_disconnect_ex(client)(client, &ov, 0, 0), ERROR_IO_PENDING);
    assert_int_equal(WaitForSingleObject(event, wt_env.wait_ms), WAIT_OBJECT_0);
    wt_no_packet(port);
}

static const struct wt_line lines[] = {
    WT(b059_connectex_wants_an_overlapped),
    WT(b060_connectex_wants_a_socket),
    WT(b062_data_goes_along),
    WT(b064_nobody_listens),
    WT(b065_each_connectex_gives_one_packet),
    WT(b067_the_low_bit_keeps_the_packet_back),
};
WT_GROUP(connect_ex, lines);
