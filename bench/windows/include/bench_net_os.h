/* bench_net_os.h - Windows form of what bench_net.h names. */
#ifndef BENCH_NET_OS_H
#define BENCH_NET_OS_H

#include <stdbool.h>
#include <winsock2.h>
#include <ws2tcpip.h>

enum {
    BENCH_NET_E_INUSE = WSAEADDRINUSE,
    BENCH_NET_E_NOTAVAIL = WSAEADDRNOTAVAIL,
    BENCH_NET_E_ABORTED = WSAECONNABORTED
};

struct bench_net_sleeper {
    SOCKET s;
    unsigned look_ms;
    WSAOVERLAPPED ov; /* hEvent: NULL until the first receive */
    bool is_under_way;
};

#endif
