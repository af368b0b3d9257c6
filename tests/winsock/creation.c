/* creation.c - which sockets there are: B013 to B017. */
#include "wt.h"

static void b013_the_protocol_names_the_type(void **state)
{
    SOCKET s = wt_keep(WSASocketW(AF_INET, 0, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED));

    (void)state;
    assert_int_equal(wt_get(s, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
}

static void b014_the_protocol_names_the_family(void **state)
{
    SOCKADDR_IN name;
    int bytes = sizeof(name);
    SOCKET s = wt_keep(WSASocketW(AF_UNSPEC, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED));

    (void)state;
    OK(bind(s, (const struct sockaddr *)&wt_env.here, sizeof(wt_env.here)));
    OK(getsockname(s, (struct sockaddr *)&name, &bytes));
    assert_int_equal(name.sin_family, AF_INET);
    NO_SOCKET(WSASocketW(AF_UNSPEC, 0, 0, NULL, 0, 0), WSAEINVAL);
    NO_SOCKET(WSASocketW(AF_UNSPEC, SOCK_STREAM, 0, NULL, 0, 0), WSAEINVAL);
}

static void b016_an_unknown_type_wins(void **state)
{
    (void)state;
    NO_SOCKET(WSASocketW(AF_INET, 0xDEAD, IPPROTO_TCP, NULL, 0, 0), WSAESOCKTNOSUPPORT);
    NO_SOCKET(WSASocketW(0xDEAD, 0xDEAD, IPPROTO_TCP, NULL, 0, 0), WSAESOCKTNOSUPPORT);
    NO_SOCKET(WSASocketW(AF_INET, 0xDEAD, 0xDEAD, NULL, 0, 0), WSAESOCKTNOSUPPORT);
}

static void b017_a_protocol_that_does_not_fit(void **state)
{
    (void)state;
    NO_SOCKET(WSASocketW(AF_INET, SOCK_STREAM, 0xDEAD, NULL, 0, 0), WSAEPROTONOSUPPORT);
    NO_SOCKET(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_UDP, NULL, 0, 0), WSAEPROTONOSUPPORT);
}

static const struct wt_line lines[] = {
    WT(b013_the_protocol_names_the_type),
    WT(b014_the_protocol_names_the_family),
    WT(b016_an_unknown_type_wins),
    WT(b017_a_protocol_that_does_not_fit),
};
WT_GROUP(creation, lines);
