# llama.cpp's lexer and parser for Jinja (src/tokenizer/jinja evaluates the tree itself). The other
# files are what these two refer to.
set(_common "${HONE_DEPS}/llama.cpp/common")
add_library(llama_jinja STATIC
  "${_common}/jinja/lexer.cpp" "${_common}/jinja/parser.cpp" "${_common}/jinja/runtime.cpp"
  "${_common}/jinja/string.cpp" "${_common}/jinja/value.cpp" "${_common}/json.cpp"
  "${_common}/unicode.cpp")
target_include_directories(llama_jinja SYSTEM PUBLIC "${_common}")
target_include_directories(llama_jinja SYSTEM PRIVATE "${HONE_DEPS}/llama.cpp/vendor")
target_link_libraries(llama_jinja PRIVATE ggml_base)
# A template that breaks an expectation of theirs must throw, never abort.
target_compile_definitions(llama_jinja PRIVATE NDEBUG)
target_compile_options(llama_jinja PRIVATE -w)
