#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/normalizer.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary.h"

namespace hone::tokenizer {

/// A token that is recognised in the text before it is split into words.
struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool single_word = false;  ///< not inside a longer word
  bool lstrip = false;       ///< takes the whitespace before it along
  bool rstrip = false;       ///< takes the whitespace after it along
  bool normalized = false;   ///< looked for in the normalized text, spelt normalized itself
  bool special = false;      ///< left out by decode(skip_special)
  std::string spelling =
      {};  ///< the content, normalized where `normalized` says so; set by build()
};

/// The added tokens of a tokenizer, and how they are found.
class AddedTokens {
 public:
  /// A piece of text, or the added token it is.
  struct Segment {
    TextRange range;
    std::optional<std::int32_t> id;
  };

  /// A token given again (same id) replaces the earlier one.
  void add(AddedToken token);
  /// Prepares the search. To be called after the last `add`.
  /// @param normalizer how `normalized` tokens are spelt in normalized text
  void build(const Normalizer& normalizer);

  /// Cuts source text at the tokens that are looked for as they are.
  /// @param literal byte ranges (ascending, apart) that no special token may touch
  std::vector<Segment> split_source(std::string_view text,
                                    const std::vector<TextRange>& literal) const;
  /// Cuts normalized text at the tokens that are looked for after normalization.
  std::vector<Segment> split_normalized(const AlignedText& text,
                                        const std::vector<TextRange>& literal) const;
  bool has_normalized() const { return !normalized_.tokens.empty(); }

  const std::vector<AddedToken>& tokens() const { return tokens_; }
  const AddedToken* find(std::int32_t id) const;
  const AddedToken* find(std::string_view content) const;

 private:
  /// Tokens by first byte, longest first, so that the leftmost longest match is the first hit.
  struct Search {
    std::vector<std::pair<std::string, std::size_t>> tokens;  // spelling, index into tokens_
    std::array<std::vector<std::size_t>, 256> by_first_byte;
    std::array<bool, 256> is_first_byte{};
    void build();
  };

  template <class IsLiteral>
  std::vector<Segment> split(const Search& search, std::string_view text,
                             IsLiteral is_literal) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::int32_t, std::size_t> by_id_;
  StringToId by_content_;  // index into tokens_
  Search plain_, normalized_;
};

}  // namespace hone::tokenizer
