/* pal_os/waitable_os.h - Windows form of the type that pal/wait.h names. Not a HANDLE: what one wants to wait for here is
 * mostly several things (an event, sockets, a deadline, another waitable), and one handle can only be one of them. */
#ifndef PAL_OS_WAITABLE_OS_H
#define PAL_OS_WAITABLE_OS_H

#include <stddef.h>

typedef struct pal_os_waitable *pal_waitable;
#define PAL_WAITABLE_NONE NULL

#endif
