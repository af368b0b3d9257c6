/* providers.c - the SAN providers of this process, and what the environment says about them.
 *   WSD_SWITCH    off: TCP/IP only; on (default): SAN where a subnet matches; forced: connecting within a SAN subnet never falls back
 *   WSD_PROVIDER  libraries, separated by ':' (';' on Windows); not set: those that the system has registered (registered.h), and
 *                 where there are none, as sw_load() finds one (on Windows in the DLL's own directory, or that of the build tree beside it)
 *   WSD_SWITCH_LOOPBACK  on: 127/8 too, when a provider lists such an address (default: never, Q23)
 * A provider that does not start is skipped: the switch works over TCP/IP without any (contract 8.1). */
#include "spi/spi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pal/time.h"
#include "spi/change.h"
#include "spi/registered.h"
#include "sw_os.h"
#include "tcpip/tcpip.h"

static struct sw_provider *loaded[SW_PROVIDERS_MAX]; /* written by one thread, at start-up and clean-up */
static pal_atomic_u32
    loaded_count; /* release: publishes loaded[] up to there; sockets may be in use while it grows */
static enum sw_switch_mode mode; /* these two: const between start and clean-up */
static struct sw_san_settings settings;
static pal_atomic_bool is_watching;

static unsigned count(void)
{
    return pal_load_acquire(&loaded_count);
}

static void read_number(const char *name, uint32_t *value)
{
    const char *text = sw_os_environment(name);
    char *end;
    unsigned long number;

    if (text == NULL)
        return;
    number = strtoul(text, &end, 0);
    if (*end == '\0' && number <= UINT32_MAX)
        *value = (uint32_t)number;
}

static void read_settings(void)
{
    uint32_t force_push = 0;

    sw_san_settings_init(&settings);
    read_number("WSD_SAN_RECEIVES", &settings.receives);
    read_number("WSD_SAN_MESSAGE_BYTES", &settings.message_bytes);
    read_number("WSD_SAN_SEND_BUFFERS", &settings.send_buffers);
    read_number("WSD_SAN_STORAGE_BYTES", &settings.storage_bytes);
    read_number("WSD_SAN_THRESHOLD_BYTES", &settings.threshold_bytes);
    read_number("WSD_SAN_TRANSFERS", &settings.transfers);
    read_number("WSD_SAN_NEGOTIATE_MS", &settings.negotiate_ms);
    read_number("WSD_SAN_SUSPEND_MS", &settings.suspend_ms);
    read_number("WSD_SAN_CONNECT_MS", &settings.connect_ms);
    read_number("WSD_SAN_CLOSE_MS", &settings.close_ms);
    read_number("WSD_SAN_CONTROL_MS", &settings.control_ms);
    read_number("WSD_SAN_SPIN_US", &settings.spin_us);
    read_number("WSD_SAN_ACCEPT_DELAY_MS", &settings.accept_delay_ms);
    read_number("WSD_SAN_FORCE_PUSH", &force_push);
    settings.force_push = force_push != 0;
}

static void load_one(const char *path, bool was_asked_for)
{
    struct sw_provider *p;
    struct sw_config config;
    const char *loopback = sw_os_environment("WSD_SWITCH_LOOPBACK");
    const uint32_t at = pal_load_relaxed(&loaded_count);
    char why[512];

    sw_config_init(&config);
    /* The memory is the application's, and nothing tells a switch when it is unmapped: Windows' has a driver for that (8.9). So no promise is
     * given, and a provider keeps only registrations that cannot go stale, or of memory that it watches itself. Checklist 14.2, 13. */
    config.tells_of_unmapping = false;
    config.route_loopback = loopback != NULL && strcmp(loopback, "on") == 0;
    if (at == SW_PROVIDERS_MAX)
        return;
    if (sw_load(path, &config, &p, why, sizeof(why)) == 0) {
        loaded[at] = p;
        pal_store_release(&loaded_count, at + 1u);
    } else if (was_asked_for)
        sw_os_print_error(why);
}

static void load_named(const char *list)
{
    const char separator[] = {sw_os_list_separator(), '\0'};
    char path[1024];

    while (*list != '\0') {
        size_t bytes = strcspn(list, separator);

        if (bytes > 0 && bytes < sizeof(path)) {
            memcpy(path, list, bytes);
            path[bytes] = '\0';
            load_one(path, true);
        }
        list += bytes + (list[bytes] != '\0' ? 1 : 0);
    }
}

/* A registered one that does not start is passed over in silence, as any process may find it. False: none is registered. */
static bool load_registered(void)
{
    char paths[SW_PROVIDERS_MAX][SW_REGISTERED_PATH_BYTES];
    unsigned found = sw_registered_here(paths, SW_PROVIDERS_MAX);

    for (unsigned i = 0; i < found; i++)
        load_one(paths[i], false);
    return found > 0;
}

/* The one that comes with the switch. In a program that did not ask for the switch only where it is installed. */
static void load_own(void)
{
    char *path;

    if (!sw_os_is_guest()) {
        load_one(NULL, false);
        return;
    }
    path = sw_find_beside(sw_os_provider_file());
    if (path != NULL)
        load_one(path, false);
    free(path);
}

void sw_providers_prepare(void)
{
    const char *word = sw_os_environment("WSD_SWITCH");

    read_settings();
    mode = SW_SWITCH_ON;
    if (word != NULL && strcmp(word, "off") == 0)
        mode = SW_SWITCH_OFF;
    if (word != NULL && strcmp(word, "forced") == 0)
        mode = SW_SWITCH_FORCED;
}

void sw_providers_load(void)
{
    const char *named = sw_os_environment("WSD_PROVIDER");

    if (mode == SW_SWITCH_OFF)
        return;
    if (named != NULL)
        load_named(named);
    else if (!load_registered())
        load_own();
    if (count() > 0)
        sw_providers_watch();
}

void sw_providers_unload(void)
{
    for (unsigned i = 0; i < count(); i++)
        (void)sw_unload(loaded[i], NULL, 0);
    pal_store_release(&loaded_count, 0u);
    pal_store_release(&is_watching, false); /* who watched has stopped (sw_tcp_stop) */
}

static void addresses_changed(void *context)
{
    (void)context;
    if (!sw_spi_is_started())
        return;
    pal_store_release(&is_watching, false);
    sw_providers_watch(); /* first: what changes while the tables are read is told again */
    for (unsigned i = 0; i < count(); i++)
        (void)sw_refresh(loaded[i]); /* the old table stays when it fails */
    sw_change_happened();
}

void sw_providers_watch(void)
{
    if (pal_swap_acq_rel(&is_watching, true))
        return;
    if (sw_tcp_watch_addresses(addresses_changed, NULL) != 0)
        pal_store_release(&is_watching, false); /* the tables stay as they are */
}

enum sw_switch_mode sw_providers_mode(void)
{
    return count() == 0 ? SW_SWITCH_OFF : mode;
}

const struct sw_san_settings *sw_providers_settings(void)
{
    return &settings;
}

struct sw_provider *sw_providers_for(const WSD_SOCKADDR_IN *to, const WSD_SOCKADDR_IN *bound,
                                     WSD_SOCKADDR_IN *local)
{
    return count() == 0 ? NULL : sw_provider_for(to, bound, local);
}

unsigned sw_providers_listening(const WSD_SOCKADDR_IN *local, struct sw_provider *out[SW_PROVIDERS_MAX])
{
    unsigned found = 0;

    for (unsigned i = 0; i < count(); i++) {
        struct sw_address addresses[16];
        unsigned known = sw_addresses(loaded[i], addresses, 16);
        bool serves = local->sin_addr.s_addr == 0;

        for (unsigned at = 0; at < known && at < 16; at++)
            serves = serves || addresses[at].address.sin_addr.s_addr == local->sin_addr.s_addr;
        if (serves)
            out[found++] = loaded[i];
    }
    return found;
}
