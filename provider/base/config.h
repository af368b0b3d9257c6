/* config.h - settings of the provider, each with a documented default.
 * Layer:   provider/base.
 * Source:  "our choice" where the contract leaves one; the table in provider/README.md repeats name, unit,
 *          default, effect. */
#ifndef WSD_CONFIG_H
#define WSD_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

struct wsd_config {
    char backend[256];             /* WSD_BACKEND: backend spec of vb_open(), or "auto" */
    uint32_t send_depth;           /* WSD_SEND_DEPTH: work requests in a send queue */
    uint32_t recv_depth;           /* WSD_RECV_DEPTH */
    uint32_t send_sge, recv_sge;   /* pieces of one work request; more are bounced or split */
    uint32_t inline_bytes;         /* WSD_INLINE: largest payload copied into the work request */
    uint32_t max_message_bytes;    /* WSD_MAX_MESSAGE: SO_MAX_MSG_SIZE is this or the device's limit (Q6) */
    uint32_t rdma_threshold_bytes; /* WSD_RDMA_THRESHOLD: SO_RDMA_THRESHOLD_SIZE (Q6) */
    uint32_t connect_timeout_ms;   /* WSD_CONNECT_TIMEOUT_MS (Q28) */
    uint32_t close_grace_ms;       /* WSD_CLOSE_GRACE_MS: background time for the disconnect exchange (Q18) */
    uint32_t duplicate_expiry_ms;  /* WSD_DUPLICATE_EXPIRY_MS (Q25) */
    uint32_t private_receives;     /* WSD_PRIVATE_RECEIVES: K of contract 8.5 */
    uint32_t queue_cap;            /* WSD_QUEUE_CAP: outstanding operations per direction (Q13) */
    uint32_t backlog_max;          /* WSD_BACKLOG_MAX: what SOMAXCONN means (4.5) */
    uint32_t cq_depth;             /* WSD_CQ_DEPTH: completions one CQ shard holds */
    /* WSD_MR_CACHE: cached registrations per protection domain, 0 = no cache (8.9) */
    uint32_t mr_cache_entries;
    uint32_t mr_watch;       /* WSD_MR_WATCH: where the switch does not tell of unmapping, watch the memory */
    uint64_t mr_cache_bytes; /* WSD_MR_CACHE_BYTES: and their size together */
};

/* Defaults overridden by the environment. Values out of range are clamped and logged. */
void wsd_config_load(struct wsd_config *c);

#endif
