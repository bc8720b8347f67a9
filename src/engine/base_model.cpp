#include "engine/base_model.h"

#include <algorithm>

#include "adapters/vocabulary.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "engine/load_options.h"
#include "model/load.h"

namespace hone::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTokenizerFile = "tokenizer.json";

/// The first adapter that brings a tokenizer, or "". @throws ConfigError where another brings
/// another
std::string with_tokenizer(const std::vector<std::string>& adapters) {
  std::string found;
  for (const std::string& adapter : adapters) {
    if (adapter.empty() || !fs::exists(fs::path(adapter) / kTokenizerFile)) continue;
    if (found.empty()) found = adapter;
    HONE_CHECK(ConfigError,
               sha256_file(fs::path(found) / kTokenizerFile) ==
                   sha256_file(fs::path(adapter) / kTokenizerFile),
               "{} and {} were trained with different tokenizers; they cannot be used together",
               found, adapter);
  }
  return found;
}

/// An adapter that brings a tokenizer keeps it: its config may repeat the tokens, not add to them.
Text text_of_adapter(const std::string& adapter, const std::string& chat_template,
                     const std::vector<tokenizer::NewToken>& added) {
  Text text = open_text(fs::path(adapter), chat_template);
  for (const tokenizer::NewToken& token : added)
    HONE_CHECK(ConfigError, text.tokenizer->token_to_id(token.content),
               "model.add_tokens: `{}` is not in the vocabulary that the adapter {} was trained "
               "with; its rows have their size. Leave the token out, or start a new adapter",
               token.content, adapter);
  return text;
}

}  // namespace

std::vector<tokenizer::NewToken> added_tokens(const ModelOptions& options) {
  std::vector<tokenizer::NewToken> added;
  for (const std::string& token : options.add_tokens) added.push_back({token, false});
  for (const std::string& token : options.add_special_tokens) added.push_back({token, true});
  return added;
}

Text open_text(const ModelOptions& options, const std::string& chat_template,
               const std::vector<std::string>& adapters) {
  const std::vector<tokenizer::NewToken> added = added_tokens(options);
  if (const std::string adapter = with_tokenizer(adapters); !adapter.empty())
    return text_of_adapter(adapter, chat_template, added);
  const fs::path base = resolve_model(options.base);
  HONE_CHECK(ConfigError, added.empty() || fs::exists(base / kTokenizerFile),
             "model.add_tokens: {} has no {} to add tokens to; expected a Hugging Face folder with "
             "one, as transformers' save_pretrained writes it",
             base.string(), kTokenizerFile);
  return open_text(base, chat_template, added);
}

BaseModel open_base(const ModelOptions& options, const std::string& chat_template,
                    const std::vector<std::string>& adapters) {
  BaseModel base;
  base.path = resolve_model(options.base);
  base.text = open_text(options, chat_template, adapters);
  base.spec = model::load_spec(base.path, options.rope_scaling);
  const std::int64_t own = base.spec.vocab_size;
  std::int64_t needed = own;
  for (const std::int64_t id : base.text.added_ids()) needed = std::max(needed, id + 1);
  for (const std::string& adapter : adapters)
    if (!adapter.empty()) needed = std::max(needed, adapters::vocab_size_for(adapter, own));
  if (needed > own) log::info("tokens  the vocabulary grows from {} to {}", own, needed);
  base.spec.vocab_size = needed;
  return base;
}

model::Decoder load_base(const BaseModel& base, const ModelOptions& options,
                         const Placement& placement) {
  model::LoadOptions load = load_options(options, placement);
  load.vocab_size = base.spec.vocab_size;
  return model::load_decoder(base.path, load);
}

}  // namespace hone::engine
