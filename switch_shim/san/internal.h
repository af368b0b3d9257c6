/* internal.h - the SAN carrier itself, shared by the files of this folder.
 *
 *   carrier.c   create, names, options; the table           listen.c    listener, accepting, the queue
 *   actor.c     carries out what the session asks for       service.c   the one thread: timers, connects, accepts
 *   slots.c     requests at the provider and their ends     pool.c      memory of a connection
 *   requests.c  submit, now, cancel                         ready.c     what is true now; want()
 *   wait.c      a thread that waits for its request         move.c      another process takes over
 *   hot.c       connections that are polled instead of notified
 *   connect.c   the active side, and what both sides do once they are connected
 *
 * Threads:  any. `lock` guards everything of a connection that has no other comment; one thread at a time is its actor.
 * Locks:    struct sw_interrupt's spin lock -> connection -> service. A listener's lock is never held with another connection's.
 *           None is held while a provider call that may block, a registration or an upcall runs.
 * Source:   README.md; contract 8.3 to 8.11; session/README.md. */
#ifndef SW_SAN_INTERNAL_H
#define SW_SAN_INTERNAL_H

#include "san/san.h"
#include "sw_internal.h"

#define SAN_BUFFERS_MAX   (SW_SESSION_BUFFERS_MAX + SW_SESSION_CONTROL_BUFFERS)
#define CALM_AFTER_EVENTS 256u                         /* visits in a row; our choice */
#define SAN_RDMA_MAX      (SW_WIRE_TRANSFERS_MAX + 1u) /* transfers of ours, and one step of the peer's */

struct san;

/* --- requests at the provider --- */

enum san_slot_kind { SAN_RECEIVE, SAN_SEND, SAN_RDMA };

struct san_slot {
    WSAOVERLAPPED ov; /* first: the completion finds the slot through it */
    struct san *san;  /* const */
    uint8_t kind;
    uint8_t index;          /* buffer of the session */
    bool is_out;            /* the provider has it */
    bool is_polled;         /* bit 0 of hEvent was set */
    bool is_quiet;          /* and nobody waits for its end: the quiet send */
    bool is_over;           /* a receive that is not yet the oldest: its result is below */
    int error;              /* of a receive that is over */
    uint32_t bytes;         /* likewise */
    struct sw_range *range; /* RDMA: whose */
};

/* --- timers (service.c) --- */

enum san_timer_kind {
    SAN_TIMER_CONNECT = SW_TIMER_COUNT, /* patience with WSPConnect */
    SAN_TIMER_START,                    /* settings.accept_delay_ms */
    SAN_TIMER_SLOW,                     /* a child that does not negotiate loses its place in the backlog */
    SAN_TIMER_CANCEL,                   /* patience with a cancelled request that RDMA is at */
    SAN_TIMER_COUNT
};

struct san_timer {
    struct san *san; /* const */
    uint64_t due_ns;
    uint32_t place; /* in the heap, from 1; 0: not armed */
    uint8_t kind;   /* const */
};

/* --- the carrier --- */

enum san_phase {
    SAN_IDLE,
    SAN_LISTENING,
    SAN_CONNECTING,
    SAN_CONNECTED, /* below; the session is yet to be started */
    SAN_RUNNING,   /* a session says what happens */
    SAN_FAILED     /* it never came to a session, and the companion is gone */
};

enum san_request_state { SAN_NOT_HERE, SAN_SUBMITTING, SAN_PENDING, SAN_CANCELLED, SAN_DONE, SAN_OWN };

/* A thread in wait(); lives there. */
struct san_waiter {
    struct san_waiter *next;
    struct sw_request *request;
    struct san *san;
    struct pal_cond changed;
};

/* A thread in give(); lives there. */
struct san_giving {
    DWORD process_id;
    uint8_t *text; /* room for a whole record */
    size_t text_bytes;
    int result; /* WSA_IO_PENDING: not decided */
    struct pal_cond changed;
};

struct san_link {
    struct san_link *next, *prev;
};

struct san {
    struct sw_carrier carrier; /* first */
    struct pal_mutex lock;
    struct sw_provider *provider; /* const */
    struct sw_san_settings set;   /* const once connecting */
    struct sw_notify notify;      /* const */
    enum san_phase phase;

    /* below */
    struct sw_companion *companion; /* NULL: closed */
    SOCKET descriptor;              /* of the companion; stays after it */
    const WSPPROC_TABLE *procs;     /* const */
    const struct sw_extensions *ext;
    struct sw_limits limits; /* of the provider; const */
    WSD_SOCKADDR_IN local, remote;
    bool is_bound, was_connected;
    int connect_error;
    unsigned out_count; /* slots at the provider */
    HANDLE storage_handle, send_handle, receive_handle;
    uint8_t *pool;
    size_t pool_bytes;
    struct san_slot *slots; /* receives, then sends, then RDMA: one allocation */
    struct san_slot *rx, *tx, *rdma;
    uint8_t rx_order[SW_WIRE_CREDITS_MAX]; /* posted receives, the oldest at rx_first */
    unsigned rx_first, rx_count;
    struct san_slot *quiet; /* the send whose end is seen by the way (slots.c) */
    uint64_t answered;      /* so much of the peer's stream had come at the last send */
    unsigned loud;          /* so many sends more are notified */

    /* hot.c: how the ends of requests are learned */
    bool is_hot;                /* new requests are polled for */
    bool is_cooling;            /* they are not any more; some are still out */
    bool is_kept;               /* in the list of hot connections */
    pal_atomic_bool is_visited; /* since the last tick; the tick asks without the lock */
    unsigned missed;            /* ticks since the last visit */
    bool is_driven;     /* the visitor asks for overlapped requests: they are no reason to cool down */
    unsigned asked;     /* so many more operations are those of somebody who asks */
    unsigned calm;      /* visits until it may be hot (again) */
    unsigned next_calm; /* that many after the next long wait */
    unsigned looks;     /* in vain, of a poller that is not hot yet */
    unsigned polled_receives, polled_others;
    uint64_t polled_sends; /* bits */

    /* the session */
    struct sw_session *session;
    bool is_acting;  /* somebody is the actor */
    bool is_telling; /* and reports a request: those that end after it are reported after it */
    bool is_opened;
    bool has_report;

    /* above */
    bool is_owned; /* carrier.up and carrier.owner are set: an accepted connection has none before accept() */
    bool is_closing;  /* close() was called, or nobody wants it */
    bool is_over;     /* nothing goes up any more */
    bool connect_due; /* FD_CONNECT is to be reported */
    int close_result;
    uint32_t linger_ms;
    uint32_t wanted; /* FD_ bits asked for */
    bool has_close_event, has_urgent;
    int close_event_error;
    unsigned request_count;      /* that were told WSA_IO_PENDING and are not reported or fetched */
    unsigned cancelled_count;    /* of those, that could not be taken back */
    struct sw_request *peeks;    /* receives that only look, and wait for something to see */
    struct sw_request *held;     /* what came while the socket moves */
    struct sw_request *finished; /* over without the session's help; the actor reports them */
    struct san_waiter *waiters;
    struct san_giving *giving;
    bool is_moved;
    bool is_keepalive, is_urgent_inline;

    /* the service's, under its lock */
    struct san_link connecting; /* linked: to be asked for FD_CONNECT or FD_ACCEPT */
    bool is_linked;
    struct san_timer timers[SAN_TIMER_COUNT];
    pal_atomic_u32 refs; /* somebody outside of the upper face is about to use it */

    /* listeners */
    unsigned backlog;
    unsigned child_count;     /* children that nobody has accepted yet, without the slow ones */
    unsigned ready_count;     /* of those, that could be */
    bool has_requests;        /* the provider's queue may hold some */
    bool is_looking;          /* the service asks the provider for connections */
    struct san_link children; /* all of them */
    struct san *ready_first, *ready_last;
    unsigned parent_refs; /* children that still name this listener */
    /* their children */
    struct san *parent;      /* NULL: none, or not any more. The child's lock */
    struct san_link sibling; /* the parent's lock, these three */
    bool is_child, is_sibling, is_ready, is_slow;
    struct san *ready_next;

    struct sw_san_stats stats;
};

static inline struct san *san_of(struct sw_carrier *c)
{
    return (struct san *)(void *)c;
}

/* carrier.c */
struct san *san_new(struct sw_provider *p, const struct sw_san_settings *settings);
int san_prepare(struct san *c, bool is_connector); /* session, slots and pool */
void san_free(struct san *c);                      /* nobody knows it any more */
extern const struct sw_carrier_ops sw_san_ops;

/* actor.c. lock ... leave around everything; leave runs what has become due, unlocks, and frees what is over. */
void san_enter(struct san *c);
void san_leave(struct san *c);
void san_release(struct san *c); /* one of refs; unlocked */
void san_act(struct san *c);     /* locked; may unlock meanwhile */
void san_break(struct san *c);   /* locked, before a session runs: the companion goes */
void san_finish(struct san *c, struct sw_request *r);

/* slots.c, locked */
void san_post(struct san *c, const struct sw_action *a);
void san_notified(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes);
void san_see_quiet(struct san *c, bool must); /* has the quiet send gone; must: ask the provider */
void san_forget_polled(struct san *c);        /* after WSPCloseSocket */

/* The oldest receive is polled for: the next message comes only to who looks. */
static inline bool san_is_looked_at(const struct san *c)
{
    return c->rx_count != 0 && c->rx[c->rx_order[c->rx_first]].is_polled;
}
bool san_take_polled(struct san *c); /* whose OVERLAPPED shows the end; true: there were some */

/* hot.c, locked */
static inline void san_hot_note(struct san *c) /* a visit of who is hot */
{
    pal_store_relaxed(&c->is_visited, true);
    c->missed = 0;
}
bool san_hot_visit(struct san *c, unsigned patience); /* true: hot, or cooling down: poll */
void san_hot_cool(struct san *c, unsigned calm);
void san_hot_leave(struct san *c); /* the companion is gone */
bool san_look(struct san *c);      /* asks the provider; true: something came, and san_act() is due */
bool san_poll(struct san *c);      /* asks the provider, acts; true: something came */
uint64_t san_hot_tick(void);       /* the service, unlocked: when next */

/* requests.c, locked */
bool san_retry_peeks(struct san *c);
void san_drop_peeks(struct san *c, int error);
void san_drop_held(struct san *c, int error);
void san_resend_held(struct san *c);
int san_submit(struct sw_carrier *carrier, struct sw_request *r);
int san_now(struct sw_carrier *carrier, struct sw_request *r);
void san_drive(struct sw_carrier *carrier);
bool san_cancel(struct sw_carrier *carrier, struct sw_request *r);
bool san_call_off(struct san *c, struct sw_request *r); /* the same, locked */

/* wait.c */
int san_wait(struct sw_carrier *carrier, struct sw_request *r, uint64_t deadline_ns,
             struct sw_interrupt *interrupt);
void san_wake(struct san *c, struct sw_request *r);
void san_wake_all(struct san *c);

/* ready.c */
struct sw_ready san_ready(struct sw_carrier *carrier);
void san_want(struct sw_carrier *carrier, uint32_t events);
uint64_t san_readable(struct sw_carrier *carrier);
bool san_at_mark(struct sw_carrier *carrier);
uint32_t san_true_events(struct san *c); /* locked */

/* connect.c */
int san_connect(struct sw_carrier *carrier, const WSD_SOCKADDR *name, int bytes);
void san_look_connect(struct san *c);  /* the service: FD_CONNECT may have come */
void san_start(struct san *c);         /* the actor, in SAN_CONNECTED */
bool san_register_pool(struct san *c); /* the actor, unlocked */

/* listen.c */
int san_listen(struct sw_carrier *carrier, int backlog);
int san_accept(struct sw_carrier *listener, const struct sw_carrier_up *up, void *owner,
               struct sw_carrier **out, WSD_SOCKADDR_STORAGE *remote, int *remote_bytes);
void san_look_accept(struct san *c);  /* the service: FD_ACCEPT may have come, or there is room again */
void san_child_opened(struct san *c); /* unlocked, these three */
void san_child_slow(struct san *l, struct san *c);
void san_child_gone(struct san *c);
void san_drop_children(struct san *c); /* the listener closes */

/* service.c */
int san_service_start(WSAEVENT *event); /* the event that sockets are selected for */
void san_service_wake(void);
void san_service_link(struct san *c, bool on);
bool san_service_reserve(int timers); /* room in the heap, before anything is armed; negative: give it back */
void san_service_arm(struct san *c, unsigned timer, uint32_t ms);
void san_service_disarm(struct san *c, unsigned timer);
void san_service_forget(struct san *c); /* disarms all */

/* pool.c */
uint8_t *san_pool_take(size_t bytes);
void san_pool_give(uint8_t *pool, size_t bytes);
void san_pool_drop(void);

/* move.c */
int san_give(struct sw_carrier *carrier, DWORD process_id, void *text, size_t *text_bytes,
             uint64_t deadline_ns);
void san_move(struct san *c); /* the actor: SW_DO_MOVE */
void san_move_failed(struct san *c, int error);
void san_move_may_go_on(struct san *c); /* locked: a listener is not asked any more */
bool san_leave_behind(struct san *c);   /* locked: the companion of a connection that moved */
uint64_t san_left_tick(bool all);       /* the service: closes those whose time is over; when next */

#endif
