/* host.c - names, versions and processors from the system and its registry; the environment. */
#include "bench_host.h"

#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

typedef LONG(WINAPI *get_version_fn)(OSVERSIONINFOW *);
typedef const char *(*wine_version_fn)(void);

/* GetVersionEx() tells programs without a manifest that they are on Windows 8; RtlGetVersion() tells the truth. Wine says
 * who it is beside: figures from there are not Windows's. */
static void system_name(char *out, size_t room)
{
    OSVERSIONINFOW v = {.dwOSVersionInfoSize = sizeof v};
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    FARPROC get = ntdll == NULL ? NULL : GetProcAddress(ntdll, "RtlGetVersion");
    FARPROC wine = ntdll == NULL ? NULL : GetProcAddress(ntdll, "wine_get_version");
    get_version_fn get_version = NULL;
    wine_version_fn wine_version = NULL;

    memcpy(&get_version, &get, sizeof get);
    memcpy(&wine_version, &wine, sizeof wine);
    if (get_version != NULL)
        (void)get_version(&v);
    (void)snprintf(out, room, "Windows %lu.%lu.%lu%s%.32s%s", v.dwMajorVersion, v.dwMinorVersion,
                   v.dwBuildNumber, wine_version != NULL ? " (Wine " : "",
                   wine_version != NULL ? wine_version() : "", wine_version != NULL ? ")" : "");
}

static void cpu_model(char *out, size_t room)
{
    DWORD bytes = (DWORD)room;

    if (RegGetValueA(HKEY_LOCAL_MACHINE, "HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0",
                     "ProcessorNameString", RRF_RT_REG_SZ, NULL, out, &bytes) != ERROR_SUCCESS)
        (void)snprintf(out, room, "unknown");
}

void bench_host_look(struct bench_host *out)
{
    DWORD bytes = sizeof out->name;
    SYSTEM_INFO info;

    if (!GetComputerNameExA(ComputerNameDnsHostname, out->name, &bytes))
        (void)snprintf(out->name, sizeof out->name, "unknown");
    system_name(out->system, sizeof out->system);
    cpu_model(out->cpu, sizeof out->cpu);
    GetSystemInfo(&info);
    out->cpus = info.dwNumberOfProcessors;
}

bool bench_host_stderr_is_terminal(void)
{
    return _isatty(_fileno(stderr)) != 0;
}

/* The C runtime keeps the environment that getenv() sees, and tells the system. */
void bench_host_setenv(const char *name, const char *value, bool is_default)
{
    const char *before = getenv(name);

    if (!is_default || before == NULL || before[0] == '\0')
        (void)_putenv_s(name, value);
}
