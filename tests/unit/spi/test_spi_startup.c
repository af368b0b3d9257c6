/* test_spi_startup.c - the library is started once for each of its entries in the catalog, as Ws2_32 does. Source: contract 10.1, 10.2 (3). */
#include "fake.h"
#include "pal/process.h"
#include "pal/thread.h"
#include "spi/startup.h"

enum { TCP = 1001, UDP = 1002, NOBODY = 1003 };

static SOCKET socket_of(int type, DWORD entry)
{
    WSAPROTOCOL_INFOW info;
    INT error = 0;
    SOCKET s;

    memset(&info, 0, sizeof(info));
    info.iAddressFamily = WS_AF_INET;
    info.iSocketType = type;
    info.iProtocol = type == WS_SOCK_STREAM ? WS_IPPROTO_TCP : WS_IPPROTO_UDP;
    info.dwCatalogEntryId = entry;
    s = procs.lpWSPSocket(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                          WSA_FLAG_OVERLAPPED, &error);
    assert_true(s != INVALID_SOCKET);
    return s;
}

static void stop_one(void)
{
    INT error = 0;

    assert_int_equal(procs.lpWSPCleanup(&error), 0);
}

static void a_handle_is_of_the_entry_of_its_socket(void **state)
{
    SOCKET stream, datagram, accepted;

    (void)state;
    fake_start_as(TCP);
    fake_start_as(UDP);
    stream = socket_of(WS_SOCK_STREAM, TCP);
    assert_int_equal(fake_handle_entry, TCP);
    datagram = socket_of(WS_SOCK_DGRAM, UDP);
    assert_int_equal(fake_handle_entry, UDP);
    assert_int_equal(fake_bind(stream, 7000), 0);
    assert_int_equal(fake_listen(stream), 0);
    fake_arrive(fake_named("t1"));
    assert_int_equal(fake_accept(stream, &accepted), 0);
    assert_int_equal(fake_handle_entry, TCP);
    assert_int_equal(fake_close(accepted), 0);
    assert_int_equal(fake_close(datagram), 0);
    assert_int_equal(fake_close(stream), 0);
    stop_one();
}

/* A chain's over this provider, for instance: Winsock would take the handle for one of whoever is on top of that. */
static void an_entry_that_was_not_started_is_not_named(void **state)
{
    SOCKET s;

    (void)state;
    fake_start_as(UDP);
    fake_start_as(TCP);
    s = socket_of(WS_SOCK_STREAM, NOBODY);
    assert_int_equal(fake_handle_entry, TCP);
    assert_int_equal(fake_close(s), 0);
    s = fake_socket(WS_SOCK_DGRAM, false); /* without a protocol info */
    assert_int_equal(fake_handle_entry, TCP);
    assert_int_equal(fake_close(s), 0);
    stop_one();
}

/* Our handles are no files, and programs look here before they take them for such (contract 2.1). */
static void a_socket_has_no_ifs_handle(void **state)
{
    WSAPROTOCOL_INFOW info;
    INT error = 0, bytes = sizeof(info);
    SOCKET s;

    (void)state;
    fake_start_as(TCP);
    memset(&info, 0, sizeof(info));
    info.dwServiceFlags1 = XP1_IFS_HANDLES | XP1_GUARANTEED_DELIVERY; /* of a layer's entry, for instance */
    info.iAddressFamily = WS_AF_INET;
    info.iSocketType = WS_SOCK_STREAM;
    info.iProtocol = WS_IPPROTO_TCP;
    s = procs.lpWSPSocket(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                          WSA_FLAG_OVERLAPPED, &error);
    assert_true(s != INVALID_SOCKET);
    memset(&info, 0, sizeof(info));
    assert_int_equal(
        procs.lpWSPGetSockOpt(s, WS_SOL_SOCKET, WS_SO_PROTOCOL_INFOW, (char *)&info, &bytes, &error), 0);
    assert_int_equal(info.dwServiceFlags1, XP1_GUARANTEED_DELIVERY);
    assert_int_equal(fake_close(s), 0);
}

/* A program that starts and ends Winsock all the time. */
static void starting_again_keeps_nothing_more(void **state)
{
    unsigned kept;

    (void)state;
    fake_start_as(TCP);
    fake_start_as(UDP);
    kept = sw_up_kept();
    for (unsigned i = 0; i < 100; i++) {
        fake_start_as(i % 2 == 0 ? TCP : UDP);
        stop_one();
    }
    assert_int_equal(sw_up_kept(), kept);
    stop_one();
}

/* --- a SAN provider that uses Winsock --- */

static bool has_used;

/* Ws2_32 starts the entry for datagrams when it is asked for the first such socket. */
static void use_winsock(void)
{
    SOCKET s;

    fake_during_load = NULL;
    fake_start_as(UDP);
    s = socket_of(WS_SOCK_DGRAM, UDP);
    assert_int_equal(fake_bind(s, 7000), 0);
    assert_int_equal(fake_close(s), 0);
    stop_one();
    has_used = true;
}

static void run_user(void *unused)
{
    (void)unused;
    use_winsock();
}

static void use_winsock_in_a_thread(void)
{
    struct pal_thread *thread;

    fake_during_load = NULL;
    thread = pal_thread_start(run_user, NULL, "user");
    assert_non_null(thread);
    pal_thread_join(thread);
}

static void starts_with(void (*during_load)(void))
{
    has_used = false;
    fake_provider_count = 1;
    fake_during_load = during_load;
    fake_start_as(TCP);
    assert_true(has_used);
    assert_int_not_equal(sw_providers_mode(), SW_SWITCH_OFF); /* it is there, too */
}

static void a_provider_makes_a_socket_while_it_starts(void **state)
{
    (void)state;
    starts_with(use_winsock);
}

static void a_provider_waits_for_a_thread_that_makes_a_socket(void **state)
{
    (void)state;
    starts_with(use_winsock_in_a_thread);
}

static int start_answer;

static void start_once_more(void)
{
    WSPUPCALLTABLE up;
    WSAPROTOCOL_INFOW info;
    WSPPROC_TABLE unused;
    WSPDATA data;

    memset(&up, 0, sizeof(up));
    memset(&info, 0, sizeof(info));
    start_answer = sw_spi_startup(0x0202, &data, &info, &up, &unused);
}

static void a_provider_starts_winsock_while_it_ends(void **state)
{
    INT error = 0;

    (void)state;
    fake_provider_count = 1;
    fake_start_as(TCP);
    fake_during_unload = start_once_more;
    assert_int_equal(procs.lpWSPCleanup(&error), 0);
    assert_int_equal(start_answer, WSASYSNOTREADY);
    fake_during_unload = NULL;
    fake_start_as(TCP); /* afterwards it does */
}

/* --- calls that were inside when the end began --- */

static SOCKET first_one;
static int duplicated;

static void duplicate_the_first(void)
{
    WSAPROTOCOL_INFOW info;
    INT error = 0;

    fake_during_close = NULL;
    duplicated = procs.lpWSPDuplicateSocket(first_one, pal_process_id(), &info, &error);
}

static void a_handle_that_is_offered_while_it_ends_keeps_nothing(void **state)
{
    INT error = 0;
    SOCKET second;

    (void)state;
    fake_start();
    first_one = fake_socket(WS_SOCK_STREAM, false);
    second = fake_socket(WS_SOCK_STREAM, false);
    assert_true(fake_object(second)->index < fake_object(first_one)->index); /* so it is closed before */
    fake_during_close = duplicate_the_first;
    assert_int_equal(procs.lpWSPCleanup(&error), 0);
    assert_int_equal(duplicated, 0);
    assert_int_equal(sw_sock_given_up(), 0);
    assert_int_equal(fake_open_handles(), 0);
    fake_start();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fake_test(a_handle_is_of_the_entry_of_its_socket),
        fake_test(an_entry_that_was_not_started_is_not_named),
        fake_test(a_socket_has_no_ifs_handle),
        fake_test(starting_again_keeps_nothing_more),
        fake_test(a_provider_makes_a_socket_while_it_starts),
        fake_test(a_provider_waits_for_a_thread_that_makes_a_socket),
        fake_test(a_provider_starts_winsock_while_it_ends),
        fake_test(a_handle_that_is_offered_while_it_ends_keeps_nothing),
    };

    return cmocka_run_group_tests_name("spi_startup", tests, NULL, NULL);
}
