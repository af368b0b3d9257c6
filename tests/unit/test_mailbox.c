/* test_mailbox.c - pal/mailbox.h. What it says of the contract holds on every system; other processes and senders that keep to no rule
 * are in mailbox_outside_posix.c and mailbox_outside_windows.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mailbox_outside.h"
#include "pal/atomic.h"
#include "pal/mailbox.h"
#include "pal/process.h"
#include "pal/thread.h"
#include "pal/time.h"

#define MS       1000000u
#define PATIENCE 60000u /* ms: a test that waits longer has failed */
#define A_MOMENT 60u    /* ms: long enough to believe that nothing happens */

enum { OF_EACH = 200, SENDERS = 6, CHILDREN = 4 };

/* ---- helpers ---- */

const char *fresh_box(char out[49])
{
    static unsigned serial;
    snprintf(out, 49, "unit-%u-%u", pal_process_id(), serial++);
    return out;
}

static struct pal_mailbox *open_fresh(char name[49])
{
    struct pal_mailbox *box = pal_mailbox_open(fresh_box(name));
    assert_non_null(box);
    return box;
}

static uint64_t in_ms(uint32_t ms)
{
    return pal_now_ns() + (uint64_t)ms * MS;
}

/* The next message is this text, from this process. */
static void expect(struct pal_mailbox *box, const char *text)
{
    char got[PAL_MAIL_MAX];
    uint32_t sender = 0;
    const size_t n = pal_mailbox_receive(box, got, sizeof got, &sender, in_ms(PATIENCE));
    assert_int_equal(n, strlen(text));
    assert_memory_equal(got, text, n);
    assert_int_equal(sender, pal_process_id());
}

static void expect_none(struct pal_mailbox *box)
{
    char got[PAL_MAIL_MAX];
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, in_ms(A_MOMENT)), 0);
}

/* Who sends OF_EACH messages: they say who, and which. The bytes behind differ, so that no two can be mixed unseen. */
struct mail {
    uint32_t who, which;
    unsigned char filling[PAL_MAIL_MAX - 8];
};

static size_t bytes_of(uint32_t which)
{
    return 8 + which % (PAL_MAIL_MAX - 8 + 1);
}

static void fill(struct mail *m, uint32_t who, uint32_t which)
{
    m->who = who;
    m->which = which;
    memset(m->filling, (int)((who * 31 + which) & 0xff), sizeof m->filling);
}

/* true: all of them went off. */
static bool send_many(const char *name, uint32_t who)
{
    struct mail m;
    for (uint32_t i = 0; i < OF_EACH; i++) {
        fill(&m, who, i);
        if (pal_mailbox_send(name, &m, bytes_of(i), PATIENCE) != PAL_MAIL_SENT)
            return false;
    }
    return true;
}

/* One of those, from the system's `sender`: it is the next one of its `who`. */
static uint32_t check_next(const struct mail *got, size_t n, uint32_t next[], uint32_t who_count)
{
    struct mail wanted;
    assert_true(n >= 8 && got->who < who_count);
    assert_int_equal(got->which, next[got->who]);
    assert_int_equal(n, bytes_of(got->which));
    fill(&wanted, got->who, got->which);
    assert_memory_equal(got, &wanted, n);
    next[got->who]++;
    return got->who;
}

/* ---- messages ---- */

static void a_message_arrives_whole_with_the_process_that_sent_it(void **state)
{
    (void)state;
    char name[49];
    struct pal_mailbox *box = open_fresh(name);
    assert_int_equal(pal_mailbox_send(name, "forty-two", 9, 0), PAL_MAIL_SENT);
    expect(box, "forty-two");
    expect_none(box);
    assert_int_equal(pal_mailbox_send(name, "again", 5, 0), PAL_MAIL_SENT);
    char got[PAL_MAIL_MAX];
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, UINT64_MAX), 5);
    pal_mailbox_close(box);
}

static void messages_have_one_byte_to_the_most_there_may_be(void **state)
{
    (void)state;
    char name[49], bytes[PAL_MAIL_MAX + 1], got[PAL_MAIL_MAX];
    struct pal_mailbox *box = open_fresh(name);
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(pal_mailbox_send(name, bytes, 0, 0), PAL_MAIL_FAILED);
    assert_int_equal(pal_mailbox_send(name, NULL, 1, 0), PAL_MAIL_FAILED);
    assert_int_equal(pal_mailbox_send(name, bytes, PAL_MAIL_MAX + 1, 0), PAL_MAIL_FAILED);
    assert_int_equal(pal_mailbox_send(name, bytes, 1, 0), PAL_MAIL_SENT);
    assert_int_equal(pal_mailbox_send(name, bytes, PAL_MAIL_MAX, 0), PAL_MAIL_SENT);
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, in_ms(PATIENCE)), 1);
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, in_ms(PATIENCE)), PAL_MAIL_MAX);
    assert_memory_equal(got, bytes, PAL_MAIL_MAX);
    assert_int_equal(pal_mailbox_receive(box, NULL, 1, NULL, UINT64_MAX), 0);
    assert_int_equal(pal_mailbox_receive(box, got, 0, NULL, UINT64_MAX), 0);
    pal_mailbox_close(box);
}

static void what_is_longer_than_its_room_or_has_no_bytes_is_dropped(void **state)
{
    (void)state;
    static char bytes[60000];
    char name[49], got[PAL_MAIL_MAX + 8];
    struct pal_mailbox *box = open_fresh(name);
    assert_int_equal(pal_mailbox_send(name, "12345678", 8, 0), PAL_MAIL_SENT);
    assert_int_equal(pal_mailbox_send(name, "1234", 4, 0), PAL_MAIL_SENT);
    assert_int_equal(pal_mailbox_receive(box, got, 4, NULL, in_ms(PATIENCE)), 4);
    send_raw(name, bytes, 0);
    send_raw(name, bytes, PAL_MAIL_MAX + 1); /* there is room, and still */
    send_raw(name, bytes, sizeof bytes);
    assert_int_equal(pal_mailbox_send(name, "after", 5, PATIENCE), PAL_MAIL_SENT);
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, in_ms(PATIENCE)), 5);
    assert_memory_equal(got, "after", 5);
    expect_none(box);
    pal_mailbox_close(box);
}

/* ---- names ---- */

static void names_are_checked_taken_once_and_free_again(void **state)
{
    (void)state;
    static const char *const bad[] = {
        NULL, "", "a/b", "a\\b", "Upper", "dot.", "a b", "a-name-that-is-a-little-longer-than-any-name-can-"};
    char name[49], longest[49];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(pal_mailbox_open(bad[i]));
        assert_int_equal(pal_mailbox_send(bad[i], "x", 1, 0), PAL_MAIL_FAILED);
    }
    for (int i = 0; i < 3; i++) {
        struct pal_mailbox *box = i == 0 ? open_fresh(name) : pal_mailbox_open(name);
        assert_non_null(box);
        const unsigned before = handles_in_use();
        assert_null(pal_mailbox_open(name));
        assert_int_equal(handles_in_use(), before);
        assert_int_equal(pal_mailbox_send(name, "mine", 4, 0), PAL_MAIL_SENT);
        expect(box, "mine"); /* the other attempt has done no harm */
        pal_mailbox_close(box);
    }
    memset(longest, 'z', sizeof longest);
    longest[48] = 0;
    memcpy(longest, fresh_box(name), strlen(name));
    struct pal_mailbox *box = pal_mailbox_open(longest);
    assert_non_null(box);
    assert_int_equal(pal_mailbox_send(longest, "x", 1, 0), PAL_MAIL_SENT);
    expect(box, "x");
    pal_mailbox_close(box);
    pal_mailbox_close(NULL);
}

static void without_a_box_there_is_nobody(void **state)
{
    (void)state;
    char name[49];
    assert_int_equal(pal_mailbox_send(fresh_box(name), "x", 1, PATIENCE), PAL_MAIL_NOBODY);
    struct pal_mailbox *box = pal_mailbox_open(name);
    assert_non_null(box);
    assert_int_equal(pal_mailbox_send(name, "lost", 4, 0), PAL_MAIL_SENT);
    pal_mailbox_close(box);
    assert_int_equal(pal_mailbox_send(name, "x", 1, PATIENCE), PAL_MAIL_NOBODY);
    box = pal_mailbox_open(name);
    assert_non_null(box);
    expect_none(box); /* what came before was the other's */
    pal_mailbox_close(box);
}

static void a_box_goes_with_its_process(void **state)
{
    (void)state;
    char name[49];
    const struct child c = child_start("hold", fresh_box(name));
    assert_int_equal(child_end(&c), 0);
    assert_int_equal(pal_mailbox_send(name, "x", 1, PATIENCE), PAL_MAIL_NOBODY);
    struct pal_mailbox *box = pal_mailbox_open(name);
    assert_non_null(box);
    pal_mailbox_close(box);
}

/* ---- a full box ---- */

/* Until it takes no more; returns how many it took. Each is the number of its turn. */
static unsigned fill_up(const char *name)
{
    enum pal_mail_result st = PAL_MAIL_SENT;
    unsigned n = 0;
    for (unsigned char turn = 0; n < 100000; turn++, n++)
        if ((st = pal_mailbox_send(name, &turn, 1, 0)) != PAL_MAIL_SENT)
            break;
    assert_int_equal(st, PAL_MAIL_FAILED);
    assert_true(n > 0);
    return n;
}

struct late {
    const char *name;
    enum pal_mail_result result;
    pal_atomic_bool is_over;
};

static void send_late(void *arg)
{
    struct late *l = arg;
    l->result = pal_mailbox_send(l->name, "late", 4, PATIENCE);
    pal_store_release(&l->is_over, true);
}

static void a_full_box_makes_senders_wait_until_there_is_room(void **state)
{
    (void)state;
    char name[49];
    struct pal_mailbox *box = open_fresh(name);
    const unsigned n = fill_up(name);
    assert_int_equal(pal_mailbox_send(name, "x", 1, A_MOMENT), PAL_MAIL_FAILED);
    struct late late = {.name = name};
    struct pal_thread *t = pal_thread_start(send_late, &late, "late");
    assert_non_null(t);
    pal_sleep_ms(A_MOMENT); /* mostly it waits by now; it does not matter if not */
    assert_false(pal_load_acquire(&late.is_over));
    for (unsigned i = 0; i < n; i++) {
        unsigned char turn;
        assert_int_equal(pal_mailbox_receive(box, &turn, 1, NULL, in_ms(PATIENCE)), 1);
        assert_int_equal(turn, i & 0xff);
    }
    expect(box, "late");
    pal_thread_join(t);
    assert_int_equal(late.result, PAL_MAIL_SENT);
    expect_none(box);
    pal_mailbox_close(box);
}

static void who_waits_for_room_is_told_when_the_box_is_closed(void **state)
{
    (void)state;
    char name[49];
    struct pal_mailbox *box = open_fresh(name);
    (void)fill_up(name);
    struct late late = {.name = name};
    struct pal_thread *t = pal_thread_start(send_late, &late, "late");
    assert_non_null(t);
    pal_sleep_ms(A_MOMENT); /* as above */
    pal_mailbox_close(box);
    pal_thread_join(t);
    assert_int_equal(late.result, PAL_MAIL_NOBODY);
}

/* ---- stirring and deadlines ---- */

static void stir_later(void *arg)
{
    pal_sleep_ms(A_MOMENT); /* mostly the receiver waits by then; it does not matter if not */
    pal_mailbox_stir(arg);
}

static void stirring_ends_one_receive_and_loses_no_message(void **state)
{
    (void)state;
    char name[49], got[PAL_MAIL_MAX];
    struct pal_mailbox *box = open_fresh(name);
    for (int i = 0; i < 3; i++) {
        struct pal_thread *t = pal_thread_start(stir_later, box, "stir");
        assert_non_null(t);
        assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, UINT64_MAX), 0);
        pal_thread_join(t);
    }
    assert_int_equal(pal_mailbox_send(name, "kept", 4, 0), PAL_MAIL_SENT);
    pal_mailbox_stir(box); /* nobody receives now: it counts for the next; twice counts once */
    pal_mailbox_stir(box);
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, UINT64_MAX), 0);
    expect(box, "kept");
    pal_mailbox_stir(box);
    pal_mailbox_close(box);
}

static void a_receive_ends_at_its_deadline(void **state)
{
    (void)state;
    char name[49], got[PAL_MAIL_MAX];
    struct pal_mailbox *box = open_fresh(name);
    uint64_t deadline_ns = in_ms(A_MOMENT);
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, deadline_ns), 0);
    assert_true(pal_now_ns() >= deadline_ns);
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, 0), 0);
    assert_int_equal(pal_mailbox_send(name, "there", 5, 0), PAL_MAIL_SENT);
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, 0), 5); /* what is there is found */
    pal_mailbox_close(box);
}

struct flood {
    char name[49];
    pal_atomic_bool is_over;
};

static void flood(void *arg)
{
    struct flood *f = arg;
    static const char bytes[1000];
    while (!pal_load_acquire(&f->is_over))
        send_raw(f->name, bytes, sizeof bytes);
}

static void a_flood_of_what_is_dropped_hides_neither_deadline_nor_stirring(void **state)
{
    (void)state;
    struct flood f = {.is_over = false};
    struct pal_thread *threads[2];
    char got[PAL_MAIL_MAX];
    struct pal_mailbox *box = open_fresh(f.name);
    for (int i = 0; i < 2; i++)
        assert_non_null(threads[i] = pal_thread_start(flood, &f, "flood"));
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, in_ms(300)), 0);
    struct pal_thread *t = pal_thread_start(stir_later, box, "stir");
    assert_non_null(t);
    assert_int_equal(pal_mailbox_receive(box, got, sizeof got, NULL, UINT64_MAX), 0);
    pal_thread_join(t);
    pal_store_release(&f.is_over, true);
    for (int i = 0; i < 2; i++)
        pal_thread_join(threads[i]);
    pal_mailbox_close(box);
}

/* ---- many senders ---- */

struct sender {
    const char *name;
    uint32_t who;
    bool is_good;
};

static void send_all(void *arg)
{
    struct sender *s = arg;
    s->is_good = send_many(s->name, s->who);
}

static void of_many_senders_each_has_its_order(void **state)
{
    (void)state;
    char name[49];
    struct pal_mailbox *box = open_fresh(name);
    const unsigned before = handles_in_use();
    struct sender senders[SENDERS];
    struct pal_thread *threads[SENDERS];
    uint32_t next[SENDERS] = {0};
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.name = name, .who = i};
        assert_non_null(threads[i] = pal_thread_start(send_all, &senders[i], "sender"));
    }
    for (unsigned i = 0; i < SENDERS * OF_EACH; i++) {
        struct mail got;
        uint32_t pid = 0;
        const size_t n = pal_mailbox_receive(box, &got, sizeof got, &pid, in_ms(PATIENCE));
        (void)check_next(&got, n, next, SENDERS);
        assert_int_equal(pid, pal_process_id());
    }
    for (int i = 0; i < SENDERS; i++) {
        pal_thread_join(threads[i]);
        assert_true(senders[i].is_good);
    }
    expect_none(box);
    assert_int_equal(handles_in_use(), before);
    pal_mailbox_close(box);
}

/* A child learns its number by the first message it gets, in a box of its own; so messages go both ways. */
static void of_many_processes_each_is_known_and_has_its_order(void **state)
{
    (void)state;
    char name[49], theirs[60];
    struct pal_mailbox *box = open_fresh(name);
    struct child children[CHILDREN];
    uint32_t next[CHILDREN] = {0};
    char ready[PAL_MAIL_MAX];
    for (int i = 0; i < CHILDREN; i++)
        children[i] = child_start("send", name);
    for (int i = 0; i < CHILDREN; i++) /* each has its box */
        assert_int_equal(pal_mailbox_receive(box, ready, sizeof ready, NULL, in_ms(PATIENCE)), 5);
    for (uint32_t i = 0; i < CHILDREN; i++) {
        snprintf(theirs, sizeof theirs, "%s-%u", name, children[i].pid);
        assert_int_equal(pal_mailbox_send(theirs, &i, sizeof i, PATIENCE), PAL_MAIL_SENT);
    }
    for (unsigned i = 0; i < CHILDREN * OF_EACH; i++) {
        struct mail got;
        uint32_t pid = 0;
        const size_t n = pal_mailbox_receive(box, &got, sizeof got, &pid, in_ms(PATIENCE));
        assert_int_equal(pid, children[check_next(&got, n, next, CHILDREN)].pid);
    }
    for (int i = 0; i < CHILDREN; i++)
        assert_int_equal(child_end(&children[i]), 0);
    expect_none(box);
    pal_mailbox_close(box);
}

/* ---- as a child ---- */

static int child_sends(const char *name)
{
    char mine[80];
    uint32_t who, parent;
    snprintf(mine, sizeof mine, "%s-%u", name, pal_process_id());
    struct pal_mailbox *box = pal_mailbox_open(mine);
    if (!box || pal_mailbox_send(name, "ready", 5, PATIENCE) != PAL_MAIL_SENT ||
        pal_mailbox_receive(box, &who, sizeof who, &parent, in_ms(PATIENCE)) != sizeof who)
        return 3;
    pal_mailbox_close(box);
    return send_many(name, who) ? 0 : 4;
}

static int child(const char *verb, const char *name)
{
    if (strcmp(verb, "send") == 0)
        return child_sends(name);
    if (strcmp(verb, "linger") == 0) {
        const int is_sent = pal_mailbox_send(name, "x", 1, PATIENCE) == PAL_MAIL_SENT;
        (void)getchar();
        return is_sent ? 0 : 3;
    }
    if (strcmp(verb, "hold") == 0) { /* and ends, with its box open */
        struct pal_mailbox *box = pal_mailbox_open(name);
        const bool is_there = box && pal_mailbox_send(name, "x", 1, 0) == PAL_MAIL_SENT;
        fflush(NULL);
        _Exit(is_there ? 0 : 3);
    }
    fprintf(stderr, "test_mailbox takes no arguments\n");
    return 2;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return child(argv[1], argc > 2 ? argv[2] : "");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives_whole_with_the_process_that_sent_it),
        cmocka_unit_test(messages_have_one_byte_to_the_most_there_may_be),
        cmocka_unit_test(what_is_longer_than_its_room_or_has_no_bytes_is_dropped),
        cmocka_unit_test(names_are_checked_taken_once_and_free_again),
        cmocka_unit_test(without_a_box_there_is_nobody),
        cmocka_unit_test(a_box_goes_with_its_process),
        cmocka_unit_test(a_full_box_makes_senders_wait_until_there_is_room),
        cmocka_unit_test(who_waits_for_room_is_told_when_the_box_is_closed),
        cmocka_unit_test(stirring_ends_one_receive_and_loses_no_message),
        cmocka_unit_test(a_receive_ends_at_its_deadline),
        cmocka_unit_test(a_flood_of_what_is_dropped_hides_neither_deadline_nor_stirring),
        cmocka_unit_test(of_many_senders_each_has_its_order),
        cmocka_unit_test(of_many_processes_each_is_known_and_has_its_order),
    };
    const int bad = cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
    return bad + mailbox_outside_run();
}
