/* posix_process.c - a child process with pipes, and what one does to it. */
#include "posix_on_windows.h"
#include "start_process.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <poll.h>
#include <string.h>
#include <windows.h>

#define CHILDREN_MAX 64

static struct child {
    DWORD pid;
    HANDLE handle;
    int is_stopped, is_killed;
} children[CHILDREN_MAX];

/* Lines between processes end as they are written. */
__attribute__((constructor)) static void plain_standard_streams(void)
{
    (void)_setmode(0, _O_BINARY);
    (void)_setmode(1, _O_BINARY);
}

typedef LONG(NTAPI *process_fn)(HANDLE);

static struct child *child_of(pid_t pid)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i].handle && children[i].pid == (DWORD)pid)
            return &children[i];
    errno = ECHILD;
    return NULL;
}

/* ---- starting ---- */

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *a)
{
    a->from[0] = a->from[1] = a->from[2] = -1;
    return 0;
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *a, int fd, int as)
{
    a->from[as] = fd;
    return 0;
}

int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *a, int fd)
{
    (void)a;
    (void)fd;
    return 0;
}

int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *a)
{
    (void)a;
    return 0;
}

/* A handle that a child may inherit. */
static HANDLE inheritable(int fd, DWORD standard)
{
    HANDLE mine = fd >= 0 ? (HANDLE)_get_osfhandle(fd) : GetStdHandle(standard), copy = NULL;
    if (!DuplicateHandle(GetCurrentProcess(), mine, GetCurrentProcess(), &copy, 0, TRUE,
                         DUPLICATE_SAME_ACCESS))
        return NULL;
    return copy;
}

/* All children are in one job that ends with the last handle to it, ours: none of them outlives us. Made at the start, so
 * that it is not taken for something a test left behind. */
static HANDLE job;

__attribute__((constructor)) static void make_job(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
        .BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
    job = CreateJobObjectW(NULL, NULL);
    if (job)
        (void)SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
}

/* So it is with what the system keeps from the first named object on, and from the first message for a debugger, which cmocka
 * sends with whatever it prints. */
__attribute__((constructor)) static void say_nothing(void)
{
    OutputDebugStringA("");
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *a, const void *attributes,
                char *const argv[], char *const environment[])
{
    static const DWORD standard[3] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    char line[4096] = "";
    STARTUPINFOA start = {.cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION made;
    HANDLE ends[3];
    struct child *c = NULL;
    (void)attributes;
    (void)environment; /* ours */
    for (int i = 0; i < CHILDREN_MAX && !c; i++)
        if (!children[i].handle)
            c = &children[i];
    if (!c)
        return EAGAIN;
    for (int i = 0; argv[i]; i++) /* no argument of a test has a quote in it */
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s\"%s\"", i ? " " : "", argv[i]);
    for (int i = 0; i < 3; i++)
        ends[i] = inheritable(a->from[i], standard[i]);
    start.hStdInput = ends[0];
    start.hStdOutput = ends[1];
    start.hStdError = ends[2];
    const BOOL is_made = start_process(path, line, TRUE, CREATE_SUSPENDED, &start, &made);
    for (int i = 0; i < 3; i++)
        if (ends[i])
            CloseHandle(ends[i]);
    if (!is_made)
        return ENOENT;
    (void)AssignProcessToJobObject(job, made.hProcess);
    ResumeThread(made.hThread);
    CloseHandle(made.hThread);
    *c = (struct child){.pid = made.dwProcessId, .handle = made.hProcess};
    *pid = (pid_t)made.dwProcessId;
    return 0;
}

/* ---- ending, stopping ---- */

static int whole_process(HANDLE h, const char *call)
{
    FARPROC symbol = GetProcAddress(GetModuleHandleA("ntdll.dll"), call);
    process_fn fn = NULL;
    memcpy(&fn, &symbol, sizeof fn);
    if (fn && fn(h) == 0)
        return 0;
    errno = EPERM;
    return -1;
}

bool posix_is_wine(void)
{
    return GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL;
}

int kill(pid_t pid, int signal_number)
{
    struct child *c = child_of(pid);
    if (!c)
        return -1;
    switch (signal_number) {
    case SIGKILL: c->is_killed = 1; return TerminateProcess(c->handle, 9) ? 0 : -1;
    case SIGSTOP: c->is_stopped = 1; return whole_process(c->handle, "NtSuspendProcess");
    case SIGCONT: c->is_stopped = 0; return whole_process(c->handle, "NtResumeProcess");
    default: errno = EINVAL; return -1;
    }
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    struct child *c = child_of(pid);
    DWORD code = 0;
    int unused;
    if (!c)
        return -1;
    if (!status)
        status = &unused;
    if ((options & WUNTRACED) && c->is_stopped) {
        *status = 0x7f;
        return pid;
    }
    if (WaitForSingleObject(c->handle, options & WNOHANG ? 0 : INFINITE) != WAIT_OBJECT_0)
        return 0;
    (void)GetExitCodeProcess(c->handle, &code);
    *status = c->is_killed ? 9 : (int)(code & 0xff) << 8;
    CloseHandle(c->handle);
    memset(c, 0, sizeof *c);
    return pid;
}

/* ---- waiting for a pipe: there is no handle that says so, so one looks ---- */

static int has_something(int fd)
{
    DWORD bytes = 0;
    if (!PeekNamedPipe((HANDLE)_get_osfhandle(fd), NULL, 0, NULL, &bytes, NULL))
        return 1; /* its other end is gone: that can be read, too */
    return bytes > 0;
}

int poll(struct pollfd *fds, unsigned long count, int timeout_ms)
{
    const ULONGLONG until = GetTickCount64() + (ULONGLONG)(timeout_ms > 0 ? timeout_ms : 0);
    for (;;) {
        int ready = 0;
        for (unsigned long i = 0; i < count; i++) {
            fds[i].revents = has_something((int)fds[i].fd) ? POLLIN : 0;
            ready += fds[i].revents != 0;
        }
        if (ready || (timeout_ms >= 0 && GetTickCount64() >= until))
            return ready;
        Sleep(1);
    }
}
