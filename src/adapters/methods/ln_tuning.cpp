#include "adapters/methods/keys.h"

namespace hone::adapters {

/// @source arXiv:2312.11420
Method ln_tuning_method() {
  Method method;
  method.name = "ln_tuning";
  method.peft_type = "LN_TUNING";
  method.help = "the norms' weights (arXiv:2312.11420).";
  method.keys = {option("target_modules", nullptr), option("exclude_modules", nullptr),
                 option("modules_to_save", nullptr)};
  method.kinds = {SiteKind::kNorm};
  method.replaces_weight = "ln_tuning_layers.weight";
  return method;
}

}  // namespace hone::adapters
