#include "optim/method.h"

#include <c10/util/accumulate.h>

#include <algorithm>

#include "base/error.h"
#include "optim/rules.h"

namespace hone::optim {
namespace {

template <const Rule& (*rule)()>
const Rule& always(const Parameter&, const OptimOptions&) {
  return rule();
}

/// As bitsandbytes: a small tensor saves nothing and loses accuracy.
template <const Rule& (*large)(), const Rule& (*small)()>
const Rule& by_size(const Parameter& parameter, const OptimOptions& options) {
  return whole_numel(parameter) >= options.min_8bit_size ? large() : small();
}

const Rule& muon_or_adamw(const Parameter& parameter, const OptimOptions&) {
  return is_hidden_matrix(parameter) ? muon_rule() : adamw_rule();
}

const Rule& galore_or_adamw(const Parameter& parameter, const OptimOptions& options) {
  const bool projected =
      is_hidden_matrix(parameter) && std::ranges::min(whole_shape(parameter)) > options.galore_rank;
  return projected ? galore_adamw_rule() : adamw_rule();
}

const std::vector<std::string> kAdamKeys = {"adam_beta1", "adam_beta2", "adam_epsilon"};

std::vector<std::string> with_adam_keys(std::vector<std::string> keys) {
  keys.insert(keys.end(), kAdamKeys.begin(), kAdamKeys.end());
  return keys;
}

std::vector<Method> make_methods() {
  const std::vector<std::string> adafactor = {"adafactor_scale_parameter",
                                              "adafactor_relative_step",
                                              "adafactor_warmup_init",
                                              "adafactor_clip_threshold",
                                              "adafactor_decay_rate",
                                              "adafactor_beta1",
                                              "adafactor_eps1",
                                              "adafactor_eps2"};
  return {
      {"adamw", "Adam with decoupled weight decay (arXiv:1711.05101)", with_adam_keys({"amsgrad"}),
       always<adamw_rule>},
      {"adam", "the decay is added to the gradient (arXiv:1412.6980)", with_adam_keys({"amsgrad"}),
       always<adam_rule>},
      {"adagrad",
       "the rate falls with the squares seen so far",
       {"adagrad_lr_decay", "adagrad_epsilon"},
       always<adagrad_rule>},
      {"rmsprop",
       "the gradient over its running size",
       {"rmsprop_alpha", "rmsprop_epsilon", "rmsprop_centered", "momentum"},
       always<rmsprop_rule>},
      {"sgd",
       "gradient descent, with momentum if wanted",
       {"momentum", "dampening", "nesterov"},
       always<sgd_rule>},
      {"lion",
       "the sign of a momentum, half of AdamW's memory; wants a rate 3 to 10 times lower, "
       "adam_beta2 0.99 (arXiv:2302.06675)",
       {"adam_beta1", "adam_beta2"},
       always<lion_rule>},
      {"adafactor", "second moments by row and column (arXiv:1804.04235), as transformers has it",
       adafactor, always<adafactor_rule>},
      {"adafactor_torch",
       "the same as torch has it",
       {"adafactor_clip_threshold", "adafactor_decay_rate", "adafactor_eps1", "adafactor_eps2"},
       always<adafactor_torch_rule>},
      {"muon", "orthogonalised momentum for matrices, AdamW for the rest (as torch.optim.Muon)",
       with_adam_keys(
           {"amsgrad", "muon_momentum", "muon_nesterov", "muon_ns_steps", "muon_adjust_lr_fn"}),
       muon_or_adamw},
      {"adamw_8bit", "moments in 8 bits by blocks of 256 (arXiv:2110.02861), as bitsandbytes",
       with_adam_keys({"min_8bit_size"}), by_size<adamw_8bit_rule, adamw_rule>},
      {"lion_8bit",
       "Lion's moment in 8 bits",
       {"adam_beta1", "adam_beta2", "min_8bit_size"},
       by_size<lion_8bit_rule, lion_rule>},
      {"paged_adamw_32bit",
       "AdamW whose moments stay in host memory (pinned on a GPU's machine) and are fetched a "
       "portion at a time; the same numbers",
       with_adam_keys({"amsgrad"}), always<paged_adamw_rule>},
      {"paged_adamw_8bit", "adamw_8bit with its moments in host memory",
       with_adam_keys({"min_8bit_size"}), by_size<paged_adamw_8bit_rule, paged_adamw_rule>},
      {"paged_lion_32bit",
       "Lion with its moment in host memory",
       {"adam_beta1", "adam_beta2"},
       always<paged_lion_rule>},
      {"paged_lion_8bit",
       "lion_8bit with its moment in host memory",
       {"adam_beta1", "adam_beta2", "min_8bit_size"},
       by_size<paged_lion_8bit_rule, paged_lion_rule>},
      {"galore_adamw", "AdamW on gradients projected to galore_rank dimensions (arXiv:2403.03507)",
       with_adam_keys({"amsgrad", "galore_rank", "galore_update_proj_gap", "galore_scale"}),
       galore_or_adamw},
  };
}

}  // namespace

std::vector<std::int64_t> whole_shape(const Parameter& parameter) {
  return parameter.part ? parameter.part->shape : parameter.tensor.sizes().vec();
}

std::int64_t whole_numel(const Parameter& parameter) {
  return c10::multiply_integers(whole_shape(parameter));
}

bool takes_weight_decay(const std::string& name) {
  return name.find("norm") == std::string::npos && name.find(".bias") == std::string::npos;
}

bool is_hidden_matrix(const Parameter& parameter) {
  const auto holds = [&](const char* part) {
    return parameter.name.find(part) != std::string::npos;
  };
  return whole_shape(parameter).size() == 2 && !holds("embed") && !holds("lm_head") &&
         !holds("score");
}

const std::vector<Method>& methods() {
  static const std::vector<Method> table = make_methods();
  return table;
}

const Method& method_named(const std::string& name) {
  for (const Method& method : methods())
    if (method.name == name) return method;
  throw InternalError("no optimizer is called " + name);
}

}  // namespace hone::optim
