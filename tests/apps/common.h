/* common.h - what each of these programs would have in its own file: start, failure, addresses.
 * Layer: tests/apps. Winsock only: the same source on Windows and on Linux. */
#ifndef APPS_COMMON_H
#define APPS_COMMON_H

/* clang-format off: winsock2.h goes before windows.h */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void die(const char *what)
{
    fprintf(stderr, "%s: error %d\n", what, WSAGetLastError());
    exit(1);
}

static inline void start_winsock(void)
{
    WSADATA data;
    int error = WSAStartup(MAKEWORD(2, 2), &data);

    if (error != 0) {
        fprintf(stderr, "WSAStartup: error %d\n", error);
        exit(1);
    }
    setvbuf(stdout, NULL, _IONBF, 0); /* another program reads it through a pipe */
}

/* HOST and PORT as a TCP address of IPv4. */
static inline struct sockaddr_in look_up(const char *host, const char *port)
{
    struct addrinfo hints, *list = NULL;
    struct sockaddr_in out;

    memset(&hints, 0, sizeof(hints));
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_protocol = IPPROTO_TCP;
    if (getaddrinfo(host, port, &hints, &list) != 0)
        die(host);
    memcpy(&out, list->ai_addr, sizeof(out));
    freeaddrinfo(list);
    return out;
}

/* A listener on HOST and PORT (0: any); says where it listens. */
static inline SOCKET listen_on(const char *host, const char *port)
{
    struct sockaddr_in name = look_up(host, port);
    int bytes = sizeof(name);
    SOCKET s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

    if (s == INVALID_SOCKET || bind(s, (struct sockaddr *)&name, sizeof(name)) == SOCKET_ERROR ||
        listen(s, SOMAXCONN) == SOCKET_ERROR ||
        getsockname(s, (struct sockaddr *)&name, &bytes) == SOCKET_ERROR)
        die("listen");
    printf("listening on port %u\n", ntohs(name.sin_port));
    return s;
}

static inline SOCKET connect_to(const char *host, const char *port)
{
    struct sockaddr_in name = look_up(host, port);
    SOCKET s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

    if (s == INVALID_SOCKET || connect(s, (struct sockaddr *)&name, sizeof(name)) == SOCKET_ERROR)
        die("connect");
    return s;
}

#endif
