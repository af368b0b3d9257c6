/* resolve_posix.c - resolve.h over the C library: only families, flags and codes have other numbers, and the lists another form. */
#include "app/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "pal/compiler.h"
#include "spi/spi_os.h"

/* --- families and addresses --- */

static int native_family(int af)
{
    return af == WS_AF_INET ? AF_INET : af == WS_AF_INET6 ? AF_INET6 : af == WS_AF_UNSPEC ? AF_UNSPEC : -1;
}

/* The two forms of an IPv4 address are the same but for the family's number; those of IPv6 too. */
static int to_native(const WSD_SOCKADDR *from, int bytes, struct sockaddr_storage *to)
{
    int af = native_family(from->sa_family);
    size_t needed = af == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

    if (af <= AF_UNSPEC || bytes < (int)needed)
        return -1;
    memset(to, 0, sizeof(*to));
    memcpy(to, from, needed);
    to->ss_family = (sa_family_t)af;
    return (int)needed;
}

_Static_assert(sizeof(struct sockaddr_in) == sizeof(WSD_SOCKADDR_IN), "one form");
_Static_assert(sizeof(struct sockaddr_in6) == sizeof(WSD_SOCKADDR_IN6), "one form");

ULONG WSAAPI ws2_inet_addr(const char *text)
{
    if (text == NULL)
        return WS_INADDR_NONE;
    return strcmp(text, " ") == 0 ? 0 : inet_addr(text); /* a single blank is 0 (page of inet_addr) */
}

char *ws2_os_ntoa(const void *address)
{
    static PAL_THREAD_LOCAL char text[INET_ADDRSTRLEN];

    return (char *)(uintptr_t)inet_ntop(AF_INET, address, text, sizeof(text));
}

INT WSAAPI ws2_inet_pton(INT af, LPCSTR text, PVOID out)
{
    if ((af != WS_AF_INET && af != WS_AF_INET6) || text == NULL || out == NULL) {
        sw_set_last_error(text == NULL || out == NULL ? WSAEFAULT : WSAEAFNOSUPPORT);
        return -1;
    }
    return inet_pton(native_family(af), text, out);
}

LPCSTR WSAAPI ws2_inet_ntop(INT af, const void *address, char *text, size_t bytes)
{
    const char *result = NULL;

    if (af != WS_AF_INET && af != WS_AF_INET6) {
        sw_set_last_error(WSAEAFNOSUPPORT);
        return NULL;
    }
    if (address != NULL && text != NULL)
        result = inet_ntop(native_family(af), address, text, (socklen_t)bytes);
    if (result == NULL)
        sw_set_last_error(WSA_INVALID_PARAMETER); /* too small (page of InetNtop) */
    return result;
}

/* --- codes and flags --- */

static int code_of(int eai)
{
    switch (eai) {
    case 0: return 0;
    case EAI_AGAIN: return WSATRY_AGAIN;
    case EAI_BADFLAGS: return WSAEINVAL;
    case EAI_FAMILY: return WSAEAFNOSUPPORT;
    case EAI_MEMORY: return WSA_NOT_ENOUGH_MEMORY;
    case EAI_NONAME:
    case EAI_ADDRFAMILY: return WSAHOST_NOT_FOUND; /* none of that family */
    case EAI_NODATA: return WSANO_DATA;
    case EAI_SERVICE: return WSATYPE_NOT_FOUND;
    case EAI_SOCKTYPE: return WSAESOCKTNOSUPPORT;
    default: return WSANO_RECOVERY;
    }
}

static int answer(int code)
{
    if (code != 0)
        sw_set_last_error(code);
    return code;
}

char *WSAAPI ws2_gai_strerror(int code)
{
    static const int all[] = {EAI_AGAIN,  EAI_BADFLAGS, EAI_FAMILY,   EAI_MEMORY,
                              EAI_NONAME, EAI_SERVICE,  EAI_SOCKTYPE, EAI_FAIL};

    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (code_of(all[i]) == code)
            return (char *)(uintptr_t)gai_strerror(all[i]);
    return (char *)(uintptr_t) "unknown error";
}

struct flag_pair {
    int ours, native;
};

static int native_flags(int flags, const struct flag_pair *pairs, unsigned count)
{
    int native = 0;

    for (unsigned i = 0; i < count; i++)
        native |= (flags & pairs[i].ours) != 0 ? pairs[i].native : 0;
    return native;
}
#define NATIVE_FLAGS(flags, pairs) native_flags(flags, pairs, sizeof(pairs) / sizeof((pairs)[0]))

static const struct flag_pair hint_flags[] = {
    {WS2_AI_PASSIVE, AI_PASSIVE},
    {WS2_AI_CANONNAME, AI_CANONNAME},
    {WS2_AI_NUMERICHOST, AI_NUMERICHOST},
    {WS2_AI_NUMERICSERV, AI_NUMERICSERV},
    {WS2_AI_ALL, AI_ALL},
    {WS2_AI_ADDRCONFIG, AI_ADDRCONFIG},
    {WS2_AI_V4MAPPED, AI_V4MAPPED},
};
static const struct flag_pair name_flags[] = {
    {WS2_NI_NOFQDN, NI_NOFQDN},     {WS2_NI_NUMERICHOST, NI_NUMERICHOST},
    {WS2_NI_NAMEREQD, NI_NAMEREQD}, {WS2_NI_NUMERICSERV, NI_NUMERICSERV},
    {WS2_NI_DGRAM, NI_DGRAM},
};

/* --- lists: each entry is one piece of memory, with its address and its name behind it --- */

struct entry {
    struct ws2_addrinfo info; /* first */
    WSD_SOCKADDR_STORAGE address;
    char name[];
};

static struct ws2_addrinfo *entry_of(const struct addrinfo *from)
{
    size_t name_bytes = from->ai_canonname != NULL ? strlen(from->ai_canonname) + 1 : 0;
    struct entry *e = calloc(1, sizeof(*e) + name_bytes);

    if (e == NULL)
        return NULL;
    e->info.ai_family = from->ai_family == AF_INET ? WS_AF_INET : WS_AF_INET6;
    e->info.ai_socktype = from->ai_socktype; /* the numbers agree, those of protocols too */
    e->info.ai_protocol = from->ai_protocol;
    e->info.ai_addrlen = from->ai_addrlen;
    e->info.ai_addr = (WSD_SOCKADDR *)&e->address;
    memcpy(&e->address, from->ai_addr, from->ai_addrlen);
    e->address.ss_family = (USHORT)e->info.ai_family;
    if (name_bytes > 0) {
        memcpy(e->name, from->ai_canonname, name_bytes);
        e->info.ai_canonname = e->name;
    }
    return &e->info;
}

void WSAAPI ws2_freeaddrinfo(struct ws2_addrinfo *list)
{
    while (list != NULL) {
        struct ws2_addrinfo *next = list->ai_next;

        free(list);
        list = next;
    }
}

static int copy_list(const struct addrinfo *from, struct ws2_addrinfo **out)
{
    struct ws2_addrinfo **at = out;

    *out = NULL;
    for (; from != NULL; from = from->ai_next) {
        if (from->ai_family != AF_INET && from->ai_family != AF_INET6)
            continue;
        *at = entry_of(from);
        if (*at == NULL) {
            ws2_freeaddrinfo(*out);
            *out = NULL;
            return WSA_NOT_ENOUGH_MEMORY;
        }
        at = &(*at)->ai_next;
    }
    return *out == NULL ? WSAHOST_NOT_FOUND : 0;
}

/* A number of IPv6 may stand in brackets, as in a URL; Windows takes that too. */
static LPCSTR without_brackets(LPCSTR node, char room[INET6_ADDRSTRLEN])
{
    size_t bytes = node != NULL ? strlen(node) : 0;

    if (bytes < 2 || bytes >= INET6_ADDRSTRLEN || node[0] != '[' || node[bytes - 1] != ']')
        return node;
    memcpy(room, node + 1, bytes - 2);
    room[bytes - 2] = '\0';
    return strchr(room, ':') != NULL ? room : node;
}

/* Winsock fills in zeros where the C library gives one entry for each kind of socket: a list of hints without kind becomes one of
 * streams (our choice: nothing else does a program expect to find first). */
INT WSAAPI ws2_getaddrinfo(LPCSTR node, LPCSTR service, const struct ws2_addrinfo *hints,
                           struct ws2_addrinfo **out)
{
    struct addrinfo wanted, *found = NULL;
    char room[INET6_ADDRSTRLEN];
    int code;

    if (out == NULL)
        return answer(WSAEFAULT);
    *out = NULL;
    if (node == NULL && service == NULL)
        return answer(WSAHOST_NOT_FOUND);
    memset(&wanted, 0, sizeof(wanted));
    if (hints != NULL) {
        wanted.ai_flags = NATIVE_FLAGS(hints->ai_flags, hint_flags);
        wanted.ai_family = native_family(hints->ai_family);
        wanted.ai_socktype = hints->ai_socktype;
        wanted.ai_protocol = hints->ai_protocol;
    }
    if (wanted.ai_family < 0)
        return answer(WSAEAFNOSUPPORT);
    if (wanted.ai_socktype == 0 && wanted.ai_protocol == 0)
        wanted.ai_socktype = SOCK_STREAM;
    code = code_of(getaddrinfo(without_brackets(node, room), service, &wanted, &found));
    if (code == 0)
        code = copy_list(found, out);
    if (found != NULL)
        freeaddrinfo(found);
    return answer(code);
}

INT WSAAPI ws2_getnameinfo(const WSD_SOCKADDR *address, int bytes, char *host, DWORD host_bytes,
                           char *service, DWORD service_bytes, INT flags)
{
    struct sockaddr_storage native;
    int native_bytes = address == NULL ? -1 : to_native(address, bytes, &native);

    if (native_bytes < 0)
        return answer(WSAEFAULT);
    return answer(code_of(getnameinfo((struct sockaddr *)&native, (socklen_t)native_bytes, host, host_bytes,
                                      service, service_bytes, NATIVE_FLAGS(flags, name_flags))));
}
