#include "engine/methods.h"

#include <algorithm>

#include "base/error.h"

namespace hone::engine {

std::span<const Method> methods() {
  static const std::vector<Method> table = {
      {"sft", "supervised fine-tuning on conversations, texts or tokens",
       datasets::document_kinds()},
      {"dpo",
       "direct preference optimisation and its family, on pairs of answers",
       {datasets::RecordKind::kPreference}},
      {"kto",
       "Kahneman-Tversky optimisation and BCO, on answers with a label each",
       {datasets::RecordKind::kUnpaired}},
      {"orpo",
       "ORPO, CPO, SimPO and AlphaPO, on pairs of answers and without a reference",
       {datasets::RecordKind::kPreference}},
      {"reward",
       "a reward model, on pairs of answers, or on answers or steps with a score each",
       {datasets::RecordKind::kPreference, datasets::RecordKind::kScored,
        datasets::RecordKind::kStepwise}},
  };
  return table;
}

const Method& method_named(std::string_view name) {
  const auto found = std::ranges::find(methods(), name, &Method::name);
  HONE_CHECK(ConfigError, found != methods().end(), "train.method: there is no method '{}'", name);
  return *found;
}

}  // namespace hone::engine
