/* startup.c - WSAStartup, WSACleanup, the last error.
 * Where the switch is linked into this library its code stays when the last WSACleanup has ended it: a call that comes too late finds
 * memory and is told WSANOTINITIALISED.
 * Source: the pages of WSAStartup and WSACleanup; B001, B002. */
#include "app/app.h"

#include "pal/atomic.h"
#include "pal/thread.h"

#define BUSY                                                                                                 \
    UINT32_MAX /* somebody starts or ends it: rare, and everybody has to wait for the result anyway */

static pal_atomic_u32 startups; /* not cleaned up yet */
static struct ws2_provider *provider;
static _Atomic(const WSPPROC_TABLE *) down;

/* How many; the caller owns `startups` until it stores the new number. */
static uint32_t claim(void)
{
    uint32_t seen = pal_load_acquire(&startups);

    for (;;) {
        if (seen != BUSY && pal_cas_acq_rel(&startups, &seen, BUSY))
            return seen;
        if (seen == BUSY) {
            pal_thread_yield();
            seen = pal_load_acquire(&startups);
        }
    }
}

const WSPPROC_TABLE *ws2_down(void)
{
    const WSPPROC_TABLE *table = pal_load_acquire(&down); /* acquire: the table is filled */

    if (table == NULL)
        sw_set_last_error(WSANOTINITIALISED);
    return table;
}

const struct ws2_provider *ws2_running(void)
{
    return ws2_down() != NULL ? provider : NULL;
}

static int start_switch(void)
{
    int result = ws2_os_start_switch(&provider);

    if (result != 0)
        return result;
    ws2_set_status_form(ws2_status_of);
    pal_store_release(&down, ws2_procs(provider)); /* release: publishes the provider */
    return 0;
}

/* 1.0 to 2.2 as asked, higher versions become 2.2, lower ones are refused. */
static WORD negotiate(WORD wanted)
{
    unsigned major = LOBYTE(wanted), minor = HIBYTE(wanted);

    if (major > 2 || (major == 2 && minor > 2))
        return MAKEWORD(2, 2);
    if (major == 1 && minor > 1)
        return MAKEWORD(1, 1);
    return wanted;
}

int WSAAPI WSAStartup(WORD version, LPWSADATA data)
{
    uint32_t count;
    int result = 0;

    if (LOBYTE(version) < 1)
        return WSAVERNOTSUPPORTED;
    if (data == NULL)
        return WSAEFAULT;
    memset(data, 0, sizeof(*data));
    data->wVersion = negotiate(version);
    data->wHighVersion = MAKEWORD(2, 2);
    if (LOBYTE(data->wVersion) < 2) { /* since version 2 both are to be ignored, and are 0 */
        data->iMaxSockets = 32767;
        data->iMaxUdpDg = 65467;
    }
    strcpy(data->szDescription, "OpenWSD Winsock 2");
    strcpy(data->szSystemStatus, "Running");
    count = claim();
    if (count == 0)
        result = start_switch();
    pal_store_release(&startups, result == 0 ? count + 1 : count);
    return result;
}

int WSAAPI WSACleanup(void)
{
    uint32_t count = claim();

    if (count == 0) {
        pal_store_release(&startups, 0u);
        return ws2_fail(WSANOTINITIALISED); /* B002 */
    }
    if (count == 1) {
        pal_store_release(&down, NULL);
        (void)ws2_unload(provider, NULL, 0); /* closes what is open; that is no mistake of an application's */
    }
    pal_store_release(&startups, count - 1);
    return 0;
}

int WSAAPI WSAGetLastError(void)
{
    return sw_last_error();
}

void WSAAPI WSASetLastError(int code)
{
    sw_set_last_error(code);
}

int ws2_fail_behind_handle(SOCKET s, int code)
{
    return ws2_fail(ws2_handle_is_open(s) ? code : WSAENOTSOCK);
}
