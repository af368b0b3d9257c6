/* mailbox.c - a mailbox is a named pipe, "\\.\pipe\openwsd-mail-NAME", open to its user and LocalSystem on this machine. It has a fixed
 * number of instances, all made at once: who opens the name of a box finds no instance left to make. A sender connects to one,
 * writes its one message and is gone; the message stays until it is read. So a box has room for as many messages as it has instances.
 * Order:   which instance a sender gets is the system's choice, so each message says when it was sent, and of the messages of one
 *          process the oldest is delivered first. Nobody else's turn depends on what a sender says there.
 * Silence: who connects and says nothing keeps one instance. When none is left to connect to, those that have been silent for
 *          SILENCE_MS are put out.
 * Threads: requests are made by the receiver only, because they end with the thread that made them. */
#include "pal/mailbox.h"

#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "mail.h"
#include "pal/time.h"
#include "private.h"

#define NS_PER_MS    1000000u
#define BUFFER_BYTES 1024u /* of an instance; a message fits, so who writes one need not wait for a reader */
#define SILENCE_MS   1000u /* our choice: no sender of ours takes that long between its two calls */
#define RETRY_MS     100u  /* after the system has refused us something; our choice */

enum { SLOTS = 8 };

struct slot {
    HANDLE pipe;
    OVERLAPPED io; /* with an event of its own */
    enum slot_state {
        SLOT_IDLE,       /* no request; it may have a client nevertheless */
        SLOT_CONNECTING, /* request: a client */
        SLOT_READING,    /* request: its message */
        SLOT_FULL        /* no request; the message is in `mail` */
    } state;
    uint32_t sender;   /* 0: not known yet */
    uint64_t since_ns; /* READING: it has a client since */
    uint64_t arrival;  /* FULL: its turn */
    size_t n;          /* FULL: bytes of the message */
    struct pal_mail mail;
};

struct pal_mailbox {
    HANDLE stir; /* auto-reset event */
    uint64_t arrivals;
    struct slot slots[SLOTS];
};

/* ---- opening and closing ---- */

static bool open_slot(struct slot *s, const char *path, bool is_first, SECURITY_ATTRIBUTES *security)
{
    s->io.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!s->io.hEvent)
        return false;
    s->pipe = CreateNamedPipeA(
        path, PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED | (is_first ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0),
        PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, SLOTS, 0,
        BUFFER_BYTES, 0, security);
    return s->pipe != INVALID_HANDLE_VALUE;
}

/* The request has ended when it returns; it may have been successful. */
static bool end_request(struct slot *s, DWORD *bytes)
{
    (void)CancelIoEx(s->pipe, &s->io); /* fails when there is nothing left to cancel */
    return GetOverlappedResult(s->pipe, &s->io, bytes, TRUE);
}

static void close_slot(struct slot *s)
{
    DWORD bytes;
    if (s->state == SLOT_CONNECTING || s->state == SLOT_READING)
        (void)end_request(s, &bytes);
    if (s->pipe != INVALID_HANDLE_VALUE)
        CloseHandle(s->pipe);
    if (s->io.hEvent)
        CloseHandle(s->io.hEvent);
}

struct pal_mailbox *pal_mailbox_open(const char *name)
{
    struct pal_mail_path path;
    struct pal_private ours;
    struct pal_mailbox *box;
    if (!pal_mail_path(name, &path) || !(box = calloc(1, sizeof *box)))
        return NULL;
    for (unsigned i = 0; i < SLOTS; i++)
        box->slots[i].pipe = INVALID_HANDLE_VALUE;
    box->stir = CreateEventW(NULL, FALSE, FALSE, NULL);
    bool is_open = box->stir && pal_private_begin(&ours, PAL_PRIVATE_TO_USER_AND_SYSTEM);
    if (is_open) {
        for (unsigned i = 0; is_open && i < SLOTS; i++)
            is_open = open_slot(&box->slots[i], path.text, i == 0, &ours.attributes);
        pal_private_end(&ours);
    }
    if (is_open)
        return box;
    pal_mailbox_close(box);
    return NULL;
}

void pal_mailbox_close(struct pal_mailbox *box)
{
    if (!box)
        return;
    for (unsigned i = 0; i < SLOTS; i++)
        close_slot(&box->slots[i]);
    if (box->stir)
        CloseHandle(box->stir);
    free(box);
}

void pal_mailbox_stir(struct pal_mailbox *box)
{
    SetEvent(box->stir);
}

/* ---- one instance ---- */

/* Asked once the client is there, and again with its message. */
static void learn_sender(struct slot *s)
{
    ULONG pid = 0;
    if (s->sender == 0 && GetNamedPipeClientProcessId(s->pipe, &pid))
        s->sender = (uint32_t)pid;
}

/* Put the client out, if there is one: its other bytes are not read. */
static void put_out(struct slot *s)
{
    (void)DisconnectNamedPipe(s->pipe);
    s->state = SLOT_IDLE;
}

static void take_message(struct pal_mailbox *box, struct slot *s, DWORD bytes)
{
    const size_t head = offsetof(struct pal_mail, bytes);
    learn_sender(s);
    if (bytes <= head || s->sender == 0) {
        put_out(s);
        return;
    }
    s->n = bytes - head;
    s->arrival = box->arrivals++;
    s->state = SLOT_FULL;
}

/* A message that is there already is taken at once. */
static void read_message(struct pal_mailbox *box, struct slot *s)
{
    DWORD bytes = 0;
    if (ReadFile(s->pipe, &s->mail, sizeof s->mail, NULL, &s->io))
        (void)GetOverlappedResult(s->pipe, &s->io, &bytes, FALSE);
    else if (GetLastError() == ERROR_IO_PENDING) {
        s->state = SLOT_READING;
        return;
    }
    take_message(box, s, bytes); /* too long (ERROR_MORE_DATA), or the client has gone: 0 bytes */
}

static void meet_client(struct pal_mailbox *box, struct slot *s)
{
    s->sender = 0;
    s->since_ns = pal_now_ns();
    learn_sender(s);
    read_message(box, s);
}

/* An instance that is new or whose listening was cut short may have a client by now. */
static void connect_client(struct pal_mailbox *box, struct slot *s)
{
    if (ConnectNamedPipe(s->pipe, &s->io)) {
        meet_client(box, s);
        return;
    }
    switch (GetLastError()) {
    case ERROR_IO_PENDING: s->state = SLOT_CONNECTING; return;
    case ERROR_PIPE_CONNECTED:
    case ERROR_NO_DATA: /* and has gone again: what it wrote is there */ meet_client(box, s); return;
    default: s->state = SLOT_IDLE; return; /* tried again later */
    }
}

/* What has become of its request? Bounded: a client that comes at once again is for the next look. */
static void advance(struct pal_mailbox *box, struct slot *s)
{
    DWORD bytes = 0;
    if (s->state == SLOT_CONNECTING || s->state == SLOT_READING) {
        const bool is_good = GetOverlappedResult(s->pipe, &s->io, &bytes, FALSE);
        const DWORD error = is_good ? ERROR_SUCCESS : GetLastError();
        if (error == ERROR_IO_INCOMPLETE)
            return;
        if (error == ERROR_OPERATION_ABORTED) { /* the thread that made it has ended */
            if (s->state == SLOT_READING)
                read_message(box, s);
            else
                s->state = SLOT_IDLE;
        } else if (s->state == SLOT_READING) {
            take_message(box, s, is_good ? bytes : 0);
        } else if (is_good) {
            meet_client(box, s);
        } else {
            put_out(s);
        }
    }
    if (s->state == SLOT_IDLE)
        connect_client(box, s);
}

/* The silent client is put out, unless its message comes after all. Between the last look and the end it could still write and
 * believe that it has sent: one of ours would have to stand still for SILENCE_MS and write in just these microseconds. */
static void give_up_on(struct pal_mailbox *box, struct slot *s)
{
    DWORD bytes = 0, there = 0;
    if (end_request(s, &bytes)) {
        take_message(box, s, bytes);
        return;
    }
    if (PeekNamedPipe(s->pipe, NULL, 0, NULL, &there, NULL) && there > 0)
        read_message(box, s);
    else
        put_out(s);
    if (s->state == SLOT_IDLE)
        connect_client(box, s);
}

/* ---- receiving ---- */

static void look_at_all(struct pal_mailbox *box)
{
    for (unsigned i = 0; i < SLOTS; i++)
        advance(box, &box->slots[i]);
}

/* NULL: nothing there. Who sends a message has written all its messages before, so when one is seen, a second look sees those. */
static struct slot *next_mail(struct pal_mailbox *box)
{
    struct slot *first = NULL;
    look_at_all(box);
    for (unsigned i = 0; i < SLOTS; i++)
        if (box->slots[i].state == SLOT_FULL && (!first || box->slots[i].arrival < first->arrival))
            first = &box->slots[i];
    if (!first)
        return NULL;
    look_at_all(box);
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *s = &box->slots[i];
        if (s->state == SLOT_FULL && s->sender == first->sender && s->mail.sent_ns < first->mail.sent_ns)
            first = s;
    }
    return first;
}

/* Makes room when nobody can connect. Returns when to come again for that; UINT64_MAX: no need. */
static uint64_t end_silence(struct pal_mailbox *box, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (box->slots[i].state == SLOT_CONNECTING)
            return UINT64_MAX;
        if (box->slots[i].state == SLOT_IDLE) /* the system refuses to let it listen */
            next_ns = now_ns + (uint64_t)RETRY_MS * NS_PER_MS;
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *s = &box->slots[i];
        const uint64_t end_ns = s->since_ns + (uint64_t)SILENCE_MS * NS_PER_MS;
        if (s->state == SLOT_READING && end_ns <= now_ns)
            give_up_on(box, s);
        else if (s->state == SLOT_READING && end_ns < next_ns)
            next_ns = end_ns;
    }
    return next_ns;
}

static bool is_full_anywhere(const struct pal_mailbox *box)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (box->slots[i].state == SLOT_FULL)
            return true;
    return false;
}

static void sleep_until(const struct pal_mailbox *box, uint64_t deadline_ns)
{
    HANDLE handles[1 + SLOTS];
    DWORD n = 0;
    handles[n++] = box->stir;
    for (unsigned i = 0; i < SLOTS; i++)
        if (box->slots[i].state == SLOT_CONNECTING || box->slots[i].state == SLOT_READING)
            handles[n++] = box->slots[i].io.hEvent;
    if (WaitForMultipleObjects(n, handles, FALSE, pal_mail_ms_until(deadline_ns, pal_now_ns())) ==
        WAIT_OBJECT_0)
        SetEvent(box->stir); /* the wait has taken it; the loop looks at it first */
}

static size_t deliver(struct slot *s, void *bytes, size_t room, uint32_t *sender)
{
    const size_t n = s->n <= room ? s->n : 0;
    if (n > 0) {
        memcpy(bytes, s->mail.bytes, n);
        if (sender)
            *sender = s->sender;
    }
    put_out(s);
    return n;
}

size_t pal_mailbox_receive(struct pal_mailbox *box, void *bytes, size_t room, uint32_t *sender,
                           uint64_t deadline_ns)
{
    if (!bytes || room == 0)
        return 0;
    for (;;) {
        const uint64_t now_ns = pal_now_ns();
        if (WaitForSingleObject(box->stir, 0) == WAIT_OBJECT_0)
            return 0;
        struct slot *s = next_mail(box);
        if (s) {
            const size_t n = deliver(s, bytes, room, sender);
            connect_client(box, s); /* so that there is room for another now, not with the next call */
            if (n > 0)
                return n;
        }
        if (deadline_ns <= now_ns)
            return 0;
        const uint64_t silence_ns = end_silence(box, pal_now_ns());
        if (!s && !is_full_anywhere(box))
            sleep_until(box, silence_ns < deadline_ns ? silence_ns : deadline_ns);
    }
}
