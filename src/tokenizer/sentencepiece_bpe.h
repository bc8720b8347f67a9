#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/model.h"
#include "tokenizer/sentencepiece_spec.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocabulary.h"

namespace hone::tokenizer {

/// Byte-pair encoding as SentencePiece has it: any two neighbours that are a piece together may
/// merge, the best score first, the leftmost of equal ones. User-defined pieces never merge, and
/// pieces marked unused fall apart again. A text of n characters takes O(n log n).
/// @source sentencepiece src/bpe_model.cc
class SentencePieceBpe : public Model {
 public:
  /// @throws DataError where unk_id or, with byte_fallback, one of the 256 byte pieces is missing
  explicit SentencePieceBpe(const SentencePieceSpec& spec);

  void tokenize(std::string_view word, std::vector<WordToken>& out) const override;
  std::optional<std::int32_t> token_to_id(std::string_view token) const override;
  std::optional<std::string_view> id_to_token(std::int32_t id) const override;
  std::size_t vocab_size() const override;

 private:
  struct Symbol;
  struct Candidate;
  struct Work;

  void propose(Work& work, std::int32_t left) const;
  void merge_all(Work& work) const;
  void add_piece(const Work& work, std::uint32_t begin, std::uint32_t end,
                 std::vector<WordToken>& out) const;
  void add_unknown(std::string_view word, std::uint32_t begin, std::uint32_t end,
                   std::vector<WordToken>& out) const;
  std::int32_t find(std::string_view text) const;

  std::vector<SentencePiece> pieces_;
  StringToId all_ids_, text_ids_;  // text_ids_: what text may become
  Trie user_defined_;
  std::array<std::int32_t, 256> byte_ids_;
  bool byte_fallback_;
  std::int32_t unk_id_;
};

}  // namespace hone::tokenizer
