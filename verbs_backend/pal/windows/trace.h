/* trace.h - the functions behind pal/trace.h on Windows.
 * Layer:   platform, Windows; for trace.c, and for its test, which records them: Wine's succeed and do nothing. */
#ifndef PAL_WINDOWS_TRACE_H
#define PAL_WINDOWS_TRACE_H

#include <windows.h>
#include <evntprov.h>

#define PAL_TRACE_SET_TRAITS 2 /* EventProviderSetTraits, which older headers lack */

struct pal_trace_calls {
    ULONG(WINAPI *register_provider)(LPCGUID, PENABLECALLBACK, PVOID, PREGHANDLE);
    ULONG(WINAPI *unregister)(REGHANDLE);
    ULONG(WINAPI *write)(REGHANDLE, PCEVENT_DESCRIPTOR, ULONG, PEVENT_DATA_DESCRIPTOR);
    ULONG(WINAPI *set_information)(REGHANDLE, int, PVOID, ULONG); /* Windows 8 and later; NULL: looked for */
};
extern struct pal_trace_calls pal_trace_calls;

#endif
