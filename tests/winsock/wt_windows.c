/* wt_windows.c - wt.h on Windows, whoever plays Winsock. */
#include "wt.h"

HANDLE wt_file(const char *text)
{
    char folder[MAX_PATH], name[MAX_PATH];
    DWORD written = 0;
    HANDLE file;

    assert_int_not_equal(GetTempPathA(sizeof(folder), folder), 0);
    assert_int_not_equal(GetTempFileNameA(folder, "wsd", 0, name), 0);
    file = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE,
                       NULL);
    assert_ptr_not_equal(file, INVALID_HANDLE_VALUE);
    TRUE_OF(WriteFile(file, text, (DWORD)strlen(text), &written, NULL));
    assert_int_equal(SetFilePointer(file, 0, NULL, FILE_BEGIN), 0);
    return file;
}
