/* pal/socket.h - TCP sockets that never block, and the readiness of many of them behind one waitable.
 * Layer:    platform. softiwarp is the user; nothing above it sees a socket.
 * Threads:  any. Two threads must not receive from one socket at the same time, nor send on it. Closing a socket
 *           that is in a poller is allowed only after pal_poller_remove().
 * Blocking: no call waits for the network.
 * Signals:  a write to a connection that is gone is a result, never SIGPIPE. */
#ifndef PAL_SOCKET_H
#define PAL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pal/wait.h"
#include "pal_os/socket_os.h" /* pal_socket, PAL_SOCKET_NONE, struct pal_iov { base, bytes } */

/* Same meaning as struct vb_addr, which lies above this layer. */
struct pal_addr {
    uint8_t family; /* 4 or 6 */
    uint8_t ip[16]; /* network order; IPv4 uses the first four, the rest is zero */
    uint16_t port;  /* host order */
    uint32_t scope; /* IPv6 link-local interface index, else 0 */
};

enum pal_net {
    PAL_NET_OK,
    PAL_NET_AGAIN,    /* nothing to read, no room to write, not connected yet */
    PAL_NET_EOF,      /* peer has closed its sending side; everything before it was read */
    PAL_NET_REFUSED,  /* nobody listens there */
    PAL_NET_RESET,    /* peer, or its system, ended the connection */
    PAL_NET_UNREACH,  /* no route, or the network says so */
    PAL_NET_TIMEOUT,  /* no answer for too long */
    PAL_NET_INUSE,    /* address and port belong to another socket */
    PAL_NET_NOTAVAIL, /* not an address of this host */
    PAL_NET_FAULT,    /* a buffer is not mapped, or not writable */
    PAL_NET_NOMEM,    /* out of memory, buffers or descriptors */
    PAL_NET_DENIED,
    PAL_NET_FAILED /* anything else */
};

/* Tuning of a connection; 0 leaves the choice to the system. Small messages are never held back (TCP_NODELAY). */
struct pal_socket_tuning {
    uint32_t send_buffer_bytes, recv_buffer_bytes;
    uint32_t dead_peer_ms; /* a peer that acknowledges nothing for so long, or takes nothing, is given up */
};

/* Begin to connect. from: local address, port 0 = any. PAL_NET_OK: *out is connecting or connected; it becomes
 * writable when the outcome is there, which pal_socket_outcome() then tells. */
enum pal_net pal_socket_connect(const struct pal_addr *from, const struct pal_addr *to,
                                const struct pal_socket_tuning *tuning, pal_socket *out);
enum pal_net pal_socket_outcome(pal_socket s); /* OK, AGAIN, or why it failed */
/* Listen; a wildcard IPv6 address means IPv6 only. Port 0: any free one (see pal_socket_addrs()).
 * tuning: of the connections that are accepted. */
enum pal_net pal_socket_listen(const struct pal_addr *at, uint32_t backlog,
                               const struct pal_socket_tuning *tuning, pal_socket *out);
/* Own a port without listening: nobody else can bind it until the socket is closed. at->port 0: chosen, and stored. */
enum pal_net pal_socket_reserve(struct pal_addr *at, pal_socket *out);
/* The next connection of a listener, and who it is with (remote may be NULL). PAL_NET_AGAIN: none now. tuning: the listener's once more, for
 * systems on which a connection does not inherit it. */
enum pal_net pal_socket_accept(pal_socket listener, const struct pal_socket_tuning *tuning,
                               struct pal_addr *remote, pal_socket *out);

/* Gather and send, scatter and receive: up to PAL_IOV_MAX pieces. *done: bytes, also when it was not all. */
#define PAL_IOV_MAX 64
enum pal_net pal_socket_send(pal_socket s, const struct pal_iov *iov, unsigned count, size_t *done);
enum pal_net pal_socket_recv(pal_socket s, const struct pal_iov *iov, unsigned count, size_t *done);

void pal_socket_finish(pal_socket s); /* nothing more will be sent: the peer reads to the end, then EOF */
void pal_socket_close(pal_socket s);  /* what was sent still travels, unless input was left unread */
bool pal_socket_addrs(pal_socket s, struct pal_addr *local, struct pal_addr *remote); /* either may be NULL */
/* Let the peer send so much ahead from now on, and the system go on from there. A hint; it is memory that a peer can fill. */
void pal_socket_recv_ahead(pal_socket s, uint32_t bytes);
/* How much more than what has its place already a receive should ask for, to be copied later, so that it saves calls: next to
 * nothing where a call is cheap. At least 64 bytes. */
uint32_t pal_socket_read_along(void);
uint32_t pal_socket_segment_bytes(pal_socket s); /* what TCP puts in one segment; 0 = unknown */
/* Does TCP of this system itself give up a peer that acknowledges and takes nothing (dead_peer_ms)? Else its user has to. */
bool pal_socket_gives_up_full_peers(void);

/* ---- readiness of many sockets ---- */

enum {
    PAL_READABLE = 1,
    PAL_WRITABLE = 2,
    PAL_HANGUP = 4, /* peer has closed; errors always count */
    PAL_URGENT = 8  /* out-of-band data; never reported by itself */
};

struct pal_ready {
    void *tag;
    unsigned what;
};

/* A set of sockets with one waitable. The waitable is ready while
 *   - a socket of the set is ready for what it was added for, unless watching was switched off;
 *   - it was signalled and not cleared;
 *   - a deadline passed and was not moved;
 *   - `beside` (may be PAL_WAITABLE_NONE; borrowed) is ready.
 * Add, change, remove, signal, watch, deadline: any thread at any time. poll: one thread at a time; events that it
 * returned may name a socket that was removed meanwhile, so the owner of tags must know. */
struct pal_poller;
struct pal_poller *pal_poller_create(pal_waitable beside); /* NULL when out of resources */
void pal_poller_destroy(struct pal_poller *p);
pal_waitable pal_poller_waitable(const struct pal_poller *p);
bool pal_poller_add(struct pal_poller *p, pal_socket s, unsigned what, void *tag);
void pal_poller_change(struct pal_poller *p, pal_socket s, unsigned what, void *tag);
void pal_poller_remove(struct pal_poller *p, pal_socket s);
unsigned pal_poller_poll(struct pal_poller *p, struct pal_ready *out, unsigned max); /* never waits */
void pal_poller_watch(struct pal_poller *p, bool on);
void pal_poller_signal(struct pal_poller *p); /* cheap when it is signalled already */
void pal_poller_clear(struct pal_poller *p);  /* by the waiter, before it looks at the work */
/* deadline_ns on the pal_now_ns() scale; 0 = none. False: no timers left. */
bool pal_poller_deadline(struct pal_poller *p, uint64_t deadline_ns);

/* ---- interfaces of this host ---- */

struct pal_if_addr {
    struct pal_addr addr; /* port 0 */
    bool is_loopback;
};
/* Addresses of interfaces that are up. Returns how many there are, which may be more than max; -1: out of memory. */
int pal_if_addrs(struct pal_if_addr *out, unsigned max);
/* Which local address would be used to reach `to`? Sends nothing. OK, UNREACH, ... */
enum pal_net pal_route_lookup(const struct pal_addr *to, struct pal_addr *local);
/* A waitable that becomes ready when addresses or links may have changed; take: true if they did, and reset. */
struct pal_if_watch;
struct pal_if_watch *pal_if_watch_create(void); /* NULL: the system cannot tell */
void pal_if_watch_destroy(struct pal_if_watch *w);
pal_waitable pal_if_watch_waitable(const struct pal_if_watch *w);
bool pal_if_watch_take(struct pal_if_watch *w);

#endif
