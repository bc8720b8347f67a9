#include "distributed/rank_process.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace hone::test {
namespace {

namespace fs = std::filesystem;

/// A file of /proc whose texts end with zeros.
std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

std::vector<std::string> launch(const TinyRun& run, int ranks,
                                const std::vector<std::string>& overrides,
                                const std::vector<std::string>& options) {
  std::vector<std::string> command = {"launch", "--nproc", std::to_string(ranks)};
  command.insert(command.end(), options.begin(), options.end());
  command.emplace_back("--");
  const std::vector<std::string> train = run.train(overrides);
  command.insert(command.end(), train.begin(), train.end());
  return command;
}

std::optional<pid_t> process_of(const fs::path& run_folder, int rank, const std::string& variable) {
  const std::string nul(1, '\0');
  const std::string wanted = nul + variable + "=" + std::to_string(rank) + nul;
  const fs::path program = fs::canonical(hone_binary());
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    const auto [last, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || last != name.data() + name.size()) continue;
    std::error_code ignored;  // it may be gone, or not ours to look at
    if (fs::read_symlink(entry.path() / "exe", ignored) != program) continue;
    const bool is_of_run =
        text_of(entry.path() / "cmdline").find(run_folder.parent_path().string()) !=
        std::string::npos;
    const std::string environment = nul + text_of(entry.path() / "environ");
    if (is_of_run && environment.find(wanted) != std::string::npos) return pid;
  }
  return std::nullopt;
}

std::vector<nlohmann::json> steps_in(const fs::path& run_folder) {
  std::vector<nlohmann::json> steps;
  for (const nlohmann::json& line : read_jsonl(run_folder / "metrics.jsonl"))
    if (line.contains("loss")) steps.push_back(line);
  return steps;
}

}  // namespace hone::test
