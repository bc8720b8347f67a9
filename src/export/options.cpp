#include "export/options.h"

#include "export/target.h"

namespace hone::exporting {

using namespace config;

namespace {

std::vector<std::string> target_names() {
  std::vector<std::string> names = {"none"};
  for (const Target& target : targets()) names.emplace_back(target.name);
  return names;
}

}  // namespace

const Table<ServingOptions>& ServingOptions::table() {
  static const Table<ServingOptions> table(
      "export", "Where the run's product is to be served.",
      {field("serve_target", &ServingOptions::serve_target, "none", choices(target_names()),
             "The server, as hone export --target names it. hone train and hone check warn before "
             "the run where it cannot serve what the section adapter says, with the reason and "
             "what to do. none: nothing is looked at.")});
  return table;
}

}  // namespace hone::exporting
