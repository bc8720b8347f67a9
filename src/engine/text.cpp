#include "engine/text.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "datasets/rendering.h"
#include "io/gguf.h"
#include "model/load.h"
#include "tokenizer/content_hash.h"

namespace hone::engine {
namespace {

namespace fs = std::filesystem;

/// Where tools/setup puts models: beside the sources this was built from, or HONE_MODELS.
fs::path models_folder() {
  const char* folder = std::getenv("HONE_MODELS");
  return folder != nullptr ? folder : HONE_MODELS_FOLDER;
}

/// llama.cpp writes "no_vocab" where a model came without one.
bool gguf_has_tokenizer(const fs::path& source) {
  constexpr const char* kKey = "tokenizer.ggml.model";
  const io::GgufFile file(source);
  return file.has(kKey) && file.get_string(kKey) != "no_vocab";
}

/// A file is one itself: a .gguf, a tokenizer.json or a tokenizer.model.
bool has_tokenizer(const fs::path& source) {
  if (model::is_gguf(source)) return gguf_has_tokenizer(source);
  return source.extension() == ".json" || source.extension() == ".model" ||
         fs::exists(source / "tokenizer.json") || fs::exists(source / "tokenizer.model");
}

}  // namespace

const tokenizer::Tokenizer& Text::require_tokenizer(const std::string& purpose) const {
  HONE_CHECK(DataError, tokenizer,
             "{} needs a tokenizer, and the model has none; expected a tokenizer.json or "
             "tokenizer.model in its folder. Rows of `input_ids` do without",
             purpose);
  return *tokenizer;
}

const tokenizer::ChatTemplate& Text::require_chat_template(const std::string& purpose) const {
  HONE_CHECK(DataError, chat_template,
             "{} needs a chat template, and the model has none, as base models do; {}", purpose,
             tokenizer ? tokenizer::offer_templates(*tokenizer)
                       : "name one by data.template: " + tokenizer::template_names());
  return *chat_template;
}

std::vector<std::int32_t> Text::stop_ids() const {
  if (!tokenizer) return {};
  std::vector<std::int32_t> ids = tokenizer->special().eos_ids;
  if (named_template == nullptr) return ids;
  for (const std::int32_t id : tokenizer::stop_ids(*named_template, *tokenizer))
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  return ids;
}

std::vector<std::int64_t> Text::added_ids() const {
  std::vector<std::int64_t> ids;
  for (const tokenizer::NewToken& token : added)
    ids.push_back(tokenizer->token_to_id(token.content).value());
  return ids;
}

std::string Text::tokenizer_sha256() const {
  const std::string of_source = tokenizer::content_hash(source);
  if (added.empty()) return of_source;
  Sha256 hash;
  hash.update(of_source);
  for (const tokenizer::NewToken& token : added)
    hash.update(token.special ? "\nspecial " : "\nplain ").update(token.content);
  return hash.hex();
}

fs::path resolve_model(const std::string& base) {
  if (fs::exists(base)) return base;
  const fs::path installed = models_folder() / (base + ".gguf");
  HONE_CHECK(DataError, base.find('/') == std::string::npos && fs::exists(installed),
             "{}: no such model; expected a Hugging Face folder, a .gguf file, or a name that "
             "tools/setup installed (smollm2-135m-instruct)",
             base);
  return installed;
}

Text open_text(const fs::path& model, const std::string& chat_template,
               const std::vector<tokenizer::NewToken>& added) {
  Text text;
  text.source = model;
  if (has_tokenizer(model)) {
    text.tokenizer = tokenizer::Tokenizer::load(model, added);
    text.added = added;
    if (const std::string* own = text.tokenizer->chat_template(); own != nullptr)
      text.chat_template.emplace(*own);
  }
  if (chat_template.empty()) return text;
  text.named_template = tokenizer::find_named_template(chat_template);
  HONE_CHECK(ConfigError, text.named_template || fs::is_regular_file(chat_template),
             "chat template {}: expected one of {}, or a Jinja file, and there is no such file",
             chat_template, tokenizer::template_names());
  text.chat_template.emplace(text.named_template ? std::string(text.named_template->source)
                                                 : read_file(chat_template));
  return text;
}

std::vector<std::int64_t> encode_conversation(const nlohmann::ordered_json& row, const Text& text,
                                              bool add_generation_prompt) {
  const tokenizer::Tokenizer& tokenizer = text.require_tokenizer("a conversation");
  const tokenizer::Rendered rendered =
      datasets::render_conversation(datasets::read_conversation(row),
                                    text.require_chat_template("a conversation"),
                                    tokenizer.special().names, add_generation_prompt)
          .rendered;
  const auto ids =
      tokenizer.encode(rendered.text, {.literal = tokenizer::literal_ranges(rendered)}).ids;
  return {ids.begin(), ids.end()};
}

}  // namespace hone::engine
