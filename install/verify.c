/* verify.c - what is installed, for a person to read: all of it, or only whether it is as it should be. */
#include <stdarg.h>
#include <string.h>

#include "wsi.h"

static char mark_of(const struct wsi_entry *e)
{
    return wsi_entry_is_ours(e)                                                     ? '*'
           : memcmp(&e->info.ProviderId, &wsi_switch_id, sizeof wsi_switch_id) == 0 ? '+'
                                                                                    : ' ';
}

static void print_catalog(const struct wsi_system *sys, const struct wsi_state *state, enum wsi_catalog c,
                          FILE *out)
{
    char name[3 * (WSAPROTOCOL_LEN + 1)];
    fprintf(out, "%s: %u entries, * is OpenWSD's provider, + its switch\n", wsi_catalog_name(sys, c),
            (unsigned)state->entry_count[c]);
    for (uint32_t i = 0; i < state->entry_count[c]; i++) {
        const struct wsi_entry *e = &state->entries[c][i];
        wsi_wide_text(e->info.szProtocol, WSAPROTOCOL_LEN + 1, name, sizeof name);
        fprintf(out, "%c %5u  %-7s %s\n         %s\n", mark_of(e), (unsigned)e->info.dwCatalogEntryId,
                e->info.dwProviderFlags & PFL_HIDDEN ? "hidden" : "visible", name,
                e->path[0] ? e->path : "(path not known)");
    }
}

enum wsi_exit wsi_list(const struct wsi_system *sys, const struct wsi_state *state, FILE *out)
{
    char text[WSI_GUID_TEXT];
    print_catalog(sys, state, WSI_NATIVE, out);
    if (state->has_small)
        print_catalog(sys, state, WSI_SMALL, out);
    fprintf(out, "providers that the switch is told of (registry): %u\n", (unsigned)state->value_count);
    for (uint32_t i = 0; i < state->value_count; i++) {
        const struct wsi_value *v = &state->values[i];
        fprintf(out, "%c '%s': ", wsi_value_is_ours(v) ? '*' : ' ', v->name);
        if (v->bytes == 16)
            fprintf(out, "%s%s\n", wsi_guid_text(v->data, text), v->type == 3 ? "" : ", not REG_BINARY");
        else
            fprintf(out, "%u bytes of type %u, no identifier\n", (unsigned)v->bytes, (unsigned)v->type);
    }
    return WSI_OK;
}

void wsi_say(struct wsi_report *r, bool is_right, const char *format, ...)
{
    va_list args;
    fprintf(r->out, "%s ", is_right ? "ok   " : "WRONG");
    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): as in error.c */
    vfprintf(r->out, format, args);
    va_end(args);
    fputc('\n', r->out);
    r->is_wrong = r->is_wrong || !is_right;
}

static void check_file(struct wsi_report *r, const struct wsi_system *sys, const struct wsi_entry *have,
                       enum wsi_catalog c)
{
    struct wsi_error e = {0};
    uint32_t bits = c == WSI_SMALL ? 32 : sys->word_bits;
    bool right = wsi_check_dll(sys, have->path, bits, &e);
    if (right)
        wsi_say(r, true, "%s is a provider for %u-bit programs", have->path, (unsigned)bits);
    else
        wsi_say(r, false, "%s", e.text);
}

static void check_catalog(struct wsi_report *r, const struct wsi_system *sys, const struct wsi_state *state,
                          enum wsi_catalog c)
{
    const char *where = wsi_catalog_name(sys, c);
    char text[1024];
    int at = wsi_find_entry(state, c), tcp = wsi_find_tcp(state, c);
    if (at < 0) {
        /* Not every installation has a 32-bit DLL. */
        if (c == WSI_SMALL)
            fprintf(r->out,
                    "note  %s: no entry; 32-bit programs go on with TCP/IP (install --dll32 adds one)\n",
                    where);
        else
            wsi_say(r, false, "%s: no entry; run wsdinstall install", where);
        return;
    }
    const struct wsi_entry *have = &state->entries[c][at];
    struct wsi_entry want;
    wsi_entry_make(&want, have->path);
    bool equal = wsi_entry_equal(have, &want, text, sizeof text);
    wsi_say(r, equal, "%s: entry %u%s%s", where, (unsigned)have->info.dwCatalogEntryId,
            equal ? ", every field as it should be" : ": ", text);
    check_file(r, sys, have, c);
    if (tcp < 0)
        wsi_say(
            r, false,
            "%s: no visible TCP/IP provider, so there is nothing to switch from; netsh winsock reset makes one",
            where);
    else
        wsi_say(r, tcp < at, "%s: the entry stands %s TCP/IP's", where, tcp < at ? "behind" : "before");
}

static void check_values(struct wsi_report *r, const struct wsi_state *state)
{
    unsigned right = 0, more = 0;
    for (uint32_t i = 0; i < state->value_count; i++) {
        const struct wsi_value *v = &state->values[i];
        if (wsi_value_is_right(v))
            right++;
        else if (wsi_value_is_ours(v))
            more++;
        else if (wsi_same_path(v->name, WSI_VALUE_NAME))
            wsi_say(r, false, "registry value '%s' holds something else", v->name);
    }
    wsi_say(r, right == 1, "registry value '%s' %s", WSI_VALUE_NAME,
            right == 1 ? "names the provider"
                       : "does not name the provider: the switch does not see it; run wsdinstall install");
    if (more > 0)
        wsi_say(r, false, "%u more registry values name the provider; wsdinstall install takes them away",
                more);
}

enum wsi_exit wsi_verify(const struct wsi_system *sys, const struct wsi_state *state,
                         const struct wsi_options *o, FILE *out)
{
    struct wsi_report r = {out, false};
    check_catalog(&r, sys, state, WSI_NATIVE);
    if (state->has_small)
        check_catalog(&r, sys, state, WSI_SMALL);
    check_values(&r, state);
    bool has_switch = wsi_state_has_switch(state);
    const char *what =
        wsi_has_switch(state->os_major, state->os_minor) ? "has the Windows Sockets switch"
        : has_switch                                     ? "has OpenWSD's switch in its catalog"
                     : "is not documented to have the Windows Sockets switch: nothing calls the provider";
    if (o->without_switch && !has_switch)
        fprintf(out, "note  Windows %u.%u %s\n", (unsigned)state->os_major, (unsigned)state->os_minor, what);
    else
        wsi_say(&r, has_switch, "Windows %u.%u %s", (unsigned)state->os_major, (unsigned)state->os_minor,
                what);
    return r.is_wrong ? WSI_DIFFERS : WSI_OK;
}
