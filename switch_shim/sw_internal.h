/* sw_internal.h - what the files of switch_shim/ share.
 * Layer:   switch_shim, private.
 * Locks:   handle slot -> shard of the in-flight set; handle slot -> event -> waiter; thread list -> waiter; and each of these
 *          alone: provider, violation log, object table, start-up. None is held while the provider, a callback or a condition
 *          function runs. */
#ifndef SW_INTERNAL_H
#define SW_INTERNAL_H

#include "pal/atomic.h"
#include "pal/compiler.h"
#include "pal/dll.h"
#include "pal/event.h"
#include "pal/mutex.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "sw/switch.h"
#include "sw_os.h"
#include "sw_wait.h"

/* --- start-up of the library itself (sw_handle.c): tables that live until the process ends --- */
bool sw_global_init(void);

/* --- deadlines --- */
static inline uint64_t sw_deadline(uint32_t timeout_ms)
{
    return timeout_ms == SW_FOREVER ? UINT64_MAX : pal_now_ns() + (uint64_t)timeout_ms * 1000000u;
}

static inline uint32_t sw_remaining_ms(uint64_t deadline_ns)
{
    uint64_t now;

    if (deadline_ns == UINT64_MAX)
        return PAL_WAIT_FOREVER;
    now = pal_now_ns();
    /* rounded up, so that a wait of 0 really means that the deadline has passed */
    return now >= deadline_ns ? 0 : (uint32_t)((deadline_ns - now + 999999u) / 1000000u);
}

/* --- violations (sw_violation.c) --- */
#define SW_VIOLATION_LINES 64
#define SW_VIOLATION_BYTES 200

struct sw_violation_log {
    struct pal_mutex lock; /* guards line[], count */
    unsigned count;
    char line[SW_VIOLATION_LINES][SW_VIOLATION_BYTES];
};
extern struct sw_violation_log sw_stray_violations; /* upcalls through the table of an unloaded provider */

/* What the upcalls of either edge write into a log of theirs, and what tests read: as sw_violations(). */
void sw_violation_add(struct sw_violation_log *log, const char *line);
unsigned sw_violation_text(struct sw_violation_log *log, char *text, size_t text_bytes);
/* p may be NULL. No lock of the caller's matters. */
void sw_violation(struct sw_provider *p, const char *format, ...) PAL_PRINTF(2, 3);
/* A call down failed with `error`: returns the code to pass on, and records codes that no call may give
 * (contract 4.0). */
int sw_call_failed(struct sw_provider *p, const char *name, INT error);

/* --- providers (sw_load.c) --- */
enum sw_phase {
    SW_PHASE_FREE,    /* slot unused: an upcall through its table is a stray */
    SW_PHASE_LOADING, /* WSPStartupEx and the throw-away socket */
    SW_PHASE_RUNNING,
    SW_PHASE_CLEANING, /* inside the last WSPCleanup: only handle closing may come up (contract C20) */
    SW_PHASE_UNLOADING /* WSPCleanup has returned: nothing may come up */
};

struct sw_link {
    struct sw_link *next, *prev;
};

struct sw_message_node;

struct sw_provider {
    unsigned index;       /* of its upcall table; const */
    pal_atomic_u32 phase; /* enum sw_phase; written under the load lock */
    unsigned load_count;  /* load lock */
    pal_atomic_u32 open_handle_count;
    uint64_t load_order; /* load lock; which provider came first (Q30) */
    char *path;          /* canonical; const while loaded, like everything up to `lock` */
    struct pal_dll *dll;
    struct sw_config config;
    LPWSPSTARTUPEX startup;
    WSPDATA data;
    WSAPROTOCOL_INFOW info;
    WSPUPCALLTABLEEX upcalls;
    WSPPROC_TABLE procs;
    struct sw_extensions ext;

    pal_atomic_u64 upcall_count[SW_UPCALL_COUNT];

    struct pal_mutex lock; /* guards what follows */
    struct pal_cond message_queued;
    struct sw_address *addresses;
    unsigned address_count;
    unsigned message_count;
    struct sw_notify default_notify;
    struct sw_link sockets; /* companions and listeners that nobody closed yet */
    LPBLOCKINGCALLBACK blocking_hook;
    DWORD_PTR blocking_context;
    struct sw_message_node *first_message, *last_message;

    struct sw_violation_log violations;
};

bool sw_load_init(void);
/* Where a sentence on failure goes; text may be NULL. sw_reason_fail() returns `code`. */
struct sw_reason {
    char *text;
    size_t bytes;
};
int sw_reason_fail(const struct sw_reason *why, int code, const char *format, ...) PAL_PRINTF(3, 4);
/* 0; WSAEINVALIDPROCTABLE: a slot is empty. */
int sw_check_procs(const char *path, const WSPPROC_TABLE *procs, const struct sw_reason *why);
struct sw_provider *sw_provider_slot(unsigned index);
static inline enum sw_phase sw_phase_of(const struct sw_provider *p)
{
    /* acquire: whoever sees RUNNING sees the filled structure */
    return (enum sw_phase)pal_load_acquire(&((struct sw_provider *)p)->phase);
}

/* Runs the route query of sw_refresh() on an existing descriptor (sw_route.c). */
int sw_route_query(struct sw_provider *p, SOCKET descriptor);
/* The file around this library or program, or in `folder` of a build tree around it, or where it gets installed; `file` itself
 * when there is none, for the loader's search path. malloc'ed; NULL: out of memory. */
char *sw_find_library(const char *folder, const char *file);
/* Loaded providers in load order; returns how many (sw_load.c). */
unsigned sw_loaded_providers(struct sw_provider *out[SW_PROVIDERS_MAX]);

/* --- upcalls (sw_upcall.c) --- */
void sw_upcall_fill(unsigned provider_index, WSPUPCALLTABLEEX *out);
void sw_messages_drop(struct sw_provider *p);

/* --- objects behind handles (sw_handle.c) --- */
enum sw_object_type { SW_OBJECT_FREE, SW_OBJECT_SOCKET, SW_OBJECT_EVENT, SW_OBJECT_THREAD, SW_OBJECT_PORT };

enum sw_lookup {
    SW_LOOKUP_OK,
    SW_LOOKUP_CLOSED, /* was a handle of that type once */
    SW_LOOKUP_UNKNOWN /* never was */
};

struct sw_event_object;
struct sw_thread_object;

/* One slot of the table. Slots are never freed, so a stale handle can always be told from a wild one. */
struct sw_slot {
    struct pal_mutex lock;     /* guards everything below */
    struct pal_cond completed; /* socket: an operation completed, or the handle was closed */
    uint32_t index;            /* const */
    uint32_t generation;       /* part of the handle; grows when the slot is freed */
    enum sw_object_type type;
    const void *owner; /* who made it, never followed: a provider of either kind; NULL: the switch itself */
    union {
        struct {
            DWORD_PTR context; /* from WPUCreateSocketHandle */
            struct sw_notify notify;
            bool holds_queue;         /* a reference to notify.iocp; this and the next of winsock/ only */
            uint8_t completion_modes; /* SetFileCompletionNotificationModes */
            unsigned in_flight;       /* notified operations submitted through sw_send() and its like */
            unsigned waiters;         /* in sw_wait() */
        } socket;
        struct sw_event_object *event;
        struct sw_thread_object *thread;
        struct sw_iocp *port; /* of an application's handle (winsock/) */
    } u;
    uint32_t next_free; /* guarded by the table's lock */
};

/* A locked, zeroed slot of that type, with its handle in *handle; NULL: out of memory. */
struct sw_slot *sw_slot_create(enum sw_object_type type, const void *owner, uintptr_t *handle);
/* The locked slot of an open handle, else NULL and the reason (why may be NULL). */
struct sw_slot *sw_slot_lock(uintptr_t handle, enum sw_object_type type, enum sw_lookup *why);
void sw_slot_unlock(struct sw_slot *slot);
/* Unlocks; the handle is invalid for ever afterwards. */
void sw_slot_close(struct sw_slot *slot);
/* Calls fn for every open handle that `owner` made. fn gets the slot locked and returns with it unlocked or
 * closed. */
bool sw_slots_all_free(void);
void sw_slot_each(const void *owner, void (*fn)(struct sw_slot *slot, uintptr_t handle, void *context),
                  void *context);

/* --- events (sw_event.c): owner is the provider for WPUCreateEvent, NULL for the switch's own --- */
WSAEVENT sw_event_create_for(const void *owner, bool manual_reset, bool initially_set);
enum sw_event_action { SW_EVENT_SET, SW_EVENT_RESET, SW_EVENT_CLOSE };
/* closer: who asks; an event of the switch may not be closed by a provider. *why explains a failure. */
bool sw_event_do(WSAEVENT e, enum sw_event_action action, const void *closer, const char **why);
void sw_event_drop(struct sw_event_object *event); /* a reference; for unload: the slot's */
struct sw_event_object *sw_event_hold(WSAEVENT e); /* NULL: not open */
bool sw_event_take(struct sw_event_object *event); /* was it set? */
bool sw_event_take_all(struct sw_event_object *const *events, unsigned count);
void sw_event_enlist(struct sw_event_object *event, struct sw_wait_node *node, struct sw_waiter *w);
void sw_event_delist(struct sw_event_object *event, struct sw_wait_node *node);

/* --- waiting (sw_wait.c) --- */
#define SW_WAIT_EVENTS_MAX 64u /* MAXIMUM_WAIT_OBJECTS */
#define SW_WAIT_RAN_CALLS  (-1)

struct sw_wait_many {
    const WSAEVENT *events;
    unsigned count; /* 0: only queued calls or the time end it */
    bool wants_all;
    bool is_alertable;
    uint32_t timeout_ms;
};
/* 0: *which is the first that was set (0 for all); SW_WAIT_RAN_CALLS: calls queued to this thread have run; WSAETIMEDOUT;
 * WSA_INVALID_HANDLE; WSAEINVAL: too many; WSA_NOT_ENOUGH_MEMORY. No lock may be held. */
int sw_wait_many(const struct sw_wait_many *m, unsigned *which);

/* --- threads (sw_thread.c) --- */
int sw_thread_open_for(const void *owner, WSATHREADID *out);
int sw_thread_queue(const WSATHREADID *id, LPWSAUSERAPC fn, DWORD_PTR context);
bool sw_thread_init(void);
void sw_thread_drop(struct sw_thread_object *thread);
void sw_thread_set_waiter(
    struct sw_waiter *waiter); /* who is woken when a call is queued to this thread; NULL: nobody */

/* --- operations in flight (sw_inflight.c) --- */
enum sw_inflight_result {
    SW_INFLIGHT_OK,
    SW_INFLIGHT_ABSENT,
    SW_INFLIGHT_OTHER_HANDLE,
    SW_INFLIGHT_NO_MEMORY
};
bool sw_inflight_init(void);
enum sw_inflight_result sw_inflight_add(WSAOVERLAPPED *ov,
                                        SOCKET handle); /* OTHER_HANDLE: in flight already */
enum sw_inflight_result sw_inflight_remove(WSAOVERLAPPED *ov, SOCKET handle);
void sw_inflight_purge(SOCKET handle); /* forget what is left of a closed handle */

/* The OVERLAPPED that this thread is submitting right now, to notice a completion from inside (Q15). */
WSAOVERLAPPED *sw_submitting(void);

/* Makes `handle` the answer of sw_take_created_handle() on this thread. */
void sw_note_created_handle(SOCKET handle);
SOCKET sw_peek_created_handle(void);

/* --- sockets (sw_socket.c) --- */
void sw_sockets_drop(struct sw_provider *p); /* after WSPCleanup: free what nobody closed */

struct sw_socket_base {
    struct sw_link link; /* in provider->sockets, under its lock */
    bool is_listener;
    int port_token; /* kernel TCP port held by this socket; -1: none */
};

/* WSPSocket with `info`; on success descriptor, and the handle that WPUCreateSocketHandle made meanwhile. */
int sw_raw_socket(struct sw_provider *p, WSAPROTOCOL_INFOW *info, SOCKET *descriptor, SOCKET *handle);
/* WSPBind with the port rule of sw_bind(). */
int sw_raw_bind(struct sw_provider *p, SOCKET descriptor, WSD_SOCKADDR_IN *local, int *port_token);
int sw_raw_options(struct sw_provider *p, SOCKET descriptor, const struct sw_socket_params *params);
void sw_base_link(struct sw_provider *p, struct sw_socket_base *base, bool is_listener);
void sw_base_unlink(struct sw_provider *p, struct sw_socket_base *base);
/* A companion around a connected descriptor. */
struct sw_companion *sw_companion_new(struct sw_provider *p, SOCKET descriptor, SOCKET handle);

/* --- completion queue (sw_iocp.c) --- */
/* Where a queue passes its packets on to, as they come. */
struct sw_iocp_target {
    void *context;
    int (*put)(void *context, const struct sw_packet *packet); /* 0, WSA_NOT_ENOUGH_MEMORY; any thread */
    void (*let)(void *context);                                /* with the last reference to the queue */
};
struct sw_iocp *sw_iocp_create_for(
    const struct sw_iocp_target *target); /* NULL: no memory, and `let` is not called */
void sw_iocp_hold(struct sw_iocp *q);     /* one more sw_iocp_destroy() is due */
void sw_iocp_abandon(
    struct sw_iocp
        *q); /* whoever waits, now or later, for a packet that is not there, gets no more than that */
/* As sw_iocp_get(), up to `max` that are there. WSA_OPERATION_ABORTED: abandoned; SW_WAIT_RAN_CALLS: there was none, and calls queued to this
 * thread have run. */
int sw_iocp_get_many(struct sw_iocp *q, struct sw_packet *out, unsigned max, unsigned *got,
                     uint32_t timeout_ms, bool is_alertable);

#endif
