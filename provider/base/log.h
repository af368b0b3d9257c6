/* log.h - events of the provider, one line each: key=value fields, object ids in every line.
 * Layer:   provider/base. Never on the data path; preserves errno.
 * Control: WSD_LOG = off | error | warn (default) | notice | info | debug; WSD_LOG_FILE = path (default standard
 *          error). */
#ifndef WSD_LOG_H
#define WSD_LOG_H

#include "pal/compiler.h"

enum wsd_log_level {
    WSD_LOG_OFF,
    WSD_LOG_LEVEL_ERROR,
    WSD_LOG_LEVEL_WARN,
    WSD_LOG_LEVEL_NOTICE, /* why a connection did not come to be: the caller got a code and goes on with it */
    WSD_LOG_LEVEL_INFO,
    WSD_LOG_LEVEL_DEBUG
};

extern enum wsd_log_level wsd_log_threshold; /* written by wsd_log_init() only, before any thread starts */

void wsd_log_init(void);
void wsd_log_line(enum wsd_log_level level, const char *format, ...) PAL_PRINTF(2, 3);

#define WSD_LOG_AT(level, ...)                                                                               \
    do {                                                                                                     \
        if (wsd_log_threshold >= (level))                                                                    \
            wsd_log_line((level), __VA_ARGS__);                                                              \
    } while (0)
#define WSD_LOG_ERROR(...)  WSD_LOG_AT(WSD_LOG_LEVEL_ERROR, __VA_ARGS__)
#define WSD_LOG_WARN(...)   WSD_LOG_AT(WSD_LOG_LEVEL_WARN, __VA_ARGS__)
#define WSD_LOG_NOTICE(...) WSD_LOG_AT(WSD_LOG_LEVEL_NOTICE, __VA_ARGS__)
#define WSD_LOG_INFO(...)   WSD_LOG_AT(WSD_LOG_LEVEL_INFO, __VA_ARGS__)
#define WSD_LOG_DEBUG(...)  WSD_LOG_AT(WSD_LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
