/* mail.h - what both ends of a pipe that is a mailbox agree on.
 * Layer:   platform, Windows, private to mailbox.c and mailbox_send.c. */
#ifndef PAL_WINDOWS_MAIL_H
#define PAL_WINDOWS_MAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <windows.h>

#include "pal/mailbox.h"

#define PAL_MAIL_PREFIX "\\\\.\\pipe\\openwsd-mail-"

struct pal_mail_path {
    char text[sizeof PAL_MAIL_PREFIX + PAL_MAILBOX_NAME];
};

/* What is written into the pipe; as many bytes as the message has. */
struct pal_mail {
    uint64_t sent_ns; /* pal_now_ns() of its sender */
    unsigned char bytes[PAL_MAIL_MAX];
};

bool pal_mail_path(const char *name, struct pal_mail_path *out); /* false: not a good name */
DWORD pal_mail_ms_until(uint64_t deadline_ns, uint64_t now_ns);  /* rounded up; INFINITE for UINT64_MAX */

#endif
