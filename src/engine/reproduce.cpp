#include "engine/reproduce.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/hash.h"
#include "config/load.h"
#include "datasets/files.h"
#include "engine/options.h"
#include "engine/run_lineage.h"
#include "engine/version.h"
#include "model/load.h"
#include "report/process.h"
#include "tokenizer/content_hash.h"

namespace hone::engine {
namespace {

/// Empty where what is to be hashed is not there or cannot be read.
std::string hash_or_nothing(const std::function<std::string()>& hash) {
  try {
    return hash();
  } catch (const Error&) {
    return {};
  }
}

/// The files of a data set, and those that its patterns did not stand for then.
void check_data(const DataInput& data, std::vector<InputState>& states) {
  for (const Input& file : data.files)
    states.push_back({data.name, file, hash_or_nothing([&] { return sha256_file(file.path); })});
  std::vector<std::string> now;
  try {
    now = datasets::expand_files(data.patterns);
  } catch (const Error&) {
    return;  // a file is missing, and has been told of
  }
  for (const std::string& path : now)
    if (std::ranges::find(data.files, path, &Input::path) == data.files.end())
      states.push_back({data.name, {path, path, ""}, sha256_file(path)});
}

std::vector<InputState> check_inputs(const Lineage& lineage) {
  std::vector<InputState> states;
  states.push_back({"base", lineage.base,
                    hash_or_nothing([&] { return model::hash_of_weights(lineage.base.path); })});
  if (!lineage.tokenizer.sha256.empty())
    states.push_back({"tokenizer", lineage.tokenizer, hash_or_nothing([&] {
                        return tokenizer::content_hash(lineage.tokenizer.path);
                      })});
  if (const Input& recorded = lineage.chat_template; !recorded.sha256.empty()) {
    const std::string named = recorded.name == kOwnTemplate ? "" : recorded.name;
    const std::string option = recorded.path.empty() ? named : recorded.path;
    // A tokenizer that an adapter brought along brought its template, too.
    const std::string& source =
        lineage.tokenizer.path.empty() ? lineage.base.path : lineage.tokenizer.path;
    states.push_back({"template", recorded, hash_or_nothing([&] {
                        const Text text = open_text(source, option);
                        return describe_template(option, text).sha256;
                      })});
  }
  for (const DataInput& data : lineage.data) check_data(data, states);
  for (const Parent& parent : lineage.parents)
    for (const Input& file : parent.files)
      states.push_back(
          {parent.relation, file, hash_or_nothing([&] { return sha256_file(file.path); })});
  return states;
}

config::Resolution resolve_config(const std::string& text,
                                  const std::vector<std::string>& overrides = {}) {
  return config::resolve(RunOptions::table().schema(), text, "the recorded config", overrides);
}

const config::Value& value_of(const config::Resolution& resolved, const std::string& key) {
  const std::vector<config::Field>& fields = RunOptions::table().schema().fields;
  const auto field = std::ranges::find(fields, key, &config::Field::key);
  return resolved.values[static_cast<std::size_t>(field - fields.begin())];
}

/// What `auto` stood for on that machine takes its place.
std::string config_to_run(const Lineage& lineage, const std::string& output_dir) {
  std::vector<std::string> overrides = {
      "train.output_dir=" + config::to_yaml(config::Value(output_dir)),
      "train.overwrite_output_dir=false"};
  const config::Resolution recorded = resolve_config(lineage.config);
  const auto settle = [&](const std::string& key, const std::string& value) {
    if (value_of(recorded, key) == config::Value(std::string("auto")))
      overrides.push_back(key + "=" + value);
  };
  settle("train.precision", lineage.machine.precision);
  settle("model.dtype", lineage.machine.weights);
  return config::dump(RunOptions::table().schema(),
                      resolve_config(lineage.config, overrides).values);
}

/// The options in which the part of a run before a checkpoint differs from the one after it, but
/// for those that say what is kept and told.
std::vector<std::string> differences(const std::string& before, const std::string& after) {
  const config::Resolution then = resolve_config(before), now = resolve_config(after);
  std::vector<std::string> keys;
  for (const config::Field& field : RunOptions::table().schema().fields) {
    const std::string& key = field.key;
    const bool is_told_only = key.starts_with("report.") || key.starts_with("checkpoint.") ||
                              key.ends_with("license") || key == "data.cache" ||
                              key == "train.output_dir" || key == "train.overwrite_output_dir";
    if (!is_told_only && value_of(then, key) != value_of(now, key)) keys.push_back(key);
  }
  return keys;
}

std::vector<std::string> notes_on(const Lineage& lineage) {
  std::vector<std::string> notes;
  const CodeVersion code = code_version();
  if (code.commit != lineage.code.commit || code.libtorch != lineage.code.libtorch)
    notes.push_back(
        fmt::format("it was made by hone {} ({}) with LibTorch {}, this is hone {} "
                    "({}) with LibTorch {}",
                    lineage.code.hone, lineage.code.commit, lineage.code.libtorch, code.hone,
                    code.commit, code.libtorch));
  if (const std::string cpu = report::host_facts().cpu_model; cpu != lineage.machine.cpu_model)
    notes.push_back(
        fmt::format("it was computed on {}, this is {}", lineage.machine.cpu_model, cpu));
  for (const Resumption& one : lineage.resumptions) {
    if (one.config.empty()) continue;
    const std::vector<std::string> keys = differences(one.config, lineage.config);
    if (!keys.empty())
      notes.push_back(
          fmt::format("up to step {} it ran with other options ({}): one run of the config ends "
                      "elsewhere",
                      one.step, fmt::join(keys, ", ")));
  }
  return notes;
}

}  // namespace

Reproduction reproduce(const MadeFolder& made, const std::string& output_dir) {
  const Lineage& lineage = made.lineage;
  HONE_CHECK(DataError, !lineage.config.empty(),
             "{}: was made by `hone {}`, not trained, so there is no config that makes it; `hone "
             "lineage` names what it was made of",
             made.folder.string(), lineage.made_by);
  return {config_to_run(lineage, output_dir), check_inputs(lineage), notes_on(lineage)};
}

}  // namespace hone::engine
