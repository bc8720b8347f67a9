#include <charconv>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"
#include "tokenizer/tokenizer_parts.h"

namespace hone::tokenizer {
namespace {

namespace fs = std::filesystem;

// A file of the folder, as an empty object where it is not there.
struct OptionalFile {
  Json json = Json::object();
  JsonField field;

  OptionalFile(const fs::path& folder, const char* name)
      : field{&json, (folder / name).string() + ": root"} {
    if (fs::exists(folder / name)) json = io::read_json(folder / name);
  }
  OptionalFile(const OptionalFile&) = delete;
};

// "added_tokens_decoder" maps ids (as strings) to tokens that tokenizer.json may lack.
std::vector<AddedToken> parse_added_tokens_decoder(const JsonField& config) {
  std::vector<AddedToken> tokens;
  const JsonField decoder = config.find("added_tokens_decoder");
  if (!decoder) return tokens;
  for (const auto& [key, value] : decoder.object().items()) {
    std::int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    HONE_CHECK(
        DataError,
        error == std::errc() && end == key.data() + key.size() && id >= 0 && id <= kMaxTokenId,
        "{}: key `{}` is not a token id", decoder.place, key);
    tokens.push_back(parse_added_token({&value, decoder.place + "." + key}, id));
  }
  return tokens;
}

// Calls `visit(name, content)` for each token with a role. A token stands as a string, or as an
// object with its "content".
template <class Visit>
void visit_special_tokens(const JsonField& file, Visit visit) {
  for (const char* name : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                           "cls_token", "mask_token"}) {
    const JsonField token = file.find(name);
    if (!token) continue;
    visit(name, token.value->is_object() ? token.at("content").string() : token.string());
  }
}

void read_special_tokens(const JsonField& file, Tokenizer::Parts& parts) {
  visit_special_tokens(file, [&](const char* name, const std::string& content) {
    parts.set_special(name, content);
  });
}

// Older folders list the tokens beside a tokenizer.model in added_tokens.json, by spelling.
void parse_added_tokens_file(const JsonField& file, const JsonField& special_map,
                             std::vector<AddedToken>& tokens) {
  std::set<std::string> special;
  visit_special_tokens(special_map,
                       [&](const char*, const std::string& content) { special.insert(content); });
  for (const auto& [content, id] : file.object().items()) {
    AddedToken token;
    token.content = content;
    token.id = JsonField{&id, fmt::format("{}.{}", file.place, content)}.id();
    token.special = special.count(content) > 0;
    tokens.push_back(std::move(token));
  }
}

void read_generation_config(const JsonField& file, Tokenizer::Parts& parts) {
  const JsonField ids = file.find("eos_token_id");
  if (!ids) return;
  if (!ids.value->is_array()) return parts.add_eos_id(ids.id());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    parts.add_eos_id(ids.at(i).id());
  }
}

void read_config_templates(const JsonField& config, Tokenizer::Parts& parts) {
  const JsonField templates = config.find("chat_template");
  if (!templates) return;
  if (templates.value->is_string()) {
    parts.chat_templates["default"] = templates.string();
    return;
  }
  for (std::size_t i = 0; i < templates.array().size(); ++i) {
    const JsonField entry = templates.at(i);
    parts.chat_templates[entry.at("name").string()] = entry.at("template").string();
  }
}

void read_template_files(const fs::path& folder, Tokenizer::Parts& parts) {
  if (fs::exists(folder / "chat_template.jinja")) {
    parts.chat_templates["default"] = read_file(folder / "chat_template.jinja");
  }
  const fs::path more = folder / "additional_chat_templates";
  if (!fs::is_directory(more)) return;
  for (const auto& entry : fs::directory_iterator(more)) {
    if (entry.path().extension() != ".jinja") continue;
    parts.chat_templates[entry.path().stem().string()] = read_file(entry.path());
  }
}

// What transformers' tokenizer classes let the configuration say about a tokenizer.model.
void apply_config(const JsonField& config, SentencePieceSpec& spec) {
  using Prefix = SentencePieceSpec::Prefix;
  spec.add_bos = config.boolean_or("add_bos_token", spec.add_bos);
  spec.add_eos = config.boolean_or("add_eos_token", spec.add_eos);
  if (spec.prefix == Prefix::kFirst && config.boolean_or("legacy", false)) {
    spec.prefix = Prefix::kAlways;
  }
  if (!config.boolean_or("add_prefix_space", true)) spec.prefix = Prefix::kNever;
}

std::optional<std::int32_t> find_token(const SentencePieceSpec& spec,
                                       const std::vector<AddedToken>& added,
                                       const std::string& content) {
  for (const AddedToken& token : added) {
    if (token.content == content) return token.id;
  }
  for (std::size_t id = 0; id < spec.pieces.size(); ++id) {
    if (spec.pieces[id].text == content) return static_cast<std::int32_t>(id);
  }
  return std::nullopt;
}

// A fine-tuned model may begin and end a text with other tokens than the base model's.
void override_frame(const JsonField& file, const std::vector<AddedToken>& added,
                    SentencePieceSpec& spec) {
  visit_special_tokens(file, [&](const std::string& name, const std::string& content) {
    if (name != "bos_token" && name != "eos_token") return;
    const auto id = find_token(spec, added, content);
    if (id) (name == "bos_token" ? spec.bos_id : spec.eos_id) = id;
  });
}

std::shared_ptr<Tokenizer::Parts> build_folder(const fs::path& folder, const JsonField& config,
                                               const JsonField& special_map) {
  std::vector<AddedToken> added = parse_added_tokens_decoder(config);
  const fs::path file = folder / "tokenizer.json", model = folder / "tokenizer.model";
  if (fs::exists(file)) {
    const Json json = io::read_json(file);
    return build_parts({&json, file.string() + ": tokenizer"}, added);
  }
  HONE_CHECK(DataError, fs::exists(model),
             "{}: there is no tokenizer.json and no tokenizer.model in this folder. Save the "
             "tokenizer with transformers (AutoTokenizer.from_pretrained(…).save_pretrained(…)).",
             folder.string());
  SentencePieceSpec spec = read_sentencepiece(model);
  apply_config(config, spec);
  const OptionalFile added_file(folder, "added_tokens.json");
  parse_added_tokens_file(added_file.field, special_map, added);
  override_frame(special_map, added, spec);
  override_frame(config, added, spec);
  return build_parts(spec, added);
}

}  // namespace

std::shared_ptr<Tokenizer::Parts> load_folder(const fs::path& folder) {
  const OptionalFile config(folder, "tokenizer_config.json");
  const OptionalFile special_map(folder, "special_tokens_map.json");
  const OptionalFile generation(folder, "generation_config.json");
  const auto parts = build_folder(folder, config.field, special_map.field);
  read_special_tokens(special_map.field, *parts);
  read_special_tokens(config.field, *parts);
  read_generation_config(generation.field, *parts);
  read_config_templates(config.field, *parts);
  read_template_files(folder, *parts);
  return parts;
}

}  // namespace hone::tokenizer
