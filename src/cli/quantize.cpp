#include <algorithm>

#include "base/log.h"
#include "checkpoint/folder_writer.h"
#include "cli/model_arguments.h"
#include "config/load.h"
#include "engine/batch.h"
#include "engine/evaluate.h"
#include "engine/quantize_model.h"
#include "engine/run_data.h"
#include "engine/run_lineage.h"
#include "model/load.h"
#include "tokenizer/tokenizer_save.h"

namespace hone::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

struct Arguments {
  std::string model, dtype = "auto", format = "nf4", data, calibration, rounding, output;
  std::int64_t blocksize = 64;
  bool single = false, asymmetric = false;
  double outlier_sigma = quant::kOutlierSigma;
  std::vector<std::string> skip;
};

constexpr std::size_t kShown = 10;
constexpr const char* kReport = "quantization_report.json";

engine::Packing packing_of(const Arguments& arguments) {
  return {.recipe = {.format = quant::parse_format(arguments.format),
                     .blocksize = arguments.blocksize,
                     .double_quantization = !arguments.single,
                     .symmetric = !arguments.asymmetric},
          .skip = arguments.skip,
          .outlier_sigma = arguments.outlier_sigma};
}

quant::Rounding rounding_of(const Arguments& arguments) {
  if (arguments.rounding.empty())
    return arguments.calibration.empty() ? quant::Rounding::kNearest : quant::Rounding::kClip;
  return quant::parse_rounding(arguments.rounding);
}

/// What cannot be done is told before a weight is read.
void check(const Arguments& arguments, const engine::Packing& packing) {
  const quant::Rounding rounding = rounding_of(arguments);
  const bool by_group = quant::is_integer_group(packing.recipe.format);
  HONE_CHECK(ConfigError, !arguments.calibration.empty() || rounding == quant::Rounding::kNearest,
             "--rounding {}: goes by what the layers are given; name rows with --calibration",
             arguments.rounding);
  HONE_CHECK(ConfigError, by_group || rounding != quant::Rounding::kGptq,
             "--rounding gptq: rounds integers by group, --format int4 or int8_group, not {}; take "
             "clip",
             arguments.format);
  HONE_CHECK(ConfigError, by_group || !arguments.asymmetric,
             "--asymmetric: has an effect on --format int4 and int8_group only");
  if (arguments.output.empty()) return;
  HONE_CHECK(ConfigError, packing.recipe.format != quant::Format::kInt8Blockwise,
             "--output: no checkpoint format holds int8_blockwise; expected --format nf4, fp4 or "
             "int8 (bitsandbytes), int4 or int8_group (compressed-tensors)");
  HONE_CHECK(ConfigError, !fs::exists(arguments.output) || fs::is_empty(arguments.output),
             "--output: {} is there already; choose a folder that is not", arguments.output);
}

datasets::Dataset rows_of(const std::string& file, engine::RunOptions options,
                          const engine::BaseModel& base) {
  options.data.eval = {file};
  return engine::load_eval_data(options, base.text, base.spec);
}

/// Loss and perplexity on the given rows, under keys that end as `when` says.
void add_perplexity(const model::Decoder& decoder, const datasets::Dataset& rows,
                    const engine::RunOptions& options, const std::string& when,
                    ordered_json& report) {
  for (const auto& [name, value] :
       engine::evaluate_loss(decoder, rows, options.eval.tokens_per_device_batch))
    if (name == "eval_loss" || name == "eval_perplexity")
      std::visit([&, &key = name](auto number) { report[key + when] = number; }, value);
}

std::vector<engine::PackedLayer> pack(model::Decoder& decoder, const Arguments& arguments,
                                      const engine::Packing& packing,
                                      const engine::RunOptions& options,
                                      const engine::BaseModel& base) {
  if (arguments.calibration.empty()) return engine::quantize_layers(decoder, packing);
  std::vector<model::TokenStream> batches;
  engine::for_each_batch(rows_of(arguments.calibration, options, base),
                         options.eval.tokens_per_device_batch, [&](const datasets::Batch& batch) {
                           batches.push_back(engine::to_device(batch, decoder.device()).tokens);
                         });
  return engine::quantize_calibrated(decoder, packing, batches, rounding_of(arguments));
}

ordered_json layer_row(const engine::PackedLayer& layer) {
  ordered_json row = {{"name", layer.name},
                      {"relative_error", layer.error.relative},
                      {"mean_error", layer.error.mean},
                      {"largest_error", layer.error.largest},
                      {"outliers", layer.error.outliers},
                      {"outlier_share", layer.error.outlier_share()},
                      {"bytes_before", layer.bytes_before},
                      {"bytes_after", layer.bytes_after}};
  if (const auto& rows = layer.calibration)
    row["calibration"] = {{"output_error", rows->output_error},
                          {"output_error_nearest", rows->nearest_error},
                          {"clip", rows->clip},
                          {"tokens", rows->tokens},
                          {"largest_input", rows->largest_input},
                          {"input_outlier_share", rows->outlier_share}};
  return row;
}

void add_layers(const std::vector<engine::PackedLayer>& layers, ordered_json& report) {
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
}

void show(const ordered_json& report, std::vector<engine::PackedLayer> layers) {
  const auto lost = [](const engine::PackedLayer& layer) {
    return layer.calibration ? layer.calibration->output_error : layer.error.relative;
  };
  std::sort(layers.begin(), layers.end(),
            [&](const auto& a, const auto& b) { return lost(a) > lost(b); });
  const bool calibrated = !layers.empty() && layers.front().calibration;
  fmt::print("the layers that lost most\n{:<44}{:>10}{:>12}{:>10}{}\n", "", "relative", "largest",
             "outliers", calibrated ? "    output   nearest    clip  outliers in" : "");
  for (std::size_t i = 0; i < std::min(kShown, layers.size()); ++i) {
    const engine::PackedLayer& layer = layers[i];
    fmt::print("{:<44}{:>10.4f}{:>12.4g}{:>9.3f}%", layer.name, layer.error.relative,
               layer.error.largest, 100 * layer.error.outlier_share());
    if (const auto& rows = layer.calibration)
      fmt::print("{:>10.4f}{:>10.4f}{:>8.3f}{:>12.3f}%", rows->output_error, rows->nearest_error,
                 rows->clip, 100 * rows->outlier_share);
    fmt::print("\n");
  }
  for (const auto& [key, value] : report.items())
    if (key != "layers") fmt::print("{:<28}{}\n", key, value.dump());
}

/// Writes the packed model where `writer` builds its folder. @return it as its files hold it
model::Decoder write_and_load(model::Decoder& decoder, const engine::BaseModel& base,
                              const fs::path& folder, const engine::Placement& placement) {
  model::save_packed_decoder(decoder, folder, base.path, placement.weight_dtype);
  if (base.text.tokenizer && base.text.source != base.path)
    tokenizer::save_tokenizer(*base.text.tokenizer, base.text.source, folder);
  return model::load_decoder(folder, {.weight_dtype = placement.weight_dtype,
                                      .compute_dtype = placement.compute_dtype,
                                      .device = placement.device});
}

ExitCode run_quantize(const Arguments& arguments, const Common& common) {
  const torch::NoGradGuard no_grad;
  const engine::Packing packing = packing_of(arguments);
  check(arguments, packing);
  auto options = config::defaults<engine::RunOptions>();
  options.model.base = arguments.model;
  engine::Placement placement = engine::place(common.device, arguments.dtype, "auto");
  const engine::BaseModel base = engine::open_base(options.model, options.data.chat_template);
  // Packed from the numbers that are stored, whatever is computed in.
  placement.weight_dtype = base.spec.dtype == "bfloat16" ? torch::kBFloat16 : torch::kFloat32;
  std::optional<datasets::Dataset> rows;
  if (!arguments.data.empty()) rows = rows_of(arguments.data, options, base);
  model::Decoder decoder = engine::load_base(base, options.model, placement);

  ordered_json report = {{"model", arguments.model},
                         {"quantization", quant::describe(packing.recipe)},
                         {"outlier_sigma", packing.outlier_sigma}};
  if (!arguments.calibration.empty())
    report["calibration"] = {{"rows", arguments.calibration},
                             {"rounding", quant::rounding_name(rounding_of(arguments))}};
  if (rows) add_perplexity(decoder, *rows, options, "_before", report);
  const auto layers = pack(decoder, arguments, packing, options, base);
  add_layers(layers, report);

  std::optional<checkpoint::FolderWriter> writer;
  if (!arguments.output.empty()) {
    writer.emplace(arguments.output);
    decoder = write_and_load(decoder, base, writer->folder(), placement);
    report["output"] = arguments.output;
  }
  if (rows) add_perplexity(decoder, *rows, options, "_after", report);
  if (writer) {
    writer->write(kReport, report.dump(1) + "\n");
    writer->commit("model", {{"base", base.path.string()},
                             {"quantization", quant::describe(packing.recipe)},
                             {engine::kLineageKey, engine::as_json(engine::lineage_of_adapters(
                                                       "quantize", arguments.model, {}))}});
  }
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
  command.add_option("--output", arguments->output,
                     "Folder that the packed model is written to, with its report: nf4, fp4 and "
                     "int8 as bitsandbytes has them, int4 and int8_group as compressed-tensors; "
                     "without it, what packing would cost is told and nothing is written");
  command.add_option("--dtype", arguments->dtype, "What to compute in")
      ->check(CLI::IsMember({"auto", "fp32", "bf16"}))
      ->capture_default_str();
  command
      .add_option("--format", arguments->format,
                  "What the layers' matrices are packed to: nf4, fp4 by block; int8 by row; "
                  "int8_blockwise; integers by group: int4, int8_group")
      ->check(CLI::IsMember({"nf4", "fp4", "int8", "int8_blockwise", "int4", "int8_group"}))
      ->capture_default_str();
  command
      .add_option("--block-size,--group-size", arguments->blocksize, "Weights that share a scale")
      ->capture_default_str();
  command.add_flag("--single", arguments->single, "Leave the scales of nf4 and fp4 in fp32");
  command.add_flag("--asymmetric", arguments->asymmetric,
                   "Give groups of int4 and int8_group a zero point");
  command.add_option("--skip", arguments->skip,
                     "Layers that are left: last parts of names, or regular expressions");
  command.add_option("--data", arguments->data,
                     "Rows whose perplexity is measured before and after");
  command.add_option("--calibration", arguments->calibration,
                     "Rows whose inputs to each layer say how its matrix is rounded");
  command
      .add_option(
          "--rounding", arguments->rounding,
          "With --calibration. nearest; clip (the default): after the blocks' ends are cut "
          "to the share that costs the layer's output least; gptq, for int4 and int8_group: "
          "each column's error made good in the columns to come (arXiv:2210.17323)")
      ->check(CLI::IsMember({"nearest", "clip", "gptq"}));
  command
      .add_option("--outlier-sigma", arguments->outlier_sigma,
                  "Standard deviations beyond which a weight or input counts as an outlier")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  return [arguments, &common] { return run_quantize(*arguments, common); };
}

}  // namespace hone::cli
