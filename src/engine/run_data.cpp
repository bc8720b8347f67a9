#include "engine/run_data.h"

#include <fmt/ranges.h>

#include "base/log.h"

namespace hone::engine {
namespace {

datasets::TextTools tools_of(const Text& text, const model::Spec& spec) {
  return {text.tokenizer ? &*text.tokenizer : nullptr,
          text.chat_template ? &*text.chat_template : nullptr, spec.vocab_size, text.stop_ids()};
}

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

}  // namespace

datasets::Dataset load_eval_data(const RunOptions& options, const Text& text,
                                 const model::Spec& spec) {
  return datasets::load(options.data.eval, options.data, tools_of(text, spec),
                        spec.max_position_embeddings);
}

datasets::Sampler make_sampler(const RunOptions& options, const datasets::Dataset& rows) {
  std::vector<std::int64_t> lengths = rows.lengths();
  auto order = datasets::RowOrder::plain(
      std::ssize(lengths), static_cast<std::uint64_t>(options.train.seed), options.data.shuffle);
  return datasets::Sampler(
      std::move(lengths), std::move(order),
      {.rows_per_batch = options.train.per_device_train_batch_size,
       .tokens_per_batch = options.train.tokens_per_device_batch,
       .gradient_accumulation_steps = options.train.gradient_accumulation_steps});
}

std::int64_t total_steps(const TrainOptions& train, const datasets::Sampler& sampler) {
  return train.max_steps > 0 ? train.max_steps : sampler.total_steps(train.num_train_epochs);
}

RunData load_run_data(const RunOptions& options, const Text& text, const model::Spec& spec) {
  warn_of_missing_tokens(text);
  RunData data;
  data.train = datasets::load(options.data.train, options.data, tools_of(text, spec),
                              spec.max_position_embeddings);
  if (!options.data.eval.empty()) data.eval = load_eval_data(options, text, spec);
  data.contract = datasets::check_contract(data.train, options.data, text.stop_ids());
  return data;
}

}  // namespace hone::engine
