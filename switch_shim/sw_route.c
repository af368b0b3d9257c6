/* sw_route.c - the provider's addresses and the question which provider serves a destination.
 * The provider lists bare addresses; the masks come from the operating system (contract 8.1, Q29). */
#include "sw_internal.h"

#include <stdlib.h>
#include <string.h>

#define LIST_BYTES_MAX (1u << 20)

/* Copies a well-formed list out of `buffer`; what is malformed becomes a violation and is left out. */
static unsigned read_list(struct sw_provider *p, const unsigned char *buffer, DWORD bytes,
                          struct sw_address **out)
{
    const SOCKET_ADDRESS_LIST *list = (const SOCKET_ADDRESS_LIST *)(const void *)buffer;
    const SOCKET_ADDRESS *entries = list->Address; /* the declared length of 1 is not meant */
    const size_t head = offsetof(SOCKET_ADDRESS_LIST, Address);
    unsigned count = 0;

    *out = NULL;
    if (bytes < sizeof(INT) || list->iAddressCount < 0 ||
        (list->iAddressCount > 0 && head + (size_t)list->iAddressCount * sizeof(SOCKET_ADDRESS) > bytes)) {
        sw_violation(p, "SIO_ADDRESS_LIST_QUERY: the list does not fit its %u bytes", (unsigned)bytes);
        return 0;
    }
    if (list->iAddressCount == 0)
        return 0;
    *out = calloc((size_t)list->iAddressCount, sizeof(**out));
    if (*out == NULL)
        return 0;
    for (INT i = 0; i < list->iAddressCount; i++) {
        const SOCKET_ADDRESS *entry = &entries[i];
        const uintptr_t at = (uintptr_t)entry->lpSockaddr - (uintptr_t)buffer;
        struct sw_address *a = &(*out)[count];

        if (at < head || at > bytes || bytes - at < sizeof(WSD_SOCKADDR_IN) ||
            entry->iSockaddrLength < (INT)sizeof(WSD_SOCKADDR_IN)) {
            sw_violation(p, "SIO_ADDRESS_LIST_QUERY: address %d lies outside the buffer or is short", i);
            continue;
        }
        memcpy(&a->address, entry->lpSockaddr, sizeof(a->address));
        if (a->address.sin_family != WS_AF_INET) {
            sw_violation(p, "SIO_ADDRESS_LIST_QUERY: address %d has family %u", i, a->address.sin_family);
            continue;
        }
        a->address.sin_port = 0;
        if (!sw_os_interface_of(a->address.sin_addr.s_addr, &a->mask, a->interface_name,
                                sizeof(a->interface_name)))
            a->mask = 0xFFFFFFFFu;
        count++;
    }
    return count;
}

int sw_route_query(struct sw_provider *p, SOCKET descriptor)
{
    struct sw_address *fresh = NULL;
    struct sw_address *old;
    unsigned char *buffer = NULL;
    unsigned count;
    DWORD bytes = 0;
    DWORD got = 0;
    INT error = 0;
    int result;

    /* no room at all: the provider must name the size it needs (contract 4.16) */
    result = p->procs.lpWSPIoctl(descriptor, SIO_ADDRESS_LIST_QUERY, NULL, 0, NULL, 0, &got, NULL, NULL, NULL,
                                 &error);
    if (result != SOCKET_ERROR)
        sw_violation(p, "SIO_ADDRESS_LIST_QUERY: succeeded without a buffer");
    else if (error != WSAEFAULT)
        return sw_call_failed(p, "WSPIoctl", error);
    else if (got < sizeof(INT) || got > LIST_BYTES_MAX)
        sw_violation(p, "SIO_ADDRESS_LIST_QUERY: WSAEFAULT names a size of %u bytes", (unsigned)got);
    bytes = got < sizeof(SOCKET_ADDRESS_LIST) || got > LIST_BYTES_MAX ? 4096 : got;

    /* the list may grow between two questions, hence more than one attempt */
    for (int attempt = 0; attempt < 4; attempt++) {
        free(buffer);
        buffer = calloc(1, bytes);
        if (buffer == NULL)
            return WSA_NOT_ENOUGH_MEMORY;
        got = 0;
        error = 0;
        result = p->procs.lpWSPIoctl(descriptor, SIO_ADDRESS_LIST_QUERY, NULL, 0, buffer, bytes, &got, NULL,
                                     NULL, NULL, &error);
        if (result != SOCKET_ERROR || error != WSAEFAULT || got <= bytes || got > LIST_BYTES_MAX)
            break;
        bytes = got;
    }
    if (result == SOCKET_ERROR) {
        free(buffer);
        return sw_call_failed(p, "WSPIoctl", error);
    }
    count = read_list(p, buffer, got <= bytes ? got : bytes, &fresh);
    free(buffer);

    pal_mutex_lock(&p->lock);
    old = p->addresses;
    p->addresses = fresh;
    p->address_count = count;
    pal_mutex_unlock(&p->lock);
    free(old);
    return 0;
}

int sw_refresh(struct sw_provider *p)
{
    WSAPROTOCOL_INFOW info = p->info;
    SOCKET descriptor;
    SOCKET handle;
    INT error = 0;
    int result = sw_raw_socket(p, &info, &descriptor, &handle);

    if (result != 0)
        return result;
    result = sw_route_query(p, descriptor);
    if (p->procs.lpWSPCloseSocket(descriptor, &error) == SOCKET_ERROR)
        sw_call_failed(p, "WSPCloseSocket", error);
    return result;
}

unsigned sw_addresses(struct sw_provider *p, struct sw_address *out, unsigned max)
{
    unsigned count;

    pal_mutex_lock(&p->lock);
    count = p->address_count;
    for (unsigned i = 0; i < count && i < max; i++)
        out[i] = p->addresses[i];
    pal_mutex_unlock(&p->lock);
    return count;
}

static bool is_loopback(ULONG address)
{
    return *(const unsigned char *)&address == 127; /* network order: the first byte is the network */
}

static bool serves(struct sw_provider *p, ULONG remote, ULONG bound, WSD_SOCKADDR_IN *local)
{
    const struct sw_address *match = NULL;
    bool is_own = false;

    pal_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->address_count; i++) {
        const struct sw_address *a = &p->addresses[i];

        is_own = is_own || a->address.sin_addr.s_addr == remote;
        if (match == NULL && (bound == 0 || a->address.sin_addr.s_addr == bound) &&
            ((a->address.sin_addr.s_addr ^ remote) & a->mask) == 0)
            match = a;
    }
    if ((is_own && !p->config.route_own_address) || (is_loopback(remote) && !p->config.route_loopback))
        match = NULL;
    if (match != NULL && local != NULL)
        *local = match->address;
    pal_mutex_unlock(&p->lock);
    return match != NULL;
}

struct sw_provider *sw_provider_for(const WSD_SOCKADDR_IN *remote, const WSD_SOCKADDR_IN *bound,
                                    WSD_SOCKADDR_IN *local)
{
    struct sw_provider *loaded[SW_PROVIDERS_MAX];
    unsigned count;

    if (remote->sin_family != WS_AF_INET)
        return NULL; /* Q24 */
    count = sw_loaded_providers(loaded);
    for (unsigned i = 0; i < count; i++)
        if (serves(loaded[i], remote->sin_addr.s_addr, bound == NULL ? 0 : bound->sin_addr.s_addr, local))
            return loaded[i];
    return NULL;
}
