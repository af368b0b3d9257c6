/* pal_os/socket_os.h - Windows form of the types that pal/socket.h names. */
#ifndef PAL_OS_SOCKET_OS_H
#define PAL_OS_SOCKET_OS_H

#include <stddef.h>
#include <stdint.h>

typedef uintptr_t pal_socket; /* a SOCKET */
#define PAL_SOCKET_NONE        UINTPTR_MAX
#define PAL_SEGMENTS_ARE_KNOWN 0 /* pal_socket_segment_bytes() */

struct pal_iov {
    void *base;
    size_t bytes;
};

#endif
