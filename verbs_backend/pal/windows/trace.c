/* trace.c - ETW. An event describes itself: beside its data it carries the provider's name and its own name and fields, so that
 * tools show it without a manifest being installed. Source: EventRegister, EventWrite, EVENT_DESCRIPTOR, EVENT_DATA_DESCRIPTOR and
 * provider traits pages of the Windows SDK. */
#include "pal/trace.h"

#include <errno.h>
#include <string.h>

#include "pal/atomic.h"
#include "trace.h"

#define CHANNEL_SELF_DESCRIBING 11 /* WINEVENT_CHANNEL_TRACELOGGING */
/* The values of IsEnabled (EnableCallback page). */
#define IS_ENABLED_NO            0
#define IS_ENABLED_CAPTURE_STATE 2
/* EVENT_DATA_DESCRIPTOR: kinds of the first pieces. */
#define PIECE_EVENT_METADATA    1
#define PIECE_PROVIDER_METADATA 2

struct pal_trace_calls pal_trace_calls = {EventRegister, EventUnregister, EventWrite, NULL};

static pal_atomic_u64 handle; /* REGHANDLE; 0: not registered */
static const void *provider_traits;
static uint16_t provider_traits_bytes;
static pal_trace_changed tell; /* written before the registration that makes it reachable */

/* Enabled with level 0 means all levels (EnableTraceEx2 page). */
static VOID NTAPI on_change(LPCGUID source, ULONG enabled, UCHAR level, ULONGLONG any, ULONGLONG all,
                            PEVENT_FILTER_DESCRIPTOR filter, PVOID context)
{
    (void)source, (void)any, (void)all, (void)filter, (void)context;
    if (enabled == IS_ENABLED_CAPTURE_STATE) /* a question about the present state: we have none to tell */
        return;
    tell(enabled == IS_ENABLED_NO ? PAL_TRACE_NONE : level == 0 ? 0xFF : level);
}

/* Tools that do not read events' own names learn the provider's. Windows 7 has no such call and does without. */
static void set_traits(REGHANDLE h)
{
    if (!pal_trace_calls.set_information) {
        FARPROC found = GetProcAddress(GetModuleHandleW(L"advapi32.dll"), "EventSetInformation");
        memcpy(&pal_trace_calls.set_information, &found, sizeof found);
    }
    if (pal_trace_calls.set_information)
        (void)pal_trace_calls.set_information(h, PAL_TRACE_SET_TRAITS, (PVOID)(uintptr_t)provider_traits,
                                              provider_traits_bytes);
}

void pal_trace_open(const uint8_t guid[16], const void *traits, uint16_t traits_bytes,
                    pal_trace_changed changed)
{
    GUID id;
    REGHANDLE h = 0;
    if (pal_load_relaxed(&handle))
        return;
    memcpy(&id, guid, sizeof id);
    provider_traits = traits;
    provider_traits_bytes = traits_bytes;
    tell = changed;
    /* A tool that listens already is told from inside this call. Without memory nobody can listen, and that is all. */
    if (pal_trace_calls.register_provider(&id, on_change, NULL, &h) != ERROR_SUCCESS)
        return;
    set_traits(h);
    pal_store_release(&handle, h);
}

void pal_trace_close(void)
{
    REGHANDLE h = atomic_exchange(&handle, 0);
    if (!h)
        return;
    (void)pal_trace_calls.unregister(h); /* no call of on_change() after it */
    tell(PAL_TRACE_NONE);
}

static EVENT_DATA_DESCRIPTOR piece(const void *data, uint32_t bytes, ULONG kind)
{
    EVENT_DATA_DESCRIPTOR d = {.Ptr = (uintptr_t)data, .Size = bytes};
    d.Reserved = kind;
    return d;
}

void pal_trace_write(unsigned level, const void *metadata, uint32_t metadata_bytes, const void *data,
                     uint32_t data_bytes)
{
    REGHANDLE h = pal_load_acquire(&handle);
    if (!h)
        return;
    int saved_errno = errno;
    DWORD saved = GetLastError();
    /* Keyword 0: whoever listens to the provider gets it, whatever keywords were asked for. */
    const EVENT_DESCRIPTOR event = {.Channel = CHANNEL_SELF_DESCRIBING, .Level = (UCHAR)level};
    EVENT_DATA_DESCRIPTOR pieces[3] = {piece(provider_traits, provider_traits_bytes, PIECE_PROVIDER_METADATA),
                                       piece(metadata, metadata_bytes, PIECE_EVENT_METADATA),
                                       piece(data, data_bytes, 0)};
    (void)pal_trace_calls.write(h, &event, data_bytes > 0 ? 3 : 2, pieces);
    SetLastError(saved);
    errno = saved_errno;
}
