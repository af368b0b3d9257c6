/* random_helpers.c - calls with any arguments (random_args.c): those of the catalog in bytes, byte order, groups, services, wide names. */
#include "random.h"

#include <process.h>

void call_catalog_in_bytes(void)
{
    static WSAPROTOCOL_INFOA all[8];
    int wanted[3] = {(int)draw(40), (int)draw(40), 0};
    DWORD bytes = draw(sizeof(all) + 1);
    SOCKET s;

    (void)WSAEnumProtocolsA(one_in(2) ? NULL : wanted, one_in(8) ? NULL : all, one_in(8) ? NULL : &bytes);
    s = WSASocketA((int)draw(24), (int)draw(4), (int)draw(20), one_in(2) ? NULL : &all[draw(8)], draw(2),
                   WSA_FLAG_OVERLAPPED | some_flags());
    if (s != INVALID_SOCKET)
        put_socket(s);
    if (one_in(8)) /* records are kept for who may take them */
        (void)WSADuplicateSocketA(some_socket(), one_in(2) ? GetCurrentProcessId() : draw(UINT32_MAX),
                                  one_in(8) ? NULL : all);
}

void call_order_and_groups(void)
{
    u_long l = draw(UINT32_MAX);
    u_short h = (u_short)l;
    int bytes;
    const struct sockaddr *name = some_address(&bytes);

    (void)WSAHtonl(some_socket(), l, one_in(8) ? NULL : &l);
    (void)WSANtohl(some_socket(), l, one_in(8) ? NULL : &l);
    (void)WSAHtons(some_socket(), h, one_in(8) ? NULL : &h);
    (void)WSANtohs(some_socket(), h, one_in(8) ? NULL : &h);
    (void)WSAJoinLeaf(some_socket(), name, bytes, NULL, NULL, NULL, NULL, some_flags());
    (void)WSAGetQOSByName(some_socket(), NULL, NULL);
    bytes = (int)draw(ROOM + 2) - 1;
    (void)WSARecvEx(some_socket(), one_in(8) ? NULL : room, bytes, one_in(8) ? NULL : &bytes);
}

void call_names_of_services(void)
{
    static const char *const names[] = {"http", "tcp", "", "no-such-name", "65536", "udp"};
    const char *name = one_in(8) ? NULL : names[draw(6)], *protocol = one_in(4) ? NULL : names[draw(6)];
    const unsigned char address[16] = {127, 0, 0, 1}; /* of which nobody has to be asked */

    if (!one_in(8)) /* they take files to be read */
        return;
    (void)getservbyname(name, protocol);
    (void)getservbyport((int)draw(UINT32_MAX), protocol);
    (void)getprotobyname(name);
    (void)getprotobynumber((int)draw(300) - 20);
    (void)gethostbyaddr(one_in(8) ? NULL : (const char *)address, (int)draw(16),
                        one_in(2) ? AF_INET : (int)draw(30));
}

void call_wide_names(void)
{
    WCHAR text[70], service[8];
    const DWORD units = draw(70);
    ADDRINFOW hints, *list = NULL;
    unsigned char address[16] = {0};

    for (unsigned i = 0; i < 69; i++)
        text[i] = (WCHAR)(one_in(8) ? draw(0x10000) : (uint32_t) "0123456789.:abcdef"[draw(18)]);
    text[one_in(2) ? 69 : draw(10)] = text[69] = 0;
    memcpy(service, text, sizeof(service));
    service[one_in(2) ? 7 : draw(8)] = service[7] = 0;
    (void)InetPtonW(one_in(2) ? AF_INET : AF_INET6, one_in(8) ? NULL : text, one_in(8) ? NULL : address);
    memset(&hints, 0, sizeof(hints));
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | (int)(some_flags() & 0x7);
    hints.ai_family = one_in(2) ? AF_INET : (int)draw(30);
    hints.ai_socktype = (int)draw(5);
    if (GetAddrInfoW(one_in(8) ? NULL : text, one_in(4) ? NULL : service, &hints, one_in(8) ? NULL : &list) ==
        0)
        FreeAddrInfoW(list);
    (void)InetNtopW(one_in(2) ? AF_INET : (int)draw(30), one_in(8) ? NULL : address, one_in(8) ? NULL : text,
                    units);
    (void)GetNameInfoW(one_in(8) ? NULL : (void *)room, (int)draw(129), one_in(8) ? NULL : text, units, NULL,
                       0, NI_NUMERICHOST | (int)draw(16));
    (void)GetHostNameW(one_in(8) ? NULL : text, (int)draw(71) - 1);
}

/* Memory that never was any is an error of the program's, there as here. */
void call_memory(void)
{
    HANDLE heap = one_in(8) ? some_event() : GetProcessHeap();
    const SIZE_T bytes = draw(2 * ROOM);
    char *memory = HeapAlloc(heap, one_in(2) ? HEAP_ZERO_MEMORY : draw(UINT32_MAX), bytes);
    HGLOBAL global = GlobalAlloc(one_in(2) ? GPTR : draw(0x100), bytes);
    HLOCAL local = LocalAlloc(one_in(2) ? LPTR : draw(0x100), bytes);

    if (memory != NULL && HeapSize(heap, 0, memory) < bytes)
        abort();
    if (memory != NULL && bytes != 0)
        memset(memory, 1, bytes);
    if (one_in(2) && memory != NULL) {
        char *larger = HeapReAlloc(heap, HEAP_ZERO_MEMORY, memory, bytes + draw(ROOM));

        memory = larger != NULL ? larger : memory;
    }
    (void)HeapFree(heap, draw(UINT32_MAX), memory);
    (void)GlobalFree(global);
    (void)LocalFree(local);
}

static CRITICAL_SECTION section;
static LONG entered;

static unsigned __stdcall enter_once(void *unused)
{
    (void)unused;
    EnterCriticalSection(&section);
    (void)InterlockedExchangeAdd(&entered, 1);
    LeaveCriticalSection(&section);
    return 0;
}

static void __cdecl wait_once(void *event)
{
    (void)WaitForSingleObject(event, 1);
}

void call_threads_of_the_runtime(void)
{
    HANDLE thread;
    LONG64 wide = draw(UINT32_MAX);

    if (!one_in(8)) /* threads take long */
        return;
    if (one_in(2))
        InitializeCriticalSection(&section);
    else
        (void)InitializeCriticalSectionAndSpinCount(&section, draw(UINT32_MAX));
    EnterCriticalSection(&section);
    thread = (HANDLE)_beginthreadex(NULL, one_in(2) ? 0 : draw(UINT32_MAX), enter_once, NULL,
                                    one_in(4) ? draw(8) : 0, NULL);
    if (TryEnterCriticalSection(&section))
        LeaveCriticalSection(&section);
    LeaveCriticalSection(&section);
    if (thread != NULL) {
        (void)WaitForSingleObject(thread, INFINITE);
        (void)CloseHandle(thread);
    }
    (void)InterlockedCompareExchange(&entered, 0, (LONG)draw(4));
    DeleteCriticalSection(&section);
    (void)_beginthread(wait_once, 0, one_in(2) ? some_event() : NULL);
    if (InterlockedIncrement64(&wide) != InterlockedExchangeAdd64(&wide, -1) ||
        InterlockedDecrement64(&wide) < -1)
        abort();
}

void call_system(void)
{
    LARGE_INTEGER a, b;
    SYSTEM_INFO system;

    (void)FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | (some_flags() & ~(DWORD)FORMAT_MESSAGE_ALLOCATE_BUFFER),
                         NULL, 9990 + draw(1100), draw(UINT32_MAX), one_in(8) ? NULL : room, draw(60), NULL);
    (void)QueryPerformanceFrequency(&a);
    (void)QueryPerformanceCounter(&a);
    (void)QueryPerformanceCounter(&b);
    GetSystemInfo(&system);
    if (b.QuadPart < a.QuadPart || system.dwNumberOfProcessors == 0 || GetCurrentProcess() == NULL)
        abort();
}
