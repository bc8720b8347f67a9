#include "export/text_files.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "io/json.h"
#include "model/load.h"
#include "tokenizer/gguf_to_json.h"
#include "tokenizer/tokenizer.h"

namespace hone::exporting {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kConfig = "tokenizer_config.json";
constexpr const char* kTemplate = "chat_template.jinja";
constexpr const char* kGeneration = "generation_config.json";
constexpr const char* kFiles[] = {"tokenizer.json",    kConfig,           "special_tokens_map.json",
                                  "added_tokens.json", "tokenizer.model", "vocab.json",
                                  "merges.txt",        kTemplate,         "chat_template.json"};

ordered_json read_if_there(const fs::path& file) {
  return fs::exists(file) ? io::read_ordered_json(file) : ordered_json::object();
}

void write_json(const fs::path& file, const ordered_json& content) {
  write_file_atomically(file, content.dump(2) + "\n");
}

/// Where the tokenizer's own template was trained with, its files have it, and others beside it.
void write_template(const Job& job, const tokenizer::Tokenizer& tokenizer) {
  if (job.chat_template.empty()) return;
  const std::string* own = tokenizer.chat_template();
  const ordered_json before = read_if_there(job.folder / kConfig);
  const bool has_several = before.contains("chat_template") && before["chat_template"].is_array();
  if (own != nullptr && *own == job.chat_template && has_several) return;
  write_file_atomically(job.folder / kTemplate, job.chat_template);
  ordered_json config = before;
  config["chat_template"] = job.chat_template;
  write_json(job.folder / kConfig, config);
}

/// Servers stop at these, whatever a request says.
void write_stops(const Job& job, const tokenizer::Tokenizer& tokenizer) {
  std::set<std::int32_t> ids(tokenizer.special().eos_ids.begin(),
                             tokenizer.special().eos_ids.end());
  for (const std::string& text : job.stop_texts)
    if (const auto id = tokenizer.token_to_id(text)) ids.insert(*id);
  if (ids.empty()) return;
  const fs::path base = fs::is_directory(job.base) ? job.base / kGeneration : fs::path();
  ordered_json config = read_if_there(base);
  if (ids.size() == 1)
    config["eos_token_id"] = *ids.begin();
  else
    config["eos_token_id"] = ids;
  if (const auto bos = tokenizer.special().bos_id) config["bos_token_id"] = *bos;
  write_json(job.folder / kGeneration, config);
}

}  // namespace

void write_text_files(const Job& job) {
  if (job.tokenizer.empty()) return;
  if (model::is_gguf(job.tokenizer)) {
    tokenizer::write_gguf_tokenizer(job.tokenizer, job.folder);
  } else {
    for (const char* name : kFiles)
      if (fs::exists(job.tokenizer / name))
        write_file_atomically(job.folder / name, read_file(job.tokenizer / name));
  }
  const tokenizer::Tokenizer tokenizer = tokenizer::Tokenizer::load(job.tokenizer);
  write_template(job, tokenizer);
  write_stops(job, tokenizer);
}

}  // namespace hone::exporting
