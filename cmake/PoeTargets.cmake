# Flags that every target of this project is compiled with, and the function
# that adds a test.
add_library(poe_flags INTERFACE)
# GCC 12 warns of uninitialized strings in optimized moves of temporaries.
target_compile_options(poe_flags INTERFACE -Wall -Wextra
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
if(POE_WARNINGS_AS_ERRORS)
  target_compile_options(poe_flags INTERFACE -Werror)
endif()
if(POE_SANITIZE)
  target_compile_options(poe_flags INTERFACE
    -fsanitize=${POE_SANITIZE} -fno-omit-frame-pointer -g)
  target_link_options(poe_flags INTERFACE -fsanitize=${POE_SANITIZE})
  if(POE_SANITIZE STREQUAL "thread")
    # Eigen's thread pool has fences, which GCC's sanitizer does not follow.
    target_compile_options(poe_flags INTERFACE
      $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
endif()

# poe_test(NAME name SOURCES files... DEPS targets... LABELS labels...)
function(poe_test)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;DEPS;LABELS" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_link_libraries(${ARG_NAME} PRIVATE
    ${ARG_DEPS} GTest::gmock_main poe_flags)
  target_include_directories(${ARG_NAME} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${ARG_NAME} PRIVATE -O1)
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABELS}"
                       TIMEOUT 300)
endfunction()
