/* mailbox_outside_windows.c - other processes are this program with arguments; what any process of the user can do to a pipe. */
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

#include "../support/windows/start_process.h"
#include "mailbox_outside.h"
#include "pal/mailbox.h"
#include "pal/thread.h"
#include "pal/time.h"

enum { INSTANCES = 8, HEAD = 8 }; /* of a box; bytes before those of a message */

#define PATIENCE 60000u /* ms */

unsigned handles_in_use(void)
{
    DWORD n = 0;
    assert_true(GetProcessHandleCount(GetCurrentProcess(), &n));
    return n;
}

struct child child_start(const char *verb, const char *name)
{
    char program[MAX_PATH], line[MAX_PATH + 256];
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION made;
    assert_true(GetModuleFileNameA(NULL, program, sizeof program) > 0);
    snprintf(line, sizeof line, "\"%s\" %s %s", program, verb, name);
    assert_true(start_process(program, line, FALSE, 0, &start, &made));
    CloseHandle(made.hThread);
    return (struct child){.pid = made.dwProcessId, .handle = made.hProcess};
}

int child_end(const struct child *c)
{
    DWORD code = 0;
    assert_int_equal(WaitForSingleObject(c->handle, PATIENCE), WAIT_OBJECT_0);
    assert_true(GetExitCodeProcess(c->handle, &code));
    CloseHandle(c->handle);
    return (int)code;
}

/* INVALID_HANDLE_VALUE: no instance is free now. */
static HANDLE connect_to(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "\\\\.\\pipe\\openwsd-mail-%s", name);
    return CreateFileA(path, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
}

/* What does not fit is taken back. */
static void write_to(HANDLE pipe, const void *bytes, size_t n)
{
    DWORD done;
    OVERLAPPED io = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    if (!WriteFile(pipe, bytes, (DWORD)n, NULL, &io) && GetLastError() == ERROR_IO_PENDING) {
        if (WaitForSingleObject(io.hEvent, 10) != WAIT_OBJECT_0)
            CancelIoEx(pipe, &io);
        GetOverlappedResult(pipe, &io, &done, TRUE);
    }
    CloseHandle(io.hEvent);
}

void send_raw(const char *name, const void *bytes, size_t n)
{
    HANDLE pipe = connect_to(name);
    char *mail = calloc(1, HEAD + n);
    if (mail && pipe != INVALID_HANDLE_VALUE) {
        memcpy(mail + HEAD, bytes, n);
        write_to(pipe, mail, HEAD + n);
    }
    free(mail);
    if (pipe != INVALID_HANDLE_VALUE)
        CloseHandle(pipe);
}

/* ---- tests ---- */

static void expect(struct pal_mailbox *box, const char *text)
{
    char got[PAL_MAIL_MAX];
    const uint64_t deadline_ns = pal_now_ns() + UINT64_C(1000000) * PATIENCE;
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, deadline_ns), strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static void expect_none(struct pal_mailbox *box)
{
    char got[PAL_MAIL_MAX];
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, pal_now_ns() + 60000000u), 0);
}

static void a_pipe_that_tells_nothing_or_nonsense_is_no_message(void **state)
{
    (void)state;
    char name[49];
    struct pal_mailbox *box = pal_mailbox_open(fresh_box(name));
    assert_non_null(box);
    for (size_t n = 0; n <= HEAD + 1; n += 3) { /* 0 bytes, then less than a head, then a byte behind it */
        HANDLE pipe = connect_to(name);
        assert_true(pipe != INVALID_HANDLE_VALUE);
        write_to(pipe, "\1\1\1\1\1\1\1\1y", n);
        CloseHandle(pipe);
    }
    CloseHandle(connect_to(name)); /* nothing at all */
    expect(box, "y");
    HANDLE pipe = connect_to(name);
    write_to(pipe, "12345678first", HEAD + 5);
    write_to(pipe, "12345678second", HEAD + 6); /* one message for each connection */
    CloseHandle(pipe);
    assert_int_equal(pal_mailbox_send(name, "third", 5, PATIENCE), PAL_MAIL_SENT);
    char got[PAL_MAIL_MAX];
    bool has_first = false, has_third = false;
    for (int i = 0; i < 2; i++) { /* the first says that it was sent in a distant future */
        assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, UINT64_MAX), 5);
        has_first = has_first || memcmp(got, "first", 5) == 0;
        has_third = has_third || memcmp(got, "third", 5) == 0;
    }
    assert_true(has_first && has_third);
    expect_none(box);
    pal_mailbox_close(box);
}

struct late {
    const char *name;
    enum pal_mail_result result;
};

static void send_late(void *arg)
{
    struct late *l = arg;
    l->result = pal_mailbox_send(l->name, "late", 4, PATIENCE);
}

/* All instances but `free` have a client that says nothing. */
static void with_silent_clients(int free_instances)
{
    char name[49];
    HANDLE silent[INSTANCES];
    struct pal_mailbox *box = pal_mailbox_open(fresh_box(name));
    assert_non_null(box);
    const int n = INSTANCES - free_instances;
    for (int i = 0; i < n; i++) {
        silent[i] = connect_to(name);
        assert_true(silent[i] != INVALID_HANDLE_VALUE);
    }
    struct late late = {.name = name};
    struct pal_thread *t = pal_thread_start(send_late, &late, "late");
    assert_non_null(t);
    if (free_instances >
        0) { /* it needs no reader; and the silent ones are timed from the first look on (mailbox_windows.c) */
        pal_thread_join(t);
        t = NULL;
    }
    expect(box, "late");
    if (t != NULL)
        pal_thread_join(t);
    assert_int_equal(late.result, PAL_MAIL_SENT);
    if (free_instances > 0) { /* slow is not silent: who is not in the way may take its time */
        write_to(silent[0], "12345678slow", HEAD + 4);
        expect(box, "slow");
    }
    for (int i = 0; i < n; i++)
        CloseHandle(silent[i]);
    expect_none(box);
    pal_mailbox_close(box);
}

static void silent_clients_do_not_keep_others_out(void **state)
{
    (void)state;
    with_silent_clients(1);
    with_silent_clients(0);
}

/* The receiver's requests end with its thread; the next one to receive goes on. */
struct receiver {
    struct pal_mailbox *box;
    size_t n;
};

static void receive_nothing(void *arg)
{
    struct receiver *r = arg;
    char got[PAL_MAIL_MAX];
    r->n = pal_mailbox_receive(r->box, got, sizeof got, NULL, pal_now_ns());
}

static void another_thread_may_go_on_receiving(void **state)
{
    (void)state;
    char name[49];
    struct receiver r = {.box = pal_mailbox_open(fresh_box(name))};
    assert_non_null(r.box);
    for (int i = 0; i < 3; i++) {
        struct pal_thread *t = pal_thread_start(receive_nothing, &r, "receiver");
        assert_non_null(t);
        pal_thread_join(t);
        assert_int_equal(r.n, 0);
        assert_int_equal(pal_mailbox_send(name, "a", 1, 0), PAL_MAIL_SENT);
        assert_int_equal(pal_mailbox_send(name, "b", 1, 0), PAL_MAIL_SENT);
        expect(r.box, "a");
        expect(r.box, "b");
    }
    struct pal_thread *t = pal_thread_start(receive_nothing, &r, "receiver");
    assert_non_null(t);
    pal_thread_join(t);
    pal_mailbox_close(r.box);
}

/* Somebody else of this user has made a pipe of that name, with no room in it, and never reads. */
static void a_pipe_that_is_no_box_holds_no_sender(void **state)
{
    (void)state;
    char name[49], path[100];
    snprintf(path, sizeof path, "\\\\.\\pipe\\openwsd-mail-%s", fresh_box(name));
    HANDLE pipe = CreateNamedPipeA(path, PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED,
                                   PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT, 1, 0, 0, 0, NULL);
    assert_true(pipe != INVALID_HANDLE_VALUE);
    assert_null(pal_mailbox_open(name));
    const unsigned before = handles_in_use();
    assert_int_not_equal(pal_mailbox_send(name, "x", 1, 100), PAL_MAIL_NOBODY); /* it returns */
    assert_int_equal(pal_mailbox_send(name, "x", 1, 100), PAL_MAIL_FAILED);     /* taken */
    assert_int_equal(handles_in_use(), before);
    CloseHandle(pipe);
}

static void a_box_is_open_to_its_user_and_the_system_only(void **state)
{
    (void)state;
    char name[49], path[100];
    ACL *acl = NULL;
    SECURITY_DESCRIPTOR *sd = NULL;
    ACL_SIZE_INFORMATION size;
    ACCESS_ALLOWED_ACE *first = NULL, *second = NULL;
    SID *owner = NULL;
    struct pal_mailbox *box = pal_mailbox_open(fresh_box(name));
    assert_non_null(box);
    snprintf(path, sizeof path, "\\\\.\\pipe\\openwsd-mail-%s", name);
    HANDLE h = CreateFileA(path, GENERIC_WRITE | READ_CONTROL, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(h != INVALID_HANDLE_VALUE);
    assert_int_equal(GetSecurityInfo(h, SE_KERNEL_OBJECT,
                                     DACL_SECURITY_INFORMATION | OWNER_SECURITY_INFORMATION, (PSID *)&owner,
                                     NULL, &acl, NULL, (PSECURITY_DESCRIPTOR *)&sd),
                     ERROR_SUCCESS);
    assert_non_null(acl);
    assert_true(GetAclInformation(acl, &size, sizeof size, AclSizeInformation));
    assert_int_equal(size.AceCount, 2);
    assert_true(GetAce(acl, 0, (void **)&first) && GetAce(acl, 1, (void **)&second));
    assert_true(EqualSid(&first->SidStart, owner));
    assert_true(IsWellKnownSid(&second->SidStart, WinLocalSystemSid));
    LocalFree(sd);
    CloseHandle(h);
    pal_mailbox_close(box);
}

int mailbox_outside_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_that_tells_nothing_or_nonsense_is_no_message),
        cmocka_unit_test(silent_clients_do_not_keep_others_out),
        cmocka_unit_test(another_thread_may_go_on_receiving),
        cmocka_unit_test(a_pipe_that_is_no_box_holds_no_sender),
        cmocka_unit_test(a_box_is_open_to_its_user_and_the_system_only),
    };
    return cmocka_run_group_tests_name("mailbox from outside", tests, NULL, NULL);
}
