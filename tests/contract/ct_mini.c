/* ct_mini.c - a switch of six upcalls. Events are those of switch_shim, so that tests can wait for them. */
#include "ct_mini.h"

#include <arpa/inet.h>
#include <dlfcn.h>

#include "pal/mutex.h"

#define RECORDS     8192
#define HANDLE_BASE 0x4D000000u

static struct pal_mutex lock = PAL_MUTEX_INIT; /* guards everything below */
static struct mini_record records[RECORDS];
static unsigned record_count, counts[MINI_CONTEXT + 1], open_handles, next_handle;
static DWORD_PTR contexts[65536];
static bool is_refusing;
static void (*on_complete)(const struct mini_record *r);

static void note(struct mini_record r)
{
    void (*fn)(const struct mini_record *) = NULL;

    r.thread = pal_thread_id();
    pal_mutex_lock(&lock);
    if (record_count < RECORDS)
        records[record_count] = r;
    record_count++;
    counts[r.what]++;
    if (r.what == MINI_COMPLETE)
        fn = on_complete;
    pal_mutex_unlock(&lock);
    if (fn != NULL)
        fn(&r);
}

static SOCKET WSPAPI create_handle(DWORD id, DWORD_PTR context, INT *error)
{
    SOCKET handle = INVALID_SOCKET;

    (void)id;
    pal_mutex_lock(&lock);
    if (!is_refusing && next_handle < 65536) {
        contexts[next_handle] = context;
        handle = HANDLE_BASE + 8u * next_handle++;
        open_handles++;
    }
    pal_mutex_unlock(&lock);
    *error = handle == INVALID_SOCKET ? WSAENOBUFS : 0;
    if (handle != INVALID_SOCKET)
        note((struct mini_record){.what = MINI_CREATE, .handle = handle});
    return handle;
}

static int WSPAPI close_handle(SOCKET s, INT *error)
{
    pal_mutex_lock(&lock);
    open_handles--;
    pal_mutex_unlock(&lock);
    *error = 0;
    note((struct mini_record){.what = MINI_CLOSE, .handle = s});
    return 0;
}

static int WSPAPI query_context(SOCKET s, DWORD_PTR *context, INT *error)
{
    *error = s >= HANDLE_BASE && (s - HANDLE_BASE) / 8 < next_handle ? 0 : WSAENOTSOCK;
    if (*error != 0)
        return SOCKET_ERROR;
    *context = contexts[(s - HANDLE_BASE) / 8];
    note((struct mini_record){.what = MINI_CONTEXT, .handle = s});
    return 0;
}

static int WSPAPI complete(SOCKET s, WSAOVERLAPPED *ov, DWORD op_error, DWORD bytes, INT *error)
{
    *error = 0;
    __atomic_store_n(&ov->InternalHigh, (ULONG_PTR)bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&ov->Internal, (ULONG_PTR)op_error, __ATOMIC_RELEASE);
    note((struct mini_record){
        .what = MINI_COMPLETE, .handle = s, .ov = ov, .error = op_error, .bytes = bytes});
    return 0;
}

static BOOL WSPAPI set_event(WSAEVENT e, INT *error)
{
    note((struct mini_record){.what = MINI_SET_EVENT, .ov = e});
    *error = sw_event_set(e);
    return *error == 0;
}

static BOOL WSPAPI reset_event(WSAEVENT e, INT *error)
{
    note((struct mini_record){.what = MINI_RESET_EVENT, .ov = e});
    *error = sw_event_reset(e);
    return *error == 0;
}

/* The ten that a SAN provider has no use for. */
static BOOL WSPAPI no_event(WSAEVENT e, INT *error)
{
    (void)e;
    *error = WSA_INVALID_HANDLE;
    return FALSE;
}

static WSAEVENT WSPAPI no_new_event(INT *error)
{
    *error = WSA_NOT_ENOUGH_MEMORY;
    return WSA_INVALID_EVENT;
}

static int WSPAPI no_fd_is_set(SOCKET s, WSD_FD_SET *set)
{
    (void)s, (void)set;
    return 0;
}

static int WSPAPI no_path(GUID *id, WCHAR *path, INT *length, INT *error)
{
    (void)id, (void)path, (void)length;
    *error = WSAEINVAL;
    return SOCKET_ERROR;
}

static SOCKET WSPAPI no_ifs(DWORD id, SOCKET proposed, INT *error)
{
    (void)id, (void)proposed;
    *error = WSAEINVAL;
    return INVALID_SOCKET;
}

static BOOL WSPAPI no_message(HWND window, UINT message, WPARAM w, LPARAM l)
{
    (void)window, (void)message, (void)w, (void)l;
    return FALSE;
}

static int WSPAPI no_blocking(DWORD id, LPBLOCKINGCALLBACK *fn, DWORD_PTR *context, INT *error)
{
    (void)id, (void)fn, (void)context;
    *error = WSAEFAULT;
    return SOCKET_ERROR;
}

static int WSPAPI no_apc(WSATHREADID *thread, LPWSAUSERAPC fn, DWORD_PTR context, INT *error)
{
    (void)thread, (void)fn, (void)context;
    *error = WSAEFAULT;
    return SOCKET_ERROR;
}

static int WSPAPI no_thread(WSATHREADID *thread, INT *error)
{
    (void)thread;
    *error = WSANOTINITIALISED;
    return SOCKET_ERROR;
}

void mini_table(WSPUPCALLTABLEEX *t)
{
    *t = (WSPUPCALLTABLEEX){no_event,  close_handle, no_new_event, create_handle, no_fd_is_set, no_path,
                            no_ifs,    no_message,   no_blocking,  query_context, no_apc,       reset_event,
                            set_event, no_thread,    no_thread,    complete};
}

void mini_info(WSAPROTOCOL_INFOW *info)
{
    memset(info, 0, sizeof *info);
    info->dwServiceFlags1 = XP1_GUARANTEED_DELIVERY | XP1_GUARANTEED_ORDER | XP1_GRACEFUL_CLOSE |
                            XP1_EXPEDITED_DATA | XP1_IFS_HANDLES;
    info->dwCatalogEntryId = 1001;
    info->ProtocolChain.ChainLen = BASE_PROTOCOL;
    info->iVersion = 2;
    info->iAddressFamily = WS_AF_INET;
    info->iMaxSockAddr = info->iMinSockAddr = sizeof(WSD_SOCKADDR_IN);
    info->iSocketType = WS_SOCK_STREAM;
    info->iProtocol = WS_IPPROTO_TCP;
}

static void *open_library(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (library == NULL)
        ct_fail("%s", dlerror());
    return library;
}

void mini_open(struct mini *m)
{
    memset(m, 0, sizeof *m);
    m->library = open_library(ct.provider);
    *(void **)&m->start = dlsym(m->library, "WSPStartupEx");
    *(void **)&m->plain_start = dlsym(m->library, "WSPStartup");
    assert_non_null(m->start);
    assert_non_null(m->plain_start);
    mini_forget();
    mini_refuse_handles(false);
    mini_on_complete(NULL);
    pal_mutex_lock(&lock);
    open_handles = 0;
    next_handle = 1;
    pal_mutex_unlock(&lock);
}

static int start(LPWSPSTARTUPEX fn, WSPDATA *data, WSPPROC_TABLE *procs)
{
    WSPUPCALLTABLEEX *table = malloc(sizeof *table);
    WSAPROTOCOL_INFOW *info = malloc(sizeof *info);

    assert_non_null(table);
    assert_non_null(info);
    mini_table(table);
    mini_info(info);
    int result = fn(0x0202, data, info, table, procs);
    memset(table, 0xEE, sizeof *table); /* valid during the call only */
    memset(info, 0xEE, sizeof *info);
    free(table);
    free(info);
    return result;
}

int mini_start(struct mini *m)
{
    return start(m->start, &m->data, &m->procs);
}

const WSPPROC_TABLE *mini_peer(struct mini *m)
{
    LPWSPSTARTUPEX fn;
    WSPDATA data;

    if (!ct_env_is_across())
        return &m->procs;
    if (m->peer_library == NULL) {
        m->peer_library = open_library(ct.peer_provider);
        *(void **)&fn = dlsym(m->peer_library, "WSPStartupEx");
        assert_non_null(fn);
        ct_env_choose_peer(true);
        int result = start(fn, &data, &m->peer_procs);
        ct_env_choose_peer(false);
        ct_ok(result);
    }
    return &m->peer_procs;
}

static int clean_up(const WSPPROC_TABLE *procs)
{
    INT error = 0;

    return procs->lpWSPCleanup(&error) == SOCKET_ERROR ? error : 0;
}

int mini_cleanup(struct mini *m)
{
    int result = clean_up(&m->procs);

    if (m->peer_library != NULL) {
        int of_peer = clean_up(&m->peer_procs);
        result = result == 0 ? of_peer : result;
    }
    return result;
}

void mini_close(struct mini *m)
{
    if (m->peer_library != NULL)
        dlclose(m->peer_library);
    dlclose(m->library);
}

unsigned mini_count(enum mini_what what)
{
    pal_mutex_lock(&lock);
    unsigned count = counts[what];
    pal_mutex_unlock(&lock);
    return count;
}

unsigned mini_records(struct mini_record *out, unsigned max)
{
    pal_mutex_lock(&lock);
    unsigned count = record_count < RECORDS ? record_count : RECORDS;
    memcpy(out, records, (count < max ? count : max) * sizeof *out);
    pal_mutex_unlock(&lock);
    return count;
}

void mini_forget(void)
{
    pal_mutex_lock(&lock);
    record_count = 0;
    memset(counts, 0, sizeof counts);
    pal_mutex_unlock(&lock);
}

unsigned mini_open_handles(void)
{
    pal_mutex_lock(&lock);
    unsigned count = open_handles;
    pal_mutex_unlock(&lock);
    return count;
}

void mini_refuse_handles(bool refuse)
{
    pal_mutex_lock(&lock);
    is_refusing = refuse;
    pal_mutex_unlock(&lock);
}

void mini_on_complete(void (*fn)(const struct mini_record *r))
{
    pal_mutex_lock(&lock);
    on_complete = fn;
    pal_mutex_unlock(&lock);
}

SOCKET mini_socket(const WSPPROC_TABLE *procs, int *error)
{
    WSAPROTOCOL_INFOW info;
    INT code = 0;

    mini_info(&info);
    SOCKET s = procs->lpWSPSocket(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, &info, 0, WSA_FLAG_OVERLAPPED,
                                  &code);
    if (error != NULL)
        *error = s == INVALID_SOCKET ? code : 0;
    return s;
}

void mini_connect(struct fixture *f, struct mini *m, struct mini_pair *p)
{
    WSD_SOCKADDR_IN here = ct_at(f->here, ct_port()), other = ct_at(f->other, ct_port());
    WSANETWORKEVENTS events;
    INT error = 0;
    int unused;

    p->there = mini_peer(m);
    p->accept_event = ct_event(f, true);
    p->connect_event = ct_event(f, true);
    p->listener = mini_socket(p->there, &unused);
    assert_int_equal(p->there->lpWSPBind(p->listener, (WSD_SOCKADDR *)&here, sizeof here, &error), 0);
    assert_int_equal(p->there->lpWSPListen(p->listener, 5, &error), 0);
    assert_int_equal(p->there->lpWSPEventSelect(p->listener, p->accept_event, FD_ACCEPT, &error), 0);
    p->connector = mini_socket(&m->procs, &unused);
    assert_int_equal(m->procs.lpWSPBind(p->connector, (WSD_SOCKADDR *)&other, sizeof other, &error), 0);
    assert_int_equal(m->procs.lpWSPEventSelect(p->connector, p->connect_event, FD_CONNECT, &error), 0);
    assert_int_equal(m->procs.lpWSPConnect(p->connector, (WSD_SOCKADDR *)&here, sizeof here, NULL, NULL, NULL,
                                           NULL, &error),
                     SOCKET_ERROR);
    suite_check(error, WSAEWOULDBLOCK, "WSPConnect", __FILE__, __LINE__);
    ct_ok(sw_event_wait(p->accept_event, ct.wait_ms));
    p->acceptor = p->there->lpWSPAccept(p->listener, NULL, NULL, ct_accept_all, 0, &error);
    if (p->acceptor == INVALID_SOCKET)
        ct_fail("WSPAccept: %s", sw_error_name(error));
    ct_ok(sw_event_wait(p->connect_event, ct.wait_ms));
    memset(&events, 0, sizeof events);
    assert_int_equal(m->procs.lpWSPEnumNetworkEvents(p->connector, p->connect_event, &events, &error), 0);
    assert_int_equal(events.lNetworkEvents, FD_CONNECT);
    ct_ok(events.iErrorCode[FD_CONNECT_BIT]);
}

LPFN_WSPREGISTERMEMORY mini_extension(const WSPPROC_TABLE *procs, SOCKET s, GUID id, int *error)
{
    LPFN_WSPREGISTERMEMORY fn = NULL;
    DWORD bytes = 0;
    INT code = 0;

    if (procs->lpWSPIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &fn, sizeof fn, &bytes, NULL,
                          NULL, NULL, &code) == SOCKET_ERROR)
        *error = code;
    else
        *error = 0;
    return fn;
}
