/* duplicate.h - WSPDuplicateSocket and its other half in WSPSocket.
 * Layer:   switch_shim/spi, private. */
#ifndef SW_SPI_DUPLICATE_H
#define SW_SPI_DUPLICATE_H

#include "spi/spi.h"

/* WSPSocket with dwProviderReserved: the socket that another process gave. */
SOCKET sw_duplicate_take(const WSAPROTOCOL_INFOW *info, DWORD flags, LPINT error);

#endif
