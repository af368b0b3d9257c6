/* unix.c - abstract names of Unix sockets, and who is at the other end. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench_net.h"

bool bench_net_unix_exists(struct bench_error *err)
{
    (void)err;
    return true;
}

socklen_t bench_net_unix_name(uint16_t number, struct sockaddr_storage *out)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int n = snprintf(un.sun_path + 1, sizeof un.sun_path - 1, "openwsd-bench-%lu-%u",
                     (unsigned long)geteuid(), number);

    memset(out, 0, sizeof *out);
    memcpy(out, &un, sizeof un);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

bool bench_net_unix_same_user(pal_socket s)
{
    struct ucred who = {0};
    socklen_t bytes = sizeof who;

    return getsockopt(s, SOL_SOCKET, SO_PEERCRED, &who, &bytes) == 0 && who.uid == geteuid();
}
