/* plus.cpp - a Winsock program in C++: the headers before and after those of C++, whose names stay what they are; an echo over loopback.
 * Exit status: 0, or the line where it failed. */
#include <functional>

#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#define WANT(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            std::cerr << "line " << __LINE__ << ": " << WSAGetLastError() << "\n";                          \
            std::exit(1);                                                                                    \
        }                                                                                                    \
    } while (0)

class Winsock {
public:
    Winsock()
    {
        WSADATA data;
        WANT(WSAStartup(MAKEWORD(2, 2), &data) == 0);
    }
    ~Winsock() { WSACleanup(); }
};

static int add(int a, int b)
{
    return a + b;
}

static void echo(SOCKET s)
{
    char text[64];
    int got;

    while ((got = recv(s, text, sizeof(text), 0)) > 0)
        WANT(send(s, text, got, 0) == got);
    WANT(closesocket(s) == 0);
}

int main()
{
    const Winsock winsock;
    const SOCKET listener = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    const SOCKET client = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    sockaddr_in name = {};
    int bytes = sizeof(name);
    char text[16] = {};
    in6_addr loopback = {};

    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    WANT(bind(listener, reinterpret_cast<sockaddr *>(&name), sizeof(name)) == 0); /* not std::bind */
    WANT(std::bind(add, std::placeholders::_1, 2)(3) == 5);                       /* not ours */
    WANT(listen(listener, 1) == 0);
    WANT(getsockname(listener, reinterpret_cast<sockaddr *>(&name), &bytes) == 0);
    WANT(connect(client, reinterpret_cast<const sockaddr *>(&name), sizeof(name)) == 0);
    std::thread server(echo, accept(listener, nullptr, nullptr));
    WANT(send(client, "hello", 5, 0) == 5);
    for (int have = 0; have < 5;) {
        const int got = recv(client, text + have, 5 - have, 0);
        WANT(got > 0);
        have += got;
    }
    WANT(std::string(text) == "hello");
    WANT(InetPton(AF_INET6, TEXT("::1"), &loopback) == 1 && IN6_IS_ADDR_LOOPBACK(&loopback));
    WANT(shutdown(client, SD_SEND) == 0);
    server.join();
    WANT(closesocket(client) == 0 && closesocket(listener) == 0);
    return 0;
}
