#include <fstream>

#include "base/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "support/text_model.h"
#include "support/tiny_run.h"

// Tokens that a config adds: trained, saved, loaded back onto the base, merged.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;

constexpr int kBefore = 1508;  // tokens of the text model's tokenizer
// `hitherto` gets the first id behind them: special tokens come last.
const std::vector<std::string> kAdd = {"model.add_special_tokens=['<|call|>']",
                                       "model.add_tokens=[hitherto]"};

/// A run on a tiny text model whose embedding has no row to spare.
struct AddedRun {
  test::TempFolder folder;
  std::string base;
  fs::path rows, output = folder / "run";

  explicit AddedRun(std::int64_t vocab_size = kBefore)
      : base(test::write_text_model(folder, "base", 1, test::Head::kLanguage, vocab_size)) {
    std::string lines;
    for (int i = 0; i < 8; ++i)
      lines += R"({"text":"row )" + std::to_string(i) + R"( says <|call|> as hitherto"})" + "\n";
    rows = folder.write("rows.jsonl", lines);
  }
  std::string config(const std::string& adapter) const {
    return folder
        .write("config.yaml", "model: {base: '" + base + "'}\nadapter: " + adapter +
                                  "\ndata: {train: '" + rows.string() +
                                  "'}\ntrain: {output_dir: '" + output.string() +
                                  "', precision: fp32, max_steps: 6}\noptim: {learning_rate: "
                                  "2e-2}\n")
        .string();
  }
  Finished train(const std::string& adapter, std::vector<std::string> more = kAdd) const {
    more.insert(more.begin(), {"train", config(adapter)});
    return run_hone(more);
  }
  std::vector<double> logprobs(const std::vector<std::string>& model) const {
    const fs::path file = folder.write("ids.jsonl", "{\"input_ids\": [5, 1508, 9, 1509, 44]}\n");
    std::vector<std::string> command = {"logprobs", "--dtype", "fp32", "--input", file};
    command.insert(command.end(), model.begin(), model.end());
    const Finished finished = run_hone(command);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return json::parse(finished.out)["logprobs"];
  }
};

std::vector<int> ids_of(const std::string& tokenizer, const std::string& text) {
  const test::TempFolder folder;
  const fs::path rows = folder.write("rows.jsonl", json({{"text", text}}).dump() + "\n");
  const Finished finished = run_hone({"tokenize", "--tokenizer", tokenizer, "--input", rows});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return json::parse(finished.out)["ids"];
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4) << i;
}

class AddedTokensWith : public testing::TestWithParam<const char*> {};

TEST_P(AddedTokensWith, AreTrainedSavedLoadedBackAndMerged) {
  const AddedRun run;
  const Finished finished = run.train(GetParam());
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(finished.err, "grows from 1508 to 1510"));
  const auto metrics = test::read_jsonl(run.output / "metrics.jsonl");
  EXPECT_LT(metrics[5]["loss"].get<double>(), metrics[0]["loss"].get<double>());

  // The adapter's folder brings the tokenizer, so the original base is enough.
  const std::string adapter = run.output / "adapter", merged = run.folder / "merged";
  const std::vector<int> ids = ids_of(adapter, "as<|call|>hitherto");
  EXPECT_EQ(ids.back(), kBefore);
  EXPECT_EQ(ids[ids.size() - 2], kBefore + 1);
  const auto with = run.logprobs({"--model", run.base, "--adapter", adapter});
  const Finished merge =
      run_hone({"merge", "--model", run.base, "--adapter", adapter, "--output", merged});
  ASSERT_EQ(merge.exit_code, 0) << merge.err;
  EXPECT_EQ(io::read_json(run.folder / "merged/config.json")["vocab_size"], kBefore + 2);
  EXPECT_EQ(ids_of(merged, "as<|call|>hitherto"), ids);
  expect_near(run.logprobs({"--model", merged}), with);

  const Finished evaluated = run_hone({"eval", "--model", run.base, "--adapter", adapter, "--data",
                                       run.rows, "--compare-base", "--dtype", "fp32"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_TRUE(json::parse(evaluated.out).contains("eval_loss"));
  const Finished said = run_hone({"generate", "--model", run.base, "--adapter", adapter, "--prompt",
                                  "row<|call|>", "--max-new-tokens", "3", "--json"});
  EXPECT_EQ(said.exit_code, 0) << said.err;
}

INSTANTIATE_TEST_SUITE_P(
    Methods, AddedTokensWith,
    testing::Values("{method: lora, r: 4}", "{method: dora, r: 4, target_modules: [q_proj]}",
                    "{method: trainable_tokens}",
                    "{method: lora, r: 4, modules_to_save: [embed_tokens, lm_head]}",
                    "{method: ia3, modules_to_save: [embed_tokens, lm_head]}"));

TEST(AddedTokens, OfAnAdapterAreRowsAndLeaveTheOthersAlone) {
  const AddedRun run;
  ASSERT_EQ(run.train("{method: lora, r: 4, trainable_token_indices: [7]}").exit_code, 0);
  const json config = io::read_json(run.output / "adapter/adapter_config.json");
  EXPECT_EQ(config["trainable_token_indices"], (std::vector<int>{7, kBefore, kBefore + 1}));
  const io::SafetensorsFile file(run.output / "adapter/adapter_model.safetensors");
  const io::TensorView* rows =
      file.find("base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta");
  ASSERT_NE(rows, nullptr);
  EXPECT_EQ(rows->shape[0], 3);
}

TEST(AddedTokens, TakeTheRowsThatAnEmbeddingHasToSpare) {
  const AddedRun run(1600);
  const Finished finished = run.train("{method: lora, r: 4}");
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_FALSE(contains(finished.err, "grows"));
  const json config = io::read_json(run.output / "adapter/adapter_config.json");
  EXPECT_EQ(config["trainable_token_indices"], (std::vector<int>{kBefore, kBefore + 1}));
  run.logprobs({"--model", run.base, "--adapter", run.output / "adapter"});
}

TEST(AddedTokens, OfAFullRunStandInTheModelItSaves) {
  const AddedRun run;
  const Finished finished = run.train("{method: full}");
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(io::read_json(run.output / "model/config.json")["vocab_size"], kBefore + 2);
  EXPECT_EQ(ids_of(run.output / "model", "hitherto"), (std::vector<int>{kBefore}));
  run.logprobs({"--model", run.output / "model"});
}

TEST(AddedTokens, AreKeptByAnAdapterThatIsGoneOnFrom) {
  const AddedRun run;
  ASSERT_EQ(run.train("{method: lora, r: 4}").exit_code, 0);
  const std::string from = "{method: lora, init_from: '" + (run.output / "adapter").string() + "'}";
  const auto go_on = [&](std::vector<std::string> more) {
    more.push_back("train.output_dir=" + (run.folder / "second").string());
    more.push_back("train.overwrite_output_dir=true");
    return run.train(from, more);
  };
  const Finished again = go_on({});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(ids_of(run.folder / "second/adapter", "hitherto"), (std::vector<int>{kBefore}));
  EXPECT_EQ(go_on(kAdd).exit_code, 0) << "the config may repeat the tokens";
  const Finished other = go_on({"model.add_tokens=[henceforth]"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_TRUE(contains(other.err, "`henceforth` is not in the vocabulary that the adapter"));
}

TEST(AddedTokens, ShapeTheTokenCache) {
  const AddedRun run;
  const std::string config = run.config("{method: lora, r: 4}");
  const auto cached = [&](const std::vector<std::string>& add) {
    std::vector<std::string> command = {"data",   "build",   config,
                                        "--json", "--cache", (run.folder / "cache").string()};
    command.insert(command.end(), add.begin(), add.end());
    const Finished finished = run_hone(command);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return finished.out;
  };
  cached({});
  cached(kAdd);
  cached({"model.add_tokens=['<|call|>', hitherto]"});
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(run.folder / "cache"))
    files += entry.path().extension() == ".h5" ? 1 : 0;
  EXPECT_EQ(files, 3u);
}

class AddedTokensRefused
    : public testing::TestWithParam<std::tuple<const char*, const char*, const char*>> {};

TEST_P(AddedTokensRefused, WithTheReason) {
  const AddedRun run;
  const auto& [adapter, add, reason] = GetParam();
  const Finished finished = run.train(adapter, {add});
  EXPECT_EQ(finished.exit_code, 2) << finished.err;
  EXPECT_TRUE(contains(finished.err, reason));
  EXPECT_FALSE(fs::exists(run.output / "run.json"));
}

INSTANTIATE_TEST_SUITE_P(
    Configs, AddedTokensRefused,
    testing::Values(
        std::tuple{"{method: lora}", "model.add_tokens=['']", "is empty"},
        std::tuple{"{method: lora}", "model.add_tokens=['<|im_end|>']", "vocabulary already"},
        std::tuple{"{method: ia3}", "model.add_tokens=[hitherto]", "add adapter.modules_to_save"},
        std::tuple{"{method: lora, modules_to_save: [embed_tokens]}", "model.add_tokens=[hitherto]",
                   "name both"},
        std::tuple{"{method: partial, target_modules: [q_proj]}", "model.add_tokens=[hitherto]",
                   "as they begin"}));

TEST(AddedTokens, NeedATokenizerJson) {
  const AddedRun run;
  const fs::path gguf = run.folder.write("model.gguf", "GGUF");
  const Finished finished =
      run.train("{method: lora}", {"model.base=" + gguf.string(), "model.add_tokens=[hitherto]"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "has no tokenizer.json to add tokens to"));
}

}  // namespace
}  // namespace hone
