/* interface.c - which interface has an address. */
#include <stdio.h>
#include <stdlib.h>

#include "bench_net.h"

#include <iphlpapi.h>

/* NULL: none, or no memory. */
static IP_ADAPTER_ADDRESSES *adapters(void)
{
    const ULONG flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
    ULONG bytes = 16384; /* what the documentation of the call starts with, about */
    IP_ADAPTER_ADDRESSES *all = NULL;
    ULONG result = ERROR_BUFFER_OVERFLOW;

    for (unsigned tries = 0; tries < 4 && result == ERROR_BUFFER_OVERFLOW; tries++) {
        free(all);
        all = malloc(bytes);
        if (all == NULL)
            return NULL;
        result = GetAdaptersAddresses(AF_UNSPEC, flags, NULL, all, &bytes);
    }
    if (result == NO_ERROR)
        return all;
    free(all);
    return NULL;
}

static bool has_address(const IP_ADAPTER_ADDRESSES *a, const struct vb_addr *local)
{
    struct vb_addr addr;

    for (const IP_ADAPTER_UNICAST_ADDRESS *u = a->FirstUnicastAddress; u != NULL; u = u->Next) {
        if (bench_net_from_system(u->Address.lpSockaddr, &addr) && vb_addr_same_ip(&addr, local))
            return true;
    }
    return false;
}

void bench_net_interface(const struct vb_addr *local, char *name, size_t name_bytes, uint32_t *mtu_bytes)
{
    IP_ADAPTER_ADDRESSES *all = adapters();

    for (const IP_ADAPTER_ADDRESSES *a = all; a != NULL; a = a->Next) {
        if (!has_address(a, local))
            continue;
        (void)snprintf(name, name_bytes, "%ls", a->FriendlyName);
        *mtu_bytes = (uint32_t)a->Mtu;
        break;
    }
    free(all);
}
