/* wsp_memory.c - the memory extensions. Source: contract section 6, 8.9. */
#include <string.h>

#include "data/device.h"
#include "data/grant.h"
#include "data/region.h"
#include "sock/conn.h"
#include "sock/instance.h"
#include "spi/wsp.h"

static int connected(const struct wsd_sock *s)
{
    /* registration ties memory to a connection (6.1) */
    return wsd_sock_state(s) == WSD_ST_CONNECTED ? 0 : WSAENOTCONN;
}

static int check_range(const void *buffer, DWORD length, DWORD flags)
{
    if (flags < MEM_READ || flags > MEM_READWRITE)
        return WSAEINVAL;
    return buffer && length && (uintptr_t)buffer + length > (uintptr_t)buffer ? 0 : WSAEFAULT;
}

HANDLE WSPAPI WSPRegisterMemory(SOCKET s, PVOID lpBuffer, DWORD dwBufferLength, DWORD dwFlags, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    struct wsd_region *region = NULL;
    int error = sock ? check_range(lpBuffer, dwBufferLength, dwFlags) : WSAENOTSOCK;
    if (!error)
        error = connected(sock);
    if (!error)
        error = wsd_chan_enter(sock->chan) ? 0 : WSAENOTCONN;
    if (!error) {
        error = wsd_region_register(sock->chan, lpBuffer, dwBufferLength, dwFlags, &region);
        wsd_chan_leave(sock->chan);
    }
    if (sock)
        wsd_sock_release(sock, WSD_REF_CALL);
    wsp_result(lpErrno, error);
    return error ? NULL : region;
}

/* Memory may be given back whatever became of the connection, as long as the socket is there. */
static struct wsd_chan *chan_of(const struct wsd_sock *s)
{
    enum wsd_sock_state state = wsd_sock_state(s);
    return state == WSD_ST_CONNECTED || state == WSD_ST_BROKEN ? s->chan : NULL;
}

int WSPAPI WSPDeregisterMemory(SOCKET s, HANDLE Handle, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    struct wsd_chan *c = chan_of(sock);
    int error = WSAEINVAL;
    if (c && wsd_chan_enter(c)) {
        error = wsd_region_deregister(c, Handle);
        wsd_chan_leave(c);
    }
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, error);
}

static int register_rdma(struct wsd_sock *s, void *buffer, DWORD length, DWORD flags, void *descriptor,
                         DWORD *room)
{
    if (!room)
        return WSAEFAULT;
    if (!descriptor || *room < WSD_DESCRIPTOR_BYTES) {
        *room = WSD_DESCRIPTOR_BYTES; /* how the caller tells this from a bad range (6.4) */
        return WSAEFAULT;
    }
    int error = check_range(buffer, length, flags);
    if (!error)
        error = connected(s);
    uint8_t bytes[WSD_DESCRIPTOR_BYTES];
    if (!error && !wsd_chan_enter(s->chan))
        error = WSAENOTCONN;
    else if (!error) {
        error = wsd_grant_register(s->chan, buffer, length, flags, bytes);
        wsd_chan_leave(s->chan);
    }
    if (!error) {
        memcpy(descriptor, bytes, sizeof bytes);
        *room = WSD_DESCRIPTOR_BYTES;
    }
    return error;
}

int WSPAPI WSPRegisterRdmaMemory(SOCKET s, PVOID lpBuffer, DWORD dwBufferLength, DWORD dwFlags,
                                 LPVOID lpRdmaBufferDescriptor, LPDWORD lpdwDescriptorLength, LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    int error = register_rdma(sock, lpBuffer, dwBufferLength, dwFlags, lpRdmaBufferDescriptor,
                              lpdwDescriptorLength);
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, error);
}

int WSPAPI WSPDeregisterRdmaMemory(SOCKET s, LPVOID lpRdmaBufferDescriptor, DWORD dwDescriptorLength,
                                   LPINT lpErrno)
{
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    wsd_conn_use(sock); /* the QP stays while we wait for the invalidation */
    struct wsd_chan *c = chan_of(sock);
    int error = WSAEINVAL;
    if (lpRdmaBufferDescriptor && c && wsd_chan_enter(c)) {
        error = wsd_grant_deregister(c, lpRdmaBufferDescriptor, dwDescriptorLength);
        wsd_chan_leave(c);
    }
    wsd_conn_unuse(sock);
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, error);
}

/* Process-wide (6.7): memory is about to change its mapping. */
int WSPAPI WSPMemoryRegistrationCacheCallback(PVOID lpvAddress, SIZE_T Size, LPINT lpErrno)
{
    enum wsd_invalidate worst = WSD_INVALIDATE_NONE;
    atomic_fetch_add(&wsd_provider.callbacks, 1);
    if (Size && atomic_load(&wsd_provider.running)) {
        pal_mutex_lock(&wsd_provider.lock);
        struct wsd_device *d = wsd_provider.devices;
        pal_mutex_unlock(&wsd_provider.lock);
        for (; d; d = d->next) {
            enum wsd_invalidate one = wsd_device_invalidate(d, lpvAddress, Size);
            worst = one > worst ? one : worst;
        }
    }
    atomic_fetch_sub(&wsd_provider.callbacks, 1);
    return wsp_result(lpErrno, worst == WSD_INVALIDATE_DONE     ? 0
                               : worst == WSD_INVALIDATE_IN_USE ? WSAEFAULT
                                                                : WSAEINVAL);
}
