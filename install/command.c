/* command.c - the command line, and one run from the first look to the last. */
#include <string.h>

#include "wsi.h"

void wsi_help(FILE *out)
{
    fputs(
        "usage: wsdinstall COMMAND [OPTION]...\n"
        "Enters the OpenWSD provider in the Winsock catalog and tells the Windows Sockets switch of it; with --switch: enters\n"
        "OpenWSD's own switch, for a Windows that has none.\n"
        "  install   enter it, or bring what is there up to date; does nothing when all is right\n"
        "  remove    take it out again; files stay\n"
        "  list      show both catalogs and the providers that the switch is told of\n"
        "  verify    check every part of an installation\n"
        "  help      this text\n"
        "Options:\n"
        "  --dll PATH        the provider for programs of this program's word size (default: wsdprov.dll beside this\n"
        "                    program). It stays where it is: put it where only administrators can write\n"
        "  --dll32 PATH      64-bit Windows: the provider for 32-bit programs (default: none)\n"
        "  --switch          with install, remove, verify: the switch instead of the provider. Its entries come first, so every\n"
        "                    program that starts afterwards gets its TCP and UDP sockets from it. --dll then is wsdswitch.dll\n"
        "  --dry-run         say what would be changed, and change nothing\n"
        "  --without-switch  go on although this Windows has no Windows Sockets switch; nothing will call the provider\n"
        "  --no-read-back    do not check afterwards that the catalog kept what it was given (for Wine, whose does not)\n"
        "Exit status:\n"
        "  0  done, or nothing to do; verify: all is right\n"
        "  1  verify: something is not as it should be\n"
        "  2  the command line is wrong\n"
        "  3  the DLL is missing, unreadable, no provider, or for another kind of processor\n"
        "  4  rights are missing; an administrator must do it\n"
        "  5  this Windows has no Windows Sockets switch; with --switch: it has one of its own\n"
        "  6  what would be changed belongs to somebody else\n"
        "  7  the system refused a change; everything is as it was before\n"
        "  8  the system refused a change, and something of it is left; the message says what\n"
        "  9  the catalog or the registry cannot be read\n",
        out);
}

static bool parse_command(struct wsi_options *o, const char *word, struct wsi_error *e)
{
    static const char *const names[] = {"install", "remove", "list", "verify", "help"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(word, names[i]) == 0) {
            o->command = i;
            return true;
        }
    return wsi_fail(e, WSI_USAGE, "'%.100s' is no command; see wsdinstall help", word);
}

static bool parse_path(const char **path, int argc, const char *const *argv, int *i, struct wsi_error *e)
{
    if (*i + 1 >= argc || !argv[*i + 1][0])
        return wsi_fail(e, WSI_USAGE, "%s needs a path; see wsdinstall help", argv[*i]);
    if (strlen(argv[*i + 1]) >= WSI_PATH_BYTES)
        return wsi_fail(e, WSI_USAGE, "%s: the path is longer than %d bytes", argv[*i], WSI_PATH_BYTES - 1);
    *path = argv[++*i];
    return true;
}

bool wsi_options_parse(struct wsi_options *o, int argc, const char *const *argv, const char *default_dll,
                       const char *default_switch, struct wsi_error *e)
{
    memset(o, 0, sizeof *o);
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "/?") == 0) {
            o->command = WSI_CMD_HELP;
            return true;
        }
    if (argc < 1)
        return wsi_fail(e, WSI_USAGE, "a command is missing; see wsdinstall help");
    if (!parse_command(o, argv[0], e))
        return false;
    for (int i = 1; i < argc; i++) {
        const char **path = strcmp(argv[i], "--dll") == 0     ? &o->dll
                            : strcmp(argv[i], "--dll32") == 0 ? &o->dll32
                                                              : NULL;
        bool *flag = strcmp(argv[i], "--dry-run") == 0          ? &o->dry_run
                     : strcmp(argv[i], "--without-switch") == 0 ? &o->without_switch
                     : strcmp(argv[i], "--no-read-back") == 0   ? &o->no_read_back
                     : strcmp(argv[i], "--switch") == 0         ? &o->is_switch
                                                                : NULL;
        if (flag)
            *flag = true;
        else if (!path)
            return wsi_fail(e, WSI_USAGE, "'%.100s' is no option; see wsdinstall help", argv[i]);
        else if (!parse_path(path, argc, argv, &i, e))
            return false;
    }
    if (o->is_switch && o->without_switch)
        return wsi_fail(e, WSI_USAGE,
                        "--switch and --without-switch exclude each other; see wsdinstall help");
    if (!o->dll)
        o->dll = o->is_switch ? default_switch : default_dll;
    return true;
}

static bool make_plan(const struct wsi_state *state, const struct wsi_options *o, struct wsi_plan *plan,
                      struct wsi_error *e)
{
    if (o->is_switch)
        return o->command == WSI_CMD_INSTALL ? wsi_switch_plan_install(state, o, plan, e)
                                             : wsi_switch_plan_remove(state, plan, e);
    return o->command == WSI_CMD_INSTALL ? wsi_plan_install(state, o, plan, e)
                                         : wsi_plan_remove(state, plan, e);
}

static bool check_switch_first(const struct wsi_system *sys, const struct wsi_options *o, struct wsi_error *e)
{
    if (wsi_has_switch(sys->os_major, sys->os_minor))
        return wsi_fail(
            e, WSI_NO_SWITCH,
            "Windows %u.%u has a Windows Sockets switch of its own; two over one TCP/IP would be one too "
            "many. Nothing was changed",
            (unsigned)sys->os_major, (unsigned)sys->os_minor);
    return wsi_check_switch_dll(sys, o->dll, sys->word_bits, e) &&
           (!o->dll32 || wsi_check_switch_dll(sys, o->dll32, 32, e));
}

/* Everything that can be known to be in the way, before anything is changed. */
static bool check_first(const struct wsi_system *sys, const struct wsi_options *o, struct wsi_error *e)
{
    if (sys->is_emulated)
        return wsi_fail(e, WSI_USAGE,
                        "this is the 32-bit wsdinstall on a 64-bit Windows, which sees one of two catalogs; "
                        "use the 64-bit one");
    if (o->command != WSI_CMD_INSTALL)
        return true;
    if (o->dll32 && !sys->has_small)
        return wsi_fail(
            e, WSI_USAGE,
            "--dll32: this system has no second catalog, for 32-bit programs; leave the option out");
    if (o->is_switch)
        return check_switch_first(sys, o, e);
    if (!wsi_check_dll(sys, o->dll, sys->word_bits, e) || (o->dll32 && !wsi_check_dll(sys, o->dll32, 32, e)))
        return false;
    return true;
}

/* Somebody must call the provider. */
static bool check_switch_is_there(const struct wsi_state *state, const struct wsi_options *o,
                                  struct wsi_error *e)
{
    if (o->command != WSI_CMD_INSTALL || o->is_switch || o->without_switch || wsi_state_has_switch(state))
        return true;
    return wsi_fail(
        e, WSI_NO_SWITCH,
        "Windows %u.%u is not documented to have the Windows Sockets switch (Windows 2000 and Server 2003 are), so "
        "nothing would call the provider; nothing was changed. wsdinstall install --switch enters OpenWSD's own, and "
        "programs can use it through wsdswitch.dll without being installed; --without-switch installs the provider all "
        "the same",
        (unsigned)state->os_major, (unsigned)state->os_minor);
}

/* The system said yes to everything; is it so? The plan made once more from what is there now must be empty. */
static bool read_back(const struct wsi_system *sys, const struct wsi_options *o, struct wsi_error *e)
{
    struct wsi_state state;
    struct wsi_plan rest = {0};
    if (!wsi_state_read(sys, &state, e))
        return false;
    bool ok = make_plan(&state, o, &rest, e);
    if (ok && rest.count > 0)
        ok = wsi_fail(e, WSI_FAILED,
                      "the system reported success, but %u of the changes cannot be found when read back",
                      (unsigned)rest.count);
    wsi_plan_free(&rest);
    wsi_state_free(&state);
    return ok;
}

static bool change(const struct wsi_system *sys, const struct wsi_options *o, const struct wsi_plan *plan,
                   FILE *out, struct wsi_error *e)
{
    struct wsi_done done = {0};
    if (!wsi_can_apply(sys, plan, e))
        return false;
    wsi_print_plan(sys, plan, out);
    bool ok = wsi_apply(sys, plan, &done, e);
    if (ok && !o->no_read_back && !read_back(sys, o, e)) {
        wsi_take_back(sys, plan, &done, e);
        ok = false;
    }
    wsi_done_free(&done);
    return ok;
}

static bool install_or_remove(const struct wsi_system *sys, const struct wsi_options *o,
                              const struct wsi_state *state, FILE *out, struct wsi_error *e)
{
    struct wsi_plan plan = {0};
    bool ok = make_plan(state, o, &plan, e);
    if (ok && plan.count == 0) {
        fprintf(out, "nothing to do: %s\n",
                o->command == WSI_CMD_INSTALL ? "installed already" : "not installed");
    } else if (ok && o->dry_run) {
        fprintf(out, "would change, in this order:\n");
        wsi_print_plan(sys, &plan, out);
    } else if (ok) {
        ok = change(sys, o, &plan, out, e);
        if (ok)
            fprintf(out, "%s. Programs that are running keep the catalog they started with\n",
                    o->command == WSI_CMD_INSTALL ? "installed" : "removed");
        if (ok && o->is_switch && o->command == WSI_CMD_INSTALL)
            wsi_driver_note(sys, out);
    }
    wsi_plan_free(&plan);
    return ok;
}

enum wsi_exit wsi_run(const struct wsi_system *sys, const struct wsi_options *o, FILE *out, FILE *err)
{
    struct wsi_error e = {0};
    struct wsi_state state;
    enum wsi_exit code = WSI_OK;
    if (o->command == WSI_CMD_HELP) {
        wsi_help(out);
        return WSI_OK;
    }
    if (!check_first(sys, o, &e) || !wsi_state_read(sys, &state, &e)) {
        fprintf(err, "wsdinstall: %s\n", e.text);
        return e.exit;
    }
    switch (o->command) {
    case WSI_CMD_LIST: code = wsi_list(sys, &state, out); break;
    case WSI_CMD_VERIFY:
        code = o->is_switch ? wsi_switch_verify(sys, &state, out) : wsi_verify(sys, &state, o, out);
        break;
    default:
        if (!check_switch_is_there(&state, o, &e) || !install_or_remove(sys, o, &state, out, &e)) {
            fflush(out);
            fprintf(err, "wsdinstall: %s\n", e.text);
            code = e.exit;
        }
    }
    wsi_state_free(&state);
    return code;
}
