/* compare.c - finds bench_compare.sh near this program: in the source tree around a build tree, or as
 * installed. */
#include "bench_compare.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder that holds path, in place; false at the root. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash == NULL || slash == path)
        return false;
    *slash = '\0';
    return true;
}

static bool find_script(char self[PATH_MAX], char out[PATH_MAX + 64])
{
    static const char *const places[] = {"scripts/bench_compare.sh",
                                         "share/openwsd/scripts/bench_compare.sh"};
    char folder[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, PATH_MAX - 1);

    if (n <= 0)
        return false;
    self[n] = '\0';
    memcpy(folder, self, (size_t)n + 1);
    while (go_up(folder)) {
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            (void)snprintf(out, PATH_MAX + 64, "%s/%s", folder, places[i]);
            if (access(out, X_OK) == 0)
                return true;
        }
    }
    return false;
}

int bench_compare(int argc, char *const argv[])
{
    char self[PATH_MAX];
    char script[PATH_MAX + 64];
    char **args = calloc((size_t)argc + 2, sizeof *args);

    if (args == NULL || !find_script(self, script)) {
        fprintf(stderr, "wsdbench: error: scripts/bench_compare.sh is not near this program\n");
        free(args);
        return 1;
    }
    args[0] = script;
    for (int i = 0; i < argc; i++)
        args[i + 1] = argv[i];
    (void)setenv("WSDBENCH", self, 1);
    (void)execv(script, args);
    fprintf(stderr, "wsdbench: error: cannot run %s: %s\n", script, strerror(errno));
    free(args);
    return 1;
}
