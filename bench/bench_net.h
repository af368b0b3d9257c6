/* bench_net.h - stream sockets of the system, as the control channel and the layers tcp and unix use them.
 * Layer:   bench, lowest. posix/net.c and windows/net.c implement it, CMake chooses; what POSIX and Winsock spell alike
 *          (struct sockaddr_in, bind, getsockname, struct pollfd ...) comes with bench_net_os.h and is used as it is.
 * Handles: a pal_socket. Every socket from here closes when the process starts another program.
 * Errors:  a call that fails leaves a code of the system; ask for it before the next call. */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench_net_os.h" /* the system's headers, BENCH_NET_E_*, struct bench_net_sleeper */
#include "pal/socket.h"
#include "vb/vb.h"

/* Results below 0 of what moves bytes. */
enum { BENCH_NET_LATER = -1, BENCH_NET_FAILED = -2 };

int bench_net_error(void);
const char *bench_net_error_text(int code); /* of the calling thread, until its next call */

/* PAL_SOCKET_NONE: the system's code says why. family: AF_INET ..., type: SOCK_STREAM or SOCK_DGRAM. */
pal_socket bench_net_make(int family, int type);
void bench_net_close(pal_socket s);
bool bench_net_set(pal_socket s, int level, int name, int value);
/* Before binding a listener: a server may come back at once on the port it had. */
bool bench_net_come_back(pal_socket s);
/* The local address of a socket that will connect; the port is chosen when the peer is known, where the system can. */
bool bench_net_bind_address(pal_socket s, const struct sockaddr *at, socklen_t bytes);
/* Waits for the outcome, timeout_ms at most. */
bool bench_net_connect(pal_socket s, const struct sockaddr *to, socklen_t bytes, uint32_t timeout_ms);
/* Waits without limit. from and bytes may be NULL. */
pal_socket bench_net_accept(pal_socket listener, struct sockaddr *from, socklen_t *bytes);
/* Two ends of one connection within this machine. */
bool bench_net_pair(pal_socket out[2]);
/* As getaddrinfo(), for stream sockets; 0 or a code for gai_strerror(). Free with freeaddrinfo(). */
int bench_net_lookup(const char *host, uint16_t port, struct addrinfo **out);

/* None of these sleeps. How many bytes (receiving: 0 is the end), BENCH_NET_LATER or BENCH_NET_FAILED. */
long long bench_net_send(pal_socket s, const void *data, size_t bytes);
long long bench_net_recv(pal_socket s, void *data, size_t bytes);
long long bench_net_peek(pal_socket s, void *data, size_t bytes);
bool bench_net_finish(pal_socket s); /* nothing more will be sent */

/* As poll(). */
int bench_net_poll(struct pollfd *fds, unsigned count, int timeout_ms);

/* Receiving asleep, as a program does that has nothing else to do: one call of the system when the bytes are there in
 * time. While a receive is under way (LATER: look_ms passed) nothing else may receive on the socket, and the next call
 * must name the same memory. fini: before the socket is closed. */
void bench_net_sleeper_init(struct bench_net_sleeper *z, pal_socket s, unsigned look_ms);
long long bench_net_sleeper_recv(struct bench_net_sleeper *z, void *data, size_t bytes);
void bench_net_sleeper_fini(struct bench_net_sleeper *z);

/* --- bench_net_addr.c ----------------------------------------------------------------------------------- */

/* Returns the length of the address. */
socklen_t bench_net_to_system(const struct vb_addr *a, struct sockaddr_storage *out);
/* An IPv4 address that is mapped into IPv6 is IPv4. False: neither of the two. */
bool bench_net_from_system(const struct sockaddr *a, struct vb_addr *out);
bool bench_net_own_address(pal_socket s, struct vb_addr *out);

/* --- interface.c of the system -------------------------------------------------------------------------- */

/* Name and MTU of the interface that has this address, for the report; left alone when there is none. */
void bench_net_interface(const struct vb_addr *local, char *name, size_t name_bytes, uint32_t *mtu_bytes);

/* --- unix.c of the system ------------------------------------------------------------------------------- */

struct bench_error;
/* Are there Unix sockets with abstract names? False: the sentence is in err, and the next two are not to be called. */
bool bench_net_unix_exists(struct bench_error *err);
/* A name made of the user and a number. */
socklen_t bench_net_unix_name(uint16_t number, struct sockaddr_storage *out);
bool bench_net_unix_same_user(
    pal_socket s); /* is the process at the other end ours? Anyone may take such a name */

#endif
