#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hone::tokenizer {

/// What a piece is for, numbered as in SentencePiece's files and in GGUF's.
enum class PieceType : std::int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,      ///< never in a text: <s>, </s>
  kUserDefined = 4,  ///< always one token where it is in a text
  kUnused = 5,
  kByte = 6,  ///< <0x00> … <0xFF>
};

struct SentencePiece {
  std::string text;
  float score = 0;  ///< the likelier (unigram) or the sooner merged (BPE), the higher
  PieceType type = PieceType::kNormal;
};

/// A SentencePiece model: the pieces, and how a text is normalized before it is cut into them.
struct SentencePieceSpec {
  enum class Kind { kUnigram, kBpe };
  /// Where the space that stands for a word's beginning is put before a text.
  enum class Prefix { kNever, kFirst, kAlways };  // kFirst: not after a special token

  Kind kind = Kind::kUnigram;
  std::vector<SentencePiece> pieces;  // by id
  std::string charsmap;               // charsmap.h; empty for none
  Prefix prefix = Prefix::kAlways;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;  // spaces are spelt U+2581
  bool treat_whitespace_as_suffix = false;
  bool byte_fallback = false;
  std::optional<std::int32_t> unk_id, bos_id, eos_id, pad_id;  // bos and eos may be added tokens
  bool add_bos = false, add_eos = false;
};

/// Reads a tokenizer.model.
/// @throws DataError naming file and byte offset where it is no SentencePiece model of the kinds
///   unigram and BPE
SentencePieceSpec read_sentencepiece(const std::filesystem::path& path);

}  // namespace hone::tokenizer
