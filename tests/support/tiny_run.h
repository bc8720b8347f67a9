#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/support.h"

namespace hone::test {

/// A config for the tiny model and rows of tests/data/train, in a folder of its own. Every text is
/// YAML; keys can be overridden as on the command line.
struct TinyRun {
  TempFolder folder;
  std::string config;  ///< path of the config file

  /// @param adapter_yaml the `adapter` section, e.g. "{method: lora, r: 4}"
  explicit TinyRun(const std::string& adapter_yaml);

  std::filesystem::path output() const { return folder / "run"; }
  /// `hone train CONFIG OVERRIDES…`
  std::vector<std::string> train(const std::vector<std::string>& more = {}) const;
};

/// Writes a file below the folder, an object a line, and gives its path.
std::string write_jsonl(const TempFolder& folder, const std::string& name,
                        const std::vector<nlohmann::json>& rows);

/// The objects of a JSONL file, in order.
std::vector<nlohmann::json> read_jsonl(const std::filesystem::path& path);

/// The objects that a program which ended well printed, one a line. Fails the test where it did not
/// end well.
std::vector<nlohmann::json> rows_of(const Finished& finished);

}  // namespace hone::test
