/* chat_client.c - says what comes from standard input, or from a file, and prints what others say. Ends when that has ended and it has
 * heard as many lines as it was told to wait for.
 * usage: chat_client HOST PORT [LINES [FILE]] */
#include "common.h"

static FILE *input;

static DWORD WINAPI talk(LPVOID parameter)
{
    SOCKET s = (SOCKET)(ULONG_PTR)parameter;
    char line[1024];

    while (fgets(line, sizeof(line), input) != NULL)
        if (send(s, line, (int)strlen(line), 0) == SOCKET_ERROR)
            break;
    return 0;
}

static int lines_in(const char *text, int bytes)
{
    int lines = 0;

    for (int i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    return lines;
}

int main(int argc, char **argv)
{
    int lines = argc > 3 ? atoi(argv[3]) : 0;
    BOOL is_talking = TRUE;
    HANDLE waits[2];
    SOCKET s;

    if (argc < 3) {
        fprintf(stderr, "usage: chat_client HOST PORT [LINES [FILE]]\n");
        return 2;
    }
    input = argc > 4 ? fopen(argv[4], "r") : stdin;
    if (input == NULL) {
        perror(argv[4]);
        return 1;
    }
    start_winsock();
    s = connect_to(argv[1], argv[2]);
    waits[0] = WSACreateEvent();
    waits[1] = CreateThread(NULL, 0, talk, (LPVOID)(ULONG_PTR)s, 0, NULL);
    if (waits[1] == NULL || WSAEventSelect(s, waits[0], FD_READ | FD_CLOSE) == SOCKET_ERROR)
        die("start");
    while (is_talking || lines > 0) {
        DWORD which = WaitForMultipleObjects(is_talking ? 2 : 1, waits, FALSE, INFINITE);
        WSANETWORKEVENTS what;
        char text[4096];
        int n;

        if (which == WAIT_OBJECT_0 + 1) {
            is_talking = FALSE;
            continue;
        }
        if (WSAEnumNetworkEvents(s, waits[0], &what) == SOCKET_ERROR)
            die("WSAEnumNetworkEvents");
        while ((n = recv(s, text, sizeof(text), 0)) > 0) {
            lines -= lines_in(text, n);
            fwrite(text, 1, (size_t)n, stdout);
        }
        if ((what.lNetworkEvents & FD_CLOSE) != 0)
            break;
    }
    closesocket(s); /* nothing is lost: closing is graceful unless it is asked otherwise */
    CloseHandle(waits[0]);
    CloseHandle(waits[1]);
    WSACleanup();
    return 0;
}
