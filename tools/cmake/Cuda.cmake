# The GPU's side: HONE_WITH_CUDA says whether libhone_cuda.so is built, the target torch_cuda is
# LibTorch with CUDA, hone_cuda_options(TARGET) sets what our CUDA code is compiled with.
set(HONE_WITH_CUDA OFF)
if(HONE_CUDA STREQUAL "OFF")
  return()
endif()

include(CheckLanguage)
check_language(CUDA)
set(_missing "")
if(NOT CMAKE_CUDA_COMPILER)
  list(APPEND _missing "nvcc (of a CUDA 13 toolkit: set CUDACXX to its bin/nvcc)")
endif()
foreach(_library torch_cuda c10_cuda)
  if(NOT EXISTS "${HONE_TORCH}/lib/lib${_library}.so")
    list(APPEND _missing "${HONE_TORCH}/lib/lib${_library}.so")
  endif()
endforeach()
find_path(HONE_NCCL_INCLUDE nccl.h HINTS "$ENV{CUDA_HOME}/include" /usr/local/cuda/include)
if(NOT HONE_NCCL_INCLUDE)
  list(APPEND _missing "nccl.h (of NCCL 2, which libtorch_cuda.so links as well)")
endif()
if(_missing)
  list(JOIN _missing ", " _missing)
  if(HONE_CUDA STREQUAL "AUTO")
    message(STATUS "libhone_cuda.so is not built: missing ${_missing}")
    return()
  endif()
  message(FATAL_ERROR "HONE_CUDA=ON, but these were not found: ${_missing}. "
    "Run tools/setup with HONE_CUDA=ON, or configure with -DHONE_CUDA=OFF.")
endif()

if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80 90)
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
enable_language(CUDA)
# CMake 3.25 does not know how nvcc is asked for C++20.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
endif()
find_package(CUDAToolkit REQUIRED)
set(HONE_WITH_CUDA ON)

# --no-as-needed: nothing of libtorch_cuda.so is called by name; loading it registers its kernels.
add_library(torch_cuda INTERFACE)
target_link_libraries(torch_cuda INTERFACE torch_headers fmt_headers
  -Wl,--no-as-needed "${HONE_TORCH}/lib/libtorch_cuda.so" "${HONE_TORCH}/lib/libc10_cuda.so"
  -Wl,--as-needed "${HONE_TORCH}/lib/libtorch_cpu.so" "${HONE_TORCH}/lib/libc10.so" CUDA::cudart)
target_link_options(torch_cuda INTERFACE "-Wl,--allow-shlib-undefined")

get_target_property(_cudart CUDA::cudart IMPORTED_LOCATION)
get_filename_component(_toolkit_libraries "${_cudart}" DIRECTORY)
set(HONE_CUDA_RPATH "${HONE_TORCH}/lib" "${_toolkit_libraries}")
foreach(_wheel cu13 cusparselt nvshmem)
  list(APPEND HONE_CUDA_RPATH "${HONE_DEPS}/site/nvidia/${_wheel}/lib")
endforeach()

function(hone_cuda_options target)
  target_include_directories(${target} SYSTEM PRIVATE "${HONE_NCCL_INCLUDE}")
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow>
    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra,-Wshadow>)
  set_target_properties(${target} PROPERTIES
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}"
    CXX_VISIBILITY_PRESET hidden
    CUDA_VISIBILITY_PRESET hidden
    BUILD_RPATH "${HONE_CUDA_RPATH}")
endfunction()
