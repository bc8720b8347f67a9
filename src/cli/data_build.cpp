#include <filesystem>

#include "base/log.h"
#include "cli/data_verbs.h"
#include "cli/dataset_arguments.h"
#include "cli/model_arguments.h"
#include "datasets/cached_load.h"
#include "datasets/token_cache.h"
#include "engine/run_data.h"

namespace hone::cli {
namespace {

namespace fs = std::filesystem;

struct BuildArguments {
  DatasetArguments rows;
  std::string cache;
  bool rebuild = false, verify = false;
};

/// What became of one list of files.
struct Built {
  fs::path path;
  bool was_made = false;
  datasets::Dataset data;
};

void verify(const fs::path& path) {
  try {
    datasets::verify_token_cache(path);
  } catch (const datasets::CacheError& error) {
    throw DataError(fmt::format("{}. --rebuild makes it anew", error.what()));
  }
}

Built build(const RowSet& set, const DatasetSetting& setting, const fs::path& folder,
            const BuildArguments& arguments) {
  Built built;
  const datasets::LoadSettings unwatched;
  built.path = datasets::cache_path(
      folder, {set.files, set.options, setting.tools, setting.context_length, unwatched});
  if (arguments.rebuild) fs::remove(built.path);
  built.was_made = !fs::exists(built.path);
  if (arguments.verify && !built.was_made) verify(built.path);
  built.data = engine::load_rows(set.files, set.options, setting.tools, setting.context_length);
  return built;
}

void report(const std::string& set, const Built& built, const Common& common) {
  const datasets::RowTotals& totals = built.data.totals();
  const auto bytes = fs::file_size(built.path);
  if (common.json) {
    print_row({{"set", set},
               {"path", built.path.string()},
               {"was_made", built.was_made},
               {"bytes", bytes},
               {"rows", totals.rows},
               {"tokens", totals.tokens},
               {"trained_tokens", totals.trained_tokens}});
    return;
  }
  fmt::print("{:<6}{}\n      {}, {:.1f} MB: {}\n", set, built.path.string(),
             built.was_made ? "made" : "was there", double(bytes) / 1e6,
             datasets::summary(built.data));
}

ExitCode run_build(const BuildArguments& arguments, const Common& common) {
  const std::unique_ptr<DatasetSetting> setting = open_dataset_setting(arguments.rows, common);
  if (!arguments.cache.empty()) setting->options.cache = arguments.cache;
  HONE_CHECK(ConfigError, setting->options.cache != "off",
             "data.cache: is off, so there is nothing to make; give a folder, or --cache FOLDER");
  for (const RowSet& set : row_sets(*setting)) {
    if (const auto folder = datasets::cache_folder(set.files, set.options)) {
      report(set.name, build(set, *setting, *folder, arguments), common);
    } else {
      log::info(
          "{:<6}has so few rows that `data.cache: auto` makes no cache: they are tokenised "
          "at each start. --cache FOLDER makes one, data.cache: FOLDER uses it",
          set.name);
    }
  }
  return ExitCode::kDone;
}

}  // namespace

Action declare_data_build(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<BuildArguments>();
  arguments->rows.declare(command);
  command.add_option("--cache", arguments->cache,
                     "Folder of the cache, in the place of data.cache");
  command.add_flag("--rebuild", arguments->rebuild, "Make it anew though it is there");
  command.add_flag("--verify", arguments->verify,
                   "Hold every block of a cache that is there to its hash");
  return [arguments, &common] { return run_build(*arguments, common); };
}

}  // namespace hone::cli
