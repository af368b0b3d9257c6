/* sw_os.h - the few questions to the operating system that the platform layer has no answer to.
 * Layer:   switch_shim, private; implemented by sw_posix.c and sw_windows.c.
 * Threads: any. */
#ifndef SW_OS_H
#define SW_OS_H

#include <stdbool.h>
#include <stddef.h>

#include "wsd/ws2_types.h"

/* The directory of the file that holds this code: libwsdswitch.so (wsdswitch.dll), or the program it is linked into. */
bool sw_os_own_directory(char *out, size_t out_bytes);
/* Is this code in a library that the system puts into programs which know nothing of it (the catalog of Winsock)? Programs of all users: it
 * takes no file from where one of them could have put it. */
bool sw_os_is_guest(void);
/* The file in the directory of this library or program, or in its place of the build tree that this library is part of, and nowhere else.
 * malloc'ed; NULL: not there. In sw_load.c. */
char *sw_find_beside(const char *file);
const char *sw_os_provider_file(void); /* "libwsdprov.so", "wsdprov.dll" */
const char *sw_os_switch_file(void);   /* "libwsdswitch.so", "wsdswitch.dll" */
/* Absolute path without links, malloc'ed; NULL when there is no such file. */
char *sw_os_canonical_path(const char *path);
const char *sw_os_environment(const char *name); /* NULL when unset or empty */
char sw_os_list_separator(void);                 /* between paths in one variable */
void sw_os_print_error(const char *text);        /* one line to standard error */

/* Which interface owns `address` (network order): its mask (network order) and name. False when none does. */
bool sw_os_interface_of(ULONG address, ULONG *mask, char *name, size_t name_bytes);

/* Let the kernel's TCP own a free port of `address`, as the application's TCP/IP socket would. *port in
 * network order. Returns a token for sw_os_port_release(), -1 when the kernel has none. */
int sw_os_port_hold(const WSD_SOCKADDR_IN *address, USHORT *port);
void sw_os_port_release(int token); /* -1 is ignored */

#endif
