/* credits.h - the account of receives posted and promised, of one side of a connection. Pure rules, so that
 * tests/unit/session/test_credit_search can visit every state two of them can reach.
 * Source: PROTOCOL.md section 5; contract 8.6 [R]. */
#ifndef SW_SESSION_CREDITS_H
#define SW_SESSION_CREDITS_H

#include <stdbool.h>
#include <stdint.h>

struct sw_credits {
    uint16_t have;     /* messages that we may send */
    uint16_t have_max; /* receives of the peer */
    uint16_t own;      /* receives of ours */
    uint16_t owed;     /* of them posted again and not yet told */
    uint16_t peer_has; /* of them told: what the peer can have at most */
};

/* Both sides have posted all; the peer announced `theirs`. */
static inline void sw_credits_open(struct sw_credits *c, uint16_t own, uint16_t theirs)
{
    c->have = c->have_max = theirs;
    c->own = c->peer_has = own;
    c->owed = 0;
}

/* The reserve: data leaves one. */
static inline bool sw_credits_for_data(const struct sw_credits *c)
{
    return c->have >= 2;
}

/* The last one only for a message that tells some. */
static inline bool sw_credits_for_control(const struct sw_credits *c)
{
    return c->have >= 2 || (c->have == 1 && c->owed >= 1);
}

/* The debt: a CREDIT message is due. */
static inline bool sw_credits_due(const struct sw_credits *c)
{
    uint16_t half = (uint16_t)((c->own + 1u) / 2u);

    return c->owed >= (half < 2 ? 2 : half);
}

/* A message goes out; returns what it tells. */
static inline uint16_t sw_credits_send(struct sw_credits *c)
{
    uint16_t told = c->owed;

    c->have--;
    c->peer_has = (uint16_t)(c->peer_has + told);
    c->owed = 0;
    return told;
}

/* A message came in and tells `told`; its receive is posted again before anything is sent. False: it had no credit, or
 * tells more than there can be. */
static inline bool sw_credits_receive(struct sw_credits *c, uint16_t told)
{
    if (c->peer_has == 0 || told > c->have_max - c->have)
        return false;
    c->peer_has--;
    c->owed++;
    c->have = (uint16_t)(c->have + told);
    return true;
}

#endif
