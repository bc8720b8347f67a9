#include "datasets/content.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/hash.h"

namespace hone::datasets {
namespace {

constexpr std::array kTrainedKeys = {
    "messages",  "tools",      "prompt",     "completion",   "completions",    "text",
    "chosen",    "rejected",   "margin",     "label",        "labels",         "score",
    "input_ids", "prompt_ids", "chosen_ids", "rejected_ids", "completion_ids", "completion_mask"};

}  // namespace

std::string canonical_content(const Record& record) {
  nlohmann::json content = nlohmann::json::object();  // sorts its keys, at every depth
  for (const char* key : kTrainedKeys)
    if (const auto found = record.value.find(key); found != record.value.end())
      content[key] = nlohmann::json::parse(found->dump());
  return fmt::format("{} {}", name_of(record.kind), content.dump());
}

std::uint64_t content_hash(const Record& record, std::uint64_t seed) {
  const std::string digest = sha256_hex(fmt::format("{} {}", seed, canonical_content(record)));
  std::uint64_t number = 0;
  std::from_chars(digest.data(), digest.data() + 16, number, 16);
  return number;
}

}  // namespace hone::datasets
