/* sp_file_windows.c - a file for TransmitFile. */
#include "sp.h"

HANDLE sp_file_create(size_t bytes, uint32_t seed)
{
    char folder[MAX_PATH], name[MAX_PATH];
    char *data = malloc(bytes);
    DWORD written = 0;

    assert_true(GetTempPathA(sizeof folder, folder) != 0 && GetTempFileNameA(folder, "wsd", 0, name) != 0);
    HANDLE file = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                              FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL);
    assert_true(file != INVALID_HANDLE_VALUE && data != NULL);
    sp_fill(data, bytes, seed, 0);
    assert_true(WriteFile(file, data, (DWORD)bytes, &written, NULL) && written == bytes);
    assert_int_equal(SetFilePointer(file, 0, NULL, FILE_BEGIN), 0);
    free(data);
    return file;
}

void sp_file_close(HANDLE file)
{
    CloseHandle(file);
}

bool sp_limit_files(bool is_tight)
{
    (void)is_tight;
    return false; /* handles have no such limit */
}
