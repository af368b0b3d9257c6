/* spi_os.h - what the upper face asks of the system it runs on.
 * Layer:   switch_shim/spi, private; implemented by spi_posix.c and spi_windows.c.
 * Threads: any. */
#ifndef SW_SPI_OS_H
#define SW_SPI_OS_H

#include <stdint.h>

#include "wsd/ws2_types.h"

/* WPUCompleteOverlappedRequest in this process, when nobody handed it over: Windows has it in ws2_32.dll, elsewhere a program may
 * export it. NULL: none. */
LPWPUCOMPLETEOVERLAPPEDREQUEST sw_find_complete_upcall(void);

/* The code that WSAGetLastError() gives: the extension functions have no lpErrno. */
void sw_set_last_error(int code);

/* Files of TransmitFile: a HANDLE of Windows; elsewhere a file descriptor in its place, (HANDLE)(intptr_t)fd: our choice. */
int64_t sw_file_position(HANDLE file); /* -1: it has none */
/* Up to `bytes` from `offset` on; how many, 0: the end, -1: it failed. */
int64_t sw_file_read(HANDLE file, int64_t offset, void *out, size_t bytes);

#endif
