/* address.c - socket addresses, and which of the host's addresses RDMA can use.
 * Layer:  verbs_backend/rdmacore. Control path.
 * Method: the kernel decides: an address belongs to a device when rdma_bind_addr() ties a temporary id to
 *         one. That covers RoCE, IPoIB, iWARP, VLANs and bonds alike. Loopback is left out first, since the
 *         kernel binds it to any device. */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rdmacore.h"

socklen_t rc_addr_to_sockaddr(const struct vb_addr *a, struct sockaddr_storage *ss)
{
    memset(ss, 0, sizeof *ss);
    if (a->family == VB_AF_IPV4) {
        struct sockaddr_in *sin = (struct sockaddr_in *)ss;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(a->port);
        memcpy(&sin->sin_addr, a->ip, 4);
        return sizeof *sin;
    }
    if (a->family == VB_AF_IPV6) {
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(a->port);
        memcpy(&sin6->sin6_addr, a->ip, 16);
        sin6->sin6_scope_id = a->scope;
        return sizeof *sin6;
    }
    return 0;
}

void rc_addr_from_sockaddr(const struct sockaddr *sa, struct vb_addr *out)
{
    memset(out, 0, sizeof *out);
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in sin;
        memcpy(&sin, sa, sizeof sin);
        out->family = VB_AF_IPV4;
        out->port = ntohs(sin.sin_port);
        memcpy(out->ip, &sin.sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 sin6;
        memcpy(&sin6, sa, sizeof sin6);
        out->family = VB_AF_IPV6;
        out->port = ntohs(sin6.sin6_port);
        memcpy(out->ip, &sin6.sin6_addr, 16);
        if (IN6_IS_ADDR_LINKLOCAL(&sin6.sin6_addr))
            out->scope = sin6.sin6_scope_id;
    }
}

static bool is_link_local(const struct vb_addr *a)
{
    return a->family == VB_AF_IPV6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

void rc_addr_restore_scope(struct vb_addr *local, struct vb_addr *remote)
{
    struct ifaddrs *all;

    if (is_link_local(local) && local->scope == 0 && getifaddrs(&all) == 0) {
        for (struct ifaddrs *i = all; i && local->scope == 0; i = i->ifa_next) {
            struct vb_addr a;
            if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET6)
                continue;
            rc_addr_from_sockaddr(i->ifa_addr, &a);
            if (memcmp(a.ip, local->ip, sizeof a.ip) == 0) /* made of the interface's own id: one has it */
                local->scope = a.scope;
        }
        freeifaddrs(all);
    }
    if (is_link_local(remote) && remote->scope == 0)
        remote->scope = local->scope;
}

static bool is_loopback(const struct vb_addr *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (a->family == VB_AF_IPV4)
        return a->ip[0] == 127;
    struct in6_addr in6;
    memcpy(&in6, a->ip, sizeof in6);
    return IN6_IS_ADDR_LOOPBACK(&in6) || (memcmp(a->ip, mapped, sizeof mapped) == 0 && a->ip[12] == 127);
}

vb_status_t rc_addr_bind(struct rdma_cm_id *id, const struct vb_addr *local)
{
    struct sockaddr_storage ss;
    struct ibv_port_attr port;

    if (rc_addr_to_sockaddr(local, &ss) == 0)
        return VB_E_INVAL;
    if (vb_addr_is_any(local) || is_loopback(local))
        return VB_E_ADDRNOTAVAIL;
    if (rdma_bind_addr(id, (struct sockaddr *)&ss) != 0) {
        vb_status_t st = rc_status_errno(errno);
        return st == VB_E_NODEV || st == VB_E_INVAL ? VB_E_ADDRNOTAVAIL
                                                    : st; /* interface without RDMA: ENODEV */
    }
    if (!id->verbs || ibv_query_port(id->verbs, id->port_num, &port) != 0 || port.state != IBV_PORT_ACTIVE)
        return VB_E_ADDRNOTAVAIL;
    return VB_OK;
}

vb_status_t rc_port_reserve(struct vb_addr *addr, int *out)
{
    struct sockaddr_storage ss;
    struct vb_addr bound;
    socklen_t bytes = rc_addr_to_sockaddr(addr, &ss), room = sizeof ss;
    int on = 1;

    *out = -1;
    int fd = bytes ? socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return bytes ? rc_status_errno(errno) : VB_E_INVAL;
    if (ss.ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    /* The device uses a kernel TCP socket of its own on the same port and allows the port to be shared, so this must allow
     * it too; but only after bind(), which would else choose a port that others share. */
    if (bind(fd, (struct sockaddr *)&ss, bytes) != 0 || getsockname(fd, (struct sockaddr *)&ss, &room) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        vb_status_t st = rc_status_errno(errno);
        (void)close(fd);
        return st;
    }
    rc_addr_from_sockaddr((struct sockaddr *)&ss, &bound);
    addr->port = bound.port;
    *out = fd;
    return VB_OK;
}

void rc_port_release(int reserved)
{
    if (reserved >= 0)
        (void)close(reserved);
}

vb_status_t rc_addr_probe(struct vb_backend *be, const struct vb_addr *local, struct rdma_cm_id **out)
{
    struct vb_addr any_port = *local;
    struct rdma_cm_id *id = NULL;

    any_port.port = 0;
    if (rdma_create_id(be->probe, &id, NULL, RDMA_PS_TCP) != 0)
        return rc_status_errno(errno);
    vb_status_t st = rc_addr_bind(id, &any_port);
    if (st == VB_OK)
        *out = id;
    else
        (void)rdma_destroy_id(id);
    return st;
}

static bool contains(const struct vb_addr *list, uint32_t count, const struct vb_addr *a)
{
    for (uint32_t i = 0; i < count; i++)
        if (vb_addr_same_ip(&list[i], a))
            return true;
    return false;
}

vb_status_t rc_addr_list(struct vb_backend *be, struct vb_addr *out, uint32_t *count)
{
    const uint32_t room = *count;
    uint32_t found = 0;
    struct ifaddrs *all;

    if (getifaddrs(&all) != 0)
        return rc_status_errno(errno);
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
            continue;
        if (!(i->ifa_flags & IFF_UP) || (i->ifa_flags & IFF_LOOPBACK))
            continue;
        struct vb_addr a;
        struct rdma_cm_id *id = NULL;
        rc_addr_from_sockaddr(i->ifa_addr, &a);
        if (contains(out, found < room ? found : room, &a) || rc_addr_probe(be, &a, &id) != VB_OK)
            continue;
        (void)rdma_destroy_id(id);
        if (found < room)
            out[found] = a;
        found++;
    }
    freeifaddrs(all);
    *count = found;
    return found > room ? VB_E_AGAIN : VB_OK;
}

vb_status_t rc_route(struct vb_backend *be, const struct vb_addr *remote, struct vb_addr *out_local)
{
    struct sockaddr_storage ss;
    struct vb_addr to = *remote;

    if (to.port == 0)
        to.port = 9; /* connecting a datagram socket sends nothing; any port but 0 does */
    socklen_t bytes = rc_addr_to_sockaddr(&to, &ss);
    if (bytes == 0)
        return VB_E_INVAL;
    int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return rc_status_errno(errno);

    vb_status_t st = VB_OK;
    struct vb_addr local = {0};
    if (connect(fd, (struct sockaddr *)&ss, bytes) != 0) {
        st = rc_status_errno(errno);
        if (st != VB_E_NOMEM)
            st = VB_E_UNREACH;
    } else {
        socklen_t room = sizeof ss;
        if (getsockname(fd, (struct sockaddr *)&ss, &room) != 0)
            st = rc_status_errno(errno);
        else
            rc_addr_from_sockaddr((struct sockaddr *)&ss, &local);
    }
    (void)close(fd);
    if (st != VB_OK)
        return st;

    struct rdma_cm_id *id = NULL;
    local.port = 0;
    st = rc_addr_probe(be, &local, &id);
    if (st != VB_OK)
        return st;
    (void)rdma_destroy_id(id);
    *out_local = local;
    return VB_OK;
}
