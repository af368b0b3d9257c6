/* options_posix.c - Winsock's socket options in Linux's words.
 * Source: contract 3.8; the option pages of Winsock (SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6); socket(7), tcp(7), ip(7), ipv6(7). */
#include "tcpip/tcp_os.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "tcpip/tcp_posix.h"

enum { LEVEL_IP = 0, LEVEL_IPV6 = 41 };

enum kind {
    NUMBER,
    FLAG,        /* 0 or not, in any number of bytes; DWORD or BOOL or one byte */
    LOW_BYTE,    /* the same, but only the first byte counts (B191) */
    SECONDS,     /* a NUMBER that Linux counts in milliseconds */
    SHARED,      /* a structure that both spell alike */
    INTERFACE,   /* IPv4: an address of the interface, or 0.x.x.x, its number */
    MEMBER,      /* IPv4: group and interface, the latter as in INTERFACE */
    SOURCE,      /* IPv4: group, source, interface; Linux has the last two the other way round */
    NOT_IN_PART, /* do not fragment: Linux names how to find the path's MTU */
    NOT_HERE,    /* what comes along with a datagram: nobody here could be told */
    IGNORED      /* taken and kept by the upper face; means nothing to the kernel, or is its own affair */
};

enum { NO_STREAM = 1, WRITE_ONLY = 2, READ_ONLY = 4 };

static const struct row {
    int level, name;
    enum kind kind;
    unsigned rule;
    int system_level, system_name;
} rows[] = {
    {WS_SOL_SOCKET, WS_SO_DEBUG, IGNORED, 0, 0, 0},
    {WS_SOL_SOCKET, WS_SO_ACCEPTCONN, FLAG, READ_ONLY, SOL_SOCKET, SO_ACCEPTCONN}, /* B034 */
    {WS_SOL_SOCKET, WS_SO_REUSEADDR, FLAG, 0, SOL_SOCKET, SO_REUSEADDR},
    {WS_SOL_SOCKET, WS_SO_KEEPALIVE, FLAG, 0, SOL_SOCKET, SO_KEEPALIVE},
    {WS_SOL_SOCKET, WS_SO_DONTROUTE, FLAG, 0, SOL_SOCKET, SO_DONTROUTE},
    {WS_SOL_SOCKET, WS_SO_BROADCAST, FLAG, 0, SOL_SOCKET, SO_BROADCAST},
    {WS_SOL_SOCKET, WS_SO_LINGER, IGNORED, 0, 0, 0},     /* close() is told how (carrier.h) */
    {WS_SOL_SOCKET, WS_SO_DONTLINGER, IGNORED, 0, 0, 0}, /* likewise */
    {WS_SOL_SOCKET, WS_SO_OOBINLINE, FLAG, 0, SOL_SOCKET, SO_OOBINLINE},
    {WS_SOL_SOCKET, WS_SO_EXCLUSIVEADDRUSE, IGNORED, 0, 0, 0}, /* what Linux does anyway */
    {WS_SOL_SOCKET, WS_SO_SNDBUF, NUMBER, 0, SOL_SOCKET, SO_SNDBUF},
    {WS_SOL_SOCKET, WS_SO_RCVBUF, NUMBER, 0, SOL_SOCKET, SO_RCVBUF},
    {WS_SOL_SOCKET, WS_SO_SNDTIMEO, IGNORED, 0, 0, 0}, /* the upper face counts the time */
    {WS_SOL_SOCKET, WS_SO_RCVTIMEO, IGNORED, 0, 0, 0},
    {WS_SOL_SOCKET, WS_SO_TYPE, NUMBER, READ_ONLY, SOL_SOCKET, SO_TYPE},
    {WS_SOL_SOCKET, WS_SO_CONDITIONAL_ACCEPT, IGNORED, 0, 0, 0},
    {WS_SOL_SOCKET, WS_SO_RANDOMIZE_PORT, IGNORED, 0, 0, 0},
    {WS_SOL_SOCKET, WS_SO_REUSE_UNICASTPORT, IGNORED, 0, 0, 0},
    {WS_SOL_SOCKET, WS_SO_PORT_SCALABILITY, IGNORED, 0, 0, 0},
    {WS_IPPROTO_TCP, WS_TCP_NODELAY, LOW_BYTE, 0, IPPROTO_TCP, TCP_NODELAY},
    {WS_IPPROTO_TCP, 2 /* TCP_EXPEDITED_1122 */, IGNORED, 0, 0, 0},
    {WS_IPPROTO_TCP, 3 /* TCP_KEEPIDLE */, NUMBER, 0, IPPROTO_TCP, TCP_KEEPIDLE},
    {WS_IPPROTO_TCP, 4 /* TCP_MAXSEG */, NUMBER, READ_ONLY, IPPROTO_TCP, TCP_MAXSEG},
    {WS_IPPROTO_TCP, 5 /* TCP_MAXRT */, SECONDS, 0, IPPROTO_TCP, TCP_USER_TIMEOUT},
    {WS_IPPROTO_TCP, 14 /* TCP_MAXRTMS */, NUMBER, 0, IPPROTO_TCP, TCP_USER_TIMEOUT},
    {WS_IPPROTO_TCP, 16 /* TCP_KEEPCNT */, NUMBER, 0, IPPROTO_TCP, TCP_KEEPCNT},
    {WS_IPPROTO_TCP, 17 /* TCP_KEEPINTVL */, NUMBER, 0, IPPROTO_TCP, TCP_KEEPINTVL},
    {LEVEL_IP, 2 /* IP_HDRINCL */, FLAG, 0, IPPROTO_IP, IP_HDRINCL},
    {LEVEL_IP, 3 /* IP_TOS */, NUMBER, 0, IPPROTO_IP, IP_TOS},
    {LEVEL_IP, 4 /* IP_TTL */, NUMBER, 0, IPPROTO_IP, IP_TTL},
    {LEVEL_IP, 9 /* IP_MULTICAST_IF */, INTERFACE, NO_STREAM, IPPROTO_IP, IP_MULTICAST_IF},
    {LEVEL_IP, 10 /* IP_MULTICAST_TTL */, NUMBER, NO_STREAM, IPPROTO_IP, IP_MULTICAST_TTL},
    {LEVEL_IP, 11 /* IP_MULTICAST_LOOP */, FLAG, NO_STREAM, IPPROTO_IP, IP_MULTICAST_LOOP},
    {LEVEL_IP, 12 /* IP_ADD_MEMBERSHIP */, MEMBER, NO_STREAM | WRITE_ONLY, IPPROTO_IP, IP_ADD_MEMBERSHIP},
    {LEVEL_IP, 13 /* IP_DROP_MEMBERSHIP */, MEMBER, NO_STREAM | WRITE_ONLY, IPPROTO_IP, IP_DROP_MEMBERSHIP},
    {LEVEL_IP, 14 /* IP_DONTFRAGMENT */, NOT_IN_PART, 0, IPPROTO_IP, IP_MTU_DISCOVER},
    {LEVEL_IP, 15 /* IP_ADD_SOURCE_MEMBERSHIP */, SOURCE, NO_STREAM | WRITE_ONLY, IPPROTO_IP,
     IP_ADD_SOURCE_MEMBERSHIP},
    {LEVEL_IP, 16 /* IP_DROP_SOURCE_MEMBERSHIP */, SOURCE, NO_STREAM | WRITE_ONLY, IPPROTO_IP,
     IP_DROP_SOURCE_MEMBERSHIP},
    {LEVEL_IP, 17 /* IP_BLOCK_SOURCE */, SOURCE, NO_STREAM | WRITE_ONLY, IPPROTO_IP, IP_BLOCK_SOURCE},
    {LEVEL_IP, 18 /* IP_UNBLOCK_SOURCE */, SOURCE, NO_STREAM | WRITE_ONLY, IPPROTO_IP, IP_UNBLOCK_SOURCE},
    {LEVEL_IP, 19 /* IP_PKTINFO */, NOT_HERE, NO_STREAM, 0, 0},
    {LEVEL_IP, 21 /* IP_RECVTTL */, NOT_HERE, NO_STREAM, 0, 0},
    {LEVEL_IP, 31 /* IP_UNICAST_IF */, NUMBER, 0, IPPROTO_IP, IP_UNICAST_IF}, /* network order in both */
    {LEVEL_IPV6, 4 /* IPV6_UNICAST_HOPS */, NUMBER, 0, IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {LEVEL_IPV6, 9 /* IPV6_MULTICAST_IF */, NUMBER, NO_STREAM, IPPROTO_IPV6, IPV6_MULTICAST_IF},
    {LEVEL_IPV6, 10 /* IPV6_MULTICAST_HOPS */, NUMBER, NO_STREAM, IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
    {LEVEL_IPV6, 11 /* IPV6_MULTICAST_LOOP */, FLAG, NO_STREAM, IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
    {LEVEL_IPV6, 12 /* IPV6_ADD_MEMBERSHIP */, SHARED, NO_STREAM | WRITE_ONLY, IPPROTO_IPV6,
     IPV6_ADD_MEMBERSHIP},
    {LEVEL_IPV6, 13 /* IPV6_DROP_MEMBERSHIP */, SHARED, NO_STREAM | WRITE_ONLY, IPPROTO_IPV6,
     IPV6_DROP_MEMBERSHIP},
    {LEVEL_IPV6, 14 /* IPV6_DONTFRAG */, NOT_IN_PART, 0, IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    {LEVEL_IPV6, 19 /* IPV6_PKTINFO */, NOT_HERE, NO_STREAM, 0, 0},
    {LEVEL_IPV6, 21 /* IPV6_HOPLIMIT */, NOT_HERE, NO_STREAM, 0, 0},
    {LEVEL_IPV6, 27 /* IPV6_V6ONLY */, FLAG, 0, IPPROTO_IPV6, IPV6_V6ONLY},
    {LEVEL_IPV6, 31 /* IPV6_UNICAST_IF */, NUMBER, 0, IPPROTO_IPV6, IPV6_UNICAST_IF},
    {LEVEL_IPV6, 39 /* IPV6_TCLASS */, NUMBER, 0, IPPROTO_IPV6, IPV6_TCLASS},
};

static const struct row *find(int level, int name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].level == level && rows[i].name == name)
            return &rows[i];
    return NULL;
}

static int put(int s, const struct row *r, const void *value, size_t bytes)
{
    return setsockopt(s, r->system_level, r->system_name, value, (socklen_t)bytes) == 0
               ? 0
               : tcp_posix_error(errno);
}

/* Numbers come as DWORD, flags also as one byte. */
static bool number_of(const struct row *r, const char *value, int bytes, int *out)
{
    if (bytes >= (int)sizeof *out && r->kind != LOW_BYTE)
        memcpy(out, value, sizeof *out);
    else
        *out = (unsigned char)value[0];
    switch (r->kind) {
    case FLAG:
    case LOW_BYTE: *out = *out != 0; return true;
    case NOT_IN_PART:
        *out = *out != 0 ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT;
        return true; /* IPv6: the same values */
    case SECONDS: *out = *out > 0 && *out < INT32_MAX / 1000 ? *out * 1000 : 0; break;
    default: break;
    }
    return bytes >= (int)sizeof *out;
}

/* An interface by one of its addresses, or by its number in 0.x.x.x (IP_MULTICAST_IF page). */
static void name_interface(const char address[4], struct ip_mreqn *out)
{
    uint32_t host;

    memcpy(&host, address, sizeof host);
    if (ntohl(host) < 0x01000000u)
        out->imr_ifindex = (int)ntohl(host);
    else
        out->imr_address.s_addr = host;
}

static int set_ipv4_group(int s, const struct row *r, const char *value, int bytes)
{
    struct ip_mreqn m;
    struct ip_mreq_source source;

    memset(&m, 0, sizeof m);
    if (r->kind == INTERFACE) {
        if (bytes < 4)
            return WSAEFAULT;
        name_interface(value, &m);
        return put(s, r, &m, sizeof m);
    }
    if (r->kind == MEMBER) {
        if (bytes < 8)
            return WSAEFAULT;
        memcpy(&m.imr_multiaddr, value, 4);
        name_interface(value + 4, &m);
        return put(s, r, &m, sizeof m);
    }
    if (bytes < 12)
        return WSAEFAULT;
    memcpy(&source.imr_multiaddr, value, 4);
    memcpy(&source.imr_sourceaddr, value + 4, 4);
    memcpy(&source.imr_interface, value + 8, 4);
    return put(s, r, &source, sizeof source);
}

int tcp_os_set_option(pal_socket s, int type, int level, int name, const char *value, int bytes)
{
    const struct row *r = find(level, name);
    int number = 0;

    if (r == NULL || (r->rule & READ_ONLY) != 0)
        return WSAENOPROTOOPT;
    if (value == NULL || bytes < 1)
        return WSAEFAULT;
    if ((r->rule & NO_STREAM) != 0 && type == WS_SOCK_STREAM)
        return WSAEINVAL; /* B197 */
    switch (r->kind) {
    case IGNORED: return 0;
    case NOT_HERE: return WSAENOPROTOOPT;
    case SHARED: return put(s, r, value, (size_t)bytes);
    case INTERFACE:
    case MEMBER:
    case SOURCE: return set_ipv4_group(s, r, value, bytes);
    default: break;
    }
    if (!number_of(r, value, bytes, &number))
        return WSAEFAULT;
    return put(s, r, &number, sizeof number);
}

/* What Linux answers, in Winsock's units. */
static int in_winsock(const struct row *r, int number)
{
    if (r->kind == SECONDS)
        return number / 1000;
    if (r->kind == NOT_IN_PART)
        return number == IP_PMTUDISC_DO;
    if (r->system_level != SOL_SOCKET)
        return number;
    if (r->system_name == SO_TYPE)
        return number == SOCK_STREAM ? WS_SOCK_STREAM : number == SOCK_DGRAM ? WS_SOCK_DGRAM : WS_SOCK_RAW;
    if (r->system_name == SO_SNDBUF || r->system_name == SO_RCVBUF)
        return number / 2; /* Linux tells of its own overhead too (socket(7)) */
    return number;
}

static bool is_stream(int s)
{
    int type = 0;
    socklen_t n = sizeof type;

    return getsockopt(s, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM;
}

int tcp_os_get_option(pal_socket s, int level, int name, char *value, int *bytes)
{
    const struct row *r = find(level, name);
    int number = 0;
    socklen_t n = sizeof number;

    if (r == NULL || r->kind == IGNORED || (r->rule & WRITE_ONLY) != 0)
        return WSAENOPROTOOPT;
    if (value == NULL || *bytes < 1)
        return WSAEFAULT;
    if ((r->rule & NO_STREAM) != 0 && is_stream(s))
        return WSAEINVAL; /* B197 */
    if (r->kind == NOT_HERE)
        return WSAENOPROTOOPT;
    if (getsockopt(s, r->system_level, r->system_name, &number, &n) != 0)
        return tcp_posix_error(errno);
    number = in_winsock(r, number);
    if (*bytes >= (int)sizeof number) {
        memcpy(value, &number, sizeof number);
        *bytes = (int)sizeof number;
        return 0;
    }
    if (r->kind != FLAG && r->kind != LOW_BYTE && r->kind != NOT_IN_PART)
        return WSAEFAULT;
    value[0] = (char)(number != 0);
    *bytes = 1;
    return 0;
}
