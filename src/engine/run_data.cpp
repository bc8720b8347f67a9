#include "engine/run_data.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/log.h"
#include "datasets/joined.h"
#include "datasets/lent_answers.h"
#include "engine/length_weights.h"
#include "engine/methods.h"
#include "engine/run_lineage.h"
#include "report/rows_progress.h"

namespace hone::engine {
namespace {

/// A named template is only as good as the tokens that it is made of.
void warn_of_missing_tokens(const Text& text) {
  if (text.named_template == nullptr || !text.tokenizer) return;
  const auto missing = tokenizer::missing_tokens(*text.named_template, *text.tokenizer);
  if (missing.empty()) return;
  log::warn(
      "data.template {}: the tokenizer does not have {} as special tokens, so they would be "
      "pieces of text; {}",
      text.named_template->name, fmt::join(missing, ", "),
      tokenizer::offer_templates(*text.tokenizer));
}

/// Whether a row's loss hangs on the rows beside it, or on their order.
bool has_neighbours(const RunOptions& options) {
  if (options.train.method == "kto") return options.kto.kl_scope == "micro_batch";
  if (options.train.method != "dpo") return false;
  const DpoOptions& dpo = options.dpo;
  // AOT's sorting has pairs that are alike change places; a weight multiplies a mean over all.
  return std::ranges::any_of(dpo.loss_type,
                             [&](const std::string& type) {
                               return type.starts_with("aot") ||
                                      (dpo.use_weighting && type == "sft");
                             }) ||
         (dpo.use_weighting && dpo.rpo_alpha > 0);
}

}  // namespace

bool shares_out_rows(const RunOptions& options) {
  const std::string& balance = options.distributed.balance;
  if (balance != "auto") return balance == "always";
  const adapters::AdapterOptions& adapter = options.adapter;
  const bool may_drop =
      adapter.trains_adapter() && (adapter.lora_dropout > 0 || !adapter.init_from.empty());
  // EVA looks at the first micro-batches one after the other, and stops at one of them.
  const bool looks_first = adapter.trains_adapter() && adapter.init_lora_weights == "eva";
  return !may_drop && !looks_first && options.train.neftune_noise_alpha == 0 &&
         !has_neighbours(options);
}

datasets::TextTools text_tools(const Text& text, const model::Spec& spec) {
  datasets::TextTools tools = {.tokenizer = text.tokenizer ? &*text.tokenizer : nullptr,
                               .chat_template = text.chat_template ? &*text.chat_template : nullptr,
                               .vocab_size = spec.vocab_size,
                               .stop_ids = text.stop_ids()};
  if (text.tokenizer) tools.tokenizer_sha256 = text.tokenizer_sha256();
  return tools;
}

datasets::TextTools training_tools(const RunOptions& options, const Text& text,
                                   const model::Spec& spec) {
  datasets::TextTools tools = text_tools(text, spec);
  tools.kinds = method_named(options.train.method).kinds;
  return tools;
}

datasets::Dataset load_rows(const std::vector<std::string>& files,
                            const datasets::DataOptions& options, const datasets::TextTools& tools,
                            std::int64_t context_length) {
  report::RowsProgress progress;
  const auto watch = [&](const datasets::LoadProgress& done) {
    progress.update({done.rows, done.bytes, done.total_bytes});
  };
  const datasets::LoadSettings settings = {.threads = at::get_num_threads(), .watch = watch};
  datasets::Dataset data = datasets::load(files, options, tools, context_length, settings);
  progress.finish();
  return data;
}

datasets::Dataset load_eval_data(const RunOptions& options, const Text& text,
                                 const model::Spec& spec) {
  return load_rows(options.data.eval, options.data, training_tools(options, text, spec),
                   model::context_length(spec));
}

datasets::Sampler make_sampler(const RunOptions& options, const RunData& data, int world) {
  datasets::RowOrder order(datasets::stages_of(options.data, data.source_sizes),
                           static_cast<std::uint64_t>(options.train.seed), options.data.shuffle);
  return datasets::Sampler(
      data.train.lengths(), std::move(order),
      {.rows_per_batch = options.train.per_device_train_batch_size,
       .tokens_per_batch = options.train.tokens_per_device_batch,
       .gradient_accumulation_steps = options.train.gradient_accumulation_steps * world,
       .balance = shares_out_rows(options)});
}

std::int64_t total_steps(const TrainOptions& train, const datasets::Sampler& sampler) {
  return train.max_steps > 0 ? train.max_steps : sampler.total_steps(train.num_train_epochs);
}

RunData load_run_data(const RunOptions& options, const Text& text, const model::Spec& spec) {
  warn_of_missing_tokens(text);
  RunData data;
  std::vector<datasets::Dataset> sources;
  const datasets::TextTools tools = training_tools(options, text, spec);
  const auto load_source = [&](const std::string& name, const std::string& license,
                               const std::vector<std::string>& files,
                               const datasets::DataOptions& how) {
    sources.push_back(load_rows(files, how, tools, model::context_length(spec)));
    data.source_sizes.push_back(sources.back().size());
    data.inputs.push_back(describe_rows(name, license, files, sources.back(), how));
  };
  const datasets::DataOptions& own = options.data;
  if (own.sources.empty()) load_source("data.train", own.license, own.train, own);
  for (const datasets::SourceOptions& source : own.sources)
    load_source(source.name, source.license, source.files, datasets::options_of(source, own));
  data.train = datasets::join(sources);
  if (!own.eval.empty()) {
    data.eval = load_eval_data(options, text, spec);
    data.inputs.push_back(describe_rows("data.eval", own.eval_license, own.eval, data.eval, own));
  }
  data.contract = datasets::check_contract(data.train, own);
  const std::int64_t limit = own.max_length.value_or(model::context_length(spec));
  for (datasets::Dataset* rows : {&data.train, &data.eval}) {
    if (rows->empty()) continue;
    if (lends_answers(options)) *rows = datasets::with_lent_answers(*rows, limit);
    if (const double alpha = length_alpha(options); alpha < 1)
      *rows = with_length_weights(*rows, alpha);
  }
  return data;
}

}  // namespace hone::engine
