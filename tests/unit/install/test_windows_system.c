/* test_windows_system.c - what the calls of ws2_32.dll are given, byte by byte, and the real registry. The calls are recorded
 * here: under Wine the real ones keep nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <cmocka.h>

#include "windows/system.h"

#define TEST_TOP L"Software\\OpenWSD test"
#define TEST_KEY TEST_TOP L"\\Parameters\\TCP on SAN" /* two levels that are not there */

/* ---- recorded calls ---- */

static struct {
    char log[256];
    GUID id;
    WCHAR path[MAX_PATH];
    WSAPROTOCOL_INFOW info, last; /* the first and the last of them */
    DWORD entries;
    DWORD ids[4], id_count;
    int fail_with;
    int grows; /* so many times the catalog has grown when it is read */
} seen;

static int called(const char *name, LPINT error)
{
    snprintf(seen.log + strlen(seen.log), sizeof seen.log - strlen(seen.log), "%s ", name);
    if (!seen.fail_with)
        return 0;
    if (error)
        *error = seen.fail_with;
    return error ? SOCKET_ERROR : seen.fail_with;
}

static int recorded(const char *name, const GUID *id, const WCHAR *path, const WSAPROTOCOL_INFOW *info,
                    DWORD entries, LPINT error)
{
    seen.id = *id;
    lstrcpynW(seen.path, path, MAX_PATH);
    seen.info = *info;
    seen.last = info[entries - 1];
    seen.entries = entries;
    return called(name, error);
}

static int WSPAPI rec_install(LPGUID id, const WCHAR *path, LPWSAPROTOCOL_INFOW info, DWORD n, LPINT error)
{
    return recorded("install", id, path, info, n, error);
}

static int WSPAPI rec_install_both(LPGUID id, const WCHAR *path, LPWSAPROTOCOL_INFOW info, DWORD n,
                                   LPINT error)
{
    return recorded("both", id, path, info, n, error);
}

static int WSPAPI rec_update(LPGUID id, const WCHAR *path, LPWSAPROTOCOL_INFOW info, DWORD n, LPINT error)
{
    return recorded("update", id, path, info, n, error);
}

static int WSPAPI rec_update32(LPGUID id, const WCHAR *path, LPWSAPROTOCOL_INFOW info, DWORD n, LPINT error)
{
    return recorded("update32", id, path, info, n, error);
}

static int WSPAPI rec_remove(LPGUID id, LPINT error)
{
    seen.id = *id;
    return called("remove", error);
}

static int WSPAPI rec_remove32(LPGUID id, LPINT error)
{
    seen.id = *id;
    return called("remove32", error);
}

static int WSPAPI rec_order(LPDWORD ids, DWORD count)
{
    memcpy(seen.ids, ids, sizeof *ids * (count < 4 ? count : 4));
    seen.id_count = count;
    return called("order", NULL);
}

/* Two entries, in the way of WSCEnumProtocols: too small a buffer is WSAENOBUFS with the size to have. */
static int WSPAPI rec_enumerate(LPINT ids, LPWSAPROTOCOL_INFOW list, LPDWORD bytes, LPINT error)
{
    DWORD need = 2 * sizeof *list;
    (void)ids;
    if (seen.grows > 0 && list)
        need = *bytes + (DWORD)seen.grows-- * (DWORD)sizeof *list;
    if (*bytes < need) {
        *bytes = need;
        *error = seen.fail_with ? seen.fail_with : WSAENOBUFS;
        return SOCKET_ERROR;
    }
    struct wsi_entry e;
    wsi_entry_make(&e, "");
    list[0] = e.info;
    list[0].dwCatalogEntryId = 1;
    list[1] = e.info;
    list[1].dwCatalogEntryId = 2;
    return 2;
}

static int WSPAPI rec_path(LPGUID id, WCHAR *path, LPINT chars, LPINT error)
{
    (void)id, (void)error;
    lstrcpynW(path, L"%SystemRoot%\\\x00E9.dll", *chars);
    return 0;
}

static struct wsi_windows w;
static struct wsi_system sys;

static int start(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    w = (struct wsi_windows){.key = TEST_KEY};
    w.calls = (struct wsi_calls){.enumerate = {rec_enumerate, rec_enumerate},
                                 .path = {rec_path, rec_path},
                                 .install = rec_install,
                                 .install_both = rec_install_both,
                                 .update = {rec_update, rec_update32},
                                 .remove = {rec_remove, rec_remove32},
                                 .order = {rec_order, rec_order}};
    wsi_windows_system(&sys, &w);
    return 0;
}

static bool key_exists(const WCHAR *name)
{
    HKEY key;
    if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, name, 0, KEY_READ, &key) != ERROR_SUCCESS)
        return false;
    RegCloseKey(key);
    return true;
}

static int end(void **state)
{
    (void)state;
    RegDeleteKeyW(HKEY_LOCAL_MACHINE, TEST_KEY);
    RegDeleteKeyW(HKEY_LOCAL_MACHINE, TEST_TOP L"\\Parameters");
    RegDeleteKeyW(HKEY_LOCAL_MACHINE, TEST_TOP);
    return key_exists(TEST_TOP);
}

/* ---- tests ---- */

static void the_catalog_is_given_the_entry_byte_by_byte(void **state)
{
    (void)state;
    struct wsi_entry entry;
    struct wsi_set set;
    struct wsi_error e = {0};
    wsi_entry_make(&entry, "C:\\Program Files\\\xC3\xA9\\wsdprov.dll");
    wsi_set_one(&set, &entry);
    assert_true(sys.install(sys.self, false, &set, &e));
    assert_string_equal(seen.log, "install ");
    assert_int_equal(seen.entries, 1);
    assert_memory_equal(&seen.id, &wsi_provider_id, 16);
    assert_memory_equal(&seen.info, &entry.info, 628);
    assert_int_equal(lstrcmpW(seen.path, L"C:\\Program Files\\\x00E9\\wsdprov.dll"), 0);
}

static void each_change_goes_to_its_own_function(void **state)
{
    (void)state;
    struct wsi_entry entry;
    struct wsi_set set;
    struct wsi_error e = {0};
    uint32_t ids[] = {7, 5, 6};
    wsi_entry_make(&entry, "C:\\wsdprov.dll");
    wsi_set_one(&set, &entry);
    assert_true(sys.install(sys.self, true, &set, &e));
    assert_true(sys.update(sys.self, WSI_NATIVE, &set, &e));
    assert_true(sys.update(sys.self, WSI_SMALL, &set, &e));
    assert_true(sys.remove(sys.self, WSI_NATIVE, &wsi_provider_id, &e));
    assert_true(sys.remove(sys.self, WSI_SMALL, &wsi_provider_id, &e));
    assert_true(sys.order(sys.self, WSI_NATIVE, ids, 3, &e));
    assert_string_equal(seen.log, "both update update32 remove remove32 order ");
    assert_int_equal(seen.id_count, 3);
    assert_memory_equal(seen.ids, ids, sizeof ids);
}

static void entries_of_one_provider_go_in_one_call(void **state)
{
    (void)state;
    struct wsi_set set = {.count = WSI_SET_MAX};
    struct wsi_error e = {0};
    for (uint32_t i = 0; i < set.count; i++)
        wsi_entry_make(&set.entries[i], "C:\\wsdswitch.dll");
    set.entries[WSI_SET_MAX - 1].info.iProtocol = 17;
    assert_true(sys.install(sys.self, false, &set, &e));
    assert_int_equal(seen.entries, WSI_SET_MAX);
    assert_memory_equal(&seen.info, &set.entries[0].info, sizeof seen.info);
    assert_memory_equal(&seen.last, &set.entries[WSI_SET_MAX - 1].info, sizeof seen.last);
    assert_true(sys.update(sys.self, WSI_SMALL, &set, &e));
    assert_string_equal(seen.log, "install update32 ");
}

static void what_the_system_says_reaches_the_person(void **state)
{
    (void)state;
    struct wsi_entry entry;
    struct wsi_set set;
    struct wsi_error e = {0};
    uint32_t id = 1;
    wsi_entry_make(&entry, "C:\\wsdprov.dll");
    wsi_set_one(&set, &entry);
    seen.fail_with = WSANO_RECOVERY;
    assert_false(sys.install(sys.self, false, &set, &e));
    assert_int_equal(e.exit, WSI_FAILED);
    assert_non_null(strstr(e.text, "WSCInstallProvider failed"));
    assert_non_null(strstr(e.text, "11003"));
    assert_non_null(strstr(e.text, "administrator"));
    seen.fail_with = WSAEACCES;
    assert_false(sys.order(sys.self, WSI_SMALL, &id, 1, &e));
    assert_int_equal(e.exit, WSI_NO_RIGHTS);
    assert_non_null(strstr(e.text, "WSCWriteProviderOrder32"));
    memset(set.entries[0].path, 'x', sizeof set.entries[0].path - 1);
    assert_false(sys.install(sys.self, false, &set, &e)); /* longer than a catalog holds: not cut */
    assert_non_null(strstr(e.text, "longer"));
}

static void a_catalog_that_grows_while_it_is_read_is_read_again(void **state)
{
    (void)state;
    struct wsi_entry *list;
    uint32_t count;
    struct wsi_error e = {0};
    seen.grows = 2;
    assert_true(sys.enumerate(sys.self, WSI_NATIVE, &list, &count, &e));
    assert_int_equal(count, 2);
    assert_int_equal(list[1].info.dwCatalogEntryId, 2);
    assert_string_equal(list[1].path, "%SystemRoot%\\\xC3\xA9.dll");
    free(list);
    seen.fail_with = WSAEACCES;
    assert_false(sys.enumerate(sys.self, WSI_NATIVE, &list, &count, &e));
    seen.fail_with = 0;
    seen.grows = 100; /* it never ends growing: we do */
    assert_false(sys.enumerate(sys.self, WSI_NATIVE, &list, &count, &e));
    assert_int_equal(e.exit, WSI_UNREADABLE);
}

static void functions_that_are_missing_are_named(void **state)
{
    (void)state;
    struct wsi_entry *list;
    uint32_t count;
    struct wsi_error e = {0};
    memset(&w.calls, 0, sizeof w.calls);
    assert_string_equal(sys.missing(sys.self, WSI_CALL_INSTALL, WSI_NATIVE), "WSCInstallProvider");
    assert_string_equal(sys.missing(sys.self, WSI_CALL_INSTALL_BOTH, WSI_NATIVE), "WSCInstallProvider64_32");
    assert_string_equal(sys.missing(sys.self, WSI_CALL_UPDATE, WSI_SMALL), "WSCUpdateProvider32");
    assert_string_equal(sys.missing(sys.self, WSI_CALL_REMOVE, WSI_SMALL), "WSCDeinstallProvider32");
    assert_string_equal(sys.missing(sys.self, WSI_CALL_ORDER, WSI_NATIVE), "WSCWriteProviderOrder");
    assert_false(sys.enumerate(sys.self, WSI_SMALL, &list, &count, &e));
    assert_non_null(strstr(e.text, "WSCEnumProtocols32"));
}

static void the_registry_holds_the_identifier_byte_by_byte(void **state)
{
    (void)state;
    struct wsi_error e = {0};
    HKEY key;
    DWORD type = 0, bytes = 64;
    BYTE data[64];
    bool made = false;
    assert_true(sys.set_value(sys.self, WSI_VALUE_NAME, (const uint8_t *)&wsi_provider_id, &made, &e));
    assert_true(made);
    assert_int_equal(RegOpenKeyExW(HKEY_LOCAL_MACHINE, TEST_KEY, 0, KEY_READ, &key), 0);
    assert_int_equal(RegQueryValueExW(key, L"OpenWSD", NULL, &type, data, &bytes), 0);
    RegCloseKey(key);
    static const uint8_t want[16] = {0xDB, 0x37, 0x8A, 0x04, 0xA0, 0x5C, 0x41, 0x48,
                                     0xBB, 0x60, 0x03, 0x5B, 0x3A, 0x89, 0x61, 0xA8};
    assert_int_equal(type, REG_BINARY);
    assert_int_equal(bytes, 16);
    assert_memory_equal(data, want, 16);
}

static void taking_the_value_back_takes_back_the_keys_it_needed(void **state)
{
    (void)state;
    struct wsi_error e = {0};
    struct wsi_value *list;
    uint32_t count = 9;
    bool made = false;
    assert_true(sys.values(sys.self, &list, &count, &e)); /* no key: no values */
    assert_int_equal(count, 0);
    free(list);
    assert_true(sys.set_value(sys.self, "one", (const uint8_t *)&wsi_provider_id, &made, &e));
    assert_true(sys.delete_value(sys.self, "one", &e));
    assert_false(sys.delete_value(sys.self, "one", &e));
    assert_true(sys.delete_key(sys.self, &e));
    assert_false(key_exists(TEST_TOP));
    assert_true(key_exists(L"Software"));
}

static void keys_that_were_there_stay(void **state)
{
    (void)state;
    struct wsi_error e = {0};
    HKEY key;
    bool made = true;
    assert_int_equal(RegCreateKeyExW(HKEY_LOCAL_MACHINE, TEST_KEY, 0, NULL, 0, KEY_WRITE, NULL, &key, NULL),
                     0);
    RegSetValueExW(key, L"long", 0, REG_SZ, (const BYTE *)L"0123456789abcdef", 34);
    RegCloseKey(key);
    assert_true(sys.set_value(sys.self, WSI_VALUE_NAME, (const uint8_t *)&wsi_provider_id, &made, &e));
    assert_false(made);
    struct wsi_value *list;
    uint32_t count;
    assert_true(sys.values(sys.self, &list, &count, &e));
    assert_int_equal(count, 2);
    for (uint32_t i = 0; i < count; i++) {
        bool ours = strcmp(list[i].name, "OpenWSD") == 0;
        assert_int_equal(wsi_value_is_right(&list[i]), ours);
        assert_int_equal(list[i].bytes, ours ? 16 : 34);
    }
    free(list);
    assert_true(sys.delete_key(sys.self, &e)); /* none was made by us */
    assert_true(key_exists(TEST_KEY));
}

/* The key with an access list without entries: nobody may do anything with it, administrators included. */
static void a_key_that_may_not_be_touched_is_a_matter_of_rights(void **state)
{
    (void)state;
    struct wsi_error e = {0};
    struct wsi_value *list;
    uint32_t count;
    bool made;
    HKEY key;
    union {
        ACL acl;
        uint8_t bytes[64];
    } nobody;
    SECURITY_DESCRIPTOR sd;
    assert_int_equal(
        RegCreateKeyExW(HKEY_LOCAL_MACHINE, TEST_KEY, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL), 0);
    assert_true(InitializeAcl(&nobody.acl, sizeof nobody, ACL_REVISION));
    assert_true(InitializeSecurityDescriptor(&sd, SECURITY_DESCRIPTOR_REVISION));
    assert_true(SetSecurityDescriptorDacl(&sd, TRUE, &nobody.acl, FALSE));
    assert_int_equal(RegSetKeySecurity(key, DACL_SECURITY_INFORMATION, &sd), 0);
    bool denied = !sys.may_change(sys.self, &e);
    enum wsi_exit may_change = e.exit;
    bool unread = !sys.values(sys.self, &list, &count, &e);
    bool unset = !sys.set_value(sys.self, WSI_VALUE_NAME, (const uint8_t *)&wsi_provider_id, &made, &e);
    enum wsi_exit set = e.exit;
    /* The handle has its rights still. */
    assert_true(SetSecurityDescriptorDacl(&sd, TRUE, NULL, FALSE));
    assert_int_equal(RegSetKeySecurity(key, DACL_SECURITY_INFORMATION, &sd), 0);
    RegCloseKey(key);
    assert_true(denied && unread && unset);
    assert_int_equal(may_change, WSI_NO_RIGHTS);
    assert_int_equal(set, WSI_NO_RIGHTS);
    assert_non_null(strstr(e.text, "as administrator"));
    assert_non_null(strstr(e.text, "TCP on SAN"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_catalog_is_given_the_entry_byte_by_byte, start, end),
        cmocka_unit_test_setup_teardown(each_change_goes_to_its_own_function, start, end),
        cmocka_unit_test_setup_teardown(entries_of_one_provider_go_in_one_call, start, end),
        cmocka_unit_test_setup_teardown(what_the_system_says_reaches_the_person, start, end),
        cmocka_unit_test_setup_teardown(a_catalog_that_grows_while_it_is_read_is_read_again, start, end),
        cmocka_unit_test_setup_teardown(functions_that_are_missing_are_named, start, end),
        cmocka_unit_test_setup_teardown(the_registry_holds_the_identifier_byte_by_byte, start, end),
        cmocka_unit_test_setup_teardown(taking_the_value_back_takes_back_the_keys_it_needed, start, end),
        cmocka_unit_test_setup_teardown(keys_that_were_there_stay, start, end),
        cmocka_unit_test_setup_teardown(a_key_that_may_not_be_touched_is_a_matter_of_rights, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
