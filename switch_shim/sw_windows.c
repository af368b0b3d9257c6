/* sw_windows.c - sw_os.h on Windows: interfaces, TCP ports of the system, paths (UTF-8 outside, UTF-16 inside). */
#include "sw_os.h"

#include <iphlpapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pal_os/base_os.h"

static const char here; /* any address inside this library */

static bool to_utf8(const WCHAR *wide, char *out, size_t out_bytes)
{
    return WideCharToMultiByte(CP_UTF8, 0, wide, -1, out, (int)out_bytes, NULL, NULL) != 0;
}

static WCHAR *from_utf8(const char *text)
{
    const int count = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    WCHAR *wide = count > 0 ? calloc((size_t)count, sizeof *wide) : NULL;

    if (wide != NULL)
        MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, count);
    return wide;
}

static HMODULE own_module(void) /* NULL is the program */
{
    const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    HMODULE module = NULL;

    return GetModuleHandleExW(flags, (const WCHAR *)(const void *)&here, &module) ? module : NULL;
}

bool sw_os_is_guest(void)
{
    const HMODULE own = own_module();

    return own != NULL && own != GetModuleHandleW(NULL);
}

bool sw_os_own_directory(char *out, size_t out_bytes)
{
    WCHAR path[MAX_PATH];
    WCHAR *slash;
    DWORD n;

    n = GetModuleFileNameW(own_module(), path, MAX_PATH);
    if (n == 0 || n == MAX_PATH)
        return false;
    slash = wcsrchr(path, L'\\');
    if (slash == NULL)
        return false;
    *slash = L'\0';
    return to_utf8(path, out, out_bytes);
}

const char *sw_os_provider_file(void)
{
    return "wsdprov.dll";
}

const char *sw_os_switch_file(void)
{
    return "wsdswitch.dll";
}

/* The name that the file itself has, so that two ways to one provider are one provider. */
char *sw_os_canonical_path(const char *path)
{
    WCHAR final[MAX_PATH + 8];
    const WCHAR *start = final;
    WCHAR *wide = from_utf8(path);
    HANDLE file;
    DWORD n = 0;
    char *out;

    if (wide == NULL)
        return NULL;
    file = CreateFileW(wide, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       0, NULL);
    free(wide);
    if (file == INVALID_HANDLE_VALUE)
        return NULL;
    n = GetFinalPathNameByHandleW(file, final, MAX_PATH + 8, FILE_NAME_NORMALIZED | VOLUME_NAME_DOS);
    CloseHandle(file);
    if (n == 0 || n >= MAX_PATH + 8)
        return NULL;
    if (wcsncmp(final, L"\\\\?\\", 4) == 0 && final[5] == L':') /* the plain form, which everybody takes */
        start += 4;
    out = malloc(3 * (size_t)n + 1);
    if (out != NULL && !to_utf8(start, out, 3 * (size_t)n + 1)) {
        free(out);
        out = NULL;
    }
    return out;
}

const char *sw_os_environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

char sw_os_list_separator(void)
{
    return ';';
}

void sw_os_print_error(const char *text)
{
    fprintf(stderr, "switch: contract violation: %s\n", text);
}

/* ---- addresses ---- */

static IP_ADAPTER_ADDRESSES *adapters(void)
{
    const ULONG flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER |
                        GAA_FLAG_SKIP_FRIENDLY_NAME;
    ULONG bytes = 16384;

    for (int tries = 0; tries < 8; tries++) { /* the list may grow between two calls */
        IP_ADAPTER_ADDRESSES *all = malloc(bytes);
        ULONG rc;

        if (all == NULL)
            return NULL;
        rc = GetAdaptersAddresses(AF_INET, flags, NULL, all, &bytes);
        if (rc == NO_ERROR)
            return all;
        free(all);
        if (rc != ERROR_BUFFER_OVERFLOW)
            return NULL;
    }
    return NULL;
}

bool sw_os_interface_of(ULONG address, ULONG *mask, char *name, size_t name_bytes)
{
    IP_ADAPTER_ADDRESSES *all = adapters();
    bool found = false;

    for (const IP_ADAPTER_ADDRESSES *a = all; a != NULL && !found; a = a->Next) {
        for (const IP_ADAPTER_UNICAST_ADDRESS *u = a->FirstUnicastAddress; u != NULL && !found; u = u->Next) {
            struct sockaddr_in sin;
            ULONG bits;

            if (u->Address.lpSockaddr->sa_family != AF_INET)
                continue;
            memcpy(&sin, u->Address.lpSockaddr, sizeof(sin));
            if (sin.sin_addr.s_addr != address)
                continue;
            bits = u->OnLinkPrefixLength > 32 ? 32 : u->OnLinkPrefixLength;
            *mask = bits == 0 ? 0 : htonl(0xFFFFFFFFu << (32 - bits));
            snprintf(name, name_bytes, "%s", a->AdapterName);
            found = true;
        }
    }
    free(all);
    return found;
}

/* ---- ports ---- */

int sw_os_port_hold(const WSD_SOCKADDR_IN *address, USHORT *port)
{
    /* of the system's own provider: an application's socket might be the switch's, over which this one is asked for */
    const WSAPROTOCOL_INFOW *found = pal_base_entry(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    WSAPROTOCOL_INFOW entry;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = address->sin_addr};
    int name_bytes = sizeof(name);
    BOOL on = TRUE;
    SOCKET s;

    if (found == NULL)
        return -1;
    entry = *found;
    s = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &entry, 0,
                   WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s == INVALID_SOCKET)
        return -1;
    /* lets an iWARP backend bind its own socket to the same port (contract 4.4) */
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (const char *)&on, sizeof(on));
    if (bind(s, (const struct sockaddr *)&name, sizeof(name)) != 0) {
        name.sin_addr.s_addr = INADDR_ANY; /* an address that only the backend knows */
        name.sin_port = 0;
        if (bind(s, (const struct sockaddr *)&name, sizeof(name)) != 0)
            goto err_socket;
    }
    if (getsockname(s, (struct sockaddr *)&name, &name_bytes) != 0)
        goto err_socket;
    *port = name.sin_port;
    return (int)s; /* handles fit: their upper half is no part of them (Microsoft, "Interprocess Communication
                      Between 32-bit and 64-bit Applications") */

err_socket:
    closesocket(s);
    return -1;
}

void sw_os_port_release(int token)
{
    if (token != -1)
        closesocket((SOCKET)(unsigned)token);
}
