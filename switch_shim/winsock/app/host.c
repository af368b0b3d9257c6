/* host.c - gethostbyname and its sisters; hosts over getaddrinfo and getnameinfo. Linux only: on Windows the system has them, which know no socket. */
#include "app/app.h"
#include "app/resolve.h"

#include <stdio.h>

#include "pal/compiler.h"

const struct in6_addr in6addr_any = IN6ADDR_ANY_INIT;
const struct in6_addr in6addr_loopback = IN6ADDR_LOOPBACK_INIT;

#define HOST_ADDRESSES 32u
#define HOST_NAME      256u /* with its end; RFC 1035, 2.3.4 */

/* One for each thread, which needs no freeing (page of gethostbyname). */
static PAL_THREAD_LOCAL struct host {
    struct hostent entry;
    char name[HOST_NAME];
    char *aliases[1];
    char *list[HOST_ADDRESSES + 1];
    struct in_addr addresses[HOST_ADDRESSES];
} host;

/* The list has `count` addresses. */
static void fill_entry(const char *name, unsigned count, int af, int bytes)
{
    host.list[count] = host.aliases[0] = NULL;
    (void)snprintf(host.name, sizeof(host.name), "%s", name);
    host.entry = (struct hostent){host.name, host.aliases, (short)af, (short)bytes, host.list};
}

static void fill_host(const char *name, const struct addrinfo *list)
{
    unsigned count = 0;

    for (; list != NULL && count < HOST_ADDRESSES; list = list->ai_next) {
        const struct sockaddr_in *address = (const void *)list->ai_addr;

        if (list->ai_canonname != NULL)
            name = list->ai_canonname;
        host.addresses[count] = address->sin_addr;
        host.list[count] = (char *)&host.addresses[count];
        count++;
    }
    fill_entry(name, count, AF_INET, sizeof(struct in_addr));
}

struct hostent *WSAAPI gethostbyname(const char *name)
{
    const struct addrinfo hints = {
        .ai_flags = WS2_AI_CANONNAME, .ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char own[HOST_NAME] = {0};
    int code = 0;

    if (ws2_down() == NULL)
        return NULL;
    if (name == NULL || name[0] == '\0') {
        code = ws2_os_host_name(own, sizeof(own));
        name = own;
    }
    if (code == 0)
        code = getaddrinfo(name, NULL, &hints, &list);
    if (code != 0) {
        (void)ws2_fail(code);
        return NULL;
    }
    fill_host(name, list);
    freeaddrinfo(list);
    return &host.entry;
}

/* Only the name is looked up; the address is the one that was asked for. */
struct hostent *WSAAPI gethostbyaddr(const char *address, int bytes, int af)
{
    struct sockaddr_in6 name = {0};
    int needed = af == AF_INET ? (int)sizeof(struct in_addr) : (int)sizeof(struct in6_addr);
    char text[HOST_NAME];
    int code;

    if (ws2_down() == NULL)
        return NULL;
    if (address == NULL || bytes < needed || (af != AF_INET && af != AF_INET6)) {
        (void)ws2_fail(af != AF_INET && af != AF_INET6 ? WSAEAFNOSUPPORT : WSAEFAULT);
        return NULL;
    }
    name.sin6_family = (USHORT)af;
    memcpy(af == AF_INET ? (void *)&((struct sockaddr_in *)(void *)&name)->sin_addr : (void *)&name.sin6_addr,
           address, (size_t)needed);
    code = getnameinfo((const struct sockaddr *)&name,
                       (int)(af == AF_INET ? sizeof(struct sockaddr_in) : sizeof(name)), text, sizeof(text),
                       NULL, 0, WS2_NI_NAMEREQD);
    if (code != 0) {
        (void)ws2_fail(code);
        return NULL;
    }
    memcpy(host.addresses, address, (size_t)needed);
    host.list[0] = (char *)host.addresses;
    fill_entry(text, 1, af, needed);
    return &host.entry;
}

/* --- services and protocols: the tables are the system's (services_posix.c) --- */

struct servent *WSAAPI getservbyname(const char *name, const char *protocol)
{
    if (ws2_down() == NULL)
        return NULL;
    if (name != NULL)
        return ws2_os_service_by_name(name, protocol);
    (void)ws2_fail(WSAEFAULT);
    return NULL;
}

struct servent *WSAAPI getservbyport(int port, const char *protocol)
{
    return ws2_down() != NULL ? ws2_os_service_by_port(port, protocol) : NULL;
}

struct protoent *WSAAPI getprotobyname(const char *name)
{
    if (ws2_down() == NULL)
        return NULL;
    if (name != NULL)
        return ws2_os_protocol_by_name(name);
    (void)ws2_fail(WSAEFAULT);
    return NULL;
}

struct protoent *WSAAPI getprotobynumber(int number)
{
    return ws2_down() != NULL ? ws2_os_protocol_by_number(number) : NULL;
}
