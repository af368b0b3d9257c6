/* share.h - a connection over a SAN that several processes have handles of (contract 8.10).
 * Layer:   switch_shim/spi, private.
 * Idea:    one process controls the connection, and control goes to who uses it: a call that finds it elsewhere asks for it and waits, the
 *          one that has it suspends the session and hands it over. The handle that is closed last ends the connection, wherever. Nothing
 *          moves before somebody really uses a handle.
 *          Who shares is known to the one in control, and travels with the control. Where that is stands in a record that
 *          everybody may read (the place), and who has given it away passes questions on.
 * Files:   share.c         the state beside the socket; threads and operations that wait for control
 *          share_mail.c    messages between the processes, and the threads that carry them out
 *          share_ask.c     asking for control
 *          share_join.c    which processes have handles
 *          share_index.c   from an identity to the object of this process
 *          share_note.c    what to do when a message comes
 *          share_move.c    giving control, and taking it
 *          share_listener.c the same of listeners
 * Locks:   sw_sock.lock guards all of struct sw_share. Never held across a message, a carrier, a record.
 * Threads: one that receives messages, from the first shared socket of the process on; one for each step that takes long.
 * Source:  contract 8.10; what it leaves open is our choice, and named where it is decided. */
#ifndef SW_SPI_SHARE_H
#define SW_SPI_SHARE_H

#include "spi/spi.h"

#define SW_HOLDERS_MAX 16u /* other processes of one socket */

/* A process that has handles of a socket, or will have. */
struct sw_holder {
    uint32_t pid;
    uint32_t box;        /* of its mailbox; 0: it has no handle yet */
    uint32_t instance;   /* which of its objects; one that leaves and one that joins may pass each other */
    uint32_t generation; /* the last time that it got control; 0: never */
    uint32_t offers;     /* handles that were made for it and that it has not taken */
    uint32_t last_offer; /* the one that it took last: a question that is asked twice counts once */
    uint64_t until_ns;   /* so long they count */
};

struct sw_share {
    uint64_t identity; /* const: the same in all processes */
    uint32_t instance; /* const: of this object among those of the process */
    WSD_SOCKADDR_STORAGE local;
    int local_bytes;                          /* const, both */
    struct sw_holder holders[SW_HOLDERS_MAX]; /* the others, as known to who controls it */
    unsigned holder_count;
    uint32_t generation;   /* how often control has moved, as far as this process knows */
    struct sw_holder next; /* who had control when it was not here any more, or not yet */
    uint64_t since_ns;     /* control is here */
    int lost;            /* the connection is gone with its process: what every call answers. 0: it is not */
    uint32_t own_offers; /* handles that were made for this process, when it has control */
    uint32_t own_last_offer; /* as sw_holder.last_offer */
    uint64_t own_until_ns;   /* so long they count */
    uint32_t joining;        /* the one that is being taken; 0: none */
    bool is_asking;          /* a thread asks for control */
    bool is_used;            /* by a call: control is wanted even though nobody waits */
    bool is_granting;        /* control is on its way to another process */
    bool is_joined;          /* who controls it knows of this process's handle */
    bool is_leaving;         /* the last handle of this process is being closed */
    unsigned waiters;        /* threads in sw_share_wait() */
    unsigned failed_asks;    /* counts: for these */
    int ask_error;           /* of the last one */
    struct sw_io *first;     /* operations that wait for control, in their order */
    _Atomic(struct sw_carrier *)
        coming; /* has those of them that have begun again, before it is the socket's `data` */
    pal_atomic_u64 order;
};

/* NULL: only this process has the socket. */
static inline struct sw_share *sw_share_of(const struct sw_sock *s)
{
    return pal_load_acquire(&((struct sw_sock *)(uintptr_t)s)->share);
}

/* --- share.c --- */

/* Makes a socket one that is shared: as `identity` says, 0: for the first time. 0, WSAENOBUFS. A call is counted inside. */
int sw_share_make(struct sw_sock *s, uint64_t identity, const WSD_SOCKADDR_STORAGE *local, int local_bytes);
void sw_share_free(struct sw_sock *s); /* with the object */
/* The connection is with another process, or on its way. */
bool sw_share_is_away(struct sw_sock *s);
/* The same, and `data` of that very moment: who has found none, and then asks whether it is away, may miss that it has come in between. */
bool sw_share_look(struct sw_sock *s, struct sw_carrier **c);
int sw_share_name(struct sw_sock *s, WSD_SOCKADDR_STORAGE *out, int *bytes); /* the local one; 0 */
int sw_share_lost(struct sw_sock *s); /* the code that every call answers; 0: none */
/* Control is wanted here; comes later. `is_used`: by a call, at once; else somebody may be waiting. Cheap when there is nothing to do. */
void sw_share_want(struct sw_sock *s, bool is_used);
/* Until control is here: 0, look at `data` again; WSAETIMEDOUT, WSAEINTR (closed, cancelled), or why it does not come. timeout_ms 0: as long
 * as it takes, which is bounded. A call is counted inside. */
int sw_share_wait(struct sw_sock *s, uint32_t timeout_ms);
/* `data`, when need be after such a wait. NULL: *code; WSAENOTCONN: there is no connection. */
struct sw_carrier *sw_share_carrier(struct sw_sock *s, uint32_t timeout_ms, int *code);
/* The number of an overlapped operation among those of its socket; 0 as long as that is not shared. */
static inline uint64_t sw_share_order(struct sw_sock *s)
{
    struct sw_share *share = sw_share_of(s);

    return share == NULL ? 0 : atomic_fetch_add_explicit(&share->order, 1u, memory_order_relaxed) + 1u;
}
/* Other processes will go on with it when this one closes it. */
bool sw_share_goes_on(struct sw_sock *s);
/* A carrier answered SW_E_MOVED, or there is none: WSA_IO_PENDING, the operation begins again when control is here; SW_E_MOVED, it is here
 * (*c); else the code, and the operation is the caller's still. */
int sw_share_strand(struct sw_io *io, struct sw_carrier **c);
/* The same of one that a carrier has reported as over. */
void sw_share_stranded(struct sw_io *io);
bool sw_share_cancel(struct sw_io *io);  /* it waits for control: taken back, and completed */
void sw_share_closed(struct sw_sock *s); /* the socket is closed: nobody waits any more */
/* Begins again what waits, on `c`, and then makes that the socket's `data`. */
void sw_share_restart(struct sw_sock *s, struct sw_carrier *c);
void sw_share_lose(struct sw_sock *s, int code);
void sw_share_end_stranded(struct sw_sock *s, int code);
bool sw_share_has_interest_locked(const struct sw_sock *s);

/* --- share_index.c --- */

/* A socket that has just become a shared one, and one that is about to be none. sw_sock.lock is held, or nobody else knows the socket. */
void sw_share_index_add(struct sw_sock *s);
void sw_share_index_remove(struct sw_sock *s); /* again is nothing */
/* The socket of this identity that is open in this process, with a call counted inside. NULL: none. */
struct sw_sock *sw_share_find(uint64_t identity);
uint64_t sw_share_looked_at(void); /* tests: how many objects that was about, in all calls so far */

/* --- share_mail.c --- */

enum sw_note_kind {
    SW_NOTE_DEMAND = 1, /* control, please: pid, box, generation */
    SW_NOTE_GRANT,      /* it is yours: record */
    SW_NOTE_DENY,       /* it does not come: code */
    SW_NOTE_JOIN,       /* a handle has been taken: pid, box */
    SW_NOTE_JOINED,     /* known */
    SW_NOTE_LEAVE,      /* the last handle is closed: pid */
    SW_NOTE_LISTENER,   /* the SAN half of a listener is yours: record */
    SW_NOTE_CHILD,      /* and a connection that waited for an accept: record */
    SW_NOTE_NOTHING     /* is anybody there to read it? */
};

struct sw_note {
    uint32_t magic, kind;
    uint64_t identity;
    uint32_t pid, box, instance, generation, record, hops;
    int32_t code;
};

int sw_mail_start(void); /* 0, WSAENOBUFS */
/* WSPCleanup, after all have left; waits for its threads. Again when the sockets are closed: their last events may have started some. */
void sw_mail_stop(void);
void sw_share_self(const struct sw_share *share, struct sw_holder *out); /* this process */
bool sw_mail_is_here(const struct sw_holder *h);                         /* is it this process? */
enum sw_mail { SW_MAIL_SENT, SW_MAIL_DEAD, SW_MAIL_FAILED };
enum sw_mail sw_mail_send(const struct sw_holder *to, const struct sw_note *n);
/* One of this process. */
struct sw_note sw_note_make(const struct sw_share *share, enum sw_note_kind kind);
/* A thread for `run`. False: there is none. */
bool sw_job_start(void (*run)(void *context), void *context);
bool sw_job_is_here(void); /* is this thread one of those? */

/* --- the place: a record in which who controls a socket says so --- */

struct sw_place_note {
    uint32_t magic, grant; /* grant: the connection waits for `at`, which has no handle yet, in this record */
    uint64_t identity;
    struct sw_holder at;
};
void sw_place_put(uint64_t identity, const struct sw_holder *at, uint32_t grant);
bool sw_place_find(uint64_t identity, struct sw_place_note *out);
void sw_place_drop(uint64_t identity);

/* --- share_ask.c --- */

void sw_share_ask(void *sock); /* a job; holds a reference */
/* A message to who has control, asked as often as need be. 0; WSAECONNRESET: that process has ended. */
int sw_share_question(struct sw_sock *s, struct sw_note n);
bool sw_share_is_listener(struct sw_sock *s);
/* True: there is nothing more to ask for, and who wants control next asks anew. */
bool sw_share_asking_ends(struct sw_sock *s);
void sw_share_pause_asking(struct sw_sock *s, uint32_t ms); /* or until that is so */

/* --- share_join.c --- */

/* Another handle is made for the process. 0; WSAENOBUFS: too many share it; SW_E_MOVED: control has just gone */
int sw_share_offer(struct sw_sock *s, uint32_t pid);
void sw_share_take_back(struct sw_sock *s, uint32_t pid); /* the process has not heard of it */
/* A handle was taken. 0, WSAENETDOWN: nobody knows of it */
int sw_share_join(struct sw_sock *s, uint32_t offer);
/* The one that is being taken counts no longer: control is here. */
void sw_share_count_joined_locked(struct sw_share *share);
/* Of threads that take handles of the same connection each its own; it ends when there is an object that others find, or none will be. */
struct sw_share_turn {
    struct sw_share_turn *next;
    uint64_t identity;
};
void sw_share_turn_begin(struct sw_share_turn *turn, uint64_t identity);
void sw_share_turn_end(struct sw_share_turn *turn);
void sw_share_leave(struct sw_sock *s); /* the last handle is about to be closed; a call is counted inside */
void sw_share_leave_all(void);          /* WSPCleanup */
struct sw_holder *sw_share_find_holder_locked(struct sw_share *share, uint32_t pid);
struct sw_holder *sw_share_add_holder_locked(struct sw_share *share,
                                             uint32_t pid); /* or the one there is; NULL: too many */
void sw_share_forget_holder_locked(struct sw_share *share, struct sw_holder *h);

/* --- share_note.c --- */

void sw_share_note(const struct sw_note *n); /* a message came; may block */

/* --- share_move.c --- */

/* 0; WSAENOTCONN: control is not here; else why it stays. A call is counted inside. */
int sw_share_grant(struct sw_sock *s, const struct sw_holder *to);
/* Control has been granted to this process: to the socket, or to one that is made for as long as it takes to pass it on or to close it. */
void sw_share_adopt(uint64_t identity, uint32_t record);
/* To another process that has handles, if there is one. */
void sw_share_pass_on(struct sw_sock *s);

/* The others, told apart for it; lock held. Control is not here any more. */
struct sw_description;
void sw_share_gone_locked(struct sw_sock *s, struct sw_share *share, const struct sw_holder *to,
                          struct sw_description *d, uint32_t text_bytes);
/* Who gets it when this process closes: who answers for his mailbox now, because there is no way back. False: nobody is there. */
bool sw_share_pick(struct sw_sock *s, struct sw_share *share, struct sw_holder *out);
void sw_share_wait_until_taken(const struct sw_share *share, const struct sw_holder *to);

/* --- share_listener.c --- */

void sw_share_ask_listener(struct sw_sock *s);
bool sw_share_is_accepting_locked(const struct sw_sock *s); /* somebody accepts here, or wants to be told */
/* 0; WSAEWOULDBLOCK: somebody accepts here; else why it does not go. A call is counted inside. */
int sw_share_grant_listener(struct sw_sock *s, const struct sw_holder *to);
void sw_share_take_listener(struct sw_sock *s, const struct sw_description *d, const char *text);
/* A message of the two kinds that are carried out in their order. */
void sw_share_came(const struct sw_note *n);
void sw_share_take_what_came(void); /* may block */
void sw_share_pass_on_listener(struct sw_sock *s);
void sw_share_arrived(struct sw_sock *s); /* somebody may be accepted from the SAN half, which may be gone */

#endif
