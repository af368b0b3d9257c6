/* startup.h - WSPStartup under a name of our own.
 * Layer:   switch_shim/spi, private. */
#ifndef SW_SPI_STARTUP_H
#define SW_SPI_STARTUP_H

#include "wsd/ws2_types.h"

/* As WSPStartup (contract 10.1). 0; WSAEFAULT: a NULL pointer; WSAVERNOTSUPPORTED: below 2.2; WSASYSNOTREADY: nobody has
 * WPUCompleteOverlappedRequest, or it is called by what the last WSPCleanup calls; WSAEINVALIDPROCTABLE ... are the caller's to find. */
int sw_spi_startup(WORD version, LPWSPDATA data, const WSAPROTOCOL_INFOW *info, const WSPUPCALLTABLE *upcalls,
                   LPWSPPROC_TABLE table);

#endif
