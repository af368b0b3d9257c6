/* wt_posix.c - wt.h on Linux: our own Winsock says who carries a connection. */
#include "wt.h"

int sw_carried_by(SOCKET handle, char *name, size_t bytes); /* of sw/switch.h, exported by libws2 */

const char *wt_san_address(void)
{
    return getenv("WSD_TEST_ADDR");
}

void wt_check_carried(SOCKET s)
{
    char name[16] = "";

    assert_int_equal(sw_carried_by(s, name, sizeof(name)), 0);
    assert_string_equal(name, wt_env.lane == WT_SAN ? "san" : "tcp");
}

HANDLE wt_file(const char *text)
{
    char name[] = "/tmp/winsock-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd > 0);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return (HANDLE)(intptr_t)fd; /* mswsock.h says so */
}
