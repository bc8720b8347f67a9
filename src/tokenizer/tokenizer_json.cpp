#include "base/error.h"
#include "tokenizer/bpe.h"
#include "tokenizer/tokenizer_parts.h"

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
  for (const AddedToken& token : added.tokens()) {
    if (token.special) spec.reserved_ids.push_back(token.id);
  }
  return std::make_unique<Bpe>(std::move(spec));
}

std::unique_ptr<Model> make_model(const JsonField& field, bool byte_level,
                                  const AddedTokens& added) {
  // The earliest files have no type; only BPE models have merges.
  const std::string type = field.string_or("type", field.find("merges") ? "BPE" : "missing");
  if (type == "BPE") return make_bpe(field, byte_level, added);
  throw_unknown_type(field, type, {"BPE"});
}

}  // namespace

AddedToken parse_added_token(const JsonField& field, std::optional<std::int64_t> id) {
  AddedToken token;
  token.content = field.at("content").string();
  token.id = static_cast<std::int32_t>(id ? *id : field.at("id").integer());
  HONE_CHECK(DataError, token.id >= 0, "{}: id {} is negative", field.place, token.id);
  token.single_word = field.boolean_or("single_word", false);
  token.lstrip = field.boolean_or("lstrip", false);
  token.rstrip = field.boolean_or("rstrip", false);
  token.special = field.boolean_or("special", false);
  token.normalized = field.boolean_or("normalized", !token.special);
  return token;
}

std::shared_ptr<Tokenizer::Parts> build_parts(const JsonField& root,
                                              const std::vector<AddedToken>& extra_added) {
  auto parts = std::make_shared<Tokenizer::Parts>();
  parts->normalizer = make_normalizer(root.find("normalizer"));
  if (const JsonField added = root.find("added_tokens")) {
    for (std::size_t i = 0; i < added.array().size(); ++i) {
      parts->added.add(parse_added_token(added.at(i)));
    }
  }
  for (const AddedToken& token : extra_added) {
    if (parts->added.find(token.id) == nullptr) parts->added.add(token);
  }
  parts->added.build(parts->normalizer);
  const JsonField pre_tokenizer = root.find("pre_tokenizer");
  parts->pre_tokenizer = make_pre_tokenizer(pre_tokenizer);
  parts->model = make_model(root.at("model"), is_byte_level(pre_tokenizer), parts->added);
  // The pointer stays valid: the parts own both, and never move.
  const auto spelling = [owner = parts.get()](std::int32_t id) -> std::optional<std::string_view> {
    if (owner->added.find(id) != nullptr) return std::nullopt;
    return owner->model->id_to_token(id);
  };
  parts->post_processor = make_post_processor(root.find("post_processor"), spelling);
  parts->decoder = make_decoder(root.find("decoder"));
  return parts;
}

}  // namespace hone::tokenizer
