/* transmit.c - TransmitFile: head, file, tail, in this order (B210). One chunk is on its way at a time; the next is read when it has gone,
 * in the thread that reports it. */
#include <stdlib.h>
#include <string.h>

#include "spi/extensions.h"
#include "spi/share.h"
#include "spi/spi_os.h"

#define CHUNK 65536u

enum part { PART_HEAD, PART_FILE, PART_TAIL, PART_END };

struct transmit {
    HANDLE file;
    bool has_file, is_whole_file;
    int64_t offset;
    uint64_t left; /* of the file */
    uint64_t total;
    TRANSMIT_FILE_BUFFERS around;
    DWORD flags;
    enum part part;
    char chunk[CHUNK];
};

/* What comes next. False: nothing. *error: the file cannot be read. */
static bool next_chunk(struct transmit *t, WSABUF *out, int *error)
{
    *error = 0;
    for (;;) {
        switch (t->part) {
        case PART_HEAD:
            t->part = PART_FILE;
            *out = (WSABUF){t->around.HeadLength, t->around.Head};
            break;
        case PART_FILE: {
            size_t most = t->is_whole_file || t->left > CHUNK ? CHUNK : (size_t)t->left;
            int64_t got = !t->has_file || most == 0 ? 0 : sw_file_read(t->file, t->offset, t->chunk, most);

            if (got < 0) {
                *error = WSAEINVAL;
                return false;
            }
            if (got == 0)
                t->part = PART_TAIL;
            t->offset += got;
            t->left -= t->is_whole_file ? 0 : (uint64_t)got;
            *out = (WSABUF){(ULONG)got, t->chunk};
            break;
        }
        case PART_TAIL:
            t->part = PART_END;
            *out = (WSABUF){t->around.TailLength, t->around.Tail};
            break;
        case PART_END: return false;
        }
        if (out->len > 0)
            return true;
    }
}

static int after_all(struct sw_sock *s, DWORD flags)
{
    return (flags & (TF_DISCONNECT | TF_REUSE_SOCKET)) != 0 ? sw_disconnect(s, (flags & TF_REUSE_SOCKET) != 0)
                                                            : 0;
}

/* --- overlapped --- */

static void finish(struct sw_io *io, int error);

static void finish_job(void *context)
{
    finish(context, 0);
}

/* Ending the connection waits for it when it is with another process or on its way there, and that must not be in the thread of a carrier. */
static bool finish_in_job(struct sw_io *io)
{
    const struct transmit *t = io->extra;

    return (t->flags & (TF_DISCONNECT | TF_REUSE_SOCKET)) != 0 &&
           pal_load_acquire(&io->sock->share) != NULL && !sw_job_is_here() && sw_job_start(finish_job, io);
}

static void finish(struct sw_io *io, int error)
{
    struct transmit *t = io->extra;
    struct sw_sock *s = io->sock;
    DWORD total = (DWORD)t->total;

    if (error == 0 && finish_in_job(io))
        return;
    if (error == 0 && sw_sock_enter(s)) {
        error = after_all(s, t->flags);
        sw_sock_leave(s);
    }
    free(t);
    io->extra = NULL;
    sw_io_deliver(io, error, total);
}

static void go_on(struct sw_io *io);

static void chunk_sent(struct sw_io *io)
{
    struct transmit *t = io->extra;

    t->total += io->r.op.bytes;
    if (io->r.op.error != 0)
        finish(io, io->r.op.error);
    else
        go_on(io);
}

static void go_on(struct sw_io *io)
{
    struct transmit *t = io->extra;
    struct sw_sock *s = io->sock;
    int code = 0;

    for (;;) {
        struct sw_carrier *c;
        bool is_away;

        if (!next_chunk(t, &io->buffers[0], &code))
            break;
        if (!sw_sock_enter(s)) {
            code = WSA_OPERATION_ABORTED;
            break;
        }
        is_away = sw_share_look(s, &c);
        io->r.kind = SW_REQUEST_SEND;
        io->r.op.buffers = io->buffers;
        io->r.op.buffer_count = 1;
        /* never waits here, in the carrier's thread: what finds no connection begins when it comes */
        code = c == NULL && !is_away ? WSAENOTCONN : sw_io_submit_step(io, c);
        sw_sock_leave(s);
        if (code == WSA_IO_PENDING)
            return; /* chunk_sent() goes on, perhaps already */
        if (code == 0)
            code = io->r.op.error;
        if (code != 0)
            break;
        t->total += io->r.op.bytes;
    }
    finish(io, code);
}

static int start(struct sw_sock *s, SOCKET handle, struct transmit *t, LPWSAOVERLAPPED ov)
{
    struct sw_io *io = sw_io_get(s, handle, ov, NULL, NULL);

    if (io == NULL)
        return WSAENOBUFS;
    io->over = chunk_sent;
    io->extra = t;
    sw_io_start(io);
    go_on(io);
    return WSA_IO_PENDING; /* B210 */
}

/* --- blocking --- */

/* SW_E_MOVED: nothing of it is sent, and control is with another process, or about to be. */
static int send_chunk(struct sw_sock *s, WSABUF *chunk, bool *is_gone)
{
    int code = 0;
    struct sw_carrier *c = sw_share_carrier(s, 0, &code);
    struct sw_request r;

    memset(&r, 0, sizeof(r));
    r.kind = SW_REQUEST_SEND;
    r.op.buffers = chunk;
    r.op.buffer_count = 1;
    r.is_waited = true;
    if (c != NULL)
        code = c->ops->submit(c, &r);
    if (code == WSA_IO_PENDING)
        code = sw_block_on_request(s, c, &r, pal_load_relaxed(&s->send_ms), is_gone);
    else if (code == 0)
        code = r.op.error;
    return *is_gone && (code == 0 || code == SW_E_MOVED) ? WSAEINTR : code;
}

static int send_here(struct sw_sock *s, struct transmit *t, bool *is_gone)
{
    WSABUF buffer;
    int code = 0;

    while (code == 0 && next_chunk(t, &buffer, &code)) {
        code = send_chunk(s, &buffer, is_gone);
        while (code == SW_E_MOVED) {
            code = sw_share_wait(s, 0); /* until it has gone, and come back */
            if (code == 0)
                code = send_chunk(s, &buffer, is_gone);
        }
    }
    return code != 0 || *is_gone ? code : after_all(s, t->flags);
}

static int transmit(struct sw_sock *s, SOCKET handle, const struct transmit *wanted, LPWSAOVERLAPPED ov,
                    bool *is_gone)
{
    struct transmit *t = malloc(sizeof(*t));
    int code;

    if (t == NULL)
        return WSAENOBUFS;
    memcpy(t, wanted, offsetof(struct transmit, chunk));
    if (ov != NULL) {
        code = start(s, handle, t, ov);
        if (code != WSA_IO_PENDING)
            free(t);
        return code;
    }
    code = send_here(s, t, is_gone);
    free(t);
    return code;
}

#define KNOWN_FLAGS                                                                                          \
    (TF_DISCONNECT | TF_REUSE_SOCKET | TF_WRITE_BEHIND | TF_USE_DEFAULT_WORKER | TF_USE_SYSTEM_THREAD |      \
     TF_USE_KERNEL_APC)

BOOL WSPAPI sw_spi_transmit_file(SOCKET h, HANDLE file, DWORD bytes, DWORD bytes_per_send, LPOVERLAPPED ov,
                                 LPTRANSMIT_FILE_BUFFERS buffers, DWORD flags)
{
    struct transmit t;
    bool is_gone = false;
    int code = 0;
    struct sw_sock *s = sw_sock_get(h, &code);

    (void)bytes_per_send; /* a hint; 0 is the default size */
    if (s == NULL) {
        sw_set_last_error(code);
        return FALSE;
    }
    memset(&t, 0, offsetof(struct transmit, chunk));
    t.file = file;
    t.has_file = file != NULL && file != INVALID_HANDLE_VALUE;
    t.is_whole_file = bytes == 0;
    t.left = bytes;
    t.flags = flags;
    if (buffers != NULL)
        t.around = *buffers;
    if (ov != NULL)
        t.offset = (int64_t)((uint64_t)ov->OffsetHigh << 32 | ov->Offset);
    else if (t.has_file)
        t.offset = sw_file_position(file);
    if ((flags & ~(DWORD)KNOWN_FLAGS) != 0 || t.offset < 0)
        code = WSAEINVAL;
    else if ((t.around.Head == NULL && t.around.HeadLength != 0) ||
             (t.around.Tail == NULL && t.around.TailLength != 0))
        code = WSAEFAULT;
    else if (sw_share_carrier(s, 0, &code) == NULL)
        ; /* why */
    else if ((pal_load_relaxed(&s->mode) & SW_MODE_SHUT_SEND) != 0)
        code = WSAESHUTDOWN;
    else
        code = transmit(s, h, &t, (LPWSAOVERLAPPED)ov, &is_gone);
    if (!is_gone)
        sw_sock_leave(s);
    if (code != 0)
        sw_set_last_error(code);
    return code == 0;
}
