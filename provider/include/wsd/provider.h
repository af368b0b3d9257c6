/* provider.h - the two doors of the provider library.
 * Layer:   provider; called by the switch (switch_shim/), by Ws2_32 and by tests.
 * Threads: any thread; the provider serialises start-up and clean-up itself.
 * Owns:    the exported names. provider/wsdprov.def and provider/wsdprov.map list the same two.
 * Source:  contract sections 3.2, 3.11 (prototypes), 4.1, 4.2 (duties). */
#ifndef WSD_PROVIDER_H
#define WSD_PROVIDER_H

#include "ws2_types.h"

/* On Windows the .def file exports the names, undecorated. */
#ifdef _WIN32
#define WSD_EXPORT
#else
#define WSD_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Start the provider under the switch. Counted: every success needs one WSPCleanup through lpProcTable.
 * The first call opens devices and starts threads, so it may take long; later calls only count.
 *
 * @param wVersionRequested  highest version the caller can use, low byte major; 2.2 or above
 * @param lpWSPData          out: version 2.2 and a description; written only on success
 * @param lpProtocolInfo     borrowed for the call; the catalog entry of TCP/IP, not of this provider
 * @param lpUpcallTable      borrowed for the call, copied; the newest table replaces older ones
 * @param lpProcTable        out: all thirty entry points; written only on success
 * @return 0; there is no lpErrno, the code itself is returned:
 *         WSASYSNOTREADY: no usable adapter or transport; WSAVERNOTSUPPORTED: below 2.2;
 *         WSAEPROCLIM: too many users; WSAEFAULT: a pointer is NULL
 * Source: contract 4.1.
 */
WSD_EXPORT int WSPAPI WSPStartupEx(WORD wVersionRequested, LPWSPDATA lpWSPData,
                                   LPWSAPROTOCOL_INFOW lpProtocolInfo, LPWSPUPCALLTABLEEX lpUpcallTable,
                                   LPWSPPROC_TABLE lpProcTable);

/**
 * Start the provider as an ordinary base provider, as Ws2_32 and layered providers do; never the switch.
 * Same rules as WSPStartupEx, but the upcall table arrives by value and lacks WPUCompleteOverlappedRequest.
 *
 * @return 0, or a code as for WSPStartupEx
 * Source: contract 3.2, 10.3.
 */
WSD_EXPORT int WSPAPI WSPStartup(WORD wVersionRequested, LPWSPDATA lpWSPData,
                                 LPWSAPROTOCOL_INFOW lpProtocolInfo, WSPUPCALLTABLE UpcallTable,
                                 LPWSPPROC_TABLE lpProcTable);

#ifdef __cplusplus
}
#endif

#endif
