/* wsp_transfer.c - sends and receives of any kind, WSPRdmaWrite, WSPRdmaRead. Still the data path: no allocation, no log, no
 * system call of our own. Source: contract 4.10, 4.11, 6.6, section 7. */
#include "data/device.h"
#include "data/grant.h"
#include "data/xfer.h"
#include "spi/wsp.h"

/* 0 when the socket can carry data, else what a data call answers (8.12, Q14). A receive may still meet a
 * message that arrived before the connection died, so the channel decides for broken ones. */
static inline int data_state(const struct wsd_sock *s)
{
    switch (wsd_sock_state(s)) {
    case WSD_ST_CONNECTED:
    case WSD_ST_BROKEN: return 0;
    case WSD_ST_MOVED: return WSAEINVAL;
    default: return WSAENOTCONN;
    }
}

static inline int check_lists(const void *bufs, DWORD count, const WSAOVERLAPPED *ov,
                              LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    if (count > WSD_PIECES_MAX || routine) /* completion routines are never used at this edge (7.1) */
        return WSAEINVAL;
    if (!ov)
        return WSAEINVAL; /* every data call of the switch is overlapped */
    return count && !bufs ? WSAEFAULT : 0;
}

int WSPAPI wsp_send_any(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesSent,
                        DWORD dwFlags, LPWSAOVERLAPPED lpOverlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine, LPWSATHREADID lpThreadId,
                        LPINT lpErrno)
{
    (void)lpNumberOfBytesSent, (void)lpThreadId; /* not written when pending; thread ids are for routines */
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_started(lpErrno, WSAENOTSOCK);
    int error = data_state(sock);
    if (!error)
        error = dwFlags ? WSAEOPNOTSUPP
                        : check_lists(lpBuffers, dwBufferCount, lpOverlapped, lpCompletionRoutine);
    if (!error)
        error = wsd_xfer_send(sock->chan, lpBuffers, dwBufferCount, lpOverlapped);
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_started(lpErrno, error);
}

int WSPAPI wsp_recv_any(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesRecvd,
                        LPDWORD lpFlags, LPWSAOVERLAPPED lpOverlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine, LPWSATHREADID lpThreadId,
                        LPINT lpErrno)
{
    (void)lpNumberOfBytesRecvd, (void)lpThreadId;
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_started(lpErrno, WSAENOTSOCK);
    int error = data_state(sock);
    if (!error)
        error = lpFlags && *lpFlags
                    ? WSAEOPNOTSUPP
                    : check_lists(lpBuffers, dwBufferCount, lpOverlapped, lpCompletionRoutine);
    if (!error)
        error = wsd_xfer_recv(sock->chan, lpBuffers, dwBufferCount, lpOverlapped);
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_started(lpErrno, error);
}

static int rdma(SOCKET s, enum wsd_op_kind kind, const WSABUFEX *bufs, DWORD count, const void *descriptor,
                DWORD length, DWORD offset, DWORD flags, WSAOVERLAPPED *ov,
                LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, INT *lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_started(lpErrno, WSAENOTSOCK);
    struct wsd_descriptor target;
    int error = data_state(sock);
    if (!error)
        error = flags ? WSAEINVAL : check_lists(bufs, count, ov, routine); /* Q8 */
    if (!error && !descriptor)
        error = WSAEFAULT;
    if (!error && !wsd_descriptor_decode(descriptor, length, &target))
        error = WSAEINVAL;
    if (!error)
        error = wsd_xfer_rdma(sock->chan, kind, bufs, count, &target, offset, ov,
                              wsd_device_max_rdma(sock->chan->dev));
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_started(lpErrno, error);
}

int WSPAPI WSPRdmaWrite(SOCKET s, LPWSABUFEX lpBuffers, DWORD dwBufferCount, LPVOID lpTargetBufferDescriptor,
                        DWORD dwTargetDescriptorLength, DWORD dwTargetBufferOffset,
                        LPDWORD lpdwNumberOfBytesWritten, DWORD dwFlags, LPWSAOVERLAPPED lpOverlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine, LPWSATHREADID lpThreadId,
                        LPINT lpErrno)
{
    (void)lpdwNumberOfBytesWritten, (void)lpThreadId;
    return rdma(s, WSD_OP_WRITE, lpBuffers, dwBufferCount, lpTargetBufferDescriptor, dwTargetDescriptorLength,
                dwTargetBufferOffset, dwFlags, lpOverlapped, lpCompletionRoutine, lpErrno);
}

int WSPAPI WSPRdmaRead(SOCKET s, LPWSABUFEX lpBuffers, DWORD dwBufferCount, LPVOID lpTargetBufferDescriptor,
                       DWORD dwTargetDescriptorLength, DWORD dwTargetBufferOffset,
                       LPDWORD lpdwNumberOfBytesRead, DWORD dwFlags, LPWSAOVERLAPPED lpOverlapped,
                       LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine, LPWSATHREADID lpThreadId,
                       LPINT lpErrno)
{
    (void)lpdwNumberOfBytesRead, (void)lpThreadId;
    return rdma(s, WSD_OP_READ, lpBuffers, dwBufferCount, lpTargetBufferDescriptor, dwTargetDescriptorLength,
                dwTargetBufferOffset, dwFlags, lpOverlapped, lpCompletionRoutine, lpErrno);
}
