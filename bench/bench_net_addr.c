/* bench_net_addr.c - addresses of the system and ours; POSIX and Winsock spell them alike. */
#include <string.h>

#include "bench_net.h"

socklen_t bench_net_to_system(const struct vb_addr *a, struct sockaddr_storage *out)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(a->port)};

    memset(out, 0, sizeof *out);
    if (a->family == VB_AF_IPV6) {
        six.sin6_scope_id = a->scope;
        memcpy(&six.sin6_addr, a->ip, sizeof six.sin6_addr);
        memcpy(out, &six, sizeof six);
        return sizeof six;
    }
    memcpy(&four.sin_addr, a->ip, sizeof four.sin_addr);
    memcpy(out, &four, sizeof four);
    return sizeof four;
}

bool bench_net_from_system(const struct sockaddr *a, struct vb_addr *out)
{
    struct sockaddr_in6 six;
    struct sockaddr_in four;

    memset(out, 0, sizeof *out);
    if (a->sa_family == AF_INET) {
        memcpy(&four, a, sizeof four);
        out->family = VB_AF_IPV4;
        out->port = ntohs(four.sin_port);
        memcpy(out->ip, &four.sin_addr, sizeof four.sin_addr);
        return true;
    }
    if (a->sa_family != AF_INET6)
        return false;
    memcpy(&six, a, sizeof six);
    out->port = ntohs(six.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
        out->family = VB_AF_IPV4;
        memcpy(out->ip, (const uint8_t *)&six.sin6_addr + 12, 4);
        return true;
    }
    out->family = VB_AF_IPV6;
    out->scope = six.sin6_scope_id;
    memcpy(out->ip, &six.sin6_addr, sizeof six.sin6_addr);
    return true;
}

bool bench_net_own_address(pal_socket s, struct vb_addr *out)
{
    struct sockaddr_storage mine = {0};
    socklen_t bytes = sizeof mine;

    return getsockname(s, (struct sockaddr *)&mine, &bytes) == 0 &&
           bench_net_from_system((struct sockaddr *)&mine, out);
}
