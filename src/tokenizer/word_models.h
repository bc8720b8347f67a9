#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tokenizer/model.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocabulary.h"

namespace hone::tokenizer {

/// What makes up a WordPiece model.
struct WordPieceSpec {
  Vocabulary vocabulary;
  std::string unk_token = "[UNK]";
  /// Begins the spelling of every piece but a word's first.
  std::string continuing_subword_prefix = "##";
  /// A word of more characters is one unknown token.
  std::size_t max_input_chars_per_word = 100;
  /// Ids that text never becomes: those of special tokens.
  std::vector<std::int32_t> reserved_ids;
};

/// Takes the longest piece that fits, again and again; a word that does not come out even is one
/// unknown token.
/// @source Devlin et al. 2018 (arXiv:1810.04805), section 4.1's tokenizer
class WordPiece : public Model {
 public:
  explicit WordPiece(WordPieceSpec spec);

  /// @throws DataError where a word is unknown and the vocabulary lacks the unknown token
  void tokenize(std::string_view word, std::vector<WordToken>& out) const override;
  std::optional<std::int32_t> token_to_id(std::string_view token) const override;
  std::optional<std::string_view> id_to_token(std::int32_t id) const override;
  std::size_t vocab_size() const override;

 private:
  bool add_pieces(std::string_view word, std::vector<WordToken>& out) const;

  WordPieceSpec spec_;
  Trie trie_;
  Trie::Node continuing_;  // where a continuing piece's walk begins
};

/// What makes up a WordLevel model.
struct WordLevelSpec {
  Vocabulary vocabulary;
  std::string unk_token = "<unk>";
  std::vector<std::int32_t> reserved_ids;
};

/// A word is a token, or unknown.
class WordLevel : public Model {
 public:
  explicit WordLevel(WordLevelSpec spec);

  /// @throws DataError where a word is unknown and the vocabulary lacks the unknown token
  void tokenize(std::string_view word, std::vector<WordToken>& out) const override;
  std::optional<std::int32_t> token_to_id(std::string_view token) const override;
  std::optional<std::string_view> id_to_token(std::int32_t id) const override;
  std::size_t vocab_size() const override;

 private:
  WordLevelSpec spec_;
  std::vector<bool> is_reserved_;
};

}  // namespace hone::tokenizer
