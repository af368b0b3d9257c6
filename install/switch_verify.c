/* switch_verify.c - are the switch's entries as they should be? One line for each part. */
#include "wsi.h"

static void check_catalog(struct wsi_report *r, const struct wsi_system *sys, const struct wsi_state *state,
                          enum wsi_catalog c)
{
    const char *where = wsi_catalog_name(sys, c);
    struct wsi_set have, want;
    struct wsi_error e = {0};
    char text[1024];
    if (!wsi_switch_found(state, c, &have, &e)) {
        wsi_say(r, false, "%s", e.text);
        return;
    }
    if (have.count == 0) {
        if (c == WSI_SMALL) /* not every installation has a 32-bit DLL */
            fprintf(r->out, "note  %s: no entry; 32-bit programs go on with TCP/IP\n", where);
        else
            wsi_say(r, false, "%s: no entry; run wsdinstall install --switch", where);
        return;
    }
    const char *path = have.entries[0].path;
    if (!wsi_switch_wanted(state, c, path, &want, &e)) {
        wsi_say(r, false, "%s", e.text);
        return;
    }
    bool is_equal = wsi_set_equal(&have, &want, text, sizeof text);
    wsi_say(r, is_equal, "%s: %u entries%s%s", where, (unsigned)have.count,
            is_equal ? ", every field as it should be" : ": ", text);
    bool is_switch = wsi_check_switch_dll(sys, path, c == WSI_SMALL ? 32 : sys->word_bits, &e);
    if (is_switch)
        wsi_say(r, true, "%s is a switch for %u-bit programs", path,
                (unsigned)(c == WSI_SMALL ? 32 : sys->word_bits));
    else
        wsi_say(r, false, "%s", e.text);
    bool is_first = wsi_switch_is_first(state, c, &have);
    wsi_say(r, is_first, "%s: the entries stand %s TCP/IP's", where,
            is_first ? "before" : "behind other visible ones that are");
}

/* A note and no fault: WSCInstallProvider may see to it, and this project has not seen Windows do so. */
void wsi_driver_note(const struct wsi_system *sys, FILE *out)
{
    const uint32_t start = sys->driver_start(sys->self);
    if (start == WSI_DRIVER_UNKNOWN)
        fprintf(out, "note  the service " WSI_DRIVER_SERVICE
                     ", whose driver makes socket handles for the switch, is not there: "
                     "if programs get no sockets, wsdinstall remove --switch\n");
    else if (start >= WSI_DRIVER_DISABLED)
        fprintf(out,
                "note  the service " WSI_DRIVER_SERVICE
                ", whose driver makes socket handles for the switch, is disabled: "
                "programs get no sockets before it runs (sc config ws2ifsl start= system, then a restart)\n");
}

enum wsi_exit wsi_switch_verify(const struct wsi_system *sys, const struct wsi_state *state, FILE *out)
{
    struct wsi_report r = {out, false};
    check_catalog(&r, sys, state, WSI_NATIVE);
    if (state->has_small)
        check_catalog(&r, sys, state, WSI_SMALL);
    bool has_own = wsi_has_switch(state->os_major, state->os_minor);
    wsi_say(&r, !has_own, "Windows %u.%u has %s Windows Sockets switch", (unsigned)state->os_major,
            (unsigned)state->os_minor, has_own ? "its own" : "no other");
    wsi_driver_note(sys, out);
    return r.is_wrong ? WSI_DIFFERS : WSI_OK;
}
