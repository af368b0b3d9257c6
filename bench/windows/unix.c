/* unix.c - Windows has Unix sockets since Windows 10 1803, but neither abstract names nor a way to learn whose process is at the
 * other end, so the layer is not there. Source: Microsoft, "AF_UNIX comes to Windows". */
#include <string.h>

#include "bench_error.h"
#include "bench_net.h"

bool bench_net_unix_exists(struct bench_error *err)
{
    return bench_fail(err,
                      "--layer unix is for Linux: Windows has no Unix sockets with abstract names; --layer "
                      "tcp measures what it has");
}

socklen_t bench_net_unix_name(uint16_t number, struct sockaddr_storage *out)
{
    (void)number;
    memset(out, 0, sizeof *out);
    return 0; /* no address: the system refuses it */
}

bool bench_net_unix_same_user(pal_socket s)
{
    (void)s;
    return false;
}
