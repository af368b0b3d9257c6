/* text.c - addresses, names, catalog, sets, waits: what the pages of the functions say. These have no line in the list of behaviours. */
#include "wt.h"

static void p010_byte_order(void **state)
{
    const unsigned char two[2] = {0x12, 0x34}, four[4] = {0x12, 0x34, 0x56, 0x78};
    u_short network2;
    u_long network4;

    (void)state;
    memcpy(&network2, two, 2);
    memcpy(&network4, four, 4);
    assert_int_equal(htons(0x1234), network2);
    assert_int_equal(ntohs(network2), 0x1234);
    assert_int_equal(htonl(0x12345678), network4);
    assert_int_equal(ntohl(network4), 0x12345678);
    assert_int_equal(sizeof(u_long), 4);
}

static void p011_addresses_as_text(void **state)
{
    struct in_addr address;

    (void)state;
    address.s_addr = inet_addr("192.0.2.7");
    assert_int_equal(address.s_addr, htonl(0xC0000207u));
    assert_string_equal(inet_ntoa(address), "192.0.2.7");
    assert_int_equal(address.S_un.S_addr, address.s_addr);
    assert_int_equal(address.S_un.S_un_b.s_b1, 192);
    assert_int_equal(address.S_un.S_un_b.s_b4, 7);
    assert_int_equal(inet_addr("192.0.2.777"), INADDR_NONE);
    assert_int_equal(inet_addr("no address"), INADDR_NONE);
}

static void p012_addresses_with_ports_as_text(void **state)
{
    char in[] = "192.0.2.7:445", out[64];
    SOCKADDR_IN address;
    int bytes = sizeof(address);
    DWORD length = sizeof(out);

    (void)state;
    OK(WSAStringToAddressA(in, AF_INET, NULL, (struct sockaddr *)&address, &bytes));
    assert_int_equal(bytes, sizeof(address));
    assert_int_equal(address.sin_family, AF_INET);
    assert_int_equal(address.sin_port, htons(445));
    assert_int_equal(address.sin_addr.s_addr, inet_addr("192.0.2.7"));
    OK(WSAAddressToStringA((struct sockaddr *)&address, sizeof(address), NULL, out, &length));
    assert_string_equal(out, "192.0.2.7:445");
    assert_int_equal(length, strlen(out) + 1);
    length = 3;
    REFUSED(WSAAddressToStringA((struct sockaddr *)&address, sizeof(address), NULL, out, &length), WSAEFAULT);
    assert_int_equal(length, strlen("192.0.2.7:445") + 1);
}

static void p013_getaddrinfo_of_numbers(void **state)
{
    struct addrinfo hints, *list = NULL;
    char host[NI_MAXHOST], service[NI_MAXSERV];

    (void)state;
    memset(&hints, 0, sizeof(hints));
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_protocol = IPPROTO_TCP;
    hints.ai_flags = AI_NUMERICHOST;
    assert_int_equal(getaddrinfo("192.0.2.7", "80", &hints, &list), 0);
    assert_non_null(list);
    assert_int_equal(list->ai_family, AF_INET);
    assert_int_equal(list->ai_socktype, SOCK_STREAM);
    assert_int_equal(list->ai_addrlen, sizeof(SOCKADDR_IN));
    assert_int_equal(((SOCKADDR_IN *)(void *)list->ai_addr)->sin_port, htons(80));
    assert_int_equal(getnameinfo(list->ai_addr, (int)list->ai_addrlen, host, sizeof(host), service,
                                 sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV),
                     0);
    assert_string_equal(host, "192.0.2.7");
    assert_string_equal(service, "80");
    freeaddrinfo(list);
    assert_int_equal(getaddrinfo("no.number", NULL, &hints, &list), WSAHOST_NOT_FOUND);
    assert_int_equal(getaddrinfo(NULL, NULL, NULL, &list), WSAHOST_NOT_FOUND);
}

static void p014_the_catalog(void **state)
{
    static WSAPROTOCOL_INFOW all[64];
    int tcp[2] = {IPPROTO_TCP, 0}, count;
    DWORD bytes = 0;
    bool is_there = false;

    (void)state;
    REFUSED(WSAEnumProtocolsW(NULL, NULL, &bytes), WSAENOBUFS);
    assert_true(bytes > 0 && bytes <= sizeof(all));
    bytes = sizeof(all);
    count = OK(WSAEnumProtocolsW(tcp, all, &bytes));
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        assert_int_equal(all[i].iProtocol, IPPROTO_TCP);
        is_there = is_there || (all[i].iAddressFamily == AF_INET && all[i].iSocketType == SOCK_STREAM);
    }
    assert_true(is_there);
    (void)wt_keep(WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &all[0], 0, 0));
}

static void p015_sets(void **state)
{
    fd_set set;

    (void)state;
    FD_ZERO(&set);
    for (SOCKET s = 8; s <= 8 * (FD_SETSIZE + 1); s += 8)
        FD_SET(s, &set); /* the last one finds no room */
    assert_int_equal(set.fd_count, FD_SETSIZE);
    FD_SET((SOCKET)8, &set);
    assert_int_equal(set.fd_count, FD_SETSIZE);
    FD_CLR((SOCKET)16, &set);
    assert_int_equal(set.fd_count, FD_SETSIZE - 1);
    assert_true(FD_ISSET((SOCKET)8, &set));
    assert_false(FD_ISSET((SOCKET)16, &set));
    assert_true(FD_ISSET((SOCKET)24, &set));
}

static DWORD WINAPI set_soon(LPVOID event)
{
    Sleep(50);
    SetEvent(event);
    return 0;
}

static void p016_waits_for_events(void **state)
{
    HANDLE e[3] = {CreateEventA(NULL, TRUE, FALSE, NULL), CreateEventA(NULL, FALSE, FALSE, NULL),
                   CreateEventA(NULL, TRUE, FALSE, NULL)};
    HANDLE thread;

    (void)state;
    assert_int_equal(WSAWaitForMultipleEvents(3, e, FALSE, 10, FALSE), WSA_WAIT_TIMEOUT);
    SetEvent(e[1]);
    SetEvent(e[2]);
    assert_int_equal(WSAWaitForMultipleEvents(3, e, TRUE, 10, FALSE),
                     WSA_WAIT_TIMEOUT); /* and takes none of them */
    assert_int_equal(WSAWaitForMultipleEvents(3, e, FALSE, 10, FALSE), WSA_WAIT_EVENT_0 + 1);
    assert_int_equal(WSAWaitForMultipleEvents(3, e, FALSE, 10, FALSE),
                     WSA_WAIT_EVENT_0 + 2); /* 1 has reset itself */
    SetEvent(e[1]);
    thread = wt_thread(set_soon, e[0]);
    assert_int_equal(WSAWaitForMultipleEvents(3, e, TRUE, wt_env.wait_ms, FALSE), WSA_WAIT_EVENT_0);
    assert_int_equal(WaitForSingleObject(e[1], 0), WAIT_TIMEOUT);
    wt_join(thread);
    for (unsigned i = 0; i < 3; i++)
        TRUE_OF(CloseHandle(e[i]));
    assert_int_equal(WSAWaitForMultipleEvents(1, e, FALSE, 0, FALSE), WSA_WAIT_FAILED);
    assert_int_equal(WSAGetLastError(), WSA_INVALID_HANDLE);
}

static DWORD WINAPI wait_for_it(LPVOID event)
{
    return WaitForSingleObject(event, wt_env.wait_ms) == WAIT_OBJECT_0 ? 0 : 1;
}

/* An event that resets itself lets one thread go for each time it is set. */
static void p017_one_thread_for_each_signal(void **state)
{
    HANDLE e = CreateEventA(NULL, FALSE, FALSE, NULL);
    HANDLE threads[4];
    unsigned left = 4;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        threads[i] = wt_thread(wait_for_it, e);
    Sleep(50);
    while (left > 0) {
        DWORD which;

        SetEvent(e);
        which = WaitForMultipleObjects(left, threads, FALSE, wt_env.wait_ms);
        assert_true(which < left);
        threads[which] = threads[--left];
        if (left > 0)
            assert_int_equal(WaitForMultipleObjects(left, threads, FALSE, 20), WAIT_TIMEOUT);
    }
    TRUE_OF(CloseHandle(e));
}

struct ball {
    HANDLE here, there;
};

static DWORD WINAPI play(LPVOID context)
{
    struct ball *ball = context;

    for (unsigned i = 0; i < 1000; i++) {
        if (WaitForSingleObject(ball->here, wt_env.wait_ms) != WAIT_OBJECT_0)
            return 1;
        SetEvent(ball->there);
    }
    return 0;
}

static void p018_two_threads_wake_each_other(void **state)
{
    struct ball left = {CreateEventA(NULL, FALSE, FALSE, NULL), CreateEventA(NULL, FALSE, FALSE, NULL)};
    struct ball right = {left.there, left.here};
    HANDLE threads[2];

    (void)state;
    threads[0] = wt_thread(play, &left);
    threads[1] = wt_thread(play, &right);
    SetEvent(left.here);
    assert_int_equal(WaitForMultipleObjects(2, threads, TRUE, wt_env.wait_ms), WAIT_OBJECT_0);
    TRUE_OF(CloseHandle(left.here));
    TRUE_OF(CloseHandle(left.there));
}

static DWORD WINAPI ask_in_another_thread(LPVOID seen_at)
{
    *(struct hostent **)seen_at = gethostbyname("127.0.0.2");
    return 0;
}

static void p019_gethostbyname(void **state)
{
    struct hostent *found = gethostbyname("localhost"), *other = NULL;
    ULONG address = htonl(INADDR_LOOPBACK);

    (void)state;
    assert_non_null(found);
    assert_int_equal(found->h_addrtype, AF_INET);
    assert_int_equal(found->h_length, 4);
    assert_memory_equal(found->h_addr, &address, 4);
    assert_non_null(found->h_name);
    assert_null(found->h_aliases[0]);
    wt_join(wt_thread(ask_in_another_thread, &other)); /* which has an answer of its own */
    assert_non_null(other);
    assert_memory_equal(found->h_addr, &address, 4);
    assert_non_null(gethostbyname("127.0.0.3"));
    address = htonl(INADDR_LOOPBACK + 2);
    assert_memory_equal(found->h_addr, &address, 4); /* the same memory again */
    assert_null(gethostbyname("no-such-host.invalid"));
    assert_int_not_equal(WSAGetLastError(), 0);
}

/* There is no such window: on Linux there is none at all. */
static void p020_wsaasyncselect(void **state)
{
    struct wt_pair pair = wt_pair();

    (void)state;
    REFUSED(WSAAsyncSelect(INVALID_SOCKET, NULL, 0x400, FD_READ), WSAENOTSOCK);
    REFUSED(WSAAsyncSelect(pair.client, (HWND)(uintptr_t)0x7FFE7FFEu, 0x400, FD_READ), WSAEINVAL);
    OK(WSAAsyncSelect(pair.client, NULL, 0, 0));
}

static const struct wt_line lines[] = {
    WT(p010_byte_order),
    WT(p011_addresses_as_text),
    WT(p012_addresses_with_ports_as_text),
    WT(p013_getaddrinfo_of_numbers),
    WT(p014_the_catalog),
    WT(p015_sets),
    WT(p016_waits_for_events),
    WT(p017_one_thread_for_each_signal),
    WT(p018_two_threads_wake_each_other),
    WT(p019_gethostbyname),
    WT_EXCEPT(p020_wsaasyncselect, WT_WINE | WT_DLLS,
              "Wine does not look whether there is such a window; over the DLL the call is Wine's"),
};
WT_GROUP(text, lines);
