/* process.c - process numbers, and small records that processes of one user share.
 * A record is a named section of memory in the session, "Local\openwsd-NAME", open to the user alone. It lives as long
 * as somebody has a handle to it, so the process that put it keeps its handle until the record is gone; where another process
 * took it, the next call that puts something notices. One word in it says whether the record is there: who moves it
 * from READY to TAKEN has it. */
#include "pal/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <aclapi.h>

#include "name.h"
#include "pal/atomic.h"
#include "pal/mutex.h"
#include "private.h"

#define NAME_MAX_BYTES 48
#define NAME_BYTES     (sizeof "Local\\openwsd-" + NAME_MAX_BYTES)
#define RECORD_MAX     (64u * 1024u)
#define MAGIC          0x4457534fu /* "OSWD" */

enum { NOTHING = 0, BUSY, READY, TAKEN };

struct section {
    uint32_t magic;
    pal_atomic_u32 state;  /* BUSY: one process is writing, or taking, and has it for itself */
    pal_atomic_u32 serial; /* counts records, so that who only looks sees that there was another meanwhile */
    uint32_t bytes;        /* of the record; written before READY */
    uint32_t room;         /* const after the section was made */
    unsigned char data[];
};

struct kept {
    struct kept *next;
    HANDLE handle;
    struct section *section;
    char name[NAME_BYTES];
};

static struct pal_mutex lock = PAL_MUTEX_INIT; /* guards the list */
static struct kept *kept;

uint32_t pal_process_id(void)
{
    return GetCurrentProcessId();
}

bool pal_process_exists(uint32_t pid)
{
    if (pid == 0)
        return false;
    HANDLE h = OpenProcess(SYNCHRONIZE, FALSE, pid);
    if (!h)
        return GetLastError() == ERROR_ACCESS_DENIED;
    const bool is_running = WaitForSingleObject(h, 0) ==
                            WAIT_TIMEOUT; /* a handle keeps a dead one's number alive */
    CloseHandle(h);
    return is_running;
}

static bool public_name(const char *name, char out[NAME_BYTES])
{
    if (!pal_name_is_good(name, NAME_MAX_BYTES))
        return false;
    snprintf(out, NAME_BYTES, "Local\\openwsd-%s", name);
    return true;
}

/* ---- who may use a section ---- */

static HANDLE create_private(const char *name, size_t bytes)
{
    struct pal_private only_ours;
    if (!pal_private_begin(&only_ours, PAL_PRIVATE_TO_USER))
        return NULL;
    HANDLE h = CreateFileMappingA(INVALID_HANDLE_VALUE, &only_ours.attributes, PAGE_READWRITE, 0,
                                  (DWORD)bytes, name);
    pal_private_end(&only_ours); /* ERROR_ALREADY_EXISTS: the handle is another's section */
    return h;
}

/* A section that somebody else planted under the name is no record. */
static bool is_ours(HANDLE h)
{
    SID *owner = NULL;
    SECURITY_DESCRIPTOR *sd = NULL;
    TOKEN_USER *user = pal_current_user();
    bool is = false;
    if (user && GetSecurityInfo(h, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, (PSID *)&owner, NULL, NULL,
                                NULL, (PSECURITY_DESCRIPTOR *)&sd) == ERROR_SUCCESS) {
        is = owner && EqualSid(owner, user->User.Sid);
        LocalFree(sd);
    }
    free(user);
    return is;
}

/* NULL: not one of ours. Its size is what the system says, not what it says itself. */
static struct section *map(HANDLE h)
{
    MEMORY_BASIC_INFORMATION m;
    struct section *s = MapViewOfFile(h, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, 0);
    if (!s)
        return NULL;
    if (is_ours(h) && VirtualQuery(s, &m, sizeof m) == sizeof m && s->room <= RECORD_MAX &&
        m.RegionSize >= sizeof *s + s->room)
        return s;
    UnmapViewOfFile(s);
    return NULL;
}

/* ---- putting ---- */

static void close_section(HANDLE h, struct section *s)
{
    if (s)
        UnmapViewOfFile(s);
    CloseHandle(h);
}

static void forget_taken_locked(void)
{
    for (struct kept **at = &kept; *at;) {
        struct kept *k = *at;
        if (pal_load_acquire(&k->section->state) != TAKEN) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        close_section(k->handle, k->section);
        free(k);
    }
}

static void fill(struct section *s, const void *data, size_t bytes)
{
    (void)pal_add_acq_rel(&s->serial, 1);
    s->bytes = (uint32_t)bytes;
    memcpy(s->data, data, bytes);
    pal_store_release(&s->state, READY); /* publishes all of it */
}

/* The name is in use. A section that was taken lives on while the process that put it has not noticed: it can be used again. */
static enum pal_record_status reuse(struct section *s, const void *data, size_t bytes)
{
    uint32_t state = TAKEN;
    if (s->magic != MAGIC || s->room < bytes || !pal_cas_acq_rel(&s->state, &state, BUSY))
        return PAL_RECORD_EXISTS;
    fill(s, data, bytes);
    return PAL_RECORD_OK;
}

static enum pal_record_status put_locked(struct kept *k, const void *data, size_t bytes)
{
    forget_taken_locked();
    k->handle = create_private(k->name, sizeof *k->section + bytes);
    if (!k->handle)
        return GetLastError() == ERROR_ACCESS_DENIED ? PAL_RECORD_EXISTS : PAL_RECORD_FAILED;
    const bool is_new = GetLastError() != ERROR_ALREADY_EXISTS;
    enum pal_record_status st = PAL_RECORD_OK;
    k->section = map(k->handle);
    if (!k->section) {
        st = is_new ? PAL_RECORD_FAILED : PAL_RECORD_EXISTS;
    } else if (is_new) {
        k->section->room = (uint32_t)bytes;
        k->section->magic = MAGIC;
        fill(k->section, data, bytes);
    } else {
        st = reuse(k->section, data, bytes);
    }
    if (st != PAL_RECORD_OK) {
        close_section(k->handle, k->section);
        return st;
    }
    k->next = kept;
    kept = k;
    return PAL_RECORD_OK;
}

enum pal_record_status pal_record_put(const char *name, const void *data, size_t bytes)
{
    struct kept *k = calloc(1, sizeof *k);
    if (!k || !public_name(name, k->name) || !data || bytes == 0 || bytes > RECORD_MAX) {
        free(k);
        return PAL_RECORD_FAILED;
    }
    pal_mutex_lock(&lock);
    const enum pal_record_status st = put_locked(k, data, bytes);
    pal_mutex_unlock(&lock);
    if (st != PAL_RECORD_OK)
        free(k);
    return st;
}

/* ---- taking ---- */

static enum pal_record_status open_section(const char *name, HANDLE *h, struct section **s)
{
    char path[NAME_BYTES];
    if (!public_name(name, path))
        return PAL_RECORD_FAILED;
    *h = OpenFileMappingA(FILE_MAP_READ | FILE_MAP_WRITE | READ_CONTROL, FALSE, path);
    if (!*h)
        return GetLastError() == ERROR_FILE_NOT_FOUND ? PAL_RECORD_NOT_FOUND : PAL_RECORD_FAILED;
    *s = map(*h);
    if (!*s || (*s)->magic != MAGIC) {
        close_section(*h, *s);
        return PAL_RECORD_FAILED;
    }
    return PAL_RECORD_OK;
}

static enum pal_record_status take(struct section *s, void *data, size_t bytes)
{
    uint32_t state = READY;
    if (!pal_cas_acq_rel(&s->state, &state, BUSY))
        return PAL_RECORD_NOT_FOUND;
    if (s->bytes != bytes || bytes > s->room) {
        pal_store_release(&s->state, READY); /* it stays where it is */
        return PAL_RECORD_FAILED;
    }
    memcpy(data, s->data, bytes);
    pal_store_release(&s->state, TAKEN);
    return PAL_RECORD_OK;
}

static enum pal_record_status look(struct section *s, void *data, size_t bytes)
{
    const uint32_t serial = pal_load_acquire(&s->serial);
    if (pal_load_acquire(&s->state) != READY)
        return PAL_RECORD_NOT_FOUND;
    if (s->bytes != bytes || bytes > s->room)
        return PAL_RECORD_FAILED;
    memcpy(data, s->data, bytes);
    const bool is_whole = pal_load_acquire(&s->state) == READY && pal_load_acquire(&s->serial) == serial;
    return is_whole ? PAL_RECORD_OK : PAL_RECORD_NOT_FOUND;
}

static enum pal_record_status open_and_fetch(const char *name, void *data, size_t bytes, bool takes)
{
    HANDLE h;
    struct section *s;
    if (!data || bytes == 0)
        return PAL_RECORD_FAILED;
    enum pal_record_status st = open_section(name, &h, &s);
    if (st != PAL_RECORD_OK)
        return st;
    st = takes ? take(s, data, bytes) : look(s, data, bytes);
    close_section(h, s);
    return st;
}

enum pal_record_status pal_record_take(const char *name, void *data, size_t bytes)
{
    const enum pal_record_status st = open_and_fetch(name, data, bytes, true);
    if (st == PAL_RECORD_OK) { /* perhaps our own */
        pal_mutex_lock(&lock);
        forget_taken_locked();
        pal_mutex_unlock(&lock);
    }
    return st;
}

enum pal_record_status pal_record_peek(const char *name, void *data, size_t bytes)
{
    return open_and_fetch(name, data, bytes, false);
}

bool pal_record_drop(const char *name)
{
    HANDLE h;
    struct section *s;
    uint32_t state = READY;
    if (open_section(name, &h, &s) != PAL_RECORD_OK)
        return false;
    const bool was_there = pal_cas_acq_rel(&s->state, &state, TAKEN);
    close_section(h, s);
    pal_mutex_lock(&lock);
    forget_taken_locked();
    pal_mutex_unlock(&lock);
    return was_there;
}

unsigned pal_record_sweep(uint32_t least_age_s)
{
    (void)least_age_s; /* a record goes with the process that put it */
    return 0;
}
