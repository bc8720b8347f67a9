# Reading Parquet: HONE_WITH_PARQUET says whether libhone_parquet.so is built, the target
# parquet_arrow is Arrow's and Parquet's C++ libraries, as the pyarrow wheel carries them.
set(HONE_WITH_PARQUET OFF)
if(HONE_PARQUET STREQUAL "OFF")
  return()
endif()

set(_arrow "${HONE_DEPS}/site/pyarrow")
file(GLOB _libraries "${_arrow}/libparquet.so.*" "${_arrow}/libarrow.so.*")
list(LENGTH _libraries _count)
if(NOT _count EQUAL 2)
  if(HONE_PARQUET STREQUAL "AUTO")
    message(STATUS "libhone_parquet.so is not built: Arrow was not found at ${_arrow}")
    return()
  endif()
  message(FATAL_ERROR "HONE_PARQUET=ON, but Arrow was not found at ${_arrow}. Run tools/setup, or "
    "configure with -DHONE_PARQUET=OFF.")
endif()

set(HONE_WITH_PARQUET ON)
add_library(parquet_arrow INTERFACE)
target_include_directories(parquet_arrow SYSTEM INTERFACE "${_arrow}/include")
target_link_libraries(parquet_arrow INTERFACE ${_libraries} Threads::Threads)
