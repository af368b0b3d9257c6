/* ct_mini.h - the smallest switch: for tests that must see or spoil what switch_shim does for everybody
 * else.
 * Layer:   tests. Loads the provider by itself, answers the six upcalls a SAN provider needs and records
 *          them in order.
 * Threads: the record has a lock; everything else belongs to the test's thread. */
#ifndef CT_MINI_H
#define CT_MINI_H

#include "ct.h"

enum mini_what { MINI_CREATE, MINI_CLOSE, MINI_COMPLETE, MINI_SET_EVENT, MINI_RESET_EVENT, MINI_CONTEXT };

struct mini_record {
    enum mini_what what;
    SOCKET handle;
    WSAOVERLAPPED *ov;
    DWORD error, bytes;
    uint64_t thread;
};

struct mini {
    LPWSPSTARTUPEX start;
    LPWSPSTARTUP plain_start;
    WSPPROC_TABLE procs;
    WSPDATA data;
    void *library;
    WSPPROC_TABLE peer_procs; /* the second instance, which listens, where the ends are on two backends */
    void *peer_library;       /* NULL: there is none, or mini_peer() was not called */
};

void mini_open(struct mini *m);   /* load the library, no start-up; forget the record */
int mini_start(struct mini *m);   /* WSPStartupEx; the caller's tables are spoiled afterwards */
int mini_cleanup(struct mini *m); /* WSPCleanup, of the second instance too: 0 or its code */
/* The table for what listens and accepts: the second instance's, started by the first call, or our own. */
const WSPPROC_TABLE *mini_peer(struct mini *m);
void mini_close(struct mini *m); /* unload */
void mini_table(WSPUPCALLTABLEEX *t);
void mini_info(WSAPROTOCOL_INFOW *info); /* TCP/IP's entry */

unsigned mini_count(enum mini_what what);
unsigned mini_records(struct mini_record *out, unsigned max); /* copies; returns how many there are */
void mini_forget(void);
unsigned mini_open_handles(void);
void mini_refuse_handles(bool refuse); /* WPUCreateSocketHandle then fails with WSAENOBUFS */
/* Called in the upcall, after it was recorded. NULL: nothing. */
void mini_on_complete(void (*fn)(const struct mini_record *r));

SOCKET mini_socket(const WSPPROC_TABLE *procs, int *error); /* a fresh companion */
/* A connected pair and its listener through plain calls, on the loop backend or a device. */
struct mini_pair {
    const WSPPROC_TABLE *there; /* for the listener and the acceptor */
    SOCKET listener, connector, acceptor;
    WSAEVENT accept_event, connect_event; /* of switch_shim; closed by the test's fixture */
};
void mini_connect(struct fixture *f, struct mini *m, struct mini_pair *p);
/* cast the result */
LPFN_WSPREGISTERMEMORY mini_extension(const WSPPROC_TABLE *procs, SOCKET s, GUID id, int *error);

#endif
