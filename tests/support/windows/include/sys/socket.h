/* sys/socket.h - TCP sockets as small numbers with errno, over Winsock. In a file that includes this, close(), write() and
 * poll() are about sockets; see posix_on_windows.h. */
#ifndef POSIX_SYS_SOCKET_H
#define POSIX_SYS_SOCKET_H

#include <errno.h>
#include <poll.h>
#include <unistd.h>
#include <winsock2.h>
#include <ws2tcpip.h>

enum { SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000 };

int posix_socket(int family, int type, int protocol);
int posix_connect(int s, const struct sockaddr *to, socklen_t bytes);
int posix_bind(int s, const struct sockaddr *at, socklen_t bytes);
int posix_accept(int s, struct sockaddr *from, socklen_t *bytes);
int posix_getsockopt(int s, int level, int name, void *value, socklen_t *bytes);
ssize_t posix_socket_write(int s, const void *bytes, size_t count);
int posix_socket_close(int s);
int posix_socket_poll(struct pollfd *fds, unsigned long count, int timeout_ms);

#define socket     posix_socket
#define connect    posix_connect
#define bind       posix_bind
#define accept     posix_accept
#define getsockopt posix_getsockopt
#define write      posix_socket_write
#define close      posix_socket_close
#define poll       posix_socket_poll

#endif
