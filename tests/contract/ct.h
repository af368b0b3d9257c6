/* ct.h - what the contract tests share: the environment, one fixture per test, connections, messages, a
 * second process.
 * Layer:   tests; above switch_shim, which loads the provider. Nothing here knows the provider's insides.
 * Threads: assertions belong to the test's own thread; threads of a test leave their verdict in
 *          ct_thread.failure.
 * Time:    every wait ends after ct.wait_ms at the latest, and a watchdog ends a test that hangs all the
 *          same.
 * Leaks:   the teardown of every test unloads the provider, then compares with the state before: objects
 *          of the loop backend, threads, file descriptors, switch handles; and it wants no contract
 *          violation from switch_shim. */
#ifndef CT_H
#define CT_H

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
#include "pal/process.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "prov_loop.h"
#include "suite/second_process.h"
#include "suite/suite.h"
#include "sw/switch.h"

/* ---- environment: one per process ---------------------------------------------------------------------- */

struct ct_env {
    bool is_loop;           /* the in-process backend; false: a real device, both ends on one address */
    char provider[4096];    /* library under test */
    char address[64];       /* text: where tests listen */
    char other_address[64]; /* text: where tests connect from */
    char program[4096];     /* this program, for second processes */
    uint32_t wait_ms;       /* no wait is longer */
    unsigned long rounds;   /* how often tests that repeat something do so */
    const struct prov_loop_api *loop; /* NULL on a device */
    const struct vb_api *vb;
    const char *vb_spec;
    /* Another backend for the ends that listen, and a copy of the library for them, so that it has a state of its own. Both
     * empty: one instance is at both ends. */
    char peer_spec[64];
    char peer_provider[4096];
    /* Where the two ends are different devices, what both have and what either does. */
    bool has_flow_control; /* a message that finds no receive waits */
    bool completes_early;  /* iWARP: a send or write is over once it was handed on, not when it has arrived */
    struct {
        unsigned run, excepted, skipped; /* of the tests so far */
    } count;
};
extern struct ct_env ct;

/* argv as in contract_main.c. 0; 77 with a reason on standard error; 2: bad usage. */
int ct_env_init(bool is_loop, const char *provider, const char *peer, const char *address);
bool ct_env_is_siw(void); /* on the kernel's siw, as scripts/vm/in_guest_tests.sh says with WSD_TEST_DEVICE */
bool ct_env_is_across(void); /* the two ends are two instances on two backends */
/* Whoever starts an instance now gets the backend of the ends that listen; false: the other one again. */
void ct_env_choose_peer(bool is_peer);
/* Load the provider once to see whether there is a device. 0 or 77 with a reason printed. */
int ct_env_probe(void);
/* The module's own handle, so that the loop backend outlives the provider's loads. A test of real
 * unloading lets go for a while. */
void ct_env_release_module(void);
void ct_env_hold_module(void);

/* ---- checks -------------------------------------------------------------------------------------------- */

#define ct_ok(call)              suite_check((call), 0, #call, __FILE__, __LINE__)
#define ct_fails(expected, call) suite_check((call), (expected), #call, __FILE__, __LINE__)
/* The value is one of the listed Winsock codes: ct_one_of(error, WSAEINVAL, WSAEFAULT). */
#define ct_one_of(value, ...)                                                                                \
    suite_one_of((value), (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int),      \
                 #value, __FILE__, __LINE__)
#define ct_fail(...) suite_fail(__FILE__, __LINE__, __VA_ARGS__)
/* Ends the test as skipped, with the reason on standard output. */
#define ct_skip(...)                                                                                         \
    do {                                                                                                     \
        printf("[   WHY    ] " __VA_ARGS__);                                                                 \
        printf("\n");                                                                                        \
        ct.count.skipped++;                                                                                  \
        skip();                                                                                              \
    } while (0)
/* First thing in a test that makes no sense when the ends are two instances. */
#define ct_needs_one_instance(reason)                                                                        \
    do {                                                                                                     \
        if (ct_env_is_across()) {                                                                            \
            printf("[ EXCEPTED ] one instance at both ends: %s\n", (reason));                                \
            ct.count.excepted++;                                                                             \
            skip();                                                                                          \
        }                                                                                                    \
    } while (0)
#define ct_needs_loop()                                                                                      \
    do {                                                                                                     \
        if (!ct.is_loop)                                                                                     \
            ct_skip("needs the levers of the loop backend");                                                 \
    } while (0)
#define ct_needs_processes()                                                                                 \
    do {                                                                                                     \
        if (ct.is_loop)                                                                                      \
            ct_skip("needs two processes; the loop backend lives in one");                                   \
    } while (0)

/* Whether a killed peer's connection may stay, told nothing; then only sends and transfers find out (WSD_SOFTIWARP_DEAD_MS). */
#ifndef POSIX_KILL_KEEPS_SOCKETS
#define POSIX_KILL_KEEPS_SOCKETS false
#endif
#define ct_needs_sockets_that_end_with_their_process()                                                       \
    do {                                                                                                     \
        if (POSIX_KILL_KEEPS_SOCKETS)                                                                        \
            ct_skip("the Wine server may keep sockets of a process that was killed: nobody is told");        \
    } while (0)

/* Wait until `condition` holds or the deadline passed; true when it holds. Yields in between. */
#define ct_until(condition)                                                                                  \
    __extension__({                                                                                          \
        uint64_t ct_deadline_ = pal_now_ns() + (uint64_t)ct.wait_ms * 1000000u;                              \
        bool ct_holds_;                                                                                      \
        while (!(ct_holds_ = (condition)) && pal_now_ns() < ct_deadline_)                                    \
            suite_relax();                                                                                   \
        ct_holds_;                                                                                           \
    })

#define ct_needs_flow_control()                                                                              \
    do {                                                                                                     \
        if (!ct.has_flow_control)                                                                            \
            ct_skip("this device kills a connection whose message finds no receive");                        \
    } while (0)

/* ---- fixture ------------------------------------------------------------------------------------------- */

struct ct_thread {
    struct ct_thread *next;
    struct pal_thread *thread;
    void (*fn)(struct ct_thread *t);
    struct fixture *f;
    void *arg;
    pal_atomic_bool is_done;
    char failure[256]; /* empty: fine */
};

struct ct_kept {
    struct ct_kept *next;
    void *memory;
    size_t mapped_bytes; /* 0: from malloc */
};

struct fixture {
    struct sw_provider *provider; /* connects */
    struct sw_provider *peer;     /* listens: the same, or a second instance on another backend */
    const WSPPROC_TABLE *procs;   /* of `provider`; another socket may need its own c->procs */
    const struct sw_extensions *ext;
    WSD_SOCKADDR_IN here;         /* where tests listen; port 0 */
    WSD_SOCKADDR_IN other;        /* where they connect from; port 0 */
    struct sw_listener *listener; /* made by ct_listen(), shared by ct_connect() */
    struct sw_listener *listeners[64];
    unsigned listener_count;
    struct sw_companion *companions[4096];
    unsigned companion_count;
    struct ct_kept *kept;
    WSAEVENT events[64];
    unsigned event_count;
    struct sw_iocp *iocps[8];
    unsigned iocp_count;
    struct ct_thread *threads;
    pal_atomic_bool stop; /* threads look at it between bounded steps */
    struct ct_process *processes;
    struct {
        char name[64];
        char *old;
    } env[16];
    unsigned env_count;
    unsigned expected_violations;
    struct loop_counts before;
    unsigned threads_before, fds_before;
    bool keeps_module_released;
};

int ct_setup(void **state);      /* a loaded provider */
int ct_setup_bare(void **state); /* nothing loaded; ct_load() does it */
int ct_teardown(void **state);

#define ct_test(fn)                                                                                          \
    {                                                                                                        \
#fn, fn, ct_setup, ct_teardown, NULL                                                                 \
    }
#define ct_test_bare(fn)                                                                                     \
    {                                                                                                        \
#fn, fn, ct_setup_bare, ct_teardown, NULL                                                            \
    }

struct ct_group {
    const char *name;
    const struct CMUnitTest *tests;
    size_t count;
};
#define CT_GROUP(name)                                                                                       \
    const struct ct_group ct_group_##name = {#name, name##_tests,                                            \
                                             sizeof name##_tests / sizeof name##_tests[0]}

void ct_load(struct fixture *f); /* sw_load(), asserted; two where the ends are on two backends */
int ct_try_load(struct fixture *f, char *why, size_t why_bytes);
void ct_unload(struct fixture *f); /* close everything, sw_unload(), no violation */
void ct_close_all(struct fixture *f);
/* sw_upcall_count() of both ends. */
uint64_t ct_upcalls(struct fixture *f, enum sw_upcall which);
/* nothing is left over from before the test, nothing was violated */
bool ct_is_clean(struct fixture *f, bool says_why);
/* undone by teardown; before ct_load() */
void ct_setenv(struct fixture *f, const char *name, const char *value);
/* Unload, set environment variables (name, value pairs, NULL at the end), load again. */
void ct_reload(struct fixture *f, ...);

void *ct_memory(struct fixture *f, size_t bytes); /* zeroed, page aligned, freed by the teardown */
WSAEVENT ct_event(struct fixture *f, bool manual_reset);
struct sw_iocp *ct_iocp(struct fixture *f);

struct ct_thread *ct_start(struct fixture *f, void (*fn)(struct ct_thread *), void *arg);
void ct_join(struct ct_thread *t); /* bounded; fails the test when the thread failed or hangs */
/* For threads: note the first failure. */
void ct_thread_fails(struct ct_thread *t, const char *format, ...) PAL_PRINTF(2, 3);

/* ---- sockets ------------------------------------------------------------------------------------------- */

/* host order; for calls that do not go through the shim, which takes its ports from the kernel */
uint16_t ct_port(void);
WSD_SOCKADDR_IN ct_at(WSD_SOCKADDR_IN address, uint16_t port);
/* a fresh one; also f->listener when that is empty */
struct sw_listener *ct_listen(struct fixture *f, int backlog);
void ct_close_listener(struct fixture *f, struct sw_listener *l);
void ct_adopt_companion(struct fixture *f, struct sw_companion *c); /* closed by the teardown */
void ct_forget_companion(struct fixture *f, struct sw_companion *c);
void ct_close(struct fixture *f, struct sw_companion *c);
struct sw_companion *ct_socket(struct fixture *f); /* WSPSocket only */
struct sw_companion *ct_bound(struct fixture *f);  /* and WSPBind */
/* WSPConnect under way; finish with ct_finish_connect(). */
struct sw_companion *ct_start_connect(struct fixture *f, const struct sw_listener *l);
void ct_finish_connect(struct sw_companion *c);
/* The connect was refused, and the switch does not fall back. On siw it may have timed out instead, and then it does:
 * seen now and then, more often on a busy machine (Linux 6.1). The cause is not proven; siw_cm_llp_data_ready() ignores
 * data of a socket that is not established any more, as when the refusal and the end of TCP arrive together. */
void ct_was_refused(int error, bool falls_back);
extern unsigned ct_refusals_overlooked; /* by siw; took the whole time that a connect has */
/* Connect and accept, nothing more. */
void ct_connect(struct fixture *f, struct sw_companion **connector, struct sw_companion **acceptor);
int ct_accept(struct fixture *f, struct sw_listener *l, uint32_t timeout_ms, struct sw_companion **out);

/* The condition function that says CF_ACCEPT, for calls that do not go through sw_accept(). */
int CALLBACK ct_accept_all(LPWSABUF caller_id, LPWSABUF caller_data, LPQOS sqos, LPQOS gqos,
                           LPWSABUF callee_id, LPWSABUF callee_data, GROUP *g, DWORD_PTR context);

/* One end of a connection with registered memory: tx may be sent from, rx received into; both may be used
 * for RDMA. */
struct ct_end {
    struct sw_companion *c;
    uint8_t *tx, *rx;
    HANDLE tx_handle, rx_handle;
    DWORD bytes; /* of each */
};
struct ct_pair {
    struct ct_end a, b; /* a connected, b accepted */
};
void ct_end_init(struct fixture *f, struct ct_end *e, struct sw_companion *c, DWORD bytes);
/* The first messages in both directions; the acceptor's half runs in another process. */
void ct_hello_connector(struct ct_end *e);
void ct_hello_acceptor(struct ct_end *e);
/* Connected, registered, and the first messages are through in both directions, so receives go straight to
 * the adapter. */
void ct_pair(struct fixture *f, struct ct_pair *p, DWORD bytes);

/* ---- transfers ----------------------------------------------------------------------------------------- */

int ct_send(struct ct_end *e, DWORD offset, DWORD bytes, WSAOVERLAPPED *ov, enum sw_completion how);
int ct_recv(struct ct_end *e, DWORD offset, DWORD bytes, WSAOVERLAPPED *ov, enum sw_completion how);
int ct_write(struct ct_end *e, DWORD offset, DWORD bytes, const struct sw_rdma_descriptor *d, DWORD at,
             WSAOVERLAPPED *ov, enum sw_completion how);
int ct_read(struct ct_end *e, DWORD offset, DWORD bytes, const struct sw_rdma_descriptor *d, DWORD at,
            WSAOVERLAPPED *ov, enum sw_completion how);
/* Wait; the operation must end with `error`. Returns its byte count. */
#define ct_done(companion, ov, error) ct_done_((companion), (ov), (error), #ov, __FILE__, __LINE__)
DWORD ct_done_(const struct sw_companion *c, WSAOVERLAPPED *ov, int error, const char *what, const char *file,
               int line);
/* The same while `asker` asks for its operation `asked`: what is polled moves when somebody asks (4.12), and a question about one
 * end moves the other one too only where they are one instance. */
#define ct_done_asking(companion, ov, error, asker, asked)                                                   \
    ct_done_asking_((companion), (ov), (error), (asker), (asked), #ov, __FILE__, __LINE__)
DWORD ct_done_asking_(const struct sw_companion *c, WSAOVERLAPPED *ov, int error,
                      const struct sw_companion *asker, WSAOVERLAPPED *asked, const char *what,
                      const char *file, int line);
/* The error it ended with, whatever it is. */
int ct_outcome(const struct sw_companion *c, WSAOVERLAPPED *ov);
/* One message of `bytes` patterned bytes, checked at the other side. */
#define ct_transfer(from, to, bytes, how) ct_transfer_((from), (to), (bytes), (how), __FILE__, __LINE__)
void ct_transfer_(struct ct_end *from, struct ct_end *to, DWORD bytes, enum sw_completion how,
                  const char *file, int line);
void ct_fill(void *memory, size_t bytes, uint32_t seed);
/* -1: all as ct_fill() made it; else offset of the first wrong byte. */
long ct_wrong_byte(const void *memory, size_t bytes, uint32_t seed);
/* After `moved` was taken over: its provider has connected anew. Between two backends it sends first, as the side that connects
 * has to over iWARP (RFC 5044 7.1.3): siw asks for no ready-to-receive message that would let the other one begin. */
void ct_moved_speaks(struct ct_end *moved, struct ct_end *other);
/* The connection still works in both directions. */
void ct_pair_works(struct ct_pair *p);
/* The other end is gone: a receive fails with WSAECONNRESET (or with `other` when that is not 0). */
void ct_sees_reset(struct ct_end *e);
/* What `from` wrote by RDMA is in place when this returns: where a write is over before that, a message follows it. */
void ct_arrived(struct ct_end *from, struct ct_end *to);
void ct_expose(struct ct_end *e, void *memory, DWORD bytes, DWORD flags, struct sw_rdma_descriptor *d);

/* ---- faults (loop only) -------------------------------------------------------------------------------- */

/* Load the provider again, over the hook that makes verbs calls fail. The plan is empty at first. */
void ct_reload_with_faults(struct fixture *f);
/* A plan such as "mr_reg:1:fail" (grammar: vb/vb_fault.h), in force at once; NULL: none. */
void ct_fault(const char *plan);

/* ---- second process (device only) ---------------------------------------------------------------------- */

struct ct_process {
    struct ct_process *next;
    struct second_process second;
};
struct ct_process *ct_process_start(struct fixture *f);
/* One that has accepted our connection; the first messages are through. mine: our end, with so many bytes; it has 65536. */
struct ct_process *ct_process_connected(struct fixture *f, struct ct_end *mine, DWORD bytes);
/* Commands: second_process_tell(&p->second, ...) and its like; what there are: ct_role.c. */
void ct_kill(struct ct_process *p); /* SIGKILL and reap */
void ct_stop(struct ct_process *p); /* SIGSTOP; it does not run any more when this returns */
void ct_continue(struct ct_process *p);
int ct_role_main(void); /* the second process */

/* ---- raw connections below the provider ---------------------------------------------------------------- */

struct ct_raw_side {
    struct vb_backend *be;
    struct vb_dev *dev;
    struct vb_pd *pd;
    struct vb_cq *cq;
    struct vb_cm *cm;
    struct vb_caps caps;
};
struct ct_raw {
    struct ct_raw_side connects,
        listens; /* on the backends of those ends; with one backend they are the same objects */
};
struct ct_raw_conn {
    struct ct_raw_side *side;
    struct vb_conn *conn;
    struct vb_qp *qp;
};
void ct_raw_open(struct ct_raw *raw);
void ct_raw_close(struct ct_raw *raw);
/* The next event within the deadline; false: none came. */
bool ct_raw_event(struct ct_raw *raw, struct vb_cm_event *ev, uint32_t timeout_ms); /* of either side */
vb_status_t ct_raw_connect(struct ct_raw *raw, const WSD_SOCKADDR_IN *remote, const void *data,
                           uint16_t bytes, struct ct_raw_conn *out);
/* a request; gives it a QP */
vb_status_t ct_raw_adopt(struct ct_raw *raw, struct vb_conn *conn, struct ct_raw_conn *out);
void ct_raw_drop(struct ct_raw_conn *c);
/* fills in the port */
vb_status_t ct_raw_listen(struct ct_raw *raw, WSD_SOCKADDR_IN *at, struct vb_listener **out);

#endif
