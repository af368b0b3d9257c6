/* stranger.c - a TCP server that is no wsdbench and no iWARP peer: says TEXT to whoever connects, and nothing else. Prints its
 * port, serves one client after the other, ends when it has nobody left to ask for (SIGTERM, or its parent is gone).
 * usage: stranger TEXT ("\n" is a line end) */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t unescape(const char *text, char *out, size_t room)
{
    size_t n = 0;

    for (; *text != '\0' && n < room; n++) {
        const int is_end = strncmp(text, "\\n", 2) == 0;
        out[n] = is_end ? '\n' : *text;
        text += is_end ? 2 : 1;
    }
    return n;
}

int main(int argc, char *argv[])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof at;
    char text[256], waste[512];
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (argc != 2 || fd < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 ||
        bind(fd, (struct sockaddr *)&at, bytes) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &bytes) != 0) {
        perror("stranger");
        return 1;
    }
    const size_t length = unescape(argv[1], text, sizeof text);
    printf("%u\n", ntohs(at.sin_port));
    (void)fflush(stdout);
    for (;;) {
        const int client = accept(fd, NULL, NULL);
        if (client < 0 || write(client, text, length) != (ssize_t)length)
            return 1;
        while (read(client, waste, sizeof waste) > 0) { /* until it has had enough */
        }
        (void)close(client);
    }
}
