/* stress.h - what the files of wsd_stress share: slots of connections, their ends, operations and flows.
 * Layer:   tests, above switch_shim.
 * Model:   a slot holds one connection at a time, both ends in this process. Worker threads visit slots at
 *          random and post, send, poll, move memory by RDMA and close; completion upcalls do the same from
 *          the provider's threads. Every message says by its number alone what its bytes must be, so any
 *          receive can be checked by itself.
 * Modes:   a tame connection goes through the helpers of switch_shim, which count every operation and
 *          forbid a close beside other calls; a wild one calls the procedure table itself and closes while
 *          others are at it (contract 4.0: be fully thread safe).
 * Locks:   slot.admin -> end.poll_lock -> end.recv_lock or end.send_lock. Upcalls take only the last two,
 *          and none is held while an upcall of ours can be waited for. */
#ifndef STRESS_H
#define STRESS_H

#include "ct.h"
#include "pattern.h"
#include "pal/mutex.h"

/* more than the longest budget, so that no number meets another one in its place */
#define RING         4096u
#define RECEIVES_MAX 1000u
#define SENDS_MAX    256u
#define TXNS         4u
#define PIECES_MAX   40u
#define GUARD_BYTES  32u
#define FIRST_BYTES  256u /* the first message of a connection may meet a private buffer (8.5) */

enum op_kind { OP_SEND, OP_RECV, OP_WRITE, OP_READ };
enum op_state { OP_FREE, OP_OUT };

struct op {
    WSAOVERLAPPED ov; /* first: an upcall knows nothing else */
    struct end *end;
    struct op *next;
    uint8_t kind;
    uint8_t how; /* enum sw_completion */
    _Atomic uint32_t state;
    uint64_t number; /* of the message */
    uint64_t order;  /* of the submission in its direction */
    uint32_t bytes;
    uint8_t *memory;
    struct txn *txn;
};

struct op_list {
    struct op *head, **tail;
    uint32_t count;
};

/* One RDMA transfer with its grant. Slot i of the initiator goes with chunk i of its peer. */
struct txn {
    struct end *initiator, *target;
    struct txn *next;
    struct op op;
    bool is_write;
    uint32_t offset, bytes;
    uint64_t key;
    uint8_t *local, *remote;
    struct sw_rdma_descriptor descriptor;
    _Atomic uint32_t left; /* parts to finish: the transfer; for a write also the message behind it */
    pal_atomic_bool is_busy;
};

/* One direction of a connection. */
struct flow {
    pal_atomic_u64 posted; /* receives: so many messages may be sent */
    pal_atomic_u64 sent, sent_ok, received_ok;
    pal_atomic_u64 sent_ok_at_close; /* when the sending end began to close */
    uint64_t budget, key;
    _Atomic uint32_t room[RING], bytes[RING];
    struct txn *_Atomic check[RING]; /* a write whose data must be there when this message is */
};

struct end {
    struct slot *slot;
    struct end *peer;
    unsigned index;
    struct flow out;
    struct sw_companion *c;
    SOCKET handle;
    pal_atomic_bool is_broken;  /* saw an error: submits no more */
    pal_atomic_bool is_closing; /* a close of this end has begun */
    pal_atomic_bool is_closed;  /* and returned */
    _Atomic uint32_t outstanding;

    struct pal_mutex send_lock; /* submission order of the sending direction; free_sends, polled_sq */
    struct op_list free_sends, polled_sq;
    struct txn *unchecked; /* writes that wait for a message to follow them */
    uint64_t send_order;
    pal_atomic_u64 last_send_order;
    struct pal_mutex recv_lock;
    struct op_list free_recvs, polled_rq;
    uint64_t recv_order;
    pal_atomic_u64 last_recv_order;
    struct pal_mutex poll_lock; /* who holds it may ask about polled operations */

    struct op *recvs, *sends; /* RECEIVES_MAX, SENDS_MAX */
    struct txn txns[TXNS];
    uint8_t *rx, *tx, *local, *target; /* memory, kept for the next connection of the slot */
    HANDLE rx_handle, tx_handle, local_handle;
};

enum phase {
    PHASE_EMPTY,
    PHASE_LIVE,   /* open for traffic */
    PHASE_SHUT,   /* somebody wants it for himself; may become LIVE again */
    PHASE_ENDING, /* an end was closed */
    PHASE_DONE    /* no more connections */
};

struct profile {
    const char *name;
    uint32_t recvs, sends;
    uint32_t room; /* largest message */
    bool rooms_differ;
    uint32_t budget; /* most messages of a direction */
};

struct slot {
    unsigned index;
    _Atomic uint32_t phase, users;
    struct pal_mutex admin; /* making and clearing connections */
    struct sw_listener *listener;
    const struct profile *profile;
    bool is_wild;
    unsigned notify_percent;
    uint32_t rx_bytes, tx_bytes, chunk_bytes; /* of memory per end */
    struct end end[2];                        /* 0 connected, 1 accepted */
    uint64_t connection;                      /* unique number, part of every pattern */
    pal_atomic_u64 ops_done;
    uint64_t die_after; /* operations; then an end is closed with everything pending */
    bool dies_in_upcall;
    unsigned rounds;
    struct pal_mutex deferred_lock;
    struct txn *deferred; /* finished in an upcall, grant still there */
};

struct options {
    uint64_t seed;
    unsigned threads, sockets, rounds, seconds;
    unsigned notify_percent; /* 0..100; above: differs from connection to connection */
    uint32_t max_bytes;
    unsigned wild_percent, die_percent;
    uint32_t budget_limit; /* messages per direction */
};

struct stats {
    pal_atomic_u64 connections, messages, bytes, writes, reads, upcalls, nested, registrations;
    pal_atomic_u64 closes, closes_in_upcall, closes_wild, cancelled, rejected, remapped, queued_deep;
    pal_atomic_u64 lost_to_reset;                /* ends that missed messages, see was_reset_by_siw() */
    pal_atomic_u64 aborted, resets, aborts_seen; /* operations that ended with 995, 10054, 10053 */
};

struct stress {
    struct options options;
    struct stats stats;
    struct sw_provider *provider;
    WSD_SOCKADDR_IN here, other;
    struct slot *slots;
    pal_atomic_bool is_stopping;
    pal_atomic_u64 failures;
    pal_atomic_u64 next_connection;
};
extern struct stress st;

/* stress_main.c */
struct rng *my_rng(void); /* of the calling thread */
void stress_fails(const struct end *e, const char *format, ...) PAL_PRINTF(2, 3);

/* stress_slot.c */
bool slot_init(struct slot *s, unsigned index);
void slot_fini(struct slot *s);
void slot_visit(struct slot *s);
bool slot_enter(struct slot *s); /* true: the connection stays until slot_leave() */
void slot_leave(struct slot *s);
/* Close an end if its time has come. The caller has entered. */
void slot_maybe_close(struct slot *s, bool in_upcall);
void slot_describe(const struct slot *s);

/* stress_ops.c */
void op_list_init(struct op_list *l);
void op_push(struct op_list *l, struct op *op);
struct op *op_pop(struct op_list *l);
void op_upcall(void *context, SOCKET handle, WSAOVERLAPPED *ov, DWORD error, DWORD bytes);
/* Submit on op->end; the caller holds the lock of the direction. 0, or the code of the refusal (op is free
 * again). */
int op_submit_locked(struct op *op, WSABUF *buffers, unsigned count);
/* Take the results of polled operations. Returns how many. */
unsigned ends_poll(struct end *e, unsigned most);
/* After the handle is closed: nothing may be left. */
void end_collect(struct end *e);
bool may_fail(const struct end *e); /* a close has begun somewhere */
bool refusal_is_allowed(const struct end *e, int error);

/* stress_flow.c */
unsigned post_receives(struct end *e, unsigned most);
unsigned send_messages(struct end *e, unsigned most);
void received(struct op *op, uint32_t bytes);
unsigned cut(struct rng *r, uint8_t *memory, uint32_t bytes, WSABUF out[PIECES_MAX]);

/* stress_rdma.c */
void rdma_start(struct end *e);
void rdma_part_done(struct txn *t, bool in_upcall);
void rdma_deferred(struct slot *s);

#endif
