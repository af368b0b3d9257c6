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

bool wsi_check_dll(const struct wsi_system *sys, const char *path, uint32_t word_bits, struct wsi_error *e)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    struct pe_facts facts;
    const char *why;
    if (!sys->read_file(sys->self, path, &bytes, &count, e))
        return false;
    bool is_program = pe_inspect(bytes, count, "WSPStartupEx", &facts, &why);
    free(bytes);
    if (!is_program)
        return wsi_fail(e, WSI_BAD_DLL, "%s cannot be used: %s; name the wsdprov.dll that was built", path,
                        why);
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
        return wsi_fail(e, WSI_BAD_DLL,
                        "%s is no SAN provider: it does not export WSPStartupEx; name wsdprov.dll", path);
    if (word_bits != sys->word_bits)
        return true; /* this program cannot load it */
    return sys->can_load(sys->self, path, e);
}
