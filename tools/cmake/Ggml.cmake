# ggml_base: the block types of GGUF files and their arithmetic, from the pinned llama.cpp source.
# Left out of ggml's own `ggml-base`: gguf.cpp, because src/io reads GGUF itself (a bad header must
# be an exception, not an abort); ggml.cpp, which installs a terminate handler that starts a
# debugger; and ggml-opt.cpp, which trains.
set(_ggml "${HONE_DEPS}/llama.cpp/ggml")
if(NOT EXISTS "${_ggml}/src/ggml.c")
  message(FATAL_ERROR "llama.cpp's source was not found at ${HONE_DEPS}/llama.cpp. Run tools/setup.")
endif()

file(STRINGS "${_ggml}/CMakeLists.txt" _version_lines REGEX "^set\\(GGML_VERSION_(MAJOR|MINOR|PATCH) ")
string(REGEX REPLACE "[^0-9;]" "" GGML_VERSION "${_version_lines}")
string(REPLACE ";" "." GGML_VERSION "${GGML_VERSION}")
set(GGML_BUILD_COMMIT "release")
configure_file("${_ggml}/src/ggml-version.h.in" "${CMAKE_BINARY_DIR}/ggml/ggml-version.h" @ONLY)

add_library(ggml_base STATIC
  "${_ggml}/src/ggml.c"
  "${_ggml}/src/ggml-alloc.c"
  "${_ggml}/src/ggml-backend.cpp"
  "${_ggml}/src/ggml-backend-meta.cpp"
  "${_ggml}/src/ggml-quants.c"
  "${_ggml}/src/ggml-threading.cpp")
target_include_directories(ggml_base SYSTEM PUBLIC "${_ggml}/include")
target_include_directories(ggml_base PRIVATE "${_ggml}/src" "${CMAKE_BINARY_DIR}/ggml")
target_compile_definitions(ggml_base PRIVATE _GNU_SOURCE GGML_SCHED_MAX_COPIES=4)
# Third-party code: its warnings are not ours. -O3 vectorises the unpacking of blocks.
target_compile_options(ggml_base PRIVATE -w -O3)
target_link_libraries(ggml_base PRIVATE Threads::Threads ${CMAKE_DL_LIBS} m)
