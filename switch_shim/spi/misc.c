/* misc.c - what the switch has in the table without serving it, and the question which carrier a socket has. */
#include "spi/share.h"

#include <string.h>

/* Multipoint sessions with a control plane are no business of TCP/IP: multicast goes by IP_ADD_MEMBERSHIP (10.1, 17). */
SOCKET WSPAPI sw_spi_join_leaf(SOCKET h, const WSD_SOCKADDR *name, int bytes, LPWSABUF caller,
                               LPWSABUF callee, LPQOS sqos, LPQOS gqos, DWORD flags, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);

    (void)name;
    (void)bytes;
    (void)caller;
    (void)callee;
    (void)sqos;
    (void)gqos;
    (void)flags;
    if (s != NULL) {
        sw_sock_leave(s);
        *error = WSAEOPNOTSUPP;
    }
    return INVALID_SOCKET;
}

/* No quality of service (10.1, 15). */
BOOL WSPAPI sw_spi_get_qos_by_name(SOCKET h, LPWSABUF name, LPQOS qos, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);

    (void)name;
    (void)qos;
    if (s != NULL) {
        sw_sock_leave(s);
        *error = WSAEOPNOTSUPP;
    }
    return FALSE;
}

int sw_carried_by(SOCKET handle, char *name, size_t bytes)
{
    int error = 0;
    struct sw_sock *s = sw_sock_get(handle, &error);
    struct sw_carrier *c;
    const char *text;

    if (s == NULL)
        return error;
    text = sw_share_look(s, &c) ? "san" : c != NULL ? c->ops->name : "";
    if (name == NULL || strlen(text) >= bytes)
        error = WSAEFAULT;
    else
        memcpy(name, text, strlen(text) + 1);
    sw_sock_leave(s);
    return error;
}
