/* bench_net_os.h - POSIX form of what bench_net.h names. */
#ifndef BENCH_NET_OS_H
#define BENCH_NET_OS_H

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

enum {
    BENCH_NET_E_INUSE = EADDRINUSE,
    BENCH_NET_E_NOTAVAIL = EADDRNOTAVAIL,
    BENCH_NET_E_ABORTED = ECONNABORTED
};

struct bench_net_sleeper {
    int fd;
};

#endif
