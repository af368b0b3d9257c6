/* random_objects.c - calls with any arguments (random_args.c): those of events, ports, threads, text, names, and the start. */
#include "random.h"

/* What had it may still be in use, in waits, selections and operations. Small numbers are files: this program's own. */
static void renew_event(unsigned at)
{
    static const WCHAR wide[] = {'n', 'a', 'm', 'e', 0};
    HANDLE other = some_event();

    if (one_in(4) && (uintptr_t)other > 0x10000 && other != port)
        (void)WSACloseEvent(other);
    (void)CloseHandle(events[at]);
    events[at] = one_in(3)   ? WSACreateEvent()
                 : one_in(2) ? CreateEventA(NULL, (BOOL)draw(2), (BOOL)draw(2), one_in(8) ? "name" : NULL)
                             : CreateEventW(NULL, (BOOL)draw(2), (BOOL)draw(2), one_in(8) ? wide : NULL);
}

void call_events(void)
{
    WSANETWORKEVENTS recorded;

    switch (draw(10)) {
    case 0: (void)WSAEventSelect(some_socket(), some_event(), (LONG)draw(0x1000)); break;
    case 1:
        (void)WSAEnumNetworkEvents(some_socket(), one_in(3) ? NULL : some_event(),
                                   one_in(8) ? NULL : &recorded);
        break;
    case 2: (void)WSASetEvent(some_event()); break;
    case 5:
        (void)WSAAsyncSelect(some_socket(), one_in(2) ? NULL : (HWND)some_event(), draw(0x1000),
                             one_in(2) ? 0 : (LONG)draw(0x1000));
        break;
    case 3: (void)WSAResetEvent(some_event()); break;
    case 4:
        (void)WSAWaitForMultipleEvents(one_in(10) ? draw(UINT32_MAX) : draw(EVENTS + 1),
                                       one_in(10) ? NULL : events, (BOOL)draw(2), draw(2), (BOOL)draw(2));
        break;
    case 6: (void)(one_in(2) ? SetEvent(some_event()) : ResetEvent(some_event())); break;
    case 7:
        (void)WaitForMultipleObjects(one_in(10) ? draw(UINT32_MAX) : draw(EVENTS + 1),
                                     one_in(10) ? NULL : events, (BOOL)draw(2), draw(2));
        (void)WaitForMultipleObjectsEx(draw(EVENTS + 1), events, (BOOL)draw(2), draw(2), (BOOL)draw(2));
        break;
    default:
        if (one_in(8))
            renew_event(draw(EVENTS));
    }
}

void call_ports(void)
{
    LPOVERLAPPED ov;
    ULONG_PTR key;
    DWORD bytes;
    OVERLAPPED_ENTRY entries[8];
    ULONG removed;

    switch (draw(8)) {
    case 0:
        (void)CreateIoCompletionPort((HANDLE)(uintptr_t)some_socket(), some_port(), draw(100), draw(4));
        break;
    case 1:
        (void)GetQueuedCompletionStatus(some_port(), one_in(10) ? NULL : &bytes, one_in(10) ? NULL : &key,
                                        one_in(10) ? NULL : &ov, draw(2));
        break;
    case 2:
        (void)GetQueuedCompletionStatusEx(some_port(), one_in(10) ? NULL : entries, draw(9),
                                          one_in(10) ? NULL : &removed, draw(2), (BOOL)draw(2));
        break;
    case 3:
        (void)PostQueuedCompletionStatus(some_port(), draw(100), draw(100),
                                         (LPOVERLAPPED)(uintptr_t)draw(100));
        break;
    case 4: (void)SetFileCompletionNotificationModes((HANDLE)(uintptr_t)some_socket(), (UCHAR)draw(5)); break;
    case 5:
        (void)CancelIoEx((HANDLE)(uintptr_t)some_socket(),
                         one_in(4) ? NULL : &operations[draw(OPERATIONS)].ov);
        break;
    case 6: (void)CancelIo((HANDLE)(uintptr_t)some_socket()); break;
    default:
        if (one_in(20)) {
            (void)CloseHandle(port);
            port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
        }
    }
}

static void CALLBACK queued(ULONG_PTR data)
{
    (void)data;
    (void)SleepEx(0, one_in(2)); /* one that waits by itself */
}

void call_threads(void)
{
    (void)QueueUserAPC(queued, one_in(4) ? some_event() : GetCurrentThread(), draw(10));
    (void)SleepEx(draw(2), (BOOL)draw(2));
    (void)WaitForSingleObjectEx(some_event(), draw(2), (BOOL)draw(2));
    (void)WaitForSingleObject(some_event(), draw(2));
}

static const char *some_text(void)
{
    static const char *const texts[] = {"192.0.2.7", "192.0.2.7:80", "::1",    "[::1]:80", "",
                                        " ",         "1.2",          "0x7f.1", "x",        "1.2.3.4:99999"};

    return texts[draw(sizeof(texts) / sizeof(texts[0]))];
}

void call_text(void)
{
    struct in_addr address;
    char text[64], out[64];
    int bytes;
    DWORD length = draw(sizeof(out) + 1);
    void *memory = some_memory(room, &bytes);

    strcpy(text, some_text());
    (void)inet_addr(text);
    address.s_addr = draw(UINT32_MAX);
    (void)inet_ntoa(address);
    (void)inet_pton(one_in(2) ? AF_INET : AF_INET6, one_in(8) ? NULL : text, one_in(8) ? NULL : room);
    (void)inet_ntop(one_in(2) ? AF_INET : (int)draw(30), room, one_in(8) ? NULL : out, length);
    (void)WSAStringToAddressA(one_in(8) ? NULL : text, one_in(2) ? AF_INET : (int)draw(30), NULL, memory,
                              one_in(8) ? NULL : &bytes);
    bytes = (int)draw(129);
    (void)WSAAddressToStringA(one_in(8) ? NULL : (void *)room, (DWORD)bytes, NULL, one_in(8) ? NULL : out,
                              one_in(8) ? NULL : &length);
}

void call_wide_text(void)
{
    const char *from = some_text();
    WCHAR text[64], out[64];
    DWORD length = draw(sizeof(out) / sizeof(out[0]) + 1);
    int bytes;
    void *memory = some_memory(room, &bytes);

    for (unsigned i = 0; i == 0 || from[i - 1] != 0; i++)
        text[i] = one_in(50) ? (WCHAR)(draw(0xFFFF) + 1) : (WCHAR)from[i];
    text[strlen(from)] = 0;
    (void)WSAStringToAddressW(one_in(8) ? NULL : text, one_in(2) ? AF_INET : (int)draw(30), NULL, memory,
                              one_in(8) ? NULL : &bytes);
    bytes = (int)draw(129);
    (void)WSAAddressToStringW(one_in(8) ? NULL : (void *)room, (DWORD)bytes, NULL, one_in(8) ? NULL : out,
                              one_in(8) ? NULL : &length);
}

/* Of numbers and of this host: what else would be asked for waits for a network. */
void call_names_of_hosts(void)
{
    struct addrinfo hints, *list = NULL;
    char out[64];
    int bytes = (int)draw(129);

    (void)getnameinfo(one_in(8) ? NULL : (void *)room, bytes, one_in(8) ? NULL : out,
                      one_in(8) ? 0 : sizeof(out), NULL, draw(2), NI_NUMERICHOST);
    (void)gethostname(one_in(8) ? NULL : out, (int)draw(sizeof(out) + 1));
    memset(&hints, 0, sizeof(hints));
    hints.ai_family = (int)draw(30);
    hints.ai_socktype = (int)draw(7) - 1;
    hints.ai_protocol = (int)draw(20);
    hints.ai_flags = (int)(some_flags() | AI_NUMERICHOST);
    if (getaddrinfo(one_in(8) ? NULL : some_text(),
                    one_in(2)   ? NULL
                    : one_in(2) ? "80"
                                : some_text(),
                    &hints, one_in(8) ? NULL : &list) == 0)
        freeaddrinfo(list);
    freeaddrinfo(NULL);
    (void)gai_strerror((int)draw(20000) - 1000);
    if (one_in(8)) /* reads files */
        (void)gethostbyname(one_in(8) ? NULL : one_in(2) ? some_text() : "localhost");
}

void call_catalog(void)
{
    static WSAPROTOCOL_INFOW all[8];
    int wanted[3] = {(int)draw(40), (int)draw(40), 0};
    DWORD bytes = draw(sizeof(all) + 1);

    (void)WSAEnumProtocolsW(one_in(2) ? NULL : wanted, one_in(8) ? NULL : all, one_in(8) ? NULL : &bytes);
}

void call_startup(void)
{
    WSADATA data;

    if (WSAStartup((WORD)draw(0x10000), one_in(6) ? NULL : &data) == 0)
        (void)WSACleanup(); /* never the last one: the program has started it first */
}

/* What can hardly go wrong: all the same, none is left out (headers.sh). */
void call_trifles(void)
{
    LONG number = (LONG)draw(UINT32_MAX);
    DWORD error = draw(UINT32_MAX);

    WSASetLastError((int)error);
    SetLastError((DWORD)WSAGetLastError());
    if (GetLastError() != error)
        abort();
    if (ntohl(htonl(error)) != error || ntohs(htons((USHORT)error)) != (USHORT)error)
        abort();
    (void)InterlockedExchange(&number, InterlockedIncrement(&number));
    (void)InterlockedDecrement(&number);
    (void)GetTickCount();
    if (GetCurrentThreadId() != GetCurrentThreadId())
        abort();
    Sleep(draw(2));
}
