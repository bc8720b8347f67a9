#include "cli/serving.h"

#include "base/log.h"
#include "export/prepare.h"

namespace hone::cli {

void warn_of_serving(const engine::RunOptions& options) {
  const std::string& name = options.export_.serve_target;
  if (name == "none") return;
  const exporting::Target& target = exporting::target_of(name);
  exporting::Facts facts = exporting::facts_of(options.adapter);
  facts.brings_tokens =
      !options.model.add_tokens.empty() || !options.model.add_special_tokens.empty();
  for (const std::string& warning : exporting::serving_warnings(target, facts))
    log::warn("{}", warning);
}

}  // namespace hone::cli
