/* port_server.c - an echo server over a completion port: AcceptEx, overlapped receives and sends, one thread, many clients.
 * usage: port_server HOST PORT CLIENTS   ends when so many clients have come and gone */
#include "common.h"

enum { ACCEPTING, RECEIVING, SENDING };
#define ADDRESS_ROOM (sizeof(struct sockaddr_in) + 16)

struct connection {
    WSAOVERLAPPED ov; /* first: what comes out of the port is the connection */
    SOCKET s;
    int doing;
    DWORD bytes, sent; /* to be sent back; gone already */
    char data[16384];
    char addresses[2 * ADDRESS_ROOM];
};

static HANDLE port;
static SOCKET listener;

static void accept_next(void)
{
    struct connection *c = calloc(1, sizeof(*c));
    DWORD received;

    if (c == NULL)
        die("memory");
    c->s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    c->doing = ACCEPTING;
    if (c->s == INVALID_SOCKET)
        die("socket");
    if (!AcceptEx(listener, c->s, c->addresses, 0, ADDRESS_ROOM, ADDRESS_ROOM, &received, &c->ov) &&
        WSAGetLastError() != ERROR_IO_PENDING)
        die("AcceptEx");
}

/* Start what the connection does next. Every operation that starts, also one that is over at once, puts a packet into the port. False: the
 * connection is over. */
static BOOL go_on(struct connection *c)
{
    WSABUF buffer;
    DWORD flags = 0;
    int result;

    memset(&c->ov, 0, sizeof(c->ov));
    if (c->sent < c->bytes) {
        buffer.buf = c->data + c->sent;
        buffer.len = c->bytes - c->sent;
        c->doing = SENDING;
        result = WSASend(c->s, &buffer, 1, NULL, 0, &c->ov, NULL);
    } else {
        buffer.buf = c->data;
        buffer.len = sizeof(c->data);
        c->doing = RECEIVING;
        result = WSARecv(c->s, &buffer, 1, NULL, &flags, &c->ov, NULL);
    }
    return result == 0 || WSAGetLastError() == WSA_IO_PENDING;
}

/* False: the connection is over. */
static BOOL step(struct connection *c, DWORD bytes)
{
    static const BOOL on = TRUE;

    switch (c->doing) {
    case ACCEPTING:
        /* the last piece of an echo must not wait for the client to acknowledge the one before */
        if (setsockopt(c->s, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof(on)) != 0 ||
            setsockopt(c->s, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener,
                       sizeof(listener)) != 0 ||
            CreateIoCompletionPort((HANDLE)c->s, port, 1, 0) == NULL)
            die("new client");
        break;
    case RECEIVING:
        if (bytes == 0)
            return FALSE; /* the client has said all */
        c->bytes = bytes;
        c->sent = 0;
        break;
    case SENDING: c->sent += bytes; break;
    }
    return go_on(c);
}

int main(int argc, char **argv)
{
    int coming, there = 0;

    if (argc < 4) {
        fprintf(stderr, "usage: port_server HOST PORT CLIENTS\n");
        return 2;
    }
    start_winsock();
    coming = atoi(argv[3]);
    listener = listen_on(argv[1], argv[2]);
    port = CreateIoCompletionPort((HANDLE)listener, NULL, 0, 0);
    if (port == NULL)
        die("CreateIoCompletionPort");
    accept_next();
    while (coming > 0 || there > 0) {
        struct connection *c;
        LPOVERLAPPED ov = NULL;
        ULONG_PTR key;
        DWORD bytes = 0;
        BOOL succeeded = GetQueuedCompletionStatus(port, &bytes, &key, &ov, INFINITE);

        if (ov == NULL)
            die("GetQueuedCompletionStatus");
        c = (struct connection *)(void *)ov;
        if (succeeded && c->doing == ACCEPTING) {
            there++;
            if (--coming > 0)
                accept_next();
        }
        if (succeeded && step(c, bytes))
            continue;
        closesocket(c->s);
        free(c);
        there--;
    }
    closesocket(listener);
    CloseHandle(port);
    WSACleanup();
    puts("served all");
    return 0;
}
