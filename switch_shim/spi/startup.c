/* startup.c - start-up and clean-up, counted (contract 10.1).
 * A SAN provider that is being loaded, or ended, may use Winsock itself, and then Ws2_32 comes back here with an entry that it has not started yet.
 * So providers are loaded when TCP/IP can be used already and no lock is held. Who starts meanwhile waits for them, but not for ever: it may
 * be a thread that the provider waits for. Until they are there, its connections go over TCP/IP, as without a provider. */
#include "spi/startup.h"

#include <string.h>

#include "pal/dll.h"
#include "pal/thread.h"
#include "pal/time.h"
#include "spi/offer.h"
#include "spi/records.h"
#include "spi/share.h"
#include "spi/spi.h"
#include "tcpip/tcpip.h"

#define LOWEST  0x0202u /* 2.2: the interface of thirty functions (contract 4.1) */
#define HIGHEST 0x0202u

static struct pal_mutex start_lock = PAL_MUTEX_INIT;
static pal_atomic_u32 start_count; /* written under start_lock */
static bool
    is_ending; /* likewise: the last clean-up has not got through, and the next start-up waits for it */
static bool is_loading;      /* likewise: the first start-up loads the SAN providers */
static uint64_t busy_thread; /* likewise: who does either */

#define LOADING_MS 1000u /* our choice */

const WSPPROC_TABLE sw_spi_table = {
    sw_spi_accept,
    sw_spi_address_to_string,
    sw_spi_async_select,
    sw_spi_bind,
    sw_spi_cancel_blocking_call,
    sw_spi_cleanup,
    sw_spi_close_socket,
    sw_spi_connect,
    sw_spi_duplicate_socket,
    sw_spi_enum_network_events,
    sw_spi_event_select,
    sw_spi_get_overlapped_result,
    sw_spi_get_peer_name,
    sw_spi_get_sock_name,
    sw_spi_get_sock_opt,
    sw_spi_get_qos_by_name,
    sw_spi_ioctl,
    sw_spi_join_leaf,
    sw_spi_listen,
    sw_spi_recv,
    sw_spi_recv_disconnect,
    sw_spi_recv_from,
    sw_spi_select,
    sw_spi_send,
    sw_spi_send_disconnect,
    sw_spi_send_to,
    sw_spi_set_sock_opt,
    sw_spi_shutdown,
    sw_spi_socket,
    sw_spi_string_to_address,
};

bool sw_spi_is_started(void)
{
    return pal_load_acquire(&start_count) != 0;
}

static bool is_lower(WORD a, WORD b) /* low byte major, high byte minor */
{
    return (a & 0xFFu) != (b & 0xFFu) ? (a & 0xFFu) < (b & 0xFFu) : a >> 8 < b >> 8;
}

/* Ending takes the threads of the carriers to their end; a start-up that came in between would find half of what it needs. It is rare, and
 * milliseconds, so nobody is woken for it. False: it is this thread that ends it, so that cannot be waited for, and no lock is held. */
static bool lock_when_ended(void)
{
    bool is_own;

    pal_mutex_lock(&start_lock);
    while (is_ending && busy_thread != pal_thread_id()) {
        pal_mutex_unlock(&start_lock);
        pal_sleep_ms(1);
        pal_mutex_lock(&start_lock);
    }
    is_own = is_ending;
    if (is_own)
        pal_mutex_unlock(&start_lock);
    return !is_own;
}

static bool others_load(void)
{
    bool yes;

    pal_mutex_lock(&start_lock);
    yes = is_loading && busy_thread != pal_thread_id();
    pal_mutex_unlock(&start_lock);
    return yes;
}

static void wait_for_providers(void)
{
    const uint64_t end = pal_now_ns() + LOADING_MS * UINT64_C(1000000);

    while (others_load() && pal_now_ns() < end)
        pal_sleep_ms(1);
}

static void load_providers(void)
{
    sw_providers_load();
    pal_mutex_lock(&start_lock);
    is_loading = false;
    pal_mutex_unlock(&start_lock);
}

/* Everything but the SAN providers. */
static int start_locked(const WSAPROTOCOL_INFOW *info, const WSPUPCALLTABLE *upcalls, bool *is_first)
{
    int result = sw_io_init() ? sw_up_install(upcalls, info->dwCatalogEntryId) : WSA_NOT_ENOUGH_MEMORY;

    PAL_ASSERT_HELD(&start_lock);
    if (result != 0)
        return result;
    *is_first = pal_load_relaxed(&start_count) == 0;
    if (*is_first) {
        sw_records_sweep();
        sw_providers_prepare();
        is_loading = true;
        busy_thread = pal_thread_id();
    }
    pal_add_acq_rel(&start_count, 1u);
    return 0;
}

int sw_spi_startup(WORD version, LPWSPDATA data, const WSAPROTOCOL_INFOW *info, const WSPUPCALLTABLE *upcalls,
                   LPWSPPROC_TABLE table)
{
    static const WCHAR name[] = WSD_WTEXT("OpenWSD Windows Sockets switch");
    bool is_first = false;
    int result;

    if (data == NULL || info == NULL || table == NULL)
        return WSAEFAULT;
    if (is_lower(version, LOWEST))
        return WSAVERNOTSUPPORTED;
    if (!lock_when_ended())
        return WSASYSNOTREADY;
    result = start_locked(info, upcalls, &is_first);
    pal_mutex_unlock(&start_lock);
    if (result != 0)
        return result;
    if (is_first)
        load_providers();
    else
        wait_for_providers();
    memset(data, 0, sizeof(*data));
    data->wVersion = is_lower(version, HIGHEST) ? version : HIGHEST;
    data->wHighVersion = HIGHEST;
    memcpy(data->szDescription, name, sizeof(name));
    *table = sw_spi_table;
    return 0;
}

int WSPAPI sw_spi_cleanup(LPINT error)
{
    bool is_last;

    pal_mutex_lock(&start_lock);
    if (pal_load_relaxed(&start_count) == 0) {
        pal_mutex_unlock(&start_lock);
        return SW_RESULT(error, WSANOTINITIALISED);
    }
    is_last = pal_sub_acq_rel(&start_count, 1u) == 1;
    is_ending = is_last;
    if (is_last)
        busy_thread = pal_thread_id();
    pal_mutex_unlock(&start_lock);
    if (!is_last)
        return 0;
    sw_up_silence(true);
    sw_offers_drop();
    sw_share_leave_all();
    sw_mail_stop();
    sw_records_drop();
    sw_sock_close_all();
    sw_mail_stop();
    sw_tcp_stop();
    sw_san_stop();
    sw_providers_unload();
    sw_up_silence(false);
    if (sw_io_routines_are_out())
        pal_dll_stay(); /* nobody can take back what is queued to a thread, and Ws2_32 unloads next */
    pal_mutex_lock(&start_lock);
    is_ending = false;
    pal_mutex_unlock(&start_lock);
    return 0;
}
