/* sp_process.c - a second process: this very program with --role, told what to do over a pipe. One command a line, one answer a line:
 * "ok ..." or what went wrong. It has one listener and one connection. */
#include "sp.h"
#include "sp_raw.h"

#include <errno.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* --- the test's side --- */

void sp_process_start(struct sp_process *p, const char *mode)
{
    char address[32];
    int in[2], out[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    WSD_SOCKADDR_IN here = sp_env.here;
    char *const argv[] = {sp_env.program,
                          (char *)"--role",
                          (char *)"--lane",
                          (char *)(uintptr_t)sp_env.lane,
                          (char *)"--library",
                          sp_env.library,
                          (char *)"--provider",
                          sp_env.provider,
                          (char *)"--address",
                          address,
                          NULL};

    memset(p, 0, sizeof *p);
    sw_format_address(&here, address, sizeof address);
    *strchr(address, ':') = '\0';
    if (pipe(in) != 0 || pipe(out) != 0)
        sp_fail("no pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    for (int fd = 3; fd < 256; fd++) /* nothing of ours may stay open there */
        posix_spawn_file_actions_addclose(&actions, fd);
    int result = posix_spawn(&pid, sp_env.program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    if (result != 0)
        sp_fail("cannot start a second process: %s", strerror(result));
    p->pid = (uint32_t)pid;
    p->to = in[1];
    p->from = out[0];
    sp_tell(p, "start %s", mode);
}

void sp_order(struct sp_process *p, const char *format, ...)
{
    char line[4096];
    va_list arguments;

    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[n++] = '\n';
    if (write(p->to, line, (size_t)n) != n)
        sp_fail("the second process does not listen");
}

const char *sp_answer(struct sp_process *p)
{
    static char line[4096];
    uint64_t deadline = sp_deadline();

    for (;;) {
        char *end = memchr(p->rest, '\n', p->rest_bytes);
        if (end != NULL) {
            size_t used = (size_t)(end - p->rest);
            memcpy(line, p->rest, used);
            line[used] = '\0';
            memmove(p->rest, end + 1, p->rest_bytes - used - 1);
            p->rest_bytes -= used + 1;
            if (strncmp(line, "ok", 2) != 0)
                sp_fail("the second process says: %s", line);
            return line[2] == ' ' ? line + 3 : line + 2;
        }
        uint64_t now = pal_now_ns();
        struct pollfd wait = {.fd = p->from, .events = POLLIN};
        if (now >= deadline || poll(&wait, 1, (int)((deadline - now) / 1000000u) + 1) <= 0)
            sp_fail("the second process does not answer");
        ssize_t n = read(p->from, p->rest + p->rest_bytes, sizeof p->rest - p->rest_bytes);
        if (n <= 0)
            sp_fail("the second process ended");
        p->rest_bytes += (size_t)n;
    }
}

const char *sp_tell(struct sp_process *p, const char *format, ...)
{
    char command[4000];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    sp_order(p, "%s", command);
    return sp_answer(p);
}

void sp_process_end(struct sp_process *p)
{
    int status = 0;

    sp_tell(p, "exit");
    while (waitpid((pid_t)p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(p->to);
    close(p->from);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        sp_fail("the second process ended with status %#x", (unsigned)status);
}

/* --- the other side --- */

static SOCKET listener = INVALID_SOCKET, connection = INVALID_SOCKET;

static int make_listener(char *answer, size_t bytes)
{
    WSD_SOCKADDR_IN at;
    int error = sp_socket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, WSA_FLAG_OVERLAPPED, &listener);

    if (error == 0)
        error = sp_bind(listener, &sp_env.here);
    if (error == 0)
        error = sp_listen(listener, 5);
    if (error == 0)
        error = sp_local(listener, &at);
    if (error == 0)
        sw_format_address(&at, answer, bytes);
    return error;
}

static int make_connection(const char *to)
{
    WSD_SOCKADDR_IN at;
    int error = sw_parse_address(to, &at);

    if (error == 0)
        error = sp_socket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, WSA_FLAG_OVERLAPPED, &connection);
    return error == 0 ? sp_connect(connection, &at) : error;
}

static int transfer(bool is_send, unsigned seed, unsigned bytes)
{
    char *data = malloc(bytes), *expected = malloc(bytes);
    DWORD done = 0, some = 0;
    int error = 0;

    sp_fill(expected, bytes, seed, 0);
    if (is_send)
        error = sp_send(connection, expected, bytes, 0, &done);
    while (!is_send && error == 0 && done < bytes) {
        error = sp_recv(connection, data + done, bytes - done, 0, &some);
        if (error == 0 && some == 0)
            break;
        done += some;
    }
    if (error == 0 && (done != bytes || (!is_send && memcmp(data, expected, bytes) != 0)))
        error = -2;
    free(data);
    free(expected);
    return error;
}

/* A protocol info travels as hexadecimal text: it is plain bytes to whoever carries it (page of WSADuplicateSocket). */
static int adopt(const char *text, SOCKET *out)
{
    WSAPROTOCOL_INFOW info;
    unsigned char *bytes = (unsigned char *)&info;
    INT error = 0;

    for (size_t i = 0; i < sizeof info; i++) {
        unsigned value = 0;
        if (sscanf(text + 2 * i, "%2x", &value) != 1)
            return WSAEINVAL;
        bytes[i] = (unsigned char)value;
    }
    *out = sp.procs->lpWSPSocket(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                                 WSA_FLAG_OVERLAPPED, &error);
    return *out == INVALID_SOCKET ? error : 0;
}

static int give(unsigned pid, char *answer)
{
    WSAPROTOCOL_INFOW info;
    INT error = 0;

    if (sp.procs->lpWSPDuplicateSocket(connection, pid, &info, &error) == SOCKET_ERROR)
        return error;
    for (size_t i = 0; i < sizeof info; i++)
        sprintf(answer + 2 * i, "%02x", ((unsigned char *)&info)[i]);
    return 0;
}

static int receive_text(char *answer, unsigned bytes)
{
    DWORD have = 0, got = 1;
    int error = 0;

    while (error == 0 && have < bytes && got > 0) {
        error = sp_recv(connection, answer + have, bytes - have, 0, &got);
        have += error == 0 ? got : 0;
    }
    answer[have] = '\0';
    return error;
}

static int end_of_stream(void)
{
    char byte;
    DWORD got = 99;
    int error = sp_recv(connection, &byte, 1, 0, &got);

    return error != 0 ? error : got == 0 ? 0 : -2;
}

static int obey(char *line, char *answer, size_t answer_bytes)
{
    unsigned a = 0, b = 0;
    char text[32] = "";

    if (sscanf(line, "start %15s", text) == 1) {
        sp_switch_mode(text);
        sp_load();
        return 0;
    }
    if (strcmp(line, "listen") == 0)
        return make_listener(answer, answer_bytes);
    if (strcmp(line, "accept") == 0)
        return sp_accept(listener, &connection);
    if (strncmp(line, "connect ", 8) == 0)
        return make_connection(line + 8);
    if (sscanf(line, "send %u %u", &a, &b) == 2)
        return transfer(true, a, b);
    if (sscanf(line, "recv %u %u", &a, &b) == 2)
        return transfer(false, a, b);
    if (strcmp(line, "end") == 0)
        return end_of_stream();
    if (strncmp(line, "adopt ", 6) == 0)
        return adopt(line + 6, &connection);
    if (strncmp(line, "adoptlistener ", 14) == 0)
        return adopt(line + 14, &listener);
    if (sscanf(line, "recvtext %u", &a) == 1)
        return receive_text(answer, a);
    if (strncmp(line, "raw ", 4) == 0)
        return sp_raw_obey(line + 4);
    if (sscanf(line, "give %u", &a) == 1)
        return give(a, answer);
    if (strcmp(line, "carried") == 0)
        return sp.carried_by(connection, answer, answer_bytes);
    if (sscanf(line, "shutdown %u", &a) == 1)
        return sp_shutdown(connection, (int)a);
    if (strcmp(line, "close") == 0)
        return sp_close(connection);
    return -3;
}

int sp_role(void)
{
    char line[4096], answer[4000], text[4000];
    unsigned violations;

    while (fgets(line, sizeof line, stdin) != NULL) {
        int error;

        line[strcspn(line, "\r\n")] = '\0';
        answer[0] = '\0';
        if (strcmp(line, "exit") == 0)
            break;
        error = obey(line, answer, sizeof answer);
        if (error == 0)
            printf("ok %s\n", answer);
        else
            printf("%s: %d %s\n", line, error, sw_error_name(error));
        fflush(stdout);
    }
    if (listener != INVALID_SOCKET)
        sp_close(listener);
    violations = sp.ws2 != NULL ? ws2_unload(sp.ws2, text, sizeof text) : 0;
    printf(violations == 0 ? "ok\n" : "violations: %s\n", text);
    return violations == 0 ? 0 : 1;
}
