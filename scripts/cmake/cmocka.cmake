# cmocka.cmake - PkgConfig::CMOCKA for all tests: the system's, or for Windows the one that scripts/windows/cmocka.sh builds.
if(WIN32)
  set(cmocka_dir ${PROJECT_SOURCE_DIR}/build/windows/cmocka-${CMAKE_SYSTEM_PROCESSOR})
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/windows/cmocka.sh ${CMAKE_TOOLCHAIN_FILE} ${cmocka_dir}
    RESULT_VARIABLE cmocka_failed)
  if(cmocka_failed)
    message(FATAL_ERROR "No cmocka for Windows: see above, or configure with -DBUILD_TESTING=OFF")
  endif()
  # One test source serves both systems: what tests call of POSIX is there under its name.
  add_subdirectory(${PROJECT_SOURCE_DIR}/tests/support/windows)
  add_library(PkgConfig::CMOCKA STATIC IMPORTED)
  set_target_properties(PkgConfig::CMOCKA PROPERTIES
    IMPORTED_LOCATION ${cmocka_dir}/lib/libcmocka.a INTERFACE_INCLUDE_DIRECTORIES ${cmocka_dir}/include
    INTERFACE_LINK_LIBRARIES wsd_test_posix
    INTERFACE_COMPILE_OPTIONS "-include;posix_on_windows.h")
else()
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
