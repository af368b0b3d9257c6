/* process.c - processors, and children: this program started again. A child gets the command line of its parent and the word
 * below behind it, and its channel from a record under its own process id (pal/process.h): what WSADuplicateSocket() wrote
 * for it, which works also where layered providers lie over TCP/IP, as inheriting a socket's handle does not. */
#include "bench_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "bench_net.h"
#include "pal/process.h"

static const char child_word[] = "--child-of-wsdbench";

enum { COMMAND_CHARS = 32768 }; /* the limit of CreateProcessW() */

void bench_process_raise_limits(void)
{
    /* Handles and registered memory have no limit of the process here. */
}

bool bench_process_stay_on(int cpu, struct bench_error *err)
{
    if (cpu < 0)
        return true;
    if (cpu >= (int)(sizeof(DWORD_PTR) * 8))
        return bench_fail(err, "--pin: processor %d is beyond the first group of processors, 0 to %d", cpu,
                          (int)(sizeof(DWORD_PTR) * 8) - 1);
    return SetProcessAffinityMask(GetCurrentProcess(), (DWORD_PTR)1 << cpu) ||
           bench_fail(err, "--pin: cannot run on processor %d: %s", cpu,
                      bench_net_error_text((int)GetLastError()));
}

/* --- the child's side ------------------------------------------------------------------------------------- */

static void record_name(DWORD pid, char out[48])
{
    (void)snprintf(out, 48, "wsdbench-channel-%lu", (unsigned long)pid);
}

bool bench_child_channel(int *argc, char *argv[], pal_socket *channel, struct bench_error *err)
{
    WSAPROTOCOL_INFOW info;
    WSADATA data;
    u_long on = 1;
    char name[48];

    *channel = PAL_SOCKET_NONE;
    if (*argc < 2 || strcmp(argv[*argc - 1], child_word) != 0)
        return true;
    argv[--*argc] = NULL;
    record_name(GetCurrentProcessId(), name);
    if (pal_record_take(name, &info, sizeof info) != PAL_RECORD_OK)
        return bench_fail(err, "%s is for processes that wsdbench itself starts", child_word);
    if (WSAStartup(MAKEWORD(2, 2), &data) == 0)
        *channel = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                              WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (*channel == INVALID_SOCKET || ioctlsocket(*channel, (long)FIONBIO, &on) != 0)
        return bench_fail(err, "cannot take over the control channel: %s",
                          bench_net_error_text(bench_net_error()));
    return true;
}

/* --- the parent's side ------------------------------------------------------------------------------------ */

/* What is in this job ends with this process, also when it is ended from outside. Best effort: Windows 7 knows only one job for
 * a process, and a child whose channel closes ends by itself. */
static void end_with_us(HANDLE child)
{
    static HANDLE job; /* one thread starts children */

    if (job == NULL) {
        JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
            .BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};

        job = CreateJobObjectW(NULL, NULL);
        if (job != NULL)
            (void)SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    }
    if (job != NULL)
        (void)AssignProcessToJobObject(job, child);
}

/* Suspended, because its channel can be made only for a process that is there. Handles that can be inherited are the standard
 * ones alone: sockets of ours cannot. */
static bool create(PROCESS_INFORMATION *out)
{
    STARTUPINFOW how = {.cb = sizeof how, .dwFlags = STARTF_USESTDHANDLES};
    WCHAR program[MAX_PATH * 4];
    WCHAR *command = calloc(COMMAND_CHARS, sizeof *command);
    DWORD n = GetModuleFileNameW(NULL, program, MAX_PATH * 4);
    bool is_good = false;

    how.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    how.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    how.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (command != NULL && n > 0 && n < MAX_PATH * 4 &&
        wcslen(GetCommandLineW()) + sizeof child_word + 1 < COMMAND_CHARS) {
        (void)_snwprintf(command, COMMAND_CHARS - 1, L"%ls %hs", GetCommandLineW(), child_word);
        is_good = CreateProcessW(program, command, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &how, out);
    }
    free(command);
    return is_good;
}

/* It takes the record before anything else; the record goes with us otherwise. */
static bool hand_over(DWORD pid, pal_socket channel)
{
    WSAPROTOCOL_INFOW info;
    char name[48];

    record_name(pid, name);
    return WSADuplicateSocketW(channel, pid, &info) == 0 &&
           pal_record_put(name, &info, sizeof info) == PAL_RECORD_OK;
}

bool bench_child_start(bench_child_fn fn, const struct bench_options *o, pal_socket channel, pal_socket kept,
                       bench_child *out, struct bench_error *err)
{
    PROCESS_INFORMATION child;

    (void)fn, (void)o, (void)kept; /* its main() comes to the same options, and it has no other handles */
    (void)fflush(stdout);
    (void)fflush(stderr);
    if (!create(&child))
        return bench_fail(err, "cannot start wsdbench again as a server: %s",
                          bench_net_error_text((int)GetLastError()));
    end_with_us(child.hProcess);
    if (!hand_over(child.dwProcessId, channel)) {
        (void)bench_fail(err, "cannot hand the control channel to process %lu: %s", child.dwProcessId,
                         bench_net_error_text(bench_net_error()));
        (void)TerminateProcess(child.hProcess, 1);
    }
    (void)ResumeThread(child.hThread);
    (void)CloseHandle(child.hThread);
    *out = (bench_child)child.hProcess;
    if (err->text[0] == '\0')
        return true;
    (void)bench_child_reap(*out, "server process");
    return false;
}

int bench_child_reap(bench_child child, const char *who)
{
    HANDLE process = (HANDLE)child;
    DWORD status = 1;
    char name[48];

    (void)WaitForSingleObject(process, INFINITE);
    record_name(GetProcessId(process), name);
    (void)pal_record_drop(name); /* it may have died before it took it */
    if (!GetExitCodeProcess(process, &status))
        status = 1;
    (void)CloseHandle(process);
    if (status >= 0xC0000000u) { /* NTSTATUS of severity error: an exception nobody handled */
        fprintf(stderr, "wsdbench: error: the %s ended with exception 0x%08lx\n", who, status);
        return 1;
    }
    return (int)status;
}
