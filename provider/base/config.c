/* config.c - reads the settings from the environment. One table, one row per setting. */
#include "base/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct setting {
    const char *name;
    size_t offset;
    uint32_t fallback, low, high;
};

#define ROW(name, field, fallback, low, high)                                                                \
    {                                                                                                        \
        name, offsetof(struct wsd_config, field), fallback, low, high                                        \
    }

/* Depths are one below a power of two because queues of rxe hold one less than a power of two and round
 * up: 31 costs 32 slots, 32 would cost 64. Send and receive queues of one socket take 24 KiB there, half
 * of the 48 KiB budget. */
static const struct setting settings[] = {
    ROW("WSD_SEND_DEPTH", send_depth, 31, 8, 4095),
    ROW("WSD_RECV_DEPTH", recv_depth, 63, 16, 4095), /* room for the private receives */
    ROW("WSD_SEND_SGE", send_sge, 16, 1, 64),
    ROW("WSD_RECV_SGE", recv_sge, 1, 1, 64),
    ROW("WSD_INLINE", inline_bytes, 256, 0, 1024),
    ROW("WSD_MAX_MESSAGE", max_message_bytes, 16u << 20, 4096, 0x7FFFFFFF),
    ROW("WSD_RDMA_THRESHOLD", rdma_threshold_bytes, 16384, 0, 0x7FFFFFFF),
    ROW("WSD_CONNECT_TIMEOUT_MS", connect_timeout_ms, 5000, 10, 21000),
    ROW("WSD_CLOSE_GRACE_MS", close_grace_ms, 1000, 0, 10000),
    ROW("WSD_DUPLICATE_EXPIRY_MS", duplicate_expiry_ms, 60000, 100, 600000),
    ROW("WSD_PRIVATE_RECEIVES", private_receives, 1, 0, 8),
    ROW("WSD_QUEUE_CAP", queue_cap, 4096, 16, 1u << 20),
    ROW("WSD_BACKLOG_MAX", backlog_max, 200, 1, 4096),
    ROW("WSD_CQ_DEPTH", cq_depth, 16383, 255, 1u << 22),
    ROW("WSD_MR_CACHE", mr_cache_entries, 4096, 0, 65536),
    ROW("WSD_MR_WATCH", mr_watch, 1, 0, 1),
};

static uint64_t env_number(const char *name, uint64_t fallback, uint64_t low, uint64_t high)
{
    const char *text = getenv(name);
    if (!text || !*text)
        return fallback;
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 0);
    if (errno || *end || strchr(text, '-')) { /* strtoull() takes a minus, also after blanks, and wraps */
        WSD_LOG_WARN("setting=%s value=%s event=ignored reason=not-a-number default=%llu", name, text,
                     (unsigned long long)fallback);
        return fallback;
    }
    if (v >= low && v <= high)
        return v;
    uint64_t clamped = v < low ? low : high;
    WSD_LOG_WARN("setting=%s value=%llu event=clamped to=%llu", name, v, (unsigned long long)clamped);
    return clamped;
}

void wsd_config_load(struct wsd_config *c)
{
    memset(c, 0, sizeof *c);
    const char *backend = getenv("WSD_BACKEND");
    strncpy(c->backend, backend && *backend ? backend : "auto", sizeof c->backend - 1);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const struct setting *s = &settings[i];
        uint32_t v = (uint32_t)env_number(s->name, s->fallback, s->low, s->high);
        memcpy((char *)c + s->offset, &v, sizeof v);
    }
    c->mr_cache_bytes = env_number("WSD_MR_CACHE_BYTES", 1ull << 30, 0, UINT64_MAX);
}
