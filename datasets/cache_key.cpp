#include "datasets/cache_key.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"
#include "config/load.h"
#include "tokenizer/chat_template.h"

namespace hone::datasets {
namespace {

using nlohmann::ordered_json;

/// Every other option of the section counts, so that a new one never goes unseen. `template` is
/// here because the text of the template counts, wherever it came from.
constexpr std::string_view kShapesNoToken[] = {"train",
                                               "sources",
                                               "mix_strategy",
                                               "mix_temperature",
                                               "stages",
                                               "eval",
                                               "license",
                                               "eval_license",
                                               "cache",
                                               "shuffle",
                                               "template",
                                               "mask_contract",
                                               "max_untrained_rows",
                                               "min_trained_share",
                                               "max_trained_share",
                                               "max_straddling_rows"};

ordered_json options_json(const DataOptions& options) {
  ordered_json json;
  const config::Table<DataOptions>& table = DataOptions::table();
  for (std::size_t i = 0; i < table.access().size(); ++i) {
    const std::string& name = table.schema().fields[i].key;
    if (std::ranges::find(kShapesNoToken, name) == std::end(kShapesNoToken))
      json[name] = config::to_yaml(table.access()[i].get(options));
  }
  return json;
}

}  // namespace

std::string cache_key(const std::vector<std::string>& files,
                      const std::vector<std::string>& file_hashes, const DataOptions& options,
                      const TextTools& tools, std::int64_t context_length) {
  HONE_ASSERT(files.size() == file_hashes.size());
  HONE_ASSERT(tools.tokenizer == nullptr || !tools.tokenizer_sha256.empty());
  ordered_json key = {
      {"code", kTokenCodeVersion},
      {"tokenizer", tools.tokenizer_sha256},
      {"template", tools.chat_template ? sha256_hex(tools.chat_template->source()) : ""},
      {"vocab_size", tools.vocab_size},
      {"stop_ids", tools.stop_ids},
      {"context_length", context_length},
      {"options", options_json(options)}};
  for (const RecordKind kind : tools.kinds) key["kinds"].push_back(name_of(kind));
  for (std::size_t i = 0; i < files.size(); ++i)
    key["files"].push_back({std::filesystem::path(files[i]).extension().string(), file_hashes[i]});
  return sha256_hex(key.dump());
}

}  // namespace hone::datasets
