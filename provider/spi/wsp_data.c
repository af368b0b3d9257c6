/* wsp_data.c - WSPSend, WSPRecv, WSPRdmaWrite, WSPRdmaRead, WSPGetOverlappedResult. The data path: no
 * allocation, no log, no system call of our own. Source: contract 4.10 to 4.12, 6.6, section 7. */
#include "data/device.h"
#include "data/grant.h"
#include "data/straight.h"
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

/* The channel for a short way, NULL when the call is not of that kind. Nothing is held: see data/straight.h. */
static inline struct wsd_chan *straight_chan(SOCKET s, const WSABUF *bufs, DWORD count, DWORD flags,
                                             const WSAOVERLAPPED *ov,
                                             LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    if (count != 1 || !bufs || flags || routine || !ov || !((uintptr_t)ov->hEvent & 1))
        return NULL;
    struct wsd_sock *slot = wsd_sock_slot(s);
    /* acquire: a channel that is seen has its locks */
    return slot ? atomic_load_explicit(&slot->chan, memory_order_acquire) : NULL;
}

int WSPAPI WSPSend(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesSent,
                   DWORD dwFlags, LPWSAOVERLAPPED lpOverlapped,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine, LPWSATHREADID lpThreadId,
                   LPINT lpErrno)
{
    (void)lpNumberOfBytesSent, (void)lpThreadId; /* not written when pending; thread ids are for routines */
    int error;
    struct wsd_chan *c = straight_chan(s, lpBuffers, dwBufferCount, dwFlags, lpOverlapped,
                                       lpCompletionRoutine);
    if (c && wsd_straight_send(c, s, lpBuffers, lpOverlapped, &error))
        return started(lpErrno, error);
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return started(lpErrno, WSAENOTSOCK);
    error = data_state(sock);
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
    int error;
    struct wsd_chan *c = straight_chan(s, lpBuffers, dwBufferCount, lpFlags ? *lpFlags : 0, lpOverlapped,
                                       lpCompletionRoutine);
    if (c && wsd_straight_recv(c, s, lpBuffers, lpOverlapped, &error))
        return started(lpErrno, error);
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return started(lpErrno, WSAENOTSOCK);
    error = data_state(sock);
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

static inline void report(const WSAOVERLAPPED *ov, DWORD *bytes, DWORD *flags)
{
    if (bytes)
        *bytes = (DWORD)ov->InternalHigh;
    if (flags)
        *flags = ov->Offset;
}

/* fWait: spin a little, then let the sleeper of the shard make progress and wait for its word (C17: hEvent
 * is of no use here). */
static void wait_on_shard(struct wsd_shard *shard, WSAOVERLAPPED *ov)
{
    for (int i = 0; i < SPIN_POLLS && !finished(ov); i++)
        wsd_shard_progress(shard);
    if (finished(ov))
        return;
    wsd_shard_expect(shard);
    while (!finished(ov)) {
        wsd_shard_wait(shard, finished_arg, ov, WAIT_SLICE_MS);
        if (!finished(ov))
            wsd_shard_progress(shard);
    }
    wsd_shard_expected_one(shard);
}

static int wait_finished(SOCKET s, WSAOVERLAPPED *ov)
{
    struct wsd_sock *sock = wsd_sock_lookup(s); /* a waiter counts as a call under way, for WSPCleanup */
    if (!sock)
        return finished(ov) ? 0 : WSAENOTSOCK;
    wait_on_shard(sock->chan->shard, ov);
    wsd_sock_release(sock, WSD_REF_CALL);
    return 0;
}

BOOL WSPAPI WSPGetOverlappedResult(SOCKET s, LPWSAOVERLAPPED lpOverlapped, LPDWORD lpcbTransfer, BOOL fWait,
                                   LPDWORD lpdwFlags, LPINT lpErrno)
{
    struct wsd_sock *slot = wsd_sock_slot(s);
    int error = !slot || !wsd_sock_is_current(slot, s) ? WSAENOTSOCK : !lpOverlapped ? WSAEINVAL : 0;
    if (!error && !finished(lpOverlapped)) {
        /* No reference: shards stay where they are while the library is loaded. acquire: as in straight_chan() */
        struct wsd_chan *c = atomic_load_explicit(&slot->chan, memory_order_acquire);
        struct wsd_shard *shard = c ? atomic_load_explicit(&c->shard, memory_order_acquire) : NULL;
        if (shard)
            wsd_shard_progress(shard); /* the preferred way to learn of completion drives it (4.12) */
        if (!finished(lpOverlapped))
            error = fWait && shard ? wait_finished(s, lpOverlapped) : WSA_IO_INCOMPLETE;
    }
    if (!error)
        error = (int)lpOverlapped->OffsetHigh;
    if (!error)
        report(lpOverlapped, lpcbTransfer, lpdwFlags);
    if (lpErrno)
        *lpErrno = error;
    return error ? FALSE : TRUE;
}
