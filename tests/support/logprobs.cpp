#include "support/logprobs.h"

#include <nlohmann/json.hpp>

#include "support/process.h"

namespace hone::test {

std::vector<double> logprobs_of(const std::vector<int>& ids, const TempFolder& folder,
                                const std::string& model, const std::vector<std::string>& more) {
  const nlohmann::json row = {{"input_ids", ids}};
  const std::string rows = folder.write("rows.jsonl", row.dump() + "\n").string();
  std::vector<std::string> command = {"logprobs", "--model", model, "--dtype",
                                      "fp32",     "--input", rows};
  command.insert(command.end(), more.begin(), more.end());
  const Finished finished = run_hone(command);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return nlohmann::json::parse(finished.out)["logprobs"].get<std::vector<double>>();
}

}  // namespace hone::test
