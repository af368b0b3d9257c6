/* settings.c - see settings.h. */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpa.h"

/* A payload that is a multiple of 64 and whose segment, with either header, needs no padding: no three bytes of zeros
 * between two large pieces. */
#define PAYLOAD_DEFAULT 65472u
/* Of a QP's memory, though none of it is touched before a peer sends that much at once. The least is a trailer and the next
 * header, which would otherwise be a call of their own. */
#define READ_ALONG_LEAST 64u
#define READ_ALONG_MOST  1048576u

static bool choice(const char *name, const char *first, const char *second, bool *is_second, char *why,
                   size_t why_bytes)
{
    const char *text = getenv(name);
    if (!text || !*text || strcmp(text, first) == 0) {
        *is_second = false;
    } else if (strcmp(text, second) == 0) {
        *is_second = true;
    } else {
        (void)snprintf(why, why_bytes, "softiwarp: %s is \"%s\", which is neither \"%s\" nor \"%s\".", name,
                       text, first, second);
        return false;
    }
    return true;
}

static bool number(const char *name, uint32_t fallback, uint32_t low, uint32_t high, uint32_t *out, char *why,
                   size_t why_bytes)
{
    const char *text = getenv(name);
    char *end = NULL;
    *out = fallback;
    if (!text || !*text)
        return true;
    unsigned long long v = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || v < low || v > high) {
        (void)snprintf(why, why_bytes, "softiwarp: %s is \"%s\", which is no number from %u to %u.", name,
                       text, low, high);
        return false;
    }
    *out = (uint32_t)v;
    return true;
}

bool si_settings_read(struct si_settings *s, char *why, size_t why_bytes)
{
    bool crc_off, loopback_on;
    uint32_t revision;
    memset(s, 0, sizeof *s);
    if (!choice("WSD_SOFTIWARP_CRC", "on", "off", &crc_off, why, why_bytes) ||
        !choice("WSD_SOFTIWARP_MARKERS", "off", "on", &s->wants_markers, why, why_bytes) ||
        !choice("WSD_SOFTIWARP_PORTS", "mapped", "plain", &s->has_plain_ports, why, why_bytes) ||
        !choice("WSD_SOFTIWARP_RTR", "on", "off", &s->asks_no_rtr, why, why_bytes) ||
        !choice("WSD_SOFTIWARP_LOOPBACK", "auto", "on", &loopback_on, why, why_bytes) ||
        !number("WSD_SOFTIWARP_MPA", 2, 1, 2, &revision, why, why_bytes) ||
        !number("WSD_SOFTIWARP_SNDBUF", 0, 0, 1u << 30, &s->send_buffer_bytes, why, why_bytes) ||
        !number("WSD_SOFTIWARP_RCVBUF", 0, 0, 1u << 30, &s->recv_buffer_bytes, why, why_bytes) ||
        !number("WSD_SOFTIWARP_DEAD_MS", 60000, 1000, 3600000, &s->dead_peer_ms, why, why_bytes) ||
        !number("WSD_SOFTIWARP_FPDU", PAYLOAD_DEFAULT, 0, PAYLOAD_DEFAULT, &s->payload_max, why, why_bytes) ||
        !number("WSD_SOFTIWARP_READ_ALONG", pal_socket_read_along(), READ_ALONG_LEAST, READ_ALONG_MOST,
                &s->read_along, why, why_bytes))
        return false;
    if (s->payload_max > 0 && s->payload_max < 64)
        s->payload_max = 64; /* below, the frames would outweigh what they carry */
    s->wants_crc = !crc_off;
    s->loopback = loopback_on ? SI_LOOPBACK_ON : SI_LOOPBACK_AUTO;
    s->revision = (uint8_t)revision;
    return true;
}

struct pal_socket_tuning si_socket_tuning(const struct si_settings *s)
{
    return (struct pal_socket_tuning){.send_buffer_bytes = s->send_buffer_bytes,
                                      .recv_buffer_bytes = s->recv_buffer_bytes,
                                      .dead_peer_ms = s->dead_peer_ms};
}
