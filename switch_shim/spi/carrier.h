/* carrier.h - what carries a socket's data: kernel TCP/IP (tcpip/) or a connection of a SAN provider (san/).
 * Layer:    switch_shim; called by the upper face (spi/), implemented by tcpip/ and san/. Calls go down, `struct
 *           sw_carrier_up` comes up.
 * Idea:     everything that Winsock says about blocking, overlapped completion, event records, select and options is
 *           written once, in spi/, over the few questions below; a carrier moves bytes and says what it is ready for.
 * Threads:  any thread may call anything at any time, except that close() is called once and nothing after it.
 *           Upcalls come in any thread (also in the calling one), without a lock of the carrier's held, never after
 *           closed(). The upper face may call down from inside an upcall.
 * Locks:    the upper face calls down without holding its socket lock, unless a function below says "short": that one
 *           neither blocks, nor calls up, nor enters a provider.
 * Errors:   functions return 0 or a Winsock code.
 * Time:     pal_now_ns() deadlines, UINT64_MAX waits for ever.
 * Source:   our choice; what the answers mean is contract 10.1, 10.3 and the Winsock pages. */
#ifndef SW_CARRIER_H
#define SW_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/session.h"
#include "wsd/ws2_types.h"

struct sw_carrier;
struct sw_carrier_up;

/* --- requests --- */

enum sw_request_kind { SW_REQUEST_SEND, SW_REQUEST_RECEIVE };

/* One send or receive. The caller fills it in; from submit() that answers WSA_IO_PENDING until completed() (or wait()
 * that answers 0) it is the carrier's, and so are op.buffers[] (the array too) and the memory they name. */
struct sw_request {
    struct sw_op
        op; /* buffers, buffer_count in; bytes, error out. First, so that a session's op is its request */
    enum sw_request_kind kind;
    uint32_t
        flags; /* MSG_PEEK, MSG_OOB, MSG_WAITALL, MSG_DONTROUTE, MSG_PARTIAL as the application gave them */
    /* datagrams; NULL on streams. Send: where to. Receive: where from, written before completion, *address_bytes in: room,
     * out: used. */
    WSD_SOCKADDR *address;
    INT *address_bytes;
    uint32_t result_flags; /* receive, out: MSG_PARTIAL */
    bool is_waited;        /* somebody calls wait() for it: it is reported there and not by completed() */
    void *context;         /* the caller's */
    /* the carrier's while it has the request */
    struct sw_request *next;
    uint32_t state;
};

/* --- what comes up --- */

struct sw_carrier_up {
    /* A request that submit() answered WSA_IO_PENDING is over: r->op.bytes, r->op.error. Exactly once. */
    void (*completed)(void *owner, struct sw_request *r);
    /* These FD_* have become true, of those asked for by want(); each is reported once per want(). `error` belongs to
     * FD_CONNECT and FD_CLOSE. FD_CONNECT is reported without asking, when connect() answered WSA_IO_PENDING. */
    void (*events)(void *owner, uint32_t events, int error);
    /* close() is over: the carrier is gone, and this is its last word. error: 0, WSAETIMEDOUT when the linger time was
     * not enough. */
    void (*closed)(void *owner, int error);
};

/* --- a wait that others can end --- */

/* One for each thread that blocks; lives in the waiter. */
struct sw_interrupt {
    _Atomic(uint32_t) raised; /* set first, then poke() */
    void (*poke)(
        struct sw_interrupt *self); /* set by whoever waits, under `lock_word`; NULL: nobody sleeps */
    void *sleeper;                  /* the sleeping carrier's */
    _Atomic(uint32_t) lock_word;    /* spin lock of poke and sleeper: sw_interrupt_raise() (carrier.c) */
};
void sw_interrupt_raise(struct sw_interrupt *i); /* any thread */

/* --- states --- */

struct sw_ready {
    uint32_t events; /* FD_READ, FD_WRITE, FD_OOB, FD_ACCEPT, FD_CONNECT, FD_CLOSE that are true now */
    int connect_error, close_error;
};

/* What only the upper face sees, never an application: control of the connection went to another process before anything of the
 * request was done (contract 8.10). It may be made again when control is back. */
#define SW_E_MOVED 0x7D01

/* --- the questions --- */

struct sw_carrier_ops {
    const char *name; /* "tcp", "san": for texts */

    /* -- addresses and connections -- */
    int (*bind)(struct sw_carrier *c, const WSD_SOCKADDR *name, int bytes);
    /* 0: connected already (san: and negotiated). WSA_IO_PENDING: FD_CONNECT follows. Else it failed at once. */
    int (*connect)(struct sw_carrier *c, const WSD_SOCKADDR *name, int bytes);
    int (*listen)(struct sw_carrier *c, int backlog);
    /* The oldest connection that is ready to be used, WSAEWOULDBLOCK. `up` and `owner` become the new carrier's. */
    int (*accept)(struct sw_carrier *listener, const struct sw_carrier_up *up, void *owner,
                  struct sw_carrier **out, WSD_SOCKADDR_STORAGE *remote, int *remote_bytes);
    int (*local)(struct sw_carrier *c, WSD_SOCKADDR_STORAGE *out,
                 int *bytes); /* short. WSAEINVAL: not bound */
    int (*peer)(struct sw_carrier *c, WSD_SOCKADDR_STORAGE *out, int *bytes); /* short. WSAENOTCONN */

    /* -- data -- */
    /* 0: over already, result in r, no completed(). WSA_IO_PENDING. Else refused (op.error not written): WSAENOTCONN,
     * WSAESHUTDOWN, WSAEMSGSIZE, WSAENOBUFS, the code of the broken connection, ... Requests of one kind are served in
     * the order of submission. */
    int (*submit)(struct sw_carrier *c, struct sw_request *r);
    /* The same, but WSAEWOULDBLOCK instead of waiting. A stream send takes all or nothing where it can hold so much
     * (windows.md, trap 1); more than that: as much as there is room for (op.bytes). */
    int (*now)(struct sw_carrier *c, struct sw_request *r);
    /* After submit() of a request with is_waited answered WSA_IO_PENDING. 0: over. WSAETIMEDOUT, WSAEINTR: it is the
     * carrier's still: cancel(), then wait again. The carrier may spin, poll and complete others meanwhile. */
    int (*wait)(struct sw_carrier *c, struct sw_request *r, uint64_t deadline_ns,
                struct sw_interrupt *interrupt);
    /* Somebody asks for the end of a request again and again instead of being told: look for it. May complete requests, as always by
     * completed(). NULL: no need. */
    void (*drive)(struct sw_carrier *c);
    /* True: it was taken back and completes with WSA_OPERATION_ABORTED. False: it is over or completes by itself. */
    bool (*cancel)(struct sw_carrier *c, struct sw_request *r);

    /* -- readiness -- */
    struct sw_ready (*ready)(struct sw_carrier *c); /* what is true now */
    /* Report these, once each, as soon as they are true; at once when they are already. FD_WRITE: when a send that was
     * told WSAEWOULDBLOCK may go on, or at once if none was. */
    void (*want)(struct sw_carrier *c, uint32_t events);
    uint64_t (*readable)(struct sw_carrier *c); /* FIONREAD */
    bool (*at_mark)(struct sw_carrier *c);      /* SIOCATMARK: TRUE when no urgent byte lies ahead */

    /* -- the rest -- */
    int (*shutdown)(struct sw_carrier *c, int how); /* SD_RECEIVE, SD_SEND, SD_BOTH */
    /* WSAENOPROTOOPT: the carrier does not know it, which for san means: remembered above is enough. */
    int (*set_option)(struct sw_carrier *c, int level, int name, const char *value, int bytes);
    int (*get_option)(struct sw_carrier *c, int level, int name, char *value, int *bytes);
    int (*ioctl)(struct sw_carrier *c, DWORD code, void *in, DWORD in_bytes, void *out, DWORD out_bytes,
                 DWORD *returned);
    /* Ends everything: requests complete with WSA_OPERATION_ABORTED (sends that were accepted still travel unless it is
     * abortive; one that a thread waits for is called off), then closed(). linger_ms 0: abortive; SW_SESSION_LINGER_FOREVER: gracefully, in the background. */
    void (*close)(struct sw_carrier *c, uint32_t linger_ms);
#define SW_CLOSE_ALL                                                                                         \
    0xFFFFFFFDu /* for linger_ms: WSPCleanup: abortive, unless another process has the socket, too */
#define SW_CLOSE_TAKEN                                                                                       \
    0xFFFFFFFEu /* for linger_ms: give() succeeded, and the other process has the connection by now */

    /* -- moving to another process (contract 8.10); NULL: cannot -- */
    /* Blocks until everything is ready to go or the deadline has passed. text: what the other process needs, opaque. After
     * success only close() is allowed here, and all requests have been reported, those with SW_E_MOVED included. */
    int (*give)(struct sw_carrier *c, DWORD process_id, void *text, size_t *text_bytes, uint64_t deadline_ns);
};

struct sw_carrier {
    const struct sw_carrier_ops *ops;
    const struct sw_carrier_up *up; /* const after creation */
    void *owner;
};

#endif
