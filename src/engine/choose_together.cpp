#include "engine/choose_together.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "distributed/exchange.h"
#include "distributed/texts.h"

namespace hone::engine {
namespace {

namespace fs = std::filesystem;
using checkpoint::VerifiedFolder;
using distributed::Patience;

constexpr const char* kWhat = "the checkpoint's hashes";

/// Each rank's part of verifying a folder. @throws CheckpointError on all ranks where one finds
/// something wrong
VerifiedFolder verify_share(const distributed::Group& group, const fs::path& folder) {
  VerifiedFolder verified{folder, {}};
  std::vector<std::string> problems;
  try {
    verified.manifest = checkpoint::read_manifest(folder);
    problems =
        checkpoint::problems_of_share(folder, verified.manifest, group.rank(), group.world());
  } catch (const std::exception& error) {
    problems = {error.what()};
  }
  const std::string own = nlohmann::json(problems).dump();
  std::vector<std::string> all;
  for (const std::string& text : distributed::gather_texts(group, own, kWhat, Patience::kPhase))
    for (const auto& problem : nlohmann::json::parse(text))
      all.push_back(problem.get<std::string>());
  checkpoint::refuse_problems(folder, all);
  return verified;
}

/// The others take their share of whatever the first one looks at.
void help_first(const distributed::Group& group) {
  while (true) {
    const std::string folder = distributed::text_of_first(group, "", kWhat, Patience::kPhase);
    if (folder.empty()) return;
    try {
      verify_share(group, folder);
    } catch (const CheckpointError&) {  // the first says so
    }
  }
}

}  // namespace

std::optional<VerifiedFolder> choose_together(
    const distributed::Group& group,
    const std::function<std::optional<VerifiedFolder>(const checkpoint::Verify& verify)>& choose) {
  if (group.is_alone()) return choose(checkpoint::verify);
  std::optional<VerifiedFolder> chosen;
  if (group.is_first()) {
    chosen = choose([&](const fs::path& folder) {
      distributed::text_of_first(group, folder.string(), kWhat, Patience::kPhase);
      return verify_share(group, folder);
    });
    distributed::text_of_first(group, "", kWhat, Patience::kPhase);
  } else {
    help_first(group);
  }
  const std::string folder = distributed::text_of_first(
      group, chosen ? chosen->folder.string() : "", "the checkpoint", Patience::kPhase);
  if (!chosen && !folder.empty())
    chosen = VerifiedFolder{folder, checkpoint::read_manifest(folder)};
  return chosen;
}

}  // namespace hone::engine
