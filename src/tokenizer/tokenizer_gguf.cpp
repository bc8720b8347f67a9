#include <algorithm>
#include <array>
#include <numeric>

#include "base/error.h"
#include "tokenizer/gguf_pre_tokenizers.h"
#include "tokenizer/gguf_to_json.h"
#include "tokenizer/sentencepiece_normalizer.h"
#include "tokenizer/tokenizer_parts.h"

namespace hone::tokenizer {
namespace {

constexpr const char* kReadTheFolder =
    "Use the tokenizer of the model's Hugging Face folder instead.";

std::string key_of(std::string_view name) { return fmt::format("tokenizer.ggml.{}", name); }

bool get_bool_or(const io::GgufFile& file, std::string_view name, bool otherwise) {
  const std::string key = key_of(name);
  return file.has(key) ? file.get_bool(key) : otherwise;
}

// What every kind of vocabulary has.
struct GgufVocabulary {
  const io::GgufFile& file;
  std::vector<std::string> tokens;
  std::vector<PieceType> types;

  explicit GgufVocabulary(const io::GgufFile& source)
      : file(source), tokens(file.get_strings(key_of("tokens"))) {
    types.assign(tokens.size(), PieceType::kNormal);
    const std::string key = key_of("token_type");
    if (!file.has(key)) return;
    const std::vector<std::int64_t> numbers = file.get_ints(key);
    require_one_per_token(key, numbers.size());
    for (std::size_t id = 0; id < tokens.size(); ++id) {
      HONE_CHECK(DataError, numbers[id] >= 1 && numbers[id] <= 6,
                 "{}: {}[{}] is {}; expected 1 … 6", file.path().string(), key, id, numbers[id]);
      types[id] = static_cast<PieceType>(numbers[id]);
    }
  }

  void require_one_per_token(const std::string& key, std::size_t count) const {
    HONE_CHECK(DataError, count == tokens.size(), "{}: {} has {} entries for {} tokens",
               file.path().string(), key, count, tokens.size());
  }

  // The id of "bos", "eos", …; `otherwise` is what llama.cpp takes it for where the file is silent.
  std::optional<std::int32_t> special_id(std::string_view name,
                                         std::optional<std::int32_t> otherwise = {}) const {
    const std::string key = key_of(fmt::format("{}_token_id", name));
    if (!file.has(key)) {
      return otherwise && *otherwise < std::ssize(tokens) ? otherwise : std::nullopt;
    }
    const std::uint64_t id = file.get_u64(key);
    HONE_CHECK(DataError, id < tokens.size(), "{}: {} is {}, but there are {} tokens",
               file.path().string(), key, id, tokens.size());
    return static_cast<std::int32_t>(id);
  }
};

Json added_tokens_json(const GgufVocabulary& vocabulary,
                       const std::vector<std::string>& spellings) {
  Json added = Json::array();
  for (std::size_t id = 0; id < spellings.size(); ++id) {
    const PieceType type = vocabulary.types[id];
    if (type != PieceType::kControl && type != PieceType::kUserDefined) continue;
    added.push_back({{"id", id},
                     {"content", spellings[id]},
                     {"special", type == PieceType::kControl},
                     {"normalized", false}});
  }
  return added;
}

Json vocab_json(const std::vector<std::string>& spellings) {
  Json vocab = Json::object();
  for (std::size_t id = 0; id < spellings.size(); ++id) vocab[spellings[id]] = id;
  return vocab;
}

// A token that stands before or after a text, where the file wants it or is silent and llama.cpp
// would add it.
struct FrameToken {
  const char* name;  // "bos": tokenizer.ggml.add_bos_token
  std::optional<std::int32_t> id;
  bool by_default;
};

Json post_processor_json(const GgufVocabulary& vocabulary, const FrameToken& before,
                         const std::vector<FrameToken>& after) {
  Json pieces = Json::array(), special = Json::object();
  const auto add = [&](const FrameToken& token) {
    const std::string key = fmt::format("add_{}_token", token.name);
    if (!get_bool_or(vocabulary.file, key, token.by_default && token.id)) return;
    HONE_CHECK(DataError, token.id, "{}: {} is set, but the file names no such token",
               vocabulary.file.path().string(), key_of(key));
    pieces.push_back({{"SpecialToken", {{"id", token.name}, {"type_id", 0}}}});
    special[token.name] = {{"ids", {*token.id}}};
  };
  add(before);
  pieces.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  for (const FrameToken& token : after) add(token);
  return {{"type", "TemplateProcessing"},
          {"single", std::move(pieces)},
          {"special_tokens", std::move(special)}};
}

Json split_json(const char* pattern) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", pattern}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

Json sequence_json(const char* key, Json steps) {
  return {{"type", "Sequence"}, {key, std::move(steps)}};
}

Json replace_json(std::string_view from, std::string_view to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

const GgufPreTokenizer& pre_tokenizer_of(const io::GgufFile& file, const std::string& model) {
  const std::string key = key_of("pre");
  const std::string name = model == "gemma4" ? model
                           : file.has(key)   ? file.get_string(key)
                                             : "default";
  const GgufPreTokenizer* kind = find_gguf_pre_tokenizer(name);
  HONE_CHECK(DataError, kind != nullptr,
             "{}: {} is `{}`, which hone does not know; it knows {}. {}", file.path().string(), key,
             name, gguf_pre_tokenizer_names(), kReadTheFolder);
  return *kind;
}

Json bpe_json(const GgufVocabulary& vocabulary, const std::string& model_name) {
  const io::GgufFile& file = vocabulary.file;
  const GgufPreTokenizer& kind = pre_tokenizer_of(file, model_name);
  Json splits = Json::array();
  for (const char* pattern : kind.patterns) splits.push_back(split_json(pattern));
  Json model{{"type", "BPE"},
             {"vocab", vocab_json(vocabulary.tokens)},
             {"merges", file.get_strings(key_of("merges"))},
             {"ignore_merges", kind.ignore_merges}};
  Json root{{"added_tokens", added_tokens_json(vocabulary, vocabulary.tokens)},
            {"post_processor",
             post_processor_json(vocabulary, {"bos", vocabulary.special_id("bos"), kind.adds_bos},
                                 {{"eos", vocabulary.special_id("eos"), false}})}};
  if (kind.spells_spaces) {
    model["byte_fallback"] = true;
    root["normalizer"] = replace_json(" ", kSpaceSymbol);
    root["decoder"] = sequence_json(
        "decoders", Json::array({replace_json(kSpaceSymbol, " "), Json{{"type", "ByteFallback"}},
                                 Json{{"type", "Fuse"}}}));
  } else {
    splits.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
    if (kind.nfc) root["normalizer"] = {{"type", "NFC"}};
    root["decoder"] = {{"type", "ByteLevel"}};
  }
  root["pre_tokenizer"] = sequence_json("pretokenizers", std::move(splits));
  root["model"] = std::move(model);
  return root;
}

// A tokenizer.json is written in memory, so that both kinds of file share one reader.
std::shared_ptr<Tokenizer::Parts> load_bpe(const GgufVocabulary& vocabulary,
                                           const std::string& model_name) {
  const Json root = bpe_json(vocabulary, model_name);
  return build_parts({&root, vocabulary.file.path().string() + ": tokenizer"});
}

// GGUF spells a word's first piece with U+2581 before it, and the others plain; special tokens and
// placeholders stand in brackets in both spellings.
std::vector<std::string> bert_spellings(const std::vector<std::string>& tokens) {
  std::vector<std::string> spellings;
  for (const std::string& token : tokens) {
    if (token.starts_with(kSpaceSymbol)) {
      spellings.push_back(token.substr(kSpaceSymbol.size()));
    } else if (token.starts_with('[') && token.ends_with(']')) {
      spellings.push_back(token);
    } else {
      spellings.push_back("##" + token);
    }
  }
  return spellings;
}

std::shared_ptr<Tokenizer::Parts> load_bert(const GgufVocabulary& vocabulary, const std::string&) {
  constexpr std::int32_t kDefaultUnknown = 100, kDefaultCls = 101, kDefaultSeparator = 102;
  const auto cls = vocabulary.special_id("bos");
  const std::vector<std::string> spellings = bert_spellings(vocabulary.tokens);
  const bool lowercase = get_bool_or(vocabulary.file, "normalizer.lowercase", true);
  const auto unknown = vocabulary.special_id("unknown", kDefaultUnknown);
  const std::string unk_token = unknown ? spellings[*unknown] : "[UNK]";
  const Json root{
      {"added_tokens", added_tokens_json(vocabulary, spellings)},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"lowercase", lowercase},
        {"strip_accents", get_bool_or(vocabulary.file, "normalizer.strip_accents", lowercase)}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       post_processor_json(vocabulary,
                           {"bos", cls ? cls : vocabulary.special_id("cls", kDefaultCls), true},
                           {{"sep", vocabulary.special_id("seperator", kDefaultSeparator), true}})},
      {"decoder", {{"type", "WordPiece"}}},
      {"model",
       {{"type", "WordPiece"}, {"vocab", vocab_json(spellings)}, {"unk_token", unk_token}}}};
  return build_parts({&root, vocabulary.file.path().string() + ": tokenizer"});
}

std::string read_charsmap(const io::GgufFile& file) {
  const std::string key = key_of("precompiled_charsmap");
  std::string blob;
  if (!file.has(key)) return blob;
  for (const std::int64_t byte : file.get_ints(key)) blob.push_back(static_cast<char>(byte));
  return blob;
}

SentencePieceSpec sentencepiece_spec(const GgufVocabulary& vocabulary) {
  const io::GgufFile& file = vocabulary.file;
  const std::vector<float> scores = file.get_floats(key_of("scores"));
  vocabulary.require_one_per_token(key_of("scores"), scores.size());
  SentencePieceSpec spec;
  for (std::size_t id = 0; id < scores.size(); ++id) {
    spec.pieces.push_back({vocabulary.tokens[id], scores[id], vocabulary.types[id]});
  }
  spec.byte_fallback =
      std::count(vocabulary.types.begin(), vocabulary.types.end(), PieceType::kByte) == 256;
  spec.charsmap = read_charsmap(file);
  using Prefix = SentencePieceSpec::Prefix;
  spec.prefix = get_bool_or(file, "add_space_prefix", true) ? Prefix::kAlways : Prefix::kNever;
  spec.remove_extra_whitespaces = get_bool_or(file, "remove_extra_whitespaces", false);
  return spec;
}

std::shared_ptr<Tokenizer::Parts> load_llama(const GgufVocabulary& vocabulary, const std::string&) {
  SentencePieceSpec spec = sentencepiece_spec(vocabulary);
  spec.kind = SentencePieceSpec::Kind::kBpe;
  spec.unk_id = vocabulary.special_id("unknown", 0);
  spec.bos_id = vocabulary.special_id("bos", 1);
  spec.eos_id = vocabulary.special_id("eos", 2);
  spec.add_bos = get_bool_or(vocabulary.file, "add_bos_token", true);
  spec.add_eos = get_bool_or(vocabulary.file, "add_eos_token", false);
  return build_parts(spec);
}

std::shared_ptr<Tokenizer::Parts> load_t5(const GgufVocabulary& vocabulary, const std::string&) {
  SentencePieceSpec spec = sentencepiece_spec(vocabulary);
  spec.kind = SentencePieceSpec::Kind::kUnigram;
  spec.unk_id = vocabulary.special_id("unknown", 2);
  spec.bos_id = vocabulary.special_id("bos");
  spec.eos_id = vocabulary.special_id("eos", 1);
  spec.pad_id = vocabulary.special_id("padding", 0);
  spec.add_bos = get_bool_or(vocabulary.file, "add_bos_token", false);
  spec.add_eos = get_bool_or(vocabulary.file, "add_eos_token", true);
  return build_parts(spec);
}

struct GgufModel {
  std::string_view name;  // tokenizer.ggml.model
  std::shared_ptr<Tokenizer::Parts> (*load)(const GgufVocabulary&, const std::string& name);
};

constexpr std::array<GgufModel, 5> kGgufModels{{
    {"gpt2", load_bpe},
    {"gemma4", load_bpe},
    {"llama", load_llama},
    {"bert", load_bert},
    {"t5", load_t5},
}};

void read_special_ids(const GgufVocabulary& vocabulary, Tokenizer::Parts& parts) {
  constexpr std::array<std::pair<const char*, const char*>, 7> kNames{{{"bos", "bos_token"},
                                                                       {"eos", "eos_token"},
                                                                       {"unknown", "unk_token"},
                                                                       {"padding", "pad_token"},
                                                                       {"mask", "mask_token"},
                                                                       {"cls", "cls_token"},
                                                                       {"seperator", "sep_token"}}};
  for (const auto& [key, name] : kNames) {
    const auto id = vocabulary.special_id(key);
    if (!id) continue;
    if (const auto token = parts.id_to_token(*id)) parts.set_special(name, std::string(*token));
  }
  for (const char* key : {"eot", "eom"}) {
    if (const auto id = vocabulary.special_id(key)) parts.add_eos_id(*id);
  }
}

void read_templates(const io::GgufFile& file, Tokenizer::Parts& parts) {
  constexpr const char* kKey = "tokenizer.chat_template";
  if (file.has(kKey)) parts.chat_templates["default"] = file.get_string(kKey);
  const std::string tool_key = fmt::format("{}.tool_use", kKey);
  if (file.has(tool_key)) parts.chat_templates["tool_use"] = file.get_string(tool_key);
}

}  // namespace

Json gguf_bpe_json(const io::GgufFile& file) {
  const std::string name = file.get_string(key_of("model"));
  HONE_CHECK(DataError, name == "gpt2" || name == "gemma4",
             "{}: its vocabulary is of the kind `{}`, which hone does not write as a "
             "tokenizer.json; only BPE is. Name the model's Hugging Face folder with --tokenizer",
             file.path().string(), name);
  return bpe_json(GgufVocabulary(file), name);
}

std::shared_ptr<Tokenizer::Parts> load_gguf(const io::GgufFile& file) {
  const std::string name = file.get_string(key_of("model"));
  const auto model = std::find_if(kGgufModels.begin(), kGgufModels.end(),
                                  [&](const GgufModel& entry) { return entry.name == name; });
  if (model == kGgufModels.end()) {
    const std::string known =
        std::accumulate(kGgufModels.begin(), kGgufModels.end(), std::string(),
                        [](const std::string& text, const GgufModel& entry) {
                          return fmt::format("{}{}{}", text, text.empty() ? "" : ", ", entry.name);
                        });
    throw DataError(fmt::format("{}: {} is `{}`; hone reads {}. {}", file.path().string(),
                                key_of("model"), name, known, kReadTheFolder));
  }
  const GgufVocabulary vocabulary(file);
  const auto parts = model->load(vocabulary, name);
  read_special_ids(vocabulary, *parts);
  read_templates(file, *parts);
  return parts;
}

}  // namespace hone::tokenizer
