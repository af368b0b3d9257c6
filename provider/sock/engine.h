/* engine.h - the connection thread: polls connection and device events, runs timers, tears sockets down.
 * Layer:   provider/sock. One thread per provider. It is the only one that destroys connections and
 *          listeners, which is what makes "no event after destroy" true (vb.h). It holds no lock while it
 *          calls the backend or makes upcalls. */
#ifndef WSD_ENGINE_H
#define WSD_ENGINE_H

#include "sock/sock.h"

vb_status_t wsd_engine_start(void);
void wsd_engine_stop(void); /* all sockets are gone; joins the thread, closes the resume listeners */

/* Ask the connection thread to do something with a socket (enum wsd_work). Any thread, data path too. */
void wsd_engine_post(struct wsd_sock *s, uint32_t work);
/* See to it that wsd_conn_timeout() is called at s->deadline_ns, which has been set. Does not wake the thread when it wakes
 * early enough by itself. */
void wsd_engine_watch(struct wsd_sock *s, uint64_t deadline_ns);
/* Like wsd_engine_post(), and wait until it is done. Runs in place when the caller is the connection thread. */
void wsd_engine_run(struct wsd_sock *s, uint32_t work);
/* Port on which this process takes MOVE and RESUME requests, 0 when it has none. */
uint16_t wsd_engine_resume_port(uint8_t family);
bool wsd_engine_is_me(void);

/* Wait for the outcome of a connection attempt that reports to a thread instead of an event object. WSA
 * code or 0. */
int wsd_engine_wait_connect(struct wsd_sock *s);
/* Connection thread: the outcome is there; the socket needs no timer any more. */
void wsd_engine_attempt_done(struct wsd_sock *s, int error);
void wsd_engine_forget_timer(struct wsd_sock *s);

#endif
