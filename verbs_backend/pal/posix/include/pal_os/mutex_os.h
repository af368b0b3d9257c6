/* pal_os/mutex_os.h - POSIX layout of the types that pal/mutex.h embeds. */
#ifndef PAL_OS_MUTEX_OS_H
#define PAL_OS_MUTEX_OS_H

#include <pthread.h>

struct pal_os_mutex {
    pthread_mutex_t m;
};

#define PAL_OS_MUTEX_INIT                                                                                    \
    {                                                                                                        \
        PTHREAD_MUTEX_INITIALIZER                                                                            \
    }

struct pal_os_cond {
    pthread_cond_t c;
};

#endif
