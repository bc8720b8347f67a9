#include "tokenizer/gguf_to_json.h"

#include "base/file.h"
#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {
namespace {

/// What the tokenizers library asks for beside what hone's own reader needs.
/// @source tokenizers 0.23, the deserialisers of AddedToken, ByteLevel and TemplateProcessing
void complete(Json& root, const Tokenizer& tokenizer) {
  root["version"] = "1.0";
  for (Json& token : root["added_tokens"])
    for (const char* flag : {"single_word", "lstrip", "rstrip"}) token[flag] = false;
  const auto complete_byte_level = [](Json& part) {
    if (part.value("type", "") != "ByteLevel") return;
    if (!part.contains("add_prefix_space")) part["add_prefix_space"] = false;
    part["trim_offsets"] = true;
  };
  for (Json& part : root["pre_tokenizer"]["pretokenizers"]) complete_byte_level(part);
  complete_byte_level(root["decoder"]);
  Json& post = root["post_processor"];
  post["pair"] = Json::array({{{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
                              {{"Sequence", {{"id", "B"}, {"type_id", 1}}}}});
  for (auto& [name, token] : post["special_tokens"].items()) {
    token["id"] = name;
    token["tokens"] = Json::array();
    for (const Json& id : token["ids"])
      token["tokens"].push_back(*tokenizer.id_to_token(id.get<std::int32_t>()));
  }
}

}  // namespace

void write_gguf_tokenizer(const std::filesystem::path& gguf, const std::filesystem::path& folder) {
  const Tokenizer tokenizer = Tokenizer::load(gguf);
  Json root = gguf_bpe_json(io::GgufFile(gguf));
  complete(root, tokenizer);
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                 {"clean_up_tokenization_spaces", false}};
  for (const auto& [name, token] : tokenizer.special().names) config[name] = token;
  if (const std::string* source = tokenizer.chat_template()) config["chat_template"] = *source;
  write_file_atomically(folder / "tokenizer_config.json", config.dump(2) + "\n");
  write_file_atomically(folder / "tokenizer.json", root.dump(2) + "\n");
}

}  // namespace hone::tokenizer
