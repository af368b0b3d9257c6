# mingw-i686.cmake - tool chain: 32-bit Windows programs with Debian's gcc-mingw-w64-i686; what is built runs under Wine.
# The win32 thread model of the compiler, because nothing here needs the pthreads of the other.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR i686)
set(WSD_TRIPLET i686-w64-mingw32)
find_program(CMAKE_C_COMPILER NAMES ${WSD_TRIPLET}-gcc-win32 ${WSD_TRIPLET}-gcc REQUIRED)
find_program(CMAKE_RC_COMPILER ${WSD_TRIPLET}-windres REQUIRED)

# What scripts/windows/cmocka.sh builds; nothing else is looked for on this host.
set(CMAKE_FIND_ROOT_PATH /usr/${WSD_TRIPLET})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/../windows/wine.sh")
