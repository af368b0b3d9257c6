/* listen.h - listening sockets: backlog, refusal, accept.
 * Layer:   provider/sock. Source: contract 4.5, 4.9. */
#ifndef WSD_LISTEN_H
#define WSD_LISTEN_H

#include "sock/sock.h"

/* Start listening, or change the backlog. Winsock code or 0. Control. */
int wsd_listen_start(struct wsd_sock *s, int backlog);
/* Connection thread: a CONNECT request arrived. The connection is taken over. read_depth: reads of ours that the peer
 * offers to serve at a time. */
void wsd_listen_request(struct wsd_sock *listener, struct vb_conn *conn, const struct wsd_wire *w,
                        const struct vb_addr *local, const struct vb_addr *remote, uint8_t read_depth);
/* Connection thread: the request was withdrawn. */
void wsd_listen_withdrawn(struct wsd_sock *child);
/* Connection thread: destroy the listener, refuse what is queued. */
void wsd_listen_stop(struct wsd_sock *s);

struct wsd_accept_args {
    WSD_SOCKADDR *addr;
    INT *addrlen;
    LPCONDITIONPROC condition;
    DWORD_PTR callback_data;
};
/* WSPAccept behind the descriptor. Returns the accepted socket (its DESCRIPTOR reference is the caller's)
 * or NULL and *error. */
struct wsd_sock *wsd_listen_accept(struct wsd_sock *s, const struct wsd_accept_args *a, int *error);

#endif
