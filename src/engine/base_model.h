#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/options.h"
#include "engine/text.h"
#include "model/decoder.h"

namespace hone::engine {

/// What a config names as its model, before a weight is read.
struct BaseModel {
  std::filesystem::path path;
  model::Spec spec;  ///< with the rows that added tokens need
  Text text;
};

/// @param adapters PEFT folders that go onto the model; "" is none. The tokens that were added for
///        one come with it: a tokenizer in it is taken in the place of the model's
/// @throws DataError; ConfigError where tokens are to be added that cannot be, or where two
/// adapters
///         bring different tokenizers
BaseModel open_base(const ModelOptions& options, const std::string& chat_template,
                    const std::vector<std::string>& adapters = {});

/// The text tools alone, as open_base finds them: the model may be nothing but a tokenizer.
Text open_text(const ModelOptions& options, const std::string& chat_template,
               const std::vector<std::string>& adapters);

/// The weights of an opened model, without adapters.
model::Decoder load_base(const BaseModel& base, const ModelOptions& options,
                         const Placement& placement);

/// model.add_tokens and model.add_special_tokens.
std::vector<tokenizer::NewToken> added_tokens(const ModelOptions& options);

}  // namespace hone::engine
