#include "export/registry.h"

#include "base/error.h"
#include "cli/model_arguments.h"
#include "cli/verbs.h"
#include "export/mlflow_models.h"
#include "report/process.h"

namespace hone::cli {
namespace {

using exporting::Registry;
using exporting::RegistryModel;
using exporting::RegistryVersion;
using nlohmann::ordered_json;

struct Arguments {
  std::string folder, source, name, tag, reference, output, mlflow;
  std::int64_t version = 0;
};

std::vector<std::string> tags_of(const RegistryModel& model, std::int64_t version) {
  std::vector<std::string> tags;
  for (const auto& [tag, number] : model.tags)
    if (number == version) tags.push_back(tag);
  return tags;
}

std::uint64_t bytes_of(const RegistryVersion& version) {
  std::uint64_t bytes = 0;
  for (const auto& [name, file] : version.files) bytes += file.size_bytes;
  return bytes;
}

ordered_json row_of(const RegistryModel& model, const RegistryVersion& version) {
  return {{"name", model.name},
          {"version", version.number},
          {"tags", tags_of(model, version.number)},
          {"added_at", version.added_at},
          {"source", version.source},
          {"bytes", bytes_of(version)},
          {"files", version.files.size()}};
}

/// Where --mlflow asks for it.
void show_in_mlflow(const Arguments& arguments, const Registry& registry) {
  if (!arguments.mlflow.empty())
    exporting::write_mlflow_model(arguments.mlflow, registry.model(arguments.name));
}

ExitCode add(const Arguments& arguments) {
  if (!arguments.tag.empty()) Registry::check_tag(arguments.tag);
  Registry registry(arguments.folder);
  const std::int64_t version = registry.add(arguments.name, arguments.source, report::utc_now());
  if (!arguments.tag.empty()) registry.tag(arguments.name, version, arguments.tag);
  show_in_mlflow(arguments, registry);
  const RegistryModel model = registry.model(arguments.name);
  print_row(row_of(model, registry.find(fmt::format("{}:{}", arguments.name, version))));
  return ExitCode::kDone;
}

ExitCode tag(const Arguments& arguments) {
  Registry registry(arguments.folder);
  registry.tag(arguments.name, arguments.version, arguments.tag);
  show_in_mlflow(arguments, registry);
  return ExitCode::kDone;
}

ExitCode list(const Arguments& arguments, const Common& common) {
  const Registry registry(arguments.folder);
  if (!common.json)
    fmt::print("{:<24} {:>7}  {:<20} {:>12}  {}\n", "name", "version", "added", "MB", "tags");
  for (const std::string& name : registry.names()) {
    const RegistryModel model = registry.model(name);
    for (const RegistryVersion& version : model.versions) {
      const ordered_json row = row_of(model, version);
      if (common.json)
        print_row(row);
      else
        fmt::print("{:<24} {:>7}  {:<20} {:>12.2f}  {}\n", name, version.number, version.added_at,
                   double(bytes_of(version)) / 1e6, row["tags"].dump());
    }
  }
  const Registry::Sizes sizes = registry.sizes();
  if (!common.json)
    fmt::print("{:.2f} MB, kept in {:.2f} MB\n", double(sizes.named_bytes) / 1e6,
               double(sizes.stored_bytes) / 1e6);
  return ExitCode::kDone;
}

ExitCode show(const Arguments& arguments) {
  const Registry registry(arguments.folder);
  const RegistryVersion version = registry.find(arguments.reference);
  const std::string name = arguments.reference.substr(0, arguments.reference.find_first_of("@:"));
  ordered_json row = row_of(registry.model(name), version);
  row["files"] = ordered_json::object();
  for (const auto& [path, file] : version.files)
    row["files"][path] = {{"size_bytes", file.size_bytes}, {"sha256", file.sha256}};
  row["about"] = ordered_json::parse(version.about.dump());
  print_row(row);
  return ExitCode::kDone;
}

ExitCode get(const Arguments& arguments) {
  const Registry registry(arguments.folder);
  registry.restore(registry.find(arguments.reference), arguments.output);
  print_row({{"output", arguments.output}});
  return ExitCode::kDone;
}

}  // namespace

Action declare_registry(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  auto chosen = std::make_shared<Action>();
  Arguments& a = *arguments;
  command.require_subcommand(1);
  const auto verb = [&](const char* name, const char* help, Action action) {
    CLI::App* sub = command.add_subcommand(name, help);
    sub->fallthrough();
    sub->add_option("--registry", a.folder, "The registry's folder; made where it is not there")
        ->required();
    sub->final_callback([chosen, action = std::move(action)] { *chosen = action; });
    return sub;
  };
  const char* const which = "NAME, NAME@TAG or NAME:VERSION; a name alone is its newest version";
  CLI::App* adding =
      verb("add", "Put in a folder that hone wrote.", [arguments] { return add(*arguments); });
  adding->add_option("folder", a.source, "An export, an adapter or a model")->required();
  adding->add_option("--name", a.name, "What it is called there")->required();
  adding->add_option("--tag", a.tag, "A tag that the version gets");
  verb("list", "All versions.", [arguments, &common] { return list(*arguments, common); });
  CLI::App* tagging = verb("tag", "Give a version a tag; another one that has it loses it.",
                           [arguments] { return tag(*arguments); });
  tagging->add_option("name", a.name, "Of the model")->required();
  tagging->add_option("version", a.version, "Its number")->required();
  tagging->add_option("tag", a.tag, "prod, candidate, …")->required();
  for (CLI::App* changing : {adding, tagging})
    changing->add_option("--mlflow", a.mlflow,
                         "Also write it into this file store of MLflow's, tags as aliases");
  verb("show", "A version's files and where it came from, as JSON.",
       [arguments] { return show(*arguments); })
      ->add_option("reference", a.reference, which)
      ->required();
  CLI::App* getting =
      verb("get", "Write a version's folder again.", [arguments] { return get(*arguments); });
  getting->add_option("reference", a.reference, which)->required();
  getting->add_option("--output", a.output, "Folder that is written")->required();
  return [chosen] { return (*chosen)(); };
}

}  // namespace hone::cli
