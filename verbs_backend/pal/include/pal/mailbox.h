/* pal/mailbox.h - small messages between the processes of one user on one machine.
 * Layer:   platform. For what a process must be told now; what it can look up when it needs it is a record (process.h).
 * Threads: one thread receives from a box and closes it; any thread of its process stirs, any thread of any process sends.
 * Trust:   the system says which process sent, so a message cannot lie about that. It says nothing of who receives: another user
 *          may have been faster with the name, so no message may carry a secret, and whoever needs an answer waits for one.
 *          Who may send can keep a box full, and so make others wait: on Linux anybody, on Windows whose messages count.
 * Costs:   some system calls for each message; not for the data path. */
#ifndef PAL_MAILBOX_H
#define PAL_MAILBOX_H

#include <stddef.h>
#include <stdint.h>

#define PAL_MAIL_MAX     128u /* bytes of a message; at least 1 */
#define PAL_MAILBOX_NAME 48u  /* characters of a name, [a-z0-9-], without its end */

struct pal_mailbox;

/* Names are those of the machine, whoever the user; on Linux of the network namespace. A box is there until it is closed or its
 * process ends, however that ends. Programs that the process starts do not get it; on Linux a child by fork has it too until its exec
 * or end, and must leave it alone.
 * NULL: the name is taken or not a good one, no memory, no descriptors. */
struct pal_mailbox *pal_mailbox_open(const char *name);

/* The next message, blocking until one comes, deadline_ns (on the pal_now_ns() scale; UINT64_MAX: for ever) has passed or somebody
 * stirs. With a deadline in the past: a message that is there. Returns its bytes; 0: none.
 * *sender (may be NULL): the process that sent it, as the system says it; it may have ended since, and its number may be another's.
 * Dropped without a word: messages of other users (but root, on Windows LocalSystem, may send), of a process that has no number in our
 * PID namespace, of 0 bytes, and of more than `room` or PAL_MAIL_MAX. However many of them come, deadline and stirring are seen. */
size_t pal_mailbox_receive(struct pal_mailbox *box, void *bytes, size_t room, uint32_t *sender,
                           uint64_t deadline_ns);

/* The receiver returns 0 once: from the call it is in, or else from its next one. Several before it does so count as one. */
void pal_mailbox_stir(struct pal_mailbox *box);

/* By the receiver, when nobody stirs any more. What was not received is lost. NULL: nothing happens. */
void pal_mailbox_close(struct pal_mailbox *box);

enum pal_mail_result {
    PAL_MAIL_SENT,   /* it lies in the box; nobody promises that it will be received */
    PAL_MAIL_NOBODY, /* no such box: its process has ended or closed it */
    PAL_MAIL_FAILED  /* full for timeout_ms, the system refuses, or no good name or size */
};

/* A message arrives whole, once, and in the order of one thread's calls. A box has room for some (Linux: net.unix.max_dgram_qlen and
 * one, mostly 11; Windows: 8): when it is full, wait up to timeout_ms, 0: not at all. Any thread, any process, also the receiver. */
enum pal_mail_result pal_mailbox_send(const char *name, const void *bytes, size_t n, uint32_t timeout_ms);

#endif
