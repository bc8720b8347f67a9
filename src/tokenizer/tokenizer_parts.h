#pragma once

#include <map>
#include <memory>
#include <string>

#include "io/gguf.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/decoder.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/model.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/sentencepiece_spec.h"
#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {

/// What a tokenizer is made of. Built by one of the readers below, then never changed.
struct Tokenizer::Parts {
  AddedTokens added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::unique_ptr<const Model> model;
  PostProcessor post_processor;
  Decoder decoder;
  SpecialTokens special;
  std::map<std::string, std::string> chat_templates;  // "default", "tool_use", …

  std::optional<std::string_view> id_to_token(std::int32_t id) const;
  std::optional<std::int32_t> token_to_id(std::string_view token) const;
  /// Gives a special token its role: "bos_token" and the like.
  void set_special(const std::string& name, const std::string& token);
  void add_eos_id(std::int32_t id);
  /// One more than the largest id, added tokens included.
  std::int32_t size() const;
  /// More added tokens, with the ids behind those that there are.
  /// @throws ConfigError as Tokenizer::load
  void extend(const std::vector<NewToken>& tokens);
};

/// Builds the pipeline from the content of a tokenizer.json.
/// @param extra_added added tokens that another file declares; those of `root` come first
/// @throws DataError naming the field
std::shared_ptr<Tokenizer::Parts> build_parts(const JsonField& root,
                                              const std::vector<AddedToken>& extra_added = {});

/// Builds the pipeline of a SentencePiece model.
/// @param extra_added added tokens that another file declares
/// @throws DataError naming what the model lacks
std::shared_ptr<Tokenizer::Parts> build_parts(const SentencePieceSpec& spec,
                                              const std::vector<AddedToken>& extra_added = {});

/// Reads one entry of "added_tokens". @param id where the entry does not hold it
AddedToken parse_added_token(const JsonField& field, std::optional<std::int32_t> id = {});

/// The "type" of a tokenizer.json's "model".
std::string model_type(const JsonField& field);

/// Builds a tokenizer.json's "model". Text never becomes a special token of `added` by itself.
/// @param byte_level words are plain bytes, and the vocabulary is spelt in GPT-2's alphabet (BPE)
/// @throws DataError for an unknown type or a field of the wrong type
std::unique_ptr<Model> make_model(const JsonField& field, bool byte_level,
                                  const AddedTokens& added);

/// A folder as transformers saves it: tokenizer.json or else tokenizer.model, and where they are
/// there tokenizer_config.json, special_tokens_map.json, generation_config.json,
/// chat_template.jinja.
std::shared_ptr<Tokenizer::Parts> load_folder(const std::filesystem::path& folder);

/// A SentencePiece tokenizer.model by itself. As with transformers' Llama and T5 tokenizers, a BPE
/// model begins a text with its BOS token, and a unigram model ends it with EOS.
std::shared_ptr<Tokenizer::Parts> load_sentencepiece(const std::filesystem::path& path);

/// The vocabulary inside a GGUF file.
/// @throws DataError naming the key for a kind of model or of pre-tokenizer that hone does not know
std::shared_ptr<Tokenizer::Parts> load_gguf(const io::GgufFile& file);

}  // namespace hone::tokenizer
