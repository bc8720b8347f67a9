#include "tokenizer/tokenizer_save.h"

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"

namespace hone::tokenizer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kTokenizer = "tokenizer.json";
constexpr const char* kConfig = "tokenizer_config.json";
/// What stands in a folder beside these two.
constexpr const char* kOthers[] = {"special_tokens_map.json", "chat_template.jinja",
                                   "chat_template.json", "vocab.json", "merges.txt"};

/// A token as both files describe it, but for its id.
json describe(const std::string& content, bool special) {
  return {{"content", content}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false},    {"normalized", false},  {"special", special}};
}

}  // namespace

void save_tokenizer(const Tokenizer& tokenizer, const fs::path& source, const fs::path& folder) {
  HONE_CHECK(
      DataError, fs::exists(source / kTokenizer),
      "{}: has no tokenizer.json, which added tokens are written to; save the tokenizer with "
      "transformers (AutoTokenizer.from_pretrained(…).save_pretrained(…))",
      source.string());
  json file = io::read_json(source / kTokenizer);
  json config = json::object();
  if (fs::exists(source / kConfig)) config = io::read_json(source / kConfig);
  const std::size_t before = Tokenizer::load(source).vocab_size();
  for (std::size_t next = before; next < tokenizer.vocab_size(); ++next) {
    const auto id = static_cast<std::int32_t>(next);
    json token = describe(std::string(tokenizer.id_to_token(id).value()), tokenizer.is_special(id));
    // Where the config lists added tokens at all, it lists all of them.
    if (config.contains("added_tokens_decoder"))
      config["added_tokens_decoder"][std::to_string(id)] = token;
    token["id"] = id;
    file["added_tokens"].push_back(std::move(token));
  }
  for (const char* name : kOthers)
    if (fs::exists(source / name)) write_file_atomically(folder / name, read_file(source / name));
  if (!config.empty()) write_file_atomically(folder / kConfig, config.dump(2) + "\n");
  write_file_atomically(folder / kTokenizer, file.dump(2) + "\n");
}

}  // namespace hone::tokenizer
