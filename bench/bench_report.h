/* bench_report.h - what the user sees: a table on stdout as it grows, and a JSON file at the end.
 * Layer: bench, client side. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench_ep.h"
#include "bench_stats.h"

enum bench_row_kind { BENCH_ROW_LAT, BENCH_ROW_BW, BENCH_ROW_CONNECT, BENCH_ROW_REG };

struct bench_row {
    uint8_t kind; /* enum bench_row_kind */
    uint32_t size;
    uint32_t count;
    uint64_t elapsed_ns;
    struct bench_stats stats; /* microseconds; LAT, CONNECT (setting up), REG */
    struct bench_stats close; /* microseconds; CONNECT */
    const char *what;         /* REG: "local", "rdma", "window" */
    const char *cache;        /* REG: "cached", "cold", "none" */
    uint64_t checked_bytes;
};

struct bench_memory_row {
    uint32_t count;                /* idle connections */
    double client_kib, server_kib; /* for each */
};

struct bench_report {
    const struct bench_options *options;
    struct bench_device local, remote;
    struct bench_row *rows;
    uint32_t row_count, row_room;
    struct bench_memory_row memory;
    bool has_memory;
};

void bench_report_init(struct bench_report *r, const struct bench_options *o);
void bench_report_fini(struct bench_report *r);

/* After both devices are known: the lines above the table. */
void bench_report_begin(struct bench_report *r);
/* Print a row and keep it for the JSON file. */
bool bench_report_add(struct bench_report *r, const struct bench_row *row, struct bench_error *err);
void bench_report_memory(struct bench_report *r, const struct bench_memory_row *m);
/* Write options->json if asked for. */
bool bench_report_end(struct bench_report *r, struct bench_error *err);

/* bench_json.c */
bool bench_json_write(const struct bench_report *r, struct bench_error *err);

/* Derived figures. */
double bench_messages_per_second(uint64_t count, uint64_t elapsed_ns);
double bench_megabytes_per_second(uint64_t count, uint32_t size, uint64_t elapsed_ns);

/* bench_progress.c: a line on stderr, redrawn once a second by a thread of its own, from the second second
 * on. Does nothing when stderr is no terminal or quiet is set. One at a time. */
struct bench_progress;
struct bench_progress *bench_progress_start(pal_atomic_u64 *count, uint64_t total, uint32_t size,
                                            bool is_quiet);
void bench_progress_stop(struct bench_progress *p); /* NULL is allowed */

#endif
