/* app.h - what the files behind winsock2.h share.
 * Layer:   switch_shim/winsock/app, private. Above: an application. Below: ws2.h (handles, upcalls) and the table of the switch.
 * Locks:   none is held across a call down. */
#ifndef WS2_APP_H
#define WS2_APP_H

/* clang-format off: the application's view first, as in every file of an application */
#include "winsock2.h"
#include "ws2tcpip.h"
#include "mswsock.h"
/* clang-format on */

#include <stdbool.h>

#include "spi/spi_os.h"
#include "winsock/ws2.h"

/* The thirty functions of the switch; NULL, and the last error is WSANOTINITIALISED: no WSAStartup. */
const WSPPROC_TABLE *ws2_down(void);
const struct ws2_provider *ws2_running(void); /* likewise */

static inline int ws2_fail(int code)
{
    sw_set_last_error(code);
    return SOCKET_ERROR;
}

/* What a function of the table answered. A pointer to its lpErrno, so that the call may stand as the other argument. */
static inline int ws2_answer(int result, const INT *code)
{
    return result == SOCKET_ERROR ? ws2_fail(*code) : result;
}

/* A call without effect below was wrong: handles are looked at before anything else (B005, B007). */
int ws2_fail_behind_handle(SOCKET s, int code);

bool ws2_close_port(HANDLE port); /* false: it is none */

/* This thread as completion routines need it. NULL: no memory. */
WSATHREADID *ws2_this_thread(void);

/* An NTSTATUS and a Win32 code for what the switch says (status.c). */
ULONG_PTR ws2_status_of(DWORD code);
DWORD ws2_win32_of(DWORD code);
DWORD ws2_code_of_status(ULONG_PTR status); /* 0: success or information */

/* --- the system (os_posix.c, os_windows.c) --- */

/* The switch: where it is linked in, that one; else the library. As ws2_load(). */
int ws2_os_start_switch(struct ws2_provider **out);
/* What the switch has beside its thirty functions (sw/switch.h), of the switch that was started last. */
int ws2_os_cancel_io(SOCKET s, LPOVERLAPPED ov, bool is_own_only);
int ws2_os_poll_sockets(struct sw_polled *all, unsigned count, int timeout_ms, unsigned *ready);
void ws2_os_reset_event(WSAEVENT event); /* leaves the last error alone; what is no event nobody waits for */

/* Arranges that sw_thread_close(id) and free(id) happen when this thread ends. False: no memory. */
bool ws2_os_keep_thread(WSATHREADID *id);
WSATHREADID *ws2_os_kept_thread(void); /* of this thread; NULL: none */
void ws2_os_forget_thread(void);       /* that happens now */
/* A detached thread that runs fn(context). */
bool ws2_os_start_thread(void (*fn)(void *context), void *context, size_t stack_bytes);
bool ws2_os_is_file(HANDLE h); /* a file descriptor in the place of a HANDLE (mswsock.h) */
bool ws2_os_close_file(HANDLE h);
/* At the file's position, which moves on. 0, or the Win32 code. */
int ws2_os_move_file(HANDLE h, WSABUF *buffer, bool to_write, DWORD *moved);
int ws2_os_host_name(char *name, size_t bytes); /* 0 or the code */

#endif
