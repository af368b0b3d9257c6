/* ws2_upcall.c - the upcalls that are not about handles, the table of all, and the record of what was wrong.
 * An upcall does not say who calls, so there is one table for all providers, as in Ws2_32.
 * Source: contract 3.4, 10.2. */
#include "ws2_upcalls.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 4096u /* a full queue refuses, as a window's does */

struct sw_violation_log ws2_log;

static pal_atomic_u64 counts[SW_UPCALL_COUNT];

struct sw_message_node {
    struct sw_message_node *next;
    struct sw_message message;
};
static struct pal_mutex message_lock; /* guards the queue */
static struct pal_cond message_queued;
static struct sw_message_node *first_message, *last_message;
static unsigned message_count;

/* The page of WPUQueryBlockingCallback: the hook is that of the thread that blocks. */
static PAL_THREAD_LOCAL LPBLOCKINGCALLBACK hook;
static PAL_THREAD_LOCAL DWORD_PTR hook_context;

bool ws2_upcall_init(void)
{
    return pal_mutex_init(&ws2_log.lock) && pal_mutex_init(&message_lock) && pal_cond_init(&message_queued);
}

void ws2_violation(const char *format, ...)
{
    char line[SW_VIOLATION_BYTES];
    va_list arguments;

    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): false alarm of clang 14 */
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    sw_violation_add(&ws2_log, line);
}

unsigned ws2_violations(char *text, size_t text_bytes)
{
    return sw_violation_text(&ws2_log, text, text_bytes);
}

void ws2_violations_clear(void)
{
    pal_mutex_lock(&ws2_log.lock);
    ws2_log.count = 0;
    pal_mutex_unlock(&ws2_log.lock);
}

static bool is_anyone_running(void)
{
    struct ws2_provider *p;

    for (unsigned i = 0; (p = ws2_provider_at(i)) != NULL; i++) {
        enum ws2_phase phase = ws2_phase_of(p);

        if (phase != WS2_PHASE_FREE && phase != WS2_PHASE_ENDED)
            return true;
    }
    return false;
}

bool ws2_upcall_enter(enum sw_upcall which, const char *name, INT **error, INT *spare)
{
    if (error != NULL && *error == NULL) {
        ws2_violation("%s: lpErrno is NULL", name);
        *error = spare;
    }
    if (!is_anyone_running()) {
        ws2_violation("%s: called after the last WSPCleanup", name);
        if (error != NULL)
            **error = WSANOTINITIALISED;
        return false;
    }
    pal_add_relaxed(&counts[which], 1u);
    return true;
}

uint64_t ws2_upcall_count(enum sw_upcall which)
{
    return which < SW_UPCALL_COUNT ? pal_load_relaxed(&counts[which]) : 0;
}

/* --- events --- */

static WSAEVENT make_event(void)
{
    return sw_event_create_for(&ws2_log, true, false); /* the log stands for all providers together */
}

static int do_event(WSAEVENT e, enum sw_event_action action, const char *name)
{
    const char *why;

    if (sw_event_do(e, action, &ws2_log, &why))
        return 0;
    ws2_violation("%s: %p is %s", name, (void *)e, why);
    return WSA_INVALID_HANDLE;
}

static int close_own_event(WSAEVENT e)
{
    return do_event(e, SW_EVENT_CLOSE, "WPUCloseEvent");
}

static int reset_own_event(WSAEVENT e)
{
    return do_event(e, SW_EVENT_RESET, "WPUResetEvent");
}

static int set_own_event(WSAEVENT e)
{
    return do_event(e, SW_EVENT_SET, "WPUSetEvent");
}

static int open_own_thread(WSATHREADID *out)
{
    return sw_thread_open_for(&ws2_log, out);
}

static const struct ws2_objects own_objects = {make_event,     close_own_event, reset_own_event,
                                               set_own_event,  open_own_thread, sw_thread_close,
                                               sw_thread_queue};
static const struct ws2_objects *objects = &own_objects; /* const once a provider runs */

void ws2_set_objects(const struct ws2_objects *given)
{
    objects = given;
}

/* An operation's event, which belongs to the application: it may have closed it. */
void ws2_signal(WSAEVENT e)
{
    const char *why;

    if (objects == &own_objects)
        (void)sw_event_do(e, SW_EVENT_SET, NULL, &why);
    else
        (void)objects->set_event(e);
}

static WSAEVENT WSPAPI create_event(INT *error)
{
    INT spare;
    WSAEVENT e;

    if (!ws2_upcall_enter(SW_UPCALL_CREATE_EVENT, "WPUCreateEvent", &error, &spare))
        return WSA_INVALID_EVENT;
    e = objects->create_event();
    *error = e == WSA_INVALID_EVENT ? WSA_NOT_ENOUGH_MEMORY : 0;
    return e;
}

static BOOL WSPAPI close_event(WSAEVENT e, INT *error)
{
    INT spare;

    if (!ws2_upcall_enter(SW_UPCALL_CLOSE_EVENT, "WPUCloseEvent", &error, &spare))
        return FALSE;
    *error = objects->close_event(e);
    return *error == 0;
}

static BOOL WSPAPI reset_event(WSAEVENT e, INT *error)
{
    INT spare;

    if (!ws2_upcall_enter(SW_UPCALL_RESET_EVENT, "WPUResetEvent", &error, &spare))
        return FALSE;
    *error = objects->reset_event(e);
    return *error == 0;
}

static BOOL WSPAPI set_event(WSAEVENT e, INT *error)
{
    INT spare;

    if (!ws2_upcall_enter(SW_UPCALL_SET_EVENT, "WPUSetEvent", &error, &spare))
        return FALSE;
    *error = objects->set_event(e);
    return *error == 0;
}

/* --- sets, paths --- */

static int WSPAPI fd_is_set(SOCKET s, WSD_FD_SET *set)
{
    if (!ws2_upcall_enter(SW_UPCALL_FD_IS_SET, "WPUFDIsSet", NULL, NULL))
        return 0;
    if (set == NULL) {
        ws2_violation("WPUFDIsSet: the set is NULL");
        return 0;
    }
    for (UINT i = 0; i < set->fd_count; i++)
        if (set->fd_array[i] == s)
            return 1;
    return 0;
}

static int WSPAPI get_provider_path(GUID *id, WCHAR *path, INT *path_length, INT *error)
{
    INT spare;
    struct ws2_provider *p = NULL;
    INT needed;

    if (!ws2_upcall_enter(SW_UPCALL_GET_PROVIDER_PATH, "WPUGetProviderPath", &error, &spare))
        return SOCKET_ERROR;
    if (id == NULL || path == NULL || path_length == NULL) {
        *error = WSAEFAULT;
        return SOCKET_ERROR;
    }
    if (memcmp(id, &ws2_provider_id, sizeof(*id)) == 0)
        for (unsigned i = 0; (p = ws2_provider_at(i)) != NULL && ws2_phase_of(p) != WS2_PHASE_RUNNING; i++)
            ;
    if (p == NULL) {
        *error = WSAEINVAL;
        return SOCKET_ERROR;
    }
    needed = (INT)strlen(p->path) + 1;
    if (*path_length < needed) {
        *path_length = needed;
        *error = WSAEFAULT;
        return SOCKET_ERROR;
    }
    for (INT c = 0; c < needed; c++)
        path[c] = (WCHAR)(unsigned char)p->path[c]; /* exact for ASCII */
    *path_length = needed;
    *error = 0;
    return 0;
}

/* --- messages --- */

static BOOL WSPAPI post_message(HWND window, UINT message, WPARAM wparam, LPARAM lparam)
{
    struct sw_message_node *node;

    if (!ws2_upcall_enter(SW_UPCALL_POST_MESSAGE, "WPUPostMessage", NULL, NULL))
        return FALSE;
    node = calloc(1, sizeof(*node));
    if (node == NULL)
        return FALSE;
    node->message = (struct sw_message){window, message, wparam, lparam};
    pal_mutex_lock(&message_lock);
    if (message_count >= MESSAGES_MAX) {
        pal_mutex_unlock(&message_lock);
        free(node);
        return FALSE;
    }
    if (last_message == NULL)
        first_message = node;
    else
        last_message->next = node;
    last_message = node;
    message_count++;
    pal_cond_signal(&message_queued);
    pal_mutex_unlock(&message_lock);
    return TRUE;
}

int ws2_next_message(struct sw_message *out, uint32_t timeout_ms)
{
    uint64_t deadline = sw_deadline(timeout_ms);
    bool in_time = true;
    struct sw_message_node *node;

    pal_mutex_lock(&message_lock);
    while (first_message == NULL && in_time) {
        if (deadline == UINT64_MAX)
            pal_cond_wait(&message_queued, &message_lock);
        else
            in_time = pal_cond_timedwait(&message_queued, &message_lock, deadline);
    }
    node = first_message;
    if (node != NULL) {
        first_message = node->next;
        if (first_message == NULL)
            last_message = NULL;
        message_count--;
    }
    pal_mutex_unlock(&message_lock);
    if (node == NULL)
        return WSAETIMEDOUT;
    *out = node->message;
    free(node);
    return 0;
}

void ws2_messages_drop(void)
{
    struct sw_message dropped;

    while (ws2_next_message(&dropped, 0) == 0)
        ;
}

/* --- threads and blocking --- */

static int WSPAPI query_blocking_callback(DWORD catalog_entry_id, LPBLOCKINGCALLBACK *callback,
                                          DWORD_PTR *context, INT *error)
{
    static const char name[] = "WPUQueryBlockingCallback";
    INT spare;

    if (!ws2_upcall_enter(SW_UPCALL_QUERY_BLOCKING_CALLBACK, name, &error, &spare))
        return SOCKET_ERROR;
    if (callback == NULL || context == NULL) {
        ws2_violation("%s: a result pointer is NULL", name);
        *error = WSAEFAULT;
        return SOCKET_ERROR;
    }
    if (ws2_provider_of_entry(catalog_entry_id) == NULL) {
        ws2_violation("%s: no running provider has the catalog entry %u", name, (unsigned)catalog_entry_id);
        *error = WSAEINVAL;
        return SOCKET_ERROR;
    }
    *callback = hook;
    *context = hook_context;
    *error = 0;
    return 0;
}

void ws2_set_blocking_hook(LPBLOCKINGCALLBACK fn, DWORD_PTR context)
{
    hook = fn;
    hook_context = context;
}

static int WSPAPI queue_apc(WSATHREADID *thread, LPWSAUSERAPC fn, DWORD_PTR context, INT *error)
{
    INT spare;

    if (!ws2_upcall_enter(SW_UPCALL_QUEUE_APC, "WPUQueueApc", &error, &spare))
        return SOCKET_ERROR;
    *error = thread == NULL || fn == NULL ? WSAEFAULT : objects->queue_call(thread, fn, context);
    if (*error == WSAEFAULT)
        ws2_violation("WPUQueueApc: no such thread id, or no function");
    return *error == 0 ? 0 : SOCKET_ERROR;
}

static int WSPAPI open_current_thread(WSATHREADID *thread, INT *error)
{
    INT spare;

    if (!ws2_upcall_enter(SW_UPCALL_OPEN_CURRENT_THREAD, "WPUOpenCurrentThread", &error, &spare))
        return SOCKET_ERROR;
    *error = thread == NULL ? WSAEFAULT : objects->open_this_thread(thread);
    if (*error == WSAEFAULT)
        ws2_violation("WPUOpenCurrentThread: lpThreadId is NULL");
    return *error == 0 ? 0 : SOCKET_ERROR;
}

static int WSPAPI close_thread(WSATHREADID *thread, INT *error)
{
    INT spare;

    if (!ws2_upcall_enter(SW_UPCALL_CLOSE_THREAD, "WPUCloseThread", &error, &spare))
        return SOCKET_ERROR;
    *error = objects->close_thread(thread);
    if (*error != 0)
        ws2_violation("WPUCloseThread: no such thread id");
    return *error == 0 ? 0 : SOCKET_ERROR;
}

/* --- the table, in the order of WSPUPCALLTABLE --- */

static const WSPUPCALLTABLE table = {close_event,
                                     ws2_close_socket_handle,
                                     create_event,
                                     ws2_create_socket_handle,
                                     fd_is_set,
                                     get_provider_path,
                                     ws2_modify_ifs_handle,
                                     post_message,
                                     query_blocking_callback,
                                     ws2_query_socket_handle_context,
                                     queue_apc,
                                     reset_event,
                                     set_event,
                                     open_current_thread,
                                     close_thread};

const WSPUPCALLTABLE *ws2_upcall_table(void)
{
    return &table;
}

LPWPUCOMPLETEOVERLAPPEDREQUEST ws2_complete_upcall(void)
{
    return ws2_complete_overlapped_request;
}
