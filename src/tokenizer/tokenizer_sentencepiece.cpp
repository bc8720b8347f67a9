#include <algorithm>
#include <limits>

#include "tokenizer/sentencepiece_bpe.h"
#include "tokenizer/sentencepiece_normalizer.h"
#include "tokenizer/tokenizer_parts.h"
#include "tokenizer/unigram.h"

namespace hone::tokenizer {
namespace {

// A user-defined piece beats every other way to write its text.
// @source sentencepiece src/unigram_model.cc, EncodeOptimized
double unigram_score(const SentencePiece& piece, double highest) {
  if (piece.type != PieceType::kUserDefined) return piece.score;
  return static_cast<double>(piece.text.size()) * highest - 0.1;
}

std::unique_ptr<Model> make_unigram(const SentencePieceSpec& spec) {
  constexpr double kUnknownPenalty = 10.0;
  double lowest = std::numeric_limits<double>::max(), highest = -lowest;
  for (const SentencePiece& piece : spec.pieces) {
    if (piece.type != PieceType::kNormal) continue;
    lowest = std::min<double>(lowest, piece.score);
    highest = std::max<double>(highest, piece.score);
  }
  if (lowest > highest) lowest = highest = 0;  // there are no normal pieces
  UnigramSpec unigram;
  for (std::size_t i = 0; i < spec.pieces.size(); ++i) {
    const SentencePiece& piece = spec.pieces[i];
    unigram.pieces.push_back({piece.text, unigram_score(piece, highest)});
    if (piece.type != PieceType::kNormal && piece.type != PieceType::kUserDefined) {
      unigram.reserved_ids.push_back(static_cast<std::int32_t>(i));
    }
  }
  unigram.unk_id = spec.unk_id;
  unigram.unk_score = lowest - kUnknownPenalty;
  unigram.byte_fallback = spec.byte_fallback;
  return std::make_unique<Unigram>(std::move(unigram));
}

Json decoder_json(const SentencePieceSpec& spec) {
  Json steps = Json::array();
  steps.push_back({{"type", "Replace"}, {"pattern", {{"String", kSpaceSymbol}}}, {"content", " "}});
  if (spec.byte_fallback) steps.push_back({{"type", "ByteFallback"}});
  steps.push_back({{"type", "Fuse"}});
  // The library takes the space before the text away at the front, even where it stood at the end.
  constexpr int kAll = std::numeric_limits<int>::max();
  if (spec.remove_extra_whitespaces || spec.prefix != SentencePieceSpec::Prefix::kNever) {
    const int start = spec.remove_extra_whitespaces ? kAll : 1;
    steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", start}, {"stop", 0}});
  }
  return {{"type", "Sequence"}, {"decoders", std::move(steps)}};
}

Json post_processor_json(const SentencePieceSpec& spec) {
  Json pieces = Json::array(), special = Json::object();
  const auto add = [&](const char* name, bool wanted, std::optional<std::int32_t> id) {
    if (!wanted || !id) return;
    pieces.push_back({{"SpecialToken", {{"id", name}}}});
    special[name] = {{"ids", {*id}}};
  };
  add("bos", spec.add_bos, spec.bos_id);
  pieces.push_back({{"Sequence", {{"id", "A"}}}});
  add("eos", spec.add_eos, spec.eos_id);
  return {{"type", "TemplateProcessing"},
          {"single", std::move(pieces)},
          {"special_tokens", std::move(special)}};
}

// Control pieces stand in rendered chat templates, so they are recognised there, though not by
// SentencePiece itself. User-defined pieces are left to the normalizer and the model.
void add_special_tokens(const SentencePieceSpec& spec, const std::vector<AddedToken>& extra_added,
                        Tokenizer::Parts& parts) {
  for (std::size_t i = 0; i < spec.pieces.size(); ++i) {
    const SentencePiece& piece = spec.pieces[i];
    if (piece.type != PieceType::kControl && piece.type != PieceType::kUnknown) continue;
    AddedToken token;
    token.content = piece.text;
    token.id = static_cast<std::int32_t>(i);
    token.special = true;
    parts.added.add(std::move(token));
  }
  for (AddedToken token : extra_added) {
    if (parts.added.find(token.id) != nullptr) continue;
    token.normalized = false;  // a text's first space is no part of a token inside the text
    parts.added.add(std::move(token));
  }
  parts.added.build(parts.normalizer);
}

}  // namespace

std::shared_ptr<Tokenizer::Parts> build_parts(const SentencePieceSpec& spec,
                                              const std::vector<AddedToken>& extra_added) {
  auto parts = std::make_shared<Tokenizer::Parts>();
  parts->normalizer = make_sentencepiece_normalizer(spec);
  parts->pre_tokenizer = [](PreTokenized&) {};
  parts->model = spec.kind == SentencePieceSpec::Kind::kBpe
                     ? std::make_unique<SentencePieceBpe>(spec)
                     : make_unigram(spec);
  add_special_tokens(spec, extra_added, *parts);
  const Json post_processor = post_processor_json(spec), decoder = decoder_json(spec);
  parts->post_processor = make_post_processor({&post_processor, "post_processor"}, {});
  parts->decoder = make_decoder({&decoder, "decoder"});
  const auto set = [&](const char* name, std::optional<std::int32_t> id) {
    if (!id) return;
    if (const auto token = parts->id_to_token(*id)) parts->set_special(name, std::string(*token));
  };
  set("bos_token", spec.bos_id);
  set("eos_token", spec.eos_id);
  set("unk_token", spec.unk_id);
  set("pad_token", spec.pad_id);
  return parts;
}

std::shared_ptr<Tokenizer::Parts> load_sentencepiece(const std::filesystem::path& path) {
  return build_parts(read_sentencepiece(path));
}

}  // namespace hone::tokenizer
