# One library per folder; what it links is what it may include (tools/check-layers holds it to that).

# hone_library(NAME SOURCES file... LINK target... [TORCH])
# Makes hone_NAME. TORCH: the sources see LibTorch through the shared precompiled header.
function(hone_library name)
  cmake_parse_arguments(arg "TORCH" "" "SOURCES;LINK" ${ARGN})
  add_library(hone_${name} STATIC ${arg_SOURCES})
  target_include_directories(hone_${name} PUBLIC "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
  target_link_libraries(hone_${name} PUBLIC ${arg_LINK})
  _hone_own_target(hone_${name} ${arg_TORCH})
endfunction()

# hone_test(NAME SOURCES file... LINK target... [TORCH] [LABEL label] [SLOW pattern])
# Makes test_NAME, a GoogleTest program whose tests ctest lists one by one. Those that match SLOW,
# a pattern of GoogleTest's, are labelled slow.
function(hone_test name)
  cmake_parse_arguments(arg "TORCH" "LABEL;SLOW" "SOURCES;LINK" ${ARGN})
  add_executable(test_${name} ${arg_SOURCES})
  target_link_libraries(test_${name} PRIVATE ${arg_LINK} hone_test_main)
  _hone_own_target(test_${name} ${arg_TORCH})
  if(NOT arg_LABEL)
    set(arg_LABEL fast)
  endif()
  if(arg_SLOW)
    set(others "-${arg_SLOW}")
    gtest_discover_tests(test_${name} DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES TEST_FILTER "${arg_SLOW}"
      WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" PROPERTIES LABELS slow TIMEOUT 1800)
  endif()
  gtest_discover_tests(test_${name} DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES TEST_FILTER "${others}"
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" PROPERTIES LABELS ${arg_LABEL} TIMEOUT 600)
endfunction()

function(_hone_own_target target torch)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow>)
  if(torch)
    target_link_libraries(${target} PUBLIC torch_cpu_only)
    target_precompile_headers(${target} REUSE_FROM hone_pch)
    # The header was compiled with -fPIC; a program that used -fPIE could not take it.
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
endfunction()
