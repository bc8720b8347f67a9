#include "tokenizer/gguf_pre_tokenizers.h"

#include <algorithm>

#include "tokenizer/known_patterns.h"

namespace hone::tokenizer {
namespace {

constexpr const char* kDigit = R"(\p{N})";
constexpr const char* kThreeDigits = R"(\p{N}{1,3})";
constexpr const char* kDigitsFromTheRight = R"(\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N})))";
constexpr const char* kLines = R"([^\n]+|[\n]+)";
constexpr const char* kQwen35Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kJais2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})";
constexpr const char* kMiniCpm5Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kUfakzekaPattern =
    R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kSeedCoderPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kBailingPattern =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr const char* kExaoneMoePattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr const char* kYoutuPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kKimiK2Pattern =
    R"([\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kBloomPattern = R"( ?[^(\s|.,!?…。，、।۔،)]+)";
constexpr const char* kAsciiPunctuationPattern =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kKanaAndHan = R"([一-龥぀-ゟ゠-ヿ]+)";

// The names and what they stand for are llama.cpp's (src/llama-vocab.cpp, llm_tokenizer_bpe); the
// patterns are those of the models' own tokenizer.json files where it quotes them.
const std::vector<GgufPreTokenizer>& table() {
  static const std::vector<GgufPreTokenizer> instance{
      {.names = {"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling",
                 "roberta-bpe", "exaone4", "modern-bert", "gigachat", "mellum", "a.x-4.0",
                 "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v1-en", "jina-v2-code"},
       .patterns = {kGpt2Pattern}},
      {.names = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b",
                 "mellum2"},
       .patterns = {kDigit, kGpt2Pattern}},
      {.names = {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2",
                 "midm-2.0", "jina-v5-nano"},
       .patterns = {kLlama3Pattern},
       .ignore_merges = true,
       .adds_bos = true},
      {.names = {"glm4", "glm5"}, .patterns = {kLlama3Pattern}, .ignore_merges = true},
      {.names = {"dbrx", "smaug-bpe", "chatglm-bpe"}, .patterns = {kLlama3Pattern}},
      {.names = {"jais-2"}, .patterns = {kJais2Pattern}},
      {.names = {"minicpm5"}, .patterns = {kThreeDigits, kMiniCpm5Pattern}, .ignore_merges = true},
      {.names = {"qwen2", "deepseek-r1-qwen", "megrez", "kormo", "f2llmv2"},
       .patterns = {kQwen2Pattern},
       .nfc = true},
      {.names = {"stablelm2", "hunyuan", "solar-open", "grok-2"}, .patterns = {kQwen2Pattern}},
      {.names = {"laguna"}, .patterns = {kLines, kQwen2Pattern}},
      {.names = {"qwen35"}, .patterns = {kQwen35Pattern}, .nfc = true},
      {.names = {"ufakzeka"}, .patterns = {kUfakzekaPattern}},
      {.names = {"seed-coder"}, .patterns = {kSeedCoderPattern}},
      {.names = {"bailingmoe", "bailingmoe2", "llada-moe"}, .patterns = {kBailingPattern}},
      {.names = {"exaone-moe"}, .patterns = {kExaoneMoePattern}},
      {.names = {"deepseek-v3", "hunyuan-dense", "hy_v4", "joyai-llm"},
       .patterns = {kThreeDigits, kKanaAndHan, kAsciiPunctuationPattern}},
      {.names = {"spark2_5"},
       .patterns =
           {kThreeDigits, kKanaAndHan,
            R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)",
            kDigit}},
      {.names = {"deepseek-llm"},
       .patterns =
           {R"([\r\n])",
            R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)",
            R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)", R"(\s+$)", R"([一-龥ࠀ-一가-퟿]+)",
            R"(\p{N}+)"}},
      {.names = {"deepseek-coder"},
       .patterns = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", R"([一-龥ࠀ-一가-퟿]+)",
                    R"(\p{N})"}},
      {.names = {"youtu"},
       .patterns =
           {R"([가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+)",
            kYoutuPattern},
       .ignore_merges = true},
      {.names = {"falcon"},
       .patterns = {R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2Pattern, R"([0-9][0-9][0-9])"}},
      {.names = {"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"},
       .patterns = {kGpt4oPattern}},
      {.names = {"granite-embed-multi-97m"}, .patterns = {kGpt4oPattern}, .ignore_merges = true},
      {.names = {"tiny_aya", "cohere2moe"}, .patterns = {kDigitsFromTheRight, kGpt4oPattern}},
      {.names = {"tekken"}, .patterns = {kTekkenPattern}, .ignore_merges = true, .adds_bos = true},
      {.names = {"kimi-k2"}, .patterns = {kKimiK2Pattern}},
      {.names = {"bloom", "gpt3-finnish", "poro-chat"}, .patterns = {kBloomPattern}},
      {.names = {"viking"}, .patterns = {kBloomPattern, kDigit}},
      {.names = {"chameleon"},
       .patterns = {R"(<sentinel:[0-9]+>)", R"((IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z)",
                    R"(([\t\n]|    |  ))", kDigit, R"([\p{P}!-/:-@\[-`{-~])", kGpt2Pattern},
       .adds_bos = true},
      {.names = {"superbpe"}, .patterns = {R"(\p{N}+)", R"((?=(\d{3})+(?!\d)))"}},
      {.names = {"afmoe"},
       .patterns =
           {kDigitsFromTheRight,
            R"([一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+)",
            kAsciiPunctuationPattern}},
      {.names = {"gemma4", "granite-embed-multi-311m", "sarvam-moe"},
       .patterns = {kLines},
       .spells_spaces = true},
      {.names = {"default"},
       .patterns = {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2Pattern, R"(\p{N}+)", R"([0-9][0-9][0-9])"}},
  };
  return instance;
}

}  // namespace

const GgufPreTokenizer* find_gguf_pre_tokenizer(std::string_view name) {
  for (const GgufPreTokenizer& kind : table()) {
    if (std::find(kind.names.begin(), kind.names.end(), name) != kind.names.end()) return &kind;
  }
  return nullptr;
}

const GgufPreTokenizer* find_gguf_pre_tokenizer(const std::vector<std::string>& patterns,
                                                bool ignore_merges, bool nfc) {
  const GgufPreTokenizer* best = nullptr;
  int best_fit = -1;
  for (const GgufPreTokenizer& kind : table()) {
    if (kind.spells_spaces || !std::ranges::equal(kind.patterns, patterns)) continue;
    const int fit = 2 * (kind.ignore_merges == ignore_merges) + (kind.nfc == nfc);
    if (fit <= best_fit) continue;
    best = &kind;
    best_fit = fit;
  }
  return best;
}

std::string gguf_pre_tokenizer_names() {
  std::string names;
  for (const GgufPreTokenizer& kind : table()) {
    for (const std::string_view name : kind.names)
      names.append(names.empty() ? "" : " ").append(name);
  }
  return names;
}

}  // namespace hone::tokenizer
