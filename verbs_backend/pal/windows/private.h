/* private.h - who may open what other processes find by a name: this user.
 * Layer:   platform, Windows, private; used by process.c and mailbox.c. */
#ifndef PAL_WINDOWS_PRIVATE_H
#define PAL_WINDOWS_PRIVATE_H

#include <stdbool.h>
#include <windows.h>

/* Security of an object that is to be made: `attributes` is for the call that makes it. */
struct pal_private {
    SECURITY_ATTRIBUTES attributes;
    SECURITY_DESCRIPTOR sd;
    TOKEN_USER *user;
    ACL *acl;
};

enum pal_private_to { PAL_PRIVATE_TO_USER, PAL_PRIVATE_TO_USER_AND_SYSTEM };

/* Owned by the user and open to him, or to LocalSystem as well. false: out of memory, and nothing to give back. */
bool pal_private_begin(struct pal_private *p, enum pal_private_to who);
void pal_private_end(struct pal_private *p); /* leaves GetLastError() as it is */

/* The user of this process; free() it. NULL: out of memory. */
TOKEN_USER *pal_current_user(void);

#endif
