#include "cli/model_arguments.h"

#include <cstdio>

#include "adapters/adapter.h"
#include "base/error.h"
#include "config/load.h"
#include "engine/load_options.h"
#include "engine/trainable.h"

namespace hone::cli {

void ModelArguments::declare(CLI::App& command, bool model_required) {
  CLI::Option* option = command.add_option(
      "--model", model, "Hugging Face folder, .gguf file, or a name that tools/setup installed");
  if (model_required) option->required();
  command.add_option("--adapter", adapter, "PEFT folder to put onto the model");
  command.add_option("--dtype", dtype, "What to compute in")
      ->check(CLI::IsMember({"auto", "fp32", "bf16"}))
      ->capture_default_str();
  command
      .add_option("--quantization", quantization,
                  "Pack the layers' matrices while they are loaded, as model.quantization does")
      ->check(CLI::IsMember({"none", "nf4", "fp4", "int8", "int8_blockwise"}))
      ->capture_default_str();
}

model::Decoder open_decoder(const std::filesystem::path& base, const std::string& adapter,
                            model::LoadOptions options) {
  if (!adapter.empty()) options.rope_scaling = engine::rope_of_adapter(adapter);
  model::Decoder decoder = model::load_decoder(base, options);
  if (!adapter.empty()) {
    adapters::Adapter loaded = adapters::load_adapter(adapter, decoder);
    adapters::attach(loaded, decoder);
  }
  return decoder;
}

OpenedModel open_model(const ModelArguments& arguments, const Common& common,
                       const std::string& chat_template) {
  const engine::Placement placement = engine::place(common.device, arguments.dtype, "auto");
  const std::filesystem::path base = engine::resolve_model(arguments.model);
  engine::Text text = engine::open_text(base, chat_template);
  auto options = config::defaults<engine::ModelOptions>();
  options.quantization = arguments.quantization;
  return {open_decoder(base, arguments.adapter, engine::load_options(options, placement)),
          std::move(text)};
}

void print_row(const nlohmann::ordered_json& row) {
  const std::string line =
      row.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  const bool written =
      std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fflush(stdout) == 0;
  HONE_CHECK(IoError, written, "standard output: writing failed; the reader may be gone");
}

}  // namespace hone::cli
