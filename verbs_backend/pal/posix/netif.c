/* netif.c - the host's addresses: which there are, which one a route starts at, and when they change (netlink). */
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sockaddr.h"

int pal_if_addrs(struct pal_if_addr *out, unsigned max)
{
    struct ifaddrs *all;
    unsigned count = 0;
    if (getifaddrs(&all) != 0)
        return -1;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        struct pal_addr a;
        if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || !pal_from_sockaddr(i->ifa_addr, &a))
            continue;
        if (count < max) {
            out[count].addr = a;
            out[count].is_loopback = (i->ifa_flags & IFF_LOOPBACK) != 0;
        }
        count++;
    }
    freeifaddrs(all);
    return (int)count;
}

enum pal_net pal_route_lookup(const struct pal_addr *to, struct pal_addr *local)
{
    struct sockaddr_storage ss;
    struct pal_addr with_port = *to;
    if (with_port.port == 0)
        with_port.port = 9; /* connecting a datagram socket sends nothing; any port but 0 does */
    socklen_t bytes = pal_to_sockaddr(&with_port, &ss);
    int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return pal_net_errno(errno);
    enum pal_net st = PAL_NET_OK;
    if (connect(fd, (struct sockaddr *)&ss, bytes) != 0)
        st = pal_net_errno(errno) == PAL_NET_NOMEM ? PAL_NET_NOMEM : PAL_NET_UNREACH;
    else if (!pal_socket_addrs(fd, local, NULL))
        st = PAL_NET_FAILED;
    local->port = 0;
    close(fd);
    return st;
}

struct pal_if_watch {
    int fd;
};

struct pal_if_watch *pal_if_watch_create(void)
{
    struct sockaddr_nl me = {.nl_family = AF_NETLINK,
                             .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    struct pal_if_watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (w->fd >= 0 && bind(w->fd, (struct sockaddr *)&me, sizeof me) == 0)
        return w;
    if (w->fd >= 0)
        close(w->fd);
    free(w);
    return NULL;
}

void pal_if_watch_destroy(struct pal_if_watch *w)
{
    if (!w)
        return;
    close(w->fd);
    free(w);
}

pal_waitable pal_if_watch_waitable(const struct pal_if_watch *w)
{
    return w->fd;
}

bool pal_if_watch_take(struct pal_if_watch *w)
{
    union {
        struct nlmsghdr head;
        char bytes[8192];
    } buf;
    bool changed = false;
    for (;;) {
        ssize_t got = recv(w->fd, &buf, sizeof buf, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == ENOBUFS) { /* messages were lost: assume the interesting kind */
            changed = true;
            continue;
        }
        if (got <= 0)
            return changed;
        unsigned left = (unsigned)got;
        for (struct nlmsghdr *m = &buf.head; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left))
            changed |= m->nlmsg_type == RTM_NEWADDR || m->nlmsg_type == RTM_DELADDR ||
                       m->nlmsg_type == RTM_NEWLINK || m->nlmsg_type == RTM_DELLINK;
    }
}
