/* internal.h - the session itself, shared by the files of this folder.
 *
 *   session.c   create, start, actions in their order     receive.c    storage and receives of the application
 *   incoming.c  messages that came, checked               large_in.c   transfers of the peer
 *   outgoing.c  which message goes next                   large_out.c  transfers of ours
 *   send.c      sends of the application, gathering       finish.c     half close, close, ends
 *   urgent.c    urgent data                               move.c       suspend, export, import, resume
 *
 * Everything is O(1) for each event, apart from lists of at most SW_WIRE_TRANSFERS_MAX transfers. */
#ifndef SW_SESSION_INTERNAL_H
#define SW_SESSION_INTERNAL_H

#include "session/bits.h"
#include "session/credits.h"
#include "session/session.h"
#include "session/states.h"

#define SW_BUFFERS_ALL (SW_SESSION_BUFFERS_MAX + SW_SESSION_CONTROL_BUFFERS)

struct sw_ops {
    struct sw_op *first;
    struct sw_op **last;
};

/* A transfer of ours, from the first idea to the deregistration. */
enum sw_out_state {
    SW_OUT_NEW,         /* to be registered */
    SW_OUT_REGISTERING, /* asked for */
    SW_OUT_READY,       /* to be announced */
    SW_OUT_ANNOUNCED,   /* the peer's turn */
    SW_OUT_WRITE,       /* push: SINK came, write to be started */
    SW_OUT_WRITING,
    SW_OUT_WROTE,   /* push: DONE to be sent */
    SW_OUT_COPY,    /* cannot be registered: goes in messages */
    SW_OUT_RELEASE, /* to be deregistered, then `after` */
    SW_OUT_GONE     /* nothing left but its place in the queue */
};

struct sw_out {
    enum sw_out_state state;
    enum sw_out_state after; /* of SW_OUT_RELEASE: NEW, COPY or GONE */
    uint32_t id;
    uint32_t first_part; /* in the LARGE message */
    uint32_t done;       /* behind the first part */
    uint32_t room;       /* push: of the open SINK */
    bool is_shared;      /* the peer may be using it: the close has to revoke it */
    struct sw_op *op;
    struct sw_range range; /* what is left of its memory at the time of registering */
    uint16_t sink_bytes;
    uint8_t sink[SW_WIRE_DESCRIPTOR_MAX];
};

/* A transfer of the peer's. */
struct sw_in {
    uint32_t id;
    uint32_t offset; /* of the rest within the peer's range: the first part was there before it */
    uint32_t amount, done;
    bool is_push;
    uint16_t descriptor_bytes;
    uint8_t descriptor[SW_WIRE_DESCRIPTOR_MAX];
};

/* What is being fetched of the oldest of them. */
enum sw_step_state {
    SW_STEP_IDLE,
    SW_STEP_REGISTER,
    SW_STEP_REGISTERING,
    SW_STEP_MOVE,   /* pull: read to be started; push: SINK to be sent */
    SW_STEP_MOVING, /* pull: read under way; push: DONE is awaited */
    SW_STEP_RELEASE,
    SW_STEP_REPORT /* pull: DONE to be sent */
};

struct sw_step {
    enum sw_step_state state;
    struct sw_range range;
    struct sw_op *op; /* NULL: into storage */
    uint32_t bytes;
    bool must_report; /* pull: DONE is due when the memory is released */
    bool refused;     /* no registration to be had: the rest of this transfer goes through storage */
    bool is_shared;   /* as in struct sw_out */
};

/* Messages that are due. */
struct sw_due {
    bool hello, suspend, suspended, resume, close, ping, answer;
};

struct sw_session {
    struct sw_session_config cfg;
    enum sw_state state;
    struct sw_credits credits;
    uint32_t peer_transfers, peer_message_bytes, peer_storage_bytes, peer_max_rdma_bytes;
    bool peer_has_read;
    uint32_t max_part_bytes; /* largest RDMA request that suits both sides; 0: none */
    uint32_t payload_max;    /* of a message to the peer */

    struct {               /* our stream */
        struct sw_ops ops; /* sends that are not wholly taken */
        uint64_t position; /* next byte to be sent or announced */
        uint64_t limit;
        uint32_t sequence, transfer;
        uint64_t free_buffers; /* bits; data buffers first, then control buffers */
        uint16_t fill[SW_SESSION_BUFFERS_MAX];
        uint8_t queue[SW_SESSION_BUFFERS_MAX]; /* filled data buffers, the last perhaps partly */
        uint8_t queue_first, queue_count;
        uint64_t data_in_flight; /* bits */
        unsigned in_flight;      /* all messages not yet reported sent */
        struct sw_out out[SW_WIRE_TRANSFERS_MAX];
        unsigned out_first, out_count;
        uint64_t queued_bytes; /* in queue[] */
        bool urgent_due;
        uint64_t urgent_position; /* of the latest, 0 and !urgent_ever: none */
        uint8_t urgent_byte;
        bool urgent_ever;
        bool shut_wanted, shut_sent;
        bool want_write;
    } tx;

    struct { /* the peer's stream */
        struct sw_ops ops;
        uint64_t position;  /* next byte to come */
        uint64_t announced; /* position plus what transfers have left */
        uint64_t consumed;
        uint64_t origin; /* the position that lies at the beginning of storage */
        uint64_t told;   /* limit told */
        uint32_t sequence, transfer;
        uint64_t to_post; /* bits */
        struct sw_in in[SW_WIRE_TRANSFERS_MAX];
        unsigned in_first, in_count;
        struct sw_step step;
        bool stopped_due; /* DONE STOPPED for the oldest */
        bool want_read;
        bool discard; /* the application will not receive any more */
        bool shut;    /* SHUT or CLOSE came */
        bool has_mark, mark_unread, urgent_ever, urgent_inline;
        uint64_t mark;
        uint8_t urgent_byte;
    } rx;

    struct sw_due due;
    uint8_t hello_type;
    bool close_wanted, close_sent, close_got;
    bool suspend_again; /* gave way to the peer's */
    bool is_hello_sent;

    int cause;
    bool is_graceful;
    const char *report;
    bool is_reported, opened_due, close_due, is_closed_below, move_due, is_exported;
    struct sw_ops done; /* operations to hand back */
    unsigned events;    /* FD_ bits to raise */
    int close_event_error;
    bool read_armed, oob_armed, close_event_raised;
    uint32_t timer_ms[SW_TIMER_COUNT]; /* to be armed with */
    uint8_t timer_due[SW_TIMER_COUNT]; /* 0 nothing, 1 arm, 2 disarm */
    bool timer_armed[SW_TIMER_COUNT];
    bool heard;
    bool is_settled; /* nothing has been called since sw_session_next() had nothing more */
    uint32_t probes;
    struct sw_session_stats stats;
};

/* First in every call that may make something due. */
static inline void sw_stir(struct sw_session *s)
{
    s->is_settled = false;
}

/* session.c */
bool sw_next_action(struct sw_session *s,
                    struct sw_action *out); /* sw_session_next() without its short cut */
bool sw_next_action_in_full(struct sw_session *s,
                            struct sw_action *out); /* and without that of a plain session */
void sw_move_state(struct sw_session *s, enum sw_event event);
void sw_arm(struct sw_session *s, enum sw_timer timer, uint32_t ms);
void sw_disarm(struct sw_session *s, enum sw_timer timer);
void sw_ops_init(struct sw_ops *list);
void sw_ops_add(struct sw_ops *list, struct sw_op *op);
bool sw_ops_remove(struct sw_ops *list, struct sw_op *op);
struct sw_op *sw_ops_take(struct sw_ops *list);
void sw_complete(struct sw_session *s, struct sw_op *op, int error);
void sw_op_start(struct sw_op *op);
void sw_op_advance(struct sw_op *op, uint64_t bytes);
/* The contiguous memory at which `op` goes on. */
uint32_t sw_op_piece(struct sw_op *op, uint8_t **memory);
void sw_work(struct sw_session *s); /* whatever has become possible; after every event */

/* incoming.c */
void sw_breach(struct sw_session *s, const char *rule);

/* outgoing.c */
bool sw_out_next_message(struct sw_session *s, struct sw_action *out);
/* Of a session that is plain (session.c): may there be a message; the same answer as the one above. */
bool sw_out_plain_due(const struct sw_session *s);
bool sw_out_next_plain(struct sw_session *s, struct sw_action *out);
bool sw_all_sent(const struct sw_session *s); /* no send, buffer or transfer of ours is left */

/* Bits. */
static inline uint64_t sw_free_data_buffers(const struct sw_session *s)
{
    return s->tx.free_buffers & ((UINT64_C(1) << s->cfg.data_buffers) - 1);
}

/* One of them; -1: there is none. */
static inline int sw_free_data_buffer(const struct sw_session *s)
{
    const uint64_t data = sw_free_data_buffers(s);

    return data == 0 ? -1 : (int)sw_bits_lowest(data);
}

/* send.c */
void sw_take_sends(struct sw_session *s);
void sw_fail_sends(struct sw_session *s, int error);

/* receive.c */
void sw_got_payload(struct sw_session *s, const uint8_t *payload, uint32_t bytes);
void sw_storage_filled(struct sw_session *s, uint32_t bytes);
void sw_deliver(struct sw_session *s);
void sw_raise_read(struct sw_session *s);
void sw_fail_receives(struct sw_session *s, int error);
uint64_t sw_limit(const struct sw_session *s);
bool sw_limit_due(const struct sw_session *s);
uint64_t sw_storage_at(const struct sw_session *s, uint64_t position); /* its offset in storage */
void sw_storage_rewind(struct sw_session *s); /* before something is put at rx.position */
bool sw_is_readable(const struct sw_session *s);

/* large_out.c */
struct sw_out *sw_out_at(struct sw_session *s, unsigned i);
bool sw_out_is_announced(const struct sw_out *o);
bool sw_out_any_announced(struct sw_session *s);
void sw_out_add(struct sw_session *s, struct sw_op *op, uint8_t *memory, uint32_t bytes);
bool sw_out_next_action(struct sw_session *s, struct sw_action *out);
bool sw_out_registered(struct sw_session *s, struct sw_range *range, int error);
bool sw_out_rdma_done(struct sw_session *s, struct sw_range *range, int error);
const char *sw_out_sink(struct sw_session *s, const struct sw_wire_message *m);
const char *sw_out_done(struct sw_session *s, const struct sw_wire_message *m);
void sw_out_done_sent(struct sw_session *s, struct sw_out *o);
void sw_out_take_back(struct sw_session *s);
void sw_out_drop(struct sw_session *s, int error);
void sw_out_sweep(struct sw_session *s);
bool sw_out_is_idle(const struct sw_session *s);
bool sw_out_sink_open(struct sw_session *s);
bool sw_out_is_quiet(struct sw_session *s); /* no memory registered or about to be */
void sw_out_finish(struct sw_session *s, struct sw_out *o);

/* large_in.c */
const char *sw_in_announced(struct sw_session *s, const struct sw_wire_message *m);
const char *sw_in_done(struct sw_session *s, const struct sw_wire_message *m);
void sw_in_start(struct sw_session *s);
bool sw_in_next_action(struct sw_session *s, struct sw_action *out);
bool sw_in_registered(struct sw_session *s, struct sw_range *range, int error);
bool sw_in_rdma_done(struct sw_session *s, struct sw_range *range, int error);
void sw_in_report_sent(struct sw_session *s);
void sw_in_forget(struct sw_session *s);
void sw_in_drop(struct sw_session *s);
struct sw_in *sw_in_oldest(struct sw_session *s);

/* urgent.c */
void sw_urgent_queued(struct sw_session *s, uint64_t position, uint8_t byte);
const char *sw_urgent_in(struct sw_session *s, const struct sw_wire_message *m);
/* How many of `bytes` at `position` a read may take: not past the mark. */
uint64_t sw_before_mark(const struct sw_session *s, uint64_t position, uint64_t bytes);
void sw_pass_mark(struct sw_session *s);

/* finish.c */
void sw_end(struct sw_session *s, int cause, bool graceful);
void sw_check_end(struct sw_session *s);
void sw_close_came(struct sw_session *s);
void sw_keepalive_start(struct sw_session *s);

/* move.c */
void sw_suspend_came(struct sw_session *s);
void sw_check_move(struct sw_session *s);
void sw_resumed(struct sw_session *s, uint32_t receives);

#endif
