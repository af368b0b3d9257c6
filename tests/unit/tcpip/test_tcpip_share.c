/* test_tcpip_share.c - one socket in two processes (contract 10.1, 8). The other process is this program again: it reads orders as
 * lines from its standard input and answers each with a line. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

#include "pal/process.h"

#define V4 WS_AF_INET

enum { TEXT_MAX = 1024, LINE_MAX_BYTES = 2 * TEXT_MAX + 64 };

extern char **environ;
static char *program;

/* --- the other process ---------------------------------------------------------------------------------- */

static size_t from_hex(const char *hex, unsigned char *out)
{
    size_t n = 0;
    unsigned byte;

    for (; n < TEXT_MAX && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        out[n] = (unsigned char)byte;
    return n;
}

static void obey(struct end *e, char *line)
{
    unsigned char text[TEXT_MAX];
    char byte;
    size_t got = 0;

    if (strncmp(line, "adopt ", 6) == 0) {
        struct sw_carrier *c = NULL;
        int code = sw_tcp_adopt(text, from_hex(line + 6, text), &end_up, e, &c);

        if (code == 0) {
            end_init(e);
            e->c = c;
        }
        printf("%d\n", code);
    } else if (strncmp(line, "send ", 5) == 0) {
        end_send(e, line + 5, 1);
        printf("0\n");
    } else if (strcmp(line, "receive") == 0) {
        int code = end_receive_some(e, &byte, 1, &got);

        printf("%d %c\n", code, got == 1 ? byte : '-');
    } else if (strcmp(line, "accept") == 0) {
        struct end listener;

        end_init(&listener); /* moves: from here on the listener's upcalls have nobody else */
        listener.c = e->c;
        listener.c->owner = &listener;
        end_accept(&listener, e);
        printf("%d\n", end_close(&listener, 0));
    } else if (strcmp(line, "close") == 0) {
        printf("%d\n", end_close(e, SW_SESSION_LINGER_FOREVER));
    }
    fflush(stdout);
}

static int other_process(void)
{
    static char line[LINE_MAX_BYTES];
    static struct end e;

    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        obey(&e, line);
    }
    return 0;
}

/* --- this one ------------------------------------------------------------------------------------------- */

struct process {
    pid_t pid;
    FILE *to, *from;
    char answer[64];
};

static const char *answer(struct process *p)
{
    assert_non_null(fgets(p->answer, sizeof p->answer, p->from));
    p->answer[strcspn(p->answer, "\r\n")] = '\0';
    return p->answer;
}

static const char *ask(struct process *p, const char *order)
{
    fprintf(p->to, "%s\n", order);
    fflush(p->to);
    return answer(p);
}

static void start(struct process *p)
{
    int in[2], out[2];
    posix_spawn_file_actions_t actions;
    char *const argv[] = {program, (char *)"--other", NULL};

    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    for (int fd = 3; fd < 64; fd++)
        posix_spawn_file_actions_addclose(&actions, fd);
    assert_int_equal(posix_spawn(&p->pid, program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    p->to = fdopen(in[1], "w");
    p->from = fdopen(out[0], "r");
    assert_non_null(p->to);
    assert_non_null(p->from);
    assert_string_equal(answer(p), "ready");
}

static void stop(struct process *p)
{
    int status = 1;

    fclose(p->to);
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    assert_int_equal(status, 0);
    fclose(p->from);
}

static int give(struct end *e, uint32_t pid, char *order)
{
    unsigned char text[TEXT_MAX];
    size_t bytes = sizeof text;
    int code = e->c->ops->give(e->c, pid, text, &bytes, test_deadline());

    if (code != 0)
        return code;
    strcpy(order, "adopt ");
    for (size_t i = 0; i < bytes; i++)
        sprintf(order + 6 + 2 * i, "%02x", text[i]);
    return 0;
}

static void a_stream_is_used_by_both_and_ends_with_the_last(void **state)
{
    struct end a, b;
    struct process p;
    static char order[LINE_MAX_BYTES];
    char byte;
    size_t got = 1;

    (void)state;
    start(&p);
    pair_open(&a, &b, V4);
    assert_int_equal(give(&b, (uint32_t)p.pid, order), 0);
    assert_string_equal(ask(&p, order), "0");
    assert_string_equal(ask(&p, "send X"), "0");
    end_receive(&a, &byte, 1);
    assert_int_equal(byte, 'X');
    end_send(&b, "Y", 1); /* still usable here */
    end_receive(&a, &byte, 1);
    assert_int_equal(byte, 'Y');
    assert_int_equal(end_close(&b, 1000), 0); /* B213, also with a linger time */
    end_send(&a, "Z", 1);
    assert_string_equal(ask(&p, "receive"), "0 Z");
    assert_string_equal(ask(&p, "send W"), "0");
    end_receive(&a, &byte, 1);
    assert_string_equal(ask(&p, "close"), "0");
    assert_int_equal(end_receive_some(&a, &byte, 1, &got), 0); /* the last close is seen at once */
    assert_int_equal(got, 0);
    assert_int_equal(end_close(&a, SW_SESSION_LINGER_FOREVER), 0);
    stop(&p);
}

static void a_listener_is_used_by_both(void **state)
{
    struct end listener, a;
    struct process p;
    static char order[LINE_MAX_BYTES];
    char byte;

    (void)state;
    start(&p);
    end_listen(&listener, V4);
    assert_int_equal(give(&listener, (uint32_t)p.pid, order), 0);
    assert_string_equal(ask(&p, order), "0");
    end_open(&a, V4, WS_SOCK_STREAM);
    end_connect(&a, &listener);
    assert_string_equal(ask(&p, "accept"), "0");
    assert_string_equal(ask(&p, "send L"), "0");
    end_receive(&a, &byte, 1);
    assert_int_equal(byte, 'L');
    assert_string_equal(ask(&p, "close"), "0");
    assert_int_equal(end_close(&a, SW_SESSION_LINGER_FOREVER), 0);
    assert_int_equal(end_close(&listener, 0), 0);
    stop(&p);
}

static void within_one_process_too(void **state)
{
    struct end a, b, twin;
    static char order[LINE_MAX_BYTES];
    unsigned char text[TEXT_MAX];
    size_t bytes;
    char byte;

    (void)state;
    pair_open(&a, &b, V4);
    assert_int_equal(give(&b, pal_process_id(), order), 0);
    bytes = from_hex(order + 6, text);
    end_init(&twin);
    assert_int_equal(sw_tcp_adopt(text, bytes, &end_up, &twin, &twin.c), 0);
    end_send(&twin, "t", 1);
    end_receive(&a, &byte, 1);
    assert_int_equal(byte, 't');
    assert_int_equal(end_close(&twin, SW_SESSION_LINGER_FOREVER), 0);
    end_send(&b, "u", 1);
    end_receive(&a, &byte, 1);
    pair_close(&a, &b);
}

static void what_was_given_is_for_one_process_and_once(void **state)
{
    struct end a, b;
    struct process p, q;
    static char order[LINE_MAX_BYTES];
    char refused[16];

    (void)state;
    if (test_system() != TEST_LINUX)
        skip(); /* what Windows keeps of a duplicated socket is its own affair */
    snprintf(refused, sizeof refused, "%d", WSAEINVAL);
    start(&p);
    start(&q);
    pair_open(&a, &b, V4);
    assert_int_equal(give(&b, (uint32_t)p.pid, order), 0);
    assert_string_equal(ask(&q, order), refused);
    assert_string_equal(ask(&p, order), "0");
    assert_string_equal(ask(&p, order), refused);
    assert_string_equal(ask(&p, "close"), "0");
    stop(&q);
    stop(&p);
    pair_close(&a, &b);
}

static void there_must_be_such_a_process(void **state)
{
    struct end a, b;
    static char order[LINE_MAX_BYTES];

    (void)state;
    pair_open(&a, &b, V4);
    assert_int_equal(give(&b, 0x7FFFFFF0u, order), WSAEINVAL); /* B211 */
    pair_close(&a, &b);
}

static void a_text_that_is_none_is_refused(void **state)
{
    struct end e;
    unsigned char text[TEXT_MAX] = {0};

    (void)state;
    end_init(&e);
    assert_int_equal(sw_tcp_adopt(text, 0, &end_up, &e, &e.c), WSAEINVAL);
    assert_int_not_equal(sw_tcp_adopt(text, sizeof text, &end_up, &e, &e.c), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_used_by_both_and_ends_with_the_last),
        cmocka_unit_test(a_listener_is_used_by_both),
        cmocka_unit_test(within_one_process_too),
        cmocka_unit_test(what_was_given_is_for_one_process_and_once),
        cmocka_unit_test(there_must_be_such_a_process),
        cmocka_unit_test(a_text_that_is_none_is_refused),
    };
    int failed;

    program = argv[0];
    if (argc > 1 && strcmp(argv[1], "--other") == 0)
        return other_process();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    sw_tcp_stop();
    return failed;
}
