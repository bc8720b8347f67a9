#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/model.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocabulary.h"

namespace hone::tokenizer {

struct UnigramPiece {
  std::string text;
  double score;  ///< logarithm of its probability
};

/// What makes up a unigram language model over pieces of text.
struct UnigramSpec {
  std::vector<UnigramPiece> pieces;  ///< by id
  std::optional<std::int32_t> unk_id;
  /// What a character that no piece covers costs; 10 below the lowest score where not given.
  std::optional<double> unk_score;
  /// Unknown characters become the tokens of their bytes, <0x00> … <0xFF>.
  bool byte_fallback = false;
  /// Ids that text never becomes: those of special tokens.
  std::vector<std::int32_t> reserved_ids;
};

/// Gives the likeliest way to write a word in pieces (Viterbi). A word of n bytes takes O(n·m), m
/// the length of the longest piece. Neighbouring unknown characters become one token.
/// @source Kudo 2018 (arXiv:1804.10959); ties and unknowns as Hugging Face tokenizers
class Unigram : public Model {
 public:
  /// @throws DataError when unk_id is out of range or a score is not finite
  explicit Unigram(UnigramSpec spec);

  /// @throws DataError for an unknown character where there is neither unk_id nor its bytes
  void tokenize(std::string_view word, std::vector<WordToken>& out) const override;
  std::optional<std::int32_t> token_to_id(std::string_view token) const override;
  std::optional<std::string_view> id_to_token(std::int32_t id) const override;
  std::size_t vocab_size() const override;

 private:
  struct Best;

  void find_best(std::string_view word, std::vector<Best>& best) const;
  void add_unknown(std::string_view word, std::uint32_t begin, std::uint32_t end,
                   std::vector<WordToken>& out) const;

  UnigramSpec spec_;
  StringToId ids_;
  Trie trie_;  // holds what text may become
  double unk_score_;
  std::array<std::int32_t, 256> byte_ids_;  // of <0xNN>, or -1
};

}  // namespace hone::tokenizer
