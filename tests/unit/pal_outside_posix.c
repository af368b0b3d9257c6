/* pal_outside_posix.c - other processes by fork, signal masks, and records as files in /dev/shm. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pal/mutex.h"
#include "pal/process.h"
#include "pal/thread.h"
#include "pal_outside.h"

const char *const pal_library_with_cos = "libm.so.6";

int pal_outside_child(int argc, char **argv)
{
    (void)argc;
    fprintf(stderr, "%s takes no arguments\n", argv[0]);
    return 2;
}

/* Run `child` in a process of its own; its return value is the exit code. */
static pid_t fork_to(int (*child)(void *arg), void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child(arg));
    return pid;
}

static int wait_for(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* ---- threads ---- */

struct thread_report {
    uint64_t id;
    char name[16];
    bool blocks_term, blocks_segv;
};

static void report_thread(void *arg)
{
    struct thread_report *r = arg;
    sigset_t mask;
    r->id = pal_thread_id();
    assert_int_equal(pal_thread_id(), r->id);
    pthread_getname_np(pthread_self(), r->name, sizeof r->name);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    r->blocks_term = sigismember(&mask, SIGTERM);
    r->blocks_segv = sigismember(&mask, SIGSEGV);
}

static void a_thread_has_its_name_and_signal_mask(void **state)
{
    (void)state;
    struct thread_report first = {0}, second = {0};
    struct pal_thread *t = pal_thread_start(report_thread, &first, "a-name-that-is-too-long");
    assert_non_null(t);
    pal_thread_join(t);
    t = pal_thread_start(report_thread, &second, NULL);
    assert_non_null(t);
    pal_thread_join(t);
    assert_true(first.id != 0 && second.id != 0 && first.id != second.id);
    assert_true(first.id != pal_thread_id() && second.id != pal_thread_id());
    assert_string_equal(first.name, "a-name-that-is-");
    assert_true(first.blocks_term);
    assert_false(first.blocks_segv);
    pal_thread_yield();
}

static void starting_a_thread_leaves_the_callers_signal_mask_alone(void **state)
{
    (void)state;
    sigset_t mask;
    struct thread_report r = {0};
    pal_thread_join(pal_thread_start(report_thread, &r, "mask"));
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0);
}

#ifdef PAL_LOCK_DEBUG

static struct pal_mutex static_lock = PAL_MUTEX_INIT;

static void keep_quiet(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGABRT, SIG_DFL); /* cmocka and the sanitizers install their own */
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 2);
}

static int lock_twice(void *arg)
{
    (void)arg;
    keep_quiet();
    pal_mutex_lock(&static_lock);
    pal_mutex_lock(&static_lock);
    return 0;
}

static int unlock_what_is_free(void *arg)
{
    (void)arg;
    keep_quiet();
    pal_mutex_unlock(&static_lock);
    return 0;
}

static int destroy_what_is_held(void *arg)
{
    (void)arg;
    keep_quiet();
    pal_mutex_lock(&static_lock);
    pal_mutex_fini(&static_lock);
    return 0;
}

static void debug_builds_abort_on_misuse_of_a_mutex(void **state)
{
    (void)state;
    int (*const misuses[])(void *) = {lock_twice, unlock_what_is_free, destroy_what_is_held};
    for (size_t i = 0; i < sizeof misuses / sizeof misuses[0]; i++) {
        int status = wait_for(fork_to(misuses[i], NULL));
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

#endif

/* ---- processes and records ---- */

static int exit_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static void a_process_exists_until_it_was_waited_for(void **state)
{
    (void)state;
    assert_true(pal_process_exists(pal_process_id()));
    assert_false(pal_process_exists(0));
    assert_false(pal_process_exists(UINT32_MAX));
    pid_t pid = fork_to(exit_at_once, NULL);
    wait_for(pid);
    assert_false(pal_process_exists((uint32_t)pid));
}

static void record_file(const char *name, char *out, size_t out_bytes)
{
    snprintf(out, out_bytes, "/dev/shm/openwsd-%u-%s", (unsigned)geteuid(), name);
}

static void a_record_is_readable_by_its_user_only_whatever_the_umask(void **state)
{
    (void)state;
    char name[49], path[128], byte = 7;
    struct stat st;
    mode_t before = umask(0777);
    enum pal_record_status put = pal_record_put(fresh_name(name), &byte, 1);
    umask(before);
    assert_int_equal(put, PAL_RECORD_OK);
    record_file(name, path, sizeof path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(pal_record_take(name, &byte, 1), PAL_RECORD_OK);
}

static void what_others_could_have_written_is_not_a_record(void **state)
{
    (void)state;
    char name[49], path[128], byte = 0;
    record_file(fresh_name(name), path, sizeof path);
    int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x and who put it.", 17), 17); /* as long as a record of one byte */
    assert_int_equal(fchmod(fd, 0666), 0);
    close(fd);
    assert_int_equal(pal_record_peek(name, &byte, 1), PAL_RECORD_FAILED);
    assert_int_equal(pal_record_take(name, &byte, 1), PAL_RECORD_FAILED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_int_equal(pal_record_peek(name, &byte, 1), PAL_RECORD_FAILED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pal_record_peek(name, &byte, 1), PAL_RECORD_FAILED);
    assert_true(pal_record_drop(name));
}

#define CHILDREN 6
#define RECORDS  40

struct race {
    char names[RECORDS][49];
    int go_fd; /* children start when its other end closes */
};

/* Exit code: how many this child won; 255: something it must not see. */
static int take_all(void *arg)
{
    const struct race *r = arg;
    char byte, data[64];
    int won = 0;
    (void)!read(r->go_fd, &byte, 1);
    for (int i = 0; i < RECORDS; i++) {
        enum pal_record_status st = pal_record_take(r->names[i], data, sizeof data);
        if (st == PAL_RECORD_OK) {
            for (size_t k = 0; k < sizeof data; k++)
                if (data[k] != (char)i)
                    return 255;
            won++;
        } else if (st != PAL_RECORD_NOT_FOUND) {
            return 255;
        }
    }
    return won;
}

/* Exit code: how many this child published. */
static int put_all(void *arg)
{
    const struct race *r = arg;
    char byte, data[64];
    int won = 0;
    (void)!read(r->go_fd, &byte, 1);
    for (int i = 0; i < RECORDS; i++) {
        memset(data, i, sizeof data);
        enum pal_record_status st = pal_record_put(r->names[i], data, sizeof data);
        if (st == PAL_RECORD_OK)
            won++;
        else if (st != PAL_RECORD_EXISTS)
            return 255;
    }
    return won;
}

static int run_race(struct race *r, int (*child)(void *arg))
{
    pid_t pids[CHILDREN];
    int ends[2], won = 0;
    assert_int_equal(pipe(ends), 0);
    r->go_fd = ends[0];
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            close(ends[1]);
            _exit(child(r));
        }
    }
    close(ends[0]);
    close(ends[1]); /* go */
    for (int i = 0; i < CHILDREN; i++) {
        int status = wait_for(pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_not_equal(WEXITSTATUS(status), 255);
        won += WEXITSTATUS(status);
    }
    return won;
}

static void of_racing_processes_one_puts_and_one_takes_each_record(void **state)
{
    (void)state;
    struct race r;
    for (int i = 0; i < RECORDS; i++)
        fresh_name(r.names[i]);
    fflush(NULL);
    assert_int_equal(run_race(&r, put_all), RECORDS);
    assert_int_equal(run_race(&r, take_all), RECORDS);
    for (int i = 0; i < RECORDS; i++)
        assert_false(pal_record_drop(r.names[i]));
}

static int put_and_end(void *arg)
{
    char byte = 1;
    return pal_record_put(arg, &byte, 1) == PAL_RECORD_OK ? 0 : 255;
}

static void make_old(const char *name)
{
    const struct timespec times[2] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
    char path[128];
    record_file(name, path, sizeof path);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Ages are those of a day's work, so that records of other tests are safe. */
static void what_ended_processes_left_is_swept_once_it_is_old(void **state)
{
    (void)state;
    char old[49], young[49], mine[49], path[128], byte = 1;
    assert_int_equal(pal_record_put(fresh_name(mine), &byte, 1), PAL_RECORD_OK);
    make_old(mine);
    (void)fresh_name(old);
    (void)fresh_name(young);
    assert_int_equal(wait_for(fork_to(put_and_end, old)), 0);
    assert_int_equal(wait_for(fork_to(put_and_end, young)), 0);
    make_old(old);
    record_file(mine, path, sizeof path); /* a file that a take has left half way */
    strcat(path, ".take.1.1");
    int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);
    assert_true(fd >= 0);
    close(fd);
    make_old(strstr(path, mine));
    assert_true(pal_record_sweep(3600) >= 2);
    assert_int_equal(pal_record_peek(old, &byte, 1), PAL_RECORD_NOT_FOUND);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(pal_record_take(young, &byte, 1), PAL_RECORD_OK);
    assert_int_equal(pal_record_take(mine, &byte, 1), PAL_RECORD_OK);
}

int pal_outside_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_has_its_name_and_signal_mask),
        cmocka_unit_test(starting_a_thread_leaves_the_callers_signal_mask_alone),
#ifdef PAL_LOCK_DEBUG
        cmocka_unit_test(debug_builds_abort_on_misuse_of_a_mutex),
#endif
        cmocka_unit_test(a_process_exists_until_it_was_waited_for),
        cmocka_unit_test(a_record_is_readable_by_its_user_only_whatever_the_umask),
        cmocka_unit_test(what_others_could_have_written_is_not_a_record),
        cmocka_unit_test(of_racing_processes_one_puts_and_one_takes_each_record),
        cmocka_unit_test(what_ended_processes_left_is_swept_once_it_is_old),
    };
    return cmocka_run_group_tests_name("pal from outside", tests, NULL, NULL);
}
