#include "adapters/merge.h"

#include <ATen/ops/log_softmax.h>
#include <fmt/ranges.h>

#include "adapters/combine.h"
#include "base/file.h"
#include "base/log.h"
#include "base/philox.h"
#include "checkpoint/folder_writer.h"
#include "cli/model_arguments.h"
#include "cli/rows.h"
#include "engine/run_lineage.h"
#include "engine/text.h"
#include "model/head.h"
#include "model/load.h"

namespace hone::cli {
namespace {

namespace fs = std::filesystem;
using torch::Tensor;

struct Arguments {
  std::string model, output, dtype = "fp32", input;
  std::vector<std::string> adapters;
  adapters::Combination combination;
  bool keep_adapter = false;
};

constexpr std::int64_t kRandomTokens = 256;

/// The tokens that the cost is measured on: each row of --input, or one row of random ids.
std::vector<std::vector<std::int64_t>> rows_of(const Arguments& arguments, const fs::path& base,
                                               std::int64_t vocab_size) {
  std::vector<std::vector<std::int64_t>> documents;
  if (arguments.input.empty()) {
    documents.emplace_back();
    for (std::uint64_t i = 0; i < kRandomTokens; ++i)
      documents.back().push_back(std::int64_t(Philox(0)(i, 0).w[0] % std::uint64_t(vocab_size)));
    return documents;
  }
  const engine::Text text = engine::open_text(base, "");
  RowSource rows(arguments.input);
  while (const auto row = rows.next()) documents.push_back(tokens_of(*row, rows, text));
  return documents;
}

Tensor logits_of(const model::Decoder& decoder, const std::vector<std::int64_t>& document) {
  const std::int64_t count = std::ssize(document);
  const Tensor hidden = model::hidden_states(
      decoder,
      {torch::tensor(document, torch::kInt64), torch::arange(count, torch::kInt64), {0, count}});
  return model::logits(decoder, hidden);
}

/// What merging cost: how far the logits moved, and the divergence of the predictions.
struct Cost {
  double largest = 0, mean = 0, kl = 0;
};

Cost cost_of(const std::vector<std::vector<std::int64_t>>& documents,
             const std::vector<Tensor>& before, const model::Decoder& after) {
  Cost cost;
  double tokens = 0;
  for (std::size_t d = 0; d < documents.size(); ++d) {
    const Tensor now = logits_of(after, documents[d]);
    const Tensor change = (now - before[d]).abs();
    const Tensor p = at::log_softmax(before[d].to(torch::kFloat64), 1),
                 q = at::log_softmax(now.to(torch::kFloat64), 1);
    const double count = double(now.size(0));
    cost.largest = std::max(cost.largest, change.max().item<double>());
    cost.mean += change.mean().item<double>() * count;
    cost.kl += (p.exp() * (p - q)).sum().item<double>();
    tokens += count;
  }
  cost.mean /= tokens;
  cost.kl /= tokens;
  return cost;
}

adapters::Adapter open_adapter(Arguments& arguments, model::Decoder& decoder) {
  std::vector<adapters::Adapter> loaded;
  for (const std::string& folder : arguments.adapters)
    loaded.push_back(adapters::load_adapter(folder, decoder));
  if (loaded.size() == 1 && arguments.combination.weights.empty()) return loaded.front();
  if (arguments.combination.weights.empty())
    arguments.combination.weights.assign(loaded.size(), 1.0);
  return adapters::combine(loaded, arguments.combination);
}

ExitCode run_merge(Arguments arguments, const Common& common) {
  const torch::NoGradGuard no_grad;
  const fs::path base = engine::resolve_model(arguments.model);
  HONE_CHECK(ConfigError, !fs::exists(arguments.output) || fs::is_empty(arguments.output),
             "--output: {} is there already; choose a folder that is not", arguments.output);
  if (!common.seed.empty()) arguments.combination.seed = std::stoull(common.seed);
  model::Decoder decoder = model::load_decoder(base, {});
  adapters::Adapter adapter = open_adapter(arguments, decoder);
  const nlohmann::json origin =
      engine::as_json(engine::lineage_of_adapters("merge", arguments.model, arguments.adapters));
  checkpoint::FolderWriter writer(arguments.output);
  if (arguments.keep_adapter) {
    adapters::save_adapter(adapter, writer.folder(), base.string());
    writer.commit("adapter", {{"base", base.string()}, {engine::kLineageKey, origin}});
    print_row({{"output", arguments.output}, {"adapters", arguments.adapters}});
    return ExitCode::kDone;
  }

  const auto documents = rows_of(arguments, base, decoder.spec.vocab_size);
  adapters::attach(adapter, decoder);
  std::vector<Tensor> before;
  for (const auto& document : documents) before.push_back(logits_of(decoder, document));
  adapters::detach(adapter, decoder);
  adapters::merge(adapter, decoder);
  const torch::Dtype dtype = arguments.dtype == "bf16" ? torch::kBFloat16 : torch::kFloat32;
  model::save_decoder(decoder, writer.folder(), base, dtype);
  // What was written is what is measured: it is loaded back.
  const model::Decoder written = model::load_decoder(writer.folder(), {dtype, torch::kFloat32});
  const Cost cost = cost_of(documents, before, written);
  writer.commit(
      "model",
      {{"base", base.string()}, {"adapters", arguments.adapters}, {engine::kLineageKey, origin}});
  log::info(
      "merged  into {} as {}: logits moved by at most {:.3g}, on average {:.3g}; KL {:.3g} nats",
      arguments.output, arguments.dtype, cost.largest, cost.mean, cost.kl);
  print_row({{"output", arguments.output},
             {"adapters", arguments.adapters},
             {"dtype", arguments.dtype},
             {"measured_on", arguments.input.empty() ? "random tokens" : arguments.input},
             {"largest_change_of_logits", cost.largest},
             {"mean_change_of_logits", cost.mean},
             {"kl_nats", cost.kl}});
  return ExitCode::kDone;
}

}  // namespace

Action declare_merge(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  adapters::Combination& how = arguments->combination;
  command
      .add_option("--model", arguments->model,
                  "Hugging Face folder, .gguf file, or a name that tools/setup installed")
      ->required();
  command.add_option("--adapter", arguments->adapters, "PEFT folder; several are combined")
      ->required();
  command.add_option("--output", arguments->output, "Folder that is written")->required();
  command.add_option("--dtype", arguments->dtype, "What the merged weights are written as")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str();
  command.add_option("--input", arguments->input,
                     "JSONL rows of `input_ids`, `text` or `messages` on which the cost is "
                     "measured; without them, random tokens");
  command.add_option("--weights", how.weights, "Of the adapters, one each; 1 where none is given");
  command.add_option("--combination", how.type, "How several adapters become one")
      ->check(CLI::IsMember(adapters::combination_types()))
      ->capture_default_str();
  command
      .add_option("--density", how.density, "Share of the numbers that ties, dare and prune keep")
      ->capture_default_str();
  command.add_option("--majority-sign", how.majority_sign_method, "How ties elects a sign")
      ->check(CLI::IsMember({"total", "frequency"}))
      ->capture_default_str();
  command.add_option("--svd-rank", how.svd_rank, "Rank of an svd combination; 0: the largest");
  command.add_flag("--as-adapter", arguments->keep_adapter,
                   "Write the combined adapter instead of a merged model");
  return [arguments, &common] { return run_merge(*arguments, common); };
}

}  // namespace hone::cli
