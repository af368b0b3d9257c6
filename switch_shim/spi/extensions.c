/* extensions.c - which extension functions there are, and ConnectEx and DisconnectEx. TransmitPackets, WSARecvMsg and WSASendMsg are not
 * served: their GUIDs get WSAEINVAL, as unknown ones do (10.3). */
#include "spi/extensions.h"

#include <string.h>

#include "spi/spi_os.h"

bool sw_extension_by_guid(const GUID *id, void *out)
{
    typedef void (*any_fn)(void);
    static const struct {
        GUID id;
        any_fn fn;
    } known[] = {
        {WSAID_ACCEPTEX, (any_fn)sw_spi_accept_ex},
        {WSAID_GETACCEPTEXSOCKADDRS, (any_fn)sw_spi_get_accept_ex_sockaddrs},
        {WSAID_CONNECTEX, (any_fn)sw_spi_connect_ex},
        {WSAID_DISCONNECTEX, (any_fn)sw_spi_disconnect_ex},
        {WSAID_TRANSMITFILE, (any_fn)sw_spi_transmit_file},
    };

    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (memcmp(&known[i].id, id, sizeof(*id)) == 0) {
            memcpy(out, &known[i].fn, sizeof(known[i].fn));
            return true;
        }
    }
    return false;
}

static BOOL answer(int code)
{
    if (code != 0)
        sw_set_last_error(code);
    return code == 0;
}

/* --- another TCP/IP socket below the same handle --- */

/* With what options the socket remembers. 0 or the code. */
static int make_tcp_leg(struct sw_sock *s, struct sw_leg **out)
{
    int code = sw_tcp_leg_make(s, out);

    return code != 0 ? code : sw_options_replay(s, (*out)->carrier);
}

/* In place of the carriers there are, which end as linger_ms says. */
static void take_tcp_leg_locked(struct sw_sock *s, struct sw_leg *leg, uint32_t linger_ms)
{
    sw_sock_set_data(s, NULL);
    if (s->tcp != NULL)
        sw_leg_retire_locked(s, s->tcp, linger_ms);
    if (s->san != NULL)
        sw_leg_retire_locked(s, s->san, linger_ms);
    s->tcp = leg;
    s->san = NULL;
    s->is_bound = s->is_peer_set = false;
    sw_events_forget_locked(s);
}

/* The old carriers end gracefully in the background. */
static int renew(struct sw_sock *s)
{
    struct sw_leg *leg = NULL;
    int code = make_tcp_leg(s, &leg);

    pal_mutex_lock(&s->lock);
    if (code == 0 && s->state == SW_CONNECTED && sw_sock_move_locked(s, SW_DISCONNECTED))
        take_tcp_leg_locked(s, leg, SW_SESSION_LINGER_FOREVER);
    else if (leg != NULL)
        sw_leg_retire_locked(s, leg, 0);
    pal_mutex_unlock(&s->lock);
    return code;
}

/* --- ConnectEx --- */

static void sent(struct sw_io *io)
{
    sw_io_deliver(io, io->r.op.error, (DWORD)io->r.op.bytes);
}

/* Connected, or not: send what was given along (B062). */
static void connect_over(struct sw_io *io)
{
    struct sw_sock *s = io->sock;
    struct sw_carrier *c = pal_load_acquire(&s->data);
    int code = io->r.op.error;

    if (code == 0 && c == NULL)
        code = WSAECONNABORTED;
    if (code != 0 || io->buffers[0].len == 0) {
        sw_io_deliver(io, code, 0);
        return;
    }
    io->over = sent;
    io->r.kind = SW_REQUEST_SEND;
    io->r.op.buffers = io->buffers;
    io->r.op.buffer_count = 1;
    code = sw_io_submit_step(io, c);
    if (code == 0)
        sent(io);
    else if (code != WSA_IO_PENDING)
        sw_io_deliver(io, code, 0);
}

/* An attempt cannot be taken back, so the socket gives up the carriers that make it, and with them its name: it has to be bound again,
 * our choice. When there is no memory for that, the operation ends once the attempt has. */
static void cancel_connect(struct sw_io *io)
{
    struct sw_sock *s = io->sock;
    struct sw_leg *leg = NULL;
    bool waits = make_tcp_leg(s, &leg) == 0;

    pal_mutex_lock(&s->lock);
    waits = waits && s->connect_io == io && s->state == SW_CONNECTING;
    if (waits) {
        s->connect_io = NULL;
        s->is_connect_over = true;
        s->connect_error = WSA_OPERATION_ABORTED;
        take_tcp_leg_locked(s, leg, 0);
        sw_sock_move_back_locked(s);
    } else if (leg != NULL) {
        sw_leg_retire_locked(s, leg, 0);
    }
    pal_mutex_unlock(&s->lock);
    if (waits) {
        io->r.op.error = WSA_OPERATION_ABORTED;
        io->over(io);
    } else {
        sw_io_cancel_request(io);
    }
}

static int check_connect(struct sw_sock *s, const WSD_SOCKADDR *name, int bytes)
{
    bool is_bound;

    pal_mutex_lock(&s->lock);
    is_bound = s->is_bound || s->state == SW_DISCONNECTED; /* TF_REUSE_SOCKET: it counts as bound still */
    pal_mutex_unlock(&s->lock);
    if (s->type != WS_SOCK_STREAM || !is_bound)
        return WSAEINVAL; /* it has to be bound before */
    if (name == NULL ||
        bytes < (int)(s->af == WS_AF_INET ? sizeof(WSD_SOCKADDR_IN) : sizeof(WSD_SOCKADDR_IN6)))
        return WSAEFAULT;
    return name->sa_family == s->af ? 0 : WSAEAFNOSUPPORT;
}

BOOL WSPAPI sw_spi_connect_ex(SOCKET h, const WSD_SOCKADDR *name, int bytes, PVOID data, DWORD data_bytes,
                              LPDWORD sent_bytes, LPOVERLAPPED ov)
{
    WSABUF buffer = {data_bytes, data};
    struct sw_io *io;
    int code = 0;
    struct sw_sock *s = sw_sock_get(h, &code);

    (void)sent_bytes; /* of calls that end at once, and ours never do (B064) */
    if (s == NULL)
        return answer(code);
    code = ov == NULL ? ERROR_INVALID_PARAMETER : check_connect(s, name, bytes); /* B059 */
    if (code == 0 && data == NULL && data_bytes != 0)
        code = WSAEFAULT;
    io = code == 0 ? sw_io_get(s, h, (LPWSAOVERLAPPED)ov, NULL, NULL) : NULL;
    if (code == 0 && io == NULL)
        code = WSAENOBUFS;
    if (io != NULL) {
        io->over = connect_over;
        io->cancel = cancel_connect;
        (void)sw_io_buffers(io, &buffer, 1);
        sw_io_start(io);
        code = sw_connect_begin(s, name, bytes, io);
        if (code != WSA_IO_PENDING) /* refused before it began */
            sw_io_put(io);
    }
    sw_sock_leave(s);
    return answer(code);
}

/* --- DisconnectEx --- */

int sw_disconnect(struct sw_sock *s, bool to_reuse)
{
    int code;

    if (s->type != WS_SOCK_STREAM) /* "connection-oriented" (DisconnectEx page) */
        return WSAEOPNOTSUPP;
    code = sw_shutdown_both_ways(s, SD_SEND);
    return code == 0 && to_reuse ? renew(s) : code;
}

BOOL WSPAPI sw_spi_disconnect_ex(SOCKET h, LPOVERLAPPED ov, DWORD flags, DWORD reserved)
{
    int code = 0;
    struct sw_sock *s = sw_sock_get(h, &code);

    if (s == NULL)
        return answer(code);
    code = (flags & ~(DWORD)TF_REUSE_SOCKET) != 0 || reserved != 0
               ? WSAEINVAL
               : sw_disconnect(s, (flags & TF_REUSE_SOCKET) != 0);
    if (code == 0 && ov != NULL) { /* B147 */
        sw_io_complete_now(s, h, (LPWSAOVERLAPPED)ov, NULL, NULL, 0, 0, 0);
        code = WSA_IO_PENDING;
    }
    sw_sock_leave(s);
    return answer(code);
}
