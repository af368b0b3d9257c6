/* ct_process.c - the test's side of a second process: this very program, started with --role, told what to
 * do over a pipe. */
#include "ct.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct ct_process *ct_process_start(struct fixture *f)
{
    struct ct_process *p = calloc(1, sizeof *p);
    int in[2], out[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    char *const argv[] = {ct.program,
                          (char *)"--role",
                          (char *)"--device",
                          ct.address,
                          (char *)"--provider",
                          ct.provider,
                          ct_env_is_across() ? (char *)"--peer" : NULL,
                          ct.peer_provider,
                          NULL};

    assert_non_null(p);
    if (pipe(in) != 0 || pipe(out) != 0)
        ct_fail("no pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    for (int fd = 3; fd < 256; fd++) /* nothing of ours may stay open there */
        posix_spawn_file_actions_addclose(&actions, fd);
    int result = posix_spawn(&pid, ct.program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    if (result != 0)
        ct_fail("cannot start a second process: %s", strerror(result));
    p->pid = (uint32_t)pid;
    p->to = in[1];
    p->from = out[0];
    p->is_alive = true;
    p->next = f->processes;
    f->processes = p;
    assert_string_equal(ct_answer(p), "ready");
    return p;
}

struct ct_process *ct_process_connected(struct fixture *f, struct ct_end *mine, DWORD bytes)
{
    struct ct_process *p = ct_process_start(f);
    struct sw_companion *c;
    unsigned port = (unsigned)strtoul(ct_tell(p, "listen 5"), NULL, 10);
    WSD_SOCKADDR_IN to = ct_at(f->here, (uint16_t)port);

    ct_ok(sw_connect_start(f->provider, &f->other, &to, NULL, &c, NULL));
    ct_adopt_companion(f, c);
    ct_tell(p, "accept");
    ct_finish_connect(c);
    ct_tell(p, "open 65536");
    ct_end_init(f, mine, c, bytes);
    ct_order(p, "hello acceptor");
    ct_hello_connector(mine);
    ct_answer(p);
    return p;
}

void ct_order(struct ct_process *p, const char *format, ...)
{
    char line[1024];
    va_list arguments;

    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[n++] = '\n';
    if (write(p->to, line, (size_t)n) != n)
        ct_fail("the second process does not listen");
}

const char *ct_answer(struct ct_process *p)
{
    static char line[1024];
    uint64_t deadline = pal_now_ns() + (uint64_t)ct.wait_ms * 1000000u;

    for (;;) {
        char *end = memchr(p->rest, '\n', p->rest_bytes);
        if (end != NULL) {
            size_t used = (size_t)(end - p->rest);
            memcpy(line, p->rest, used);
            line[used] = '\0';
            memmove(p->rest, end + 1, p->rest_bytes - used - 1);
            p->rest_bytes -= used + 1;
            if (strncmp(line, "ok", 2) != 0)
                ct_fail("the second process says: %s", line);
            return line[2] == ' ' ? line + 3 : line + 2;
        }
        uint64_t now = pal_now_ns();
        struct pollfd wait = {.fd = p->from, .events = POLLIN};
        if (now >= deadline || poll(&wait, 1, (int)((deadline - now) / 1000000u) + 1) <= 0)
            ct_fail("the second process does not answer");
        ssize_t n = read(p->from, p->rest + p->rest_bytes, sizeof p->rest - p->rest_bytes);
        if (n <= 0)
            ct_fail("the second process ended");
        p->rest_bytes += (size_t)n;
    }
}

const char *ct_tell(struct ct_process *p, const char *format, ...)
{
    char command[900];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    ct_order(p, "%s", command);
    return ct_answer(p);
}

static void reap(struct ct_process *p, int *status)
{
    while (waitpid((pid_t)p->pid, status, 0) < 0 && errno == EINTR)
        ;
    p->is_alive = false;
    close(p->to);
    close(p->from);
}

void ct_kill(struct ct_process *p)
{
    int status;

    if (!p->is_alive)
        return;
    kill((pid_t)p->pid, SIGKILL);
    reap(p, &status);
}

void ct_stop(struct ct_process *p)
{
    int status;

    assert_int_equal(kill((pid_t)p->pid, SIGSTOP), 0);
    assert_int_equal(waitpid((pid_t)p->pid, &status, WUNTRACED), (pid_t)p->pid);
    assert_true(WIFSTOPPED(status));
}

void ct_continue(struct ct_process *p)
{
    assert_int_equal(kill((pid_t)p->pid, SIGCONT), 0);
}

void ct_process_end(struct ct_process *p)
{
    int status = 0;

    ct_tell(p, "exit");
    reap(p, &status);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        ct_fail("the second process ended with status %#x", status);
}
