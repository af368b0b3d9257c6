/* san.h - a socket of a SAN provider as a carrier: companion below, session protocol inside.
 * Layer:    switch_shim; used by spi/; drives session/ over the companions of sw/switch.h.
 * Threads:  those of the provider, those of the callers, and one for timers, ended by sw_san_stop().
 * Source:   contract 8.3 to 8.11, session/PROTOCOL.md. */
#ifndef SW_SAN_H
#define SW_SAN_H

#include "spi/carrier.h"
#include "sw/switch.h"

/* Sizes and habits. Defaults by sw_san_settings_init(); read from the environment by spi/ (our choice). */
struct sw_san_settings {
    uint32_t receives, message_bytes, send_buffers, storage_bytes, threshold_bytes, transfers;
    uint32_t negotiate_ms, suspend_ms, close_ms;
    uint32_t keepalive_ms, keepalive_step_ms,
        keepalive_probes; /* keepalive_ms used when SO_KEEPALIVE is set */
    uint32_t connect_ms;  /* patience with WSPConnect */
    uint32_t
        control_ms; /* patience of a call with a connection that is with another process (contract 8.10); two thirds for giving it */
    uint32_t spin_us;         /* a blocking call polls so long before it sleeps; 0: never */
    uint32_t accept_delay_ms; /* tests: wait before the first receive of an accepted socket (contract 8.5) */
    bool force_push;          /* tests: say that there is no WSPRdmaRead */
};
void sw_san_settings_init(struct sw_san_settings *s);

/* A companion, not yet bound: WSPSocket. Then bind(), options, and connect() or listen(). Failing codes are those of the
 * provider; whoever fails before connect() falls back to TCP/IP (contract 8.2). */
int sw_san_create(struct sw_provider *p, const struct sw_san_settings *settings,
                  const struct sw_carrier_up *up, void *owner, struct sw_carrier **out);
/* After connect() failed, at once or by FD_CONNECT: may TCP/IP be tried (contract 8.2)? */
bool sw_san_may_fall_back(const struct sw_carrier *c);
/* What give() of another process wrote, for the process that it named. */
int sw_san_adopt(struct sw_provider *p, const struct sw_san_settings *settings, const void *text,
                 size_t text_bytes, const struct sw_carrier_up *up, void *owner, struct sw_carrier **out);

struct sw_san_stats {
    struct sw_session_stats session;
    uint64_t polled_receives, notified_receives, quiet_sends, sleeps;
};
void sw_san_stats(struct sw_carrier *c, struct sw_san_stats *out);
uint64_t sw_san_violations(
    void); /* connections that a peer's breach of the protocol ended, in this process */
/* Ends the threads; no carrier may be left. */
void sw_san_stop(void);

#endif
