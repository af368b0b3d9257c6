/* socket.c - sockets: made, named, connected, half closed, closed; options and control codes. Ws2_32's own part is small: it finds the
 * catalog entry, and hands everything else to the switch, which checks handles first and then arguments. */
#include "app/app.h"

/* --- making --- */

/* The first entry that fits; zeros fit everything, but something has to name the family (B014). NULL: none, and the switch says which
 * argument is to blame (B016, B017). */
static const WSAPROTOCOL_INFOW *find_entry(int af, int type, int protocol)
{
    const struct ws2_provider *p = ws2_running();

    if (p == NULL || (af == WS_AF_UNSPEC && protocol == 0))
        return NULL;
    for (int i = 0; i < WS2_PROTOCOL_COUNT; i++) {
        const WSAPROTOCOL_INFOW *entry = ws2_protocol_info(p, (enum ws2_protocol)i);

        if ((af == WS_AF_UNSPEC || af == entry->iAddressFamily) &&
            (type == 0 || type == entry->iSocketType) &&
            (protocol == 0 || protocol == entry->iProtocol || entry->iSocketType == WS_SOCK_RAW))
            return entry;
    }
    return NULL;
}

SOCKET WSAAPI WSASocketW(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags)
{
    const WSPPROC_TABLE *down = ws2_down();
    const WSAPROTOCOL_INFOW *entry;
    WSAPROTOCOL_INFOW copy;
    INT code = 0;
    SOCKET s;

    if (down == NULL)
        return INVALID_SOCKET;
    entry = info != NULL ? info : find_entry(af, type, protocol);
    if (entry != NULL)
        copy = *entry; /* the switch may write to it */
    s = down->lpWSPSocket(af, type, protocol, entry != NULL ? &copy : NULL, g, flags, &code);
    if (s == INVALID_SOCKET)
        sw_set_last_error(code);
    return s;
}

SOCKET WSAAPI socket(int af, int type, int protocol)
{
    return WSASocketW(af, type, protocol, NULL, 0, WSA_FLAG_OVERLAPPED); /* page of socket(): overlapped */
}

/* --- what differs in nothing but its arguments --- */

int WSAAPI closesocket(SOCKET s)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL ? SOCKET_ERROR : ws2_answer(down->lpWSPCloseSocket(s, &code), &code);
}

int WSAAPI shutdown(SOCKET s, int how)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL ? SOCKET_ERROR : ws2_answer(down->lpWSPShutdown(s, how, &code), &code);
}

int WSAAPI WSASendDisconnect(SOCKET s, LPWSABUF data)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL ? SOCKET_ERROR : ws2_answer(down->lpWSPSendDisconnect(s, data, &code), &code);
}

int WSAAPI WSARecvDisconnect(SOCKET s, LPWSABUF data)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL ? SOCKET_ERROR : ws2_answer(down->lpWSPRecvDisconnect(s, data, &code), &code);
}

int WSAAPI bind(SOCKET s, const struct sockaddr *name, int name_bytes)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL ? SOCKET_ERROR : ws2_answer(down->lpWSPBind(s, name, name_bytes, &code), &code);
}

int WSAAPI listen(SOCKET s, int backlog)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL ? SOCKET_ERROR : ws2_answer(down->lpWSPListen(s, backlog, &code), &code);
}

int WSAAPI getsockname(SOCKET s, struct sockaddr *name, int *name_bytes)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL ? SOCKET_ERROR
                        : ws2_answer(down->lpWSPGetSockName(s, name, name_bytes, &code), &code);
}

int WSAAPI getpeername(SOCKET s, struct sockaddr *name, int *name_bytes)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL ? SOCKET_ERROR
                        : ws2_answer(down->lpWSPGetPeerName(s, name, name_bytes, &code), &code);
}

int WSAAPI getsockopt(SOCKET s, int level, int option, char *value, int *value_bytes)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL
               ? SOCKET_ERROR
               : ws2_answer(down->lpWSPGetSockOpt(s, level, option, value, value_bytes, &code), &code);
}

int WSAAPI setsockopt(SOCKET s, int level, int option, const char *value, int value_bytes)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL
               ? SOCKET_ERROR
               : ws2_answer(down->lpWSPSetSockOpt(s, level, option, value, value_bytes, &code), &code);
}

/* --- connections --- */

SOCKET WSAAPI WSAAccept(SOCKET s, struct sockaddr *addr, LPINT addr_bytes, LPCONDITIONPROC condition,
                        DWORD_PTR data)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;
    SOCKET fresh;

    if (down == NULL)
        return INVALID_SOCKET;
    fresh = down->lpWSPAccept(s, addr, addr_bytes, condition, data, &code);
    if (fresh == INVALID_SOCKET)
        sw_set_last_error(code);
    return fresh;
}

SOCKET WSAAPI accept(SOCKET s, struct sockaddr *addr, int *addr_bytes)
{
    return WSAAccept(s, addr, addr_bytes, NULL, 0);
}

int WSAAPI WSAConnect(SOCKET s, const struct sockaddr *name, int name_bytes, LPWSABUF caller, LPWSABUF callee,
                      LPQOS sqos, LPQOS gqos)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL
               ? SOCKET_ERROR
               : ws2_answer(down->lpWSPConnect(s, name, name_bytes, caller, callee, sqos, gqos, &code),
                            &code);
}

int WSAAPI connect(SOCKET s, const struct sockaddr *name, int name_bytes)
{
    return WSAConnect(s, name, name_bytes, NULL, NULL, NULL, NULL);
}

/* --- control codes --- */

int WSAAPI WSAIoctl(SOCKET s, DWORD code, LPVOID in, DWORD in_bytes, LPVOID out, DWORD out_bytes,
                    LPDWORD returned, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    const WSPPROC_TABLE *down = ws2_down();
    WSATHREADID *thread = NULL;
    struct ws2_submission sub;
    INT error = 0;
    int result;

    if (down == NULL)
        return SOCKET_ERROR;
    if (routine != NULL && ov != NULL && (thread = ws2_this_thread()) == NULL)
        return ws2_fail(WSAENOBUFS);
    ws2_submission_begin(&sub, routine == NULL ? ov : NULL);
    result = down->lpWSPIoctl(s, code, in, in_bytes, out, out_bytes, returned, ov, routine, thread, &error);
    ws2_submission_end(&sub, result == 0);
    return ws2_answer(result, &error);
}

/* The command tells which way the argument goes: bit 31 in, bit 30 out (contract 3.9). */
int WSAAPI ioctlsocket(SOCKET s, LONG command, u_long *argument)
{
    DWORD code = (DWORD)command, returned = 0;
    bool goes_in = (code & IOC_IN) != 0, comes_out = (code & IOC_OUT) != 0;

    if (argument == NULL)
        return ws2_down() == NULL ? SOCKET_ERROR : ws2_fail_behind_handle(s, WSAEFAULT);
    return WSAIoctl(s, code, goes_in ? argument : NULL, goes_in ? sizeof(*argument) : 0,
                    comes_out ? argument : NULL, comes_out ? sizeof(*argument) : 0, &returned, NULL, NULL);
}

/* --- other processes, the catalog --- */

int WSAAPI WSADuplicateSocketW(SOCKET s, DWORD process, LPWSAPROTOCOL_INFOW info)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    return down == NULL ? SOCKET_ERROR
                        : ws2_answer(down->lpWSPDuplicateSocket(s, process, info, &code), &code);
}

static bool is_wanted(const int *protocols, const WSAPROTOCOL_INFOW *entry)
{
    if (protocols == NULL)
        return (entry->dwProviderFlags & PFL_HIDDEN) == 0;
    for (; *protocols != 0; protocols++)
        if (*protocols == entry->iProtocol)
            return (entry->dwProviderFlags & PFL_HIDDEN) == 0;
    return false;
}

int WSAAPI WSAEnumProtocolsW(LPINT protocols, LPWSAPROTOCOL_INFOW out, LPDWORD out_bytes)
{
    const struct ws2_provider *p = ws2_running();
    const WSAPROTOCOL_INFOW *entries[WS2_PROTOCOL_COUNT];
    unsigned count = 0;
    DWORD needed;

    if (p == NULL)
        return SOCKET_ERROR;
    if (out_bytes == NULL)
        return ws2_fail(WSAEFAULT);
    for (int i = 0; i < WS2_PROTOCOL_COUNT; i++) {
        entries[count] = ws2_protocol_info(p, (enum ws2_protocol)i);
        count += is_wanted(protocols, entries[count]) ? 1 : 0;
    }
    needed = (DWORD)(count * sizeof(*out));
    if (out == NULL || *out_bytes < needed) {
        *out_bytes = needed;
        return ws2_fail(WSAENOBUFS);
    }
    for (unsigned i = 0; i < count; i++)
        out[i] = *entries[i];
    return (int)count;
}

/* --- groups, quality of service: the switch says that there are none --- */

SOCKET WSAAPI WSAJoinLeaf(SOCKET s, const struct sockaddr *name, int name_bytes, LPWSABUF caller,
                          LPWSABUF callee, LPQOS sqos, LPQOS gqos, DWORD flags)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;
    SOCKET leaf;

    if (down == NULL)
        return INVALID_SOCKET;
    leaf = down->lpWSPJoinLeaf(s, name, name_bytes, caller, callee, sqos, gqos, flags, &code);
    if (leaf == INVALID_SOCKET)
        sw_set_last_error(code);
    return leaf;
}

BOOL WSAAPI WSAGetQOSByName(SOCKET s, LPWSABUF name, LPQOS qos)
{
    const WSPPROC_TABLE *down = ws2_down();
    INT code = 0;

    if (down == NULL)
        return FALSE;
    if (down->lpWSPGetQOSByName(s, name, qos, &code))
        return TRUE;
    sw_set_last_error(code);
    return FALSE;
}
