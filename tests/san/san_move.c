/* san_move.c - a connection goes to another process, with what nobody has fetched yet; the peer notices nothing. */
#include "san_test.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define RECORD_MAX 131072u

static void write_all(int fd, const void *bytes, size_t n)
{
    while (n > 0) {
        ssize_t part = write(fd, bytes, n);

        assert_true(part > 0);
        bytes = (const char *)bytes + part;
        n -= (size_t)part;
    }
}

static bool read_all(int fd, void *bytes, size_t n)
{
    while (n > 0) {
        ssize_t part = read(fd, bytes, n);

        if (part <= 0)
            return false;
        bytes = (char *)bytes + part;
        n -= (size_t)part;
    }
    return true;
}

/* --- the other process: echoes until the peer is done --- */

static int serve(struct end *e)
{
    static char text[100000];
    size_t n;

    for (;;) {
        if (end_receive(e, text, sizeof(text), &n) != 0)
            return 3;
        if (n == 0)
            return 0;
        if (end_send(e, text, n) != 0)
            return 4;
    }
}

int move_main(void)
{
    static uint8_t record[RECORD_MAX];
    uint32_t bytes = 0;
    struct end e;
    int result;

    if (san_setup(NULL) != 0 || !read_all(0, &bytes, sizeof(bytes)) || bytes > sizeof(record) ||
        !read_all(0, record, bytes))
        return 2;
    end_init(&e);
    result = sw_san_adopt(env.provider, &env.settings, record, bytes, &end_up, &e, &e.carrier);
    if (result != 0) {
        fprintf(stderr, "adopt: %s\n", sw_error_name(result));
        return 2;
    }
    result = serve(&e);
    end_close(&e, SW_SESSION_LINGER_FOREVER);
    return san_teardown(NULL) == 0 ? result : 5;
}

struct process {
    pid_t pid;
    int to;
};

static void start(struct process *p)
{
    char *const argv[] = {(char *)(uintptr_t)env.program,
                          (char *)"--group",
                          (char *)"taker",
                          (char *)"--provider",
                          (char *)(uintptr_t)env.provider_path,
                          (char *)"--address",
                          (char *)(uintptr_t)env.address,
                          NULL};
    posix_spawn_file_actions_t actions;
    int in[2];

    assert_int_equal(pipe(in), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    for (int fd = 3; fd < 256; fd++) /* nothing of ours may stay open there */
        posix_spawn_file_actions_addclose(&actions, fd);
    assert_int_equal(posix_spawn(&p->pid, env.program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    p->to = in[1];
}

static void move_it(struct end *e, struct process *p)
{
    static uint8_t record[RECORD_MAX];
    size_t bytes = sizeof(record);
    uint32_t length;

    assert_int_equal(e->carrier->ops->give(e->carrier, (DWORD)p->pid, record, &bytes,
                                           pal_now_ns() + WAIT_MS * UINT64_C(1000000)),
                     0);
    length = (uint32_t)bytes;
    write_all(p->to, &length, sizeof(length));
    write_all(p->to, record, bytes);
    close(p->to);
}

static void end_of(struct process *p)
{
    int status = -1;

    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Words to and fro by overlapped calls, which make nothing hot: what moves then has a send behind it whose end nobody has seen (slots.c). */
static void talk_quietly(struct end *moves, struct end *stays)
{
    struct sw_san_stats stats;
    struct pending to, fro;
    char at_stays[2], at_moves[3];

    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(end_submit(stays, &to, SW_REQUEST_RECEIVE, at_stays, 2), 0);
        assert_int_equal(end_submit(moves, &fro, SW_REQUEST_RECEIVE, at_moves, 3), 0);
        assert_int_equal(end_send(stays, "fro", 3), 0);
        end_wait_pending(moves, &fro);
        assert_int_equal(end_send(moves, "to", 2), 0);
        end_wait_pending(stays, &to);
    }
    sw_san_stats(moves->carrier, &stats);
    assert_true(stats.quiet_sends > 0);
}

static void check_move(bool is_connector, bool is_quiet)
{
    struct end a, b, *moves = is_connector ? &a : &b, *stays = is_connector ? &b : &a;
    struct process p;
    struct pending waits;
    uint8_t text[64], *large = malloc(50000), *back = malloc(50000);
    size_t n;

    start(&p);
    end_pair(&a, &b);
    if (is_quiet)
        talk_quietly(moves, stays);
    for (unsigned i = 0; i < 100 && !is_quiet; i++) { /* hot, perhaps */
        assert_int_equal(end_send(moves, "to", 2), 0);
        end_receive_all(stays, text, 2);
        assert_int_equal(end_send(stays, "fro", 3), 0);
        end_receive_all(moves, text, 3);
    }
    assert_int_equal(end_send(stays, "unread", 6), 0);
    end_wait_events(moves, FD_READ);
    assert_int_equal(end_submit(stays, &waits, SW_REQUEST_RECEIVE, text, 6), 0);
    move_it(moves, &p);
    assert_int_equal(end_send(moves, "x", 1), SW_E_MOVED);
    end_close(moves, 0);
    end_wait_pending(stays, &waits);
    assert_int_equal(waits.request.op.error, 0);
    for (size_t got = (size_t)waits.request.op.bytes; got < 6; got += n)
        assert_int_equal(end_receive(stays, text + got, 6 - got, &n), 0);
    assert_memory_equal(text, "unread", 6);
    for (size_t i = 0; i < 50000; i++)
        large[i] = pattern(i, 4);
    assert_int_equal(end_send(stays, large, 50000), 0);
    end_receive_all(stays, back, 50000);
    assert_memory_equal(large, back, 50000);
    assert_int_equal(stays->carrier->ops->shutdown(stays->carrier, SD_SEND), 0);
    assert_int_equal(end_receive(stays, text, 1, &n), 0);
    assert_int_equal(n, 0);
    end_close(stays, SW_SESSION_LINGER_FOREVER);
    end_of(&p);
    free(large);
    free(back);
}

static void the_connecting_side_moves(void **state)
{
    (void)state;
    check_move(true, false);
    check_move(true, true);
}

static void the_accepting_side_moves(void **state)
{
    (void)state;
    check_move(false, false);
    check_move(false, true);
}

static void what_is_no_record_is_refused(void **state)
{
    static uint8_t record[4096];
    struct end e;

    (void)state;
    end_init(&e);
    assert_int_equal(sw_san_adopt(env.provider, &env.settings, record, 10, &end_up, &e, &e.carrier),
                     WSAEINVAL);
    assert_int_equal(
        sw_san_adopt(env.provider, &env.settings, record, sizeof(record), &end_up, &e, &e.carrier),
        WSAEINVAL);
    end_fini(&e);
}

static void room_that_is_too_small_changes_nothing(void **state)
{
    struct end a, b;
    uint8_t record[16];
    size_t bytes = sizeof(record);
    char text[8];

    (void)state;
    end_pair(&a, &b);
    assert_int_equal(a.carrier->ops->give(a.carrier, 1, record, &bytes, pal_now_ns()), WSAEFAULT);
    assert_int_equal(end_send(&a, "here", 4), 0);
    end_receive_all(&b, text, 4);
    end_close(&a, SW_SESSION_LINGER_FOREVER);
    end_close(&b, SW_SESSION_LINGER_FOREVER);
}

#define T(name) cmocka_unit_test_setup_teardown(name, san_setup, san_teardown)
const struct CMUnitTest move_tests[] = {
    T(the_connecting_side_moves),
    T(the_accepting_side_moves),
    T(what_is_no_record_is_refused),
    T(room_that_is_too_small_changes_nothing),
};
const size_t move_test_count = sizeof(move_tests) / sizeof(move_tests[0]);
