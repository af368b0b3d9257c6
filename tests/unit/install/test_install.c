/* test_install.c - wsdinstall over a catalog in memory: what it makes, that it does so once, and that a failure leaves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_run.h"

static void the_entry_is_byte_by_byte_what_the_contract_says(void **state)
{
    (void)state;
    /* Contract 2.1 in the layout of 3.5, written down here as bytes. */
    static const uint8_t start[116] = {
        0x0E, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0x04, 0,    0,    0,    0xDB, 0x37, 0x8A, 0x04, 0xA0, 0x5C, 0x41, 0x48, 0xBB, 0x60, 0x03, 0x5B,
        0x3A, 0x89, 0x61, 0xA8, 0,    0,    0,    0, /* the catalog gives the number */
        1,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        2,    0,    0,    0,    2,    0,    0,    0,    16,   0,    0,    0,    16,   0,    0,    0,
        1,    0,    0,    0,    6,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0xFF, 0xFF, 0xFF, 0xFF, 0,    0,    0,    0};
    static const char name[] = "OpenWSD SAN service provider";
    struct wsi_entry e;
    uint8_t bytes[628];
    wsi_entry_make(&e, FAKE_DLL);
    assert_int_equal(sizeof e.info, sizeof bytes);
    memcpy(bytes, &e.info, sizeof bytes);
    assert_memory_equal(bytes, start, sizeof start);
    for (size_t i = 0; i < 256; i++) {
        assert_int_equal(bytes[116 + 2 * i], i < sizeof name ? name[i] : 0);
        assert_int_equal(bytes[117 + 2 * i], 0);
    }
}

static void installing_makes_the_value_first_and_then_the_entry(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f);
    struct run r = run(&f, "install");
    assert_int_equal(r.exit, WSI_OK);
    assert_string_equal(f.log, "set install");
    assert_int_equal(fake_ours(&f, WSI_NATIVE), 2);
    assert_int_equal(fake_ours(&f, WSI_SMALL), -1);
    assert_string_equal(f.entries[WSI_NATIVE][2].path, FAKE_DLL);
    assert_int_equal(f.value_count, 1);
    assert_string_equal(f.values[0].name, "OpenWSD");
    assert_int_equal(f.values[0].type, 3);
    assert_int_equal(f.values[0].bytes, 16);
    assert_memory_equal(f.values[0].data, &wsi_provider_id, 16);
    assert_int_equal(run(&f, "verify").exit, WSI_OK);
}

static void installing_twice_changes_nothing_the_second_time(void **state)
{
    (void)state;
    static const char *const lines[] = {"install", "install --dll32 " FAKE_DLL32, "install"};
    struct fake f;
    fake_init(&f);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(run(&f, lines[i]).exit, WSI_OK);
        uint32_t changes = f.changes;
        struct run r = run(&f, lines[i]);
        assert_int_equal(r.exit, WSI_OK);
        assert_int_equal(f.changes, changes);
        assert_has(r.out, "nothing to do");
    }
    assert_int_equal(run(&f, "remove").exit, WSI_OK);
    uint32_t changes = f.changes;
    assert_has(run(&f, "remove").out, "nothing to do");
    assert_int_equal(f.changes, changes);
}

static void both_catalogs_get_their_own_dll(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f);
    assert_int_equal(run(&f, "install --dll32 " FAKE_DLL32).exit, WSI_OK);
    assert_string_equal(f.log, "set install-both update-32");
    assert_string_equal(f.entries[WSI_NATIVE][2].path, FAKE_DLL);
    assert_string_equal(f.entries[WSI_SMALL][2].path, FAKE_DLL32);
    assert_int_equal(run(&f, "verify").exit, WSI_OK);
}

static void a_32_bit_dll_is_added_later_and_taken_away_again(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f);
    assert_int_equal(run(&f, "install").exit, WSI_OK);
    assert_int_equal(run(&f, "install --dll32 " FAKE_DLL32).exit, WSI_OK);
    assert_string_equal(f.log, "set install remove install-both update-32");
    assert_string_equal(f.entries[WSI_SMALL][2].path, FAKE_DLL32);
    assert_int_equal(run(&f, "install").exit, WSI_OK);
    assert_int_equal(fake_ours(&f, WSI_SMALL), -1);
    assert_int_equal(fake_ours(&f, WSI_NATIVE), 2);
}

static void removing_leaves_the_system_as_it_was_but_for_the_empty_key(void **state)
{
    (void)state;
    struct fake f, before;
    fake_init(&f);
    fake_init(&before);
    before.key_exists = true;
    assert_int_equal(run(&f, "install --dll32 " FAKE_DLL32).exit, WSI_OK);
    assert_int_equal(run(&f, "remove").exit, WSI_OK);
    assert_true(fake_equal(&f, &before));
    assert_has(f.log, "delete remove remove-32");
}

static void a_dry_run_names_every_change_and_makes_none(void **state)
{
    (void)state;
    struct fake f, before;
    fake_init(&f);
    f.is_not_admin = true; /* looking needs no rights */
    before = f;
    struct run r = run(&f, "install --dll32 " FAKE_DLL32 " --dry-run");
    assert_int_equal(r.exit, WSI_OK);
    assert_int_equal(f.changes, 0);
    assert_true(fake_equal(&f, &before));
    assert_string_equal(
        r.out,
        "would change, in this order:\n"
        "write registry value 'OpenWSD', REG_BINARY, 16 bytes: {048A37DB-5CA0-4841-BB60-035B3A8961A8}\n"
        "add an entry to both catalogs: 'OpenWSD SAN service provider', " FAKE_DLL "\n"
        "change the entry in the 32-bit catalog: 'OpenWSD SAN service provider', " FAKE_DLL32 "\n"
        "    path is " FAKE_DLL "\n");
    f.is_not_admin = false;
    run(&f, "install --dll32 " FAKE_DLL32);
    f.changes = 0;
    r = run(&f, "remove --dry-run");
    assert_int_equal(f.changes, 0);
    assert_has(r.out, "remove the entry from the 64-bit catalog");
    assert_has(r.out, "remove the entry from the 32-bit catalog");
    assert_has(r.out, "delete registry value 'OpenWSD'");
}

/* What can be there before a run. */
static void nothing_there(struct fake *f)
{
    (void)f;
}

static void an_older_version_there(struct fake *f)
{
    struct wsi_entry e;
    wsi_entry_make(&e, "C:\\old\\wsdprov.dll");
    e.info.dwProviderFlags = 0;
    e.info.dwMessageSize = 4096;
    fake_add(f, WSI_NATIVE, &e);
    fake_add(f, WSI_SMALL, &e);
    fake_add_value(f, "old name", 3, &wsi_provider_id, 16);
    fake_add_value(f, "another provider", 3, "0123456789abcdef", 16);
}

static void an_entry_before_tcp_there(struct fake *f)
{
    struct wsi_entry e, other = f->entries[WSI_NATIVE][0];
    wsi_entry_make(&e, FAKE_DLL);
    f->entry_count[WSI_NATIVE] = 0;
    fake_add(f, WSI_NATIVE, &e);
    fake_add(f, WSI_NATIVE, &other);
    fake_add_value(f, "OpenWSD", 3, &wsi_provider_id, 16);
}

static void only_the_64_bit_entry_there(struct fake *f)
{
    struct wsi_entry e, other = f->entries[WSI_NATIVE][1];
    wsi_entry_make(&e, FAKE_DLL);
    f->entry_count[WSI_NATIVE] = 1;
    fake_add(f, WSI_NATIVE, &e);
    fake_add(f, WSI_NATIVE, &other); /* so that it is not the last */
    fake_add_value(f, "openwsd", 4, &wsi_provider_id, 16);
}

static const struct {
    const char *name;
    void (*prepare)(struct fake *f);
} beginnings[] = {{"nothing", nothing_there},
                  {"an older version", an_older_version_there},
                  {"an entry before TCP/IP", an_entry_before_tcp_there},
                  {"only the 64-bit entry", only_the_64_bit_entry_there}};
static const char *const commands[] = {"install", "install --dll32 " FAKE_DLL32, "remove"};

static void what_is_wrong_is_put_right_and_then_verified(void **state)
{
    (void)state;
    for (size_t b = 0; b < sizeof beginnings / sizeof beginnings[0]; b++)
        for (size_t c = 0; c < 2; c++) {
            struct fake f;
            fake_init(&f);
            beginnings[b].prepare(&f);
            assert_int_equal(run(&f, "verify").exit, WSI_DIFFERS);
            struct run r = run(&f, commands[c]);
            if (r.exit != WSI_OK)
                fail_msg("%s, with %s there: %s", commands[c], beginnings[b].name, r.err);
            assert_int_equal(run(&f, "verify").exit, WSI_OK);
        }
}

/* A refused change at every place, from every beginning: what was there is there again, and the exit code says so. */
static void a_failure_at_any_change_leaves_everything_as_it_was(void **state)
{
    (void)state;
    unsigned failures = 0;
    for (size_t b = 0; b < sizeof beginnings / sizeof beginnings[0]; b++)
        for (size_t c = 0; c < sizeof commands / sizeof commands[0]; c++)
            for (uint32_t n = 1;; n++) {
                struct fake f, before;
                fake_init(&f);
                beginnings[b].prepare(&f);
                before = f;
                f.fail_at = n;
                struct run r = run(&f, commands[c]);
                if (f.changes < n)
                    break; /* fewer changes than that: it went through */
                failures++;
                /* A type that was wrong and is right now stays right. */
                for (uint32_t i = 0; i < before.value_count; i++)
                    if (wsi_same_path(before.values[i].name, "OpenWSD") &&
                        !wsi_value_is_right(&before.values[i]))
                        for (uint32_t j = 0; j < f.value_count; j++)
                            if (wsi_value_is_right(&f.values[j]))
                                before.values[i] = f.values[j];
                if (r.exit != WSI_FAILED || !fake_equal(&f, &before))
                    fail_msg("%s, with %s there, change %u refused: exit %d, calls %s, %s", commands[c],
                             beginnings[b].name, (unsigned)n, (int)r.exit, f.log, r.err);
                assert_has(r.err, "was refused");
            }
    assert_true(failures > 25);
}

static void when_taking_back_fails_too_the_exit_code_says_so(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f);
    f.fail_at = 2;
    f.fail_from_then = true;
    struct run r = run(&f, "install");
    assert_int_equal(r.exit, WSI_HALF_DONE);
    assert_has(r.err, "change 2, install, was refused");
    assert_has(r.err, "Changing back failed too: change 3, delete, was refused");
    assert_has(r.err, "wsdinstall verify");
}

static void a_catalog_that_keeps_nothing_is_found_out(void **state)
{
    (void)state;
    struct fake f, before;
    fake_init(&f);
    f.keeps_nothing = true;
    before = f;
    struct run r = run(&f, "install --no-read-back");
    assert_int_equal(r.exit, WSI_OK);
    assert_string_equal(f.log, "set install");
    assert_int_equal(run(&f, "remove").exit, WSI_OK);
    f.key_exists = false;
    r = run(&f, "install");
    assert_int_equal(r.exit, WSI_FAILED);
    assert_has(r.err, "read back");
    assert_int_equal(f.value_count, 0);
    assert_true(fake_equal(&f, &before));
}

/* A run that must fail without a change. */
static struct run refused(struct fake *f, const char *line, enum wsi_exit exit, const char *text)
{
    struct fake before = *f;
    struct run r = run(f, line);
    if (r.exit != exit)
        fail_msg("%s: exit %d, not %d: %s", line, (int)r.exit, (int)exit, r.err);
    assert_has(r.err, text);
    assert_int_equal(f->changes, 0);
    assert_true(fake_equal(f, &before));
    return r;
}

static void what_is_in_the_way_is_said_before_anything_is_changed(void **state)
{
    (void)state;
    struct fake f;
    struct wsi_entry e;
    fake_init(&f);
    f.is_not_admin = true;
    refused(&f, "install", WSI_NO_RIGHTS, "administrator");
    f.is_not_admin = false;
    f.dll_is_absent = true;
    refused(&f, "install", WSI_BAD_DLL, FAKE_DLL);
    f.dll_is_absent = false;
    f.dll_bits = 32;
    refused(&f, "install", WSI_BAD_DLL, "32-bit x86");
    f.dll_bits = 64;
    f.dll_does_not_load = true;
    refused(&f, "install", WSI_BAD_DLL, "loaded");
    f.dll_does_not_load = false;
    refused(&f, "install --dll32 " FAKE_DLL, WSI_BAD_DLL, "64-bit x86");
    f.sys.os_major = 10;
    refused(&f, "install", WSI_NO_SWITCH, "--without-switch");
    f.sys.os_major = 5;
    f.catalog_unreadable = true;
    refused(&f, "install", WSI_UNREADABLE, "catalog");
    refused(&f, "list", WSI_UNREADABLE, "catalog");
    f.catalog_unreadable = false;
    f.registry_unreadable = true;
    refused(&f, "remove", WSI_UNREADABLE, "registry");
    f.registry_unreadable = false;
    f.missing = WSI_CALL_INSTALL_BOTH;
    f.missing_name = "WSCInstallProvider64_32";
    refused(&f, "install --dll32 " FAKE_DLL32, WSI_FAILED, "WSCInstallProvider64_32");
    f.sys.has_small = false;
    refused(&f, "install --dll32 " FAKE_DLL32, WSI_USAGE, "--dll32");
    f.sys.has_small = true;
    f.sys.is_emulated = true;
    refused(&f, "install", WSI_USAGE, "64-bit");
    f.sys.is_emulated = false;
    fake_add_value(&f, "OpenWSD", 3, "0123456789abcdef", 16);
    refused(&f, "install", WSI_FOREIGN, "{33323130-3534-3736-3839-616263646566}");
    f.value_count = 0;
    wsi_entry_make(&e, "C:\\other.dll");
    e.info.szProtocol[0] = 'X';
    fake_add(&f, WSI_NATIVE, &e);
    refused(&f, "install", WSI_FOREIGN, "C:\\other.dll");
    refused(&f, "remove", WSI_FOREIGN, "C:\\other.dll");
}

static void a_value_of_our_name_with_another_identifier_survives_removal(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f);
    fake_add_value(&f, "OpenWSD", 3, "0123456789abcdef", 16);
    assert_has(run(&f, "remove").out, "nothing to do");
    assert_int_equal(f.value_count, 1);
    assert_int_equal(run(&f, "verify").exit, WSI_DIFFERS);
}

static void too_many_leftovers_are_refused_rather_than_half_removed(void **state)
{
    (void)state;
    struct fake f;
    char name[16];
    fake_init(&f);
    for (int i = 0; i < 70; i++) {
        snprintf(name, sizeof name, "copy %d", i);
        fake_add_value(&f, name, 3, &wsi_provider_id, 16);
    }
    refused(&f, "install", WSI_FOREIGN, "wsdinstall list");
    refused(&f, "remove", WSI_FOREIGN, "wsdinstall list");
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    struct fake f;
    char line[2048];
    fake_init(&f);
    refused(&f, "", WSI_USAGE, "command is missing");
    refused(&f, "uninstall", WSI_USAGE, "'uninstall' is no command");
    refused(&f, "install --force", WSI_USAGE, "'--force' is no option");
    refused(&f, "install --dll", WSI_USAGE, "--dll needs a path");
    refused(&f, "install extra", WSI_USAGE, "'extra' is no option");
    memset(line, 'x', sizeof line);
    const char *words[] = {"install", "--dll", line};
    struct wsi_options o;
    struct wsi_error e;
    line[sizeof line - 1] = 0;
    assert_false(wsi_options_parse(&o, 3, words, FAKE_DLL, FAKE_SWITCH, &e));
    assert_int_equal(e.exit, WSI_USAGE);
    struct run r = run(&f, "install --help --force");
    assert_int_equal(r.exit, WSI_OK);
    assert_has(r.out, "Exit status:");
}

static void the_list_shows_both_catalogs_and_marks_ours(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f);
    fake_add_value(&f, "another\tprovider", 1, "short", 5);
    assert_int_equal(run(&f, "install").exit, WSI_OK);
    struct run r = run(&f, "list");
    assert_int_equal(r.exit, WSI_OK);
    assert_has(r.out, "64-bit catalog: 3 entries");
    assert_has(r.out, "32-bit catalog: 2 entries");
    assert_has(r.out, "  hidden  OpenWSD SAN service provider");
    assert_has(r.out, "5 bytes of type 1, no identifier");
    assert_has(r.out, "* 'OpenWSD': {048A37DB-5CA0-4841-BB60-035B3A8961A8}");
}

static void verify_names_what_differs(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f);
    assert_int_equal(run(&f, "install").exit, WSI_OK);
    f.entries[WSI_NATIVE][2].info.dwProviderFlags = 0;
    f.entries[WSI_NATIVE][2].info.szProtocol[27] = '?';
    struct run r = run(&f, "verify");
    assert_int_equal(r.exit, WSI_DIFFERS);
    assert_has(r.out, "dwProviderFlags is 0x0, not 0x4; szProtocol is 'OpenWSD SAN service provide?', not");
    f.dll_is_absent = true;
    assert_has(run(&f, "verify").out, "WRONG cannot read " FAKE_DLL);
    f.sys.os_major = 6;
    assert_has(run(&f, "verify").out, "WRONG Windows 6.2 is not documented");
    assert_has(run(&f, "verify --without-switch").out, "note  Windows 6.2 is not documented");
    f.entry_count[WSI_NATIVE] = 0;
    assert_has(run(&f, "verify").out, "WRONG 64-bit catalog: no entry");
}

static void names_from_the_system_are_cleaned_of_control_characters(void **state)
{
    (void)state;
    char text[32];
    static const WCHAR hostile[] = {0x1B, '[', 0xD83D, 0xDE00, 0xDC00, 0xE9, 0x20AC, 0};
    wsi_wide_text(hostile, 7, text, sizeof text);
    assert_string_equal(text, "?[\xF0\x9F\x98\x80\xEF\xBF\xBD\xC3\xA9\xE2\x82\xAC");
    wsi_wide_text(hostile, 7, text, 5); /* cut between characters */
    assert_string_equal(text, "?[");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_entry_is_byte_by_byte_what_the_contract_says),
        cmocka_unit_test(installing_makes_the_value_first_and_then_the_entry),
        cmocka_unit_test(installing_twice_changes_nothing_the_second_time),
        cmocka_unit_test(both_catalogs_get_their_own_dll),
        cmocka_unit_test(a_32_bit_dll_is_added_later_and_taken_away_again),
        cmocka_unit_test(removing_leaves_the_system_as_it_was_but_for_the_empty_key),
        cmocka_unit_test(a_dry_run_names_every_change_and_makes_none),
        cmocka_unit_test(what_is_wrong_is_put_right_and_then_verified),
        cmocka_unit_test(a_failure_at_any_change_leaves_everything_as_it_was),
        cmocka_unit_test(when_taking_back_fails_too_the_exit_code_says_so),
        cmocka_unit_test(a_catalog_that_keeps_nothing_is_found_out),
        cmocka_unit_test(what_is_in_the_way_is_said_before_anything_is_changed),
        cmocka_unit_test(a_value_of_our_name_with_another_identifier_survives_removal),
        cmocka_unit_test(too_many_leftovers_are_refused_rather_than_half_removed),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(the_list_shows_both_catalogs_and_marks_ours),
        cmocka_unit_test(verify_names_what_differs),
        cmocka_unit_test(names_from_the_system_are_cleaned_of_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
