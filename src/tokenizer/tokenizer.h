#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/encoding.h"

namespace hone::tokenizer {

struct EncodeOptions {
  /// Lets the post-processor add what the model expects around a text (a BOS token, say). A
  /// rendered chat template already holds it.
  bool add_special_tokens = false;
  /// Byte ranges (ascending, apart) that no special token may touch: text that users wrote. Added
  /// tokens that are not special, such as <think> in Qwen's vocabulary, are text like any other and
  /// are recognised everywhere, as they are where the model is served.
  std::vector<TextRange> literal = {};
};

/// A token that is added to a vocabulary: found in text as it is written, whatever stands around
/// it.
struct NewToken {
  std::string content;
  bool special = false;  ///< as in EncodeOptions::literal and decode(skip_special)
};

/// One text of a batch.
struct EncodeRequest {
  std::string_view text;
  EncodeOptions options = {};
};

/// The tokens with a role of their own, and what a chat template sees of them.
struct SpecialTokens {
  std::optional<std::int32_t> bos_id, eos_id, pad_id, unk_id;
  /// Every id that ends generation: eos_id and those of generation_config.json.
  std::vector<std::int32_t> eos_ids;
  /// "bos_token", "eos_token", … with their spellings, as in transformers' special_tokens_map.
  std::map<std::string, std::string> names;
};

/// Text to tokens and back, as Hugging Face tokenizers do it:
/// added tokens → normalizer → pre-tokenizer → model → post-processor, and a decoder back.
/// Immutable and cheap to copy; every const member may be called from many threads at once.
class Tokenizer {
 public:
  /// @param path a Hugging Face folder, a tokenizer.json, a SentencePiece tokenizer.model, or a
  ///   .gguf file
  /// @param added tokens that the files lack; their ids follow those that there are, as
  ///   transformers gives them
  /// @throws DataError naming file and field when something is missing, malformed or not supported
  /// @throws ConfigError where one of `added` is empty, given twice, or in the vocabulary already
  static Tokenizer load(const std::filesystem::path& path, const std::vector<NewToken>& added = {});

  /// @throws DataError naming the byte offset when `text` is not UTF-8
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;

  /// `encode` of each request, in their order.
  /// @param threads how many work on it, the calling one included
  /// @throws what `encode` throws for the first request, in their order, that it refuses
  std::vector<Encoding> encode_batch(std::span<const EncodeRequest> requests,
                                     unsigned threads) const;

  /// Bytes that are not UTF-8 become U+FFFD; ids that the vocabulary lacks give nothing.
  std::string decode(std::span<const std::int32_t> ids, bool skip_special = false) const;

  /// Tokens are spelt as in the vocabulary (byte-level ones in GPT-2's alphabet).
  std::optional<std::int32_t> token_to_id(std::string_view token) const;
  std::optional<std::string_view> id_to_token(std::int32_t id) const;
  bool is_special(std::int32_t id) const;
  /// The spellings of all special tokens, in the order of the file.
  std::vector<std::string> special_token_texts() const;
  /// One more than the largest id, added tokens included.
  std::size_t vocab_size() const;

  const SpecialTokens& special() const;

  /// The chat template's Jinja source; nothing for most base models.
  /// @param with_tools prefers the template named "tool_use" where the model has several
  const std::string* chat_template(bool with_tools = false) const;

  struct Parts;
  explicit Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

 private:
  std::shared_ptr<const Parts> parts_;
};

}  // namespace hone::tokenizer
