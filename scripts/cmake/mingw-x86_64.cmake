# mingw-x86_64.cmake - tool chain: 64-bit Windows programs with Debian's gcc-mingw-w64-x86-64; what is built runs under Wine.
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(WSD_TRIPLET x86_64-w64-mingw32)
include("${CMAKE_CURRENT_LIST_DIR}/mingw.cmake")
