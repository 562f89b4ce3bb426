# Flags that every target of this project is compiled with, and the function
# that adds a test.
add_library(poe_flags INTERFACE)
# GCC 12 warns of uninitialized strings in optimized moves of temporaries.
target_compile_options(poe_flags INTERFACE -Wall -Wextra
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
if(POE_WARNINGS_AS_ERRORS)
  target_compile_options(poe_flags INTERFACE -Werror)
endif()
# Of undefined behaviour what takes longest to compile is left out. Memory is
# checked by calls in long functions, which inline checks would only swell.
if(POE_SANITIZE)
  target_compile_options(poe_flags INTERFACE
    -fsanitize=${POE_SANITIZE} -fno-omit-frame-pointer
    $<$<CXX_COMPILER_ID:Clang>:-fno-sanitize-recover=undefined>
    $<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=alignment,null,object-size>
    $<$<CXX_COMPILER_ID:Clang>:-fsanitize-ignorelist=${PROJECT_SOURCE_DIR}/cmake/sanitizer_ignore.txt>
    "$<$<CXX_COMPILER_ID:Clang>:SHELL:-mllvm -asan-instrumentation-with-call-threshold=100>")
  target_link_options(poe_flags INTERFACE -fsanitize=${POE_SANITIZE})
endif()

# For what decodes bytes from outside: fuzzers see what of it an input reaches.
add_library(poe_decoder_flags INTERFACE)
if(POE_BUILD_FUZZERS)
  target_compile_options(poe_decoder_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Tests compile sooner with less of it. Without a build type they have none.
set(POE_TEST_OPTIMIZATION $<$<CONFIG:Release,RelWithDebInfo>:-O1>)

# Longer than any test takes, also where each step is watched.
set(POE_TEST_SECONDS 300)
if(POE_SANITIZE)
  set(POE_TEST_SECONDS 1200)
endif()

# All tests with the label `threads`: those of code that shares work among
# threads, and quick enough for ThreadSanitizer.
add_custom_target(threads_tests)

# poe_test(NAME name SOURCES files... DEPS targets... LABELS labels...
#          [PRECOMPILED_LIKE target])
function(poe_test)
  cmake_parse_arguments(ARG "" "NAME;PRECOMPILED_LIKE" "SOURCES;DEPS;LABELS" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_link_libraries(${ARG_NAME} PRIVATE
    ${ARG_DEPS} GTest::gmock_main poe_flags)
  target_include_directories(${ARG_NAME} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${ARG_NAME} PRIVATE ${POE_TEST_OPTIMIZATION})
  if(ARG_PRECOMPILED_LIKE)
    target_precompile_headers(${ARG_NAME} REUSE_FROM ${ARG_PRECOMPILED_LIKE})
  endif()
  if("threads" IN_LIST ARG_LABELS)
    add_dependencies(threads_tests ${ARG_NAME})
  endif()
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABELS}"
                       TIMEOUT ${POE_TEST_SECONDS})
endfunction()
