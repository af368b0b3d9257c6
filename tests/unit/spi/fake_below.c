/* fake_below.c - carriers and providers (fake.h). */
#include "fake.h"

#include "sw_os.h"
#include "tcpip/tcpip.h"

struct fake_script fake_script;
unsigned fake_provider_count;
const char *fake_switch_mode;
bool fake_loses_wildcard;
int fake_refresh_answer;
unsigned fake_refreshes, fake_watches;
void (*fake_during_refresh)(void);
void (*fake_during_load)(void);
void (*fake_during_close)(void);
void (*fake_during_unload)(void);

static struct fake *carriers;
static unsigned born[2];
static char calls[4000];

/* --- the log --- */

static void log_call(const struct fake *c, const char *what)
{
    size_t used = strlen(calls);

    snprintf(calls + used, sizeof(calls) - used, "%s%c%u.%s", used > 0 ? " " : "", c->is_san ? 's' : 't',
             c->number, what);
}

const char *fake_log(void)
{
    return calls;
}

void fake_log_clear(void)
{
    calls[0] = '\0';
}

/* --- carriers --- */

static struct fake *of(struct sw_carrier *c)
{
    return (struct fake *)(void *)c;
}

static const struct sw_carrier_ops fake_ops;

static int create(bool is_san, const struct sw_carrier_up *up, void *owner, struct sw_carrier **out)
{
    struct fake *c;

    if (fake_script.create[is_san] != 0)
        return fake_script.create[is_san];
    c = calloc(1, sizeof(*c));
    assert_non_null(c);
    c->pub.ops = &fake_ops;
    c->pub.up = up;
    c->pub.owner = owner;
    c->is_san = is_san;
    c->number = ++born[is_san];
    c->next = carriers;
    carriers = c;
    *out = &c->pub;
    return 0;
}

struct fake *fake_named(const char *name)
{
    for (struct fake *c = carriers; c != NULL; c = c->next)
        if (c->is_san == (name[0] == 's') && c->number == (unsigned)atoi(name + 1))
            return c;
    return NULL;
}

unsigned fake_living(void)
{
    unsigned count = 0;

    for (struct fake *c = carriers; c != NULL; c = c->next)
        count++;
    if (count == 0) /* the next test counts from one again */
        born[0] = born[1] = 0;
    return count;
}

static int f_bind(struct sw_carrier *carrier, const WSD_SOCKADDR *name, int bytes)
{
    struct fake *c = of(carrier);

    log_call(c, "bind");
    assert_true(bytes >= (int)sizeof(c->name));
    if (fake_script.bind[c->is_san] != 0)
        return fake_script.bind[c->is_san];
    memcpy(&c->name, name, sizeof(c->name));
    if (c->is_san && fake_loses_wildcard && c->name.sin_addr.s_addr == 0)
        return WSAEADDRNOTAVAIL;
    if (c->name.sin_port == 0)
        c->name.sin_port = 0x3930;
    c->is_bound = true;
    return 0;
}

static int f_connect(struct sw_carrier *carrier, const WSD_SOCKADDR *name, int bytes)
{
    struct fake *c = of(carrier);

    (void)name;
    (void)bytes;
    log_call(c, "connect");
    c->is_connected = fake_script.connect[c->is_san] == 0;
    return fake_script.connect[c->is_san];
}

static int f_listen(struct sw_carrier *carrier, int backlog)
{
    (void)backlog;
    log_call(of(carrier), "listen");
    return fake_script.listen[of(carrier)->is_san];
}

static int f_accept(struct sw_carrier *listener, const struct sw_carrier_up *up, void *owner,
                    struct sw_carrier **out, WSD_SOCKADDR_STORAGE *remote, int *remote_bytes)
{
    struct fake *l = of(listener);
    WSD_SOCKADDR_IN from;
    int code;

    if (l->arrivals == 0)
        return WSAEWOULDBLOCK;
    code = create(l->is_san, up, owner, out);
    if (code != 0)
        return code;
    l->arrivals--;
    of(*out)->is_connected = of(*out)->is_bound = true;
    fake_address(&from, 1, 99);
    memcpy(remote, &from, sizeof(from));
    *remote_bytes = sizeof(from);
    return 0;
}

static int f_local(struct sw_carrier *c, WSD_SOCKADDR_STORAGE *out, int *bytes)
{
    if (!of(c)->is_bound)
        return WSAEINVAL;
    memcpy(out, &of(c)->name, sizeof(of(c)->name));
    *bytes = sizeof(of(c)->name);
    return 0;
}

static int f_peer(struct sw_carrier *c, WSD_SOCKADDR_STORAGE *out, int *bytes)
{
    (void)c;
    (void)out;
    (void)bytes;
    return WSAENOTCONN;
}

static uint64_t size_of(const struct sw_request *r)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < r->op.buffer_count; i++)
        bytes += r->op.buffers[i].len;
    return bytes;
}

static int f_submit(struct sw_carrier *carrier, struct sw_request *r)
{
    struct fake *c = of(carrier);

    if (fake_script.submit == 0)
        r->op.bytes = size_of(r);
    if (fake_script.submit != WSA_IO_PENDING)
        return fake_script.submit;
    r->next = NULL;
    if (c->first == NULL)
        c->first = r;
    else
        c->last->next = r;
    c->last = r;
    return WSA_IO_PENDING;
}

static int f_now(struct sw_carrier *c, struct sw_request *r)
{
    (void)c;
    if (fake_script.now == 0)
        r->op.bytes = size_of(r);
    return fake_script.now;
}

static int f_wait(struct sw_carrier *c, struct sw_request *r, uint64_t deadline_ns,
                  struct sw_interrupt *interrupt)
{
    (void)deadline_ns;
    (void)interrupt;
    r->op.error = WSAECONNRESET; /* who blocks here would block for ever */
    of(c)->first = NULL;
    return 0;
}

static bool f_cancel(struct sw_carrier *c, struct sw_request *r)
{
    (void)c;
    (void)r;
    return false;
}

static struct sw_ready f_ready(struct sw_carrier *c)
{
    struct sw_ready ready = {of(c)->ready, 0, 0};

    if (of(c)->arrivals > 0)
        ready.events |= FD_ACCEPT;
    return ready;
}

static void f_want(struct sw_carrier *carrier, uint32_t events)
{
    struct fake *c = of(carrier);

    c->wanted |= events;
    if (c->arrivals > 0)
        fake_report_wanted(c, FD_ACCEPT, 0);
    fake_report_wanted(c, c->ready, 0);
}

static uint64_t f_readable(struct sw_carrier *c)
{
    (void)c;
    return 0;
}

static bool f_at_mark(struct sw_carrier *c)
{
    (void)c;
    return true;
}

static int f_shutdown(struct sw_carrier *c, int how)
{
    (void)how;
    log_call(of(c), "shutdown");
    return of(c)->is_connected ? 0 : WSAENOTCONN;
}

static int f_set_option(struct sw_carrier *c, int level, int name, const char *value, int bytes)
{
    (void)level;
    (void)name;
    (void)value;
    (void)bytes;
    log_call(of(c), "option");
    return fake_script.option[of(c)->is_san];
}

static int f_get_option(struct sw_carrier *c, int level, int name, char *value, int *bytes)
{
    (void)c;
    (void)level;
    (void)name;
    (void)value;
    (void)bytes;
    return WSAENOPROTOOPT;
}

static int f_ioctl(struct sw_carrier *c, DWORD code, void *in, DWORD in_bytes, void *out, DWORD out_bytes,
                   DWORD *returned)
{
    (void)c;
    (void)code;
    (void)in;
    (void)in_bytes;
    (void)out;
    (void)out_bytes;
    (void)returned;
    return WSAEOPNOTSUPP;
}

static void remove_carrier(struct fake *c)
{
    struct fake **at = &carriers;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
}

static struct sw_request *take(struct fake *c)
{
    struct sw_request *r = c->first;

    assert_non_null(r);
    c->first = r->next;
    return r;
}

void fake_complete(struct fake *c, int error, uint64_t bytes)
{
    struct sw_request *r = take(c);

    r->op.error = error;
    r->op.bytes = bytes;
    c->pub.up->completed(c->pub.owner, r);
}

void fake_end(struct fake *c)
{
    remove_carrier(c);
    c->pub.up->closed(c->pub.owner, 0);
    free(c);
}

static void f_close(struct sw_carrier *carrier, uint32_t linger_ms)
{
    struct fake *c = of(carrier);

    assert_false(c->is_closing);
    log_call(c, "close");
    if (fake_during_close != NULL)
        fake_during_close();
    c->is_closing = true;
    c->linger_ms = linger_ms;
    while (c->first != NULL)
        fake_complete(c, WSA_OPERATION_ABORTED, 0);
    if (!fake_script.is_close_slow)
        fake_end(c);
}

static const struct sw_carrier_ops fake_ops = {
    .name = "fake",
    .bind = f_bind,
    .connect = f_connect,
    .listen = f_listen,
    .accept = f_accept,
    .local = f_local,
    .peer = f_peer,
    .submit = f_submit,
    .now = f_now,
    .wait = f_wait,
    .cancel = f_cancel,
    .ready = f_ready,
    .want = f_want,
    .readable = f_readable,
    .at_mark = f_at_mark,
    .shutdown = f_shutdown,
    .set_option = f_set_option,
    .get_option = f_get_option,
    .ioctl = f_ioctl,
    .close = f_close,
};

void fake_report(struct fake *c, uint32_t events, int error)
{
    c->wanted &= ~events;
    if ((events & FD_CONNECT) != 0 && error == 0)
        c->is_connected = true;
    c->pub.up->events(c->pub.owner, events, error);
}

void fake_report_wanted(struct fake *c, uint32_t events, int error)
{
    if ((c->wanted & events) != 0)
        fake_report(c, c->wanted & events, error);
}

void fake_arrive(struct fake *listener)
{
    listener->arrivals++;
    fake_report_wanted(listener, FD_ACCEPT, 0);
}

/* --- the two kinds --- */

int sw_tcp_create(int af, int type, int protocol, const struct sw_carrier_up *up, void *owner,
                  struct sw_carrier **out)
{
    (void)af;
    (void)type;
    (void)protocol;
    return create(false, up, owner, out);
}

int sw_tcp_adopt(const void *text, size_t text_bytes, const struct sw_carrier_up *up, void *owner,
                 struct sw_carrier **out)
{
    (void)text;
    (void)text_bytes;
    (void)up;
    (void)owner;
    (void)out;
    return WSAEOPNOTSUPP;
}

int sw_tcp_route(const WSD_SOCKADDR *to, int to_bytes, WSD_SOCKADDR_STORAGE *local, int *local_bytes)
{
    (void)to;
    (void)to_bytes;
    (void)local;
    (void)local_bytes;
    return WSAENETUNREACH;
}

unsigned sw_tcp_addresses(int af, WSD_SOCKADDR_STORAGE *out, unsigned max)
{
    (void)af;
    (void)out;
    (void)max;
    return 0;
}

void sw_tcp_stop(void)
{
}

int sw_san_create(struct sw_provider *p, const struct sw_san_settings *settings,
                  const struct sw_carrier_up *up, void *owner, struct sw_carrier **out)
{
    assert_non_null(p);
    assert_non_null(settings);
    return create(true, up, owner, out);
}

bool sw_san_may_fall_back(const struct sw_carrier *c)
{
    (void)c;
    return fake_script.may_fall_back;
}

int sw_san_adopt(struct sw_provider *p, const struct sw_san_settings *settings, const void *text,
                 size_t text_bytes, const struct sw_carrier_up *up, void *owner, struct sw_carrier **out)
{
    (void)p;
    (void)settings;
    return sw_tcp_adopt(text, text_bytes, up, owner, out);
}

void sw_san_settings_init(struct sw_san_settings *s)
{
    memset(s, 0, sizeof(*s));
}

void sw_san_stop(void)
{
}

/* --- providers --- */

struct sw_provider {
    unsigned network;
};
static struct sw_provider loaded[SW_PROVIDERS_MAX];
static unsigned loaded_count;
static void (*watcher)(void *context);

static ULONG address_in(unsigned network, unsigned host)
{
    const unsigned char bytes[4] = {10, 0, (unsigned char)network, (unsigned char)host};
    ULONG value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

void fake_address(WSD_SOCKADDR_IN *out, unsigned network, unsigned port)
{
    const unsigned char bytes[2] = {(unsigned char)(port >> 8), (unsigned char)port};

    memset(out, 0, sizeof(*out));
    out->sin_family = WS_AF_INET;
    out->sin_addr.s_addr = address_in(network, 9);
    memcpy(&out->sin_port, bytes, sizeof(out->sin_port));
}

void sw_config_init(struct sw_config *config)
{
    memset(config, 0, sizeof(*config));
}

int sw_load(const char *path, const struct sw_config *config, struct sw_provider **out, char *why,
            size_t why_bytes)
{
    (void)path;
    (void)config;
    (void)why;
    (void)why_bytes;
    if (loaded_count == SW_PROVIDERS_MAX)
        return WSAEPROCLIM;
    if (fake_during_load != NULL)
        fake_during_load();
    loaded[loaded_count].network = loaded_count + 1;
    *out = &loaded[loaded_count++];
    return 0;
}

unsigned sw_unload(struct sw_provider *p, char *text, size_t text_bytes)
{
    if (fake_during_unload != NULL)
        fake_during_unload();
    (void)p;
    (void)text;
    (void)text_bytes;
    loaded_count--;
    watcher = NULL;
    return 0;
}

int sw_refresh(struct sw_provider *p)
{
    assert_non_null(p);
    fake_refreshes++;
    if (fake_during_refresh != NULL)
        fake_during_refresh();
    return fake_refresh_answer;
}

unsigned sw_addresses(struct sw_provider *p, struct sw_address *out, unsigned max)
{
    if (max > 0) {
        memset(out, 0, sizeof(*out));
        out->address.sin_family = WS_AF_INET;
        out->address.sin_addr.s_addr = address_in(p->network, 1);
    }
    return 1;
}

struct sw_provider *sw_provider_for(const WSD_SOCKADDR_IN *remote, const WSD_SOCKADDR_IN *bound,
                                    WSD_SOCKADDR_IN *local)
{
    struct sw_address own;

    (void)bound;
    for (unsigned i = 0; i < loaded_count; i++) {
        if (remote->sin_addr.s_addr != address_in(loaded[i].network, 9))
            continue;
        (void)sw_addresses(&loaded[i], &own, 1);
        if (local != NULL)
            *local = own.address;
        return &loaded[i];
    }
    return NULL;
}

int sw_tcp_watch_addresses(void (*fn)(void *context), void *context)
{
    assert_null(context);
    fake_watches++;
    watcher = fn;
    return 0;
}

/* As the real one tells: once for each time it was asked. */
void fake_addresses_change(void)
{
    void (*fn)(void *context) = watcher;

    watcher = NULL;
    if (fn != NULL)
        fn(NULL);
}

/* --- the system --- */

const char *sw_os_environment(const char *name)
{
    static const char *const lists[] = {"", "a", "a:b", "a:b:c", "a:b:c:d"};

    if (strcmp(name, "WSD_SWITCH") == 0)
        return fake_switch_mode;
    return strcmp(name, "WSD_PROVIDER") == 0 ? lists[fake_provider_count] : NULL;
}

bool sw_os_is_guest(void)
{
    return false;
}

const char *sw_os_provider_file(void)
{
    return "provider";
}

char *sw_find_beside(const char *file)
{
    (void)file;
    return NULL;
}

char sw_os_list_separator(void)
{
    return ':';
}

void sw_os_print_error(const char *text)
{
    (void)text;
}
