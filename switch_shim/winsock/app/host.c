/* host.c - gethostbyname, over getaddrinfo. Linux only: on Windows the system's does, which knows no socket. */
#include "app/app.h"

#include <stdio.h>

#include "pal/compiler.h"

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
    host.list[count] = host.aliases[0] = NULL;
    (void)snprintf(host.name, sizeof(host.name), "%s", name);
    host.entry = (struct hostent){host.name, host.aliases, AF_INET, sizeof(struct in_addr), host.list};
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
