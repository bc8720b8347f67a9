#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tokenizer/json_fields.h"
#include "tokenizer/regex.h"

namespace hone::tokenizer {

/// What a tokenizer.json means by `{"String": …}` or `{"Regex": …}`.
class Pattern {
 public:
  /// @throws DataError when it is neither, is empty, or does not compile
  explicit Pattern(const JsonField& field);
  explicit Pattern(Regex regex) : pattern_(std::move(regex)) {}

  /// Every match from left to right, none overlapping another.
  std::vector<TextRange> find_all(std::string_view text) const;

 private:
  std::variant<std::string, Regex> pattern_;
};

/// What becomes of the delimiters that a splitter finds.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

/// @throws DataError naming the place for anything but the five names of Hugging Face tokenizers
SplitBehavior parse_split_behavior(const JsonField& field);

/// Cuts [0, size_bytes) at `delimiters` (ascending, not overlapping); empty pieces are left out.
/// @param invert the delimiters are what is kept, and all between them is the delimiter
std::vector<TextRange> split_at(std::size_t size_bytes, const std::vector<TextRange>& delimiters,
                                SplitBehavior behavior, bool invert);

}  // namespace hone::tokenizer
