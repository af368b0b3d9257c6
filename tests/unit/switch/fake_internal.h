/* fake_internal.h - what the two files of the fake provider share. One lock guards everything; fake_enter() takes it, fake_leave() and fake_answer() give
 * it back. */
#ifndef FAKE_INTERNAL_H
#define FAKE_INTERNAL_H

#include "fake_provider.h"
#include "wsd/provider.h"

WSD_EXPORT struct fake_control *fake_control(void);
struct op;
struct fake_socket;

struct fake_socket *fake_enter(SOCKET s, const char *name, INT *error);
int fake_leave(INT *error, int code);
struct op *fake_begin(struct fake_socket *f, WSAOVERLAPPED *ov);
void fake_finish_locked(struct op *op, DWORD error, DWORD bytes);
int fake_answer(struct op *op, INT *error);

/* fake_memory.c */
HANDLE WSPAPI fake_register_memory(SOCKET s, PVOID buffer, DWORD bytes, DWORD flags, LPINT error);
int WSPAPI fake_deregister_memory(SOCKET s, HANDLE handle, LPINT error);
int WSPAPI fake_register_rdma_memory(SOCKET s, PVOID buffer, DWORD bytes, DWORD flags, LPVOID descriptor,
                                     LPDWORD descriptor_bytes, LPINT error);
int WSPAPI fake_deregister_rdma_memory(SOCKET s, LPVOID descriptor, DWORD bytes, LPINT error);
int WSPAPI fake_rdma_write(SOCKET s, LPWSABUFEX bufs, DWORD n, LPVOID descriptor, DWORD descriptor_bytes,
                           DWORD offset, LPDWORD written, DWORD flags, LPWSAOVERLAPPED ov,
                           LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error);
int WSPAPI fake_rdma_read(SOCKET s, LPWSABUFEX bufs, DWORD n, LPVOID descriptor, DWORD descriptor_bytes,
                          DWORD offset, LPDWORD read, DWORD flags, LPWSAOVERLAPPED ov,
                          LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error);
int WSPAPI fake_cache_callback(PVOID address, SIZE_T bytes, LPINT error);

#endif
