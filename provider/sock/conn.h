/* conn.h - connecting, and what connection events do to a socket.
 * Layer:   provider/sock. */
#ifndef WSD_CONN_H
#define WSD_CONN_H

#include "sock/sock.h"

/* Start connecting to s->remote: connection, channel, request. The socket is CONNECTING. On failure
 * everything made so far is left to wsd_sock_close(). w: the private data to send. Winsock code or 0.
 * Control. */
int wsd_conn_start(struct wsd_sock *s, const struct vb_addr *to, const struct wsd_wire *w);

/* Connection thread only. */
void wsd_conn_event(struct wsd_sock *s, const struct vb_cm_event *ev);
/* NULL: the resume listener */
void wsd_conn_request(struct wsd_sock *listener, const struct vb_cm_event *ev);
void wsd_conn_break(struct wsd_sock *s, int cause);
void wsd_conn_timeout(struct wsd_sock *s);
void wsd_conn_teardown(struct wsd_sock *s);
void wsd_conn_finish(struct wsd_sock *s);
/* End an attempt: state, FD_CONNECT or the waiting thread. */
void wsd_conn_outcome(struct wsd_sock *s, int error);

/* Keep s->conn and its QP from being replaced while another thread uses them. */
void wsd_conn_use(struct wsd_sock *s);
void wsd_conn_unuse(struct wsd_sock *s);

/* Private data of our answer to a CONNECT or RESUME. */
uint16_t wsd_conn_accept_data(struct wsd_sock *s, uint8_t out[WSD_WIRE_MAX_BYTES]);
void wsd_conn_reject(struct vb_conn *conn, enum wsd_reject_reason reason);
void wsd_conn_read_depths(const struct wsd_sock *s, struct vb_conn_params *p);
uint32_t wsd_conn_reads(const struct vb_conn_params *ours, uint8_t offered);
bool wsd_conn_new_key(uint64_t *key);

#endif
