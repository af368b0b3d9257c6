/* fixture_windows.c - see fixture.h. */
#include "fixture.h"

#include <windows.h>

enum test_system test_system(void)
{
    return GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL ? TEST_WINE
                                                                                     : TEST_WINDOWS;
}
