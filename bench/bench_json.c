/* bench_json.c - results and the environment they were measured in, as one JSON object. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench_host.h"
#include "bench_report.h"

static void put_text(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20)
            fprintf(f, "\\u%04x", c);
        else
            fputc(c, f);
    }
    fputc('"', f);
}

static void put_member(FILE *f, const char *indent, const char *name, const char *value, const char *after)
{
    fprintf(f, "%s\"%s\": ", indent, name);
    put_text(f, value);
    fputs(after, f);
}

static void put_environment(FILE *f, const struct bench_report *r)
{
    struct bench_host host = {0};
    time_t now = time(NULL);
    char text[32];

    bench_host_look(&host);
    fputs("  \"environment\": {\n", f);
    put_member(f, "    ", "device", r->local.device, ",\n");
    put_member(f, "    ", "transport", r->local.transport, ",\n");
    fprintf(f, "    \"mtu_bytes\": %u,\n", r->local.mtu_bytes);
    put_member(f, "    ", "address", r->local.address, ",\n");
    put_member(f, "    ", "remote_device", r->remote.device, ",\n");
    put_member(f, "    ", "remote_address", r->remote.address, ",\n");
    put_member(f, "    ", "backend", r->local.backend[0] != '\0' ? r->local.backend : "none", ",\n");
    put_member(f, "    ", "backend_why", r->local.backend_why, ",\n");
    put_member(f, "    ", "host", host.name, ",\n");
    put_member(f, "    ", "kernel", host.system, ",\n");
    put_member(f, "    ", "cpu", host.cpu, ",\n");
    fprintf(f, "    \"cpus\": %u,\n", host.cpus);
    if (r->options->pin[0] >= 0)
        fprintf(f, "    \"pinned\": {\"client\": %d, \"server\": %d},\n", r->options->pin[0],
                r->options->pin[1]);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now)); /* one thread writes */
    put_member(f, "    ", "date", text, "\n  },\n");
}

static void put_options(FILE *f, const struct bench_test *t)
{
    const struct {
        const char *name;
        uint32_t value;
    } numbers[] = {{"iters", t->iters},   {"seconds", t->seconds},           {"depth", t->depth},
                   {"warmup", t->warmup}, {"inline_bytes", t->inline_bytes}, {"cq_mod", t->cq_mod},
                   {"idle", t->idle},     {"connections", t->connections}};

    fputs("  \"options\": {\n", f);
    put_member(f, "    ", "command", bench_command_name(t->command), ",\n");
    put_member(f, "    ", "layer", bench_layer_name(t->layer), ",\n");
    put_member(f, "    ", "op", bench_op_name(t->op), ",\n");
    put_member(f, "    ", "notify", bench_notify_name(t->notify), ",\n");
    put_member(f, "    ", "wake", bench_wake_name(t->wake), ",\n");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        fprintf(f, "    \"%s\": %u,\n", numbers[i].name, numbers[i].value);
    fprintf(f, "    \"same_memory\": %s,\n", t->same_memory ? "true" : "false");
    fprintf(f, "    \"verify\": %s\n  },\n", t->verify ? "true" : "false");
}

static void put_stats(FILE *f, const char *prefix, const struct bench_stats *s)
{
    const struct {
        const char *name;
        double value;
    } figures[] = {{"min", s->min},   {"typical", s->typical}, {"avg", s->avg},    {"p99", s->p99},
                   {"p999", s->p999}, {"max", s->max},         {"stdev", s->stdev}};

    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        fprintf(f, ", \"%s%s_us\": %.3f", prefix, figures[i].name, figures[i].value);
}

static void put_row(FILE *f, const struct bench_row *row)
{
    fprintf(f, "    {\"bytes\": %u, \"iterations\": %u, \"elapsed_us\": %.3f", row->size, row->count,
            (double)row->elapsed_ns / 1e3);
    switch (row->kind) {
    case BENCH_ROW_BW:
        fprintf(f, ", \"messages_per_s\": %.1f, \"mb_per_s\": %.3f",
                bench_messages_per_second(row->count, row->elapsed_ns),
                bench_megabytes_per_second(row->count, row->size, row->elapsed_ns));
        break;
    case BENCH_ROW_CONNECT:
        fprintf(f, ", \"connections_per_s\": %.1f", bench_messages_per_second(row->count, row->elapsed_ns));
        put_stats(f, "", &row->stats);
        put_stats(f, "close_", &row->close);
        break;
    case BENCH_ROW_REG:
        fprintf(f, ", \"what\": \"%s\", \"cache\": \"%s\"", row->what, row->cache);
        put_stats(f, "", &row->stats);
        break;
    default: put_stats(f, "", &row->stats); break;
    }
    if (row->checked_bytes != 0)
        fprintf(f, ", \"verified_bytes\": %llu", (unsigned long long)row->checked_bytes);
    fputc('}', f);
}

bool bench_json_write(const struct bench_report *r, struct bench_error *err)
{
    FILE *f = fopen(r->options->json, "wb");
    bool is_good;

    if (f == NULL)
        return bench_fail(err, "cannot write %s: %s", r->options->json, strerror(errno));
    fputs("{\n", f);
    put_member(f, "  ", "tool", "wsdbench", ",\n");
    put_member(f, "  ", "version", WSD_VERSION, ",\n");
    put_environment(f, r);
    put_options(f, &r->options->test);
    if (r->has_memory)
        fprintf(f, "  \"%s\": {\"sockets\": %u, \"client_kib\": %.2f, \"server_kib\": %.2f},\n",
                r->options->test.command == BENCH_ECHO ? "connection_memory" : "idle_memory", r->memory.count,
                r->memory.client_kib, r->memory.server_kib);
    fputs("  \"results\": [\n", f);
    for (uint32_t i = 0; i < r->row_count; i++) {
        put_row(f, &r->rows[i]);
        fputs(i + 1 < r->row_count ? ",\n" : "\n", f);
    }
    fputs("  ]\n}\n", f);
    is_good = ferror(f) == 0;
    if (fclose(f) != 0 || !is_good)
        return bench_fail(err, "writing %s failed: %s", r->options->json, strerror(errno));
    return true;
}
