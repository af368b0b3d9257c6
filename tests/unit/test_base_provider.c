/* test_base_provider.c - which entry of a Winsock catalog the platform layer opens its sockets with (Windows only).
 * An installed switch cannot be had under Wine, so its catalog is made up; what the system at hand has is looked at too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <winsock2.h>

#include <cmocka.h>

#include "pal/windows/base_provider.h"

#define SYSTEM_FLAGS                                                                                         \
    (XP1_IFS_HANDLES | XP1_EXPEDITED_DATA | XP1_GRACEFUL_CLOSE | XP1_GUARANTEED_ORDER |                      \
     XP1_GUARANTEED_DELIVERY)
#define SDP 0x00080000u /* XP1_SAN_SUPPORT_SDP */

/* TCP over IPv4 as the system has it, with what makes an entry another one changed by the caller. */
static WSAPROTOCOL_INFOW entry(DWORD id)
{
    WSAPROTOCOL_INFOW e;
    memset(&e, 0, sizeof e);
    e.dwServiceFlags1 = SYSTEM_FLAGS;
    e.dwCatalogEntryId = id;
    e.ProtocolChain.ChainLen = BASE_PROTOCOL;
    e.iAddressFamily = AF_INET;
    e.iSocketType = SOCK_STREAM;
    e.iProtocol = IPPROTO_TCP;
    return e;
}

static const WSAPROTOCOL_INFOW *tcp4_in(const WSAPROTOCOL_INFOW *catalog, int count)
{
    return pal_base_provider_in(catalog, count, AF_INET, SOCK_STREAM, IPPROTO_TCP);
}

enum { THE_SWITCH, ITS_CHAIN, SAN, SAN_THAT_SHOWS, SDP_ENTRY, UDP, TCP6, TCP, TCP_AGAIN, ENTRIES };

/* The order of a machine with a switch (wsd-contract.md 2.3): its entries come first. */
static void make_catalog(WSAPROTOCOL_INFOW catalog[ENTRIES])
{
    for (unsigned i = 0; i < ENTRIES; i++)
        catalog[i] = entry(1000 + i);
    catalog[THE_SWITCH].ProtocolChain.ChainLen = LAYERED_PROTOCOL;
    catalog[ITS_CHAIN].ProtocolChain.ChainLen = 2;
    catalog[SAN].dwServiceFlags1 = XP1_GUARANTEED_DELIVERY | XP1_GUARANTEED_ORDER | XP1_MESSAGE_ORIENTED;
    catalog[SAN].dwProviderFlags = PFL_HIDDEN; /* 2.1 */
    catalog[SAN_THAT_SHOWS].dwServiceFlags1 = catalog[SAN].dwServiceFlags1;
    catalog[SDP_ENTRY].dwServiceFlags1 |= SDP;
    catalog[UDP].iSocketType = SOCK_DGRAM;
    catalog[UDP].iProtocol = IPPROTO_UDP;
    catalog[TCP6].iAddressFamily = AF_INET6;
}

static void the_first_base_entry_of_the_system_is_taken_whatever_lies_over_it(void **state)
{
    WSAPROTOCOL_INFOW catalog[ENTRIES];
    (void)state;
    make_catalog(catalog);
    assert_ptr_equal(tcp4_in(catalog, ENTRIES), &catalog[TCP]);
    assert_ptr_equal(pal_base_provider_in(catalog, ENTRIES, AF_INET6, SOCK_STREAM, IPPROTO_TCP),
                     &catalog[TCP6]);
    assert_ptr_equal(pal_base_provider_in(catalog, ENTRIES, AF_INET, SOCK_DGRAM, IPPROTO_UDP), &catalog[UDP]);
}

static void each_thing_that_makes_an_entry_another_one_is_enough(void **state)
{
    WSAPROTOCOL_INFOW catalog[ENTRIES];
    (void)state;
    make_catalog(catalog);
    for (int i = 0; i < TCP; i++)
        assert_null(tcp4_in(&catalog[i], 1));
    assert_null(tcp4_in(catalog, TCP)); /* all of them and no TCP/IP */
    assert_null(tcp4_in(catalog, 0));
    catalog[TCP].dwProviderFlags = PFL_HIDDEN;
    assert_ptr_equal(tcp4_in(catalog, ENTRIES), &catalog[TCP_AGAIN]);
}

static void a_socket_is_one_of_the_base_provider_of_this_system(void **state)
{
    static const struct {
        int family, protocol, type;
    } kinds[] = {{AF_INET, IPPROTO_TCP, SOCK_STREAM}, {AF_INET, IPPROTO_UDP, SOCK_DGRAM}};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        SOCKET s = INVALID_SOCKET;
        WSAPROTOCOL_INFOW is;
        int room = sizeof is;
        assert_int_equal(pal_base_socket(kinds[i].family, kinds[i].protocol, &s), PAL_NET_OK);
        assert_true(s != INVALID_SOCKET);
        assert_int_equal(getsockopt(s, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&is, &room), 0);
        assert_ptr_equal(pal_base_provider_in(&is, 1, kinds[i].family, kinds[i].type, kinds[i].protocol),
                         &is);
        assert_int_equal(closesocket(s), 0);
    }
}

static void what_is_opened_can_listen_and_be_reached(void **state)
{
    struct pal_addr at = {.family = 4, .ip = {127, 0, 0, 1}}, from = at;
    const struct pal_socket_tuning tuning = {0};
    pal_socket listener, caller;
    (void)state;
    assert_int_equal(pal_socket_listen(&at, 1, &tuning, &listener), PAL_NET_OK);
    assert_true(pal_socket_addrs(listener, &at, NULL));
    assert_int_equal(pal_socket_connect(&from, &at, &tuning, &caller), PAL_NET_OK);
    enum pal_net st = PAL_NET_AGAIN;
    for (int tries = 0; tries < 3000 && st == PAL_NET_AGAIN; tries++) {
        Sleep(1);
        st = pal_socket_outcome(caller);
    }
    assert_int_equal(st, PAL_NET_OK);
    pal_socket_close(caller);
    pal_socket_close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_base_entry_of_the_system_is_taken_whatever_lies_over_it),
        cmocka_unit_test(each_thing_that_makes_an_entry_another_one_is_enough),
        cmocka_unit_test(a_socket_is_one_of_the_base_provider_of_this_system),
        cmocka_unit_test(what_is_opened_can_listen_and_be_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
