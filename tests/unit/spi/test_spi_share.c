/* test_spi_share.c - shared sockets are found by their identity, however many there are. Source: spi/share_index.c. */
#include "fake.h"
#include "spi/share.h"

enum { MANY = 5000 };

static struct sw_sock *all[MANY];

/* What sw_share_make() does, without the mailbox that messages come to. */
static struct sw_sock *shared(uint64_t identity)
{
    WSAPROTOCOL_INFOW info;
    struct sw_share *share = calloc(1, sizeof(*share));
    struct sw_sock *s;

    memset(&info, 0, sizeof(info));
    s = sw_sock_new(WS_AF_INET, WS_SOCK_STREAM, WS_IPPROTO_TCP, &info, 0);
    assert_non_null(s);
    assert_non_null(share);
    share->identity = identity;
    pal_store_release(&s->share, share);
    sw_share_index_add(s);
    return s;
}

static uint64_t identity_of(unsigned i)
{
    return (i + UINT64_C(1)) * UINT64_C(0x9E3779B97F4A7C15); /* spread, as random ones are */
}

static struct sw_sock *find(uint64_t identity)
{
    struct sw_sock *s = sw_share_find(identity);

    if (s != NULL)
        sw_sock_leave(s);
    return s;
}

static void one_among_many_is_found_without_looking_at_all(void **state)
{
    uint64_t before;

    (void)state;
    fake_start();
    for (unsigned i = 0; i < MANY; i++)
        all[i] = shared(identity_of(i));
    before = sw_share_looked_at();
    for (unsigned i = 0; i < MANY; i++)
        assert_ptr_equal(find(identity_of(i)), all[i]);
    assert_true(sw_share_looked_at() - before < 10u * MANY); /* as large as the table: 2 each, about */
    for (unsigned i = 0; i < MANY; i++)
        sw_sock_abandon(all[i]);
    for (unsigned i = 0; i < MANY; i++)
        assert_null(find(identity_of(i)));
}

static void the_one_that_is_open(void **state)
{
    struct sw_sock *old, *fresh;

    (void)state;
    fake_start();
    old = shared(7);
    sw_sock_hold(old); /* it is closed, and something of it goes on */
    sw_sock_abandon(old);
    assert_null(find(7));
    fresh = shared(7);
    assert_ptr_equal(find(7), fresh);
    sw_sock_release(old);
    assert_ptr_equal(find(7), fresh);
    sw_share_index_remove(fresh); /* about to be closed */
    sw_share_index_remove(fresh);
    assert_null(find(7));
    sw_sock_abandon(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fake_test(one_among_many_is_found_without_looking_at_all),
        fake_test(the_one_that_is_open),
    };

    return cmocka_run_group_tests_name("spi_share", tests, NULL, NULL);
}
