#include "plan/plan.h"

#include <algorithm>
#include <map>

#include "engine/batch.h"
#include "engine/load_options.h"
#include "engine/preference_options.h"
#include "engine/recomputation.h"
#include "engine/trainable.h"
#include "engine/work.h"
#include "kernels/packed/packed.h"
#include "model/document_lengths.h"
#include "model/outline.h"
#include "model/score_head.h"
#include "model/weights.h"
#include "optim/optimizer.h"

namespace hone::plan {
namespace {

using engine::RunOptions;

/// Steps that the mean of a run's work is taken over.
constexpr std::int64_t kStepsLookedAt = 32;

/// The model and what is trained of it, without numbers.
struct Outline {
  model::Decoder decoder;
  engine::Trainable trainable;
};

/// Where an adapter's first numbers come from does not change its shape.
adapters::AdapterOptions without_numbers(adapters::AdapterOptions options) {
  options.init_lora_weights = "default";
  options.relora_steps = 0;
  return options;
}

Outline outline_of(const config::Loaded<RunOptions>& config, const Source& source,
                   const engine::Placement& placement, std::int64_t steps) {
  const RunOptions& options = config.options;
  model::LoadOptions load = engine::load_options(options.model, placement);
  load.vocab_size = source.base.spec.vocab_size;
  model::Decoder decoder = model::outline_of(source.base.path, load);
  if (options.model.num_labels > 0) model::add_score_head(decoder, options.model.num_labels, 0);
  config::Given given = config.given;
  given.erase("adapter.init_lora_weights");
  engine::Trainable trainable =
      engine::make_trainable(decoder, without_numbers(options.adapter), given,
                             {.added_ids = source.base.text.added_ids(),
                              .total_steps = std::max<std::int64_t>(steps, 1),
                              .base = source.base.path,
                              .master_dtype = placement.master_dtype});
  return {std::move(decoder), std::move(trainable)};
}

std::int64_t bytes_of(const model::WeightSlot& slot) {
  const bool is_packed = slot.linear != nullptr && slot.linear->packed != nullptr;
  return is_packed ? kernels::size_bytes(*slot.linear->packed)
                   : static_cast<std::int64_t>(slot.tensor->nbytes());
}

bool is_frozen(const model::WeightSlot& slot) {
  return (slot.linear != nullptr && slot.linear->packed != nullptr) ||
         !slot.tensor->requires_grad();
}

std::int64_t bytes_of_moments(const Outline& outline, const optim::OptimOptions& options) {
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : optim::Optimizer(outline.trainable.parameters, options).state())
    bytes += static_cast<std::int64_t>(tensor.nbytes());
  return bytes;
}

/// A second model beside the one that is trained. With an adapter the base is the reference.
std::int64_t bytes_of_reference(const RunOptions& options, const engine::Placement& placement) {
  const auto wanted = engine::reference_options(options);
  if (!wanted || wanted->reference == "none") return 0;
  const bool is_base = engine::needs_base(options);
  if (is_base && options.adapter.trains_adapter()) return 0;
  const std::string& model = is_base ? options.model.base : wanted->reference;
  const auto path = engine::resolve_model(model);
  model::Decoder other = model::outline_of(path, engine::load_options(options.model, placement));
  std::int64_t bytes = 0;
  for (const model::WeightSlot& slot : model::weight_slots(other)) bytes += bytes_of(slot);
  return bytes;
}

bool computes_reference(const RunOptions& options) {
  const auto wanted = engine::reference_options(options);
  return wanted && wanted->reference != "none" && wanted->reference_cache == "off";
}

/// As engine::shares_prompts decides it.
bool shares_prompts(const RunOptions& options, const Source& source) {
  const std::map<std::string, std::string> choices = {{"dpo", options.dpo.prefix_sharing},
                                                      {"orpo", options.orpo.prefix_sharing},
                                                      {"reward", options.reward.prefix_sharing}};
  const auto choice = choices.find(options.train.method);
  if (choice == choices.end() || choice->second == "never") return false;
  if (options.train.neftune_noise_alpha > 0) return false;
  if (options.adapter.lora_dropout > 0 && choice->second == "auto") return false;
  std::int64_t longest = 0;
  for (const std::int64_t length : source.data->train.lengths())
    longest = std::max(longest, length);
  return model::can_share_prefixes(source.base.spec, longest);
}

MicroBatch longest_batch(const Source& source, const datasets::Sampler& sampler, std::int64_t steps,
                         bool shares) {
  const datasets::Batch batch =
      datasets::make_batch(source.data->train, sampler.extremes(steps).longest);
  return {engine::stream_tokens(batch, shares), batch.trained_tokens()};
}

/// Adds a step of the data to the sums.
void add_step(const datasets::Batch& batch, engine::StepWork& work, Work& sums) {
  for (std::size_t d = 1; d < batch.cu_seqlens.size(); ++d)
    work.document_lengths.push_back(batch.cu_seqlens[d] - batch.cu_seqlens[d - 1]);
  work.head_rows += batch.trained_tokens();
  sums.tokens += double(batch.tokens());
  sums.trained_tokens += double(batch.trained_tokens());
}

void add_flops(const engine::ModelWork& model, const engine::StepWork& work, Work& sums) {
  sums.step += engine::step_flops(model, work);
  sums.forward += engine::forward_flops(model, work);
}

Work work_of_data(const engine::ModelWork& model, const Source& source,
                  const datasets::Sampler& sampler, std::int64_t steps) {
  Work sums{.steps = steps};
  const std::int64_t count = std::min(steps, kStepsLookedAt);
  for (std::int64_t i = 0; i < count; ++i) {
    engine::StepWork work;
    for (const auto& rows : sampler.step(i * steps / count).micro_batches)
      add_step(datasets::make_batch(source.data->train, rows), work, sums);
    add_flops(model, work, sums);
  }
  for (double* sum : {&sums.step, &sums.forward, &sums.tokens, &sums.trained_tokens})
    *sum /= double(std::max<std::int64_t>(count, 1));
  return sums;
}

Work work_of_statement(const engine::ModelWork& model, const StatedBatch& stated,
                       const engine::TrainOptions& train) {
  Work sums{.steps = train.max_steps};
  const std::int64_t documents = stated.documents * train.gradient_accumulation_steps;
  const engine::StepWork work{
      std::vector<std::int64_t>(std::size_t(documents), stated.tokens / stated.documents),
      stated.tokens * train.gradient_accumulation_steps};
  add_flops(model, work, sums);
  sums.tokens = sums.trained_tokens = double(work.head_rows);
  return sums;
}

/// What is computed beside what counts as work.
void add_again(const RunOptions& options, const std::vector<bool>& recomputed, Work& work) {
  const auto layers = double(std::max<std::size_t>(recomputed.size(), 1));
  const double share = double(std::ranges::count(recomputed, true)) / layers;
  work.again = work.forward * (share + (computes_reference(options) ? 1.0 : 0.0));
}

/// "model.layers.3.mlp.down_proj.weight" gives "model.layers.3"; what is in no layer, its own name.
std::string unit_of(const std::string& weight) {
  const std::string prefix = "model.layers.";
  return weight.starts_with(prefix) ? weight.substr(0, weight.find('.', prefix.size())) : weight;
}

Exchange exchange_of(Outline& outline) {
  Exchange exchange;
  const auto size = std::int64_t(torch::elementSize(outline.decoder.compute_dtype));
  std::map<std::string, std::int64_t> units;
  for (const model::WeightSlot& slot : model::weight_slots(outline.decoder))
    units[unit_of(slot.name)] += is_frozen(slot) ? bytes_of(slot) : slot.tensor->numel() * size;
  exchange.units = std::ssize(units);
  for (const auto& [name, bytes] : units) {
    exchange.weights += bytes;
    exchange.largest_unit = std::max(exchange.largest_unit, bytes);
  }
  for (const optim::Parameter& parameter : outline.trainable.parameters) {
    exchange.gradients += parameter.tensor.numel() * std::int64_t(sizeof(float));
    exchange.trained += static_cast<std::int64_t>(parameter.tensor.nbytes());
  }
  // An adapter's weights are beside the model's.
  if (outline.trainable.adapter) exchange.weights += exchange.trained;
  return exchange;
}

/// What of a model stays as it is, and what the run trains.
void add_weights(Outline& outline, const RunOptions& options, const engine::Placement& placement,
                 Memory& memory) {
  for (const model::WeightSlot& slot : model::weight_slots(outline.decoder))
    if (is_frozen(slot)) memory.weights += bytes_of(slot);
  for (const optim::Parameter& parameter : outline.trainable.parameters)
    memory.trained += static_cast<std::int64_t>(parameter.tensor.nbytes());
  memory.moments = bytes_of_moments(outline, options.optim);
  if (placement.device.is_cuda() && options.optim.name.starts_with("paged_"))
    memory.host = memory.moments;
  memory.reference = bytes_of_reference(options, placement);
}

}  // namespace

Source open_source(const RunOptions& options, const StatedBatch& stated,
                   const std::string& device) {
  Source source{.base = engine::open_base(options.model, options.data.chat_template,
                                          {options.adapter.init_from}),
                .data = {},
                .stated = stated,
                .device = device};
  if (stated.tokens == 0)
    source.data = engine::load_run_data(options, source.base.text, source.base.spec);
  return source;
}

Plan make_plan(const config::Loaded<RunOptions>& config, const Source& source) {
  const RunOptions& options = config.options;
  const engine::Placement placement =
      engine::place(source.device, options.train.precision, options.model.dtype);
  std::optional<datasets::Sampler> sampler;
  std::int64_t steps = options.train.max_steps;
  if (source.data) {
    sampler.emplace(engine::make_sampler(options, *source.data));
    steps = engine::total_steps(options.train, *sampler);
  }
  Outline outline = outline_of(config, source, placement, steps);
  const bool shares = source.data && shares_prompts(options, source);

  Plan plan;
  plan.parameters = model::parameter_count(outline.decoder.spec);
  plan.trained_parameters = outline.trainable.parameter_count();
  plan.weights_kept_as = engine::kept_as(outline.decoder);
  plan.micro_batches = options.train.gradient_accumulation_steps;
  plan.trains_adapter = options.adapter.trains_adapter();
  plan.compute_dtype = placement.compute_dtype;
  plan.longest = sampler ? longest_batch(source, *sampler, steps, shares)
                         : MicroBatch{source.stated.tokens, source.stated.tokens};

  const auto recomputation = engine::make_recomputation(
      options.train, outline.decoder.layers.size(), outline.trainable.dropout);
  const std::vector<bool> recomputed = recomputation ? recomputation->layers : std::vector<bool>();
  plan.step = step_memory(outline.decoder, outline.trainable, plan.longest,
                          {.recomputed = recomputed,
                           .activation_budget = options.train.gradient_checkpointing == "budget"
                                                    ? options.train.activation_budget_mb * 1'000'000
                                                    : 0,
                           .keeps_gradients = plan.micro_batches > 1,
                           .updates_in_backward = options.optim.step_in_backward});
  add_weights(outline, options, placement, plan.memory);
  plan.memory.gradients = plan.step.gradients;
  plan.memory.activations = plan.step.activations();

  const engine::ModelWork model = engine::model_work(outline.decoder, plan.trained_parameters);
  plan.work = sampler ? work_of_data(model, source, *sampler, steps)
                      : work_of_statement(model, source.stated, options.train);
  add_again(options, recomputed, plan.work);
  plan.exchange = exchange_of(outline);
  return plan;
}

}  // namespace hone::plan
