/* ws2.h - the part of Ws2_32 that a base service provider sees: who loads it, its handles, its upcalls.
 * Layer:    switch_shim, above spi/: starts a library that exports WSPStartup (the switch itself) and calls its thirty functions, or
 *           lets the caller call them. Tests and bench are the callers; the Winsock calls of an application will be others.
 * Threads:  any thread may call anything, except that ws2_unload() must not overlap other calls that name the provider.
 * Owns:     libraries, Winsock handles (SOCKET), the queue of window messages. Events, thread ids, APCs and completion queues are
 *           those of sw/switch.h: sw_event_*(), sw_thread_*(), sw_alertable_wait(), sw_iocp_*().
 * Errors:   functions that return int return 0 or a Winsock code; there is no last error.
 * Source:   contract 10.1 (WSPStartup, what callers keep to), 10.2 (the upcalls). */
#ifndef SW_WS2_H
#define SW_WS2_H

#include "sw/switch.h"

#define WS2_PROVIDERS_MAX 4 /* started at once in one process */

struct ws2_provider;

/* --- starting --- */

typedef void (*ws2_set_complete_upcall_fn)(LPWPUCOMPLETEOVERLAPPEDREQUEST fn);

/**
 * Load a library and start it: WSPStartup(2.2) with the protocol info of TCP over IPv4 and the fifteen upcalls, by value. A base
 * provider imports WPUCompleteOverlappedRequest from Ws2_32 (contract 10.1); here the library gets it beforehand through its export
 * sw_set_complete_upcall, if it has one.
 *
 * @param path  library file; NULL: libwsdswitch.so (wsdswitch.dll) beside this program or library, else in switch_shim/ of the build
 *              tree around it, else in the installation directory
 * @param out   written only on success; give back with ws2_unload()
 * @param why   receives a sentence on failure, always terminated; may be NULL
 * @return 0; WSAEPROVIDERFAILEDINIT: no library, or no WSPStartup in it; the code of WSPStartup; WSAVERNOTSUPPORTED: it answered
 *         another version; WSAEINVALIDPROCTABLE: an empty slot; WSAEPROCLIM: WS2_PROVIDERS_MAX reached; WSA_NOT_ENOUGH_MEMORY
 */
int ws2_load(const char *path, struct ws2_provider **out, char *why, size_t why_bytes);

/* The same with a WSPStartup that is linked into this program. set_complete_upcall: NULL when `startup` needs none. */
int ws2_start(LPWSPSTARTUP startup, ws2_set_complete_upcall_fn set_complete_upcall, struct ws2_provider **out,
              char *why, size_t why_bytes);

/**
 * WSPCleanup, then look for what the provider left behind: handles, events of WPUCreateEvent, thread ids of WPUOpenCurrentThread.
 * Unloads the library.
 * @param text  as in sw_violations(); may be NULL
 * @return violations of the contract that the upcalls noticed since the first provider was started, of all providers: an upcall does
 *         not say who calls. The last unload forgets them
 */
unsigned ws2_unload(struct ws2_provider *p, char *text, size_t text_bytes);
unsigned ws2_violations(char *text, size_t text_bytes);
void ws2_violations_clear(void);

/* Valid until ws2_unload(). */
const WSPPROC_TABLE *ws2_procs(const struct ws2_provider *p);
const WSPDATA *ws2_wspdata(const struct ws2_provider *p);
LPWSPSTARTUP ws2_startup_entry(
    const struct ws2_provider *p); /* for tests that start it once more themselves */
void (*ws2_symbol(const struct ws2_provider *p,
                  const char *name))(void); /* another export of the library; NULL: none */

/* The entries of the provider in the catalog: what WSPSocket is given. A base provider always gets an entry of its own. */
enum ws2_protocol { WS2_TCP, WS2_UDP, WS2_RAW, WS2_TCP6, WS2_UDP6, WS2_PROTOCOL_COUNT };
const WSAPROTOCOL_INFOW *ws2_protocol_info(const struct ws2_provider *p, enum ws2_protocol which);

/* --- handles --- */

bool ws2_handle_is_open(SOCKET s);
unsigned ws2_open_handles(const struct ws2_provider *p);

/* CreateIoCompletionPort: completions of this handle that go through WPUCompleteOverlappedRequest put a packet with `key` into
 * `queue`, unless bit 0 of hEvent was set. The handle keeps the queue's memory. WSAENOTSOCK; WSAEINVAL: bound already. */
int ws2_bind_queue(SOCKET s, struct sw_iocp *queue, ULONG_PTR key);

/* SetFileCompletionNotificationModes. WSAENOTSOCK; WSAEINVAL: an unknown flag. */
#define WS2_SKIP_PORT_ON_SUCCESS 1u
#define WS2_SKIP_HANDLE_EVENT    2u /* changes nothing: no event belongs to a handle here */
int ws2_set_completion_modes(SOCKET s, unsigned flags);

/* Around a call down that may complete `ov` before it returns. With WS2_SKIP_PORT_ON_SUCCESS no packet comes if the call returned 0;
 * whether it will is known only at the end, so that packet waits here. Calls may nest (a condition function may send). */
struct ws2_submission {
    WSAOVERLAPPED *ov;
    struct ws2_submission *outer;
    struct sw_iocp *queue; /* NULL: no packet has waited; else a reference */
    struct sw_packet packet;
};
void ws2_submission_begin(struct ws2_submission *sub, WSAOVERLAPPED *ov);
void ws2_submission_end(struct ws2_submission *sub, bool returned_success);

/* How OVERLAPPED.Internal shows a code; NULL (default): as it is. For an application: as an NTSTATUS. */
typedef ULONG_PTR (*ws2_status_fn)(DWORD code);
void ws2_set_status_form(ws2_status_fn fn);

/* The events and threads that upcalls name. Default: those of sw/switch.h. An application's Winsock on a system that has its own hands in
 * that. The functions give 0 or the code, as the upcall of that name does; an event made is manual reset and not set. */
struct ws2_objects {
    WSAEVENT (*create_event)(void); /* WSA_INVALID_EVENT: no memory */
    int (*close_event)(WSAEVENT e); /* these three: WSA_INVALID_HANDLE */
    int (*reset_event)(WSAEVENT e);
    int (*set_event)(WSAEVENT e);
    int (*open_this_thread)(WSATHREADID *out);
    int (*close_thread)(const WSATHREADID *id);
    int (*queue_call)(const WSATHREADID *id, LPWSAUSERAPC fn, DWORD_PTR context);
};
void ws2_set_objects(
    const struct ws2_objects *objects); /* borrowed for ever; before the first provider starts */

/* --- overlapped operations without a completion routine ---
 * Around the call down, so that the completion can be checked: exactly once, of this handle, for an operation that was submitted.
 * Operations that were not announced are checked by what their OVERLAPPED shows. */

/* WSAENOTSOCK; WSAEINVAL: `ov` is in use. */
int ws2_operation_begin(SOCKET s, WSAOVERLAPPED *ov);
/* result and error as the provider's function gave them. Completion follows (or went before) unless it refused. */
void ws2_operation_submitted(SOCKET s, WSAOVERLAPPED *ov, int result, INT error);
/* Operations of this handle that are announced and not over. */
unsigned ws2_operations_open(SOCKET s);

/* --- what else the upcalls reach --- */

/* What WPUPostMessage queued, in order. 0, WSAETIMEDOUT. */
int ws2_next_message(struct sw_message *out, uint32_t timeout_ms);
/* The blocking hook of the calling thread, as WSASetBlockingHook sets it; NULL: none. */
void ws2_set_blocking_hook(LPBLOCKINGCALLBACK fn, DWORD_PTR context);
/* The upcalls, and how often each was called: tests call them with wrong arguments too. */
const WSPUPCALLTABLE *ws2_upcall_table(void);
LPWPUCOMPLETEOVERLAPPEDREQUEST ws2_complete_upcall(void);
uint64_t ws2_upcall_count(enum sw_upcall which);

#endif
