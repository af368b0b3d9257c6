/* mailbox_outside_posix.c - other processes by fork and exec, and what any process can send to a socket of the local domain. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mailbox_outside.h"
#include "pal/mailbox.h"
#include "pal/time.h"

unsigned handles_in_use(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

struct child child_start(const char *verb, const char *name)
{
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "test_mailbox", verb, name, (char *)NULL);
        _exit(127);
    }
    return (struct child){.pid = (uint32_t)pid};
}

int child_end(const struct child *c)
{
    int status = 0;
    assert_int_equal(waitpid((pid_t)c->pid, &status, 0), (pid_t)c->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static socklen_t address_of(const char *name, struct sockaddr_un *at)
{
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    const int n = snprintf(at->sun_path + 1, sizeof at->sun_path - 1, "openwsd-mail-%s", name);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

void send_raw(const char *name, const void *bytes, size_t n)
{
    struct sockaddr_un to;
    const socklen_t to_bytes = address_of(name, &to);
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&to, to_bytes);
    close(fd);
}

/* ---- tests ---- */

/* The next that counts is this one. */
static bool receives(struct pal_mailbox *box, const char *wanted)
{
    char got[PAL_MAIL_MAX];
    const size_t n = pal_mailbox_receive(box, got, sizeof got, NULL,
                                         pal_now_ns() + UINT64_C(60000) * 1000000u);
    return n == strlen(wanted) && memcmp(got, wanted, n) == 0;
}

static bool is_empty(struct pal_mailbox *box)
{
    char got[PAL_MAIL_MAX];
    return pal_mailbox_receive(box, got, sizeof got, NULL, pal_now_ns() + 60000000u) == 0;
}

/* Descriptors as many as the kernel takes at once, which would be the receiver's from then on. */
static void send_with_descriptors(const char *name, const char *bytes)
{
    enum { COUNT = 253 }; /* SCM_MAX_FD, unix(7) */
    static union {
        struct cmsghdr head;
        char room[CMSG_SPACE(COUNT * sizeof(int))];
    } control;
    int fds[COUNT];
    struct sockaddr_un to;
    struct iovec what = {(void *)(uintptr_t)bytes, strlen(bytes)};
    struct msghdr m = {.msg_name = &to,
                       .msg_namelen = address_of(name, &to),
                       .msg_iov = &what,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    for (int i = 0; i < COUNT; i++)
        fds[i] = 2;
    control.head = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fds)};
    memcpy(CMSG_DATA(&control.head), fds, sizeof fds);
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(sendmsg(fd, &m, MSG_NOSIGNAL), (ssize_t)strlen(bytes));
    close(fd);
}

static void descriptors_that_come_along_do_not_become_ours(void **state)
{
    (void)state;
    char name[49];
    struct pal_mailbox *box = pal_mailbox_open(fresh_box(name));
    assert_non_null(box);
    const unsigned before = handles_in_use();
    for (int i = 0; i < 5; i++) {
        send_with_descriptors(name, "gift");
        assert_true(receives(box, "gift"));
    }
    send_with_descriptors(name, "gift"); /* and one that goes with the box */
    assert_int_equal(handles_in_use(), before);
    pal_mailbox_close(box);
    assert_int_equal(handles_in_use(), before - 2);
}

/* As somebody else, then as root (who we are) again. 77: we may not become somebody else. */
static int send_as_nobody(const char *name)
{
    if (setresuid(65534, 65534, 65534) != 0)
        return 77;
    send_raw(name, "foreign", 7);
    return pal_mailbox_send(name, "foreign too", 11, 1000) == PAL_MAIL_FAILED ? 1 : 0;
}

static int exit_code_of(int (*child)(const char *), const char *name)
{
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child(name));
    return child_end(&(struct child){.pid = (uint32_t)pid});
}

static void messages_of_other_users_are_dropped(void **state)
{
    (void)state;
    char name[49];
    struct pal_mailbox *box = pal_mailbox_open(fresh_box(name));
    assert_non_null(box);
    const int code = exit_code_of(send_as_nobody, name);
    if (code == 77) {
        pal_mailbox_close(box);
        skip(); /* needs root */
    }
    assert_int_equal(code, 0);
    assert_int_equal(pal_mailbox_send(name, "ours", 4, 0), PAL_MAIL_SENT);
    assert_true(receives(box, "ours"));
    assert_true(is_empty(box));
    pal_mailbox_close(box);
}

/* Three users: one who has started us, one whose rights we have, and root, who we can become again. */
static int receive_as_nobody(const char *name)
{
    if (setresuid(65533, 65534, 0) != 0)
        return 77;
    struct pal_mailbox *box = pal_mailbox_open(name);
    if (!box || pal_mailbox_send(name, "mine", 4, 0) != PAL_MAIL_SENT || !receives(box, "mine"))
        return 1;
    if (seteuid(0) != 0 || pal_mailbox_send(name, "root", 4, 0) != PAL_MAIL_SENT || seteuid(65534) != 0)
        return 2;
    return receives(box, "root") ? 0 : 3;
}

static void who_we_are_is_our_effective_user_and_root_may_send(void **state)
{
    (void)state;
    char name[49];
    const int code = exit_code_of(receive_as_nobody, fresh_box(name));
    if (code == 77)
        skip(); /* needs root */
    assert_int_equal(code, 0);
}

static void a_socket_of_another_kind_under_the_name_is_no_box(void **state)
{
    (void)state;
    char name[49];
    struct sockaddr_un at;
    const socklen_t at_bytes = address_of(fresh_box(name), &at);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, at_bytes), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(pal_mailbox_send(name, "x", 1, 0), PAL_MAIL_NOBODY);
    struct pal_mailbox *box = pal_mailbox_open(name); /* nor in its way: the kernel keeps them apart */
    assert_non_null(box);
    close(fd);
    assert_int_equal(pal_mailbox_send(name, "x", 1, 0), PAL_MAIL_SENT);
    assert_true(receives(box, "x"));
    pal_mailbox_close(box);
}

/* The child lives on, in another program, until its standard input ends. */
static void a_program_that_we_start_does_not_keep_our_box(void **state)
{
    (void)state;
    char name[49];
    int ends[2];
    struct pal_mailbox *box = pal_mailbox_open(fresh_box(name));
    assert_non_null(box);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const int saved = fcntl(0, F_DUPFD_CLOEXEC, 3);
    assert_true(saved >= 0 && dup2(ends[0], 0) == 0);
    const struct child c = child_start("linger", name);
    assert_int_equal(dup2(saved, 0), 0);
    close(saved);
    close(ends[0]);
    uint32_t sender = 0;
    char byte;
    assert_int_equal(pal_mailbox_receive(box, &byte, 1, &sender, pal_now_ns() + UINT64_C(60000) * 1000000u),
                     1);
    assert_int_equal(sender, c.pid);
    pal_mailbox_close(box); /* it runs, and has sent */
    assert_int_equal(pal_mailbox_send(name, "x", 1, 0), PAL_MAIL_NOBODY);
    close(ends[1]);
    assert_int_equal(child_end(&c), 0);
}

int mailbox_outside_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_that_come_along_do_not_become_ours),
        cmocka_unit_test(messages_of_other_users_are_dropped),
        cmocka_unit_test(who_we_are_is_our_effective_user_and_root_may_send),
        cmocka_unit_test(a_socket_of_another_kind_under_the_name_is_no_box),
        cmocka_unit_test(a_program_that_we_start_does_not_keep_our_box),
    };
    return cmocka_run_group_tests_name("mailbox from outside", tests, NULL, NULL);
}
