/* poller.c - which of many sockets are ready, asked of the socket driver itself.
 * Why not WSAEventSelect: it ties a socket to one event, and here a socket lies in up to three pollers. Why not WSAPoll:
 * it cannot be waited for together with anything else. Both stand on the driver's own request, which can: it names sockets
 * and what is wanted of them, and completes as soon as one is ready. Its form has not changed since Windows 2000, and
 * event loops in wide use stand on it; Wine answers it too. It tells the state, not the change.
 * A set has room for two requests: one asks and never waits (pal_poller_poll), one waits in the kernel while
 * somebody sleeps. The second is left there when the sleeper goes, taken back when the set changes, and asked anew by the
 * next sleeper when it has ended. */
#include "waitable.h"

#include <mswsock.h>
#include <stdlib.h>
#include <string.h>
#include <winternl.h>

#include "pal/socket.h"

#define IOCTL_AFD_POLL 0x00012024u

/* Bits of the request; ours, to the driver. */
enum {
    AFD_RECEIVE = 0x001,
    AFD_RECEIVE_EXPEDITED = 0x002, /* out-of-band data */
    AFD_SEND = 0x004,
    AFD_DISCONNECT = 0x008, /* the peer has ended its half */
    AFD_ABORT = 0x010,
    AFD_LOCAL_CLOSE = 0x020,
    AFD_ACCEPT = 0x080,
    AFD_CONNECT_FAIL = 0x100
};
#define AFD_ENDED (AFD_ABORT | AFD_CONNECT_FAIL)

struct afd_entry {
    HANDLE handle;
    ULONG events;
    LONG status;
};

struct afd_poll {
    LARGE_INTEGER timeout;
    ULONG count;
    ULONG is_exclusive;
    struct afd_entry entries[];
};

struct request {
    HANDLE event; /* manual reset; the driver sets it when the request has ended */
    IO_STATUS_BLOCK io;
    struct afd_poll *in, *out; /* room for all members */
    bool is_pending;
};

struct member {
    SOCKET socket;
    HANDLE base; /* of the system's provider, when others lie over it */
    unsigned what;
    void *tag;
};

struct pal_socket_set {
    HANDLE driver;
    struct member *members;
    unsigned count, room;
    unsigned turn; /* where the next look starts, so that no socket is last for ever */
    struct request asking, waiting;
    bool is_stale; /* what is waited for has changed since it was asked, while nobody watched */
};

struct pal_poller {
    struct pal_os_waitable w;
};

/* ---- requests; the lock of the waitable is held ---- */

static HANDLE open_driver(void)
{
    static const WCHAR text[] = L"\\Device\\Afd\\OpenWSD"; /* what follows Afd is free */
    UNICODE_STRING name = {sizeof text - sizeof *text, sizeof text, (WCHAR *)text};
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io;
    HANDLE driver = NULL;
    InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
    if (NtCreateFile(&driver, SYNCHRONIZE, &attributes, &io, NULL, 0, FILE_SHARE_READ | FILE_SHARE_WRITE,
                     FILE_OPEN, 0, NULL, 0) != 0)
        return NULL;
    return driver;
}

static ULONG wanted(unsigned what)
{
    return (what & PAL_READABLE ? (ULONG)AFD_RECEIVE | AFD_ACCEPT | AFD_DISCONNECT : 0) |
           (what & PAL_WRITABLE ? (ULONG)AFD_SEND : 0) | (what & PAL_HANGUP ? (ULONG)AFD_DISCONNECT : 0) |
           (what & PAL_URGENT ? (ULONG)AFD_RECEIVE_EXPEDITED : 0) | AFD_ENDED;
}

static unsigned found(ULONG events, unsigned what)
{
    unsigned is = 0;
    if (events & (AFD_RECEIVE | AFD_ACCEPT | AFD_DISCONNECT | AFD_ENDED))
        is |= PAL_READABLE; /* an end can be read */
    if (events & (AFD_SEND | AFD_ENDED))
        is |= PAL_WRITABLE;
    if (events & AFD_RECEIVE_EXPEDITED)
        is |= PAL_URGENT;
    is &= what;
    return is | (events & (AFD_DISCONNECT | AFD_ENDED) ? PAL_HANGUP : 0u);
}

static size_t poll_bytes(unsigned count)
{
    return sizeof(struct afd_poll) + count * sizeof(struct afd_entry);
}

/* True: it has ended, one way or the other, and the status tells which. */
static bool submit(struct pal_socket_set *set, struct request *r, LONGLONG timeout)
{
    r->in->timeout.QuadPart = timeout;
    r->in->count = set->count;
    r->in->is_exclusive = FALSE;
    for (unsigned i = 0; i < set->count; i++) {
        const struct member *m = &set->members[(set->turn + i) % set->count];
        r->in->entries[i] = (struct afd_entry){.handle = m->base, .events = wanted(m->what)};
    }
    r->out->count = 0;
    const ULONG bytes = (ULONG)poll_bytes(set->count);
    const NTSTATUS st = NtDeviceIoControlFile(set->driver, r->event, NULL, NULL, &r->io, IOCTL_AFD_POLL,
                                              r->in, bytes, r->out, bytes);
    if (st != STATUS_PENDING)
        r->io.Status = st;
    return st != STATUS_PENDING;
}

static void take_back(struct pal_socket_set *set, struct request *r)
{
    if (!r->is_pending)
        return;
    (void)CancelIoEx(set->driver, (OVERLAPPED *)(void *)&r->io); /* fails when it has just ended */
    (void)WaitForSingleObject(r->event, INFINITE);
    r->is_pending = false;
}

static bool found_some(const struct request *r)
{
    return r->io.Status == 0 && r->out->count > 0;
}

/* A request in the kernel reads and writes nothing of ours before its end, so the status is what it says. */
static bool has_ended(const struct request *r)
{
    return *(const volatile LONG *)&r->io.Status != STATUS_PENDING;
}

bool pal_socket_set_ask_locked(struct pal_socket_set *set, HANDLE *wake)
{
    struct request *r = &set->waiting;
    if (set->count == 0)
        return false;
    if (r->is_pending && (set->is_stale || has_ended(r))) /* perhaps long ago */
        take_back(set, r);
    set->is_stale = false;
    if (!r->is_pending) {
        r->io.Status = STATUS_PENDING;
        if (submit(set, r, INT64_MAX))
            return true; /* if it failed, too: who looks finds out */
        r->is_pending = true;
    }
    *wake = r->event;
    return false;
}

bool pal_socket_set_woke_locked(struct pal_socket_set *set)
{
    struct request *r = &set->waiting;
    if (!r->is_pending || !has_ended(r))
        return false;
    take_back(set, r);
    return found_some(r);
}

/* ---- members ---- */

static void free_request(struct request *r)
{
    if (r->event)
        CloseHandle(r->event);
    free(r->in);
    free(r->out);
}

static void free_set(struct pal_socket_set *set)
{
    if (!set)
        return;
    take_back(set, &set->waiting);
    free_request(&set->asking);
    free_request(&set->waiting);
    if (set->driver)
        CloseHandle(set->driver);
    free(set->members);
    free(set);
}

static struct pal_socket_set *new_set(void)
{
    struct pal_socket_set *set = calloc(1, sizeof *set);
    if (!set)
        return NULL;
    set->driver = open_driver();
    set->asking.event = CreateEventW(NULL, TRUE, FALSE, NULL);
    set->waiting.event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (set->driver && set->asking.event && set->waiting.event)
        return set;
    free_set(set);
    return NULL;
}

static bool grow(void *at, size_t bytes)
{
    void **block = at;
    void *larger = realloc(*block, bytes);
    if (larger)
        *block = larger;
    return larger != NULL;
}

/* Nothing is pending. All room is made here, so that looking needs none. */
static bool make_room(struct pal_socket_set *set)
{
    if (set->count < set->room)
        return true;
    const unsigned room = set->room ? 2 * set->room : 8;
    const size_t bytes = poll_bytes(room);
    if (!grow(&set->members, room * sizeof *set->members) || !grow(&set->asking.in, bytes) ||
        !grow(&set->asking.out, bytes) || !grow(&set->waiting.in, bytes) || !grow(&set->waiting.out, bytes))
        return false;
    set->room = room;
    return true;
}

static HANDLE base_of(SOCKET s)
{
    SOCKET base = INVALID_SOCKET;
    DWORD got = 0;
    if (WSAIoctl(s, SIO_BASE_HANDLE, NULL, 0, &base, sizeof base, &got, NULL, NULL) != 0)
        return (HANDLE)s; /* nothing lies over it */
    return (HANDLE)base;
}

static struct member *member_of(struct pal_socket_set *set, SOCKET s)
{
    for (unsigned i = 0; set && i < set->count; i++)
        if (set->members[i].socket == s)
            return &set->members[i];
    return NULL;
}

static bool add_locked(struct pal_os_waitable *w, const struct member *m)
{
    if (!w->sockets && !(w->sockets = new_set()))
        return false;
    struct pal_socket_set *set = w->sockets;
    if (member_of(set, m->socket))
        return false;
    take_back(set, &set->waiting);
    if (!make_room(set))
        return false;
    set->members[set->count++] = *m;
    pal_waitable_changed_locked(w);
    return true;
}

bool pal_poller_add(struct pal_poller *p, pal_socket s, unsigned what, void *tag)
{
    const struct member m = {.socket = s, .base = base_of(s), .what = what, .tag = tag};
    AcquireSRWLockExclusive(&p->w.lock);
    const bool is_added = add_locked(&p->w, &m);
    ReleaseSRWLockExclusive(&p->w.lock);
    return is_added;
}

void pal_poller_change(struct pal_poller *p, pal_socket s, unsigned what, void *tag)
{
    AcquireSRWLockExclusive(&p->w.lock);
    struct member *m = member_of(p->w.sockets, s);
    if (m) { /* else: removed meanwhile */
        if (m->what != what && p->w.is_watching) {
            take_back(p->w.sockets, &p->w.sockets->waiting);
            pal_waitable_changed_locked(&p->w);
        } else if (m->what != what) {
            /* Nobody asks for sockets before pal_poller_watch(), which wakes who sleeps on the rest; then it is asked anew. Till
             * then waking him would be for nothing, each time that a sender runs full. */
            p->w.sockets->is_stale = true;
        }
        m->what = what;
        m->tag = tag;
    }
    ReleaseSRWLockExclusive(&p->w.lock);
}

void pal_poller_remove(struct pal_poller *p, pal_socket s)
{
    AcquireSRWLockExclusive(&p->w.lock);
    struct pal_socket_set *set = p->w.sockets;
    struct member *m = member_of(set, s);
    if (m) {
        take_back(set, &set->waiting); /* it must not name a socket that is closed */
        *m = set->members[--set->count];
        set->turn = set->count ? set->turn % set->count : 0;
        pal_waitable_changed_locked(&p->w);
    }
    ReleaseSRWLockExclusive(&p->w.lock);
}

/* ---- looking ---- */

/* Ready entries come in the order they were asked for, so one walk over both lists finds them all. */
static unsigned collect(struct pal_socket_set *set, struct pal_ready *out, unsigned max)
{
    const struct afd_poll *answer = set->asking.out;
    const unsigned asked = set->count, first = set->turn;
    unsigned n = 0;
    for (unsigned i = 0, r = 0; i < asked && r < answer->count && n < max; i++) {
        const struct member *m = &set->members[(first + i) % asked];
        if (answer->entries[r].handle != m->base)
            continue;
        const unsigned what = found(answer->entries[r++].events, m->what);
        if (!what)
            continue;
        out[n].tag = m->tag;
        out[n++].what = what;
        set->turn = (first + i + 1) % asked;
    }
    return n;
}

unsigned pal_poller_poll(struct pal_poller *p, struct pal_ready *out, unsigned max)
{
    unsigned n = 0;
    AcquireSRWLockExclusive(&p->w.lock);
    struct pal_socket_set *set = p->w.sockets;
    if (set && set->count && max) {
        struct request *r = &set->asking;
        if (!submit(set, r, 0)) /* it has no time to wait, but may end behind our back */
            (void)WaitForSingleObject(r->event, INFINITE);
        if (found_some(r))
            n = collect(set, out, max);
    }
    ReleaseSRWLockExclusive(&p->w.lock);
    return n;
}

/* ---- the rest is a waitable ---- */

struct pal_poller *pal_poller_create(pal_waitable beside)
{
    struct pal_poller *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    if (!pal_waitable_init(&p->w, PAL_PART_EVENT | PAL_PART_CHANGES, beside)) {
        free(p);
        return NULL;
    }
    p->w.is_watching = true;
    return p;
}

void pal_poller_destroy(struct pal_poller *p)
{
    if (!p)
        return;
    free_set(p->w.sockets);
    pal_waitable_fini(&p->w);
    free(p);
}

pal_waitable pal_poller_waitable(const struct pal_poller *p)
{
    return (pal_waitable)&p->w;
}

void pal_poller_watch(struct pal_poller *p, bool on)
{
    AcquireSRWLockExclusive(&p->w.lock);
    if (on && !p->w.is_watching)
        pal_waitable_changed_locked(&p->w);
    p->w.is_watching = on;
    ReleaseSRWLockExclusive(&p->w.lock);
}

void pal_poller_signal(struct pal_poller *p)
{
    pal_waitable_signal(&p->w);
}

void pal_poller_clear(struct pal_poller *p)
{
    pal_waitable_clear(&p->w);
}

bool pal_poller_deadline(struct pal_poller *p, uint64_t deadline_ns)
{
    pal_waitable_set_deadline(&p->w, deadline_ns);
    return true;
}
