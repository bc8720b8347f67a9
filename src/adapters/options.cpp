#include "adapters/options.h"

namespace hone::adapters {

using namespace config;

namespace {

void check_has_effect(const AdapterOptions& options, Problems& problems) {
  if (options.trains_adapter()) return;
  for (const char* key :
       {"r", "lora_alpha", "lora_dropout", "use_rslora", "target_modules", "init_from"})
    if (problems.given(key))
      problems.add(key, "has no effect without an adapter; add adapter.method: lora");
}

}  // namespace

bool AdapterOptions::trains_adapter() const { return method == "lora"; }

const Table<AdapterOptions>& AdapterOptions::table() {
  static const Table<AdapterOptions> table(
      "adapter", "What is trained: a small adapter on a frozen base, or the model itself.",
      {field(
           "method", &AdapterOptions::method, "none", choices({"none", "full", "lora"}),
           "lora: low-rank updates of linear layers (arXiv:2106.09685). none, or by its other name "
           "full: every weight of the model is trained."),
       field("r", &AdapterOptions::r, 16, at_least(1), at_most(1 << 16),
             "Rank of the update. 4 to 64 is usually enough."),
       field("lora_alpha", &AdapterOptions::lora_alpha, 32.0, above(0),
             "The update is scaled by lora_alpha / r."),
       field("lora_dropout", &AdapterOptions::lora_dropout, 0.0, at_least(0), below(1),
             "Share of the update's input that is dropped while training."),
       field("use_rslora", &AdapterOptions::use_rslora, false,
             "Scale by lora_alpha / sqrt(r) instead (arXiv:2312.03732)."),
       field("target_modules", &AdapterOptions::target_modules, {"all-linear"}, kScalarOrList,
             "Which layers: all-linear (all but the head), or names as PEFT matches them, by their "
             "last parts: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj."),
       field("init_from", &AdapterOptions::init_from, "",
             "A PEFT folder to go on from; rank, alpha and targets are then its own."),
       check<AdapterOptions>("Options of an adapter are set only where one is trained.",
                             check_has_effect)});
  return table;
}

}  // namespace hone::adapters
