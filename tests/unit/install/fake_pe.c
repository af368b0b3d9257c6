/* fake_pe.c - a small program file: headers, one section, an export table. Source: PE Format page of the Windows SDK. */
#include <string.h>

#include "fake_system.h"

#define PE_AT      64
#define SECTION_AT 512 /* in the file; at 0x1000 in memory */
#define ADDRESS    0x1000u

static void put16(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)v;
    at[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *at, uint32_t v)
{
    put16(at, v & 0xFFFF);
    put16(at + 2, v >> 16);
}

static void put_text(uint8_t *at, const char *text, size_t bytes)
{
    memcpy(at, text, bytes);
}

static void put_section(uint8_t *at)
{
    put_text(at, ".edata", 6);
    put32(at + 8, FAKE_PE_BYTES - SECTION_AT); /* in memory */
    put32(at + 12, ADDRESS);
    put32(at + 16, FAKE_PE_BYTES - SECTION_AT); /* in the file */
    put32(at + 20, SECTION_AT);
}

static void put_exports(uint8_t *at, const char *name)
{
    put32(at + 20, 1);            /* functions */
    put32(at + 24, 1);            /* names */
    put32(at + 32, ADDRESS + 64); /* table of names */
    put32(at + 64, ADDRESS + 128);
    strcpy((char *)at + 128, name);
}

size_t fake_pe(uint8_t bytes[FAKE_PE_BYTES], uint32_t bits, bool is_dll, const char *export)
{
    uint32_t optional_bytes = bits == 64 ? 240 : 224;
    uint8_t *coff = bytes + PE_AT + 4, *optional = coff + 20;
    memset(bytes, 0, FAKE_PE_BYTES);
    put_text(bytes, "MZ", 2);
    put32(bytes + 60, PE_AT);
    put_text(bytes + PE_AT, "PE\0\0", 4);
    put16(coff, bits == 64 ? 0x8664 : 0x14C);
    put16(coff + 2, 1);
    put16(coff + 16, optional_bytes);
    put16(coff + 18, is_dll ? 0x2002 : 0x0002);
    put16(optional, bits == 64 ? 0x20B : 0x10B);
    uint8_t *directories = optional + (bits == 64 ? 112 : 96);
    put32(directories - 4, 16);
    put32(directories, ADDRESS);
    put32(directories + 4, 256);
    put_section(optional + optional_bytes);
    put_exports(bytes + SECTION_AT, export);
    return FAKE_PE_BYTES;
}
