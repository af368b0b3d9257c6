/* soak.h - private to soak_*.c: many sockets of the upper face, loaded for as long as one likes.
 * Layer:   tests; over winsock/ws2.h.
 * Shape:   a worker thread has a listener and some connections of its own, both ends of each in this process. A connection
 *          lives through a plan drawn from the seed: how each of its four ways (sending and receiving, at both ends)
 *          learns of completion, how much flows in which pieces, how it ends. Then the next one takes its place.
 * Checked: every byte by its position, every length, the end of the stream, the code a broken connection gives; each
 *          overlapped operation completes (and once: the violations of winsock/). */
#ifndef SOAK_H
#define SOAK_H

#include "pal/atomic.h"
#include "pal/thread.h"
#include "pattern.h"
#include "sw/switch.h"
#include "winsock/ws2.h"

enum { SOAK_PIECES = 4, SOAK_WORKERS_MAX = 64 };

/* How a way learns that an operation is over. */
enum soak_mode {
    SOAK_ASK,      /* WSPGetOverlappedResult, again and again */
    SOAK_TOLD,     /* by completion packet */
    SOAK_BLOCKING, /* a thread of its own, asleep in the call */
    SOAK_MODES
};

enum soak_end {
    SOAK_SHUTDOWN, /* both say SD_SEND, read to the end of the stream, close */
    SOAK_CLOSE,    /* one side closes with all sent, in the background; the other reads to the end */
    SOAK_ABORT,    /* one side closes with linger time 0 in the middle */
    SOAK_ENDS
};

struct soak_options {
    uint32_t seconds, sockets, threads, largest;
    uint64_t seed;
    bool wants_san, wants_tcp; /* what must carry */
    bool is_quiet;
};

struct soak_way;
struct soak_conn;

struct soak_op {
    WSAOVERLAPPED ov;
    struct soak_way *way;
    uint8_t *memory;
    uint32_t bytes; /* asked for */
    bool is_pending, is_over;
    DWORD done, error;
};

/* One direction at one end. */
struct soak_way {
    struct soak_conn *conn;
    SOCKET s;
    bool is_send;
    enum soak_mode mode;
    uint64_t key;   /* of the stream */
    uint64_t total; /* bytes of the stream */
    uint64_t begun; /* send: bytes given away. receive: unused */
    uint64_t at;    /* bytes that are over, in order */
    struct soak_op ops[SOAK_PIECES];
    uint32_t depth, oldest, count; /* ring of ops under way */
    uint32_t largest;              /* piece */
    struct rng random;
    struct pal_thread *thread;
    pal_atomic_bool is_over; /* nothing of it is under way any more */
    int error;               /* why it ended early; valid when is_over */
    bool has_end;            /* receive: end of stream seen */
    bool has_shut;           /* send: SD_SEND said */
};

enum soak_state { SOAK_UNUSED, SOAK_RUNNING, SOAK_ENDING };

struct soak_conn {
    struct soak_worker *worker;
    enum soak_state state;
    enum soak_end end;
    struct soak_way way[4]; /* client sends, client receives, server sends, server receives */
    SOCKET client, server;
    uint8_t *memory;
    uint64_t abort_at; /* SOAK_ABORT: when the server has received so much */
    bool is_aborted;
    uint64_t number;
};

struct soak_worker {
    const struct soak_options *options;
    const WSPPROC_TABLE *procs;
    struct rng random;
    struct pal_thread *thread;
    SOCKET listener;
    WSD_SOCKADDR_IN address;
    struct sw_iocp *queue;
    struct soak_conn *conns;
    uint32_t count, index;
    uint64_t moves; /* operations begun and over: when none is, the worker sleeps a little */
    /* results, read by the main thread while they grow */
    pal_atomic_u64 connections, bytes, ended[SOAK_ENDS];
    pal_atomic_bool has_failed;
    char why[256];
};

extern pal_atomic_bool soak_stop;

/* What went wrong, once for each worker; false, so that callers can return it. */
bool soak_fail(struct soak_worker *w, const char *format, ...) PAL_PRINTF(2, 3);

/* soak_way.c */
void soak_way_init(struct soak_way *y, struct soak_conn *c, SOCKET s, bool is_send, uint64_t key,
                   uint64_t total, uint8_t *memory);
bool soak_way_start(struct soak_way *y); /* begins the first operations, or the thread */
bool soak_way_step(
    struct soak_way *y); /* looks for what is over and begins more; false: wrong bytes or a code */
void soak_way_packet(struct soak_op *op, DWORD error, DWORD bytes);
/* soak_conn.c */
bool soak_conn_open(struct soak_conn *c);
bool soak_conn_step(struct soak_conn *c);
/* soak_pattern.c */
void soak_fill(uint8_t *memory, size_t bytes, uint64_t key, uint64_t offset);
bool soak_check(const uint8_t *memory, size_t bytes, uint64_t key, uint64_t offset, uint64_t *where);

#endif
