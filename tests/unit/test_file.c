/* test_file.c - pal/file.h: files that several streams append to, and their names. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pal/file.h"
#include "pal/process.h"

static void lines_of_two_streams_on_one_file_all_stay(void **state)
{
    (void)state;
    static const char want[] = "one\ntwo\nthree\nfour\n";
    char name[64], got[64] = "";
    assert_true(pal_append_name("pal-append-%p.txt", name, sizeof name));
    (void)remove(name);
    FILE *a = pal_append_open("pal-append-%p.txt"), *b = pal_append_open("pal-append-%p.txt");
    assert_non_null(a);
    assert_non_null(b);
    const char *line = want;
    for (int i = 0; i < 4; i++) { /* each where the other has left off */
        const char *end = strchr(line, '\n') + 1;
        FILE *f = i % 2 ? b : a;
        assert_int_equal(fwrite(line, 1, (size_t)(end - line), f), end - line);
        assert_int_equal(fflush(f), 0);
        line = end;
    }
    assert_int_equal(fclose(a), 0);
    assert_int_equal(fclose(b), 0);
    FILE *f = fopen(name, "r");
    assert_non_null(f);
    got[fread(got, 1, sizeof got - 1, f)] = '\0';
    fclose(f);
    assert_int_equal(remove(name), 0);
    assert_string_equal(got, want);
}

static void the_number_of_the_process_may_be_part_of_the_name(void **state)
{
    (void)state;
    char name[64], want[64];
    snprintf(want, sizeof want, "a%u.%ub", pal_process_id(), pal_process_id());
    assert_true(pal_append_name("a%p.%pb", name, sizeof name));
    assert_string_equal(name, want);
    assert_true(pal_append_name("50%", name, sizeof name)); /* other percent signs mean themselves */
    assert_string_equal(name, "50%");
    assert_true(pal_append_name("a%p.%pb", name, strlen(want) + 1));
    assert_false(pal_append_name("a%p.%pb", name, strlen(want)));
    assert_false(pal_append_name("a%p", name, 2));
}

static void what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    char longest[1100];
    errno = 0;
    assert_null(pal_append_open("no-such-folder-%p/file"));
    assert_int_equal(errno, ENOENT);
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(pal_append_open(longest));
    assert_int_equal(errno, ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_two_streams_on_one_file_all_stay),
        cmocka_unit_test(the_number_of_the_process_may_be_part_of_the_name),
        cmocka_unit_test(what_cannot_be_opened_says_why),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
