/* pal_os/waitable_os.h - POSIX form of the type that pal/wait.h names. */
#ifndef PAL_OS_WAITABLE_OS_H
#define PAL_OS_WAITABLE_OS_H

typedef int pal_waitable;
#define PAL_WAITABLE_NONE (-1)

#endif
