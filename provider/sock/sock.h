/* sock.h - the socket object of the provider.
 * Layer:   provider/sock. Above: spi/. Below: data/ (struct wsd_chan) and the verbs backend's connections.
 * Life:    slots of a table that are never freed while the library is loaded, so a stale descriptor finds
 *          a slot, sees that its generation is over, and is told WSAENOTSOCK. Typed references; the last
 *          one frees the channel's memory and recycles the slot.
 * Threads: `lock` guards what a comment does not say otherwise. Lock order: provider -> table -> sock ->
 *          queue locks. No lock is held across an upcall, a connection call or a registration. */
#ifndef WSD_SOCK_H
#define WSD_SOCK_H

#include "data/chan.h"
#include "sock/conn_wire.h"
#include "sock/sock_state.h"
#include "wsd/ws2_types.h"

enum wsd_sock_ref {
    /* dropped by WSPCloseSocket only: the switch may use the descriptor until then (14.1, 17) */
    WSD_REF_DESCRIPTOR,
    WSD_REF_CALL, /* a call of the switch is using it */
    /* connection thread: a connection event may still name it, or its tear-down is not done */
    WSD_REF_CONN,
    WSD_REF_HANDLE, /* the switch handle is open: operations are pending or the descriptor is */
    WSD_REF_QUEUE,  /* in a listener's queue */
    WSD_REF_COUNT
};

/* Work for the connection thread, one bit per kind; a socket is in its list at most once. */
enum wsd_work {
    WSD_WORK_TEARDOWN = 1u << 0, /* close the connection and release the channel */
    WSD_WORK_FAILED = 1u << 1,   /* a request failed: break the connection */
    WSD_WORK_DISPOSE = 1u << 2,  /* retired bounce buffers */
    WSD_WORK_UNLISTEN = 1u << 3,
    WSD_WORK_WATCH = 1u << 4 /* deadline_ns was set: put it on the timer list */
};

/* Event object that WSPEventSelect registered, with its record (4.6, 4.7). */
struct wsd_events {
    WSAEVENT object; /* the switch's; NULL when nothing is registered */
    LONG mask;
    LONG recorded;
    int error[FD_MAX_EVENTS];
    bool accept_armed; /* FD_ACCEPT may be recorded: re-enabled by WSPAccept (level trigger) */
    /* Signalling happens outside the lock by one thread at a time; the last wish wins. */
    bool busy;
    uint64_t signaller; /* thread that is busy: the switch may call back from inside its upcall */
    enum { WSD_SIGNAL_NONE, WSD_SIGNAL_SET, WSD_SIGNAL_RESET } wish;
};

#define WSD_OPTION_ROOM 32
struct wsd_option {
    int level, name;
    uint8_t bytes;
    uint8_t value[8];
};

/* Who hears of the outcome of a connection attempt. */
enum wsd_role {
    WSD_ROLE_SWITCH, /* FD_CONNECT */
    WSD_ROLE_RESUME, /* the thread in WSPSocket that takes over a duplicate */
    /* the thread in WSPDuplicateSocket that announces a move; ends by a rejection that says NOTED */
    WSD_ROLE_NOTICE,
    WSD_ROLE_FAREWELL /* nobody: the connection thread closes it */
};

struct wsd_sock {
    /* --- owned by sock_table.c --- */
    pal_atomic_u64 word; /* generation << 32 | references; generation odd = in use */
    uint32_t index;
    struct wsd_sock *next_free;
    _Atomic(uint32_t) refs[WSD_REF_COUNT]; /* debug builds: who holds it */

    struct pal_mutex lock;
    _Atomic(uint32_t) state; /* enum wsd_sock_state; written under lock by wsd_sock_move() only */
    /* the descriptor while the switch may use it, else 0: what calls that take no reference look at */
    _Atomic(SOCKET) current;
    /* set before the socket is CONNECTED, const until the last reference is gone; data calls look at it without one */
    _Atomic(struct wsd_chan *) chan;
    uint32_t id;    /* for log lines */
    SOCKET handle;  /* the switch's, INVALID_SOCKET until there is one; const afterwards */
    uint8_t family; /* enum vb_family of the addresses it takes */
    struct vb_addr local, remote;
    struct wsd_events events;
    bool connect_over, connect_told; /* connecting has ended; FD_CONNECT has been fetched */
    int connect_result;
    struct wsd_option options[WSD_OPTION_ROOM];
    uint32_t option_count;

    /* --- connection --- */
    struct vb_conn *conn; /* used by whoever sets the socket up, then by the connection thread */
    uint64_t key, peer_key;
    uint16_t peer_resume_port;
    uint8_t peer_flags;
    uint8_t peer_read_depth; /* offered in its request */
    bool peer_moving;        /* the peer announced a move: keep receives when the connection ends (8.10) */
    struct vb_conn *
        returning; /* connection thread: it is back already, and the old connection has not ended yet; NULL: no */
    uint16_t returning_port;
    uint8_t returning_read_depth;
    /* connection thread: connecting, moving or tear-down must be over then; 0 = none */
    uint64_t deadline_ns;
    bool has_deadline; /* in the connection thread's timer list */
    struct wsd_sock *timer_next;
    uint8_t role;      /* enum wsd_role: who hears of the outcome of connecting */
    bool attempt_done; /* guarded by the engine's lock */
    int connect_error; /* likewise: result of the attempt */
    /* the switch knows it, or is just being told: WSPCleanup closes it; others end with their maker */
    bool has_descriptor;
    bool conn_changing;  /* connection thread is replacing conn and its QP: nobody may start to use them */
    uint32_t conn_users; /* threads other than the connection thread that use conn and its QP now */
    bool disconnected;   /* connection thread: DISCONNECTED was seen or cannot come any more */
    bool established;    /* the connection was up once */
    bool released;       /* connection thread: channel released */
    uint32_t move_token; /* MOVED: names the hand-over record while nobody has taken it */

    /* --- listener --- */
    struct vb_listener *listener;
    struct wsd_sock *queue_head, **queue_tail; /* requests waiting for WSPAccept */
    uint32_t queue_count, backlog;
    struct wsd_sock *queue_next; /* in a listener's queue */
    /* listener of a queued request: valid while QUEUED, guarded by the parent's lock */
    struct wsd_sock *parent;

    /* --- work of the connection thread; guarded by its lock --- */
    uint32_t work, work_running; /* enum wsd_work bits: asked for, being done */
    struct wsd_sock *work_next;
    bool in_work_list;
};

static inline enum wsd_sock_state wsd_sock_state(const struct wsd_sock *s)
{
    return (enum wsd_sock_state)atomic_load_explicit(&s->state, memory_order_acquire);
}

/* ---- sock_table.c ---- */

/* A fresh socket in state CREATED with one reference of kind `why`; NULL when out of memory. */
struct wsd_sock *wsd_sock_create(enum wsd_sock_ref why);
SOCKET wsd_sock_descriptor(const struct wsd_sock *s);
/* The socket behind a descriptor, with a CALL reference; NULL: unknown or closed. wsd_sock_release() when
 * done. */
struct wsd_sock *wsd_sock_lookup(SOCKET descriptor);

/* A descriptor is (generation << WSD_SOCK_INDEX_BITS | index + 1) << 2: never 0, never INVALID_SOCKET, a multiple of four like
 * every Win32 handle, never equal to the value of a closed one until a slot's generations start again. The highest bit is clear. A SOCKET
 * of 32 bits has room for as many sockets as a 32-bit process can keep connected (46 KiB each). Our choice. */
#define WSD_SOCK_INDEX_BITS      (sizeof(SOCKET) == 8 ? 32u : 15u)
#define WSD_SOCK_GENERATION_BITS (sizeof(SOCKET) == 8 ? 29u : 14u)
#define WSD_SOCK_MOST            (sizeof(SOCKET) == 8 ? 262144u : 32704u) /* whole chunks */
extern _Atomic(struct wsd_sock *) wsd_sock_slots[WSD_SOCK_MOST]; /* by index; one look for a data call */

#define WSD_SOCK_IN_USE(generation) ((generation)&1u)
/* states with no descriptor: closed already, or a request whose descriptor nobody has been given */
#define WSD_SOCK_NOBODYS (1u << WSD_ST_CLOSED | 1u << WSD_ST_QUEUED | 1u << WSD_ST_ACCEPTING)

static inline uint32_t wsd_sock_generation(uint64_t word)
{
    return (uint32_t)(word >> 32) & ((1u << WSD_SOCK_GENERATION_BITS) - 1u);
}

/* NULL: there is no such slot. */
static inline struct wsd_sock *wsd_sock_at(uint32_t index)
{
    /* acquire: the slot is initialised */
    return index < WSD_SOCK_MOST ? atomic_load_explicit(&wsd_sock_slots[index], memory_order_acquire) : NULL;
}

/* The slot that a descriptor names, whatever it holds now, without a reference. NULL: there is no such slot. The two
 * lowest bits are not looked at: who goes on without a reference compares the whole descriptor. */
static inline struct wsd_sock *wsd_sock_slot(SOCKET descriptor)
{
    const uint64_t indices = ((uint64_t)1 << WSD_SOCK_INDEX_BITS) - 1u;
    return wsd_sock_at((uint32_t)((uint64_t)descriptor >> 2 & indices) - 1u);
}

/* Does the switch know this descriptor at this moment? No reference: true a moment ago is all it says. */
static inline bool wsd_sock_is_current(struct wsd_sock *slot, SOCKET descriptor)
{
    return pal_load_relaxed(&slot->current) == descriptor;
}
void wsd_sock_hold(struct wsd_sock *s, enum wsd_sock_ref why);
void wsd_sock_release(struct wsd_sock *s, enum wsd_sock_ref why);
/* Visit every socket in use, with a CALL reference held during the visit. */
void wsd_sock_for_each(void (*visit)(struct wsd_sock *s, void *arg), void *arg);
uint32_t wsd_sock_count(void); /* slots in use */

/* ---- sock.c ---- */

/* The only place that writes `state`. False: the event is not legal in the present state. lock held. */
bool wsd_sock_move_locked(struct wsd_sock *s, enum wsd_sock_event event) PAL_REQUIRES(s->lock);
bool wsd_sock_move(struct wsd_sock *s, enum wsd_sock_event event);
/* Take the DESCRIPTOR reference for the switch. */
void wsd_sock_give_descriptor(struct wsd_sock *s);
/* Create the switch handle (upcall). 0 or a Winsock code. */
int wsd_sock_open_handle(struct wsd_sock *s);
/* WSPCloseSocket behind the descriptor: cancel, complete, close the handle last. silent: final clean-up,
 * no completion upcalls (C20). True for exactly one caller, who then drops the DESCRIPTOR reference. */
bool wsd_sock_close(struct wsd_sock *s, bool silent);
/* Give the socket a channel on the device that owns its local address, tied to s->conn. Control. */
vb_status_t wsd_sock_make_chan(struct wsd_sock *s, uint32_t private_receives);
extern const struct wsd_chan_up wsd_sock_chan_up;

/* ---- event.c ---- */
void wsd_event_select(struct wsd_sock *s, WSAEVENT object, LONG mask);
void wsd_event_enum(struct wsd_sock *s, WSAEVENT object, WSANETWORKEVENTS *out);
void wsd_event_record(struct wsd_sock *s, int bit, int error); /* FD_CONNECT_BIT */
void wsd_event_record_accept(struct wsd_sock *s);              /* after a change of the queue */
void wsd_event_rearm_accept(struct wsd_sock *s);               /* by WSPAccept */
void wsd_event_hold_accept(struct wsd_sock *s);                /* by WSPAccept, answer CF_DEFER */
/* closing: nothing is signalled after return (Q34) */
void wsd_event_forget(struct wsd_sock *s);

#endif
