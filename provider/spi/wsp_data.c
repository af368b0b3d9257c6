/* wsp_data.c - WSPSend, WSPRecv, WSPRdmaWrite, WSPRdmaRead, WSPGetOverlappedResult. The data path: no
 * allocation, no log, no system call of our own. Source: contract 4.10 to 4.12, 6.6, section 7. */
#include "data/device.h"
#include "data/grant.h"
#include "data/xfer.h"
#include "spi/wsp.h"

#define SPIN_POLLS    2000 /* of an fWait caller before it sleeps */
#define WAIT_SLICE_MS 20u  /* bounds the cost of a wake-up that is missed */

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

static inline int started(INT *lpErrno, int error)
{
    if (lpErrno)
        *lpErrno = error ? error : WSA_IO_PENDING; /* also when it could finish at once (7.4) */
    return SOCKET_ERROR;
}

int WSPAPI WSPSend(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesSent,
                   DWORD dwFlags, LPWSAOVERLAPPED lpOverlapped,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine, LPWSATHREADID lpThreadId,
                   LPINT lpErrno)
{
    (void)lpNumberOfBytesSent, (void)lpThreadId; /* not written when pending; thread ids are for routines */
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return started(lpErrno, WSAENOTSOCK);
    int error = data_state(sock);
    if (!error)
        error = dwFlags ? WSAEOPNOTSUPP
                        : check_lists(lpBuffers, dwBufferCount, lpOverlapped, lpCompletionRoutine);
    if (!error)
        error = wsd_xfer_send(sock->chan, lpBuffers, dwBufferCount, lpOverlapped);
    wsd_sock_release(sock, WSD_REF_CALL);
    return started(lpErrno, error);
}

int WSPAPI WSPRecv(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesRecvd,
                   LPDWORD lpFlags, LPWSAOVERLAPPED lpOverlapped,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine, LPWSATHREADID lpThreadId,
                   LPINT lpErrno)
{
    (void)lpNumberOfBytesRecvd, (void)lpThreadId;
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return started(lpErrno, WSAENOTSOCK);
    int error = data_state(sock);
    if (!error)
        error = lpFlags && *lpFlags
                    ? WSAEOPNOTSUPP
                    : check_lists(lpBuffers, dwBufferCount, lpOverlapped, lpCompletionRoutine);
    if (!error)
        error = wsd_xfer_recv(sock->chan, lpBuffers, dwBufferCount, lpOverlapped);
    wsd_sock_release(sock, WSD_REF_CALL);
    return started(lpErrno, error);
}

static int rdma(SOCKET s, enum wsd_op_kind kind, const WSABUFEX *bufs, DWORD count, const void *descriptor,
                DWORD length, DWORD offset, DWORD flags, WSAOVERLAPPED *ov,
                LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, INT *lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return started(lpErrno, WSAENOTSOCK);
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
    return started(lpErrno, error);
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

/* ---- results ------------------------------------------------------------------------------------------- */

static inline bool finished(WSAOVERLAPPED *ov)
{
    /* acquire: the count and the error were written before */
    return __atomic_load_n(&ov->Internal, __ATOMIC_ACQUIRE) != (ULONG_PTR)WSS_OPERATION_IN_PROGRESS;
}

static bool finished_arg(void *ov)
{
    return finished(ov);
}

static inline void progress(struct wsd_shard *shard)
{
    wsd_shard_harvest(shard, false);
    if (wsd_shard_has_ready(shard))
        wsd_shard_kick(shard); /* a poller runs nobody's upcalls (W13, W14): the sleeper does */
}

/* fWait: spin a little, then let the sleeper of the shard make progress and wait for its word (C17: hEvent
 * is of no use here). */
static void wait_finished(struct wsd_shard *shard, WSAOVERLAPPED *ov)
{
    for (int i = 0; i < SPIN_POLLS && !finished(ov); i++)
        progress(shard);
    if (finished(ov))
        return;
    wsd_shard_expect(shard);
    while (!finished(ov)) {
        wsd_shard_wait(shard, finished_arg, ov, WAIT_SLICE_MS);
        if (!finished(ov))
            progress(shard);
    }
    wsd_shard_expected_one(shard);
}

BOOL WSPAPI WSPGetOverlappedResult(SOCKET s, LPWSAOVERLAPPED lpOverlapped, LPDWORD lpcbTransfer, BOOL fWait,
                                   LPDWORD lpdwFlags, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    int error = !sock ? WSAENOTSOCK : !lpOverlapped ? WSAEINVAL : 0;
    if (!error && !finished(lpOverlapped)) {
        struct wsd_chan *c = sock->chan;
        if (c)
            progress(c->shard); /* the preferred way to learn of completion drives it (4.12) */
        if (!finished(lpOverlapped)) {
            if (fWait && c)
                wait_finished(c->shard, lpOverlapped);
            else
                error = WSA_IO_INCOMPLETE;
        }
    }
    if (!error)
        error = (int)lpOverlapped->OffsetHigh;
    if (!error) {
        if (lpcbTransfer)
            *lpcbTransfer = (DWORD)lpOverlapped->InternalHigh;
        if (lpdwFlags)
            *lpdwFlags = lpOverlapped->Offset;
    }
    if (sock)
        wsd_sock_release(sock, WSD_REF_CALL);
    if (lpErrno)
        *lpErrno = error;
    return error ? FALSE : TRUE;
}
