/* pal_os/mutex_os.h - Windows layout of the types that pal/mutex.h embeds: what an SRWLOCK and a CONDITION_VARIABLE are,
 * without the system's headers (mutex.c checks). All start as zero and need no end. */
#ifndef PAL_OS_MUTEX_OS_H
#define PAL_OS_MUTEX_OS_H

#include <stddef.h>
#include <stdint.h>

struct pal_os_mutex {
    void *srw;
};

#define PAL_OS_MUTEX_INIT                                                                                    \
    {                                                                                                        \
        NULL                                                                                                 \
    }

struct pal_os_cond {
    void *cv;
    _Atomic uintptr_t sleepers; /* a list: who waits alertably, which a CONDITION_VARIABLE does not know */
    void *sleepers_lock;        /* another SRWLOCK */
};

#endif
