#include "support/tiny_run.h"

#include <fstream>
#include <sstream>

namespace hone::test {

TinyRun::TinyRun(const std::string& adapter_yaml) {
  const std::string base = fixture("train/_base").string();
  const std::string rows = fixture("train/data/sft.jsonl").string();
  config = folder
               .write("config.yaml", "model: {base: '" + base + "'}\nadapter: " + adapter_yaml +
                                         "\ndata: {train: '" + rows +
                                         "', shuffle: false}\n"
                                         "train:\n  output_dir: '" +
                                         output().string() +
                                         "'\n  precision: fp32\n  max_steps: 20\n"
                                         "  per_device_train_batch_size: 2\n"
                                         "  gradient_accumulation_steps: 4\n"
                                         "optim: {learning_rate: 1e-3, weight_decay: 0.1}\n"
                                         "schedule: {lr_scheduler_type: cosine, warmup_steps: 4}\n")
               .string();
}

std::vector<std::string> TinyRun::train(const std::vector<std::string>& more) const {
  std::vector<std::string> arguments{"train", config};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string write_jsonl(const TempFolder& folder, const std::string& name,
                        const std::vector<nlohmann::json>& rows) {
  std::string text;
  for (const nlohmann::json& row : rows) text += row.dump() + "\n";
  return folder.write(name, text).string();
}

std::vector<nlohmann::json> read_jsonl(const std::filesystem::path& path) {
  std::vector<nlohmann::json> objects;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) objects.push_back(nlohmann::json::parse(line));
  return objects;
}

std::vector<nlohmann::json> rows_of(const Finished& finished) {
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  std::vector<nlohmann::json> rows;
  std::istringstream text(finished.out);
  for (std::string line; std::getline(text, line);) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

}  // namespace hone::test
