#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tokenizer/json_fields.h"
#include "tokenizer/known_patterns.h"
#include "tokenizer/regex.h"

namespace hone::tokenizer {

/// What a tokenizer.json means by `{"String": …}` or `{"Regex": …}`.
class Pattern {
 public:
  /// @throws DataError when it is neither, is empty, or does not compile
  explicit Pattern(const JsonField& field);
  explicit Pattern(Regex regex);

  /// Appends every match from left to right, none overlapping another.
  void find_all(std::string_view text, std::vector<TextRange>& matches) const;
  std::vector<TextRange> find_all(std::string_view text) const;

 private:
  std::variant<std::string, Regex> pattern_;
  MatchAll match_all_ = nullptr;  // takes the pattern's place where hone knows it
};

/// What becomes of the delimiters that a splitter finds.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

/// @throws DataError naming the place for anything but the five names of Hugging Face tokenizers
SplitBehavior parse_split_behavior(const JsonField& field);

/// Cuts `range` at `delimiters` (ascending, not overlapping, counted from its begin) and appends
/// the pieces; empty ones are left out.
/// @param invert the delimiters are what is kept, and all between them is the delimiter
void split_at(TextRange range, const std::vector<TextRange>& delimiters, SplitBehavior behavior,
              bool invert, std::vector<TextRange>& pieces);

}  // namespace hone::tokenizer
