/* pe.h - what a program file for Windows says of itself.
 * Layer:   install; pure: bytes in, facts out. The bytes may be anything.
 * Source:  PE Format page of the Windows SDK. */
#ifndef WSI_PE_H
#define WSI_PE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pe_machine { PE_MACHINE_I386 = 0x014C, PE_MACHINE_AMD64 = 0x8664, PE_MACHINE_ARM64 = 0xAA64 };

struct pe_facts {
    uint16_t machine; /* pe_machine, or another */
    bool is_dll;
    bool is_64; /* the optional header is PE32+ */
    bool has_export;
};

/* false: no program file, or cut off; why: what is wrong, a constant string. has_export: exports this name. */
bool pe_inspect(const uint8_t *bytes, size_t count, const char *export, struct pe_facts *facts,
                const char **why);

#endif
