#include "engine/lineage.h"

#include "cli/model_arguments.h"
#include "cli/verbs.h"

namespace hone::cli {

Action declare_lineage(CLI::App& command, const Common& common) {
  auto folder = std::make_shared<std::string>();
  command
      .add_option("folder", *folder,
                  "A checkpoint, an adapter or a model that hone wrote, or a run's folder")
      ->required();
  return [folder, &common] {
    const engine::MadeFolder made = engine::read_made_folder(*folder);
    if (common.json) {
      print_row({{"folder", made.folder.string()},
                 {"kind", made.kind},
                 {"lineage", engine::as_json(made.lineage)}});
    } else {
      fmt::print("{}", engine::draw_tree(made));
    }
    return ExitCode::kDone;
  };
}

}  // namespace hone::cli
