/* echo_server.c - sends back what comes: blocking calls, one thread for each client.
 * usage: echo_server HOST PORT [CLIENTS]   ends after so many clients; without, never */
#include "common.h"

static DWORD WINAPI serve(LPVOID parameter)
{
    SOCKET s = (SOCKET)(ULONG_PTR)parameter;
    static const int room = 65536;
    char *data = malloc((size_t)room);
    int n = 0;

    while (data != NULL && (n = recv(s, data, room, 0)) > 0)
        for (int sent = 0, now; sent < n; sent += now)
            if ((now = send(s, data + sent, n - sent, 0)) == SOCKET_ERROR)
                break;
    if (n == SOCKET_ERROR)
        printf("client gone: error %d\n", WSAGetLastError());
    free(data);
    shutdown(s, SD_SEND);
    closesocket(s);
    return 0;
}

int main(int argc, char **argv)
{
    long clients = argc > 3 ? atol(argv[3]) : -1;
    HANDLE threads[64];
    unsigned count = 0;
    SOCKET listener;

    if (argc < 3) {
        fprintf(stderr, "usage: echo_server HOST PORT [CLIENTS]\n");
        return 2;
    }
    start_winsock();
    listener = listen_on(argv[1], argv[2]);
    while (clients != 0) {
        SOCKET s = accept(listener, NULL, NULL);
        HANDLE thread;

        if (s == INVALID_SOCKET)
            die("accept");
        thread = CreateThread(NULL, 0, serve, (LPVOID)(ULONG_PTR)s, 0, NULL);
        if (thread == NULL)
            die("CreateThread");
        if (clients > 0 && count < 64)
            threads[count++] = thread;
        else
            CloseHandle(thread);
        clients -= clients > 0 ? 1 : 0;
    }
    closesocket(listener);
    WaitForMultipleObjects(count, threads, TRUE, INFINITE);
    while (count > 0)
        CloseHandle(threads[--count]);
    WSACleanup();
    puts("served all");
    return 0;
}
