/* outside.c - a program that knows nothing of the source tree: it loads the installed provider and lists its
 * addresses. */
#include <stdio.h>
#include <string.h>

#include <sw/switch.h>

int main(int argc, char **argv)
{
    struct sw_provider *p = NULL;
    struct sw_address a[16];
    char text[1024];
    unsigned count;
    const int error = sw_load(NULL, NULL, &p, text, sizeof(text));

    if (error != 0) {
        printf("%s (%s)\n", text, sw_error_name(error));
        /* a machine without a usable adapter is no mistake of the installation, but the library must be the
         * installed one */
        return error == WSASYSNOTREADY && argc > 1 && strstr(text, argv[1]) != NULL ? 0 : 1;
    }
    count = sw_addresses(p, a, 16);
    printf("%s serves %u addresses\n", sw_path(p), count);
    for (unsigned i = 0; i < count && i < 16; i++)
        printf("%s\n", sw_format_address(&a[i].address, text, sizeof(text)));
    if (argc > 1 && strncmp(sw_path(p), argv[1], strlen(argv[1])) != 0)
        return 1;
    return sw_unload(p, text, sizeof(text)) == 0 ? 0 : 1;
}
