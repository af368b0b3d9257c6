/* os_posix.c - what the application's side asks of the system, over POSIX. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/app.h"

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

#undef gethostname /* the C library's is meant */
int ws2_os_host_name(char *name, size_t bytes)
{
    return gethostname(name, bytes) == 0 ? 0 : errno == ENAMETOOLONG ? WSAEFAULT : WSAENETDOWN;
}
