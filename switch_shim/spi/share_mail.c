/* share_mail.c - messages between the processes of a socket, the threads that carry them out, and the place. See share.h.
 * Idea: one thread receives, and starts another for each message: giving control waits for a peer, and must not keep other sockets waiting whose
 *       control perhaps goes the other way. They are few: control moves rarely, and each step is bounded.
 * Trust: who sends is of the same user (pal/mailbox.h); a message counts only where the process number in it is the sender's, or the
 *       sender passes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pal/compiler.h"
#include "pal/mailbox.h"
#include "pal/memory.h"
#include "pal/process.h"
#include "pal/thread.h"
#include "spi/share.h"

#define NOTE_MAGIC  0x4E445357u
#define PLACE_MAGIC 0x50445357u
/* Threads at once. Who asks must leave room for those that give control, and these for those that take it, else each process waits for the
 * other. Questions beyond that are dropped, and asked again. Our choices. */
#define JOBS_MAX      256u
#define QUESTIONS_MAX 512u
#define ANSWERS_MAX   1024u
#define LAST_MAX      64u /* messages that are still received at the end: more than a box holds */
#define SEND_MS       1000u
#define ATTEMPTS      8u

struct job {
    struct job *next;
    struct pal_thread *thread;
    void (*run)(void *context);
    void *context;
    pal_atomic_bool is_over;
};

static struct pal_mutex lock = PAL_MUTEX_INIT; /* guards all of it; a leaf */
static struct pal_mailbox *box;
static struct pal_thread *receiver;
static uint32_t box_number;
static pal_atomic_bool is_stopping;
static struct job *jobs;
static unsigned job_count;

/* --- jobs --- */

static struct job *take_over_locked(bool all)
{
    struct job **at = &jobs, *over = NULL;

    while (*at != NULL) {
        struct job *j = *at;

        if (!all && !pal_load_acquire(&j->is_over)) {
            at = &j->next;
            continue;
        }
        *at = j->next;
        j->next = over;
        over = j;
        job_count--;
    }
    return over;
}

static void join(struct job *list)
{
    while (list != NULL) {
        struct job *j = list;

        list = j->next;
        pal_thread_join(j->thread);
        free(j);
    }
}

static PAL_THREAD_LOCAL bool is_job;

bool sw_job_is_here(void)
{
    return is_job;
}

static void run_job(void *context)
{
    struct job *j = context;

    is_job = true;
    j->run(j->context);
    pal_store_release(&j->is_over, true);
}

static bool start_job(void (*run)(void *context), void *context, unsigned most)
{
    struct job *j = calloc(1, sizeof(*j));
    struct job *over;
    bool started;

    if (j == NULL)
        return false;
    j->run = run;
    j->context = context;
    pal_mutex_lock(&lock);
    over = take_over_locked(false);
    started = job_count < most && (j->thread = pal_thread_start(run_job, j, "wsd-share")) != NULL;
    if (started) {
        j->next = jobs;
        jobs = j;
        job_count++;
    }
    pal_mutex_unlock(&lock);
    join(over);
    if (!started)
        free(j);
    return started;
}

bool sw_job_start(void (*run)(void *context), void *context)
{
    return start_job(run, context, JOBS_MAX);
}

/* --- the box --- */

static void name_of(char out[PAL_MAILBOX_NAME + 1], uint32_t pid, uint32_t number)
{
    snprintf(out, PAL_MAILBOX_NAME + 1, "share-%lu-%08lx", (unsigned long)pid, (unsigned long)number);
}

static void carry_out(void *context)
{
    sw_share_note(context);
    free(context);
}

static bool is_question(const struct sw_note *n)
{
    return n->kind == SW_NOTE_DEMAND || n->kind == SW_NOTE_JOIN || n->kind == SW_NOTE_LEAVE;
}

/* Control that came is not asked for again by anybody: without a thread it is taken in this one. */
static void start_carrying_out(const struct sw_note *n)
{
    struct sw_note *copy = malloc(sizeof(*copy));
    bool started = false;

    if (copy != NULL) {
        *copy = *n;
        started = start_job(carry_out, copy, is_question(n) ? QUESTIONS_MAX : ANSWERS_MAX);
    }
    if (!started) {
        free(copy);
        if (!is_question(n))
            sw_share_note(n);
    }
}

/* Whether there was one. */
static bool receive_one(uint64_t deadline_ns)
{
    struct sw_note n;
    uint32_t sender = 0;
    size_t bytes = pal_mailbox_receive(box, &n, sizeof(n), &sender, deadline_ns);

    if (bytes != sizeof(n) || n.magic != NOTE_MAGIC || (n.pid != sender && n.hops == 0) ||
        n.kind == SW_NOTE_NOTHING)
        return bytes != 0;
    if (n.kind == SW_NOTE_LISTENER || n.kind == SW_NOTE_CHILD)
        sw_share_came(&n);
    start_carrying_out(&n);
    return true;
}

static void receive(void *context)
{
    (void)context;
    while (!pal_load_acquire(&is_stopping))
        (void)receive_one(UINT64_MAX);
}

static int open_locked(void)
{
    char name[PAL_MAILBOX_NAME + 1];

    for (unsigned i = 0; i < ATTEMPTS && box == NULL; i++) {
        if (!pal_random(&box_number, sizeof(box_number)) || box_number == 0)
            continue;
        name_of(name, pal_process_id(), box_number);
        box = pal_mailbox_open(name);
    }
    if (box == NULL)
        return WSAENOBUFS;
    pal_store_relaxed(&is_stopping, false);
    receiver = pal_thread_start(receive, NULL, "wsd-mail");
    if (receiver != NULL)
        return 0;
    pal_mailbox_close(box);
    box = NULL;
    return WSAENOBUFS;
}

int sw_mail_start(void)
{
    int code;

    pal_mutex_lock(&lock);
    code = box != NULL ? 0 : open_locked();
    pal_mutex_unlock(&lock);
    return code;
}

void sw_mail_stop(void)
{
    struct job *all;
    bool is_open;

    pal_mutex_lock(&lock);
    is_open = box != NULL;
    pal_mutex_unlock(&lock);
    if (is_open) { /* start-up and clean-up are serialised, and no call is left */
        pal_store_release(&is_stopping, true);
        pal_mailbox_stir(box);
        pal_thread_join(receiver);
        for (unsigned i = 0; i < LAST_MAX && receive_one(0); i++)
            ; /* control that has come goes on to others, or its connection is closed in order */
        pal_mailbox_close(box);
        pal_mutex_lock(&lock);
        box = NULL;
        pal_mutex_unlock(&lock);
    }
    do { /* one may have started another */
        pal_mutex_lock(&lock);
        all = take_over_locked(true);
        pal_mutex_unlock(&lock);
        join(all);
    } while (all != NULL);
}

void sw_share_self(const struct sw_share *share, struct sw_holder *out)
{
    memset(out, 0, sizeof(*out));
    out->pid = pal_process_id();
    out->box = box_number; /* const while the mailbox is open */
    out->instance = share->instance;
}

bool sw_mail_is_here(const struct sw_holder *h)
{
    return h->pid == pal_process_id() && h->box == box_number;
}

struct sw_note sw_note_make(const struct sw_share *share, enum sw_note_kind kind)
{
    struct sw_note n = {.kind = kind, .identity = share->identity};
    struct sw_holder self;

    sw_share_self(share, &self);
    n.pid = self.pid;
    n.box = self.box;
    n.instance = self.instance;
    return n;
}

enum sw_mail sw_mail_send(const struct sw_holder *to, const struct sw_note *n)
{
    struct sw_note copy = *n;
    char name[PAL_MAILBOX_NAME + 1];

    copy.magic = NOTE_MAGIC;
    if (to->box == 0)
        return pal_process_exists(to->pid) ? SW_MAIL_FAILED : SW_MAIL_DEAD;
    name_of(name, to->pid, to->box);
    switch (pal_mailbox_send(name, &copy, sizeof(copy), SEND_MS)) {
    case PAL_MAIL_SENT: return SW_MAIL_SENT;
    case PAL_MAIL_NOBODY: return SW_MAIL_DEAD;
    case PAL_MAIL_FAILED: break;
    }
    return SW_MAIL_FAILED;
}

/* --- the place --- */

static void place_name(char out[48], uint64_t identity)
{
    snprintf(out, 48, "wsd-switch-at-%016llx", (unsigned long long)identity);
}

/* The one before goes: there is a moment without, in which whoever asks asks again. */
void sw_place_put(uint64_t identity, const struct sw_holder *at, uint32_t grant)
{
    struct sw_place_note p;
    char name[48];

    memset(&p, 0, sizeof(p));
    p.magic = PLACE_MAGIC;
    p.grant = grant;
    p.identity = identity;
    p.at = *at;
    place_name(name, identity);
    (void)pal_record_drop(name);
    (void)pal_record_put(name, &p, sizeof(p)); /* without it questions go the way that control went */
}

bool sw_place_find(uint64_t identity, struct sw_place_note *out)
{
    char name[48];

    place_name(name, identity);
    return pal_record_peek(name, out, sizeof(*out)) == PAL_RECORD_OK && out->magic == PLACE_MAGIC &&
           out->identity == identity;
}

void sw_place_drop(uint64_t identity)
{
    char name[48];

    place_name(name, identity);
    (void)pal_record_drop(name);
}
