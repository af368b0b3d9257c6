/* os_posix.c - what the application's side asks of the system, over POSIX. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/app.h"

int ws2_os_start_switch(struct ws2_provider **out)
{
    return ws2_start(WSPStartup, sw_set_complete_upcall, out, NULL, 0);
}

int ws2_os_cancel_io(SOCKET s, LPOVERLAPPED ov, bool is_own_only)
{
    return sw_cancel_io(s, ov, is_own_only);
}

int ws2_os_poll_sockets(struct sw_polled *all, unsigned count, int timeout_ms, unsigned *ready)
{
    return sw_poll_sockets(all, count, timeout_ms, ready);
}

/* --- threads --- */

static pthread_key_t thread_key;
static pthread_once_t thread_key_once = PTHREAD_ONCE_INIT;
static bool has_thread_key;

static void thread_ends(void *context)
{
    WSATHREADID *id = context;

    (void)sw_thread_close(id);
    free(id);
}

static void make_key(void)
{
    has_thread_key = pthread_key_create(&thread_key, thread_ends) == 0;
}

bool ws2_os_keep_thread(WSATHREADID *id)
{
    (void)pthread_once(&thread_key_once, make_key);
    return has_thread_key && pthread_setspecific(thread_key, id) == 0;
}

WSATHREADID *ws2_os_kept_thread(void)
{
    (void)pthread_once(&thread_key_once, make_key);
    return has_thread_key ? pthread_getspecific(thread_key) : NULL;
}

void ws2_os_forget_thread(void)
{
    WSATHREADID *id = ws2_os_kept_thread();

    if (id != NULL && pthread_setspecific(thread_key, NULL) == 0)
        thread_ends(id);
}

struct start {
    void (*fn)(void *context);
    void *context;
};

static void *run(void *context)
{
    struct start s = *(struct start *)context;

    free(context);
    s.fn(s.context);
    return NULL;
}

bool ws2_os_start_thread(void (*fn)(void *context), void *context, size_t stack_bytes)
{
    struct start *s = malloc(sizeof(*s));
    pthread_attr_t attributes;
    pthread_t thread;
    bool is_started;

    if (s == NULL || pthread_attr_init(&attributes) != 0) {
        free(s);
        return false;
    }
    *s = (struct start){fn, context};
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (stack_bytes >= (size_t)sysconf(_SC_THREAD_STACK_MIN)) /* less is a wish that Windows rounds up too */
        (void)pthread_attr_setstacksize(&attributes, stack_bytes);
    is_started = pthread_create(&thread, &attributes, run, s) == 0;
    (void)pthread_attr_destroy(&attributes);
    if (!is_started)
        free(s);
    return is_started;
}

/* --- files, names --- */

#define FILES_MAX 0x10000u /* no other handle is as small (sw_handle.c) */

/* NULL is no handle, so descriptor 0 cannot be one. */
bool ws2_os_is_file(HANDLE h)
{
    return h != NULL && (uintptr_t)h < FILES_MAX && fcntl((int)(intptr_t)h, F_GETFD) >= 0;
}

bool ws2_os_close_file(HANDLE h)
{
    return close((int)(intptr_t)h) == 0;
}

static int code_of(int error)
{
    switch (error) {
    case ENOENT: return ERROR_FILE_NOT_FOUND;
    case ENOTDIR: return ERROR_PATH_NOT_FOUND;
    case EEXIST: return ERROR_ALREADY_EXISTS;
    case ENOMEM: return ERROR_NOT_ENOUGH_MEMORY;
    case EBADF: return ERROR_INVALID_HANDLE;
    default: return ERROR_ACCESS_DENIED;
    }
}

static int open_file(const char *name, DWORD access, DWORD disposition, HANDLE *out)
{
    int flags = O_CLOEXEC | ((access & GENERIC_WRITE) == 0  ? O_RDONLY
                             : (access & GENERIC_READ) == 0 ? O_WRONLY
                                                            : O_RDWR);
    int fd;

    switch (disposition) {
    case CREATE_NEW: flags |= O_CREAT | O_EXCL; break;
    case CREATE_ALWAYS: flags |= O_CREAT | O_TRUNC; break;
    case OPEN_ALWAYS: flags |= O_CREAT; break;
    case OPEN_EXISTING: break;
    default: return ERROR_INVALID_PARAMETER;
    }
    fd = open(name, flags, 0666); /* less the umask, as every program of this system makes files */
    if (fd == 0) {                /* a program without standard input: 0 would be no handle */
        fd = fcntl(0, F_DUPFD_CLOEXEC, 1);
        (void)close(0);
    }
    if (fd < 0)
        return code_of(errno);
    *out = (HANDLE)(intptr_t)fd;
    return 0;
}

HANDLE WINAPI CreateFileA(LPCSTR name, DWORD access, DWORD sharing, LPSECURITY_ATTRIBUTES security,
                          DWORD disposition, DWORD attributes, HANDLE like)
{
    HANDLE file = INVALID_HANDLE_VALUE;
    int code = name == NULL || like != NULL ? ERROR_INVALID_PARAMETER
                                            : open_file(name, access, disposition, &file);

    (void)sharing;
    (void)security;
    (void)attributes;
    if (code != 0)
        SetLastError((DWORD)code);
    return file;
}

int ws2_os_move_file(HANDLE h, WSABUF *buffer, bool to_write, DWORD *moved)
{
    int fd = (int)(intptr_t)h;
    ssize_t n;

    do
        n = to_write ? write(fd, buffer->buf, buffer->len) : read(fd, buffer->buf, buffer->len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return code_of(errno);
    *moved = (DWORD)n;
    return 0;
}

/* --- the machine --- */

void WINAPI GetSystemInfo(LPSYSTEM_INFO out)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    memset(out, 0, sizeof(*out));
    out->wProcessorArchitecture = 0xFFFF; /* PROCESSOR_ARCHITECTURE_UNKNOWN */
    out->dwPageSize = (DWORD)sysconf(_SC_PAGESIZE);
    out->dwAllocationGranularity = out->dwPageSize;
    out->dwNumberOfProcessors = processors > 0 ? (DWORD)processors : 1;
    out->dwActiveProcessorMask = out->dwNumberOfProcessors < 8 * sizeof(DWORD_PTR)
                                     ? ((DWORD_PTR)1 << out->dwNumberOfProcessors) - 1
                                     : ~(DWORD_PTR)0;
}

#undef gethostname /* the C library's is meant */
int ws2_os_host_name(char *name, size_t bytes)
{
    return gethostname(name, bytes) == 0 ? 0 : errno == ENAMETOOLONG ? WSAEFAULT : WSAENETDOWN;
}
