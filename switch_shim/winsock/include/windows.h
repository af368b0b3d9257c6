/* windows.h - as much of it as Winsock programs need: basic types and macros, errors, events, waits, threads, completion ports.
 * Layer:   switch_shim/winsock: what an application sees on Linux. On Windows the system's own header is used, never this one.
 * Threads: any thread may call anything.
 * Errors:  FALSE or NULL, and GetLastError(), which is WSAGetLastError(), as on Windows.
 * Wide:    WCHAR has 16 bits here and wchar_t 32, so L"text" is no LPCWSTR, u"text" and TEXT("text") are.
 * Source:  the Win32 pages of the functions; what differs is said here and in README.md. */
#ifndef WS2_WINDOWS_H
#define WS2_WINDOWS_H

#ifdef _WIN32
#error "on Windows the system's own <windows.h> is meant"
#endif

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h> /* wprintf() is in their stdio.h */

#include "wsd/ws2_types.h"

#ifndef SW_API
#define SW_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* --- calling conventions and words of Microsoft's compilers: all functions are called in one way here --- */
#define __cdecl
#define __stdcall
#define APIENTRY
#define PASCAL
#define FAR
#define CONST const
#define __int64 long long

/* --- types and macros --- */
#define VOID void
typedef BYTE BOOLEAN;
typedef CHAR *PCHAR;
typedef CHAR *PSTR;
typedef const CHAR *PCSTR;
typedef WCHAR *PWSTR;
typedef WCHAR *PWCHAR;
typedef const WCHAR *PCWSTR;
typedef BYTE *PBYTE;
typedef BYTE *LPBYTE;
typedef UCHAR *PUCHAR;
typedef SHORT *PSHORT;
typedef USHORT *PUSHORT;
typedef WORD *PWORD;
typedef WORD *LPWORD;
typedef INT *PINT;
typedef UINT *PUINT;
typedef LONG *PLONG;
typedef ULONG *PULONG;
typedef ULONG_PTR *PULONG_PTR;
typedef BOOL *PBOOL;
typedef BOOL *LPBOOL;
typedef HANDLE *PHANDLE;
typedef uint64_t DWORD64;
typedef int64_t LONG64;
typedef uint64_t ULONG64;
typedef int32_t INT32;
typedef uint32_t UINT32;
typedef uint32_t DWORD32;
typedef int64_t INT64;
typedef uint64_t UINT64;
typedef float FLOAT;
typedef int32_t HRESULT;
typedef intptr_t LRESULT;
typedef union LARGE_INTEGER {
    struct {
        DWORD LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;
#ifdef UNICODE
typedef WCHAR TCHAR;
#define TEXT(literal) WSD_WTEXT(literal)
#else
typedef CHAR TCHAR;
#define TEXT(literal) literal
#endif
typedef TCHAR *LPTSTR;
typedef const TCHAR *LPCTSTR;

#define MAX_PATH                     260
#define UNREFERENCED_PARAMETER(name) ((void)(name))
#define ZeroMemory(to, bytes)        memset((to), 0, (bytes))
#define FillMemory(to, bytes, value) memset((to), (value), (bytes))
#define CopyMemory(to, from, bytes)  memcpy((to), (from), (bytes))
#define MoveMemory(to, from, bytes)  memmove((to), (from), (bytes))
static inline PVOID SecureZeroMemory(PVOID to, SIZE_T bytes) /* also when nobody reads it afterwards */
{
    volatile char *at = (volatile char *)to;

    while (bytes-- > 0)
        *at++ = 0;
    return to;
}
#if !defined(NOMINMAX) && !defined(__cplusplus)
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min(a, b) ((a) < (b) ? (a) : (b))
#endif
typedef void *HMODULE;
typedef void *LPSECURITY_ATTRIBUTES; /* ignored: pass NULL */

#define MAKEWORD(low, high) ((WORD)(((BYTE)(low)) | ((WORD)((BYTE)(high))) << 8))
#define MAKELONG(low, high) ((LONG)(((WORD)(low)) | ((DWORD)((WORD)(high))) << 16))
#define LOWORD(l)           ((WORD)((DWORD_PTR)(l)&0xFFFFu))
#define HIWORD(l)           ((WORD)((DWORD_PTR)(l) >> 16 & 0xFFFFu))
#define LOBYTE(w)           ((BYTE)((DWORD_PTR)(w)&0xFFu))
#define HIBYTE(w)           ((BYTE)((DWORD_PTR)(w) >> 8 & 0xFFu))

#define NO_ERROR                   0
#define ERROR_HANDLE_EOF           38
#define ERROR_MR_MID_NOT_FOUND     317
#define ERROR_FILE_EXISTS          80
#define ERROR_BROKEN_PIPE          109
#define ERROR_BUFFER_OVERFLOW      111
#define ERROR_NOT_ENOUGH_QUOTA     1816
#define ERROR_NOT_FOUND            1168
#define ERROR_GEN_FAILURE          31
#define ERROR_NO_SYSTEM_RESOURCES  1450
#define ERROR_ABANDONED_WAIT_0     735
#define ERROR_NOACCESS             998
#define ERROR_PIPE_NOT_CONNECTED   233
#define ERROR_CALL_NOT_IMPLEMENTED 120
#define ERROR_DUP_NAME             52
#define ERROR_ALREADY_EXISTS       183
#define ERROR_FILE_NOT_FOUND       2
#define ERROR_PATH_NOT_FOUND       3
#define ERROR_CONNECTION_UNAVAIL   1201

/* OVERLAPPED.Internal, as far as programs look at it */
#define STATUS_SUCCESS   ((LONG)0)
#define STATUS_PENDING   ((LONG)0x103)
#define STATUS_CANCELLED ((LONG)0xC0000120u)
/* A function looks, in the order that makes the result valid: Windows' macro relies on a volatile of its compiler. */
#define HasOverlappedIoCompleted(ov) ws2_is_completed(ov)
SW_API BOOL WINAPI ws2_is_completed(const OVERLAPPED *ov);

/* --- errors, time, process --- */
SW_API DWORD WINAPI GetLastError(void);
SW_API void WINAPI SetLastError(DWORD code);
/* A text for a code of Winsock and the few of Win32 that come with it: FORMAT_MESSAGE_FROM_SYSTEM has to be among the flags, the others are no more
 * than these; English, whatever `language` is. What is allocated goes with LocalFree(). 0: ERROR_INVALID_PARAMETER, ERROR_INSUFFICIENT_BUFFER,
 * ERROR_MR_MID_NOT_FOUND (no such code). */
#define FORMAT_MESSAGE_ALLOCATE_BUFFER 0x0100
#define FORMAT_MESSAGE_IGNORE_INSERTS  0x0200
#define FORMAT_MESSAGE_FROM_SYSTEM     0x1000
#define FORMAT_MESSAGE_MAX_WIDTH_MASK  0x00FF
#define MAKELANGID(language, country)  ((WORD)((WORD)(country) << 10 | (WORD)(language)))
#define LANG_NEUTRAL                   0
#define LANG_ENGLISH                   9
#define SUBLANG_NEUTRAL                0
#define SUBLANG_DEFAULT                1
#define SUBLANG_ENGLISH_US             1
SW_API DWORD WINAPI FormatMessageA(DWORD flags, LPCVOID source, DWORD code, DWORD language, LPSTR buffer,
                                   DWORD bytes, va_list *arguments);
#ifndef UNICODE
#define FormatMessage FormatMessageA
#endif
SW_API void WINAPI Sleep(DWORD ms);
/* WAIT_IO_COMPLETION: calls queued to this thread (completion routines, QueueUserAPC) have run; 0: the time is over. */
SW_API DWORD WINAPI SleepEx(DWORD ms, BOOL alertable);
SW_API DWORD WINAPI GetTickCount(void);
SW_API ULONGLONG WINAPI GetTickCount64(void);
SW_API DWORD WINAPI GetCurrentProcessId(void);
SW_API DWORD WINAPI GetCurrentThreadId(void);
SW_API HANDLE WINAPI GetCurrentProcess(void);                   /* a name for it; nothing here takes one */
SW_API BOOL WINAPI QueryPerformanceCounter(LARGE_INTEGER *now); /* nanoseconds */
SW_API BOOL WINAPI QueryPerformanceFrequency(LARGE_INTEGER *frequency);
/* Of it: processors, and the two sizes of memory. */
typedef struct SYSTEM_INFO {
    union {
        DWORD dwOemId;
        WORD wProcessorArchitecture; /* what Windows calls unknown */
    };
    DWORD dwPageSize;
    LPVOID lpMinimumApplicationAddress; /* NULL, as the next */
    LPVOID lpMaximumApplicationAddress;
    DWORD_PTR dwActiveProcessorMask; /* the first so many as are online */
    DWORD dwNumberOfProcessors;
    DWORD dwProcessorType;
    DWORD dwAllocationGranularity;
    WORD wProcessorLevel;
    WORD wProcessorRevision;
} SYSTEM_INFO, *LPSYSTEM_INFO;
SW_API void WINAPI GetSystemInfo(LPSYSTEM_INFO out);
SW_API void WINAPI ExitProcess(UINT code);

/* --- memory: one heap, the C library's --- */
#define HEAP_NO_SERIALIZE 1 /* of no meaning */
#define HEAP_ZERO_MEMORY  8
SW_API HANDLE WINAPI GetProcessHeap(void);
SW_API LPVOID WINAPI HeapAlloc(HANDLE heap, DWORD flags, SIZE_T bytes);
SW_API LPVOID WINAPI HeapReAlloc(HANDLE heap, DWORD flags, LPVOID memory, SIZE_T bytes);
SW_API BOOL WINAPI HeapFree(HANDLE heap, DWORD flags, LPVOID memory);
SW_API SIZE_T WINAPI HeapSize(HANDLE heap, DWORD flags, LPCVOID memory);
/* Memory of the older kinds. What moves (GMEM_MOVEABLE) is refused: ERROR_INVALID_PARAMETER. */
typedef HANDLE HGLOBAL;
typedef HANDLE HLOCAL;
#define GMEM_FIXED    0
#define GMEM_MOVEABLE 2
#define GMEM_ZEROINIT 0x40
#define GPTR          (GMEM_FIXED | GMEM_ZEROINIT)
#define LMEM_FIXED    0
#define LMEM_MOVEABLE 2
#define LMEM_ZEROINIT 0x40
#define LPTR          (LMEM_FIXED | LMEM_ZEROINIT)
SW_API HGLOBAL WINAPI GlobalAlloc(UINT flags, SIZE_T bytes);
SW_API HGLOBAL WINAPI GlobalFree(HGLOBAL memory); /* NULL */
SW_API HLOCAL WINAPI LocalAlloc(UINT flags, SIZE_T bytes);
SW_API HLOCAL WINAPI LocalFree(HLOCAL memory); /* NULL */

/* --- handles: of events, threads, completion ports, files. A socket is closed with closesocket() --- */
SW_API BOOL WINAPI CloseHandle(HANDLE object);

/* --- events. `name` has to be NULL (ERROR_CALL_NOT_IMPLEMENTED): no event is shared between processes --- */
SW_API HANDLE WINAPI CreateEventA(LPSECURITY_ATTRIBUTES security, BOOL manual_reset, BOOL initial_state,
                                  LPCSTR name);
SW_API HANDLE WINAPI CreateEventW(LPSECURITY_ATTRIBUTES security, BOOL manual_reset, BOOL initial_state,
                                  LPCWSTR name);
#ifdef UNICODE
#define CreateEvent CreateEventW
#else
#define CreateEvent CreateEventA
#endif
SW_API BOOL WINAPI SetEvent(HANDLE event);
SW_API BOOL WINAPI ResetEvent(HANDLE event);

/* --- waiting for events and threads --- */
SW_API DWORD WINAPI WaitForSingleObject(HANDLE object, DWORD ms);
SW_API DWORD WINAPI WaitForSingleObjectEx(HANDLE object, DWORD ms, BOOL alertable);
SW_API DWORD WINAPI WaitForMultipleObjects(DWORD count, const HANDLE *objects, BOOL all, DWORD ms);
SW_API DWORD WINAPI WaitForMultipleObjectsEx(DWORD count, const HANDLE *objects, BOOL all, DWORD ms,
                                             BOOL alertable);

/* --- threads --- */
typedef DWORD(WINAPI *LPTHREAD_START_ROUTINE)(LPVOID parameter);
/* The handle is signalled when the thread has ended. `flags` has to be 0; exit codes are not kept. */
SW_API HANDLE WINAPI CreateThread(LPSECURITY_ATTRIBUTES security, SIZE_T stack_bytes,
                                  LPTHREAD_START_ROUTINE start, LPVOID parameter, DWORD flags, LPDWORD id);
typedef void(CALLBACK *PAPCFUNC)(ULONG_PTR data);
/* The thread runs it in its next alertable wait, also inside a Winsock call that blocks. `thread`: GetCurrentThread(), or what CreateThread() gave.
 * 0: ERROR_INVALID_HANDLE: no thread; ERROR_GEN_FAILURE: it has ended; ERROR_NOT_ENOUGH_MEMORY. */
SW_API DWORD WINAPI QueueUserAPC(PAPCFUNC fn, HANDLE thread, ULONG_PTR data);
SW_API HANDLE WINAPI GetCurrentThread(void);

/* Full barriers, the number afterwards; Exchange: before. */
SW_API LONG WINAPI InterlockedIncrement(LONG volatile *at);
SW_API LONG WINAPI InterlockedDecrement(LONG volatile *at);
SW_API LONG WINAPI InterlockedExchange(LONG volatile *at, LONG value);
SW_API LONG WINAPI InterlockedExchangeAdd(LONG volatile *at, LONG value);
SW_API LONG WINAPI InterlockedCompareExchange(LONG volatile *at, LONG value, LONG expected);
SW_API LONG64 WINAPI InterlockedIncrement64(LONG64 volatile *at);
SW_API LONG64 WINAPI InterlockedDecrement64(LONG64 volatile *at);
SW_API LONG64 WINAPI InterlockedExchangeAdd64(LONG64 volatile *at, LONG64 value);

/* --- critical sections: owned by a thread, as often as it enters --- */
typedef struct CRITICAL_SECTION {
    PVOID DebugInfo;
    LONG LockCount;
    LONG RecursionCount;
    HANDLE OwningThread;
    HANDLE LockSemaphore;
    ULONG_PTR SpinCount; /* ignored */
} CRITICAL_SECTION, *PCRITICAL_SECTION, *LPCRITICAL_SECTION;
SW_API void WINAPI InitializeCriticalSection(LPCRITICAL_SECTION section);
SW_API BOOL WINAPI InitializeCriticalSectionAndSpinCount(LPCRITICAL_SECTION section, DWORD spins);
SW_API void WINAPI EnterCriticalSection(LPCRITICAL_SECTION section);
SW_API BOOL WINAPI TryEnterCriticalSection(LPCRITICAL_SECTION section);
SW_API void WINAPI LeaveCriticalSection(LPCRITICAL_SECTION section);
SW_API void WINAPI DeleteCriticalSection(LPCRITICAL_SECTION section);

/* --- overlapped operations and completion ports --- */
typedef struct OVERLAPPED_ENTRY {
    ULONG_PTR lpCompletionKey;
    LPOVERLAPPED lpOverlapped;
    ULONG_PTR Internal;
    DWORD dwNumberOfBytesTransferred;
} OVERLAPPED_ENTRY, *LPOVERLAPPED_ENTRY;

#define FILE_SKIP_COMPLETION_PORT_ON_SUCCESS 1
#define FILE_SKIP_SET_EVENT_ON_HANDLE        2 /* accepted; no event belongs to a socket handle here anyway */

/* `file` is a socket, or INVALID_HANDLE_VALUE for a new port alone. */
SW_API HANDLE WINAPI CreateIoCompletionPort(HANDLE file, HANDLE port, ULONG_PTR key, DWORD threads);
SW_API BOOL WINAPI GetQueuedCompletionStatus(HANDLE port, LPDWORD bytes, PULONG_PTR key, LPOVERLAPPED *ov,
                                             DWORD ms);
/* alertable: when there is no packet, calls queued to this thread run and end it (FALSE, WAIT_IO_COMPLETION). */
SW_API BOOL WINAPI GetQueuedCompletionStatusEx(HANDLE port, LPOVERLAPPED_ENTRY entries, ULONG count,
                                               PULONG removed, DWORD ms, BOOL alertable);
SW_API BOOL WINAPI PostQueuedCompletionStatus(HANDLE port, DWORD bytes, ULONG_PTR key, LPOVERLAPPED ov);
/* Files, as far as TransmitFile() needs them: `sharing`, `security` and `attributes` are ignored, `like` has to be NULL. */
#define GENERIC_READ          0x80000000u
#define GENERIC_WRITE         0x40000000u
#define FILE_SHARE_READ       1
#define FILE_SHARE_WRITE      2
#define CREATE_NEW            1
#define CREATE_ALWAYS         2
#define OPEN_EXISTING         3
#define OPEN_ALWAYS           4
#define FILE_ATTRIBUTE_NORMAL 0x80
SW_API HANDLE WINAPI CreateFileA(LPCSTR name, DWORD access, DWORD sharing, LPSECURITY_ATTRIBUTES security,
                                 DWORD disposition, DWORD attributes, HANDLE like);
#define CreateFile CreateFileA
/* On sockets and files. */
SW_API BOOL WINAPI ReadFile(HANDLE file, LPVOID data, DWORD bytes, LPDWORD got, LPOVERLAPPED ov);
SW_API BOOL WINAPI WriteFile(HANDLE file, LPCVOID data, DWORD bytes, LPDWORD written, LPOVERLAPPED ov);
/* On sockets. What was called off completes all the same, once; what that means over a SAN: sw_cancel_io() of sw/switch.h.
 * ERROR_INVALID_HANDLE: no socket. CancelIoEx: ERROR_NOT_FOUND: no such operation; CancelIo asks for those of this thread, of which there may be none. */
SW_API BOOL WINAPI CancelIo(HANDLE file);
SW_API BOOL WINAPI CancelIoEx(HANDLE file, LPOVERLAPPED ov);
SW_API BOOL WINAPI SetFileCompletionNotificationModes(HANDLE file, UCHAR flags);
/* On a socket; codes are Win32's, those of WSAGetOverlappedResult() Winsock's. */
SW_API BOOL WINAPI GetOverlappedResult(HANDLE file, LPOVERLAPPED ov, LPDWORD bytes, BOOL wait);

#ifdef __cplusplus
}
#endif

/* As there: Winsock comes along, unless the program says that it wants less. Without it, a forgotten include would call the C library's socket(). */
#ifndef WIN32_LEAN_AND_MEAN
#include "winsock2.h"
#endif

#endif
