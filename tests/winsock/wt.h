/* wt.h - tests of Winsock as an application sees it: one source, run against Windows' own ws2_32 and against ours.
 * Layer:   tests/winsock; over cmocka and winsock2.h. No file of a test names a system; wt_posix.c and wt_windows.c answer for it.
 * Names:   a test is called after the line of winsock-behaviours.md that it proves, and the line's text is not repeated.
 * Lanes:   wine (Windows' Winsock), tcp (ours over TCP/IP), san (ours over a SAN provider), dll and dll-san (the same two of wsdswitch.dll,
 *          with our Winsock built for Windows). A line that does not hold on a lane says so in its
 *          table, with the reason; it is counted as excepted there.
 * Threads: checks belong to the thread that runs the test. */
#ifndef WT_H
#define WT_H

/* clang-format off: winsock2.h goes before windows.h */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
/* clang-format on */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WT_WINE    1u
#define WT_TCP     2u
#define WT_SAN     4u
#define WT_DLL     8u  /* wsdswitch.dll over the TCP/IP of Windows, or of Wine */
#define WT_DLL_SAN 16u /* the same over a SAN provider */
#define WT_OURS    (WT_TCP | WT_SAN | WT_DLLS)
#define WT_DLLS    (WT_DLL | WT_DLL_SAN)
#define WT_SANS    (WT_SAN | WT_DLL_SAN)

struct wt_line {
    const char *name; /* b001_... */
    void (*run)(void **state);
    unsigned excepted_lanes;
    const char *reason; /* NULL: holds everywhere */
};
#define WT(fn)                                                                                               \
    {                                                                                                        \
#fn, fn, 0, NULL                                                                                     \
    }
#define WT_EXCEPT(fn, lanes, because)                                                                        \
    {                                                                                                        \
#fn, fn, (lanes), (because)                                                                          \
    }

struct wt_group {
    const char *name;
    const struct wt_line *lines;
    unsigned count;
};
#define WT_GROUP(group, table)                                                                               \
    const struct wt_group wt_group_##group = {#group, (table), sizeof(table) / sizeof((table)[0])}

extern struct wt_env {
    unsigned lane;
    SOCKADDR_IN here;    /* an own address, port 0 */
    ULONG silent;        /* an address that answers nobody, where the lane has one */
    DWORD wait_ms;       /* long: the patience of a test that waits for something to happen */
    const char *program; /* this one */
} wt_env;

/* --- checks: what failed is printed with its place and the code --- */

void wt_fail(const char *file, int line, const char *format, ...);
/* The call must succeed: not SOCKET_ERROR. Its result. */
int wt_ok(int result, const char *call, const char *file, int line);
/* The call must fail with that code. */
void wt_refused(int result, int code, const char *call, const char *file, int line);
#define OK(call)            wt_ok((call), #call, __FILE__, __LINE__)
#define REFUSED(call, code) wt_refused((call), (code), #call, __FILE__, __LINE__)
/* For calls that answer with TRUE and FALSE. */
#define TRUE_OF(call)         OK((call) ? 0 : SOCKET_ERROR)
#define FALSE_OF(call, error) REFUSED((call) ? 0 : SOCKET_ERROR, error)
/* For calls that answer with a socket. */
#define NO_SOCKET(call, code) REFUSED((call) == INVALID_SOCKET ? SOCKET_ERROR : 0, code)

/* --- sockets. What is open at the end of a test is closed by its teardown --- */

SOCKET wt_keep(SOCKET s); /* checks it; the same socket */
void wt_drop_all(void);   /* the teardown's */
SOCKET wt_socket(void);   /* a stream, overlapped */
void wt_close(SOCKET s);
SOCKET wt_bound(SOCKADDR_IN *name);    /* to wt_env.here, port of the system's choice */
SOCKET wt_listener(SOCKADDR_IN *name); /* name: where it listens */
struct wt_pair {
    SOCKET client, server;
};
struct wt_pair wt_pair(void);          /* connected, carried as the lane says */
SOCKET wt_accept_one(SOCKET listener); /* carried as the lane says */
int wt_connect(SOCKET s, const SOCKADDR_IN *to);
SOCKADDR_IN wt_nobody(void); /* an own address where nobody listens */
SOCKADDR_IN wt_silent(void); /* an address where an attempt to connect stays pending */
SOCKET wt_bound_any(void);   /* to INADDR_ANY: it may connect to wt_silent() */
void wt_nonblocking(SOCKET s, bool is_on);
void wt_reset(SOCKET s); /* close it so that the peer sees a reset */
void wt_send(SOCKET s, const char *text);
void wt_receive(SOCKET s, const char *text);            /* exactly this comes */
bool wt_readable(SOCKET s, DWORD ms);                   /* select() */
void wt_until_readable(SOCKET s);                       /* or the test fails */
int wt_get(SOCKET s, int level, int option);            /* an option of 4 bytes */
int wt_set(SOCKET s, int level, int option, int value); /* as setsockopt() */
void *wt_extension(SOCKET s, GUID id, void *out);       /* out: where the pointer goes */
LPFN_CONNECTEX wt_connect_ex(SOCKET s);
LPFN_DISCONNECTEX wt_disconnect_ex(SOCKET s);

/* --- overlapped operations, events, ports --- */

WSAEVENT wt_event(void);                                           /* closed by the teardown */
HANDLE wt_port(void);                                              /* likewise */
DWORD wt_finish(SOCKET s, WSAOVERLAPPED *ov);                      /* waits; must have succeeded: the bytes */
int wt_finish_code(SOCKET s, WSAOVERLAPPED *ov);                   /* waits; the code of its failure, 0 */
int wt_receive_later(SOCKET s, WSABUF *buffer, WSAOVERLAPPED *ov); /* WSARecv; 0 or the code */
/* The same with data there: true: it was over at once. False, over a SAN only: pending, because another thread was just reporting the end of
 * one before it. */
bool wt_receive_at_once(SOCKET s, WSABUF *buffer, WSAOVERLAPPED *ov);
/* One packet must come, of that key and operation: its Win32 code. */
DWORD wt_packet(HANDLE port, ULONG_PTR key, const void *ov, DWORD *bytes);
void wt_no_packet(HANDLE port);
LONG wt_events(SOCKET s, WSAEVENT e, DWORD ms); /* what is recorded within the time; 0: nothing */

/* --- threads: one beside the test --- */

HANDLE wt_thread(LPTHREAD_START_ROUTINE fn, void *context);
void wt_join(HANDLE thread);

/* --- the system --- */

const char *wt_san_address(void); /* WSD_TEST_ADDR, or where a lane can tell itself; NULL: none */
void wt_check_carried(SOCKET s);  /* by the side that the lane asks for */
HANDLE wt_file(const char *text); /* a file with that in it, which goes with its handle; for CloseHandle() */

extern const struct wt_group wt_group_startup, wt_group_creation, wt_group_names, wt_group_accepting,
    wt_group_connecting, wt_group_connect_ex, wt_group_accept_ex, wt_group_data, wt_group_overlapped,
    wt_group_ports, wt_group_closing, wt_group_events, wt_group_selecting, wt_group_options, wt_group_sharing,
    wt_group_text, wt_group_helpers;

#endif
