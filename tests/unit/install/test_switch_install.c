/* test_switch_install.c - wsdinstall --switch over a catalog in memory: the switch's entries are the system's own with another door, stand first,
 * are made once, and a failure leaves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fake_run.h"

#define INSTALL      "install --switch"
#define INSTALL_BOTH "install --switch --dll32 " FAKE_SWITCH32

static bool is_switch(const struct wsi_entry *e)
{
    return memcmp(&e->info.ProviderId, &wsi_switch_id, sizeof wsi_switch_id) == 0;
}

/* What an application gets who asks for the protocol: the first visible entry. */
static const struct wsi_entry *first_of(const struct fake *f, enum wsi_catalog c, int family, int type)
{
    for (uint32_t i = 0; i < f->entry_count[c]; i++) {
        const struct wsi_entry *e = &f->entries[c][i];
        if (e->info.iAddressFamily == family && e->info.iSocketType == type &&
            !(e->info.dwProviderFlags & PFL_HIDDEN))
            return e;
    }
    return NULL;
}

static void applications_get_the_switch_for_tcp_and_udp(void **state)
{
    (void)state;
    static const int families[] = {WS_AF_INET, WS_AF_INET6}, types[] = {WS_SOCK_STREAM, WS_SOCK_DGRAM};
    struct fake f;
    fake_windows_7(&f);
    struct run r = run(&f, INSTALL);
    assert_string_equal(r.err, "");
    assert_int_equal(r.exit, WSI_OK);
    assert_string_equal(f.log, "install order");
    assert_int_equal(f.entry_count[WSI_NATIVE], 8);
    assert_int_equal(f.value_count, 0); /* the key is for SAN providers */
    for (int i = 0; i < 4; i++) {
        const struct wsi_entry *e = first_of(&f, WSI_NATIVE, families[i / 2], types[i % 2]);
        assert_true(is_switch(e));
        assert_string_equal(e->path, FAKE_SWITCH);
        assert_false(is_switch(first_of(&f, WSI_SMALL, families[i / 2], types[i % 2])));
    }
    assert_int_equal(run(&f, "verify --switch").exit, WSI_OK);
}

/* TCP/IP's characteristics, but for what is the switch's own. */
static void an_entry_is_the_systems_own_with_another_door(void **state)
{
    (void)state;
    static const char name[] = "OpenWSD switch over MSAFD Tcpip [TCP/IP]";
    struct fake f;
    struct wsi_entry want;
    fake_windows_7(&f);
    want = f.entries[WSI_NATIVE][0];
    assert_int_equal(run(&f, INSTALL).exit, WSI_OK);
    const struct wsi_entry *have = &f.entries[WSI_NATIVE][0];
    want.info.dwServiceFlags1 &= ~(DWORD)XP1_IFS_HANDLES;
    want.info.ProviderId = wsi_switch_id;
    want.info.dwCatalogEntryId = have->info.dwCatalogEntryId;
    memset(want.info.szProtocol, 0, sizeof want.info.szProtocol);
    for (size_t i = 0; i < sizeof name; i++)
        want.info.szProtocol[i] = (WCHAR)name[i];
    assert_memory_equal(&have->info, &want.info, sizeof want.info);
    assert_int_equal(have->info.ProtocolChain.ChainLen, 1);
}

static void both_catalogs_get_their_own_dll(void **state)
{
    (void)state;
    struct fake f;
    fake_windows_7(&f);
    assert_int_equal(run(&f, INSTALL_BOTH).exit, WSI_OK);
    assert_string_equal(f.log, "install-both update-32 order order-32");
    assert_string_equal(f.entries[WSI_NATIVE][3].path, FAKE_SWITCH);
    assert_string_equal(f.entries[WSI_SMALL][3].path, FAKE_SWITCH32);
    assert_int_equal(run(&f, "verify --switch").exit, WSI_OK);
    assert_int_equal(run(&f, INSTALL).exit, WSI_OK); /* without the one for 32 bits again */
    assert_int_equal(fake_find(&f, WSI_SMALL, &wsi_switch_id), -1);
    assert_int_equal(fake_find(&f, WSI_NATIVE, &wsi_switch_id), 0);
}

static void a_second_run_changes_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {INSTALL, INSTALL_BOTH, INSTALL, "remove --switch"};
    struct fake f;
    fake_windows_7(&f);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(run(&f, lines[i]).exit, WSI_OK);
        uint32_t changes = f.changes;
        assert_has(run(&f, lines[i]).out, "nothing to do");
        assert_int_equal(f.changes, changes);
    }
}

static void removing_leaves_the_catalog_as_it_was(void **state)
{
    (void)state;
    struct fake f, before;
    fake_windows_7(&f);
    before = f;
    assert_int_equal(run(&f, INSTALL_BOTH).exit, WSI_OK);
    assert_int_equal(run(&f, "remove --switch").exit, WSI_OK);
    assert_true(fake_equal(&f, &before));
    assert_int_equal(run(&f, "verify --switch").exit, WSI_DIFFERS);
}

static void a_dry_run_names_every_change_and_makes_none(void **state)
{
    (void)state;
    struct fake f;
    fake_windows_7(&f);
    struct run r = run(&f, INSTALL " --dry-run");
    assert_int_equal(r.exit, WSI_OK);
    assert_has(
        r.out,
        "add an entry to the 64-bit catalog: 'OpenWSD switch over MSAFD Tcpip [TCP/IP]', " FAKE_SWITCH);
    assert_has(r.out, "[UDP/IPv6]");
    assert_has(r.out, "move the entries in the 64-bit catalog to the front");
    assert_int_equal(f.changes, 0);
}

/* --- beginnings: what another version, another program or a failure left --- */

static void nothing_there(struct fake *f)
{
    (void)f;
}

static void another_path_there(struct fake *f)
{
    run(f, INSTALL_BOTH);
    for (int c = 0; c < WSI_CATALOGS; c++)
        for (uint32_t i = 0; i < 4; i++)
            snprintf(f->entries[c][i].path, sizeof f->entries[c][i].path, "C:\\old\\wsdswitch.dll");
}

static void too_few_there(struct fake *f)
{
    run(f, INSTALL);
    memmove(&f->entries[WSI_NATIVE][2], &f->entries[WSI_NATIVE][4], 4 * sizeof **f->entries);
    f->entry_count[WSI_NATIVE] -= 2;
}

static void entries_behind_tcp_there(struct fake *f)
{
    struct wsi_entry ours[4];
    run(f, INSTALL);
    memcpy(ours, f->entries[WSI_NATIVE], sizeof ours);
    memmove(f->entries[WSI_NATIVE], &f->entries[WSI_NATIVE][4], sizeof ours);
    memcpy(&f->entries[WSI_NATIVE][4], ours, sizeof ours);
}

static void a_field_that_is_wrong_there(struct fake *f)
{
    run(f, INSTALL);
    f->entries[WSI_NATIVE][1].info.dwServiceFlags1 |= XP1_IFS_HANDLES;
}

static const struct {
    const char *name;
    void (*prepare)(struct fake *f);
} beginnings[] = {{"nothing", nothing_there},
                  {"another path", another_path_there},
                  {"too few entries", too_few_there},
                  {"entries behind TCP/IP", entries_behind_tcp_there},
                  {"a wrong field", a_field_that_is_wrong_there}};
#define BEGINNINGS (sizeof beginnings / sizeof beginnings[0])
static const char *const commands[] = {INSTALL, INSTALL_BOTH, "remove --switch"};

static void begin(struct fake *f, size_t which)
{
    fake_windows_7(f);
    beginnings[which].prepare(f);
    f->changes = 0;
    f->log[0] = 0;
}

static void what_is_wrong_is_put_right_and_then_verified(void **state)
{
    (void)state;
    for (size_t b = 0; b < BEGINNINGS; b++)
        for (size_t c = 0; c < 2; c++) {
            struct fake f;
            begin(&f, b);
            assert_int_equal(run(&f, "verify --switch").exit, WSI_DIFFERS);
            struct run r = run(&f, commands[c]);
            if (r.exit != WSI_OK)
                fail_msg("%s, with %s there: %s", commands[c], beginnings[b].name, r.err);
            assert_int_equal(run(&f, "verify --switch").exit, WSI_OK);
        }
}

/* A refused change at every place, from every beginning: the catalogs are what they were. */
static void a_failure_at_any_change_leaves_everything_as_it_was(void **state)
{
    (void)state;
    unsigned failures = 0;
    for (size_t b = 0; b < BEGINNINGS; b++)
        for (size_t c = 0; c < sizeof commands / sizeof commands[0]; c++)
            for (uint32_t n = 1;; n++) {
                struct fake f, before;
                begin(&f, b);
                before = f;
                f.fail_at = n;
                struct run r = run(&f, commands[c]);
                if (f.changes < n)
                    break; /* fewer changes than that: it went through */
                failures++;
                if (r.exit != WSI_FAILED || !fake_equal(&f, &before))
                    fail_msg("%s, with %s there, change %u refused: exit %d, calls %s, %s", commands[c],
                             beginnings[b].name, (unsigned)n, (int)r.exit, f.log, r.err);
                assert_has(r.err, "was refused");
            }
    assert_true(failures > 20);
}

static void a_catalog_that_keeps_nothing_is_found_out(void **state)
{
    (void)state;
    struct fake f, before;
    fake_windows_7(&f);
    f.keeps_nothing = true;
    before = f;
    struct run r = run(&f, INSTALL);
    assert_int_equal(r.exit, WSI_FAILED);
    assert_has(r.err, "read back");
    assert_true(fake_equal(&f, &before));
}

/* A run that must fail without a change. */
static void refused(struct fake *f, const char *line, enum wsi_exit exit, const char *text)
{
    struct fake before = *f;
    struct run r = run(f, line);
    if (r.exit != exit)
        fail_msg("%s: exit %d, not %d: %s", line, (int)r.exit, (int)exit, r.err);
    assert_has(r.err, text);
    assert_int_equal(f->changes, 0);
    assert_true(fake_equal(f, &before));
}

static void what_is_in_the_way_is_said_before_anything_is_changed(void **state)
{
    (void)state;
    struct fake f;
    fake_windows_7(&f);
    refused(&f, INSTALL " --without-switch", WSI_USAGE, "exclude");
    refused(&f, INSTALL " --dll " FAKE_DLL, WSI_BAD_DLL, "wsdswitch.dll"); /* the provider's file */
    refused(&f, "install --without-switch --dll " FAKE_SWITCH, WSI_BAD_DLL, "wsdprov.dll");
    f.is_not_admin = true;
    refused(&f, INSTALL, WSI_NO_RIGHTS, "administrator");
    f.is_not_admin = false;
    f.sys.os_major = 5;
    refused(&f, INSTALL, WSI_NO_SWITCH, "of its own");
    f.sys.os_major = 6;
    f.missing = WSI_CALL_ORDER;
    f.missing_name = "WSCWriteProviderOrder";
    refused(&f, INSTALL, WSI_FAILED, "WSCWriteProviderOrder");
    f.missing_name = NULL;
    f.entries[WSI_NATIVE][0].info.dwServiceFlags1 &= ~(DWORD)XP1_IFS_HANDLES; /* somebody else's now */
    refused(&f, INSTALL, WSI_FAILED, "nothing for the switch to lie over");
    f.entries[WSI_NATIVE][0].info.dwServiceFlags1 |= XP1_IFS_HANDLES;
    f.entries[WSI_NATIVE][3].info.ProviderId = wsi_switch_id;
    refused(&f, INSTALL, WSI_FOREIGN, "identifier of OpenWSD's switch");
    refused(&f, "remove --switch", WSI_FOREIGN, "identifier of OpenWSD's switch");
}

static void the_provider_stands_behind_the_switch_which_calls_it(void **state)
{
    (void)state;
    struct fake f;
    fake_windows_7(&f);
    refused(&f, "install", WSI_NO_SWITCH, "install --switch");
    assert_int_equal(run(&f, INSTALL).exit, WSI_OK);
    assert_int_equal(run(&f, "install").exit, WSI_OK);
    assert_int_equal(run(&f, "verify").exit, WSI_OK);
    assert_int_equal(run(&f, "verify --switch").exit, WSI_OK);
    assert_has(run(&f, "list").out, "+ ");
    assert_int_equal(run(&f, "remove --switch").exit, WSI_OK);
    assert_true(fake_ours(&f, WSI_NATIVE) >= 0); /* each goes by itself */
    assert_int_equal(run(&f, "verify").exit, WSI_DIFFERS);
}

/* Base providers whose handles are no files depend on it (WPUCreateSocketHandle), and every program on them. */
static void a_driver_that_is_missing_is_said(void **state)
{
    (void)state;
    static const uint32_t starts[] = {WSI_DRIVER_DISABLED, WSI_DRIVER_UNKNOWN};
    static const char *const notes[] = {"is disabled", "is not there"};
    for (int i = 0; i < 2; i++) {
        struct fake f;
        fake_windows_7(&f);
        f.driver_start = starts[i];
        struct run r = run(&f, INSTALL);
        assert_int_equal(r.exit, WSI_OK);
        assert_has(r.out, notes[i]);
        r = run(&f, "verify --switch");
        assert_int_equal(r.exit, WSI_OK); /* Winsock may see to it */
        assert_has(r.out, notes[i]);
        f.driver_start = WSI_DRIVER_DEMAND;
        assert_null(strstr(run(&f, "verify --switch").out, WSI_DRIVER_SERVICE));
        assert_null(strstr(run(&f, "verify").out, WSI_DRIVER_SERVICE)); /* the provider has no such handles */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(applications_get_the_switch_for_tcp_and_udp),
        cmocka_unit_test(an_entry_is_the_systems_own_with_another_door),
        cmocka_unit_test(both_catalogs_get_their_own_dll),
        cmocka_unit_test(a_driver_that_is_missing_is_said),
        cmocka_unit_test(a_second_run_changes_nothing),
        cmocka_unit_test(removing_leaves_the_catalog_as_it_was),
        cmocka_unit_test(a_dry_run_names_every_change_and_makes_none),
        cmocka_unit_test(what_is_wrong_is_put_right_and_then_verified),
        cmocka_unit_test(a_failure_at_any_change_leaves_everything_as_it_was),
        cmocka_unit_test(a_catalog_that_keeps_nothing_is_found_out),
        cmocka_unit_test(what_is_in_the_way_is_said_before_anything_is_changed),
        cmocka_unit_test(the_provider_stands_behind_the_switch_which_calls_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
