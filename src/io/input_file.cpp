#include "io/input_file.h"

#include "base/error.h"

namespace hone::io {

void require_file(const std::filesystem::path& path, std::string_view what) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  HONE_CHECK(DataError, std::filesystem::exists(status),
             "{}: there is no such file; expected {}. Check the path", path.string(), what);
  HONE_CHECK(DataError, !std::filesystem::is_directory(status),
             "{}: is a folder; expected {}. Give the path of the file itself", path.string(), what);
}

}  // namespace hone::io
