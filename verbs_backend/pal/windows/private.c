/* private.c - access lists of one or two entries. Who is not in the list of an object has no access to it at all. */
#include "private.h"

#include <stdlib.h>

TOKEN_USER *pal_current_user(void)
{
    HANDLE token;
    TOKEN_USER *user = NULL;
    DWORD bytes = 0;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return NULL;
    (void)GetTokenInformation(token, TokenUser, NULL, 0, &bytes);
    if (bytes)
        user = malloc(bytes);
    if (user && !GetTokenInformation(token, TokenUser, user, bytes, &bytes)) {
        free(user);
        user = NULL;
    }
    CloseHandle(token);
    return user;
}

bool pal_private_begin(struct pal_private *p, enum pal_private_to who)
{
    BYTE system[SECURITY_MAX_SID_SIZE];
    DWORD system_bytes = sizeof system;
    p->attributes = (SECURITY_ATTRIBUTES){.nLength = sizeof p->attributes, .lpSecurityDescriptor = &p->sd};
    p->acl = NULL;
    p->user = pal_current_user();
    if (!p->user)
        return false;
    PSID sid = p->user->User.Sid;
    const DWORD bytes = (DWORD)(sizeof(ACL) + 2 * sizeof(ACCESS_ALLOWED_ACE) + GetLengthSid(sid) +
                                SECURITY_MAX_SID_SIZE);
    p->acl = malloc(bytes);
    if (p->acl && InitializeAcl(p->acl, bytes, ACL_REVISION) &&
        AddAccessAllowedAce(p->acl, ACL_REVISION, GENERIC_ALL, sid) &&
        (who == PAL_PRIVATE_TO_USER || (CreateWellKnownSid(WinLocalSystemSid, NULL, system, &system_bytes) &&
                                        AddAccessAllowedAce(p->acl, ACL_REVISION, GENERIC_ALL, system))) &&
        InitializeSecurityDescriptor(&p->sd, SECURITY_DESCRIPTOR_REVISION) &&
        SetSecurityDescriptorOwner(&p->sd, sid, FALSE) &&
        SetSecurityDescriptorDacl(&p->sd, TRUE, p->acl, FALSE))
        return true;
    pal_private_end(p);
    return false;
}

void pal_private_end(struct pal_private *p)
{
    const DWORD error = GetLastError();
    free(p->acl);
    free(p->user);
    SetLastError(error);
}
