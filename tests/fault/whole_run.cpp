#include "fault/whole_run.h"

#include <algorithm>
#include <fstream>

#include "base/file.h"
#include "checkpoint/checkpoints.h"

namespace hone::test {

namespace fs = std::filesystem;

std::string adapter_of(const TinyRun& run) {
  return read_file(run.output() / "adapter" / "adapter_model.safetensors");
}

std::vector<double> losses_of(const TinyRun& run) {
  std::vector<double> losses;
  for (const auto& line : read_jsonl(run.output() / "metrics.jsonl")) {
    EXPECT_EQ(line["step"], losses.size() + 1);
    losses.push_back(line["loss"]);
  }
  return losses;
}

std::size_t lines_of(const TinyRun& run) {
  std::ifstream file(run.output() / "metrics.jsonl");
  return static_cast<std::size_t>(
      std::count(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>(), '\n'));
}

std::vector<std::string> resume(const TinyRun& run, std::vector<std::string> options) {
  options.insert(options.end(), {"--resume", "auto"});
  return run.train(options);
}

std::set<std::int64_t> valid_checkpoints(const TinyRun& run) {
  std::set<std::int64_t> steps;
  for (const checkpoint::Entry& entry : checkpoint::list(run.output())) {
    EXPECT_NO_THROW(checkpoint::verify(entry.folder)) << entry.folder;
    steps.insert(entry.step);
  }
  return steps;
}

void expect_no_leftovers_in(const TinyRun& run) {
  for (const auto& entry : fs::recursive_directory_iterator(run.output()))
    EXPECT_FALSE(entry.path().filename().string().starts_with('.')) << entry.path();
}

}  // namespace hone::test
