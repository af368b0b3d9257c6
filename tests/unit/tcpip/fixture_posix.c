/* fixture_posix.c - see fixture.h. */
#include "fixture.h"

enum test_system test_system(void)
{
    return TEST_LINUX;
}
