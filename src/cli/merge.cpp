#include "adapters/merge.h"

#include "adapters/combine.h"
#include "base/log.h"
#include "base/philox.h"
#include "checkpoint/folder_writer.h"
#include "cli/model_arguments.h"
#include "cli/rows.h"
#include "config/load.h"
#include "engine/base_model.h"
#include "engine/divergence.h"
#include "engine/load_options.h"
#include "engine/run_lineage.h"
#include "engine/trainable.h"
#include "model/load.h"
#include "tokenizer/tokenizer_save.h"

namespace hone::cli {
namespace {

namespace fs = std::filesystem;
using torch::Tensor;

struct Arguments {
  std::string model, output, dtype = "fp32", quantization = "none", input;
  std::vector<std::string> adapters;
  adapters::Combination combination;
  bool keep_adapter = false;
};

constexpr std::int64_t kRandomTokens = 256;

/// The tokens that the cost is measured on: each row of --input, or one row of random ids.
engine::Documents rows_of(const Arguments& arguments, const engine::BaseModel& base) {
  engine::Documents documents;
  if (arguments.input.empty()) {
    documents.emplace_back();
    for (std::uint64_t i = 0; i < kRandomTokens; ++i)
      documents.back().push_back(
          std::int64_t(Philox(0)(i, 0).w[0] % std::uint64_t(base.spec.vocab_size)));
    return documents;
  }
  RowSource rows(arguments.input);
  while (const auto row = rows.next()) documents.push_back(tokens_of(*row, rows, base.text));
  return documents;
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

nlohmann::ordered_json json_of(const engine::Divergence& cost) {
  return {{"largest_change_of_logits", cost.largest},
          {"mean_change_of_logits", cost.mean},
          {"kl_nats", cost.kl},
          {"same_greedy_tokens", cost.same_greedy}};
}

/// What the ways to serve an adapter cost, each beside the adapter on its base in fp32.
class Costs {
 public:
  Costs(const engine::Documents& documents, const model::Decoder& unmerged)
      : documents_(documents), before_(engine::logits_of(unmerged, documents)) {}

  engine::Divergence add(const std::string& way, const model::Decoder& decoder) {
    const engine::Divergence cost = engine::divergence(before_, decoder, documents_);
    log::info("{:<20} logits moved by at most {:.3g}, on average {:.3g}; KL {:.3g} nats", way,
              cost.largest, cost.mean, cost.kl);
    all_[way] = json_of(cost);
    return cost;
  }
  const nlohmann::ordered_json& all() const { return all_; }

 private:
  const engine::Documents& documents_;
  std::vector<Tensor> before_;
  nlohmann::ordered_json all_;
};

engine::ModelOptions model_options(const Arguments& arguments) {
  auto options = config::defaults<engine::ModelOptions>();
  options.base = arguments.model;
  options.quantization = arguments.quantization;
  options.rope_scaling = engine::rope_of_adapter(arguments.adapters.front());
  return options;
}

/// Writes the merged model, with the tokenizer that its adapter brought along.
void write_model(model::Decoder& decoder, const engine::BaseModel& base, const fs::path& folder,
                 torch::Dtype dtype) {
  model::save_decoder(decoder, folder, base.path, dtype);
  const engine::Text& text = base.text;
  if (text.tokenizer && text.source != base.path)
    tokenizer::save_tokenizer(*text.tokenizer, text.source, folder);
}

/// What was written is what is measured: it is loaded back, as it would be served.
engine::Divergence measure_merged(const fs::path& folder, torch::Dtype dtype,
                                  const quant::Recipe& recipe, Costs& costs) {
  const auto load = [&](torch::Dtype weights, const quant::Recipe& packed) {
    return model::load_decoder(folder, {.weight_dtype = weights, .quantization = packed});
  };
  engine::Divergence written = costs.add("merged_bf16", load(torch::kBFloat16, {}));
  if (dtype == torch::kFloat32) written = costs.add("merged_fp32", load(torch::kFloat32, {}));
  if (recipe.format != quant::Format::kNone)
    costs.add("merged_requantized", load(torch::kFloat32, recipe));
  return written;
}

ExitCode run_merge(Arguments arguments, const Common& common) {
  const torch::NoGradGuard no_grad;
  HONE_CHECK(ConfigError, !fs::exists(arguments.output) || fs::is_empty(arguments.output),
             "--output: {} is there already; choose a folder that is not", arguments.output);
  if (!common.seed.empty()) arguments.combination.seed = std::stoull(common.seed);
  const engine::ModelOptions options = model_options(arguments);
  const engine::BaseModel base = engine::open_base(options, "", arguments.adapters);
  model::Decoder decoder = engine::load_base(base, options, {});
  adapters::Adapter adapter = open_adapter(arguments, decoder);
  const nlohmann::json origin =
      engine::as_json(engine::lineage_of_adapters("merge", arguments.model, arguments.adapters));
  checkpoint::FolderWriter writer(arguments.output);
  if (arguments.keep_adapter) {
    adapters::save_adapter(adapter, writer.folder(), base.path.string());
    writer.commit("adapter", {{"base", base.path.string()}, {engine::kLineageKey, origin}});
    print_row({{"output", arguments.output}, {"adapters", arguments.adapters}});
    return ExitCode::kDone;
  }

  const engine::Documents documents = rows_of(arguments, base);
  adapters::attach(adapter, decoder);
  Costs costs(documents, decoder);
  decoder.compute_dtype = torch::kBFloat16;
  costs.add("unmerged_bf16", decoder);
  decoder.compute_dtype = torch::kFloat32;
  adapters::detach(adapter, decoder);
  adapters::merge(adapter, decoder);
  const torch::Dtype dtype = arguments.dtype == "bf16" ? torch::kBFloat16 : torch::kFloat32;
  write_model(decoder, base, writer.folder(), dtype);
  const engine::Divergence cost =
      measure_merged(writer.folder(), dtype, engine::load_options(options, {}).quantization, costs);
  writer.commit("model", {{"base", base.path.string()},
                          {"adapters", arguments.adapters},
                          {engine::kLineageKey, origin}});
  nlohmann::ordered_json report = {
      {"output", arguments.output},
      {"adapters", arguments.adapters},
      {"dtype", arguments.dtype},
      {"quantization", arguments.quantization},
      {"measured_on", arguments.input.empty() ? "random tokens" : arguments.input}};
  report.update(json_of(cost));
  report["costs"] = costs.all();
  print_row(report);
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
  command
      .add_option(
          "--quantization", arguments->quantization,
          "What the adapter's base was packed to: it is merged into the numbers that it was "
          "trained on, and the cost of packing the result again is told as well")
      ->check(CLI::IsMember({"none", "nf4", "fp4", "int8", "int8_blockwise"}))
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
