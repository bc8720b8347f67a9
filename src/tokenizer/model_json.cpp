#include <array>

#include "base/error.h"
#include "tokenizer/bpe.h"
#include "tokenizer/tokenizer_parts.h"
#include "tokenizer/unigram.h"
#include "tokenizer/word_models.h"

namespace hone::tokenizer {
namespace {

std::pair<std::string, std::string> parse_merge(const JsonField& field) {
  if (field.value->is_array()) {
    HONE_CHECK(DataError, field.size() == 2, "{}: expected a pair of tokens", field.place);
    return {field.at(std::size_t{0}).string(), field.at(std::size_t{1}).string()};
  }
  const std::string text = field.string();
  const std::size_t space = text.find(' ');
  HONE_CHECK(DataError, space != std::string::npos && text.find(' ', space + 1) == text.npos,
             "{}: expected two tokens with a space between them, found `{}`", field.place, text);
  return {text.substr(0, space), text.substr(space + 1)};
}

Vocabulary parse_vocabulary(const JsonField& field) {
  Vocabulary vocabulary;
  for (const auto& [token, id] : field.object().items()) {
    HONE_CHECK(DataError, id.is_number_integer(), "{}: the id of `{}` is not an integer",
               field.place, token);
    vocabulary.add(token, id.get<std::int64_t>());
  }
  return vocabulary;
}

std::vector<std::int32_t> special_ids(const AddedTokens& added) {
  std::vector<std::int32_t> ids;
  for (const AddedToken& token : added.tokens()) {
    if (token.special) ids.push_back(token.id);
  }
  return ids;
}

std::unique_ptr<Model> make_bpe(const JsonField& field, bool byte_level, const AddedTokens& added) {
  HONE_CHECK(DataError, !field.find("dropout"),
             "{}.dropout: merges that are dropped at random are not supported; set it to null",
             field.place);
  BpeSpec spec;
  spec.vocabulary = parse_vocabulary(field.at("vocab"));
  const JsonField merges = field.at("merges");
  spec.merges.reserve(merges.array().size());
  for (std::size_t i = 0; i < merges.size(); ++i) spec.merges.push_back(parse_merge(merges.at(i)));
  spec.byte_level = byte_level;
  spec.byte_fallback = field.boolean_or("byte_fallback", false);
  spec.ignore_merges = field.boolean_or("ignore_merges", false);
  if (const JsonField unk = field.find("unk_token")) spec.unk_token = unk.string();
  spec.fuse_unk = field.boolean_or("fuse_unk", false);
  spec.continuing_subword_prefix = field.string_or("continuing_subword_prefix", "");
  spec.end_of_word_suffix = field.string_or("end_of_word_suffix", "");
  spec.reserved_ids = special_ids(added);
  return std::make_unique<Bpe>(std::move(spec));
}

std::unique_ptr<Model> make_unigram(const JsonField& field, bool, const AddedTokens& added) {
  UnigramSpec spec;
  const JsonField pieces = field.at("vocab");
  spec.pieces.reserve(pieces.array().size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const JsonField piece = pieces.at(i);
    HONE_CHECK(DataError, piece.array().size() == 2, "{}: expected [piece, score]", piece.place);
    spec.pieces.push_back({piece.at(std::size_t{0}).string(), piece.at(std::size_t{1}).number()});
  }
  if (const JsonField unk = field.find("unk_id")) spec.unk_id = unk.id();
  spec.byte_fallback = field.boolean_or("byte_fallback", false);
  spec.reserved_ids = special_ids(added);
  return std::make_unique<Unigram>(std::move(spec));
}

std::unique_ptr<Model> make_word_piece(const JsonField& field, bool, const AddedTokens& added) {
  WordPieceSpec spec;
  spec.vocabulary = parse_vocabulary(field.at("vocab"));
  spec.unk_token = field.string_or("unk_token", spec.unk_token);
  spec.continuing_subword_prefix =
      field.string_or("continuing_subword_prefix", spec.continuing_subword_prefix);
  if (const JsonField limit = field.find("max_input_chars_per_word")) {
    HONE_CHECK(DataError, limit.integer() >= 0, "{} is {}; expected 0 or more", limit.place,
               limit.integer());
    spec.max_input_chars_per_word = static_cast<std::size_t>(limit.integer());
  }
  spec.reserved_ids = special_ids(added);
  return std::make_unique<WordPiece>(std::move(spec));
}

std::unique_ptr<Model> make_word_level(const JsonField& field, bool, const AddedTokens& added) {
  WordLevelSpec spec;
  spec.vocabulary = parse_vocabulary(field.at("vocab"));
  spec.unk_token = field.string_or("unk_token", spec.unk_token);
  spec.reserved_ids = special_ids(added);
  return std::make_unique<WordLevel>(std::move(spec));
}

struct ModelType {
  std::string_view type;
  std::unique_ptr<Model> (*make)(const JsonField&, bool byte_level, const AddedTokens&);
};

constexpr std::array<ModelType, 4> kModelTypes{{
    {"BPE", make_bpe},
    {"Unigram", make_unigram},
    {"WordPiece", make_word_piece},
    {"WordLevel", make_word_level},
}};

// The earliest files have no type, but each kind has a field that the others lack.
std::string guess_type(const JsonField& field) {
  if (field.find("merges")) return "BPE";
  if (field.find("continuing_subword_prefix")) return "WordPiece";
  return field.at("vocab").value->is_array() ? "Unigram" : "WordLevel";
}

}  // namespace

std::string model_type(const JsonField& field) {
  const JsonField type = field.find("type");
  return type ? type.string() : guess_type(field);
}

std::unique_ptr<Model> make_model(const JsonField& field, bool byte_level,
                                  const AddedTokens& added) {
  const std::string type = model_type(field);
  std::vector<std::string_view> known;
  for (const ModelType& entry : kModelTypes) {
    if (entry.type == type) return entry.make(field, byte_level, added);
    known.push_back(entry.type);
  }
  throw_unknown_type(field, type, known);
}

}  // namespace hone::tokenizer
