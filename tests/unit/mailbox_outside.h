/* mailbox_outside.h - the part of test_mailbox that each system does in its own way: other processes, and senders that keep to no rule. */
#ifndef MAILBOX_OUTSIDE_H
#define MAILBOX_OUTSIDE_H

#include <stddef.h>
#include <stdint.h>

const char *fresh_box(char out[49]); /* a name of this run */
unsigned handles_in_use(void);       /* of this process: descriptors, or handles */

/* Another process: this program with two arguments. */
struct child {
    uint32_t pid;
    void *handle; /* Windows */
};
struct child child_start(const char *verb, const char *name);
int child_end(const struct child *c); /* its exit code, which it is waited for */

/* Past the interface: a message of any size, 0 too. It is lost when the box is full. */
void send_raw(const char *name, const void *bytes, size_t n);

int mailbox_outside_run(void); /* number of failed tests */

#endif
