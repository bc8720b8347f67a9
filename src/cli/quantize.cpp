#include <algorithm>

#include "base/log.h"
#include "cli/model_arguments.h"
#include "config/load.h"
#include "engine/evaluate.h"
#include "engine/quantize_model.h"
#include "engine/run_data.h"

namespace hone::cli {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  std::string model, dtype = "auto", format = "nf4", data;
  std::int64_t blocksize = 64;
  bool single = false;
  std::vector<std::string> skip;
};

constexpr std::size_t kShown = 10;

/// Loss and perplexity on the given rows, under keys that end as `when` says.
void add_perplexity(const model::Decoder& decoder, const datasets::Dataset& rows,
                    const engine::RunOptions& options, const std::string& when,
                    ordered_json& report) {
  for (const auto& [name, value] :
       engine::evaluate_loss(decoder, rows, options.eval.tokens_per_device_batch))
    if (name == "eval_loss" || name == "eval_perplexity")
      std::visit([&, &key = name](auto number) { report[key + when] = number; }, value);
}

ordered_json layer_row(const engine::PackedLayer& layer) {
  return {{"name", layer.name},
          {"relative_error", layer.error.relative},
          {"mean_error", layer.error.mean},
          {"largest_error", layer.error.largest},
          {"outliers", layer.error.outliers},
          {"bytes_before", layer.bytes_before},
          {"bytes_after", layer.bytes_after}};
}

void show(const ordered_json& report, std::vector<engine::PackedLayer> layers) {
  std::sort(layers.begin(), layers.end(),
            [](const auto& a, const auto& b) { return a.error.relative > b.error.relative; });
  fmt::print("the layers that lost most\n{:<44}{:>10}{:>12}{:>10}\n", "", "relative", "largest",
             "outliers");
  for (std::size_t i = 0; i < std::min(kShown, layers.size()); ++i)
    fmt::print("{:<44}{:>10.4f}{:>12.4g}{:>10}\n", layers[i].name, layers[i].error.relative,
               layers[i].error.largest, layers[i].error.outliers);
  for (const auto& [key, value] : report.items())
    if (key != "layers") fmt::print("{:<28}{}\n", key, value.dump());
}

ExitCode run_quantize(const Arguments& arguments, const Common& common) {
  const torch::NoGradGuard no_grad;
  auto options = config::defaults<engine::RunOptions>();
  options.model.base = arguments.model;
  const engine::Placement placement = engine::place(common.device, arguments.dtype, "auto");
  const engine::BaseModel base = engine::open_base(options.model, options.data.chat_template);
  std::optional<datasets::Dataset> rows;
  if (!arguments.data.empty()) {
    options.data.eval = {arguments.data};
    rows = engine::load_eval_data(options, base.text, base.spec);
  }
  model::Decoder decoder = engine::load_base(base, options.model, placement);

  const quant::Recipe recipe{.format = quant::parse_format(arguments.format),
                             .blocksize = arguments.blocksize,
                             .double_quantization = !arguments.single};
  ordered_json report = {{"model", arguments.model}, {"quantization", quant::describe(recipe)}};
  if (rows) add_perplexity(decoder, *rows, options, "_before", report);
  const auto layers = engine::quantize_layers(decoder, recipe, arguments.skip);
  if (rows) add_perplexity(decoder, *rows, options, "_after", report);

  std::int64_t before = 0, after = 0, outliers = 0;
  for (const engine::PackedLayer& layer : layers) {
    before += layer.bytes_before;
    after += layer.bytes_after;
    outliers += layer.error.outliers;
    report["layers"].push_back(layer_row(layer));
  }
  report["bytes_before"] = before;
  report["bytes_after"] = after;
  report["outliers"] = outliers;
  if (common.json)
    print_row(report);
  else
    show(report, layers);
  return ExitCode::kDone;
}

}  // namespace

Action declare_quantize(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  command
      .add_option("--model", arguments->model,
                  "Hugging Face folder, .gguf file, or a name that tools/setup installed")
      ->required();
  command.add_option("--dtype", arguments->dtype, "What to compute in")
      ->check(CLI::IsMember({"auto", "fp32", "bf16"}))
      ->capture_default_str();
  command.add_option("--format", arguments->format, "What the layers' matrices are packed to")
      ->check(CLI::IsMember({"nf4", "fp4", "int8", "int8_blockwise"}))
      ->capture_default_str();
  command.add_option("--block-size", arguments->blocksize, "Weights that share a scale")
      ->capture_default_str();
  command.add_flag("--single", arguments->single, "Leave the scales of nf4 and fp4 in fp32");
  command.add_option("--skip", arguments->skip,
                     "Layers that are left: last parts of names, or regular expressions");
  command.add_option("--data", arguments->data,
                     "Rows whose perplexity is measured before and after");
  return [arguments, &common] { return run_quantize(*arguments, common); };
}

}  // namespace hone::cli
