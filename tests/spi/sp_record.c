/* sp_record.c - which function of the thirty has answered which code, in this process: a procedure table between the tests and the
 * switch that only writes down. documented.c compares it with what contract 10.1 lists. */
#include "sp.h"

#include "sp_record.h"

#define CODES_MAX 64u

static const WSPPROC_TABLE *real;
static pal_atomic_u32 codes[SP_FUNCTIONS][CODES_MAX]; /* the codes seen, 0 behind the last */

static void note(unsigned function, bool has_failed, const INT *error)
{
    uint32_t code = has_failed && error != NULL ? (uint32_t)*error : 0;

    for (unsigned i = 0; code != 0 && i < CODES_MAX; i++) {
        uint32_t seen = 0;

        if (pal_cas_acq_rel(&codes[function][i], &seen, code) || seen == code)
            return;
    }
}

bool sp_has_answered(unsigned function, int code)
{
    for (unsigned i = 0; i < CODES_MAX; i++)
        if (pal_load_acquire(&codes[function][i]) == (uint32_t)code)
            return true;
    return false;
}

/* --- the thirty, in the order of the table --- */

static SOCKET WSPAPI accept_(SOCKET s, WSD_SOCKADDR *addr, LPINT bytes, LPCONDITIONPROC condition,
                             DWORD_PTR data, LPINT error)
{
    SOCKET result = real->lpWSPAccept(s, addr, bytes, condition, data, error);

    note(0, result == INVALID_SOCKET, error);
    return result;
}

static INT WSPAPI address_to_string_(WSD_SOCKADDR *address, DWORD bytes, LPWSAPROTOCOL_INFOW info,
                                     LPWSTR text, LPDWORD length, LPINT error)
{
    INT result = real->lpWSPAddressToString(address, bytes, info, text, length, error);

    note(1, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI async_select_(SOCKET s, HWND window, UINT message, LONG events, LPINT error)
{
    int result = real->lpWSPAsyncSelect(s, window, message, events, error);

    note(2, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI bind_(SOCKET s, const WSD_SOCKADDR *name, int bytes, LPINT error)
{
    int result = real->lpWSPBind(s, name, bytes, error);

    note(3, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI cancel_blocking_call_(LPINT error)
{
    int result = real->lpWSPCancelBlockingCall(error);

    note(4, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI cleanup_(LPINT error)
{
    int result = real->lpWSPCleanup(error);

    note(5, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI close_socket_(SOCKET s, LPINT error)
{
    int result = real->lpWSPCloseSocket(s, error);

    note(6, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI connect_(SOCKET s, const WSD_SOCKADDR *name, int bytes, LPWSABUF caller, LPWSABUF callee,
                           LPQOS sqos, LPQOS gqos, LPINT error)
{
    int result = real->lpWSPConnect(s, name, bytes, caller, callee, sqos, gqos, error);

    note(7, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI duplicate_socket_(SOCKET s, DWORD process, LPWSAPROTOCOL_INFOW info, LPINT error)
{
    int result = real->lpWSPDuplicateSocket(s, process, info, error);

    note(8, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI enum_network_events_(SOCKET s, WSAEVENT event, LPWSANETWORKEVENTS record, LPINT error)
{
    int result = real->lpWSPEnumNetworkEvents(s, event, record, error);

    note(9, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI event_select_(SOCKET s, WSAEVENT event, LONG events, LPINT error)
{
    int result = real->lpWSPEventSelect(s, event, events, error);

    note(10, result == SOCKET_ERROR, error);
    return result;
}

static BOOL WSPAPI get_overlapped_result_(SOCKET s, LPWSAOVERLAPPED ov, LPDWORD done, BOOL wait,
                                          LPDWORD flags, LPINT error)
{
    BOOL result = real->lpWSPGetOverlappedResult(s, ov, done, wait, flags, error);

    note(11, result == FALSE, error);
    return result;
}

static int WSPAPI get_peer_name_(SOCKET s, WSD_SOCKADDR *name, LPINT bytes, LPINT error)
{
    int result = real->lpWSPGetPeerName(s, name, bytes, error);

    note(12, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI get_sock_name_(SOCKET s, WSD_SOCKADDR *name, LPINT bytes, LPINT error)
{
    int result = real->lpWSPGetSockName(s, name, bytes, error);

    note(13, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI get_sock_opt_(SOCKET s, int level, int option, char *value, LPINT bytes, LPINT error)
{
    int result = real->lpWSPGetSockOpt(s, level, option, value, bytes, error);

    note(14, result == SOCKET_ERROR, error);
    return result;
}

static BOOL WSPAPI get_qos_by_name_(SOCKET s, LPWSABUF template_name, LPQOS qos, LPINT error)
{
    BOOL result = real->lpWSPGetQOSByName(s, template_name, qos, error);

    note(15, result == FALSE, error);
    return result;
}

static int WSPAPI ioctl_(SOCKET s, DWORD code, LPVOID in, DWORD in_bytes, LPVOID out, DWORD out_bytes,
                         LPDWORD returned, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                         LPWSATHREADID thread, LPINT error)
{
    int result = real->lpWSPIoctl(s, code, in, in_bytes, out, out_bytes, returned, ov, routine, thread,
                                  error);

    note(16, result == SOCKET_ERROR, error);
    return result;
}

static SOCKET WSPAPI join_leaf_(SOCKET s, const WSD_SOCKADDR *name, int bytes, LPWSABUF caller,
                                LPWSABUF callee, LPQOS sqos, LPQOS gqos, DWORD flags, LPINT error)
{
    SOCKET result = real->lpWSPJoinLeaf(s, name, bytes, caller, callee, sqos, gqos, flags, error);

    note(17, result == INVALID_SOCKET, error);
    return result;
}

static int WSPAPI listen_(SOCKET s, int backlog, LPINT error)
{
    int result = real->lpWSPListen(s, backlog, error);

    note(18, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI recv_(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags,
                        LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread,
                        LPINT error)
{
    int result = real->lpWSPRecv(s, buffers, count, got, flags, ov, routine, thread, error);

    note(19, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI recv_disconnect_(SOCKET s, LPWSABUF data, LPINT error)
{
    int result = real->lpWSPRecvDisconnect(s, data, error);

    note(20, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI recv_from_(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD got, LPDWORD flags,
                             WSD_SOCKADDR *from, LPINT from_bytes, LPWSAOVERLAPPED ov,
                             LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
    int result = real->lpWSPRecvFrom(s, buffers, count, got, flags, from, from_bytes, ov, routine, thread,
                                     error);

    note(21, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI select_(int nfds, WSD_FD_SET *readable, WSD_FD_SET *writable, WSD_FD_SET *except,
                          WSD_SELECT_TIMEOUT timeout, LPINT error)
{
    int result = real->lpWSPSelect(nfds, readable, writable, except, timeout, error);

    note(22, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI send_(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
                        LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread,
                        LPINT error)
{
    int result = real->lpWSPSend(s, buffers, count, sent, flags, ov, routine, thread, error);

    note(23, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI send_disconnect_(SOCKET s, LPWSABUF data, LPINT error)
{
    int result = real->lpWSPSendDisconnect(s, data, error);

    note(24, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI send_to_(SOCKET s, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
                           const WSD_SOCKADDR *to, int to_bytes, LPWSAOVERLAPPED ov,
                           LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
    int result = real->lpWSPSendTo(s, buffers, count, sent, flags, to, to_bytes, ov, routine, thread, error);

    note(25, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI set_sock_opt_(SOCKET s, int level, int option, const char *value, int bytes, LPINT error)
{
    int result = real->lpWSPSetSockOpt(s, level, option, value, bytes, error);

    note(26, result == SOCKET_ERROR, error);
    return result;
}

static int WSPAPI shutdown_(SOCKET s, int how, LPINT error)
{
    int result = real->lpWSPShutdown(s, how, error);

    note(27, result == SOCKET_ERROR, error);
    return result;
}

static SOCKET WSPAPI socket_(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags,
                             LPINT error)
{
    SOCKET result = real->lpWSPSocket(af, type, protocol, info, g, flags, error);

    note(28, result == INVALID_SOCKET, error);
    return result;
}

static INT WSPAPI string_to_address_(LPWSTR text, INT af, LPWSAPROTOCOL_INFOW info, WSD_SOCKADDR *address,
                                     LPINT bytes, LPINT error)
{
    INT result = real->lpWSPStringToAddress(text, af, info, address, bytes, error);

    note(29, result == SOCKET_ERROR, error);
    return result;
}

const WSPPROC_TABLE *sp_record(const WSPPROC_TABLE *procs)
{
    static const WSPPROC_TABLE recorders = {accept_,
                                            address_to_string_,
                                            async_select_,
                                            bind_,
                                            cancel_blocking_call_,
                                            cleanup_,
                                            close_socket_,
                                            connect_,
                                            duplicate_socket_,
                                            enum_network_events_,
                                            event_select_,
                                            get_overlapped_result_,
                                            get_peer_name_,
                                            get_sock_name_,
                                            get_sock_opt_,
                                            get_qos_by_name_,
                                            ioctl_,
                                            join_leaf_,
                                            listen_,
                                            recv_,
                                            recv_disconnect_,
                                            recv_from_,
                                            select_,
                                            send_,
                                            send_disconnect_,
                                            send_to_,
                                            set_sock_opt_,
                                            shutdown_,
                                            socket_,
                                            string_to_address_};

    real = procs;
    return &recorders;
}
