/* linux_headers.h - the Linux headers that our types must live with in one translation unit.
 * Layer: tests/abi; included by abi_layout.c before or after provider.h, and by headers.sh. */
#ifndef WSD_TESTS_LINUX_HEADERS_H
#define WSD_TESTS_LINUX_HEADERS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#endif
