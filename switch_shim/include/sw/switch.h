/* sw/switch.h - the Windows Sockets switch as a SAN provider sees it, up to the SAN edge.
 * Layer:    switch_shim; called by tests, bench and programs outside the tree. Calls down into libwsdprov.so
 *           through the tables of <wsd/ws2_types.h>, and answers its sixteen upcalls.
 * Threads:  any thread may call anything, except: calls that free an object (sw_unload, sw_close,
 *           sw_listener_close, sw_iocp_destroy) must not overlap other calls that name this object.
 * Owns:     provider libraries, switch socket handles, events, completion queues, companions. Buffers,
 *           OVERLAPPEDs and registered memory stay the caller's.
 * Errors:   functions that return int return 0 or a Winsock code (WSAE..., WSA_...); there is no last error.
 * Time:     milliseconds; SW_FOREVER waits without limit, 0 only looks.
 * Not here: byte streams, credits, fallback to TCP/IP: the session layer's. One message is one receive.
 * Source:   wsd-contract.md sections 6, 7, 8.1-8.5, 10.2 and appendix A; named per function below. */
#ifndef SW_SWITCH_H
#define SW_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wsd/ws2_types.h"

#if defined(_WIN32)
#define SW_API
#else
#define SW_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define SW_FOREVER        0xFFFFFFFFu
#define SW_PROVIDERS_MAX  8   /* providers loaded at once in one process */
#define SW_DESCRIPTOR_MAX 64  /* bytes of an RDMA buffer descriptor; the contract suggests 24 */
#define SW_HELLO_MAX      256 /* bytes of the first message of a connection (contract 8.5) */
#define SW_HELLO_USER_MAX 208 /* of which the caller of sw_negotiate may use this many */

struct sw_provider;
struct sw_iocp;

/* --- loading a provider --- */

/* Fill with sw_config_init(), then change single fields. Copied by sw_load(). */
struct sw_config {
    uint32_t struct_bytes;   /* sizeof(struct sw_config), set by sw_config_init() */
    DWORD catalog_entry_id;  /* of the TCP/IP entry shown to the provider; default 1001 */
    GUID provider_id;        /* what WPUGetProviderPath answers for; default: a fixed identity of ours */
    bool abort_on_violation; /* print the first contract violation and abort(); default false */
    bool route_own_address;  /* may sw_provider_for() route to one of our own addresses; default true (Q23) */
    bool route_loopback; /* may it route to 127/8 when the provider lists such an address; default false */
    bool hold_tcp_port;  /* keep the kernel TCP port while a companion with port 0 uses it; default true */
    /* The caller calls sw_memory_going() before memory is unmapped that was registered; default true. Else the provider is not asked for its
     * callback (8.9), and must find out itself or keep no registration */
    bool tells_of_unmapping;
};
SW_API void sw_config_init(struct sw_config *config);

/**
 * Load a provider and run the start-up sequence of contract 8.1 against it: WSPStartupEx(2.2, TCP/IP's
 * protocol info, sixteen upcalls), a throw-away socket, SIO_ADDRESS_LIST_QUERY with its size protocol, the
 * seven extensions by GUID, WSPCloseSocket; then build the subnet table with the masks of the operating
 * system (Q29). Loading the same path again only counts: same object, no second WSPStartupEx, `config`
 * ignored.
 *
 * @param path    library file; NULL: environment WSD_PROVIDER, else next to this library (or program), else
 *                in the build tree around it, else in the installation directory
 * @param config  NULL for defaults
 * @param out     written only on success; give back with sw_unload()
 * @param why     receives a sentence on failure, always terminated; may be NULL
 * @return 0; WSAEPROVIDERFAILEDINIT: no library or no WSPStartupEx in it; the code of WSPStartupEx
 *         (WSASYSNOTREADY: no usable adapter); WSAVERNOTSUPPORTED: it answered another version;
 *         WSAEINVALIDPROCTABLE: an empty slot;
 *         WSAEINVALIDPROVIDER: a mandatory extension or the address list is missing; WSAEPROCLIM:
 *         SW_PROVIDERS_MAX reached; WSA_NOT_ENOUGH_MEMORY
 * Source: contract 8.1, 3.3, 3.6; the extensions WSPRdmaRead and WSPMemoryRegistrationCacheCallback may be
 * missing, with WSAEOPNOTSUPP only.
 */
SW_API int sw_load(const char *path, const struct sw_config *config, struct sw_provider **out, char *why,
                   size_t why_bytes);

/**
 * Undo one sw_load(). The last one calls WSPCleanup, checks that every switch handle was closed, and unloads
 * the library. Companions and listeners of the provider must have been closed, or must never be touched
 * again: what is left of them is freed here (a test of WSPCleanup with open sockets does that).
 *
 * @param text  as in sw_violations()
 * @return violations recorded during the whole life of the provider; only the last call counts the left-over
 *         handles
 */
SW_API unsigned sw_unload(struct sw_provider *p, char *text, size_t text_bytes);

SW_API const char *sw_path(const struct sw_provider *p); /* of the library; valid until unloaded */

/* Extension pointers; rdma_read and cache_callback may be NULL. */
struct sw_extensions {
    LPFN_WSPREGISTERMEMORY register_memory;
    LPFN_WSPDEREGISTERMEMORY deregister_memory;
    LPFN_WSPREGISTERRDMAMEMORY register_rdma_memory;
    LPFN_WSPDEREGISTERRDMAMEMORY deregister_rdma_memory;
    LPFN_WSPRDMAWRITE rdma_write;
    LPFN_WSPRDMAREAD rdma_read;
    LPFN_WSPMEMORYREGISTRATIONCACHECALLBACK cache_callback;
};

/* All of these stay valid and unchanged until the last sw_unload(). */
SW_API const WSPPROC_TABLE *sw_procs(const struct sw_provider *p);
SW_API const struct sw_extensions *sw_extensions(const struct sw_provider *p);
SW_API const WSPDATA *sw_wspdata(const struct sw_provider *p);
/* The TCP/IP entry that the provider was given. */
SW_API const WSAPROTOCOL_INFOW *sw_protocol_info(const struct sw_provider *p);

/* For tests that call WSPStartupEx and WSPCleanup themselves on a loaded provider. */
SW_API LPWSPSTARTUPEX sw_startup_entry(const struct sw_provider *p);
SW_API const WSPUPCALLTABLEEX *sw_upcall_table(const struct sw_provider *p);

/* --- routing --- */

struct sw_address {
    WSD_SOCKADDR_IN address; /* port 0 */
    ULONG mask;              /* network order; all ones when no interface of this host owns the address */
    char interface_name[32]; /* empty when unknown */
};

/* The list of the last SIO_ADDRESS_LIST_QUERY. Fills at most `max` entries, returns how many there are. */
SW_API unsigned sw_addresses(struct sw_provider *p, struct sw_address *out, unsigned max);

/**
 * Ask the provider again and rebuild the subnet table; the switch does so when TCP/IP reports an address
 * change.
 * @return 0, or the code of WSPSocket or WSPIoctl; the old table stays then
 * Source: contract 8.1.
 */
SW_API int sw_refresh(struct sw_provider *p);

/**
 * Which provider serves a destination: the first loaded one with a subnet that contains it.
 *
 * @param bound  the address the application bound, or NULL, or the wildcard: a real one must be the
 *               provider's own (Q31)
 * @param local  receives the provider's own address in that subnet, port 0; may be NULL
 * @return NULL: use TCP/IP. The reference is borrowed: keep the provider loaded while it is used
 * Source: contract 8.2, Q23, Q29-Q32.
 */
SW_API struct sw_provider *sw_provider_for(const WSD_SOCKADDR_IN *remote, const WSD_SOCKADDR_IN *bound,
                                           WSD_SOCKADDR_IN *local);

/* --- violations and counters --- */

/**
 * Contract violations that the upcalls and the helpers noticed so far. Each one becomes a line of text (the
 * first 64 are kept). p == NULL: upcalls that came through the table of a provider that is not loaded any
 * more.
 * @param text  receives the lines, terminated, as many as fit; may be NULL
 * @return how many violations there were
 */
SW_API unsigned sw_violations(struct sw_provider *p, char *text, size_t text_bytes);
SW_API void sw_violations_clear(struct sw_provider *p);

/* In the order of WSPUPCALLTABLEEX. */
enum sw_upcall {
    SW_UPCALL_CLOSE_EVENT,
    SW_UPCALL_CLOSE_SOCKET_HANDLE,
    SW_UPCALL_CREATE_EVENT,
    SW_UPCALL_CREATE_SOCKET_HANDLE,
    SW_UPCALL_FD_IS_SET,
    SW_UPCALL_GET_PROVIDER_PATH,
    SW_UPCALL_MODIFY_IFS_HANDLE,
    SW_UPCALL_POST_MESSAGE,
    SW_UPCALL_QUERY_BLOCKING_CALLBACK,
    SW_UPCALL_QUERY_SOCKET_HANDLE_CONTEXT,
    SW_UPCALL_QUEUE_APC,
    SW_UPCALL_RESET_EVENT,
    SW_UPCALL_SET_EVENT,
    SW_UPCALL_OPEN_CURRENT_THREAD,
    SW_UPCALL_CLOSE_THREAD,
    SW_UPCALL_COMPLETE_OVERLAPPED_REQUEST,
    SW_UPCALL_COUNT
};
SW_API uint64_t sw_upcall_count(const struct sw_provider *p, enum sw_upcall which);

SW_API const char *sw_error_name(int wsa_error); /* "WSAECONNREFUSED"; a static string, "?" when unknown */

/* --- events --- */

/* Win32 event objects. WSAEVENT values have their low bits clear and stay invalid for ever once closed. */
SW_API WSAEVENT sw_event_create(bool manual_reset, bool initially_set); /* WSA_INVALID_EVENT: out of memory */
SW_API int sw_event_close(WSAEVENT e);                                  /* these three: WSA_INVALID_HANDLE */
SW_API int sw_event_set(WSAEVENT e);
SW_API int sw_event_reset(WSAEVENT e);
/* 0: it was set (an auto-reset event is consumed); WSAETIMEDOUT; WSA_INVALID_HANDLE. */
SW_API int sw_event_wait(WSAEVENT e, uint32_t timeout_ms);

/* --- what a notification does: callback, queue, event --- */

/* Called by WPUCompleteOverlappedRequest in the provider's thread, after the OVERLAPPED shows the result; no
 * lock of the shim is held, the OVERLAPPED is the caller's again. It may submit and even close. */
typedef void (*sw_completion_fn)(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes);

enum sw_notify_kind {
    SW_NOTIFY_EVENT,    /* nothing but what always happens: ov->hEvent is set when it is an event of ours */
    SW_NOTIFY_CALLBACK, /* and fn(context, ...) is called */
    SW_NOTIFY_IOCP      /* and a packet with `key` goes into `iocp` */
};

struct sw_notify {
    enum sw_notify_kind kind;
    sw_completion_fn fn;
    void *context;
    struct sw_iocp *iocp; /* borrowed; must outlive the socket handles that use it */
    ULONG_PTR key;
};

/* For a handle, and the default for handles that the provider creates later. `n` is copied; NULL means
 * SW_NOTIFY_EVENT. WSAENOTSOCK: no such open handle; WSAEINVAL: kind without its function or queue. */
SW_API int sw_handle_set_notify(SOCKET handle, const struct sw_notify *n);
SW_API int sw_set_default_notify(struct sw_provider *p, const struct sw_notify *n);

struct sw_packet {
    ULONG_PTR key;
    SOCKET handle; /* the switch's */
    WSAOVERLAPPED *ov;
    DWORD error;
    DWORD bytes;
};
SW_API struct sw_iocp *sw_iocp_create(void);    /* NULL: out of memory */
SW_API void sw_iocp_destroy(struct sw_iocp *q); /* nobody may be waiting; packets left in it are dropped */
/* 0, WSAETIMEDOUT. Packets come out in the order in which they went in. */
SW_API int sw_iocp_get(struct sw_iocp *q, struct sw_packet *out, uint32_t timeout_ms);
SW_API int sw_iocp_post(struct sw_iocp *q, const struct sw_packet *packet); /* 0, WSA_NOT_ENOUGH_MEMORY */

/* --- the upper face: the switch as Ws2_32 loads it (spi/README.md) --- */

/* The entry of a base provider (contract 10.1). */
SW_API int WSPAPI WSPStartup(WORD version, LPWSPDATA data, LPWSAPROTOCOL_INFOW info, WSPUPCALLTABLE upcalls,
                             LPWSPPROC_TABLE table);
/* WPUCompleteOverlappedRequest, which a base provider imports from Ws2_32 (contract 10.1): whoever plays Ws2_32 hands it over
 * before WSPStartup; else it is looked for in the process. */
SW_API void sw_set_complete_upcall(LPWPUCOMPLETEOVERLAPPEDREQUEST fn);
/* Who carries the data of a socket of WSPSocket: "tcp" or "san"; "" when it is not connected. WSAENOTSOCK; WSAEFAULT: no room. */
SW_API int sw_carried_by(SOCKET handle, char *name, size_t bytes);
/**
 * What CancelIoEx and CancelIo do, which on Windows act on handles of the I/O manager (IFS handles), not on a base provider's without
 * them: operations of a socket of WSPSocket are to end early. Each still completes once, as it would have been told: with
 * WSA_OPERATION_ABORTED when it could be taken back; with its result when it was over already; a receive that has bytes (MSG_WAITALL)
 * with these. A send that the peer of a SAN reads from, or of which a part has gone, cannot be taken back: it has half a second to end, then the
 * connection ends, and it completes with WSA_OPERATION_ABORTED (contract 8.8; over TCP/IP it ends at once with what has gone in
 * InternalHigh, and the stream is good for closing only). A ConnectEx leaves the socket unbound. Does not wait for any of this.
 *
 * @param handle       any handle of the socket: an operation belongs to the socket, an AcceptEx to the listener
 * @param ov           NULL: all operations
 * @param is_own_only  those that the calling thread started (CancelIo)
 * @return 0; WSANOTINITIALISED, WSAENOTSOCK; 1168 (ERROR_NOT_FOUND): there is no such operation, or it is over
 */
SW_API int sw_cancel_io(SOCKET handle, LPWSAOVERLAPPED ov, bool is_own_only);
/* What WSAPoll asks, which is more than select answers: the end of a stream beside its unread bytes. No function of the thirty has it. */
struct sw_polled {
    SOCKET handle;
    uint32_t
        wanted; /* FD_READ, FD_ACCEPT, FD_WRITE, FD_OOB: of these one is enough; an end and a failure always are */
    /* out; all zero: nothing */
    uint32_t events; /* FD_* that are true, wanted or not */
    int close_error; /* belongs to FD_CLOSE */
    bool has_failed; /* the last attempt to connect */
    bool is_none;    /* no socket, or closed meanwhile */
};

/**
 * Wait until there is something to tell of some of them.
 * @param timeout_ms  negative: for ever
 * @param ready       so many have something to tell; 0: the time is over
 * @return 0; WSANOTINITIALISED, WSAENOBUFS; WSAEINTR: the blocking hook or WSPCancelBlockingCall
 */
SW_API int sw_poll_sockets(struct sw_polled *all, unsigned count, int timeout_ms, unsigned *ready);
/* What WSAGetLastError() would say of this thread's last extension function (AcceptEx ...), which have no lpErrno. */
SW_API int sw_last_error(void);

/* --- switch handles, for tests --- */

SW_API bool sw_handle_is_open(SOCKET handle);
SW_API unsigned sw_open_handles(struct sw_provider *p);
/* The handle of this thread's last WPUCreateSocketHandle; INVALID_SOCKET: none since the last question. */
SW_API SOCKET sw_take_created_handle(void);

/* --- threads, APCs, messages, blocking hook --- */

/* The calling thread's id, as WPUOpenCurrentThread gives it; close with sw_thread_close(). */
SW_API int sw_thread_open(WSATHREADID *out);       /* WSAEFAULT, WSA_NOT_ENOUGH_MEMORY */
SW_API int sw_thread_close(const WSATHREADID *id); /* WSA_INVALID_HANDLE */
/* Run the APCs queued to the calling thread, waiting for the first. Returns how many ran; 0: timed out, or
 * nobody opened this thread's id (then no APC can come and it does not wait). */
SW_API unsigned sw_alertable_wait(uint32_t timeout_ms);

struct sw_message {
    HWND window;
    UINT message;
    WPARAM wparam;
    LPARAM lparam;
};
/* What WPUPostMessage queued. 0, WSAETIMEDOUT. */
SW_API int sw_next_message(struct sw_provider *p, struct sw_message *out, uint32_t timeout_ms);
/* What WPUQueryBlockingCallback answers; NULL: none. */
SW_API void sw_set_blocking_hook(struct sw_provider *p, LPBLOCKINGCALLBACK fn, DWORD_PTR context);

/* --- companions --- */

/* A SAN socket. Read the fields, do not write them; `context` is the caller's. Made by sw_connect(),
 * sw_accept(), sw_socket() and sw_adopt(), freed by sw_close(). */
struct sw_companion {
    SOCKET descriptor; /* the provider's: for every call down */
    SOCKET handle;     /* the switch's: the provider names it in every upcall */
    const WSPPROC_TABLE *procs;
    const struct sw_extensions *ext;
    struct sw_provider *provider;
    WSD_SOCKADDR_IN local;
    WSD_SOCKADDR_IN remote; /* accepted: as WSPAccept reported it */
    WSAEVENT event;         /* given to WSPEventSelect(FD_CONNECT); none on accepted sockets */
    void *context;
};

struct sw_option {
    int level; /* WS_SOL_SOCKET ... */
    int name;
    const void *value;
    int value_bytes;
};

/* Optional settings of a new socket; NULL means none, and the provider's default notification. */
struct sw_socket_params {
    const struct sw_option *options; /* set on the companion right after WSPBind, in this order */
    unsigned option_count;
    const struct sw_notify *notify; /* copied */
};

/**
 * WSPSocket alone, as the switch calls it: AF_INET, SOCK_STREAM, TCP, overlapped, with TCP/IP's protocol
 * info.
 * @return 0 or the code of WSPSocket; WSA_NOT_ENOUGH_MEMORY
 * Source: contract 4.3.
 */
SW_API int sw_socket(struct sw_provider *p, const struct sw_notify *notify, struct sw_companion **out);

/* WSPBind. A zero port is filled from a kernel TCP socket bound to the same address, as the application's
 * TCP/IP socket would own it (contract 4.4, Q32); c->local shows the result. */
SW_API int sw_bind(struct sw_companion *c, const WSD_SOCKADDR_IN *local);

/**
 * Connect a companion in the order of contract 8.3: WSPSocket, WSPBind, WSPSetSockOpt*,
 * WSPEventSelect(FD_CONNECT), WSPConnect -> WSAEWOULDBLOCK, wait for the event, WSPEnumNetworkEvents. On any
 * failure WSPCloseSocket was called. It does not negotiate; see sw_negotiate().
 *
 * @param local             NULL or wildcard address: the provider's address in the destination's subnet (else
 *                          its first); port 0: see sw_bind()
 * @param timeout_ms        of the whole; the provider's own time-out may strike first
 * @param out               written only on success
 * @param should_fall_back  may be NULL; false after success and after WSAECONNRESET, WSAECONNREFUSED,
 *                          WSAEHOSTUNREACH from the connection attempt; true after any other failure
 *                          (contract 8.2)
 * @return 0 or the code of the failed step; WSAETIMEDOUT also when timeout_ms passed
 */
SW_API int sw_connect(struct sw_provider *p, const WSD_SOCKADDR_IN *local, const WSD_SOCKADDR_IN *remote,
                      uint32_t timeout_ms, const struct sw_socket_params *params, struct sw_companion **out,
                      bool *should_fall_back);

/* The same in two steps. start: up to WSPConnect; on success the connection is under way (or already there),
 * and sw_close() cancels it (contract 8.2). finish: 0; WSAEWOULDBLOCK: not decided within timeout_ms, ask
 * again; else the connection failed for good and the caller still has to sw_close(). */
SW_API int sw_connect_start(struct sw_provider *p, const WSD_SOCKADDR_IN *local,
                            const WSD_SOCKADDR_IN *remote, const struct sw_socket_params *params,
                            struct sw_companion **out, bool *should_fall_back);
SW_API int sw_connect_finish(struct sw_companion *c, uint32_t timeout_ms, bool *should_fall_back);

/**
 * WSPCloseSocket, then free the companion whatever it answered (a kernel TCP port held for it is given back).
 * Pending notified operations complete with WSA_OPERATION_ABORTED before this returns; the results of polled
 * ones can be read with sw_overlapped_result(). Memory that is idle should have been deregistered before.
 * @return 0 or the code of WSPCloseSocket
 * Source: contract 4.13, 8.11.
 */
SW_API int sw_close(struct sw_companion *c);

/* WSPDuplicateSocket: `c` may then only be closed or adopted. WSPSocket with that info takes the socket over,
 * in the target process or back here; `again` names the moved companion when it is this process's own: the
 * provider may then answer with the old descriptor (then `again` is revived and *out == again) or a new one
 * (then `again` still has to be closed).
 * Source: contract 4.14, 4.3, 8.10. */
SW_API int sw_duplicate(struct sw_companion *c, DWORD process_id, WSAPROTOCOL_INFOW *info);
SW_API int sw_adopt(struct sw_provider *p, const WSAPROTOCOL_INFOW *info, const struct sw_notify *notify,
                    struct sw_companion *again, struct sw_companion **out);

/* --- listening --- */

struct sw_listener {
    SOCKET descriptor;
    SOCKET handle;
    const WSPPROC_TABLE *procs;
    struct sw_provider *provider;
    WSD_SOCKADDR_IN local; /* with the real port */
    WSAEVENT event;        /* manual reset, given to WSPEventSelect(FD_ACCEPT) */
    void *context;
};

/**
 * Contract 8.4: WSPSocket, WSPBind, WSPSetSockOpt*, WSPListen, WSPEventSelect(FD_ACCEPT).
 * @param local  the wildcard address listens on all adapters of the provider; port 0: see sw_bind()
 * @return 0 or the code of the failed step, after WSPCloseSocket
 */
SW_API int sw_listen(struct sw_provider *p, const WSD_SOCKADDR_IN *local, int backlog,
                     const struct sw_socket_params *params, struct sw_listener **out);

/**
 * Wait for FD_ACCEPT, WSPEnumNetworkEvents, WSPAccept. Several threads may call it on one listener.
 * The condition function runs in this thread; its arguments are checked against contract 4.9 first.
 *
 * @param condition  NULL: CF_ACCEPT
 * @param notify     for the accepted socket; NULL: the provider's default
 * @return 0; WSAETIMEDOUT: nobody came; WSAECONNREFUSED: the condition said CF_REJECT; WSATRY_AGAIN: it said
 *         CF_DEFER, the next call offers the same request at once; another code of WSPAccept or
 *         WSPEnumNetworkEvents
 * Source: contract 8.4, 4.6, 4.7, 4.9, Q21.
 */
SW_API int sw_accept(struct sw_listener *l, LPCONDITIONPROC condition, DWORD_PTR condition_data,
                     uint32_t timeout_ms, const struct sw_notify *notify, struct sw_companion **out);
SW_API int sw_listener_close(struct sw_listener *l); /* as sw_close() */

/* --- negotiation --- */

/* What one side tells the other in the first message. */
struct sw_hello {
    uint32_t receives_posted; /* beyond the one that takes the hello itself */
    uint32_t receive_bytes;   /* size of each; 0: unknown */
    uint32_t max_msg_bytes;   /* limits of the sender's provider, 0: none; filled in by sw_negotiate() */
    uint32_t max_rdma_bytes;
    uint32_t rdma_threshold_bytes;
    bool has_rdma_read;  /* the sender's provider can WSPRdmaRead; filled in by sw_negotiate() */
    uint16_t user_bytes; /* of user[]: an RDMA descriptor, a test's parameters */
    uint8_t user[SW_HELLO_USER_MAX];
};

/* Posts the caller's receives, mine->receives_posted of them, with sw_recv(). 0 or the code of a failure. */
typedef int (*sw_post_receives_fn)(struct sw_companion *c, void *context);

/**
 * The first messages of a connection, in the order of contract 8.3 and 8.4. The connector posts a receive for
 * the answer and the caller's receives, then sends its hello; the acceptor posts all of its own, waits for
 * the hello, then answers. After that both sides may send as many messages as the other announced. The first
 * message fits the provider's private receive buffers (256 bytes, contract 8.5), which is why nothing else
 * may be sent before. Polls; registers and deregisters its own page.
 *
 * @param is_connector  true on the socket of sw_connect(), false on that of sw_accept()
 * @param mine          receives_posted, receive_bytes and user data are the caller's, the rest is filled in
 *                      here
 * @param post          NULL: no receives to post
 * @param peer          what the other side said; written only on success
 * @return 0; WSAETIMEDOUT; WSAEPROTONOSUPPORT: the first message is no hello; WSAEINVAL: user_bytes too
 *         large; the code of the failed call. After a failure the connection can only be closed: a receive
 *         may still be pending in memory that sw_close() frees
 */
SW_API int sw_negotiate(struct sw_companion *c, bool is_connector, struct sw_hello *mine,
                        sw_post_receives_fn post, void *post_context, uint32_t timeout_ms,
                        struct sw_hello *peer);

/* --- memory --- */

/* WSPRegisterMemory. flags: MEM_READ, MEM_WRITE, MEM_READWRITE (6.2). On failure *out is NULL. */
SW_API int sw_register(struct sw_companion *c, void *memory, DWORD bytes, DWORD flags, HANDLE *out);
/* WSAEINVAL: unknown or in use (6.3). */
SW_API int sw_deregister(struct sw_companion *c, HANDLE registration);

/* Travels to the peer inside a message and is opaque to both switches. */
struct sw_rdma_descriptor {
    DWORD length; /* bytes used */
    BYTE bytes[SW_DESCRIPTOR_MAX];
};
/* WSPRegisterRdmaMemory with its size protocol (6.4); WSAEMSGSIZE: larger than SW_DESCRIPTOR_MAX. */
SW_API int sw_register_rdma(struct sw_companion *c, void *memory, DWORD bytes, DWORD flags,
                            struct sw_rdma_descriptor *out);
SW_API int sw_deregister_rdma(struct sw_companion *c, const struct sw_rdma_descriptor *d);

/**
 * Memory is about to be unmapped (munmap, a free() that returns pages): tell every loaded provider, which may
 * have kept its registration. Call it before, never after. Without it a later mapping at the same address may
 * meet a registration of pages that are not there any more, and data goes astray without an error.
 * @return 0; WSAEFAULT: some registration is still in use; a provider that cached nothing there is no error
 * Source: contract 6.7, 8.9 step 3; checklist 14.2, 13. On Windows the system notices by itself; here the
 * owner of the memory has to say so.
 */
SW_API int sw_memory_going(void *memory, size_t bytes);

/* SO_MAX_MSG_SIZE, SO_MAX_RDMA_SIZE, SO_RDMA_THRESHOLD_SIZE in bytes; 0 where the provider knows no such
 * limit (3.8). */
struct sw_limits {
    DWORD max_msg_bytes;
    DWORD max_rdma_bytes;
    DWORD rdma_threshold_bytes;
};
SW_API int sw_get_limits(struct sw_companion *c, struct sw_limits *out);

/* --- data path --- */

/* How the caller wants to learn of completion: bit 0 of hEvent (contract 7.2). Both may be mixed on one
 * socket. For polled operations the helpers take no lock and allocate nothing; a notified OVERLAPPED they
 * remember, to check that it completes exactly once. */
enum sw_completion {
    SW_POLL,  /* bit set: WSPGetOverlappedResult only, no upcall */
    SW_NOTIFY /* bit clear: WPUCompleteOverlappedRequest */
};

/* Internal to the helpers below. */
SW_API int sw_op_begin(const struct sw_companion *c, WSAOVERLAPPED *ov);
SW_API void sw_op_end(void);
SW_API int sw_op_refused(const struct sw_companion *c, WSAOVERLAPPED *ov, enum sw_completion how, int result,
                         int error);

static inline int sw_op_prepare(const struct sw_companion *c, WSAOVERLAPPED *ov, enum sw_completion how)
{
    if (how == SW_POLL) {
        ov->hEvent = (HANDLE)((ULONG_PTR)ov->hEvent | 1u);
        return 0;
    }
    ov->hEvent = (HANDLE)((ULONG_PTR)ov->hEvent & ~(ULONG_PTR)1u);
    return sw_op_begin(c, ov);
}

static inline int sw_op_submitted(const struct sw_companion *c, WSAOVERLAPPED *ov, enum sw_completion how,
                                  int result, INT error)
{
    if (how == SW_NOTIFY)
        sw_op_end();
    return result == SOCKET_ERROR && error == WSA_IO_PENDING ? 0 : sw_op_refused(c, ov, how, result, error);
}

/* The four operations. `ov` must not be in use; its hEvent is the caller's apart from bit 0, which is set
 * from `how`. 0: started (the provider said WSA_IO_PENDING); ov and buffers are lent until completion.
 * Anything else is the code of the refusal and no completion follows; WSAEINVAL also when a notified `ov` is
 * in use. */

static inline int sw_send(const struct sw_companion *c, WSABUF *buffers, DWORD buffer_count,
                          WSAOVERLAPPED *ov, enum sw_completion how)
{
    DWORD bytes = 0;
    INT error = 0;
    int result = sw_op_prepare(c, ov, how);

    if (result != 0)
        return result;
    result = c->procs->lpWSPSend(c->descriptor, buffers, buffer_count, &bytes, 0, ov, NULL, NULL, &error);
    return sw_op_submitted(c, ov, how, result, error);
}

static inline int sw_recv(const struct sw_companion *c, WSABUF *buffers, DWORD buffer_count,
                          WSAOVERLAPPED *ov, enum sw_completion how)
{
    DWORD bytes = 0;
    DWORD flags = 0;
    INT error = 0;
    int result = sw_op_prepare(c, ov, how);

    if (result != 0)
        return result;
    result = c->procs->lpWSPRecv(c->descriptor, buffers, buffer_count, &bytes, &flags, ov, NULL, NULL,
                                 &error);
    return sw_op_submitted(c, ov, how, result, error);
}

/* From local pieces (each with the handle of its registration) into the peer's buffer, `offset` bytes behind
 * its start. */
static inline int sw_rdma_write(const struct sw_companion *c, WSABUFEX *buffers, DWORD buffer_count,
                                const struct sw_rdma_descriptor *target, DWORD offset, WSAOVERLAPPED *ov,
                                enum sw_completion how)
{
    DWORD bytes = 0;
    INT error = 0;
    int result = sw_op_prepare(c, ov, how);

    if (result != 0)
        return result;
    result = c->ext->rdma_write(c->descriptor, buffers, buffer_count, (LPVOID)target->bytes, target->length,
                                offset, &bytes, 0, ov, NULL, NULL, &error);
    return sw_op_submitted(c, ov, how, result, error);
}

/* From the peer's buffer into local pieces. WSAEOPNOTSUPP: the provider has no WSPRdmaRead. */
static inline int sw_rdma_read(const struct sw_companion *c, WSABUFEX *buffers, DWORD buffer_count,
                               const struct sw_rdma_descriptor *source, DWORD offset, WSAOVERLAPPED *ov,
                               enum sw_completion how)
{
    DWORD bytes = 0;
    INT error = 0;
    int result;

    if (c->ext->rdma_read == NULL)
        return WSAEOPNOTSUPP;
    result = sw_op_prepare(c, ov, how);
    if (result != 0)
        return result;
    result = c->ext->rdma_read(c->descriptor, buffers, buffer_count, (LPVOID)source->bytes, source->length,
                               offset, &bytes, 0, ov, NULL, NULL, &error);
    return sw_op_submitted(c, ov, how, result, error);
}

/* Ask once, without waiting; the question itself drives the provider's progress (contract 4.12). True: the
 * operation is over and *error (0 or its Winsock code) and *bytes (0 on failure) are valid. */
static inline bool sw_poll(const struct sw_companion *c, WSAOVERLAPPED *ov, DWORD *bytes, int *error)
{
    DWORD done = 0;
    DWORD flags = 0;
    INT code = 0;

    if (c->procs->lpWSPGetOverlappedResult(c->descriptor, ov, &done, FALSE, &flags, &code)) {
        *bytes = done;
        *error = 0;
        return true;
    }
    if (code == WSA_IO_INCOMPLETE)
        return false;
    *bytes = 0;
    *error = code;
    return true;
}

/**
 * Wait for one operation. A polled one is driven with sw_poll(), spinning first and then yielding; for a
 * notified one the thread sleeps until WPUCompleteOverlappedRequest has stored the result (whatever the
 * notification does besides).
 *
 * @param bytes, error  as in sw_poll(); may be NULL
 * @return 0: the operation is over, look at *error; WSAETIMEDOUT: it still belongs to the provider;
 *         WSAENOTSOCK: the switch handle was closed and this notified operation never completed
 * Source: contract 7.2, 7.3.
 */
SW_API int sw_wait(const struct sw_companion *c, WSAOVERLAPPED *ov, uint32_t timeout_ms, DWORD *bytes,
                   int *error);

/* WSPGetOverlappedResult with fWait TRUE: the provider waits. Returns the operation's own error. */
SW_API int sw_wait_in_provider(const struct sw_companion *c, WSAOVERLAPPED *ov, DWORD *bytes);

/* What the OVERLAPPED itself shows, without a call down: works after sw_close(). False while in progress. */
SW_API bool sw_overlapped_result(const WSAOVERLAPPED *ov, DWORD *bytes, int *error);

/* --- addresses, for brevity --- */

/* "192.0.2.7" or "192.0.2.7:445" (port 0 when absent). WSAEINVAL. */
SW_API int sw_parse_address(const char *text, WSD_SOCKADDR_IN *out);
/* With the port, always. 22 bytes suffice; returns text. */
SW_API const char *sw_format_address(const WSD_SOCKADDR_IN *a, char *text, size_t text_bytes);

#ifdef __cplusplus
}
#endif

#endif
