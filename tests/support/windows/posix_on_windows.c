/* posix_on_windows.c - memory, libraries, environment, alarm; processes are in posix_process.c. */
#include "posix_on_windows.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <windows.h>

#include <tlhelp32.h>

#include <cmocka.h>

int setenv(const char *name, const char *value, int overwrite)
{
    if (!overwrite && posix_getenv(name))
        return 0;
    /* An empty value means "gone" to the C runtime of Windows. What tests set to nothing is as good as unset to us. */
    return _putenv_s(name, value);
}

int unsetenv(const char *name)
{
    return _putenv_s(name, "");
}

#undef getenv
char *posix_getenv(const char *name)
{
    static struct value {
        struct value *next;
        char text[];
    } * values;
    const char *now = getenv(name);
    struct value *v = values;
    if (!now)
        return NULL;
    while (v && strcmp(v->text, now) != 0)
        v = v->next;
    if (!v && (v = malloc(sizeof *v + strlen(now) + 1)) != NULL) {
        strcpy(v->text, now);
        v->next = values;
        values = v;
    }
    return v ? v->text : NULL;
}

ssize_t readlink(const char *path, char *out, size_t out_bytes)
{
    if (strcmp(path, "/proc/self/exe") != 0) {
        errno = ENOENT;
        return -1;
    }
    const DWORD n = GetModuleFileNameA(NULL, out, (DWORD)out_bytes);
    return n > 0 && n < out_bytes ? (ssize_t)n : -1;
}

char *realpath(const char *path, char *out)
{
    char name[MAX_PATH + 4];
    (void)out;
    HANDLE file = CreateFileA(path, 0, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return NULL;
    const DWORD n = GetFinalPathNameByHandleA(file, name, sizeof name, 0);
    CloseHandle(file);
    return n > 4 && n < sizeof name ? strdup(name + 4) : NULL; /* without the prefix \\\\?\\ */
}

long sysconf(int name)
{
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return name == _SC_PAGESIZE ? (long)info.dwPageSize : -1;
}

int pipe(int fds[2])
{
    return _pipe(fds, 65536, _O_BINARY | _O_NOINHERIT);
}

int posix_mkstemp(char *path)
{
    static LONG serial;
    char *end = path + strlen(path) - 6;
    for (int tries = 0; tries < 100; tries++) {
        const unsigned long n = GetCurrentProcessId() * 131u + (unsigned long)InterlockedIncrement(&serial);
        snprintf(end, 7, "%06lu", n % 1000000u);
        const int fd = _open(path, _O_CREAT | _O_EXCL | _O_RDWR | _O_BINARY, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

int posix_clock_gettime(int clock, struct timespec *out)
{
    FILETIME born, ended, kernel, user;
    const BOOL is_known = clock == CLOCK_PROCESS_CPUTIME_ID
                              ? GetProcessTimes(GetCurrentProcess(), &born, &ended, &kernel, &user)
                          : clock == CLOCK_THREAD_CPUTIME_ID
                              ? GetThreadTimes(GetCurrentThread(), &born, &ended, &kernel, &user)
                              : FALSE;
    if (!is_known) {
        errno = EINVAL;
        return -1;
    }
    const uint64_t units = (((uint64_t)kernel.dwHighDateTime << 32) | kernel.dwLowDateTime) +
                           (((uint64_t)user.dwHighDateTime << 32) | user.dwLowDateTime); /* of 100 ns */
    out->tv_sec = (time_t)(units / 10000000u);
    out->tv_nsec = (long)(units % 10000000u) * 100;
    return 0;
}

/* ---- what a process has ---- */

struct posix_dir {
    unsigned left;
    struct dirent entry;
};

static unsigned threads(void)
{
    THREADENTRY32 t = {.dwSize = sizeof t};
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    unsigned count = 0;
    for (BOOL is = Thread32First(all, &t); is; is = Thread32Next(all, &t))
        count += t.th32OwnerProcessID == GetCurrentProcessId();
    CloseHandle(all);
    return count;
}

/* Wine 8 answers 0 to GetProcessHandleCount(). It can list the handles of all processes, but its server runs past the end of
 * an empty table then and dies, as soon as another process is just starting or ending. So each value is asked about; they
 * are multiples of 4, and new ones are the lowest that are free. */
static DWORD probed_handles(void)
{
    enum { GAP = 256 };
    DWORD count = 0, flags;
    for (uintptr_t value = 4, last = 0; value <= last + (uintptr_t)4 * GAP; value += 4)
        if (GetHandleInformation((HANDLE)value, &flags)) {
            count++;
            last = value;
        }
    return count;
}

extern const int posix_sockets_are_warm; /* brings in posix_socket.c */

struct posix_dir *posix_opendir(const char *path)
{
    DWORD count = 0;
    struct posix_dir *d = NULL;
    if (strcmp(path, "/proc/self/task") == 0)
        count = threads();
    else if (strcmp(path, "/proc/self/fd") != 0)
        return NULL;
    else if (!GetProcessHandleCount(GetCurrentProcess(), &count) || count == 0)
        count = probed_handles();
    if (count == 0 || !posix_sockets_are_warm)
        return NULL;
    d = calloc(1, sizeof *d);
    if (d)
        d->left = count;
    return d;
}

struct dirent *posix_readdir(struct posix_dir *d)
{
    if (d->left == 0)
        return NULL;
    d->left--;
    return &d->entry;
}

int posix_closedir(struct posix_dir *d)
{
    free(d);
    return 0;
}

int getrlimit(int what, struct rlimit *out)
{
    (void)what;
    (void)out;
    print_message("           Windows does not limit what this test limits\n");
    _skip(__FILE__, __LINE__);
    return -1;
}

int setrlimit(int what, const struct rlimit *limit)
{
    (void)what;
    (void)limit;
    errno = ENOSYS;
    return -1;
}

/* ---- memory: what is mapped is a reservation; a hole in it is decommitted, and filled by committing again ---- */

static DWORD protection(int prot)
{
    return prot & PROT_WRITE ? PAGE_READWRITE : prot & PROT_READ ? PAGE_READONLY : PAGE_NOACCESS;
}

void *mmap(void *at, size_t bytes, int prot, int flags, int fd, long long offset)
{
    (void)fd;
    (void)offset;
    const DWORD how = flags & MAP_FIXED ? MEM_COMMIT : MEM_RESERVE | MEM_COMMIT;
    if (flags & MAP_FIXED)
        (void)VirtualFree(at, bytes, MEM_DECOMMIT); /* what was there is gone */
    void *p = VirtualAlloc(flags & MAP_FIXED ? at : NULL, bytes, how, protection(prot));
    return p ? p : MAP_FAILED;
}

int munmap(void *at, size_t bytes)
{
    MEMORY_BASIC_INFORMATION m;
    if (!VirtualQuery(at, &m, sizeof m))
        return -1;
    /* To the end of the reservation: give all of it back. */
    const char *end = (const char *)at + bytes;
    if (at == m.AllocationBase) {
        MEMORY_BASIC_INFORMATION next;
        if (!VirtualQuery(end, &next, sizeof next) || next.AllocationBase != at)
            return VirtualFree(at, 0, MEM_RELEASE) ? 0 : -1;
    }
    return VirtualFree(at, bytes, MEM_DECOMMIT) ? 0 : -1;
}

int mprotect(void *at, size_t bytes, int prot)
{
    DWORD before;
    return VirtualProtect(at, bytes, protection(prot), &before) ? 0 : -1;
}

/* ---- libraries ---- */

static DWORD library_error;

void *dlopen(const char *path, int flags)
{
    HMODULE m = NULL;
    if (!(flags & RTLD_NOLOAD))
        m = LoadLibraryA(path);
    else if (!GetModuleHandleExA(0, path, &m))
        m = NULL;
    library_error = m ? 0 : GetLastError();
    return m;
}

void *dlsym(void *library, const char *name)
{
    FARPROC symbol = GetProcAddress(library, name);
    void *out = NULL;
    library_error = symbol ? 0 : GetLastError();
    memcpy(&out, &symbol, sizeof out);
    return out;
}

int dlclose(void *library)
{
    return FreeLibrary(library) ? 0 : -1;
}

const char *dlerror(void)
{
    static char text[64];
    snprintf(text, sizeof text, "error %lu", (unsigned long)library_error);
    return text;
}

/* ---- alarm ---- */

static void (*on_alarm)(int);
static HANDLE timer;

int sigaction(int signal_number, const struct sigaction *action, struct sigaction *before)
{
    if (signal_number != SIGALRM) {
        errno = EINVAL;
        return -1;
    }
    if (before)
        before->sa_handler = on_alarm;
    on_alarm = action->sa_handler;
    return 0;
}

static void CALLBACK ring(void *context, BOOLEAN by_time)
{
    (void)context;
    (void)by_time;
    if (on_alarm)
        on_alarm(SIGALRM);
    else
        _exit(128 + SIGALRM);
}

unsigned alarm(unsigned seconds)
{
    if (timer)
        (void)DeleteTimerQueueTimer(NULL, timer, NULL);
    timer = NULL;
    if (seconds)
        (void)CreateTimerQueueTimer(&timer, NULL, ring, NULL, seconds * 1000, 0, WT_EXECUTEONLYONCE);
    return 0;
}

pid_t fork(void)
{
    errno = ENOSYS;
    return -1;
}

int prctl(int what, ...)
{
    return what == PR_SET_PDEATHSIG ? 0 : -1;
}
