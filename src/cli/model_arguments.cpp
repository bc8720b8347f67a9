#include "cli/model_arguments.h"

#include <cstdio>

#include "adapters/stack.h"
#include "base/error.h"
#include "config/load.h"
#include "engine/trainable.h"

namespace hone::cli {

void ModelArguments::declare(CLI::App& command, bool model_required) {
  CLI::Option* option = command.add_option(
      "--model", model, "Hugging Face folder, .gguf file, or a name that tools/setup installed");
  if (model_required) option->required();
  command
      .add_option("--adapter", adapters.folders,
                  "PEFT folder to put onto the model; may come several times: what they change is "
                  "added up")
      ->allow_extra_args(false);
  command
      .add_option("--weights", adapters.weights,
                  "How much each adapter counts (0.5,0.5); 0 switches one off")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("--dtype", dtype, "What to compute in")
      ->check(CLI::IsMember({"auto", "fp32", "bf16", "fp16"}))
      ->capture_default_str();
  command
      .add_option("--quantization", quantization,
                  "Pack the layers' matrices while they are loaded, as model.quantization does")
      ->check(CLI::IsMember({"none", "nf4", "fp4", "int8", "int8_blockwise"}))
      ->capture_default_str();
}

model::Decoder open_decoder(const engine::BaseModel& base, const AdapterArguments& chosen,
                            engine::ModelOptions options, const engine::Placement& placement) {
  HONE_CHECK(ConfigError, chosen.weights.empty() || !chosen.none(),
             "--weights are those of adapters; name one with --adapter");
  if (!chosen.none()) options.rope_scaling = engine::rope_of_adapter(chosen.folders.front());
  model::Decoder decoder = engine::load_base(base, options, placement);
  if (chosen.none()) return decoder;
  std::vector<adapters::Adapter> loaded;
  for (const std::string& folder : chosen.folders)
    loaded.push_back(adapters::load_adapter(folder, decoder));
  const bool weighted = !chosen.weights.empty();
  adapters::attach_weighted(
      loaded, weighted ? chosen.weights : std::vector<double>(loaded.size(), 1.0), decoder);
  return decoder;
}

OpenedModel open_model(const ModelArguments& arguments, const Common& common,
                       const std::string& chat_template) {
  const engine::Placement placement = engine::place(common.device, arguments.dtype, "auto");
  auto options = config::defaults<engine::ModelOptions>();
  options.base = arguments.model;
  options.quantization = arguments.quantization;
  engine::BaseModel base = engine::open_base(options, chat_template, arguments.adapters.folders);
  return {open_decoder(base, arguments.adapters, options, placement), std::move(base.text)};
}

void print_row(const nlohmann::ordered_json& row) {
  const std::string line =
      row.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  const bool written =
      std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fflush(stdout) == 0;
  HONE_CHECK(IoError, written, "standard output: writing failed; the reader may be gone");
}

}  // namespace hone::cli
