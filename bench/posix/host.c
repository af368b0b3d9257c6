/* host.c - uname, /proc/cpuinfo, the environment. */
#include "bench_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* "model name" of the first processor, or the machine's name. */
static void cpu_model(char *out, size_t room, const char *fallback)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];

    (void)snprintf(out, room, "%s", fallback);
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *colon = strchr(line, ':');

        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(out, room, "%s", colon + (colon[1] == ' ' ? 2 : 1));
            break;
        }
    }
    if (f != NULL)
        (void)fclose(f);
}

void bench_host_look(struct bench_host *out)
{
    struct utsname u;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    memset(&u, 0, sizeof u);
    (void)uname(&u);
    (void)snprintf(out->name, sizeof out->name, "%s", u.nodename);
    (void)snprintf(out->system, sizeof out->system, "%.100s %.120s", u.sysname, u.release);
    cpu_model(out->cpu, sizeof out->cpu, u.machine);
    out->cpus = cpus > 0 ? (unsigned)cpus : 0;
}

bool bench_host_stderr_is_terminal(void)
{
    return isatty(STDERR_FILENO) != 0;
}

void bench_host_setenv(const char *name, const char *value, bool is_default)
{
    (void)setenv(name, value, !is_default);
}
