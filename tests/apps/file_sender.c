/* file_sender.c - gives a file to whoever connects, with a line in front and one behind: TransmitFile.
 * usage: file_sender HOST PORT FILE [CLIENTS]   ends after so many clients; without, never */
#include "common.h"

static void give(SOCKET s, const char *name)
{
    static char head[] = "-- the file follows --\n", tail[] = "-- that was the file --\n";
    TRANSMIT_FILE_BUFFERS around;
    HANDLE file = CreateFileA(name, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL,
                              NULL);

    if (file == INVALID_HANDLE_VALUE)
        die(name);
    memset(&around, 0, sizeof(around));
    around.Head = head;
    around.HeadLength = sizeof(head) - 1;
    around.Tail = tail;
    around.TailLength = sizeof(tail) - 1;
    if (!TransmitFile(s, file, 0, 0, NULL, &around, TF_DISCONNECT))
        printf("client gone: error %d\n", WSAGetLastError());
    CloseHandle(file);
    closesocket(s);
}

int main(int argc, char **argv)
{
    long clients = argc > 4 ? atol(argv[4]) : -1;
    SOCKET listener;

    if (argc < 4) {
        fprintf(stderr, "usage: file_sender HOST PORT FILE [CLIENTS]\n");
        return 2;
    }
    start_winsock();
    listener = listen_on(argv[1], argv[2]);
    for (; clients != 0; clients -= clients > 0 ? 1 : 0) {
        SOCKET s = accept(listener, NULL, NULL);

        if (s == INVALID_SOCKET)
            die("accept");
        give(s, argv[3]);
    }
    closesocket(listener);
    WSACleanup();
    puts("served all");
    return 0;
}
