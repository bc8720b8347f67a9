#include "tokenizer/content_hash.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "io/gguf_header.h"

namespace hone::tokenizer {
namespace {

namespace fs = std::filesystem;

bool may_shape_tokens(const fs::path& file) {
  constexpr std::array<std::string_view, 5> kSuffixes = {".json", ".jinja", ".model", ".txt",
                                                         ".tiktoken"};
  return std::ranges::find(kSuffixes, file.extension().string()) != kSuffixes.end();
}

std::string hash_folder(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const char* below : {"", "additional_chat_templates"}) {
    if (!fs::is_directory(folder / below)) continue;
    for (const auto& entry : fs::directory_iterator(folder / below))
      if (entry.is_regular_file() && may_shape_tokens(entry.path()))
        files.push_back(entry.path().lexically_relative(folder));
  }
  std::ranges::sort(files);
  Sha256 hash;
  for (const fs::path& file : files)
    hash.update(file.string()).update("\n").update(sha256_file(folder / file)).update("\n");
  return hash.hex();
}

std::string hash_gguf(const fs::path& path) {
  const MappedFile file(path);
  std::size_t header_bytes = file.size_bytes();
  for (const io::GgufTensor& tensor : io::read_gguf_header(file).tensors)
    header_bytes = std::min(header_bytes, static_cast<std::size_t>(tensor.data - file.data()));
  return Sha256().update(file.data(), header_bytes).hex();
}

}  // namespace

std::string content_hash(const fs::path& path) {
  if (fs::is_directory(path)) return hash_folder(path);
  return path.extension() == ".gguf" ? hash_gguf(path) : sha256_file(path);
}

}  // namespace hone::tokenizer
