#include "base/error.h"
#include "tokenizer/tokenizer_parts.h"

namespace hone::tokenizer {
AddedToken parse_added_token(const JsonField& field, std::optional<std::int32_t> id) {
  AddedToken token;
  token.content = field.at("content").string();
  token.id = id ? *id : field.at("id").id();
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
  const JsonField model = root.at("model");
  const bool byte_level = model_type(model) == "BPE" && ends_in_byte_level(pre_tokenizer);
  parts->pre_tokenizer =
      make_pre_tokenizer(pre_tokenizer, byte_level ? WordBytes::kPlain : WordBytes::kSpelt);
  parts->model = make_model(model, byte_level, parts->added);
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
