/* fake.h - what lies below and above the upper face, played: carriers and SAN providers that answer as the test says, and a Ws2_32 of a
 * few tables. So every state of a socket can be reached, every report of a carrier made at any time, in one thread.
 * Layer:   tests; below and above switch_shim/spi.
 * Threads: the test's only.
 * Names:   carriers are called t1, t2, ... (TCP/IP) and s1, s2, ... (SAN) in the order of their birth, in the log too. */
#ifndef FAKE_H
#define FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "spi/spi.h"

/* --- below --- */

struct fake {
    struct sw_carrier pub; /* first */
    struct fake *next;
    bool is_san;
    unsigned number;
    bool is_connected, is_bound;
    WSD_SOCKADDR_IN name;
    unsigned arrivals;               /* a listener's, not accepted yet */
    uint32_t wanted;                 /* FD_*, not reported yet */
    uint32_t ready;                  /* what ready() says */
    struct sw_request *first, *last; /* pending */
    bool is_closing;                 /* close() was called; closed() is due: fake_end() */
    uint32_t linger_ms;
};

/* How those that are born from now on, and those that live, answer. */
struct fake_script {
    int create[2], bind[2], connect[2], listen[2], option[2]; /* [0] TCP/IP, [1] SAN; 0 or a code */
    bool may_fall_back;
    int submit, now; /* 0: all of it at once; WSA_IO_PENDING; another code: refused */
    bool is_close_slow;
};
extern struct fake_script fake_script;
extern unsigned fake_provider_count; /* SAN providers that load; number n has 10.0.n.1/24 */
extern const char *fake_switch_mode; /* WSD_SWITCH; NULL: not set */
extern bool fake_loses_wildcard;     /* SAN carriers cannot be bound to it */
extern int fake_refresh_answer;
extern unsigned fake_refreshes, fake_watches;
void fake_addresses_change(void); /* what sw_tcp_watch_addresses() was asked to tell */
extern void (*fake_during_refresh)(void);
extern void (*fake_during_close)(void);  /* some call in another thread, while a carrier is closed */
extern void (*fake_during_load)(void);   /* what a provider does in its WSPStartupEx */
extern void (*fake_during_unload)(void); /* and in its WSPCleanup */

struct fake *fake_named(const char *name); /* "t1"; NULL: it is gone, or was never there */
unsigned fake_living(void);
const char *fake_log(void); /* "t1.bind s1.connect ...", what was called since the last fake_log_clear() */
void fake_log_clear(void);

void fake_report(struct fake *c, uint32_t events, int error);        /* up->events(), asked for or not */
void fake_report_wanted(struct fake *c, uint32_t events, int error); /* those of them that were asked for */
void fake_arrive(struct fake *listener);                             /* somebody connects */
void fake_complete(struct fake *c, int error, uint64_t bytes);       /* the oldest pending request */
void fake_end(struct fake *c);                                       /* closed() of one whose close is slow */

/* --- above --- */

extern WSPPROC_TABLE procs;
void fake_start(void);
void fake_start_as(DWORD entry); /* with that number in the catalog; counted, as all starts */
extern DWORD fake_handle_entry;  /* of the last WPUCreateSocketHandle */
void fake_stop(void);            /* wants nothing left: carriers, handles, refused moves */
int fake_setup(void **state);
int fake_teardown(void **state);
#define fake_test(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

unsigned fake_open_handles(void);
unsigned fake_completions(void);        /* WPUCompleteOverlappedRequest, since the start */
extern unsigned fake_events_set;        /* WPUSetEvent */
extern void (*fake_during_reset)(void); /* WPUResetEvent calls it */
#define FAKE_EVENT ((WSAEVENT)(uintptr_t)0x7700)
void fake_run_apcs(void); /* what WPUQueueApc queued */
unsigned fake_apcs_waiting(void);

/* --- sockets --- */

SOCKET fake_socket(int type, bool is_nonblocking);
struct sw_sock *fake_object(SOCKET s); /* valid while it is open */
enum sw_state fake_state(SOCKET s);
void fake_address(WSD_SOCKADDR_IN *out, unsigned network, unsigned port); /* 10.0.network.9 */
/* 0 or the code */
int fake_bind(SOCKET s, unsigned port);
int fake_connect(SOCKET s, unsigned network);
int fake_listen(SOCKET s);
int fake_close(SOCKET s);
int fake_disconnect_ex(SOCKET s);
int fake_connect_ex(SOCKET s, unsigned network, WSAOVERLAPPED *ov);
int fake_accept(SOCKET s, SOCKET *out);
int fake_accept_ex(SOCKET listener, SOCKET into, WSAOVERLAPPED *ov); /* without data */
int fake_select_events(SOCKET s, LONG events);
LONG fake_take_events(SOCKET s, int *close_error);

#endif
