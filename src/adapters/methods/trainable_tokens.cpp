#include "adapters/methods/keys.h"

namespace hone::adapters {

/// Rows of the embedding, and of the head where that is the same matrix.
/// @source PEFT, TrainableTokensConfig
Method trainable_tokens_method() {
  Method method;
  method.name = "trainable_tokens";
  method.peft_type = "TRAINABLE_TOKENS";
  method.help = "the embedding's rows of trainable_token_indices.";
  method.keys = {option("token_indices", nlohmann::json::array(), "trainable_token_indices"),
                 free_key("target_modules", nlohmann::json::array({"embed_tokens"})),
                 free_key("init_weights", true)};
  method.token_rows = "trainable_tokens_delta";
  return method;
}

}  // namespace hone::adapters
