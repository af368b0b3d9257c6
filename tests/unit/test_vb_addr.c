/* test_vb_addr.c - owns the tests of addresses and status codes as texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "addr.h"

static void addresses_survive_parsing_and_formatting(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"10.0.0.1", "10.0.0.1"},
        {"10.0.0.1:7000", "10.0.0.1:7000"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"0.0.0.0", "0.0.0.0"},
        {"1.2.3.4:0", "1.2.3.4"},
        {"::", "::"},
        {"::1", "::1"},
        {"[::1]", "::1"},
        {"[::1]:80", "[::1]:80"},
        {"[::]:80", "[::]:80"},
        {"1::", "1::"},
        {"2001:DB8::0:1", "2001:db8::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* RFC 5952 4.2.3: the first of equal runs */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* 4.2.2: one zero word is not shortened */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        {"1:0:0:0:0:0:0:0", "1::"},
        {"::ffff:10.1.2.3", "::ffff:10.1.2.3"},
        {"::FFFF:0a01:0203", "::ffff:10.1.2.3"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
        {"[::ffff:1.2.3.4]:9", "[::ffff:1.2.3.4]:9"},
        {"fe80::1%3", "fe80::1%3"},
        {"[fe80::1%3]:7000", "[fe80::1%3]:7000"},
        {"ff02::1%4294967295", "ff02::1%4294967295"},
        {"[febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535",
         "[febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vb_addr a, again;
        char text[VB_ADDR_TEXT_BYTES];
        if (!vb_addr_parse(cases[i].in, &a))
            fail_msg("\"%s\" was refused", cases[i].in);
        assert_ptr_equal(vb_addr_text(&a, text), text);
        assert_string_equal(text, cases[i].out);
        assert_true(vb_addr_parse(text, &again));
        assert_memory_equal(&a.ip, &again.ip, 16);
        assert_true(vb_addr_same_ip(&a, &again));
        assert_int_equal(a.port, again.port);
    }
}

static void what_is_not_an_address_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "1",
        "1.2.3",
        "1.2.3.",
        "1.2.3.4.",
        "1.2.3.4.5",
        "256.1.1.1",
        "1.2.3.999",
        "01.2.3.4",
        "1.2.3.04",
        "1..2.3",
        "a.b.c.d",
        " 1.2.3.4",
        "1.2.3.4 ",
        "-1.2.3.4",
        "+1.2.3.4",
        "0x1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3.4:080",
        "1.2.3.4:8a",
        "1.2.3.4:99999999999999999999",
        "1.2.3.4%1",
        "[1.2.3.4]:80",
        "localhost",
        "example.org:80",
        ":",
        ":::",
        ":1",
        "1:",
        "1:2",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8:",
        "::1::",
        "1::2::3",
        "1:2:3:4::5:6:7:8",
        "12345::",
        "::g",
        "::1:",
        ":1::",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3",
        "::1.2.3.4:80",
        "::1.2.3.256",
        "::1.2.3.4.5",
        "1.2.3.4::",
        "[::1",
        "::1]",
        "[::1]:",
        "[::1]80",
        "[::1]:65536",
        "[[::1]]",
        "[]",
        "[]:80",
        "[::1]:80:90",
        "fe80::1%",
        "fe80::1%0",
        "fe80::1%eth0",
        "fe80::1%4294967296",
        "fe80::1%-1",
        "fe80::1%1%2",
        "2001:db8::1%1",
        "fe80::1%3:80",
        "[fe80::1]%3",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct vb_addr a = {.port = 77};
        if (vb_addr_parse(bad[i], &a))
            fail_msg("\"%s\" was accepted", bad[i]);
        assert_int_equal(a.port, 77);
    }
    struct vb_addr a;
    assert_false(vb_addr_parse(NULL, &a));
    assert_false(vb_addr_parse("1.2.3.4", NULL));
}

static void the_any_address_is_recognised_in_both_families(void **state)
{
    (void)state;
    struct vb_addr a = addr("0.0.0.0:80"), b = addr("[::]:80"), c = addr("0.0.0.1"), d = addr("::1"),
                   none = {0};
    assert_true(vb_addr_is_any(&a));
    assert_true(vb_addr_is_any(&b));
    assert_false(vb_addr_is_any(&c));
    assert_false(vb_addr_is_any(&d));
    assert_false(vb_addr_is_any(&none));
}

static void addresses_are_the_same_by_family_ip_and_interface_but_not_port(void **state)
{
    (void)state;
    struct vb_addr a = addr("1.2.3.4:80"), b = addr("1.2.3.4:81"), c = addr("1.2.3.5"), d = addr("fe80::1%1"),
                   e = addr("fe80::1%2"), f = addr("::ffff:1.2.3.4");
    assert_true(vb_addr_same_ip(&a, &b));
    assert_false(vb_addr_same_ip(&a, &c));
    assert_false(vb_addr_same_ip(&d, &e));
    assert_false(vb_addr_same_ip(&a, &f));
    b.ip[15] = 1; /* beyond an IPv4 address */
    assert_true(vb_addr_same_ip(&a, &b));
}

static void an_address_without_family_has_a_text(void **state)
{
    (void)state;
    struct vb_addr none = {0};
    char text[VB_ADDR_TEXT_BYTES];
    assert_string_equal(vb_addr_text(&none, text), "none");
}

/* ---- status codes ---- */

static void every_status_has_a_name_and_a_sentence_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(vb_status_name(VB_OK), "VB_OK");
    assert_string_equal(vb_status_name(VB_E_FATAL), "VB_E_FATAL");
    assert_int_equal(VB_OK, 0);
    for (unsigned i = 0; i < VB_STATUS_COUNT; i++) {
        assert_int_equal(strncmp(vb_status_name((vb_status_t)i), "VB_", 3), 0);
        assert_true(strlen(vb_status_text((vb_status_t)i)) > 5);
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(vb_status_name((vb_status_t)i), vb_status_name((vb_status_t)k));
            assert_string_not_equal(vb_status_text((vb_status_t)i), vb_status_text((vb_status_t)k));
        }
    }
    assert_string_equal(vb_status_name(VB_STATUS_COUNT), "VB_E_?");
    assert_non_null(vb_status_text((vb_status_t)99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_survive_parsing_and_formatting),
        cmocka_unit_test(what_is_not_an_address_is_refused),
        cmocka_unit_test(the_any_address_is_recognised_in_both_families),
        cmocka_unit_test(addresses_are_the_same_by_family_ip_and_interface_but_not_port),
        cmocka_unit_test(an_address_without_family_has_a_text),
        cmocka_unit_test(every_status_has_a_name_and_a_sentence_of_its_own),
    };
    return cmocka_run_group_tests_name("vb: addresses and status codes", tests, NULL, NULL);
}
