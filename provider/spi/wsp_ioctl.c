/* wsp_ioctl.c - WSPIoctl: extension functions by GUID, the address list. Source: contract 3.6, 3.9, 4.16. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "data/device.h"
#include "sock/address.h"
#include "sock/instance.h"
#include "spi/wsp.h"

typedef void (*extension_fn)(void);

static int find_extension(const GUID *id, extension_fn *out)
{
    static const struct {
        GUID id;
        extension_fn fn;
    } table[] = {
        {WSAID_REGISTERMEMORY, (extension_fn)WSPRegisterMemory},
        {WSAID_DEREGISTERMEMORY, (extension_fn)WSPDeregisterMemory},
        {WSAID_REGISTERRDMAMEMORY, (extension_fn)WSPRegisterRdmaMemory},
        {WSAID_DEREGISTERRDMAMEMORY, (extension_fn)WSPDeregisterRdmaMemory},
        {WSAID_RDMAWRITE, (extension_fn)WSPRdmaWrite},
        {WSAID_RDMAREAD, (extension_fn)WSPRdmaRead},
        {WSAID_MEMORYREGISTRATIONCACHECALLBACK, (extension_fn)WSPMemoryRegistrationCacheCallback},
    };
    *out = NULL;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (memcmp(id, &table[i].id, sizeof *id) == 0)
            *out = table[i].fn;
    if (*out == (extension_fn)WSPRdmaRead && !wsd_provider_has_read())
        return WSAEOPNOTSUPP; /* the switch then moves bulk data by RDMA write alone (6.6) */
    if (*out == (extension_fn)WSPMemoryRegistrationCacheCallback) {
        if (!wsd_provider.config.mr_cache_entries)
            return WSAEOPNOTSUPP;
        /* A switch that holds this function calls it before memory changes its mapping. One that never
         * fetched it cannot, so until now nothing was cached (8.9). */
        pal_store_relaxed(&wsd_provider.keep_registrations, true);
        pal_mutex_lock(&wsd_provider.lock);
        struct wsd_device *d = wsd_provider.devices;
        pal_mutex_unlock(&wsd_provider.lock);
        for (; d; d = d->next)
            wsd_device_keep_registrations(d);
    }
    return *out ? 0 : WSAEOPNOTSUPP;
}

static int get_extension(const void *in, DWORD in_bytes, void *out, DWORD out_bytes, DWORD *returned)
{
    GUID id;
    extension_fn fn;
    if (!in || in_bytes < sizeof id || !out || out_bytes < sizeof fn)
        return WSAEFAULT;
    memcpy(&id, in, sizeof id);
    int error = find_extension(&id, &fn);
    if (!error) {
        memcpy(out, &fn, sizeof fn);
        *returned = sizeof fn;
    }
    return error;
}

/* One block: the list, then the addresses that it points to. */
static void write_list(const struct vb_addr *list, uint32_t count, uint8_t *out)
{
    SOCKET_ADDRESS_LIST *head = (SOCKET_ADDRESS_LIST *)(void *)out;
    size_t at = offsetof(SOCKET_ADDRESS_LIST, Address) + count * sizeof(SOCKET_ADDRESS);
    head->iAddressCount = (INT)count;
    for (uint32_t i = 0; i < count; i++) {
        head->Address[i].lpSockaddr = (WSD_SOCKADDR *)(void *)(out + at);
        head->Address[i].iSockaddrLength = wsd_address_to_edge(&list[i], out + at);
        at += sizeof(WSD_SOCKADDR_IN6) + 4; /* room for either family, kept aligned */
    }
}

static size_t list_bytes(uint32_t count)
{
    return offsetof(SOCKET_ADDRESS_LIST, Address) +
           count * (sizeof(SOCKET_ADDRESS) + sizeof(WSD_SOCKADDR_IN6) + 4);
}

/* Asked afresh every time: the switch repeats the query whenever TCP/IP reports a change. Only addresses
 * of the socket's family. */
static int get_addresses(uint8_t family, void *out, DWORD out_bytes, DWORD *returned)
{
    struct vb_addr *all = NULL;
    uint32_t room = 16, count = 0;
    vb_status_t st;
    do {
        room = count > room ? count : room;
        free(all);
        all = calloc(room, sizeof *all);
        if (!all)
            return WSAENOBUFS;
        count = room;
        st = vb_addr_list(wsd_provider.backend, all, &count);
    } while (st == VB_E_AGAIN);
    if (st != VB_OK) {
        free(all);
        return st == VB_E_NOMEM ? WSAENOBUFS : WSAENETDOWN;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (all[i].family == family)
            all[kept++] = all[i];
    size_t needed = list_bytes(kept);
    *returned = (DWORD)needed;
    int error = !out || out_bytes < needed ? WSAEFAULT : 0; /* with the size that is needed (4.16) */
    if (!error)
        write_list(all, kept, out);
    free(all);
    return error;
}

static int control(struct wsd_sock *s, DWORD code, void *in, DWORD in_bytes, void *out, DWORD out_bytes,
                   DWORD *returned)
{
    switch (code) {
    case SIO_GET_EXTENSION_FUNCTION_POINTER: return get_extension(in, in_bytes, out, out_bytes, returned);
    case SIO_ADDRESS_LIST_QUERY: return get_addresses(s->family, out, out_bytes, returned);
    case SIO_GET_QOS:
    case SIO_SET_QOS:
    case SIO_GET_GROUP_QOS:
    case SIO_SET_GROUP_QOS: return WSAEOPNOTSUPP;
    default: return WSAEINVAL;
    }
}

int WSPAPI WSPIoctl(SOCKET s, DWORD dwIoControlCode, LPVOID lpvInBuffer, DWORD cbInBuffer,
                    LPVOID lpvOutBuffer, DWORD cbOutBuffer, LPDWORD lpcbBytesReturned,
                    LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine,
                    LPWSATHREADID lpThreadId, LPINT lpErrno)
{
    (void)lpThreadId;
    struct wsd_sock *sock = wsd_sock_lookup(s);
    if (!sock)
        return wsp_result(lpErrno, WSAENOTSOCK);
    DWORD returned = 0;
    int error;
    if (!lpcbBytesReturned)
        error = WSAEFAULT;
    else if (lpCompletionRoutine)
        error = WSAEINVAL;
    else
        error = control(sock, dwIoControlCode, lpvInBuffer, cbInBuffer, lpvOutBuffer, cbOutBuffer, &returned);
    if (lpcbBytesReturned && (!error || (error == WSAEFAULT && returned)))
        *lpcbBytesReturned = returned;
    if (lpOverlapped && !error) { /* all of them finish at once (4.16) */
        lpOverlapped->Offset = 0;
        lpOverlapped->OffsetHigh = 0;
        lpOverlapped->InternalHigh = returned;
        pal_word_store_release(&lpOverlapped->Internal, (ULONG_PTR)0);
    }
    wsd_sock_release(sock, WSD_REF_CALL);
    return wsp_result(lpErrno, error);
}
