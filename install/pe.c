/* pe.c - reads the headers and the export names of a program file. Every offset in the file is checked before it is used: the
 * file may be cut off, or made to mislead. */
#include "pe.h"

#include <string.h>

#define DOS_HEADER_BYTES     64
#define COFF_HEADER_BYTES    20
#define SECTION_HEADER_BYTES 40
#define EXPORT_TABLE_BYTES   40
#define DLL_FLAG             0x2000 /* IMAGE_FILE_DLL */
#define MAGIC_PE32           0x10B
#define MAGIC_PE32_PLUS      0x20B
#define EXPORT_NAMES_MAX     65536 /* our choice: ordinals have 16 bits, so no honest file has more */

struct image {
    const uint8_t *bytes;
    size_t count;
    size_t sections; /* offset of the section table */
    unsigned section_count;
};

static bool inside(const struct image *f, uint64_t at, uint64_t bytes)
{
    return at <= f->count && bytes <= f->count - at;
}

static uint32_t get16(const struct image *f, size_t at)
{
    return (uint32_t)f->bytes[at] | (uint32_t)f->bytes[at + 1] << 8;
}

static uint32_t get32(const struct image *f, size_t at)
{
    return get16(f, at) | get16(f, at + 2) << 16;
}

/* File offset of what will be at an address in memory, with that many bytes there; 0: not in the file (offset 0 is the DOS
 * header, which no address means). */
static size_t locate(const struct image *f, uint32_t address, uint32_t bytes)
{
    for (unsigned i = 0; i < f->section_count; i++) {
        size_t s = f->sections + (size_t)i * SECTION_HEADER_BYTES;
        uint32_t start = get32(f, s + 12), size = get32(f, s + 16), raw = get32(f, s + 20);
        if (address < start || address - start >= size || bytes > size - (address - start))
            continue;
        uint64_t at = (uint64_t)raw + (address - start);
        return inside(f, at, bytes) ? (size_t)at : 0;
    }
    return 0;
}

static bool name_is(const struct image *f, uint32_t address, const char *name)
{
    uint32_t bytes = (uint32_t)strlen(name) + 1;
    size_t at = locate(f, address, bytes);
    return at && memcmp(f->bytes + at, name, bytes) == 0;
}

static bool find_export(const struct image *f, size_t directory, const char *name)
{
    size_t table = locate(f, get32(f, directory), EXPORT_TABLE_BYTES);
    if (!table)
        return false;
    uint32_t count = get32(f, table + 24);
    if (count > EXPORT_NAMES_MAX)
        return false;
    size_t names = locate(f, get32(f, table + 32), count * 4);
    for (uint32_t i = 0; names && i < count; i++)
        if (name_is(f, get32(f, names + (size_t)i * 4), name))
            return true;
    return false;
}

bool pe_inspect(const uint8_t *bytes, size_t count, const char *export, struct pe_facts *facts,
                const char **why)
{
    struct image f = {bytes, count, 0, 0};
    memset(facts, 0, sizeof *facts);
    *why = "it is not a program file of Windows";
    if (!inside(&f, 0, DOS_HEADER_BYTES) || bytes[0] != 'M' || bytes[1] != 'Z')
        return false;
    size_t pe = get32(&f, 60);
    if (!inside(&f, pe, 4 + COFF_HEADER_BYTES) || memcmp(bytes + pe, "PE\0\0", 4) != 0)
        return false;
    size_t coff = pe + 4, optional = coff + COFF_HEADER_BYTES;
    uint32_t optional_bytes = get16(&f, coff + 16);
    *why = "it is cut off or damaged";
    f.section_count = get16(&f, coff + 2);
    f.sections = optional + optional_bytes;
    if (!inside(&f, f.sections, (uint64_t)f.section_count * SECTION_HEADER_BYTES) || optional_bytes < 2)
        return false;
    uint32_t magic = get16(&f, optional);
    if (magic != MAGIC_PE32 && magic != MAGIC_PE32_PLUS)
        return false;
    facts->machine = (uint16_t)get16(&f, coff);
    facts->is_dll = get16(&f, coff + 18) & DLL_FLAG;
    facts->is_64 = magic == MAGIC_PE32_PLUS;
    /* The count of directories stands before the first of them, which is that of the exports. */
    size_t directories = facts->is_64 ? 112 : 96;
    if (optional_bytes >= directories + 8 && get32(&f, optional + directories - 4) >= 1)
        facts->has_export = find_export(&f, optional + directories, export);
    *why = "";
    return true;
}
