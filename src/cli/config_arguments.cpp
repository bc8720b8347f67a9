#include "cli/config_arguments.h"

namespace hone::cli {

void ConfigArguments::declare(CLI::App& command, bool required) {
  CLI::Option* option = command.add_option("config", path, "YAML file");
  if (required) option->required();
  command.add_option("overrides", overrides, "key.sub=value, each over what the file says");
}

config::Loaded<engine::RunOptions> ConfigArguments::load(const Common& common) const {
  std::vector<std::string> all = overrides;
  if (!common.seed.empty()) all.push_back("train.seed=" + common.seed);
  return config::load<engine::RunOptions>(path, all);
}

}  // namespace hone::cli
