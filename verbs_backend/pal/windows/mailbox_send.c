/* mailbox_send.c - sending to a mailbox: connect to an instance of its pipe, write one message, and be gone. Asynchronous, because
 * the pipe may be anybody's, who never reads. */
#include "mail.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "name.h"
#include "pal/time.h"

#define NS_PER_MS 1000000u
#define TURN_MS   100u /* of waiting for room; our choice */

bool pal_mail_path(const char *name, struct pal_mail_path *out)
{
    if (!pal_name_is_good(name, PAL_MAILBOX_NAME))
        return false;
    snprintf(out->text, sizeof out->text, PAL_MAIL_PREFIX "%s", name);
    return true;
}

/* Up, so that nobody wakes up before his time only to sleep again. */
DWORD pal_mail_ms_until(uint64_t deadline_ns, uint64_t now_ns)
{
    if (deadline_ns == UINT64_MAX)
        return INFINITE;
    if (deadline_ns <= now_ns)
        return 0;
    const uint64_t ms = (deadline_ns - now_ns - 1) / NS_PER_MS + 1;
    return ms >= INFINITE ? INFINITE - 1 : (DWORD)ms;
}

enum written { WRITTEN, WRITE_BROKEN, WRITE_REFUSED };

/* Into an empty instance it fits, so this does not wait, unless the other end is none of ours. */
static enum written write_until(HANDLE pipe, const struct pal_mail *mail, DWORD n, uint64_t deadline_ns)
{
    OVERLAPPED io = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    DWORD done = 0;
    if (!io.hEvent)
        return WRITE_REFUSED;
    bool is_good = WriteFile(pipe, mail, n, NULL, &io);
    DWORD error = is_good ? ERROR_SUCCESS : GetLastError();
    if (is_good || error == ERROR_IO_PENDING) {
        if (!is_good &&
            WaitForSingleObject(io.hEvent, pal_mail_ms_until(deadline_ns, pal_now_ns())) != WAIT_OBJECT_0)
            (void)CancelIoEx(pipe, &io); /* fails when it has just been written */
        is_good = GetOverlappedResult(pipe, &io, &done, TRUE);
        error = is_good ? ERROR_SUCCESS : GetLastError();
    }
    CloseHandle(io.hEvent);
    if (is_good)
        return WRITTEN;
    return error == ERROR_BROKEN_PIPE || error == ERROR_NO_DATA || error == ERROR_PIPE_NOT_CONNECTED
               ? WRITE_BROKEN
               : WRITE_REFUSED;
}

/* One attempt. false: the box is full, or has just put us out; *result is what that means if there is no time for another. */
static bool try_to_send(const char *path, struct pal_mail *mail, DWORD n, uint64_t deadline_ns,
                        enum pal_mail_result *result)
{
    /* Anonymous: whoever has the name gets no use of who we are. */
    HANDLE pipe = CreateFileA(path, GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                              FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, NULL);
    *result = PAL_MAIL_FAILED;
    if (pipe == INVALID_HANDLE_VALUE) {
        const DWORD error = GetLastError();
        if (error == ERROR_FILE_NOT_FOUND)
            *result = PAL_MAIL_NOBODY;
        return error != ERROR_PIPE_BUSY;
    }
    mail->sent_ns = pal_now_ns();
    const enum written w = write_until(pipe, mail, n, deadline_ns);
    CloseHandle(pipe); /* what is written stays */
    if (w == WRITTEN)
        *result = PAL_MAIL_SENT;
    return w != WRITE_BROKEN;
}

/* In short turns: that all instances go is not said to end the wait. */
static void wait_for_room(const char *path, uint64_t deadline_ns)
{
    const DWORD ms = pal_mail_ms_until(deadline_ns, pal_now_ns());
    if (ms > 0)                                                  /* 0 would mean the server's default */
        (void)WaitNamedPipeA(path, ms < TURN_MS ? ms : TURN_MS); /* the next attempt shows what it was */
}

enum pal_mail_result pal_mailbox_send(const char *name, const void *bytes, size_t n, uint32_t timeout_ms)
{
    const uint64_t deadline_ns = pal_now_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    struct pal_mail_path path;
    struct pal_mail mail = {0};
    if (!pal_mail_path(name, &path) || !bytes || n == 0 || n > PAL_MAIL_MAX)
        return PAL_MAIL_FAILED;
    memcpy(mail.bytes, bytes, n);
    for (;;) {
        const uint64_t now_ns = pal_now_ns();
        enum pal_mail_result result;
        if (try_to_send(path.text, &mail, (DWORD)(offsetof(struct pal_mail, bytes) + n), deadline_ns,
                        &result) ||
            deadline_ns <= now_ns)
            return result;
        wait_for_room(path.text, deadline_ns);
    }
}
