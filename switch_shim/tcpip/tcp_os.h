/* tcp_os.h - the calls of the system behind tcpip/, one file for each system. Winsock codes come back, never errno.
 * Layer:   switch_shim/tcpip, private; tcp_posix.c, tcp_windows.c.
 * Threads: any. Sockets never block. */
#ifndef SW_TCP_OS_H
#define SW_TCP_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pal/socket.h"
#include "wsd/ws2_types.h"

int tcp_os_make(int af, int type, int protocol, pal_socket *out);
int tcp_os_bind(pal_socket s, const WSD_SOCKADDR *name, int bytes);
int tcp_os_connect(pal_socket s, const WSD_SOCKADDR *name, int bytes); /* WSAEWOULDBLOCK: under way */
int tcp_os_listen(pal_socket s, int backlog);                          /* WSAEINVAL: not bound */
int tcp_os_accept(pal_socket s, pal_socket *out, WSD_SOCKADDR_STORAGE *remote, int *bytes);
/* WSAENOTCONN; WSAEINVAL: not bound, and it has no port. */
int tcp_os_name(pal_socket s, bool is_peer, WSD_SOCKADDR_STORAGE *out, int *bytes);
int tcp_os_shutdown(pal_socket s, int how);
void tcp_os_close(pal_socket s, bool is_abortive); /* abortive: the peer sees a reset */
int tcp_os_take_error(pal_socket s);               /* SO_ERROR, which is then 0 */

/* flags: WS_MSG_OOB, WS_MSG_DONTROUTE. to NULL on streams and to the default peer. */
int tcp_os_send(pal_socket s, const struct pal_iov *iov, unsigned count, uint32_t flags,
                const WSD_SOCKADDR *to, int to_bytes, size_t *done);
/* flags: WS_MSG_PEEK, WS_MSG_OOB. WSAEMSGSIZE: a datagram was longer, *done of it are there. */
int tcp_os_recv(pal_socket s, const struct pal_iov *iov, unsigned count, uint32_t flags,
                WSD_SOCKADDR_STORAGE *from, int *from_bytes, size_t *done);

/* After a receive found the end, and nothing was shut down here: 0: the peer's end; else what broke the connection, where the system's
 * receive does not say it. */
int tcp_os_why_ended(pal_socket s);

/* What is so right now. READABLE also at the end and in error; URGENT: out-of-band data; HANGUP: the peer's end, read or unread, or an
 * error; TCP_DEAD: both ways ended, or an error, which the poller would report whatever it was asked. */
#define TCP_DEAD 0x100u
unsigned tcp_os_look(pal_socket s);
uint64_t tcp_os_readable(pal_socket s);            /* FIONREAD */
bool tcp_os_at_mark(pal_socket s, bool is_inline); /* SIOCATMARK */
uint64_t tcp_os_unsent(
    pal_socket s); /* bytes that the peer has not acknowledged; 0 where the system cannot tell */
/* Control codes that are TCP/IP's alone. WSAEOPNOTSUPP: unknown to the system, or not for a socket that another one stands over. */
int tcp_os_ioctl(pal_socket s, DWORD code, void *in, DWORD in_bytes, void *out, DWORD out_bytes,
                 DWORD *returned);
int tcp_os_keepalive(pal_socket s, bool on, uint32_t idle_ms, uint32_t step_ms);

/* Options by Winsock's names. WSAENOPROTOOPT: unknown to the system. */
int tcp_os_set_option(pal_socket s, int type, int level, int name, const char *value, int bytes);
int tcp_os_get_option(pal_socket s, int level, int name, char *value, int *bytes);

/* What ends the tcp_os_wait() of another thread. A waiter has one while it waits; wait.c keeps those that nobody has. */
struct tcp_os_alarm {
    struct tcp_os_alarm *next;
    union {
        int fd;                    /* POSIX: an eventfd */
        struct pal_poller *poller; /* Windows: a set for the one socket */
    } os;
};
struct tcp_os_alarm *tcp_os_alarm_make(void); /* NULL: out of resources */
void tcp_os_alarm_free(struct tcp_os_alarm *a);
void tcp_os_ring(
    struct tcp_os_alarm *a); /* any thread, while the waiter is registered somewhere under a lock */
/* Sleep until s is ready for `what` (PAL_READABLE, PAL_WRITABLE) or in error, the alarm rang, or the time is over. */
void tcp_os_wait(pal_socket s, unsigned what, struct tcp_os_alarm *a, int timeout_ms);

/* Sharing with another process: what give() writes and adopt() reads. give: WSAEINVAL: no such process. adopt: WSAEINVAL: not for this
 * process, used already, too late. The engine runs from the first give() on, sleeps on the waitable (PAL_WAITABLE_NONE: nothing to sleep on)
 * and serves. */
int tcp_os_give(pal_socket s, uint32_t process_id, void *text, size_t *text_bytes);
int tcp_os_adopt(const void *text, size_t text_bytes, pal_socket *out, int *af, int *type, int *protocol);
pal_waitable tcp_os_given_waitable(void);
void tcp_os_given_serve(void);
void tcp_os_given_drop(bool all); /* copies that wait too long, or for a process that has ended; or all */

#endif
