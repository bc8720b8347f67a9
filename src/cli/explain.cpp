#include "config/explain.h"
#include "cli/verbs.h"
#include "engine/options.h"

namespace hone::cli {

Action declare_explain(CLI::App& command, const Common& common) {
  auto key = std::make_shared<std::string>();
  command.add_option("key", *key, "A section (optim) or a key (optim.learning_rate); all without");
  return [key, &common] {
    const std::string text = common.json ? config::explain_json<engine::RunOptions>(*key) + "\n"
                                         : config::explain<engine::RunOptions>(*key);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return ExitCode::kDone;
  };
}

}  // namespace hone::cli
