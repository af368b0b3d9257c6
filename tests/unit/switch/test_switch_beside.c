/* test_switch_beside.c - where wsdswitch.dll takes its provider from when none is registered (Windows only): its own directory. It is loaded into the
 * programs of all users, so a file of that name elsewhere may be anybody's: above it, where the build tree has one, in the current directory,
 * on the search path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "winsock/ws2.h"

static char top[MAX_PATH];

static const char *in_top(const char *name)
{
    static char paths[4][2 * MAX_PATH];
    static unsigned at;
    char *path = paths[at++ % 4];

    snprintf(path, sizeof(paths[0]), "%s\\%s", top, name);
    return path;
}

static void copy(const char *from, const char *to)
{
    assert_true(CopyFileA(from, in_top(to), FALSE));
}

static const char *const folders[] = {"provider", "a", "a\\provider", "a\\b", "current", "path"};
static const char *const planted[] = {"provider\\wsdprov.dll", "a\\provider\\wsdprov.dll",
                                      "current\\wsdprov.dll", "path\\wsdprov.dll"};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int make_folders(void **state)
{
    char temporary[MAX_PATH];

    (void)state;
    assert_true(GetTempPathA(sizeof(temporary), temporary) > 0);
    assert_true(GetTempFileNameA(temporary, "wsd", 0, top) != 0);
    assert_true(DeleteFileA(top) && CreateDirectoryA(top, NULL));
    for (unsigned i = 0; i < COUNT(folders); i++)
        assert_true(CreateDirectoryA(in_top(folders[i]), NULL));
    copy(SWITCH, "a\\b\\wsdswitch.dll");
    for (unsigned i = 0; i < COUNT(planted); i++)
        copy(FAKE_PROVIDER, planted[i]);
    return 0;
}

static int remove_folders(void **state)
{
    (void)state;
    SetCurrentDirectoryA("\\");
    for (unsigned i = 0; i < COUNT(planted); i++)
        DeleteFileA(in_top(planted[i]));
    DeleteFileA(in_top("a\\b\\wsdswitch.dll"));
    DeleteFileA(in_top("a\\b\\wsdprov.dll"));
    for (unsigned i = COUNT(folders); i-- > 0;)
        RemoveDirectoryA(in_top(folders[i]));
    RemoveDirectoryA(top);
    return 0;
}

/* Which file a start of the switch loads; empty: none. */
static void provider_of_the_switch(char file[MAX_PATH])
{
    struct ws2_provider *p = NULL;
    char why[512];
    HMODULE module;

    if (ws2_load(in_top("a\\b\\wsdswitch.dll"), &p, why, sizeof(why)) != 0)
        fail_msg("%s", why);
    module = GetModuleHandleA("wsdprov.dll");
    file[0] = '\0';
    if (module != NULL)
        assert_true(GetModuleFileNameA(module, file, MAX_PATH) > 0);
    (void)ws2_unload(p, NULL, 0);
}

static void only_the_one_beside_it(void **state)
{
    char file[MAX_PATH], search[4 * MAX_PATH];

    (void)state;
    _putenv("WSD_PROVIDER=");
    _putenv("WSD_SWITCH=on");
    snprintf(search, sizeof(search), "%s;%s", in_top("path"), getenv("PATH") != NULL ? getenv("PATH") : "");
    assert_true(SetEnvironmentVariableA("PATH", search));
    assert_true(SetCurrentDirectoryA(in_top("current")));
    provider_of_the_switch(file);
    assert_string_equal(file, "");
    copy(FAKE_PROVIDER, "a\\b\\wsdprov.dll");
    provider_of_the_switch(file);
    assert_non_null(strstr(file, "\\a\\b\\"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_the_one_beside_it, make_folders, remove_folders),
    };

    return cmocka_run_group_tests_name("switch_beside", tests, NULL, NULL);
}
