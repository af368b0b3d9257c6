/* records.c - see records.h.
 * What nobody takes goes after EXPIRY_MS, noticed by the next duplication, or with WSPCleanup, which ends what it describes: the provider
 * withdraws the connection (contract Q26), and a socket of the system is fetched from the process that has it. What a killed
 * process has left goes, when it has expired, with the next start of a switch or provider. */
#include "spi/records.h"

#include <stdio.h>
#include <stdlib.h>

#include "pal/memory.h"
#include "pal/mutex.h"
#include "pal/process.h"
#include "pal/time.h"

#define EXPIRY_MS 60000u /* as the provider's WSD_DUPLICATE_EXPIRY_MS */
#define ATTEMPTS  8u

struct note {
    struct note *next;
    uint64_t due_ns;
    uint32_t id;
    bool stays;
};

static struct pal_mutex lock = PAL_MUTEX_INIT; /* guards the list, the oldest last; a leaf */
static struct note *notes;

static void name_of(char out[48], uint32_t id, const char *part)
{
    snprintf(out, 48, "wsd-switch-%08x-%s", (unsigned)id, part);
}

static void drop(uint32_t id)
{
    char name[48];

    name_of(name, id, "head");
    if (!pal_record_drop(name))
        return; /* taken: so is the text, or it is about to be */
    name_of(name, id, "text");
    (void)pal_record_drop(name);
}

/* UINT64_MAX: WSPCleanup. */
static void drop_due(uint64_t due_ns)
{
    struct note **at = &notes, *due;

    pal_mutex_lock(&lock);
    while (*at != NULL && (*at)->due_ns > due_ns)
        at = &(*at)->next;
    due = *at;
    *at = NULL;
    pal_mutex_unlock(&lock);
    while (due != NULL) {
        struct note *n = due;

        due = n->next;
        if (!n->stays || due_ns != UINT64_MAX)
            drop(n->id);
        free(n);
    }
}

void sw_records_drop(void)
{
    drop_due(UINT64_MAX);
}

void sw_records_sweep(void)
{
    (void)pal_record_sweep(EXPIRY_MS / 1000u);
}

static bool put_text(uint32_t id, const struct sw_record *r)
{
    char name[48];

    if (r->text_bytes == 0)
        return true; /* a head alone */
    name_of(name, id, "text");
    return pal_record_put(name, r->text, r->text_bytes) == PAL_RECORD_OK;
}

static bool put_head(uint32_t id, const struct sw_record *r)
{
    char name[48];

    name_of(name, id, "head");
    if (pal_record_put(name, r->head, r->head_bytes) == PAL_RECORD_OK)
        return true;
    name_of(name, id, "text");
    (void)pal_record_drop(name);
    return false;
}

bool sw_records_put(const struct sw_record *r, bool stays, uint32_t *id)
{
    struct note *n = calloc(1, sizeof(*n));

    drop_due(pal_now_ns());
    for (unsigned attempt = 0; n != NULL && attempt < ATTEMPTS; attempt++) {
        if (!pal_random(&n->id, sizeof(n->id)) || n->id == 0 || !put_text(n->id, r) || !put_head(n->id, r))
            continue;
        *id = n->id;
        n->stays = stays;
        pal_mutex_lock(&lock);
        n->due_ns = pal_now_ns() + EXPIRY_MS * UINT64_C(1000000);
        n->next = notes;
        notes = n;
        pal_mutex_unlock(&lock);
        return true;
    }
    free(n);
    return false;
}

bool sw_records_peek(uint32_t id, const struct sw_record *r)
{
    char name[48];

    name_of(name, id, "head");
    return pal_record_peek(name, r->head, r->head_bytes) == PAL_RECORD_OK;
}

bool sw_records_take_head(uint32_t id, const struct sw_record *r)
{
    char name[48];

    name_of(name, id, "head");
    return pal_record_take(name, r->head, r->head_bytes) == PAL_RECORD_OK;
}

bool sw_records_take_text(uint32_t id, const struct sw_record *r)
{
    char name[48];

    if (r->text_bytes == 0)
        return true;
    name_of(name, id, "text");
    return pal_record_take(name, r->text, r->text_bytes) == PAL_RECORD_OK;
}
