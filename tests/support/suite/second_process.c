/* second_process.c - see second_process.h. */
#include "suite/second_process.h"

#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pal/time.h"
#include "suite/suite.h"

extern char **environ;

#define give_up(...) suite_fail(__FILE__, __LINE__, "the second process " __VA_ARGS__)

void second_process_start(struct second_process *p, char *const argv[], uint32_t wait_ms)
{
    int in[2], out[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;

    memset(p, 0, sizeof *p);
    if (pipe(in) != 0 || pipe(out) != 0)
        give_up("gets no pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    for (int fd = 3; fd < 256; fd++) /* nothing of ours may stay open there */
        posix_spawn_file_actions_addclose(&actions, fd);
    int result = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    if (result != 0)
        give_up("cannot be started: %s", strerror(result));
    p->pid = (uint32_t)pid;
    p->wait_ms = wait_ms;
    p->to = in[1];
    p->from = out[0];
    p->is_alive = true;
}

static void order(struct second_process *p, const char *format, va_list arguments)
{
    char line[4096];
    int n = vsnprintf(line, sizeof line - 1, format, arguments);

    if (n < 0 || n >= (int)sizeof line - 1)
        give_up("is told more than fits a line");
    line[n++] = '\n';
    if (write(p->to, line, (size_t)n) != n)
        give_up("does not listen");
}

void second_process_order(struct second_process *p, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    order(p, format, arguments);
    va_end(arguments);
}

/* The first whole line of what was read, taken out of it; false: there is none yet. */
static bool take_line(struct second_process *p, char *line)
{
    char *end = memchr(p->rest, '\n', p->rest_bytes);
    size_t used;

    if (end == NULL)
        return false;
    used = (size_t)(end - p->rest);
    memcpy(line, p->rest, used);
    line[used] = '\0';
    memmove(p->rest, end + 1, p->rest_bytes - used - 1);
    p->rest_bytes -= used + 1;
    return true;
}

static void read_more(struct second_process *p, uint64_t deadline)
{
    uint64_t now = pal_now_ns();
    struct pollfd wait = {.fd = p->from, .events = POLLIN};
    ssize_t n;

    if (now >= deadline || poll(&wait, 1, (int)((deadline - now) / 1000000u) + 1) <= 0)
        give_up("does not answer");
    n = read(p->from, p->rest + p->rest_bytes, sizeof p->rest - p->rest_bytes);
    if (n <= 0)
        give_up("ended");
    p->rest_bytes += (size_t)n;
}

const char *second_process_answer(struct second_process *p)
{
    static char line[sizeof p->rest];
    uint64_t deadline = pal_now_ns() + (uint64_t)p->wait_ms * 1000000u;

    while (!take_line(p, line))
        read_more(p, deadline);
    if (strncmp(line, "ok", 2) != 0)
        give_up("says: %s", line);
    return line[2] == ' ' ? line + 3 : line + 2;
}

const char *second_process_tell(struct second_process *p, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    order(p, format, arguments);
    va_end(arguments);
    return second_process_answer(p);
}

void second_process_reap(struct second_process *p, int *status)
{
    while (waitpid((pid_t)p->pid, status, 0) < 0 && errno == EINTR)
        ;
    p->is_alive = false;
    close(p->to);
    close(p->from);
}

void second_process_end(struct second_process *p)
{
    int status = 0;

    second_process_tell(p, "exit");
    second_process_reap(p, &status);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        give_up("ended with status %#x", (unsigned)status);
}
