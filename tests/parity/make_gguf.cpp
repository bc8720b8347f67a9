#include <cstdio>
#include <exception>

#include "base/file.h"
#include "support/tiny_gguf.h"

// A tiny model as llama.cpp can read it: `make_gguf FOLDER OUT` makes OUT, a Hugging Face folder of
// what GGUF can say of FOLDER's model, and OUT.gguf (tests/support/tiny_gguf.h).

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: make_gguf FOLDER OUT\n", stderr);
    return 2;
  }
  try {
    hone::test::copy_for_gguf(argv[1], argv[2]);
    hone::write_file_atomically(std::string(argv[2]) + ".gguf", hone::test::gguf_of(argv[2]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
