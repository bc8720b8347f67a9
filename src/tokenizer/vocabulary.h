#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hone::tokenizer {

/// Hashes std::string and std::string_view alike, so that a lookup makes no copy.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};

using StringToId = std::unordered_map<std::string, std::int32_t, StringHash, std::equal_to<>>;

/// Tokens by id and by spelling. Ids may leave gaps.
class Vocabulary {
 public:
  /// @throws DataError when the id is negative, absurdly large, or taken by another spelling
  void add(std::string token, std::int64_t id);

  std::optional<std::int32_t> find(std::string_view token) const;
  std::optional<std::string_view> token(std::int32_t id) const;
  std::size_t size() const { return tokens_.size(); }

 private:
  StringToId ids_;
  std::vector<std::optional<std::string>> tokens_;
};

}  // namespace hone::tokenizer
