#include <algorithm>
#include <array>

#include "base/error.h"
#include "tokenizer/known_patterns.h"
#include "tokenizer/tokenizer_parts.h"

namespace hone::tokenizer {
namespace {

// Values of tokenizer.ggml.token_type.
constexpr std::int64_t kControlToken = 3, kUserDefinedToken = 4;

constexpr const char* kDigit = R"(\p{N})";
constexpr const char* kDeepSeek3Pattern =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// How the models of one tokenizer.ggml.pre split text; each pattern splits what the last one left.
struct PreTokenizerKind {
  std::vector<std::string_view> names;
  std::vector<const char*> patterns;
  bool ignore_merges = false;
  bool nfc = false;
};

// The names and what they stand for are llama.cpp's (src/llama-vocab.cpp); the patterns are those
// of the models' own tokenizer.json files.
const std::vector<PreTokenizerKind>& pre_tokenizer_kinds() {
  static const std::vector<PreTokenizerKind> kinds{
      {{"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "roberta-bpe",
        "exaone4", "modern-bert", "gigachat", "mellum"},
       {kGpt2Pattern}},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"},
       {kDigit, kGpt2Pattern}},
      {{"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "lfm2", "midm-2.0"},
       {kLlama3Pattern},
       true},
      {{"dbrx", "smaug-bpe", "chatglm-bpe", "glm4"}, {kLlama3Pattern}},
      {{"qwen2", "deepseek-r1-qwen", "megrez"}, {kQwen2Pattern}, false, true},
      {{"stablelm2", "hunyuan"}, {kQwen2Pattern}},
      {{"deepseek-v3"}, {R"(\p{N}{1,3})", "[一-龥぀-ゟ゠-ヿ]+", kDeepSeek3Pattern}},
      {{"gpt-4o", "llama4"}, {kGpt4oPattern}, true},
      {{"tekken"}, {kTekkenPattern}, true},
      {{"default"}, {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2Pattern, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
  };
  return kinds;
}

const PreTokenizerKind& find_kind(const io::GgufFile& file) {
  constexpr const char* kKey = "tokenizer.ggml.pre";
  const std::string name = file.has(kKey) ? file.get_string(kKey) : "default";
  std::string known;
  for (const PreTokenizerKind& kind : pre_tokenizer_kinds()) {
    if (std::find(kind.names.begin(), kind.names.end(), name) != kind.names.end()) return kind;
    for (const std::string_view known_name : kind.names) known += fmt::format(" {}", known_name);
  }
  throw DataError(fmt::format(
      "{}: {} is `{}`, which hone does not know; it knows{}. Use the tokenizer.json of the model's "
      "Hugging Face folder instead.",
      file.path().string(), kKey, name, known));
}

Json pre_tokenizer_json(const PreTokenizerKind& kind) {
  Json steps = Json::array();
  for (const char* pattern : kind.patterns) {
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", pattern}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  }
  steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

Json added_tokens_json(const io::GgufFile& file, const std::vector<std::string>& tokens) {
  Json added = Json::array();
  constexpr const char* kKey = "tokenizer.ggml.token_type";
  if (!file.has(kKey)) return added;
  const std::vector<std::int64_t> types = file.get_ints(kKey);
  HONE_CHECK(DataError, types.size() == tokens.size(), "{}: {} has {} entries for {} tokens",
             file.path().string(), kKey, types.size(), tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (types[id] != kControlToken && types[id] != kUserDefinedToken) continue;
    added.push_back({{"id", id},
                     {"content", tokens[id]},
                     {"special", types[id] == kControlToken},
                     {"normalized", false}});
  }
  return added;
}

std::optional<std::int32_t> token_id(const io::GgufFile& file, std::string_view name,
                                     std::size_t vocab_size) {
  const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
  if (!file.has(key)) return std::nullopt;
  const std::uint64_t id = file.get_u64(key);
  HONE_CHECK(DataError, id < vocab_size, "{}: {} is {}, but there are {} tokens",
             file.path().string(), key, id, vocab_size);
  return static_cast<std::int32_t>(id);
}

// What tokenizer.ggml.add_bos_token and add_eos_token ask for.
Json post_processor_json(const io::GgufFile& file, const std::vector<std::string>& tokens) {
  Json pieces = Json::array(), special = Json::object();
  const auto add = [&](std::string_view name) {
    const std::string key = fmt::format("tokenizer.ggml.add_{}_token", name);
    if (!file.has(key) || !file.get_bool(key)) return;
    const auto id = token_id(file, name, tokens.size());
    HONE_CHECK(DataError, id, "{}: {} is set, but there is no tokenizer.ggml.{}_token_id",
               file.path().string(), key, name);
    pieces.push_back({{"SpecialToken", {{"id", tokens[*id]}, {"type_id", 0}}}});
    special[tokens[*id]] = {{"ids", {*id}}};
  };
  add("bos");
  pieces.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  add("eos");
  return {{"type", "TemplateProcessing"},
          {"single", std::move(pieces)},
          {"special_tokens", std::move(special)}};
}

void read_special_ids(const io::GgufFile& file, const std::vector<std::string>& tokens,
                      Tokenizer::Parts& parts) {
  const std::array<std::pair<const char*, const char*>, 5> names{{{"bos", "bos_token"},
                                                                  {"eos", "eos_token"},
                                                                  {"unknown", "unk_token"},
                                                                  {"padding", "pad_token"},
                                                                  {"mask", "mask_token"}}};
  for (const auto& [key, name] : names) {
    if (const auto id = token_id(file, key, tokens.size())) parts.set_special(name, tokens[*id]);
  }
  for (const char* key : {"eot", "eom"}) {
    if (const auto id = token_id(file, key, tokens.size())) parts.add_eos_id(*id);
  }
}

void read_templates(const io::GgufFile& file, Tokenizer::Parts& parts) {
  constexpr const char* kKey = "tokenizer.chat_template";
  if (file.has(kKey)) parts.chat_templates["default"] = file.get_string(kKey);
  const std::string tool_key = fmt::format("{}.tool_use", kKey);
  if (file.has(tool_key)) parts.chat_templates["tool_use"] = file.get_string(tool_key);
}

}  // namespace

std::shared_ptr<const Tokenizer::Parts> load_gguf(const io::GgufFile& file) {
  const std::string model = file.get_string("tokenizer.ggml.model");
  HONE_CHECK(DataError, model == "gpt2",
             "{}: tokenizer.ggml.model is `{}`; hone reads `gpt2` (byte-level BPE) from GGUF. Use "
             "the tokenizer.json of the model's Hugging Face folder instead.",
             file.path().string(), model);
  const PreTokenizerKind& kind = find_kind(file);
  const std::vector<std::string> tokens = file.get_strings("tokenizer.ggml.tokens");
  Json vocab = Json::object();
  for (std::size_t id = 0; id < tokens.size(); ++id) vocab[tokens[id]] = id;

  // A tokenizer.json is written in memory, so that both kinds of file share one reader.
  Json root{{"added_tokens", added_tokens_json(file, tokens)},
            {"normalizer", kind.nfc ? Json{{"type", "NFC"}} : Json()},
            {"pre_tokenizer", pre_tokenizer_json(kind)},
            {"post_processor", post_processor_json(file, tokens)},
            {"decoder", {{"type", "ByteLevel"}}},
            {"model",
             {{"type", "BPE"},
              {"vocab", std::move(vocab)},
              {"merges", file.get_strings("tokenizer.ggml.merges")},
              {"ignore_merges", kind.ignore_merges}}}};
  auto parts = build_parts({&root, file.path().string() + ": tokenizer"});
  read_special_ids(file, tokens, *parts);
  read_templates(file, *parts);
  return parts;
}

}  // namespace hone::tokenizer
