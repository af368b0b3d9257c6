# mingw.cmake - what the tool chains of both word sizes share; they set CMAKE_SYSTEM_PROCESSOR and WSD_TRIPLET and include it.
# The win32 thread model of the compiler, because nothing here needs the pthreads of the other.
set(CMAKE_SYSTEM_NAME Windows)
find_program(CMAKE_C_COMPILER NAMES ${WSD_TRIPLET}-gcc-win32 ${WSD_TRIPLET}-gcc REQUIRED)
find_program(CMAKE_RC_COMPILER ${WSD_TRIPLET}-windres REQUIRED)

# What scripts/windows/cmocka.sh builds; nothing else is looked for on this host.
set(CMAKE_FIND_ROOT_PATH /usr/${WSD_TRIPLET})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/../windows/wine.sh")
