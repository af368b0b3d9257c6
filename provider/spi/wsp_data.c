/* wsp_data.c - WSPSend, WSPRecv, WSPGetOverlappedResult: the short ways. What is not for one goes on in wsp_transfer.c,
 * called last and with the same arguments, so that nothing is kept for it. Source: contract 4.10 to 4.12, section 7. */
#include "data/straight.h"
#include "spi/wsp.h"

#define SPIN_POLLS    2000 /* of an fWait caller before it sleeps */
#define WAIT_SLICE_MS 20u  /* bounds the cost of a wake-up that is missed */

/* The channel for a short way, NULL when the call is not of that kind. Nothing is held: see data/straight.h. */
static inline struct wsd_chan *straight_chan(SOCKET s, const WSABUF *bufs, DWORD count, DWORD flags,
                                             const WSAOVERLAPPED *ov,
                                             LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    if (((count ^ 1) | flags | (uintptr_t)routine) || !bufs || !ov || !((uintptr_t)ov->hEvent & 1))
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
    struct wsd_chan *c = straight_chan(s, lpBuffers, dwBufferCount, dwFlags, lpOverlapped,
                                       lpCompletionRoutine);
    if (c && wsd_straight_may_send(c, s, lpBuffers))
        return wsp_started(lpErrno, wsd_straight_send(c, lpBuffers, lpOverlapped));
    return wsp_send_any(s, lpBuffers, dwBufferCount, lpNumberOfBytesSent, dwFlags, lpOverlapped,
                        lpCompletionRoutine, lpThreadId, lpErrno);
}

int WSPAPI WSPRecv(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesRecvd,
                   LPDWORD lpFlags, LPWSAOVERLAPPED lpOverlapped,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine, LPWSATHREADID lpThreadId,
                   LPINT lpErrno)
{
    struct wsd_chan *c = straight_chan(s, lpBuffers, dwBufferCount, lpFlags ? *lpFlags : 0, lpOverlapped,
                                       lpCompletionRoutine);
    if (c && wsd_straight_may_recv(c, s, lpBuffers))
        return wsp_started(lpErrno, wsd_straight_recv(c, lpBuffers, lpOverlapped));
    return wsp_recv_any(s, lpBuffers, dwBufferCount, lpNumberOfBytesRecvd, lpFlags, lpOverlapped,
                        lpCompletionRoutine, lpThreadId, lpErrno);
}

/* ---- progress ------------------------------------------------------------------------------------------ */

static inline bool finished(WSAOVERLAPPED *ov)
{
    /* acquire: the count and the error were written before */
    return pal_word_load_acquire(&ov->Internal) != (ULONG_PTR)WSS_OPERATION_IN_PROGRESS;
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

/* For a poller, which holds nothing that keeps the shard alive: take completions unless somebody is at it, and have
 * the sleeper make the upcalls that are due (a poller runs nobody's: W13, W14). */
static PAL_ALWAYS_INLINE void progress(struct wsd_shard *s)
{
    struct vb_wc wc[WSD_HARVEST_BATCH];
    if (!pal_lock_try(&s->poll_lock))
        return;
    if (!s->cq) {
        pal_lock_give(&s->poll_lock);
        return;
    }
    unsigned n = vb_cq_poll(s->cq, wc, WSD_HARVEST_BATCH);
    if (n && (n > 1 || !wsd_straight_complete(wc)))
        wsd_chan_complete(wc, n);
    if (wsd_shard_has_ready(s))
        wsd_shard_kick(s);
    pal_lock_give(&s->poll_lock);
    if (n && atomic_load_explicit(&s->waiters, memory_order_acquire))
        wsd_shard_wake_waiters(s);
}

/* Not finished: drive it, which the preferred way to learn of completion must do (4.12). False: there is nothing to
 * drive. No reference: channels and shards stay where they are while the library is loaded. */
static PAL_ALWAYS_INLINE bool drive(struct wsd_sock *slot)
{
    /* acquire, twice: as in straight_chan() */
    struct wsd_chan *c = atomic_load_explicit(&slot->chan, memory_order_acquire);
    struct wsd_shard *shard = c ? atomic_load_explicit(&c->shard, memory_order_acquire) : NULL;
    if (!shard)
        return false;
    progress(shard);
    return true;
}

static inline BOOL result(const WSAOVERLAPPED *ov, DWORD *bytes, DWORD *flags, INT *lpErrno)
{
    int error = (int)ov->OffsetHigh;
    if (!error)
        report(ov, bytes, flags);
    if (lpErrno)
        *lpErrno = error;
    return error ? FALSE : TRUE;
}

static inline BOOL no_result(INT *lpErrno, int error)
{
    if (lpErrno)
        *lpErrno = error;
    return FALSE;
}

/* ---- fWait --------------------------------------------------------------------------------------------- */

/* Spin a little, then let the sleeper of the shard make progress and wait for its word (C17: hEvent is of no use
 * here). */
static void wait_on_shard(struct wsd_shard *shard, WSAOVERLAPPED *ov)
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

static int wait_finished(SOCKET s, WSAOVERLAPPED *ov)
{
    struct wsd_sock *sock = wsd_sock_lookup(s); /* a waiter counts as a call under way, for WSPCleanup */
    if (!sock)
        return finished(ov) ? 0 : WSAENOTSOCK;
    wait_on_shard(sock->chan->shard, ov);
    wsd_sock_release(sock, WSD_REF_CALL);
    return 0;
}

PAL_NOINLINE static BOOL ask_and_wait(struct wsd_sock *slot, WSAOVERLAPPED *ov, DWORD *bytes, DWORD *flags,
                                      INT *lpErrno)
{
    SOCKET s = pal_load_relaxed(&slot->current); /* 0 if it was closed just now: unknown too */
    bool can_wait = drive(slot);
    int error = finished(ov) ? 0 : can_wait ? wait_finished(s, ov) : WSA_IO_INCOMPLETE;
    return error ? no_result(lpErrno, error) : result(ov, bytes, flags, lpErrno);
}

/* ---- results ------------------------------------------------------------------------------------------- */

/* Its arguments are where those of WSPGetOverlappedResult came in. */
PAL_NOINLINE static BOOL ask(struct wsd_sock *slot, WSAOVERLAPPED *ov, DWORD *bytes, BOOL wait, DWORD *flags,
                             INT *lpErrno)
{
    if (wait)
        return ask_and_wait(slot, ov, bytes, flags, lpErrno);
    (void)drive(slot);
    return finished(ov) ? result(ov, bytes, flags, lpErrno) : no_result(lpErrno, WSA_IO_INCOMPLETE);
}

BOOL WSPAPI WSPGetOverlappedResult(SOCKET s, LPWSAOVERLAPPED lpOverlapped, LPDWORD lpcbTransfer, BOOL fWait,
                                   LPDWORD lpdwFlags, LPINT lpErrno)
{
    struct wsd_sock *slot = wsd_sock_slot(s);
    if (!slot || !wsd_sock_is_current(slot, s))
        return no_result(lpErrno, WSAENOTSOCK);
    if (!lpOverlapped)
        return no_result(lpErrno, WSAEINVAL);
    if (finished(lpOverlapped))
        return result(lpOverlapped, lpcbTransfer, lpdwFlags, lpErrno);
    return ask(slot, lpOverlapped, lpcbTransfer, fWait, lpdwFlags, lpErrno);
}
