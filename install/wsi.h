/* wsi.h - installing the provider on Windows: what the pieces of wsdinstall share.
 * Layer:   install; above provider/ of which it uses only the types. Portable but for windows/, so that plans, roll-back and
 *          checks are tested anywhere.
 * Threads: one.
 * Flow:    options -> state (what is there) -> plan (what would change) -> apply (print it, or do it and read it back).
 * Source:  contract section 2; pages WSCInstallProvider, WSCInstallProvider64_32, WSCUpdateProvider, WSCDeinstallProvider,
 *          WSCEnumProtocols, WSCWriteProviderOrder and their forms for 32 bits, of the Windows SDK. */
#ifndef WSI_H
#define WSI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pal/compiler.h"
#include "wsd/ws2_types.h"

#define WSI_PATH_BYTES  1024 /* UTF-8, with the terminator */
#define WSI_VALUE_NAME  "OpenWSD"
#define WSI_NAME_BYTES  768 /* a registry value's name, cut to 255 characters, UTF-8 */
#define WSI_ERROR_BYTES 1024

/* Exit codes of wsdinstall.exe; --help lists them. */
enum wsi_exit {
    WSI_OK = 0,
    WSI_DIFFERS = 1,    /* verify: something is not as it should be */
    WSI_USAGE = 2,      /* options */
    WSI_BAD_DLL = 3,    /* missing, unreadable, no provider, wrong architecture */
    WSI_NO_RIGHTS = 4,  /* an administrator must do it */
    WSI_NO_SWITCH = 5,  /* this Windows has no Windows Sockets switch */
    WSI_FOREIGN = 6,    /* what would be changed is somebody else's */
    WSI_FAILED = 7,     /* a call of the system failed; what was changed before is as it was */
    WSI_HALF_DONE = 8,  /* the same, and taking back failed too: the text names what is left */
    WSI_UNREADABLE = 9, /* the catalog or the registry cannot be read */
};

/* A 64-bit Windows has two catalogs, one for programs of each word size. */
enum wsi_catalog {
    WSI_NATIVE,  /* of this program's word size */
    WSI_SMALL,   /* that for 32 bits on a 64-bit system */
    WSI_CATALOGS /* their number */
};

struct wsi_error {
    enum wsi_exit exit;
    char text[WSI_ERROR_BYTES];
};

struct wsi_entry {
    WSAPROTOCOL_INFOW info;
    char path[WSI_PATH_BYTES]; /* as the catalog has it, %variables% not replaced; "": unknown */
};

/* The entries of one provider in one catalog: made, changed and removed together, with one identifier and one path. */
#define WSI_SET_MAX 4
struct wsi_set {
    uint32_t count; /* 1 of the SAN provider; of the switch one for each protocol that it lies over */
    struct wsi_entry entries[WSI_SET_MAX];
    uint32_t positions[WSI_SET_MAX]; /* of entries that are there: places in the catalog, from 0, ascending */
};

/* A value under the key of contract 2.2. */
struct wsi_value {
    char name[WSI_NAME_BYTES];
    uint32_t type;
    uint32_t bytes; /* the whole length; data holds at most 16 of them */
    uint8_t data[16];
};

struct wsi_state {
    bool has_small;
    uint32_t entry_count[WSI_CATALOGS];
    struct wsi_entry *entries[WSI_CATALOGS]; /* in catalog order */
    uint32_t value_count;
    struct wsi_value *values;
    uint32_t os_major, os_minor; /* 5.2: Server 2003; 6.1: Windows 7 */
};

enum wsi_call { WSI_CALL_INSTALL, WSI_CALL_INSTALL_BOTH, WSI_CALL_UPDATE, WSI_CALL_REMOVE, WSI_CALL_ORDER };

/* Winsock's driver for socket handles that are no files (WPUCreateSocketHandle), ws2ifsl.sys: how its service starts, by the number in the registry.
 * Without it a program whose sockets are the switch's gets none. */
#define WSI_DRIVER_SERVICE  "WS2IFSL"
#define WSI_DRIVER_DEMAND   3u /* SERVICE_DEMAND_START; smaller ones are by the system */
#define WSI_DRIVER_DISABLED 4u /* SERVICE_DISABLED */
#define WSI_DRIVER_UNKNOWN  0xFFFFFFFFu

/* The system, as wsdinstall sees it. Functions with an error argument return false and fill it on failure; on success they
 * leave it alone. Lists are the caller's to free(). Real: windows/system.c. Tests: an in-memory one that can fail. */
struct wsi_system {
    void *self;
    uint32_t word_bits; /* of this program: 32 or 64 */
    bool is_emulated;   /* 32-bit program on a 64-bit system: the native catalog is out of reach */
    bool has_small;
    uint32_t os_major, os_minor;
    uint32_t (*driver_start)(void *self); /* or WSI_DRIVER_UNKNOWN: there is none, or it is not told */
    /* Name of a function that this system lacks for a call, or NULL. */
    const char *(*missing)(void *self, enum wsi_call call, enum wsi_catalog catalog);
    bool (*enumerate)(void *self, enum wsi_catalog c, struct wsi_entry **list, uint32_t *count,
                      struct wsi_error *e);
    /* both: one call that makes the entries in both catalogs, with the same path and numbers. */
    bool (*install)(void *self, bool both, const struct wsi_set *set, struct wsi_error *e);
    bool (*update)(void *self, enum wsi_catalog c, const struct wsi_set *set, struct wsi_error *e);
    bool (*remove)(void *self, enum wsi_catalog c, const GUID *id, struct wsi_error *e);
    bool (*order)(void *self, enum wsi_catalog c, const uint32_t *ids, uint32_t count, struct wsi_error *e);
    bool (*values)(void *self, struct wsi_value **list, uint32_t *count, struct wsi_error *e);
    bool (*set_value)(void *self, const char *name, const uint8_t data[16], bool *made_key,
                      struct wsi_error *e);
    bool (*delete_value)(void *self, const char *name, struct wsi_error *e);
    bool (*delete_key)(void *self, struct wsi_error *e); /* only when set_value made it */
    bool (*may_change)(void *self, struct wsi_error *e); /* asks for the rights without changing anything */
    bool (*read_file)(void *self, const char *path, uint8_t **bytes, size_t *count, struct wsi_error *e);
    bool (*can_load)(void *self, const char *path,
                     struct wsi_error *e); /* the system's loader takes it, imports and all */
};

/* ---- error.c ---- */
/* Fills *e; returns false, so that a caller can return it. */
bool wsi_fail(struct wsi_error *e, enum wsi_exit exit, const char *format, ...) PAL_PRINTF(3, 4);

/* ---- entry.c: the one catalog entry that is ours ---- */
extern const GUID wsi_provider_id;
#define WSI_GUID_TEXT 39
void wsi_entry_make(struct wsi_entry *entry, const char *path);
bool wsi_entry_is_ours(const struct wsi_entry *entry);       /* by ProviderId */
bool wsi_entry_looks_foreign(const struct wsi_entry *entry); /* our ProviderId under another product's name */
/* Compare what an installer decides (not the number and order the catalog gives). Writes the names of fields that differ, with
 * both values, to text[]; true when equal. */
bool wsi_entry_equal(const struct wsi_entry *have, const struct wsi_entry *want, char *text,
                     size_t text_bytes);
bool wsi_same_path(const char *a, const char *b); /* Windows: case does not matter, of ASCII letters */
const char *wsi_guid_text(const uint8_t id[16], char text[WSI_GUID_TEXT]);
void wsi_wide_text(const WCHAR *wide, size_t limit, char *text, size_t text_bytes); /* to UTF-8 */

void wsi_set_one(struct wsi_set *set, const struct wsi_entry *entry);

/* ---- switch_entry.c: the entries of the switch, wsdswitch.dll ---- */
extern const GUID wsi_switch_id;
/* Those that the switch should have in a catalog: one for each of TCP and UDP over IPv4 and IPv6 that the system itself has there. False: it
 * has no TCP over IPv4, so there is nothing to lie over. */
bool wsi_switch_wanted(const struct wsi_state *state, enum wsi_catalog c, const char *path,
                       struct wsi_set *set, struct wsi_error *e);
/* Those that it has, none perhaps. False: somebody else's have its identifier. */
bool wsi_switch_found(const struct wsi_state *state, enum wsi_catalog c, struct wsi_set *set,
                      struct wsi_error *e);
/* Every entry, and the path. Says in text[] what differs first. */
bool wsi_set_equal(const struct wsi_set *have, const struct wsi_set *want, char *text, size_t text_bytes);
/* Of each protocol in the set, the first visible entry of the catalog is one of the switch. */
bool wsi_switch_is_first(const struct wsi_state *state, enum wsi_catalog c, const struct wsi_set *have);

/* ---- state.c ---- */
bool wsi_state_read(const struct wsi_system *sys, struct wsi_state *state, struct wsi_error *e);
void wsi_state_free(struct wsi_state *state);
/* Index of our entry in a catalog, or -1. */
int wsi_find_entry(const struct wsi_state *state, enum wsi_catalog c);
/* Index of the first visible TCP/IP entry, or -1; ours must come after it (contract 2.3). */
int wsi_find_tcp(const struct wsi_state *state, enum wsi_catalog c);
bool wsi_value_is_ours(const struct wsi_value *v);
bool wsi_value_is_right(const struct wsi_value *v);        /* type, length, data and name */
bool wsi_has_switch(uint32_t os_major, uint32_t os_minor); /* Windows itself */
bool wsi_state_has_switch(const struct wsi_state *state);  /* or ours is in the catalog */
const char *wsi_catalog_name(const struct wsi_system *sys, enum wsi_catalog c);

/* ---- dll.c ---- */
/* The file is a DLL of that word size and exports the door of what it should be. false: *e says what it is instead. */
bool wsi_check_dll(const struct wsi_system *sys, const char *path, uint32_t word_bits, struct wsi_error *e);
bool wsi_check_switch_dll(const struct wsi_system *sys, const char *path, uint32_t word_bits,
                          struct wsi_error *e);

/* ---- plan.c ---- */
enum wsi_step_kind {
    WSI_SET_VALUE,
    WSI_DELETE_VALUE,
    WSI_INSTALL,      /* entries to the native catalog */
    WSI_INSTALL_BOTH, /* entries to both */
    WSI_UPDATE,       /* entries replace what the catalog has, at their places */
    WSI_REMOVE,
    WSI_ORDER,       /* the provider's to the end */
    WSI_ORDER_FIRST, /* the switch's to the front */
};

struct wsi_step {
    enum wsi_step_kind kind;
    enum wsi_catalog catalog;
    struct wsi_set set;     /* INSTALL, INSTALL_BOTH, UPDATE: new. REMOVE: what was there, with its places */
    struct wsi_set before;  /* UPDATE: what was there */
    struct wsi_value value; /* SET_VALUE: new. DELETE_VALUE: what was there */
    bool is_new;            /* SET_VALUE: there was none of that name */
};

#define WSI_STEPS_MAX 64
struct wsi_plan {
    uint32_t count;
    struct wsi_step *steps; /* room for WSI_STEPS_MAX */
};

struct wsi_options {
    enum { WSI_CMD_INSTALL, WSI_CMD_REMOVE, WSI_CMD_LIST, WSI_CMD_VERIFY, WSI_CMD_HELP } command;
    const char *dll, *dll32; /* absolute; dll32 NULL: the 32-bit catalog is left without the provider */
    bool is_switch;          /* it is about the switch's entries, not about the provider's */
    bool dry_run;
    bool without_switch; /* install although this Windows has none */
    bool no_read_back;
};

/* The steps that lead from the state to what is wanted, fewest first; none when it is so already. Reads nothing and changes
 * nothing. Fails on what is foreign and when there are too many leftovers. dll32 is for systems with a second catalog. */
bool wsi_plan_install(const struct wsi_state *state, const struct wsi_options *o, struct wsi_plan *plan,
                      struct wsi_error *e);
bool wsi_plan_remove(const struct wsi_state *state, struct wsi_plan *plan, struct wsi_error *e);
void wsi_plan_free(struct wsi_plan *plan);
/* For plan.c and switch_plan.c: an empty plan; one more step of it. */
bool wsi_plan_start(struct wsi_plan *plan, struct wsi_error *e);
struct wsi_step *wsi_plan_add(struct wsi_plan *plan, enum wsi_step_kind kind, enum wsi_catalog catalog);

/* ---- switch_plan.c: the same for the switch ---- */
bool wsi_switch_plan_install(const struct wsi_state *state, const struct wsi_options *o,
                             struct wsi_plan *plan, struct wsi_error *e);
bool wsi_switch_plan_remove(const struct wsi_state *state, struct wsi_plan *plan, struct wsi_error *e);

/* ---- apply.c ---- */
void wsi_print_plan(const struct wsi_system *sys, const struct wsi_plan *plan, FILE *out);
/* Every function that the plan needs is there, and we may use them. Before the first change. */
bool wsi_can_apply(const struct wsi_system *sys, const struct wsi_plan *plan, struct wsi_error *e);
/* What was done so far, so that it can be taken back. Zero it first; wsi_done_free() when the outcome is accepted. */
struct wsi_done {
    uint32_t count;                /* steps of the plan */
    bool made_key;                 /* the registry key was not there before */
    uint32_t *order[WSI_CATALOGS]; /* entry numbers as they stood before an ORDER step */
    uint32_t order_count[WSI_CATALOGS];
};
/* Do the steps in order. On failure take back those done, last first; e->exit tells whether that worked. */
bool wsi_apply(const struct wsi_system *sys, const struct wsi_plan *plan, struct wsi_done *done,
               struct wsi_error *e);
/* Take back what was done; adds to e->text and turns e->exit to WSI_HALF_DONE when something stays. */
void wsi_take_back(const struct wsi_system *sys, const struct wsi_plan *plan, struct wsi_done *done,
                   struct wsi_error *e);
void wsi_done_free(struct wsi_done *done);

/* ---- verify.c ---- */
/* Print everything of interest; the exit code. */
enum wsi_exit wsi_list(const struct wsi_system *sys, const struct wsi_state *state, FILE *out);
enum wsi_exit wsi_verify(const struct wsi_system *sys, const struct wsi_state *state,
                         const struct wsi_options *o, FILE *out);

/* What a verify prints: a line for each part. */
struct wsi_report {
    FILE *out;
    bool is_wrong;
};
void wsi_say(struct wsi_report *r, bool is_right, const char *format, ...) PAL_PRINTF(3, 4);

/* ---- switch_verify.c ---- */
void wsi_driver_note(const struct wsi_system *sys, FILE *out); /* nothing when all is well */
enum wsi_exit wsi_switch_verify(const struct wsi_system *sys, const struct wsi_state *state, FILE *out);

/* ---- command.c ---- */
/* argv[0] is the first word after the program's name. What --dll is without being given: default_dll, with --switch default_switch. */
bool wsi_options_parse(struct wsi_options *o, int argc, const char *const *argv, const char *default_dll,
                       const char *default_switch, struct wsi_error *e);
void wsi_help(FILE *out);
enum wsi_exit wsi_run(const struct wsi_system *sys, const struct wsi_options *o, FILE *out, FILE *err);

#endif
