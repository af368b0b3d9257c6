/* system.h - the real system behind struct wsi_system.
 * Layer:   install, Windows only.
 * Source:  pages of the functions of ws2_32.dll named in wsi.h; Registry Functions of the Windows SDK. */
#ifndef WSI_WINDOWS_SYSTEM_H
#define WSI_WINDOWS_SYSTEM_H

#include "wsi.h"

/* The calls of ws2_32.dll, found by name at run time: not every Windows and not every Wine has all; NULL: missing. [1]: those
 * for the 32-bit catalog of a 64-bit system. Tests put their own here. */
struct wsi_calls {
    int(WSPAPI *enumerate[WSI_CATALOGS])(LPINT, LPWSAPROTOCOL_INFOW, LPDWORD, LPINT);
    int(WSPAPI *path[WSI_CATALOGS])(LPGUID, WCHAR *, LPINT, LPINT);
    int(WSPAPI *install)(LPGUID, const WCHAR *, LPWSAPROTOCOL_INFOW, DWORD, LPINT);
    int(WSPAPI *install_both)(LPGUID, const WCHAR *, LPWSAPROTOCOL_INFOW, DWORD, LPINT);
    int(WSPAPI *update[WSI_CATALOGS])(LPGUID, const WCHAR *, LPWSAPROTOCOL_INFOW, DWORD, LPINT);
    int(WSPAPI *remove[WSI_CATALOGS])(LPGUID, LPINT);
    int(WSPAPI *order[WSI_CATALOGS])(LPDWORD, DWORD);
};

#define WSI_SWITCH_KEY                                                                                       \
    L"System\\CurrentControlSet\\Services\\Winsock\\Parameters\\TCP on SAN" /* contract 2.2 */

struct wsi_windows {
    struct wsi_calls calls;
    const WCHAR *key;   /* below HKEY_LOCAL_MACHINE */
    unsigned keys_made; /* by registry.c: so many of its last parts were not there before */
};

void wsi_calls_load(struct wsi_calls *calls);
/* w is borrowed for the life of *sys. Its calls and key are set by the caller. */
void wsi_windows_system(struct wsi_system *sys, struct wsi_windows *w);

/* ---- registry.c ---- */
bool wsi_registry_values(void *self, struct wsi_value **list, uint32_t *count, struct wsi_error *e);
bool wsi_registry_set(void *self, const char *name, const uint8_t data[16], bool *made_key,
                      struct wsi_error *e);
bool wsi_registry_delete(void *self, const char *name, struct wsi_error *e);
bool wsi_registry_delete_key(void *self, struct wsi_error *e);
bool wsi_registry_may_change(void *self, struct wsi_error *e);
uint32_t wsi_registry_driver_start(void *self);

/* ---- text.c ---- */
/* What the system says about an error code, with the code. */
const char *wsi_system_text(uint32_t code, char *text, size_t bytes);
/* The kind of failure a code of the registry or of Winsock means. */
enum wsi_exit wsi_exit_of(uint32_t code, enum wsi_exit otherwise);
bool wsi_to_wide(const char *text, WCHAR *wide, size_t count);

#endif
