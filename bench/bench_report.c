/* bench_report.c - the table, with the columns of perftest. */
#include "bench_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double bench_messages_per_second(uint64_t count, uint64_t elapsed_ns)
{
    return elapsed_ns == 0 ? 0 : (double)count * 1e9 / (double)elapsed_ns;
}

double bench_megabytes_per_second(uint64_t count, uint32_t size, uint64_t elapsed_ns)
{
    return bench_messages_per_second(count, elapsed_ns) * size / 1e6;
}

void bench_report_init(struct bench_report *r, const struct bench_options *o)
{
    memset(r, 0, sizeof *r);
    r->options = o;
}

void bench_report_fini(struct bench_report *r)
{
    free(r->rows);
    r->rows = NULL;
}

void bench_report_begin(struct bench_report *r)
{
    const struct bench_test *t = &r->options->test;

    printf("# wsdbench %s --layer %s", bench_command_name(t->command), bench_layer_name(t->layer));
    if (t->command == BENCH_LAT || t->command == BENCH_BW)
        printf(" --op %s --notify %s", bench_op_name(t->op), bench_notify_name(t->notify));
    if (t->notify == BENCH_UPCALL && t->layer == BENCH_SAN)
        printf(" --wake %s", bench_wake_name(t->wake));
    if (t->command == BENCH_BW)
        printf(" --depth %u", t->depth);
    if (t->command == BENCH_BW || t->command == BENCH_ECHO)
        printf(" --connections %u", t->connections);
    if (t->idle != 0)
        printf(" --idle %u", t->idle);
    fputs(t->same_memory ? " --same-memory" : "", stdout);
    puts(t->verify ? " --verify" : t->steps ? " --steps" : "");
    if (r->local.backend[0] != '\0')
        printf("# backend %s: %s\n", r->local.backend, r->local.backend_why);
    printf("# %s (%s", r->local.device, r->local.transport);
    if (r->local.mtu_bytes != 0)
        printf(", MTU %u", r->local.mtu_bytes);
    printf("), %s\n", r->local.address);
    switch (t->command) {
    case BENCH_LAT:
        printf("%10s %11s %11s %11s %11s %11s %11s %11s\n", "#bytes", "iterations", "min[us]", "typical[us]",
               "avg[us]", "99%[us]", "99.9%[us]", "max[us]");
        break;
    case BENCH_BW:
    case BENCH_ECHO: printf("%10s %11s %13s %13s\n", "#bytes", "iterations", "msg/s", "MB/s"); break;
    case BENCH_CONNECT:
        printf("%10s %11s %11s %11s %11s %11s %11s %11s %11s\n", "#conns", "conns/s", "min[us]",
               "typical[us]", "avg[us]", "99%[us]", "99.9%[us]", "max[us]", "close[us]");
        break;
    default:
        printf("%10s %11s %7s %7s %11s %11s %11s %11s %11s %11s\n", "#bytes", "iterations", "what", "cache",
               "min[us]", "typical[us]", "avg[us]", "99%[us]", "99.9%[us]", "max[us]");
        break;
    }
    (void)fflush(stdout);
}

static void print_stats(const struct bench_stats *s)
{
    printf(" %11.2f %11.2f %11.2f %11.2f %11.2f %11.2f", s->min, s->typical, s->avg, s->p99, s->p999, s->max);
}

static void print_row(const struct bench_row *row)
{
    switch (row->kind) {
    case BENCH_ROW_LAT:
        printf("%10u %11u", row->size, row->count);
        print_stats(&row->stats);
        break;
    case BENCH_ROW_BW:
        printf("%10u %11u %13.1f %13.3f", row->size, row->count,
               bench_messages_per_second(row->count, row->elapsed_ns),
               bench_megabytes_per_second(row->count, row->size, row->elapsed_ns));
        break;
    case BENCH_ROW_CONNECT:
        printf("%10u %11.1f", row->count, bench_messages_per_second(row->count, row->elapsed_ns));
        print_stats(&row->stats);
        printf(" %11.2f", row->close.typical);
        break;
    default:
        printf("%10u %11u %7s %7s", row->size, row->count, row->what, row->cache);
        print_stats(&row->stats);
        break;
    }
    if (row->checked_bytes != 0)
        printf("   verified %llu bytes", (unsigned long long)row->checked_bytes);
    putchar('\n');
    (void)fflush(stdout);
}

bool bench_report_add(struct bench_report *r, const struct bench_row *row, struct bench_error *err)
{
    if (r->row_count == r->row_room) {
        uint32_t room = r->row_room == 0 ? 32 : r->row_room * 2;
        struct bench_row *rows = realloc(r->rows, room * sizeof *rows);

        if (rows == NULL)
            return bench_fail(err, "out of memory for the results");
        r->rows = rows;
        r->row_room = room;
    }
    r->rows[r->row_count++] = *row;
    print_row(row);
    return true;
}

void bench_report_memory(struct bench_report *r, const struct bench_memory_row *m)
{
    r->memory = *m;
    r->has_memory = true;
    printf("# resident memory of %s: client %.1f KiB, server %.1f KiB (%u sockets)\n",
           r->options->test.command == BENCH_ECHO ? "a connection" : "an idle connected socket",
           m->client_kib, m->server_kib, m->count);
    (void)fflush(stdout);
}

bool bench_report_end(struct bench_report *r, struct bench_error *err)
{
    return r->options->json[0] == '\0' || bench_json_write(r, err);
}
