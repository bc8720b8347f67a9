#include "io/row_reader.h"

#include "io/jsonl.h"

namespace hone::io {

std::unique_ptr<RowReader> open_rows(const std::filesystem::path& path) {
  return std::make_unique<JsonlReader>(path);
}

}  // namespace hone::io
