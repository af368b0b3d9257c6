/* pal_os/mutex_os.h - POSIX layout of the types that pal/mutex.h embeds. */
#ifndef PAL_OS_MUTEX_OS_H
#define PAL_OS_MUTEX_OS_H

#include <pthread.h>

/* Where the system has mutexes that spin a little before they sleep, these are such: most are held for less time than it
 * takes to sleep and be woken, and who is woken under a lock (pal/common/event.c) does not go back to sleep for it. */
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#define PAL_PTHREAD_MUTEX_INIT PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#define PAL_PTHREAD_MUTEX_TYPE PTHREAD_MUTEX_ADAPTIVE_NP
#else
#define PAL_PTHREAD_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#define PAL_PTHREAD_MUTEX_TYPE PTHREAD_MUTEX_DEFAULT
#endif

struct pal_os_mutex {
    pthread_mutex_t m;
};

#define PAL_OS_MUTEX_INIT                                                                                    \
    {                                                                                                        \
        PAL_PTHREAD_MUTEX_INIT                                                                               \
    }

struct pal_os_cond {
    pthread_cond_t c;
};

#endif
