/* bench_options.c - reads the command line into struct bench_options, one table row per option. */
#include "bench_options.h"

#include <stdlib.h>
#include <string.h>

static const char *const command_names[] = {"lat", "bw", "connect", "reg", "echo"};
static const char *const layer_names[] = {"raw", "san",    "tcp",     "unix",
                                          "app", "apptcp", "winsock", "winsocktcp"};
static const char *const op_names[] = {"send", "write", "read"};
static const char *const notify_names[] = {"poll", "upcall"};
static const char *const wake_names[] = {"callback", "port"};

static const char *name_of(const char *const *names, unsigned count, unsigned v)
{
    return v < count ? names[v] : "?";
}

const char *bench_command_name(unsigned v)
{
    return name_of(command_names, BENCH_COMMANDS, v);
}

const char *bench_layer_name(unsigned v)
{
    return name_of(layer_names, BENCH_LAYERS, v);
}

bool bench_is_winsock(unsigned layer)
{
    return layer == BENCH_WINSOCK || layer == BENCH_WINSOCKTCP;
}

const char *bench_op_name(unsigned v)
{
    return name_of(op_names, BENCH_OPS, v);
}

const char *bench_notify_name(unsigned v)
{
    return name_of(notify_names, BENCH_NOTIFIES, v);
}

const char *bench_wake_name(unsigned v)
{
    return name_of(wake_names, BENCH_WAKES, v);
}

/* --- values --------------------------------------------------------------------------------------------- */

/* A decimal number of at most 9 digits with an optional K or M (binary). Leaves *end behind it. */
static bool parse_size(const char *text, const char **end, uint32_t *out)
{
    uint64_t v = 0;
    const char *p = text;

    while (*p >= '0' && *p <= '9' && p - text < 10)
        v = v * 10 + (uint64_t)(*p++ - '0');
    if (p == text)
        return false;
    if (*p == 'K' || *p == 'k')
        v <<= 10, p++;
    else if (*p == 'M' || *p == 'm')
        v <<= 20, p++;
    if (v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    *end = p;
    return true;
}

static bool parse_number(const char *text, uint32_t low, uint32_t high, uint32_t *out)
{
    const char *end;
    uint32_t v;

    if (!parse_size(text, &end, &v) || *end != '\0' || v < low || v > high)
        return false;
    *out = v;
    return true;
}

static bool add_size(struct bench_test *t, uint32_t size, struct bench_error *err)
{
    if (size > BENCH_SIZE_MAX)
        return bench_fail(err, "size %u is beyond the largest, %d bytes (4M)", size, BENCH_SIZE_MAX);
    if (t->size_count == BENCH_SIZES_MAX)
        return bench_fail(err, "more than %d sizes: measure them in several runs", BENCH_SIZES_MAX);
    t->sizes[t->size_count++] = size;
    return true;
}

static bool add_range(struct bench_test *t, uint32_t low, uint32_t high, struct bench_error *err)
{
    if (high < low || high > BENCH_SIZE_MAX)
        return bench_fail(err, "a range of sizes goes upwards and ends at 4M or before");
    for (uint64_t size = low; size <= high; size = size == 0 ? 1 : size * 2) {
        if (!add_size(t, (uint32_t)size, err))
            return false;
    }
    return true;
}

bool bench_sizes_parse(const char *text, struct bench_test *t, struct bench_error *err)
{
    const char *p = strcmp(text, "all") == 0 ? "0..4M" : text;

    t->size_count = 0;
    for (;;) {
        uint32_t low, high;

        if (!parse_size(p, &p, &low))
            break;
        high = low;
        if (p[0] == '.' && p[1] == '.') {
            if (!parse_size(p + 2, &p, &high))
                break;
            if (!add_range(t, low, high, err))
                return false;
        } else if (!add_size(t, low, err)) {
            return false;
        }
        if (*p == '\0')
            return true;
        if (*p++ != ',')
            break;
    }
    return bench_fail(err, "'%s' is no list of sizes; examples: 64   0,64,4K   64..1M   all", text);
}

static bool parse_name(const char *value, const char *const *names, unsigned count, uint8_t *out)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(value, names[i]) == 0) {
            *out = (uint8_t)i;
            return true;
        }
    }
    return false;
}

static bool copy_text(char *out, size_t room, const char *value)
{
    if (value[0] == '\0' || strlen(value) >= room)
        return false;
    memcpy(out, value, strlen(value) + 1);
    return true;
}

/* HOST, HOST:PORT, [IP6]:PORT; a bare IPv6 address has several colons and no port. */
static bool parse_host(const char *value, struct bench_options *o)
{
    const char *colon = strrchr(value, ':');
    const char *start = value;
    size_t length = strlen(value);
    uint32_t port = BENCH_PORT;

    if (value[0] == '[') {
        const char *close = strchr(value, ']');

        if (close == NULL || (close[1] != '\0' && close[1] != ':'))
            return false;
        if (close[1] == ':' && !parse_number(close + 2, 1, 65535, &port))
            return false;
        start = value + 1;
        length = (size_t)(close - start);
    } else if (colon != NULL && strchr(value, ':') == colon) {
        if (!parse_number(colon + 1, 1, 65535, &port))
            return false;
        length = (size_t)(colon - value);
    }
    if (length == 0 || length >= sizeof o->host)
        return false;
    memcpy(o->host, start, length);
    o->host[length] = '\0';
    o->port = (uint16_t)port;
    return true;
}

/* CLIENT,SERVER */
static bool parse_pin(const char *value, struct bench_options *o)
{
    uint32_t client, server;
    const char *end;

    if (!parse_size(value, &end, &client) || *end != ',' || client > BENCH_CPU_MAX ||
        !parse_number(end + 1, 0, BENCH_CPU_MAX, &server))
        return false;
    o->pin[0] = (int)client;
    o->pin[1] = (int)server;
    return true;
}

/* --- the table of options ------------------------------------------------------------------------------- */

enum option_id {
    OPT_LAYER,
    OPT_OP,
    OPT_NOTIFY,
    OPT_WAKE,
    OPT_SIZES,
    OPT_ITERS,
    OPT_SECONDS,
    OPT_DEPTH,
    OPT_WARMUP,
    OPT_INLINE,
    OPT_CQ_MOD,
    OPT_SERVER,
    OPT_CONNECT,
    OPT_PORT,
    OPT_ONCE,
    OPT_ADDR,
    OPT_BACKEND,
    OPT_PROVIDER,
    OPT_PIN,
    OPT_IDLE,
    OPT_RSS,
    OPT_CONNECTIONS,
    OPT_VERIFY,
    OPT_SAME_MEMORY,
    OPT_STEPS,
    OPT_TIMEOUT,
    OPT_JSON,
    OPT_QUIET,
    OPT_HELP,
    OPT_VERSION
};

struct option_row {
    const char *name;
    enum option_id id;
    bool has_value;
    const char *wants;
};

static const struct option_row option_rows[] = {
    {"layer", OPT_LAYER, true, "raw, san, tcp, unix, app, apptcp, winsock or winsocktcp"},
    {"op", OPT_OP, true, "send, write or read"},
    {"notify", OPT_NOTIFY, true, "poll or upcall"},
    {"wake", OPT_WAKE, true, "callback or port"},
    {"sizes", OPT_SIZES, true, "a list of sizes"},
    {"iters", OPT_ITERS, true, "1 to 8M"},
    {"seconds", OPT_SECONDS, true, "1 to 3600"},
    {"depth", OPT_DEPTH, true, "1 to 1024"},
    {"warmup", OPT_WARMUP, true, "0 to 1M"},
    {"inline", OPT_INLINE, true, "0 to 4096 bytes"},
    {"cq-mod", OPT_CQ_MOD, true, "1 to 256"},
    {"server", OPT_SERVER, false, ""},
    {"connect", OPT_CONNECT, true, "HOST or HOST:PORT"},
    {"port", OPT_PORT, true, "1 to 65535"},
    {"once", OPT_ONCE, false, ""},
    {"addr", OPT_ADDR, true, "an IP address of this machine"},
    {"backend", OPT_BACKEND, true, "NAME[+HOOK[=ARG]]..."},
    {"provider", OPT_PROVIDER, true, "a library file"},
    {"pin", OPT_PIN, true, "CLIENT,SERVER: numbers of processors"},
    {"idle", OPT_IDLE, true, "0 to 20000"},
    {"rss", OPT_RSS, false, ""},
    {"connections", OPT_CONNECTIONS, true, "1 to 4096"},
    {"verify", OPT_VERIFY, false, ""},
    {"same-memory", OPT_SAME_MEMORY, false, ""},
    {"steps", OPT_STEPS, false, ""},
    {"timeout", OPT_TIMEOUT, true, "1 to 3600 seconds"},
    {"json", OPT_JSON, true, "a file name"},
    {"quiet", OPT_QUIET, false, ""},
    {"help", OPT_HELP, false, ""},
    {"version", OPT_VERSION, false, ""},
};

static bool set_option(struct bench_options *o, enum option_id id, const char *value, struct bench_error *err)
{
    struct bench_test *t = &o->test;
    uint32_t number;

    switch (id) {
    case OPT_LAYER: return parse_name(value, layer_names, BENCH_LAYERS, &t->layer);
    case OPT_OP: return parse_name(value, op_names, BENCH_OPS, &t->op);
    case OPT_NOTIFY: return parse_name(value, notify_names, BENCH_NOTIFIES, &t->notify);
    case OPT_WAKE: return parse_name(value, wake_names, BENCH_WAKES, &t->wake);
    case OPT_SIZES: return bench_sizes_parse(value, t, err);
    case OPT_ITERS: t->seconds = 0; return parse_number(value, 1, BENCH_ITERS_MAX, &t->iters);
    case OPT_SECONDS: t->iters = 0; return parse_number(value, 1, 3600, &t->seconds);
    case OPT_DEPTH: return parse_number(value, 1, BENCH_DEPTH_MAX, &t->depth);
    case OPT_WARMUP: return parse_number(value, 0, 1u << 20, &t->warmup);
    case OPT_INLINE: return parse_number(value, 0, 4096, &t->inline_bytes);
    case OPT_CQ_MOD: return parse_number(value, 1, 256, &t->cq_mod);
    case OPT_SERVER: o->role = BENCH_SERVER; return true;
    case OPT_CONNECT: o->role = BENCH_CLIENT; return parse_host(value, o);
    case OPT_PORT:
        if (!parse_number(value, 1, 65535, &number))
            return false;
        o->port = (uint16_t)number;
        return true;
    case OPT_ONCE: o->once = true; return true;
    case OPT_ADDR: return copy_text(o->addr, sizeof o->addr, value);
    case OPT_BACKEND: return copy_text(o->backend, sizeof o->backend, value);
    case OPT_PROVIDER: return copy_text(o->provider, sizeof o->provider, value);
    case OPT_PIN: return parse_pin(value, o);
    case OPT_IDLE: return parse_number(value, 0, BENCH_IDLE_MAX, &t->idle);
    case OPT_RSS: t->rss = true; return true;
    case OPT_CONNECTIONS: return parse_number(value, 1, BENCH_CONNECTIONS_MAX, &t->connections);
    case OPT_VERIFY: t->verify = true; return true;
    case OPT_SAME_MEMORY: t->same_memory = true; return true;
    case OPT_STEPS: t->steps = true; return true;
    case OPT_TIMEOUT: return parse_number(value, 1, 3600, &t->timeout_s);
    case OPT_JSON: return copy_text(o->json, sizeof o->json, value);
    case OPT_QUIET: o->quiet = true; return true;
    case OPT_HELP:
    case OPT_VERSION: return true;
    }
    return false;
}

static const struct option_row *find_option(const char *arg, const char **value)
{
    if (strncmp(arg, "--", 2) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof option_rows / sizeof option_rows[0]; i++) {
        size_t length = strlen(option_rows[i].name);

        if (strncmp(arg + 2, option_rows[i].name, length) != 0)
            continue;
        if (arg[2 + length] == '\0') {
            *value = NULL;
            return &option_rows[i];
        }
        if (arg[2 + length] == '=' && option_rows[i].has_value) {
            *value = arg + 2 + length + 1;
            return &option_rows[i];
        }
    }
    return NULL;
}

/* --- defaults and checks -------------------------------------------------------------------------------- */

static void set_defaults(struct bench_options *o, uint8_t command)
{
    static const uint32_t iters[BENCH_COMMANDS] = {1000, 1000, 200, 1000, 20000};
    static const uint32_t warmup[BENCH_COMMANDS] = {100, 32, 5, 50, 1000};

    memset(o, 0, sizeof *o);
    o->test.command = command;
    o->test.layer = BENCH_SAN;
    o->test.size_count = 1;
    o->test.sizes[0] = command == BENCH_LAT || command == BENCH_ECHO ? 64 : 65536;
    if (command == BENCH_ECHO)
        o->test.layer = BENCH_WINSOCK;
    o->test.iters = iters[command];
    o->test.warmup = warmup[command];
    o->test.depth = 16;
    o->test.inline_bytes = 256;
    o->test.cq_mod = 1;
    o->test.connections = 1;
    o->test.timeout_s = 20;
    o->port = BENCH_PORT;
    o->pin[0] = o->pin[1] = -1;
}

static bool check_ranges(const struct bench_test *t)
{
    return t->command < BENCH_COMMANDS && t->layer < BENCH_LAYERS && t->op < BENCH_OPS &&
           t->notify < BENCH_NOTIFIES && t->wake < BENCH_WAKES && t->size_count >= 1 &&
           t->size_count <= BENCH_SIZES_MAX && t->iters <= BENCH_ITERS_MAX && t->seconds <= 3600 &&
           (t->iters == 0) != (t->seconds == 0) && t->depth >= 1 && t->depth <= BENCH_DEPTH_MAX &&
           t->warmup <= 1u << 20 && t->inline_bytes <= 4096 && t->cq_mod >= 1 && t->cq_mod <= 256 &&
           t->idle <= BENCH_IDLE_MAX && t->connections >= 1 && t->connections <= BENCH_CONNECTIONS_MAX &&
           t->timeout_s >= 1 && t->timeout_s <= 3600;
}

static uint64_t largest_size(const struct bench_test *t)
{
    uint64_t largest = 0;

    for (unsigned i = 0; i < t->size_count; i++)
        largest = t->sizes[i] > largest ? t->sizes[i] : largest;
    return largest;
}

/* Stream sockets carry bytes and no more. */
static bool check_stream(const struct bench_test *t, struct bench_error *err)
{
    const char *layer = bench_layer_name(t->layer);

    if (t->layer == BENCH_RAW || t->layer == BENCH_SAN)
        return true;
    if (t->command == BENCH_REG)
        return bench_fail(err, "reg is for --layer raw and san: --layer %s registers no memory", layer);
    if (t->op != BENCH_SEND)
        return bench_fail(err, "--op %s is for --layer raw and san: --layer %s has no RDMA, use --op send",
                          bench_op_name(t->op), layer);
    for (unsigned i = 0; i < t->size_count && t->command != BENCH_CONNECT; i++) {
        if (t->sizes[i] == 0)
            return bench_fail(
                err, "size 0 is for --layer raw and san: on the byte stream of --layer %s it is nothing",
                layer);
    }
    return true;
}

bool bench_test_check(const struct bench_test *t, struct bench_error *err)
{
    if (!check_ranges(t))
        return bench_fail(err, "an option is out of range");
    if (!check_stream(t, err))
        return false;
    for (unsigned i = 0; i < t->size_count; i++) {
        if (t->sizes[i] > BENCH_SIZE_MAX)
            return bench_fail(err, "size %u is beyond 4M", t->sizes[i]);
        if (t->sizes[i] == 0 && (t->command == BENCH_REG || t->op != BENCH_SEND) &&
            t->command != BENCH_CONNECT)
            return bench_fail(err,
                              "size 0 is for --op send only: nothing could be seen of it at the other end");
    }
    if (t->command == BENCH_LAT && t->op == BENCH_WRITE && t->notify == BENCH_UPCALL)
        return bench_fail(
            err, "write latency is measured by watching memory, which notifies nobody: use --notify poll");
    if (t->verify && largest_size(t) * t->depth > 1u << 30)
        return bench_fail(
            err, "--verify needs depth times size of memory, at most 1 GiB: lower --depth or the sizes");
    if (t->same_memory && t->verify)
        return bench_fail(err, "--verify checks each message where it lies, --same-memory lets the next one "
                               "overwrite it: use one of them");
    if (t->command == BENCH_BW && t->op != BENCH_SEND && t->verify && t->notify == BENCH_UPCALL)
        return bench_fail(err, "bw --op %s --verify works by polling: use --notify poll",
                          bench_op_name(t->op));
    if (t->cq_mod > 1 && (t->layer != BENCH_RAW || t->command != BENCH_LAT))
        return bench_fail(
            err, "--cq-mod is for lat --layer raw: every operation of a SAN socket completes on its own");
    if (t->command != BENCH_LAT && (t->idle != 0 || (t->rss && t->command != BENCH_ECHO)))
        return bench_fail(err, "--idle belongs to lat, --rss to lat and echo");
    if (t->connections > 1 && t->command != BENCH_ECHO &&
        (t->command != BENCH_BW || t->op != BENCH_SEND || t->notify != BENCH_POLL || t->verify))
        return bench_fail(err,
                          "--connections is for echo, and for bw with polled messages, without --verify");
    if (t->command == BENCH_ECHO && !bench_is_winsock(t->layer))
        return bench_fail(err, "echo is for --layer winsock and winsocktcp: completion ports are Winsock's");
    if (t->command == BENCH_ECHO && (t->verify || t->notify != BENCH_POLL))
        return bench_fail(err, "echo waits at a completion port, and has neither --verify nor --notify");
    if (t->steps && (t->command != BENCH_LAT || t->op != BENCH_SEND || t->notify != BENCH_POLL || t->verify ||
                     t->cq_mod != 1 || (t->layer != BENCH_RAW && t->layer != BENCH_SAN)))
        return bench_fail(err, "--steps is for lat --layer raw and san with polled messages, nothing beside");
    if (t->command == BENCH_REG && t->notify == BENCH_UPCALL)
        return bench_fail(err, "reg has no completions to be notified of");
    return true;
}

enum bench_parsed bench_options_parse(int argc, char *const argv[], struct bench_options *out,
                                      struct bench_error *err)
{
    uint8_t command = BENCH_LAT;
    bool has_command = false;
    int i = 1;

    if (argc < 2)
        return BENCH_PARSED_HELP;
    if (strcmp(argv[1], "compare") == 0)
        return BENCH_PARSED_COMPARE;
    if (argv[1][0] != '-') {
        if (!parse_name(argv[1], command_names, BENCH_COMMANDS, &command)) {
            (void)bench_fail(
                err, "'%s' is no subcommand; there are lat, bw, connect, reg, echo and compare (see --help)",
                argv[1]);
            return BENCH_PARSED_WRONG;
        }
        has_command = true;
        i = 2;
    }
    set_defaults(out, command);
    for (; i < argc; i++) {
        const char *value = NULL;
        const struct option_row *row = find_option(argv[i], &value);

        if (row == NULL) {
            (void)bench_fail(err, "'%s' is no option (see --help)", argv[i]);
            return BENCH_PARSED_WRONG;
        }
        if (row->id == OPT_HELP)
            return BENCH_PARSED_HELP;
        if (row->id == OPT_VERSION)
            return BENCH_PARSED_VERSION;
        if (row->has_value && value == NULL && i + 1 < argc)
            value = argv[++i];
        else if (!row->has_value)
            value = "";
        if (value == NULL || !set_option(out, row->id, value, err)) {
            (void)bench_fail(err, "--%s wants %s", row->name, row->wants);
            return BENCH_PARSED_WRONG;
        }
    }
    if (out->role != BENCH_SERVER && !has_command) {
        (void)bench_fail(err, "say what to measure: lat, bw, connect, reg, echo or compare (see --help)");
        return BENCH_PARSED_WRONG;
    }
    if (out->test.rss && out->test.idle == 0 && command == BENCH_LAT)
        out->test.idle = 1000;
    return bench_test_check(&out->test, err) ? BENCH_PARSED : BENCH_PARSED_WRONG;
}
