/* shortage.c - no file is left for a socket: WSAEMFILE from who makes one, and everything that exists goes on (contract 10.1, 0, 8, 18, 28).
 * That of memory is tests/unit/spi's: carriers that answer WSAENOBUFS at each place. */
#include "sp.h"

/* Takes sockets until there is none: they are closed by give_back(). */
static SOCKET hoard[4096];
static unsigned hoarded;

static int take_all(void)
{
    int error = 0;

    hoarded = 0;
    while (error == 0 && hoarded < sizeof(hoard) / sizeof(hoard[0])) {
        error = sp_socket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, WSA_FLAG_OVERLAPPED, &hoard[hoarded]);
        hoarded += error == 0 ? 1 : 0;
    }
    return error;
}

static void give_back(void)
{
    while (hoarded > 0)
        sp_ok(sp_close(hoard[--hoarded]));
}

static void no_file_for_a_socket(void **state)
{
    SOCKET s;

    (void)state;
    if (!sp_limit_files(true))
        sp_skip("this system has no limit on files");
    sp_fails(WSAEMFILE, take_all());
    sp_ok(sp_close(hoard[--hoarded]));
    sp_ok(sp_socket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, WSA_FLAG_OVERLAPPED,
                    &s)); /* one is free again */
    sp_ok(sp_close(s));
    give_back();
    (void)sp_limit_files(false);
}

/* Sharing a socket of the system with another process takes a file, too. What fails leaves the socket as it was. */
static void no_file_for_a_duplicate(void **state)
{
    struct sp_pair pair;
    WSAPROTOCOL_INFOW info;
    INT error = 0;
    int result;

    (void)state;
    if (sp_env.is_san)
        sp_skip("a SAN connection moves without a file");
    sp_pair_open(&pair);
    if (!sp_limit_files(true)) {
        sp_pair_close(&pair);
        sp_skip("this system has no limit on files");
    }
    sp_fails(WSAEMFILE, take_all());
    result = sp.procs->lpWSPDuplicateSocket(pair.a, 1 /* which is always there */, &info, &error);
    give_back();
    (void)sp_limit_files(false);
    assert_int_equal(result, SOCKET_ERROR);
    sp_one_of(error, WSAEMFILE, WSAENOBUFS);
    sp_echo(pair.a, pair.b, 1);
    sp_pair_close(&pair);
}

/* Who waits in the queue stays there until a file is free; the pair that exists does not notice. */
static void no_file_for_who_is_accepted(void **state)
{
    struct sp_pair pair;
    SOCKET client, accepted = INVALID_SOCKET;
    int error;

    (void)state;
    sp_pair_open(&pair);
    client = sp_stream();
    if (!sp_limit_files(true)) {
        sp_ok(sp_close(client));
        sp_pair_close(&pair);
        sp_skip("this system has no limit on files");
    }
    sp_fails(WSAEMFILE, take_all());
    sp_ok(sp_nonblocking(pair.listener, true));
    sp_ok(sp_nonblocking(client, true));
    sp_one_of(sp_connect(client, &pair.at), WSAEWOULDBLOCK);
    error = sp_accept(pair.listener, &accepted);
    while (error == WSAEWOULDBLOCK && !sp_env.is_san) { /* it is on its way */
        suite_relax();
        error = sp_accept(pair.listener, &accepted);
    }
    if (!sp_env.is_san) /* a SAN connection may need no file, or not come into being */
        sp_fails(WSAEMFILE, error);
    sp_echo(pair.a, pair.b, 1);
    give_back();
    (void)sp_limit_files(false);
    if (error != 0)
        sp_until((error = sp_accept(pair.listener, &accepted)) != WSAEWOULDBLOCK);
    sp_ok(error);
    sp_ok(sp_close(accepted));
    sp_ok(sp_close(client));
    sp_pair_close(&pair);
}

/* What cannot make a companion connects by TCP/IP, whose file it has (8.2). */
static void no_file_for_a_companion(void **state)
{
    WSD_SOCKADDR_IN at;
    SOCKET listener = sp_listener(5, &at), client = sp_stream(), warm = sp_stream(), accepted;
    unsigned ready = 0;

    sp_ok(sp_nonblocking(warm, true)); /* the thread of TCP/IP has its own files from now on */
    sp_one_of(sp_connect(warm, &at), WSAEWOULDBLOCK);
    sp_ok(sp_accept(listener, &accepted));
    sp_ok(sp_close(accepted));
    sp_ok(sp_close(warm));

    (void)state;
    if (!sp_limit_files(true)) {
        sp_ok(sp_close(client));
        sp_ok(sp_close(listener));
        sp_skip("this system has no limit on files");
    }
    sp_fails(WSAEMFILE, take_all());
    sp_ok(sp_nonblocking(client, true));
    sp_one_of(sp_connect(client, &at), WSAEWOULDBLOCK);
    sp_ok(sp_select(client, SP_WRITE | SP_EXCEPT, sp_env.wait_ms, &ready));
    assert_int_equal(ready, SP_WRITE);
    give_back();
    (void)sp_limit_files(false);
    sp_ok(sp_accept(listener, &accepted));
    sp_ok(sp_nonblocking(client, false));
    sp_echo(client, accepted, 1);
    sp_ok(sp_close(accepted));
    sp_ok(sp_close(client));
    sp_ok(sp_close(listener));
}

int sp_shortage(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(no_file_for_a_socket),
        sp_test(no_file_for_a_duplicate),
        sp_test(no_file_for_who_is_accepted),
        sp_test(no_file_for_a_companion),
    };

    return cmocka_run_group_tests_name("shortage", tests, NULL, NULL);
}
