/* sp_raw.c - see sp_raw.h. It loads the SAN provider through a switch of this program's own, up to the SAN edge. */
#include "sp_raw.h"

#include "session/wire.h"
#include "sp.h"

enum { RECEIVES = 16, RECEIVE_BYTES = 4096, SEND_BYTES = 4096 };

static struct sw_provider *provider;
static struct sw_companion *companion;
static char *memory; /* RECEIVES receives, then what is sent */
static HANDLE registration;
static WSAOVERLAPPED receiving[RECEIVES];

static int open_connection(const char *to)
{
    WSD_SOCKADDR_IN at;
    char why[300];
    int error = sw_parse_address(to, &at);

    if (error == 0 && provider == NULL)
        error = sw_load(sp_env.provider, NULL, &provider, why, sizeof(why));
    if (error == 0)
        error = sw_connect(provider, NULL, &at, sp_env.wait_ms, NULL, &companion, NULL);
    if (error != 0)
        return error;
    memory = calloc(1, RECEIVES * RECEIVE_BYTES + SEND_BYTES);
    error = sw_register(companion, memory, RECEIVES * RECEIVE_BYTES + SEND_BYTES, MEM_READWRITE,
                        &registration);
    memset(receiving, 0, sizeof(receiving));
    for (unsigned i = 0; i < RECEIVES && error == 0; i++) {
        WSABUF buffer = {RECEIVE_BYTES, memory + i * RECEIVE_BYTES};

        error = sw_recv(companion, &buffer, 1, &receiving[i], SW_POLL);
    }
    return error;
}

static int send_memory(DWORD bytes)
{
    WSABUF buffer = {bytes, memory + RECEIVES * RECEIVE_BYTES};
    WSAOVERLAPPED ov = {.hEvent = NULL};
    int result = 0;
    int error = sw_send(companion, &buffer, 1, &ov, SW_POLL);

    if (error != 0)
        return error;
    error = sw_wait(companion, &ov, sp_env.wait_ms, NULL, &result);
    return error != 0 ? error : result;
}

static int say_hello(void)
{
    const struct sw_wire_hello hello = {SW_WIRE_NEGOTIATE, SW_WIRE_VERSION, SW_WIRE_VERSION,
                                        SW_WIRE_HAS_READ,  RECEIVES,        4,
                                        RECEIVE_BYTES,     65536,           65536};
    DWORD bytes = 0;
    int result = 0;
    int error;

    sw_wire_hello_encode(&hello, (uint8_t *)memory + RECEIVES * RECEIVE_BYTES);
    error = send_memory(SW_WIRE_HELLO_BYTES);
    if (error == 0)
        error = sw_wait(companion, &receiving[0], sp_env.wait_ms, &bytes, &result); /* the reply */
    return error != 0 ? error : result;
}

static int say_message(unsigned type, unsigned sequence, unsigned payload)
{
    struct sw_wire_message m = {
        .type = (uint8_t)type, .sequence = sequence, .limit = 65536, .payload_bytes = (uint16_t)payload};
    uint8_t descriptor[24];
    size_t header;

    memset(descriptor, 0xab, sizeof(descriptor));
    if (type == SW_WIRE_LARGE_PULL) { /* names memory that is not there */
        m.amount = 50000;
        m.descriptor = descriptor;
        m.descriptor_bytes = sizeof(descriptor);
    }
    header = sw_wire_encode(&m, (uint8_t *)memory + RECEIVES * RECEIVE_BYTES);
    return send_memory((DWORD)(header + payload));
}

static int say_bytes(const char *hex)
{
    DWORD bytes = 0;
    unsigned value;

    while (bytes < SEND_BYTES && sscanf(hex + 2 * bytes, "%2x", &value) == 1)
        memory[RECEIVES * RECEIVE_BYTES + bytes++] = (char)value;
    return send_memory(bytes);
}

/* Some receive fails: the peer has ended the connection. */
static int wait_for_the_end(void)
{
    uint64_t end = sp_deadline();

    while (pal_now_ns() < end) {
        for (unsigned i = 0; i < RECEIVES; i++) {
            DWORD bytes = 0;
            int error = 0;

            if (sw_poll(companion, &receiving[i], &bytes, &error) && error != 0)
                return 0;
        }
        suite_relax();
    }
    return WSAETIMEDOUT;
}

int sp_raw_obey(const char *line)
{
    char text[1100];
    unsigned a, b, c;
    int error;

    if (sscanf(line, "open %30s", text) == 1)
        return open_connection(text);
    if (strcmp(line, "hello") == 0)
        return say_hello();
    if (sscanf(line, "bytes %1024s", text) == 1)
        return say_bytes(text);
    if (sscanf(line, "message %u %u %u", &a, &b, &c) == 3)
        return say_message(a, b, c);
    if (strcmp(line, "over") == 0)
        return wait_for_the_end();
    if (strcmp(line, "close") == 0) {
        error = sw_close(companion);
        free(memory);
        return error;
    }
    if (strcmp(line, "unload") == 0)
        return sw_unload(provider, NULL, 0) == 0 ? 0 : -2;
    return -3;
}
