/* tcp.h - private to tcpip/: one socket of the system with its queues, and the thread that serves what nobody waits for.
 * Who does the work: submit() and now() try at once (data.c); who waits sleeps on the socket itself and then serves the heads of
 * both queues (wait.c); the engine does so for requests that nobody waits for (engine.c).
 * Locks:  tcp.lock -> engine.lock; neither is held when something is called up. */
#ifndef SW_TCP_H
#define SW_TCP_H

#include "pal/atomic.h"
#include "pal/mutex.h"
#include "pal/socket.h"
#include "tcpip/tcp_os.h"
#include "tcpip/tcpip.h"

enum tcp_request_state { TCP_IDLE, TCP_QUEUED, TCP_OVER };

struct tcp_queue {
    struct sw_request *head, **tail;
};

/* A thread inside wait(). On its stack, in the list under the lock. */
struct tcp_waiter {
    struct tcp_waiter *next;
    struct sw_request *request;
    struct tcp_os_alarm *alarm;
    unsigned what; /* what it sleeps for; the engine leaves that to it */
};

struct tcp {
    struct sw_carrier pub; /* first */
    pal_atomic_u32 refs;   /* the owner's, the engine's while it works on it, each waiter's, each list's */
    pal_socket s;
    int af, type, protocol; /* const */

    struct pal_mutex lock; /* guards what follows */
    struct tcp_queue send, recv;
    struct tcp_waiter *waiters;
    unsigned armed;  /* PAL_*: what the engine's set has; 0: not a member */
    uint32_t wanted; /* FD_* */
    bool is_connecting, is_connected, is_listening;
    bool is_send_shut, is_recv_shut; /* shutdown() of this side */
    bool is_end_due;                 /* the system has to be told of is_send_shut, after what is queued */
    bool is_peer_done;               /* the peer's end was seen, or an error: no more bytes will come */
    bool is_dead;                    /* both ways: the system would report that for ever */
    bool is_oob_inline, is_address_reused, is_address_exclusive, is_unrouted; /* options */
    bool is_reset_hidden; /* datagrams: SIO_UDP_CONNRESET off */
    bool has_reset;       /* datagrams: a send met the answer to one before; the next receive tells */
    bool is_shared;       /* with another process, or was: the end of sending is the last close's (B213) */
    bool is_closing, is_abortive, is_final, is_lingering;
    unsigned empty_looks;       /* of blocking receives, of late, in vain */
    unsigned drives;            /* in a row */
    bool is_driven, is_visited; /* driven.c */
    int error;                  /* the connection broke with this */
    int connect_error;
    int close_result;
    uint8_t *rest; /* of a non-blocking send that was taken whole (windows.md, trap 1) */
    size_t rest_bytes, rest_at;
    unsigned unfetched; /* requests that wait() has to fetch */
    uint64_t linger_until_ns;
    int send_buffer, recv_buffer;             /* as the application set them; -1: not */
    WSD_SOCKADDR_STORAGE peer;                /* streams: whose connection it is, also when it has ended */
    int peer_bytes;                           /* 0: none */
    struct tcp *next_lingering, *next_driven; /* engine.lock */
};

static inline struct tcp *tcp_of(struct sw_carrier *c)
{
    return (struct tcp *)(void *)c;
}

static inline bool tcp_is_stream(const struct tcp *t)
{
    return t->type == WS_SOCK_STREAM;
}

/* queue.h in four functions */
static inline void tcp_queue_init(struct tcp_queue *q)
{
    q->head = NULL;
    q->tail = &q->head;
}

static inline void tcp_queue_push(struct tcp_queue *q, struct sw_request *r)
{
    r->next = NULL;
    *q->tail = r;
    q->tail = &r->next;
}

static inline struct sw_request *tcp_queue_pop(struct tcp_queue *q)
{
    struct sw_request *r = q->head;

    q->head = r->next;
    if (q->head == NULL)
        q->tail = &q->head;
    return r;
}

static inline bool tcp_queue_take_out(struct tcp_queue *q, struct sw_request *r)
{
    for (struct sw_request **at = &q->head; *at != NULL; at = &(*at)->next) {
        if (*at != r)
            continue;
        *at = r->next;
        if (*at == NULL)
            q->tail = at;
        return true;
    }
    return false;
}

/* request.c: one request and the system. Lock held. */
void tcp_measure(struct sw_request *r);
int tcp_run_locked(struct tcp *t,
                   struct sw_request *r); /* 0: over. WSAEWOULDBLOCK: op.taken has gone. Else why it ends */
bool tcp_push_rest_locked(struct tcp *t); /* true: nothing is left of it */
bool tcp_keep_rest_locked(struct tcp *t, const struct sw_request *r); /* false: not so much can be held */
int tcp_ended_locked(struct tcp *t);                                  /* a receive found the end: 0, or why */
void tcp_note_broken(struct tcp *t, int code); /* if code says that a connection is gone */

/* data.c */
int tcp_submit(struct sw_carrier *c, struct sw_request *r);
int tcp_now(struct sw_carrier *c, struct sw_request *r);
bool tcp_cancel(struct sw_carrier *c, struct sw_request *r);
void tcp_serve_locked(struct tcp *t, struct tcp_queue *told); /* both queues, as far as it goes */
void tcp_finish_locked(struct tcp *t, struct sw_request *r, int error, struct tcp_queue *told);
int tcp_shutdown(struct sw_carrier *c, int how);

/* wait.c */
void tcp_alarms_drop(void); /* wait.c; nobody waits */
int tcp_wait(struct sw_carrier *c, struct sw_request *r, uint64_t deadline_ns,
             struct sw_interrupt *interrupt);

/* ready.c */
struct sw_ready tcp_ready(struct sw_carrier *c);
void tcp_want(struct sw_carrier *c, uint32_t events);
/* The end of everything that changed something: arms the engine anew, unlocks, delivers `told` (may be NULL) and events. */
void tcp_leave(struct tcp *t, struct tcp_queue *told);
void tcp_event(struct tcp *t); /* the engine found it ready */

/* driven.c */
void tcp_drive(struct sw_carrier *c);
bool tcp_driven_look(struct tcp *t); /* the tick. True: nobody asks any more, and the engine has it again */

/* close.c */
void tcp_close(struct sw_carrier *c, uint32_t linger_ms);
void tcp_finalize_locked(
    struct tcp *t); /* once closing: give the owner's reference back when nothing is left to do */
bool tcp_linger_look(struct tcp *t, uint64_t now_ns); /* true: done with */
void tcp_release(struct tcp *t);

/* engine.c */
bool tcp_engine_start(void);                              /* or let it look at everything anew */
bool tcp_engine_arm_locked(struct tcp *t, unsigned what); /* tcp.lock held. False: out of resources */
void tcp_engine_linger(struct tcp *t);                    /* look at it now and then */
void tcp_engine_drive(struct tcp *t);                     /* look now and then whether it still is driven */

/* tcp.c */
void tcp_connected_locked(struct tcp *t);

#endif
