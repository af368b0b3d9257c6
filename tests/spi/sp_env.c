/* sp_env.c - what a whole test program shares: the lane, checks, starting and ending the switch around each test. */
#include "sp.h"
#include "sp_record.h"

#include <signal.h>
#include <unistd.h>

struct sp_env sp_env;
struct sp_state sp;

#define FILES_MAX 1024

/* Open files of this process, as far as the system shows them. */
static unsigned open_files(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < FILES_MAX; fd++) {
        char name[32], target[64];
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        count += readlink(name, target, sizeof target) >= 0;
    }
    return count;
}

void sp_switch_mode(const char *mode)
{
    setenv("WSD_SWITCH", mode, 1);
}

void sp_load(void)
{
    char why[600];

    if (ws2_load(sp_env.library, &sp.ws2, why, sizeof why) != 0)
        sp_fail("%s", why);
    sp.procs = sp_record(ws2_procs(sp.ws2));
    sp.carried_by = (int (*)(SOCKET, char *, size_t))(void (*)(void))ws2_symbol(sp.ws2, "sw_carried_by");
    sp.last_error = (int (*)(void))ws2_symbol(sp.ws2, "sw_last_error");
    sp.cancel_io = (int (*)(SOCKET, LPWSAOVERLAPPED, bool))(void (*)(void))ws2_symbol(sp.ws2, "sw_cancel_io");
    if (sp.carried_by == NULL || sp.last_error == NULL || sp.cancel_io == NULL)
        sp_fail("%s lacks sw_carried_by, sw_last_error or sw_cancel_io", sp_env.library);
}

void sp_reload_with(const char *name, const char *value)
{
    setenv(name, value, 1);
    sp_unload();
    sp_load();
}

void sp_reload_without(const char *name)
{
    unsetenv(name);
    sp_unload();
    sp_load();
}

void sp_unload(void)
{
    char text[4000];
    unsigned count = ws2_unload(sp.ws2, text, sizeof text);

    sp.ws2 = NULL;
    if (count != 0)
        sp_fail("%u violations:\n%s", count, text);
}

/* librdmacm keeps some files for the process each time it is loaded; wsd_cycles looks after those of the provider. */
static bool keeps_files(void)
{
    const char *backend = getenv("WSD_TEST_BACKEND");

    return sp_env.is_san && backend != NULL && strcmp(backend, "rdmacore") == 0;
}

int sp_setup(void **state)
{
    (void)state;
    alarm(60);
    sp_switch_mode(sp_env.is_san ? "on" : "off");
    sp.files = open_files();
    sp_ok(sw_thread_open(&sp.thread));
    sp_load();
    return 0;
}

int sp_teardown(void **state)
{
    (void)state;
    if (sp.ws2 != NULL)
        sp_unload();
    sp_ok(sw_thread_close(&sp.thread));
    if (!keeps_files())
        sp_until(open_files() <= sp.files);
    alarm(0);
    return 0;
}

/* --- checks --- */

uint64_t sp_deadline(void)
{
    return pal_now_ns() + (uint64_t)sp_env.wait_ms * 1000000u;
}
