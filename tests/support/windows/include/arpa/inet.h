/* arpa/inet.h - byte order and address texts, which Winsock has under the same names. */
#include "posix_on_windows.h"

#include <winsock2.h>
#include <ws2tcpip.h>
