/* start_process.h - CreateProcess for tests.
 * Seen once under Wine 8, on a machine that was busy with other things as well: a process could not be started, and the next one could.
 * So a failure is printed, and it is tried again. */
#ifndef TEST_START_PROCESS_H
#define TEST_START_PROCESS_H

#include <stdio.h>
#include <windows.h>

/* path and line: as of CreateProcess. FALSE: three times in vain; GetLastError() says why. */
static inline BOOL start_process(const char *path, const char *line, BOOL inherits, DWORD flags,
                                 STARTUPINFOA *start, PROCESS_INFORMATION *made)
{
    for (int tries = 0; tries < 3; tries++) {
        char own[4096]; /* CreateProcess may write to it */

        snprintf(own, sizeof own, "%s", line);
        if (CreateProcessA(path, own, NULL, NULL, inherits, flags, NULL, NULL, start, made))
            return TRUE;
        fprintf(stderr, "CreateProcess(%s): error %lu\n", path, (unsigned long)GetLastError());
        Sleep(200);
    }
    return FALSE;
}

#endif
