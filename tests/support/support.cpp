#include "support/support.h"

#include <cstdlib>
#include <fstream>

namespace hone::test {
namespace fs = std::filesystem;

TempFolder::TempFolder() {
  std::string pattern = (fs::temp_directory_path() / "hone-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + pattern);
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path TempFolder::write(const std::string& name, const std::string& content) const {
  const fs::path path = path_ / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

fs::path source_folder() { return HONE_SOURCE_DIR; }

fs::path fixture(const std::string& relative) {
  if (const char* golden = std::getenv("HONE_GOLDEN"); golden != nullptr) {
    if (const fs::path path = fs::path(golden) / relative; fs::exists(path)) return path;
  }
  return source_folder() / "tests" / "data" / relative;
}

bool has_fixture(const std::string& relative) { return fs::exists(fixture(relative)); }

testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "'" << part << "' is not in:\n" << text;
}

}  // namespace hone::test
