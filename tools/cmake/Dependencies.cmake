# Every third-party library as a target. What apt-get and pip bring is listed in tools/dependencies.
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(icu REQUIRED IMPORTED_TARGET icu-uc)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(hdf5 REQUIRED IMPORTED_TARGET hdf5-serial)
pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
find_package(simdjson REQUIRED)
include(Ggml)

# LibTorch: any installed one by Torch_DIR, or the one tools/setup unpacked. Its own CMake package
# asks for a CUDA toolkit even where only the CPU library is linked, so the targets are made here.
if(NOT Torch_DIR AND DEFINED ENV{Torch_DIR})
  set(Torch_DIR "$ENV{Torch_DIR}")
endif()
if(Torch_DIR)
  get_filename_component(HONE_TORCH "${Torch_DIR}/../../.." ABSOLUTE)
else()
  set(HONE_TORCH "${HONE_DEPS}/site/torch")
endif()
if(NOT EXISTS "${HONE_TORCH}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch was not found at ${HONE_TORCH}. Run tools/setup, or set Torch_DIR to "
    "the folder of TorchConfig.cmake in an installed LibTorch 2.11 or newer.")
endif()

add_library(torch_headers INTERFACE)
target_include_directories(torch_headers SYSTEM INTERFACE
  "${HONE_TORCH}/include" "${HONE_TORCH}/include/torch/csrc/api/include")

add_library(torch_cpu_only INTERFACE)
target_link_libraries(torch_cpu_only INTERFACE torch_headers Threads::Threads
  "${HONE_TORCH}/lib/libtorch_cpu.so" "${HONE_TORCH}/lib/libc10.so")
target_link_options(torch_cpu_only INTERFACE "-Wl,--allow-shlib-undefined")

# fmt: the header-only copy that LibTorch carries.
add_library(fmt_headers INTERFACE)
target_link_libraries(fmt_headers INTERFACE torch_headers)
target_compile_definitions(fmt_headers INTERFACE FMT_HEADER_ONLY)

# LibTorch's headers, parsed once for every target that asks for them.
file(WRITE "${CMAKE_BINARY_DIR}/pch_anchor.cpp" "// carries the precompiled header\n")
add_library(hone_pch OBJECT "${CMAKE_BINARY_DIR}/pch_anchor.cpp")
target_link_libraries(hone_pch PUBLIC torch_cpu_only fmt_headers)
target_compile_options(hone_pch PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow>)
target_precompile_headers(hone_pch PRIVATE
  <fmt/format.h> <torch/types.h> <torch/csrc/autograd/custom_function.h>
  <filesystem> <functional> <map> <memory> <optional> <string> <vector>)

include(Cuda)
include(Parquet)

if(HONE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
