/* poll.h - waiting for the end of a pipe that one reads; see posix_on_windows.h. */
#ifndef POSIX_POLL_H
#define POSIX_POLL_H

#include <winsock2.h> /* struct pollfd and the bits are its */

#include "posix_on_windows.h"

int poll(struct pollfd *fds, unsigned long count, int timeout_ms);

#endif
