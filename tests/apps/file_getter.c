/* file_getter.c - connects and writes what comes into a file, until the other side has said all.
 * usage: file_getter HOST PORT FILE */
#include "common.h"

int main(int argc, char **argv)
{
    static char data[65536];
    unsigned long total = 0;
    HANDLE file;
    SOCKET s;
    int n;

    if (argc < 4) {
        fprintf(stderr, "usage: file_getter HOST PORT FILE\n");
        return 2;
    }
    start_winsock();
    s = connect_to(argv[1], argv[2]);
    file = CreateFileA(argv[3], GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE)
        die(argv[3]);
    while ((n = recv(s, data, sizeof(data), 0)) > 0) {
        DWORD written = 0;

        if (!WriteFile(file, data, (DWORD)n, &written, NULL) || written != (DWORD)n)
            die("write");
        total += (unsigned)n;
    }
    if (n == SOCKET_ERROR)
        die("recv");
    CloseHandle(file);
    closesocket(s);
    WSACleanup();
    printf("%lu bytes\n", total);
    return 0;
}
