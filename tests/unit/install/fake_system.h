/* fake_system.h - a Winsock catalog and a registry key in memory, for tests: keeps what it is given, writes down the calls and
 * fails the one it is told to. */
#ifndef FAKE_SYSTEM_H
#define FAKE_SYSTEM_H

#include "wsi.h"

#define FAKE_ENTRIES 16
#define FAKE_VALUES  80

struct fake {
    struct wsi_system sys;
    struct wsi_entry entries[WSI_CATALOGS][FAKE_ENTRIES];
    uint32_t entry_count[WSI_CATALOGS];
    struct wsi_value values[FAKE_VALUES];
    uint32_t value_count;
    bool key_exists;
    uint32_t last_id;
    uint32_t changes;    /* calls that change something, so far */
    uint32_t fail_at;    /* the change that fails, from 1; 0: none */
    bool fail_from_then; /* and all after it */
    bool keeps_nothing;  /* the catalog reports success and changes nothing, as Wine's */
    bool is_not_admin;
    bool catalog_unreadable, registry_unreadable;
    enum wsi_call missing; /* with missing_name: this call is not there */
    const char *missing_name;
    uint32_t driver_start;
    uint32_t dll_bits; /* of the file at DLL; the one at DLL32 has 32 */
    bool dll_is_absent, dll_does_not_load;
    char log[4096]; /* one word a change */
};

#define FAKE_DLL      "C:\\OpenWSD\\wsdprov.dll"
#define FAKE_DLL32    "C:\\OpenWSD\\32\\wsdprov.dll"
#define FAKE_SWITCH   "C:\\OpenWSD\\wsdswitch.dll"
#define FAKE_SWITCH32 "C:\\OpenWSD\\32\\wsdswitch.dll"

/* A 64-bit Server 2003: TCP/IP and UDP/IP in both catalogs, no key of the switch's. */
void fake_init(struct fake *f);
/* A 64-bit Windows 7: the same, no switch, and IPv6. */
void fake_windows_7(struct fake *f);
/* Appends an entry that a test made. */
void fake_add(struct fake *f, enum wsi_catalog c, const struct wsi_entry *entry);
void fake_add_value(struct fake *f, const char *name, uint32_t type, const void *data, uint32_t bytes);
/* Same catalogs, in the same order, and same values; numbers of our entries do not count. */
bool fake_equal(const struct fake *a, const struct fake *b);
int fake_find(const struct fake *f, enum wsi_catalog c, const GUID *id); /* the first place, or -1 */
int fake_ours(const struct fake *f, enum wsi_catalog c);                 /* of the provider's entry */

/* A program file in memory: PE32 or PE32+ with one exported name. Returns its length. */
#define FAKE_PE_BYTES 1024
size_t fake_pe(uint8_t bytes[FAKE_PE_BYTES], uint32_t bits, bool is_dll, const char *export);

#endif
