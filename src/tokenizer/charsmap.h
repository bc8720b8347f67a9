#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::tokenizer {

/// SentencePiece's compiled normalization rules: character sequences and what each becomes.
/// The file form is a 32-bit size, that many bytes of a double-array trie (32-bit units), and the
/// replacements, each ended by a zero byte.
/// @source sentencepiece src/normalizer.cc and darts-clone's unit layout
class Charsmap {
 public:
  /// @throws DataError where the sizes do not fit the blob or the replacements are not UTF-8
  explicit Charsmap(std::string_view blob);

  /// From the base64 form that a tokenizer.json holds.
  /// @throws DataError as above, or where it is not base64
  static Charsmap from_base64(std::string_view text);

  struct Match {
    std::size_t size_bytes;  ///< of the text
    std::string_view replacement;
  };

  /// The rule for the shortest, or the longest, sequence that `text` begins with.
  std::optional<Match> find_shortest(std::string_view text) const;
  std::optional<Match> find_longest(std::string_view text) const;

 private:
  template <class Visit>
  void visit_prefixes(std::string_view text, Visit visit) const;
  std::string_view replacement(std::uint32_t value) const;

  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace hone::tokenizer
