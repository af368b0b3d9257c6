/* helpers.c - what Winsock programs use around their sockets: catalog entries by names of bytes, tables of services and protocols, byte order of a
 * socket, options by their Windows numbers; and the locks, heaps and threads of windows.h. */
#include "wt.h"

#include <process.h>

/* --- Winsock --- */

static void p030_byte_order_of_a_socket(void **state)
{
    SOCKET s = wt_socket();
    u_long l = 0;
    u_short h = 0;

    (void)state;
    OK(WSAHtonl(s, 0x01020304, &l));
    assert_int_equal(l, htonl(0x01020304));
    OK(WSANtohl(s, l, &l));
    assert_int_equal(l, 0x01020304);
    OK(WSAHtons(s, 0x0102, &h));
    assert_int_equal(h, htons(0x0102));
    OK(WSANtohs(s, h, &h));
    assert_int_equal(h, 0x0102);
}

static const WSAPROTOCOL_INFOA *stream_among(const WSAPROTOCOL_INFOA *all, int count)
{
    for (int i = 0; i < count; i++)
        if (all[i].iAddressFamily == AF_INET && all[i].iSocketType == SOCK_STREAM)
            return &all[i];
    return NULL;
}

static void p031_the_catalog_in_bytes(void **state)
{
    const WSAPROTOCOL_INFOA *stream;
    WSAPROTOCOL_INFOA *all;
    WSAPROTOCOL_INFOW wide[16];
    DWORD bytes = 0, wide_bytes = sizeof(wide);
    int only_tcp[] = {IPPROTO_TCP, 0}, count;
    WSAPROTOCOL_INFOA copy;

    (void)state;
    REFUSED(WSAEnumProtocolsA(only_tcp, NULL, &bytes), WSAENOBUFS);
    assert_true(bytes >= sizeof(*all) && bytes % sizeof(*all) == 0);
    all = calloc(1, bytes);
    assert_non_null(all);
    count = WSAEnumProtocolsA(only_tcp, all, &bytes);
    assert_int_equal(count * (int)sizeof(*all), (int)bytes);
    assert_int_equal(WSAEnumProtocolsW(only_tcp, wide, &wide_bytes), count);
    stream = stream_among(all, count);
    assert_non_null(stream);
    assert_int_not_equal(stream->szProtocol[0], 0);
    for (unsigned i = 0; stream->szProtocol[i] != '\0'; i++)
        assert_int_equal(stream->szProtocol[i], wide[stream - all].szProtocol[i]);
    copy = *stream;
    free(all);
    (void)wt_keep(WSASocketA(AF_INET, SOCK_STREAM, IPPROTO_TCP, &copy, 0, WSA_FLAG_OVERLAPPED));
    (void)wt_keep(WSASocketA(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &copy, 0, 0));
    (void)wt_keep(WSASocketA(AF_INET, SOCK_STREAM, 0, NULL, 0, 0));
}

static void p032_duplicates_in_bytes(void **state)
{
    struct wt_pair pair = wt_pair();
    WSAPROTOCOL_INFOA info;
    SOCKET other;

    (void)state;
    REFUSED(WSADuplicateSocketA(INVALID_SOCKET, GetCurrentProcessId(), &info), WSAENOTSOCK);
    REFUSED(WSADuplicateSocketA(pair.client, GetCurrentProcessId(), NULL), WSAEFAULT);
    OK(WSADuplicateSocketA(pair.client, GetCurrentProcessId(), &info));
    assert_int_equal(info.iSocketType, SOCK_STREAM);
    other = wt_keep(WSASocketA(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0));
    wt_send(other, "by the other");
    wt_receive(pair.server, "by the other");
}

static void p033_services_and_protocols(void **state)
{
    const struct servent *service = getservbyname("http", "tcp");
    const struct protoent *protocol;

    (void)state;
    assert_non_null(service);
    assert_string_equal(service->s_name, "http");
    assert_string_equal(service->s_proto, "tcp");
    assert_int_equal((u_short)service->s_port, htons(80));
    assert_non_null(getservbyname("domain", NULL));
    service = getservbyport(htons(53), "udp");
    assert_non_null(service);
    assert_string_equal(service->s_name, "domain");
    assert_null(getservbyname("no-such-service", "tcp"));
    assert_int_equal(WSAGetLastError(), WSANO_DATA);
    assert_null(getservbyport(htons(1), "no-such-protocol"));
    assert_int_equal(WSAGetLastError(), WSANO_DATA);
    protocol = getprotobyname("tcp");
    assert_non_null(protocol);
    assert_int_equal(protocol->p_proto, IPPROTO_TCP);
    protocol = getprotobynumber(IPPROTO_UDP);
    assert_non_null(protocol);
    assert_string_equal(protocol->p_name, "udp");
    assert_null(getprotobyname("no-such-protocol"));
    assert_int_equal(WSAGetLastError(), WSANO_DATA);
    assert_null(getprotobynumber(250));
    assert_int_equal(WSAGetLastError(), WSANO_DATA);
}

static void p034_gethostbyaddr(void **state)
{
    ULONG address = htonl(INADDR_LOOPBACK);
    const struct hostent *found = gethostbyaddr((const char *)&address, sizeof(address), AF_INET);

    (void)state;
    assert_non_null(found);
    assert_int_equal(found->h_addrtype, AF_INET);
    assert_int_equal(found->h_length, sizeof(address));
    assert_memory_equal(found->h_addr, &address, sizeof(address));
    assert_null(found->h_addr_list[1]);
    assert_true(strlen(found->h_name) > 0);
}

static void p035_wsarecvex(void **state)
{
    struct wt_pair pair = wt_pair();
    char data[8];
    int flags = MSG_PEEK;

    (void)state;
    wt_send(pair.server, "abc");
    wt_until_readable(pair.client);
    assert_int_equal(WSARecvEx(pair.client, data, sizeof(data), &flags), 3);
    flags = 0;
    assert_int_equal(WSARecvEx(pair.client, data, sizeof(data), &flags), 3);
    assert_int_equal(flags, 0); /* a stream has no messages */
    assert_memory_equal(data, "abc", 3);
    wt_close(pair.server);
    assert_int_equal(WSARecvEx(pair.client, data, sizeof(data), &flags), 0);
    REFUSED(WSARecvEx(INVALID_SOCKET, data, sizeof(data), &flags), WSAENOTSOCK);
}

static void p036_no_groups(void **state)
{
    SOCKADDR_IN name = wt_env.here;

    (void)state;
    NO_SOCKET(
        WSAJoinLeaf(INVALID_SOCKET, (struct sockaddr *)&name, sizeof(name), NULL, NULL, NULL, NULL, JL_BOTH),
        WSAENOTSOCK);
    NO_SOCKET(
        WSAJoinLeaf(wt_socket(), (struct sockaddr *)&name, sizeof(name), NULL, NULL, NULL, NULL, JL_BOTH),
        WSAEOPNOTSUPP);
}

/* Numbers that the C library of Linux has other ones for. */
static void p037_options_of_windows_numbers(void **state)
{
    SOCKET s = wt_socket();

    (void)state;
    OK(wt_set(s, IPPROTO_TCP, 3 /* TCP_KEEPIDLE */, 77));
    assert_int_equal(wt_get(s, IPPROTO_TCP, 3), 77);
    OK(wt_set(s, IPPROTO_TCP, 17 /* TCP_KEEPINTVL */, 7));
    assert_int_equal(wt_get(s, IPPROTO_TCP, 17), 7);
#ifdef TCP_KEEPIDLE /* mingw-w64 before 12 has none */
    assert_int_equal(wt_get(s, IPPROTO_TCP, TCP_KEEPIDLE), 77);
    assert_int_equal(wt_get(s, IPPROTO_TCP, TCP_KEEPINTVL), 7);
#endif
#if defined(MSG_NOSIGNAL) || defined(MSG_DONTWAIT) || defined(SO_REUSEPORT) || defined(SOCK_CLOEXEC)
    fail_msg("there is no such name");
#endif
}

static void p038_groups_of_datagrams(void **state)
{
    SOCKADDR_IN group = wt_env.here;
    SOCKET s = wt_keep(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP));
    struct ip_mreq request;

    (void)state;
    group.sin_port = 0;
    OK(bind(s, (struct sockaddr *)&group, sizeof(group)));
    request.imr_multiaddr.s_addr = inet_addr("239.255.12.34");
    request.imr_interface = wt_env.here.sin_addr;
    OK(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, (const char *)&request, sizeof(request)));
    OK(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, (const char *)&request, sizeof(request)));
}

/* Two headers in one message, and what is left is too short for another. */
static void p050_headers_of_messages(void **state)
{
    union {
        WSACMSGHDR header;
        char room[2 * WSA_CMSG_SPACE(sizeof(DWORD)) + 4];
    } control;
    LPWSACMSGHDR header;
    WSAMSG message;

    (void)state;
    memset(&control, 0, sizeof(control));
    memset(&message, 0, sizeof(message));
    message.Control.buf = control.room;
    message.Control.len = sizeof(control.room);
    header = WSA_CMSG_FIRSTHDR(&message);
    assert_ptr_equal(header, &control.header);
    header->cmsg_len = WSA_CMSG_LEN(sizeof(DWORD));
    assert_ptr_equal(WSA_CMSG_DATA(header), control.room + sizeof(WSACMSGHDR));
    header = WSA_CMSG_NXTHDR(&message, header);
    assert_ptr_equal(header, control.room + WSA_CMSG_SPACE(sizeof(DWORD)));
    header->cmsg_len = WSA_CMSG_LEN(sizeof(DWORD));
    assert_null(WSA_CMSG_NXTHDR(&message, header));
    message.Control.len = sizeof(WSACMSGHDR) - 1;
    assert_null(WSA_CMSG_FIRSTHDR(&message));
}

static void p039_kinds_of_ipv6_addresses(void **state)
{
    struct in6_addr a = IN6ADDR_LOOPBACK_INIT;

    (void)state;
    assert_true(IN6_IS_ADDR_LOOPBACK(&a) && !IN6_IS_ADDR_UNSPECIFIED(&a));
    assert_true(IN6_ADDR_EQUAL(&a, &in6addr_loopback) && !IN6_ADDR_EQUAL(&a, &in6addr_any));
    assert_int_equal(inet_pton(AF_INET6, "fe80::1", &a), 1);
    assert_true(IN6_IS_ADDR_LINKLOCAL(&a) && !IN6_IS_ADDR_MULTICAST(&a) && !IN6_IS_ADDR_SITELOCAL(&a));
    assert_int_equal(inet_pton(AF_INET6, "ff02::1", &a), 1);
    assert_true(IN6_IS_ADDR_MULTICAST(&a) && !IN6_IS_ADDR_LINKLOCAL(&a));
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &a), 1);
    assert_true(IN6_IS_ADDR_V4MAPPED(&a));
    assert_int_equal(a.s6_addr[12], 192);
}

static void same_wide(const WCHAR *wide, const char *narrow)
{
    unsigned i = 0;

    for (; narrow[i] != '\0'; i++)
        assert_int_equal(wide[i], narrow[i]);
    assert_int_equal(wide[i], 0);
}

static void p045_addresses_in_wide_text(void **state)
{
    static const WCHAR ipv4[] = {'1', '9', '2', '.', '0', '.', '2', '.', '7', 0};
    static const WCHAR ipv6[] = {'f', 'e', '8', '0', ':', ':', '1', 0};
    static const WCHAR euro[] = {0x20AC, 0}, half[] = {0xD800, 0};
    WCHAR text[INET6_ADDRSTRLEN], none[100];
    struct in6_addr a6;
    ULONG a = 0;

    (void)state;
    assert_int_equal(InetPtonW(AF_INET, ipv4, &a), 1);
    assert_int_equal(a, inet_addr("192.0.2.7"));
    assert_ptr_equal(InetNtopW(AF_INET, &a, text, INET6_ADDRSTRLEN), text);
    same_wide(text, "192.0.2.7");
    assert_ptr_equal(InetNtopW(AF_INET, &a, text, 10), text); /* just room enough */
    assert_null(InetNtopW(AF_INET, &a, text, 9));
    assert_int_equal(InetPtonW(AF_INET6, ipv6, &a6), 1);
    assert_true(IN6_IS_ADDR_LINKLOCAL(&a6));
    assert_ptr_equal(InetNtopW(AF_INET6, &a6, text, INET6_ADDRSTRLEN), text);
    same_wide(text, "fe80::1");
    assert_int_equal(InetPtonW(AF_INET, ipv6, &a), 0);
    assert_int_equal(InetPtonW(AF_INET, euro, &a), 0);
    assert_int_equal(InetPtonW(AF_INET, half, &a), 0);
    for (unsigned i = 0; i < 99; i++)
        none[i] = '1';
    none[99] = 0;
    assert_int_equal(InetPtonW(AF_INET, none, &a), 0);
    assert_null(inet_ntop(AF_INET, &a, (char *)text, 4));
}

static void p046_names_in_wide_text(void **state)
{
    static const WCHAR node[] = {'1', '2', '7', '.', '0', '.', '0', '.', '1', 0}, service[] = {'8', '0', 0};
    static const WCHAR nobody[] = {'n', 'o', '-', 's', 'u', 'c', 'h', '.',
                                   'i', 'n', 'v', 'a', 'l', 'i', 'd', 0};
    ADDRINFOW hints = {0}, *list = NULL;
    WCHAR host[NI_MAXHOST], port[NI_MAXSERV];
    const SOCKADDR_IN *name;
    char narrow[256];

    (void)state;
    hints.ai_flags = AI_NUMERICHOST | AI_CANONNAME;
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    assert_int_equal(GetAddrInfoW(node, service, &hints, &list), 0);
    assert_non_null(list);
    name = (const void *)list->ai_addr;
    assert_int_equal(list->ai_family, AF_INET);
    assert_int_equal(list->ai_addrlen, sizeof(*name));
    assert_int_equal(name->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(name->sin_port, htons(80));
    assert_non_null(list->ai_canonname);
    same_wide(list->ai_canonname, "127.0.0.1");
    assert_int_equal(GetNameInfoW(list->ai_addr, sizeof(*name), host, NI_MAXHOST, port, NI_MAXSERV,
                                  NI_NUMERICHOST | NI_NUMERICSERV),
                     0);
    same_wide(host, "127.0.0.1");
    same_wide(port, "80");
    FreeAddrInfoW(list);
    FreeAddrInfoW(NULL);
    assert_int_not_equal(GetAddrInfoW(nobody, NULL, NULL, &list), 0);
    assert_null(list);
    OK(gethostname(narrow, sizeof(narrow)));
    OK(GetHostNameW(host, NI_MAXHOST));
    same_wide(host, narrow);
}

static int look_up(const char *node, int af, struct addrinfo **list)
{
    struct addrinfo hints;

    memset(&hints, 0, sizeof(hints));
    hints.ai_family = af;
    hints.ai_socktype = SOCK_STREAM;
    return getaddrinfo(node, "80", &hints, list);
}

static void p048_getaddrinfo_in_brackets(void **state)
{
    struct addrinfo *list = NULL;

    (void)state;
    assert_int_equal(look_up("[::1]", AF_UNSPEC, &list), 0);
    assert_non_null(list);
    assert_int_equal(list->ai_family, AF_INET6);
    assert_true(IN6_IS_ADDR_LOOPBACK(&((const SOCKADDR_IN6 *)(const void *)list->ai_addr)->sin6_addr));
    freeaddrinfo(list);
}

static void p049_getaddrinfo_of_the_other_family(void **state)
{
    struct addrinfo *list = NULL;

    (void)state;
    assert_int_equal(look_up("::1", AF_INET, &list), WSAHOST_NOT_FOUND);
    assert_int_equal(WSAGetLastError(), WSAHOST_NOT_FOUND);
    assert_null(list);
}

/* What Wine looks at less closely than the pages say. */
static void p044_helpers_look_at_their_arguments(void **state)
{
    SOCKET s = wt_socket();
    WCHAR wide[4];
    u_long l = 0;
    u_short h = 0;

    (void)state;
    assert_null(InetNtopW(AF_INET, &l, wide, 4));
    assert_int_equal(WSAGetLastError(), WSA_INVALID_PARAMETER);
    WSASetLastError(0);
    assert_null(inet_ntop(AF_INET, &l, (char *)wide, 4));
    assert_int_equal(WSAGetLastError(), WSA_INVALID_PARAMETER);
    REFUSED(WSAHtonl(s, 1, NULL), WSAEFAULT);
    REFUSED(WSANtohs(s, 1, NULL), WSAEFAULT);
    assert_null(gethostbyaddr((const char *)&l, 3, AF_INET));
    assert_int_equal(WSAGetLastError(), WSAEFAULT);
    REFUSED(WSAHtonl(INVALID_SOCKET, 1, &l), WSAENOTSOCK);
    REFUSED(WSANtohs(INVALID_SOCKET, 1, &h), WSAENOTSOCK);
    assert_null(gethostbyaddr(NULL, 4, AF_INET));
    assert_int_equal(WSAGetLastError(), WSAEFAULT);
    assert_null(getservbyname(NULL, "tcp"));
    assert_int_equal(WSAGetLastError(), WSAEFAULT);
    assert_null(getprotobyname(NULL));
    assert_int_equal(WSAGetLastError(), WSAEFAULT);
}

/* --- windows.h --- */

static struct {
    CRITICAL_SECTION section;
    long inside; /* guarded by it */
    LONG calls;
    BOOL was_free;
} shared;
#define ROUNDS 20000

static unsigned __stdcall go_in_and_out(void *parameter)
{
    (void)parameter;
    for (int i = 0; i < ROUNDS; i++) {
        EnterCriticalSection(&shared.section);
        EnterCriticalSection(&shared.section);
        shared.inside++;
        LeaveCriticalSection(&shared.section);
        shared.inside++;
        LeaveCriticalSection(&shared.section);
        InterlockedIncrement(&shared.calls);
    }
    return 0;
}

static unsigned __stdcall try_it(void *parameter)
{
    (void)parameter;
    shared.was_free = TryEnterCriticalSection(&shared.section);
    if (shared.was_free)
        LeaveCriticalSection(&shared.section);
    return 0;
}

static void p040_critical_sections(void **state)
{
    HANDLE threads[3];

    (void)state;
    memset(&shared, 0, sizeof(shared));
    TRUE_OF(InitializeCriticalSectionAndSpinCount(&shared.section, 100));
    for (unsigned i = 0; i < 3; i++) {
        threads[i] = (HANDLE)_beginthreadex(NULL, 0, go_in_and_out, NULL, 0, NULL);
        assert_non_null(threads[i]);
    }
    assert_int_equal(WaitForMultipleObjects(3, threads, TRUE, wt_env.wait_ms), WAIT_OBJECT_0);
    for (unsigned i = 0; i < 3; i++)
        TRUE_OF(CloseHandle(threads[i]));
    assert_int_equal(shared.inside, 3 * 2 * ROUNDS);
    assert_int_equal(shared.calls, 3 * ROUNDS);
    TRUE_OF(TryEnterCriticalSection(&shared.section));
    TRUE_OF(TryEnterCriticalSection(&shared.section)); /* once more, its own */
    wt_join((HANDLE)_beginthreadex(NULL, 0, try_it, NULL, 0, NULL));
    assert_false(shared.was_free);
    LeaveCriticalSection(&shared.section);
    wt_join((HANDLE)_beginthreadex(NULL, 0, try_it, NULL, 0, NULL));
    assert_false(shared.was_free);
    LeaveCriticalSection(&shared.section);
    wt_join((HANDLE)_beginthreadex(NULL, 0, try_it, NULL, 0, NULL));
    assert_true(shared.was_free);
    DeleteCriticalSection(&shared.section);
}

static void p041_interlocked(void **state)
{
    LONG l = 5;
    LONGLONG ll = 1;

    (void)state;
    assert_int_equal(InterlockedExchangeAdd(&l, 3), 5);
    assert_int_equal(InterlockedCompareExchange(&l, 1, 9), 8);
    assert_int_equal(l, 8);
    assert_int_equal(InterlockedCompareExchange(&l, 1, 8), 8);
    assert_int_equal(l, 1);
    assert_int_equal(InterlockedDecrement(&l), 0);
    assert_int_equal(InterlockedIncrement64(&ll), 2);
    assert_int_equal(InterlockedExchangeAdd64(&ll, (LONGLONG)1 << 40), 2);
    assert_true(InterlockedDecrement64(&ll) == ((LONGLONG)1 << 40) + 1);
}

static void p042_heap(void **state)
{
    HANDLE heap = GetProcessHeap();
    char *memory = HeapAlloc(heap, HEAP_ZERO_MEMORY, 100);

    (void)state;
    assert_non_null(memory);
    assert_int_equal(HeapSize(heap, 0, memory), 100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(memory[i], 0);
    FillMemory(memory, 100, 'x');
    memory = HeapReAlloc(heap, HEAP_ZERO_MEMORY, memory, 5000);
    assert_non_null(memory);
    assert_int_equal(HeapSize(heap, 0, memory), 5000);
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(memory[i], i < 100 ? 'x' : 0);
    TRUE_OF(HeapFree(heap, 0, memory));
    TRUE_OF(HeapFree(heap, 0, NULL));
    memory = GlobalAlloc(GPTR, 8);
    assert_non_null(memory);
    assert_memory_equal(memory, "\0\0\0\0\0\0\0", 8);
    SecureZeroMemory(memory, 8);
    assert_null(GlobalFree(memory));
    memory = LocalAlloc(LPTR, 8);
    assert_non_null(memory);
    assert_memory_equal(memory, "\0\0\0\0\0\0\0", 8);
    assert_null(LocalFree(memory));
}

static void p047_text_of_codes(void **state)
{
    const DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
    const DWORD language = MAKELANGID(LANG_NEUTRAL, SUBLANG_DEFAULT);
    char text[512], *own = NULL;
    DWORD length;

    (void)state;
    length = FormatMessageA(flags, NULL, WSAECONNREFUSED, language, text, sizeof(text), NULL);
    assert_true(length > 2);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text + length - 2, "\r\n");
    assert_int_equal(FormatMessageA(flags | FORMAT_MESSAGE_ALLOCATE_BUFFER, NULL, WSAECONNREFUSED, language,
                                    (LPSTR)&own, 0, NULL),
                     length);
    assert_non_null(own);
    assert_string_equal(own, text);
    assert_null(LocalFree(own));
    assert_int_equal(FormatMessageA(flags, NULL, WSAECONNREFUSED, language, text, 5, NULL), 0);
    assert_int_equal(GetLastError(), ERROR_INSUFFICIENT_BUFFER);
    assert_int_equal(FormatMessageA(flags, NULL, 0x2FFFFFFF, language, text, sizeof(text), NULL), 0);
    assert_int_equal(GetLastError(), ERROR_MR_MID_NOT_FOUND);
    assert_int_not_equal(FormatMessageA(flags | FORMAT_MESSAGE_MAX_WIDTH_MASK, NULL, WSAECONNREFUSED,
                                        language, text, sizeof(text), NULL),
                         0);
    assert_null(strchr(text, '\n'));
}

static void __cdecl set_it(void *event)
{
    SetEvent(event);
}

static void p043_beginthread_and_the_machine(void **state)
{
    LARGE_INTEGER before, after, frequency;
    HANDLE event = wt_event();
    SYSTEM_INFO info;

    (void)state;
    TRUE_OF(QueryPerformanceFrequency(&frequency));
    TRUE_OF(QueryPerformanceCounter(&before));
    assert_true(_beginthread(set_it, 0, event) != (uintptr_t)-1);
    assert_int_equal(WaitForSingleObject(event, wt_env.wait_ms), WAIT_OBJECT_0);
    TRUE_OF(QueryPerformanceCounter(&after));
    assert_true(frequency.QuadPart > 0 && after.QuadPart >= before.QuadPart);
    GetSystemInfo(&info);
    assert_true(info.dwNumberOfProcessors > 0 && info.dwPageSize >= 4096);
    assert_true((info.dwPageSize & (info.dwPageSize - 1)) == 0);
}

static const struct wt_line lines[] = {
    WT(p030_byte_order_of_a_socket),
    WT(p031_the_catalog_in_bytes),
    WT(p032_duplicates_in_bytes),
    WT(p033_services_and_protocols),
    WT(p034_gethostbyaddr),
    WT_EXCEPT(p035_wsarecvex, WT_WINE, "Wine's does nothing"),
    WT_EXCEPT(p036_no_groups, WT_WINE, "Wine's does nothing, and gives no code"),
    WT_EXCEPT(p037_options_of_windows_numbers, WT_WINE | WT_DLLS,
              "Wine 8 has no such options, so its TCP/IP below the DLL has none"),
    WT(p038_groups_of_datagrams),
    WT(p050_headers_of_messages),
    WT(p039_kinds_of_ipv6_addresses),
    WT_EXCEPT(p044_helpers_look_at_their_arguments, WT_WINE | WT_DLLS,
              "Wine looks at no socket, reads NULL, and gives an NTSTATUS; over the DLL names are Wine's"),
    WT(p048_getaddrinfo_in_brackets),
    WT_EXCEPT(p049_getaddrinfo_of_the_other_family, WT_WINE | WT_DLLS,
              "Wine hands out a code of the C library's; over the DLL names are Wine's"),
    WT(p045_addresses_in_wide_text),
    WT(p046_names_in_wide_text),
    WT(p040_critical_sections),
    WT(p041_interlocked),
    WT(p042_heap),
    WT(p047_text_of_codes),
    WT(p043_beginthread_and_the_machine),
};
WT_GROUP(helpers, lines);
