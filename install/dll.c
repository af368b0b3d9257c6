/* dll.c - is a file the provider, and for this kind of program? Looked at before anything is changed. */
#include <stdlib.h>

#include "pe.h"
#include "wsi.h"

static const char *machine_text(uint16_t machine)
{
    switch (machine) {
    case PE_MACHINE_I386: return "32-bit x86";
    case PE_MACHINE_AMD64: return "64-bit x86";
    case PE_MACHINE_ARM64: return "64-bit ARM";
    }
    return "a processor that is not known here";
}

/* Which kinds of processor a catalog of that word size serves: x86, whose contract this is; ARM64 for a Windows on it. */
static bool machine_fits(const struct pe_facts *f, uint32_t word_bits)
{
    if (word_bits == 32)
        return f->machine == PE_MACHINE_I386 && !f->is_64;
    return (f->machine == PE_MACHINE_AMD64 || f->machine == PE_MACHINE_ARM64) && f->is_64;
}

/* What a DLL of ours is: the door that it has, one that it has not, its name when it was built. */
struct door {
    const char *export, *not_this, *what, *file;
};
static const struct door provider_door = {"WSPStartupEx", NULL, "SAN provider", "wsdprov.dll"};
static const struct door switch_door = {"WSPStartup", "WSPStartupEx", "switch", "wsdswitch.dll"};

static bool check(const struct wsi_system *sys, const char *path, uint32_t word_bits, const struct door *door,
                  struct wsi_error *e)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    struct pe_facts facts;
    const char *why;
    if (!sys->read_file(sys->self, path, &bytes, &count, e))
        return false;
    bool is_program = pe_inspect(bytes, count, door->export, &facts, &why), is_other = false;
    if (is_program && door->not_this) {
        struct pe_facts other;
        is_other = pe_inspect(bytes, count, door->not_this, &other, &why) && other.has_export;
    }
    free(bytes);
    if (!is_program)
        return wsi_fail(e, WSI_BAD_DLL, "%s cannot be used: %s; name the %s that was built", path, why,
                        door->file);
    if ((facts.machine == PE_MACHINE_I386) == facts.is_64)
        return wsi_fail(e, WSI_BAD_DLL,
                        "%s cannot be used: its headers contradict each other about the processor", path);
    if (!machine_fits(&facts, word_bits))
        return wsi_fail(
            e, WSI_BAD_DLL,
            "%s is for %s, and the %u-bit catalog needs a %u-bit DLL; name the one built for it%s", path,
            machine_text(facts.machine), (unsigned)word_bits, (unsigned)word_bits,
            word_bits == 64 ? ", or give this one as --dll32" : "");
    if (!facts.is_dll || !facts.has_export)
        return wsi_fail(e, WSI_BAD_DLL, "%s is no %s: it does not export %s; name %s", path, door->what,
                        door->export, door->file);
    if (is_other)
        return wsi_fail(e, WSI_BAD_DLL, "%s is no %s: it exports %s; name %s", path, door->what,
                        door->not_this, door->file);
    if (word_bits != sys->word_bits)
        return true; /* this program cannot load it */
    return sys->can_load(sys->self, path, e);
}

bool wsi_check_dll(const struct wsi_system *sys, const char *path, uint32_t word_bits, struct wsi_error *e)
{
    return check(sys, path, word_bits, &provider_door, e);
}

bool wsi_check_switch_dll(const struct wsi_system *sys, const char *path, uint32_t word_bits,
                          struct wsi_error *e)
{
    return check(sys, path, word_bits, &switch_door, e);
}
