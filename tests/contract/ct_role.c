/* ct_role.c - the second process: one command a line on standard input, one answer a line on standard output.
 *
 *   listen BACKLOG        -> ok PORT             connect PORT / start PORT / finish
 *   accept                                       close / unlisten / exit
 *   open BYTES            register memory        hello connector | hello acceptor
 *   receive N             post N receives        send BYTES SEED / works
 *   ready                 post a receive         expect BYTES SEED: what it got
 *   expose BYTES          -> ok DESCRIPTOR       gone: a receive fails with WSAECONNRESET
 *   flood / write DESCRIPTOR / read DESCRIPTOR   answers, then goes on until it is killed
 *   duplicate PID         -> ok VALUE            adopt VALUE connector | adopt VALUE acceptor
 *   lend PID              -> ok VALUE (the listener)      take VALUE (a listener) / serve: accept on it
 *
 * A failed check ends the process; the test sees its pipe close. */
#include "ct.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define RECEIVES 64

static struct fixture f;
static struct ct_end end;
static struct sw_companion *current;
static struct sw_companion *taken; /* a listener that came from the other process */
static WSAEVENT taken_event;
static WSAOVERLAPPED receives[RECEIVES];
static unsigned receive_count;
static WSAOVERLAPPED awaited; /* the receive of "ready", whose message "expect" looks at */

static void set_current(struct sw_companion *c)
{
    current = c;
    end.c = c;
    ct_adopt_companion(&f, c);
}

static void from_hex(const char *text, struct sw_rdma_descriptor *d)
{
    unsigned byte;

    d->length = 0;
    while (d->length < SW_DESCRIPTOR_MAX && sscanf(text + 2 * d->length, "%2x", &byte) == 1)
        d->bytes[d->length++] = (BYTE)byte;
}

static void forever(const char *what, const struct sw_rdma_descriptor *d)
{
    for (;;) {
        WSAOVERLAPPED ov = {0};
        int error = strcmp(what, "write") == 0  ? ct_write(&end, 0, end.bytes, d, 0, &ov, SW_POLL)
                    : strcmp(what, "read") == 0 ? ct_read(&end, 0, end.bytes, d, 0, &ov, SW_POLL)
                                                : ct_send(&end, 0, end.bytes, &ov, SW_POLL);
        if (error != 0 || ct_outcome(current, &ov) != 0)
            exit(3);
    }
}

/* p: the instance that the socket belongs to. */
static void adopt(struct sw_provider *p, const char *value, struct sw_companion **out)
{
    WSAPROTOCOL_INFOW info = *sw_protocol_info(f.provider);

    info.dwProviderReserved = (DWORD)strtoul(value, NULL, 0);
    ct_ok(sw_adopt(p, &info, NULL, NULL, out));
}

static void serve_taken(void)
{
    WSANETWORKEVENTS events = {0};
    WSD_SOCKADDR_IN peer;
    INT error = 0, bytes = sizeof peer;

    ct_ok(sw_event_wait(taken_event, ct.wait_ms));
    assert_int_equal(taken->procs->lpWSPEnumNetworkEvents(taken->descriptor, taken_event, &events, &error),
                     0);
    SOCKET s = taken->procs->lpWSPAccept(taken->descriptor, (WSD_SOCKADDR *)&peer, &bytes, ct_accept_all, 0,
                                         &error);
    assert_true(s != INVALID_SOCKET);
    assert_int_equal(taken->procs->lpWSPCloseSocket(s, &error), 0);
}

static void obey(const char *verb, const char *what, const char *more)
{
    DWORD number = what[0] != '\0' ? (DWORD)strtoul(what, NULL, 0) : 0;
    struct sw_rdma_descriptor d;
    struct sw_companion *c = NULL;
    char reply[256] = "";

    if (strcmp(verb, "listen") == 0) {
        snprintf(reply, sizeof reply, " %u", (unsigned)ntohs(ct_listen(&f, (int)number)->local.sin_port));
    } else if (strcmp(verb, "unlisten") == 0) {
        ct_close_listener(&f, f.listener);
    } else if (strcmp(verb, "connect") == 0 || strcmp(verb, "start") == 0) {
        WSD_SOCKADDR_IN to = ct_at(f.here, (uint16_t)number);
        ct_ok(sw_connect_start(f.provider, &f.other, &to, NULL, &c, NULL));
        set_current(c);
        if (verb[0] == 'c')
            ct_finish_connect(c);
    } else if (strcmp(verb, "finish") == 0) {
        ct_finish_connect(current);
    } else if (strcmp(verb, "accept") == 0) {
        ct_ok(sw_accept(f.listener, NULL, 0, ct.wait_ms, NULL, &c));
        set_current(c);
    } else if (strcmp(verb, "open") == 0) {
        ct_end_init(&f, &end, current, number);
    } else if (strcmp(verb, "hello") == 0) {
        if (strcmp(what, "connector") == 0)
            ct_hello_connector(&end);
        else
            ct_hello_acceptor(&end);
    } else if (strcmp(verb, "receive") == 0) {
        for (DWORD i = 0; i < number && receive_count < RECEIVES; i++)
            ct_ok(ct_recv(&end, 0, end.bytes, &receives[receive_count++], SW_NOTIFY));
    } else if (strcmp(verb, "ready") == 0) {
        memset(&awaited, 0, sizeof awaited);
        ct_ok(ct_recv(&end, 0, end.bytes, &awaited, SW_POLL));
    } else if (strcmp(verb, "expect") == 0) {
        assert_int_equal(ct_done(current, &awaited, 0), number);
        assert_int_equal(ct_wrong_byte(end.rx, number, (uint32_t)strtoul(more, NULL, 0)), -1);
    } else if (strcmp(verb, "send") == 0) {
        WSAOVERLAPPED ov = {0};
        ct_fill(end.tx, number, (uint32_t)strtoul(more, NULL, 0));
        ct_ok(ct_send(&end, 0, number, &ov, SW_NOTIFY));
        ct_done(current, &ov, 0);
    } else if (strcmp(verb, "expose") == 0) {
        ct_expose(&end, end.rx, number, MEM_READWRITE, &d);
        reply[0] = ' ';
        for (DWORD i = 0; i < d.length; i++)
            snprintf(reply + 1 + 2 * i, 3, "%02x", d.bytes[i]);
    } else if (strcmp(verb, "gone") == 0) {
        ct_sees_reset(&end);
    } else if (strcmp(verb, "flood") == 0 || strcmp(verb, "write") == 0 || strcmp(verb, "read") == 0) {
        from_hex(what, &d);
        printf("ok\n");
        fflush(stdout);
        forever(verb, &d);
    } else if (strcmp(verb, "duplicate") == 0) {
        WSAPROTOCOL_INFOW info;
        ct_ok(sw_duplicate(current, number, &info));
        snprintf(reply, sizeof reply, " %u", (unsigned)info.dwProviderReserved);
    } else if (strcmp(verb, "adopt") == 0) {
        adopt(strcmp(more, "acceptor") == 0 ? f.peer : f.provider, what, &c);
        set_current(c);
    } else if (strcmp(verb, "lend") == 0) {
        WSAPROTOCOL_INFOW info;
        INT error = 0;
        assert_int_equal(
            f.listener->procs->lpWSPDuplicateSocket(f.listener->descriptor, number, &info, &error), 0);
        snprintf(reply, sizeof reply, " %u", (unsigned)info.dwProviderReserved);
    } else if (strcmp(verb, "take") == 0) {
        INT error = 0;
        adopt(f.peer, what, &taken);
        ct_adopt_companion(&f, taken);
        taken_event = ct_event(&f, true);
        assert_int_equal(taken->procs->lpWSPEventSelect(taken->descriptor, taken_event, FD_ACCEPT, &error),
                         0);
    } else if (strcmp(verb, "return") == 0) {
        WSAPROTOCOL_INFOW info;
        ct_ok(sw_duplicate(taken, number, &info));
        snprintf(reply, sizeof reply, " %u", (unsigned)info.dwProviderReserved);
    } else if (strcmp(verb, "serve") == 0) {
        serve_taken();
    } else if (strcmp(verb, "close") == 0) {
        ct_close(&f, current);
        current = NULL;
    } else if (strcmp(verb, "exit") != 0) {
        printf("err unknown command %s\n", verb);
        exit(2);
    }
    if (strcmp(verb, "exit") == 0)
        ct_unload(&f);
    printf("ok%s\n", reply);
    fflush(stdout);
    if (strcmp(verb, "exit") == 0)
        exit(0);
}

int ct_role_main(void)
{
    char line[1024];

    alarm((ct.wait_ms / 1000 + 1) * 6);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* an alarm cannot end a process that is stopped */
    ct_ok(sw_parse_address(ct.address, &f.here));
    ct_ok(sw_parse_address(ct.other_address, &f.other));
    ct_load(&f);
    printf("ok ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char verb[32] = "", what[600] = "", more[64] = "";
        sscanf(line, "%31s %599s %63s", verb, what, more);
        obey(verb, what, more);
    }
    return 0; /* the test is gone */
}
