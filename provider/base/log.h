/* log.h - events of the provider: key=value fields, object ids in every one. Each is a line of text, and on Windows an ETW event
 * too for whoever listens (trace_event.h).
 * Layer:   provider/base. Never on the data path; preserves errno.
 * Control: WSD_LOG = off | error | warn (default) | notice | info | debug; WSD_LOG_FILE = path (default standard
 *          error). ETW: the listener's level, nothing before somebody listens. */
#ifndef WSD_LOG_H
#define WSD_LOG_H

#include "pal/atomic.h"
#include "pal/compiler.h"

enum wsd_log_level {
    WSD_LOG_OFF,
    WSD_LOG_LEVEL_ERROR,
    WSD_LOG_LEVEL_WARN,
    WSD_LOG_LEVEL_NOTICE, /* why a connection did not come to be: the caller got a code and goes on with it */
    WSD_LOG_LEVEL_INFO,
    WSD_LOG_LEVEL_DEBUG
};

/* What text or a listener wants: the one thing that is asked when nobody does. */
extern pal_atomic_u32 wsd_log_threshold;

void wsd_log_init(void); /* before any thread starts */
/* Nothing of ours is called by the system after it, so that the library can be unloaded. */
void wsd_log_fini(void);
/* format: of the form that trace_event.h describes. */
void wsd_log_line(enum wsd_log_level level, const char *format, ...) PAL_PRINTF(2, 3);

/* For what takes work to find out. */
#define WSD_LOG_WANTS(level) (pal_load_relaxed(&wsd_log_threshold) >= (uint32_t)(level))
#define WSD_LOG_AT(level, ...)                                                                               \
    do {                                                                                                     \
        if (WSD_LOG_WANTS(level))                                                                            \
            wsd_log_line((level), __VA_ARGS__);                                                              \
    } while (0)
#define WSD_LOG_ERROR(...)  WSD_LOG_AT(WSD_LOG_LEVEL_ERROR, __VA_ARGS__)
#define WSD_LOG_WARN(...)   WSD_LOG_AT(WSD_LOG_LEVEL_WARN, __VA_ARGS__)
#define WSD_LOG_NOTICE(...) WSD_LOG_AT(WSD_LOG_LEVEL_NOTICE, __VA_ARGS__)
#define WSD_LOG_INFO(...)   WSD_LOG_AT(WSD_LOG_LEVEL_INFO, __VA_ARGS__)
#define WSD_LOG_DEBUG(...)  WSD_LOG_AT(WSD_LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
