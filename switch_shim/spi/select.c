/* select.c - WSPSelect (contract 10.1, 22; 10.3). Only sockets of this provider. Up to 64 places no memory is allocated. */
#include "spi/selector.h"

#include <stdlib.h>
#include <string.h>

#define READ_EVENTS   (FD_READ | FD_ACCEPT | FD_CLOSE)
#define WRITE_EVENTS  (FD_WRITE | FD_CONNECT)
#define EXCEPT_EVENTS (FD_OOB | FD_CONNECT)

static uint32_t events_of(unsigned set)
{
    return set == 0 ? READ_EVENTS : set == 1 ? WRITE_EVENTS : EXCEPT_EVENTS;
}

/* Ready for its set now? WSAENOTSOCK: closed meanwhile, and not in the read set, which says so (B184; what it says of the except set alone
 * goes for the write set too: else nothing would ever end that wait). */
static int look(struct sw_place *at)
{
    struct sw_true is = {0, 0, false};

    at->is_ready = false;
    if (!sw_sock_enter(at->sock)) {
        at->is_ready = at->which == 0; /* B184 */
        return at->which == 0 ? 0 : WSAENOTSOCK;
    }
    sw_sock_look(at->sock, &is);
    sw_sock_leave(at->sock);
    if (at->which == 0)
        at->is_ready = (is.events & READ_EVENTS) != 0;
    else if (at->which == 1)
        at->is_ready = (is.events & FD_WRITE) != 0;
    else
        at->is_ready = is.has_failed || (is.events & FD_OOB) != 0;
    return 0;
}

/* --- the sets --- */

static int collect(WSD_FD_SET *const sets[3], struct sw_place *places, unsigned *count)
{
    *count = 0;
    for (unsigned set = 0; set < 3; set++) {
        for (unsigned i = 0; sets[set] != NULL && i < sets[set]->fd_count; i++) {
            struct sw_place *at = &places[*count];
            int error = 0;
            struct sw_sock *s = sw_sock_get(sets[set]->fd_array[i], &error);

            if (s == NULL)
                return error;
            sw_sock_hold(s);
            sw_sock_leave(s);
            memset(at, 0, sizeof(*at));
            at->sock = s;
            at->handle = sets[set]->fd_array[i];
            at->which = set;
            at->node.events = events_of(set);
            (*count)++;
        }
    }
    return 0;
}

/* The sets become what is ready, each socket once (B179). The same set may have been given twice (B180). */
static int answer(WSD_FD_SET *const sets[3], const struct sw_place *places, unsigned count)
{
    int total = 0;

    for (unsigned set = 0; set < 3; set++)
        if (sets[set] != NULL)
            sets[set]->fd_count = 0;
    for (unsigned i = 0; i < count; i++) {
        WSD_FD_SET *out = sets[places[i].which];

        if (!places[i].is_ready || sw_up_is_in_set(places[i].handle, out))
            continue;
        out->fd_array[out->fd_count++] = places[i].handle;
        total++;
    }
    return total;
}

static int run(WSD_FD_SET *const sets[3], struct sw_place *places, WSD_SELECT_TIMEOUT timeout, LPINT error)
{
    unsigned count, ready = 0;
    struct sw_blocker b;
    int total = 0;
    int code = collect(sets, places, &count);

    if (code == 0)
        code = sw_places_look(places, count, look, &ready);
    if (code == 0 && ready == 0 && (timeout == NULL || timeout->tv_sec != 0 || timeout->tv_usec != 0)) {
        sw_block_begin(&b, 0);
        if (timeout != NULL)
            b.deadline_ns = pal_now_ns() + (uint64_t)timeout->tv_sec * 1000000000u +
                            (uint64_t)timeout->tv_usec * 1000u;
        code = sw_places_wait(places, count, look, &b, &ready);
        sw_block_end(&b);
    }
    if (code == 0)
        total = answer(sets, places, count);
    for (unsigned i = 0; i < count; i++)
        sw_sock_release(places[i].sock);
    *error = code;
    return code == 0 ? total : SOCKET_ERROR;
}

int WSPAPI sw_spi_select(int nfds, WSD_FD_SET *read, WSD_FD_SET *write, WSD_FD_SET *except,
                         WSD_SELECT_TIMEOUT timeout, LPINT error)
{
    WSD_FD_SET *const sets[3] = {read, write, except};
    struct sw_place few[SW_INLINE_PLACES];
    struct sw_place *places = few;
    unsigned wanted = 0;
    int total;

    (void)nfds; /* ignored by definition */
    if (!sw_spi_is_started())
        return SW_RESULT(error, WSANOTINITIALISED);
    for (unsigned set = 0; set < 3; set++)
        wanted += sets[set] == NULL ? 0 : sets[set]->fd_count;
    if (wanted == 0 || (timeout != NULL && (timeout->tv_sec < 0 || timeout->tv_usec < 0)))
        return SW_RESULT(error, WSAEINVAL); /* B174 */
    if (wanted > SW_INLINE_PLACES)
        places = malloc(wanted * sizeof(*places));
    if (places == NULL)
        return SW_RESULT(error, WSAENOBUFS);
    total = run(sets, places, timeout, error);
    if (places != few)
        free(places);
    return total;
}
