/* pair.h - two sessions with a connection between them, all in memory: every message, report and RDMA request is kept
 * until the test lets it happen. It holds the sessions to what a provider demands: a message meets a posted receive, RDMA
 * stays within what is registered, nothing is deregistered while in use, each operation completes once. */
#ifndef SESSION_PAIR_H
#define SESSION_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "session/session.h"

#define PAIR_REGISTRATIONS 64
#define PAIR_MESSAGES      128
#define PAIR_RDMA          16

struct pair_op {
    struct sw_op op;
    WSABUF buffers[4];
    bool is_pending, is_done, is_cancelled;
};

struct pair_message {
    uint32_t bytes;
    uint8_t *data;
};

struct pair_rdma {
    struct sw_range *range;
    uint8_t *memory;
    uint32_t bytes;
    bool is_write;
    uint8_t remote[SW_WIRE_DESCRIPTOR_MAX];
    uint16_t remote_bytes;
    uint32_t offset;
};

struct pair_registration {
    bool used;
    uint32_t generation;
    uint8_t *memory;
    uint32_t bytes;
    enum sw_access access;
};

struct pair_side {
    struct sw_session *s;
    struct sw_session_config cfg;
    uint8_t posted[64]; /* receives in their order */
    unsigned posted_count;
    struct pair_message way[PAIR_MESSAGES]; /* sent by this side, not arrived */
    unsigned way_count;
    uint8_t unreported[PAIR_MESSAGES]; /* sent, not reported */
    unsigned unreported_count;
    struct pair_rdma rdma[PAIR_RDMA];
    unsigned rdma_count;
    struct pair_registration registrations[PAIR_REGISTRATIONS];
    unsigned registered, registrations_made;
    bool is_armed[SW_TIMER_COUNT];
    uint32_t armed_ms[SW_TIMER_COUNT];
    unsigned events; /* raised and not looked at */
    int close_event_error;
    bool is_opened, is_closed, must_move;
    int close_error;
    const char *report;
    unsigned reports, sends, completed;
    uint8_t sent_types[SW_WIRE_TYPE_COUNT]; /* how many of each, at most 255 */
    bool is_acting;                         /* somebody carries out actions already */
    int registrations_left;                 /* further ones are refused; -1: none is */
    int registration_error;                 /* with this; 0: WSAENOBUFS */
};

struct pair {
    struct pair_side side[2]; /* 0 is the connector */
    bool is_cut;
    void (*failed)(const char *what); /* does not return */
    /* May be NULL. Called between the moment an action is handed out and that at which it is carried out: what other
     * threads do meanwhile. */
    void (*between)(unsigned side);
};

/* Settings that suit tests: 8 receives of 256 bytes, storage 1,024, threshold 512. */
void pair_settings(struct sw_session_config *c);
/* Memory and sessions; `a` connects. Nothing has happened yet. */
void pair_open(struct pair *p, const struct sw_session_config *a, const struct sw_session_config *b);
void pair_free(struct pair *p);
/* Carry out everything that side wants, unless that is being done. */
void pair_act(struct pair *p, unsigned side);
/* One thing each; false: there is none. */
bool pair_arrive(struct pair *p, unsigned to);
bool pair_report(struct pair *p, unsigned side);
bool pair_rdma(struct pair *p, unsigned side, unsigned which);
/* Until nothing happens any more; then connect two sessions and do so. */
void pair_settle(struct pair *p);
void pair_start(struct pair *p);
/* The connection breaks: what is on its way is lost, what runs fails. */
void pair_cut(struct pair *p, int error);
/* The session of `side` has said SW_DO_MOVE: it goes on in another one. Receives that wait go along. */
void pair_move(struct pair *p, unsigned side);

int pair_send(struct pair *p, unsigned side, struct pair_op *op, const void *data, uint32_t bytes,
              uint32_t flags);
int pair_receive(struct pair *p, unsigned side, struct pair_op *op, void *data, uint32_t bytes,
                 uint32_t flags);

/* Put a message of the test's own making on the way, as if `from` had sent it. */
void pair_forge(struct pair *p, unsigned from, const void *data, uint32_t bytes);

#endif
