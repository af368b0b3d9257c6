/* process.h - Winsock for Linux: threads as the C runtime of Windows starts them.
 * Layer:   switch_shim/winsock, beside windows.h: CreateThread() with other words.
 * Source:  the _beginthread, _beginthreadex page of the C runtime. */
#ifndef WS2_PROCESS_H
#define WS2_PROCESS_H

#include "windows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The handle, for CloseHandle(), or 0 and the last error. `flags` has to be 0. */
SW_API uintptr_t __cdecl _beginthreadex(void *security, unsigned stack_bytes,
                                        unsigned(__stdcall *start)(void *parameter), void *parameter,
                                        unsigned flags, unsigned *id);
/* Its handle is closed when it ends. (uintptr_t)-1: the last error says why not. */
SW_API uintptr_t __cdecl _beginthread(void(__cdecl *start)(void *parameter), unsigned stack_bytes,
                                      void *parameter);

#ifdef __cplusplus
}
#endif

#endif
