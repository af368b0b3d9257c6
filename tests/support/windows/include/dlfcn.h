/* dlfcn.h - see posix_on_windows.h. */
#include "posix_on_windows.h"
