/* wsp_startup.c - the two exports, WSPCleanup, and the procedure table. Source: contract 3.2, 3.3, 4.1,
 * 4.2. */
#include <string.h>

#include "base/upcall.h"
#include "sock/instance.h"
#include "spi/wsp.h"

static void fill_table(WSPPROC_TABLE *t)
{
    wsp_fill_unsupported(t);
    t->lpWSPAccept = WSPAccept;
    t->lpWSPBind = WSPBind;
    t->lpWSPCleanup = WSPCleanup;
    t->lpWSPCloseSocket = WSPCloseSocket;
    t->lpWSPConnect = WSPConnect;
    t->lpWSPDuplicateSocket = WSPDuplicateSocket;
    t->lpWSPEnumNetworkEvents = WSPEnumNetworkEvents;
    t->lpWSPEventSelect = WSPEventSelect;
    t->lpWSPGetOverlappedResult = WSPGetOverlappedResult;
    t->lpWSPGetSockOpt = WSPGetSockOpt;
    t->lpWSPGetQOSByName = WSPGetQOSByName;
    t->lpWSPIoctl = WSPIoctl;
    t->lpWSPListen = WSPListen;
    t->lpWSPRecv = WSPRecv;
    t->lpWSPSend = WSPSend;
    t->lpWSPSetSockOpt = WSPSetSockOpt;
    t->lpWSPSocket = WSPSocket;
}

static bool version_ok(WORD v)
{
    unsigned major = v & 0xFF, minor = v >> 8;
    return major > 2 || (major == 2 && minor >= 2);
}

WSD_EXPORT int WSPAPI WSPStartupEx(WORD wVersionRequested, LPWSPDATA lpWSPData,
                                   LPWSAPROTOCOL_INFOW lpProtocolInfo, LPWSPUPCALLTABLEEX lpUpcallTable,
                                   LPWSPPROC_TABLE lpProcTable)
{
    static const WCHAR description[] = WSD_WTEXT("OpenWSD SAN service provider");
    if (!lpWSPData || !lpProcTable || !lpProtocolInfo || !lpUpcallTable)
        return WSAEFAULT;
    if (!version_ok(wVersionRequested))
        return WSAVERNOTSUPPORTED;
    if (!wsd_upcall_table_usable(lpUpcallTable))
        return WSAEFAULT; /* Q2 */
    /* Published before anything can make an upcall, and only for a start that is going to be counted: a
     * failed start leaves the table of an earlier one in force (W1). */
    int error = wsd_provider_start(lpUpcallTable, lpProtocolInfo->dwCatalogEntryId);
    if (error)
        return error;
    memset(lpWSPData, 0, sizeof *lpWSPData);
    lpWSPData->wVersion = 0x0202;
    lpWSPData->wHighVersion = 0x0202;
    memcpy(lpWSPData->szDescription, description, sizeof description);
    fill_table(lpProcTable);
    return 0;
}

/* Somebody opened the hidden catalog entry directly, as an ordinary base provider. We do not serve that
 * and say so (Q38). */
WSD_EXPORT int WSPAPI WSPStartup(WORD wVersionRequested, LPWSPDATA lpWSPData,
                                 LPWSAPROTOCOL_INFOW lpProtocolInfo, WSPUPCALLTABLE UpcallTable,
                                 LPWSPPROC_TABLE lpProcTable)
{
    (void)wVersionRequested, (void)lpWSPData, (void)lpProtocolInfo, (void)UpcallTable, (void)lpProcTable;
    return WSASYSNOTREADY;
}

int WSPAPI WSPCleanup(LPINT lpErrno)
{
    return wsp_result(lpErrno, wsd_provider_stop());
}
