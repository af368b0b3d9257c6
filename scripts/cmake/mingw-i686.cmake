# mingw-i686.cmake - tool chain: 32-bit Windows programs with Debian's gcc-mingw-w64-i686; what is built runs under Wine.
set(CMAKE_SYSTEM_PROCESSOR i686)
set(WSD_TRIPLET i686-w64-mingw32)
include("${CMAKE_CURRENT_LIST_DIR}/mingw.cmake")
