/* settings.h - what the environment may say about softiwarp; the table with defaults is in ../README.md. */
#ifndef SOFTIWARP_SETTINGS_H
#define SOFTIWARP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pal/socket.h"

enum si_loopback {
    SI_LOOPBACK_AUTO, /* listed when there is no other address */
    SI_LOOPBACK_ON    /* listed always */
};

struct si_settings {
    bool wants_crc;
    bool wants_markers; /* in what we receive */
    bool has_plain_ports;
    bool asks_no_rtr; /* requests do not ask for a first FPDU as confirmation */
    uint8_t revision; /* of MPA that requests ask for: 1 or 2 */
    enum si_loopback loopback;
    uint32_t send_buffer_bytes, recv_buffer_bytes; /* of TCP; 0 = the system's choice */
    uint32_t dead_peer_ms;
    uint32_t payload_max; /* of one FPDU; 0 = what fits one TCP segment */
    uint32_t read_along; /* bytes behind a payload that are taken with it, and copied, to save calls to TCP */
};

/* False: a value makes no sense; why[] says which. */
bool si_settings_read(struct si_settings *s, char *why, size_t why_bytes);
struct pal_socket_tuning si_socket_tuning(const struct si_settings *s); /* of every connection */

#endif
