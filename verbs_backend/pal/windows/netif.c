/* netif.c - the host's addresses: which there are, which one a route starts at, and when they change. */
#include "sockaddr.h"

#include <iphlpapi.h>
#include <netioapi.h>
#include <stdlib.h>

#include "base_provider.h"
#include "pal/atomic.h"

/* The list may grow between asking how large it is and fetching it. */
static IP_ADAPTER_ADDRESSES *adapters(bool *is_none)
{
    const ULONG flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER |
                        GAA_FLAG_SKIP_FRIENDLY_NAME;
    ULONG bytes = 16384;
    *is_none = false;
    for (int tries = 0; tries < 8; tries++) {
        IP_ADAPTER_ADDRESSES *all = malloc(bytes);
        if (!all)
            return NULL;
        const ULONG rc = GetAdaptersAddresses(AF_UNSPEC, flags, NULL, all, &bytes);
        if (rc == NO_ERROR)
            return all;
        free(all);
        *is_none = rc == ERROR_NO_DATA;
        if (rc != ERROR_BUFFER_OVERFLOW)
            return NULL;
    }
    return NULL;
}

int pal_if_addrs(struct pal_if_addr *out, unsigned max)
{
    bool is_none;
    unsigned count = 0;
    IP_ADAPTER_ADDRESSES *all = adapters(&is_none);
    if (!all)
        return is_none ? 0 : -1;
    for (const IP_ADAPTER_ADDRESSES *a = all; a; a = a->Next) {
        if (a->OperStatus != IfOperStatusUp)
            continue;
        for (const IP_ADAPTER_UNICAST_ADDRESS *u = a->FirstUnicastAddress; u; u = u->Next) {
            struct pal_addr addr;
            if (!pal_from_sockaddr(u->Address.lpSockaddr, &addr))
                continue;
            if (count < max) {
                out[count].addr = addr;
                out[count].is_loopback = a->IfType == IF_TYPE_SOFTWARE_LOOPBACK;
            }
            count++;
        }
    }
    free(all);
    return (int)count;
}

enum pal_net pal_route_lookup(const struct pal_addr *to, struct pal_addr *local)
{
    struct sockaddr_storage ss;
    struct pal_addr with_port = *to;
    if (with_port.port == 0)
        with_port.port = 9; /* connecting a datagram socket sends nothing; any port but 0 does */
    const int bytes = pal_to_sockaddr(&with_port, &ss);
    SOCKET s;
    enum pal_net st = pal_base_socket(ss.ss_family, IPPROTO_UDP, &s);
    if (st != PAL_NET_OK)
        return st;
    if (connect(s, (struct sockaddr *)&ss, bytes) != 0)
        st = pal_net_wsa(WSAGetLastError()) == PAL_NET_NOMEM ? PAL_NET_NOMEM : PAL_NET_UNREACH;
    else if (!pal_socket_addrs(s, local, NULL))
        st = PAL_NET_FAILED;
    else
        local->port = 0;
    closesocket(s);
    return st;
}

/* ---- changes: the system calls back in a thread of its own ---- */

struct pal_if_watch {
    struct pal_wakeup *wakeup;
    pal_atomic_bool has_changed;
    HANDLE notification;
};

static void CALLBACK on_change(void *context, MIB_UNICASTIPADDRESS_ROW *row, MIB_NOTIFICATION_TYPE type)
{
    struct pal_if_watch *w = context;
    (void)row;
    if (type == MibInitialNotification) /* a greeting */
        return;
    pal_store_release(&w->has_changed, true);
    pal_wakeup_signal(w->wakeup);
}

struct pal_if_watch *pal_if_watch_create(void)
{
    struct pal_if_watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->wakeup = pal_wakeup_create();
    if (!w->wakeup)
        goto err_free;
    if (NotifyUnicastIpAddressChange(AF_UNSPEC, on_change, w, FALSE, &w->notification) == NO_ERROR)
        return w;
    pal_wakeup_destroy(w->wakeup);
err_free:
    free(w);
    return NULL;
}

void pal_if_watch_destroy(struct pal_if_watch *w)
{
    if (!w)
        return;
    if (w->notification)
        (void)CancelMibChangeNotify2(w->notification); /* waits for a call that is going on */
    pal_wakeup_destroy(w->wakeup);
    free(w);
}

pal_waitable pal_if_watch_waitable(const struct pal_if_watch *w)
{
    return pal_wakeup_waitable(w->wakeup);
}

bool pal_if_watch_take(struct pal_if_watch *w)
{
    pal_wakeup_clear(w->wakeup);
    return pal_swap_acq_rel(&w->has_changed, false);
}
