/* sp_extensions.c - the extension functions with the usual arguments, each announced to ws2 and answering 0 or its code. */
#include "sp.h"

/* The pointers are the same for all sockets, and the one under test may be none. */
static void (*of_any_socket(const GUID *id))(void)
{
    SOCKET s = sp_stream();
    void (*fn)(void) = sp_extension(s, id);

    sp_ok(sp_close(s));
    return fn;
}

/* Around one call that may be refused or pending. */
struct attempt {
    SOCKET s;
    WSAOVERLAPPED *ov;
    bool is_known;
};

static struct attempt begin(SOCKET s, WSAOVERLAPPED *ov)
{
    struct attempt a = {s, ov, ov != NULL && ws2_operation_begin(s, ov) == 0};

    return a;
}

static int end(const struct attempt *a, BOOL answer)
{
    int error = answer ? 0 : sp.last_error();

    if (!answer && error == 0)
        error = -1; /* a failure has to say why */
    if (a->is_known)
        ws2_operation_submitted(a->s, a->ov, answer ? 0 : SOCKET_ERROR, error);
    return error;
}

int sp_accept_ex(SOCKET l, SOCKET s, void *out, DWORD data_bytes, WSAOVERLAPPED *ov)
{
    static const GUID id = WSAID_ACCEPTEX;
    sp_accept_ex_fn fn = (sp_accept_ex_fn)of_any_socket(&id);
    struct attempt a = begin(l, ov); /* the request is the listener's (B082, B084) */
    DWORD got = 0;

    return end(&a, fn(l, s, out, data_bytes, SP_ACCEPT_ROOM, SP_ACCEPT_ROOM, &got, ov));
}

int sp_connect_ex(SOCKET s, const WSD_SOCKADDR_IN *to, void *data, DWORD bytes, WSAOVERLAPPED *ov)
{
    static const GUID id = WSAID_CONNECTEX;
    sp_connect_ex_fn fn = (sp_connect_ex_fn)of_any_socket(&id);
    struct attempt a = begin(s, ov);
    DWORD sent = 0;

    return end(&a, fn(s, (const WSD_SOCKADDR *)to, sizeof(*to), data, bytes, &sent, ov));
}

int sp_disconnect_ex(SOCKET s, WSAOVERLAPPED *ov, DWORD flags)
{
    static const GUID id = WSAID_DISCONNECTEX;
    sp_disconnect_ex_fn fn = (sp_disconnect_ex_fn)of_any_socket(&id);
    struct attempt a = begin(s, ov);

    return end(&a, fn(s, ov, flags, 0));
}

int sp_transmit_file(SOCKET s, HANDLE file, DWORD bytes, WSAOVERLAPPED *ov,
                     struct sp_transmit_buffers *buffers, DWORD flags)
{
    static const GUID id = WSAID_TRANSMITFILE;
    sp_transmit_file_fn fn = (sp_transmit_file_fn)of_any_socket(&id);
    struct attempt a = begin(s, ov);

    return end(&a, fn(s, file, bytes, 0, ov, buffers, flags));
}
