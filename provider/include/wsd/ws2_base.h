/* ws2_base.h - Win32 base types, calling conventions and wait constants, for systems without them.
 * Layer:   provider; included through ws2_types.h, never on Windows.
 * Owns:    integer and pointer types, SOCKET, HANDLE, WSAEVENT, GUID, WSPAPI/CALLBACK/WINAPI, wait results.
 * Source:  contract sections 3.1, 3.5 (WSS_OPERATION_IN_PROGRESS), 3.12. */
#ifndef WSD_WS2_BASE_H
#define WSD_WS2_BASE_H

#ifdef _WIN32
#error "on Windows include wsd/ws2_types.h"
#endif

#include <stddef.h>
#include <stdint.h>

/* One native calling convention on 64-bit systems: the keywords vanish. */
#define WINAPI
#define CALLBACK
#define WSAAPI
#define WSPAPI

typedef char CHAR;
typedef uint8_t UCHAR;
typedef uint8_t BYTE;
typedef int16_t SHORT;
typedef uint16_t USHORT;
typedef uint16_t WORD;
typedef int INT;
typedef unsigned UINT;
typedef int32_t LONG;
typedef uint32_t ULONG;
typedef uint32_t DWORD;
typedef int64_t LONGLONG;
typedef uint64_t ULONGLONG;
typedef int BOOL;

/* One unit of UTF-16. wchar_t has 32 bits here, unless the compiler is told otherwise (-fshort-wchar). */
#if WCHAR_MAX <= 0xFFFF
typedef wchar_t WCHAR;
#elif defined(__cplusplus)
typedef char16_t WCHAR; /* so that u"text" is of WCHARs; in C it is of uint16_t */
#else
typedef uint16_t WCHAR;
#endif

typedef uintptr_t ULONG_PTR;
typedef intptr_t LONG_PTR;
typedef uintptr_t DWORD_PTR;
typedef uintptr_t UINT_PTR;
typedef uintptr_t SIZE_T;
typedef uintptr_t WPARAM;
typedef intptr_t LPARAM;

typedef void *PVOID;
typedef void *LPVOID;
typedef const void *LPCVOID;
typedef CHAR *LPSTR;
typedef const CHAR *LPCSTR;
typedef WCHAR *LPWSTR;
typedef const WCHAR *LPCWSTR;
typedef INT *LPINT;
typedef LONG *LPLONG;
typedef DWORD *LPDWORD;
typedef DWORD *PDWORD;
typedef DWORD_PTR *PDWORD_PTR;

typedef void *HANDLE;
typedef HANDLE *LPHANDLE;
typedef void *HWND;
typedef HANDLE WSAEVENT;
typedef uintptr_t SOCKET; /* pointer sized and unsigned: never squeeze it into an int */
typedef unsigned GROUP;

typedef struct GUID {
    uint32_t Data1;
    uint16_t Data2;
    uint16_t Data3;
    uint8_t Data4[8];
} GUID, *LPGUID;
typedef const GUID *LPCGUID;

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

/* A literal of WCHARs: WSD_WTEXT("text"). */
#if WCHAR_MAX <= 0xFFFF
#define WSD_WTEXT(literal) L##literal
#else
#define WSD_WTEXT(literal) u##literal
#endif

#define INVALID_SOCKET       (~(SOCKET)0)
#define SOCKET_ERROR         (-1)
#define INVALID_HANDLE_VALUE ((HANDLE)(intptr_t)-1)
#define WSA_INVALID_EVENT    ((WSAEVENT)NULL)

/* Status of an overlapped operation in WSAOVERLAPPED.Internal while it is under way. */
#define WSS_OPERATION_IN_PROGRESS 0x00000103u

#define INFINITE             0xFFFFFFFFu
#define MAXIMUM_WAIT_OBJECTS 64
#define WAIT_OBJECT_0        0u
#define WAIT_ABANDONED_0     0x80u
#define WAIT_IO_COMPLETION   0xC0u
#define WAIT_TIMEOUT         258u
#define WAIT_FAILED          0xFFFFFFFFu

#define WSA_INFINITE            INFINITE
#define WSA_MAXIMUM_WAIT_EVENTS MAXIMUM_WAIT_OBJECTS
#define WSA_WAIT_EVENT_0        WAIT_OBJECT_0
#define WSA_WAIT_IO_COMPLETION  WAIT_IO_COMPLETION
#define WSA_WAIT_TIMEOUT        WAIT_TIMEOUT
#define WSA_WAIT_FAILED         WAIT_FAILED

#endif
