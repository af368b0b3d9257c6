/* ioctl.c - WSPIoctl (contract 10.1, 16; 3.9). What is not known here is TCP/IP's to know. */
#include "spi/spi.h"

#include <stdlib.h>
#include <string.h>

#include "spi/change.h"
#include "spi/share.h"
#include "tcpip/tcpip.h"

struct control {
    SOCKET handle;
    DWORD code;
    void *in;
    DWORD in_bytes;
    void *out;
    DWORD out_bytes;
    DWORD returned;
};

static int give(struct control *k, const void *value, DWORD bytes)
{
    if (k->out == NULL || k->out_bytes < bytes)
        return WSAEFAULT;
    memcpy(k->out, value, bytes);
    k->returned = bytes;
    return 0;
}

static int set_blocking(struct sw_sock *s, const struct control *k)
{
    ULONG on;

    if (k->in == NULL || k->in_bytes < sizeof(on))
        return WSAEFAULT; /* B199 */
    memcpy(&on, k->in, sizeof(on));
    if (on != 0) {
        atomic_fetch_or_explicit(&s->mode, SW_MODE_NONBLOCKING, memory_order_relaxed);
        return 0;
    }
    if (pal_load_relaxed(&s->event_mask) != 0)
        return WSAEINVAL; /* B173 */
    atomic_fetch_and_explicit(&s->mode, ~SW_MODE_NONBLOCKING, memory_order_relaxed);
    return 0;
}

static int readable(struct sw_sock *s, struct control *k)
{
    int code = 0;
    struct sw_carrier *c = sw_share_carrier(s, 0, &code);
    uint64_t bytes = c != NULL ? c->ops->readable(c) : 0;
    ULONG value = bytes > UINT32_MAX ? UINT32_MAX : (ULONG)bytes;

    return give(k, &value, sizeof(value));
}

static int at_mark(struct sw_sock *s, struct control *k)
{
    int code = 0;
    struct sw_carrier *c = sw_share_carrier(s, 0, &code);
    ULONG value = c == NULL || c->ops->at_mark(c) ? TRUE : FALSE; /* B202 */

    if ((pal_load_relaxed(&s->mode) & SW_MODE_STREAM) == 0)
        return WSAEINVAL;
    return give(k, &value, sizeof(value));
}

static int extension(struct control *k)
{
    void *fn = NULL;
    GUID id;

    if (k->in == NULL || k->in_bytes < sizeof(id) || k->out == NULL || k->out_bytes < sizeof(fn))
        return WSAEFAULT;
    memcpy(&id, k->in, sizeof(id));
    if (!sw_extension_by_guid(&id, k->out))
        return WSAEINVAL; /* B205 */
    k->returned = sizeof(fn);
    return 0;
}

/* Offsets as in SOCKET_ADDRESS_LIST: the structure, then the addresses. */
static int address_list(struct sw_sock *s, struct control *k)
{
    DWORD each = s->af == WS_AF_INET ? sizeof(WSD_SOCKADDR_IN) : sizeof(WSD_SOCKADDR_IN6);
    unsigned count = sw_tcp_addresses(s->af, NULL, 0);
    WSD_SOCKADDR_STORAGE *all = calloc(count + 1u, sizeof(*all));
    SOCKET_ADDRESS_LIST *list = k->out;
    unsigned found;
    char *at;

    if (all == NULL)
        return WSAENOBUFS;
    found = sw_tcp_addresses(s->af, all, count + 1u);
    count = found <= count + 1u ? found : count + 1u;
    k->returned = (DWORD)(offsetof(SOCKET_ADDRESS_LIST, Address) + count * sizeof(list->Address[0]) +
                          count * each);
    if (k->returned < sizeof(*list))
        k->returned = sizeof(*list);
    if (k->out == NULL || k->out_bytes < k->returned) {
        free(all);
        return WSAEFAULT; /* and the size that is needed (10.3) */
    }
    list->iAddressCount = (INT)count;
    at = (char *)&list->Address[count];
    for (unsigned i = 0; i < count; i++, at += each) {
        memcpy(at, &all[i], each);
        list->Address[i].lpSockaddr = (void *)at;
        list->Address[i].iSockaddrLength = (INT)each;
    }
    free(all);
    return 0;
}

static int route(struct sw_sock *s, struct control *k)
{
    WSD_SOCKADDR_STORAGE local;
    int bytes = sizeof(local);
    int code;

    if (k->in == NULL ||
        k->in_bytes < (s->af == WS_AF_INET ? sizeof(WSD_SOCKADDR_IN) : sizeof(WSD_SOCKADDR_IN6)))
        return WSAEFAULT;
    if (((const WSD_SOCKADDR *)k->in)->sa_family != s->af)
        return WSAEAFNOSUPPORT;
    memset(&local, 0, sizeof(local));
    code = sw_tcp_route(k->in, (int)k->in_bytes, &local, &bytes);
    return code != 0 ? code : give(k, &local, (DWORD)bytes);
}

/* The code goes to TCP/IP and, when there is one, to the companion: SIO_KEEPALIVE_VALS. */
static int ask_carriers(struct sw_sock *s, struct control *k)
{
    struct sw_carrier *carriers[2];
    int code = WSAEOPNOTSUPP;

    pal_mutex_lock(&s->lock);
    carriers[0] = s->tcp != NULL ? s->tcp->carrier : NULL;
    carriers[1] = s->san != NULL && s->state != SW_LISTENING ? s->san->carrier : NULL;
    pal_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < 2; i++) {
        int answer = carriers[i] == NULL ? WSAEOPNOTSUPP
                                         : carriers[i]->ops->ioctl(carriers[i], k->code, k->in, k->in_bytes,
                                                                   k->out, k->out_bytes, &k->returned);

        if (answer != WSAEOPNOTSUPP && answer != WSAENOPROTOOPT)
            code = answer;
    }
    return code;
}

static int keepalive(struct sw_sock *s, struct control *k)
{
    int code;

    if (k->in == NULL || k->in_bytes < sizeof(struct tcp_keepalive))
        return WSAEFAULT; /* B208 */
    code = s->type != WS_SOCK_STREAM ? WSAEINVAL : ask_carriers(s, k);
    k->returned = 0;
    return code;
}

static int ideal_backlog(struct sw_sock *s, struct control *k)
{
    ULONG value = 0x10000; /* B207 */
    struct sw_carrier *c;

    return !sw_share_look(s, &c) && c == NULL ? WSAENOTCONN : give(k, &value, sizeof(value));
}

static int control(struct sw_sock *s, struct control *k)
{
    switch (k->code) {
    case WS_FIONBIO: return set_blocking(s, k);
    case WS_FIONREAD: return readable(s, k);
    case WS_SIOCATMARK: return at_mark(s, k);
    case SIO_GET_EXTENSION_FUNCTION_POINTER: return extension(k);
    case SIO_ADDRESS_LIST_QUERY: return address_list(s, k);
    case SIO_ROUTING_INTERFACE_QUERY: return route(s, k);
    case SIO_KEEPALIVE_VALS: return keepalive(s, k);
    case SIO_IDEAL_SEND_BACKLOG_QUERY: return ideal_backlog(s, k);
    case SIO_BASE_HANDLE:
    case SIO_BSP_HANDLE: return give(k, &k->handle, sizeof(k->handle)); /* we are the base provider */
    case SIO_FLUSH: return 0; /* no send waits behind another one's delivery */
    default: return ask_carriers(s, k);
    }
}

static bool is_change(DWORD code)
{
    return code == SIO_ADDRESS_LIST_CHANGE || code == SIO_ROUTING_INTERFACE_CHANGE;
}

int WSPAPI sw_spi_ioctl(SOCKET h, DWORD code, LPVOID in, DWORD in_bytes, LPVOID out, DWORD out_bytes,
                        LPDWORD returned, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine,
                        LPWSATHREADID thread, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    struct control k = {h, code, in, in_bytes, out, out_bytes, 0};
    bool is_overlapped, is_gone = false;
    int result;

    if (s == NULL)
        return SOCKET_ERROR;
    is_overlapped = ov != NULL && (pal_load_relaxed(&s->mode) & SW_MODE_OVERLAPPED) != 0;
    if (returned == NULL && ov == NULL)
        result = WSAEFAULT;
    else if (is_change(code))
        result = sw_change_wait(s, h, code, is_overlapped ? ov : NULL, routine, thread, &is_gone);
    else
        result = control(s, &k);
    if (returned != NULL &&
        (result == 0 || (result == WSAEFAULT && k.returned > 0) || result == WSAEOPNOTSUPP))
        *returned = k.returned;
    if (is_overlapped && !is_change(code) && (result == 0 || result == WSAEOPNOTSUPP)) { /* B204 */
        sw_io_complete_now(s, h, ov, routine, thread, result, k.returned, 0);
        result = result == 0 ? 0 : WSA_IO_PENDING;
    }
    if (!is_gone)
        sw_sock_leave(s);
    *error = result;
    return result == 0 ? 0 : SOCKET_ERROR;
}
