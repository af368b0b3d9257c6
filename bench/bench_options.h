/* bench_options.h - what to measure: the command line of wsdbench, checked.
 * Layer:   bench. struct bench_test is what both ends must agree on; it travels over the control channel and
 *          is checked again on arrival with the same function. The rest concerns one end only. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench_error.h"

enum bench_command { BENCH_LAT, BENCH_BW, BENCH_CONNECT, BENCH_REG, BENCH_ECHO, BENCH_COMMANDS };
enum bench_layer_kind {
    BENCH_RAW,
    BENCH_SAN,
    BENCH_TCP,
    BENCH_UNIX,
    BENCH_APP,
    BENCH_APPTCP,
    BENCH_WINSOCK,
    BENCH_WINSOCKTCP,
    BENCH_LAYERS
};
enum bench_op { BENCH_SEND, BENCH_WRITE, BENCH_READ, BENCH_OPS };
enum bench_notify { BENCH_POLL, BENCH_UPCALL, BENCH_NOTIFIES };
enum bench_wake { BENCH_WAKE_CALLBACK, BENCH_WAKE_PORT, BENCH_WAKES };

enum {
    BENCH_SIZES_MAX = 64,
    BENCH_SIZE_MAX = 4 << 20,
    BENCH_DEPTH_MAX = 1024,
    BENCH_ITERS_MAX = 8 << 20, /* one sample of 8 bytes each is preallocated */
    BENCH_IDLE_MAX = 20000,
    BENCH_CONNECTIONS_MAX = 4096,
    BENCH_CPU_MAX = 1023, /* what a cpu_set_t can name */
    BENCH_PORT = 18530    /* of the control channel */
};

struct bench_test {
    uint8_t command; /* enum bench_command; the following likewise */
    uint8_t layer;
    uint8_t op;
    uint8_t notify;
    uint8_t wake;
    bool verify;
    bool same_memory; /* every slot has the same piece of memory */
    bool rss;
    bool steps;
    uint16_t size_count;
    uint32_t sizes[BENCH_SIZES_MAX]; /* bytes */
    uint32_t iters;                  /* for each size; 0: by time */
    uint32_t seconds;                /* for each size; 0: by count */
    uint32_t depth;
    uint32_t warmup;
    uint32_t inline_bytes;
    uint32_t cq_mod;
    uint32_t idle;
    uint32_t connections; /* bw, echo: at once */
    uint32_t timeout_s;   /* without progress */
};

enum bench_role { BENCH_FORK, BENCH_SERVER, BENCH_CLIENT };

struct bench_options {
    struct bench_test test;
    enum bench_role role;
    char host[256]; /* of the server */
    uint16_t port;
    char addr[64]; /* local address, empty: first of the backend; tcp: where the client reached the server */
    char backend[256];   /* empty: WSD_BACKEND, else the best one that has something to serve */
    char provider[1024]; /* library, empty: the switch looks for it */
    char json[1024];     /* file, empty: none */
    int pin[2];          /* processor that the client, and that the server, stays on; -1: any */
    bool once;           /* server: serve one client */
    bool quiet;          /* no progress */
};

enum bench_parsed {
    BENCH_PARSED,
    BENCH_PARSED_HELP,
    BENCH_PARSED_VERSION,
    BENCH_PARSED_COMPARE,
    BENCH_PARSED_WRONG
};

/* argv[1] is the subcommand (or --server, --help, --version). BENCH_PARSED_WRONG: the sentence is in err. */
enum bench_parsed bench_options_parse(int argc, char *const argv[], struct bench_options *out,
                                      struct bench_error *err);

/* Are the fields in range and does the combination make sense? For the command line and for what a peer
 * asks. */
bool bench_test_check(const struct bench_test *t, struct bench_error *err);

/* "64", "4K", "1M", "0,64,64K", "64..1M" (powers of two), "0..4M" (0, then 1, 2, 4 ...), "all" (0..4M). */
bool bench_sizes_parse(const char *text, struct bench_test *t, struct bench_error *err);

const char *bench_command_name(unsigned v);
const char *bench_layer_name(unsigned v);
bool bench_is_winsock(unsigned layer);
const char *bench_op_name(unsigned v);
const char *bench_notify_name(unsigned v);
const char *bench_wake_name(unsigned v);

extern const char bench_help_text[]; /* bench_help.c */

#endif
