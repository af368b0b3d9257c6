/* base_provider.c - sockets of the system's own provider, past whatever lies over it.
 * A base provider: a chain of one; a socket of it is a handle of the file system, which no provider can say whose handles the switch
 * or Winsock makes (2.1, XP1_IFS_HANDLES); not hidden, as every SAN provider is (2.1); not for another transport under the
 * name of TCP (XP1_SAN_SUPPORT_SDP, 3.7). Where the switch and TCP/IP were one entry of the catalog, nothing could be told apart.
 * Source: wsd-contract.md 2.1, 2.3, 3.7; MSDN, WSAPROTOCOL_INFOW, WSCEnumProtocols, WSASocketW. */
#include "base_provider.h"

#include <stdlib.h>
#include <ws2spi.h>

#include "pal_os/base_os.h"
#include "sockaddr.h"

#ifndef XP1_SAN_SUPPORT_SDP /* Windows 7, but not in every header */
#define XP1_SAN_SUPPORT_SDP 0x00080000
#endif

enum { TCP4, TCP6, UDP4, UDP6, KINDS };

static struct {
    bool is_there;
    WSAPROTOCOL_INFOW entry;
} base[KINDS]; /* const after read_once() */

const WSAPROTOCOL_INFOW *pal_base_provider_in(const WSAPROTOCOL_INFOW *catalog, int count, int family,
                                              int type, int protocol)
{
    for (const WSAPROTOCOL_INFOW *p = catalog; p != catalog + count; p++)
        if (p->ProtocolChain.ChainLen == BASE_PROTOCOL && p->iAddressFamily == family &&
            p->iSocketType == type && p->iProtocol == protocol && (p->dwServiceFlags1 & XP1_IFS_HANDLES) &&
            !(p->dwServiceFlags1 & XP1_SAN_SUPPORT_SDP) && !(p->dwProviderFlags & PFL_HIDDEN))
            return p;
    return NULL;
}

/* The catalog with hidden entries and layered ones, which WSAEnumProtocols keeps to itself. It may grow between asking
 * how large it is and fetching it. NULL: not to be had now. */
static WSAPROTOCOL_INFOW *read_catalog(int *count)
{
    DWORD bytes = 32 * sizeof(WSAPROTOCOL_INFOW);
    for (int tries = 0; tries < 8; tries++) {
        INT error = 0;
        WSAPROTOCOL_INFOW *catalog = malloc(bytes);
        if (!catalog)
            return NULL;
        *count = WSCEnumProtocols(NULL, catalog, &bytes, &error);
        if (*count != SOCKET_ERROR)
            return catalog;
        free(catalog);
        if (error != WSAENOBUFS)
            return NULL;
    }
    return NULL;
}

static BOOL CALLBACK read_once(INIT_ONCE *once, void *parameter, void **context)
{
    static const struct {
        int family, type, protocol;
    } kinds[KINDS] = {[TCP4] = {AF_INET, SOCK_STREAM, IPPROTO_TCP},
                      [TCP6] = {AF_INET6, SOCK_STREAM, IPPROTO_TCP},
                      [UDP4] = {AF_INET, SOCK_DGRAM, IPPROTO_UDP},
                      [UDP6] = {AF_INET6, SOCK_DGRAM, IPPROTO_UDP}};
    int count = 0;
    (void)once;
    (void)parameter;
    (void)context;
    WSAPROTOCOL_INFOW *catalog = read_catalog(&count);
    if (!catalog)
        return FALSE; /* the next socket asks again */
    for (int i = 0; i < KINDS; i++) {
        const WSAPROTOCOL_INFOW *found = pal_base_provider_in(catalog, count, kinds[i].family, kinds[i].type,
                                                              kinds[i].protocol);
        base[i].is_there = found != NULL;
        if (found)
            base[i].entry = *found;
    }
    free(catalog);
    return TRUE;
}

static const WSAPROTOCOL_INFOW *entry_of(int kind)
{
    return base[kind].is_there ? &base[kind].entry : NULL;
}

static bool is_read(void)
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    return InitOnceExecuteOnce(&once, read_once, NULL, NULL) != 0;
}

const WSAPROTOCOL_INFOW *pal_base_entry(int family, int type, int protocol)
{
    if (!pal_winsock_start() || !is_read() || (family != AF_INET && family != AF_INET6))
        return NULL;
    if (type == SOCK_STREAM && protocol == IPPROTO_TCP)
        return entry_of(family == AF_INET ? TCP4 : TCP6);
    if (type == SOCK_DGRAM && protocol == IPPROTO_UDP)
        return entry_of(family == AF_INET ? UDP4 : UDP6);
    return NULL;
}

/* Handles are not inherited, as descriptors are closed on exec. */
enum pal_net pal_base_socket(int family, int protocol, SOCKET *out)
{
    const bool is_tcp = protocol == IPPROTO_TCP;
    if (!pal_winsock_start())
        return PAL_NET_FAILED;
    if (!is_read())
        return PAL_NET_NOMEM;
    const WSAPROTOCOL_INFOW *entry = pal_base_entry(family, is_tcp ? SOCK_STREAM : SOCK_DGRAM, protocol);
    if (!entry)
        return PAL_NET_UNREACH; /* as where a protocol is not installed */
    WSAPROTOCOL_INFOW copy = *entry;
    *out = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &copy, 0,
                      (is_tcp ? WSA_FLAG_OVERLAPPED : 0u) | WSA_FLAG_NO_HANDLE_INHERIT);
    return *out == INVALID_SOCKET ? pal_net_wsa(WSAGetLastError()) : PAL_NET_OK;
}
