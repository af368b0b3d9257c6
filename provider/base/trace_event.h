/* trace_event.h - an event of the log as a self-describing one: the name, and fields with their types.
 * Layer:   provider/base; pure. For log.c and tests.
 * The list of events is the log's own: the format of a WSD_LOG_* call is the description, so that text and trace cannot differ.
 *     "sock=%u event=state by=%s why=\"%s\""  ->  event "state", fields sock (32 bits), by and why (UTF-8 text)
 * A format is key=value, separated by one space; a value is one conversion, or words without any; with spaces in it, it stands
 * in "" or []. One key is event, its value words. Conversions: %s %d %u %x, and %u %x with l, ll or I64 (PRIu64) before.
 * Source: the bytes are those of TraceLogging, as the Windows SDK describes them (TraceLoggingProvider.h, TDH_IN_TYPE and
 * TDH_OUT_TYPE pages): metadata is a 16-bit length of all of it, one byte of tags, the name with its terminator, and for each field
 * its name with its terminator, a type, and with 0x80 in that a way to show it; data is the values one after the other. */
#ifndef WSD_TRACE_EVENT_H
#define WSD_TRACE_EVENT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#define WSD_TRACE_META_BYTES 512
#define WSD_TRACE_DATA_BYTES 1024

struct wsd_trace_event {
    uint32_t meta_bytes, data_bytes;
    uint8_t meta[WSD_TRACE_META_BYTES];
    uint8_t data[WSD_TRACE_DATA_BYTES];
};

/* false: the format is none of those above, or there is no room. Text that is too long is cut. Consumes args. */
bool wsd_trace_encode(struct wsd_trace_event *event, const char *format, va_list args);
/* An event of that name with one field of text, for what wsd_trace_encode() cannot. */
void wsd_trace_encode_text(struct wsd_trace_event *event, const char *name, const char *field,
                           const char *text);

/* The provider as tools name it: OpenWSD.Provider, and the GUID that tools make of that name. */
extern const uint8_t wsd_trace_guid[16];
extern const uint8_t wsd_trace_traits[19];

#endif
