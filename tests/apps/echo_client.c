/* echo_client.c - sends messages of growing length to an echo server and compares what comes back.
 * usage: echo_client HOST PORT [MESSAGES] */
#include "common.h"

/* Both sides send before they receive, so a message must fit into what lies between them: as little as 64 KiB. */
#define LONGEST 30000

static char sent[LONGEST], got[LONGEST];

static void receive_all(SOCKET s, int bytes)
{
    for (int have = 0, n; have < bytes; have += n) {
        n = recv(s, got + have, bytes - have, 0);
        if (n == SOCKET_ERROR)
            die("recv");
        if (n == 0) {
            fprintf(stderr, "the server has closed\n");
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    int messages = argc > 3 ? atoi(argv[3]) : 100;
    unsigned long long total = 0;
    SOCKET s;

    if (argc < 3) {
        fprintf(stderr, "usage: echo_client HOST PORT [MESSAGES]\n");
        return 2;
    }
    start_winsock();
    s = connect_to(argv[1], argv[2]);
    for (int i = 0; i < messages; i++) {
        int bytes = 1 + i * 997 % LONGEST;

        for (int k = 0; k < bytes; k++)
            sent[k] = (char)(i + k);
        if (send(s, sent, bytes, 0) != bytes)
            die("send");
        receive_all(s, bytes);
        if (memcmp(sent, got, (size_t)bytes) != 0) {
            fprintf(stderr, "message %d came back changed\n", i);
            return 1;
        }
        total += (unsigned)bytes;
    }
    if (shutdown(s, SD_SEND) == SOCKET_ERROR || recv(s, got, 1, 0) != 0)
        die("close");
    closesocket(s);
    WSACleanup();
    printf("%d messages, %llu bytes\n", messages, total);
    return 0;
}
