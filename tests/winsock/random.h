/* random.h - calls with any arguments: what the parts of the driver share.
 * Layer:   tests/winsock. random_args.c has the program, the arguments and the calls that know a socket; random_objects.c and random_helpers.c the others.
 * Threads: one makes all the calls. */
#ifndef WT_RANDOM_H
#define WT_RANDOM_H

/* clang-format off: winsock2.h goes before windows.h */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
/* clang-format on */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOCKETS = 12, EVENTS = 4, OPERATIONS = 64, ROOM = 4096 };

extern HANDLE events[EVENTS], port;
extern struct operation {
    WSAOVERLAPPED ov;
    char data[ROOM]; /* for what the operation alone uses */
} operations[OPERATIONS];
extern char room[ROOM]; /* for calls that are over when they return */

uint32_t draw(uint32_t below);
bool one_in(uint32_t n);
SOCKET some_socket(void);
void put_socket(SOCKET s); /* a new one, in the place of another */
HANDLE some_event(void);   /* or something else */
HANDLE some_port(void);
DWORD some_flags(void);
/* Memory, or none. *bytes fits it, in one way or another. */
void *some_memory(void *memory, int *bytes);
/* An own address and a length for it, mostly right. */
const struct sockaddr *some_address(int *bytes);

void call_events(void);
void call_ports(void);
void call_threads(void);
void call_text(void);
void call_wide_text(void);
void call_names_of_hosts(void);
void call_catalog(void);
void call_startup(void);
void call_trifles(void);
void call_catalog_in_bytes(void);
void call_order_and_groups(void);
void call_names_of_services(void);
void call_wide_names(void);
void call_memory(void);
void call_threads_of_the_runtime(void);
void call_system(void);

#endif
