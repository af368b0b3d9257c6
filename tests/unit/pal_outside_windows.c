/* pal_outside_windows.c - other processes are this program with arguments; records are sections of memory by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <aclapi.h>
#include <cmocka.h>

#include "pal/process.h"
#include "pal_outside.h"
#include "../support/windows/start_process.h"

#define CHILDREN 6
#define RECORDS  40

const char *const pal_library_with_cos = "msvcrt.dll";

/* ---- other processes ---- */

static HANDLE start_child(const char *arguments, DWORD *pid)
{
    char program[MAX_PATH], line[MAX_PATH + 256];
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION made;
    assert_true(GetModuleFileNameA(NULL, program, sizeof program) > 0);
    snprintf(line, sizeof line, "\"%s\" %s", program, arguments);
    assert_true(start_process(program, line, FALSE, 0, &start, &made));
    CloseHandle(made.hThread);
    if (pid)
        *pid = made.dwProcessId;
    return made.hProcess;
}

static DWORD end_of(HANDLE child)
{
    DWORD code = 0;
    assert_int_equal(WaitForSingleObject(child, 60000), WAIT_OBJECT_0);
    assert_true(GetExitCodeProcess(child, &code));
    CloseHandle(child);
    return code;
}

static void race_name(const char *base, int i, char out[49])
{
    snprintf(out, 49, "%s-%d", base, i);
}

/* "take BASE" and "put BASE": exit code: how many this process won; 255: something it must not see. */
static int race(bool takes, const char *base)
{
    char event[64], name[49], data[64];
    int won = 0;
    snprintf(event, sizeof event, "Local\\go-%s", base);
    HANDLE go = OpenEventA(SYNCHRONIZE, FALSE, event);
    if (!go || WaitForSingleObject(go, 60000) != WAIT_OBJECT_0)
        return 255;
    for (int i = 0; i < RECORDS; i++) {
        race_name(base, i, name);
        memset(data, i, sizeof data);
        const enum pal_record_status st = takes ? pal_record_take(name, data, sizeof data)
                                                : pal_record_put(name, data, sizeof data);
        for (size_t k = 0; k < sizeof data; k++)
            if (data[k] != (char)i)
                return 255;
        if (st == PAL_RECORD_OK)
            won++;
        else if (st != (takes ? PAL_RECORD_NOT_FOUND : PAL_RECORD_EXISTS))
            return 255;
    }
    if (!takes) { /* what it put lives as long as it does: the others must still find it */
        snprintf(event, sizeof event, "Local\\end-%s", base);
        HANDLE end = OpenEventA(SYNCHRONIZE, FALSE, event);
        HANDLE done = OpenSemaphoreA(SEMAPHORE_MODIFY_STATE, FALSE, base);
        if (!end || !done || !ReleaseSemaphore(done, 1, NULL) ||
            WaitForSingleObject(end, 60000) != WAIT_OBJECT_0)
            return 255;
    }
    return won;
}

int pal_outside_child(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "take") == 0)
        return race(true, argv[2]);
    if (argc == 3 && strcmp(argv[1], "put") == 0)
        return race(false, argv[2]);
    return argc == 2 && strcmp(argv[1], "exit") == 0 ? 0 : 2;
}

/* ---- tests ---- */

static void a_process_exists_until_it_has_ended(void **state)
{
    (void)state;
    DWORD pid;
    assert_true(pal_process_exists(pal_process_id()));
    assert_false(pal_process_exists(0));
    assert_false(pal_process_exists(UINT32_MAX));
    HANDLE child = start_child("exit", &pid), other = NULL;
    assert_true(DuplicateHandle(GetCurrentProcess(), child, GetCurrentProcess(), &other, 0, FALSE,
                                DUPLICATE_SAME_ACCESS));
    assert_int_equal(end_of(child), 0);
    assert_false(pal_process_exists(pid)); /* although a handle still keeps its number */
    CloseHandle(other);
}

static HANDLE section_of(const char *name, DWORD access)
{
    char path[80];
    snprintf(path, sizeof path, "Local\\openwsd-%s", name);
    return OpenFileMappingA(access, FALSE, path);
}

static void a_record_is_open_to_its_user_only(void **state)
{
    (void)state;
    char name[49], byte = 7;
    ACL *acl = NULL;
    SECURITY_DESCRIPTOR *sd = NULL;
    ACL_SIZE_INFORMATION size;
    ACCESS_ALLOWED_ACE *ace = NULL;
    SID *owner = NULL;
    assert_int_equal(pal_record_put(fresh_name(name), &byte, 1), PAL_RECORD_OK);
    HANDLE h = section_of(name, READ_CONTROL);
    assert_non_null(h);
    assert_int_equal(GetSecurityInfo(h, SE_KERNEL_OBJECT,
                                     DACL_SECURITY_INFORMATION | OWNER_SECURITY_INFORMATION, (PSID *)&owner,
                                     NULL, &acl, NULL, (PSECURITY_DESCRIPTOR *)&sd),
                     ERROR_SUCCESS);
    assert_non_null(acl);
    assert_true(GetAclInformation(acl, &size, sizeof size, AclSizeInformation));
    assert_int_equal(size.AceCount, 1);
    assert_true(GetAce(acl, 0, (void **)&ace));
    assert_int_equal(ace->Header.AceType, ACCESS_ALLOWED_ACE_TYPE);
    assert_true(EqualSid(&ace->SidStart, owner));
    LocalFree(sd);
    CloseHandle(h);
    assert_int_equal(pal_record_take(name, &byte, 1), PAL_RECORD_OK);
    assert_null(section_of(name, FILE_MAP_READ)); /* nothing is left of it */
}

static void what_others_could_have_made_is_not_a_record(void **state)
{
    (void)state;
    static const unsigned char huge[] = {0x4f, 0x53, 0x57, 0x44, 2, 0, 0,    0,    1,    0,
                                         0,    0,    8,    0,    0, 0, 0xff, 0xff, 0xff, 0xff};
    char name[49], path[80], bytes[8];
    snprintf(path, sizeof path, "Local\\openwsd-%s", fresh_name(name));
    HANDLE h = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, path);
    assert_non_null(h);
    assert_int_equal(pal_record_peek(name, bytes, sizeof bytes), PAL_RECORD_FAILED); /* zeros */
    assert_int_equal(pal_record_put(name, bytes, sizeof bytes), PAL_RECORD_EXISTS);
    unsigned char *view = MapViewOfFile(h, FILE_MAP_WRITE, 0, 0, 0);
    assert_non_null(view);
    memcpy(view, huge, sizeof huge); /* says that it has room for 4 GiB */
    assert_int_equal(pal_record_peek(name, bytes, sizeof bytes), PAL_RECORD_FAILED);
    assert_int_equal(pal_record_take(name, bytes, sizeof bytes), PAL_RECORD_FAILED);
    view[16] = 4; /* room for 4 bytes, a record of 8 */
    view[17] = view[18] = view[19] = 0;
    assert_int_equal(pal_record_take(name, bytes, sizeof bytes), PAL_RECORD_FAILED);
    UnmapViewOfFile(view);
    CloseHandle(h);
    h = CreateEventA(NULL, TRUE, FALSE, path); /* no section at all */
    assert_non_null(h);
    assert_int_equal(pal_record_peek(name, bytes, sizeof bytes), PAL_RECORD_FAILED);
    CloseHandle(h);
}

static int run_race(const char *verb, const char *base, HANDLE go, HANDLE end, HANDLE done)
{
    HANDLE children[CHILDREN];
    char arguments[80];
    int won = 0;
    snprintf(arguments, sizeof arguments, "%s %s", verb, base);
    assert_true(ResetEvent(go));
    for (int i = 0; i < CHILDREN; i++)
        children[i] = start_child(arguments, NULL);
    Sleep(200); /* mostly all wait by now; it does not matter if not */
    assert_true(SetEvent(go));
    for (int i = 0; done && i < CHILDREN; i++)
        assert_int_equal(WaitForSingleObject(done, 60000), WAIT_OBJECT_0);
    assert_true(SetEvent(end));
    for (int i = 0; i < CHILDREN; i++) {
        const DWORD code = end_of(children[i]);
        assert_int_not_equal(code, 255);
        won += (int)code;
    }
    return won;
}

static void of_racing_processes_one_puts_and_one_takes_each_record(void **state)
{
    (void)state;
    char base[49], text[80], name[49], data[64];
    fresh_name(base);
    snprintf(text, sizeof text, "Local\\go-%s", base);
    HANDLE go = CreateEventA(NULL, TRUE, FALSE, text);
    snprintf(text, sizeof text, "Local\\end-%s", base);
    HANDLE end = CreateEventA(NULL, TRUE, FALSE, text);
    HANDLE done = CreateSemaphoreA(NULL, 0, CHILDREN, base);
    assert_true(go && end && done);
    assert_int_equal(run_race("put", base, go, end, done), RECORDS);
    for (int i = 0; i < RECORDS; i++) {
        race_name(base, i, name);
        memset(data, i, sizeof data);
        assert_int_equal(pal_record_take(name, data, sizeof data),
                         PAL_RECORD_NOT_FOUND); /* with those who put it */
        assert_int_equal(pal_record_put(name, data, sizeof data), PAL_RECORD_OK);
    }
    assert_int_equal(run_race("take", base, go, end, NULL), RECORDS);
    for (int i = 0; i < RECORDS; i++) {
        race_name(base, i, name);
        assert_false(pal_record_drop(name));
    }
    CloseHandle(go);
    CloseHandle(end);
    CloseHandle(done);
}

int pal_outside_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_exists_until_it_has_ended),
        cmocka_unit_test(a_record_is_open_to_its_user_only),
        cmocka_unit_test(what_others_could_have_made_is_not_a_record),
        cmocka_unit_test(of_racing_processes_one_puts_and_one_takes_each_record),
    };
    return cmocka_run_group_tests_name("pal from outside", tests, NULL, NULL);
}
