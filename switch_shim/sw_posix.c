/* sw_posix.c - sw_os.h on POSIX systems: interfaces, kernel TCP ports, paths. */
#include "sw_os.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char here; /* any address inside this library */

bool sw_os_own_directory(char *out, size_t out_bytes)
{
    Dl_info info;
    char *path;
    char *slash;
    bool fits;

    if (dladdr(&here, &info) == 0 || info.dli_fname == NULL)
        return false;
    path = realpath(info.dli_fname, NULL);
    if (path == NULL)
        path = realpath("/proc/self/exe", NULL); /* a program started by a bare name */
    if (path == NULL)
        return false;
    slash = strrchr(path, '/');
    *slash = '\0';
    fits = strlen(path) < out_bytes;
    if (fits)
        strcpy(out, path);
    free(path);
    return fits;
}

/* Whoever loads it has chosen to. */
bool sw_os_is_guest(void)
{
    return false;
}

const char *sw_os_provider_file(void)
{
    return "libwsdprov.so";
}

const char *sw_os_switch_file(void)
{
    return "libwsdswitch.so";
}

char *sw_os_canonical_path(const char *path)
{
    return realpath(path, NULL);
}

const char *sw_os_environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

char sw_os_list_separator(void)
{
    return ':';
}

void sw_os_print_error(const char *text)
{
    fprintf(stderr, "switch: contract violation: %s\n", text);
}

bool sw_os_interface_of(ULONG address, ULONG *mask, char *name, size_t name_bytes)
{
    struct ifaddrs *all;
    bool found = false;

    if (getifaddrs(&all) != 0)
        return false;
    for (const struct ifaddrs *i = all; i != NULL && !found; i = i->ifa_next) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)(const void *)i->ifa_addr;
        const struct sockaddr_in *m = (const struct sockaddr_in *)(const void *)i->ifa_netmask;

        if (a == NULL || m == NULL || a->sin_family != AF_INET || a->sin_addr.s_addr != address)
            continue;
        *mask = m->sin_addr.s_addr;
        snprintf(name, name_bytes, "%s", i->ifa_name);
        found = true;
    }
    freeifaddrs(all);
    return found;
}

int sw_os_port_hold(const WSD_SOCKADDR_IN *address, USHORT *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = address->sin_addr.s_addr};
    socklen_t name_bytes = sizeof(name);
    int on = 1;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (s < 0)
        return -1;
    /* lets an iWARP backend bind its own kernel socket to the same port (contract 4.4) */
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(s, (const struct sockaddr *)&name, sizeof(name)) != 0) {
        name.sin_addr.s_addr = INADDR_ANY; /* an address that only the backend knows */
        name.sin_port = 0;
        if (bind(s, (const struct sockaddr *)&name, sizeof(name)) != 0)
            goto err_socket;
    }
    if (getsockname(s, (struct sockaddr *)&name, &name_bytes) != 0)
        goto err_socket;
    *port = name.sin_port;
    return s;

err_socket:
    close(s);
    return -1;
}

void sw_os_port_release(int token)
{
    if (token >= 0)
        close(token);
}
