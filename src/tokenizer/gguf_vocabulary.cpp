#include "tokenizer/gguf_vocabulary.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "io/json.h"
#include "tokenizer/gguf_pre_tokenizers.h"
#include "tokenizer/known_patterns.h"
#include "tokenizer/sentencepiece_normalizer.h"
#include "tokenizer/tokenizer_parts.h"

namespace hone::tokenizer {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::int32_t>;

constexpr const char* kPrefix = "tokenizer.ggml.";

std::string key_of(std::string_view name) { return fmt::format("{}{}", kPrefix, name); }

/// What a file says of the tokens, whatever it was read from.
struct FileVocabulary {
  std::string model = {}, pre = {};
  std::vector<std::string> tokens = {};
  std::vector<std::int32_t> types = {};
  std::vector<float> scores = {};        // SentencePiece
  std::vector<std::string> merges = {};  // byte-level BPE
  std::string charsmap = {};
  std::optional<bool> add_space_prefix = {}, remove_extra_whitespaces = {};
};

void push(FileVocabulary& vocabulary, std::string token, PieceType type) {
  vocabulary.tokens.push_back(std::move(token));
  vocabulary.types.push_back(static_cast<std::int32_t>(type));
}

/// Rows of the embedding that no token has, as llama.cpp's converter names them.
void pad(FileVocabulary& vocabulary, std::size_t rows) {
  while (vocabulary.tokens.size() < rows)
    push(vocabulary, fmt::format("[PAD{}]", vocabulary.tokens.size()), PieceType::kUnused);
  if (!vocabulary.scores.empty()) vocabulary.scores.resize(rows, 0);
}

// ---- tokenizer.json

bool is_byte_piece(std::string_view token) {
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with('>');
}

/// The tokens of a tokenizer.json with their types, by id.
void read_tokens(const Tokenizer::Parts& parts, bool has_byte_pieces, FileVocabulary& vocabulary) {
  const std::optional<std::int32_t> unknown = parts.special.unk_id;
  for (std::int32_t id = 0; id < parts.size(); ++id) {
    const AddedToken* added = parts.added.find(id);
    const std::optional<std::string_view> token = parts.model->id_to_token(id);
    if (has_byte_pieces && unknown == id)
      push(vocabulary, std::string(added ? added->content : *token), PieceType::kUnknown);
    else if (added != nullptr)
      push(vocabulary, added->content,
           added->special ? PieceType::kControl : PieceType::kUserDefined);
    else if (token)
      push(vocabulary, std::string(*token),
           has_byte_pieces && is_byte_piece(*token) ? PieceType::kByte : PieceType::kNormal);
    else
      push(vocabulary, fmt::format("[PAD{}]", id), PieceType::kUnused);
  }
}

std::vector<std::pair<std::string, std::string>> merges_of(const JsonField& model) {
  std::vector<std::pair<std::string, std::string>> merges;
  const JsonField field = model.at("merges");
  for (std::size_t i = 0; i < field.array().size(); ++i) {
    const JsonField merge = field.at(i);
    if (merge.value->is_array()) {
      merges.emplace_back(merge.at(std::size_t{0}).string(), merge.at(std::size_t{1}).string());
      continue;
    }
    const std::string pair = merge.string();
    const std::size_t space = pair.find(' ', 1);
    HONE_CHECK(DataError, space != std::string::npos, "{}: `{}` is no pair of tokens", merge.place,
               pair);
    merges.emplace_back(pair.substr(0, space), pair.substr(space + 1));
  }
  return merges;
}

[[noreturn]] void refuse_splitting(const JsonField& field) {
  throw DataError(
      fmt::format("{}: llama.cpp has no pre-tokenizer that splits text as {} does; the model would "
                  "be given other tokens where it is served. It knows {}",
                  field.place, field.value->dump(), gguf_pre_tokenizer_names()));
}

/// The patterns by which a pre-tokenizer splits, one after another.
void collect_patterns(const JsonField& field, std::vector<std::string>& patterns) {
  const std::string type = field.at("type").string();
  if (type == "Sequence") {
    const JsonField steps = field.at("pretokenizers");
    for (std::size_t i = 0; i < steps.array().size(); ++i) collect_patterns(steps.at(i), patterns);
  } else if (type == "ByteLevel" && !field.boolean_or("add_prefix_space", true)) {
    if (field.boolean_or("use_regex", true)) patterns.emplace_back(kGpt2Pattern);
  } else if (type == "Digits" && field.boolean_or("individual_digits", false)) {
    patterns.emplace_back(R"(\p{N})");
  } else if (type == "Split" && field.at("behavior").string() == "Isolated" &&
             !field.boolean_or("invert", false) && field.at("pattern").find("Regex")) {
    patterns.push_back(field.at("pattern").at("Regex").string());
  } else {
    refuse_splitting(field);
  }
}

FileVocabulary byte_level_vocabulary(const JsonField& root, const Tokenizer::Parts& parts) {
  const JsonField normalizer = root.find("normalizer"), splitting = root.at("pre_tokenizer");
  const bool nfc = normalizer && normalizer.at("type").string() == "NFC";
  HONE_CHECK(DataError, !normalizer || nfc,
             "{}: llama.cpp normalizes no text before byte-level BPE, and this tokenizer does: {}",
             normalizer.place, normalizer.value->dump());
  std::vector<std::string> patterns;
  collect_patterns(splitting, patterns);
  const JsonField model = root.at("model");
  const GgufPreTokenizer* kind =
      find_gguf_pre_tokenizer(patterns, model.boolean_or("ignore_merges", false), nfc);
  if (kind == nullptr) refuse_splitting(splitting);
  FileVocabulary vocabulary{.model = "gpt2", .pre = std::string(kind->names.front())};
  read_tokens(parts, false, vocabulary);
  for (const auto& [left, right] : merges_of(model))
    vocabulary.merges.push_back(left + " " + right);
  return vocabulary;
}

/// Whether a space is put before a text: a normalizer that prepends one, or Metaspace.
bool prepends_space(const JsonField& field) {
  if (!field) return false;
  const std::string type = field.at("type").string();
  if (type == "Prepend") return true;
  if (type == "Metaspace") return field.string_or("prepend_scheme", "always") != "never";
  for (const char* steps : {"normalizers", "pretokenizers"}) {
    const JsonField list = field.find(steps);
    for (std::size_t i = 0; list && i < list.array().size(); ++i)
      if (prepends_space(list.at(i))) return true;
  }
  return false;
}

/// SentencePiece merges what has the highest score first; a tokenizer.json, what stands first. A
/// token that no merge makes comes last.
std::vector<float> scores_by_rank(const std::vector<std::pair<std::string, std::string>>& merges,
                                  const Tokenizer::Parts& parts, std::size_t tokens) {
  std::vector<float> scores(tokens, -static_cast<float>(merges.size() + 1));
  for (std::size_t rank = merges.size(); rank-- > 0;)
    if (const auto id = parts.model->token_to_id(merges[rank].first + merges[rank].second))
      scores.at(static_cast<std::size_t>(*id)) = -static_cast<float>(rank);
  return scores;
}

FileVocabulary sentencepiece_of_json(const JsonField& root, const Tokenizer::Parts& parts) {
  FileVocabulary vocabulary{.model = "llama", .pre = "default"};
  read_tokens(parts, true, vocabulary);
  vocabulary.scores = scores_by_rank(merges_of(root.at("model")), parts, vocabulary.tokens.size());
  vocabulary.add_space_prefix =
      prepends_space(root.find("normalizer")) || prepends_space(root.find("pre_tokenizer"));
  return vocabulary;
}

FileVocabulary read_json(const fs::path& file, const Tokenizer::Parts& parts) {
  const Json json = io::read_json(file);
  const JsonField root{&json, file.string() + ": tokenizer"}, model = root.at("model");
  const std::string type = model_type(model);
  HONE_CHECK(DataError, type == "BPE",
             "{}: llama.cpp's generating models take tokenizers of the type BPE (byte-level or "
             "SentencePiece's), not {}",
             model.place, type);
  return model.boolean_or("byte_fallback", false) ? sentencepiece_of_json(root, parts)
                                                  : byte_level_vocabulary(root, parts);
}

// ---- tokenizer.model

FileVocabulary read_sentencepiece_model(const fs::path& file, const Tokenizer::Parts& parts) {
  const SentencePieceSpec spec = read_sentencepiece(file);
  const bool is_bpe = spec.kind == SentencePieceSpec::Kind::kBpe;
  FileVocabulary vocabulary{.model = is_bpe ? "llama" : "t5", .pre = "default"};
  for (const SentencePiece& piece : spec.pieces) {
    push(vocabulary, piece.text, piece.type);
    vocabulary.scores.push_back(piece.score);
  }
  pad(vocabulary, static_cast<std::size_t>(parts.size()));
  for (const AddedToken& token : parts.added.tokens()) {
    const auto id = static_cast<std::size_t>(token.id);
    if (id < spec.pieces.size() && spec.pieces[id].type != PieceType::kNormal) continue;
    vocabulary.tokens.at(id) = token.content;
    vocabulary.types.at(id) =
        static_cast<std::int32_t>(token.special ? PieceType::kControl : PieceType::kUserDefined);
  }
  vocabulary.charsmap = spec.charsmap;
  vocabulary.add_space_prefix = spec.prefix != SentencePieceSpec::Prefix::kNever;
  vocabulary.remove_extra_whitespaces = spec.remove_extra_whitespaces;
  return vocabulary;
}

// ---- to the file

void add_tokens(const FileVocabulary& vocabulary, io::GgufContents& contents) {
  contents.add(key_of("tokens"), vocabulary.tokens).add(key_of("token_type"), vocabulary.types);
  if (!vocabulary.scores.empty()) contents.add(key_of("scores"), vocabulary.scores);
}

void add_vocabulary(const FileVocabulary& vocabulary, io::GgufContents& contents) {
  contents.add(key_of("model"), vocabulary.model).add(key_of("pre"), vocabulary.pre);
  add_tokens(vocabulary, contents);
  if (vocabulary.model == "gpt2") contents.add(key_of("merges"), vocabulary.merges);
  if (!vocabulary.charsmap.empty())
    contents.add(key_of("precompiled_charsmap"),
                 std::vector<std::uint8_t>(vocabulary.charsmap.begin(), vocabulary.charsmap.end()));
  if (vocabulary.add_space_prefix)
    contents.add(key_of("add_space_prefix"), *vocabulary.add_space_prefix);
  if (vocabulary.remove_extra_whitespaces)
    contents.add(key_of("remove_extra_whitespaces"), *vocabulary.remove_extra_whitespaces);
}

/// What stands before and after a text, found by trying.
struct Frame {
  std::optional<std::int32_t> before, after;
};

/// llama.cpp knows one token before a text, which it calls BOS, and EOS behind it.
Frame frame_of(const Tokenizer& tokenizer, const fs::path& source) {
  const Ids plain = tokenizer.encode("a").ids;
  Ids framed = tokenizer.encode("a", {.add_special_tokens = true}).ids;
  Frame frame;
  if (framed.size() > plain.size() && framed.back() == tokenizer.special().eos_id) {
    frame.after = framed.back();
    framed.pop_back();
  }
  if (framed.size() > plain.size()) {
    frame.before = framed.front();
    framed.erase(framed.begin());
  }
  HONE_CHECK(
      DataError, framed == plain,
      "{}: puts more around a text than one token before and EOS behind it, which is all that "
      "llama.cpp can put there",
      source.string());
  return frame;
}

void add_roles(const Tokenizer& tokenizer, const Frame& frame, io::GgufContents& contents) {
  const SpecialTokens& special = tokenizer.special();
  const std::pair<const char*, std::optional<std::int32_t>> roles[] = {
      {"bos_token_id", frame.before ? frame.before : special.bos_id},
      {"unknown_token_id", special.unk_id},
      {"padding_token_id", special.pad_id}};
  for (const auto& [name, id] : roles)
    if (id) contents.add(key_of(name), static_cast<std::uint32_t>(*id));
  contents.add(key_of("add_bos_token"), frame.before.has_value())
      .add(key_of("add_eos_token"), frame.after.has_value());
}

/// llama.cpp finds added tokens as they are written, and nothing else.
void warn_of_added(const Tokenizer::Parts& parts) {
  std::vector<std::string> changed;
  for (const AddedToken& token : parts.added.tokens())
    if (token.single_word || ((token.lstrip || token.rstrip) && !token.special))
      changed.push_back(token.content);
  if (!changed.empty())
    log::warn(
        "llama.cpp finds added tokens inside longer words and leaves the spaces around them; "
        "this tokenizer does otherwise for {}",
        fmt::join(changed, ", "));
}

/// The tokens at which a server stops: the file has room for three.
void add_ends(const Tokenizer& tokenizer, const GgufText& text, io::GgufContents& contents) {
  Ids ends;
  const auto add = [&](std::int32_t id) {
    if (std::ranges::count(ends, id) == 0) ends.push_back(id);
  };
  if (tokenizer.special().eos_id) add(*tokenizer.special().eos_id);
  for (const std::string& stop : text.stop_texts)
    if (const auto id = tokenizer.token_to_id(stop)) add(*id);
  for (const std::int32_t id : tokenizer.special().eos_ids) add(id);
  constexpr const char* kNames[] = {"eos_token_id", "eot_token_id", "eom_token_id"};
  for (std::size_t i = 0; i < std::min(ends.size(), std::size(kNames)); ++i)
    contents.add(key_of(kNames[i]), static_cast<std::uint32_t>(ends[i]));
  for (std::size_t i = std::size(kNames); i < ends.size(); ++i)
    log::warn(
        "a GGUF file names three tokens that end a reply; `{}` is one more: name it to the "
        "server as a stop text",
        *tokenizer.id_to_token(ends[i]));
}

/// Another file's metadata, but for what is given anew; its tokens are padded where the embedding
/// has more rows.
void copy_vocabulary(const io::GgufFile& file, const Tokenizer& tokenizer, const GgufText& text,
                     std::int64_t rows, io::GgufContents& contents) {
  const std::string tokens_key = key_of("tokens");
  FileVocabulary vocabulary{.tokens = file.get_strings(tokens_key)};
  const bool is_padded = static_cast<std::int64_t>(vocabulary.tokens.size()) < rows;
  if (is_padded) {
    for (const std::int64_t type : file.get_ints(key_of("token_type")))
      vocabulary.types.push_back(static_cast<std::int32_t>(type));
    if (file.has(key_of("scores"))) vocabulary.scores = file.get_floats(key_of("scores"));
    pad(vocabulary, static_cast<std::size_t>(rows));
    add_tokens(vocabulary, contents);
  }
  add_ends(tokenizer, text, contents);
  for (const auto& [key, value] : file.metadata()) {
    const bool is_replaced = key == "tokenizer.chat_template" && !text.chat_template.empty();
    const bool is_end = key.ends_with(".eot_token_id") || key.ends_with(".eom_token_id");
    if (key.starts_with("tokenizer.") && !contents.has(key) && !is_replaced && !is_end)
      contents.add(key, value);
  }
}

// ---- trying

/// Texts of many scripts and shapes; what tokenizers disagree on is digits, spaces, contractions,
/// letters with marks and symbols.
constexpr const char* kTexts[] = {
    "Hello, world! It's 3.14159 o'clock; we'LL see 1234567 things.",
    "  leading,   inner    and trailing spaces  \n\n\n\ttabs\t\r\nlines\n \n",
    "déjà vu — naïve façade, Ærøskøbing, İstanbul, ﬁne, Å Å ñ ñ",
    "Привет, мир! Καλημέρα κόσμε. שלום עולם. مرحبا بالعالم ١٢٣",
    "你好,世界!这是第12345号。こんにちは、世界。안녕하세요 세계 나는 학생",
    "नमस्ते दुनिया हिन्दी สวัสดีชาวโลก Xin chào thế giới",
    "🙂👩‍👩‍👧‍👦🇩🇪 ½ ² Ⅷ ①② ℃ ∑∫√ $€£¥ §¶†‡•",
    "def f(x):\n    return {'a': [x**2, x//3], \"b\": None}  # comment\n\n\nclass A: pass",
    "https://example.org/path?q=1&r=%20#frag user@mail.example CamelCase snake_case UPPER-case"};

std::string shortened(std::string_view text) {
  return nlohmann::json(std::string(text.substr(0, 80)))
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// @throws DataError for the first text that the two cut otherwise
void require_same_tokens(const Tokenizer& trained, const Tokenizer& served,
                         const fs::path& source) {
  const auto compare = [&](std::string_view text) {
    const EncodeOptions options{.literal = {{0, text.size()}}};
    const Ids expected = trained.encode(text, options).ids, got = served.encode(text, options).ids;
    HONE_CHECK(
        DataError, got == expected,
        "{}: llama.cpp would cut {} into [{}], where the model was trained on [{}]; it has no "
        "counterpart for this tokenizer",
        source.string(), shortened(text), fmt::join(got, ", "), fmt::join(expected, ", "));
  };
  for (const char* text : kTexts) compare(text);
  for (std::size_t id = 0; id < trained.vocab_size(); ++id) {
    const auto one = static_cast<std::int32_t>(id);
    if (!trained.id_to_token(one)) continue;
    const std::string text = trained.decode({&one, 1});
    if (text.find("\uFFFD") == std::string::npos) compare(text);
  }
}

}  // namespace

void add_gguf_vocabulary(const GgufText& text, std::int64_t rows, const fs::path& scratch,
                         io::GgufContents& contents) {
  const Tokenizer tokenizer = Tokenizer::load(text.source);
  HONE_CHECK(DataError, static_cast<std::int64_t>(tokenizer.vocab_size()) <= rows,
             "{}: has {} tokens, the model's embedding {} rows", text.source.string(),
             tokenizer.vocab_size(), rows);
  io::GgufContents added;
  if (text.source.extension() == ".gguf") {
    copy_vocabulary(io::GgufFile(text.source), tokenizer, text, rows, added);
  } else {
    const fs::path json = text.source / "tokenizer.json";
    const auto parts = load_folder(text.source);
    FileVocabulary vocabulary =
        fs::exists(json) ? read_json(json, *parts)
                         : read_sentencepiece_model(text.source / "tokenizer.model", *parts);
    pad(vocabulary, static_cast<std::size_t>(rows));
    add_vocabulary(vocabulary, added);
    add_roles(tokenizer, frame_of(tokenizer, text.source), added);
    warn_of_added(*parts);
    add_ends(tokenizer, text, added);
  }
  const std::string* own = tokenizer.chat_template();
  if (!added.has("tokenizer.chat_template") && (own != nullptr || !text.chat_template.empty()))
    added.add("tokenizer.chat_template", text.chat_template.empty() ? *own : text.chat_template);

  const fs::path trial = scratch / "vocabulary.gguf";
  io::GgufWriter(trial, added).commit();
  try {
    require_same_tokens(tokenizer, Tokenizer::load(trial), text.source);
    const io::GgufFile file(trial);
    for (const auto& [key, value] : file.metadata()) contents.add(key, value);
  } catch (...) {
    fs::remove(trial);
    throw;
  }
  fs::remove(trial);
}

}  // namespace hone::tokenizer
