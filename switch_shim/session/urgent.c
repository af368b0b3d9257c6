/* urgent.c - urgent data: a byte of the stream whose position and value run ahead of it.
 * Source: PROTOCOL.md 8; contract 8.8, 10.3 (FD_OOB); winsock-behaviours.md B202, B216. */
#include "session/internal.h"

void sw_urgent_queued(struct sw_session *s, uint64_t position, uint8_t byte)
{
    s->tx.urgent_position = position;
    s->tx.urgent_byte = byte;
    s->tx.urgent_due = true; /* in place of one that has not gone yet */
}

const char *sw_urgent_in(struct sw_session *s, const struct sw_wire_message *m)
{
    if (m->position < s->rx.announced)
        return "an urgent byte in what was sent";
    if (s->rx.urgent_ever && m->position <= s->rx.mark)
        return "an urgent byte before an earlier one";
    s->rx.urgent_ever = s->rx.has_mark = s->rx.mark_unread = true;
    s->rx.mark = m->position;
    s->rx.urgent_byte = m->payload[0];
    if (!s->rx.urgent_inline && s->oob_armed) {
        s->oob_armed = false;
        s->events |= FD_OOB;
    }
    return NULL;
}

uint64_t sw_before_mark(const struct sw_session *s, uint64_t position, uint64_t bytes)
{
    if (s->rx.has_mark && s->rx.mark >= position && s->rx.mark - position < bytes)
        return s->rx.mark - position;
    return bytes;
}

/* A new read begins; the byte at the mark, if that is where it begins, is there. */
void sw_pass_mark(struct sw_session *s)
{
    if (!s->rx.has_mark || s->rx.consumed != s->rx.mark)
        return;
    s->rx.has_mark = false;
    if (!s->rx.urgent_inline)
        s->rx.consumed++; /* it is had, or was, by MSG_OOB */
    else
        s->rx.mark_unread = false;
}

int sw_session_receive_urgent(struct sw_session *s, uint8_t *byte)
{
    sw_stir(s);
    if (s->rx.urgent_inline || !s->rx.urgent_ever)
        return WSAEINVAL; /* B216 */
    s->oob_armed = true;
    if (!s->rx.mark_unread)
        return WSAEWOULDBLOCK;
    s->rx.mark_unread = false;
    *byte = s->rx.urgent_byte;
    return 0;
}

void sw_session_urgent_inline(struct sw_session *s, bool on)
{
    sw_stir(s);
    s->rx.urgent_inline = on;
}

bool sw_session_at_mark(const struct sw_session *s)
{
    return !s->rx.has_mark || s->rx.consumed >= s->rx.mark;
}
