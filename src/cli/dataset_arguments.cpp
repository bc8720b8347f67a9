#include "cli/dataset_arguments.h"

#include <filesystem>

#include "datasets/files.h"
#include "engine/base_model.h"
#include "engine/run_data.h"
#include "model/load.h"

namespace hone::cli {
namespace {

namespace fs = std::filesystem;

/// The config that --input and its companions stand for.
engine::RunOptions options_of_input(const DatasetArguments& arguments) {
  const auto yaml = [](config::Value value) { return config::to_yaml(value); };
  std::string text =
      "model: {base: " + yaml(arguments.tokenizer.empty() ? "-" : arguments.tokenizer) +
      "}\ndata:\n  train: " + yaml(arguments.input) + "\n";
  if (!arguments.template_file.empty())
    text += "  template: " + yaml(arguments.template_file) + "\n";
  // Without a CONFIG the first of the overrides stands in its place.
  std::vector<std::string> overrides = arguments.config.overrides;
  if (!arguments.config.path.empty()) overrides.insert(overrides.begin(), arguments.config.path);
  for (const std::string& item : overrides)
    HONE_CHECK(ConfigError, item.find('=') != std::string::npos,
               "{}: expected a CONFIG or --input, not both; keys are given as data.max_length=512",
               item);
  return config::parse<engine::RunOptions>(text, "--input", overrides).options;
}

bool has_model(const fs::path& base) {
  return model::is_gguf(base) || fs::exists(base / "config.json");
}

}  // namespace

void DatasetArguments::declare(CLI::App& command) {
  config.declare(command, /*required=*/false);
  command
      .add_option("--input", input,
                  "File of rows, where no CONFIG names it; may come several times")
      ->allow_extra_args(false);
  command.add_option("--tokenizer", tokenizer,
                     "With --input: folder, tokenizer.json, .gguf file, or a name that tools/setup "
                     "installed. Without it rows have to be tokens");
  command.add_option("--template", template_file,
                     "With --input: a chat template instead of the model's own");
}

std::vector<RowSet> row_sets(const DatasetSetting& setting) {
  const datasets::DataOptions& options = setting.options;
  std::vector<RowSet> sets;
  if (!options.train.empty()) sets.push_back({"train", false, options.train, options});
  for (const datasets::SourceOptions& source : options.sources)
    sets.push_back({source.name, false, source.files, datasets::options_of(source, options)});
  if (!options.eval.empty()) sets.push_back({"eval", true, options.eval, options});
  for (RowSet& set : sets) set.files = datasets::expand_files(set.files);
  return sets;
}

std::unique_ptr<DatasetSetting> open_dataset_setting(const DatasetArguments& arguments,
                                                     const Common& common) {
  HONE_CHECK(ConfigError, !arguments.input.empty() || !arguments.config.path.empty(),
             "expected a CONFIG, or --input and --tokenizer");
  HONE_CHECK(
      ConfigError,
      !arguments.input.empty() || (arguments.tokenizer.empty() && arguments.template_file.empty()),
      "--tokenizer and --template go with --input; a CONFIG says model.base and "
      "data.template");
  const engine::RunOptions options =
      arguments.input.empty() ? arguments.config.load(common).options : options_of_input(arguments);
  auto setting = std::make_unique<DatasetSetting>();
  setting->options = options.data;
  if (!arguments.input.empty() && arguments.tokenizer.empty()) return setting;
  const fs::path base = engine::resolve_model(options.model.base);
  setting->text =
      engine::open_text(options.model, options.data.chat_template, {options.adapter.init_from});
  model::Spec spec;
  if (has_model(base)) {
    spec = engine::open_base(options.model, options.data.chat_template, {options.adapter.init_from})
               .spec;
    setting->context_length = model::context_length(spec);
  }
  setting->tools = engine::text_tools(setting->text, spec);
  return setting;
}

}  // namespace hone::cli
