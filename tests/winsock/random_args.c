/* random_args.c - every call with any combination of arguments that a program may get wrong: sockets in all states, closed ones and numbers that
 * never were any, NULL, lengths of all kinds, unknown codes. Nothing crashes or hangs; what is answered is other tests' affair.
 * usage: winsock_random HOST [MILLISECONDS]. The seed is printed; WSD_TEST_SEED repeats one.
 * Not tried: pointers to memory that is not there, lengths beyond the memory. Windows finds the first out in its kernel; neither
 * is a question of arguments. Everything is non-blocking and overlapped, so that no call waits for what never comes. */
#include "random.h"

static uint64_t seed;
static const char *program;
static SOCKADDR_IN here; /* with a port where somebody listens */
static SOCKET sockets[SOCKETS];
HANDLE events[EVENTS], port;
struct operation operations[OPERATIONS];
char room[ROOM];

uint32_t draw(uint32_t below)
{
    uint64_t x = seed += 0x9E3779B97F4A7C15u; /* splitmix64 */

    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)(((x ^ x >> 31) >> 32) * below >> 32);
}

bool one_in(uint32_t n)
{
    return draw(n) == 0;
}

/* --- arguments --- */

SOCKET some_socket(void)
{
    switch (draw(20)) {
    case 0: return 0;
    case 1: return INVALID_SOCKET;
    case 2: return (SOCKET)draw(UINT32_MAX);
    case 3: return (SOCKET)(uintptr_t)events[draw(EVENTS)];          /* a handle, but of something else */
    case 4: return sockets[draw(SOCKETS)] ^ ((SOCKET)8 << draw(24)); /* nearly one */
    default: return sockets[draw(SOCKETS)];
    }
}

HANDLE some_event(void)
{
    return one_in(8) ? (HANDLE)(uintptr_t)some_socket() : events[draw(EVENTS)];
}

HANDLE some_port(void)
{
    return one_in(8) ? some_event() : port;
}

void *some_memory(void *memory, int *bytes)
{
    static const int lengths[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 28, 32, 100, 128, 1000, ROOM};

    *bytes = lengths[draw(sizeof(lengths) / sizeof(lengths[0]))];
    if (!one_in(10))
        return memory;
    *bytes = one_in(2) ? *bytes : (int)draw(UINT32_MAX);
    return NULL;
}

/* Now and then none that is one. */
static int a_length(int bytes)
{
    return one_in(30) ? -(int)draw(5) - 1 : one_in(60) ? INT32_MIN : bytes;
}

const struct sockaddr *some_address(int *bytes)
{
    static SOCKADDR_IN copy;

    copy = here;
    *bytes = sizeof(copy);
    switch (draw(12)) {
    case 0: copy.sin_family = (u_short)draw(40); break;
    case 1: copy.sin_port = 0; break;
    case 2: copy.sin_addr.s_addr = 0; break;
    case 3: *bytes = (int)draw(sizeof(copy) + 1); break;
    case 4: *bytes = -(int)draw(100); break;
    case 5: return NULL;
    default: break;
    }
    return (const struct sockaddr *)(const void *)&copy;
}

/* One that is not under way; NULL: none was found, or none is wanted. */
static struct operation *some_operation(void)
{
    struct operation *o = &operations[draw(OPERATIONS)];

    if (!HasOverlappedIoCompleted(&o->ov) || one_in(6))
        return NULL;
    memset(&o->ov, 0, sizeof(o->ov));
    if (one_in(4))
        o->ov.hEvent = (HANDLE)((uintptr_t)some_event() | draw(2));
    return o;
}

static LPWSAOVERLAPPED overlapped_of(struct operation *o)
{
    return o != NULL ? &o->ov : NULL;
}

static void CALLBACK routine(DWORD error, DWORD bytes, LPWSAOVERLAPPED ov, DWORD flags)
{
    (void)error;
    (void)bytes;
    (void)ov;
    (void)flags;
}

static LPWSAOVERLAPPED_COMPLETION_ROUTINE some_routine(void)
{
    return one_in(3) ? routine : NULL;
}

DWORD some_flags(void)
{
    return one_in(3) ? (one_in(2) ? 1u << draw(32) : draw(UINT32_MAX)) : 0;
}

/* --- sockets come and go --- */

static void make_nonblocking(SOCKET s)
{
    u_long on = 1;

    (void)ioctlsocket(s, (LONG)FIONBIO, &on);
}

void put_socket(SOCKET s)
{
    unsigned at = draw(SOCKETS);
    struct linger hard = {1, 0}; /* no port stays at rest */

    if (s == INVALID_SOCKET)
        return;
    make_nonblocking(s);
    (void)setsockopt(sockets[at], SOL_SOCKET, SO_LINGER, (const char *)&hard, sizeof(hard));
    (void)closesocket(sockets[at]);
    sockets[at] = s;
}

static void call_socket(void)
{
    static const int families[] = {AF_INET, AF_INET, AF_INET, AF_UNSPEC, AF_INET6, 77, -1};

    put_socket(socket(families[draw(7)], one_in(8) ? (int)draw(9) - 2 : SOCK_STREAM,
                      one_in(4) ? (int)draw(40) - 2 : IPPROTO_TCP));
}

static void call_WSASocketW(void)
{
    WSAPROTOCOL_INFOW info;

    memset(&info, (int)draw(256), sizeof(info));
    info.dwProviderReserved = one_in(2) ? draw(UINT32_MAX) : 0;
    put_socket(WSASocketW(one_in(2) ? AF_INET : FROM_PROTOCOL_INFO,
                          one_in(2) ? SOCK_STREAM : FROM_PROTOCOL_INFO,
                          one_in(2) ? IPPROTO_TCP : FROM_PROTOCOL_INFO, one_in(3) ? &info : NULL, draw(3),
                          (one_in(4) ? some_flags() : 0) | WSA_FLAG_OVERLAPPED));
}

static void call_closesocket(void)
{
    if (one_in(4))
        (void)closesocket(some_socket());
}

static void call_WSADuplicateSocketW(void)
{
    WSAPROTOCOL_INFOW info;
    SOCKET copy;

    if (WSADuplicateSocketW(some_socket(), one_in(4) ? draw(UINT32_MAX) : GetCurrentProcessId(),
                            one_in(6) ? NULL : &info) != 0)
        return;
    if (one_in(4)) /* a record that somebody has changed, or that is taken twice */
        ((unsigned char *)&info)[draw(sizeof(info))] ^= (unsigned char)(1u << draw(8));
    copy = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                      WSA_FLAG_OVERLAPPED);
    if (one_in(4))
        put_socket(WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                              WSA_FLAG_OVERLAPPED));
    put_socket(copy);
}

static void call_accept(void)
{
    int bytes = (int)draw(130);

    put_socket(accept(some_socket(), one_in(3) ? NULL : (void *)room, one_in(3) ? NULL : &bytes));
}

static int CALLBACK condition(LPWSABUF caller, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos, LPWSABUF callee,
                              LPWSABUF callee_data, GROUP *group, DWORD_PTR data)
{
    (void)caller;
    (void)caller_data;
    (void)sqos;
    (void)gqos;
    (void)callee;
    (void)callee_data;
    (void)group;
    return (int)(data % 5) - 1; /* CF_ACCEPT, CF_REJECT, CF_DEFER, and what is none of them */
}

static void call_WSAAccept(void)
{
    int bytes = (int)draw(130);

    put_socket(WSAAccept(some_socket(), one_in(3) ? NULL : (void *)room, one_in(3) ? NULL : &bytes,
                         one_in(3) ? NULL : condition, draw(100)));
}

/* --- the others, one function for each call --- */

static void call_bind(void)
{
    int bytes;
    const struct sockaddr *name = some_address(&bytes);

    (void)bind(some_socket(), name, bytes);
}

static void call_connect(void)
{
    int bytes;
    const struct sockaddr *name = some_address(&bytes);
    SOCKET s = some_socket();

    make_nonblocking(s);
    (void)connect(s, name, bytes);
}

static void call_WSAConnect(void)
{
    int bytes;
    const struct sockaddr *name = some_address(&bytes);
    WSABUF caller = {draw(100), room}, callee = {draw(100), room};
    SOCKET s = some_socket();

    make_nonblocking(s);
    (void)WSAConnect(s, name, bytes, one_in(3) ? &caller : NULL, one_in(3) ? &callee : NULL, NULL, NULL);
}

static void call_listen(void)
{
    (void)listen(some_socket(), (int)draw(UINT32_MAX));
}

static void call_shutdown(void)
{
    (void)shutdown(some_socket(), (int)draw(5) - 1);
    if (one_in(3))
        (void)WSASendDisconnect(some_socket(), NULL);
    if (one_in(3))
        (void)WSARecvDisconnect(some_socket(), NULL);
}

static void call_names(void)
{
    int bytes;
    void *memory = some_memory(room, &bytes);

    bytes = a_length(bytes);
    if (one_in(2))
        (void)getsockname(some_socket(), memory, one_in(6) ? NULL : &bytes);
    else
        (void)getpeername(some_socket(), memory, one_in(6) ? NULL : &bytes);
}

static const int levels[] = {SOL_SOCKET, SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, 41, 0xDEAD};

static int some_option(void)
{
    static const int names[] = {SO_DEBUG,
                                SO_REUSEADDR,
                                SO_KEEPALIVE,
                                SO_LINGER,
                                SO_OOBINLINE,
                                SO_SNDBUF,
                                SO_RCVBUF,
                                SO_RCVTIMEO,
                                SO_ERROR,
                                SO_TYPE,
                                TCP_NODELAY,
                                SO_DONTLINGER,
                                SO_PROTOCOL_INFOW,
                                SO_CONNECT_TIME,
                                SO_UPDATE_ACCEPT_CONTEXT,
                                SO_CONDITIONAL_ACCEPT};

    return one_in(3) ? (int)draw(0x7020) : names[draw(sizeof(names) / sizeof(names[0]))];
}

static void call_getsockopt(void)
{
    int bytes;
    void *memory = some_memory(room, &bytes);

    bytes = a_length(bytes);
    (void)getsockopt(some_socket(), levels[draw(6)], some_option(), memory, one_in(8) ? NULL : &bytes);
}

static void call_setsockopt(void)
{
    static char value[ROOM];
    int bytes;
    const char *memory = some_memory(value, &bytes);

    memset(value, 0, 8);
    value[0] = (char)draw(3); /* times and sizes stay small: nothing here may take long */
    bytes = a_length(bytes);
    (void)setsockopt(some_socket(), levels[draw(6)], some_option(), memory, bytes);
}

static DWORD some_code(void)
{
    static const DWORD codes[] = {FIONREAD,
                                  SIOCATMARK,
                                  SIO_GET_EXTENSION_FUNCTION_POINTER,
                                  SIO_ADDRESS_LIST_QUERY,
                                  SIO_ROUTING_INTERFACE_QUERY,
                                  SIO_KEEPALIVE_VALS,
                                  0x4004747Bu,
                                  SIO_FLUSH};
    DWORD code = one_in(3) ? draw(UINT32_MAX) : codes[draw(sizeof(codes) / sizeof(codes[0]))];

    return code == FIONBIO ? FIONREAD : code; /* everything stays non-blocking */
}

static void call_WSAIoctl(void)
{
    struct operation *o = one_in(3) ? some_operation() : NULL;
    int in_bytes, out_bytes;
    DWORD returned;
    void *in = some_memory(o != NULL ? o->data : room, &in_bytes);
    void *out = some_memory(o != NULL ? o->data : room, &out_bytes);

    (void)WSAIoctl(some_socket(), some_code(), in, (DWORD)in_bytes, out, (DWORD)out_bytes,
                   one_in(6) ? NULL : &returned, overlapped_of(o), o != NULL ? some_routine() : NULL);
    if (one_in(3))
        (void)ioctlsocket(some_socket(), (LONG)some_code(), one_in(6) ? NULL : (u_long *)(void *)room);
}

static void call_send(void)
{
    int bytes, to_bytes;
    const char *memory = some_memory(room, &bytes);
    const struct sockaddr *to = some_address(&to_bytes);

    bytes = a_length(bytes);
    if (one_in(2))
        (void)send(some_socket(), memory, bytes, (int)some_flags());
    else
        (void)sendto(some_socket(), memory, bytes, (int)some_flags(), to, to_bytes);
}

static void call_recv(void)
{
    int bytes, from_bytes = (int)draw(130);
    char *memory = some_memory(room, &bytes);
    static char from[130];

    bytes = a_length(bytes);
    if (one_in(2))
        (void)recv(some_socket(), memory, bytes, (int)some_flags());
    else
        (void)recvfrom(some_socket(), memory, bytes, (int)some_flags(), one_in(3) ? NULL : (void *)from,
                       one_in(3) ? NULL : &from_bytes);
}

static DWORD some_buffers(char *memory, WSABUF buffers[16])
{
    for (unsigned i = 0; i < 16; i++) {
        buffers[i].len = draw(ROOM / 16 + 1);
        buffers[i].buf = one_in(60) ? NULL : memory + i * (ROOM / 16);
    }
    return draw(17);
}

static void call_WSASend(void)
{
    struct operation *o = some_operation();
    WSABUF buffers[16];
    DWORD count = some_buffers(o != NULL ? o->data : room, buffers), sent;
    int to_bytes;
    const struct sockaddr *to = some_address(&to_bytes);

    if (one_in(2))
        (void)WSASend(some_socket(), one_in(12) ? NULL : buffers, count, one_in(3) ? NULL : &sent,
                      some_flags(), overlapped_of(o), some_routine());
    else
        (void)WSASendTo(some_socket(), one_in(12) ? NULL : buffers, count, one_in(3) ? NULL : &sent,
                        some_flags(), to, to_bytes, overlapped_of(o), some_routine());
}

static void call_WSARecv(void)
{
    static struct sockaddr_storage from[OPERATIONS + 1];
    static int from_bytes[OPERATIONS + 1];
    struct operation *o = some_operation();
    unsigned at = o != NULL ? (unsigned)(o - operations) : OPERATIONS;
    WSABUF buffers[16];
    DWORD count = some_buffers(o != NULL ? o->data : room, buffers), got, flags = some_flags();

    from_bytes[at] = (int)draw(130);
    if (one_in(2))
        (void)WSARecv(some_socket(), one_in(12) ? NULL : buffers, count, one_in(3) ? NULL : &got,
                      one_in(12) ? NULL : &flags, overlapped_of(o), some_routine());
    else
        (void)WSARecvFrom(some_socket(), one_in(12) ? NULL : buffers, count, one_in(3) ? NULL : &got,
                          one_in(12) ? NULL : &flags, one_in(3) ? NULL : (void *)&from[at],
                          one_in(3) ? NULL : &from_bytes[at], overlapped_of(o), some_routine());
}

static void call_files(void)
{
    struct operation *o = some_operation();
    char *memory = o == NULL ? room : one_in(12) ? NULL : o->data;
    DWORD moved;

    if (o == NULL)
        return; /* without one they wait, by definition */
    if (one_in(2))
        (void)ReadFile((HANDLE)(uintptr_t)some_socket(), memory, draw(ROOM), one_in(3) ? NULL : &moved,
                       &o->ov);
    else
        (void)WriteFile((HANDLE)(uintptr_t)some_socket(), memory, draw(ROOM), one_in(3) ? NULL : &moved,
                        &o->ov);
}

static void call_results(void)
{
    struct operation *o = &operations[draw(OPERATIONS)];
    DWORD bytes, flags;

    if (one_in(2))
        (void)WSAGetOverlappedResult(some_socket(), one_in(8) ? NULL : &o->ov, one_in(8) ? NULL : &bytes,
                                     FALSE, one_in(8) ? NULL : &flags);
    else
        (void)GetOverlappedResult((HANDLE)(uintptr_t)some_socket(), one_in(8) ? NULL : &o->ov,
                                  one_in(8) ? NULL : &bytes, FALSE);
}

static void call_AcceptEx(void)
{
    struct operation *o = some_operation();
    DWORD received;

    (void)AcceptEx(some_socket(), some_socket(), o == NULL || one_in(12) ? NULL : o->data, draw(1000),
                   draw(60), draw(60), one_in(3) ? NULL : &received, overlapped_of(o));
    if (o != NULL && HasOverlappedIoCompleted(&o->ov)) {
        struct sockaddr *local, *remote;
        int local_bytes, remote_bytes;

        GetAcceptExSockaddrs(one_in(20) ? NULL : o->data, draw(1000), draw(60), draw(60), &local,
                             &local_bytes, &remote, &remote_bytes);
    }
}

static void call_extensions(void)
{
    static GUID connect_id = WSAID_CONNECTEX, disconnect_id = WSAID_DISCONNECTEX;
    static LPFN_CONNECTEX connect_ex;
    static LPFN_DISCONNECTEX disconnect_ex;
    struct operation *o = some_operation();
    DWORD bytes;
    int name_bytes;
    const struct sockaddr *name = some_address(&name_bytes);

    if (connect_ex == NULL)
        (void)WSAIoctl(sockets[0], SIO_GET_EXTENSION_FUNCTION_POINTER, &connect_id, sizeof(connect_id),
                       &connect_ex, sizeof(connect_ex), &bytes, NULL, NULL);
    if (disconnect_ex == NULL)
        (void)WSAIoctl(sockets[0], SIO_GET_EXTENSION_FUNCTION_POINTER, &disconnect_id, sizeof(disconnect_id),
                       &disconnect_ex, sizeof(disconnect_ex), &bytes, NULL, NULL);
    if (one_in(2) && connect_ex != NULL)
        (void)connect_ex(some_socket(), name, name_bytes, o != NULL && !one_in(12) ? o->data : NULL,
                         o != NULL ? draw(2) * 100 : 0, one_in(3) ? NULL : &bytes, overlapped_of(o));
    else if (disconnect_ex != NULL)
        (void)disconnect_ex(some_socket(), overlapped_of(o), one_in(2) ? 0 : draw(5), one_in(8) ? 1 : 0);
}

static void call_TransmitFile(void)
{
    static HANDLE file = INVALID_HANDLE_VALUE; /* in use by operations until the end */
    struct operation *o = some_operation();
    TRANSMIT_FILE_BUFFERS around;

    if (file == INVALID_HANDLE_VALUE)
        file = CreateFileA(program, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (o == NULL)
        return; /* it would wait for room */
    around.Head = one_in(10) ? NULL : o->data;
    around.Tail = one_in(10) ? NULL : o->data + 100;
    around.HeadLength = draw(100);
    around.TailLength = draw(100);
    o->ov.Offset = one_in(3) ? draw(UINT32_MAX) : 0;
    (void)TransmitFile(some_socket(),
                       one_in(3)   ? some_event()
                       : one_in(3) ? NULL
                                   : file,
                       draw(20000), draw(100), &o->ov, one_in(3) ? NULL : &around,
                       one_in(3) ? some_flags() : 0);
}

static void call_select(void)
{
    struct timeval time = {0, (LONG)draw(1000)};
    fd_set sets[3];

    for (unsigned i = 0; i < 3; i++) {
        FD_ZERO(&sets[i]);
        for (unsigned n = draw(5); n > 0; n--)
            FD_SET(one_in(10) ? some_socket() : sockets[draw(SOCKETS)], &sets[i]);
        if (one_in(4))
            FD_CLR(some_socket(), &sets[i]);
    }
    if (one_in(10))
        time.tv_sec = -(LONG)draw(100) - 1;
    (void)select((int)draw(100), one_in(3) ? NULL : &sets[0], one_in(3) ? NULL : &sets[1],
                 one_in(3) ? NULL : &sets[2], &time);
    (void)FD_ISSET(some_socket(), one_in(10) ? NULL : &sets[draw(3)]);
}

static void call_WSAPoll(void)
{
    WSAPOLLFD fds[100];
    ULONG count = one_in(4) ? draw(101) : draw(4);

    for (ULONG i = 0; i < count; i++)
        fds[i] = (WSAPOLLFD){some_socket(), (SHORT)draw(0x10000), 0};
    (void)WSAPoll(one_in(10) ? NULL : fds, count, (INT)draw(2));
}

static void (*const calls[])(void) = {
    call_socket,
    call_WSASocketW,
    call_closesocket,
    call_WSADuplicateSocketW,
    call_accept,
    call_WSAAccept,
    call_bind,
    call_connect,
    call_WSAConnect,
    call_listen,
    call_shutdown,
    call_names,
    call_getsockopt,
    call_setsockopt,
    call_WSAIoctl,
    call_send,
    call_recv,
    call_WSASend,
    call_WSARecv,
    call_files,
    call_results,
    call_AcceptEx,
    call_extensions,
    call_TransmitFile,
    call_select,
    call_WSAPoll,
    call_events,
    call_ports,
    call_threads,
    call_text,
    call_wide_text,
    call_names_of_hosts,
    call_catalog,
    call_startup,
    call_trifles,
    call_catalog_in_bytes,
    call_order_and_groups,
    call_names_of_services,
    call_wide_names,
    call_memory,
    call_threads_of_the_runtime,
    call_system,
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* --- the program --- */

static SOCKET make_listener(void)
{
    SOCKET s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    int bytes = sizeof(here);

    if (s == INVALID_SOCKET || bind(s, (struct sockaddr *)(void *)&here, sizeof(here)) != 0 ||
        listen(s, 100) != 0 || getsockname(s, (struct sockaddr *)(void *)&here, &bytes) != 0) {
        fprintf(stderr, "no listener: %d\n", WSAGetLastError());
        exit(1);
    }
    return s;
}

static DWORD WINAPI watchdog(LPVOID is_over)
{
    if (WaitForSingleObject(is_over, 60000) != WAIT_TIMEOUT)
        return 0;
    fprintf(stderr, "the watchdog struck: a call hangs\n");
    abort();
}

int main(int argc, char **argv)
{
    const char *wanted = getenv("WSD_TEST_SEED");
    ULONGLONG end;
    unsigned long made = 0;
    HANDLE is_over, guard;
    WSADATA data;
    SOCKET listener;

    if (argc < 2 || WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return 2;
    seed = wanted != NULL ? strtoull(wanted, NULL, 0)
                          : GetTickCount64() * 2654435761u + GetCurrentProcessId();
    printf("seed %#llx\n", (unsigned long long)seed);
    fflush(stdout);
    program = argv[0];
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = inet_addr(argv[1]);
    listener = make_listener();
    is_over = CreateEventA(NULL, TRUE, FALSE, NULL);
    guard = CreateThread(NULL, 0, watchdog, is_over, 0, NULL);
    for (unsigned i = 0; i < EVENTS; i++)
        events[i] = CreateEventA(NULL, (BOOL)(i & 1), FALSE, NULL);
    port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    for (unsigned i = 0; i < SOCKETS; i++)
        sockets[i] = INVALID_SOCKET;
    end = GetTickCount64() + (argc > 2 ? strtoull(argv[2], NULL, 0) : 2000);
    for (; GetTickCount64() < end; made++) {
        calls[draw(CALLS)]();
        make_nonblocking(listener);
        if (made % 16 == 0)
            put_socket(accept(listener, NULL, NULL));
    }
    for (unsigned i = 0; i < SOCKETS; i++)
        (void)closesocket(sockets[i]);
    (void)closesocket(listener);
    while (SleepEx(0, TRUE) == WAIT_IO_COMPLETION) {
    } /* WSACleanup is patient with routines that have not run */
    if (WSACleanup() != 0)
        return 1;
    SetEvent(is_over);
    WaitForSingleObject(guard, INFINITE);
    printf("%lu calls\n", made);
    ExitProcess(0);
}
