#include "tokenizer/tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "io/json.h"
#include "tokenizer/tokenizer_parts.h"

namespace hone::tokenizer {
namespace {

void encode_words(const Tokenizer::Parts& parts, PreTokenized& state, Encoding& encoding) {
  parts.pre_tokenizer(state);
  thread_local std::vector<WordToken> tokens;
  for (const TextRange& word : state.words) {
    tokens.clear();
    parts.model->tokenize(state.word(word), tokens);
    for (const WordToken& token : tokens) {
      encoding.ids.push_back(token.id);
      encoding.offsets.push_back(
          state.text.source_range(word.begin + token.begin, word.begin + token.end));
    }
  }
}

// A piece of source text between added tokens.
void encode_piece(const Tokenizer::Parts& parts, AlignedText text,
                  const std::vector<TextRange>& literal, Encoding& encoding) {
  parts.normalizer(text);
  if (!parts.added.has_normalized()) {
    const std::size_t size = text.text().size();
    PreTokenized state{std::move(text), {{0, size}}};
    if (size > 0) encode_words(parts, state, encoding);
    return;
  }
  for (const AddedTokens::Segment& segment : parts.added.split_normalized(text, literal)) {
    if (segment.id) {
      encoding.ids.push_back(*segment.id);
      encoding.offsets.push_back(text.source_range(segment.range.begin, segment.range.end));
    } else {
      PreTokenized state{text.slice(segment.range.begin, segment.range.end),
                         {{0, segment.range.size()}}};
      encode_words(parts, state, encoding);
    }
  }
}

}  // namespace

std::optional<std::string_view> Tokenizer::Parts::id_to_token(std::int32_t id) const {
  if (const AddedToken* token = added.find(id)) return token->spelling;
  return model->id_to_token(id);
}

std::optional<std::int32_t> Tokenizer::Parts::token_to_id(std::string_view token) const {
  if (const AddedToken* found = added.find(token)) return found->id;
  return model->token_to_id(token);
}

void Tokenizer::Parts::add_eos_id(std::int32_t id) {
  auto& ids = special.eos_ids;
  if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
}

void Tokenizer::Parts::set_special(const std::string& name, const std::string& token) {
  special.names[name] = token;
  const std::optional<std::int32_t> id = token_to_id(token);
  if (!id) return;
  if (name == "bos_token") special.bos_id = id;
  if (name == "pad_token") special.pad_id = id;
  if (name == "unk_token") special.unk_id = id;
  if (name == "eos_token") {
    special.eos_id = id;
    add_eos_id(*id);
  }
}

std::int32_t Tokenizer::Parts::size() const {
  auto size = static_cast<std::int32_t>(model->vocab_size());
  for (const AddedToken& token : added.tokens()) size = std::max(size, token.id + 1);
  return size;
}

void Tokenizer::Parts::extend(const std::vector<NewToken>& tokens) {
  for (const NewToken& token : tokens) {
    HONE_CHECK(ConfigError, !token.content.empty(), "an added token is empty");
    const auto known = token_to_id(token.content);
    HONE_CHECK(ConfigError, !known,
               "the added token `{}` is in the vocabulary already, with the id {}; leave it out",
               token.content, *known);
    AddedToken added_token;
    added_token.content = token.content;
    added_token.id = size();
    added_token.special = token.special;
    added.add(std::move(added_token));
  }
  if (!tokens.empty()) added.build(normalizer);
}

Tokenizer Tokenizer::load(const std::filesystem::path& path, const std::vector<NewToken>& added) {
  const auto load = [&path] {
    if (std::filesystem::is_directory(path)) return load_folder(path);
    if (path.extension() == ".gguf") return load_gguf(io::GgufFile(path));
    if (path.extension() == ".model") return load_sentencepiece(path);
    HONE_CHECK(DataError, path.extension() == ".json",
               "{}: not a tokenizer that hone reads; expected a folder with a tokenizer.json or "
               "tokenizer.model, one of these files, or a .gguf file",
               path.string());
    const Json json = io::read_json(path);
    return build_parts({&json, path.string() + ": tokenizer"});
  };
  const std::shared_ptr<Parts> parts = load();
  parts->extend(added);
  return Tokenizer(parts);
}

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  require_utf8(text);
  Encoding encoding;
  encoding.ids.reserve(text.size() / 4);
  encoding.offsets.reserve(text.size() / 4);
  for (const AddedTokens::Segment& segment : parts_->added.split_source(text, options.literal)) {
    if (segment.id) {
      encoding.ids.push_back(*segment.id);
      encoding.offsets.push_back(segment.range);
    } else {
      encode_piece(*parts_, AlignedText(text, segment.range), options.literal, encoding);
    }
  }
  parts_->post_processor(encoding, text, options.add_special_tokens);
  return encoding;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const std::int32_t id : ids) {
    if (skip_special && is_special(id)) continue;
    if (const auto token = parts_->id_to_token(id)) tokens.emplace_back(*token);
  }
  parts_->decoder(tokens);
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
  return parts_->token_to_id(token);
}

std::optional<std::string_view> Tokenizer::id_to_token(std::int32_t id) const {
  return parts_->id_to_token(id);
}

bool Tokenizer::is_special(std::int32_t id) const {
  const AddedToken* token = parts_->added.find(id);
  return token != nullptr && token->special;
}

std::vector<std::string> Tokenizer::special_token_texts() const {
  std::vector<std::string> texts;
  for (const AddedToken& token : parts_->added.tokens()) {
    if (token.special) texts.push_back(token.content);
  }
  return texts;
}

std::size_t Tokenizer::vocab_size() const { return static_cast<std::size_t>(parts_->size()); }

const SpecialTokens& Tokenizer::special() const { return parts_->special; }

const std::string* Tokenizer::chat_template(bool with_tools) const {
  const auto& templates = parts_->chat_templates;
  auto it = templates.end();
  if (with_tools) it = templates.find("tool_use");
  if (it == templates.end()) it = templates.find("default");
  return it == templates.end() ? nullptr : &it->second;
}

}  // namespace hone::tokenizer
