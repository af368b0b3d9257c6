/* pal_os/socket_os.h - POSIX form of the types that pal/socket.h names. */
#ifndef PAL_OS_SOCKET_OS_H
#define PAL_OS_SOCKET_OS_H

#include <stddef.h>

typedef int pal_socket;
#define PAL_SOCKET_NONE        (-1)
#define PAL_SEGMENTS_ARE_KNOWN 1 /* pal_socket_segment_bytes() */

struct pal_iov { /* laid out as struct iovec: socket.c checks */
    void *base;
    size_t bytes;
};

#endif
