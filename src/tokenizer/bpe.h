#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/merge_borders.h"
#include "tokenizer/merge_table.h"
#include "tokenizer/model.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/word_cache.h"

namespace hone::tokenizer {

/// What makes up a byte-pair encoding, as a tokenizer.json's "model" holds it.
struct BpeSpec {
  Vocabulary vocabulary;
  /// Pairs of spellings; the earlier, the sooner merged.
  std::vector<std::pair<std::string, std::string>> merges;
  /// Words are bytes spelt in GPT-2's alphabet (byte_level.h), else characters.
  bool byte_level = false;
  /// A character that is not in the vocabulary becomes its bytes' tokens, <0x00> … <0xFF>.
  bool byte_fallback = false;
  /// A word that is in the vocabulary is one token whatever the merges say.
  bool ignore_merges = false;
  std::optional<std::string> unk_token;
  /// Neighbouring unknown characters become one unknown token.
  bool fuse_unk = false;
  std::string continuing_subword_prefix, end_of_word_suffix;
  /// Ids that only an added token may produce, never the text of a word.
  std::vector<std::int32_t> reserved_ids;
};

/// Byte-pair encoding. A word of n symbols takes O(n log n): the merges that are possible stand in
/// a priority queue, the symbols in a linked list. Where a whole text is one word, as SentencePiece
/// models have it, it is first cut between characters that no merge joins.
/// @source Sennrich et al. 2016 (arXiv:1508.07909); order and ties as Hugging Face tokenizers
class Bpe : public Model {
 public:
  /// @throws DataError when a merge's part or result, or the unknown token, is not in the
  /// vocabulary
  explicit Bpe(BpeSpec spec);

  void tokenize(std::string_view word, std::vector<WordToken>& out) const override;
  std::optional<std::int32_t> token_to_id(std::string_view token) const override;
  std::optional<std::string_view> id_to_token(std::int32_t id) const override;
  std::size_t vocab_size() const override;

 private:
  struct Symbol;
  struct Scratch;

  std::optional<MergeBorders> find_borders() const;
  void tokenize_part(std::string_view part, std::uint32_t shift, std::vector<WordToken>& out) const;
  void tokenize_uncached(std::string_view word, std::vector<WordToken>& out) const;
  void add_byte_symbols(std::string_view word, Scratch& scratch) const;
  void add_character_symbols(std::string_view word, Scratch& scratch) const;
  bool has_byte_tokens(std::string_view character) const;
  std::int32_t find_character(std::string_view word, std::size_t begin, std::size_t end) const;
  std::int32_t find_text(std::string_view text) const;

  BpeSpec spec_;
  StringToId text_ids_;                     // by the text a token stands for, reserved ids left out
  std::array<std::int32_t, 256> byte_ids_;  // token of a single byte or of <0xNN>, or -1
  std::int32_t unk_id_ = -1;
  std::optional<MergeBorders> borders_;  // where words may be cut, if they may
  MergeTable merges_;
  WordCache cache_;
};

}  // namespace hone::tokenizer
