/* address_text.c - WSPAddressToString, WSPStringToAddress, and what else needs no socket. Contract 10.1, functions 1, 29. */
#include "sp.h"

static int to_text(const void *address, DWORD bytes, WCHAR *text, DWORD *length)
{
    INT error = 0;
    INT result = sp.procs->lpWSPAddressToString((WSD_SOCKADDR *)(uintptr_t)address, bytes, NULL, text, length,
                                                &error);

    return result == SOCKET_ERROR ? error : 0;
}

static int to_address(const char *text, INT family, void *address, INT *bytes)
{
    WCHAR wide[80];
    INT error = 0;
    size_t i = 0;

    for (; text[i] != '\0'; i++)
        wide[i] = (WCHAR)text[i];
    wide[i] = 0;
    return sp.procs->lpWSPStringToAddress(wide, family, NULL, address, bytes, &error) == SOCKET_ERROR ? error
                                                                                                      : 0;
}

static void expect_text(const void *address, DWORD bytes, const char *expected)
{
    WCHAR text[80];
    DWORD length = 80;

    sp_ok(to_text(address, bytes, text, &length));
    assert_int_equal(length, strlen(expected) + 1);
    for (size_t i = 0; i <= strlen(expected); i++)
        assert_int_equal(text[i], expected[i]);
}

static WSD_SOCKADDR_IN v4(const char *text)
{
    WSD_SOCKADDR_IN a;

    sp_ok(sw_parse_address(text, &a));
    return a;
}

static void addresses_become_text(void **state)
{
    WSD_SOCKADDR_IN a = v4("192.0.2.7:445"), no_port = v4("127.0.0.1");
    WSD_SOCKADDR_IN6 b = {.sin6_family = WS_AF_INET6};

    (void)state;
    expect_text(&a, sizeof(a), "192.0.2.7:445");
    expect_text(&no_port, sizeof(no_port), "127.0.0.1");
    b.sin6_addr.u.Byte[15] = 1;
    expect_text(&b, sizeof(b), "::1");
    b.sin6_port = a.sin_port;
    expect_text(&b, sizeof(b), "[::1]:445");
}

static void text_that_has_no_room_or_sense(void **state)
{
    WSD_SOCKADDR_IN a = v4("192.0.2.7:445"), wrong = a;
    WCHAR text[80];
    DWORD length = 5;

    (void)state;
    sp_fails(WSAEFAULT, to_text(&a, sizeof(a), text, &length));
    assert_int_equal(length, 14); /* what it needs */
    sp_ok(to_text(&a, sizeof(a), text, &length));
    length = 80;
    sp_fails(WSAEFAULT, to_text(NULL, sizeof(a), text, &length));
    sp_one_of(to_text(&a, 4, text, &length), WSAEFAULT, WSAEINVAL); /* the page names both */
    sp_fails(WSAEFAULT, to_text(&a, sizeof(a), text, NULL));
    wrong.sin_family = 77;
    sp_fails(WSAEINVAL, to_text(&wrong, sizeof(wrong), text, &length));
}

static void text_becomes_an_address(void **state)
{
    WSD_SOCKADDR_IN a, expected = v4("10.1.2.3:80");
    WSD_SOCKADDR_IN6 b;
    INT bytes = sizeof(a);

    (void)state;
    sp_ok(to_address("10.1.2.3:80", WS_AF_INET, &a, &bytes));
    assert_int_equal(bytes, sizeof(a));
    assert_memory_equal(&a, &expected, sizeof(a));
    bytes = sizeof(a);
    sp_ok(to_address("10.1.2.3", WS_AF_INET, &a, &bytes));
    assert_int_equal(a.sin_port, 0);
    bytes = sizeof(b);
    sp_ok(to_address("[::1]:80", WS_AF_INET6, &b, &bytes));
    assert_int_equal(bytes, sizeof(b));
    assert_int_equal(b.sin6_addr.u.Byte[15], 1);
    assert_int_equal(b.sin6_port, expected.sin_port);
    bytes = sizeof(b);
    sp_ok(to_address("fe80::2", WS_AF_INET6, &b, &bytes));
    assert_int_equal(b.sin6_addr.u.Byte[0], 0xfe);
}

static void text_that_is_no_address(void **state)
{
    static const char *const wrong[] = {"",     "10.1.2",   "10.1.2.3.4", "10.1.2.300", "10.1.2.3:99999",
                                        "name", "10.1.2.3:"};
    WSD_SOCKADDR_IN a;
    INT bytes;

    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        bytes = sizeof(a);
        if (to_address(wrong[i], WS_AF_INET, &a, &bytes) != WSAEINVAL)
            sp_fail("'%s' is no address", wrong[i]);
    }
    bytes = sizeof(a);
    sp_fails(WSAEINVAL, to_address("10.1.2.3", 77, &a, &bytes));
    bytes = sizeof(a) - 1;
    sp_fails(WSAEFAULT, to_address("10.1.2.3", WS_AF_INET, &a, &bytes));
    assert_int_equal(bytes, sizeof(a)); /* what it needs */
    sp_fails(WSAEFAULT, to_address("10.1.2.3", WS_AF_INET, NULL, &bytes));
    sp_fails(WSAEFAULT, to_address("10.1.2.3", WS_AF_INET, &a, NULL));
}

int sp_address_text(void)
{
    const struct CMUnitTest tests[] = {
        sp_test(addresses_become_text),
        sp_test(text_that_has_no_room_or_sense),
        sp_test(text_becomes_an_address),
        sp_test(text_that_is_no_address),
    };

    return cmocka_run_group_tests_name("address_text", tests, NULL, NULL);
}
