/* fake_memory.c - memory and RDMA of the fake provider: a descriptor is an address of this process, and a transfer is a copy. */
#include "fake_internal.h"

#include <stdbool.h>
#include <string.h>

HANDLE WSPAPI fake_register_memory(SOCKET s, PVOID buffer, DWORD bytes, DWORD flags, LPINT error)
{
    (void)bytes;
    (void)flags;
    if (fake_enter(s, "RegisterMemory", error) == NULL)
        return NULL;
    fake_leave(error, 0);
    return buffer;
}

int WSPAPI fake_deregister_memory(SOCKET s, HANDLE handle, LPINT error)
{
    (void)handle;
    if (fake_enter(s, "DeregisterMemory", error) == NULL)
        return SOCKET_ERROR;
    return fake_leave(error, 0);
}

int WSPAPI fake_register_rdma_memory(SOCKET s, PVOID buffer, DWORD bytes, DWORD flags, LPVOID descriptor,
                                     LPDWORD descriptor_bytes, LPINT error)
{
    const DWORD needed = fake_control()->descriptor_bytes != 0 ? fake_control()->descriptor_bytes
                                                               : (DWORD)sizeof(buffer);

    (void)bytes;
    (void)flags;
    if (fake_enter(s, "RegisterRdmaMemory", error) == NULL)
        return SOCKET_ERROR;
    if (*descriptor_bytes < needed) {
        *descriptor_bytes = needed;
        return fake_leave(error, WSAEFAULT);
    }
    *descriptor_bytes = needed;
    memcpy(descriptor, &buffer, sizeof(buffer));
    return fake_leave(error, 0);
}

int WSPAPI fake_deregister_rdma_memory(SOCKET s, LPVOID descriptor, DWORD bytes, LPINT error)
{
    (void)descriptor;
    if (fake_enter(s, "DeregisterRdmaMemory", error) == NULL)
        return SOCKET_ERROR;
    return fake_leave(error, bytes == 0 ? WSAEINVAL : 0);
}

static int rdma(SOCKET s, const char *name, LPWSABUFEX bufs, DWORD n, LPVOID descriptor, DWORD offset,
                bool is_write, LPWSAOVERLAPPED ov, LPINT error)
{
    struct fake_socket *f = fake_enter(s, name, error);
    struct op *op;
    DWORD bytes = 0;
    char *there;

    if (f == NULL)
        return SOCKET_ERROR;
    memcpy(&there, descriptor, sizeof(there));
    op = fake_begin(f, ov);
    for (DWORD i = 0; i < n; i++) {
        if (is_write)
            memcpy(there + offset + bytes, bufs[i].buf, bufs[i].len);
        else
            memcpy(bufs[i].buf, there + offset + bytes, bufs[i].len);
        bytes += bufs[i].len;
    }
    fake_finish_locked(op, 0, bytes);
    return fake_answer(NULL, error);
}

int WSPAPI fake_rdma_write(SOCKET s, LPWSABUFEX bufs, DWORD n, LPVOID descriptor, DWORD descriptor_bytes,
                           DWORD offset, LPDWORD written, DWORD flags, LPWSAOVERLAPPED ov,
                           LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
    (void)descriptor_bytes;
    (void)written;
    (void)flags;
    (void)routine;
    (void)thread;
    return rdma(s, "RdmaWrite", bufs, n, descriptor, offset, true, ov, error);
}

int WSPAPI fake_rdma_read(SOCKET s, LPWSABUFEX bufs, DWORD n, LPVOID descriptor, DWORD descriptor_bytes,
                          DWORD offset, LPDWORD read, DWORD flags, LPWSAOVERLAPPED ov,
                          LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
    (void)descriptor_bytes;
    (void)read;
    (void)flags;
    (void)routine;
    (void)thread;
    return rdma(s, "RdmaRead", bufs, n, descriptor, offset, false, ov, error);
}

int WSPAPI fake_cache_callback(PVOID address, SIZE_T bytes, LPINT error)
{
    (void)address;
    (void)bytes;
    *error = WSAEINVAL;
    return SOCKET_ERROR;
}
