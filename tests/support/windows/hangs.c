/* hangs.c - starts itself once more, and both sleep for ever: what scripts/windows/wine.sh has to end (hangs.sh). */
#include <stdio.h>
#include <string.h>
#include <windows.h>

int main(int argc, char **argv)
{
    char line[512];
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION made;
    if (argc > 2 && strcmp(argv[2], "child") == 0)
        Sleep(INFINITE);
    snprintf(line, sizeof line, "\"%s\" %s child", argv[0], argc > 1 ? argv[1] : "");
    if (!CreateProcessA(argv[0], line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &made))
        return 1;
    printf("both are there\n");
    fflush(stdout);
    Sleep(INFINITE);
    return 0;
}
