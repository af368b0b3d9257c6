/* services_posix.c - the tables of services and protocols, over the C library: only the structures have another form (addrinfo.h).
 * Source: pages of getservbyname and its sisters. */
#include "app/resolve.h"

#include <netdb.h>

#include "pal/compiler.h"
#include "spi/spi_os.h"

#define ROOM 1024u

/* --- services --- */

static PAL_THREAD_LOCAL struct {
    struct ws2_servent entry;
    char room[ROOM];
} service;

static struct ws2_servent *service_of(const struct servent *found)
{
    if (found == NULL) {
        sw_set_last_error(WSANO_DATA);
        return NULL;
    }
    service.entry.s_name = found->s_name;
    service.entry.s_aliases = found->s_aliases;
    service.entry.s_proto = found->s_proto;
    service.entry.s_port = (short)found->s_port; /* 16 bits in network order, in an int */
    return &service.entry;
}

struct ws2_servent *ws2_os_service_by_port(int port, const char *protocol)
{
    struct servent entry, *found = NULL;

    (void)getservbyport_r((int)(unsigned short)port, protocol, &entry, service.room, sizeof(service.room),
                          &found);
    return service_of(found);
}

struct ws2_servent *ws2_os_service_by_name(const char *name, const char *protocol)
{
    struct servent entry, *found = NULL;

    (void)getservbyname_r(name, protocol, &entry, service.room, sizeof(service.room), &found);
    return service_of(found);
}

/* --- protocols --- */

static PAL_THREAD_LOCAL struct {
    struct ws2_protoent entry;
    char room[ROOM];
} protocol;

static struct ws2_protoent *protocol_of(const struct protoent *found)
{
    if (found == NULL) {
        sw_set_last_error(WSANO_DATA);
        return NULL;
    }
    protocol.entry.p_name = found->p_name;
    protocol.entry.p_aliases = found->p_aliases;
    protocol.entry.p_proto = (short)found->p_proto;
    return &protocol.entry;
}

struct ws2_protoent *ws2_os_protocol_by_name(const char *name)
{
    struct protoent entry, *found = NULL;

    (void)getprotobyname_r(name, &entry, protocol.room, sizeof(protocol.room), &found);
    return protocol_of(found);
}

struct ws2_protoent *ws2_os_protocol_by_number(int number)
{
    struct protoent entry, *found = NULL;

    (void)getprotobynumber_r(number, &entry, protocol.room, sizeof(protocol.room), &found);
    return protocol_of(found);
}
