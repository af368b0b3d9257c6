/* session.h - the session protocol of one connected socket: bytes and events in, actions out.
 * Layer:    switch_shim; used by the switch's upper face, which owns the provider's socket and the application's.
 * Threads:  none inside, no lock, no clock, no I/O. Calls on one session must not overlap: one lock for each socket.
 *           sw_session_next() hands out actions in the order in which they must be carried out, so one thread at a
 *           time carries them out: it takes an action under the lock, drops the lock, acts, takes the lock again.
 *           Others who bring an event meanwhile leave; that thread sees what they brought. SW_DO_SEND,
 *           SW_DO_POST_RECEIVE, SW_DO_READ and SW_DO_WRITE neither block nor call back (contract 7.4), so they may be
 *           carried out under the lock.
 * Memory:   nothing is allocated after sw_session_create(). Three regions are the caller's: receives, send
 *           buffers, storage. He registers them once (contract 8.6) and lends them for the life of the session.
 * Copies:   a small send is copied once into a send buffer, a small receive once out of a receive (twice through
 *           storage); large transfers go from the sender's memory into the receiver's (PROTOCOL.md 7).
 * Source:   PROTOCOL.md; contract 8, 10.3, Appendix B. */
#ifndef SW_SESSION_H
#define SW_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/wire.h"
#include "wsd/ws2_types.h"

#define SW_SESSION_CONTROL_BUFFERS 4u    /* send buffers besides the data buffers: data can never take all */
#define SW_SESSION_CONTROL_BYTES   1024u /* of each of them, or message_bytes when that is less */
#define SW_SESSION_BUFFERS_MAX     60u   /* data buffers */
#define SW_SESSION_LINGER_FOREVER  0xFFFFFFFFu

struct sw_session;

struct sw_session_config {
    uint32_t receives;          /* 4 to 64; at most the depth of the provider's receive queue */
    uint32_t data_buffers;      /* 1 to SW_SESSION_BUFFERS_MAX: as many small messages are buffered */
    uint32_t message_bytes;     /* of each receive and send buffer, 256 to 65535 */
    uint32_t storage_bytes;     /* SO_RCVBUF as it were; at least twice message_bytes */
    uint32_t transfers;         /* unfinished large transfers of the peer, 1 to 8 */
    uint32_t threshold_bytes;   /* a larger piece of a send goes by RDMA (SO_RDMA_THRESHOLD_SIZE); not 0 */
    uint32_t direct_min_bytes;  /* a smaller piece of a receive is served through storage; not 0 */
    uint32_t max_rdma_bytes;    /* SO_MAX_RDMA_SIZE; 0: no RDMA at all */
    uint32_t first_part_bytes;  /* payload of a LARGE message, at most */
    uint32_t negotiate_ms;      /* patience with the peer's first message; 0: without end */
    uint32_t suspend_ms;        /* patience with SUSPENDED, and between it and RESUME; 0: without end */
    uint32_t close_ms;          /* patience with the peer's answer to CLOSE; 0: without end */
    uint32_t keepalive_ms;      /* idle time before the first PING; 0: no keep-alive */
    uint32_t keepalive_step_ms; /* between PINGs */
    uint32_t keepalive_probes;  /* unanswered ones before the connection counts as dead */
    bool has_rdma_read;         /* this side's provider has WSPRdmaRead */
    bool is_connector;
    uint8_t *receive_memory; /* receives * message_bytes */
    uint8_t *send_memory;    /* sw_session_send_bytes() */
    uint8_t *storage;        /* storage_bytes */
};

/* Data buffers, then control buffers. These are smaller, because all of it is registered and so resident in every connection, and what
 * they carry is short, but for data that could not be registered when no data buffer is free. Our choice. */
static inline uint32_t sw_session_control_bytes(uint32_t message_bytes)
{
    return message_bytes < SW_SESSION_CONTROL_BYTES ? message_bytes : SW_SESSION_CONTROL_BYTES;
}

static inline size_t sw_session_send_bytes(uint32_t data_buffers, uint32_t message_bytes)
{
    return (size_t)data_buffers * message_bytes +
           (size_t)SW_SESSION_CONTROL_BUFFERS * sw_session_control_bytes(message_bytes);
}

/* --- operations of the application --- */

enum sw_op_flags {
    SW_OP_URGENT = 1,  /* send: MSG_OOB, the last byte is urgent */
    SW_OP_WAIT_ALL = 2 /* receive: MSG_WAITALL */
};

/* One overlapped (or blocking) send or receive. The caller's until it is given to sw_session_send() or
 * sw_session_receive(), then the session's until SW_DO_COMPLETE; buffers[] and what they name likewise. */
struct sw_op {
    const WSABUF *buffers;
    uint32_t buffer_count;
    uint32_t flags;
    void *context; /* not looked at */
    /* results */
    uint64_t bytes;
    int error;
    /* the session's */
    struct sw_op *next;
    uint64_t total, taken;
    uint32_t buffer, offset;
    uint32_t transfers; /* unfinished ones that use its memory */
};

/* --- memory for RDMA --- */

enum sw_access {
    SW_ACCESS_LOCAL_READ,   /* WSPRegisterMemory, MEM_READ: source of RDMA writes */
    SW_ACCESS_LOCAL_WRITE,  /* WSPRegisterMemory, MEM_WRITE: target of RDMA reads */
    SW_ACCESS_REMOTE_READ,  /* WSPRegisterRdmaMemory, MEM_READ: the peer reads */
    SW_ACCESS_REMOTE_WRITE, /* WSPRegisterRdmaMemory, MEM_WRITE: the peer writes */
    SW_ACCESS_STORAGE       /* nothing to register: part of the storage region, which is */
};

struct sw_range {
    uint8_t *memory;
    uint32_t bytes;
    enum sw_access access;
    /* filled in by whoever carries out SW_DO_REGISTER, used again in SW_DO_DEREGISTER */
    void *handle;
    uint16_t descriptor_bytes;
    uint8_t descriptor[SW_WIRE_DESCRIPTOR_MAX];
};

/* --- actions --- */

enum sw_action_kind {
    SW_DO_POST_RECEIVE, /* WSPRecv into receive `buffer` (message_bytes of it) */
    SW_DO_SEND,         /* WSPSend `bytes` of send buffer `buffer`; then sw_session_sent() */
    SW_DO_REGISTER,     /* register `range` for its access; then sw_session_registered() */
    SW_DO_DEREGISTER,   /* `range`, by handle or descriptor: a copy inside the action */
    SW_DO_READ,         /* WSPRdmaRead into memory/bytes of `range`; then sw_session_rdma_done() */
    SW_DO_WRITE,        /* WSPRdmaWrite from memory/bytes: within `range`; then sw_session_rdma_done() */
    SW_DO_COMPLETE,     /* `op` is over: op->bytes, op->error; it is the caller's again */
    SW_DO_OPENED,       /* the application's connect or accept completes (and FD_CONNECT, FD_WRITE) */
    SW_DO_EVENT,        /* record `events` (FD_READ, FD_WRITE, FD_OOB, FD_CLOSE) with `error` */
    SW_DO_ARM,          /* timer `timer` in `ms`; takes the place of an earlier one */
    SW_DO_DISARM,       /* timer `timer` */
    SW_DO_REPORT,       /* the peer broke rule `text`: log it; once for each session */
    SW_DO_MOVE,         /* nothing but receives is pending: sw_session_export(), WSPDuplicateSocket */
    SW_DO_CLOSE /* WSPCloseSocket; `error` 0: gracefully ended, else why. Once, and nothing is sent after it */
};

enum sw_timer { SW_TIMER_NEGOTIATE, SW_TIMER_KEEPALIVE, SW_TIMER_SUSPEND, SW_TIMER_LINGER, SW_TIMER_COUNT };

struct sw_action {
    enum sw_action_kind kind;
    unsigned buffer;
    uint32_t bytes;
    uint8_t *memory;
    struct sw_range *range;
    const uint8_t *remote; /* the peer's descriptor, and where in its buffer */
    uint16_t remote_bytes;
    uint32_t remote_offset;
    struct sw_op *op;
    unsigned events;
    int error;
    enum sw_timer timer;
    uint32_t ms;
    const char *text;
    struct sw_range released; /* SW_DO_DEREGISTER */
};

/* The next thing to do. False: nothing until the next event. */
bool sw_session_next(struct sw_session *s, struct sw_action *out);

/* True: the operation is over, and its SW_DO_COMPLETE would have been the next one: now it will not come. For who has just handed it in while
 * another thread carries out actions. */
bool sw_session_take_done(struct sw_session *s, struct sw_op *op);

/* --- life --- */

/* NULL: no memory, or a setting out of its range. */
struct sw_session *sw_session_create(const struct sw_session_config *config);
void sw_session_destroy(struct sw_session *s);
/* The provider's socket is connected: post receives, negotiate. */
void sw_session_start(struct sw_session *s);
/* 0, or why the session is over (a WSA code); *graceful in a session that ended by CLOSE on both sides. */
int sw_session_cause(const struct sw_session *s, bool *graceful);

/* --- what the provider reports --- */

/* A receive completed with `bytes` in receive `buffer`. */
void sw_session_message(struct sw_session *s, unsigned buffer, uint32_t bytes);
/* A send completed: its buffer is free. Failures: sw_session_broken(). */
void sw_session_sent(struct sw_session *s, unsigned buffer);
/* The end of a send just posted will be told late, when something else happens: no small send waits behind it to be gathered. */
void sw_session_sent_late(struct sw_session *s, unsigned buffer);
/* error: 0, or the WSA code of the refusal; nothing is registered then. */
void sw_session_registered(struct sw_session *s, struct sw_range *range, int error);
void sw_session_rdma_done(struct sw_session *s, struct sw_range *range, int error);
/* The connection is gone: a send or receive failed with `error`. */
void sw_session_broken(struct sw_session *s, int error);
void sw_session_timer(struct sw_session *s, enum sw_timer timer);

/* --- what the application asks for --- */

/**
 * 0: the operation is the session's, SW_DO_COMPLETE follows (perhaps at once). Else it is the caller's still:
 * WSAENOTCONN: not open yet; WSAESHUTDOWN: shut down for that direction; WSATRY_AGAIN: the socket is moving, keep the
 * operation for the next owner; another code: the session is over, and why.
 */
int sw_session_send(struct sw_session *s, struct sw_op *op);
int sw_session_receive(struct sw_session *s, struct sw_op *op);
/* Non-blocking send: what fits the send buffers is copied, large pieces too. 0 and *bytes, WSAEWOULDBLOCK, or a code as
 * above. flags: SW_OP_URGENT. */
int sw_session_send_now(struct sw_session *s, const WSABUF *buffers, uint32_t buffer_count, uint32_t flags,
                        uint64_t *bytes);
/* Non-blocking receive: 0 and *bytes (0: end of stream), WSAEWOULDBLOCK, or a code as above. */
int sw_session_receive_now(struct sw_session *s, const WSABUF *buffers, uint32_t buffer_count,
                           uint64_t *bytes);
/* True: the receive above, of at least a byte, would answer WSAEWOULDBLOCK and leave nothing to be done, and counts as made (it
 * enables FD_READ again). For who asks again and again; false says nothing. */
bool sw_session_receive_vain(struct sw_session *s);
/* MSG_PEEK: copies without consuming. Answers likewise. */
int sw_session_peek(struct sw_session *s, const WSABUF *buffers, uint32_t buffer_count, uint64_t *bytes);
/* MSG_OOB receive: 0 and the byte; WSAEINVAL: none there, or urgent data is in line; WSAEWOULDBLOCK: none yet. */
int sw_session_receive_urgent(struct sw_session *s, uint8_t *byte);
/* SO_KEEPALIVE, SIO_KEEPALIVE_VALS: in place of the settings, from now on. idle_ms 0: none. */
void sw_session_keepalive(struct sw_session *s, uint32_t idle_ms, uint32_t step_ms, uint32_t probes);
/* Ask the peer for a sign of life, which takes one of our receives. */
void sw_session_ping(struct sw_session *s);
/* SO_OOBINLINE. */
void sw_session_urgent_inline(struct sw_session *s, bool on);
/* SIOCATMARK: no urgent byte lies ahead of what the next receive gets. */
bool sw_session_at_mark(const struct sw_session *s);
/* FIONREAD. */
uint64_t sw_session_readable(const struct sw_session *s);
/* How much of the peer's stream has come or was announced, since it began. */
uint64_t sw_session_came(const struct sw_session *s);
/* Somebody selects for reading: fetch a waiting transfer into storage. */
void sw_session_want_read(struct sw_session *s);
/* Bytes that a send would buffer and complete at once. 0 also while earlier sends wait. A non-blocking send of more
 * than this may be made with a copy of its own when sw_session_is_writable() (all or nothing, windows.md trap 1). */
size_t sw_session_send_room(const struct sw_session *s);
bool sw_session_is_writable(const struct sw_session *s);
/* A non-blocking send was told WSAEWOULDBLOCK: FD_WRITE when there is room again. */
void sw_session_want_write(struct sw_session *s);
/* Take an operation back: true, and SW_DO_COMPLETE with WSA_OPERATION_ABORTED follows; with 0 of a receive that has bytes (waits
 * for all). False: part of a send has gone or RDMA uses the memory; it completes by itself (contract 8.8: else only closing helps). */
bool sw_session_cancel(struct sw_session *s, struct sw_op *op);
/* how: SD_SEND, SD_RECEIVE, SD_BOTH. What comes after SD_RECEIVE is thrown away; receives that wait stay (windows.md
 * trap 6). 0 or WSAENOTCONN, WSAEINVAL, WSATRY_AGAIN. */
int sw_session_shutdown(struct sw_session *s, int how);
/**
 * closesocket. linger_ms 0: abortive; SW_SESSION_LINGER_FOREVER: gracefully, however long it takes. Receives that wait
 * end with WSA_OPERATION_ABORTED; sends still go, unless it is abortive; it is so too when bytes are unread. SW_DO_CLOSE says when it is over; its error
 * is WSAETIMEDOUT when the linger time was not enough. 0, or WSATRY_AGAIN: the socket is moving.
 */
int sw_session_close(struct sw_session *s, uint32_t linger_ms);

/* --- moving to another process (contract 8.10) --- */

/* 0, then SW_DO_MOVE when everything is ready. WSAENOTCONN, WSAEINVAL: not open, or ending (sw_session_is_ending()). */
int sw_session_suspend(struct sw_session *s);
/* True: called off. False: too late, SUSPEND is sent. */
bool sw_session_suspend_off(struct sw_session *s);
/* After SW_DO_MOVE: the receives that wait, linked by next, for the caller to keep. */
struct sw_op *sw_session_take_receives(struct sw_session *s);

/* What the next owner needs. Plain data, for processes that run the same build; `size` and `version` are checked. */
struct sw_session_state {
    uint32_t size, version;
    uint32_t peer_receives, peer_transfers, peer_message_bytes, peer_storage_bytes, peer_max_rdma_bytes;
    uint32_t peer_has_read, is_connector, message_bytes, storage_bytes;
    uint32_t credits;
    uint32_t tx_sequence, rx_sequence, tx_transfer, rx_transfer;
    uint64_t tx_position, tx_limit, tx_urgent;
    uint64_t rx_position, rx_consumed, rx_told, rx_urgent;
    uint32_t flags;
    uint32_t urgent_byte;
    uint32_t is_over, is_graceful;
    int32_t cause;
};
/* The connection ends, or has ended: the peer closed, or it is broken. _over: there is nothing below any more, and what is left can be exported. */
bool sw_session_is_ending(const struct sw_session *s);
bool sw_session_is_over(const struct sw_session *s);
/* After SW_DO_MOVE, or when it is over. Copies what the application has not fetched into `storage` (storage_bytes of room); returns how
 * much. The session can then only be destroyed. */
size_t sw_session_export(struct sw_session *s, struct sw_session_state *out, uint8_t *storage);
/* In place of sw_session_start(), on a fresh session with the same message and storage sizes; WSPSocket has
 * answered. 0 or WSAEINVAL. */
int sw_session_import(struct sw_session *s, const struct sw_session_state *state, const uint8_t *storage,
                      size_t storage_bytes);

/* --- counters, for statistics and tests --- */

struct sw_session_stats {
    uint64_t messages_sent, messages_received, credit_messages, bytes_gathered, transfers_sent,
        transfers_received, bytes_direct, bytes_stored, violations;
};
void sw_session_stats(const struct sw_session *s, struct sw_session_stats *out);

#endif
