/* sw_load.c - loading a provider and the start-up sequence of contract 8.1.
 * Slots for providers are static and never move, because upcalls find theirs by number. A slot that is being
 * started or stopped makes other callers wait, instead of a lock held while the provider runs. */
#include "sw_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef SW_INSTALL_DIRECTORY
#define SW_INSTALL_DIRECTORY "" /* from CMake: where libwsdprov.so gets installed */
#endif

static struct sw_provider providers[SW_PROVIDERS_MAX];
static struct pal_mutex load_lock; /* guards which slots are in use, load_count, load_order */
static struct pal_cond load_changed;
static uint64_t load_sequence;

struct sw_provider *sw_provider_slot(unsigned index)
{
    return &providers[index];
}

bool sw_load_init(void)
{
    if (!pal_mutex_init(&load_lock) || !pal_cond_init(&load_changed))
        return false;
    for (unsigned i = 0; i < SW_PROVIDERS_MAX; i++) {
        struct sw_provider *p = &providers[i];

        p->index = i;
        p->sockets.next = p->sockets.prev = &p->sockets;
        if (!pal_mutex_init(&p->lock) || !pal_mutex_init(&p->violations.lock) ||
            !pal_cond_init(&p->message_queued))
            return false;
    }
    return true;
}

void sw_config_init(struct sw_config *config)
{
    static const GUID provider_id = {
        0x8B1F3C52,
        0x4D7E,
        0x4F0A,
        {0x9C, 0x31, 0x5A, 0x27, 0xE6, 0x0D, 0x44, 0x1B}}; /* ours, made for this project */

    memset(config, 0, sizeof(*config));
    config->struct_bytes = sizeof(*config);
    config->catalog_entry_id = 1001;
    config->provider_id = provider_id;
    config->route_own_address = true;
    config->hold_tcp_port = true;
    config->tells_of_unmapping = true;
}

/* The entry that Windows shows for TCP over IPv4. The provider must see TCP/IP's attributes, not its own
 * (contract 4.1). */
static void fill_tcpip_info(WSAPROTOCOL_INFOW *info, DWORD catalog_entry_id)
{
    static const GUID tcpip_id = {
        0xE70F1AA0, 0xAB8B, 0x11CF, {0x8C, 0xA3, 0x00, 0x80, 0x5F, 0x48, 0xA1, 0x92}};
    static const WCHAR name[] = WSD_WTEXT("MSAFD Tcpip [TCP/IP]");

    memset(info, 0, sizeof(*info));
    info->dwServiceFlags1 = XP1_GUARANTEED_DELIVERY | XP1_GUARANTEED_ORDER | XP1_GRACEFUL_CLOSE |
                            XP1_EXPEDITED_DATA | XP1_IFS_HANDLES;
    info->dwProviderFlags = PFL_MATCHES_PROTOCOL_ZERO;
    info->ProviderId = tcpip_id;
    info->dwCatalogEntryId = catalog_entry_id;
    info->ProtocolChain.ChainLen = BASE_PROTOCOL;
    info->iVersion = 2;
    info->iAddressFamily = WS_AF_INET;
    info->iMaxSockAddr = sizeof(WSD_SOCKADDR_IN);
    info->iMinSockAddr = sizeof(WSD_SOCKADDR_IN);
    info->iSocketType = WS_SOCK_STREAM;
    info->iProtocol = WS_IPPROTO_TCP;
    info->iNetworkByteOrder = BIGENDIAN;
    info->iSecurityScheme = SECURITY_PROTOCOL_NONE;
    memcpy(info->szProtocol, name, sizeof(name));
}

int sw_reason_fail(const struct sw_reason *why, int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (why->text != NULL && why->bytes > 0)
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): false alarm of clang 14 */
        vsnprintf(why->text, why->bytes, format, arguments);
    va_end(arguments);
    return code;
}

/* --- which file --- */

/* Behind the words of the loader when the file was in none of the places below. */
#define NOWHERE                                                                                              \
    "; it belongs into the folder of this program, and WSD_PROVIDER may name another file with its full path"

char *sw_find_library(const char *folder, const char *file)
{
    static const char *const above[] = {"..", "../..", "../../..", "../../../.."};
    char own[1024];
    char candidate[1200];
    char *found;

    if (sw_os_own_directory(own, sizeof(own))) {
        snprintf(candidate, sizeof(candidate), "%s/%s", own, file);
        found = sw_os_canonical_path(candidate);
        for (unsigned i = 0; found == NULL && i < sizeof(above) / sizeof(above[0]); i++) {
            snprintf(candidate, sizeof(candidate), "%s/%s/%s/%s", own, above[i], folder, file);
            found = sw_os_canonical_path(candidate);
        }
        if (found != NULL)
            return found;
    }
    snprintf(candidate, sizeof(candidate), "%s/%s", SW_INSTALL_DIRECTORY, file);
    found = SW_INSTALL_DIRECTORY[0] != '\0' ? sw_os_canonical_path(candidate) : NULL;
    return found != NULL ? found : strdup(file);
}

static char *default_path(void)
{
    const char *named = sw_os_environment("WSD_PROVIDER");
    char *found;

    if (named == NULL)
        return sw_find_library("provider", sw_os_provider_file());
    found = sw_os_canonical_path(named);
    return found != NULL ? found : strdup(named); /* a bare name: the loader's search path decides */
}

/* --- without asking for it --- */

static bool is_in_build_tree(const char *directory)
{
    static const char folder[] = "switch_shim";
    const size_t length = strlen(directory), tail = sizeof(folder) - 1;

    return length > tail && strcmp(directory + length - tail, folder) == 0 &&
           strchr("/\\", directory[length - tail - 1]) != NULL;
}

char *sw_find_beside(const char *file)
{
    char own[1024];
    char candidate[1200];
    char *found;

    if (!sw_os_own_directory(own, sizeof(own)))
        return NULL;
    snprintf(candidate, sizeof(candidate), "%s/%s", own, file);
    found = sw_os_canonical_path(candidate);
    if (found != NULL || !is_in_build_tree(own))
        return found;
    snprintf(candidate, sizeof(candidate), "%s/../provider/%s", own, file);
    return sw_os_canonical_path(candidate);
}

static char *resolve_path(const char *path)
{
    char *found;

    if (path == NULL)
        return default_path();
    found = sw_os_canonical_path(path);
    return found != NULL ? found : strdup(path);
}

/* --- contract 8.1, step by step --- */

int sw_check_procs(const char *path, const WSPPROC_TABLE *procs, const struct sw_reason *why)
{
    pal_dll_fn slots[sizeof(*procs) / sizeof(pal_dll_fn)];

    memcpy(slots, procs, sizeof(*procs));
    for (unsigned i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
        if (slots[i] == NULL)
            return sw_reason_fail(why, WSAEINVALIDPROCTABLE, "%s left slot %u of the procedure table empty",
                                  path, i);
    return 0;
}

static int fetch_extensions(struct sw_provider *p, SOCKET s, const struct sw_reason *why)
{
    static const struct {
        const char *name;
        GUID id;
        bool optional;
    } wanted[] = {
        /* in the order of struct sw_extensions */
        {"WSPRegisterMemory", WSAID_REGISTERMEMORY, false},
        {"WSPDeregisterMemory", WSAID_DEREGISTERMEMORY, false},
        {"WSPRegisterRdmaMemory", WSAID_REGISTERRDMAMEMORY, false},
        {"WSPDeregisterRdmaMemory", WSAID_DEREGISTERRDMAMEMORY, false},
        {"WSPRdmaWrite", WSAID_RDMAWRITE, false},
        {"WSPRdmaRead", WSAID_RDMAREAD, true},
        {"WSPMemoryRegistrationCacheCallback", WSAID_MEMORYREGISTRATIONCACHECALLBACK, true},
    };
    enum { CACHE_CALLBACK = 6 };
    pal_dll_fn found[sizeof(wanted) / sizeof(wanted[0])] = {NULL};

    _Static_assert(sizeof(found) == sizeof(p->ext),
                   "struct sw_extensions holds the seven pointers and nothing else");
    for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        GUID id = wanted[i].id;
        DWORD bytes = 0;
        INT error = 0;

        if (i == CACHE_CALLBACK && !p->config.tells_of_unmapping)
            continue; /* fetching it is the promise to call it (8.9) */
        if (p->procs.lpWSPIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof(id), &found[i],
                                sizeof(found[i]), &bytes, NULL, NULL, NULL, &error) == SOCKET_ERROR) {
            if (wanted[i].optional && error == WSAEOPNOTSUPP) {
                found[i] = NULL;
                continue;
            }
            return sw_reason_fail(why, WSAEINVALIDPROVIDER, "%s refused the extension %s with %s%s", p->path,
                                  wanted[i].name, sw_error_name(error),
                                  wanted[i].optional ? " instead of WSAEOPNOTSUPP" : "");
        }
        if (found[i] == NULL)
            return sw_reason_fail(why, WSAEINVALIDPROVIDER, "%s gave a NULL pointer for %s", p->path,
                                  wanted[i].name);
        if (bytes != sizeof(found[i]))
            sw_violation(p, "WSPIoctl: %u bytes returned for the pointer to %s", (unsigned)bytes,
                         wanted[i].name);
    }
    memcpy(&p->ext, found, sizeof(found));
    return 0;
}

/* Steps 4 to 7: everything that needs a socket. */
static int ask_with_socket(struct sw_provider *p, const struct sw_reason *why)
{
    WSAPROTOCOL_INFOW info = p->info;
    SOCKET descriptor;
    SOCKET handle;
    INT error = 0;
    int result = sw_raw_socket(p, &info, &descriptor, &handle);

    if (result != 0)
        return sw_reason_fail(why, result, "%s: WSPSocket failed with %s", p->path, sw_error_name(result));
    result = sw_route_query(p, descriptor);
    if (result != 0)
        result = sw_reason_fail(why, WSAEINVALIDPROVIDER, "%s: SIO_ADDRESS_LIST_QUERY failed with %s",
                                p->path, sw_error_name(result));
    else
        result = fetch_extensions(p, descriptor, why);
    if (p->procs.lpWSPCloseSocket(descriptor, &error) == SOCKET_ERROR) /* Q3: we close it */
        sw_call_failed(p, "WSPCloseSocket", error);
    return result;
}

static int start(struct sw_provider *p, const struct sw_reason *why)
{
    WSAPROTOCOL_INFOW info;
    WSPUPCALLTABLEEX upcalls;
    char dll_why[512];
    INT error = 0;
    int result;

    p->dll = pal_dll_open(p->path, dll_why, sizeof(dll_why));
    if (p->dll == NULL)
        return sw_reason_fail(why, WSAEPROVIDERFAILEDINIT, "cannot load %s: %s%s", p->path, dll_why,
                              strcmp(p->path, sw_os_provider_file()) == 0 ? NOWHERE : "");
    p->startup = (LPWSPSTARTUPEX)pal_dll_symbol(p->dll, "WSPStartupEx");
    if (p->startup == NULL) {
        result = sw_reason_fail(why, WSAEPROVIDERFAILEDINIT, "%s does not export WSPStartupEx", p->path);
        goto err_dll;
    }
    fill_tcpip_info(&p->info, p->config.catalog_entry_id);
    sw_upcall_fill(p->index, &p->upcalls);

    /* Both tables are valid during the call only (contract 4.1), so give it copies and spoil them afterwards.
     * */
    info = p->info;
    upcalls = p->upcalls;
    memset(&p->procs, 0, sizeof(p->procs));
    result = p->startup(0x0202, &p->data, &info, &upcalls, &p->procs);
    memset(&info, 0, sizeof(info));
    memset(&upcalls, 0, sizeof(upcalls));
    if (result != 0) {
        sw_reason_fail(why, result, "%s: WSPStartupEx failed with %s", p->path, sw_error_name(result));
        goto err_dll;
    }
    result = sw_check_procs(p->path, &p->procs, why);
    if (result == 0 && p->data.wVersion != 0x0202)
        result = sw_reason_fail(why, WSAVERNOTSUPPORTED, "%s speaks version %u.%u, not 2.2", p->path,
                                p->data.wVersion & 0xFFu, p->data.wVersion >> 8);
    if (result == 0)
        result = ask_with_socket(p, why);
    if (result == 0)
        return 0;

    if (p->procs.lpWSPCleanup == NULL) {
        pal_store_release(&p->phase, (uint32_t)SW_PHASE_UNLOADING);
        p->dll = NULL; /* it has started and cannot be stopped: its threads still need the code */
        return result;
    }
    pal_store_release(&p->phase, (uint32_t)SW_PHASE_CLEANING);
    p->procs.lpWSPCleanup(&error);
err_dll:
    pal_store_release(&p->phase, (uint32_t)SW_PHASE_UNLOADING);
    pal_dll_close(p->dll);
    p->dll = NULL;
    return result;
}

/* --- leaving --- */

static void drop_object(struct sw_slot *slot, uintptr_t handle, void *context)
{
    struct sw_provider *p = context;
    enum sw_object_type type = slot->type;
    struct sw_event_object *event = slot->u.event;
    struct sw_thread_object *thread = slot->u.thread;

    sw_slot_close(slot);
    switch (type) {
    case SW_OBJECT_SOCKET:
        pal_sub_acq_rel(&p->open_handle_count, 1u);
        sw_inflight_purge((SOCKET)handle);
        sw_violation(p, "socket handle %#llx was never closed", (unsigned long long)handle);
        break;
    case SW_OBJECT_EVENT:
        sw_event_drop(event);
        sw_violation(p, "event %#llx of WPUCreateEvent was never closed", (unsigned long long)handle);
        break;
    case SW_OBJECT_THREAD:
        sw_thread_drop(thread);
        sw_violation(p, "thread id %#llx of WPUOpenCurrentThread was never closed",
                     (unsigned long long)handle);
        break;
    case SW_OBJECT_PORT: /* an application's, never a provider's */
    case SW_OBJECT_FREE: break;
    }
}

static void empty_slot_locked(struct sw_provider *p)
{
    PAL_ASSERT_HELD(&load_lock);
    free(p->path);
    free(p->addresses);
    p->path = NULL;
    p->addresses = NULL;
    p->address_count = 0;
    p->load_count = 0;
    p->default_notify = (struct sw_notify){SW_NOTIFY_EVENT, NULL, NULL, NULL, 0};
    p->blocking_hook = NULL;
    p->blocking_context = 0;
    p->violations.count = 0;
    memset(&p->ext, 0, sizeof(p->ext));
    for (unsigned i = 0; i < SW_UPCALL_COUNT; i++)
        pal_store_relaxed(&p->upcall_count[i], 0u);
    pal_store_release(&p->phase, (uint32_t)SW_PHASE_FREE);
    pal_cond_broadcast(&load_changed);
}

/* A slot for `path`: either one in use (its phase is RUNNING) or a fresh one (LOADING). NULL: all taken. */
static struct sw_provider *claim_locked(const char *path)
{
    struct sw_provider *unused;
    bool must_wait;

    PAL_ASSERT_HELD(&load_lock);
    for (;;) {
        unused = NULL;
        must_wait = false;
        for (unsigned i = 0; i < SW_PROVIDERS_MAX; i++) {
            struct sw_provider *p = &providers[i];
            enum sw_phase phase = sw_phase_of(p);

            if (phase == SW_PHASE_FREE) {
                if (unused == NULL)
                    unused = p;
            } else if (strcmp(p->path, path) == 0) {
                if (phase == SW_PHASE_RUNNING)
                    return p;
                must_wait = true;
            }
        }
        if (!must_wait)
            break;
        pal_cond_wait(&load_changed, &load_lock);
    }
    if (unused != NULL)
        pal_store_release(&unused->phase, (uint32_t)SW_PHASE_LOADING);
    return unused;
}

int sw_load(const char *path, const struct sw_config *config, struct sw_provider **out, char *why,
            size_t why_bytes)
{
    const struct sw_reason reason = {why, why_bytes};
    struct sw_provider *p;
    char *resolved;
    int result;

    if (why != NULL && why_bytes > 0)
        why[0] = '\0';
    resolved = sw_global_init() ? resolve_path(path) : NULL;
    if (resolved == NULL)
        return sw_reason_fail(&reason, WSA_NOT_ENOUGH_MEMORY, "out of memory");

    pal_mutex_lock(&load_lock);
    p = claim_locked(resolved);
    if (p == NULL) {
        pal_mutex_unlock(&load_lock);
        free(resolved);
        return sw_reason_fail(&reason, WSAEPROCLIM, "%d providers are loaded already", SW_PROVIDERS_MAX);
    }
    if (sw_phase_of(p) == SW_PHASE_RUNNING) {
        p->load_count++;
        pal_mutex_unlock(&load_lock);
        free(resolved);
        *out = p;
        return 0;
    }
    p->path = resolved;
    if (config != NULL && config->struct_bytes == sizeof(*config))
        p->config = *config;
    else
        sw_config_init(&p->config);
    pal_mutex_unlock(&load_lock);

    result = start(p, &reason);
    if (result != 0) {
        sw_slot_each(p, drop_object, p);
        sw_sockets_drop(p);
    }
    pal_mutex_lock(&load_lock);
    if (result != 0) {
        empty_slot_locked(p);
    } else {
        p->load_count = 1;
        p->load_order = ++load_sequence;
        pal_store_release(&p->phase, (uint32_t)SW_PHASE_RUNNING); /* release: publishes the filled slot */
        pal_cond_broadcast(&load_changed);
    }
    pal_mutex_unlock(&load_lock);
    if (result == 0)
        *out = p;
    return result;
}

unsigned sw_unload(struct sw_provider *p, char *text, size_t text_bytes)
{
    INT error = 0;
    unsigned violations;

    pal_mutex_lock(&load_lock);
    if (p->load_count > 1) {
        p->load_count--;
        pal_mutex_unlock(&load_lock);
        return sw_violations(p, text, text_bytes);
    }
    pal_store_release(&p->phase, (uint32_t)SW_PHASE_CLEANING);
    pal_mutex_unlock(&load_lock);

    if (p->procs.lpWSPCleanup(&error) == SOCKET_ERROR)
        sw_call_failed(p, "WSPCleanup", error);
    pal_store_release(&p->phase, (uint32_t)SW_PHASE_UNLOADING);
    sw_slot_each(p, drop_object, p);
    sw_sockets_drop(p);
    sw_messages_drop(p);
    pal_dll_close(p->dll);
    p->dll = NULL;
    violations = sw_violations(p, text, text_bytes);

    pal_mutex_lock(&load_lock);
    empty_slot_locked(p);
    pal_mutex_unlock(&load_lock);
    return violations;
}

unsigned sw_loaded_providers(struct sw_provider *out[SW_PROVIDERS_MAX])
{
    unsigned count = 0;

    if (!sw_global_init())
        return 0;
    pal_mutex_lock(&load_lock);
    for (unsigned i = 0; i < SW_PROVIDERS_MAX; i++) {
        struct sw_provider *p = &providers[i];
        unsigned at = count;

        if (sw_phase_of(p) != SW_PHASE_RUNNING)
            continue;
        for (; at > 0 && out[at - 1]->load_order > p->load_order; at--)
            out[at] = out[at - 1];
        out[at] = p;
        count++;
    }
    pal_mutex_unlock(&load_lock);
    return count;
}

const char *sw_path(const struct sw_provider *p)
{
    return p->path;
}

const WSPPROC_TABLE *sw_procs(const struct sw_provider *p)
{
    return &p->procs;
}

const struct sw_extensions *sw_extensions(const struct sw_provider *p)
{
    return &p->ext;
}

const WSPDATA *sw_wspdata(const struct sw_provider *p)
{
    return &p->data;
}

const WSAPROTOCOL_INFOW *sw_protocol_info(const struct sw_provider *p)
{
    return &p->info;
}

LPWSPSTARTUPEX sw_startup_entry(const struct sw_provider *p)
{
    return p->startup;
}

const WSPUPCALLTABLEEX *sw_upcall_table(const struct sw_provider *p)
{
    return &p->upcalls;
}

int sw_set_default_notify(struct sw_provider *p, const struct sw_notify *n)
{
    static const struct sw_notify only_event = {SW_NOTIFY_EVENT, NULL, NULL, NULL, 0};

    if (n == NULL)
        n = &only_event;
    if ((n->kind == SW_NOTIFY_CALLBACK && n->fn == NULL) || (n->kind == SW_NOTIFY_IOCP && n->iocp == NULL))
        return WSAEINVAL;
    pal_mutex_lock(&p->lock);
    p->default_notify = *n;
    pal_mutex_unlock(&p->lock);
    return 0;
}
