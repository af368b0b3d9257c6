/* sp.h - what the tests of the switch's upper face share: one lane, one started provider, calls as short as Winsock's.
 * Layer:   tests; above switch_shim/winsock, which starts libwsdswitch through WSPStartup. Nothing here knows its insides, apart from
 *          the question which side carries a connection.
 * Lane:    tcp: the switch without SAN (WSD_SWITCH=off). san: over a SAN provider (WSD_SWITCH=on). Tests are the same; whoever connects
 *          checks with sp_carried() that the lane is the one that was asked for.
 * Threads: assertions belong to the test's own thread; other threads leave a verdict.
 * Time:    every wait ends after sp_env.wait_ms at the latest; a watchdog ends a test that hangs all the same.
 * Leaks:   the teardown of every test unloads the switch and wants no violation and no file left open. */
#ifndef SP_H
#define SP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pal/atomic.h"
#include "pal/compiler.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "suite/second_process.h"
#include "suite/suite.h"
#include "winsock/ws2.h"

struct sp_env {
    const char *lane; /* "tcp", "san": the name that sw_carried_by() gives */
    bool is_san;
    char library[4096];   /* the switch */
    char provider[4096];  /* the SAN provider of the san lane */
    char program[4096];   /* this program, for second processes */
    WSD_SOCKADDR_IN here; /* an own address that both sides reach, port 0 */
    uint32_t wait_ms;
};
extern struct sp_env sp_env;

struct sp_state {
    struct ws2_provider *ws2;
    const WSPPROC_TABLE *procs;
    WSATHREADID thread; /* the test's */
    int (*carried_by)(SOCKET s, char *name, size_t bytes);
    int (*last_error)(void);
    int (*cancel_io)(SOCKET s, LPWSAOVERLAPPED ov, bool is_own_only);
    unsigned files;
};
extern struct sp_state sp;

int sp_setup(void **state);
int sp_teardown(void **state);
void sp_load(void);   /* the switch, by what the environment says now */
void sp_unload(void); /* wants no violation */
void sp_reload_with(const char *name,
                    const char *value); /* a setting, here and in second processes from then on */
void sp_reload_without(const char *name);
void sp_switch_mode(const char *mode); /* WSD_SWITCH for the next sp_load(): "off", "on", "forced" */
#define sp_test(fn) cmocka_unit_test_setup_teardown(fn, sp_setup, sp_teardown)

/* --- checks --- */

#define sp_ok(call)              suite_check((call), 0, #call, __FILE__, __LINE__)
#define sp_fails(expected, call) suite_check((call), (expected), #call, __FILE__, __LINE__)
#define sp_one_of(value, ...)                                                                                \
    suite_one_of((value), (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int),      \
                 #value, __FILE__, __LINE__)
#define sp_fail(...) suite_fail(__FILE__, __LINE__, __VA_ARGS__)
#define sp_skip(...)                                                                                         \
    do {                                                                                                     \
        printf("[   WHY    ] " __VA_ARGS__);                                                                 \
        printf("\n");                                                                                        \
        skip();                                                                                              \
    } while (0)
/* Under Wine 8 the system's own TCP does not do all that Windows does (winsock-behaviours.md marks it), and what the switch makes of
 * it cannot know better. Over a SAN it can. */
#ifndef POSIX_KILL_KEEPS_SOCKETS
#define POSIX_KILL_KEEPS_SOCKETS false /* from tests/support/windows: this is Wine */
#endif
#define sp_skip_on_wine_tcp(what)                                                                            \
    do {                                                                                                     \
        if (POSIX_KILL_KEEPS_SOCKETS && !sp_env.is_san)                                                      \
            sp_skip("Wine's TCP %s", (what));                                                                \
    } while (0)
/* The call was taken: over already, or on its way. */
#define sp_started(call) sp_one_of((call), 0, WSA_IO_PENDING)

uint64_t sp_deadline(void);
/* Wait until the condition holds; a test that it never does for fails. */
#define sp_until(condition)                                                                                  \
    do {                                                                                                     \
        uint64_t sp_end_ = sp_deadline();                                                                    \
        while (!(condition)) {                                                                               \
            if (pal_now_ns() >= sp_end_)                                                                     \
                sp_fail("never came: %s", #condition);                                                       \
            suite_relax();                                                                                   \
        }                                                                                                    \
    } while (0)

/* --- calls down (sp_calls.c): 0 or the code in *lpErrno; a failure without a code is -1 --- */

int sp_socket(int af, int type, int protocol, DWORD flags, SOCKET *out);
int sp_close(SOCKET s);
int sp_bind(SOCKET s, const WSD_SOCKADDR_IN *name);
int sp_listen(SOCKET s, int backlog);
int sp_connect(SOCKET s, const WSD_SOCKADDR_IN *name);
int sp_accept(SOCKET s, SOCKET *out);
int sp_accept_if(SOCKET s, LPCONDITIONPROC condition, DWORD_PTR context, WSD_SOCKADDR_IN *from, SOCKET *out);
int sp_local(SOCKET s, WSD_SOCKADDR_IN *out);
int sp_peer(SOCKET s, WSD_SOCKADDR_IN *out);
int sp_send(SOCKET s, const void *data, DWORD bytes, DWORD flags, DWORD *sent);
int sp_recv(SOCKET s, void *data, DWORD bytes, DWORD flags, DWORD *got);
int sp_sendv(SOCKET s, WSABUF *buffers, DWORD count, DWORD *sent);
int sp_recvv(SOCKET s, WSABUF *buffers, DWORD count, DWORD *got);
/* Overlapped, without routine: announced to ws2, which checks that each completes once. */
int sp_send_overlapped(SOCKET s, WSABUF *buffers, DWORD count, WSAOVERLAPPED *ov);
int sp_recv_overlapped(SOCKET s, WSABUF *buffers, DWORD count, DWORD flags, WSAOVERLAPPED *ov);
int sp_send_routine(SOCKET s, WSABUF *buffer, WSAOVERLAPPED *ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
int sp_recv_routine(SOCKET s, WSABUF *buffer, WSAOVERLAPPED *ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
int sp_result(SOCKET s, WSAOVERLAPPED *ov, bool wait, DWORD *bytes);
/* Until it is over, through WSPGetOverlappedResult; its own error. */
int sp_finish(SOCKET s, WSAOVERLAPPED *ov, DWORD *bytes);
int sp_shutdown(SOCKET s, int how);
int sp_set(SOCKET s, int level, int name, const void *value, int bytes);
int sp_get(SOCKET s, int level, int name, void *value, int *bytes);
int sp_set_int(SOCKET s, int level, int name, int value);
int sp_get_int(SOCKET s, int level, int name, int *value);
int sp_set_linger(SOCKET s, bool is_on, unsigned seconds);
int sp_ioctl(SOCKET s, DWORD code, const void *in, DWORD in_bytes, void *out, DWORD out_bytes,
             DWORD *returned);
int sp_nonblocking(SOCKET s, bool is_on);
int sp_event_select(SOCKET s, WSAEVENT e, LONG events);
int sp_enum_events(SOCKET s, WSAEVENT e, WSANETWORKEVENTS *out);
/* Waits for the event object, then takes the record; fails the test when nothing comes. */
LONG sp_next_events(SOCKET s, WSAEVENT e, WSANETWORKEVENTS *out);
/* Collects until all of `wanted` were recorded. */
void sp_expect_events(SOCKET s, WSAEVENT e, LONG wanted, WSANETWORKEVENTS *out);
/* Nothing is recorded for a while. */
void sp_expect_no_event(SOCKET s, WSAEVENT e);
/* WSPSelect on one socket each; the sets of "which" are those that have it afterwards. */
enum { SP_READ = 1, SP_WRITE = 2, SP_EXCEPT = 4 };
int sp_select(SOCKET s, unsigned which, uint32_t timeout_ms, unsigned *ready);
/* Extension functions: no lpErrno, so the switch keeps the code of a thread's last one. "failed": what the function answered. */
typedef BOOL(WSPAPI *sp_accept_ex_fn)(SOCKET l, SOCKET s, PVOID out, DWORD data_bytes, DWORD local_bytes,
                                      DWORD remote_bytes, DWORD *got, WSAOVERLAPPED *ov);
typedef void(WSPAPI *sp_accept_addresses_fn)(PVOID out, DWORD data_bytes, DWORD local_bytes,
                                             DWORD remote_bytes, WSD_SOCKADDR **local, INT *local_length,
                                             WSD_SOCKADDR **remote, INT *remote_length);
typedef BOOL(WSPAPI *sp_connect_ex_fn)(SOCKET s, const WSD_SOCKADDR *name, int bytes, PVOID data,
                                       DWORD data_bytes, DWORD *sent, WSAOVERLAPPED *ov);
typedef BOOL(WSPAPI *sp_disconnect_ex_fn)(SOCKET s, WSAOVERLAPPED *ov, DWORD flags, DWORD reserved);
struct sp_transmit_buffers {
    LPVOID head;
    DWORD head_bytes;
    LPVOID tail;
    DWORD tail_bytes;
};
typedef BOOL(WSPAPI *sp_transmit_file_fn)(SOCKET s, HANDLE file, DWORD bytes, DWORD piece_bytes,
                                          WSAOVERLAPPED *ov, struct sp_transmit_buffers *buffers,
                                          DWORD flags);
#define SP_DISCONNECT   0x01u                          /* TF_DISCONNECT */
#define SP_REUSE_SOCKET 0x02u                          /* TF_REUSE_SOCKET */
#define SP_ACCEPT_ROOM  (sizeof(WSD_SOCKADDR_IN) + 16) /* an address in AcceptEx's buffer (its page) */
/* Two codes that are the system's (winerror.h), not Winsock's. */
#define SP_INVALID_PARAMETER  87
#define SP_CONNECTION_REFUSED 1225
/* Announce, call, and answer 0 or the code. `ov` may be NULL where the function allows it. */
int sp_accept_ex(SOCKET l, SOCKET s, void *out, DWORD data_bytes, WSAOVERLAPPED *ov);
int sp_connect_ex(SOCKET s, const WSD_SOCKADDR_IN *to, void *data, DWORD bytes, WSAOVERLAPPED *ov);
int sp_disconnect_ex(SOCKET s, WSAOVERLAPPED *ov, DWORD flags);
int sp_transmit_file(SOCKET s, HANDLE file, DWORD bytes, WSAOVERLAPPED *ov,
                     struct sp_transmit_buffers *buffers, DWORD flags);
/* An extension function by GUID; fails the test when there is none. */
void (*sp_extension(SOCKET s, const GUID *id))(void);

/* --- sockets in usual states (sp_sockets.c) --- */

SOCKET sp_stream(void); /* overlapped, blocking */
SOCKET sp_listener(int backlog, WSD_SOCKADDR_IN *at);
struct sp_pair {
    SOCKET listener, a, b; /* a connected, b was accepted */
    WSD_SOCKADDR_IN at;
};
/* Blocking connect, then accept; both ends carried by the lane. */
void sp_pair_open(struct sp_pair *pair);
void sp_pair_close(struct sp_pair *pair); /* what of it is still open (not INVALID_SOCKET) */
void sp_carried(SOCKET s);                /* by the lane */
void sp_carried_name(SOCKET s, const char *name);

/* Byte i of the stream `seed`. */
void sp_fill(void *data, size_t bytes, uint32_t seed, uint64_t at);
void sp_expect_pattern(const void *data, size_t bytes, uint32_t seed, uint64_t at);
void sp_send_all(SOCKET s, const void *data, size_t bytes);
/* Zeros to a non-blocking socket until it says WSAEWOULDBLOCK: how many it took. And as many taken out at the other end. */
uint64_t sp_fill_up(SOCKET s);
void sp_drain(SOCKET s, uint64_t bytes);
void sp_recv_all(SOCKET s, void *data, size_t bytes);
void sp_expect_end(SOCKET s);                        /* a receive answers 0 bytes */
void sp_echo(SOCKET from, SOCKET to, uint32_t seed); /* some bytes arrive */

/* A file of `bytes` of stream `seed`, open for reading, as the switch's system names it (sp_file_posix.c, sp_file_windows.c). */
HANDLE sp_file_create(size_t bytes, uint32_t seed);
void sp_file_close(HANDLE file);
/* From now on the process may open some forty files more than it has; then as before. False: there is no such limit here. */
bool sp_limit_files(bool is_tight);

/* Pages (sp_memory_posix.c, sp_memory_windows.c). map: zeroed; at `where`, unless that is NULL, and then NULL when something is there. The others
 * are false where the system has no such thing: other pages at the same place; pages go to another place and replace what was there;
 * zeroed pages at the same place. */
void *sp_map(void *where, size_t bytes);
void *sp_far_place(
    void); /* an address with room around, which the system gives to nobody who does not ask for it */
void sp_unmap(void *p, size_t bytes);
bool sp_map_over(void *p, size_t bytes);
bool sp_move_memory(void *from, void *to, size_t bytes);
bool sp_discard(void *p, size_t bytes);

/* A thread that receives (blocking) and compares with the pattern. */
struct sp_reader {
    SOCKET s;
    uint32_t seed, piece_bytes; /* of each receive */
    uint64_t want;
    uint64_t got;
    int error;
    bool differs, ended;
    struct pal_thread *thread;
};
void sp_reader_start(struct sp_reader *r);
void sp_reader_join(struct sp_reader *r); /* and all of it was right */

/* Some call in another thread: set fn and context, read error. */
struct sp_call {
    int (*fn)(void *context);
    void *context;
    int error;
    uint64_t asked; /* upcalls for a blocking hook before it */
    pal_atomic_u32 has_begun, is_over;
    struct pal_thread *thread;
};
void sp_call_start(struct sp_call *c, int (*fn)(void *context), void *context);
/* It is about to sleep in the switch: it has asked for the blocking hook, which comes after its socket is looked up (spi/block.c).
 * No other call may begin to block meanwhile. */
void sp_call_blocks(struct sp_call *c);
/* For WSPGetOverlappedResult, which has no hook: it has begun, and a while later it is not over. Most likely it sleeps. */
void sp_call_most_likely_blocks(struct sp_call *c);
/* A blocking receive, for that. */
struct sp_receiving {
    SOCKET s;
    char data[100];
    DWORD got;
};
int sp_receive_now(void *receiving);
int sp_call_join(struct sp_call *c);

/* --- a load that changes its owner (sp_traffic.c) --- */

#define SP_TRAFFIC_PIECES 16u
struct sp_traffic {
    SOCKET s;
    char *data;
    unsigned count;
    WSAOVERLAPPED ov[SP_TRAFFIC_PIECES];
};
uint64_t sp_traffic_bytes(void); /* of one load */
int sp_traffic_start(struct sp_traffic *t, SOCKET s, uint32_t seed, uint64_t at);
int sp_traffic_finish(struct sp_traffic *t);
int sp_traffic_take(SOCKET s, uint32_t seed, uint64_t at, uint64_t bytes);

/* --- one stream of several senders (sp_mixed.c): each byte says whose it is, and which of his --- */

#define SP_SENDERS 4u
void sp_mixed_fill(void *data, size_t bytes, unsigned sender, uint64_t at);
/* The load of sp_traffic_start() in such bytes. */
int sp_mixed_start(struct sp_traffic *t, SOCKET s, unsigned sender, uint64_t at);
int sp_mixed_send(SOCKET s, unsigned sender, uint64_t at, size_t bytes); /* blocking */
/* A thread that receives until the end of the stream, and wants of each sender his bytes in their order, however they are mixed. */
struct sp_mixed {
    SOCKET s;
    pal_atomic_u64 got[SP_SENDERS];
    int error; /* of the last receive */
    bool differs;
    struct pal_thread *thread;
};
void sp_mixed_read(struct sp_mixed *m, SOCKET s);
void sp_mixed_join(struct sp_mixed *m); /* it was all right, and ended gracefully */

/* --- random use of several connections, for a while (sp_user.c) --- */

#define SP_USED 4u
struct sp_user {
    SOCKET s[SP_USED];
    unsigned count, sender; /* connections; which one this is */
    uint32_t seed, ms;
    uint32_t largest;                       /* of a send */
    uint64_t sent[SP_USED];                 /* out: bytes, as sp_mixed_fill() has them */
    uint64_t got[SP_USED], weight[SP_USED]; /* out: bytes, and the sum of sp_user_weight() over them */
    int error[SP_USED + 1];                 /* out: of each receiver, then of the sender */
    struct sp_user_receiver {
        struct sp_user *user;
        unsigned which;
    } receivers[SP_USED];
    struct pal_thread *receiving[SP_USED], *sending;
};
uint64_t sp_user_weight(const void *data,
                        size_t bytes); /* no two orders differ, and nearly all sets of bytes do */
bool sp_user_start(struct sp_user *u);
int sp_user_sent(struct sp_user *u);     /* waits until it sends no more: 0 or why it failed */
int sp_user_received(struct sp_user *u); /* and until all streams have ended */

/* --- a second process (sp_process.c): this program with --role --- */

void sp_process_start(struct second_process *p, const char *mode); /* WSD_SWITCH there */
/* WSPDuplicateSocket, with what the other process has to be told as text. */
#define SP_INFO_TEXT (2 * sizeof(WSAPROTOCOL_INFOW) + 1)
int sp_give(SOCKET s, uint32_t process_id, char text[SP_INFO_TEXT]);
int sp_take(const char *text, SOCKET *out);
void sp_process_kill(struct second_process *p); /* without a chance to say so */
int sp_role(void);                              /* the other side of it; the program's exit status */
/* A connection whose end a this process and p have handles of; the other end is here. */
struct sp_shared {
    struct sp_pair pair;
    struct second_process p;
    bool is_nonblocking; /* a is, which is a state of the socket: p has to be patient */
};
void sp_lend(SOCKET s, struct second_process *p); /* a handle for it, as the connection of its slot */
void sp_shared_open(struct sp_shared *x);
void sp_use_there(struct sp_shared *x); /* a byte goes from p to b: control of it is there */
void sp_use_here(struct sp_shared *x);
void sp_shared_close(struct sp_shared *x); /* here (when it is open still), and there; the end is graceful */
/* What it has of connections; commands "slot N" choose the one that others mean. */
#define SP_SLOTS 8u
/* The commands that are for sockets of several processes (sp_shared.c). -3: none of them */
int sp_shared_obey(SOCKET slots[SP_SLOTS], SOCKET connection, const char *line, char *answer, size_t bytes);

/* What contract 10.1 lists and this group has to meet, was met (documented.c): how many were not, with a line each. */
int sp_documented(const char *group);

/* --- groups --- */

struct sp_group {
    const char *name;
    int (*run)(void);
};
int sp_address_text(void);
int sp_startup(void);
int sp_loading(void);
int sp_bad_handles(void);
int sp_creation(void);
int sp_names(void);
int sp_connecting(void);
int sp_connecting_ex(void);
int sp_fallback(void);
int sp_accepting(void);
int sp_accepting_ex(void);
int sp_blocking(void);
int sp_cancelling(void);
int sp_cancelling_io(void);
int sp_nonblocking_data(void);
int sp_overlapped(void);
int sp_packets(void);
int sp_order_of_bytes(void);
int sp_sizes(void);
int sp_remapping(void);
int sp_events(void);
int sp_events_connection(void);
int sp_async_select(void);
int sp_selecting(void);
int sp_urgent(void);
int sp_closing(void);
int sp_options(void);
int sp_ioctls(void);
int sp_transmit(void);
int sp_duplicate(void);
int sp_sharing(void);
int sp_moving(void);
int sp_dying(void);
int sp_control(void);
int sp_control_waiting(void);
int sp_control_ends(void);
int sp_control_storm(void);
int sp_storm_blocking(void);
int sp_datagrams(void);
int sp_hostile(void);
int sp_storm(void);
int sp_error_codes(void);
int sp_shortage(void);
int sp_device(void);
int sp_ends(void);
int sp_many(void);
int sp_ipv6(void);

#endif
