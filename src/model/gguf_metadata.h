#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "io/gguf.h"

namespace hone::model {

/// Look-ups below the architecture's own prefix. Errors name the file and the key.
class GgufMetadata {
 public:
  GgufMetadata(const io::GgufFile& file, const std::string& architecture)
      : file_(file), prefix_(architecture + ".") {}

  const io::GgufFile& file() const { return file_; }
  const std::string& prefix() const { return prefix_; }
  std::string where() const { return file_.path().string(); }
  bool has(const char* key) const { return file_.has(prefix_ + key); }

  std::int64_t size(const char* key) const {
    const std::uint64_t stored = file_.get_u64(prefix_ + key);
    HONE_CHECK(DataError, stored < (std::uint64_t{1} << 31), "{}: `{}{}` is {}, which is no size",
               where(), prefix_, key, stored);
    return static_cast<std::int64_t>(stored);
  }
  std::int64_t size(const char* key, std::int64_t fallback) const {
    return has(key) ? size(key) : fallback;
  }
  /// A float that was stored in 32 bits, as the decimal number that its author wrote.
  double number(const char* key) const {
    return std::stod(fmt::format("{}", static_cast<float>(file_.get_f64(prefix_ + key))));
  }
  double number(const char* key, double fallback) const {
    return has(key) ? number(key) : fallback;
  }
  std::string text(const char* key, const char* fallback) const {
    return has(key) ? file_.get_string(prefix_ + key) : fallback;
  }
  /// The flags of a list; none where the key is absent or a single number.
  std::vector<std::int64_t> flags(const char* key) const {
    if (!has(key) || !file_.metadata().find(prefix_ + key)->second.is_array) return {};
    return file_.get_ints(prefix_ + key);
  }

 private:
  const io::GgufFile& file_;
  std::string prefix_;
};

}  // namespace hone::model
