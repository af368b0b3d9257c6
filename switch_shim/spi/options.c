/* options.c - WSPGetSockOpt, WSPSetSockOpt (contract 8.2: TCP/IP gets every option, and it is remembered for the companion; 3.8).
 * Three kinds: what this layer means itself (time-outs, linger, event state); what is only a remembered number; the rest, which the
 * carriers know. A socket that was accepted from a provider has no TCP/IP socket: there what is remembered answers. */
#include "spi/spi.h"

#include <string.h>

#include "spi/share.h"

#define LEVEL_IP   0
#define LEVEL_UDP  17
#define LEVEL_IPV6 41

#define DEFAULT_BUFFER                                                                                       \
    65536 /* SO_SNDBUF, SO_RCVBUF of a socket that nobody set them on; as Windows has it since 8 */

void sw_options_init(struct sw_sock *s)
{
    memset(&s->linger, 0, sizeof(s->linger));
    s->remembered_count = 0;
}

/* --- what is remembered --- */

static struct sw_remembered *find_locked(struct sw_sock *s, int level, int name)
{
    for (unsigned i = 0; i < s->remembered_count; i++)
        if (s->remembered[i].level == level && s->remembered[i].name == name)
            return &s->remembered[i];
    return NULL;
}

static void remember(struct sw_sock *s, int level, int name, const void *value, int bytes)
{
    struct sw_remembered *r;

    pal_mutex_lock(&s->lock);
    r = find_locked(s, level, name);
    if (r == NULL && s->remembered_count < SW_REMEMBERED_MAX)
        r = &s->remembered[s->remembered_count++];
    if (r != NULL && bytes <= (int)sizeof(r->value)) {
        r->level = level;
        r->name = name;
        r->bytes = bytes;
        memcpy(r->value, value, (size_t)bytes);
    }
    pal_mutex_unlock(&s->lock);
}

static int recall(struct sw_sock *s, int level, int name, int otherwise)
{
    const struct sw_remembered *r;
    int value = otherwise;

    pal_mutex_lock(&s->lock);
    r = find_locked(s, level, name);
    if (r != NULL)
        memcpy(&value, r->value, sizeof(value));
    pal_mutex_unlock(&s->lock);
    return value;
}

static unsigned copy_remembered(struct sw_sock *s, struct sw_remembered out[SW_REMEMBERED_MAX])
{
    unsigned count;

    pal_mutex_lock(&s->lock);
    count = s->remembered_count;
    memcpy(out, s->remembered, count * sizeof(*out));
    pal_mutex_unlock(&s->lock);
    return count;
}

/* What a carrier does not know it need not know: remembered is enough (carrier.h). */
int sw_options_replay(struct sw_sock *s, struct sw_carrier *c)
{
    struct sw_remembered all[SW_REMEMBERED_MAX];
    unsigned count = copy_remembered(s, all);

    for (unsigned i = 0; i < count; i++) {
        int code = c->ops->set_option(c, all[i].level, all[i].name, all[i].value, all[i].bytes);

        if (code != 0 && code != WSAENOPROTOOPT)
            return code;
    }
    return 0;
}

void sw_options_inherit(struct sw_sock *listener, struct sw_sock *s)
{
    struct sw_remembered all[SW_REMEMBERED_MAX];
    unsigned count = copy_remembered(listener, all);
    struct sw_carrier *c = pal_load_acquire(&s->data);
    WSD_LINGER linger;

    pal_mutex_lock(&listener->lock);
    linger = listener->linger;
    pal_mutex_unlock(&listener->lock);
    pal_mutex_lock(&s->lock);
    s->linger = linger;
    s->remembered_count = count;
    memcpy(s->remembered, all, count * sizeof(*all));
    pal_mutex_unlock(&s->lock);
    pal_store_relaxed(&s->send_ms, pal_load_relaxed(&listener->send_ms));
    pal_store_relaxed(&s->receive_ms, pal_load_relaxed(&listener->receive_ms));
    if (c != NULL)
        (void)sw_options_replay(s, c); /* the connection stands: nothing to fall back to */
}

/* The carriers that options go to; NULL where there is none. A call is counted, so they stay. */
static void carriers(struct sw_sock *s, struct sw_carrier **tcp, struct sw_carrier **san)
{
    pal_mutex_lock(&s->lock);
    *tcp = s->tcp != NULL ? s->tcp->carrier : NULL;
    *san = s->san != NULL ? s->san->carrier : NULL;
    pal_mutex_unlock(&s->lock);
}

/* --- reading --- */

static int give_int(int value, char *out, LPINT bytes)
{
    if (*bytes < (INT)sizeof(value))
        return WSAEFAULT; /* B194 */
    memcpy(out, &value, sizeof(value));
    *bytes = sizeof(value);
    return 0;
}

static int give_linger(struct sw_sock *s, char *out, LPINT bytes)
{
    if (*bytes < (INT)sizeof(s->linger))
        return WSAEFAULT;
    pal_mutex_lock(&s->lock);
    memcpy(out, &s->linger, sizeof(s->linger));
    pal_mutex_unlock(&s->lock);
    *bytes = sizeof(s->linger);
    return 0;
}

static int give_info(struct sw_sock *s, char *out, LPINT bytes)
{
    if (*bytes < (INT)sizeof(s->info))
        return WSAEFAULT;
    memcpy(out, &s->info, sizeof(s->info)); /* const since birth */
    *bytes = sizeof(s->info);
    return 0;
}

static int connect_time(struct sw_sock *s)
{
    uint64_t since;

    pal_mutex_lock(&s->lock);
    since = s->state == SW_CONNECTED ? s->connected_ns : 0;
    pal_mutex_unlock(&s->lock);
    return since == 0 ? -1 : (int)((pal_now_ns() - since) / 1000000000u); /* B057 */
}

static int socket_error(struct sw_sock *s)
{
    struct sw_carrier *c = pal_load_acquire(&s->data);
    int bytes = sizeof(int);
    int error;

    pal_mutex_lock(&s->lock);
    error = s->error;
    pal_mutex_unlock(&s->lock);
    if (error == 0 && c != NULL &&
        c->ops->get_option(c, WS_SOL_SOCKET, WS_SO_ERROR, (char *)&error, &bytes) != 0)
        error = 0;
    return error;
}

static bool is_listening(struct sw_sock *s)
{
    bool yes;

    pal_mutex_lock(&s->lock);
    yes = s->state == SW_LISTENING;
    pal_mutex_unlock(&s->lock);
    return yes;
}

static int ask_carrier(struct sw_sock *s, int level, int name, char *value, LPINT bytes)
{
    struct sw_carrier *tcp, *san;
    bool is_buffer = level == WS_SOL_SOCKET && (name == WS_SO_SNDBUF || name == WS_SO_RCVBUF);
    int code = WSAENOPROTOOPT;
    bool is_remembered;

    carriers(s, &tcp, &san);
    pal_mutex_lock(&s->lock);
    is_remembered = find_locked(s, level, name) != NULL;
    pal_mutex_unlock(&s->lock);
    if (tcp != NULL &&
        !(is_remembered && pal_load_acquire(&s->share) != NULL)) /* another process cannot set it there */
        return tcp->ops->get_option(tcp, level, name, value, bytes);
    if (is_remembered)
        return give_int(recall(s, level, name, 0), value, bytes);
    if (san != NULL)
        code = san->ops->get_option(san, level, name, value, bytes);
    if (code != WSAENOPROTOOPT)
        return code;
    if (level == WS_SOL_SOCKET) {
        switch (name) {
        case WS_SO_REUSEADDR:
        case WS_SO_EXCLUSIVEADDRUSE:
        case WS_SO_KEEPALIVE:
        case WS_SO_DONTROUTE:
        case WS_SO_OOBINLINE:
        case WS_SO_SNDBUF:
        case WS_SO_RCVBUF: return give_int(is_buffer ? DEFAULT_BUFFER : 0, value, bytes);
        default: return WSAENOPROTOOPT;
        }
    }
    return level == WS_IPPROTO_TCP && name == WS_TCP_NODELAY ? give_int(0, value, bytes) : WSAENOPROTOOPT;
}

static int get_socket_option(struct sw_sock *s, int name, char *value, LPINT bytes)
{
    switch (name) {
    case WS_SO_ACCEPTCONN: return give_int(is_listening(s), value, bytes);
    case WS_SO_TYPE: return give_int(s->type, value, bytes);
    case WS_SO_ERROR: return *bytes < (INT)sizeof(int) ? WSAEFAULT : give_int(socket_error(s), value, bytes);
    case WS_SO_SNDTIMEO: return give_int((int)pal_load_relaxed(&s->send_ms), value, bytes);
    case WS_SO_RCVTIMEO: return give_int((int)pal_load_relaxed(&s->receive_ms), value, bytes);
    case WS_SO_LINGER: return give_linger(s, value, bytes);
    case WS_SO_DONTLINGER: return give_int(s->linger.l_onoff == 0, value, bytes);
    case WS_SO_PROTOCOL_INFOW: return give_info(s, value, bytes);
    case WS_SO_CONNECT_TIME: return give_int(connect_time(s), value, bytes);
    case WS_SO_GROUP_ID: return give_int(0, value, bytes); /* no quality of service */
    case WS_SO_DEBUG:
    case WS_SO_USELOOPBACK:
    case WS_SO_CONDITIONAL_ACCEPT:
    case WS_SO_GROUP_PRIORITY: return give_int(recall(s, WS_SOL_SOCKET, name, 0), value, bytes);
    case WS_SO_MAX_MSG_SIZE:
        return s->type == WS_SOCK_STREAM ? WSAENOPROTOOPT
                                         : give_int((int)s->info.dwMessageSize, value, bytes);
    default: return ask_carrier(s, WS_SOL_SOCKET, name, value, bytes);
    }
}

/* Another process may have set it since (8.10), on the socket that is the same for both. */
static bool is_set_elsewhere(int level, int name)
{
    switch (level == WS_SOL_SOCKET ? name : 0) {
    case WS_SO_ACCEPTCONN:
    case WS_SO_TYPE:
    case WS_SO_ERROR:
    case WS_SO_PROTOCOL_INFOW:
    case WS_SO_CONNECT_TIME:
    case WS_SO_GROUP_ID:
    case WS_SO_MAX_MSG_SIZE: return false;
    default: return true;
    }
}

static bool is_known_level(int level)
{
    return level == WS_SOL_SOCKET || level == WS_IPPROTO_TCP || level == LEVEL_IP || level == LEVEL_IPV6 ||
           level == LEVEL_UDP;
}

int WSPAPI sw_spi_get_sock_opt(SOCKET h, int level, int name, char *value, LPINT bytes, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    int code = 0;

    if (s == NULL)
        return SOCKET_ERROR;
    if (value == NULL || bytes == NULL || *bytes <= 0)
        code = WSAEFAULT;
    else if (!is_known_level(level))
        code = WSAEINVAL; /* B193 */
    else if (is_set_elsewhere(level, name) && sw_share_is_away(s) && sw_share_lost(s) == 0)
        code = sw_share_wait(s, 0);
    if (code == 0)
        code = level == WS_SOL_SOCKET ? get_socket_option(s, name, value, bytes)
                                      : ask_carrier(s, level, name, value, bytes);
    sw_sock_leave(s);
    *error = code;
    return code == 0 ? 0 : SOCKET_ERROR;
}

/* --- writing --- */

static int set_in_carriers(struct sw_sock *s, int level, int name, const char *value, int bytes)
{
    struct sw_carrier *tcp, *san;
    int code = 0;

    carriers(s, &tcp, &san);
    if (tcp != NULL)
        code = tcp->ops->set_option(tcp, level, name, value, bytes);
    else if (bytes < (int)sizeof(int) && !(level == WS_IPPROTO_TCP && bytes > 0))
        code = WSAEFAULT;
    if (code == 0 && san != NULL && !is_listening(s)) {
        code = san->ops->set_option(san, level, name, value, bytes);
        if (code == WSAENOPROTOOPT)
            code = tcp != NULL || level != WS_SOL_SOCKET || name < 0x2000 ? 0 : code;
    }
    if (code == 0)
        remember(s, level, name, value, bytes);
    return code;
}

static int set_linger(struct sw_sock *s, const char *value, int bytes)
{
    WSD_LINGER linger;

    if (bytes < (int)sizeof(linger))
        return WSAEFAULT;
    memcpy(&linger, value, sizeof(linger));
    pal_mutex_lock(&s->lock);
    s->linger = linger;
    pal_mutex_unlock(&s->lock);
    return 0;
}

/* SO_UPDATE_ACCEPT_CONTEXT: the listener's properties (B080). */
static int update_accept_context(struct sw_sock *s, const char *value, int bytes)
{
    struct sw_sock *listener;
    SOCKET handle;
    int error = 0;

    if (bytes < (int)sizeof(handle))
        return WSAEFAULT;
    memcpy(&handle, value, sizeof(handle));
    listener = sw_sock_get(handle, &error);
    if (listener == NULL)
        return error;
    if (!is_listening(listener) || pal_load_acquire(&s->data) == NULL)
        error = WSAEINVAL;
    else
        sw_options_inherit(listener, s);
    sw_sock_leave(listener);
    return error;
}

/* One address for one, or for all: not both (B028). */
static int set_sharing(struct sw_sock *s, int name, const char *value, int bytes)
{
    int other = name == WS_SO_REUSEADDR ? WS_SO_EXCLUSIVEADDRUSE : WS_SO_REUSEADDR;
    int on;

    memcpy(&on, value, sizeof(on));
    if (on != 0 && recall(s, WS_SOL_SOCKET, other, 0) != 0)
        return WSAEINVAL;
    return set_in_carriers(s, WS_SOL_SOCKET, name, value, bytes);
}

static int set_number(struct sw_sock *s, int name, const char *value, int bytes)
{
    int number, truth;

    memcpy(&number, value, sizeof(number));
    truth = number != 0;
    switch (name) {
    case WS_SO_ERROR:
        pal_mutex_lock(&s->lock);
        s->error = number;
        pal_mutex_unlock(&s->lock);
        return 0;
    case WS_SO_SNDTIMEO: pal_store_relaxed(&s->send_ms, (uint32_t)number); return 0;
    case WS_SO_RCVTIMEO: pal_store_relaxed(&s->receive_ms, (uint32_t)number); return 0;
    case WS_SO_DONTLINGER:
        pal_mutex_lock(&s->lock);
        s->linger.l_onoff = (USHORT)(number == 0);
        pal_mutex_unlock(&s->lock);
        return 0;
    case WS_SO_DEBUG: /* any number reads back as 1 (B196) */
    case WS_SO_USELOOPBACK:
    case WS_SO_CONDITIONAL_ACCEPT: remember(s, WS_SOL_SOCKET, name, &truth, sizeof(truth)); return 0;
    case WS_SO_GROUP_PRIORITY: remember(s, WS_SOL_SOCKET, name, &number, sizeof(number)); return 0;
    case WS_SO_REUSEADDR:
    case WS_SO_EXCLUSIVEADDRUSE: return set_sharing(s, name, value, bytes);
    default: return set_in_carriers(s, WS_SOL_SOCKET, name, value, bytes);
    }
}

static int set_socket_option(struct sw_sock *s, int name, const char *value, int bytes)
{
    switch (name) {
    case WS_SO_ACCEPTCONN: /* B034 */
    case WS_SO_TYPE:
    case WS_SO_MAX_MSG_SIZE:
    case WS_SO_GROUP_ID:
    case WS_SO_CONNECT_TIME:
    case WS_SO_PROTOCOL_INFOA:
    case WS_SO_PROTOCOL_INFOW: return WSAENOPROTOOPT;
    case WS_SO_LINGER: return set_linger(s, value, bytes);
    case WS_SO_UPDATE_ACCEPT_CONTEXT: return update_accept_context(s, value, bytes);
    case WS_SO_UPDATE_CONNECT_CONTEXT: return pal_load_acquire(&s->data) == NULL ? WSAENOTCONN : 0;
    default: return value == NULL || bytes < (int)sizeof(int) ? WSAEFAULT : set_number(s, name, value, bytes);
    }
}

int WSPAPI sw_spi_set_sock_opt(SOCKET h, int level, int name, const char *value, int bytes, LPINT error)
{
    struct sw_sock *s = sw_sock_get(h, error);
    int code;

    if (s == NULL)
        return SOCKET_ERROR;
    if (!is_known_level(level))
        code = WSAEINVAL;
    else if ((value == NULL || bytes <= 0) &&
             !(level == WS_SOL_SOCKET && name == WS_SO_UPDATE_CONNECT_CONTEXT))
        code = WSAEFAULT;
    else
        code = sw_share_is_away(s) ? sw_share_wait(s, 0) : 0; /* a change of state: where the connection is */
    if (code == 0)
        code = level == WS_SOL_SOCKET ? set_socket_option(s, name, value, bytes)
                                      : set_in_carriers(s, level, name, value, bytes);
    sw_sock_leave(s);
    *error = code;
    return code == 0 ? 0 : SOCKET_ERROR;
}
