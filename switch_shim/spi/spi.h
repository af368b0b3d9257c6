/* spi.h - what the files of the upper face share: the socket object and the few helpers around it.
 * Layer:    switch_shim/spi, private. Above it Ws2_32 (or who plays it), below it carriers (carrier.h).
 * Locks:    sw_sock.lock -> sw_selector.lock; start-up lock; object table; nothing else. None is held across an upcall, a call into a
 *           carrier, a condition function or a callback of the application.
 * Source:   contract 8.2, 10.1 to 10.3; README.md of this folder. */
#ifndef SW_SPI_H
#define SW_SPI_H

#include "pal/atomic.h"
#include "pal/lock.h"
#include "pal/mutex.h"
#include "pal/time.h"
#include "san/san.h"
#include "spi/carrier.h"
#include "spi/states.h"
#include "sw/switch.h"
#include "sw_alert.h"

/* --- the socket --- */

/* sw_sock.mode, read without lock on the data path */
#define SW_MODE_OVERLAPPED  0x01u /* WSA_FLAG_OVERLAPPED */
#define SW_MODE_NONBLOCKING 0x02u
#define SW_MODE_SHUT_SEND   0x04u
#define SW_MODE_SHUT_RECV   0x08u
#define SW_MODE_STREAM      0x10u

/* sw_sock.use: how many calls are inside, and what the last one to leave has to do */
#define SW_USE_CLOSING 0x80000000u
#define SW_USE_DEAD    0x40000000u
#define SW_USE_RETIRE  0x20000000u
#define SW_USE_COUNT   0x0FFFFFFFu

struct sw_sock;
struct sw_share;

/* One carrier of a socket. Made with it, freed by its closed(). */
struct sw_leg {
    struct sw_sock *sock; /* holds a reference */
    struct sw_carrier *carrier;
    bool is_san;
    bool is_retired;     /* under the socket's lock: what it still reports is not the socket's any more */
    uint32_t linger_ms;  /* for close() */
    struct sw_leg *next; /* retired, or more SAN listeners */
};

/* One handle of a socket. `first` is part of it; WSPDuplicateSocket within the process gives it more (offer.c). */
struct sw_name {
    SOCKET handle;          /* const once it is made */
    pal_atomic_u32 pending; /* keeps the handle: open, each operation that was started through it */
    bool is_open;           /* this and what follows: sw_sock.lock */
    struct sw_name *next;
};

#define SW_INLINE_BUFFERS 8u

/* One overlapped operation. From sw_io_get() to sw_io_put(). */
struct sw_io {
    struct sw_request r; /* first */
    struct sw_sock *sock;
    struct sw_name *name;           /* the handle that it was started through, and that completes it */
    void (*over)(struct sw_io *io); /* r.op.error and r.op.bytes are valid; any thread */
    LPWSAOVERLAPPED ov;
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine;
    WSATHREADID thread; /* a copy (contract 10.3) */
    void *extra;        /* of AcceptEx and its like */
    struct sw_io *next;
    uint64_t order; /* among those of a shared socket (share.h) */
    /* calling off (cancel.c) */
    struct sw_io *next_record; /* const: of all that the socket has had */
    _Atomic(LPWSAOVERLAPPED)
        live; /* ov from sw_io_start() on until it is over; NULL: nothing to be called off */
    _Atomic(struct sw_carrier *) carrier; /* that has `r`, or is about to; NULL: none */
    void (*cancel)(struct sw_io *io);     /* NULL: all there is to it is `r` */
    pal_atomic_bool is_cancelled;         /* of what goes on in steps: it takes no further one */
    uint64_t issuer;                      /* sw_this_issuer() of the thread that asked */
    unsigned pins;                        /* pool_lock: somebody looks at it, so it is not used again */
    bool is_done_with;                    /* pool_lock: the last of them puts it back */
    WSABUF *heap;                         /* kept for the next operation with many buffers */
    uint32_t heap_count;
    DWORD flags;  /* result, for WSPGetOverlappedResult and the routine */
    INT to_bytes; /* of a datagram's destination */
    WSD_SOCKADDR_STORAGE to;
    WSABUF buffers[SW_INLINE_BUFFERS];
};

struct sw_remembered {
    int level, name, bytes;
    char value[16];
};
#define SW_REMEMBERED_MAX 24u

struct sw_selector;
struct sw_select_node {
    struct sw_select_node *next;
    struct sw_selector *selector;
    uint32_t events; /* that end the wait */
};

struct sw_sock {
    /* the data path: read without lock */
    pal_atomic_u32 use;
    pal_atomic_u32 mode;
    _Atomic(uintptr_t) handle;         /* one that is open; the others are found by sw_sock_get_slowly() */
    _Atomic(struct sw_carrier *) data; /* who moves data now; NULL: not connected, or not here */
    _Atomic(struct sw_share *)
        share; /* several processes have the connection; NULL: only this one. Const once it is there */
    pal_atomic_u32 event_mask;          /* what EventSelect or AsyncSelect asked for; written under lock */
    pal_atomic_u32 send_ms, receive_ms; /* SO_SNDTIMEO, SO_RCVTIMEO; 0: for ever */
    struct pal_lock pool_lock;          /* guards pool, records */
    struct sw_io *pool;
    struct sw_io *records; /* all of them, in the pool or not; they go with the library */

    pal_atomic_u32 refs;     /* memory: open, each leg, each operation, each parked thread */
    pal_atomic_u32 routines; /* of these, operations that are over and whose routine waits for its thread */
    struct sw_name first;
    uint32_t index; /* const: the context behind every handle is index + 1 */

    struct pal_mutex lock; /* guards all that follows */
    struct pal_cond changed;
    enum sw_state state;
    enum sw_state fall_back; /* where an attempt that fails leads when it has no name */
    struct sw_name *names;   /* more handles */
    unsigned open_count;     /* open handles, and offers of one: the last to go closes the socket */
    bool is_last_going;      /* the only handle is being closed: it gets no other any more */
    int af, type, protocol;
    WSAPROTOCOL_INFOW info;
    bool is_closing, is_bound, is_peer_set;
    bool is_moved; /* connected, but the connection is with another process (share.h) */
    int closed_error;
    struct sw_leg *tcp, *san; /* san of a listener: one for each provider */
    struct sw_leg *retired;
    unsigned legs_left;
    uint64_t connected_ns;
    int error; /* SO_ERROR */
    uint32_t linger_ms;
    /* connecting (connect.c) */
    WSD_SOCKADDR_STORAGE to;
    int to_bytes;
    int connect_error;
    bool is_connect_over;
    struct sw_io *connect_io;
    /* accepting (listen.c) */
    int backlog;
    uint32_t accept_waiters, accept_events;
    struct sw_sock *deferred, *deferred_next;
    struct sw_io *accept_first, *accept_last;
    bool is_pumping, pump_again;
    /* events (events.c) */
    bool
        is_signalling; /* somebody sets or resets the event object, and looks at `recorded` in the same step */
    WSAEVENT event;
    HWND window;
    UINT message;
    SOCKET message_handle;       /* the messages name it */
    uint32_t recorded, disabled; /* FD_*: reported and not fetched; waiting for the re-enabling call */
    int event_error[FD_MAX_EVENTS];
    struct sw_select_node *selectors;
    /* options (options.c) */
    WSD_LINGER linger;
    unsigned remembered_count;
    struct sw_remembered remembered[SW_REMEMBERED_MAX];
    struct sw_sock *next_free;
    struct sw_sock *share_next; /* share_index.c */
    bool is_indexed;            /* likewise */
};

/* --- objects, references (sock.c) --- */

/* The open socket behind a handle with one call counted inside; NULL and the code. End with sw_sock_leave(). */
struct sw_sock *sw_sock_get_slowly(SOCKET handle, int *error);
void sw_sock_idle(struct sw_sock *s);

static inline void sw_sock_leave(struct sw_sock *s)
{
    uint32_t before = pal_sub_acq_rel(&s->use, 1u);

    if ((before & (SW_USE_CLOSING | SW_USE_RETIRE)) != 0 && (before & SW_USE_COUNT) == 1)
        sw_sock_idle(s);
}

/* For upcalls of carriers and for threads that slept, which hold a reference: may the carriers be called? */
static inline bool sw_sock_enter(struct sw_sock *s)
{
    if ((pal_add_acq_rel(&s->use, 1u) & (SW_USE_CLOSING | SW_USE_DEAD)) == 0)
        return true;
    sw_sock_leave(s);
    return false;
}

/* Objects are never freed while the library lives, so a stale pointer is harmless: what decides is that the call was counted before
 * the handle was compared, and the handle of an object changes only when no call and no reference is left. */
#define SW_CACHE_SIZE 256u
extern _Atomic(struct sw_sock *) sw_sock_cache[SW_CACHE_SIZE];
static inline unsigned sw_cache_at(SOCKET handle)
{
    return (unsigned)((handle >> 2) ^ (handle >> 10)) & (SW_CACHE_SIZE - 1u);
}

static inline struct sw_sock *sw_sock_get(SOCKET handle, int *error)
{
    struct sw_sock *s = pal_load_acquire(&sw_sock_cache[sw_cache_at(handle)]);

    if (s != NULL) {
        if (sw_sock_enter(s)) {
            if (pal_load_relaxed(&s->handle) == handle)
                return s;
            sw_sock_leave(s);
        }
    }
    return sw_sock_get_slowly(handle, error);
}

static inline void sw_sock_hold(struct sw_sock *s)
{
    pal_add_relaxed(&s->refs, 1u);
}
void sw_sock_release(struct sw_sock *s);
/* A thread that is going to sleep: it holds a reference, but no call is counted. */
static inline void sw_sock_park(struct sw_sock *s)
{
    sw_sock_hold(s);
    sw_sock_leave(s);
}

/* A new object without handle or legs, one call counted inside. NULL: no memory. */
struct sw_sock *sw_sock_new(int af, int type, int protocol, const WSAPROTOCOL_INFOW *info, uint32_t mode);
/* Instead of publishing: closes abortively what it has; the counted call is left. */
void sw_sock_abandon(struct sw_sock *s);
/* WSPCloseSocket: nothing enters any more; the last one out closes the legs. False: somebody else was first. */
bool sw_sock_begin_close(struct sw_sock *s, uint32_t linger_ms);
uint32_t sw_sock_linger_ms(struct sw_sock *s); /* as SO_LINGER says */
void sw_sock_close_all(void);                  /* WSPCleanup: abortively, waits until all have gone */
unsigned sw_sock_given_up(void);               /* tests: how many that wait was in vain for */
/* False: the table has no such move. The state stays, and a call that asked for it fails (WSAEINVAL); counted. */
bool sw_sock_move_locked(struct sw_sock *s, enum sw_state to);
/* CONNECTING or ACCEPTING came to nothing: back to what it was. */
void sw_sock_move_back_locked(struct sw_sock *s);
uint32_t sw_sock_refused_moves(void);                    /* tests: there are none */
void sw_sock_for_each(void (*visit)(struct sw_sock *s)); /* with a call counted inside */

/* --- handles (handles.c) --- */

/* WPUCreateSocketHandle. 0 or the code; the object is then for sw_sock_abandon(). */
int sw_sock_publish(struct sw_sock *s);
/* One more, which counts as open from then on. 0 or the code; WSAEINVAL: the socket is being closed. */
int sw_names_add(struct sw_sock *s, SOCKET *out);
bool sw_names_has(struct sw_sock *s, SOCKET handle); /* is it one, and open? */
/* Operations that will complete through a handle keep it: WPUCloseSocketHandle is its last upcall. NULL: it was closed meanwhile. */
struct sw_name *sw_names_keep(struct sw_sock *s, SOCKET handle);
void sw_names_let(struct sw_sock *s, struct sw_name *name);
/* WSPCloseSocket of one among several: 0, it is done and the socket stays. WSAENOTSOCK: it is closed already. SW_NAMES_LAST: nothing was
 * done, the socket has to be closed. */
#define SW_NAMES_LAST (-1)
int sw_names_close(struct sw_sock *s, SOCKET handle);
void sw_names_stay(struct sw_sock *s);      /* behind SW_NAMES_LAST: it is not closed after all */
void sw_names_close_all(struct sw_sock *s); /* the socket is closed */

/* --- carriers of a socket (sock.c) --- */

struct sw_leg *sw_leg_new(struct sw_sock *s, bool is_san); /* NULL: no memory */
void sw_leg_free_unused(struct sw_leg *leg);               /* creating the carrier failed */
/* To another socket, while nobody else knows the leg: nothing is asked of its carrier, and it reports nothing. */
void sw_leg_move(struct sw_leg *leg, struct sw_sock *to);
/* A leg of TCP/IP, of the family, type and protocol of the socket. 0, *out; or the code. */
int sw_tcp_leg_make(struct sw_sock *s, struct sw_leg **out);
/* A leg that the socket needs no longer (unlinked by the caller): closed when no call is inside. */
void sw_leg_retire_locked(struct sw_sock *s, struct sw_leg *leg, uint32_t linger_ms);
extern const struct sw_carrier_up sw_leg_up;
static inline void sw_sock_set_data(struct sw_sock *s, struct sw_carrier *c)
{
    pal_store_release(&s->data, c);
}

/* --- upcalls (upcall.c): no lock may be held --- */

SOCKET sw_up_create_handle(DWORD entry, DWORD_PTR context, int *error); /* dwCatalogEntryId of the socket */
void sw_up_close_handle(SOCKET handle);
int sw_up_context(SOCKET handle, DWORD_PTR *context); /* 0 or the code */
void sw_up_set_event(WSAEVENT event);
void sw_up_reset_event(WSAEVENT event);
bool sw_up_complete(SOCKET handle, LPWSAOVERLAPPED ov, DWORD error, DWORD bytes); /* false: nobody is told */
bool sw_up_queue_apc(LPWSATHREADID thread, LPWSAUSERAPC fn, DWORD_PTR context);
void sw_up_post_message(HWND window, UINT message, WPARAM wparam, LPARAM lparam);
bool sw_up_is_in_set(SOCKET handle, WSD_FD_SET *set);
LPBLOCKINGCALLBACK sw_up_blocking_hook(DWORD_PTR *context); /* NULL: none */
int sw_up_install(const WSPUPCALLTABLE *table,
                  DWORD catalog_id); /* 0, WSA_NOT_ENOUGH_MEMORY, WSASYSNOTREADY */
unsigned sw_up_kept(void);           /* tests: how many tables there have been */
void sw_up_silence(bool on);         /* WSPCleanup cancels without telling (contract 10.1, 5) */

/* --- start-up (startup.c, providers.c) --- */

enum sw_switch_mode { SW_SWITCH_OFF, SW_SWITCH_ON, SW_SWITCH_FORCED };
bool sw_spi_is_started(void);
extern const WSPPROC_TABLE sw_spi_table;
void sw_providers_prepare(void); /* reads the environment */
void sw_providers_load(void);    /* as many as can be; no lock is held, and sockets are in use perhaps */
void sw_providers_unload(void);
enum sw_switch_mode sw_providers_mode(void);
const struct sw_san_settings *sw_providers_settings(void);
/* The provider for a connection, as sw_provider_for(); NULL: TCP/IP. */
struct sw_provider *sw_providers_for(const WSD_SOCKADDR_IN *to, const WSD_SOCKADDR_IN *bound,
                                     WSD_SOCKADDR_IN *local);
/* Those that serve a listener bound to `local`; returns how many. */
unsigned sw_providers_listening(const WSD_SOCKADDR_IN *local, struct sw_provider *out[SW_PROVIDERS_MAX]);
void sw_providers_watch(void); /* refresh the subnet tables when addresses change */

/* --- catalog (catalog.c) --- */

/* Zeros and FROM_PROTOCOL_INFO filled in, checked. 0 or WSAESOCKTNOSUPPORT, WSAEAFNOSUPPORT, WSAEPROTONOSUPPORT, WSAEINVAL. */
int sw_catalog_choose(int *af, int *type, int *protocol, const WSAPROTOCOL_INFOW *given);
void sw_catalog_fill(WSAPROTOCOL_INFOW *out, int af, int type, int protocol, const WSAPROTOCOL_INFOW *given);

/* --- blocking (block.c) --- */

struct sw_blocker {
    struct sw_alert alert; /* first */
    struct sw_interrupt interrupt;
    struct sw_blocker *outer; /* of this thread */
    LPBLOCKINGCALLBACK hook;
    DWORD_PTR hook_context;
    uint64_t deadline_ns;
    bool is_cancelled;
};
void sw_block_begin(struct sw_blocker *b, uint32_t timeout_ms); /* 0: for ever */
void sw_block_end(struct sw_blocker *b);
uint64_t sw_block_slice(
    const struct sw_blocker *b); /* sleep no longer than until then; UINT64_MAX: for ever */
int sw_block_after_slice(
    struct sw_blocker *b); /* that time has come: 0: go on; WSAETIMEDOUT, WSAEINTR. No lock held */
/* Who is woken, beside the carrier's wait(), when a call is queued to the thread; NULL: nobody. No lock held. */
void sw_block_set_poke(struct sw_blocker *b, void (*poke)(struct sw_interrupt *), void *sleeper);
/* The calls queued to this thread, if any has been since; true: some may have run. No lock held, no call counted. */
bool sw_block_run_calls(struct sw_blocker *b);
/* Sleep on s->changed, lock held, socket parked. 0: look again; WSAETIMEDOUT, WSAEINTR. Unlocks while a hook or queued calls run. */
int sw_block_on_change_locked(struct sw_sock *s, struct sw_blocker *b);
/* After submit() of `r` (is_waited) answered WSA_IO_PENDING: wait, within the time, hook and cancel rules. Called with a call counted,
 * which is still so when it returns, or *is_gone: the socket was closed meanwhile. 0 or the code; r->op.bytes. */
int sw_block_on_request(struct sw_sock *s, struct sw_carrier *c, struct sw_request *r, uint32_t timeout_ms,
                        bool *is_gone);

/* --- overlapped (overlapped.c) --- */

bool sw_io_init(void); /* once, at start-up */
/* An operation with a reference to the socket and to the handle that the caller named. NULL: no memory, or that handle is closed. */
struct sw_io *sw_io_get(struct sw_sock *s, SOCKET handle, LPWSAOVERLAPPED ov,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, const WSATHREADID *thread);
int sw_io_buffers(struct sw_io *io, const WSABUF *buffers, DWORD count); /* copies the array; 0, WSAENOBUFS */
void sw_io_put(struct sw_io *io);                                        /* not to be completed: refused */
void sw_io_start(struct sw_io *io); /* Internal becomes WSS_OPERATION_IN_PROGRESS */
/* Over: tell the application by event, routine or completion upcall; gives io back. */
void sw_io_deliver(struct sw_io *io, int error, DWORD bytes);
void sw_io_complete_now(struct sw_sock *s, SOCKET handle, LPWSAOVERLAPPED ov,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, const WSATHREADID *thread, int error,
                        DWORD bytes, DWORD flags);
void sw_io_free_pool(struct sw_sock *s);
bool sw_io_routines_are_out(void); /* some thread still has a call into this library queued, or is in one */
/* A record that stays what it is, whatever becomes of its operation. */
void sw_io_pin(struct sw_io *io);
void sw_io_unpin(struct sw_io *io);

/* --- calling off (cancel.c) --- */

uint64_t sw_this_issuer(void); /* a number of this thread's own, never used again */
/* submit() of one step of an operation that has several. As submit(), and WSA_OPERATION_ABORTED: it has been called off. A call is
 * counted inside the socket whose carrier it is. */
int sw_io_submit_step(struct sw_io *io, struct sw_carrier *c);
void sw_io_cancel_request(struct sw_io *io); /* what is in its carrier; a call is counted inside io->sock */

/* --- events (events.c) --- */

/* These became true. Records, signals, wakes selectors and sleepers. */
void sw_events_happened(struct sw_sock *s, uint32_t events, int error);
/* The same, by one carrier: nothing when the socket has retired it. */
void sw_events_of_leg(struct sw_leg *leg, uint32_t events, int error);
/* A re-enabling call was made (contract 10.3). A call is counted inside. */
void sw_events_enable_slowly(struct sw_sock *s, uint32_t events);
static inline void sw_events_enable(struct sw_sock *s, uint32_t events)
{
    if ((pal_load_relaxed(&s->event_mask) & events) != 0)
        sw_events_enable_slowly(s, events);
}
/* The state has changed: ask the carriers for what is wanted. A call is counted inside. */
void sw_events_arm(struct sw_sock *s);
/* As WSPEventSelect or WSPAsyncSelect said for the listener (contract 10.1, 0). */
void sw_events_inherit(struct sw_sock *listener, struct sw_sock *s);
#define SW_EVENT_GONE 0x80000000u /* beside the FD_*: this process closed the socket */
void sw_events_wake_locked(struct sw_sock *s, uint32_t events);
void sw_events_forget_locked(
    struct sw_sock *s); /* a new connection begins: FD_CONNECT, FD_CLOSE ... may come again */

/* --- connections (connect.c, listen.c) --- */

#define SW_LISTEN_ADDRESSES 16u /* of a provider, where it cannot take the wildcard */
#define SW_LISTENERS_MAX    (1u + SW_PROVIDERS_MAX * SW_LISTEN_ADDRESSES)

void sw_connect_event(struct sw_leg *leg, int error);
void sw_accept_event(struct sw_sock *listener);  /* somebody may be there */
void sw_accept_closed(struct sw_sock *listener); /* end AcceptEx operations */
/* Starts connecting (`io` for ConnectEx). 0: connected; WSA_IO_PENDING; else the code. A call is counted inside. */
int sw_connect_begin(struct sw_sock *s, const WSD_SOCKADDR *name, int bytes, struct sw_io *io);
int sw_accept_queue(struct sw_sock *listener, struct sw_io *io); /* AcceptEx; 0 */
int sw_names_bind_any(struct sw_sock *s, const WSD_SOCKADDR *beside);
void sw_connect_established(struct sw_sock *s, struct sw_leg *leg);
int sw_shutdown_both_ways(struct sw_sock *s, int how);

/* --- options (options.c) --- */
void sw_options_init(struct sw_sock *s);
int sw_options_replay(struct sw_sock *s, struct sw_carrier *san); /* set what is remembered on a companion */
void sw_options_inherit(struct sw_sock *listener, struct sw_sock *s);

/* --- extension functions (extensions.c, transmit.c) --- */
bool sw_extension_by_guid(const GUID *id, void *out);

/* --- the thirty --- */
#define SW_RESULT(error_out, code) (*(error_out) = (code), SOCKET_ERROR)

SOCKET WSPAPI sw_spi_accept(SOCKET h, WSD_SOCKADDR *addr, LPINT addrlen, LPCONDITIONPROC condition,
                            DWORD_PTR data, LPINT error);
INT WSPAPI sw_spi_address_to_string(WSD_SOCKADDR *address, DWORD bytes, LPWSAPROTOCOL_INFOW info, LPWSTR text,
                                    LPDWORD length, LPINT error);
int WSPAPI sw_spi_async_select(SOCKET h, HWND window, UINT message, LONG events, LPINT error);
int WSPAPI sw_spi_bind(SOCKET h, const WSD_SOCKADDR *name, int bytes, LPINT error);
int WSPAPI sw_spi_cancel_blocking_call(LPINT error);
int WSPAPI sw_spi_cleanup(LPINT error);
int WSPAPI sw_spi_close_socket(SOCKET h, LPINT error);
int WSPAPI sw_spi_connect(SOCKET h, const WSD_SOCKADDR *name, int bytes, LPWSABUF caller, LPWSABUF callee,
                          LPQOS sqos, LPQOS gqos, LPINT error);
int WSPAPI sw_spi_duplicate_socket(SOCKET h, DWORD process, LPWSAPROTOCOL_INFOW info, LPINT error);
int WSPAPI sw_spi_enum_network_events(SOCKET h, WSAEVENT event, LPWSANETWORKEVENTS out, LPINT error);
int WSPAPI sw_spi_event_select(SOCKET h, WSAEVENT event, LONG events, LPINT error);
BOOL WSPAPI sw_spi_get_overlapped_result(SOCKET h, LPWSAOVERLAPPED ov, LPDWORD bytes, BOOL wait,
                                         LPDWORD flags, LPINT error);
int WSPAPI sw_spi_get_peer_name(SOCKET h, WSD_SOCKADDR *name, LPINT bytes, LPINT error);
int WSPAPI sw_spi_get_sock_name(SOCKET h, WSD_SOCKADDR *name, LPINT bytes, LPINT error);
int WSPAPI sw_spi_get_sock_opt(SOCKET h, int level, int name, char *value, LPINT bytes, LPINT error);
BOOL WSPAPI sw_spi_get_qos_by_name(SOCKET h, LPWSABUF name, LPQOS qos, LPINT error);
int WSPAPI sw_spi_ioctl(SOCKET h, DWORD code, LPVOID in, DWORD in_bytes, LPVOID out, DWORD out_bytes,
                        LPDWORD returned, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                        LPWSATHREADID thread, LPINT error);
SOCKET WSPAPI sw_spi_join_leaf(SOCKET h, const WSD_SOCKADDR *name, int bytes, LPWSABUF caller,
                               LPWSABUF callee, LPQOS sqos, LPQOS gqos, DWORD flags, LPINT error);
int WSPAPI sw_spi_listen(SOCKET h, int backlog, LPINT error);
int WSPAPI sw_spi_recv(SOCKET h, LPWSABUF buffers, DWORD count, LPDWORD bytes, LPDWORD flags,
                       LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread,
                       LPINT error);
int WSPAPI sw_spi_recv_disconnect(SOCKET h, LPWSABUF data, LPINT error);
int WSPAPI sw_spi_recv_from(SOCKET h, LPWSABUF buffers, DWORD count, LPDWORD bytes, LPDWORD flags,
                            WSD_SOCKADDR *from, LPINT from_bytes, LPWSAOVERLAPPED ov,
                            LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error);
int WSPAPI sw_spi_select(int nfds, WSD_FD_SET *read, WSD_FD_SET *write, WSD_FD_SET *except,
                         WSD_SELECT_TIMEOUT timeout, LPINT error);
int WSPAPI sw_spi_send(SOCKET h, LPWSABUF buffers, DWORD count, LPDWORD bytes, DWORD flags,
                       LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread,
                       LPINT error);
int WSPAPI sw_spi_send_disconnect(SOCKET h, LPWSABUF data, LPINT error);
int WSPAPI sw_spi_send_to(SOCKET h, LPWSABUF buffers, DWORD count, LPDWORD bytes, DWORD flags,
                          const WSD_SOCKADDR *to, int to_bytes, LPWSAOVERLAPPED ov,
                          LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error);
int WSPAPI sw_spi_set_sock_opt(SOCKET h, int level, int name, const char *value, int bytes, LPINT error);
int WSPAPI sw_spi_shutdown(SOCKET h, int how, LPINT error);
SOCKET WSPAPI sw_spi_socket(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags,
                            LPINT error);
INT WSPAPI sw_spi_string_to_address(LPWSTR text, INT af, LPWSAPROTOCOL_INFOW info, WSD_SOCKADDR *out,
                                    LPINT bytes, LPINT error);

#endif
