#include "engine/text.h"

#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "model/load.h"

namespace hone::engine {
namespace {

namespace fs = std::filesystem;

/// Where tools/setup puts models: beside the sources this was built from, or HONE_MODELS.
fs::path models_folder() {
  const char* folder = std::getenv("HONE_MODELS");
  return folder != nullptr ? folder : HONE_MODELS_FOLDER;
}

bool has_tokenizer(const fs::path& model) {
  return model::is_gguf(model) || model.extension() == ".json" ||
         fs::exists(model / "tokenizer.json");
}

}  // namespace

const tokenizer::Tokenizer& Text::require_tokenizer(const std::string& purpose) const {
  HONE_CHECK(DataError, tokenizer,
             "{} needs a tokenizer, and the model has none; expected a tokenizer.json in its "
             "folder. Rows of `input_ids` do without",
             purpose);
  return *tokenizer;
}

const tokenizer::ChatTemplate& Text::require_chat_template(const std::string& purpose) const {
  HONE_CHECK(DataError, chat_template,
             "{} needs a chat template, and the model has none, as base models do; name a Jinja "
             "file by data.template",
             purpose);
  return *chat_template;
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

Text open_text(const fs::path& model, const std::string& template_file) {
  Text text;
  text.source = model;
  if (has_tokenizer(model)) {
    text.tokenizer = tokenizer::Tokenizer::load(model);
    if (const std::string* own = text.tokenizer->chat_template(); own != nullptr)
      text.chat_template.emplace(*own);
  }
  if (!template_file.empty()) text.chat_template.emplace(read_file(template_file));
  return text;
}

std::vector<std::int64_t> encode_conversation(const nlohmann::ordered_json& row, const Text& text,
                                              bool add_generation_prompt) {
  const tokenizer::Tokenizer& tokenizer = text.require_tokenizer("a conversation");
  tokenizer::RenderOptions options;
  options.add_generation_prompt = add_generation_prompt;
  if (row.contains("tools")) options.tools = row["tools"];
  for (const auto& [name, spelling] : tokenizer.special().names) options.variables[name] = spelling;
  const tokenizer::Rendered rendered =
      text.require_chat_template("a conversation").render(row.at("messages"), options);
  const auto ids =
      tokenizer.encode(rendered.text, {.literal = tokenizer::literal_ranges(rendered)}).ids;
  return {ids.begin(), ids.end()};
}

}  // namespace hone::engine
