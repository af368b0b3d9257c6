/* interface.c - which interface has an address. */
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench_net.h"

static void ask_mtu(const char *name, uint32_t *mtu_bytes)
{
    struct ifreq query;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memset(&query, 0, sizeof query);
    (void)snprintf(query.ifr_name, sizeof query.ifr_name, "%s", name);
    if (fd >= 0 && ioctl(fd, SIOCGIFMTU, &query) == 0)
        *mtu_bytes = (uint32_t)query.ifr_mtu;
    if (fd >= 0)
        (void)close(fd);
}

void bench_net_interface(const struct vb_addr *local, char *name, size_t name_bytes, uint32_t *mtu_bytes)
{
    struct ifaddrs *all = NULL;
    struct vb_addr addr;

    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        if (i->ifa_addr == NULL || !bench_net_from_system(i->ifa_addr, &addr) ||
            !vb_addr_same_ip(&addr, local))
            continue;
        (void)snprintf(name, name_bytes, "%s", i->ifa_name);
        ask_mtu(i->ifa_name, mtu_bytes);
        break;
    }
    freeifaddrs(all);
}
