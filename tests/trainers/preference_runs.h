#pragma once

#include <string>
#include <vector>

#include "io/json.h"
#include "support/tiny_run.h"

namespace hone::test {

/// Overrides that make a tiny run one of that preference method.
inline std::vector<std::string> preference_run(const std::string& method,
                                               std::vector<std::string> more = {}) {
  const std::string rows = method == "kto" ? "kto" : "pref";
  std::vector<std::string> all = {
      "train.method=" + method, "data.train=" + fixture("train/data/" + rows + ".jsonl").string()};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// The steps of a run that has to end well.
inline std::vector<nlohmann::json> steps_of(const TinyRun& run,
                                            const std::vector<std::string>& overrides) {
  const Finished finished = run_hone(run.train(overrides));
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  std::vector<nlohmann::json> steps;
  for (const nlohmann::json& line : read_jsonl(run.output() / "metrics.jsonl"))
    if (line.contains("loss")) steps.push_back(line);
  return steps;
}

}  // namespace hone::test
