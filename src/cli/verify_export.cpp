#include <algorithm>
#include <cmath>

#include "base/log.h"
#include "cli/export_measure.h"
#include "cli/model_arguments.h"
#include "engine/trainable.h"
#include "export/verify.h"
#include "model/load.h"

namespace hone::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

struct Arguments {
  std::string folder, model;
  bool deep = false;
};

/// What the same numbers may differ by on another machine, in nats.
constexpr double kSameLogprob = 1e-3;

/// As the base was when the adapter was written: packed, or with another rope.
model::LoadOptions load_options(const fs::path& folder, const nlohmann::json& about) {
  const nlohmann::json& base = about.at("base");
  model::LoadOptions options;
  options.vocab_size = base.value("vocab_size", std::int64_t(0));
  options.rope_scaling = engine::rope_of_adapter(folder);
  if (!base.contains("quantization")) return options;
  const nlohmann::json& packed = base["quantization"];
  options.quantization = {.format = quant::parse_format(packed.at("format").get<std::string>()),
                          .blocksize = packed.at("blocksize").get<std::int64_t>(),
                          .double_quantization = packed.at("double_quantization").get<bool>()};
  options.quantization_skip = packed.at("skip").get<std::vector<std::string>>();
  return options;
}

/// Loads the export as its target is read, on the base that it names or --model.
exporting::ReadBack load(const Arguments& arguments, const nlohmann::json& about) {
  exporting::ExportOptions options;
  options.type = about.value("type", "");
  const bool is_adapter = about.at("form") == "adapter";
  const exporting::Target& target = exporting::target_of(about.at("target").get<std::string>());
  model::Decoder decoder;
  adapters::Adapter adapter;  // that there is one is all that readers look at
  const fs::path base = arguments.model.empty()
                            ? fs::path(about.at("base").at("path").get<std::string>())
                            : engine::resolve_model(arguments.model);
  if (is_adapter) decoder = model::load_decoder(base, load_options(arguments.folder, about));
  const bool has_text = about.contains("tokenizer_sha256");
  return target.read_back({.options = options,
                           .base_name = about.at("base").at("name").get<std::string>(),
                           .base = base,
                           .tokenizer = has_text ? base : fs::path(),
                           .chat_template = {},
                           .stop_texts = {},
                           .decoder = decoder,
                           .adapter = is_adapter ? &adapter : nullptr,
                           .folder = arguments.folder});
}

void check_base(const Arguments& arguments, const nlohmann::json& about,
                std::vector<std::string>& problems) {
  if (about.at("form") != "adapter") return;
  const nlohmann::json& base = about.at("base");
  const fs::path path = arguments.model.empty() ? fs::path(base.at("path").get<std::string>())
                                                : engine::resolve_model(arguments.model);
  HONE_CHECK(DataError, fs::exists(path),
             "{}: the adapter's base is not there; name it with --model", path.string());
  if (model::hash_of_weights(path) != base.at("sha256"))
    problems.push_back(fmt::format("{}: has other weights than the adapter's base", path.string()));
}

/// JSON has no NaN: it writes null.
std::vector<double> numbers_of(const nlohmann::ordered_json& values) {
  std::vector<double> numbers;
  for (const auto& value : values)
    numbers.push_back(value.is_null() ? std::nan("") : value.get<double>());
  return numbers;
}

/// Computes the recorded tokens again. @return what is wrong; empty: nothing
std::string probe_again(const Arguments& arguments, const nlohmann::json& about) {
  const exporting::ReadBack read = load(arguments, about);
  const auto ids = about.at("probe").at("ids").get<std::vector<std::int64_t>>();
  const auto recorded = numbers_of(about["probe"].at("logprobs"));
  const auto found = numbers_of(probe(read.decoder, ids)["logprobs"]);
  double largest = recorded.size() == found.size() ? 0 : HUGE_VAL;
  for (std::size_t i = 0; i < std::min(found.size(), recorded.size()); ++i)
    if (const double here = std::abs(found[i] - recorded[i]); std::isnan(here) || here > largest)
      largest = here;
  if (largest <= kSameLogprob) return "";
  return fmt::format("a token's log-probability is another one than when it was written, by {:.3g}",
                     largest);
}

ExitCode run_verify_export(const Arguments& arguments, const Common& common) {
  const torch::NoGradGuard no_grad;
  exporting::VerifiedExport found = exporting::verify_export(arguments.folder);
  const nlohmann::json& about = found.manifest.about;
  if (arguments.deep && found.problems.empty()) {
    check_base(arguments, about, found.problems);
    if (found.problems.empty())
      if (std::string problem = probe_again(arguments, about); !problem.empty())
        found.problems.push_back(std::move(problem));
  }
  if (common.json)
    print_row({{"folder", arguments.folder},
               {"ok", found.problems.empty()},
               {"files", found.manifest.files.size()},
               {"problems", found.problems}});
  else if (found.problems.empty())
    fmt::print("{}: {} files are what they were when hone wrote them{}\n", arguments.folder,
               found.manifest.files.size(), arguments.deep ? ", and compute the same" : "");
  for (const std::string& problem : found.problems) log::error(problem);
  return found.problems.empty() ? ExitCode::kDone : ExitCode::kFailed;
}

}  // namespace

Action declare_verify_export(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  command.add_option("folder", arguments->folder, "What hone export wrote")->required();
  command.add_flag("--deep", arguments->deep,
                   "Also load it, and compute again what was recorded of it");
  command.add_option("--model", arguments->model,
                     "The adapter's base, where it is no longer in its place");
  return [arguments, &common] { return run_verify_export(*arguments, common); };
}

}  // namespace hone::cli
